/* values: the arithmetic of hour and day values (HJ 212-2017 Appendix D, HJ 75, HJ 76) as pure functions, and the
 * meaning of the codes that stand in SERIES_HOUR and SERIES_DAY rows. Used by the engine, the API and reports.
 *
 * All numbers are millionths (base/fix.h), LT_FIX_NONE is "none". Every result depends on the set of inputs only, never
 * on their order. */
#ifndef LT_ENGINE_VALUES_H
#define LT_ENGINE_VALUES_H
#include "base/fix.h"
#include "series/series.h"

/* Cells of an hour or day row, per factor: HJ212_F_AVG, _ZSAVG (effective), _MIN, _MAX, _COU, _FLAG, SERIES_F_VALID,
 * _SOURCE, _STATE, _VERSION and these. SERIES_F_VALID, _SOURCE, _STATE, _VERSION are whole numbers, not millionths. */
enum {
    VALUES_F_CALC_AVG = SERIES_F_VERSION + 1, /* the post's own mean, when `source` is the device's report */
    VALUES_F_CALC_ZSAVG,                      /* the post's own converted mean, likewise */
    VALUES_F_DIFF                             /* reported minus own mean (AVG), when both exist */
};
enum values_source { /* SERIES_F_SOURCE */
                     VALUES_NONE,
                     VALUES_REPORTED, /* hour: the device's 2061; day: its 2031 */
                     VALUES_MINUTES,  /* mean of its minute rows (2051) */
                     VALUES_REALTIME, /* mean of minutes made from real-time rows (2011) */
                     VALUES_HOURS     /* day: mean of valid hours */
};
const char *values_source_name(enum values_source s); /* "reported" … */
enum values_state {                                   /* SERIES_F_STATE, bits */
                    VALUES_S_VALID = 1,               /* enough valid minutes (45) or hours (20) */
                    VALUES_S_SUBSTITUTED = 2,         /* COU was substituted by HJ 75 (amounts only) */
                    VALUES_S_EXEMPT = 4, /* above the limit in a declared start, stop or maintenance within its quota */
                    VALUES_S_DISPUTED =
                        8, /* the device's report contradicts its own minutes: the higher of the two stands */
                    VALUES_S_O2_CAP = 16,     /* oxygen above the cap: not converted */
                    VALUES_S_DERIVED = 32,    /* NOx from NO and NO2 */
                    VALUES_S_AMOUNT = 64,     /* COU computed from concentration and flow, formula (33) */
                    VALUES_S_CONVERTED = 128, /* ZSAVG computed by the post, formula (28) */
                    VALUES_S_EXCEED = 256     /* above its limit */
};
const char *values_state_name(unsigned bit); /* "valid", "substituted" …; NULL for an unknown bit */

/* Marks as cells: up to four characters, the first in the highest used byte ('N' is 0x4E). */
int64_t values_mark_pack(struct lt_slice mark);
void values_mark_unpack(int64_t cell, char ret[5]);
/* N (and 3 of air stations, HJ/T 212-2005), or no mark at all, is normal; everything else is not. */
bool values_mark_normal(int64_t cell);
bool values_mark_maintenance(int64_t cell); /* M, C */

/* ---- one factor in one hour ---- */
#define VALUES_MINUTE_NEED 45 /* HJ 212-2017 (24), HJ 76 App. B: an hour needs 45 valid minutes */
#define VALUES_HOUR_NEED   20 /* (25): a day needs 20 valid hours */

/* Samples are collected by minute of the hour. */
struct values_slot {
    lt_i128 sum, zs_sum; /* of normal samples; zs_sum of those that carry a converted value */
    int64_t min, max;
    uint32_t n, n_zs, total; /* normal samples, of these with a converted value, all samples */
};
struct values_hour {
    struct values_slot minute[60];   /* from real-time rows */
    struct values_slot report[60];   /* from minute rows, at their starting minute */
    int64_t cou;                     /* sum of minute amounts of normal rows, LT_FIX_NONE when none was given */
    uint64_t has_minute, has_report; /* bit per minute: the slot is in use */
    bool cou_lost;                   /* an amount did not fit */
    lt_i128 all_sum;                 /* of every value whatever its mark: what would count without marks */
    unsigned all_n, flagged;         /* values in all_sum; samples or rows marked maintenance or calibration */
};
void values_hour_init(struct values_hour *h);
/* minute 0..59; value may be LT_FIX_NONE (mark alone); zs may be LT_FIX_NONE. mark: cell, or 0 when the device sent
 * none. */
void values_hour_realtime(struct values_hour *h, unsigned minute, int64_t value, int64_t zs, int64_t mark);
void values_hour_report(struct values_hour *h, unsigned minute, int64_t avg, int64_t min, int64_t max, int64_t zs,
                        int64_t cou, int64_t mark);

struct values_result {
    int64_t avg, zsavg, min, max, cou;
    unsigned valid;   /* valid minutes or hours */
    unsigned present; /* minutes or hours of which anything is known */
    char mark;        /* by the 75 % rule, 0 when nothing is known */
    enum values_source source;
    unsigned state; /* VALUES_S_ bits */
};
/* The post's own hour value. water: one abnormal value makes the mark abnormal; else (flue gas) at least 75 % normal
 * values give N and fewer D (notes under HJ 212-2017 C.16-C.18). rtd_interval_s: of the device, 0 unknown (then each
 * sample covers its minute). Minute rows: their interval is the smallest gap between two of them, at
 * most min_interval_min when that is not 0. Minute rows, when there are any, go before real-time rows. */
void values_hour_result(const struct values_hour *h, bool water, unsigned rtd_interval_s, unsigned min_interval_min,
                        struct values_result *ret);

/* Formula (28): c * (21 - o2_ref) / (21 - o2). Above `cap` (clamped to 20.9) the value stays as measured and
 * *ret_capped is set. Half to even to millionths; false on overflow or when c or o2 is none. */
bool values_convert(int64_t c, int64_t o2, int64_t o2_ref, int64_t cap, int64_t *ret, bool *ret_capped);
/* Formula (21): NOx as NO2 in mg/m3 from NO and NO2. */
bool values_nox(int64_t no, int64_t no2, int64_t *ret);
/* Formula (33): kilograms of an hour from mg/m3 and m3/s. */
bool values_amount(int64_t c_mgm3, int64_t flow_m3s, int64_t *ret_kg);

/* Chooses between the device's report and the post's own value. `step`: smallest step the factor is printed with
 * (10^-decimals). Contradiction: they differ by more than 5 % of the larger (converted values: 10 %) and more than two
 * steps, while the own value is valid; then the higher of the two stands (converted values compared first), so that
 * neither hides an exceedance. Fills *ret from `own` and the report; converted mean and amount of an own value that is
 * not valid are not taken beside a reported mean. */
struct values_report {
    bool present;
    int64_t avg, zsavg, min, max, cou, mark;
};
void values_hour_choose(const struct values_result *own, const struct values_report *rep, int64_t step,
                        struct values_result *ret, int64_t *ret_diff);

/* ---- a day from its hours ---- */
struct values_day {
    lt_i128 sum, zs_sum, cou;
    int64_t min, max;
    unsigned n, n_zs, n_cou, present, normal;
    bool substituted;
};
void values_day_init(struct values_day *d);
void values_day_add(struct values_day *d, const struct values_result *hour);
void values_day_result(const struct values_day *d, bool water, struct values_result *ret);

/* ---- HJ 75-2017 substitution of amounts ---- */
/* alpha_permille: valid-data capture rate of the quarter; gap_hours: consecutive invalid hours up to and with this one.
 * Returns how many last valid hours the largest value is taken from: 180, 720, 2160; 0: no substitution. */
unsigned values_substitution_hours(unsigned alpha_permille, unsigned gap_hours);
#endif
