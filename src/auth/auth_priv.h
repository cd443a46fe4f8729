/* What the files of auth share. */
#ifndef LT_AUTH_PRIV_H
#define LT_AUTH_PRIV_H
#include "auth/auth.h"
#include "record/audit.h"
#include "base/clock.h"

#define AUTH_HASH_BYTES 32

/* argon2id through the gate. ret: crypto_pwhash_STRBYTES. */
enum lt_err auth_hash_password(struct lt_slice password, char ret[128], struct lt_error *err) LT_MUST_CHECK;
/* hash "" checks against a stand-in, so that an unknown name takes as long. */
enum lt_err auth_check_password(struct lt_slice password, const char *hash, bool *ret_ok,
                                struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_ready(struct lt_error *err) LT_MUST_CHECK; /* libsodium */
void auth_random_token(const char *prefix, char ret[AUTH_TOKEN_CHARS]);
void auth_token_hash(struct lt_slice token, unsigned char ret[AUTH_HASH_BYTES]);
void auth_one_time_password(char *ret, size_t cap);

/* The person behind a user record; LT_E_AUTH_REQUIRED when it is gone or disabled. */
enum lt_err auth_load_user(struct sql_db *db, int64_t user_id, const char *address, struct auth_ctx *ret,
                           struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_end_sessions(struct sql_db *db, int64_t user_id, int64_t except_session,
                              struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_note(struct sql_db *db, const struct auth_ctx *who, int64_t now_ms, const char *action,
                      int64_t user_id, struct lt_error *err) LT_MUST_CHECK;
enum lt_err auth_locked(int64_t until_ms, int tz_min, struct lt_error *err) LT_MUST_CHECK; /* LT_E_AUTH_LOCKED */
/* A wrong password for an account that exists: counts, locks. */
enum lt_err auth_failure(struct sql_db *db, int64_t user_id, const char *login, const char *address, int64_t now_ms,
                         struct lt_error *err) LT_MUST_CHECK;
#endif
