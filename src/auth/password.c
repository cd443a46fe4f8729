/* Passwords: hashing behind a gate, strength, one-time passwords. */
#include "auth/auth_priv.h"
#include "base/text.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

/* 64 MiB and two passes each (libsodium's interactive limits, RFC 9106's second choice in spirit): two at once take
 * 128 MiB and both cores for about a tenth of a second. */
#define RUNNING_MAX 2
#define WAITING_MAX 32

static struct {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    unsigned running, waiting;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

static bool gate_enter(void)
{
    bool in = true;
    pthread_mutex_lock(&gate.lock);
    if (gate.running >= RUNNING_MAX && gate.waiting >= WAITING_MAX) {
        in = false;
    } else {
        gate.waiting++;
        while (gate.running >= RUNNING_MAX)
            pthread_cond_wait(&gate.freed, &gate.lock);
        gate.waiting--;
        gate.running++;
    }
    pthread_mutex_unlock(&gate.lock);
    return in;
}

static void gate_leave(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.running--;
    pthread_cond_signal(&gate.freed);
    pthread_mutex_unlock(&gate.lock);
}

enum lt_err auth_ready(struct lt_error *err)
{
    return sodium_init() < 0 ? lt_fail(err, LT_E_INTERNAL, NULL, "no source of random numbers", NULL, NULL) : LT_OK;
}

static enum lt_err busy(struct lt_error *err)
{
    return lt_fail(err, LT_E_BUSY, NULL, "sign-in", NULL, NULL);
}

enum lt_err auth_hash_password(struct lt_slice password, char ret[128], struct lt_error *err)
{
    enum lt_err e = auth_ready(err);
    if (e != LT_OK)
        return e;
    if (!gate_enter())
        return busy(err);
    int rc = crypto_pwhash_str(ret, password.p, password.n, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                               crypto_pwhash_MEMLIMIT_INTERACTIVE);
    gate_leave();
    return rc == 0 ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

/* Hash of a random password nobody knows, with the same cost as real ones. */
#define STAND_IN "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

enum lt_err auth_check_password(struct lt_slice password, const char *hash, bool *ret_ok, struct lt_error *err)
{
    char known[crypto_pwhash_STRBYTES] = {0};
    enum lt_err e = auth_ready(err);
    if (e != LT_OK)
        return e;
    *ret_ok = false;
    if (password.n > AUTH_PASSWORD_MAX)
        return LT_OK;
    lt_text_copy(known, sizeof known, hash[0] ? hash : STAND_IN);
    if (!gate_enter())
        return busy(err);
    *ret_ok = crypto_pwhash_str_verify(known, password.p ? password.p : "", password.n) == 0 && hash[0];
    gate_leave();
    return LT_OK;
}

/* ---- strength ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t find_folded(struct lt_slice s, struct lt_slice word)
{
    for (size_t i = 0; word.n && i + word.n <= s.n; i++) {
        size_t k = 0;
        while (k < word.n && lower(s.p[i + k]) == lower(word.p[k]))
            k++;
        if (k == word.n)
            return i;
    }
    return SIZE_MAX;
}

static unsigned kinds_of(struct lt_slice s)
{
    bool k[4] = {false, false, false, false};
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        k[c >= 'a' && c <= 'z' ? 0 : c >= 'A' && c <= 'Z' ? 1 : c >= '0' && c <= '9' ? 2 : 3] = true;
    }
    return (unsigned)k[0] + k[1] + k[2] + k[3];
}

static unsigned distinct(struct lt_slice s)
{
    bool seen[256] = {false};
    unsigned n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)lower(s.p[i]);
        n += !seen[c];
        seen[c] = true;
    }
    return n;
}

/* Words that head every list of guessed passwords: what is left beside them must be long enough by itself. */
static const char *const common[] = {"password", "passw0rd", "p@ssw0rd", "p@ssword", "admin",    "qwerty",  "asdf",
                                     "123456",   "111111",   "000000",   "abc123",   "lantian",  "welcome", "letmein",
                                     "iloveyou", "woaini",   "huanbao",  "changeme", "1qaz2wsx", "qazwsx",  "654321"};

static enum lt_err weak(const char *why, struct lt_error *err)
{
    return lt_fail(err, LT_E_AUTH_WEAK, "password", why, NULL, NULL);
}

enum lt_err auth_password_ok(struct lt_slice password, struct lt_slice login, struct lt_error *err)
{
    if (!lt_text_is_utf8(password) || password.n > AUTH_PASSWORD_MAX)
        return weak("at most 128 bytes / 最多 128 字节", err);
    if (lt_text_chars(password) < 10)
        return weak("fewer than 10 characters / 少于 10 位", err);
    if (kinds_of(password) < 3)
        return weak("fewer than three kinds of characters / 字符种类少于三类", err);
    if (distinct(password) < 5)
        return weak("too few different characters / 重复字符过多", err);
    if (login.n >= 3 && find_folded(password, login) != SIZE_MAX)
        return weak("it contains the login name / 包含登录名", err);
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (find_folded(password, lt_slice_of(common[i])) != SIZE_MAX && password.n - strlen(common[i]) < 8)
            return weak("it contains a common password / 包含常见弱口令", err);
    return LT_OK;
}

/* ---- random texts ---- */

void auth_one_time_password(char *ret, size_t cap)
{
    static const char set[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* no 0 O 1 l I */
    size_t n = cap - 1 < 16 ? cap - 1 : 16;                                               /* 56^16: 92 bits */
    do {
        for (size_t i = 0; i < n; i++)
            ret[i] = set[randombytes_uniform(sizeof set - 1)];
        ret[n] = '\0';
    } while (auth_password_ok((struct lt_slice){ret, n}, LT_LIT(""), NULL) != LT_OK);
}

void auth_random_token(const char *prefix, char ret[AUTH_TOKEN_CHARS])
{
    unsigned char raw[32];
    size_t n = lt_text_copy(ret, AUTH_TOKEN_CHARS, prefix);
    randombytes_buf(raw, sizeof raw);
    sodium_bin2base64(ret + n, AUTH_TOKEN_CHARS - n, raw, sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof raw);
}

void auth_token_hash(struct lt_slice token, unsigned char ret[AUTH_HASH_BYTES])
{
    const void *p = token.n ? token.p : "";
    crypto_generichash(ret, AUTH_HASH_BYTES, p, token.n, NULL, 0);
}
