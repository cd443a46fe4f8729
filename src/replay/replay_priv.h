/* Inside of replay: what one engine found (tally), the places of objects, the run. */
#ifndef LT_REPLAY_PRIV_H
#define LT_REPLAY_PRIV_H
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "replay/replay.h"
#include "sql/sql.h"

struct series;

/* ---- tally: the alarm table in memory, and the verdicts ---- */
struct tally_alarm {
    uint8_t rule, object;
    bool active;
    char factor[17];
    int64_t object_id, device, period_ms, period_len_ms, first_ms, last_ms, ended_ms, created_ms, count, value, limit,
        rule_version;
    uint64_t occurrence;
    uint32_t next_active; /* index + 1 of another that was active for the same rule, object and factor */
};
struct tally_verdict {
    uint8_t rule, object;
    char factor[17];
    int64_t object_id, device, period_ms, at_ms, rule_version;
    uint64_t seq;
    const char *outcome;
    size_t text_at, text_n;
};
struct tally {
    struct tally_alarm *alarm;
    size_t n_alarm, cap_alarm;
    uint32_t *slot, *head; /* by key; by rule, object and factor: open addressing, index + 1 */
    size_t n_slots;
    struct tally_verdict *verdict;
    size_t n_verdict, cap_verdict;
    struct lt_buf text;
    bool failed;            /* no memory or over the limit */
    uint64_t verdicts_from; /* verdicts of records up to here are not kept (warm-up) */
    int64_t now_ms;
    struct { /* periods that changed long after they were closed */
        int64_t device, period_ms;
    } * late;
    size_t n_late, cap_late;
};
bool tally_init(struct tally *t);
void tally_fini(struct tally *t);
void tally_effect(void *user, const struct engine_effect *e); /* engine_private.on_effect */
/* Of an alarm by its key; NULL. */
const struct tally_alarm *tally_find(const struct tally *t, unsigned rule, unsigned object, int64_t object_id,
                                     struct lt_slice factor, int64_t period_ms);
bool tally_late(const struct tally *t, int64_t device, int64_t from_ms, int64_t to_ms);

/* ---- places ---- */
struct place {
    int64_t id, outlet, enterprise, territory;
    bool inside; /* of the territory asked for */
};
struct places {
    struct place *device, *outlet; /* by id */
    size_t n_device, n_outlet;
};
enum lt_err places_load(struct sql_db *db, int64_t territory, struct places *ret, struct lt_error *err) LT_MUST_CHECK;
void places_fini(struct places *p);
const struct place *places_of(const struct places *p, unsigned object, int64_t id); /* NULL: unknown */

/* ---- the run ---- */
struct lane { /* one engine and what it found */
    struct engine *e;
    struct series *s;
    struct engine_private priv;
    struct tally tally;
    char dir[1100];
};
struct replay {
    struct replay_config cfg;
    struct replay_result res;
    struct sql_db *db;
    struct series *recorded;
    struct lane lane[2]; /* same rules; changed rules */
    size_t n_lane;
    struct places places;
    int64_t recorded_ms; /* engine time of window begin */
    struct replay_diff *diff;
    size_t n_diff, cap_diff;
    struct lt_buf words; /* texts of differences; offsets become addresses at the end */
    uint64_t last_seq;   /* of the journal, when the run began */
};
enum lt_err replay_compare(struct replay *r, struct lt_error *err) LT_MUST_CHECK;
#endif
