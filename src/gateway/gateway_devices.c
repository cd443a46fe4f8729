/* What is known of devices by MN, over all loops. Loops touch an entry at most once per turn and connection. Bounded:
 * registered devices, and strangers up to their limit; a stranger that is gone gives way to a new one after a while. */
#include "base/text.h"
#include "gateway/gateway_priv.h"

#include <stdlib.h>

enum { STRANGER_KEPT_MS = 10 * 60 * 1000, SWEEP_EVERY_MS = 1000 };
/* Limits of what a device is sent unasked. A line that breaks every minute must not mean a command every minute: the
 * whole first connect once a day, or when the register changed; a wrong clock, as after a power cut, is set sooner. */
enum { FIRST_AGAIN_MS = 24 * 60 * 60 * 1000, CLOCK_AGAIN_MS = 10 * 60 * 1000 };
/* First connects begin one after the other, of the whole post: after a restart, which forgets when they last were, all
 * devices come within a minute. Derivation: 20 a second, with some eight frames each way, are a tenth of what 11,000
 * devices send anyway; they all have had their turn after nine minutes. */
enum { FIRST_EVERY_MS = 50, FIRST_BURST_MS = 1000 };

static uint32_t hash(struct lt_slice mn)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < mn.n; i++)
        h = (h ^ (unsigned char)mn.p[i]) * UINT64_C(0x100000001B3);
    return (uint32_t)(h ^ (h >> 32));
}

static struct gw_shard *shard_of(struct gw_devices *t, uint32_t h)
{
    return &t->shard[h % GW_SHARDS];
}

static struct gw_device **bucket_of(struct gw_shard *s, uint32_t h)
{
    return &s->bucket[h / GW_SHARDS % GW_BUCKETS];
}

void gw_devices_init(struct gw_devices *t, unsigned max_strangers)
{
    for (size_t i = 0; i < GW_SHARDS; i++)
        pthread_mutex_init(&t->shard[i].lock, NULL);
    atomic_init(&t->strangers, 0);
    atomic_init(&t->first_next_ms, 0);
    t->max_strangers = max_strangers;
}

void gw_devices_fini(struct gw_devices *t)
{
    for (size_t i = 0; i < GW_SHARDS; i++) {
        for (size_t b = 0; b < GW_BUCKETS; b++)
            for (struct gw_device *d = t->shard[i].bucket[b], *next; d; d = next) {
                next = d->next;
                free(d);
            }
        pthread_mutex_destroy(&t->shard[i].lock);
    }
}

static struct gw_device *find(struct gw_shard *s, uint32_t h, struct lt_slice mn)
{
    struct gw_device *d = *bucket_of(s, h);
    while (d && (d->hash != h || !lt_slice_is(mn, d->pub.mn)))
        d = d->next;
    return d;
}

/* Frees strangers of the shard that left a while ago; at most once a second, so that a flood cannot make us scan. */
static void sweep(struct gw_devices *t, struct gw_shard *s, int64_t at_ms)
{
    if (at_ms - s->swept_ms >= 0 && at_ms - s->swept_ms < SWEEP_EVERY_MS)
        return;
    s->swept_ms = at_ms;
    for (size_t b = 0; b < GW_BUCKETS; b++)
        for (struct gw_device **p = &s->bucket[b]; *p;) {
            struct gw_device *d = *p;
            if (d->registered || d->pub.conns || at_ms - d->pub.last_at_ms < STRANGER_KEPT_MS) {
                p = &d->next;
                continue;
            }
            *p = d->next;
            free(d);
            atomic_fetch_sub(&t->strangers, 1);
        }
}

static struct gw_device *insert(struct gw_devices *t, struct gw_shard *s, uint32_t h, struct lt_slice mn,
                                bool registered, int64_t at_ms)
{
    if (!registered && atomic_load(&t->strangers) >= t->max_strangers) {
        sweep(t, s, at_ms);
        if (atomic_load(&t->strangers) >= t->max_strangers)
            return NULL;
    }
    struct gw_device *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    lt_text_copy_slice(d->pub.mn, sizeof d->pub.mn, mn);
    d->pub.drift_ms = INT64_MIN;
    d->pub.pending = !registered;
    d->pub.last_at_ms = at_ms;
    d->hash = h;
    d->registered = registered;
    d->next = *bucket_of(s, h);
    *bucket_of(s, h) = d;
    if (!registered)
        atomic_fetch_add(&t->strangers, 1);
    return d;
}

static void set_registered(struct gw_devices *t, struct gw_device *d, bool registered)
{
    if (d->registered == registered)
        return;
    d->registered = registered;
    if (registered)
        atomic_fetch_sub(&t->strangers, 1);
    else
        atomic_fetch_add(&t->strangers, 1);
}

struct gw_device *gw_devices_attach(struct gw_devices *t, struct lt_slice mn, bool registered, struct gw_conn_id conn,
                                    const char *peer, int64_t at_ms)
{
    uint32_t h = hash(mn);
    struct gw_shard *s = shard_of(t, h);
    pthread_mutex_lock(&s->lock);
    struct gw_device *d = find(s, h, mn);
    if (!d)
        d = insert(t, s, h, mn, registered, at_ms);
    if (d) {
        set_registered(t, d, registered);
        if (d->pub.conns++ == 0)
            d->pub.connected_at_ms = at_ms;
        d->pub.connected = true;
        d->pub.last_at_ms = at_ms;
        lt_text_copy(d->pub.peer, sizeof d->pub.peer, peer);
        d->owner = conn;
        d->has_owner = true;
    }
    pthread_mutex_unlock(&s->lock);
    return d;
}

static bool same(struct gw_conn_id a, struct gw_conn_id b)
{
    return a.loop == b.loop && a.slot == b.slot && a.gen == b.gen;
}

void gw_devices_detach(struct gw_devices *t, struct gw_device *d, struct gw_conn_id conn, const char *cause)
{
    struct gw_shard *s = shard_of(t, d->hash);
    pthread_mutex_lock(&s->lock);
    d->pub.conns--;
    d->pub.connected = d->pub.conns > 0;
    lt_text_copy(d->pub.last_close, sizeof d->pub.last_close, cause);
    if (d->has_owner && same(d->owner, conn))
        d->has_owner = false;
    pthread_mutex_unlock(&s->lock);
}

void gw_devices_update(struct gw_devices *t, struct gw_device *d, struct gw_conn_id conn, const char *peer,
                       const struct session_delta *x)
{
    struct gw_shard *s = shard_of(t, d->hash);
    pthread_mutex_lock(&s->lock);
    d->pub.frames += x->frames;
    d->pub.last_at_ms = x->last_at_ms;
    d->pub.pending = x->pending;
    if (x->drift_ms != INT64_MIN)
        d->pub.drift_ms = x->drift_ms;
    set_registered(t, d, x->registered);
    if (!d->has_owner || !same(d->owner, conn)) {
        lt_text_copy(d->pub.peer, sizeof d->pub.peer, peer);
        d->owner = conn;
        d->has_owner = true;
    }
    pthread_mutex_unlock(&s->lock);
}

static bool lately(int64_t last_ms, int64_t at_ms, int64_t span_ms)
{
    return last_ms != 0 && at_ms >= last_ms && at_ms - last_ms < span_ms;
}

/* Is it a device's turn? Takes the turn. Time not used is kept for FIRST_BURST_MS. */
static bool take_turn(struct gw_devices *t, int64_t mono_ms)
{
    int64_t next = atomic_load(&t->first_next_ms), from;
    do {
        from = next > mono_ms - FIRST_BURST_MS ? next : mono_ms - FIRST_BURST_MS;
        if (from > mono_ms)
            return false;
    } while (!atomic_compare_exchange_weak(&t->first_next_ms, &next, from + FIRST_EVERY_MS));
    return true;
}

enum session_first gw_devices_first(struct gw_devices *t, struct gw_device *d, uint32_t settings, int64_t at_ms,
                                    int64_t mono_ms)
{
    struct gw_shard *s = shard_of(t, d->hash);
    enum session_first ret = SESSION_FIRST_NONE;
    pthread_mutex_lock(&s->lock);
    if (!lately(d->first_at_ms, at_ms, settings == d->first_settings ? FIRST_AGAIN_MS : CLOCK_AGAIN_MS))
        ret = SESSION_FIRST_ALL;
    else if (!lately(d->clock_at_ms, at_ms, CLOCK_AGAIN_MS))
        ret = SESSION_FIRST_CLOCK;
    if (ret != SESSION_FIRST_NONE && !take_turn(t, mono_ms))
        ret = SESSION_FIRST_LATER;
    if (ret == SESSION_FIRST_CLOCK || ret == SESSION_FIRST_ALL)
        d->clock_at_ms = at_ms;
    if (ret == SESSION_FIRST_ALL) {
        d->first_at_ms = at_ms;
        d->first_settings = settings;
    }
    pthread_mutex_unlock(&s->lock);
    return ret;
}

void gw_devices_refused(struct gw_devices *t, struct lt_slice mn, int64_t at_ms)
{
    if (mn.n == 0)
        return;
    uint32_t h = hash(mn);
    struct gw_shard *s = shard_of(t, h);
    pthread_mutex_lock(&s->lock);
    struct gw_device *d = find(s, h, mn);
    if (!d) /* the session files under registered devices only */
        d = insert(t, s, h, mn, true, at_ms);
    if (d)
        d->pub.rejected++;
    pthread_mutex_unlock(&s->lock);
}

bool gw_devices_get(struct gw_devices *t, struct lt_slice mn, struct gateway_device *ret, struct gw_conn_id *ret_owner,
                    bool *ret_has_owner)
{
    uint32_t h = hash(mn);
    struct gw_shard *s = shard_of(t, h);
    pthread_mutex_lock(&s->lock);
    const struct gw_device *d = find(s, h, mn);
    if (d) {
        *ret = d->pub;
        *ret_owner = d->owner;
        *ret_has_owner = d->has_owner;
    }
    pthread_mutex_unlock(&s->lock);
    return d != NULL;
}

size_t gw_devices_list(struct gw_devices *t, struct gateway_device *ret, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < GW_SHARDS; i++) {
        pthread_mutex_lock(&t->shard[i].lock);
        for (size_t b = 0; b < GW_BUCKETS; b++)
            for (const struct gw_device *d = t->shard[i].bucket[b]; d && n < cap; d = d->next)
                ret[n++] = d->pub;
        pthread_mutex_unlock(&t->shard[i].lock);
    }
    return n;
}
