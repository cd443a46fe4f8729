/* Entries of a package out of the register, the values and the engine. */
#include "air/air.h"
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/values.h"
#include "hj212/hj212.h"
#include "proof/proof_gather.h"
#include "series/series.h"

#include <stdio.h>
#include <stdlib.h>

#define VERDICTS_MAX   500
#define NEIGHBOURS_MAX 12 /* devices: a large works has some eight stacks */
#define AUDIT_MAX      200

static struct record_ctx system_ctx(const struct proof_sources *s, struct auth_ctx *who, int64_t now_ms)
{
    *who = auth_system("proof");
    return (struct record_ctx){.db = s->db, .who = who, .now_ms = now_ms, .tz_min = s->tz_min};
}

static void record_or_null(const struct record_ctx *x, const char *kind, int64_t id, const char *key, struct jsonw *w)
{
    struct lt_buf one = LT_BUF_INIT(1 << 20);
    struct jsonw v;
    jsonw_init(&v, &one);
    jsonw_key(w, key);
    if (id && record_json(x, record_kind_find(lt_slice_of(kind)), id, NULL, NULL, &v, NULL) == LT_OK && jsonw_ok(&v))
        jsonw_raw(w, lt_buf_slice(&one));
    else
        jsonw_null(w);
    lt_buf_fini(&one);
}

/* Array of the records whose ids the query gives (two numbers bound). */
static void records(const struct record_ctx *x, const char *kind, const char *query, int64_t a, int64_t b,
                    const char *text, const char *key, struct jsonw *w)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    jsonw_key(w, key);
    jsonw_array(w);
    if (sql_prepare(x->db, query, &st, NULL) == LT_OK) {
        sql_bind_i64(st, 1, a);
        sql_bind_i64(st, 2, b);
        sql_bind_str(st, 3, text);
        while (sql_step(st, &row, NULL) == LT_OK && row) {
            struct lt_buf one = LT_BUF_INIT(1 << 20);
            struct jsonw v;
            jsonw_init(&v, &one);
            if (record_json(x, record_kind_find(lt_slice_of(kind)), sql_col_i64(st, 0), NULL, NULL, &v, NULL) ==
                    LT_OK &&
                jsonw_ok(&v))
                jsonw_raw(w, lt_buf_slice(&one));
            lt_buf_fini(&one);
        }
        sql_release(&st);
    }
    jsonw_array_end(w);
}

static void write_verdicts(const struct proof_sources *s, const struct gathered *g, struct jsonw *w)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    jsonw_key(w, "verdicts");
    jsonw_array(w);
    if (sql_prepare(s->db,
                    "SELECT id, at_ms, seq, rule_version, outcome, inputs FROM verdict WHERE alarm_key = ?1 ORDER BY id"
                    " LIMIT ?2",
                    &st, NULL) == LT_OK) {
        sql_bind_str(st, 1, g->key);
        sql_bind_i64(st, 2, VERDICTS_MAX);
        while (sql_step(st, &row, NULL) == LT_OK && row) {
            json_t *inputs = NULL;
            jsonw_object(w);
            jsonw_ki64(w, "id", sql_col_i64(st, 0));
            jsonw_ktime(w, "at", sql_col_i64(st, 1), s->tz_min);
            jsonw_ki64(w, "seq", sql_col_i64(st, 2));
            jsonw_ki64(w, "rule_version", sql_col_i64(st, 3));
            jsonw_kslice(w, "outcome", sql_col_text(st, 4));
            jsonw_key(w, "inputs");
            if (jsonr_object(sql_col_text(st, 5), JSONR_SIZE_MAX, &inputs, NULL) == LT_OK)
                jsonw_tree(w, inputs);
            else
                jsonw_null(w);
            json_decref(inputs);
            jsonw_object_end(w);
        }
        sql_release(&st);
    }
    jsonw_array_end(w);
}

void gather_put_alarm(const struct proof_sources *s, const struct gathered *g, int64_t now_ms, struct proof_pack *p)
{
    struct auth_ctx who;
    const struct record_ctx x = system_ctx(s, &who, now_ms);
    struct lt_buf *out = proof_pack_entry(p, "alarm.json");
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "text");
    jsonw_object(&w);
    jsonw_kslice(&w, "zh", lt_buf_slice(&g->text[LT_ZH]));
    jsonw_kslice(&w, "en", lt_buf_slice(&g->text[LT_EN]));
    jsonw_object_end(&w);
    record_or_null(&x, "alarm", g->id, "alarm", &w);
    records(&x, "rule", "SELECT id FROM rule WHERE code = ?3 AND deleted = 0 AND ?1 = ?1 AND ?2 = ?2", 0, 0, g->rule,
            "rules", &w);
    records(&x, "factor_limit",
            "SELECT id FROM factor_limit WHERE outlet = ?1 AND deleted = 0 AND (factor = ?3 OR ?3 = '') AND valid_from"
            " <= ?2 AND (valid_to IS NULL OR valid_to > ?2) ORDER BY id LIMIT 100",
            g->outlet, g->first_at_ms, g->factor, "limits", &w);
    write_verdicts(s, g, &w);
    jsonw_object_end(&w);
    lt_buf_addc(out, '\n');
}

/* ---- values ---- */

struct values {
    const struct proof_sources *s;
    struct lt_buf *out;
    const char *kind;
    bool as_array, first; /* else lines */
};

static const struct {
    unsigned field;
    const char *name;
    bool whole;
} value_fields[] = {
    {HJ212_F_AVG, "avg", false},       {HJ212_F_ZSAVG, "zsavg", false}, {HJ212_F_MIN, "min", false},
    {HJ212_F_MAX, "max", false},       {HJ212_F_COU, "cou", false},     {SERIES_F_VALID, "valid", true},
    {SERIES_F_SOURCE, "source", true}, {SERIES_F_STATE, "state", true}, {SERIES_F_VERSION, "version", true},
};

static void write_cell(struct jsonw *w, unsigned field, int64_t v)
{
    char mark[5];
    if (field == HJ212_F_FLAG) {
        values_mark_unpack(v, mark);
        jsonw_kstr(w, "mark", mark);
    }
    for (size_t i = 0; i < sizeof value_fields / sizeof value_fields[0]; i++) {
        if (value_fields[i].field != field)
            continue;
        if (value_fields[i].whole)
            jsonw_ki64(w, value_fields[i].name, v);
        else
            jsonw_kfix(w, value_fields[i].name, v);
    }
}

static bool value_row(void *user, const struct series_row *row)
{
    struct values *v = user;
    struct jsonw w;
    char factor[17] = "", now[17];
    unsigned field = 0;
    if (v->as_array && !v->first)
        lt_buf_addc(v->out, ',');
    v->first = false;
    jsonw_init(&w, v->out);
    jsonw_object(&w);
    jsonw_kstr(&w, "kind", v->kind);
    jsonw_ktime(&w, "at", row->at_ms, v->s->tz_min);
    jsonw_key(&w, "values");
    jsonw_object(&w);
    /* cells are sorted by column, not by factor: one object per run of equal factors, so collect factor by factor */
    for (uint32_t i = 0; i < row->n; i++) {
        if (!series_column_name(v->s->series, row->cells[i].column, now, &field))
            continue;
        bool seen = false;
        for (uint32_t k = 0; k < i && !seen; k++)
            seen = series_column_name(v->s->series, row->cells[k].column, factor, &field) && strcmp(factor, now) == 0;
        if (seen)
            continue;
        jsonw_key(&w, now);
        jsonw_object(&w);
        for (uint32_t k = i; k < row->n; k++)
            if (series_column_name(v->s->series, row->cells[k].column, factor, &field) && strcmp(factor, now) == 0)
                write_cell(&w, field, row->cells[k].value);
        jsonw_object_end(&w);
    }
    jsonw_object_end(&w);
    jsonw_object_end(&w);
    if (!v->as_array)
        lt_buf_addc(v->out, '\n');
    return true;
}

static bool version_row(void *user, const struct engine_version *r)
{
    struct values *v = user;
    struct jsonw w;
    jsonw_init(&w, v->out);
    jsonw_object(&w);
    jsonw_kstr(&w, "kind", "version");
    jsonw_kstr(&w, "of", r->kind);
    jsonw_ktime(&w, "period_at", r->period_at_ms, v->s->tz_min);
    jsonw_kstr(&w, "factor", r->factor);
    jsonw_kstr(&w, "field", r->field);
    jsonw_ki64(&w, "version", r->version);
    jsonw_kfix(&w, "old", r->old_value);
    jsonw_kfix(&w, "new", r->new_value);
    jsonw_ktime(&w, "at", r->at_ms, v->s->tz_min);
    jsonw_ku64(&w, "seq", r->seq);
    jsonw_kstr(&w, "cause", r->cause);
    jsonw_object_end(&w);
    lt_buf_addc(v->out, '\n');
    return true;
}

void gather_put_values(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p)
{
    struct values v = {.s = s, .out = proof_pack_entry(p, "values.jsonl"), .kind = "hour"};
    int64_t from = lt_hour_start(g->to_ms, s->tz_min) - LT_DAY_MS;
    if (s->series && g->device) {
        enum lt_err e =
            series_read(s->series, (uint32_t)g->device, SERIES_HOUR, from, g->to_ms + 1, value_row, &v, NULL);
        v.kind = "day";
        if (e == LT_OK)
            e = series_read(s->series, (uint32_t)g->device, SERIES_DAY, from - 7 * LT_DAY_MS, g->to_ms + 1, value_row,
                            &v, NULL);
        if (e != LT_OK)
            lt_buf_adds(v.out, "{\"kind\":\"error\",\"text\":\"values could not be read\"}\n");
    }
    if (g->device && engine_versions(s->db, g->device, lt_slice_of(g->factor), from - LT_DAY_MS, g->to_ms + 1, false,
                                     200, version_row, &v, NULL) != LT_OK)
        lt_buf_adds(v.out, "{\"kind\":\"error\",\"text\":\"versions could not be read\"}\n");
}

struct hours {
    const struct proof_sources *s;
    const char *factor;
    int64_t from_ms, *ret;
    size_t n;
};

static bool hour_row(void *user, const struct series_row *row)
{
    struct hours *h = user;
    int64_t i = (row->at_ms - h->from_ms) / LT_HOUR_MS;
    if (i < 0 || (size_t)i >= h->n)
        return true;
    bool converted = false; /* the converted value stands, where there is one */
    for (uint32_t k = 0; k < row->n; k++) {
        char factor[17];
        unsigned field = 0;
        if (!series_column_name(h->s->series, row->cells[k].column, factor, &field) || strcmp(factor, h->factor) != 0)
            continue;
        if (field == HJ212_F_ZSAVG || (field == HJ212_F_AVG && !converted))
            h->ret[i] = row->cells[k].value;
        converted = converted || field == HJ212_F_ZSAVG;
    }
    return true;
}

void gather_hours(const struct proof_sources *s, int64_t device, const char *factor, int64_t from_ms, size_t n,
                  int64_t *ret)
{
    struct hours h = {.s = s, .factor = factor, .from_ms = from_ms, .ret = ret, .n = n};
    for (size_t i = 0; i < n; i++)
        ret[i] = LT_FIX_NONE;
    if (s->series && device && factor[0] &&
        series_read(s->series, (uint32_t)device, SERIES_HOUR, from_ms, from_ms + (int64_t)n * LT_HOUR_MS, hour_row, &h,
                    NULL) != LT_OK)
        h.n = 0; /* the chart stays empty; values.jsonl says that they could not be read */
}

/* ---- states, ledger ---- */

static void write_engine_device(const struct proof_sources *s, int64_t device, struct jsonw *w)
{
    struct engine_device d;
    jsonw_key(w, "engine");
    if (!s->engine || !engine_device(s->engine, device, &d)) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_ktime(w, "last_record_at", d.last_at_ms, s->tz_min);
    jsonw_ktime(w, "last_data_at", d.last_data_at_ms, s->tz_min);
    if (d.drift_ms == INT64_MIN)
        jsonw_knull(w, "clock_drift_ms");
    else
        jsonw_ki64(w, "clock_drift_ms", d.drift_ms);
    jsonw_ktime(w, "silent_since", d.silent_since_ms, s->tz_min);
    jsonw_kstr(w, "cause_zh", d.cause_zh);
    jsonw_kstr(w, "cause_en", d.cause_en);
    jsonw_ku64(w, "interval_s", d.interval_s);
    jsonw_kbool(w, "exceeding", d.exceeding);
    jsonw_ku64(w, "frames", d.frames);
    jsonw_ku64(w, "bad_items", d.bad_items);
    jsonw_ku64(w, "quarantined", d.quarantined);
    jsonw_object_end(w);
}

static bool ledger_row(void *user, const struct engine_ledger_row *r)
{
    struct lt_buf *out = user;
    engine_ledger_json(r, out);
    return false; /* one device, one day */
}

void gather_put_state(const struct proof_sources *s, const struct gathered *g, int64_t now_ms, struct proof_pack *p)
{
    struct auth_ctx who;
    const struct record_ctx x = system_ctx(s, &who, now_ms);
    struct lt_buf *out = proof_pack_entry(p, "state.json"), *ledger = proof_pack_entry(p, "ledger.json");
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_ktime(&w, "at", now_ms, s->tz_min);
    record_or_null(&x, "device", g->device, "device", &w);
    record_or_null(&x, "outlet", g->outlet, "outlet", &w);
    record_or_null(&x, "enterprise", g->enterprise, "enterprise", &w);
    write_engine_device(s, g->device, &w);
    records(&x, "process_state",
            "SELECT id FROM process_state WHERE outlet = ?1 AND deleted = 0 AND begin_at <= ?2 + 86400000 AND"
            " (end_at IS NULL OR end_at >= ?2 - 86400000) AND ?3 = ?3 ORDER BY id LIMIT 50",
            g->outlet, g->first_at_ms, "", "process_states", &w);
    jsonw_object_end(&w);
    lt_buf_addc(out, '\n');
    int day = lt_day_number(g->first_at_ms, s->tz_min);
    if (s->engine && g->mn[0] && engine_ledger(s->engine, day, lt_slice_of(g->mn), ledger_row, ledger, NULL) != LT_OK)
        lt_buf_clear(ledger);
    if (ledger->n == 0)
        lt_buf_adds(ledger, "{}");
    if (ledger->n && ledger->p[ledger->n - 1] != '\n')
        lt_buf_addc(ledger, '\n');
}

/* ---- neighbours, weather ---- */

static void put_neighbours(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p)
{
    struct lt_buf *out = proof_pack_entry(p, "neighbours.json");
    struct sql_stmt *st = NULL;
    bool row = false, first = true;
    lt_buf_addc(out, '[');
    if (s->series && g->enterprise &&
        sql_prepare(s->db,
                    "SELECT d.id, d.mn, o.id, o.name FROM device d JOIN outlet o ON o.id = d.outlet WHERE o.enterprise"
                    " = ?1 AND d.id <> ?2 AND d.deleted = 0 AND o.deleted = 0 ORDER BY o.id, d.id LIMIT ?3",
                    &st, NULL) == LT_OK) {
        sql_bind_i64(st, 1, g->enterprise);
        sql_bind_i64(st, 2, g->device);
        sql_bind_i64(st, 3, NEIGHBOURS_MAX);
        while (sql_step(st, &row, NULL) == LT_OK && row) {
            struct lt_buf values = LT_BUF_INIT(256 << 10);
            struct values v = {.s = s, .out = &values, .kind = "hour", .as_array = true, .first = true};
            struct jsonw w;
            lt_buf_adds(out, first ? "" : ",");
            first = false;
            lt_buf_addc(&values, '[');
            bool read = series_read(s->series, (uint32_t)sql_col_i64(st, 0), SERIES_HOUR, g->from_ms - LT_HOUR_MS,
                                    g->to_ms + 1, value_row, &v, NULL) == LT_OK;
            lt_buf_addc(&values, ']');
            jsonw_init(&w, out);
            jsonw_object(&w);
            jsonw_ki64(&w, "device", sql_col_i64(st, 0));
            jsonw_kslice(&w, "mn", sql_col_text(st, 1));
            jsonw_ki64(&w, "outlet", sql_col_i64(st, 2));
            jsonw_kslice(&w, "outlet_name", sql_col_text(st, 3));
            jsonw_key(&w, "hours");
            if (read && !values.failed)
                jsonw_raw(&w, lt_buf_slice(&values));
            else
                jsonw_null(&w);
            jsonw_object_end(&w);
            lt_buf_fini(&values);
        }
        sql_release(&st);
    }
    lt_buf_adds(out, "]\n");
}

/* Nearest station whose block of that hour holds something; east-west degrees are shorter by some fifth here. */
struct nearest {
    int64_t hour; /* of the local day */
    struct air_block block;
    bool any;
};

static bool take_block(void *user, int32_t day, const struct air_block *b)
{
    struct nearest *n = user;
    n->block = *b;
    for (int i = 0; i < AIR_ITEMS; i++)
        n->any = n->any || b->value[n->hour][i] != AIR_NONE;
    return false;
}

static void write_air_items(const struct nearest *n, int from, int to, struct jsonw *w)
{
    jsonw_object(w);
    for (int i = from; i < to; i++)
        if (n->block.value[n->hour][i] != AIR_NONE)
            jsonw_kfix(w, air_item_name((enum air_item)i), air_value_fix((enum air_item)i, n->block.value[n->hour][i]));
    jsonw_object_end(w);
}

static bool place_of(const struct proof_sources *s, const struct gathered *g, int64_t *lon, int64_t *lat)
{
    struct sql_stmt *st = NULL;
    bool row = false, known = false;
    if (sql_prepare(s->db,
                    "SELECT coalesce(o.lon, e.lon, t.center_lon), coalesce(o.lat, e.lat, t.center_lat) FROM enterprise"
                    " e LEFT JOIN outlet o ON o.id = ?2 LEFT JOIN territory t ON t.id = e.territory WHERE e.id = ?1",
                    &st, NULL) != LT_OK)
        return false;
    sql_bind_i64(st, 1, g->enterprise);
    sql_bind_i64(st, 2, g->outlet);
    if (sql_step(st, &row, NULL) == LT_OK && row && !sql_col_null(st, 0) && !sql_col_null(st, 1)) {
        *lon = sql_col_i64(st, 0);
        *lat = sql_col_i64(st, 1);
        known = true;
    }
    sql_release(&st);
    return known;
}

static void write_air(const struct proof_sources *s, const struct gathered *g, struct jsonw *w, bool weather)
{
    struct air_station *list = NULL;
    size_t n = 0;
    int64_t lon = 0, lat = 0, at = g->period_ms > 0 ? g->period_at_ms : g->first_at_ms;
    int32_t day = air_day_of(at, s->tz_min);
    struct nearest best = {.hour = (at - air_day_start(day, s->tz_min)) / LT_HOUR_MS};
    bool done = false;
    if (place_of(s, g, &lon, &lat) && air_stations(s->db, s->tz_min, &list, &n, NULL) != LT_OK)
        n = 0;
    for (size_t tries = 0; tries < n && tries < 20 && !done; tries++) {
        size_t k = n;
        int64_t dist = INT64_MAX;
        for (size_t i = 0; i < n; i++) {
            int64_t dx = (list[i].lon - lon) / 100 * 4 / 5, dy = (list[i].lat - lat) / 100, d = dx * dx + dy * dy;
            if (list[i].id && list[i].lon != LT_FIX_NONE && list[i].lat != LT_FIX_NONE && d < dist) {
                dist = d;
                k = i;
            }
        }
        if (k == n)
            break;
        best.any = false;
        if (air_blocks(s->db, list[k].id, day, day, 0, take_block, &best, NULL) == LT_OK && best.any) {
            bool some = false;
            for (int i = weather ? AIR_TEMP : 0; i < (weather ? (int)AIR_ITEMS : (int)AIR_TEMP); i++)
                some = some || best.block.value[best.hour][i] != AIR_NONE;
            if (some) {
                jsonw_object(w);
                jsonw_kstr(w, "station", list[k].name);
                jsonw_kstr(w, "code", list[k].code);
                jsonw_kfix(w, "lon", list[k].lon);
                jsonw_kfix(w, "lat", list[k].lat);
                jsonw_ktime(w, "hour", air_day_start(day, s->tz_min) + best.hour * LT_HOUR_MS, s->tz_min);
                jsonw_key(w, "values");
                write_air_items(&best, weather ? AIR_TEMP : 0, weather ? AIR_ITEMS : AIR_TEMP, w);
                jsonw_object_end(w);
                done = true;
            }
        }
        list[k].id = 0; /* not again */
    }
    free(list);
    if (!done)
        jsonw_null(w);
}

void gather_put_context(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p)
{
    put_neighbours(s, g, p);
    struct lt_buf *out = proof_pack_entry(p, "context.json");
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "weather");
    write_air(s, g, &w, true);
    jsonw_key(&w, "air");
    write_air(s, g, &w, false);
    jsonw_object_end(&w);
    lt_buf_addc(out, '\n');
}

void gather_put_audit(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p)
{
    struct lt_buf *out = proof_pack_entry(p, "audit.jsonl");
    struct sql_stmt *st = NULL;
    bool row = false;
    if (sql_prepare(s->db,
                    "SELECT seq, at_ms, user_name, action, kind, record_id, detail FROM (SELECT * FROM audit"
                    " WHERE (kind = 'alarm' AND record_id = ?1) OR (kind = 'device' AND record_id = ?2) OR (kind ="
                    " 'outlet' AND record_id = ?3) OR (kind = 'rule' AND record_id = (SELECT id FROM rule WHERE code ="
                    " ?4 AND deleted = 0)) ORDER BY seq DESC LIMIT ?5) ORDER BY seq",
                    &st, NULL) != LT_OK)
        return;
    sql_bind_i64(st, 1, g->id);
    sql_bind_i64(st, 2, g->device);
    sql_bind_i64(st, 3, g->outlet);
    sql_bind_str(st, 4, g->rule);
    sql_bind_i64(st, 5, AUDIT_MAX);
    while (sql_step(st, &row, NULL) == LT_OK && row) {
        struct jsonw w;
        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_ki64(&w, "seq", sql_col_i64(st, 0));
        jsonw_ktime(&w, "at", sql_col_i64(st, 1), s->tz_min);
        jsonw_kslice(&w, "user", sql_col_text(st, 2));
        jsonw_kslice(&w, "action", sql_col_text(st, 3));
        jsonw_kslice(&w, "kind", sql_col_text(st, 4));
        jsonw_ki64(&w, "record_id", sql_col_i64(st, 5));
        jsonw_kslice(&w, "detail", sql_col_text(st, 6));
        jsonw_object_end(&w);
        lt_buf_addc(out, '\n');
    }
    sql_release(&st);
}
