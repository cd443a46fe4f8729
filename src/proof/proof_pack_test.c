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
        cmocka_unit_test(another_key),
        cmocka_unit_test(limits),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
