/* Targets worked out by hand, assumptions, the plan over the seasons, shares that add up. */
#include "air/air_target.h"
#include "air/air_testing.h"

#define UG(x) ((int64_t)(x)*1000000)

/* Every hour of days [from, to] of all stations with the same values; PM2.5 as given, the rest clean. */
static void flat(struct made *m, int32_t from, int32_t to, int pm25)
{
    struct lt_error err = {0};
    struct air_put_result res;
    struct air_row *rows = calloc((size_t)(to - from + 1) * 24 * m->n, sizeof *rows);
    size_t n = 0;
    for (size_t k = 0; k < m->n; k++)
        for (int32_t d = from; d <= to; d++)
            for (int h = 0; h < 24; h++) {
                struct air_row *r = &rows[n++];
                for (int i = 0; i < AIR_ITEMS; i++)
                    r->value[i] = AIR_NONE;
                r->value[AIR_PM25] = pm25 * 10000;
                r->value[AIR_PM10] = pm25 * 10000 + 200000;
                r->value[AIR_SO2] = 100000;
                r->value[AIR_NO2] = 300000;
                r->value[AIR_O3] = 800000;
                r->value[AIR_CO] = 600000;
                r->station = m->station[k];
                r->at_ms = air_day_start(d, LT_TZ_CHINA) + h * LT_HOUR_MS;
            }
    const struct air_batch_info info = {
        .source = AIR_SRC_FILE, .author = "test", .reason = "flat", .now_ms = T0, .tz_min = LT_TZ_CHINA};
    assert_int_equal(air_put(m->c->db, &info, rows, n, &res, &err), LT_OK);
    free(rows);
}

static struct air_target target(struct made *m, enum air_indicator i, int32_t start, int32_t end, int64_t value)
{
    return (struct air_target){.id = 1,
                               .territory = m->c->root,
                               .indicator = i,
                               .start = start,
                               .end = end,
                               .value = value,
                               .base = LT_FIX_NONE,
                               .weight = LT_FIX_ONE};
}

static struct air_target_state eval(struct made *m, const struct air_target *t, int32_t at)
{
    struct air_look l;
    struct lt_error err = {0};
    struct air_target_state s;
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, 0, &l, &err), LT_OK);
    assert_int_equal(air_target_eval(&l, t, at, NULL, 0, true, &s, &err), LT_OK);
    air_look_close(&l);
    return s;
}

/* June 2026, at most 30: 20 days of 25 leave (30 x 30 - 500) / 10 = 40 for the rest. */
static void the_mean_left_is_that_worked_by_hand(void **state)
{
    struct made *m = made_open(2, 1, 0);
    const int32_t a = air_day(2026, 6, 1), b = air_day(2026, 6, 30);
    flat(m, a, a + 19, 25);
    struct air_target t = target(m, AIR_I_PM25, a, b, UG(30));
    struct air_target_state s = eval(m, &t, a + 19);
    assert_int_equal(s.days_total, 30);
    assert_int_equal(s.days_past, 20);
    assert_int_equal(s.days_left, 10);
    assert_int_equal(s.now, UG(25));
    assert_int_equal(s.gap, UG(-5));
    assert_int_equal(s.so_far_sum, UG(500));
    assert_int_equal(s.allowed_left, UG(40));
    assert_int_equal(s.light, AIR_LIGHT_ON_WAY); /* no past years: today's figure is within */
    assert_int_equal(s.probability_years, 0);
    assert_true(s.probability == LT_FIX_NONE);
    assert_int_equal(s.n_road, 20);
    assert_int_equal(s.road[19].allowed, UG(40));
    /* the same seen after ten days: (900 - 250) / 20 = 32.5 */
    assert_int_equal(s.road[9].allowed, 32500000);
    flat(m, a + 20, a + 24, 90); /* 500 + 450 = 950 > 900: nothing the days left could do */
    s = eval(m, &t, a + 24);
    assert_int_equal(s.light, AIR_LIGHT_MISSED);
    assert_true(s.allowed_left < 0);
    t.percent = true; /* 3 % below 40 is 38.8 */
    t.value = UG(3);
    t.base = UG(40);
    assert_int_equal(air_target_limit(&t), 38800000);
    s = eval(m, &t, a + 24);
    assert_int_equal(s.allowed_left, 42800000); /* (38.8 x 30 - 950) / 5 = 42.8 */
    assert_int_equal(s.light, AIR_LIGHT_ON_WAY);
    made_close(&m);
}

static void days_still_needed_and_affordable(void **state)
{
    struct made *m = made_open(2, 1, 0);
    const int32_t a = air_day(2026, 6, 1), b = air_day(2026, 6, 30);
    flat(m, a, a + 14, 25);
    flat(m, a + 15, a + 17, 80);  /* above 60: light pollution */
    flat(m, a + 18, a + 19, 200); /* above 150: heavy */
    struct air_target good = target(m, AIR_I_GOOD_DAYS, a, b, UG(24));
    struct air_target_state s = eval(m, &good, a + 19);
    assert_int_equal(s.days_good, 15);
    assert_int_equal(s.days_heavy, 2);
    assert_int_equal(s.days_needed, 9);
    assert_int_equal(s.bad_left, 1);
    good.value = UG(26); /* eleven of ten days left */
    assert_int_equal(eval(m, &good, a + 19).light, AIR_LIGHT_MISSED);
    good.value = UG(15);
    assert_int_equal(eval(m, &good, a + 19).light, AIR_LIGHT_MET);
    struct air_target heavy = target(m, AIR_I_HEAVY_DAYS, a, b, UG(3));
    s = eval(m, &heavy, a + 19);
    assert_int_equal(s.heavy_left, 1);
    assert_int_equal(s.now, UG(2));
    heavy.value = UG(1);
    assert_int_equal(eval(m, &heavy, a + 19).light, AIR_LIGHT_MISSED);
    /* 80 % of 30 days: 24 good ones */
    struct air_target share = target(m, AIR_I_GOOD_SHARE, a, b, UG(80));
    s = eval(m, &share, a + 19);
    assert_int_equal(s.now, UG(75));
    assert_int_equal(s.days_needed, 9);
    made_close(&m);
}

/* Equal data, equal answer; the odds are those of the past: never and always where the past is flat. */
static void odds_come_from_past_years(void **state)
{
    struct made *m = made_open(2, 1, 0);
    const int32_t a = air_day(2026, 6, 1), b = air_day(2026, 6, 30);
    for (int y = 2024; y <= 2025; y++)
        flat(m, air_day(y, 5, 20), air_day(y, 7, 20), y == 2024 ? 50 : 30);
    flat(m, a, a + 19, 25);
    struct air_target t = target(m, AIR_I_PM25, a, b, UG(40));
    struct air_target_state s = eval(m, &t, a + 19), again = eval(m, &t, a + 19);
    assert_int_equal(s.probability_years, 2);
    assert_int_equal(s.draws, AIR_TARGET_DRAWS);
    assert_int_equal(s.probability, LT_FIX_ONE); /* the worst end is (500 + 500) / 30 = 33.3 */
    assert_int_equal(again.probability, s.probability);
    assert_int_equal(again.p50, s.p50);
    assert_int_equal(s.last_year_left, UG(30));
    t.value = UG(26); /* the best end is (500 + 300) / 30 = 26.7 */
    s = eval(m, &t, a + 19);
    assert_int_equal(s.probability, 0);
    assert_int_equal(s.light, AIR_LIGHT_AT_RISK);
    /* both blocks clean (26.7), or one of each (30.0), or both dirty (33.3): a quarter, a half, a quarter */
    t.value = UG(30);
    s = eval(m, &t, a + 19);
    assert_true(s.probability > 700000 && s.probability < 800000);
    assert_int_equal(s.p10, 26700000);
    assert_int_equal(s.p50, UG(30));
    assert_int_equal(s.p90, 33300000);
    /* composite and percentiles take the whole figure per draw */
    struct air_target o3 = target(m, AIR_I_O3, a, b, UG(100));
    s = eval(m, &o3, a + 19);
    assert_int_equal(s.probability, LT_FIX_ONE);
    made_close(&m);
}

/* Usual good days 30 (2025); light ones 80: (allowed - 30) x 10 / 50. */
static void days_of_a_category_still_affordable(void **state)
{
    struct made *m = made_open(1, 1, 0);
    const int32_t a = air_day(2026, 6, 1), b = air_day(2026, 6, 30);
    flat(m, air_day(2025, 6, 1), air_day(2025, 6, 27), 30);
    flat(m, air_day(2025, 6, 28), air_day(2025, 7, 20), 80);
    flat(m, a, a + 19, 25);
    struct air_target t = target(m, AIR_I_PM25, a, b, UG(30));
    struct air_target_state s = eval(m, &t, a + 19); /* allowed: 40 */
    assert_int_equal(s.typical[2], UG(80));
    assert_int_equal(s.affordable[2], 2);  /* 10 x (40 - 30) / (80 - 30) */
    assert_int_equal(s.affordable[4], -1); /* no heavy day in the past: unknown */
    made_close(&m);
}

static void what_if_as_worked_by_hand(void **state)
{
    struct made *m = made_open(2, 1, 0);
    const int32_t a = air_day(2026, 6, 1), b = air_day(2026, 6, 30), at = a + 19;
    flat(m, a, a + 12, 25);
    for (int i = 13; i < 20; i++)
        flat(m, a + i, a + i, 20 + i); /* 33 34 35 36 37 38 39 */
    struct air_target t = target(m, AIR_I_PM25, a, b, UG(30));
    struct air_look l;
    struct lt_error err = {0};
    struct airq_day *days = NULL;
    size_t n = 0;
    const struct air_scope city = air_scope_of(AIR_SCOPE_TERRITORY, m->c->root);
    struct air_assume bad = {.kind = AIR_ASSUME_VALUE, .days = 1}, week = {AIR_ASSUME_DAYS_BACK, 7, 7, {0}};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        bad.value[p] = LT_FIX_NONE;
    bad.value[AIRQ_PM25] = UG(120);
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, 0, &l, &err), LT_OK);
    struct air_target_state s;
    assert_int_equal(air_assume_days(&l, &city, air_standard_on(b), at, b, &bad, 1, &days, &n, &err), LT_OK);
    assert_int_equal(n, 1);
    assert_int_equal(days[0].judged[AIRQ_PM25], UG(120));
    assert_int_equal(days[0].judged[AIRQ_NO2], UG(30)); /* as on the last known day */
    assert_int_equal(air_target_eval(&l, &t, at, days, n, false, &s, &err), LT_OK);
    /* 13 x 25 + 252 + 120 = 697; (900 - 697) / 9 = 22.55… */
    assert_int_equal(s.so_far_sum, UG(697));
    assert_int_equal(s.days_left, 9);
    assert_int_equal(s.allowed_left, 22500000);
    free(days);
    /* next week like last week: another 252 */
    assert_int_equal(air_assume_days(&l, &city, air_standard_on(b), at, b, &week, 1, &days, &n, &err), LT_OK);
    assert_int_equal(n, 7);
    assert_int_equal(air_target_eval(&l, &t, at, days, n, false, &s, &err), LT_OK);
    assert_int_equal(s.so_far_sum, UG(13 * 25 + 252 + 252));
    free(days);
    /* and the two after one another: the week repeats the bad day too */
    struct air_assume both[2] = {bad, week};
    assert_int_equal(air_assume_days(&l, &city, air_standard_on(b), at, b, both, 2, &days, &n, &err), LT_OK);
    assert_int_equal(n, 8);
    assert_int_equal(days[7].judged[AIRQ_PM25], UG(120));
    free(days);
    air_look_close(&l);
    made_close(&m);
}

/* 2026, at most 35: to 30 April 120 days of 40 are 4800. 153 days of summer at 25 leave (12775 - 4800 - 3825) / 92. */
static void a_good_summer_leaves_room_for_winter(void **state)
{
    struct made *m = made_open(1, 1, 0);
    flat(m, air_day(2025, 5, 1), air_day(2025, 9, 30), 24);
    flat(m, air_day(2025, 10, 1), air_day(2025, 12, 31), 60);
    flat(m, air_day(2026, 1, 1), air_day(2026, 4, 30), 40);
    struct air_target t = target(m, AIR_I_PM25, air_day(2026, 1, 1), air_day(2026, 12, 31), UG(35));
    struct air_look l;
    struct air_plan p;
    struct lt_error err = {0};
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, 0, &l, &err), LT_OK);
    assert_int_equal(air_target_plan(&l, &t, air_day(2026, 4, 30), &p, &err), LT_OK);
    assert_int_equal(p.rest_days, 153);
    assert_int_equal(p.winter_days, 92);
    assert_int_equal(p.last_rest, UG(24));
    assert_int_equal(p.last_winter, UG(60));
    assert_int_equal(p.n, AIR_PLAN_ROWS);
    bool seen = false;
    for (size_t i = 0; i < p.n; i++) {
        assert_true(i == 0 || p.row[i].winter < p.row[i - 1].winter); /* more in summer, less in winter */
        if (p.row[i].rest == UG(24)) {
            seen = true;
            assert_int_equal(p.row[i].winter, 46700000); /* (12775 - 4800 - 3672) / 92 = 46.77 */
        }
    }
    assert_true(seen);
    struct air_target days = target(m, AIR_I_GOOD_DAYS, t.start, t.end, UG(250));
    assert_int_equal(air_target_plan(&l, &days, t.start, &p, &err), LT_E_FIELD_CHOICE);
    air_look_close(&l);
    made_close(&m);
}

static void shares_add_up(void **state)
{
    /* plants: 10.0 by 1 : 1 : 1 is 3.4 + 3.3 + 3.3 */
    struct air_part plants[3];
    for (int i = 0; i < 3; i++)
        plants[i] =
            (struct air_part){.enterprise = i + 1, .weight = LT_FIX_ONE, .base = LT_FIX_NONE, .value = LT_FIX_NONE};
    assert_true(air_parts_share(plants, 3, UG(10), 1));
    assert_int_equal(plants[0].value, 3400000);
    assert_int_equal(plants[1].value, 3300000);
    assert_int_equal(air_parts_total(plants, 3, 1), UG(10));
    /* one is fixed by hand: the others take the rest */
    for (int i = 0; i < 3; i++)
        plants[i].value = i == 1 ? UG(5) : LT_FIX_NONE;
    plants[0].weight = 3 * LT_FIX_ONE;
    assert_true(air_parts_share(plants, 3, UG(10), 1));
    assert_int_equal(plants[0].value + plants[2].value, UG(5));
    assert_true(plants[2].value == 1200000 || plants[2].value == 1300000); /* 1.25, in one digit */
    plants[1].value = UG(11);
    plants[0].value = plants[2].value = LT_FIX_NONE;
    assert_false(air_parts_share(plants, 3, UG(10), 1)); /* more than the whole */
    /* counties: the same percentage from 50, 40 and 30 (mean 40) to a mean of 36: 45, 36, 27 */
    struct air_part county[3];
    for (int i = 0; i < 3; i++)
        county[i] =
            (struct air_part){.territory = i + 1, .weight = LT_FIX_ONE, .base = UG(50 - 10 * i), .value = LT_FIX_NONE};
    assert_true(air_parts_share(county, 3, UG(36), 1));
    assert_int_equal(county[0].value, UG(45));
    assert_int_equal(county[1].value, UG(36));
    assert_int_equal(county[2].value, UG(27));
    /* any numbers: the total is always the whole */
    uint64_t seed = 7;
    for (int k = 0; k < 2000; k++) {
        struct air_part p[14];
        const size_t n = 1 + made_mix(seed++) % 14;
        const bool add = k & 1;
        for (size_t i = 0; i < n; i++)
            p[i] = (struct air_part){.enterprise = add,
                                     .weight = (int64_t)(1 + made_mix(seed++) % 9) * LT_FIX_ONE,
                                     .base = (int64_t)(300 + made_mix(seed++) % 400) * 100000,
                                     .value = LT_FIX_NONE};
        const int64_t whole = (int64_t)(200 + made_mix(seed++) % 300) * 100000;
        if (!air_parts_share(p, n, whole, 1))
            print_error("n %zu add %d whole %lld total %lld\n", n, add, (long long)whole,
                        (long long)air_parts_total(p, n, 1));
        assert_int_equal(air_parts_total(p, n, 1), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_mean_left_is_that_worked_by_hand),
                                       cmocka_unit_test(days_still_needed_and_affordable),
                                       cmocka_unit_test(odds_come_from_past_years),
                                       cmocka_unit_test(days_of_a_category_still_affordable),
                                       cmocka_unit_test(what_if_as_worked_by_hand),
                                       cmocka_unit_test(a_good_summer_leaves_room_for_winter),
                                       cmocka_unit_test(shares_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
