/* Routes of air data: what stations measured, how it changed, what is missing; import, push, undo, review. */
#include "air/air_import.h"
#include "api/api_air.h"
#include "base/text.h"
#include "flow/flow.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define RANGE_MAX_MS   (400 * LT_DAY_MS) /* a year with its months at both ends */
#define NOW_HOURS      6                 /* older than that is not "now" any more */
#define GAP_DAYS_MAX   100000            /* station-days of one answer: 0.3 s */
#define GAPS_SHOWN     50
#define PUSH_BODY      (4u << 20) /* 20,000 rows of 200 bytes; as the route says */
#define TRAIL_SCAN_MAX 20000      /* rows looked through for those one may see */

/* ---- stations one may see ---- */

struct seen {
    struct air_station *s;
    size_t n;
    struct topo *topo;
};

static void seen_fini(struct seen *v)
{
    free(v->s);
    if (v->topo)
        topo_unref(v->topo);
    *v = (struct seen){0};
}

static bool within(const struct topo *t, int64_t territory, int64_t above)
{
    for (int depth = 0; territory && depth < 16; depth++) {
        if (territory == above)
            return true;
        const struct topo_territory *x = topo_territory(t, territory);
        territory = x ? x->parent : 0;
    }
    return false;
}

/* Those he may see, of a territory and what is below it (0: all), by id. */
static enum lt_err seen_stations(struct api_call *c, int64_t territory, struct seen *ret, struct lt_error *err)
{
    *ret = (struct seen){.topo = desk_topo(c->a)};
    enum lt_err e = air_stations(c->t->db, c->x.tz_min, &ret->s, &ret->n, err);
    size_t n = 0;
    for (size_t i = 0; e == LT_OK && i < ret->n; i++)
        if (topo_sees(ret->topo, &c->who, ret->s[i].territory, 0) &&
            (!territory || within(ret->topo, ret->s[i].territory, territory)))
            ret->s[n++] = ret->s[i];
    ret->n = n;
    if (e != LT_OK)
        seen_fini(ret);
    return e;
}

static const struct air_station *seen_find(const struct seen *v, int64_t id)
{
    size_t lo = 0, hi = v->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v->s[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < v->n && v->s[lo].id == id ? &v->s[lo] : NULL;
}

static enum lt_err one_station(struct api_call *c, int64_t id, struct seen *ret, const struct air_station **ret_s,
                               struct lt_error *err)
{
    char text[24];
    enum lt_err e = seen_stations(c, 0, ret, err);
    if (e != LT_OK)
        return e;
    *ret_s = seen_find(ret, id);
    if (*ret_s)
        return LT_OK;
    seen_fini(ret);
    snprintf(text, sizeof text, "%lld", (long long)id);
    return lt_fail(err, LT_E_NOT_FOUND, NULL, "station", text, NULL);
}

static const char *station_name(const struct api_call *c, const struct air_station *s)
{
    return c->who.lang == LT_EN && s->name_en[0] ? s->name_en : s->name;
}

/* ---- values as JSON ---- */

static const char *state_name(uint8_t s)
{
    return s & AIR_INVALID     ? "invalid"
           : s & AIR_CORRECTED ? "corrected"
           : s & AIR_REVIEWED  ? "reviewed"
                               : "preliminary";
}

static void put_values(struct jsonw *w, const struct air_block *b, int hour, int from, int to)
{
    jsonw_object(w);
    for (int i = from; i < to; i++) {
        bool use = b && b->value[hour][i] != AIR_NONE && !(b->state[hour][i] & AIR_INVALID);
        jsonw_kfix(w, air_item_name((enum air_item)i),
                   use ? air_value_fix((enum air_item)i, b->value[hour][i]) : LT_FIX_NONE);
    }
    jsonw_object_end(w);
}

static void index_of(const struct air_block *b, int hour, int64_t at_ms, int tz_min,
                     const struct airq_scale **ret_scale, struct airq_result *ret)
{
    struct airq_input in = {.so2_24h = AIRQ_NONE, .o3_1h = AIRQ_NONE};
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        bool use = b->value[hour][i] != AIR_NONE && !(b->state[hour][i] & AIR_INVALID);
        in.conc[i] = use ? air_value_fix((enum air_item)i, b->value[hour][i]) : AIRQ_NONE;
    }
    *ret_scale = airq_scale_on(lt_day_number(at_ms, tz_min));
    airq_index(*ret_scale, AIRQ_HOUR, &in, ret);
}

static void put_index(struct jsonw *w, const struct airq_scale *s, const struct airq_result *r, bool micro,
                      enum lt_lang lang)
{
    char color[8] = "";
    jsonw_key(w, "iaqi");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        if (r->iaqi[i] == AIRQ_NA)
            jsonw_knull(w, air_item_name((enum air_item)i));
        else
            jsonw_ki64(w, air_item_name((enum air_item)i), r->iaqi[i]);
    jsonw_object_end(w);
    if (r->aqi == AIRQ_NA)
        jsonw_knull(w, "aqi");
    else
        jsonw_ki64(w, "aqi", r->aqi);
    jsonw_ki64(w, "level", r->level);
    jsonw_kstr(w, "category", airq_level_name(s, r->level, lang == LT_EN));
    if (r->level && !micro) /* micro-stations are never shown in the colours of the standard */
        snprintf(color, sizeof color, "#%06X", (unsigned)(airq_level_rgb(s, r->level) & 0xffffff));
    jsonw_kstr(w, "color", color[0] ? color : NULL);
    jsonw_key(w, "primary");
    jsonw_array(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        if (r->primary >> i & 1)
            jsonw_str(w, air_item_name((enum air_item)i));
    jsonw_array_end(w);
}

/* ---- now, and any past hour ---- */

struct block_of_day {
    struct air_block b;
    bool have;
};

static bool keep_block(void *user, int32_t day, const struct air_block *b)
{
    struct block_of_day *k = user;
    k->b = *b;
    k->have = true;
    return true;
}

static bool any_value(const struct air_block *b, int hour)
{
    for (int i = 0; i < AIR_ITEMS; i++)
        if (b->value[hour][i] != AIR_NONE)
            return true;
    return false;
}

/* The latest hour with values in (at - hours, at]; *ret_at 0: none. */
static enum lt_err latest(struct api_call *c, int64_t station, int64_t at_ms, int hours, struct block_of_day *k,
                          int *ret_hour, int64_t *ret_at, struct lt_error *err)
{
    int32_t loaded = INT32_MIN;
    enum lt_err e = LT_OK;
    *ret_at = 0;
    for (int i = 0; e == LT_OK && i < hours && !*ret_at; i++) {
        int64_t at = at_ms - i * LT_HOUR_MS;
        int32_t day = air_day_of(at, c->x.tz_min);
        int hour = (int)((at - air_day_start(day, c->x.tz_min)) / LT_HOUR_MS);
        if (day != loaded) {
            k->have = false;
            e = air_blocks(c->t->db, station, day, day, 0, keep_block, k, err);
            loaded = day;
        }
        if (e == LT_OK && k->have && any_value(&k->b, hour)) {
            *ret_hour = hour;
            *ret_at = at;
        }
    }
    return e;
}

static void put_station(struct api_call *c, const struct seen *v, const struct air_station *s)
{
    struct jsonw *w = &c->w;
    const struct topo_territory *t = topo_territory(v->topo, s->territory);
    jsonw_ki64(w, "id", s->id);
    jsonw_kstr(w, "code", s->code);
    jsonw_kstr(w, "name", s->name);
    jsonw_kstr(w, "name_en", s->name_en);
    jsonw_kstr(w, "type", air_station_type_name(s->type));
    jsonw_kbool(w, "evaluated", s->evaluated);
    jsonw_kbool(w, "national", s->type == AIR_NATIONAL);
    jsonw_kbool(w, "micro", s->type == AIR_MICRO);
    jsonw_ki64(w, "territory", s->territory);
    jsonw_kstr(w, "territory_name",
               !t                                                    ? ""
               : c->who.lang == LT_EN && t->name_en && t->name_en[0] ? t->name_en
                                                                     : t->name);
    jsonw_kfix(w, "lon", s->lon);
    jsonw_kfix(w, "lat", s->lat);
}

static void put_hour(struct api_call *c, const struct air_station *s, const struct air_block *b, int hour, int64_t at,
                     int64_t asked)
{
    struct jsonw *w = &c->w;
    const struct airq_scale *scale;
    struct airq_result r;
    bool reviewed = true, any = false;
    jsonw_ktime(w, "hour", at, c->x.tz_min);
    jsonw_ki64(w, "age_h", (asked - at) / LT_HOUR_MS);
    jsonw_key(w, "values");
    put_values(w, b, hour, 0, AIRQ_POLLUTANTS);
    jsonw_key(w, "weather");
    put_values(w, b, hour, AIRQ_POLLUTANTS, AIR_ITEMS);
    jsonw_key(w, "states");
    jsonw_object(w);
    for (int i = 0; i < AIR_ITEMS; i++)
        if (b->value[hour][i] != AIR_NONE) {
            jsonw_kstr(w, air_item_name((enum air_item)i), state_name(b->state[hour][i]));
            reviewed = reviewed && (i >= AIRQ_POLLUTANTS || (b->state[hour][i] & AIR_REVIEWED));
            any = any || i < AIRQ_POLLUTANTS;
        }
    jsonw_object_end(w);
    jsonw_kbool(w, "reviewed", reviewed && any);
    index_of(b, hour, at, c->x.tz_min, &scale, &r);
    put_index(w, scale, &r, s->type == AIR_MICRO, c->who.lang);
}

static void put_no_hour(struct jsonw *w)
{
    static const char *const nothing[] = {"hour", "age_h", "aqi", "color"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        jsonw_knull(w, nothing[i]);
    jsonw_key(w, "values");
    put_values(w, NULL, 0, 0, AIRQ_POLLUTANTS);
    jsonw_key(w, "weather");
    put_values(w, NULL, 0, AIRQ_POLLUTANTS, AIR_ITEMS);
    static const char *const empty[] = {"states", "iaqi"};
    for (size_t i = 0; i < 2; i++) {
        jsonw_key(w, empty[i]);
        jsonw_object(w);
        jsonw_object_end(w);
    }
    jsonw_kbool(w, "reviewed", false);
    jsonw_ki64(w, "level", 0);
    jsonw_kstr(w, "category", "");
    jsonw_key(w, "primary");
    jsonw_array(w);
    jsonw_array_end(w);
}

/* Latest hour any of the national and other stations has, so that all are compared at one time. */
HANDLER(air_now_get)
{
    int64_t at = 0, territory = 0, version;
    struct seen v;
    enum lt_err e = api_query_time(c, "at", &at, err);
    if (e || (e = api_query_i64(c, "territory", 1, INT64_MAX, &territory, err)) ||
        (e = air_version(c->t->db, &version, err)) || (e = seen_stations(c, territory, &v, err)))
        return e;
    bool asked = at != 0;
    int64_t hour_ms = lt_hour_start(asked ? at : c->now_ms, c->x.tz_min), newest = 0;
    struct jsonw *w = &c->w;
    jsonw_object(w);
    jsonw_ki64(w, "version", version);
    jsonw_ktime(w, "at", asked ? at : c->now_ms, c->x.tz_min);
    jsonw_kstr(w, "standard", airq_scale_standard(airq_scale_on(lt_day_number(hour_ms, c->x.tz_min))));
    jsonw_key(w, "stations");
    jsonw_array(w);
    for (size_t i = 0; e == LT_OK && i < v.n; i++) {
        struct block_of_day k;
        int hour = 0;
        int64_t found;
        e = latest(c, v.s[i].id, hour_ms, asked ? 1 : NOW_HOURS, &k, &hour, &found, err);
        if (e != LT_OK)
            break;
        newest = found > newest ? found : newest;
        jsonw_object(w);
        put_station(c, &v, &v.s[i]);
        if (found)
            put_hour(c, &v.s[i], &k.b, hour, found, hour_ms);
        else
            put_no_hour(w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_ktime(w, "hour", newest, c->x.tz_min);
    jsonw_object_end(w);
    seen_fini(&v);
    return e;
}

/* A version that is not there yet is no version. */
static enum lt_err version_there(int64_t version, int64_t now, struct lt_error *err)
{
    char text[24];
    if (version <= now)
        return LT_OK;
    snprintf(text, sizeof text, "%lld", (long long)version);
    return lt_fail(err, LT_E_NOT_FOUND, "version", "version", text, NULL);
}

/* ---- hours of a station ---- */

struct hours {
    struct api_call *c;
    int64_t from_ms, to_ms;
};

static bool put_hours(void *user, int32_t day, const struct air_block *b)
{
    struct hours *x = user;
    struct jsonw *w = &x->c->w;
    for (int h = 0; h < 24; h++) {
        int64_t at = air_day_start(day, x->c->x.tz_min) + h * LT_HOUR_MS;
        const struct airq_scale *scale;
        struct airq_result r;
        if (!b->arrived[h] || at < x->from_ms || at >= x->to_ms)
            continue;
        jsonw_array(w);
        jsonw_time(w, at, x->c->x.tz_min);
        jsonw_array(w);
        for (int i = 0; i < AIR_ITEMS; i++)
            jsonw_fix(w, air_value_fix((enum air_item)i, b->value[h][i]));
        jsonw_array_end(w);
        jsonw_array(w);
        for (int i = 0; i < AIR_ITEMS; i++)
            jsonw_i64(w, b->state[h][i]);
        jsonw_array_end(w);
        index_of(b, h, at, x->c->x.tz_min, &scale, &r);
        if (r.aqi == AIRQ_NA)
            jsonw_null(w);
        else
            jsonw_i64(w, r.aqi);
        jsonw_array_end(w);
    }
    return true;
}

static enum lt_err range_of(struct api_call *c, int64_t *from, int64_t *to, int64_t dflt_ms, struct lt_error *err)
{
    *to = c->now_ms;
    enum lt_err e = api_query_time(c, "to", to, err);
    *from = *to - dflt_ms;
    if (!e)
        e = api_query_time(c, "from", from, err);
    if (!e && (*to < *from || *to - *from > RANGE_MAX_MS))
        e = lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "from + 400 d");
    return e;
}

HANDLER(air_hours_get)
{
    int64_t id, version = 0, now;
    struct hours x = {.c = c};
    struct seen v;
    const struct air_station *s;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = range_of(c, &x.from_ms, &x.to_ms, LT_DAY_MS, err)) ||
        (e = api_query_i64(c, "version", 1, UINT32_MAX, &version, err)) || (e = air_version(c->t->db, &now, err)) ||
        (e = version_there(version, now, err)) || (e = one_station(c, id, &v, &s, err)))
        return e;
    struct jsonw *w = &c->w;
    jsonw_object(w);
    jsonw_ki64(w, "version", version ? version : now);
    jsonw_key(w, "station");
    jsonw_object(w);
    put_station(c, &v, s);
    jsonw_object_end(w);
    jsonw_key(w, "items");
    jsonw_array(w);
    for (int i = 0; i < AIR_ITEMS; i++)
        jsonw_str(w, air_item_name((enum air_item)i));
    jsonw_array_end(w);
    jsonw_key(w, "rows");
    jsonw_array(w);
    if (x.to_ms > x.from_ms)
        e = air_blocks(c->t->db, id, air_day_of(x.from_ms, c->x.tz_min), air_day_of(x.to_ms - 1, c->x.tz_min), version,
                       put_hours, &x, err);
    jsonw_array_end(w);
    jsonw_object_end(w);
    seen_fini(&v);
    return e;
}

/* ---- the trail ---- */

struct trail {
    struct api_call *c;
    const struct seen *v;
    int64_t limit, n, last;
    unsigned scanned;
};

static void put_side(struct jsonw *w, const char *value, const char *state, const char *source, enum air_item item,
                     int32_t v, uint8_t s, uint8_t from)
{
    jsonw_kfix(w, value, air_value_fix(item, v));
    jsonw_kstr(w, state, v == AIR_NONE ? NULL : state_name(s));
    jsonw_kstr(w, source, air_source_name((enum air_source)from));
}

/* A correction goes through two hands; both have names. */
static void put_hands(struct sql_db *db, struct jsonw *w, int64_t review)
{
    struct sql_stmt *st = NULL;
    struct lt_error err = {0};
    bool row = false;
    enum lt_err e = !review ? LT_E_NOT_FOUND
                            : sql_prepare(db,
                                          "SELECT a.name, d.name FROM air_review r LEFT JOIN user a ON a.id = r.author"
                                          " LEFT JOIN user d ON d.id = r.reviewer WHERE r.id = ?1",
                                          &st, &err);
    if (e == LT_OK) {
        sql_bind_i64(st, 1, review);
        e = sql_step(st, &row, &err);
    }
    row = e == LT_OK && row;
    jsonw_kslice(w, "proposed_by", row ? sql_col_text(st, 0) : LT_LIT(""));
    jsonw_kslice(w, "decided_by", row ? sql_col_text(st, 1) : LT_LIT(""));
    sql_release(&st);
}

static bool put_change(void *user, const struct air_change *k)
{
    static const char *const refusals[] = {NULL, "reviewed", "rank"};
    struct trail *t = user;
    struct jsonw *w = &t->c->w;
    const struct air_station *s = seen_find(t->v, k->station);
    t->last = k->id;
    t->scanned++;
    if (!s)
        return true;
    jsonw_object(w);
    jsonw_ki64(w, "id", k->id);
    jsonw_ki64(w, "version", k->version);
    jsonw_ki64(w, "station", k->station);
    jsonw_kstr(w, "station_name", station_name(t->c, s));
    jsonw_ktime(w, "at", k->at_ms, t->c->x.tz_min);
    jsonw_kstr(w, "item", air_item_name(k->item));
    put_side(w, "old", "old_state", "old_source", k->item, k->old_value, k->old_state, k->old_source);
    put_side(w, "new", "new_state", "new_source", k->item, k->new_value, k->new_state, k->new_source);
    jsonw_kstr(w, "refused", refusals[k->refused]);
    jsonw_kstr(w, "author", k->author);
    put_hands(t->c->t->db, w, k->review);
    jsonw_kstr(w, "reason", k->reason);
    if (k->review)
        jsonw_ki64(w, "review", k->review);
    else
        jsonw_knull(w, "review");
    jsonw_ktime(w, "made_at", k->made_at_ms, t->c->x.tz_min);
    jsonw_object_end(w);
    return ++t->n < t->limit;
}

HANDLER(air_changes_get)
{
    struct air_trail q = {.tz_min = c->x.tz_min, .refused = -1, .to_ms = INT64_MAX, .most = TRAIL_SCAN_MAX};
    struct seen v;
    struct trail t = {.c = c, .v = &v, .limit = 100};
    int64_t refused = -1, version;
    enum lt_err e = api_query_i64(c, "station", 1, INT64_MAX, &q.station, err);
    if (e || (e = api_query_time(c, "from", &q.from_ms, err)) || (e = api_query_time(c, "to", &q.to_ms, err)) ||
        (e = api_query_i64(c, "refused", 0, 1, &refused, err)) ||
        (e = api_query_i64(c, "before", 1, INT64_MAX, &q.before, err)) ||
        (e = api_query_i64(c, "limit", 1, 500, &t.limit, err)) || (e = air_version(c->t->db, &version, err)) ||
        (e = seen_stations(c, 0, &v, err)))
        return e;
    q.refused = (int)refused;
    jsonw_object(&c->w);
    jsonw_ki64(&c->w, "version", version);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    e = air_trail(c->t->db, &q, put_change, &t, err);
    jsonw_array_end(&c->w);
    if (t.n == t.limit || t.scanned == TRAIL_SCAN_MAX) /* what was looked through in vain is no end */
        jsonw_ki64(&c->w, "next", t.last);
    else
        jsonw_knull(&c->w, "next");
    jsonw_object_end(&c->w);
    seen_fini(&v);
    return e;
}

/* May he know who made a version and why? Those who see one of its stations may. */
static bool sees_version(const struct api_call *c, const struct seen *v, struct lt_slice stations)
{
    int64_t id;
    if (c->who.everywhere)
        return true;
    if (stations.n < sizeof id) /* many, or refusals only: of nobody in particular */
        return !c->who.enterprise && v->n > 0;
    for (size_t i = 0; i + sizeof id <= stations.n; i += sizeof id) {
        memcpy(&id, stations.p + i, sizeof id);
        if (seen_find(v, id))
            return true;
    }
    return false;
}

static void put_version(struct api_call *c, const struct seen *v, struct sql_stmt *st)
{
    static const char *const numbers[] = {"first", "filled", "replaced", "refused", "stations"};
    char day[16];
    struct jsonw *w = &c->w;
    jsonw_object(w);
    jsonw_ki64(w, "version", sql_col_i64(st, 0));
    jsonw_kstr(w, "source", air_source_name((enum air_source)sql_col_i64(st, 1)));
    bool sees = sees_version(c, v, sql_col_blob(st, 12));
    jsonw_kslice(w, "author", sees ? sql_col_text(st, 2) : LT_LIT(""));
    jsonw_kslice(w, "reason", sees ? sql_col_text(st, 3) : LT_LIT(""));
    jsonw_ktime(w, "made_at", sql_col_i64(st, 4), c->x.tz_min);
    for (int i = 0; i < 5; i++)
        jsonw_ki64(w, numbers[i], sql_col_i64(st, 5 + i));
    for (int i = 0; i < 2; i++) {
        air_day_text((int32_t)sql_col_i64(st, 10 + i), day);
        jsonw_kstr(w, i ? "to" : "from", sql_col_null(st, 10 + i) ? NULL : day);
    }
    jsonw_object_end(w);
}

HANDLER(air_versions_get)
{
    int64_t limit = 50, before = INT64_MAX, n = 0, last = 0, version;
    struct sql_stmt *st;
    struct seen v;
    bool row;
    enum lt_err e = api_query_i64(c, "limit", 1, 500, &limit, err);
    if (e || (e = api_query_i64(c, "before", 1, INT64_MAX, &before, err)) ||
        (e = air_version(c->t->db, &version, err)) || (e = seen_stations(c, 0, &v, err)))
        return e;
    if ((e = sql_prepare(c->t->db,
                         "SELECT version, source, author, reason, made_at_ms, first, filled, replaced, refused,"
                         " n_stations, day_from, day_to, stations FROM air_version WHERE version < ?1 ORDER BY version "
                         "DESC LIMIT ?2",
                         &st, err))) {
        seen_fini(&v);
        return e;
    }
    sql_bind_i64(st, 1, before);
    sql_bind_i64(st, 2, limit);
    jsonw_object(&c->w);
    jsonw_ki64(&c->w, "version", version);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        last = sql_col_i64(st, 0);
        n++;
        put_version(c, &v, st);
    }
    sql_release(&st);
    seen_fini(&v);
    jsonw_array_end(&c->w);
    if (n == limit)
        jsonw_ki64(&c->w, "next", last);
    else
        jsonw_knull(&c->w, "next");
    jsonw_object_end(&c->w);
    return e;
}

/* ---- gaps ---- */

struct gap {
    int64_t from, to; /* hours since 1970, local; end exclusive */
    int item;         /* AIR_ITEMS: all */
};
struct gaps {
    int64_t from, to, at; /* local hours; at: next expected one */
    int64_t missing[AIRQ_POLLUTANTS + 1];
    int64_t open[AIRQ_POLLUTANTS + 1]; /* where a run began, -1 */
    struct gap list[GAPS_SHOWN];
    unsigned n;
};

static void close_gap(struct gaps *g, int i, int64_t end)
{
    if (g->open[i] < 0)
        return;
    struct gap one = {g->open[i], end, i == AIRQ_POLLUTANTS ? AIR_ITEMS : i};
    g->open[i] = -1;
    if (g->n == GAPS_SHOWN && g->list[GAPS_SHOWN - 1].to - g->list[GAPS_SHOWN - 1].from >= one.to - one.from)
        return; /* shorter than all that are kept */
    unsigned at = g->n < GAPS_SHOWN ? g->n++ : GAPS_SHOWN - 1;
    for (; at > 0 && g->list[at - 1].to - g->list[at - 1].from < one.to - one.from; at--)
        g->list[at] = g->list[at - 1];
    g->list[at] = one;
}

/* One hour: has bit per pollutant, or 0. Runs of hours without anything count as "all", not per pollutant. */
static void gap_hour(struct gaps *g, int64_t hour, unsigned has)
{
    for (int i = 0; i <= AIRQ_POLLUTANTS; i++) {
        bool there = i == AIRQ_POLLUTANTS ? has != 0 : has >> i & 1;
        g->missing[i] += !there;
        bool run = i == AIRQ_POLLUTANTS ? !has : !there && has;
        if (!run)
            close_gap(g, i, hour);
        else if (g->open[i] < 0)
            g->open[i] = hour;
    }
}

static bool gap_day(void *user, int32_t day, const struct air_block *b)
{
    struct gaps *g = user;
    for (int h = 0; h < 24; h++) {
        int64_t hour = day * INT64_C(24) + h;
        unsigned has = 0;
        if (hour < g->from || hour >= g->to)
            continue;
        while (g->at < hour)
            gap_hour(g, g->at++, 0);
        for (int i = 0; i < AIRQ_POLLUTANTS; i++)
            has |= (unsigned)(b->value[h][i] != AIR_NONE && !(b->state[h][i] & AIR_INVALID)) << i;
        gap_hour(g, hour, has);
        g->at = hour + 1;
    }
    return true;
}

static void put_gaps(struct api_call *c, const struct air_station *s, const struct gaps *g)
{
    struct jsonw *w = &c->w;
    int64_t due = g->to > g->from ? g->to - g->from : 0, missing = g->missing[AIRQ_POLLUTANTS];
    jsonw_object(w);
    jsonw_ki64(w, "id", s->id);
    jsonw_kstr(w, "code", s->code);
    jsonw_kstr(w, "name", station_name(c, s));
    jsonw_ki64(w, "hours", due);
    jsonw_ki64(w, "missing", missing);
    jsonw_kfix(w, "share_pct",
               due ? lt_fix_round(lt_div_half_even((lt_i128)(due - missing) * 100 * LT_FIX_ONE, due), 1) : LT_FIX_NONE);
    jsonw_key(w, "gaps");
    jsonw_array(w);
    for (unsigned i = 0; i < g->n; i++) {
        int64_t off = c->x.tz_min * LT_MIN_MS;
        jsonw_object(w);
        jsonw_ktime(w, "from", g->list[i].from * LT_HOUR_MS - off, c->x.tz_min);
        jsonw_ktime(w, "to", g->list[i].to * LT_HOUR_MS - off, c->x.tz_min);
        jsonw_ki64(w, "hours", g->list[i].to - g->list[i].from);
        jsonw_kstr(w, "item", g->list[i].item == AIR_ITEMS ? "all" : air_item_name((enum air_item)g->list[i].item));
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "missing_by_item");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        jsonw_ki64(w, air_item_name((enum air_item)i), g->missing[i]);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static enum lt_err station_gaps(struct api_call *c, const struct air_station *s, int32_t from, int32_t to,
                                struct lt_error *err)
{
    struct gaps g = {0};
    int32_t first = 0, last = 0;
    for (int i = 0; i <= AIRQ_POLLUTANTS; i++)
        g.open[i] = -1;
    enum lt_err e = air_span(c->t->db, s->id, &first, &last, err);
    if (e != LT_OK && e != LT_E_NOT_FOUND)
        return e;
    if (s->opened > from)
        from = s->opened;
    else if (e == LT_OK && s->opened == INT32_MIN && first > from) /* nobody says since when: since its first hour */
        from = first;
    to = s->closed <= to ? s->closed - 1 : to;
    int64_t now = (c->now_ms + c->x.tz_min * LT_MIN_MS) / LT_HOUR_MS; /* the hour under way is not due yet */
    g.from = g.at = from * INT64_C(24);
    g.to = (to + INT64_C(1)) * 24 < now ? (to + INT64_C(1)) * 24 : now;
    e = g.to > g.from ? air_blocks(c->t->db, s->id, from, to, 0, gap_day, &g, err) : LT_OK;
    while (e == LT_OK && g.at < g.to)
        gap_hour(&g, g.at++, 0);
    for (int i = 0; i <= AIRQ_POLLUTANTS; i++)
        close_gap(&g, i, g.to);
    if (e == LT_OK)
        put_gaps(c, s, &g);
    return e;
}

HANDLER(air_gaps_get)
{
    int64_t station = 0, version;
    int32_t today = air_day_of(c->now_ms, c->x.tz_min), from = today - 30, to = today;
    struct seen v;
    char text[2][16];
    enum lt_err e = api_query_i64(c, "station", 1, INT64_MAX, &station, err);
    if (e || (e = air_query_day(c, "from", &from, err)) || (e = air_query_day(c, "to", &to, err)) ||
        (e = air_version(c->t->db, &version, err)))
        return e;
    if (to < from || to - from > 400)
        return lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "from + 400 d");
    const struct air_station *one;
    if ((e = station ? one_station(c, station, &v, &one, err) : seen_stations(c, 0, &v, err)))
        return e;
    if (!station && (int64_t)v.n * (to - from + 1) > GAP_DAYS_MAX)
        e = lt_fail(err, LT_E_LIMIT_SIZE, "to", "station-days", "100000", NULL);
    air_day_text(from, text[0]);
    air_day_text(to, text[1]);
    jsonw_object(&c->w);
    jsonw_ki64(&c->w, "version", version);
    jsonw_kstr(&c->w, "from", text[0]);
    jsonw_kstr(&c->w, "to", text[1]);
    jsonw_key(&c->w, "stations");
    jsonw_array(&c->w);
    for (size_t i = 0; e == LT_OK && i < v.n; i++)
        if (!station || v.s[i].id == station)
            e = station_gaps(c, &v.s[i], from, to, err);
    jsonw_array_end(&c->w);
    jsonw_object_end(&c->w);
    seen_fini(&v);
    return e;
}

/* ---- import, push, undo ---- */

/* After a commit: pages and figures hear of it at once; a failure here is made good by the next poll. */
static void tell(struct api_call *c)
{
    struct lt_error ignored;
    if (c->a->deps.air && air_poll(c->a->deps.air, c->t->db, &ignored) != LT_OK)
        return;
}

static enum lt_err import_options(struct api_call *c, struct air_import_options *o, char text[3][256],
                                  struct lt_error *err)
{
    static const char *const names[3] = {"accept", "name", "remember"};
    static const char *const units[] = {"mg", "ug", NULL}, *const labels[] = {"start", "end", NULL};
    static const char *const formats[] = {"csv", "xlsx", "json", "xml", NULL};
    int64_t dry = 0, skip = 0, tz = INT_MIN;
    struct lt_slice format = http_query(c->req, "format");
    *o = (struct air_import_options){.co_ug = -1, .label_end = -1};
    for (int i = 0; i < 3; i++) {
        struct lt_slice s = http_query(c->req, names[i]);
        lt_text_copy_slice(text[i], 256, s.p ? s : LT_LIT(""));
    }
    o->accept = text[0];
    o->name = text[1];
    o->remember = text[2];
    if (format.n && !air_format_find(format, &o->format))
        return api_no_choice("format", format, formats, err);
    enum lt_err e = api_query_i64(c, "dry_run", 0, 1, &dry, err);
    if (e || (e = api_query_i64(c, "skip_unknown", 0, 1, &skip, err)) ||
        (e = api_query_choice(c, "co_unit", units, &o->co_ug, err)) ||
        (e = api_query_choice(c, "hour_label", labels, &o->label_end, err)) ||
        (e = api_query_i64(c, "tz", -720, 840, &tz, err)) ||
        (e = api_query_i64(c, "station", 1, INT64_MAX, &o->station, err)) ||
        (e = api_query_i64(c, "create_in", 1, INT64_MAX, &o->create_in, err)) ||
        (e = api_query_i64(c, "mapping", 1, INT64_MAX, &o->mapping, err)))
        return e;
    o->dry_run = dry != 0;
    o->skip_unknown = skip != 0;
    o->tz_min = (int)tz;
    return LT_OK;
}

HANDLER(air_import_post)
{
    struct air_import_options o;
    struct air_import_report *r = NULL;
    char text[3][256];
    enum lt_err e = import_options(c, &o, text, err);
    if (e || (e = air_import(&c->x, c->req->body, &o, &r, err)))
        return e;
    if (air_import_applied(r))
        tell(c);
    air_import_report_json(r, c->who.lang, c->x.tz_min, &c->w);
    air_import_report_free(&r);
    return LT_OK;
}

HANDLER(air_push_post)
{
    struct air_put_result r = {0};
    struct lt_slice b = c->req->body; /* 20,000 rows are far more than other bodies may have */
    enum lt_err e = jsonr_object(b.n ? b : LT_LIT("{}"), PUSH_BODY, &c->body, err);
    if (e || (e = air_push(&c->x, c->body, &r, &c->faults, err)))
        return e;
    tell(c);
    air_put_json(&r, &c->w);
    return LT_OK;
}

HANDLER(air_undo_post)
{
    static const char *const names[] = {"version", "station", "reason", NULL};
    int64_t version = 0, station = 0, now;
    struct lt_slice reason;
    struct air_put_result r = {0};
    char why[512];
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, names, err)) ||
        (e = jsonr_i64(c->body, "version", true, 0, UINT32_MAX, &version, err)) ||
        (e = jsonr_i64(c->body, "station", false, 1, INT64_MAX, &station, err)) ||
        (e = jsonr_str(c->body, "reason", true, 120, &reason, err)) || (e = air_version(c->t->db, &now, err)) ||
        (e = version_there(version, now, err)))
        return e;
    if (reason.n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "reason", "reason", NULL, NULL);
    struct seen v;
    const struct air_station *s;
    if (station) {
        if ((e = one_station(c, station, &v, &s, err)))
            return e;
        seen_fini(&v);
    } else if (!c->who.everywhere) { /* all stations: only who sees them all */
        size_t all;
        struct air_station *list = NULL;
        if ((e = seen_stations(c, 0, &v, err)))
            return e;
        e = air_stations(c->t->db, c->x.tz_min, &list, &all, err);
        if (!e && all != v.n)
            e = lt_fail(err, LT_E_DENIED_TERRITORY, "station", c->who.lang == LT_EN ? "a station" : "部分站点", NULL,
                        NULL);
        free(list);
        seen_fini(&v);
        if (e)
            return e;
    }
    lt_text_copy_slice(why, sizeof why, reason);
    if ((e = air_undo(&c->x, station, version, why, &r, err)))
        return e;
    tell(c);
    air_put_json(&r, &c->w);
    return LT_OK;
}

/* ---- review ---- */

static enum lt_err put_review(struct api_call *c, int64_t id, struct lt_error *err)
{
    return record_json(&c->x, api_kind("air_review"), id, air_review_extra, &c->x, &c->w, err);
}

HANDLER(air_review_post)
{
    int64_t id;
    enum lt_err e = api_body(c, err);
    if (e || (e = air_review_propose(&c->x, c->body, &id, err)))
        return e;
    c->res->status = 201;
    return put_review(c, id, err);
}

HANDLER(air_review_move_post)
{
    int64_t id, version;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = api_body(c, err)) || (e = air_review_move(&c->x, id, c->req->param[1], c->body, &version, err)))
        return e;
    if (version)
        tell(c);
    return put_review(c, id, err);
}

static void with_hours(void *user, const struct record_row *row, struct jsonw *w)
{
    struct api_call *c = user;
    struct lt_error err;
    air_review_extra(&c->x, row, w);
    jsonw_key(w, "hours");
    if (air_review_hours(&c->x, row->id, w, &err) != LT_OK) {
        jsonw_array(w); /* the record went away in between */
        jsonw_array_end(w);
    }
}

HANDLER(air_review_get)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    return e ? e : record_json(&c->x, api_kind("air_review"), id, with_hours, c, &c->w, err);
}

HANDLER(air_review_list)
{
    static const char *const names[] = {"state", "station", "limit", "cursor"};
    const struct record_kind *k = api_kind("air_review");
    struct record_query q = {.extra = air_review_extra, .user = &c->x, .descending = true};
    enum lt_err e = LT_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !e; i++) {
        struct lt_slice v = http_query(c->req, names[i]);
        if (v.n)
            e = record_query_param(&q, k, lt_slice_of(names[i]), v, err);
    }
    return e ? e : record_list(&c->x, k, &q, &c->w, err);
}
