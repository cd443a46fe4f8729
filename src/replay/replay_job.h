/* replay_job: replays as records: a queue worked off one at a time in the background, their differences in a file of
 * their own (DIR/replay/ID.db, derived, may be deleted), and the gate before a change of rules.
 *
 * Threads: one of its own at low priority; the calls with a record_ctx from any thread with its own connection. */
#ifndef LT_REPLAY_JOB_H
#define LT_REPLAY_JOB_H
#include "record/record.h"
#include "replay/replay.h"

#define REPLAY_WAITING_MAX 10 /* a day's work of an analyst; a city's month takes minutes */
#define REPLAY_KEPT        50 /* replays whose differences are kept */
#define REPLAY_GATE_DAYS   30

struct replay_jobs;
struct replay_jobs_config {
    const char *dir;
    int tz_min;
    size_t cache_bytes; /* 0: default of replay_run() */
    /* State or progress of a replay changed (about once a second). Job thread; may be NULL. */
    void (*on_event)(void *user, int64_t id, const char *state, double percent);
    void *user;
};
/* What ran when the post stopped becomes "interrupted"; what waited waits on. */
enum lt_err replay_jobs_start(const struct replay_jobs_config *cfg, struct replay_jobs **ret,
                              struct lt_error *err) LT_MUST_CHECK;
void replay_jobs_stop(struct replay_jobs **j); /* ends a run under way ("interrupted"); NULL is fine */
void replay_jobs_wake(struct replay_jobs *j);
void replay_jobs_cancel(struct replay_jobs *j, int64_t id); /* when it is the one that runs */

/* From {"from","to","change","territory","note"}; see docs/API.md. The caller has checked "replay:run". */
enum lt_err replay_job_create(const struct record_ctx *x, const char *dir, const json_t *body, int64_t *ret_id,
                              struct lt_error *err) LT_MUST_CHECK;
/* Queued: cancelled at once. Running: *ret_running is set, tell replay_jobs_cancel(). Others: LT_E_FLOW_MOVE. */
enum lt_err replay_job_cancel(const struct record_ctx *x, int64_t id, bool *ret_running,
                              struct lt_error *err) LT_MUST_CHECK;

/* ---- differences ---- */
struct replay_query {
    int side, what, how;           /* -1: any */
    int rule;                      /* -1: any */
    int64_t territory, enterprise; /* 0: any */
    int64_t after;                 /* numbers above this */
};
/* Calls each() in order until it returns false; LT_E_NOT_FOUND when they are no longer kept. *ret_total (may be NULL):
 * how many match in all. */
enum lt_err replay_job_diffs(const char *dir, int64_t id, const struct replay_query *q,
                             bool (*each)(void *user, int64_t n, const struct replay_diff *d), void *user,
                             int64_t *ret_total, struct lt_error *err) LT_MUST_CHECK;

/* ---- gate ---- */
/* May this change of rules go live? Yes when `replay` is a finished run of exactly it, over the whole city and the last
 * 30 days (or all the journal there is) up to yesterday or today, from the rules in `before`. Else LT_E_REPLAY_NEEDED
 * says what is missing. */
enum lt_err replay_gate(const struct record_ctx *x, const char *dir, int64_t replay, const struct replay_rules *before,
                        const struct replay_change *change, struct lt_error *err) LT_MUST_CHECK;
/* Notes in the replay and the audit that its change went live. Inside the transaction of the change. */
enum lt_err replay_applied(const struct record_ctx *x, int64_t replay, struct lt_error *err) LT_MUST_CHECK;
/* Makes the change of a finished replay: one transaction. The caller's rights to rules and limits are checked. Ids of
 * changed records are written to ids (REPLAY_CHANGES_MAX). */
struct replay_touched {
    const struct record_kind *kind;
    int64_t id;
};
enum lt_err replay_apply(const struct record_ctx *x, const char *dir, int64_t replay, struct replay_touched *ret,
                         size_t *ret_n, struct record_faults *faults, struct lt_error *err) LT_MUST_CHECK;
#endif
