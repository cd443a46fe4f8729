/* Care of the journal, beside the running post: verify, recompress, expire, back up. One at a time (a lock of its
 * own); the writer's file is only read. Day files are opened through SQLite only: closing a plain descriptor of a
 * database would drop the locks SQLite holds on it in the same process (POSIX). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "journal/journal_priv.h"

#define PROGRESS_EVERY 4096 /* batches between calls of progress within a day */

static enum lt_err care_lock(const char *dir, int *ret_fd, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof path, "%.900s/journal/care.lock", dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return lt_fail(err, LT_E_BUSY, NULL, path, NULL, NULL);
    }
    *ret_fd = fd;
    return LT_OK;
}

static int *days_of(const char *dir, size_t *ret_n, struct lt_error *err)
{
    int *days = malloc(sizeof(int) * JOURNAL_DAYS_MAX);
    if (!days)
        lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    else
        *ret_n = journal_days(dir, days, JOURNAL_DAYS_MAX);
    return days;
}

/* ---- verify ---- */
struct checker {
    struct journal_verified v;
    bool (*progress)(void *user, int day, const struct journal_verified *sofar);
    void *user;
    bool begun; /* v.last_seq and v.last_hash are known */
};

static enum lt_err bad(struct checker *c, struct journal_file *f, const char *why, struct lt_error *err)
{
    c->v.bad_day = f->day;
    c->v.bad_first_seq = c->v.last_seq + 1;
    snprintf(c->v.why, sizeof c->v.why, "%s", why);
    char text[40];
    snprintf(text, sizeof text, "batch at %llu", (unsigned long long)c->v.bad_first_seq);
    return lt_fail(err, LT_E_CORRUPT, NULL, f->path, text, why);
}

static enum lt_err check_batch(struct checker *c, struct journal_file *f, const struct journal_row *row,
                               struct lt_error *err)
{
    if (row->first_seq != c->v.last_seq + 1)
        return bad(c, f, "number", err);
    struct journal_box *x = NULL;
    enum lt_err e = journal_file_unpack(f, row, &x, err);
    if (e == LT_E_CORRUPT)
        return bad(c, f, "decompression", err);
    if (e)
        return e;
    uint8_t hash[32];
    const bool computed = journal_hash(c->v.last_hash, &x->b, hash);
    const bool sound = journal_box_index(x);
    struct journal_batch *b = &x->b;
    journal_batch_unref(&b);
    if (!computed || memcmp(hash, row->hash, 32) != 0)
        return bad(c, f, "hash", err);
    if (!sound)
        return bad(c, f, "count", err);
    memcpy(c->v.last_hash, hash, 32);
    c->v.last_seq += row->count;
    c->v.batches++;
    c->v.records += row->count;
    c->v.bytes += row->raw_len;
    return LT_OK;
}

static enum lt_err report(struct checker *c, int day, struct lt_error *err)
{
    if (c->progress && !c->progress(c->user, day, &c->v))
        return lt_fail(err, LT_E_TIMEOUT, NULL, "verify", NULL, NULL);
    return LT_OK;
}

static enum lt_err check_rows(struct checker *c, struct journal_file *f, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    uint64_t after = 0;
    for (uint64_t n = 0; !e; n++) {
        struct journal_row row;
        e = journal_file_after(f, after, &row, err);
        if (e == LT_E_NOT_FOUND)
            return report(c, f->day, err);
        if (e == LT_E_CORRUPT)
            return bad(c, f, "row", err);
        if (e)
            return e;
        if (n == 0 && (!c->begun || f->first_seq == c->v.last_seq + 1)) {
            if (c->begun && memcmp(c->v.last_hash, f->prev_hash, 32) != 0)
                e = bad(c, f, "previous file", err);
            if (!c->begun) {
                c->begun = true;
                c->v.first_seq = f->first_seq;
                c->v.last_seq = f->first_seq - 1;
                memcpy(c->v.last_hash, f->prev_hash, 32);
            }
        } else if (n == 0) {
            e = bad(c, f, "previous file", err);
        }
        after = row.first_seq;
        if (!e)
            e = check_batch(c, f, &row, err);
        journal_file_done(f);
        if (!e && n % PROGRESS_EVERY == PROGRESS_EVERY - 1)
            e = report(c, f->day, err);
    }
    return e;
}

/* Rows hidden at the end of a day show in the next day's meta; for the newest day SQLite's own check must find them. */
static enum lt_err check_pages(struct checker *c, struct journal_file *f, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(f->db, "PRAGMA quick_check(1)", -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    enum lt_err e = LT_OK;
    if (rc != SQLITE_ROW)
        e = bad(c, f, sqlite3_errmsg(f->db), err);
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
        e = bad(c, f, (const char *)sqlite3_column_text(s, 0), err);
    sqlite3_finalize(s);
    return e;
}

static enum lt_err check_day(struct checker *c, const char *dir, int day, bool newest, struct lt_error *err)
{
    struct journal_file *f = NULL;
    enum lt_err e = journal_file_open(dir, day, JOURNAL_READ, 0, NULL, 0, &f, err);
    if (e == LT_E_NOT_FOUND) /* not begun, or expired meanwhile: a gap shows at the next day */
        return LT_OK;
    if (e == LT_E_CORRUPT) {
        c->v.bad_day = day;
        c->v.bad_first_seq = c->v.last_seq + 1;
        snprintf(c->v.why, sizeof c->v.why, "file");
    }
    if (e)
        return e;
    e = check_rows(c, f, err);
    if (!e && newest)
        e = check_pages(c, f, err);
    journal_file_close(&f);
    return e;
}

enum lt_err journal_verify(const char *dir, int from_day, int to_day,
                           bool (*progress)(void *user, int day, const struct journal_verified *sofar), void *user,
                           struct journal_verified *ret, struct lt_error *err)
{
    size_t n = 0;
    int *days = days_of(dir, &n, err);
    if (!days)
        return LT_E_NOMEM;
    struct checker c = {.progress = progress, .user = user};
    enum lt_err e = LT_OK;
    for (size_t i = 0; i < n && !e; i++)
        if (days[i] >= from_day && (to_day == 0 || days[i] <= to_day))
            e = check_day(&c, dir, days[i], i + 1 == n, err);
    free(days);
    *ret = c.v;
    return e;
}

/* ---- recompress ---- */
struct press {
    struct journal_file *from, *to;
    ZSTD_CCtx *cctx;
    char *raw, *packed;
    size_t raw_n, raw_cap, packed_cap;
    int64_t block;
    struct journal_row *rows; /* batches in the open block */
    size_t rows_n, rows_cap;
    const struct journal_go_on *go_on;
};

static enum lt_err ask_go_on(const struct journal_go_on *g, struct lt_error *err)
{
    return !g || g->ask(g->user) ? LT_OK : lt_fail(err, LT_E_TIMEOUT, NULL, "recompress", NULL, NULL);
}

static enum lt_err nomem(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static enum lt_err put_block(struct press *p, struct lt_error *err)
{
    if (p->rows_n == 0)
        return LT_OK;
    const size_t n = ZSTD_compress2(p->cctx, p->packed, p->packed_cap, p->raw, p->raw_n);
    if (ZSTD_isError(n))
        return lt_fail(err, LT_E_INTERNAL, NULL, ZSTD_getErrorName(n), NULL, NULL);
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(p->to->db, "INSERT INTO block(id,raw_len,body) VALUES(?1,?2,?3)", -1, &s, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, ++p->block);
        sqlite3_bind_int64(s, 2, (int64_t)p->raw_n);
        sqlite3_bind_blob64(s, 3, p->packed, n, SQLITE_STATIC);
        rc = sqlite3_step(s);
    }
    enum lt_err e = rc == SQLITE_DONE ? LT_OK : journal_sql_fail(p->to->db, rc, p->to->path, err);
    sqlite3_finalize(s);
    for (size_t i = 0; i < p->rows_n && !e; i++) {
        p->rows[i].block = p->block;
        e = journal_file_insert(p->to, &p->rows[i], err);
    }
    p->rows_n = p->raw_n = 0;
    return e;
}

static enum lt_err room(struct press *p, size_t body, struct lt_error *err)
{
    if (p->raw_n + body > p->raw_cap) {
        const size_t cap = (p->raw_n + body) * 2, bound = ZSTD_compressBound(cap);
        char *raw = realloc(p->raw, cap);
        if (raw)
            p->raw = raw;
        char *packed = realloc(p->packed, bound);
        if (packed)
            p->packed = packed;
        if (!raw || !packed)
            return nomem(err);
        p->raw_cap = cap;
        p->packed_cap = bound;
    }
    if (!lt_grow(&p->rows, p->rows_n, &p->rows_cap, sizeof *p->rows))
        return nomem(err);
    return LT_OK;
}

static enum lt_err take_batch(struct press *p, const struct journal_row *row, struct lt_error *err)
{
    struct journal_box *x = NULL;
    enum lt_err e = LT_OK;
    if (p->raw_n && p->raw_n + row->raw_len > JOURNAL_BLOCK_MAX && (e = put_block(p, err)) == LT_OK)
        e = ask_go_on(p->go_on, err);
    if (!e)
        e = room(p, row->raw_len, err);
    if (!e)
        e = journal_file_unpack(p->from, row, &x, err);
    if (e)
        return e;
    memcpy(p->raw + p->raw_n, x->b.body.p, row->raw_len);
    struct journal_row *to = &p->rows[p->rows_n++];
    *to = *row;
    to->dict = 0;
    to->pos = (uint32_t)p->raw_n;
    to->body = (struct lt_slice){0};
    p->raw_n += row->raw_len;
    struct journal_batch *b = &x->b;
    journal_batch_unref(&b);
    return LT_OK;
}

static enum lt_err press_rows(struct press *p, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (uint64_t after = 0; !e;) {
        struct journal_row row;
        e = journal_file_after(p->from, after, &row, err);
        if (e == LT_E_NOT_FOUND)
            return put_block(p, err);
        if (e)
            return e;
        e = take_batch(p, &row, err);
        journal_file_done(p->from);
        after = row.first_seq;
    }
    return e;
}

static void remove_db(const char *path)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char p[JOURNAL_PATH_MAX + 16];
        snprintf(p, sizeof p, "%s%s", path, tails[i]);
        unlink(p);
    }
}

static enum lt_err sync_file(const char *path, struct lt_error *err)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    const bool ok = fd >= 0 && fsync(fd) == 0;
    const int why = errno;
    if (fd >= 0)
        close(fd);
    return ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(why), NULL);
}

static bool on_progress(void *user, int day, const struct journal_verified *sofar)
{
    const struct journal_go_on *const *g = user;
    return ask_go_on(*g, NULL) == LT_OK;
}

/* Whole chain of both files, compared: the old one is given up only for one that was read back. */
static enum lt_err check_same(struct journal_file *from, const char *tmp, const struct journal_go_on *go_on,
                              struct lt_error *err)
{
    struct checker a = {.progress = on_progress, .user = &go_on}, b = a;
    struct journal_file *to = NULL;
    enum lt_err e = check_rows(&a, from, err);
    if (!e)
        e = journal_file_open_at(tmp, from->day, JOURNAL_READ, 0, NULL, 0, &to, err);
    if (!e)
        e = check_rows(&b, to, err);
    if (!e && (a.v.records != b.v.records || memcmp(a.v.last_hash, b.v.last_hash, 32) != 0))
        e = lt_fail(err, LT_E_INTERNAL, NULL, "recompressed day differs", NULL, NULL);
    journal_file_close(&to);
    return e;
}

static enum lt_err press_file(struct journal_file *from, const char *tmp, int level, const struct journal_go_on *go_on,
                              struct lt_error *err)
{
    struct press p = {.from = from, .cctx = ZSTD_createCCtx(), .go_on = go_on};
    enum lt_err e = p.cctx ? LT_OK : nomem(err);
    if (!e) {
        ZSTD_CCtx_setParameter(p.cctx, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(p.cctx, ZSTD_c_checksumFlag, 1);
        e = journal_file_open_at(tmp, from->day, JOURNAL_CREATE, from->first_seq, from->prev_hash, from->tz_min, &p.to,
                                 err);
    }
    /* Not durable until sync_file: a crash before the rename leaves only a file to be thrown away. */
    if (!e)
        e = journal_exec(p.to->db, "PRAGMA journal_mode=MEMORY;PRAGMA synchronous=OFF;BEGIN", tmp, err);
    if (!e)
        e = press_rows(&p, err);
    if (!e)
        e = journal_exec(p.to->db, "COMMIT", tmp, err);
    journal_file_close(&p.to);
    ZSTD_freeCCtx(p.cctx);
    free(p.raw);
    free(p.packed);
    free(p.rows);
    return e;
}

static bool pressed_already(struct journal_file *f)
{
    sqlite3_stmt *s = NULL;
    const bool yes =
        sqlite3_prepare_v2(f->db, "SELECT 1 FROM batch WHERE block=0 LIMIT 1", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_DONE;
    sqlite3_finalize(s);
    return yes;
}

static enum lt_err press_day(const char *dir, int day, int level, const struct journal_go_on *go_on,
                             struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX], tmp[JOURNAL_PATH_MAX + 8];
    journal_file_path(dir, day, path);
    snprintf(tmp, sizeof tmp, "%.1000s.tmp", path);
    struct journal_file *from = NULL;
    /* Without WAL first: a WAL left beside the name would be taken for the new file's. */
    enum lt_err e = journal_file_finish(dir, day, err);
    if (!e)
        e = journal_file_open(dir, day, JOURNAL_READ, 0, NULL, 0, &from, err);
    if (e || pressed_already(from)) {
        journal_file_close(&from);
        return e;
    }
    remove_db(tmp);
    e = press_file(from, tmp, level, go_on, err);
    if (!e)
        e = check_same(from, tmp, go_on, err);
    journal_file_close(&from);
    if (!e)
        e = sync_file(tmp, err);
    if (!e && rename(tmp, path) != 0)
        e = lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    if (!e && !journal_sync_dir(dir))
        e = lt_fail(err, LT_E_IO, NULL, path, "fsync of the folder", NULL);
    if (e)
        remove_db(tmp);
    return e;
}

static bool has_day(const int *days, size_t n, int day)
{
    for (size_t i = 0; i < n; i++)
        if (days[i] == day)
            return true;
    return false;
}

enum lt_err journal_recompress(const char *dir, int day, int level, const struct journal_go_on *go_on,
                               struct lt_error *err)
{
    size_t n = 0;
    int fd = -1;
    int *days = days_of(dir, &n, err);
    if (!days)
        return LT_E_NOMEM;
    char text[16];
    snprintf(text, sizeof text, "%08d", day);
    enum lt_err e = LT_OK;
    if (!has_day(days, n, day))
        e = lt_fail(err, LT_E_NOT_FOUND, "day", "journal", text, NULL);
    else if (days[n - 1] == day)
        e = lt_fail(err, LT_E_IN_USE, "day", text, "recorder", NULL);
    else if (level < 1 || level > 19)
        e = lt_fail(err, LT_E_FIELD_RANGE, "level", "level", "1", "19");
    else
        e = care_lock(dir, &fd, err);
    if (!e)
        e = press_day(dir, day, level, go_on, err);
    if (fd >= 0)
        close(fd);
    free(days);
    return e;
}

/* ---- expire ---- */
enum lt_err journal_expire(const char *dir, int before_day, unsigned *ret_days, struct lt_error *err)
{
    size_t n = 0;
    int fd = -1;
    unsigned gone = 0;
    int *days = days_of(dir, &n, err);
    if (!days)
        return LT_E_NOMEM;
    enum lt_err e = care_lock(dir, &fd, err);
    for (size_t i = 0; !e && i + 1 < n && days[i] < before_day; i++) { /* oldest first: never a gap in the middle */
        char path[JOURNAL_PATH_MAX], seen[JOURNAL_PATH_MAX];
        journal_file_path(dir, days[i], path);
        snprintf(seen, sizeof seen, "%.900s/journal/%08d.seen", dir, days[i]);
        if (unlink(path) != 0 && errno != ENOENT) {
            e = lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
            break;
        }
        remove_db(path);
        unlink(seen);
        gone++;
    }
    if (fd >= 0)
        close(fd);
    free(days);
    if (!e && ret_days)
        *ret_days = gone;
    return e;
}

/* ---- backup ---- */
static enum lt_err copy_db(sqlite3 *from, const char *to, struct lt_error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(to, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    enum lt_err e = LT_OK;
    if (rc == SQLITE_OK) { /* in one step: one read transaction, so the copy is of one moment */
        sqlite3_backup *b = sqlite3_backup_init(db, "main", from, "main");
        if (b)
            sqlite3_backup_step(b, -1);
        rc = b ? sqlite3_backup_finish(b) : sqlite3_errcode(db);
    }
    if (rc != SQLITE_OK)
        e = journal_sql_fail(db, rc, to, err);
    else
        e = journal_exec(db, "PRAGMA journal_mode=DELETE", to, err);
    sqlite3_close(db);
    return e;
}

/* The index of the recorder, appended to only; a torn end is noticed by its checksums. */
static void copy_seen(const char *dir, const char *dest, int day)
{
    char a[JOURNAL_PATH_MAX], b[JOURNAL_PATH_MAX], buf[65536];
    snprintf(a, sizeof a, "%.900s/journal/%08d.seen", dir, day);
    snprintf(b, sizeof b, "%.900s/journal/%08d.seen", dest, day);
    const int in = open(a, O_RDONLY | O_CLOEXEC);
    const int out = in >= 0 ? open(b, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : -1;
    for (ssize_t n; out >= 0 && (n = read(in, buf, sizeof buf)) > 0;)
        if (write(out, buf, (size_t)n) != n)
            break;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

static bool same_end(struct journal_file *from, const char *dest)
{
    struct journal_file *to = NULL;
    struct journal_row a, b;
    if (journal_file_open(dest, from->day, JOURNAL_READ, 0, NULL, 0, &to, NULL) != LT_OK)
        return false;
    const bool same = journal_file_last(from, &a, NULL) == LT_OK && journal_file_last(to, &b, NULL) == LT_OK &&
                      a.first_seq == b.first_seq && memcmp(a.hash, b.hash, 32) == 0 && (a.block == 0) == (b.block == 0);
    journal_file_done(from);
    journal_file_close(&to);
    return same;
}

static enum lt_err backup_day(const char *dir, const char *dest, int day, struct lt_error *err)
{
    struct journal_file *from = NULL;
    enum lt_err e = journal_file_open(dir, day, JOURNAL_READ, 0, NULL, 0, &from, err);
    if (e == LT_E_NOT_FOUND)
        return LT_OK;
    if (e)
        return e;
    char path[JOURNAL_PATH_MAX], tmp[JOURNAL_PATH_MAX + 8];
    journal_file_path(dest, day, path);
    snprintf(tmp, sizeof tmp, "%.1000s.tmp", path);
    if (!same_end(from, dest)) {
        remove_db(tmp);
        e = copy_db(from->db, tmp, err);
        if (!e)
            e = sync_file(tmp, err);
        if (!e && rename(tmp, path) != 0)
            e = lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
        copy_seen(dir, dest, day);
    }
    journal_file_close(&from);
    return e;
}

static enum lt_err prepare_dest(const char *dir, const char *dest, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX];
    struct stat a, b;
    snprintf(path, sizeof path, "%.900s/journal", dest);
    if ((mkdir(dest, 0750) != 0 && errno != EEXIST) || (mkdir(path, 0750) != 0 && errno != EEXIST))
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    if (stat(dir, &a) != 0 || stat(dest, &b) != 0)
        return lt_fail(err, LT_E_IO, NULL, dir, strerror(errno), NULL);
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return lt_fail(err, LT_E_BAD_INPUT, "dest", "source and destination are the same folder", NULL, NULL);
    return LT_OK;
}

enum lt_err journal_backup(const char *dir, const char *dest, struct lt_error *err)
{
    size_t n = 0;
    int fd = -1;
    enum lt_err e = prepare_dest(dir, dest, err);
    if (e)
        return e;
    /* The list is made first: a day that begins meanwhile is left for the next backup, and the last of these days is
     * copied as it is then; so the copy is a beginning of the chain without a gap. */
    int *days = days_of(dir, &n, err);
    if (!days)
        return LT_E_NOMEM;
    e = care_lock(dir, &fd, err);
    for (size_t i = 0; i < n && !e; i++)
        e = backup_day(dir, dest, days[i], err);
    if (!e && !journal_sync_dir(dest))
        e = lt_fail(err, LT_E_IO, NULL, dest, "fsync of the folder", NULL);
    if (fd >= 0)
        close(fd);
    free(days);
    return e;
}
