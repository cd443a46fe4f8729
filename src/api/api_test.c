/* Tests of the API: a whole post without devices of its own, called over HTTP. Two counties with a plant each, and a
 * user of every preset role in the first one. */
#include "air/air_brief.h"
#include "api/api_priv.h"

#include "base/rand.h"
#include "http/http_testlib.h"
#include "proof/proof.h"

#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <cmocka.h>

#define PASSWORD "Blauer-Himmel-2026"
#define MN1      "88888880000001"
#define MN2      "88888880000002"

static char dir[] = "/tmp/lantian-api-XXXXXX";
static struct sql_db *db;
static struct bus *bus;
static struct recorder *recorder;
static struct registry *registry;
static struct series *series;
static struct air *air;
static struct air_figures *figures;
static struct proof *proof;
static struct engine *engine;
static struct gateway *gateway;
static struct api *api;
static char address[64], gate[64];
static int64_t city, county[2], plant[2], outlet[2], device[2], alarm_id[2];
static struct tc_reply reply;

struct session {
    char cookie[160], csrf[64]; /* header lines */
    char role[33];
    json_t *user;
};
static const char *const roles[] = {"duty",  "analyst", "county",  "department", "inspector",
                                    "plant", "leader",  "auditor", "admin"};
#define ROLES (sizeof roles / sizeof roles[0])
static struct session role_session[ROLES];
static struct session *admin = &role_session[ROLES - 1];

static void pause_ms(int ms)
{
    const struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- making the post ---- */

static struct record_ctx system_ctx(struct auth_ctx *who)
{
    *who = auth_system("test");
    return (struct record_ctx){db, who, lt_wall_ms(), LT_TZ_CHINA};
}

static int64_t make(const char *kind, const char *json)
{
    struct auth_ctx who;
    struct record_ctx x = system_ctx(&who);
    struct lt_error err;
    json_t *body = NULL;
    int64_t id = 0;
    assert_int_equal(jsonr_object(lt_slice_of(json), 65536, &body, &err), LT_OK);
    if (record_create(&x, api_kind(kind), body, &id, NULL, &err) != LT_OK) {
        char text[300];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("%s %s: %s", kind, json, text);
    }
    json_decref(body);
    return id;
}

static int64_t makef(const char *kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int64_t makef(const char *kind, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return make(kind, text);
}

static void make_city(void)
{
    static const char *const mn[] = {MN1, MN2};
    static const char *const codes[] = {"91410100MA44000015", "91410100MA44000023"};
    city = make("territory", "{\"code\":\"410300\",\"name\":\"洛阳市\",\"name_en\":\"Luoyang\",\"level\":\"city\","
                             "\"center_lon\":112.45,\"center_lat\":34.62}");
    for (int i = 0; i < 2; i++) {
        county[i] =
            makef("territory", "{\"code\":\"41032%d\",\"name\":\"县%d\",\"level\":\"county\",\"parent\":%" PRId64 "}",
                  i + 2, i + 1, city);
        plant[i] = makef("enterprise",
                         "{\"code\":\"%s\",\"name\":\"钢铁%d\",\"industry\":\"steel\",\"territory\":%" PRId64
                         ",\"lon\":112.1,\"lat\":34.5}",
                         codes[i], i + 1, county[i]);
        outlet[i] =
            makef("outlet", "{\"code\":\"DA00%d\",\"name\":\"烧结%d\",\"enterprise\":%" PRId64 ",\"convert\":false}",
                  i + 1, i + 1, plant[i]);
        device[i] =
            makef("device",
                  "{\"mn\":\"%s\",\"name\":\"设备%d\",\"outlet\":%" PRId64 ",\"status\":\"active\",\"pw\":\"123456\"}",
                  mn[i], i + 1, outlet[i]);
        makef("factor_limit",
              "{\"outlet\":%" PRId64 ",\"factor\":\"a21026\",\"period\":\"hour\",\"basis\":\"measured\","
              "\"limit_value\":35,\"standard\":\"GB 28662\",\"valid_from\":\"2020-01-01\"}",
              outlet[i]);
    }
}

static void make_alarms(void)
{
    struct lt_error err;
    for (int i = 0; i < 2; i++) {
        struct alarm_fact f = {.rule = ALARM_R_HOUR_EXCEED,
                               .rule_version = 1,
                               .severity = LT_LIT("urgent"),
                               .object_kind = ALARM_OUTLET,
                               .object_id = outlet[i],
                               .factor = LT_LIT("a21026"),
                               .period_at_ms = lt_hour_start(lt_wall_ms(), LT_TZ_CHINA) - LT_HOUR_MS,
                               .period_ms = LT_HOUR_MS,
                               .first_at_ms = lt_wall_ms(),
                               .last_at_ms = lt_wall_ms(),
                               .count = 1,
                               .value = 58300000,
                               .limit_value = 35000000,
                               .params = LT_LIT("{\"standard\":\"GB 28662\"}")};
        struct alarm_outcome o;
        assert_int_equal(alarm_raise(db, &f, lt_wall_ms(), &o, &err), LT_OK);
        alarm_id[i] = o.id;
    }
}

static void on_event(void *user, const struct engine_event *e)
{
    bus_publish(bus, e->type, e->territory, e->enterprise, e->json);
}

static void on_command(void *user, uint64_t id)
{
    if (api)
        api_command_changed(api, id);
}

static void must(enum lt_err e, const struct lt_error *err)
{
    char text[400];
    if (e == LT_OK)
        return;
    lt_error_text(err, LT_EN, text, sizeof text);
    fail_msg("%s", text);
}

static void start_parts(void)
{
    struct lt_error err;
    struct recorder_config rc = {.dir = dir, .tz_min = LT_TZ_CHINA, .tick_s = 10, .keep_rejects = 100};
    must(recorder_start(&rc, &recorder, &err), &err);
    registry = registry_create();
    must(registry_reload(registry, db, &err), &err);
    struct series_config sc = {.dir = dir, .tz_min = LT_TZ_CHINA, .cache_bytes = 8u << 20};
    must(series_open(&sc, &series, &err), &err);
    struct engine_config ec = {.dir = dir,
                               .series = series,
                               .series_cache_bytes = 8u << 20,
                               .tail = recorder_tail(recorder),
                               .tz_min = LT_TZ_CHINA,
                               .on_event = on_event};
    must(engine_start(&ec, &engine, &err), &err);
    struct gateway_config gc = {.listen = "127.0.0.1:0",
                                .loops = 1,
                                .tz_min = LT_TZ_CHINA,
                                .setup = GATEWAY_SETUP_OFF,
                                .on_command = on_command};
    must(gateway_start(&gc, recorder, registry, &gateway, &err), &err);
    gateway_address(gateway, gate);
    must(air_open(db, LT_TZ_CHINA, &air, &err), &err);
    must(air_figures_open(air, &figures, &err), &err);
    const struct proof_config pc = {
        .dir = dir, .tz_min = LT_TZ_CHINA, .series = series, .engine = engine, .threads = 1};
    must(proof_start(&pc, &proof, &err), &err);
    struct api_config ac = {.dir = dir,
                            .listen = "127.0.0.1:0",
                            .tz_min = LT_TZ_CHINA,
                            .city_name = "洛阳市",
                            .city_name_en = "Luoyang",
                            .max_conns = 500,
                            .max_conns_per_addr = 400};
    struct api_deps deps = {.bus = bus,
                            .recorder = recorder,
                            .registry = registry,
                            .gateway = gateway,
                            .engine = engine,
                            .series = series,
                            .air = air,
                            .figures = figures,
                            .proof = proof};
    must(api_start(&ac, &deps, &api, &err), &err);
    api_address(api, address);
}

static void call(const struct session *s, const char *method, const char *target, const char *body)
{
    char headers[4096];
    snprintf(headers, sizeof headers, "%s%s", s ? s->cookie : "", s && strcmp(method, "GET") != 0 ? s->csrf : "");
    tc_call(address, method, target, headers, body, &reply);
}

static void callf(const struct session *s, const char *method, const char *body, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void callf(const struct session *s, const char *method, const char *body, const char *fmt, ...)
{
    char target[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(target, sizeof target, fmt, ap);
    va_end(ap);
    call(s, method, target, body);
}

/* The answer as JSON; the caller frees. */
static json_t *answer(void)
{
    json_t *v = NULL;
    struct lt_error err;
    if (jsonr_parse(lt_slice_of(reply.body), sizeof reply.text, &v, &err) != LT_OK)
        fail_msg("no JSON: %d %.500s", reply.status, reply.text);
    return v;
}

static const char *text_at(const json_t *o, const char *a, const char *b)
{
    const json_t *v = json_object_get(o, a);
    return json_string_value(b ? json_object_get(v, b) : v);
}

static void assert_status(int status)
{
    if (reply.status != status)
        fail_msg("status %d instead of %d: %.300s", reply.status, status, reply.body);
}

static void assert_error(int status, const char *code)
{
    assert_status(status);
    json_t *v = answer();
    assert_string_equal(text_at(v, "error", "code"), code);
    assert_true(strlen(text_at(v, "error", "message")) > 0);
    json_decref(v);
}

static void sign_in(struct session *s, const char *login, const char *password)
{
    char body[200], token[100] = "";
    snprintf(body, sizeof body, "{\"login\":\"%s\",\"password\":\"%s\"}", login, password);
    tc_call(address, "POST", "/api/v1/session", "", body, &reply);
    assert_status(200);
    const char *c = strstr(reply.text, "Set-Cookie: lt_session=");
    assert_non_null(c);
    snprintf(token, sizeof token, "%.*s", (int)strcspn(c + 23, ";"), c + 23);
    json_t *v = answer();
    snprintf(s->cookie, sizeof s->cookie, "Cookie: lt_session=%s\r\n", token);
    snprintf(s->csrf, sizeof s->csrf, "X-CSRF-Token: %s\r\n", json_string_value(json_object_get(v, "csrf")));
    s->user = json_deep_copy(json_object_get(v, "user"));
    json_decref(v);
}

static int64_t make_user(const char *login, const char *role, int64_t territory, int64_t enterprise)
{
    struct auth_ctx who;
    struct record_ctx x = system_ctx(&who);
    struct lt_error err;
    char once[64];
    int64_t id;
    must(auth_user_add(&x, login, login, role, territory, enterprise, &id, once, sizeof once, &err), &err);
    must(auth_password_set(&x, id, LT_LIT(PASSWORD), false, &err), &err);
    return id;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static int stop(void **state)
{
    for (size_t i = 0; i < ROLES; i++)
        json_decref(role_session[i].user);
    api_stop(&api);
    proof_stop(&proof);
    air_figures_close(&figures);
    air_close(&air);
    gateway_stop(&gateway);
    engine_stop(&engine);
    series_close(&series);
    recorder_stop(&recorder);
    registry_destroy(&registry);
    bus_destroy(&bus);
    sql_close(&db);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static int start(void **state)
{
    struct lt_error err;
    char path[200], once[64];
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/state.db", dir);
    must(sql_open(path, false, &db, &err), &err);
    must(record_setup(db, &err), &err);
    must(auth_setup(db, lt_wall_ms(), once, sizeof once, &err), &err);
    must(alarm_setup(db, lt_wall_ms(), &err), &err);
    must(proof_setup(db, &err), &err);
    must(air_setup(db, &err), &err);
    must(air_paper_setup(db, &err), &err);
    must(air_rank_setup(db, lt_wall_ms(), LT_TZ_CHINA, &err), &err);
    make_city();
    bus = bus_create((uint64_t)lt_wall_ms() * 1000, 0);
    start_parts();
    make_alarms();
    for (size_t i = 0; i < ROLES; i++) {
        char login[40];
        snprintf(login, sizeof login, "u-%s", roles[i]);
        bool all = strcmp(roles[i], "admin") == 0;
        make_user(login, roles[i], all ? 0 : county[0], strcmp(roles[i], "plant") == 0 ? plant[0] : 0);
        sign_in(&role_session[i], login, PASSWORD);
        snprintf(role_session[i].role, sizeof role_session[i].role, "%s", roles[i]);
    }
    return 0;
}

/* ---- identity ---- */

static void signing_in_gives_a_guarded_cookie(void **state)
{
    tc_call(address, "POST", "/api/v1/session", "", "{\"login\":\"u-duty\",\"password\":\"" PASSWORD "\"}", &reply);
    assert_status(200);
    const char *c = strstr(reply.text, "Set-Cookie: lt_session=");
    assert_non_null(c);
    char line[300];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(c, "\r"), c);
    assert_non_null(strstr(line, "; HttpOnly"));
    assert_non_null(strstr(line, "; SameSite=Strict"));
    assert_non_null(strstr(line, "; Path=/"));
    assert_null(strstr(line, "Secure")); /* plain HTTP here */
    json_t *v = answer();
    assert_string_equal(text_at(v, "user", "role"), "duty");
    assert_null(strstr(reply.body, PASSWORD));
    json_decref(v);
    tc_call(address, "POST", "/api/v1/session", "", "{\"login\":\"u-duty\",\"password\":\"wrong-wrong-1A\"}", &reply);
    assert_error(401, "AUTH_FAILED");
    tc_call(address, "POST", "/api/v1/session", "", "{\"login\":\"nobody\",\"password\":\"wrong-wrong-1A\"}", &reply);
    assert_error(401, "AUTH_FAILED");
    tc_call(address, "POST", "/api/v1/session?lang=en", "", "{\"login\":\"u-duty\"}", &reply);
    assert_error(422, "FIELD_REQUIRED");
    tc_call(address, "POST", "/api/v1/session", "", "{\"login\":\"u-duty\",\"password\":\"x\",\"more\":1}", &reply);
    assert_error(422, "FIELD_UNKNOWN");
}

static void sessions_end(void **state)
{
    struct session s = {0};
    struct lt_error err;
    sign_in(&s, "u-leader", PASSWORD);
    json_decref(s.user);
    call(&s, "GET", "/api/v1/session", "");
    assert_status(200);
    call(&s, "DELETE", "/api/v1/session", "");
    assert_status(204);
    assert_non_null(strstr(reply.text, "Max-Age=0"));
    call(&s, "GET", "/api/v1/session", "");
    assert_int_equal(reply.status, 401);
    /* idle too long */
    sign_in(&s, "u-leader", PASSWORD);
    json_decref(s.user);
    must(sql_exec(db, "UPDATE session SET used_at_ms = used_at_ms - 30000000 WHERE id = (SELECT max(id) FROM session)",
                  &err),
         &err);
    call(&s, "GET", "/api/v1/session", "");
    assert_error(401, "AUTH_EXPIRED");
    assert_non_null(strstr(reply.text, "Set-Cookie: lt_session=; "));
    call(NULL, "GET", "/api/v1/alarm/board", "");
    assert_error(401, "AUTH_REQUIRED");
    tc_call(address, "GET", "/api/v1/session", "Cookie: lt_session=AAAA\r\n", "", &reply);
    assert_int_equal(reply.status, 401);
    tc_call(address, "GET", "/api/v1/session", "Authorization: Bearer AAAA\r\n", "", &reply);
    assert_int_equal(reply.status, 401);
}

static void changes_need_the_page_token(void **state)
{
    char target[100];
    snprintf(target, sizeof target, "/api/v1/alarm/%" PRId64 "/sign", alarm_id[0]);
    tc_call(address, "POST", target, role_session[0].cookie, "{}", &reply);
    assert_error(403, "AUTH_CSRF");
    char both[4096];
    snprintf(both, sizeof both, "%sX-CSRF-Token: wrong\r\n", role_session[0].cookie);
    tc_call(address, "POST", target, both, "{}", &reply);
    assert_error(403, "AUTH_CSRF");
    /* the token of another session does not do */
    snprintf(both, sizeof both, "%s%s", role_session[0].cookie, role_session[1].csrf);
    tc_call(address, "POST", target, both, "{}", &reply);
    assert_error(403, "AUTH_CSRF");
}

static void one_time_passwords_must_be_changed(void **state)
{
    struct auth_ctx who;
    struct record_ctx x = system_ctx(&who);
    struct lt_error err;
    struct session s = {0};
    char once[64], body[300];
    int64_t id;
    must(auth_user_add(&x, "fresh", "新人", "leader", city, 0, &id, once, sizeof once, &err), &err);
    sign_in(&s, "fresh", once);
    assert_true(json_is_true(json_object_get(s.user, "must_change")));
    json_decref(s.user);
    call(&s, "GET", "/api/v1/alarm/board", "");
    assert_error(403, "AUTH_CHANGE");
    call(&s, "GET", "/api/v1/enterprise", "");
    assert_error(403, "AUTH_CHANGE");
    call(&s, "GET", "/api/v1/meta", "");
    assert_status(200);
    snprintf(body, sizeof body, "{\"old\":\"%s\",\"new\":\"short\"}", once);
    call(&s, "PUT", "/api/v1/session/password", body);
    assert_error(422, "AUTH_WEAK");
    snprintf(body, sizeof body, "{\"old\":\"%s\",\"new\":\"" PASSWORD "\"}", once);
    call(&s, "PUT", "/api/v1/session/password", body);
    assert_status(200);
    call(&s, "GET", "/api/v1/alarm/board", "");
    assert_status(200);
    callf(admin, "POST", "{}", "/api/v1/user/%" PRId64 "/password", id);
    assert_status(200);
    call(&s, "GET", "/api/v1/session", "");
    assert_int_equal(reply.status, 401); /* the reset ended his sessions */
}

static void tokens_for_programs(void **state)
{
    char headers[200];
    call(&role_session[0], "POST", "/api/v1/token", "{\"name\":\"script\",\"permissions\":\"device:read\"}");
    if (reply.status == 422) /* an end may be required */
        call(&role_session[0], "POST", "/api/v1/token",
             "{\"name\":\"script\",\"permissions\":\"device:read\",\"expires_at\":\"2099-01-01\"}");
    if (reply.status != 201) { /* at most so long ahead */
        char at[40], body[200];
        lt_time_format_iso(lt_wall_ms() + 30 * LT_DAY_MS, LT_TZ_CHINA, at);
        snprintf(body, sizeof body, "{\"name\":\"script\",\"permissions\":\"device:read\",\"expires_at\":\"%s\"}", at);
        call(&role_session[0], "POST", "/api/v1/token", body);
    }
    assert_status(201);
    json_t *v = answer();
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", text_at(v, "token", NULL));
    json_int_t id = json_integer_value(json_object_get(v, "id"));
    json_decref(v);
    tc_call(address, "GET", "/api/v1/device", headers, "", &reply);
    assert_status(200);
    tc_call(address, "GET", "/api/v1/alarm/board", headers, "", &reply);
    assert_error(403, "DENIED"); /* less than its owner may */
    tc_call(address, "POST", "/api/v1/token", headers, "{\"name\":\"x\",\"permissions\":\"device:read\"}", &reply);
    assert_error(403, "DENIED");
    tc_call(address, "PUT", "/api/v1/session/password", headers,
            "{\"old\":\"" PASSWORD "\",\"new\":\"Anderer-Himmel-77\"}", &reply);
    assert_error(403, "DENIED"); /* even who knows the password cannot lock its owner out with a token */
    tc_call(address, "PUT", "/api/v1/session", headers, "{\"lang\":\"en\"}", &reply);
    assert_error(403, "DENIED");
    tc_call(address, "DELETE", "/api/v1/session", headers, "", &reply);
    assert_error(403, "DENIED");
    tc_call(address, "DELETE", "/api/v1/token/1", headers, "", &reply);
    assert_error(403, "DENIED");
    call(&role_session[0], "GET", "/api/v1/token", "");
    assert_status(200);
    assert_non_null(strstr(reply.body, "\"script\""));
    callf(&role_session[0], "DELETE", "", "/api/v1/token/%lld", (long long)id);
    assert_status(204);
    tc_call(address, "GET", "/api/v1/device", headers, "", &reply);
    assert_int_equal(reply.status, 401);
    call(&role_session[0], "POST", "/api/v1/token",
         "{\"name\":\"too much\",\"permissions\":\"user:write\",\"expires_at\":\"2027-01-01\"}");
    assert_true(reply.status == 403 || reply.status == 422);
}

/* ---- who may what ---- */

static bool has(const struct session *s, const char *permission)
{
    struct auth_ctx who = {0};
    const json_t *list = json_object_get(s->user, "permissions");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        n += (size_t)snprintf(who.permissions + n, sizeof who.permissions - n, "%s%s", n ? "," : "",
                              json_string_value(json_array_get(list, i)));
    return auth_may(&who, permission);
}

/* What a route needs, from the table itself; NULL: nothing but to be signed in. */
static const char *need_of(const struct api_route *r, char mem[80])
{
    if (!r->kind)
        return r->access == API_MAY ? r->permission : NULL;
    bool write = r->method == HTTP_POST || r->method == HTTP_PATCH;
    snprintf(mem, 80, "%s:%s", r->kind->name, r->method == HTTP_DELETE ? "delete" : write ? "write" : "read");
    return mem;
}

static bool skipped(const struct api_route *r) /* would end the session, or never end */
{
    return strcmp(r->pattern, "/api/v1/events") == 0 ||
           (r->method == HTTP_DELETE && strcmp(r->pattern, "/api/v1/session") == 0) ||
           strcmp(r->pattern, "/api/v1/session/password") == 0 ||
           (r->method == HTTP_POST && strcmp(r->pattern, "/api/v1/session") == 0);
}

/* A target with ids that exist nowhere, and parameters that get past the first checks. */
static void target_of(const struct api_route *r, char ret[300])
{
    size_t n = 0;
    for (const char *p = r->pattern; *p;) {
        if (*p == '{') {
            n += (size_t)snprintf(ret + n, 300 - n, "%s", strncmp(p, "{id}", 4) == 0 ? "999999" : "sign");
            p = strchr(p, '}') + 1;
        } else {
            ret[n++] = *p++;
        }
    }
    snprintf(ret + n, 300 - n, "?format=csv%s&dry_run=1",
             strstr(r->pattern, "series") ? "&kind=rtd"
             : r->method == HTTP_DELETE   ? "&version=1"
                                          : "");
}

static void check_route(const struct api_route *r)
{
    char target[300], mem[80];
    if (skipped(r))
        return;
    target_of(r, target);
    if (strstr(r->pattern, "/list") ||
        (r->kind && r->method == HTTP_GET && !strstr(r->pattern, "{id}") && !strstr(r->pattern, "export")))
        *strchr(target, '?') = '\0'; /* lists refuse parameters they do not know */
    const char *need = need_of(r, mem);
    if (r->access != API_OPEN) {
        call(NULL, http_method_name(r->method), target, "");
        assert_status(401);
    }
    for (size_t i = 0; i < ROLES; i++) {
        const char *body =
            r->body_limit && !(r->kind && strstr(r->pattern, "import")) ? "{\"cn\":1011,\"version\":1}" : "";
        call(&role_session[i], http_method_name(r->method), target, body);
        bool denied = reply.status == 403, may = !need || has(&role_session[i], need);
        if (reply.status == 401 || reply.status >= 500 || reply.status == 0 || (may ? false : !denied))
            fail_msg("%s %s as %s: %d, needs %s: %.300s", http_method_name(r->method), target, roles[i], reply.status,
                     need ? need : "-", reply.body);
        if (may && denied && need && !strstr(r->pattern, "/{move}"))
            fail_msg("%s %s as %s denied though he has %s: %.300s", http_method_name(r->method), target, roles[i], need,
                     reply.body);
    }
}

static void every_route_for_every_role(void **state)
{
    size_t n = 0;
    for (size_t i = 0; i < api_routes_n; i++, n++)
        check_route(&api_routes[i]);
    for (size_t i = 0; i < api->n_kind_routes; i++, n++)
        check_route(&api->kind_routes[i]);
    assert_true(n > 100);
}

static void territories_are_walls(void **state)
{
    static const char *const own[] = {"/api/v1/enterprise/%" PRId64, "/api/v1/enterprise/%" PRId64 "/summary",
                                      "/api/v1/enterprise/%" PRId64 "/history"};
    static const char *const of_device[] = {"/api/v1/device/%" PRId64,
                                            "/api/v1/device/%" PRId64 "/series?kind=rtd",
                                            "/api/v1/device/%" PRId64 "/frames",
                                            "/api/v1/device/%" PRId64 "/ledger",
                                            "/api/v1/device/%" PRId64 "/connection",
                                            "/api/v1/device/%" PRId64 "/versions"};
    static const char *const of_alarm[] = {"/api/v1/alarm/%" PRId64, "/api/v1/alarm/%" PRId64 "/verdicts",
                                           "/api/v1/alarm/%" PRId64 "/history"};
    struct {
        const char *const *list;
        size_t n;
        const int64_t *id;
    } all[] = {{own, 3, plant}, {of_device, 6, device}, {of_alarm, 3, alarm_id}};
    for (size_t role = 0; role < ROLES - 1; role++)
        for (size_t i = 0; i < 3; i++)
            for (size_t k = 0; k < all[i].n; k++)
                for (int mine = 0; mine < 2; mine++) {
                    char target[200];
                    int n = snprintf(target, sizeof target, "%s", all[i].list[k]);
                    char *at = strchr(target, '%'), tail[100];
                    assert_true(n > 0);
                    snprintf(tail, sizeof tail, "%s", strpbrk(at, "d") + 1);
                    snprintf(at, sizeof target - (size_t)(at - target), "%" PRId64 "%s", all[i].id[!mine], tail);
                    call(&role_session[role], "GET", target, "");
                    if (reply.status != (mine ? 200 : 404))
                        fail_msg("%s as %s: %d %.200s", target, roles[role], reply.status, reply.body);
                }
    /* lists, board and map hold nothing of the other county */
    static const char *const lists[] = {"/api/v1/enterprise",  "/api/v1/outlet", "/api/v1/device",      "/api/v1/alarm",
                                        "/api/v1/alarm/board", "/api/v1/map",    "/api/v1/factor_limit"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        call(&role_session[2], "GET", lists[i], "");
        assert_status(200);
        assert_null(strstr(reply.body, "钢铁2"));
        assert_null(strstr(reply.body, "烧结2"));
        assert_null(strstr(reply.body, MN2));
        call(admin, "GET", lists[i], "");
        assert_true(strstr(reply.body, "钢铁2") || strstr(reply.body, "烧结2") || strstr(reply.body, MN2));
    }
    callf(&role_session[2], "PATCH", "{\"version\":1,\"name\":\"x\"}", "/api/v1/enterprise/%" PRId64, plant[1]);
    assert_error(404, "NOT_FOUND");
    callf(&role_session[0], "POST", "{}", "/api/v1/alarm/%" PRId64 "/sign", alarm_id[1]);
    assert_error(404, "NOT_FOUND");
}

/* ---- records ---- */

static void records_can_be_kept(void **state)
{
    call(admin, "POST", "/api/v1/unit?lang=en", "{\"name\":\"生态环境局\",\"type\":\"county_bureau\",\"bad\":1}");
    assert_error(422, "FIELD_UNKNOWN");
    call(admin, "POST", "/api/v1/unit", "{\"name_en\":\"Bureau\",\"type\":\"nonsense\"}");
    assert_status(422);
    json_t *v = answer();
    assert_int_equal(json_array_size(json_object_get(json_object_get(v, "error"), "faults")), 2);
    json_decref(v);
    call(admin, "POST", "/api/v1/unit", "{\"name\":\"生态环境局\",\"type\":\"county_bureau\"}");
    assert_status(201);
    v = answer();
    json_int_t id = json_integer_value(json_object_get(v, "id"));
    assert_int_equal(json_integer_value(json_object_get(v, "version")), 1);
    json_decref(v);
    call(admin, "POST", "/api/v1/unit", "{\"name\":\"生态环境局\",\"type\":\"team\"}");
    assert_error(409, "DUPLICATE");
    callf(admin, "PATCH", "{\"version\":1,\"name_en\":\"Bureau\"}", "/api/v1/unit/%lld", (long long)id);
    assert_status(200);
    callf(admin, "PATCH", "{\"version\":1,\"name_en\":\"Other\"}", "/api/v1/unit/%lld", (long long)id);
    assert_error(409, "STALE");
    callf(admin, "GET", "", "/api/v1/unit/%lld/history", (long long)id);
    assert_status(200);
    v = answer();
    assert_int_equal(json_array_size(json_object_get(v, "items")), 2);
    json_decref(v);
    callf(admin, "DELETE", "", "/api/v1/unit/%lld", (long long)id);
    assert_error(422, "FIELD_REQUIRED");
    callf(admin, "DELETE", "", "/api/v1/unit/%lld?version=2", (long long)id);
    assert_status(204);
    callf(admin, "GET", "", "/api/v1/unit/%lld", (long long)id);
    assert_error(404, "NOT_FOUND");
    call(admin, "GET", "/api/v1/unit/abc", "");
    assert_error(404, "NOT_FOUND");
    call(admin, "GET", "/api/v1/unit/-1", "");
    assert_error(404, "NOT_FOUND");
    call(admin, "POST", "/api/v1/alarm", "{}");
    assert_int_equal(reply.status, 405); /* kinds of the post itself have no such route */
}

static void lists_are_paged(void **state)
{
    char cursor[400] = "";
    int seen = 0;
    for (int i = 0; i < 7; i++)
        makef("person", "{\"name\":\"人%d\",\"post\":\"岗位\"}", i);
    for (int page = 0; page < 6; page++) {
        callf(admin, "GET", "", "/api/v1/person?sort=-name&limit=3%s%s", cursor[0] ? "&cursor=" : "", cursor);
        assert_status(200);
        json_t *v = answer();
        seen += (int)json_array_size(json_object_get(v, "items"));
        const char *next = json_string_value(json_object_get(v, "next"));
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        json_decref(v);
        if (!cursor[0])
            break;
    }
    assert_int_equal(seen, 7);
    call(admin, "GET", "/api/v1/person?cursor=%21%21%21&sort=-name", "");
    assert_true(reply.status >= 400 && reply.status < 500);
    call(admin, "GET", "/api/v1/person?limit=100000", "");
    assert_true(reply.status >= 400 && reply.status < 500);
    call(admin, "GET", "/api/v1/person?nonsense=1", "");
    assert_error(422, "FIELD_UNKNOWN");
    call(admin, "GET", "/api/v1/person?q=%E4%BA%BA3", "");
    json_t *v = answer();
    assert_int_equal(json_array_size(json_object_get(v, "items")), 1);
    json_decref(v);
}

/* Targets come in pages of their own, each with what is judged; the last says so. */
static void targets_come_in_pages(void **state)
{
    int64_t first = 0;
    for (int i = 0; i < 3; i++) {
        int64_t id = makef("air_target",
                           "{\"name\":\"t%d\",\"territory\":%" PRId64 ",\"indicator\":\"%s\",\"period\":\"year\","
                           "\"start_day\":\"2026-01-01\",\"end_day\":\"2026-12-31\",\"value\":250}",
                           i, county[i > 1], i ? "pm10" : "good_days");
        first = i == 0 ? id : first;
    }
    makef("air_target",
          "{\"name\":\"part\",\"territory\":%" PRId64 ",\"indicator\":\"pm10\",\"period\":\"year\",\"parent\":%" PRId64
          ",\"start_day\":\"2026-01-01\",\"end_day\":\"2026-12-31\",\"value\":250}",
          county[1], first);
    int64_t seen[8];
    size_t n = 0;
    char next[40] = "";
    for (int page = 0; page == 0 || next[0]; page++) {
        callf(admin, "GET", "", "/api/v1/air/targets?limit=3%s%s", next[0] ? "&cursor=" : "", next);
        assert_status(200);
        json_t *v = answer();
        const json_t *items = json_object_get(v, "items");
        assert_int_equal(json_array_size(items), page == 0 ? 3 : 1);
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *t = json_array_get(items, i);
            seen[n] = json_integer_value(json_object_get(t, "id"));
            assert_int_equal(json_is_true(json_object_get(t, "has_parts")), seen[n] == first);
            assert_true(n == 0 || seen[n] > seen[n - 1]);
            n++;
        }
        snprintf(next, sizeof next, "%s",
                 json_string_value(json_object_get(v, "next")) ? json_string_value(json_object_get(v, "next")) : "");
        json_decref(v);
    }
    assert_int_equal(n, 4);
    callf(admin, "GET", "", "/api/v1/air/targets?territory=%" PRId64, county[1]);
    json_t *v = answer();
    assert_int_equal(json_array_size(json_object_get(v, "items")), 2);
    json_decref(v);
    callf(admin, "GET", "", "/api/v1/air/season-plan?target=%" PRId64, first); /* good days are no mean */
    assert_status(422);
    char body[200];
    snprintf(body, sizeof body, "{\"target\":%" PRId64 ",\"assume\":[{\"kind\":\"days_back\",\"days\":3,\"bakc\":7}]}",
             first);
    callf(admin, "POST", body, "/api/v1/air/whatif");
    assert_status(422);
}

static void sheets_go_out_and_in(void **state)
{
    call(admin, "GET", "/api/v1/person/export?format=csv", "");
    assert_status(200);
    assert_non_null(strstr(reply.text, "Content-Type: text/csv; charset=utf-8"));
    assert_non_null(strstr(reply.text, "Content-Disposition: attachment;"));
    assert_non_null(strstr(reply.body, "人3"));
    call(admin, "GET", "/api/v1/person/export?format=pdf", "");
    assert_error(422, "FIELD_CHOICE");
    call(admin, "POST", "/api/v1/person/import?format=csv&dry_run=1", "name,unit,post\r\n赵一,,队长\r\n钱二,,队员\r\n");
    assert_status(200);
    json_t *v = answer();
    if (json_integer_value(json_object_get(v, "created")) != 2)
        fail_msg("%s", reply.body);
    json_decref(v);
    call(admin, "GET", "/api/v1/person?q=%E8%B5%B5%E4%B8%80", "");
    assert_null(strstr(reply.body, "赵一"));
    call(admin, "POST", "/api/v1/person/import?format=csv", "name,unit,post\r\n赵一,,队长\r\n钱二,,队员\r\n");
    assert_status(200);
    call(admin, "GET", "/api/v1/person?q=%E8%B5%B5%E4%B8%80", "");
    assert_non_null(strstr(reply.body, "赵一"));
    call(admin, "GET", "/api/v1/person/export?format=xlsx", "");
    assert_status(200);
    assert_memory_equal(reply.body, "PK", 2);
}

static void bodies_are_strict(void **state)
{
    static const char *const bad[] = {
        "{",
        "[1]",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"name\":\"\xff\"}",
        "nonsense",
        "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        call(admin, "POST", "/api/v1/unit", bad[i]);
        assert_error(400, "BAD_JSON");
    }
    char *big = malloc(API_BODY + 100);
    assert_non_null(big);
    memset(big, ' ', API_BODY + 99);
    big[API_BODY + 99] = '\0';
    call(admin, "POST", "/api/v1/unit", big);
    assert_error(413, "TOO_LARGE");
    free(big);
}

static void changed_configuration_reaches_the_journal(void **state)
{
    struct recorder_stats before, after;
    recorder_stats(recorder, &before);
    const struct registry_snapshot *s = registry_acquire(registry);
    uint64_t version = registry_version(s);
    registry_release(registry, s);
    call(admin, "POST", "/api/v1/device", "{\"mn\":\"77777770000001\",\"name\":\"新设备\",\"status\":\"pending\"}");
    assert_status(201);
    recorder_stats(recorder, &after);
    assert_true(after.records > before.records);
    s = registry_acquire(registry);
    assert_true(registry_version(s) > version);
    assert_non_null(registry_find(s, LT_LIT("77777770000001")));
    registry_release(registry, s);
    json_t *v = answer();
    json_int_t id = json_integer_value(json_object_get(v, "id"));
    json_decref(v);
    callf(admin, "POST", "{}", "/api/v1/device/%lld/enroll", (long long)id);
    assert_error(422, "FIELD_REQUIRED");
    char body[100];
    snprintf(body, sizeof body, "{\"outlet\":%" PRId64 ",\"pw\":\"123456\"}", outlet[1]);
    callf(admin, "POST", body, "/api/v1/device/%lld/enroll", (long long)id);
    assert_status(200);
    v = answer();
    assert_string_equal(text_at(v, "status", NULL), "active");
    assert_null(json_object_get(v, "pw"));
    assert_true(json_is_true(json_object_get(v, "pw_set")));
    json_decref(v);
    callf(admin, "POST", body, "/api/v1/device/%lld/enroll", (long long)id);
    assert_error(409, "FLOW_MOVE");
}

/* ---- alarms ---- */

static void alarms_are_moved(void **state)
{
    call(&role_session[0], "GET", "/api/v1/alarm/board?lang=en", "");
    assert_status(200);
    json_t *v = answer();
    assert_int_equal(json_integer_value(json_object_get(json_object_get(v, "counts"), "urgent")), 1);
    const json_t *item = json_array_get(json_object_get(v, "queue"), 0);
    assert_non_null(strstr(text_at(item, "text", NULL), "58.3"));
    json_decref(v);
    callf(&role_session[0], "POST", "", "/api/v1/alarm/%" PRId64 "/sign", alarm_id[0]);
    assert_status(200);
    v = answer();
    assert_string_equal(text_at(v, "state", NULL), "signed");
    json_decref(v);
    callf(&role_session[0], "POST", "{}", "/api/v1/alarm/%" PRId64 "/sign", alarm_id[0]);
    assert_error(409, "FLOW_MOVE");
    callf(&role_session[0], "POST", "{}", "/api/v1/alarm/%" PRId64 "/nonsense", alarm_id[0]);
    assert_true(reply.status >= 400 && reply.status < 500);
    /* a confirmed alarm waits for nobody: neither on the board nor in the totals of the wall */
    callf(&role_session[0], "POST", "{\"outcome\":\"true\"}", "/api/v1/alarm/%" PRId64 "/confirm", alarm_id[0]);
    assert_status(200);
    static const char *const severities[] = {"urgent", "important", "normal"};
    call(&role_session[0], "GET", "/api/v1/alarm/board", "");
    v = answer();
    call(&role_session[0], "GET", "/api/v1/overview", "");
    json_t *wall = answer();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_integer_value(json_object_get(json_object_get(v, "counts"), severities[i])),
                         json_integer_value(json_object_get(json_object_get(wall, "alarms"), severities[i])));
    json_decref(wall);
    json_decref(v);
    callf(&role_session[6], "POST", "{}", "/api/v1/alarm/%" PRId64 "/handle", alarm_id[0]);
    assert_error(403, "DENIED");
    callf(&role_session[0], "GET", "", "/api/v1/alarm/%" PRId64 "/history", alarm_id[0]);
    assert_status(200);
    assert_non_null(strstr(reply.body, "\"sign\""));
    call(&role_session[0], "GET", "/api/v1/rule/precision?days=7", "");
    assert_status(200);
    call(&role_session[0], "GET", "/api/v1/rule/precision?days=0", "");
    assert_error(422, "FIELD_RANGE");
}

/* ---- devices ---- */

static int device_connect(void)
{
    return tc_connect(gate);
}

static void send_frame(int fd, const char *mn, int cn, int64_t at_ms, const char *values)
{
    char area[500], time[18], qn[18], frame[1200];
    lt_time_format_compact(at_ms, LT_TZ_CHINA, false, time);
    lt_time_format_compact(at_ms, LT_TZ_CHINA, true, qn);
    snprintf(area, sizeof area, "DataTime=%s;%s", time, values);
    struct hj212_head h = {.qn = lt_slice_of(qn),
                           .pw = LT_LIT("123456"),
                           .mn = lt_slice_of(mn),
                           .st = 31,
                           .cn = (uint16_t)cn,
                           .edition = HJ212_2017,
                           .answer = true};
    size_t n = hj212_build(&h, lt_slice_of(area), frame, sizeof frame);
    assert_true(n > 0);
    assert_true(tc_send(fd, frame, n));
}

static void values_come_back(void **state)
{
    char answer_text[2000];
    int64_t at = lt_wall_ms() / 1000 * 1000 - 60000;
    int fd = device_connect();
    for (int i = 0; i < 20; i++) {
        char values[100];
        snprintf(values, sizeof values, "a21026-Rtd=%d.5,a21026-Flag=N", 10 + i);
        send_frame(fd, MN1, 2011, at + i * 1000, values);
        tc_read(fd, answer_text, sizeof answer_text, "CN=9014", 3000);
        assert_non_null(strstr(answer_text, "CN=9014"));
    }
    struct engine_stats es;
    engine_stats(engine, &es);
    uint64_t seq = es.seq;
    for (int i = 0; i < 100; i++) {
        engine_stats(engine, &es);
        if (es.frames >= 20)
            break;
        pause_ms(20);
    }
    assert_true(es.frames >= 20 && es.seq >= seq);
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/series?kind=rtd&factors=a21026&lang=en", device[0]);
    assert_status(200);
    json_t *v = answer();
    const json_t *rows = json_object_get(v, "rows"), *columns = json_object_get(v, "columns");
    assert_int_equal(json_array_size(rows), 20);
    assert_int_equal(json_array_size(columns), 2);
    assert_string_equal(text_at(json_array_get(columns, 0), "field", NULL), "rtd");
    assert_true(json_is_false(json_object_get(v, "thinned")));
    int64_t value = 0;
    assert_true(jsonr_to_fix(json_array_get(json_array_get(rows, 0), 1), &value));
    assert_int_equal(value, 10500000);
    assert_string_equal(json_string_value(json_array_get(json_array_get(rows, 0), 2)), "N");
    assert_int_equal(json_array_size(json_object_get(v, "limits")), 1);
    json_decref(v);
    /* thinned: fewer rows, and neither the lowest nor the highest is lost */
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/series?kind=rtd&points=10", device[0]);
    v = answer();
    assert_true(json_is_true(json_object_get(v, "thinned")));
    assert_true(json_array_size(json_object_get(v, "rows")) <= 10);
    assert_non_null(strstr(reply.body, ",10.5,"));
    assert_non_null(strstr(reply.body, ",29.5,"));
    json_decref(v);
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/series?kind=week", device[0]);
    assert_error(422, "FIELD_CHOICE");
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/series?kind=rtd&from=yesterday", device[0]);
    assert_error(422, "FIELD_FORMAT");
    close(fd);
}

static void frames_can_be_read(void **state)
{
    char next[32] = "";
    int seen = 0;
    for (int page = 0; page < 8; page++) {
        callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/frames?limit=8%s%s&lang=en", device[0],
              next[0] ? "&before=" : "", next);
        assert_status(200);
        json_t *v = answer();
        const json_t *items = json_object_get(v, "items");
        json_int_t last = 0;
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *it = json_array_get(items, i);
            json_int_t seq = json_integer_value(json_object_get(it, "seq"));
            assert_true(i == 0 || seq < last);
            last = seq;
            assert_string_equal(text_at(it, "kind", NULL), "frame");
            const char *raw = text_at(it, "raw", NULL);
            assert_string_equal(raw + strlen(raw) - 6, "&&****"); /* the CRC would betray a short password */
            assert_non_null(strstr(raw, "PW=******;"));           /* a duty officer may not change devices */
            assert_string_equal(text_at(it, "decoded", "mn"), MN1);
            assert_null(json_object_get(json_object_get(it, "decoded"), "pw"));
            assert_int_equal(json_array_size(json_object_get(json_object_get(it, "decoded"), "items")), 3);
        }
        seen += (int)json_array_size(items);
        const char *n = json_string_value(json_object_get(v, "next"));
        snprintf(next, sizeof next, "%s", n ? n : "");
        json_decref(v);
        if (!next[0])
            break;
    }
    assert_int_equal(seen, 20);
    callf(admin, "GET", "", "/api/v1/device/%" PRId64 "/frames?limit=1", device[0]);
    assert_non_null(strstr(reply.body, "PW=123456;"));
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/ledger", device[0]);
    assert_status(200);
    json_t *v = answer();
    const json_t *day = json_array_get(json_object_get(v, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(day, "received")), 20);
    assert_int_equal(json_integer_value(json_object_get(day, "stored")), 20);
    json_decref(v);
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/connection", device[0]);
    assert_status(200);
}

static void summaries_hold_latest_values(void **state)
{
    callf(&role_session[0], "GET", "", "/api/v1/outlet/%" PRId64 "/summary?lang=en", outlet[0]);
    assert_status(200);
    json_t *v = answer();
    const json_t *latest = json_array_get(json_object_get(v, "latest"), 0);
    assert_string_equal(text_at(latest, "factor", NULL), "a21026");
    int64_t value = 0;
    assert_true(jsonr_to_fix(json_object_get(latest, "rtd"), &value));
    assert_int_equal(value, 29500000);
    assert_int_equal(json_array_size(json_object_get(v, "limits")), 1);
    assert_int_equal(json_array_size(json_object_get(v, "devices")), 1);
    assert_int_equal(json_array_size(json_object_get(v, "alarms")), 1);
    json_decref(v);
    callf(&role_session[5], "GET", "", "/api/v1/enterprise/%" PRId64 "/summary", plant[0]);
    assert_status(200);
    v = answer();
    assert_int_equal(json_array_size(json_object_get(v, "outlets")), 1);
    json_decref(v);
    call(admin, "GET", "/api/v1/map?lang=en", "");
    v = answer();
    assert_int_equal(json_array_size(json_object_get(v, "plants")), 2);
    assert_int_equal(json_array_size(json_object_get(v, "territories")), 3);
    json_decref(v);
    call(admin, "GET", "/api/v1/overview", "");
    v = answer();
    assert_int_equal(json_integer_value(json_object_get(v, "frames_today")), 20);
    json_decref(v);
    call(admin, "GET", "/api/v1/system", "");
    assert_status(200);
    call(admin, "GET", "/api/v1/ledger", "");
    assert_status(200);
    assert_non_null(strstr(reply.body, MN1));
    call(admin, "GET", "/api/v1/map/boundaries", "");
    assert_string_equal(reply.body, "{\"type\":\"FeatureCollection\",\"features\":[]}");
}

/* What belongs to no county is seen by those who have the whole city: in lists, totals and events alike. */
static void unassigned_is_the_city_s(void **state)
{
    struct topo_territory places[] = {{.id = 1}, {.id = 2, .parent = 1}};
    const struct topo t = {.territory = places, .n_territory = 2};
    const struct auth_ctx whole = {.territory = 1}, county_only = {.territory = 2},
                          of_plant = {.territory = 1, .enterprise = 5}, nobody = {0};
    assert_true(topo_sees(&t, &whole, 0, 0));
    assert_true(topo_sees(&t, &whole, 2, 5));
    assert_false(topo_sees(&t, &county_only, 0, 0));
    assert_true(topo_sees(&t, &county_only, 2, 0));
    assert_false(topo_sees(&t, &of_plant, 0, 0));
    assert_false(topo_sees(&t, &nobody, 0, 0));
}

static void passwords_are_starred(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {{"##0001PW=123456;MN=A;CP=&&a=1&&AB12", "##0001PW=******;MN=A;CP=&&a=1&&****"},
             {"PW=1;CP=&&NewPW=65;b=2&&AB12", "PW=*;CP=&&NewPW=**;b=2&&****"},
             {"newpw=secret", "newpw=******"},
             {"NewPW=", "NewPW="},
             {"PW=a&b,c", "PW=*****"},
             {"RtdInterval=30&&AB12", "RtdInterval=30&&AB12"},
             {"PW", "PW"},
             {"", ""}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char *p = strdup(t[i].in); /* exactly as long as it is: the sanitizer sees a byte too many */
        frame_hide_passwords(p, strlen(p));
        assert_string_equal(p, t[i].out);
        free(p);
    }
}

/* Setting a device's password: the device gets it, nobody reads it afterwards. */
static void new_passwords_are_not_kept(void **state)
{
    char text[4000];
    int fd = device_connect();
    send_frame(fd, MN1, 2011, lt_wall_ms() / 1000 * 1000, "a21026-Rtd=6.5,a21026-Flag=N");
    tc_read(fd, text, sizeof text, "CN=9014", 3000);
    callf(&role_session[0], "POST", "{\"cn\":1072,\"area\":\"NewPW=Geheim7\"}", "/api/v1/device/%" PRId64 "/command",
          device[0]);
    assert_status(201);
    assert_null(strstr(reply.body, "Geheim7"));
    tc_read(fd, text, sizeof text, "CN=1072", 3000);
    assert_non_null(strstr(text, "NewPW=Geheim7"));
    const char *const paths[] = {"frames?limit=3", "commands"};
    for (size_t i = 0; i < 2; i++) {
        for (int k = 0; k < 100 && (k == 0 || !strstr(reply.body, "NewPW"));
             k++) { /* what is sent is stored a little later */
            pause_ms(20);
            callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/%s", device[0], paths[i]);
            assert_status(200);
        }
        assert_non_null(strstr(reply.body, "NewPW"));
        assert_null(strstr(reply.body, "Geheim7"));
    }
    call(admin, "GET", "/api/v1/audit?limit=20", "");
    assert_status(200);
    assert_null(strstr(reply.body, "Geheim7"));
    close(fd);
}

static void commands_go_down_and_their_answers_up(void **state)
{
    char text[4000], body[200];
    callf(&role_session[0], "POST", "{\"cn\":1011,\"area\":\"PolId=a21026\"}", "/api/v1/device/%" PRId64 "/command",
          device[1]);
    assert_error(404, "NOT_FOUND"); /* the other county's */
    callf(admin, "POST", "{\"cn\":1011,\"area\":\"PolId=a21026\"}", "/api/v1/device/%" PRId64 "/command", device[1]);
    assert_error(409, "DEVICE_OFFLINE");
    int fd = device_connect();
    send_frame(fd, MN1, 2011, lt_wall_ms() / 1000 * 1000, "a21026-Rtd=5.5,a21026-Flag=N");
    tc_read(fd, text, sizeof text, "CN=9014", 3000);
    static const char *const bad[] = {"{\"cn\":2011,\"area\":\"a&&##b=1\"}",
                                      "{\"cn\":9014}",
                                      "{\"cn\":1}",
                                      "{}",
                                      "{\"cn\":2061,\"from\":\"2026-01-02\",\"to\":\"2026-01-01\"}",
                                      "{\"cn\":1011,\"area\":\"a\\nb\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        callf(&role_session[0], "POST", bad[i], "/api/v1/device/%" PRId64 "/command", device[0]);
        assert_int_equal(reply.status, 422);
    }
    snprintf(body, sizeof body,
             "{\"cn\":2061,\"from\":\"2026-11-01T00:00:00+08:00\",\"to\":\"2026-11-01T05:00:00+08:00\"}");
    callf(&role_session[0], "POST", body, "/api/v1/device/%" PRId64 "/command", device[0]);
    assert_status(201);
    json_t *v = answer();
    json_int_t id = json_integer_value(json_object_get(v, "id"));
    json_decref(v);
    tc_read(fd, text, sizeof text, "CN=2061", 3000);
    assert_non_null(strstr(text, "BeginTime=20261101000000;EndTime=20261101050000"));
    char qn[18];
    snprintf(qn, sizeof qn, "%.17s", strstr(text, "QN=") + 3);
    for (int i = 0; i < 2; i++) { /* 9011 accepted, 9012 done */
        char frame[400], area[60];
        snprintf(area, sizeof area, i ? "ExeRtn=1" : "QnRtn=1");
        struct hj212_head h = {.qn = lt_slice_of(qn),
                               .pw = LT_LIT("123456"),
                               .mn = LT_LIT(MN1),
                               .st = 91,
                               .cn = i ? 9012 : 9011,
                               .edition = HJ212_2017};
        size_t n = hj212_build(&h, lt_slice_of(area), frame, sizeof frame);
        tc_send(fd, frame, n);
        pause_ms(100);
    }
    const char *step = "";
    for (int i = 0; i < 100 && strcmp(step, "done") != 0; i++) {
        pause_ms(30);
        callf(&role_session[0], "GET", "", "/api/v1/command/%lld", (long long)id);
        assert_status(200);
        step = strstr(reply.body, "\"step\":\"done\"") ? "done" : "";
    }
    assert_string_equal(step, "done");
    callf(&role_session[0], "GET", "", "/api/v1/device/%" PRId64 "/commands", device[0]);
    assert_status(200);
    close(fd);
}

/* ---- events ---- */

static int open_stream_of(const char *types, const struct session *s, const char *more, char *text, size_t cap)
{
    char raw[4096];
    int fd = tc_connect(address);
    int n = snprintf(raw, sizeof raw, "GET /api/v1/events?types=%s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", types,
                     s ? s->cookie : "", more);
    tc_send(fd, raw, (size_t)n);
    tc_read(fd, text, cap, "}", 3000);
    return fd;
}

static int open_stream(const struct session *s, const char *more, char *text, size_t cap)
{
    return open_stream_of("", s, more, text, cap);
}

static void events_stay_in_their_territory(void **state)
{
    char text[8000], mine[8000], all[8000];
    int fd[3];
    fd[0] = open_stream(&role_session[2], "", text, sizeof text); /* county 1 */
    assert_non_null(strstr(text, "event: hello"));
    fd[1] = open_stream(admin, "", text, sizeof text);
    fd[2] = open_stream(&role_session[5], "", text, sizeof text); /* the plant of county 1 */
    close(open_stream(NULL, "", text, sizeof text));
    assert_non_null(strstr(text, " 401 "));
    bus_publish(bus, "alarm", county[1], plant[1], LT_LIT("{\"of\":\"other\"}"));
    bus_publish(bus, "alarm", 0, 0, LT_LIT("{\"of\":\"post\"}"));
    bus_publish(bus, "alarm", county[0], 999, LT_LIT("{\"of\":\"neighbour\"}"));
    uint64_t id = bus_publish(bus, "alarm", county[0], plant[0], LT_LIT("{\"of\":\"mine\"}"));
    tc_read(fd[0], mine, sizeof mine, "\"mine\"", 3000);
    tc_read(fd[1], all, sizeof all, "\"mine\"", 3000);
    tc_read(fd[2], text, sizeof text, "\"mine\"", 3000);
    assert_non_null(strstr(mine, "\"mine\""));
    assert_non_null(strstr(mine, "\"neighbour\""));
    assert_null(strstr(mine, "\"other\""));
    assert_null(strstr(mine, "\"post\""));
    assert_non_null(strstr(all, "\"other\""));
    assert_non_null(strstr(all, "\"post\""));
    assert_non_null(strstr(text, "\"mine\""));
    assert_null(strstr(text, "\"neighbour\""));
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    /* back with the last id */
    bus_publish(bus, "alarm", county[0], plant[0], LT_LIT("{\"of\":\"missed\"}"));
    char more[100];
    snprintf(more, sizeof more, "Last-Event-ID: %" PRIu64 "\r\n", id);
    fd[0] = open_stream(&role_session[2], more, text, sizeof text);
    if (!strstr(text, "\"missed\""))
        tc_read(fd[0], text, sizeof text, "\"missed\"", 3000);
    assert_non_null(strstr(text, "\"missed\""));
    assert_null(strstr(text, "\"mine\""));
    close(fd[0]);
    /* one type of several */
    fd[0] = open_stream_of("evidence", &role_session[2], "", text, sizeof text);
    bus_publish(bus, "alarm", county[0], plant[0], LT_LIT("{\"of\":\"alarm\"}"));
    bus_publish(bus, "evidence", county[0], plant[0], LT_LIT("{\"of\":\"package\"}"));
    tc_read(fd[0], text, sizeof text, "\"package\"", 3000);
    assert_non_null(strstr(text, "\"package\""));
    assert_null(strstr(text, "\"alarm\""));
    close(fd[0]);
}

/* ---- the post ---- */

static void descriptions_are_whole(void **state)
{
    struct lt_buf b = LT_BUF_INIT(4u << 20);
    json_t *v = NULL;
    api_openapi(&b);
    assert_int_equal(jsonr_object(lt_buf_slice(&b), 4u << 20, &v, NULL), LT_OK);
    const json_t *paths = json_object_get(v, "paths");
    size_t operations = 0;
    for (size_t i = 0; i < api->n_http_routes; i++) {
        static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
        const struct http_route *r = &api->http_routes[i];
        const json_t *o = json_object_get(json_object_get(paths, r->pattern), methods[r->method]);
        if (!o)
            fail_msg("%s %s is not described", http_method_name(r->method), r->pattern);
        assert_true(strlen(text_at(o, "summary", NULL)) > 0);
        operations++;
    }
    assert_true(operations > 100);
    json_decref(v);
    lt_buf_fini(&b);
    call(NULL, "GET", "/api/v1/openapi.json", "");
    assert_status(200);
    call(&role_session[0], "GET", "/api/v1/meta?lang=en", "");
    assert_status(200);
}

static void health_and_metrics(void **state)
{
    call(NULL, "GET", "/healthz", "");
    assert_status(200);
    json_t *v = answer();
    assert_true(json_is_true(json_object_get(v, "ok")));
    json_decref(v);
    call(NULL, "GET", "/metrics", "");
    assert_status(200);
    assert_non_null(strstr(reply.body, "\nlantian_recorder_stored_total "));
    assert_non_null(strstr(reply.body, "# TYPE lantian_http_requests_total counter\n"));
    call(&role_session[7], "GET", "/api/v1/audit/verify", "");
    assert_status(200);
    assert_non_null(strstr(reply.body, "\"ok\":true"));
    call(&role_session[7], "GET", "/api/v1/audit?limit=5", "");
    assert_status(200);
    call(NULL, "GET", "/", "");
    assert_status(200);
    assert_non_null(strstr(reply.text, "Content-Type: text/html"));
    call(NULL, "GET", "/alarms/17", "");
    assert_status(200);
    call(NULL, "GET", "/api/v1/nothing", "");
    assert_error(404, "NOT_FOUND");
    call(NULL, "GET", "/assets/none.js", "");
    assert_error(404, "NOT_FOUND");
}

/* Last: it uses up the tries of this address. */
static void guessing_is_slowed(void **state)
{
    int refused = 0;
    for (int i = 0; i < 14; i++) {
        tc_call(address, "POST", "/api/v1/session", "", "{\"login\":\"nobody\",\"password\":\"guess-guess-9\"}",
                &reply);
        refused += reply.status == 429;
    }
    assert_true(refused >= 2);
    assert_error(429, "LIMIT");
}

static void limiter_refills(void **state)
{
    static struct limiter l;
    limiter_init(&l);
    for (int i = 0; i < 10; i++)
        assert_true(limiter_take(&l, "10.0.0.1", 1000));
    assert_false(limiter_take(&l, "10.0.0.1", 1000));
    assert_true(limiter_take(&l, "10.0.0.2", 1000));
    assert_false(limiter_take(&l, "10.0.0.1", 1000 + 5999));
    assert_true(limiter_take(&l, "10.0.0.1", 1000 + 6001));
    limiter_give_back(&l, "10.0.0.1", 1000 + 6002);
    assert_true(limiter_take(&l, "10.0.0.1", 1000 + 6003));
    /* put back an hour, the clock must not shut an address out for an hour */
    assert_false(limiter_take(&l, "10.0.0.1", 1000 + 6004));
    assert_false(limiter_take(&l, "10.0.0.1", 1000 - 3600000));
    assert_true(limiter_take(&l, "10.0.0.1", 1000 - 3600000 + 6001));
    for (int i = 0; i < 20000; i++) { /* many addresses only push out the longest unused */
        char a[32];
        snprintf(a, sizeof a, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        limiter_take(&l, a, 10000 + i);
    }
    pthread_mutex_destroy(&l.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limiter_refills),
        cmocka_unit_test(signing_in_gives_a_guarded_cookie),
        cmocka_unit_test(sessions_end),
        cmocka_unit_test(changes_need_the_page_token),
        cmocka_unit_test(one_time_passwords_must_be_changed),
        cmocka_unit_test(tokens_for_programs),
        cmocka_unit_test(territories_are_walls),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(frames_can_be_read),
        cmocka_unit_test(summaries_hold_latest_values),
        cmocka_unit_test(alarms_are_moved),
        cmocka_unit_test(commands_go_down_and_their_answers_up),
        cmocka_unit_test(unassigned_is_the_city_s),
        cmocka_unit_test(passwords_are_starred),
        cmocka_unit_test(new_passwords_are_not_kept),
        cmocka_unit_test(records_can_be_kept),
        cmocka_unit_test(lists_are_paged),
        cmocka_unit_test(targets_come_in_pages),
        cmocka_unit_test(sheets_go_out_and_in),
        cmocka_unit_test(bodies_are_strict),
        cmocka_unit_test(changed_configuration_reaches_the_journal),
        cmocka_unit_test(every_route_for_every_role),
        cmocka_unit_test(events_stay_in_their_territory),
        cmocka_unit_test(descriptions_are_whole),
        cmocka_unit_test(health_and_metrics),
        cmocka_unit_test(guessing_is_slowed),
    };
    return cmocka_run_group_tests_name("api", tests, start, stop);
}
