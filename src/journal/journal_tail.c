/* The tail: recent batches in memory, older ones from disk. Safe to share between threads. */
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <time.h>
#include "journal/journal_priv.h"
#include "base/clock.h"
#include "base/cond.h"

/* Derivation: 64 MiB is two seconds of the full rate (60,000 frames of 501 bytes) and half an hour of a small city. */
#define RING_BYTES ((size_t)64 << 20)
#define RING_SLOTS 65536 /* power of two; batches of one frame count too */

/* When what was committed, once a second: kept longer than the batches themselves, so that one that comes back from
 * disk has its monotonic time still. Derivation: who is an hour behind need not be told the second. */
#define MARKS         4096
#define MARK_EVERY_MS LT_SEC_MS

struct mark {
    uint64_t seq;
    int64_t mono_ms;
};

struct journal_tail {
    char dir[JOURNAL_PATH_MAX];
    pthread_mutex_t mu; /* guards the ring */
    pthread_cond_t more;
    struct journal_batch **ring; /* [from, to) modulo RING_SLOTS, consecutive numbers */
    size_t from, to, bytes;
    struct mark mark[MARKS]; /* number n stands at n modulo MARKS */
    size_t marks;            /* ever set */
    int64_t before_ms;       /* monotonic minus wall clock at the first commit: for batches of earlier processes */
    pthread_mutex_t disk_mu; /* guards reader; taken without mu */
    struct journal_reader *reader;
};

struct journal_tail *journal_tail_create(const char *dir)
{
    struct journal_tail *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->ring = calloc(RING_SLOTS, sizeof *t->ring);
    if (!t->ring) {
        free(t);
        return NULL;
    }
    snprintf(t->dir, sizeof t->dir, "%.900s", dir);
    pthread_mutex_init(&t->mu, NULL);
    pthread_mutex_init(&t->disk_mu, NULL);
    lt_cond_init(&t->more);
    return t;
}

static struct journal_batch **slot(const struct journal_tail *t, size_t i)
{
    return &t->ring[i % RING_SLOTS];
}

static void drop_first(struct journal_tail *t)
{
    struct journal_batch **b = slot(t, t->from++);
    t->bytes -= journal_box_memory(*b);
    journal_batch_unref(b);
}

void journal_tail_destroy(struct journal_tail **tp)
{
    struct journal_tail *t = *tp;
    *tp = NULL;
    if (!t)
        return;
    while (t->from != t->to)
        drop_first(t);
    journal_reader_close(&t->reader);
    pthread_mutex_destroy(&t->mu);
    pthread_mutex_destroy(&t->disk_mu);
    pthread_cond_destroy(&t->more);
    free(t->ring);
    free(t);
}

static uint64_t end_of(const struct journal_batch *b)
{
    return b->first_seq + b->count;
}

static void set_mark(struct journal_tail *t, const struct journal_batch *b)
{
    if (t->marks == 0)
        t->before_ms = b->mono_ms - b->at_ms;
    else if (b->mono_ms - t->mark[(t->marks - 1) % MARKS].mono_ms < MARK_EVERY_MS)
        return;
    t->mark[t->marks++ % MARKS] = (struct mark){b->first_seq, b->mono_ms};
}

/* When a batch that was read from disk was committed, by its mark: up to a second too early. What is older than all
 * marks was there before the first commit, or is an hour old; then the wall clock of its commit has to do. */
static int64_t committed_ms(struct journal_tail *t, const struct journal_batch *b)
{
    pthread_mutex_lock(&t->mu);
    const size_t first = t->marks > MARKS ? t->marks - MARKS : 0;
    size_t lo = first, hi = t->marks;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (t->mark[mid % MARKS].seq <= b->first_seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    int64_t ms = b->at_ms + t->before_ms;
    if (lo > first)
        ms = t->mark[(lo - 1) % MARKS].mono_ms;
    else if (t->marks && ms > t->mark[first % MARKS].mono_ms)
        ms = t->mark[first % MARKS].mono_ms;
    const bool known = t->marks > 0;
    pthread_mutex_unlock(&t->mu);
    return known ? ms : 0;
}

void journal_tail_publish(struct journal_tail *t, struct journal *j, int64_t mono_ms)
{
    struct journal_batch *b = journal_take_done(j);
    if (!b)
        return;
    b->mono_ms = mono_ms;
    const size_t bytes = journal_box_memory(b);
    pthread_mutex_lock(&t->mu);
    set_mark(t, b);
    /* A gap comes about when healing found a batch that was given up: readers get that one from disk. */
    if (t->from != t->to && end_of(*slot(t, t->to - 1)) != b->first_seq) {
        while (t->from != t->to)
            drop_first(t);
    }
    while (t->from != t->to && (t->bytes + bytes > RING_BYTES || t->to - t->from == RING_SLOTS))
        drop_first(t);
    *slot(t, t->to++) = b;
    t->bytes += bytes;
    pthread_cond_broadcast(&t->more);
    pthread_mutex_unlock(&t->mu);
}

/* The ring's batch with seq, owned by the caller; NULL when it is not there. mu is held. */
static struct journal_batch *in_ring(struct journal_tail *t, uint64_t seq)
{
    size_t lo = t->from, hi = t->to;
    while (lo != hi) {
        const size_t mid = lo + (hi - lo) / 2;
        struct journal_batch *b = *slot(t, mid);
        if (seq < b->first_seq) {
            hi = mid;
        } else if (seq >= end_of(b)) {
            lo = mid + 1;
        } else {
            journal_batch_ref(b);
            return b;
        }
    }
    return NULL;
}

struct journal_batch *journal_tail_peek(struct journal_tail *t, uint64_t seq)
{
    pthread_mutex_lock(&t->mu);
    struct journal_batch *b = in_ring(t, seq);
    pthread_mutex_unlock(&t->mu);
    return b;
}

static enum lt_err from_disk(struct journal_tail *t, uint64_t seq, struct journal_batch **ret, struct lt_error *err)
{
    pthread_mutex_lock(&t->disk_mu);
    enum lt_err e = t->reader ? LT_OK : journal_reader_open(t->dir, &t->reader, err);
    if (!e)
        e = journal_reader_next(t->reader, seq, ret, err);
    if (e && e != LT_E_NOT_FOUND)
        journal_reader_close(&t->reader); /* begin afresh next time */
    pthread_mutex_unlock(&t->disk_mu);
    if (!e)
        (*ret)->mono_ms = committed_ms(t, *ret); /* nobody else has it yet */
    return e;
}

enum lt_err journal_tail_next(struct journal_tail *t, uint64_t seq, int wait_ms, struct journal_batch **ret,
                              struct lt_error *err)
{
    const int64_t until_ms = lt_mono_ms() + wait_ms;
    bool on_disk = true; /* may older batches than those of the ring hold it? */
    pthread_mutex_lock(&t->mu);
    for (bool timed_out = false;;) {
        struct journal_batch *b = in_ring(t, seq);
        if (b) {
            pthread_mutex_unlock(&t->mu);
            *ret = b;
            return LT_OK;
        }
        const size_t seen = t->to;
        const bool ahead = t->from != t->to && seq >= end_of(*slot(t, t->to - 1));
        if (on_disk && !ahead) {
            pthread_mutex_unlock(&t->mu);
            const enum lt_err e = from_disk(t, seq, ret, err);
            if (e != LT_E_NOT_FOUND)
                return e;
            pthread_mutex_lock(&t->mu);
            if (t->to != seen)
                continue;    /* published meanwhile: look again */
            on_disk = false; /* nothing new until the next publication */
        }
        if (timed_out)
            break;
        timed_out = !lt_cond_wait_until(&t->more, &t->mu, until_ms);
        on_disk = on_disk || t->to != seen;
    }
    pthread_mutex_unlock(&t->mu);
    return lt_fail(err, LT_E_TIMEOUT, NULL, "journal", NULL, NULL);
}
