/* Dictionary of columns: (factor, field) <-> number from 1 on. Numbers are never given twice. */
#include "series/series_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS 131072 /* twice the most columns, so that probing ends soon */

enum lt_err series_dict_init(struct series_dict *d, struct lt_error *err)
{
    *d = (struct series_dict){.slot = calloc(SLOTS, sizeof *d->slot)};
    pthread_rwlock_init(&d->lock, NULL);
    return d->slot ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

void series_dict_fini(struct series_dict *d)
{
    free(d->slot);
    free(d->entry);
    pthread_rwlock_destroy(&d->lock);
}

static bool same(const struct series_column_entry *a, const struct series_column_entry *b)
{
    return a->field == b->field && strcmp(a->factor, b->factor) == 0;
}

/* The slot of c, or the free one it would take. */
static uint32_t *probe(struct series_dict *d, const struct series_column_entry *c)
{
    uint32_t h = c->field;
    for (const char *p = c->factor; *p; p++)
        h = (h ^ (uint8_t)*p) * UINT32_C(16777619);
    h ^= h >> 15;
    while (d->slot[h % SLOTS] && !same(&d->entry[d->slot[h % SLOTS] - 1], c))
        h++;
    return d->slot + h % SLOTS;
}

uint32_t series_dict_find(struct series_dict *d, const struct series_column_entry *c)
{
    pthread_rwlock_rdlock(&d->lock);
    uint32_t n = *probe(d, c);
    pthread_rwlock_unlock(&d->lock);
    return n;
}

static uint32_t add(struct series_dict *d, const struct series_column_entry *c)
{
    uint32_t *slot = probe(d, c);
    if (*slot || d->n == SERIES_COLUMNS_MAX)
        return *slot;
    if (!lt_grow(&d->entry, d->n, &d->cap, sizeof *d->entry))
        return 0;
    d->entry[d->n] = *c;
    __atomic_store_n(&d->n, d->n + 1, __ATOMIC_RELEASE); /* series_put() looks at it without the lock */
    return *slot = d->n;
}

uint32_t series_dict_add(struct series_dict *d, const struct series_column_entry *c)
{
    pthread_rwlock_wrlock(&d->lock);
    uint32_t n = add(d, c);
    pthread_rwlock_unlock(&d->lock);
    return n;
}

bool series_dict_name(struct series_dict *d, uint32_t number, struct series_column_entry *ret)
{
    pthread_rwlock_rdlock(&d->lock);
    bool known = number >= 1 && number <= d->n;
    if (known)
        *ret = d->entry[number - 1];
    pthread_rwlock_unlock(&d->lock);
    return known;
}

uint32_t series_dict_count(struct series_dict *d)
{
    pthread_rwlock_rdlock(&d->lock);
    uint32_t n = d->n;
    pthread_rwlock_unlock(&d->lock);
    return n;
}

struct refresh {
    struct series_dict *d;
    bool bad;
};

static void take(void *user, uint32_t number, const struct series_column_entry *c)
{
    struct refresh *r = user;
    r->bad |= series_dict_add(r->d, c) != number;
}

enum lt_err series_dict_refresh(struct series_dict *d, const struct series_backend *ops, void *b, struct lt_error *err)
{
    struct refresh r = {d, false};
    enum lt_err e = ops->columns_read(b, series_dict_count(d), take, &r, err);
    if (!e && r.bad)
        e = lt_fail(err, LT_E_CORRUPT, NULL, "series/columns.db", "numbers are not consecutive", NULL);
    return e;
}

enum lt_err series_dict_save(struct series_dict *d, const struct series_backend *ops, void *b, struct lt_error *err)
{
    struct series_column_entry one[64];
    for (uint32_t n; (n = series_dict_count(d)) > d->saved;) {
        n -= d->saved;
        n = n > 64 ? 64 : n;
        for (uint32_t i = 0; i < n; i++)
            series_dict_name(d, d->saved + 1 + i, &one[i]);
        enum lt_err e = ops->columns_add(b, d->saved + 1, n, one, err);
        if (e)
            return e;
        d->saved += n;
    }
    return LT_OK;
}
