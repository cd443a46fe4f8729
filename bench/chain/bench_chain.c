/* How fast the post hashes: SM3 and SHA-256 of long stretches through chain, to be held against OpenSSL's own figure;
 * leaves of the usual size both ways; signatures. Run by bench/chain/run.sh beside `openssl speed`. */
#include "base/clock.h"
#include "chain/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(void)
{
    static char big[16384];
    static uint8_t record[1 + 566];
    struct chain_hasher *h = chain_hasher_create();
    static const char *const names[CHAIN_ALGOS] = {"sha256", "sm3"};
    uint8_t hash[CHAIN_HASH], sig[CHAIN_SIG_MAX];
    struct chain_pair pair;
    if (!h)
        return 1;
    for (int a = 0; a < CHAIN_ALGOS; a++) {
        const struct lt_slice s = {big, sizeof big};
        int64_t t0 = cpu_us(), n = 0;
        while (cpu_us() - t0 < 1500000 && chain_digest(h, (enum chain_algo)a, &s, 1, hash))
            n++;
        printf("%s of 16 KiB: %.1f MB/s\n", names[a], (double)n * sizeof big / (double)(cpu_us() - t0));
    }
    int64_t t0 = cpu_us(), n = 0;
    while (cpu_us() - t0 < 1500000 && chain_leaf_both(h, record, sizeof record - 1, &pair))
        n++;
    printf("leaf of 566 bytes, both: %.2f us\n", (double)(cpu_us() - t0) / (double)n);
    for (int t = 0; t < CHAIN_KEY_TYPES; t++) {
        struct chain_key *k = chain_key_generate((enum chain_key_type)t);
        size_t sn = 0;
        t0 = cpu_us();
        for (int i = 0; i < 300; i++)
            if (!chain_sign(k, LT_LIT("message"), sig, &sn))
                return 1;
        int64_t t1 = cpu_us();
        for (int i = 0; i < 300; i++)
            if (!chain_sig_holds(k, LT_LIT("message"), sig, sn))
                return 1;
        printf("%s: sign %.0f us, check %.0f us\n", chain_key_name[t], (double)(t1 - t0) / 300,
               (double)(cpu_us() - t1) / 300);
        chain_key_destroy(&k);
    }
    chain_hasher_destroy(&h);
    return 0;
}
