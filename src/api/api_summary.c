/* An outlet or an enterprise at a glance: records, latest values against limits, a day of hours, open alarms. */
#include "api/api_priv.h"

#include "base/text.h"
#include "engine/values.h"

#include <stdlib.h>

#define DEVICES_MAX 16 /* of one outlet; two are usual */
#define LIMITS_MAX  200
#define ALARMS_MAX  50
#define OUTLETS_MAX 64
#define TREND_HOURS 24

struct limit {
    char factor[17];
    bool converted;
    int64_t value;
};
struct limits {
    struct limit list[LIMITS_MAX];
    size_t n;
    int64_t now_ms;
};

static bool take_limit(void *user, const struct record_row *row)
{
    struct limits *l = user;
    int64_t from = record_i64(row, "valid_from", 0), to = record_i64(row, "valid_to", 0);
    if (lt_slice_is(record_text(row, "period"), "hour") && from <= l->now_ms && (to == 0 || to > l->now_ms)) {
        struct limit *x = &l->list[l->n++];
        lt_text_copy_slice(x->factor, sizeof x->factor, record_text(row, "factor"));
        x->converted = lt_slice_is(record_text(row, "basis"), "converted");
        x->value = record_i64(row, "limit_value", LT_FIX_NONE);
    }
    return l->n < LIMITS_MAX;
}

static const struct limit *limit_of(const struct limits *l, const char *factor)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->list[i].factor, factor) == 0)
            return &l->list[i];
    return NULL;
}

/* Last 24 hours of one device: per factor the value that counts. */
struct trend {
    struct api_call *c;
    const struct limits *limits;
    int64_t from_ms;
    size_t n;
    struct {
        char factor[17];
        int64_t avg[TREND_HOURS], zs[TREND_HOURS];
    } list[ENGINE_FACTORS_MAX];
};

static size_t trend_slot(struct trend *t, const char *factor)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i].factor, factor) == 0)
            return i;
    if (t->n == ENGINE_FACTORS_MAX)
        return ENGINE_FACTORS_MAX;
    lt_text_copy(t->list[t->n].factor, 17, factor);
    for (size_t h = 0; h < TREND_HOURS; h++)
        t->list[t->n].avg[h] = t->list[t->n].zs[h] = LT_FIX_NONE;
    return t->n++;
}

static bool take_hour(void *user, const struct series_row *row)
{
    struct trend *t = user;
    int64_t h = (row->at_ms - t->from_ms) / LT_HOUR_MS;
    char factor[17];
    unsigned field;
    for (uint32_t i = 0; h >= 0 && h < TREND_HOURS && i < row->n; i++) {
        if (!series_column_name(t->c->a->deps.series, row->cells[i].column, factor, &field) ||
            (field != HJ212_F_AVG && field != HJ212_F_ZSAVG))
            continue;
        size_t s = trend_slot(t, factor);
        if (s < ENGINE_FACTORS_MAX)
            (field == HJ212_F_AVG ? t->list[s].avg : t->list[s].zs)[h] = row->cells[i].value;
    }
    return true;
}

static void write_trend(struct jsonw *w, const struct trend *t, const char *factor, bool converted)
{
    jsonw_key(w, "trend24");
    jsonw_array(w);
    for (size_t i = 0; i < t->n; i++)
        for (size_t h = 0; h < TREND_HOURS && strcmp(t->list[i].factor, factor) == 0; h++)
            jsonw_fix(w, converted && t->list[i].zs[h] != LT_FIX_NONE ? t->list[i].zs[h] : t->list[i].avg[h]);
    jsonw_array_end(w);
}

static const char *hour_state(const struct engine_value *v, int64_t value, const struct limit *limit)
{
    if (value == LT_FIX_NONE)
        return "unknown";
    if (v->hour_state & VALUES_S_EXEMPT)
        return "exempt";
    if (!(v->hour_state & VALUES_S_VALID))
        return "invalid";
    if (!limit)
        return "no_limit";
    return v->hour_state & VALUES_S_EXCEED || value > limit->value ? "exceed" : "ok";
}

static void write_value(struct api_call *c, int64_t device, const struct engine_value *v, const struct limits *limits,
                        const struct trend *t)
{
    struct jsonw *w = &c->w;
    int tz = c->a->cfg.tz_min;
    const struct hj212_factor *f = hj212_factor_find(lt_slice_of(v->factor));
    const struct limit *limit = limit_of(limits, v->factor);
    bool converted = limit ? limit->converted : v->hour_zs != LT_FIX_NONE;
    int64_t hour = converted ? v->hour_zs : v->hour;
    jsonw_object(w);
    jsonw_kstr(w, "factor", v->factor);
    jsonw_kstr(w, "name", f ? (c->req->lang == LT_ZH ? f->name_zh : f->name_en) : v->factor);
    jsonw_kstr(w, "unit", f ? f->unit : "");
    jsonw_ki64(w, "decimals", f ? f->decimals : 3);
    jsonw_ki64(w, "device", device);
    jsonw_kfix(w, "rtd", v->rtd);
    jsonw_kfix(w, "zs", v->zsrtd);
    jsonw_kstr(w, "mark", v->mark[0] ? v->mark : NULL);
    jsonw_ktime(w, "at", v->at_ms, tz);
    jsonw_key(w, "hour");
    if (v->hour_at_ms > 0) {
        jsonw_object(w);
        jsonw_kfix(w, "value", hour);
        jsonw_ktime(w, "at", v->hour_at_ms, tz);
        jsonw_kfix(w, "limit", limit ? limit->value : LT_FIX_NONE);
        jsonw_kstr(w, "basis", converted ? "converted" : "measured");
        jsonw_ku64(w, "valid_minutes", v->hour_valid);
        jsonw_kstr(w, "state", hour_state(v, hour, limit));
        jsonw_object_end(w);
    } else {
        jsonw_null(w);
    }
    write_trend(w, t, v->factor, converted);
    jsonw_object_end(w);
}

static enum lt_err write_device_values(struct api_call *c, int64_t device, const struct limits *limits,
                                       struct lt_error *err)
{
    struct engine_value *v = calloc(ENGINE_FACTORS_MAX, sizeof *v);
    struct trend *t = calloc(1, sizeof *t);
    enum lt_err e = LT_OK;
    if (!v || !t) {
        free(v);
        free(t);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    t->c = c;
    t->from_ms = lt_hour_start(c->now_ms, c->a->cfg.tz_min) - TREND_HOURS * LT_HOUR_MS;
    size_t n = engine_latest(c->a->deps.engine, device, v, ENGINE_FACTORS_MAX);
    n = n > ENGINE_FACTORS_MAX ? ENGINE_FACTORS_MAX : n;
    if (n && c->a->deps.series)
        e = series_read(c->a->deps.series, (uint32_t)device, SERIES_HOUR, t->from_ms,
                        t->from_ms + TREND_HOURS * LT_HOUR_MS, take_hour, t, err);
    for (size_t i = 0; i < n && !e; i++)
        write_value(c, device, &v[i], limits, t);
    free(v);
    free(t);
    return e;
}

static enum lt_err write_latest(struct api_call *c, int64_t outlet, const int64_t *devices, size_t n,
                                struct lt_error *err)
{
    char id[24];
    const struct record_kind *k = api_kind("factor_limit");
    struct record_query q = {.n = 1};
    struct limits *l = calloc(1, sizeof *l);
    enum lt_err e = LT_OK;
    if (!l)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    l->now_ms = c->now_ms;
    q.filter[0] = (struct record_filter){record_field_find(k, LT_LIT("outlet")), RECORD_EQ, api_number(outlet, id)};
    if (auth_may(&c->who, "factor_limit:read"))
        e = record_each(&c->x, k, &q, take_limit, l, err);
    jsonw_key(&c->w, "latest");
    jsonw_array(&c->w);
    for (size_t i = 0; i < n && !e && c->a->deps.engine; i++)
        e = write_device_values(c, devices[i], l, err);
    free(l);
    if (!e)
        jsonw_array_end(&c->w);
    return e;
}

/* "key": [records of `kind` whose field is id], empty when he may not read that kind. */
static enum lt_err write_list(struct api_call *c, const char *key, const char *kind, const struct api_equal *eq,
                              size_t n_eq, int64_t *ids, size_t cap, size_t *ret_n, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    *ret_n = 0;
    jsonw_key(&c->w, key);
    if (auth_may2(&c->who, kind, "read"))
        e = api_ids(c, api_kind(kind), eq, n_eq, ids, cap, ret_n, err);
    return e ? e : api_items(c, api_kind(kind), ids, *ret_n, err);
}

static enum lt_err write_outlet_parts(struct api_call *c, int64_t outlet, struct lt_error *err)
{
    char id[24];
    int64_t devices[DEVICES_MAX], limits[LIMITS_MAX];
    size_t n_devices, n_limits;
    struct api_equal eq = {"outlet", api_number(outlet, id)};
    enum lt_err e = write_list(c, "devices", "device", &eq, 1, devices, DEVICES_MAX, &n_devices, err);
    if (!e)
        e = write_list(c, "limits", "factor_limit", &eq, 1, limits, LIMITS_MAX, &n_limits, err);
    return e ? e : write_latest(c, outlet, devices, n_devices, err);
}

/* Alarms that still ask something of somebody. */
static enum lt_err write_alarms(struct api_call *c, const char *field, int64_t id, struct lt_error *err)
{
    char number[24];
    int64_t ids[ALARMS_MAX];
    size_t n;
    struct api_equal eq[] = {{field, api_number(id, number)},
                             {"state", LT_LIT("new,signed,handling,reported,confirmed")}};
    return write_list(c, "alarms", "alarm", eq, 2, ids, ALARMS_MAX, &n, err);
}

HANDLER(outlet_summary)
{
    int64_t id;
    struct record_row row = {0};
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = record_load(&c->x, api_kind("outlet"), id, &row, err)))
        return e;
    int64_t enterprise = record_i64(&row, "enterprise", 0);
    record_row_fini(&row);
    jsonw_object(&c->w);
    jsonw_key(&c->w, "outlet");
    if ((e = record_json(&c->x, api_kind("outlet"), id, NULL, NULL, &c->w, err)))
        return e;
    jsonw_key(&c->w, "enterprise");
    if (enterprise && auth_may(&c->who, "enterprise:read"))
        e = record_json(&c->x, api_kind("enterprise"), enterprise, NULL, NULL, &c->w, err);
    else
        jsonw_null(&c->w);
    if (!e)
        e = write_outlet_parts(c, id, err);
    if (!e)
        e = write_alarms(c, "outlet", id, err);
    if (!e)
        jsonw_object_end(&c->w);
    return e;
}

static enum lt_err write_outlets(struct api_call *c, int64_t enterprise, struct lt_error *err)
{
    char number[24];
    int64_t ids[OUTLETS_MAX];
    size_t n = 0;
    struct api_equal eq = {"enterprise", api_number(enterprise, number)};
    enum lt_err e = LT_OK;
    jsonw_key(&c->w, "outlets");
    jsonw_array(&c->w);
    if (auth_may(&c->who, "outlet:read"))
        e = api_ids(c, api_kind("outlet"), &eq, 1, ids, OUTLETS_MAX, &n, err);
    for (size_t i = 0; i < n && !e; i++) {
        jsonw_object(&c->w);
        jsonw_key(&c->w, "outlet");
        e = record_json(&c->x, api_kind("outlet"), ids[i], NULL, NULL, &c->w, err);
        if (!e)
            e = write_outlet_parts(c, ids[i], err);
        if (!e)
            jsonw_object_end(&c->w);
    }
    if (!e)
        jsonw_array_end(&c->w);
    return e;
}

HANDLER(enterprise_summary)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e)
        return e;
    jsonw_object(&c->w);
    jsonw_key(&c->w, "enterprise");
    e = record_json(&c->x, api_kind("enterprise"), id, NULL, NULL, &c->w, err);
    if (!e)
        e = write_outlets(c, id, err);
    if (!e)
        e = write_alarms(c, "enterprise", id, err);
    if (!e)
        jsonw_object_end(&c->w);
    return e;
}
