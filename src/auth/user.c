/* Users: first administrator, preset roles, passwords, the current user as JSON. */
#include "auth/auth_priv.h"
#include "base/log.h"
#include "base/text.h"

#include <sodium.h>
#include <stdio.h>

#define LOOK                                                                                                           \
    "territory:read,unit:read,person:read,enterprise:read,outlet:read,device:read,factor_limit:read,"                  \
    "process_state:read,rule:read,deadline:read,work_calendar:read,suppression:read,alarm:read,command:read,system:"   \
    "read,"                                                                                                            \
    "station:read,air_event:read,air_mapping:read,air_review:read,"                                                    \
    "air:read,air_target:read,rank_scheme:read,peer_figure:read,evidence:read,legal_hold:read,proof:read"
/* who brings in hourly values and proposes corrections of them */
#define AIR_WORK ",air:import,air_mapping:write,air_review:propose"
/* who may add follow-ups and hand over, and who may order that evidence be kept */
#define EVIDENCE_WORK ",evidence:append"
#define HOLD_WORK     ",legal_hold:write,legal_hold:delete"

/* the random draw: an inspector sees his own allotments only */
#define DRAW_LOOK ",draw:read,draw_weight:read,draw_conflict:read"
#define DRAW_WORK DRAW_LOOK ",draw:write,draw_weight:write,draw_weight:delete,draw_conflict:write,draw_conflict:delete"

#define ROLE_PERMISSIONS_MAX 2000 /* characters, as kinds.c declares */

static const struct {
    const char *code, *zh, *en, *permissions;
} presets[] = {
    {"duty", "值班员", "Duty officer",
     LOOK ",process_state:write,suppression:write,alarm:sign,alarm:handle,alarm:confirm,alarm:suppress,command:"
          "send,air:publish" AIR_WORK EVIDENCE_WORK HOLD_WORK DRAW_WORK},
    {"analyst", "研判", "Analyst",
     LOOK ",enterprise:write,outlet:write,device:write,factor_limit:write,factor_limit:delete,process_state:write,"
          "process_state:delete,rule:write,deadline:write,deadline:delete,work_calendar:write,work_calendar:delete,"
          "replay:read,replay:run,suppression:write,suppression:delete,person:write,"
          "alarm:sign,alarm:handle,"
          "alarm:confirm,alarm:suppress,command:send,station:write,air_event:write,air_event:delete,"
          "air_mapping:delete,air:push,air:undo,air_review:approve,air:publish,air_target:write,air_target:delete,rank_"
          "scheme:write,"
          "rank_scheme:delete,peer_figure:write,peer_figure:delete" AIR_WORK DRAW_WORK},
    {"county", "区县", "County office",
     LOOK ",enterprise:write,outlet:write,person:write,process_state:write,alarm:sign,alarm:handle,air_review:"
          "propose" EVIDENCE_WORK DRAW_LOOK},
    {"department", "部门", "Department", LOOK ",alarm:sign,alarm:handle"},
    {"inspector", "执法", "Inspector", LOOK ",alarm:sign,alarm:handle,alarm:confirm,draw:own" EVIDENCE_WORK},
    {"plant", "企业", "Plant",
     "territory:read,unit:read,enterprise:read,outlet:read,device:read,factor_limit:read,process_state:read,"
     "process_state:write,rule:read,alarm:read,alarm:sign,alarm:handle,station:read,air:read,evidence:read"},
    {"leader", "领导", "Leader", LOOK ",replay:read" DRAW_LOOK},
    {"auditor", "审计", "Auditor", LOOK ",replay:read,user:read,role:read,audit:read,proof:verify" HOLD_WORK DRAW_LOOK},
    {"admin", "管理员", "Administrator", "*"},
};

/* ---- roles ---- */

struct preset_state {          /* of one preset in this directory */
    int64_t role;              /* the record it was given as; 0: gone, or a role of this name is the office's own */
    bool given;                /* not to be made (again) */
    char has[2048], was[2048]; /* permissions of the role now; of the preset as it was last given */
};

static enum lt_err look_at(struct sql_db *db, const char *code, struct preset_state *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    *ret = (struct preset_state){0};
    enum lt_err e = sql_row(db,
                            "SELECT coalesce(r.id, 0), r.permissions, p.permissions,"
                            " EXISTS(SELECT 1 FROM role WHERE code = ?1) FROM (SELECT ?1 AS code) c"
                            " LEFT JOIN role_preset p ON p.code = c.code"
                            " LEFT JOIN role r ON r.id = p.role AND r.deleted = 0",
                            SQL_VALUES(SQL_Z(code)), &st, &row, err);
    if (e == LT_OK && row) {
        ret->role = sql_col_i64(st, 0);
        ret->given = sql_col_i64(st, 3) != 0;
        lt_text_copy_slice(ret->has, sizeof ret->has, sql_col_text(st, 1));
        lt_text_copy_slice(ret->was, sizeof ret->was, sql_col_text(st, 2));
    }
    sql_release(&st);
    return e;
}

static enum lt_err remember(struct sql_db *db, const char *code, int64_t role, const char *permissions,
                            struct lt_error *err)
{
    return sql_do(db,
                  "INSERT INTO role_preset(code, role, permissions) VALUES (?1, ?2, ?3)"
                  " ON CONFLICT(code) DO UPDATE SET permissions = excluded.permissions",
                  SQL_VALUES(SQL_Z(code), SQL_I(role), SQL_Z(permissions)), err);
}

static bool among(const char *list, struct lt_slice one)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (lt_slice_eq((struct lt_slice){p, n}, one))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* What the preset has now and had not when it was last given is added; what people took away since stays away. */
static enum lt_err upgrade(const struct record_ctx *x, const char *code, const char *preset, struct preset_state *s,
                           struct lt_error *err)
{
    struct auth_ctx role = {0};
    size_t n = strlen(s->has), before = n;
    lt_text_copy(role.permissions, sizeof role.permissions, s->has);
    for (const char *p = preset; *p;) {
        struct lt_slice one = {p, strcspn(p, ",")};
        p += one.n + (p[one.n] == ',');
        if (among(s->was, one) || auth_covers(&role, one))
            continue;
        if (n + one.n + 1 > ROLE_PERMISSIONS_MAX) {
            lt_log(LT_WARN, "auth.roles", "role=%s cause=list_full missing=%.*s", code, (int)one.n, one.p);
            continue;
        }
        n += (size_t)snprintf(s->has + n, sizeof s->has - n, "%s%.*s", n ? "," : "", (int)one.n, one.p);
    }
    if (n == before)
        return LT_OK;
    const struct record_set set[] = {RECORD_SET_Z("permissions", s->has)};
    return record_change(x, record_kind_find(LT_LIT("role")), s->role, 0, "upgrade", set, 1, err);
}

/* Makes the preset roles of a fresh post, and gives those of an older one what the presets have got since. */
static enum lt_err make_roles(const struct record_ctx *x, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(LT_LIT("role"));
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < sizeof presets / sizeof presets[0]; i++) {
        const char *code = presets[i].code, *permissions = presets[i].permissions;
        struct preset_state s;
        int64_t id = 0;
        e = look_at(x->db, code, &s, err);
        if (e != LT_OK || (s.given && strcmp(s.was, permissions) == 0))
            continue;
        const struct record_set set[] = {RECORD_SET_Z("code", code), RECORD_SET_Z("name", presets[i].zh),
                                         RECORD_SET_Z("name_en", presets[i].en),
                                         RECORD_SET_Z("permissions", permissions)};
        if (!s.given)
            e = record_insert(x, k, set, sizeof set / sizeof set[0], &id, err);
        else if (s.role)
            e = upgrade(x, code, permissions, &s, err);
        if (e == LT_OK && (!s.given || s.was[0]))
            e = remember(x->db, code, id, permissions, err);
    }
    return e;
}

static enum lt_err tables(struct sql_db *db, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1, "CREATE TABLE session(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,"
            " user INTEGER NOT NULL REFERENCES user(id), created_at_ms INTEGER NOT NULL, used_at_ms INTEGER NOT NULL,"
            " address TEXT NOT NULL);"
            "CREATE INDEX session_user ON session(user);"
            "CREATE TABLE token(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL,"
            " user INTEGER NOT NULL REFERENCES user(id), permissions TEXT NOT NULL, created_at_ms INTEGER NOT NULL,"
            " expires_at_ms INTEGER NOT NULL, used_at_ms INTEGER, revoked INTEGER NOT NULL DEFAULT 0);"
            "CREATE INDEX token_user ON token(user)"},
        /* The presets as they were last given. Of a directory made before this table that is what its setup wrote. */
        {2, "CREATE TABLE role_preset(code TEXT PRIMARY KEY, role INTEGER NOT NULL, permissions TEXT NOT NULL)"
            " WITHOUT ROWID;"
            "INSERT OR IGNORE INTO role_preset(code, role, permissions)"
            " SELECT r.code, r.id, json_extract(h.change, '$.permissions[1]') FROM role r JOIN record_history h"
            " ON h.kind = 'role' AND h.record_id = r.id AND h.version = 1 AND h.user_name = 'setup'"
            " AND h.change LIKE '%\"permissions\"%' ORDER BY r.deleted, r.id"},
    };
    return sql_migrate(db, "auth", steps, sizeof steps / sizeof steps[0], err);
}

enum lt_err auth_setup(struct sql_db *db, int64_t now_ms, char *ret_password, size_t cap, struct lt_error *err)
{
    const struct auth_ctx who = auth_system("setup");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = LT_TZ_CHINA};
    int64_t users = 0, id;
    ret_password[0] = '\0';
    enum lt_err e = auth_ready(err);
    if (e == LT_OK)
        e = tables(db, err);
    if (e == LT_OK)
        e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = make_roles(&x, err);
    if (e == LT_OK)
        e = sql_get_i64(db, "SELECT count(*) FROM user", NULL, &users, err);
    if (e == LT_OK && users == 0)
        e = auth_user_add(&x, "admin", "管理员", "admin", 0, 0, &id, ret_password, cap, err);
    return sql_end(db, e, err);
}

/* ---- passwords ---- */

static enum lt_err revoke_all(struct sql_db *db, int64_t user_id, struct lt_error *err)
{
    return sql_do(db, "UPDATE token SET revoked = 1 WHERE user = ?1", SQL_VALUES(SQL_I(user_id)), err);
}

/* Writes a hash into the record; `who` of x has been judged by the caller. keep_session 0: somebody else set it, so
 * that what the user handed out to programs ends too. */
static enum lt_err put_hash(const struct record_ctx *x, int64_t user_id, const char *hash, bool must_change,
                            const char *action, int64_t keep_session, struct lt_error *err)
{
    struct auth_ctx who = *x->who; /* the password is a field that only the post writes */
    who.system = true;
    who.everywhere = true;
    lt_text_copy(who.permissions, sizeof who.permissions, "*");
    struct record_ctx as = *x;
    as.who = &who;
    const struct record_set set[] = {
        RECORD_SET_Z("password", hash),
        RECORD_SET_I("must_change", must_change),
        RECORD_SET_I("failures", 0),
        RECORD_SET_NULL("locked_until_ms"),
    };
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = record_change(&as, record_kind_find(LT_LIT("user")), user_id, 0, action, set, 4, err);
    if (e == LT_OK)
        e = auth_end_sessions(x->db, user_id, keep_session, err);
    if (e == LT_OK && keep_session == 0)
        e = revoke_all(x->db, user_id, err);
    return sql_end(x->db, e, err);
}

/* The caller may manage users, sees this one, and could do himself whatever this one may do. */
static enum lt_err authority(const struct record_ctx *x, int64_t user_id, char login[65], struct lt_error *err)
{
    struct record_row r;
    struct sql_stmt *st = NULL;
    bool row = false, covered = false;
    enum lt_err e = auth_need(x->who, "user:write", err);
    if (e == LT_OK)
        e = record_load(x, record_kind_find(LT_LIT("user")), user_id, &r, err);
    if (e != LT_OK)
        return e;
    lt_text_copy_slice(login, 65, record_text(&r, "login"));
    e = sql_prepare(x->db, "SELECT permissions FROM role WHERE id = ?1", &st, err);
    if (e == LT_OK) {
        sql_bind_i64(st, 1, record_i64(&r, "role", 0));
        e = sql_step(st, &row, err);
        covered = e == LT_OK && (!row || auth_covers(x->who, sql_col_text(st, 0)));
        sql_release(&st);
    }
    record_row_fini(&r);
    if (e == LT_OK && !covered)
        e = lt_fail(err, LT_E_DENIED, "role", "user:write", NULL, NULL);
    return e;
}

static enum lt_err set_given(const struct record_ctx *x, int64_t user_id, struct lt_slice password, bool must_change,
                             const char *action, struct lt_error *err)
{
    char login[65], hash[128];
    enum lt_err e = authority(x, user_id, login, err);
    if (e == LT_OK)
        e = auth_password_ok(password, lt_slice_of(login), err);
    if (e == LT_OK)
        e = auth_hash_password(password, hash, err);
    return e == LT_OK ? put_hash(x, user_id, hash, must_change, action, 0, err) : e;
}

enum lt_err auth_password_set(const struct record_ctx *x, int64_t user_id, struct lt_slice password, bool must_change,
                              struct lt_error *err)
{
    return set_given(x, user_id, password, must_change, "password_set", err);
}

enum lt_err auth_password_reset(const struct record_ctx *x, int64_t user_id, char *ret, size_t cap,
                                struct lt_error *err)
{
    char made[32];
    enum lt_err e = auth_ready(err);
    if (e != LT_OK)
        return e;
    auth_one_time_password(made, sizeof made);
    e = set_given(x, user_id, lt_slice_of(made), true, "password_reset", err);
    if (e == LT_OK)
        lt_text_copy(ret, cap, made);
    sodium_memzero(made, sizeof made);
    return e;
}

static enum lt_err stored_hash(const struct record_ctx *x, char ret[128], struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(x->db, "SELECT password, coalesce(locked_until_ms, 0) FROM user WHERE id = ?1",
                            SQL_VALUES(SQL_I(x->who->user_id)), &st, &row, err);
    ret[0] = '\0';
    if (e == LT_OK && row && sql_col_i64(st, 1) > x->now_ms)
        e = auth_locked(sql_col_i64(st, 1), x->tz_min, err);
    else if (e == LT_OK && row)
        lt_text_copy_slice(ret, 128, sql_col_text(st, 0));
    sql_release(&st);
    return e;
}

enum lt_err auth_password_change(const struct record_ctx *x, struct lt_slice old, struct lt_slice new_,
                                 struct lt_error *err)
{
    const struct auth_ctx *who = x->who;
    char hash[128];
    bool ok = false;
    enum lt_err e = stored_hash(x, hash, err);
    if (e == LT_OK)
        e = auth_check_password(old, hash, &ok, err);
    if (e == LT_OK && !ok) {
        e = auth_failure(x->db, who->user_id, who->login, who->address, x->now_ms, err);
        return e == LT_OK ? lt_fail(err, LT_E_AUTH_FAILED, "old", NULL, NULL, NULL) : e;
    }
    if (e == LT_OK && lt_slice_eq(old, new_))
        e = lt_fail(err, LT_E_AUTH_WEAK, "new", "the same as before / 与原密码相同", NULL, NULL);
    if (e == LT_OK)
        e = auth_password_ok(new_, lt_slice_of(who->login), err);
    if (e == LT_OK)
        e = auth_hash_password(new_, hash, err);
    return e == LT_OK ? put_hash(x, who->user_id, hash, false, "password_change", who->session_id, err) : e;
}

/* ---- users ---- */

static enum lt_err role_id(struct sql_db *db, const char *code, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e =
        sql_row(db, "SELECT id FROM role WHERE code = ?1 AND deleted = 0", SQL_VALUES(SQL_Z(code)), &st, &row, err);
    if (e == LT_OK && row)
        *ret = sql_col_i64(st, 0);
    else if (e == LT_OK)
        e = lt_fail(err, LT_E_REF_MISSING, "role", "role", "role", code);
    sql_release(&st);
    return e;
}

enum lt_err auth_user_add(const struct record_ctx *x, const char *login, const char *name, const char *role,
                          int64_t territory, int64_t enterprise, int64_t *ret_id, char *ret_password, size_t cap,
                          struct lt_error *err)
{
    int64_t role_no = 0;
    char made[32], hash[128];
    enum lt_err e = auth_need(x->who, "user:write", err);
    if (e == LT_OK)
        e = auth_ready(err);
    if (e == LT_OK)
        e = role_id(x->db, role, &role_no, err);
    if (e != LT_OK)
        return e;
    auth_one_time_password(made, sizeof made);
    e = auth_hash_password(lt_slice_of(made), hash, err);
    const struct record_set set[] = {
        RECORD_SET_Z("login", login),
        RECORD_SET_Z("name", name),
        RECORD_SET_I("role", role_no),
        RECORD_SET_Z("lang", x->who->lang == LT_EN ? "en" : "zh"),
        RECORD_SET_Z("password", hash),
        RECORD_SET_I("must_change", 1),
        territory ? RECORD_SET_I("territory", territory) : RECORD_SET_NULL("territory"),
        enterprise ? RECORD_SET_I("enterprise", enterprise) : RECORD_SET_NULL("enterprise"),
    };
    if (e == LT_OK)
        e = record_insert(x, record_kind_find(LT_LIT("user")), set, sizeof set / sizeof set[0], ret_id, err);
    if (e == LT_OK)
        lt_text_copy(ret_password, cap, made);
    sodium_memzero(made, sizeof made);
    return e;
}

enum lt_err auth_set_lang(struct sql_db *db, const struct auth_ctx *who, enum lt_lang lang, struct lt_error *err)
{
    return sql_do(db, "UPDATE user SET lang = ?2 WHERE id = ?1",
                  SQL_VALUES(SQL_I(who->user_id), SQL_Z(lang == LT_EN ? "en" : "zh")), err);
}

static void write_permissions(const char *list, struct jsonw *w)
{
    jsonw_key(w, "permissions");
    jsonw_array(w);
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (n > 0)
            jsonw_slice(w, (struct lt_slice){p, n});
        p += n + (p[n] == ',');
    }
    jsonw_array_end(w);
}

enum lt_err auth_user_json(struct sql_db *db, const struct auth_ctx *who, struct jsonw *w, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_row(db,
                            "SELECT r.name, r.name_en, t.name, t.name_en, e.name, u.unit FROM user u LEFT JOIN role r"
                            " ON r.id = u.role LEFT JOIN territory t ON t.id = u.territory"
                            " LEFT JOIN enterprise e ON e.id = u.enterprise WHERE u.id = ?1",
                            SQL_VALUES(SQL_I(who->user_id)), &st, &row, err);
    if (e == LT_OK) {
        int lang = who->lang == LT_EN;
        jsonw_object(w);
        jsonw_ki64(w, "id", who->user_id);
        jsonw_kstr(w, "login", who->login);
        jsonw_kstr(w, "name", who->name);
        jsonw_kstr(w, "role", who->role);
        jsonw_kslice(w, "role_name", row ? sql_col_text(st, lang && sql_col_text(st, 1).n ? 1 : 0) : LT_LIT(""));
        write_permissions(who->permissions, w);
        jsonw_ki64(w, "territory", who->territory);
        jsonw_kslice(w, "territory_name", row ? sql_col_text(st, lang && sql_col_text(st, 3).n ? 3 : 2) : LT_LIT(""));
        jsonw_ki64(w, "enterprise", who->enterprise);
        jsonw_kslice(w, "enterprise_name", row ? sql_col_text(st, 4) : LT_LIT(""));
        jsonw_kstr(w, "lang", lang ? "en" : "zh");
        jsonw_kbool(w, "must_change", who->must_change);
        jsonw_object_end(w);
    }
    sql_release(&st);
    return e;
}
