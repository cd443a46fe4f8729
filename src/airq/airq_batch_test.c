/* Tests that columns of 16-bit steps give the very figures of the plain functions, and those the figures of a slow
 * computation written down again here with 128-bit divisions. */
#include "airq/airq_batch.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ONE ((lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000))
enum { DAYS = 40, HOURS = DAYS * 24 };

/* Steps that are missing, small, near break points, usual, or anything. */
static uint16_t step_at_random(struct lt_rand *r, unsigned missing_pct)
{
    static const uint16_t edge[] = {0,    1,    349,  350,  351,  600,   605,   750,  1000,
                                    1600, 2000, 8000, 8001, 8010, 26200, 38400, 65534};
    if (lt_rand_below(r, 100) < missing_pct)
        return AIRQ_STEP_NONE;
    switch (lt_rand_below(r, 8)) {
    case 0:
        return edge[lt_rand_below(r, sizeof edge / sizeof edge[0])];
    case 1:
        return (uint16_t)lt_rand_below(r, 50001);
    default:
        return (uint16_t)lt_rand_below(r, lt_rand_below(r, 3) ? 500 : 3000);
    }
}

static int64_t conc_of(const uint16_t *column, size_t i, enum airq_pollutant p)
{
    return !column ? AIRQ_NOT_MONITORED : column[i] == AIRQ_STEP_NONE ? AIRQ_NONE : column[i] * airq_step(p);
}

static void indices_are_the_same(void **state)
{
    static const char *const names[] = {"2012", "2026"};
    enum { N = 3000 };
    static uint16_t v[AIRQ_POLLUTANTS][N], so2_24h[N], o3_1h[N], aqi[N];
    static uint8_t primary[N];
    struct airq_table *t = malloc(sizeof *t);
    struct lt_rand r;
    unsigned told = 0, withheld = 0, ties = 0, beyond = 0;
    assert_non_null(t);
    lt_rand_init(&r, 11);
    for (int round = 0; round < 64; round++) {
        const struct airq_scale *s = airq_scale_find(lt_slice_of(names[round & 1]));
        const enum airq_average avg = round & 2 ? AIRQ_HOUR : AIRQ_DAY;
        const size_t n = round & 4 ? N : lt_rand_below(&r, N);
        struct airq_columns in = {.so2_24h = round & 8 ? so2_24h : NULL, .o3_1h = round & 16 ? o3_1h : NULL};
        assert_true(airq_table_make(s, avg, t));
        for (size_t i = 0; i < N; i++) {
            for (int p = 0; p < AIRQ_POLLUTANTS; p++)
                v[p][i] = step_at_random(&r, 5);
            so2_24h[i] = step_at_random(&r, 20);
            o3_1h[i] = step_at_random(&r, 20);
        }
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            in.conc[p] = lt_rand_below(&r, 8) == 0 ? NULL : v[p];
        airq_index_batch(t, &in, n, aqi, primary);
        for (size_t i = 0; i < n; i++) {
            struct airq_input x = {.so2_24h = in.so2_24h ? conc_of(so2_24h, i, AIRQ_SO2) : AIRQ_NONE,
                                   .o3_1h = in.o3_1h ? conc_of(o3_1h, i, AIRQ_O3) : AIRQ_NONE};
            struct airq_result want;
            for (int p = 0; p < AIRQ_POLLUTANTS; p++)
                x.conc[p] = conc_of(in.conc[p], i, (enum airq_pollutant)p);
            airq_index(s, avg, &x, &want);
            assert_int_equal(aqi[i] == AIRQ_INDEX_NONE ? AIRQ_NA : aqi[i], want.aqi);
            assert_int_equal(primary[i], want.primary);
            told += want.aqi != AIRQ_NA;
            withheld += want.aqi == AIRQ_NA;
            ties += (want.primary & (want.primary - 1)) != 0;
            beyond += want.aqi == 500;
        }
    }
    print_message("# %u told, %u withheld, %u ties, %u at the end\n", told, withheld, ties, beyond);
    assert_true(told > 50000 && withheld > 500 && ties > 100 && beyond > 100);
    assert_false(airq_table_make(airq_scale_find(LT_LIT("epa")), AIRQ_DAY, t));
    free(t);
}

/* ---- the slow computation ---- */

static lt_i128 nearest(lt_i128 v, lt_i128 d)
{
    const lt_i128 q = v / d, twice = 2 * (v % d);
    return q + (twice > d || (twice == d && q % 2));
}

static void slow_item(const struct airq_standard *s, enum airq_rounding r, int item, lt_i128 sum, int n,
                      struct airq_day *ret)
{
    const enum airq_pollutant p = item == AIRQ_O3_1H ? AIRQ_O3 : (enum airq_pollutant)item;
    const int64_t unit = LT_FIX_ONE / airq_tick(p); /* ticks in 1 */
    const int64_t step = airq_standard_decimals(s, p) ? unit / 10 : unit, judge = p == AIRQ_CO ? unit / 10 : unit;
    ret->value[item] = r == AIRQ_STEPWISE ? ONE * nearest(sum, (lt_i128)n * step) * step : (ONE * sum + n / 2) / n;
    ret->judged[item] = (int64_t)nearest(sum, (lt_i128)n * judge) * judge * airq_tick(p);
}

static void slow_none(int item, struct airq_day *ret)
{
    ret->value[item] = AIRQ_WIDE_NONE;
    ret->judged[item] = AIRQ_NONE;
}

static void slow_day(const struct airq_standard *s, enum airq_rounding r, int32_t tick[24][AIRQ_POLLUTANTS],
                     struct airq_day *ret)
{
    for (int p = 0; p < AIRQ_DAY_ITEMS; p++)
        slow_none(p, ret);
    for (int p = 0; p < AIRQ_O3; p++) {
        lt_i128 sum = 0;
        int n = 0;
        for (int h = 0; h < 24; h++)
            if (tick[h][p] >= 0) {
                sum += tick[h][p];
                n++;
            }
        if (n >= 20)
            slow_item(s, r, p, sum, n, ret);
    }
    lt_i128 best = -1, best_n = 1, highest = 0;
    int windows = 0;
    for (int from = 0; from <= 16; from++) {
        lt_i128 sum = 0;
        int n = 0;
        for (int h = from; h < from + 8; h++)
            if (tick[h][AIRQ_O3] >= 0) {
                sum += tick[h][AIRQ_O3];
                n++;
            }
        windows += n >= 6;
        if (n >= 6 && (best < 0 || sum * best_n > best * n)) {
            best = sum;
            best_n = n;
        }
    }
    for (int h = 0; h < 24; h++)
        highest = tick[h][AIRQ_O3] > highest ? tick[h][AIRQ_O3] : highest;
    if (windows == 0)
        return;
    slow_item(s, r, AIRQ_O3, best, (int)best_n, ret);
    slow_item(s, r, AIRQ_O3_1H, highest, 1, ret);
    if (windows < 14 && ret->judged[AIRQ_O3] <= airq_standard_day_limit(s, AIRQ_O3)) {
        slow_none(AIRQ_O3, ret);
        slow_none(AIRQ_O3_1H, ret);
    }
}

static void same_day(const struct airq_day *a, const struct airq_day *b)
{
    for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
        assert_true(a->value[i] == b->value[i]);
        assert_int_equal(a->judged[i], b->judged[i]);
    }
    assert_int_equal(a->dust, b->dust);
}

static void days_are_the_same(void **state)
{
    static const char *const names[] = {"2012", "2026t", "2026f"};
    static const unsigned missing[] = {0, 3, 12, 25, 60, 97};
    static uint16_t v[AIRQ_POLLUTANTS][HOURS];
    static struct airq_day day[DAYS];
    const uint16_t *column[AIRQ_POLLUTANTS];
    struct lt_rand r;
    unsigned valid = 0, o3 = 0;
    lt_rand_init(&r, 12);
    for (int round = 0; round < 180; round++) {
        const struct airq_standard *s = airq_standard_find(lt_slice_of(names[round % 3]));
        const enum airq_rounding how = round & 1 ? AIRQ_STEPWISE : AIRQ_FINAL;
        for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
            column[p] = v[p];
            for (int h = 0; h < HOURS; h++) {
                v[p][h] = step_at_random(&r, missing[round / 2 % 6]);
                if (v[p][h] != AIRQ_STEP_NONE &&
                    v[p][h] * airq_step((enum airq_pollutant)p) >
                        airq_most((enum airq_pollutant)p) * airq_tick((enum airq_pollutant)p))
                    v[p][h] = 0;
            }
        }
        airq_days_batch(s, how, column, DAYS, day);
        for (int d = 0; d < DAYS; d++) {
            struct airq_cell c = {0};
            struct airq_day plain, slow = {.dust = 0};
            int32_t tick[24][AIRQ_POLLUTANTS];
            for (int h = 0; h < 24; h++) {
                for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
                    const uint16_t x = v[p][d * 24 + h];
                    const int64_t unit = airq_step((enum airq_pollutant)p) / airq_tick((enum airq_pollutant)p);
                    tick[h][p] = x == AIRQ_STEP_NONE ? -1 : (int32_t)(x * unit);
                }
                assert_true(airq_cell_add(&c, h, tick[h]));
            }
            airq_cell_day(s, how, &c, &plain);
            slow_day(s, how, tick, &slow);
            same_day(&plain, &slow);
            same_day(&day[d], &plain);
            valid += plain.value[AIRQ_SO2] != AIRQ_WIDE_NONE;
            o3 += plain.value[AIRQ_O3] != AIRQ_WIDE_NONE;
        }
    }
    assert_true(valid > 1000 && o3 > 1000 && valid < 180 * DAYS && o3 < 180 * DAYS);
}

/* Ticks finer than steps: the fast quotients against 128-bit divisions over the whole range. */
static void fine_days_are_the_same(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 13);
    for (int round = 0; round < 20000; round++) {
        static const char *const names[] = {"2012", "2026t"};
        const struct airq_standard *s = airq_standard_find(lt_slice_of(names[round & 1]));
        const enum airq_rounding how = round & 2 ? AIRQ_STEPWISE : AIRQ_FINAL;
        struct airq_cell c = {0};
        struct airq_day plain, slow = {.dust = 0};
        int32_t tick[24][AIRQ_POLLUTANTS];
        for (int h = 0; h < 24; h++) {
            for (int p = 0; p < AIRQ_POLLUTANTS; p++)
                tick[h][p] = lt_rand_below(&r, 12) == 0 ? -1
                             : round % 5 == 0 ? airq_most((enum airq_pollutant)p) - (int32_t)lt_rand_below(&r, 3)
                                              : (int32_t)lt_rand_below(&r, round % 3 ? 2000000 : 40);
            assert_true(airq_cell_add(&c, h, tick[h]));
        }
        airq_cell_day(s, how, &c, &plain);
        slow_day(s, how, tick, &slow);
        same_day(&plain, &slow);
    }
}

/* Mean of stations: the fast quotient of wide sums, near halves too. */
static void city_days_are_the_same(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 14);
    const struct airq_standard *s = airq_standard_find(LT_LIT("2026t"));
    for (int round = 0; round < 30000; round++) {
        const int n = 1 + (int)lt_rand_below(&r, round % 7 ? 12 : 300);
        struct airq_city c = {
            .n = {(uint32_t)n, (uint32_t)n, (uint32_t)n, (uint32_t)n, (uint32_t)n, (uint32_t)n, (uint32_t)n}};
        struct airq_day got;
        for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
            const lt_i128 top = (lt_i128)lt_rand_below(&r, round % 3 ? 3000000 : 100000000) * n;
            c.sum[i] = round & 1 ? ONE * top / 2 : ONE * top + (lt_i128)lt_rand_below(&r, 1000) - 500;
            c.sum[i] = c.sum[i] < 0 ? 0 : c.sum[i];
        }
        airq_city_day(s, AIRQ_STEPWISE, &c, (uint32_t)n, &got);
        for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
            const enum airq_pollutant p = i == AIRQ_O3_1H ? AIRQ_O3 : (enum airq_pollutant)i;
            const int64_t unit = LT_FIX_ONE / airq_tick(p), step = airq_standard_decimals(s, p) ? unit / 10 : unit;
            const lt_i128 d = ONE * n * step, q = c.sum[i] / d, over = 2 * (c.sum[i] % d) - d, near = (lt_i128)200 * n;
            assert_true(got.value[i] == ONE * step * (q + (over > near || (over >= -near && q % 2))));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_are_the_same),
        cmocka_unit_test(days_are_the_same),
        cmocka_unit_test(fine_days_are_the_same),
        cmocka_unit_test(city_days_are_the_same),
    };
    return cmocka_run_group_tests_name("airq_batch", tests, NULL, NULL);
}
