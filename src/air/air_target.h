/* air_target: where a target stands, what the days left may be, how likely it is, and what happens if. Works on a look
 * (air_figure.h); a day that lies ahead is an assumption and called so.
 *
 * Probability: the days left are drawn 1,000 times from the same days of past years (up to AIR_TARGET_YEARS, blocks of
 * five days, each from a random year and shifted by up to ten days, so that one year alone gives a spread too), after
 * the days measured so far. Seeded from the target's own dates, so that equal data give an equal answer. No trend is
 * assumed. */
#ifndef LT_AIR_TARGET_H
#define LT_AIR_TARGET_H
#include "air/air_figure.h"

#define AIR_TARGET_YEARS  10
#define AIR_TARGET_DRAWS  1000
#define AIR_TARGET_POINTS 64  /* of the road: weekly over a year */
#define AIR_TARGET_PARTS  100 /* counties, or plants of one county */
#define AIR_ASSUME_MAX    16  /* assumptions of one what-if */
#define AIR_PLAN_ROWS     25

enum air_indicator { /* choices of the record field, in its order */
                     AIR_I_PM25,
                     AIR_I_PM10,
                     AIR_I_SO2,
                     AIR_I_NO2,
                     AIR_I_CO,
                     AIR_I_O3,
                     AIR_I_COMPOSITE,
                     AIR_I_GOOD_DAYS,
                     AIR_I_GOOD_SHARE,
                     AIR_I_HEAVY_DAYS,
                     AIR_INDICATORS
};
const char *air_indicator_name(enum air_indicator i); /* "pm25" … */
const char *air_indicator_unit(enum air_indicator i, enum lt_lang lang);
const char *air_indicator_label(enum air_indicator i, enum lt_lang lang);
bool air_indicator_find(struct lt_slice name, enum air_indicator *ret);
bool air_indicator_pollutant(enum air_indicator i, enum airq_pollutant *ret); /* false: composite or days */
bool air_indicator_more_is_better(enum air_indicator i);
unsigned air_indicator_decimals(enum air_indicator i, const struct airq_standard *s);
int64_t air_indicator_of(const struct air_figure *f, enum air_indicator i); /* millionths; days times 1000000 */

struct air_target {
    int64_t id, record_version, territory, enterprise, parent; /* 0: none */
    char name[129], process[129], note[512], period[16];
    enum air_indicator indicator;
    int32_t start, end;
    bool percent;
    int64_t value, base, weight; /* base LT_FIX_NONE: none */
};
void air_target_of_row(const struct record_row *row, int tz_min, struct air_target *ret);
/* The value in force: as given, or the base less the percentage, rounded to the indicator's decimals. */
int64_t air_target_limit(const struct air_target *t);

enum air_light { AIR_LIGHT_UNKNOWN, AIR_LIGHT_MET, AIR_LIGHT_ON_WAY, AIR_LIGHT_AT_RISK, AIR_LIGHT_MISSED };
const char *air_light_name(enum air_light l); /* "met" "on_way" "at_risk" "missed" "unknown" */
const char *air_light_label(enum air_light l, enum lt_lang lang);
const char *air_light_rule(enum air_light l, enum lt_lang lang); /* the stated rule that gave it */

struct air_road_point {
    int32_t day;
    int64_t value, allowed; /* to that day; allowed mean of the rest as seen that day; LT_FIX_NONE */
};
struct air_target_state {
    struct air_target t;
    const struct airq_standard *standard;
    int32_t at; /* last day taken as known (measured or assumed) */
    int64_t limit, now, gap;
    int days_total, days_past, days_left, days_valid, days_good, days_heavy;
    int64_t so_far_sum;     /* of the valid days (means only), millionths; LT_FIX_NONE */
    int64_t allowed_left;   /* means only, rounded down to one decimal; LT_FIX_NONE */
    int64_t last_year_left; /* mean (or value) of the same days left a year ago */
    int days_needed, bad_left,
        heavy_left;      /* good days still needed; polluted days affordable; -1: not of this target */
    int affordable[6];   /* by category 1..6; -1: unknown */
    int64_t typical[6];  /* PM2.5 of past days of that category the former were computed with */
    int64_t probability; /* millionths; LT_FIX_NONE */
    int probability_years, draws;
    int64_t p10, p50, p90; /* of the end value */
    enum air_light light;
    struct air_road_point road[AIR_TARGET_POINTS];
    size_t n_road;
};
/* As of the end of day `at` (cut to the target's period). extra: assumed days from at+1 on (may be NULL); deep: also
 * probability, last year and what is affordable. A share of a plant or process step has no air of its own: its state is
 * unknown, its value stands. */
enum lt_err air_target_eval(struct air_look *l, const struct air_target *t, int32_t at, const struct airq_day *extra,
                            size_t n_extra, bool deep, struct air_target_state *ret,
                            struct lt_error *err) LT_MUST_CHECK;

/* ---- what if ---- */
enum air_assume_kind {
    AIR_ASSUME_VALUE,       /* given concentrations; pollutants not given: as on the last known day */
    AIR_ASSUME_DAYS_BACK,   /* like the days `back` days before ("next week like last week": 7) */
    AIR_ASSUME_MONTHS_BACK, /* like the same days `back` months before */
    AIR_ASSUME_LAST_YEAR
};
struct air_assume {
    enum air_assume_kind kind;
    int days, back;
    int64_t value[AIRQ_POLLUTANTS]; /* millionths, LT_FIX_NONE */
};
/* Days from at+1 on of a scope, as assumed; *ret (free) has *ret_n days, at most until `end`. source[i]: index of the
 * assumption. A day that repeats an assumed day repeats what was assumed. */
enum lt_err air_assume_days(struct air_look *l, const struct air_scope *sc, const struct airq_standard *s, int32_t at,
                            int32_t end, const struct air_assume *a, size_t n, struct airq_day **ret, size_t *ret_n,
                            struct lt_error *err) LT_MUST_CHECK;

/* ---- what summer leaves for winter ---- */
struct air_plan {
    struct air_target_state state;
    int rest_days, winter_days;     /* days left from April to September; from October to March */
    int64_t last_rest, last_winter; /* means of those days a year before */
    struct {
        int64_t rest, winter; /* if the rest has this mean, winter may have that (rounded down) */
    } row[AIR_PLAN_ROWS];
    size_t n;
};
/* Means of a territory only; LT_E_FIELD_CHOICE for others. */
enum lt_err air_target_plan(struct air_look *l, const struct air_target *t, int32_t at, struct air_plan *ret,
                            struct lt_error *err) LT_MUST_CHECK;

/* ---- share-out ---- */
struct air_part {
    int64_t territory, enterprise;
    const char *process;
    int64_t weight, base, value; /* base: last year's figure; value LT_FIX_NONE: to be computed, else fixed */
};
/* Are the parts added (plants, steps: contributions) or averaged by weight (territories)? */
bool air_parts_additive(const struct air_part *p, size_t n);
/* Fills the values that are not fixed so that the whole is exact in `decimals`: additive by weight; else every part by
 * the same percentage from its base (without bases: all the same). The last digits go to the largest remainders. False:
 * the fixed ones leave nothing that fits. */
bool air_parts_share(struct air_part *p, size_t n, int64_t whole, unsigned decimals);
/* Sum, or weighted mean rounded to decimals; LT_FIX_NONE without parts. */
int64_t air_parts_total(const struct air_part *p, size_t n, unsigned decimals);
#endif
