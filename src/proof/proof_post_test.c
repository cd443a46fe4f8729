/* The threads of a running post together: alarms come, packages are sealed, follow-ups are handed in from two sides at
 * once, days are sealed and checked meanwhile. Meant for TSan, true without it. */
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/varint.h"
#include "journal/journal.h"
#include "proof/proof.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define TZ      LT_TZ_CHINA
#define ALARMS  3
#define APPENDS 4 /* of each side */
#define WAIT_MS 60000

static char dir[64];
static struct proof *post;
static atomic_int events;

static void ok(enum lt_err e, const struct lt_error *err)
{
    char text[512];
    if (e != LT_OK) {
        lt_error_text(err, LT_EN, text, sizeof text);
        fail_msg("%s: %s", lt_err_name(e), text);
    }
}

static struct sql_db *state(void)
{
    char path[100];
    struct sql_db *db = NULL;
    struct lt_error err;
    snprintf(path, sizeof path, "%s/state.db", dir);
    ok(sql_open(path, false, &db, &err), &err);
    return db;
}

static int64_t number(struct sql_db *db, const char *text)
{
    int64_t v = 0;
    struct lt_error err;
    ok(sql_get_i64(db, text, NULL, &v, &err), &err);
    return v;
}

static void on_event(void *user, const char *type, int64_t territory, int64_t enterprise, struct lt_slice json)
{
    assert_string_equal(type, "evidence");
    events++;
}

static int64_t make_post(struct sql_db *db)
{
    const struct auth_ctx who = auth_system("tester");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = lt_wall_ms(), .tz_min = TZ};
    const struct record_set set[] = {RECORD_SET_Z("mn", "POST00000000000000000001"), RECORD_SET_Z("name", "设备")};
    struct lt_error err;
    struct journal *j = NULL;
    int64_t device = 0, now = lt_wall_ms();
    char frame[200];
    ok(record_setup(db, &err), &err);
    ok(alarm_setup(db, now, &err), &err);
    ok(proof_setup(db, &err), &err);
    ok(record_insert(&x, record_kind_find(LT_LIT("device")), set, 2, &device, &err), &err);
    ok(journal_open(dir, TZ, &j, &err), &err);
    for (int i = 0; i < 200; i++) {
        int n = snprintf(frame, sizeof frame,
                         "##0101QN=2026;ST=31;CN=2011;PW=123456;MN=POST00000000000000000001;CP=&&a=%d&&ABCD", i);
        const struct journal_record r = {.at_ms = now - 200000 + i * 1000,
                                         .conn = 1,
                                         .kind = JOURNAL_FRAME,
                                         .mn = LT_LIT("POST00000000000000000001"),
                                         .bytes = {frame, (size_t)n}};
        assert_int_not_equal(journal_add(j, &r), 0);
    }
    ok(journal_commit(j, now, &err), &err);
    journal_close(&j);
    return device;
}

static void raise_one(struct sql_db *db, int64_t device, int i)
{
    struct alarm_outcome o;
    struct lt_error err;
    int64_t now = lt_wall_ms();
    const struct alarm_fact f = {.rule = ALARM_R_SILENCE,
                                 .rule_version = 1,
                                 .object_kind = ALARM_DEVICE,
                                 .object_id = device,
                                 .period_at_ms = now - i,
                                 .first_at_ms = now - i,
                                 .last_at_ms = now,
                                 .count = 1,
                                 .value = LT_FIX_NONE,
                                 .limit_value = LT_FIX_NONE};
    ok(sql_begin(db, &err), &err);
    ok(sql_end(db, alarm_raise(db, &f, now, &o, &err), &err), &err);
    assert_int_equal(o.change, ALARM_NEW);
}

static void *append_some(void *arg)
{
    const char *mark = arg;
    struct sql_db *db = state();
    const struct auth_ctx who = auth_system("inspector");
    struct lt_error err;
    for (int i = 0; i < APPENDS; i++) {
        const struct record_ctx x = {.db = db, .who = &who, .now_ms = lt_wall_ms(), .tz_min = TZ};
        const struct proof_sources s = {.dir = dir, .tz_min = TZ, .db = db, .keys = proof_keys_of(post)};
        const struct proof_follow_up f = {.parent = 1,
                                          .type = "document",
                                          .file_name = lt_slice_of(mark),
                                          .note = LT_LIT("both at once"),
                                          .data = lt_slice_of(mark)};
        int64_t id = 0;
        ok(proof_append(&s, &x, &f, &id, &err), &err);
    }
    sql_close(&db);
    return NULL;
}

/* What pages ask for all the time. */
static void look(struct sql_db *db)
{
    struct lt_buf out = LT_BUF_INIT(1 << 20);
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_array(&w);
    proof_state_write(post, db, TZ, &w);
    proof_check_write(post, LT_EN, TZ, &w);
    proof_custody_write(db, 1, TZ, true, &w);
    jsonw_array_end(&w);
    assert_true(jsonw_ok(&w));
    lt_buf_fini(&out);
}

static bool check_runs(struct lt_buf *out)
{
    struct jsonw w;
    lt_buf_clear(out);
    jsonw_init(&w, out);
    proof_check_write(post, LT_EN, TZ, &w);
    lt_buf_addc(out, '\0');
    return strstr(out->p, "\"running\":true") != NULL;
}

static void all_hold(struct sql_db *db)
{
    const struct proof_verify how = {.key = proof_keys_public(proof_keys_of(post))};
    int64_t n = number(db, "SELECT count(*) FROM evidence");
    struct lt_error err;
    assert_int_equal(n, ALARMS + 2 * APPENDS);
    assert_int_equal(number(db, "SELECT count(DISTINCT path) FROM evidence"), n);
    for (int64_t id = 1; id <= n; id++) {
        struct lt_buf file = LT_BUF_INIT(CHAIN_ZIP_MAX);
        struct proof_verdict v;
        struct chain_pair hash;
        struct chain_hasher *h = chain_hasher_create();
        char hex[2 * CHAIN_HASH + 1];
        ok(proof_file(db, dir, id, NULL, NULL, &file, &err), &err);
        ok(proof_pack_verify(lt_buf_slice(&file), &how, &v, &err), &err);
        assert_true(v.ok);
        json_decref(v.manifest);
        assert_true(h && chain_digest_both(h, lt_buf_slice(&file), &hash));
        lt_text_hex(hash.h[CHAIN_SHA256], CHAIN_HASH, hex);
        struct sql_stmt *st = NULL; /* the file is the one that was registered */
        bool row = false;
        ok(sql_prepare(db, "SELECT sha256 FROM evidence WHERE id = ?1", &st, &err), &err);
        sql_bind_i64(st, 1, id);
        ok(sql_step(st, &row, &err), &err);
        assert_true(row && lt_slice_is(sql_col_text(st, 0), hex));
        sql_release(&st);
        chain_hasher_destroy(&h);
        const char *const names[] = {"manifest.json", "custody.jsonl", "cover.pdf"};
        for (size_t k = 0; k < 3; k++) { /* an entry read alone is what stands in the file */
            struct lt_buf one = LT_BUF_INIT(CHAIN_ZIP_MAX);
            struct lt_slice want;
            assert_true(proof_pack_find(lt_buf_slice(&file), names[k], &want));
            ok(proof_entry(db, dir, id, names[k], &one, &err), &err);
            assert_true(lt_slice_eq(lt_buf_slice(&one), want));
            lt_buf_fini(&one);
        }
        struct lt_buf none = LT_BUF_INIT(100);
        assert_int_equal(proof_entry(db, dir, id, "nothing.json", &none, &err), LT_E_NOT_FOUND);
        assert_int_equal(proof_entry(db, dir, id, "manifest.json", &none, &err), LT_E_TOO_LARGE);
        lt_buf_fini(&none);
        lt_buf_fini(&file);
    }
}

static void alarms_follow_ups_seals_and_checks_together(void **ctx)
{
    struct sql_db *db = state();
    int64_t device = make_post(db), begun = lt_mono_ms();
    const struct proof_config cfg = {.dir = dir, .tz_min = TZ, .threads = 2, .on_event = on_event};
    struct lt_error err;
    struct chain_day d;
    struct lt_buf text = LT_BUF_INIT(1 << 20);
    pthread_t t[2];
    ok(proof_start(&cfg, &post, &err), &err);
    raise_one(db, device, 0);
    while (number(db, "SELECT count(*) FROM evidence") < 1 && lt_mono_ms() - begun < WAIT_MS)
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    assert_int_equal(pthread_create(&t[0], NULL, append_some, (void *)(uintptr_t) "one.txt"), 0);
    assert_int_equal(pthread_create(&t[1], NULL, append_some, (void *)(uintptr_t) "two.txt"), 0);
    for (int i = 1; i < ALARMS; i++)
        raise_one(db, device, i);
    ok(proof_seal_now(post, db, lt_wall_ms(), &d, &err), &err);
    assert_int_equal(d.n, 1);
    ok(proof_check_start(post, 0, 0, &err), &err);
    while ((check_runs(&text) || number(db, "SELECT count(*) FROM evidence") < ALARMS + 2 * APPENDS) &&
           lt_mono_ms() - begun < WAIT_MS) {
        look(db);
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    assert_non_null(strstr(text.p, "\"ok\":true"));
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(events, ALARMS);
    all_hold(db);
    proof_stop(&post);
    assert_null(post);
    ok(proof_start(&cfg, &post, &err), &err); /* and ended while it begins, with a check due */
    ok(proof_check_start(post, 0, 0, &err), &err);
    proof_stop(&post);
    assert_int_equal(number(db, "SELECT count(*) FROM evidence"), ALARMS + 2 * APPENDS);
    lt_buf_fini(&text);
    sql_close(&db);
}

/* ---- packages without the threads ---- */

static struct proof_verdict sealed_alone(struct sql_db *db, struct lt_buf *file)
{
    struct proof_keys *keys = NULL;
    struct proof_verdict v;
    struct lt_error err;
    unsigned n = 0;
    ok(proof_keys_open(dir, NULL, true, &keys, &err), &err);
    const struct proof_sources s = {.dir = dir, .tz_min = TZ, .db = db, .keys = keys};
    const struct proof_verify how = {.key = proof_keys_public(keys)};
    int64_t before = number(db, "SELECT count(*) FROM evidence");
    /* as if two minutes later: then the search is not cut off after a second, which a slow machine would notice */
    ok(proof_seal_alarms(&s, lt_wall_ms() + 2 * LT_MIN_MS, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(number(db, "SELECT count(*) FROM evidence"), before + 1);
    ok(proof_file(db, dir, number(db, "SELECT max(id) FROM evidence"), NULL, NULL, file, &err), &err);
    ok(proof_pack_verify(lt_buf_slice(file), &how, &v, &err), &err);
    assert_true(v.ok);
    proof_keys_close(&keys);
    return v;
}

static uint64_t left_out(const json_t *manifest, const char *why)
{
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(manifest, "left_out"), i,
                       o) if (strstr(json_string_value(json_object_get(o, "why")),
                                     why)) return (uint64_t)json_integer_value(json_object_get(o, "n"));
    return 0;
}

static uint64_t last_frame(struct lt_slice file, uint64_t *ret_first)
{
    struct lt_slice f;
    struct chain_record r = {0};
    assert_true(proof_pack_find(file, "frames.bin", &f));
    *ret_first = 0;
    for (size_t at = 0; at < f.n;) {
        const size_t n = (size_t)lt_le_get(f.p + at, 4);
        assert_true(chain_record_read((struct lt_slice){f.p + at + 4, n}, &r));
        *ret_first = *ret_first ? *ret_first : r.seq;
        at += 4 + n;
    }
    return r.seq;
}

/* A device that sends every second has more frames in its hours than are looked through: the newest must be among those
 * kept, they are what the alarm is about. */
static void the_newest_frames_are_kept(void **ctx)
{
    struct sql_db *db = state();
    struct lt_buf file = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct lt_error err;
    struct journal *j = NULL;
    uint64_t first = 0;
    int64_t now = lt_wall_ms();
    ok(journal_open(dir, TZ, &j, &err), &err);
    for (int i = 0; i < 2600; i++) {
        const struct journal_record r = {.at_ms = now - 2600000 + i * 1000,
                                         .conn = 1,
                                         .kind = JOURNAL_FRAME,
                                         .mn = LT_LIT("POST00000000000000000001"),
                                         .bytes = LT_LIT("##0009CN=2011&&ABCD")};
        assert_int_not_equal(journal_add(j, &r), 0);
        if (i % 100 == 99)
            ok(journal_commit(j, now - 2600000 + i * 1000, &err), &err);
    }
    const uint64_t last = journal_last_seq(j);
    journal_close(&j);
    raise_one(db, 1, 1000);
    struct proof_verdict v = sealed_alone(db, &file);
    assert_int_equal(last_frame(lt_buf_slice(&file), &first), last);
    assert_true(left_out(v.manifest, "older than those kept") > 0);
    json_decref(v.manifest);
    lt_buf_fini(&file);
    sql_close(&db);
}

/* A damaged batch among the frames of the last hours: the package is sealed with what is newer, and says so. */
static void damage_in_the_journal_leaves_a_package(void **ctx)
{
    struct sql_db *db = state(), *day = NULL;
    struct lt_buf file = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct lt_error err;
    uint64_t first = 0;
    int days[4];
    char path[128];
    const size_t n = journal_days(dir, days, 4);
    assert_true(n > 0);
    snprintf(path, sizeof path, "%s/journal/%08d.db", dir, days[n - 1]);
    ok(sql_open(path, false, &day, &err), &err);
    int64_t bad = number(day, "SELECT first_seq FROM batch ORDER BY first_seq DESC LIMIT 1 OFFSET 5");
    char text[200];
    snprintf(text, sizeof text, "UPDATE batch SET body = zeroblob(length(body)) WHERE first_seq = %lld",
             (long long)bad);
    ok(sql_exec(day, text, &err), &err);
    sql_close(&day);
    raise_one(db, 1, 2000);
    struct proof_verdict v = sealed_alone(db, &file);
    last_frame(lt_buf_slice(&file), &first);
    assert_int_equal(first, bad + 100); /* of the batches of 100 the one behind the damage */
    assert_true(left_out(v.manifest, "cannot be read") > 0);
    json_decref(v.manifest);
    lt_buf_fini(&file);
    sql_close(&db);
}

static int group_setup(void **ctx)
{
    lt_text_copy(dir, sizeof dir, "/tmp/proof_post_XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **ctx)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alarms_follow_ups_seals_and_checks_together),
                                       cmocka_unit_test(the_newest_frames_are_kept),
                                       cmocka_unit_test(damage_in_the_journal_leaves_a_package)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
