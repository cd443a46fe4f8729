/* Inside air only: the blob of a block, and the writer that all changes go through. */
#ifndef LT_AIR_PRIV_H
#define LT_AIR_PRIV_H
#include "air/air.h"
#include "base/buf.h"

/* ---- the blob of a block (air_store_block.c) ---- */
#define AIR_BLOB_MAX 4096 /* 12 items x (24 values of at most 5 bytes + 48 states and sources) and the head fit */
size_t air_block_encode(const struct air_block *b, uint8_t ret[AIR_BLOB_MAX]);
bool air_block_decode(struct lt_slice blob, struct air_block *ret); /* false: damaged */

/* ---- the audit (air_store_put.c) ---- */
/* A row of action import, push or undo: what the version did, and pairs of name and text (NULL ends them; may be NULL).
 */
enum lt_err air_audit(const struct record_ctx *x, const char *action, const struct air_put_result *r,
                      const char *const more[], struct lt_error *err) LT_MUST_CHECK;

/* ---- the writer (air_store_put.c): one version, within the caller's transaction ---- */
struct air_cell_new { /* what a value becomes */
    int32_t value;
    uint8_t state, source;
};
struct air_writer;
/* Begins a scope; the version gets its number with the first change. */
enum lt_err air_writer_begin(struct sql_db *db, const struct air_batch_info *info, struct air_writer **ret,
                             struct lt_error *err) LT_MUST_CHECK;
/* The block of a station and day, ready to be looked at and changed by the calls below; valid until the next call. */
enum lt_err air_writer_block(struct air_writer *w, int64_t station, int32_t day, struct air_block **ret,
                             struct lt_error *err) LT_MUST_CHECK;
/* A delivery of one hour, by the rule of air.h. */
enum lt_err air_writer_deliver(struct air_writer *w, const struct air_row *row, struct lt_error *err) LT_MUST_CHECK;
/* Sets a value with its row in the trail, whatever stood there. review: record id or 0. */
enum lt_err air_writer_set(struct air_writer *w, int64_t station, int32_t day, int hour, enum air_item item,
                           const struct air_cell_new *to, int64_t review, struct lt_error *err) LT_MUST_CHECK;
/* Keeps a value that was not taken; an equal refusal is kept once. */
enum lt_err air_writer_refuse(struct air_writer *w, int64_t station, int32_t day, int hour, enum air_item item,
                              const struct air_cell_new *to, enum air_refusal why, struct lt_error *err) LT_MUST_CHECK;
/* Rows in any order; those of one hour in theirs. May be called again with more. */
enum lt_err air_writer_rows(struct air_writer *w, const struct air_row *rows, size_t n,
                            struct lt_error *err) LT_MUST_CHECK;
/* Writes what is open and ends the scope by e; frees. */
enum lt_err air_writer_end(struct air_writer **w, enum lt_err e, struct air_put_result *ret,
                           struct lt_error *err) LT_MUST_CHECK;
#endif
