/* The writer under every failure of a write, sync, truncate or file creation: a commit that said LT_OK is there, once;
 * one that failed is either absent or, after healing, counted; the chain stays whole; writing goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "journal/journal_fault_vfs.h"
#include "journal/journal_test_util.h"

#define STEPS 8 /* commits of the script; every fourth begins a new day */
#define PAD   12000

/* Every record carries its own identity; `state[id]` says what the writer was told. */
enum told { NOT_SENT, ACKNOWLEDGED, FAILED };

static enum lt_err commit_some(struct journal *j, unsigned step, uint8_t *told, unsigned *next_id)
{
    struct lt_error err = {0};
    enum lt_err e = journal_heal(j, &err);
    if (e)
        return e;
    const unsigned first = *next_id, n = 1 + step % 3;
    for (unsigned i = 0; i < n; i++, ++*next_id) {
        static char pad[PAD]; /* some batches span many pages */
        for (size_t k = 0; k < sizeof pad; k++)
            pad[k] = (char)(k * 2654435761u * (*next_id + 1) >> 24);
        const struct journal_record r = {
            .kind = JOURNAL_SENT, .at_ms = TEST_T0, .ref = *next_id + 1, .bytes = {pad, step % 2 ? sizeof pad : 100}};
        assert_true(journal_add(j, &r) > 0);
    }
    e = journal_commit(j, TEST_T0 + step / 4 * LT_DAY_MS, &err);
    for (unsigned i = first; i < *next_id; i++)
        told[i] = e ? FAILED : ACKNOWLEDGED;
    return e;
}

static void check_content(const char *dir, const uint8_t *told, unsigned n)
{
    uint8_t *seen = calloc(n + 1, 1);
    struct journal_reader *rd = NULL;
    struct lt_error err = {0};
    assert_int_equal(journal_reader_open(dir, &rd, &err), LT_OK);
    enum lt_err e;
    for (uint64_t seq = 1;;) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(rd, seq, &b, &err);
        if (e)
            break;
        assert_int_equal(b->first_seq, seq);
        struct journal_record r;
        for (size_t pos = 0; journal_batch_next(b, &pos, &r);) {
            assert_in_range(r.ref, 1, n);
            assert_int_equal(seen[r.ref - 1]++, 0);
        }
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    assert_int_equal(e, LT_E_NOT_FOUND);
    for (unsigned i = 0; i < n; i++)
        if (told[i] == ACKNOWLEDGED)
            assert_int_equal(seen[i], 1);
    journal_reader_close(&rd);
    free(seen);
    struct journal_verified v;
    e = journal_verify(dir, 0, 0, NULL, NULL, &v, &err);
    if (e)
        print_error("verify: %s at %llu\n", v.why, (unsigned long long)v.bad_first_seq);
    assert_int_equal(e, LT_OK);
}

/* Runs the script with the fault armed after `after` calls. False when it never fired: the script is over. */
static bool run_script(enum fault_kind kind, int after, int times)
{
    char dir[64];
    uint8_t told[4 * STEPS + 64] = {0};
    unsigned n = 0, failures = 0;
    scratch_make(dir);
    struct journal *j = NULL;
    fault_vfs_disarm();
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    fault_vfs_arm(kind, after, times);
    for (unsigned step = 0; step < STEPS; step++)
        failures += commit_some(j, step, told, &n) != LT_OK;
    const bool fired = fault_vfs_fired();
    fault_vfs_disarm();
    for (unsigned step = STEPS; step < STEPS + 2; step++) /* and then it works again */
        assert_int_equal(commit_some(j, step, told, &n), LT_OK);
    check_content(dir, told, n);
    journal_close(&j);
    check_content(dir, told, n);
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    assert_int_equal(commit_some(j, STEPS + 2, told, &n), LT_OK);
    journal_close(&j);
    check_content(dir, told, n);
    scratch_remove(dir);
    return fired;
}

static void every_call(enum fault_kind kind, int times, int stride)
{
    int after = 0, misses = 0;
    if (getenv("LT_LONG")) /* every single one; otherwise some of them */
        stride = 1;
    else
        after = times % 3;
    for (; misses < 3 && after < 5000; after += stride) /* the keeper's calls come at other times in each run */
        misses = run_script(kind, after, times) ? 0 : misses + 1;
    print_message("# %d calls\n", after);
    assert_in_range(after, 30, 4999);
}

static void full_once(void **state)
{
    every_call(FAULT_FULL, 1, 2);
}

static void full_for_long(void **state)
{
    every_call(FAULT_FULL, 40, 5);
}

static void io_error_once(void **state)
{
    every_call(FAULT_IOERR, 1, 2);
}

static void io_error_for_long(void **state)
{
    every_call(FAULT_IOERR, 25, 5);
}

static void sync_reports_failure_after_writing(void **state)
{
    for (int after = 0; after < 60; after += getenv("LT_LONG") ? 1 : 3)
        run_script(FAULT_SYNC_LIES, after, 1);
}

int main(void)
{
    fault_vfs_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_once),
        cmocka_unit_test(full_for_long),
        cmocka_unit_test(io_error_once),
        cmocka_unit_test(io_error_for_long),
        cmocka_unit_test(sync_reports_failure_after_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
