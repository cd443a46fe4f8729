/* What the tests of the series share: random rows, and a naive model that says what must be read. */
#ifndef LT_SERIES_TEST_H
#define LT_SERIES_TEST_H
#include "base/clock.h"
#include "base/rand.h"
#include "series/series_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define T0      INT64_C(1795536000000) /* 2026-11-25 00:00 at +08:00 */
#define CELLS   12                     /* most cells of a test row */
#define COLUMNS 20

struct test_row {
    uint32_t device;
    enum series_kind kind;
    struct series_row row;
    struct series_cell cells[CELLS];
};

struct model { /* every row put, nothing merged */
    struct test_row *p;
    size_t n, cap;
};

static inline void model_fini(struct model *m)
{
    free(m->p);
    *m = (struct model){0};
}

/* Cells as they count: sorted, no LT_FIX_NONE, the last of equal columns. */
static inline uint32_t model_tidy(const struct series_cell *cells, uint32_t n, struct series_cell *ret)
{
    uint32_t m = 0;
    for (uint32_t c = 0; c <= UINT16_MAX && m < CELLS; c = c < 64 ? c + 1 : UINT32_MAX)
        for (uint32_t i = n; i-- > 0;)
            if (cells[i].column == c && cells[i].value != LT_FIX_NONE) {
                ret[m++] = cells[i];
                break;
            }
    return m;
}

static inline int model_compare(const struct series_row *a, const struct series_row *b)
{
    if (a->rank_ms != b->rank_ms)
        return a->rank_ms < b->rank_ms ? -1 : 1;
    if (a->tie != b->tie)
        return a->tie < b->tie ? -1 : 1;
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        if (a->cells[i].column != b->cells[i].column)
            return a->cells[i].column < b->cells[i].column ? -1 : 1;
        if (a->cells[i].value != b->cells[i].value)
            return a->cells[i].value < b->cells[i].value ? -1 : 1;
    }
    return (a->n > b->n) - (a->n < b->n);
}

static inline bool model_at(const struct test_row *t, uint32_t device, enum series_kind kind, int64_t at)
{
    return t->device == device && t->kind == kind && t->row.at_ms == at;
}

/* Adds; returns whether series_put() must say that something changed. */
static inline bool model_put(struct model *m, const struct test_row *t)
{
    struct test_row x = *t;
    x.row.n = model_tidy(t->cells, t->row.n, x.cells);
    x.row.cells = x.cells;
    bool changed = x.row.n > 0;
    for (size_t i = 0; changed && i < m->n; i++) {
        m->p[i].row.cells = m->p[i].cells;
        if (!model_at(&m->p[i], t->device, t->kind, t->row.at_ms) || model_compare(&m->p[i].row, &x.row) < 0)
            continue;
        uint32_t has = 0;
        for (uint32_t j = 0; j < x.row.n; j++)
            for (uint32_t k = 0; k < m->p[i].row.n; k++)
                has += m->p[i].cells[k].column == x.cells[j].column;
        changed = has != x.row.n;
    }
    if (x.row.n) {
        if (m->n == m->cap) {
            m->cap = m->cap ? 2 * m->cap : 256;
            m->p = realloc(m->p, m->cap * sizeof *m->p);
            assert_non_null(m->p);
        }
        m->p[m->n++] = x;
    }
    return changed;
}

static inline void model_remove(struct model *m, uint32_t device, enum series_kind kind, int64_t at)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (!model_at(&m->p[i], device, kind, at))
            m->p[n++] = m->p[i];
    m->n = n;
}

/* The merged row at a time, by looking at every row for every column. Returns the number of cells. */
static inline uint32_t model_merged(const struct model *m, uint32_t device, enum series_kind kind, int64_t at,
                                    struct series_cell *ret, int64_t *ret_rank, uint32_t *ret_tie)
{
    uint32_t n = 0;
    struct test_row *top = NULL;
    for (uint32_t c = 1; c <= COLUMNS; c++) {
        struct test_row *best = NULL;
        int64_t v = 0;
        for (size_t i = 0; i < m->n; i++) {
            struct test_row *t = m->p + i;
            t->row.cells = t->cells;
            if (!model_at(t, device, kind, at))
                continue;
            if (!top || model_compare(&top->row, &t->row) < 0)
                top = t;
            for (uint32_t j = 0; j < t->row.n; j++)
                if (t->cells[j].column == c && (!best || model_compare(&best->row, &t->row) < 0))
                    best = t, v = t->cells[j].value;
        }
        if (best)
            ret[n++] = (struct series_cell){(uint16_t)c, v};
    }
    *ret_rank = top ? top->row.rank_ms : 0;
    *ret_tie = top ? top->row.tie : 0;
    return n;
}

/* Next time with a row at or after `from`, INT64_MAX when none. */
static inline int64_t model_next(const struct model *m, uint32_t device, enum series_kind kind, int64_t from)
{
    int64_t t = INT64_MAX;
    for (size_t i = 0; i < m->n; i++)
        if (m->p[i].device == device && m->p[i].kind == kind && m->p[i].row.at_ms >= from && m->p[i].row.at_ms < t)
            t = m->p[i].row.at_ms;
    return t;
}

/* Values as devices send them, and now and then the extremes. */
static inline int64_t random_value(struct lt_rand *r)
{
    static const int64_t odd[] = {INT64_MAX, INT64_MIN + 1, 0, -1, 1, INT64_C(9000000000000000000), 78};
    uint64_t how = lt_rand_below(r, 20);
    if (how == 0)
        return odd[lt_rand_below(r, 7)];
    if (how == 1)
        return (int64_t)(lt_rand_u64(r) >> 1);
    if (how < 5)
        return 0x4E000000;
    return (int64_t)lt_rand_below(r, 10000) * 10000;
}

static inline void random_cells(struct lt_rand *r, struct test_row *t)
{
    t->row.n = (uint32_t)lt_rand_below(r, CELLS + 1);
    uint32_t first = (uint32_t)lt_rand_below(r, COLUMNS);
    bool odd = lt_rand_below(r, 6) == 0; /* any columns, also repeated, also without value */
    for (uint32_t i = 0; i < t->row.n; i++) {
        uint32_t c = odd ? (uint32_t)lt_rand_below(r, COLUMNS) : (first + i * 7) % COLUMNS;
        t->cells[i].column = (uint16_t)(c + 1);
        t->cells[i].value = odd && lt_rand_below(r, 8) == 0 ? LT_FIX_NONE : random_value(r);
    }
}

/* Few devices and times, so that rows meet. */
static inline struct test_row random_row(struct lt_rand *r)
{
    static const int64_t unit[SERIES_KINDS] = {30000, 60000, LT_HOUR_MS, LT_DAY_MS, LT_HOUR_MS, LT_DAY_MS, 60000};
    struct test_row t = {.device = lt_rand_below(r, 8) ? 7 : UINT32_MAX,
                         .kind = (enum series_kind)lt_rand_below(r, SERIES_KINDS)};
    int64_t day = (int64_t)lt_rand_below(r, 3) * 3 * LT_DAY_MS; /* 25, 28 November, 1 December */
    t.row.at_ms = T0 + day + (int64_t)lt_rand_below(r, 3) * LT_HOUR_MS + (int64_t)lt_rand_below(r, 25) * unit[t.kind];
    t.row.rank_ms = lt_rand_below(r, 3) ? t.row.at_ms + (int64_t)lt_rand_below(r, 4) * 1000 : 0;
    t.row.tie = lt_rand_below(r, 3) ? (uint32_t)lt_rand_u64(r) : (uint32_t)lt_rand_below(r, 2);
    random_cells(r, &t);
    return t;
}
#endif
