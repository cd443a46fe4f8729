/* The queue of replays: records in state.db, one run at a time on a thread of low priority. */
#include "replay/replay_job.h"
#include "replay/replay_priv.h"
#include "replay/replay_store.h"

#include "base/log.h"
#include "base/cond.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_S 2 /* a replay made by another process (a tool) is found this late */

struct replay_jobs {
    struct replay_jobs_config cfg;
    char dir[1000];
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool started, stop;
    int64_t running, cancel; /* ids */
    /* job thread's own */
    struct sql_db *db;
    int64_t told_ms, began_ms;
};

static const struct record_kind *replay_kind(void)
{
    return record_kind_find(LT_LIT("replay"));
}

/* ---- making one ---- */

static enum lt_err day_of(const json_t *body, const char *name, int tz_min, int64_t *ret_ms, struct lt_error *err)
{
    struct lt_slice s = {0};
    char shown[40];
    enum lt_err e = jsonr_str(body, name, false, 32, &s, err);
    if (e != LT_OK || s.n == 0)
        return e;
    lt_text_copy_slice(shown, sizeof shown, s);
    return s.n == 10 && lt_time_parse_iso(s, tz_min, ret_ms)
               ? LT_OK
               : lt_fail(err, LT_E_FIELD_FORMAT, name, name, shown, "YYYY-MM-DD");
}

/* 0 when it is the whole city: a territory without one above it. */
static enum lt_err part_of_city(struct sql_db *db, int64_t *territory, struct lt_error *err)
{
    int64_t parent = 0;
    if (*territory == 0)
        return LT_OK;
    enum lt_err e = sql_get_i64(db, "SELECT coalesce(parent, 0) FROM territory WHERE id = ?1 AND deleted = 0",
                                territory, &parent, err);
    if (e == LT_E_NOT_FOUND) {
        char shown[24];
        snprintf(shown, sizeof shown, "%lld", (long long)*territory);
        return lt_fail(err, LT_E_REF_MISSING, "territory", "territory", "territory", shown);
    }
    *territory = parent ? *territory : 0;
    return e;
}

static enum lt_err waiting_room(struct sql_db *db, struct lt_error *err)
{
    int64_t n = 0;
    enum lt_err e =
        sql_get_i64(db, "SELECT count(*) FROM replay WHERE state = 'queued' AND deleted = 0", NULL, &n, err);
    return e == LT_OK && n >= REPLAY_WAITING_MAX
               ? lt_fail(err, LT_E_LIMIT, NULL, "waiting replays / 排队中的重演", "10", NULL)
               : e;
}

static enum lt_err insert(const struct record_ctx *x, int64_t from, int64_t to, int64_t territory,
                          const struct replay_change *change, struct lt_slice note, int64_t *ret_id,
                          struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(64u * 1024);
    replay_change_text(change, x->tz_min, &text);
    const struct record_set set[] = {RECORD_SET_I("day_from", from),
                                     RECORD_SET_I("day_to", to),
                                     territory ? RECORD_SET_I("territory", territory) : RECORD_SET_NULL("territory"),
                                     RECORD_SET_S("change", lt_buf_slice(&text)),
                                     RECORD_SET_Z("state", "queued"),
                                     RECORD_SET_Z("author", x->who->name),
                                     RECORD_SET_S("note", note)};
    enum lt_err e = text.failed ? lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL) : sql_begin(x->db, err);
    if (e == LT_OK) {
        e = waiting_room(x->db, err);
        if (e == LT_OK)
            e = record_insert(x, replay_kind(), set, sizeof set / sizeof set[0], ret_id, err);
        e = sql_end(x->db, e, err);
    }
    lt_buf_fini(&text);
    return e;
}

enum lt_err replay_job_create(const struct record_ctx *x, const char *dir, const json_t *body, int64_t *ret_id,
                              struct lt_error *err)
{
    static const char *const known[] = {"from", "to", "change", "territory", "note", NULL};
    int64_t from, to, territory = x->who->everywhere ? 0 : x->who->territory;
    struct lt_slice note = LT_LIT("");
    struct replay_change *change = calloc(1, sizeof *change);
    if (!change)
        return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    replay_gate_days(dir, x->now_ms, x->tz_min, &from, &to);
    json_t *o = json_incref((json_t *)(uintptr_t)body);
    enum lt_err e = jsonr_only(o, known, err);
    json_decref(o);
    if (e == LT_OK)
        e = day_of(body, "from", x->tz_min, &from, err);
    if (e == LT_OK)
        e = day_of(body, "to", x->tz_min, &to, err);
    if (e == LT_OK)
        e = jsonr_i64(body, "territory", false, 1, INT64_MAX, &territory, err);
    if (e == LT_OK)
        e = jsonr_str(body, "note", false, 500, &note, err);
    if (e == LT_OK && (to < from || to - from >= REPLAY_DAYS_MAX * LT_DAY_MS || to > x->now_ms))
        e = lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "today, 400 d");
    if (e == LT_OK && json_object_get(body, "change") && !json_is_null(json_object_get(body, "change")))
        e = replay_change_parse(x->db, json_object_get(body, "change"), x->tz_min, change, err);
    if (e == LT_OK)
        e = part_of_city(x->db, &territory, err);
    if (e == LT_OK)
        e = insert(x, from, to, territory, change, note, ret_id, err);
    free(change);
    return e;
}

enum lt_err replay_job_cancel(const struct record_ctx *x, int64_t id, bool *ret_running, struct lt_error *err)
{
    struct record_row r;
    *ret_running = false;
    enum lt_err e = record_load(x, replay_kind(), id, &r, err);
    if (e != LT_OK)
        return e;
    char state[24];
    lt_text_copy_slice(state, sizeof state, record_text(&r, "state"));
    const struct record_set set[] = {RECORD_SET_Z("state", "cancelled"), RECORD_SET_I("finished_at", x->now_ms)};
    if (strcmp(state, "queued") == 0)
        e = record_change(x, replay_kind(), id, r.version, "cancel", set, 2, err);
    else if (strcmp(state, "running") == 0)
        *ret_running = true;
    else
        e = lt_fail(err, LT_E_FLOW_MOVE, NULL, "cancel / 取消", state, NULL);
    record_row_fini(&r);
    return e;
}

/* ---- the thread ---- */

static void tell(struct replay_jobs *j, int64_t id, const char *state, double percent)
{
    if (j->cfg.on_event)
        j->cfg.on_event(j->cfg.user, id, state, percent);
}

static bool asked_to_end(struct replay_jobs *j, int64_t id)
{
    pthread_mutex_lock(&j->mu);
    bool end = j->stop || j->cancel == id;
    pthread_mutex_unlock(&j->mu);
    return end;
}

static enum lt_err set_state(struct replay_jobs *j, int64_t id, const char *action, const struct record_set *set,
                             size_t n, struct lt_error *err)
{
    struct auth_ctx who = auth_system("replay");
    struct record_ctx x = {.db = j->db, .who = &who, .now_ms = lt_wall_ms(), .tz_min = j->cfg.tz_min};
    return record_change(&x, replay_kind(), id, 0, action, set, n, err);
}

static bool on_progress(void *user, const struct replay_progress *p)
{
    struct replay_jobs *j = user;
    int64_t mono = lt_mono_ms();
    if (asked_to_end(j, j->running))
        return false;
    if (mono - j->told_ms < 1000)
        return true;
    j->told_ms = mono;
    const struct record_set set[] = {RECORD_SET_I("progress", (int64_t)(p->share * 100 * 1000000)),
                                     RECORD_SET_I("at", p->at_ms), RECORD_SET_I("records", (int64_t)p->records),
                                     RECORD_SET_I("frames", (int64_t)p->frames)};
    struct lt_error err; /* a busy database: the next second tells it */
    if (set_state(j, j->running, "progress", set, 4, &err) == LT_OK)
        tell(j, j->running, "running", p->share * 100);
    return true;
}

static enum lt_err finish(struct replay_jobs *j, int64_t id, const struct replay *r, struct lt_error *err)
{
    const struct replay_result *s = replay_result(r);
    struct lt_buf text = LT_BUF_INIT(256u * 1024);
    struct jsonw w;
    jsonw_init(&w, &text);
    enum lt_err e = replay_result_json(s, j->db, j->cfg.tz_min, &w, err);
    if (e == LT_OK)
        e = replay_store_diffs(j->dir, id, r, err);
    const struct record_set set[] = {RECORD_SET_Z("state", "finished"),
                                     RECORD_SET_I("progress", 100 * LT_FIX_ONE),
                                     RECORD_SET_I("finished_at", lt_wall_ms()),
                                     RECORD_SET_I("at", s->end_ms),
                                     RECORD_SET_I("records", (int64_t)s->records),
                                     RECORD_SET_I("frames", (int64_t)s->frames),
                                     RECORD_SET_I("seconds", (int64_t)(s->seconds * 1000) * 1000),
                                     RECORD_SET_I("identical", s->differences == 0),
                                     RECORD_SET_I("gained", (int64_t)s->gained),
                                     RECORD_SET_I("lost", (int64_t)s->lost),
                                     RECORD_SET_I("changed", (int64_t)s->moved),
                                     RECORD_SET_I("diffs", (int64_t)s->n_diff),
                                     RECORD_SET_S("result", lt_buf_slice(&text))};
    if (e == LT_OK)
        e = set_state(j, id, "finish", set, sizeof set / sizeof set[0], err);
    lt_buf_fini(&text);
    return e;
}

static void give_up(struct replay_jobs *j, int64_t id, const struct lt_error *why)
{
    char text[400];
    struct lt_error err;
    pthread_mutex_lock(&j->mu);
    const char *state = j->stop ? "interrupted" : j->cancel == id ? "cancelled" : "failed";
    pthread_mutex_unlock(&j->mu);
    lt_error_text(why, LT_EN, text, sizeof text);
    const struct record_set set[] = {RECORD_SET_Z("state", state), RECORD_SET_I("finished_at", lt_wall_ms()),
                                     strcmp(state, "failed") == 0 ? RECORD_SET_Z("error", text)
                                                                  : RECORD_SET_NULL("error")};
    if (set_state(j, id, state, set, 3, &err) != LT_OK) {
        lt_error_text(&err, LT_EN, text, sizeof text);
        lt_log(LT_ERROR, "replay.state", "id=%lld error=\"%s\"", (long long)id, text);
    }
    tell(j, id, state, 0);
}

static enum lt_err read_job(struct replay_jobs *j, int64_t id, struct replay_config *rc, struct replay_change *change,
                            struct lt_error *err)
{
    struct auth_ctx who = auth_system("replay");
    struct record_ctx x = {.db = j->db, .who = &who, .now_ms = lt_wall_ms(), .tz_min = j->cfg.tz_min};
    struct record_row r;
    json_t *root = NULL;
    enum lt_err e = record_load(&x, replay_kind(), id, &r, err);
    if (e != LT_OK)
        return e;
    rc->day_from = lt_day_number(record_i64(&r, "day_from", 0), j->cfg.tz_min);
    rc->day_to = lt_day_number(record_i64(&r, "day_to", 0), j->cfg.tz_min);
    rc->territory = record_i64(&r, "territory", 0);
    e = jsonr_object(record_text(&r, "change"), JSONR_SIZE_MAX, &root, err);
    if (e == LT_OK)
        e = replay_change_parse(j->db, json_object_get(root, "items"), j->cfg.tz_min, change, err);
    json_decref(root);
    record_row_fini(&r);
    return e;
}

static enum lt_err begin(struct replay_jobs *j, int64_t id, struct lt_error *err)
{
    struct lt_buf base = LT_BUF_INIT(16u * 1024);
    struct replay_rules rules;
    enum lt_err e = replay_rules_now(j->db, &rules, err);
    if (e == LT_OK)
        replay_rules_text(&rules, &base);
    const struct record_set set[] = {RECORD_SET_Z("state", "running"), RECORD_SET_I("started_at", lt_wall_ms()),
                                     RECORD_SET_S("base", lt_buf_slice(&base))};
    if (e == LT_OK)
        e = set_state(j, id, "start", set, 3, err);
    lt_buf_fini(&base);
    return e;
}

static bool run_one(struct replay_jobs *j, int64_t id)
{
    char scratch[1100];
    struct lt_error err;
    struct replay *r = NULL;
    struct replay_change *change = calloc(1, sizeof *change);
    snprintf(scratch, sizeof scratch, "%.900s/replay/run", j->dir);
    struct replay_config rc = {.dir = j->dir,
                               .scratch = scratch,
                               .tz_min = j->cfg.tz_min,
                               .cache_bytes = j->cfg.cache_bytes,
                               .change = change,
                               .progress = on_progress,
                               .user = j};
    enum lt_err e = change ? LT_OK : lt_fail(&err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    if (e == LT_OK)
        e = begin(j, id, &err);
    if (e == LT_OK)
        tell(j, id, "running", 0);
    if (e == LT_OK)
        e = read_job(j, id, &rc, change, &err);
    if (e == LT_OK)
        e = replay_run(&rc, &r, &err);
    if (e == LT_OK)
        e = finish(j, id, r, &err);
    if (e == LT_OK) {
        lt_log(LT_INFO, "replay.finish", "id=%lld frames=%llu differences=%llu", (long long)id,
               (unsigned long long)replay_result(r)->frames, (unsigned long long)replay_result(r)->n_diff);
        tell(j, id, "finished", 100);
        for (int64_t old = id - REPLAY_KEPT; old > 0 && old > id - 2 * REPLAY_KEPT; old--)
            replay_store_forget(j->dir, old);
    } else {
        give_up(j, id, &err);
    }
    replay_free(&r);
    free(change);
    return e == LT_OK;
}

static int64_t next_job(struct replay_jobs *j)
{
    int64_t id = 0;
    struct lt_error err;
    enum lt_err e = sql_get_i64(
        j->db, "SELECT id FROM replay WHERE state = 'queued' AND deleted = 0 ORDER BY id LIMIT 1", NULL, &id, &err);
    return e == LT_OK ? id : 0;
}

static void *work(void *user)
{
    struct replay_jobs *j = user;
    setpriority(PRIO_PROCESS, 0, 10); /* of this thread (Linux): judging the present goes before judging the past */
    pthread_mutex_lock(&j->mu);
    while (!j->stop) {
        pthread_mutex_unlock(&j->mu);
        int64_t id = next_job(j);
        pthread_mutex_lock(&j->mu);
        if (id && !j->stop) {
            j->running = id;
            pthread_mutex_unlock(&j->mu);
            bool ok = run_one(j, id);
            pthread_mutex_lock(&j->mu);
            j->running = 0;
            if (ok)
                continue;
        } /* one that failed may be first in the queue still (a full disk): not again at once */
        if (!j->stop)
            lt_cond_wait_until(&j->wake, &j->mu, lt_mono_ms() + LOOK_S * LT_SEC_MS);
    }
    pthread_mutex_unlock(&j->mu);
    return NULL;
}

/* Those that ran when the post stopped without a word. */
static enum lt_err interrupt_left(struct replay_jobs *j, struct lt_error *err)
{
    const struct record_set set[] = {RECORD_SET_Z("state", "interrupted"), RECORD_SET_I("finished_at", lt_wall_ms())};
    int64_t id = 0;
    enum lt_err e;
    while ((e = sql_get_i64(j->db, "SELECT id FROM replay WHERE state = 'running' AND deleted = 0 LIMIT 1", NULL, &id,
                            err)) == LT_OK &&
           (e = set_state(j, id, "interrupted", set, 2, err)) == LT_OK) {
    }
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

enum lt_err replay_jobs_start(const struct replay_jobs_config *cfg, struct replay_jobs **ret, struct lt_error *err)
{
    struct replay_jobs *j = calloc(1, sizeof *j);
    char path[1100];
    *ret = NULL;
    if (!j)
        return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    j->cfg = *cfg;
    lt_text_copy(j->dir, sizeof j->dir, cfg->dir);
    pthread_mutex_init(&j->mu, NULL);
    lt_cond_init(&j->wake);
    snprintf(path, sizeof path, "%s/replay", j->dir);
    enum lt_err e =
        mkdir(path, 0700) == 0 || errno == EEXIST ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    snprintf(path, sizeof path, "%s/state.db", j->dir);
    if (e == LT_OK)
        e = sql_open(path, false, &j->db, err);
    if (e == LT_OK)
        e = interrupt_left(j, err);
    if (e == LT_OK && pthread_create(&j->thread, NULL, work, j) != 0)
        e = lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    j->started = e == LT_OK;
    *ret = j;
    if (e != LT_OK)
        replay_jobs_stop(ret);
    return e;
}

void replay_jobs_stop(struct replay_jobs **pj)
{
    struct replay_jobs *j = *pj;
    if (!j)
        return;
    pthread_mutex_lock(&j->mu);
    j->stop = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->mu);
    if (j->started)
        pthread_join(j->thread, NULL);
    sql_close(&j->db);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->mu);
    free(j);
    *pj = NULL;
}

void replay_jobs_wake(struct replay_jobs *j)
{
    pthread_mutex_lock(&j->mu);
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->mu);
}

void replay_jobs_cancel(struct replay_jobs *j, int64_t id)
{
    pthread_mutex_lock(&j->mu);
    if (j->running == id)
        j->cancel = id;
    pthread_mutex_unlock(&j->mu);
}
