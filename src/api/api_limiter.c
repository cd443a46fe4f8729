/* How often an address may try to sign in: token buckets in a small hash table. Guessing many passwords of one account
 * is stopped by auth; this stops one address from trying many accounts, and from keeping the hashing workers busy. */
#include "api/api_priv.h"

enum { BURST = 10, EACH_MS = 6000, PROBES = 8 };

void limiter_init(struct limiter *l)
{
    memset(l->slot, 0, sizeof l->slot);
    pthread_mutex_init(&l->lock, NULL);
}

static uint64_t key_of(const char *address)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (; *address; address++)
        h = (h ^ (unsigned char)*address) * UINT64_C(0x100000001B3);
    return h ? h : 1;
}

/* Its slot, brought up to now; the longest unused of PROBES is taken for a new address. Under the lock. */
static size_t slot_of(struct limiter *l, uint64_t key, int64_t now_ms)
{
    size_t best = key % LIMITER_SLOTS;
    for (size_t i = 0; i < PROBES; i++) {
        size_t s = (key + i) % LIMITER_SLOTS;
        if (l->slot[s].key == key) {
            if (l->slot[s].at_ms > now_ms) /* the clock was put back: not shut until it gets there again */
                l->slot[s].at_ms = now_ms;
            int64_t more = (now_ms - l->slot[s].at_ms) * 1000 / EACH_MS;
            if (more > 0) {
                int64_t tokens = l->slot[s].tokens + more;
                l->slot[s].tokens = (int32_t)(tokens > BURST * 1000 ? BURST * 1000 : tokens);
                l->slot[s].at_ms += more * EACH_MS / 1000; /* what is left of a token is kept */
            }
            return s;
        }
        if (l->slot[s].at_ms < l->slot[best].at_ms)
            best = s;
    }
    l->slot[best].key = key;
    l->slot[best].at_ms = now_ms;
    l->slot[best].tokens = BURST * 1000;
    return best;
}

bool limiter_take(struct limiter *l, const char *address, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    size_t s = slot_of(l, key_of(address), now_ms);
    bool ok = l->slot[s].tokens >= 1000;
    if (ok)
        l->slot[s].tokens -= 1000;
    pthread_mutex_unlock(&l->lock);
    return ok;
}

void limiter_give_back(struct limiter *l, const char *address, int64_t now_ms)
{
    pthread_mutex_lock(&l->lock);
    size_t s = slot_of(l, key_of(address), now_ms);
    if (l->slot[s].tokens <= (BURST - 1) * 1000)
        l->slot[s].tokens += 1000;
    pthread_mutex_unlock(&l->lock);
}
