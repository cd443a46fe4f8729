/* Replays a fuzz target as an ordinary test: a small corpus, then seeded random mutations of it. Included by
 * NAME_fuzz_replay_test.c only. */
#ifndef LT_BASE_FUZZ_REPLAY_H
#define LT_BASE_FUZZ_REPLAY_H
#include "base/rand.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_REPLAY_MAX   16384
#define FUZZ_REPLAY_SAVED 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline size_t fuzz_mutate(struct lt_rand *r, uint8_t *p, size_t n)
{
    for (uint64_t i = 1 + lt_rand_below(r, 6); i > 0; i--) {
        uint64_t what = lt_rand_below(r, 4);
        size_t at = n ? (size_t)lt_rand_below(r, n) : 0;
        if (what == 0 && n) {
            p[at] = (uint8_t)lt_rand_u64(r);
        } else if (what == 1 && n) {
            memmove(p + at, p + at + 1, n - at - 1);
            n--;
        } else if (what == 2 && n < FUZZ_REPLAY_MAX) {
            memmove(p + at + 1, p + at, n - at);
            p[at] = (uint8_t) "{}[]\",:\\%/?&=.0e-+ \x80"[lt_rand_below(r, 20)];
            n++;
        } else if (n > 8 && n < FUZZ_REPLAY_MAX / 2) { /* doubles a stretch */
            size_t len = (size_t)lt_rand_below(r, n - at) + 1;
            memmove(p + at + len, p + at, n - at);
            n += len;
        }
    }
    return n;
}

/* Runs the target on a copy of exact size, so that a sanitizer sees a read past the end. With FUZZ_SEEDS=DIR in the
 * environment it stores the input there instead: the corpus a fuzzer starts with (tools/fuzz.py). */
static inline void fuzz_run(const uint8_t *p, size_t n)
{
    static unsigned saved;
    const char *dir = getenv("FUZZ_SEEDS");
    char path[1024];
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        abort();
    memcpy(exact, p, n);
    if (!dir) {
        LLVMFuzzerTestOneInput(exact, n);
    } else if (saved < FUZZ_REPLAY_SAVED) {
        snprintf(path, sizeof path, "%s/seed%04u", dir, saved++);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(exact, 1, n, f) != n || fclose(f) != 0)
            abort();
    }
    free(exact);
}

static inline int fuzz_done(const char *name, size_t seeds, unsigned rounds)
{
    printf("1..1\nok 1 - %s: %zu seeds, %u mutations\n", name, seeds, rounds);
    return 0;
}

/* Seeds of any bytes, then as many mutations of them; only the first half of FUZZ_REPLAY_MAX of a seed is mutated. */
static inline int fuzz_replay_bytes(const char *name, const struct lt_slice corpus[], size_t n_corpus, unsigned rounds)
{
    static uint8_t p[FUZZ_REPLAY_MAX * 2];
    struct lt_rand r;
    lt_rand_init(&r, 20261125);
    for (size_t i = 0; i < n_corpus; i++)
        fuzz_run((const uint8_t *)corpus[i].p, corpus[i].n);
    if (getenv("FUZZ_SEEDS"))
        return 0;
    for (unsigned i = 0; i < rounds; i++) {
        const struct lt_slice from = corpus[lt_rand_below(&r, n_corpus)];
        size_t n = from.n > FUZZ_REPLAY_MAX / 2 ? FUZZ_REPLAY_MAX / 2 : from.n;
        memcpy(p, from.p, n);
        fuzz_run(p, fuzz_mutate(&r, p, n));
    }
    return fuzz_done(name, n_corpus, rounds);
}

/* Inputs that `make` puts together, mutations included. */
static inline int fuzz_replay_made(const char *name, size_t (*make)(struct lt_rand *, uint8_t *ret, size_t cap),
                                   unsigned rounds)
{
    static uint8_t p[1 << 16];
    struct lt_rand r;
    lt_rand_init(&r, 20261125);
    for (unsigned i = 0; i < rounds; i++)
        fuzz_run(p, make(&r, p, sizeof p));
    return fuzz_done(name, 0, rounds);
}

static inline int fuzz_replay(const char *name, const char *const corpus[], size_t n_corpus, unsigned rounds)
{
    struct lt_slice *seeds = calloc(n_corpus, sizeof *seeds);
    if (!seeds)
        return 1;
    for (size_t i = 0; i < n_corpus; i++)
        seeds[i] = lt_slice_of(corpus[i]);
    const int ret = fuzz_replay_bytes(name, seeds, n_corpus, rounds);
    free(seeds);
    return ret;
}
#endif
