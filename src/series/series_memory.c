/* Backend in memory: the contract without a disk. For tests, and for trying things out. */
#include "base/clock.h"
#include "series/series_priv.h"

#include <stdlib.h>

struct piece {
    struct series_key key;
    struct lt_slice bytes; /* owned; p NULL in the batch: removal */
    bool fresh;
};

struct list {
    struct piece *p;
    size_t n, cap;
};

struct memory {
    pthread_mutex_t lock;
    int tz_min;
    struct list kept, batch; /* kept is sorted by key */
    struct series_column_entry *column;
    uint32_t n_columns;
    enum lt_err fail;
};

void *series_memory_create(int tz_min)
{
    struct memory *m = calloc(1, sizeof *m);
    if (m) {
        pthread_mutex_init(&m->lock, NULL);
        m->tz_min = tz_min;
    }
    return m;
}

static void list_fini(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((void *)(uintptr_t)l->p[i].bytes.p);
    free(l->p);
    *l = (struct list){0};
}

void series_memory_destroy(void **b)
{
    struct memory *m = *b;
    if (!m)
        return;
    list_fini(&m->kept);
    list_fini(&m->batch);
    free(m->column);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *b = NULL;
}

void series_memory_fail(void *b, enum lt_err code)
{
    ((struct memory *)b)->fail = code;
}

static int compare(const struct series_key *a, const struct series_key *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms ? -1 : 1;
    return (a->span > b->span) - (a->span < b->span);
}

static size_t place(const struct list *l, const struct series_key *key)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(&l->p[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool insert(struct list *l, size_t at, const struct piece *x)
{
    if (!lt_grow(&l->p, l->n, &l->cap, sizeof *l->p))
        return false;
    memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof *l->p);
    l->p[at] = *x;
    l->n++;
    return true;
}

static enum lt_err no_memory(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static enum lt_err load(void *b, const struct series_key *key, struct lt_buf *ret, struct lt_error *err)
{
    struct memory *m = b;
    pthread_mutex_lock(&m->lock);
    size_t i = place(&m->kept, key);
    bool found = i < m->kept.n && compare(&m->kept.p[i].key, key) == 0;
    if (found)
        lt_buf_add(ret, m->kept.p[i].bytes.p, m->kept.p[i].bytes.n);
    pthread_mutex_unlock(&m->lock);
    return ret->failed ? no_memory(err) : found ? LT_OK : LT_E_NOT_FOUND;
}

static enum lt_err scan(void *b, const struct series_range *r,
                        bool (*each)(void *user, const struct series_key *key, struct lt_slice bytes), void *user,
                        struct lt_error *err)
{
    struct memory *m = b;
    pthread_mutex_lock(&m->lock);
    for (size_t i = place(&m->kept, &(struct series_key){r->device, r->kind, 0, r->from_ms}); i < m->kept.n; i++) {
        const struct piece *x = m->kept.p + i;
        if (x->key.kind != r->kind || x->key.device != r->device || x->key.start_ms >= r->to_ms ||
            !each(user, &x->key, x->bytes))
            break;
    }
    pthread_mutex_unlock(&m->lock);
    return LT_OK;
}

static bool months(void *b, enum series_kind kind, int64_t *ret_first_ms, int64_t *ret_last_ms)
{
    struct memory *m = b;
    bool any = false;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->kept.n; i++) {
        if (m->kept.p[i].key.kind != kind)
            continue;
        int64_t month = lt_month_start(m->kept.p[i].key.start_ms, m->tz_min);
        if (!any || month < *ret_first_ms)
            *ret_first_ms = month;
        if (!any || month > *ret_last_ms)
            *ret_last_ms = month;
        any = true;
    }
    pthread_mutex_unlock(&m->lock);
    return any;
}

static enum lt_err note(struct memory *m, const struct piece *x, struct lt_error *err)
{
    if (m->fail)
        return lt_fail(err, m->fail, NULL, "memory", "asked to fail", NULL);
    return insert(&m->batch, m->batch.n, x) ? LT_OK : no_memory(err);
}

static enum lt_err put(void *b, const struct series_key *key, struct lt_slice bytes, bool fresh, struct lt_error *err)
{
    char *p = malloc(bytes.n);
    if (!p)
        return no_memory(err);
    memcpy(p, bytes.p, bytes.n);
    enum lt_err e = note(b, &(struct piece){*key, {p, bytes.n}, fresh}, err);
    if (e)
        free(p);
    return e;
}

static enum lt_err remove_chunk(void *b, const struct series_key *key, struct lt_error *err)
{
    return note(b, &(struct piece){*key, {NULL, 0}, false}, err);
}

static void rollback(void *b)
{
    list_fini(&((struct memory *)b)->batch);
}

static bool apply(struct list *kept, const struct piece *x)
{
    size_t at = place(kept, &x->key);
    bool found = at < kept->n && compare(&kept->p[at].key, &x->key) == 0;
    if (found) {
        free((void *)(uintptr_t)kept->p[at].bytes.p);
        if (x->bytes.p) {
            kept->p[at] = *x;
            return true;
        }
        memmove(kept->p + at, kept->p + at + 1, (kept->n - at - 1) * sizeof *kept->p);
        kept->n--;
    }
    return found || !x->bytes.p || insert(kept, at, x);
}

static enum lt_err commit(void *b, struct lt_error *err)
{
    struct memory *m = b;
    if (m->fail && m->batch.n) {
        rollback(m);
        return lt_fail(err, m->fail, NULL, "memory", "asked to fail", NULL);
    }
    bool good = true;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->batch.n; i++)
        good = apply(&m->kept, m->batch.p + i) && good;
    pthread_mutex_unlock(&m->lock);
    free(m->batch.p);
    m->batch = (struct list){0};
    return good ? LT_OK : no_memory(err);
}

static enum lt_err next_fresh(void *b, struct series_place *at, int64_t before_ms, struct series_key *ret,
                              struct lt_error *err)
{
    struct memory *m = b;
    for (size_t i = at->begun ? place(&m->kept, &at->last) : 0; i < m->kept.n; i++) {
        if (!m->kept.p[i].fresh || (at->begun && compare(&m->kept.p[i].key, &at->last) <= 0) ||
            lt_month_start(m->kept.p[i].key.start_ms, m->tz_min) >= before_ms)
            continue;
        *ret = at->last = m->kept.p[i].key;
        at->begun = true;
        return LT_OK;
    }
    return LT_E_NOT_FOUND;
}

static enum lt_err expire(void *b, int64_t before_ms, uint64_t *ret_removed, struct lt_error *err)
{
    struct memory *m = b;
    size_t n = 0;
    uint64_t removed = 0;
    uint8_t seen[10000 * 12 / 8 + 1] = {0}; /* bit per month of the calendar */
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->kept.n; i++) {
        struct piece *x = m->kept.p + i;
        int64_t month = lt_month_start(x->key.start_ms, m->tz_min);
        if (!series_kind_raw(x->key.kind) || series_span_end(SERIES_SPAN_MONTH, month, m->tz_min) > before_ms) {
            m->kept.p[n++] = *x;
            continue;
        }
        struct lt_civil c = lt_civil_of(month, m->tz_min);
        unsigned bit = (unsigned)(c.year * 12 + c.month - 1);
        removed += !(seen[bit / 8] >> (bit % 8) & 1);
        seen[bit / 8] |= (uint8_t)(1u << (bit % 8));
        free((void *)(uintptr_t)x->bytes.p);
    }
    m->kept.n = n;
    pthread_mutex_unlock(&m->lock);
    *ret_removed = removed;
    return LT_OK;
}

static enum lt_err columns_read(void *b, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err)
{
    struct memory *m = b;
    for (uint32_t i = after; i < m->n_columns; i++)
        each(user, i + 1, m->column + i);
    return LT_OK;
}

static enum lt_err columns_add(void *b, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err)
{
    struct memory *m = b;
    if (m->fail)
        return lt_fail(err, m->fail, NULL, "memory", "asked to fail", NULL);
    struct series_column_entry *p = realloc(m->column, (first - 1 + n) * sizeof *p);
    if (!p)
        return no_memory(err);
    m->column = p;
    memcpy(p + first - 1, c, n * sizeof *p);
    m->n_columns = first - 1 + n;
    return LT_OK;
}

static uint64_t bytes(void *b)
{
    struct memory *m = b;
    uint64_t n = 0;
    for (size_t i = 0; i < m->kept.n; i++)
        n += m->kept.p[i].bytes.n;
    return n;
}

static void close_nothing(void *b)
{
    rollback(b);
}

const struct series_backend series_memory_backend = {
    .name = "memory",
    .load = load,
    .scan = scan,
    .months = months,
    .put = put,
    .remove = remove_chunk,
    .commit = commit,
    .rollback = rollback,
    .next_fresh = next_fresh,
    .expire = expire,
    .columns_read = columns_read,
    .columns_add = columns_add,
    .bytes = bytes,
    .close = close_nothing,
};
