/* Raising and ending alarms: an idempotent upsert by key. */
#include "alarm/alarm_priv.h"
#include "base/text.h"

#include <stdio.h>

#define PARAMS_CHARS 4000 /* as declared in kinds_duty.c */

struct place { /* who is concerned, read from the register */
    int64_t device, outlet, enterprise, territory, unit;
};

struct known { /* the row that stands under the key */
    int64_t id, active, count, last_at_ms, ended_at_ms, occurrence, value, first_at_ms;
    char state[16];
    bool value_null;
};

static const struct record_kind *alarm_kind(void)
{
    return record_kind_find(LT_LIT("alarm"));
}

static enum lt_err find_place(struct sql_db *db, const struct alarm_fact *f, struct place *ret, struct lt_error *err)
{
    static const char *const texts[] = {
        [ALARM_DEVICE] =
            "SELECT d.id, o.id, e.id, e.territory, e.unit FROM device d LEFT JOIN outlet o ON o.id = d.outlet"
            " LEFT JOIN enterprise e ON e.id = o.enterprise WHERE d.id = ?1",
        [ALARM_OUTLET] =
            "SELECT (SELECT d.id FROM device d WHERE d.outlet = o.id AND d.deleted = 0 AND d.status = 'active'"
            " ORDER BY d.id LIMIT 1), o.id, e.id, e.territory, e.unit FROM outlet o"
            " LEFT JOIN enterprise e ON e.id = o.enterprise WHERE o.id = ?1",
    };
    *ret = (struct place){0};
    if (f->object_kind == ALARM_POST)
        return LT_OK;
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db, texts[f->object_kind], SQL_VALUES(SQL_I(f->object_id)), &st, &row, err);
    if (e == LT_OK && row)
        *ret = (struct place){sql_col_i64(st, 0), sql_col_i64(st, 1), sql_col_i64(st, 2), sql_col_i64(st, 3),
                              sql_col_i64(st, 4)};
    sql_release(&st);
    return e;
}

static enum lt_err find_known(struct sql_db *db, struct lt_slice key, struct known *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db,
                            "SELECT id, active, count, last_at_ms, coalesce(ended_at_ms, 0), last_occurrence, value,"
                            " state, first_at_ms FROM alarm WHERE key = ?1 AND deleted = 0",
                            SQL_VALUES(SQL_S(key)), &st, &row, err);
    *ret = (struct known){0};
    if (e == LT_OK && row) {
        *ret = (struct known){.id = sql_col_i64(st, 0),
                              .active = sql_col_i64(st, 1),
                              .count = sql_col_i64(st, 2),
                              .last_at_ms = sql_col_i64(st, 3),
                              .ended_at_ms = sql_col_i64(st, 4),
                              .occurrence = sql_col_i64(st, 5),
                              .value = sql_col_i64(st, 6),
                              .value_null = sql_col_null(st, 6),
                              .first_at_ms = sql_col_i64(st, 8)};
        lt_text_copy_slice(ret->state, sizeof ret->state, sql_col_text(st, 7));
    }
    sql_release(&st);
    return e;
}

/* ---- parameters ---- */

static void add_basics(const struct alarm_fact *f, const json_t *given, struct jsonw *w)
{
    if (f->factor.n && !json_object_get(given, "factor"))
        jsonw_kslice(w, "factor", f->factor);
    if (f->value != LT_FIX_NONE && !json_object_get(given, "value"))
        jsonw_kfix(w, "value", f->value);
    if (f->limit_value != LT_FIX_NONE && !json_object_get(given, "limit"))
        jsonw_kfix(w, "limit", f->limit_value);
    if (f->period_ms > 0 && !json_object_get(given, "from")) {
        jsonw_ktime(w, "from", f->period_at_ms, LT_TZ_CHINA); /* with its offset: every zone reads it rightly */
        jsonw_ktime(w, "to", f->period_at_ms + f->period_ms, LT_TZ_CHINA);
    }
}

static bool write_params(const struct alarm_fact *f, json_t *given, struct lt_buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (void *it = json_object_iter(given); it; it = json_object_iter_next(given, it)) {
        jsonw_key(&w, json_object_iter_key(it));
        jsonw_tree(&w, json_object_iter_value(it));
    }
    add_basics(f, given, &w);
    jsonw_object_end(&w);
    return jsonw_ok(&w) && lt_text_chars(lt_buf_slice(out)) <= PARAMS_CHARS;
}

static enum lt_err make_params(const struct alarm_fact *f, struct lt_buf *out, struct lt_error *err)
{
    json_t *given = NULL;
    enum lt_err e = f->params.n ? jsonr_object(f->params, JSONR_SIZE_MAX, &given, err) : LT_OK;
    if (e != LT_OK)
        return e;
    if (!given)
        given = json_object();
    if (!write_params(f, given, out)) { /* too long to keep: the basics make the sentence */
        json_t *none = json_object();
        lt_buf_clear(out);
        if (!write_params(f, none, out))
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        json_decref(none);
    }
    json_decref(given);
    return e;
}

/* ---- suppression ---- */

struct suppression {
    bool found;
    int64_t until_ms;
    char reason[512];
};

static enum lt_err find_suppression(struct sql_db *db, const struct alarm_fact *f, const struct place *p,
                                    int64_t now_ms, struct suppression *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e =
        sql_prepare(db,
                    "SELECT until_at, reason FROM suppression WHERE deleted = 0 AND until_at > ?1"
                    " AND (rule IS NULL OR rule = ?2) AND ((object_kind = 'device' AND object_id = ?3 AND ?3 > 0)"
                    " OR (object_kind = 'outlet' AND object_id = ?4 AND ?4 > 0)"
                    " OR (object_kind = 'enterprise' AND object_id = ?5 AND ?5 > 0)"
                    " OR (object_kind = 'post' AND ?6)) ORDER BY until_at DESC LIMIT 1",
                    &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, now_ms);
    sql_bind_str(st, 2, alarm_rule_code(f->rule));
    sql_bind_i64(st, 3,
                 f->object_kind == ALARM_DEVICE ? p->device : 0); /* an outlet's device is only where it is read */
    sql_bind_i64(st, 4, p->outlet);
    sql_bind_i64(st, 5, p->enterprise);
    sql_bind_i64(st, 6, f->object_kind == ALARM_POST);
    *ret = (struct suppression){0};
    e = sql_step(st, &ret->found, err);
    if (e == LT_OK && ret->found) {
        ret->until_ms = sql_col_i64(st, 0);
        lt_text_copy_slice(ret->reason, sizeof ret->reason, sql_col_text(st, 1));
    }
    sql_release(&st);
    return e;
}

/* ---- new ---- */

static struct record_set number_or_null(const char *field, int64_t v, int64_t none)
{
    return v == none ? RECORD_SET_NULL(field) : RECORD_SET_I(field, v);
}

static enum lt_err insert_alarm(const struct record_ctx *x, const struct alarm_fact *f, const struct place *p,
                                const struct suppression *s, struct lt_slice key, struct lt_slice params,
                                int64_t *ret_id, struct lt_error *err)
{
    struct lt_slice severity = f->severity.n ? f->severity : LT_LIT("important");
    struct record_set set[32] = {
        {.field = "key", .s = key},
        RECORD_SET_Z("rule", alarm_rule_code(f->rule)),
        RECORD_SET_I("rule_version", f->rule_version),
        {.field = "severity", .s = severity},
        RECORD_SET_Z("object_kind", alarm_object_name(f->object_kind)),
        RECORD_SET_I("object_id", f->object_id),
        number_or_null("device", p->device, 0),
        number_or_null("outlet", p->outlet, 0),
        number_or_null("enterprise", p->enterprise, 0),
        number_or_null("territory", p->territory, 0),
        number_or_null("unit", p->unit, 0),
        {.field = "factor", .s = f->factor},
        number_or_null("period_at_ms", f->period_at_ms, 0),
        RECORD_SET_I("period_ms", f->period_ms),
        RECORD_SET_I("first_at_ms", f->first_at_ms),
        RECORD_SET_I("last_at_ms", f->last_at_ms),
        RECORD_SET_I("count", f->count > 0 ? f->count : 1),
        number_or_null("value", f->value, LT_FIX_NONE),
        number_or_null("limit_value", f->limit_value, LT_FIX_NONE),
        RECORD_SET_I("active", 1),
        {.field = "params", .s = params},
        RECORD_SET_I("last_occurrence", (int64_t)f->occurrence),
    };
    size_t n = 22;
    n += flow_enter(x, &alarm_flow, s->found ? ALARM_S_SUPPRESSED : ALARM_S_NEW, severity, set + n);
    if (s->found) {
        set[n++] = RECORD_SET_I("due_at_ms", s->until_ms);
        set[n++] = RECORD_SET_Z("note", s->reason);
    }
    return record_insert(x, alarm_kind(), set, n, ret_id, err);
}

static enum lt_err preset_severity(struct sql_db *db, enum alarm_rule rule, char ret[16], struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db, "SELECT severity FROM rule WHERE code = ?1 AND deleted = 0",
                            SQL_VALUES(SQL_Z(alarm_rule_code(rule))), &st, &row, err);
    lt_text_copy(ret, 16, "important");
    if (e == LT_OK && row)
        lt_text_copy_slice(ret, 16, sql_col_text(st, 0));
    sql_release(&st);
    return e;
}

/* ---- again ---- */

static int64_t next_count(const struct alarm_fact *f, const struct known *k)
{
    if (f->count > 0)
        return f->count > k->count ? f->count : k->count;
    return (int64_t)f->occurrence > k->occurrence ? k->count + 1 : k->count;
}

static enum lt_err update_repeat(struct sql_db *db, const struct alarm_fact *f, const struct known *k, int64_t count,
                                 struct lt_slice params, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e =
        sql_prepare(db,
                    "UPDATE alarm SET last_at_ms = max(last_at_ms, ?2), count = ?3, value = coalesce(?4, value),"
                    " limit_value = coalesce(?5, limit_value), params = ?6,"
                    " last_occurrence = max(coalesce(last_occurrence, 0), ?7) WHERE id = ?1",
                    &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, k->id);
    sql_bind_i64(st, 2, f->last_at_ms);
    sql_bind_i64(st, 3, count);
    if (f->value != LT_FIX_NONE)
        sql_bind_i64(st, 4, f->value);
    if (f->limit_value != LT_FIX_NONE)
        sql_bind_i64(st, 5, f->limit_value);
    sql_bind_text(st, 6, params);
    sql_bind_i64(st, 7, (int64_t)f->occurrence);
    return sql_run(st, err);
}

/* The condition came back after it had ended. Only a closed case is opened again; one that people still work on goes
 * on. */
static enum lt_err reactivate(const struct record_ctx *x, const struct alarm_fact *f, const struct known *k,
                              enum alarm_change *change, struct lt_error *err)
{
    bool closed = strcmp(k->state, "closed") == 0 || strcmp(k->state, "confirmed") == 0;
    struct record_set set[10] = {RECORD_SET_I("active", 1), RECORD_SET_NULL("ended_at_ms")};
    size_t n = 2;
    if (closed) {
        char severity[16];
        enum lt_err e = preset_severity(x->db, f->rule, severity, err);
        if (e != LT_OK)
            return e;
        struct lt_slice s = f->severity.n ? f->severity : lt_slice_of(severity);
        n += flow_enter(x, &alarm_flow, ALARM_S_NEW, s, set + n);
        set[n++] = RECORD_SET_Z("outcome", "none");
        set[n++] = RECORD_SET_NULL("signed_by");
        set[n++] = RECORD_SET_NULL("signed_at_ms");
    }
    *change = closed ? ALARM_REOPENED : ALARM_REPEAT;
    return record_change(x, alarm_kind(), k->id, 0, "again", set, n, err);
}

static enum lt_err repeat(const struct record_ctx *x, const struct alarm_fact *f, const struct known *k,
                          struct lt_slice params, enum alarm_change *change, struct lt_error *err)
{
    int64_t count = next_count(f, k);
    bool again = !k->active && f->last_at_ms > k->ended_at_ms;
    bool revised = f->value != LT_FIX_NONE && (k->value_null || f->value != k->value) && f->last_at_ms >= k->last_at_ms;
    *change = ALARM_UNCHANGED;
    if (!k->active && !again)
        return LT_OK; /* a replay of what is over */
    if (count == k->count && f->last_at_ms <= k->last_at_ms && !again && !revised)
        return LT_OK;
    *change = ALARM_REPEAT;
    enum lt_err e = update_repeat(x->db, f, k, count, params, err);
    return e == LT_OK && again ? reactivate(x, f, k, change, err) : e;
}

enum lt_err alarm_outcome_of(struct sql_db *db, int64_t id, enum alarm_change change, struct alarm_outcome *ret,
                             struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db, "SELECT territory, enterprise, unit, state = 'suppressed' FROM alarm WHERE id = ?1",
                            SQL_VALUES(SQL_I(id)), &st, &row, err);
    if (e == LT_OK)
        *ret = (struct alarm_outcome){.id = id,
                                      .change = change,
                                      .territory = row ? sql_col_i64(st, 0) : 0,
                                      .enterprise = row ? sql_col_i64(st, 1) : 0,
                                      .unit = row ? sql_col_i64(st, 2) : 0,
                                      .suppressed = row && sql_col_i64(st, 3) != 0};
    sql_release(&st);
    return e;
}

static enum lt_err raise_new(const struct record_ctx *x, const struct alarm_fact *f, struct lt_slice key,
                             struct lt_slice params, int64_t *ret_id, struct lt_error *err)
{
    struct place p;
    struct suppression s;
    struct alarm_fact with = *f;
    char severity[16];
    enum lt_err e = find_place(x->db, f, &p, err);
    if (e == LT_OK)
        e = find_suppression(x->db, f, &p, x->now_ms, &s, err);
    if (e == LT_OK && f->severity.n == 0) {
        e = preset_severity(x->db, f->rule, severity, err);
        with.severity = lt_slice_of(severity);
    }
    return e == LT_OK ? insert_alarm(x, &with, &p, &s, key, params, ret_id, err) : e;
}

enum lt_err alarm_raise(struct sql_db *db, const struct alarm_fact *f, int64_t now_ms, struct alarm_outcome *ret,
                        struct lt_error *err)
{
    const struct auth_ctx who = auth_system("engine");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = LT_TZ_CHINA};
    char key[160];
    struct known k;
    struct lt_buf params = LT_BUF_INIT(64u * 1024);
    struct lt_slice key_s = {key, alarm_key(f->rule, f->object_kind, f->object_id, f->factor, f->period_at_ms, key)};
    enum alarm_change change = ALARM_NEW;
    int64_t id = 0;
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = make_params(f, &params, err);
    if (e == LT_OK)
        e = find_known(db, key_s, &k, err);
    if (e == LT_OK && k.id == 0) {
        e = raise_new(&x, f, key_s, lt_buf_slice(&params), &id, err);
    } else if (e == LT_OK) {
        id = k.id;
        e = repeat(&x, f, &k, lt_buf_slice(&params), &change, err);
    }
    lt_buf_fini(&params);
    if (e == LT_OK)
        e = alarm_outcome_of(db, id, change, ret, err);
    return sql_end(db, e, err);
}

/* ---- the end ---- */

static enum lt_err end_row(struct sql_db *db, int64_t id, int64_t at_ms, int64_t now_ms, struct lt_error *err)
{
    const struct auth_ctx who = auth_system("engine");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = LT_TZ_CHINA};
    const struct record_set set[] = {RECORD_SET_I("active", 0), RECORD_SET_I("ended_at_ms", at_ms)};
    return record_change(&x, alarm_kind(), id, 0, "end", set, 2, err);
}

enum lt_err alarm_end(struct sql_db *db, enum alarm_rule rule, enum alarm_object object_kind, int64_t object_id,
                      struct lt_slice factor, int64_t period_at_ms, int64_t at_ms, int64_t now_ms,
                      struct alarm_outcome *ret, struct lt_error *err)
{
    char key[160];
    struct known k;
    struct lt_slice key_s = {key, alarm_key(rule, object_kind, object_id, factor, period_at_ms, key)};
    *ret = (struct alarm_outcome){0};
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = find_known(db, key_s, &k, err);
    /* an end from before the last time it was seen is a replay */
    if (e == LT_OK && k.id != 0 && k.active && at_ms >= k.last_at_ms) {
        e = end_row(db, k.id, at_ms, now_ms, err);
        if (e == LT_OK)
            e = alarm_outcome_of(db, k.id, ALARM_ENDED, ret, err);
    }
    return sql_end(db, e, err);
}

#define END_BATCH 256 /* of one rule, object and factor few are active at once */

static enum lt_err collect_active(struct sql_db *db, enum alarm_rule rule, enum alarm_object object_kind,
                                  int64_t object_id, struct lt_slice factor, int64_t at_ms, int64_t *ids, size_t *n,
                                  struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = true;
    enum lt_err e =
        sql_prepare(db,
                    "SELECT id FROM alarm WHERE active = 1 AND rule = ?1 AND object_kind = ?2 AND object_id = ?3"
                    " AND coalesce(factor, '') = ?4 AND last_at_ms <= ?5 AND deleted = 0 ORDER BY id LIMIT ?6",
                    &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, alarm_rule_code(rule));
    sql_bind_str(st, 2, alarm_object_name(object_kind));
    sql_bind_i64(st, 3, object_id);
    sql_bind_text(st, 4, factor.n ? factor : LT_LIT(""));
    sql_bind_i64(st, 5, at_ms);
    sql_bind_i64(st, 6, END_BATCH);
    *n = 0;
    while ((e = sql_step(st, &row, err)) == LT_OK && row)
        ids[(*n)++] = sql_col_i64(st, 0);
    sql_release(&st);
    return e;
}

enum lt_err alarm_end_all(struct sql_db *db, enum alarm_rule rule, enum alarm_object object_kind, int64_t object_id,
                          struct lt_slice factor, int64_t at_ms, int64_t now_ms,
                          void (*each)(void *user, const struct alarm_outcome *o), void *user, struct lt_error *err)
{
    int64_t ids[END_BATCH];
    size_t n = END_BATCH;
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    while (e == LT_OK && n == END_BATCH) {
        e = collect_active(db, rule, object_kind, object_id, factor, at_ms, ids, &n, err);
        for (size_t i = 0; e == LT_OK && i < n; i++) {
            struct alarm_outcome o;
            e = end_row(db, ids[i], at_ms, now_ms, err);
            if (e == LT_OK)
                e = alarm_outcome_of(db, ids[i], ALARM_ENDED, &o, err);
            if (e == LT_OK && each)
                each(user, &o);
        }
    }
    return sql_end(db, e, err);
}

/* ---- evidence ---- */

enum lt_err alarm_verdict_add(struct sql_db *db, const struct alarm_verdict *v, struct lt_error *err)
{
    return sql_do(db,
                  "INSERT OR IGNORE INTO verdict(alarm_key, rule, rule_version, at_ms, seq, outcome, inputs)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                  SQL_VALUES(SQL_S(v->key), SQL_Z(alarm_rule_code(v->rule)), SQL_I(v->rule_version), SQL_I(v->at_ms),
                             SQL_I((int64_t)v->seq), SQL_S(v->outcome), SQL_S(v->inputs.n ? v->inputs : LT_LIT("{}"))),
                  err);
}
