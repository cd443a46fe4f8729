/* engine: from journal records to values, alarms and the ledger. It reads the journal in order; its clock is the
 * receipt time of the records. The same records and the same configuration give the same result, whatever happened in
 * between.
 *
 * Core (engine_open, _apply, _commit, _checkpoint, _close): one thread, no clock, usable by tests and replay.
 * Thread (engine_start, _stop): the core behind a thread of its own that follows a journal tail.
 * Readers (engine_latest, _device, _stats, _ledger …): any thread.
 *
 * Recovery. Memory (open hours, states of rules, ledger of the day) is written to state.db at checkpoints, right after
 * series_flush(), with `series_seq`; effects (alarms, verdicts, versions) are committed in between with `state_seq` >=
 * series_seq. After a crash records from series_seq+1 on are applied again: up to state_seq only to rebuild memory and
 * series, beyond it with effects. */
#ifndef LT_ENGINE_H
#define LT_ENGINE_H
#include "base/buf.h"
#include "base/err.h"
#include "base/fix.h"
#include "journal/journal.h"
#include "series/series.h"

struct engine;
struct sql_db;

/* What the bus is told, after the commit that made it true. json is one object without newline; territory 0: all. */
struct engine_event {
    const char *type; /* "alarm": {"id","change","rule","device","outlet"}; "latest": see engine_latest; "system" */
    int64_t territory, enterprise; /* territory -1: a device without outlet, for those who see everything */
    struct lt_slice json;
};

/* ---- a private engine: judges a stretch of the journal anew ----
 * It reads configuration from DIR/state.db as it was at the time of each CONFIG record (and after each pause of the
 * post), lays `change` over it, hands its effects to on_effect() and writes nothing but to the given series. Rules of
 * the post itself (disk, own delay) do not exist for it; it keeps no ledger and makes no checkpoints. */
enum engine_effect_kind {
    ENGINE_RAISE,   /* as alarm_raise() */
    ENGINE_END,     /* as alarm_end() */
    ENGINE_END_ALL, /* as alarm_end_all() */
    ENGINE_VERDICT, /* as alarm_verdict_add() */
    ENGINE_VERSION  /* a closed hour or day changed: field, version, value (old), limit (new) */
};
struct engine_effect {
    enum engine_effect_kind kind;
    unsigned rule, object; /* enum alarm_rule, enum alarm_object */
    unsigned field, version;
    bool day;
    int64_t rule_version, object_id, device, period_ms, period_len_ms, first_ms, last_ms, at_ms, value, limit, count;
    uint64_t seq;
    struct lt_slice factor, text;
    const char *outcome; /* of a verdict */
};
enum engine_change_field { /* bits of engine_change.given */
                           ENGINE_C_ENABLED = 1,
                           ENGINE_C_ENTER = 2,
                           ENGINE_C_LEAVE = 4,
                           ENGINE_C_MIN_DURATION = 8,
                           ENGINE_C_MIN_VALID = 16,
                           ENGINE_C_PARAM1 = 32,
                           ENGINE_C_PARAM2 = 64,
                           ENGINE_C_FROM = 128,
                           ENGINE_C_TO = 256,
                           ENGINE_C_LIMIT = 512,
                           ENGINE_C_BASIS = 1024,
                           ENGINE_C_TODAY = 2048
};
/* Instead of the limits known when an hour closed: those known today, each within its own dates. What a limit entered
 * late, or with a date in the past, would have said. */
#define ENGINE_LIMITS_TODAY INT64_C(-1)
struct engine_change {
    int64_t limit_id; /* of a factor_limit record; 0: of a rule; ENGINE_LIMITS_TODAY */
    unsigned rule;    /* enum alarm_rule */
    unsigned given;
    bool enabled, converted;
    int64_t enter, leave, min_duration_min, min_valid_share, param1, param2; /* LT_FIX_NONE: emptied */
    int64_t from_ms, to_ms;                                                  /* LT_FIX_NONE: open */
    int64_t limit_value;
};
struct engine_private {
    uint64_t after_seq;   /* the record before the first */
    int64_t config_at_ms; /* configuration at the start */
    const struct engine_change *change;
    size_t n_change;
    void (*on_effect)(void *user, const struct engine_effect *e); /* at engine_commit() */
    void *user;
};

struct engine_config {
    const char *dir;           /* data directory: the engine opens its own connection to DIR/state.db */
    struct series *series;     /* the engine is its only writer */
    size_t series_cache_bytes; /* as given to series_open(); a checkpoint comes before 80 % are full; 0: 512 MiB */
    struct journal_tail *tail; /* engine_start() only */
    int tz_min;
    unsigned checkpoint_s;       /* journal time between checkpoints, default 30 */
    unsigned checkpoint_records; /* default 1,000,000 */
    unsigned retention_days;     /* data older than this at receipt is only counted, default 400 */
    unsigned future_s;           /* data further ahead of receipt is only counted, default 600 */
    unsigned pending_max;        /* devices nobody entered that get a record of their own, default 50,000 */
    unsigned latest_ms;          /* a "latest" event per device at most this often (default 1000; 0 default) */
    bool no_latest_events;
    const struct engine_private *private;                       /* NULL: the post's own engine */
    void (*on_event)(void *user, const struct engine_event *e); /* engine thread; must not block; may be NULL */
    void *user;
};

/* ---- core ---- */
/* Makes its tables, loads configuration and the last checkpoint. */
enum lt_err engine_open(const struct engine_config *cfg, struct engine **ret, struct lt_error *err) LT_MUST_CHECK;
void engine_close(struct engine **e);             /* what was not committed is dropped; NULL is fine */
uint64_t engine_next_seq(const struct engine *e); /* the record it wants next */
/* Applies a batch; records below engine_next_seq() are skipped. On failure (disk) call again with the same batch: it
 * goes on where it stopped. LT_E_CORRUPT when a record is missing between. */
enum lt_err engine_apply(struct engine *e, const struct journal_batch *b, struct lt_error *err) LT_MUST_CHECK;
/* Makes effects durable and sends events. Nothing to do is cheap. On failure nothing is lost: call again. */
enum lt_err engine_commit(struct engine *e, struct lt_error *err) LT_MUST_CHECK;
bool engine_checkpoint_due(const struct engine *e);
enum lt_err engine_checkpoint(struct engine *e, struct lt_error *err) LT_MUST_CHECK; /* commits first */
/* Tells how late the engine is (wall time minus time of the last record); raises or ends engine_behind. */
void engine_note_lag(struct engine *e, int64_t lag_ms, uint64_t records);

/* ---- thread ---- */
enum lt_err engine_start(const struct engine_config *cfg, struct engine **ret, struct lt_error *err) LT_MUST_CHECK;
void engine_stop(struct engine **e); /* checkpoint, then ends the thread and closes */
/* Waits until records up to seq are applied and committed; false after wait_ms. */
bool engine_wait(struct engine *e, uint64_t seq, int wait_ms);
/* A fault of the post itself found elsewhere (disk, backup …): raised or ended with the next commit. params as
 * alarm_text() wants them for `rule` ("disk_fault"). Any thread. */
void engine_fault(struct engine *e, const char *rule, bool active, struct lt_slice params);

/* ---- readers ---- */
struct engine_value {
    char factor[17];
    int64_t at_ms;      /* data time of rtd */
    int64_t rtd, zsrtd; /* LT_FIX_NONE when there is none */
    char mark[5];
    int64_t hour_at_ms; /* start of the last closed hour, 0 none */
    int64_t hour, hour_zs;
    unsigned hour_valid, hour_state; /* valid minutes, VALUES_S_ bits */
};
#define ENGINE_FACTORS_MAX 128 /* factors of one device that are followed; more are stored, not followed */
/* Latest values of a device; the number of factors (at most cap are written). */
size_t engine_latest(struct engine *e, int64_t device, struct engine_value *ret, size_t cap);

enum engine_silence { /* why nothing comes */
                      ENGINE_SPEAKING,
                      ENGINE_NEVER,
                      ENGINE_CLOSED,
                      ENGINE_NO_DATA,
                      ENGINE_REFUSED,
                      ENGINE_POST
};
struct engine_device {
    int64_t device;
    int64_t last_at_ms;      /* last record of any kind, 0 never */
    int64_t last_data_at_ms; /* last stored frame, 0 never */
    int64_t drift_ms;        /* median of device clock minus receipt, INT64_MIN unknown */
    int64_t silent_since_ms; /* 0: not silent */
    enum engine_silence cause;
    char cause_zh[200], cause_en[200]; /* one sentence, "" when not silent */
    unsigned interval_s;               /* in force: from the record, or learned */
    bool exceeding;                    /* the last hour value of some factor was above its limit */
    uint64_t frames, bad_items, quarantined;
};
bool engine_device(struct engine *e, int64_t device, struct engine_device *ret); /* false: unknown */
/* Calls each() for all devices (a copy each; no lock held). */
void engine_devices(struct engine *e, void (*each)(void *user, const struct engine_device *d), void *user);

struct engine_stats {
    uint64_t seq; /* applied up to here */
    uint64_t committed_seq, checkpoint_seq;
    int64_t now_ms; /* engine time */
    int64_t lag_ms; /* as last noted */
    uint64_t records, frames, bad_items, quarantined, unknown_factor_cells;
    uint64_t hours_closed, hours_changed, days_closed, alarms_raised, alarms_ended, verdicts, no_limit;
    uint64_t commits, checkpoints, failures;
    uint64_t records_per_s; /* thread only: over the last full second */
    uint64_t devices, devices_silent, devices_pending, open_hours;
};
void engine_stats(struct engine *e, struct engine_stats *ret);

/* ---- ledger: received = stored + duplicate + rejected, per local day of receipt and device ---- */
#define ENGINE_REASONS 32 /* different reasons of one device and day; derivation: 20 of hj212 and 6 of the journal */
struct engine_ledger_row {
    int day; /* YYYYMMDD */
    char mn[65];
    uint64_t received, stored, duplicate, rejected;
    size_t n_reasons;
    struct {
        uint8_t reason; /* journal_reason_name() */
        uint64_t n;
    } reason[ENGINE_REASONS];
};
/* Of the running engine: exact up to engine_stats().seq. day 0: all days; mn "" all devices. Sorted by day and MN. */
enum lt_err engine_ledger(struct engine *e, int day, struct lt_slice mn,
                          bool (*each)(void *user, const struct engine_ledger_row *r), void *user,
                          struct lt_error *err) LT_MUST_CHECK;
/* From the files alone, whether the post runs or not: the checkpointed ledger plus the journal behind it. Exact up to
 * the last committed record. */
enum lt_err engine_ledger_dir(const char *dir, int tz_min, int day, struct lt_slice mn,
                              bool (*each)(void *user, const struct engine_ledger_row *r), void *user,
                              struct lt_error *err) LT_MUST_CHECK;
/* {"day":"2026-11-25","mn":"…","received":n,"stored":n,"duplicate":n,"rejected":{"crc":n}} */
void engine_ledger_json(const struct engine_ledger_row *r, struct lt_buf *out);

/* ---- version trail of hour and day values ---- */
struct engine_version {
    int64_t id, device, period_at_ms, old_value, new_value, at_ms;
    uint64_t seq;
    unsigned version;
    char factor[17], field[16]; /* "Avg", "ZsAvg", "Cou", "Flag" */
    char kind[8];               /* "hour", "day" */
    char cause[32];             /* "late_minute", "late_realtime", "report", "hour" … */
};
/* Oldest first (or newest), of periods in [from, to); factor "" all. At most `most` rows. db: the caller's own
 * connection. */
enum lt_err engine_versions(struct sql_db *db, int64_t device, struct lt_slice factor, int64_t from_ms, int64_t to_ms,
                            bool newest_first, unsigned most, bool (*each)(void *user, const struct engine_version *v),
                            void *user, struct lt_error *err) LT_MUST_CHECK;
#endif
