/* The ring of events; see bus.h.
 *
 * One mutex over slots and numbers: a publish is a few hundred nanoseconds under it, a read copies pointers. */
#include "bus/bus.h"

#include "base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct event {
    struct bus_event pub; /* first, so that a pointer to it is a pointer to the event */
    atomic_uint refs;
    char text[];
};

struct listener {
    void (*wake)(void *user);
    void *user;
};

struct bus {
    pthread_mutex_t lock;
    pthread_mutex_t listen_lock; /* held while waking, so that bus_ignore() is a fence; never taken under `lock` */
    struct listener listener[BUS_LISTENERS];
    struct event **slot; /* event with id x is at (x - base) % cap */
    size_t cap, held;
    uint64_t base, last; /* last id given; base: id before the first */
    uint64_t published, lost;
    size_t bytes;
};

struct bus *bus_create(uint64_t first_id, size_t events)
{
    struct bus *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->cap = events ? events : BUS_EVENTS;
    b->slot = calloc(b->cap, sizeof(struct event *));
    if (!b->slot) {
        free(b);
        return NULL;
    }
    b->base = b->last = first_id;
    pthread_mutex_init(&b->lock, NULL);
    pthread_mutex_init(&b->listen_lock, NULL);
    return b;
}

static void drop(struct event *e)
{
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
        free(e);
}

void bus_unref(const struct bus_event *e)
{
    drop((struct event *)(uintptr_t)e);
}

void bus_destroy(struct bus **b)
{
    if (!*b)
        return;
    for (size_t i = 0; i < (*b)->cap; i++)
        drop((*b)->slot[i]);
    pthread_mutex_destroy(&(*b)->lock);
    pthread_mutex_destroy(&(*b)->listen_lock);
    free((*b)->slot);
    free(*b);
    *b = NULL;
}

static void wake_all(struct bus *b)
{
    pthread_mutex_lock(&b->listen_lock);
    for (size_t i = 0; i < BUS_LISTENERS; i++)
        if (b->listener[i].wake)
            b->listener[i].wake(b->listener[i].user);
    pthread_mutex_unlock(&b->listen_lock);
}

static struct event *event_make(const char *type, int64_t territory, int64_t enterprise, struct lt_slice json)
{
    if (json.n == 0 || json.n > BUS_EVENT_MAX)
        return NULL;
    struct event *e = malloc(sizeof *e + json.n);
    if (!e)
        return NULL;
    memcpy(e->text, json.p, json.n);
    e->pub = (struct bus_event){.territory = territory, .enterprise = enterprise, .json = {e->text, json.n}};
    lt_text_copy(e->pub.type, sizeof e->pub.type, type);
    atomic_init(&e->refs, 1);
    return e;
}

uint64_t bus_publish(struct bus *b, const char *type, int64_t territory, int64_t enterprise, struct lt_slice json)
{
    struct event *e = event_make(type, territory, enterprise, json), *old = NULL;
    pthread_mutex_lock(&b->lock);
    if (!e) {
        b->lost++;
        pthread_mutex_unlock(&b->lock);
        return 0;
    }
    uint64_t id = e->pub.id = ++b->last;
    struct event **at = &b->slot[(id - b->base) % b->cap];
    old = *at;
    *at = e;
    b->bytes += json.n;
    if (old)
        b->bytes -= old->pub.json.n;
    else
        b->held++;
    b->published++;
    pthread_mutex_unlock(&b->lock);
    drop(old);
    wake_all(b);
    return id;
}

size_t bus_read(struct bus *b, uint64_t after, const struct bus_event *ret[], size_t cap, bool *ret_gap)
{
    size_t n = 0;
    pthread_mutex_lock(&b->lock);
    uint64_t before_oldest = b->last - b->held;
    *ret_gap = after < before_oldest || after > b->last;
    uint64_t id = *ret_gap ? before_oldest : after;
    while (n < cap && id < b->last) {
        struct event *e = b->slot[(++id - b->base) % b->cap];
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        ret[n++] = &e->pub;
    }
    pthread_mutex_unlock(&b->lock);
    return n;
}

uint64_t bus_last_id(struct bus *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t id = b->last;
    pthread_mutex_unlock(&b->lock);
    return id;
}

bool bus_listen(struct bus *b, void (*wake)(void *user), void *user)
{
    bool ok = false;
    pthread_mutex_lock(&b->listen_lock);
    for (size_t i = 0; i < BUS_LISTENERS && !ok; i++) {
        if (!b->listener[i].wake) {
            b->listener[i] = (struct listener){wake, user};
            ok = true;
        }
    }
    pthread_mutex_unlock(&b->listen_lock);
    return ok;
}

void bus_ignore(struct bus *b, void (*wake)(void *user), void *user)
{
    pthread_mutex_lock(&b->listen_lock);
    for (size_t i = 0; i < BUS_LISTENERS; i++)
        if (b->listener[i].wake == wake && b->listener[i].user == user)
            b->listener[i] = (struct listener){0};
    pthread_mutex_unlock(&b->listen_lock);
}

void bus_stats(struct bus *b, struct bus_stats *ret)
{
    pthread_mutex_lock(&b->lock);
    *ret = (struct bus_stats){b->published, b->lost, b->held, b->bytes};
    pthread_mutex_unlock(&b->lock);
}
