/* Rows of audit, verdict and removal as leaves: one table of columns, one canonical form. */
#include "proof/proof_priv.h"

#include <assert.h>

#define NUMBERED(table, id, columns)                                                                                   \
    .select = "SELECT " columns " FROM " table " WHERE " id " > ?1 AND " id " <= ?2 ORDER BY " id,                     \
    .end = "SELECT coalesce((SELECT min(" id ") - 1 FROM " table " WHERE " id " > ?1 AND at_ms >= ?2),"                \
           " (SELECT max(" id ") FROM " table "), 0)",                                                                 \
    .index = "SELECT count(*), max(" id ") FROM " table " WHERE " id " > ?1 AND " id " <= ?2"

/* what: i integer, t text, b blob; the first column is the number, `time` the index of at_ms. `hash`: index of the
 * chain column, -1 none. */
static const struct stream {
    const char *select, *end, *index, *what;
    int time, hash;
} streams[CHAIN_STREAMS] = {
    [CHAIN_AUDIT] = {NUMBERED("audit", "seq",
                              "seq, at_ms, user_id, user_name, address, action, kind, record_id, detail, hash"),
                     .what = "iiittttitb", .time = 1, .hash = 9},
    [CHAIN_VERDICT] = {NUMBERED("verdict", "id", "id, alarm_key, rule, rule_version, at_ms, seq, outcome, inputs"),
                       .what = "ittiiitt", .time = 4, .hash = -1},
    [CHAIN_REMOVAL] = {NUMBERED("proof_removal", "seq",
                                "seq, at_ms, what, name, first, count, chain, reason, author, hash"),
                       .what = "iittiitttb", .time = 1, .hash = 9},
};

static enum lt_err ranged(struct sql_db *db, const char *text, uint64_t a, uint64_t b, struct sql_stmt **ret,
                          struct lt_error *err)
{
    enum lt_err e = sql_prepare(db, text, ret, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(*ret, 1, a > INT64_MAX ? INT64_MAX : (int64_t)a);
    sql_bind_i64(*ret, 2, b > INT64_MAX ? INT64_MAX : (int64_t)b);
    return LT_OK;
}

enum lt_err proof_rows_end(struct sql_db *db, enum chain_stream s, uint64_t after, int64_t end_ms, uint64_t *ret,
                           struct lt_error *err)
{
    assert(s != CHAIN_JOURNAL);
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = ranged(db, streams[s].end, after, end_ms > 0 ? (uint64_t)end_ms : 0, &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    if (e == LT_OK) {
        int64_t v = row ? sql_col_i64(st, 0) : 0;
        *ret = v > 0 && (uint64_t)v > after ? (uint64_t)v : after;
    }
    sql_release(&st);
    return e;
}

/* Canonical bytes of the row the statement stands on, behind one free byte for the leaf's prefix. */
static bool row_bytes(struct sql_stmt *st, enum chain_stream s, struct lt_buf *out)
{
    lt_buf_clear(out);
    lt_buf_addc(out, '\0');
    chain_row_begin(out, chain_stream_letter[s]);
    for (int i = 0; streams[s].what[i]; i++) {
        if (streams[s].what[i] == 'i')
            chain_row_i64(out, sql_col_i64(st, i));
        else
            chain_row_bytes(out, streams[s].what[i] == 't' ? sql_col_text(st, i) : sql_col_blob(st, i));
    }
    return !out->failed;
}

static enum lt_err no_memory(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

enum lt_err proof_rows_tree(struct sql_db *db, enum chain_stream s, uint64_t after, uint64_t to,
                            struct chain_tree *tree, struct proof_rows *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    struct lt_buf mem = LT_BUF_INIT(PROOF_ROW_MAX);
    bool row = false;
    *ret = (struct proof_rows){0};
    enum lt_err e = ranged(db, streams[s].select, after, to, &st, err);
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct chain_pair leaf;
        if (!row_bytes(st, s, &mem) || !chain_leaf_both(tree->h, (uint8_t *)mem.p, mem.n - 1, &leaf)) {
            e = no_memory(err);
            break;
        }
        chain_tree_add(tree, &leaf);
        ret->last = (uint64_t)sql_col_i64(st, 0);
        ret->first = ret->count ? ret->first : ret->last;
        ret->count++;
        int64_t at = sql_col_i64(st, streams[s].time);
        ret->newest_ms = at > ret->newest_ms ? at : ret->newest_ms;
        if (streams[s].hash >= 0) {
            struct lt_slice h = sql_col_blob(st, streams[s].hash);
            if (h.n == CHAIN_HASH)
                memcpy(ret->chain, h.p, CHAIN_HASH);
        }
    }
    sql_release(&st);
    lt_buf_fini(&mem);
    return e;
}

enum lt_err proof_rows_index(struct sql_db *db, enum chain_stream s, uint64_t after, uint64_t seq, uint64_t *ret,
                             struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = ranged(db, streams[s].index, after, seq, &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    if (e == LT_OK && (!row || sql_col_i64(st, 0) == 0 || (uint64_t)sql_col_i64(st, 1) != seq))
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, chain_stream_name[s], "", NULL);
    if (e == LT_OK)
        *ret = (uint64_t)sql_col_i64(st, 0) - 1;
    sql_release(&st);
    return e;
}

enum lt_err proof_rows_block(struct sql_db *db, enum chain_stream s, uint64_t after, uint64_t to, uint64_t skip,
                             struct chain_hasher *h, struct chain_pair *leaves, size_t n, uint64_t wanted_seq,
                             struct lt_buf *ret_record, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    struct lt_buf mem = LT_BUF_INIT(PROOF_ROW_MAX);
    bool row = false;
    size_t got = 0;
    enum lt_err e = ranged(db, streams[s].select, after, to, &st, err);
    while (e == LT_OK && got < n && (e = sql_step(st, &row, err)) == LT_OK && row) {
        if (skip) {
            skip--;
            continue;
        }
        if (!row_bytes(st, s, &mem) || !chain_leaf_both(h, (uint8_t *)mem.p, mem.n - 1, &leaves[got]))
            e = no_memory(err);
        if ((uint64_t)sql_col_i64(st, 0) == wanted_seq)
            lt_buf_add(ret_record, mem.p + 1, mem.n - 1);
        got++;
    }
    sql_release(&st);
    lt_buf_fini(&mem);
    if (e == LT_OK && got < n)
        e = lt_fail(err, LT_E_CORRUPT, NULL, chain_stream_name[s], "rows are missing", NULL);
    return e;
}
