/* Numbered schema changes, backup while in use, and checking. */
#include "sql/sql_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#define BACKUP_PAGES 256  /* a step of 1 MiB: a writer waits for one step at most */
#define BACKUP_RETRY 6000 /* steps that may find the database busy, 10 ms each */

static enum lt_err applied(struct sql_db *db, const char *unit, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, "SELECT coalesce(max(number), 0) FROM sql_migration WHERE unit = ?1", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, unit);
    bool row = false;
    e = sql_step(st, &row, err);
    if (e == LT_OK)
        *ret = sql_col_i64(st, 0);
    sql_release(&st);
    return e;
}

static enum lt_err apply(struct sql_db *db, const char *unit, const struct sql_migration *m, struct lt_error *err)
{
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    /* Another process may have been faster while this one waited for the lock. */
    int64_t done = 0;
    e = applied(db, unit, &done, err);
    if (e == LT_OK && done < m->number) {
        e = sql_exec(db, m->text, err);
        struct sql_stmt *st = NULL;
        if (e == LT_OK)
            e = sql_prepare(db, "INSERT INTO sql_migration(unit, number) VALUES (?1, ?2)", &st, err);
        if (e == LT_OK) {
            sql_bind_str(st, 1, unit);
            sql_bind_i64(st, 2, m->number);
            e = sql_run(st, err);
        }
    }
    return sql_end(db, e, err);
}

enum lt_err sql_migrate(struct sql_db *db, const char *unit, const struct sql_migration *steps, size_t n,
                        struct lt_error *err)
{
    enum lt_err e = sql_exec(db,
                             "CREATE TABLE IF NOT EXISTS sql_migration(unit TEXT NOT NULL, number INTEGER NOT NULL,"
                             " PRIMARY KEY(unit, number)) WITHOUT ROWID",
                             err);
    int64_t done = 0;
    if (e == LT_OK)
        e = applied(db, unit, &done, err);
    if (e == LT_OK && n > 0 && done > steps[n - 1].number)
        return lt_failf(err, LT_E_UNSUPPORTED, unit, "schema %s version %lld (this program knows %d)", unit,
                        (long long)done, steps[n - 1].number);
    for (size_t i = 0; e == LT_OK && i < n; i++)
        if (steps[i].number > done)
            e = apply(db, unit, &steps[i], err);
    return e;
}

static enum lt_err copy_pages(sqlite3 *from, sqlite3 *to, const char *path, struct lt_error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (!b)
        return sql_fail(to, sqlite3_errcode(to), path, err);
    int rc = SQLITE_OK;
    for (int busy = 0; rc == SQLITE_OK || ((rc == SQLITE_BUSY || rc == SQLITE_LOCKED) && busy < BACKUP_RETRY);) {
        if (rc != SQLITE_OK) {
            busy++;
            sqlite3_sleep(10);
        }
        rc = sqlite3_backup_step(b, BACKUP_PAGES);
    }
    int end = sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE)
        rc = end;
    return rc == SQLITE_OK ? LT_OK : sql_fail(to, rc, path, err);
}

static enum lt_err quick_check(sqlite3 *h, const char *path, struct lt_error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(h, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    enum lt_err e = LT_OK;
    if (rc != SQLITE_ROW) {
        e = sql_fail(h, rc, path, err);
    } else {
        const void *p = sqlite3_column_text(st, 0);
        const char *text = p;
        if (!text || strcmp(text, "ok") != 0)
            e = lt_fail(err, LT_E_CORRUPT, NULL, path, text ? text : "", NULL);
    }
    sqlite3_finalize(st);
    return e;
}

static enum lt_err sync_path(const char *path, int flags, struct lt_error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        return lt_fail(err, saved == ENOSPC ? LT_E_DISK_FULL : LT_E_IO, NULL, path, strerror(saved), NULL);
    }
    close(fd);
    return LT_OK;
}

static enum lt_err publish(const char *part, const char *path, struct lt_error *err)
{
    enum lt_err e = sync_path(part, O_RDWR, err);
    if (e != LT_OK)
        return e;
    if (rename(part, path) != 0)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", path);
    return sync_path(dirname(dir), O_RDONLY | O_DIRECTORY, err);
}

enum lt_err sql_backup(struct sql_db *db, const char *path, struct lt_error *err)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return lt_fail(err, LT_E_BAD_INPUT, NULL, "path too long", NULL, NULL);
    if (unlink(part) != 0 && errno != ENOENT)
        return lt_fail(err, LT_E_IO, NULL, part, strerror(errno), NULL);
    sqlite3 *to = NULL;
    int rc = sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    enum lt_err e = rc == SQLITE_OK ? LT_OK : sql_fail(to, rc, part, err);
    if (e == LT_OK)
        e = copy_pages(sql_handle(db), to, part, err);
    /* The copy must be one whole file: no -wal beside it. */
    if (e == LT_OK && (rc = sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL)) != SQLITE_OK)
        e = sql_fail(to, rc, part, err);
    if (e == LT_OK)
        e = quick_check(to, part, err);
    sqlite3_close(to);
    if (e == LT_OK)
        e = publish(part, path, err);
    if (e != LT_OK)
        unlink(part);
    return e;
}
