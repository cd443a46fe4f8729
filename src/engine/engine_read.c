/* What other threads ask: latest values, devices, figures, ledger, version trail. */
#include "engine/engine_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* The device, found under the map's lock; devices live as long as the engine. */
static struct eng_device *find(struct engine *e, int64_t id)
{
    pthread_rwlock_rdlock(&e->map);
    struct eng_device *d = eng_device_by_id(e, id);
    pthread_rwlock_unlock(&e->map);
    return d;
}

size_t engine_latest(struct engine *e, int64_t device, struct engine_value *ret, size_t cap)
{
    struct eng_device *d = find(e, device);
    if (!d) {
        return 0;
    }
    pthread_mutex_lock(&d->mu);
    size_t n = d->n_ch;
    for (size_t i = 0; i < n && i < cap; i++) {
        const struct eng_channel *c = &d->ch[i];
        struct engine_value *v = &ret[i];
        *v = (struct engine_value){.at_ms = c->at_ms,
                                   .rtd = c->rtd,
                                   .zsrtd = c->zs,
                                   .hour_at_ms = c->hour_ms,
                                   .hour = c->hour,
                                   .hour_zs = c->hour_zs,
                                   .hour_valid = c->hour_valid,
                                   .hour_state = c->hour_state};
        memcpy(v->factor, e->factor[c->factor].code, sizeof v->factor);
        values_mark_unpack(c->mark, v->mark);
    }
    pthread_mutex_unlock(&d->mu);
    return n;
}

static void copy_device(struct engine *e, struct eng_device *d, struct engine_device *ret)
{
    pthread_mutex_lock(&d->mu);
    *ret = (struct engine_device){.device = d->id,
                                  .last_at_ms = d->last_ms,
                                  .last_data_at_ms = d->last_data_ms,
                                  .drift_ms = rule_drift_ms(&d->drift),
                                  .silent_since_ms = d->silent_since_ms,
                                  .cause = (enum engine_silence)d->cause,
                                  .interval_s = rule_interval_s(d->rtd_interval_s, d->min_interval_min, &d->gaps),
                                  .frames = d->frames,
                                  .bad_items = d->bad_items,
                                  .quarantined = d->quarantined};
    if (d->silent_since_ms) {
        eng_silence_sentence(e, d, ret->cause_zh, ret->cause_en);
    }
    for (uint32_t i = 0; i < d->n_ch; i++) {
        ret->exceeding |= (d->ch[i].hour_state & VALUES_S_EXCEED) != 0;
    }
    pthread_mutex_unlock(&d->mu);
}

bool engine_device(struct engine *e, int64_t device, struct engine_device *ret)
{
    struct eng_device *d = find(e, device);
    if (!d) {
        return false;
    }
    copy_device(e, d, ret);
    return true;
}

void engine_devices(struct engine *e, void (*each)(void *user, const struct engine_device *d), void *user)
{
    for (size_t i = 0;; i++) {
        pthread_rwlock_rdlock(&e->map);
        struct eng_device *d = i < e->n_device ? e->device[i] : NULL;
        pthread_rwlock_unlock(&e->map);
        if (!d) {
            return;
        }
        struct engine_device copy;
        copy_device(e, d, &copy);
        each(user, &copy);
    }
}

void engine_stats(struct engine *e, struct engine_stats *ret)
{
    pthread_mutex_lock(&e->mu);
    *ret = e->shown;
    pthread_mutex_unlock(&e->mu);
}

/* ---- ledger ---- */

/* Copies what memory holds, then adds older days from the tables (load keeps what is there). */
enum lt_err engine_ledger(struct engine *e, int day, struct lt_slice mn,
                          bool (*each)(void *user, const struct engine_ledger_row *r), void *user, struct lt_error *err)
{
    struct ledger *copy = ledger_create(e->cfg.tz_min);
    if (!copy) {
        return lt_fail(err, LT_E_NOMEM, "ledger", NULL, NULL, NULL);
    }
    enum lt_err r = LT_OK;
    pthread_mutex_lock(&e->ledger_mu);
    int from = e->ledger_from;
    for (size_t i = 0; r == LT_OK && i < ledger_size(e->ledger); i++) {
        const struct engine_ledger_row *row = &ledger_at(e->ledger, i)->row;
        if (day && row->day != day) {
            continue;
        }
        struct ledger_entry *t = ledger_entry(copy, row->day, lt_slice_of(row->mn));
        if (t) {
            t->row = *row;
        } else {
            r = lt_fail(err, LT_E_NOMEM, "ledger", NULL, NULL, NULL);
        }
    }
    pthread_mutex_unlock(&e->ledger_mu);
    if (r == LT_OK && (day == 0 || day < from)) {
        char path[1100];
        snprintf(path, sizeof path, "%s/state.db", e->dir);
        struct sql_db *db = NULL;
        r = sql_open(path, true, &db, err);
        if (r == LT_OK) {
            r = ledger_load(copy, db, 0, day, err);
        }
        sql_close(&db);
    }
    if (r == LT_OK && !ledger_each(copy, day, mn, each, user)) {
        r = lt_fail(err, LT_E_NOMEM, "ledger", NULL, NULL, NULL);
    }
    ledger_destroy(&copy);
    return r;
}

/* ---- version trail ---- */

static void read_version(struct sql_stmt *st, struct engine_version *v)
{
    *v = (struct engine_version){.id = sql_col_i64(st, 0),
                                 .device = sql_col_i64(st, 1),
                                 .period_at_ms = sql_col_i64(st, 5),
                                 .version = (unsigned)sql_col_i64(st, 6),
                                 .old_value = sql_col_null(st, 7) ? LT_FIX_NONE : sql_col_i64(st, 7),
                                 .new_value = sql_col_null(st, 8) ? LT_FIX_NONE : sql_col_i64(st, 8),
                                 .at_ms = sql_col_i64(st, 9),
                                 .seq = (uint64_t)sql_col_i64(st, 10)};
    lt_text_copy_slice(v->factor, sizeof v->factor, sql_col_text(st, 2));
    lt_text_copy_slice(v->field, sizeof v->field, sql_col_text(st, 3));
    lt_text_copy_slice(v->kind, sizeof v->kind, sql_col_text(st, 4));
    lt_text_copy_slice(v->cause, sizeof v->cause, sql_col_text(st, 11));
}

enum lt_err engine_versions(struct sql_db *db, int64_t device, struct lt_slice factor, int64_t from_ms, int64_t to_ms,
                            bool newest_first, unsigned most, bool (*each)(void *user, const struct engine_version *v),
                            void *user, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err r = sql_prepare(db,
                                "SELECT id, device, factor, field, kind, period_at_ms, version, old_value, new_value, "
                                "at_ms, seq, cause FROM value_version WHERE device = ?1 AND period_at_ms >= ?2 AND "
                                "period_at_ms < ?3 AND (?4 = '' OR factor = ?4) ORDER BY id * ?6 LIMIT ?5",
                                &st, err);
    if (r != LT_OK) {
        return r;
    }
    sql_bind_i64(st, 1, device);
    sql_bind_i64(st, 2, from_ms);
    sql_bind_i64(st, 3, to_ms);
    sql_bind_text(st, 4, factor.n ? factor : LT_LIT(""));
    sql_bind_i64(st, 5, most);
    sql_bind_i64(st, 6, newest_first ? -1 : 1);
    bool row;
    while ((r = sql_step(st, &row, err)) == LT_OK && row) {
        struct engine_version v;
        read_version(st, &v);
        if (!each(user, &v)) {
            break;
        }
    }
    sql_release(&st);
    return r;
}
