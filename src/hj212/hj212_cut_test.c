/* Cutting: the two files of frames with their expected meaning, any splitting of the stream, wrong lengths, tails. */
#include "hj212_test.h"
#include "base/buf.h"

static const char *const kinds[] = {"text", "number", "time", "empty"};
static const char *const editions[] = {"2005", "2017", "2025"};

static void add_slice(struct lt_buf *b, struct lt_slice s)
{
    lt_buf_addc(b, '\t');
    lt_buf_add(b, s.n ? s.p : "-", s.n ? s.n : 1);
}

static void describe_item(struct lt_buf *b, struct lt_slice area, const struct hj212_item *it)
{
    lt_buf_addf(b, "I\t%u\t%.*s\t%s\t%s\t%lld\t%u\t%.*s\n", it->group, it->name_len, area.p + it->name_at,
                hj212_field_name((enum hj212_field)it->field), kinds[it->kind],
                it->kind == HJ212_V_NUMBER || it->kind == HJ212_V_TIME ? (long long)it->number : 0, it->decimals,
                it->value_len, area.p + it->value_at);
}

/* The same lines as make_expected.py writes. */
static void describe(struct lt_buf *b, const struct hj212_frame *f)
{
    static struct hj212_item items[HJ212_ITEMS_MAX];
    size_t n = 0;
    lt_buf_addf(b, "F\t%s", editions[f->edition]);
    add_slice(b, f->qn);
    lt_buf_addf(b, f->st ? "\t%u" : "\t-", f->st);
    lt_buf_addf(b, f->cn ? "\t%u" : "\t-", f->cn);
    add_slice(b, f->pw);
    add_slice(b, f->mn);
    lt_buf_addf(b, f->has_flag ? "\t%u" : "\t-", f->flag);
    lt_buf_addf(b, f->pnum ? "\t%u\t%u" : "\t-\t-", f->pnum, f->pno);
    lt_buf_addf(b, "\t%s\t%04X\n", f->resent ? "1" : "-", f->crc);
    assert_int_equal(hj212_items(f->cp, LONG_DEFAULT, items, HJ212_ITEMS_MAX, &n, NULL, NULL), HJ212_E_OK);
    for (size_t i = 0; i < n; i++)
        describe_item(b, f->cp, &items[i]);
}

static void valid_frames_mean_what_they_should(void **state)
{
    struct lt_slice file = test_file("hj212-valid.txt"), want = test_file("hj212-valid.expected.tsv");
    struct lt_slice rest = file, line;
    struct lt_buf got = LT_BUF_INIT(1 << 20);
    int frames = 0;
    while (test_line(&rest, &line)) {
        struct lt_slice raw = test_exact(line);
        struct hj212_cut c = hj212_cut(raw.p, raw.n, true, LONG_DEFAULT);
        struct hj212_frame f;
        assert_int_equal(c.kind, HJ212_CUT_FRAME);
        assert_true(c.err == HJ212_E_OK && c.raw.n == raw.n && c.used == raw.n);
        assert_int_equal(hj212_parse(c.raw, LONG_DEFAULT, &f), HJ212_E_OK);
        describe(&got, &f);
        drop(raw);
        frames++;
    }
    assert_int_equal(frames, 128);
    for (size_t i = 0; i < got.n && i < want.n; i++)
        if (got.p[i] != want.p[i])
            fail_msg("differs at byte %zu: got …%.*s… want …%.*s…", i, 60, got.p + i, 60, want.p + i);
    assert_int_equal(got.n, want.n);
    lt_buf_fini(&got);
    drop(file);
    drop(want);
}

static enum hj212_err verdict(const struct hj212_cut *c, uint32_t tolerate)
{
    uint32_t bits = 0;
    return c->kind == HJ212_CUT_SKIP || c->err ? c->err : test_judge(c->raw, tolerate, &bits);
}

/* All verdicts on p[0..n), comma separated, given piece by piece: step bytes more at a time. */
static void verdicts(struct lt_slice s, size_t step, uint32_t tolerate, struct lt_buf *ret, struct lt_slice *ret_last)
{
    size_t from = 0, have = 0;
    lt_buf_clear(ret);
    while (from < s.n) {
        struct lt_slice part = test_exact((struct lt_slice){s.p + from, have - from});
        struct hj212_cut c = hj212_cut(part.p, part.n, have == s.n, tolerate);
        from += c.used;
        if (c.kind == HJ212_CUT_MORE) {
            assert_true(have < s.n || from == s.n);
            have = have + step < s.n ? have + step : s.n;
        } else {
            assert_true(c.used > 0 && c.raw.n > 0 && c.used <= part.n);
            lt_buf_addf(ret, "%s%s", ret->n ? "," : "", hj212_err_name(verdict(&c, tolerate)));
            *ret_last = (struct lt_slice){s.p + from - c.used + (size_t)(c.raw.p - part.p), c.raw.n};
        }
        drop(part);
    }
    lt_buf_addc(ret, 0);
}

static struct lt_slice next_column(struct lt_slice *line)
{
    const char *tab = memchr(line->p, '\t', line->n);
    assert_non_null(tab);
    struct lt_slice col = {line->p, (size_t)(tab - line->p)};
    line->p += col.n + 1;
    line->n -= col.n + 1;
    return col;
}

static void check_invalid(struct lt_slice line, struct lt_slice want, uint32_t tolerate)
{
    static const size_t steps[] = {1, 7, 64, 100000};
    struct lt_buf all = LT_BUF_INIT(1 << 16), got = LT_BUF_INIT(1 << 16);
    struct lt_slice last = {NULL, 0};
    lt_buf_add(&all, line.p, line.n);
    lt_buf_adds(&all, "\r\n" GOOD "\r\n");
    for (size_t i = 0; i < 4; i++) {
        verdicts(lt_buf_slice(&all), steps[i], tolerate, &got, &last);
        assert_true(got.n > 4 && strcmp(got.p + got.n - 4, ",ok") == 0);
        if (got.n - 4 != want.n || memcmp(got.p, want.p, want.n) != 0)
            fail_msg("%.*s: got %s, want %.*s", 40, line.p, got.p, (int)want.n, want.p);
        assert_true(lt_slice_is(last, GOOD));
    }
    lt_buf_fini(&all);
    lt_buf_fini(&got);
}

static void invalid_frames_get_their_verdict(void **state)
{
    struct lt_slice file = test_file("hj212-invalid.txt"), expected = test_file("hj212-invalid.expected.tsv");
    struct lt_slice rest = file, want_rest = expected, line, want = {NULL, 0};
    int n = 0;
    for (; test_line(&rest, &line); n++) {
        assert_true(test_line(&want_rest, &want));
        struct lt_slice normal = next_column(&want), strict = next_column(&want);
        check_invalid(line, normal, HJ212_TOLERATE_DEFAULT);
        check_invalid(line, strict, 0);
    }
    assert_int_equal(n, 56);
    assert_false(test_line(&want_rest, &want));
    drop(file);
    drop(expected);
}

static size_t stream_of_everything(struct lt_buf *all, struct lt_rand *r)
{
    static const char *const noise[] = {"",           "\r\n",        "#",           "###",      "##12",
                                        "+IPD,33:",   "DTU0001\r\n", "##9999QN=",   "\xFF\xFE", "##0010QN=2026&&12",
                                        "&&1C80\r\n", "\n\n",        "##0004a;b&&", "abc#"};
    struct lt_slice files[2] = {test_file("hj212-valid.txt"), test_file("hj212-invalid.txt")};
    size_t valid = 0;
    for (int k = 0; k < 2; k++) {
        struct lt_slice rest = files[k], line;
        while (test_line(&rest, &line)) {
            lt_buf_adds(all, noise[lt_rand_below(r, sizeof noise / sizeof noise[0])]);
            lt_buf_add(all, line.p, line.n);
            lt_buf_adds(all, lt_rand_below(r, 8) ? "\r\n" : "");
            valid += k == 0;
        }
        drop(files[k]);
    }
    return valid;
}

struct piece {
    size_t at, n;
    enum hj212_cut_kind kind;
    enum hj212_err err;
};

/* Cuts the whole stream, given in pieces of random length (most 0: all at once). */
static size_t cut_all(struct lt_slice s, size_t most, struct lt_rand *r, uint32_t tolerate, struct piece *ret)
{
    size_t from = 0, have = most ? 0 : s.n, n = 0;
    while (from < s.n) {
        struct hj212_cut c = hj212_cut(s.p + from, have - from, have == s.n, tolerate);
        if (c.kind != HJ212_CUT_MORE)
            ret[n++] = (struct piece){(size_t)(c.raw.p - s.p), c.raw.n, c.kind, c.err};
        else if (have < s.n)
            have += 1 + lt_rand_below(r, most < s.n - have ? most : s.n - have);
        from += c.used;
        assert_true(n < 4000);
    }
    return n;
}

static void any_splitting_gives_the_same_pieces(void **state)
{
    static const uint32_t allowed[] = {0,          HJ212_TOLERATE_DEFAULT,  LONG_DEFAULT,
                                       UINT32_MAX, HJ212_TOL(LENGTH_WRONG), HJ212_TOL(NO_CRLF)};
    static struct piece want[4000], got[4000];
    struct lt_rand r;
    lt_rand_init(&r, 2025);
    for (int round = 0; round < 60; round++) {
        struct lt_buf all = LT_BUF_INIT(1 << 20);
        uint32_t tolerate = allowed[round % 6];
        stream_of_everything(&all, &r);
        size_t n = cut_all(lt_buf_slice(&all), 0, &r, tolerate, want);
        for (size_t most = 1; most < 3000; most = most * 3 + 1) {
            assert_int_equal(cut_all(lt_buf_slice(&all), most, &r, tolerate, got), n);
            for (size_t i = 0; i < n; i++)
                assert_true(want[i].at == got[i].at && want[i].n == got[i].n && want[i].kind == got[i].kind &&
                            want[i].err == got[i].err);
        }
        lt_buf_fini(&all);
    }
}

/* Garbage in front of every valid frame: all frames are still found. */
static void all_valid_frames_are_found_in_noise(void **state)
{
    static const char *const noise[] = {"#", "###", "##12", "+IPD,33:", "DTU0001\r\n", "\xFF\xFE", "##0010QN=2026&&12"};
    struct lt_slice file = test_file("hj212-valid.txt"), rest = file, line;
    struct lt_buf all = LT_BUF_INIT(1 << 20);
    static struct piece got[4000];
    struct lt_rand r;
    size_t frames = 0, i = 0;
    lt_rand_init(&r, 5);
    while (test_line(&rest, &line)) {
        lt_buf_adds(&all, noise[i++ % 7]);
        lt_buf_add(&all, line.p, line.n);
        lt_buf_adds(&all, "\r\n");
    }
    size_t n = cut_all(lt_buf_slice(&all), 0, &r, LONG_DEFAULT, got);
    for (i = 0; i < n; i++)
        frames += got[i].kind == HJ212_CUT_FRAME && got[i].err == HJ212_E_OK;
    assert_int_equal(frames, 128);
    lt_buf_fini(&all);
    drop(file);
}

static void every_head_of_a_frame_waits_or_is_truncated(void **state)
{
    const size_t n = sizeof GOOD - 1;
    for (size_t k = 1; k < n; k++) {
        struct lt_slice s = test_exact((struct lt_slice){GOOD, k});
        struct hj212_cut c = hj212_cut(s.p, k, false, HJ212_TOLERATE_DEFAULT);
        assert_true(c.kind == HJ212_CUT_MORE && c.used == 0);
        c = hj212_cut(s.p, k, true, HJ212_TOLERATE_DEFAULT);
        enum hj212_err want = k == 1 ? HJ212_E_GARBAGE : HJ212_E_TRUNCATED;
        if (k > n - 4) { /* one to three CRC digits: a frame with a bad CRC */
            assert_int_equal(c.kind, HJ212_CUT_FRAME);
        } else {
            assert_int_equal(c.kind, HJ212_CUT_SKIP);
            assert_int_equal(c.err, want);
        }
        drop(s);
    }
}

static struct hj212_cut cut(const char *z, bool end, uint32_t tolerate)
{
    return hj212_cut(z, strlen(z), end, tolerate);
}

static void tails(void **state)
{
    const uint32_t no_crlf = HJ212_TOL(NO_CRLF);
    struct hj212_cut c = cut(GOOD "\r\n", false, 0);
    assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_OK && c.used == sizeof GOOD + 1 && c.tolerated == 0);
    assert_int_equal(cut(GOOD, false, 0).kind, HJ212_CUT_MORE);
    assert_int_equal(cut(GOOD "\r", false, 0).kind, HJ212_CUT_MORE);
    static const char *const bad[] = {GOOD "\n", GOOD "##0202", GOOD "xx"};
    for (int i = 0; i < 3; i++) {
        c = cut(bad[i], false, 0);
        assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_TRUNCATED && c.raw.n == sizeof GOOD - 1);
        c = cut(bad[i], false, no_crlf);
        assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_OK && c.raw.n == sizeof GOOD - 1);
        assert_int_equal(c.tolerated, no_crlf);
    }
    c = cut(GOOD, true, 0);
    assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_TRUNCATED);
    c = cut(GOOD, true, no_crlf);
    assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_OK && c.tolerated == no_crlf);
    c = cut(GOOD, false, no_crlf); /* given at once: the device may wait for the answer before it sends more */
    assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_OK && c.tolerated == 0 && c.used == sizeof GOOD - 1);
    c = cut("\r\n", false, no_crlf);
    assert_true(c.kind == HJ212_CUT_MORE && c.used == 2);
}

static void wrong_length_needs_its_option(void **state)
{
    static const char *const bad[] = {"##0201", "##0203", "##0206", "##202", "##9999", "##0000", "##1024"};
    const uint32_t length_wrong = HJ212_TOL(LENGTH_WRONG);
    for (int i = 0; i < 7; i++) {
        char text[400];
        uint32_t bits = 0;
        snprintf(text, sizeof text, "%s%s\r\n", bad[i], &GOOD[6]);
        struct hj212_cut c = cut(text, true, 0);
        assert_int_equal(c.kind, HJ212_CUT_SKIP);
        assert_int_equal(c.err, i == 4 ? HJ212_E_TOO_LONG : HJ212_E_LENGTH);
        struct hj212_frame f;
        assert_int_equal(hj212_parse(c.raw, 0, &f), c.err);
        assert_true(lt_slice_is(f.mn, "010000A8900016F000169DC0")); /* can be filed under its device */
        c = cut(text, false, length_wrong);
        assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_OK && c.tolerated == length_wrong);
        assert_int_equal(test_judge(c.raw, length_wrong, &bits), HJ212_E_OK);
        assert_int_equal(bits, length_wrong);
    }
}

static void long_segment_needs_its_option(void **state)
{
    char segment[4200], text[4300];
    uint32_t bits = 0;
    static const size_t sizes[] = {1024, 1025, 4096, 4097};
    for (int i = 0; i < 4; i++) {
        int n = snprintf(segment, sizeof segment, "ST=31;CN=2011;PW=123456;MN=1;CP=&&a=%0*d&&", (int)sizes[i] - 38, 0);
        assert_int_equal(n, sizes[i]);
        snprintf(text, sizeof text, "%.*s\r\n", (int)test_frame(segment).n, test_frame(segment).p);
        struct hj212_cut c = cut(text, false, 0);
        assert_int_equal(c.kind, i == 0 ? HJ212_CUT_FRAME : HJ212_CUT_SKIP);
        assert_int_equal(c.err, i == 0 ? HJ212_E_OK : HJ212_E_TOO_LONG);
        assert_true(c.raw.n == strlen(text) - 2);
        c = cut(text, false, HJ212_TOL(LONG_SEGMENT));
        assert_int_equal(c.kind, i < 3 ? HJ212_CUT_FRAME : HJ212_CUT_SKIP);
        if (i == 3)
            continue;
        bits = 0;
        assert_int_equal(test_judge(c.raw, HJ212_TOL(LONG_SEGMENT), &bits), HJ212_E_OK);
        assert_int_equal(bits, i ? HJ212_TOL(LONG_SEGMENT) : 0);
        assert_int_equal(test_judge(c.raw, 0, &bits), i ? HJ212_E_TOO_LONG : HJ212_E_OK);
    }
}

static void junk_comes_in_bounded_pieces(void **state)
{
    static char junk[3 * HJ212_JUNK_MAX];
    for (int kind = 0; kind < 3; kind++) {
        memset(junk, "x#\xFF"[kind], sizeof junk);
        assert_int_equal(hj212_cut(junk, HJ212_JUNK_MAX, false, 0).kind, HJ212_CUT_MORE);
        struct hj212_cut c = hj212_cut(junk, HJ212_JUNK_MAX + 3, false, 0);
        assert_true(c.kind == HJ212_CUT_SKIP && c.err == HJ212_E_GARBAGE && c.used == HJ212_JUNK_MAX);
        assert_int_equal(hj212_cut(junk, sizeof junk, false, 0).used, HJ212_JUNK_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_frames_mean_what_they_should),
        cmocka_unit_test(invalid_frames_get_their_verdict),
        cmocka_unit_test(any_splitting_gives_the_same_pieces),
        cmocka_unit_test(all_valid_frames_are_found_in_noise),
        cmocka_unit_test(every_head_of_a_frame_waits_or_is_truncated),
        cmocka_unit_test(tails),
        cmocka_unit_test(wrong_length_needs_its_option),
        cmocka_unit_test(long_segment_needs_its_option),
        cmocka_unit_test(junk_comes_in_bounded_pieces),
    };
    return cmocka_run_group_tests_name("hj212_cut", tests, NULL, NULL);
}
