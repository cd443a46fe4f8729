/* Backend on SQLite: one file per month and class of kinds, DIR/series/YYYYMM.db (kept) and YYYYMM-raw.db (RTD and MIN,
 * which expire by unlinking the file), and DIR/series/columns.db. Byte formats: docs/FORMATS.md.
 *
 * DESIGN: a chunk is one row of a rowid table; its key is packed into the rowid, so that there is one B-tree and the
 * chunks of a device lie together in order of time. Each file has a connection to write (the writer only) and one to
 * read, under its mutex. Files stay open until more than OPEN_FILES are; one in use is never closed.
 * LIMITATIONS: read-only opening needs a directory SQLite can put its -shm file into, or one where it exists. */
#include "base/clock.h"
#include "series/series_priv.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPEN_FILES 16 /* two classes of the eight months a reader of trends may visit; 6 descriptors each */
#define DIR_BYTES  960
#define PATH_BYTES (DIR_BYTES + 64) /* room for any name of ours */
#define BUSY_MS    5000             /* only a checkpoint by a backup tool can make us wait */
#define FORMAT     1
#define OPEN_TRIES 20 /* of 10 ms: a new database is made in less, even on a slow disk's fsync */

struct file {
    struct file *next;
    int64_t month_ms;
    bool raw, in_batch;
    unsigned refs;
    uint64_t used;
    ino_t inode;
    sqlite3 *w, *r;
    sqlite3_stmt *put, *remove, *load, *scan, *fresh;
    pthread_mutex_t read;
};

struct store {
    char dir[DIR_BYTES];
    int tz_min;
    bool readonly;
    pthread_mutex_t lock; /* of the list of files and their refs */
    pthread_cond_t idle;
    struct file *files;
    unsigned n_files;
    uint64_t used;
    sqlite3 *columns;
    pthread_mutex_t columns_lock;
};

/* ---- SQLite ---- */

static enum lt_err sql_error(sqlite3 *db, int rc, const char *path, struct lt_error *err)
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

static enum lt_err open_db(const char *path, int flags, sqlite3 **ret, struct lt_error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        enum lt_err e = sql_error(db, rc, path, err);
        sqlite3_close(db);
        return e;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    *ret = db;
    return LT_OK;
}

static enum lt_err run(sqlite3 *db, const char *sql, const char *path, struct lt_error *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LT_OK : sql_error(db, rc, path, err);
}

static enum lt_err prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, const char *path, struct lt_error *err)
{
    if (*ret)
        return LT_OK;
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    return rc == SQLITE_OK ? LT_OK : sql_error(db, rc, path, err);
}

/* A step that gives no row. */
static enum lt_err finish(sqlite3 *db, sqlite3_stmt *s, const char *path, struct lt_error *err)
{
    int rc = sqlite3_step(s);
    enum lt_err e = rc == SQLITE_DONE ? LT_OK : sql_error(db, rc, path, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

static const char pragmas[] = "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-8192;";

/* ---- files ---- */

static void path_of(const struct store *st, int64_t month_ms, bool raw, char ret[PATH_BYTES])
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

static enum lt_err check_meta(const struct store *st, sqlite3 *db, const char *path, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = prepare(db, "SELECT name, value FROM meta", &s, path, err);
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

static enum lt_err create_tables(const struct store *st, sqlite3 *db, const char *path, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = run(db, schema, path, err);
    if (!e)
        e = prepare(db, "INSERT OR IGNORE INTO meta VALUES('format', ?1),('tz_min', ?2)", &s, path, err);
    if (!e) {
        sqlite3_bind_int(s, 1, FORMAT);
        sqlite3_bind_int(s, 2, st->tz_min);
        e = finish(db, s, path, err);
    }
    sqlite3_finalize(s);
    if (!e)
        e = run(db, "COMMIT", path, err);
    if (e)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

static enum lt_err open_writer(const struct store *st, struct file *f, struct lt_error *err)
{
    char path[PATH_BYTES];
    if (f->w)
        return LT_OK;
    path_of(st, f->month_ms, f->raw, path);
    enum lt_err e = open_db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &f->w, err);
    if (!e)
        e = run(f->w, pragmas, path, err);
    if (!e)
        e = create_tables(st, f->w, path, err);
    if (!e)
        e = check_meta(st, f->w, path, err);
    if (!e)
        e = prepare(f->w,
                    "INSERT INTO chunk(id, fresh, bytes) VALUES(?1, ?2, ?3)"
                    " ON CONFLICT(id) DO UPDATE SET fresh=excluded.fresh, bytes=excluded.bytes",
                    &f->put, path, err);
    if (!e)
        e = prepare(f->w, "DELETE FROM chunk WHERE id=?1", &f->remove, path, err);
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
static int try_reader(const struct store *st, const char *path, sqlite3 **ret)
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
static enum lt_err connect_reader(const struct store *st, const char *path, sqlite3 **ret, struct lt_error *err)
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
        enum lt_err e = missing ? LT_E_NOT_FOUND : again ? LT_OK : sql_error(db, rc, path, err);
        sqlite3_close(db);
        if (!again)
            return e;
        nanosleep(&pause, NULL);
    }
}

/* Called with f->read held. */
static enum lt_err open_reader(const struct store *st, struct file *f, struct lt_error *err)
{
    char path[PATH_BYTES];
    sqlite3 *db = NULL;
    if (f->r)
        return LT_OK;
    path_of(st, f->month_ms, f->raw, path);
    enum lt_err e = connect_reader(st, path, &db, err);
    if (e)
        return e;
    e = check_meta(st, db, path, err);
    if (!e)
        e = prepare(db, "SELECT bytes FROM chunk WHERE id=?1", &f->load, path, err);
    if (!e)
        e = prepare(db, "SELECT id, bytes FROM chunk WHERE id>=?1 AND id<?2 ORDER BY id", &f->scan, path, err);
    if (!e)
        e = prepare(db, "SELECT id FROM chunk WHERE fresh=1 AND id>?1 ORDER BY id LIMIT 1", &f->fresh, path, err);
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

static void close_file(struct file *f)
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

static struct file **link_of(struct store *st, int64_t month_ms, bool raw)
{
    struct file **at = &st->files;
    while (*at && ((*at)->month_ms != month_ms || (*at)->raw != raw))
        at = &(*at)->next;
    return at;
}

static void unlink_file(struct store *st, struct file **at)
{
    struct file *f = *at;
    *at = f->next;
    st->n_files--;
    close_file(f);
}

/* Closes the file used longest ago when there are too many. */
static void trim(struct store *st)
{
    while (st->n_files > OPEN_FILES) {
        struct file **oldest = NULL;
        for (struct file **at = &st->files; *at; at = &(*at)->next)
            if (!(*at)->refs && (!oldest || (*at)->used < (*oldest)->used))
                oldest = at;
        if (!oldest)
            return;
        unlink_file(st, oldest);
    }
}

static void release(struct store *st, struct file *f)
{
    pthread_mutex_lock(&st->lock);
    if (--f->refs == 0) {
        trim(st);
        pthread_cond_broadcast(&st->idle);
    }
    pthread_mutex_unlock(&st->lock);
}

/* A file another process has removed or made anew is another file. */
static void drop_if_replaced(struct store *st, struct file **at, const struct stat *now)
{
    if (*at && st->readonly && !(*at)->refs && (!now || (*at)->inode != now->st_ino))
        unlink_file(st, at);
}

/* The month's file with a reference taken. LT_E_NOT_FOUND when it does not exist and is not to be made. */
static enum lt_err acquire(struct store *st, int64_t month_ms, bool raw, bool create, struct file **ret,
                           struct lt_error *err)
{
    char path[PATH_BYTES];
    struct stat now = {0};
    path_of(st, month_ms, raw, path);
    pthread_mutex_lock(&st->lock);
    struct file **at = link_of(st, month_ms, raw);
    bool there = (*at && !st->readonly) || stat(path, &now) == 0;
    if (st->readonly) {
        drop_if_replaced(st, at, there ? &now : NULL);
        at = link_of(st, month_ms, raw);
    }
    struct file *f = *at;
    enum lt_err e = !there && !create ? LT_E_NOT_FOUND : LT_OK;
    if (!e && !f) {
        f = calloc(1, sizeof *f);
        if (!f) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        } else {
            *f = (struct file){.month_ms = month_ms, .raw = raw, .next = st->files, .inode = now.st_ino};
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

/* ---- keys ---- */

/* kind:3 device:32 hour-of-month:10 merged:1 */
static int64_t id_of(const struct store *st, const struct series_key *k)
{
    int64_t hour = (k->start_ms - lt_month_start(k->start_ms, st->tz_min)) / LT_HOUR_MS;
    return (int64_t)k->kind << 43 | (int64_t)k->device << 11 | hour << 1 | (k->span != series_kind_span(k->kind));
}

static bool key_of(int64_t id, int64_t month_ms, struct series_key *ret)
{
    unsigned kind = (unsigned)(id >> 43) & 7;
    if (id < 0 || id >> 46 || kind >= SERIES_KINDS)
        return false;
    *ret = (struct series_key){.device = (uint32_t)(id >> 11),
                               .kind = (uint8_t)kind,
                               .span = (uint8_t)(series_kind_span(kind) + (unsigned)(id & 1)),
                               .start_ms = month_ms + (id >> 1 & 1023) * LT_HOUR_MS};
    return true;
}

static int64_t month_of(const struct store *st, const struct series_key *k)
{
    return lt_month_start(k->start_ms, st->tz_min);
}

/* ---- reading ---- */

static enum lt_err begin_read(struct store *st, int64_t month_ms, bool raw, struct file **ret, struct lt_error *err)
{
    enum lt_err e = acquire(st, month_ms, raw, false, ret, err);
    if (e)
        return e;
    pthread_mutex_lock(&(*ret)->read);
    e = open_reader(st, *ret, err);
    if (e) {
        pthread_mutex_unlock(&(*ret)->read);
        release(st, *ret);
    }
    return e;
}

static void end_read(struct store *st, struct file *f, sqlite3_stmt *s)
{
    sqlite3_reset(s); /* ends the read transaction, so that checkpoints go on */
    pthread_mutex_unlock(&f->read);
    release(st, f);
}

static enum lt_err read_error(struct store *st, struct file *f, int rc, struct lt_error *err)
{
    char path[PATH_BYTES];
    path_of(st, f->month_ms, f->raw, path);
    return sql_error(f->r, rc, path, err);
}

static enum lt_err load(void *b, const struct series_key *key, struct lt_buf *ret, struct lt_error *err)
{
    struct store *st = b;
    struct file *f;
    enum lt_err e = begin_read(st, month_of(st, key), series_kind_raw(key->kind), &f, err);
    if (e)
        return e;
    sqlite3_bind_int64(f->load, 1, id_of(st, key));
    int rc = sqlite3_step(f->load);
    if (rc == SQLITE_ROW) {
        lt_buf_add(ret, sqlite3_column_blob(f->load, 0), (size_t)sqlite3_column_bytes(f->load, 0));
        e = ret->failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : LT_OK;
    } else {
        e = rc == SQLITE_DONE ? LT_E_NOT_FOUND : read_error(st, f, rc, err);
    }
    end_read(st, f, f->load);
    return e;
}

typedef bool each_chunk(void *user, const struct series_key *key, struct lt_slice bytes);

static enum lt_err scan_month(struct store *st, const struct series_range *r, int64_t month_ms, each_chunk *each,
                              void *user, bool *stop, struct lt_error *err)
{
    struct file *f;
    int64_t end = series_span_end(SERIES_SPAN_MONTH, month_ms, st->tz_min);
    int64_t from = r->from_ms > month_ms ? r->from_ms : month_ms, to = r->to_ms < end ? r->to_ms : end;
    int64_t base = (int64_t)r->kind << 43 | (int64_t)r->device << 11;
    enum lt_err e = begin_read(st, month_ms, series_kind_raw(r->kind), &f, err);
    if (e)
        return e == LT_E_NOT_FOUND ? LT_OK : e;
    sqlite3_bind_int64(f->scan, 1, base | (from - month_ms + LT_HOUR_MS - 1) / LT_HOUR_MS << 1);
    sqlite3_bind_int64(f->scan, 2, base + ((to - month_ms + LT_HOUR_MS - 1) / LT_HOUR_MS << 1));
    int rc;
    while ((rc = sqlite3_step(f->scan)) == SQLITE_ROW && !*stop) {
        struct series_key key;
        struct lt_slice bytes = {sqlite3_column_blob(f->scan, 1), (size_t)sqlite3_column_bytes(f->scan, 1)};
        if (key_of(sqlite3_column_int64(f->scan, 0), month_ms, &key))
            *stop = !each(user, &key, bytes);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = read_error(st, f, rc, err);
    end_read(st, f, f->scan);
    return e;
}

static enum lt_err scan(void *b, const struct series_range *range, each_chunk *each, void *user, struct lt_error *err)
{
    struct store *st = b;
    bool stop = false;
    enum lt_err e = LT_OK;
    for (int64_t m = lt_month_start(range->from_ms, st->tz_min); !e && !stop && m < range->to_ms;
         m = series_span_end(SERIES_SPAN_MONTH, m, st->tz_min))
        e = scan_month(st, range, m, each, user, &stop, err);
    return e;
}

/* ---- the directory ---- */

/* Month and class from a file name; false on any other. */
static bool parse_name(const struct store *st, const char *name, int64_t *ret_month_ms, bool *ret_raw)
{
    struct lt_civil c = {.day = 1};
    for (int i = 0; i < 6; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        if (i < 4)
            c.year = c.year * 10 + name[i] - '0';
        else
            c.month = c.month * 10 + name[i] - '0';
    }
    *ret_raw = strcmp(name + 6, "-raw.db") == 0;
    return (*ret_raw || strcmp(name + 6, ".db") == 0) && lt_civil_to_ms(&c, st->tz_min, ret_month_ms);
}

static void each_month(struct store *st, void (*each)(void *user, int64_t month_ms, bool raw), void *user)
{
    DIR *d = opendir(st->dir);
    struct dirent *e;
    int64_t month;
    bool raw;
    while (d && (e = readdir(d)))
        if (parse_name(st, e->d_name, &month, &raw))
            each(user, month, raw);
    if (d)
        closedir(d);
}

struct bounds {
    bool raw, any;
    int64_t first, last;
};

static void widen(void *user, int64_t month_ms, bool raw)
{
    struct bounds *x = user;
    if (raw != x->raw)
        return;
    x->first = !x->any || month_ms < x->first ? month_ms : x->first;
    x->last = !x->any || month_ms > x->last ? month_ms : x->last;
    x->any = true;
}

static bool months(void *b, enum series_kind kind, int64_t *ret_first_ms, int64_t *ret_last_ms)
{
    struct bounds x = {.raw = series_kind_raw(kind)};
    each_month(b, widen, &x);
    if (x.any)
        *ret_first_ms = x.first, *ret_last_ms = x.last;
    return x.any;
}

static uint64_t bytes(void *b)
{
    struct store *st = b;
    uint64_t n = 0;
    DIR *d = opendir(st->dir);
    struct dirent *e;
    struct stat s;
    while (d && (e = readdir(d)))
        if (fstatat(dirfd(d), e->d_name, &s, 0) == 0 && S_ISREG(s.st_mode))
            n += (uint64_t)s.st_size;
    if (d)
        closedir(d);
    return n;
}

/* ---- writing ---- */

static enum lt_err write_file(struct store *st, const struct series_key *key, struct file **ret, struct lt_error *err)
{
    char path[PATH_BYTES];
    int64_t month = month_of(st, key);
    bool raw = series_kind_raw(key->kind);
    assert(!st->readonly);
    enum lt_err e = acquire(st, month, raw, true, ret, err);
    if (e)
        return e;
    struct file *f = *ret;
    if (f->in_batch) { /* the batch holds its own reference */
        release(st, f);
        return LT_OK;
    }
    path_of(st, month, raw, path);
    e = open_writer(st, f, err);
    if (!e)
        e = run(f->w, "BEGIN IMMEDIATE", path, err);
    if (e)
        release(st, f);
    else
        f->in_batch = true;
    return e;
}

static enum lt_err finish_write(struct store *st, struct file *f, sqlite3_stmt *s, struct lt_error *err)
{
    char path[PATH_BYTES];
    path_of(st, f->month_ms, f->raw, path);
    return finish(f->w, s, path, err);
}

static enum lt_err put(void *b, const struct series_key *key, struct lt_slice data, bool fresh, struct lt_error *err)
{
    struct store *st = b;
    struct file *f;
    enum lt_err e = write_file(st, key, &f, err);
    if (e)
        return e;
    sqlite3_bind_int64(f->put, 1, id_of(st, key));
    sqlite3_bind_int(f->put, 2, fresh);
    sqlite3_bind_blob64(f->put, 3, data.p, data.n, SQLITE_STATIC);
    return finish_write(st, f, f->put, err);
}

static enum lt_err remove_chunk(void *b, const struct series_key *key, struct lt_error *err)
{
    struct store *st = b;
    struct file *f;
    enum lt_err e = write_file(st, key, &f, err);
    if (e)
        return e;
    sqlite3_bind_int64(f->remove, 1, id_of(st, key));
    return finish_write(st, f, f->remove, err);
}

/* Ends the batch of the first file that has one; false when none has. */
static bool end_one(struct store *st, bool keep, enum lt_err *ret, struct lt_error *err)
{
    char path[PATH_BYTES];
    pthread_mutex_lock(&st->lock);
    struct file *f = st->files;
    while (f && !f->in_batch)
        f = f->next;
    pthread_mutex_unlock(&st->lock);
    if (!f)
        return false;
    path_of(st, f->month_ms, f->raw, path);
    *ret = keep ? run(f->w, "COMMIT", path, err) : LT_OK;
    if (!keep || *ret)
        sqlite3_exec(f->w, "ROLLBACK", NULL, NULL, NULL); /* may have happened already: nothing to check */
    f->in_batch = false;
    release(st, f);
    return true;
}

static void rollback(void *b)
{
    enum lt_err e;
    while (end_one(b, false, &e, NULL))
        ;
}

static enum lt_err commit(void *b, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    while (!e && end_one(b, true, &e, err))
        ;
    rollback(b); /* what follows the file that failed */
    return e;
}

/* ---- compaction and expiry ---- */

struct next_file {
    const struct series_place *at;
    int64_t before_ms, month_ms;
    bool raw, found;
};

static bool later(int64_t m, bool raw, int64_t m2, bool raw2)
{
    return m != m2 ? m > m2 : raw > raw2;
}

static void consider(void *user, int64_t month_ms, bool raw)
{
    struct next_file *x = user;
    if (month_ms < x->before_ms && (!x->at->begun || later(month_ms, raw, x->at->month_ms, x->at->raw)) &&
        (!x->found || later(x->month_ms, x->raw, month_ms, raw)))
        x->month_ms = month_ms, x->raw = raw, x->found = true;
}

static enum lt_err next_in_file(struct store *st, struct series_place *at, int64_t id, struct series_key *ret,
                                struct lt_error *err)
{
    struct file *f;
    enum lt_err e = begin_read(st, at->month_ms, at->raw, &f, err);
    if (e)
        return e;
    sqlite3_bind_int64(f->fresh, 1, id);
    int rc = sqlite3_step(f->fresh);
    if (rc == SQLITE_ROW && key_of(sqlite3_column_int64(f->fresh, 0), at->month_ms, ret))
        at->last = *ret, at->given = true;
    else
        e = rc == SQLITE_DONE || rc == SQLITE_ROW ? LT_E_NOT_FOUND : read_error(st, f, rc, err);
    end_read(st, f, f->fresh);
    return e;
}

static enum lt_err next_fresh(void *b, struct series_place *at, int64_t before_ms, struct series_key *ret,
                              struct lt_error *err)
{
    struct store *st = b;
    if (at->begun) {
        enum lt_err e = next_in_file(st, at, at->given ? id_of(st, &at->last) : -1, ret, err);
        if (e != LT_E_NOT_FOUND)
            return e;
    }
    for (;;) {
        struct next_file x = {.at = at, .before_ms = before_ms};
        each_month(st, consider, &x);
        if (!x.found)
            return LT_E_NOT_FOUND;
        *at = (struct series_place){.month_ms = x.month_ms, .raw = x.raw, .begun = true};
        enum lt_err e = next_in_file(st, at, -1, ret, err);
        if (e != LT_E_NOT_FOUND)
            return e;
    }
}

static enum lt_err remove_files(struct store *st, int64_t month_ms, struct lt_error *err)
{
    static const char *const tail[] = {"", "-wal", "-shm"};
    char path[PATH_BYTES], one[PATH_BYTES + 8];
    path_of(st, month_ms, true, path);
    for (int i = 0; i < 3; i++) {
        snprintf(one, sizeof one, "%s%s", path, tail[i]);
        if (unlink(one) != 0 && errno != ENOENT)
            return lt_fail(err, LT_E_IO, NULL, one, strerror(errno), NULL);
    }
    return LT_OK;
}

/* Waits until no reader is in the file (a read takes milliseconds), closes and unlinks it. */
static enum lt_err expire_month(struct store *st, int64_t month_ms, struct lt_error *err)
{
    pthread_mutex_lock(&st->lock);
    struct file **at;
    while (*(at = link_of(st, month_ms, true))) {
        if (!(*at)->refs)
            unlink_file(st, at);
        else
            pthread_cond_wait(&st->idle, &st->lock);
    }
    enum lt_err e = remove_files(st, month_ms, err);
    pthread_mutex_unlock(&st->lock);
    return e;
}

static void oldest_raw(void *user, int64_t month_ms, bool raw)
{
    if (raw)
        widen(user, month_ms, raw);
}

static enum lt_err expire(void *b, int64_t before_ms, uint64_t *ret_removed, struct lt_error *err)
{
    struct store *st = b;
    uint64_t n = 0;
    for (;; n++) {
        struct bounds x = {.raw = true};
        each_month(st, oldest_raw, &x);
        if (!x.any || series_span_end(SERIES_SPAN_MONTH, x.first, st->tz_min) > before_ms)
            break;
        enum lt_err e = expire_month(st, x.first, err);
        if (e)
            return e;
    }
    *ret_removed = n;
    return LT_OK;
}

/* ---- dictionary ---- */

static enum lt_err open_columns(struct store *st, struct lt_error *err)
{
    char path[PATH_BYTES];
    if (st->columns)
        return LT_OK;
    snprintf(path, sizeof path, "%s/columns.db", st->dir);
    if (st->readonly && access(path, F_OK) != 0)
        return LT_E_NOT_FOUND;
    sqlite3 *db = NULL;
    int how = st->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    enum lt_err e = open_db(path, how, &db, err);
    if (!e && !st->readonly)
        e = run(db, pragmas, path, err);
    if (!e && !st->readonly)
        e = run(db,
                "CREATE TABLE IF NOT EXISTS columns(number INTEGER PRIMARY KEY, factor TEXT NOT NULL,"
                " field INTEGER NOT NULL, UNIQUE(factor, field))",
                path, err);
    if (e)
        sqlite3_close(db);
    else
        st->columns = db;
    return e;
}

static enum lt_err read_columns(struct store *st, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_table_column_metadata(st->columns, NULL, "columns", NULL, NULL, NULL, NULL, NULL, NULL);
    if (rc == SQLITE_ERROR)
        return LT_OK; /* just being made by the writer */
    enum lt_err e = prepare(st->columns, "SELECT number, factor, field FROM columns WHERE number>?1 ORDER BY number",
                            &s, "columns.db", err);
    if (e)
        return e;
    sqlite3_bind_int64(s, 1, after);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct series_column_entry c = {.field = (uint8_t)sqlite3_column_int(s, 2)};
        const char *factor = (const char *)sqlite3_column_text(s, 1);
        snprintf(c.factor, sizeof c.factor, "%s", factor ? factor : "");
        each(user, (uint32_t)sqlite3_column_int64(s, 0), &c);
    }
    e = rc == SQLITE_DONE ? LT_OK : sql_error(st->columns, rc, "columns.db", err);
    sqlite3_finalize(s);
    return e;
}

static enum lt_err columns_read(void *b, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err)
{
    struct store *st = b;
    pthread_mutex_lock(&st->columns_lock);
    enum lt_err e = open_columns(st, err);
    if (!e)
        e = read_columns(st, after, each, user, err);
    pthread_mutex_unlock(&st->columns_lock);
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

static enum lt_err add_columns(struct store *st, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = run(st->columns, "BEGIN IMMEDIATE", "columns.db", err);
    if (!e)
        e = prepare(st->columns, "INSERT INTO columns VALUES(?1, ?2, ?3)", &s, "columns.db", err);
    for (uint32_t i = 0; !e && i < n; i++) {
        sqlite3_bind_int64(s, 1, first + i);
        sqlite3_bind_text(s, 2, c[i].factor, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 3, c[i].field);
        e = finish(st->columns, s, "columns.db", err);
    }
    sqlite3_finalize(s);
    if (!e)
        e = run(st->columns, "COMMIT", "columns.db", err);
    if (e)
        sqlite3_exec(st->columns, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

static enum lt_err columns_add(void *b, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err)
{
    struct store *st = b;
    pthread_mutex_lock(&st->columns_lock);
    enum lt_err e = open_columns(st, err);
    if (!e)
        e = add_columns(st, first, n, c, err);
    pthread_mutex_unlock(&st->columns_lock);
    return e;
}

/* ---- opening ---- */

static void close_store(void *b)
{
    struct store *st = b;
    if (!st)
        return;
    rollback(st);
    while (st->files)
        unlink_file(st, &st->files);
    sqlite3_close(st->columns);
    pthread_mutex_destroy(&st->lock);
    pthread_mutex_destroy(&st->columns_lock);
    pthread_cond_destroy(&st->idle);
    free(st);
}

enum lt_err series_file_open(const char *dir, int tz_min, bool readonly, void **ret, struct lt_error *err)
{
    struct store *st = calloc(1, sizeof *st);
    if (!st)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    *st = (struct store){.tz_min = tz_min, .readonly = readonly};
    pthread_mutex_init(&st->lock, NULL);
    pthread_mutex_init(&st->columns_lock, NULL);
    pthread_cond_init(&st->idle, NULL);
    int n = snprintf(st->dir, sizeof st->dir, "%s/series", dir);
    struct stat s;
    enum lt_err e = LT_OK;
    if (n < 0 || (size_t)n >= sizeof st->dir)
        e = lt_fail(err, LT_E_IO, NULL, dir, "path too long", NULL);
    else if (!readonly && mkdir(st->dir, 0750) != 0 && errno != EEXIST)
        e = lt_fail(err, LT_E_IO, NULL, st->dir, strerror(errno), NULL);
    else if (stat(st->dir, &s) != 0)
        e = lt_fail(err, LT_E_IO, NULL, st->dir, strerror(errno), NULL);
    if (e)
        close_store(st);
    else
        *ret = st;
    return e;
}

const struct series_backend series_file_backend = {
    .name = "sqlite",
    .load = load,
    .scan = scan,
    .months = months,
    .put = put,
    .remove = remove_chunk,
    .commit = commit,
    .rollback = rollback,
    .next_fresh = next_fresh,
    .expire = expire,
    .columns_read = columns_read,
    .columns_add = columns_add,
    .bytes = bytes,
    .close = close_store,
};
