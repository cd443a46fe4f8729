/* The recorder: ports, the thread, one round = one commit. See recorder.h. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/text.h"
#include "recorder/recorder.h"
#include "recorder/recorder_rejects.h"
#include "recorder/recorder_seen.h"

/* A round takes blocks until their bytes reach this: some 2,000 frames. Larger ones would save little (a commit costs
 * half a millisecond of its own), but make acknowledgements wait longer in a burst, and one stored record costs as much
 * to read back as its whole batch (1 ms). */
#define ROUND_BYTES   ((size_t)1 << 20)
#define ROUND_ENTRIES 32768
#define RETRY_MS      100 /* between commits while the disk fails; meanwhile blocks wait and ports fill up */
#define TELL_EVERY    100 /* failures between log lines: ten seconds while the disk is full */
#define HELD          16  /* batches read back from disk to confirm duplicates; at most 16 * 16 MiB, usually 5 MiB */
#define TICK_S        10
#define STEP_MS       (10 * LT_SEC_MS) /* slewing moves the clock by 5 ms between two ticks: this much was set */
#define KEEP_REJECTS  1000

_Static_assert(ROUND_ENTRIES + RECORDER_BLOCK_ENTRIES < JOURNAL_COUNT_MAX, "a round fits into a batch");

struct recorder_block {
    struct recorder_block *next;
    struct recorder_port *port;
    size_t n, used;
    struct recorder_entry entries[RECORDER_BLOCK_ENTRIES];
    char bytes[RECORDER_BLOCK_BYTES];
};

struct block_list {
    struct recorder_block *first, *last;
};

struct recorder_port {
    struct recorder *r;
    void (*wake)(void *user);
    void *user;
    struct recorder_block *free; /* producer's own */
    struct recorder_block *blocks[RECORDER_PORT_BLOCKS];
    pthread_mutex_t mu; /* guards done */
    struct block_list done;
};

struct recorder {
    struct recorder_config cfg;
    char dir[1024];
    pthread_t thread;
    pthread_mutex_t mu; /* guards queue, queued, stop, stats, last_err */
    pthread_cond_t work;
    struct block_list queue;
    size_t queued;
    bool stop;
    struct recorder_stats stats;
    struct lt_error last_err;
    /* of the thread alone */
    struct journal *journal;
    struct journal_tail *tail;
    struct seen *seen;
    struct rejects rejects;
    struct journal_reader *reader;
    struct journal_batch *held[HELD];
    size_t held_next;
    bool faulty;
    int64_t tried_mono_ms, tick_mono_ms;
    int64_t wall_off_ms; /* wall clock minus monotonic clock at the last commit; 0: none yet */
    uint64_t next_seq;   /* number the next record added gets */
    int day;
    /* recorder_write */
    pthread_mutex_t write_mu;
    sem_t write_done;
    struct recorder_port *write_port;
};

static void list_add(struct block_list *l, struct recorder_block *b)
{
    b->next = NULL;
    if (l->last)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
}

static struct recorder_block *list_take(struct block_list *l)
{
    struct recorder_block *b = l->first;
    if (b) {
        l->first = b->next;
        if (!l->first)
            l->last = NULL;
        b->next = NULL;
    }
    return b;
}

/* ---- ports ---- */
struct recorder_port *recorder_port_create(struct recorder *r, void (*wake)(void *user), void *user)
{
    struct recorder_port *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->r = r;
    p->wake = wake;
    p->user = user;
    pthread_mutex_init(&p->mu, NULL);
    for (size_t i = 0; i < RECORDER_PORT_BLOCKS; i++) {
        struct recorder_block *b = calloc(1, sizeof *b);
        if (!b) {
            recorder_port_destroy(&p);
            return NULL;
        }
        b->port = p;
        p->blocks[i] = b;
        recorder_port_give(p, b);
    }
    return p;
}

void recorder_port_destroy(struct recorder_port **pp)
{
    struct recorder_port *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->mu); /* the recorder thread may just be calling wake */
    pthread_mutex_unlock(&p->mu);
    pthread_mutex_destroy(&p->mu);
    for (size_t i = 0; i < RECORDER_PORT_BLOCKS; i++)
        free(p->blocks[i]);
    free(p);
}

struct recorder_block *recorder_port_take(struct recorder_port *p)
{
    struct recorder_block *b = p->free;
    if (b)
        p->free = b->next;
    return b;
}

void recorder_port_give(struct recorder_port *p, struct recorder_block *b)
{
    b->n = b->used = 0;
    b->next = p->free;
    p->free = b;
}

static char *copy_in(struct recorder_block *b, struct lt_slice s)
{
    char *at = b->bytes + b->used;
    if (s.n)
        memcpy(at, s.p, s.n);
    b->used += s.n;
    return at;
}

bool recorder_block_add(struct recorder_block *b, const struct journal_record *rec, uint64_t user)
{
    struct lt_slice bytes = rec->bytes;
    if (rec->kind == JOURNAL_REJECT && bytes.n > JOURNAL_BYTES_MAX)
        bytes.n = JOURNAL_BYTES_MAX;
    if (b->n == RECORDER_BLOCK_ENTRIES || bytes.n > JOURNAL_BYTES_MAX || rec->mn.n > JOURNAL_MN_MAX ||
        bytes.n + rec->mn.n > RECORDER_BLOCK_BYTES - b->used)
        return false;
    struct recorder_entry *e = &b->entries[b->n++];
    e->rec = *rec;
    e->user = user;
    e->result = RECORDER_WAITING;
    e->rec.bytes = (struct lt_slice){copy_in(b, bytes), bytes.n};
    const uintptr_t from = (uintptr_t)bytes.p, mn = (uintptr_t)rec->mn.p;
    if (bytes.n && mn >= from && mn + rec->mn.n <= from + bytes.n) /* usual: the MN is part of the frame */
        e->rec.mn.p = e->rec.bytes.p + (mn - from);
    else
        e->rec.mn.p = copy_in(b, rec->mn);
    return true;
}

size_t recorder_block_count(const struct recorder_block *b)
{
    return b->n;
}

const struct recorder_entry *recorder_block_entries(const struct recorder_block *b, size_t *ret_n)
{
    *ret_n = b->n;
    return b->entries;
}

void recorder_port_submit(struct recorder_port *p, struct recorder_block *b)
{
    struct recorder *r = p->r;
    pthread_mutex_lock(&r->mu);
    list_add(&r->queue, b);
    if (r->queued++ == 0)
        pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->mu);
}

struct recorder_block *recorder_port_done(struct recorder_port *p)
{
    pthread_mutex_lock(&p->mu);
    struct recorder_block *b = list_take(&p->done);
    pthread_mutex_unlock(&p->mu);
    return b;
}

/* Gives the blocks of a round back, waking each port once. */
static void give_back(struct block_list *round)
{
    while (round->first) {
        struct recorder_port *p = round->first->port;
        struct block_list others = {0};
        pthread_mutex_lock(&p->mu);
        for (struct recorder_block *b; (b = list_take(round));)
            list_add(b->port == p ? &p->done : &others, b);
        if (p->wake)
            p->wake(p->user);
        pthread_mutex_unlock(&p->mu);
        *round = others;
    }
}

/* ---- reading back, to confirm duplicates ---- */
static struct journal_batch *held_batch(struct recorder *r, uint64_t seq)
{
    for (size_t i = 0; i < HELD; i++)
        if (r->held[i] && seq >= r->held[i]->first_seq && seq - r->held[i]->first_seq < r->held[i]->count)
            return r->held[i];
    return NULL;
}

static struct journal_batch *load_batch(struct recorder *r, uint64_t seq)
{
    struct journal_batch *b = journal_tail_peek(r->tail, seq);
    if (!b) {
        if (!r->reader && journal_reader_open(r->dir, &r->reader, NULL) != LT_OK)
            return NULL;
        const enum lt_err e = journal_reader_next(r->reader, seq, &b, NULL);
        if (e && e != LT_E_NOT_FOUND)
            journal_reader_close(&r->reader);
        if (e)
            return NULL;
    }
    journal_batch_unref(&r->held[r->held_next]);
    r->held[r->held_next] = b;
    r->held_next = (r->held_next + 1) % HELD;
    return b;
}

static bool fetch(void *user, uint64_t seq, struct journal_record *ret)
{
    struct recorder *r = user;
    if (seq > journal_last_seq(r->journal))
        return journal_open_find(r->journal, seq, ret);
    const struct journal_batch *b = held_batch(r, seq);
    if (!b)
        b = load_batch(r, seq);
    return b && journal_batch_find(b, seq, ret);
}

static void on_replay(void *user, const struct journal_record *rec, int day)
{
    struct recorder *r = user;
    if (rec->kind == JOURNAL_REJECT)
        rejects_keep(&r->rejects, rec->mn, day);
}

/* ---- one record ---- */
static void take_entry(struct recorder *r, struct recorder_entry *e)
{
    struct journal_record rec = e->rec;
    enum recorder_result result = RECORDER_STORED;
    uint64_t ref = 0;
    if (rec.kind == JOURNAL_FRAME && seen_check(r->seen, &rec, r->next_seq, &ref)) {
        rec.kind = JOURNAL_DUPLICATE;
        rec.ref = e->rec.ref = ref;
        rec.bytes = (struct lt_slice){0};
        result = RECORDER_DUPLICATE;
    } else if (rec.kind == JOURNAL_REJECT) {
        result = RECORDER_REFUSED;
        if (!rejects_keep(&r->rejects, rec.mn, r->day)) {
            rec.kind = JOURNAL_DROPPED;
            rec.bytes = (struct lt_slice){0};
        }
    }
    e->rec.seq = journal_add(r->journal, &rec);
    e->result = e->rec.seq ? result : RECORDER_FAILED; /* only without memory: the round is bounded */
    r->next_seq += e->rec.seq != 0;
}

#define AHEAD 4 /* records looked ahead, so that memory answers in time */

static void take_block(struct recorder *r, struct recorder_block *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (i + AHEAD < b->n && b->entries[i + AHEAD].rec.kind == JOURNAL_FRAME)
            seen_hint(r->seen, &b->entries[i + AHEAD].rec);
        take_entry(r, &b->entries[i]);
    }
}

static void take_tick(struct recorder *r, int64_t at_ms, int64_t mono_ms)
{
    if (mono_ms < r->tick_mono_ms)
        return;
    const struct journal_record tick = {.kind = JOURNAL_TICK, .at_ms = at_ms};
    r->next_seq += journal_add(r->journal, &tick) != 0;
    r->tick_mono_ms = mono_ms + (int64_t)r->cfg.tick_s * LT_SEC_MS;
}

/* Somebody set the post's clock: that stands in the journal, before the first record with the new time. */
static void take_step(struct recorder *r, int64_t at_ms, int64_t off_ms)
{
    char text[JOURNAL_STEP_CHARS];
    const int64_t step_ms = r->wall_off_ms ? off_ms - r->wall_off_ms : 0;
    if (step_ms < STEP_MS && step_ms > -STEP_MS)
        return;
    const struct journal_record rec = {
        .kind = JOURNAL_TICK, .at_ms = at_ms, .bytes = {text, journal_step_text(step_ms, text)}};
    r->next_seq += journal_add(r->journal, &rec) != 0;
    lt_log(LT_WARN, "recorder.clock", "step_ms=%lld", (long long)step_ms);
}

/* ---- faults ---- */
static void fault(struct recorder *r, const struct lt_error *err)
{
    pthread_mutex_lock(&r->mu);
    const bool tell = r->stats.failures++ % TELL_EVERY == 0 || !r->faulty;
    r->stats.faulty = true;
    r->last_err = *err;
    pthread_mutex_unlock(&r->mu);
    const bool begins = !r->faulty;
    r->faulty = true;
    if (tell) {
        char text[400];
        lt_error_text(err, LT_EN, text, sizeof text);
        lt_log(LT_ERROR, "recorder.commit_failed", "why=\"%s\"", text);
    }
    if (begins && r->cfg.on_fault)
        r->cfg.on_fault(r->cfg.user, err, false);
}

static void fault_over(struct recorder *r)
{
    if (!r->faulty)
        return;
    r->faulty = false;
    pthread_mutex_lock(&r->mu);
    r->stats.faulty = false;
    pthread_mutex_unlock(&r->mu);
    lt_log(LT_WARN, "recorder.commit_works", "seq=%llu", (unsigned long long)journal_last_seq(r->journal));
    if (r->cfg.on_fault)
        r->cfg.on_fault(r->cfg.user, &(struct lt_error){0}, true);
}

/* ---- one round ---- */
static void fail_round(struct block_list *round)
{
    for (struct recorder_block *b = round->first; b; b = b->next)
        for (size_t i = 0; i < b->n; i++) {
            b->entries[i].result = RECORDER_FAILED;
            b->entries[i].rec.seq = 0;
        }
}

/* Brings journal and index into agreement after a failure. */
static enum lt_err heal(struct recorder *r, struct lt_error *err)
{
    enum lt_err e = journal_heal(r->journal, err);
    return e ? e : seen_catch_up(r->seen, journal_last_seq(r->journal), err);
}

static void count_round(struct recorder *r, const struct block_list *round, uint64_t records, int64_t us)
{
    uint64_t n[RECORDER_FAILED + 1] = {0}, bytes = 0;
    struct seen_stats seen;
    for (const struct recorder_block *b = round->first; b; b = b->next) {
        bytes += b->used;
        for (size_t i = 0; i < b->n; i++) /* connections, commands and the like are kept, but are no frames received */
            n[b->entries[i].result] +=
                b->entries[i].result != RECORDER_STORED || b->entries[i].rec.kind == JOURNAL_FRAME;
    }
    seen_stats(r->seen, &seen);
    pthread_mutex_lock(&r->mu);
    struct recorder_stats *s = &r->stats;
    s->commits++;
    s->records += records;
    s->stored += n[RECORDER_STORED];
    s->duplicates += n[RECORDER_DUPLICATE];
    s->rejected += n[RECORDER_REFUSED];
    s->bytes += bytes;
    s->commit_us_total += (uint64_t)us;
    if ((uint64_t)us > s->commit_us_max)
        s->commit_us_max = (uint64_t)us;
    s->last_seq = journal_last_seq(r->journal);
    s->wal_bytes = journal_wal_bytes(r->journal);
    s->index_runs = seen.runs;
    s->index_bloom_bytes = seen.bloom_bytes;
    s->index_lost = seen.lost_runs;
    pthread_mutex_unlock(&r->mu);
}

static void do_round(struct recorder *r, struct block_list *round)
{
    struct lt_error err = {0};
    const int64_t began_us = lt_mono_us(), at_ms = lt_wall_ms(), off_ms = at_ms - began_us / 1000;
    r->tried_mono_ms = began_us / 1000;
    enum lt_err e = heal(r, &err);
    const uint64_t before = journal_last_seq(r->journal);
    if (!e) {
        const int today = lt_day_number(at_ms, r->cfg.tz_min), newest = journal_day(r->journal);
        r->day = today > newest ? today : newest;
        r->next_seq = before + 1;
        seen_begin(r->seen, r->day, r->next_seq);
        take_step(r, at_ms, off_ms);
        for (struct recorder_block *b = round->first; b; b = b->next)
            take_block(r, b);
        take_tick(r, at_ms, began_us / 1000);
        e = journal_commit(r->journal, at_ms, &err);
        if (e)
            seen_rollback(r->seen);
        else
            seen_commit(r->seen, journal_last_seq(r->journal));
    }
    if (e) {
        fail_round(round);
        fault(r, &err);
        r->tick_mono_ms = 0; /* the lost tick is tried again: that also finds out when the disk works */
        return;
    }
    r->wall_off_ms = off_ms;
    journal_tail_publish(r->tail, r->journal, lt_mono_ms());
    count_round(r, round, journal_last_seq(r->journal) - before, lt_mono_us() - began_us);
    fault_over(r);
}

/* Waits for blocks or the next tick, and takes the blocks of one round. False at the end. */
static bool wait_work(struct recorder *r, struct block_list *ret)
{
    pthread_mutex_lock(&r->mu);
    for (;;) {
        const int64_t now = lt_mono_ms(), retry = r->faulty ? r->tried_mono_ms + RETRY_MS : 0;
        const int64_t until = r->tick_mono_ms > retry ? r->tick_mono_ms : retry;
        if (r->stop || (r->queued && now >= retry) || now >= until)
            break;
        lt_cond_wait_until(&r->work, &r->mu, r->queued ? retry : until);
    }
    size_t bytes = 0, entries = 0;
    while (r->queue.first && bytes < ROUND_BYTES && entries < ROUND_ENTRIES) {
        struct recorder_block *b = list_take(&r->queue);
        bytes += b->used;
        entries += b->n;
        r->queued--;
        list_add(ret, b);
    }
    const bool end = r->stop && !ret->first;
    pthread_mutex_unlock(&r->mu);
    return !end;
}

static void *run(void *arg)
{
    struct recorder *r = arg;
    pthread_setname_np(pthread_self(), "lt-recorder");
    for (;;) {
        struct block_list round = {0};
        if (!wait_work(r, &round))
            return NULL;
        do_round(r, &round);
        give_back(&round);
    }
}

/* ---- start, stop ---- */
static void write_wake(void *user)
{
    sem_post(&((struct recorder *)user)->write_done);
}

static void free_recorder(struct recorder *r)
{
    recorder_port_destroy(&r->write_port);
    for (size_t i = 0; i < HELD; i++)
        journal_batch_unref(&r->held[i]);
    seen_close(&r->seen);
    journal_reader_close(&r->reader);
    journal_tail_destroy(&r->tail);
    journal_close(&r->journal);
    rejects_fini(&r->rejects);
    sem_destroy(&r->write_done);
    pthread_mutex_destroy(&r->write_mu);
    pthread_mutex_destroy(&r->mu);
    pthread_cond_destroy(&r->work);
    free(r);
}

static void init_locks(struct recorder *r)
{
    lt_cond_init(&r->work);
    pthread_mutex_init(&r->mu, NULL);
    pthread_mutex_init(&r->write_mu, NULL);
    sem_init(&r->write_done, 0, 0);
}

enum lt_err recorder_start(const struct recorder_config *cfg, struct recorder **ret, struct lt_error *err)
{
    struct recorder *r = calloc(1, sizeof *r);
    if (!r)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    r->cfg = *cfg;
    r->cfg.tick_s = cfg->tick_s ? cfg->tick_s : TICK_S;
    r->cfg.keep_rejects = cfg->keep_rejects ? cfg->keep_rejects : KEEP_REJECTS;
    lt_text_copy(r->dir, sizeof r->dir, cfg->dir);
    r->cfg.dir = r->dir;
    init_locks(r);
    enum lt_err e = journal_open(r->dir, cfg->tz_min, &r->journal, err);
    if (!e) {
        r->tail = journal_tail_create(r->dir);
        r->write_port = recorder_port_create(r, write_wake, r);
        if (!r->tail || !r->write_port || !rejects_init(&r->rejects, r->cfg.keep_rejects))
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    if (!e)
        e = seen_open(r->dir, cfg->tz_min, cfg->run_frames, fetch, r, on_replay, &r->seen, err);
    if (!e)
        r->stats.last_seq = journal_last_seq(r->journal);
    if (!e && pthread_create(&r->thread, NULL, run, r) != 0)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e) {
        free_recorder(r);
        return e;
    }
    *ret = r;
    return LT_OK;
}

void recorder_stop(struct recorder **rp)
{
    struct recorder *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    pthread_mutex_lock(&r->mu);
    r->stop = true;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->mu);
    pthread_join(r->thread, NULL);
    free_recorder(r);
}

struct journal_tail *recorder_tail(struct recorder *r)
{
    return r->tail;
}

enum lt_err recorder_write(struct recorder *r, const struct journal_record *rec, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    pthread_mutex_lock(&r->write_mu);
    struct recorder_block *b = recorder_port_take(r->write_port); /* never NULL: one caller at a time */
    if (!recorder_block_add(b, rec, 0)) {
        recorder_port_give(r->write_port, b);
        pthread_mutex_unlock(&r->write_mu);
        return lt_fail(err, LT_E_TOO_LARGE, NULL, "record", "64 KiB", NULL);
    }
    recorder_port_submit(r->write_port, b);
    while (!(b = recorder_port_done(r->write_port)))
        while (sem_wait(&r->write_done) != 0) {
        }
    if (b->entries[0].result == RECORDER_FAILED) {
        pthread_mutex_lock(&r->mu);
        if (err)
            *err = r->last_err;
        e = r->last_err.code ? r->last_err.code : LT_E_NOMEM;
        pthread_mutex_unlock(&r->mu);
    }
    recorder_port_give(r->write_port, b);
    pthread_mutex_unlock(&r->write_mu);
    return e;
}

void recorder_stats(struct recorder *r, struct recorder_stats *ret)
{
    pthread_mutex_lock(&r->mu);
    *ret = r->stats;
    ret->queue_blocks = r->queued;
    pthread_mutex_unlock(&r->mu);
}
