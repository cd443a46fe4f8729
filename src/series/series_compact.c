/* Night work: hour chunks become day chunks, old months of raw kinds go; see series.h. */
#include "base/clock.h"
#include "series/series_priv.h"

#include <assert.h>
#include <stdlib.h>

#define HOURS 25 /* of a day, and a day chunk that stands already */

struct day {
    struct series *s;
    struct series_key key; /* of the day chunk to be */
    struct series_chunk all;
    struct series_codec *codec; /* to decode; that of the series encodes */
    struct series_key source[HOURS];
    size_t n;
    uint64_t cells;
    const char *bad;
    struct series_key bad_key;
    bool memory_failed;
};

struct drops { /* entries to drop after the commit */
    struct series_entry **p;
    size_t n, cap;
    bool damaged; /* a day was passed over */
};

static enum lt_err no_memory(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static bool merge_chunk(void *user, const struct series_key *key, struct lt_slice bytes)
{
    struct day *d = user;
    struct series_chunk stored;
    const struct series_entry *e = series_cache_find(d->s, key);
    const struct series_chunk *c = e ? &e->chunk : &stored;
    if (!e) {
        d->bad = series_chunk_decode(d->codec, bytes, key, NULL, 0, &stored);
        d->bad_key = *key;
    }
    if (d->bad || d->n == HOURS)
        return false;
    d->source[d->n++] = *key;
    d->cells += c->n_cells;
    if (d->cells <= SERIES_COMPACT_CELLS)
        d->memory_failed = !series_chunk_add_all(&d->all, c, NULL, 0);
    if (!e)
        series_chunk_fini(&stored);
    return !d->memory_failed;
}

/* Writes the merged day in the place of its sources. A day with too many cells keeps its hours, which then count as
 * done. */
static enum lt_err write_day(struct day *d, struct lt_error *err)
{
    struct series *s = d->s;
    bool merge = d->cells <= SERIES_COMPACT_CELLS;
    enum lt_err e = LT_OK;
    if (merge) {
        for (size_t i = 0; !e && i < d->n; i++)
            e = s->ops->remove(s->b, &d->source[i], err);
        struct lt_slice bytes = {NULL, 0};
        if (!e && d->all.n_rows) {
            bytes = series_chunk_encode(s->codec, &d->all, SERIES_LEVEL_COMPACT);
            e = bytes.p ? s->ops->put(s->b, &d->key, bytes, false, err) : no_memory(err);
        }
        return e;
    }
    for (size_t i = 0; !e && i < d->n; i++) {
        lt_buf_clear(&s->load);
        e = s->ops->load(s->b, &d->source[i], &s->load, err);
        if (!e)
            e = s->ops->put(s->b, &d->source[i], lt_buf_slice(&s->load), false, err);
    }
    return e;
}

static bool note_drop(struct series *s, const struct series_key *key, struct drops *x)
{
    struct series_entry *e = series_cache_find(s, key);
    if (!e)
        return true;
    if (!lt_grow(&x->p, x->n, &x->cap, sizeof *x->p))
        return false;
    x->p[x->n++] = e;
    return true;
}

/* All entries of the day, also those without rows, which are not stored: else a late row would go to its hour though
 * the day is merged. */
static bool note_drops(struct day *d, struct drops *x)
{
    struct series_key hour = d->key;
    if (d->cells > SERIES_COMPACT_CELLS)
        return true;
    hour.span = SERIES_SPAN_HOUR;
    for (; hour.start_ms < d->key.start_ms + LT_DAY_MS; hour.start_ms += LT_HOUR_MS)
        if (!note_drop(d->s, &hour, x))
            return false;
    return note_drop(d->s, &d->key, x);
}

/* What changed since the writer's last commit is not written, and a day is merged whole: its turn comes another night.
 */
static bool day_held(struct series *s, const struct series_key *day)
{
    struct series_key key = *day;
    const struct series_entry *e = series_cache_find(s, &key);
    bool held = e && series_held(s, e);
    key.span = SERIES_SPAN_HOUR;
    for (; !held && key.start_ms < day->start_ms + LT_DAY_MS; key.start_ms += LT_HOUR_MS)
        held = (e = series_cache_find(s, &key)) && series_held(s, e);
    return held;
}

static enum lt_err compact_day(struct series *s, struct series_codec *codec, const struct series_key *fresh,
                               unsigned *done, struct drops *drops, struct lt_error *err)
{
    int64_t start = lt_day_start(fresh->start_ms, s->tz_min);
    struct day d = {.s = s, .codec = codec, .key = {fresh->device, fresh->kind, SERIES_SPAN_DAY, start}};
    struct series_range range = {fresh->device, fresh->kind, start, start + LT_DAY_MS};
    series_chunk_init(&d.all, &d.key);
    enum lt_err e = s->ops->scan(s->b, &range, merge_chunk, &d, err);
    if (!e && (d.memory_failed || d.bad == series_no_memory))
        e = no_memory(err);
    if (!e && d.bad) {
        series_corrupt(s, &d.bad_key, d.bad, err);
        drops->damaged = true;
    } else if (!e) {
        e = write_day(&d, err);
        if (!e && !note_drops(&d, drops))
            e = no_memory(err);
    }
    series_chunk_fini(&d.all);
    *done += (unsigned)d.n + 1;
    return e;
}

/* A step: days until `most` chunks are merged. */
static enum lt_err step(struct series *s, struct series_codec *codec, int64_t before_ms, unsigned most,
                        struct drops *drops, bool *ret_left, struct lt_error *err)
{
    unsigned done = 0;
    struct series_key key, day = {.start_ms = INT64_MIN};
    enum lt_err e = LT_OK;
    while (!e && done < most) {
        e = s->ops->next_fresh(s->b, &s->compact_at, before_ms, &key, err);
        int64_t start = e ? 0 : lt_day_start(key.start_ms, s->tz_min);
        if (e || start + LT_DAY_MS > before_ms)
            continue;
        bool again = start == day.start_ms && key.device == day.device && key.kind == day.kind;
        day = (struct series_key){key.device, key.kind, SERIES_SPAN_DAY, start};
        if (!again &&
            !day_held(
                s, &day)) /* the other hours of a day in this very batch are not gone yet in the eyes of next_fresh */
            e = compact_day(s, codec, &key, &done, drops, err);
    }
    *ret_left = e != LT_E_NOT_FOUND;
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

static enum lt_err compact(struct series *s, int64_t before_ms, unsigned most, bool *ret_left, struct lt_error *err)
{
    struct drops drops = {0};
    struct series_codec *codec = series_codec_create();
    struct series_place was = s->compact_at;
    if (!codec)
        return no_memory(err);
    enum lt_err e =
        series_cache_write(s, before_ms, err); /* so that every chunk of those days is seen in the backend */
    if (!e)
        e = step(s, codec, before_ms, most ? most : 1, &drops, ret_left, err);
    series_codec_destroy(&codec);
    if (e)
        s->ops->rollback(s->b);
    else
        e = s->ops->commit(s->b, err);
    for (size_t i = 0; !e && i < drops.n; i++)
        series_cache_drop(s, drops.p[i]);
    free(drops.p);
    if (e)
        s->compact_at = was;
    return !e && drops.damaged ? LT_E_CORRUPT : e; /* a damaged day does not stop the night */
}

enum lt_err series_compact(struct series *s, int64_t before_ms, unsigned most, bool *ret_left, struct lt_error *err)
{
    bool left = true;
    assert(s->magic == SERIES_MAGIC && !s->readonly);
    pthread_mutex_lock(&s->write);
    if (s->compact_before_ms != before_ms)
        s->compact_at = (struct series_place){0};
    s->compact_before_ms = before_ms;
    enum lt_err e = compact(s, before_ms, most, &left, err);
    if (!left)
        s->compact_at = (struct series_place){0};
    pthread_mutex_unlock(&s->write);
    *ret_left = left;
    return e;
}

struct expired {
    struct series *s;
    int64_t before_ms;
    struct series_entry **p;
    size_t n;
};

static void note_expired(void *user, struct series_entry *e)
{
    struct expired *x = user;
    const struct series_key *k = &e->chunk.key;
    int64_t month = lt_month_start(k->start_ms, x->s->tz_min);
    if (series_kind_raw(k->kind) && series_span_end(SERIES_SPAN_MONTH, month, x->s->tz_min) <= x->before_ms)
        x->p[x->n++] = e;
}

enum lt_err series_expire(struct series *s, int64_t before_ms, uint64_t *ret_removed, struct lt_error *err)
{
    assert(s->magic == SERIES_MAGIC && !s->readonly);
    pthread_mutex_lock(&s->write);
    struct expired x = {s, before_ms, malloc((s->entries + 1) * sizeof *x.p), 0};
    enum lt_err e = x.p ? LT_OK : no_memory(err);
    if (!e) {
        series_cache_walk(s, note_expired, &x);
        for (size_t i = 0; i < x.n; i++)
            series_cache_drop(s, x.p[i]);
        e = s->ops->expire(s->b, before_ms, ret_removed, err);
    }
    free(x.p);
    pthread_mutex_unlock(&s->write);
    return e;
}
