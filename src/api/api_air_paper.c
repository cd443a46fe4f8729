/* Papers over HTTP: drafts, publishing, and the kept ones in every form. */
#include "air/air_brief.h"
#include "api/api_air.h"
#include "base/text.h"

#include <stdio.h>

enum { LIST_MOST = 500, MODEL_MOST = 8 << 20 };

static const struct form {
    const char *name, *type;
    enum lt_err (*render)(struct lt_slice model, struct lt_buf *out, struct lt_error *err);
} forms[] = {
    {"json", "application/json; charset=utf-8", NULL},
    {"html", "text/html; charset=utf-8", paper_html},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", paper_xlsx},
    {"pdf", "application/pdf", paper_pdf},
};

static const char *const kinds[] = {"morning", "monthly", "onepage", NULL}, *const langs[] = {"zh", "en", NULL};

static enum lt_err form_of(const struct api_call *c, const struct form **ret, struct lt_error *err)
{
    static const char *const names[] = {"json", "html", "xlsx", "pdf", NULL}; /* as forms[] */
    int i = 0;
    enum lt_err e = api_query_choice(c, "format", names, &i, err);
    *ret = &forms[i];
    return e;
}

static enum lt_err print(struct api_call *c, const struct form *f, struct lt_slice model, const char *title,
                         int32_t day, struct lt_error *err)
{
    char name[360], text[16];
    enum lt_err e = LT_OK;
    if (!f->render)
        lt_buf_add(&c->res->body, model.p, model.n);
    else if ((e = f->render(model, &c->res->body, err)))
        return e;
    c->res->type = f->type;
    c->raw = true;
    air_day_text(day, text);
    snprintf(name, sizeof name, "%s-%s.%s", title, text, f->name);
    if (strcmp(f->name, "xlsx") == 0 || strcmp(f->name, "pdf") == 0)
        http_set_filename(c->res, name);
    return LT_OK;
}

/* May he see papers of this territory? His own and those below, and the whole city's are for everybody in the office.
 */
static enum lt_err may_see(struct api_call *c, int64_t territory, int64_t city, struct lt_error *err)
{
    struct topo *t = desk_topo(c->a);
    const bool sees = topo_sees(t, &c->who, territory, 0) || territory == city;
    topo_unref(t);
    return sees && !c->who.enterprise ? LT_OK
                                      : lt_fail(err, LT_E_DENIED_TERRITORY, "territory", "territory", NULL, NULL);
}

static enum lt_err fill_ask(struct api_call *c, struct lt_slice kind, int64_t city, struct air_paper_ask *a,
                            struct lt_error *err)
{
    if (kind.n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "kind", "kind", NULL, NULL);
    if (!air_paper_find(kind, &a->kind))
        return api_no_choice("kind", kind, kinds, err);
    a->territory = a->territory ? a->territory : city;
    a->org = a->lang == LT_EN && c->a->city_name_en[0] ? c->a->city_name_en : c->a->city_name;
    a->demo = c->a->cfg.demo;
    return may_see(c, a->territory, city, err);
}

HANDLER(air_paper_get)
{
    struct air_ask q;
    struct air_paper_ask a = {.lang = c->req->lang, .day = air_day_of(c->now_ms, c->a->cfg.tz_min) - 1};
    struct paper paper;
    const struct form *form = NULL;
    char title[257];
    enum lt_err e = form_of(c, &form, err);
    if (e || (e = air_query_day(c, "day", &a.day, err)) ||
        (e = api_query_i64(c, "territory", 1, INT64_MAX, &a.territory, err)) || (e = air_ask_open(c, &q, err)))
        return e;
    e = fill_ask(c, http_query(c->req, "kind"), air_own_city(&q.look), &a, err);
    if (!e)
        e = air_paper_make(&q.look, &a, &paper, title, sizeof title, err);
    air_ask_close(&q);
    if (e)
        return e;
    e = print(c, form, lt_buf_slice(&paper.json), title, a.day, err);
    paper_fini(&paper);
    return e;
}

static void write_paper(struct api_call *c, const struct air_paper *p)
{
    struct jsonw *w = &c->w;
    char number[64];
    air_paper_number(p, number);
    jsonw_object(w);
    jsonw_ki64(w, "id", p->id);
    jsonw_kstr(w, "number", number);
    jsonw_kstr(w, "kind", air_paper_name(p->kind));
    jsonw_kstr(w, "title", p->title);
    jsonw_ki64(w, "territory", p->territory);
    air_write_day(w, "day", p->day);
    jsonw_kstr(w, "lang", p->lang == LT_EN ? "en" : "zh");
    jsonw_ki64(w, "version", p->version);
    jsonw_ktime(w, "published_at", p->published_at_ms, c->a->cfg.tz_min);
    jsonw_kstr(w, "author", p->author);
    jsonw_kstr(w, "sha256", p->sha256);
    jsonw_object_end(w);
}

static enum lt_err city_now(struct api_call *c, int64_t *ret, struct lt_error *err)
{
    struct air_ask q;
    enum lt_err e = air_ask_open(c, &q, err);
    if (e)
        return e;
    *ret = air_own_city(&q.look);
    air_ask_close(&q);
    return LT_OK;
}

HANDLER(air_paper_post)
{
    static const char *const fields[] = {"kind", "territory", "day", "lang", NULL};
    struct air_paper_ask a = {.lang = c->req->lang, .day = air_day_of(c->now_ms, c->a->cfg.tz_min) - 1};
    struct air_paper p;
    struct lt_slice kind = {0}, lang = {0};
    int64_t city = 0, day_ms = 0;
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, fields, err)) || (e = jsonr_str(c->body, "kind", true, 16, &kind, err)) ||
        (e = jsonr_str(c->body, "lang", false, 2, &lang, err)) ||
        (e = jsonr_i64(c->body, "territory", false, 1, INT64_MAX, &a.territory, err)) ||
        (e = jsonr_time(c->body, "day", false, c->a->cfg.tz_min, &day_ms, err)) || (e = city_now(c, &city, err)))
        return e;
    if (lang.n && !lt_slice_is(lang, "zh") && !lt_slice_is(lang, "en"))
        return api_no_choice("lang", lang, langs, err);
    if (lang.n)
        a.lang = lt_slice_is(lang, "en") ? LT_EN : LT_ZH;
    if (day_ms)
        a.day = air_day_of(day_ms, c->a->cfg.tz_min);
    if (a.day >
        air_day_of(c->now_ms, c->a->cfg.tz_min)) /* a number is given once: not to days that are still to come */
        return lt_fail(err, LT_E_FIELD_RANGE, "day", "day", "1970-01-01", "today");
    if ((e = fill_ask(c, kind, city, &a, err)) ||
        (e = air_paper_publish(c->a->deps.figures, c->a->deps.air, c->t->db, a, &c->who, c->now_ms, &p, err)))
        return e;
    c->res->status = 201;
    write_paper(c, &p);
    return LT_OK;
}

struct list {
    struct api_call *c;
    struct topo *t;
    int64_t city;
};

static bool on_paper(void *user, const struct air_paper *p)
{
    struct list *x = user;
    if (p->territory == x->city || topo_sees(x->t, &x->c->who, p->territory, 0))
        write_paper(x->c, p);
    return true;
}

HANDLER(air_papers_get)
{
    const struct lt_slice v = http_query(c->req, "kind");
    enum air_paper_kind kind = AIR_PAPER_KINDS;
    int64_t territory = 0, limit = 50;
    struct list x = {.c = c};
    if (v.n && !air_paper_find(v, &kind))
        return api_no_choice("kind", v, kinds, err);
    enum lt_err e = api_query_i64(c, "territory", 1, INT64_MAX, &territory, err);
    if (e || (e = api_query_i64(c, "limit", 1, LIST_MOST, &limit, err)) || (e = city_now(c, &x.city, err)))
        return e;
    x.t = desk_topo(c->a);
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    e = air_papers(c->t->db, kind, territory, (unsigned)limit, on_paper, &x, err);
    jsonw_array_end(&c->w);
    jsonw_object_end(&c->w);
    topo_unref(x.t);
    return e;
}

HANDLER(air_paper_print)
{
    struct lt_buf model = LT_BUF_INIT(MODEL_MOST);
    struct air_paper p;
    const struct form *form = NULL;
    int64_t id, city = 0;
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = form_of(c, &form, err)) || (e = city_now(c, &city, err)))
        return e;
    if (!(e = air_paper_load(c->t->db, id, &p, &model, err)) && !(e = may_see(c, p.territory, city, err)))
        e = print(c, form, lt_buf_slice(&model), p.title, p.day, err);
    lt_buf_fini(&model);
    return e;
}
