/* Tables from declarations: made when missing, new columns added, indexes made. Columns are never dropped. */
#include "record/record_priv.h"

static const char *sql_type(const struct record_field *f)
{
    return record_is_text(f->type) ? "TEXT" : "INTEGER";
}

static void create_text(struct lt_buf *b, const struct record_kind *k)
{
    lt_buf_addf(b,
                "CREATE TABLE IF NOT EXISTS \"%s\"(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL,"
                " created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0",
                k->name);
    for (size_t i = 0; i < k->n; i++) {
        const struct record_field *f = &k->fields[i];
        lt_buf_addf(b, ", \"%s\" %s", f->name, sql_type(f));
        if (f->type == RECORD_REF)
            lt_buf_addf(b, " REFERENCES \"%s\"(id)", f->ref);
    }
    lt_buf_adds(b, ");");
}

static enum lt_err has_column(struct sql_db *db, const struct record_kind *k, const char *name, bool *ret,
                              struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, k->name);
    sql_bind_str(st, 2, name);
    e = sql_step(st, ret, err);
    sql_release(&st);
    return e;
}

static enum lt_err add_columns(struct sql_db *db, const struct record_kind *k, struct lt_buf *b, struct lt_error *err)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct record_field *f = &k->fields[i];
        bool there = false;
        enum lt_err e = has_column(db, k, f->name, &there, err);
        if (e != LT_OK)
            return e;
        if (!there) {
            lt_buf_addf(b, "ALTER TABLE \"%s\" ADD COLUMN \"%s\" %s", k->name, f->name, sql_type(f));
            if (f->type == RECORD_REF)
                lt_buf_addf(b, " REFERENCES \"%s\"(id)", f->ref);
            lt_buf_adds(b, ";");
        }
    }
    return LT_OK;
}

static void index_text(struct lt_buf *b, const struct record_kind *k)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct record_field *f = &k->fields[i];
        if (f->flags & RECORD_F_UNIQUE)
            lt_buf_addf(b, "CREATE UNIQUE INDEX IF NOT EXISTS \"%s_%s\" ON \"%s\"(\"%s\") WHERE deleted = 0;", k->name,
                        f->name, k->name, f->name);
        else if (f->type == RECORD_REF)
            lt_buf_addf(b, "CREATE INDEX IF NOT EXISTS \"%s_%s\" ON \"%s\"(\"%s\");", k->name, f->name, k->name,
                        f->name);
    }
    if (k->index)
        lt_buf_adds(b, k->index);
}

static enum lt_err run(struct sql_db *db, struct lt_buf *b, struct lt_error *err)
{
    lt_buf_addc(b, '\0');
    enum lt_err e = b->failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : sql_exec(db, b->p, err);
    lt_buf_clear(b);
    return e;
}

static enum lt_err setup_kind(struct sql_db *db, const struct record_kind *k, struct lt_buf *b, struct lt_error *err)
{
    create_text(b, k);
    enum lt_err e = run(db, b, err);
    if (e == LT_OK)
        e = add_columns(db, k, b, err);
    if (e == LT_OK)
        e = run(db, b, err);
    index_text(b, k);
    return e == LT_OK ? run(db, b, err) : e;
}

enum lt_err record_setup(struct sql_db *db, struct lt_error *err)
{
    struct lt_buf b = LT_BUF_INIT(64u * 1024);
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    for (size_t i = 0; e == LT_OK && i < record_kind_count(); i++)
        e = setup_kind(db, record_kind_at(i), &b, err);
    if (e == LT_OK)
        e = audit_setup(db, err);
    lt_buf_fini(&b);
    return sql_end(db, e, err);
}
