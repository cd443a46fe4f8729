/* Signing in and out, passwords, tokens. */
#include "api/api_priv.h"

#include "base/text.h"

static enum lt_err write_session(struct api_call *c, const char *csrf, struct lt_error *err)
{
    jsonw_object(&c->w);
    jsonw_key(&c->w, "user");
    enum lt_err e = auth_user_json(c->t->db, &c->who, &c->w, err);
    if (e)
        return e;
    jsonw_kstr(&c->w, "csrf", csrf);
    jsonw_object_end(&c->w);
    return LT_OK;
}

HANDLER(session_login)
{
    struct lt_slice login, password;
    struct auth_session s;
    static const char *const names[] = {"login", "password", NULL};
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, names, err)) || (e = jsonr_str(c->body, "login", true, 64, &login, err)) ||
        (e = jsonr_str(c->body, "password", true, AUTH_PASSWORD_MAX, &password, err)))
        return e;
    if (!limiter_take(&c->a->limiter, c->req->address, lt_mono_ms()))
        return lt_fail(err, LT_E_LIMIT, NULL, c->req->lang == LT_ZH ? "登录尝试" : "attempts to sign in", "10", NULL);
    e = auth_login(c->t->db, login, password, c->req->address, c->now_ms, c->a->cfg.tz_min, &s, &c->who, err);
    if (e)
        return e;
    limiter_give_back(&c->a->limiter, c->req->address, lt_mono_ms());
    c->who.lang = c->req->lang;
    http_set_cookie(c->req, c->res, API_COOKIE, s.token, (s.expires_at_ms - c->now_ms) / 1000);
    return write_session(c, s.csrf, err);
}

/* Language, password, sign-out and keys are the person's own: a leaked token, however narrow, must not take them over.
 */
static enum lt_err by_person(const struct api_call *c, struct lt_error *err)
{
    return c->who.token_id ? lt_fail(err, LT_E_DENIED, NULL, "token", NULL, NULL) : LT_OK;
}

HANDLER(session_get)
{
    char csrf[AUTH_TOKEN_CHARS] = "";
    if (c->session.n)
        auth_csrf(c->session, csrf);
    return write_session(c, csrf, err);
}

HANDLER(session_put)
{
    struct lt_slice lang;
    enum lt_err e = by_person(c, err);
    static const char *const names[] = {"lang", NULL};
    if (e || (e = api_body(c, err)) || (e = jsonr_only(c->body, names, err)) ||
        (e = jsonr_str(c->body, "lang", true, 8, &lang, err)))
        return e;
    bool en = lt_slice_is(lang, "en");
    if (!en && !lt_slice_is(lang, "zh"))
        return lt_fail(err, LT_E_FIELD_CHOICE, "lang", "lang", lang.p, "zh, en");
    e = auth_set_lang(c->t->db, &c->who, en ? LT_EN : LT_ZH, err);
    return e ? e : session_get(c, err);
}

static enum lt_err nothing(struct api_call *c)
{
    c->res->status = 204;
    c->raw = true;
    return LT_OK;
}

HANDLER(session_delete)
{
    enum lt_err e = by_person(c, err);
    if (e || (e = auth_logout(c->t->db, &c->who, c->now_ms, err)))
        return e;
    http_set_cookie(c->req, c->res, API_COOKIE, "", 0);
    return nothing(c);
}

HANDLER(session_password)
{
    struct lt_slice old, new_;
    enum lt_err e = by_person(c, err);
    static const char *const names[] = {"old", "new", NULL};
    if (e || (e = api_body(c, err)) || (e = jsonr_only(c->body, names, err)) ||
        (e = jsonr_str(c->body, "old", true, AUTH_PASSWORD_MAX, &old, err)) ||
        (e = jsonr_str(c->body, "new", true, AUTH_PASSWORD_MAX, &new_, err)))
        return e;
    if (!limiter_take(&c->a->limiter, c->req->address, lt_mono_ms()))
        return lt_fail(err, LT_E_LIMIT, NULL, c->req->lang == LT_ZH ? "修改密码尝试" : "attempts", "10", NULL);
    e = auth_password_change(&c->x, old, new_, err);
    if (e)
        return e;
    limiter_give_back(&c->a->limiter, c->req->address, lt_mono_ms());
    c->who.must_change = false;
    return session_get(c, err);
}

HANDLER(token_list)
{
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    enum lt_err e = auth_token_list(&c->x, &c->w, err);
    if (!e)
        jsonw_object_end(&c->w);
    return e;
}

HANDLER(token_create)
{
    struct lt_slice name, permissions;
    int64_t until = 0, id;
    char token[AUTH_TOKEN_CHARS];
    enum lt_err e = by_person(c, err);
    static const char *const names[] = {"name", "permissions", "expires_at", NULL};
    if (e || (e = api_body(c, err)) || (e = jsonr_only(c->body, names, err)) ||
        (e = jsonr_str(c->body, "name", true, 64, &name, err)) ||
        (e = jsonr_str(c->body, "permissions", true, 2000, &permissions, err)) ||
        (e = jsonr_time(c->body, "expires_at", true, c->a->cfg.tz_min, &until, err)))
        return e;
    e = auth_token_create(&c->x, name.p, permissions.p, until, &id, token, err);
    if (e)
        return e;
    jsonw_object(&c->w);
    jsonw_ki64(&c->w, "id", id);
    jsonw_kstr(&c->w, "token", token);
    jsonw_object_end(&c->w);
    c->res->status = 201;
    return LT_OK;
}

HANDLER(token_delete)
{
    int64_t id;
    enum lt_err e = by_person(c, err);
    if (e || (e = api_id(c, 0, &id, err)) || (e = auth_token_revoke(&c->x, id, err)))
        return e;
    return nothing(c);
}

HANDLER(user_password_reset)
{
    int64_t id;
    char password[64];
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = auth_password_reset(&c->x, id, password, sizeof password, err)))
        return e;
    jsonw_object(&c->w);
    jsonw_kstr(&c->w, "password", password);
    jsonw_object_end(&c->w);
    return LT_OK;
}
