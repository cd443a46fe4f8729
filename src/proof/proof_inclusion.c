/* The proof that one record lies in a sealed day: its block of at most 1,024 leaves is hashed again, the rest of the
 * path comes from the tree file. */
#include "journal/journal.h"
#include "base/text.h"
#include "proof/proof_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct asked {
    const char *dir;
    struct sql_db *db;
    enum chain_stream stream;
    uint64_t seq, index, after;
    struct proof_day day;
    struct chain_hasher *h;
    struct chain_pair *leaf; /* of the block */
    size_t n;
    struct lt_buf record;
};

static enum lt_err missing(const struct asked *a, struct lt_error *err)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)a->seq);
    return lt_fail(err, LT_E_NOT_FOUND, NULL, chain_stream_name[a->stream], text, NULL);
}

static enum lt_err block_of_journal(struct asked *a, uint64_t first, struct lt_error *err)
{
    struct journal_reader *r = NULL;
    uint8_t *mem = malloc(1 + CHAIN_RECORD_MAX);
    uint64_t at = first;
    enum lt_err e = mem ? journal_reader_open(a->dir, &r, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    while (e == LT_OK && at < first + a->n) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(r, at, &b, err);
        size_t pos = 0;
        struct journal_record j;
        uint64_t was = at;
        while (e == LT_OK && journal_batch_next(b, &pos, &j)) {
            if (j.seq != at || at >= first + a->n)
                continue;
            const struct chain_record c = {j.seq, j.ref, j.at_ms, j.conn, j.flags, j.kind, j.reason, j.mn, j.bytes};
            size_t n = chain_record_write(&c, mem + 1);
            if (!chain_leaf_both(a->h, mem, n, &a->leaf[at - first]))
                e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            if (at == a->seq)
                lt_buf_add(&a->record, mem + 1, n);
            at++;
        }
        journal_batch_unref(&b);
        if (e == LT_OK && at == was)
            e = missing(a, err);
    }
    if (r)
        journal_reader_close(&r);
    free(mem);
    return e == LT_E_NOT_FOUND ? missing(a, err) : e;
}

static enum lt_err find_statement(struct asked *a, struct lt_error *err)
{
    enum lt_err e = proof_day_of(a->dir, a->stream, a->seq, &a->day, err);
    if (e != LT_OK)
        return e == LT_E_NOT_FOUND ? missing(a, err) : e;
    const struct chain_range *r = &a->day.d.stream[a->stream];
    a->after = r->first - 1;
    if (a->stream == CHAIN_JOURNAL) {
        a->index = a->seq - r->first;
        return LT_OK;
    }
    return a->db ? proof_rows_index(a->db, a->stream, a->after, a->seq, &a->index, err) : missing(a, err);
}

static bool write_algo(const struct asked *a, const struct proof_tree_file *t, enum chain_algo al, struct jsonw *w)
{
    uint8_t path[CHAIN_PATH_MAX][CHAIN_HASH];
    size_t n = 0;
    char hex[2 * CHAIN_HASH + 1];
    const struct chain_range *r = &a->day.d.stream[a->stream];
    if (!chain_path(a->h, al, a->leaf, a->n, t->section[a->stream].node, r->count, a->index, path, &n))
        return false;
    jsonw_key(w, al == CHAIN_SHA256 ? "sha256" : "sm3");
    jsonw_object(w);
    lt_text_hex(a->leaf[a->index % CHAIN_KEEP].h[al], CHAIN_HASH, hex);
    jsonw_kstr(w, "leaf", hex);
    jsonw_key(w, "path");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++) {
        lt_text_hex(path[i], CHAIN_HASH, hex);
        jsonw_str(w, hex);
    }
    jsonw_array_end(w);
    lt_text_hex(r->root.h[al], CHAIN_HASH, hex);
    jsonw_kstr(w, "root", hex);
    jsonw_object_end(w);
    return true;
}

static enum lt_err write_proof(struct asked *a, const struct proof_tree_file *t, struct jsonw *w, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    char *hex = malloc(2 * a->record.n + 1);
    enum lt_err e =
        hex ? proof_day_text(a->dir, &a->day, &text, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        lt_text_hex((const uint8_t *)a->record.p, a->record.n, hex);
        jsonw_object(w);
        jsonw_kstr(w, "format", "lantian-inclusion");
        jsonw_ki64(w, "version", 1);
        jsonw_kstr(w, "stream", chain_stream_name[a->stream]);
        jsonw_ku64(w, "seq", a->seq);
        jsonw_ku64(w, "index", a->index);
        jsonw_ku64(w, "count", a->day.d.stream[a->stream].count);
        jsonw_kstr(w, "record", hex);
        if (a->record.failed || !write_algo(a, t, CHAIN_SHA256, w) || !write_algo(a, t, CHAIN_SM3, w))
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        jsonw_kslice(w, "statement", lt_buf_slice(&text));
        jsonw_object_end(w);
    }
    free(hex);
    lt_buf_fini(&text);
    return e;
}

static enum lt_err prove(struct asked *a, struct jsonw *w, struct lt_error *err)
{
    char path[PROOF_PATH];
    struct proof_tree_file t = {0};
    const struct chain_range *r = &a->day.d.stream[a->stream];
    uint64_t block = a->index / CHAIN_KEEP * CHAIN_KEEP;
    a->n = r->count - block < CHAIN_KEEP ? (size_t)(r->count - block) : CHAIN_KEEP;
    snprintf(path, sizeof path, "%.900s/proof/%s.tree", a->dir, a->day.name);
    enum lt_err e = proof_tree_read(path, &t, err);
    if (e == LT_OK && t.section[a->stream].count != r->count)
        e = lt_fail(err, LT_E_CORRUPT, NULL, path, "count", NULL);
    if (e == LT_OK)
        e = a->stream == CHAIN_JOURNAL ? block_of_journal(a, r->first + block, err)
                                       : proof_rows_block(a->db, a->stream, a->after, r->last, block, a->h, a->leaf,
                                                          a->n, a->seq, &a->record, err);
    if (e == LT_OK)
        e = write_proof(a, &t, w, err);
    proof_tree_fini(&t);
    return e;
}

enum lt_err proof_inclusion(const char *dir, struct sql_db *db, enum chain_stream stream, uint64_t seq, struct jsonw *w,
                            struct lt_error *err)
{
    struct asked a = {.dir = dir,
                      .db = db,
                      .stream = stream,
                      .seq = seq,
                      .h = chain_hasher_create(),
                      .leaf = malloc(CHAIN_KEEP * sizeof(struct chain_pair)),
                      .record = LT_BUF_INIT(PROOF_ROW_MAX)};
    enum lt_err e = a.h && a.leaf ? find_statement(&a, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        e = prove(&a, w, err);
    free(a.leaf);
    lt_buf_fini(&a.record);
    chain_hasher_destroy(&a.h);
    return e;
}
