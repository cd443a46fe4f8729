/* Rows of a chunk in memory: adding, merging, reading. The byte form is in series_codec.c.
 *
 * DESIGN: a device sends the same columns in the same order again and again, so a row is a number of a shape (the
 * list of columns) and its values. A row that comes in time order with the shape of the one before is one comparison
 * of columns and one copy of values. Rows at one time are ordered by (rank, tie, content); a row is kept unless a
 * later one in that order has all its columns. That relation is a strict partial order, so what is kept (its maximal
 * rows) does not depend on the order of arrival. Content decides only between frames whose 32-bit hashes collide. */
#include "series/series_chunk.h"

#include <assert.h>
#include <stdlib.h>

#define EXPECT_ROWS  512 /* an hour of rows each 7 s; more grows as it comes */
#define EXPECT_CELLS (32 * EXPECT_ROWS)

void series_chunk_init(struct series_chunk *c, const struct series_key *key)
{
    *c = (struct series_chunk){.key = *key};
}

static void drop_array(struct series_room *room, void *p, size_t bytes)
{
    if (room)
        series_room_give(room, p, bytes);
    else
        free(p);
}

void series_chunk_fini(struct series_chunk *c)
{
    drop_array(c->room, c->rows, c->cap_rows * sizeof *c->rows);
    drop_array(c->room, c->vals, c->cap_vals * sizeof *c->vals);
    drop_array(c->room, c->shapes, c->cap_shapes * sizeof *c->shapes);
    drop_array(c->room, c->pool, c->cap_pool * sizeof *c->pool);
    *c = (struct series_chunk){.key = c->key};
}

size_t series_chunk_bytes(const struct series_chunk *c)
{
    return (size_t)c->cap_rows * sizeof *c->rows + (size_t)c->cap_vals * sizeof *c->vals +
           (size_t)c->cap_shapes * sizeof *c->shapes + (size_t)c->cap_pool * sizeof *c->pool;
}

static bool clone(void *ret, const void *p, size_t bytes)
{
    void *q = malloc(bytes ? bytes : 1);
    if (!q)
        return false;
    if (bytes)
        memcpy(q, p, bytes);
    memcpy(ret, &q, sizeof q);
    return true;
}

bool series_chunk_copy(const struct series_chunk *c, struct series_chunk *ret)
{
    struct series_chunk n = *c;
    n.rows = NULL, n.vals = NULL, n.shapes = NULL, n.pool = NULL, n.room = NULL;
    n.cap_rows = n.n_rows, n.cap_vals = n.n_vals, n.cap_shapes = n.n_shapes, n.cap_pool = n.n_pool;
    if (!clone(&n.rows, c->rows, c->n_rows * sizeof *c->rows) ||
        !clone(&n.vals, c->vals, c->n_vals * sizeof *c->vals) ||
        !clone(&n.shapes, c->shapes, c->n_shapes * sizeof *c->shapes) ||
        !clone(&n.pool, c->pool, c->n_pool * sizeof *c->pool)) {
        series_chunk_fini(&n);
        return false;
    }
    *ret = n;
    return true;
}

/* Room for `more` items behind n; doubles while small, then grows by half, so that memory stays near the content. */
static bool grow(struct series_room *room, void *array, uint32_t n, uint32_t *cap, uint32_t more, size_t size)
{
    if (n + more <= *cap)
        return true;
    uint32_t want = *cap < 4096 ? 2 * *cap : *cap + *cap / 2;
    if (want < n + more)
        want = n + more;
    if (want < 16)
        want = 16;
    void *old, *p;
    size_t bytes = want * size;
    memcpy(&old, array, sizeof old);
    p = room ? series_room_take(room, &bytes) : realloc(old, bytes);
    if (!p)
        return false;
    if (room && old) {
        memcpy(p, old, n * size);
        series_room_give(room, old, *cap * size);
    }
    memcpy(array, &p, sizeof p);
    *cap = (uint32_t)(bytes / size);
    return true;
}

/* ---- shapes ---- */

static const uint16_t *sorted_of(const struct series_chunk *c, uint32_t shape)
{
    return c->pool + c->shapes[shape].at;
}

static const uint16_t *incoming_of(const struct series_chunk *c, uint32_t shape)
{
    return c->pool + c->shapes[shape].at + c->shapes[shape].n;
}

static const uint16_t *places_of(const struct series_chunk *c, uint32_t shape)
{
    return c->pool + c->shapes[shape].at + 2 * (size_t)c->shapes[shape].n;
}

static uint32_t hash_columns(const struct series_cell *cells, uint32_t n)
{
    uint32_t h = n;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ cells[i].column) * UINT32_C(0x9E3779B1), h ^= h >> 15;
    return h;
}

static bool shape_fits(const struct series_chunk *c, uint32_t shape, const struct series_cell *cells, uint32_t n)
{
    if (c->shapes[shape].n != n)
        return false;
    const uint16_t *in = incoming_of(c, shape);
    uint32_t differ = 0;
    for (uint32_t i = 0; i < n; i++)
        differ |= (uint32_t)(in[i] ^ cells[i].column);
    return differ == 0;
}

static uint32_t shape_find(const struct series_chunk *c, const struct series_cell *cells, uint32_t n)
{
    if (c->n_shapes && shape_fits(c, c->last_shape, cells, n))
        return c->last_shape;
    uint32_t h = hash_columns(cells, n);
    for (uint32_t i = c->n_shapes; i-- > 0;)
        if (c->shapes[i].hash == h && shape_fits(c, i, cells, n))
            return i;
    return UINT32_MAX;
}

/* Sorts by column, stable, so that the last of equal columns stays the last. Rows are short and nearly sorted. */
static void sort_places(const struct series_cell *cells, uint32_t n, uint16_t *ret)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = i;
        for (; j > 0 && cells[ret[j - 1]].column > cells[i].column; j--)
            ret[j] = ret[j - 1];
        ret[j] = (uint16_t)i;
    }
}

/* New shape of cells that have distinct columns; UINT32_MAX: no memory. */
static uint32_t shape_add(struct series_chunk *c, const struct series_cell *cells, uint32_t n)
{
    uint16_t order[SERIES_ROW_CELLS];
    if (!grow(c->room, &c->shapes, c->n_shapes, &c->cap_shapes, 1, sizeof *c->shapes) ||
        !grow(c->room, &c->pool, c->n_pool, &c->cap_pool, 3 * n, sizeof *c->pool))
        return UINT32_MAX;
    sort_places(cells, n, order);
    uint16_t *p = c->pool + c->n_pool;
    for (uint32_t i = 0; i < n; i++) {
        p[i] = cells[order[i]].column;
        p[n + i] = cells[i].column;
        p[2 * n + order[i]] = (uint16_t)i;
    }
    c->shapes[c->n_shapes] = (struct series_shape){hash_columns(cells, n), c->n_pool, n};
    c->n_pool += 3 * n;
    return c->n_shapes++;
}

/* ---- rows ---- */

static bool covers(const struct series_chunk *c, uint32_t more, uint32_t less)
{
    if (more == less)
        return true;
    const uint16_t *m = sorted_of(c, more), *l = sorted_of(c, less);
    uint32_t nm = c->shapes[more].n, nl = c->shapes[less].n, i = 0;
    for (uint32_t j = 0; j < nl; j++) {
        while (i < nm && m[i] < l[j])
            i++;
        if (i == nm || m[i] != l[j])
            return false;
    }
    return true;
}

static int compare_content(const struct series_chunk *c, const struct series_stored *a, const int64_t *va,
                           const struct series_stored *b, const int64_t *vb)
{
    const uint16_t *ca = sorted_of(c, a->shape), *cb = sorted_of(c, b->shape);
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        if (ca[i] != cb[i])
            return ca[i] < cb[i] ? -1 : 1;
        if (va[i] != vb[i])
            return va[i] < vb[i] ? -1 : 1;
    }
    return (a->n > b->n) - (a->n < b->n);
}

static int compare_rows(const struct series_chunk *c, const struct series_stored *a, const int64_t *va,
                        const struct series_stored *b, const int64_t *vb)
{
    if (a->rank_ms != b->rank_ms)
        return a->rank_ms < b->rank_ms ? -1 : 1;
    if (a->tie != b->tie)
        return a->tie < b->tie ? -1 : 1;
    return compare_content(c, a, va, b, vb);
}

static uint32_t lower_bound(const struct series_chunk *c, int64_t at_ms)
{
    uint32_t lo = 0, hi = c->n_rows;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (c->rows[mid].at_ms < at_ms)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Drops values and shapes no row uses. Without memory for it the chunk simply stays larger. */
static void repack(struct series_chunk *c)
{
    struct series_chunk n;
    uint32_t *map = malloc((c->n_shapes + 1) * sizeof *map);
    if (!map || !series_chunk_copy(c, &n)) {
        free(map);
        return;
    }
    memset(map, 0xFF, c->n_shapes * sizeof *map);
    n.n_vals = n.n_shapes = n.n_pool = n.last_shape = 0;
    for (uint32_t i = 0; i < c->n_rows; i++) {
        struct series_stored *r = n.rows + i;
        if (map[r->shape] == UINT32_MAX) {
            struct series_shape s = c->shapes[r->shape];
            memcpy(n.pool + n.n_pool, c->pool + s.at, 3 * s.n * sizeof *n.pool);
            map[r->shape] = n.n_shapes;
            n.shapes[n.n_shapes++] = (struct series_shape){s.hash, n.n_pool, s.n};
            n.n_pool += 3 * s.n;
        }
        memcpy(n.vals + n.n_vals, c->vals + r->off, r->n * sizeof *n.vals);
        r->shape = map[r->shape];
        r->off = n.n_vals;
        n.n_vals += r->n;
    }
    free(map);
    series_chunk_fini(c);
    *c = n;
}

static void repack_if_wasteful(struct series_chunk *c)
{
    if ((c->n_vals > 4096 && c->n_vals / 2 > c->n_cells) || (c->n_shapes > 64 && c->n_shapes / 2 > c->n_rows))
        repack(c);
}

static bool full(const struct series_chunk *c, uint32_t more_cells)
{
    bool hour = c->key.span == SERIES_SPAN_HOUR;
    return c->n_rows >= (hour ? SERIES_HOUR_ROWS : SERIES_DAY_ROWS) ||
           c->n_cells + more_cells > (hour ? SERIES_HOUR_CELLS : SERIES_DAY_CELLS);
}

void series_chunk_expect(struct series_chunk *c, const struct series_chunk *like)
{
    uint32_t rows = like->n_rows < EXPECT_ROWS ? like->n_rows : EXPECT_ROWS;
    uint32_t cells = like->n_cells < EXPECT_CELLS ? like->n_cells : EXPECT_CELLS;
    if (grow(c->room, &c->rows, c->n_rows, &c->cap_rows, rows, sizeof *c->rows))
        grow(c->room, &c->vals, c->n_vals, &c->cap_vals, cells, sizeof *c->vals);
}

static bool reserve(struct series_chunk *c, uint32_t n)
{
    return grow(c->room, &c->rows, c->n_rows, &c->cap_rows, 1, sizeof *c->rows) &&
           grow(c->room, &c->vals, c->n_vals, &c->cap_vals, n, sizeof *c->vals);
}

/* Copies the values to the end of the arena in column order; false when one is LT_FIX_NONE. Room is reserved. */
static bool lay_values(struct series_chunk *c, uint32_t shape, const struct series_cell *cells, uint32_t n)
{
    const uint16_t *place = places_of(c, shape);
    int64_t *to = c->vals + c->n_vals;
    bool none = false;
    for (uint32_t i = 0; i < n; i++) {
        none |= cells[i].value == LT_FIX_NONE;
        to[place[i]] = cells[i].value;
    }
    return !none;
}

/* Sorted, without LT_FIX_NONE, the last of equal columns. */
static uint32_t tidy(const struct series_cell *cells, uint32_t n, struct series_cell *ret)
{
    uint16_t order[SERIES_ROW_CELLS];
    uint32_t m = 0;
    sort_places(cells, n, order);
    for (uint32_t i = 0; i < n; i++) {
        const struct series_cell *x = cells + order[i];
        if (x->value == LT_FIX_NONE)
            continue;
        if (m && ret[m - 1].column == x->column)
            m--;
        ret[m++] = *x;
    }
    return m;
}

/* Takes rows[from .. to) out. Their values stay behind as waste until repack(). */
static void cut_rows(struct series_chunk *c, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        c->n_cells -= c->rows[i].n;
    if (from < to)
        memmove(c->rows + from, c->rows + to, (c->n_rows - to) * sizeof *c->rows);
    c->n_rows -= to - from;
}

/* Row r, whose values lie at the end of the arena, comes in at place i. */
static void insert_row(struct series_chunk *c, uint32_t i, const struct series_stored *r)
{
    memmove(c->rows + i + 1, c->rows + i, (c->n_rows - i) * sizeof *c->rows);
    c->rows[i] = *r;
    c->n_rows++;
    c->n_vals += r->n;
    c->n_cells += r->n;
    c->last_shape = r->shape;
}

static enum series_put merge_row(struct series_chunk *c, const struct series_stored *r, uint32_t first, uint32_t end)
{
    const int64_t *v = c->vals + c->n_vals;
    uint32_t at = first; /* behind all rows that are lower */
    for (uint32_t i = first; i < end; i++) {
        const struct series_stored *x = c->rows + i;
        int cmp = compare_rows(c, x, c->vals + x->off, r, v);
        if (cmp >= 0 && covers(c, x->shape, r->shape))
            return SERIES_PUT_SAME;
        if (cmp < 0)
            at = i + 1;
    }
    uint32_t kept = first;
    for (uint32_t i = first; i < at; i++) {
        if (covers(c, r->shape, c->rows[i].shape))
            c->n_cells -= c->rows[i].n;
        else
            c->rows[kept++] = c->rows[i];
    }
    if (end - first - (at - kept) >= SERIES_ROWS_AT)
        return SERIES_PUT_LIMIT; /* then nothing was covered: kept == at, and nothing moved */
    memmove(c->rows + kept, c->rows + at, (c->n_rows - at) * sizeof *c->rows);
    c->n_rows -= at - kept;
    insert_row(c, kept, r);
    return SERIES_PUT_CHANGED;
}

static enum series_put replace_rows(struct series_chunk *c, const struct series_stored *r, uint32_t first, uint32_t end)
{
    const struct series_stored *x = c->rows + first;
    if (end - first == 1 && compare_rows(c, x, c->vals + x->off, r, c->vals + c->n_vals) == 0)
        return SERIES_PUT_SAME;
    cut_rows(c, first, end);
    insert_row(c, first, r);
    return SERIES_PUT_CHANGED;
}

static uint32_t end_of_time(const struct series_chunk *c, uint32_t first, int64_t at_ms)
{
    uint32_t end = first;
    while (end < c->n_rows && c->rows[end].at_ms == at_ms)
        end++;
    return end;
}

static enum series_put place_row(struct series_chunk *c, const struct series_row *row, uint32_t shape, bool replace)
{
    struct series_stored r = {row->at_ms, row->rank_ms, row->tie, shape, c->n_vals, c->shapes[shape].n};
    if (c->n_rows == 0 || row->at_ms > c->rows[c->n_rows - 1].at_ms) {
        insert_row(c, c->n_rows, &r);
        return SERIES_PUT_CHANGED;
    }
    uint32_t first = lower_bound(c, row->at_ms), end = end_of_time(c, first, row->at_ms);
    enum series_put p = replace ? replace_rows(c, &r, first, end) : merge_row(c, &r, first, end);
    repack_if_wasteful(c);
    return p;
}

/* A row of a new shape, or with cells that do not count. */
static enum series_put put_slow(struct series_chunk *c, const struct series_row *row, bool replace)
{
    struct series_cell cells[SERIES_ROW_CELLS];
    uint32_t n = tidy(row->cells, row->n, cells);
    if (n == 0) {
        uint32_t first = lower_bound(c, row->at_ms), end = end_of_time(c, first, row->at_ms);
        if (!replace || first == end)
            return SERIES_PUT_SAME;
        cut_rows(c, first, end);
        repack_if_wasteful(c);
        return SERIES_PUT_CHANGED;
    }
    const struct series_cell *in = n == row->n ? row->cells : cells; /* nothing dropped: keep the order they came in */
    uint32_t shape = shape_find(c, in, n);
    if (shape == UINT32_MAX)
        shape = shape_add(c, in, n);
    if (shape == UINT32_MAX)
        return SERIES_PUT_NOMEM;
    lay_values(c, shape, in, n);
    return place_row(c, row, shape, replace);
}

enum series_put series_chunk_put(struct series_chunk *c, const struct series_row *row, bool replace)
{
    assert(row->n <= SERIES_ROW_CELLS);
    if (full(c, row->n))
        return SERIES_PUT_LIMIT;
    if (!reserve(c, row->n))
        return SERIES_PUT_NOMEM;
    uint32_t shape = row->n ? shape_find(c, row->cells, row->n) : UINT32_MAX;
    if (shape == UINT32_MAX || !lay_values(c, shape, row->cells, row->n))
        return put_slow(c, row, replace);
    return place_row(c, row, shape, replace);
}

void series_chunk_prefetch(const struct series_chunk *c)
{
    if (c->n_rows == 0)
        return;
    uint32_t cells = c->n_cells / c->n_rows; /* as many as a row of the chunk has in the mean */
    const char *vals = (const char *)(c->vals + c->n_vals), *pool = (const char *)c->pool;
    __builtin_prefetch(&c->rows[c->n_rows - 1]);
    __builtin_prefetch(&c->rows[c->n_rows], 1);
    __builtin_prefetch(&c->shapes[c->last_shape]);
    for (size_t i = 0; i < cells * sizeof *c->vals && i < 1024; i += 64)
        __builtin_prefetch(vals + i, 1);
    for (size_t i = 0; i < 3 * cells * sizeof *c->pool && i < 512; i += 64)
        __builtin_prefetch(pool + i);
}

bool series_chunk_add_all(struct series_chunk *into, const struct series_chunk *from, int64_t (*skip)[2], size_t n)
{
    struct series_cell cells[SERIES_ROW_CELLS];
    for (uint32_t i = 0; i < from->n_rows; i++) {
        const struct series_stored *r = from->rows + i;
        const uint16_t *cols = sorted_of(from, r->shape);
        bool out = false;
        for (size_t j = 0; j < n; j++)
            out |= r->at_ms >= skip[j][0] && r->at_ms < skip[j][1];
        if (out)
            continue;
        for (uint32_t j = 0; j < r->n; j++)
            cells[j] = (struct series_cell){cols[j], from->vals[r->off + j]};
        enum series_put p =
            series_chunk_put(into, &(struct series_row){r->at_ms, r->rank_ms, r->tie, r->n, cells}, false);
        if (p == SERIES_PUT_NOMEM || p == SERIES_PUT_LIMIT)
            return false;
    }
    return true;
}

/* ---- reading ---- */

void series_cells_fini(struct series_cells *m)
{
    free(m->p[0]);
    free(m->p[1]);
    *m = (struct series_cells){0};
}

static bool room(struct series_cells *m, size_t n)
{
    if (n <= m->cap)
        return true;
    size_t cap = n + n / 2 + 64;
    for (int i = 0; i < 2; i++) {
        struct series_cell *p = realloc(m->p[i], cap * sizeof *p);
        if (!p)
            return false;
        m->p[i] = p;
    }
    m->cap = cap;
    return true;
}

/* The n cells of p[0] with those of a lower row added, into p[1]; then the two change places. */
static size_t merge_under(const struct series_chunk *c, const struct series_stored *r, struct series_cells *m, size_t n)
{
    const uint16_t *cols = sorted_of(c, r->shape);
    const int64_t *v = c->vals + r->off;
    struct series_cell *a = m->p[0], *to = m->p[1];
    size_t i = 0, j = 0, k = 0;
    while (i < n || j < r->n) {
        if (j == r->n || (i < n && a[i].column <= cols[j])) {
            j += j < r->n && a[i].column == cols[j];
            to[k++] = a[i++];
        } else {
            to[k++] = (struct series_cell){cols[j], v[j]};
            j++;
        }
    }
    m->p[0] = to;
    m->p[1] = a;
    return k;
}

/* Merges rows[first .. end); false: no memory. */
static bool merge_time(const struct series_chunk *c, uint32_t first, uint32_t end, struct series_cells *m,
                       size_t *ret_n)
{
    size_t most = 0, n = 0;
    for (uint32_t i = first; i < end; i++)
        most += c->rows[i].n;
    if (!room(m, most))
        return false;
    for (uint32_t i = end; i-- > first;)
        n = merge_under(c, c->rows + i, m, n);
    *ret_n = n;
    return true;
}

bool series_chunk_each(const struct series_chunk *c, int64_t from_ms, int64_t to_ms, struct series_cells *m,
                       bool (*each)(void *user, const struct series_row *row), void *user, bool *ret_stop)
{
    *ret_stop = false;
    for (uint32_t i = lower_bound(c, from_ms), end; i < c->n_rows && c->rows[i].at_ms < to_ms; i = end) {
        size_t n;
        end = end_of_time(c, i, c->rows[i].at_ms);
        if (!merge_time(c, i, end, m, &n))
            return false;
        const struct series_stored *top = c->rows + end - 1;
        struct series_row row = {top->at_ms, top->rank_ms, top->tie, (uint32_t)n, m->p[0]};
        if (!each(user, &row)) {
            *ret_stop = true;
            return true;
        }
    }
    return true;
}
