/* How likely a target is, and what the days left may hold: from the same days of past years. */
#include "air/air_figure_priv.h"
#include "air/air_target_priv.h"
#include "base/rand.h"

#include <stdlib.h>

enum {
    SHIFT = 10,        /* days a block may be moved within its year: weather keeps no calendar */
    BLOCK = 5,         /* days that stay together: an episode lasts three to seven */
    DRAWS_DEAR = 200,  /* of indicators that need all figures for each draw */
    DAYS_PERCENT = 75, /* of a year's window that must be there */
};

struct year { /* the same window a number of years ago, SHIFT days wider at both ends */
    struct airq_day *day;
    bool valid;
};
struct pool {
    struct year year[AIR_TARGET_YEARS];
    int years; /* valid ones, in year[0..years) */
    int window;
    const struct airq_day *last; /* last year's, NULL when not valid */
};

static bool counts(const struct airq_standard *s, enum air_indicator i, const struct airq_day *d)
{
    enum airq_pollutant p;
    struct airq_result x;
    if (air_indicator_pollutant(i, &p))
        return d->value[p] != AIRQ_WIDE_NONE && !(d->dust & AIRQ_DUST_STRIP && (p == AIRQ_PM10 || p == AIRQ_PM25));
    air_day_index(s, d, &x);
    return x.aqi != AIRQ_NA;
}

static enum lt_err read_year(struct air_look *l, const struct air_target_state *s, int ago, struct year *y,
                             struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, s->t.territory);
    const int window = s->days_left + 2 * SHIFT;
    int yy, mm, dd, n = 0;
    air_civil(s->at + 1, &yy, &mm, &dd);
    dd = dd > air_month_days(yy - ago, mm) ? air_month_days(yy - ago, mm) : dd;
    const int32_t from = air_day(yy - ago, mm, dd) - SHIFT;
    struct air_days d;
    y->valid = false;
    if (from < 0 || !(y->day = calloc((size_t)window, sizeof *y->day)))
        return from < 0 ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = air_days_make(l, &sc, from, from + window - 1, s->standard, AIRQ_STEPWISE, &d, err);
    if (e)
        return e;
    for (int i = 0; i < window; i++) {
        y->day[i] = from + i <= s->at ? air_day_as(&d, (size_t)i, AIR_DUST_HABIT) : (struct airq_day){.dust = 0};
        if (from + i > s->at) /* a window longer than a year would reach into the days ahead */
            for (int k = 0; k < AIRQ_DAY_ITEMS; k++) {
                y->day[i].value[k] = AIRQ_WIDE_NONE;
                y->day[i].judged[k] = AIRQ_NONE;
            }
        if (i >= SHIFT && i < window - SHIFT)
            n += counts(s->standard, s->t.indicator, &y->day[i]);
    }
    air_days_fini(&d);
    y->valid = n * 100 >= s->days_left * DAYS_PERCENT;
    return LT_OK;
}

static void pool_fini(struct pool *p)
{
    for (int i = 0; i < AIR_TARGET_YEARS; i++)
        free(p->year[i].day);
}

/* The first day of any station, looked up once per look: station by station is by the key, all at once is a scan. */
static enum lt_err first_day(struct air_look *l, bool *ret_any, int32_t *ret, struct lt_error *err)
{
    struct air_days_work *w = l->work;
    for (size_t i = 0; !w->has_first && i < l->n_station; i++) {
        int32_t a = 0, b = 0;
        const enum lt_err e = air_span(l->db, l->station[i].id, &a, &b, err);
        if (e && e != LT_E_NOT_FOUND)
            return e;
        if (!e) {
            w->first = w->any && w->first < a ? w->first : a;
            w->any = true;
        }
    }
    w->has_first = true;
    *ret_any = w->any;
    *ret = w->first;
    return LT_OK;
}

static enum lt_err pool_read(struct air_look *l, const struct air_target_state *s, struct pool *p, struct lt_error *err)
{
    int32_t first = 0;
    bool any = false;
    memset(p, 0, sizeof *p);
    p->window = s->days_left;
    enum lt_err e = first_day(l, &any, &first, err);
    if (e || !any)
        return e;
    for (int ago = 1; !e && ago <= AIR_TARGET_YEARS && s->at + 1 - ago * 366 + s->days_left >= first; ago++) {
        struct year y = {0};
        e = read_year(l, s, ago, &y, err);
        if (!e && y.valid) {
            p->year[p->years++] = y;
            if (ago == 1)
                p->last = y.day + SHIFT;
        } else {
            free(y.day);
        }
    }
    return e;
}

/* ---- drawing ---- */

struct drawn { /* what a drawn day adds; made once per day of the pool, where that is enough */
    struct airq_sum sum;
    int good, heavy, valid;
};

static void add_drawn(const struct air_target_state *s, const struct airq_day *d, struct drawn *ret)
{
    enum airq_pollutant p;
    struct airq_result x;
    if (target_is_mean(s->t.indicator, &p)) {
        airq_sum_days(&ret->sum, d, 1, p);
        return;
    }
    air_day_index(s->standard, d, &x);
    ret->valid += x.aqi != AIRQ_NA;
    ret->good += x.aqi != AIRQ_NA && x.aqi <= 100;
    ret->heavy += x.aqi > 200;
}

/* One future of days_left days: each block from a random year, moved by up to SHIFT days. */
static void draw(const struct pool *p, struct lt_rand *r, struct airq_day *ret)
{
    for (int at = 0; at < p->window; at += BLOCK) {
        const struct year *y = &p->year[lt_rand_below(r, (uint64_t)p->years)];
        const int move = (int)lt_rand_below(r, 2 * SHIFT + 1); /* 0: SHIFT days earlier */
        for (int i = at; i < at + BLOCK && i < p->window; i++)
            ret[i] = y->day[i + move];
    }
}

/* What every day of the pool adds, year after year. */
static struct drawn *pool_adds(const struct air_target_state *s, const struct pool *p)
{
    const size_t width = (size_t)p->window + 2 * SHIFT;
    struct drawn *one = calloc((size_t)p->years * width, sizeof *one);
    for (size_t i = 0; one && i < (size_t)p->years * width; i++)
        add_drawn(s, &p->year[i / width].day[i % width], &one[i]);
    return one;
}

/* As draw(), of sums only. */
static void draw_sums(const struct pool *p, const struct drawn *one, struct lt_rand *r, struct drawn *ret)
{
    const size_t width = (size_t)p->window + 2 * SHIFT;
    for (int at = 0; at < p->window; at += BLOCK) {
        const struct drawn *y = &one[lt_rand_below(r, (uint64_t)p->years) * width];
        const int move = (int)lt_rand_below(r, 2 * SHIFT + 1);
        for (int i = at; i < at + BLOCK && i < p->window; i++) {
            ret->sum.sum += y[i + move].sum.sum;
            ret->sum.n += y[i + move].sum.n;
            ret->good += y[i + move].good;
            ret->heavy += y[i + move].heavy;
            ret->valid += y[i + move].valid;
        }
    }
}

static int64_t end_value(const struct air_target_state *s, const struct drawn *x)
{
    enum airq_pollutant p;
    if (target_is_mean(s->t.indicator, &p))
        return airq_sum_mean(&x->sum, p, airq_standard_decimals(s->standard, p));
    if (s->t.indicator == AIR_I_GOOD_DAYS)
        return x->good * INT64_C(1000000);
    if (s->t.indicator == AIR_I_HEAVY_DAYS)
        return x->heavy * INT64_C(1000000);
    return airq_share_pct(x->good, x->valid);
}

static bool dear(enum air_indicator i)
{
    return i == AIR_I_COMPOSITE || i == AIR_I_CO || i == AIR_I_O3;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void conclude(struct air_target_state *s, int64_t *end, int n)
{
    int met = 0;
    const bool more = air_indicator_more_is_better(s->t.indicator);
    if (n == 0)
        return;
    qsort(end, (size_t)n, sizeof *end, compare);
    for (int i = 0; i < n; i++)
        met += more ? end[i] >= s->limit : end[i] <= s->limit;
    s->draws = n;
    s->probability = lt_div_half_even((lt_i128)met * LT_FIX_ONE, n);
    s->p10 = end[(n - 1) / 10];
    s->p50 = end[(n - 1) / 2];
    s->p90 = end[(n - 1) * 9 / 10];
}

/* Means and counts of days: sums are enough. */
static enum lt_err cheap_ends(const struct pool *p, const struct airq_day *known, size_t n,
                              const struct air_target_state *s, struct lt_rand *r, int64_t *end, int *ret_n,
                              struct lt_error *err)
{
    struct drawn so_far = {0}, *one = pool_adds(s, p);
    if (!one)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        add_drawn(s, &known[i], &so_far);
    for (int k = 0; k < AIR_TARGET_DRAWS; k++) {
        struct drawn x = so_far;
        draw_sums(p, one, r, &x);
        const int64_t v = end_value(s, &x);
        if (v != AIRQ_NONE)
            end[(*ret_n)++] = v;
    }
    free(one);
    return LT_OK;
}

/* Percentiles and the composite index need the whole period for each draw. */
static enum lt_err dear_ends(const struct pool *p, const struct airq_day *known, size_t n,
                             const struct air_target_state *s, struct lt_rand *r, int64_t *end, int *ret_n,
                             struct lt_error *err)
{
    const size_t left = (size_t)p->window;
    struct airq_day *all = malloc((n + left + 1) * sizeof *all);
    enum lt_err e = all ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e)
        memcpy(all, known, n * sizeof *all);
    for (int k = 0; !e && k < DRAWS_DEAR; k++) {
        struct air_figure f;
        draw(p, r, all + n);
        if (!(e = target_figure(s->standard, all, n + left, &f, err))) {
            const int64_t v = air_indicator_of(&f, s->t.indicator);
            if (v != AIRQ_NONE)
                end[(*ret_n)++] = v;
        }
    }
    free(all);
    return e;
}

static enum lt_err odds(const struct pool *p, const struct airq_day *known, size_t n, struct air_target_state *s,
                        struct lt_error *err)
{
    int64_t end[AIR_TARGET_DRAWS];
    struct lt_rand r;
    int got = 0;
    lt_rand_init(&r, (uint64_t)s->t.start * 1000003u + (uint64_t)s->at * 101u + (uint64_t)s->t.indicator);
    enum lt_err e = dear(s->t.indicator) ? dear_ends(p, known, n, s, &r, end, &got, err)
                                         : cheap_ends(p, known, n, s, &r, end, &got, err);
    if (!e)
        conclude(s, end, got);
    return e;
}

/* ---- what the days left may hold ---- */

/* Typical PM2.5 of days by the category PM2.5 itself gives them, out of the pool; [6]: of good and excellent ones. */
static void typical(const struct pool *p, const struct airq_standard *s, int64_t ret[7])
{
    struct airq_sum sum[7] = {{0}};
    for (int y = 0; y < p->years; y++)
        for (int i = 0; i < p->window; i++) {
            const struct airq_day *d = &p->year[y].day[SHIFT + i];
            const int q = airq_iaqi(airq_standard_scale(s), AIRQ_PM25, AIRQ_DAY, d->judged[AIRQ_PM25]);
            if (q == AIRQ_NA)
                continue;
            const int c = q <= 50 ? 0 : q <= 100 ? 1 : q <= 150 ? 2 : q <= 200 ? 3 : q <= 300 ? 4 : 5;
            airq_sum_days(&sum[c], d, 1, AIRQ_PM25);
            if (c < 2)
                airq_sum_days(&sum[6], d, 1, AIRQ_PM25);
        }
    for (int c = 0; c < 7; c++)
        ret[c] = airq_sum_mean(&sum[c], AIRQ_PM25, 1);
}

/* How many of the days left may be of a category while all others are as good days usually are. */
static void set_affordable(const struct pool *p, struct air_target_state *s)
{
    int64_t t[7];
    typical(p, s->standard, t);
    memcpy(s->typical, t, sizeof s->typical);
    if (t[6] == AIRQ_NONE || s->allowed_left == AIRQ_NONE)
        return;
    const lt_i128 spare = (lt_i128)s->days_left * (s->allowed_left - t[6]); /* µg/m3 days above the usual good day */
    for (int c = 2; c < 6; c++) {
        if (t[c] == AIRQ_NONE)
            continue;
        const lt_i128 k = spare <= 0 ? 0 : spare / (t[c] - t[6]);
        s->affordable[c] = k > s->days_left ? s->days_left : (int)k;
    }
}

static enum lt_err set_last_year(const struct pool *p, struct air_target_state *s, struct lt_error *err)
{
    struct air_figure f;
    if (!p->last)
        return LT_OK;
    enum lt_err e = target_figure(s->standard, p->last, (size_t)p->window, &f, err);
    if (!e)
        s->last_year_left = air_indicator_of(&f, s->t.indicator);
    return e;
}

enum lt_err target_odds(struct air_look *l, const struct airq_day *known, size_t n, struct air_target_state *s,
                        struct lt_error *err)
{
    struct pool p;
    enum lt_err e = pool_read(l, s, &p, err);
    if (!e && p.years > 0) {
        s->probability_years = p.years;
        if (s->t.indicator == AIR_I_PM25)
            set_affordable(&p, s);
        e = set_last_year(&p, s, err);
        if (!e)
            e = odds(&p, known, n, s, err);
    }
    pool_fini(&p);
    return e;
}

enum lt_err target_mean(struct air_look *l, int64_t territory, enum airq_pollutant p, const struct airq_standard *s,
                        int32_t from, int32_t to, int64_t *ret, struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, territory);
    struct air_figure f;
    *ret = AIRQ_NONE;
    if (to < from)
        return LT_OK;
    enum lt_err e = air_figure_make(l, &sc, from, to, s, AIRQ_STEPWISE, AIR_DUST_HABIT, &f, err);
    if (!e)
        *ret = air_figure_value(&f, p);
    return e;
}
