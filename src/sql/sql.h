/* sql: a thin wrapper over SQLite. One connection per thread, opened by the thread that uses it. Statements are
 * prepared once and kept; values are bound, never concatenated. Every failure becomes an enum lt_err whose structure
 * names the place.
 *
 * A bind that fails is remembered by the statement and reported by the next sql_step() or sql_run(), so binds need no
 * checks of their own. A statement must be released (sql_run() does it) before its transaction ends. */
#ifndef LT_SQL_H
#define LT_SQL_H
#include "base/err.h"
#include "base/slice.h"

struct sql_db;
struct sql_stmt;

/* WAL, synchronous=FULL, foreign_keys on, busy timeout 5 s. Read-only needs an existing file. */
enum lt_err sql_open(const char *path, bool readonly, struct sql_db **ret, struct lt_error *err) LT_MUST_CHECK;
void sql_close(struct sql_db **db); /* rolls back what is open; NULL is fine */

/* ---- statements ---- */
/* A statement ready for binding. `text` is kept in the cache by content (at most 256 texts; the longest unused goes
 * first). The same text may be in use several times at once. */
enum lt_err sql_prepare(struct sql_db *db, const char *text, struct sql_stmt **ret, struct lt_error *err) LT_MUST_CHECK;
void sql_bind_i64(struct sql_stmt *st, int pos, int64_t v);          /* positions from 1 */
void sql_bind_text(struct sql_stmt *st, int pos, struct lt_slice v); /* copied; p NULL binds NULL */
void sql_bind_str(struct sql_stmt *st, int pos, const char *z);      /* copied; NULL binds NULL */
void sql_bind_blob(struct sql_stmt *st, int pos, const void *p, size_t n);
void sql_bind_null(struct sql_stmt *st, int pos);
/* *ret_row: a row stands ready. At the end false. */
enum lt_err sql_step(struct sql_stmt *st, bool *ret_row, struct lt_error *err) LT_MUST_CHECK;
/* Steps to the end, ignoring rows, and releases. */
enum lt_err sql_run(struct sql_stmt *st, struct lt_error *err) LT_MUST_CHECK;
void sql_release(struct sql_stmt **st); /* back to the cache, bindings cleared; NULL is fine */
void sql_rewind(struct sql_stmt *st);   /* ready for new bindings, to run again */

/* Values for the positions from 1 on, all at once: SQL_VALUES(SQL_I(id), SQL_Z(name)). */
struct sql_value {
    enum { SQL_VALUE_I64, SQL_VALUE_TEXT, SQL_VALUE_BLOB } type;
    int64_t i;
    struct lt_slice s;
};
#define SQL_I(v)    ((struct sql_value){.type = SQL_VALUE_I64, .i = (v)})
#define SQL_S(v)    ((struct sql_value){.type = SQL_VALUE_TEXT, .s = (v)})
#define SQL_Z(z)    ((struct sql_value){.type = SQL_VALUE_TEXT, .s = lt_slice_of(z)})
#define SQL_B(p, n) ((struct sql_value){.type = SQL_VALUE_BLOB, .s = {(const char *)(p), (n)}})
#define SQL_VALUES(...)                                                                                                \
    (const struct sql_value[]){__VA_ARGS__}, sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)
/* Prepared, bound and stepped to the first row, if there is one. The caller releases *ret, also after a failure. */
enum lt_err sql_row(struct sql_db *db, const char *text, const struct sql_value *v, size_t n, struct sql_stmt **ret,
                    bool *ret_row, struct lt_error *err) LT_MUST_CHECK;
/* Prepared, bound and run. */
enum lt_err sql_do(struct sql_db *db, const char *text, const struct sql_value *v, size_t n,
                   struct lt_error *err) LT_MUST_CHECK;

int sql_cols(const struct sql_stmt *st);
bool sql_col_null(struct sql_stmt *st, int col);            /* columns from 0 */
int64_t sql_col_i64(struct sql_stmt *st, int col);          /* 0 for NULL */
struct lt_slice sql_col_text(struct sql_stmt *st, int col); /* "" for NULL; valid until the next step or release */
struct lt_slice sql_col_blob(struct sql_stmt *st, int col);

/* Shorthands. sql_exec: several statements without values (schema). sql_get_i64: first column of the first row with at
 * most one bound number; LT_E_NOT_FOUND when there is no row. */
enum lt_err sql_exec(struct sql_db *db, const char *text, struct lt_error *err) LT_MUST_CHECK;
enum lt_err sql_get_i64(struct sql_db *db, const char *text, const int64_t *bind, int64_t *ret,
                        struct lt_error *err) LT_MUST_CHECK;
int64_t sql_last_id(struct sql_db *db);
int64_t sql_changes(struct sql_db *db);

/* ---- transactions ---- */
/* The outermost is BEGIN IMMEDIATE (waits at most 5 s for another writer, then LT_E_BUSY); inner ones are savepoints,
 * at most 8 deep. So a function may open its own scope whether or not its caller did. */
enum lt_err sql_begin(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;
enum lt_err sql_commit(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK; /* on failure the scope is rolled back */
void sql_rollback(struct sql_db *db);
/* Ends the scope by the result of the work: commits when e is LT_OK, else rolls back; returns the first failure. */
enum lt_err sql_end(struct sql_db *db, enum lt_err e, struct lt_error *err) LT_MUST_CHECK;
int sql_depth(const struct sql_db *db);
/* A read snapshot for several SELECTs (BEGIN DEFERRED); ended by sql_rollback(). */
enum lt_err sql_begin_read(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;

/* ---- schema ---- */
struct sql_migration {
    int number; /* 1, 2, 3 … */
    const char *text;
};
/* Applies the steps of `unit` that were not yet applied, each in one transaction, in order. Safe to call by several
 * processes and repeatedly. LT_E_UNSUPPORTED when the file has a step this program does not know (it is newer). */
enum lt_err sql_migrate(struct sql_db *db, const char *unit, const struct sql_migration *steps, size_t n,
                        struct lt_error *err) LT_MUST_CHECK;

/* ---- care ---- */
/* Copy of the database while it is in use: written to "path.part", checked, then renamed to path. */
enum lt_err sql_backup(struct sql_db *db, const char *path, struct lt_error *err) LT_MUST_CHECK;
#endif
