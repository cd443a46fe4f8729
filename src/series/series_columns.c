/* The dictionary of columns in the SQLite backend: factor and field of each column number, in columns.db. */
#include "series/series_file.h"

#include <stdio.h>
#include <unistd.h>

static enum lt_err open_columns(struct series_store *st, struct lt_error *err)
{
    char path[PATH_BYTES];
    if (st->columns)
        return LT_OK;
    snprintf(path, sizeof path, "%s/columns.db", st->dir);
    if (st->readonly && access(path, F_OK) != 0)
        return LT_E_NOT_FOUND;
    sqlite3 *db = NULL;
    int how = st->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    enum lt_err e = series_sql_open(path, how, &db, err);
    if (!e && !st->readonly)
        e = series_sql_run(db, series_pragmas, path, err);
    if (!e && !st->readonly)
        e = series_sql_run(db,
                           "CREATE TABLE IF NOT EXISTS columns(number INTEGER PRIMARY KEY, factor TEXT NOT NULL,"
                           " field INTEGER NOT NULL, UNIQUE(factor, field))",
                           path, err);
    if (e)
        sqlite3_close(db);
    else
        st->columns = db;
    return e;
}

static enum lt_err read_columns(struct series_store *st, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_table_column_metadata(st->columns, NULL, "columns", NULL, NULL, NULL, NULL, NULL, NULL);
    if (rc == SQLITE_ERROR)
        return LT_OK; /* just being made by the writer */
    enum lt_err e =
        series_sql_prepare(st->columns, "SELECT number, factor, field FROM columns WHERE number>?1 ORDER BY number", &s,
                           "columns.db", err);
    if (e)
        return e;
    sqlite3_bind_int64(s, 1, after);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct series_column_entry c = {.field = (uint8_t)sqlite3_column_int(s, 2)};
        const char *factor = (const char *)sqlite3_column_text(s, 1);
        snprintf(c.factor, sizeof c.factor, "%s", factor ? factor : "");
        each(user, (uint32_t)sqlite3_column_int64(s, 0), &c);
    }
    e = rc == SQLITE_DONE ? LT_OK : series_sql_fail(st->columns, rc, "columns.db", err);
    sqlite3_finalize(s);
    return e;
}

enum lt_err series_columns_read(void *b, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err)
{
    struct series_store *st = b;
    pthread_mutex_lock(&st->columns_lock);
    enum lt_err e = open_columns(st, err);
    if (!e)
        e = read_columns(st, after, each, user, err);
    pthread_mutex_unlock(&st->columns_lock);
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

static enum lt_err add_columns(struct series_store *st, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = series_sql_run(st->columns, "BEGIN IMMEDIATE", "columns.db", err);
    if (!e)
        e = series_sql_prepare(st->columns, "INSERT INTO columns VALUES(?1, ?2, ?3)", &s, "columns.db", err);
    for (uint32_t i = 0; !e && i < n; i++) {
        sqlite3_bind_int64(s, 1, first + i);
        sqlite3_bind_text(s, 2, c[i].factor, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 3, c[i].field);
        e = series_sql_finish(st->columns, s, "columns.db", err);
    }
    sqlite3_finalize(s);
    if (!e)
        e = series_sql_run(st->columns, "COMMIT", "columns.db", err);
    if (e)
        sqlite3_exec(st->columns, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

enum lt_err series_columns_add(void *b, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err)
{
    struct series_store *st = b;
    pthread_mutex_lock(&st->columns_lock);
    enum lt_err e = open_columns(st, err);
    if (!e)
        e = add_columns(st, first, n, c, err);
    pthread_mutex_unlock(&st->columns_lock);
    return e;
}
