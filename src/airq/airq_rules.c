/* Attainment, changes, seasons, targets, reference states; see airq_rules.h. Tables of limits and the
 * composite stand in airq_assess.c beside the standards they belong to. */
#include "airq/airq_rules.h"
#include "airq/airq_priv.h"
#include "base/clock.h"

#define ONE ((lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000)) /* wide units in a tick */
enum { NEAR = 100 };

static const int64_t pow10i[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

/* n/d rounded down, d > 0, also below zero. */
static lt_i128 floor_div(lt_i128 n, lt_i128 d)
{
    return n / d - (n % d < 0);
}

/* ---- attainment ---- */

int64_t airq_exceed_multiple(int64_t conc, int64_t limit)
{
    if (conc < 0 || limit <= 0 || conc <= limit)
        return AIRQ_NONE;
    return lt_div_half_even(((lt_i128)conc - limit) * 100, limit) * 10000;
}

int64_t airq_share_pct(int64_t n, int64_t of)
{
    return of <= 0 ? AIRQ_NONE : lt_div_half_even((lt_i128)n * 1000, of) * 100000;
}

static enum airq_verdict verdict_of(int64_t conc, int64_t limit)
{
    return conc == AIRQ_NONE ? AIRQ_UNKNOWN : conc <= limit ? AIRQ_ATTAINED : AIRQ_EXCEEDED;
}

void airq_attain(const struct airq_standard *s, enum airq_grade g, const struct airq_period *x,
                 struct airq_attainment *ret)
{
    ret->overall = AIRQ_ATTAINED;
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        const enum airq_pollutant p = (enum airq_pollutant)i;
        const struct airq_period_item *item = &x->item[p];
        const int64_t year = airq_limit_year(s, g, p), day = airq_limit_day(s, g, p);
        const bool mean = airq_has_mean(p);
        enum airq_verdict all = verdict_of(item->judged_percentile, day);
        ret->item[p].percentile = all;
        ret->item[p].mean = mean ? verdict_of(item->judged_mean, year) : AIRQ_UNKNOWN;
        if (mean && ret->item[p].mean == AIRQ_EXCEEDED)
            all = AIRQ_EXCEEDED;
        ret->item[p].verdict = all;
        ret->item[p].mean_multiple = mean ? airq_exceed_multiple(item->judged_mean, year) : AIRQ_NONE;
        ret->item[p].percentile_multiple = airq_exceed_multiple(item->judged_percentile, day);
        ret->item[p].days_pct = airq_share_pct(item->days_valid - item->exceed_days, item->days_valid);
        if (all == AIRQ_EXCEEDED)
            ret->overall = AIRQ_EXCEEDED;
        else if (all == AIRQ_UNKNOWN && ret->overall == AIRQ_ATTAINED)
            ret->overall = AIRQ_UNKNOWN;
    }
}

/* ---- hours ---- */

int64_t airq_running_mean(enum airq_pollutant p, const int32_t *ticks, size_t n)
{
    const size_t least = n == 24 ? 20 : (n * 3 + 3) / 4;
    int64_t sum = 0, valid = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ticks[i] < 0 ? 0 : ticks[i];
        valid += ticks[i] >= 0;
    }
    return valid == 0 || (size_t)valid < least ? AIRQ_NONE : lt_div_half_even((lt_i128)sum * airq_tick(p), valid);
}

/* ---- figures of several periods ---- */

static const struct {              /* by falls, rises */
    const char *zh[2], *en[2];     /* before the number */
    const char *zh_unit, *en_unit; /* behind it */
    unsigned decimals;
} words[] = {
    [AIRQ_CHANGE_VALUE] = {{"下降", "上升"}, {"down ", "up "}, "%", " %", 1},
    [AIRQ_CHANGE_SHARE] = {{"下降", "上升"}, {"down ", "up "}, "个百分点", " percentage points", 1},
    [AIRQ_CHANGE_COUNT] = {{"减少", "增加"}, {"", ""}, "天", " day", 0},
};

void airq_change_text(enum airq_change_kind kind, int64_t before, int64_t now, bool english, char ret[96])
{
    struct say s = {ret, 96, 0};
    say(&s, "");
    if (before == AIRQ_NONE || now == AIRQ_NONE)
        return;
    if (before == now) {
        say(&s, english ? "unchanged" : "持平");
        return;
    }
    const int64_t change = kind == AIRQ_CHANGE_VALUE ? airq_change_pct(before, now) : now - before;
    if (change == AIRQ_NONE)
        return;
    if (change == 0) { /* not equal, but less than 0.05 % apart */
        say(&s, english ? "almost unchanged" : "基本持平");
        return;
    }
    const int64_t size = change < 0 ? -change : change;
    const bool rises = now > before;
    say(&s, english ? words[kind].en[rises] : words[kind].zh[rises]);
    say_fix(&s, size, words[kind].decimals);
    say(&s, english ? words[kind].en_unit : words[kind].zh_unit);
    if (english && kind == AIRQ_CHANGE_COUNT) {
        say(&s, size == LT_FIX_ONE ? "" : "s");
        say(&s, rises ? " more" : " fewer");
    }
}

/* ---- seasons ---- */

int airq_autumn_winter_of(int year, int month)
{
    return month >= 10 ? year : month <= 3 ? year - 1 : 0;
}

/* ---- targets ---- */

void airq_sum_days(struct airq_sum *sum, const struct airq_day *days, size_t n, enum airq_pollutant p)
{
    const bool pm = p == AIRQ_PM10 || p == AIRQ_PM25;
    for (size_t i = 0; i < n; i++)
        if (days[i].value[p] != AIRQ_WIDE_NONE && !(pm && (days[i].dust & AIRQ_DUST_STRIP))) {
            sum->sum += days[i].value[p];
            sum->n++;
        }
}

struct airq_sum airq_sum_of_mean(enum airq_pollutant p, int64_t mean, int n)
{
    return mean < 0 || n <= 0 ? (struct airq_sum){0, 0} : (struct airq_sum){ONE / airq_tick(p) * mean * n, n};
}

/* sum/(n units) of wide values in millionths, rounded as in airq_assess.c: what lies within NEAR of a half is one. */
static int64_t mean_of(lt_i128 sum, int n, enum airq_pollutant p, unsigned decimals)
{
    const int64_t unit = pow10i[6 - decimals];
    const lt_i128 d = ONE / airq_tick(p) * unit * n, q = floor_div(sum, d), over = 2 * (sum - q * d) - d,
                  near = (lt_i128)NEAR * n * 2;
    return (int64_t)(q + (over > near || (over >= -near && (q & 1)))) * unit;
}

int64_t airq_sum_mean(const struct airq_sum *sum, enum airq_pollutant p, unsigned decimals)
{
    return sum->n <= 0 ? AIRQ_NONE : mean_of(sum->sum, sum->n, p, decimals);
}

int64_t airq_mean_left(const struct airq_sum *so_far, enum airq_pollutant p, int left, int64_t most, unsigned decimals)
{
    if (left <= 0 || most < 0)
        return AIRQ_NONE;
    const int64_t unit = pow10i[6 - decimals];
    const lt_i128 room = ONE / airq_tick(p) * most * (so_far->n + left) - so_far->sum;
    const lt_i128 d = ONE / airq_tick(p) * unit * left;
    /* the sum's own error (below NEAR a day) must not cost a step where the true quotient is whole */
    return (int64_t)floor_div(room + (lt_i128)NEAR * (so_far->n + 1), d) * unit;
}

int64_t airq_rounds_to(int64_t target, unsigned decimals)
{
    const int64_t unit = pow10i[6 - decimals], half = unit / 2;
    if (decimals >= 6)
        return target;
    return target + half - (target / unit & 1);
}

int64_t airq_mean_with(const struct airq_sum *so_far, enum airq_pollutant p, int left, int64_t mean_left,
                       unsigned decimals)
{
    if (left < 0 || so_far->n + left <= 0 || mean_left < 0)
        return AIRQ_NONE;
    return mean_of(so_far->sum + ONE / airq_tick(p) * mean_left * left, so_far->n + left, p, decimals);
}

/* Shares are published with one decimal, so the published share is what is compared; it rises with n. */
int airq_good_needed(int good, int valid, int left, int64_t target_pct)
{
    for (int k = 0; k <= left; k++)
        if (airq_share_pct(good + k, valid + left) >= target_pct)
            return k;
    return left + 1;
}

int airq_bad_allowed(int bad, int valid, int left, int64_t target_pct)
{
    for (int k = left; k >= 0; k--) {
        const int64_t share = airq_share_pct(bad + k, valid + left);
        if (share != AIRQ_NONE && share <= target_pct)
            return k;
    }
    return -1;
}

int airq_days_affordable(int so_far, int target_days)
{
    return target_days - so_far;
}

int airq_above_allowed(int days, int percent)
{
    /* k = (n-1)p/100 from zero: the percentile lies between X[floor k] and X[ceil k], so X[ceil k] must be within */
    return days <= 0 ? 0 : days - 1 - ((days - 1) * percent + 99) / 100;
}

/* ---- reference state and units ---- */

int64_t airq_gas_convert(int64_t conc, enum airq_state from, enum airq_state to)
{
    if (from == to || conc < 0)
        return conc;
    return from == AIRQ_STATE_273 ? lt_div_half_even((lt_i128)conc * 27315, 29815)
                                  : lt_div_half_even((lt_i128)conc * 29815, 27315);
}

/* C(actual) = C(std) x (P/1013.25) x (273.15/T): n/d of it in millionths of hPa and K */
/* Molar mass, 1e-4 g/mol; molar volume of an ideal gas at 298.15 K, 1013.25 hPa: 24.4654 l/mol. */
static const int64_t molar_mass[AIRQ_POLLUTANTS] = {
    [AIRQ_SO2] = 640640, [AIRQ_NO2] = 460055, [AIRQ_CO] = 280100, [AIRQ_O3] = 479980};
enum { MOLAR_VOLUME = 244654 };

int64_t airq_to_ppb(enum airq_pollutant p, int64_t conc)
{
    return conc < 0 || !molar_mass[p] ? AIRQ_NONE : lt_div_half_even((lt_i128)conc * MOLAR_VOLUME, molar_mass[p]);
}

int64_t airq_from_ppb(enum airq_pollutant p, int64_t ppb)
{
    return ppb < 0 || !molar_mass[p] ? AIRQ_NONE : lt_div_half_even((lt_i128)ppb * molar_mass[p], MOLAR_VOLUME);
}
