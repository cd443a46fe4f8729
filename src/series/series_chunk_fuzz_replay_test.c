/* The fuzz target over chunks of the encoder and mutations of them. */
#include "base/fuzz_replay.h"
#include "series/series_test.h"

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

int main(void)
{
    static uint8_t p[SEEDS][SEED_BYTES];
    static struct lt_slice seeds[SEEDS];
    struct lt_rand r;
    struct series_codec *k = series_codec_create();
    lt_rand_init(&r, 20261125);
    for (int i = 0; k && i < SEEDS; i++)
        seeds[i] = (struct lt_slice){(const char *)p[i], make(&r, k, p[i], SEED_BYTES)};
    series_codec_destroy(&k);
    return fuzz_replay_bytes("series_chunk", seeds, SEEDS, ROUNDS);
}
