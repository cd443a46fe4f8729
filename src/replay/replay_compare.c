/* What differs: the replay under the same rules against the record, and the changed rules against the same ones. */
#include "replay/replay_priv.h"

#include "engine/values.h"
#include "hj212/hj212.h"
#include "series/series.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR_OPEN_MS (10 * LT_MIN_MS) /* an hour that ended this short before the end may not have been closed */
#define DAY_OPEN_MS  (15 * LT_MIN_MS)

/* ---- differences ---- */

static enum lt_err no_memory(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
}

/* Texts are held as offsets until all are there. */
static const char *keep(struct replay *r, struct lt_slice s)
{
    size_t at = r->words.n;
    lt_buf_add(&r->words, s.p, s.n);
    lt_buf_addc(&r->words, 0);
    return (const char *)(uintptr_t)(at + 1);
}

static void settle(struct replay *r)
{
    for (size_t i = 0; i < r->n_diff; i++) {
        const char **const p[] = {&r->diff[i].outcome, &r->diff[i].inputs_before, &r->diff[i].inputs_after};
        for (size_t k = 0; k < 3; k++)
            *p[k] = *p[k] ? r->words.p + (uintptr_t)*p[k] - 1 : "";
    }
}

/* Room for one more; NULL when enough are kept (then it is only counted) or there is no memory. */
static struct replay_diff *new_diff(struct replay *r)
{
    r->res.n_diff++;
    if (r->n_diff >= REPLAY_DIFFS_MAX)
        return NULL;
    if (!lt_grow(&r->diff, r->n_diff, &r->cap_diff, sizeof *r->diff))
        return NULL;
    struct replay_diff *d = &r->diff[r->n_diff++];
    *d = (struct replay_diff){.old_value = LT_FIX_NONE, .new_value = LT_FIX_NONE};
    return d;
}

static void put_place(const struct replay *r, struct replay_diff *d, unsigned object, int64_t id, int64_t device)
{
    const struct place *p = places_of(&r->places, object, id);
    d->object = (uint8_t)object;
    d->object_id = id;
    d->device = device;
    if (p) {
        d->outlet = p->outlet;
        d->enterprise = p->enterprise;
        d->territory = p->territory;
    }
}

static bool inside(const struct replay *r, unsigned object, int64_t id)
{
    const struct place *p = places_of(&r->places, object, id);
    return r->cfg.territory == 0 || (p && p->inside);
}

static struct replay_alarm alarm_of(const struct tally_alarm *a)
{
    return (struct replay_alarm){.there = true,
                                 .active = a->active,
                                 .first_ms = a->first_ms,
                                 .last_ms = a->last_ms,
                                 .ended_ms = a->ended_ms,
                                 .value = a->value,
                                 .limit = a->limit,
                                 .rule_version = a->rule_version,
                                 .count = a->count,
                                 .created_ms = a->created_ms};
}

static bool remembers(unsigned rule) /* longer than the month of warm-up */
{
    return rule == ALARM_R_CONSTANT || rule == ALARM_R_FLAG_ABUSE || rule == ALARM_R_CLOCK_DRIFT ||
           rule == ALARM_R_SILENCE || rule == ALARM_R_DOUBLE_CONNECTION;
}

static enum replay_cause cause_of(const struct replay *r, unsigned rule, int64_t device, int64_t period_ms,
                                  int64_t at_ms)
{
    if (r->res.expired && at_ms < r->res.warm_ms + LT_DAY_MS)
        return REPLAY_C_EXPIRED;
    if (tally_late(&r->lane[0].tally, device, period_ms - LT_DAY_MS, period_ms + LT_DAY_MS))
        return REPLAY_C_LATE;
    return !r->res.exact && remembers(rule) ? REPLAY_C_STATE : REPLAY_C_UNKNOWN;
}

static void count_checked(struct replay *r, enum replay_cause c)
{
    r->res.differences++;
    r->res.cause[c]++;
}

/* ---- recorded alarms ---- */

struct recorded {
    unsigned rule, object;
    int64_t object_id, device, period_ms, period_len_ms, last_seq, turned_ms;
    char factor[17];
    struct replay_alarm a;
};

static int64_t or_none(struct sql_stmt *st, int col)
{
    return sql_col_null(st, col) ? LT_FIX_NONE : sql_col_i64(st, col);
}

static bool read_alarm(struct sql_stmt *st, struct recorded *x)
{
    static const char *const objects[] = {[ALARM_DEVICE] = "device", [ALARM_OUTLET] = "outlet", [ALARM_POST] = "post"};
    int rule = alarm_rule_find(sql_col_text(st, 0));
    *x = (struct recorded){.object = ALARM_POST,
                           .object_id = sql_col_i64(st, 2),
                           .period_ms = sql_col_i64(st, 4),
                           .period_len_ms = sql_col_i64(st, 5),
                           .device = sql_col_i64(st, 14),
                           .last_seq = sql_col_i64(st, 15),
                           .turned_ms = sql_col_i64(st, 17),
                           .a = {.there = true,
                                 .first_ms = sql_col_i64(st, 6),
                                 .last_ms = sql_col_i64(st, 7),
                                 .ended_ms = sql_col_i64(st, 8),
                                 .active = sql_col_i64(st, 9) != 0,
                                 .value = or_none(st, 10),
                                 .limit = or_none(st, 11),
                                 .rule_version = sql_col_i64(st, 12),
                                 .count = sql_col_i64(st, 13),
                                 .created_ms = sql_col_i64(st, 16)}};
    for (unsigned o = 0; o < 3; o++)
        if (lt_slice_is(sql_col_text(st, 1), objects[o]))
            x->object = o;
    lt_text_copy_slice(x->factor, sizeof x->factor, sql_col_text(st, 3));
    x->rule = rule < 0 ? 0 : (unsigned)rule;
    return rule >= 0 && x->object != ALARM_POST;
}

/* What cannot be known of the time of the run's end is taken from the other side: a recorded alarm may have gone on,
 * ended or come back since. */
static void as_of_end(const struct replay *r, struct recorded *x, const struct replay_alarm *other)
{
    if (!other->there)
        return;
    if ((uint64_t)x->last_seq > r->res.end_seq) {
        x->a.value = other->value;
        x->a.limit = other->limit;
        x->a.count = other->count;
        x->a.last_ms = other->last_ms;
    }
    if (x->turned_ms > r->res.end_ms) {
        x->a.active = other->active;
        x->a.ended_ms = other->ended_ms;
    }
}

static bool same_alarm(const struct replay_alarm *a, const struct replay_alarm *b)
{
    return a->first_ms == b->first_ms && a->rule_version == b->rule_version && a->created_ms == b->created_ms &&
           a->value == b->value && a->limit == b->limit && a->count == b->count && a->last_ms == b->last_ms &&
           a->active == b->active && a->ended_ms == b->ended_ms;
}

static void diff_alarm(struct replay *r, enum replay_side side, unsigned rule, unsigned object, int64_t object_id,
                       int64_t device, const char *factor, int64_t period_ms, int64_t len_ms,
                       const struct replay_alarm *before, const struct replay_alarm *after, enum replay_cause cause)
{
    struct replay_diff *d = new_diff(r);
    if (!d)
        return;
    d->side = (uint8_t)side;
    d->what = REPLAY_ALARM;
    d->how = (uint8_t)(!before->there ? REPLAY_GAINED : !after->there ? REPLAY_LOST : REPLAY_DIFFERS);
    d->cause = (uint8_t)cause;
    d->rule = (uint8_t)rule;
    put_place(r, d, object, object_id, device);
    lt_text_copy(d->factor, sizeof d->factor, factor);
    d->period_ms = period_ms;
    d->period_len_ms = len_ms;
    d->before = *before;
    d->after = *after;
}

static bool in_window(const struct replay *r, int64_t created_ms)
{
    return created_ms > r->recorded_ms && created_ms <= r->res.end_ms;
}

static enum replay_cause alarm_cause(const struct replay *r, const struct recorded *x, const struct replay_alarm *after)
{
    if (after->there && after->rule_version != x->a.rule_version)
        return REPLAY_C_CONFIG;
    return cause_of(r, x->rule, x->device, x->period_ms, x->a.created_ms);
}

static void check_alarm(struct replay *r, struct recorded *x, bool *seen)
{
    const struct tally *t = &r->lane[0].tally;
    const struct tally_alarm *a = tally_find(t, x->rule, x->object, x->object_id, lt_slice_of(x->factor), x->period_ms);
    struct replay_alarm after = {0};
    if (a) {
        seen[a - t->alarm] = true;
        after = alarm_of(a);
    }
    as_of_end(r, x, &after);
    if (!inside(r, x->object, x->object_id))
        return;
    r->res.alarms++;
    if (a && same_alarm(&x->a, &after))
        return;
    enum replay_cause c = alarm_cause(r, x, &after);
    count_checked(r, c);
    diff_alarm(r, REPLAY_CHECKED, x->rule, x->object, x->object_id, x->device, x->factor, x->period_ms,
               x->period_len_ms, &x->a, &after, c);
}

static enum lt_err check_alarms(struct replay *r, struct lt_error *err)
{
    const struct tally *t = &r->lane[0].tally;
    struct sql_stmt *st = NULL;
    bool row, *seen = calloc(t->n_alarm + 1, sizeof *seen);
    if (!seen)
        return no_memory(err);
    enum lt_err e = sql_prepare(
        r->db,
        "SELECT rule, object_kind, object_id, coalesce(factor, ''), coalesce(period_at_ms, 0), coalesce(period_ms, 0), "
        "first_at_ms, last_at_ms, coalesce(ended_at_ms, 0), active, value, limit_value, rule_version, count, "
        "coalesce(device, 0), coalesce(last_occurrence, 0), created_at_ms, coalesce((SELECT max(h.at_ms) FROM "
        "record_history h WHERE h.kind = 'alarm' AND h.record_id = alarm.id AND h.action IN ('end', 'again')), 0) FROM "
        "alarm WHERE deleted = 0 AND "
        "created_at_ms > ?1 AND created_at_ms <= ?2 ORDER BY created_at_ms, id",
        &st, err);
    if (e == LT_OK) {
        sql_bind_i64(st, 1, r->recorded_ms);
        sql_bind_i64(st, 2, r->res.end_ms);
    }
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct recorded x;
        if (read_alarm(st, &x))
            check_alarm(r, &x, seen);
    }
    sql_release(&st);
    for (size_t i = 0; e == LT_OK && i < t->n_alarm; i++) {
        const struct tally_alarm *a = &t->alarm[i];
        if (seen[i] || !in_window(r, a->created_ms) || !inside(r, a->object, a->object_id))
            continue;
        struct replay_alarm none = {0}, after = alarm_of(a);
        enum replay_cause c = cause_of(r, a->rule, a->device, a->period_ms, a->created_ms);
        count_checked(r, c);
        diff_alarm(r, REPLAY_CHECKED, a->rule, a->object, a->object_id, a->device, a->factor, a->period_ms,
                   a->period_len_ms, &none, &after, c);
    }
    free(seen);
    return e;
}

/* ---- verdicts: by record number, key and outcome, to the last byte of their inputs ---- */

struct keyed {
    const struct tally_verdict *v;
    char key[160];
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->v->seq != y->v->seq)
        return x->v->seq < y->v->seq ? -1 : 1;
    int c = strcmp(x->key, y->key);
    if (c == 0)
        c = strcmp(x->v->outcome, y->v->outcome);
    return c ? c : (x->v > y->v) - (x->v < y->v); /* of equal ones the first counts, as in the table */
}

static int compare_key(const struct keyed *k, uint64_t seq, struct lt_slice key, struct lt_slice outcome)
{
    if (k->v->seq != seq)
        return k->v->seq < seq ? -1 : 1;
    int c = strncmp(k->key, key.p, key.n);
    c = c == 0 && k->key[key.n] ? 1 : c;
    if (c)
        return c;
    c = strncmp(k->v->outcome, outcome.p, outcome.n);
    return c == 0 && k->v->outcome[outcome.n] ? 1 : c;
}

static struct keyed *sorted_verdicts(const struct tally *t, size_t *ret_n)
{
    struct keyed *k = calloc(t->n_verdict + 1, sizeof *k);
    if (!k)
        return NULL;
    for (size_t i = 0; i < t->n_verdict; i++) {
        const struct tally_verdict *v = &t->verdict[i];
        k[i].v = v;
        alarm_key((enum alarm_rule)v->rule, (enum alarm_object)v->object, v->object_id, lt_slice_of(v->factor),
                  v->period_ms, k[i].key);
    }
    qsort(k, t->n_verdict, sizeof *k, by_key);
    size_t n = 0;
    for (size_t i = 0; i < t->n_verdict; i++)
        if (n == 0 || k[n - 1].v->seq != k[i].v->seq || strcmp(k[n - 1].key, k[i].key) != 0 ||
            strcmp(k[n - 1].v->outcome, k[i].v->outcome) != 0)
            k[n++] = k[i];
    *ret_n = n;
    return k;
}

static struct lt_slice inputs_of(const struct tally *t, const struct tally_verdict *v)
{
    return v->text_n ? (struct lt_slice){t->text.p + v->text_at, v->text_n} : LT_LIT("{}");
}

static struct replay_diff *diff_verdict(struct replay *r, const struct tally_verdict *v, enum replay_how how,
                                        enum replay_cause cause)
{
    count_checked(r, cause);
    struct replay_diff *d = new_diff(r);
    if (!d)
        return NULL;
    d->side = REPLAY_CHECKED;
    d->what = REPLAY_VERDICT;
    d->how = (uint8_t)how;
    d->cause = (uint8_t)cause;
    d->rule = v->rule;
    put_place(r, d, v->object, v->object_id, v->device);
    lt_text_copy(d->factor, sizeof d->factor, v->factor);
    d->period_ms = v->period_ms;
    d->seq = v->seq;
    return d;
}

static void gained_verdict(struct replay *r, const struct keyed *k)
{
    if (!inside(r, k->v->object, k->v->object_id))
        return;
    struct replay_diff *d =
        diff_verdict(r, k->v, REPLAY_GAINED, cause_of(r, k->v->rule, k->v->device, k->v->period_ms, k->v->at_ms));
    if (d) {
        d->outcome = keep(r, lt_slice_of(k->v->outcome));
        d->inputs_after = keep(r, inputs_of(&r->lane[0].tally, k->v));
    }
}

/* "rule/object/id/factor/period" back into its parts. */
static void parse_key(struct lt_slice key, struct tally_verdict *ret)
{
    char text[161], *rest = text;
    lt_text_copy_slice(text, sizeof text, key);
    const char *part[5] = {"", "", "", "", ""};
    for (int i = 0; i < 5 && rest; i++)
        part[i] = strsep(&rest, "/");
    int rule = alarm_rule_find(lt_slice_of(part[0]));
    ret->rule = (uint8_t)(rule < 0 ? 0 : rule);
    ret->object = strcmp(part[1], "outlet") == 0 ? ALARM_OUTLET
                  : strcmp(part[1], "post") == 0 ? ALARM_POST
                                                 : ALARM_DEVICE;
    if (!lt_text_to_i64(lt_slice_of(part[2]), &ret->object_id))
        ret->object_id = 0;
    lt_text_copy(ret->factor, sizeof ret->factor, part[3]);
    if (!lt_text_to_i64(lt_slice_of(part[4]), &ret->period_ms))
        ret->period_ms = 0;
}

static void recorded_verdict(struct replay *r, struct sql_stmt *st, const struct keyed *k, size_t n, size_t *at)
{
    const struct tally *t = &r->lane[0].tally;
    uint64_t seq = (uint64_t)sql_col_i64(st, 1);
    struct lt_slice key = sql_col_text(st, 0), outcome = sql_col_text(st, 2), inputs = sql_col_text(st, 3);
    struct tally_verdict v = {.seq = seq, .at_ms = sql_col_i64(st, 5), .rule_version = sql_col_i64(st, 4)};
    parse_key(key, &v);
    v.device = v.object == ALARM_DEVICE ? v.object_id : 0;
    if (v.object == ALARM_POST)
        return;
    while (*at < n && compare_key(&k[*at], seq, key, outcome) < 0)
        gained_verdict(r, &k[(*at)++]);
    bool found = *at < n && compare_key(&k[*at], seq, key, outcome) == 0;
    const struct tally_verdict *mine = found ? k[(*at)++].v : NULL;
    if (!inside(r, v.object, v.object_id))
        return;
    r->res.verdicts++;
    struct lt_slice now = mine ? inputs_of(t, mine) : LT_LIT("");
    if (mine && mine->rule_version == v.rule_version && now.n == inputs.n && memcmp(now.p, inputs.p, now.n) == 0)
        return;
    bool other = mine && mine->rule_version != v.rule_version;
    struct replay_diff *d = diff_verdict(r, &v, mine ? REPLAY_DIFFERS : REPLAY_LOST,
                                         other ? REPLAY_C_CONFIG : cause_of(r, v.rule, v.device, v.period_ms, v.at_ms));
    if (d) {
        d->outcome = keep(r, outcome);
        d->inputs_before = keep(r, inputs);
        d->inputs_after = mine ? keep(r, now) : NULL;
    }
}

static enum lt_err check_verdicts(struct replay *r, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    size_t n = 0, at = 0;
    bool row;
    struct keyed *k = sorted_verdicts(&r->lane[0].tally, &n);
    if (!k)
        return no_memory(err);
    enum lt_err e = sql_prepare(r->db,
                                "SELECT alarm_key, seq, outcome, inputs, rule_version, at_ms FROM verdict WHERE seq > "
                                "?1 AND seq <= ?2 ORDER BY seq, alarm_key, outcome",
                                &st, err);
    if (e == LT_OK) {
        sql_bind_i64(st, 1, (int64_t)r->res.window_seq);
        sql_bind_i64(st, 2, (int64_t)r->res.end_seq);
    }
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row)
        recorded_verdict(r, st, k, n, &at);
    while (e == LT_OK && at < n)
        gained_verdict(r, &k[at++]);
    sql_release(&st);
    free(k);
    return e;
}

/* ---- values ---- */

struct rows { /* of one device and kind, in memory: a month has 744 hours */
    struct series_row *row;
    struct series_cell *cell;
    size_t n, cap, n_cell, cap_cell;
    bool failed;
};

static bool take_row(void *user, const struct series_row *row)
{
    struct rows *w = user;
    if (!lt_grow(&w->row, w->n, &w->cap, sizeof *w->row)) {
        w->failed = true;
        return false;
    }
    while (w->n_cell + row->n > w->cap_cell)
        if (!lt_grow(&w->cell, w->cap_cell, &w->cap_cell, sizeof *w->cell)) {
            w->failed = true;
            return false;
        }
    memcpy(w->cell + w->n_cell, row->cells, row->n * sizeof *row->cells);
    w->row[w->n] = *row;
    w->row[w->n++].rank_ms = (int64_t)w->n_cell; /* where its cells stand; the buffer may move */
    w->n_cell += row->n;
    return true;
}

struct amended { /* a value that was changed by records behind the end: what it was before */
    int64_t period_ms, old_value;
    char factor[17];
    unsigned field;
    bool day;
};
struct values_work {
    struct rows was, now;
    struct amended *amended;
    size_t n_amended, cap_amended;
};

/* The oldest later version of each field comes first. */
static enum lt_err read_amended(struct replay *r, int64_t device, struct values_work *w, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row;
    w->n_amended = 0;
    enum lt_err e = sql_prepare(r->db,
                                "SELECT period_at_ms, kind = 'day', factor, field, old_value FROM value_version WHERE "
                                "device = ?1 AND period_at_ms >= ?2 AND period_at_ms < ?3 AND seq > ?4 ORDER BY id",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, device);
    sql_bind_i64(st, 2, r->res.from_ms);
    sql_bind_i64(st, 3, r->res.to_ms);
    sql_bind_i64(st, 4, (int64_t)r->res.end_seq);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(&w->amended, w->n_amended, &w->cap_amended, sizeof *w->amended)) {
            e = no_memory(err);
            break;
        }
        struct amended *x = &w->amended[w->n_amended++];
        *x = (struct amended){.period_ms = sql_col_i64(st, 0),
                              .day = sql_col_i64(st, 1) != 0,
                              .field = hj212_field_find(sql_col_text(st, 3)),
                              .old_value = or_none(st, 4)};
        lt_text_copy_slice(x->factor, sizeof x->factor, sql_col_text(st, 2));
    }
    sql_release(&st);
    return e;
}

static bool amended_later(const struct values_work *w, bool day, int64_t period_ms)
{
    for (size_t i = 0; i < w->n_amended; i++)
        if (w->amended[i].period_ms == period_ms && w->amended[i].day == day)
            return true;
    return false;
}

/* What stood on record at the end of the run: for a value changed since, what the trail tells; false when it does not
 * (it keeps means, amounts and marks only). */
static bool on_record_then(const struct replay *r, const struct values_work *w, bool day, int64_t at_ms,
                           uint16_t column, int64_t *value)
{
    char factor[17];
    unsigned field;
    if (!amended_later(w, day, at_ms))
        return true;
    if (!series_column_name(r->lane[0].s, column, factor, &field) ||
        (field != HJ212_F_AVG && field != HJ212_F_ZSAVG && field != HJ212_F_COU && field != HJ212_F_FLAG))
        return false;
    for (size_t i = 0; i < w->n_amended; i++) {
        const struct amended *x = &w->amended[i];
        if (x->period_ms == at_ms && x->day == day && x->field == field && strcmp(x->factor, factor) == 0) {
            *value = x->old_value;
            break;
        }
    }
    return true;
}

static enum replay_cause value_cause(const struct replay *r, int64_t device, bool day, int64_t at_ms)
{
    int64_t len = day ? LT_DAY_MS : LT_HOUR_MS;
    if (tally_late(&r->lane[0].tally, device, at_ms, at_ms + len))
        return REPLAY_C_LATE;
    if (r->res.expired && at_ms < r->res.warm_ms + LT_DAY_MS)
        return REPLAY_C_EXPIRED;
    return REPLAY_C_UNKNOWN;
}

static void diff_cell(struct replay *r, int64_t device, bool day, int64_t at_ms, uint16_t column, int64_t was,
                      int64_t now, enum replay_cause cause)
{
    unsigned field = 0;
    count_checked(r, cause);
    struct replay_diff *d = new_diff(r);
    if (!d)
        return;
    d->side = REPLAY_CHECKED;
    d->what = (uint8_t)(day ? REPLAY_DAY : REPLAY_HOUR);
    d->how = (uint8_t)(was == LT_FIX_NONE ? REPLAY_GAINED : now == LT_FIX_NONE ? REPLAY_LOST : REPLAY_DIFFERS);
    d->cause = (uint8_t)cause;
    put_place(r, d, ALARM_DEVICE, device, device);
    if (series_column_name(r->lane[0].s, column, d->factor, &field))
        d->field = (uint8_t)field;
    d->period_ms = at_ms;
    d->period_len_ms = day ? LT_DAY_MS : LT_HOUR_MS;
    d->old_value = was;
    d->new_value = now;
}

static void compare_row(struct replay *r, const struct values_work *w, int64_t device, bool day,
                        const struct series_row *was, const struct series_row *now)
{
    static const struct series_row none = {.n = 0};
    int64_t at = was ? was->at_ms : now->at_ms;
    const struct series_cell *a = w->was.cell + (was ? was->rank_ms : 0), *b = w->now.cell + (now ? now->rank_ms : 0);
    if (!now && r->res.end_seq < r->last_seq) { /* its first data came after the end */
        r->res.later++;
        return;
    }
    r->res.later += amended_later(w, day, at);
    was = was ? was : &none;
    now = now ? now : &none;
    if (was->n == now->n && memcmp(a, b, was->n * sizeof *a) == 0)
        return;
    enum replay_cause c = value_cause(r, device, day, at);
    for (uint32_t i = 0, k = 0; i < was->n || k < now->n;) {
        bool left = i < was->n && (k == now->n || a[i].column <= b[k].column);
        bool right = k < now->n && (i == was->n || b[k].column <= a[i].column);
        uint16_t column = left ? a[i].column : b[k].column;
        int64_t x = left ? a[i].value : LT_FIX_NONE, y = right ? b[k].value : LT_FIX_NONE;
        i += left;
        k += right;
        if (x != y && on_record_then(r, w, day, at, column, &x) && x != y)
            diff_cell(r, device, day, at, column, x, y, c);
    }
}

static enum lt_err read_rows(struct series *s, int64_t device, enum series_kind kind, int64_t from, int64_t to,
                             struct rows *ret, struct lt_error *err)
{
    ret->n = ret->n_cell = 0;
    enum lt_err e = series_read(s, (uint32_t)device, kind, from, to, take_row, ret, err);
    return e == LT_OK && ret->failed ? no_memory(err) : e;
}

static enum lt_err check_values(struct replay *r, struct values_work *w, int64_t device, bool day, struct lt_error *err)
{
    enum series_kind kind = day ? SERIES_DAY : SERIES_HOUR;
    /* What was still open at the end of the run is not compared. */
    int64_t to = r->res.end_ms - (day ? LT_DAY_MS + DAY_OPEN_MS : LT_HOUR_MS + HOUR_OPEN_MS) + 1;
    to = to < r->res.to_ms ? to : r->res.to_ms;
    if (to <= r->res.from_ms)
        return LT_OK;
    enum lt_err e = read_rows(r->recorded, device, kind, r->res.from_ms, to, &w->was, err);
    if (e == LT_OK)
        e = read_rows(r->lane[0].s, device, kind, r->res.from_ms, to, &w->now, err);
    for (size_t i = 0, k = 0; e == LT_OK && (i < w->was.n || k < w->now.n);) {
        const struct series_row *a = i < w->was.n ? &w->was.row[i] : NULL, *b = k < w->now.n ? &w->now.row[k] : NULL;
        bool left = a && (!b || a->at_ms <= b->at_ms), right = b && (!a || b->at_ms <= a->at_ms);
        compare_row(r, w, device, day, left ? a : NULL, right ? b : NULL);
        *(day ? &r->res.days : &r->res.hours) += left;
        i += left;
        k += right;
    }
    return e;
}

static enum lt_err check_all_values(struct replay *r, struct lt_error *err)
{
    struct values_work w = {0};
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < r->places.n_device; i++) {
        if (!r->places.device[i].inside)
            continue;
        e = read_amended(r, r->places.device[i].id, &w, err);
        for (int day = 0; e == LT_OK && day < 2; day++)
            e = check_values(r, &w, r->places.device[i].id, day != 0, err);
    }
    void *const owned[] = {w.was.row, w.was.cell, w.now.row, w.now.cell, w.amended};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    return e;
}

/* ---- changed rules, and totals ---- */

struct fact { /* one alarm of the window, before, after or both */
    int64_t key, territory, enterprise, rule, day, hour;
    bool before, after, moved;
};
struct facts {
    struct fact *p;
    size_t n, cap;
    bool failed;
};

static void add_fact(const struct replay *r, struct facts *f, const struct tally_alarm *a, bool before, bool after,
                     bool moved)
{
    if (!lt_grow(&f->p, f->n, &f->cap, sizeof *f->p)) {
        f->failed = true;
        return;
    }
    const struct place *p = places_of(&r->places, a->object, a->object_id);
    int64_t at = a->period_ms ? a->period_ms : a->first_ms;
    f->p[f->n++] = (struct fact){.territory = p ? p->territory : 0,
                                 .enterprise = p ? p->enterprise : 0,
                                 .rule = a->rule,
                                 .day = lt_day_number(at, r->cfg.tz_min),
                                 .hour = lt_hour_start(at, r->cfg.tz_min),
                                 .before = before,
                                 .after = after,
                                 .moved = moved};
}

static bool moved(const struct replay_alarm *a, const struct replay_alarm *b)
{
    return a->first_ms != b->first_ms || a->value != b->value || a->limit != b->limit || a->ended_ms != b->ended_ms ||
           a->active != b->active;
}

static void compare_sides(struct replay *r, struct facts *f)
{
    const struct tally *t0 = &r->lane[0].tally, *t1 = &r->lane[r->n_lane - 1].tally;
    static const struct replay_alarm none = {0};
    for (int side = 0; side < 2; side++) {
        const struct tally *mine = side ? t1 : t0, *other = side ? t0 : t1;
        for (size_t i = 0; i < mine->n_alarm; i++) {
            const struct tally_alarm *a = &mine->alarm[i];
            if (!in_window(r, a->created_ms) || !inside(r, a->object, a->object_id))
                continue;
            const struct tally_alarm *b =
                tally_find(other, a->rule, a->object, a->object_id, lt_slice_of(a->factor), a->period_ms);
            if (side && b && in_window(r, b->created_ms))
                continue; /* told from the other side */
            struct replay_alarm x = alarm_of(a), y = b ? alarm_of(b) : none;
            bool differs = b && moved(&x, &y);
            add_fact(r, f, a, !side || b, side || b, differs);
            r->res.gained += side && !b;
            r->res.lost += !side && !b;
            r->res.moved += differs;
            if (!b || differs)
                diff_alarm(r, REPLAY_CHANGED, a->rule, a->object, a->object_id, a->device, a->factor, a->period_ms,
                           a->period_len_ms, side ? &y : &x, side ? &x : &y, REPLAY_C_NONE);
        }
    }
}

static int by_fact_key(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* Worst first: by what differs, then by how many there are. */
static int by_weight(const void *a, const void *b)
{
    const struct replay_count *x = a, *y = b;
    uint64_t dx = x->gained + x->lost + x->changed, dy = y->gained + y->lost + y->changed;
    if (dx != dy)
        return dx > dy ? -1 : 1;
    if (x->after != y->after)
        return x->after > y->after ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_id(const void *a, const void *b)
{
    const struct replay_count *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Groups by the field at this offset; counts groups in which something differs. */
static struct replay_count *group(struct facts *f, size_t offset, bool by_size, size_t *ret_n, uint64_t *ret_differing)
{
    struct replay_count *c = calloc(f->n + 1, sizeof *c);
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        memcpy(&f->p[i].key, (const char *)&f->p[i] + offset, sizeof f->p[i].key);
    if (f->n > 1)
        qsort(f->p, f->n, sizeof *f->p, by_fact_key);
    for (size_t i = 0; c && i < f->n; i++) {
        const struct fact *x = &f->p[i];
        if (n == 0 || c[n - 1].id != x->key)
            c[n++] = (struct replay_count){.id = x->key, .territory = x->territory};
        c[n - 1].before += x->before;
        c[n - 1].after += x->after;
        c[n - 1].gained += !x->before;
        c[n - 1].lost += !x->after;
        c[n - 1].changed += x->moved;
    }
    uint64_t differing = 0;
    for (size_t i = 0; c && i < n; i++)
        differing += c[i].gained + c[i].lost > 0;
    if (c && n > 1)
        qsort(c, n, sizeof *c, by_size ? by_weight : by_id);
    *ret_n = n;
    if (ret_differing)
        *ret_differing = differing;
    return c;
}

static enum lt_err totals(struct replay *r, struct lt_error *err)
{
    struct facts f = {0};
    struct replay_result *s = &r->res;
    size_t hours = 0;
    compare_sides(r, &f);
    s->by_rule = group(&f, offsetof(struct fact, rule), false, &s->n_rule, NULL);
    s->by_county = group(&f, offsetof(struct fact, territory), true, &s->n_county, &s->diff_counties);
    s->by_plant = group(&f, offsetof(struct fact, enterprise), true, &s->n_plant, &s->diff_plants);
    s->by_day = group(&f, offsetof(struct fact, day), false, &s->n_day, NULL);
    struct replay_count *h = group(&f, offsetof(struct fact, hour), false, &hours, &s->diff_hours);
    bool ok = s->by_rule && s->by_county && s->by_plant && s->by_day && h && !f.failed;
    free(h);
    free(f.p);
    return ok ? LT_OK : no_memory(err);
}

enum lt_err replay_compare(struct replay *r, struct lt_error *err)
{
    enum lt_err e = check_alarms(r, err);
    if (e == LT_OK)
        e = check_verdicts(r, err);
    if (e == LT_OK)
        e = check_all_values(r, err);
    if (e == LT_OK)
        e = totals(r, err);
    if (e == LT_OK && r->words.failed)
        e = no_memory(err);
    settle(r);
    return e;
}
