/* Time stamps of others (RFC 3161): the signed bytes of a day statement were there before a stamping office said so.
 * The post asks for one when an address is configured; a statement without one holds as before. */
#include "base/clock.h"
#include "base/log.h"
#include "proof/proof_priv.h"

#include <curl/curl.h>
#include <openssl/rand.h>
#include <openssl/ts.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STAMP_MAX   65536 /* bytes of an answer: with a chain of certificates some 8 kB */
#define STAMP_ROUND 8     /* statements asked for in one go */
#define STAMP_MS    15000

static void path_of(const char *dir, const struct proof_day *d, char ret[PROOF_PATH])
{
    snprintf(ret, PROOF_PATH, "%.900s/proof/%s.tsr", dir, d->name);
}

bool proof_stamped(const char *dir, const struct proof_day *d)
{
    char path[PROOF_PATH];
    path_of(dir, d, path);
    return access(path, R_OK) == 0;
}

/* ---- asking ---- */

static TS_REQ *request(const uint8_t sha256[32], bool with_nonce)
{
    TS_REQ *r = TS_REQ_new();
    TS_MSG_IMPRINT *m = TS_MSG_IMPRINT_new();
    X509_ALGOR *a = X509_ALGOR_new();
    ASN1_INTEGER *nonce = ASN1_INTEGER_new();
    unsigned char hash[32];
    uint64_t number = 0;
    memcpy(hash, sha256, sizeof hash);
    bool ok = r && m && a && nonce && X509_ALGOR_set0(a, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
              TS_MSG_IMPRINT_set_algo(m, a) && TS_MSG_IMPRINT_set_msg(m, hash, sizeof hash) &&
              TS_REQ_set_version(r, 1) && TS_REQ_set_msg_imprint(r, m) &&
              (!with_nonce || (RAND_bytes((unsigned char *)&number, sizeof number) == 1 &&
                               ASN1_INTEGER_set_uint64(nonce, number | 1) && TS_REQ_set_nonce(r, nonce))) &&
              TS_REQ_set_cert_req(r, 1);
    TS_MSG_IMPRINT_free(m);
    X509_ALGOR_free(a);
    ASN1_INTEGER_free(nonce);
    if (!ok) {
        TS_REQ_free(r);
        return NULL;
    }
    return r;
}

struct call {
    struct lt_buf *out;
    bool (*go_on)(void *user);
    void *user;
};

static size_t take(char *p, size_t size, size_t n, void *user)
{
    struct call *c = user;
    lt_buf_add(c->out, p, size * n);
    return c->out->failed ? 0 : size * n;
}

static int watch(void *user, curl_off_t a, curl_off_t b, curl_off_t x, curl_off_t y)
{
    const struct call *c = user;
    return c->go_on && !c->go_on(c->user);
}

static enum lt_err post(const char *url, struct lt_slice body, struct call *c, struct lt_error *err)
{
    CURL *h = curl_easy_init();
    struct curl_slist *heads = curl_slist_append(NULL, "Content-Type: application/timestamp-query");
    long status = 0;
    if (!h || !heads) {
        curl_slist_free_all(heads);
        curl_easy_cleanup(h);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, heads);
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)body.n);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)STAMP_MS);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    CURLcode r = curl_easy_perform(h);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(heads);
    curl_easy_cleanup(h);
    if (r != CURLE_OK)
        return lt_fail(err, LT_E_IO, NULL, url, curl_easy_strerror(r), NULL);
    if (status != 200)
        return lt_failf(err, LT_E_BAD_INPUT, NULL, "%s: HTTP %ld", url, status);
    return LT_OK;
}

/* ---- judging ---- */

static bool time_of(TS_RESP *r, int64_t *ret_at_ms)
{
    TS_TST_INFO *info = TS_RESP_get_tst_info(r);
    const ASN1_GENERALIZEDTIME *t = info ? TS_TST_INFO_get_time(info) : NULL;
    struct tm tm;
    if (!t || !ASN1_TIME_to_tm(t, &tm))
        return false;
    const struct lt_civil c = {.year = tm.tm_year + 1900,
                               .month = tm.tm_mon + 1,
                               .day = tm.tm_mday,
                               .hour = tm.tm_hour,
                               .minute = tm.tm_min,
                               .second = tm.tm_sec};
    return lt_civil_to_ms(&c, 0, ret_at_ms);
}

/* With the office's certificates (PEM) its signature too; without, what was stamped, and the nonce of `req`. */
static bool judge(TS_RESP *r, TS_REQ *req, const char *ca)
{
    TS_VERIFY_CTX *v = TS_REQ_to_TS_VERIFY_CTX(req, NULL);
    if (!v)
        return false;
    bool ok = true;
    if (ca && ca[0]) {
        X509_STORE *s = X509_STORE_new();
        ok = s && X509_STORE_load_locations(s, ca, NULL) == 1 && X509_STORE_set_purpose(s, X509_PURPOSE_TIMESTAMP_SIGN);
        TS_VERIFY_CTX_add_flags(v, TS_VFY_SIGNATURE);
        TS_VERIFY_CTX_set_store(v, s); /* owned by v from here */
    }
    ok = ok && TS_RESP_verify_response(v, r) == 1;
    TS_VERIFY_CTX_free(v);
    return ok;
}

enum lt_err proof_stamp_check(struct lt_slice tsr, const uint8_t sha256[32], const char *ca, int64_t *ret_at_ms,
                              struct lt_error *err)
{
    const unsigned char *p = (const unsigned char *)tsr.p;
    TS_RESP *r = tsr.n <= STAMP_MAX ? d2i_TS_RESP(NULL, &p, (long)tsr.n) : NULL;
    TS_REQ *req = request(sha256, false);
    bool whole = r && p == (const unsigned char *)tsr.p + tsr.n;
    bool ok = whole && req && judge(r, req, ca) && time_of(r, ret_at_ms);
    TS_RESP_free(r);
    TS_REQ_free(req);
    return ok ? LT_OK
              : lt_fail(err, LT_E_CORRUPT, NULL, "RFC 3161", whole ? "another hash or signature" : "not a response",
                        NULL);
}

static enum lt_err stamp(const char *dir, const struct proof_day *d, const char *url, const char *ca, struct call *c,
                         struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    struct chain_hasher *h = chain_hasher_create();
    uint8_t hash[CHAIN_HASH];
    char path[PROOF_PATH];
    unsigned char *der = NULL;
    TS_REQ *req = NULL;
    TS_RESP *r = NULL;
    enum lt_err e = proof_day_text(dir, d, &text, err);
    const struct lt_slice signed_bytes = {text.p, d->d.n_signed};
    if (!e) {
        req = h && chain_digest(h, CHAIN_SHA256, &signed_bytes, 1, hash) ? request(hash, true) : NULL;
        int n = req ? i2d_TS_REQ(req, &der) : -1;
        e = n < 0 ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL)
                  : post(url, (struct lt_slice){(const char *)der, (size_t)n}, c, err);
    }
    if (!e) {
        const unsigned char *p = (const unsigned char *)c->out->p;
        r = d2i_TS_RESP(NULL, &p, (long)c->out->n);
        if (!r || !judge(r, req, ca))
            e = lt_fail(err, LT_E_CORRUPT, NULL, url, "no stamp of this statement", NULL);
    }
    path_of(dir, d, path);
    if (!e)
        e = proof_write(path, 0644, lt_buf_slice(c->out), err);
    OPENSSL_free(der);
    TS_REQ_free(req);
    TS_RESP_free(r);
    chain_hasher_destroy(&h);
    lt_buf_fini(&text);
    return e;
}

enum lt_err proof_stamp_of(const char *dir, const struct proof_day *d, struct lt_buf *out, struct lt_error *err)
{
    char path[PROOF_PATH];
    path_of(dir, d, path);
    return proof_read(path, out, err);
}

enum lt_err proof_stamp_due(const char *dir, const char *url, const char *ca, bool (*go_on)(void *user), void *user,
                            unsigned *ret_n, struct lt_error *err)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    *ret_n = 0;
    enum lt_err e = proof_days(dir, &days, &n, err);
    for (size_t i = n; !e && i-- > 0 && *ret_n < STAMP_ROUND && (!go_on || go_on(user));) {
        if (days[i].bad_line || proof_stamped(dir, &days[i]))
            continue;
        struct lt_buf out = LT_BUF_INIT(STAMP_MAX);
        struct call c = {&out, go_on, user};
        e = stamp(dir, &days[i], url, ca, &c, err);
        lt_buf_fini(&out);
        if (!e) {
            lt_log(LT_INFO, "proof.stamped", "n=%llu", (unsigned long long)days[i].n);
            ++*ret_n;
        }
    }
    free(days);
    return e;
}
