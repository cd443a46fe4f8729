/* replay: any stretch of the raw journal run again through a private engine. With the same rules the result is compared
 * with what was recorded; with changed rules it tells what would differ. Nothing of the post is written; a scratch
 * directory is made for the run and removed with it. The same journal, configuration and change give the same result.
 *
 * Where a run begins. Exact: at the first record ever (memory of rules starts empty, as it did then). When the journal
 * begins later, or more than `warm_days` before the first day, it begins `warm_days` before: the longest memory of a
 * rule is a month (flag_abuse counts by calendar month, constant fades over 30 days), 31 days cover it; what is left of
 * older memory is named as cause "state".
 *
 * Threads: a run has no shared state; each thread brings its own. */
#ifndef LT_REPLAY_H
#define LT_REPLAY_H
#include "alarm/alarm.h"
#include "base/fix.h"
#include "engine/engine.h"
#include "json/json.h"

#define REPLAY_WARM_DAYS   31
#define REPLAY_ALARMS_MAX  1000000 /* of one run: a city of 10,000 devices has some 1,000 a day */
#define REPLAY_DIFFS_MAX   200000  /* kept as rows; further ones are counted */
#define REPLAY_CHANGES_MAX 200     /* items of one change: 12 rules and the limits of some plants */
#define REPLAY_DAYS_MAX    400     /* as long as the journal is kept */
#define REPLAY_LATE_DAYS   3 /* rows of hours older than this are no longer in memory; late data behind it is named */

/* ---- a change of rules ---- */
struct replay_change { /* sorted, without items that change nothing */
    struct engine_change item[REPLAY_CHANGES_MAX];
    size_t n;
};
/* From [{"code":…,"enter_fix":…} | {"limit":id,"limit_value":…} | {"limits":"today"}]: the last judges each hour by the
 * limits known today, within their dates, and cannot go live (it says what the record would be). Unknown names, values
 * out of range and fields that are what they are now are told or left out. */
enum lt_err replay_change_parse(struct sql_db *db, const json_t *items, int tz_min, struct replay_change *ret,
                                struct lt_error *err) LT_MUST_CHECK;
/* Of a table with a header line code,enter_fix,… (CSV). */
enum lt_err replay_change_csv(struct sql_db *db, struct lt_slice file, int tz_min, struct replay_change *ret,
                              struct lt_error *err) LT_MUST_CHECK;
/* Writes the array in its one form: equal changes, equal bytes. */
void replay_change_json(const struct replay_change *c, int tz_min, struct jsonw *w);
/* What the rules are now, as a change from the rules in `before` to those in `after` (arrays as replay_rules_now()). */
#define REPLAY_RULE_FIELDS 9
struct replay_rules {
    struct {
        bool there;
        int64_t version, v[REPLAY_RULE_FIELDS]; /* LT_FIX_NONE: empty */
    } rule[ALARM_RULE_COUNT];
};
enum lt_err replay_rules_now(struct sql_db *db, struct replay_rules *ret, struct lt_error *err) LT_MUST_CHECK;
void replay_rules_change(const struct replay_rules *before, const struct replay_rules *after,
                         struct replay_change *ret);

/* ---- a run ---- */
struct replay_progress {
    double share; /* 0..1 */
    int64_t at_ms;
    uint64_t records, frames;
};
struct replay_config {
    const char *dir;     /* of the post */
    const char *scratch; /* made by the run, removed at its end; below a directory that exists */
    int tz_min;
    int day_from, day_to;                                          /* local days YYYYMMDD, both included */
    const struct replay_change *change;                            /* NULL or empty: same rules only */
    int64_t territory;                                             /* 0: the whole city */
    size_t cache_bytes;                                            /* of each engine, default 256 MiB */
    unsigned warm_days;                                            /* default REPLAY_WARM_DAYS */
    bool (*progress)(void *user, const struct replay_progress *p); /* some times a second; false ends the run */
    void *user;
};

enum replay_side { REPLAY_CHECKED, REPLAY_CHANGED }; /* same rules against the record; changed against same rules */
enum replay_what { REPLAY_ALARM, REPLAY_VERDICT, REPLAY_HOUR, REPLAY_DAY };
enum replay_how { REPLAY_GAINED, REPLAY_LOST, REPLAY_DIFFERS };
enum replay_cause {
    REPLAY_C_NONE,
    REPLAY_C_CONFIG,  /* the post judged by another version of the rule than the history of records tells */
    REPLAY_C_STATE,   /* rules with a longer memory than the journal or the warm-up */
    REPLAY_C_LATE,    /* data that came after the replayed stretch, or long after its hour */
    REPLAY_C_EXPIRED, /* the journal of that time is gone */
    REPLAY_C_UNKNOWN,
    REPLAY_CAUSES
};
struct replay_alarm {
    bool there, active;
    int64_t first_ms, last_ms, ended_ms, value, limit, rule_version, count, created_ms;
};
struct replay_diff {
    uint8_t side, what, how, cause, rule, object, field;
    int64_t object_id, device, outlet, enterprise, territory, period_ms, period_len_ms;
    char factor[17];
    struct replay_alarm before, after;                  /* ALARM */
    int64_t old_value, new_value;                       /* HOUR, DAY: LT_FIX_NONE when there was none */
    uint64_t seq;                                       /* VERDICT */
    const char *outcome, *inputs_before, *inputs_after; /* VERDICT; "" when there is none */
};
struct replay_count {
    int64_t id; /* rule, territory, enterprise or day */
    int64_t territory;
    uint64_t before, after, gained, lost, changed;
};
struct replay_result {
    int64_t from_ms, to_ms, warm_ms, end_ms; /* end: time of the last record */
    uint64_t first_seq, window_seq, end_seq; /* the window is (window_seq, end_seq] */
    bool exact, expired;                     /* began with the first record ever; the journal began after from */
    uint64_t records, frames;
    double seconds;
    bool changed;
    uint64_t alarms, verdicts, hours, days; /* compared with the record */
    uint64_t later; /* hours and days that data behind the end has changed since: compared as they were then */
    uint64_t differences, cause[REPLAY_CAUSES];
    uint64_t gained, lost, moved, diff_hours, diff_plants, diff_counties;
    struct replay_count *by_rule, *by_county, *by_plant, *by_day;
    size_t n_rule, n_county, n_plant, n_day;
    uint64_t n_diff; /* all of them; at most REPLAY_DIFFS_MAX are kept */
};
struct replay;
/* LT_E_TIMEOUT when progress() ended it; LT_E_NOT_FOUND when the journal holds nothing of these days. */
enum lt_err replay_run(const struct replay_config *cfg, struct replay **ret, struct lt_error *err) LT_MUST_CHECK;
void replay_free(struct replay **r);
const struct replay_result *replay_result(const struct replay *r);
size_t replay_diffs(const struct replay *r);
const struct replay_diff *replay_diff_at(const struct replay *r, size_t i);

/* ---- words ---- */
const char *replay_side_name(enum replay_side s);
const char *replay_what_name(enum replay_what w);
const char *replay_how_name(enum replay_how h);
const char *replay_cause_name(enum replay_cause c);
const char *replay_cause_text(enum replay_cause c, enum lt_lang lang);
/* Writes the object `result` of docs/API.md; names come from db. */
enum lt_err replay_result_json(const struct replay_result *r, struct sql_db *db, int tz_min, struct jsonw *w,
                               struct lt_error *err) LT_MUST_CHECK;
/* Writes the members of one difference into the open object; names of places come from db. */
void replay_diff_json(const struct replay_diff *d, struct sql_db *db, int tz_min, enum lt_lang lang, struct jsonw *w);
/* The same as a line of CSV, with its head line. */
void replay_diff_csv_head(enum lt_lang lang, struct lt_buf *out);
void replay_diff_csv(const struct replay_diff *d, struct sql_db *db, int tz_min, enum lt_lang lang, struct lt_buf *out);
#endif
