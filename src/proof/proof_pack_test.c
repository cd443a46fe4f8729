/* A package is sealed and checked; then every bit of it is turned, it is cut, entries are removed, added, exchanged,
 * its key replaced: each is found, and a single altered byte is named with what it was. */
#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "proof/proof_priv.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct lt_error err;
static char dir[64];
static struct proof_keys *keys;
static struct lt_buf file = {.limit = CHAIN_ZIP_MAX};

static void ok(enum lt_err e)
{
    char text[512];
    if (e != LT_OK) {
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("%s: %s", lt_err_name(e), text);
    }
}

static void add_frames(struct proof_pack *p, unsigned n)
{
    struct lt_buf *f = proof_pack_entry(p, "frames.bin");
    struct lt_buf lines = LT_BUF_INIT(1 << 20);
    static uint8_t mem[CHAIN_RECORD_MAX];
    for (unsigned i = 0; i < n; i++) {
        char text[600];
        int len = snprintf(text, sizeof text,
                           "##0400QN=20261125%06u;ST=31;CN=2011;MN=88888880000001;CP=&&a21026-Rtd=%u.%02u&&ABCD", i,
                           30 + i % 9, i % 100);
        const struct chain_record r = {
            .seq = 100 + i, .kind = 1, .mn = LT_LIT("88888880000001"), .bytes = {text, (size_t)len}};
        size_t m = chain_record_write(&r, mem);
        const char le[4] = {(char)(m & 255), (char)(m >> 8), 0, 0};
        lt_buf_add(f, le, 4);
        lt_buf_add(f, mem, m);
        lt_buf_addf(&lines, "{\"seq\":%u}\n", 100 + i);
    }
    lt_buf_add(proof_pack_entry(p, "decoded.jsonl"), lines.p, lines.n);
    lt_buf_fini(&lines);
}

static void seal(struct proof_keys *k, unsigned frames, const char *extra, struct lt_buf *out)
{
    struct proof_pack *p = proof_pack_create();
    struct chain_pair hash;
    struct lt_rand r;
    lt_rand_init(&r, 9);
    add_frames(p, frames);
    lt_buf_adds(proof_pack_entry(p, "alarm.json"), "{\"rule\":\"hour_exceed\"}\n");
    lt_buf_adds(proof_pack_entry(p, "cover.html"), "<!doctype html><title>证据包</title>\n");
    proof_pack_entry(p, "audit.jsonl"); /* empty */
    struct lt_buf *photo = proof_pack_entry(p, "attachment/photo.jpg");
    for (unsigned i = 0; i < frames * 20; i++)
        lt_buf_addc(photo, (char)lt_rand_u64(&r));
    if (extra)
        lt_buf_adds(proof_pack_entry(p, extra), "x");
    const struct proof_head h = {.name = "20261125-A000012-0",
                                 .type = "alarm",
                                 .sealed_at_ms = 1795564800000,
                                 .tz_min = 480,
                                 .alarm = {.id = 12, .key = "hour_exceed/…", .rule = "hour_exceed", .rule_version = 1},
                                 .journal_seq = 5,
                                 .n_left_out = 1,
                                 .left_out = {{"frames", "limit", 3}}};
    ok(proof_pack_seal(p, &h, k, out, &hash, &err));
    proof_pack_destroy(&p);
}

static int setup(void **state)
{
    lt_text_copy(dir, sizeof dir, "/tmp/proof_pack_XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    ok(proof_keys_open(dir, NULL, true, &keys, &err));
    seal(keys, 25, NULL, &file);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"keys/ed25519.pem", "keys/sm2.pem", "keys/public.txt", "keys", ""};
    for (int i = 0; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
    proof_keys_close(&keys);
    lt_buf_fini(&file);
    return 0;
}

static bool verify(struct lt_slice f, bool quick, struct proof_verdict *r)
{
    const struct proof_verify v = {.key = proof_keys_public(keys), .quick = quick};
    ok(proof_pack_verify(f, &v, r, &err));
    return r->ok;
}

static bool says(const struct proof_verdict *r, const char *code, bool good)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->check[i].code, code) == 0)
            return r->check[i].ok == good;
    return false;
}

static void whole(void **state)
{
    struct proof_verdict r;
    assert_true(verify(lt_buf_slice(&file), false, &r));
    assert_false(r.placed);
    for (size_t i = 0; i < r.n; i++)
        assert_true(r.check[i].ok);
    assert_true(says(&r, "bytes", true) && says(&r, "key", true) && says(&r, "hashes", true) &&
                says(&r, "frames", true));
    assert_string_equal(json_string_value(json_object_get(r.manifest, "name")), "20261125-A000012-0");
    json_decref(r.manifest);
    struct lt_slice e;
    assert_true(proof_pack_find(lt_buf_slice(&file), "alarm.json", &e));
    assert_int_equal(e.p[0], '{');
    assert_false(proof_pack_find(lt_buf_slice(&file), "nothing", &e));
}

/* ---- every bit ---- */

struct part {
    const struct lt_buf *f;
    size_t from, to;
    size_t bad; /* first bit that was not placed rightly, plus one */
};

static void *bits(void *arg)
{
    struct part *p = arg;
    char *copy = malloc(p->f->n);
    const struct proof_verify v = {.quick = true};
    if (!copy)
        return NULL;
    memcpy(copy, p->f->p, p->f->n);
    for (size_t i = p->from; i < p->to && !p->bad; i++) {
        struct proof_verdict r;
        uint8_t was = (uint8_t)copy[i / 8];
        copy[i / 8] = (char)(was ^ (1 << (i % 8)));
        if (proof_pack_verify((struct lt_slice){copy, p->f->n}, &v, &r, NULL) != LT_OK || r.ok || !r.placed ||
            r.at != i / 8 || r.was != was || r.is != (was ^ (1 << (i % 8))) || !r.exact)
            p->bad = i + 1;
        json_decref(r.manifest);
        copy[i / 8] = (char)was;
    }
    free(copy);
    return NULL;
}

static void every_bit(const struct lt_buf *f)
{
    struct part part[2] = {{f, 0, f->n * 4, 0}, {f, f->n * 4, f->n * 8, 0}};
    pthread_t t;
    int64_t t0 = lt_mono_ms();
    assert_int_equal(pthread_create(&t, NULL, bits, &part[1]), 0);
    bits(&part[0]);
    pthread_join(t, NULL);
    for (int i = 0; i < 2; i++)
        if (part[i].bad)
            fail_msg("bit %zu of byte %zu (of %zu) was not found and placed", (part[i].bad - 1) % 8,
                     (part[i].bad - 1) / 8, f->n);
    print_message("# %zu single bits of %zu bytes, each found and placed: %.1f s\n", f->n * 8, f->n,
                  (double)(lt_mono_ms() - t0) / 1000);
}

static void every_bit_is_found_and_placed(void **state)
{
    every_bit(&file);
    if (getenv("PROOF_BITS")) { /* the size of an ordinary package; some minutes */
        struct lt_buf big = LT_BUF_INIT(CHAIN_ZIP_MAX);
        seal(keys, 440, NULL, &big);
        every_bit(&big);
        lt_buf_fini(&big);
    }
}

static void a_flip_fails_every_way_of_checking(void **state)
{
    struct lt_rand rnd;
    lt_rand_init(&rnd, 77);
    for (int i = 0; i < 300; i++) {
        struct proof_verdict r;
        size_t at = (size_t)lt_rand_below(&rnd, file.n);
        char was = file.p[at];
        file.p[at] = (char)(was ^ (char)(1 + lt_rand_below(&rnd, 255))); /* any other byte */
        assert_false(verify(lt_buf_slice(&file), false, &r));
        assert_true(r.placed && r.at == at && r.was == (uint8_t)was);
        json_decref(r.manifest);
        file.p[at] = was;
    }
}

static void cut_and_lengthened(void **state)
{
    struct proof_verdict r;
    for (size_t n = 0; n < file.n; n += 1 + n / 9) {
        assert_false(verify((struct lt_slice){file.p, n}, false, &r));
        assert_true(r.placed && r.at <= n);
        json_decref(r.manifest);
    }
    assert_false(verify((struct lt_slice){file.p, file.n - 1}, false, &r));
    assert_int_equal(r.at, file.n - 1);
    json_decref(r.manifest);
    struct lt_buf longer = LT_BUF_INIT(CHAIN_ZIP_MAX);
    lt_buf_add(&longer, file.p, file.n);
    lt_buf_addc(&longer, 0);
    assert_false(verify(lt_buf_slice(&longer), false, &r));
    assert_int_equal(r.at, file.n);
    json_decref(r.manifest);
    lt_buf_fini(&longer);
}

/* The entries as they are, changed by an attacker who writes a proper ZIP again. */
static void rewritten(void (*spoil)(struct chain_entry *e, size_t *n), const char *code, const char *entry)
{
    struct chain_entry *e = calloc(CHAIN_ZIP_ENTRIES, sizeof *e);
    struct lt_buf out = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct proof_verdict r;
    size_t n = 0, at = 0;
    assert_true(chain_zip_read(lt_buf_slice(&file), false, e, &n, &at));
    spoil(e, &n);
    assert_true(chain_zip_write(e, n, &out));
    assert_false(verify(lt_buf_slice(&out), false, &r));
    assert_true(says(&r, code, false));
    assert_true(r.placed);
    if (entry)
        assert_string_equal(r.entry, entry);
    json_decref(r.manifest);
    lt_buf_fini(&out);
    free(e);
}

static void drop(struct chain_entry *e, size_t *n)
{
    memmove(e + 4, e + 5, (*n - 5) * sizeof *e);
    --*n;
}

static void exchange(struct chain_entry *e, size_t *n)
{
    struct chain_entry x = e[4];
    e[4] = e[5];
    e[5] = x;
}

static void insert(struct chain_entry *e, size_t *n)
{
    e[(*n)++] = (struct chain_entry){.name = LT_LIT("zz.txt"), .data = LT_LIT("more")};
}

static void alter(struct chain_entry *e, size_t *n)
{
    static char copy[200000];
    for (size_t i = 3; i < *n; i++)
        if (lt_slice_is(e[i].name, "frames.bin")) {
            memcpy(copy, e[i].data.p, e[i].data.n);
            copy[1000] ^= 1;
            copy[1100] ^= 1;
            e[i].data.p = copy;
        }
}

static void rename_one(struct chain_entry *e, size_t *n)
{
    e[4].name = LT_LIT("bbbbb");
}

static void no_signature(struct chain_entry *e, size_t *n)
{
    e[2].data = LT_LIT("00\n");
}

static void written_anew(void **state)
{
    rewritten(drop, "entries", NULL);
    rewritten(exchange, "entries", NULL);
    rewritten(insert, "entries", NULL);
    rewritten(rename_one, "entries", NULL);
    rewritten(alter, "hashes", "frames.bin");
    rewritten(no_signature, "signature_sm2", "signature.sm2");
}

/* ---- signed by the post's own keys, and yet not as FORMATS-proof.md says ---- */

static json_t *list_of(struct chain_hasher *h, struct chain_entry *e, size_t n, struct lt_buf *leaves)
{
    json_t *list = json_array();
    uint8_t root[CHAIN_HASH];
    char hex[2 * CHAIN_HASH + 1];
    for (size_t i = 3; i < n; i++)
        if (!lt_slice_is(e[i].name, "blocks.bin"))
            assert_true(proof_blocks(h, e[i].data, leaves, root));
    for (size_t i = 3; i < n; i++) {
        struct chain_pair p;
        json_t *o = json_object();
        bool blocks = lt_slice_is(e[i].name, "blocks.bin");
        if (blocks)
            e[i].data = lt_buf_slice(leaves);
        assert_true(chain_digest_both(h, e[i].data, &p) && proof_blocks(h, e[i].data, NULL, root));
        json_object_set_new(o, "name", json_stringn(e[i].name.p, e[i].name.n));
        json_object_set_new(o, "size", json_integer((json_int_t)e[i].data.n));
        lt_text_hex(p.h[CHAIN_SHA256], CHAIN_HASH, hex);
        json_object_set_new(o, "sha256", json_string(hex));
        lt_text_hex(p.h[CHAIN_SM3], CHAIN_HASH, hex);
        json_object_set_new(o, "sm3", json_string(hex));
        lt_text_hex(root, CHAIN_HASH, hex);
        json_object_set_new(o, "blocks", blocks ? json_null() : json_string(hex));
        json_array_append_new(list, o);
    }
    return list;
}

/* The package with other entries, and another manifest: listed, hashed and signed anew. */
static void sign_anew(void (*spoil)(struct chain_entry *e, size_t *n), void (*twist)(json_t *m), const char *end,
                      struct lt_buf *out)
{
    struct chain_entry *e = calloc(CHAIN_ZIP_ENTRIES, sizeof *e);
    struct chain_hasher *h = chain_hasher_create();
    struct lt_buf leaves = LT_BUF_INIT(1 << 20), head[3] = {LT_BUF_INIT(1 << 20), LT_BUF_INIT(1000), LT_BUF_INIT(1000)};
    size_t n = 0, at = 0;
    json_t *m = NULL;
    assert_true(chain_zip_read(lt_buf_slice(&file), false, e, &n, &at));
    if (spoil)
        spoil(e, &n);
    ok(jsonr_object(e[0].data, 1 << 20, &m, &err));
    json_object_set_new(m, "entries", list_of(h, e, n, &leaves));
    if (twist)
        twist(m);
    char *text = json_dumps(m, JSON_COMPACT);
    lt_buf_adds(&head[0], text);
    lt_buf_adds(&head[0], end);
    for (int t = 0; t < CHAIN_KEY_TYPES; t++) {
        uint8_t sig[CHAIN_SIG_MAX];
        char hex[2 * CHAIN_SIG_MAX + 1];
        size_t len = 0;
        assert_true(proof_keys_sign(keys, (enum chain_key_type)t, lt_buf_slice(&head[0]), sig, &len));
        lt_text_hex(sig, len, hex);
        lt_buf_adds(&head[1 + t], hex);
        lt_buf_addc(&head[1 + t], '\n');
    }
    for (int i = 0; i < 3; i++)
        e[i].data = lt_buf_slice(&head[i]);
    assert_true(chain_zip_write(e, n, out));
    free(text);
    json_decref(m);
    for (int i = 0; i < 3; i++)
        lt_buf_fini(&head[i]);
    lt_buf_fini(&leaves);
    chain_hasher_destroy(&h);
    free(e);
}

static void twice(struct chain_entry *e, size_t *n)
{
    e[*n] = e[*n - 1];
    ++*n;
}

static void second_manifest(struct chain_entry *e, size_t *n)
{
    e[(*n)++] = (struct chain_entry){.name = LT_LIT("manifest.json"), .data = LT_LIT("{}\n")};
}

static void other_seq(struct chain_entry *e, size_t *n)
{
    static char copy[2000];
    for (size_t i = 3; i < *n; i++)
        if (lt_slice_is(e[i].name, "decoded.jsonl")) {
            memcpy(copy, e[i].data.p, e[i].data.n);
            assert_memory_equal(copy, "{\"seq\":100}", 11);
            copy[8] = '7';
            e[i].data.p = copy;
        }
}

static void not_decoded(struct chain_entry *e, size_t *n)
{
    for (size_t i = 3; i < *n; i++)
        if (lt_slice_is(e[i].name, "decoded.jsonl")) {
            memmove(e + i, e + i + 1, (--*n - i) * sizeof *e);
            return;
        }
}

static json_t *entry_named(json_t *m, const char *name)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(m, "entries"), i,
                       o) if (strcmp(json_string_value(json_object_get(o, "name")), name) == 0) return o;
    return NULL;
}

static void blocks_of_blocks(json_t *m)
{
    json_object_set_new(entry_named(m, "blocks.bin"), "blocks", json_string("00"));
}

static void statement_a_number(json_t *m)
{
    json_object_set_new(m, "statement", json_integer(5));
}

static void signed_but_not_in_the_form(void **state)
{
    static const struct {
        void (*spoil)(struct chain_entry *e, size_t *n);
        void (*twist)(json_t *m);
        const char *end, *code;
    } v[] = {{twice, NULL, "\n", "entries"},
             {exchange, NULL, "\n", "entries"},
             {second_manifest, NULL, "\n", "entries"},
             {other_seq, NULL, "\n", "frames"},
             {not_decoded, NULL, "\n", "frames"},
             {NULL, blocks_of_blocks, "\n", "blocks"},
             {NULL, statement_a_number, "\n", "signature_ed25519"},
             {NULL, NULL, " \n", "signature_ed25519"}};
    struct lt_buf out = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct proof_verdict r;
    sign_anew(NULL, NULL, "\n", &out);
    assert_true(verify(lt_buf_slice(&out), false, &r)); /* what the others differ from */
    json_decref(r.manifest);
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        lt_buf_clear(&out);
        sign_anew(v[i].spoil, v[i].twist, v[i].end, &out);
        assert_false(verify(lt_buf_slice(&out), false, &r));
        if (!says(&r, v[i].code, false))
            fail_msg("case %zu: %s holds", i, v[i].code);
        json_decref(r.manifest);
    }
    lt_buf_fini(&out);
}

static void nine_more(struct chain_entry *e, size_t *n)
{
    static const char *const names[] = {"x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "z"};
    for (size_t i = 0; i < 9; i++)
        e[(*n)++] = (struct chain_entry){.name = lt_slice_of(names[i]), .data = LT_LIT("some bytes")};
}

/* Sizes whose blocks, counted together, come round to a small number again. */
static void sizes_come_round(json_t *m)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(m, "entries"), i, o) json_object_set_new(o, "size", json_integer(0));
    for (const char *k = "1234567"; *k; k++) {
        const char name[3] = {'x', *k, '\0'};
        json_object_set_new(entry_named(m, name), "size", json_integer(-256));
    }
    json_object_set_new(entry_named(m, "x8"), "size", json_integer(9 * 256));
    json_object_set_new(entry_named(m, "z"), "size", json_integer(-256));
}

static void a_manifest_that_lies_about_sizes(void **state)
{
    struct lt_buf out = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct proof_verdict r;
    struct lt_slice z;
    sign_anew(nine_more, sizes_come_round, "\n", &out);
    assert_true(proof_pack_find(lt_buf_slice(&out), "z", &z));
    out.p[z.p - out.p + 2] ^= 1; /* two bytes: no single one explains them, so the blocks are asked for the place */
    out.p[z.p - out.p + 5] ^= 1;
    assert_false(verify(lt_buf_slice(&out), false, &r));
    assert_true(says(&r, "bytes", false));
    json_decref(r.manifest);
    lt_buf_fini(&out);
}

static void another_key(void **state)
{
    char other[64] = "/tmp/proof_pack_XXXXXX";
    struct proof_keys *k = NULL;
    struct lt_buf out = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct proof_verdict r;
    const struct proof_verify unknown = {0};
    assert_non_null(mkdtemp(other));
    ok(proof_keys_open(other, NULL, true, &k, &err));
    seal(k, 5, NULL, &out);
    assert_false(verify(lt_buf_slice(&out), false, &r));
    assert_true(says(&r, "key", false));
    json_decref(r.manifest);
    ok(proof_pack_verify(lt_buf_slice(&out), &unknown, &r, &err)); /* without a known key it holds, and says so */
    assert_true(r.ok);
    for (size_t i = 0; i < r.n; i++)
        assert_true(strcmp(r.check[i].code, "key") != 0 || !r.check[i].done);
    json_decref(r.manifest);
    const struct proof_verify lines = {.lines = LT_LIT("LANTIAN 00112233445566778899aabbccddeeff n=1 day=20261124\n")};
    ok(proof_pack_verify(lt_buf_slice(&out), &lines, &r, &err));
    assert_true(says(&r, "published", false));
    json_decref(r.manifest);
    proof_keys_close(&k);
    lt_buf_fini(&out);
}

static void limits(void **state)
{
    struct proof_pack *p = proof_pack_create();
    const struct proof_head h = {.name = "x", .type = "alarm"};
    struct lt_buf out = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct chain_pair hash;
    lt_buf_adds(proof_pack_entry(p, "a"), "1");
    lt_buf_adds(proof_pack_entry(p, "a"), "2"); /* twice the same name */
    assert_int_equal(proof_pack_seal(p, &h, keys, &out, &hash, &err), LT_E_TOO_LARGE);
    proof_pack_destroy(&p);
    p = proof_pack_create();
    for (int i = 0; i < CHAIN_ZIP_ENTRIES + 5; i++) {
        char name[20];
        snprintf(name, sizeof name, "n%d", i);
        lt_buf_adds(proof_pack_entry(p, name), "1");
    }
    assert_int_equal(proof_pack_seal(p, &h, keys, &out, &hash, &err), LT_E_TOO_LARGE);
    proof_pack_destroy(&p);
    p = proof_pack_create();
    proof_pack_entry(p, "../up");
    assert_int_equal(proof_pack_seal(p, &h, keys, &out, &hash, &err), LT_E_TOO_LARGE);
    proof_pack_destroy(&p);
    lt_buf_fini(&out);
}

static void any_bytes(void **state)
{
    struct lt_rand rnd;
    lt_rand_init(&rnd, 4);
    for (int i = 0; i < 3000; i++) { /* several places at once, stretches moved: never a crash, never accepted */
        struct proof_verdict r;
        char *copy = malloc(file.n);
        size_t n = file.n;
        memcpy(copy, file.p, n);
        size_t a = (size_t)lt_rand_below(&rnd, n), len = (size_t)lt_rand_below(&rnd, 80) + 1;
        if (i % 3 == 0)
            n -= len;
        if (a + len < n)
            memmove(copy + a, copy + a + len / (i % 3 ? 1 : 2), n - a - len);
        for (uint64_t k = lt_rand_below(&rnd, 6) + 2; k > 0; k--)
            copy[lt_rand_below(&rnd, n)] = (char)lt_rand_u64(&rnd);
        bool same = n == file.n && memcmp(copy, file.p, n) == 0;
        assert_true(verify((struct lt_slice){copy, n}, i % 2, &r) == same);
        json_decref(r.manifest);
        assert_false(verify((struct lt_slice){copy + a, n - a}, true, &r) && a);
        json_decref(r.manifest);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(every_bit_is_found_and_placed),
        cmocka_unit_test(a_flip_fails_every_way_of_checking),
        cmocka_unit_test(cut_and_lengthened),
        cmocka_unit_test(written_anew),
        cmocka_unit_test(signed_but_not_in_the_form),
        cmocka_unit_test(a_manifest_that_lies_about_sizes),
        cmocka_unit_test(another_key),
        cmocka_unit_test(limits),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
