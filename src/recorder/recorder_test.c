/* Tests of the recorder: results, ports and threads, full queue, refused records, ticks, duplicates over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "journal/journal_test_util.h"
#include "recorder/recorder.h"

static struct recorder *must_start(const char *dir, unsigned run_frames, unsigned keep_rejects, unsigned tick_s)
{
    const struct recorder_config cfg = {
        .dir = dir, .tz_min = LT_TZ_CHINA, .tick_s = tick_s, .keep_rejects = keep_rejects, .run_frames = run_frames};
    struct recorder *r = NULL;
    struct lt_error err = {0};
    assert_int_equal(recorder_start(&cfg, &r, &err), LT_OK);
    return r;
}

static void post(void *user)
{
    sem_post(user);
}

static struct recorder_block *wait_done(struct recorder_port *p, sem_t *sem)
{
    struct recorder_block *b;
    while (!(b = recorder_port_done(p)))
        sem_wait(sem);
    return b;
}

/* Sends one record and returns what became of it. */
static struct recorder_entry send_one(struct recorder_port *p, sem_t *sem, const struct journal_record *rec)
{
    struct recorder_block *b = recorder_port_take(p);
    assert_non_null(b);
    assert_true(recorder_block_add(b, rec, 42));
    recorder_port_submit(p, b);
    b = wait_done(p, sem);
    size_t n;
    struct recorder_entry e = recorder_block_entries(b, &n)[0];
    assert_int_equal(n, 1);
    assert_int_equal(e.user, 42);
    recorder_port_give(p, b);
    return e;
}

static struct journal_record frame_record(char buf[1200], unsigned device, int64_t at_ms, unsigned salt)
{
    struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = at_ms, .conn = 3};
    const size_t n = frame_make(buf, device, at_ms, salt, &r.mn);
    r.bytes = (struct lt_slice){buf, n};
    return r;
}

/* The record with this number as the disk has it; bytes are copied into buf. */
static struct journal_record read_back(const char *dir, uint64_t seq, char buf[8192])
{
    struct journal_reader *rd = NULL;
    struct journal_batch *b = NULL;
    struct journal_record r;
    assert_int_equal(journal_reader_open(dir, &rd, NULL), LT_OK);
    assert_int_equal(journal_reader_next(rd, seq, &b, NULL), LT_OK);
    assert_true(journal_batch_find(b, seq, &r));
    memcpy(buf, r.bytes.p, r.bytes.n);
    r.bytes.p = buf;
    memcpy(buf + r.bytes.n, r.mn.p, r.mn.n);
    r.mn.p = buf + r.bytes.n;
    journal_batch_unref(&b);
    journal_reader_close(&rd);
    return r;
}

static void results_of_each_kind(void **state)
{
    char dir[64], a[1200], b[1200], buf[8192];
    scratch_make(dir);
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct recorder *r = must_start(dir, 0, 2, 3600);
    struct recorder_port *p = recorder_port_create(r, post, &sem);
    const int64_t now = lt_wall_ms();
    struct journal_record f = frame_record(a, 1, now, 1), g = frame_record(b, 1, now, 2);
    struct recorder_entry first = send_one(p, &sem, &f);
    assert_int_equal(first.result, RECORDER_STORED);
    struct journal_record disk = read_back(dir, first.rec.seq, buf);
    assert_true(lt_slice_eq(disk.bytes, f.bytes));
    assert_true(lt_slice_eq(disk.mn, f.mn));
    struct recorder_entry again = send_one(p, &sem, &f);
    assert_int_equal(again.result, RECORDER_DUPLICATE);
    assert_int_equal(again.rec.ref, first.rec.seq);
    disk = read_back(dir, again.rec.seq, buf);
    assert_int_equal(disk.kind, JOURNAL_DUPLICATE);
    assert_int_equal(disk.ref, first.rec.seq);
    assert_int_equal(disk.bytes.n, 0);
    assert_true(lt_slice_eq(disk.mn, f.mn));
    /* same QN, other bytes: both are kept */
    assert_int_equal(send_one(p, &sem, &g).result, RECORDER_STORED);
    /* same bytes filed under another device: kept */
    f.mn = LT_LIT("OTHER");
    assert_int_equal(send_one(p, &sem, &f).result, RECORDER_STORED);
    struct journal_record bad = {
        .kind = JOURNAL_REJECT, .reason = 5, .at_ms = now, .mn = LT_LIT("DEV"), .bytes = LT_LIT("##junk")};
    for (unsigned i = 0; i < 5; i++) {
        struct recorder_entry e = send_one(p, &sem, &bad);
        assert_int_equal(e.result, RECORDER_REFUSED);
        disk = read_back(dir, e.rec.seq, buf);
        assert_int_equal(disk.kind, i < 2 ? JOURNAL_REJECT : JOURNAL_DROPPED);
        assert_int_equal(disk.reason, 5);
        assert_int_equal(disk.bytes.n, i < 2 ? 6 : 0);
        assert_true(lt_slice_is(disk.mn, "DEV"));
    }
    bad.mn = LT_LIT("");
    assert_int_equal(read_back(dir, send_one(p, &sem, &bad).rec.seq, buf).kind, JOURNAL_REJECT);
    recorder_port_destroy(&p);
    recorder_stop(&r);
    scratch_remove(dir);
}

static void a_full_queue_says_no(void **state)
{
    char dir[64], buf[1200];
    scratch_make(dir);
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct recorder *r = must_start(dir, 0, 0, 3600);
    struct recorder_port *p = recorder_port_create(r, post, &sem);
    struct recorder_block *blocks[RECORDER_PORT_BLOCKS];
    for (size_t i = 0; i < RECORDER_PORT_BLOCKS; i++)
        assert_non_null(blocks[i] = recorder_port_take(p));
    assert_null(recorder_port_take(p));
    unsigned n = 0;
    for (; n < 100000; n++) { /* a block has an end too */
        struct journal_record f = frame_record(buf, n, lt_wall_ms(), 7);
        if (!recorder_block_add(blocks[0], &f, n))
            break;
    }
    assert_in_range(n, 300, RECORDER_BLOCK_ENTRIES);
    assert_int_equal(recorder_block_count(blocks[0]), n);
    struct journal_record tiny = {.kind = JOURNAL_CONN};
    for (n = 0; n < 100000 && recorder_block_add(blocks[1], &tiny, 0); n++) {
    }
    assert_int_equal(n, RECORDER_BLOCK_ENTRIES);
    static char big[JOURNAL_BYTES_MAX + 10];
    struct journal_record r1 = {.kind = JOURNAL_FRAME, .bytes = {big, sizeof big}};
    assert_false(recorder_block_add(blocks[2], &r1, 0));
    r1.kind = JOURNAL_REJECT; /* cut */
    assert_true(recorder_block_add(blocks[2], &r1, 0));
    for (size_t i = 0; i < RECORDER_PORT_BLOCKS; i++)
        recorder_port_submit(p, blocks[i]);
    for (size_t i = 0; i < RECORDER_PORT_BLOCKS; i++) {
        struct recorder_block *b = wait_done(p, &sem);
        assert_ptr_equal(b, blocks[i]); /* in order */
        size_t k;
        const struct recorder_entry *e = recorder_block_entries(b, &k);
        for (size_t j = 0; j < k; j++)
            assert_true(e[j].result == RECORDER_STORED || e[j].result == RECORDER_REFUSED);
        recorder_port_give(p, b);
    }
    assert_non_null(blocks[0] = recorder_port_take(p));
    recorder_port_give(p, blocks[0]);
    recorder_port_destroy(&p);
    recorder_stop(&r);
    scratch_remove(dir);
}

static void ticks_come_by_themselves(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct recorder *r = must_start(dir, 0, 0, 1);
    uint64_t seq = 1;
    unsigned ticks = 0;
    const int64_t began = lt_mono_ms();
    while (ticks < 3) {
        struct journal_batch *b = NULL;
        assert_int_equal(journal_tail_next(recorder_tail(r), seq, 5000, &b, NULL), LT_OK);
        struct journal_record rec;
        for (size_t pos = 0; journal_batch_next(b, &pos, &rec);)
            ticks += rec.kind == JOURNAL_TICK;
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    assert_in_range(lt_mono_ms() - began, 1500, 4500);
    recorder_stop(&r);
    scratch_remove(dir);
}

/* The wall clock of this program is moved by the tests (the linker puts this in its place). */
static atomic_llong wall_moved_ms;
int64_t __real_lt_wall_ms(void);
int64_t __wrap_lt_wall_ms(void);
int64_t __wrap_lt_wall_ms(void)
{
    return __real_lt_wall_ms() + atomic_load(&wall_moved_ms);
}

/* Reads on until a record tells that the clock was set; the batch's first. */
static int64_t wait_step(struct recorder *r, uint64_t *seq)
{
    for (unsigned n = 0; n < 20; n++) {
        struct journal_batch *b = NULL;
        assert_int_equal(journal_tail_next(recorder_tail(r), *seq, 5000, &b, NULL), LT_OK);
        struct journal_record rec;
        size_t pos = 0;
        assert_true(journal_batch_next(b, &pos, &rec));
        *seq = b->first_seq + b->count;
        journal_batch_unref(&b);
        if (journal_step_of(&rec))
            return journal_step_of(&rec);
    }
    return 0;
}

static void a_step_of_the_clock_is_recorded(void **state)
{
    char dir[64];
    uint64_t seq = 1;
    struct journal_batch *b = NULL;
    scratch_make(dir);
    struct recorder *r = must_start(dir, 0, 0, 1);
    assert_int_equal(journal_tail_next(recorder_tail(r), seq, 5000, &b, NULL), LT_OK); /* it knows the old time */
    journal_batch_unref(&b);
    atomic_store(&wall_moved_ms, LT_HOUR_MS);
    const int64_t forward = wait_step(r, &seq);
    assert_in_range(forward, LT_HOUR_MS - 5000, LT_HOUR_MS + 5000);
    atomic_store(&wall_moved_ms, 0);
    assert_in_range(-wait_step(r, &seq), LT_HOUR_MS - 5000, LT_HOUR_MS + 5000);
    recorder_stop(&r);
    scratch_remove(dir);
}

/* ---- several ports and threads ---- */
#define THREADS    4
#define PER_THREAD 6000

struct producer {
    struct recorder *r;
    unsigned number;
    uint64_t stored, duplicates, failed;
    const char *bad;
};

static void account(struct producer *me, struct recorder_block *b)
{
    size_t n;
    const struct recorder_entry *e = recorder_block_entries(b, &n);
    for (size_t i = 0; i < n; i++) {
        me->stored += e[i].result == RECORDER_STORED;
        me->duplicates += e[i].result == RECORDER_DUPLICATE;
        me->failed += e[i].result != RECORDER_STORED && e[i].result != RECORDER_DUPLICATE;
        if (e[i].rec.seq == 0)
            me->bad = "no number";
    }
}

static void *produce(void *arg)
{
    struct producer *me = arg;
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct recorder_port *p = recorder_port_create(me->r, post, &sem);
    struct lt_rand rand;
    lt_rand_init(&rand, me->number);
    unsigned under_way = 0, sent = 0;
    while (sent < PER_THREAD || under_way) {
        struct recorder_block *b = sent < PER_THREAD ? recorder_port_take(p) : NULL;
        if (!b) {
            b = wait_done(p, &sem);
            account(me, b);
            recorder_port_give(p, b);
            under_way--;
            continue;
        }
        for (uint64_t k = 1 + lt_rand_below(&rand, 60); k > 0 && sent < PER_THREAD; k--, sent++) {
            char buf[1200];
            /* every frame is sent by two threads, so that half of all are duplicates, often in one and the same batch
             */
            struct journal_record f = frame_record(buf, sent % 50, TEST_T0 + sent, me->number / 2);
            if (!recorder_block_add(b, &f, sent))
                break;
        }
        recorder_port_submit(p, b);
        under_way++;
    }
    recorder_port_destroy(&p);
    sem_destroy(&sem);
    return NULL;
}

static void ports_of_many_threads(void **state)
{
    char dir[64];
    scratch_make(dir);
    struct recorder *r = must_start(dir, 1000, 0, 1);
    struct producer producers[THREADS];
    pthread_t t[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        producers[i] = (struct producer){.r = r, .number = i};
        pthread_create(&t[i], NULL, produce, &producers[i]);
    }
    uint64_t stored = 0, duplicates = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        const struct journal_record conf = {.kind = JOURNAL_CONFIG, .at_ms = TEST_T0};
        struct lt_error err;
        assert_int_equal(recorder_write(r, &conf, &err), LT_OK);
        pthread_join(t[i], NULL);
        assert_null(producers[i].bad);
        assert_int_equal(producers[i].failed, 0);
        stored += producers[i].stored;
        duplicates += producers[i].duplicates;
    }
    assert_int_equal(stored, THREADS / 2 * PER_THREAD);
    assert_int_equal(duplicates, THREADS / 2 * PER_THREAD);
    struct recorder_stats stats;
    recorder_stats(r, &stats);
    assert_int_equal(stats.stored, stored); /* the CONFIG records are no frames */
    assert_int_equal(stats.duplicates, duplicates);
    assert_int_equal(stats.index_lost, 0);
    recorder_stop(&r);
    struct journal_verified v;
    assert_int_equal(journal_verify(dir, 0, 0, NULL, NULL, &v, NULL), LT_OK);
    assert_in_range(v.records, THREADS * PER_THREAD + THREADS, THREADS * PER_THREAD + THREADS + 100);
    scratch_remove(dir);
}

/* Random streams against a plain table of what was sent, over restarts. */
#define DEVICES 40
#define TIMES   60

static void duplicates_over_restarts(void **state)
{
    char dir[64], buf[1200];
    scratch_make(dir);
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct lt_rand rand;
    lt_rand_init(&rand, 77);
    static uint64_t sent[DEVICES][TIMES][2]; /* number it was stored as */
    memset(sent, 0, sizeof sent);
    const int64_t now = lt_wall_ms();
    for (unsigned life = 0; life < 6; life++) {
        struct recorder *r = must_start(dir, 300, 0, 1);
        struct recorder_port *p = recorder_port_create(r, post, &sem);
        for (unsigned k = 0; k < 700; k++) {
            const unsigned d = (unsigned)lt_rand_below(&rand, DEVICES), t = (unsigned)lt_rand_below(&rand, TIMES),
                           salt = (unsigned)lt_rand_below(&rand, 2);
            struct journal_record f = frame_record(buf, d, now - (int64_t)t * LT_HOUR_MS, salt);
            const struct recorder_entry e = send_one(p, &sem, &f);
            if (sent[d][t][salt]) {
                assert_int_equal(e.result, RECORDER_DUPLICATE);
                assert_int_equal(e.rec.ref, sent[d][t][salt]);
            } else {
                assert_int_equal(e.result, RECORDER_STORED);
                sent[d][t][salt] = e.rec.seq;
            }
        }
        recorder_port_destroy(&p);
        recorder_stop(&r);
    }
    sem_destroy(&sem);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_of_each_kind),     cmocka_unit_test(a_full_queue_says_no),
        cmocka_unit_test(ticks_come_by_themselves), cmocka_unit_test(a_step_of_the_clock_is_recorded),
        cmocka_unit_test(ports_of_many_threads),    cmocka_unit_test(duplicates_over_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
