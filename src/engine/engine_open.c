/* Open hours and days: which values have to be made again and when. At the end of each batch what is due is closed in
 * the order of data time, hours before days. */
#include "engine/engine_priv.h"

#include <stdlib.h>

static struct eng_open *find_open(struct eng_device *d, bool day, int64_t at_ms)
{
    for (uint32_t i = d->n_open; i-- > 0;) { /* the newest are last and most wanted */
        if (d->open[i].at_ms == at_ms && d->open[i].day == day) {
            return &d->open[i];
        }
    }
    return NULL;
}

static bool note_urgent(struct engine *e, struct eng_device *d)
{
    if (d->urgent) {
        return true;
    }
    if (!lt_grow(&e->urgent, e->n_urgent, &e->cap_urgent, sizeof *e->urgent)) {
        return false;
    }
    d->urgent = true;
    e->urgent[e->n_urgent++] = d;
    return true;
}

/* Was it closed before: then a late row changes a value people have seen, and waits for nothing. */
static enum lt_err was_closed(struct engine *e, const struct eng_device *d, bool day, int64_t at_ms, bool *ret,
                              struct lt_error *err)
{
    struct eng_row row;
    enum lt_err r = eng_row_read(e, d, day, at_ms, e->cell, &row, err);
    *ret = r == LT_OK && (row.age == ENG_ROW_STANDS || row.age == ENG_ROW_CHANGES);
    return r != LT_OK && eng_pass_over(e, r, err) ? LT_OK : r;
}

enum lt_err eng_touch(struct engine *e, struct eng_device *d, bool day, int64_t at_ms, unsigned cause, bool at_once,
                      struct lt_error *err)
{
    struct eng_open *o = find_open(d, day, at_ms);
    if (!o) {
        bool closed = false;
        enum lt_err r = at_once ? LT_OK : was_closed(e, d, day, at_ms, &closed, err);
        if (r != LT_OK) {
            return r;
        }
        if (!lt_grow(&d->open, d->n_open, &d->cap_open, sizeof *d->open)) {
            return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
        }
        int64_t end = at_ms + (day ? LT_DAY_MS + ENG_DAY_GRACE_MS : LT_HOUR_MS + ENG_HOUR_GRACE_MS);
        int64_t quiet = e->now_ms + ENG_QUIET_MS;
        o = &d->open[d->n_open++];
        *o = (struct eng_open){.at_ms = at_ms, .day = day, .due_ms = closed ? 0 : end > quiet ? end : quiet};
        at_once |= d->n_open >= ENG_OPEN_MAX;
    }
    o->cause |= (uint8_t)cause;
    if (at_once) {
        o->due_ms = 0;
    }
    d->changed = true;
    if (o->due_ms == 0 && !note_urgent(e, d)) {
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    if (o->due_ms && o->due_ms < e->due_next_ms) {
        e->due_next_ms = o->due_ms;
    }
    return LT_OK;
}

static void close_entry(struct eng_device *d, bool day, int64_t at_ms)
{
    struct eng_open *o = find_open(d, day, at_ms);
    if (o) {
        *o = d->open[--d->n_open];
    }
    if (!day && d->open_hint_ms == at_ms) {
        d->open_hint_ms = INT64_MIN;
    }
    d->changed = true;
}

static bool add_work(struct engine *e, struct eng_device *d, const struct eng_open *o)
{
    if (!lt_grow(&e->work, e->n_work, &e->cap_work, sizeof *e->work)) {
        return false;
    }
    e->work[e->n_work++] = (struct eng_work){d, o->at_ms, o->cause};
    return true;
}

static bool collect_device(struct engine *e, struct eng_device *d, bool day)
{
    for (uint32_t i = 0; i < d->n_open; i++) {
        const struct eng_open *o = &d->open[i];
        if (o->due_ms > e->now_ms) {
            e->due_next_ms = o->due_ms < e->due_next_ms ? o->due_ms : e->due_next_ms;
        } else if (o->day == day) {
            if (!add_work(e, d, o)) {
                return false;
            }
        } else {
            e->due_next_ms = e->now_ms; /* comes with the other kind; if not now then at the next batch */
        }
    }
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct eng_work *x = a, *y = b;
    if (x->at_ms != y->at_ms) {
        return x->at_ms < y->at_ms ? -1 : 1;
    }
    return x->d->id < y->d->id ? -1 : x->d->id > y->d->id;
}

static bool collect(struct engine *e, bool day)
{
    e->n_work = e->work_at = 0;
    bool ok = true;
    if (e->now_ms >= e->due_next_ms) {
        int64_t kept = e->due_next_ms;
        e->due_next_ms = INT64_MAX;
        for (size_t i = 0; ok && i < e->n_device; i++) {
            ok = e->device[i]->n_open == 0 || collect_device(e, e->device[i], day);
        }
        if (!ok) {
            e->due_next_ms = kept;
        }
    } else {
        for (size_t i = 0; ok && i < e->n_urgent; i++) {
            ok = collect_device(e, e->urgent[i], day);
        }
    }
    if (!ok) {
        e->n_work = 0;
        return false;
    }
    if (e->n_work > 1) {
        qsort(e->work, e->n_work, sizeof *e->work, by_time);
    }
    return true;
}

static enum lt_err work_off(struct engine *e, bool day, struct lt_error *err)
{
    for (; e->work_at < e->n_work; e->work_at++) {
        const struct eng_work *w = &e->work[e->work_at];
        enum lt_err r =
            day ? eng_day_close(e, w->d, w->at_ms, w->cause, err) : eng_hour_close(e, w->d, w->at_ms, w->cause, err);
        if (r != LT_OK && !eng_pass_over(e, r, err)) {
            return r;
        }
        close_entry(w->d, day, w->at_ms);
    }
    return LT_OK;
}

static void urgent_done(struct engine *e)
{
    for (size_t i = 0; i < e->n_urgent; i++) {
        e->urgent[i]->urgent = false;
    }
    e->n_urgent = 0;
}

enum { COLLECT_HOURS, CLOSE_HOURS, COLLECT_DAYS, CLOSE_DAYS, TIME_RULES };

enum lt_err eng_batch_end(struct engine *e, struct lt_error *err)
{
    enum lt_err r = LT_OK;
    if (e->phase == COLLECT_HOURS) {
        if (!collect(e, false)) {
            return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
        }
        e->phase = CLOSE_HOURS;
    }
    if (e->phase == CLOSE_HOURS) {
        if ((r = work_off(e, false, err)) != LT_OK) {
            return r;
        }
        e->phase = COLLECT_DAYS;
    }
    if (e->phase == COLLECT_DAYS) {
        if (!collect(e, true)) {
            return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
        }
        e->phase = CLOSE_DAYS;
    }
    if (e->phase == CLOSE_DAYS) {
        if ((r = work_off(e, true, err)) != LT_OK) {
            return r;
        }
        urgent_done(e);
        e->phase = TIME_RULES;
    }
    if (e->phase == TIME_RULES) {
        eng_judge_time(e);
        e->phase = COLLECT_HOURS;
    }
    return LT_OK;
}
