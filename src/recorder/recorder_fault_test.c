/* The recorder on a failing disk and under kill -9: no acknowledgement without a durable record, no record twice,
 * on_fault once per trouble, and it goes on by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include "journal/journal_fault_vfs.h"
#include "journal/journal_test_util.h"
#include "recorder/recorder.h"

#define FRAMES 60

struct trouble {
    atomic_int begun, ended;
};

static void on_fault(void *user, const struct lt_error *err, bool cleared)
{
    struct trouble *t = user;
    atomic_fetch_add(cleared ? &t->ended : &t->begun, 1);
    if (!cleared && err->code == LT_OK)
        abort();
}

static void post(void *user)
{
    sem_post(user);
}

static struct recorder *must_start(const char *dir, struct trouble *t, unsigned run_frames)
{
    const struct recorder_config cfg = {.dir = dir,
                                        .tz_min = LT_TZ_CHINA,
                                        .tick_s = 3600,
                                        .on_fault = t ? on_fault : NULL,
                                        .user = t,
                                        .run_frames = run_frames};
    struct recorder *r = NULL;
    struct lt_error err = {0};
    if (recorder_start(&cfg, &r, &err) != LT_OK) {
        char text[500];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("%s", text);
    }
    return r;
}

static struct journal_record numbered_frame(char buf[1200], unsigned id, int64_t base_ms)
{
    struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = base_ms, .conn = id};
    const size_t n = frame_make(buf, id % 7, base_ms + id, id, &r.mn);
    r.bytes = (struct lt_slice){buf, n};
    return r;
}

/* Sends frames first..first+n in one block and gives the results. */
static void send_block(struct recorder_port *p, sem_t *sem, unsigned first, unsigned n, int64_t base_ms,
                       enum recorder_result *ret, uint64_t *ret_seq)
{
    char buf[1200];
    struct recorder_block *b = recorder_port_take(p);
    assert_non_null(b);
    for (unsigned i = 0; i < n; i++) {
        const struct journal_record r = numbered_frame(buf, first + i, base_ms);
        assert_true(recorder_block_add(b, &r, first + i));
    }
    recorder_port_submit(p, b);
    while (!(b = recorder_port_done(p)))
        sem_wait(sem);
    size_t k;
    const struct recorder_entry *e = recorder_block_entries(b, &k);
    assert_int_equal(k, n);
    for (unsigned i = 0; i < n; i++) {
        ret[i] = e[i].result;
        ret_seq[i] = e[i].result == RECORDER_DUPLICATE ? e[i].rec.ref : e[i].rec.seq;
    }
    recorder_port_give(p, b);
}

/* Every frame stands in the journal exactly once, at the number that was acknowledged. */
static void check_once(const char *dir, const uint64_t *seq_of, unsigned n, bool all)
{
    struct journal_reader *rd = NULL;
    uint8_t *seen = calloc(n + 1, 1);
    assert_int_equal(journal_reader_open(dir, &rd, NULL), LT_OK);
    struct journal_batch *b = NULL;
    for (uint64_t seq = 1; journal_reader_next(rd, seq, &b, NULL) == LT_OK;) {
        struct journal_record r;
        for (size_t pos = 0; journal_batch_next(b, &pos, &r);) {
            if (r.kind != JOURNAL_FRAME)
                continue;
            assert_in_range(r.conn, 0, n - 1);
            assert_int_equal(seen[r.conn]++, 0);
            if (seq_of[r.conn])
                assert_int_equal(seq_of[r.conn], r.seq);
        }
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    for (unsigned i = 0; i < n; i++)
        if (all || seq_of[i])
            assert_int_equal(seen[i], 1);
    journal_reader_close(&rd);
    free(seen);
    struct journal_verified v;
    assert_int_equal(journal_verify(dir, 0, 0, NULL, NULL, &v, NULL), LT_OK);
}

static void wait_1ms(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* Devices send until they are acknowledged, the disk fails from the `after`-th call on, `times` times. */
static bool run_script(enum fault_kind kind, int after, int times)
{
    char dir[64];
    scratch_make(dir);
    struct trouble t = {0};
    uint64_t seq_of[FRAMES] = {0};
    sem_t sem;
    sem_init(&sem, 0, 0);
    fault_vfs_disarm();
    const int64_t now = lt_wall_ms();
    struct recorder *r = must_start(dir, &t, 0);
    struct recorder_port *p = recorder_port_create(r, post, &sem);
    struct recorder_stats st = {0};
    for (int i = 0; i < 5000 && st.commits == 0; i++) { /* the first tick is behind us */
        wait_1ms();
        recorder_stats(r, &st);
    }
    fault_vfs_arm(kind, after, times);
    unsigned failed = 0;
    for (unsigned first = 0; first < FRAMES; first += 10) {
        for (unsigned tries = 0;; tries++) {
            enum recorder_result res[10];
            uint64_t seq[10];
            send_block(p, &sem, first, 10, now, res, seq);
            if (res[0] == RECORDER_FAILED) {
                for (unsigned i = 0; i < 10; i++)
                    assert_int_equal(res[i], RECORDER_FAILED);
                failed++;
                assert_true(tries < 200);
                continue;
            }
            for (unsigned i = 0; i < 10; i++) {
                assert_true(res[i] == RECORDER_STORED || (failed && res[i] == RECORDER_DUPLICATE));
                assert_true(seq[i] > 0);
                seq_of[first + i] = seq[i];
            }
            break;
        }
    }
    const bool fired = fault_vfs_fired();
    fault_vfs_disarm();
    recorder_stats(r, &st);
    for (int i = 0; i < 5000 && st.faulty; i++) { /* the tick finds out that the disk works again */
        wait_1ms();
        recorder_stats(r, &st);
    }
    assert_false(st.faulty);
    assert_true(st.failures >= failed); /* ticks fail too */
    assert_int_equal(atomic_load(&t.begun) > 0, st.failures > 0);
    assert_true((uint64_t)atomic_load(&t.begun) <= st.failures);
    for (int i = 0; i < 1000 && atomic_load(&t.begun) != atomic_load(&t.ended); i++)
        wait_1ms();
    assert_int_equal(atomic_load(&t.begun), atomic_load(&t.ended));
    recorder_port_destroy(&p);
    recorder_stop(&r);
    check_once(dir, seq_of, FRAMES, true);
    sem_destroy(&sem);
    scratch_remove(dir);
    return fired;
}

static void every_call(enum fault_kind kind, int times, int stride)
{
    int misses = 0, after = 0;
    if (getenv("LT_LONG"))
        stride = 1;
    for (; misses < 2 && after < 2000; after += stride)
        misses = run_script(kind, after, times) ? 0 : misses + 1;
    assert_in_range(after, 15, 1999);
}

static void disk_full(void **state)
{
    every_call(FAULT_FULL, 1, 3);
    run_script(FAULT_FULL, 9, 12);
}

static void io_error(void **state)
{
    every_call(FAULT_IOERR, 1, 3);
    run_script(FAULT_IOERR, 8, 12);
}

static void failed_fsync(void **state)
{
    for (int after = 0; after < 16; after += getenv("LT_LONG") ? 1 : 2)
        run_script(FAULT_SYNC_LIES, after, 1);
}

/* ---- kill -9 ---- */
#define KILL_FRAMES 1000000

/* Writes frames next, next+1 … and tells each acknowledged number through the pipe, until killed. */
static void child(const char *dir, int fd, unsigned next, int64_t base_ms)
{
    sem_t sem;
    sem_init(&sem, 0, 0);
    const struct recorder_config cfg = {.dir = dir, .tz_min = LT_TZ_CHINA, .tick_s = 1, .run_frames = 500};
    struct recorder *r = NULL;
    if (recorder_start(&cfg, &r, NULL) != LT_OK)
        _exit(3);
    struct recorder_port *p = recorder_port_create(r, post, &sem);
    for (;;) {
        struct recorder_block *b;
        while ((b = recorder_port_take(p))) {
            char buf[1200];
            for (unsigned i = 0; i < 1 + next % 23; i++, next++) {
                const struct journal_record f = numbered_frame(buf, next, base_ms);
                if (!recorder_block_add(b, &f, next))
                    break;
            }
            recorder_port_submit(p, b);
        }
        sem_wait(&sem);
        while ((b = recorder_port_done(p))) {
            size_t n;
            const struct recorder_entry *e = recorder_block_entries(b, &n);
            for (size_t i = 0; i < n; i++) {
                const uint64_t told[2] = {e[i].user, e[i].result == RECORDER_DUPLICATE ? e[i].rec.ref : e[i].rec.seq};
                if (e[i].result != RECORDER_STORED && e[i].result != RECORDER_DUPLICATE)
                    _exit(4);
                if (write(fd, told, sizeof told) != sizeof told)
                    _exit(5);
            }
            recorder_port_give(p, b);
        }
    }
}

/* Reads acknowledgements until the child is dead; gives the first frame that was not acknowledged. */
static unsigned drain_acks(int fd, uint64_t *seq_of, unsigned from)
{
    uint64_t told[2];
    size_t have = 0;
    for (;;) {
        const ssize_t n = read(fd, (char *)told + have, sizeof told - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
        if (have < sizeof told)
            continue;
        have = 0;
        assert_in_range(told[0], 0, KILL_FRAMES - 1);
        if (seq_of[told[0]])
            assert_int_equal(seq_of[told[0]], told[1]);
        seq_of[told[0]] = told[1];
    }
    while (from < KILL_FRAMES && seq_of[from])
        from++;
    return from;
}

static void kill_9(void **state)
{
    char dir[64];
    scratch_make(dir);
    uint64_t *seq_of = calloc(KILL_FRAMES, sizeof *seq_of);
    struct lt_rand rand;
    lt_rand_init(&rand, 99);
    const int64_t base = lt_wall_ms();
    const int cycles = getenv("LT_LONG") ? 200 : 10;
    const uint64_t most_ns = cycles > 10 ? 150000000 : 500000000;
    int kills = 0;
    unsigned next = 0;
    for (; kills < cycles && next < KILL_FRAMES - 100000; kills++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        /* a device sends again what was not acknowledged, and a little of what was */
        const unsigned from = next > 40 ? next - 40 : 0;
        const pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            child(dir, fds[1], from, base);
        }
        close(fds[1]);
        if (kills % 2) { /* every other one dies while it acknowledges, however slow the machine is */
            struct pollfd first = {.fd = fds[0], .events = POLLIN};
            assert_int_equal(poll(&first, 1, 60000), 1);
        }
        const struct timespec pause = {0, (long)(40000000 + lt_rand_below(&rand, most_ns))};
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        next = drain_acks(fds[0], seq_of, next);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* not by itself */
        close(fds[0]);
        check_once(dir, seq_of, KILL_FRAMES, false);
    }
    assert_int_equal(kills, cycles);
    assert_true(next > 0);
    print_message("# %d kills, %u frames acknowledged\n", kills, next);
    free(seq_of);
    scratch_remove(dir);
}

int main(void)
{
    fault_vfs_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_9), /* first: forks before there are threads */
        cmocka_unit_test(disk_full),
        cmocka_unit_test(io_error),
        cmocka_unit_test(failed_fsync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
