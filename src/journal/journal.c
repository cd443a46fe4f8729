/* The writer of the raw journal: lock, day files, commit, healing after a failed commit. One thread. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "journal/journal_priv.h"

#define LEVEL 1 /* zstd; measured: level 3 costs twice the time for 8 % less; old days are recompressed anyway */
/* WAL pages (8 KiB) after which the keeper is asked to checkpoint: 8 MiB. Derivation: small enough that the copy takes
 * some 20 ms, large enough that at 60,000 frames/s it happens about once a second. */
#define CHECKPOINT_PAGES 1000

struct journal {
    char dir[JOURNAL_PATH_MAX];
    int tz_min, lock_fd;
    struct journal_file *file; /* the newest day, NULL before the first commit ever and after a failure to open */
    int day;                   /* of file, 0 none */
    uint64_t last_seq;
    uint8_t last_hash[32];
    int64_t last_at_ms; /* of the last batch; batches never go back in time */
    struct journal_pool *pool;
    struct journal_box *open; /* records added since the last commit */
    struct journal_box *done; /* last committed batch, until it is published */
    ZSTD_CCtx *cctx;
    ZSTD_CDict *cdict;
    int64_t dict_id;
    char *dict; /* its bytes: goes along into the next day; while dict_id is 0, the sample it will be made of */
    size_t dict_n;
    char *packed;
    size_t packed_cap;
    int wal_pages;
    bool sick;
    struct journal_keeper *keeper;
};

/* ---- lock ---- */
static enum lt_err in_use(int fd, const char *dir, struct lt_error *err)
{
    char pid[24] = "?";
    const ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? n : 1] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    return lt_fail(err, LT_E_IN_USE_DIR, NULL, dir, pid, NULL);
}

static enum lt_err lock_dir(struct journal *j, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof path, "%.900s/lock", j->dir);
    j->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (j->lock_fd < 0)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return in_use(j->lock_fd, j->dir, err);
    char pid[24];
    const int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(j->lock_fd, 0) != 0 || pwrite(j->lock_fd, pid, (size_t)n, 0) != n) {
        /* the pid is information only (a full disk must not prevent starting); the lock itself holds */
    }
    return LT_OK;
}

enum lt_err journal_lock_try(const char *dir, struct lt_error *err)
{
    struct journal j = {.lock_fd = -1};
    snprintf(j.dir, sizeof j.dir, "%.900s", dir);
    enum lt_err e = lock_dir(&j, err);
    if (j.lock_fd >= 0)
        close(j.lock_fd);
    return e;
}

static enum lt_err make_dirs(const char *dir, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof path, "%.900s/journal", dir);
    if ((mkdir(dir, 0750) != 0 && errno != EEXIST) || (mkdir(path, 0750) != 0 && errno != EEXIST))
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    return LT_OK;
}

/* ---- state of the newest file ---- */
static enum lt_err check_row(struct journal *j, struct journal_file *f, const struct journal_row *row,
                             const uint8_t prev[32], struct journal_box **ret, struct lt_error *err)
{
    struct journal_box *x = NULL;
    uint8_t hash[32];
    enum lt_err e = journal_file_unpack(f, row, &x, err);
    if (!e && (!journal_hash(prev, &x->b, hash) || memcmp(hash, row->hash, 32) != 0))
        e = lt_fail(err, LT_E_CORRUPT, NULL, f->path, "hash of the last batch", NULL);
    struct journal_batch *b = x ? &x->b : NULL;
    if (e || !ret)
        journal_batch_unref(&b);
    else
        *ret = x;
    return e;
}

/* Reads and checks the end of file f: number, hash and time of its last batch. */
static enum lt_err read_end(struct journal *j, struct journal_file *f, uint64_t *ret_seq, uint8_t ret_hash[32],
                            int64_t *ret_at_ms, struct lt_error *err)
{
    struct journal_row row, before;
    uint8_t prev[32];
    enum lt_err e = journal_file_last(f, &row, err);
    journal_file_done(f);
    if (e == LT_E_NOT_FOUND) {
        *ret_seq = f->first_seq - 1;
        memcpy(ret_hash, f->prev_hash, 32);
        return LT_OK;
    }
    if (e)
        return e;
    e = journal_file_at_or_before(f, row.first_seq - 1, &before, err);
    journal_file_done(f);
    if (e && e != LT_E_NOT_FOUND)
        return e;
    memcpy(prev, e ? f->prev_hash : before.hash, 32);
    e = journal_file_last(f, &row, err);
    if (!e)
        e = check_row(j, f, &row, prev, NULL, err);
    journal_file_done(f);
    if (e)
        return e;
    *ret_seq = row.first_seq + row.count - 1;
    memcpy(ret_hash, row.hash, 32);
    if (row.at_ms > *ret_at_ms)
        *ret_at_ms = row.at_ms;
    return LT_OK;
}

static void use_dict(struct journal *j, int64_t id)
{
    ZSTD_freeCDict(j->cdict);
    j->cdict = ZSTD_createCDict(j->dict, j->dict_n, LEVEL);
    j->dict_id = j->cdict ? id : 0;
}

static int on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct journal *j = arg;
    j->wal_pages = pages;
    return SQLITE_OK;
}

/* f becomes the file that is written. */
static void adopt_file(struct journal *j, struct journal_file *f)
{
    j->file = f;
    j->day = f->day;
    j->wal_pages = 0;
    sqlite3_wal_hook(f->db, on_wal, j);
}

/* Opens a day and reads its end. LT_E_NOT_FOUND: it holds no batch; then *ret_seq and ret_hash are as its meta says. */
static enum lt_err open_day(struct journal *j, int day, struct journal_file **ret, struct lt_error *err)
{
    static const uint8_t none[32];
    struct journal_row row;
    struct journal_file *f = NULL;
    enum lt_err e = journal_file_open(j->dir, day, JOURNAL_WRITE, 0, none, j->tz_min, &f, err);
    if (e)
        return e;
    e = journal_file_last(f, &row, err);
    journal_file_done(f);
    const bool empty = e == LT_E_NOT_FOUND;
    if (!e || empty)
        e = read_end(j, f, &j->last_seq, j->last_hash, &j->last_at_ms, err);
    if (!e && !empty)
        e = journal_file_dict_last(f, &j->dict_id, &j->dict, &j->dict_n, err);
    if (!e && j->dict_id)
        use_dict(j, j->dict_id);
    if (!e && !empty)
        *ret = f;
    else
        journal_file_close(&f);
    return !e && empty ? LT_E_NOT_FOUND : e;
}

/* The newest day that holds a batch goes on. Newer ones without any (the post was killed while making them) are used
 * when their day comes; if there is no other, their meta tells where the chain stands. */
static enum lt_err open_newest(struct journal *j, struct lt_error *err)
{
    int *days = malloc(sizeof(int) * JOURNAL_DAYS_MAX);
    if (!days)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    size_t n = journal_days(j->dir, days, JOURNAL_DAYS_MAX);
    enum lt_err e = LT_E_NOT_FOUND;
    while (n > 0 && e == LT_E_NOT_FOUND) {
        struct journal_file *f = NULL;
        e = open_day(j, days[--n], &f, err);
        if (!e)
            adopt_file(j, f);
    }
    free(days);
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

/* The day before may have been left with its WAL when the post was killed at midnight. */
static void finish_leftovers(struct journal *j)
{
    int *days = malloc(sizeof(int) * JOURNAL_DAYS_MAX);
    const size_t n = days ? journal_days(j->dir, days, JOURNAL_DAYS_MAX) : 0;
    for (size_t i = n > 4 ? n - 4 : 0; i + 1 < n; i++) {
        char wal[JOURNAL_PATH_MAX + 8], path[JOURNAL_PATH_MAX];
        journal_file_path(j->dir, days[i], path);
        snprintf(wal, sizeof wal, "%s-wal", path);
        if (days[i] < j->day && access(wal, F_OK) == 0)
            journal_keeper_finish(j->keeper, days[i]);
    }
    free(days);
}

enum lt_err journal_open(const char *dir, int tz_min, struct journal **ret, struct lt_error *err)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    j->lock_fd = -1;
    j->tz_min = tz_min;
    snprintf(j->dir, sizeof j->dir, "%.900s", dir);
    enum lt_err e = make_dirs(j->dir, err);
    if (!e)
        e = lock_dir(j, err);
    if (!e)
        e = open_newest(j, err);
    if (!e) {
        j->pool = journal_pool_create(8);
        j->open = journal_box_create(j->pool);
        j->cctx = ZSTD_createCCtx();
        j->keeper = journal_keeper_start(j->dir);
        if (!j->pool || !j->open || !j->cctx || !j->keeper)
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    if (e) {
        journal_close(&j);
        return e;
    }
    ZSTD_CCtx_setParameter(j->cctx, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(j->cctx, ZSTD_c_checksumFlag, 1);
    j->open->b.first_seq = j->last_seq + 1;
    finish_leftovers(j);
    *ret = j;
    return LT_OK;
}

void journal_close(struct journal **jp)
{
    struct journal *j = *jp;
    *jp = NULL;
    if (!j)
        return;
    journal_keeper_stop(&j->keeper);
    struct journal_batch *a = j->open ? &j->open->b : NULL, *b = j->done ? &j->done->b : NULL;
    journal_batch_unref(&a);
    journal_batch_unref(&b);
    journal_pool_unref(j->pool);
    if (j->file && !j->sick) /* leave one file without WAL; when it fails the WAL stays, which is as good */
        sqlite3_wal_checkpoint_v2(j->file->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    journal_file_close(&j->file);
    ZSTD_freeCCtx(j->cctx);
    ZSTD_freeCDict(j->cdict);
    free(j->dict);
    free(j->packed);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    free(j);
}

void journal_begin_at(struct journal *j, uint64_t first_seq, const uint8_t prev_hash[32])
{
    assert(!j->file && j->last_seq == 0 && first_seq > 0);
    j->last_seq = first_seq - 1;
    memcpy(j->last_hash, prev_hash, 32);
    j->open->b.first_seq = first_seq;
}

struct lt_slice journal_dict(const struct journal *j)
{
    return (struct lt_slice){j->dict, j->dict_id || j->dict_n >= JOURNAL_DICT_MAX ? j->dict_n : 0};
}

uint64_t journal_last_seq(const struct journal *j)
{
    return j->last_seq;
}

int journal_day(const struct journal *j)
{
    return j->day;
}

uint64_t journal_wal_bytes(const struct journal *j)
{
    return (uint64_t)j->wal_pages * JOURNAL_PAGE;
}

void journal_last_hash(const struct journal *j, uint8_t ret[32])
{
    memcpy(ret, j->last_hash, 32);
}

uint64_t journal_add(struct journal *j, const struct journal_record *r)
{
    j->open->b.first_seq = j->last_seq + 1;
    return journal_box_add(j->open, r) ? j->last_seq + j->open->b.count : 0;
}

bool journal_open_find(const struct journal *j, uint64_t seq, struct journal_record *ret)
{
    return journal_batch_find(&j->open->b, seq, ret);
}

size_t journal_open_bytes(const struct journal *j)
{
    return j->open->b.body.n;
}

void journal_abandon(struct journal *j)
{
    journal_box_clear(j->open);
}

/* ---- commit ---- */
/* While there is no dictionary, collects the bodies it will be made of. A dictionary makes batches of one or two
 * frames (the ordinary case of a small city) as small as those of hundreds; see docs/FORMATS.md for figures. */
static void sample(struct journal *j, struct lt_slice body)
{
    if (j->dict_id || j->dict_n >= JOURNAL_DICT_MAX)
        return;
    if (!j->dict)
        j->dict = malloc(JOURNAL_DICT_MAX);
    if (!j->dict)
        return;
    const size_t room = JOURNAL_DICT_MAX - j->dict_n, n = body.n < room ? body.n : room;
    memcpy(j->dict + j->dict_n, body.p, n);
    j->dict_n += n;
}

static enum lt_err make_dict(struct journal *j, struct lt_error *err)
{
    if (j->dict_id || j->dict_n < JOURNAL_DICT_MAX)
        return LT_OK;
    enum lt_err e = journal_file_dict_add(j->file, 1, (struct lt_slice){j->dict, j->dict_n}, err);
    if (!e)
        use_dict(j, 1);
    return e;
}

static enum lt_err pack(struct journal *j, struct lt_slice body, struct lt_slice *ret, struct lt_error *err)
{
    const size_t bound = ZSTD_compressBound(body.n);
    if (bound > j->packed_cap) {
        char *p = realloc(j->packed, bound);
        if (!p)
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        j->packed = p;
        j->packed_cap = bound;
    }
    ZSTD_CCtx_refCDict(j->cctx, j->cdict);
    const size_t n = ZSTD_compress2(j->cctx, j->packed, j->packed_cap, body.p, body.n);
    if (ZSTD_isError(n))
        return lt_fail(err, LT_E_INTERNAL, NULL, ZSTD_getErrorName(n), NULL, NULL);
    *ret = (struct lt_slice){j->packed, n};
    return LT_OK;
}

/* Makes j->file the file of the day of at_ms, unless a later one is open already. */
static enum lt_err turn_day(struct journal *j, int64_t at_ms, struct lt_error *err)
{
    const int day = lt_day_number(at_ms, j->tz_min);
    if (j->file && day <= j->day)
        return LT_OK;
    struct journal_file *f = NULL;
    enum lt_err e = journal_file_open(j->dir, day, JOURNAL_CREATE, j->last_seq + 1, j->last_hash, j->tz_min, &f, err);
    if (e)
        return e;
    if (j->dict_id) {
        e = journal_file_dict_add(f, 1, (struct lt_slice){j->dict, j->dict_n}, err);
        if (e) {
            journal_file_close(&f);
            return e;
        }
        j->dict_id = 1;
    }
    const int over = j->file ? j->day : 0;
    journal_file_close(&j->file);
    adopt_file(j, f);
    if (over)
        journal_keeper_finish(j->keeper, over);
    return LT_OK;
}

static void tend_wal(struct journal *j)
{
    if (journal_keeper_caught_up(j->keeper)) /* what came since: some pages; then the WAL begins anew */
        sqlite3_wal_checkpoint_v2(j->file->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    else if (j->wal_pages > CHECKPOINT_PAGES)
        journal_keeper_checkpoint(j->keeper, j->day);
}

/* Batches never go back in time and are never earlier than their records: searching by time relies on it. */
static int64_t batch_time(const struct journal *j, int64_t at_ms)
{
    const int64_t t = at_ms > j->last_at_ms ? at_ms : j->last_at_ms;
    return j->open->latest_at_ms > t ? j->open->latest_at_ms : t;
}

static enum lt_err write_batch(struct journal *j, int64_t at_ms, struct lt_error *err)
{
    struct journal_batch *b = &j->open->b;
    struct lt_slice packed = {0};
    b->at_ms = batch_time(j, at_ms);
    enum lt_err e = turn_day(j, at_ms, err);
    if (!e)
        e = make_dict(j, err);
    if (!e)
        e = pack(j, b->body, &packed, err);
    if (!e && !journal_hash(j->last_hash, b, b->hash))
        e = lt_fail(err, LT_E_INTERNAL, NULL, "SHA-256", NULL, NULL);
    if (e)
        return e;
    struct journal_row row = {.first_seq = b->first_seq,
                              .count = b->count,
                              .raw_len = (uint32_t)b->body.n,
                              .at_ms = b->at_ms,
                              .dict = j->cdict ? j->dict_id : 0,
                              .body = packed};
    memcpy(row.hash, b->hash, 32);
    return journal_file_insert(j->file, &row, err);
}

/* The batch for the tail. A small one is copied to its exact size and the open one used again; a large one is given
 * away as it is. Made before anything is written, so that nothing can fail after the commit. */
#define SMALL_BYTES (64 * 1024)

static enum lt_err split_off(struct journal *j, struct journal_box **ret_done, struct journal_box **ret_open,
                             struct lt_error *err)
{
    const bool small = j->open->b.body.n + j->open->b.count * sizeof(uint32_t) <= SMALL_BYTES;
    struct journal_box *made = small ? journal_box_copy(j->open) : journal_box_create(j->pool);
    if (!made)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!small)
        journal_box_reserve(made, j->open->b.body.n, j->open->b.count); /* the next one will be about as large */
    *ret_done = small ? made : j->open;
    *ret_open = small ? j->open : made;
    return LT_OK;
}

static void committed(struct journal *j, struct journal_box *done, struct journal_box *open)
{
    struct journal_batch *old = j->done ? &j->done->b : NULL;
    journal_batch_unref(&old);
    if (done != j->open) { /* the copy was made before time and hash were known */
        done->b.at_ms = j->open->b.at_ms;
        memcpy(done->b.hash, j->open->b.hash, 32);
        journal_box_clear(j->open);
    }
    j->done = done;
    j->open = open;
    j->last_seq += done->b.count;
    j->last_at_ms = done->b.at_ms;
    memcpy(j->last_hash, done->b.hash, 32);
    sample(j, done->b.body);
    tend_wal(j);
}

enum lt_err journal_commit(struct journal *j, int64_t at_ms, struct lt_error *err)
{
    if (j->open->b.count == 0)
        return LT_OK;
    const uint64_t expected = j->last_seq;
    struct journal_box *done = NULL, *open = NULL;
    enum lt_err e = journal_heal(j, err);
    if (!e && j->last_seq != expected)
        e = lt_fail(err, LT_E_BUSY, NULL, j->dir, NULL, NULL);
    if (!e)
        e = split_off(j, &done, &open, err);
    if (!e && (e = write_batch(j, at_ms, err)))
        j->sick = true;
    if (!e) {
        committed(j, done, open);
        return LT_OK;
    }
    if (done) {
        struct journal_batch *spare = done == j->open ? &open->b : &done->b;
        journal_batch_unref(&spare);
    }
    journal_box_clear(j->open);
    return e;
}

/* ---- healing ---- */
static enum lt_err reopen(struct journal *j, struct lt_error *err)
{
    static const uint8_t none[32];
    journal_keeper_rest(j->keeper);
    journal_file_close(&j->file);
    if (!j->day) /* not even the first file could be made: the next commit tries again */
        return LT_OK;
    struct journal_file *f = NULL;
    enum lt_err e = journal_file_open(j->dir, j->day, JOURNAL_WRITE, 0, none, j->tz_min, &f, err);
    if (e)
        return e;
    /* Every page of the WAL is written into the file and synced with the fresh descriptor, then the WAL is emptied:
     * nothing that only a failed fsync vouched for remains in use. */
    const int rc = sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    uint64_t seq = 0;
    uint8_t hash[32];
    int64_t at_ms = j->last_at_ms;
    if (rc != SQLITE_OK)
        e = journal_sql_fail(f->db, rc, f->path, err);
    if (!e)
        e = read_end(j, f, &seq, hash, &at_ms, err);
    if (!e && (seq < j->last_seq || (seq == j->last_seq && memcmp(hash, j->last_hash, 32) != 0)))
        e = lt_fail(err, LT_E_CORRUPT, NULL, f->path, "committed batches are missing", NULL);
    if (e) {
        journal_file_close(&f);
        return e;
    }
    adopt_file(j, f);
    j->last_seq = seq;
    memcpy(j->last_hash, hash, 32);
    j->last_at_ms = at_ms;
    return LT_OK;
}

/* A dictionary whose row did not survive must not be referred to. */
static enum lt_err reload_dict(struct journal *j, struct lt_error *err)
{
    if (!j->dict_id || !j->file)
        return LT_OK;
    int64_t id = 0;
    char *p = NULL;
    size_t n = 0;
    enum lt_err e = journal_file_dict_last(j->file, &id, &p, &n, err);
    if (!e && id == 0)
        e = journal_file_dict_add(j->file, 1, (struct lt_slice){j->dict, j->dict_n}, err);
    free(p);
    return e;
}

enum lt_err journal_heal(struct journal *j, struct lt_error *err)
{
    if (!j->sick)
        return LT_OK;
    enum lt_err e = reopen(j, err);
    if (!e)
        e = reload_dict(j, err);
    if (!e)
        j->sick = false;
    return e;
}

/* ---- for the tail ---- */
struct journal_batch *journal_take_done(struct journal *j)
{
    struct journal_batch *b = j->done ? &j->done->b : NULL;
    j->done = NULL;
    return b;
}
