/* Building: what is built parses back; answers as the editions print them; splitting; sub-packet sets. */
#include "hj212_test.h"

static struct hj212_frame parsed(const char *p, size_t n)
{
    struct hj212_frame f;
    struct hj212_cut c = hj212_cut(p, n, false, 0);
    assert_true(c.kind == HJ212_CUT_FRAME && c.used == n);
    assert_int_equal(hj212_parse(c.raw, HJ212_TOL(LONG_ST), &f), HJ212_E_OK);
    return f;
}

static void the_example_of_appendix_a(void **state)
{
    const struct hj212_head h = {.qn = LT_LIT("20160801085857223"),
                                 .st = 32,
                                 .cn = 1062,
                                 .pw = LT_LIT("100000"),
                                 .mn = LT_LIT("010000A8900016F000169DC0"),
                                 .edition = HJ212_2017,
                                 .answer = true};
    char out[200];
    size_t n = hj212_build(&h, LT_LIT("RtdInterval=30"), out, sizeof out);
    assert_true(lt_slice_is((struct lt_slice){out, n},
                            "##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;"
                            "MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80\r\n"));
    assert_int_equal(hj212_build(&h, LT_LIT("RtdInterval=30"), out, n), n);
    assert_int_equal(hj212_build(&h, LT_LIT("RtdInterval=30"), out, n - 1), 0);
    assert_int_equal(hj212_build(&h, LT_LIT("RtdInterval=30"), out, 3), 0);
}

static void built_frames_parse_back(void **state)
{
    static const uint16_t sts[] = {21, 31, 91, 101, HJ212_ST_LETTER, HJ212_ST_LETTER + 259};
    struct lt_rand r;
    lt_rand_init(&r, 9);
    for (int i = 0; i < 3000; i++) {
        char area[900], mn[HJ212_MN_MAX], out[HJ212_FRAME_MAX];
        struct hj212_head h = {.qn = LT_LIT("20260301080005002"), .pw = LT_LIT("123456")};
        size_t n = lt_rand_below(&r, sizeof area);
        for (size_t k = 0; k < n; k++)
            area[k] = (char)(' ' + lt_rand_below(&r, 95));
        for (size_t k = 0; k < sizeof mn; k++)
            mn[k] = "0123456789ABCDEFxyz_-"[lt_rand_below(&r, 21)];
        h.mn = (struct lt_slice){mn, 1 + lt_rand_below(&r, sizeof mn)};
        h.st = sts[lt_rand_below(&r, 6)];
        h.cn = (uint16_t)lt_rand_below(&r, 10000);
        h.edition = (enum hj212_edition)lt_rand_below(&r, 3);
        h.answer = lt_rand_below(&r, 2);
        h.resent = lt_rand_below(&r, 2);
        h.no_flag = h.edition == HJ212_2005 && lt_rand_below(&r, 2);
        if (lt_rand_below(&r, 2)) {
            h.pnum = (uint16_t)(1 + lt_rand_below(&r, HJ212_PNUM_MAX));
            h.pno = (uint16_t)(1 + lt_rand_below(&r, h.pnum));
        }
        size_t len = hj212_build(&h, (struct lt_slice){area, n}, out, sizeof out);
        if (len > HJ212_SEGMENT_STD + 12)
            continue;
        struct hj212_frame f = parsed(out, len);
        assert_true(lt_slice_eq(f.qn, h.qn) && lt_slice_eq(f.mn, h.mn) && lt_slice_eq(f.pw, h.pw) && f.cp.n == n &&
                    memcmp(f.cp.p, area, n) == 0);
        assert_true(f.st == h.st && f.cn == h.cn && f.pnum == h.pnum && f.pno == h.pno && f.resent == h.resent);
        assert_true(f.has_flag == !h.no_flag && (h.no_flag || (f.answer == h.answer && f.edition == h.edition)));
    }
}

static void header_texts_cannot_break_out(void **state)
{
    static const char *const bad[] = {"1;CN=9999", "1\r\n", "a,b", "a=b", " ", "\x7F"};
    char out[400];
    for (int i = 0; i < 6; i++) {
        struct hj212_head h = {.st = 31, .cn = 2011, .mn = lt_slice_of(bad[i])};
        assert_int_equal(hj212_build(&h, LT_LIT("a=1"), out, sizeof out), 0);
        h.mn = LT_LIT("1");
        h.pw = lt_slice_of(bad[i]);
        assert_int_equal(hj212_build(&h, LT_LIT("a=1"), out, sizeof out), 0);
    }
}

static void segment_limit(void **state)
{
    static char area[HJ212_SEGMENT_MAX], out[HJ212_FRAME_MAX];
    const struct hj212_head h = {.st = 31, .cn = 2011, .mn = LT_LIT("1"), .no_flag = true};
    const size_t around = strlen("ST=31;CN=2011;PW=;MN=1;CP=&&&&");
    memset(area, 'x', sizeof area);
    assert_int_equal(hj212_build(&h, (struct lt_slice){area, sizeof area - around}, out, sizeof out), HJ212_FRAME_MAX);
    assert_int_equal(hj212_build(&h, (struct lt_slice){area, sizeof area - around + 1}, out, sizeof out), 0);
}

static const struct {
    const char *question; /* segment */
    uint16_t cn;
    int code;
    const char *answer; /* segment */
} answers[] = {
    {"QN=20160801085000001;ST=32;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&a=1&&", 9014, 0,
     "QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"},
    {"QN=20160801085857223;ST=32;CN=1000;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&OverTime=5;ReCount=3&&",
     9012, 1, "QN=20160801085857223;ST=91;CN=9012;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&ExeRtn=1&&"},
    {"QN=20101110010101001;ST=32;CN=3020;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&PolId=w01018&&", 9011, 1,
     "QN=20101110010101001;ST=91;CN=9011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&QnRtn=1&&"},
    {"QN=20260301080000001;ST=91;CN=9015;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&", 9013, 0,
     "QN=20260301080000001;ST=91;CN=9013;PW=123456;MN=010000A8900016F000169DC0;Flag=8;CP=&&&&"},
    /* 2005: QN inside the area, as printed in its Appendix C */
    {"QN=20040516010101001;ST=32;CN=1000;PW=123456;MN=88888880000001;Flag=3;CP=&&OverTime=5&&", 9011, 1,
     "ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&"},
    {"QN=20040516010101001;ST=32;CN=1000;PW=123456;MN=88888880000001;Flag=3;CP=&&OverTime=5&&", 9012, 1,
     "ST=91;CN=9012;PW=123456;MN=88888880000001;CP=&&QN=20040516010101001;ExeRtn=1&&"},
    {"ST=32;CN=2072;QN=20040516010101001;PW=123456;MN=88888880000001;Flag=0;CP=&&a=1&&", 9013, 0,
     "ST=91;CN=9013;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001&&"},
    {"ST=32;CN=2051;QN=20040516010101001;PW=123456;MN=88888880000001;PNO=1;PNUM=1;CP=&&a=1&&", 9014, 0,
     "ST=91;CN=9014;PW=123456;MN=88888880000001;CP=&&QN=20040516010101001;CN=2051;PNO=1;PNUM=1&&"},
    {"ST=32;CN=2011;PW=123456;MN=88888880000001;CP=&&a=1&&", 9014, 0,
     "ST=91;CN=9014;PW=123456;MN=88888880000001;CP=&&CN=2011&&"},
};

static void answers_in_the_edition_of_the_question(void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char out[300];
        struct hj212_frame q;
        assert_int_equal(hj212_parse(test_frame(answers[i].question), 0, &q), HJ212_E_OK);
        size_t n = hj212_build_answer(&q, answers[i].cn, answers[i].code, out, sizeof out);
        struct hj212_frame a = parsed(out, n);
        if (!lt_slice_is(a.segment, answers[i].answer))
            fail_msg("%.*s", (int)a.segment.n, a.segment.p);
        assert_int_equal(hj212_build_answer(&q, 2011, 0, out, sizeof out), 0);
        assert_int_equal(hj212_build_answer(&q, 9011, -1, out, sizeof out), 0);
    }
}

static void split_at_groups(void **state)
{
    struct lt_slice parts[4], a = LT_LIT("aa=1,ab=2;b=3;i-Info=//x;y;z//;d=4");
    assert_int_equal(hj212_split(a, 100, parts, 4), 1);
    assert_true(lt_slice_eq(parts[0], a));
    assert_int_equal(hj212_split(a, 16, parts, 4), 3);
    assert_true(lt_slice_is(parts[0], "aa=1,ab=2;b=3") && lt_slice_is(parts[1], "i-Info=//x;y;z//") &&
                lt_slice_is(parts[2], "d=4"));
    assert_int_equal(hj212_split(a, 16, parts, 2), 0);
    assert_int_equal(hj212_split(a, 15, parts, 4), 0); /* the log alone has 16 */
    assert_int_equal(hj212_split(LT_LIT(""), 10, parts, 4), 1);
    assert_int_equal(parts[0].n, 0);
    struct lt_rand r;
    lt_rand_init(&r, 3);
    for (int i = 0; i < 2000; i++) { /* joined by ';' the packets are the area again */
        char text[300], back[300];
        struct lt_slice p[100];
        size_t n = lt_rand_below(&r, 300), most = 30 + lt_rand_below(&r, 100), m = 0;
        for (size_t k = 0; k < n; k++)
            text[k] = "ab=1,;;2"[lt_rand_below(&r, 8)];
        size_t count = hj212_split((struct lt_slice){text, n}, most, p, 100);
        for (size_t k = 0; k < count; k++) {
            assert_true(p[k].n <= most);
            if (k)
                back[m++] = ';';
            memcpy(back + m, p[k].p, p[k].n);
            m += p[k].n;
        }
        assert_true(count == 0 || (m == n && memcmp(back, text, n) == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_appendix_a),
        cmocka_unit_test(built_frames_parse_back),
        cmocka_unit_test(header_texts_cannot_break_out),
        cmocka_unit_test(segment_limit),
        cmocka_unit_test(answers_in_the_edition_of_the_question),
        cmocka_unit_test(split_at_groups),
    };
    return cmocka_run_group_tests_name("hj212_build", tests, NULL, NULL);
}
