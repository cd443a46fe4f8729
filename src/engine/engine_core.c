/* The core: opening, one record after another, the end of a batch, commit and checkpoint. No thread, no clock. */
#include "engine/engine_priv.h"
#include "base/cond.h"
#include "base/log.h"

#include "json/json.h"
#include "record/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void defaults(struct engine_config *c)
{
    c->checkpoint_s = c->checkpoint_s ? c->checkpoint_s : 30;
    c->checkpoint_records = c->checkpoint_records ? c->checkpoint_records : 1000000;
    c->retention_days = c->retention_days ? c->retention_days : 400;
    c->future_s = c->future_s ? c->future_s : 600;
    c->pending_max = c->pending_max ? c->pending_max : 50000; /* a quarter of ENG_DEVICES */
    c->latest_ms = c->latest_ms ? c->latest_ms : 1000;
    c->series_cache_bytes = c->series_cache_bytes ? c->series_cache_bytes : (size_t)512 << 20;
}

static bool make_tables(struct engine *e)
{
    e->factor = calloc(ENG_FACTORS, sizeof *e->factor);
    e->factor_slot = calloc(2 * ENG_FACTORS, sizeof *e->factor_slot);
    e->name = calloc(ENG_NAME_SLOTS, sizeof *e->name);
    e->column = calloc(ENG_COLUMNS, sizeof *e->column);
    e->seen = calloc(ENG_COLUMNS, sizeof *e->seen);
    e->seen_at = calloc(ENG_COLUMNS, sizeof *e->seen_at);
    e->hour = eng_hour_new();
    e->ledger = ledger_create(e->cfg.tz_min);
    e->n_factor = 1; /* number 0 means none */
    return e->factor && e->factor_slot && e->name && e->column && e->seen && e->seen_at && e->hour && e->ledger;
}

static enum lt_err open_state(struct engine *e, struct lt_error *err)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/state.db", e->dir);
    enum lt_err r = sql_open(path, e->private != NULL, &e->db, err);
    if (e->private) {
        e->config_ms = e->private->config_at_ms;
        e->seq = e->state_seq = e->series_seq = e->private->after_seq;
        r = r == LT_OK ? eng_config_times(e, err) : r;
        return r == LT_OK ? eng_config_load(e, err) : r;
    }
    if (r == LT_OK) {
        r = record_setup(e->db, err);
    }
    if (r == LT_OK) {
        r = sql_migrate(e->db, "engine", eng_migrations, eng_migrations_n, err);
    }
    if (r == LT_OK) {
        r = eng_config_load(e, err);
    }
    return r == LT_OK ? eng_snapshot_load(e, err) : r;
}

enum lt_err engine_open(const struct engine_config *cfg, struct engine **ret, struct lt_error *err)
{
    *ret = NULL;
    struct engine *e = calloc(1, sizeof *e);
    if (!e) {
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    e->magic = ENG_MAGIC;
    e->cfg = *cfg;
    defaults(&e->cfg);
    lt_text_copy(e->dir, sizeof e->dir, cfg->dir);
    e->cfg.dir = e->dir;
    e->private = cfg->private;
    e->tz_ms = (int64_t)cfg->tz_min * LT_MIN_MS;
    e->due_next_ms = INT64_MAX;
    e->text = LT_BUF_INIT((size_t)1 << 30); /* texts of ENG_EFFECTS at some 500 bytes */
    pthread_rwlock_init(&e->map, NULL);
    pthread_mutex_init(&e->mu, NULL);
    pthread_mutex_init(&e->ledger_mu, NULL);
    lt_cond_init(&e->moved);
    enum lt_err r = make_tables(e) ? open_state(e, err) : lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    if (r != LT_OK) {
        engine_close(&e);
        return r;
    }
    e->checkpoint_ms = e->now_ms;
    e->visible_seq = e->stats.committed_seq = e->state_seq;
    e->stats.seq = e->seq;
    e->stats.now_ms = e->now_ms;
    e->shown = e->stats;
    if (!e->private) {
        series_committed(e->cfg.series); /* from here on no row is written before its alarms and its trail */
    }
    *ret = e;
    return LT_OK;
}

void engine_close(struct engine **pe)
{
    struct engine *e = pe ? *pe : NULL;
    if (!e) {
        return;
    }
    assert(e->magic == ENG_MAGIC && !e->threaded);
    for (size_t i = 0; i < e->n_device; i++) {
        eng_device_free(e->device[i]);
    }
    eng_config_fini(e);
    ledger_destroy(&e->ledger);
    eng_hour_free(e->hour);
    sql_close(&e->db);
    void *const owned[] = {e->config_change, e->device, e->by_mn,   e->by_id, e->factor, e->factor_slot, e->name,
                           e->column,        e->seen,   e->seen_at, e->work,  e->urgent, e->effect,      e->told};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        free(owned[i]);
    }
    lt_buf_fini(&e->text);
    for (size_t i = 0; i < e->n_fault; i++) {
        lt_buf_fini(&e->fault[i].params);
    }
    pthread_rwlock_destroy(&e->map);
    pthread_mutex_destroy(&e->mu);
    pthread_mutex_destroy(&e->ledger_mu);
    pthread_cond_destroy(&e->moved);
    free(e);
    *pe = NULL;
}

uint64_t engine_next_seq(const struct engine *e)
{
    return e->seq + 1;
}

/* ---- one record ---- */

static void advance(struct engine *e, int64_t at_ms)
{
    if (at_ms <= e->now_ms) {
        return;
    }
    if (at_ms - e->now_ms > ENG_UP_GAP_MS) {
        e->up_since_ms = at_ms; /* nobody listened: devices must have time to come back before they count as silent */
        if (e->private && e->now_ms) { /* the post started again then, and read its configuration */
            e->reload = true;
            e->config_ms = at_ms;
        }
    }
    e->now_ms = at_ms;
}

/* The post's clock put forward moves the engine's only when most devices agree (eng_judge_clock), two hours later at
 * the latest. Otherwise hours would close early, and each frame that belongs to them would change them once more, with
 * a row in the trail for each value: 11,000 devices at ten times their pace wrote five million rows in ten minutes. */
static void follow(struct engine *e, const struct journal_record *r)
{
    const int64_t held = e->clock_held_ms + (r->kind == JOURNAL_TICK ? journal_step_of(r) : 0);
    e->clock_held_ms = held > 0 ? held : 0;
    if (e->clock_held_ms && e->clock_doubt_ms && e->now_ms - e->clock_doubt_ms > ENG_CLOCK_HOLD) {
        e->clock_held_ms = 0;
    }
    advance(e, r->at_ms - e->clock_held_ms);
}

static void set_day(struct engine *e, int64_t at_ms)
{
    if (at_ms < e->day_from_ms || at_ms >= e->day_to_ms) {
        e->day = lt_day_number(at_ms, e->cfg.tz_min);
        e->day_from_ms = lt_day_start(at_ms, e->cfg.tz_min);
        e->day_to_ms = e->day_from_ms + LT_DAY_MS;
    }
}

/* Where a record counts; found before anything changes, so that a failure leaves the record unapplied. */
static enum lt_err ledger_place(struct engine *e, const struct journal_record *r, const struct eng_device *d,
                                struct ledger_entry **ret, struct lt_error *err)
{
    *ret = NULL;
    if (e->private || !ledger_counts(r)) {
        return LT_OK;
    }
    set_day(e, r->at_ms);
    if (d && d->ledger && d->ledger_day == e->day) {
        *ret = d->ledger;
        return LT_OK;
    }
    enum lt_err res = LT_OK;
    if (e->day < e->ledger_from) { /* the clock was set back by days: the rows of then are in the tables */
        res = ledger_load(e->ledger, e->db, e->day, 0, err);
        e->ledger_from = res == LT_OK ? e->day : e->ledger_from;
    }
    *ret = res == LT_OK ? ledger_entry(e->ledger, e->day, r->mn) : NULL;
    return res != LT_OK || *ret ? res : lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
}

static void count(struct engine *e, const struct journal_record *r, struct eng_device *d, struct ledger_entry *t)
{
    if (!t) {
        return;
    }
    ledger_count(t, r);
    if (d) {
        d->ledger = t;
        d->ledger_day = e->day;
    }
}

static void rejected(struct eng_device *d, const struct journal_record *r)
{
    pthread_mutex_lock(&d->mu);
    d->reject_ms = d->last_ms = r->at_ms;
    d->reject_reason = r->reason;
    d->changed = true;
    pthread_mutex_unlock(&d->mu);
}

/* "close (closed by device) 10.1.2.3:4711": the end of the connection the device last spoke over. */
static void connection(struct eng_device *d, const struct journal_record *r)
{
    static const struct lt_slice word = {"close", 5};
    if (r->bytes.n < word.n || memcmp(r->bytes.p, word.p, word.n) != 0 || (d->conn && r->conn && r->conn != d->conn)) {
        return;
    }
    size_t skip = r->bytes.n > word.n ? word.n + 1 : word.n;
    pthread_mutex_lock(&d->mu);
    d->conn_closed = true;
    d->closed_ms = r->at_ms;
    lt_text_copy_slice(d->close_why, sizeof d->close_why, (struct lt_slice){r->bytes.p + skip, r->bytes.n - skip});
    d->changed = true;
    pthread_mutex_unlock(&d->mu);
}

/* A frame that came twice still proves that the device speaks. */
static void repeated(struct eng_device *d, const struct journal_record *r)
{
    pthread_mutex_lock(&d->mu);
    d->last_ms = r->at_ms;
    d->conn_closed = false;
    d->conn = r->conn ? r->conn : d->conn;
    d->changed = true;
    pthread_mutex_unlock(&d->mu);
}

static enum lt_err reload(struct engine *e, struct lt_error *err)
{
    enum lt_err r = e->reload ? eng_config_load(e, err) : LT_OK;
    if (r == LT_OK && e->reload) {
        e->reload = false;
        e->want_checkpoint = true; /* hours closed by the old rules must not be made again by the new ones */
    }
    return r;
}

static enum lt_err apply_record(struct engine *e, const struct journal_record *r, struct lt_error *err)
{
    enum lt_err res = r->kind == JOURNAL_CONFIG ? LT_OK : reload(e, err);
    struct eng_device *d = eng_device_by_mn(e, r->mn);
    struct ledger_entry *place = NULL;
    if (res != LT_OK || (res = ledger_place(e, r, d, &place, err)) != LT_OK) {
        return res;
    }
    switch ((enum journal_kind)r->kind) {
    case JOURNAL_FRAME:
        if ((res = eng_frame(e, r, &d, err)) != LT_OK) {
            return res;
        }
        break;
    case JOURNAL_REJECT:
    case JOURNAL_DROPPED:
        if (d) {
            rejected(d, r);
        }
        break;
    case JOURNAL_DUPLICATE:
        if (d) {
            repeated(d, r);
        }
        break;
    case JOURNAL_CONN:
        if (d) {
            connection(d, r);
        }
        break;
    case JOURNAL_CONFIG:
        e->reload = true;
        e->config_ms = r->at_ms;
        break;
    case JOURNAL_TICK:
        eng_judge_clock(e, r);
        break;
    case JOURNAL_SENT:
        break;
    }
    count(e, r, d, place);
    return LT_OK;
}

static void show(struct engine *e)
{
    e->stats.seq = e->seq;
    e->stats.now_ms = e->now_ms;
    e->stats.committed_seq = e->n_effect == 0 ? e->seq : e->state_seq;
    e->stats.checkpoint_seq = e->series_seq;
    e->stats.devices = e->n_device;
    pthread_mutex_lock(&e->mu);
    e->shown = e->stats;
    if (e->n_effect == 0 && e->seq > e->visible_seq) {
        e->visible_seq = e->seq;
    }
    pthread_cond_broadcast(&e->moved);
    pthread_mutex_unlock(&e->mu);
}

/* Records ahead: their devices and chunks are on their way while others are applied. With thousands of devices none of
 * it is in a near cache, and waiting for memory was a third of the time. */
#define AHEAD 8

struct ahead {
    struct journal_record r[AHEAD];
    size_t pos[AHEAD]; /* behind the record */
    struct eng_device *d[AHEAD];
    size_t n;
};

static void fetch(struct engine *e, struct ahead *a)
{
    struct series_expected row[AHEAD];
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (a->r[i].kind == JOURNAL_FRAME) {
            eng_prefetch_mn(e, a->r[i].mn);
        }
    }
    for (size_t i = 0; i < a->n; i++) {
        a->d[i] = a->r[i].kind == JOURNAL_FRAME ? eng_prefetch_device(e, a->r[i].mn) : NULL;
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct eng_device *d = a->d[i];
        if (!d) {
            continue;
        }
        for (uint32_t c = 0; c < d->n_ch && c < 32; c++) {
            __builtin_prefetch(&d->ch[c], 1);
            __builtin_prefetch((const char *)&d->ch[c] + 64, 1);
        }
        __builtin_prefetch(d->ledger, 1);
        row[n++] = (struct series_expected){(uint32_t)d->id, SERIES_RTD, a->r[i].at_ms};
    }
    series_expect(e->cfg.series, row, n);
}

static void look_ahead(struct engine *e, const struct journal_batch *b, struct ahead *a)
{
    size_t pos = e->batch_pos;
    for (a->n = 0; a->n < AHEAD && journal_batch_next(b, &pos, &a->r[a->n]); a->n++) {
        a->pos[a->n] = pos;
        a->d[a->n] = NULL;
    }
    if (a->n && a->r[a->n - 1].seq > e->seq) {
        fetch(e, a);
    }
}

static enum lt_err apply_one(struct engine *e, const struct journal_record *r, struct lt_error *err)
{
    if (r->seq <= e->seq) {
        return LT_OK;
    }
    const uint64_t before = e->seq;
    const int64_t held_ms = e->clock_held_ms;
    e->seq = r->seq; /* effects carry the number of the record that caused them */
    follow(e, r);
    eng_post_minute(e, r->at_ms - e->clock_held_ms);
    enum lt_err res = apply_record(e, r, err);
    if (res != LT_OK) {
        e->seq = before;
        e->clock_held_ms = held_ms; /* a step is counted once, however often its record is tried */
        return res;
    }
    e->stats.records++;
    e->checkpoint_records++;
    return LT_OK;
}

static enum lt_err apply_records(struct engine *e, const struct journal_batch *b, struct lt_error *err)
{
    struct ahead a;
    for (look_ahead(e, b, &a); a.n; look_ahead(e, b, &a)) {
        for (size_t i = 0; i < a.n; i++) {
            e->hint = a.d[i];
            enum lt_err res = apply_one(e, &a.r[i], err);
            e->hint = NULL;
            if (res != LT_OK) {
                return res;
            }
            e->batch_pos = a.pos[i];
        }
    }
    return LT_OK;
}

enum lt_err engine_apply(struct engine *e, const struct journal_batch *b, struct lt_error *err)
{
    uint64_t last = b->first_seq + b->count - 1;
    if (b->count == 0 || (last <= e->seq && !e->batch_open)) {
        return LT_OK;
    }
    if (b->first_seq > e->seq + 1) {
        return lt_failf(err, LT_E_CORRUPT, "journal", "records %llu to %llu are missing",
                        (unsigned long long)(e->seq + 1), (unsigned long long)(b->first_seq - 1));
    }
    if (!e->batch_open && e->n_effect > ENG_EFFECTS / 2) { /* one half applied must first be ended */
        return lt_fail(err, LT_E_LIMIT, "engine", "effects not yet committed", "1000000", NULL);
    }
    if (!e->batch_open) {
        e->batch_open = true;
        e->batch_pos = 0;
        e->batch_last = last;
    }
    pthread_mutex_lock(&e->ledger_mu);
    enum lt_err r = apply_records(e, b, err);
    pthread_mutex_unlock(&e->ledger_mu);
    if (r == LT_OK) {
        e->seq = last;
        r = eng_batch_end(e, err);
    }
    if (r == LT_OK && (r = reload(e, err)) == LT_OK) {
        e->batch_open = false;
        e->batch_last = 0;
    } else {
        e->stats.failures++;
    }
    show(e);
    return r;
}

/* ---- commit and checkpoint ---- */

static void put_faults(struct engine *e)
{
    pthread_mutex_lock(&e->mu);
    size_t n = e->n_fault;
    e->n_fault = 0;
    for (size_t i = 0; i < n; i++) {
        int rule = alarm_rule_find(lt_slice_of(e->fault[i].rule));
        struct eng_effect *f =
            rule < 0 ? NULL : eng_effect(e, e->fault[i].active ? EFF_RAISE : EFF_END_ALL, (enum alarm_rule)rule);
        if (f) {
            f->object = ALARM_POST;
            f->period_ms = f->first_ms = f->last_ms = e->now_ms;
            if (e->fault[i].active && e->fault[i].params.n) {
                eng_effect_text(e, f, lt_buf_slice(&e->fault[i].params));
            }
        }
        lt_buf_fini(&e->fault[i].params);
    }
    pthread_mutex_unlock(&e->mu);
}

void engine_fault(struct engine *e, const char *rule, bool active, struct lt_slice params)
{
    pthread_mutex_lock(&e->mu);
    size_t n = sizeof e->fault / sizeof e->fault[0], i = e->n_fault;
    if (i == n) { /* only the latest state of each rule matters: the oldest gives way */
        lt_buf_fini(&e->fault[0].params);
        memmove(&e->fault[0], &e->fault[1], (n - 1) * sizeof e->fault[0]);
        i = n - 1;
    } else {
        e->n_fault++;
    }
    lt_text_copy(e->fault[i].rule, sizeof e->fault[i].rule, rule);
    e->fault[i].active = active;
    e->fault[i].params = LT_BUF_INIT(4000);
    lt_buf_add(&e->fault[i].params, params.p, params.n);
    pthread_mutex_unlock(&e->mu);
}

bool eng_pass_over(struct engine *e, enum lt_err r, const struct lt_error *why)
{
    if (r != LT_E_CORRUPT) {
        return r == LT_E_LIMIT || r == LT_E_FIELD_RANGE || r == LT_E_BAD_INPUT;
    }
    e->stats.failures++;
    if (e->private) {
        return true;
    }
    char text[300] = "";
    if (why) {
        lt_error_text(why, LT_EN, text, sizeof text);
    }
    lt_log(LT_ERROR, "engine.damaged", "seq=%llu error=\"%s\"", (unsigned long long)e->seq, text);
    if (!e->damage_told) { /* one alarm, not one for each row that would belong there */
        struct lt_buf buf = LT_BUF_INIT(2000);
        struct jsonw w;
        jsonw_init(&w, &buf);
        jsonw_object(&w);
        jsonw_kstr(&w, "path", "series");
        jsonw_kstr(&w, "error", text);
        jsonw_object_end(&w);
        engine_fault(e, "disk_fault", true, jsonw_ok(&w) ? lt_buf_slice(&buf) : LT_LIT("{}"));
        lt_buf_fini(&buf);
        e->damage_told = true;
    }
    return true;
}

void engine_note_lag(struct engine *e, int64_t lag_ms, uint64_t records)
{
    e->stats.lag_ms = lag_ms;
    if (e->private) {
        return;
    }
    const struct rule_params *p = &e->rules.rule[ALARM_R_ENGINE_BEHIND];
    enum rule_change change = rule_in_force(p, e->now_ms) ? rule_behind_step(p, &e->behind, lag_ms) : RULE_STAYS;
    if (change == RULE_STAYS) {
        return;
    }
    struct lt_buf buf = LT_BUF_INIT(200);
    struct jsonw w;
    jsonw_init(&w, &buf);
    jsonw_object(&w);
    jsonw_ki64(&w, "seconds", lag_ms / 1000);
    jsonw_ku64(&w, "records", records);
    jsonw_object_end(&w);
    engine_fault(e, "engine_behind", change == RULE_ENTERS, lt_buf_slice(&buf));
    lt_buf_fini(&buf);
}

enum lt_err engine_commit(struct engine *e, struct lt_error *err)
{
    if (e->batch_open) {
        return LT_OK; /* a batch is half applied: its effects wait for the rest */
    }
    put_faults(e);
    enum lt_err r = eng_effects_commit(e, err);
    e->stats.failures += r != LT_OK;
    show(e);
    if (r == LT_OK && !e->private) {
        series_committed(e->cfg.series);
    }
    if (r == LT_OK) {
        eng_events(e);
    }
    return r;
}

bool engine_checkpoint_due(const struct engine *e)
{
    return !e->private && !e->batch_open && e->seq > e->series_seq &&
           (e->now_ms - e->checkpoint_ms >= (int64_t)e->cfg.checkpoint_s * 1000 ||
            e->checkpoint_records >= e->cfg.checkpoint_records || e->want_checkpoint ||
            series_cache_bytes(e->cfg.series) > e->cfg.series_cache_bytes / 5 * 4);
}

enum lt_err engine_checkpoint(struct engine *e, struct lt_error *err)
{
    if (e->batch_open) {
        return LT_OK;
    }
    enum lt_err r = engine_commit(e, err);
    if (r != LT_OK || e->private) {
        return r;
    }
    if (r == LT_OK) {
        r = series_flush(e->cfg.series, err);
    }
    if (r == LT_OK && (r = sql_begin(e->db, err)) == LT_OK) {
        r = sql_end(e->db, eng_snapshot_save(e, err), err);
    }
    if (r != LT_OK) {
        e->stats.failures++;
        show(e);
        return r;
    }
    e->series_seq = e->seq;
    e->state_seq = e->seq > e->state_seq ? e->seq : e->state_seq;
    e->checkpoint_ms = e->now_ms;
    e->checkpoint_records = 0;
    e->want_checkpoint = false;
    e->stats.checkpoints++;
    eng_snapshot_saved(e);
    show(e);
    return LT_OK;
}
