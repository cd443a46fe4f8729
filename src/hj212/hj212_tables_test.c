/* Tables: order, counts and spot checks against the standards' pages. */
#include "hj212_test.h"
#include "base/text.h"

static void factors_are_in_order_and_complete(void **state)
{
    size_t air = 0, old = 0;
    for (size_t i = 0; i < hj212_factor_count(); i++) {
        const struct hj212_factor *f = hj212_factor_at(i);
        if (i > 0 && strcmp(hj212_factor_at(i - 1)->code, f->code) >= 0)
            fail_msg("row \"%s\" must stand before \"%s\": rows are ordered by code", f->code,
                     hj212_factor_at(i - 1)->code);
        if (!lt_text_is_utf8(lt_slice_of(f->name_zh)) || !f->name_zh[0] || !f->name_en[0] || f->decimals > 6)
            fail_msg("row \"%s\" lacks a name, or has more than 6 decimals", f->code);
        if (!strstr(f->code, "xx"))
            assert_ptr_equal(hj212_factor_find(lt_slice_of(f->code)), f);
        if (f->code2005[0]) {
            const struct hj212_factor *first = hj212_factor_find(lt_slice_of(f->code2005));
            if (first != f)
                fail_msg("\"%s\" has the 2005 code \"%s\" of \"%s\"", f->code, f->code2005, first->code);
            old++;
        }
        air += f->code[0] == 'a';
    }
    /* Table B.2 as printed, and ozone of HJ 524; 62 codes of 2005. A row from elsewhere raises these, with its source
     * in the head of hj212_factors.inc. */
    assert_int_equal(air, 121 + 1);
    assert_int_equal(old, 62);
    assert_null(hj212_factor_at(hj212_factor_count()));
}

static void single_factors(void **state)
{
    const struct hj212_factor *f = hj212_factor_find(LT_LIT("a21026"));
    assert_string_equal(f->name_zh, "二氧化硫");
    assert_string_equal(f->unit, "mg/m³");
    assert_true(f->whole == 5 && f->decimals == 2);
    assert_ptr_equal(hj212_factor_find(LT_LIT("02")), f);
    assert_string_equal(hj212_factor_find(LT_LIT("a25044"))->name_zh, "苯并[a]芘");
    assert_string_equal(hj212_factor_find(LT_LIT("S01"))->code, "a19001");
    assert_string_equal(hj212_factor_find(LT_LIT("B01"))->code, "w00000");
    assert_string_equal(hj212_factor_find(LT_LIT("Leq"))->unit, "dB");
    assert_string_equal(hj212_factor_find(LT_LIT("g10203"))->code, "g102xx");
    assert_string_equal(hj212_factor_find(LT_LIT("g10203"))->name_zh, "增压风机电流");
    assert_string_equal(hj212_factor_find(LT_LIT("i33317"))->unit, "°C");
    static const char *const unknown[] = {"", "a99999", "g102x3", "g99901", "a2102", "a210266", "zz", "038"};
    for (int i = 0; i < 8; i++)
        assert_null(hj212_factor_find(lt_slice_of(unknown[i])));
}

static void codes_of_2005(void **state)
{
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("01"), 31), "a34013"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("S08"), 51), "a01013"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("011"), 32), "w01018"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("01"), 32), "01")); /* an air code in a water frame */
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("011"), 31), "011"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("01"), 91), "01"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("a34013"), 31), "a34013"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("110"), 52), "w23002"));
    assert_true(lt_slice_is(hj212_factor_2017(LT_LIT("99"), 31), "99"));
}

static void commands(void **state)
{
    for (size_t i = 0; i < hj212_command_count(); i++) {
        const struct hj212_command *c = hj212_command_at(i);
        assert_true(i == 0 || hj212_command_at(i - 1)->cn < c->cn);
        assert_true((c->down || c->up) && c->name_zh[0] && c->name_en[0]);
        assert_ptr_equal(hj212_command_find(c->cn), c);
    }
    assert_int_equal(hj212_command_count(), 53);
    const struct hj212_command *c = hj212_command_find(2011);
    assert_true(c->down == HJ212_FLOW_REQUEST && c->up == HJ212_FLOW_UPLOAD && c->editions == 7);
    assert_int_equal(hj212_command_find(9015)->editions, 1 << HJ212_2025);
    assert_int_equal(hj212_command_find(2012)->down, HJ212_FLOW_NOTICE);
    assert_null(hj212_command_find(2999));
}

static void names(void **state)
{
    assert_string_equal(hj212_system_name(31, false), "大气环境污染源");
    assert_string_equal(hj212_system_name(91, true), "System interaction");
    assert_null(hj212_system_name(30, true));
    assert_string_equal(hj212_mark_name('D', false), "故障");
    assert_string_equal(hj212_mark_name('N', true), "normal");
    assert_null(hj212_mark_name('Z', true));
    assert_string_equal(hj212_result_name(9011, 9, true), "wrong CRC");
    assert_string_equal(hj212_result_name(9012, 100, false), "没有数据");
    assert_null(hj212_result_name(9012, 7, true));
    assert_null(hj212_result_name(9013, 1, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_in_order_and_complete),
        cmocka_unit_test(single_factors),
        cmocka_unit_test(codes_of_2005),
        cmocka_unit_test(commands),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("hj212_tables", tests, NULL, NULL);
}
