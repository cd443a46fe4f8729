/* Reading: merged rows of a device and kind in order of time, from the cache and the backend; see series.h.
 *
 * DESIGN: time is walked in windows (a day of hour chunks, a month of day chunks). For each, chunks in the cache are
 * copied first, then the stored ones are fetched, and where a chunk was in the cache it stands for that stretch of
 * time. As chunks leave the cache only after their commit, what was not in the cache is in the backend by then. No lock
 * is held while rows are given to the caller. */
#include "base/clock.h"
#include "series/series_priv.h"

#include <assert.h>
#include <stdlib.h>

#define PIECES 64 /* of a window: 24 hours and a day, or 31 days, and as many from the backend */

struct piece {
    struct series_key key;
    size_t at, n; /* bytes, when stored */
};

struct reading {
    struct series *s;
    struct series_codec *codec;
    struct series_cells cells;
    struct lt_buf bytes;
    const uint16_t *want;
    size_t n_want;
    bool (*each)(void *user, const struct series_row *row);
    void *user;
    int64_t from_ms, to_ms; /* of the window */
    size_t n_stored, n_cached;
    bool memory_failed;
    struct series_cell *filtered;
    size_t cap_filtered;
    struct piece stored[PIECES]; /* from here on: not zeroed */
    struct series_chunk cached[PIECES];
    int64_t covered[PIECES][2]; /* stretches of the cached */
};

static enum lt_err no_memory(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static bool copy_cached(struct reading *r, const struct series_key *key)
{
    bool found = false;
    assert(r->n_cached < PIECES);
    if (!series_cache_copy(r->s, key, &r->cached[r->n_cached], &found))
        return false;
    if (found) {
        r->covered[r->n_cached][0] = key->start_ms;
        r->covered[r->n_cached][1] = series_span_end(key->span, key->start_ms, r->s->tz_min);
        r->n_cached++;
    }
    return true;
}

/* Copies what the cache holds of the window. *ret_complete: nothing else can be in the backend. */
static bool copy_window(struct reading *r, uint32_t device, enum series_kind kind, bool *ret_complete)
{
    enum series_span span = series_kind_span(kind);
    int tz = r->s->tz_min;
    size_t asked = 0;
    struct series_key key = {device, (uint8_t)kind, SERIES_SPAN_DAY, lt_day_start(r->from_ms, tz)};
    *ret_complete = false;
    if (r->s->readonly)
        return true;
    if (span == SERIES_SPAN_HOUR && !copy_cached(r, &key))
        return false;
    bool day = r->n_cached == 1;
    key.span = (uint8_t)span;
    for (int64_t at = series_span_start(span, r->from_ms, tz); at < r->to_ms; at = series_span_end(span, at, tz)) {
        key.start_ms = at;
        asked++;
        if (!copy_cached(r, &key))
            return false;
    }
    *ret_complete = day || r->n_cached == asked;
    return true;
}

static bool note_stored(void *user, const struct series_key *key, struct lt_slice bytes)
{
    struct reading *r = user;
    int64_t end = series_span_end(key->span, key->start_ms, r->s->tz_min);
    if (end <= r->from_ms || key->start_ms >= r->to_ms)
        return true;
    for (size_t i = 0; i < r->n_cached; i++)
        if (key->start_ms >= r->covered[i][0] && end <= r->covered[i][1])
            return true;
    if (r->n_stored == PIECES)
        return false;
    r->stored[r->n_stored++] = (struct piece){*key, r->bytes.n, bytes.n};
    lt_buf_add(&r->bytes, bytes.p, bytes.n);
    return true;
}

static bool filter(void *user, const struct series_row *row)
{
    struct reading *r = user;
    if (!r->want)
        return r->each(r->user, row);
    if (row->n > r->cap_filtered) { /* merged rows are never wider than the columns wanted */
        struct series_cell *p = realloc(r->filtered, row->n * sizeof *p);
        if (!p) {
            r->memory_failed = true;
            return false;
        }
        r->filtered = p;
        r->cap_filtered = row->n;
    }
    struct series_row out = {.at_ms = row->at_ms, .cells = r->filtered};
    for (size_t i = 0, w = 0; i < row->n && w < r->n_want;) {
        if (row->cells[i].column == r->want[w])
            r->filtered[out.n++] = row->cells[i++], w++;
        else if (row->cells[i].column < r->want[w])
            i++;
        else
            w++;
    }
    return out.n == 0 || r->each(r->user, &out);
}

static enum lt_err give(struct reading *r, const struct series_chunk *c, int64_t from, int64_t to, bool *stop,
                        struct lt_error *err)
{
    if (*stop)
        return LT_OK;
    bool good = series_chunk_each(c, from, to, &r->cells, filter, r, stop);
    return good && !r->memory_failed ? LT_OK : no_memory(err);
}

static enum lt_err decode(struct reading *r, const struct piece *p, struct series_chunk *ret, struct lt_error *err)
{
    if (!r->codec)
        r->codec = series_codec_create();
    if (!r->codec)
        return no_memory(err);
    const char *bad =
        series_chunk_decode(r->codec, (struct lt_slice){r->bytes.p + p->at, p->n}, &p->key, r->want, r->n_want, ret);
    return bad ? series_corrupt(r->s, &p->key, bad, err) : LT_OK;
}

/* Everything of the window in one chunk: needed only when a day chunk and hour chunks stand beside each other, which
 * a reader sees when compaction runs between his look at the cache and that at the files. */
static enum lt_err give_united(struct reading *r, const struct series_key *key, int64_t from, int64_t to, bool *stop,
                               struct lt_error *err)
{
    struct series_chunk all, one;
    enum lt_err e = LT_OK;
    series_chunk_init(&all, key);
    all.key.span = SERIES_SPAN_DAY;
    for (size_t i = 0; !e && i < r->n_cached; i++)
        if (!series_chunk_add_all(&all, &r->cached[i], NULL, 0))
            e = no_memory(err);
    for (size_t i = 0; !e && i < r->n_stored; i++) {
        e = decode(r, &r->stored[i], &one, err);
        if (e)
            break;
        if (!series_chunk_add_all(&all, &one, r->covered, r->n_cached))
            e = no_memory(err);
        series_chunk_fini(&one);
    }
    if (!e)
        e = give(r, &all, from, to, stop, err);
    series_chunk_fini(&all);
    return e;
}

static bool mixed(const struct reading *r)
{
    unsigned spans = 0;
    for (size_t i = 0; i < r->n_cached; i++)
        spans |= 1u << r->cached[i].key.span;
    for (size_t i = 0; i < r->n_stored; i++)
        spans |= 1u << r->stored[i].key.span;
    return (spans & (spans - 1)) != 0;
}

/* All of one span, so disjoint: one after the other in order of start. */
static enum lt_err give_in_turn(struct reading *r, int64_t from, int64_t to, bool *stop, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    size_t i = 0, j = 0;
    while (!e && !*stop && (i < r->n_cached || j < r->n_stored)) {
        if (j == r->n_stored || (i < r->n_cached && r->cached[i].key.start_ms < r->stored[j].key.start_ms)) {
            e = give(r, &r->cached[i++], from, to, stop, err);
            continue;
        }
        struct series_chunk c;
        e = decode(r, &r->stored[j++], &c, err);
        if (e)
            break;
        e = give(r, &c, from, to, stop, err);
        series_chunk_fini(&c);
    }
    return e;
}

static enum lt_err read_window(struct reading *r, uint32_t device, enum series_kind kind, int64_t from, int64_t to,
                               bool *stop, struct lt_error *err)
{
    enum series_span span = series_kind_span(kind), wide = span == SERIES_SPAN_HOUR ? SERIES_SPAN_DAY : span;
    struct series_range range = {device, (uint8_t)kind, series_span_start(wide, from, r->s->tz_min), to};
    struct series_key key = {device, (uint8_t)kind, SERIES_SPAN_DAY, range.from_ms};
    bool complete;
    r->n_stored = r->n_cached = 0;
    r->from_ms = from;
    r->to_ms = to;
    lt_buf_clear(&r->bytes);
    enum lt_err e = copy_window(r, device, kind, &complete) ? LT_OK : no_memory(err);
    if (!e && !complete && series_may_be_stored(r->s, kind, range.from_ms, range.to_ms))
        e = r->s->ops->scan(r->s->b, &range, note_stored, r, err);
    if (!e && r->bytes.failed)
        e = no_memory(err);
    if (!e)
        e = mixed(r) ? give_united(r, &key, from, to, stop, err) : give_in_turn(r, from, to, stop, err);
    for (size_t i = 0; i < r->n_cached; i++)
        series_chunk_fini(&r->cached[i]);
    return e;
}

/* No need to look where nothing can be: keeps a reader who asks for all time from walking it. */
static bool narrow(struct series *s, enum series_kind kind, int64_t *from, int64_t *to)
{
    int64_t first = __atomic_load_n(&s->first_ms[kind], __ATOMIC_ACQUIRE), m0, m1;
    int64_t last = __atomic_load_n(&s->last_ms[kind], __ATOMIC_ACQUIRE), end = last == INT64_MIN ? last : last + 1;
    if (s->ops->months(s->b, kind, &m0, &m1)) {
        m1 = series_span_end(SERIES_SPAN_MONTH, m1, s->tz_min);
        first = m0 < first ? m0 : first;
        end = m1 > end ? m1 : end;
    }
    *from = *from < first ? first : *from;
    *to = *to > end ? end : *to;
    return *from < *to;
}

static enum lt_err read_all(struct reading *r, uint32_t device, enum series_kind kind, int64_t from, int64_t to,
                            struct lt_error *err)
{
    bool stop = false;
    enum lt_err e = LT_OK;
    enum series_span window = series_kind_span(kind) == SERIES_SPAN_HOUR ? SERIES_SPAN_DAY : SERIES_SPAN_MONTH;
    if (from >= to || ((from < 0 || to - from > 32 * LT_DAY_MS) && !narrow(r->s, kind, &from, &to)))
        return LT_OK;
    while (!e && !stop && from < to) {
        int64_t start = series_span_start(window, from, r->s->tz_min);
        int64_t end = series_span_end(window, start, r->s->tz_min);
        e = read_window(r, device, kind, from, end < to ? end : to, &stop, err);
        from = end;
    }
    return e;
}

enum lt_err series_read_columns(struct series *s, uint32_t device, enum series_kind kind, int64_t from_ms,
                                int64_t to_ms, const uint16_t *columns, size_t n_columns,
                                bool (*each)(void *user, const struct series_row *row), void *user,
                                struct lt_error *err)
{
    assert(s->magic == SERIES_MAGIC);
    struct reading *r = malloc(sizeof *r);
    if (!r)
        return no_memory(err);
    memset(r, 0, offsetof(struct reading, stored)); /* the lists are long and mostly stay empty */
    r->s = s;
    r->want = columns;
    r->n_want = n_columns;
    r->each = each;
    r->user = user;
    r->bytes = LT_BUF_INIT(SERIES_RAW_BYTES);
    enum lt_err e = read_all(r, device, kind, from_ms, to_ms, err);
    series_codec_destroy(&r->codec);
    series_cells_fini(&r->cells);
    lt_buf_fini(&r->bytes);
    free(r->filtered);
    free(r);
    return e;
}

enum lt_err series_read(struct series *s, uint32_t device, enum series_kind kind, int64_t from_ms, int64_t to_ms,
                        bool (*each)(void *user, const struct series_row *row), void *user, struct lt_error *err)
{
    return series_read_columns(s, device, kind, from_ms, to_ms, NULL, 0, each, user, err);
}

struct exact {
    struct series_cell *ret;
    size_t cap, n;
    bool found;
};

static bool take(void *user, const struct series_row *row)
{
    struct exact *x = user;
    x->found = true;
    x->n = row->n;
    if (row->n <= x->cap)
        memcpy(x->ret, row->cells, row->n * sizeof *x->ret);
    return false;
}

enum lt_err series_at(struct series *s, uint32_t device, enum series_kind kind, int64_t at_ms, struct series_cell *ret,
                      size_t cap, size_t *ret_n, struct lt_error *err)
{
    struct exact x = {ret, cap, 0, false};
    enum lt_err e = series_read(s, device, kind, at_ms, at_ms + 1, take, &x, err);
    if (e)
        return e;
    if (!x.found)
        return lt_fail(err, LT_E_NOT_FOUND, "series", "series value", NULL, NULL);
    if (x.n > cap)
        return lt_failf(err, LT_E_LIMIT, "series", "cells of a merged row");
    *ret_n = x.n;
    return LT_OK;
}
