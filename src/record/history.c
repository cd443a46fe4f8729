/* The history of a record, and records as they once were. */
#include "record/record_priv.h"

#define HISTORY_MAX 500 /* entries shown of one record; a page of years for most */

static void raw_to_value(const struct record_field *f, const json_t *j, struct record_value *ret)
{
    *ret = (struct record_value){.null = true};
    if (json_is_integer(j) && !record_is_text(f->type))
        *ret = (struct record_value){.i = json_integer_value(j)};
    else if (json_is_string(j) && record_is_text(f->type))
        *ret = (struct record_value){.s = {json_string_value(j), json_string_length(j)}};
}

static void write_change(const struct record_kind *k, struct lt_slice text, int tz_min, struct jsonw *w)
{
    json_t *o = NULL;
    jsonw_object(w);
    if (jsonr_object(text, JSONR_SIZE_MAX, &o, NULL) == LT_OK) {
        for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
            const struct record_field *f = record_field_find(k, lt_slice_of(json_object_iter_key(it)));
            const json_t *pair = json_object_iter_value(it);
            if (!f || (f->flags & RECORD_F_HIDDEN))
                continue;
            jsonw_key(w, f->name);
            jsonw_array(w);
            for (size_t i = 0; i < 2; i++) {
                struct record_value v;
                raw_to_value(f, json_array_get(pair, i), &v);
                record_value_json(f, &v, tz_min, w);
            }
            jsonw_array_end(w);
        }
        json_decref(o);
    }
    jsonw_object_end(w);
}

static void write_entry(const struct record_ctx *x, const struct record_kind *k, struct sql_stmt *st, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_ki64(w, "version", sql_col_i64(st, 0));
    jsonw_ktime(w, "at", sql_col_i64(st, 1), x->tz_min);
    jsonw_ki64(w, "user_id", sql_col_i64(st, 2));
    jsonw_kslice(w, "user_name", sql_col_text(st, 3));
    jsonw_kslice(w, "address", sql_col_text(st, 4));
    jsonw_kslice(w, "action", sql_col_text(st, 5));
    jsonw_key(w, "change");
    write_change(k, sql_col_text(st, 6), x->tz_min, w);
    jsonw_object_end(w);
}

enum lt_err record_history(const struct record_ctx *x, const struct record_kind *k, int64_t id, struct jsonw *w,
                           struct lt_error *err)
{
    struct record_row r;
    enum lt_err e = record_load(x, k, id, &r, err); /* who may see it now may see what it was */
    if (e != LT_OK)
        return e;
    record_row_fini(&r);
    struct sql_stmt *st = NULL;
    e = sql_prepare(x->db,
                    "SELECT version, at_ms, user_id, user_name, address, action, change FROM record_history"
                    " WHERE kind = ?1 AND record_id = ?2 ORDER BY id DESC LIMIT ?3",
                    &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, k->name);
    sql_bind_i64(st, 2, id);
    sql_bind_i64(st, 3, HISTORY_MAX);
    jsonw_array(w);
    bool row = true;
    while ((e = sql_step(st, &row, err)) == LT_OK && row)
        write_entry(x, k, st, w);
    jsonw_array_end(w);
    sql_release(&st);
    return e;
}

/* ---- the past ---- */

struct past {
    struct sql_stmt *st; /* later changes of one record */
    int64_t at_ms;
    bool existed;
};

/* Takes one later change back. The first change after that moment tells what a field was; the others, however many, do
 * not matter (and would not all have room in the row's memory). */
static void undo(struct record_row *r, struct lt_slice action, struct lt_slice text, bool seen[RECORD_FIELDS_MAX],
                 struct past *p)
{
    json_t *o = NULL;
    if (lt_slice_is(action, "create"))
        p->existed = false;
    if (lt_slice_is(action, "delete"))
        r->deleted = false;
    if (jsonr_object(text, JSONR_SIZE_MAX, &o, NULL) != LT_OK)
        return;
    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        const struct record_field *f = record_field_find(r->kind, lt_slice_of(json_object_iter_key(it)));
        if (!f || (f->flags & (RECORD_F_SECRET | RECORD_F_QUIET)))
            continue;
        struct record_value *v = &r->v[f - r->kind->fields];
        if (seen[f - r->kind->fields])
            continue;
        seen[f - r->kind->fields] = true;
        raw_to_value(f, json_array_get(json_object_iter_value(it), 0), v);
        v->s = record_keep(&r->mem, v->s);
    }
    json_decref(o);
}

static enum lt_err rewind_row(struct past *p, struct record_row *r, struct lt_error *err)
{
    enum lt_err e;
    bool row = true, seen[RECORD_FIELDS_MAX] = {false}, first = true;
    p->existed = r->created_at_ms <= p->at_ms;
    sql_rewind(p->st);
    sql_bind_str(p->st, 1, r->kind->name);
    sql_bind_i64(p->st, 2, r->id);
    sql_bind_i64(p->st, 3, p->at_ms);
    while ((e = sql_step(p->st, &row, err)) == LT_OK && row && p->existed) {
        undo(r, sql_col_text(p->st, 0), sql_col_text(p->st, 1), seen, p);
        r->version = first ? sql_col_i64(p->st, 2) - 1 : r->version;
        first = false;
        if (r->mem.failed)
            return lt_fail(err, LT_E_TOO_LARGE, NULL, r->kind->name, "64 KB", NULL);
    }
    for (size_t i = 0; i < r->kind->n; i++)
        if (r->kind->fields[i].flags & RECORD_F_QUIET)
            r->v[i] = (struct record_value){.null = true, .s = LT_LIT("")};
    return e;
}

enum lt_err record_each_at(struct sql_db *db, const struct record_kind *k, int64_t at_ms,
                           bool (*each)(void *user, const struct record_row *row), void *user, struct lt_error *err)
{
    struct record_sql q = RECORD_SQL_INIT;
    struct sql_stmt *st = NULL;
    struct past p = {.at_ms = at_ms};
    struct lt_buf mem;
    if (!record_mem_init(&mem))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    record_select(&q, k, NULL, LT_ZH);
    lt_buf_adds(&q.text, " WHERE t.created_at_ms <= ? ORDER BY t.id");
    record_sql_i64(&q, at_ms);
    enum lt_err e = record_sql_prepare(db, &q, &st, err);
    if (e == LT_OK)
        e = sql_prepare(db,
                        "SELECT action, change, version FROM record_history WHERE kind = ?1 AND record_id = ?2"
                        " AND at_ms > ?3 ORDER BY id",
                        &p.st, err);
    bool row = true;
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct record_row r;
        record_from_stmt(st, k, &r);
        r.mem = mem;
        r.mem.n = 0;
        e = rewind_row(&p, &r, err);
        if (e == LT_OK && p.existed && !r.deleted && !each(user, &r))
            break;
    }
    sql_release(&p.st);
    sql_release(&st);
    record_sql_fini(&q);
    lt_buf_fini(&mem);
    return e;
}
