/* Tests of attainment, changes in words, targets, the two dust switches and reference states, with published figures
 * where there are some. */
#include "airq/airq_rules.h"
#include "airq/airq_testing.h"
#include "base/rand.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* GB 3095-2012 and GB 3095-2026, grades I and II: SO2 NO2 CO PM10 PM2.5 O3. */
static void limits_of_both_grades(void **state)
{
    static const struct {
        const char *name;
        enum airq_grade g;
        int year[6], day[6];
    } t[] = {{"2012", AIRQ_GRADE_1, {20, 40, 0, 40, 15, 0}, {50, 80, 4, 50, 35, 100}},
             {"2012", AIRQ_GRADE_2, {60, 40, 0, 70, 35, 0}, {150, 80, 4, 150, 75, 160}},
             {"2026t", AIRQ_GRADE_1, {20, 40, 0, 40, 15, 0}, {50, 80, 4, 50, 35, 100}},
             {"2026t", AIRQ_GRADE_2, {60, 40, 0, 60, 30, 0}, {150, 80, 4, 120, 60, 160}},
             {"2026f", AIRQ_GRADE_1, {20, 30, 0, 20, 10, 0}, {50, 50, 4, 50, 25, 100}},
             {"2026f", AIRQ_GRADE_2, {20, 30, 0, 50, 25, 0}, {50, 50, 4, 100, 50, 160}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
            const int64_t year = airq_limit_year(std(t[i].name), t[i].g, (enum airq_pollutant)p);
            assert_int_equal(year, t[i].year[p] ? t[i].year[p] * INT64_C(1000000) : AIRQ_NONE);
            assert_int_equal(airq_limit_day(std(t[i].name), t[i].g, (enum airq_pollutant)p),
                             t[i].day[p] * INT64_C(1000000));
        }
}

static struct airq_period period_of(const char *so2, const char *no2, const char *pm10, const char *pm25,
                                    const char *co, const char *o3)
{
    struct airq_period x = {0};
    const char *z[AIRQ_POLLUTANTS] = {
        [AIRQ_SO2] = so2, [AIRQ_NO2] = no2, [AIRQ_CO] = co, [AIRQ_PM10] = pm10, [AIRQ_PM25] = pm25, [AIRQ_O3] = o3};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        x.item[p] = (struct airq_period_item){.judged_mean = z[p] ? fix(z[p]) : AIRQ_NONE,
                                              .judged_percentile = z[p] ? fix(z[p]) : AIRQ_NONE,
                                              .days_valid = 365,
                                              .exceed_days = 10};
    return x;
}

static void attainment(void **state)
{
    struct airq_attainment a;
    struct airq_period x = period_of("6", "12", "51", "19", "0.9", "137"); /* Puning 2025, all six within grade II */
    airq_attain(std("2012"), AIRQ_GRADE_2, &x, &a);
    assert_int_equal(a.overall, AIRQ_ATTAINED);
    assert_fix(a.item[AIRQ_SO2].days_pct, "97.3");
    assert_int_equal(a.item[AIRQ_O3].mean, AIRQ_UNKNOWN);
    airq_attain(std("2012"), AIRQ_GRADE_1, &x, &a);
    assert_int_equal(a.overall, AIRQ_EXCEEDED);
    assert_int_equal(a.item[AIRQ_NO2].verdict, AIRQ_ATTAINED);
    assert_fix(a.item[AIRQ_PM25].mean_multiple, "0.27"); /* (19-15)/15 */
    assert_fix(a.item[AIRQ_O3].percentile_multiple, "0.37");
    assert_fix(a.item[AIRQ_CO].percentile_multiple, "none");
    x.item[AIRQ_PM25].judged_percentile = fix("76"); /* the mean within, the percentile not */
    airq_attain(std("2012"), AIRQ_GRADE_2, &x, &a);
    assert_int_equal(a.item[AIRQ_PM25].mean, AIRQ_ATTAINED);
    assert_int_equal(a.item[AIRQ_PM25].verdict, AIRQ_EXCEEDED);
    assert_int_equal(a.overall, AIRQ_EXCEEDED);
    x = period_of("6", "12", NULL, "19", "0.9", "137");
    airq_attain(std("2012"), AIRQ_GRADE_2, &x, &a);
    assert_int_equal(a.overall, AIRQ_UNKNOWN);
}

static void multiples_and_shares(void **state)
{
    assert_fix(airq_exceed_multiple(fix("75"), fix("75")), "none");
    assert_fix(airq_exceed_multiple(fix("76"), fix("75")), "0.01");
    assert_fix(airq_exceed_multiple(fix("150"), fix("75")), "1");
    assert_fix(airq_exceed_multiple(fix("4.1"), fix("4")), "0.02"); /* 0.025: to even */
    assert_fix(airq_share_pct(352, 365), "96.4");                   /* Puning 2025: 13 of 365 polluted */
    assert_fix(airq_share_pct(27, 29), "93.1");                     /* Wuyuan 2023-09 */
    assert_fix(airq_share_pct(86, 91), "94.5");                     /* Naiman, first quarter */
    assert_fix(airq_share_pct(22, 29), "75.9");                     /* Qijiang 2024-02 */
    assert_fix(airq_share_pct(35, 60), "58.3");                     /* Qijiang 2024-01 to 02 */
    assert_fix(airq_share_pct(1, 0), "none");
}

static void hours(void **state)
{
    int32_t t[24];
    for (int i = 0; i < 24; i++)
        t[i] = i < 4 ? -1 : (i == 23 ? 60 : 50) * UG;
    assert_fix(airq_running_mean(AIRQ_PM25, t, 24), "50.5");
    t[4] = -1;
    assert_fix(airq_running_mean(AIRQ_PM25, t, 24), "none"); /* 19 of 24 */
    assert_fix(airq_running_mean(AIRQ_O3, t + 3, 8), "50");  /* 6 of 8 */
    assert_fix(airq_running_mean(AIRQ_O3, t + 2, 8), "none");
}

/* The ministry's figures of 2022-08 and the words around them. */
static void changes_in_words(void **state)
{
    static const struct {
        enum airq_change_kind kind;
        const char *before, *now, *zh, *en;
    } t[] = {
        {AIRQ_CHANGE_VALUE, "17", "16", "下降5.9%", "down 5.9 %"},
        {AIRQ_CHANGE_VALUE, "33", "31", "下降6.1%", "down 6.1 %"},
        {AIRQ_CHANGE_VALUE, "15", "14", "下降6.7%", "down 6.7 %"},
        {AIRQ_CHANGE_VALUE, "0.8", "0.7", "下降12.5%", "down 12.5 %"},
        {AIRQ_CHANGE_VALUE, "140", "135", "下降3.6%", "down 3.6 %"},
        {AIRQ_CHANGE_VALUE, "9", "8", "下降11.1%", "down 11.1 %"},
        {AIRQ_CHANGE_VALUE, "22", "19", "下降13.6%", "down 13.6 %"},
        {AIRQ_CHANGE_VALUE, "53", "49", "下降7.5%", "down 7.5 %"},
        {AIRQ_CHANGE_VALUE, "2.89", "2.63", "下降9.0%", "down 9.0 %"},
        {AIRQ_CHANGE_VALUE, "30", "33", "上升10.0%", "up 10.0 %"},
        {AIRQ_CHANGE_VALUE, "30", "30", "持平", "unchanged"},
        {AIRQ_CHANGE_VALUE, "300.1", "300.2", "基本持平", "almost unchanged"},
        {AIRQ_CHANGE_VALUE, "100", "100.1", "上升0.1%", "up 0.1 %"},
        {AIRQ_CHANGE_VALUE, "0", "3", "", ""},
        {AIRQ_CHANGE_SHARE, "75.9", "93.1", "上升17.2个百分点", "up 17.2 percentage points"},
        {AIRQ_CHANGE_SHARE, "96.4", "94.5", "下降1.9个百分点", "down 1.9 percentage points"},
        {AIRQ_CHANGE_SHARE, "0", "1.5", "上升1.5个百分点", "up 1.5 percentage points"},
        {AIRQ_CHANGE_SHARE, "94.5", "94.5", "持平", "unchanged"},
        {AIRQ_CHANGE_COUNT, "5", "2", "减少3天", "3 days fewer"},
        {AIRQ_CHANGE_COUNT, "0", "1", "增加1天", "1 day more"},
    };
    char z[96];
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        airq_change_text(t[i].kind, fix(t[i].before), fix(t[i].now), false, z);
        assert_string_equal(z, t[i].zh);
        airq_change_text(t[i].kind, fix(t[i].before), fix(t[i].now), true, z);
        assert_string_equal(z, t[i].en);
    }
    airq_change_text(AIRQ_CHANGE_SHARE, AIRQ_NONE, 1, true, z);
    assert_string_equal(z, "");
}

static void composite_with_weights(void **state)
{
    /* Puning 2025 (published 2.75), Wuyuan 2023-09 (2.63), a town in Naiman, first quarter: published 3.14 from its
     * unrounded values, the rounded ones give 3.13 */
    static const struct {
        const char *conc[6], *want;
    } t[] = {{{"6", "12", "0.9", "51", "19", "137"}, "2.75"},
             {{"11", "16", "0.6", "40", "16", "139"}, "2.63"},
             {{"9", "14", "1.1", "77", "23", "96"}, "3.13"}};
    for (size_t i = 0; i < 3; i++) {
        int64_t c[AIRQ_POLLUTANTS];
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            c[p] = fix(t[i].conc[p]); /* the order of the enumeration */
        assert_fix(airq_composite(std("2012"), c, NULL), t[i].want);
    }
    /* unrounded values within the rounding of Naiman's that do give the published figure */
    const int64_t naiman[] = {fix("9.1"), fix("14"), fix("1.1"), fix("77"), fix("23.1"), fix("96")};
    assert_fix(airq_composite(std("2012"), naiman, NULL), "3.14");
    assert_fix(airq_composite_part(std("2012"), AIRQ_PM25, fix("19")), "0.54");
    assert_fix(airq_composite_part(std("2012"), AIRQ_PM25, AIRQ_NONE), "none");
    struct airq_day d = {.dust = 0};
    lt_i128 work;
    for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
        d.value[i] = ONE * (i == AIRQ_CO ? 900000 : 19 * UG);
        d.judged[i] = fix(i == AIRQ_CO ? "0.9" : "19");
    }
    struct airq_period x;
    const int weight[AIRQ_POLLUTANTS] = {
        [AIRQ_SO2] = 1, [AIRQ_NO2] = 2, [AIRQ_CO] = 1, [AIRQ_PM10] = 1, [AIRQ_PM25] = 3, [AIRQ_O3] = 2};
    airq_period(std("2012"), AIRQ_FINAL, &d, 1, &work, &x);
    assert_fix(airq_period_composite(std("2012"), &x, NULL), "1.95");
    assert_int_equal(airq_period_composite(std("2012"), &x, NULL), x.composite);
    assert_fix(airq_period_composite(std("2012"), &x, weight),
               "3.63"); /* .3167 + .95 + .225 + .2714 + 1.6286 + .2375 */
}

static void seasons(void **state)
{
    assert_int_equal(airq_autumn_winter_of(2024, 3), 2023);
    assert_int_equal(airq_autumn_winter_of(2024, 10), 2024);
    assert_int_equal(airq_autumn_winter_of(2024, 4), 0);
    assert_int_equal(airq_autumn_winter_of(2024, 9), 0);
}

static void the_days_left(void **state)
{
    /* 300 days of mean 40, target 38: (38 x 365 - 12000)/65 = 28.769… */
    struct airq_sum s = airq_sum_of_mean(AIRQ_PM25, fix("40"), 300);
    assert_fix(airq_mean_left(&s, AIRQ_PM25, 65, fix("38"), 1), "28.7");
    assert_fix(airq_mean_left(&s, AIRQ_PM25, 65, fix("38"), 6), "28.76923");
    /* with the help of rounding: (38.5 x 365 - 12000)/65 = 31.576… */
    assert_fix(airq_rounds_to(fix("38"), 0), "38.5");
    assert_fix(airq_rounds_to(fix("37"), 0), "37.499999");
    assert_fix(airq_rounds_to(fix("28.5"), 1), "28.549999");
    assert_fix(airq_mean_left(&s, AIRQ_PM25, 65, airq_rounds_to(fix("38"), 0), 1), "31.5");
    assert_fix(airq_mean_with(&s, AIRQ_PM25, 65, fix("31.5"), 0), "38");
    assert_fix(airq_mean_with(&s, AIRQ_PM25, 65, fix("31.6"), 0), "39");
    assert_fix(airq_mean_left(&s, AIRQ_PM25, 0, fix("38"), 1), "none");
    s = airq_sum_of_mean(AIRQ_PM25, fix("60"), 300); /* cannot be met any more */
    assert_fix(airq_mean_left(&s, AIRQ_PM25, 65, fix("38"), 1), "-63.6");
    s = (struct airq_sum){0, 0}; /* a new year: the target itself */
    assert_fix(airq_mean_left(&s, AIRQ_PM25, 365, fix("38"), 1), "38");
    assert_fix(airq_sum_mean(&s, AIRQ_PM25, 1), "none");
}

/* The mean still allowed keeps the target, a step more does not: random years. */
static void the_mean_left_is_the_last_that_holds(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 5);
    for (int i = 0; i < 20000; i++) {
        const int n = (int)lt_rand_below(&r, 360), left = 1 + (int)lt_rand_below(&r, 365);
        const int64_t target = (20 + (int64_t)lt_rand_below(&r, 60)) * 1000000;
        struct airq_sum s = {ONE * (int64_t)lt_rand_below(&r, 80 * UG) * (n ? n : 0) / 7 * 6, n};
        const int64_t most = lt_rand_below(&r, 2) ? target : airq_rounds_to(target, 0);
        const int64_t x = airq_mean_left(&s, AIRQ_PM25, left, most, 1);
        const lt_i128 unit = ONE / 100; /* wide in a millionth */
        if (x >= 0)
            assert_true(s.sum + unit * x * left <= unit * most * (n + left) + 100 * (n + 1));
        assert_true(s.sum + unit * (x + 100000) * left > unit * most * (n + left));
    }
}

static void days_still_needed(void **state)
{
    assert_int_equal(airq_good_needed(200, 300, 65, fix("71.8")), 62); /* 262/365 = 71.78 -> 71.8 */
    assert_int_equal(airq_good_needed(262, 300, 65, fix("71.8")), 0);
    assert_int_equal(airq_good_needed(190, 300, 65, fix("71.8")), 66); /* out of reach */
    assert_int_equal(airq_bad_allowed(1, 300, 65, fix("1")), 2);       /* 3/365 = 0.8, 4/365 = 1.1 */
    assert_int_equal(airq_bad_allowed(4, 300, 65, fix("1")), -1);
    assert_int_equal(airq_bad_allowed(0, 0, 0, fix("1")), -1);
    assert_int_equal(airq_days_affordable(3, 5), 2);
    assert_int_equal(airq_days_affordable(7, 5), -2);
    assert_int_equal(airq_above_allowed(365, 90), 36);
    assert_int_equal(airq_above_allowed(366, 90), 36);
    assert_int_equal(airq_above_allowed(31, 90), 3);
    assert_int_equal(airq_above_allowed(0, 90), 0);
}

/* With that many days above, the percentile is within; with one more it can be beyond. */
static void the_days_above_a_percentile(void **state)
{
    lt_i128 v[400];
    for (int n = 1; n <= 400; n++)
        for (int extra = 0; extra < 2; extra++) {
            const int above = airq_above_allowed(n, 90) + extra;
            for (int i = 0; i < n; i++)
                v[i] = i < above ? 1000 : 160;
            const lt_i128 got = airq_percentile(v, (size_t)n, 90);
            assert_true(extra == 0 ? got == 160 : got > 160 || above > n);
        }
}

static void dust_day(void **state)
{
    struct airq_cell a = {0}, b = {0};
    struct airq_day d;
    int32_t t[AIRQ_POLLUTANTS] = {10 * UG, 20 * UG, 500000, 600 * UG, 80 * UG, 90 * UG};
    for (int h = 0; h < 24; h++) {
        const uint32_t mask = 0xF; /* four hours deducted */
        t[AIRQ_PM10] = h < 4 ? 2000 * UG : 60 * UG;
        assert_true(airq_cell_add_dust(&a, h, t, mask));
        assert_true(airq_cell_add_dust(&b, h, t, mask << 1 | mask));
    }
    airq_cell_day(std("2012"), AIRQ_STEPWISE, &a, &d);
    assert_fix(d.judged[AIRQ_PM10], "60"); /* 20 hours are left */
    assert_fix(d.judged[AIRQ_SO2], "10");
    airq_cell_day(std("2012"), AIRQ_STEPWISE, &b, &d);
    assert_fix(d.judged[AIRQ_PM10], "none"); /* 19 */
    assert_fix(d.judged[AIRQ_PM25], "none");
    assert_fix(d.judged[AIRQ_O3], "90");
}

static void the_two_dust_switches(void **state)
{
    static const char *const standards[] = {"2012", "2026t"};
    for (int k = 0; k < 2; k++)
        for (unsigned bits = 0; bits < 4; bits++) {
            struct airq_day d[2];
            lt_i128 work[2];
            struct airq_period x;
            for (int i = 0; i < AIRQ_DAY_ITEMS; i++)
                for (int n = 0; n < 2; n++) {
                    const int ug = n == 1 && i == AIRQ_PM10 ? 400 : 40;
                    d[n].value[i] = ONE * (i == AIRQ_CO ? 500000 : ug * UG);
                    d[n].judged[i] = i == AIRQ_CO ? fix("0.5") : ug * INT64_C(1000000);
                    d[n].dust = n == 1 ? bits : 0;
                }
            airq_period(std(standards[k]), AIRQ_FINAL, d, 2, work, &x);
            assert_int_equal(x.item[AIRQ_PM10].days_valid, bits & AIRQ_DUST_STRIP ? 1 : 2);
            assert_int_equal(x.item[AIRQ_PM25].days_valid, bits & AIRQ_DUST_STRIP ? 1 : 2);
            assert_int_equal(x.item[AIRQ_SO2].days_valid, 2);
            assert_fix(x.item[AIRQ_PM10].mean, bits & AIRQ_DUST_STRIP ? "40" : "220");
            assert_int_equal(x.days_valid, 2);
            assert_int_equal(x.days_good, bits & AIRQ_DUST_RECOMPUTE ? 2 : 1);
            assert_int_equal(x.days_heavy, bits & AIRQ_DUST_RECOMPUTE ? 0 : 1);
            assert_int_equal(x.days_dust, bits != 0);
            assert_int_equal(x.days_dust_polluted, bits != 0);
            struct airq_sum s = {0, 0};
            airq_sum_days(&s, d, 2, AIRQ_PM10);
            assert_int_equal(s.n, bits & AIRQ_DUST_STRIP ? 1 : 2);
            assert_int_equal(airq_sum_mean(&s, AIRQ_PM10, 0), x.item[AIRQ_PM10].mean);
        }
}

static void reference_states(void **state)
{
    assert_fix(airq_gas_convert(fix("100"), AIRQ_STATE_273, AIRQ_STATE_298), "91.614959");
    assert_fix(airq_gas_convert(fix("91.614959"), AIRQ_STATE_298, AIRQ_STATE_273), "100");
    assert_fix(airq_gas_convert(fix("100"), AIRQ_STATE_298, AIRQ_STATE_298), "100");
    assert_fix(airq_gas_convert(AIRQ_NONE, AIRQ_STATE_273, AIRQ_STATE_298), "none");
    /* 1 ppb at 298.15 K: O3 1.962, SO2 2.618 (2.6186), NO2 1.880, 1 ppm CO 1.145 */
    static const char *const want[] = {[AIRQ_SO2] = "2.618555", [AIRQ_NO2] = "1.880431", [AIRQ_CO] = "1.144882",
                                       [AIRQ_PM10] = "none",    [AIRQ_PM25] = "none",    [AIRQ_O3] = "1.961873"};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        const int64_t one = airq_from_ppb((enum airq_pollutant)p, LT_FIX_ONE);
        assert_fix(one, want[p]);
        if (one != AIRQ_NONE)
            assert_true(llabs(airq_to_ppb((enum airq_pollutant)p, one) - LT_FIX_ONE) <= 1);
    }
}

/* ---- the second computation: testdata/rules_vectors.txt, printed by tests/rules_reference.py ---- */

/* Cuts the next part off *p at `sep`; "" at the end. */
static char *cut(char **p, char sep)
{
    static char none[1];
    char *from = *p;
    if (!from)
        return none;
    char *at = strchr(from, sep);
    *p = at ? at + 1 : NULL;
    if (at)
        *at = '\0';
    return from;
}

static int64_t value_of(const char *z)
{
    return strcmp(z, "-") == 0 ? AIRQ_NONE : fix(z);
}

static int int_of(const char *z)
{
    int64_t v;
    assert_true(lt_text_to_i64(lt_slice_of(z), &v));
    return (int)v;
}

static enum airq_pollutant pollutant_named(const char *z)
{
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        if (strcmp(airq_pollutant_name((enum airq_pollutant)p), z) == 0)
            return (enum airq_pollutant)p;
    fail();
    return AIRQ_SO2;
}

static lt_i128 wide_of(int64_t v, enum airq_pollutant p)
{
    return v == AIRQ_NONE ? AIRQ_WIDE_NONE : ONE * (v / airq_tick(p));
}

static struct airq_day day_of(const struct airq_standard *s, enum airq_rounding r, char *z)
{
    struct airq_day d = {.dust = 0};
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        const enum airq_pollutant p = (enum airq_pollutant)i;
        const int64_t v = value_of(cut(&z, '/'));
        const bool none = v == AIRQ_NONE;
        d.judged[p] = none ? AIRQ_NONE : lt_fix_round(v, p == AIRQ_CO ? 1 : 0);
        d.value[p] = wide_of(none || r == AIRQ_FINAL ? v : lt_fix_round(v, airq_standard_decimals(s, p)), p);
    }
    d.value[AIRQ_O3_1H] = d.value[AIRQ_O3];
    d.judged[AIRQ_O3_1H] = d.judged[AIRQ_O3];
    d.dust = (unsigned)int_of(z);
    return d;
}

static void same_letters(const struct airq_attainment *a, const char *want)
{
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        assert_int_equal("UAE"[a->item[p].verdict], want[p]);
    assert_int_equal("UAE"[a->overall], want[AIRQ_POLLUTANTS]);
}

static void period_vector(char *line)
{
    static struct airq_day day[128];
    static lt_i128 work[128];
    static const int weight[AIRQ_POLLUTANTS] = {
        [AIRQ_SO2] = 1, [AIRQ_NO2] = 2, [AIRQ_CO] = 1, [AIRQ_PM10] = 1, [AIRQ_PM25] = 3, [AIRQ_O3] = 2};
    const struct airq_standard *s = std(cut(&line, ';'));
    const enum airq_rounding r = lt_slice_is(lt_slice_of(cut(&line, ';')), "final") ? AIRQ_FINAL : AIRQ_STEPWISE;
    char *days = cut(&line, ';'), *want = cut(&line, ';');
    struct airq_period x;
    struct airq_attainment a;
    size_t n = 0;
    while (days && n < 128)
        day[n++] = day_of(s, r, cut(&days, ' '));
    airq_period(s, r, day, n, work, &x);
    airq_attain(s, AIRQ_GRADE_2, &x, &a);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        const int64_t got[] = {x.item[p].judged_mean, x.item[p].judged_percentile, a.item[p].mean_multiple,
                               a.item[p].percentile_multiple, a.item[p].days_pct};
        for (size_t i = 0; i < sizeof got / sizeof got[0]; i++)
            assert_int_equal(got[i], value_of(cut(&want, ' ')));
    }
    struct airq_attainment grade_1;
    airq_attain(s, AIRQ_GRADE_1, &x, &grade_1);
    same_letters(&grade_1, cut(&line, ';'));
    same_letters(&a, cut(&line, ';'));
    assert_int_equal(x.composite, value_of(cut(&line, ';')));
    assert_int_equal(airq_period_composite(s, &x, weight), value_of(cut(&line, ';')));
    assert_int_equal(x.days_valid, int_of(cut(&line, ' ')));
    assert_int_equal(x.days_good, int_of(cut(&line, ' ')));
    assert_int_equal(x.days_heavy, int_of(cut(&line, ' ')));
    assert_int_equal(x.days_dust, int_of(cut(&line, ' ')));
    assert_int_equal(x.days_dust_polluted, int_of(cut(&line, ' ')));
}

static void left_vector(char *line)
{
    const enum airq_pollutant p = pollutant_named(cut(&line, ';'));
    char *values = cut(&line, ';');
    const int left = int_of(cut(&line, ';'));
    const int64_t most = fix(cut(&line, ';'));
    const unsigned decimals = (unsigned)int_of(cut(&line, ';'));
    struct airq_sum sum = {0, 0};
    while (values && *values) {
        sum.sum += wide_of(fix(cut(&values, ' ')), p);
        sum.n++;
    }
    const int64_t helped = airq_rounds_to(most, decimals);
    assert_int_equal(helped, fix(cut(&line, ';')));
    assert_int_equal(airq_mean_left(&sum, p, left, helped, 1), fix(cut(&line, ';')));
    const int64_t x = fix(cut(&line, ';'));
    assert_int_equal(airq_mean_with(&sum, p, left, x, decimals), fix(cut(&line, ';')));
}

static void days_vector(char *line)
{
    const int good = int_of(cut(&line, ';')), valid = int_of(cut(&line, ';')), left = int_of(cut(&line, ';'));
    const int64_t target = fix(cut(&line, ';'));
    assert_int_equal(airq_good_needed(good, valid, left, target), int_of(cut(&line, ';')));
    assert_int_equal(airq_bad_allowed(valid - good, valid, left, target), int_of(cut(&line, ';')));
}

static void the_second_computation_agrees(void **state)
{
    static const struct {
        const char *kind;
        void (*check)(char *line);
        unsigned least;
    } kinds[] = {{"period", period_vector, 90}, {"left", left_vector, 150}, {"days", days_vector, 150}};
    unsigned n[3] = {0};
    char path[1024], *line = NULL;
    size_t cap = 0;
    snprintf(path, sizeof path, "%s/rules_vectors.txt", getenv("AIRQ_TESTDATA"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (getline(&line, &cap, f) > 0) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        const char *kind = cut(&rest, ';');
        for (int k = 0; k < 3; k++)
            if (strcmp(kind, kinds[k].kind) == 0) {
                n[k]++;
                kinds[k].check(rest);
            }
    }
    for (int k = 0; k < 3; k++)
        assert_true(n[k] >= kinds[k].least);
    free(line);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_both_grades),
        cmocka_unit_test(attainment),
        cmocka_unit_test(multiples_and_shares),
        cmocka_unit_test(hours),
        cmocka_unit_test(changes_in_words),
        cmocka_unit_test(composite_with_weights),
        cmocka_unit_test(seasons),
        cmocka_unit_test(the_days_left),
        cmocka_unit_test(the_mean_left_is_the_last_that_holds),
        cmocka_unit_test(days_still_needed),
        cmocka_unit_test(the_days_above_a_percentile),
        cmocka_unit_test(dust_day),
        cmocka_unit_test(the_two_dust_switches),
        cmocka_unit_test(reference_states),
        cmocka_unit_test(the_second_computation_agrees),
    };
    return cmocka_run_group_tests_name("airq_rules", tests, NULL, NULL);
}
