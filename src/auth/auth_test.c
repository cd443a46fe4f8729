/* Tests of auth: first start, sign in, lockout, sessions, page tokens, passwords, API tokens, authority over users. */
#include "auth/auth_priv.h"
#include "record/record_testing.h"

#include <pthread.h>
#include <sodium.h>

struct bench {
    struct city *c;
    char admin_password[32];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct lt_error err = {0};
    b->c = city_make(":memory:");
    assert_int_equal(auth_setup(b->c->db, T0, b->admin_password, sizeof b->admin_password, &err), LT_OK);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    city_free(b->c);
    free(b);
    return 0;
}

static enum lt_err login(struct bench *b, const char *name, const char *password, int64_t now, struct auth_session *s,
                         struct auth_ctx *who)
{
    struct lt_error err;
    return auth_login(b->c->db, lt_slice_of(name), lt_slice_of(password), "10.1.1.1", now, LT_TZ_CHINA, s, who, &err);
}

static enum lt_err change(struct bench *b, const struct auth_ctx *who, struct lt_slice old, struct lt_slice new_)
{
    const struct record_ctx x = {.db = b->c->db, .who = who, .now_ms = T0, .tz_min = LT_TZ_CHINA};
    struct lt_error err;
    return auth_password_change(&x, old, new_, &err);
}

static int64_t number(struct bench *b, const char *text)
{
    int64_t n = -1;
    assert_int_equal(sql_get_i64(b->c->db, text, NULL, &n, NULL), LT_OK);
    return n;
}

static void the_first_start_makes_one_administrator(void **state)
{
    struct bench *b = *state;
    struct auth_session s;
    struct auth_ctx who;
    struct lt_error err;
    char again[32] = "x";
    assert_int_equal(strlen(b->admin_password), 16);
    assert_int_equal(number(b, "SELECT count(*) FROM role"), 9);
    assert_int_equal(auth_setup(b->c->db, T0, again, sizeof again, &err), LT_OK);
    assert_string_equal(again, "");
    assert_int_equal(number(b, "SELECT count(*) FROM user"), 1);
    assert_int_equal(login(b, "admin", b->admin_password, T0, &s, &who), LT_OK);
    assert_true(who.must_change && who.everywhere);
    assert_false(auth_may(&who, "device:read")); /* only the change of password */
    assert_int_equal(change(b, &who, lt_slice_of(b->admin_password), LT_LIT("Blue-sky 2026!")), LT_OK);
    assert_int_equal(auth_session_find(b->c->db, lt_slice_of(s.token), "10.1.1.1", T0, &who, &err), LT_OK);
    assert_false(who.must_change);
    assert_true(auth_may(&who, "device:write"));
    /* nothing secret was written down */
    assert_int_equal(number(b, "SELECT count(*) FROM record_history WHERE instr(change, '$argon2')"), 0);
    assert_int_equal(number(b, "SELECT count(*) FROM audit WHERE instr(detail, '$argon2')"), 0);
    assert_int_equal(number(b, "SELECT count(*) FROM user WHERE password LIKE '$argon2id$%'"), 1);
}

static void five_failures_lock_for_a_quarter(void **state)
{
    struct bench *b = *state;
    struct auth_session s;
    struct auth_ctx who;
    for (int i = 0; i < 5; i++)
        assert_int_equal(login(b, "admin", "wrong", T0 + i, &s, &who), LT_E_AUTH_FAILED);
    assert_int_equal(login(b, "admin", b->admin_password, T0 + 5, &s, &who), LT_E_AUTH_LOCKED);
    assert_int_equal(login(b, "admin", b->admin_password, T0 + AUTH_LOCK_MS, &s, &who), LT_E_AUTH_LOCKED);
    assert_int_equal(login(b, "admin", b->admin_password, T0 + 4 + AUTH_LOCK_MS, &s, &who), LT_OK);
    assert_int_equal(number(b, "SELECT failures FROM user"), 0);
    assert_int_equal(number(b, "SELECT count(*) FROM audit WHERE action = 'login_failed'"), 5);
    assert_int_equal(login(b, "nobody", "wrong", T0, &s, &who), LT_E_AUTH_FAILED);
    assert_int_equal(login(b, "", "", T0, &s, &who), LT_E_AUTH_FAILED);
}

static void an_unknown_name_takes_as_long(void **state)
{
    struct bench *b = *state;
    struct auth_session s;
    struct auth_ctx who;
    int64_t took[2] = {INT64_MAX, INT64_MAX};
    for (int i = 0; i < 4; i++) { /* the least of some, since the machine has other work */
        int64_t t = lt_mono_us();
        (void)login(b, i % 2 ? "admin" : "nobody", "wrong", T0, &s, &who);
        t = lt_mono_us() - t;
        if (t < took[i % 2])
            took[i % 2] = t;
    }
    print_message("unknown %lld us, known %lld us\n", (long long)took[0], (long long)took[1]);
    assert_true(took[0] > took[1] / 3);
}

static void sessions_end(void **state)
{
    struct bench *b = *state;
    struct auth_session s;
    struct auth_ctx who;
    struct lt_error err;
    assert_int_equal(login(b, "admin", b->admin_password, T0, &s, &who), LT_OK);
    struct lt_slice t = lt_slice_of(s.token);
    assert_int_equal(t.n, 43);
    assert_int_equal(number(b, "SELECT count(*) FROM session WHERE length(hash) = 32"), 1); /* not the token itself */
    assert_int_equal(auth_session_find(b->c->db, LT_LIT(""), "", T0, &who, &err), LT_E_AUTH_REQUIRED);
    assert_int_equal(auth_session_find(b->c->db, LT_LIT("nonsense"), "", T0, &who, &err), LT_E_AUTH_EXPIRED);
    int64_t now = T0;
    for (int i = 0; i < 23; i++) { /* used every seven hours it lives until its absolute end */
        now += 7 * LT_HOUR_MS;
        assert_int_equal(auth_session_find(b->c->db, t, "", now, &who, &err), LT_OK);
    }
    assert_int_equal(auth_session_find(b->c->db, t, "", T0 + AUTH_ABSOLUTE_MS, &who, &err), LT_E_AUTH_EXPIRED);
    assert_int_equal(login(b, "admin", b->admin_password, T0, &s, &who), LT_OK);
    t = lt_slice_of(s.token);
    assert_int_equal(auth_session_find(b->c->db, t, "", T0 + AUTH_IDLE_MS, &who, &err), LT_E_AUTH_EXPIRED);
    assert_int_equal(auth_session_find(b->c->db, t, "", T0 + AUTH_IDLE_MS - 1, &who, &err), LT_OK);
    assert_int_equal(auth_logout(b->c->db, &who, T0, &err), LT_OK);
    assert_int_equal(auth_session_find(b->c->db, t, "", T0, &who, &err), LT_E_AUTH_EXPIRED);
    assert_int_equal(auth_expire(b->c->db, T0 + AUTH_ABSOLUTE_MS, &err), LT_OK);
    assert_int_equal(number(b, "SELECT count(*) FROM session"), 0);
    /* a user who is switched off is out at once */
    assert_int_equal(login(b, "admin", b->admin_password, T0, &s, &who), LT_OK);
    const struct record_set off[] = {RECORD_SET_I("disabled", 1)};
    assert_int_equal(record_change(&b->c->x, kind_of("user"), who.user_id, 0, "update", off, 1, &err), LT_OK);
    assert_int_equal(auth_session_find(b->c->db, lt_slice_of(s.token), "", T0, &who, &err), LT_E_AUTH_EXPIRED);
    assert_int_equal(login(b, "admin", b->admin_password, T0, &s, &who), LT_E_AUTH_FAILED);
}

static void page_tokens(void **state)
{
    char a[AUTH_TOKEN_CHARS], c[AUTH_TOKEN_CHARS];
    auth_csrf(LT_LIT("one"), a);
    auth_csrf(LT_LIT("two"), c);
    assert_string_not_equal(a, c);
    assert_true(auth_csrf_ok(LT_LIT("one"), lt_slice_of(a)));
    assert_false(auth_csrf_ok(LT_LIT("one"), lt_slice_of(c)));
    assert_false(auth_csrf_ok(LT_LIT("one"), LT_LIT("")));
    assert_false(auth_csrf_ok(LT_LIT("one"), (struct lt_slice){a, 42}));
}

static void weak_passwords_are_refused(void **state)
{
    static const char *const weak[] = {"short1!A",     "alllowercase1", "ALLUPPER1234", "1234567890!!",
                                       "Aa1!Aa1!Aa1!", "Password1!",    "P@ssw0rd2026", "Admin@12345",
                                       "Lantian@2026", "Qwerty12345!",  "zhangsan-X9"};
    static const char *const good[] = {"Blue-sky 2026!", "kj3Hd9sKq2Wm", "蓝天保卫战Blue9", "correct-Horse-7"};
    struct lt_error err;
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        enum lt_err e = auth_password_ok(lt_slice_of(weak[i]), LT_LIT("zhangsan"), &err);
        if (e != LT_E_AUTH_WEAK)
            print_error("taken: %s\n", weak[i]);
        assert_int_equal(e, LT_E_AUTH_WEAK);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(auth_password_ok(lt_slice_of(good[i]), LT_LIT("zhangsan"), &err), LT_OK);
    char big[200];
    memset(big, 'a', sizeof big);
    memcpy(big, "Xy9!zq", 6);
    assert_int_equal(auth_password_ok((struct lt_slice){big, sizeof big}, LT_LIT(""), &err), LT_E_AUTH_WEAK);
}

static int64_t add(struct bench *b, struct record_ctx *x, const char *name, const char *role, int64_t territory,
                   int64_t enterprise, char password[32])
{
    int64_t id = 0;
    struct lt_error err = {0};
    assert_int_equal(auth_user_add(x, name, name, role, territory, enterprise, &id, password, 32, &err), LT_OK);
    return id;
}

static void changing_a_password_ends_the_other_sessions(void **state)
{
    struct bench *b = *state;
    struct auth_session one, two;
    struct auth_ctx who;
    struct lt_error err;
    char pw[32], fresh[32];
    int64_t id = add(b, &b->c->x, "duty1", "duty", b->c->county[0], 0, pw);
    assert_int_equal(login(b, "duty1", pw, T0, &one, &who), LT_OK);
    assert_int_equal(login(b, "duty1", pw, T0, &two, &who), LT_OK);
    assert_int_equal(change(b, &who, LT_LIT("wrong"), LT_LIT("Blue-sky 2026!")), LT_E_AUTH_FAILED);
    assert_int_equal(change(b, &who, lt_slice_of(pw), LT_LIT("weak")), LT_E_AUTH_WEAK);
    assert_int_equal(change(b, &who, lt_slice_of(pw), lt_slice_of(pw)), LT_E_AUTH_WEAK);
    assert_int_equal(change(b, &who, lt_slice_of(pw), LT_LIT("Blue-sky 2026!")), LT_OK);
    assert_int_equal(auth_session_find(b->c->db, lt_slice_of(one.token), "", T0, &who, &err), LT_E_AUTH_EXPIRED);
    assert_int_equal(auth_session_find(b->c->db, lt_slice_of(two.token), "", T0, &who, &err), LT_OK);
    assert_int_equal(who.territory, b->c->county[0]);
    assert_false(who.everywhere);
    assert_int_equal(auth_password_reset(&b->c->x, id, fresh, sizeof fresh, &err), LT_OK);
    assert_int_equal(auth_session_find(b->c->db, lt_slice_of(two.token), "", T0, &who, &err), LT_E_AUTH_EXPIRED);
    assert_int_equal(login(b, "duty1", "Blue-sky 2026!", T0, &one, &who), LT_E_AUTH_FAILED);
    assert_int_equal(login(b, "duty1", fresh, T0, &one, &who), LT_OK);
    assert_true(who.must_change);
    struct lt_buf out = LT_BUF_INIT(1u << 16);
    struct jsonw w;
    jsonw_init(&w, &out);
    assert_int_equal(auth_user_json(b->c->db, &who, &w, &err), LT_OK);
    json_t *v = written(&out);
    assert_string_equal(json_string_value(json_object_get(v, "role_name")), "值班员");
    assert_string_equal(json_string_value(json_object_get(v, "territory_name")), "甲区");
    assert_true(json_array_size(json_object_get(v, "permissions")) > 10);
    json_decref(v);
    lt_buf_fini(&out);
}

static void authority_over_users_has_bounds(void **state)
{
    struct bench *b = *state;
    struct lt_error err;
    char pw[32];
    int64_t admin = number(b, "SELECT id FROM user WHERE login = 'admin'");
    int64_t near = add(b, &b->c->x, "near1", "leader", b->c->county[0], 0, pw);
    int64_t far = add(b, &b->c->x, "far1", "leader", b->c->county[1], 0, pw);
    INSERT(b->c, "role", RECORD_SET_Z("code", "clerk"), RECORD_SET_Z("name", "clerk"),
           RECORD_SET_Z("permissions", "*:read,user:read,user:write"));
    struct auth_ctx clerk = person("clerk", "*:read,user:read,user:write", b->c->county[0], 0);
    struct record_ctx x = as(b->c, &clerk);
    assert_int_equal(auth_password_reset(&x, admin, pw, sizeof pw, &err), LT_E_NOT_FOUND);
    assert_int_equal(auth_password_reset(&x, far, pw, sizeof pw, &err), LT_E_NOT_FOUND);
    assert_int_equal(auth_password_reset(&x, near, pw, sizeof pw, &err), LT_OK);
    int64_t strong = add(b, &b->c->x, "strong1", "duty", b->c->county[0], 0, pw);
    assert_int_equal(auth_password_reset(&x, strong, pw, sizeof pw, &err),
                     LT_E_DENIED); /* may do more than the clerk */
    int64_t id = 0;
    assert_int_equal(auth_user_add(&x, "evil", "evil", "admin", b->c->county[0], 0, &id, pw, sizeof pw, &err),
                     LT_E_DENIED);
    assert_int_equal(auth_user_add(&x, "evil", "evil", "leader", 0, 0, &id, pw, sizeof pw, &err),
                     LT_E_DENIED_TERRITORY);
    assert_int_equal(auth_user_add(&x, "fine", "fine", "leader", b->c->county[0], 0, &id, pw, sizeof pw, &err), LT_OK);
    assert_int_equal(auth_user_add(&b->c->x, "noplant", "n", "plant", 0, 0, &id, pw, sizeof pw, &err),
                     LT_E_FIELD_REQUIRED);
    struct auth_ctx leader = person("leader", "*:read", b->c->county[0], 0);
    x = as(b->c, &leader);
    assert_int_equal(auth_user_add(&x, "no", "no", "leader", b->c->county[0], 0, &id, pw, sizeof pw, &err),
                     LT_E_DENIED);
}

static void tokens_are_cut_to_size(void **state)
{
    struct bench *b = *state;
    struct auth_session s;
    struct auth_ctx who, by_token;
    struct lt_error err;
    char pw[32], token[AUTH_TOKEN_CHARS], second[AUTH_TOKEN_CHARS];
    int64_t id = 0, user = add(b, &b->c->x, "duty1", "duty", b->c->county[0], 0, pw);
    assert_int_equal(auth_password_set(&b->c->x, user, LT_LIT("Blue-sky 2026!"), false, &err), LT_OK);
    assert_int_equal(login(b, "duty1", "Blue-sky 2026!", T0, &s, &who), LT_OK);
    struct record_ctx x = as(b->c, &who);
    assert_int_equal(auth_token_create(&x, "t", "user:write", T0 + LT_DAY_MS, &id, token, &err), LT_E_DENIED);
    assert_int_equal(auth_token_create(&x, "t", "*", T0 + LT_DAY_MS, &id, token, &err), LT_E_DENIED);
    assert_int_equal(auth_token_create(&x, "t", "device:read", T0, &id, token, &err), LT_E_FIELD_RANGE);
    assert_int_equal(auth_token_create(&x, "t", "device:read,alarm:sign", T0 + LT_DAY_MS, &id, token, &err), LT_OK);
    assert_memory_equal(token, "lt_", 3);
    assert_int_equal(auth_token_find(b->c->db, lt_slice_of(token), "", T0, &by_token, &err), LT_OK);
    assert_true(auth_may(&by_token, "device:read"));
    assert_true(auth_may(&by_token, "alarm:sign"));
    assert_false(auth_may(&by_token, "outlet:read"));
    assert_int_equal(by_token.territory, b->c->county[0]);
    struct record_ctx y = as(b->c, &by_token);
    assert_int_equal(auth_token_create(&y, "t2", "device:read", T0 + LT_DAY_MS, &id, second, &err), LT_E_DENIED);
    assert_int_equal(auth_token_find(b->c->db, lt_slice_of(token), "", T0 + LT_DAY_MS, &by_token, &err),
                     LT_E_AUTH_EXPIRED);
    /* the owner loses a right: so does the token */
    assert_int_equal(sql_exec(b->c->db, "UPDATE role SET permissions = 'device:read' WHERE code = 'duty'", &err),
                     LT_OK);
    assert_int_equal(auth_token_find(b->c->db, lt_slice_of(token), "", T0, &by_token, &err), LT_OK);
    assert_false(auth_may(&by_token, "alarm:sign"));
    assert_int_equal(auth_token_revoke(&x, number(b, "SELECT max(id) FROM token"), &err), LT_OK);
    assert_int_equal(auth_token_find(b->c->db, lt_slice_of(token), "", T0, &by_token, &err), LT_E_AUTH_REQUIRED);
    assert_int_equal(auth_token_revoke(&x, 1, &err), LT_E_NOT_FOUND);
}

static void preset_roles_are_sound(void **state)
{
    struct bench *b = *state;
    struct sql_stmt *st = NULL;
    struct lt_error err;
    bool row = true;
    int n = 0;
    struct auth_ctx plant = {.user_id = 0};
    assert_int_equal(sql_prepare(b->c->db, "SELECT code, permissions FROM role ORDER BY id", &st, &err), LT_OK);
    while (sql_step(st, &row, &err) == LT_OK && row) {
        struct auth_ctx w = {.user_id = 1};
        lt_text_copy_slice(w.permissions, sizeof w.permissions, sql_col_text(st, 1));
        bool admin = lt_slice_is(sql_col_text(st, 0), "admin"), auditor = lt_slice_is(sql_col_text(st, 0), "auditor");
        assert_true(auth_may(&w, "alarm:read"));
        assert_int_equal(auth_may(&w, "user:write"), admin);
        assert_int_equal(auth_may(&w, "role:write"), admin);
        assert_int_equal(auth_may(&w, "audit:read"), admin || auditor);
        if (lt_slice_is(sql_col_text(st, 0), "plant"))
            plant = w;
        n++;
    }
    sql_release(&st);
    assert_int_equal(n, 9);
    assert_true(auth_may(&plant, "process_state:write"));
    static const char *const never[] = {"command:send",   "device:write", "alarm:confirm",
                                        "alarm:suppress", "person:read",  "system:read"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        assert_false(auth_may(&plant, never[i]));
}

struct crowd {
    const char *hash;
    int ok, busy, other;
};

static void permissions_of(struct bench *b, const char *code, char ret[2048])
{
    struct sql_stmt *st;
    bool row;
    assert_int_equal(sql_prepare(b->c->db, "SELECT permissions FROM role WHERE code = ?1 AND deleted = 0", &st, NULL),
                     LT_OK);
    sql_bind_str(st, 1, code);
    assert_int_equal(sql_step(st, &row, NULL), LT_OK);
    lt_text_copy_slice(ret, 2048, row ? sql_col_text(st, 0) : LT_LIT(""));
    sql_release(&st);
}

static void start_again(struct bench *b)
{
    struct lt_error err;
    char again[32];
    assert_int_equal(auth_setup(b->c->db, T0, again, sizeof again, &err), LT_OK);
}

/* A directory of an older build: what its setup gave stands in the history of the roles. */
static void roles_of_an_older_post_catch_up(void **state)
{
    struct bench *b = *state;
    char preset[2048], now[2048];
    permissions_of(b, "county", preset);
    assert_int_equal(
        sql_exec(b->c->db,
                 "DROP TABLE role_preset; DELETE FROM sql_migration WHERE unit = 'auth' AND number > 1;"
                 "UPDATE record_history SET change = json_set(change, '$.permissions[1]', 'alarm:read,device:read')"
                 " WHERE kind = 'role' AND record_id = (SELECT id FROM role WHERE code = 'county');"
                 /* people took one away and gave another */
                 "UPDATE role SET permissions = 'alarm:read,audit:read' WHERE code = 'county';"
                 /* one preset is not wanted, and its name belongs to a role of the office's own */
                 "UPDATE record_history SET change = json_set(change, '$.permissions[1]', 'alarm:read')"
                 " WHERE kind = 'role' AND record_id = (SELECT id FROM role WHERE code = 'leader');"
                 "UPDATE role SET deleted = 1 WHERE code = 'leader';"
                 "INSERT INTO role(code, name, permissions, version, created_at_ms, updated_at_ms, deleted)"
                 " VALUES('leader', 'own', 'alarm:read', 1, 0, 0, 0)",
                 NULL),
        LT_OK);
    start_again(b);
    permissions_of(b, "county", now);
    const struct auth_ctx has = {.permissions = ""};
    struct auth_ctx who = has;
    lt_text_copy(who.permissions, sizeof who.permissions, now);
    assert_true(auth_may(&who, "proof:read") && auth_may(&who, "evidence:append") && auth_may(&who, "audit:read"));
    assert_false(auth_may(&who, "device:read")); /* it was taken away, and stays away */
    permissions_of(b, "leader", now);
    assert_string_equal(now, "alarm:read");
    assert_int_equal(number(b, "SELECT count(*) FROM audit WHERE action = 'upgrade' AND kind = 'role'"), 1);
    start_again(b); /* once */
    assert_int_equal(number(b, "SELECT count(*) FROM audit WHERE action = 'upgrade' AND kind = 'role'"), 1);
    /* and a preset that grows after that */
    assert_int_equal(sql_exec(b->c->db,
                              "UPDATE role_preset SET permissions = 'alarm:read' WHERE code = 'county';"
                              "UPDATE role SET permissions = 'alarm:read' WHERE code = 'county'",
                              NULL),
                     LT_OK);
    start_again(b);
    permissions_of(b, "county", now);
    assert_int_equal(strlen(now), strlen(preset));
}

static void *knock(void *arg)
{
    struct crowd *c = arg;
    bool right = false;
    struct lt_error err;
    enum lt_err e = auth_check_password(LT_LIT("Blue-sky 2026!"), c->hash, &right, &err);
    c->ok = e == LT_OK && right;
    c->busy = e == LT_E_BUSY;
    c->other = !c->ok && !c->busy;
    return NULL;
}

static void a_crowd_is_bounded(void **state)
{
    enum { N = 60 };
    static struct crowd c[N];
    pthread_t t[N];
    int ok = 0, busy = 0;
    char cheap[128]; /* a hash of little cost, so that the test is about the gate */
    assert_int_equal(crypto_pwhash_str(cheap, "Blue-sky 2026!", 14, 1, 8u << 20), 0);
    for (int i = 0; i < N; i++) {
        c[i] = (struct crowd){.hash = cheap};
        assert_int_equal(pthread_create(&t[i], NULL, knock, &c[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(t[i], NULL);
        ok += c[i].ok;
        busy += c[i].busy;
        assert_false(c[i].other);
    }
    print_message("%d served, %d told to come again\n", ok, busy);
    assert_true(ok >= 34 && ok + busy == N); /* two at work and 32 waiting are always served */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_start_makes_one_administrator),
        T(five_failures_lock_for_a_quarter),
        T(an_unknown_name_takes_as_long),
        T(sessions_end),
        T(changing_a_password_ends_the_other_sessions),
        T(authority_over_users_has_bounds),
        T(tokens_are_cut_to_size),
        T(preset_roles_are_sound),
        cmocka_unit_test(page_tokens),
        cmocka_unit_test(weak_passwords_are_refused),
        T(roles_of_an_older_post_catch_up),
        cmocka_unit_test(a_crowd_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
