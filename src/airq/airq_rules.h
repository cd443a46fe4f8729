/* airq_rules: what is done with figures once they are there: attainment, changes in words, the season of a month,
 * what the days left may be, reference states and units. Pure; integers all the way.
 *
 * Concentrations are millionths as in airq.h; shares and changes are millionths of a per cent. AIRQ_NONE: unknown. */
#ifndef AIRQ_RULES_H
#define AIRQ_RULES_H
#include "airq/airq_assess.h"

/* ---- attainment (GB 3095, HJ 663) ---- */

enum airq_grade { AIRQ_GRADE_1 = 1, AIRQ_GRADE_2 = 2 };
/* Limits of a grade: of the annual mean (AIRQ_NONE for CO and O3, which have none), and of the day (O3: daily maximum
 * 8-h mean), which is also the limit of the annual percentile. */
int64_t airq_limit_year(const struct airq_standard *s, enum airq_grade g, enum airq_pollutant p);
int64_t airq_limit_day(const struct airq_standard *s, enum airq_grade g, enum airq_pollutant p);

enum airq_verdict { AIRQ_UNKNOWN, AIRQ_ATTAINED, AIRQ_EXCEEDED };
struct airq_attainment {
    struct {
        enum airq_verdict mean, percentile, verdict; /* mean: AIRQ_UNKNOWN for CO and O3, and not asked for there */
        int64_t mean_multiple, percentile_multiple;  /* (C-S)/S, two decimals; AIRQ_NONE when within or unknown */
        int64_t days_pct; /* share of valid days within the daily limit of grade II, one decimal */
    } item[AIRQ_POLLUTANTS];
    enum airq_verdict overall; /* exceeded when one is; attained when all six are */
};
/* A pollutant attains when its mean (not CO, O3) and its percentile are both within the limits. What is compared is the
 * figure rounded once to whole µg/m3, CO 0.1. Whether the figures are valid at all is airq_gaps(). */
void airq_attain(const struct airq_standard *s, enum airq_grade g, const struct airq_period *x,
                 struct airq_attainment *ret);
/* (conc-limit)/limit with two decimals, millionths; AIRQ_NONE when conc is unknown or within. */
int64_t airq_exceed_multiple(int64_t conc, int64_t limit);
/* n/of in per cent with one decimal; AIRQ_NONE when of is 0. */
int64_t airq_share_pct(int64_t n, int64_t of);

/* ---- hours ---- */

/* Running mean of the n hours before now (ticks, -1 missing): 8 for O3, 24 for particles; AIRQ_NONE with fewer than
 * GB 3095 asks for (6 of 8, 20 of 24; three quarters of other lengths). Exact, to the millionth half to even. */
int64_t airq_running_mean(enum airq_pollutant p, const int32_t *ticks, size_t n);
/* ---- figures of several periods ---- */

/* C/S of one pollutant as published (sub-index of the composite), two decimals; AIRQ_NONE. */
int64_t airq_composite_part(const struct airq_standard *s, enum airq_pollutant p, int64_t conc);
/* Composite index of a period with weights (NULL: all 1), from the same values airq_period() took. */
int64_t airq_period_composite(const struct airq_standard *s, const struct airq_period *x,
                              const int weight[AIRQ_POLLUTANTS]);

enum airq_change_kind {
    AIRQ_CHANGE_VALUE, /* told in per cent, airq_change_pct() */
    AIRQ_CHANGE_SHARE, /* a share: the difference in percentage points */
    AIRQ_CHANGE_COUNT  /* days: the difference in days; values are whole numbers times 1000000 */
};
/* Change of published figures by the habit of the papers: 下降5.9%, 上升2.1个百分点, 减少3天, 持平; "down 5.9 %",
 * "up 2.1 percentage points", "3 days fewer", "unchanged". Values that differ by less than 0.05 % are 基本持平, "almost
 * unchanged". "" when one is unknown or a value rose from nothing. */
void airq_change_text(enum airq_change_kind kind, int64_t before, int64_t now, bool english, char ret[96]);

/* ---- seasons ---- */

/* Autumn-winter (秋冬季): 1 October to 31 March. The year in which the one holding this month began; 0 from April to
 * September. */
int airq_autumn_winter_of(int year, int month);

/* ---- targets: what the days left may be ---- */

struct airq_sum { /* of the valid day values of one item */
    lt_i128 sum;  /* wide, see airq_assess.h */
    int n;
};
/* Adds the days' values as statistics take them (days whose PM is stripped for dust left out for PM). */
void airq_sum_days(struct airq_sum *sum, const struct airq_day *days, size_t n, enum airq_pollutant p);
/* From n days with a published mean, when days are not at hand. mean in millionths. */
struct airq_sum airq_sum_of_mean(enum airq_pollutant p, int64_t mean, int n);
/* Mean of the sum, rounded once; AIRQ_NONE without days. */
int64_t airq_sum_mean(const struct airq_sum *sum, enum airq_pollutant p, unsigned decimals);
/* The mean that `left` more days may have so that all of them together have a mean of at most `most` (年剩余日控制值):
 * exact, then rounded down to `decimals`. Below zero: cannot be met. AIRQ_NONE when left <= 0. */
int64_t airq_mean_left(const struct airq_sum *so_far, enum airq_pollutant p, int left, int64_t most, unsigned decimals);
/* The largest value (to the millionth) that is published as `target` or less: 38 whole: 38.5, since half goes to even;
 * 37 whole: 37.499999. To be given as `most` above when rounding is to help. */
int64_t airq_rounds_to(int64_t target, unsigned decimals);
/* The mean of all when the `left` days have this mean, rounded once. */
int64_t airq_mean_with(const struct airq_sum *so_far, enum airq_pollutant p, int left, int64_t mean_left,
                       unsigned decimals);
/* Days out of `left` that must be good so that the share of good days, published with one decimal, reaches target_pct.
 * 0: reached whatever comes; left + 1: out of reach. */
int airq_good_needed(int good, int valid, int left, int64_t target_pct);
/* The same the other way: how many of `left` may still be bad (heavy: share at most target_pct). -1: already too many
 * even if none comes. */
int airq_bad_allowed(int bad, int valid, int left, int64_t target_pct);
/* Days of a category still affordable under a target in days; below zero: so many too many. */
int airq_days_affordable(int so_far, int target_days);
/* Days above a percentile's target a period of `days` can surely have: with at most so many, the percentile (linear
 * between neighbours) is within. E.g. O3 p90 of 365 days: 36. */
int airq_above_allowed(int days, int percent);

/* ---- reference state and units ---- */

enum airq_state { AIRQ_STATE_273, AIRQ_STATE_298 }; /* gases: 273.15 K, 298.15 K; both 1013.25 hPa */
/* A gas from one state to the other, to the millionth, half to even. AIRQ_NONE stays; particles are not gases. */
int64_t airq_gas_convert(int64_t conc, enum airq_state from, enum airq_state to);
/* Gases at 298.15 K: µg/m3 to ppb, CO mg/m3 to ppm, and back (all millionths). AIRQ_NONE for particles. */
int64_t airq_to_ppb(enum airq_pollutant p, int64_t conc);
int64_t airq_from_ppb(enum airq_pollutant p, int64_t ppb);
#endif
