/* One day file: schema, rows, unpacking. SQLite's C API is used directly, so that the raw journal depends on nothing
 * but SQLite and can be read without this program (docs/FORMATS.md). A handle belongs to one thread. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/text.h"
#include "journal/journal_priv.h"

#define APPLICATION_ID "1280592202" /* "LTJJ" */
#define BUSY_READ_MS   5000
#define BUSY_WRITE_MS  2000

/* body stands last: SQLite then reads the other columns without touching the overflow pages of the blob. */
static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta(format INTEGER NOT NULL, day INTEGER NOT NULL, tz_min INTEGER NOT NULL,"
    " first_seq INTEGER NOT NULL, prev_hash BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS dict(id INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS block(id INTEGER PRIMARY KEY, raw_len INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS batch(first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " raw_len INTEGER NOT NULL, dict INTEGER NOT NULL, block INTEGER NOT NULL, pos INTEGER NOT NULL,"
    " hash BLOB NOT NULL, body BLOB);";

#define COLUMNS "first_seq,count,at_ms,raw_len,dict,block,pos,hash,body"

enum lt_err journal_sql_fail(sqlite3 *db, int rc, const char *path, struct lt_error *err)
{
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return lt_fail(err, LT_E_DISK_FULL, NULL, path, NULL, NULL);
    case SQLITE_NOMEM:
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return lt_fail(err, LT_E_BUSY, NULL, path, NULL, NULL);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return lt_fail(err, LT_E_CORRUPT, NULL, path, why, NULL);
    default:
        return lt_fail(err, LT_E_IO, NULL, path, why, NULL);
    }
}

enum lt_err journal_exec(sqlite3 *db, const char *sql, const char *path, struct lt_error *err)
{
    const int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LT_OK : journal_sql_fail(db, rc, path, err);
}

void journal_file_path(const char *dir, int day, char ret[JOURNAL_PATH_MAX])
{
    snprintf(ret, JOURNAL_PATH_MAX, "%.900s/journal/%08d.db", dir, day);
}

static int compare_days(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* A folder is read in no order: of more days than asked for the oldest stay. */
static void replace_newest(int *days, size_t n, int day)
{
    size_t most = 0;
    for (size_t i = 1; i < n; i++)
        most = days[i] > days[most] ? i : most;
    if (n && day < days[most])
        days[most] = day;
}

size_t journal_days(const char *dir, int *ret, size_t cap)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof path, "%.900s/journal", dir);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    size_t n = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        int64_t day;
        if (strlen(e->d_name) != 11 || strcmp(e->d_name + 8, ".db") != 0 ||
            !lt_text_to_i64((struct lt_slice){e->d_name, 8}, &day) || day <= 0)
            continue;
        if (n < cap)
            ret[n++] = (int)day;
        else
            replace_newest(ret, n, (int)day);
    }
    closedir(d);
    qsort(ret, n, sizeof *ret, compare_days);
    return n;
}

bool journal_sync_dir(const char *dir)
{
    char path[JOURNAL_PATH_MAX];
    snprintf(path, sizeof path, "%.900s/journal", dir);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- opening ---- */
static enum lt_err prepare(struct journal_file *f, const char *sql, sqlite3_stmt **ret, struct lt_error *err)
{
    const int rc = sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    return rc == SQLITE_OK ? LT_OK : journal_sql_fail(f->db, rc, f->path, err);
}

static enum lt_err prepare_all(struct journal_file *f, enum journal_mode mode, struct lt_error *err)
{
    enum lt_err e = prepare(f, "SELECT " COLUMNS " FROM batch ORDER BY first_seq DESC LIMIT 1", &f->last, err);
    if (!e)
        e = prepare(f, "SELECT " COLUMNS " FROM batch WHERE first_seq<=?1 ORDER BY first_seq DESC LIMIT 1",
                    &f->at_or_before, err);
    if (!e)
        e = prepare(f, "SELECT " COLUMNS " FROM batch WHERE first_seq>?1 ORDER BY first_seq LIMIT 1", &f->after, err);
    /* One statement, so one snapshot: with two, a batch written between them could be passed over. */
    if (!e)
        e = prepare(f,
                    "SELECT " COLUMNS " FROM batch WHERE first_seq>=ifnull((SELECT first_seq FROM batch WHERE"
                    " first_seq<=?1 ORDER BY first_seq DESC LIMIT 1),0) ORDER BY first_seq LIMIT 2",
                    &f->holding, err);
    if (!e && mode != JOURNAL_READ)
        e = prepare(f, "INSERT INTO batch(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)", &f->insert, err);
    return e;
}

static enum lt_err make_schema(struct journal_file *f, uint64_t first_seq, const uint8_t prev_hash[32], int tz_min,
                               struct lt_error *err)
{
    enum lt_err e = journal_exec(f->db, schema, f->path, err);
    sqlite3_stmt *s = NULL;
    if (!e)
        e = prepare(f, "INSERT INTO meta SELECT ?1,?2,?3,?4,?5 WHERE NOT EXISTS(SELECT 1 FROM meta)", &s, err);
    if (!e) {
        sqlite3_bind_int(s, 1, JOURNAL_FORMAT);
        sqlite3_bind_int(s, 2, f->day);
        sqlite3_bind_int(s, 3, tz_min);
        sqlite3_bind_int64(s, 4, (int64_t)first_seq);
        sqlite3_bind_blob(s, 5, prev_hash, 32, SQLITE_STATIC);
        const int rc = sqlite3_step(s);
        if (rc != SQLITE_DONE)
            e = journal_sql_fail(f->db, rc, f->path, err);
    }
    sqlite3_finalize(s);
    if (!e)
        e = journal_exec(f->db, "COMMIT", f->path, err);
    if (e && !sqlite3_get_autocommit(f->db))
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

#define SELECT_META "SELECT format,first_seq,prev_hash,tz_min FROM meta"

/* Without table meta: the writer died, or is just now, between making the file and its schema (one transaction), or
 * the schema is damaged. */
static enum lt_err prepare_meta(struct journal_file *f, sqlite3_stmt **ret, struct lt_error *err)
{
    const int rc = sqlite3_prepare_v2(f->db, SELECT_META, -1, ret, NULL);
    if (rc == SQLITE_OK)
        return LT_OK;
    if (rc != SQLITE_ERROR)
        return journal_sql_fail(f->db, rc, f->path, err);
    sqlite3_stmt *s = NULL;
    const bool empty = sqlite3_prepare_v2(f->db, "SELECT 1 FROM sqlite_schema", -1, &s, NULL) == SQLITE_OK &&
                       sqlite3_step(s) == SQLITE_DONE;
    sqlite3_finalize(s);
    if (empty)
        return lt_failf(err, LT_E_NOT_FOUND, NULL, "%d", f->day);
    if (sqlite3_prepare_v2(f->db, SELECT_META, -1, ret, NULL) == SQLITE_OK) /* made just between the two */
        return LT_OK;
    return lt_fail(err, LT_E_CORRUPT, NULL, f->path, "schema", NULL);
}

static enum lt_err read_meta(struct journal_file *f, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = prepare_meta(f, &s, err);
    const int rc = e ? 0 : sqlite3_step(s);
    if (e) {
    } else if (rc == SQLITE_DONE) {
        e = lt_failf(err, LT_E_NOT_FOUND, NULL, "%d", f->day);
    } else if (rc != SQLITE_ROW) {
        e = journal_sql_fail(f->db, rc, f->path, err);
    } else if (sqlite3_column_int(s, 0) != JOURNAL_FORMAT || sqlite3_column_bytes(s, 2) != 32) {
        e = lt_fail(err, LT_E_CORRUPT, NULL, f->path, "unknown format", NULL);
    } else {
        f->first_seq = (uint64_t)sqlite3_column_int64(s, 1);
        memcpy(f->prev_hash, sqlite3_column_blob(s, 2), 32);
        f->tz_min = sqlite3_column_int(s, 3);
    }
    sqlite3_finalize(s);
    return e;
}

/* A WAL database can be read without its -shm only where the folder can be written. On read-only media a file whose
 * WAL is empty is complete by itself, so it may be opened as immutable. */
static int open_immutable(struct journal_file *f)
{
    char wal[JOURNAL_PATH_MAX + 8], uri[JOURNAL_PATH_MAX + 32];
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    if (access(wal, F_OK) == 0 || strpbrk(f->path, "?#%"))
        return SQLITE_CANTOPEN;
    snprintf(uri, sizeof uri, "file:%s?immutable=1", f->path);
    sqlite3_close_v2(f->db);
    f->db = NULL;
    return sqlite3_open_v2(uri, &f->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
}

static enum lt_err open_reading(struct journal_file *f, struct lt_error *err)
{
    int rc = sqlite3_open_v2(f->path, &f->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(f->db, BUSY_READ_MS);
        rc = sqlite3_exec(f->db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    }
    if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) {
        if (access(f->path, F_OK) != 0)
            return lt_failf(err, LT_E_NOT_FOUND, NULL, "%d", f->day);
        rc = open_immutable(f);
    }
    return rc == SQLITE_OK ? LT_OK : journal_sql_fail(f->db, rc, f->path, err);
}

static int no_checkpoint_on_close(sqlite3 *db)
{
    return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static enum lt_err open_writing(struct journal_file *f, bool create, struct lt_error *err)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    const int rc = sqlite3_open_v2(f->path, &f->db, flags, NULL);
    if (rc != SQLITE_OK)
        return journal_sql_fail(f->db, rc, f->path, err);
    sqlite3_busy_timeout(f->db, BUSY_WRITE_MS);
    no_checkpoint_on_close(f->db);
    _Static_assert(JOURNAL_PAGE == 8192, "as in the PRAGMA");
    /* synchronous=FULL: the WAL is synced at each commit. wal_autocheckpoint=0: the keeper does it beside. */
    return journal_exec(f->db,
                        "PRAGMA page_size=8192;PRAGMA application_id=" APPLICATION_ID ";PRAGMA journal_mode=WAL;"
                        "PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=0;PRAGMA cache_size=-4096",
                        f->path, err);
}

enum lt_err journal_file_open(const char *dir, int day, enum journal_mode mode, uint64_t first_seq,
                              const uint8_t prev_hash[32], int tz_min, struct journal_file **ret, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX];
    journal_file_path(dir, day, path);
    const enum lt_err e = journal_file_open_at(path, day, mode, first_seq, prev_hash, tz_min, ret, err);
    if (!e && mode == JOURNAL_CREATE && !journal_sync_dir(dir)) {
        journal_file_close(ret);
        return lt_fail(err, LT_E_IO, NULL, path, "fsync of the folder", NULL);
    }
    return e;
}

/* A file made for a batch that then could not be written may hold an outdated meta row: as long as it has no batch,
 * it is put right. */
static enum lt_err mend_meta(struct journal_file *f, uint64_t first_seq, const uint8_t prev_hash[32],
                             struct lt_error *err)
{
    if (f->first_seq == first_seq && memcmp(f->prev_hash, prev_hash, 32) == 0)
        return LT_OK;
    sqlite3_stmt *s = NULL;
    enum lt_err e =
        prepare(f, "UPDATE meta SET first_seq=?1,prev_hash=?2 WHERE NOT EXISTS(SELECT 1 FROM batch)", &s, err);
    if (e)
        return e;
    sqlite3_bind_int64(s, 1, (int64_t)first_seq);
    sqlite3_bind_blob(s, 2, prev_hash, 32, SQLITE_STATIC);
    const int rc = sqlite3_step(s);
    if (rc != SQLITE_DONE)
        e = journal_sql_fail(f->db, rc, f->path, err);
    else if (sqlite3_changes(f->db) != 1)
        e = lt_fail(err, LT_E_CORRUPT, NULL, f->path, "does not continue the day before", NULL);
    sqlite3_finalize(s);
    if (!e) {
        f->first_seq = first_seq;
        memcpy(f->prev_hash, prev_hash, 32);
    }
    return e;
}

enum lt_err journal_file_open_at(const char *path, int day, enum journal_mode mode, uint64_t first_seq,
                                 const uint8_t prev_hash[32], int tz_min, struct journal_file **ret,
                                 struct lt_error *err)
{
    struct journal_file *f = calloc(1, sizeof *f);
    if (!f)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    f->day = day;
    snprintf(f->path, sizeof f->path, "%s", path);
    enum lt_err e = mode == JOURNAL_READ ? open_reading(f, err) : open_writing(f, mode == JOURNAL_CREATE, err);
    if (!e)
        e = read_meta(f, err);
    if (e == LT_E_NOT_FOUND && mode == JOURNAL_CREATE) {
        e = make_schema(f, first_seq, prev_hash, tz_min, err);
        if (!e)
            e = read_meta(f, err);
    }
    if (!e && mode == JOURNAL_CREATE)
        e = mend_meta(f, first_seq, prev_hash, err);
    if (!e)
        e = prepare_all(f, mode, err);
    if (e) {
        journal_file_close(&f);
        return e;
    }
    *ret = f;
    return LT_OK;
}

void journal_file_close(struct journal_file **fp)
{
    struct journal_file *f = *fp;
    *fp = NULL;
    if (!f)
        return;
    sqlite3_finalize(f->insert);
    sqlite3_finalize(f->at_or_before);
    sqlite3_finalize(f->after);
    sqlite3_finalize(f->holding);
    sqlite3_finalize(f->last);
    sqlite3_close(f->db);
    journal_pool_unref(f->pool);
    ZSTD_freeDCtx(f->dctx);
    ZSTD_freeDDict(f->ddict);
    free(f->block);
    free(f);
}

/* ---- rows ---- */
enum lt_err journal_file_insert(struct journal_file *f, const struct journal_row *row, struct lt_error *err)
{
    sqlite3_stmt *s = f->insert;
    sqlite3_bind_int64(s, 1, (int64_t)row->first_seq);
    sqlite3_bind_int64(s, 2, row->count);
    sqlite3_bind_int64(s, 3, row->at_ms);
    sqlite3_bind_int64(s, 4, row->raw_len);
    sqlite3_bind_int64(s, 5, row->dict);
    sqlite3_bind_int64(s, 6, row->block);
    sqlite3_bind_int64(s, 7, row->pos);
    sqlite3_bind_blob(s, 8, row->hash, 32, SQLITE_STATIC);
    if (row->body.p)
        sqlite3_bind_blob64(s, 9, row->body.p, row->body.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, 9);
    const int rc = sqlite3_step(s);
    const enum lt_err e = rc == SQLITE_DONE ? LT_OK : journal_sql_fail(f->db, rc, f->path, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

static enum lt_err take_row(struct journal_file *f, sqlite3_stmt *s, struct journal_row *ret, struct lt_error *err)
{
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(s);
        return lt_fail(err, LT_E_NOT_FOUND, NULL, NULL, NULL, NULL);
    }
    enum lt_err e = rc == SQLITE_ROW ? LT_OK : journal_sql_fail(f->db, rc, f->path, err);
    if (!e && (sqlite3_column_bytes(s, 7) != 32 || sqlite3_column_int64(s, 0) <= 0 || sqlite3_column_int64(s, 1) <= 0 ||
               sqlite3_column_int64(s, 1) > JOURNAL_COUNT_MAX || sqlite3_column_int64(s, 3) <= JOURNAL_HEAD ||
               sqlite3_column_int64(s, 3) > JOURNAL_BODY_MAX || sqlite3_column_int64(s, 6) < 0 ||
               sqlite3_column_int64(s, 6) > UINT32_MAX))
        e = lt_fail(err, LT_E_CORRUPT, NULL, f->path, "row", NULL);
    if (e) {
        sqlite3_reset(s);
        return e;
    }
    *ret = (struct journal_row){
        .first_seq = (uint64_t)sqlite3_column_int64(s, 0),
        .count = (uint32_t)sqlite3_column_int64(s, 1),
        .at_ms = sqlite3_column_int64(s, 2),
        .raw_len = (uint32_t)sqlite3_column_int64(s, 3),
        .dict = sqlite3_column_int64(s, 4),
        .block = sqlite3_column_int64(s, 5),
        .pos = (uint32_t)sqlite3_column_int64(s, 6),
    };
    memcpy(ret->hash, sqlite3_column_blob(s, 7), 32);
    /* The body is fetched by journal_file_unpack only: a search by number or time must not read blobs. */
    return LT_OK;
}

static sqlite3_stmt *standing(struct journal_file *f)
{
    sqlite3_stmt *const all[] = {f->last, f->at_or_before, f->after, f->holding};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (sqlite3_stmt_busy(all[i]))
            return all[i];
    return NULL;
}

enum lt_err journal_file_last(struct journal_file *f, struct journal_row *ret, struct lt_error *err)
{
    return take_row(f, f->last, ret, err);
}

enum lt_err journal_file_at_or_before(struct journal_file *f, uint64_t seq, struct journal_row *ret,
                                      struct lt_error *err)
{
    sqlite3_bind_int64(f->at_or_before, 1, (int64_t)seq);
    return take_row(f, f->at_or_before, ret, err);
}

enum lt_err journal_file_after(struct journal_file *f, uint64_t seq, struct journal_row *ret, struct lt_error *err)
{
    sqlite3_bind_int64(f->after, 1, (int64_t)seq);
    return take_row(f, f->after, ret, err);
}

enum lt_err journal_file_holding(struct journal_file *f, uint64_t seq, struct journal_row *ret, struct lt_error *err)
{
    struct journal_row row;
    sqlite3_bind_int64(f->holding, 1, (int64_t)seq);
    enum lt_err e = take_row(f, f->holding, &row, err);
    if (!e && seq >= row.first_seq + row.count)
        e = take_row(f, f->holding, &row, err);
    if (!e)
        *ret = row;
    return e;
}

void journal_file_done(struct journal_file *f)
{
    sqlite3_stmt *s = standing(f);
    if (s)
        sqlite3_reset(s);
}

/* ---- unpacking ---- */
/* A row of a table with blob `body` by id; *ret is the caller's. */
static enum lt_err load_blob(struct journal_file *f, const char *sql, int64_t id, char **ret, size_t *ret_n,
                             int64_t *ret_raw, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = prepare(f, sql, &s, err);
    if (e)
        return e;
    sqlite3_bind_int64(s, 1, id);
    const int rc = sqlite3_step(s);
    const int n = rc == SQLITE_ROW ? sqlite3_column_bytes(s, 0) : 0;
    char *p = n > 0 ? malloc((size_t)n) : NULL;
    if (rc == SQLITE_DONE || (rc == SQLITE_ROW && n <= 0))
        e = lt_fail(err, LT_E_CORRUPT, NULL, f->path, "block or dictionary is missing", NULL);
    else if (rc != SQLITE_ROW)
        e = journal_sql_fail(f->db, rc, f->path, err);
    else if (!p)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e) {
        memcpy(p, sqlite3_column_blob(s, 0), (size_t)n);
        *ret = p;
        *ret_n = (size_t)n;
        *ret_raw = sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    return e;
}

static enum lt_err want_dict(struct journal_file *f, int64_t id, struct lt_error *err)
{
    if (f->ddict_id == id)
        return LT_OK;
    ZSTD_freeDDict(f->ddict);
    f->ddict = NULL;
    f->ddict_id = 0;
    if (id == 0)
        return LT_OK;
    char *p = NULL;
    size_t n = 0;
    int64_t raw;
    enum lt_err e = load_blob(f, "SELECT body,0 FROM dict WHERE id=?1", id, &p, &n, &raw, err);
    if (e)
        return e;
    f->ddict = ZSTD_createDDict(p, n);
    free(p);
    if (!f->ddict)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    f->ddict_id = id;
    return LT_OK;
}

static enum lt_err want_dctx(struct journal_file *f, struct lt_error *err)
{
    if (!f->dctx)
        f->dctx = ZSTD_createDCtx();
    return f->dctx ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static enum lt_err damaged(struct journal_file *f, const char *what, struct lt_error *err)
{
    return lt_fail(err, LT_E_CORRUPT, NULL, f->path, what, NULL);
}

static enum lt_err want_block(struct journal_file *f, int64_t id, struct lt_error *err)
{
    if (f->block && f->block_id == id)
        return LT_OK;
    free(f->block);
    f->block = NULL;
    char *p = NULL;
    size_t n = 0;
    int64_t raw = 0;
    enum lt_err e = load_blob(f, "SELECT body,raw_len FROM block WHERE id=?1", id, &p, &n, &raw, err);
    if (e)
        return e;
    if (raw <= 0 || raw > (int64_t)JOURNAL_BLOCK_MAX + JOURNAL_BODY_MAX)
        e = damaged(f, "block length", err);
    else if (!(f->block = malloc((size_t)raw)))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    else if (ZSTD_decompressDCtx(f->dctx, f->block, (size_t)raw, p, n) != (size_t)raw)
        e = damaged(f, "decompression", err);
    free(p);
    if (e) {
        free(f->block);
        f->block = NULL;
        return e;
    }
    f->block_n = (size_t)raw;
    f->block_id = id;
    return LT_OK;
}

static enum lt_err unpack_own(struct journal_file *f, const struct journal_row *row, char *to, struct lt_error *err)
{
    sqlite3_stmt *s = standing(f);
    enum lt_err e = want_dict(f, row->dict, err);
    if (e)
        return e;
    const void *p = s ? sqlite3_column_blob(s, 8) : NULL;
    if (!p)
        return damaged(f, "body is missing", err);
    const size_t n = (size_t)sqlite3_column_bytes(s, 8);
    const size_t got = f->ddict ? ZSTD_decompress_usingDDict(f->dctx, to, row->raw_len, p, n, f->ddict)
                                : ZSTD_decompressDCtx(f->dctx, to, row->raw_len, p, n);
    return got == row->raw_len ? LT_OK : damaged(f, "decompression", err);
}

static enum lt_err unpack_block(struct journal_file *f, const struct journal_row *row, char *to, struct lt_error *err)
{
    enum lt_err e = want_block(f, row->block, err);
    if (e)
        return e;
    if (row->pos > f->block_n || row->raw_len > f->block_n - row->pos)
        return damaged(f, "position in the block", err);
    memcpy(to, f->block + row->pos, row->raw_len);
    return LT_OK;
}

/* An empty batch with room for n bytes. Reading in turn then touches the same memory again and again. */
static struct journal_box *box_for(struct journal_file *f, size_t n)
{
    if (!f->pool)
        f->pool = journal_pool_create(1);
    struct journal_box *x = f->pool ? journal_box_create(f->pool) : NULL;
    if (x)
        journal_box_reserve(x, n, 0);
    if (x && x->cap >= n)
        return x;
    struct journal_batch *b = x ? &x->b : NULL;
    journal_batch_unref(&b);
    return NULL;
}

enum lt_err journal_file_unpack(struct journal_file *f, const struct journal_row *row, struct journal_box **ret,
                                struct lt_error *err)
{
    enum lt_err e = want_dctx(f, err);
    if (e)
        return e;
    struct journal_box *x = box_for(f, row->raw_len);
    if (!x)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    e = row->block ? unpack_block(f, row, x->mem, err) : unpack_own(f, row, x->mem, err);
    if (e) {
        struct journal_batch *b = &x->b;
        journal_batch_unref(&b);
        return e;
    }
    x->b = (struct journal_batch){row->first_seq, row->count, {x->mem, row->raw_len}, row->at_ms, {0}, 0};
    memcpy(x->b.hash, row->hash, 32);
    *ret = x;
    return LT_OK;
}

/* ---- dictionaries ---- */
enum lt_err journal_file_dict_add(struct journal_file *f, int64_t id, struct lt_slice dict, struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = prepare(f, "INSERT OR REPLACE INTO dict(id,body) VALUES(?1,?2)", &s, err);
    if (e)
        return e;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_blob64(s, 2, dict.p, dict.n, SQLITE_STATIC);
    const int rc = sqlite3_step(s);
    if (rc != SQLITE_DONE)
        e = journal_sql_fail(f->db, rc, f->path, err);
    sqlite3_finalize(s);
    return e;
}

enum lt_err journal_file_dict_last(struct journal_file *f, int64_t *ret_id, char **ret, size_t *ret_n,
                                   struct lt_error *err)
{
    sqlite3_stmt *s = NULL;
    enum lt_err e = prepare(f, "SELECT max(id) FROM dict", &s, err);
    if (e)
        return e;
    const int rc = sqlite3_step(s);
    int64_t id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (rc != SQLITE_ROW)
        e = journal_sql_fail(f->db, rc, f->path, err);
    sqlite3_finalize(s);
    int64_t raw;
    if (!e && id)
        e = load_blob(f, "SELECT body,0 FROM dict WHERE id=?1", id, ret, ret_n, &raw, err);
    if (!e)
        *ret_id = id;
    return e;
}

/* ---- finishing a day ---- */
enum lt_err journal_file_finish(const char *dir, int day, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX];
    journal_file_path(dir, day, path);
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    enum lt_err e = LT_OK;
    if (rc != SQLITE_OK) {
        e = journal_sql_fail(db, rc, path, err);
    } else {
        sqlite3_busy_timeout(db, BUSY_WRITE_MS);
        no_checkpoint_on_close(db);
        int busy = 0;
        rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &busy, NULL);
        if (rc != SQLITE_OK)
            e = journal_sql_fail(db, rc, path, err);
        else /* fails with BUSY while a reader has the file open; harmless, the file is complete already */
            e = journal_exec(db, "PRAGMA synchronous=FULL;PRAGMA journal_mode=DELETE", path, err);
    }
    sqlite3_close(db);
    return e;
}
