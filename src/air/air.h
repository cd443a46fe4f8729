/* air: measured air quality and weather by the hour, of stations; every change is kept, every figure knows the version
 * of the data it was made from.
 *
 * Store. One row of `air_block` holds a station's local day: 24 hours x 12 items with a state and a source each. A
 * value that is replaced leaves a row in `air_change`; a delivery that was not taken (the hour was reviewed, or a
 * better source spoke already) leaves one too, marked refused. `air_version` counts up by one with each transaction
 * that changed anything. What was known at an older version is had again by taking the later changes back.
 *
 * Which value holds when deliveries differ (the rule, in this order):
 *   1. an hour that people reviewed stays; the delivery is kept as refused;
 *   2. the source of higher rank (air_source_rank) wins, whichever came first; the loser is kept as refused;
 *   3. of equal rank the later arrival wins, and the earlier value stays in the trail.
 * An equal value is nothing; a missing one never removes one that is there.
 *
 * Threads: struct air may be shared; every call that reads or writes brings its own sql_db. Time is an argument. */
#ifndef LT_AIR_H
#define LT_AIR_H
#include "airq/airq.h"
#include "airq/airq_assess.h"
#include "base/err.h"
#include "record/record.h"
#include "sql/sql.h"

/* ---- items ---- */
enum air_item { /* the first six are enum airq_pollutant */
                AIR_SO2,
                AIR_NO2,
                AIR_CO,
                AIR_PM10,
                AIR_PM25,
                AIR_O3,
                AIR_TEMP, /* °C */
                AIR_RH,   /* % */
                AIR_PRES, /* hPa */
                AIR_WS,   /* m/s */
                AIR_WD,   /* degrees, 0..360 */
                AIR_RAIN, /* mm of the hour */
                AIR_ITEMS
};
#define AIR_ALL_ITEMS ((1u << AIR_ITEMS) - 1)
const char *
air_item_name(enum air_item i); /* "SO2" "NO2" "CO" "PM10" "PM25" "O3" "TEMP" "RH" "PRES" "WS" "WD" "RAIN" */
bool air_item_find(struct lt_slice name, enum air_item *ret);
/* Millionths in one unit of a stored value: pollutants airq_tick(), weather 0.01 (10,000). */
int64_t air_item_tick(enum air_item i);
/* Least and most a stored value may be. */
int32_t air_item_least(enum air_item i);
int32_t air_item_most(enum air_item i);
#define AIR_NONE INT32_MIN /* no value */
/* Millionths to the stored form, half to even; false when out of range. And back (AIR_NONE: LT_FIX_NONE). */
bool air_value_from_fix(enum air_item i, int64_t fix, int32_t *ret);
int64_t air_value_fix(enum air_item i, int32_t v);

enum air_state { /* bits of a value; 0: preliminary */
                 AIR_REVIEWED = 1,
                 AIR_CORRECTED = 2,
                 AIR_INVALID = 4 /* flagged by the instrument or by review: not used in any figure */
};

/* Where a value came from; the rank decides between deliveries that differ. */
enum air_source {
    AIR_SRC_NONE,
    AIR_SRC_DEVICE,   /* HJ 212, ST=21/22 */
    AIR_SRC_PUSH,     /* HTTP push of a program */
    AIR_SRC_NATIONAL, /* shape of the national platform */
    AIR_SRC_FILE,     /* a file a person imported */
    AIR_SRC_REVIEW,   /* two persons */
    AIR_SRC_DEMO,     /* invented, demonstration city */
    AIR_SOURCES
};
const char *air_source_name(enum air_source s); /* "device" … */
int air_source_rank(enum air_source s);

/* ---- blocks ---- */
struct air_block { /* one station and local day; hours by their beginning */
    int32_t value[24][AIR_ITEMS];
    uint8_t state[24][AIR_ITEMS];
    uint8_t source[24][AIR_ITEMS];
    uint32_t arrived[24]; /* version with which the hour came first; 0: it has not */
};
void air_block_init(struct air_block *b);
/* For airq: values that are not missing and not invalid. *ret_reviewed, *ret_taken (may be NULL): how many of the six
 * pollutants' hour values taken are reviewed, and how many there are. */
void air_block_cell(const struct air_block *b, struct airq_cell *ret, unsigned *ret_reviewed, unsigned *ret_taken);
/* The same without PM10 and PM2.5 of the hours in `dust` (bit per hour): sand-dust deduction. */
void air_block_cell_dust(const struct air_block *b, uint32_t dust, struct airq_cell *ret, unsigned *ret_reviewed,
                         unsigned *ret_taken);

/* Local days are days since 1970-01-01 of local time (as airq). */
int32_t air_day_of(int64_t at_ms, int tz_min);
int64_t air_day_start(int32_t day, int tz_min);
void air_day_text(int32_t day, char ret[16]); /* "2026-11-25" */

/* ---- opening ---- */
struct air;
struct air_changed { /* one committed version */
    int64_t version;
    const int64_t *station; /* ids, sorted; n 0: many (more than AIR_TOLD_STATIONS), take all */
    size_t n;
    int32_t from, to; /* local days, inclusive */
};
#define AIR_TOLD_STATIONS 4096 /* a province has some 1,500; beyond, listeners drop everything */
#define AIR_LISTENERS     8    /* figures, bus, proof and a few more */
/* Makes or brings up to date the tables. Any number of processes may do so. */
enum lt_err air_setup(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;
/* After air_setup(). One per post. Versions already there are not told. */
enum lt_err air_open(struct sql_db *db, int tz_min, struct air **ret, struct lt_error *err) LT_MUST_CHECK;
void air_close(struct air **a);
int air_tz(const struct air *a);
/* changed() is called after the commit, on the thread that wrote or polled, without any lock held; versions come in
 * order, each once. False: no room. */
bool air_listen(struct air *a, void (*changed)(void *user, const struct air_changed *c), void *user);
/* Tells listeners of versions committed since (by this or another process: the command line imports into a running
 * post). Called after own commits by the functions below, and each second by serve. */
enum lt_err air_poll(struct air *a, struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;

/* ---- reading ---- */
/* Current version; 0: nothing yet. */
enum lt_err air_version(struct sql_db *db, int64_t *ret, struct lt_error *err) LT_MUST_CHECK;
/* Blocks of a station, days [from, to], ascending; days without a block are left out. version 0: as now; else as of
 * that version. Until each() returns false. */
enum lt_err air_blocks(struct sql_db *db, int64_t station, int32_t from, int32_t to, int64_t version,
                       bool (*each)(void *user, int32_t day, const struct air_block *b), void *user,
                       struct lt_error *err) LT_MUST_CHECK;
/* First and last day with a block of a station (0: of any); LT_E_NOT_FOUND. */
enum lt_err air_span(struct sql_db *db, int64_t station, int32_t *ret_from, int32_t *ret_to,
                     struct lt_error *err) LT_MUST_CHECK;

/* ---- stations ---- */
enum air_station_type { /* choices of the record field, in its order */
                        AIR_NATIONAL,
                        AIR_PROVINCIAL,
                        AIR_COUNTY,
                        AIR_TOWNSHIP,
                        AIR_MICRO,
                        AIR_TRAFFIC,
                        AIR_BACKGROUND,
                        AIR_REGIONAL,
                        AIR_STATION_TYPES
};
struct air_station {
    int64_t id, territory, lon, lat;                          /* lon, lat millionths, LT_FIX_NONE */
    char code[65], name[129], name_en[193], mn[65], units[8]; /* units of the device: "hj212" "ug" "mg" */
    enum air_station_type type;
    bool evaluated;
    int32_t opened, closed; /* local days: first with, first without measuring; INT32_MIN, INT32_MAX: open-ended */
};
const char *air_station_type_name(enum air_station_type t); /* "national" … */
/* All stations not deleted, by id; *ret is the caller's (free). No filter of territory. */
enum lt_err air_stations(struct sql_db *db, int tz_min, struct air_station **ret, size_t *ret_n,
                         struct lt_error *err) LT_MUST_CHECK;

/* ---- events (sand-dust, exceptional) ---- */
struct air_event {
    int64_t id, territory;
    int32_t from, to;   /* local days, inclusive */
    uint32_t hours;     /* bit per hour of each day; all 24 when the record names none */
    bool strip_pm;      /* PM leaves the statistics */
    bool recompute_aqi; /* and the AQI of the day is computed without it */
    char type[24];      /* "sand_dust" "exceptional" */
};
/* Events that touch [from, to], by first day; *ret is the caller's (free). An event holds for its territory and all
 * below it. */
enum lt_err air_events(struct sql_db *db, int tz_min, int32_t from, int32_t to, struct air_event **ret, size_t *ret_n,
                       struct lt_error *err) LT_MUST_CHECK;

/* ---- writing: deliveries ---- */
struct air_row { /* one hour of one station */
    int64_t station;
    int64_t at_ms; /* beginning of the hour */
    int32_t value[AIR_ITEMS];
    uint16_t invalid; /* bit per item: the delivery itself says so */
};
struct air_batch_info { /* who brings it; goes into air_version */
    enum air_source source;
    const char *author; /* login or program */
    const char *reason; /* file name, "HJ 212" … */
    int64_t now_ms;
    int tz_min;
    bool reviewed; /* an archive that was reviewed before it came (demonstration city); no route offers it */
};
struct air_put_result {
    int64_t version;                                        /* 0: nothing changed */
    uint64_t rows, first, equal, filled, replaced, refused; /* rows, then values */
    uint64_t refused_reviewed, refused_rank;                /* parts of refused */
};
/* Puts rows by the rule above in one transaction (or inside the caller's). Rows may come in any order; rows of one
 * station and hour within a batch count as arriving in their order. */
enum lt_err air_put(struct sql_db *db, const struct air_batch_info *info, const struct air_row *rows, size_t n,
                    struct air_put_result *ret, struct lt_error *err) LT_MUST_CHECK;
/* Back to what was known at `version` (all stations, or one; station 0: all): a new version with its own changes and a
 * row in the audit. Reviewed values stay and are kept as refused. */
enum lt_err air_undo(const struct record_ctx *x, int64_t station, int64_t version, const char *reason,
                     struct air_put_result *ret, struct lt_error *err) LT_MUST_CHECK;

/* ---- the trail ---- */
enum air_refusal { AIR_TAKEN, AIR_REFUSED_REVIEWED, AIR_REFUSED_RANK };
struct air_change {
    int64_t id, version, station, at_ms, review, made_at_ms;
    enum air_item item;
    int32_t old_value, new_value;
    uint8_t old_state, new_state, old_source, new_source;
    enum air_refusal refused;
    char author[129], reason[512];
};
struct air_trail {
    int tz_min;
    int64_t station;        /* 0: all */
    int64_t from_ms, to_ms; /* of the hours, [from, to) */
    int refused;            /* 1: only refused, 0: only taken, -1: both */
    int64_t before;         /* ids below this, 0: from the newest */
    unsigned most;
};
/* Newest first. */
enum lt_err air_trail(struct sql_db *db, const struct air_trail *q,
                      bool (*each)(void *user, const struct air_change *c), void *user,
                      struct lt_error *err) LT_MUST_CHECK;

/* ---- two-person review ---- */
struct flow;
extern const struct flow air_review_flow;
/* body: station (id), items ("PM25,PM10" or list), from, to (hours [from, to)), action, value, reason. Nothing of the
 * data changes. */
enum lt_err air_review_propose(const struct record_ctx *x, const json_t *body, int64_t *ret_id,
                               struct lt_error *err) LT_MUST_CHECK;
/* approve (never by the author), reject, withdraw (only by the author), reverse. *ret_version: the data version the
 * move made, 0 none. */
enum lt_err air_review_move(const struct record_ctx *x, int64_t id, struct lt_slice move, const json_t *body,
                            int64_t *ret_version, struct lt_error *err) LT_MUST_CHECK;
#define AIR_REVIEW_SHOWN_MAX 2000 /* values of one proposal that are listed */
/* Array of the values a proposal is about: {at,item,value,state,proposed,proposed_state}. */
enum lt_err air_review_hours(const struct record_ctx *x, int64_t id, struct jsonw *w,
                             struct lt_error *err) LT_MUST_CHECK;
/* For record_json(): adds "moves"; ctx is the record_ctx. */
void air_review_extra(void *ctx, const struct record_row *row, struct jsonw *w);
#endif
