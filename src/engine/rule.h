/* rule: every rule of the post as a pure function: values, thresholds and the rule's small state in, change out. No
 * clock, no store: time is an argument. Thresholds come from `rule` records; the defaults here hold where a record
 * leaves a number empty. Numbers are millionths, LT_FIX_NONE is "not given". */
#ifndef LT_ENGINE_RULE_H
#define LT_ENGINE_RULE_H
#include "base/fix.h"

#include <stddef.h>

struct rule_params {
    bool enabled;
    int64_t version;
    char severity[16];
    int64_t enter, leave, min_valid_share, param1, param2;
    int64_t min_duration_ms;
    int64_t valid_from_ms, valid_to_ms; /* 0: open */
};
bool rule_in_force(const struct rule_params *p, int64_t at_ms);
static inline int64_t rule_or(int64_t given, int64_t otherwise)
{
    return given == LT_FIX_NONE ? otherwise : given;
}

enum rule_change { RULE_STAYS, RULE_ENTERS, RULE_LEAVES };

/* ---- hysteresis with a least duration: used by range, impossible, drift ---- */
struct rule_hold {
    int64_t since_ms; /* since when the opposite condition holds, 0: it does not */
    int64_t began_ms; /* when the active condition began */
    uint32_t n;       /* observations that met the condition since it began */
    bool active;
};
/* enter and leave must not both be true. Becomes active when `enter` held for min_ms without a break, inactive when
 * `leave` did. Observations older than the last are not given. */
enum rule_change rule_hold_step(struct rule_hold *h, bool enter, bool leave, int64_t at_ms, int64_t min_ms);

/* ---- hour_exceed, day_exceed ---- */
enum rule_limit {
    RULE_LIMIT_NONE,    /* no limit is in force: no verdict */
    RULE_LIMIT_UNKNOWN, /* a limit, but no valid value on its basis */
    RULE_LIMIT_OK,      /* at or below the leave level */
    RULE_LIMIT_BAND,    /* between leave and enter level: keeps what was */
    RULE_LIMIT_EXEMPT,  /* above, in a declared state within its quota */
    RULE_LIMIT_EXCEED
};
struct rule_limit_input {
    bool has_limit, converted_basis;
    int64_t limit;
    int64_t measured, converted; /* of the period */
    bool valid;                  /* enough valid minutes or hours by the standard */
    int64_t share;               /* valid share of the period, 0..1 */
    bool declared;               /* start, shutdown or maintenance was declared for part of the period */
    unsigned exempt_used;        /* exempt periods of the month before this one */
};
/* enter, leave: multiples of the limit (default 1); min_valid_share default 0; param1: exempt hours a month (default:
 * no quota); days are not counted, so for them it says only whether they can be exempt (from 1 on). */
enum rule_limit rule_limit_judge(const struct rule_params *p, const struct rule_limit_input *in);

/* ---- constant ---- */
struct rule_run {
    int64_t value, began_ms, last_ms;
    uint32_t n;           /* equal values in a row */
    uint32_t limit;       /* so many are suspicious in this run */
    uint32_t same, pairs; /* neighbours equal, neighbours in all; about the last 30 days */
    int32_t day;          /* of the last ageing */
    bool active;
};
#define RULE_RUN_LEAST 5     /* never fewer equal values than this */
#define RULE_RUN_MOST  20000 /* a channel that hardly ever moves cannot be judged this way */
/* Smallest r with p^r <= 10^-6, p the share of equal neighbours; 71 (p = 0.82) until 200 pairs are known. */
unsigned rule_run_limit(uint32_t same, uint32_t pairs);
/* One more value (normal, later than the last). A gap of more than 2 h breaks a run: nothing was seen between. */
enum rule_change rule_run_step(const struct rule_params *p, struct rule_run *r, int64_t value, int64_t at_ms,
                               int32_t day);

/* ---- out_of_range, impossible ---- */
struct rule_range {
    const char *code;  /* 2017 code, or a prefix of it */
    int64_t low, high; /* plausible */
    int64_t impossible_low, impossible_high;
};
const struct rule_range *rule_range_find(struct lt_slice code); /* longest prefix; NULL when unknown */
enum rule_impossible { RULE_POSSIBLE, RULE_NEGATIVE, RULE_O2_HIGH, RULE_TOO_HIGH, RULE_ZS_BELOW };
/* zs, o2, o2_ref may be LT_FIX_NONE. is_o2: the value is the oxygen content itself. */
enum rule_impossible rule_impossible_judge(const struct rule_range *r, bool is_o2, int64_t value, int64_t zs,
                                           int64_t o2, int64_t o2_ref);
const char *rule_impossible_name(enum rule_impossible i); /* as alarm_text() names it */
bool rule_out_of_range(const struct rule_range *r, int64_t value);

/* ---- flag_abuse ---- */
struct rule_flag {
    int32_t month; /* YYYYMM the counts belong to */
    uint16_t flagged, starts, suspicious;
    bool was_flagged; /* the last hour was */
    bool active;
};
struct rule_flag_hour {
    int32_t month;
    unsigned month_hours; /* 720 … 744 */
    bool flagged;         /* at least half of its values carry a maintenance or calibration mark */
    bool any_flag;        /* some do */
    bool would_exceed;    /* the mean of all its values, marks ignored, is above the limit */
};
/* enter: % of the month's hours (default 5); param1: % of beginnings that hide an exceedance (default 30), at least
 * three. Counts start anew each month; an hour of an earlier month counts no more. */
enum rule_change rule_flag_step(const struct rule_params *p, struct rule_flag *f, const struct rule_flag_hour *h);

/* ---- device rules ---- */
#define RULE_RING 8
struct rule_ring { /* the last few observations */
    int64_t v[RULE_RING];
    uint8_t n, at;
};
void rule_ring_add(struct rule_ring *r, int64_t v);
int64_t rule_ring_max(const struct rule_ring *r);    /* INT64_MIN when empty */
int64_t rule_ring_median(const struct rule_ring *r); /* lower median; INT64_MIN when empty */

/* Seconds between frames: as declared (real-time, else minute interval), else learned from the last gaps, 30..3900;
 * 600 until four gaps are known. */
unsigned rule_interval_s(unsigned rtd_interval_s, unsigned min_interval_min, const struct rule_ring *gaps_ms);
/* When silence begins to count: last data (or start of watching) + enter (default 2) intervals + param1 (60) s. */
int64_t rule_silence_at(const struct rule_params *p, int64_t last_ms, unsigned interval_s);

/* Clock of the device minus receipt. Ahead: the median counts. Behind: the smallest does, for a device that sends old
 * frames again is not slow. INT64_MIN: fewer than three observations. */
int64_t rule_drift_ms(const struct rule_ring *drift);
/* enter (default 600), leave (300): seconds. */
enum rule_change rule_drift_step(const struct rule_params *p, struct rule_hold *h, int64_t drift_ms, int64_t at_ms);

struct rule_double {
    uint32_t conn[2]; /* current, other */
    int64_t last_ms[2];
    uint32_t swaps;  /* changes back to a connection that was left */
    int64_t swap_ms; /* of the last swap */
    bool active;
};
/* A frame came over `conn`. Two connections that take turns within param1 (default 10) minutes are double. */
enum rule_change rule_double_step(const struct rule_params *p, struct rule_double *d, uint32_t conn, int64_t at_ms);
/* Time passed: leaves after 3 windows without a swap. */
enum rule_change rule_double_time(const struct rule_params *p, struct rule_double *d, int64_t at_ms);

/* enter (default 60), leave (10): seconds. */
enum rule_change rule_behind_step(const struct rule_params *p, bool *active, int64_t lag_ms);
#endif
