/* flow: a life cycle is a table of states and moves; this engine runs them all. The state stands in a field of the
 * record; every move is one change of that record (history, audit and state in one transaction). Time is an argument.
 */
#ifndef LT_FLOW_H
#define LT_FLOW_H
#include "record/record.h"

#define FLOW_STATES_MAX 32 /* bits of `from` */
#define FLOW_NEEDS_MAX  4

struct flow_need {
    const char *field; /* name in the request; written to the record's field of that name when it has one */
    const char *en, *zh;
    enum record_type type;
    bool required;
    const struct record_choice *choices; /* ENUM */
    bool future;                         /* TIME: must lie after now, and at most `max_ms` after it */
    int64_t max_ms;
    const char *store; /* record field to write, NULL: same name as `field`, "" none (history only) */
    size_t max_chars;  /* TEXT; 0: 1,000 */
};
struct flow_move {
    const char *name, *en, *zh;
    uint32_t from; /* bit per state number */
    unsigned to;
    const char *permission; /* "alarm:sign" */
    struct flow_need needs[FLOW_NEEDS_MAX];
    size_t n_needs;
    /* Further conditions and fields to set (e.g. signed_by); may be NULL. Adds to set[*n], room for 8. */
    enum lt_err (*apply)(const struct record_ctx *x, const struct record_row *row, struct record_set *set, size_t *n,
                         struct lt_error *err);
};
/* A deadline by the value of a field, on the clock; when NULL it holds for all. Where people have set another one (kind
 * `deadline`), that holds. */
struct flow_limit {
    const char *when_value;
    int64_t ms;
};
struct flow_state {
    const char *name, *en, *zh;
    const char *limit_field;         /* "severity" */
    const struct flow_limit *limits; /* ends with ms 0; NULL: no deadline */
    bool keeps_due;                  /* the deadline was given by the move itself (end of a suppression) */
    /* State to enter when the deadline passes, another one; clears *ret_raise when the level stays; may add to
     * set[*n], room for 4. NULL: stays, level + 1. */
    unsigned (*overdue)(const struct record_row *row, bool *ret_raise, struct record_set *set, size_t *n);
};
struct flow {
    const char *kind; /* record kind */
    const char *state_field, *due_field, *level_field;
    const char *since_field; /* gets the time of each change of state; may be NULL */
    const struct flow_state *states;
    size_t n_states;
    const struct flow_move *moves;
    size_t n_moves;
    unsigned level_max; /* escalation stops there; the deadline then stays passed, the record overdue */
};

/* Performs a move in the caller's name. body: JSON object with what the move needs (may be NULL). Errors: DENIED,
 * NOT_FOUND, FLOW_MOVE (wrong state), FLOW_NEEDS, FIELD_…. Raced by another writer: FLOW_MOVE or STALE. */
enum lt_err flow_move(const struct record_ctx *x, const struct flow *f, int64_t id, struct lt_slice move,
                      const json_t *body, struct lt_error *err) LT_MUST_CHECK;
/* Fields a new record (or one re-opened by the system) must get to stand in `state` at x->now_ms: state, since, due.
 * Room for 3. */
size_t flow_enter(const struct record_ctx *x, const struct flow *f, unsigned state, struct lt_slice limit_value,
                  struct record_set *ret);
/* When a state entered at x->now_ms is overdue, 0 never: by the `deadline` record of flow, state and value as it stood
 * then, else by the table of the flow. */
int64_t flow_due(const struct record_ctx *x, const struct flow *f, unsigned state, struct lt_slice value);
/* from_ms and so many working minutes: of working days, 8:00–12:00 and 14:00–18:00 unless the calendar names other hours
 * (kind `work_calendar`, as it stood at as_of_ms). */
int64_t flow_working(struct sql_db *db, int64_t from_ms, int64_t minutes, int64_t as_of_ms, int tz_min);

/* One deadline that passed. */
struct flow_overdue_event {
    int64_t id;
    const struct flow_state *from, *to;
    int64_t level;
    bool raised;
};
/* Handles deadlines that passed at now, oldest first, at most 200 a call in one transaction (*ret_more then true: call
 * again). each() (may be NULL) is called after the commit. */
enum lt_err flow_overdue(struct sql_db *db, const struct flow *f, int64_t now_ms, int tz_min,
                         void (*each)(void *user, const struct flow_overdue_event *e), void *user, bool *ret_more,
                         struct lt_error *err) LT_MUST_CHECK;

/* Moves possible from the row's state for this caller: writes an array of names. */
void flow_moves(const struct flow *f, const struct record_row *row, const struct auth_ctx *who, struct jsonw *w);
/* Writes the object {states:[{name,label}],moves:[{name,label,from,to,needs,permission}]} for GET /api/v1/meta. */
void flow_meta(const struct flow *f, enum lt_lang lang, struct jsonw *w);
int flow_state_find(const struct flow *f, struct lt_slice name); /* -1 when unknown */
/* A table's own consistency: every state reachable, every move leads somewhere, names unique. NULL, or what is wrong.
 */
const char *flow_check(const struct flow *f);
#endif
