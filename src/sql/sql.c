/* Connections, statement cache and transactions over SQLite. */
#include "sql/sql.h"
#include "base/text.h"
#include "sql/sql_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_MS    5000
#define CACHE_MAX  256 /* the record kinds need about 12 texts each; far beyond that something makes texts up */
#define DEPTH_MAX  8
#define DB_MAGIC   0x4c54444du
#define STMT_MAGIC 0x4c54534du

struct sql_stmt {
    unsigned magic;
    struct sql_db *db;
    sqlite3_stmt *st;
    struct sql_stmt *next; /* of its hash chain */
    uint64_t hash, used;
    int bind_rc;
    bool busy;
};

struct sql_db {
    unsigned magic;
    sqlite3 *h;
    struct sql_stmt *chain[CACHE_MAX];
    unsigned n_cached;
    uint64_t clock;
    int depth;
    bool reading;
};

static const struct {
    int rc;
    enum lt_err code;
} codes[] = {
    {SQLITE_BUSY, LT_E_BUSY},       {SQLITE_LOCKED, LT_E_BUSY},      {SQLITE_FULL, LT_E_DISK_FULL},
    {SQLITE_CORRUPT, LT_E_CORRUPT}, {SQLITE_NOTADB, LT_E_CORRUPT},   {SQLITE_IOERR, LT_E_IO},
    {SQLITE_CANTOPEN, LT_E_IO},     {SQLITE_READONLY, LT_E_IO},      {SQLITE_PERM, LT_E_IO},
    {SQLITE_NOMEM, LT_E_NOMEM},     {SQLITE_TOOBIG, LT_E_TOO_LARGE}, {SQLITE_INTERRUPT, LT_E_TIMEOUT},
};

static enum lt_err code_of(int rc, int extended)
{
    if (rc == SQLITE_CONSTRAINT) {
        if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY)
            return LT_E_DUPLICATE;
        return extended == SQLITE_CONSTRAINT_FOREIGNKEY ? LT_E_IN_USE : LT_E_INTERNAL;
    }
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].rc == rc)
            return codes[i].code;
    return LT_E_INTERNAL;
}

enum lt_err sql_fail(sqlite3 *h, int rc, const char *place, struct lt_error *err)
{
    const char *message = h ? sqlite3_errmsg(h) : sqlite3_errstr(rc);
    enum lt_err code = code_of(rc & 0xff, h ? sqlite3_extended_errcode(h) : rc);
    char where[160], both[160];
    lt_text_copy(where, 64, place ? place : "");
    if (code == LT_E_INTERNAL) {
        snprintf(both, sizeof both, "%.80s: %.70s", message, where);
        return lt_fail(err, code, "sql", both, NULL, NULL);
    }
    if (code == LT_E_BUSY)
        return lt_fail(err, code, "sql", "database", where, NULL);
    return lt_fail(err, code, "sql", code == LT_E_DUPLICATE || code == LT_E_IN_USE ? message : where, message, NULL);
}

/* ---- connection ---- */

enum lt_err sql_open(const char *path, bool readonly, struct sql_db **ret, struct lt_error *err)
{
    struct sql_db *db = calloc(1, sizeof *db);
    if (!db)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    db->magic = DB_MAGIC;
    int flags = SQLITE_OPEN_NOMUTEX | (readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int rc = sqlite3_open_v2(path, &db->h, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db->h, BUSY_MS);
    if (rc == SQLITE_OK && !readonly)
        rc = sqlite3_exec(db->h,
                          /* temp_store: what savepoints save. In a file it is two writes for each page and row, more
                           * than half the time of a large import; it holds the pages of one row. */
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;", NULL, NULL,
                          NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->h, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;", NULL,
                          NULL, NULL);
    if (rc != SQLITE_OK) {
        enum lt_err e = sql_fail(db->h, rc, path, err);
        sql_close(&db);
        return e;
    }
    *ret = db;
    return LT_OK;
}

static void stmt_free(struct sql_stmt *st)
{
    sqlite3_finalize(st->st);
    st->magic = 0;
    free(st);
}

void sql_close(struct sql_db **db)
{
    if (!db || !*db)
        return;
    struct sql_db *d = *db;
    assert(d->magic == DB_MAGIC);
    for (size_t i = 0; i < CACHE_MAX; i++) {
        while (d->chain[i]) {
            struct sql_stmt *st = d->chain[i];
            assert(!st->busy); /* a statement outlives its connection: the caller forgot to release it */
            d->chain[i] = st->next;
            stmt_free(st);
        }
    }
    int rc = sqlite3_close(d->h);
    assert(rc == SQLITE_OK);
    (void)rc;
    d->magic = 0;
    free(d);
    *db = NULL;
}

sqlite3 *sql_handle(struct sql_db *db)
{
    return db->h;
}

/* ---- statements ---- */

static uint64_t hash_text(const char *z)
{
    uint64_t h = UINT64_C(1469598103934665603); /* FNV-1a */
    for (; *z; z++)
        h = (h ^ (unsigned char)*z) * UINT64_C(1099511628211);
    return h;
}

static struct sql_stmt *cache_find(struct sql_db *db, uint64_t hash, const char *text)
{
    for (struct sql_stmt *st = db->chain[hash % CACHE_MAX]; st; st = st->next)
        if (!st->busy && st->hash == hash && strcmp(sqlite3_sql(st->st), text) == 0)
            return st;
    return NULL;
}

/* Frees the statement longest unused, if any is idle. */
static void cache_evict(struct sql_db *db)
{
    struct sql_stmt **oldest = NULL;
    for (size_t i = 0; i < CACHE_MAX; i++)
        for (struct sql_stmt **p = &db->chain[i]; *p; p = &(*p)->next)
            if (!(*p)->busy && (!oldest || (*p)->used < (*oldest)->used))
                oldest = p;
    if (!oldest)
        return;
    struct sql_stmt *st = *oldest;
    *oldest = st->next;
    stmt_free(st);
    db->n_cached--;
}

enum lt_err sql_prepare(struct sql_db *db, const char *text, struct sql_stmt **ret, struct lt_error *err)
{
    assert(db->magic == DB_MAGIC);
    uint64_t hash = hash_text(text);
    struct sql_stmt *st = cache_find(db, hash, text);
    if (!st) {
        st = calloc(1, sizeof *st);
        if (!st)
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        const char *tail = NULL;
        int rc = sqlite3_prepare_v3(db->h, text, -1, SQLITE_PREPARE_PERSISTENT, &st->st, &tail);
        if (rc != SQLITE_OK || !st->st) {
            enum lt_err e = sql_fail(db->h, rc, text, err);
            free(st);
            return e;
        }
        assert(!tail || !*tail || strspn(tail, " ;\n") == strlen(tail)); /* one statement only */
        if (db->n_cached >= CACHE_MAX)
            cache_evict(db);
        *st = (struct sql_stmt){.magic = STMT_MAGIC, .db = db, .st = st->st, .hash = hash};
        st->next = db->chain[hash % CACHE_MAX];
        db->chain[hash % CACHE_MAX] = st;
        db->n_cached++;
    }
    st->busy = true;
    st->used = ++db->clock;
    st->bind_rc = SQLITE_OK;
    *ret = st;
    return LT_OK;
}

static void note(struct sql_stmt *st, int rc)
{
    assert(st->magic == STMT_MAGIC && st->busy);
    if (st->bind_rc == SQLITE_OK)
        st->bind_rc = rc;
}

void sql_bind_i64(struct sql_stmt *st, int pos, int64_t v)
{
    note(st, sqlite3_bind_int64(st->st, pos, v));
}

void sql_bind_text(struct sql_stmt *st, int pos, struct lt_slice v)
{
    if (!v.p)
        note(st, sqlite3_bind_null(st->st, pos));
    else
        note(st, sqlite3_bind_text64(st->st, pos, v.p, v.n, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void sql_bind_str(struct sql_stmt *st, int pos, const char *z)
{
    sql_bind_text(st, pos, lt_slice_of(z));
}

void sql_bind_blob(struct sql_stmt *st, int pos, const void *p, size_t n)
{
    note(st, sqlite3_bind_blob64(st->st, pos, n ? p : "", n, SQLITE_TRANSIENT));
}

void sql_bind_null(struct sql_stmt *st, int pos)
{
    note(st, sqlite3_bind_null(st->st, pos));
}

enum lt_err sql_step(struct sql_stmt *st, bool *ret_row, struct lt_error *err)
{
    assert(st->magic == STMT_MAGIC && st->busy);
    if (st->bind_rc != SQLITE_OK)
        return sql_fail(st->db->h, st->bind_rc, sqlite3_sql(st->st), err);
    int rc = sqlite3_step(st->st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sql_fail(st->db->h, rc, sqlite3_sql(st->st), err);
    *ret_row = rc == SQLITE_ROW;
    return LT_OK;
}

enum lt_err sql_run(struct sql_stmt *st, struct lt_error *err)
{
    bool row = true;
    enum lt_err e = LT_OK;
    while (row && e == LT_OK)
        e = sql_step(st, &row, err);
    sql_release(&st);
    return e;
}

void sql_rewind(struct sql_stmt *st)
{
    assert(st->magic == STMT_MAGIC && st->busy);
    sqlite3_reset(st->st); /* repeats the failure of the last step, which was reported there */
    sqlite3_clear_bindings(st->st);
    st->bind_rc = SQLITE_OK;
}

void sql_release(struct sql_stmt **st)
{
    if (!*st)
        return;
    sql_rewind(*st);
    (*st)->busy = false;
    *st = NULL;
}

static enum lt_err prepare_bound(struct sql_db *db, const char *text, const struct sql_value *v, size_t n,
                                 struct sql_stmt **ret, struct lt_error *err)
{
    *ret = NULL;
    enum lt_err e = sql_prepare(db, text, ret, err);
    for (size_t i = 0; e == LT_OK && i < n; i++) {
        const int pos = (int)i + 1;
        if (v[i].type == SQL_VALUE_I64)
            sql_bind_i64(*ret, pos, v[i].i);
        else if (v[i].type == SQL_VALUE_TEXT)
            sql_bind_text(*ret, pos, v[i].s);
        else
            sql_bind_blob(*ret, pos, v[i].s.p, v[i].s.n);
    }
    return e;
}

enum lt_err sql_row(struct sql_db *db, const char *text, const struct sql_value *v, size_t n, struct sql_stmt **ret,
                    bool *ret_row, struct lt_error *err)
{
    *ret_row = false;
    enum lt_err e = prepare_bound(db, text, v, n, ret, err);
    return e == LT_OK ? sql_step(*ret, ret_row, err) : e;
}

enum lt_err sql_do(struct sql_db *db, const char *text, const struct sql_value *v, size_t n, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = prepare_bound(db, text, v, n, &st, err);
    return e == LT_OK ? sql_run(st, err) : e;
}

int sql_cols(const struct sql_stmt *st)
{
    return sqlite3_column_count(st->st);
}

bool sql_col_null(struct sql_stmt *st, int col)
{
    return sqlite3_column_type(st->st, col) == SQLITE_NULL;
}

int64_t sql_col_i64(struct sql_stmt *st, int col)
{
    return sqlite3_column_int64(st->st, col);
}

struct lt_slice sql_col_text(struct sql_stmt *st, int col)
{
    const void *p = sqlite3_column_text(st->st, col); /* before bytes(): it may convert */
    int n = sqlite3_column_bytes(st->st, col);
    return p && n > 0 ? (struct lt_slice){p, (size_t)n} : LT_LIT("");
}

struct lt_slice sql_col_blob(struct sql_stmt *st, int col)
{
    const void *p = sqlite3_column_blob(st->st, col);
    int n = sqlite3_column_bytes(st->st, col);
    return p && n > 0 ? (struct lt_slice){p, (size_t)n} : LT_LIT("");
}

enum lt_err sql_exec(struct sql_db *db, const char *text, struct lt_error *err)
{
    int rc = sqlite3_exec(db->h, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LT_OK : sql_fail(db->h, rc, text, err);
}

enum lt_err sql_get_i64(struct sql_db *db, const char *text, const int64_t *bind, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, text, &st, err);
    if (e != LT_OK)
        return e;
    if (bind)
        sql_bind_i64(st, 1, *bind);
    bool row = false;
    e = sql_step(st, &row, err);
    if (e == LT_OK && row)
        *ret = sql_col_i64(st, 0);
    else if (e == LT_OK)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "row", "", NULL);
    sql_release(&st);
    return e;
}

int64_t sql_last_id(struct sql_db *db)
{
    return sqlite3_last_insert_rowid(db->h);
}

int64_t sql_changes(struct sql_db *db)
{
    return sqlite3_changes64(db->h);
}

/* ---- transactions ---- */

static const char *const begin_text[DEPTH_MAX] = {
    "BEGIN IMMEDIATE", "SAVEPOINT s1", "SAVEPOINT s2", "SAVEPOINT s3",
    "SAVEPOINT s4",    "SAVEPOINT s5", "SAVEPOINT s6", "SAVEPOINT s7",
};
static const char *const commit_text[DEPTH_MAX] = {
    "COMMIT", "RELEASE s1", "RELEASE s2", "RELEASE s3", "RELEASE s4", "RELEASE s5", "RELEASE s6", "RELEASE s7",
};
static const char *const rollback_text[DEPTH_MAX] = {
    "ROLLBACK",
    "ROLLBACK TO s1; RELEASE s1",
    "ROLLBACK TO s2; RELEASE s2",
    "ROLLBACK TO s3; RELEASE s3",
    "ROLLBACK TO s4; RELEASE s4",
    "ROLLBACK TO s5; RELEASE s5",
    "ROLLBACK TO s6; RELEASE s6",
    "ROLLBACK TO s7; RELEASE s7",
};

static enum lt_err run_cached(struct sql_db *db, const char *text, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, text, &st, err);
    return e == LT_OK ? sql_run(st, err) : e;
}

enum lt_err sql_begin(struct sql_db *db, struct lt_error *err)
{
    assert(!db->reading);
    if (db->depth >= DEPTH_MAX)
        return lt_fail(err, LT_E_INTERNAL, NULL, "transactions nested too deep", NULL, NULL);
    enum lt_err e = run_cached(db, begin_text[db->depth], err);
    if (e == LT_OK)
        db->depth++;
    return e;
}

enum lt_err sql_begin_read(struct sql_db *db, struct lt_error *err)
{
    assert(db->depth == 0);
    enum lt_err e = run_cached(db, "BEGIN DEFERRED", err);
    if (e == LT_OK) {
        db->depth = 1;
        db->reading = true;
    }
    return e;
}

void sql_rollback(struct sql_db *db)
{
    assert(db->depth > 0);
    db->depth--;
    db->reading = false;
    /* After FULL, IOERR or NOMEM SQLite may have rolled the whole transaction back by itself; the savepoints are gone
     * with it, and nothing is left to do. */
    if (!sqlite3_get_autocommit(db->h))
        sqlite3_exec(db->h, rollback_text[db->depth], NULL, NULL, NULL);
}

enum lt_err sql_commit(struct sql_db *db, struct lt_error *err)
{
    assert(db->depth > 0);
    enum lt_err e;
    if (sqlite3_get_autocommit(db->h))
        e = lt_fail(err, LT_E_IO, "sql", "database", "the transaction was rolled back", NULL);
    else
        e = run_cached(db, commit_text[db->depth - 1], err);
    if (e != LT_OK) {
        sql_rollback(db);
        return e;
    }
    db->depth--;
    db->reading = false;
    return LT_OK;
}

enum lt_err sql_end(struct sql_db *db, enum lt_err e, struct lt_error *err)
{
    if (e == LT_OK)
        return sql_commit(db, err);
    sql_rollback(db);
    return e;
}

int sql_depth(const struct sql_db *db)
{
    return db->depth;
}
