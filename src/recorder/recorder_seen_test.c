/* The duplicate index against a plain table: random streams over days, restarts, lost or torn index files, rollbacks,
 * and runs searched on disk. Time is invented; the journal is real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include "journal/journal_test_util.h"
#include "recorder/recorder_rejects.h"
#include "recorder/recorder_run.h"
#include "recorder/recorder_seen.h"

#define DEVICES 30
#ifdef __SANITIZE_THREAD__ /* the threads meet as often in less */
#define HOURS 62
#else
#define HOURS 120 /* five days of QN */
#endif
#define SALTS   2

struct world {
    char dir[64];
    struct journal *j;
    struct seen *s;
    struct journal_reader *rd;
    struct journal_batch *held;
    uint64_t stored[DEVICES][HOURS][SALTS]; /* number, 0 not stored */
    int stored_day[DEVICES][HOURS][SALTS];  /* days since TEST_T0 */
    unsigned run_frames;
};

static bool fetch(void *user, uint64_t seq, struct journal_record *ret)
{
    struct world *w = user;
    if (seq > journal_last_seq(w->j))
        return journal_open_find(w->j, seq, ret);
    journal_batch_unref(&w->held);
    if (!w->rd && journal_reader_open(w->dir, &w->rd, NULL) != LT_OK)
        return false;
    return journal_reader_next(w->rd, seq, &w->held, NULL) == LT_OK && journal_batch_find(w->held, seq, ret);
}

static void open_world(struct world *w)
{
    struct lt_error err = {0};
    assert_int_equal(journal_open(w->dir, LT_TZ_CHINA, &w->j, &err), LT_OK);
    assert_int_equal(seen_open(w->dir, LT_TZ_CHINA, w->run_frames, fetch, w, NULL, &w->s, &err), LT_OK);
}

static void close_world(struct world *w)
{
    seen_close(&w->s);
    journal_batch_unref(&w->held);
    journal_reader_close(&w->rd);
    journal_close(&w->j);
}

static struct journal_record frame_of(char buf[1200], unsigned d, unsigned h, unsigned salt, int64_t at_ms)
{
    struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = at_ms};
    const size_t n = frame_make(buf, d, TEST_T0 + h * LT_HOUR_MS, salt, &r.mn);
    r.bytes = (struct lt_slice){buf, n};
    return r;
}

/* One batch at at_ms of frames whose QN lies up to back hours before. fail: the commit does not come about. */
static void batch(struct world *w, struct lt_rand *rand, int64_t at_ms, unsigned n, unsigned back, bool fail)
{
    struct {
        unsigned d, h, salt;
        uint64_t seq;
    } news[200];
    unsigned k = 0;
    const int today = (int)((at_ms - TEST_T0) / LT_DAY_MS);
    seen_begin(w->s, lt_day_number(at_ms, LT_TZ_CHINA), journal_last_seq(w->j) + 1);
    uint64_t next = journal_last_seq(w->j) + 1;
    for (unsigned i = 0; i < n; i++) {
        const unsigned hour = (unsigned)((at_ms - TEST_T0) / LT_HOUR_MS);
        const unsigned h = hour - (unsigned)lt_rand_below(rand, (hour < back ? hour : back) + 1);
        const unsigned d = (unsigned)lt_rand_below(rand, DEVICES), salt = (unsigned)lt_rand_below(rand, SALTS);
        char buf[1200];
        struct journal_record r = frame_of(buf, d, h, salt, at_ms);
        uint64_t ref = 0;
        const bool dup = seen_check(w->s, &r, next, &ref);
        uint64_t expected = w->stored[d][h][salt];
        for (unsigned m = 0; m < k; m++)
            if (news[m].d == d && news[m].h == h && news[m].salt == salt)
                expected = news[m].seq;
        assert_int_equal(dup, expected != 0);
        if (dup) {
            assert_int_equal(ref, expected);
            r.kind = JOURNAL_DUPLICATE;
            r.ref = ref;
            r.bytes.n = 0;
            r.mn.n = 0;
        } else {
            news[k].d = d;
            news[k].h = h;
            news[k].salt = salt;
            news[k++].seq = next;
        }
        assert_int_equal(journal_add(w->j, &r), next++);
    }
    if (fail) {
        journal_abandon(w->j);
        seen_rollback(w->s);
        return;
    }
    assert_int_equal(journal_commit(w->j, at_ms, NULL), LT_OK);
    seen_commit(w->s, journal_last_seq(w->j));
    for (unsigned m = 0; m < k; m++) {
        w->stored[news[m].d][news[m].h][news[m].salt] = news[m].seq;
        w->stored_day[news[m].d][news[m].h][news[m].salt] = today;
    }
}

enum harm { NONE, LOSE_INDEX, TEAR_INDEX };

static void harm_index(struct world *w, enum harm harm, int day)
{
    char path[1024];
    struct stat st;
    run_path(w->dir, day, path);
    if (harm == LOSE_INDEX)
        unlink(path);
    else if (harm == TEAR_INDEX && stat(path, &st) == 0 && st.st_size > 3)
        assert_int_equal(truncate(path, st.st_size - 3), 0);
}

static void random_stream(unsigned run_frames, unsigned seed, enum harm harm)
{
    struct world *w = calloc(1, sizeof *w);
    struct lt_rand rand;
    struct seen_stats st;
    uint64_t searches = 0;
    lt_rand_init(&rand, seed);
    scratch_make(w->dir);
    w->run_frames = run_frames;
    open_world(w);
    for (unsigned hour = 0; hour < HOURS; hour++) {
        const int64_t at = TEST_T0 + hour * LT_HOUR_MS;
        for (unsigned k = 0; k < 3; k++) {
            batch(w, &rand, at + k * LT_MIN_MS, 1 + (unsigned)lt_rand_below(&rand, 60), k == 2 ? 100 : 20,
                  lt_rand_below(&rand, 6) == 0);
        }
        if (hour % 31 == 30) {
            seen_stats(w->s, &st);
            searches += st.disk_searches;
            assert_int_equal(st.lost_runs, 0);
            close_world(w);
            harm_index(w, harm, lt_day_number(at, LT_TZ_CHINA));
            open_world(w);
        }
    }
    seen_stats(w->s, &st);
    searches += st.disk_searches;
    assert_true(run_frames > 100000 || searches > 100); /* the disk was really used */
    close_world(w);
    scratch_remove(w->dir);
    free(w);
}

static void streams_with_small_runs(void **state)
{
    random_stream(120, 1, NONE);
    random_stream(400, 2, NONE);
}

static void streams_with_one_run_a_day(void **state)
{
    random_stream(0, 3, NONE);
}

static void index_files_lost_or_torn(void **state)
{
    random_stream(150, 4, LOSE_INDEX);
    random_stream(150, 5, TEAR_INDEX);
}

/* What was committed to the journal but not noted (healing found it) is noted afterwards. */
static void catching_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char buf[1200];
    uint64_t ref;
    scratch_make(w->dir);
    open_world(w);
    struct journal_record r = frame_of(buf, 1, 1, 0, TEST_T0);
    seen_begin(w->s, lt_day_number(TEST_T0, LT_TZ_CHINA), 1);
    assert_false(seen_check(w->s, &r, 1, &ref));
    seen_rollback(w->s);
    seen_begin(w->s, lt_day_number(TEST_T0, LT_TZ_CHINA), 1);
    assert_false(seen_check(w->s, &r, 1, &ref)); /* rolled back: not known */
    seen_rollback(w->s);
    assert_int_equal(journal_add(w->j, &r), 1);
    assert_int_equal(journal_commit(w->j, TEST_T0, NULL), LT_OK);
    assert_int_equal(seen_catch_up(w->s, 1, NULL), LT_OK);
    seen_begin(w->s, lt_day_number(TEST_T0, LT_TZ_CHINA), 2);
    assert_true(seen_check(w->s, &r, 2, &ref));
    assert_int_equal(ref, 1);
    seen_rollback(w->s);
    close_world(w);
    scratch_remove(w->dir);
    free(w);
}

/* Frames without QN, with a wild QN, with a length that does not fit: told apart and recognised all the same. */
static void odd_frames(void **state)
{
    static const char *const odd[] = {
        "##0010MN=A;CP=&&1234",
        "##0010MN=A;CP=&&1235",
        "",
        "#",
        "##",
        "##9999QN=20260101000000000;X",
        "garbage",
        "##0030QN=99999999999999999;MN=A;CP=&&1234",
        "##0030QN=20260231000000000;MN=A;CP=&&1234",
        "##0024QN=19700101000000000;A=11234",
        "##0040ST=31;CP=&&DataTime=20261128120000;a=1&&1234",
        "##0040ST=31;CP=&&DataTime=2026112812000",
    };
    struct world *w = calloc(1, sizeof *w);
    scratch_make(w->dir);
    open_world(w);
    uint64_t ref, seq = 1;
    for (unsigned round = 0; round < 2; round++) {
        seen_begin(w->s, lt_day_number(TEST_T0, LT_TZ_CHINA), seq);
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
            const struct journal_record r = {.kind = JOURNAL_FRAME, .bytes = lt_slice_of(odd[i]), .mn = LT_LIT("A")};
            const bool dup = seen_check(w->s, &r, seq, &ref);
            /* the second has the segment of the first, only its CRC differs */
            assert_int_equal(dup, round > 0 || i == 1);
            struct journal_record put = r;
            if (dup)
                put.kind = JOURNAL_DUPLICATE;
            assert_int_equal(journal_add(w->j, &put), seq++);
        }
        assert_int_equal(journal_commit(w->j, TEST_T0, NULL), LT_OK);
        seen_commit(w->s, journal_last_seq(w->j));
    }
    close_world(w);
    scratch_remove(w->dir);
    free(w);
}

/* A run on disk finds each of its entries, also those that share a hash, and nothing else. */
static void runs_on_disk(void **state)
{
    char dir[64], sub[128], path[1024];
    enum { N = 20000 };
    scratch_make(dir);
    snprintf(sub, sizeof sub, "%s/journal", dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    struct lt_rand rand;
    lt_rand_init(&rand, 8);
    uint64_t *e = malloc(N * sizeof *e);
    uint64_t hash = 0;
    for (uint64_t i = 0; i < N; i++) { /* ascending, with knots of equal hashes */
        hash += i % 10 == 3 ? 0 : 1 + lt_rand_below(&rand, (UINT64_C(1) << 41) / N);
        e[i] = hash << RUN_SEQ_BITS | i;
    }
    const uint8_t key[RUN_KEY] = {1, 2, 3};
    struct run r = {.day = 20261129, .count = N, .first_seq = 1, .last_seq = N};
    for (int round = 0; round < 2; round++)
        assert_int_equal(run_append(dir, key, &r, e, NULL), LT_OK);
    run_path(dir, r.day, path);
    const int fd = open(path, O_RDONLY);
    assert_true(run_bloom_load(&r, fd, key));
    unsigned false_hits = 0;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t hits[4];
        const size_t n = run_search(fd, &r, RUN_HASH(e[i]), hits, 4);
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found = found || hits[k] == e[i];
        assert_true(found);
        assert_true(run_bloom_has(&r, RUN_HASH(e[i])));
        const uint64_t other = RUN_HASH(e[i]) + 1;
        const bool there = (i + 1 < N && RUN_HASH(e[i + 1]) == other) || (i + 2 < N && RUN_HASH(e[i + 2]) == other);
        if (!there) {
            assert_int_equal(run_search(fd, &r, other, hits, 4), 0);
            false_hits += run_bloom_has(&r, other);
        }
    }
    assert_true(false_hits < N / 20);
    false_hits = 0;
    for (int i = 0; i < 100000; i++)
        false_hits += run_bloom_has(&r, lt_rand_u64(&rand) >> 24);
    assert_true(false_hits < 4000);
    close(fd);
    free(r.bloom);
    free(e);
    scratch_remove(dir);
}

static void rejects_are_bounded(void **state)
{
    struct rejects r;
    assert_true(rejects_init(&r, 3));
    for (int i = 0; i < 5; i++)
        assert_int_equal(rejects_keep(&r, LT_LIT("A"), 1), i < 3);
    assert_true(rejects_keep(&r, LT_LIT("B"), 1));
    assert_true(rejects_keep(&r, LT_LIT("A"), 2)); /* a new day */
    unsigned kept = 0;
    for (unsigned i = 0; i < REJECTS_DEVICES + 1000; i++) { /* more names than are counted apart */
        char name[24];
        const int n = snprintf(name, sizeof name, "N%u", i);
        kept += rejects_keep(&r, (struct lt_slice){name, (size_t)n}, 2);
    }
    assert_in_range(kept, REJECTS_DEVICES - 2, REJECTS_DEVICES + 3);
    rejects_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_with_small_runs),
        cmocka_unit_test(streams_with_one_run_a_day),
        cmocka_unit_test(index_files_lost_or_torn),
        cmocka_unit_test(catching_up),
        cmocka_unit_test(odd_frames),
        cmocka_unit_test(runs_on_disk),
        cmocka_unit_test(rejects_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
