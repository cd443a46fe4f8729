/* Known answers with their sources, and the properties of tree, signatures, texts and packages. */
#include "chain/chain.h"
#include "base/text.h"
#include "base/rand.h"
#include "hj212/hj212.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct chain_hasher *H;

static int setup(void **state)
{
    H = chain_hasher_create();
    return H ? 0 : -1;
}

static int teardown(void **state)
{
    chain_hasher_destroy(&H);
    return 0;
}

static size_t bytes_of(const char *hex, uint8_t *ret)
{
    size_t n = strlen(hex) / 2;
    char low[512];
    for (size_t i = 0; i <= 2 * n; i++)
        low[i] = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] + 32) : hex[i];
    assert_true(lt_text_unhex((struct lt_slice){low, 2 * n}, ret, n));
    return n;
}

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
    uint8_t want[256];
    assert_int_equal(bytes_of(hex, want), n);
    assert_memory_equal(p, want, n);
}

/* FIPS 180-4 (examples published by NIST) and GB/T 32905-2016, A.1 and A.2 */
static void hashes(void **state)
{
    static const struct {
        enum chain_algo a;
        const char *text, *hex;
    } v[] = {
        {CHAIN_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {CHAIN_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {CHAIN_SM3, "abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
        {CHAIN_SM3, "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd",
         "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        uint8_t h[CHAIN_HASH];
        const struct lt_slice s = lt_slice_of(v[i].text), two[2] = {{s.p, 1}, {s.p + 1, s.n - 1}};
        assert_true(chain_digest(H, v[i].a, &s, 1, h));
        assert_hex(h, sizeof h, v[i].hex);
        assert_true(chain_digest(H, v[i].a, two, 2, h));
        assert_hex(h, sizeof h, v[i].hex);
    }
}

/* GB/T 32907-2016, A.1: key and text are the same; by OpenSSL and by the frame codec's own */
static void sm4(void **state)
{
    uint8_t key[16], out[32];
    int n = 0;
    bytes_of("0123456789abcdeffedcba9876543210", key);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(c, EVP_sm4_ecb(), NULL, key, NULL), 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    assert_int_equal(EVP_EncryptUpdate(c, out, &n, key, 16), 1);
    EVP_CIPHER_CTX_free(c);
    assert_hex(out, 16, "681edf34d206965e86b3e94f536e4246");
    memset(out, 0, sizeof out);
    hj212_sm4_encrypt(key, key, 16, out);
    assert_hex(out, 16, "681edf34d206965e86b3e94f536e4246");
}

/* RFC 8032, 7.1, TEST 1 to 3 */
static void ed25519(void **state)
{
    static const char *const v[][4] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bb"
         "e2465"
         "5141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302"
         "aeeb0"
         "0d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed"
         "28dc0"
         "27beceea1ec40a"},
    };
    for (size_t i = 0; i < 3; i++) {
        uint8_t secret[32], pub[CHAIN_PUBLIC_MAX], msg[8], sig[CHAIN_SIG_MAX], want[64];
        size_t n = 0;
        bytes_of(v[i][0], secret);
        struct lt_slice m = {(char *)msg, bytes_of(v[i][2], msg)};
        struct chain_key *k = chain_key_of_secret(CHAIN_ED25519, secret);
        assert_int_equal(chain_key_public(k, pub), 32);
        assert_hex(pub, 32, v[i][1]);
        assert_true(chain_sign(k, m, sig, &n));
        assert_int_equal(n, bytes_of(v[i][3], want));
        assert_memory_equal(sig, want, n);
        struct chain_key *p = chain_key_of_public(CHAIN_ED25519, pub, 32);
        assert_true(chain_sig_holds(p, m, sig, n));
        sig[5] ^= 1;
        assert_false(chain_sig_holds(p, m, sig, n));
        chain_key_destroy(&p);
        chain_key_destroy(&k);
    }
}

/* GB/T 32918.5-2017, A.2: "message digest", user 1234567812345678 */
static void sm2(void **state)
{
    uint8_t d[32], pub[65], got[CHAIN_PUBLIC_MAX], der[CHAIN_SIG_MAX], sig[CHAIN_SIG_MAX];
    size_t n = 0;
    bytes_of("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8", d);
    bytes_of("0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
             "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13",
             pub);
    size_t der_n = bytes_of("3046022100F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
                            "022100B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
                            der);
    struct lt_slice m = LT_LIT("message digest"), other = LT_LIT("message digesu");
    struct chain_key *k = chain_key_of_secret(CHAIN_SM2, d), *p = chain_key_of_public(CHAIN_SM2, pub, 65);
    assert_non_null(k);
    assert_non_null(p);
    assert_int_equal(chain_key_public(k, got), 65);
    assert_memory_equal(got, pub, 65);
    assert_true(chain_sig_holds(p, m, der, der_n));
    assert_false(chain_sig_holds(p, other, der, der_n));
    for (int i = 0; i < 50; i++) { /* lengths of r and s differ from time to time */
        assert_true(chain_sign(k, m, sig, &n));
        assert_true(chain_sig_holds(p, m, sig, n));
        assert_false(chain_sig_holds(p, other, sig, n));
    }
    uint8_t longer[CHAIN_SIG_MAX] = {0x30, 0x81}; /* the same signature with a longer length: not canonical */
    longer[2] = (uint8_t)(n - 2);
    memcpy(longer + 3, sig + 2, n - 2);
    assert_false(chain_sig_holds(p, m, longer, n + 1));
    chain_key_destroy(&p);
    chain_key_destroy(&k);
}

static void keys_in_other_than_their_one_form(void **state)
{
    uint8_t p[32];
    struct chain_key *k;
    memset(p, 0xFF, sizeof p);
    for (int sign = 0; sign < 2; sign++) {
        p[31] = sign ? 0xFF : 0x7F;
        for (int low = 0xED; low <= 0xFF; low++) { /* y = p, p + 1 … */
            p[0] = (uint8_t)low;
            assert_null(chain_key_of_public(CHAIN_ED25519, p, sizeof p));
        }
        p[0] = 0xEC;
        k = chain_key_of_public(CHAIN_ED25519, p, sizeof p);
        assert_int_equal(k == NULL, sign);
        chain_key_destroy(&k);
    }
    memset(p, 0, sizeof p);
    p[0] = 1;
    p[31] = 0x80;
    assert_null(chain_key_of_public(CHAIN_ED25519, p, sizeof p));
}

static void keys_survive_pem(void **state)
{
    for (int t = 0; t < CHAIN_KEY_TYPES; t++) {
        struct lt_buf pem = LT_BUF_INIT(8192);
        uint8_t a[CHAIN_PUBLIC_MAX], b[CHAIN_PUBLIC_MAX], sig[CHAIN_SIG_MAX];
        size_t n = 0;
        struct chain_key *k = chain_key_generate((enum chain_key_type)t);
        assert_true(chain_key_pem(k, &pem));
        struct chain_key *again = chain_key_of_pem((enum chain_key_type)t, lt_buf_slice(&pem));
        assert_non_null(again);
        assert_null(chain_key_of_pem((enum chain_key_type)(1 - t), lt_buf_slice(&pem)));
        assert_int_equal(chain_key_public(k, a), chain_public_len[t]);
        assert_int_equal(chain_key_public(again, b), chain_public_len[t]);
        assert_memory_equal(a, b, chain_public_len[t]);
        assert_true(chain_sign(again, LT_LIT("x"), sig, &n));
        assert_true(chain_sig_holds(k, LT_LIT("x"), sig, n));
        lt_buf_fini(&pem);
        chain_key_destroy(&again);
        chain_key_destroy(&k);
    }
}

/* The reference vectors of Certificate Transparency (RFC 6962's own code, merkle tree test). */
static const char *const ct_leaf[8] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
static const char *const ct_root[9] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                       "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                       "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                       "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                       "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                       "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                       "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                       "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                       "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void ct_leaves(struct chain_pair ret[8])
{
    for (int i = 0; i < 8; i++) {
        uint8_t m[17];
        assert_true(chain_leaf_both(H, m, bytes_of(ct_leaf[i], m + 1), &ret[i]));
    }
}

static void tree_of_certificate_transparency(void **state)
{
    struct chain_pair leaf[8];
    ct_leaves(leaf);
    for (size_t n = 0; n <= 8; n++) {
        struct chain_tree t;
        struct chain_pair root;
        assert_true(chain_tree_init(&t, H));
        for (size_t i = 0; i < n; i++)
            chain_tree_add(&t, &leaf[i]);
        assert_true(chain_tree_finish(&t, &root));
        assert_hex(root.h[CHAIN_SHA256], CHAIN_HASH, ct_root[n]);
        chain_tree_fini(&t);
    }
    uint8_t path[CHAIN_PATH_MAX][CHAIN_HASH];
    size_t n = 0;
    static const char *const inclusion[3] = {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                                             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"};
    assert_true(chain_path(H, CHAIN_SHA256, leaf, 8, NULL, 8, 0, path, &n));
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        assert_hex(path[i], CHAIN_HASH, inclusion[i]);
}

/* The definition itself, top down; the units under test work bottom up. */
static void mth(enum chain_algo a, const struct chain_pair *leaf, size_t n, uint8_t ret[CHAIN_HASH])
{
    if (n == 1) {
        memcpy(ret, leaf->h[a], CHAIN_HASH);
        return;
    }
    size_t k = 1;
    while (k * 2 < n)
        k *= 2;
    uint8_t l[CHAIN_HASH], r[CHAIN_HASH];
    mth(a, leaf, k, l);
    mth(a, leaf + k, n - k, r);
    assert_true(chain_node(H, a, l, r, ret));
}

static struct chain_pair *many(size_t n)
{
    struct chain_pair *leaf = malloc(n * sizeof *leaf);
    assert_non_null(leaf);
    for (size_t i = 0; i < n; i++) {
        uint8_t m[9] = {0};
        memcpy(m + 1, &i, sizeof i);
        assert_true(chain_leaf_both(H, m, 8, &leaf[i]));
    }
    return leaf;
}

static void check_tree(const struct chain_pair *leaf, size_t n)
{
    struct chain_tree t;
    struct chain_pair root;
    uint8_t want[CHAIN_HASH], path[CHAIN_PATH_MAX][CHAIN_HASH];
    assert_true(chain_tree_init(&t, H));
    for (size_t i = 0; i < n; i++)
        chain_tree_add(&t, &leaf[i]);
    assert_true(chain_tree_finish(&t, &root));
    assert_int_equal(t.n_node, chain_tree_nodes(n));
    for (int a = 0; a < CHAIN_ALGOS; a++) {
        enum chain_algo al = (enum chain_algo)a;
        mth(al, leaf, n, want);
        assert_memory_equal(root.h[a], want, CHAIN_HASH);
        for (size_t i = 0; i < n; i += 1 + n / 37) {
            size_t block = i / CHAIN_KEEP * CHAIN_KEEP, in = n - block < CHAIN_KEEP ? n - block : CHAIN_KEEP, m = 0;
            assert_true(chain_path(H, al, leaf + block, in, t.node, n, i, path, &m));
            assert_true(chain_path_holds(H, al, leaf[i].h[a], i, n, path, m, root.h[a]));
            assert_false(chain_path_holds(H, al, leaf[i].h[a], i ^ 1, n, path, m, root.h[a]) && n > 1);
            assert_false(chain_path_holds(H, al, leaf[(i + 1) % n].h[a], i, n, path, m, root.h[a]) && n > 1);
            if (m) {
                path[m / 2][3] ^= 4;
                assert_false(chain_path_holds(H, al, leaf[i].h[a], i, n, path, m, root.h[a]));
            }
        }
    }
    chain_tree_fini(&t);
}

static void trees_of_every_size(void **state)
{
    struct chain_pair *leaf = many(5000);
    for (size_t n = 1; n <= 70; n++)
        check_tree(leaf, n);
    static const size_t sizes[] = {1023, 1024, 1025, 2047, 2048, 2049, 3071, 3072, 4097, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_tree(leaf, sizes[i]);
    free(leaf);
}

static void records(void **state)
{
    static uint8_t mem[CHAIN_RECORD_MAX];
    struct chain_record r = {.seq = 258,
                             .ref = 3,
                             .at_ms = -2,
                             .conn = 9,
                             .flags = 1,
                             .kind = 1,
                             .reason = 66,
                             .mn = LT_LIT("MN7"),
                             .bytes = LT_LIT("##0001")},
                        got;
    size_t n = chain_record_write(&r, mem);
    assert_int_equal(n, CHAIN_RECORD_HEAD + 9);
    assert_hex(mem, n,
               "4c544a31"
               "0201000000000000"
               "feffffffffffffff"
               "0300000000000000"
               "09000000"
               "0100"
               "01"
               "42"
               "0300"
               "06000000"
               "4d4e37"
               "232330303031");
    assert_true(chain_record_read((struct lt_slice){(char *)mem, n}, &got));
    assert_true(got.seq == r.seq && got.at_ms == r.at_ms && got.ref == r.ref && lt_slice_eq(got.bytes, r.bytes));
    assert_false(chain_record_read((struct lt_slice){(char *)mem, n - 1}, &got));
    assert_false(chain_record_read((struct lt_slice){(char *)mem, n + 1}, &got));
    struct lt_buf row = LT_BUF_INIT(100);
    chain_row_begin(&row, 'A');
    chain_row_i64(&row, 7);
    chain_row_bytes(&row, LT_LIT("ab"));
    assert_hex((uint8_t *)row.p, row.n,
               "4c544131"
               "0700000000000000"
               "02000000"
               "6162");
    lt_buf_fini(&row);
}

static void make_day(struct lt_buf *text, void (*spoil)(struct chain_day *d))
{
    struct chain_day d = {
        .n = 17, .day = 20261125, .part = 1, .final = true, .tz_min = 480, .sealed_at_ms = 1795564800000};
    struct chain_key *k[2] = {chain_key_generate(CHAIN_ED25519), chain_key_generate(CHAIN_SM2)};
    uint8_t pub[CHAIN_PUBLIC_MAX];
    assert_int_equal(chain_key_public(k[0], pub), 32);
    memcpy(d.ed25519, pub, 32);
    assert_int_equal(chain_key_public(k[1], d.sm2), 65);
    assert_true(chain_key_id(H, d.ed25519, d.sm2, d.key));
    for (int i = 1; i < CHAIN_STREAMS; i++)
        assert_true(chain_digest_both(H, LT_LIT(""), &d.stream[i].root));
    d.stream[0] = (struct chain_range){.first = 1, .last = 9, .count = 9};
    if (spoil)
        spoil(&d);
    chain_day_write_signed(&d, text);
    for (int t = 0; t < 2; t++)
        assert_true(chain_sign(k[t], lt_buf_slice(text), d.sig[t], &d.sig_n[t]));
    chain_day_write_sigs(&d, text);
    chain_key_destroy(&k[0]);
    chain_key_destroy(&k[1]);
}

static void day_statement(void **state)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX), line = LT_BUF_INIT(500);
    struct chain_day d, bad;
    unsigned at = 0;
    bool holds[2];
    make_day(&text, NULL);
    assert_true(chain_day_parse(lt_buf_slice(&text), &d, &at));
    assert_true(d.n == 17 && d.day == 20261125 && d.final && d.stream[0].count == 9);
    assert_true(chain_day_sig_holds(H, &d, lt_buf_slice(&text), holds));
    assert_true(chain_day_line(H, &d, lt_buf_slice(&text), &line));
    assert_memory_equal(line.p, "LANTIAN ", 8);
    /* every single bit: the text is refused or a signature does not hold */
    for (size_t i = 0; i < text.n * 8; i++) {
        text.p[i / 8] = (char)(text.p[i / 8] ^ (1 << (i % 8)));
        if (chain_day_parse(lt_buf_slice(&text), &bad, &at))
            assert_false(chain_day_sig_holds(H, &bad, lt_buf_slice(&text), holds));
        text.p[i / 8] = (char)(text.p[i / 8] ^ (1 << (i % 8)));
    }
    for (size_t n = 0; n < text.n; n++) {
        if (n && text.p[n - 1] == '\n')
            assert_false(chain_day_parse((struct lt_slice){text.p, n}, &bad, &at));
    }
    lt_buf_fini(&line);
    lt_buf_fini(&text);
}

static void no_number(struct chain_day *d)
{
    d->n = 0;
}

static void no_part(struct chain_day *d)
{
    d->part = 0;
}

static void before_1970(struct chain_day *d)
{
    d->sealed_at_ms = -1;
}

static void fewer_than_numbers(struct chain_day *d)
{
    d->stream[CHAIN_JOURNAL].last = 10;
}

static void backward(struct chain_day *d)
{
    d->stream[CHAIN_AUDIT] = (struct chain_range){.first = 9, .last = 3, .count = 2};
}

static void more_than_numbers(struct chain_day *d)
{
    d->stream[CHAIN_AUDIT] = (struct chain_range){.first = 3, .last = 9, .count = 8};
}

static void empty_with_numbers(struct chain_day *d)
{
    d->stream[CHAIN_VERDICT].last = 5;
}

static void empty_with_a_root(struct chain_day *d)
{
    d->stream[CHAIN_REMOVAL].root.h[CHAIN_SM3][3] ^= 1;
}

/* Whoever has the keys can sign such a statement; records would fall between two of them unseen. */
static void a_signed_statement_whose_numbers_disagree(void **state)
{
    void (*const spoil[])(struct chain_day *) = {no_number, no_part,           before_1970,        fewer_than_numbers,
                                                 backward,  more_than_numbers, empty_with_numbers, empty_with_a_root};
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
        struct chain_day d;
        unsigned at = 0;
        make_day(&text, spoil[i]);
        assert_false(chain_day_parse(lt_buf_slice(&text), &d, &at));
        lt_buf_fini(&text);
    }
}

static bool hit(void *user, size_t at, uint8_t was)
{
    const size_t *want = user;
    return at == want[0] && was == want[1];
}

static void package_file(void **state)
{
    struct chain_entry e[3] = {{.name = LT_LIT("manifest.json"), .data = LT_LIT("{\"a\":1}\n")},
                               {.name = LT_LIT("attachment/p-1.jpg"), .data = LT_LIT("")},
                               {.name = LT_LIT("b.bin"), .data = LT_LIT("some bytes, a few")}},
                       got[CHAIN_ZIP_ENTRIES];
    struct lt_buf f = LT_BUF_INIT(10000);
    size_t n = 0, at = 0;
    int was = 0;
    assert_true(chain_zip_write(e, 3, &f));
    assert_false(chain_zip_differs(lt_buf_slice(&f), e, 3, &at, &was));
    for (int back = 0; back < 2; back++) {
        assert_true(chain_zip_read(lt_buf_slice(&f), back, got, &n, &at));
        assert_int_equal(n, 3);
        for (int i = 0; i < 3; i++)
            assert_true(lt_slice_eq(got[i].name, e[i].name) && lt_slice_eq(got[i].data, e[i].data));
    }
    /* every bit: one of the two readers gives the entries, and the comparison names the byte and what it was; or the
     * contents differ, and the CRC says where */
    for (size_t i = 0; i < f.n * 8; i++) {
        char right = f.p[i / 8];
        f.p[i / 8] = (char)(right ^ (1 << (i % 8)));
        bool found = false;
        for (int back = 0; back < 2 && !found; back++) {
            if (!chain_zip_read(lt_buf_slice(&f), back, got, &n, &at) || n != 3)
                continue;
            size_t in = 3;
            for (size_t k = 0; k < 3; k++)
                if (lt_slice_eq(got[k].name, e[k].name) && got[k].data.n == e[k].data.n &&
                    !lt_slice_eq(got[k].data, e[k].data))
                    in = k;
            if (in < 3) {
                uint32_t crc[2];
                size_t want[2] = {i / 8 - (size_t)(got[in].data.p - f.p), (uint8_t)right};
                chain_zip_crc(lt_buf_slice(&f), got, n, in, crc);
                found = crc[0] == crc[1] && chain_crc_places(got[in].data, crc[0], hit, want);
            } else if (lt_slice_eq(got[0].name, e[0].name) && lt_slice_eq(got[1].name, e[1].name) &&
                       lt_slice_eq(got[2].name, e[2].name)) {
                found = chain_zip_differs(lt_buf_slice(&f), got, n, &at, &was) && at == i / 8 && was == (uint8_t)right;
            }
        }
        assert_true(found);
        f.p[i / 8] = right;
    }
    static const char *const bad[] = {"", "/a", "a/", "a//b", "../a", "a/..", "a b", "a/./b", "\xe4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(chain_zip_name_ok(lt_slice_of(bad[i])));
    lt_buf_fini(&f);
}

static void crc_finds_a_byte(void **state)
{
    struct lt_rand r;
    lt_rand_init(&r, 5);
    static char big[100000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)lt_rand_u64(&r);
    struct lt_slice s = {big, sizeof big};
    uint32_t right = chain_crc32(s);
    assert_int_equal(chain_crc32(LT_LIT("123456789")), 0xCBF43926); /* the check value of CRC-32 */
    for (int i = 0; i < 50; i++) {
        size_t want[2] = {(size_t)lt_rand_below(&r, sizeof big), 0};
        want[1] = (uint8_t)big[want[0]];
        big[want[0]] = (char)(big[want[0]] ^ (char)(1 + lt_rand_below(&r, 255)));
        assert_true(chain_crc_places(s, right, hit, want));
        big[want[0]] = (char)want[1];
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(sm4),
        cmocka_unit_test(ed25519),
        cmocka_unit_test(sm2),
        cmocka_unit_test(keys_in_other_than_their_one_form),
        cmocka_unit_test(keys_survive_pem),
        cmocka_unit_test(tree_of_certificate_transparency),
        cmocka_unit_test(trees_of_every_size),
        cmocka_unit_test(records),
        cmocka_unit_test(day_statement),
        cmocka_unit_test(a_signed_statement_whose_numbers_disagree),
        cmocka_unit_test(package_file),
        cmocka_unit_test(crc_finds_a_byte),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
