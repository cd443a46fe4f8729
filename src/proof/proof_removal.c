/* Tables of proof; the chained list of what was removed; holds; retention of journal days and packages. */
#include "base/clock.h"
#include "base/text.h"
#include "journal/journal.h"
#include "proof/proof_priv.h"
#include "record/audit.h"
#include "series/series.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum lt_err proof_setup(struct sql_db *db, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1,
         "CREATE TABLE proof_removal(seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, what TEXT NOT NULL,"
         " name TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, chain TEXT NOT NULL,"
         " reason TEXT NOT NULL, author TEXT NOT NULL, hash BLOB NOT NULL);"
         "CREATE TABLE proof_custody(id INTEGER PRIMARY KEY AUTOINCREMENT, evidence INTEGER NOT NULL,"
         " at_ms INTEGER NOT NULL, user_id INTEGER NOT NULL, user_name TEXT NOT NULL, address TEXT NOT NULL,"
         " action TEXT NOT NULL, detail TEXT NOT NULL);"
         "CREATE INDEX proof_custody_evidence ON proof_custody(evidence, id);"
         "CREATE TABLE proof_cursor(id INTEGER PRIMARY KEY CHECK(id = 1), alarm INTEGER NOT NULL);"},
    };
    return sql_migrate(db, "proof", steps, sizeof steps / sizeof steps[0], err);
}

/* ---- the chain of removals: as that of the audit trail ---- */

struct removal_row {
    int64_t seq, at_ms, first, count;
    struct lt_slice what, name, chain, reason, author;
};

static void row_hash(const uint8_t prev[CHAIN_HASH], const struct removal_row *r, uint8_t ret[CHAIN_HASH])
{
    const struct audit_column c[] = {AUDIT_I(r->seq),   AUDIT_I(r->at_ms),  AUDIT_S(r->what),
                                     AUDIT_S(r->name),  AUDIT_I(r->first),  AUDIT_I(r->count),
                                     AUDIT_S(r->chain), AUDIT_S(r->reason), AUDIT_S(r->author)};
    audit_hash(prev, c, sizeof c / sizeof c[0], ret);
}

static enum lt_err last_row(struct sql_db *db, int64_t *ret_seq, uint8_t ret[CHAIN_HASH], struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(db, "SELECT seq, hash FROM proof_removal ORDER BY seq DESC LIMIT 1", &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    *ret_seq = 0;
    memset(ret, 0, CHAIN_HASH);
    if (e == LT_OK && row) {
        struct lt_slice h = sql_col_blob(st, 1);
        *ret_seq = sql_col_i64(st, 0);
        if (h.n == CHAIN_HASH)
            memcpy(ret, h.p, CHAIN_HASH);
    }
    sql_release(&st);
    return e;
}

static enum lt_err insert_row(struct sql_db *db, const struct removal_row *r, const uint8_t hash[CHAIN_HASH],
                              struct lt_error *err)
{
    return sql_do(db,
                  "INSERT INTO proof_removal(seq, at_ms, what, name, first, count, chain, reason,"
                  " author, hash) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                  SQL_VALUES(SQL_I(r->seq), SQL_I(r->at_ms), SQL_S(r->what), SQL_S(r->name), SQL_I(r->first),
                             SQL_I(r->count), SQL_S(r->chain), SQL_S(r->reason), SQL_S(r->author),
                             SQL_B(hash, CHAIN_HASH)),
                  err);
}

enum lt_err proof_removal_add(struct sql_db *db, const struct proof_removed *r, int64_t now_ms, struct lt_error *err)
{
    uint8_t prev[CHAIN_HASH], hash[CHAIN_HASH];
    int64_t seq = 0;
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = last_row(db, &seq, prev, err);
    if (e == LT_OK) {
        const struct removal_row row = {.seq = seq + 1,
                                        .at_ms = now_ms,
                                        .first = (int64_t)r->first,
                                        .count = (int64_t)r->count,
                                        .what = lt_slice_of(r->what),
                                        .name = lt_slice_of(r->name),
                                        .chain = lt_slice_of(r->chain),
                                        .reason = lt_slice_of(r->reason),
                                        .author = lt_slice_of(r->author)};
        row_hash(prev, &row, hash);
        e = insert_row(db, &row, hash, err);
    }
    return sql_end(db, e, err);
}

enum lt_err proof_removal_verify(struct sql_db *db, int64_t *ret_rows, int64_t *ret_bad_seq, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    uint8_t prev[CHAIN_HASH] = {0}, hash[CHAIN_HASH];
    bool row = false;
    int64_t given = 0;
    *ret_rows = 0;
    *ret_bad_seq = 0;
    enum lt_err e = sql_prepare(db,
                                "SELECT seq, at_ms, what, name, first, count, chain, reason, author, hash"
                                " FROM proof_removal ORDER BY seq",
                                &st, err);
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        const struct removal_row r = {sql_col_i64(st, 0),  sql_col_i64(st, 1),  sql_col_i64(st, 4),
                                      sql_col_i64(st, 5),  sql_col_text(st, 2), sql_col_text(st, 3),
                                      sql_col_text(st, 6), sql_col_text(st, 7), sql_col_text(st, 8)};
        struct lt_slice stored = sql_col_blob(st, 9);
        row_hash(prev, &r, hash);
        if (r.seq != *ret_rows + 1 || stored.n != CHAIN_HASH || memcmp(stored.p, hash, CHAIN_HASH) != 0) {
            *ret_bad_seq = *ret_rows + 1;
            e = lt_fail(err, LT_E_CORRUPT, NULL, "proof_removal", "hash", NULL);
        } else {
            memcpy(prev, hash, CHAIN_HASH);
            ++*ret_rows;
        }
    }
    sql_release(&st);
    if (e == LT_OK &&
        sql_get_i64(db, "SELECT seq FROM sqlite_sequence WHERE name = 'proof_removal'", NULL, &given, NULL) == LT_OK &&
        given != *ret_rows) {
        *ret_bad_seq = *ret_rows + 1;
        e = lt_fail(err, LT_E_CORRUPT, NULL, "proof_removal", "rows are missing at the end", NULL);
    }
    return e;
}

/* ---- holds ---- */

/* In force: not deleted, not over. Days of an alarm's hold: from the day before it was first seen. */
#define HOLDS                                                                                                          \
    " FROM legal_hold h LEFT JOIN alarm a ON h.object_kind = 'alarm' AND a.id = h.object_id"                           \
    " WHERE h.deleted = 0 AND (h.until_at IS NULL OR h.until_at > ?1)"

enum lt_err proof_held_from(struct sql_db *db, int64_t now_ms, int tz_min, int *ret_day, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    *ret_day = INT_MAX;
    /* a hold on a plant or device without days keeps everything there is */
    enum lt_err e = sql_row(db,
                            "SELECT min(CASE WHEN h.object_kind = 'alarm' THEN coalesce(a.first_at_ms, 0) - ?2"
                            " ELSE coalesce(h.day_from, 0) END)" HOLDS,
                            SQL_VALUES(SQL_I(now_ms), SQL_I(LT_DAY_MS)), &st, &row, err);
    if (e == LT_OK && row && !sql_col_null(st, 0))
        *ret_day = lt_day_number(sql_col_i64(st, 0) > 0 ? sql_col_i64(st, 0) : 0, tz_min);
    sql_release(&st);
    return e;
}

/* A hold on days keeps what was raised in them and what was raised later about them (data that came late). */
static enum lt_err holds_of(struct sql_db *db, int64_t evidence, int64_t now_ms, int64_t most, struct sql_stmt **ret,
                            struct lt_error *err)
{
    enum lt_err e = sql_prepare(
        db,
        "SELECT h.id, h.reason, coalesce(h.until_at, 0) FROM legal_hold h, evidence e LEFT JOIN alarm a ON a.id ="
        " e.alarm WHERE e.id = ?2 AND h.deleted = 0 AND (h.until_at IS NULL OR h.until_at > ?1) AND"
        " ((h.object_kind = 'device' AND h.object_id = e.device) OR (h.object_kind = 'outlet' AND h.object_id ="
        " e.outlet) OR (h.object_kind = 'enterprise' AND h.object_id = e.enterprise) OR (h.object_kind = 'alarm' AND"
        " h.object_id = e.alarm) OR h.object_kind = 'days')"
        " AND (h.day_from IS NULL OR max(e.alarm_at_ms, coalesce(a.last_at_ms, 0)) >= h.day_from)"
        " AND (h.day_to IS NULL OR min(e.alarm_at_ms, coalesce(a.first_at_ms, e.alarm_at_ms)) < h.day_to + ?3)"
        " ORDER BY h.id LIMIT ?4",
        ret, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(*ret, 1, now_ms);
    sql_bind_i64(*ret, 2, evidence);
    sql_bind_i64(*ret, 3, LT_DAY_MS);
    sql_bind_i64(*ret, 4, most);
    return LT_OK;
}

enum lt_err proof_held(struct sql_db *db, int64_t evidence, int64_t now_ms, bool *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    *ret = false;
    enum lt_err e = holds_of(db, evidence, now_ms, 1, &st, err);
    if (e == LT_OK)
        e = sql_step(st, ret, err);
    sql_release(&st);
    return e;
}

enum lt_err proof_holds_write(struct sql_db *db, int64_t evidence, int64_t now_ms, int tz_min, struct jsonw *w,
                              struct lt_error *err)
{
    static const int64_t most = 50; /* shown */
    struct sql_stmt *st = NULL;
    bool row = false;
    jsonw_array(w);
    enum lt_err e = holds_of(db, evidence, now_ms, most, &st, err);
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        jsonw_object(w);
        jsonw_ki64(w, "id", sql_col_i64(st, 0));
        jsonw_kslice(w, "reason", sql_col_text(st, 1));
        jsonw_ktime(w, "until", sql_col_i64(st, 2), tz_min);
        jsonw_object_end(w);
    }
    sql_release(&st);
    jsonw_array_end(w);
    return e;
}

/* ---- retention ---- */

struct covered { /* a day: what the statements say of it */
    bool final;
    uint64_t first, last;
    uint8_t chain[CHAIN_HASH];
};

static void cover(const struct proof_day *days, size_t n, int day, struct covered *ret)
{
    *ret = (struct covered){0};
    for (size_t i = 0; i < n; i++) {
        const struct chain_range *r = &days[i].d.stream[CHAIN_JOURNAL];
        if (days[i].bad_line || days[i].d.day != day)
            continue;
        ret->final = ret->final || days[i].d.final;
        if (r->count) {
            ret->first = ret->first ? ret->first : r->first;
            ret->last = r->last;
            memcpy(ret->chain, r->chain, CHAIN_HASH);
        }
    }
}

static enum lt_err record_day(struct sql_db *db, int day, const struct covered *c, int64_t now_ms, struct lt_error *err)
{
    char name[16], hex[2 * CHAIN_HASH + 1];
    snprintf(name, sizeof name, "%08d", day);
    lt_text_hex(c->chain, CHAIN_HASH, hex);
    const struct proof_removed r = {.what = "journal",
                                    .name = name,
                                    .chain = hex,
                                    .reason = "retention",
                                    .author = "post",
                                    .first = c->first,
                                    .count = c->last ? c->last - c->first + 1 : 0};
    int64_t known = 0;
    struct sql_stmt *st = NULL;
    bool row = false; /* killed between record and removal: the record stands already */
    enum lt_err e = sql_row(db, "SELECT count(*) FROM proof_removal WHERE what = 'journal' AND name = ?1",
                            SQL_VALUES(SQL_Z(name)), &st, &row, err);
    known = e == LT_OK && row ? sql_col_i64(st, 0) : 0;
    sql_release(&st);
    return e == LT_OK && !known ? proof_removal_add(db, &r, now_ms, err) : e;
}

enum lt_err proof_expire_journal(struct sql_db *db, const char *dir, int tz_min, int before_day, int64_t now_ms,
                                 unsigned *ret_days, struct lt_error *err)
{
    static const size_t cap = JOURNAL_DAYS_MAX;
    int *list = malloc(cap * sizeof *list), held = 0;
    struct proof_day *days = NULL;
    size_t n = 0;
    *ret_days = 0;
    enum lt_err e =
        list ? proof_held_from(db, now_ms, tz_min, &held, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        e = proof_days(dir, &days, &n, err);
    size_t n_list = e == LT_OK ? journal_days(dir, list, cap) : 0;
    /* From the oldest on and without a gap, so that the live chain stays whole: a held day keeps what is newer too. */
    int limit = before_day < held ? before_day : held, last = 0;
    for (size_t i = 0; e == LT_OK && i + 1 < n_list && list[i] < limit; i++) {
        struct covered c;
        cover(days, n, list[i], &c);
        if (!c.final && (n == 0 || days[n - 1].d.day <= list[i]))
            break;   /* first sealed, then removed */
        if (c.final) /* else a file without a batch */
            e = record_day(db, list[i], &c, now_ms, err);
        last = list[i + 1];
    }
    if (e == LT_OK && last)
        e = journal_expire(dir, last, ret_days, err);
    for (size_t i = 0; e == LT_OK && i < n_list && list[i] < last; i++) {
        char path[PROOF_PATH];
        snprintf(path, sizeof path, "%.900s/proof/files/%08d.sum", dir, list[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            e = lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    }
    free(days);
    free(list);
    return e;
}

enum lt_err proof_expire_series(struct sql_db *db, struct series *series, int tz_min, int64_t before_ms, int64_t now_ms,
                                uint64_t *ret_months, struct lt_error *err)
{
    int held = 0;
    int64_t held_ms = 0;
    char name[16];
    *ret_months = 0;
    enum lt_err e = proof_held_from(db, now_ms, tz_min, &held, err);
    if (e == LT_OK && held != INT_MAX && lt_day_number_start(held, tz_min, &held_ms) && held_ms < before_ms)
        before_ms = held_ms;
    if (e == LT_OK)
        e = series_expire(series, before_ms, ret_months, err);
    if (e != LT_OK || *ret_months == 0)
        return e;
    snprintf(name, sizeof name, "%08d", lt_day_number(before_ms, tz_min));
    const struct proof_removed r = {
        .what = "series", .name = name, .chain = "", .reason = "retention", .author = "post", .count = *ret_months};
    return proof_removal_add(db, &r, now_ms, err);
}

static enum lt_err expire_one(struct sql_db *db, const char *dir, int64_t id, const char *name, const char *sha256,
                              const char *path, int tz_min, int64_t now_ms, struct lt_error *err)
{
    const struct auth_ctx who = auth_system("post");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = tz_min};
    const struct record_set set[] = {RECORD_SET_Z("state", "removed")};
    const struct proof_removed r = {
        .what = "evidence", .name = name, .chain = sha256, .reason = "retention", .author = "post", .count = 1};
    char file[PROOF_PATH];
    snprintf(file, sizeof file, "%.500s/evidence/%.400s", dir, path);
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = proof_removal_add(db, &r, now_ms, err);
    if (e == LT_OK)
        e = record_change(&x, record_kind_find(LT_LIT("evidence")), id, 0, "remove", set, 1, err);
    e = sql_end(db, e, err);
    if (e == LT_OK && unlink(file) != 0 && errno != ENOENT)
        e = lt_fail(err, LT_E_IO, NULL, file, strerror(errno), NULL);
    return e;
}

enum lt_err proof_expire_evidence(struct sql_db *db, const char *dir, int tz_min, int64_t before_ms, int64_t now_ms,
                                  unsigned *ret_n, struct lt_error *err)
{
    enum { MOST = 500 }; /* of one night */
    *ret_n = 0;
    int64_t id = 0;
    while (*ret_n < MOST) { /* held ones do not count: five hundred of them must not keep all that comes after */
        struct sql_stmt *st = NULL;
        char name[128] = "", sha[80] = "", path[256] = "";
        bool row = false, held = false;
        enum lt_err e = sql_row(db,
                                "SELECT id, name, sha256, path FROM evidence WHERE id > ?1 AND state = 'sealed' AND"
                                " sealed_at_ms < ?2 AND deleted = 0 ORDER BY id LIMIT 1",
                                SQL_VALUES(SQL_I(id), SQL_I(before_ms)), &st, &row, err);
        if (e == LT_OK && row) {
            id = sql_col_i64(st, 0);
            lt_text_copy_slice(name, sizeof name, sql_col_text(st, 1));
            lt_text_copy_slice(sha, sizeof sha, sql_col_text(st, 2));
            lt_text_copy_slice(path, sizeof path, sql_col_text(st, 3));
        }
        sql_release(&st);
        if (e != LT_OK || !row)
            return e;
        e = proof_held(db, id, now_ms, &held, err);
        if (e == LT_OK && !held) {
            e = expire_one(db, dir, id, name, sha, path, tz_min, now_ms, err);
            ++*ret_n;
        }
        if (e != LT_OK)
            return e;
    }
    return LT_OK;
}
