/* The duplicate index: open table, frozen tables on their way to disk, runs. See recorder_seen.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "recorder/recorder_run.h"
#include "recorder/recorder_seen.h"

_Static_assert(JOURNAL_COUNT_MAX <= SEEN_BATCH_MAX, "a batch of the journal fits into one batch of the index");

/* Slots of a table: at most half of them are filled by a full run and one more batch. */
#define SLOT_BITS       21
#define SLOT_BITS_SMALL 18 /* for runs of at most SMALL_RUN frames */
#define SMALL_RUN       65536
#define SPILL           4096 /* slots behind the last, so that probing never wraps and a scan is nearly in order */
/* Tables that wait for the worker. Derivation: one is usual; with the disk failing, 4 million frames more can be told
 * apart before the index begins to lose runs (the journal does not: its commits fail first). */
#define FROZEN_MAX 4
#define HITS_MAX   16 /* entries with one and the same 40-bit hash looked at per run */
#define MEMO       256
#define HASH_BITS  40

struct table {
    uint64_t *slots; /* 0 free */
    unsigned bits;
    size_t n; /* slots with the spill */
    uint32_t count;
    int day;
    uint64_t first_seq, last_seq;
    uint8_t minutes[RUN_MINUTES / 8];
};

struct key {
    uint64_t hash;
    unsigned minute; /* bit in run.minutes */
    int from_day;
};

/* Keys computed ahead of their check; see seen_hint(). */
struct hint {
    const char *bytes;
    struct key key;
};
#define HINTS 8

/* Runs that may hold frames of one minute; found once, as nearly all frames are of the same few minutes. */
struct memo {
    uint64_t version; /* of the list of runs, 0 empty */
    unsigned minute;
    struct run **runs; /* newest first */
    size_t n, cap;
};

struct seen {
    char dir[1024];
    int tz_min;
    unsigned run_frames;
    seen_fetch *fetch;
    void *user;
    uint8_t key[RUN_KEY];
    struct table *open;
    struct table *frozen[FROZEN_MAX]; /* oldest first; the first one is with the worker */
    size_t frozen_n;
    struct table *spare;
    struct run **runs; /* ascending by day and number */
    size_t runs_n;
    uint64_t runs_version;
    struct memo memo[MEMO];
    int fds[SEEN_DAYS + 2], fd_days[SEEN_DAYS + 2]; /* day files of runs, for searching */
    int day;
    uint64_t committed; /* last number all of whose frames are noted */
    uint32_t *undo;     /* slots filled since seen_begin */
    size_t undo_n, undo_cap;
    struct hint hints[HINTS];
    size_t hint_at;
    char minute_text[12]; /* memory of the last QN minute parsed */
    int64_t minute_at_ms;
    int minute_from_day, minute_today;
    struct seen_stats stats;
    /* worker */
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake, done;
    bool worker, stop;
    bool failing;       /* the last attempt to write a run failed */
    bool give_up;       /* a run that cannot be written is left in memory instead of tried again */
    struct table *job;  /* to be written */
    struct run *result; /* written */
};

/* ---- tables ---- */
static void table_free(struct table *t)
{
    if (t)
        free(t->slots);
    free(t);
}

static struct table *table_make(unsigned run_frames)
{
    struct table *t = calloc(1, sizeof *t);
    if (t) {
        t->bits = run_frames <= SMALL_RUN ? SLOT_BITS_SMALL : SLOT_BITS;
        t->n = ((size_t)1 << t->bits) + SPILL;
        /* Large pages where there are any: each check touches another place. */
        const size_t page = (size_t)2 << 20, bytes = (t->n * sizeof *t->slots + page - 1) / page * page;
        t->slots = aligned_alloc(page, bytes);
        if (t->slots)
            madvise(t->slots, bytes, MADV_HUGEPAGE);
    }
    if (t && t->slots) {
        memset(t->slots, 0, t->n * sizeof *t->slots);
        return t;
    }
    table_free(t);
    return NULL;
}

static void table_clear(struct table *t)
{
    memset(t->slots, 0, t->n * sizeof *t->slots);
    memset(t->minutes, 0, sizeof t->minutes);
    t->count = 0;
    t->day = 0;
    t->first_seq = t->last_seq = 0;
}

static size_t slot_of(const struct table *t, uint64_t hash)
{
    return (size_t)(hash >> (HASH_BITS - t->bits));
}

static bool has_minute(const uint8_t *minutes, unsigned m)
{
    return minutes[m / 8] >> (m % 8) & 1;
}

/* Puts an entry; the slot, or SIZE_MAX when the end of the spill is reached (then the frame is only not noted). */
static size_t table_put(struct table *t, const struct key *k, uint64_t seq)
{
    size_t i = slot_of(t, k->hash);
    while (i < t->n && t->slots[i])
        i++;
    if (i == t->n)
        return SIZE_MAX;
    t->slots[i] = k->hash << RUN_SEQ_BITS | (seq - t->first_seq);
    t->minutes[k->minute / 8] |= (uint8_t)(1u << (k->minute % 8));
    t->count++;
    return i;
}

/* ---- keys ---- */
/* The data segment of ## LLLL segment CRC; all bytes when the length does not fit (a tolerated deviation). */
static struct lt_slice segment_of(struct lt_slice raw)
{
    size_t n = 0;
    if (raw.n < 10 || raw.p[0] != '#' || raw.p[1] != '#')
        return raw;
    for (int i = 2; i < 6; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9')
            return raw;
        n = n * 10 + (size_t)(raw.p[i] - '0');
    }
    return n + 6 <= raw.n && raw.n - n - 6 <= 4 ? (struct lt_slice){raw.p + 6, n} : raw;
}

/* The digits of QN, else of DataTime; NULL when neither stands there with 14 of them. */
static const char *time_digits(struct lt_slice seg)
{
    const size_t head = seg.n < 64 ? seg.n : 64;
    const char *p = seg.p ? memmem(seg.p, head, "QN=", 3) : NULL;
    size_t skip = 3;
    if (!p) {
        p = seg.p ? memmem(seg.p, seg.n, "DataTime=", 9) : NULL;
        skip = 9;
    }
    if (!p || (size_t)(seg.p + seg.n - p) < skip + 14)
        return NULL;
    return p + skip;
}

static int day_before(int64_t at_ms, int tz_min, int days)
{
    return lt_day_number(at_ms - days * LT_DAY_MS, tz_min);
}

static void minute_key(struct seen *s, struct lt_slice seg, struct key *k)
{
    const char *d = time_digits(seg);
    if (d && memcmp(d, s->minute_text, 12) == 0 && s->minute_today == s->day) {
        k->minute = 1 + (unsigned)((uint64_t)(s->minute_at_ms / LT_MIN_MS) % (RUN_MINUTES - 1));
        k->from_day = s->minute_from_day;
        return;
    }
    int64_t at_ms, today_ms = 0;
    char text[14];
    if (d) {
        memcpy(text, d, 12);
        memcpy(text + 12, "00", 2); /* seconds do not matter here */
    }
    const bool today = lt_day_number_start(s->day, s->tz_min, &today_ms);
    if (!d || !lt_time_parse_compact((struct lt_slice){text, 14}, s->tz_min, &at_ms) || at_ms < 0) {
        k->minute = 0;
        k->from_day = today ? day_before(today_ms, s->tz_min, 1) : 0;
        return;
    }
    const int floor_day = day_before(today_ms, s->tz_min, SEEN_DAYS);
    const int from = day_before(at_ms < today_ms ? at_ms : today_ms, s->tz_min, 1);
    k->minute = 1 + (unsigned)((uint64_t)(at_ms / LT_MIN_MS) % (RUN_MINUTES - 1));
    k->from_day = from > floor_day ? from : floor_day;
    memcpy(s->minute_text, text, 12);
    s->minute_at_ms = at_ms;
    s->minute_from_day = k->from_day;
    s->minute_today = s->day;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static void key_of(struct seen *s, const struct journal_record *r, struct key *k)
{
    const struct lt_slice seg = segment_of(r->bytes);
    uint8_t a[8], b[8];
    crypto_shorthash(a, (const uint8_t *)seg.p, seg.n, s->key);
    crypto_shorthash(b, (const uint8_t *)r->mn.p, r->mn.n, s->key);
    const uint64_t h = load64(a) ^ (load64(b) * UINT64_C(0x9E3779B97F4A7C15));
    k->hash = h >> (64 - HASH_BITS);
    k->hash += k->hash == 0; /* 0 marks a free slot */
    minute_key(s, seg, k);
}

static bool same_frame(const struct journal_record *a, const struct journal_record *b)
{
    return a->kind == JOURNAL_FRAME && lt_slice_eq(a->mn, b->mn) &&
           lt_slice_eq(segment_of(a->bytes), segment_of(b->bytes));
}

/* ---- searching ---- */
static bool confirm(struct seen *s, const struct journal_record *r, uint64_t seq, uint64_t *ret_seq)
{
    struct journal_record stored;
    s->stats.confirms++;
    if (s->fetch(s->user, seq, &stored) && same_frame(&stored, r)) {
        *ret_seq = seq;
        return true;
    }
    s->stats.false_hits++;
    return false;
}

static bool find_in_table(struct seen *s, const struct table *t, const struct key *k, const struct journal_record *r,
                          uint64_t *ret_seq)
{
    if (t->day < k->from_day || !has_minute(t->minutes, k->minute))
        return false;
    for (size_t i = slot_of(t, k->hash); i < t->n && t->slots[i]; i++)
        if (RUN_HASH(t->slots[i]) == k->hash && confirm(s, r, t->first_seq + RUN_DELTA(t->slots[i]), ret_seq))
            return true;
    return false;
}

static int fd_of(struct seen *s, int day)
{
    const size_t n = sizeof s->fds / sizeof *s->fds;
    size_t oldest = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->fd_days[i] == day)
            return s->fds[i];
        if (s->fd_days[i] < s->fd_days[oldest])
            oldest = i;
    }
    char path[1024];
    run_path(s->dir, day, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (s->fd_days[oldest])
        close(s->fds[oldest]);
    s->fd_days[oldest] = day;
    s->fds[oldest] = fd;
    return fd;
}

static const struct memo *runs_of_minute(struct seen *s, unsigned minute)
{
    struct memo *m = &s->memo[minute % MEMO];
    if (m->version == s->runs_version && m->minute == minute)
        return m;
    m->n = 0;
    for (size_t i = s->runs_n; i-- > 0;) {
        if (!has_minute(s->runs[i]->minutes, minute))
            continue;
        if (!lt_grow(&m->runs, m->n, &m->cap, sizeof *m->runs))
            break; /* the older runs are not searched this time: at worst a frame is stored twice */
        m->runs[m->n++] = s->runs[i];
    }
    m->minute = minute;
    m->version = s->runs_version;
    return m;
}

/* Filters are kept for today and yesterday, the oldest are given up first. */
static void bound_blooms(struct seen *s)
{
    int64_t today_ms = 0;
    const int keep_from = lt_day_number_start(s->day, s->tz_min, &today_ms) ? day_before(today_ms, s->tz_min, 1) : 0;
    for (size_t i = 0; i < s->runs_n; i++) {
        struct run *r = s->runs[i];
        if (r->day >= keep_from && s->stats.bloom_bytes <= SEEN_BLOOM_MAX)
            break;
        s->stats.bloom_bytes -= run_bloom_bytes(r);
        free(r->bloom);
        r->bloom = NULL;
        r->bloom_given_up = true;
    }
}

static bool find_in_run(struct seen *s, struct run *run, const struct key *k, const struct journal_record *r,
                        uint64_t *ret_seq)
{
    if (!run->bloom && !run->bloom_given_up) { /* first use after a start */
        const int fd = fd_of(s, run->day);
        run->bloom_given_up = fd < 0 || !run_bloom_load(run, fd, s->key);
        s->stats.bloom_bytes += run_bloom_bytes(run);
        bound_blooms(s);
    }
    s->stats.bloom_probes++;
    if (run->bloom && !run_bloom_has(run, k->hash))
        return false;
    uint64_t hits[HITS_MAX];
    const int fd = fd_of(s, run->day);
    s->stats.disk_searches++;
    const size_t n = fd < 0 ? 0 : run_search(fd, run, k->hash, hits, HITS_MAX);
    for (size_t i = 0; i < n; i++)
        if (confirm(s, r, run->first_seq + RUN_DELTA(hits[i]), ret_seq))
            return true;
    return false;
}

static bool find(struct seen *s, const struct key *k, const struct journal_record *r, uint64_t *ret_seq)
{
    if (find_in_table(s, s->open, k, r, ret_seq))
        return true;
    for (size_t i = s->frozen_n; i-- > 0;)
        if (find_in_table(s, s->frozen[i], k, r, ret_seq))
            return true;
    const struct memo *m = runs_of_minute(s, k->minute);
    for (size_t i = 0; i < m->n && m->runs[i]->day >= k->from_day; i++)
        if (find_in_run(s, m->runs[i], k, r, ret_seq))
            return true;
    return false;
}

static bool note_undo(struct seen *s, size_t slot)
{
    if (!lt_grow(&s->undo, s->undo_n, &s->undo_cap, sizeof *s->undo))
        return false;
    s->undo[s->undo_n++] = (uint32_t)slot;
    return true;
}

static void note(struct seen *s, const struct key *k, uint64_t seq)
{
    if (s->undo_n >= SEEN_BATCH_MAX)
        return;
    const size_t slot = table_put(s->open, k, seq);
    if (slot != SIZE_MAX && !note_undo(s, slot)) { /* what cannot be taken back must not stay */
        s->open->slots[slot] = 0;
        s->open->count--;
    }
}

void seen_hint(struct seen *s, const struct journal_record *r)
{
    struct hint *h = &s->hints[s->hint_at++ % HINTS];
    h->bytes = r->bytes.p;
    key_of(s, r, &h->key);
    __builtin_prefetch(&s->open->slots[slot_of(s->open, h->key.hash)]);
}

static void hinted_key(struct seen *s, const struct journal_record *r, struct key *k)
{
    for (size_t i = 0; i < HINTS; i++) {
        struct hint *h = &s->hints[i];
        if (h->bytes == r->bytes.p && r->bytes.p) {
            *k = h->key;
            h->bytes = NULL;
            return;
        }
    }
    key_of(s, r, k);
}

bool seen_check(struct seen *s, const struct journal_record *r, uint64_t seq, uint64_t *ret_seq)
{
    struct key k;
    hinted_key(s, r, &k);
    s->stats.checks++;
    if (find(s, &k, r, ret_seq))
        return true;
    note(s, &k, seq);
    return false;
}

/* ---- worker: frozen table to run ---- */
static uint64_t *sorted_entries(const struct table *t)
{
    uint64_t *e = malloc(((size_t)t->count + 1) * sizeof *e);
    size_t n = 0;
    for (size_t i = 0; e && i < t->n; i++) {
        const uint64_t v = t->slots[i];
        if (!v)
            continue;
        size_t at = n++; /* slots are in order of the upper bits: the way back is as short as a probe sequence */
        for (; at > 0 && e[at - 1] > v; at--)
            e[at] = e[at - 1];
        e[at] = v;
    }
    return e;
}

static struct run *write_run(struct seen *s, const struct table *t)
{
    struct run *r = calloc(1, sizeof *r);
    uint64_t *e = r ? sorted_entries(t) : NULL;
    struct lt_error err = {0};
    if (e) {
        r->day = t->day;
        r->count = t->count;
        r->first_seq = t->first_seq;
        r->last_seq = t->last_seq;
        memcpy(r->minutes, t->minutes, sizeof r->minutes);
        if (run_append(s->dir, s->key, r, e, &err) == LT_OK) {
            r->bloom_given_up = !run_bloom_build(r, e);
            free(e);
            return r;
        }
    }
    char text[400] = "";
    lt_error_text(&err, LT_EN, text, sizeof text);
    lt_log(LT_WARN, "recorder.index", "day=%d first_seq=%llu why=\"%s\"", t->day, (unsigned long long)t->first_seq,
           text);
    free(e);
    free(r);
    return NULL;
}

static void *work(void *arg)
{
    struct seen *s = arg;
    pthread_setname_np(pthread_self(), "lt-index");
    pthread_mutex_lock(&s->mu);
    for (;;) {
        while (!s->stop && (!s->job || s->result))
            pthread_cond_wait(&s->wake, &s->mu);
        if (!s->job || s->result)
            break;
        struct table *t = s->job;
        pthread_mutex_unlock(&s->mu);
        struct run *r = write_run(s, t);
        pthread_mutex_lock(&s->mu);
        s->failing = r == NULL;
        if (r) {
            s->result = r;
            pthread_cond_broadcast(&s->done);
        } else if (s->give_up) {
            s->job = NULL;
            pthread_cond_broadcast(&s->done);
        } else { /* again in a second */
            lt_cond_wait_until(&s->wake, &s->mu, lt_mono_ms() + LT_SEC_MS);
        }
    }
    pthread_mutex_unlock(&s->mu);
    return NULL;
}

static void add_run(struct seen *s, struct run *r)
{
    if (s->runs_n == SEEN_RUNS_MAX) { /* the oldest is no longer searched */
        struct run *old = s->runs[0];
        s->stats.bloom_bytes -= run_bloom_bytes(old);
        free(old->bloom);
        free(old);
        memmove(s->runs, s->runs + 1, (--s->runs_n) * sizeof(struct run *));
    }
    size_t at = s->runs_n++;
    for (; at > 0 && s->runs[at - 1]->first_seq > r->first_seq; at--)
        s->runs[at] = s->runs[at - 1];
    s->runs[at] = r;
    s->runs_version++;
    s->stats.bloom_bytes += run_bloom_bytes(r);
    bound_blooms(s);
}

static void next_job(struct seen *s)
{
    if (s->frozen_n && !s->job) {
        s->job = s->frozen[0];
        pthread_cond_signal(&s->wake);
    }
}

/* Takes over what the worker finished. */
static void collect(struct seen *s)
{
    if (s->frozen_n == 0)
        return;
    pthread_mutex_lock(&s->mu);
    struct run *r = s->result;
    s->result = NULL;
    if (r) {
        struct table *t = s->frozen[0];
        memmove(s->frozen, s->frozen + 1, (--s->frozen_n) * sizeof(struct table *));
        s->job = NULL;
        if (s->spare)
            table_free(t);
        else
            s->spare = t;
        add_run(s, r);
        next_job(s);
    }
    pthread_mutex_unlock(&s->mu);
    if (r && s->spare)
        table_clear(s->spare);
}

/* Waits until the worker is done with one table, but not when it cannot write, and not long. */
#define WAIT_MS 2000

static void wait_for_worker(struct seen *s)
{
    const int64_t until_ms = lt_mono_ms() + WAIT_MS;
    pthread_mutex_lock(&s->mu);
    while (s->job && !s->result && !s->failing)
        if (!lt_cond_wait_until(&s->done, &s->mu, until_ms))
            break;
    pthread_mutex_unlock(&s->mu);
    collect(s);
}

/* The open table goes to the worker, and an empty one takes its place. */
static void freeze(struct seen *s)
{
    if (s->frozen_n == FROZEN_MAX)
        wait_for_worker(s);
    struct table *fresh = s->spare ? s->spare : table_make(s->run_frames);
    s->spare = NULL;
    if (!fresh || s->frozen_n == FROZEN_MAX) {
        /* No memory, or the disk takes no runs: the open run is forgotten. Its frames are in the journal; until the
         * next start a repetition of them may be stored a second time. */
        s->stats.lost_runs++;
        lt_log(LT_ERROR, "recorder.index_lost", "first_seq=%llu frames=%u", (unsigned long long)s->open->first_seq,
               s->open->count);
        table_clear(s->open);
        s->spare = fresh;
        return;
    }
    s->frozen[s->frozen_n++] = s->open;
    s->open = fresh;
    pthread_mutex_lock(&s->mu);
    next_job(s);
    pthread_mutex_unlock(&s->mu);
}

/* Waits until the worker wrote all frozen tables, or failed to: then they stay in memory. */
static void drain(struct seen *s)
{
    pthread_mutex_lock(&s->mu);
    s->give_up = true;
    next_job(s);
    pthread_cond_signal(&s->wake);
    for (bool more = true; more;) {
        while (s->job && !s->result)
            pthread_cond_wait(&s->done, &s->mu);
        more = s->result != NULL;
        pthread_mutex_unlock(&s->mu);
        collect(s);
        pthread_mutex_lock(&s->mu);
    }
    s->give_up = false;
    pthread_mutex_unlock(&s->mu);
}

static bool open_used(const struct seen *s)
{
    return s->open->day && s->open->last_seq >= s->open->first_seq;
}

/* ---- batches ---- */
static void begin_table(struct seen *s, int day, uint64_t first_seq)
{
    s->open->day = day;
    s->open->first_seq = first_seq;
    s->open->last_seq = first_seq - 1;
}

void seen_begin(struct seen *s, int day, uint64_t first_seq)
{
    collect(s);
    struct table *t = s->open;
    if (open_used(s) && (t->day != day || t->count >= s->run_frames ||
                         first_seq - t->first_seq + 2 * SEEN_BATCH_MAX >= UINT64_C(1) << RUN_SEQ_BITS))
        freeze(s);
    if (!open_used(s))
        begin_table(s, day, first_seq);
    s->day = day;
    s->undo_n = 0;
    memset(s->hints, 0, sizeof s->hints); /* the same address may hold another frame now */
}

void seen_commit(struct seen *s, uint64_t last_seq)
{
    s->open->last_seq = last_seq;
    s->committed = last_seq;
    s->undo_n = 0;
}

void seen_rollback(struct seen *s)
{
    while (s->undo_n > 0) { /* last in, first out: the table is then as it was */
        s->open->slots[s->undo[--s->undo_n]] = 0;
        s->open->count--;
    }
}

/* ---- completing the index from the journal ---- */
static void replay_batch(struct seen *s, const struct journal_batch *b, int day,
                         void (*on_replay)(void *user, const struct journal_record *r, int day))
{
    struct journal_record r;
    struct key k;
    seen_begin(s, day, b->first_seq);
    for (size_t pos = 0; journal_batch_next(b, &pos, &r);) {
        if (on_replay)
            on_replay(s->user, &r, day);
        if (r.kind != JOURNAL_FRAME || r.seq <= s->committed)
            continue;
        key_of(s, &r, &k);
        note(s, &k, r.seq);
    }
    seen_commit(s, b->first_seq + b->count - 1);
}

/* Notes records with numbers from..to (0: to the end; up to the end of day to_day when not 0). */
static enum lt_err replay(struct seen *s, uint64_t from, uint64_t to, int to_day,
                          void (*on_replay)(void *user, const struct journal_record *r, int day), struct lt_error *err)
{
    struct journal_reader *rd = NULL;
    enum lt_err e = journal_reader_open(s->dir, &rd, err);
    s->committed = from - 1;
    for (uint64_t seq = from; !e && (to == 0 || seq <= to);) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(rd, seq, &b, err);
        if (e)
            break;
        const int day = journal_reader_day(rd);
        if (to_day && day > to_day) {
            journal_batch_unref(&b);
            break;
        }
        replay_batch(s, b, day, on_replay);
        if (s->frozen_n > 1) /* reading back may be faster than the worker */
            drain(s);
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    journal_reader_close(&rd);
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

enum lt_err seen_catch_up(struct seen *s, uint64_t last_seq, struct lt_error *err)
{
    return last_seq > s->committed ? replay(s, s->committed + 1, last_seq, 0, NULL, err) : LT_OK;
}

struct loading {
    struct seen *s;
    uint64_t next; /* number the next run must begin with; 0: any */
};

static bool load_run(void *user, const struct run *r)
{
    struct loading *l = user;
    if (l->next && r->first_seq != l->next)
        return false;
    struct run *copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = *r;
    if (l->next)
        l->next = r->last_seq + 1;
    add_run(l->s, copy);
    return true;
}

/* Old days are taken as they are; the newest two must have runs without a gap from their first record on, and what
 * is missing is read from the journal. */
static enum lt_err load_all(struct seen *s, void (*on_replay)(void *user, const struct journal_record *r, int day),
                            struct lt_error *err)
{
    int days[SEEN_DAYS + 2];
    int *all = malloc(sizeof(int) * JOURNAL_DAYS_MAX);
    struct journal_reader *rd = NULL;
    enum lt_err e = all ? journal_reader_open(s->dir, &rd, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    const size_t n_all = e ? 0 : journal_days(s->dir, all, JOURNAL_DAYS_MAX);
    const size_t n = n_all < SEEN_DAYS + 2 ? n_all : SEEN_DAYS + 2;
    if (n)
        memcpy(days, all + (n_all - n), n * sizeof(int));
    free(all);
    bool have_key = false;
    for (size_t i = n; i-- > 0 && !have_key;)
        have_key = run_read_key(s->dir, days[i], s->key);
    if (!have_key)
        randombytes_buf(s->key, sizeof s->key);
    for (size_t i = 0; i < n && !e; i++) {
        struct loading l = {s, 0};
        const bool complete = i + 2 >= n;
        enum lt_err first = complete ? journal_reader_day_first(rd, days[i], &l.next, err) : LT_OK;
        if (first == LT_E_NOT_FOUND) /* a day without a batch */
            continue;
        s->day = days[i];
        e = first ? first : run_scan(s->dir, days[i], s->key, complete, load_run, &l, err);
        if (!e && complete)
            e = replay(s, l.next, 0, days[i], on_replay, err);
        if (!e && complete && i + 1 < n && open_used(s)) {
            freeze(s);
            drain(s);
        }
    }
    journal_reader_close(&rd);
    return e;
}

static bool start_worker(struct seen *s)
{
    pthread_mutex_init(&s->mu, NULL);
    lt_cond_init(&s->wake);
    lt_cond_init(&s->done);
    s->worker = pthread_create(&s->thread, NULL, work, s) == 0;
    return s->worker;
}

enum lt_err seen_open(const char *dir, int tz_min, unsigned run_frames, seen_fetch *fetch, void *user,
                      void (*on_replay)(void *user, const struct journal_record *r, int day), struct seen **ret,
                      struct lt_error *err)
{
    struct seen *s = sodium_init() < 0 ? NULL : calloc(1, sizeof *s);
    if (!s)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    snprintf(s->dir, sizeof s->dir, "%.900s", dir);
    s->tz_min = tz_min;
    s->run_frames = run_frames && run_frames < SEEN_RUN_FRAMES ? run_frames : SEEN_RUN_FRAMES;
    s->fetch = fetch;
    s->user = user;
    s->runs_version = 1;
    s->open = table_make(s->run_frames);
    s->runs = calloc(SEEN_RUNS_MAX, sizeof(struct run *));
    enum lt_err e = LT_OK;
    if (!start_worker(s) || !s->open || !s->runs)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e)
        e = load_all(s, on_replay, err);
    if (e)
        seen_close(&s);
    else
        *ret = s;
    return e;
}

static void free_all(struct seen *s)
{
    for (size_t i = 0; i < s->runs_n; i++) {
        free(s->runs[i]->bloom);
        free(s->runs[i]);
    }
    for (size_t i = 0; i < MEMO; i++)
        free(s->memo[i].runs);
    for (size_t i = 0; i < sizeof s->fds / sizeof *s->fds; i++)
        if (s->fd_days[i])
            close(s->fds[i]);
    for (size_t i = 0; i < s->frozen_n; i++)
        table_free(s->frozen[i]);
    table_free(s->open);
    table_free(s->spare);
    free(s->runs);
    free(s->undo);
    free(s);
}

/* An open run smaller than this is not written at the end: reading it back from the journal is quick, and many
 * restarts should not make many small runs. */
#define WORTH_WRITING 100000

void seen_close(struct seen **sp)
{
    struct seen *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    if (s->worker) {
        if (s->open && s->open->count >= WORTH_WRITING && open_used(s))
            freeze(s);
        drain(s);
        pthread_mutex_lock(&s->mu);
        s->stop = true;
        pthread_cond_broadcast(&s->wake);
        pthread_mutex_unlock(&s->mu);
        pthread_join(s->thread, NULL);
    }
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->done);
    free(s->result);
    free_all(s);
}

void seen_stats(const struct seen *s, struct seen_stats *ret)
{
    *ret = s->stats;
    ret->runs = s->runs_n;
}
