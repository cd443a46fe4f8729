/* The header: every tolerance refused without its option and accepted with it; fields kept on failure; cipher. */
#include "hj212_test.h"

#define H   "QN=20260301080000123;ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;"
#define M25 "MN=010000A8900016F000169DC01"
#define M65 "MN=01234567890123456789012345678901234567890123456789012345678901234"

static const struct {
    const char *segment;
    enum hj212_err err; /* with no tolerance */
    uint32_t needs;     /* accepted with exactly this; 0: nothing helps (or nothing is needed) */
} headers[] = {
    {H "Flag=5;CP=&&&&", HJ212_E_OK, 0},
    {"CN=2011;MN=a_b-C;PW=;Flag=9;RF=1;ST=45;CP=&&&&", HJ212_E_OK, 0},
    {"ST=31;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_OK, 0},
    {"ST=A1;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_OK, 0},
    {"ST=91;CN=9013;PW=123456;MN=;Flag=8;CP=&&&&", HJ212_E_OK, 0},
    {"ST=31;CN=2011;PW=123456;MN=1;PNUM=2;PNO=0002;CP=&&a=1&&", HJ212_E_OK, 0},
    {H "Flag=3;CP=&&&&", HJ212_E_OK, 0}, /* 2005 sets bit D in every request */
    {H "Flag=7;PNUM=256;PNO=256;CP=&&&&", HJ212_E_OK, 0},
    {H "Unknown=1;Flag=5;CP=&&&&", HJ212_E_OK, 0},
    {H "Flag=5;CP=&&a=//b&&c//&&", HJ212_E_OK, 0},
    /* tolerances */
    {"QN=20260301080000123,ST=31;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_COMMA)},
    {"ST=31;CN=2011;PW=123456;,MN=1;CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_COMMA)},
    {"ST=31;;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_COMMA)},
    {H "Flag=5CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_GLUED)},
    {H "FLAG=5;CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_CASE)},
    {"st=31;Cn=2011;pw=123456;mn=1;cp=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_CASE)},
    {H " Flag=5;CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_BLANK)},
    {H "Flag =5;CP=&&a=1&&", HJ212_E_SYNTAX, HJ212_TOL(HEADER_BLANK)},
    {H "Flag= 5 ;CP= &&a=1&& ", HJ212_E_SYNTAX, HJ212_TOL(HEADER_BLANK)},
    {"ST=31;CN=2011;PW=123456;" M25 ";CP=&&a=1&&", HJ212_E_MN, HJ212_TOL(LONG_MN)},
    {"ST=101;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_ST, HJ212_TOL(LONG_ST)},
    {H "Flag=4;PNUM=2;PNO=1;CP=&&a=1&&", HJ212_E_PACKET, HJ212_TOL(PACKET_NO_BIT)},
    /* nothing helps */
    {"ST=31;CN=2011;PW=123456;" M65 ";CP=&&a=1&&", HJ212_E_MN, 0},
    {"ST=31;CN=2011;PW=123456;MN=;CP=&&a=1&&", HJ212_E_MN, 0},
    {"ST=31;CN=2011;PW=123456;MN=a b;CP=&&a=1&&", HJ212_E_MN, 0},
    {"ST=31;CN=2011;PW=123456;MN=\xE8\x93\x9D;CP=&&a=1&&", HJ212_E_MN, 0},
    {"ST=31;CN=2011;PW=123456;CP=&&a=1&&", HJ212_E_MN, 0},
    {"CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_ST, 0},
    {"ST=3;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_ST, 0},
    {"ST=1234;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_ST, 0},
    {"ST=a1;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_ST, 0},
    {"ST=31;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_CN, 0},
    {"ST=31;CN=201;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_CN, 0},
    {"ST=31;CN=20110;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_CN, 0},
    {"ST=31;CN=2011;MN=1;CP=&&a=1&&", HJ212_E_PW, 0},
    {"ST=31;CN=2011;PW=12_456;MN=1;CP=&&a=1&&", HJ212_E_PW, 0},
    {"ST=31;CN=2011;PW=1234567890123456789012345;MN=1;CP=&&a=1&&", HJ212_E_PW, 0},
    {"QN=20260231080000123;ST=31;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_QN, 0},
    {"QN=20260228080000;ST=31;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_QN, 0},
    {"QN=;ST=31;CN=2011;PW=123456;MN=1;CP=&&a=1&&", HJ212_E_QN, 0},
    {H "Flag=;CP=&&a=1&&", HJ212_E_FLAG, 0},
    {H "Flag=256;CP=&&a=1&&", HJ212_E_FLAG, 0},
    {H "Flag=-1;CP=&&a=1&&", HJ212_E_FLAG, 0},
    {H "Flag=0005;CP=&&a=1&&", HJ212_E_FLAG, 0},
    {H "Flag=12;CP=&&a=1&&", HJ212_E_EDITION, 0},
    {H "Flag=255;CP=&&a=1&&", HJ212_E_EDITION, 0},
    {H "Flag=6;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=7;PNUM=2;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=7;PNO=1;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=7;PNUM=2;PNO=3;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=7;PNUM=0;PNO=0;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=7;PNUM=257;PNO=1;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=7;PNUM=99999999999;PNO=1;CP=&&a=1&&", HJ212_E_PACKET, 0},
    {H "Flag=5;ST=31;CP=&&a=1&&", HJ212_E_HEADER_TWICE, 0},
    {H "Flag=5;RF=2;CP=&&a=1&&", HJ212_E_SYNTAX, 0},
    {H "Flag=5;CP=&&a=1&", HJ212_E_SYNTAX, 0},
    {H "Flag=5;CP=&&&", HJ212_E_SYNTAX, 0},
    {H "Flag=5;CP=&a=1&&", HJ212_E_SYNTAX, 0},
    {H "Flag=5;CP=&&a=1&&x", HJ212_E_SYNTAX, 0},
    {H "Flag=5;CP=", HJ212_E_SYNTAX, 0},
    {H "Flag=5", HJ212_E_SYNTAX, 0},
    {H "Flag=5;word;CP=&&a=1&&", HJ212_E_SYNTAX, 0},
    {H "Flag=5ST=31;CP=&&a=1&&", HJ212_E_SYNTAX, 0},
    {H "Flag=5;CP=&&a=\x01&&", HJ212_E_CONTROL_BYTE, 0},
    {H "Flag=5;CP=&&a=\x7F&&", HJ212_E_CONTROL_BYTE, 0},
};

static void headers_and_their_options(void **state)
{
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct lt_slice raw = test_exact(test_frame(headers[i].segment));
        struct hj212_frame f;
        const uint32_t needs = headers[i].needs, all = UINT32_MAX & ~needs;
        if (hj212_parse(raw, 0, &f) != headers[i].err)
            fail_msg("%s: got %s", headers[i].segment, hj212_err_name(f.err));
        assert_true(f.tolerated == 0 && f.err_at <= raw.n);
        assert_int_equal(hj212_parse(raw, all, &f), headers[i].err);
        assert_int_equal(hj212_parse(raw, needs, &f), needs ? HJ212_E_OK : headers[i].err);
        assert_int_equal(f.tolerated, needs);
        drop(raw);
    }
}

static void fields_are_read(void **state)
{
    struct hj212_frame f;
    assert_int_equal(hj212_parse(test_frame("CP_=1;PNO=2;PNUM=0003;MN=m-1;CN=2061;RF=1;ST=Z9;Flag=11;PW=pw;"
                                            "QN=20260301080005002;CP=&&x&&"),
                                 0, &f),
                     HJ212_E_OK);
    assert_true(lt_slice_is(f.qn, "20260301080005002") && f.qn_at_ms == INT64_C(1772352005002));
    assert_true(f.st == HJ212_ST_LETTER + 259 && f.cn == 2061 && f.pnum == 3 && f.pno == 2);
    assert_true(lt_slice_is(f.mn, "m-1") && lt_slice_is(f.pw, "pw") && lt_slice_is(f.cp, "x"));
    assert_true(f.flag == 11 && f.edition == HJ212_2025 && f.has_flag && f.answer && f.resent && !f.encrypted);
    assert_int_equal(hj212_parse(LT_LIT("##0000FFFF\r\n"), 0, &f), HJ212_E_OK);
    assert_true(f.mn.n == 0 && f.cp.n == 0 && f.crc == 0xFFFF && f.qn_at_ms == INT64_MIN);
}

static void refused_frames_can_still_be_filed(void **state)
{
    char text[sizeof GOOD];
    struct hj212_frame f;
    memcpy(text, GOOD, sizeof GOOD);
    text[150] ^= 1;
    assert_int_equal(hj212_parse((struct lt_slice){text, sizeof GOOD - 1}, 0, &f), HJ212_E_CRC);
    assert_int_equal(f.err_at, sizeof GOOD - 5);
    assert_true(lt_slice_is(f.mn, "010000A8900016F000169DC0") && f.st == 31 && f.cn == 2011);
    assert_int_equal(hj212_parse((struct lt_slice){GOOD, 100}, 0, &f), HJ212_E_TRUNCATED);
    assert_true(lt_slice_is(f.mn, "010000A8900016F000169DC0"));
    assert_int_equal(hj212_parse(LT_LIT("+IPD"), 0, &f), HJ212_E_GARBAGE);
    assert_int_equal(hj212_parse(LT_LIT(""), 0, &f), HJ212_E_GARBAGE);
    assert_int_equal(hj212_parse(LT_LIT("##"), 0, &f), HJ212_E_TRUNCATED);
}

static void crc_options(void **state)
{
    static const struct {
        const char *crc;
        enum hj212_err err;
        uint32_t needs;
    } cases[] = {
        {"681E", HJ212_E_CRC_ALGORITHM, HJ212_TOL(CRC_MODBUS)},
        {"C195", HJ212_E_CRC_ALGORITHM, HJ212_TOL(CRC_SWAPPED)},
        {"95c1", HJ212_E_CRC, HJ212_TOL(LOWER_CRC)},
        {"681e", HJ212_E_CRC_ALGORITHM, HJ212_TOL(CRC_MODBUS) | HJ212_TOL(LOWER_CRC)},
        {"1234", HJ212_E_CRC, HJ212_TOL(CRC_IGNORED)},
        {"12G4", HJ212_E_CRC, HJ212_TOL(CRC_IGNORED)},
        {"681E", HJ212_E_CRC_ALGORITHM, HJ212_TOL(CRC_IGNORED)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[] = GOOD;
        struct lt_slice raw = {text, sizeof GOOD - 1};
        struct hj212_frame f;
        memcpy(text + sizeof GOOD - 5, cases[i].crc, 4);
        assert_int_equal(hj212_parse(raw, 0, &f), cases[i].err);
        assert_int_equal(hj212_parse(raw, cases[i].needs, &f), HJ212_E_OK);
        assert_int_equal(f.tolerated, cases[i].needs);
    }
    /* HJ 212-2017 C.22's neighbour: a CRC with a leading zero, printed with %X */
    static const char short_crc[] = "##0140QN=20260301080000123;ST=31;CN=2011;PW=123456;MN=010000A861BBDB3BFA457D68;"
                                    "Flag=4;CP=&&DataTime=20260301080000;a21026-Rtd=0.08,a21026-Flag=N&&500\r\n";
    struct hj212_frame f;
    struct hj212_cut c = hj212_cut(short_crc, sizeof short_crc - 1, false, 0);
    assert_true(c.kind == HJ212_CUT_FRAME && c.used == sizeof short_crc - 1);
    assert_int_equal(hj212_parse(c.raw, 0, &f), HJ212_E_CRC);
    assert_int_equal(hj212_parse(c.raw, HJ212_TOL(CRC_SHORT), &f), HJ212_E_OK);
    assert_int_equal(f.tolerated, HJ212_TOL(CRC_SHORT));
}

static const uint8_t test_key[16] = "0000000000000000"; /* HJ 212-2025: the test key */

static size_t cipher_frame(uint16_t cn, struct lt_slice area, char ret[2048])
{
    const struct hj212_head h = {.qn = LT_LIT("20260301080000123"),
                                 .pw = LT_LIT("123456"),
                                 .st = 31,
                                 .cn = cn,
                                 .mn = LT_LIT("010000A8900016F000169DC0"),
                                 .edition = HJ212_2025,
                                 .answer = true};
    return hj212_encrypt_build(&h, area, test_key, ret, 2048);
}

static void enciphered_frames(void **state)
{
    static const uint8_t other_key[16] = "0000000000000001";
    struct lt_slice area = LT_LIT("DataTime=20260301080000;a21026-Rtd=1.1,a21026-Flag=N");
    char wire[2048], plain[2048];
    struct hj212_frame f, p;
    size_t n = cipher_frame(2011, area, wire);
    struct hj212_cut c = hj212_cut(wire, n, false, 0);
    assert_true(c.kind == HJ212_CUT_FRAME && c.err == HJ212_E_OK && c.used == n);
    assert_int_equal(hj212_parse(c.raw, UINT32_MAX, &f), HJ212_E_CIPHER); /* not even crc_ignored takes it as text */
    assert_int_equal(hj212_parse(c.raw, 0, &f), HJ212_E_CIPHER);
    assert_true(f.encrypted && lt_slice_is(f.mn, "010000A8900016F000169DC0") && f.cn == 2011 && f.answer);
    assert_int_equal(hj212_decrypt(&f, other_key, plain, sizeof plain, &p), HJ212_E_CIPHER);
    assert_int_equal(hj212_decrypt(&f, test_key, plain, f.raw.n - 1, &p), HJ212_E_TOO_LONG);
    assert_int_equal(hj212_decrypt(&f, test_key, plain, sizeof plain, &p), HJ212_E_OK);
    assert_true(p.encrypted && lt_slice_eq(p.cp, area) && p.cp.p > plain && p.cp.p < plain + sizeof plain);
    /* commands the field sends in the clear are no cipher */
    n = cipher_frame(3019, area, wire);
    assert_int_equal(hj212_parse((struct lt_slice){wire, n}, 0, &f), HJ212_E_CRC);
    /* less than one group stays plain, so the frame is an ordinary one */
    n = cipher_frame(2011, LT_LIT("a=1"), wire);
    assert_int_equal(hj212_parse((struct lt_slice){wire, n}, 0, &f), HJ212_E_OK);
}

/* Cipher text may hold CR LF, ## and &&: only the length counts. Areas are tried until such bytes are there. */
static void cipher_text_with_frame_bytes_is_cut_by_length(void **state)
{
    int found = 0;
    for (int i = 0; i < 200000 && found < 6; i++) {
        char wire[2048], area[160], plain[2048];
        struct hj212_frame f, p;
        int k =
            snprintf(area, sizeof area, "DataTime=20260301080000;a21026-Rtd=%d.1,a21026-Flag=N;a00000-Rtd=%d", i, i);
        size_t n = cipher_frame(2011, (struct lt_slice){area, (size_t)k}, wire);
        if (!memmem(wire + 90, n - 102, "\r\n", 2) && !memmem(wire + 90, n - 102, "##", 2))
            continue;
        found++;
        memcpy(wire + n, GOOD "\r\n", sizeof GOOD + 1);
        struct hj212_cut c = hj212_cut(wire, n + sizeof GOOD + 1, false, 0);
        assert_true(c.kind == HJ212_CUT_FRAME && c.used == n);
        assert_int_equal(hj212_parse(c.raw, 0, &f), HJ212_E_CIPHER);
        assert_int_equal(hj212_decrypt(&f, test_key, plain, sizeof plain, &p), HJ212_E_OK);
    }
    assert_int_equal(found, 6);
}

static void names(void **state)
{
    enum hj212_tolerance t;
    for (unsigned i = 0; i < HJ212_TOL_COUNT; i++) {
        assert_true(hj212_tolerance_from_name(lt_slice_of(hj212_tolerance_name((enum hj212_tolerance)i)), &t));
        assert_int_equal(t, i);
    }
    assert_false(hj212_tolerance_from_name(LT_LIT("crc"), &t));
    assert_string_equal(hj212_err_name(HJ212_E_CRC_ALGORITHM), "crc_algorithm");
    assert_string_equal(hj212_err_name(HJ212_E_CIPHER), "cipher");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_their_options),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(refused_frames_can_still_be_filed),
        cmocka_unit_test(crc_options),
        cmocka_unit_test(enciphered_frames),
        cmocka_unit_test(cipher_text_with_frame_bytes_is_cut_by_length),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("hj212_frame", tests, NULL, NULL);
}
