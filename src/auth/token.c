/* Tokens for programs: scoped, hashed, with an end. */
#include "auth/auth_priv.h"
#include "base/text.h"

#include <stdio.h>

#define TOKENS_MAX   20 /* of one person, until he revokes them: one that has ended shows why a program fails */
#define TOKEN_MAX_MS (366 * LT_DAY_MS)
#define TOUCH_MS     LT_HOUR_MS

enum lt_err auth_token_create(const struct record_ctx *x, const char *name, const char *permissions,
                              int64_t expires_at_ms, int64_t *ret_id, char ret[AUTH_TOKEN_CHARS], struct lt_error *err)
{
    unsigned char hash[AUTH_HASH_BYTES];
    int64_t kept = 0;
    size_t chars = lt_text_chars(lt_slice_of(name));
    if (x->who->user_id == 0 || x->who->token_id != 0 || x->who->must_change)
        return lt_fail(err, LT_E_DENIED, NULL, "token", NULL, NULL); /* a token makes no tokens */
    if (!lt_text_is_utf8(lt_slice_of(name)) || chars == 0 || chars > 64)
        return lt_fail(err, LT_E_FIELD_LENGTH, "name", "name", "64", NULL);
    if (permissions[0] == '\0' || strlen(permissions) > 2000 || !auth_covers(x->who, lt_slice_of(permissions)))
        return lt_fail(err, LT_E_DENIED, "permissions", "grant more than you have / 授予超出自身的权限", NULL, NULL);
    if (expires_at_ms <= x->now_ms || expires_at_ms > x->now_ms + TOKEN_MAX_MS)
        return lt_fail(err, LT_E_FIELD_RANGE, "expires_at", "expires_at", "now", "366 d");
    enum lt_err e = auth_ready(err);
    if (e == LT_OK)
        e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = sql_get_i64(x->db, "SELECT count(*) FROM token WHERE user = ?1 AND revoked = 0", &x->who->user_id, &kept, err);
    if (e == LT_OK && kept >= TOKENS_MAX)
        e = lt_fail(err, LT_E_LIMIT_SIZE, NULL, "tokens", "20", NULL);
    if (e == LT_OK) {
        auth_random_token("lt_", ret);
        auth_token_hash(lt_slice_of(ret), hash);
        e = sql_do(x->db,
                   "INSERT INTO token(hash, name, user, permissions, created_at_ms, expires_at_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   SQL_VALUES(SQL_B(hash, sizeof hash), SQL_Z(name), SQL_I(x->who->user_id), SQL_Z(permissions),
                              SQL_I(x->now_ms), SQL_I(expires_at_ms)),
                   err);
    }
    if (e == LT_OK) {
        *ret_id = sql_last_id(x->db);
        e = auth_note(x->db, x->who, x->now_ms, "token_create", x->who->user_id, err);
    }
    return sql_end(x->db, e, err);
}

/* What the token asks for and its owner still has. */
static void cut_permissions(const struct auth_ctx *owner, struct lt_slice wanted, char *ret, size_t cap)
{
    size_t n = 0;
    ret[0] = '\0';
    while (wanted.n) {
        const char *comma = memchr(wanted.p, ',', wanted.n);
        struct lt_slice one = {wanted.p, comma ? (size_t)(comma - wanted.p) : wanted.n};
        size_t skip = comma ? one.n + 1 : one.n;
        wanted = (struct lt_slice){wanted.p + skip, wanted.n - skip};
        if (one.n == 0 || !auth_covers(owner, one) || n + one.n + 2 > cap)
            continue;
        if (n > 0)
            ret[n++] = ',';
        memcpy(ret + n, one.p, one.n);
        n += one.n;
        ret[n] = '\0';
    }
}

static void touch(struct sql_db *db, int64_t id, int64_t now_ms)
{
    enum lt_err e =
        sql_do(db, "UPDATE token SET used_at_ms = ?2 WHERE id = ?1", SQL_VALUES(SQL_I(id), SQL_I(now_ms)), NULL);
    (void)e; /* only shown in the list of tokens */
}

enum lt_err auth_token_find(struct sql_db *db, struct lt_slice token, const char *address, int64_t now_ms,
                            struct auth_ctx *ret_who, struct lt_error *err)
{
    unsigned char hash[AUTH_HASH_BYTES];
    struct sql_stmt *st = NULL;
    struct auth_ctx owner;
    bool row = false;
    char permissions[sizeof owner.permissions];
    auth_token_hash(token, hash);
    enum lt_err e = sql_row(db,
                            "SELECT id, user, permissions, expires_at_ms, coalesce(used_at_ms, 0) FROM token"
                            " WHERE hash = ?1 AND revoked = 0",
                            SQL_VALUES(SQL_B(hash, sizeof hash)), &st, &row, err);
    int64_t id = 0, used = 0;
    if (e == LT_OK && !row)
        e = lt_fail(err, LT_E_AUTH_REQUIRED, NULL, NULL, NULL, NULL);
    if (e == LT_OK && sql_col_i64(st, 3) <= now_ms)
        e = lt_fail(err, LT_E_AUTH_EXPIRED, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        e = auth_load_user(db, sql_col_i64(st, 1), address, &owner, err);
    if (e == LT_OK && owner.must_change)
        e = lt_fail(err, LT_E_AUTH_CHANGE, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        id = sql_col_i64(st, 0);
        used = sql_col_i64(st, 4);
        cut_permissions(&owner, sql_col_text(st, 2), permissions, sizeof permissions);
        lt_text_copy(owner.permissions, sizeof owner.permissions, permissions);
        owner.token_id = id;
        *ret_who = owner;
    }
    sql_release(&st);
    if (e == LT_OK && now_ms - used >= TOUCH_MS)
        touch(db, id, now_ms);
    return e;
}

enum lt_err auth_token_revoke(const struct record_ctx *x, int64_t id, struct lt_error *err)
{
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = sql_do(x->db, "UPDATE token SET revoked = 1 WHERE id = ?1 AND user = ?2 AND revoked = 0",
               SQL_VALUES(SQL_I(id), SQL_I(x->who->user_id)), err);
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)id);
    if (e == LT_OK && sql_changes(x->db) == 0)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "token", number, NULL);
    if (e == LT_OK)
        e = auth_note(x->db, x->who, x->now_ms, "token_revoke", x->who->user_id, err);
    return sql_end(x->db, e, err);
}

enum lt_err auth_token_list(const struct record_ctx *x, struct jsonw *w, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = true;
    enum lt_err e = sql_prepare(x->db,
                                "SELECT id, name, permissions, created_at_ms, expires_at_ms, coalesce(used_at_ms, 0)"
                                " FROM token WHERE user = ?1 AND revoked = 0 ORDER BY id LIMIT 20",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, x->who->user_id);
    jsonw_array(w);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        jsonw_object(w);
        jsonw_ki64(w, "id", sql_col_i64(st, 0));
        jsonw_kslice(w, "name", sql_col_text(st, 1));
        jsonw_kslice(w, "permissions", sql_col_text(st, 2));
        jsonw_ktime(w, "created_at", sql_col_i64(st, 3), x->tz_min);
        jsonw_ktime(w, "expires_at", sql_col_i64(st, 4), x->tz_min);
        jsonw_ktime(w, "used_at", sql_col_i64(st, 5), x->tz_min);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    sql_release(&st);
    return e;
}
