/* auth: users, passwords (argon2id), sessions, tokens, roles. struct auth_ctx (record/who.h) is its product.
 *
 * Only hashes of session and API tokens are stored. Hashing passwords is costly on purpose (64 MiB each), so at most
 * two run at once and at most 32 wait; beyond that LT_E_BUSY. Threads: the hashing gate is the only shared state. */
#ifndef LT_AUTH_H
#define LT_AUTH_H
#include "base/clock.h"
#include "json/json.h"
#include "record/record.h"

#define AUTH_IDLE_MS      (8 * LT_HOUR_MS)
#define AUTH_ABSOLUTE_MS  (7 * LT_DAY_MS)
#define AUTH_LOCK_MS      (15 * LT_MIN_MS)
#define AUTH_FAILURES     5
#define AUTH_TOKEN_CHARS  48  /* with its end: 43 characters of base64url (256 bits) */
#define AUTH_PASSWORD_MAX 128 /* bytes */

/* Tables session, token and role_preset; the preset roles, each once; roles of an older post get what their presets
 * have got since (history and audit: "upgrade"; what people took away stays away); when there is no user, one
 * administrator "admin" whose one-time password is written to ret_password (cap >= 32) for the caller to print once (""
 * otherwise). Call after record_setup(). */
enum lt_err auth_setup(struct sql_db *db, int64_t now_ms, char *ret_password, size_t cap,
                       struct lt_error *err) LT_MUST_CHECK;

/* ---- sessions ---- */
struct auth_session {
    char token[AUTH_TOKEN_CHARS]; /* for the cookie lt_session */
    char csrf[AUTH_TOKEN_CHARS];  /* for the header X-CSRF-Token; derived from the token, not stored */
    int64_t expires_at_ms;
};
/* AUTH_FAILED, AUTH_LOCKED (also for unknown names the same time is spent). Failures are audited. */
enum lt_err auth_login(struct sql_db *db, struct lt_slice login, struct lt_slice password, const char *address,
                       int64_t now_ms, int tz_min, struct auth_session *ret, struct auth_ctx *ret_who,
                       struct lt_error *err) LT_MUST_CHECK;
/* AUTH_REQUIRED (empty), AUTH_EXPIRED. Needs a writing connection (it notes the last use, at most once a minute). */
enum lt_err auth_session_find(struct sql_db *db, struct lt_slice token, const char *address, int64_t now_ms,
                              struct auth_ctx *ret_who, struct lt_error *err) LT_MUST_CHECK;
void auth_csrf(struct lt_slice token, char ret[AUTH_TOKEN_CHARS]);
bool auth_csrf_ok(struct lt_slice token, struct lt_slice given); /* in constant time */
enum lt_err auth_logout(struct sql_db *db, const struct auth_ctx *who, int64_t now_ms,
                        struct lt_error *err) LT_MUST_CHECK;
/* Removes sessions that ended; returns through err only. Call now and then. */
enum lt_err auth_expire(struct sql_db *db, int64_t now_ms, struct lt_error *err) LT_MUST_CHECK;

/* ---- passwords and users ---- */
/* At least 10 characters of three kinds, not the login or a common one: AUTH_WEAK with the reason. */
enum lt_err auth_password_ok(struct lt_slice password, struct lt_slice login, struct lt_error *err) LT_MUST_CHECK;
/* The user himself. Ends his other sessions. AUTH_FAILED when `old` is wrong (counts as a failure). */
enum lt_err auth_password_change(const struct record_ctx *x, struct lt_slice old, struct lt_slice new_,
                                 struct lt_error *err) LT_MUST_CHECK;
/* By an administrator (needs user:write and authority over the user): a one-time password in ret (cap >= 32); ends all
 * sessions, revokes all tokens, unlocks. */
enum lt_err auth_password_reset(const struct record_ctx *x, int64_t user_id, char *ret, size_t cap,
                                struct lt_error *err) LT_MUST_CHECK;
/* Sets a given password (demo, command line): must_change says whether it is one-time. Strength is
 * checked; sessions, tokens and lock as above. */
enum lt_err auth_password_set(const struct record_ctx *x, int64_t user_id, struct lt_slice password, bool must_change,
                              struct lt_error *err) LT_MUST_CHECK;
/* Makes a user with a one-time password. territory, enterprise 0: none. */
enum lt_err auth_user_add(const struct record_ctx *x, const char *login, const char *name, const char *role,
                          int64_t territory, int64_t enterprise, int64_t *ret_id, char *ret_password, size_t cap,
                          struct lt_error *err) LT_MUST_CHECK;
/* Writes {id,login,name,role,role_name,permissions:[…],territory,territory_name,enterprise,lang,must_change}. */
enum lt_err auth_user_json(struct sql_db *db, const struct auth_ctx *who, struct jsonw *w,
                           struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_set_lang(struct sql_db *db, const struct auth_ctx *who, enum lt_lang lang,
                          struct lt_error *err) LT_MUST_CHECK;

/* ---- tokens for programs ---- */
/* permissions: comma list, each of which the owner must have. The token is shown once. */
enum lt_err auth_token_create(const struct record_ctx *x, const char *name, const char *permissions,
                              int64_t expires_at_ms, int64_t *ret_id, char ret[AUTH_TOKEN_CHARS],
                              struct lt_error *err) LT_MUST_CHECK;
/* What the owner may do now, cut down to the token's permissions. AUTH_REQUIRED, AUTH_EXPIRED. */
enum lt_err auth_token_find(struct sql_db *db, struct lt_slice token, const char *address, int64_t now_ms,
                            struct auth_ctx *ret_who, struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_token_revoke(const struct record_ctx *x, int64_t id, struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_token_list(const struct record_ctx *x, struct jsonw *w, struct lt_error *err) LT_MUST_CHECK; /* own */
#endif
