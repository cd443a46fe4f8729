/* One pass over the journal: the live chain is computed again batch by batch, the records become leaves. Leaves are
 * hashed in blocks of CHAIN_KEEP by helper threads; the walking thread lends a hand when none is free. */
#include "journal/journal.h"
#include "proof/proof_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS     16 /* blocks under way: enough for four threads, some 10 MB of ordinary frames */
#define THREADS  8
#define KEEP_MEM (4u << 20) /* a block's memory beyond this is given back: 1,024 records may have 64 MiB */

enum job_state { JOB_FREE, JOB_READY, JOB_RUNNING, JOB_DONE };
struct job {
    enum job_state state;
    size_t n;
    uint8_t *mem;
    size_t used, cap;
    uint32_t at[CHAIN_KEEP + 1];
    struct chain_pair leaf[CHAIN_KEEP], root;
    bool failed;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t ready, done;
    struct job *job;   /* ring */
    size_t head, tail; /* head: being filled; tail: oldest not yet taken */
    bool stop;
    pthread_t thread[THREADS];
    unsigned n_threads;
    struct chain_hasher *own;
    struct proof_walk *w;
};

static void hash_block(struct chain_hasher *h, struct job *j)
{
    j->failed = !h;
    for (size_t i = 0; i < j->n && !j->failed; i++)
        j->failed = !chain_leaf_both(h, j->mem + j->at[i], j->at[i + 1] - j->at[i] - 1, &j->leaf[i]);
    if (!j->failed)
        j->failed = !chain_reduce(h, j->leaf, j->n, &j->root);
}

/* Runs the oldest ready job, if there is one; the lock is held on entry and on return. */
static bool run_one(struct pool *p, struct chain_hasher *h)
{
    for (size_t i = p->tail; i < p->head; i++) {
        struct job *j = &p->job[i % JOBS];
        if (j->state != JOB_READY)
            continue;
        j->state = JOB_RUNNING;
        pthread_mutex_unlock(&p->lock);
        hash_block(h, j);
        pthread_mutex_lock(&p->lock);
        j->state = JOB_DONE;
        pthread_cond_broadcast(&p->done);
        return true;
    }
    return false;
}

static void *helper(void *arg)
{
    struct pool *p = arg;
    struct chain_hasher *h = chain_hasher_create();
    pthread_mutex_lock(&p->lock);
    while (!p->stop)
        if (!run_one(p, h))
            pthread_cond_wait(&p->ready, &p->lock);
    pthread_mutex_unlock(&p->lock);
    chain_hasher_destroy(&h);
    return NULL;
}

/* Takes finished blocks in order, until at most `left` are under way. */
static bool take_done(struct pool *p, size_t left)
{
    bool ok = true;
    pthread_mutex_lock(&p->lock);
    while (p->head - p->tail > left || (p->head > p->tail && p->job[p->tail % JOBS].state == JOB_DONE)) {
        struct job *j = &p->job[p->tail % JOBS];
        if (j->state == JOB_DONE) {
            ok = ok && !j->failed;
            chain_tree_add_block(p->w->tree, &j->root, j->n);
            if (j->cap > KEEP_MEM) {
                free(j->mem);
                j->mem = NULL;
                j->cap = 0;
            }
            j->state = JOB_FREE;
            p->tail++;
        } else if (!run_one(p, p->own)) {
            pthread_cond_wait(&p->done, &p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return ok && !p->w->tree->failed;
}

static bool pool_start(struct pool *p, struct proof_walk *w)
{
    *p = (struct pool){.w = w, .job = calloc(JOBS, sizeof *p->job), .own = chain_hasher_create()};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->ready, NULL);
    pthread_cond_init(&p->done, NULL);
    unsigned want = w->threads > THREADS ? THREADS : w->threads;
    while (p->job && p->own && p->n_threads + 1 < want &&
           pthread_create(&p->thread[p->n_threads], NULL, helper, p) == 0)
        p->n_threads++;
    return p->job && p->own;
}

static void pool_stop(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->ready);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++)
        pthread_join(p->thread[i], NULL);
    for (size_t i = 0; p->job && i < JOBS; i++)
        free(p->job[i].mem);
    free(p->job);
    chain_hasher_destroy(&p->own);
    pthread_cond_destroy(&p->ready);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
}

/* Hands the block being filled over; false when hashing failed. */
static bool pool_send(struct pool *p)
{
    struct job *j = &p->job[p->head % JOBS];
    if (j->n == 0)
        return true;
    pthread_mutex_lock(&p->lock);
    j->state = JOB_READY;
    p->head++;
    pthread_cond_signal(&p->ready);
    pthread_mutex_unlock(&p->lock);
    /* alone: at once, while the block is warm; else keep one slot free for the next */
    bool ok = take_done(p, p->n_threads ? JOBS - 1 : 0);
    p->job[p->head % JOBS].n = 0;
    p->job[p->head % JOBS].used = 0;
    return ok;
}

static bool pool_add(struct pool *p, const struct journal_record *r)
{
    struct job *j = &p->job[p->head % JOBS];
    size_t need = 1 + CHAIN_RECORD_HEAD + r->mn.n + r->bytes.n;
    if (j->cap - j->used < need) {
        size_t cap = j->cap ? j->cap * 2 : 1u << 20;
        while (cap < j->used + need)
            cap *= 2;
        uint8_t *m = realloc(j->mem, cap);
        if (!m)
            return false;
        j->mem = m;
        j->cap = cap;
    }
    const struct chain_record c = {.seq = r->seq,
                                   .ref = r->ref,
                                   .at_ms = r->at_ms,
                                   .conn = r->conn,
                                   .flags = r->flags,
                                   .kind = r->kind,
                                   .reason = r->reason,
                                   .mn = r->mn,
                                   .bytes = r->bytes};
    j->at[j->n] = (uint32_t)j->used;
    j->used += 1 + chain_record_write(&c, j->mem + j->used + 1);
    j->at[++j->n] = (uint32_t)j->used;
    return j->n < CHAIN_KEEP || pool_send(p);
}

/* ---- walking ---- */

static void bad(struct proof_walk *w, enum proof_walk_bad what, uint64_t first, uint64_t last)
{
    w->bad_n++;
    if (w->bad)
        w->bad(w->user, what, first, last);
}

static bool walk_records(struct proof_walk *w, struct pool *p, const struct journal_batch *b)
{
    size_t pos = 0;
    uint32_t n = 0;
    struct journal_record r;
    while (journal_batch_next(b, &pos, &r)) {
        n++;
        if (r.seq < w->first || r.seq > w->last)
            continue;
        w->records++;
        w->newest_ms = r.at_ms > w->newest_ms ? r.at_ms : w->newest_ms;
        if (w->tree && !pool_add(p, &r))
            return false;
    }
    if (n != b->count)
        bad(w, WALK_COUNT, b->first_seq, b->first_seq + b->count - 1);
    return true;
}

static enum lt_err walk_batch(struct proof_walk *w, struct pool *p, const struct journal_batch *b, uint64_t *at,
                              int64_t *at_ms, struct lt_error *err)
{
    uint8_t hash[CHAIN_HASH];
    uint64_t last = b->first_seq + b->count - 1;
    if (b->first_seq != *at && !(b->first_seq < *at && *at == w->first)) {
        bad(w, WALK_NUMBER, *at, b->first_seq ? b->first_seq - 1 : 0);
        w->known_prev = false;
    }
    if (b->at_ms < *at_ms)
        bad(w, WALK_ORDER, b->first_seq, last);
    if (w->known_prev) {
        if (!journal_hash(w->prev, b, hash))
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        if (memcmp(hash, b->hash, CHAIN_HASH) != 0)
            bad(w, WALK_HASH, b->first_seq, last);
    }
    memcpy(w->prev, b->hash, CHAIN_HASH);
    memcpy(w->chain, b->hash, CHAIN_HASH);
    w->known_prev = true;
    *at_ms = b->at_ms;
    w->batches++;
    w->bytes += b->body.n;
    *at = last + 1;
    return walk_records(w, p, b) ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static enum lt_err walk_all(struct proof_walk *w, struct pool *p, struct lt_error *err)
{
    struct journal_reader *reader = NULL;
    uint64_t at = w->first;
    int64_t at_ms = INT64_MIN;
    enum lt_err e = journal_reader_open(w->dir, &reader, err);
    while (e == LT_OK && at <= w->last) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(reader, at, &b, err);
        if (e == LT_OK && b->first_seq > w->last) {
            journal_batch_unref(&b);
            e = LT_E_NOT_FOUND;
        }
        if (e == LT_E_NOT_FOUND || e == LT_E_CORRUPT) {
            bad(w, e == LT_E_CORRUPT ? WALK_UNREADABLE : WALK_NUMBER, at, w->last);
            e = LT_OK;
            break;
        }
        if (e == LT_OK)
            e = walk_batch(w, p, b, &at, &at_ms, err);
        journal_batch_unref(&b);
        if (e == LT_OK && w->go_on && !w->go_on(w->user, w->records))
            e = lt_fail(err, LT_E_TIMEOUT, NULL, "check", "stopped", NULL);
    }
    if (reader)
        journal_reader_close(&reader);
    return e;
}

enum lt_err proof_walk_run(struct proof_walk *w, struct lt_error *err)
{
    struct pool p;
    enum lt_err e = pool_start(&p, w) ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK && w->first <= w->last && w->last)
        e = walk_all(w, &p, err);
    if (e == LT_OK && w->tree && (!pool_send(&p) || !take_done(&p, 0)))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    pool_stop(&p);
    return e;
}

enum lt_err proof_day_begin(const char *dir, int day, uint64_t *ret_first, uint8_t ret_prev[CHAIN_HASH],
                            struct lt_error *err)
{
    char path[PROOF_PATH];
    snprintf(path, sizeof path, "%.900s/journal/%08d.db", dir, day);
    struct sql_db *db = NULL;
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_open(path, true, &db, err);
    if (e == LT_OK)
        e = sql_prepare(db, "SELECT first_seq, prev_hash FROM meta", &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    if (e == LT_OK) {
        struct lt_slice h = row ? sql_col_blob(st, 1) : LT_LIT("");
        *ret_first = row ? (uint64_t)sql_col_i64(st, 0) : 0;
        if (h.n == CHAIN_HASH)
            memcpy(ret_prev, h.p, CHAIN_HASH);
        else
            e = lt_fail(err, LT_E_CORRUPT, NULL, path, "meta", NULL);
    }
    sql_release(&st);
    sql_close(&db);
    return e;
}
