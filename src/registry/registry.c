/* The register in memory: a snapshot is built whole, never changed, and freed when the last reader lets it go. */
#include "registry/registry.h"
#include "base/text.h"
#include "hj212/hj212.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct registry_snapshot {
    atomic_uint refs;
    uint64_t version;
    uint32_t mask; /* places - 1, a power of two, at least twice the devices */
    uint32_t count;
    uint32_t *place; /* device number + 1, 0: free */
    struct registry_device dev[];
};

struct registry {
    pthread_mutex_t lock; /* guards `now`; held for a few instructions only */
    struct registry_snapshot *now;
    uint64_t version;
};

/* FNV-1a, then mixed, as MNs differ in their last characters only. */
static uint32_t hash(struct lt_slice mn)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < mn.n; i++)
        h = (h ^ (unsigned char)mn.p[i]) * UINT64_C(0x100000001B3);
    return (uint32_t)(h ^ (h >> 29));
}

static struct registry_snapshot *snapshot_create(size_t n)
{
    size_t places = 16;
    while (places < 2 * n)
        places *= 2;
    struct registry_snapshot *s = calloc(1, sizeof *s + n * sizeof s->dev[0]);
    uint32_t *place = calloc(places, sizeof *place);
    if (!s || !place) {
        free(s);
        free(place);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->place = place;
    s->mask = (uint32_t)(places - 1);
    return s;
}

static void snapshot_unref(struct registry_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(s->place);
    free(s);
}

/* The place of mn: of its device, or the free one where it would stand. */
static uint32_t find_place(const struct registry_snapshot *s, struct lt_slice mn)
{
    uint32_t i = hash(mn) & s->mask;
    while (s->place[i] && !lt_slice_is(mn, s->dev[s->place[i] - 1].mn))
        i = (i + 1) & s->mask;
    return i;
}

struct registry *registry_create(void)
{
    struct registry *r = calloc(1, sizeof *r);
    struct registry_snapshot *s = snapshot_create(0);
    if (!r || !s || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        snapshot_unref(s);
        return NULL;
    }
    r->now = s;
    return r;
}

void registry_destroy(struct registry **r)
{
    if (!*r)
        return;
    snapshot_unref((*r)->now);
    pthread_mutex_destroy(&(*r)->lock);
    free(*r);
    *r = NULL;
}

enum lt_err registry_load_rows(struct registry *r, const struct registry_device *rows, size_t n, struct lt_error *err)
{
    if (n > REGISTRY_MAX)
        return lt_failf(err, LT_E_LIMIT, "device", "%u", (unsigned)REGISTRY_MAX);
    struct registry_snapshot *s = snapshot_create(n);
    if (!s)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < n; i++) {
        struct lt_slice mn = lt_slice_of(rows[i].mn);
        uint32_t at = find_place(s, mn);
        if (mn.n == 0 || s->place[at]) {
            snapshot_unref(s);
            return lt_fail(err, LT_E_DUPLICATE, "mn", "MN", rows[i].mn, NULL);
        }
        s->dev[s->count] = rows[i];
        s->place[at] = ++s->count;
    }
    pthread_mutex_lock(&r->lock);
    struct registry_snapshot *old = r->now;
    s->version = ++r->version;
    r->now = s;
    pthread_mutex_unlock(&r->lock);
    snapshot_unref(old);
    return LT_OK;
}

const struct registry_snapshot *registry_acquire(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    struct registry_snapshot *s = r->now;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&r->lock);
    return s;
}

void registry_release(struct registry *r, const struct registry_snapshot *s)
{
    union { /* readers see it const; the count is the registry's own */
        const struct registry_snapshot *c;
        struct registry_snapshot *m;
    } u = {s};
    snapshot_unref(u.m);
}

const struct registry_device *registry_find(const struct registry_snapshot *s, struct lt_slice mn)
{
    uint32_t at = s->place[find_place(s, mn)];
    return at ? &s->dev[at - 1] : NULL;
}

size_t registry_count(const struct registry_snapshot *s)
{
    return s->count;
}

uint64_t registry_version(const struct registry_snapshot *s)
{
    return s->version;
}

/* ---- addresses ---- */
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static bool parse_net(struct lt_slice s, struct registry_net *ret)
{
    char text[INET6_ADDRSTRLEN];
    struct registry_net net = {.bits = 128};
    int64_t bits = -1;
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    size_t n = slash ? (size_t)(slash - s.p) : s.n;
    if (n == 0 || n >= sizeof text || (slash && !lt_text_to_i64((struct lt_slice){slash + 1, s.n - n - 1}, &bits)))
        return false;
    memcpy(text, s.p, n);
    text[n] = '\0';
    bool v4 = inet_pton(AF_INET, text, net.addr + 12) == 1;
    if (v4)
        memcpy(net.addr, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, text, net.addr) != 1)
        return false;
    if (slash && (bits < 0 || bits > (v4 ? 32 : 128)))
        return false;
    if (slash)
        net.bits = (uint8_t)(v4 ? bits + 96 : bits);
    *ret = net;
    return true;
}

static bool separator(char c)
{
    return c == ',' || c == ' ' || c == ';' || c == '\n' || c == '\r' || c == '\t';
}

bool registry_parse_allow(struct lt_slice text, struct registry_net ret[8], uint8_t *ret_n)
{
    struct registry_net net[8];
    uint8_t n = 0;
    for (size_t i = 0; i < text.n;) {
        size_t k = i;
        while (k < text.n && !separator(text.p[k]))
            k++;
        if (k > i && (n == 8 || !parse_net((struct lt_slice){text.p + i, k - i}, &net[n++])))
            return false;
        i = k + 1;
    }
    memcpy(ret, net, n * sizeof net[0]);
    *ret_n = n;
    return true;
}

static bool in_net(const struct registry_net *net, const uint8_t addr[16])
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->addr, addr, whole) != 0)
        return false;
    return rest == 0 || ((net->addr[whole] ^ addr[whole]) & (0xFF << (8 - rest)) & 0xFF) == 0;
}

bool registry_allowed(const struct registry_device *d, const uint8_t addr[16])
{
    for (unsigned i = 0; i < d->n_allow; i++)
        if (in_net(&d->allow[i], addr))
            return true;
    return d->n_allow == 0;
}

bool registry_parse_tolerate(struct lt_slice text, uint32_t *ret)
{
    uint32_t bits = HJ212_TOLERATE_DEFAULT;
    for (size_t i = 0; i < text.n;) {
        size_t k = i;
        while (k < text.n && !separator(text.p[k]))
            k++;
        struct lt_slice name = {text.p + i, k - i};
        enum hj212_tolerance t;
        if (lt_slice_is(name, "strict"))
            bits = 0;
        else if (name.n && hj212_tolerance_from_name(name, &t))
            bits |= UINT32_C(1) << t;
        else if (name.n)
            return false;
        i = k + 1;
    }
    *ret = bits;
    return true;
}
