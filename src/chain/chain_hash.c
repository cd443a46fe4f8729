/* Hashes by OpenSSL's EVP: algorithms are fetched once, contexts are used again. */
#include "chain/chain.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct chain_hasher {
    EVP_MD *md[CHAIN_ALGOS];
    EVP_MD_CTX *ctx[CHAIN_ALGOS];
};

struct chain_hasher *chain_hasher_create(void)
{
    static const char *const names[CHAIN_ALGOS] = {"SHA256", "SM3"};
    struct chain_hasher *h = calloc(1, sizeof *h);
    for (int a = 0; h && a < CHAIN_ALGOS; a++) {
        h->md[a] = EVP_MD_fetch(NULL, names[a], NULL);
        h->ctx[a] = EVP_MD_CTX_new();
        if (!h->md[a] || !h->ctx[a])
            chain_hasher_destroy(&h);
    }
    return h;
}

void chain_hasher_destroy(struct chain_hasher **h)
{
    if (!h || !*h)
        return;
    for (int a = 0; a < CHAIN_ALGOS; a++) {
        EVP_MD_CTX_free((*h)->ctx[a]);
        EVP_MD_free((*h)->md[a]);
    }
    free(*h);
    *h = NULL;
}

bool chain_begin(struct chain_hasher *h, enum chain_algo a)
{
    return EVP_DigestInit_ex2(h->ctx[a], h->md[a], NULL) == 1;
}

bool chain_feed(struct chain_hasher *h, enum chain_algo a, const void *p, size_t n)
{
    return n == 0 || EVP_DigestUpdate(h->ctx[a], p, n) == 1;
}

bool chain_end(struct chain_hasher *h, enum chain_algo a, uint8_t ret[CHAIN_HASH])
{
    unsigned n = CHAIN_HASH;
    return EVP_DigestFinal_ex(h->ctx[a], ret, &n) == 1;
}

bool chain_digest(struct chain_hasher *h, enum chain_algo a, const struct lt_slice *parts, size_t n,
                  uint8_t ret[CHAIN_HASH])
{
    bool ok = chain_begin(h, a);
    for (size_t i = 0; ok && i < n; i++)
        ok = chain_feed(h, a, parts[i].p, parts[i].n);
    return ok && chain_end(h, a, ret);
}

bool chain_digest_both(struct chain_hasher *h, struct lt_slice bytes, struct chain_pair *ret)
{
    return chain_digest(h, CHAIN_SHA256, &bytes, 1, ret->h[CHAIN_SHA256]) &&
           chain_digest(h, CHAIN_SM3, &bytes, 1, ret->h[CHAIN_SM3]);
}
