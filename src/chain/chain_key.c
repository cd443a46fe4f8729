/* Ed25519 (RFC 8032) and SM2 (GB/T 32918) by OpenSSL: made, kept as PKCS #8, used on the same bytes. */
#include "chain/chain.h"
#include "base/text.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>

const char *const chain_key_name[CHAIN_KEY_TYPES] = {"ed25519", "sm2"};
const size_t chain_public_len[CHAIN_KEY_TYPES] = {32, 65};

struct chain_key {
    enum chain_key_type type;
    EVP_PKEY *pkey;
};

static struct chain_key *wrap(enum chain_key_type t, EVP_PKEY *pkey)
{
    struct chain_key *k = pkey ? malloc(sizeof *k) : NULL;
    if (k)
        *k = (struct chain_key){t, pkey};
    else
        EVP_PKEY_free(pkey);
    return k;
}

struct chain_key *chain_key_generate(enum chain_key_type t)
{
    return wrap(t,
                t == CHAIN_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_PKEY_Q_keygen(NULL, NULL, "SM2"));
}

static EVP_PKEY *sm2_of(const uint8_t *pub, size_t n, const BIGNUM *secret)
{
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "SM2", NULL);
    EVP_PKEY *pkey = NULL;
    bool ok = b && ctx && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, pub, n) == 1 &&
              (!secret || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, secret) == 1) &&
              (params = OSSL_PARAM_BLD_to_param(b)) != NULL;
    if (!ok || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* d and the point d·G that belongs to it. */
static EVP_PKEY *sm2_of_secret(const uint8_t secret[32])
{
    uint8_t pub[65];
    EVP_PKEY *pkey = NULL;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_sm2);
    BIGNUM *d = BN_bin2bn(secret, 32, NULL);
    EC_POINT *p = group ? EC_POINT_new(group) : NULL;
    if (p && d && EC_POINT_mul(group, p, d, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, pub, sizeof pub, NULL) == sizeof pub)
        pkey = sm2_of(pub, sizeof pub, d);
    EC_POINT_free(p);
    BN_clear_free(d);
    EC_GROUP_free(group);
    return pkey;
}

struct chain_key *chain_key_of_secret(enum chain_key_type t, const uint8_t secret[32])
{
    return wrap(t, t == CHAIN_ED25519 ? EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, secret, 32)
                                      : sm2_of_secret(secret));
}

/* RFC 8032, 5.1.3: y is below 2^255 - 19, and x = 0 has no sign. OpenSSL takes the others too; then one point would
 * have several key ids, and a stricter verifier would say no where this one says yes. */
static bool ed25519_canonical(const uint8_t p[32])
{
    bool ones = (p[31] & 0x7F) == 0x7F, zeros = (p[31] & 0x7F) == 0, sign = p[31] >> 7;
    for (int i = 1; i < 31; i++) {
        ones = ones && p[i] == 0xFF;
        zeros = zeros && p[i] == 0;
    }
    bool x0 = (ones && p[0] == 0xEC) || (zeros && p[0] == 1); /* y = -1, y = 1 */
    return !(ones && p[0] >= 0xED) && !(x0 && sign);
}

struct chain_key *chain_key_of_public(enum chain_key_type t, const uint8_t *p, size_t n)
{
    if (n != chain_public_len[t] || (t == CHAIN_SM2 ? p[0] != 4 : !ed25519_canonical(p)))
        return NULL;
    return wrap(t,
                t == CHAIN_ED25519 ? EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, p, n) : sm2_of(p, n, NULL));
}

struct chain_key *chain_key_of_pem(enum chain_key_type t, struct lt_slice pem)
{
    if (pem.n == 0 || pem.n > 65536)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (pkey && !EVP_PKEY_is_a(pkey, t == CHAIN_ED25519 ? "ED25519" : "SM2")) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return wrap(t, pkey);
}

bool chain_key_pem(const struct chain_key *k, struct lt_buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *p = NULL;
    bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1;
    long n = ok ? BIO_get_mem_data(bio, &p) : 0;
    if (n > 0)
        lt_buf_add(out, p, (size_t)n);
    BIO_free(bio);
    return n > 0 && !out->failed;
}

void chain_key_destroy(struct chain_key **k)
{
    if (!k || !*k)
        return;
    EVP_PKEY_free((*k)->pkey);
    free(*k);
    *k = NULL;
}

size_t chain_key_public(const struct chain_key *k, uint8_t ret[CHAIN_PUBLIC_MAX])
{
    size_t n = CHAIN_PUBLIC_MAX;
    if (k->type == CHAIN_ED25519)
        return EVP_PKEY_get_raw_public_key(k->pkey, ret, &n) == 1 ? n : 0;
    /* a key from a file may ask for the compressed form; ours has both coordinates */
    BIGNUM *x = NULL, *y = NULL;
    bool ok = EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
              EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1;
    ret[0] = 4;
    ok = ok && BN_bn2binpad(x, ret + 1, 32) == 32 && BN_bn2binpad(y, ret + 33, 32) == 32;
    BN_free(x);
    BN_free(y);
    return ok ? 65 : 0;
}

static EVP_MD_CTX *signing(const struct chain_key *k, bool sign)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    const char *hash = k->type == CHAIN_SM2 ? "SM3" : NULL;
    char id[] = CHAIN_SM2_ID;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_DIST_ID, id, sizeof id - 1),
                           OSSL_PARAM_construct_end()};
    if (!md)
        return NULL;
    const OSSL_PARAM *p = k->type == CHAIN_SM2 ? params : NULL;
    int r = sign ? EVP_DigestSignInit_ex(md, &ctx, hash, NULL, NULL, k->pkey, p)
                 : EVP_DigestVerifyInit_ex(md, &ctx, hash, NULL, NULL, k->pkey, p);
    if (r != 1) {
        EVP_MD_CTX_free(md);
        return NULL;
    }
    return md;
}

bool chain_sign(const struct chain_key *k, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX], size_t *ret_n)
{
    EVP_MD_CTX *md = signing(k, true);
    size_t n = CHAIN_SIG_MAX;
    bool ok = md && EVP_DigestSign(md, ret, &n, (const unsigned char *)msg.p, msg.n) == 1;
    EVP_MD_CTX_free(md);
    *ret_n = ok ? n : 0;
    return ok;
}

/* SEQUENCE { INTEGER r, INTEGER s } in the shortest form: else the same signature could be written in many ways. */
static bool der_canonical(const uint8_t *p, size_t n)
{
    if (n < 8 || n > 72 || p[0] != 0x30 || p[1] != n - 2)
        return false;
    size_t at = 2;
    for (int i = 0; i < 2; i++) {
        if (at + 3 > n || p[at] != 0x02 || p[at + 1] == 0 || p[at + 1] > 33 || at + 2 + p[at + 1] > n)
            return false;
        const uint8_t *v = p + at + 2;
        if ((v[0] & 0x80) || (v[0] == 0 && p[at + 1] > 1 && !(v[1] & 0x80)))
            return false;
        at += 2u + p[at + 1];
    }
    return at == n;
}

bool chain_sig_holds(const struct chain_key *k, struct lt_slice msg, const uint8_t *sig, size_t n)
{
    if (k->type == CHAIN_SM2 ? !der_canonical(sig, n) : n != 64)
        return false;
    EVP_MD_CTX *md = signing(k, false);
    bool ok = md && EVP_DigestVerify(md, sig, n, (const unsigned char *)msg.p, msg.n) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

bool chain_key_id(struct chain_hasher *h, const uint8_t ed25519[32], const uint8_t sm2[65], char ret[33])
{
    uint8_t hash[CHAIN_HASH];
    const struct lt_slice parts[2] = {{(const char *)ed25519, 32}, {(const char *)sm2, 65}};
    if (!chain_digest(h, CHAIN_SHA256, parts, 2, hash))
        return false;
    lt_text_hex(hash, 16, ret);
    return true;
}
