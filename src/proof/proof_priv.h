/* Inside proof only: files, rows of streams, the walk over the journal. */
#ifndef LT_PROOF_PRIV_H
#define LT_PROOF_PRIV_H
#include "proof/proof.h"

#define PROOF_PATH 1024

/* ---- files ---- */
/* LT_E_NOT_FOUND, LT_E_TOO_LARGE beyond out->limit. */
enum lt_err proof_read(const char *path, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
/* Whole or not at all: PATH.part, fsync, rename, fsync of the directory. */
enum lt_err proof_write(const char *path, unsigned mode, struct lt_slice bytes, struct lt_error *err) LT_MUST_CHECK;
/* Without the last step, which one proof_sync_parent() then does for all files of the directory. */
enum lt_err proof_write_unsynced(const char *path, unsigned mode, struct lt_slice bytes,
                                 struct lt_error *err) LT_MUST_CHECK;
enum lt_err proof_sync_parent(const char *path, struct lt_error *err) LT_MUST_CHECK;
enum lt_err proof_mkdir(const char *path, unsigned mode, struct lt_error *err) LT_MUST_CHECK;

/* ---- rows of the streams in state.db ---- */
#define PROOF_ROW_MAX (8u << 20) /* canonical bytes of one row; an audit detail has at most some 100 kB */
struct proof_rows {              /* what a range of rows came to */
    uint64_t first, last, count;
    int64_t newest_ms;
    uint8_t chain[CHAIN_HASH];
};
/* Number of the last row of a part: the one before the first that is at or after end_ms; `after` when there is none. */
enum lt_err proof_rows_end(struct sql_db *db, enum chain_stream s, uint64_t after, int64_t end_ms, uint64_t *ret,
                           struct lt_error *err) LT_MUST_CHECK;
/* Adds the rows after < number <= to as leaves. */
enum lt_err proof_rows_tree(struct sql_db *db, enum chain_stream s, uint64_t after, uint64_t to,
                            struct chain_tree *tree, struct proof_rows *ret, struct lt_error *err) LT_MUST_CHECK;
/* n leaves of the rows after < number <= to, from the `skip`th on; the canonical bytes of row wanted_seq are appended
 * to ret_record. */
enum lt_err proof_rows_block(struct sql_db *db, enum chain_stream s, uint64_t after, uint64_t to, uint64_t skip,
                             struct chain_hasher *h, struct chain_pair *leaves, size_t n, uint64_t wanted_seq,
                             struct lt_buf *ret_record, struct lt_error *err) LT_MUST_CHECK;
/* Position of a row within a range. LT_E_NOT_FOUND. */
enum lt_err proof_rows_index(struct sql_db *db, enum chain_stream s, uint64_t after, uint64_t seq, uint64_t *ret,
                             struct lt_error *err) LT_MUST_CHECK;

/* ---- the walk over the journal ---- */
enum proof_walk_bad { WALK_NUMBER, WALK_HASH, WALK_COUNT, WALK_UNREADABLE, WALK_ORDER };
struct proof_walk {
    const char *dir;
    uint64_t first, last;
    unsigned threads; /* 0, 1: on the caller's thread only */
    bool known_prev;
    uint8_t prev[CHAIN_HASH]; /* hash of the batch before `first`, when known */
    struct chain_tree *tree;  /* gets the leaves; NULL: chain only */
    bool (*go_on)(void *user, uint64_t records);
    void (*bad)(void *user, enum proof_walk_bad what, uint64_t first, uint64_t last);
    void *user;
    /* results */
    uint64_t records, batches, bytes, bad_n;
    int64_t newest_ms;
    uint8_t chain[CHAIN_HASH]; /* hash of the last batch, as stored */
};
enum lt_err proof_walk_run(struct proof_walk *w, struct lt_error *err) LT_MUST_CHECK;
/* Hash before the first batch of a day file, and its first number. */
enum lt_err proof_day_begin(const char *dir, int day, uint64_t *ret_first, uint8_t ret_prev[CHAIN_HASH],
                            struct lt_error *err) LT_MUST_CHECK;

/* ---- tree files ---- */
struct proof_tree_file {
    struct {
        uint64_t first, count, nodes;
        const struct chain_pair *node;
    } section[CHAIN_STREAMS];
    struct lt_buf mem;
    struct chain_pair *all;
};
enum lt_err proof_tree_read(const char *path, struct proof_tree_file *ret, struct lt_error *err) LT_MUST_CHECK;
void proof_tree_fini(struct proof_tree_file *t);

/* SHA-256 root over blocks of 256 bytes; their leaves are appended to `leaves` when it is not NULL. */
bool proof_blocks(struct chain_hasher *h, struct lt_slice data, struct lt_buf *leaves, uint8_t ret_root[CHAIN_HASH]);

int proof_by_name(const void *a, const void *b); /* order of struct chain_entry in a package, for qsort */

/* Is that one of the published lines (each ends with LF, or CR LF)? begins: or the beginning of one. */
bool proof_has_line(struct lt_slice lines, struct lt_slice line, bool begins);
void proof_name(uint64_t n, int day, unsigned part, char ret[40]);
/* first number each stream goes on with after these statements: the newest earlier one with records; 0 none. */
void proof_last(const struct proof_day *days, size_t n, uint64_t ret[CHAIN_STREAMS]);
#endif
