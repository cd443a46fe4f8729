/* Keys of the post: behind a table of operations, so that a card can take the place of the files. */
#include "base/text.h"
#include "proof/proof_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX 8192 /* a key has some 250 bytes */

struct proof_keys {
    const struct proof_provider *provider;
    void *own;
    pthread_mutex_t lock;
    struct proof_public pub;
};

/* ---- files ---- */

struct files {
    struct chain_key *key[CHAIN_KEY_TYPES];
};

static void files_close(void **own)
{
    struct files *f = *own;
    for (int t = 0; f && t < CHAIN_KEY_TYPES; t++)
        chain_key_destroy(&f->key[t]);
    free(f);
    *own = NULL;
}

static void wipe(struct lt_buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    lt_buf_fini(b);
}

static enum lt_err read_key(const char *path, enum chain_key_type t, struct chain_key **ret, struct lt_error *err)
{
    struct stat st;
    struct lt_buf pem = LT_BUF_INIT(PEM_MAX);
    enum lt_err e = proof_read(path, &pem, err);
    if (e == LT_OK && (stat(path, &st) != 0 || (st.st_mode & 077) != 0))
        e = lt_fail(err, LT_E_CORRUPT, NULL, path, "others than its owner may read it (mode must be 0600)", NULL);
    if (e == LT_OK && !(*ret = chain_key_of_pem(t, lt_buf_slice(&pem))))
        e = lt_fail(err, LT_E_CORRUPT, NULL, path, "not a key of this kind in PKCS #8", NULL);
    wipe(&pem);
    return e;
}

static enum lt_err make_key(const char *path, enum chain_key_type t, struct chain_key **ret, struct lt_error *err)
{
    struct lt_buf pem = LT_BUF_INIT(PEM_MAX);
    struct chain_key *k = chain_key_generate(t);
    enum lt_err e = k && chain_key_pem(k, &pem) ? proof_write(path, 0600, lt_buf_slice(&pem), err)
                                                : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    wipe(&pem);
    if (e == LT_OK)
        *ret = k;
    else
        chain_key_destroy(&k);
    return e;
}

/* A key that is gone is not made anew once both were there: nobody who knows the old one would believe the new one. */
static enum lt_err files_open(const char *dir, bool make, void **ret, struct lt_error *err)
{
    char path[PROOF_PATH];
    struct files *f = calloc(1, sizeof *f);
    if (!f)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    snprintf(path, sizeof path, "%.900s/keys/public.txt", dir);
    const bool were_there = access(path, F_OK) == 0;
    snprintf(path, sizeof path, "%.900s/keys", dir);
    enum lt_err e = make ? proof_mkdir(path, 0700, err) : LT_OK;
    for (int t = 0; e == LT_OK && t < CHAIN_KEY_TYPES; t++) {
        snprintf(path, sizeof path, "%.900s/keys/%s.pem", dir, chain_key_name[t]);
        e = read_key(path, (enum chain_key_type)t, &f->key[t], err);
        if (e == LT_E_NOT_FOUND && were_there)
            e = lt_fail(err, LT_E_CORRUPT, NULL, path, "is gone (public.txt names it): copy it back from the backup",
                        NULL);
        else if (e == LT_E_NOT_FOUND && make)
            e = make_key(path, (enum chain_key_type)t, &f->key[t], err);
    }
    if (e == LT_OK)
        *ret = f;
    else
        files_close((void **)&f);
    return e;
}

static bool files_public(void *own, enum chain_key_type t, uint8_t ret[CHAIN_PUBLIC_MAX])
{
    const struct files *f = own;
    return chain_key_public(f->key[t], ret) == chain_public_len[t];
}

static bool files_sign(void *own, enum chain_key_type t, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX], size_t *ret_n)
{
    const struct files *f = own;
    return chain_sign(f->key[t], msg, ret, ret_n);
}

const struct proof_provider proof_key_files = {"files", files_open, files_public, files_sign, files_close};

/* ---- keys ---- */

void proof_public_text(const struct proof_public *p, struct lt_buf *out)
{
    char hex[2 * CHAIN_PUBLIC_MAX + 1];
    lt_text_hex(p->ed25519, sizeof p->ed25519, hex);
    lt_buf_addf(out, "ed25519 %s\n", hex);
    lt_text_hex(p->sm2, sizeof p->sm2, hex);
    lt_buf_addf(out, "sm2 %s\nkey %s\n", hex, p->id);
}

enum lt_err proof_public_read(const char *path, struct proof_public *ret, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(4096), again = LT_BUF_INIT(4096);
    struct proof_public p;
    struct chain_hasher *h = chain_hasher_create();
    enum lt_err e = h ? proof_read(path, &text, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) { /* "ed25519 " 64 hex LF "sm2 " 130 hex LF "key " 32 hex LF */
        bool ok = text.n >= 8 + 64 + 1 + 4 + 130 + 1 &&
                  lt_text_unhex((struct lt_slice){text.p + 8, 64}, p.ed25519, sizeof p.ed25519) &&
                  lt_text_unhex((struct lt_slice){text.p + 77, 130}, p.sm2, sizeof p.sm2) &&
                  chain_key_id(h, p.ed25519, p.sm2, p.id);
        if (ok)
            proof_public_text(&p, &again);
        if (!ok || !lt_slice_eq(lt_buf_slice(&text), lt_buf_slice(&again)))
            e = lt_fail(err, LT_E_CORRUPT, NULL, path, "not a list of public keys", NULL);
    }
    if (e == LT_OK)
        *ret = p;
    chain_hasher_destroy(&h);
    lt_buf_fini(&text);
    lt_buf_fini(&again);
    return e;
}

static enum lt_err learn_public(struct proof_keys *k, struct lt_error *err)
{
    uint8_t ed[CHAIN_PUBLIC_MAX], sm2[CHAIN_PUBLIC_MAX];
    struct chain_hasher *h = chain_hasher_create();
    bool ok =
        h && k->provider->public_key(k->own, CHAIN_ED25519, ed) && k->provider->public_key(k->own, CHAIN_SM2, sm2);
    if (ok) {
        memcpy(k->pub.ed25519, ed, sizeof k->pub.ed25519);
        memcpy(k->pub.sm2, sm2, sizeof k->pub.sm2);
        ok = chain_key_id(h, k->pub.ed25519, k->pub.sm2, k->pub.id);
    }
    chain_hasher_destroy(&h);
    return ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, "keys", "the provider gives no public keys", NULL);
}

static enum lt_err write_public(const struct proof_keys *k, const char *dir, struct lt_error *err)
{
    char path[PROOF_PATH];
    struct lt_buf text = LT_BUF_INIT(4096);
    struct proof_public was;
    snprintf(path, sizeof path, "%.900s/keys", dir);
    enum lt_err e = proof_mkdir(path, 0700, err);
    snprintf(path, sizeof path, "%.900s/keys/public.txt", dir);
    if (e == LT_OK && proof_public_read(path, &was, NULL) != LT_OK) {
        proof_public_text(&k->pub, &text);
        e = proof_write(path, 0644, lt_buf_slice(&text), err);
    } else if (e == LT_OK && strcmp(was.id, k->pub.id) != 0) {
        e = lt_fail(err, LT_E_CORRUPT, NULL, path, "names other keys than those beside it", NULL);
    }
    lt_buf_fini(&text);
    return e;
}

enum lt_err proof_keys_open(const char *dir, const struct proof_provider *provider, bool make, struct proof_keys **ret,
                            struct lt_error *err)
{
    struct proof_keys *k = calloc(1, sizeof *k);
    if (!k)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    k->provider = provider ? provider : &proof_key_files;
    pthread_mutex_init(&k->lock, NULL);
    enum lt_err e = k->provider->open(dir, make, &k->own, err);
    if (e == LT_OK)
        e = learn_public(k, err);
    if (e == LT_OK && make)
        e = write_public(k, dir, err);
    if (e == LT_OK)
        *ret = k;
    else
        proof_keys_close(&k);
    return e;
}

void proof_keys_close(struct proof_keys **kp)
{
    struct proof_keys *k = *kp;
    *kp = NULL;
    if (!k)
        return;
    if (k->own)
        k->provider->close(&k->own);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

const struct proof_public *proof_keys_public(const struct proof_keys *k)
{
    return &k->pub;
}

bool proof_keys_sign(struct proof_keys *k, enum chain_key_type t, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX],
                     size_t *ret_n)
{
    pthread_mutex_lock(&k->lock);
    bool ok = k->provider->sign(k->own, t, msg, ret, ret_n);
    pthread_mutex_unlock(&k->lock);
    return ok;
}
