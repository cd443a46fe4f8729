/* Targets, what-if, the season's plan, share-outs, rankings. */
#include "api/api_air.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TARGETS_MOST = 500
}; /* of one page: a city with 20 counties, four indicators, year and season, and their parts */

/* ---- one target as JSON ---- */

static void write_allowed_text(struct jsonw *w, const struct air_target_state *s)
{
    char limit[32], sum[32], allowed[32], text[160];
    if (s->allowed_left == LT_FIX_NONE) {
        jsonw_knull(w, "allowed_text");
        return;
    }
    lt_fix_format_short(s->limit, limit);
    lt_fix_format_short(s->so_far_sum, sum);
    lt_fix_format_short(s->allowed_left, allowed);
    snprintf(text, sizeof text, "(%s × %d − %s) ÷ %d = %s", limit, s->days_valid + s->days_left, sum, s->days_left,
             allowed);
    jsonw_kstr(w, "allowed_text", text);
}

static void write_affordable(struct jsonw *w, const struct air_target_state *s)
{
    if (s->t.indicator != AIR_I_PM25 || s->probability_years == 0 || s->days_left == 0) {
        jsonw_knull(w, "affordable");
        jsonw_knull(w, "typical");
        return;
    }
    jsonw_key(w, "affordable");
    jsonw_object(w);
    for (int level = 3; level <= 6; level++)
        air_write_count(w, air_category(level), s->affordable[level - 1]);
    jsonw_object_end(w);
    jsonw_key(w, "typical");
    jsonw_object(w);
    for (int level = 1; level <= 6; level++)
        jsonw_kfix(w, air_category(level), s->typical[level - 1]);
    jsonw_object_end(w);
}

static void write_odds(struct jsonw *w, const struct air_target_state *s)
{
    jsonw_kfix(w, "probability", s->probability);
    jsonw_kstr(w, "probability_method", "bootstrap");
    jsonw_ki64(w, "probability_years", s->probability_years);
    jsonw_ki64(w, "probability_draws", s->draws);
    jsonw_key(w, "end_value");
    if (s->probability == LT_FIX_NONE) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_kfix(w, "p10", s->p10);
    jsonw_kfix(w, "p50", s->p50);
    jsonw_kfix(w, "p90", s->p90);
    jsonw_object_end(w);
}

static void write_road(struct jsonw *w, const struct air_target_state *s)
{
    jsonw_key(w, "road");
    jsonw_array(w);
    for (size_t i = 0; i < s->n_road; i++) {
        jsonw_object(w);
        air_write_day(w, "day", s->road[i].day);
        jsonw_kfix(w, "value", s->road[i].value);
        jsonw_kfix(w, "allowed", s->road[i].allowed);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void write_record(struct api_call *c, struct jsonw *w, const struct air_look *l,
                         const struct air_target_state *s)
{
    const struct air_territory *t = air_look_territory(l, s->t.territory);
    jsonw_ki64(w, "id", s->t.id);
    jsonw_ki64(w, "record_version", s->t.record_version);
    jsonw_kstr(w, "name", s->t.name);
    jsonw_ki64(w, "territory", s->t.territory);
    jsonw_kstr(w, "territory_name", t ? air_name(c, t->name, t->name_en) : "");
    jsonw_key(w, "enterprise");
    if (s->t.enterprise)
        jsonw_i64(w, s->t.enterprise);
    else
        jsonw_null(w);
    jsonw_kstr(w, "process", s->t.process);
    jsonw_kstr(w, "indicator", air_indicator_name(s->t.indicator));
    jsonw_kstr(w, "indicator_name", air_indicator_label(s->t.indicator, c->req->lang));
    jsonw_kstr(w, "unit", air_indicator_unit(s->t.indicator, c->req->lang));
    jsonw_kstr(w, "period", s->t.period);
    air_write_day(w, "start", s->t.start);
    air_write_day(w, "end", s->t.end);
    jsonw_kstr(w, "how", s->t.percent ? "percent" : "absolute");
    jsonw_kfix(w, "value", s->t.value);
    jsonw_kfix(w, "base_value", s->t.base);
    jsonw_kfix(w, "limit", s->limit);
    jsonw_key(w, "parent");
    if (s->t.parent)
        jsonw_i64(w, s->t.parent);
    else
        jsonw_null(w);
    jsonw_kfix(w, "weight", s->t.weight);
    jsonw_kstr(w, "note", s->t.note);
}

static void write_target(struct api_call *c, struct jsonw *w, const struct air_look *l,
                         const struct air_target_state *s, bool has_parts)
{
    jsonw_object(w);
    write_record(c, w, l, s);
    air_write_day(w, "at", s->at);
    jsonw_kstr(w, "standard", air_standard_name(s->standard));
    jsonw_kfix(w, "now", s->now);
    jsonw_kfix(w, "gap", s->gap);
    if (s->gap == LT_FIX_NONE)
        jsonw_knull(w, "better");
    else
        jsonw_kbool(w, "better", air_indicator_more_is_better(s->t.indicator) ? s->gap >= 0 : s->gap <= 0);
    jsonw_ki64(w, "days_total", s->days_total);
    jsonw_ki64(w, "days_past", s->days_past);
    jsonw_ki64(w, "days_left", s->days_left);
    jsonw_ki64(w, "days_valid", s->days_valid);
    jsonw_ki64(w, "days_good", s->days_good);
    jsonw_ki64(w, "days_heavy", s->days_heavy);
    jsonw_kfix(w, "allowed_left", s->allowed_left);
    write_allowed_text(w, s);
    jsonw_kfix(w, "last_year_left", s->last_year_left);
    air_write_count(w, "days_needed", s->days_needed);
    if (s->days_needed >= 0)
        jsonw_ki64(w, "bad_left", s->bad_left);
    else
        jsonw_knull(w, "bad_left");
    if (s->t.indicator == AIR_I_HEAVY_DAYS)
        jsonw_ki64(w, "heavy_left", s->heavy_left);
    else
        jsonw_knull(w, "heavy_left");
    write_affordable(w, s);
    write_odds(w, s);
    jsonw_kstr(w, "light", air_light_name(s->light));
    jsonw_kstr(w, "light_name", air_light_label(s->light, c->req->lang));
    jsonw_kstr(w, "light_rule", air_light_rule(s->light, c->req->lang));
    write_road(w, s);
    jsonw_kbool(w, "has_parts", has_parts);
    jsonw_object_end(w);
}

/* ---- reading targets ---- */

struct targets {
    const struct api_call *c;
    struct air_target *t;
    size_t n, most;
    int64_t after; /* ids above this */
    bool more;
};

static bool on_target(void *user, const struct record_row *row)
{
    struct targets *x = user;
    if (row->id <= x->after)
        return true;
    x->more = x->n == x->most;
    if (!x->more)
        air_target_of_row(row, x->c->a->cfg.tz_min, &x->t[x->n++]);
    return !x->more;
}

/* Targets he may see where `field` is `id` (0: all), by id; x has c, most and after. */
static enum lt_err read_targets(struct targets *x, const char *field, int64_t id, struct lt_error *err)
{
    char mem[24];
    const struct record_kind *k = api_kind("air_target");
    struct record_query q = {0};
    x->t = calloc(x->most, sizeof *x->t);
    if (!x->t)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (id) {
        q.filter[0] = (struct record_filter){record_field_find(k, lt_slice_of(field)), RECORD_EQ, api_number(id, mem)};
        q.n = 1;
    }
    return record_each(&x->c->x, k, &q, on_target, x, err);
}

/* All parts of a target: with one left out nothing would add up. */
static enum lt_err read_parts(const struct api_call *c, int64_t parent, struct targets *ret, struct lt_error *err)
{
    *ret = (struct targets){.c = c, .most = AIR_TARGET_PARTS};
    enum lt_err e = read_targets(ret, "parent", parent, err);
    return e || !ret->more
               ? e
               : lt_fail(err, LT_E_LIMIT_SIZE, "parts", "parts of one target / 单个目标的分解项", "100", NULL);
}

static enum lt_err load_target(const struct api_call *c, int64_t id, struct air_target *ret, struct lt_error *err)
{
    struct record_row row;
    enum lt_err e = record_load(&c->x, api_kind("air_target"), id, &row, err);
    if (e)
        return e;
    air_target_of_row(&row, c->a->cfg.tz_min, ret);
    record_row_fini(&row);
    return LT_OK;
}

static enum lt_err has_parts(const struct api_call *c, int64_t id, bool *ret, struct lt_error *err)
{
    char mem[24];
    int64_t part;
    size_t n = 0;
    const struct api_equal eq = {"parent", api_number(id, mem)};
    enum lt_err e = api_ids(c, api_kind("air_target"), &eq, 1, &part, 1, &n, err);
    *ret = n > 0;
    return e;
}

static enum lt_err target_day(const struct api_call *c, int32_t *ret, struct lt_error *err)
{
    *ret = air_day_of(c->now_ms, c->a->cfg.tz_min) - 1;
    return air_query_day(c, "at", ret, err);
}

static enum lt_err write_one(struct api_call *c, struct air_ask *q, const struct air_target *t, int32_t at,
                             struct lt_error *err)
{
    struct air_target_state s;
    bool parts = false;
    enum lt_err e = has_parts(c, t->id, &parts, err);
    if (!e && !(e = air_target_eval(&q->look, t, at, NULL, 0, true, &s, err)))
        write_target(c, &c->w, &q->look, &s, parts);
    return e;
}

HANDLER(air_targets_get)
{
    struct air_ask q;
    struct targets page = {.c = c};
    int64_t territory = 0, limit = TARGETS_MOST;
    int32_t at;
    enum lt_err e = target_day(c, &at, err);
    if (e || (e = api_query_i64(c, "territory", 1, INT64_MAX, &territory, err)) ||
        (e = api_query_i64(c, "limit", 1, TARGETS_MOST, &limit, err)) ||
        (e = api_query_i64(c, "cursor", 1, INT64_MAX, &page.after, err)) || (e = air_ask_open(c, &q, err)))
        return e;
    page.most = (size_t)limit;
    e = read_targets(&page, "territory", territory, err);
    jsonw_object(&c->w);
    air_write_day(&c->w, "at", at);
    jsonw_ki64(&c->w, "version", q.look.version);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    for (size_t i = 0; !e && i < page.n; i++)
        e = write_one(c, &q, &page.t[i], at, err);
    jsonw_array_end(&c->w);
    char next[24];
    jsonw_key(&c->w, "next");
    if (page.more)
        jsonw_slice(&c->w, api_number(page.t[page.n - 1].id, next));
    else
        jsonw_null(&c->w);
    jsonw_object_end(&c->w);
    free(page.t);
    air_ask_close(&q);
    return e;
}

HANDLER(air_target_get)
{
    struct air_ask q;
    struct air_target t;
    int64_t id;
    int32_t at;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = target_day(c, &at, err)) || (e = load_target(c, id, &t, err)) || (e = air_ask_open(c, &q, err)))
        return e;
    e = write_one(c, &q, &t, at, err);
    air_ask_close(&q);
    return e;
}

/* ---- parts ---- */

static struct air_part part_of(const struct air_target *t)
{
    return (struct air_part){.territory = t->territory,
                             .enterprise = t->enterprise,
                             .process = t->process,
                             .weight = t->weight,
                             .base = t->base,
                             .value = air_target_limit(t)};
}

static enum lt_err write_parts(struct api_call *c, int64_t id, struct lt_error *err)
{
    struct air_ask q;
    struct air_target t;
    struct targets kids = {0};
    struct air_part part[AIR_TARGET_PARTS];
    struct jsonw *w = &c->w;
    int32_t at;
    enum lt_err e = target_day(c, &at, err);
    if (e || (e = load_target(c, id, &t, err)) || (e = air_ask_open(c, &q, err)))
        return e;
    e = read_parts(c, id, &kids, err);
    const size_t n = kids.n;
    for (size_t i = 0; !e && i < n; i++)
        part[i] = part_of(&kids.t[i]);
    if (!e) {
        const unsigned decimals = air_indicator_decimals(t.indicator, air_standard_on(t.end));
        const int64_t whole = lt_fix_round(air_target_limit(&t), decimals); /* parts have no finer digits */
        const int64_t total = air_parts_total(part, n, air_parts_additive(part, n) ? 6 : decimals);
        jsonw_object(w);
        jsonw_key(w, "parent");
        e = write_one(c, &q, &t, at, err);
        jsonw_kstr(w, "mode", air_parts_additive(part, n) ? "additive" : "mean");
        jsonw_kfix(w, "whole", whole);
        jsonw_kfix(w, "total", total);
        jsonw_kfix(w, "difference", total == LT_FIX_NONE ? LT_FIX_NONE : total - whole);
        jsonw_kbool(w, "adds_up", total == whole);
        jsonw_key(w, "items");
        jsonw_array(w);
        for (size_t i = 0; !e && i < n; i++)
            e = write_one(c, &q, &kids.t[i], at, err);
        jsonw_array_end(w);
        jsonw_object_end(w);
    }
    free(kids.t);
    air_ask_close(&q);
    return e;
}

HANDLER(air_parts_get)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    return e ? e : write_parts(c, id, err);
}

struct asked_part { /* a part as the body has it */
    struct air_part part;
    struct lt_slice process, name;
    int64_t existing; /* child target it is written to; 0: a new one */
};

static enum lt_err fix_of(const json_t *o, const char *name, int64_t *ret, struct lt_error *err)
{
    const json_t *v = json_object_get(o, name);
    if (!v || json_is_null(v))
        return LT_OK;
    if (!jsonr_to_fix(v, ret))
        return lt_fail(err, LT_E_FIELD_TYPE, name, name, "number", NULL);
    return LT_OK;
}

static enum lt_err read_part(const json_t *o, const struct air_target *t, struct asked_part *ret, struct lt_error *err)
{
    struct air_part *p = &ret->part;
    *ret = (struct asked_part){
        .part = {.territory = t->territory, .weight = -1, .base = LT_FIX_NONE, .value = LT_FIX_NONE}};
    static const char *const fields[] = {"territory", "enterprise", "process", "name", "weight", "base", "value", NULL};
    if (!json_is_object(o))
        return lt_fail(err, LT_E_FIELD_TYPE, "parts", "parts", "object", NULL);
    enum lt_err e = jsonr_only(o, fields, err);
    if (!e)
        e = jsonr_i64(o, "territory", false, 1, INT64_MAX, &p->territory, err);
    if (!e)
        e = jsonr_i64(o, "enterprise", false, 1, INT64_MAX, &p->enterprise, err);
    if (!e)
        e = jsonr_str(o, "process", false, 128, &ret->process, err);
    if (!e)
        e = jsonr_str(o, "name", false, 128, &ret->name, err);
    if (!e)
        e = fix_of(o, "weight", &p->weight, err);
    if (!e)
        e = fix_of(o, "base", &p->base, err);
    if (!e)
        e = fix_of(o, "value", &p->value, err);
    if (!e && json_object_get(o, "weight") && p->weight < 0)
        e = lt_fail(err, LT_E_FIELD_RANGE, "weight", "weight", "0", "1000000");
    p->process = ret->process.n ? ret->process.p : NULL;
    return e;
}

/* Where the body gave none: last year's figure of a county as base, its national stations as weight, since they make
 * the city's mean. */
static enum lt_err fill_bases(struct api_call *c, const struct air_target *t, struct asked_part *a, size_t n,
                              struct lt_error *err)
{
    struct air_ask q;
    int32_t from, to;
    air_period_year_before(t->start, t->end, &from, &to);
    enum lt_err e = air_ask_open(c, &q, err);
    for (size_t i = 0; !e && i < n; i++) {
        const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, a[i].part.territory);
        struct air_figure f;
        const struct air_territory *home = air_look_territory(&q.look, a[i].part.territory);
        if (a[i].part.weight < 0) {
            a[i].part.weight = 0;
            for (size_t k = 0; k < q.look.n_station && home; k++)
                if (q.look.station[k].type == AIR_NATIONAL && air_counts(&q.look, &q.look.station[k], home))
                    a[i].part.weight += LT_FIX_ONE;
        }
        if (a[i].part.base != LT_FIX_NONE || !home)
            continue;
        e = air_figure_make(&q.look, &sc, from, to, air_standard_on(t->end), AIRQ_STEPWISE, AIR_DUST_HABIT, &f, err);
        if (!e)
            a[i].part.base = air_indicator_of(&f, t->indicator);
    }
    air_ask_close(&q);
    return e;
}

static enum lt_err write_child(struct api_call *c, const struct air_target *t, const struct asked_part *a, size_t at,
                               struct lt_error *err)
{
    char name[129];
    const int tz = c->a->cfg.tz_min;
    const struct record_kind *k = api_kind("air_target");
    struct record_set set[14];
    size_t n = 0;
    int64_t id;
    snprintf(name, sizeof name, "%.90s-%zu", t->name, at + 1);
    set[n++] = RECORD_SET_I("value", a->part.value);
    set[n++] = RECORD_SET_Z("how", "absolute");
    set[n++] = RECORD_SET_I("weight", a->part.weight);
    if (a->part.base != LT_FIX_NONE)
        set[n++] = RECORD_SET_I("base_value", a->part.base);
    if (a->existing)
        return record_change(&c->x, k, a->existing, 0, "update", set, n, err);
    set[n++] = a->name.n ? RECORD_SET_S("name", a->name) : RECORD_SET_Z("name", name);
    set[n++] = RECORD_SET_I("territory", a->part.territory);
    if (a->part.enterprise)
        set[n++] = RECORD_SET_I("enterprise", a->part.enterprise);
    if (a->process.n)
        set[n++] = RECORD_SET_S("process", a->process);
    set[n++] = RECORD_SET_Z("indicator", air_indicator_name(t->indicator));
    set[n++] = RECORD_SET_Z("period", t->period);
    set[n++] = RECORD_SET_I("start_day", air_day_start(t->start, tz));
    set[n++] = RECORD_SET_I("end_day", air_day_start(t->end, tz));
    set[n++] = RECORD_SET_I("parent", t->id);
    return record_insert(&c->x, k, set, n, &id, err);
}

/* The child target a part belongs to: same county, plant and step. */
static void match(const struct targets *kids, struct asked_part *a)
{
    for (size_t i = 0; i < kids->n; i++) {
        const struct air_target *t = &kids->t[i];
        if (t->territory == a->part.territory && t->enterprise == a->part.enterprise &&
            lt_slice_is(a->process, t->process))
            a->existing = t->id;
    }
}

static enum lt_err share(struct api_call *c, const struct air_target *t, struct asked_part *a, size_t n, bool equal,
                         struct lt_error *err)
{
    struct air_part part[AIR_TARGET_PARTS];
    const unsigned decimals = air_indicator_decimals(t->indicator, air_standard_on(t->end));
    bool additive;
    for (size_t i = 0; i < n; i++)
        part[i] = a[i].part;
    additive = air_parts_additive(part, n);
    for (size_t i = 0; i < n && (additive || equal); i++)
        a[i].part.weight = a[i].part.weight < 0 ? LT_FIX_ONE : a[i].part.weight;
    if (!additive && !equal) {
        enum lt_err e = fill_bases(c, t, a, n, err);
        if (e)
            return e;
    }
    for (size_t i = 0; i < n; i++) {
        part[i] = a[i].part;
        if (equal) {
            part[i].weight = LT_FIX_ONE;
            part[i].base = additive ? part[i].base : LT_FIX_NONE;
        }
    }
    if (!air_parts_share(part, n, lt_fix_round(air_target_limit(t), decimals), decimals))
        return lt_fail(err, LT_E_BAD_INPUT, "parts",
                       "the parts cannot be made to give the whole: too much is fixed, or weights are zero / "
                       "各部分无法合计为总目标：固定值过大或权重为零",
                       NULL, NULL);
    for (size_t i = 0; i < n; i++)
        a[i].part.value = part[i].value;
    return LT_OK;
}

/* Two parts of one county, plant and step would be one target written twice, and the total would not add up. */
static enum lt_err parts_differ(const struct asked_part *a, size_t n, struct lt_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (a[i].part.territory == a[k].part.territory && a[i].part.enterprise == a[k].part.enterprise &&
                lt_slice_eq(a[i].process, a[k].process))
                return lt_fail(err, LT_E_BAD_INPUT, "parts",
                               "two parts are of the same county, plant and step / 两个分解项的区县、企业和工序相同",
                               NULL, NULL);
    return LT_OK;
}

HANDLER(air_parts_post)
{
    static const char *const fields[] = {"method", "parts", NULL};
    struct asked_part a[AIR_TARGET_PARTS];
    struct air_target t;
    struct targets kids = {0};
    struct lt_slice method = LT_LIT("weight");
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = api_body(c, err)) || (e = jsonr_only(c->body, fields, err)) || (e = load_target(c, id, &t, err)) ||
        (e = jsonr_str(c->body, "method", false, 16, &method, err)))
        return e;
    const bool equal = lt_slice_is(method, "equal");
    const json_t *parts = json_object_get(c->body, "parts");
    const size_t n = json_array_size(parts);
    if (!equal && !lt_slice_is(method, "weight"))
        return lt_fail(err, LT_E_FIELD_CHOICE, "method", "method", "", "weight, equal");
    if (n == 0 || n > AIR_TARGET_PARTS)
        return lt_fail(err, LT_E_FIELD_RANGE, "parts", "parts", "1", "100");
    for (size_t i = 0; i < n; i++)
        if ((e = read_part(json_array_get(parts, i), &t, &a[i], err)))
            return e;
    if ((e = parts_differ(a, n, err)) || (e = share(c, &t, a, n, equal, err)) || (e = read_parts(c, id, &kids, err)) ||
        (e = sql_begin(c->t->db, err))) {
        free(kids.t);
        return e;
    }
    for (size_t i = 0; !e && i < n; i++) {
        match(&kids, &a[i]);
        e = write_child(c, &t, &a[i], i, err);
    }
    free(kids.t);
    e = sql_end(c->t->db, e, err);
    return e ? e : write_parts(c, id, err);
}

/* ---- the season's plan ---- */

static void plan_text(const struct api_call *c, const struct air_plan *p, char *ret, size_t cap)
{
    char limit[32], rest[32] = "—", winter[32] = "—";
    const bool en = c->req->lang == LT_EN;
    lt_fix_format_short(p->state.limit, limit);
    for (size_t i = 0; i < p->n; i++)
        if (p->row[i].rest == LT_FIX_NONE || p->last_rest == LT_FIX_NONE || p->row[i].rest <= p->last_rest) {
            lt_fix_format_short(p->row[i].winter, winter);
            if (p->row[i].rest != LT_FIX_NONE)
                lt_fix_format_short(p->row[i].rest, rest);
        }
    if (p->winter_days == 0)
        snprintf(ret, cap, en ? "No winter day is left in the period." : "考核期内已无秋冬季剩余天数。");
    else if (p->rest_days == 0)
        snprintf(ret, cap,
                 en ? "To meet %s, the %d winter days left may have a mean of %s."
                    : "要完成 %s 的目标，剩余 %d 个秋冬季日的均值须控制在 %s 以内。",
                 limit, p->winter_days, winter);
    else
        snprintf(
            ret, cap,
            en ? "To meet %s: if the %d days from April to September have a mean of %s (last year's or just below), "
                 "the %d winter days may have %s."
               : "要完成 %s 的目标：若 4—9 月剩余 %d 天均值为 %s（不高于去年同期），则 %d "
                 "个秋冬季日的均值须控制在 %s 以内。",
            limit, p->rest_days, rest, p->winter_days, winter);
}

HANDLER(air_plan_get)
{
    struct air_ask q;
    struct air_target t;
    struct air_plan p;
    struct jsonw *w = &c->w;
    int64_t id = 0;
    int32_t at;
    char text[400];
    enum lt_err e = api_query_i64(c, "target", 1, INT64_MAX, &id, err);
    if (!e && !id)
        e = lt_fail(err, LT_E_FIELD_REQUIRED, "target", "target", NULL, NULL);
    if (e || (e = target_day(c, &at, err)) || (e = load_target(c, id, &t, err)) || (e = air_ask_open(c, &q, err)))
        return e;
    if (!(e = air_target_plan(&q.look, &t, at, &p, err))) {
        jsonw_object(w);
        jsonw_key(w, "target");
        write_target(c, w, &q.look, &p.state, false);
        jsonw_ki64(w, "version", q.look.version);
        jsonw_ki64(w, "rest_days", p.rest_days);
        jsonw_ki64(w, "winter_days", p.winter_days);
        jsonw_kfix(w, "last_rest", p.last_rest);
        jsonw_kfix(w, "last_winter", p.last_winter);
        jsonw_key(w, "rows");
        jsonw_array(w);
        for (size_t i = 0; i < p.n; i++) {
            jsonw_object(w);
            jsonw_kfix(w, "rest_mean", p.row[i].rest);
            jsonw_kfix(w, "winter_allowed", p.row[i].winter);
            jsonw_object_end(w);
        }
        jsonw_array_end(w);
        plan_text(c, &p, text, sizeof text);
        jsonw_kstr(w, "text", text);
        jsonw_object_end(w);
    }
    air_ask_close(&q);
    return e;
}

/* ---- what if ---- */

static enum lt_err read_assume(const json_t *o, struct air_assume *ret, struct lt_error *err)
{
    static const char *const kinds[] = {"value", "days_back", "months_back", "last_year"};
    struct lt_slice kind = {0};
    int64_t days = 0, back = 0;
    unsigned k = 0;
    bool any = false;
    if (!json_is_object(o))
        return lt_fail(err, LT_E_FIELD_TYPE, "assume", "assume", "object", NULL);
    static const char *const fields[] = {"kind", "days", "back", "PM25", "PM10", "SO2", "NO2", "CO", "O3", NULL};
    enum lt_err e = jsonr_only(o, fields, err); /* a misspelt one would be assumed to be as on the last day */
    if (e || (e = jsonr_str(o, "kind", true, 16, &kind, err)) || (e = jsonr_i64(o, "days", true, 1, 366, &days, err)) ||
        (e = jsonr_i64(o, "back", false, 1, 366, &back, err)))
        return e;
    while (k < 4 && !lt_slice_is(kind, kinds[k]))
        k++;
    if (k == 4)
        return lt_fail(err, LT_E_FIELD_CHOICE, "kind", "kind", "", "value, days_back, months_back, last_year");
    *ret = (struct air_assume){.kind = (enum air_assume_kind)k, .days = (int)days, .back = (int)back};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        ret->value[p] = LT_FIX_NONE;
        if ((e = fix_of(o, airq_pollutant_name((enum airq_pollutant)p), &ret->value[p], err)))
            return e;
        const int64_t most = airq_most((enum airq_pollutant)p) * airq_tick((enum airq_pollutant)p);
        if (ret->value[p] != LT_FIX_NONE && (ret->value[p] < 0 || ret->value[p] > most))
            return lt_fail(err, LT_E_FIELD_RANGE, airq_pollutant_name((enum airq_pollutant)p),
                           airq_pollutant_name((enum airq_pollutant)p), "0", p == AIRQ_CO ? "150" : "10000");
        any = any || ret->value[p] != LT_FIX_NONE;
    }
    if (k == AIR_ASSUME_VALUE && !any)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "PM25", "PM25", NULL, NULL);
    if ((k == AIR_ASSUME_DAYS_BACK || k == AIR_ASSUME_MONTHS_BACK) &&
        (back == 0 || (k == AIR_ASSUME_MONTHS_BACK && back > 12)))
        return lt_fail(err, LT_E_FIELD_RANGE, "back", "back", "1", k == AIR_ASSUME_MONTHS_BACK ? "12" : "366");
    return LT_OK;
}

static void write_assumed(struct api_call *c, const struct airq_standard *s, int32_t at, const struct airq_day *d,
                          size_t n)
{
    struct jsonw *w = &c->w;
    jsonw_key(w, "days");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++) {
        struct airq_result x;
        air_day_index(s, &d[i], &x);
        jsonw_object(w);
        air_write_day(w, "day", at + 1 + (int32_t)i);
        jsonw_kbool(w, "assumed", true);
        air_write_count(w, "aqi", x.aqi);
        jsonw_kstr(w, "category", air_category(x.level));
        for (int k = 0; k < AIRQ_POLLUTANTS; k++)
            jsonw_kfix(w, airq_pollutant_name(air_order[k]), d[i].judged[air_order[k]]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

struct what_if {
    struct api_call *c;
    struct air_ask *q;
    struct air_target t;
    int32_t at;
    struct air_assume assume[AIR_ASSUME_MAX];
    size_t n;
    struct airq_day *day;
    size_t days;
};

/* Before and after for one territory. The days assumed stay in x->day. */
static enum lt_err both(struct what_if *x, const struct air_target *t, bool deep, struct air_target_state *before,
                        struct air_target_state *after, struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, t->territory);
    free(x->day);
    x->day = NULL;
    enum lt_err e = air_target_eval(&x->q->look, t, x->at, NULL, 0, deep, before, err);
    if (!e)
        e = air_assume_days(&x->q->look, &sc, air_standard_on(t->end), x->at, t->end, x->assume, x->n, &x->day,
                            &x->days, err);
    if (!e)
        e = air_target_eval(&x->q->look, t, x->at, x->day, x->days, deep, after, err);
    return e;
}

static enum lt_err write_counties(struct what_if *x, struct lt_error *err)
{
    struct jsonw *w = &x->c->w;
    const struct air_look *l = &x->q->look;
    enum lt_err e = LT_OK;
    jsonw_key(w, "counties");
    jsonw_array(w);
    for (size_t i = 0; !e && i < l->n_territory; i++) {
        const struct air_territory *t = &l->territory[i];
        struct air_target one = x->t;
        struct air_target_state before, after;
        bool counts = false;
        for (size_t k = 0; k < l->n_station && !counts; k++)
            counts = t->parent == x->t.territory && air_counts(l, &l->station[k], t);
        if (!counts)
            continue;
        one.territory = t->id;
        if ((e = both(x, &one, false, &before, &after, err)))
            break;
        jsonw_object(w);
        jsonw_ki64(w, "territory", t->id);
        jsonw_kstr(w, "name", air_name(x->c, t->name, t->name_en));
        jsonw_kfix(w, "before", before.now);
        jsonw_kfix(w, "after", after.now);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    return e;
}

static void what_if_text(const struct what_if *x, const struct air_target_state *a, const struct air_target_state *b,
                         char *ret, size_t cap)
{
    char was[32] = "—", is[32] = "—", left_was[32] = "—", left_is[32] = "—";
    const bool en = x->c->req->lang == LT_EN;
    if (a->now != LT_FIX_NONE)
        lt_fix_format_short(a->now, was);
    if (b->now != LT_FIX_NONE)
        lt_fix_format_short(b->now, is);
    if (a->allowed_left != LT_FIX_NONE)
        lt_fix_format_short(a->allowed_left, left_was);
    if (b->allowed_left != LT_FIX_NONE)
        lt_fix_format_short(b->allowed_left, left_is);
    if (en)
        snprintf(ret, cap, "%s goes from %s to %s after %zu assumed days; the %d days then left may have %s (now: %s).",
                 air_indicator_label(x->t.indicator, LT_EN), was, is, x->days, b->days_left, left_is, left_was);
    else
        snprintf(ret, cap, "%s：假设 %zu 天后由 %s 变为 %s，其后剩余 %d 天控制值 %s（目前 %s）。",
                 air_indicator_label(x->t.indicator, LT_ZH), x->days, was, is, b->days_left, left_is, left_was);
}

static enum lt_err write_what_if(struct what_if *x, struct lt_error *err)
{
    struct jsonw *w = &x->c->w;
    struct air_target_state before, after;
    char text[400];
    enum lt_err e = both(x, &x->t, true, &before, &after, err);
    if (e)
        return e;
    jsonw_object(w);
    jsonw_ki64(w, "version", x->q->look.version);
    jsonw_key(w, "before");
    write_target(x->c, w, &x->q->look, &before, false);
    jsonw_key(w, "after");
    write_target(x->c, w, &x->q->look, &after, false);
    write_assumed(x->c, air_standard_on(x->t.end), x->at, x->day, x->days);
    what_if_text(x, &before, &after, text, sizeof text);
    jsonw_kstr(w, "text", text);
    e = write_counties(x, err);
    jsonw_object_end(w);
    return e;
}

HANDLER(air_whatif_post)
{
    static const char *const fields[] = {"target", "at", "assume", NULL};
    struct air_ask q;
    struct what_if x = {.c = c, .q = &q};
    int64_t id = 0, at_ms = 0;
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, fields, err)) ||
        (e = jsonr_i64(c->body, "target", true, 1, INT64_MAX, &id, err)) ||
        (e = jsonr_time(c->body, "at", false, c->a->cfg.tz_min, &at_ms, err)) || (e = load_target(c, id, &x.t, err)))
        return e;
    x.at = at_ms ? air_day_of(at_ms, c->a->cfg.tz_min) : air_day_of(c->now_ms, c->a->cfg.tz_min) - 1;
    const json_t *list = json_object_get(c->body, "assume");
    x.n = json_array_size(list);
    if (x.n == 0 || x.n > AIR_ASSUME_MAX)
        return lt_fail(err, LT_E_FIELD_RANGE, "assume", "assume", "1", "16");
    for (size_t i = 0; i < x.n; i++)
        if ((e = read_assume(json_array_get(list, i), &x.assume[i], err)))
            return e;
    if (x.t.enterprise || x.t.process[0])
        return lt_fail(err, LT_E_FIELD_CHOICE, "target", "target", "a plant's share / 企业分解指标",
                       "targets of a territory / 辖区目标");
    if ((e = air_ask_open(c, &q, err)))
        return e;
    e = write_what_if(&x, err);
    free(x.day);
    air_ask_close(&q);
    return e;
}

/* ---- rankings ---- */

static enum lt_err load_scheme(struct api_call *c, struct air_rank_scheme *ret, struct lt_error *err)
{
    const struct record_kind *k = api_kind("rank_scheme");
    const struct lt_slice v = http_query(c->req, "scheme");
    struct record_row row;
    int64_t id = 0;
    size_t n = 0;
    char shown[40];
    if (v.n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "scheme", "scheme", NULL, NULL);
    const struct api_equal eq = {"code", v};
    enum lt_err e = api_ids(c, k, &eq, 1, &id, 1, &n, err); /* a code may be all digits: "168" */
    if (e)
        return e;
    if (n == 0 && !lt_text_to_i64(v, &id)) {
        lt_text_copy_slice(shown, sizeof shown, v);
        return lt_fail(err, LT_E_NOT_FOUND, "scheme", "scheme", shown, NULL);
    }
    if ((e = record_load(&c->x, k, id, &row, err)))
        return e;
    e = air_rank_scheme_of_row(&row, ret, err);
    record_row_fini(&row);
    return e;
}

static void write_to_next(struct api_call *c, struct jsonw *w, const struct air_rank *r, const struct air_rank_item *x)
{
    jsonw_key(w, "to_next");
    if (x->next < 0) {
        jsonw_null(w);
        return;
    }
    const enum air_rank_by by = r->scheme.key[x->next_key].by;
    jsonw_object(w);
    jsonw_kstr(w, "name", r->item[x->next].name);
    jsonw_kstr(w, "key", air_rank_by_name(by));
    jsonw_kstr(w, "key_name", air_rank_by_label(by, c->req->lang));
    jsonw_kfix(w, "gap", x->gap);
    jsonw_kfix(w, "pm25_ugm3", x->pm25_lower);
    air_write_count(w, "good_days", x->good_days_more);
    jsonw_object_end(w);
}

static void write_rank(struct jsonw *w, const char *key, int rank)
{
    air_write_count(w, key, rank > 0 ? rank : -1);
}

static void write_item(struct api_call *c, const struct air_rank *r, const struct air_rank_item *x)
{
    static const char *const kinds[] = {"territory", "station", "peer"};
    struct jsonw *w = &c->w;
    jsonw_object(w);
    write_rank(w, "rank", x->rank);
    jsonw_kbool(w, "tied", x->tied);
    jsonw_key(w, "member");
    jsonw_object(w);
    jsonw_kstr(w, "kind", kinds[x->kind]);
    if (x->id)
        jsonw_ki64(w, "id", x->id);
    else
        jsonw_knull(w, "id");
    jsonw_kstr(w, "name", x->name);
    jsonw_kbool(w, "own", x->own);
    jsonw_object_end(w);
    jsonw_kfix(w, "composite_index", x->now.composite);
    jsonw_kfix(w, "good_share_pct", x->now.good_share);
    air_write_count(w, "days_good", x->now.days_good);
    air_write_count(w, "days_valid", x->now.days_valid);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        jsonw_kfix(w, airq_pollutant_name(air_order[i]), x->now.value[air_order[i]]);
    write_rank(w, "rank_before", x->rank_before);
    if (x->rank && x->rank_before)
        jsonw_ki64(w, "move", x->rank_before - x->rank);
    else
        jsonw_knull(w, "move");
    jsonw_key(w, "change");
    jsonw_object(w);
    air_write_change(w, "composite_index", AIRQ_CHANGE_VALUE, x->year.composite, x->now.composite, false, c->req->lang);
    air_write_change(w, "PM25", AIRQ_CHANGE_VALUE, x->year.value[AIRQ_PM25], x->now.value[AIRQ_PM25], false,
                     c->req->lang);
    air_write_change(w, "good_share_pct", AIRQ_CHANGE_SHARE, x->year.good_share, x->now.good_share, true, c->req->lang);
    jsonw_object_end(w);
    write_rank(w, "improve_rank", x->improve_rank);
    write_to_next(c, w, r, x);
    jsonw_object_end(w);
}

static void write_names(struct jsonw *w, const char *key, const struct air_rank *r, bool best)
{
    int last = 0, most = best ? r->scheme.best : r->scheme.worst;
    for (size_t i = 0; i < r->n; i++)
        last = r->item[i].rank > 0 ? (int)i + 1 : last;
    jsonw_key(w, key);
    jsonw_array(w);
    for (int i = 0; i < last; i++) /* a rank that is shared at the edge is named whole */
        if (best ? r->item[i].rank <= most
                 : i >= last - most || r->item[i].rank >= r->item[last - most > 0 ? last - most : 0].rank)
            if (most > 0)
                jsonw_str(w, r->item[i].name);
    jsonw_array_end(w);
}

static void write_ranking(struct api_call *c, const struct air_ask *q, const struct air_rank *r)
{
    struct jsonw *w = &c->w;
    jsonw_object(w);
    jsonw_key(w, "scheme");
    jsonw_object(w);
    jsonw_ki64(w, "id", r->scheme.id);
    jsonw_kstr(w, "code", r->scheme.code);
    jsonw_kstr(w, "name", air_name(c, r->scheme.name, r->scheme.name_en));
    jsonw_kstr(w, "member", r->scheme.member);
    jsonw_kstr(w, "keys", r->scheme.keys);
    jsonw_ki64(w, "best", r->scheme.best);
    jsonw_ki64(w, "worst", r->scheme.worst);
    jsonw_kstr(w, "note", r->scheme.note);
    jsonw_object_end(w);
    air_write_day(w, "from", r->from);
    air_write_day(w, "to", r->to);
    jsonw_key(w, "before");
    if (r->has_before) {
        jsonw_object(w);
        air_write_day(w, "from", r->before_from);
        air_write_day(w, "to", r->before_to);
        jsonw_object_end(w);
    } else {
        jsonw_null(w);
    }
    jsonw_kstr(w, "standard", air_standard_name(r->standard));
    jsonw_ki64(w, "version", q->look.version);
    jsonw_kbool(w, "invented", r->invented);
    jsonw_key(w, "items");
    jsonw_array(w);
    for (size_t i = 0; i < r->n; i++)
        write_item(c, r, &r->item[i]);
    jsonw_array_end(w);
    write_names(w, "best", r, true);
    write_names(w, "worst", r, false);
    jsonw_object_end(w);
}

HANDLER(air_ranking_get)
{
    struct air_ask q;
    struct air_rank_scheme s;
    struct air_rank r;
    enum lt_err e = load_scheme(c, &s, err);
    if (e || (e = air_ask_open(c, &q, err)))
        return e;
    if (!(e = air_ask_period(c, &q, 3700, err)) &&
        !(e = air_rank_make(&q.look, &s, air_own_city(&q.look), q.kind, q.from, q.to, c->req->lang, &r, err))) {
        write_ranking(c, &q, &r);
        air_rank_fini(&r);
    }
    air_ask_close(&q);
    return e;
}
