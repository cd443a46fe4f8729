/* Tests of day, city and period figures: every minimum on both sides, halves, published figures, orders. */
#include "airq/airq_assess.h"
#include "airq/airq_testing.h"
#include "base/rand.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { MG = 1000000 };

/* All six pollutants at hour h; CO is a tenth of the number in mg. */
static void hour(struct airq_cell *c, int h, int ug)
{
    const int32_t t[AIRQ_POLLUTANTS] = {ug * UG, ug * UG, ug * (MG / 10), ug * UG, ug * UG, ug * UG};
    assert_true(airq_cell_add(c, h, t));
}

static void only(struct airq_cell *c, int h, enum airq_pollutant p, int32_t ticks)
{
    int32_t t[AIRQ_POLLUTANTS] = {-1, -1, -1, -1, -1, -1};
    t[p] = ticks;
    assert_true(airq_cell_add(c, h, t));
}

static void tables_of_the_standards(void **state)
{
    static const struct {
        const char *name;
        int day[6], index[6]; /* SO2 NO2 CO PM10 PM25 O3 */
        const char *scale;
        unsigned pm25_decimals;
    } t[] = {{"2012", {150, 80, 4, 150, 75, 160}, {60, 40, 4, 70, 35, 160}, "HJ 633-2012", 0},
             {"2026t", {150, 80, 4, 120, 60, 160}, {60, 40, 4, 60, 30, 160}, "HJ 633-2026", 1},
             {"2026f", {50, 50, 4, 100, 50, 160}, {20, 30, 4, 50, 25, 160}, "HJ 633-2026", 1}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const struct airq_standard *s = std(t[i].name);
        assert_string_equal(airq_scale_standard(airq_standard_scale(s)), t[i].scale);
        assert_int_equal(airq_standard_decimals(s, AIRQ_PM25), t[i].pm25_decimals);
        assert_int_equal(airq_standard_decimals(s, AIRQ_CO), 1);
        assert_int_equal(airq_standard_decimals(s, AIRQ_O3), 0);
        for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
            assert_int_equal(airq_standard_day_limit(s, (enum airq_pollutant)p), t[i].day[p] * INT64_C(1000000));
            assert_int_equal(airq_standard_index_limit(s, (enum airq_pollutant)p), t[i].index[p] * INT64_C(1000000));
        }
    }
    assert_null(airq_standard_find(LT_LIT("2026")));
}

/* GB/T 8170: half to even on the decimal value, in one step. */
static void rounding_of_gbt_8170(void **state)
{
    static const struct {
        const char *v;
        unsigned decimals;
        const char *want;
    } t[] = {{"2.15", 1, "2.2"}, {"2.25", 1, "2.2"},   {"2.05", 1, "2"},     {"35.5", 0, "36"},   {"60.5", 0, "60"},
             {"0.5", 0, "0"},    {"35.4546", 0, "35"}, {"15.4546", 0, "15"}, {"-0.15", 1, "-0.2"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_fix(lt_fix_round(fix(t[i].v), t[i].decimals), t[i].want);
}

/* GB 3095 table 4: at least 20 hourly means. */
static void a_day_needs_twenty_hours(void **state)
{
    struct airq_cell c = {0};
    struct airq_day d;
    for (int h = 0; h < 19; h++)
        hour(&c, h, 40);
    airq_cell_day(std("2012"), AIRQ_FINAL, &c, &d);
    for (int p = 0; p < AIRQ_O3; p++) {
        assert_true(d.value[p] == AIRQ_WIDE_NONE);
        assert_int_equal(d.judged[p], AIRQ_NONE);
    }
    hour(&c, 23, 60); /* the twentieth: (19*40 + 60)/20 = 41 */
    airq_cell_day(std("2012"), AIRQ_FINAL, &c, &d);
    for (int p = 0; p < AIRQ_O3; p++) {
        assert_true(d.value[p] == ONE * 41 * (p == AIRQ_CO ? MG / 10 : UG));
        assert_fix(d.judged[p], p == AIRQ_CO ? "4.1" : "41");
    }
}

static void an_hour_counts_once(void **state)
{
    struct airq_cell c = {0}, before;
    const int32_t t[AIRQ_POLLUTANTS] = {1, 2, 3, 4, 5, 6}, none[AIRQ_POLLUTANTS] = {-1, -1, -1, -1, -1, -1};
    assert_true(airq_cell_add(&c, 7, t));
    before = c;
    assert_false(airq_cell_add(&c, 7, t));
    assert_false(airq_cell_add(&c, 7, none));
    assert_memory_equal(&c, &before, sizeof c);
    assert_true(airq_cell_add(&c, 8, none)); /* a row without values is there, too */
    assert_false(airq_cell_add(&c, 8, t));
    assert_int_equal(sizeof c, 128);
}

/* 0 and the largest value at all 24 hours: the sums hold. */
static void the_largest_day_fits(void **state)
{
    struct airq_cell c = {0}, zero = {0};
    struct airq_day d;
    int32_t most[AIRQ_POLLUTANTS];
    const int32_t nil[AIRQ_POLLUTANTS] = {0};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        most[p] = airq_most((enum airq_pollutant)p);
    for (int h = 0; h < 24; h++) {
        assert_true(airq_cell_add(&c, h, most));
        assert_true(airq_cell_add(&zero, h, nil));
    }
    airq_cell_day(std("2012"), AIRQ_STEPWISE, &c, &d);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        assert_true(d.value[p] == ONE * most[p]);
    airq_cell_day(std("2012"), AIRQ_STEPWISE, &zero, &d);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        assert_true(d.value[p] == 0 && d.judged[p] == 0);
}

/* O3 at the hours of `mask`, the same value at each. */
static struct airq_day ozone(uint32_t mask, int ug)
{
    struct airq_cell c = {0};
    struct airq_day d;
    for (int h = 0; h < 24; h++)
        if (mask >> h & 1)
            only(&c, h, AIRQ_O3, ug * UG);
    airq_cell_day(std("2012"), AIRQ_FINAL, &c, &d);
    return d;
}

/* Windows end at 08..24; each needs 6 of its 8 hours. Hours 0..5 alone: windows 8 (six hours) only. */
static void an_eight_hour_mean_needs_six(void **state)
{
    assert_fix(ozone(0x00003F, 200).judged[AIRQ_O3], "200");  /* one window, above the limit */
    assert_fix(ozone(0x00001F, 200).judged[AIRQ_O3], "none"); /* five hours */
    assert_fix(ozone(0xFC0000, 200).judged[AIRQ_O3], "200");  /* 18..23: window 24 */
    assert_fix(ozone(0xF80000, 200).judged[AIRQ_O3], "none");
    assert_fix(ozone(0, 200).judged[AIRQ_O3], "none");
}

static void an_ozone_day_needs_fourteen_windows(void **state)
{
    /* hours 0..18: windows ending 8..19 have 8 hours, 20 has 7, 21 has 6: 14 windows; hours 0..17: 13 */
    assert_fix(ozone(0x07FFFF, 100).judged[AIRQ_O3], "100");
    assert_fix(ozone(0x03FFFF, 100).judged[AIRQ_O3], "none");
    assert_fix(ozone(0x03FFFF, 160).judged[AIRQ_O3], "none"); /* 160 is not above the limit */
    assert_fix(ozone(0x03FFFF, 161).judged[AIRQ_O3], "161");  /* HJ 663 6.1.2: above it the day counts */
    assert_fix(ozone(0x03FFFF, 161).judged[AIRQ_O3_1H], "161");
    assert_fix(ozone(0x03FFFF, 160).judged[AIRQ_O3_1H], "none");
}

/* The maximum is over windows inside the day: a rise in hours 16..23 is seen by the window that ends at 24:00. */
static void the_highest_window_is_taken(void **state)
{
    struct airq_cell c = {0};
    struct airq_day d;
    for (int h = 0; h < 24; h++)
        only(&c, h, AIRQ_O3, (h >= 16 ? 90 + h : h) * UG); /* 106..113: mean 109.5 */
    airq_cell_day(std("2012"), AIRQ_FINAL, &c, &d);
    assert_true(d.value[AIRQ_O3] == ONE * 1095000);
    assert_fix(d.judged[AIRQ_O3], "110");
    assert_fix(d.judged[AIRQ_O3_1H], "113");
    airq_cell_day(std("2012"), AIRQ_STEPWISE, &c, &d);
    assert_true(d.value[AIRQ_O3] == ONE * 110 * UG);
    /* windows of different length: 6 hours of 100 beat 8 of 99.9 */
    struct airq_cell e = {0};
    for (int h = 0; h < 24; h++)
        if (h >= 2) /* window 8: hours 2..7 */
            only(&e, h, AIRQ_O3, h < 8 ? 100 * UG : 99 * UG);
    airq_cell_day(std("2012"), AIRQ_FINAL, &e, &d);
    assert_true(d.value[AIRQ_O3] == ONE * 100 * UG);
}

static struct airq_day whole_day(const char *standard, enum airq_rounding r, const int32_t ticks[AIRQ_POLLUTANTS])
{
    struct airq_cell c = {0};
    struct airq_day d;
    for (int h = 0; h < 24; h++)
        assert_true(airq_cell_add(&c, h, ticks));
    airq_cell_day(std(standard), r, &c, &d);
    return d;
}

static struct airq_day flat(int ug)
{
    const int32_t t[AIRQ_POLLUTANTS] = {ug * UG, ug * UG, ug * (MG / 10), ug * UG, ug * UG, ug * UG};
    return whole_day("2012", AIRQ_FINAL, t);
}

/* HJ 663: valid stations >= 75 % of the total, >= 50 % when there are fewer than 4. */
static void a_city_needs_its_stations(void **state)
{
    static const struct {
        uint32_t valid, total;
        bool want;
    } t[] = {{8, 12, false}, {9, 12, true}, {2, 4, false}, {3, 4, true},  {1, 3, false}, {2, 3, true},
             {1, 2, true},   {1, 1, true},  {0, 1, false}, {3, 5, false}, {4, 5, true}};
    const struct airq_day station = flat(33);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct airq_city c = {0};
        struct airq_day d;
        for (uint32_t k = 0; k < t[i].valid; k++)
            airq_city_add(&c, &station);
        airq_city_day(std("2012"), AIRQ_FINAL, &c, t[i].total, &d);
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            assert_int_equal(d.value[p] != AIRQ_WIDE_NONE, t[i].want);
        assert_fix(d.judged[AIRQ_PM25], t[i].want ? "33" : "none");
    }
}

/* Means that end nowhere, whose mean is exactly a half. */
static void a_half_made_of_thirds_is_a_half(void **state)
{
    struct airq_city c = {0};
    struct airq_day d;
    static const int sum[3] = {35 * 24 + 8, 35 * 24 + 8, 35 * 24 + 20}; /* 35 1/3, 35 1/3, 35 5/6: mean 35.5 */
    for (int i = 0; i < 3; i++) {
        struct airq_cell cell = {0};
        for (int h = 0; h < 24; h++)
            only(&cell, h, AIRQ_PM25, (35 + (h < sum[i] - 35 * 24)) * UG);
        airq_cell_day(std("2012"), AIRQ_FINAL, &cell, &d);
        airq_city_add(&c, &d);
    }
    airq_city_day(std("2012"), AIRQ_FINAL, &c, 3, &d);
    assert_fix(d.judged[AIRQ_PM25], "36"); /* to even; 35.4999… would give 35 */
    struct airq_period x;
    lt_i128 work[1];
    airq_period(std("2012"), AIRQ_FINAL, &d, 1, work, &x);
    assert_fix(x.item[AIRQ_PM25].mean, "36");
    assert_fix(x.item[AIRQ_PM25].percentile, "36");
    airq_period(std("2026t"), AIRQ_FINAL, &d, 1, work, &x);
    assert_fix(x.item[AIRQ_PM25].mean, "35.5");
}

/* Stepwise rounds at each level; final only at the end: 10.4 and 10.4 and 11.4 give 10, 10, 11. */
static void stepwise_and_final_differ(void **state)
{
    static const int tenths[3] = {104, 104, 114};
    lt_i128 work[1];
    for (int r = AIRQ_STEPWISE; r <= AIRQ_FINAL; r++) {
        struct airq_city c = {0};
        struct airq_day d;
        struct airq_period x;
        for (int i = 0; i < 3; i++) {
            const int32_t t = tenths[i] * (UG / 10), all[AIRQ_POLLUTANTS] = {t, t, MG, t, t, t};
            d = whole_day("2012", (enum airq_rounding)r, all);
            airq_city_add(&c, &d);
        }
        airq_city_day(std("2012"), (enum airq_rounding)r, &c, 3, &d);
        airq_period(std("2012"), (enum airq_rounding)r, &d, 1, work, &x);
        assert_fix(x.item[AIRQ_NO2].mean, r == AIRQ_STEPWISE ? "10" : "11"); /* 10.33; 10.73 */
    }
}

/* 2026 gives PM2.5 one decimal, limits are judged on whole numbers: one rounding each, no chain. */
static void a_judged_value_is_rounded_once(void **state)
{
    const int32_t t[AIRQ_POLLUTANTS] = {UG, UG, MG, UG, 604600, UG}; /* 60.46: 60.5 with one decimal, 60 whole */
    struct airq_day d = whole_day("2026t", AIRQ_STEPWISE, t);
    assert_true(d.value[AIRQ_PM25] == ONE * 605000);
    assert_fix(d.judged[AIRQ_PM25], "60");
    const int32_t u[AIRQ_POLLUTANTS] = {UG, UG, MG, UG, 614600, UG}; /* 61.46 -> 61, not 61.5 -> 62 */
    assert_fix(whole_day("2026t", AIRQ_STEPWISE, u).judged[AIRQ_PM25], "61");
}

/* Annex A.6: k = 1 + (n-1) p. */
static void percentiles(void **state)
{
    struct lt_rand r;
    lt_i128 v[400], sorted[400];
    lt_rand_init(&r, 663);
    for (size_t n = 1; n <= 400; n += n < 30 ? 1 : 37) {
        for (int order = 0; order < 3; order++) {
            for (size_t i = 0; i < n; i++)
                v[i] = ONE * (order == 0 ? (int64_t)lt_rand_below(&r, 50) : order == 1 ? (int64_t)i : (int64_t)(n - i));
            memcpy(sorted, v, n * sizeof v[0]);
            for (size_t i = 1; i < n; i++)
                for (size_t k = i; k > 0 && sorted[k] < sorted[k - 1]; k--) {
                    lt_i128 t = sorted[k];
                    sorted[k] = sorted[k - 1];
                    sorted[k - 1] = t;
                }
            for (int p = 0; p <= 100; p += 5) {
                const size_t place = (n - 1) * (size_t)p, k = place / 100;
                const lt_i128 part = (lt_i128)(place % 100), hi = k + 1 < n ? sorted[k + 1] : 0;
                assert_true(airq_percentile(v, n, p) == sorted[k] + (part ? (hi - sorted[k]) / 100 * part : 0));
            }
        }
    }
    lt_i128 two[2] = {ONE * 20, ONE * 10}; /* k = 1.95: 10 + 0.95 * 10 */
    assert_true(airq_percentile(two, 2, 95) == ONE * 39 / 2);
}

/* Days of one number each; every fifth without CO. */
static void period_counts(void **state)
{
    struct airq_day d[20];
    lt_i128 work[20];
    struct airq_period x;
    for (int i = 0; i < 20; i++) {
        const int32_t pm = (30 + 15 * i) * UG; /* 30, 45, … 315 */
        const int32_t t[AIRQ_POLLUTANTS] = {UG, UG, i % 5 ? MG : -1, UG, pm, UG};
        d[i] = whole_day("2012", AIRQ_STEPWISE, t);
    }
    airq_period(std("2012"), AIRQ_STEPWISE, d, 20, work, &x);
    assert_int_equal(x.days_valid, 20);
    assert_int_equal(x.days_good, 4);       /* 30 45 60 75 */
    assert_int_equal(x.days_heavy, 11);     /* 165 .. 315 */
    const int want[6] = {1, 3, 2, 3, 6, 5}; /* <=35; <=75; 90 105; 120 135 150; 165..240; 255..315 */
    assert_memory_equal(x.category, want, sizeof want);
    assert_int_equal(x.primary[AIRQ_PM25], 19);
    assert_fix(x.good_share_pct, "20");
    assert_int_equal(x.item[AIRQ_PM25].days_valid, 20);
    assert_int_equal(x.item[AIRQ_PM25].exceed_days, 16);
    assert_fix(x.item[AIRQ_PM25].mean, "172"); /* 172.5 */
    assert_fix(x.item[AIRQ_PM25].max, "315");
    assert_fix(x.item[AIRQ_PM25].percentile, "301"); /* k = 19.05: 300 + 0.05*15 = 300.75 */
    assert_int_equal(x.item[AIRQ_CO].days_valid, 16);
    assert_fix(x.composite, "5.23"); /* 1/60 + 1/40 + 1/4 + 1/70 + 172/35 + 1/160 = 5.2265 */
}

static void an_empty_period_knows_nothing(void **state)
{
    struct airq_cell none = {0};
    struct airq_day d;
    struct airq_period x;
    lt_i128 work[1];
    airq_cell_day(std("2026f"), AIRQ_FINAL, &none, &d);
    airq_period(std("2026f"), AIRQ_FINAL, &d, 1, work, &x);
    assert_int_equal(x.days_valid, 0);
    assert_fix(x.good_share_pct, "none");
    assert_fix(x.composite, "none");
    assert_fix(x.item[AIRQ_O3].percentile, "none");
    assert_fix(x.item[AIRQ_O3].max, "none");
}

/* HJ 633-2012: an 8-h mean above 800 is told by the largest hour; the day must not look good for want of a break point.
 */
static void extreme_ozone_is_told_by_the_hour(void **state)
{
    const int32_t t[AIRQ_POLLUTANTS] = {UG, UG, MG, UG, UG, 900 * UG};
    struct airq_period x;
    lt_i128 work[1];
    struct airq_day d = whole_day("2012", AIRQ_STEPWISE, t);
    airq_period(std("2012"), AIRQ_STEPWISE, &d, 1, work, &x);
    assert_int_equal(x.days_heavy, 1);
    assert_int_equal(x.category[5], 1); /* 900 of 800..1000: 350 */
    assert_int_equal(x.primary[AIRQ_O3], 1);
    d = whole_day("2026t", AIRQ_STEPWISE, t);
    airq_period(std("2026t"), AIRQ_STEPWISE, &d, 1, work, &x);
    assert_int_equal(x.category[4], 1); /* 300 */
}

/* HJ 633-2026 5.3.1: without CO a good day has no AQI, a polluted one has. */
static void a_missing_pollutant_withholds_good_days_of_2026(void **state)
{
    struct airq_period x;
    lt_i128 work[2];
    const int32_t good[AIRQ_POLLUTANTS] = {UG, UG, -1, UG, UG, UG},
                  bad[AIRQ_POLLUTANTS] = {UG, UG, -1, UG, 200 * UG, UG};
    struct airq_day d[2] = {whole_day("2026t", AIRQ_FINAL, good), whole_day("2026t", AIRQ_FINAL, bad)};
    airq_period(std("2026t"), AIRQ_FINAL, d, 2, work, &x);
    assert_int_equal(x.days_valid, 1);
    assert_int_equal(x.days_heavy, 1);
    airq_period(std("2012"), AIRQ_FINAL, d, 2, work, &x);
    assert_int_equal(x.days_valid, 2);
    assert_int_equal(x.days_good, 1);
}

static void limits_are_exceeded_from_the_next_number(void **state)
{
    static const struct {
        const char *standard;
        int pm25, exceed;
    } t[] = {{"2012", 75, 0}, {"2012", 76, 1}, {"2026t", 60, 0}, {"2026t", 61, 1}, {"2026f", 50, 0}, {"2026f", 51, 1}};
    lt_i128 work[1];
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const int32_t all[AIRQ_POLLUTANTS] = {UG, UG, MG, UG, t[i].pm25 * UG, UG};
        struct airq_period x;
        struct airq_day d = whole_day(t[i].standard, AIRQ_FINAL, all);
        airq_period(std(t[i].standard), AIRQ_FINAL, &d, 1, work, &x);
        assert_int_equal(x.item[AIRQ_PM25].exceed_days, t[i].exceed);
    }
}

/* Fills n days from `first` with a flat day but for those of the list. */
static size_t gaps_of(size_t n, int32_t first, const size_t *hole, size_t holes, struct airq_gap *ret)
{
    static struct airq_day d[800];
    const struct airq_day good = flat(30);
    assert_true(n <= 800);
    for (size_t i = 0; i < n; i++)
        d[i] = good;
    for (size_t i = 0; i < holes; i++)
        d[hole[i]].value[AIRQ_SO2] = AIRQ_WIDE_NONE;
    return airq_gaps(d, n, first, ret, 8);
}

/* GB 3095 table 4: 324 days in the year, 27 in a month, 25 in February. 16071 is 2014-01-01, 16801 2016-01-01. */
static void months_and_years_need_their_days(void **state)
{
    struct airq_gap g[8];
    const size_t january[] = {0, 5, 10, 15, 20}, february[] = {31, 35, 40, 45};
    assert_int_equal(gaps_of(31, 16071, january, 4, g), 0); /* 27 days */
    assert_int_equal(gaps_of(31, 16071, january, 5, g), 1); /* 26 */
    assert_true(g[0].pollutant == AIRQ_SO2 && g[0].year == 2014 && g[0].month == 1 && g[0].days == 26 &&
                g[0].needed == 27);
    assert_int_equal(gaps_of(59, 16071, february, 3, g), 0); /* 25 of 28 */
    assert_int_equal(gaps_of(59, 16071, february, 4, g), 1);
    assert_true(g[0].month == 2 && g[0].days == 24 && g[0].needed == 25);
    assert_int_equal(gaps_of(60, 16801, february, 4, g), 0); /* 25 of 29 */
    /* the most holes that break no month: four of 31 days, three of 30 and of February, 43; the year stands 41 */
    static const size_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    size_t hole[43], n = 0;
    for (size_t month = 0, from = 0; month < 12; from += length[month++])
        for (size_t i = 0; i < (length[month] == 31 ? 4 : 3); i++)
            hole[n++] = from + 7 * i;
    assert_int_equal(n, 43);
    assert_int_equal(gaps_of(365, 16071, hole, 41, g), 0);
    assert_int_equal(gaps_of(365, 16071, hole, 42, g), 1);
    assert_true(g[0].pollutant == AIRQ_SO2 && g[0].month == 0 && g[0].year == 2014 && g[0].days == 323 &&
                g[0].needed == 324);
    assert_true(airq_month_valid(2, 25) && !airq_month_valid(2, 24) && airq_month_valid(3, 27) &&
                !airq_month_valid(3, 26));
    assert_true(airq_year_valid(324) && !airq_year_valid(323));
}

static void a_part_of_a_month_has_no_minimum(void **state)
{
    struct airq_gap g[8];
    assert_int_equal(gaps_of(30, 16071, NULL, 0, g), 1); /* 2014-01-01 .. 30 */
    assert_true(g[0].pollutant == AIRQ_POLLUTANTS && g[0].month == 1 && g[0].needed == 0 && g[0].days == 30);
    assert_int_equal(gaps_of(30 + 28, 16072, NULL, 0, g), 1); /* from 2nd January to the end of February */
    assert_int_equal(gaps_of(10, 16071 + 25, NULL, 0, g), 2); /* two parts */
    assert_int_equal(gaps_of(731, 16071, NULL, 0, g), 1);     /* two years and a day */
    assert_int_equal(gaps_of(730, 16071, NULL, 0, g), 0);
    assert_int_equal(gaps_of(306, 16071 + 59, NULL, 0, g), 0); /* March to December: whole months, no whole year */
}

/* Published composite indices: Puning 2025 (its government's publication), Wuyuan 2023-09, a town in Naiman, first
 * quarter. Naiman published 3.14; its rounded inputs give 3.1321, so only the distance can be tested there. */
static void published_composite_indices(void **state)
{
    static const struct {
        const char *c[AIRQ_POLLUTANTS], *want; /* SO2 NO2 CO PM10 PM25 O3 */
    } t[] = {{{"6", "12", "0.9", "51", "19", "137"}, "2.75"},
             {{"11", "16", "0.6", "40", "16", "139"}, "2.63"},
             {{"9", "14", "1.1", "77", "23", "96"}, "3.13"}};
    int64_t c[AIRQ_POLLUTANTS];
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            c[p] = fix(t[i].c[p]);
        assert_fix(airq_composite(std("2012"), c, NULL), t[i].want);
    }
    assert_true(llabs(airq_composite(std("2012"), c, NULL) - fix("3.14")) <= 10000);
    const int weight[AIRQ_POLLUTANTS] = {1, 2, 1, 1, 3, 2};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        c[p] = airq_standard_index_limit(std("2026f"), (enum airq_pollutant)p);
    assert_fix(airq_composite(std("2026f"), c, NULL), "6");
    assert_fix(airq_composite(std("2026f"), c, weight), "10");
    c[AIRQ_SO2] = AIRQ_NONE;
    assert_fix(airq_composite(std("2026f"), c, NULL), "none");
    /* a half: 0.125 = 5/40 NO2, all others 0: 0.12, to even */
    int64_t half[AIRQ_POLLUTANTS] = {0, 5 * LT_FIX_ONE, 0, 0, 0, 0};
    assert_fix(airq_composite(std("2012"), half, NULL), "0.12");
    half[AIRQ_NO2] = 15 * LT_FIX_ONE; /* 0.375 */
    assert_fix(airq_composite(std("2012"), half, NULL), "0.38");
}

/* Good days: Puning 352 of 365, Wuyuan 27 of 29, Naiman 86 of 91, Qijiang 2024-02 22 of 29 and January-February 35
 * of 60. */
static void published_shares_of_good_days(void **state)
{
    static const struct {
        size_t good, valid;
        const char *want;
    } t[] = {{352, 365, "96.4"}, {27, 29, "93.1"}, {86, 91, "94.5"}, {22, 29, "75.9"}, {35, 60, "58.3"}};
    static struct airq_day d[365];
    static lt_i128 work[365];
    const struct airq_day good = flat(30), bad = flat(200);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct airq_period x;
        for (size_t k = 0; k < t[i].valid; k++)
            d[k] = k < t[i].good ? good : bad;
        airq_period(std("2012"), AIRQ_STEPWISE, d, t[i].valid, work, &x);
        assert_int_equal(x.days_good, t[i].good);
        assert_fix(x.good_share_pct, t[i].want);
    }
}

/* The ministry's release of August 2022, from rounded values; Wuyuan's composite index 2.89 -> 2.63. */
static void published_changes(void **state)
{
    static const struct {
        const char *before, *now, *want;
    } t[] = {{"17", "16", "-5.9"},   {"33", "31", "-6.1"}, {"15", "14", "-6.7"},  {"0.8", "0.7", "-12.5"},
             {"140", "135", "-3.6"}, {"9", "8", "-11.1"},  {"22", "19", "-13.6"}, {"53", "49", "-7.5"},
             {"2.89", "2.63", "-9"}, {"30", "30", "0"},    {"80", "81", "1.2"}, /* 1.25, to even */
             {"80", "79", "-1.2"},   {"0", "5", "none"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_fix(airq_change_pct(fix(t[i].before), fix(t[i].now)), t[i].want);
    assert_fix(airq_change_pct(AIRQ_NONE, fix("5")), "none");
    assert_fix(airq_change_pct(fix("5"), AIRQ_NONE), "none");
}

/* Property: hours, stations and days in any order give the same figures. */
static void order_does_not_matter(void **state)
{
    enum { DAYS = 30, STATIONS = 7 };
    static int32_t v[DAYS][STATIONS][24][AIRQ_POLLUTANTS];
    struct airq_period first;
    struct lt_rand r;
    lt_rand_init(&r, 20130301);
    for (int d = 0; d < DAYS; d++)
        for (int s = 0; s < STATIONS; s++)
            for (int h = 0; h < 24; h++)
                for (int p = 0; p < AIRQ_POLLUTANTS; p++)
                    v[d][s][h][p] = lt_rand_below(&r, 12) == 0 ? -1 : (int32_t)lt_rand_below(&r, 3000001);
    for (int round = 0; round < 20; round++) {
        struct airq_day days[DAYS];
        lt_i128 work[DAYS];
        struct airq_period x;
        for (int d = 0; d < DAYS; d++) {
            struct airq_city city = {0};
            for (int s = 0; s < STATIONS; s++) {
                struct airq_cell cell = {0};
                struct airq_day one;
                const int station = (s + round) % STATIONS, turn = round == 0 ? 1 : 5 + 2 * (round % 3) * 3;
                for (int h = 0; h < 24; h++) { /* 5, 11, 17 have no divisor in common with 24 */
                    const int at = (h * turn + round) % 24;
                    assert_true(airq_cell_add(&cell, at, v[d][station][at]));
                }
                airq_cell_day(std("2026t"), AIRQ_FINAL, &cell, &one);
                airq_city_add(&city, &one);
            }
            airq_city_day(std("2026t"), AIRQ_FINAL, &city, STATIONS, &days[(d * 7 + round) % DAYS]);
        }
        airq_period(std("2026t"), AIRQ_FINAL, days, DAYS, work, &x);
        if (round == 0)
            first = x;
        assert_memory_equal(&x, &first, sizeof x);
    }
    assert_true(first.days_valid > 0 && first.item[AIRQ_O3].days_valid > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_of_the_standards),
                                       cmocka_unit_test(rounding_of_gbt_8170),
                                       cmocka_unit_test(a_day_needs_twenty_hours),
                                       cmocka_unit_test(an_hour_counts_once),
                                       cmocka_unit_test(the_largest_day_fits),
                                       cmocka_unit_test(an_eight_hour_mean_needs_six),
                                       cmocka_unit_test(an_ozone_day_needs_fourteen_windows),
                                       cmocka_unit_test(the_highest_window_is_taken),
                                       cmocka_unit_test(a_city_needs_its_stations),
                                       cmocka_unit_test(a_half_made_of_thirds_is_a_half),
                                       cmocka_unit_test(stepwise_and_final_differ),
                                       cmocka_unit_test(a_judged_value_is_rounded_once),
                                       cmocka_unit_test(percentiles),
                                       cmocka_unit_test(period_counts),
                                       cmocka_unit_test(an_empty_period_knows_nothing),
                                       cmocka_unit_test(extreme_ozone_is_told_by_the_hour),
                                       cmocka_unit_test(a_missing_pollutant_withholds_good_days_of_2026),
                                       cmocka_unit_test(limits_are_exceeded_from_the_next_number),
                                       cmocka_unit_test(months_and_years_need_their_days),
                                       cmocka_unit_test(a_part_of_a_month_has_no_minimum),
                                       cmocka_unit_test(published_composite_indices),
                                       cmocka_unit_test(published_shares_of_good_days),
                                       cmocka_unit_test(published_changes),
                                       cmocka_unit_test(order_does_not_matter)};
    return cmocka_run_group_tests_name("airq_assess", tests, NULL, NULL);
}
