/* Replays a fuzz target as an ordinary test: a small corpus, then seeded random mutations of it. Included by test
 * programs only. */
#ifndef LT_BASE_FUZZ_REPLAY_H
#define LT_BASE_FUZZ_REPLAY_H
#include "base/rand.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_REPLAY_MAX 4096

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

/* Seeds of any bytes. */
static inline int fuzz_replay_bytes(const char *name, int (*target)(const uint8_t *, size_t),
                                    const struct lt_slice corpus[], size_t n_corpus, unsigned rounds)
{
    static uint8_t p[FUZZ_REPLAY_MAX * 2];
    struct lt_rand r;
    lt_rand_init(&r, 20261125);
    for (size_t i = 0; i < n_corpus; i++)
        target((const uint8_t *)corpus[i].p, corpus[i].n);
    for (unsigned i = 0; i < rounds; i++) {
        const struct lt_slice from = corpus[lt_rand_below(&r, n_corpus)];
        size_t n = from.n > FUZZ_REPLAY_MAX / 2 ? FUZZ_REPLAY_MAX / 2 : from.n;
        memcpy(p, from.p, n);
        n = fuzz_mutate(&r, p, n);
        uint8_t *exact = malloc(n ? n : 1); /* so that the sanitizer sees a read past the end */
        if (!exact)
            return 1;
        memcpy(exact, p, n);
        target(exact, n);
        free(exact);
    }
    printf("1..1\nok 1 - %s: %zu seeds, %u mutations\n", name, n_corpus, rounds);
    return 0;
}

static inline int fuzz_replay(const char *name, int (*target)(const uint8_t *, size_t), const char *const corpus[],
                              size_t n_corpus, unsigned rounds)
{
    struct lt_slice *seeds = calloc(n_corpus, sizeof *seeds);
    if (!seeds)
        return 1;
    for (size_t i = 0; i < n_corpus; i++)
        seeds[i] = lt_slice_of(corpus[i]);
    const int ret = fuzz_replay_bytes(name, target, seeds, n_corpus, rounds);
    free(seeds);
    return ret;
}
#endif
