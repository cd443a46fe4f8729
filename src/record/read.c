/* Reading records: one, a page, all. */
#include "base/clock.h"
#include "base/text.h"
#include "record/record_priv.h"

#include <stdio.h>

static void own_texts(struct record_row *r)
{
    for (size_t i = 0; i < r->kind->n; i++)
        r->v[i].s = record_keep(&r->mem, r->v[i].s);
}

enum lt_err record_fetch(const struct record_ctx *x, const struct record_kind *k, int64_t id, bool strict,
                         struct record_row *ret, struct lt_error *err)
{
    struct record_sql q = RECORD_SQL_INIT;
    struct sql_stmt *st = NULL;
    bool row = false;
    record_select(&q, k, NULL, x->who->lang);
    lt_buf_adds(&q.text, " WHERE t.id = ? AND t.deleted = 0");
    record_sql_i64(&q, id);
    if (strict || !k->open_read)
        record_scope(&q, k, x->who);
    enum lt_err e = record_sql_prepare(x->db, &q, &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    if (e == LT_OK && !row) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)id);
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, record_label(k->en, k->zh, x->who->lang), number, NULL);
    }
    if (e == LT_OK) {
        struct lt_buf mem;
        if (record_mem_init(&mem)) {
            record_from_stmt(st, k, ret);
            ret->mem = mem;
            own_texts(ret);
            if (ret->mem.failed) {
                record_row_fini(ret);
                e = lt_fail(err, LT_E_TOO_LARGE, NULL, k->name, "64 KB", NULL);
            }
        } else {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        }
    }
    sql_release(&st);
    record_sql_fini(&q);
    return e;
}

enum lt_err record_load(const struct record_ctx *x, const struct record_kind *k, int64_t id, struct record_row *ret,
                        struct lt_error *err)
{
    enum lt_err e = record_need(x, k, "read", err);
    return e == LT_OK ? record_fetch(x, k, id, false, ret, err) : e;
}

/* ---- one item as JSON ---- */

void record_item(const struct record_ctx *x, const struct record_row *r, struct jsonw *w,
                 void (*extra)(void *user, const struct record_row *row, struct jsonw *w), void *user)
{
    char name[80];
    jsonw_object(w);
    jsonw_ki64(w, "id", r->id);
    jsonw_ki64(w, "version", r->version);
    jsonw_ktime(w, "created_at", r->created_at_ms, x->tz_min);
    jsonw_ktime(w, "updated_at", r->updated_at_ms, x->tz_min);
    if (r->deleted)
        jsonw_kbool(w, "deleted", true);
    for (size_t i = 0; i < r->kind->n; i++) {
        const struct record_field *f = &r->kind->fields[i];
        if (f->flags & RECORD_F_HIDDEN)
            continue;
        if (f->flags & RECORD_F_SECRET) {
            snprintf(name, sizeof name, "%s_set", f->name);
            jsonw_kbool(w, name, !r->v[i].null);
            continue;
        }
        jsonw_key(w, f->name);
        record_value_json(f, &r->v[i], x->tz_min, w);
        if (f->type == RECORD_REF) {
            snprintf(name, sizeof name, "%s_name", f->name);
            jsonw_key(w, name);
            if (r->v[i].null)
                jsonw_null(w);
            else
                jsonw_slice(w, r->v[i].s);
        }
    }
    if (extra)
        extra(user, r, w);
    jsonw_object_end(w);
}

enum lt_err record_json(const struct record_ctx *x, const struct record_kind *k, int64_t id,
                        void (*extra)(void *user, const struct record_row *row, struct jsonw *w), void *user,
                        struct jsonw *w, struct lt_error *err)
{
    struct record_row r;
    enum lt_err e = record_load(x, k, id, &r, err);
    if (e != LT_OK)
        return e;
    record_item(x, &r, w, extra, user);
    record_row_fini(&r);
    return LT_OK;
}

/* ---- queries ---- */

#define VALUES_MAX    16  /* of one filter: every choice of the longest list */
#define SORT_TEXT_MAX 256 /* a cursor carries the value of the sort field: longer texts are no sort keys */

static bool ends_with(struct lt_slice s, const char *end, struct lt_slice *ret)
{
    size_t n = strlen(end);
    if (s.n <= n || memcmp(s.p + s.n - n, end, n) != 0)
        return false;
    *ret = (struct lt_slice){s.p, s.n - n};
    return true;
}

static const struct record_field *visible_field(const struct record_kind *k, struct lt_slice name)
{
    const struct record_field *f = record_field_find(k, name);
    return f && !(f->flags & (RECORD_F_HIDDEN | RECORD_F_SECRET)) ? f : NULL;
}

static enum lt_err param_unknown(struct lt_slice name, struct lt_error *err)
{
    char z[65];
    lt_text_copy_slice(z, sizeof z, name);
    return lt_fail(err, LT_E_FIELD_UNKNOWN, z, z, NULL, NULL);
}

static enum lt_err param_sort(struct record_query *q, const struct record_kind *k, struct lt_slice v,
                              struct lt_error *err)
{
    bool down = v.n && v.p[0] == '-';
    struct lt_slice name = {v.p + down, v.n - down};
    const struct record_field *f = visible_field(k, name);
    if (!f && !lt_slice_is(name, "id"))
        return param_unknown(name, err);
    if (f && (f->type == RECORD_JSON || (f->type == RECORD_TEXT && f->max > SORT_TEXT_MAX)))
        return param_unknown(name, err);
    q->sort = f;
    q->descending = down;
    return LT_OK;
}

static enum lt_err param_filter(struct record_query *q, const struct record_kind *k, struct lt_slice name,
                                struct lt_slice v, struct lt_error *err)
{
    static const struct {
        const char *end;
        enum record_op op;
    } ends[] = {{".min", RECORD_MIN}, {".max", RECORD_MAX}, {".not", RECORD_NE}};
    struct record_filter f = {.op = RECORD_EQ, .value = v};
    struct lt_slice base = name;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends_with(name, ends[i].end, &base)) {
            f.op = ends[i].op;
            break;
        }
    f.field = visible_field(k, base);
    if ((!f.field && !lt_slice_is(base, "id")) || (f.field && f.field->type == RECORD_JSON))
        return param_unknown(name, err);
    if (v.n == 0)
        return LT_OK; /* an empty box of a form filters nothing */
    if (q->n == RECORD_FILTERS_MAX)
        return lt_fail(err, LT_E_LIMIT_SIZE, NULL, "filters / 筛选条件", "16", NULL);
    q->filter[q->n++] = f;
    return LT_OK;
}

enum lt_err record_query_param(struct record_query *q, const struct record_kind *k, struct lt_slice name,
                               struct lt_slice value, struct lt_error *err)
{
    if (lt_slice_is(name, "q")) {
        if (value.n > 256)
            return lt_fail(err, LT_E_FIELD_LENGTH, "q", "q", "256", NULL);
        q->q = value;
        return LT_OK;
    }
    if (lt_slice_is(name, "sort"))
        return param_sort(q, k, value, err);
    if (lt_slice_is(name, "limit")) {
        int64_t n;
        if (!lt_text_to_i64(value, &n) || n < 1 || n > RECORD_LIMIT_MAX)
            return lt_fail(err, LT_E_FIELD_RANGE, "limit", "limit", "1", "200");
        q->limit = (unsigned)n;
        return LT_OK;
    }
    if (lt_slice_is(name, "cursor")) {
        q->cursor = value;
        return LT_OK;
    }
    return param_filter(q, k, name, value, err);
}

static const char *filter_name(const struct record_filter *f)
{
    return f->field ? f->field->name : "id";
}

static enum lt_err bind_filter_value(const struct record_ctx *x, struct record_sql *s, const struct record_filter *f,
                                     struct lt_slice text, struct lt_buf *mem, struct lt_error *err)
{
    int64_t n;
    struct record_value v;
    if (!f->field || f->field->type == RECORD_REF) {
        if (!lt_text_to_i64(text, &n))
            return lt_fail(err, LT_E_FIELD_TYPE, filter_name(f), filter_name(f), "number / 数字", NULL);
        record_sql_i64(s, n);
        return LT_OK;
    }
    enum lt_err e = record_parse(x, f->field, text, false, mem, &v, err);
    if (e != LT_OK)
        return e;
    if (v.null)
        return lt_fail(err, LT_E_FIELD_TYPE, filter_name(f), filter_name(f), record_type_name(f->field->type), NULL);
    if (record_is_text(f->field->type))
        record_sql_text(s, v.s);
    else
        record_sql_i64(s, v.i);
    return LT_OK;
}

/* field IN (?, ?, …) for "a,b,c". */
static enum lt_err filter_any(const struct record_ctx *x, struct record_sql *s, const struct record_filter *f,
                              struct lt_buf *mem, struct lt_error *err)
{
    struct lt_slice rest = f->value;
    /* commas belong to the value where it is free text */
    bool split = !f->field || f->field->type != RECORD_TEXT;
    lt_buf_addf(&s->text, " AND t.\"%s\" %sIN (", filter_name(f), f->op == RECORD_NE ? "NOT " : "");
    for (unsigned n = 0; rest.n; n++) {
        const char *comma = split ? memchr(rest.p, ',', rest.n) : NULL;
        struct lt_slice one = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        size_t skip = comma ? one.n + 1 : one.n;
        rest = (struct lt_slice){rest.p + skip, rest.n - skip};
        if (n == VALUES_MAX)
            return lt_fail(err, LT_E_LIMIT_SIZE, filter_name(f), filter_name(f), "16", NULL);
        lt_buf_adds(&s->text, n ? ", ?" : "?");
        enum lt_err e = bind_filter_value(x, s, f, one, mem, err);
        if (e != LT_OK)
            return e;
    }
    lt_buf_adds(&s->text, ")");
    return LT_OK;
}

static enum lt_err add_filter(const struct record_ctx *x, struct record_sql *s, const struct record_filter *f,
                              struct lt_buf *mem, struct lt_error *err)
{
    if (lt_slice_is(f->value, "null") && (f->op == RECORD_EQ || f->op == RECORD_NE)) {
        lt_buf_addf(&s->text, " AND t.\"%s\" IS %sNULL", filter_name(f), f->op == RECORD_NE ? "NOT " : "");
        return LT_OK;
    }
    if (f->op == RECORD_EQ || f->op == RECORD_NE)
        return filter_any(x, s, f, mem, err);
    lt_buf_addf(&s->text, " AND t.\"%s\" %s ?", filter_name(f), f->op == RECORD_MIN ? ">=" : "<=");
    return bind_filter_value(x, s, f, f->value, mem, err);
}

/* Characters of LIKE in the searched text stand for themselves. */
static void add_search(struct record_sql *s, const struct record_kind *k, struct lt_slice q, struct lt_buf *mem)
{
    size_t from = mem->n;
    lt_buf_addc(mem, '%');
    for (size_t i = 0; i < q.n; i++) {
        if (q.p[i] == '%' || q.p[i] == '_' || q.p[i] == '\\')
            lt_buf_addc(mem, '\\');
        lt_buf_addc(mem, q.p[i]);
    }
    lt_buf_addc(mem, '%');
    if (mem->failed) {
        s->failed = true;
        return;
    }
    bool any = false;
    lt_buf_adds(&s->text, " AND (");
    for (size_t i = 0; i < k->n; i++) {
        if (!(k->fields[i].flags & RECORD_F_SEARCH))
            continue;
        lt_buf_addf(&s->text, "%st.\"%s\" LIKE ? ESCAPE '\\'", any ? " OR " : "", k->fields[i].name);
        record_sql_text(s, (struct lt_slice){mem->p + from, mem->n - from});
        any = true;
    }
    lt_buf_adds(&s->text, any ? ")" : "0)");
}

static enum lt_err build(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                         struct record_sql *s, struct lt_buf *mem, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    record_select(s, k, q ? q->only : NULL, x->who->lang);
    lt_buf_adds(&s->text, q && q->deleted ? " WHERE 1" : " WHERE t.deleted = 0");
    if (!k->open_read)
        record_scope(s, k, x->who);
    for (size_t i = 0; q && e == LT_OK && i < q->n; i++)
        e = add_filter(x, s, &q->filter[i], mem, err);
    if (e == LT_OK && q && q->q.n) {
        if (!lt_text_is_utf8(q->q))
            return lt_fail(err, LT_E_FIELD_TYPE, "q", "q", "UTF-8", NULL);
        add_search(s, k, q->q, mem);
    }
    return e;
}

static void add_order(struct record_sql *s, const struct record_query *q)
{
    const char *dir = q && q->descending ? " DESC" : "";
    lt_buf_adds(&s->text, " ORDER BY ");
    if (q && q->sort)
        lt_buf_addf(&s->text, "t.\"%s\"%s, ", q->sort->name, dir);
    lt_buf_addf(&s->text, "t.id%s", dir);
}

/* ---- cursors: hex of "SORT|DIR|N or V|ID|value of the sort field" ---- */

static void cursor_write(const struct record_query *q, const struct record_row *r, struct jsonw *w)
{
    char plain[SORT_TEXT_MAX * 4 + 128];
    char hex[2 * sizeof plain + 1];
    const struct record_value *v = q->sort ? record_value(r, q->sort->name) : NULL;
    bool text = v && record_is_text(q->sort->type);
    int n = snprintf(plain, sizeof plain, "%s|%c|%c|%lld|", q->sort ? q->sort->name : "id", q->descending ? 'd' : 'u',
                     v && v->null ? 'N' : 'V', (long long)r->id);
    if (v && !v->null && !text)
        n += snprintf(plain + n, sizeof plain - (size_t)n, "%lld", (long long)v->i);
    size_t len = (size_t)n;
    if (text && !v->null && v->s.n <= sizeof plain - len) {
        memcpy(plain + len, v->s.p, v->s.n);
        len += v->s.n;
    }
    lt_text_hex((const uint8_t *)plain, len, hex);
    jsonw_kslice(w, "next", (struct lt_slice){hex, 2 * len});
}

struct cursor {
    bool null;
    int64_t id, i;
    struct lt_slice s;
};

static bool unhex(struct lt_slice s, struct lt_buf *mem, struct lt_slice *ret)
{
    const size_t n = s.n / 2;
    char *p = n <= SORT_TEXT_MAX * 4 + 128 ? lt_buf_reserve(mem, n) : NULL;
    if (!p || !lt_text_unhex(s, (uint8_t *)p, n))
        return false;
    mem->n += n;
    *ret = (struct lt_slice){p, n};
    return true;
}

static bool part(struct lt_slice *rest, struct lt_slice *ret)
{
    const char *bar = rest->n ? memchr(rest->p, '|', rest->n) : NULL;
    if (!bar)
        return false;
    *ret = (struct lt_slice){rest->p, (size_t)(bar - rest->p)};
    *rest = (struct lt_slice){bar + 1, rest->n - ret->n - 1};
    return true;
}

static bool cursor_read(const struct record_query *q, struct lt_buf *mem, struct cursor *c)
{
    struct lt_slice rest, sort, dir, null, id;
    if (!unhex(q->cursor, mem, &rest) || !part(&rest, &sort) || !part(&rest, &dir) || !part(&rest, &null) ||
        !part(&rest, &id))
        return false;
    if (!lt_slice_is(sort, q->sort ? q->sort->name : "id") || !lt_slice_is(dir, q->descending ? "d" : "u"))
        return false;
    c->null = lt_slice_is(null, "N");
    c->s = rest;
    if (!lt_text_to_i64(id, &c->id))
        return false;
    return !q->sort || c->null || record_is_text(q->sort->type) || lt_text_to_i64(rest, &c->i);
}

static void bind_cursor(struct record_sql *s, const struct record_query *q, const struct cursor *c)
{
    if (record_is_text(q->sort->type))
        record_sql_text(s, c->s);
    else
        record_sql_i64(s, c->i);
}

/* NULL sorts before everything upwards and after everything downwards. */
static void add_cursor(struct record_sql *s, const struct record_query *q, const struct cursor *c)
{
    const char *op = q->descending ? "<" : ">";
    if (!q->sort) {
        lt_buf_addf(&s->text, " AND t.id %s ?", op);
        record_sql_i64(s, c->id);
        return;
    }
    const char *f = q->sort->name;
    if (c->null) {
        lt_buf_addf(&s->text, " AND ((t.\"%s\" IS NULL AND t.id %s ?)%s%s%s", f, op, q->descending ? "" : " OR t.\"",
                    q->descending ? "" : f, q->descending ? ")" : "\" IS NOT NULL)");
        record_sql_i64(s, c->id);
        return;
    }
    lt_buf_addf(&s->text, " AND (t.\"%s\" %s ? OR (t.\"%s\" = ? AND t.id %s ?)", f, op, f, op);
    bind_cursor(s, q, c);
    bind_cursor(s, q, c);
    record_sql_i64(s, c->id);
    if (q->descending)
        lt_buf_addf(&s->text, " OR t.\"%s\" IS NULL", f);
    lt_buf_adds(&s->text, ")");
}

static enum lt_err write_page(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                              struct sql_stmt *st, unsigned limit, struct jsonw *w, struct lt_error *err)
{
    struct record_row r;
    bool row = true;
    enum lt_err e;
    unsigned n = 0;
    char last[2 * (SORT_TEXT_MAX * 4 + 128) + 64];
    struct lt_buf next = LT_BUF_INIT(sizeof last);
    jsonw_object(w);
    jsonw_key(w, "items");
    jsonw_array(w);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (n == limit)
            break;
        record_from_stmt(st, k, &r);
        record_item(x, &r, w, q->extra, q->user);
        if (++n == limit) { /* the place to go on from, in case another row follows */
            struct jsonw c;
            jsonw_init(&c, &next);
            jsonw_object(&c);
            cursor_write(q, &r, &c);
            jsonw_object_end(&c);
        }
    }
    jsonw_array_end(w);
    jsonw_key(w, "next");
    if (row && n == limit && !next.failed && next.n > 9)
        jsonw_raw(w, (struct lt_slice){next.p + 8, next.n - 9}); /* the string of {"next":"…"} */
    else
        jsonw_null(w);
    jsonw_object_end(w);
    lt_buf_fini(&next);
    return e;
}

enum lt_err record_list(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                        struct jsonw *w, struct lt_error *err)
{
    enum lt_err e = record_need(x, k, "read", err);
    if (e != LT_OK)
        return e;
    unsigned limit = q->limit == 0 ? 50 : q->limit > RECORD_LIMIT_MAX ? RECORD_LIMIT_MAX : q->limit;
    struct record_sql s = RECORD_SQL_INIT;
    struct lt_buf mem;
    struct sql_stmt *st = NULL;
    if (!record_mem_init(&mem))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    e = build(x, k, q, &s, &mem, err);
    if (e == LT_OK && q->cursor.n) {
        struct cursor c = {0};
        if (cursor_read(q, &mem, &c))
            add_cursor(&s, q, &c);
        else
            e = lt_fail(err, LT_E_FIELD_FORMAT, "cursor", "cursor", "", "next");
    }
    if (e == LT_OK) {
        add_order(&s, q);
        lt_buf_adds(&s.text, " LIMIT ?");
        record_sql_i64(&s, limit + 1);
        e = record_sql_prepare(x->db, &s, &st, err);
    }
    if (e == LT_OK)
        e = write_page(x, k, q, st, limit, w, err);
    sql_release(&st);
    record_sql_fini(&s);
    lt_buf_fini(&mem);
    return e;
}

enum lt_err record_each(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                        bool (*each)(void *user, const struct record_row *row), void *user, struct lt_error *err)
{
    enum lt_err e = record_need(x, k, "read", err);
    if (e != LT_OK)
        return e;
    struct record_sql s = RECORD_SQL_INIT;
    struct lt_buf mem;
    struct sql_stmt *st = NULL;
    if (!record_mem_init(&mem))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    e = build(x, k, q, &s, &mem, err);
    if (e == LT_OK) {
        add_order(&s, q);
        e = record_sql_prepare(x->db, &s, &st, err);
    }
    bool row = true;
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct record_row r;
        record_from_stmt(st, k, &r);
        if (!each(user, &r))
            break;
    }
    sql_release(&st);
    record_sql_fini(&s);
    lt_buf_fini(&mem);
    return e;
}
