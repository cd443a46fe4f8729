/* Start, stop, and the way of one call: who is it, may he, do it, answer. See api.h. */
#include "api/api_priv.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- helpers of handlers ---- */

enum lt_err api_id(const struct api_call *c, unsigned param, int64_t *ret, struct lt_error *err)
{
    char shown[64];
    int64_t id;
    if (lt_text_to_i64(c->req->param[param], &id) && id > 0) {
        *ret = id;
        return LT_OK;
    }
    lt_text_copy_slice(shown, sizeof shown, c->req->param[param]);
    return lt_fail(err, LT_E_NOT_FOUND, "id", "", shown, NULL);
}

enum lt_err api_body(struct api_call *c, struct lt_error *err)
{
    struct lt_slice b = c->req->body;
    if (c->body)
        return LT_OK;
    return jsonr_object(b.n ? b : LT_LIT("{}"), API_BODY, &c->body, err);
}

enum lt_err api_query_i64(const struct api_call *c, const char *name, int64_t min, int64_t max, int64_t *ret,
                          struct lt_error *err)
{
    struct lt_slice v = http_query(c->req, name);
    int64_t n;
    char lo[24], hi[24];
    if (v.n == 0)
        return LT_OK;
    if (!lt_text_to_i64(v, &n))
        return lt_fail(err, LT_E_FIELD_TYPE, name, name, "integer", NULL);
    if (n < min || n > max) {
        snprintf(lo, sizeof lo, "%" PRId64, min);
        snprintf(hi, sizeof hi, "%" PRId64, max);
        return lt_fail(err, LT_E_FIELD_RANGE, name, name, lo, hi);
    }
    *ret = n;
    return LT_OK;
}

static enum lt_err wrong_form(const char *name, struct lt_slice v, const char *form, struct lt_error *err)
{
    char shown[64];
    lt_text_copy_slice(shown, sizeof shown, v);
    return lt_fail(err, LT_E_FIELD_FORMAT, name, name, shown, form);
}

enum lt_err api_query_time(const struct api_call *c, const char *name, int64_t *ret, struct lt_error *err)
{
    struct lt_slice v = http_query(c->req, name);
    if (v.n == 0)
        return LT_OK;
    char text[48];
    lt_text_copy_slice(text, sizeof text, v);
    for (char *p = text; *p; p++) /* "+08:00" written without %2B arrives as a blank */
        if (*p == ' ' && p > text + 18)
            *p = '+';
    return v.n < sizeof text && lt_time_parse_iso(lt_slice_of(text), c->a->cfg.tz_min, ret)
               ? LT_OK
               : wrong_form(name, v, "YYYY-MM-DDThh:mm:ss+08:00", err);
}

enum lt_err api_query_day(const struct api_call *c, const char *name, int *ret_day, struct lt_error *err)
{
    struct lt_slice v = http_query(c->req, name);
    int64_t at;
    if (v.n == 0)
        return LT_OK;
    if (v.n != 10 || !lt_time_parse_iso(v, c->a->cfg.tz_min, &at))
        return wrong_form(name, v, "YYYY-MM-DD", err);
    *ret_day = lt_day_number(at, c->a->cfg.tz_min);
    return LT_OK;
}

enum lt_err api_no_choice(const char *name, struct lt_slice value, const char *const *names, struct lt_error *err)
{
    char shown[48], all[150] = "";
    for (size_t i = 0, n = 0; names[i] && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", names[i]);
    lt_text_copy_slice(shown, sizeof shown, value);
    return lt_fail(err, LT_E_FIELD_CHOICE, name, name, shown, all);
}

enum lt_err api_query_choice(const struct api_call *c, const char *name, const char *const *names, int *ret,
                             struct lt_error *err)
{
    const struct lt_slice v = http_query(c->req, name);
    if (v.n == 0)
        return LT_OK;
    for (int i = 0; names[i]; i++)
        if (lt_slice_is(v, names[i])) {
            *ret = i;
            return LT_OK;
        }
    return api_no_choice(name, v, names, err);
}

const struct record_kind *api_kind(const char *name)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(name));
    if (!k)
        abort(); /* a kind this unit is written for has been taken out of the declarations */
    return k;
}

enum lt_err api_missing(const char *what, struct lt_error *err)
{
    return lt_fail(err, LT_E_UNSUPPORTED, NULL, what, NULL, NULL);
}

struct lt_slice api_number(int64_t v, char mem[24])
{
    int n = snprintf(mem, 24, "%" PRId64, v);
    return (struct lt_slice){mem, (size_t)n};
}

struct id_list {
    int64_t *ids;
    size_t n, cap;
};

static bool add_id(void *user, const struct record_row *row)
{
    struct id_list *l = user;
    l->ids[l->n++] = row->id;
    return l->n < l->cap;
}

enum lt_err api_ids(const struct api_call *c, const struct record_kind *k, const struct api_equal *eq, size_t n,
                    int64_t *ret, size_t cap, size_t *ret_n, struct lt_error *err)
{
    struct record_query q = {.descending = true};
    struct id_list l = {ret, 0, cap};
    for (size_t i = 0; i < n; i++)
        q.filter[q.n++] = (struct record_filter){
            .field = record_field_find(k, lt_slice_of(eq[i].field)), .op = RECORD_EQ, .value = eq[i].value};
    enum lt_err e = record_each(&c->x, k, &q, add_id, &l, err);
    *ret_n = l.n;
    return e;
}

enum lt_err api_items(struct api_call *c, const struct record_kind *k, const int64_t *ids, size_t n,
                      struct lt_error *err)
{
    enum lt_err e = LT_OK;
    bool alarm = strcmp(k->name, "alarm") == 0;
    jsonw_array(&c->w);
    for (size_t i = 0; i < n && !e; i++)
        e = record_json(&c->x, k, ids[i], alarm ? alarm_item_extra : NULL, alarm ? (void *)&c->x : NULL, &c->w, err);
    if (!e)
        jsonw_array_end(&c->w);
    return e;
}

/* ---- who ---- */

static struct lt_slice bearer(const struct http_request *r)
{
    struct lt_slice h = r->header[HTTP_H_AUTHORIZATION];
    if (h.n > 7 && strncasecmp(h.p, "Bearer ", 7) == 0)
        return (struct lt_slice){h.p + 7, h.n - 7};
    return (struct lt_slice){NULL, 0};
}

static enum lt_err identify(struct api_call *c, struct lt_error *err)
{
    const struct http_request *r = c->req;
    struct lt_slice token = bearer(r);
    if (token.p)
        return auth_token_find(c->t->db, token, r->address, c->now_ms, &c->who, err);
    c->session = http_cookie(r, API_COOKIE);
    enum lt_err e = auth_session_find(c->t->db, c->session, r->address, c->now_ms, &c->who, err);
    if (!e && r->method != HTTP_GET && !c->route->no_csrf && !auth_csrf_ok(c->session, r->header[HTTP_H_CSRF]))
        e = lt_fail(err, LT_E_AUTH_CSRF, NULL, NULL, NULL, NULL);
    return e;
}

/* record judges again; but who may not read a kind shall not learn what its parameters are. */
static enum lt_err admit_kind(struct api_call *c, struct lt_error *err)
{
    char permission[80];
    bool write = c->req->method == HTTP_POST || c->req->method == HTTP_PATCH;
    snprintf(permission, sizeof permission, "%s:%s", c->route->kind->name,
             c->req->method == HTTP_DELETE ? "delete"
             : write                       ? "write"
                                           : "read");
    return auth_need(&c->who, permission, err);
}

static enum lt_err admit(struct api_call *c, struct lt_error *err)
{
    if (c->route->access == API_OPEN)
        return LT_OK;
    enum lt_err e = identify(c, err);
    if (e)
        return e;
    c->who.lang = c->req->lang;
    if (c->route->access == API_SIGNED)
        return LT_OK;
    if (c->who.must_change)
        return lt_fail(err, LT_E_AUTH_CHANGE, NULL, NULL, NULL, NULL);
    if (c->route->kind)
        return admit_kind(c, err);
    return c->route->access == API_MAY ? auth_need(&c->who, c->route->permission, err) : LT_OK;
}

/* ---- one call ---- */

static void handle(void *user, void *thread, const struct http_request *req, struct http_response *res)
{
    struct api *a = user;
    const struct api_route *route = req->route->data;
    if (!route) {
        api_page(a, req, res);
        return;
    }
    struct lt_error err = {0};
    struct api_call c = {.a = a, .t = thread, .req = req, .res = res, .route = route, .now_ms = lt_wall_ms()};
    c.who.lang = req->lang;
    lt_text_copy(c.who.address, sizeof c.who.address, req->address);
    c.x = (struct record_ctx){c.t->db, &c.who, c.now_ms, a->cfg.tz_min};
    jsonw_init(&c.w, &res->body);
    enum lt_err e = admit(&c, &err);
    if (!e)
        e = route->run(&c, &err);
    if (!e && res->body.failed)
        e = lt_fail(&err, LT_E_LIMIT_SIZE, NULL, "answer", "64 MiB", NULL);
    if (!e && !c.raw && !jsonw_ok(&c.w))
        e = lt_failf(&err, LT_E_INTERNAL, NULL, "answer of %s is not whole", route->pattern);
    if (e) {
        err.code = e;
        http_fail_all(req, res, &err, c.faults.list, c.faults.n);
        if ((e == LT_E_AUTH_EXPIRED || e == LT_E_AUTH_REQUIRED) && c.session.n)
            http_set_cookie(req, res, API_COOKIE, "", 0);
    }
    json_decref(c.body);
}

static void *thread_start(void *user, struct lt_error *err)
{
    struct api *a = user;
    char path[600];
    struct api_thread *t = calloc(1, sizeof *t);
    if (!t) {
        lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        return NULL;
    }
    snprintf(path, sizeof path, "%s/state.db", a->dir);
    if (sql_open(path, false, &t->db, err) != LT_OK) {
        free(t);
        return NULL;
    }
    return t;
}

static void thread_end(void *user, void *thread)
{
    struct api_thread *t = thread;
    journal_reader_close(&t->reader);
    sql_close(&t->db);
    free(t);
}

/* ---- routes ---- */

static const struct {
    enum http_method method;
    const char *tail;
    enum lt_err (*run)(struct api_call *c, struct lt_error *err);
    size_t body_limit;
    enum http_lane lane;
    bool writes;
} kind_operations[] = {
    {HTTP_GET, "", record_route_list, 0, HTTP_WORK, false},
    {HTTP_POST, "", record_route_create, API_BODY, HTTP_WORK, true},
    {HTTP_GET, "/{id}", record_route_get, 0, HTTP_WORK, false},
    {HTTP_PATCH, "/{id}", record_route_update, API_BODY, HTTP_WORK, true},
    {HTTP_DELETE, "/{id}", record_route_delete, 0, HTTP_WORK, true},
    {HTTP_GET, "/{id}/history", record_route_history, 0, HTTP_WORK, false},
    {HTTP_GET, "/export", record_route_export, 0, HTTP_SLOW, false},
    {HTTP_POST, "/import", record_route_import, 20u * 1024 * 1024, HTTP_SLOW, true},
};
#define KIND_OPERATIONS (sizeof kind_operations / sizeof kind_operations[0])

/* The routes of every kind, made from its declaration. */
static bool kind_routes(struct api *a)
{
    a->kind_routes = calloc(record_kind_count() * KIND_OPERATIONS, sizeof *a->kind_routes);
    if (!a->kind_routes)
        return false;
    for (size_t i = 0; i < record_kind_count(); i++) {
        const struct record_kind *k = record_kind_at(i);
        for (size_t o = 0; o < KIND_OPERATIONS; o++) {
            char *pattern;
            if (k->readonly && kind_operations[o].writes)
                continue;
            if (asprintf(&pattern, "/api/v1/%s%s", k->name, kind_operations[o].tail) < 0)
                return false;
            a->kind_routes[a->n_kind_routes++] = (struct api_route){.method = kind_operations[o].method,
                                                                    .pattern = pattern,
                                                                    .access = API_USER,
                                                                    .run = kind_operations[o].run,
                                                                    .body_limit = kind_operations[o].body_limit,
                                                                    .lane = kind_operations[o].lane,
                                                                    .kind = k};
        }
    }
    return true;
}

static void add_route(struct api *a, const struct api_route *r)
{
    a->http_routes[a->n_http_routes++] = (struct http_route){r->method, r->pattern, r->body_limit, r->lane, r};
}

static bool make_routes(struct api *a)
{
    if (!kind_routes(a))
        return false;
    a->http_routes = calloc(api_routes_n + a->n_kind_routes, sizeof *a->http_routes);
    if (!a->http_routes)
        return false;
    for (size_t i = 0; i < api_routes_n; i++)
        add_route(a, &api_routes[i]);
    for (size_t i = 0; i < a->n_kind_routes; i++)
        add_route(a, &a->kind_routes[i]);
    return true;
}

static const struct http_route pages = {HTTP_GET, "", 0, HTTP_INLINE, NULL};
/* Pages from a directory mean reading files: not on an event thread. */
static const struct http_route pages_of_directory = {HTTP_GET, "", 0, HTTP_WORK, NULL};

static void destroy(struct api *a)
{
    for (size_t i = 0; i < a->n_kind_routes; i++)
        free((void *)(uintptr_t)a->kind_routes[i].pattern);
    free(a->kind_routes);
    free(a->http_routes);
    free(a);
}

static void copy_config(struct api *a, const struct api_config *cfg)
{
    a->cfg = *cfg;
    lt_text_copy(a->dir, sizeof a->dir, cfg->dir);
    lt_text_copy(a->web_root, sizeof a->web_root, cfg->web_root ? cfg->web_root : "");
    lt_text_copy(a->city_name, sizeof a->city_name, cfg->city_name ? cfg->city_name : "");
    lt_text_copy(a->city_name_en, sizeof a->city_name_en, cfg->city_name_en ? cfg->city_name_en : "");
}

enum lt_err api_start(const struct api_config *cfg, const struct api_deps *deps, struct api **ret, struct lt_error *err)
{
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    copy_config(a, cfg);
    a->deps = *deps;
    a->started_ms = lt_wall_ms();
    limiter_init(&a->limiter);
    if (!make_routes(a)) {
        destroy(a);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    enum lt_err e = desk_start(a, err);
    if (!e)
        e = api_replay_start(a, err);
    struct http_config h = {.listen = cfg->listen,
                            .tls_cert = cfg->tls_cert,
                            .tls_key = cfg->tls_key,
                            .routes = a->http_routes,
                            .n_routes = a->n_http_routes,
                            .fallback = a->web_root[0] ? &pages_of_directory : &pages,
                            .workers = cfg->workers,
                            .max_conns = cfg->max_conns,
                            .max_conns_per_addr = cfg->max_conns_per_addr,
                            .trust_proxy = cfg->trust_proxy,
                            .bus = deps->bus,
                            .handle = handle,
                            .thread_start = thread_start,
                            .thread_end = thread_end,
                            .user = a};
    if (!e)
        e = http_start(&h, &a->http, err);
    if (e) {
        api_replay_stop(a);
        desk_stop(a);
        destroy(a);
        return e;
    }
    *ret = a;
    return LT_OK;
}

void api_stop(struct api **ret)
{
    struct api *a = *ret;
    if (!a)
        return;
    http_stop(&a->http);
    api_replay_stop(a);
    desk_stop(a);
    pthread_mutex_destroy(&a->limiter.lock);
    destroy(a);
    *ret = NULL;
}

void api_address(const struct api *a, char ret[64])
{
    http_address(a->http, ret);
}
