/* The routes every kind of record has; nothing here knows a kind by name, but that an alarm item says more. */
#include "api/api_priv.h"

#include "base/text.h"

#include <stdio.h>

/* The query of a list from the parameters of the address. */
static enum lt_err list_query(struct api_call *c, struct record_query *q, struct lt_error *err)
{
    static const char *const others[] = {"lang", "format", "dry_run", "replay"};
    enum lt_err e = LT_OK;
    for (size_t i = 0; i < c->req->n_query && !e; i++) {
        struct lt_slice name = c->req->query[i].name;
        bool other = false;
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            other |= lt_slice_is(name, others[k]);
        if (!other && c->req->query[i].value.n)
            e = record_query_param(q, c->route->kind, name, c->req->query[i].value, err);
    }
    return e;
}

static void (*extra_of(const struct record_kind *k))(void *, const struct record_row *, struct jsonw *)
{
    return strcmp(k->name, "alarm") == 0      ? alarm_item_extra
           : strcmp(k->name, "evidence") == 0 ? evidence_item_extra
                                              : NULL;
}

HANDLER(record_route_list)
{
    struct record_query q = {.extra = extra_of(c->route->kind), .user = &c->x};
    enum lt_err e = list_query(c, &q, err);
    return e ? e : record_list(&c->x, c->route->kind, &q, &c->w, err);
}

static enum lt_err write_one(struct api_call *c, int64_t id, struct lt_error *err)
{
    return record_json(&c->x, c->route->kind, id, extra_of(c->route->kind), &c->x, &c->w, err);
}

HANDLER(record_route_get)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    return e ? e : write_one(c, id, err);
}

static void changed(struct api_call *c)
{
    if (c->route->kind->config)
        desk_config_changed(c->a, c->t->db, c->route->kind->name, c->now_ms);
}

HANDLER(record_route_create)
{
    int64_t id;
    struct api_gate gate;
    enum lt_err e = api_body(c, err);
    if (e || (e = api_gate_begin(c, &gate, err)))
        return e;
    e = record_create(&c->x, c->route->kind, c->body, &id, &c->faults, err);
    if ((e = api_gate_end(c, &gate, e, err)))
        return e;
    changed(c);
    c->res->status = 201;
    return write_one(c, id, err);
}

HANDLER(record_route_update)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    struct api_gate gate;
    if (e || (e = api_body(c, err)) || (e = api_gate_begin(c, &gate, err)))
        return e;
    e = record_update(&c->x, c->route->kind, id, c->body, &c->faults, err);
    if ((e = api_gate_end(c, &gate, e, err)))
        return e;
    changed(c);
    return write_one(c, id, err);
}

HANDLER(record_route_delete)
{
    int64_t id, version = 0;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = api_query_i64(c, "version", 1, INT64_MAX, &version, err)))
        return e;
    if (version == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "version", "version", NULL, NULL);
    struct api_gate gate;
    if ((e = api_gate_begin(c, &gate, err)))
        return e;
    e = record_remove(&c->x, c->route->kind, id, version, err);
    if ((e = api_gate_end(c, &gate, e, err)))
        return e;
    changed(c);
    c->res->status = 204;
    c->raw = true;
    return LT_OK;
}

HANDLER(record_route_history)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e)
        return e;
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    if ((e = record_history(&c->x, c->route->kind, id, &c->w, err)))
        return e;
    jsonw_object_end(&c->w);
    return LT_OK;
}

static enum lt_err format_of(const struct api_call *c, enum record_format *ret, struct lt_error *err)
{
    static const char *const names[] = {"csv", "xlsx", NULL};
    int i = -1;
    enum lt_err e = api_query_choice(c, "format", names, &i, err);
    if (!e && i < 0)
        e = lt_fail(err, LT_E_FIELD_REQUIRED, "format", "format", NULL, NULL);
    *ret = i == 1 ? RECORD_XLSX : RECORD_CSV;
    return e;
}

HANDLER(record_route_export)
{
    struct record_query q = {0};
    enum record_format fmt = RECORD_CSV;
    char name[200];
    enum lt_err e = format_of(c, &fmt, err);
    if (e || (e = list_query(c, &q, err)) || (e = record_export(&c->x, c->route->kind, &q, fmt, &c->res->body, err)))
        return e;
    snprintf(name, sizeof name, "%s-%d.%s", c->req->lang == LT_ZH ? c->route->kind->zh : c->route->kind->en,
             lt_day_number(c->now_ms, c->a->cfg.tz_min), fmt == RECORD_CSV ? "csv" : "xlsx");
    http_set_filename(c->res, name);
    c->res->type = fmt == RECORD_CSV ? "text/csv; charset=utf-8"
                                     : "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    c->raw = true;
    return LT_OK;
}

HANDLER(record_route_import)
{
    enum record_format fmt = RECORD_CSV;
    int64_t dry_run = 0;
    struct record_import result = {0};
    enum lt_err e = format_of(c, &fmt, err);
    struct api_gate gate;
    if (e || (e = api_query_i64(c, "dry_run", 0, 1, &dry_run, err)) || (e = api_gate_begin(c, &gate, err)))
        return e;
    e = record_import(&c->x, c->route->kind, c->req->body, fmt, dry_run != 0, &c->w, &result, err);
    if ((e = api_gate_end(c, &gate, e, err)))
        return e;
    if (!dry_run && result.created + result.updated > 0)
        changed(c);
    return LT_OK;
}
