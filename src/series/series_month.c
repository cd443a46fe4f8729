/* Month files of the SQLite backend: made, opened, kept open up to OPEN_FILES, closed; and the calls of SQLite with our
 * errors. See series_file.c. */
#include "base/clock.h"
#include "series/series_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OPEN_FILES 16   /* two classes of the eight months a reader of trends may visit; 6 descriptors each */
#define BUSY_MS    5000 /* only a checkpoint by a backup tool can make us wait */
#define FORMAT     1
#define OPEN_TRIES 20 /* of 10 ms: a new database is made in less, even on a slow disk's fsync */

/* ---- SQLite ---- */

enum lt_err series_sql_fail(sqlite3 *db, int rc, const char *path, struct lt_error *err)
{
    enum lt_err e = LT_E_IO;
    switch (rc & 0xFF) {
    case SQLITE_FULL:
        return lt_fail(err, LT_E_DISK_FULL, NULL, path, NULL, NULL);
    case SQLITE_NOMEM:
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    case SQLITE_BUSY:
        return lt_fail(err, LT_E_BUSY, NULL, path, NULL, NULL);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        e = LT_E_CORRUPT;
        break;
    default:
        break;
    }
    return lt_fail(err, e, NULL, path, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), NULL);
}

enum lt_err series_sql_open(const char *path, int flags, sqlite3 **ret, struct lt_error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        enum lt_err e = series_sql_fail(db, rc, path, err);
        sqlite3_close(db);
        return e;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    *ret = db;
    return LT_OK;
}

enum lt_err series_sql_run(sqlite3 *db, const char *sql, const char *path, struct lt_error *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LT_OK : series_sql_fail(db, rc, path, err);
}

enum lt_err series_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, const char *path, struct lt_error *err)
{
    if (*ret)
        return LT_OK;
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    return rc == SQLITE_OK ? LT_OK : series_sql_fail(db, rc, path, err);
}

/* A step that gives no row. */
enum lt_err series_sql_finish(sqlite3 *db, sqlite3_stmt *s, const char *path, struct lt_error *err)
{
    int rc = sqlite3_step(s);
    enum lt_err e = rc == SQLITE_DONE ? LT_OK : series_sql_fail(db, rc, path, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

const char series_pragmas[] = "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-8192;";

/* ---- files ---- */

void series_month_path(const struct series_store *st, int64_t month_ms, bool raw, char ret[PATH_BYTES])
{
    struct lt_civil c = lt_civil_of(month_ms, st->tz_min);
    snprintf(ret, PATH_BYTES, "%s/%04d%02d%s.db", st->dir, c.year, c.month, raw ? "-raw" : "");
}

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY, fresh INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS chunk_fresh ON chunk(id) WHERE fresh=1;"
    "CREATE VIEW IF NOT EXISTS chunk_key AS SELECT id, id>>43 AS kind, id>>11&4294967295 AS device,"
    " id>>1&1023 AS hour_of_month, id&1 AS merged, fresh, length(bytes) AS size FROM chunk;";

static enum lt_err check_meta(const struct series_store *st, sqlite3 *db, const char *path, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = series_sql_prepare(db, "SELECT name, value FROM meta", &s, path, err);
    while (!e && sqlite3_step(s) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        int64_t v = sqlite3_column_int64(s, 1);
        if (name && strcmp(name, "format") == 0 && v != FORMAT)
            e = lt_failf(err, LT_E_UNSUPPORTED, "series", "series format %lld of %s", (long long)v, path);
        if (name && strcmp(name, "tz_min") == 0 && v != st->tz_min)
            e = lt_failf(err, LT_E_BAD_INPUT, "tz_min", "%s was written with tz_min=%lld", path, (long long)v);
    }
    sqlite3_finalize(s);
    return e;
}

static enum lt_err create_tables(const struct series_store *st, sqlite3 *db, const char *path, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = series_sql_run(db, schema, path, err);
    if (!e)
        e = series_sql_prepare(db, "INSERT OR IGNORE INTO meta VALUES('format', ?1),('tz_min', ?2)", &s, path, err);
    if (!e) {
        sqlite3_bind_int(s, 1, FORMAT);
        sqlite3_bind_int(s, 2, st->tz_min);
        e = series_sql_finish(db, s, path, err);
    }
    sqlite3_finalize(s);
    if (!e)
        e = series_sql_run(db, "COMMIT", path, err);
    if (e)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

enum lt_err series_month_open_writer(const struct series_store *st, struct series_month *f, struct lt_error *err)
{
    char path[PATH_BYTES];
    if (f->w)
        return LT_OK;
    series_month_path(st, f->month_ms, f->raw, path);
    enum lt_err e = series_sql_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &f->w, err);
    if (!e)
        e = series_sql_run(f->w, series_pragmas, path, err);
    if (!e)
        e = create_tables(st, f->w, path, err);
    if (!e)
        e = check_meta(st, f->w, path, err);
    if (!e)
        e = series_sql_prepare(f->w,
                               "INSERT INTO chunk(id, fresh, bytes) VALUES(?1, ?2, ?3)"
                               " ON CONFLICT(id) DO UPDATE SET fresh=excluded.fresh, bytes=excluded.bytes",
                               &f->put, path, err);
    if (!e)
        e = series_sql_prepare(f->w, "DELETE FROM chunk WHERE id=?1", &f->remove, path, err);
    if (e) {
        sqlite3_finalize(f->put);
        sqlite3_finalize(f->remove);
        sqlite3_close(f->w);
        f->w = NULL;
        f->put = f->remove = NULL;
    }
    return e;
}

/* One try. A connection of our own process is opened for writing and told not to: one that is read-only cannot make the
 * -shm file. SQLITE_ERROR while the file has no tables yet. */
static int try_reader(const struct series_store *st, const char *path, sqlite3 **ret)
{
    int how = st->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(path, ret, how | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*ret, BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*ret, "PRAGMA query_only=1", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_table_column_metadata(*ret, NULL, "chunk", NULL, NULL, NULL, NULL, NULL, NULL);
    return rc;
}

/* A connection that reads; waits out the moment in which a writer makes the file. LT_E_NOT_FOUND while there is nothing
 * in it (a writer that could not make the file leaves its entry behind). */
static enum lt_err connect_reader(const struct series_store *st, const char *path, sqlite3 **ret, struct lt_error *err)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    for (int tries = 1;; tries++) {
        sqlite3 *db = NULL;
        int rc = try_reader(st, path, &db);
        if (rc == SQLITE_OK) {
            *ret = db;
            return LT_OK;
        }
        bool missing = rc == SQLITE_ERROR || (rc == SQLITE_CANTOPEN && access(path, F_OK) != 0);
        bool again = rc == SQLITE_CANTOPEN && !missing && tries < OPEN_TRIES;
        enum lt_err e = missing ? LT_E_NOT_FOUND : again ? LT_OK : series_sql_fail(db, rc, path, err);
        sqlite3_close(db);
        if (!again)
            return e;
        nanosleep(&pause, NULL);
    }
}

/* Called with f->read held. */
enum lt_err series_month_open_reader(const struct series_store *st, struct series_month *f, struct lt_error *err)
{
    char path[PATH_BYTES];
    sqlite3 *db = NULL;
    if (f->r)
        return LT_OK;
    series_month_path(st, f->month_ms, f->raw, path);
    enum lt_err e = connect_reader(st, path, &db, err);
    if (e)
        return e;
    e = check_meta(st, db, path, err);
    if (!e)
        e = series_sql_prepare(db, "SELECT bytes FROM chunk WHERE id=?1", &f->load, path, err);
    if (!e)
        e = series_sql_prepare(db, "SELECT id, bytes FROM chunk WHERE id>=?1 AND id<?2 ORDER BY id", &f->scan, path,
                               err);
    if (!e)
        e = series_sql_prepare(db, "SELECT id FROM chunk WHERE fresh=1 AND id>?1 ORDER BY id LIMIT 1", &f->fresh, path,
                               err);
    if (!e) {
        f->r = db;
        return LT_OK;
    }
    sqlite3_finalize(f->load);
    sqlite3_finalize(f->scan);
    sqlite3_finalize(f->fresh);
    f->load = f->scan = f->fresh = NULL;
    sqlite3_close(db);
    return e;
}

static void close_file(struct series_month *f)
{
    sqlite3_finalize(f->load);
    sqlite3_finalize(f->scan);
    sqlite3_finalize(f->fresh);
    sqlite3_close(f->r);
    sqlite3_finalize(f->put);
    sqlite3_finalize(f->remove);
    sqlite3_close(f->w); /* the last to go: folds the WAL into the file */
    pthread_mutex_destroy(&f->read);
    free(f);
}

struct series_month **series_month_link(struct series_store *st, int64_t month_ms, bool raw)
{
    struct series_month **at = &st->files;
    while (*at && ((*at)->month_ms != month_ms || (*at)->raw != raw))
        at = &(*at)->next;
    return at;
}

void series_month_unlink(struct series_store *st, struct series_month **at)
{
    struct series_month *f = *at;
    *at = f->next;
    st->n_files--;
    close_file(f);
}

/* Closes the file used longest ago when there are too many. */
static void trim(struct series_store *st)
{
    while (st->n_files > OPEN_FILES) {
        struct series_month **oldest = NULL;
        for (struct series_month **at = &st->files; *at; at = &(*at)->next)
            if (!(*at)->refs && (!oldest || (*at)->used < (*oldest)->used))
                oldest = at;
        if (!oldest)
            return;
        series_month_unlink(st, oldest);
    }
}

void series_month_release(struct series_store *st, struct series_month *f)
{
    pthread_mutex_lock(&st->lock);
    if (--f->refs == 0) {
        trim(st);
        pthread_cond_broadcast(&st->idle);
    }
    pthread_mutex_unlock(&st->lock);
}

/* A file another process has removed or made anew is another file. */
static void drop_if_replaced(struct series_store *st, struct series_month **at, const struct stat *now)
{
    if (*at && st->readonly && !(*at)->refs && (!now || (*at)->inode != now->st_ino))
        series_month_unlink(st, at);
}

/* The month's file with a reference taken. LT_E_NOT_FOUND when it does not exist and is not to be made. */
enum lt_err series_month_acquire(struct series_store *st, int64_t month_ms, bool raw, bool create,
                                 struct series_month **ret, struct lt_error *err)
{
    char path[PATH_BYTES];
    struct stat now = {0};
    series_month_path(st, month_ms, raw, path);
    pthread_mutex_lock(&st->lock);
    struct series_month **at = series_month_link(st, month_ms, raw);
    bool there = (*at && !st->readonly) || stat(path, &now) == 0;
    if (st->readonly) {
        drop_if_replaced(st, at, there ? &now : NULL);
        at = series_month_link(st, month_ms, raw);
    }
    struct series_month *f = *at;
    enum lt_err e = !there && !create ? LT_E_NOT_FOUND : LT_OK;
    if (!e && !f) {
        f = calloc(1, sizeof *f);
        if (!f) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        } else {
            *f = (struct series_month){.month_ms = month_ms, .raw = raw, .next = st->files, .inode = now.st_ino};
            pthread_mutex_init(&f->read, NULL);
            st->files = f;
            st->n_files++;
        }
    }
    if (!e) {
        f->refs++;
        f->used = ++st->used;
        *ret = f;
    }
    pthread_mutex_unlock(&st->lock);
    return e;
}
