/* The hash-chained audit table; see audit.h. */
#include "record/audit.h"
#include "base/text.h"
#include "record/record_priv.h"

#include <sodium.h>
#include <stdio.h>

_Static_assert(AUDIT_HASH == crypto_hash_sha256_BYTES, "SHA-256");

enum lt_err audit_setup(struct sql_db *db, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1,
         "CREATE TABLE audit(seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, user_id INTEGER NOT NULL,"
         " user_name TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL,"
         " record_id INTEGER NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);"
         "CREATE INDEX audit_record ON audit(kind, record_id);"
         "CREATE TABLE record_history(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
         " record_id INTEGER NOT NULL, version INTEGER NOT NULL, at_ms INTEGER NOT NULL, user_id INTEGER NOT NULL,"
         " user_name TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, change TEXT NOT NULL);"
         "CREATE INDEX record_history_record ON record_history(kind, record_id, id)"},
    };
    return sql_migrate(db, "audit", steps, sizeof steps / sizeof steps[0], err);
}

struct line {
    int64_t seq, at_ms, user_id, record_id;
    struct lt_slice user_name, address, action, kind, detail;
};

static void hash_i64(crypto_hash_sha256_state *h, int64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
    crypto_hash_sha256_update(h, b, sizeof b);
}

void audit_hash(const uint8_t before[AUDIT_HASH], const struct audit_column *columns, size_t n, uint8_t ret[AUDIT_HASH])
{
    crypto_hash_sha256_state h;
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, before, AUDIT_HASH);
    for (size_t i = 0; i < n; i++) {
        hash_i64(&h, columns[i].number ? columns[i].i : (int64_t)columns[i].s.n);
        if (!columns[i].number && columns[i].s.n)
            crypto_hash_sha256_update(&h, (const unsigned char *)columns[i].s.p, columns[i].s.n);
    }
    crypto_hash_sha256_final(&h, ret);
}

static void hash_line(const unsigned char previous[AUDIT_HASH], const struct line *l, unsigned char ret[AUDIT_HASH])
{
    const struct audit_column c[] = {AUDIT_I(l->seq),       AUDIT_I(l->at_ms),     AUDIT_I(l->user_id),
                                     AUDIT_S(l->user_name), AUDIT_S(l->address),   AUDIT_S(l->action),
                                     AUDIT_S(l->kind),      AUDIT_I(l->record_id), AUDIT_S(l->detail)};
    audit_hash(previous, c, sizeof c / sizeof c[0], ret);
}

static enum lt_err last_line(struct sql_db *db, int64_t *seq, unsigned char hash[AUDIT_HASH], struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", &st, err);
    if (e != LT_OK)
        return e;
    bool row = false;
    e = sql_step(st, &row, err);
    if (e == LT_OK && row) {
        struct lt_slice b = sql_col_blob(st, 1);
        *seq = sql_col_i64(st, 0);
        if (b.n == AUDIT_HASH)
            memcpy(hash, b.p, AUDIT_HASH);
        else
            e = lt_failf(err, LT_E_CORRUPT, "audit", "audit row %lld", (long long)*seq);
    }
    sql_release(&st);
    return e;
}

static enum lt_err insert(struct sql_db *db, const struct line *l, const unsigned char hash[AUDIT_HASH],
                          struct lt_error *err)
{
    return sql_do(db,
                  "INSERT INTO audit(seq, at_ms, user_id, user_name, address, action, kind, record_id,"
                  " detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                  SQL_VALUES(SQL_I(l->seq), SQL_I(l->at_ms), SQL_I(l->user_id), SQL_S(l->user_name), SQL_S(l->address),
                             SQL_S(l->action), SQL_S(l->kind), SQL_I(l->record_id), SQL_S(l->detail),
                             SQL_B(hash, AUDIT_HASH)),
                  err);
}

enum lt_err audit_add(struct sql_db *db, const struct audit_entry *entry, struct lt_error *err)
{
    /* Inside the transaction of the deed no scope of its own: one insert is whole or not there. */
    const bool own = sql_depth(db) == 0;
    enum lt_err e = own ? sql_begin(db, err) : LT_OK;
    if (e != LT_OK)
        return e;
    unsigned char previous[AUDIT_HASH] = {0}, hash[AUDIT_HASH];
    int64_t seq = 0;
    e = last_line(db, &seq, previous, err);
    if (e == LT_OK) {
        struct line l = {
            .seq = seq + 1,
            .at_ms = entry->at_ms,
            .user_id = entry->who->user_id,
            .record_id = entry->record_id,
            .user_name = lt_slice_of(entry->who->name),
            .address = lt_slice_of(entry->who->address),
            .action = lt_slice_of(entry->action),
            .kind = lt_slice_of(entry->kind ? entry->kind : ""),
            .detail = entry->detail.n ? entry->detail : LT_LIT("{}"),
        };
        hash_line(previous, &l, hash);
        e = insert(db, &l, hash, err);
    }
    return own ? sql_end(db, e, err) : e;
}

static void line_of(struct sql_stmt *st, struct line *l)
{
    *l = (struct line){
        .seq = sql_col_i64(st, 0),
        .at_ms = sql_col_i64(st, 1),
        .user_id = sql_col_i64(st, 2),
        .user_name = sql_col_text(st, 3),
        .address = sql_col_text(st, 4),
        .action = sql_col_text(st, 5),
        .kind = sql_col_text(st, 6),
        .record_id = sql_col_i64(st, 7),
        .detail = sql_col_text(st, 8),
    };
}

#define COLUMNS "seq, at_ms, user_id, user_name, address, action, kind, record_id, detail, hash"

enum lt_err audit_verify(struct sql_db *db, int64_t *ret_rows, int64_t *ret_bad_seq, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, "SELECT " COLUMNS " FROM audit ORDER BY seq", &st, err);
    if (e != LT_OK)
        return e;
    unsigned char previous[AUDIT_HASH] = {0};
    int64_t rows = 0;
    bool row = true;
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        struct line l;
        unsigned char hash[AUDIT_HASH];
        line_of(st, &l);
        hash_line(previous, &l, hash);
        struct lt_slice stored = sql_col_blob(st, 9);
        if (l.seq != rows + 1 || stored.n != AUDIT_HASH || memcmp(stored.p, hash, AUDIT_HASH) != 0) {
            char what[64];
            snprintf(what, sizeof what, "row %lld", (long long)l.seq);
            *ret_bad_seq = l.seq;
            e = lt_fail(err, LT_E_CORRUPT, "audit", "audit", what, NULL);
            break;
        }
        memcpy(previous, hash, AUDIT_HASH);
        rows++;
    }
    sql_release(&st);
    *ret_rows = rows;
    /* SQLite's own count of numbers ever given catches rows cut off at the end (as far as it was not changed too). */
    int64_t given = 0;
    if (e == LT_OK &&
        sql_get_i64(db, "SELECT seq FROM sqlite_sequence WHERE name = 'audit'", NULL, &given, NULL) == LT_OK &&
        given != rows) {
        *ret_bad_seq = rows + 1;
        e = lt_fail(err, LT_E_CORRUPT, "audit", "audit", "rows are missing at the end", NULL);
    }
    return e;
}

static void write_line(struct sql_stmt *st, int tz_min, struct jsonw *w)
{
    struct line l;
    char hex[AUDIT_HASH * 2 + 1];
    line_of(st, &l);
    struct lt_slice hash = sql_col_blob(st, 9);
    jsonw_object(w);
    jsonw_ki64(w, "seq", l.seq);
    jsonw_ktime(w, "at", l.at_ms, tz_min);
    jsonw_ki64(w, "user_id", l.user_id);
    jsonw_kslice(w, "user_name", l.user_name);
    jsonw_kslice(w, "address", l.address);
    jsonw_kslice(w, "action", l.action);
    jsonw_kslice(w, "kind", l.kind);
    jsonw_ki64(w, "record_id", l.record_id);
    jsonw_key(w, "detail");
    json_t *detail = NULL;
    if (jsonr_object(l.detail, JSONR_SIZE_MAX, &detail, NULL) == LT_OK) {
        jsonw_tree(w, detail);
        json_decref(detail);
    } else {
        jsonw_slice(w, l.detail);
    }
    if (hash.n == AUDIT_HASH)
        jsonw_kstr(w, "hash", sodium_bin2hex(hex, sizeof hex, (const unsigned char *)hash.p, hash.n));
    jsonw_object_end(w);
}

enum lt_err audit_list(struct sql_db *db, const struct audit_query *q, int tz_min, struct jsonw *w,
                       struct lt_error *err)
{
    unsigned limit = q->limit == 0 ? 50 : q->limit > 200 ? 200 : q->limit;
    struct sql_stmt *st = NULL;
    enum lt_err e =
        sql_prepare(db,
                    "SELECT " COLUMNS " FROM audit WHERE (?1 = 0 OR seq < ?1) AND (?2 = '' OR user_name = ?2"
                    " OR user_id IN (SELECT id FROM user WHERE login = ?2)) AND (?3 = '' OR kind = ?3)"
                    " AND (?4 = 0 OR at_ms >= ?4) AND (?5 = 0 OR at_ms < ?5) ORDER BY seq DESC LIMIT ?6",
                    &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, q->before_seq);
    sql_bind_text(st, 2, q->user.p ? q->user : LT_LIT(""));
    sql_bind_text(st, 3, q->kind.p ? q->kind : LT_LIT(""));
    sql_bind_i64(st, 4, q->from_ms);
    sql_bind_i64(st, 5, q->to_ms);
    sql_bind_i64(st, 6, limit + 1);
    jsonw_object(w);
    jsonw_key(w, "items");
    jsonw_array(w);
    bool row = true, more = false;
    int64_t last = 0;
    for (unsigned n = 0; (e = sql_step(st, &row, err)) == LT_OK && row; n++) {
        if (n == limit) {
            more = true;
            break;
        }
        last = sql_col_i64(st, 0);
        write_line(st, tz_min, w);
    }
    sql_release(&st);
    jsonw_array_end(w);
    char next[24];
    snprintf(next, sizeof next, "%lld", (long long)last);
    jsonw_kstr(w, "next", more ? next : NULL);
    jsonw_object_end(w);
    return e;
}
