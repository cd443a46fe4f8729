/* Tests of the journal: round trip, days, readers beside the writer, the tail, locking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include "journal/journal_test_util.h"

static struct journal *must_open(const char *dir)
{
    struct journal *j = NULL;
    struct lt_error err = {0};
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, &err), LT_OK);
    return j;
}

static void add_frames(struct journal *j, unsigned n, int64_t at_ms, unsigned salt)
{
    for (unsigned i = 0; i < n; i++) {
        char frame[1200];
        struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = at_ms + i, .conn = 7 + i};
        const size_t len = frame_make(frame, i, at_ms, salt + i, &r.mn);
        r.bytes = (struct lt_slice){frame, len};
        assert_int_equal(journal_add(j, &r), journal_last_seq(j) + i + 1);
    }
}

static void must_commit(struct journal *j, int64_t at_ms)
{
    struct lt_error err = {0};
    assert_int_equal(journal_commit(j, at_ms, &err), LT_OK);
}

/* Random records of every kind, kept beside for comparison. */
struct kept {
    struct journal_record r;
    char mn[64], bytes[1200];
};

static void invent(struct lt_rand *rand, struct kept *k, int64_t at_ms)
{
    k->r = (struct journal_record){.kind = (uint8_t)(1 + lt_rand_below(rand, 8)),
                                   .at_ms = at_ms - (int64_t)lt_rand_below(rand, 5000),
                                   .conn = (uint32_t)(lt_rand_u64(rand) >> (32 + lt_rand_below(rand, 32)))};
    if (lt_rand_below(rand, 2))
        k->r.ref = lt_rand_u64(rand) >> lt_rand_below(rand, 64);
    if (lt_rand_below(rand, 2))
        k->r.flags = (uint16_t)lt_rand_u64(rand);
    if (lt_rand_below(rand, 2))
        k->r.reason = (uint8_t)lt_rand_u64(rand);
    struct lt_slice mn;
    const size_t n = frame_make(k->bytes, (unsigned)lt_rand_below(rand, 100), at_ms, 1, &mn);
    k->r.bytes = (struct lt_slice){k->bytes, lt_rand_below(rand, 4) ? n : lt_rand_below(rand, n)};
    const size_t mn_n = lt_rand_below(rand, 3) ? mn.n : lt_rand_below(rand, 14);
    memcpy(k->mn, lt_rand_below(rand, 4) ? mn.p : "ABCDEFGHIJKLMNOP", mn_n);
    k->r.mn = (struct lt_slice){k->mn, mn_n};
}

static void assert_same(const struct journal_record *a, const struct journal_record *b)
{
    assert_int_equal(a->at_ms, b->at_ms);
    assert_int_equal(a->ref, b->ref);
    assert_int_equal(a->conn, b->conn);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->reason, b->reason);
    assert_true(lt_slice_eq(a->mn, b->mn));
    assert_true(lt_slice_eq(a->bytes, b->bytes));
}

#define KEPT 3000

static void assert_reads(const char *dir, const struct kept *kept, size_t n)
{
    struct journal_reader *r = NULL;
    struct lt_error err = {0};
    assert_int_equal(journal_reader_open(dir, &r, &err), LT_OK);
    uint64_t seq = 1;
    for (;;) {
        struct journal_batch *b = NULL;
        const enum lt_err e = journal_reader_next(r, seq, &b, &err);
        if (e == LT_E_NOT_FOUND)
            break;
        assert_int_equal(e, LT_OK);
        assert_int_equal(b->first_seq, seq);
        struct journal_record rec, found;
        for (size_t pos = 0; journal_batch_next(b, &pos, &rec); seq++) {
            assert_int_equal(rec.seq, seq);
            assert_true(seq <= n);
            assert_same(&rec, &kept[seq - 1].r);
            assert_true(journal_batch_find(b, seq, &found));
            assert_same(&rec, &found);
        }
        assert_int_equal(seq, b->first_seq + b->count);
        journal_batch_unref(&b);
    }
    assert_int_equal(seq, n + 1);
    journal_reader_close(&r);
}

static void round_trip(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct kept *kept = calloc(KEPT, sizeof *kept);
    struct lt_rand rand;
    lt_rand_init(&rand, 5);
    struct journal *j = must_open(dir);
    size_t n = 0;
    int64_t at = TEST_T0;
    while (n < KEPT) {
        for (size_t k = 1 + lt_rand_below(&rand, 60); k > 0 && n < KEPT; k--, n++) {
            invent(&rand, &kept[n], at);
            assert_int_equal(journal_add(j, &kept[n].r), n + 1);
            struct journal_record found;
            assert_true(journal_open_find(j, n + 1, &found));
            assert_same(&found, &kept[n].r);
        }
        must_commit(j, at);
        at += (int64_t)lt_rand_below(&rand, 2 * LT_HOUR_MS); /* several days */
        if (lt_rand_below(&rand, 10) == 0) {                 /* and several lives of the process */
            journal_close(&j);
            j = must_open(dir);
            assert_int_equal(journal_last_seq(j), n);
        }
    }
    assert_reads(dir, kept, KEPT);
    journal_close(&j);
    assert_reads(dir, kept, KEPT);
    int days[64];
    assert_true(journal_days(dir, days, 64) > 3);
    struct journal_verified v;
    struct lt_error err;
    assert_int_equal(journal_verify(dir, 0, 0, NULL, NULL, &v, &err), LT_OK);
    assert_int_equal(v.records, KEPT);
    free(kept);
    scratch_remove(dir);
}

static void abandoned_numbers_come_back(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    add_frames(j, 10, TEST_T0, 0);
    journal_abandon(j);
    must_commit(j, TEST_T0); /* nothing */
    assert_int_equal(journal_last_seq(j), 0);
    add_frames(j, 3, TEST_T0, 0);
    must_commit(j, TEST_T0);
    assert_int_equal(journal_last_seq(j), 3);
    struct journal_record big = {.kind = JOURNAL_REJECT, .bytes = {NULL, JOURNAL_BYTES_MAX + 1}};
    assert_int_equal(journal_add(j, &big), 0);
    struct journal_record name = {.kind = JOURNAL_REJECT, .mn = {NULL, JOURNAL_MN_MAX + 1}};
    assert_int_equal(journal_add(j, &name), 0);
    journal_close(&j);
    scratch_remove(dir);
}

static void clock_going_back_keeps_the_day(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    add_frames(j, 2, TEST_T0, 0);
    must_commit(j, TEST_T0);
    add_frames(j, 2, TEST_T0 - LT_HOUR_MS, 0);
    must_commit(j, TEST_T0 - LT_HOUR_MS);
    int days[4];
    assert_int_equal(journal_days(dir, days, 4), 1);
    assert_int_equal(days[0], lt_day_number(TEST_T0, LT_TZ_CHINA));
    journal_close(&j);
    scratch_remove(dir);
}

static void few_days_are_the_oldest(void **state)
{
    char dir[64], path[128];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    journal_close(&j);
    for (int day = 20261101; day <= 20261130; day++) { /* as many as make a folder's own order unlikely to be ours */
        snprintf(path, sizeof path, "%s/journal/%d.db", dir, day);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fclose(f);
    }
    for (size_t cap = 1; cap <= 30; cap += 4) {
        int days[30];
        assert_int_equal(journal_days(dir, days, cap), cap);
        for (size_t i = 0; i < cap; i++)
            assert_int_equal(days[i], 20261101 + (int)i);
    }
    scratch_remove(dir);
}

static void lock_refuses_a_second_process(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    const pid_t pid = fork();
    if (pid == 0) {
        struct journal *k = NULL;
        struct lt_error err = {0};
        const enum lt_err e = journal_open(dir, LT_TZ_CHINA, &k, &err);
        _exit(e == LT_E_IN_USE_DIR && strtol(err.arg[1], NULL, 10) == (long)getppid() ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    journal_close(&j);
    j = must_open(dir);
    journal_close(&j);
    scratch_remove(dir);
}

static void seek_time_finds_the_first(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    for (unsigned i = 0; i < 100; i++) { /* one batch of 3 records an hour, 1 ms apart */
        add_frames(j, 3, TEST_T0 + i * LT_HOUR_MS, i);
        must_commit(j, TEST_T0 + i * LT_HOUR_MS + 500);
    }
    struct journal_reader *r = NULL;
    assert_int_equal(journal_reader_open(dir, &r, NULL), LT_OK);
    uint64_t seq;
    assert_int_equal(journal_reader_seek_time(r, 0, &seq, NULL), LT_OK);
    assert_int_equal(seq, 1);
    for (unsigned i = 0; i < 100; i++)
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(journal_reader_seek_time(r, TEST_T0 + i * LT_HOUR_MS + k, &seq, NULL), LT_OK);
            assert_int_equal(seq, 3 * i + k + 1);
        }
    assert_int_equal(journal_reader_seek_time(r, TEST_T0 + LT_HOUR_MS + 3, &seq, NULL), LT_OK);
    assert_int_equal(seq, 7);
    assert_int_equal(journal_reader_seek_time(r, TEST_T0 + 100 * LT_HOUR_MS, &seq, NULL), LT_E_NOT_FOUND);
    journal_reader_close(&r);
    journal_close(&j);
    scratch_remove(dir);
}

/* ---- beside the writer ---- */
struct shared {
    char dir[64];
    char why[2][600];
    struct journal_tail *tail;
    atomic_uint_fast64_t committed;
    atomic_bool stop;
};

#define LIVE_BATCHES 400

static void *follow_disk(void *arg)
{
    struct shared *s = arg;
    struct journal_reader *r = NULL;
    if (journal_reader_open(s->dir, &r, NULL) != LT_OK)
        return "open";
    uint64_t seq = 1;
    const char *bad = NULL;
    while (!bad && !(atomic_load(&s->stop) && seq > atomic_load(&s->committed))) {
        const uint64_t durable = atomic_load(&s->committed);
        struct journal_batch *b = NULL;
        struct lt_error err;
        const enum lt_err e = journal_reader_next(r, seq, &b, &err);
        if (e == LT_E_NOT_FOUND) {
            bad = durable >= seq ? "a committed record is not there" : NULL;
            continue;
        }
        if (e) {
            lt_error_text(&err, LT_EN, s->why[0], sizeof s->why[0]);
            bad = s->why[0];
        } else if (b->first_seq != seq)
            bad = "gap";
        else
            seq += b->count;
        journal_batch_unref(&b);
    }
    journal_reader_close(&r);
    return (void *)(uintptr_t)bad;
}

static void *follow_tail(void *arg)
{
    struct shared *s = arg;
    uint64_t seq = 1;
    const char *bad = NULL;
    while (!bad && !(atomic_load(&s->stop) && seq > atomic_load(&s->committed))) {
        struct journal_batch *b = NULL;
        struct lt_error err;
        const enum lt_err e = journal_tail_next(s->tail, seq, 50, &b, &err);
        if (e == LT_E_TIMEOUT)
            continue;
        if (e) {
            lt_error_text(&err, LT_EN, s->why[1], sizeof s->why[1]);
            bad = s->why[1];
        } else if (b->first_seq != seq)
            bad = "gap";
        else
            seq += b->count;
        journal_batch_unref(&b);
    }
    return (void *)(uintptr_t)bad;
}

static void readers_beside_the_writer(void **state)
{
    struct shared s = {0};
    scratch_make(s.dir);
    struct journal *j = must_open(s.dir);
    s.tail = journal_tail_create(s.dir);
    pthread_t t[4];
    for (size_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, i % 2 ? follow_tail : follow_disk, &s);
    for (unsigned i = 0; i < LIVE_BATCHES; i++) { /* crosses four midnights */
        add_frames(j, 1 + i % 17, TEST_T0 + i * 15 * LT_MIN_MS, i);
        must_commit(j, TEST_T0 + i * 15 * LT_MIN_MS);
        atomic_store(&s.committed, journal_last_seq(j));
        journal_tail_publish(s.tail, j, 1);
    }
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < 4; i++) {
        void *bad = NULL;
        pthread_join(t[i], &bad);
        if (bad)
            fail_msg("%s", (const char *)bad);
    }
    journal_tail_destroy(&s.tail);
    journal_close(&j);
    scratch_remove(s.dir);
}

static void tail_falls_back_to_disk_and_times_out(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    add_frames(j, 5, TEST_T0, 0);
    must_commit(j, TEST_T0); /* never published: only on disk */
    struct journal_tail *t = journal_tail_create(dir);
    struct journal_batch *b = NULL;
    assert_int_equal(journal_tail_next(t, 3, 0, &b, NULL), LT_OK);
    assert_int_equal(b->first_seq, 1);
    journal_batch_unref(&b);
    assert_int_equal(journal_tail_next(t, 6, 10, &b, NULL), LT_E_TIMEOUT);
    assert_null(journal_tail_peek(t, 3));
    add_frames(j, 2, TEST_T0, 9);
    must_commit(j, TEST_T0);
    journal_tail_publish(t, j, 1); /* the first commit's batch was replaced by this one: a gap before it */
    assert_int_equal(journal_tail_next(t, 7, 0, &b, NULL), LT_OK);
    assert_int_equal(b->first_seq, 6);
    journal_batch_unref(&b);
    b = journal_tail_peek(t, 6);
    assert_non_null(b);
    journal_batch_unref(&b);
    assert_int_equal(journal_tail_next(t, 1, 0, &b, NULL), LT_OK);
    assert_int_equal(b->first_seq, 1);
    journal_batch_unref(&b);
    journal_tail_destroy(&t);
    journal_close(&j);
    scratch_remove(dir);
}

/* The wall clock is put an hour forward between two commits: whoever reads them from disk is not an hour late. */
static void a_batch_from_disk_knows_its_monotonic_time(void **state)
{
    static const struct {
        int64_t at_ms, mono_ms;
    } publish[] = {{10000, 50000}, {10400, 50400}, {LT_HOUR_MS + 11400, 51400}, {LT_HOUR_MS + 20000, 60000}};
    static const int64_t want[] = {50000, 50000, 51400, 60000}; /* the second within a second of its mark */
    char dir[64];
    scratch_make(dir);
    struct journal *j = must_open(dir);
    add_frames(j, 1, TEST_T0, 0);
    must_commit(j, TEST_T0); /* by an earlier process */
    struct journal_tail *t = journal_tail_create(dir);
    struct journal_batch *b = NULL;
    assert_int_equal(journal_tail_next(t, 1, 0, &b, NULL), LT_OK);
    assert_int_equal(b->mono_ms, 0); /* nothing to go by yet */
    journal_batch_unref(&b);
    for (unsigned i = 0; i < 4; i++) {
        add_frames(j, 1, TEST_T0 + publish[i].at_ms, i);
        must_commit(j, TEST_T0 + publish[i].at_ms);
        journal_tail_publish(t, j, publish[i].mono_ms);
    }
    for (unsigned i = 0; i < 2; i++) { /* the one before is not published: a gap, so that the ring forgets all */
        add_frames(j, 1, TEST_T0 + 2 * LT_HOUR_MS, i);
        must_commit(j, TEST_T0 + 2 * LT_HOUR_MS);
    }
    journal_tail_publish(t, j, 70000);
    for (unsigned i = 0; i < 4; i++) {
        assert_null(journal_tail_peek(t, 2 + i));
        assert_int_equal(journal_tail_next(t, 2 + i, 0, &b, NULL), LT_OK);
        assert_int_equal(b->mono_ms, want[i]);
        journal_batch_unref(&b);
    }
    assert_int_equal(journal_tail_next(t, 1, 0, &b, NULL), LT_OK);
    assert_int_equal(b->mono_ms, 40000); /* ten seconds before the first, by the clock of then */
    journal_batch_unref(&b);
    journal_tail_destroy(&t);
    journal_close(&j);
    scratch_remove(dir);
}

static void names_and_classes(void **state)
{
    assert_string_equal(journal_reason_name(5), "crc");
    assert_string_equal(journal_reason_name(JOURNAL_R_PASSWORD), "password");
    assert_string_equal(journal_reason_name(JOURNAL_R_INCOMPLETE), "incomplete");
    assert_string_equal(journal_reason_name(63), "unknown");
    assert_string_equal(journal_reason_name(255), "unknown");
    static const enum journal_class want[] = {
        0, JOURNAL_CLASS_STORED, JOURNAL_CLASS_REJECTED, JOURNAL_CLASS_DUPLICATE, JOURNAL_CLASS_REJECTED, 0, 0, 0, 0,
        0};
    for (uint8_t k = 0; k < sizeof want / sizeof *want; k++)
        assert_int_equal(journal_ledger_class(&(struct journal_record){.kind = k}), want[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(abandoned_numbers_come_back),
        cmocka_unit_test(clock_going_back_keeps_the_day),
        cmocka_unit_test(few_days_are_the_oldest),
        cmocka_unit_test(lock_refuses_a_second_process),
        cmocka_unit_test(seek_time_finds_the_first),
        cmocka_unit_test(readers_beside_the_writer),
        cmocka_unit_test(tail_falls_back_to_disk_and_times_out),
        cmocka_unit_test(a_batch_from_disk_knows_its_monotonic_time),
        cmocka_unit_test(names_and_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
