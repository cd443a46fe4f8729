/* Day, city and period figures; see airq_assess.h for the numbers they are made of. */
#include "airq/airq_assess.h"
#include "airq/airq_batch.h"
#include "airq/airq_rules.h"
#include "base/clock.h"

enum { HOURS_MIN = 20, WINDOW = 8, WINDOW_MIN = 6, WINDOWS_MIN = 14 };
#define ONE  ((lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000)) /* wide units in a tick */
#define NEAR 100                                                        /* 1e-22 tick */

struct airq_standard {
    const char *name, *scale;
    int day[AIRQ_POLLUTANTS], index[AIRQ_POLLUTANTS];    /* grade II, whole units */
    int day_1[AIRQ_POLLUTANTS], year_1[AIRQ_POLLUTANTS]; /* grade I */
    unsigned decimals[AIRQ_POLLUTANTS];
};

static const struct airq_standard standards[] = {
    {.name = "2012", /* GB 3095-2012; HJ 663-2013: whole µg/m3 */
     .scale = "2012",
     .day = {[AIRQ_SO2] = 150, [AIRQ_NO2] = 80, [AIRQ_CO] = 4, [AIRQ_PM10] = 150, [AIRQ_PM25] = 75, [AIRQ_O3] = 160},
     .index = {[AIRQ_SO2] = 60, [AIRQ_NO2] = 40, [AIRQ_CO] = 4, [AIRQ_PM10] = 70, [AIRQ_PM25] = 35, [AIRQ_O3] = 160},
     .day_1 = {[AIRQ_SO2] = 50, [AIRQ_NO2] = 80, [AIRQ_CO] = 4, [AIRQ_PM10] = 50, [AIRQ_PM25] = 35, [AIRQ_O3] = 100},
     .year_1 = {[AIRQ_SO2] = 20, [AIRQ_NO2] = 40, [AIRQ_PM10] = 40, [AIRQ_PM25] = 15},
     .decimals = {[AIRQ_CO] = 1}},
    {.name = "2026t", /* GB 3095-2026 until 2030-12-31; HJ 663-2026: PM2.5 with one decimal */
     .scale = "2026",
     .day = {[AIRQ_SO2] = 150, [AIRQ_NO2] = 80, [AIRQ_CO] = 4, [AIRQ_PM10] = 120, [AIRQ_PM25] = 60, [AIRQ_O3] = 160},
     .index = {[AIRQ_SO2] = 60, [AIRQ_NO2] = 40, [AIRQ_CO] = 4, [AIRQ_PM10] = 60, [AIRQ_PM25] = 30, [AIRQ_O3] = 160},
     .day_1 = {[AIRQ_SO2] = 50, [AIRQ_NO2] = 80, [AIRQ_CO] = 4, [AIRQ_PM10] = 50, [AIRQ_PM25] = 35, [AIRQ_O3] = 100},
     .year_1 = {[AIRQ_SO2] = 20, [AIRQ_NO2] = 40, [AIRQ_PM10] = 40, [AIRQ_PM25] = 15},
     .decimals = {[AIRQ_CO] = 1, [AIRQ_PM25] = 1}},
    {.name = "2026f", /* GB 3095-2026 from 2031-01-01 */
     .scale = "2026",
     .day = {[AIRQ_SO2] = 50, [AIRQ_NO2] = 50, [AIRQ_CO] = 4, [AIRQ_PM10] = 100, [AIRQ_PM25] = 50, [AIRQ_O3] = 160},
     .index = {[AIRQ_SO2] = 20, [AIRQ_NO2] = 30, [AIRQ_CO] = 4, [AIRQ_PM10] = 50, [AIRQ_PM25] = 25, [AIRQ_O3] = 160},
     .day_1 = {[AIRQ_SO2] = 50, [AIRQ_NO2] = 50, [AIRQ_CO] = 4, [AIRQ_PM10] = 50, [AIRQ_PM25] = 25, [AIRQ_O3] = 100},
     .year_1 = {[AIRQ_SO2] = 20, [AIRQ_NO2] = 30, [AIRQ_PM10] = 20, [AIRQ_PM25] = 10},
     .decimals = {[AIRQ_CO] = 1, [AIRQ_PM25] = 1}},
};

static const struct {
    int64_t tick; /* millionths */
    int32_t most; /* ticks */
    int percent;
    bool mean;
    unsigned judge_decimals; /* HJ 663: what is compared with a limit */
} pollutants[AIRQ_POLLUTANTS] = {
    [AIRQ_SO2] = {100, 50000000, 98, true, 0},   [AIRQ_NO2] = {100, 50000000, 98, true, 0},
    [AIRQ_CO] = {1, 150000000, 95, false, 1},    [AIRQ_PM10] = {100, 100000000, 95, true, 0},
    [AIRQ_PM25] = {100, 100000000, 95, true, 0}, [AIRQ_O3] = {100, 50000000, 90, false, 0},
};

const struct airq_standard *airq_standard_find(struct lt_slice name)
{
    for (size_t i = 0; i < sizeof standards / sizeof standards[0]; i++)
        if (lt_slice_is(name, standards[i].name))
            return &standards[i];
    return NULL;
}

const struct airq_scale *airq_standard_scale(const struct airq_standard *s)
{
    return airq_scale_find(lt_slice_of(s->scale));
}

unsigned airq_standard_decimals(const struct airq_standard *s, enum airq_pollutant p)
{
    return s->decimals[p];
}

int64_t airq_standard_day_limit(const struct airq_standard *s, enum airq_pollutant p)
{
    return s->day[p] * INT64_C(1000000);
}

int64_t airq_standard_index_limit(const struct airq_standard *s, enum airq_pollutant p)
{
    return s->index[p] * INT64_C(1000000);
}

int64_t airq_limit_year(const struct airq_standard *s, enum airq_grade g, enum airq_pollutant p)
{
    /* what the composite divides by is the annual limit of grade II where there is one */
    return !airq_has_mean(p) ? AIRQ_NONE : (g == AIRQ_GRADE_1 ? s->year_1[p] : s->index[p]) * INT64_C(1000000);
}

int64_t airq_limit_day(const struct airq_standard *s, enum airq_grade g, enum airq_pollutant p)
{
    return (g == AIRQ_GRADE_1 ? s->day_1[p] : s->day[p]) * INT64_C(1000000);
}

int airq_percent(enum airq_pollutant p)
{
    return pollutants[p].percent;
}

bool airq_has_mean(enum airq_pollutant p)
{
    return pollutants[p].mean;
}

int64_t airq_tick(enum airq_pollutant p)
{
    return pollutants[p].tick;
}

int32_t airq_most(enum airq_pollutant p)
{
    return pollutants[p].most;
}

/* ---- rounding ---- */

/* v/d rounded down, v >= 0, d > 0; v below 2^126. The quotients here are numbers of steps, so the upper halves of both
 * give it to within one or two, and the remainder puts it right: no 128-bit division, which is many times slower. */
static lt_i128 quotient(lt_i128 v, lt_i128 d)
{
    const int64_t top = (int64_t)(d >> 64);
    if (top < (1 << 20))
        return v / d;
    lt_i128 q = (int64_t)(v >> 64) / top; /* not too small; too big by at most q/top + 1 */
    if (q > top)
        return v / d;
    lt_i128 rest = v - q * d;
    while (rest < 0) {
        q--;
        rest += d;
    }
    return q;
}

/* v/d to the nearest whole number, a half to even; what lies within `near` of a half is one. v >= 0, d > 0. */
static int64_t nearest_of(lt_i128 v, lt_i128 d, lt_i128 near)
{
    lt_i128 q = quotient(v, d), over = 2 * (v - q * d) - d;
    if (over > 2 * near || (over >= -2 * near && (q & 1)))
        q++;
    return (int64_t)q;
}

static lt_i128 divided(lt_i128 v, int64_t d)
{
    return (v + d / 2) / d;
}

/* The step of a rounding in ticks. */
static int64_t step_of(enum airq_pollutant p, unsigned decimals)
{
    static const int64_t millionths[] = {1000000, 100000, 10000};
    return millionths[decimals] / pollutants[p].tick;
}

static enum airq_pollutant pollutant_of(int item)
{
    return item == AIRQ_O3_1H ? AIRQ_O3 : (enum airq_pollutant)item;
}

/* sum/n of wide values, rounded, in steps. */
static int64_t steps_of(lt_i128 sum, int64_t n, int64_t step)
{
    return nearest_of(sum, ONE * n * step, (lt_i128)NEAR * n);
}

/* ---- station and day ---- */

bool airq_cell_add(struct airq_cell *c, int hour, const int32_t ticks[AIRQ_POLLUTANTS])
{
    const uint32_t bit = UINT32_C(1) << hour;
    if (c->seen & bit)
        return false;
    c->seen |= bit;
    for (int p = 0; p < AIRQ_O3; p++) {
        const bool there = ticks[p] >= 0;
        c->sum[p] += there ? (uint32_t)ticks[p] : 0;
        c->n[p] = (uint8_t)(c->n[p] + there);
    }
    c->o3[hour] = (uint32_t)(ticks[AIRQ_O3] + 1);
    return true;
}

bool airq_cell_add_dust(struct airq_cell *c, int hour, const int32_t ticks[AIRQ_POLLUTANTS], uint32_t dust_hours)
{
    int32_t kept[AIRQ_POLLUTANTS];
    memcpy(kept, ticks, sizeof kept);
    if (dust_hours >> hour & 1)
        kept[AIRQ_PM10] = kept[AIRQ_PM25] = -1;
    return airq_cell_add(c, hour, kept);
}

/* ONE/n for what a day's mean is divided by, so that a wide quotient needs no 128-bit division. */
#define RECIPROCAL(n)                                                                                                  \
    {                                                                                                                  \
        ONE / (n), (int)(ONE % (n))                                                                                    \
    }
static const struct {
    lt_i128 q;
    int r;
} reciprocal[25] = {{0, 0},         RECIPROCAL(1),  RECIPROCAL(2),  RECIPROCAL(3),  RECIPROCAL(4),
                    RECIPROCAL(5),  RECIPROCAL(6),  RECIPROCAL(7),  RECIPROCAL(8),  RECIPROCAL(9),
                    RECIPROCAL(10), RECIPROCAL(11), RECIPROCAL(12), RECIPROCAL(13), RECIPROCAL(14),
                    RECIPROCAL(15), RECIPROCAL(16), RECIPROCAL(17), RECIPROCAL(18), RECIPROCAL(19),
                    RECIPROCAL(20), RECIPROCAL(21), RECIPROCAL(22), RECIPROCAL(23), RECIPROCAL(24)};

/* (ONE sum + n/2) / n = sum q + (sum r + n/2) / n, for ONE = n q + r; sum r < 2^37. */
static lt_i128 wide_ratio(uint64_t sum, uint64_t n)
{
    return (lt_i128)sum * reciprocal[n].q + (lt_i128)((sum * (uint64_t)reciprocal[n].r + n / 2) / n);
}

/* n/d half to even, both positive and below 2^62. */
static uint64_t half_even(uint64_t n, uint64_t d)
{
    const uint64_t q = n / d, twice = 2 * (n - q * d);
    return q + (twice > d || (twice == d && (q & 1)));
}

/* The day's value from s/n ticks, which is exact: one rounding for statistics, one for judging, never in a chain. */
static void set_ratio(const struct airq_standard *s, enum airq_rounding r, int item, uint64_t sum, uint64_t n,
                      struct airq_day *ret)
{
    const enum airq_pollutant p = pollutant_of(item);
    const uint64_t step = (uint64_t)step_of(p, s->decimals[p]);
    const uint64_t judge = (uint64_t)step_of(p, pollutants[p].judge_decimals);
    const uint64_t judged = half_even(sum, n * judge);
    if (r == AIRQ_STEPWISE)
        ret->value[item] = ONE * (lt_i128)((step == judge ? judged : half_even(sum, n * step)) * step);
    else
        ret->value[item] = wide_ratio(sum, n);
    ret->judged[item] = (int64_t)(judged * judge) * pollutants[p].tick;
}

static void set_none(int item, struct airq_day *ret)
{
    ret->value[item] = AIRQ_WIDE_NONE;
    ret->judged[item] = AIRQ_NONE;
}

/* Hours of ozone: ticks (0 where missing) and whether they are there. */
struct ozone {
    uint32_t v[24];
    uint8_t there[24];
};

static void ozone_day(const struct airq_standard *s, enum airq_rounding r, const struct ozone *o, struct airq_day *ret)
{
    enum { WINDOWS = 24 - WINDOW + 1, COMMON = 6 * 7 * 8 / 2 };
    static const uint64_t share[WINDOW + 1] = {[6] = COMMON / 6, [7] = COMMON / 7, [8] = COMMON / 8};
    uint32_t sum = 0, n = 0, highest = 0, any = 0, windows = 0;
    uint64_t best = 0, best_sum = 0, best_n = 0;
    for (int i = 0; i < 24; i++) {
        highest = o->v[i] > highest ? o->v[i] : highest;
        any += o->there[i];
    }
    set_none(AIRQ_O3, ret);
    set_none(AIRQ_O3_1H, ret);
    if (any < WINDOW_MIN)
        return;
    for (int i = 0; i < WINDOW - 1; i++) {
        sum += o->v[i];
        n += o->there[i];
    }
    for (int i = 0; i < WINDOWS; i++) { /* the hours i .. i+7 */
        sum += o->v[i + WINDOW - 1];
        n += o->there[i + WINDOW - 1];
        const uint64_t mean = sum * share[n]; /* in 1/COMMON; 0 when too few */
        windows += n >= WINDOW_MIN;
        if (mean > best || (best_n == 0 && n >= WINDOW_MIN)) {
            best = mean;
            best_sum = sum;
            best_n = n;
        }
        sum -= o->v[i];
        n -= o->there[i];
    }
    if (windows == 0)
        return;
    set_ratio(s, r, AIRQ_O3, best_sum, best_n, ret);
    /* HJ 663 6.1.2: too few windows can only hide a higher maximum, so an exceedance stays one */
    if (windows < WINDOWS_MIN && ret->judged[AIRQ_O3] <= airq_standard_day_limit(s, AIRQ_O3)) {
        set_none(AIRQ_O3, ret);
        return;
    }
    set_ratio(s, r, AIRQ_O3_1H, highest, 1, ret);
}

void airq_cell_day(const struct airq_standard *s, enum airq_rounding r, const struct airq_cell *c, struct airq_day *ret)
{
    struct ozone o;
    for (int p = 0; p < AIRQ_O3; p++) {
        if (c->n[p] >= HOURS_MIN)
            set_ratio(s, r, p, c->sum[p], c->n[p], ret);
        else
            set_none(p, ret);
    }
    for (int i = 0; i < 24; i++) {
        o.v[i] = c->o3[i] ? c->o3[i] - 1 : 0;
        o.there[i] = c->o3[i] != 0;
    }
    ozone_day(s, r, &o, ret);
    ret->dust = 0;
}

/* ---- columns of 16-bit steps, see airq_batch.h ---- */

int64_t airq_step(enum airq_pollutant p)
{
    return p == AIRQ_CO ? 10000 : 100000;
}

static void day_of_columns(const struct airq_standard *s, enum airq_rounding r, const uint16_t *const column[],
                           size_t at, struct airq_day *ret)
{
    for (int p = 0; p < AIRQ_O3; p++) {
        const uint16_t *v = column[p] + at;
        uint32_t sum = 0, missing = 0;
        for (int i = 0; i < 24; i++) { /* a missing hour adds 65535 and is taken off again below: no branch inside */
            sum += v[i];
            missing += v[i] == AIRQ_STEP_NONE;
        }
        sum -= missing * AIRQ_STEP_NONE;
        const uint32_t n = 24 - missing, ticks = (uint32_t)(airq_step((enum airq_pollutant)p) / pollutants[p].tick);
        if (n >= HOURS_MIN)
            set_ratio(s, r, p, (uint64_t)sum * ticks, n, ret);
        else
            set_none(p, ret);
    }
    struct ozone o;
    const uint16_t *v = column[AIRQ_O3] + at;
    const uint32_t ticks = (uint32_t)(airq_step(AIRQ_O3) / pollutants[AIRQ_O3].tick);
    for (int i = 0; i < 24; i++) {
        o.there[i] = v[i] != AIRQ_STEP_NONE;
        o.v[i] = v[i] != AIRQ_STEP_NONE ? v[i] * ticks : 0;
    }
    ozone_day(s, r, &o, ret);
    ret->dust = 0;
}

void airq_days_batch(const struct airq_standard *s, enum airq_rounding r, const uint16_t *const column[AIRQ_POLLUTANTS],
                     size_t days, struct airq_day *ret)
{
    for (size_t d = 0; d < days; d++)
        day_of_columns(s, r, column, d * 24, &ret[d]);
}

/* ---- city and day ---- */

void airq_city_add(struct airq_city *c, const struct airq_day *station)
{
    for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
        const bool there = station->value[i] != AIRQ_WIDE_NONE;
        c->sum[i] += there ? station->value[i] : 0;
        c->n[i] += there;
    }
}

void airq_city_day(const struct airq_standard *s, enum airq_rounding r, const struct airq_city *c, uint32_t total,
                   struct airq_day *ret)
{
    ret->dust = 0;
    for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
        const uint64_t n = c->n[i];
        if (n == 0 || (total < 4 ? n * 2 < total : n * 4 < UINT64_C(3) * total)) {
            set_none(i, ret);
            continue;
        }
        const enum airq_pollutant p = pollutant_of(i);
        const int64_t step = step_of(p, s->decimals[p]), judge = step_of(p, pollutants[p].judge_decimals);
        ret->value[i] =
            r == AIRQ_STEPWISE ? ONE * steps_of(c->sum[i], (int64_t)n, step) * step : divided(c->sum[i], (int64_t)n);
        ret->judged[i] = steps_of(c->sum[i], (int64_t)n, judge) * judge * pollutants[p].tick;
    }
}

/* ---- period ---- */

static void swap(lt_i128 *a, lt_i128 *b)
{
    lt_i128 t = *a;
    *a = *b;
    *b = t;
}

/* Puts the k-th smallest of v[lo..hi] at v[k], the smaller before it, the larger behind. The pivot is the middle of
 * three, so that sorted days are no bad case. */
static void select_kth(lt_i128 *v, size_t lo, size_t hi, size_t k)
{
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (v[mid] < v[lo])
            swap(&v[mid], &v[lo]);
        if (v[hi] < v[lo])
            swap(&v[hi], &v[lo]);
        if (v[hi] < v[mid])
            swap(&v[hi], &v[mid]);
        const lt_i128 pivot = v[mid];
        size_t i = lo, j = hi;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (pivot < v[j])
                j--;
            if (i >= j)
                break;
            swap(&v[i++], &v[j--]);
        }
        /* v[lo..j] <= pivot <= v[j+1..hi]; j < hi because v[hi] was exchanged or is above the pivot */
        if (k <= j)
            hi = j;
        else
            lo = j + 1;
    }
}

lt_i128 airq_percentile(lt_i128 *v, size_t n, int p)
{
    const size_t place = (n - 1) * (size_t)p, k = place / 100;
    const int64_t part = (int64_t)(place % 100);
    select_kth(v, 0, n - 1, k);
    if (part == 0)
        return v[k];
    lt_i128 next = v[k + 1];
    for (size_t i = k + 2; i < n; i++)
        next = v[i] < next ? v[i] : next;
    return divided((100 - part) * v[k] + part * next, 100);
}

static bool is_pm(enum airq_pollutant p)
{
    return p == AIRQ_PM10 || p == AIRQ_PM25;
}

/* One pollutant; ret_c is what the composite index takes: as reported when stepwise, unrounded when final. */
static void period_item(const struct airq_standard *s, enum airq_rounding r, const struct airq_day *days, size_t n,
                        enum airq_pollutant p, lt_i128 *work, struct airq_period_item *ret, lt_i128 *ret_c)
{
    const int64_t step = step_of(p, s->decimals[p]), unit = step * pollutants[p].tick;
    const int64_t judge = step_of(p, pollutants[p].judge_decimals), limit = airq_standard_day_limit(s, p);
    const unsigned strip = is_pm(p) ? AIRQ_DUST_STRIP : 0;
    lt_i128 sum = 0, max = 0;
    size_t m = 0;
    *ret = (struct airq_period_item){AIRQ_NONE, AIRQ_NONE, AIRQ_NONE, AIRQ_NONE, AIRQ_NONE, 0, 0};
    *ret_c = AIRQ_WIDE_NONE;
    for (size_t i = 0; i < n; i++) {
        const lt_i128 v = days[i].value[p];
        if (v == AIRQ_WIDE_NONE || (days[i].dust & strip))
            continue;
        work[m++] = v;
        sum += v;
        max = v > max ? v : max;
        ret->exceed_days += days[i].judged[p] > limit;
    }
    ret->days_valid = (int)m;
    if (m == 0)
        return;
    const lt_i128 percentile = airq_percentile(work, m, pollutants[p].percent);
    ret->mean = steps_of(sum, (int64_t)m, step) * unit;
    ret->percentile = steps_of(percentile, 1, step) * unit;
    ret->max = steps_of(max, 1, step) * unit;
    ret->judged_mean = steps_of(sum, (int64_t)m, judge) * judge * pollutants[p].tick;
    ret->judged_percentile = steps_of(percentile, 1, judge) * judge * pollutants[p].tick;
    if (r == AIRQ_FINAL)
        *ret_c = pollutants[p].mean ? divided(sum, (int64_t)m) : percentile;
    else
        *ret_c = ONE * ((pollutants[p].mean ? ret->mean : ret->percentile) / pollutants[p].tick);
}

static int64_t composite_of(const struct airq_standard *s, const lt_i128 c[AIRQ_POLLUTANTS],
                            const int weight[AIRQ_POLLUTANTS])
{
    lt_i128 sum = 0;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        if (c[p] == AIRQ_WIDE_NONE)
            return AIRQ_NONE;
        sum += divided(c[p] * (weight ? weight[p] : 1), s->index[p] * (LT_FIX_ONE / pollutants[p].tick));
    }
    return nearest_of(sum, ONE / 100, NEAR) * 10000;
}

int64_t airq_composite(const struct airq_standard *s, const int64_t conc[AIRQ_POLLUTANTS],
                       const int weight[AIRQ_POLLUTANTS])
{
    lt_i128 c[AIRQ_POLLUTANTS];
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        c[p] = conc[p] < 0 ? AIRQ_WIDE_NONE : divided(ONE * conc[p], pollutants[p].tick);
    return composite_of(s, c, weight);
}

int64_t airq_period_composite(const struct airq_standard *s, const struct airq_period *x,
                              const int weight[AIRQ_POLLUTANTS])
{
    return composite_of(s, x->part, weight);
}

int64_t airq_composite_part(const struct airq_standard *s, enum airq_pollutant p, int64_t conc)
{
    return conc < 0 ? AIRQ_NONE : lt_div_half_even((lt_i128)conc * 100, airq_standard_index_limit(s, p)) * 10000;
}

static void count_day(const struct airq_scale *scale, const struct airq_day *day, struct airq_period *ret)
{
    struct airq_input in = {.so2_24h = AIRQ_NONE, .o3_1h = day->judged[AIRQ_O3_1H]};
    struct airq_result x;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        in.conc[p] = day->judged[p];
    airq_index(scale, AIRQ_DAY, &in, &x);
    if (day->dust) {
        ret->days_dust++;
        ret->days_dust_polluted += x.aqi > 100;
        if (day->dust & AIRQ_DUST_RECOMPUTE) {
            in.conc[AIRQ_PM10] = in.conc[AIRQ_PM25] = AIRQ_NOT_MONITORED;
            airq_index(scale, AIRQ_DAY, &in, &x);
        }
    }
    if (x.aqi == AIRQ_NA)
        return;
    ret->days_valid++;
    ret->days_good += x.aqi <= 100;
    ret->days_heavy += x.aqi > 200;
    ret->category[x.level - 1]++;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        ret->primary[p] += (int)(x.primary >> p & 1);
}

void airq_period(const struct airq_standard *s, enum airq_rounding r, const struct airq_day *days, size_t n,
                 lt_i128 *work, struct airq_period *ret)
{
    const struct airq_scale *scale = airq_standard_scale(s);
    *ret = (struct airq_period){.good_share_pct = AIRQ_NONE};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        period_item(s, r, days, n, (enum airq_pollutant)p, work, &ret->item[p], &ret->part[p]);
    for (size_t i = 0; i < n; i++)
        count_day(scale, &days[i], ret);
    if (ret->days_valid)
        ret->good_share_pct = lt_div_half_even((lt_i128)ret->days_good * 1000, ret->days_valid) * 100000;
    ret->composite = composite_of(s, ret->part, NULL);
}

/* ---- validity ---- */

bool airq_month_valid(int month, int days_valid)
{
    return days_valid >= (month == 2 ? 25 : 27);
}

bool airq_year_valid(int days_valid)
{
    return days_valid >= 324;
}

struct gaps {
    struct airq_gap *ret;
    size_t cap, n;
};

static void gap(struct gaps *g, struct airq_gap one)
{
    if (g->n < g->cap)
        g->ret[g->n] = one;
    g->n++;
}

static struct lt_civil civil_of(int32_t day)
{
    return lt_civil_of(day * LT_DAY_MS, 0);
}

/* Judges days[0..n), a month or year (month 0); whole: no day of it lies outside the period. */
static void span_gaps(struct gaps *g, const struct airq_day *days, size_t n, struct lt_civil at, bool whole)
{
    if (!whole) {
        if (at.month)
            gap(g, (struct airq_gap){AIRQ_POLLUTANTS, at.year, at.month, (int)n, 0});
        return;
    }
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        int valid = 0;
        for (size_t i = 0; i < n; i++)
            valid += days[i].value[p] != AIRQ_WIDE_NONE;
        if (at.month ? !airq_month_valid(at.month, valid) : !airq_year_valid(valid))
            gap(g, (struct airq_gap){p, at.year, at.month, valid, at.month == 0 ? 324 : at.month == 2 ? 25 : 27});
    }
}

size_t airq_gaps(const struct airq_day *days, size_t n, int32_t first, struct airq_gap *ret, size_t cap)
{
    struct gaps g = {ret, cap, 0};
    size_t month_from = 0, year_from = 0;
    bool month_whole = civil_of(first).day == 1, year_whole = month_whole && civil_of(first).month == 1;
    for (size_t i = 0; i < n; i++) {
        const struct lt_civil at = civil_of(first + (int32_t)i), next = civil_of(first + (int32_t)i + 1);
        const bool last = i + 1 == n;
        if (next.day == 1 || last) {
            span_gaps(&g, days + month_from, i + 1 - month_from, at, month_whole && next.day == 1);
            month_from = i + 1;
            month_whole = true;
        }
        if ((next.day == 1 && next.month == 1) || last) {
            span_gaps(&g, days + year_from, i + 1 - year_from, (struct lt_civil){.year = at.year},
                      year_whole && next.day == 1 && next.month == 1);
            year_from = i + 1;
            year_whole = true;
        }
    }
    return g.n;
}

int64_t airq_change_pct(int64_t before, int64_t now)
{
    if (before == AIRQ_NONE || now == AIRQ_NONE || before <= 0)
        return AIRQ_NONE;
    return lt_div_half_even(((lt_i128)now - before) * 1000, before) * 100000;
}
