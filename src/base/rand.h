/* A small seeded generator for simulation and tests (never for secrets): xoshiro256** by Blackman and Vigna. */
#ifndef LT_BASE_RAND_H
#define LT_BASE_RAND_H
#include "base/fix.h"

struct lt_rand {
    uint64_t s[4];
};

static inline void lt_rand_init(struct lt_rand *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        r->s[i] = z ^ (z >> 31);
    }
}

static inline uint64_t lt_rand_u64(struct lt_rand *r)
{
    uint64_t *s = r->s, m = s[1] * 5, result = ((m << 7) | (m >> 57)) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* 0 <= x < n; n > 0 */
static inline uint64_t lt_rand_below(struct lt_rand *r, uint64_t n)
{
    return (uint64_t)(((lt_u128)lt_rand_u64(r) * n) >> 64);
}

/* 0 <= x < 1 */
static inline double lt_rand_unit(struct lt_rand *r)
{
    return (double)(lt_rand_u64(r) >> 11) * 0x1.0p-53;
}
#endif
