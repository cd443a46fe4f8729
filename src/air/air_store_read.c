/* What stands around the hours: stations, dust events, the trail of changes. */
#include "air/air_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

#define LIST_MAX 100000 /* stations of a province with every micro-station, events of decades: far beyond either */

/* All rows of st, each read into `size` bytes by one(); releases st. *ret is the caller's (free). */
static enum lt_err read_list(struct sql_stmt **st, size_t size, void (*one)(struct sql_stmt *st, int tz_min, void *to),
                             int tz_min, const char *what, void *ret, size_t *ret_n, struct lt_error *err)
{
    char *list = NULL;
    size_t n = 0, cap = 0;
    bool row;
    enum lt_err e;
    while ((e = sql_step(*st, &row, err)) == LT_OK && row) {
        if (n == LIST_MAX) {
            e = lt_fail(err, LT_E_LIMIT, NULL, what, "100000", NULL);
            break;
        }
        if (!lt_grow(&list, n, &cap, size)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        one(*st, tz_min, list + n++ * size);
    }
    sql_release(st);
    if (e != LT_OK) {
        free(list);
        return e;
    }
    memcpy(ret, &list, sizeof list);
    *ret_n = n;
    return LT_OK;
}

/* ---- stations ---- */

static const char *const type_names[AIR_STATION_TYPES] = {
    [AIR_NATIONAL] = "national",     [AIR_PROVINCIAL] = "provincial", [AIR_COUNTY] = "county",
    [AIR_TOWNSHIP] = "township",     [AIR_MICRO] = "micro",           [AIR_TRAFFIC] = "traffic",
    [AIR_BACKGROUND] = "background", [AIR_REGIONAL] = "regional"};

static int64_t micro_or_none(struct sql_stmt *st, int col)
{
    return sql_col_null(st, col) ? LT_FIX_NONE : sql_col_i64(st, col);
}

static void read_station(struct sql_stmt *st, int tz_min, void *to)
{
    struct air_station *s = to;
    struct lt_slice type = sql_col_text(st, 5);
    *s = (struct air_station){.id = sql_col_i64(st, 0),
                              .territory = sql_col_i64(st, 4),
                              .evaluated = sql_col_i64(st, 6) != 0,
                              .lon = micro_or_none(st, 8),
                              .lat = micro_or_none(st, 9),
                              .opened = sql_col_null(st, 10) ? INT32_MIN : air_day_of(sql_col_i64(st, 10), tz_min),
                              .closed = sql_col_null(st, 11) ? INT32_MAX : air_day_of(sql_col_i64(st, 11), tz_min)};
    lt_text_copy_slice(s->code, sizeof s->code, sql_col_text(st, 1));
    lt_text_copy_slice(s->name, sizeof s->name, sql_col_text(st, 2));
    lt_text_copy_slice(s->name_en, sizeof s->name_en, sql_col_text(st, 3));
    lt_text_copy_slice(s->mn, sizeof s->mn, sql_col_text(st, 7));
    lt_text_copy_slice(s->units, sizeof s->units, sql_col_text(st, 12));
    for (unsigned t = 0; t < AIR_STATION_TYPES; t++)
        if (lt_slice_is(type, type_names[t]))
            s->type = (enum air_station_type)t;
}

const char *air_station_type_name(enum air_station_type t)
{
    return (unsigned)t < AIR_STATION_TYPES ? type_names[t] : "";
}

enum lt_err air_stations(struct sql_db *db, int tz_min, struct air_station **ret, size_t *ret_n, struct lt_error *err)
{
    struct sql_stmt *st;
    enum lt_err e = sql_prepare(db,
                                "SELECT id, code, name, name_en, territory, type, evaluated, mn, lon, lat, opened,"
                                " closed, units FROM station WHERE deleted = 0 ORDER BY id",
                                &st, err);
    return e != LT_OK ? e : read_list(&st, sizeof **ret, read_station, tz_min, "stations", ret, ret_n, err);
}

/* ---- events ---- */

/* "6-15, 20" to bits; the record's form was checked. Nothing named: all. */
static uint32_t hour_bits(struct lt_slice s)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < s.n;) {
        int64_t a = 0, b;
        size_t from = i;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && a < 100; i++)
            a = a * 10 + (s.p[i] - '0');
        bool any = i > from;
        b = a;
        if (any && i < s.n && s.p[i] == '-')
            for (b = 0, i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && b < 100; i++)
                b = b * 10 + (s.p[i] - '0');
        for (int64_t h = a; any && h <= b && h < 24; h++)
            bits |= UINT32_C(1) << h;
        if (!any)
            i++;
    }
    return bits ? bits : 0xffffff;
}

static void read_event(struct sql_stmt *st, int tz_min, void *to)
{
    struct air_event *e = to;
    *e = (struct air_event){.id = sql_col_i64(st, 0),
                            .territory = sql_col_i64(st, 1),
                            .from = air_day_of(sql_col_i64(st, 2), tz_min),
                            .to = air_day_of(sql_col_i64(st, 3), tz_min),
                            .hours = hour_bits(sql_col_text(st, 4)),
                            .strip_pm = sql_col_i64(st, 5) != 0,
                            .recompute_aqi = sql_col_i64(st, 6) != 0};
    lt_text_copy_slice(e->type, sizeof e->type, sql_col_text(st, 7));
}

enum lt_err air_events(struct sql_db *db, int tz_min, int32_t from, int32_t to, struct air_event **ret, size_t *ret_n,
                       struct lt_error *err)
{
    struct sql_stmt *st;
    enum lt_err e = sql_prepare(db,
                                "SELECT id, territory, day_from, day_to, hours, strip_pm, recompute_aqi, type FROM"
                                " air_event WHERE deleted = 0 AND day_from < ?2 AND day_to >= ?1 ORDER BY day_from, id",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, air_day_start(from, tz_min));
    sql_bind_i64(st, 2, air_day_start(to + 1, tz_min));
    return read_list(&st, sizeof **ret, read_event, tz_min, "air_event", ret, ret_n, err);
}

/* ---- the trail ---- */

static int32_t value_of(struct sql_stmt *st, int col)
{
    int64_t v = sql_col_i64(st, col);
    return sql_col_null(st, col) || v <= INT32_MIN || v > INT32_MAX ? AIR_NONE : (int32_t)v;
}

static void read_change(struct sql_stmt *st, int tz_min, struct air_change *c)
{
    *c = (struct air_change){.id = sql_col_i64(st, 0),
                             .version = sql_col_i64(st, 1),
                             .station = sql_col_i64(st, 2),
                             .at_ms = sql_col_i64(st, 3) * LT_HOUR_MS - tz_min * LT_MIN_MS,
                             .item = (enum air_item)(sql_col_i64(st, 4) % AIR_ITEMS),
                             .old_value = value_of(st, 5),
                             .new_value = value_of(st, 6),
                             .old_state = (uint8_t)sql_col_i64(st, 7),
                             .new_state = (uint8_t)sql_col_i64(st, 8),
                             .old_source = (uint8_t)sql_col_i64(st, 9),
                             .new_source = (uint8_t)sql_col_i64(st, 10),
                             .refused = (enum air_refusal)(sql_col_i64(st, 11) % 3),
                             .review = sql_col_i64(st, 12),
                             .made_at_ms = sql_col_i64(st, 13)};
    lt_text_copy_slice(c->author, sizeof c->author, sql_col_text(st, 14));
    lt_text_copy_slice(c->reason, sizeof c->reason, sql_col_text(st, 15));
}

#define TRAIL_COLUMNS                                                                                                  \
    "SELECT c.id, c.version, c.station, c.slot, c.item, c.old_value, c.new_value, c.old_state, c.new_state,"           \
    " c.old_source, c.new_source, c.refused, c.review, v.made_at_ms, v.author, v.reason FROM air_change c"             \
    " JOIN air_version v ON v.version = c.version WHERE "

enum lt_err air_trail(struct sql_db *db, const struct air_trail *q,
                      bool (*each)(void *user, const struct air_change *c), void *user, struct lt_error *err)
{
    struct sql_stmt *st;
    bool row;
    enum lt_err e = sql_prepare(db,
                                q->station ? TRAIL_COLUMNS "c.station = ?1 AND c.slot >= ?2 AND c.slot < ?3 AND"
                                                           " (?4 < 0 OR (c.refused <> 0) = ?4) AND c.id < ?5"
                                                           " ORDER BY c.id DESC LIMIT ?6"
                                           : TRAIL_COLUMNS "c.slot >= ?2 AND c.slot < ?3 AND"
                                                           " (?4 < 0 OR (c.refused <> 0) = ?4) AND c.id < ?5"
                                                           " ORDER BY c.id DESC LIMIT ?6",
                                &st, err);
    if (e != LT_OK)
        return e;
    if (q->station)
        sql_bind_i64(st, 1, q->station);
    sql_bind_i64(st, 2, (q->from_ms + q->tz_min * LT_MIN_MS) / LT_HOUR_MS);
    sql_bind_i64(st, 3, q->to_ms == INT64_MAX ? INT64_MAX : (q->to_ms + q->tz_min * LT_MIN_MS) / LT_HOUR_MS);
    sql_bind_i64(st, 4, q->refused);
    sql_bind_i64(st, 5, q->before ? q->before : INT64_MAX);
    sql_bind_i64(st, 6, q->most);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        struct air_change c;
        read_change(st, q->tz_min, &c);
        if (!each(user, &c))
            break;
    }
    sql_release(&st);
    return e;
}
