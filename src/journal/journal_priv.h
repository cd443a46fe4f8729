/* Inside of the journal: day files, rows, batches in memory. Used by this folder only. */
#ifndef LT_JOURNAL_PRIV_H
#define LT_JOURNAL_PRIV_H
#include <sqlite3.h>
#include <stdatomic.h>
#include <zstd.h>
#include "journal/journal.h"

#define JOURNAL_FORMAT   1
#define JOURNAL_PATH_MAX 1024
#define JOURNAL_PAGE     8192 /* of a day file */
#define JOURNAL_DICT_MAX (64 * 1024)
#define JOURNAL_HEAD     8 /* a body starts with the base time, int64 little endian */
#define JOURNAL_BLOCK_MAX                                                                                              \
    (1u << 20) /* raw bytes of one block of a recompressed day: one record costs 1 ms to read back */

/* A batch in memory with its owner count. journal_batch is its first member. */
struct journal_box {
    struct journal_batch b;
    atomic_uint refs;
    char *mem;
    size_t cap;
    uint32_t *offs; /* offset of each record, when indexed */
    size_t offs_cap;
    bool indexed;
    int64_t latest_at_ms;      /* of the records added */
    struct journal_pool *pool; /* where it goes when its last owner leaves it, or NULL */
};
/* A few large batches kept for reuse: touching fresh memory costs more than filling it (a page fault per 4 KiB, dear
 * on virtual machines). Lives as long as the writer or any batch that came from it. */
struct journal_pool;
struct journal_pool *journal_pool_create(unsigned most); /* batches it keeps, at most 8 */
void journal_pool_unref(struct journal_pool *p);
/* From the pool when it has one (pool may be NULL). */
struct journal_box *journal_box_create(struct journal_pool *pool);
/* A copy that takes no more memory than it needs. */
struct journal_box *journal_box_copy(const struct journal_box *x);
size_t journal_box_memory(const struct journal_batch *b);
/* Makes room for a batch of that size beforehand; no matter if it fails. */
void journal_box_reserve(struct journal_box *x, size_t bytes, size_t records);
/* Appends a record; false when full or out of memory (then the box is as before). */
bool journal_box_add(struct journal_box *x, const struct journal_record *r);
void journal_box_clear(struct journal_box *x);
/* Notes where each record begins. False when the body is not exactly b->count well-formed records. */
bool journal_box_index(struct journal_box *x);

/* ---- one day file ---- */
struct journal_row {
    uint64_t first_seq;
    uint32_t count, raw_len, pos;
    int64_t at_ms, dict, block;
    uint8_t hash[32];
    struct lt_slice body; /* borrowed from the statement until it is reset */
};

struct journal_file {
    sqlite3 *db;
    int day;
    char path[JOURNAL_PATH_MAX];
    int tz_min;            /* offset of its local day */
    uint64_t first_seq;    /* number of the first record the file may hold */
    uint8_t prev_hash[32]; /* of the last batch of the file before */
    sqlite3_stmt *insert, *at_or_before, *after, *holding, *last;
    struct journal_pool *pool; /* of batches read */
    ZSTD_DCtx *dctx;
    ZSTD_DDict *ddict; /* dictionary ddict_id */
    int64_t ddict_id;
    char *block; /* the block last unpacked: block_id */
    size_t block_n;
    int64_t block_id;
};

enum journal_mode { JOURNAL_READ, JOURNAL_WRITE, JOURNAL_CREATE };
void journal_file_path(const char *dir, int day, char ret[JOURNAL_PATH_MAX]);
/* CREATE makes schema and meta (first_seq, prev_hash, tz_min) when the file has none. LT_E_NOT_FOUND: no file, or
 * none with a schema yet. */
enum lt_err journal_file_open(const char *dir, int day, enum journal_mode mode, uint64_t first_seq,
                              const uint8_t prev_hash[32], int tz_min, struct journal_file **ret,
                              struct lt_error *err) LT_MUST_CHECK;
enum lt_err journal_file_open_at(const char *path, int day, enum journal_mode mode, uint64_t first_seq,
                                 const uint8_t prev_hash[32], int tz_min, struct journal_file **ret,
                                 struct lt_error *err) LT_MUST_CHECK;
void journal_file_close(struct journal_file **f);
enum lt_err journal_file_insert(struct journal_file *f, const struct journal_row *row,
                                struct lt_error *err) LT_MUST_CHECK;
/* Row search; LT_E_NOT_FOUND at the end. Call journal_file_done before the next one. */
enum lt_err journal_file_last(struct journal_file *f, struct journal_row *ret, struct lt_error *err) LT_MUST_CHECK;
enum lt_err journal_file_at_or_before(struct journal_file *f, uint64_t seq, struct journal_row *ret,
                                      struct lt_error *err) LT_MUST_CHECK;
enum lt_err journal_file_after(struct journal_file *f, uint64_t seq, struct journal_row *ret,
                               struct lt_error *err) LT_MUST_CHECK;
/* The first batch that holds a record with number >= seq. */
enum lt_err journal_file_holding(struct journal_file *f, uint64_t seq, struct journal_row *ret,
                                 struct lt_error *err) LT_MUST_CHECK;
void journal_file_done(struct journal_file *f);
/* The uncompressed batch of a row, owned by the caller. */
enum lt_err journal_file_unpack(struct journal_file *f, const struct journal_row *row, struct journal_box **ret,
                                struct lt_error *err) LT_MUST_CHECK;
enum lt_err journal_file_dict_add(struct journal_file *f, int64_t id, struct lt_slice dict,
                                  struct lt_error *err) LT_MUST_CHECK;
/* Newest dictionary; *ret_id 0 when there is none. The bytes are the caller's (free). */
enum lt_err journal_file_dict_last(struct journal_file *f, int64_t *ret_id, char **ret, size_t *ret_n,
                                   struct lt_error *err) LT_MUST_CHECK;
/* WAL into the file, back to one self-contained file without WAL. LT_E_BUSY when somebody reads. */
enum lt_err journal_file_finish(const char *dir, int day, struct lt_error *err) LT_MUST_CHECK;
enum lt_err journal_sql_fail(sqlite3 *db, int rc, const char *path, struct lt_error *err);
enum lt_err journal_exec(sqlite3 *db, const char *sql, const char *path, struct lt_error *err) LT_MUST_CHECK;
bool journal_sync_dir(const char *dir); /* fsync of DIR/journal */

/* ---- keeper: the thread that moves the WAL into the day file while commits go on (journal_keeper.c) ---- */
struct journal_keeper;
struct journal_keeper *journal_keeper_start(const char *dir);
void journal_keeper_stop(struct journal_keeper **k);
void journal_keeper_checkpoint(struct journal_keeper *k, int day); /* asks for a checkpoint of the day's WAL */
bool journal_keeper_caught_up(struct journal_keeper *k);           /* true once after each checkpoint */
void journal_keeper_finish(struct journal_keeper *k, int day);     /* asks to finish a day */
void journal_keeper_rest(struct journal_keeper *k);                /* waits until idle; its connection is closed */

/* The first number of a journal that holds nothing yet, and the hash before it (repair only). */
void journal_begin_at(struct journal *j, uint64_t first_seq, const uint8_t prev_hash[32]);
struct lt_slice journal_dict(const struct journal *j); /* in use, or about to be made; empty: none */
/* LT_E_IN_USE_DIR when a post runs on the directory. */
enum lt_err journal_lock_try(const char *dir, struct lt_error *err) LT_MUST_CHECK;

/* The last committed batch, once; NULL when it was taken already. The caller becomes its owner. */
struct journal_batch *journal_take_done(struct journal *j);
#endif
