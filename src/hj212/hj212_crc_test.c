/* The CRC: vectors of the standards, the fold against the bit by bit form, its known weakness; SM4. */
#include "hj212_test.h"
#include <openssl/evp.h>

static uint16_t crc(const char *z)
{
    uint16_t c = hj212_crc(z, strlen(z));
    assert_int_equal(c, hj212_crc_plain(z, strlen(z)));
    return c;
}

static void crc_of_published_frames(void **state)
{
    assert_int_equal(crc(""), 0xFFFF);
    assert_int_equal(crc("A"), 0x7080);
    assert_int_equal(crc("123456789"), 0x2F80);
    assert_int_equal(hj212_crc_modbus("123456789", 9), 0x4B37);
    /* HJ 212-2017 Appendix A (the text below it prints 1C08: a misprint) */
    assert_int_equal(crc("QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&"
                         "RtdInterval=30&&"),
                     0x1C80);
    /* HJ 212-2025 Appendix A.1 */
    assert_int_equal(crc("QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&"),
                     0x2200);
    assert_int_equal(crc("QN=20231008125115215;ST=22;CN=9011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&"
                         "QnRtn=1&&"),
                     0xCC01);
    assert_int_equal(crc("ST=31;CN=2021;PW=123456;MN=ZG130102201666;CP=&&DataTime=20180119131000;SB1-RS=0;SB2-RS=0;"
                         "SB3-RS=0;SB4-RS=0;SB5-RS=0;SB6-RS=0;SB7-RS=0;SB8-RS=0&&"),
                     0xCAC1);
    /* the best-known example of all carries 4980, which is wrong */
    assert_int_equal(crc("ST=32;CN=2011;PW=123456;MN=LD130133000015;CP=&&DataTime=20160824003817;B01-Rtd=36.91;"
                         "011-Rtd=231.0,011-Flag=N;060-Rtd=1.803,060-Flag=N&&"),
                     0x3C00);
}

static void fold_equals_bit_by_bit_at_every_length(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 212);
    for (size_t n = 0; n <= 2000; n++) {
        char bytes[2000];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)lt_rand_u64(&r);
        struct lt_slice s = test_exact((struct lt_slice){bytes, n});
        assert_int_equal(hj212_crc(s.p, n), hj212_crc_plain(s.p, n));
        drop(s);
    }
}

static void low_byte_is_one_of_eight(void **state)
{
    for (unsigned i = 0; i < 65536; i++) {
        const char b[2] = {(char)(i >> 8), (char)i};
        assert_int_equal(hj212_crc(b, 2) & 0x3E, 0);
    }
}

/* Not a wish: it must be known that this passes, so nothing may rest on the CRC alone. */
static void bytes_eight_apart_swapped_pass(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 8);
    for (int round = 0; round < 1000; round++) {
        char b[64];
        for (size_t i = 0; i < sizeof b; i++)
            b[i] = (char)(' ' + lt_rand_below(&r, 95));
        uint16_t before = hj212_crc_plain(b, sizeof b);
        size_t i = lt_rand_below(&r, 56);
        char t = b[i];
        b[i] = b[i + 8];
        b[i + 8] = t;
        assert_int_equal(hj212_crc_plain(b, sizeof b), before);
        assert_int_equal(hj212_crc(b, sizeof b), before);
    }
}

/* GM/T 0002-2012 Appendix A: one block, and one million rounds of it. */
static void sm4_vectors_of_the_standard(void **state)
{
    static const uint8_t key[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF,
                                    0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10};
    static const uint8_t once[16] = {0x68, 0x1E, 0xDF, 0x34, 0xD2, 0x06, 0x96, 0x5E,
                                     0x86, 0xB3, 0xE9, 0x4F, 0x53, 0x6E, 0x42, 0x46};
    static const uint8_t million[16] = {0x59, 0x52, 0x98, 0xC7, 0xC6, 0xFD, 0x27, 0x1F,
                                        0x04, 0x02, 0xF8, 0x04, 0xC3, 0x3D, 0x3F, 0x66};
    uint8_t b[16];
    hj212_sm4_encrypt(key, key, 16, b);
    assert_memory_equal(b, once, 16);
    for (int i = 1; i < 1000000; i++)
        hj212_sm4_encrypt(key, b, 16, b);
    assert_memory_equal(b, million, 16);
    hj212_sm4_decrypt(key, once, 16, b);
    assert_memory_equal(b, key, 16);
}

/* HJ 212-2025 Appendix H (there with PKCS#7 padding and Base64). */
static void sm4_vector_of_appendix_h(void **state)
{
    const char *text = "testuser:AezF0nZRs4kypuGO";
    uint8_t in[32], out[32];
    char base64[64];
    memset(in, 7, sizeof in); /* PKCS#7: seven bytes are missing */
    memcpy(in, text, 25);
    hj212_sm4_encrypt((const uint8_t *)"msbE74gsiSHSEh5e", in, 32, out);
    EVP_EncodeBlock((unsigned char *)base64, out, 32);
    assert_string_equal(base64, "LG/m7lsFU/taig+vbQsDJXy4NGAaE2j2lplPwhZM7iM=");
}

static void sm4_equals_openssl_and_leaves_the_rest(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 4);
    for (size_t n = 0; n < 200; n++) {
        uint8_t key[16], in[200], out[200], back[200], other[216];
        int k = 0;
        for (size_t i = 0; i < 16; i++)
            key[i] = (uint8_t)lt_rand_u64(&r);
        for (size_t i = 0; i < n; i++)
            in[i] = (uint8_t)lt_rand_u64(&r);
        hj212_sm4_encrypt(key, in, n, out);
        hj212_sm4_decrypt(key, out, n, back);
        assert_memory_equal(in, back, n);
        assert_memory_equal(in + n / 16 * 16, out + n / 16 * 16, n % 16);
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        assert_int_equal(EVP_EncryptInit_ex(c, EVP_sm4_ecb(), NULL, key, NULL), 1);
        EVP_CIPHER_CTX_set_padding(c, 0);
        assert_int_equal(EVP_EncryptUpdate(c, other, &k, in, (int)(n / 16 * 16)), 1);
        assert_int_equal(k, n / 16 * 16);
        assert_memory_equal(out, other, (size_t)k);
        EVP_CIPHER_CTX_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_of_published_frames),
        cmocka_unit_test(fold_equals_bit_by_bit_at_every_length),
        cmocka_unit_test(low_byte_is_one_of_eight),
        cmocka_unit_test(bytes_eight_apart_swapped_pass),
        cmocka_unit_test(sm4_vectors_of_the_standard),
        cmocka_unit_test(sm4_vector_of_appendix_h),
        cmocka_unit_test(sm4_equals_openssl_and_leaves_the_rest),
    };
    return cmocka_run_group_tests_name("hj212_crc", tests, NULL, NULL);
}
