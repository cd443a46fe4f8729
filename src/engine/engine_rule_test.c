/* Tests of the rules as pure functions: every threshold from both sides. */
#include "engine/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define M    INT64_C(1000000)
#define NONE LT_FIX_NONE
#define MIN  INT64_C(60000)

static struct rule_params plain(void)
{
    return (struct rule_params){
        .enabled = true, .enter = NONE, .leave = NONE, .min_valid_share = NONE, .param1 = NONE, .param2 = NONE};
}

static void rules_have_dates(void **state)
{
    struct rule_params p = plain();
    assert_true(rule_in_force(&p, 5));
    p.valid_from_ms = 10;
    assert_false(rule_in_force(&p, 9));
    assert_true(rule_in_force(&p, 10));
    p.valid_to_ms = 20;
    assert_true(rule_in_force(&p, 19));
    assert_false(rule_in_force(&p, 20));
    p.enabled = false;
    assert_false(rule_in_force(&p, 15));
}

static void hysteresis_needs_its_time_both_ways(void **state)
{
    struct rule_hold h = {0};
    assert_int_equal(rule_hold_step(&h, true, false, 1000, 5 * MIN), RULE_STAYS);
    assert_int_equal(rule_hold_step(&h, true, false, 1000 + 5 * MIN - 1, 5 * MIN), RULE_STAYS);
    assert_int_equal(rule_hold_step(&h, false, true, 1000 + 5 * MIN, 5 * MIN), RULE_STAYS); /* a break: from anew */
    assert_int_equal(rule_hold_step(&h, true, false, 2000 + 5 * MIN, 5 * MIN), RULE_STAYS);
    assert_int_equal(h.n, 1);
    assert_int_equal(rule_hold_step(&h, true, false, 2000 + 10 * MIN, 5 * MIN), RULE_ENTERS);
    assert_int_equal(h.began_ms, 2000 + 5 * MIN);
    assert_int_equal(h.n, 2);
    assert_int_equal(rule_hold_step(&h, true, false, 2000 + 11 * MIN, 5 * MIN), RULE_STAYS);
    assert_int_equal(h.n, 3);
    assert_int_equal(rule_hold_step(&h, false, false, 2000 + 12 * MIN, 5 * MIN), RULE_STAYS); /* between the levels */
    assert_int_equal(rule_hold_step(&h, false, true, 2000 + 13 * MIN, 5 * MIN), RULE_STAYS);
    assert_true(h.active);
    assert_int_equal(rule_hold_step(&h, false, true, 2000 + 18 * MIN, 5 * MIN), RULE_LEAVES);
    assert_false(h.active);
    assert_int_equal(rule_hold_step(&h, true, false, 2000 + 19 * MIN, 0), RULE_ENTERS);
    assert_int_equal(rule_hold_step(&h, false, true, 2000 + 19 * MIN, 0), RULE_LEAVES);
}

static void limits_are_judged_on_their_basis(void **state)
{
    struct rule_params p = plain();
    struct rule_limit_input in = {.has_limit = true,
                                  .converted_basis = true,
                                  .limit = 35 * M,
                                  .measured = 10 * M,
                                  .converted = 35 * M,
                                  .valid = true,
                                  .share = M};
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_OK); /* at the limit is not above it */
    in.converted++;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXCEED);
    in.converted_basis = false;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_OK);
    in.measured = 36 * M;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXCEED);
    in.valid = false;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_UNKNOWN); /* unknown is not compliant, and not guilty */
    in.valid = true;
    in.measured = NONE;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_UNKNOWN);
    in.measured = 36 * M;
    p.min_valid_share = 750000;
    in.share = 749999;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_UNKNOWN);
    in.share = 750000;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXCEED);
    in.has_limit = false;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_NONE);
}

static void limits_have_two_levels_and_exemptions(void **state)
{
    struct rule_params p = plain();
    p.enter = 1100000;
    p.leave = 900000;
    struct rule_limit_input in = {.has_limit = true, .limit = 100 * M, .measured = 110 * M, .valid = true, .share = M};
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_BAND);
    in.measured = 110 * M + 1;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXCEED);
    in.measured = 90 * M;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_OK);
    in.measured = 90 * M + 1;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_BAND);
    p.leave = 2000000; /* a leave level above the enter level is a slip: the enter level holds for both */
    in.measured = 110 * M;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_OK);
    in.measured = 200 * M;
    in.declared = true;
    in.exempt_used = 1000;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXEMPT); /* no quota set */
    p.param1 = 5 * M;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXCEED);
    in.exempt_used = 4;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXEMPT);
    in.exempt_used = 5;
    assert_int_equal(rule_limit_judge(&p, &in), RULE_LIMIT_EXCEED);
}

/* feeds.md 3.5: run limits for 10^-6, found there by simulation, p_same rounded to two places */
static void run_limits_follow_the_channel(void **state)
{
    static const struct {
        unsigned p_percent, low, high;
    } table[] = {{82, 69, 72}, {52, 21, 22}, {27, 10, 11}, {14, 7, 8}, {6, 5, 5}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned r = rule_run_limit(table[i].p_percent * 1000, 100000);
        assert_in_range(r, table[i].low, table[i].high);
    }
    assert_in_range(rule_run_limit(0, 0), 69, 72);
    assert_int_equal(rule_run_limit(0, 100000), RULE_RUN_LEAST);
    assert_int_equal(rule_run_limit(4000000000U, 4000000000U), RULE_RUN_MOST);
    assert_in_range(rule_run_limit(199, 199), 69, 72); /* too little known */
}

static void a_frozen_channel_is_found_and_does_not_teach(void **state)
{
    struct rule_params p = plain();
    struct rule_run r = {0};
    int64_t t = 1000000;
    for (int i = 0; i < 1000; i++) { /* lively: never the same */
        assert_int_equal(rule_run_step(&p, &r, i, t += MIN, 1), RULE_STAYS);
    }
    assert_int_equal(r.pairs, 999);
    unsigned limit = rule_run_limit(r.same, r.pairs);
    assert_int_equal(limit, RULE_RUN_LEAST);
    for (unsigned i = 2; i < limit + 1; i++) {
        enum rule_change c = rule_run_step(&p, &r, 999, t += MIN, 1);
        assert_int_equal(c, i == limit ? RULE_ENTERS : RULE_STAYS);
    }
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(rule_run_step(&p, &r, 999, t += MIN, 1), RULE_STAYS);
    }
    assert_true(r.same <= limit);
    assert_int_equal(rule_run_step(&p, &r, 5, t += MIN, 1), RULE_LEAVES);
    assert_int_equal(r.n, 1);
    p.min_duration_ms = 30 * MIN;
    for (int i = 0; i < 29; i++) {
        assert_int_equal(rule_run_step(&p, &r, 5, t += MIN, 1), RULE_STAYS);
    }
    assert_int_equal(rule_run_step(&p, &r, 5, t += MIN, 1), RULE_ENTERS);
    assert_int_equal(rule_run_step(&p, &r, 5, t += 121 * MIN, 1), RULE_LEAVES); /* nothing was seen for two hours */
    uint32_t pairs = r.pairs;
    rule_run_step(&p, &r, 6, t += MIN, 2);
    assert_int_equal(r.pairs, pairs - pairs / 30 + 1);
}

static void ranges_by_the_longest_code(void **state)
{
    const struct rule_range *so2 = rule_range_find(LT_LIT("a21026"));
    assert_non_null(so2);
    assert_false(rule_out_of_range(so2, 10000 * M));
    assert_true(rule_out_of_range(so2, 10000 * M + 1));
    assert_false(rule_out_of_range(so2, -5 * M));
    assert_true(rule_out_of_range(so2, -5 * M - 1));
    assert_non_null(rule_range_find(LT_LIT("a24999")));
    assert_ptr_not_equal(rule_range_find(LT_LIT("a24088")), NULL);
    assert_null(rule_range_find(LT_LIT("zz")));
    assert_null(rule_range_find(LT_LIT("a2")));
    assert_false(rule_out_of_range(NULL, 1));
}

static void impossible_values(void **state)
{
    const struct rule_range *o2 = rule_range_find(LT_LIT("a19001")), *so2 = rule_range_find(LT_LIT("a21026"));
    assert_int_equal(rule_impossible_judge(o2, true, 20900000, NONE, NONE, NONE), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(o2, true, 21 * M, NONE, NONE, NONE), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(o2, true, 21 * M + 1, NONE, NONE, NONE), RULE_O2_HIGH);
    assert_int_equal(rule_impossible_judge(o2, true, -1, NONE, NONE, NONE), RULE_NEGATIVE);
    assert_int_equal(rule_impossible_judge(so2, false, -20 * M, NONE, NONE, NONE), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(so2, false, -20 * M - 1, NONE, NONE, NONE), RULE_NEGATIVE);
    assert_int_equal(rule_impossible_judge(so2, false, 300001 * M, NONE, NONE, NONE), RULE_TOO_HIGH);
    assert_int_equal(rule_impossible_judge(so2, false, 100 * M, 90 * M, 10 * M, 6 * M), RULE_ZS_BELOW);
    assert_int_equal(rule_impossible_judge(so2, false, 100 * M, 98 * M, 10 * M, 6 * M), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(so2, false, 100 * M, 90 * M, 6 * M, 6 * M), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(so2, false, 100 * M, 90 * M, NONE, 6 * M), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(so2, false, 100 * M, 90 * M, 10 * M, NONE), RULE_POSSIBLE);
    assert_int_equal(rule_impossible_judge(so2, false, M, 0, 10 * M, 6 * M),
                     RULE_POSSIBLE); /* near zero all is noise */
    assert_int_equal(rule_impossible_judge(NULL, false, -1000 * M, NONE, NONE, NONE), RULE_POSSIBLE);
    assert_string_equal(rule_impossible_name(RULE_ZS_BELOW), "zs_below_r");
    assert_string_equal(rule_impossible_name((enum rule_impossible)77), "");
}

static void marks_are_counted_by_month(void **state)
{
    struct rule_params p = plain();
    struct rule_flag f = {0};
    struct rule_flag_hour h = {.month = 202601, .month_hours = 744, .flagged = true, .any_flag = true};
    int i = 0;
    for (; i < 37; i++) { /* 5 % of 744 is 37.2 */
        assert_int_equal(rule_flag_step(&p, &f, &h), RULE_STAYS);
    }
    assert_int_equal(rule_flag_step(&p, &f, &h), RULE_ENTERS);
    assert_int_equal(rule_flag_step(&p, &f, &h), RULE_STAYS);
    assert_int_equal(f.starts, 1);
    h.month = 202602;
    assert_int_equal(rule_flag_step(&p, &f, &h), RULE_LEAVES);
    assert_int_equal(f.flagged, 1);
    assert_int_equal(f.starts, 0); /* the run began last month */
    for (i = 1; i < 38; i++) {
        rule_flag_step(&p, &f, &h);
    }
    assert_true(f.active);
    h.month = 202601; /* an hour of January, sent in February, ends nothing and wipes nothing out */
    assert_int_equal(rule_flag_step(&p, &f, &h), RULE_STAYS);
    assert_true(f.active && f.month == 202602 && f.flagged == 38);
}

static void marks_that_hide(void **state)
{
    struct rule_params p = plain();
    struct rule_flag f = {0};
    struct rule_flag_hour on = {.month = 202601, .month_hours = 744, .any_flag = true, .would_exceed = true};
    struct rule_flag_hour off = {.month = 202601, .month_hours = 744};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rule_flag_step(&p, &f, &on), RULE_STAYS);
        assert_int_equal(rule_flag_step(&p, &f, &off), RULE_STAYS);
    }
    assert_int_equal(rule_flag_step(&p, &f, &on), RULE_ENTERS); /* three of three */
    f = (struct rule_flag){.month = 202601, .starts = 9, .suspicious = 2};
    assert_int_equal(rule_flag_step(&p, &f, &on), RULE_STAYS); /* three of ten is 30 %, not more */
    f = (struct rule_flag){.month = 202601, .starts = 8, .suspicious = 2};
    assert_int_equal(rule_flag_step(&p, &f, &on), RULE_ENTERS);
}

static void intervals_and_silence(void **state)
{
    struct rule_params p = plain();
    struct rule_ring gaps = {0};
    assert_int_equal(rule_interval_s(30, 10, &gaps), 30);
    assert_int_equal(rule_interval_s(0, 10, &gaps), 600);
    assert_int_equal(rule_interval_s(0, 0, &gaps), 600);
    for (int i = 0; i < 4; i++) {
        rule_ring_add(&gaps, 59001);
    }
    assert_int_equal(rule_interval_s(0, 0, &gaps), 60);
    for (int i = 0; i < 8; i++) {
        rule_ring_add(&gaps, 10);
    }
    assert_int_equal(rule_interval_s(0, 0, &gaps), 30);
    rule_ring_add(&gaps, 100000000);
    assert_int_equal(rule_interval_s(0, 0, &gaps), 3900);
    assert_int_equal(rule_silence_at(&p, 1000, 30), 1000 + 2 * 30000 + 60000); /* two intervals and 60 s */
    p.enter = 3 * M;
    p.param1 = 10 * M;
    assert_int_equal(rule_silence_at(&p, 0, 60), 190000);
}

static void rings(void **state)
{
    struct rule_ring r = {0};
    assert_true(rule_ring_max(&r) == INT64_MIN && rule_ring_median(&r) == INT64_MIN);
    for (int i = 1; i <= 12; i++) {
        rule_ring_add(&r, i * i % 13);
    }
    assert_int_equal(r.n, RULE_RING); /* 25 36 49 64 81 100 121 144 mod 13: 12 10 10 12 3 9 4 1 */
    assert_int_equal(rule_ring_max(&r), 12);
    assert_int_equal(rule_ring_median(&r), 9);
}

static void clocks(void **state)
{
    struct rule_params p = plain();
    struct rule_ring r = {0};
    struct rule_hold h = {0};
    rule_ring_add(&r, 700000);
    rule_ring_add(&r, 700000);
    assert_true(rule_drift_ms(&r) == INT64_MIN);
    assert_int_equal(rule_drift_step(&p, &h, rule_drift_ms(&r), 1), RULE_STAYS);
    rule_ring_add(&r, 700000);
    assert_int_equal(rule_drift_ms(&r), 700000);
    assert_int_equal(rule_drift_step(&p, &h, 600000, 2), RULE_STAYS);
    assert_int_equal(rule_drift_step(&p, &h, 600001, 3), RULE_ENTERS);
    assert_int_equal(rule_drift_step(&p, &h, 300001, 4), RULE_STAYS);
    assert_int_equal(rule_drift_step(&p, &h, -300000, 5), RULE_LEAVES);
    for (int i = 0; i < 7; i++) {
        rule_ring_add(&r, -7200000); /* old frames sent again … */
    }
    rule_ring_add(&r, -500);
    assert_int_equal(rule_drift_ms(&r), -500); /* … by a clock that is right */
    p.leave = 900 * M;
    p.enter = 10 * M;
    h = (struct rule_hold){.active = true};
    assert_int_equal(rule_drift_step(&p, &h, 10000, 6), RULE_LEAVES);
}

static void two_connections(void **state)
{
    struct rule_params p = plain();
    struct rule_double d = {0};
    assert_int_equal(rule_double_step(&p, &d, 5, 1000), RULE_STAYS);
    assert_int_equal(rule_double_step(&p, &d, 5, 2000), RULE_STAYS);
    assert_int_equal(rule_double_step(&p, &d, 0, 2000), RULE_STAYS);
    assert_int_equal(rule_double_step(&p, &d, 6, 3000), RULE_STAYS); /* came back over a new one */
    assert_int_equal(rule_double_step(&p, &d, 6, 4000), RULE_STAYS);
    assert_int_equal(rule_double_step(&p, &d, 5, 3000 + 11 * MIN), RULE_STAYS); /* too long ago */
    assert_int_equal(rule_double_step(&p, &d, 6, 3001 + 11 * MIN), RULE_STAYS); /* 6 was left ten minutes ago, too */
    assert_int_equal(rule_double_step(&p, &d, 5, 3002 + 11 * MIN), RULE_ENTERS);
    assert_int_equal(rule_double_step(&p, &d, 6, 3002 + 11 * MIN), RULE_STAYS);
    assert_int_equal(d.swaps, 2);
    assert_int_equal(rule_double_time(&p, &d, 3002 + 41 * MIN), RULE_STAYS);
    assert_int_equal(rule_double_time(&p, &d, 3003 + 41 * MIN), RULE_LEAVES);
    assert_int_equal(rule_double_time(&p, &d, 3004 + 41 * MIN), RULE_STAYS);
}

static void being_late(void **state)
{
    struct rule_params p = plain();
    bool active = false;
    assert_int_equal(rule_behind_step(&p, &active, 60000), RULE_STAYS);
    assert_int_equal(rule_behind_step(&p, &active, 60001), RULE_ENTERS);
    assert_int_equal(rule_behind_step(&p, &active, 60001), RULE_STAYS);
    assert_int_equal(rule_behind_step(&p, &active, 10001), RULE_STAYS);
    assert_int_equal(rule_behind_step(&p, &active, 10000), RULE_LEAVES);
    p.leave = 100 * M;
    active = true;
    assert_int_equal(rule_behind_step(&p, &active, 60000), RULE_LEAVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_have_dates),
        cmocka_unit_test(hysteresis_needs_its_time_both_ways),
        cmocka_unit_test(limits_are_judged_on_their_basis),
        cmocka_unit_test(limits_have_two_levels_and_exemptions),
        cmocka_unit_test(run_limits_follow_the_channel),
        cmocka_unit_test(a_frozen_channel_is_found_and_does_not_teach),
        cmocka_unit_test(ranges_by_the_longest_code),
        cmocka_unit_test(impossible_values),
        cmocka_unit_test(marks_are_counted_by_month),
        cmocka_unit_test(marks_that_hide),
        cmocka_unit_test(intervals_and_silence),
        cmocka_unit_test(rings),
        cmocka_unit_test(clocks),
        cmocka_unit_test(two_connections),
        cmocka_unit_test(being_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
