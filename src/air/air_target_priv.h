/* Inside the targets only. */
#ifndef LT_AIR_TARGET_PRIV_H
#define LT_AIR_TARGET_PRIV_H
#include "air/air_target.h"

bool target_is_mean(enum air_indicator i, enum airq_pollutant *ret); /* of a pollutant judged by its mean */
int64_t target_wide_fix(enum airq_pollutant p, lt_i128 wide);        /* wide ticks (airq_assess.h) to millionths */
enum lt_err target_figure(const struct airq_standard *s, const struct airq_day *days, size_t n, struct air_figure *ret,
                          struct lt_error *err) LT_MUST_CHECK;
/* From the same days of past years: last year's value, what is affordable, the probability. */
enum lt_err target_odds(struct air_look *l, const struct airq_day *known, size_t n, struct air_target_state *s,
                        struct lt_error *err) LT_MUST_CHECK;
/* Mean of the territory's days [from, to]; AIRQ_NONE. */
enum lt_err target_mean(struct air_look *l, int64_t territory, enum airq_pollutant p, const struct airq_standard *s,
                        int32_t from, int32_t to, int64_t *ret, struct lt_error *err) LT_MUST_CHECK;
#endif
