/* Figures of the air: days, periods, the course of a day, series, the board. */
#include "api/api_air.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAYS_MOST = 3700, PERIOD_MOST = 3700, SERIES_MOST = 400, DIURNAL_MOST = 400 };

/* ---- what is asked ---- */

enum lt_err air_ask_open(struct api_call *c, struct air_ask *q, struct lt_error *err)
{
    int64_t version = 0;
    memset(q, 0, sizeof *q);
    q->dust_name = "habit";
    if (!c->a->deps.air || !c->a->deps.figures)
        return api_missing("air", err);
    enum lt_err e = api_query_i64(c, "version", 1, INT64_MAX, &version, err);
    return e ? e : air_look_open(c->a->deps.figures, c->a->deps.air, c->t->db, version, &q->look, err);
}

void air_ask_close(struct air_ask *q)
{
    air_look_close(&q->look);
}

int64_t air_own_city(const struct air_look *l)
{
    const struct air_territory *best = NULL;
    for (size_t i = 0; i < l->n_territory; i++)
        if (strcmp(l->territory[i].level, "city") == 0 && !best)
            best = &l->territory[i];
    return best ? best->id : l->n_territory ? l->territory[0].id : 0;
}

enum lt_err air_ask_scope(struct api_call *c, struct air_ask *q, struct lt_error *err)
{
    static const char *const standards[] = {"2012", "2026t", "2026f", NULL}, *const roundings[] = {"stepwise", "final",
                                                                                                   NULL};
    static const char *const dusts[] = {"habit", "deducted", "kept", NULL};
    int standard = -1, rounding = 0, dust = 0;
    const struct lt_slice scope = http_query(c->req, "scope");
    const int64_t city = air_own_city(&q->look);
    enum lt_err e = api_query_choice(c, "standard", standards, &standard, err);
    if (!e)
        e = api_query_choice(c, "rounding", roundings, &rounding, err);
    if (!e)
        e = api_query_choice(c, "dust", dusts, &dust, err);
    if (e)
        return e;
    q->standard = standard < 0 ? NULL : airq_standard_find(lt_slice_of(standards[standard]));
    q->rounding = (enum airq_rounding)rounding;
    q->dust = (enum air_dust)dust;
    q->dust_name = dusts[dust];
    if (scope.n)
        e = air_scope_parse(&q->look, scope, &q->scope, err);
    else if (city)
        q->scope = air_scope_of(AIR_SCOPE_TERRITORY, city);
    else
        e = lt_fail(err, LT_E_NOT_FOUND, "scope", "territory", "", NULL);
    if (!e && c->who.enterprise && (q->scope.kind != AIR_SCOPE_TERRITORY || q->scope.id[0] != city))
        e = lt_fail(err, LT_E_DENIED_TERRITORY, "scope", "scope", NULL, NULL);
    return e;
}

enum lt_err air_query_day(const struct api_call *c, const char *name, int32_t *ret, struct lt_error *err)
{
    int day = 0;
    enum lt_err e = api_query_day(c, name, &day, err);
    if (!e && day)
        *ret = air_day(day / 10000, day / 100 % 100, day % 100);
    return e;
}

enum lt_err air_ask_period(struct api_call *c, struct air_ask *q, int32_t most_days, struct lt_error *err)
{
    const struct lt_slice name = http_query(c->req, "period");
    char shown[32];
    int64_t whole = 0;
    int32_t day = air_day_of(c->now_ms, c->a->cfg.tz_min) - 1;
    q->from = q->to = INT32_MIN;
    q->kind = AIR_FREE;
    enum lt_err e = api_query_i64(c, "whole", 0, 1, &whole, err);
    if (!e)
        e = air_query_day(c, "day", &day, err);
    if (!e)
        e = air_query_day(c, "from", &q->from, err);
    if (!e)
        e = air_query_day(c, "to", &q->to, err);
    if (e)
        return e;
    if (name.n && !air_period_find(name, &q->kind)) {
        lt_text_copy_slice(shown, sizeof shown, name);
        return lt_fail(err, LT_E_FIELD_CHOICE, "period", "period", shown,
                       "day, week, ten_day, month, quarter, season, year, ytd, free");
    }
    if (q->from == INT32_MIN && q->to == INT32_MIN && name.n && q->kind != AIR_FREE) {
        air_period_of(q->kind, day, &q->from, &q->to);
        if (!whole && day < q->to)
            q->to = day;
    }
    if (q->from == INT32_MIN || q->to == INT32_MIN)
        return lt_fail(err, LT_E_FIELD_REQUIRED, q->from == INT32_MIN ? "from" : "to",
                       q->from == INT32_MIN ? "from" : "to", NULL, NULL);
    if (q->to < q->from || q->to - q->from >= most_days) {
        snprintf(shown, sizeof shown, "from + %d d", (int)most_days);
        return lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", shown);
    }
    return LT_OK;
}

const struct airq_standard *air_ask_standard(const struct air_ask *q, int32_t to)
{
    return q->standard ? q->standard : air_standard_on(to);
}

/* Opens all three; on failure nothing stays open. */
static enum lt_err ask(struct api_call *c, struct air_ask *q, int32_t most_days, struct lt_error *err)
{
    enum lt_err e = air_ask_open(c, q, err);
    if (e)
        return e;
    e = air_ask_scope(c, q, err);
    if (!e)
        e = air_ask_period(c, q, most_days, err);
    if (e)
        air_ask_close(q);
    return e;
}

/* ---- days ---- */

HANDLER(air_days_get)
{
    struct air_ask q;
    struct air_days d;
    enum lt_err e = ask(c, &q, DAYS_MOST, err);
    if (e)
        return e;
    e = air_days_make(&q.look, &q.scope, q.from, q.to, q.standard, q.rounding, &d, err);
    if (!e) {
        struct jsonw *w = &c->w;
        jsonw_object(w);
        air_write_scope(c, w, &q.look, &q.scope);
        air_write_day(w, "from", q.from);
        air_write_day(w, "to", q.to);
        jsonw_kstr(w, "rounding", q.rounding == AIRQ_FINAL ? "final" : "stepwise");
        jsonw_kstr(w, "dust", q.dust_name);
        jsonw_ki64(w, "version", q.look.version);
        jsonw_key(w, "items");
        jsonw_array(w);
        for (size_t i = 0; i < d.n; i++)
            air_write_days_item(w, &d, i, q.standard, q.dust);
        jsonw_array_end(w);
        jsonw_object_end(w);
        air_days_fini(&d);
    }
    air_ask_close(&q);
    return e;
}

/* ---- periods ---- */

struct period { /* one answer */
    struct api_call *c;
    struct air_ask *q;
    struct air_days d;
    struct air_figure now, kept, deducted, year, before;
    const struct airq_standard *standard;
    int32_t year_from, year_to, before_from, before_to;
    bool has_before;
};

static enum lt_err figure(struct period *p, int32_t from, int32_t to, struct air_figure *ret, struct lt_error *err)
{
    return air_figure_make(&p->q->look, &p->q->scope, from, to, air_ask_standard(p->q, to), p->q->rounding, p->q->dust,
                           ret, err);
}

static enum lt_err make_period(struct period *p, struct lt_error *err)
{
    struct air_ask *q = p->q;
    p->standard = air_ask_standard(q, q->to);
    air_period_year_before(q->from, q->to, &p->year_from, &p->year_to);
    p->has_before = air_period_before(q->kind, q->from, q->to, &p->before_from, &p->before_to);
    enum lt_err e = air_days_make(&q->look, &q->scope, q->from, q->to, p->standard, q->rounding, &p->d, err);
    if (e)
        return e;
    e = air_figure_of(&p->d, q->from, q->to, p->standard, q->rounding, q->dust, &p->now, err);
    if (!e)
        e = air_figure_of(&p->d, q->from, q->to, p->standard, q->rounding, AIR_DUST_KEPT, &p->kept, err);
    if (!e)
        e = air_figure_of(&p->d, q->from, q->to, p->standard, q->rounding, AIR_DUST_DEDUCTED, &p->deducted, err);
    if (!e)
        e = figure(p, p->year_from, p->year_to, &p->year, err);
    if (!e && p->has_before)
        e = figure(p, p->before_from, p->before_to, &p->before, err);
    return e;
}

static void write_compare(struct period *p, const char *key, const struct air_figure *f, bool there)
{
    struct jsonw *w = &p->c->w;
    jsonw_key(w, key);
    if (!there) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    air_write_day(w, "from", f->from);
    air_write_day(w, "to", f->to);
    jsonw_kstr(w, "standard", air_standard_name(f->standard));
    jsonw_kbool(w, "standard_differs", f->standard != p->standard);
    jsonw_kbool(w, "crosses_2018", air_crosses_2018(f->from, p->q->to));
    jsonw_key(w, "figures");
    air_write_figures(w, f);
    air_write_changes(w, f, &p->now, p->c->req->lang);
    jsonw_object_end(w);
}

static enum lt_err write_gaps(struct period *p, struct lt_error *err)
{
    struct jsonw *w = &p->c->w;
    struct airq_gap gap[200]; /* ten years of months, and then some: the rest is counted by statistics_valid */
    struct airq_day *days = malloc(p->d.n * sizeof *days);
    if (!days)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < p->d.n; i++)
        days[i] = air_day_as(&p->d, i, p->q->dust);
    const size_t n = airq_gaps(days, p->d.n, p->d.from, gap, 200);
    free(days);
    jsonw_kbool(w, "statistics_valid", n == 0);
    jsonw_key(w, "gaps");
    jsonw_array(w);
    for (size_t i = 0; i < n && i < 200; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "pollutant",
                   gap[i].pollutant == AIRQ_POLLUTANTS ? NULL
                                                       : airq_pollutant_name((enum airq_pollutant)gap[i].pollutant));
        jsonw_ki64(w, "year", gap[i].year);
        jsonw_ki64(w, "month", gap[i].month);
        jsonw_ki64(w, "days", gap[i].days);
        jsonw_ki64(w, "needed", gap[i].needed);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    return LT_OK;
}

static void write_hours(struct period *p)
{
    struct jsonw *w = &p->c->w;
    int64_t hours = 0, expected = 0, values = 0, reviewed = 0, dust = 0;
    for (size_t i = 0; i < p->d.n; i++) {
        hours += p->d.info[i].hours;
        expected += p->d.info[i].stations * INT64_C(24);
        values += p->d.info[i].values;
        reviewed += p->d.info[i].reviewed;
        dust += p->d.info[i].dust;
    }
    jsonw_ki64(w, "dust_days", dust);
    jsonw_ki64(w, "hours", hours);
    jsonw_ki64(w, "hours_expected", expected);
    jsonw_ki64(w, "values_n", values);
    jsonw_ki64(w, "values_reviewed", reviewed);
    jsonw_kfix(w, "reviewed_share_pct", airq_share_pct(reviewed, values));
    jsonw_kbool(w, "preliminary", reviewed < values);
}

static enum lt_err write_months(struct period *p, struct lt_error *err)
{
    struct jsonw *w = &p->c->w;
    enum lt_err e = LT_OK;
    jsonw_key(w, "months");
    jsonw_array(w);
    for (int32_t from = p->q->from; !e && from <= p->q->to;) {
        int32_t a, b;
        struct air_figure f;
        int y, m, d;
        char month[16];
        air_period_of(AIR_MONTH, from, &a, &b);
        const int32_t end = b < p->q->to ? b : p->q->to;
        if (!(e = air_figure_of(&p->d, from, end, p->standard, p->q->rounding, p->q->dust, &f, err))) {
            air_civil(from, &y, &m, &d);
            snprintf(month, sizeof month, "%04d-%02d", y, m);
            jsonw_object(w);
            jsonw_kstr(w, "month", month);
            air_write_short(w, &f);
            jsonw_object_end(w);
        }
        from = b + 1;
    }
    jsonw_array_end(w);
    return e;
}

static enum lt_err write_period(struct period *p, struct lt_error *err)
{
    struct jsonw *w = &p->c->w;
    const struct air_ask *q = p->q;
    int32_t month_from, month_to;
    enum lt_err e;
    air_period_of(AIR_MONTH, q->from, &month_from, &month_to);
    jsonw_object(w);
    air_write_scope(p->c, w, &q->look, &q->scope);
    jsonw_kstr(w, "period", air_period_name(q->kind));
    air_write_day(w, "from", q->from);
    air_write_day(w, "to", q->to);
    jsonw_ki64(w, "days", q->to - q->from + 1);
    jsonw_kstr(w, "standard", air_standard_name(p->standard));
    jsonw_kstr(w, "rounding", q->rounding == AIRQ_FINAL ? "final" : "stepwise");
    jsonw_kstr(w, "dust", q->dust_name);
    jsonw_ki64(w, "version", q->look.version);
    jsonw_ktime(w, "at", p->c->now_ms, p->c->a->cfg.tz_min);
    jsonw_key(w, "figures");
    air_write_figures(w, &p->now);
    jsonw_key(w, "figures_kept");
    air_write_figures(w, &p->kept);
    jsonw_key(w, "figures_deducted");
    air_write_figures(w, &p->deducted);
    write_compare(p, "yoy", &p->year, true);
    write_compare(p, "mom", &p->before, p->has_before);
    write_hours(p);
    jsonw_kbool(w, "crosses_2018", air_crosses_2018(q->from, q->to));
    jsonw_key(w, "attained");
    if (p->now.attained.overall == AIRQ_UNKNOWN)
        jsonw_null(w);
    else
        jsonw_bool(w, p->now.attained.overall == AIRQ_ATTAINED);
    if ((e = write_gaps(p, err)))
        return e;
    if (q->to > month_to && (e = write_months(p, err)))
        return e;
    jsonw_object_end(w);
    return LT_OK;
}

HANDLER(air_period_get)
{
    struct air_ask q;
    struct period p = {.c = c, .q = &q};
    enum lt_err e = ask(c, &q, PERIOD_MOST, err);
    if (e)
        return e;
    e = make_period(&p, err);
    if (!e)
        e = write_period(&p, err);
    air_days_fini(&p.d);
    air_ask_close(&q);
    return e;
}

/* ---- series of periods ---- */

HANDLER(air_series_get)
{
    struct air_ask q;
    enum air_period_kind step = AIR_MONTH;
    const struct lt_slice name = http_query(c->req, "step");
    struct jsonw *w = &c->w;
    struct period p = {.c = c, .q = &q};
    int n = 0;
    if (name.n && (!air_period_find(name, &step) || step == AIR_YTD || step == AIR_FREE || step == AIR_DAY))
        return lt_fail(err, LT_E_FIELD_CHOICE, "step", "step", "", "week, ten_day, month, quarter, season, year");
    enum lt_err e = ask(c, &q, AIR_DAYS_MAX, err);
    if (e)
        return e;
    jsonw_object(w);
    air_write_scope(c, w, &q.look, &q.scope);
    jsonw_kstr(w, "step", air_period_name(step));
    jsonw_ki64(w, "version", q.look.version);
    jsonw_key(w, "items");
    jsonw_array(w);
    for (int32_t from = q.from; !e && from <= q.to && n < SERIES_MOST; n++) {
        int32_t a, b, ya, yb;
        struct air_figure now, year;
        air_period_of(step, from, &a, &b);
        if (b < from) { /* between two seasons */
            air_period_of(step, from = b + 184, &a, &b);
            from = a;
        }
        if (from > q.to)
            break;
        const int32_t end = b < q.to ? b : q.to;
        air_period_year_before(from, end, &ya, &yb);
        if (!(e = figure(&p, from, end, &now, err)) && !(e = figure(&p, ya, yb, &year, err))) {
            jsonw_object(w);
            air_write_day(w, "from", from);
            air_write_day(w, "to", end);
            air_write_short(w, &now);
            jsonw_key(w, "yoy");
            jsonw_object(w);
            air_write_short(w, &year);
            jsonw_object_end(w);
            jsonw_object_end(w);
        }
        from = b + 1;
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
    air_ask_close(&q);
    return e;
}

/* ---- the course of a day ---- */

struct course {
    int64_t sum[24][AIRQ_POLLUTANTS], n[24][AIRQ_POLLUTANTS];
    int64_t week_sum[7][AIRQ_POLLUTANTS], week_n[7][AIRQ_POLLUTANTS];
};

static bool on_block(void *user, int32_t day, const struct air_block *b)
{
    struct course *x = user;
    const int weekday = (int)((day + 3) % 7); /* 1970-01-01 was a Thursday; 0: Monday */
    for (int h = 0; h < 24; h++)
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            if (b->value[h][p] != AIR_NONE && !(b->state[h][p] & AIR_INVALID)) {
                x->sum[h][p] += b->value[h][p];
                x->n[h][p]++;
                x->week_sum[weekday][p] += b->value[h][p];
                x->week_n[weekday][p]++;
            }
    return true;
}

static void write_course(struct jsonw *w, const int64_t *sum, const int64_t *n)
{
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        const enum airq_pollutant p = air_order[i];
        const int64_t unit = p == AIRQ_CO ? 10000 : 100000; /* means of many: one digit more than the hour has */
        jsonw_kfix(w, airq_pollutant_name(p),
                   n[p] ? lt_div_half_even((lt_i128)sum[p] * airq_tick(p), (lt_i128)n[p] * unit) * unit : AIRQ_NONE);
    }
}

static enum lt_err read_course(struct air_ask *q, struct course *x, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < q->look.n_station; i++) {
        const struct air_station *s = &q->look.station[i];
        if (air_in_scope(&q->look, &q->scope, s))
            e = air_blocks(q->look.db, s->id, q->from, q->to, q->look.as_of, on_block, x, err);
    }
    return e;
}

HANDLER(air_diurnal_get)
{
    struct air_ask q;
    struct jsonw *w = &c->w;
    enum lt_err e = ask(c, &q, DIURNAL_MOST, err);
    if (e)
        return e;
    struct course *x = calloc(1, sizeof *x);
    e = x ? read_course(&q, x, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e) {
        jsonw_object(w);
        air_write_scope(c, w, &q.look, &q.scope);
        air_write_day(w, "from", q.from);
        air_write_day(w, "to", q.to);
        jsonw_ki64(w, "version", q.look.version);
        jsonw_key(w, "hours");
        jsonw_array(w);
        for (int h = 0; h < 24; h++) {
            jsonw_object(w);
            jsonw_ki64(w, "hour", h);
            write_course(w, x->sum[h], x->n[h]);
            jsonw_key(w, "n");
            jsonw_object(w);
            for (int i = 0; i < AIRQ_POLLUTANTS; i++)
                jsonw_ki64(w, airq_pollutant_name(air_order[i]), x->n[h][air_order[i]]);
            jsonw_object_end(w);
            jsonw_object_end(w);
        }
        jsonw_array_end(w);
        jsonw_key(w, "weekdays");
        jsonw_array(w);
        for (int d = 0; d < 7; d++) {
            jsonw_object(w);
            jsonw_ki64(w, "weekday", d + 1);
            write_course(w, x->week_sum[d], x->week_n[d]);
            jsonw_object_end(w);
        }
        jsonw_array_end(w);
        jsonw_object_end(w);
    }
    free(x);
    air_ask_close(&q);
    return e;
}

/* ---- the board: city and counties at a glance ---- */

static enum lt_err board_span(struct period *p, const char *key, enum air_period_kind kind, int32_t day,
                              struct air_figure *ret, struct lt_error *err)
{
    struct jsonw *w = &p->c->w;
    int32_t from, to;
    air_period_of(kind, day, &from, &to);
    enum lt_err e = figure(p, from, day, ret, err);
    if (e)
        return e;
    jsonw_key(w, key);
    jsonw_object(w);
    air_write_day(w, "from", from);
    air_write_day(w, "to", day);
    air_write_short(w, ret);
    jsonw_object_end(w);
    return LT_OK;
}

static enum lt_err board_row(struct period *p, const struct air_territory *t, int32_t day, struct lt_error *err)
{
    struct jsonw *w = &p->c->w;
    struct air_days d;
    struct air_figure month, ytd, year;
    int32_t from, to, ya, yb;
    p->q->scope = air_scope_of(AIR_SCOPE_TERRITORY, t->id);
    enum lt_err e = air_days_make(&p->q->look, &p->q->scope, day, day, NULL, AIRQ_STEPWISE, &d, err);
    if (e)
        return e;
    jsonw_object(w);
    jsonw_ki64(w, "territory", t->id);
    jsonw_kstr(w, "name", air_name(p->c, t->name, t->name_en));
    jsonw_kstr(w, "level", t->level);
    jsonw_key(w, "day");
    air_write_days_item(w, &d, 0, NULL, AIR_DUST_HABIT);
    air_days_fini(&d);
    e = board_span(p, "month", AIR_MONTH, day, &month, err);
    if (!e)
        e = board_span(p, "ytd", AIR_YTD, day, &ytd, err);
    air_period_of(AIR_YTD, day, &from, &to);
    air_period_year_before(from, day, &ya, &yb);
    if (!e && !(e = figure(p, ya, yb, &year, err))) {
        jsonw_key(w, "yoy");
        jsonw_object(w);
        air_write_change(w, "PM25", AIRQ_CHANGE_VALUE, air_figure_value(&year, AIRQ_PM25),
                         air_figure_value(&ytd, AIRQ_PM25), false, p->c->req->lang);
        air_write_change(w, "composite_index", AIRQ_CHANGE_VALUE, year.p.composite, ytd.p.composite, false,
                         p->c->req->lang);
        air_write_change(w, "good_share_pct", AIRQ_CHANGE_SHARE, year.p.good_share_pct, ytd.p.good_share_pct, true,
                         p->c->req->lang);
        air_write_change(w, "days_good", AIRQ_CHANGE_COUNT,
                         year.p.days_valid ? year.p.days_good * INT64_C(1000000) : AIRQ_NONE,
                         ytd.p.days_valid ? ytd.p.days_good * INT64_C(1000000) : AIRQ_NONE, true, p->c->req->lang);
        jsonw_object_end(w);
    }
    jsonw_object_end(w);
    return e;
}

HANDLER(air_board_get)
{
    struct air_ask q;
    struct period p = {.c = c, .q = &q};
    struct jsonw *w = &c->w;
    int32_t day = air_day_of(c->now_ms, c->a->cfg.tz_min) - 1;
    enum lt_err e = air_query_day(c, "day", &day, err);
    if (e || (e = air_ask_open(c, &q, err)))
        return e;
    const int64_t city = air_own_city(&q.look);
    jsonw_object(w);
    air_write_day(w, "day", day);
    jsonw_ki64(w, "version", q.look.version);
    jsonw_key(w, "items");
    jsonw_array(w);
    for (int pass = 0; pass < 2; pass++) /* the city first */
        for (size_t i = 0; !e && i < q.look.n_territory; i++) {
            const struct air_territory *t = &q.look.territory[i];
            bool counts = t->id == city;
            for (size_t k = 0; k < q.look.n_station && !counts; k++)
                counts = strcmp(t->level, "county") == 0 && air_counts(&q.look, &q.look.station[k], t);
            if (counts && (t->id == city) == (pass == 0) && (pass == 0 || !c->who.enterprise))
                e = board_row(&p, t, day, err);
        }
    jsonw_array_end(w);
    jsonw_object_end(w);
    air_ask_close(&q);
    return e;
}
