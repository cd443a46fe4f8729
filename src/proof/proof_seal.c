/* Sealing a day: one pass over its journal and over the rows of the day, the tree file, then the signed statement. The
 * statement is written last and whole: killed before, the next attempt does the same again. */
#include "base/clock.h"
#include "base/text.h"
#include "base/varint.h"
#include "journal/journal.h"
#include "proof/proof_priv.h"
#include "record/audit.h"

#include <stdio.h>
#include <stdlib.h>

struct sealing {
    const struct proof_sealer *s;
    struct chain_hasher *h;
    struct chain_day d;
    struct chain_tree tree[CHAIN_STREAMS];
    uint64_t after[CHAIN_STREAMS];
    int64_t newest_ms;
};

static enum lt_err none(struct lt_error *err)
{
    return lt_fail(err, LT_E_NOT_FOUND, NULL, "day", "", NULL);
}

/* First number of the first day file after `day` that has a batch; 0: none. */
static enum lt_err first_after(struct journal_reader *r, const int *days, size_t n, int day, uint64_t *ret_first,
                               int *ret_day, struct lt_error *err)
{
    *ret_first = 0;
    for (size_t i = 0; i < n; i++) {
        if (days[i] <= day)
            continue;
        enum lt_err e = journal_reader_day_first(r, days[i], ret_first, err);
        *ret_day = days[i];
        if (e != LT_E_NOT_FOUND)
            return e;
        *ret_first = 0;
    }
    return LT_OK;
}

/* Which records of the journal the next statement covers. */
static enum lt_err choose(struct sealing *x, const struct proof_day *last, bool part_now, struct lt_error *err)
{
    static const size_t cap = JOURNAL_DAYS_MAX;
    int *days = malloc(cap * sizeof *days), day = 0, next = 0;
    struct journal_reader *r = NULL;
    uint64_t first = 0, behind = 0, end = 0;
    enum lt_err e = days ? journal_reader_open(x->s->dir, &r, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    size_t n = e == LT_OK ? journal_days(x->s->dir, days, cap) : 0;
    bool again = last && !last->d.final; /* a day of which a part is sealed */
    if (e == LT_OK && again) {
        day = last->d.day;
        first = x->after[CHAIN_JOURNAL] + 1;
    } else if (e == LT_OK) {
        e = first_after(r, days, n, last ? last->d.day : 0, &first, &day, err);
    }
    if (e == LT_OK && first == 0)
        e = none(err);
    if (e == LT_OK)
        e = first_after(r, days, n, day, &behind, &next, err);
    if (e == LT_OK && behind)
        end = behind - 1;
    else if (e == LT_OK && part_now)
        e = journal_reader_last_seq(r, &end, err);
    else if (e == LT_OK)
        e = none(err);
    if (e == LT_OK && x->s->engine_seq < end) /* its verdicts are not all there */
        e = behind ? lt_fail(err, LT_E_BUSY, NULL, "engine", NULL, NULL) : LT_OK;
    if (r)
        journal_reader_close(&r);
    free(days);
    if (e != LT_OK)
        return e;
    x->d.day = day;
    x->d.part = again ? last->d.part + 1 : 1;
    x->d.final = behind != 0;
    bool some = end >= first;
    x->d.stream[CHAIN_JOURNAL] =
        (struct chain_range){.first = some ? first : 0, .last = some ? end : 0, .count = some ? end - first + 1 : 0};
    return LT_OK;
}

static bool on_records(void *user, uint64_t records)
{
    const struct proof_sealer *s = user;
    return !s->go_on || s->go_on(s->user, records);
}

static enum lt_err seal_journal(struct sealing *x, struct lt_error *err)
{
    struct chain_range *r = &x->d.stream[CHAIN_JOURNAL];
    struct proof_walk w = {.dir = x->s->dir,
                           .first = r->first,
                           .last = r->last,
                           .threads = x->s->threads,
                           .tree = &x->tree[CHAIN_JOURNAL],
                           .go_on = on_records,
                           .user = (void *)(uintptr_t)x->s};
    enum lt_err e = r->count ? proof_walk_run(&w, err) : LT_OK;
    if (e == LT_OK && (w.bad_n || w.records != r->count)) { /* a damaged day is not signed as if it were whole */
        char text[64];
        snprintf(text, sizeof text, "%llu of %llu records", (unsigned long long)w.records,
                 (unsigned long long)r->count);
        e = lt_fail(err, LT_E_CORRUPT, NULL, "journal", text, NULL);
    }
    if (e == LT_OK && !chain_tree_finish(&x->tree[CHAIN_JOURNAL], &r->root))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    memcpy(r->chain, w.chain, CHAIN_HASH);
    x->newest_ms = w.newest_ms;
    return e;
}

static enum lt_err seal_rows(struct sealing *x, struct lt_error *err)
{
    int64_t end_ms = INT64_MAX;
    if (x->d.final) {
        if (!lt_day_number_start(x->d.day, x->d.tz_min, &end_ms))
            return lt_fail(err, LT_E_CORRUPT, NULL, "journal", "day", NULL);
        end_ms += LT_DAY_MS;
    }
    enum lt_err e = sql_begin_read(x->s->db, err);
    if (e != LT_OK)
        return e;
    for (int s = CHAIN_AUDIT; e == LT_OK && s < CHAIN_STREAMS; s++) {
        struct chain_range *r = &x->d.stream[s];
        struct proof_rows rows;
        uint64_t to = 0;
        e = proof_rows_end(x->s->db, (enum chain_stream)s, x->after[s], end_ms, &to, err);
        if (e == LT_OK)
            e = proof_rows_tree(x->s->db, (enum chain_stream)s, x->after[s], to, &x->tree[s], &rows, err);
        if (e == LT_OK && !chain_tree_finish(&x->tree[s], &r->root))
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        if (e != LT_OK)
            break;
        r->first = rows.first;
        r->last = rows.last;
        r->count = rows.count;
        memcpy(r->chain, rows.chain, CHAIN_HASH);
        x->newest_ms = rows.newest_ms > x->newest_ms ? rows.newest_ms : x->newest_ms;
    }
    sql_rollback(x->s->db);
    return e;
}

static void put_le(struct lt_buf *out, uint64_t v, unsigned n)
{
    uint8_t b[8];
    lt_le_put(b, v, n);
    lt_buf_add(out, b, n);
}

static enum lt_err write_tree(struct sealing *x, const char *name, struct lt_error *err)
{
    struct lt_buf out = LT_BUF_INIT(1u << 30);
    char path[PROOF_PATH], column[16];
    uint64_t at = 16 + 48u * CHAIN_STREAMS;
    lt_buf_add(&out, "LTTREE1", 8);
    put_le(&out, CHAIN_KEEP_LEVEL, 4);
    put_le(&out, CHAIN_STREAMS, 4);
    for (int s = 0; s < CHAIN_STREAMS; s++) {
        memset(column, 0, sizeof column);
        lt_text_copy(column, sizeof column, chain_stream_name[s]);
        lt_buf_add(&out, column, sizeof column);
        put_le(&out, x->d.stream[s].first, 8);
        put_le(&out, x->d.stream[s].count, 8);
        put_le(&out, x->tree[s].n_node, 8);
        put_le(&out, at, 8);
        at += x->tree[s].n_node * sizeof(struct chain_pair);
    }
    for (int s = 0; s < CHAIN_STREAMS; s++)
        lt_buf_add(&out, x->tree[s].node, x->tree[s].n_node * sizeof(struct chain_pair));
    snprintf(path, sizeof path, "%.900s/proof/%s.tree", x->s->dir, name);
    enum lt_err e = out.failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL)
                               : proof_write(path, 0644, lt_buf_slice(&out), err);
    lt_buf_fini(&out);
    return e;
}

static enum lt_err write_day(struct sealing *x, const char *name, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    char path[PROOF_PATH];
    chain_day_write_signed(&x->d, &text);
    x->d.n_signed = text.n;
    bool ok = !text.failed;
    for (int t = 0; ok && t < CHAIN_KEY_TYPES; t++)
        ok = proof_keys_sign(x->s->keys, (enum chain_key_type)t, lt_buf_slice(&text), x->d.sig[t], &x->d.sig_n[t]);
    chain_day_write_sigs(&x->d, &text);
    snprintf(path, sizeof path, "%.900s/proof/%s.day", x->s->dir, name);
    enum lt_err e = ok && !text.failed ? proof_write(path, 0644, lt_buf_slice(&text), err)
                                       : lt_fail(err, LT_E_IO, NULL, "keys", "signing failed", NULL);
    lt_buf_fini(&text);
    return e;
}

/* The audit trail says it too, so the next statement covers it. */
static enum lt_err tell_audit(struct sealing *x, int64_t now_ms, struct lt_error *err)
{
    const struct auth_ctx who = auth_system("proof");
    struct lt_buf detail = LT_BUF_INIT(1000);
    lt_buf_addf(&detail, "{\"n\":%llu,\"day\":%d,\"part\":%u,\"final\":%s,\"records\":%llu}",
                (unsigned long long)x->d.n, x->d.day, x->d.part, x->d.final ? "true" : "false",
                (unsigned long long)x->d.stream[CHAIN_JOURNAL].count);
    const struct audit_entry entry = {
        .who = &who, .at_ms = now_ms, .action = "seal", .kind = "proof", .detail = lt_buf_slice(&detail)};
    enum lt_err e = audit_add(x->s->db, &entry, err);
    lt_buf_fini(&detail);
    return e;
}

static enum lt_err follow(struct sealing *x, const struct proof_day *days, size_t n, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    if (n == 0) {
        x->d.n = 1;
        return LT_OK;
    }
    const struct proof_day *last = &days[n - 1];
    if (last->bad_line)
        return lt_fail(err, LT_E_CORRUPT, NULL, last->name, "the last day statement", NULL);
    if (strcmp(last->d.key, x->d.key) != 0)
        return lt_fail(err, LT_E_CORRUPT, NULL, "keys", "not the keys of the statements before", NULL);
    x->d.n = last->n + 1;
    proof_last(days, n, x->after);
    enum lt_err e = proof_day_text(x->s->dir, last, &text, err);
    const struct lt_slice signed_bytes = {text.p, last->d.n_signed};
    if (e == LT_OK && !chain_digest(x->h, CHAIN_SHA256, &signed_bytes, 1, x->d.previous))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    lt_buf_fini(&text);
    return e;
}

static enum lt_err do_seal(struct sealing *x, int64_t now_ms, bool part_now, struct lt_error *err)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    char path[PROOF_PATH], name[40];
    const struct proof_public *pub = proof_keys_public(x->s->keys);
    memcpy(x->d.ed25519, pub->ed25519, sizeof x->d.ed25519);
    memcpy(x->d.sm2, pub->sm2, sizeof x->d.sm2);
    memcpy(x->d.key, pub->id, sizeof x->d.key);
    x->d.tz_min = x->s->tz_min;
    snprintf(path, sizeof path, "%.900s/proof", x->s->dir);
    enum lt_err e = proof_mkdir(path, 0755, err);
    if (e == LT_OK)
        e = proof_days(x->s->dir, &days, &n, err);
    if (e == LT_OK)
        e = follow(x, days, n, err);
    if (e == LT_OK)
        e = choose(x, n ? &days[n - 1] : NULL, part_now, err);
    if (e == LT_OK)
        e = seal_journal(x, err);
    if (e == LT_OK)
        e = seal_rows(x, err);
    if (e == LT_OK) {
        int64_t before = n ? days[n - 1].d.sealed_at_ms : 0; /* a clock set back must not make time run backward */
        before = x->newest_ms > before ? x->newest_ms : before;
        x->d.sealed_at_ms = now_ms > before ? now_ms : before;
        proof_name(x->d.n, x->d.day, x->d.part, name);
        e = write_tree(x, name, err);
    }
    if (e == LT_OK)
        e = write_day(x, name, err);
    free(days);
    if (e == LT_OK)
        e = tell_audit(x, now_ms, err);
    if (e == LT_OK)
        e = proof_lines_file(x->s->dir, err);
    if (e == LT_OK && x->d.final)
        e = proof_sum_write(x->s->dir, x->d.day, err);
    return e;
}

enum lt_err proof_seal(const struct proof_sealer *s, int64_t now_ms, bool part_now, struct chain_day *ret,
                       struct lt_error *err)
{
    struct sealing *x = calloc(1, sizeof *x);
    if (!x)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    x->s = s;
    x->h = chain_hasher_create();
    bool ok = x->h;
    for (int i = 0; i < CHAIN_STREAMS; i++)
        ok = ok && chain_tree_init(&x->tree[i], x->h);
    enum lt_err e = ok ? do_seal(x, now_ms, part_now, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        *ret = x->d;
    for (int i = 0; i < CHAIN_STREAMS; i++)
        chain_tree_fini(&x->tree[i]);
    chain_hasher_destroy(&x->h);
    free(x);
    return e;
}
