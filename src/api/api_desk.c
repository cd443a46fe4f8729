/* The desk thread: what must happen beside requests. It rebuilds the topology after changes, tells engine and gateway
 * of changed configuration (again and again until it worked), follows commands on their way to devices, and tells the
 * pages each five seconds how the post does. */
#include "api/api_priv.h"

#include "base/log.h"
#include "base/cond.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

enum { TICK_MS = 1000, SYSTEM_MS = 5000, TOPO_MS = 300000 };

static void warn(const char *what, const struct lt_error *err)
{
    char text[512];
    lt_error_text(err, LT_EN, text, sizeof text);
    lt_log(LT_WARN, "api.desk", "what=%s error=\"%s\"", what, text);
}

struct topo *desk_topo(struct api *a)
{
    pthread_mutex_lock(&a->lock);
    struct topo *t = a->topo;
    atomic_fetch_add(&t->refs, 1);
    pthread_mutex_unlock(&a->lock);
    return t;
}

static void rebuild(struct api *a, struct sql_db *db)
{
    struct topo *t = NULL, *old;
    struct lt_error err;
    pthread_mutex_lock(&a->lock);
    a->topo_due = false;
    pthread_mutex_unlock(&a->lock);
    if (topo_build(db, lt_wall_ms(), a->cfg.tz_min, &t, &err) != LT_OK) {
        warn("topology", &err);
        pthread_mutex_lock(&a->lock);
        a->topo_due = true;
        pthread_mutex_unlock(&a->lock);
        return;
    }
    pthread_mutex_lock(&a->lock);
    old = a->topo;
    a->topo = t;
    pthread_mutex_unlock(&a->lock);
    topo_unref(old);
}

/* Engine and gateway read the configuration anew. */
static enum lt_err tell(struct api *a, struct sql_db *db, struct lt_slice what, int64_t now_ms, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    if (a->deps.registry)
        e = registry_reload(a->deps.registry, db, err);
    if (!e && a->deps.recorder) {
        struct journal_record r = {.at_ms = now_ms, .kind = JOURNAL_CONFIG, .mn = LT_LIT(""), .bytes = what};
        e = recorder_write(a->deps.recorder, &r, err);
    }
    return e;
}

void desk_config_changed(struct api *a, struct sql_db *db, const char *kind, int64_t now_ms)
{
    struct lt_error err;
    enum lt_err e = tell(a, db, lt_slice_of(kind), now_ms, &err);
    if (e)
        warn("configuration", &err);
    pthread_mutex_lock(&a->lock);
    a->config_due |= e != LT_OK; /* the desk tries again: the change itself is committed */
    a->topo_due = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

void desk_follow(struct api *a, uint64_t command, int64_t record)
{
    pthread_mutex_lock(&a->lock);
    if (a->n_commands == DESK_COMMANDS) { /* the gateway has forgotten the oldest too */
        memmove(a->command, a->command + 1, (DESK_COMMANDS - 1) * sizeof a->command[0]);
        a->n_commands--;
    }
    a->command[a->n_commands++] = (struct desk_command){.id = command, .record = record, .step = -1};
    a->signalled = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

void api_command_changed(struct api *a, uint64_t id)
{
    (void)id; /* few are under way: all are looked at */
    pthread_mutex_lock(&a->lock);
    a->signalled = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

static void publish_command(struct api *a, const struct gateway_command *g, int64_t record, const char *step)
{
    char json[200];
    struct topo *t = desk_topo(a);
    const struct topo_device *d = topo_device_mn(t, g->mn);
    int n = snprintf(json, sizeof json, "{\"id\":%" PRId64 ",\"device\":%" PRId64 ",\"step\":\"%s\",\"code\":%d}",
                     record, d ? d->id : 0, step, g->code);
    if (a->deps.bus)
        bus_publish(a->deps.bus, "command", d ? d->territory : 0, d ? d->enterprise : 0,
                    (struct lt_slice){json, (size_t)n});
    topo_unref(t);
}

static const char *const steps[] = {"sent", "accepted", "done", "refused", "failed", "timeout"};

/* Writes the state of one command into its record; true when it is over. */
static bool follow_one(struct api *a, struct sql_db *db, struct desk_command *d)
{
    struct gateway_command g;
    struct lt_error err;
    if (!gateway_command_get(a->deps.gateway, d->id, &g))
        return true;
    if ((int)g.step == d->step && g.frames == d->frames)
        return false;
    struct auth_ctx who = auth_system("gateway");
    struct record_ctx x = {db, &who, lt_wall_ms(), a->cfg.tz_min};
    frame_hide_passwords(g.answer, strlen(g.answer)); /* a device may repeat what it was told */
    const char *step = (unsigned)g.step < sizeof steps / sizeof steps[0] ? steps[g.step] : "failed";
    struct record_set set[] = {RECORD_SET_Z("step", step), RECORD_SET_I("code", g.code),
                               RECORD_SET_I("frames", (int64_t)g.frames), RECORD_SET_Z("answer", g.answer)};
    if (!lt_text_is_utf8(set[3].s))
        set[3].s = LT_LIT("?");
    if (record_change(&x, api_kind("command"), d->record, 0, "answer", set, 4, &err) != LT_OK) {
        warn("command", &err);
        return err.code == LT_E_NOT_FOUND;
    }
    d->step = (int)g.step;
    d->frames = g.frames;
    publish_command(a, &g, d->record, step);
    return g.step >= GATEWAY_CMD_DONE;
}

static void follow_all(struct api *a, struct sql_db *db)
{
    for (size_t i = 0;; i++) {
        pthread_mutex_lock(&a->lock);
        bool end = i >= a->n_commands;
        struct desk_command d = end ? (struct desk_command){0} : a->command[i];
        pthread_mutex_unlock(&a->lock);
        if (end)
            return;
        bool over = follow_one(a, db, &d);
        pthread_mutex_lock(&a->lock);
        for (size_t k = 0; k < a->n_commands; k++) { /* places may have moved meanwhile */
            if (a->command[k].id != d.id)
                continue;
            a->command[k] = d;
            if (over) {
                memmove(a->command + k, a->command + k + 1, (a->n_commands - k - 1) * sizeof a->command[0]);
                a->n_commands--;
                i--;
            }
            break;
        }
        pthread_mutex_unlock(&a->lock);
    }
}

static void publish_system(struct api *a)
{
    struct engine_stats es = {0};
    struct recorder_stats rs = {0};
    struct gateway_stats gs = {0};
    struct lt_buf b = LT_BUF_INIT(1024);
    struct jsonw w;
    if (a->deps.engine)
        engine_stats(a->deps.engine, &es);
    if (a->deps.recorder)
        recorder_stats(a->deps.recorder, &rs);
    if (a->deps.gateway)
        gateway_stats(a->deps.gateway, &gs);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_ktime(&w, "at", lt_wall_ms(), a->cfg.tz_min);
    jsonw_ku64(&w, "connections", gs.open);
    jsonw_ku64(&w, "records_per_s", es.records_per_s);
    jsonw_ki64(&w, "lag_ms", es.lag_ms);
    jsonw_ku64(&w, "silent", es.devices_silent);
    jsonw_ku64(&w, "pending", es.devices_pending);
    jsonw_kbool(&w, "faulty", rs.faulty);
    jsonw_object_end(&w);
    if (jsonw_ok(&w) && a->deps.bus)
        bus_publish(a->deps.bus, "system", 0, 0, lt_buf_slice(&b));
    lt_buf_fini(&b);
}

static void wait_tick(struct api *a)
{
    const int64_t until_ms = lt_mono_ms() + TICK_MS;
    pthread_mutex_lock(&a->lock);
    if (!a->stop && !a->signalled && !a->topo_due)
        lt_cond_wait_until(&a->wake, &a->lock, until_ms);
    a->signalled = false;
    pthread_mutex_unlock(&a->lock);
}

static void retry_config(struct api *a, struct sql_db *db)
{
    struct lt_error err;
    pthread_mutex_lock(&a->lock);
    bool due = a->config_due;
    a->config_due = false;
    pthread_mutex_unlock(&a->lock);
    if (!due || tell(a, db, LT_LIT("retry"), lt_wall_ms(), &err) == LT_OK)
        return;
    warn("configuration", &err);
    pthread_mutex_lock(&a->lock);
    a->config_due = true;
    pthread_mutex_unlock(&a->lock);
}

static enum lt_err open_state(struct api *a, struct sql_db **ret, struct lt_error *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/state.db", a->dir);
    return sql_open(path, false, ret, err);
}

static void *desk(void *user)
{
    struct api *a = user;
    struct sql_db *db = NULL;
    struct lt_error err;
    int64_t system_ms = 0, topo_ms = lt_mono_ms() + TOPO_MS;
    if (open_state(a, &db, &err) != LT_OK) {
        warn("open", &err);
        return NULL;
    }
    for (;;) {
        wait_tick(a);
        int64_t now = lt_mono_ms();
        pthread_mutex_lock(&a->lock);
        bool stop = a->stop, topo = a->topo_due || now > topo_ms;
        pthread_mutex_unlock(&a->lock);
        if (stop)
            break;
        retry_config(a, db);
        if (topo) {
            rebuild(a, db);
            topo_ms = now + TOPO_MS;
        }
        if (a->deps.gateway)
            follow_all(a, db);
        if (now > system_ms) {
            publish_system(a);
            system_ms = now + SYSTEM_MS;
        }
    }
    sql_close(&db);
    return NULL;
}

enum lt_err desk_start(struct api *a, struct lt_error *err)
{
    struct sql_db *db = NULL;
    pthread_mutex_init(&a->lock, NULL);
    lt_cond_init(&a->wake);
    enum lt_err e = open_state(a, &db, err);
    if (!e)
        e = topo_build(db, lt_wall_ms(), a->cfg.tz_min, &a->topo, err);
    sql_close(&db);
    if (e)
        return e;
    if (pthread_create(&a->desk, NULL, desk, a) != 0)
        return lt_failf(err, LT_E_INTERNAL, NULL, "cannot start a thread");
    a->desk_runs = true;
    return LT_OK;
}

void desk_stop(struct api *a)
{
    if (a->desk_runs) {
        pthread_mutex_lock(&a->lock);
        a->stop = true;
        pthread_cond_signal(&a->wake);
        pthread_mutex_unlock(&a->lock);
        pthread_join(a->desk, NULL);
    }
    topo_unref(a->topo);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->wake);
}
