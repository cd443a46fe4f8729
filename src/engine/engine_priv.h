/* Inside of the engine: devices, channels, open hours, effects. One thread (the engine's) changes all of it; what
 * readers may see is written under the device's or the engine's mutex, and read by the engine thread without. */
#ifndef LT_ENGINE_PRIV_H
#define LT_ENGINE_PRIV_H
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/ledger.h"
#include "engine/rule.h"
#include "engine/values.h"
#include "hj212/hj212.h"

#include <pthread.h>

#define ENG_MAGIC         UINT32_C(0x454E4731)
#define ENG_FACTORS       8192  /* different factors of a city; the tables of the standards have 400 */
#define ENG_NAME_SLOTS    16384 /* power of two; filled to at most three quarters */
#define ENG_GUESSES       64    /* places of a frame; most have fewer */
#define ENG_COLUMNS       65536
#define ENG_DEVICES       200000  /* as the registry */
#define ENG_CELLS         256     /* of one row, limit of series */
#define ENG_OPEN_MAX      4096    /* open hours and days of one device: 170 days; what comes beyond is closed at once */
#define ENG_EFFECTS       2000000 /* between two commits; a whole city's hour is 200,000 */
#define ENG_HOUR_GRACE_MS (5 * LT_MIN_MS)  /* an hour closes this long after its end */
#define ENG_DAY_GRACE_MS  (10 * LT_MIN_MS) /* a day: when the last hour has had its grace */
#define ENG_QUIET_MS      LT_MIN_MS        /* data of an hour long past: wait so long for the rest of it */
#define ENG_SCAN_MS       (10 * LT_SEC_MS) /* silence is looked at this often: the tick of the recorder */
#define ENG_UP_GAP_MS     LT_MIN_MS        /* no record for so long: the post was down */
/* So many devices, if they are most of those that speak, prove the post's own clock wrong. Derivation: a town's small
 * office has some twenty; fewer may well be one maker's wrong time zone. */
#define ENG_CLOCK_JURY   10
#define ENG_CLOCK_HOLD   (2 * LT_HOUR_MS)
#define ENG_CLOCK_SETTLE LT_SEC_MS /* the gateway's loops look at the clock ten times a second */

struct eng_factor {
    char code[17];
    uint8_t n;
    bool o2, flow, no, no2, nox, convertible, weighs, pollutant, watched;
    int64_t step; /* smallest printed step */
    const struct rule_range *range;
};

struct eng_limit {
    int64_t id, outlet, value, from_ms, to_ms;
    uint16_t factor;
    uint8_t day, converted;
    char standard[65];
};
enum eng_process {
    ENG_P_STARTUP = 1,
    ENG_P_SHUTDOWN = 2,
    ENG_P_MAINTENANCE = 4,
    ENG_P_FAULT = 8,
    ENG_P_STOPPED = 16,
    ENG_P_OTHER = 32
};
#define ENG_P_EXEMPT (ENG_P_STARTUP | ENG_P_SHUTDOWN | ENG_P_MAINTENANCE)
struct eng_process_state {
    int64_t outlet, begin_ms, end_ms;
    unsigned state;
};
struct eng_place {
    int64_t territory, enterprise;
};
struct eng_outlet {
    struct eng_place place;
    int64_t id, o2_ref, o2_cap; /* o2_ref LT_FIX_NONE: not given */
    bool convert, substitution;
    uint32_t limit_at, limit_n, state_at, state_n;
};
struct eng_rules { /* configuration as loaded */
    struct rule_params rule[ALARM_RULE_COUNT];
    struct eng_outlet *outlet;
    struct eng_limit *limit;
    struct eng_process_state *state;
    size_t n_outlet, n_limit, n_state;
};

/* One factor of one device. What every reading touches stands first, in two cache lines. */
struct eng_channel {
    uint16_t factor;
    bool stirred; /* range or impossible is not at rest */
    int64_t at_ms, rtd, zs, mark;
    struct rule_run run;
    struct rule_hold range, impossible;
    struct rule_flag flag;
    uint16_t hour_valid, hour_state;
    int64_t hour_ms, hour, hour_zs;
    int64_t exceed_ms, day_exceed_ms, nodata_ms; /* period of the active alarm, 0 none */
};

enum { ENG_C_REALTIME = 1, ENG_C_MINUTE = 2, ENG_C_REPORT = 4, ENG_C_HOUR = 8 };
struct eng_open {          /* an hour or day whose value has to be made again */
    int64_t at_ms, due_ms; /* due 0: at the end of this batch */
    uint8_t day, cause;
};

enum eng_status { ENG_PENDING, ENG_ACTIVE, ENG_DISABLED, ENG_GONE };
struct eng_device {
    pthread_mutex_t mu;
    int64_t id, outlet_id;
    char mn[65];
    uint8_t mn_n, status;
    bool water, has_key, urgent, changed;
    uint8_t key[16];
    uint16_t st, rtd_interval_s, min_interval_min;
    uint32_t tolerate;
    const struct eng_outlet *outlet; /* NULL: none */

    int64_t known_ms, last_ms, last_data_ms, saved_ms;
    struct rule_ring gaps, drift;
    struct rule_hold drift_hold;
    struct rule_double twice;
    uint32_t conn; /* of the last frame */
    bool conn_closed;
    int64_t closed_ms, reject_ms;
    uint8_t reject_reason;
    char close_why[48];
    int64_t silent_since_ms;
    uint8_t cause; /* enum engine_silence */
    uint64_t frames, bad_items, quarantined;
    int64_t nodata_ms;
    int64_t told_ms; /* last "latest" event */
    bool tell;

    struct eng_open *open;
    uint32_t n_open, n_ch;
    size_t cap_open, cap_ch;
    int64_t open_hint_ms;    /* hour that is known to be open, INT64_MIN none */
    uint8_t open_hint_cause; /* causes it has already */
    struct eng_channel *ch;
    struct ledger_entry *ledger;
    int ledger_day;
};

enum eng_effect_kind { EFF_RAISE, EFF_END, EFF_END_ALL, EFF_VERDICT, EFF_VERSION };
struct eng_effect {
    uint8_t kind, rule, object, field, day, cause;
    uint16_t factor; /* 0 none */
    uint32_t version;
    int64_t rule_version, object_id, device, period_ms, period_len_ms, first_ms, last_ms, at_ms, value, limit, count;
    uint64_t seq;
    const char *outcome;
    size_t text_at, text_n; /* in engine.text */
};
struct eng_told { /* for events after the commit */
    int64_t id, device, outlet, territory, enterprise;
    uint8_t rule, change;
    char factor[17];
};

struct name_slot {
    uint64_t key;
    uint16_t column, factor;
};
struct eng_column {
    uint16_t factor;
    uint8_t field;
    bool known;
};
struct eng_reading {
    uint16_t factor;
    int64_t value, zs, mark;
};
struct eng_work {
    struct eng_device *d;
    int64_t at_ms;
    uint8_t cause;
};
struct hour_work; /* engine_hour.c */

struct engine {
    uint32_t magic;
    struct engine_config cfg;
    char dir[1024];
    struct sql_db *db;
    int64_t tz_ms;

    /* position */
    uint64_t seq, state_seq, series_seq; /* seq: last record applied; while one is applied, that one */
    uint64_t batch_last;                 /* last record of the batch under way, 0 none */
    size_t batch_pos;
    bool batch_open;
    int phase; /* of the end of a batch */
    int64_t now_ms, up_since_ms, scan_ms, checkpoint_ms;
    uint64_t checkpoint_records;
    const struct engine_private *private; /* of cfg; NULL: the post's own engine */
    int64_t config_ms;                    /* private: configuration is that of this time */
    int64_t *config_change;               /* private: times at which it changed, ascending */
    size_t n_config_change, n_config_seen;
    bool config_loaded;
    bool reload, want_checkpoint; /* configuration changed; was read again */
    int64_t post_minute;          /* last minute noted */
    int64_t clock_doubt_ms;       /* since when the post's own clock is in doubt, 0: it is not */
    int64_t clock_settle_ms;      /* until then frames may come that were received by the clock of before, 0 settled */
    bool clock_told;              /* that it is in doubt */
    int64_t clock_held_ms;        /* of a step forward in doubt, what now_ms does not follow */
    int64_t day_from_ms, day_to_ms;
    int day;

    struct eng_rules rules;
    struct eng_device **device;
    size_t n_device, cap_device, n_pending;
    uint32_t *by_mn; /* open addressing, index + 1 */
    uint32_t *by_id;
    size_t n_slots;          /* of both, power of two */
    struct eng_device *hint; /* probably the device of the record being applied; NULL unknown */
    pthread_rwlock_t map;    /* guards device, by_id against readers */

    struct eng_factor *factor;
    size_t n_factor;
    uint16_t *factor_slot; /* 2 * ENG_FACTORS */
    struct name_slot *name;
    size_t n_name;
    struct name_slot guess[ENG_GUESSES]; /* what stood at this place of the last frames: devices repeat themselves */
    struct eng_column *column;
    uint32_t *seen; /* per column: stamp of the row that has it */
    uint16_t *seen_at;
    uint32_t stamp;

    struct eng_work *work;
    size_t n_work, cap_work, work_at;
    struct eng_device **urgent;
    size_t n_urgent, cap_urgent;
    int64_t due_next_ms; /* earliest due of all open hours and days, INT64_MAX none */

    struct eng_effect *effect;
    size_t n_effect, cap_effect;
    struct lt_buf text;
    struct eng_told *told;
    size_t n_told, cap_told;
    bool behind, damage_told;
    int64_t latest_scan_ms;

    struct ledger *ledger;
    pthread_mutex_t ledger_mu; /* guards ledger; held while the records of a batch are applied */
    int ledger_from;           /* days from here on are in memory */
    pthread_mutex_t mu;        /* guards stats, faults, thread state */
    pthread_cond_t moved;
    struct engine_stats stats; /* engine thread's own */
    struct engine_stats shown; /* copy for readers */
    uint64_t visible_seq;      /* applied and committed */
    struct {
        char rule[32];
        bool active;
        struct lt_buf params;
    } fault[8];
    size_t n_fault;

    /* thread */
    pthread_t thread;
    bool threaded, stop;

    /* scratch */
    struct hj212_item item[HJ212_ITEMS_MAX];
    char plain[HJ212_FRAME_MAX];
    struct series_cell cell[ENG_CELLS];
    struct eng_reading reading[ENGINE_FACTORS_MAX];
    uint8_t minute_up[48][60]; /* minutes of the last 48 hours in which the post ran */
    int64_t minute_up_hour[48];
    struct hour_work *hour;
};

/* engine_config.c */
enum lt_err eng_config_load(struct engine *e, struct lt_error *err) LT_MUST_CHECK;
void eng_config_fini(struct engine *e);
/* Private engine: reads when configuration changed; call once. */
enum lt_err eng_config_times(struct engine *e, struct lt_error *err) LT_MUST_CHECK;
enum lt_err eng_device_unknown(struct engine *e, struct lt_slice mn, uint16_t st, struct eng_device **ret,
                               struct lt_error *err) LT_MUST_CHECK;
struct eng_device *eng_device_by_mn(struct engine *e, struct lt_slice mn);
/* Hints before eng_device_by_mn(): the slot; then the device that probably stands there, NULL none. */
void eng_prefetch_mn(const struct engine *e, struct lt_slice mn);
struct eng_device *eng_prefetch_device(const struct engine *e, struct lt_slice mn);
struct eng_device *eng_device_by_id(struct engine *e, int64_t id);
struct eng_device *eng_device_new(struct engine *e, int64_t id); /* NULL: no memory or too many */
void eng_device_free(struct eng_device *d);
const struct eng_outlet *eng_outlet_find(const struct engine *e, int64_t id);
/* Process states declared for any part of [from, to): bits of enum eng_process. */
unsigned eng_process_in(const struct engine *e, const struct eng_outlet *o, int64_t from_ms, int64_t to_ms);

/* engine_frame.c */
/* *dev: the device of the record or NULL; set when one was made. */
enum lt_err eng_frame(struct engine *e, const struct journal_record *r, struct eng_device **dev,
                      struct lt_error *err) LT_MUST_CHECK;
uint16_t eng_factor_number(struct engine *e, struct lt_slice code); /* 0: no room */
const struct eng_column *eng_column_learn(struct engine *e, uint16_t column);
uint16_t eng_column_of(struct engine *e, uint16_t factor, unsigned field);
struct eng_channel *eng_channel(struct eng_device *d, uint16_t factor, uint32_t guess); /* NULL: full */

static inline const struct eng_column *eng_column_info(struct engine *e, uint16_t column)
{
    return e->column[column].known ? &e->column[column] : eng_column_learn(e, column);
}

/* engine_open.c */
enum lt_err eng_touch(struct engine *e, struct eng_device *d, bool day, int64_t at_ms, unsigned cause, bool at_once,
                      struct lt_error *err) LT_MUST_CHECK;
enum lt_err eng_batch_end(struct engine *e, struct lt_error *err) LT_MUST_CHECK;

/* engine_hour.c */
/* The post's own hour and day rows say when they were made, in records: rank_ms is the record after which the period
 * was first closed, tie how many records later the row last changed (0 both: made before rows said so). When state was
 * lost, rows may be ahead of the records being applied again; what is ahead must not be taken for what was. */
enum eng_row_age {
    ENG_ROW_NONE,
    ENG_ROW_STANDS,  /* made by now, and not changed later */
    ENG_ROW_CHANGES, /* made by now, but what it said then is gone */
    ENG_ROW_AHEAD    /* will be made later, or by this very batch */
};
struct eng_row {
    enum eng_row_age age;
    uint64_t first_seq;
    size_t n; /* cells */
};
enum lt_err eng_row_read(struct engine *e, const struct eng_device *d, bool day, int64_t at_ms,
                         struct series_cell ret_cells[ENG_CELLS], struct eng_row *ret,
                         struct lt_error *err) LT_MUST_CHECK;
struct hour_work *eng_hour_new(void);
void eng_hour_free(struct hour_work *w);
enum lt_err eng_hour_close(struct engine *e, struct eng_device *d, int64_t hour_ms, unsigned cause,
                           struct lt_error *err) LT_MUST_CHECK;
enum lt_err eng_day_close(struct engine *e, struct eng_device *d, int64_t day_ms, unsigned cause,
                          struct lt_error *err) LT_MUST_CHECK;
/* Hours of [from, to) of the device and factor whose STATE has all bits. */
enum lt_err eng_hours_with(struct engine *e, struct eng_device *d, uint16_t factor, int64_t from_ms, int64_t to_ms,
                           int64_t bits, unsigned *ret_n, struct lt_error *err) LT_MUST_CHECK;

/* engine_rules.c */
struct eng_hour_facts {
    struct eng_device *d;
    uint16_t factor;
    int64_t from_ms, to_ms;
    bool day, first;   /* first: this period was not closed before */
    bool quiet;        /* nothing changed: it stays as it was judged */
    int64_t old_state; /* VALUES_S_ bits of the row that stood there, 0 none */
    bool old_lost;     /* they are of a later row: whether it exceeded is in the channel */
    const struct values_result *value;
    int64_t o2;       /* oxygen of the hour, LT_FIX_NONE */
    int64_t all_mean; /* mean of all values, marks ignored */
    bool flagged, any_flag;
};
/* Judges limit, marks and missing data; adds EXCEED and EXEMPT to *state. */
enum lt_err eng_judge_period(struct engine *e, const struct eng_hour_facts *f, unsigned *state,
                             struct lt_error *err) LT_MUST_CHECK;
/* first: the hour was not closed before. */
void eng_judge_missing(struct engine *e, struct eng_device *d, int64_t hour_ms, bool first, const uint16_t *valid,
                       size_t n_valid, const uint16_t *seen, const unsigned *minutes, size_t n_seen);
void eng_judge_reading(struct engine *e, struct eng_device *d, struct eng_channel *c, const struct eng_reading *r,
                       int64_t at_ms, int64_t o2);
void eng_judge_frame(struct engine *e, struct eng_device *d, const struct journal_record *r, int64_t drift_ms);
void eng_judge_time(struct engine *e);
void eng_judge_clock(struct engine *e, const struct journal_record *tick); /* of the post itself */
void eng_post_minute(struct engine *e, int64_t at_ms);
/* Minutes of the hour in which the post ran. */
unsigned eng_post_minutes(const struct engine *e, int64_t hour_ms);
void eng_silence_sentence(const struct engine *e, const struct eng_device *d, char zh[200], char en[200]);

/* Errors of one row or one damaged chunk (series.h): true when they are to be passed over, so that one device, or one
 * worn place of a disk, does not stop the values of a city. Damage is told as a fault of the disk. */
bool eng_pass_over(struct engine *e, enum lt_err r, const struct lt_error *why);

/* Records whose effects are committed are applied once more, to have the memory they left. */
static inline bool eng_again(const struct engine *e)
{
    return e->batch_last && e->batch_last <= e->state_seq;
}

/* engine_effect.c: kept until the commit; nothing is kept while old records are applied again */
struct jsonw;
struct eng_effect *eng_effect(struct engine *e, enum eng_effect_kind kind, enum alarm_rule rule); /* NULL: not now */
void eng_effect_text(struct engine *e, struct eng_effect *f, struct lt_slice json);
enum lt_err eng_effects_commit(struct engine *e, struct lt_error *err) LT_MUST_CHECK;
void eng_events(struct engine *e);
extern const struct sql_migration eng_migrations[];
extern const size_t eng_migrations_n;

/* engine_snapshot.c */
enum lt_err eng_snapshot_save(struct engine *e, struct lt_error *err) LT_MUST_CHECK; /* inside a transaction */
enum lt_err eng_snapshot_load(struct engine *e, struct lt_error *err) LT_MUST_CHECK;
void eng_snapshot_saved(struct engine *e);

static inline int64_t eng_floor(const struct engine *e, int64_t at_ms, int64_t unit_ms)
{
    int64_t t = at_ms + e->tz_ms, r = t % unit_ms;
    return at_ms - (r < 0 ? r + unit_ms : r);
}
#endif
