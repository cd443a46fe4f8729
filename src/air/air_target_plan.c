/* What if, the season's plan, and the share-out of a target. */
#include "air/air_target_priv.h"

#include <stdlib.h>

/* ---- assumptions ---- */

enum { LOOK_BACK = 400 }; /* days: a year and a month, the farthest an assumption may reach */

struct ahead {
    const struct airq_standard *s;
    int32_t at;
    struct air_days past; /* [at - LOOK_BACK, at] */
    struct airq_day *day; /* assumed so far */
    size_t n;
};

static struct airq_day day_at(const struct ahead *h, int32_t day)
{
    if (day > h->at && (size_t)(day - h->at - 1) < h->n)
        return h->day[day - h->at - 1];
    if (day > h->at || day < h->past.from) {
        struct airq_day none = {.dust = 0};
        for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
            none.value[i] = AIRQ_WIDE_NONE;
            none.judged[i] = AIRQ_NONE;
        }
        return none;
    }
    return air_day_as(&h->past, (size_t)(day - h->past.from), AIR_DUST_HABIT);
}

/* The last known day that has all six, at most a month back; else the last. */
static struct airq_day last_full(const struct ahead *h)
{
    const int32_t end = h->at + (int32_t)h->n;
    for (int32_t d = end; d > end - 31; d--) {
        const struct airq_day x = day_at(h, d);
        int n = 0;
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            n += x.value[p] != AIRQ_WIDE_NONE;
        if (n == AIRQ_POLLUTANTS)
            return x;
    }
    return day_at(h, end);
}

static struct airq_day given(const struct ahead *h, const struct air_assume *a)
{
    const lt_i128 one = (lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000);
    struct airq_day x = last_full(h);
    x.dust = 0;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        if (a->value[p] != LT_FIX_NONE) {
            const int64_t v = lt_fix_round(a->value[p], airq_standard_decimals(h->s, (enum airq_pollutant)p));
            x.value[p] = one * (v / airq_tick((enum airq_pollutant)p));
            x.judged[p] = lt_fix_round(a->value[p], p == AIRQ_CO ? 1 : 0);
        }
    return x;
}

static struct airq_day assumed(const struct ahead *h, const struct air_assume *a)
{
    const int32_t day = h->at + 1 + (int32_t)h->n;
    int y, m, d;
    air_civil(day, &y, &m, &d);
    if (a->kind == AIR_ASSUME_VALUE)
        return given(h, a);
    if (a->kind == AIR_ASSUME_DAYS_BACK)
        return day_at(h, day - a->back);
    const int all = y * 12 + m - 1 - (a->kind == AIR_ASSUME_LAST_YEAR ? 12 : a->back);
    const int most = air_month_days(all / 12, all % 12 + 1);
    return day_at(h, air_day(all / 12, all % 12 + 1, d < most ? d : most));
}

enum lt_err air_assume_days(struct air_look *l, const struct air_scope *sc, const struct airq_standard *s, int32_t at,
                            int32_t end, const struct air_assume *a, size_t n, struct airq_day **ret, size_t *ret_n,
                            struct lt_error *err)
{
    struct ahead h = {.s = s, .at = at};
    const size_t most = end > at ? (size_t)(end - at) : 0;
    enum lt_err e = air_days_make(l, sc, at - LOOK_BACK, at, s, AIRQ_STEPWISE, &h.past, err);
    if (e)
        return e;
    h.day = calloc(most + 1, sizeof *h.day);
    if (!h.day)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t k = 0; !e && k < n; k++)
        for (int i = 0; i < a[k].days && h.n < most; i++) {
            h.day[h.n] = assumed(&h, &a[k]);
            h.n++;
        }
    air_days_fini(&h.past);
    if (e)
        return e;
    *ret = h.day;
    *ret_n = h.n;
    return LT_OK;
}

/* ---- the season's plan ---- */

static bool winter(int32_t day)
{
    int y, m, d;
    air_civil(day, &y, &m, &d);
    return airq_autumn_winter_of(y, m) != 0;
}

/* Means of the days a year before those of [from, to], apart for winter and the rest. */
static enum lt_err last_means(struct air_look *l, const struct air_target_state *s, enum airq_pollutant p,
                              struct air_plan *ret, struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, s->t.territory);
    struct airq_sum sum[2] = {{0}};
    struct air_days d;
    int32_t from, to;
    air_period_year_before(s->at + 1, s->t.end, &from, &to);
    enum lt_err e = air_days_make(l, &sc, from, to, s->standard, AIRQ_STEPWISE, &d, err);
    if (e)
        return e;
    for (size_t i = 0; i < d.n; i++) {
        const struct airq_day day = air_day_as(&d, i, AIR_DUST_HABIT);
        airq_sum_days(&sum[winter(from + (int32_t)i)], &day, 1, p);
    }
    air_days_fini(&d);
    ret->last_rest = airq_sum_mean(&sum[0], p, 1);
    ret->last_winter = airq_sum_mean(&sum[1], p, 1);
    return LT_OK;
}

/* Rows from half to one and a half of what is usual, in whole µg/m3. */
static void plan_rows(struct air_plan *ret, enum airq_pollutant p)
{
    const struct air_target_state *s = &ret->state;
    const lt_i128 one = (lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000);
    const int64_t unit = LT_FIX_ONE, usual = ret->last_rest != AIRQ_NONE ? ret->last_rest : s->limit;
    const int rows = ret->rest_days > 0 ? AIR_PLAN_ROWS : 1;
    const int64_t step = usual / unit / (AIR_PLAN_ROWS - 1) + 1, low = usual / unit / 2;
    for (int i = 0; i < rows && ret->winter_days > 0; i++) {
        const int64_t rest = (low + i * step) * unit;
        struct airq_sum sum = {.n = s->days_valid + ret->rest_days};
        sum.sum = (lt_i128)s->so_far_sum * (one / airq_tick(p)) + (lt_i128)rest * ret->rest_days * (one / airq_tick(p));
        ret->row[ret->n].rest = ret->rest_days > 0 ? rest : LT_FIX_NONE;
        ret->row[ret->n++].winter = airq_mean_left(&sum, p, ret->winter_days, s->limit, 1);
    }
}

enum lt_err air_target_plan(struct air_look *l, const struct air_target *t, int32_t at, struct air_plan *ret,
                            struct lt_error *err)
{
    enum airq_pollutant p;
    memset(ret, 0, sizeof *ret);
    if (!target_is_mean(t->indicator, &p) || t->enterprise || t->process[0])
        return lt_fail(err, LT_E_FIELD_CHOICE, "target", "target", t->name,
                       "targets of a territory judged by a mean / 以均值考核的辖区目标");
    enum lt_err e = air_target_eval(l, t, at, NULL, 0, false, &ret->state, err);
    if (e)
        return e;
    const struct air_target_state *s = &ret->state;
    const int32_t first = s->at >= t->start ? s->at + 1 : t->start;
    for (int32_t d = first; d <= t->end; d++)
        *(winter(d) ? &ret->winter_days : &ret->rest_days) += 1;
    ret->last_rest = ret->last_winter = LT_FIX_NONE;
    if (ret->rest_days + ret->winter_days > 0)
        e = last_means(l, s, p, ret, err);
    if (!e)
        plan_rows(ret, p);
    return e;
}

/* ---- share-out ---- */

bool air_parts_additive(const struct air_part *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i].enterprise || (p[i].process && p[i].process[0]))
            return true;
    return false;
}

int64_t air_parts_total(const struct air_part *p, size_t n, unsigned decimals)
{
    lt_i128 sum = 0, weight = 0;
    const bool add = air_parts_additive(p, n);
    for (size_t i = 0; i < n; i++) {
        if (p[i].value == LT_FIX_NONE)
            return LT_FIX_NONE;
        sum += add ? (lt_i128)p[i].value * LT_FIX_ONE : (lt_i128)p[i].value * p[i].weight;
        weight += p[i].weight;
    }
    if (n == 0 || (!add && weight <= 0))
        return LT_FIX_NONE;
    return lt_fix_round(lt_div_half_even(sum, add ? (lt_i128)LT_FIX_ONE : weight), decimals);
}

/* What the open parts have to bring together (times LT_FIX_ONE where they are averaged), and the sum of their shares.
 */
static bool open_rest(const struct air_part *p, size_t n, int64_t whole, bool add, lt_i128 *ret_rest, lt_i128 *ret_by)
{
    lt_i128 rest, weight = 0, by = 0;
    size_t open = 0;
    for (size_t i = 0; i < n; i++)
        weight += p[i].weight;
    rest = add ? (lt_i128)whole : (lt_i128)whole * weight;
    for (size_t i = 0; i < n; i++) {
        if (p[i].value != LT_FIX_NONE) {
            rest -= add ? (lt_i128)p[i].value : (lt_i128)p[i].value * p[i].weight;
            continue;
        }
        open++;
        by += add ? (lt_i128)p[i].weight : (lt_i128)p[i].weight * (p[i].base != LT_FIX_NONE ? p[i].base : LT_FIX_ONE);
    }
    *ret_rest = rest;
    *ret_by = by;
    return rest >= 0 && (open == 0 || by > 0);
}

static int64_t floor_to(lt_i128 num, lt_i128 den, int64_t unit)
{
    return (int64_t)(num / (den * unit)) * unit; /* both at least 0 */
}

/* Adds single units, largest remainder first, until the whole is right. Averages: while a unit brings it nearer. */
static void spread_units(struct air_part *p, const bool *open, const lt_i128 *left, size_t n, int64_t whole,
                         unsigned decimals, int64_t unit, bool add)
{
    bool used[AIR_TARGET_PARTS] = {false};
    for (size_t k = 0; k < n; k++) {
        size_t best = n;
        if (air_parts_total(p, n, add ? 6 : decimals) >= whole)
            return;
        for (size_t i = 0; i < n; i++)
            if (open[i] && !used[i] && (add || p[i].weight > 0) && (best == n || left[i] > left[best]))
                best = i;
        if (best == n)
            return;
        used[best] = true;
        p[best].value += unit;
    }
}

bool air_parts_share(struct air_part *p, size_t n, int64_t whole, unsigned decimals)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    const int64_t unit = units[decimals];
    const bool add = air_parts_additive(p, n);
    bool open[AIR_TARGET_PARTS] = {false};
    lt_i128 rest, by, left[AIR_TARGET_PARTS] = {0};
    bool bases = true;
    if (n == 0 || n > AIR_TARGET_PARTS)
        return false;
    for (size_t i = 0; i < n; i++) {
        open[i] = p[i].value == LT_FIX_NONE;
        bases = bases && (!open[i] || p[i].base != LT_FIX_NONE);
    }
    for (size_t i = 0; i < n && !bases; i++) /* not all have one: then nobody's counts */
        p[i].base = LT_FIX_NONE;
    if (!open_rest(p, n, whole, add, &rest, &by))
        return false;
    for (size_t i = 0; i < n; i++)
        if (open[i]) {
            /* additive: rest × weight / Σ weight; averaged: rest × base / Σ (weight × base) */
            const lt_i128 num = rest * (add ? p[i].weight : bases ? p[i].base : LT_FIX_ONE), den = by;
            if (den <= 0)
                return false;
            p[i].value = floor_to(num, den, unit);
            left[i] = num - (lt_i128)p[i].value * den;
        }
    spread_units(p, open, left, n, whole, decimals, unit, add);
    return air_parts_total(p, n, add ? 6 : decimals) == whole;
}
