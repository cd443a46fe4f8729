/* Sessions: sign in, find, sign out. */
#include "auth/auth_priv.h"
#include "base/text.h"

#include <sodium.h>
#include <stdio.h>

#define TOUCH_MS LT_MIN_MS /* the last use is written at most this often */

static bool has_star(struct lt_slice list)
{
    return lt_slice_is(list, "*") || (list.n > 1 && memcmp(list.p, "*,", 2) == 0);
}

static void fill_user(struct sql_stmt *st, const char *address, struct auth_ctx *c)
{
    *c = (struct auth_ctx){.user_id = sql_col_i64(st, 0),
                           .territory = sql_col_i64(st, 3),
                           .enterprise = sql_col_i64(st, 4),
                           .unit = sql_col_i64(st, 5),
                           .lang = lt_slice_is(sql_col_text(st, 6), "en") ? LT_EN : LT_ZH,
                           .must_change = sql_col_i64(st, 7) != 0};
    lt_text_copy_slice(c->login, sizeof c->login, sql_col_text(st, 1));
    lt_text_copy_slice(c->name, sizeof c->name, sql_col_text(st, 2));
    lt_text_copy_slice(c->role, sizeof c->role, sql_col_text(st, 8));
    lt_text_copy_slice(c->permissions, sizeof c->permissions, sql_col_text(st, 9));
    lt_text_copy(c->address, sizeof c->address, address ? address : "");
    c->everywhere = has_star(sql_col_text(st, 9)) && c->territory == 0 && c->enterprise == 0;
}

enum lt_err auth_load_user(struct sql_db *db, int64_t user_id, const char *address, struct auth_ctx *ret,
                           struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db,
                            "SELECT u.id, u.login, u.name, u.territory, u.enterprise, u.unit, u.lang, u.must_change,"
                            " r.code, r.permissions FROM user u LEFT JOIN role r ON r.id = u.role AND r.deleted = 0"
                            " WHERE u.id = ?1 AND u.deleted = 0 AND coalesce(u.disabled, 0) = 0",
                            SQL_VALUES(SQL_I(user_id)), &st, &row, err);
    if (e == LT_OK && row)
        fill_user(st, address, ret);
    else if (e == LT_OK)
        e = lt_fail(err, LT_E_AUTH_REQUIRED, NULL, NULL, NULL, NULL);
    sql_release(&st);
    return e;
}

enum lt_err auth_note(struct sql_db *db, const struct auth_ctx *who, int64_t now_ms, const char *action,
                      int64_t user_id, struct lt_error *err)
{
    const struct audit_entry a = {.who = who, .at_ms = now_ms, .action = action, .kind = "user", .record_id = user_id};
    return audit_add(db, &a, err);
}

/* ---- signing in ---- */

struct account {
    int64_t id, locked_until_ms;
    bool disabled;
    char hash[128];
};

static enum lt_err find_account(struct sql_db *db, struct lt_slice login, struct account *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db,
                            "SELECT id, coalesce(locked_until_ms, 0), coalesce(disabled, 0), password FROM user"
                            " WHERE login = ?1 AND deleted = 0",
                            SQL_VALUES(SQL_S(login.p ? login : LT_LIT(""))), &st, &row, err);
    *ret = (struct account){0};
    if (e == LT_OK && row) {
        ret->id = sql_col_i64(st, 0);
        ret->locked_until_ms = sql_col_i64(st, 1);
        ret->disabled = sql_col_i64(st, 2) != 0;
        lt_text_copy_slice(ret->hash, sizeof ret->hash, sql_col_text(st, 3));
    }
    sql_release(&st);
    return e;
}

static enum lt_err failed(struct lt_error *err)
{
    return lt_fail(err, LT_E_AUTH_FAILED, NULL, NULL, NULL, NULL);
}

enum lt_err auth_locked(int64_t until_ms, int tz_min, struct lt_error *err)
{
    char until[40];
    lt_time_format_iso(until_ms, tz_min, until);
    return lt_fail(err, LT_E_AUTH_LOCKED, NULL, until, NULL, NULL);
}

static enum lt_err count_failure(struct sql_db *db, int64_t user_id, int64_t now_ms, struct lt_error *err)
{
    return sql_do(db,
                  "UPDATE user SET locked_until_ms = CASE WHEN coalesce(failures, 0) + 1 >= ?3 THEN ?2 + ?4"
                  " ELSE locked_until_ms END, failures = CASE WHEN coalesce(failures, 0) + 1 >= ?3 THEN 0"
                  " ELSE coalesce(failures, 0) + 1 END WHERE id = ?1",
                  SQL_VALUES(SQL_I(user_id), SQL_I(now_ms), SQL_I(AUTH_FAILURES), SQL_I(AUTH_LOCK_MS)), err);
}

enum lt_err auth_failure(struct sql_db *db, int64_t user_id, const char *login, const char *address, int64_t now_ms,
                         struct lt_error *err)
{
    struct auth_ctx who = {.user_id = 0};
    lt_text_copy(who.name, sizeof who.name, login);
    lt_text_copy(who.address, sizeof who.address, address ? address : "");
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = count_failure(db, user_id, now_ms, err);
    if (e == LT_OK) /* at most five in a quarter of an hour for each account, so the table cannot be flooded */
        e = auth_note(db, &who, now_ms, "login_failed", user_id, err);
    return sql_end(db, e, err);
}

static enum lt_err clear_failures(struct sql_db *db, int64_t user_id, struct lt_error *err)
{
    return sql_do(db, "UPDATE user SET failures = 0, locked_until_ms = NULL WHERE id = ?1", SQL_VALUES(SQL_I(user_id)),
                  err);
}

static enum lt_err insert_session(struct sql_db *db, const struct auth_ctx *who, const char *token, int64_t now_ms,
                                  int64_t *ret_id, struct lt_error *err)
{
    unsigned char hash[AUTH_HASH_BYTES];
    auth_token_hash(lt_slice_of(token), hash);
    enum lt_err e =
        sql_do(db,
               "INSERT INTO session(hash, user, created_at_ms, used_at_ms, address)"
               " VALUES (?1, ?2, ?3, ?3, ?4)",
               SQL_VALUES(SQL_B(hash, sizeof hash), SQL_I(who->user_id), SQL_I(now_ms), SQL_Z(who->address)), err);
    if (e == LT_OK)
        *ret_id = sql_last_id(db);
    return e;
}

static enum lt_err open_session(struct sql_db *db, int64_t user_id, const char *address, int64_t now_ms,
                                struct auth_session *ret, struct auth_ctx *ret_who, struct lt_error *err)
{
    auth_random_token("", ret->token);
    auth_csrf(lt_slice_of(ret->token), ret->csrf);
    ret->expires_at_ms = now_ms + AUTH_ABSOLUTE_MS;
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = auth_load_user(db, user_id, address, ret_who, err);
    if (e == LT_OK)
        e = clear_failures(db, user_id, err);
    if (e == LT_OK)
        e = insert_session(db, ret_who, ret->token, now_ms, &ret_who->session_id, err);
    if (e == LT_OK)
        e = auth_note(db, ret_who, now_ms, "login", user_id, err);
    return sql_end(db, e, err);
}

enum lt_err auth_login(struct sql_db *db, struct lt_slice login, struct lt_slice password, const char *address,
                       int64_t now_ms, int tz_min, struct auth_session *ret, struct auth_ctx *ret_who,
                       struct lt_error *err)
{
    struct account a;
    bool ok = false;
    char name[65];
    enum lt_err e = find_account(db, login, &a, err);
    if (e != LT_OK)
        return e;
    if (a.locked_until_ms > now_ms)
        return auth_locked(a.locked_until_ms, tz_min, err);
    e = auth_check_password(password, a.hash, &ok, err);
    if (e != LT_OK)
        return e;
    if (a.id == 0 || a.disabled)
        return failed(err);
    if (!ok) {
        lt_text_copy_slice(name, sizeof name, login);
        e = auth_failure(db, a.id, name, address, now_ms, err);
        return e == LT_OK ? failed(err) : e;
    }
    return open_session(db, a.id, address, now_ms, ret, ret_who, err);
}

/* ---- using a session ---- */

static enum lt_err expired(struct lt_error *err)
{
    return lt_fail(err, LT_E_AUTH_EXPIRED, NULL, NULL, NULL, NULL);
}

static void touch(struct sql_db *db, int64_t id, int64_t now_ms)
{
    enum lt_err e =
        sql_do(db, "UPDATE session SET used_at_ms = ?2 WHERE id = ?1", SQL_VALUES(SQL_I(id), SQL_I(now_ms)), NULL);
    (void)e; /* a busy database only makes the session end a minute sooner */
}

enum lt_err auth_session_find(struct sql_db *db, struct lt_slice token, const char *address, int64_t now_ms,
                              struct auth_ctx *ret_who, struct lt_error *err)
{
    unsigned char hash[AUTH_HASH_BYTES];
    struct sql_stmt *st = NULL;
    bool row = false;
    if (token.n == 0)
        return lt_fail(err, LT_E_AUTH_REQUIRED, NULL, NULL, NULL, NULL);
    auth_token_hash(token, hash);
    enum lt_err e = sql_row(db, "SELECT id, user, created_at_ms, used_at_ms FROM session WHERE hash = ?1",
                            SQL_VALUES(SQL_B(hash, sizeof hash)), &st, &row, err);
    int64_t id = 0, user = 0, created = 0, used = 0;
    if (e == LT_OK && row) {
        id = sql_col_i64(st, 0);
        user = sql_col_i64(st, 1);
        created = sql_col_i64(st, 2);
        used = sql_col_i64(st, 3);
    }
    sql_release(&st);
    if (e != LT_OK)
        return e;
    if (!row || now_ms - created >= AUTH_ABSOLUTE_MS || now_ms - used >= AUTH_IDLE_MS)
        return expired(err);
    e = auth_load_user(db, user, address, ret_who, err);
    if (e == LT_E_AUTH_REQUIRED)
        return expired(err);
    if (e == LT_OK) {
        ret_who->session_id = id;
        if (now_ms - used >= TOUCH_MS)
            touch(db, id, now_ms);
    }
    return e;
}

void auth_csrf(struct lt_slice token, char ret[AUTH_TOKEN_CHARS])
{
    unsigned char key[AUTH_HASH_BYTES], out[32];
    static const unsigned char what[] = "page token";
    auth_token_hash(token, key);
    crypto_generichash(out, sizeof out, what, sizeof what, key, sizeof key);
    /* The stored hash of the session is this key: whoever read the table could make the page token, but not the cookie
     * it must come with. */
    sodium_bin2base64(ret, AUTH_TOKEN_CHARS, out, sizeof out, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool auth_csrf_ok(struct lt_slice token, struct lt_slice given)
{
    char want[AUTH_TOKEN_CHARS];
    auth_csrf(token, want);
    return given.n == strlen(want) && sodium_memcmp(given.p, want, given.n) == 0;
}

static enum lt_err delete_by(struct sql_db *db, const char *text, int64_t a, int64_t b, struct lt_error *err)
{
    return sql_do(db, text, SQL_VALUES(SQL_I(a), SQL_I(b)), err);
}

enum lt_err auth_end_sessions(struct sql_db *db, int64_t user_id, int64_t except_session, struct lt_error *err)
{
    return delete_by(db, "DELETE FROM session WHERE user = ?1 AND id != ?2", user_id, except_session, err);
}

enum lt_err auth_logout(struct sql_db *db, const struct auth_ctx *who, int64_t now_ms, struct lt_error *err)
{
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = delete_by(db, "DELETE FROM session WHERE id = ?1 AND user = ?2", who->session_id, who->user_id, err);
    if (e == LT_OK)
        e = auth_note(db, who, now_ms, "logout", who->user_id, err);
    return sql_end(db, e, err);
}

enum lt_err auth_expire(struct sql_db *db, int64_t now_ms, struct lt_error *err)
{
    return delete_by(db, "DELETE FROM session WHERE created_at_ms <= ?1 OR used_at_ms <= ?2", now_ms - AUTH_ABSOLUTE_MS,
                     now_ms - AUTH_IDLE_MS, err);
}
