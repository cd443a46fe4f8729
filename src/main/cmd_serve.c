/* lantian serve: the post. Start order: state, journal, registry, values, engine, proof, devices, API; stop: API,
 * devices, then, when the engine has seen all that was stored, the others: whatever was acknowledged has been taken in.
 */
#include "air/air_brief.h"
#include "air/air_import.h"
#include "alarm/alarm.h"
#include "api/api.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "engine/engine.h"
#include "gateway/gateway.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/serve.h"
#include "main/tell.h"
#include "proof/proof.h"
#include "record/record.h"
#include "recorder/recorder.h"
#include "registry/registry.h"
#include "series/series.h"
#include "sql/sql.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- arguments ---- */

static int arguments(int argc, char **argv, struct serve *s)
{
    const char *file = NULL, *data = NULL, *http = NULL, *hj212 = NULL, *enroll = NULL, *web_root = NULL;
    const struct opt opts[] = {
        {"--config", OPT_TEXT, &file, "FILE", "settings; see lantian check-config"},
        {"--data", OPT_TEXT, &data, "DIR", "data directory (made when missing)"},
        {"--http", OPT_TEXT, &http, "HOST:PORT", "pages and API (default 127.0.0.1:8080)"},
        {"--hj212", OPT_TEXT, &hj212, "HOST:PORT", "devices (default 127.0.0.1:9012)"},
        {"--enroll", OPT_TEXT, &enroll, "open|closed", "answer devices that are not enrolled (default closed)"},
        {"--web-root", OPT_TEXT, &web_root, "DIR", "pages from a directory (development)"},
        {"--demo", OPT_FLAG, &s->demo, NULL, "also run the devices of a demonstration directory"},
    };
    int r = opt_parse("serve [--config FILE] [--data DIR] [--http A] [--hj212 A] [--enroll open|closed] [--demo]", opts,
                      sizeof opts / sizeof opts[0], argc, argv, NULL, 0, NULL);
    if (r)
        return r;
    struct lt_error err;
    config_defaults(&s->cfg);
    if (file && config_load(&s->cfg, file, &err) != LT_OK)
        return tell_error("serve", &err);
    const struct {
        const char *given;
        char *to;
        size_t cap;
    } over[] = {{data, s->cfg.data, sizeof s->cfg.data},
                {http, s->cfg.http, sizeof s->cfg.http},
                {hj212, s->cfg.hj212, sizeof s->cfg.hj212},
                {enroll, s->cfg.enroll, sizeof s->cfg.enroll},
                {web_root, s->cfg.web_root, sizeof s->cfg.web_root}};
    for (size_t i = 0; i < sizeof over / sizeof over[0]; i++)
        if (over[i].given)
            snprintf(over[i].to, over[i].cap, "%s", over[i].given);
    if (config_check(&s->cfg, &err) != LT_OK)
        return tell_error("serve", &err);
    return 0;
}

/* Demonstration accounts have a known password: they stay on this machine. */
static bool loopback_only(const struct config *c)
{
    return (strncmp(c->http, "127.", 4) == 0 || strncmp(c->http, "[::1]", 5) == 0 ||
            strncmp(c->http, "localhost:", 10) == 0);
}

/* ---- what units tell each other ---- */

static void on_event(void *user, const struct engine_event *e)
{
    struct serve *s = user;
    bus_publish(s->bus, e->type, e->territory, e->enterprise, e->json);
}

static void on_disk(void *user, const struct lt_error *err, bool cleared)
{
    struct serve *s = user;
    char text[512] = "";
    if (err)
        lt_error_text(err, LT_EN, text, sizeof text);
    lt_log(cleared ? LT_INFO : LT_ERROR, "recorder.disk", "state=%s error=\"%s\"", cleared ? "works again" : "failing",
           text);
    atomic_store(&s->disk_faulty, !cleared);
}

static void on_command(void *user, uint64_t id)
{
    struct serve *s = user;
    if (s->api)
        api_command_changed(s->api, id);
}

/* A version of the air data was committed, here or by another process. */
static void on_air(void *user, const struct air_changed *c)
{
    enum { IDS_MAX = 100 }; /* beyond, pages reload whatever they show: an event stays small */
    struct serve *s = user;
    struct lt_buf b = LT_BUF_INIT(8192);
    char from[16], to[16];
    air_day_text(c->from, from);
    air_day_text(c->to, to);
    lt_buf_addf(&b, "{\"version\":%lld,\"from\":\"%s\",\"to\":\"%s\",\"stations\":[", (long long)c->version, from, to);
    for (size_t i = 0; c->n <= IDS_MAX && i < c->n; i++)
        lt_buf_addf(&b, i ? ",%lld" : "%lld", (long long)c->station[i]);
    lt_buf_adds(&b, "]}");
    if (!b.failed)
        bus_publish(s->bus, "air", 0, 0, lt_buf_slice(&b));
    lt_buf_fini(&b);
}

/* ---- phases ---- */

static enum lt_err start_state(struct serve *s, char *once, size_t cap, struct lt_error *err)
{
    char path[512];
    if (mkdir(s->cfg.data, 0750) != 0 && errno != EEXIST)
        return lt_fail(err, LT_E_IO, NULL, s->cfg.data, strerror(errno), NULL);
    snprintf(path, sizeof path, "%s/state.db", s->cfg.data);
    enum lt_err e = sql_open(path, false, &s->db, err);
    if (e == LT_OK)
        e = record_setup(s->db, err);
    if (e == LT_OK)
        e = auth_setup(s->db, lt_wall_ms(), once, cap, err);
    if (e == LT_OK)
        e = alarm_setup(s->db, lt_wall_ms(), err);
    if (e == LT_OK)
        e = proof_setup(s->db, err);
    if (e == LT_OK)
        e = air_setup(s->db, err);
    if (e == LT_OK)
        e = air_paper_setup(s->db, err);
    if (e == LT_OK)
        e = air_rank_setup(s->db, lt_wall_ms(), (int)s->cfg.tz_min, err);
    if (e == LT_OK)
        e = air_open(s->db, (int)s->cfg.tz_min, &s->air, err);
    if (e == LT_OK)
        e = air_figures_open(s->air, &s->figures, err);
    if (e == LT_OK && (!(s->feed = air_feed_create()) || !air_listen(s->air, on_air, s))) /* after the figures: pages
        that hear of a version find them new */
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return e;
}

static enum lt_err start_taking(struct serve *s, struct lt_error *err)
{
    struct recorder_config rc = {.dir = s->cfg.data,
                                 .tz_min = (int)s->cfg.tz_min,
                                 .tick_s = 10,
                                 .keep_rejects = (unsigned)s->cfg.keep_rejects,
                                 .on_fault = on_disk,
                                 .user = s};
    enum lt_err e = recorder_start(&rc, &s->recorder, err);
    if (e != LT_OK)
        return e;
    s->registry = registry_create();
    if (!s->registry)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return registry_reload(s->registry, s->db, err);
}

/* What changed with this start (an upgrade, records brought in while the post was down) is in force from here on, for
 * the engine as for every replay of this day. */
static void note_start(struct serve *s)
{
    struct lt_error err;
    char text[512];
    const struct journal_record r = {
        .at_ms = lt_wall_ms(), .kind = JOURNAL_CONFIG, .mn = LT_LIT(""), .bytes = LT_LIT("start")};
    if (recorder_write(s->recorder, &r, &err) == LT_OK)
        return;
    lt_error_text(&err, LT_EN, text, sizeof text); /* a full disk: pages are shown all the same */
    lt_log(LT_WARN, "serve.start", "what=configuration error=\"%s\"", text);
}

static enum lt_err start_judging(struct serve *s, struct lt_error *err)
{
    size_t cache = (size_t)s->cfg.cache_mb << 20;
    struct series_config sc = {.dir = s->cfg.data, .tz_min = (int)s->cfg.tz_min, .cache_bytes = cache};
    enum lt_err e = series_open(&sc, &s->series, err);
    if (e != LT_OK)
        return e;
    struct engine_config ec = {.dir = s->cfg.data,
                               .series = s->series,
                               .series_cache_bytes = cache,
                               .tail = recorder_tail(s->recorder),
                               .tz_min = (int)s->cfg.tz_min,
                               .on_event = on_event,
                               .user = s};
    e = engine_start(&ec, &s->engine, err);
    if (e == LT_OK)
        note_start(s);
    return e;
}

static void on_proof(void *user, const char *type, int64_t territory, int64_t enterprise, struct lt_slice json)
{
    struct serve *s = user;
    bus_publish(s->bus, type, territory, enterprise, json);
}

static enum lt_err start_proving(struct serve *s, struct lt_error *err)
{
    const struct proof_config pc = {.dir = s->cfg.data,
                                    .tz_min = (int)s->cfg.tz_min,
                                    .series = s->series,
                                    .engine = s->engine,
                                    .city_zh = s->cfg.city_name,
                                    .city_en = s->cfg.city_name_en,
                                    .threads = 1,
                                    .ts_url = s->cfg.ts_url,
                                    .ts_ca = s->cfg.ts_ca,
                                    .on_event = on_proof,
                                    .user = s};
    return proof_start(&pc, &s->proof, err);
}

static enum lt_err start_serving(struct serve *s, struct lt_error *err)
{
    struct api_config ac = {.dir = s->cfg.data,
                            .listen = s->cfg.http,
                            .tls_cert = s->cfg.tls_cert,
                            .tls_key = s->cfg.tls_key,
                            .web_root = s->cfg.web_root[0] ? s->cfg.web_root : NULL,
                            .tz_min = (int)s->cfg.tz_min,
                            .demo = s->demo,
                            .city_name = s->cfg.city_name,
                            .city_name_en = s->cfg.city_name_en,
                            .max_conns = (unsigned)s->cfg.http_conns,
                            .max_conns_per_addr = (unsigned)s->cfg.http_conns_per_addr};
    struct gateway_config gc = {.listen = s->cfg.hj212,
                                .loops = (unsigned)s->cfg.loops,
                                .enroll_open = strcmp(s->cfg.enroll, "open") == 0,
                                .setup = strcmp(s->cfg.first_connect, "standard") == 0 ? GATEWAY_SETUP_STANDARD
                                         : strcmp(s->cfg.first_connect, "off") == 0    ? GATEWAY_SETUP_OFF
                                                                                       : GATEWAY_SETUP_NEEDED,
                                .tz_min = (int)s->cfg.tz_min,
                                .max_conns = (unsigned)s->cfg.max_conns,
                                .max_conns_per_addr = (unsigned)s->cfg.max_conns_per_addr,
                                .max_pending = (unsigned)s->cfg.max_pending,
                                .idle_s = (unsigned)s->cfg.idle_s,
                                .max_rate = (unsigned)s->cfg.max_rate,
                                .on_command = on_command,
                                .user = s};
    enum lt_err e = gateway_start(&gc, s->recorder, s->registry, &s->gateway, err);
    if (e != LT_OK)
        return e;
    struct api_deps deps = {.recorder = s->recorder,
                            .registry = s->registry,
                            .series = s->series,
                            .engine = s->engine,
                            .bus = s->bus,
                            .gateway = s->gateway,
                            .air = s->air,
                            .proof = s->proof,
                            .figures = s->figures};
    return api_start(&ac, &deps, &s->api, err);
}

static enum lt_err start(struct serve *s, char *once, size_t cap, struct lt_error *err)
{
    enum lt_err e = start_state(s, once, cap, err);
    if (e == LT_OK && !(s->bus = bus_create((uint64_t)lt_wall_ms() * 1000, 0)))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        e = start_taking(s, err);
    if (e == LT_OK)
        e = start_judging(s, err);
    if (e == LT_OK)
        e = start_proving(s, err);
    if (e == LT_OK)
        e = start_serving(s, err);
    if (e == LT_OK && s->demo)
        e = serve_demo_start(s, err);
    return e;
}

static void stop(struct serve *s)
{
    serve_demo_stop(s);
    if (s->api)
        api_stop(&s->api);
    if (s->gateway)
        gateway_stop(&s->gateway); /* what came in is durable and answered */
    if (s->recorder && s->engine) {
        struct recorder_stats st;
        recorder_stats(s->recorder, &st);
        engine_wait(s->engine, st.last_seq, 10000);
    }
    proof_stop(&s->proof); /* asks the engine */
    if (s->engine)
        engine_stop(&s->engine);
    if (s->series)
        series_close(&s->series);
    if (s->recorder)
        recorder_stop(&s->recorder);
    if (s->registry)
        registry_destroy(&s->registry);
    air_feed_destroy(&s->feed);
    air_close(&s->air);
    air_figures_close(&s->figures); /* listens to the former */
    if (s->bus)
        bus_destroy(&s->bus);
    sql_close(&s->db);
}

static void tell_disk(struct serve *s)
{
    bool faulty = atomic_load(&s->disk_faulty);
    if (faulty != s->disk_told)
        engine_fault(s->engine, "disk_fault", faulty, LT_LIT("{}"));
    s->disk_told = faulty;
}

/* The signal stays for run() to take. */
static bool stop_asked(struct serve *s)
{
    sigset_t pending;
    tell_disk(s);
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT));
}

static void run(struct serve *s, const sigset_t *signals)
{
    s->stop_asked = stop_asked;
    for (;;) {
        struct timespec second = {.tv_sec = 1};
        int sig = sigtimedwait(signals, NULL, &second);
        if (sig == SIGTERM || sig == SIGINT)
            return;
        tell_disk(s);
        serve_care(s, lt_wall_ms(), lt_mono_ms());
    }
}

int cmd_serve(int argc, char **argv)
{
    static struct serve s; /* configuration texts make it large */
    struct lt_error err;
    sigset_t signals;
    char once[64] = "", http[64], hj212[64];
    int r = arguments(argc, argv, &s);
    if (r)
        return r == 1 ? 0 : 2;
    if (s.demo && !loopback_only(&s.cfg)) {
        fprintf(stderr, "lantian serve: --demo has accounts with a known password and listens on 127.0.0.1 only\n");
        return 2;
    }
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(s.cfg.log, levels[i]) == 0)
            lt_log_set_level((enum lt_level)i);
    /* before any thread starts, so that all inherit it */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigdelset(&signals, SIGPIPE);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (start(&s, once, sizeof once, &err) != LT_OK) {
        stop(&s);
        return tell_error("serve", &err);
    }
    gateway_address(s.gateway, hj212);
    api_address(s.api, http);
    if (s.demo)
        serve_demo_print(&s);
    else if (once[0])
        printf("administrator 管理员: admin, one-time password 一次性密码: %s\n", once);
    printf("ready http=%s://%s hj212=%s data=%s\n", s.cfg.tls_cert[0] ? "https" : "http", http, hj212, s.cfg.data);
    fflush(stdout);
    run(&s, &signals);
    lt_log(LT_INFO, "serve.stop", "reason=signal");
    stop(&s);
    return 0;
}
