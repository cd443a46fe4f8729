/* Backend on SQLite: one file per month and class of kinds, DIR/series/YYYYMM.db (kept) and YYYYMM-raw.db (RTD and MIN,
 * which expire by unlinking the file), and DIR/series/columns.db. Byte formats: docs/FORMATS-series.md.
 *
 * DESIGN: a chunk is one row of a rowid table; its key is packed into the rowid, so that there is one B-tree and the
 * chunks of a device lie together in order of time. Each file has a connection to write (the writer only) and one to
 * read, under its mutex. Files stay open until more than OPEN_FILES are; one in use is never closed.
 * LIMITATIONS: read-only opening needs a directory SQLite can put its -shm file into, or one where it exists. */
#include "base/clock.h"
#include "series/series_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- keys ---- */

/* kind:3 device:32 hour-of-month:10 merged:1 */
static int64_t id_of(const struct series_store *st, const struct series_key *k)
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

static int64_t month_of(const struct series_store *st, const struct series_key *k)
{
    return lt_month_start(k->start_ms, st->tz_min);
}

/* ---- reading ---- */

static enum lt_err begin_read(struct series_store *st, int64_t month_ms, bool raw, struct series_month **ret,
                              struct lt_error *err)
{
    enum lt_err e = series_month_acquire(st, month_ms, raw, false, ret, err);
    if (e)
        return e;
    pthread_mutex_lock(&(*ret)->read);
    e = series_month_open_reader(st, *ret, err);
    if (e) {
        pthread_mutex_unlock(&(*ret)->read);
        series_month_release(st, *ret);
    }
    return e;
}

static void end_read(struct series_store *st, struct series_month *f, sqlite3_stmt *s)
{
    sqlite3_reset(s); /* ends the read transaction, so that checkpoints go on */
    pthread_mutex_unlock(&f->read);
    series_month_release(st, f);
}

static enum lt_err read_error(struct series_store *st, struct series_month *f, int rc, struct lt_error *err)
{
    char path[PATH_BYTES];
    series_month_path(st, f->month_ms, f->raw, path);
    return series_sql_fail(f->r, rc, path, err);
}

static enum lt_err load(void *b, const struct series_key *key, struct lt_buf *ret, struct lt_error *err)
{
    struct series_store *st = b;
    struct series_month *f;
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

static enum lt_err scan_month(struct series_store *st, const struct series_range *r, int64_t month_ms, each_chunk *each,
                              void *user, bool *stop, struct lt_error *err)
{
    struct series_month *f;
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
    struct series_store *st = b;
    bool stop = false;
    enum lt_err e = LT_OK;
    for (int64_t m = lt_month_start(range->from_ms, st->tz_min); !e && !stop && m < range->to_ms;
         m = series_span_end(SERIES_SPAN_MONTH, m, st->tz_min))
        e = scan_month(st, range, m, each, user, &stop, err);
    return e;
}

/* ---- the directory ---- */

/* Month and class from a file name; false on any other. */
static bool parse_name(const struct series_store *st, const char *name, int64_t *ret_month_ms, bool *ret_raw)
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

static void each_month(struct series_store *st, void (*each)(void *user, int64_t month_ms, bool raw), void *user)
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
    struct series_store *st = b;
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

static enum lt_err write_file(struct series_store *st, const struct series_key *key, struct series_month **ret,
                              struct lt_error *err)
{
    char path[PATH_BYTES];
    int64_t month = month_of(st, key);
    bool raw = series_kind_raw(key->kind);
    assert(!st->readonly);
    enum lt_err e = series_month_acquire(st, month, raw, true, ret, err);
    if (e)
        return e;
    struct series_month *f = *ret;
    if (f->in_batch) { /* the batch holds its own reference */
        series_month_release(st, f);
        return LT_OK;
    }
    series_month_path(st, month, raw, path);
    e = series_month_open_writer(st, f, err);
    if (!e)
        e = series_sql_run(f->w, "BEGIN IMMEDIATE", path, err);
    if (e)
        series_month_release(st, f);
    else
        f->in_batch = true;
    return e;
}

static enum lt_err finish_write(struct series_store *st, struct series_month *f, sqlite3_stmt *s, struct lt_error *err)
{
    char path[PATH_BYTES];
    series_month_path(st, f->month_ms, f->raw, path);
    return series_sql_finish(f->w, s, path, err);
}

static enum lt_err put(void *b, const struct series_key *key, struct lt_slice data, bool fresh, struct lt_error *err)
{
    struct series_store *st = b;
    struct series_month *f;
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
    struct series_store *st = b;
    struct series_month *f;
    enum lt_err e = write_file(st, key, &f, err);
    if (e)
        return e;
    sqlite3_bind_int64(f->remove, 1, id_of(st, key));
    return finish_write(st, f, f->remove, err);
}

/* Ends the batch of the first file that has one; false when none has. */
static bool end_one(struct series_store *st, bool keep, enum lt_err *ret, struct lt_error *err)
{
    char path[PATH_BYTES];
    pthread_mutex_lock(&st->lock);
    struct series_month *f = st->files;
    while (f && !f->in_batch)
        f = f->next;
    pthread_mutex_unlock(&st->lock);
    if (!f)
        return false;
    series_month_path(st, f->month_ms, f->raw, path);
    *ret = keep ? series_sql_run(f->w, "COMMIT", path, err) : LT_OK;
    if (!keep || *ret)
        sqlite3_exec(f->w, "ROLLBACK", NULL, NULL, NULL); /* may have happened already: nothing to check */
    f->in_batch = false;
    series_month_release(st, f);
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

static enum lt_err next_in_file(struct series_store *st, struct series_place *at, int64_t id, struct series_key *ret,
                                struct lt_error *err)
{
    struct series_month *f;
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
    struct series_store *st = b;
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

static enum lt_err remove_files(struct series_store *st, int64_t month_ms, struct lt_error *err)
{
    static const char *const tail[] = {"", "-wal", "-shm"};
    char path[PATH_BYTES], one[PATH_BYTES + 8];
    series_month_path(st, month_ms, true, path);
    for (int i = 0; i < 3; i++) {
        snprintf(one, sizeof one, "%s%s", path, tail[i]);
        if (unlink(one) != 0 && errno != ENOENT)
            return lt_fail(err, LT_E_IO, NULL, one, strerror(errno), NULL);
    }
    return LT_OK;
}

/* Waits until no reader is in the file (a read takes milliseconds), closes and unlinks it. */
static enum lt_err expire_month(struct series_store *st, int64_t month_ms, struct lt_error *err)
{
    pthread_mutex_lock(&st->lock);
    struct series_month **at;
    while (*(at = series_month_link(st, month_ms, true))) {
        if (!(*at)->refs)
            series_month_unlink(st, at);
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
    struct series_store *st = b;
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

/* ---- opening ---- */

static void close_store(void *b)
{
    struct series_store *st = b;
    if (!st)
        return;
    rollback(st);
    while (st->files)
        series_month_unlink(st, &st->files);
    sqlite3_close(st->columns);
    pthread_mutex_destroy(&st->lock);
    pthread_mutex_destroy(&st->columns_lock);
    pthread_cond_destroy(&st->idle);
    free(st);
}

enum lt_err series_file_open(const char *dir, int tz_min, bool readonly, void **ret, struct lt_error *err)
{
    struct series_store *st = calloc(1, sizeof *st);
    if (!st)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    *st = (struct series_store){.tz_min = tz_min, .readonly = readonly};
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
    .columns_read = series_columns_read,
    .columns_add = series_columns_add,
    .bytes = bytes,
    .close = close_store,
};
