/* Data areas: every option, numbers, times; the vector walkers against the plain one. */
#include "hj212_test.h"

static struct hj212_item items[HJ212_ITEMS_MAX];

static const struct {
    const char *area;
    enum hj212_err err; /* with no tolerance */
    uint32_t needs;     /* accepted with exactly this; 0: nothing helps (or nothing is needed) */
    uint32_t at, n;     /* offset of the fault, items before it; items when accepted */
} areas[] = {
    {"", HJ212_E_OK, 0, 0, 0},
    {"DataTime=20260301080000;a34013-Rtd=3.21,a34013-Flag=N", HJ212_E_OK, 0, 0, 3},
    {"a=1;b=2;c-Rtd=3", HJ212_E_OK, 0, 0, 3},
    {"a-EFlag=long mark;b-Info=x=y", HJ212_E_OK, 0, 0, 2},
    {"i11001-Info=//a;b,c=d&&e//;x=1", HJ212_E_OK, 0, 0, 2},
    {"i11001-Info=//http://a.b/c//,x=1", HJ212_E_OK, 0, 0, 2},
    {"i11001-Info=////", HJ212_E_OK, 0, 0, 1},
    {"w01018-SampleTime=,w01018-Rtd=", HJ212_E_OK, 0, 0, 2},
    {"p99101-Rtd=St,p99101-Flag=N", HJ212_E_OK, 0, 0, 2},
    {"SKCreateTime=20240601085857223,NewSK=0000000000000000", HJ212_E_OK, 0, 0, 2},
    {"a21026-Flag=Z", HJ212_E_OK, 0, 0, 1},
    {"a24088-i13013-Info=2", HJ212_E_OK, 0, 0, 1},
    {"QN=20040516010101001;CN=2051", HJ212_E_OK, 0, 0, 2},
    /* options */
    {" a=1", HJ212_E_ITEM, HJ212_TOL(HEADER_BLANK), 1, 1},
    {"a =1; b= 2 ", HJ212_E_ITEM, HJ212_TOL(HEADER_BLANK), 0, 2},
    {"i11001-Info= //a;b// ;x=1", HJ212_E_ITEM, HJ212_TOL(HEADER_BLANK), 13, 2},
    {"  ", HJ212_E_ITEM, HJ212_TOL(HEADER_BLANK), 2, 0},
    {"a=1;", HJ212_E_ITEM, HJ212_TOL(TRAILING_SEP), 4, 1},
    {"a=1,;b=2", HJ212_E_ITEM, HJ212_TOL(TRAILING_SEP), 4, 2},
    {"DataTime=20260301080000123", HJ212_E_TIME, HJ212_TOL(TIME_MS), 9, 1},
    {"a-SampleTime=20260301080000123", HJ212_E_TIME, HJ212_TOL(TIME_MS), 13, 1},
    {"a-Flag=NN", HJ212_E_MARK, HJ212_TOL(ANY_MARK), 7, 1},
    {"a-Flag=", HJ212_E_MARK, HJ212_TOL(ANY_MARK), 7, 1},
    {"a-Rtd=NaN", HJ212_E_NUMBER, HJ212_TOL(NOT_NUMBER), 6, 1},
    {"a-Cou=1.2.3", HJ212_E_NUMBER, HJ212_TOL(NOT_NUMBER), 6, 1},
    {"x=1,Flag=N", HJ212_E_ITEM, HJ212_TOL(BARE_FIELD), 4, 2},
    {"-Rtd=1.1", HJ212_E_ITEM, HJ212_TOL(BARE_FIELD), 0, 1},
    /* nothing helps */
    {"a", HJ212_E_ITEM, 0, 0, 0},
    {"b=1;a-Rtd,c=1", HJ212_E_ITEM, 0, 4, 1},
    {"=1", HJ212_E_ITEM, 0, 0, 0},
    {"a-=1", HJ212_E_ITEM, 0, 0, 0},
    {"-=1", HJ212_E_ITEM, 0, 0, 0},
    {"a-Flag==", HJ212_E_ITEM, 0, 7, 0},
    {"a-Flag=NNNNN", HJ212_E_MARK, 0, 7, 0},
    {"DataTime=", HJ212_E_TIME, 0, 9, 0},
    {"DataTime=202603010800", HJ212_E_TIME, 0, 9, 0},
    {"DataTime=2026030108000x", HJ212_E_TIME, 0, 9, 0},
    {"a-CompleteTime=20260001000000", HJ212_E_TIME, 0, 15, 0},
    {"i11001-Info=//a;b=1", HJ212_E_ITEM, 0, 12, 0},
    {"i11001-Info=//", HJ212_E_ITEM, 0, 12, 0},
    {"i11001-Info=//a//x", HJ212_E_ITEM, 0, 12, 0},
};

/* A suffix with zero bytes behind it fills the same word as the suffix alone: found by the fuzzer. */
static void a_zero_byte_makes_another_field(void **state)
{
    static struct hj212_item want[8], got[8];
    static const char text[] = "a21026-Flag\0\0\0=N;a21026-Rtd\0=1;a-Rtd\0\0\0\0\0=1;a-Rtd=2,a-Flag=N;b-Rtd=1;c-Rtd=1;"
                               "d-Rtd=1;e-Rtd=1;f-Flag\0=N";
    const struct lt_slice area = {text, sizeof text - 1};
    size_t k = 0;
    uint32_t at = 0, bits = 0;
    for (unsigned level = HJ212_SCALAR; level <= (unsigned)hj212_level_best(); level++) {
        static struct hj212_item all[16];
        enum hj212_err e = hj212_items_by((enum hj212_level)level, area, UINT32_MAX, all, 16, &k, &at, &bits);
        assert_int_equal(e, HJ212_E_OK);
        assert_int_equal(k, 10);
        assert_int_equal(all[0].field, HJ212_F_OTHER);
        assert_int_equal(all[1].field, HJ212_F_OTHER);
        assert_int_equal(all[2].field, HJ212_F_OTHER);
        assert_int_equal(all[3].field, HJ212_F_RTD);
        assert_int_equal(all[4].field, HJ212_F_FLAG);
        assert_int_equal(all[9].field, HJ212_F_OTHER);
        memcpy(level == HJ212_SCALAR ? want : got, all, sizeof want);
        if (level != HJ212_SCALAR)
            assert_memory_equal(want, got, sizeof want);
    }
}

static void areas_and_their_options(void **state)
{
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        struct lt_slice area = test_exact(lt_slice_of(areas[i].area));
        const uint32_t needs = areas[i].needs;
        for (int level = HJ212_SCALAR; level <= (int)hj212_level_best(); level++) {
            size_t n;
            uint32_t at, bits = 0;
            enum hj212_level l = (enum hj212_level)level;
            enum hj212_err err = hj212_items_by(l, area, 0, items, HJ212_ITEMS_MAX, &n, &at, &bits);
            if (err != areas[i].err || (err && at != areas[i].at))
                fail_msg("%s (level %d): got %s at %u", areas[i].area, level, hj212_err_name(err), at);
            assert_int_equal(bits, 0);
            err = hj212_items_by(l, area, UINT32_MAX & ~needs, items, HJ212_ITEMS_MAX, &n, &at, NULL);
            assert_int_equal(err, areas[i].err);
            err = hj212_items_by(l, area, needs, items, HJ212_ITEMS_MAX, &n, NULL, &bits);
            assert_int_equal(err, needs ? HJ212_E_OK : areas[i].err);
            assert_true(bits == needs && n == areas[i].n);
        }
        drop(area);
    }
}

static void double_equals_in_a_number_is_no_pair(void **state)
{
    size_t n;
    uint32_t at, bits = 0;
    struct lt_slice area = LT_LIT("a-Rtd==1.1");
    assert_int_equal(hj212_items(area, 0, items, HJ212_ITEMS_MAX, &n, &at, &bits), HJ212_E_ITEM);
    assert_int_equal(hj212_items(area, HJ212_TOL(NOT_NUMBER), items, HJ212_ITEMS_MAX, &n, &at, &bits), HJ212_E_OK);
    assert_true(n == 1 && items[0].kind == HJ212_V_TEXT && bits == HJ212_TOL(NOT_NUMBER));
}

static void one_item_of_each_kind(void **state)
{
    struct lt_slice a = LT_LIT("DataTime=20260301080000;a34013-Rtd=-3.210,a34013-Flag=N;i11001-Info=//x;y//;"
                               "i13004-Info=168.0;PolId=101;lng=116.397;a9-Foo=x;L5-Data=53;,Flag=N");
    size_t n;
    assert_int_equal(hj212_items(a, UINT32_MAX, items, HJ212_ITEMS_MAX, &n, NULL, NULL), HJ212_E_OK);
    assert_int_equal(n, 10);
    const struct hj212_item *it = hj212_find(a, items, n, "DataTime");
    assert_true(it == &items[0] && it->kind == HJ212_V_TIME && it->number == INT64_C(1772352000000));
    it = &items[1];
    assert_true(lt_slice_is(hj212_name(a, it), "a34013") && it->field == HJ212_F_RTD && it->kind == HJ212_V_NUMBER &&
                it->number == -3210 && it->decimals == 3 && it->group == 1);
    assert_true(items[2].field == HJ212_F_FLAG && items[2].kind == HJ212_V_TEXT && items[2].group == 1);
    assert_true(lt_slice_is(hj212_value_text(a, &items[3]), "//x;y//") && items[3].group == 2);
    assert_true(lt_slice_is(hj212_log_text(hj212_value_text(a, &items[3])), "x;y"));
    assert_true(items[4].kind == HJ212_V_NUMBER && items[4].number == 1680 && items[4].decimals == 1);
    assert_int_equal(hj212_find(a, items, n, "PolId")->kind, HJ212_V_TEXT);
    assert_true(items[6].number == 116397 && items[6].decimals == 3);
    assert_true(items[7].field == HJ212_F_OTHER && items[7].field_len == 3 && items[7].kind == HJ212_V_TEXT);
    assert_true(items[8].field == HJ212_F_DATA && items[8].number == 53 && items[8].decimals == 0);
    assert_true(items[9].field == HJ212_F_FLAG && items[9].name_len == 0 && items[9].group == 8);
    assert_null(hj212_find(a, items, n, "a34013"));
}

static const struct {
    const char *text;
    bool ok;
    int64_t number;
    uint8_t decimals;
} numbers[] = {
    {"0", true, 0, 0},
    {"12.350", true, 12350, 3},
    {"-0.152", true, -152, 3},
    {"+7", true, 7, 0},
    {".5", true, 5, 1},
    {"-.5", true, -5, 1},
    {"5.", true, 5, 0},
    {"0100.50", true, 10050, 2},
    {"-130.7116", true, -1307116, 4},
    {"12345678", true, 12345678, 0},
    {"1234567.", true, 1234567, 0},
    {"-1234567", true, -1234567, 0},
    {"-12345678", true, -12345678, 0},
    {"123456789012345678", true, INT64_C(123456789012345678), 0},
    {"-999999999999999999", true, INT64_C(-999999999999999999), 0},
    {"0000000000123456789012345678", true, INT64_C(123456789012345678), 0},
    {"1.000000000000000000000000000000", true, INT64_C(100000000000000000), 17},
    {"0.000000000000000000000000000000", true, 0, 18},
    {"0.000000000000000001", true, 1, 18},
    {"1234567890123456789", false, 0, 0},
    {"0.0000000000000000001", false, 0, 0},
    {"1.2345678901234567891", false, 0, 0},
    {"-", false, 0, 0},
    {".", false, 0, 0},
    {"-.", false, 0, 0},
    {"--1", false, 0, 0},
    {"1-", false, 0, 0},
    {"1e3", false, 0, 0},
    {"1 2", false, 0, 0},
    {"..5", false, 0, 0},
    {"1.2.3", false, 0, 0},
    {"/", false, 0, 0},
    {":", false, 0, 0},
    {"1\xB1", false, 0, 0},
};

static void numbers_are_read_exactly(void **state)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char area[64];
        size_t n;
        snprintf(area, sizeof area, "abc-Rtd=%s", numbers[i].text);
        for (int level = HJ212_SCALAR; level <= (int)hj212_level_best(); level++) {
            enum hj212_err err =
                hj212_items_by((enum hj212_level)level, lt_slice_of(area), 0, items, 1, &n, NULL, NULL);
            if ((err == HJ212_E_OK) != numbers[i].ok ||
                (numbers[i].ok && (items[0].number != numbers[i].number || items[0].decimals != numbers[i].decimals)))
                fail_msg("%s (level %d): %s %lld %u", numbers[i].text, level, hj212_err_name(err),
                         (long long)items[0].number, items[0].decimals);
        }
    }
}

static void times_are_checked(void **state)
{
    static const char *const good[] = {"19700101000000", "20000229235959", "20240229000000", "99991231235959"};
    static const char *const bad[] = {"19691231235959",  "19000229000000",   "21000229000000", "20230229000000",
                                      "20230431000000",  "20231301000000",   "20230100000000", "20230001000000",
                                      "20230101240000",  "20230101006000",   "20230101000060", "2023010100000",
                                      "202301010000000", "2023010100000000", "-2230101000000"};
    static const int64_t at[] = {0, INT64_C(951868799000), INT64_C(1709164800000), INT64_C(253402300799000)};
    int64_t v = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(hj212_time(good[i], 14, &v));
        assert_true(v == at[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(hj212_time(bad[i], strlen(bad[i]), &v));
    assert_true(hj212_time("20240229000000123", 17, &v) && v == at[2] + 123);
    for (int64_t day = 0; day < 366 * 200; day++) { /* against the calendar counted day by day */
        static unsigned y = 1970, m = 1, d = 1;
        static const unsigned length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        char text[32];
        snprintf(text, sizeof text, "%04u%02u%02u010203", y, m, d);
        assert_true(hj212_time(text, 14, &v) && v == (day * 86400 + 3723) * 1000);
        unsigned leap = m == 2 && y % 4 == 0 && (y % 100 || y % 400 == 0);
        if (++d > length[m - 1] + leap) {
            d = 1;
            if (++m > 12) {
                m = 1;
                y++;
            }
        }
    }
}

static void limits(void **state)
{
    static char big[HJ212_SEGMENT_MAX + 1];
    size_t n = 0;
    uint32_t at = 0;
    for (size_t i = 0; i + 4 <= sizeof big; i += 4)
        memcpy(big + i, "a=1;", 4);
    struct lt_slice area = {big, HJ212_SEGMENT_MAX - 1};
    assert_int_equal(hj212_items(area, 0, items, HJ212_ITEMS_MAX, &n, &at, NULL), HJ212_E_OK);
    assert_int_equal(n, HJ212_ITEMS_MAX);
    assert_int_equal(hj212_items(area, 0, items, 1000, &n, &at, NULL), HJ212_E_TOO_MANY);
    assert_true(n == 1000 && at == 4000);
    assert_int_equal(hj212_items((struct lt_slice){big, sizeof big}, 0, items, HJ212_ITEMS_MAX, &n, &at, NULL),
                     HJ212_E_TOO_LONG);
    memset(big, 'n', 300);
    memcpy(big + 300, "=1", 2);
    assert_int_equal(hj212_items((struct lt_slice){big, 302}, 0, items, HJ212_ITEMS_MAX, &n, &at, NULL), HJ212_E_ITEM);
}

static void every_field_has_its_name(void **state)
{
    for (unsigned f = HJ212_F_RTD; f < HJ212_F_OTHER; f++) {
        const char *name = hj212_field_name((enum hj212_field)f);
        char area[64];
        size_t n;
        assert_int_equal(hj212_field_find(lt_slice_of(name)), f);
        bool time = f == HJ212_F_SAMPLE_TIME || f == HJ212_F_COMPLETE_TIME;
        snprintf(area, sizeof area, "a34013-%s=%s", name, time ? "20260301080000" : "1");
        for (int level = HJ212_SCALAR; level <= (int)hj212_level_best(); level++) {
            assert_int_equal(hj212_items_by((enum hj212_level)level, lt_slice_of(area), 0, items, 1, &n, NULL, NULL),
                             HJ212_E_OK);
            assert_int_equal(items[0].field, f);
        }
    }
}

static size_t random_area(struct lt_rand *r, char *ret, size_t cap)
{
    static const char *const names[] = {"a34013-Rtd",
                                        "a21026-ZsAvg",
                                        "DataTime",
                                        "LA-Rtd",
                                        "w01018-SampleTime",
                                        "SB1-RS",
                                        "a01013-Flag",
                                        "x",
                                        "a34013-Foo",
                                        "-Rtd",
                                        "Flag",
                                        "i11001-Info",
                                        "p99101-Rtd",
                                        "verylongcode-Avg",
                                        "a-b-Rtd",
                                        "PolId",
                                        "a34013-StandardValue",
                                        "",
                                        "a34013-",
                                        "01-Cou",
                                        "a34013-Rtdx",
                                        "a340134-Min",
                                        "BeginTime",
                                        "lng",
                                        " a-Rtd"};
    static const char *const values[] = {"3.21",        "-0.152", "N",        "20260301080000",
                                         "NN",          "",       "1.2.3",    "12345678",
                                         "123456789",   ".5",     "5.",       "-",
                                         "//a;b,c=d//", "//open", "1=2",      " 1",
                                         "1 ",          "0",      "-1234567", "20260301080000123",
                                         "St",          "1e3",    "/",        "99999999999999999999",
                                         "\x80"};
    static const char *const seps[] = {",", ";", ";", ",", ",;", " ;", "", ";;"};
    static const char *const good[] = {
        "a34013-Rtd=3.21", "a21026-ZsAvg=-0.152", "DataTime=20260301080000",      "LA-Rtd=50", "a01013-Flag=N",
        "SB1-RS=1",        "lng=116.397",         "a34013-StandardValue=12345678"};
    size_t n = 0, pairs = lt_rand_below(r, 40), wild = lt_rand_below(r, 4) ? 40 : 2;
    for (size_t i = 0; i < pairs; i++) {
        const char *parts[4] = {good[lt_rand_below(r, 8)], "", "", i % 3 ? "," : ";"};
        if (lt_rand_below(r, wild) == 0) {
            parts[0] = names[lt_rand_below(r, 25)];
            parts[1] = lt_rand_below(r, 60) ? "=" : "";
            parts[2] = values[lt_rand_below(r, 25)];
            parts[3] = seps[lt_rand_below(r, 8)];
        }
        for (int k = 0; k < 4; k++) {
            size_t m = strlen(parts[k]);
            if (n + m > cap)
                return n;
            memcpy(ret + n, parts[k], m);
            n += m;
        }
    }
    if (n && lt_rand_below(r, 4) == 0)
        ret[lt_rand_below(r, n)] = (char)lt_rand_u64(r);
    return n;
}

static void vector_walkers_equal_the_plain_one(void **state)
{
    static struct hj212_item want[HJ212_ITEMS_MAX], got[HJ212_ITEMS_MAX];
    struct lt_rand r;
    lt_rand_init(&r, 512);
    size_t good = 0;
    for (int round = 0; round < 60000; round++) {
        char text[1200];
        struct lt_slice area = test_exact((struct lt_slice){text, random_area(&r, text, sizeof text)});
        uint32_t tolerate = lt_rand_below(&r, 3) ? UINT32_MAX : (uint32_t)lt_rand_u64(&r);
        size_t cap = lt_rand_below(&r, 4) ? HJ212_ITEMS_MAX : lt_rand_below(&r, 30), n = 0, m = 0;
        uint32_t at = 0, at2 = 0, bits = 0, bits2 = 0;
        enum hj212_err err = hj212_items_by(HJ212_SCALAR, area, tolerate, want, cap, &n, &at, &bits);
        good += err == HJ212_E_OK && n > 3;
        for (int level = HJ212_SSE2; level <= (int)hj212_level_best(); level++) {
            bits2 = 0;
            enum hj212_err e2 = hj212_items_by((enum hj212_level)level, area, tolerate, got, cap, &m, &at2, &bits2);
            if (err != e2 || n != m || bits != bits2 || (err && at != at2) || memcmp(want, got, n * sizeof got[0]) != 0)
                fail_msg("level %d, %.*s: %s/%s %zu/%zu at %u/%u", level, (int)area.n, area.p, hj212_err_name(err),
                         hj212_err_name(e2), n, m, at, at2);
        }
        drop(area);
    }
    assert_true(good > 5000);
}

static void control_bytes_are_seen_at_every_place(void **state)
{
    for (size_t n = 0; n < 300; n += 1 + n / 16)
        for (size_t i = 0; i <= n; i++) {
            char text[300];
            size_t at = 999;
            memset(text, ' ', sizeof text);
            memset(text, 0xFF, n / 2);
            if (i < n)
                text[i] = "\x1F\x7F\x00\n"[i % 4];
            struct lt_slice s = test_exact((struct lt_slice){text, n});
            assert_int_equal(hj212_control_byte(s.p, n, &at), i < n);
            assert_int_equal(at, i < n ? i : 999);
            drop(s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_and_their_options),
        cmocka_unit_test(double_equals_in_a_number_is_no_pair),
        cmocka_unit_test(one_item_of_each_kind),
        cmocka_unit_test(numbers_are_read_exactly),
        cmocka_unit_test(times_are_checked),
        cmocka_unit_test(limits),
        cmocka_unit_test(a_zero_byte_makes_another_field),
        cmocka_unit_test(every_field_has_its_name),
        cmocka_unit_test(vector_walkers_equal_the_plain_one),
        cmocka_unit_test(control_bytes_are_seen_at_every_place),
    };
    return cmocka_run_group_tests_name("hj212_items", tests, NULL, NULL);
}
