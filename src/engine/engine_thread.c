/* The engine's thread: follows the tail of the journal and drives the core. It alone reads clocks, and only to decide
 * when to commit and how late it is; no value depends on them. */
#include "engine/engine_priv.h"

#include "base/log.h"
#include "base/cond.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define WAIT_MS   200  /* for the next batch; also how long a stop may take */
#define RETRY_MS  1000 /* after a failure (disk full, locked) */
#define COMMIT_MS 200  /* while there is a backlog, effects are collected this long */

struct loop {
    struct engine *e;
    int64_t committed_ms, second_ms;
    uint64_t second_records;
    bool failing;
};

static bool stopping(struct engine *e)
{
    pthread_mutex_lock(&e->mu);
    bool stop = e->stop;
    pthread_mutex_unlock(&e->mu);
    return stop;
}

static void pause_ms(struct engine *e, int64_t ms)
{
    const int64_t until_ms = lt_mono_ms() + ms;
    pthread_mutex_lock(&e->mu);
    while (!e->stop && lt_cond_wait_until(&e->moved, &e->mu, until_ms)) {
    }
    pthread_mutex_unlock(&e->mu);
}

static void report(struct loop *l, const char *event, const struct lt_error *err)
{
    char text[300];
    lt_error_text(err, LT_EN, text, sizeof text);
    lt_log(LT_ERROR, event, "seq=%llu error=\"%s\"", (unsigned long long)l->e->seq, text);
    l->failing = true;
}

static bool commit(struct loop *l)
{
    struct lt_error err;
    bool point = engine_checkpoint_due(l->e);
    enum lt_err r = point ? engine_checkpoint(l->e, &err) : engine_commit(l->e, &err);
    l->committed_ms = lt_mono_ms();
    if (r != LT_OK) {
        report(l, "engine.commit", &err);
        return false;
    }
    if (l->failing) {
        lt_log(LT_INFO, "engine.recovered", "seq=%llu", (unsigned long long)l->e->seq);
        l->failing = false;
    }
    return true;
}

static void per_second(struct loop *l, int64_t mono_ms)
{
    struct engine *e = l->e;
    if (mono_ms - l->second_ms < 1000) {
        return;
    }
    e->stats.records_per_s = (e->stats.records - l->second_records) * 1000 / (uint64_t)(mono_ms - l->second_ms);
    l->second_records = e->stats.records;
    l->second_ms = mono_ms;
}

static void apply(struct loop *l, const struct journal_batch *b)
{
    struct lt_error err;
    while (engine_apply(l->e, b, &err) != LT_OK) {
        report(l, "engine.apply", &err);
        bool ok = !l->e->batch_open && commit(l); /* too many effects waiting: make room */
        if (!ok || err.code != LT_E_LIMIT) {
            pause_ms(l->e, RETRY_MS);
        }
        if (stopping(l->e)) {
            return;
        }
    }
}

static void *run(void *user)
{
    struct loop l = {.e = user, .second_ms = lt_mono_ms()};
    struct engine *e = l.e;
    while (!stopping(e)) {
        struct journal_batch *b = NULL;
        struct lt_error err;
        enum lt_err r = journal_tail_next(e->cfg.tail, engine_next_seq(e), WAIT_MS, &b, &err);
        int64_t mono = lt_mono_ms();
        per_second(&l, mono);
        if (r == LT_OK) {
            apply(&l, b);
            /* a wall clock put an hour forward does not make the engine an hour late; 0: nothing was committed yet */
            int64_t lag = b->mono_ms ? lt_mono_ms() - b->mono_ms : lt_wall_ms() - b->at_ms;
            engine_note_lag(e, lag > 0 ? lag : 0, b->count);
            journal_batch_unref(&b);
            struct journal_batch *more = journal_tail_peek(e->cfg.tail, engine_next_seq(e));
            bool backlog = more != NULL;
            journal_batch_unref(&more);
            if (backlog && mono - l.committed_ms < COMMIT_MS && !engine_checkpoint_due(e)) {
                continue;
            }
        } else if (r == LT_E_TIMEOUT) {
            engine_note_lag(e, 0, 0);
        } else {
            report(&l, "engine.journal", &err);
            pause_ms(e, RETRY_MS);
        }
        if (!commit(&l)) {
            pause_ms(e, RETRY_MS);
        }
    }
    struct lt_error err;
    if (engine_checkpoint(e, &err) != LT_OK) {
        report(&l, "engine.stop", &err);
    }
    return NULL;
}

/* A journal that ends before the state (files lost, or put back from an older copy) would give numbers a second time:
 * the engine would take the new records for old ones and skip them, acknowledged and seen by nobody. */
static enum lt_err journal_reaches(const struct engine *e, struct lt_error *err)
{
    struct journal_reader *reader = NULL;
    uint64_t last = 0, seen = e->state_seq > e->series_seq ? e->state_seq : e->series_seq;
    enum lt_err r = journal_reader_open(e->cfg.dir, &reader, err);
    if (r == LT_OK) {
        r = journal_reader_last_seq(reader, &last, err);
    }
    journal_reader_close(&reader);
    if (r == LT_OK && last < seen) {
        char why[160];
        snprintf(why, sizeof why,
                 "it ends at record %" PRIu64 ", state.db knows %" PRIu64
                 "; put back journal and state.db of one backup",
                 last, seen);
        r = lt_fail(err, LT_E_CORRUPT, "journal", "journal", why, NULL);
    }
    return r;
}

enum lt_err engine_start(const struct engine_config *cfg, struct engine **ret, struct lt_error *err)
{
    enum lt_err r = engine_open(cfg, ret, err);
    if (r == LT_OK && (r = journal_reaches(*ret, err)) != LT_OK) {
        engine_close(ret);
    }
    if (r != LT_OK) {
        return r;
    }
    if (pthread_create(&(*ret)->thread, NULL, run, *ret) != 0) {
        engine_close(ret);
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    (*ret)->threaded = true;
    return LT_OK;
}

void engine_stop(struct engine **pe)
{
    struct engine *e = pe ? *pe : NULL;
    if (!e) {
        return;
    }
    pthread_mutex_lock(&e->mu);
    e->stop = true;
    pthread_cond_broadcast(&e->moved);
    pthread_mutex_unlock(&e->mu);
    if (e->threaded) {
        pthread_join(e->thread, NULL);
        e->threaded = false;
    }
    engine_close(pe);
}

bool engine_wait(struct engine *e, uint64_t seq, int wait_ms)
{
    const int64_t until_ms = lt_mono_ms() + wait_ms;
    pthread_mutex_lock(&e->mu);
    while (e->visible_seq < seq && lt_cond_wait_until(&e->moved, &e->mu, until_ms)) {
    }
    bool ok = e->visible_seq >= seq;
    pthread_mutex_unlock(&e->mu);
    return ok;
}
