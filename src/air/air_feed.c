/* Hour values of HJ 212 air stations (ST=21, 22) from the engine into the store. Idempotent: what was taken over before
 * is equal and changes nothing, so the window may overlap and the cursor may be lost. */
#include "air/air_import_priv.h"
#include "air/air_priv.h"
#include "base/clock.h"
#include "engine/values.h"
#include "hj212/hj212.h"
#include "series/series.h"

#include <stdlib.h>

#define DEEP_MS   (35 * LT_DAY_MS)  /* what first comes later than the window: a line was down for weeks, once a day */
#define WINDOW_MS (72 * LT_HOUR_MS) /* loggers send late what a line or a post was down for: three days */
#define SHORT_MS  (3 * LT_HOUR_MS)
#define LONG_MS   LT_HOUR_MS /* the whole window again once an hour */
#define PUT_ROWS  50000 /* rows gathered before they are put: 700 stations x 72 hours, 60 stations x 35 days, 4 MiB */
#define ROWS_MAX  (1u << 20) /* of one station, on top of those: a century of hours */

struct air_feed {
    int64_t change_id; /* in value_version */
    int64_t next_long_ms, next_deep_ms;
    bool began;
};

struct air_feed *air_feed_create(void)
{
    return calloc(1, sizeof(struct air_feed));
}

void air_feed_destroy(struct air_feed **f)
{
    free(*f);
    *f = NULL;
}

/* ---- units ---- */

/* Factor to item; what a sent value is multiplied with (num / den), per unit profile of the station. PM stands in ng/m³
 * in Table B.2, but every station sends µg/m³ or mg/m³, which is what the profiles say. */
static const struct factor {
    const char *code;
    enum air_item item;
    int64_t hj212, ug, mg; /* multiplier, negative: divisor */
} factors[] = {
    {"a34004", AIR_PM25, 1, 1, 1000},   {"a34002", AIR_PM10, 1, 1, 1000}, {"a21026", AIR_SO2, 1000, 1, 1000},
    {"a21004", AIR_NO2, 1000, 1, 1000}, {"a21005", AIR_CO, 1, 1, 1},      {"a05024", AIR_O3, 1, 1, 1000},
    {"a01001", AIR_TEMP, 1, 1, 1},      {"a01002", AIR_RH, 1, 1, 1},      {"a01006", AIR_PRES, 10, 10, 10}, /* kPa */
    {"a01007", AIR_WS, 1, 1, 1},        {"a01008", AIR_WD, 1, 1, 1},
};

static const struct factor *factor_of(const char *code)
{
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
        if (strcmp(factors[i].code, code) == 0)
            return &factors[i];
    return NULL;
}

bool air_feed_value(const char *factor, const char *units, int64_t fix, enum air_item *ret_item, int32_t *ret_value)
{
    const struct factor *f = factor_of(factor);
    int64_t v;
    if (!f || fix == LT_FIX_NONE)
        return false;
    int64_t by = strcmp(units, "ug") == 0 ? f->ug : strcmp(units, "mg") == 0 ? f->mg : f->hj212;
    if (!lt_fix_mul(fix, by * LT_FIX_ONE, &v))
        return false;
    *ret_item = f->item;
    return air_value_from_fix(f->item, v, ret_value);
}

/* ---- rows ---- */

struct taking {
    struct series *series;
    const struct air_station *station;
    struct air_row *rows;
    size_t n, cap;
    bool failed, changed;
    struct sql_db *db;
    int64_t now_ms;
    int tz_min;
};

static bool invalid_cell(unsigned field, int64_t value)
{
    return (field == SERIES_F_STATE && !(value & VALUES_S_VALID)) ||
           (field == HJ212_F_FLAG && !values_mark_normal(value));
}

static bool on_hour(void *user, const struct series_row *row)
{
    struct taking *t = user;
    bool any = false;
    if (t->n == ROWS_MAX || !lt_grow(&t->rows, t->n, &t->cap, sizeof *t->rows)) {
        t->failed = true;
        return false;
    }
    struct air_row *r = &t->rows[t->n];
    *r = (struct air_row){.station = t->station->id, .at_ms = row->at_ms};
    for (int i = 0; i < AIR_ITEMS; i++)
        r->value[i] = AIR_NONE;
    for (uint32_t i = 0; i < row->n; i++) {
        char code[17];
        unsigned field;
        enum air_item item;
        int32_t v;
        if (!series_column_name(t->series, row->cells[i].column, code, &field))
            continue;
        const struct factor *f = factor_of(code);
        if (f && invalid_cell(field, row->cells[i].value))
            r->invalid |= (uint16_t)(1u << f->item);
        else if (f && field == HJ212_F_AVG && air_feed_value(code, t->station->units, row->cells[i].value, &item, &v)) {
            r->value[item] = v;
            any = true;
        }
    }
    t->n += any;
    return true;
}

static enum lt_err device_of(struct sql_db *db, const char *mn, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st;
    bool row;
    *ret = 0;
    enum lt_err e = sql_prepare(db, "SELECT id FROM device WHERE mn = ?1 AND deleted = 0", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, mn);
    e = sql_step(st, &row, err);
    if (e == LT_OK && row)
        *ret = sql_col_i64(st, 0);
    sql_release(&st);
    return e;
}

struct since { /* a device's first hour that changed */
    int64_t device, from_ms;
};

/* What changed after the cursor, by device; moves the cursor. An hour may be years old: a logger gives back what it had
 * kept, or an analyst replays. *ret is the caller's. */
static enum lt_err changed_since(struct air_feed *f, struct sql_db *db, struct since **ret, size_t *ret_n,
                                 struct lt_error *err)
{
    struct sql_stmt *st;
    int64_t last;
    size_t cap = 0;
    bool row;
    *ret = NULL;
    *ret_n = 0;
    enum lt_err e = sql_get_i64(db, "SELECT coalesce(max(id), 0) FROM value_version", NULL, &last, err);
    if (e != LT_OK || last == f->change_id)
        return e;
    e = sql_prepare(db,
                    "SELECT device, min(period_at_ms) FROM value_version WHERE id > ?1 AND id <= ?2 AND kind = 'hour'"
                    " AND +device IN (SELECT d.id FROM device d JOIN station s ON s.mn = d.mn AND s.deleted = 0)"
                    " GROUP BY device ORDER BY device", /* "+": by id, not all versions a device ever had */
                    &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, f->change_id);
    sql_bind_i64(st, 2, last);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(ret, *ret_n, &cap, sizeof **ret)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        (*ret)[(*ret_n)++] = (struct since){sql_col_i64(st, 0), sql_col_i64(st, 1)};
    }
    sql_release(&st);
    if (e == LT_OK)
        f->change_id = last;
    return e;
}

static int by_device(const void *a, const void *b)
{
    const struct since *x = a, *y = b;
    return (x->device > y->device) - (x->device < y->device);
}

static enum lt_err put(struct taking *t, struct lt_error *err)
{
    struct air_put_result res = {0};
    struct air_batch_info info = {
        .source = AIR_SRC_DEVICE, .author = "HJ 212", .reason = "HJ 212", .now_ms = t->now_ms, .tz_min = t->tz_min};
    if (t->failed)
        return lt_fail(err, LT_E_LIMIT, NULL, "air feed", "1048576", NULL);
    enum lt_err e = t->n ? air_put(t->db, &info, t->rows, t->n, &res, err) : LT_OK;
    t->n = 0;
    t->changed |= e == LT_OK && res.version > 0;
    return e;
}

static enum lt_err collect(struct taking *t, const struct air_station *s, size_t n, const struct since *since,
                           size_t n_since, int64_t from_ms, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < n; i++) {
        struct since key = {0};
        if (!s[i].mn[0])
            continue;
        t->station = &s[i];
        e = device_of(t->db, s[i].mn, &key.device, err);
        const struct since *own = n_since ? bsearch(&key, since, n_since, sizeof key, by_device) : NULL;
        int64_t from = own && own->from_ms < from_ms ? own->from_ms : from_ms;
        if (e == LT_OK && key.device > 0 && key.device <= UINT32_MAX)
            e = series_read(t->series, (uint32_t)key.device, SERIES_HOUR, from, t->now_ms + 1, on_hour, t, err);
        if (e == LT_E_CORRUPT) /* a damaged chunk of one device is the series' matter, not the others' */
            e = LT_OK;
        if (e == LT_OK && (t->n >= PUT_ROWS || t->failed))
            e = put(t, err);
    }
    return e == LT_OK ? put(t, err) : e;
}

enum lt_err air_feed_run(struct air_feed *f, struct sql_db *db, struct series *series, int64_t now_ms, int tz_min,
                         bool *ret_changed, struct lt_error *err)
{
    struct air_station *s = NULL;
    size_t n = 0;
    bool whole = !f->began || now_ms >= f->next_long_ms, deep = !f->began || now_ms >= f->next_deep_ms;
    int64_t from_ms = lt_hour_start(now_ms - (deep    ? DEEP_MS
                                              : whole ? WINDOW_MS
                                                      : SHORT_MS),
                                    tz_min),
            cursor = f->change_id;
    struct taking t = {.series = series, .db = db, .now_ms = now_ms, .tz_min = tz_min};
    struct since *since = NULL;
    size_t n_since = 0;
    *ret_changed = false;
    enum lt_err e = air_stations(db, tz_min, &s, &n, err);
    if (e == LT_OK && f->began)
        e = changed_since(f, db, &since, &n_since, err);
    else if (e == LT_OK)
        e = sql_get_i64(db, "SELECT coalesce(max(id), 0) FROM value_version", NULL, &f->change_id, err);
    if (e == LT_OK)
        e = collect(&t, s, n, since, n_since, from_ms, err);
    *ret_changed = t.changed;
    if (e == LT_OK) {
        f->began = true;
        if (whole)
            f->next_long_ms = now_ms + LONG_MS;
        if (deep)
            f->next_deep_ms = now_ms + LT_DAY_MS;
    } else {
        f->change_id = cursor; /* again next time */
    }
    free(since);
    free(t.rows);
    free(s);
    return e;
}
