/* Replays over HTTP: queue, differences, making a change live, and the gate before changes of rules. */
#include "api/api_priv.h"

#include "base/text.h"
#include "replay/replay_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_MOST 200

/* ---- the job thread ---- */

static void on_event(void *user, int64_t id, const char *state, double percent)
{
    struct api *a = user;
    char json[160];
    int n = snprintf(json, sizeof json, "{\"id\":%" PRId64 ",\"state\":\"%s\",\"progress\":%.1f}", id, state, percent);
    if (a->deps.bus)
        bus_publish(a->deps.bus, "replay", 0, 0, (struct lt_slice){json, (size_t)n});
}

enum lt_err api_replay_start(struct api *a, struct lt_error *err)
{
    struct replay_jobs_config c = {.dir = a->dir, .tz_min = a->cfg.tz_min, .on_event = on_event, .user = a};
    return replay_jobs_start(&c, &a->replays, err);
}

void api_replay_stop(struct api *a)
{
    replay_jobs_stop(&a->replays);
}

/* ---- gate ---- */

enum lt_err api_gate_begin(struct api_call *c, struct api_gate *g, struct lt_error *err)
{
    *g = (struct api_gate){0};
    if (strcmp(c->route->kind->name, "rule") != 0)
        return LT_OK;
    enum lt_err e = api_query_i64(c, "replay", 1, INT64_MAX, &g->replay, err);
    g->before = calloc(1, sizeof *g->before);
    if (e == LT_OK && !g->before)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        e = sql_begin(c->t->db, err);
    if (e == LT_OK) {
        g->on = true;
        e = replay_rules_now(c->t->db, g->before, err);
    }
    return e ? api_gate_end(c, g, e, err) : LT_OK;
}

enum lt_err api_gate_end(struct api_call *c, struct api_gate *g, enum lt_err e, struct lt_error *err)
{
    struct replay_change *change = g->on && e == LT_OK ? calloc(1, sizeof *change) : NULL;
    struct replay_rules after;
    if (g->on && e == LT_OK)
        e = change ? replay_rules_now(c->t->db, &after, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (change && e == LT_OK) {
        replay_rules_change(g->before, &after, change);
        e = replay_gate(&c->x, c->a->dir, g->replay, g->before, change, err);
        if (e == LT_OK && change->n && g->replay)
            e = replay_applied(&c->x, g->replay, err);
    }
    if (g->on)
        e = sql_end(c->t->db, e, err);
    free(change);
    free(g->before);
    *g = (struct api_gate){0};
    return e;
}

/* ---- routes ---- */

static enum lt_err write_replay(struct api_call *c, int64_t id, struct lt_error *err)
{
    return record_json(&c->x, api_kind("replay"), id, NULL, NULL, &c->w, err);
}

HANDLER(replay_create)
{
    int64_t id;
    enum lt_err e = api_body(c, err);
    if (e || (e = replay_job_create(&c->x, c->a->dir, c->body, &id, err)))
        return e;
    if (c->a->replays)
        replay_jobs_wake(c->a->replays);
    c->res->status = 201;
    return write_replay(c, id, err);
}

HANDLER(replay_cancel)
{
    int64_t id;
    bool running = false;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = replay_job_cancel(&c->x, id, &running, err)))
        return e;
    if (running && c->a->replays)
        replay_jobs_cancel(c->a->replays, id);
    return write_replay(c, id, err);
}

HANDLER(replay_apply_post)
{
    int64_t id;
    size_t n = 0;
    enum lt_err e = api_id(c, 0, &id, err);
    struct replay_touched *touched = e ? NULL : calloc(REPLAY_CHANGES_MAX, sizeof *touched);
    if (!e && !touched)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e)
        e = replay_apply(&c->x, c->a->dir, id, touched, &n, &c->faults, err);
    if (!e) {
        for (size_t i = 0; i < n; i++)
            desk_config_changed(c->a, c->t->db, touched[i].kind->name, c->now_ms);
        jsonw_object(&c->w);
        jsonw_ki64(&c->w, "replay", id);
    }
    for (int limits = 0; !e && limits < 2; limits++) {
        jsonw_key(&c->w, limits ? "limits" : "rules");
        jsonw_array(&c->w);
        for (size_t i = 0; !e && i < n; i++)
            if ((strcmp(touched[i].kind->name, "factor_limit") == 0) == (limits == 1))
                e = record_json(&c->x, touched[i].kind, touched[i].id, NULL, NULL, &c->w, err);
        if (!e)
            jsonw_array_end(&c->w);
    }
    if (!e)
        jsonw_object_end(&c->w);
    free(touched);
    return e;
}

/* ---- differences ---- */

static enum lt_err read_query(const struct api_call *c, struct replay_query *q, struct lt_error *err)
{
    static const char *const sides[] = {"checked", "change", NULL},
                             *const whats[] = {"alarm", "verdict", "hour", "day", NULL},
                             *const hows[] = {"gained", "lost", "changed", NULL};
    struct lt_slice rule = http_query(c->req, "rule");
    char shown[40];
    *q = (struct replay_query){.side = -1, .what = -1, .how = -1, .rule = -1};
    enum lt_err e = api_query_choice(c, "side", sides, &q->side, err);
    if (!e)
        e = api_query_choice(c, "what", whats, &q->what, err);
    if (!e)
        e = api_query_choice(c, "change", hows, &q->how, err);
    if (!e && rule.n && (q->rule = alarm_rule_find(rule)) < 0) {
        lt_text_copy_slice(shown, sizeof shown, rule);
        e = lt_fail(err, LT_E_FIELD_CHOICE, "rule", "rule", shown, "hour_exceed …");
    }
    if (!e)
        e = api_query_i64(c, "territory", 1, INT64_MAX, &q->territory, err);
    if (!e)
        e = api_query_i64(c, "enterprise", 1, INT64_MAX, &q->enterprise, err);
    return e ? e : api_query_i64(c, "cursor", 0, INT64_MAX, &q->after, err);
}

struct page {
    struct api_call *c;
    struct topo *topo;
    int64_t limit, n, last;
    bool more;
};

/* Who sees a part of the city sees the differences of that part. */
static bool sees(const struct page *p, const struct replay_diff *d)
{
    return p->c->who.everywhere || topo_sees(p->topo, &p->c->who, d->territory, d->enterprise);
}

static bool on_item(void *user, int64_t n, const struct replay_diff *d)
{
    struct page *p = user;
    if (!sees(p, d))
        return true;
    if (p->n == p->limit) {
        p->more = true;
        return false;
    }
    p->n++;
    p->last = n;
    jsonw_object(&p->c->w);
    jsonw_ki64(&p->c->w, "n", n);
    replay_diff_json(d, p->c->t->db, p->c->a->cfg.tz_min, p->c->req->lang, &p->c->w);
    jsonw_object_end(&p->c->w);
    return true;
}

static bool on_line(void *user, int64_t n, const struct replay_diff *d)
{
    const struct page *p = user;
    (void)n;
    if (sees(p, d))
        replay_diff_csv(d, p->c->t->db, p->c->a->cfg.tz_min, p->c->req->lang, &p->c->res->body);
    return !p->c->res->body.failed;
}

/* The record must be one the caller may see. */
static enum lt_err known(struct api_call *c, int64_t *ret_id, struct lt_error *err)
{
    struct record_row r;
    enum lt_err e = api_id(c, 0, ret_id, err);
    if (!e && !(e = record_load(&c->x, api_kind("replay"), *ret_id, &r, err)))
        record_row_fini(&r);
    return e;
}

HANDLER(replay_diff_json_get)
{
    struct replay_query q;
    struct page p = {.c = c, .limit = 50};
    int64_t id, total = 0;
    enum lt_err e = known(c, &id, err);
    if (e || (e = read_query(c, &q, err)) || (e = api_query_i64(c, "limit", 1, PAGE_MOST, &p.limit, err)))
        return e;
    p.topo = desk_topo(c->a);
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    e = replay_job_diffs(c->a->dir, id, &q, on_item, &p, &total, err);
    topo_unref(p.topo);
    if (e)
        return e;
    char next[24];
    snprintf(next, sizeof next, "%" PRId64, p.last);
    jsonw_array_end(&c->w);
    jsonw_kstr(&c->w, "next", p.more ? next : NULL);
    jsonw_ki64(&c->w, "total", total);
    jsonw_object_end(&c->w);
    return LT_OK;
}

HANDLER(replay_diff_csv_get)
{
    struct replay_query q;
    struct page p = {.c = c};
    char name[120];
    int64_t id;
    enum lt_err e = known(c, &id, err);
    if (e || (e = read_query(c, &q, err)))
        return e;
    replay_diff_csv_head(c->req->lang, &c->res->body);
    p.topo = desk_topo(c->a);
    e = replay_job_diffs(c->a->dir, id, &q, on_line, &p, NULL, err);
    topo_unref(p.topo);
    if (e)
        return e;
    snprintf(name, sizeof name, "%s-%" PRId64 ".csv", c->req->lang == LT_ZH ? "历史重演" : "replay", id);
    http_set_filename(c->res, name);
    c->res->type = "text/csv; charset=utf-8";
    c->raw = true;
    return LT_OK;
}
