/* Tests of the base layer: texts, fixed decimals, civil time, errors, buffers. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fix.h"
#include "base/rand.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void text_is_cut_on_a_character(void **state)
{
    char out[6];
    assert_int_equal(lt_text_copy(out, sizeof out, "蓝天"), 3);
    assert_string_equal(out, "蓝");
    assert_true(lt_text_is_utf8(LT_LIT("蓝天 ok")));
    assert_false(lt_text_is_utf8(LT_LIT("\xC0\x80")));
    assert_false(lt_text_is_utf8(LT_LIT("\xED\xA0\x80")));
    assert_false(lt_text_is_utf8(LT_LIT("\xE8\x93")));
    assert_int_equal(lt_text_chars(LT_LIT("蓝天a")), 3);
}

static void numbers_are_strict(void **state)
{
    int64_t v = 7;
    assert_true(lt_text_to_i64(LT_LIT("-9223372036854775808"), &v));
    assert_true(v == INT64_MIN);
    assert_false(lt_text_to_i64(LT_LIT("9223372036854775808"), &v));
    assert_false(lt_text_to_i64(LT_LIT(""), &v));
    assert_false(lt_text_to_i64(LT_LIT("+1"), &v));
    assert_false(lt_text_to_i64(LT_LIT("1 "), &v));
    assert_false(lt_text_to_i64(LT_LIT("-"), &v));
}

static void fixed_decimals_round_half_to_even(void **state)
{
    char s[32];
    int64_t v;
    assert_true(lt_fix_parse(LT_LIT("-130.7116"), &v));
    assert_int_equal(v, -130711600);
    assert_true(lt_fix_parse(LT_LIT(".5"), &v));
    assert_int_equal(v, 500000);
    assert_false(lt_fix_parse(LT_LIT("1.2.3"), &v));
    assert_false(lt_fix_parse(LT_LIT("."), &v));
    assert_false(lt_fix_parse(LT_LIT("99999999999999999999"), &v));
    /* GB/T 8170-2008 3.2: 2.5 -> 2, 3.5 -> 4, 0.25 -> 0.2, -2.5 -> -2 */
    lt_fix_format(2500000, 0, s);
    assert_string_equal(s, "2");
    lt_fix_format(3500000, 0, s);
    assert_string_equal(s, "4");
    lt_fix_format(250000, 1, s);
    assert_string_equal(s, "0.2");
    lt_fix_format(-2500000, 0, s);
    assert_string_equal(s, "-2");
    lt_fix_format_short(12350000, s);
    assert_string_equal(s, "12.35");
    lt_fix_format_short(-500000, s);
    assert_string_equal(s, "-0.5");
    lt_fix_format_short(0, s);
    assert_string_equal(s, "0");
    lt_fix_format_short(100 * LT_FIX_ONE, s);
    assert_string_equal(s, "100");
    assert_true(lt_fix_mul(1500000, 1500000, &v));
    assert_int_equal(v, 2250000);
    assert_false(lt_fix_mul(INT64_MAX, INT64_MAX, &v));
    assert_true(lt_fix_div(1000000, 3000000, &v));
    assert_int_equal(v, 333333);
    assert_false(lt_fix_div(1, 0, &v));
    assert_false(lt_fix_div(INT64_MAX, 1, &v));
}

static void random_decimals_round_trip(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 1);
    for (int i = 0; i < 20000; i++) {
        int64_t v = (int64_t)(lt_rand_u64(&r) >> lt_rand_below(&r, 60)), back;
        if (i & 1)
            v = -v;
        if (v == LT_FIX_NONE)
            continue;
        char s[32];
        size_t n = lt_fix_format_short(v, s);
        assert_true(lt_fix_parse((struct lt_slice){s, n}, &back));
        assert_true(back == v);
    }
}

static void civil_time_round_trips(void **state)
{
    int64_t at, back;
    assert_true(lt_time_parse_compact(LT_LIT("20240229235959"), LT_TZ_CHINA, &at));
    assert_false(lt_time_parse_compact(LT_LIT("20260231080000"), LT_TZ_CHINA, &at));
    assert_false(lt_time_parse_compact(LT_LIT("20260301240000"), LT_TZ_CHINA, &at));
    assert_false(lt_time_parse_compact(LT_LIT("202603010800"), LT_TZ_CHINA, &at));
    assert_true(lt_time_parse_iso(LT_LIT("2026-03-01T08:00:00+08:00"), 0, &at));
    assert_true(lt_time_parse_iso(LT_LIT("2026-03-01 00:00Z"), LT_TZ_CHINA, &back));
    assert_true(at == back);
    char z[40];
    lt_time_format_iso(at, LT_TZ_CHINA, z);
    assert_string_equal(z, "2026-03-01T08:00:00+08:00");
    assert_int_equal(lt_day_number(at - 1 - 8 * LT_HOUR_MS, LT_TZ_CHINA), 20260228);
    for (int64_t t = -5 * LT_DAY_MS; t < 60000 * LT_DAY_MS; t += 86399 * INT64_C(3331)) {
        struct lt_civil c = lt_civil_of(t, LT_TZ_CHINA);
        if (t >= 0) {
            assert_true(lt_civil_to_ms(&c, LT_TZ_CHINA, &back));
            assert_true(back == t);
        }
        assert_true(lt_hour_start(t, LT_TZ_CHINA) <= t && t - lt_hour_start(t, LT_TZ_CHINA) < LT_HOUR_MS);
    }
}

static void errors_speak_both_languages(void **state)
{
    struct lt_error e;
    char s[256];
    assert_int_equal(lt_fail(&e, LT_E_FIELD_RANGE, "o2_ref", "o2_ref", "0", "21"), LT_E_FIELD_RANGE);
    lt_error_text(&e, LT_EN, s, sizeof s);
    assert_string_equal(s, "o2_ref must be between 0 and 21");
    lt_error_text(&e, LT_ZH, s, sizeof s);
    assert_string_equal(s, "o2_ref 应在 0 与 21 之间");
    assert_int_equal(lt_err_http(e.code), 422);
    assert_string_equal(lt_err_name(e.code), "FIELD_RANGE");
    /* a phrase as argument has two halves; a value with the same signs stays whole */
    lt_fail(&e, LT_E_DENIED, "role", "grant more than you have / 授予超出自身的权限", NULL, NULL);
    lt_error_text(&e, LT_EN, s, sizeof s);
    assert_string_equal(s, "your role may not grant more than you have");
    lt_error_text(&e, LT_ZH, s, sizeof s);
    assert_string_equal(s, "您的角色无权授予超出自身的权限");
    lt_fail(&e, LT_E_BAD_INPUT, NULL, "一厂 / 二厂", NULL, NULL);
    lt_error_text(&e, LT_EN, s, sizeof s);
    assert_string_equal(s, "一厂 / 二厂");
    lt_fail(&e, LT_E_BAD_INPUT, NULL, "a / b / 中", NULL, NULL);
    lt_error_text(&e, LT_ZH, s, sizeof s);
    assert_string_equal(s, "a / b / 中");
    assert_int_equal(lt_fail_size(&e, "file / 文件", 64u << 20), LT_E_TOO_LARGE);
    lt_error_text(&e, LT_ZH, s, sizeof s);
    assert_string_equal(s, "文件 超过 64 MB");
    assert_int_equal(lt_err_http(LT_E_LIMIT), 429);
    assert_int_equal(lt_err_http(LT_E_LIMIT_SIZE), 422);
    for (int code = LT_OK + 1; code < LT_E_COUNT; code++) { /* whoever meets an error is told what to do */
        lt_fail(&e, (enum lt_err)code, NULL, NULL, NULL, NULL);
        assert_true(lt_error_hint(&e, LT_EN, s, sizeof s) > 0 && lt_error_hint(&e, LT_ZH, s, sizeof s) > 0);
    }
}

static void an_array_grows_and_keeps_what_it_holds(void **state)
{
    uint32_t *p = NULL;
    size_t cap = 0;
    for (size_t n = 0; n < 1000; n++) {
        assert_true(lt_grow(&p, n, &cap, sizeof *p) && cap > n);
        p[n] = (uint32_t)n;
    }
    for (size_t n = 0; n < 1000; n++) {
        assert_int_equal(p[n], n);
    }
    size_t full = SIZE_MAX / 8; /* twice as many do not fit an address space: nothing is changed */
    const uint32_t *before = p;
    assert_false(lt_grow(&p, full, &full, sizeof *p));
    assert_true(p == before && full == SIZE_MAX / 8);
    free(p);
}

static void a_buffer_stops_at_its_limit(void **state)
{
    struct lt_buf b = LT_BUF_INIT(8);
    lt_buf_adds(&b, "1234567");
    assert_false(b.failed);
    lt_buf_adds(&b, "89");
    assert_true(b.failed);
    assert_int_equal(b.n, 7);
    lt_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_on_a_character),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(fixed_decimals_round_half_to_even),
        cmocka_unit_test(random_decimals_round_trip),
        cmocka_unit_test(civil_time_round_trips),
        cmocka_unit_test(errors_speak_both_languages),
        cmocka_unit_test(an_array_grows_and_keeps_what_it_holds),
        cmocka_unit_test(a_buffer_stops_at_its_limit),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
