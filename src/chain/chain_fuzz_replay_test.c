/* The fuzz target over seeds made by the writers. */
#include "base/fuzz_replay.h"
#include "chain/chain.h"

static void seed_day(struct lt_buf *out)
{
    struct chain_day d = {.n = 1, .day = 20261125, .part = 1, .key = "00112233445566778899aabbccddeeff"};
    d.sig_n[0] = 64;
    d.sig_n[1] = 70;
    chain_day_write_signed(&d, out);
    chain_day_write_sigs(&d, out);
}

static void seed_zip(struct lt_buf *out)
{
    const struct chain_entry e[2] = {{.name = LT_LIT("manifest.json"), .data = LT_LIT("{}\n")},
                                     {.name = LT_LIT("a/b.txt"), .data = LT_LIT("text")}};
    if (!chain_zip_write(e, 2, out))
        abort();
}

static void seed_record(struct lt_buf *out)
{
    static uint8_t mem[CHAIN_RECORD_MAX];
    const struct chain_record r = {.seq = 5, .mn = LT_LIT("MN"), .bytes = LT_LIT("##0000")};
    lt_buf_add(out, mem, chain_record_write(&r, mem));
}

int main(void)
{
    void (*const seeds[])(struct lt_buf *) = {seed_day, seed_zip, seed_record};
    struct lt_buf seed[3];
    struct lt_slice corpus[3];
    for (size_t i = 0; i < 3; i++) {
        seed[i] = LT_BUF_INIT(FUZZ_REPLAY_MAX / 2);
        seeds[i](&seed[i]);
        corpus[i] = lt_buf_slice(&seed[i]);
    }
    const int ret = fuzz_replay_bytes("chain readers", corpus, 3, 9000);
    for (size_t i = 0; i < 3; i++)
        lt_buf_fini(&seed[i]);
    return ret;
}
