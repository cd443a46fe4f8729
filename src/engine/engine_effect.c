/* Effects of applied records: alarms, verdicts, versions. They are collected while a batch is applied and written in
 * one transaction with the cursor. Each is idempotent by its key, so that even a transaction whose answer was lost may
 * be repeated. */
#include "engine/engine_priv.h"

#include "json/json.h"

#include <stdlib.h>

#define LATEST_SCAN_MS 250 /* a look at 10,000 devices costs a millisecond */

const struct sql_migration eng_migrations[] = {
    {1,
     "CREATE TABLE engine_cursor(id INTEGER PRIMARY KEY CHECK(id = 1), state_seq INTEGER NOT NULL, series_seq INTEGER "
     "NOT NULL, state BLOB);"
     "INSERT INTO engine_cursor(id, state_seq, series_seq) VALUES(1, 0, 0);"
     "CREATE TABLE ledger(day INTEGER NOT NULL, mn TEXT NOT NULL, received INTEGER NOT NULL, stored INTEGER NOT NULL, "
     "duplicate INTEGER NOT NULL, rejected INTEGER NOT NULL, PRIMARY KEY(day, mn)) WITHOUT ROWID;"
     "CREATE TABLE ledger_reject(day INTEGER NOT NULL, mn TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL, "
     "UNIQUE(day, mn, reason));"
     "CREATE TABLE device_state(device INTEGER PRIMARY KEY, last_at_ms INTEGER, last_data_at_ms INTEGER, drift_ms "
     "INTEGER, silent_since_ms INTEGER, cause TEXT, state BLOB);"
     "CREATE TABLE value_version(id INTEGER PRIMARY KEY, device INTEGER NOT NULL, factor TEXT NOT NULL, field TEXT NOT "
     "NULL, kind TEXT NOT NULL, period_at_ms INTEGER NOT NULL, version INTEGER NOT NULL, old_value INTEGER, new_value "
     "INTEGER, at_ms INTEGER NOT NULL, seq INTEGER NOT NULL, cause TEXT NOT NULL, "
     "UNIQUE(device, period_at_ms, kind, factor, field, version));"},
};
const size_t eng_migrations_n = sizeof eng_migrations / sizeof eng_migrations[0];

static const char *const causes[] = {"late_realtime", "late_minute", "report", "hour"};

static const char *cause_name(unsigned bits)
{
    /* the weightiest of what came: a report, minutes, real-time rows, hours */
    return bits & ENG_C_REPORT     ? causes[2]
           : bits & ENG_C_MINUTE   ? causes[1]
           : bits & ENG_C_REALTIME ? causes[0]
                                   : causes[3];
}

struct eng_effect *eng_effect(struct engine *e, enum eng_effect_kind kind, enum alarm_rule rule)
{
    if (eng_again(e) || e->n_effect >= ENG_EFFECTS) {
        return NULL; /* its effects are in the store already (or, beyond the limit, memory would be at risk) */
    }
    if (!lt_grow(&e->effect, e->n_effect, &e->cap_effect, sizeof *e->effect)) {
        return NULL;
    }
    struct eng_effect *f = &e->effect[e->n_effect++];
    *f = (struct eng_effect){.kind = (uint8_t)kind,
                             .rule = (uint8_t)rule,
                             .rule_version = e->rules.rule[rule].version, /* the one that judged */
                             .at_ms = e->now_ms,
                             .seq = e->seq,
                             .value = LT_FIX_NONE,
                             .limit = LT_FIX_NONE};
    return f;
}

void eng_effect_text(struct engine *e, struct eng_effect *f, struct lt_slice json)
{
    f->text_at = e->text.n;
    lt_buf_add(&e->text, json.p, json.n);
    f->text_n = e->text.failed ? 0 : json.n;
}

static struct lt_slice factor_code(const struct engine *e, uint16_t factor)
{
    return factor ? (struct lt_slice){e->factor[factor].code, e->factor[factor].n} : LT_LIT("");
}

static struct lt_slice text_of(const struct engine *e, const struct eng_effect *f)
{
    return f->text_n ? (struct lt_slice){e->text.p + f->text_at, f->text_n} : LT_LIT("");
}

static void tell(struct engine *e, const struct eng_effect *f, const struct alarm_outcome *o)
{
    if (o->change == ALARM_UNCHANGED || !e->cfg.on_event) {
        return;
    }
    if (!lt_grow(&e->told, e->n_told, &e->cap_told, sizeof *e->told)) {
        return; /* a page draws a little later; the alarm itself is stored */
    }
    struct eng_told *t = &e->told[e->n_told++];
    *t = (struct eng_told){.id = o->id,
                           .territory = o->territory,
                           .enterprise = o->enterprise,
                           .rule = f->rule,
                           .change = (uint8_t)o->change,
                           .device = f->device,
                           .outlet = f->object == ALARM_OUTLET ? f->object_id : 0};
    lt_text_copy_slice(t->factor, sizeof t->factor, factor_code(e, f->factor));
}

static enum lt_err put_raise(struct engine *e, const struct eng_effect *f, struct lt_error *err)
{
    const struct rule_params *p = &e->rules.rule[f->rule];
    /* the record weighs one device's clock; the post's own makes every time of receipt doubtful */
    bool own_clock = f->rule == ALARM_R_CLOCK_DRIFT && f->object == ALARM_POST;
    struct alarm_fact fact = {.rule = (enum alarm_rule)f->rule,
                              .rule_version = f->rule_version,
                              .severity = own_clock ? LT_LIT("urgent") : lt_slice_of(p->severity),
                              .object_kind = (enum alarm_object)f->object,
                              .object_id = f->object_id,
                              .factor = factor_code(e, f->factor),
                              .period_at_ms = f->period_ms,
                              .period_ms = f->period_len_ms,
                              .first_at_ms = f->first_ms,
                              .last_at_ms = f->last_ms,
                              .count = f->count,
                              .occurrence = f->seq,
                              .value = f->value,
                              .limit_value = f->limit,
                              .params = text_of(e, f)};
    struct alarm_outcome o = {0};
    enum lt_err r = alarm_raise(e->db, &fact, f->at_ms, &o, err);
    if (r == LT_OK) {
        e->stats.alarms_raised += o.change == ALARM_NEW;
        tell(e, f, &o);
    }
    return r;
}

struct each_end {
    struct engine *e;
    const struct eng_effect *f;
};

static void on_ended(void *user, const struct alarm_outcome *o)
{
    struct each_end *x = user;
    x->e->stats.alarms_ended++;
    tell(x->e, x->f, o);
}

static enum lt_err put_end(struct engine *e, const struct eng_effect *f, struct lt_error *err)
{
    struct each_end x = {e, f};
    if (f->kind == EFF_END_ALL) {
        return alarm_end_all(e->db, (enum alarm_rule)f->rule, (enum alarm_object)f->object, f->object_id,
                             factor_code(e, f->factor), f->last_ms, f->at_ms, on_ended, &x, err);
    }
    struct alarm_outcome o = {0};
    enum lt_err r = alarm_end(e->db, (enum alarm_rule)f->rule, (enum alarm_object)f->object, f->object_id,
                              factor_code(e, f->factor), f->period_ms, f->last_ms, f->at_ms, &o, err);
    if (r == LT_OK && o.change != ALARM_UNCHANGED) {
        on_ended(&x, &o);
    }
    return r;
}

static enum lt_err put_verdict(struct engine *e, const struct eng_effect *f, struct lt_error *err)
{
    char key[160];
    size_t n = alarm_key((enum alarm_rule)f->rule, (enum alarm_object)f->object, f->object_id,
                         factor_code(e, f->factor), f->period_ms, key);
    struct alarm_verdict v = {.key = {key, n},
                              .rule = (enum alarm_rule)f->rule,
                              .rule_version = f->rule_version,
                              .at_ms = f->at_ms,
                              .seq = f->seq,
                              .outcome = lt_slice_of(f->outcome),
                              .inputs = text_of(e, f)};
    e->stats.verdicts++;
    return alarm_verdict_add(e->db, &v, err);
}

static void bind_value(struct sql_stmt *st, int pos, int64_t v)
{
    if (v == LT_FIX_NONE) {
        sql_bind_null(st, pos);
    } else {
        sql_bind_i64(st, pos, v);
    }
}

static enum lt_err put_version(struct engine *e, const struct eng_effect *f, struct lt_error *err)
{
    struct sql_stmt *st;
    enum lt_err r = sql_prepare(e->db,
                                "INSERT OR IGNORE INTO value_version(device, factor, field, kind, period_at_ms, "
                                "version, old_value, new_value, at_ms, seq, cause) "
                                "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
                                &st, err);
    if (r != LT_OK) {
        return r;
    }
    sql_bind_i64(st, 1, f->device);
    sql_bind_text(st, 2, factor_code(e, f->factor));
    sql_bind_str(st, 3, hj212_field_name((enum hj212_field)f->field));
    sql_bind_str(st, 4, f->day ? "day" : "hour");
    sql_bind_i64(st, 5, f->period_ms);
    sql_bind_i64(st, 6, f->version);
    bind_value(st, 7, f->value);
    bind_value(st, 8, f->limit);
    sql_bind_i64(st, 9, f->at_ms);
    sql_bind_i64(st, 10, (int64_t)f->seq);
    sql_bind_str(st, 11, cause_name(f->cause));
    return sql_run(st, err);
}

static enum lt_err put(struct engine *e, const struct eng_effect *f, struct lt_error *err)
{
    switch ((enum eng_effect_kind)f->kind) {
    case EFF_RAISE:
        return put_raise(e, f, err);
    case EFF_END:
    case EFF_END_ALL:
        return put_end(e, f, err);
    case EFF_VERDICT:
        return put_verdict(e, f, err);
    case EFF_VERSION:
        return put_version(e, f, err);
    }
    return LT_OK;
}

static void hand_over(struct engine *e, const struct eng_effect *f)
{
    static const enum engine_effect_kind kinds[] = {[EFF_RAISE] = ENGINE_RAISE,
                                                    [EFF_END] = ENGINE_END,
                                                    [EFF_END_ALL] = ENGINE_END_ALL,
                                                    [EFF_VERDICT] = ENGINE_VERDICT,
                                                    [EFF_VERSION] = ENGINE_VERSION};
    struct engine_effect out = {.kind = kinds[f->kind],
                                .rule = f->rule,
                                .object = f->object,
                                .field = f->field,
                                .version = f->version,
                                .day = f->day,
                                .rule_version = f->rule_version,
                                .object_id = f->object_id,
                                .device = f->device,
                                .period_ms = f->period_ms,
                                .period_len_ms = f->period_len_ms,
                                .first_ms = f->first_ms,
                                .last_ms = f->last_ms,
                                .at_ms = f->at_ms,
                                .value = f->value,
                                .limit = f->limit,
                                .count = f->count,
                                .seq = f->seq,
                                .factor = factor_code(e, f->factor),
                                .text = text_of(e, f),
                                .outcome = f->outcome};
    e->stats.verdicts += f->kind == EFF_VERDICT;
    e->private->on_effect(e->private->user, &out);
}

enum lt_err eng_effects_commit(struct engine *e, struct lt_error *err)
{
    if (e->n_effect == 0) {
        return LT_OK;
    }
    if (e->private) {
        for (size_t i = 0; i < e->n_effect; i++) {
            hand_over(e, &e->effect[i]);
        }
        e->n_effect = 0;
        lt_buf_clear(&e->text);
        e->state_seq = e->seq;
        return LT_OK;
    }
    struct engine_stats before = e->stats;
    enum lt_err r = sql_begin(e->db, err);
    if (r != LT_OK) {
        return r;
    }
    e->n_told = 0;
    for (size_t i = 0; r == LT_OK && i < e->n_effect; i++) {
        r = put(e, &e->effect[i], err);
    }
    struct sql_stmt *st;
    if (r == LT_OK && (r = sql_prepare(e->db, "UPDATE engine_cursor SET state_seq = max(state_seq, ?1) WHERE id = 1",
                                       &st, err)) == LT_OK) {
        sql_bind_i64(st, 1, (int64_t)e->seq);
        r = sql_run(st, err);
    }
    r = sql_end(e->db, r, err);
    if (r != LT_OK) {
        e->stats = before;
        e->n_told = 0;
        return r;
    }
    e->state_seq = e->seq > e->state_seq ? e->seq : e->state_seq;
    e->n_effect = 0;
    lt_buf_clear(&e->text);
    e->stats.commits++;
    return LT_OK;
}

/* ---- events ---- */

static void tell_alarm(struct engine *e, const struct eng_told *t)
{
    struct lt_buf out = LT_BUF_INIT(1024);
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_ki64(&w, "id", t->id);
    jsonw_kstr(&w, "change", alarm_change_name((enum alarm_change)t->change));
    jsonw_kstr(&w, "rule", alarm_rule_code((enum alarm_rule)t->rule));
    if (t->device) {
        jsonw_ki64(&w, "device", t->device);
    }
    if (t->outlet) {
        jsonw_ki64(&w, "outlet", t->outlet);
    }
    if (t->factor[0]) {
        jsonw_kstr(&w, "factor", t->factor);
    }
    jsonw_object_end(&w);
    if (jsonw_ok(&w)) {
        struct engine_event ev = {"alarm", t->territory, t->enterprise, lt_buf_slice(&out)};
        e->cfg.on_event(e->cfg.user, &ev);
    }
    lt_buf_fini(&out);
}

static void tell_latest(struct engine *e, struct eng_device *d, struct lt_buf *out)
{
    struct jsonw w;
    lt_buf_clear(out);
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_ki64(&w, "device", d->id);
    jsonw_ktime(&w, "at", d->last_data_ms, e->cfg.tz_min);
    jsonw_key(&w, "values");
    jsonw_object(&w);
    for (uint32_t i = 0; i < d->n_ch; i++) {
        const struct eng_channel *c = &d->ch[i];
        if (c->at_ms == 0) {
            continue;
        }
        char mark[5];
        values_mark_unpack(c->mark, mark);
        jsonw_key_slice(&w, factor_code(e, c->factor));
        jsonw_object(&w);
        jsonw_kfix(&w, "rtd", c->rtd);
        if (c->zs != LT_FIX_NONE) {
            jsonw_kfix(&w, "zs", c->zs);
        }
        jsonw_kstr(&w, "mark", mark[0] ? mark : NULL);
        jsonw_object_end(&w);
    }
    jsonw_object_end(&w);
    jsonw_object_end(&w);
}

void eng_events(struct engine *e)
{
    if (!e->cfg.on_event) {
        return;
    }
    for (size_t i = 0; i < e->n_told; i++) {
        tell_alarm(e, &e->told[i]);
    }
    e->n_told = 0;
    int64_t since = e->now_ms - e->latest_scan_ms;
    if (e->cfg.no_latest_events || (since >= 0 && since < LATEST_SCAN_MS)) {
        return;
    }
    e->latest_scan_ms = e->now_ms;
    struct lt_buf out = LT_BUF_INIT(16 * 1024);
    for (size_t i = 0; i < e->n_device; i++) {
        struct eng_device *d = e->device[i];
        if (!d->tell || (d->told_ms <= e->now_ms && e->now_ms - d->told_ms < (int64_t)e->cfg.latest_ms)) {
            continue;
        }
        d->tell = false;
        d->told_ms = e->now_ms;
        tell_latest(e, d, &out);
        if (!out.failed) {
            struct eng_place p = d->outlet ? d->outlet->place : (struct eng_place){.territory = -1};
            struct engine_event ev = {"latest", p.territory, p.enterprise, lt_buf_slice(&out)};
            e->cfg.on_event(e->cfg.user, &ev);
        }
    }
    lt_buf_fini(&out);
}
