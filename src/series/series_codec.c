/* The byte form of a chunk, docs/FORMATS-series.md. Columns are stored apart, as deltas of integers in the
 * column's own decimal scale, then zstd with its checksum over everything.
 *
 * Decoding trusts nothing: every count is bounded before memory is taken, every read is checked against the end. */
#include "base/clock.h"
#include "base/varint.h"
#include "series/series_chunk.h"

#include <stdlib.h>
#include <zstd.h>

#define MAGIC         0xC7
#define VERSION       1
#define SCALE_MAX     18 /* 10^18 is the largest power of ten in 63 bits */
#define SCALE_BITS    0x1F
#define RUNS          0x20 /* values as runs (delta, length - 1) */
#define PRESENT_SHIFT 6
#define COLUMNS       65536

enum { PRESENT_ALL, PRESENT_BITS, PRESENT_LIST };
enum { ALL_ZERO, GIVEN };

const char series_no_memory[] = "no memory";

struct span { /* a column while encoding (its cells) or decoding (its bytes and cells) */
    const uint8_t *p, *end;
    uint32_t n, first; /* cells; the first of them in row_of[] and value[] */
    uint16_t column;
    uint8_t mode;
};

struct series_codec {
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
    struct lt_buf head, body, packed;
    struct span *columns; /* COLUMNS entries */
    uint16_t *index_of;   /* column -> entry of columns, COLUMNS entries; valid for those in use */
    uint32_t *row_of;     /* of each cell, column after column */
    int64_t *value;
    uint32_t *use; /* rows of each shape; cells of each row */
    uint16_t *order;
    size_t cap_cells, cap_use, cap_order;
};

void series_codec_destroy(struct series_codec **k)
{
    if (!*k)
        return;
    ZSTD_freeCCtx((*k)->c);
    ZSTD_freeDCtx((*k)->d);
    lt_buf_fini(&(*k)->head);
    lt_buf_fini(&(*k)->body);
    lt_buf_fini(&(*k)->packed);
    free((*k)->columns);
    free((*k)->index_of);
    free((*k)->row_of);
    free((*k)->value);
    free((*k)->use);
    free((*k)->order);
    free(*k);
    *k = NULL;
}

struct series_codec *series_codec_create(void)
{
    struct series_codec *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->head.limit = k->body.limit = SERIES_RAW_BYTES;
    k->packed.limit = SERIES_RAW_BYTES + SERIES_RAW_BYTES / 64;
    k->columns = malloc(COLUMNS * sizeof *k->columns); /* touched only as far as used */
    k->index_of = malloc(COLUMNS * sizeof *k->index_of);
    if (!k->columns || !k->index_of)
        series_codec_destroy(&k);
    return k;
}

static bool room(void *array, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap)
        return true;
    void *p;
    memcpy(&p, array, sizeof p);
    size_t want = n + n / 2 + 64;
    p = realloc(p, want * size);
    if (!p)
        return false;
    memcpy(array, &p, sizeof p);
    *cap = want;
    return true;
}

static bool room_cells(struct series_codec *k, size_t n)
{
    size_t cap = k->cap_cells;
    if (!room(&k->row_of, &cap, n, sizeof *k->row_of))
        return false;
    return room(&k->value, &k->cap_cells, n, sizeof *k->value);
}

/* ---- numbers ---- */

static int64_t power_of_ten(unsigned e)
{
    int64_t v = 1;
    while (e-- > 0)
        v *= 10;
    return v;
}

/* Exact division by 10^e without dividing: v / 2^e is a shift, / 5^e a multiplication by its inverse modulo 2^64. The
 * product is the quotient exactly when it lies in the range a quotient can have. */
struct scale {
    uint64_t inverse; /* of 5^e */
    int64_t limit;    /* INT64_MAX / 10^e */
    unsigned e;
};

static struct scale scale_of(unsigned e)
{
    uint64_t five = 1, inverse = 1;
    for (unsigned i = 0; i < e; i++)
        five *= 5;
    for (int i = 0; i < 6; i++) /* Newton: each step doubles the right bits */
        inverse *= 2 - five * inverse;
    return (struct scale){inverse, INT64_MAX / power_of_ten(e), e};
}

static bool divide(const struct scale *s, int64_t v, int64_t *ret)
{
    uint64_t q = (uint64_t)(v >> s->e) * s->inverse;
    *ret = (int64_t)q;
    return ((uint64_t)v & ((UINT64_C(1) << s->e) - 1)) == 0 && *ret <= s->limit && *ret >= -s->limit;
}

/* The largest power of ten that divides all n values; 0 when all are zero. */
static struct scale find_scale(const int64_t *v, uint32_t n)
{
    uint32_t i = 0;
    unsigned e = 0;
    while (i < n && v[i] == 0)
        i++;
    if (i < n)
        for (int64_t x = v[i]; x % 10 == 0 && e < SCALE_MAX; x /= 10)
            e++;
    struct scale s = scale_of(e);
    int64_t q;
    for (; i < n; i++)
        while (s.e && !divide(&s, v[i], &q))
            s = scale_of(s.e - 1);
    return s;
}

/* ---- encoding ---- */

static void add_varint(struct lt_buf *b, uint64_t v)
{
    uint8_t tmp[LT_VARINT_MAX];
    lt_buf_add(b, tmp, (size_t)(lt_varint_put(tmp, v) - tmp));
}

static void encode_times(struct lt_buf *b, const struct series_chunk *c)
{
    uint64_t last = (uint64_t)c->key.start_ms, delta = 0;
    uint8_t *p = (uint8_t *)lt_buf_reserve(b, (size_t)c->n_rows * LT_VARINT_MAX), *from = p;
    if (!p)
        return;
    for (uint32_t i = 0; i < c->n_rows; i++) {
        uint64_t d = (uint64_t)c->rows[i].at_ms - last;
        p = lt_varint_put(p, lt_zigzag(d - delta));
        last = (uint64_t)c->rows[i].at_ms;
        delta = d;
    }
    b->n += (size_t)(p - from);
}

static void encode_ranks(struct lt_buf *b, const struct series_chunk *c)
{
    bool given = false;
    uint64_t last = 0;
    for (uint32_t i = 0; i < c->n_rows; i++)
        given |= c->rows[i].rank_ms != 0;
    lt_buf_addc(b, given ? GIVEN : ALL_ZERO);
    uint8_t *p = (uint8_t *)lt_buf_reserve(b, (size_t)c->n_rows * LT_VARINT_MAX), *from = p;
    if (!given || !p)
        return;
    for (uint32_t i = 0; i < c->n_rows; i++) {
        uint64_t d = (uint64_t)c->rows[i].rank_ms - (uint64_t)c->rows[i].at_ms;
        p = lt_varint_put(p, lt_zigzag(d - last));
        last = d;
    }
    b->n += (size_t)(p - from);
}

static void encode_ties(struct lt_buf *b, const struct series_chunk *c)
{
    bool given = false;
    for (uint32_t i = 0; i < c->n_rows; i++)
        given |= c->rows[i].tie != 0;
    lt_buf_addc(b, given ? GIVEN : ALL_ZERO);
    for (uint32_t i = 0; given && i < c->n_rows; i++) {
        uint32_t t = c->rows[i].tie;
        uint8_t le[4] = {(uint8_t)t, (uint8_t)(t >> 8), (uint8_t)(t >> 16), (uint8_t)(t >> 24)};
        lt_buf_add(b, le, 4);
    }
}

/* Sorts the cells by column: entries of k->columns, their cells in k->row_of and k->value. False: no memory. */
static bool gather(struct series_codec *k, const struct series_chunk *c, uint32_t *ret_columns)
{
    uint64_t seen[COLUMNS / 64] = {0};
    if (!room(&k->use, &k->cap_use, c->n_shapes + (size_t)1, sizeof *k->use) || !room_cells(k, c->n_cells))
        return false;
    memset(k->use, 0, c->n_shapes * sizeof *k->use);
    for (uint32_t i = 0; i < c->n_rows; i++)
        k->use[c->rows[i].shape]++;
    for (uint32_t s = 0; s < c->n_shapes; s++)
        for (uint32_t j = 0; k->use[s] && j < c->shapes[s].n; j++)
            seen[c->pool[c->shapes[s].at + j] / 64] |= UINT64_C(1) << (c->pool[c->shapes[s].at + j] % 64);
    uint32_t n = 0;
    for (uint32_t w = 0; w < COLUMNS / 64; w++)
        for (uint64_t bits = seen[w]; bits; bits &= bits - 1, n++) {
            uint16_t column = (uint16_t)(w * 64 + (uint32_t)__builtin_ctzll(bits));
            k->columns[n] = (struct span){.column = column};
            k->index_of[column] = (uint16_t)n;
        }
    for (uint32_t s = 0; s < c->n_shapes; s++)
        for (uint32_t j = 0; k->use[s] && j < c->shapes[s].n; j++)
            k->columns[k->index_of[c->pool[c->shapes[s].at + j]]].n += k->use[s];
    for (uint32_t i = 0, at = 0; i < n; i++) {
        k->columns[i].first = at;
        at += k->columns[i].n;
        k->columns[i].n = 0;
    }
    for (uint32_t i = 0; i < c->n_rows; i++) {
        const struct series_stored *r = c->rows + i;
        const uint16_t *cols = c->pool + c->shapes[r->shape].at;
        for (uint32_t j = 0; j < r->n; j++) {
            struct span *x = k->columns + k->index_of[cols[j]];
            uint32_t at = x->first + x->n++;
            k->row_of[at] = i;
            k->value[at] = c->vals[r->off + j];
        }
    }
    *ret_columns = n;
    return true;
}

static void encode_presence(struct lt_buf *b, const uint32_t *row_of, uint32_t n, uint32_t n_rows, uint8_t mode)
{
    if (mode == PRESENT_ALL)
        return;
    if (mode == PRESENT_LIST) {
        add_varint(b, n);
        for (uint32_t i = 0; i < n; i++)
            add_varint(b, i ? row_of[i] - row_of[i - 1] - 1 : row_of[0]);
        return;
    }
    uint32_t bytes = (n_rows + 7) / 8;
    uint8_t *p = (uint8_t *)lt_buf_reserve(b, bytes);
    if (!p)
        return;
    memset(p, 0, bytes);
    for (uint32_t i = 0; i < n; i++)
        p[row_of[i] / 8] |= (uint8_t)(1u << (row_of[i] % 8));
    b->n += bytes;
}

static void encode_values(struct lt_buf *b, const int64_t *v, uint32_t n, const struct scale *s, bool runs)
{
    uint8_t *p = (uint8_t *)lt_buf_reserve(b, (size_t)n * 2 * LT_VARINT_MAX), *from = p;
    uint64_t last = 0;
    if (!p)
        return;
    for (uint32_t i = 0, run; i < n; i += run) {
        int64_t q;
        divide(s, v[i], &q);
        p = lt_varint_put(p, lt_zigzag((uint64_t)q - last));
        last = (uint64_t)q;
        for (run = 1; runs && i + run < n && v[i + run] == v[i];)
            run++;
        if (runs)
            p = lt_varint_put(p, run - 1);
    }
    b->n += (size_t)(p - from);
}

static void encode_column(struct series_codec *k, const struct span *x, uint32_t n_rows)
{
    const int64_t *v = k->value + x->first;
    uint32_t runs = 1;
    for (uint32_t i = 1; i < x->n; i++)
        runs += v[i] != v[i - 1];
    struct scale s = find_scale(v, x->n);
    bool by_run = runs <= x->n / 4;
    uint8_t mode = x->n == n_rows ? PRESENT_ALL : x->n < n_rows / 16 ? PRESENT_LIST : PRESENT_BITS;
    lt_buf_addc(&k->body, (char)(s.e | (by_run ? RUNS : 0) | (unsigned)mode << PRESENT_SHIFT));
    encode_presence(&k->body, k->row_of + x->first, x->n, n_rows, mode);
    encode_values(&k->body, v, x->n, &s, by_run);
}

struct lt_slice series_chunk_encode_raw(struct series_codec *k, const struct series_chunk *c)
{
    uint32_t columns = 0;
    lt_buf_clear(&k->head);
    lt_buf_clear(&k->body);
    if (!gather(k, c, &columns))
        return (struct lt_slice){NULL, 0};
    add_varint(&k->head, c->key.device);
    add_varint(&k->head, c->key.kind);
    add_varint(&k->head, c->key.span);
    add_varint(&k->head, lt_zigzag((uint64_t)c->key.start_ms));
    add_varint(&k->head, c->n_rows);
    add_varint(&k->head, columns);
    encode_times(&k->head, c);
    encode_ranks(&k->head, c);
    encode_ties(&k->head, c);
    uint32_t last = 0;
    for (uint32_t i = 0; i < columns; i++) {
        size_t from = k->body.n;
        encode_column(k, k->columns + i, c->n_rows);
        add_varint(&k->head, k->columns[i].column - last);
        add_varint(&k->head, k->body.n - from);
        last = k->columns[i].column;
    }
    lt_buf_add(&k->head, k->body.p, k->body.n);
    return k->head.failed || k->body.failed ? (struct lt_slice){NULL, 0} : lt_buf_slice(&k->head);
}

struct lt_slice series_chunk_encode(struct series_codec *k, const struct series_chunk *c, int level)
{
    const struct lt_slice none = {NULL, 0};
    struct lt_slice raw = series_chunk_encode_raw(k, c);
    if (!k->c)
        k->c = ZSTD_createCCtx();
    lt_buf_clear(&k->packed);
    lt_buf_addc(&k->packed, (char)MAGIC);
    lt_buf_addc(&k->packed, VERSION);
    char *to = lt_buf_reserve(&k->packed, ZSTD_compressBound(raw.n));
    if (!raw.p || !k->c || !to)
        return none;
    ZSTD_CCtx_setParameter(k->c, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(k->c, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(k->c, to, ZSTD_compressBound(raw.n), raw.p, raw.n);
    if (ZSTD_isError(n))
        return none;
    k->packed.n += n;
    return lt_buf_slice(&k->packed);
}

/* ---- decoding ---- */

struct reading {
    struct series_codec *k;
    const uint8_t *p, *end;
    struct series_chunk *c;
    uint32_t n_columns, n_cells;
    bool all; /* every column has every row */
};

static int64_t span_ms(unsigned span)
{
    return span == SERIES_SPAN_HOUR ? LT_HOUR_MS : span == SERIES_SPAN_DAY ? LT_DAY_MS : 31 * LT_DAY_MS;
}

static const char *read_head(struct reading *r, const struct series_key *key)
{
    uint64_t device, kind, span, start, rows, columns;
    if (!lt_varint_get(&r->p, r->end, &device) || !lt_varint_get(&r->p, r->end, &kind) ||
        !lt_varint_get(&r->p, r->end, &span) || !lt_varint_get(&r->p, r->end, &start) ||
        !lt_varint_get(&r->p, r->end, &rows) || !lt_varint_get(&r->p, r->end, &columns))
        return "head is cut short";
    if (device != key->device || kind != key->kind || span != key->span || (int64_t)lt_unzigzag(start) != key->start_ms)
        return "chunk of another place";
    size_t left = (size_t)(r->end - r->p);
    if (rows > SERIES_DAY_ROWS || rows > left || columns >= COLUMNS || columns > left)
        return "counts are too large";
    r->c->n_rows = (uint32_t)rows;
    r->n_columns = (uint32_t)columns;
    r->c->rows = calloc(rows ? rows : 1, sizeof *r->c->rows);
    r->c->cap_rows = r->c->n_rows;
    return r->c->rows ? NULL : series_no_memory;
}

static const char *read_times(struct reading *r)
{
    uint64_t at = (uint64_t)r->c->key.start_ms, delta = 0, z;
    int64_t start = r->c->key.start_ms, span = span_ms(r->c->key.span), last = start;
    for (uint32_t i = 0; i < r->c->n_rows; i++) {
        if (!lt_varint_get(&r->p, r->end, &z))
            return "times are cut short";
        delta += lt_unzigzag(z);
        at += delta;
        int64_t t = (int64_t)at;
        if (t < last || t - start >= span)
            return "time outside the chunk or out of order";
        r->c->rows[i].at_ms = last = t;
    }
    return NULL;
}

static const char *read_ranks(struct reading *r)
{
    uint64_t last = 0, z;
    if (r->p == r->end || *r->p > GIVEN)
        return "ranks are missing";
    if (*r->p++ == ALL_ZERO)
        return NULL;
    for (uint32_t i = 0; i < r->c->n_rows; i++) {
        if (!lt_varint_get(&r->p, r->end, &z))
            return "ranks are cut short";
        last += lt_unzigzag(z);
        r->c->rows[i].rank_ms = (int64_t)((uint64_t)r->c->rows[i].at_ms + last);
    }
    return NULL;
}

static const char *read_ties(struct reading *r)
{
    if (r->p == r->end || *r->p > GIVEN)
        return "ties are missing";
    if (*r->p++ == ALL_ZERO)
        return NULL;
    if ((size_t)(r->end - r->p) / 4 < r->c->n_rows)
        return "ties are cut short";
    for (uint32_t i = 0; i < r->c->n_rows; i++, r->p += 4)
        r->c->rows[i].tie =
            (uint32_t)r->p[0] | (uint32_t)r->p[1] << 8 | (uint32_t)r->p[2] << 16 | (uint32_t)r->p[3] << 24;
    return NULL;
}

/* Reads the directory; leaves in k->columns only the columns wanted. */
static const char *read_directory(struct reading *r, const uint16_t *want, size_t n_want)
{
    uint64_t column = 0, step, bytes, total = 0;
    size_t w = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->n_columns; i++) {
        if (!lt_varint_get(&r->p, r->end, &step) || !lt_varint_get(&r->p, r->end, &bytes))
            return "directory is cut short";
        if ((i && !step) || step >= COLUMNS || column + step >= COLUMNS || bytes > SERIES_RAW_BYTES || !bytes)
            return "directory is out of order";
        column += step;
        while (w < n_want && want[w] < column)
            w++;
        if (!want || (w < n_want && want[w] == column))
            r->k->columns[kept++] =
                (struct span){.first = (uint32_t)total, .n = (uint32_t)bytes, .column = (uint16_t)column};
        total += bytes;
        if (total > SERIES_RAW_BYTES)
            return "directory is longer than the chunk";
    }
    if (total != (size_t)(r->end - r->p))
        return "directory and columns differ in length";
    for (uint32_t i = 0; i < kept; i++) {
        struct span *x = r->k->columns + i;
        x->p = r->p + x->first;
        x->end = x->p + x->n;
    }
    r->n_columns = kept;
    return NULL;
}

/* Numbers the rows that have the column; out may be NULL (count only). False: bytes are bad. */
static bool read_presence(struct span *x, uint32_t n_rows, uint32_t *out)
{
    const uint8_t *p = x->p + 1;
    uint64_t n = 0, step, row = 0;
    if (*x->p >> PRESENT_SHIFT == PRESENT_BITS) {
        if ((size_t)(x->end - p) < (n_rows + 7) / 8)
            return false;
        if (n_rows % 8 && p[n_rows / 8] >> (n_rows % 8))
            return false;
        for (uint32_t i = 0; i < (n_rows + 7) / 8; i++)
            for (unsigned bits = p[i]; bits; bits &= bits - 1, n++)
                if (out)
                    out[n] = i * 8 + (uint32_t)__builtin_ctz(bits);
        p += (n_rows + 7) / 8;
    } else if (*x->p >> PRESENT_SHIFT == PRESENT_LIST) {
        if (!lt_varint_get(&p, x->end, &n) || n > n_rows)
            return false;
        for (uint32_t i = 0; i < n; i++, row++) {
            if (!lt_varint_get(&p, x->end, &step) || step >= n_rows || (row += step) >= n_rows)
                return false;
            if (out)
                out[i] = (uint32_t)row;
        }
    } else if (*x->p >> PRESENT_SHIFT == PRESENT_ALL) {
        n = n_rows;
        for (uint32_t i = 0; out && i < n_rows; i++)
            out[i] = i;
    } else {
        return false;
    }
    if (!n)
        return false;
    x->n = (uint32_t)n;
    if (out) { /* second pass: what follows are the values */
        x->mode = *x->p;
        x->p = p;
    }
    return true;
}

static const char *read_presences(struct reading *r)
{
    uint64_t cells = 0;
    for (uint32_t i = 0; i < r->n_columns; i++) {
        struct span *x = r->k->columns + i;
        if ((*x->p & SCALE_BITS) > SCALE_MAX || !read_presence(x, r->c->n_rows, NULL))
            return "column head is bad";
        x->first = (uint32_t)cells;
        cells += x->n;
        if (cells > SERIES_DAY_CELLS)
            return "too many cells";
    }
    r->n_cells = (uint32_t)cells;
    r->all = cells == (uint64_t)r->c->n_rows * r->n_columns;
    if (!room_cells(r->k, cells))
        return series_no_memory;
    for (uint32_t i = 0; i < r->n_columns; i++)
        read_presence(r->k->columns + i, r->c->n_rows, r->k->row_of + r->k->columns[i].first);
    return NULL;
}

static const char *read_values(struct series_codec *k, const struct span *x)
{
    const uint8_t *p = x->p;
    int64_t unit = power_of_ten(x->mode & SCALE_BITS), *v = k->value + x->first;
    uint64_t last = 0, z, run = 0;
    for (uint32_t i = 0; i < x->n;) {
        if (!lt_varint_get(&p, x->end, &z) || ((x->mode & RUNS) && !lt_varint_get(&p, x->end, &run)))
            return "values are cut short";
        last += lt_unzigzag(z);
        int64_t whole;
        if (__builtin_mul_overflow((int64_t)last, unit, &whole) || whole == LT_FIX_NONE || run >= x->n - i)
            return "value out of range";
        for (uint64_t j = 0; j <= run; j++)
            v[i++] = whole;
    }
    return p == x->end ? NULL : "bytes behind the values";
}

static bool pool_add(struct series_chunk *c, const uint16_t *cols, uint32_t n)
{
    size_t cap = c->cap_pool, cap_shapes = c->cap_shapes;
    if (!room(&c->pool, &cap, c->n_pool + 3 * (size_t)n, sizeof *c->pool) ||
        !room(&c->shapes, &cap_shapes, c->n_shapes + (size_t)1, sizeof *c->shapes))
        return false;
    c->cap_pool = (uint32_t)cap;
    c->cap_shapes = (uint32_t)cap_shapes;
    uint16_t *to = c->pool + c->n_pool;
    uint32_t h = n; /* as hash_columns() in series_chunk.c */
    for (uint32_t i = 0; i < n; i++) {
        to[i] = to[n + i] = cols[i];
        to[2 * n + i] = (uint16_t)i;
        h = (h ^ cols[i]) * UINT32_C(0x9E3779B1), h ^= h >> 15;
    }
    c->shapes[c->n_shapes++] = (struct series_shape){h, c->n_pool, n};
    c->n_pool += 3 * n;
    return true;
}

static bool same_shape(const struct series_chunk *c, uint32_t shape, const uint16_t *cols, uint32_t n)
{
    return c->shapes[shape].n == n && memcmp(c->pool + c->shapes[shape].at, cols, n * sizeof *cols) == 0;
}

/* The last few shapes are looked through; a shape standing twice does no harm. */
static uint32_t intern(struct series_chunk *c, const uint16_t *cols, uint32_t n)
{
    for (uint32_t i = c->n_shapes, tries = 0; i-- > 0 && tries < 32; tries++)
        if (same_shape(c, i, cols, n))
            return i;
    return pool_add(c, cols, n) ? c->n_shapes - 1 : UINT32_MAX;
}

/* From columns to rows. */
static const char *turn(struct reading *r, bool all_columns)
{
    struct series_chunk *c = r->c;
    struct series_codec *k = r->k;
    c->vals = malloc((r->n_cells ? r->n_cells : 1) * sizeof *c->vals);
    if (!c->vals || !room(&k->order, &k->cap_order, r->n_cells, sizeof *k->order))
        return series_no_memory;
    c->cap_vals = c->n_vals = c->n_cells = r->n_cells;
    for (uint32_t i = 0; i < r->n_columns; i++)
        for (uint32_t j = 0; j < k->columns[i].n; j++)
            c->rows[k->row_of[k->columns[i].first + j]].n++;
    for (uint32_t i = 0, at = 0; i < c->n_rows; i++) {
        if (c->rows[i].n > SERIES_ROW_CELLS || (all_columns && !c->rows[i].n))
            return "row has no or too many cells";
        c->rows[i].off = at;
        at += c->rows[i].n;
        c->rows[i].n = 0;
    }
    for (uint32_t i = 0; i < r->n_columns; i++) {
        const struct span *x = k->columns + i;
        for (uint32_t j = 0; j < x->n; j++) {
            struct series_stored *row = c->rows + k->row_of[x->first + j];
            k->order[row->off + row->n] = x->column;
            c->vals[row->off + row->n++] = k->value[x->first + j];
        }
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->n_rows; i++) {
        struct series_stored row = c->rows[i];
        if (!row.n)
            continue;
        row.shape = r->all && c->n_shapes ? 0 : intern(c, k->order + row.off, row.n);
        if (row.shape == UINT32_MAX)
            return series_no_memory;
        c->rows[kept++] = row;
    }
    c->n_rows = kept;
    return NULL;
}

static const char *check_order(const struct series_chunk *c)
{
    for (uint32_t i = 1; i < c->n_rows; i++) {
        const struct series_stored *a = c->rows + i - 1, *b = c->rows + i;
        if (a->at_ms == b->at_ms && (a->rank_ms > b->rank_ms || (a->rank_ms == b->rank_ms && a->tie > b->tie)))
            return "rows of one time out of order";
    }
    return NULL;
}

const char *series_chunk_decode_raw(struct series_codec *k, struct lt_slice raw, const struct series_key *key,
                                    const uint16_t *want, size_t n_want, struct series_chunk *ret)
{
    series_chunk_init(ret, key);
    const uint8_t *bytes = (const uint8_t *)raw.p;
    struct reading r = {.k = k, .p = bytes, .end = bytes + raw.n, .c = ret};
    const char *bad = read_head(&r, key);
    bad = bad ? bad : read_times(&r);
    bad = bad ? bad : read_ranks(&r);
    bad = bad ? bad : read_ties(&r);
    bad = bad ? bad : read_directory(&r, want, n_want);
    bad = bad ? bad : read_presences(&r);
    for (uint32_t i = 0; !bad && i < r.n_columns; i++)
        bad = read_values(k, k->columns + i);
    bad = bad ? bad : turn(&r, !want);
    bad = bad ? bad : check_order(ret);
    if (bad)
        series_chunk_fini(ret);
    return bad;
}

const char *series_chunk_decode(struct series_codec *k, struct lt_slice bytes, const struct series_key *key,
                                const uint16_t *want, size_t n_want, struct series_chunk *ret)
{
    series_chunk_init(ret, key);
    const uint8_t *p = (const uint8_t *)bytes.p;
    /* 2 bytes of ours, 4 of zstd's magic, then its descriptor: bit 2 says that a checksum stands at the end */
    if (bytes.n < 7 || p[0] != MAGIC)
        return "no chunk";
    if (p[1] != VERSION)
        return "version is unknown";
    if (!(p[6] & 4))
        return "checksum is missing";
    unsigned long long n = ZSTD_getFrameContentSize(p + 2, bytes.n - 2);
    if (n == ZSTD_CONTENTSIZE_ERROR || n == ZSTD_CONTENTSIZE_UNKNOWN || n > SERIES_RAW_BYTES)
        return "length is wrong";
    if (!k->d)
        k->d = ZSTD_createDCtx();
    lt_buf_clear(&k->head);
    char *to = lt_buf_reserve(&k->head, n + 1);
    if (!k->d || !to)
        return series_no_memory;
    size_t got = ZSTD_decompressDCtx(k->d, to, n, p + 2, bytes.n - 2);
    if (ZSTD_isError(got) || got != n)
        return "compressed bytes or checksum are wrong";
    return series_chunk_decode_raw(k, (struct lt_slice){to, n}, key, want, n_want, ret);
}
