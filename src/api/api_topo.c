/* The topology: territories, enterprises, outlets and devices in memory, so that map, overview and the filter of the
 * event stream need no database. Built whole by the desk after a change, then never altered. */
#include "api/api_priv.h"

#include <stdlib.h>

struct topo_text {
    struct topo_text *next;
    size_t n;
    char p[65536];
};

struct builder {
    struct topo *t;
    size_t cap;
    bool failed;
};

static const char *keep(struct builder *b, struct lt_slice s)
{
    struct topo_text *x = b->t->text;
    if (s.n + 1 > sizeof((struct topo_text *)0)->p) {
        b->failed = true;
        return "";
    }
    if (!x || x->n + s.n + 1 > sizeof x->p) {
        struct topo_text *more = malloc(sizeof *more);
        if (!more) {
            b->failed = true;
            return "";
        }
        more->next = x;
        more->n = 0;
        b->t->text = x = more;
    }
    char *to = x->p + x->n;
    if (s.n)
        memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    x->n += s.n + 1;
    return to;
}

static const char *keep_field(struct builder *b, const struct record_row *r, const char *field)
{
    return keep(b, record_text(r, field));
}

/* Room for one more in *list; NULL without memory. */
static void *one_more(struct builder *b, void **list, size_t n, size_t size)
{
    if (!lt_grow(list, n, &b->cap, size)) {
        b->failed = true;
        return NULL;
    }
    return (char *)*list + n * size;
}

static bool add_territory(void *user, const struct record_row *r)
{
    struct builder *b = user;
    void *list = b->t->territory;
    struct topo_territory *x = one_more(b, &list, b->t->n_territory, sizeof *x);
    b->t->territory = list;
    if (!x)
        return false;
    *x = (struct topo_territory){.id = r->id,
                                 .parent = record_i64(r, "parent", 0),
                                 .lon = record_i64(r, "center_lon", LT_FIX_NONE),
                                 .lat = record_i64(r, "center_lat", LT_FIX_NONE),
                                 .code = keep_field(b, r, "code"),
                                 .name = keep_field(b, r, "name"),
                                 .name_en = keep_field(b, r, "name_en"),
                                 .level = keep_field(b, r, "level")};
    b->t->n_territory++;
    return !b->failed;
}

static bool add_enterprise(void *user, const struct record_row *r)
{
    struct builder *b = user;
    void *list = b->t->enterprise;
    struct topo_enterprise *x = one_more(b, &list, b->t->n_enterprise, sizeof *x);
    b->t->enterprise = list;
    if (!x)
        return false;
    *x = (struct topo_enterprise){.id = r->id,
                                  .territory = record_i64(r, "territory", 0),
                                  .lon = record_i64(r, "lon", LT_FIX_NONE),
                                  .lat = record_i64(r, "lat", LT_FIX_NONE),
                                  .name = keep_field(b, r, "name"),
                                  .name_en = keep_field(b, r, "name_en"),
                                  .industry = keep_field(b, r, "industry"),
                                  .status = keep_field(b, r, "status")};
    b->t->n_enterprise++;
    return !b->failed;
}

static bool add_outlet(void *user, const struct record_row *r)
{
    struct builder *b = user;
    void *list = b->t->outlet;
    struct topo_outlet *x = one_more(b, &list, b->t->n_outlet, sizeof *x);
    b->t->outlet = list;
    if (!x)
        return false;
    *x = (struct topo_outlet){
        .id = r->id, .enterprise = record_i64(r, "enterprise", 0), .name = keep_field(b, r, "name")};
    b->t->n_outlet++;
    return !b->failed;
}

static bool add_device(void *user, const struct record_row *r)
{
    struct builder *b = user;
    void *list = b->t->device;
    struct topo_device *x = one_more(b, &list, b->t->n_device, sizeof *x);
    b->t->device = list;
    if (!x)
        return false;
    *x = (struct topo_device){.id = r->id,
                              .outlet = record_i64(r, "outlet", 0),
                              .mn = keep_field(b, r, "mn"),
                              .name = keep_field(b, r, "name"),
                              .status = keep_field(b, r, "status")};
    const struct topo_outlet *o = topo_outlet(b->t, x->outlet);
    const struct topo_enterprise *e = o ? topo_enterprise(b->t, o->enterprise) : NULL;
    x->enterprise = e ? e->id : 0;
    x->territory = e ? e->territory : 0;
    b->t->n_device++;
    return !b->failed;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b; /* id stands first in every structure */
    return x < y ? -1 : x > y;
}

static int by_mn(const void *a, const void *b)
{
    return strcmp((*(const struct topo_device *const *)a)->mn, (*(const struct topo_device *const *)b)->mn);
}

static void sort(void *list, size_t n, size_t size)
{
    if (n)
        qsort(list, n, size, by_id);
}

static enum lt_err read_all(struct builder *b, const struct record_ctx *x, struct lt_error *err)
{
    struct topo *t = b->t;
    struct record_query q = {0};
    enum lt_err e = record_each(x, api_kind("territory"), &q, add_territory, b, err);
    sort(t->territory, t->n_territory, sizeof *t->territory);
    b->cap = 0;
    if (!e)
        e = record_each(x, api_kind("enterprise"), &q, add_enterprise, b, err);
    sort(t->enterprise, t->n_enterprise, sizeof *t->enterprise);
    b->cap = 0;
    if (!e)
        e = record_each(x, api_kind("outlet"), &q, add_outlet, b, err);
    sort(t->outlet, t->n_outlet, sizeof *t->outlet);
    b->cap = 0;
    if (!e)
        e = record_each(x, api_kind("device"), &q, add_device, b, err);
    sort(t->device, t->n_device, sizeof *t->device);
    return e;
}

enum lt_err topo_build(struct sql_db *db, int64_t now_ms, int tz_min, struct topo **ret, struct lt_error *err)
{
    struct auth_ctx who = auth_system("api");
    struct record_ctx x = {db, &who, now_ms, tz_min};
    struct builder b = {.t = calloc(1, sizeof(struct topo))};
    if (!b.t)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    atomic_init(&b.t->refs, 1);
    enum lt_err e = sql_begin_read(db, err);
    if (!e) {
        e = read_all(&b, &x, err);
        sql_rollback(db);
    }
    b.t->by_mn = calloc(b.t->n_device + 1, sizeof *b.t->by_mn);
    if (!e && (b.failed || !b.t->by_mn))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e) {
        topo_unref(b.t);
        return e;
    }
    for (size_t i = 0; i < b.t->n_device; i++)
        b.t->by_mn[i] = &b.t->device[i];
    if (b.t->n_device)
        qsort(b.t->by_mn, b.t->n_device, sizeof *b.t->by_mn, by_mn);
    *ret = b.t;
    return LT_OK;
}

void topo_unref(struct topo *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    for (struct topo_text *x = t->text, *next; x; x = next) {
        next = x->next;
        free(x);
    }
    free(t->territory);
    free(t->enterprise);
    free(t->outlet);
    free(t->device);
    free(t->by_mn);
    free(t);
}

static const void *find(const void *list, size_t n, size_t size, int64_t id)
{
    return n ? bsearch(&id, list, n, size, by_id) : NULL;
}

const struct topo_territory *topo_territory(const struct topo *t, int64_t id)
{
    return find(t->territory, t->n_territory, sizeof *t->territory, id);
}

const struct topo_enterprise *topo_enterprise(const struct topo *t, int64_t id)
{
    return find(t->enterprise, t->n_enterprise, sizeof *t->enterprise, id);
}

const struct topo_outlet *topo_outlet(const struct topo *t, int64_t id)
{
    return find(t->outlet, t->n_outlet, sizeof *t->outlet, id);
}

const struct topo_device *topo_device(const struct topo *t, int64_t id)
{
    return find(t->device, t->n_device, sizeof *t->device, id);
}

const struct topo_device *topo_device_mn(const struct topo *t, const char *mn)
{
    struct topo_device key = {.mn = mn};
    const struct topo_device *k = &key, *const *found =
                                            t->n_device ? bsearch(&k, t->by_mn, t->n_device, sizeof *t->by_mn, by_mn)
                                                        : NULL;
    return found ? *found : NULL;
}

bool topo_sees(const struct topo *t, const struct auth_ctx *who, int64_t territory, int64_t enterprise)
{
    if (who->everywhere)
        return true;
    if (who->enterprise)
        return enterprise == who->enterprise;
    if (!who->territory)
        return false;
    if (!territory) { /* of no county yet, or of the post: of those who have the whole city, as in the lists */
        const struct topo_territory *own = topo_territory(t, who->territory);
        return own && !own->parent;
    }
    for (int depth = 0; territory && depth < 16; depth++) { /* province, city, county, township: four */
        if (territory == who->territory)
            return true;
        const struct topo_territory *x = topo_territory(t, territory);
        territory = x ? x->parent : 0;
    }
    return false;
}
