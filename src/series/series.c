/* The write-back cache of open chunks and the public writing calls; see series.h.
 *
 * DESIGN: the holder of series.write is the only one to change anything. Entries and chunks are changed under their
 * shard's lock, so that readers may copy a chunk under it; the writer reads without it. A chunk is encoded only when it
 * is written out. An entry leaves the cache only when its content is committed: who does not find a chunk here finds it
 * in the backend. Over the limit, cold chunks go first; see make_room(). */
#include "base/clock.h"
#include "series/series_priv.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define LT_CHECKED_MEMORY 1
#elif defined(__has_feature)
#define LT_CHECKED_MEMORY __has_feature(address_sanitizer)
#else
#define LT_CHECKED_MEMORY 0
#endif
#define CACHE_DEFAULT ((size_t)512 << 20)
#define AT_LAST_MS    INT64_C(253370764800000) /* start of 9999: file names have four digits for the year */

static enum lt_err no_memory(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

enum lt_err series_corrupt(const struct series *s, const struct series_key *key, const char *why, struct lt_error *err)
{
    char name[160];
    if (why == series_no_memory)
        return no_memory(err);
    series_key_text(key, s->tz_min, name, sizeof name);
    return lt_fail(err, LT_E_CORRUPT, NULL, name, why, NULL);
}

/* ---- table of entries ---- */

static uint64_t hash(const struct series_key *k)
{
    uint64_t h = (uint64_t)k->start_ms / 1000 + ((uint64_t)k->device << 34) + ((uint64_t)k->kind << 61);
    h = (h ^ k->span) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

static bool same(const struct series_key *a, const struct series_key *b)
{
    return a->start_ms == b->start_ms && a->device == b->device && a->kind == b->kind && a->span == b->span;
}

static struct series_shard *shard_of(struct series *s, uint64_t h)
{
    return s->shard + h % SERIES_SHARDS;
}

static struct series_entry **slot_of(const struct series_shard *x, uint64_t h)
{
    return x->slot + (h / SERIES_SHARDS) % x->n_slots;
}

struct series_entry *series_cache_find(struct series *s, const struct series_key *key)
{
    uint64_t h = hash(key);
    struct series_entry *e = *slot_of(shard_of(s, h), h);
    while (e && !same(&e->chunk.key, key))
        e = e->next;
    return e;
}

bool series_cache_copy(struct series *s, const struct series_key *key, struct series_chunk *ret, bool *ret_found)
{
    uint64_t h = hash(key);
    struct series_shard *x = shard_of(s, h);
    pthread_mutex_lock(&x->lock);
    struct series_entry *e = series_cache_find(s, key);
    bool good = !e || series_chunk_copy(&e->chunk, ret);
    pthread_mutex_unlock(&x->lock);
    *ret_found = e != NULL;
    return good;
}

bool series_held(const struct series *s, const struct series_entry *e)
{
    return s->commits && e->held == s->commits;
}

static void hold(struct series *s, struct series_entry *e)
{
    if (s->commits && !series_held(s, e)) {
        e->held = s->commits;
        s->held_bytes += e->bytes;
    }
}

static void let_go(struct series *s, struct series_entry *e)
{
    s->held_bytes -= series_held(s, e) ? e->bytes : 0;
    e->held = 0;
}

void series_committed(struct series *s)
{
    pthread_mutex_lock(&s->write);
    s->commits++;
    s->held_bytes = 0;
    pthread_mutex_unlock(&s->write);
}

/* What counts against the limit. */
static size_t used(const struct series *s)
{
    return s->bytes - (s->held_bytes < s->limit ? s->held_bytes : s->limit);
}

static void count_bytes(struct series *s, struct series_entry *e)
{
    size_t now = sizeof *e + series_chunk_bytes(&e->chunk);
    if (now != e->bytes)
        __atomic_store_n(&s->bytes, s->bytes + now - e->bytes, __ATOMIC_RELAXED);
    if (series_held(s, e))
        s->held_bytes += now - e->bytes;
    e->bytes = now;
}

/* Doubles the slots of a full shard; without memory the chains just get longer. */
static void widen(struct series_shard *x)
{
    struct series_shard n = {.n_slots = 2 * x->n_slots, .slot = calloc(2 * x->n_slots, sizeof *x->slot)};
    if (!n.slot)
        return;
    for (size_t i = 0; i < x->n_slots; i++)
        for (struct series_entry *e = x->slot[i], *next; e; e = next) {
            struct series_entry **to = slot_of(&n, hash(&e->chunk.key));
            next = e->next;
            e->next = *to;
            *to = e;
        }
    free(x->slot);
    x->slot = n.slot;
    x->n_slots = n.n_slots;
}

static void insert(struct series *s, struct series_entry *e)
{
    uint64_t h = hash(&e->chunk.key);
    struct series_shard *x = shard_of(s, h);
    pthread_mutex_lock(&x->lock);
    if (x->n >= x->n_slots)
        widen(x);
    struct series_entry **to = slot_of(x, h);
    e->next = *to;
    *to = e;
    x->n++;
    pthread_mutex_unlock(&x->lock);
    s->entries++;
    count_bytes(s, e);
}

void series_cache_drop(struct series *s, struct series_entry *e)
{
    uint64_t h = hash(&e->chunk.key);
    struct series_shard *x = shard_of(s, h);
    pthread_mutex_lock(&x->lock);
    struct series_entry **at = slot_of(x, h);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    x->n--;
    pthread_mutex_unlock(&x->lock);
    s->entries--;
    let_go(s, e);
    __atomic_store_n(&s->bytes, s->bytes - e->bytes, __ATOMIC_RELAXED);
    series_chunk_fini(&e->chunk);
    free(e);
}

void series_cache_walk(struct series *s, void (*each)(void *user, struct series_entry *e), void *user)
{
    for (int i = 0; i < SERIES_SHARDS; i++)
        for (size_t j = 0; j < s->shard[i].n_slots; j++)
            for (struct series_entry *e = s->shard[i].slot[j]; e; e = e->next)
                each(user, e);
}

size_t series_cache_bytes(struct series *s)
{
    return __atomic_load_n(&s->bytes, __ATOMIC_RELAXED);
}

/* ---- writing out ---- */

struct picked {
    const struct series *s;
    struct series_entry **p;
    size_t n;
    bool dirty_only, held_too;
    int64_t before_ms; /* start of the chunk */
};

static void pick(void *user, struct series_entry *e)
{
    struct picked *x = user;
    if ((e->dirty || !x->dirty_only) && (x->held_too || !series_held(x->s, e)) && e->chunk.key.start_ms < x->before_ms)
        x->p[x->n++] = e;
}

static bool pick_all(struct series *s, bool dirty_only, bool held_too, int64_t before_ms, struct picked *ret)
{
    *ret = (struct picked){s, malloc((s->entries + 1) * sizeof *ret->p), 0, dirty_only, held_too, before_ms};
    if (ret->p)
        series_cache_walk(s, pick, ret);
    return ret->p != NULL;
}

/* Order of the files, so that the B-tree is written from left to right. */
static int by_place(const void *a, const void *b)
{
    const struct series_key *x = &(*(struct series_entry *const *)a)->chunk.key,
                            *y = &(*(struct series_entry *const *)b)->chunk.key;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

static int by_touch(const void *a, const void *b)
{
    uint64_t x = (*(struct series_entry *const *)a)->touch, y = (*(struct series_entry *const *)b)->touch;
    return (x > y) - (x < y);
}

bool series_may_be_stored(const struct series *s, enum series_kind kind, int64_t from_ms, int64_t to_ms)
{
    return s->readonly || (from_ms < __atomic_load_n(&s->stored_to_ms[kind], __ATOMIC_ACQUIRE) &&
                           to_ms > __atomic_load_n(&s->stored_from_ms[kind], __ATOMIC_ACQUIRE));
}

/* Before the chunk is stored, and it leaves the cache later still: who misses it there finds it in these months. */
static void note_stored(struct series *s, const struct series_key *key)
{
    int64_t from = lt_month_start(key->start_ms, s->tz_min), to = series_span_end(SERIES_SPAN_MONTH, from, s->tz_min);
    if (from < s->stored_from_ms[key->kind])
        __atomic_store_n(&s->stored_from_ms[key->kind], from, __ATOMIC_RELEASE);
    if (to > s->stored_to_ms[key->kind])
        __atomic_store_n(&s->stored_to_ms[key->kind], to, __ATOMIC_RELEASE);
}

static enum lt_err write_chunk(struct series *s, const struct series_chunk *c, struct lt_error *err)
{
    if (c->n_rows == 0)
        return s->ops->remove(s->b, &c->key, err);
    struct lt_slice bytes = series_chunk_encode(s->codec, c, SERIES_LEVEL);
    note_stored(s, &c->key);
    return bytes.p ? s->ops->put(s->b, &c->key, bytes, series_is_fresh(&c->key), err) : no_memory(err);
}

/* Writes and commits the dirty ones among p; on failure all stay dirty. */
static enum lt_err write_out(struct series *s, struct series_entry **p, size_t n, struct lt_error *err)
{
    enum lt_err e = series_dict_save(&s->dict, s->ops, s->b, err);
    qsort(p, n, sizeof *p, by_place);
    for (size_t i = 0; !e && i < n; i++)
        if (p[i]->dirty)
            e = write_chunk(s, &p[i]->chunk, err);
    if (!e)
        e = s->ops->commit(s->b, err);
    else
        s->ops->rollback(s->b);
    for (size_t i = 0; !e && i < n; i++) {
        p[i]->dirty = false;
        let_go(s, p[i]);
    }
    return e;
}

enum lt_err series_cache_write(struct series *s, int64_t before_ms, struct lt_error *err)
{
    struct picked x;
    if (!pick_all(s, true, false, before_ms, &x))
        return no_memory(err);
    enum lt_err e = write_out(s, x.p, x.n, err);
    free(x.p);
    return e;
}

/* Drops clean ones among p (coldest first) until at most `target` bytes are held. */
static void drop_clean(struct series *s, struct series_entry **p, size_t n, size_t target)
{
    for (size_t i = 0; i < n && used(s) > target; i++)
        if (p[i] && !p[i]->dirty) {
            series_cache_drop(s, p[i]);
            p[i] = NULL;
        }
}

/* Writes out the coldest until enough could be dropped to reach the target. */
static enum lt_err write_cold(struct series *s, struct series_entry **p, size_t n, size_t target, struct lt_error *err)
{
    size_t gain = 0, m = 0;
    struct series_entry **cold = malloc((n + 1) * sizeof *cold);
    if (!cold)
        return no_memory(err);
    for (size_t i = 0; i < n && used(s) > target + gain; i++)
        if (p[i]) {
            gain += p[i]->bytes;
            cold[m++] = p[i];
        }
    enum lt_err e = write_out(s, cold, m, err);
    free(cold);
    return e;
}

/* Down to 7/8 of the limit, so that the walk over all entries is paid by many rows: first clean chunks of the colder
 * half, then the coldest whatever they are. When they cannot be written, clean ones of the warm half go too; only if
 * that is not enough either is it an error. Held ones go when they alone are over the limit. */
static enum lt_err make_room(struct series *s, struct lt_error *err)
{
    struct picked x;
    size_t target = s->limit / 8 * 7;
    if (used(s) <= s->limit)
        return LT_OK;
    if (!pick_all(s, false, s->held_bytes > s->limit, INT64_MAX, &x))
        return no_memory(err);
    qsort(x.p, x.n, sizeof *x.p, by_touch);
    drop_clean(s, x.p, x.n / 2, target);
    enum lt_err e = used(s) > target ? write_cold(s, x.p, x.n, target, err) : LT_OK;
    drop_clean(s, x.p, x.n, target);
    free(x.p);
    return used(s) > s->limit ? e : LT_OK;
}

/* ---- putting ---- */

/* LT_E_NOT_FOUND when the backend has no such chunk. */
static enum lt_err load(struct series *s, const struct series_key *key, struct series_chunk *ret, struct lt_error *err)
{
    if (!series_may_be_stored(s, (enum series_kind)key->kind, key->start_ms, key->start_ms + 1))
        return LT_E_NOT_FOUND;
    lt_buf_clear(&s->load);
    enum lt_err e = s->ops->load(s->b, key, &s->load, err);
    if (e)
        return e;
    const char *bad = series_chunk_decode(s->codec, lt_buf_slice(&s->load), key, NULL, 0, ret);
    return bad ? series_corrupt(s, key, bad, err) : LT_OK;
}

static enum lt_err add_entry(struct series *s, struct series_chunk *c, struct series_entry **ret, struct lt_error *err)
{
    struct series_entry *e = calloc(1, sizeof *e);
    if (!e) {
        series_chunk_fini(c);
        return no_memory(err);
    }
    e->chunk = *c;
    insert(s, e);
    *ret = e;
    return LT_OK;
}

/* The chunk that holds at_ms: the open one, or the day it was merged into, or a new one. */
static enum lt_err entry_of(struct series *s, uint32_t device, enum series_kind kind, int64_t at_ms,
                            struct series_entry **ret, struct lt_error *err)
{
    enum series_span span = series_kind_span(kind);
    struct series_key key = {device, (uint8_t)kind, (uint8_t)span, series_span_start(span, at_ms, s->tz_min)};
    if ((*ret = series_cache_find(s, &key)))
        return LT_OK;
    struct series_chunk c;
    enum lt_err e = LT_E_NOT_FOUND;
    if (span == SERIES_SPAN_HOUR) {
        struct series_key day = {device, (uint8_t)kind, SERIES_SPAN_DAY, lt_day_start(at_ms, s->tz_min)};
        if ((*ret = series_cache_find(s, &day)))
            return LT_OK;
        e = load(s, &day, &c, err);
    }
    if (e == LT_E_NOT_FOUND)
        e = load(s, &key, &c, err);
    if (e == LT_E_NOT_FOUND) {
        struct series_key before = key;
        series_chunk_init(&c, &key);
        c.room = s->room;
        before.start_ms = series_span_start(span, key.start_ms - 1, s->tz_min);
        const struct series_entry *x = series_cache_find(s, &before);
        if (x)
            series_chunk_expect(&c, &x->chunk);
        e = LT_OK;
    }
    if (!e)
        e = add_entry(s, &c, ret, err);
    return e;
}

static enum lt_err check_row(struct series *s, enum series_kind kind, const struct series_row *row,
                             struct lt_error *err)
{
    uint32_t known = __atomic_load_n(&s->dict.n, __ATOMIC_ACQUIRE), least = UINT32_MAX, most = 0;
    if (s->readonly)
        return lt_fail(err, LT_E_UNSUPPORTED, "series", "writing to a read-only series", NULL, NULL);
    if (row->n > SERIES_ROW_CELLS)
        return lt_fail(err, LT_E_LIMIT, "series", "cells of a row", "256", NULL);
    if (row->at_ms < 0 || row->at_ms >= AT_LAST_MS || (unsigned)kind >= SERIES_KINDS)
        return lt_fail(err, LT_E_FIELD_RANGE, "at", "at", "1970", "9998");
    for (uint32_t i = 0; i < row->n; i++) {
        least = row->cells[i].column < least ? row->cells[i].column : least;
        most = row->cells[i].column > most ? row->cells[i].column : most;
    }
    if (row->n && (least == 0 || most > known))
        return lt_failf(err, LT_E_BAD_INPUT, "column", "no column %u", least == 0 ? 0 : most);
    return LT_OK;
}

static void note_time(struct series *s, enum series_kind kind, int64_t at_ms)
{
    if (at_ms < s->first_ms[kind])
        __atomic_store_n(&s->first_ms[kind], at_ms, __ATOMIC_RELEASE);
    if (at_ms > s->last_ms[kind])
        __atomic_store_n(&s->last_ms[kind], at_ms, __ATOMIC_RELEASE);
}

static enum lt_err put_in(struct series *s, struct series_entry *x, const struct series_row *row, bool replace,
                          bool *ret_changed, struct lt_error *err)
{
    struct series_shard *shard = shard_of(s, hash(&x->chunk.key));
    pthread_mutex_lock(&shard->lock);
    enum series_put p = series_chunk_put(&x->chunk, row, replace);
    pthread_mutex_unlock(&shard->lock);
    count_bytes(s, x);
    x->touch = ++s->touch;
    if (p == SERIES_PUT_NOMEM)
        return no_memory(err);
    if (p == SERIES_PUT_LIMIT)
        return lt_fail(err, LT_E_LIMIT, "series", "rows of an hour", "16384", NULL);
    if (p == SERIES_PUT_CHANGED) {
        x->dirty = true;
        hold(s, x);
    }
    if (ret_changed)
        *ret_changed = p == SERIES_PUT_CHANGED;
    return LT_OK;
}

static enum lt_err put(struct series *s, uint32_t device, enum series_kind kind, const struct series_row *row,
                       bool replace, bool *ret_changed, struct lt_error *err)
{
    struct series_entry *x;
    assert(s->magic == SERIES_MAGIC);
    enum lt_err e = check_row(s, kind, row, err);
    if (e)
        return e;
    pthread_mutex_lock(&s->write);
    if (used(s) > s->limit)
        e = make_room(s, err);
    if (!e) {
        note_time(s, kind, row->at_ms);
        e = entry_of(s, device, kind, row->at_ms, &x, err);
    }
    if (!e)
        e = put_in(s, x, row, replace, ret_changed, err);
    pthread_mutex_unlock(&s->write);
    return e;
}

/* Three rounds over all: slot, entry, content. Within a round the misses of the cache overlap. */
void series_expect(struct series *s, const struct series_expected *rows, size_t n)
{
    struct series_key key[SERIES_EXPECT_MAX];
    struct series_entry **slot[SERIES_EXPECT_MAX], *e;
    n = n < SERIES_EXPECT_MAX ? n : SERIES_EXPECT_MAX;
    for (size_t i = 0; i < n; i++) {
        enum series_span span = series_kind_span(rows[i].kind);
        key[i] = (struct series_key){rows[i].device, (uint8_t)rows[i].kind, (uint8_t)span,
                                     series_span_start(span, rows[i].at_ms, s->tz_min)};
    }
    pthread_mutex_lock(&s->write); /* entries stay where they are */
    for (size_t i = 0; i < n; i++) {
        uint64_t h = hash(&key[i]);
        struct series_shard *x = shard_of(s, h);
        __builtin_prefetch(slot[i] = slot_of(x, h));
        __builtin_prefetch(&x->lock, 1);
    }
    for (size_t i = 0; i < n; i++)
        if ((e = *slot[i])) {
            __builtin_prefetch(e, 1);
            __builtin_prefetch((const char *)e + 64, 1);
            __builtin_prefetch((const char *)e + 128, 1);
        }
    for (size_t i = 0; i < n; i++)
        if ((e = *slot[i]) && same(&e->chunk.key, &key[i]))
            series_chunk_prefetch(&e->chunk);
    pthread_mutex_unlock(&s->write);
}

enum lt_err series_put(struct series *s, uint32_t device, enum series_kind kind, const struct series_row *row,
                       bool *ret_changed, struct lt_error *err)
{
    return put(s, device, kind, row, false, ret_changed, err);
}

enum lt_err series_replace(struct series *s, uint32_t device, enum series_kind kind, const struct series_row *row,
                           bool *ret_changed, struct lt_error *err)
{
    return put(s, device, kind, row, true, ret_changed, err);
}

enum lt_err series_flush(struct series *s, struct lt_error *err)
{
    assert(s->magic == SERIES_MAGIC);
    pthread_mutex_lock(&s->write);
    enum lt_err e = s->readonly ? LT_OK : series_cache_write(s, INT64_MAX, err);
    pthread_mutex_unlock(&s->write);
    return e;
}

static bool forgettable(const struct series_key *k, int64_t before_ms, int tz_min)
{
    bool kept = k->kind == SERIES_HOUR || k->kind == SERIES_DAY;
    return before_ms == INT64_MAX ||
           (!kept && series_span_end((enum series_span)k->span, k->start_ms, tz_min) <= before_ms);
}

void series_forget(struct series *s, int64_t before_ms)
{
    struct picked x;
    pthread_mutex_lock(&s->write);
    if (pick_all(s, false, true, INT64_MAX, &x)) { /* without memory they stay, and are written like any other */
        for (size_t i = 0; i < x.n; i++)
            if (forgettable(&x.p[i]->chunk.key, before_ms, s->tz_min))
                series_cache_drop(s, x.p[i]);
        free(x.p);
    }
    pthread_mutex_unlock(&s->write);
}

/* ---- columns ---- */

uint16_t series_column(struct series *s, struct lt_slice factor, unsigned field)
{
    struct series_column_entry c = {.field = (uint8_t)field};
    if (factor.n >= sizeof c.factor || field > UINT8_MAX || (factor.n && memchr(factor.p, 0, factor.n)))
        return 0;
    if (factor.n)
        memcpy(c.factor, factor.p, factor.n);
    uint32_t n = series_dict_find(&s->dict, &c);
    if (!n && !s->readonly)
        n = series_dict_add(&s->dict, &c);
    if (!n && s->readonly && series_dict_refresh(&s->dict, s->ops, s->b, NULL) == LT_OK)
        n = series_dict_find(&s->dict, &c);
    return (uint16_t)n;
}

bool series_column_name(struct series *s, uint16_t column, char ret_factor[17], unsigned *ret_field)
{
    struct series_column_entry c;
    bool known = series_dict_name(&s->dict, column, &c);
    if (!known && s->readonly && series_dict_refresh(&s->dict, s->ops, s->b, NULL) == LT_OK)
        known = series_dict_name(&s->dict, column, &c);
    if (known) {
        memcpy(ret_factor, c.factor, sizeof c.factor);
        *ret_field = c.field;
    }
    return known;
}

/* ---- opening and closing ---- */

static void destroy(struct series *s)
{
    for (int i = 0; i < SERIES_SHARDS; i++) {
        struct series_shard *x = s->shard + i;
        for (size_t j = 0; x->slot && j < x->n_slots; j++)
            for (struct series_entry *e = x->slot[j], *next; e; e = next) {
                next = e->next;
                series_chunk_fini(&e->chunk);
                free(e);
            }
        free(x->slot);
        pthread_mutex_destroy(&x->lock);
    }
    s->ops->close(s->b);
    series_codec_destroy(&s->codec);
    series_room_destroy(&s->room);
    series_dict_fini(&s->dict);
    lt_buf_fini(&s->load);
    pthread_mutex_destroy(&s->write);
    s->magic = 0;
    free(s);
}

enum lt_err series_open_backend(const struct series_config *cfg, const struct series_backend *ops, void *b,
                                bool readonly, struct series **ret, struct lt_error *err)
{
    struct series *s = calloc(1, sizeof *s);
    if (!s) {
        ops->close(b);
        return no_memory(err);
    }
    *s = (struct series){.magic = SERIES_MAGIC,
                         .tz_min = cfg->tz_min,
                         .readonly = readonly,
                         .limit = cfg->cache_bytes ? cfg->cache_bytes : CACHE_DEFAULT,
                         .ops = ops,
                         .b = b,
                         .load = LT_BUF_INIT(SERIES_RAW_BYTES)};
    pthread_mutex_init(&s->write, NULL);
#if !LT_CHECKED_MEMORY
    s->room = readonly ? NULL : series_room_create(); /* without, malloc does */
#endif
    bool good = true;
    for (int i = 0; i < SERIES_SHARDS; i++) {
        s->shard[i].n_slots = 64;
        s->shard[i].slot = calloc(64, sizeof *s->shard[i].slot);
        pthread_mutex_init(&s->shard[i].lock, NULL);
        good &= s->shard[i].slot != NULL;
    }
    for (int i = 0; i < SERIES_KINDS; i++) {
        s->first_ms[i] = INT64_MAX, s->last_ms[i] = INT64_MIN;
        bool any = !readonly && ops->months(b, (enum series_kind)i, &s->stored_from_ms[i], &s->stored_to_ms[i]);
        if (any)
            s->stored_to_ms[i] = series_span_end(SERIES_SPAN_MONTH, s->stored_to_ms[i], s->tz_min);
        else
            s->stored_from_ms[i] = INT64_MAX, s->stored_to_ms[i] = INT64_MIN;
    }
    enum lt_err e = series_dict_init(&s->dict, err);
    s->codec = series_codec_create();
    if (!e && (!s->codec || !good))
        e = no_memory(err);
    if (!e)
        e = series_dict_refresh(&s->dict, ops, b, err);
    s->dict.saved = s->dict.n;
    if (e)
        destroy(s);
    else
        *ret = s;
    return e;
}

enum lt_err series_open(const struct series_config *cfg, struct series **ret, struct lt_error *err)
{
    void *b;
    enum lt_err e = series_file_open(cfg->dir, cfg->tz_min, false, &b, err);
    return e ? e : series_open_backend(cfg, &series_file_backend, b, false, ret, err);
}

enum lt_err series_open_readonly(const char *dir, int tz_min, struct series **ret, struct lt_error *err)
{
    void *b;
    struct series_config cfg = {.dir = dir, .tz_min = tz_min};
    enum lt_err e = series_file_open(dir, tz_min, true, &b, err);
    return e ? e : series_open_backend(&cfg, &series_file_backend, b, true, ret, err);
}

void series_close(struct series **s)
{
    struct lt_error ignored; /* nobody is left to be told; what was not flushed is in the journal */
    if (!*s)
        return;
    assert((*s)->magic == SERIES_MAGIC);
    if (series_flush(*s, &ignored) != LT_OK)
        (*s)->ops->rollback((*s)->b);
    destroy(*s);
    *s = NULL;
}

uint64_t series_disk_bytes(struct series *s)
{
    return s->ops->bytes(s->b);
}
