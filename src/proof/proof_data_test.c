/* Sealing and checking: a post of several days is made, sealed, found whole; then everything an attacker or a disk may
 * do to it is done, and must be found and placed. */
#include "alarm/alarm.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "journal/journal.h"
#include "proof/proof_priv.h"
#include "record/audit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define TZ   LT_TZ_CHINA
#define DAYS 4
#define PER  2600 /* records a day: two whole blocks of 1,024 and a part */

static char base[64];
static struct lt_error err;
static struct {
    size_t n;
    struct proof_finding f[64];
} got;

static int64_t start_ms(void)
{
    int64_t at = 0;
    assert_true(lt_day_number_start(20261120, TZ, &at));
    return at;
}

static void ok(enum lt_err e)
{
    char text[512];
    if (e != LT_OK) {
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("%s: %s", lt_err_name(e), text);
    }
}

static void run(const char *tool, const char *option, const char *a, const char *b)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp(tool, tool, option, a, b, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void put_day(struct journal *j, int64_t day_ms, int n, uint32_t salt)
{
    char frame[200];
    for (int i = 0; i < n; i++) {
        int len =
            snprintf(frame, sizeof frame, "##0101QN=2026;ST=31;CN=2011;MN=MN%d;CP=&&a=%u,%d&&ABCD", i % 7, salt, i);
        const struct journal_record r = {.at_ms = day_ms + 1000LL * i,
                                         .conn = (uint32_t)(i % 7),
                                         .kind = JOURNAL_FRAME,
                                         .mn = {frame + 31, 3},
                                         .bytes = {frame, (size_t)len}};
        assert_int_not_equal(journal_add(j, &r), 0);
        if (i % 50 == 49)
            ok(journal_commit(j, day_ms + 1000LL * i, &err));
    }
    ok(journal_commit(j, day_ms + 1000LL * n, &err));
}

static void put_rows(struct sql_db *db, int64_t day_ms, int day)
{
    const struct auth_ctx who = auth_system("tester");
    for (int i = 0; i < 30; i++) {
        char key[40];
        int n = snprintf(key, sizeof key, "hour_exceed/outlet/%d/a/%d", day, i);
        const struct audit_entry a = {.who = &who,
                                      .at_ms = day_ms + i * 1000,
                                      .action = "update",
                                      .kind = "outlet",
                                      .record_id = i,
                                      .detail = LT_LIT("{}")};
        const struct alarm_verdict v = {.key = {key, (size_t)n},
                                        .rule_version = 1,
                                        .at_ms = day_ms + i,
                                        .seq = (uint64_t)i + 1,
                                        .outcome = LT_LIT("raise"),
                                        .inputs = LT_LIT("{\"value\":1.5}")};
        ok(audit_add(db, &a, &err));
        ok(alarm_verdict_add(db, &v, &err));
    }
}

static struct sql_db *state_of(const char *dir)
{
    char path[200];
    struct sql_db *db = NULL;
    snprintf(path, sizeof path, "%s/state.db", dir);
    ok(sql_open(path, false, &db, &err));
    return db;
}

static void make_post(const char *dir)
{
    struct journal *j = NULL;
    assert_true(mkdir(dir, 0750) == 0);
    struct sql_db *db = state_of(dir);
    ok(record_setup(db, &err));
    ok(alarm_setup(db, start_ms(), &err));
    ok(proof_setup(db, &err));
    ok(journal_open(dir, TZ, &j, &err));
    for (int d = 0; d < DAYS; d++) {
        put_day(j, start_ms() + d * LT_DAY_MS, PER, (uint32_t)d);
        put_rows(db, start_ms() + d * LT_DAY_MS, d);
    }
    journal_close(&j);
    sql_close(&db);
}

static unsigned seal_all(const char *dir, bool part)
{
    struct sql_db *db = state_of(dir);
    struct proof_keys *keys = NULL;
    struct chain_day d;
    unsigned n = 0;
    ok(proof_keys_open(dir, NULL, true, &keys, &err));
    struct proof_sealer s = {.dir = dir, .tz_min = TZ, .db = db, .keys = keys, .threads = 2, .engine_seq = UINT64_MAX};
    enum lt_err e;
    while ((e = proof_seal(&s, start_ms() + DAYS * LT_DAY_MS + n, part, &d, &err)) == LT_OK && (++n, d.final))
        ;
    assert_true(e == LT_OK || e == LT_E_NOT_FOUND);
    proof_keys_close(&keys);
    sql_close(&db);
    return n;
}

static void on_found(void *user, const struct proof_finding *f)
{
    if (got.n < 64)
        got.f[got.n] = *f;
    got.n++;
}

static struct proof_checked check(const char *dir, struct lt_slice lines, const struct proof_public *key)
{
    struct proof_checked r;
    const struct proof_check c = {.dir = dir, .threads = 2, .lines = lines, .key = key, .found = on_found};
    got.n = 0;
    ok(proof_check_data(&c, &r, &err));
    assert_int_equal(r.findings, got.n);
    return r;
}

static bool has(const char *code)
{
    for (size_t i = 0; i < got.n && i < 64; i++)
        if (strcmp(got.f[i].code, code) == 0)
            return true;
    return false;
}

static void assert_found(const char *code)
{
    if (!has(code)) {
        for (size_t i = 0; i < got.n && i < 64; i++)
            print_message("found %s: %s\n", got.f[i].code, got.f[i].text[LT_EN]);
        fail_msg("%s was not found", code);
    }
}

/* A fresh copy of the sealed post, to be spoilt. */
static const char *copy(void)
{
    static char dir[100];
    static int n;
    char from[100];
    snprintf(from, sizeof from, "%s/post", base);
    snprintf(dir, sizeof dir, "%s/copy%d", base, n++);
    run("cp", "-a", from, dir);
    return dir;
}

static void sql(const char *dir, const char *file, const char *text)
{
    char path[200];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", text, why);
    sqlite3_close(db);
}

static int group_setup(void **state)
{
    lt_text_copy(base, sizeof base, "/tmp/proof_test_XXXXXX");
    if (!mkdtemp(base))
        return -1;
    char dir[100];
    snprintf(dir, sizeof dir, "%s/post", base);
    make_post(dir);
    assert_int_equal(seal_all(dir, false), DAYS - 1);
    return 0;
}

static int group_teardown(void **state)
{
    run("rm", "-rf", base, NULL);
    return 0;
}

/* ---- tests ---- */

static void keys_are_made_once_and_kept_close(void **state)
{
    const char *dir = copy();
    char path[200];
    struct stat st;
    struct proof_keys *a = NULL, *b = NULL;
    struct proof_public pub;
    ok(proof_keys_open(dir, NULL, true, &a, &err));
    ok(proof_keys_open(dir, NULL, false, &b, &err));
    assert_string_equal(proof_keys_public(a)->id, proof_keys_public(b)->id);
    snprintf(path, sizeof path, "%s/keys/public.txt", dir);
    ok(proof_public_read(path, &pub, &err));
    assert_string_equal(pub.id, proof_keys_public(a)->id);
    proof_keys_close(&a);
    proof_keys_close(&b);
    snprintf(path, sizeof path, "%s/keys/sm2.pem", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(proof_keys_open(dir, NULL, true, &a, &err), LT_E_CORRUPT);
    assert_int_equal(chmod(path, 0600), 0);
    char aside[220];
    snprintf(aside, sizeof aside, "%s.x", path);
    run("mv", "-f", path, aside); /* one of the two is gone: not made anew, or the post had another name from then on */
    assert_int_equal(proof_keys_open(dir, NULL, true, &a, &err), LT_E_CORRUPT);
    assert_int_equal(access(path, F_OK), -1);
    run("mv", "-f", aside, path);
    char other[120], theirs[200];
    snprintf(other, sizeof other, "%s/other", base);
    snprintf(theirs, sizeof theirs, "%s/keys/sm2.pem", other);
    assert_int_equal(mkdir(other, 0750), 0);
    ok(proof_keys_open(other, NULL, true, &b, &err));
    proof_keys_close(&b);
    run("mv", "-f", theirs, path); /* nor is another one taken for it */
    assert_int_equal(proof_keys_open(dir, NULL, true, &a, &err), LT_E_CORRUPT);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(proof_keys_open(dir, NULL, true, &a, &err), LT_E_CORRUPT); /* never made anew over a damaged one */
}

static void a_whole_post_is_whole(void **state)
{
    const char *dir = copy();
    struct lt_buf lines = LT_BUF_INIT(100000);
    ok(proof_lines(dir, &lines, &err));
    struct proof_checked r = check(dir, lt_buf_slice(&lines), NULL);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.statements, DAYS - 1);
    assert_int_equal(r.records, DAYS * PER);
    assert_int_equal(r.unsealed, PER);
    assert_int_equal(r.files, DAYS - 1);
    assert_true(r.rows >= 3 * 60);
    /* a part of the open day, twice, then the next day begins and the rest is sealed */
    assert_int_equal(seal_all(dir, true), 1);
    assert_int_equal(check(dir, LT_LIT(""), NULL).findings, 0);
    struct journal *j = NULL;
    ok(journal_open(dir, TZ, &j, &err));
    put_day(j, start_ms() + (DAYS - 1) * LT_DAY_MS + 4000000, 70, 9);
    journal_close(&j);
    assert_int_equal(seal_all(dir, true), 1);
    ok(journal_open(dir, TZ, &j, &err));
    put_day(j, start_ms() + DAYS * LT_DAY_MS, 10, 10);
    journal_close(&j);
    assert_int_equal(seal_all(dir, false), 1);
    r = check(dir, LT_LIT(""), NULL);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.unsealed, 10);
    lt_buf_fini(&lines);
}

static json_t *inclusion(const char *dir, struct sql_db *db, enum chain_stream s, uint64_t seq)
{
    struct lt_buf out = LT_BUF_INIT(1 << 20);
    struct jsonw w;
    json_t *v = NULL;
    jsonw_init(&w, &out);
    ok(proof_inclusion(dir, db, s, seq, &w, &err));
    assert_true(jsonw_ok(&w));
    ok(jsonr_object(lt_buf_slice(&out), 1 << 20, &v, &err));
    lt_buf_fini(&out);
    return v;
}

static void check_inclusion(json_t *v, enum chain_algo a, const char *name)
{
    uint8_t path[CHAIN_PATH_MAX][CHAIN_HASH], leaf[CHAIN_HASH], root[CHAIN_HASH], record[1000];
    struct chain_hasher *h = chain_hasher_create();
    json_t *o = json_object_get(v, name), *p = json_object_get(o, "path");
    struct lt_slice hex = lt_slice_of(json_string_value(json_object_get(v, "record")));
    size_t n = json_array_size(p);
    assert_true(lt_text_unhex(hex, record, hex.n / 2));
    assert_true(chain_leaf(h, a, (struct lt_slice){(char *)record, hex.n / 2}, leaf));
    assert_true(lt_text_unhex(lt_slice_of(json_string_value(json_object_get(o, "root"))), root, CHAIN_HASH));
    for (size_t i = 0; i < n; i++)
        assert_true(lt_text_unhex(lt_slice_of(json_string_value(json_array_get(p, i))), path[i], CHAIN_HASH));
    uint64_t index = (uint64_t)json_integer_value(json_object_get(v, "index"));
    uint64_t count = (uint64_t)json_integer_value(json_object_get(v, "count"));
    assert_true(chain_path_holds(h, a, leaf, index, count, path, n, root));
    struct chain_day d;
    unsigned line = 0;
    assert_true(chain_day_parse(lt_slice_of(json_string_value(json_object_get(v, "statement"))), &d, &line));
    bool in = false;
    for (int s = 0; s < CHAIN_STREAMS; s++)
        in = in || memcmp(d.stream[s].root.h[a], root, CHAIN_HASH) == 0;
    assert_true(in);
    chain_hasher_destroy(&h);
}

static void one_record_is_proved(void **state)
{
    const char *dir = copy();
    struct sql_db *db = state_of(dir);
    static const uint64_t seqs[] = {1, 2, 1024, 1025, PER, PER + 1, 2 * PER, 3 * PER, 2 * PER + 2049};
    for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
        json_t *v = inclusion(dir, NULL, CHAIN_JOURNAL, seqs[i]);
        check_inclusion(v, CHAIN_SHA256, "sha256");
        check_inclusion(v, CHAIN_SM3, "sm3");
        json_decref(v);
    }
    for (int s = CHAIN_AUDIT; s <= CHAIN_VERDICT; s++) {
        json_t *v = inclusion(dir, db, (enum chain_stream)s, 40);
        check_inclusion(v, CHAIN_SHA256, "sha256");
        check_inclusion(v, CHAIN_SM3, "sm3");
        json_decref(v);
    }
    int64_t t0 = lt_mono_us();
    for (int i = 0; i < 20; i++)
        json_decref(inclusion(dir, NULL, CHAIN_JOURNAL, 1500));
    print_message("# inclusion proof: %.2f ms\n", (double)(lt_mono_us() - t0) / 20000);
    struct lt_buf out = LT_BUF_INIT(1 << 20);
    struct jsonw w;
    jsonw_init(&w, &out);
    assert_int_equal(proof_inclusion(dir, NULL, CHAIN_JOURNAL, 3 * PER + 1, &w, &err), LT_E_NOT_FOUND);
    lt_buf_fini(&out);
    sql_close(&db);
}

static void rows_altered(void **state)
{
    static const struct {
        const char *text, *code, *second;
    } v[] = {
        {"UPDATE audit SET detail='{\"a\":1}' WHERE seq=35", "audit_hash", "audit_root"},
        {"DELETE FROM audit WHERE seq=35", "audit_hash", "audit_root"},
        {"DELETE FROM audit WHERE seq>=80", "audit_hash", "audit_root"},
        {"UPDATE verdict SET inputs='{\"value\":0.5}' WHERE id=45", "verdict_root", NULL},
        {"DELETE FROM verdict WHERE id=45", "verdict_root", NULL},
        {"UPDATE verdict SET outcome='hold' WHERE id=7", "verdict_root", NULL},
        {"UPDATE verdict SET seq=(SELECT 1000+seq FROM verdict WHERE id=8) WHERE id=7", "verdict_root", NULL},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        const char *dir = copy();
        sql(dir, "state.db", v[i].text);
        check(dir, LT_LIT(""), NULL);
        assert_found(v[i].code);
        if (v[i].second)
            assert_found(v[i].second);
    }
}

/* An attacker who knows the format makes the live chain fit again. */
static void rechain(const char *dir)
{
    int days[16];
    size_t n = journal_days(dir, days, 16);
    uint8_t prev[CHAIN_HASH] = {0};
    for (size_t i = 0; i < n; i++) {
        char path[200];
        sqlite3 *db = NULL;
        sqlite3_stmt *st = NULL, *up = NULL;
        snprintf(path, sizeof path, "%s/journal/%08d.db", dir, days[i]);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, "UPDATE meta SET prev_hash=?1", -1, &up, NULL), SQLITE_OK);
        sqlite3_bind_blob(up, 1, prev, CHAIN_HASH, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(up), SQLITE_DONE);
        sqlite3_finalize(up);
        struct journal_reader *r = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, "SELECT first_seq FROM batch ORDER BY first_seq", -1, &st, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, "UPDATE batch SET hash=?1 WHERE first_seq=?2", -1, &up, NULL),
                         SQLITE_OK);
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        ok(journal_reader_open(dir, &r, &err));
        while (sqlite3_step(st) == SQLITE_ROW) {
            struct journal_batch *b = NULL;
            ok(journal_reader_next(r, (uint64_t)sqlite3_column_int64(st, 0), &b, &err));
            assert_true(journal_hash(prev, b, prev));
            sqlite3_bind_blob(up, 1, prev, CHAIN_HASH, SQLITE_TRANSIENT);
            sqlite3_bind_int64(up, 2, (sqlite3_int64)b->first_seq);
            assert_int_equal(sqlite3_step(up), SQLITE_DONE);
            sqlite3_reset(up);
            journal_batch_unref(&b);
        }
        journal_reader_close(&r);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        sqlite3_finalize(st);
        sqlite3_finalize(up);
        sqlite3_close(db);
    }
}

static void journal_altered(void **state)
{
    static const struct {
        const char *text, *code;
        bool rechained;
        const char *with_chain;
    } v[] = {
        {"UPDATE batch SET at_ms=at_ms+1 WHERE first_seq=2801", "journal_hash", true, "journal_hash"},
        {"UPDATE batch SET body=(SELECT body FROM batch b WHERE b.first_seq=2851) WHERE first_seq=2801", "journal_hash",
         true, "journal_root"}, /* another batch's records in its place */
        {"DELETE FROM batch WHERE first_seq=2801", "journal_number", true, "journal_number"},
        {"DELETE FROM batch WHERE first_seq>=5000", "journal_number", true, "journal_number"},
        {"UPDATE batch SET hash=zeroblob(32) WHERE first_seq=5151", "journal_hash", false, NULL},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        const char *dir = copy();
        sql(dir, "journal/20261121.db", v[i].text);
        check(dir, LT_LIT(""), NULL);
        assert_found(v[i].code);
        assert_int_equal(got.f[0].day, 20261121);
        if (!v[i].rechained)
            continue;
        rechain(dir);
        check(dir, LT_LIT(""), NULL);
        assert_found(v[i].with_chain);
        if (strcmp(v[i].with_chain, "journal_root") == 0)
            for (size_t k = 0; k < got.n; k++) /* placed within 1,024 records */
                assert_true(strcmp(got.f[k].code, "journal_root") != 0 ||
                            (got.f[k].first <= 2801 && got.f[k].last >= 2801 && got.f[k].last - got.f[k].first < 1024));
    }
    const char *dir = copy(); /* a whole day gone, none recorded as removed */
    char path[200];
    snprintf(path, sizeof path, "%s/journal/20261121.db", dir);
    assert_int_equal(unlink(path), 0);
    check(dir, LT_LIT(""), NULL);
    assert_found("journal_missing");
    dir = copy(); /* the day file cut in half */
    snprintf(path, sizeof path, "%s/journal/20261121.db", dir);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    check(dir, LT_LIT(""), NULL);
    assert_true(got.n > 0);
    assert_found("sum");
}

static void sign_again(const char *dir, struct proof_keys *keys, struct chain_day *d, const char *name)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    char path[200];
    const struct proof_public *p = proof_keys_public(keys);
    memcpy(d->ed25519, p->ed25519, 32);
    memcpy(d->sm2, p->sm2, 65);
    memcpy(d->key, p->id, 33);
    chain_day_write_signed(d, &text);
    for (int t = 0; t < CHAIN_KEY_TYPES; t++)
        assert_true(proof_keys_sign(keys, (enum chain_key_type)t, lt_buf_slice(&text), d->sig[t], &d->sig_n[t]));
    chain_day_write_sigs(d, &text);
    snprintf(path, sizeof path, "%s/proof/%s.day", dir, name);
    ok(proof_write(path, 0644, lt_buf_slice(&text), &err));
    lt_buf_fini(&text);
}

static void statements_altered(void **state)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    char path[200], other[200];
    struct lt_buf lines = LT_BUF_INIT(100000);
    const char *dir = copy();
    ok(proof_days(dir, &days, &n, &err));
    ok(proof_lines(dir, &lines, &err));
    /* the middle one removed; the last one removed, which only published lines tell */
    snprintf(path, sizeof path, "%s/proof/%s.day", dir, days[1].name);
    assert_int_equal(unlink(path), 0);
    check(dir, LT_LIT(""), NULL);
    assert_found("order");
    dir = copy();
    snprintf(path, sizeof path, "%s/proof/%s.day", dir, days[2].name);
    assert_int_equal(unlink(path), 0);
    check(dir, lt_buf_slice(&lines), NULL);
    assert_found("published");
    /* reordered: two files exchange their names */
    dir = copy();
    snprintf(path, sizeof path, "%s/proof/%s.day", dir, days[1].name);
    snprintf(other, sizeof other, "%s/proof/%s.day", dir, days[2].name);
    char tmp[220];
    snprintf(tmp, sizeof tmp, "%s.x", path);
    run("mv", "-f", path, tmp);
    run("mv", "-f", other, path);
    run("mv", "-f", tmp, other);
    check(dir, LT_LIT(""), NULL);
    assert_true(has("statement") || has("order"));
    /* bits of one statement */
    dir = copy();
    snprintf(path, sizeof path, "%s/proof/%s.day", dir, days[1].name);
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    ok(proof_read(path, &text, &err));
    struct lt_rand r;
    lt_rand_init(&r, 1);
    int flips = getenv("LT_LONG") ? 25 : 8;
    for (int i = 0; i < flips; i++) {
        size_t at = (size_t)lt_rand_below(&r, text.n);
        char want[40], bit = (char)(1 << lt_rand_below(&r, 8));
        text.p[at] = (char)(text.p[at] ^ bit);
        ok(proof_write(path, 0644, lt_buf_slice(&text), &err));
        struct proof_checked res;
        const struct proof_check c = {.dir = dir, .no_journal = true, .no_state = true, .found = on_found};
        got.n = 0;
        ok(proof_check_data(&c, &res, &err));
        assert_true(got.n >= 1);
        snprintf(want, sizeof want, "at byte %zu", at);
        bool placed = false;
        for (size_t k = 0; k < got.n; k++)
            placed = placed || strstr(got.f[k].text[LT_EN], want);
        assert_true(placed);
        text.p[at] = (char)(text.p[at] ^ bit);
    }
    lt_buf_fini(&text);
    lt_buf_fini(&lines);
    free(days);
}

static void keys_and_times_altered(void **state)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    char path[200];
    struct lt_buf lines = LT_BUF_INIT(100000);
    struct proof_keys *keys = NULL;
    struct proof_public pub;
    const char *dir = copy();
    ok(proof_days(dir, &days, &n, &err));
    ok(proof_lines(dir, &lines, &err));
    snprintf(path, sizeof path, "%s/keys/public.txt", dir);
    ok(proof_public_read(path, &pub, &err));
    /* another's key, whole statement signed anew; the own key, dated back; and both with known key and lines */
    ok(proof_keys_open(base, NULL, true, &keys, &err)); /* other keys, made in another directory */
    struct chain_day d = days[2].d;
    sign_again(dir, keys, &d, days[2].name);
    check(dir, lt_buf_slice(&lines), &pub);
    assert_found("key");
    assert_found("published");
    proof_keys_close(&keys);
    dir = copy();
    ok(proof_keys_open(dir, NULL, false, &keys, &err));
    d = days[2].d;
    d.sealed_at_ms = days[1].d.sealed_at_ms - 1;
    sign_again(dir, keys, &d, days[2].name);
    check(dir, lt_buf_slice(&lines), &pub);
    assert_found("backdated");
    assert_found("published");
    d.sealed_at_ms = start_ms() + 2 * LT_DAY_MS + 5; /* later than the one before, earlier than its own records */
    struct chain_day first = days[1].d;
    first.sealed_at_ms = start_ms() + 2 * LT_DAY_MS;
    sign_again(dir, keys, &first, days[1].name);
    sign_again(dir, keys, &d, days[2].name);
    check(dir, lt_buf_slice(&lines), &pub);
    assert_found("backdated");
    proof_keys_close(&keys);
    lt_buf_fini(&lines);
    free(days);
}

/* Signed by the post itself, so only the numbers tell that records were left out between two statements. */
static void records_between_statements(void **state)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    struct proof_keys *keys = NULL;
    const char *dir = copy();
    ok(proof_days(dir, &days, &n, &err));
    ok(proof_keys_open(dir, NULL, false, &keys, &err));
    struct chain_day d = days[2].d;
    d.stream[CHAIN_JOURNAL].first++;
    d.stream[CHAIN_JOURNAL].count--;
    sign_again(dir, keys, &d, days[2].name);
    struct proof_checked r;
    const struct proof_check c = {.dir = dir, .no_journal = true, .no_state = true, .found = on_found};
    got.n = 0;
    ok(proof_check_data(&c, &r, &err));
    assert_found("order");
    d = days[2].d;
    d.stream[CHAIN_AUDIT].first = days[1].d.stream[CHAIN_AUDIT].last; /* a row for the second time */
    sign_again(dir, keys, &d, days[2].name);
    got.n = 0;
    ok(proof_check_data(&c, &r, &err));
    assert_found("order");
    proof_keys_close(&keys);
    free(days);
}

static void what_checks_is_gone_or_damaged(void **state)
{
    const char *dir = copy();
    char path[200];
    sql(dir, "state.db", "DROP TABLE proof_removal"); /* and with it, once, went the check of the audit trail */
    sql(dir, "state.db", "UPDATE audit SET detail='{\"a\":1}' WHERE seq=(SELECT max(seq) FROM audit)");
    check(dir, LT_LIT(""), NULL);
    assert_found("removal_hash");
    assert_found("audit_hash");
    dir = copy();
    snprintf(path, sizeof path, "%s/proof/files/20261121.sum", dir);
    assert_int_equal(truncate(path, 100), 0);
    check(dir, LT_LIT(""), NULL);
    assert_found("sum");
    assert_int_equal(got.n, 1); /* and everything else was looked at all the same */
}

/* Random bits of the day files: found and placed to the byte, also where no record lies. */
static void bits_of_day_files(void **state)
{
    const char *dir = copy(), *many = getenv("PROOF_FLIPS");
    bool whole = getenv("LT_LONG") != NULL;
    uint64_t rounds = whole ? 10000 : 600, logical = whole ? 60 : 12;
    if (many)
        assert_true(lt_text_to_u64(lt_slice_of(many), &rounds));
    struct lt_rand r;
    lt_rand_init(&r, 3);
    unsigned by_records = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        char path[200];
        int day = 20261120 + (int)lt_rand_below(&r, DAYS - 1);
        snprintf(path, sizeof path, "%s/journal/%08d.db", dir, day);
        int fd = open(path, O_RDWR);
        struct stat st;
        uint8_t was = 0, is;
        assert_true(fd >= 0 && fstat(fd, &st) == 0);
        off_t at = (off_t)lt_rand_below(&r, (uint64_t)st.st_size);
        assert_int_equal(pread(fd, &was, 1, at), 1);
        is = (uint8_t)(was ^ (1 << lt_rand_below(&r, 8)));
        assert_int_equal(pwrite(fd, &is, 1, at), 1);
        struct proof_sum_bad bad;
        assert_int_equal(proof_sum_check(dir, day, &bad, &err), LT_E_CORRUPT);
        assert_true(bad.exact && bad.at == (uint64_t)at && bad.was == was && bad.is == is);
        if (i < logical) { /* and what the records alone say; bytes without records are silent */
            check(dir, LT_LIT(""), NULL);
            assert_found("sum");
            by_records += got.n > 1;
        }
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
        close(fd);
    }
    print_message("# of %d flips %u were found by the records, all by the sums\n", (int)logical, by_records);
    assert_true(by_records > 0);
    assert_int_equal(check(dir, LT_LIT(""), NULL).findings, 0);
}

static void removal_is_recorded_and_holds_keep(void **state)
{
    const char *dir = copy();
    struct sql_db *db = state_of(dir);
    int64_t now = start_ms() + DAYS * LT_DAY_MS + 100;
    unsigned days = 0;
    int held = 0;
    const struct auth_ctx who = auth_system("tester");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now, .tz_min = TZ};
    const struct record_set hold[] = {RECORD_SET_Z("object_kind", "days"),
                                      RECORD_SET_I("day_from", start_ms() + LT_DAY_MS),
                                      RECORD_SET_I("day_to", start_ms() + LT_DAY_MS), RECORD_SET_Z("reason", "court")};
    int64_t id = 0;
    ok(record_insert(&x, record_kind_find(LT_LIT("legal_hold")), hold, 4, &id, &err));
    ok(proof_held_from(db, now, TZ, &held, &err));
    assert_int_equal(held, 20261121);
    ok(proof_expire_journal(db, dir, TZ, 20261123, now, &days, &err));
    assert_int_equal(days, 1); /* only what lies before the held day */
    struct proof_checked r = check(dir, LT_LIT(""), NULL);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.removed_days, 1);
    ok(record_remove(&x, record_kind_find(LT_LIT("legal_hold")), id, 1, &err)); /* lifted */
    ok(proof_held_from(db, now, TZ, &held, &err));
    assert_int_equal(held, INT_MAX);
    ok(proof_expire_journal(db, dir, TZ, 20261123, now, &days, &err));
    assert_int_equal(days, 2);
    ok(proof_expire_journal(db, dir, TZ, 20261130, now, &days, &err)); /* the open day is not sealed: it stays */
    assert_int_equal(days, 0);
    r = check(dir, LT_LIT(""), NULL);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.removed_days, 3);
    sql_close(&db);
    sql(dir, "state.db", "UPDATE proof_removal SET count=count-1 WHERE seq=2");
    check(dir, LT_LIT(""), NULL);
    assert_found("removal_hash");
    assert_found("removal");
}

static void sealing_leaves_all_or_nothing(void **state)
{
    const char *dir = copy();
    char path[200];
    assert_int_equal(seal_all(dir, true), 1);
    /* as if killed between tree and statement, and in the middle of writing */
    struct proof_day *days = NULL;
    size_t n = 0;
    ok(proof_days(dir, &days, &n, &err));
    snprintf(path, sizeof path, "%s/proof/%s.day", dir, days[n - 1].name);
    char part[220];
    snprintf(part, sizeof part, "%s.part", path);
    run("mv", "-f", path, part);
    snprintf(path, sizeof path, "%s/proof/roots.txt", dir);
    assert_int_equal(truncate(path, 100), 0);
    free(days);
    assert_int_equal(seal_all(dir, true), 1);
    char sum[200];
    snprintf(sum, sizeof sum, "%s/proof/files/20261121.sum", dir);
    assert_int_equal(unlink(sum), 0);
    assert_int_equal(unlink(path), 0);
    ok(proof_complete(dir, &err));
    assert_int_equal(access(sum, R_OK), 0);
    struct lt_buf lines = LT_BUF_INIT(100000);
    ok(proof_read(path, &lines, &err));
    assert_int_equal(check(dir, lt_buf_slice(&lines), NULL).findings, 0);
    lt_buf_fini(&lines);
    /* a damaged day is not signed as if it were whole */
    dir = copy();
    sql(dir, "journal/20261123.db", "UPDATE batch SET hash=zeroblob(32) WHERE first_seq=7851");
    struct sql_db *db = state_of(dir);
    struct proof_keys *keys = NULL;
    struct chain_day d;
    ok(proof_keys_open(dir, NULL, false, &keys, &err));
    struct proof_sealer s = {.dir = dir, .tz_min = TZ, .db = db, .keys = keys, .threads = 1, .engine_seq = UINT64_MAX};
    assert_int_equal(proof_seal(&s, start_ms() + DAYS * LT_DAY_MS, true, &d, &err), LT_E_CORRUPT);
    proof_keys_close(&keys);
    sql_close(&db);
}

/* A post that was killed between opening and renaming leaves a read-only part of a file; its user must get over it. */
static void a_part_left_behind_is_no_obstacle(void **state)
{
    char at[120], path[200], part[220];
    struct stat st;
    snprintf(at, sizeof at, "%s/left", base);
    snprintf(path, sizeof path, "%s/x.zip", at);
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_equal(mkdir(at, 0777), 0);
    const bool root = geteuid() == 0; /* root may write into anything: be somebody else */
    if (root) {
        assert_int_equal(chmod(base, 0755), 0);
        assert_int_equal(chown(at, 65534, 65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    int fd = open(part, O_WRONLY | O_CREAT, 0440);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "half of it", 10), 10);
    close(fd);
    const enum lt_err e = proof_write(path, 0440, LT_LIT("whole"), &err);
    if (root)
        assert_int_equal(seteuid(0), 0);
    ok(e);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size == 5 && (st.st_mode & 0777) == 0440);
    assert_int_equal(access(part, F_OK), -1);
}

/* Retention must not stop at packages that are held: 510 of them, then one that is not. */
static void held_packages_do_not_keep_the_others(void **state)
{
    const char *dir = copy();
    struct sql_db *db = state_of(dir);
    const struct auth_ctx who = auth_system("tester");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = start_ms(), .tz_min = TZ};
    int64_t id = 0, device = 0, left = 0;
    unsigned n = 0;
    const struct record_set mn[] = {RECORD_SET_Z("mn", "HELD0001"), RECORD_SET_Z("name", "held")};
    ok(record_insert(&x, record_kind_find(LT_LIT("device")), mn, 2, &device, &err));
    ok(sql_begin(db, &err));
    for (int i = 0; i <= 510; i++) {
        char name[40];
        snprintf(name, sizeof name, "20261120-A%06d-0", i);
        const struct record_set set[] = {RECORD_SET_Z("name", name),
                                         RECORD_SET_Z("type", "alarm"),
                                         i < 510 ? RECORD_SET_I("device", device) : RECORD_SET_NULL("device"),
                                         RECORD_SET_I("sealed_at_ms", start_ms()),
                                         RECORD_SET_I("alarm_at_ms", start_ms()),
                                         RECORD_SET_Z("sha256", "00"),
                                         RECORD_SET_Z("sm3", "00"),
                                         RECORD_SET_Z("path", "2026/11/none.zip")};
        ok(record_insert(&x, record_kind_find(LT_LIT("evidence")), set, sizeof set / sizeof set[0], &id, &err));
    }
    ok(sql_end(db, LT_OK, &err));
    const struct record_set hold[] = {RECORD_SET_Z("object_kind", "device"), RECORD_SET_I("object_id", device),
                                      RECORD_SET_Z("reason", "court")};
    ok(record_insert(&x, record_kind_find(LT_LIT("legal_hold")), hold, 3, &id, &err));
    ok(proof_expire_evidence(db, dir, TZ, start_ms() + 1, start_ms() + LT_DAY_MS, &n, &err));
    assert_int_equal(n, 1);
    ok(sql_get_i64(db, "SELECT count(*) FROM evidence WHERE state = 'sealed'", NULL, &left, &err));
    assert_int_equal(left, 510);
    sql_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_left_behind_is_no_obstacle),
        cmocka_unit_test(held_packages_do_not_keep_the_others),
        cmocka_unit_test(keys_are_made_once_and_kept_close),
        cmocka_unit_test(a_whole_post_is_whole),
        cmocka_unit_test(one_record_is_proved),
        cmocka_unit_test(rows_altered),
        cmocka_unit_test(journal_altered),
        cmocka_unit_test(statements_altered),
        cmocka_unit_test(keys_and_times_altered),
        cmocka_unit_test(records_between_statements),
        cmocka_unit_test(what_checks_is_gone_or_damaged),
        cmocka_unit_test(bits_of_day_files),
        cmocka_unit_test(removal_is_recorded_and_holds_keep),
        cmocka_unit_test(sealing_leaves_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
