/* Attainment, changes, seasons, targets, dust and reference states; see airq_rules.h. Tables of limits and the
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

const char *airq_verdict_name(enum airq_verdict v, bool english)
{
    static const char *const zh[] = {"无法判定", "达标", "超标"}, *const en[] = {"unknown", "attained", "exceeded"};
    return english ? en[v] : zh[v];
}

/* ---- hours ---- */

static int64_t mean_when(enum airq_pollutant p, const int32_t *ticks, size_t n, size_t least)
{
    int64_t sum = 0, valid = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ticks[i] < 0 ? 0 : ticks[i];
        valid += ticks[i] >= 0;
    }
    return valid == 0 || (size_t)valid < least ? AIRQ_NONE : lt_div_half_even((lt_i128)sum * airq_tick(p), valid);
}

int64_t airq_running_mean(enum airq_pollutant p, const int32_t *ticks, size_t n)
{
    return mean_when(p, ticks, n, n == 24 ? 20 : (n * 3 + 3) / 4);
}

int64_t airq_city_hour(enum airq_pollutant p, const int32_t *ticks, size_t stations)
{
    return mean_when(p, ticks, stations, stations < 4 ? (stations + 1) / 2 : (stations * 3 + 3) / 4);
}

enum { ASTHMA, RESPIRATORY, CARDIOVASCULAR, CHILDREN, TEENAGERS, OUTDOORS, ELDERLY, GROUPS };
static const unsigned sensitive[AIRQ_POLLUTANTS] = {
    [AIRQ_SO2] = 1 << ASTHMA | 1 << CHILDREN | 1 << TEENAGERS | 1 << ELDERLY,
    [AIRQ_NO2] = 1 << RESPIRATORY | 1 << CHILDREN | 1 << ELDERLY,
    [AIRQ_CO] = 1 << CARDIOVASCULAR,
    [AIRQ_PM10] = 1 << CARDIOVASCULAR | 1 << RESPIRATORY | 1 << CHILDREN | 1 << OUTDOORS | 1 << ELDERLY,
    [AIRQ_PM25] = 1 << CARDIOVASCULAR | 1 << RESPIRATORY | 1 << CHILDREN | 1 << OUTDOORS | 1 << ELDERLY,
    [AIRQ_O3] = 1 << RESPIRATORY | 1 << CHILDREN | 1 << OUTDOORS | 1 << ELDERLY};

void airq_sensitive_text(unsigned pollutants, bool english, char ret[320])
{
    static const char *const zh[GROUPS] = {"哮喘患者", "呼吸系统疾病患者", "心血管疾病患者", "儿童",
                                           "青少年",   "经常户外活动者",   "老年人"};
    static const char *const en[GROUPS] = {"people with asthma",
                                           "people with respiratory disease",
                                           "people with cardiovascular disease",
                                           "children",
                                           "adolescents",
                                           "people often outdoors",
                                           "the elderly"};
    struct say s = {ret, 320, 0};
    unsigned groups = 0;
    say(&s, "");
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        groups |= pollutants >> p & 1 ? sensitive[p] : 0;
    for (int i = 0; i < GROUPS; i++) {
        if (!(groups >> i & 1))
            continue;
        if (s.n)
            say(&s, english ? ", " : "、");
        say(&s, english ? en[i] : zh[i]);
    }
}

/* ---- figures of several periods ---- */

int64_t airq_mean_of(const int64_t *v, size_t n, unsigned decimals)
{
    const int64_t unit = pow10i[6 - decimals];
    lt_i128 sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i] == AIRQ_NONE)
            return AIRQ_NONE;
        sum += v[i];
    }
    return n == 0 ? AIRQ_NONE : lt_div_half_even(sum, (lt_i128)n * unit) * unit;
}

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

static int32_t day_of(int year, int month, int day)
{
    const struct lt_civil c = {.year = year, .month = month, .day = day};
    int64_t ms = 0;
    lt_civil_to_ms(&c, 0, &ms);
    return (int32_t)(ms / LT_DAY_MS);
}

void airq_autumn_winter(int year, int32_t *ret_from, int32_t *ret_to)
{
    *ret_from = day_of(year, 10, 1);
    *ret_to = day_of(year + 1, 3, 31);
}

enum airq_season airq_season_of(int month)
{
    static const enum airq_season of[12] = {AIRQ_WINTER, AIRQ_WINTER, AIRQ_SPRING, AIRQ_SPRING,
                                            AIRQ_SPRING, AIRQ_SUMMER, AIRQ_SUMMER, AIRQ_SUMMER,
                                            AIRQ_AUTUMN, AIRQ_AUTUMN, AIRQ_AUTUMN, AIRQ_WINTER};
    return of[(month - 1) % 12];
}

const char *airq_season_name(enum airq_season s, bool english)
{
    static const char *const zh[] = {"春季", "夏季", "秋季", "冬季"}, *const en[] = {"spring", "summer", "autumn",
                                                                                     "winter"};
    return english ? en[s] : zh[s];
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

/* ---- sand dust ---- */

const struct airq_dust_rule airq_dust_usual = {.before_h = 6,
                                               .before_valid = 4,
                                               .start_pct = 200,
                                               .start_above = 150000000,
                                               .ratio_pct = 50,
                                               .end_pct = 110,
                                               .longest_h = 72};

struct dust_before {
    int64_t sum, pm10, pm25; /* of PM10; of hours that have both */
    int n;
};

static struct dust_before dust_before(const struct airq_dust_rule *r, const int32_t *pm10, const int32_t *pm25,
                                      size_t at)
{
    struct dust_before b = {0};
    for (size_t i = at >= (size_t)r->before_h ? at - (size_t)r->before_h : 0; i < at; i++) {
        if (pm10[i] < 0)
            continue;
        b.sum += pm10[i];
        b.n++;
        if (pm25[i] >= 0) {
            b.pm10 += pm10[i];
            b.pm25 += pm25[i];
        }
    }
    return b;
}

static bool dust_starts(const struct airq_dust_rule *r, const struct dust_before *b, int64_t pm10, int64_t pm25)
{
    if (pm10 < 0 || b->n < r->before_valid || b->n == 0 || pm10 * airq_tick(AIRQ_PM10) <= r->start_above ||
        pm10 * 100 * b->n < b->sum * r->start_pct)
        return false;
    /* PM2.5/PM10 now against the same of the sums before, without a division; unknown: not met */
    return r->ratio_pct == 0 ||
           (pm25 >= 0 && b->pm10 > 0 && (lt_i128)pm25 * 100 * b->pm10 <= (lt_i128)r->ratio_pct * b->pm25 * pm10);
}

size_t airq_dust_suggest(const struct airq_dust_rule *r, const int32_t *pm10, const int32_t *pm25, size_t n,
                         struct airq_dust_span *ret, size_t cap)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        const struct dust_before b = dust_before(r, pm10, pm25, i);
        if (!dust_starts(r, &b, pm10[i], pm25[i]))
            continue;
        size_t to = i + 1;
        int64_t peak = pm10[i];
        bool ended = false;
        for (; to < n && to - i < (size_t)r->longest_h; to++) {
            if (pm10[to] >= 0 && (int64_t)pm10[to] * 100 * b.n <= b.sum * r->end_pct) {
                ended = true;
                break;
            }
            peak = pm10[to] > peak ? pm10[to] : peak;
        }
        if (found < cap)
            ret[found] = (struct airq_dust_span){i, to, lt_div_half_even((lt_i128)b.sum * airq_tick(AIRQ_PM10), b.n),
                                                 peak * airq_tick(AIRQ_PM10), !ended};
        found++;
        i = to - 1;
    }
    return found;
}

/* ---- reference state and units ---- */

enum airq_state airq_state_on(int yyyymmdd)
{
    return yyyymmdd >= 20180901 ? AIRQ_STATE_298 : AIRQ_STATE_273;
}

int64_t airq_gas_convert(int64_t conc, enum airq_state from, enum airq_state to)
{
    if (from == to || conc < 0)
        return conc;
    return from == AIRQ_STATE_273 ? lt_div_half_even((lt_i128)conc * 27315, 29815)
                                  : lt_div_half_even((lt_i128)conc * 29815, 27315);
}

/* C(actual) = C(std) x (P/1013.25) x (273.15/T): n/d of it in millionths of hPa and K */
static bool particle_ratio(int64_t t_c, int64_t p_hpa, lt_i128 *ret_n, lt_i128 *ret_d)
{
    *ret_n = (lt_i128)p_hpa * 273150000;
    *ret_d = (lt_i128)1013250000 * (t_c + 273150000);
    return t_c > -100000000 && p_hpa > 0 && t_c < 200000000 && p_hpa < INT64_C(2000000000);
}

int64_t airq_particle_actual(int64_t conc_standard, int64_t t_c, int64_t p_hpa)
{
    lt_i128 n, d;
    if (conc_standard < 0 || !particle_ratio(t_c, p_hpa, &n, &d))
        return AIRQ_NONE;
    return lt_div_half_even(n * conc_standard, d);
}

int64_t airq_particle_standard(int64_t conc_actual, int64_t t_c, int64_t p_hpa)
{
    lt_i128 n, d;
    if (conc_actual < 0 || !particle_ratio(t_c, p_hpa, &n, &d))
        return AIRQ_NONE;
    return lt_div_half_even(d * conc_actual, n);
}

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
