/* Random numbers of a draw: SHA-256 of a key and a counter; bounded without bias by rejection (section 3). */
#include "base/varint.h"
#include "draw/draw_priv.h"

void draw_rand_init(struct draw_rand *r, const uint8_t list[DRAW_HASH], const uint8_t seed[DRAW_SEED],
                    struct lt_slice value)
{
    crypto_hash_sha256_state st;
    uint8_t n[4];
    lt_le_put(n, value.n, sizeof n);
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, (const uint8_t *)"LTDK1", 5);
    crypto_hash_sha256_update(&st, list, DRAW_HASH);
    crypto_hash_sha256_update(&st, seed, DRAW_SEED);
    crypto_hash_sha256_update(&st, n, sizeof n);
    crypto_hash_sha256_update(&st, (const uint8_t *)value.p, value.n);
    crypto_hash_sha256_final(&st, r->key);
    r->next = 0;
}

static uint64_t draw_u64(struct draw_rand *r)
{
    uint8_t in[DRAW_HASH + 8], block[DRAW_HASH];
    uint64_t x = 0;
    memcpy(in, r->key, DRAW_HASH);
    lt_le_put(in + DRAW_HASH, r->next++, 8);
    crypto_hash_sha256(block, in, sizeof in);
    for (size_t i = 8; i-- > 0;)
        x = x << 8 | block[i];
    return x;
}

uint64_t draw_below(struct draw_rand *r, uint64_t n)
{
    uint64_t over = (0 - n) % n, x; /* 2^64 mod n: the last, incomplete run of n numbers is not used */
    do {
        x = draw_u64(r);
    } while (x > UINT64_MAX - over);
    return x % n;
}
