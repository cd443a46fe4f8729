/* Runs the fuzz target as an ordinary test: chunks of the encoder, mutated with a fixed seed. With a directory
 * as argument it writes unmutated ones there, as the corpus to start the fuzzer with. */
#include "base/fuzz_replay.h"
#include "series/series_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUNDS = 20000, SEEDS = 400, SEED_BYTES = 1 << 12 };

static size_t make(struct lt_rand *r, struct series_codec *k, uint8_t *ret, size_t cap)
{
    struct series_key key = {7, SERIES_MIN, SERIES_SPAN_HOUR, T0};
    struct series_chunk c;
    key.span = (uint8_t)lt_rand_below(r, 2);
    series_chunk_init(&c, &key);
    unsigned rows = (unsigned)lt_rand_below(r, 60), same = (unsigned)lt_rand_below(r, 2);
    struct test_row first = random_row(r);
    for (unsigned i = 0; i < rows; i++) {
        struct test_row t = same ? first : random_row(r);
        t.row.at_ms = T0 + i / 2 * LT_MIN_MS;
        t.row.cells = t.cells;
        if (series_chunk_put(&c, &t.row, false) == SERIES_PUT_NOMEM)
            abort();
    }
    bool whole = lt_rand_below(r, 4) == 0;
    struct lt_slice bytes = whole ? series_chunk_encode(k, &c, 1) : series_chunk_encode_raw(k, &c);
    size_t n = bytes.n + 1 < cap ? bytes.n + 1 : cap;
    ret[0] = (uint8_t)((unsigned)whole | (unsigned)key.span << 1 | (unsigned)lt_rand_below(r, 2) << 2);
    memcpy(ret + 1, bytes.p, n - 1);
    series_chunk_fini(&c);
    return n;
}

static int replay(void)
{
    static uint8_t p[SEEDS][SEED_BYTES];
    static struct lt_slice seeds[SEEDS];
    struct lt_rand r;
    struct series_codec *k = series_codec_create();
    lt_rand_init(&r, 20261125);
    for (int i = 0; k && i < SEEDS; i++)
        seeds[i] = (struct lt_slice){(const char *)p[i], make(&r, k, p[i], SEED_BYTES)};
    series_codec_destroy(&k);
    return fuzz_replay_bytes("series_chunk", LLVMFuzzerTestOneInput, seeds, SEEDS, ROUNDS);
}

static int write_corpus(const char *dir)
{
    static uint8_t p[1 << 15];
    struct lt_rand r;
    struct series_codec *k = series_codec_create();
    lt_rand_init(&r, 1);
    for (int i = 0; k && i < 200; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/seed%03d", dir, i);
        size_t n = make(&r, k, p, 1 << 12);
        FILE *f = fopen(path, "wb");
        bool good = f && fwrite(p, 1, n, f) == n;
        if (!f || fclose(f) != 0 || !good)
            return 1;
    }
    series_codec_destroy(&k);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return write_corpus(argv[1]);
    return replay();
}
