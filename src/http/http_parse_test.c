/* Tests of request parsing: targets, routes, languages, codings, entity tags, cookies. */
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static char mem[HTTP_TARGET_MAX + 100];
static struct http_target t;

static enum lt_err parse(const char *z)
{
    return http_target_parse(lt_slice_of(z), mem, &t, NULL);
}

static void targets_are_decoded(void **state)
{
    assert_int_equal(parse("/api/v1/%E8%93%9D?q=a+b%26c&&name=%e5%a4%a9&empty=&bare&x=1=2"), LT_OK);
    assert_true(lt_slice_is(t.path, "/api/v1/蓝"));
    assert_int_equal(t.n_query, 5);
    assert_true(lt_slice_is(t.query[0].name, "q"));
    assert_true(lt_slice_is(t.query[0].value, "a b&c"));
    assert_true(lt_slice_is(t.query[1].value, "天"));
    assert_int_equal(t.query[2].value.n, 0);
    assert_true(lt_slice_is(t.query[3].name, "bare"));
    assert_true(lt_slice_is(t.query[4].value, "1=2"));
    assert_int_equal(parse("/a+b"), LT_OK);
    assert_true(lt_slice_is(t.path, "/a+b"));
    assert_int_equal(parse("/a?q=%2F"), LT_OK);
}

static void wrong_targets_are_refused(void **state)
{
    static const char *const wrong[] = {"",        "x",      "*",        "http://x/",    "/%",       "/%2",
                                        "/%zz",    "/%2F",   "/a%00b",   "/a%0d%0aX: y", "/\x01",    "/%ff",
                                        "/%c0%80", "/a?q=%", "/a?q=%0a", "/a?%80=1",     "/a?q=%7f", "/%ed%a0%80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(parse(wrong[i]), LT_E_BAD_INPUT);
    char many[400] = "/?";
    for (int i = 0; i < 65; i++)
        memcpy(many + 2 + i * 2, "a&", 3);
    assert_int_equal(parse(many), LT_E_LIMIT_SIZE);
    static char big[HTTP_TARGET_MAX + 2];
    memset(big, 'a', sizeof big - 1);
    big[0] = '/';
    assert_int_equal(parse(big), LT_E_BAD_INPUT);
}

static const struct http_route routes[] = {
    {.method = HTTP_GET, .pattern = "/api/v1/alarm/{id}"},
    {.method = HTTP_GET, .pattern = "/api/v1/alarm/board"},
    {.method = HTTP_GET, .pattern = "/api/v1/alarm/{id}/history"},
    {.method = HTTP_POST, .pattern = "/api/v1/alarm/{id}/{move}"},
    {.method = HTTP_POST, .pattern = "/api/v1/alarm/import"},
    {.method = HTTP_GET, .pattern = "/"},
};

static const char *match(enum http_method m, const char *path, struct lt_slice param[HTTP_PARAMS_MAX],
                         unsigned *allowed)
{
    const struct http_route *r =
        http_match(routes, sizeof routes / sizeof routes[0], m, lt_slice_of(path), param, allowed);
    return r ? r->pattern : "-";
}

static void the_most_special_route_wins(void **state)
{
    struct lt_slice p[HTTP_PARAMS_MAX];
    unsigned allowed;
    assert_string_equal(match(HTTP_GET, "/api/v1/alarm/board", p, &allowed), "/api/v1/alarm/board");
    assert_string_equal(match(HTTP_GET, "/api/v1/alarm/7", p, &allowed), "/api/v1/alarm/{id}");
    assert_true(lt_slice_is(p[0], "7"));
    assert_string_equal(match(HTTP_POST, "/api/v1/alarm/7/sign", p, &allowed), "/api/v1/alarm/{id}/{move}");
    assert_true(lt_slice_is(p[1], "sign"));
    assert_string_equal(match(HTTP_GET, "/api/v1/alarm/7/sign", p, &allowed), "-");
    assert_int_equal(allowed, 1u << HTTP_POST);
    assert_string_equal(match(HTTP_GET, "/api/v1/alarm/7/history", p, &allowed), "/api/v1/alarm/{id}/history");
    assert_int_equal(allowed, (1u << HTTP_GET) | (1u << HTTP_POST));
    static const char *const none[] = {
        "",   "/api/v1/alarm/", "/api/v1/alarm",         "/api/v1/alarm/7/", "/api/v1/alarm//x",
        "//", "/api",           "/api/v1/alarm/7/sign/x"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_string_equal(match(HTTP_GET, none[i], p, &allowed), "-");
        assert_int_equal(allowed, 0);
    }
    assert_string_equal(match(HTTP_GET, "/", p, &allowed), "/");
}

static void headers_are_understood(void **state)
{
    assert_int_equal(http_language(LT_LIT("")), LT_ZH);
    assert_int_equal(http_language(LT_LIT("en-US,en;q=0.9,zh-CN;q=0.8")), LT_EN);
    assert_int_equal(http_language(LT_LIT("zh-CN,zh;q=0.9,en;q=0.8")), LT_ZH);
    assert_int_equal(http_language(LT_LIT("fr, en;q=0.3, zh;q=0.31")), LT_ZH);
    assert_int_equal(http_language(LT_LIT("en;q=0")), LT_ZH);
    assert_int_equal(http_language(LT_LIT("de")), LT_ZH);
    assert_true(http_coding_accepted(LT_LIT("gzip, deflate, br"), "br"));
    assert_true(http_coding_accepted(LT_LIT("GZIP;q=0.5"), "gzip"));
    assert_false(http_coding_accepted(LT_LIT("gzip;q=0, br"), "gzip"));
    assert_false(http_coding_accepted(LT_LIT("gzip;q=0.000"), "gzip"));
    assert_false(http_coding_accepted(LT_LIT("xgzip"), "gzip"));
    assert_false(http_coding_accepted(LT_LIT(""), "gzip"));
    assert_true(http_etag_listed(LT_LIT("\"a\", W/\"b-g\""), "\"b-g\""));
    assert_true(http_etag_listed(LT_LIT("*"), "\"b\""));
    assert_false(http_etag_listed(LT_LIT("\"b\""), "\"b-g\""));
    assert_true(lt_slice_is(http_cookie_find(LT_LIT("a=1; lt_session=xyz; b=2"), "lt_session"), "xyz"));
    assert_true(lt_slice_is(http_cookie_find(LT_LIT("lt_session="), "lt_session"), ""));
    assert_null(http_cookie_find(LT_LIT("xlt_session=1; lt_sessionx=2"), "lt_session").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_decoded),
        cmocka_unit_test(wrong_targets_are_refused),
        cmocka_unit_test(the_most_special_route_wins),
        cmocka_unit_test(headers_are_understood),
    };
    return cmocka_run_group_tests_name("http_parse", tests, NULL, NULL);
}
