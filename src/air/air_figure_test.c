/* Figures out of the store: equal to what airq makes of the same hours, kept up by every change, restored by its
 * reversal. */
#include "air/air_testing.h"

/* The same numbers without store and cache: cells, days, city, period. */
static void reference(const struct made *m, size_t first, size_t n, int32_t from, int32_t to,
                      const struct airq_standard *s, enum airq_rounding r, struct airq_period *ret)
{
    size_t days = (size_t)(to - from) + 1;
    struct airq_day *city = calloc(days, sizeof *city);
    lt_i128 *work = calloc(days, sizeof *work);
    for (size_t d = 0; d < days; d++) {
        struct airq_city sum = {0};
        for (size_t k = first; k < first + n; k++) {
            struct airq_cell cell;
            struct airq_day day;
            memset(&cell, 0, sizeof cell);
            for (int h = 0; h < 24; h++) {
                int32_t v[AIR_ITEMS], ticks[AIRQ_POLLUTANTS];
                made_hour(m, k, from + (int32_t)d, h, v);
                for (int p = 0; p < AIRQ_POLLUTANTS; p++)
                    ticks[p] = v[p] == AIR_NONE ? -1 : v[p];
                airq_cell_add(&cell, h, ticks);
            }
            airq_cell_day(s, r, &cell, &day);
            airq_city_add(&sum, &day);
        }
        airq_city_day(s, r, &sum, (uint32_t)n, &city[d]);
    }
    airq_period(s, r, city, days, work, ret);
    free(city);
    free(work);
}

static void same_period(const struct airq_period *a, const struct airq_period *b)
{
    assert_int_equal(a->days_valid, b->days_valid);
    assert_int_equal(a->days_good, b->days_good);
    assert_int_equal(a->days_heavy, b->days_heavy);
    assert_memory_equal(a->category, b->category, sizeof a->category);
    assert_memory_equal(a->primary, b->primary, sizeof a->primary);
    assert_true(a->good_share_pct == b->good_share_pct && a->composite == b->composite);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        assert_true(a->item[p].mean == b->item[p].mean && a->item[p].percentile == b->item[p].percentile);
        assert_true(a->item[p].max == b->item[p].max && a->item[p].days_valid == b->item[p].days_valid);
        assert_int_equal(a->item[p].exceed_days, b->item[p].exceed_days);
    }
}

static struct air_figure figure(struct made *m, enum air_scope_kind kind, int64_t id, int32_t from, int32_t to,
                                enum air_dust dust, int64_t version)
{
    struct air_look l;
    struct air_figure f;
    struct lt_error err = {0};
    const struct air_scope sc = air_scope_of(kind, id);
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, version, &l, &err), LT_OK);
    assert_int_equal(air_figure_make(&l, &sc, from, to, air_standard_on(to), AIRQ_STEPWISE, dust, &f, &err), LT_OK);
    air_look_close(&l);
    return f;
}

static void city_county_and_station_as_airq_has_them(void **state)
{
    struct made *m = made_open(3, air_day(2025, 1, 1), air_day(2025, 12, 31));
    struct airq_period want;
    const int32_t a = air_day(2025, 1, 1), b = air_day(2025, 12, 31);
    const struct airq_standard *s = airq_standard_find(LT_LIT("2012"));
    reference(m, 0, 3, a, b, s, AIRQ_STEPWISE, &want);
    assert_true(want.days_valid > 300 && want.days_heavy > 0 && want.composite > 0);
    struct air_figures_stats st[2];
    for (int again = 0; again < 2; again++) { /* from the store, then from the cache */
        struct air_figure f = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
        same_period(&f.p, &want);
        air_figures_stats(m->f, &st[again]);
    }
    assert_true(st[0].blocks_read > 1000 && st[0].station_years == 3);
    assert_int_equal(st[1].blocks_read, st[0].blocks_read);
    reference(m, 2, 1, a, b, s, AIRQ_STEPWISE, &want);
    struct air_figure f = figure(m, AIR_SCOPE_STATION, m->station[2], a, b, AIR_DUST_HABIT, 0);
    same_period(&f.p, &want);
    /* the third station lies in the second county */
    f = figure(m, AIR_SCOPE_TERRITORY, m->c->county[1], a, b, AIR_DUST_HABIT, 0);
    same_period(&f.p, &want);
    made_close(&m);
}

static void dirty(int32_t day, int h, int32_t v[AIR_ITEMS])
{
    v[AIR_PM25] = 9000000;
}

static void a_correction_and_its_reversal_restore_every_figure(void **state)
{
    struct made *m = made_open(3, air_day(2025, 1, 1), air_day(2025, 12, 31));
    const int32_t a = air_day(2025, 1, 1), b = air_day(2025, 12, 31), d = air_day(2025, 3, 3);
    struct air_figures_stats s1, s2;
    struct air_figure before = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    const int64_t v1 = made_version(m);
    air_figures_stats(m->f, &s1);
    made_put(m, 1, d, d, dirty);
    int64_t start = lt_mono_us();
    struct air_figure changed = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    print_message("annual figures after a correction: %lld us\n", (long long)(lt_mono_us() - start));
    air_figures_stats(m->f, &s2);
    assert_true(changed.p.item[AIRQ_PM25].max > before.p.item[AIRQ_PM25].max);
    assert_int_equal(s2.blocks_read - s1.blocks_read, 1); /* the one day of the one station */
    struct air_figure as_of = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, v1);
    same_period(&as_of.p, &before.p);
    made_put(m, 1, d, d, NULL);
    struct air_figure after = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    same_period(&after.p, &before.p);
    made_close(&m);
}

/* Order and repetition of deliveries change nothing. */
static void order_and_repetition_change_nothing(void **state)
{
    const int32_t a = air_day(2025, 2, 1), b = air_day(2025, 2, 28);
    struct made *one = made_open(2, a, b), *two = made_open(2, 1, 0);
    for (int32_t d = b; d >= a; d--)
        for (size_t k = 2; k-- > 0;)
            made_put(two, k, d, d, NULL);
    made_put(two, 0, a + 3, a + 9, NULL);
    struct air_figure x = figure(one, AIR_SCOPE_TERRITORY, one->c->root, a, b, AIR_DUST_HABIT, 0);
    struct air_figure y = figure(two, AIR_SCOPE_TERRITORY, two->c->root, a, b, AIR_DUST_HABIT, 0);
    same_period(&x.p, &y.p);
    made_close(&one);
    made_close(&two);
}

static void storm(int32_t day, int h, int32_t v[AIR_ITEMS])
{
    v[AIR_PM10] = 8000000; /* 800 µg/m3 */
    v[AIR_PM25] = 1500000;
}

/* The ministry's habit: means without dust, good and heavy days with it; and each switch by itself. */
static void dust_is_deducted_by_its_two_switches(void **state)
{
    const int32_t a = air_day(2025, 4, 1), b = air_day(2025, 4, 30), d = air_day(2025, 4, 12);
    struct made *m = made_open(2, a, b);
    for (size_t k = 0; k < 2; k++)
        made_put(m, k, d, d, storm);
    struct air_figure plain = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    int64_t event =
        INSERT(m->c, "air_event", RECORD_SET_I("territory", m->c->root),
               RECORD_SET_I("day_from", air_day_start(d, LT_TZ_CHINA)),
               RECORD_SET_I("day_to", air_day_start(d, LT_TZ_CHINA)), RECORD_SET_Z("type", "sand_dust"),
               RECORD_SET_I("strip_pm", 1), RECORD_SET_I("recompute_aqi", 1), RECORD_SET_Z("decided_by", "test"));
    struct air_figure habit = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    struct air_figure deducted = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_DEDUCTED, 0);
    struct air_figure kept = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_KEPT, 0);
    same_period(&kept.p, &plain.p);
    assert_int_equal(habit.p.item[AIRQ_PM10].days_valid, kept.p.item[AIRQ_PM10].days_valid - 1);
    assert_true(habit.p.item[AIRQ_PM10].mean < kept.p.item[AIRQ_PM10].mean);
    assert_true(habit.p.item[AIRQ_NO2].mean == kept.p.item[AIRQ_NO2].mean);
    assert_int_equal(habit.p.days_heavy, kept.p.days_heavy);
    assert_int_equal(deducted.p.days_heavy, kept.p.days_heavy - 1);
    assert_int_equal(deducted.p.days_valid, kept.p.days_valid);
    struct lt_error err = {0};
    const struct record_set only_aqi[] = {RECORD_SET_I("strip_pm", 0)};
    assert_int_equal(record_change(&m->c->x, kind_of("air_event"), event, 0, "update", only_aqi, 1, &err), LT_OK);
    struct air_figure half = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_DEDUCTED, 0);
    assert_true(half.p.item[AIRQ_PM10].mean == kept.p.item[AIRQ_PM10].mean);
    assert_int_equal(half.p.days_heavy, kept.p.days_heavy - 1);
    made_close(&m);
}

/* A station that is not evaluated, or of a type that never counts, or closed, changes nothing. */
static void only_evaluated_stations_count(void **state)
{
    const int32_t a = air_day(2025, 6, 1), b = air_day(2025, 6, 30);
    struct made *m = made_open(3, a, b);
    struct air_figure all = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0), two;
    struct lt_error err = {0};
    const struct record_set off[] = {RECORD_SET_I("evaluated", 0)}, kerb[] = {RECORD_SET_Z("type", "traffic")};
    struct airq_period want;
    reference(m, 0, 2, a, b, airq_standard_find(LT_LIT("2012")), AIRQ_STEPWISE, &want);
    assert_true(want.item[AIRQ_NO2].mean != all.p.item[AIRQ_NO2].mean || want.composite != all.p.composite ||
                want.item[AIRQ_O3].percentile != all.p.item[AIRQ_O3].percentile);
    assert_int_equal(record_change(&m->c->x, kind_of("station"), m->station[2], 0, "update", off, 1, &err), LT_OK);
    two = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    same_period(&two.p, &want);
    const struct record_set on[] = {RECORD_SET_I("evaluated", 1)};
    assert_int_equal(record_change(&m->c->x, kind_of("station"), m->station[2], 0, "update", on, 1, &err), LT_OK);
    assert_int_equal(record_change(&m->c->x, kind_of("station"), m->station[2], 0, "update", kerb, 1, &err), LT_OK);
    two = figure(m, AIR_SCOPE_TERRITORY, m->c->root, a, b, AIR_DUST_HABIT, 0);
    same_period(&two.p, &want);
    /* closed: the first day on which it no longer measures, so it is not missed on that day */
    const struct record_set closed[] = {RECORD_SET_Z("type", "national"),
                                        RECORD_SET_I("closed", air_day_start(a + 10, LT_TZ_CHINA))};
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, m->c->root);
    struct air_look l;
    struct air_days d;
    assert_int_equal(record_change(&m->c->x, kind_of("station"), m->station[2], 0, "update", closed, 2, &err), LT_OK);
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, 0, &l, &err), LT_OK);
    assert_int_equal(air_days_make(&l, &sc, a, b, NULL, AIRQ_STEPWISE, &d, &err), LT_OK);
    assert_int_equal(d.info[9].stations, 3);
    assert_int_equal(d.info[10].stations, 2);
    air_days_fini(&d);
    air_look_close(&l);
    made_close(&m);
}

static int yyyymmdd(int32_t day)
{
    int y, m, d;
    air_civil(day, &y, &m, &d);
    return y * 10000 + m * 100 + d;
}

static void check_period(const char *name, int day, int from, int to, int yoy_from, int yoy_to)
{
    enum air_period_kind k;
    int32_t a, b, c, d;
    assert_true(air_period_find(lt_slice_of(name), &k));
    air_period_of(k, air_day(day / 10000, day / 100 % 100, day % 100), &a, &b);
    air_period_year_before(a, b, &c, &d);
    assert_int_equal(yyyymmdd(a), from);
    assert_int_equal(yyyymmdd(b), to);
    assert_int_equal(yyyymmdd(c), yoy_from);
    assert_int_equal(yyyymmdd(d), yoy_to);
}

static void periods_are_those_of_the_calendar(void **state)
{
    int32_t a, b;
    check_period("day", 20261125, 20261125, 20261125, 20251125, 20251125);
    check_period("week", 20261125, 20261123, 20261129, 20251123, 20251129);
    check_period("ten_day", 20261125, 20261121, 20261130, 20251121, 20251130);
    check_period("ten_day", 20260220, 20260211, 20260220, 20250211, 20250220);
    check_period("month", 20250210, 20250201, 20250228, 20240201, 20240229);
    check_period("quarter", 20261125, 20261001, 20261231, 20251001, 20251231);
    check_period("season", 20261125, 20261001, 20270331, 20251001, 20260331);
    check_period("season", 20260705, 20251001, 20260331, 20241001, 20250331);
    check_period("year", 20240229, 20240101, 20241231, 20230101, 20231231);
    check_period("ytd", 20240229, 20240101, 20240229, 20230101, 20230228);
    assert_true(air_period_before(AIR_MONTH, air_day(2026, 3, 1), air_day(2026, 3, 31), &a, &b));
    assert_int_equal(yyyymmdd(a), 20260201);
    assert_int_equal(yyyymmdd(b), 20260228);
    assert_true(air_period_before(AIR_MONTH, air_day(2026, 3, 1), air_day(2026, 3, 30), &a, &b));
    assert_int_equal(yyyymmdd(b), 20260228);
    assert_true(air_period_before(AIR_FREE, air_day(2026, 1, 1), air_day(2026, 6, 30), &a, &b));
    assert_int_equal(yyyymmdd(a), 20250701);
    assert_false(air_period_before(AIR_SEASON, air_day(2026, 1, 1), air_day(2026, 6, 30), &a, &b));
    assert_true(air_crosses_2018(air_day(2018, 1, 1), air_day(2018, 12, 31)));
    assert_false(air_crosses_2018(air_day(2018, 9, 1), air_day(2018, 12, 31)));
    assert_string_equal(air_standard_name(air_standard_on(air_day(2026, 2, 28))), "2012");
    assert_string_equal(air_standard_name(air_standard_on(air_day(2026, 3, 1))), "2026t");
    assert_string_equal(air_standard_name(air_standard_on(air_day(2031, 1, 1))), "2026f");
}

/* The first and last days one can ask for, and what is compared with them, lie beyond the calendar of base. */
static void the_ends_of_the_calendar_hold(void **state)
{
    struct made *m = made_open(3, 0, -1);
    struct air_look l;
    struct air_days d;
    struct lt_error err = {0};
    const int32_t ends[] = {air_day(1970, 1, 1), air_day(1969, 12, 31), air_day(1600, 2, 29), air_day(9999, 12, 31),
                            air_day(10000, 3, 31)};
    static const int named[] = {19700101, 19691231, 16000229, 99991231, 100000331};
    assert_int_equal(ends[0], 0);
    assert_int_equal(ends[1], -1);
    assert_int_equal(ends[2], -135081);
    assert_int_equal(ends[4] - ends[3], 91);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        assert_int_equal(yyyymmdd(ends[i]), named[i]);
    check_period("day", 19700101, 19700101, 19700101, 19690101, 19690101);
    check_period("week", 19700101, 19691229, 19700104, 19681229, 19690104);
    check_period("season", 99991231, 99991001, 100000331, 99981001, 99990331);
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, 0, &l, &err), LT_OK);
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, m->c->root);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        assert_int_equal(air_days_make(&l, &sc, ends[i] - 400, ends[i], NULL, AIRQ_STEPWISE, &d, &err), LT_OK);
        assert_int_equal(d.n, 401);
        for (size_t k = 0; k < d.n; k++)
            assert_int_equal(d.info[k].hours, 0);
        air_days_fini(&d);
    }
    struct air_scope twice;
    char text[64];
    snprintf(text, sizeof text, "region:%lld,%lld", (long long)m->c->county[0], (long long)m->c->county[0]);
    assert_int_equal(air_scope_parse(&l, lt_slice_of(text), &twice, &err), LT_E_FIELD_FORMAT);
    air_look_close(&l);
    made_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(city_county_and_station_as_airq_has_them),
                                       cmocka_unit_test(a_correction_and_its_reversal_restore_every_figure),
                                       cmocka_unit_test(order_and_repetition_change_nothing),
                                       cmocka_unit_test(dust_is_deducted_by_its_two_switches),
                                       cmocka_unit_test(only_evaluated_stations_count),
                                       cmocka_unit_test(periods_are_those_of_the_calendar),
                                       cmocka_unit_test(the_ends_of_the_calendar_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
