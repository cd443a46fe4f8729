/* The board: what waits, grouped, worst first; and how right each rule was. */
#include "alarm/alarm_priv.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define QUEUE_MAX  200
#define GROUPS_MAX 2048 /* units that own plants, times rules: a city has about 100 of the one and 12 of the other */
#define IDS_MAX    50   /* named of one group: a list page shows the rest */

struct entry {
    int64_t id, first_at_ms;
    uint8_t severity, overdue;
};

struct group {
    int64_t unit, oldest_ms, ids[IDS_MAX];
    int rule;
    unsigned count, n_ids;
    uint8_t severity;
    char unit_name[160];
};

struct board {
    const struct record_ctx *x;
    struct entry queue[QUEUE_MAX]; /* the worst so far, worst first */
    size_t n, open;                /* in the queue; of all */
    struct group *groups;
    size_t n_groups, cap_groups;
    unsigned counts[3], n_unsigned, overdue, feeds_down;
    int64_t oldest_ms;
    bool failed;
};

static int worse(const struct entry *x, const struct entry *y)
{
    if (x->severity != y->severity)
        return x->severity < y->severity ? -1 : 1;
    if (x->overdue != y->overdue)
        return x->overdue > y->overdue ? -1 : 1;
    if (x->first_at_ms != y->first_at_ms)
        return x->first_at_ms < y->first_at_ms ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* However many are open, the shown ones are all that is kept. */
static void keep_worst(struct board *b, const struct entry *en)
{
    size_t lo = 0, hi = b->n;
    b->open++;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (worse(&b->queue[mid], en) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == QUEUE_MAX)
        return;
    b->n += b->n < QUEUE_MAX;
    memmove(&b->queue[lo + 1], &b->queue[lo], (b->n - 1 - lo) * sizeof *en);
    b->queue[lo] = *en;
}

static struct group *group_of(struct board *b, int64_t unit, int rule, struct lt_slice unit_name)
{
    for (size_t i = 0; i < b->n_groups; i++)
        if (b->groups[i].unit == unit && b->groups[i].rule == rule)
            return &b->groups[i];
    if (b->n_groups == GROUPS_MAX)
        return NULL;
    if (!lt_grow(&b->groups, b->n_groups, &b->cap_groups, sizeof *b->groups)) {
        b->failed = true;
        return NULL;
    }
    struct group *g = &b->groups[b->n_groups++];
    *g = (struct group){.unit = unit, .rule = rule, .severity = 2, .oldest_ms = INT64_MAX};
    lt_text_copy_slice(g->unit_name, sizeof g->unit_name, unit_name);
    return g;
}

static void join_group(struct board *b, const struct record_row *row, const struct entry *en)
{
    int rule = alarm_rule_find(record_text(row, "rule"));
    struct group *g = group_of(b, record_i64(row, "unit", 0), rule, record_value(row, "unit")->s);
    if (!g)
        return;
    g->count++;
    if (g->n_ids < IDS_MAX)
        g->ids[g->n_ids++] = en->id;
    if (en->severity < g->severity)
        g->severity = en->severity;
    if (en->first_at_ms < g->oldest_ms)
        g->oldest_ms = en->first_at_ms;
}

static bool on_open(void *user, const struct record_row *row)
{
    struct board *b = user;
    int64_t due = record_i64(row, "due_at_ms", INT64_MAX);
    bool is_new = lt_slice_is(record_text(row, "state"), "new");
    /* late: the deadline is passed, or was once and nobody has signed since */
    bool late = due <= b->x->now_ms || (is_new && record_i64(row, "level", 0) > 0);
    struct entry en = {.id = row->id,
                       .first_at_ms = record_i64(row, "first_at_ms", row->created_at_ms),
                       .severity = (uint8_t)alarm_severity_rank(record_text(row, "severity")),
                       .overdue = late};
    b->counts[en.severity]++;
    b->n_unsigned += is_new;
    b->overdue += late;
    if (is_new && en.first_at_ms < b->oldest_ms)
        b->oldest_ms = en.first_at_ms;
    join_group(b, row, &en);
    keep_worst(b, &en);
    return !b->failed;
}

static bool on_silent(void *user, const struct record_row *row)
{
    struct board *b = user;
    b->feeds_down++;
    return true;
}

static int bigger(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->severity != y->severity)
        return x->severity < y->severity ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->oldest_ms < y->oldest_ms ? -1 : x->oldest_ms > y->oldest_ms;
}

static const char *const severities[] = {"urgent", "important", "normal"};

static void put_counts(const struct board *b, struct jsonw *w)
{
    jsonw_key(w, "counts");
    jsonw_object(w);
    for (int i = 0; i < 3; i++)
        jsonw_ki64(w, severities[i], b->counts[i]);
    jsonw_ki64(w, "unsigned", b->n_unsigned);
    jsonw_ki64(w, "overdue", b->overdue);
    jsonw_object_end(w);
    int64_t waited = b->oldest_ms == INT64_MAX ? 0 : (b->x->now_ms - b->oldest_ms) / 1000;
    jsonw_ki64(w, "oldest_waiting_s", waited > 0 ? waited : 0);
}

static void put_groups(const struct board *b, struct jsonw *w)
{
    jsonw_key(w, "groups");
    jsonw_array(w);
    for (size_t i = 0; i < b->n_groups; i++) {
        const struct group *g = &b->groups[i];
        enum alarm_rule rule = g->rule < 0 ? ALARM_RULE_COUNT : (enum alarm_rule)g->rule;
        jsonw_object(w);
        jsonw_ki64(w, "unit", g->unit);
        jsonw_kstr(w, "unit_name", g->unit_name);
        jsonw_kstr(w, "rule", alarm_rule_code(rule));
        jsonw_kstr(w, "rule_name", alarm_rule_name(rule, b->x->who->lang));
        jsonw_kstr(w, "severity", severities[g->severity]);
        jsonw_ki64(w, "count", g->count);
        jsonw_ktime(w, "oldest_at", g->oldest_ms, b->x->tz_min);
        jsonw_key(w, "ids");
        jsonw_array(w);
        for (unsigned k = 0; k < g->n_ids; k++)
            jsonw_i64(w, g->ids[k]);
        jsonw_array_end(w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static enum lt_err put_queue(const struct board *b, struct jsonw *w, struct lt_error *err)
{
    struct record_ctx x = *b->x;
    enum lt_err e = LT_OK;
    jsonw_key(w, "queue");
    jsonw_array(w);
    for (size_t i = 0; i < b->n && e == LT_OK; i++) {
        e = record_json(&x, record_kind_find(LT_LIT("alarm")), b->queue[i].id, alarm_item_extra, &x, w, err);
        if (e == LT_E_NOT_FOUND) /* gone since the row was read: no snapshot is held */
            e = LT_OK;
    }
    jsonw_array_end(w);
    jsonw_ki64(w, "more", (int64_t)(b->open - b->n));
    return e;
}

/* State by state, as the index has them: SQLite need not sort what is only counted. */
static enum lt_err each_open(struct board *b, const struct record_kind *k, struct lt_error *err)
{
    static const char *const states[] = {"new", "signed", "handling", "reported"};
    static const char *const needed[] = {"rule", "severity",    "state",     "level",
                                         "unit", "first_at_ms", "due_at_ms", NULL};
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < sizeof states / sizeof states[0]; i++) {
        struct record_query q = {.only = needed};
        e = record_query_param(&q, k, LT_LIT("state"), lt_slice_of(states[i]), err);
        if (e == LT_OK)
            e = record_each(b->x, k, &q, on_open, b, err);
    }
    return e;
}

static enum lt_err collect(struct board *b, struct lt_error *err)
{
    static const char *const nothing[] = {NULL};
    const struct record_kind *k = record_kind_find(LT_LIT("alarm"));
    struct record_query silent = {.only = nothing};
    enum lt_err e = each_open(b, k, err);
    if (e == LT_OK)
        e = record_query_param(&silent, k, LT_LIT("rule"), LT_LIT("silence"), err);
    if (e == LT_OK)
        e = record_query_param(&silent, k, LT_LIT("active"), LT_LIT("true"), err);
    if (e == LT_OK)
        e = record_each(b->x, k, &silent, on_silent, b, err);
    if (e == LT_OK && b->failed)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return e;
}

enum lt_err alarm_board(const struct record_ctx *x, struct jsonw *w, struct lt_error *err)
{
    struct board b = {.x = x, .oldest_ms = INT64_MAX};
    enum lt_err e = collect(&b, err);
    if (e == LT_OK) {
        if (b.n_groups)
            qsort(b.groups, b.n_groups, sizeof *b.groups, bigger);
        jsonw_object(w);
        put_counts(&b, w);
        put_groups(&b, w);
        e = put_queue(&b, w, err);
        jsonw_ki64(w, "feeds_down", b.feeds_down);
        jsonw_object_end(w);
    }
    free(b.groups);
    return e;
}

/* ---- precision ---- */

struct precision {
    unsigned fired[ALARM_RULE_COUNT], outcome[ALARM_RULE_COUNT][4];
};

static bool on_fired(void *user, const struct record_row *row)
{
    static const char *const names[] = {"true", "false", "device_fault"};
    struct precision *p = user;
    int rule = alarm_rule_find(record_text(row, "rule"));
    struct lt_slice outcome = record_text(row, "outcome");
    size_t i = 0;
    if (rule < 0)
        return true;
    while (i < 3 && !lt_slice_is(outcome, names[i]))
        i++;
    p->fired[rule]++;
    p->outcome[rule][i]++;
    return true;
}

enum lt_err alarm_precision(const struct record_ctx *x, unsigned days, struct jsonw *w, struct lt_error *err)
{
    static const char *const names[] = {"confirmed", "false", "device_fault", "unanswered"};
    const struct record_kind *k = record_kind_find(LT_LIT("alarm"));
    struct precision p = {0};
    struct record_query q = {0};
    char from[40];
    if (days < 1 || days > 366)
        return lt_fail(err, LT_E_FIELD_RANGE, "days", "days", "1", "366");
    size_t n = lt_time_format_iso(x->now_ms - (int64_t)days * LT_DAY_MS, x->tz_min, from);
    enum lt_err e = record_query_param(&q, k, LT_LIT("first_at_ms.min"), (struct lt_slice){from, n}, err);
    if (e == LT_OK)
        e = record_each(x, k, &q, on_fired, &p, err);
    if (e != LT_OK)
        return e;
    jsonw_object(w);
    jsonw_ki64(w, "days", days);
    jsonw_key(w, "rules");
    jsonw_array(w);
    for (int r = 0; r < ALARM_RULE_COUNT; r++) {
        jsonw_object(w);
        jsonw_kstr(w, "rule", alarm_rule_code((enum alarm_rule)r));
        jsonw_kstr(w, "name", alarm_rule_name((enum alarm_rule)r, x->who->lang));
        jsonw_ki64(w, "fired", p.fired[r]);
        for (int o = 0; o < 4; o++)
            jsonw_ki64(w, names[o], p.outcome[r][o]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
    return LT_OK;
}
