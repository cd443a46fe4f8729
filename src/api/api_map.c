/* Map and overview: out of topology, engine and alarm counts, without reading records. */
#include "api/api_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { F_DEVICE = 1, F_EXCEED = 2, F_SILENT = 4, F_SPEAKS = 8 };

struct plant {
    unsigned facts;
    int64_t alarms;
};
struct map {
    struct api_call *c;
    const struct topo *t;
    struct plant *plant;      /* in the order of t->enterprise */
    int64_t *alarms, *plants; /* in the order of t->territory */
};

static struct plant *plant_of(struct map *m, int64_t enterprise)
{
    const struct topo_enterprise *e = topo_enterprise(m->t, enterprise);
    return e ? &m->plant[e - m->t->enterprise] : NULL;
}

static void add_device(void *user, const struct engine_device *d)
{
    struct map *m = user;
    const struct topo_device *x = topo_device(m->t, d->device);
    struct plant *p = x ? plant_of(m, x->enterprise) : NULL;
    if (!p || strcmp(x->status, "active") != 0)
        return;
    p->facts |= F_DEVICE | (d->exceeding ? F_EXCEED : 0u) | (d->silent_since_ms ? F_SILENT : 0u) |
                (d->last_data_at_ms && !d->silent_since_ms ? F_SPEAKS : 0u);
}

/* Counts for a territory count for those above it too. */
static void climb(const struct topo *t, int64_t *count, int64_t territory, int64_t n)
{
    for (int depth = 0; territory && depth < 16; depth++) {
        const struct topo_territory *x = topo_territory(t, territory);
        if (!x)
            return;
        count[x - t->territory] += n;
        territory = x->parent;
    }
}

static void add_alarms(void *user, int64_t territory, int64_t enterprise, int64_t n)
{
    struct map *m = user;
    struct plant *p = plant_of(m, enterprise);
    if (p)
        p->alarms += n;
    climb(m->t, m->alarms, territory, n);
}

static const char *state_of(const struct topo_enterprise *e, const struct plant *p)
{
    if (p->facts & F_EXCEED)
        return "exceed";
    if (p->alarms)
        return "alarm";
    if (strcmp(e->status, "stopped") == 0 || strcmp(e->status, "closed") == 0)
        return "stopped";
    if (p->facts & F_SILENT)
        return "silent";
    return p->facts & F_SPEAKS ? "ok" : "unknown";
}

static void write_plants(struct map *m)
{
    struct jsonw *w = &m->c->w;
    bool en = m->c->req->lang == LT_EN;
    jsonw_key(w, "plants");
    jsonw_array(w);
    for (size_t i = 0; i < m->t->n_enterprise; i++) {
        const struct topo_enterprise *e = &m->t->enterprise[i];
        if (!topo_sees(m->t, &m->c->who, e->territory, e->id))
            continue;
        climb(m->t, m->plants, e->territory, 1);
        jsonw_object(w);
        jsonw_ki64(w, "id", e->id);
        jsonw_kstr(w, "name", en && e->name_en[0] ? e->name_en : e->name);
        jsonw_kfix(w, "lon", e->lon);
        jsonw_kfix(w, "lat", e->lat);
        jsonw_kstr(w, "industry", e->industry);
        jsonw_ki64(w, "territory", e->territory);
        jsonw_kstr(w, "state", state_of(e, &m->plant[i]));
        jsonw_ki64(w, "alarms", m->plant[i].alarms);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void write_territories(struct map *m)
{
    struct jsonw *w = &m->c->w;
    bool en = m->c->req->lang == LT_EN;
    jsonw_key(w, "territories");
    jsonw_array(w);
    for (size_t i = 0; i < m->t->n_territory; i++) {
        const struct topo_territory *x = &m->t->territory[i];
        if (m->plants[i] == 0 && !topo_sees(m->t, &m->c->who, x->id, 0))
            continue;
        jsonw_object(w);
        jsonw_ki64(w, "id", x->id);
        jsonw_kstr(w, "code", x->code);
        jsonw_kstr(w, "name", en && x->name_en[0] ? x->name_en : x->name);
        jsonw_kstr(w, "level", x->level);
        jsonw_key(w, "parent");
        if (x->parent)
            jsonw_i64(w, x->parent);
        else
            jsonw_null(w);
        jsonw_key(w, "center");
        if (x->lon == LT_FIX_NONE || x->lat == LT_FIX_NONE) {
            jsonw_null(w);
        } else {
            jsonw_array(w);
            jsonw_fix(w, x->lon);
            jsonw_fix(w, x->lat);
            jsonw_array_end(w);
        }
        jsonw_ki64(w, "plants", m->plants[i]);
        jsonw_ki64(w, "alarms", m->alarms[i]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

HANDLER(map_get)
{
    struct topo *t = desk_topo(c->a);
    struct map m = {.c = c,
                    .t = t,
                    .plant = calloc(t->n_enterprise + 1, sizeof *m.plant),
                    .alarms = calloc(t->n_territory + 1, sizeof *m.alarms),
                    .plants = calloc(t->n_territory + 1, sizeof *m.plants)};
    enum lt_err e = LT_OK;
    if (!m.plant || !m.alarms || !m.plants)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e && c->a->deps.engine)
        engine_devices(c->a->deps.engine, add_device, &m);
    if (!e && auth_may(&c->who, "alarm:read"))
        e = api_alarms_by_plant(c, t, add_alarms, &m, err);
    if (!e) {
        jsonw_object(&c->w);
        jsonw_ktime(&c->w, "at", c->now_ms, c->a->cfg.tz_min);
        write_plants(&m);
        write_territories(&m);
        jsonw_object_end(&c->w);
    }
    free(m.plant);
    free(m.alarms);
    free(m.plants);
    topo_unref(t);
    return e;
}

HANDLER(map_boundaries)
{
    char path[600], etag[64];
    struct stat st;
    snprintf(path, sizeof path, "%s/boundaries.geojson", c->a->dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    c->raw = true;
    c->res->type = "application/geo+json; charset=utf-8";
    if (fd < 0 && errno == ENOENT) { /* none imported: an empty map, not an error */
        lt_buf_adds(&c->res->body, "{\"type\":\"FeatureCollection\",\"features\":[]}");
        return LT_OK;
    }
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        return lt_fail(err, LT_E_IO, NULL, "boundaries.geojson", strerror(errno), NULL);
    }
    snprintf(etag, sizeof etag, "\"%" PRIx64 "-%" PRIx64 "\"", (uint64_t)st.st_size,
             (uint64_t)st.st_mtim.tv_sec * 1000000u + (uint64_t)st.st_mtim.tv_nsec / 1000u);
    http_set_header(c->res, "ETag", etag);
    http_set_header(c->res, "Cache-Control", "private, no-cache");
    if (http_etag_matches(c->req, etag)) {
        close(fd);
        c->res->status = 304;
        c->res->fixed = LT_LIT("");
        return LT_OK;
    }
    c->res->fd = fd;
    c->res->fd_size = (uint64_t)st.st_size;
    return LT_OK;
}

/* ---- overview ---- */

struct overview {
    const struct topo *t;
    const struct auth_ctx *who;
    int64_t active, silent, pending, disabled, exceeding, speaking, connected, last_data_ms;
    int64_t *exceed_outlet; /* ids, to count an outlet once */
    size_t n_exceed;
    uint64_t frames_today;
};

static bool sees_device(const struct overview *o, const struct topo_device *d)
{
    return d && topo_sees(o->t, o->who, d->territory, d->enterprise);
}

static void overview_device(void *user, const struct engine_device *d)
{
    struct overview *o = user;
    const struct topo_device *x = topo_device(o->t, d->device);
    if (!sees_device(o, x))
        return;
    if (d->last_data_at_ms > o->last_data_ms)
        o->last_data_ms = d->last_data_at_ms;
    if (strcmp(x->status, "active") != 0)
        return;
    o->silent += d->silent_since_ms != 0;
    o->speaking += d->last_data_at_ms && !d->silent_since_ms;
    if (d->exceeding && o->n_exceed < o->t->n_device)
        o->exceed_outlet[o->n_exceed++] = x->outlet;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t different(int64_t *list, size_t n)
{
    int64_t count = 0;
    if (n)
        qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n; i++)
        count += i == 0 || list[i] != list[i - 1];
    return count;
}

static bool overview_ledger(void *user, const struct engine_ledger_row *r)
{
    struct overview *o = user;
    if (o->who->everywhere || sees_device(o, topo_device_mn(o->t, r->mn)))
        o->frames_today += r->received;
    return true;
}

static void overview_connections(struct overview *o, struct gateway *g)
{
    size_t cap = o->t->n_device + 1000;
    struct gateway_device *list = calloc(cap, sizeof *list);
    size_t n = list ? gateway_devices(g, list, cap) : 0;
    for (size_t i = 0; i < n && i < cap; i++)
        o->connected += list[i].connected && (o->who->everywhere || sees_device(o, topo_device_mn(o->t, list[i].mn)));
    free(list);
}

static void write_overview(struct api_call *c, const struct overview *o, const struct api_alarm_counts *n,
                           const struct engine_stats *es)
{
    struct jsonw *w = &c->w;
    int tz = c->a->cfg.tz_min;
    jsonw_object(w);
    jsonw_ktime(w, "at", c->now_ms, tz);
    jsonw_key(w, "devices");
    jsonw_object(w);
    jsonw_ki64(w, "active", o->active);
    jsonw_ki64(w, "connected", o->connected);
    jsonw_ki64(w, "speaking", o->speaking);
    jsonw_ki64(w, "silent", o->silent);
    jsonw_ki64(w, "pending", o->pending);
    jsonw_ki64(w, "disabled", o->disabled);
    jsonw_object_end(w);
    jsonw_ku64(w, "frames_per_s", es->records_per_s);
    jsonw_ku64(w, "frames_today", o->frames_today);
    jsonw_key(w, "alarms");
    jsonw_object(w);
    jsonw_ki64(w, "urgent", n->urgent);
    jsonw_ki64(w, "important", n->important);
    jsonw_ki64(w, "normal", n->normal);
    jsonw_ki64(w, "unsigned", n->unsigned_);
    jsonw_ki64(w, "overdue", n->overdue);
    jsonw_object_end(w);
    jsonw_ki64(w, "exceeding_outlets", o->exceeding);
    jsonw_ktime(w, "last_data_at", o->last_data_ms, tz);
    jsonw_ki64(w, "lag_ms", es->lag_ms);
    jsonw_object_end(w);
}

HANDLER(overview_get)
{
    struct topo *t = desk_topo(c->a);
    struct overview o = {.t = t, .who = &c->who, .exceed_outlet = calloc(t->n_device + 1, sizeof(int64_t))};
    struct api_alarm_counts n = {0};
    struct engine_stats es = {0};
    enum lt_err e = o.exceed_outlet ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < t->n_device; i++) {
        const struct topo_device *d = &t->device[i];
        bool pending =
            strcmp(d->status, "pending") == 0; /* a stranger has no plant yet: whoever may enrol counts him */
        if (!sees_device(&o, d) && !(pending && auth_may(&c->who, "device:write") && !c->who.enterprise))
            continue;
        o.pending += pending;
        o.active += strcmp(d->status, "active") == 0;
        o.disabled += strcmp(d->status, "disabled") == 0;
    }
    struct engine *en = c->a->deps.engine;
    if (!e && en) {
        engine_stats(en, &es);
        engine_devices(en, overview_device, &o);
        e = engine_ledger(en, lt_day_number(c->now_ms, c->a->cfg.tz_min), LT_LIT(""), overview_ledger, &o, err);
    }
    if (!e && c->a->deps.gateway)
        overview_connections(&o, c->a->deps.gateway);
    if (!e && auth_may(&c->who, "alarm:read"))
        e = api_alarm_counts(c, t, &n, err);
    if (!e) {
        o.exceeding = different(o.exceed_outlet, o.n_exceed);
        write_overview(c, &o, &n, &es);
    }
    free(o.exceed_outlet);
    topo_unref(t);
    return e;
}
