/* Tests of the JSON writer and reader. */
#include "json/json.h"

#include "base/clock.h"
#include "base/fix.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void writes_compact_json(void **state)
{
    struct lt_buf b = LT_BUF_INIT(4096);
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kstr(&w, "名", "蓝\"天\\\n\x01\x7f/");
    jsonw_key(&w, "list");
    jsonw_array(&w);
    jsonw_i64(&w, INT64_MIN);
    jsonw_u64(&w, UINT64_MAX);
    jsonw_fix(&w, 12350000);
    jsonw_fix(&w, -500000);
    jsonw_fix(&w, LT_FIX_NONE);
    jsonw_bool(&w, true);
    jsonw_null(&w);
    jsonw_object(&w);
    jsonw_object_end(&w);
    jsonw_array(&w);
    jsonw_array_end(&w);
    jsonw_array_end(&w);
    jsonw_ktime(&w, "at", 0, LT_TZ_CHINA);
    jsonw_ktime(&w, "t", INT64_C(1764000000000), LT_TZ_CHINA);
    jsonw_object_end(&w);
    assert_true(jsonw_ok(&w));
    lt_buf_addc(&b, '\0');
    assert_string_equal(b.p, "{\"名\":\"蓝\\\"天\\\\\\n\\u0001\\u007f/\",\"list\":[-9223372036854775808,"
                             "18446744073709551615,12.35,-0.5,null,true,null,{},[]],\"at\":null,"
                             "\"t\":\"2025-11-25T00:00:00+08:00\"}");
    lt_buf_fini(&b);
}

static void repairs_bytes_that_are_no_utf8(void **state)
{
    static const struct {
        struct lt_slice in;
        const char *out;
    } cases[] = {
        {{"a\xff"
          "b",
          3},
         "\"a\xEF\xBF\xBD"
         "b\""},
        {{"\xC0\x80", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* overlong NUL */
        {{"\xED\xA0\x80", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* surrogate */
        {{"\xE8\x93", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* cut off */
        {{"\0", 1}, "\"\\u0000\""},
        {{"\xF0\x9F\x98\x80", 4}, "\"\xF0\x9F\x98\x80\""},
        {{"", 0}, "\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lt_buf b = LT_BUF_INIT(256);
        struct jsonw w;
        jsonw_init(&w, &b);
        jsonw_slice(&w, cases[i].in);
        assert_true(jsonw_ok(&w));
        lt_buf_addc(&b, '\0');
        assert_string_equal(b.p, cases[i].out);
        lt_buf_fini(&b);
    }
}

static void overflow_is_seen_at_the_end(void **state)
{
    struct lt_buf b = LT_BUF_INIT(8);
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_array(&w);
    jsonw_str(&w, "too long for it");
    jsonw_array_end(&w);
    assert_false(jsonw_ok(&w));
    lt_buf_fini(&b);
}

/* True when f ends its process by an abort. */
static bool aborts(void (*f)(struct jsonw *))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct lt_buf b = LT_BUF_INIT(4096);
        struct jsonw w;
        struct sigaction plain = {.sa_handler = SIG_DFL};
        sigaction(SIGABRT, &plain, NULL);
        fclose(stderr);
        jsonw_init(&w, &b);
        f(&w);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void value_without_key(struct jsonw *w)
{
    jsonw_object(w);
    jsonw_i64(w, 1);
}

static void key_in_array(struct jsonw *w)
{
    jsonw_array(w);
    jsonw_key(w, "a");
}

static void wrong_end(struct jsonw *w)
{
    jsonw_array(w);
    jsonw_object_end(w);
}

static void key_without_value(struct jsonw *w)
{
    jsonw_object(w);
    jsonw_key(w, "a");
    jsonw_object_end(w);
}

static void two_values(struct jsonw *w)
{
    jsonw_i64(w, 1);
    jsonw_i64(w, 2);
}

static void too_deep_write(struct jsonw *w)
{
    for (int i = 0; i <= JSONW_DEPTH_MAX; i++)
        jsonw_array(w);
}

static void nothing_wrong(struct jsonw *w)
{
    jsonw_i64(w, 1);
}

static void misuse_is_asserted(void **state)
{
    assert_true(aborts(value_without_key));
    assert_true(aborts(key_in_array));
    assert_true(aborts(wrong_end));
    assert_true(aborts(key_without_value));
    assert_true(aborts(two_values));
    assert_true(aborts(too_deep_write));
    assert_false(aborts(nothing_wrong));
}

static enum lt_err parse(const char *z, struct lt_error *err)
{
    json_t *v = NULL;
    enum lt_err e = jsonr_parse(lt_slice_of(z), 1000, &v, err);
    json_decref(v);
    return e;
}

static void reading_is_strict(void **state)
{
    static const char *const wrong[] = {
        "",
        " ",
        "1",
        "\"a\"",
        "{",
        "{\"a\":1,\"a\":2}",
        "[1]x",
        "[1,]",
        "{'a':1}",
        "[\"\xff\"]",
        "[01]",
        "[nan]",
        "[\"\\ud800\"]",
        "[1e999]",
        "[99999999999999999999]",
        "// c\n[1]",
        "[\"\\u0000\"]",
        "{\"a\\u0000b\":1}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    struct lt_error err;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(parse(wrong[i], &err), LT_E_BAD_JSON);
    assert_int_equal(parse("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", &err), LT_OK);
    assert_int_equal(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[\"]", &err), LT_OK);
    assert_int_equal(parse("{\n  \"a\": tru\n}", &err), LT_E_BAD_JSON);
    assert_string_equal(err.arg[0], "2");
    json_t *v;
    char big[1100];
    memset(big, ' ', sizeof big);
    assert_int_equal(jsonr_parse((struct lt_slice){big, sizeof big}, 1000, &v, &err), LT_E_TOO_LARGE);
    assert_int_equal(jsonr_object(LT_LIT("[1]"), 1000, &v, &err), LT_E_BAD_JSON);
}

static void decimals_stay_exact(void **state)
{
    static const struct {
        const char *json;
        bool ok;
        int64_t value;
    } cases[] = {
        {"[12.35]", true, 12350000},
        {"[0.1]", true, 100000},
        {"[-0.000001]", true, -1},
        {"[3]", true, 3000000},
        {"[1e3]", true, 1000000000},
        {"[2.5e-6]", true, 2}, /* half to even */
        {"[1e-30]", true, 0},
        {"[0.0]", true, 0},
        {"[123456789.123456]", true, 123456789123456},
        {"[1e13]", false, 0},
        {"[1234567890.1234567]", false, 0}, /* 17 digits: as a string, please */
        {"[\"1234567890.1234567\"]", true, 1234567890123457},
        {"[\"x\"]", false, 0},
        {"[true]", false, 0},
        {"[1e25]", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *v = NULL;
        int64_t got = 77;
        assert_int_equal(jsonr_parse(lt_slice_of(cases[i].json), 1000, &v, NULL), LT_OK);
        assert_int_equal(jsonr_to_fix(json_array_get(v, 0), &got), cases[i].ok);
        assert_true(got == (cases[i].ok ? cases[i].value : 77));
        json_decref(v);
    }
}

static void getters_name_the_field(void **state)
{
    json_t *o = NULL;
    struct lt_error err;
    struct lt_slice s = {0};
    int64_t n = 5;
    bool f = false;
    assert_int_equal(jsonr_object(LT_LIT("{\"name\":\"蓝天\",\"n\":7,\"f\":true,\"nil\":null,\"at\":\"2026-11-25\","
                                         "\"empty\":\"\"}"),
                                  1000, &o, &err),
                     LT_OK);
    assert_int_equal(jsonr_str(o, "name", true, 2, &s, &err), LT_OK);
    assert_int_equal(s.n, 6);
    assert_int_equal(jsonr_str(o, "name", true, 1, &s, &err), LT_E_FIELD_LENGTH);
    assert_string_equal(err.field, "name");
    assert_int_equal(jsonr_str(o, "n", true, 9, &s, &err), LT_E_FIELD_TYPE);
    assert_int_equal(jsonr_str(o, "nil", true, 9, &s, &err), LT_E_FIELD_REQUIRED);
    assert_int_equal(jsonr_str(o, "empty", true, 9, &s, &err), LT_E_FIELD_REQUIRED);
    assert_int_equal(jsonr_i64(o, "absent", false, 0, 1, &n, &err), LT_OK);
    assert_int_equal(n, 5);
    assert_int_equal(jsonr_i64(o, "n", true, 0, 6, &n, &err), LT_E_FIELD_RANGE);
    assert_int_equal(jsonr_i64(o, "n", true, 0, 7, &n, &err), LT_OK);
    assert_int_equal(n, 7);
    assert_int_equal(jsonr_bool(o, "f", true, &f, &err), LT_OK);
    assert_true(f);
    assert_int_equal(jsonr_time(o, "at", true, LT_TZ_CHINA, &n, &err), LT_OK);
    assert_int_equal(lt_day_number(n, LT_TZ_CHINA), 20261125);
    assert_int_equal(jsonr_time(o, "name", true, LT_TZ_CHINA, &n, &err), LT_E_FIELD_FORMAT);
    static const char *const names[] = {"name", "n", "f", "nil", "at", "empty", NULL}, *const fewer[] = {"name", NULL};
    assert_int_equal(jsonr_only(o, names, &err), LT_OK);
    assert_int_equal(jsonr_only(o, fewer, &err), LT_E_FIELD_UNKNOWN);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_compact_json),         cmocka_unit_test(repairs_bytes_that_are_no_utf8),
        cmocka_unit_test(overflow_is_seen_at_the_end), cmocka_unit_test(misuse_is_asserted),
        cmocka_unit_test(reading_is_strict),           cmocka_unit_test(decimals_stay_exact),
        cmocka_unit_test(getters_name_the_field),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
