/* The fuzz target over a sealed package and its mutations; the keys come from a provider in memory, as they would from
 * a card. */
#include "base/fuzz_replay.h"
#include "proof/proof.h"

static enum lt_err card_open(const char *dir, bool make, void **ret, struct lt_error *err)
{
    static struct chain_key *key[CHAIN_KEY_TYPES];
    key[CHAIN_ED25519] = chain_key_generate(CHAIN_ED25519);
    key[CHAIN_SM2] = chain_key_generate(CHAIN_SM2);
    *ret = key;
    return LT_OK;
}

static bool card_public(void *own, enum chain_key_type t, uint8_t ret[CHAIN_PUBLIC_MAX])
{
    struct chain_key **key = own;
    return chain_key_public(key[t], ret) == chain_public_len[t];
}

static bool card_sign(void *own, enum chain_key_type t, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX], size_t *ret_n)
{
    struct chain_key **key = own;
    return chain_sign(key[t], msg, ret, ret_n);
}

static void card_close(void **own)
{
    struct chain_key **key = *own;
    chain_key_destroy(&key[CHAIN_ED25519]);
    chain_key_destroy(&key[CHAIN_SM2]);
    *own = NULL;
}

static bool seed(struct lt_buf *out)
{
    static const struct proof_provider card = {"card", card_open, card_public, card_sign, card_close};
    const struct proof_head h = {.name = "seed", .type = "alarm", .sealed_at_ms = 1};
    struct proof_keys *keys = NULL;
    struct proof_pack *p = proof_pack_create();
    struct chain_pair hash;
    bool ok = p && proof_keys_open("/nonexistent", &card, false, &keys, NULL) == LT_OK;
    if (ok) {
        lt_buf_adds(proof_pack_entry(p, "alarm.json"), "{}\n");
        ok = proof_pack_seal(p, &h, keys, out, &hash, NULL) == LT_OK;
    }
    proof_pack_destroy(&p);
    proof_keys_close(&keys);
    return ok;
}

int main(void)
{
    struct lt_buf zip = LT_BUF_INIT(FUZZ_REPLAY_MAX / 2);
    static const char proof[] =
        "{\"format\":\"lantian-inclusion\",\"version\":1,\"stream\":\"journal\",\"seq\":1,\"index\":0,"
        "\"count\":1,\"record\":\"00\",\"sha256\":{\"leaf\":\"00\",\"path\":[],\"root\":\"00\"},"
        "\"statement\":\"LANTIAN-DAY 1\\n\"}";
    if (!seed(&zip))
        return 1;
    const struct lt_slice corpus[] = {lt_buf_slice(&zip), LT_LIT(proof)};
    const int ret = fuzz_replay_bytes("packages and proofs", corpus, 2, 3000);
    lt_buf_fini(&zip);
    return ret;
}
