/* SQL from declarations: the row, its names, the territory filter. */
#include "record/record_priv.h"

#include <stdio.h>

void record_sql_i64(struct record_sql *q, int64_t v)
{
    if (q->n < RECORD_BINDS_MAX)
        q->bind[q->n++] = (struct record_bind){.i = v};
    else
        q->failed = true;
}

void record_sql_text(struct record_sql *q, struct lt_slice v)
{
    if (q->n < RECORD_BINDS_MAX)
        q->bind[q->n++] = (struct record_bind){.text = true, .s = v.p ? v : LT_LIT("")};
    else
        q->failed = true;
}

enum lt_err record_sql_prepare(struct sql_db *db, struct record_sql *q, struct sql_stmt **ret, struct lt_error *err)
{
    lt_buf_addc(&q->text, '\0');
    if (q->failed || q->text.failed)
        return lt_fail(err, LT_E_LIMIT_SIZE, NULL, "values in a query / 查询中的值", "256", NULL);
    enum lt_err e = sql_prepare(db, q->text.p, ret, err);
    if (e != LT_OK)
        return e;
    for (size_t i = 0; i < q->n; i++) {
        if (q->bind[i].text)
            sql_bind_text(*ret, (int)i + 1, q->bind[i].s);
        else
            sql_bind_i64(*ret, (int)i + 1, q->bind[i].i);
    }
    return LT_OK;
}

void record_sql_fini(struct record_sql *q)
{
    lt_buf_fini(&q->text);
}

/* ---- names ---- */

void record_name_expr(struct lt_buf *out, const struct record_kind *k, const char *alias, enum lt_lang lang)
{
    lt_buf_adds(out, "coalesce(");
    if (lang == LT_EN && record_field_find(k, LT_LIT("name_en")))
        lt_buf_addf(out, "nullif(%s.\"name_en\", ''), ", alias);
    for (size_t i = 0; i < k->n; i++)
        if (k->fields[i].flags & RECORD_F_NAME)
            lt_buf_addf(out, "%s.\"%s\", ", alias, k->fields[i].name);
    lt_buf_addf(out, "'#' || %s.id)", alias);
}

static bool wanted(const char *const *only, const char *name)
{
    while (only && *only && strcmp(*only, name) != 0)
        only++;
    return !only || *only;
}

void record_select(struct record_sql *q, const struct record_kind *k, const char *const *only, enum lt_lang lang)
{
    lt_buf_adds(&q->text, "SELECT t.id, t.version, t.created_at_ms, t.updated_at_ms, t.deleted");
    for (size_t i = 0; i < k->n; i++)
        if (wanted(only, k->fields[i].name))
            lt_buf_addf(&q->text, ", t.\"%s\"", k->fields[i].name);
        else
            lt_buf_adds(&q->text, ", NULL");
    for (size_t i = 0; i < k->n; i++) {
        const struct record_field *f = &k->fields[i];
        if (f->type != RECORD_REF)
            continue;
        if (!wanted(only, f->name)) {
            lt_buf_adds(&q->text, ", NULL");
            continue;
        }
        lt_buf_adds(&q->text, ", (SELECT ");
        record_name_expr(&q->text, record_kind_find(lt_slice_of(f->ref)), "r", lang);
        lt_buf_addf(&q->text, " FROM \"%s\" r WHERE r.id = t.\"%s\")", f->ref, f->name);
    }
    lt_buf_addf(&q->text, " FROM \"%s\" t", k->name);
}

void record_from_stmt(struct sql_stmt *st, const struct record_kind *k, struct record_row *ret)
{
    *ret = (struct record_row){.kind = k,
                               .id = sql_col_i64(st, 0),
                               .version = sql_col_i64(st, 1),
                               .created_at_ms = sql_col_i64(st, 2),
                               .updated_at_ms = sql_col_i64(st, 3),
                               .deleted = sql_col_i64(st, 4) != 0};
    int name = 5 + (int)k->n;
    for (size_t i = 0; i < k->n; i++) {
        int col = 5 + (int)i;
        bool text = record_is_text(k->fields[i].type);
        ret->v[i].null = sql_col_null(st, col);
        ret->v[i].i = text ? 0 : sql_col_i64(st, col);
        ret->v[i].s = text ? sql_col_text(st, col) : LT_LIT("");
        if (k->fields[i].type == RECORD_REF)
            ret->v[i].s = sql_col_text(st, name++);
    }
}

/* ---- the territory filter ---- */

#define SUBTREE                                                                                                        \
    "(WITH RECURSIVE s(id) AS (SELECT ? UNION SELECT c.id FROM territory c JOIN s ON c.parent = s.id) SELECT id FROM " \
    "s)"

/* Takes the first step of a path "outlet.enterprise.territory". */
static struct lt_slice path_step(const char **path)
{
    const char *dot = strchr(*path, '.');
    struct lt_slice s = {*path, dot ? (size_t)(dot - *path) : strlen(*path)};
    *path = dot ? dot + 1 : *path + s.n;
    return s;
}

/* `alias.outlet IN (SELECT id FROM outlet WHERE enterprise IN (… last <test>))`: the test stands at the end of the
 * path. */
static void path_open(struct record_sql *q, const char *alias, const char *path, const char *test)
{
    unsigned depth = 0;
    const struct record_kind *k = NULL;
    for (;;) {
        struct lt_slice s = path_step(&path);
        lt_buf_addf(&q->text, "%s%s\"%.*s\"", k ? "" : alias, k ? "" : ".", (int)s.n, s.p);
        if (*path == '\0')
            break;
        k = record_kind_find(s); /* in paths a field is named like the kind it refers to */
        lt_buf_addf(&q->text, " IN (SELECT id FROM \"%s\" WHERE ", k->name);
        depth++;
    }
    lt_buf_adds(&q->text, test);
    while (depth-- > 0)
        lt_buf_addc(&q->text, ')');
}

/* Records that lie nowhere (a device not yet assigned, a fault of the post) belong to those who have the whole city. */
static void or_unassigned(struct record_sql *q, const char *alias, const char *path, int64_t territory)
{
    struct lt_slice first = path_step(&path);
    if (lt_slice_is(first, "id"))
        return;
    lt_buf_addf(&q->text,
                " OR (%s.\"%.*s\" IS NULL AND EXISTS (SELECT 1 FROM territory WHERE id = ? AND parent IS NULL))", alias,
                (int)first.n, first.p);
    record_sql_i64(q, territory);
}

static void scope_path(struct record_sql *q, const struct record_kind *k, const char *alias, const struct auth_ctx *who)
{
    if (who->enterprise != 0) {
        if (!k->enterprise) {
            lt_buf_adds(&q->text, "0");
            return;
        }
        path_open(q, alias, k->enterprise, " = ?");
        record_sql_i64(q, who->enterprise);
        return;
    }
    lt_buf_adds(&q->text, "(");
    path_open(q, alias, k->territory, " IN " SUBTREE);
    record_sql_i64(q, who->territory);
    or_unassigned(q, alias, k->territory, who->territory);
    lt_buf_adds(&q->text, ")");
}

static void scope_object(struct record_sql *q, const struct auth_ctx *who)
{
    static const char *const kinds[] = {"device", "outlet", "enterprise", "alarm"};
    lt_buf_adds(&q->text, "(");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct record_kind *k = record_kind_find(lt_slice_of(kinds[i]));
        lt_buf_addf(&q->text, "(t.object_kind = '%s' AND t.object_id IN (SELECT o.id FROM \"%s\" o WHERE ", kinds[i],
                    kinds[i]);
        scope_path(q, k, "o", who);
        lt_buf_adds(&q->text, ")) OR ");
    }
    if (who->enterprise != 0) {
        lt_buf_adds(&q->text, "0)");
        return;
    }
    lt_buf_adds(
        &q->text,
        "(t.object_kind IN ('post', 'days') AND EXISTS (SELECT 1 FROM territory WHERE id = ? AND parent IS NULL)))");
    record_sql_i64(q, who->territory);
}

void record_scope(struct record_sql *q, const struct record_kind *k, const struct auth_ctx *who)
{
    if (who->everywhere || (!k->territory && !k->object))
        return;
    lt_buf_adds(&q->text, " AND ");
    if (k->object)
        scope_object(q, who);
    else
        scope_path(q, k, "t", who);
}
