/* Connections by source address: how many are open, and how many records of them were written in this minute. Touched
 * only when a connection opens or closes, so one lock is enough. */
#include "gateway/gateway_priv.h"

#include <stdlib.h>

void gw_addrs_init(struct gw_addrs *t)
{
    pthread_mutex_init(&t->lock, NULL);
}

void gw_addrs_fini(struct gw_addrs *t)
{
    for (size_t i = 0; i < GW_ADDR_BUCKETS; i++)
        for (struct gw_addr *a = t->bucket[i], *next; a; a = next) {
            next = a->next;
            free(a);
        }
    pthread_mutex_destroy(&t->lock);
}

static bool is_v4(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    return memcmp(a, mapped, sizeof mapped) == 0;
}

static void key_of(const uint8_t addr[16], uint8_t ret[16])
{
    memcpy(ret, addr, 16);
    if (!is_v4(addr))
        memset(ret + 8, 0, 8);
}

static struct gw_addr **bucket_of(struct gw_addrs *t, const uint8_t key[16])
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < 16; i++)
        h = (h ^ key[i]) * 16777619u;
    return &t->bucket[(h ^ h >> 15) % GW_ADDR_BUCKETS];
}

static struct gw_addr *find(struct gw_addrs *t, const uint8_t key[16])
{
    struct gw_addr *a = *bucket_of(t, key);
    while (a && memcmp(a->key, key, 16) != 0)
        a = a->next;
    return a;
}

/* Frees idle entries of the next buckets until there are fewer than the limit. */
static void make_room(struct gw_addrs *t)
{
    for (size_t k = 0; k < GW_ADDR_BUCKETS && t->idle >= GW_ADDRS_IDLE; k++) {
        struct gw_addr **p = &t->bucket[t->sweep_at++ % GW_ADDR_BUCKETS];
        while (*p) {
            struct gw_addr *a = *p;
            if (a->open) {
                p = &a->next;
                continue;
            }
            *p = a->next;
            free(a);
            t->idle--;
        }
    }
}

static struct gw_addr *get(struct gw_addrs *t, const uint8_t key[16])
{
    struct gw_addr *a = find(t, key);
    if (a)
        return a;
    make_room(t);
    a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    memcpy(a->key, key, 16);
    a->next = *bucket_of(t, key);
    *bucket_of(t, key) = a;
    t->idle++;
    return a;
}

bool gw_addrs_open(struct gw_addrs *t, const uint8_t addr[16], unsigned most)
{
    uint8_t key[16];
    key_of(addr, key);
    pthread_mutex_lock(&t->lock);
    struct gw_addr *a = get(t, key);
    bool ok = a && a->open < most;
    if (ok && a->open++ == 0)
        t->idle--;
    pthread_mutex_unlock(&t->lock);
    return ok;
}

void gw_addrs_close(struct gw_addrs *t, const uint8_t addr[16])
{
    uint8_t key[16];
    key_of(addr, key);
    pthread_mutex_lock(&t->lock);
    struct gw_addr *a = find(t, key);
    if (a && --a->open == 0)
        t->idle++;
    pthread_mutex_unlock(&t->lock);
}

bool gw_addrs_record(struct gw_addrs *t, const uint8_t addr[16], int64_t mono_ms, unsigned *ret_skipped)
{
    uint8_t key[16];
    key_of(addr, key);
    pthread_mutex_lock(&t->lock);
    struct gw_addr *a = get(t, key);
    bool ok = false;
    if (a && a->minute != mono_ms / LT_MIN_MS) {
        a->minute = mono_ms / LT_MIN_MS;
        a->records = 0;
    }
    if (a && a->records < GATEWAY_CONN_RECORDS) {
        a->records++;
        *ret_skipped = a->skipped;
        a->skipped = 0;
        ok = true;
    } else if (a) {
        a->skipped++;
    }
    pthread_mutex_unlock(&t->lock);
    return ok;
}
