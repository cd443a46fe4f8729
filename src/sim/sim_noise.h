/* Value noise without state: the value of any moment is computed from the moment alone. Inside sim only. */
#ifndef LT_SIM_NOISE_H
#define LT_SIM_NOISE_H
#include <stdint.h>

static inline uint64_t sim_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * UINT64_C(0x9E3779B97F4A7C15) ^ (b + UINT64_C(0xD1B54A32D192ED03));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 <= x < 1 */
static inline double sim_unit(uint64_t h)
{
    return (double)(h >> 11) * 0x1.0p-53;
}

/* Smooth noise of about unit variance with a correlation time of `scale_ms`. */
static inline double sim_noise(uint64_t seed, int64_t at_ms, int64_t scale_ms)
{
    int64_t cell = at_ms / scale_ms;
    double f = (double)(at_ms % scale_ms) / (double)scale_ms;
    f = f * f * (3 - 2 * f);
    double a = sim_unit(sim_mix(seed, (uint64_t)cell)), b = sim_unit(sim_mix(seed, (uint64_t)cell + 1));
    return (a + (b - a) * f - 0.5) * 4;
}
#endif
