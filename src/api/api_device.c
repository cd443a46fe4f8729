/* A device beyond its record: ledger, connection, commands, enrolment, version trail. */
#include "api/api_priv.h"

#include "base/text.h"
#include "hj212/hj212.h"

#include <stdio.h>

static enum lt_err load_mn(struct api_call *c, int64_t *ret_id, char ret_mn[65], struct lt_error *err)
{
    struct record_row row = {0};
    enum lt_err e = api_id(c, 0, ret_id, err);
    if (e || (e = record_load(&c->x, api_kind("device"), *ret_id, &row, err)))
        return e;
    lt_text_copy_slice(ret_mn, 65, record_text(&row, "mn"));
    record_row_fini(&row);
    return LT_OK;
}

/* ---- ledger ---- */

struct days {
    struct api_call *c;
    int from, to;
};

static bool write_day(void *user, const struct engine_ledger_row *r)
{
    struct days *d = user;
    struct jsonw *w = &d->c->w;
    char day[16];
    if ((d->from && r->day < d->from) || (d->to && r->day > d->to))
        return true;
    snprintf(day, sizeof day, "%04d-%02d-%02d", r->day / 10000, r->day / 100 % 100, r->day % 100);
    jsonw_object(w);
    jsonw_kstr(w, "day", day);
    jsonw_kstr(w, "mn", r->mn);
    jsonw_ku64(w, "received", r->received);
    jsonw_ku64(w, "stored", r->stored);
    jsonw_ku64(w, "duplicate", r->duplicate);
    jsonw_ku64(w, "rejected", r->rejected);
    jsonw_key(w, "reasons");
    jsonw_object(w);
    for (size_t i = 0; i < r->n_reasons; i++)
        jsonw_ku64(w, journal_reason_name(r->reason[i].reason), r->reason[i].n);
    jsonw_object_end(w);
    jsonw_object_end(w);
    return true;
}

HANDLER(device_ledger)
{
    int64_t id;
    char mn[65];
    struct days d = {.c = c};
    enum lt_err e = load_mn(c, &id, mn, err);
    if (e || (e = api_query_day(c, "from", &d.from, err)) || (e = api_query_day(c, "to", &d.to, err)))
        return e;
    if (!c->a->deps.engine)
        return api_missing("engine", err);
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    if ((e = engine_ledger(c->a->deps.engine, 0, lt_slice_of(mn), write_day, &d, err)))
        return e;
    jsonw_array_end(&c->w);
    jsonw_object_end(&c->w);
    return LT_OK;
}

struct total {
    struct days d;
    const struct topo *t;
    uint64_t received, stored, duplicate, rejected;
};

static bool add_day(void *user, const struct engine_ledger_row *r)
{
    struct total *t = user;
    const struct auth_ctx *who = &t->d.c->who;
    const struct topo_device *d = topo_device_mn(t->t, r->mn);
    if (!who->everywhere && !(d && topo_sees(t->t, who, d->territory, d->enterprise)))
        return true;
    t->received += r->received;
    t->stored += r->stored;
    t->duplicate += r->duplicate;
    t->rejected += r->rejected;
    return write_day(&t->d, r);
}

HANDLER(ledger_get)
{
    struct total t = {.d = {.c = c}};
    char text[16];
    int day = lt_day_number(c->now_ms, c->a->cfg.tz_min);
    enum lt_err e = api_query_day(c, "day", &day, err);
    if (e)
        return e;
    if (!c->a->deps.engine)
        return api_missing("engine", err);
    snprintf(text, sizeof text, "%04d-%02d-%02d", day / 10000, day / 100 % 100, day % 100);
    jsonw_object(&c->w);
    jsonw_kstr(&c->w, "day", text);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    struct topo *topo = desk_topo(c->a);
    t.t = topo;
    e = engine_ledger(c->a->deps.engine, day, LT_LIT(""), add_day, &t, err);
    topo_unref(topo);
    if (e)
        return e;
    jsonw_array_end(&c->w);
    jsonw_key(&c->w, "total");
    jsonw_object(&c->w);
    jsonw_ku64(&c->w, "received", t.received);
    jsonw_ku64(&c->w, "stored", t.stored);
    jsonw_ku64(&c->w, "duplicate", t.duplicate);
    jsonw_ku64(&c->w, "rejected", t.rejected);
    jsonw_object_end(&c->w);
    jsonw_object_end(&c->w);
    return LT_OK;
}

/* ---- connection ---- */

static void write_engine_part(struct api_call *c, const struct engine_device *d)
{
    static const char *const causes[] = {"speaking", "never", "closed", "no_data", "refused", "post"};
    struct jsonw *w = &c->w;
    int tz = c->a->cfg.tz_min;
    jsonw_ktime(w, "last_record_at", d->last_at_ms, tz);
    jsonw_ktime(w, "last_data_at", d->last_data_at_ms, tz);
    jsonw_ktime(w, "silent_since", d->silent_since_ms, tz);
    jsonw_kstr(w, "cause", (unsigned)d->cause < 6 ? causes[d->cause] : "");
    jsonw_kstr(w, "cause_text", c->req->lang == LT_ZH ? d->cause_zh : d->cause_en);
    jsonw_ku64(w, "interval_s", d->interval_s);
    jsonw_kbool(w, "exceeding", d->exceeding);
    jsonw_ku64(w, "bad_items", d->bad_items);
    jsonw_ku64(w, "quarantined", d->quarantined);
}

HANDLER(device_connection)
{
    int64_t id, drift = INT64_MIN;
    char mn[65];
    struct gateway_device g = {0};
    struct engine_device d = {0};
    enum lt_err e = load_mn(c, &id, mn, err);
    if (e)
        return e;
    struct jsonw *w = &c->w;
    int tz = c->a->cfg.tz_min;
    bool known = c->a->deps.gateway && gateway_device(c->a->deps.gateway, lt_slice_of(mn), &g);
    if (known)
        drift = g.drift_ms;
    jsonw_object(w);
    jsonw_kstr(w, "mn", mn);
    jsonw_kbool(w, "connected", known && g.connected);
    jsonw_kbool(w, "pending", known && g.pending);
    jsonw_kstr(w, "peer", known ? g.peer : NULL);
    jsonw_ki64(w, "connections", known ? g.conns : 0);
    jsonw_ktime(w, "connected_at", known ? g.connected_at_ms : 0, tz);
    jsonw_ktime(w, "last_at", known ? g.last_at_ms : 0, tz);
    jsonw_kstr(w, "last_close", known && g.last_close[0] ? g.last_close : NULL);
    jsonw_ku64(w, "frames", g.frames);
    jsonw_ku64(w, "rejected", g.rejected);
    if (c->a->deps.engine && engine_device(c->a->deps.engine, id, &d)) {
        drift = drift == INT64_MIN ? d.drift_ms : drift;
        write_engine_part(c, &d);
    }
    jsonw_key(w, "drift_ms");
    if (drift == INT64_MIN)
        jsonw_null(w);
    else
        jsonw_i64(w, drift);
    jsonw_object_end(w);
    return LT_OK;
}

/* ---- commands ---- */

HANDLER(device_commands_get)
{
    int64_t id, limit = 50;
    char mn[65], number[24];
    const struct record_kind *k = api_kind("command");
    struct record_query q = {.descending = true, .cursor = http_query(c->req, "cursor"), .n = 1};
    enum lt_err e = load_mn(c, &id, mn, err);
    if (e || (e = api_query_i64(c, "limit", 1, RECORD_LIMIT_MAX, &limit, err)))
        return e;
    q.limit = (unsigned)limit;
    q.filter[0] = (struct record_filter){record_field_find(k, LT_LIT("device")), RECORD_EQ, api_number(id, number)};
    return record_list(&c->x, k, &q, &c->w, err);
}

/* "BeginTime=…;EndTime=…" of a request for stored data. */
static enum lt_err period_area(struct api_call *c, char *ret, size_t cap, struct lt_error *err)
{
    int64_t from = 0, to = 0;
    char a[18], b[18];
    int tz = c->a->cfg.tz_min;
    enum lt_err e = jsonr_time(c->body, "from", false, tz, &from, err);
    if (e || (e = jsonr_time(c->body, "to", false, tz, &to, err)))
        return e;
    if (!from && !to)
        return LT_OK;
    if (from <= 0 || to <= from || to - from > 31 * LT_DAY_MS)
        return lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "from + 31 d");
    lt_time_format_compact(from, tz, false, a);
    lt_time_format_compact(to, tz, false, b);
    snprintf(ret, cap, "BeginTime=%s;EndTime=%s", a, b);
    return LT_OK;
}

/* The area goes between && and && of a frame: it must be printable and must be what the standard calls an area. */
static enum lt_err check_area(struct lt_slice area, struct lt_error *err)
{
    static const char *const form = "name=value,name=value;name=value";
    struct hj212_item items[64];
    size_t n;
    uint32_t at;
    char shown[100];
    lt_text_copy_slice(shown, sizeof shown, area);
    for (size_t i = 0; i < area.n; i++)
        if (area.p[i] < 0x20 || area.p[i] > 0x7E || area.p[i] == '&' || area.p[i] == '#')
            return lt_fail(err, LT_E_FIELD_FORMAT, "area", "area", shown, form);
    if (area.n && hj212_items(area, HJ212_TOLERATE_DEFAULT, items, 64, &n, &at, NULL) != HJ212_E_OK)
        return lt_fail(err, LT_E_FIELD_FORMAT, "area", "area", shown, form);
    return LT_OK;
}

static enum lt_err read_command(struct api_call *c, int64_t *ret_cn, char area[1000], struct lt_error *err)
{
    static const char *const names[] = {"cn", "area", "from", "to", NULL};
    struct lt_slice given = {0};
    char number[24];
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, names, err)) || (e = jsonr_i64(c->body, "cn", true, 1, 9999, ret_cn, err)) ||
        (e = jsonr_str(c->body, "area", false, 999, &given, err)))
        return e;
    const struct hj212_command *cmd = hj212_command_find((uint16_t)*ret_cn);
    if (!cmd || !(cmd->down & (HJ212_FLOW_REQUEST | HJ212_FLOW_NOTICE))) {
        api_number(*ret_cn, number);
        return lt_fail(err, LT_E_FIELD_CHOICE, "cn", "cn", number, "meta.commands");
    }
    if (given.n > 999)
        return lt_fail(err, LT_E_FIELD_LENGTH, "area", "area", "999", NULL);
    lt_text_copy_slice(area, 1000, given);
    if (given.n == 0)
        e = period_area(c, area, 1000, err);
    return e ? e : check_area(lt_slice_of(area), err);
}

/* The record comes first, so that nothing is ever sent that nobody answers for. */
static enum lt_err send(struct api_call *c, int64_t device, const char *mn, int64_t cn, const char *area,
                        int64_t *ret_record, struct lt_error *err)
{
    uint64_t id;
    struct record_ctx own = c->x;
    struct auth_ctx who = c->who;
    struct lt_error ignored;
    char shown[1000]; /* the record is read by many, and kept: without passwords (1072) */
    size_t n = lt_text_copy(shown, sizeof shown, area);
    frame_hide_passwords(shown, n);
    who.system = true; /* the kind is read-only for people; who he is stays */
    own.who = &who;
    const struct record_kind *k = api_kind("command");
    struct record_set set[] = {RECORD_SET_I("device", device),      RECORD_SET_I("cn", cn),
                               RECORD_SET_Z("area", shown),         RECORD_SET_Z("step", "sent"),
                               RECORD_SET_Z("author", c->who.name), RECORD_SET_I("sent_at_ms", c->now_ms)};
    enum lt_err e = record_insert(&own, k, set, sizeof set / sizeof set[0], ret_record, err);
    if (e)
        return e;
    e = gateway_command_send(c->a->deps.gateway, lt_slice_of(mn), 0, (uint16_t)cn, lt_slice_of(area), &id, err);
    if (e) {
        struct record_set failed[] = {RECORD_SET_Z("step", "failed"), RECORD_SET_Z("answer", lt_err_name(e))};
        enum lt_err second = record_change(&own, k, *ret_record, 0, "answer", failed, 2, &ignored);
        (void)second; /* the first failure is the one to tell */
        return e;
    }
    desk_follow(c->a, id, *ret_record);
    return LT_OK;
}

HANDLER(device_command_post)
{
    int64_t id, cn, record;
    char mn[65], area[1000];
    enum lt_err e = load_mn(c, &id, mn, err);
    if (e || (e = read_command(c, &cn, area, err)))
        return e;
    if (!c->a->deps.gateway)
        return api_missing("gateway", err);
    if ((e = send(c, id, mn, cn, area, &record, err)))
        return e;
    c->res->status = 201;
    return record_json(&c->x, api_kind("command"), record, NULL, NULL, &c->w, err);
}

/* ---- enrolment ---- */

HANDLER(device_enroll)
{
    int64_t id;
    const struct record_kind *k = api_kind("device");
    struct record_row row = {0};
    char status[16];
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = api_body(c, err)) || (e = record_load(&c->x, k, id, &row, err)))
        return e;
    int64_t version = row.version, old_outlet = record_i64(&row, "outlet", 0);
    lt_text_copy_slice(status, sizeof status, record_text(&row, "status"));
    record_row_fini(&row);
    if (strcmp(status, "active") == 0)
        return lt_fail(err, LT_E_FLOW_MOVE, NULL, c->req->lang == LT_ZH ? "登记" : "enrol", status, NULL);
    if (!json_object_get(c->body, "outlet") && !old_outlet)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "outlet", "outlet", NULL, NULL);
    json_object_set_new(c->body, "status", json_string("active"));
    if (!json_object_get(c->body, "version"))
        json_object_set_new(c->body, "version", json_integer(version));
    if ((e = record_update(&c->x, k, id, c->body, &c->faults, err)))
        return e;
    desk_config_changed(c->a, c->t->db, "device", c->now_ms);
    return record_json(&c->x, k, id, NULL, NULL, &c->w, err);
}

/* ---- versions ---- */

static bool write_version(void *user, const struct engine_version *v)
{
    struct api_call *c = user;
    struct jsonw *w = &c->w;
    int tz = c->a->cfg.tz_min;
    jsonw_object(w);
    jsonw_ki64(w, "id", v->id);
    jsonw_kstr(w, "factor", v->factor);
    jsonw_kstr(w, "field", v->field);
    jsonw_kstr(w, "kind", v->kind);
    jsonw_ktime(w, "period_at", v->period_at_ms, tz);
    jsonw_ku64(w, "version", v->version);
    jsonw_kfix(w, "old", v->old_value);
    jsonw_kfix(w, "new", v->new_value);
    jsonw_ktime(w, "at", v->at_ms, tz);
    jsonw_ku64(w, "seq", v->seq);
    jsonw_kstr(w, "cause", v->cause);
    jsonw_object_end(w);
    return true;
}

HANDLER(device_versions)
{
    int64_t id, from = c->now_ms - 31 * LT_DAY_MS, to = c->now_ms + LT_DAY_MS;
    char mn[65];
    enum lt_err e = load_mn(c, &id, mn, err);
    if (e || (e = api_query_time(c, "from", &from, err)) || (e = api_query_time(c, "to", &to, err)))
        return e;
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    if ((e = engine_versions(c->t->db, id, http_query(c->req, "factor"), from, to, true, 500, write_version, c, err)))
        return e;
    jsonw_array_end(&c->w);
    jsonw_object_end(&c->w);
    return LT_OK;
}
