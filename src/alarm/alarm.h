/* alarm: a finding of a rule, kept as one row per key, with its life cycle, evidence, sentences and board.
 *
 * The engine raises and ends alarms; people move them (flow). Raising is idempotent: the same fact raised again (a
 * replay) changes nothing. Everything works inside the caller's transaction. */
#ifndef LT_ALARM_H
#define LT_ALARM_H
#include "flow/flow.h"
#include "record/rule_list.h"

/* Presets: alarm_rules.c; sentences: alarm_text.c. */
enum alarm_rule {
#define X(name, code, en, zh) ALARM_R_##name,
    RULE_LIST(X)
#undef X
        ALARM_RULE_COUNT
};
const char *alarm_rule_code(enum alarm_rule r);
int alarm_rule_find(struct lt_slice code); /* -1 when unknown */
const char *alarm_rule_name(enum alarm_rule r, enum lt_lang lang);

/* Table verdict; one `rule` record per code with preset values when it is missing. Call after record_setup(). */
enum lt_err alarm_setup(struct sql_db *db, int64_t now_ms, struct lt_error *err) LT_MUST_CHECK;

enum alarm_object { ALARM_DEVICE, ALARM_OUTLET, ALARM_POST };

/* What a rule found. The key is rule/object_kind/object_id/factor/period_at_ms, e.g. "hour_exceed/outlet/12/a21026/
 * 1795564800000"; for conditions without a period period_at_ms is when the condition began.
 *
 * params: JSON object with the numbers of the sentence (see alarm_text()). factor, value, limit_value, period_at_ms,
 * period_ms need not be repeated there: they are added as "factor" (code), "value", "limit" (decimals), "from", "to"
 * (ISO).
 *
 * Repeats: give `count` when the rule knows how often the condition was met (absolute); else 0 and `occurrence`, a
 * number that grows with each new occurrence (the journal seq): the count goes up by one when it is greater than the
 * last. */
struct alarm_fact {
    enum alarm_rule rule;
    int64_t rule_version;
    struct lt_slice severity; /* "urgent" …; "" takes the preset of the rule */
    enum alarm_object object_kind;
    int64_t object_id;               /* 0 for the post */
    struct lt_slice factor;          /* 2017 code or "" */
    int64_t period_at_ms, period_ms; /* period_ms 0: no period */
    int64_t first_at_ms, last_at_ms; /* engine time */
    int64_t count;
    uint64_t occurrence;
    int64_t value, limit_value; /* LT_FIX_NONE when there is none */
    struct lt_slice params;     /* JSON object or "" */
};
enum alarm_change { ALARM_UNCHANGED, ALARM_NEW, ALARM_REPEAT, ALARM_REOPENED, ALARM_ENDED };
const char *alarm_change_name(enum alarm_change c); /* "new", "repeat", "moved" (re-opened), "ended", "" */
struct alarm_outcome {
    int64_t id;
    enum alarm_change change;
    bool suppressed;
    int64_t territory, enterprise, unit; /* for the filter of the event stream */
};
/* A suppression that covers rule and object (or the object's outlet or enterprise) makes the new row `suppressed` until
 * the suppression ends. An alarm that had ended and was closed re-opens when its condition comes back under the same
 * key. */
enum lt_err alarm_raise(struct sql_db *db, const struct alarm_fact *f, int64_t now_ms, struct alarm_outcome *ret,
                        struct lt_error *err) LT_MUST_CHECK;
/* The condition is over: active = 0, the state stays for people to close. Unknown or ended already: ALARM_UNCHANGED. */
enum lt_err alarm_end(struct sql_db *db, enum alarm_rule rule, enum alarm_object object_kind, int64_t object_id,
                      struct lt_slice factor, int64_t period_at_ms, int64_t at_ms, int64_t now_ms,
                      struct alarm_outcome *ret, struct lt_error *err) LT_MUST_CHECK;
/* Ends whatever is active for rule, object and factor, whenever it began; each() may be NULL. */
enum lt_err alarm_end_all(struct sql_db *db, enum alarm_rule rule, enum alarm_object object_kind, int64_t object_id,
                          struct lt_slice factor, int64_t at_ms, int64_t now_ms,
                          void (*each)(void *user, const struct alarm_outcome *o), void *user,
                          struct lt_error *err) LT_MUST_CHECK;
/* Key of a fact, always terminated; returns its length. */
size_t alarm_key(enum alarm_rule rule, enum alarm_object object_kind, int64_t object_id, struct lt_slice factor,
                 int64_t period_at_ms, char ret[160]);

/* ---- evidence ---- */
struct alarm_verdict {
    struct lt_slice key;
    enum alarm_rule rule;
    int64_t rule_version, at_ms;
    uint64_t seq;            /* journal record at which the verdict fell */
    struct lt_slice outcome; /* "raise", "repeat", "end", "hold" … */
    struct lt_slice inputs;  /* JSON object: values, counts, limits used */
};
/* Idempotent by (key, seq, outcome). */
enum lt_err alarm_verdict_add(struct sql_db *db, const struct alarm_verdict *v, struct lt_error *err) LT_MUST_CHECK;
/* Writes {"items":[{at,seq,outcome,rule,rule_version,text,inputs}]}, oldest first, at most 500; checks alarm:read and
 * territory. */
enum lt_err alarm_verdicts(const struct record_ctx *x, int64_t id, struct jsonw *w, struct lt_error *err) LT_MUST_CHECK;

/* ---- words ---- */
/* The sentence of a rule from its parameters, e.g. "SO₂ 小时均值 58.3 mg/m³，超过限值 35 mg/m³，超标 0.67
 * 倍（2026-11-25 08:00–09:00，GB 13223）". A pure function: same parameters, same sentence. Parameters used, beside
 * factor, value, limit, from, to:
 *   hour_exceed, day_exceed  standard, valid (share of valid minutes or hours, %)
 *   silence, no_data         minutes (since the last data), cause (never|link|device|sub_packet|unknown)
 *   constant                 minutes, n (equal values)
 *   out_of_range             min, max (of the range), n
 *   impossible               other (second factor code), other_value, what (sum|zs_below_r|negative|o2_high)
 *   flag_abuse               flag (letter), share (%), hours
 *   clock_drift              of a device: seconds (device minus post), limit_s; of the post itself: step_s (by how much
 *                            its clock was set) or devices (how many disagree with it)
 *   double_connection        n, peers
 *   disk_fault               path, error
 *   engine_behind            seconds, records
 * A missing parameter is written "?"; a clause whose parameters are all missing is left out. */
void alarm_text(struct lt_slice rule, const json_t *params, enum lt_lang lang, int tz_min, struct lt_buf *out);

/* ---- people ---- */
extern const struct flow alarm_flow; /* moves sign, handle, report, confirm, close, suppress, reopen */
/* Makes the move, then writes the alarm item. *ret (may be NULL): for the event stream. */
enum lt_err alarm_move(const struct record_ctx *x, int64_t id, struct lt_slice move, const json_t *body,
                       struct jsonw *w, struct alarm_outcome *ret, struct lt_error *err) LT_MUST_CHECK;
/* Deadlines: unsigned or unhandled in time goes up a level and back to `new`; suppressions end. each() for every alarm
 * touched. Call about every 10 s (engine or main loop). */
enum lt_err alarm_overdue(struct sql_db *db, int64_t now_ms, int tz_min,
                          void (*each)(void *user, const struct alarm_outcome *o), void *user,
                          struct lt_error *err) LT_MUST_CHECK;
/* `extra` of record_list() and record_json() for kind alarm: text, rule_name, object_name, …, waiting_s, moves. user is
 * the struct record_ctx of the caller. */
void alarm_item_extra(void *ctx, const struct record_row *row, struct jsonw *w);

/* ---- board ---- */
/* Writes GET /api/v1/alarm/board: counts, oldest_waiting_s, groups, queue (worst first, at most 200), more, feeds_down.
 */
enum lt_err alarm_board(const struct record_ctx *x, struct jsonw *w, struct lt_error *err) LT_MUST_CHECK;
/* Writes GET /api/v1/rule/precision: {"days","rules":[{rule,name,fired,confirmed,false,device_fault,unanswered}]}. */
enum lt_err alarm_precision(const struct record_ctx *x, unsigned days, struct jsonw *w,
                            struct lt_error *err) LT_MUST_CHECK;
/* Writes the array "rules" of GET /api/v1/meta. */
void alarm_rules_meta(enum lt_lang lang, struct jsonw *w);
#endif
