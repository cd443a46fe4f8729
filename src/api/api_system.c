/* The post about itself: metadata, health, metrics, audit, event stream. */
#include "api/api_priv.h"

#include "base/text.h"
#include "proof/proof.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* ---- metadata ---- */

static void write_city(struct api_call *c)
{
    struct jsonw *w = &c->w;
    struct topo *t = desk_topo(c->a);
    const struct topo_territory *city = NULL;
    for (size_t i = 0; i < t->n_territory && !city; i++)
        if (strcmp(t->territory[i].level, "city") == 0)
            city = &t->territory[i];
    jsonw_key(w, "city");
    jsonw_object(w);
    jsonw_kstr(w, "name", c->a->city_name);
    jsonw_kstr(w, "name_en", c->a->city_name_en);
    jsonw_key(w, "center");
    if (city && city->lon != LT_FIX_NONE && city->lat != LT_FIX_NONE) {
        jsonw_array(w);
        jsonw_fix(w, city->lon);
        jsonw_fix(w, city->lat);
        jsonw_array_end(w);
    } else {
        jsonw_null(w);
    }
    jsonw_ki64(w, "tz_min", c->a->cfg.tz_min);
    jsonw_object_end(w);
    topo_unref(t);
}

static void write_factors(struct jsonw *w, bool en)
{
    jsonw_key(w, "factors");
    jsonw_array(w);
    for (size_t i = 0; i < hj212_factor_count(); i++) {
        const struct hj212_factor *f = hj212_factor_at(i);
        jsonw_object(w);
        jsonw_kstr(w, "code", f->code);
        jsonw_kstr(w, "name", en ? f->name_en : f->name_zh);
        jsonw_kstr(w, "unit", f->unit);
        jsonw_ki64(w, "decimals", f->decimals);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

/* Fields of a data area as a form: "BeginTime;EndTime" become from and to. What a request needs stands before " / ". */
static void write_command_fields(struct jsonw *w, const char *cp)
{
    struct lt_slice s = lt_slice_of(cp);
    const char *slash = strstr(cp, " / ");
    if (slash)
        s.n = (size_t)(slash - cp);
    jsonw_key(w, "fields");
    jsonw_array(w);
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && s.p[end] != ';' && s.p[end] != ',')
            end++;
        struct lt_slice name = {s.p + i, end - i};
        bool begin = lt_slice_is(name, "BeginTime"), until = lt_slice_is(name, "EndTime");
        if (name.n && !memchr(name.p, '-', name.n)) { /* x-Rtd and the like is what the device sends */
            jsonw_object(w);
            jsonw_kslice(w, "name", begin ? LT_LIT("from") : until ? LT_LIT("to") : name);
            jsonw_kstr(w, "type", begin || until ? "time" : "text");
            jsonw_kbool(w, "required", begin || until);
            jsonw_object_end(w);
        }
        i = end + 1;
    }
    jsonw_array_end(w);
}

static void write_commands(struct jsonw *w, bool en)
{
    jsonw_key(w, "commands");
    jsonw_array(w);
    for (size_t i = 0; i < hj212_command_count(); i++) {
        const struct hj212_command *c = hj212_command_at(i);
        if (!(c->down & (HJ212_FLOW_REQUEST | HJ212_FLOW_NOTICE)) || c->editions == 0)
            continue;
        jsonw_object(w);
        jsonw_ki64(w, "cn", c->cn);
        jsonw_kstr(w, "name", en ? c->name_en : c->name_zh);
        jsonw_kstr(w, "area", c->cp);
        jsonw_kbool(w, "notice", (c->down & HJ212_FLOW_NOTICE) != 0); /* answered by 9013, which has no code */
        write_command_fields(w, c->cp);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void write_marks(struct jsonw *w, bool en)
{
    jsonw_key(w, "marks");
    jsonw_array(w);
    for (char m = '0'; m <= 'z'; m++) {
        const char text[2] = {m, '\0'}, *name = hj212_mark_name(m, en);
        if (!name)
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "mark", text);
        jsonw_kstr(w, "name", name);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

/* What a device's answer to a command means: QnRtn of 9011, ExeRtn of 9012. */
static void write_answers(struct jsonw *w, bool en)
{
    jsonw_key(w, "answers");
    jsonw_array(w);
    for (uint16_t cn = 9011; cn <= 9012; cn++)
        for (int code = 0; code <= 100; code++) {
            const char *name = hj212_result_name(cn, code, en);
            if (!name)
                continue;
            jsonw_object(w);
            jsonw_ki64(w, "cn", cn);
            jsonw_ki64(w, "code", code);
            jsonw_kstr(w, "name", name);
            jsonw_object_end(w);
        }
    jsonw_array_end(w);
}

HANDLER(meta_get)
{
    struct jsonw *w = &c->w;
    bool en = c->req->lang == LT_EN;
    jsonw_object(w);
    jsonw_kstr(w, "version", API_VERSION);
    write_city(c);
    jsonw_kbool(w, "demo", c->a->cfg.demo);
    jsonw_key(w, "kinds");
    record_meta(&c->who, w);
    write_factors(w, en);
    jsonw_key(w, "rules");
    alarm_rules_meta(c->req->lang, w);
    jsonw_key(w, "flows");
    jsonw_object(w);
    jsonw_key(w, "alarm");
    flow_meta(&alarm_flow, c->req->lang, w);
    jsonw_object_end(w);
    write_commands(w, en);
    write_marks(w, en);
    write_answers(w, en);
    jsonw_object_end(w);
    return LT_OK;
}

/* ---- health ---- */

static bool healthy(struct api *a, struct engine_stats *es, struct recorder_stats *rs)
{
    if (a->deps.engine)
        engine_stats(a->deps.engine, es);
    if (a->deps.recorder)
        recorder_stats(a->deps.recorder, rs);
    return !rs->faulty && es->lag_ms < 5 * LT_MIN_MS;
}

HANDLER(health_get)
{
    struct engine_stats es = {0};
    struct recorder_stats rs = {0};
    bool ok = healthy(c->a, &es, &rs);
    jsonw_object(&c->w);
    jsonw_kbool(&c->w, "ok", ok);
    jsonw_kstr(&c->w, "version", API_VERSION);
    jsonw_kbool(&c->w, "recorder", !rs.faulty);
    jsonw_ku64(&c->w, "seq", es.seq);
    jsonw_ki64(&c->w, "lag_ms", es.lag_ms);
    jsonw_object_end(&c->w);
    if (!ok)
        c->res->status = 503;
    return LT_OK;
}

static bool from_here(const struct api_call *c)
{
    return !c->a->cfg.trust_proxy && (strncmp(c->req->address, "127.", 4) == 0 || strcmp(c->req->address, "::1") == 0);
}

HANDLER(metrics_get)
{
    if (!from_here(c)) {
        struct lt_slice h = c->req->header[HTTP_H_AUTHORIZATION];
        if (h.n <= 7 || strncasecmp(h.p, "Bearer ", 7) != 0)
            return lt_fail(err, LT_E_AUTH_REQUIRED, NULL, NULL, NULL, NULL);
        enum lt_err e =
            auth_token_find(c->t->db, (struct lt_slice){h.p + 7, h.n - 7}, c->req->address, c->now_ms, &c->who, err);
        if (e || (e = auth_need(&c->who, "system:read", err)))
            return e;
    }
    api_metrics(c->a, &c->res->body);
    c->res->type = "text/plain; version=0.0.4; charset=utf-8";
    c->raw = true;
    return LT_OK;
}

HANDLER(openapi_get)
{
    api_openapi(&c->res->body);
    c->raw = true;
    return LT_OK;
}

/* ---- audit ---- */

HANDLER(audit_get)
{
    struct audit_query q = {.user = http_query(c->req, "user"), .kind = http_query(c->req, "kind"), .limit = 50};
    int64_t limit = 50;
    struct lt_slice cursor = http_query(c->req, "cursor");
    enum lt_err e = api_query_i64(c, "limit", 1, 200, &limit, err);
    if (e || (e = api_query_time(c, "from", &q.from_ms, err)) || (e = api_query_time(c, "to", &q.to_ms, err)))
        return e;
    if (cursor.n && (!lt_text_to_i64(cursor, &q.before_seq) || q.before_seq < 1))
        return lt_fail(err, LT_E_FIELD_FORMAT, "cursor", "cursor", "", "next");
    q.limit = (unsigned)limit;
    return audit_list(c->t->db, &q, c->a->cfg.tz_min, &c->w, err);
}

HANDLER(audit_verify_get)
{
    int64_t rows = 0, bad = 0;
    enum lt_err e = audit_verify(c->t->db, &rows, &bad, err);
    if (e && e != LT_E_CORRUPT)
        return e;
    jsonw_object(&c->w);
    jsonw_kbool(&c->w, "ok", e == LT_OK);
    jsonw_ki64(&c->w, "rows", rows);
    jsonw_key(&c->w, "bad_seq");
    if (e)
        jsonw_i64(&c->w, bad);
    else
        jsonw_null(&c->w);
    jsonw_object_end(&c->w);
    return LT_OK;
}

/* ---- events ---- */

struct watcher {
    struct api *a;
    struct auth_ctx who;
    bool alarms, devices, system, commands, replays, air, evidence;
};

static bool wants(const struct watcher *v, const char *type)
{
    if (strcmp(type, "alarm") == 0)
        return v->alarms;
    if (strcmp(type, "latest") == 0)
        return v->devices;
    if (strcmp(type, "air") == 0)
        return v->air;
    if (strcmp(type, "replay") == 0)
        return v->replays;
    if (strcmp(type, "evidence") == 0)
        return v->evidence;
    return strcmp(type, "command") == 0 ? v->commands : v->system;
}

static bool pass_event(void *user, const struct bus_event *e)
{
    struct watcher *v = user;
    if (!wants(v, e->type))
        return false;
    if (e->territory == 0 && e->enterprise == 0 && /* of the post itself, or of devices not enrolled */
        (strcmp(e->type, "replay") == 0 || strcmp(e->type, "air") == 0 ||
         (strcmp(e->type, "system") == 0 && !v->who.enterprise)))
        return true;
    struct topo *t = desk_topo(v->a);
    bool sees = topo_sees(t, &v->who, e->territory, e->enterprise);
    topo_unref(t);
    return sees;
}

static bool listed(struct lt_slice types, const char *type)
{
    size_t n = strlen(type);
    return types.n == 0 || memmem(types.p, types.n, type, n) != NULL;
}

HANDLER(events_get)
{
    struct lt_slice types = http_query(c->req, "types");
    if (!c->a->deps.bus)
        return api_missing("events", err);
    struct watcher *v = calloc(1, sizeof *v);
    if (!v)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    v->a = c->a;
    v->who = c->who;
    v->alarms = auth_may(&c->who, "alarm:read") && listed(types, "alarm");
    v->devices = auth_may(&c->who, "device:read") && listed(types, "latest");
    v->commands = auth_may(&c->who, "command:read") && listed(types, "command");
    v->evidence = auth_may(&c->who, "evidence:read") && listed(types, "evidence");
    v->system = listed(types, "system");
    v->air = auth_may(&c->who, "station:read") && !c->who.enterprise && listed(types, "air");
    v->replays = auth_may(&c->who, "replay:read") && listed(types, "replay");
    c->res->stream = (struct http_stream){.on = true, .pass = pass_event, .free = free, .user = v};
    c->raw = true;
    return LT_OK;
}

/* ---- system page ---- */

/* Bytes of the files of a directory (one level; the post makes no deeper ones there). */
static uint64_t directory_bytes(const char *dir, const char *name)
{
    char path[900];
    uint64_t total = 0;
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            total += (uint64_t)st.st_size;
    if (d)
        closedir(d);
    return total;
}

static void write_storage(struct api_call *c)
{
    struct jsonw *w = &c->w;
    char path[600];
    struct statvfs v;
    struct stat st;
    jsonw_key(w, "storage");
    jsonw_object(w);
    jsonw_ku64(w, "journal_bytes", directory_bytes(c->a->dir, "journal"));
    jsonw_ku64(w, "series_bytes", directory_bytes(c->a->dir, "series"));
    snprintf(path, sizeof path, "%s/state.db", c->a->dir);
    jsonw_ku64(w, "state_bytes", stat(path, &st) == 0 ? (uint64_t)st.st_size : 0);
    if (c->a->deps.series)
        jsonw_ku64(w, "series_cache_bytes", series_cache_bytes(c->a->deps.series));
    if (statvfs(c->a->dir, &v) == 0) {
        jsonw_ku64(w, "disk_free_bytes", (uint64_t)v.f_bavail * v.f_frsize);
        jsonw_ku64(w, "disk_bytes", (uint64_t)v.f_blocks * v.f_frsize);
    }
    snprintf(path, sizeof path, "%s/last_backup", c->a->dir);
    jsonw_ktime(w, "last_backup_at", stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 : 0, c->a->cfg.tz_min);
    jsonw_object_end(w);
}

struct total {
    uint64_t received, stored, duplicate, rejected, devices;
};

static bool add_row(void *user, const struct engine_ledger_row *r)
{
    struct total *t = user;
    t->received += r->received;
    t->stored += r->stored;
    t->duplicate += r->duplicate;
    t->rejected += r->rejected;
    t->devices++;
    return true;
}

static enum lt_err write_ledger(struct api_call *c, struct lt_error *err)
{
    struct total t = {0};
    struct jsonw *w = &c->w;
    enum lt_err e = LT_OK;
    if (c->a->deps.engine)
        e = engine_ledger(c->a->deps.engine, lt_day_number(c->now_ms, c->a->cfg.tz_min), LT_LIT(""), add_row, &t, err);
    jsonw_key(w, "ledger");
    jsonw_object(w);
    jsonw_ku64(w, "received", t.received);
    jsonw_ku64(w, "stored", t.stored);
    jsonw_ku64(w, "duplicate", t.duplicate);
    jsonw_ku64(w, "rejected", t.rejected);
    jsonw_ku64(w, "devices", t.devices);
    jsonw_object_end(w);
    return e;
}

#define FEEDS_MAX 200
struct feeds {
    struct api_call *c;
    const struct topo *t;
    unsigned n, more;
};

static void write_feed(void *user, const struct engine_device *d)
{
    struct feeds *f = user;
    struct jsonw *w = &f->c->w;
    int tz = f->c->a->cfg.tz_min;
    const struct topo_device *x = topo_device(f->t, d->device);
    if (!x || strcmp(x->status, "disabled") == 0 || (d->silent_since_ms == 0 && strcmp(x->status, "pending") != 0) ||
        !topo_sees(f->t, &f->c->who, x->territory, x->enterprise))
        return;
    if (f->n == FEEDS_MAX) {
        f->more++;
        return;
    }
    f->n++;
    const struct topo_outlet *o = topo_outlet(f->t, x->outlet);
    const struct topo_enterprise *e = topo_enterprise(f->t, x->enterprise);
    jsonw_object(w);
    jsonw_ki64(w, "device", d->device);
    jsonw_kstr(w, "mn", x->mn);
    jsonw_kstr(w, "name", x->name);
    jsonw_kstr(w, "outlet_name", o ? o->name : NULL);
    jsonw_kstr(w, "enterprise_name", e ? (f->c->req->lang == LT_EN && e->name_en[0] ? e->name_en : e->name) : NULL);
    jsonw_kstr(w, "state", d->silent_since_ms ? "silent" : "pending");
    jsonw_ktime(w, "since", d->silent_since_ms, tz);
    jsonw_ktime(w, "last_data_at", d->last_data_at_ms, tz);
    jsonw_kstr(w, "cause", f->c->req->lang == LT_ZH ? d->cause_zh : d->cause_en);
    jsonw_object_end(w);
}

static void write_feeds(struct api_call *c)
{
    struct topo *t = desk_topo(c->a);
    struct feeds f = {.c = c, .t = t};
    jsonw_key(&c->w, "feeds");
    jsonw_array(&c->w);
    if (c->a->deps.engine)
        engine_devices(c->a->deps.engine, write_feed, &f);
    jsonw_array_end(&c->w);
    jsonw_ki64(&c->w, "feeds_more", f.more);
    topo_unref(t);
}

static void write_faults(struct api_call *c, const struct engine_stats *es, const struct recorder_stats *rs)
{
    struct jsonw *w = &c->w;
    bool zh = c->req->lang == LT_ZH;
    jsonw_key(w, "faults");
    jsonw_array(w);
    if (rs->faulty)
        jsonw_str(w, zh ? "磁盘写入失败，报文暂不应答" : "the disk cannot be written: frames are not acknowledged");
    if (es->lag_ms >= LT_MIN_MS)
        jsonw_str(w, zh ? "计算落后于接收一分钟以上" : "the engine is more than a minute behind");
    if (es->failures)
        jsonw_str(w, zh ? "计算提交曾失败" : "the engine failed to commit at times");
    jsonw_array_end(w);
}

HANDLER(system_get)
{
    struct engine_stats es = {0};
    struct recorder_stats rs = {0};
    struct gateway_stats gs = {0};
    struct jsonw *w = &c->w;
    bool ok = healthy(c->a, &es, &rs);
    if (c->a->deps.gateway)
        gateway_stats(c->a->deps.gateway, &gs);
    jsonw_object(w);
    jsonw_ktime(w, "at", c->now_ms, c->a->cfg.tz_min);
    jsonw_ktime(w, "started_at", c->a->started_ms, c->a->cfg.tz_min);
    jsonw_kstr(w, "version", API_VERSION);
    jsonw_kbool(w, "ok", ok);
    jsonw_key(w, "queues");
    jsonw_object(w);
    jsonw_ku64(w, "recorder_blocks", rs.queue_blocks);
    jsonw_ki64(w, "engine_lag_ms", es.lag_ms);
    jsonw_ku64(w, "engine_records_behind", es.seq > es.committed_seq ? es.seq - es.committed_seq : 0);
    jsonw_object_end(w);
    jsonw_key(w, "connections");
    jsonw_object(w);
    jsonw_ku64(w, "open", gs.open);
    jsonw_ku64(w, "accepted", gs.accepted);
    jsonw_ku64(w, "refused", gs.refused_limit);
    jsonw_ku64(w, "paused", gs.paused);
    jsonw_object_end(w);
    jsonw_ku64(w, "records_per_s", es.records_per_s);
    jsonw_ku64(w, "seq", es.seq);
    jsonw_ku64(w, "commit_us_mean", rs.commits ? rs.commit_us_total / rs.commits : 0);
    jsonw_ku64(w, "commit_us_max", rs.commit_us_max);
    enum lt_err e = write_ledger(c, err);
    if (e)
        return e;
    write_storage(c);
    write_faults(c, &es, &rs);
    write_feeds(c);
    jsonw_key(w, "proof");
    if (c->a->deps.proof)
        proof_state_write(c->a->deps.proof, c->t->db, c->a->cfg.tz_min, w);
    else
        jsonw_null(w);
    jsonw_object_end(w);
    return LT_OK;
}
