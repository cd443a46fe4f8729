/* Published papers: numbered, kept as their model, printed again from it. */
#include "air/air_brief.h"
#include "base/clock.h"
#include "base/text.h"
#include "record/audit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 5 }; /* two publish at once, and one gets the next number */

enum lt_err air_paper_setup(struct sql_db *db, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1, "CREATE TABLE air_paper(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, year INTEGER NOT NULL,"
            " number INTEGER NOT NULL, territory INTEGER NOT NULL, day INTEGER NOT NULL, lang TEXT NOT NULL,"
            " title TEXT NOT NULL, version INTEGER NOT NULL, author TEXT NOT NULL, published_at_ms INTEGER NOT NULL,"
            " sha256 TEXT NOT NULL, model BLOB NOT NULL, UNIQUE(kind, year, number));"
            "CREATE INDEX air_paper_territory ON air_paper(territory, id)"},
    };
    return sql_migrate(db, "air_paper", steps, sizeof steps / sizeof steps[0], err);
}

void air_paper_number(const struct air_paper *p, char ret[64])
{
    snprintf(ret, 64, p->lang == LT_EN ? "%d, no. %d" : "（%d）第%d期", p->year, p->number);
}

static void hash_of(struct lt_slice model, char ret[65])
{
    unsigned char h[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(h, (const unsigned char *)model.p, model.n);
    sodium_bin2hex(ret, 65, h, sizeof h);
}

static enum lt_err next_number(struct sql_db *db, enum air_paper_kind kind, int year, int *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e =
        sql_prepare(db, "SELECT coalesce(max(number), 0) + 1 FROM air_paper WHERE kind = ?1 AND year = ?2", &st, err);
    if (e)
        return e;
    sql_bind_str(st, 1, air_paper_name(kind));
    sql_bind_i64(st, 2, year);
    if (!(e = sql_step(st, &row, err)))
        *ret = row ? (int)sql_col_i64(st, 0) : 1;
    sql_release(&st);
    return e;
}

static enum lt_err keep(struct sql_db *db, const struct auth_ctx *who, struct air_paper *p, struct lt_slice model,
                        struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e =
        sql_prepare(db,
                    "INSERT INTO air_paper(kind, year, number, territory, day, lang, title, version, author,"
                    " published_at_ms, sha256, model) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                    " ?12)",
                    &st, err);
    if (e)
        return e;
    sql_bind_str(st, 1, air_paper_name(p->kind));
    sql_bind_i64(st, 2, p->year);
    sql_bind_i64(st, 3, p->number);
    sql_bind_i64(st, 4, p->territory);
    sql_bind_i64(st, 5, p->day);
    sql_bind_str(st, 6, p->lang == LT_EN ? "en" : "zh");
    sql_bind_str(st, 7, p->title);
    sql_bind_i64(st, 8, p->version);
    sql_bind_str(st, 9, p->author);
    sql_bind_i64(st, 10, p->published_at_ms);
    sql_bind_str(st, 11, p->sha256);
    sql_bind_blob(st, 12, model.p, model.n);
    if ((e = sql_run(st, err)))
        return e;
    p->id = sql_last_id(db);
    char detail[200];
    const int n = snprintf(detail, sizeof detail, "{\"kind\":\"%s\",\"number\":%d,\"version\":%lld,\"sha256\":\"%s\"}",
                           air_paper_name(p->kind), p->number, (long long)p->version, p->sha256);
    const struct audit_entry a = {.who = who,
                                  .at_ms = p->published_at_ms,
                                  .action = "publish",
                                  .kind = "air_paper",
                                  .record_id = p->id,
                                  .detail = {detail, (size_t)n}};
    return audit_add(db, &a, err);
}

/* One try: the number is read, the paper is made with it, and kept if nobody took the number meanwhile. */
static enum lt_err try_publish(struct air_figures *f, struct air *air, struct sql_db *db, struct air_paper_ask *a,
                               const struct auth_ctx *who, struct air_paper *p, bool *ret_taken, struct lt_error *err)
{
    struct air_look l;
    struct paper paper;
    int number = 0;
    *ret_taken = false;
    enum lt_err e = air_look_open(f, air, db, 0, &l, err);
    if (e)
        return e;
    p->version = l.version;
    if (!(e = next_number(db, a->kind, p->year, &a->number, err)))
        e = air_paper_make(&l, a, &paper, p->title, sizeof p->title, err);
    air_look_close(&l);
    if (e)
        return e;
    p->number = a->number;
    hash_of(lt_buf_slice(&paper.json), p->sha256);
    if (!(e = sql_begin(db, err))) {
        e = next_number(db, a->kind, p->year, &number, err);
        *ret_taken = !e && number != p->number;
        if (!e && !*ret_taken)
            e = keep(db, who, p, lt_buf_slice(&paper.json), err);
        e = sql_end(db, e, err);
    }
    paper_fini(&paper);
    return e;
}

enum lt_err air_paper_publish(struct air_figures *f, struct air *air, struct sql_db *db, struct air_paper_ask a,
                              const struct auth_ctx *who, int64_t now_ms, struct air_paper *ret, struct lt_error *err)
{
    struct air_paper p = {
        .territory = a.territory, .day = a.day, .kind = a.kind, .lang = a.lang, .published_at_ms = now_ms};
    int m, d;
    bool taken = true;
    enum lt_err e = LT_OK;
    air_civil(a.day, &p.year, &m, &d);
    lt_text_copy(p.author, sizeof p.author, who->name[0] ? who->name : who->login);
    for (int i = 0; !e && taken && i < TRIES; i++)
        e = try_publish(f, air, db, &a, who, &p, &taken, err);
    if (!e && taken)
        e = lt_fail(err, LT_E_BUSY, "paper", "number", NULL, NULL);
    if (!e)
        *ret = p;
    return e;
}

#define COLUMNS "id, kind, year, number, territory, day, lang, title, version, author, published_at_ms, sha256"

static void read_paper(struct sql_stmt *st, struct air_paper *p)
{
    memset(p, 0, sizeof *p);
    p->id = sql_col_i64(st, 0);
    (void)air_paper_find(sql_col_text(st, 1), &p->kind); /* only known kinds are kept */
    p->year = (int)sql_col_i64(st, 2);
    p->number = (int)sql_col_i64(st, 3);
    p->territory = sql_col_i64(st, 4);
    p->day = (int32_t)sql_col_i64(st, 5);
    p->lang = lt_slice_is(sql_col_text(st, 6), "en") ? LT_EN : LT_ZH;
    lt_text_copy_slice(p->title, sizeof p->title, sql_col_text(st, 7));
    p->version = sql_col_i64(st, 8);
    lt_text_copy_slice(p->author, sizeof p->author, sql_col_text(st, 9));
    p->published_at_ms = sql_col_i64(st, 10);
    lt_text_copy_slice(p->sha256, sizeof p->sha256, sql_col_text(st, 11));
}

enum lt_err air_papers(struct sql_db *db, enum air_paper_kind kind, int64_t territory, unsigned most,
                       bool (*each)(void *user, const struct air_paper *p), void *user, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    struct air_paper p;
    bool row = false, more = true;
    enum lt_err e = sql_prepare(db,
                                "SELECT " COLUMNS " FROM air_paper WHERE (?1 = '' OR kind = ?1) AND"
                                " (?2 = 0 OR territory = ?2) ORDER BY id DESC LIMIT ?3",
                                &st, err);
    if (e)
        return e;
    sql_bind_str(st, 1, kind == AIR_PAPER_KINDS ? "" : air_paper_name(kind));
    sql_bind_i64(st, 2, territory);
    sql_bind_i64(st, 3, most);
    while (more && !(e = sql_step(st, &row, err)) && row) {
        read_paper(st, &p);
        more = each(user, &p);
    }
    sql_release(&st);
    return e;
}

enum lt_err air_paper_load(struct sql_db *db, int64_t id, struct air_paper *ret, struct lt_buf *ret_model,
                           struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    char shown[24], sha[65];
    snprintf(shown, sizeof shown, "%lld", (long long)id);
    enum lt_err e = sql_prepare(db, "SELECT " COLUMNS ", model FROM air_paper WHERE id = ?1", &st, err);
    if (e)
        return e;
    sql_bind_i64(st, 1, id);
    if (!(e = sql_step(st, &row, err)) && !row)
        e = lt_fail(err, LT_E_NOT_FOUND, "id", "paper", shown, NULL);
    if (!e) {
        const struct lt_slice model = sql_col_blob(st, 12);
        read_paper(st, ret);
        hash_of(model, sha);
        if (strcmp(sha, ret->sha256) != 0)
            e = lt_fail(err, LT_E_CORRUPT, "air_paper", shown, "sha256", NULL);
        else
            lt_buf_add(ret_model, model.p, model.n);
    }
    sql_release(&st);
    if (!e && ret_model->failed)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return e;
}
