/* Tests of the arithmetic of hours and days, against the clauses of HJ 212-2017 Appendix D, HJ 75 and HJ 76. */
#include "base/rand.h"
#include "engine/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define M    INT64_C(1000000)
#define NONE LT_FIX_NONE

static struct values_hour H;

static struct values_result minutes(unsigned good, unsigned bad, bool water)
{
    struct values_result r;
    values_hour_init(&H);
    for (unsigned m = 0; m < good; m++) {
        values_hour_report(&H, m, 10 * M, 9 * M, 11 * M, NONE, M, 'N');
    }
    for (unsigned m = good; m < good + bad; m++) {
        values_hour_report(&H, m, 1000 * M, NONE, NONE, NONE, M, 'D');
    }
    values_hour_result(&H, water, 0, 1, &r);
    return r;
}

/* "(24) hour mean: plain mean of valid minutes, k >= 45" */
static void an_hour_needs_45_minutes(void **state)
{
    assert_false(minutes(44, 0, false).state & VALUES_S_VALID);
    assert_true(minutes(45, 0, false).state & VALUES_S_VALID);
    assert_true(minutes(46, 0, false).state & VALUES_S_VALID);
    assert_int_equal(minutes(44, 0, false).valid, 44);
    assert_int_equal(minutes(44, 0, false).avg, 10 * M); /* shown, but not valid */
    struct values_result r = minutes(45, 15, false);
    assert_int_equal(r.avg, 10 * M); /* abnormal values stay out of the mean */
    assert_int_equal(r.min, 9 * M);
    assert_int_equal(r.max, 11 * M);
    assert_int_equal(r.cou, 45 * M);
    assert_int_equal(r.source, VALUES_MINUTES);
}

/* "flue gas: at least 75 % normal values below: N, else D; waste water: one abnormal value below: abnormal" */
static void the_mark_follows_75_percent(void **state)
{
    assert_int_equal(minutes(45, 15, false).mark, 'N'); /* exactly 75 % */
    assert_true(minutes(45, 15, false).state & VALUES_S_VALID);
    assert_int_equal(minutes(44, 15, false).mark, 'D');
    assert_int_equal(minutes(44, 16, false).mark, 'D');
    assert_int_equal(minutes(59, 1, true).mark, 'D');
    assert_int_equal(minutes(60, 0, true).mark, 'N');
    assert_int_equal(minutes(40, 0, false).mark, 'N'); /* of what is there, all is normal; yet too little */
    assert_false(minutes(40, 0, false).state & VALUES_S_VALID);
}

static void nothing_is_nothing(void **state)
{
    struct values_result r;
    values_hour_init(&H);
    values_hour_result(&H, false, 0, 0, &r);
    assert_int_equal(r.source, VALUES_NONE);
    assert_true(r.avg == NONE && r.cou == NONE && r.zsavg == NONE);
    assert_int_equal(r.mark, 0);
    assert_int_equal(minutes(0, 60, false).mark, 'D');
    assert_true(minutes(0, 60, false).avg == NONE);
    assert_int_equal(minutes(0, 60, false).present, 60);
}

static void realtime_is_averaged_to_minutes_first(void **state)
{
    struct values_result r;
    values_hour_init(&H);
    for (unsigned m = 0; m < 45; m++) {
        values_hour_realtime(&H, m, 10 * M, NONE, 'N');
    }
    for (unsigned i = 0; i < 100; i++) { /* one busy minute weighs no more than the others */
        values_hour_realtime(&H, 44, 10 * M, NONE, 0);
    }
    values_hour_realtime(&H, 45, 56 * M, NONE, 'N');
    values_hour_result(&H, false, 30, 0, &r);
    assert_int_equal(r.avg, 11 * M); /* (45 * 10 + 56) / 46 */
    assert_int_equal(r.valid, 46);
    assert_int_equal(r.source, VALUES_REALTIME);
    /* a minute of which less than 75 % is normal does not count */
    values_hour_init(&H);
    values_hour_realtime(&H, 0, 10 * M, NONE, 'N');
    values_hour_realtime(&H, 0, 99 * M, NONE, 'T');
    values_hour_realtime(&H, 1, 20 * M, NONE, 'N');
    values_hour_result(&H, false, 30, 0, &r);
    assert_int_equal(r.valid, 1);
    assert_int_equal(r.avg, 20 * M);
    assert_int_equal(r.present, 2);
}

static void minute_rows_go_before_realtime(void **state)
{
    struct values_result r;
    values_hour_init(&H);
    for (unsigned m = 0; m < 60; m++) {
        values_hour_realtime(&H, m, 10 * M, NONE, 'N');
    }
    values_hour_report(&H, 0, 30 * M, NONE, NONE, NONE, NONE, 'N');
    values_hour_result(&H, false, 30, 0, &r);
    assert_int_equal(r.source, VALUES_MINUTES);
    assert_int_equal(r.avg, 30 * M);
    assert_int_equal(r.valid, 1);
    assert_true(r.cou == NONE);
}

static void rows_cover_their_interval(void **state)
{
    struct values_result r;
    for (unsigned given = 0; given <= 10; given += 10) { /* ten-minute data, declared or seen */
        values_hour_init(&H);
        for (unsigned m = 0; m < 50; m += 10) {
            values_hour_report(&H, m, 10 * M, NONE, NONE, NONE, NONE, 'N');
        }
        values_hour_result(&H, false, 0, given, &r);
        assert_int_equal(r.valid, 50);
    }
    values_hour_init(&H); /* the record says 10, the device sends every minute: no minute counts for its neighbours */
    values_hour_report(&H, 0, 10 * M, NONE, NONE, NONE, NONE, 'N');
    values_hour_report(&H, 1, 10 * M, NONE, NONE, NONE, NONE, 'N');
    values_hour_result(&H, false, 0, 10, &r);
    assert_int_equal(r.valid, 2);
    values_hour_init(&H);
    values_hour_report(&H, 55, 10 * M, NONE, NONE, NONE, NONE, 'N');
    values_hour_result(&H, false, 0, 10, &r);
    assert_int_equal(r.valid, 5); /* never beyond the hour */
    values_hour_result(&H, false, 0, 0, &r);
    assert_int_equal(r.valid, 1);
    values_hour_init(&H); /* real-time data every five minutes */
    for (unsigned m = 0; m < 60; m += 5) {
        values_hour_realtime(&H, m, 10 * M, NONE, 'N');
    }
    values_hour_result(&H, false, 300, 0, &r);
    assert_int_equal(r.valid, 60);
}

static void converted_means_need_enough_minutes(void **state)
{
    struct values_result r;
    values_hour_init(&H);
    for (unsigned m = 0; m < 60; m++) {
        values_hour_report(&H, m, 10 * M, NONE, NONE, m < 45 ? 14 * M : NONE, NONE, 'N');
    }
    values_hour_result(&H, false, 0, 1, &r);
    assert_int_equal(r.zsavg, 14 * M);
    values_hour_init(&H);
    for (unsigned m = 0; m < 60; m++) {
        values_hour_report(&H, m, 10 * M, NONE, NONE, m < 44 ? 14 * M : NONE, NONE, 'N');
    }
    values_hour_result(&H, false, 0, 1, &r);
    assert_true(r.zsavg == NONE);
    values_hour_init(&H);
    for (unsigned m = 0; m < 48; m++) { /* 40 of 48 are 75 %, and no 45 */
        values_hour_report(&H, m, 10 * M, NONE, NONE, m < 40 ? 14 * M : NONE, NONE, 'N');
    }
    values_hour_result(&H, false, 0, 1, &r);
    assert_true(r.zsavg == NONE && (r.state & VALUES_S_VALID));
    for (unsigned zs = 19; zs <= 20; zs++) { /* of 24 valid hours of a day */
        struct values_day d;
        struct values_result v;
        values_day_init(&d);
        for (unsigned h = 0; h < 24; h++) {
            struct values_result hour = minutes(60, 0, false);
            hour.zsavg = h < zs ? 14 * M : NONE;
            values_day_add(&d, &hour);
        }
        values_day_result(&d, false, &v);
        assert_int_equal(v.zsavg == NONE, zs < 20);
    }
}

/* "(28) C_conv = Csn_dry * (21 % - O2_standard) / (21 % - O2_dry)" */
static void conversion_and_its_cap(void **state)
{
    int64_t v;
    bool capped;
    assert_true(values_convert(30 * M, 11 * M, 6 * M, 19 * M, &v, &capped));
    assert_int_equal(v, 45 * M);
    assert_false(capped);
    assert_true(values_convert(30 * M, 19 * M, 6 * M, 19 * M, &v, &capped)); /* at the cap: still converted */
    assert_int_equal(v, 225 * M);
    assert_false(capped);
    assert_true(values_convert(30 * M, 19 * M + 1, 6 * M, 19 * M, &v, &capped));
    assert_int_equal(v, 30 * M);
    assert_true(capped);
    /* 20.9 is ambient air, 21 would divide by zero, and the cap cannot be set so high that it would */
    assert_true(values_convert(30 * M, 20900000, 6 * M, 21 * M, &v, &capped));
    assert_int_equal(v, 4500 * M);
    assert_false(capped);
    assert_true(values_convert(30 * M, 21 * M, 6 * M, 21 * M, &v, &capped));
    assert_true(capped);
    assert_true(values_convert(30 * M, 22 * M, 6 * M, 21 * M, &v, &capped));
    assert_true(capped && v == 30 * M);
    assert_false(values_convert(NONE, 11 * M, 6 * M, 19 * M, &v, &capped));
    assert_false(values_convert(30 * M, NONE, 6 * M, 19 * M, &v, &capped));
    assert_false(values_convert(30 * M, 11 * M, 21 * M, 19 * M, &v, &capped));
    assert_false(values_convert(INT64_MAX, 20900000, 6 * M, 21 * M, &v, &capped)); /* does not fit */
    assert_true(values_convert(1, 14 * M, 6 * M, 19 * M, &v, &capped));
    assert_int_equal(v, 2); /* 15/7 = 2.14… half to even at millionths */
}

static void nox_and_amounts(void **state)
{
    int64_t v;
    assert_true(values_nox(100 * M, 20 * M, &v)); /* 100 * 46.0055/30.0061 + 20 */
    assert_int_equal(v, 173320492);
    assert_false(values_nox(NONE, M, &v));
    assert_false(values_nox(M, NONE, &v));
    assert_true(values_amount(50 * M, 100 * M, &v)); /* 50 mg/m3 * 100 m3/s * 3600 s = 18 kg */
    assert_int_equal(v, 18 * M);
    assert_false(values_amount(-1, 100 * M, &v));
    assert_false(values_amount(50 * M, -1, &v));
    assert_false(values_amount(NONE, 100 * M, &v));
    assert_false(values_amount(INT64_MAX, INT64_MAX, &v));
    assert_false(values_amount(INT64_MAX, 1000 * M, &v));
}

static struct values_report report(int64_t avg, int64_t zs, int64_t mark)
{
    return (struct values_report){true, avg, zs, NONE, NONE, NONE, mark};
}

static void the_report_is_preferred_unless_contradicted(void **state)
{
    struct values_result own = minutes(60, 0, false), v;
    int64_t diff;
    struct values_report r = report(10 * M + 400000, NONE, 'N');
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.source, VALUES_REPORTED);
    assert_int_equal(v.avg, 10400000);
    assert_int_equal(diff, 400000);
    assert_int_equal(v.min, 9 * M); /* what the report does not say comes from the minutes */
    assert_int_equal(v.cou, 60 * M);
    assert_true(v.state & VALUES_S_VALID);
    r = report(5 * M, NONE, 'N');
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.avg, 10 * M);
    assert_true(v.state & VALUES_S_DISPUTED);
    assert_int_equal(diff, -5 * M);
    r = report(15 * M, 21 * M, 'N'); /* a higher report is an admission: it stands, and is marked */
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.avg, 15 * M);
    assert_int_equal(v.zsavg, 21 * M);
    assert_int_equal(v.source, VALUES_REPORTED);
    assert_true(v.state & VALUES_S_DISPUTED);
    r = report(5 * M, NONE, 'D'); /* a marked report contradicts nobody; it says the hour is bad */
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.avg, 5 * M);
    assert_int_equal(v.mark, 'D');
    assert_false(v.state & VALUES_S_VALID);
    own = minutes(30, 0, false); /* the line lost half: the logger had it all */
    r = report(5 * M, 6 * M, 'N');
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.avg, 5 * M);
    assert_int_equal(v.zsavg, 6 * M);
    assert_true(v.state & VALUES_S_VALID);
    own.zsavg = 14 * M; /* of the half that came: neither a converted mean nor an amount of the hour */
    r = report(20 * M, NONE, 'N');
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_true(v.avg == 20 * M && v.zsavg == NONE && v.cou == NONE);
    r = report(5 * M, NONE, 0); /* no mark given: own minutes decide */
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.mark, 'N');
    assert_true(v.state & VALUES_S_VALID);
    own = minutes(0, 60, false);
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_false(v.state & VALUES_S_VALID);
    own = minutes(60, 0, false);
    r.present = false;
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.avg, 10 * M);
    assert_true(diff == NONE);
    r = report(NONE, NONE, 'N'); /* an amount alone */
    r.cou = 7 * M;
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.cou, 7 * M);
    assert_int_equal(v.source, VALUES_MINUTES);
    own.zsavg = 20 * M; /* converted values: another coefficient shows */
    r = report(10 * M, 10 * M, 'N');
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_true(v.state & VALUES_S_DISPUTED);
    r = report(10 * M + 20000, NONE, 'N'); /* two printed steps are rounding */
    values_hour_choose(&own, &r, 10000, &v, &diff);
    assert_int_equal(v.source, VALUES_REPORTED);
}

/* "(25) day mean: plain mean of valid hours, m >= 20" */
static void a_day_needs_20_hours(void **state)
{
    for (unsigned good = 19; good <= 24; good++) {
        struct values_day d;
        values_day_init(&d);
        for (unsigned h = 0; h < 24; h++) {
            struct values_result r = minutes(h < good ? 45 : 44, 0, false);
            r.avg = h < good ? (int64_t)h * M : 1000 * M;
            r.zsavg = NONE;
            values_day_add(&d, &r);
        }
        struct values_result v;
        values_day_result(&d, false, &v);
        assert_int_equal(v.valid, good);
        assert_int_equal((v.state & VALUES_S_VALID) != 0, good >= 20);
        assert_int_equal(v.avg, (int64_t)(good - 1) * M / 2);
        assert_int_equal(v.cou, (int64_t)(good * 45 + (24 - good) * 44) * M);
        assert_int_equal(v.source, VALUES_HOURS);
        assert_true(v.zsavg == NONE);
    }
    struct values_day d;
    struct values_result v;
    values_day_init(&d);
    values_day_result(&d, false, &v);
    assert_int_equal(v.source, VALUES_NONE);
    struct values_result bad = minutes(0, 60, false);
    bad.state |= VALUES_S_SUBSTITUTED;
    values_day_add(&d, &bad);
    values_day_result(&d, true, &v);
    assert_int_equal(v.mark, 'D');
    assert_true(v.avg == NONE && v.cou == NONE);
    assert_true(v.state & VALUES_S_SUBSTITUTED);
    values_day_init(&d);
    struct values_result good = minutes(60, 0, false);
    good.zsavg = 12 * M;
    values_day_add(&d, &good);
    values_day_result(&d, true, &v);
    assert_int_equal(v.zsavg, 12 * M);
    assert_int_equal(v.mark, 'N');
}

static void substitution_looks_back_by_the_table(void **state)
{
    assert_int_equal(values_substitution_hours(1000, 1), 180);
    assert_int_equal(values_substitution_hours(900, 24), 180);
    assert_int_equal(values_substitution_hours(900, 25), 720);
    assert_int_equal(values_substitution_hours(899, 1), 2160);
    assert_int_equal(values_substitution_hours(750, 100), 2160);
    assert_int_equal(values_substitution_hours(749, 1), 0);
}

static void marks_and_names(void **state)
{
    char z[5];
    assert_int_equal(values_mark_pack(LT_LIT("N")), 'N');
    values_mark_unpack(values_mark_pack(LT_LIT("ab12xyz")), z);
    assert_string_equal(z, "ab12");
    values_mark_unpack(0, z);
    assert_string_equal(z, "");
    assert_true(values_mark_normal('N') && values_mark_normal('3') && values_mark_normal(0));
    assert_false(values_mark_normal('D') || values_mark_normal(values_mark_pack(LT_LIT("NN"))));
    assert_true(values_mark_maintenance('M') && values_mark_maintenance('C') && !values_mark_maintenance('D'));
    assert_string_equal(values_source_name(VALUES_REPORTED), "reported");
    assert_string_equal(values_source_name((enum values_source)99), "none");
    assert_string_equal(values_state_name(VALUES_S_EXCEED), "exceed");
    assert_null(values_state_name(1U << 30));
}

static void amounts_that_do_not_fit_are_none(void **state)
{
    struct values_result r;
    values_hour_init(&H);
    values_hour_report(&H, 0, M, NONE, NONE, NONE, INT64_MAX, 'N');
    values_hour_report(&H, 1, M, NONE, NONE, NONE, 1, 'N');
    values_hour_result(&H, false, 0, 1, &r);
    assert_true(r.cou == NONE);
    values_hour_init(&H); /* extreme values: the mean of many is still exact */
    for (unsigned m = 0; m < 60; m++) {
        values_hour_realtime(&H, m, INT64_MAX - (m & 1), NONE, 'N');
    }
    values_hour_result(&H, false, 0, 0, &r);
    assert_true(r.avg == INT64_MAX - 1 || r.avg == INT64_MAX);
}

/* The result depends on the set of samples, not on their order. */
static void order_does_not_matter(void **state)
{
    struct {
        unsigned minute;
        int64_t v, zs, mark;
    } s[240];
    struct lt_rand r;
    lt_rand_init(&r, 7);
    for (unsigned i = 0; i < 240; i++) {
        s[i].minute = (unsigned)lt_rand_below(&r, 60);
        s[i].v = (int64_t)lt_rand_below(&r, 100 * M);
        s[i].zs = lt_rand_below(&r, 10) ? s[i].v * 2 : NONE;
        s[i].mark = lt_rand_below(&r, 20) ? 'N' : 'M';
    }
    struct values_result first = {0}, now;
    for (int round = 0; round < 1000; round++) {
        values_hour_init(&H);
        for (unsigned i = 0; i < 240; i++) {
            values_hour_realtime(&H, s[i].minute, s[i].v, s[i].zs, s[i].mark);
        }
        memset(&now, 0, sizeof now);
        values_hour_result(&H, false, 0, 0, &now);
        if (round == 0) {
            first = now;
        }
        assert_memory_equal(&first, &now, sizeof now);
        for (unsigned i = 239; i > 0; i--) {
            unsigned k = (unsigned)lt_rand_below(&r, i + 1);
            __typeof__(s[0]) t = s[i];
            s[i] = s[k];
            s[k] = t;
        }
    }
    assert_int_equal(first.source, VALUES_REALTIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_needs_45_minutes),
        cmocka_unit_test(the_mark_follows_75_percent),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(realtime_is_averaged_to_minutes_first),
        cmocka_unit_test(minute_rows_go_before_realtime),
        cmocka_unit_test(rows_cover_their_interval),
        cmocka_unit_test(converted_means_need_enough_minutes),
        cmocka_unit_test(conversion_and_its_cap),
        cmocka_unit_test(nox_and_amounts),
        cmocka_unit_test(the_report_is_preferred_unless_contradicted),
        cmocka_unit_test(a_day_needs_20_hours),
        cmocka_unit_test(substitution_looks_back_by_the_table),
        cmocka_unit_test(marks_and_names),
        cmocka_unit_test(amounts_that_do_not_fit_are_none),
        cmocka_unit_test(order_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
