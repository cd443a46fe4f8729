/* Writing a record: check everything, then row, history and audit in one transaction. */
#include "base/clock.h"
#include "base/text.h"
#include "record/record_priv.h"

#include <assert.h>
#include <stdio.h>

static const char *label_of(const struct record_write *w, const struct record_field *f)
{
    return record_label(f->en, f->zh, w->x->who->lang);
}

static const char *kind_label(const struct record_ctx *x, const struct record_kind *k)
{
    return record_label(k->en, k->zh, x->who->lang);
}

enum lt_err record_need(const struct record_ctx *x, const struct record_kind *k, const char *verb, struct lt_error *err)
{
    char permission[64];
    if (auth_may2(x->who, k->name, verb))
        return LT_OK;
    snprintf(permission, sizeof permission, "%s:%s", k->name, verb);
    return auth_need(x->who, permission, err);
}

void record_write_fault(struct record_write *w, size_t field, const struct lt_error *err)
{
    if (field < w->k->n) {
        if (w->bad[field])
            return; /* one fault a field is enough */
        w->bad[field] = true;
    }
    record_fault(w->faults, err);
}

static enum lt_err set_defaults(struct record_write *w, struct lt_error *err)
{
    for (size_t i = 0; i < w->k->n; i++) {
        const struct record_field *f = &w->k->fields[i];
        w->now.v[i].null = true;
        if (!f->dflt)
            continue;
        enum lt_err e = record_parse(w->x, f, lt_slice_of(f->dflt), false, &w->now.mem, &w->now.v[i], err);
        if (e != LT_OK)
            return e;
    }
    if (w->k->author) {
        struct record_value *v = &w->now.v[record_field_find(w->k, lt_slice_of(w->k->author)) - w->k->fields];
        v->s = record_keep(&w->now.mem, lt_slice_of(w->x->who->name));
        v->null = v->s.n == 0;
    }
    return LT_OK;
}

enum lt_err record_write_begin(struct record_write *w, const struct record_ctx *x, const struct record_kind *k,
                               int64_t id, const char *action, struct record_faults *faults, struct lt_error *err)
{
    *w = (struct record_write){.x = x, .k = k, .action = action};
    w->faults = faults ? faults : &w->own_faults;
    *w->faults = (struct record_faults){0};
    enum lt_err e = LT_OK;
    if (id != 0) {
        e = record_fetch(x, k, id, true, &w->old, err);
        if (e != LT_OK)
            return e;
        w->now = w->old;
    }
    w->now.kind = k;
    w->now.updated_at_ms = x->now_ms;
    if (!record_mem_init(&w->now.mem))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return id == 0 ? set_defaults(w, err) : LT_OK;
}

void record_write_fini(struct record_write *w)
{
    lt_buf_fini(&w->now.mem);
    lt_buf_fini(&w->old.mem);
}

/* ---- checks ---- */

static enum lt_err check_unique(struct record_write *w, size_t i, struct lt_error *err)
{
    const struct record_field *f = &w->k->fields[i];
    struct lt_buf text = LT_BUF_INIT(1024);
    struct sql_stmt *st = NULL;
    bool row = false;
    lt_buf_addf(&text, "SELECT 1 FROM \"%s\" WHERE \"%s\" = ?1 AND id != ?2 AND deleted = 0", w->k->name, f->name);
    lt_buf_addc(&text, '\0');
    enum lt_err e =
        text.failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : sql_prepare(w->x->db, text.p, &st, err);
    lt_buf_fini(&text);
    if (e != LT_OK)
        return e;
    if (record_is_text(f->type))
        sql_bind_text(st, 1, w->now.v[i].s);
    else
        sql_bind_i64(st, 1, w->now.v[i].i);
    sql_bind_i64(st, 2, w->now.id);
    e = sql_step(st, &row, err);
    if (e == LT_OK && row) {
        char given[128];
        struct lt_error fault;
        lt_text_copy_slice(given, sizeof given, w->now.v[i].s);
        lt_fail(&fault, LT_E_DUPLICATE, f->name, label_of(w, f), given, NULL);
        record_write_fault(w, i, &fault);
    }
    sql_release(&st);
    return e;
}

static enum lt_err check_ref(struct record_write *w, size_t i, struct lt_error *err)
{
    const struct record_field *f = &w->k->fields[i];
    const struct record_kind *k = record_kind_find(lt_slice_of(f->ref));
    struct lt_buf text = LT_BUF_INIT(256);
    int64_t one = 0;
    lt_buf_addf(&text, "SELECT 1 FROM \"%s\" WHERE id = ?1 AND deleted = 0", f->ref);
    lt_buf_addc(&text, '\0');
    enum lt_err e = text.failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL)
                                : sql_get_i64(w->x->db, text.p, &w->now.v[i].i, &one, err);
    lt_buf_fini(&text);
    if (e == LT_E_NOT_FOUND) {
        char id[24];
        struct lt_error fault;
        snprintf(id, sizeof id, "%lld", (long long)w->now.v[i].i);
        lt_fail(&fault, LT_E_REF_MISSING, f->name, label_of(w, f), kind_label(w->x, k), id);
        record_write_fault(w, i, &fault);
        e = LT_OK;
    }
    return e;
}

static enum lt_err check_field(struct record_write *w, size_t i, struct lt_error *err)
{
    const struct record_field *f = &w->k->fields[i];
    struct lt_error fault;
    bool create = w->old.id == 0, changed = create || !record_same(f, &w->old.v[i], &w->now.v[i]);
    if (w->bad[i] || !changed)
        return LT_OK;
    if (record_check_value(f, &w->now.v[i], w->x->who->lang, &fault) != LT_OK) {
        record_write_fault(w, i, &fault);
        return LT_OK;
    }
    if (w->now.v[i].null)
        return LT_OK;
    if (f->flags & RECORD_F_UNIQUE)
        return check_unique(w, i, err);
    return f->type == RECORD_REF ? check_ref(w, i, err) : LT_OK;
}

static enum lt_err check_all(struct record_write *w, struct lt_error *err)
{
    for (size_t i = 0; i < w->k->n; i++) {
        enum lt_err e = check_field(w, i, err);
        if (e != LT_OK)
            return e;
    }
    if (w->k->check && w->faults->n == 0)
        w->k->check(w->old.id ? &w->old : NULL, &w->now, w->x->who, w->x->db, w->faults);
    if (w->faults->n == 0)
        return LT_OK;
    if (err)
        *err = w->faults->list[0];
    return w->faults->list[0].code;
}

/* ---- the row ---- */

static void bind_value(struct sql_stmt *st, int pos, const struct record_field *f, const struct record_value *v)
{
    if (v->null)
        sql_bind_null(st, pos);
    else if (record_is_text(f->type))
        sql_bind_text(st, pos, v->s);
    else
        sql_bind_i64(st, pos, v->i);
}

static void insert_text(struct lt_buf *b, const struct record_kind *k)
{
    lt_buf_addf(b, "INSERT INTO \"%s\"(version, created_at_ms, updated_at_ms, deleted", k->name);
    for (size_t i = 0; i < k->n; i++)
        lt_buf_addf(b, ", \"%s\"", k->fields[i].name);
    lt_buf_adds(b, ") VALUES (?, ?, ?, ?");
    for (size_t i = 0; i < k->n; i++)
        lt_buf_adds(b, ", ?");
    lt_buf_adds(b, ")");
}

static void update_text(struct lt_buf *b, const struct record_kind *k)
{
    lt_buf_addf(b, "UPDATE \"%s\" SET version = ?, created_at_ms = ?, updated_at_ms = ?, deleted = ?", k->name);
    for (size_t i = 0; i < k->n; i++)
        lt_buf_addf(b, ", \"%s\" = ?", k->fields[i].name);
    lt_buf_adds(b, " WHERE id = ?");
}

static enum lt_err put_row(struct record_write *w, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(8192);
    struct sql_stmt *st = NULL;
    bool create = w->old.id == 0;
    if (create)
        insert_text(&text, w->k);
    else
        update_text(&text, w->k);
    lt_buf_addc(&text, '\0');
    enum lt_err e =
        text.failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : sql_prepare(w->x->db, text.p, &st, err);
    lt_buf_fini(&text);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, w->now.version);
    sql_bind_i64(st, 2, w->now.created_at_ms);
    sql_bind_i64(st, 3, w->now.updated_at_ms);
    sql_bind_i64(st, 4, w->now.deleted);
    for (size_t i = 0; i < w->k->n; i++)
        bind_value(st, 5 + (int)i, &w->k->fields[i], &w->now.v[i]);
    if (!create)
        sql_bind_i64(st, 5 + (int)w->k->n, w->now.id);
    e = sql_run(st, err);
    if (e == LT_OK && create)
        w->now.id = sql_last_id(w->x->db);
    return e;
}

/* After the write the row must still lie in the caller's territory: so nothing is made in, moved to, or taken from
 * somebody else's. */
static enum lt_err check_scope(struct record_write *w, struct lt_error *err)
{
    if (w->x->who->everywhere || (!w->k->territory && !w->k->object))
        return LT_OK;
    struct record_sql q = RECORD_SQL_INIT;
    struct sql_stmt *st = NULL;
    bool row = false;
    lt_buf_addf(&q.text, "SELECT 1 FROM \"%s\" t WHERE t.id = ?", w->k->name);
    record_sql_i64(&q, w->now.id);
    record_scope(&q, w->k, w->x->who);
    enum lt_err e = record_sql_prepare(w->x->db, &q, &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    sql_release(&st);
    record_sql_fini(&q);
    if (e == LT_OK && !row)
        e = lt_fail(err, LT_E_DENIED_TERRITORY, NULL, kind_label(w->x, w->k), NULL, NULL);
    return e;
}

/* ---- history ---- */

static void secret_raw(const struct record_value *v, const char *word, struct jsonw *j)
{
    jsonw_str(j, v->null ? NULL : word);
}

static bool change_json(struct record_write *w, struct lt_buf *out)
{
    struct jsonw j;
    bool any = false;
    jsonw_init(&j, out);
    jsonw_object(&j);
    for (size_t i = 0; i < w->k->n; i++) {
        const struct record_field *f = &w->k->fields[i];
        static const struct record_value none = {.null = true};
        const struct record_value *old = w->old.id ? &w->old.v[i] : &none, *now = &w->now.v[i];
        if ((f->flags & RECORD_F_QUIET) || record_same(f, old, now))
            continue;
        any = true;
        jsonw_key(&j, f->name);
        jsonw_array(&j);
        if (f->flags & RECORD_F_SECRET) {
            secret_raw(old, "set", &j);
            secret_raw(now, old->null ? "set" : "changed", &j);
        } else {
            record_value_raw(f, old, &j);
            record_value_raw(f, now, &j);
        }
        jsonw_array_end(&j);
    }
    jsonw_object_end(&j);
    return any;
}

static bool quiet_change(const struct record_write *w)
{
    for (size_t i = 0; i < w->k->n; i++)
        if ((w->k->fields[i].flags & RECORD_F_QUIET) && !record_same(&w->k->fields[i], &w->old.v[i], &w->now.v[i]))
            return true;
    return false;
}

enum lt_err record_history_add(const struct record_ctx *x, const struct record_row *row, const char *action,
                               struct lt_slice change, struct lt_error *err)
{
    enum lt_err e = sql_do(x->db,
                           "INSERT INTO record_history(kind, record_id, version, at_ms, user_id, user_name, address,"
                           " action, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                           SQL_VALUES(SQL_Z(row->kind->name), SQL_I(row->id), SQL_I(row->version), SQL_I(x->now_ms),
                                      SQL_I(x->who->user_id), SQL_Z(x->who->name), SQL_Z(x->who->address),
                                      SQL_Z(action), SQL_S(change)),
                           err);
    /* What the post itself writes into its own tables has its trail elsewhere (verdicts, journal). */
    if (e != LT_OK || (x->who->system && row->kind->readonly))
        return e;
    const struct audit_entry a = {.who = x->who,
                                  .at_ms = x->now_ms,
                                  .action = action,
                                  .kind = row->kind->name,
                                  .record_id = row->id,
                                  .detail = change};
    return audit_add(x->db, &a, err);
}

enum lt_err record_write_end(struct record_write *w, bool *ret_changed, struct lt_error *err)
{
    assert(sql_depth(w->x->db) > 0);
    struct lt_buf change = LT_BUF_INIT(256u * 1024);
    enum lt_err e = check_all(w, err);
    *ret_changed = false;
    if (e != LT_OK)
        return e;
    if (w->check_only)
        return lt_fail(err, LT_E_BAD_INPUT, NULL, "", NULL, NULL);
    bool loud = change_json(w, &change) || w->old.id == 0 || w->now.deleted != w->old.deleted;
    if (!loud && !quiet_change(w)) {
        lt_buf_fini(&change);
        return LT_OK;
    }
    w->now.version = w->old.version + loud;
    w->now.created_at_ms = w->old.id ? w->old.created_at_ms : w->x->now_ms;
    e = put_row(w, err);
    if (e == LT_OK)
        e = check_scope(w, err);
    if (e == LT_OK && change.failed)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK && loud)
        e = record_history_add(w->x, &w->now, w->action, lt_buf_slice(&change), err);
    lt_buf_fini(&change);
    *ret_changed = e == LT_OK;
    return e;
}

/* ---- from JSON ---- */

/* Members that record_json() adds of itself: a page may send an item back as it got it. */
static bool derived(const struct record_kind *k, struct lt_slice key)
{
    static const char *const own[] = {"id", "version", "created_at", "updated_at", "deleted"};
    static const char *const ends[] = {"_name", "_set"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (lt_slice_is(key, own[i]))
            return true;
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(ends[i]);
        if (key.n <= n || memcmp(key.p + key.n - n, ends[i], n) != 0)
            continue;
        const struct record_field *f = record_field_find(k, (struct lt_slice){key.p, key.n - n});
        if (f && (i == 0 ? f->type == RECORD_REF : (f->flags & RECORD_F_SECRET) != 0))
            return true;
    }
    return false;
}

static bool may_set(const struct record_write *w, const struct record_field *f, const struct record_value *v)
{
    size_t i = (size_t)(f - w->k->fields);
    bool locked = (f->flags & RECORD_F_READONLY) || ((f->flags & RECORD_F_CREATE) && w->old.id != 0);
    return !locked || w->x->who->system || record_same(f, &w->now.v[i], v);
}

static void apply_member(struct record_write *w, struct lt_slice key, const json_t *value)
{
    const struct record_field *f = record_field_find(w->k, key);
    struct lt_error fault;
    char name[65];
    if (!f || (f->flags & RECORD_F_HIDDEN)) {
        if (derived(w->k, key))
            return;
        lt_text_copy_slice(name, sizeof name, key);
        lt_fail(&fault, LT_E_FIELD_UNKNOWN, name, name, NULL, NULL);
        record_write_fault(w, w->k->n, &fault);
        return;
    }
    struct record_value v;
    size_t i = (size_t)(f - w->k->fields);
    if (record_parse_json(w->x, f, value, &w->now.mem, &v, &fault) != LT_OK) {
        record_write_fault(w, i, &fault);
    } else if (!may_set(w, f, &v)) {
        lt_fail(&fault, LT_E_FIELD_READONLY, f->name, label_of(w, f), NULL, NULL);
        record_write_fault(w, i, &fault);
    } else {
        w->now.v[i] = v;
        w->given[i] = true;
    }
}

static void apply_body(struct record_write *w, const json_t *body)
{
    void *it = json_object_iter((json_t *)(uintptr_t)body); /* jansson's iterator takes no const; nothing is changed */
    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)body, it)) {
        const char *key = json_object_iter_key(it);
        apply_member(w, lt_slice_of(key), json_object_iter_value(it));
    }
}

static enum lt_err may_write(const struct record_ctx *x, const struct record_kind *k, const char *verb,
                             struct lt_error *err)
{
    if (k->readonly)
        return lt_fail(err, LT_E_BAD_METHOD, NULL, verb, NULL, NULL);
    return record_need(x, k, verb, err);
}

static enum lt_err stale(const struct record_write *w, struct lt_error *err)
{
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)w->old.version);
    return lt_fail(err, LT_E_STALE, "version", kind_label(w->x, w->k), version, NULL);
}

enum lt_err record_create(const struct record_ctx *x, const struct record_kind *k, const json_t *body, int64_t *ret_id,
                          struct record_faults *faults, struct lt_error *err)
{
    enum lt_err e = may_write(x, k, "write", err);
    if (e == LT_OK && !json_is_object(body))
        e = lt_fail(err, LT_E_FIELD_TYPE, "body", "body", "object / 对象", NULL);
    if (e == LT_OK)
        e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    struct record_write w;
    bool changed;
    e = record_write_begin(&w, x, k, 0, "create", faults, err);
    if (e == LT_OK) {
        apply_body(&w, body);
        e = record_write_end(&w, &changed, err);
    }
    int64_t id = w.now.id;
    record_write_fini(&w);
    e = sql_end(x->db, e, err);
    if (e == LT_OK)
        *ret_id = id;
    return e;
}

enum lt_err record_update(const struct record_ctx *x, const struct record_kind *k, int64_t id, const json_t *body,
                          struct record_faults *faults, struct lt_error *err)
{
    int64_t version = 0;
    enum lt_err e = may_write(x, k, "write", err);
    if (e == LT_OK && !json_is_object(body))
        e = lt_fail(err, LT_E_FIELD_TYPE, "body", "body", "object / 对象", NULL);
    if (e == LT_OK)
        e = jsonr_i64(body, "version", true, 1, INT64_MAX, &version, err);
    if (e == LT_OK)
        e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    struct record_write w;
    bool changed;
    e = record_write_begin(&w, x, k, id, "update", faults, err);
    if (e == LT_OK && version != w.old.version)
        e = stale(&w, err);
    if (e == LT_OK) {
        apply_body(&w, body);
        e = record_write_end(&w, &changed, err);
    }
    record_write_fini(&w);
    return sql_end(x->db, e, err);
}

/* ---- deletion ---- */

static enum lt_err used_by(const struct record_ctx *x, const struct record_kind *by, const struct record_field *f,
                           const struct record_row *row, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(512);
    int64_t one = 0;
    lt_buf_addf(&text, "SELECT 1 FROM \"%s\" WHERE \"%s\" = ?1 AND deleted = 0 LIMIT 1", by->name, f->name);
    lt_buf_addc(&text, '\0');
    enum lt_err e = text.failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL)
                                : sql_get_i64(x->db, text.p, &row->id, &one, NULL);
    lt_buf_fini(&text);
    if (e == LT_E_NOT_FOUND)
        return LT_OK;
    if (e != LT_OK)
        return lt_fail(err, e, NULL, "database", "", NULL);
    return lt_fail(err, LT_E_IN_USE, NULL, kind_label(x, row->kind), kind_label(x, by), NULL);
}

static enum lt_err check_unused(const struct record_ctx *x, const struct record_row *row, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < record_kind_count(); i++) {
        const struct record_kind *by = record_kind_at(i);
        for (size_t f = 0; e == LT_OK && f < by->n && !by->readonly; f++)
            if (by->fields[f].type == RECORD_REF && strcmp(by->fields[f].ref, row->kind->name) == 0)
                e = used_by(x, by, &by->fields[f], row, err);
    }
    return e;
}

enum lt_err record_remove(const struct record_ctx *x, const struct record_kind *k, int64_t id, int64_t version,
                          struct lt_error *err)
{
    enum lt_err e = may_write(x, k, "delete", err);
    if (e == LT_OK && id == x->who->user_id && strcmp(k->name, "user") == 0)
        e = lt_fail(err, LT_E_BAD_METHOD, NULL, "delete / 删除", NULL, NULL); /* nobody locks himself out */
    if (e == LT_OK)
        e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    struct record_write w;
    bool changed;
    e = record_write_begin(&w, x, k, id, "delete", NULL, err);
    if (e == LT_OK && version != w.old.version)
        e = stale(&w, err);
    if (e == LT_OK)
        e = check_unused(x, &w.old, err);
    if (e == LT_OK) {
        w.now.deleted = true;
        e = record_write_end(&w, &changed, err);
    }
    record_write_fini(&w);
    return sql_end(x->db, e, err);
}

/* ---- for programs ---- */

static enum lt_err apply_set(struct record_write *w, const struct record_set *set, size_t n, struct lt_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct record_field *f = record_field_find(w->k, lt_slice_of(set[i].field));
        if (!f)
            return lt_fail(err, LT_E_FIELD_UNKNOWN, set[i].field, set[i].field, NULL, NULL);
        struct record_value *v = &w->now.v[f - w->k->fields];
        *v = (struct record_value){.null = set[i].null, .i = set[i].i};
        if (!record_is_text(f->type) || v->null)
            continue;
        if (!lt_text_is_utf8(set[i].s))
            return lt_fail(err, LT_E_FIELD_TYPE, f->name, f->name, "UTF-8", NULL);
        v->s = record_keep(&w->now.mem, set[i].s);
        v->null = v->s.n == 0;
        if (!v->s.p)
            return lt_fail(err, LT_E_TOO_LARGE, f->name, f->name, "64 KB", NULL);
    }
    return LT_OK;
}

static enum lt_err write_set(const struct record_ctx *x, const struct record_kind *k, int64_t id, int64_t version,
                             const char *action, const struct record_set *set, size_t n, int64_t *ret_id,
                             struct lt_error *err)
{
    struct record_write w;
    bool changed;
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = record_write_begin(&w, x, k, id, action, NULL, err);
    if (e == LT_OK && version != 0 && version != w.old.version)
        e = stale(&w, err);
    if (e == LT_OK)
        e = apply_set(&w, set, n, err);
    if (e == LT_OK)
        e = record_write_end(&w, &changed, err);
    id = w.now.id;
    record_write_fini(&w);
    e = sql_end(x->db, e, err);
    if (e == LT_OK && ret_id)
        *ret_id = id;
    return e;
}

enum lt_err record_insert(const struct record_ctx *x, const struct record_kind *k, const struct record_set *set,
                          size_t n, int64_t *ret_id, struct lt_error *err)
{
    return write_set(x, k, 0, 0, "create", set, n, ret_id, err);
}

enum lt_err record_change(const struct record_ctx *x, const struct record_kind *k, int64_t id, int64_t version,
                          const char *action, const struct record_set *set, size_t n, struct lt_error *err)
{
    return write_set(x, k, id, version, action, set, n, NULL, err);
}
