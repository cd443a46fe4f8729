/* Care of the journal: the chain finds any flipped bit; recompressed, expired and copied journals stay verifiable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include "journal/journal_test_util.h"

#define DAYS    4
#define BATCHES 25 /* a day */

static int day_of(int i)
{
    return lt_day_number(TEST_T0 + i * LT_DAY_MS, LT_TZ_CHINA);
}

static void fill(struct journal *j, int from_day, int to_day)
{
    for (int d = from_day; d < to_day; d++)
        for (unsigned k = 0; k < BATCHES; k++) {
            const int64_t at = TEST_T0 + d * LT_DAY_MS + k * LT_MIN_MS;
            for (unsigned i = 0; i < 1 + k % 40; i++) {
                char buf[1200];
                struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = at};
                const size_t n = frame_make(buf, i, at, k, &r.mn);
                r.bytes = (struct lt_slice){buf, n};
                assert_true(journal_add(j, &r) > 0);
            }
            assert_int_equal(journal_commit(j, at, NULL), LT_OK);
        }
}

static void make(char dir[64], int days)
{
    struct journal *j = NULL;
    scratch_make(dir);
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    fill(j, 0, days);
    journal_close(&j);
}

static enum lt_err verify(const char *dir, struct journal_verified *v)
{
    struct lt_error err = {0};
    return journal_verify(dir, 0, 0, NULL, NULL, v, &err);
}

/* A sum over everything a reader gives. */
static uint64_t digest(const char *dir, uint64_t *ret_records)
{
    struct journal_reader *rd = NULL;
    uint64_t h = 1469598103934665603u, n = 0;
    if (journal_reader_open(dir, &rd, NULL) != LT_OK)
        return 0;
    struct journal_batch *b = NULL;
    for (uint64_t seq = 1; journal_reader_next(rd, seq, &b, NULL) == LT_OK;) {
        struct journal_record r;
        for (size_t pos = 0; journal_batch_next(b, &pos, &r); n++) {
            h = (h ^ r.seq ^ (uint64_t)r.at_ms) * 1099511628211u;
            for (size_t i = 0; i < r.bytes.n; i++)
                h = (h ^ (uint8_t)r.bytes.p[i]) * 1099511628211u;
        }
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    journal_reader_close(&rd);
    *ret_records = n;
    return h;
}

static void path_of(const char *dir, int day, char ret[200])
{
    snprintf(ret, 200, "%s/journal/%08d.db", dir, day);
}

static void copy_file(const char *from, const char *to)
{
    char buf[65536];
    FILE *a = fopen(from, "rb"), *b = fopen(to, "wb");
    assert_non_null(a);
    assert_non_null(b);
    for (size_t n; (n = fread(buf, 1, sizeof buf, a)) > 0;)
        assert_int_equal(fwrite(buf, 1, n, b), n);
    fclose(a);
    assert_int_equal(fclose(b), 0);
}

static void flip(const char *path, long at, unsigned bit)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    const int c = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    fputc(c ^ (1 << bit), f);
    assert_int_equal(fclose(f), 0);
}

/* Bits of the file itself, wherever they lie: either verify finds it, or nothing that can be read has changed (unused
 * parts of pages, statistics, file header fields without meaning here). */
static void flipped_bits_of_the_file(const char *dir, int day, unsigned flips, unsigned least_found)
{
    char path[200], keep[256];
    uint64_t n0 = 0, n1 = 0;
    struct journal_verified v;
    struct stat st;
    struct lt_rand rand;
    lt_rand_init(&rand, (uint64_t)day);
    path_of(dir, day, path);
    snprintf(keep, sizeof keep, "%s.keep", path);
    assert_int_equal(verify(dir, &v), LT_OK);
    const uint64_t sum = digest(dir, &n0);
    assert_int_equal(stat(path, &st), 0);
    copy_file(path, keep);
    unsigned found = 0;
    for (unsigned k = 0; k < flips; k++) {
        const long at = (long)lt_rand_below(&rand, (uint64_t)st.st_size);
        flip(path, at, (unsigned)lt_rand_below(&rand, 8));
        if (verify(dir, &v) != LT_OK)
            found++;
        else if (digest(dir, &n1) != sum || n0 != n1)
            fail_msg("flip at %ld of %s changes what is read, and verify does not see it", at, path);
        copy_file(keep, path);
    }
    unlink(keep);
    assert_int_equal(verify(dir, &v), LT_OK);
    assert_true(found >= least_found);
    print_message("# %u of %u flipped bits found, the others change nothing\n", found, flips);
}

static void chain_finds_flipped_bits(void **state)
{
    char dir[64];
    make(dir, 3);
    flipped_bits_of_the_file(dir, day_of(0), 150, 25);
    flipped_bits_of_the_file(dir, day_of(2), 150, 25); /* the newest */
    assert_int_equal(journal_recompress(dir, day_of(1), 9, NULL, NULL), LT_OK);
    flipped_bits_of_the_file(dir, day_of(1), 150, 25);
    scratch_remove(dir);
}

/* Each field of a row, by SQL: every change is found, and the right batch is named. */
static void chain_names_the_bad_batch(void **state)
{
    static const char *const changes[] = {
        "UPDATE batch SET at_ms=at_ms+1 WHERE first_seq=?1",
        "UPDATE batch SET count=count+1 WHERE first_seq=?1",
        "UPDATE batch SET raw_len=raw_len-1 WHERE first_seq=?1",
        "UPDATE batch SET hash=randomblob(32) WHERE first_seq=?1",
        "UPDATE batch SET body=substr(body,1,length(body)-1) WHERE first_seq=?1",
        ("UPDATE batch SET body=(SELECT body FROM batch WHERE first_seq<?1 ORDER BY first_seq DESC LIMIT 1) WHERE "
         "first_seq=?1"),
        "DELETE FROM batch WHERE first_seq=?1",
        "UPDATE batch SET first_seq=first_seq+1000000 WHERE first_seq=?1",
    };
    char dir[64], path[200], keep[256];
    make(dir, 2);
    path_of(dir, day_of(0), path);
    snprintf(keep, sizeof keep, "%s.keep", path);
    copy_file(path, keep);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        sqlite3 *db = NULL;
        sqlite3_stmt *s = NULL;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, "SELECT first_seq FROM batch LIMIT 1 OFFSET 7", -1, &s, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        const int64_t seq = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        assert_int_equal(sqlite3_prepare_v2(db, changes[i], -1, &s, NULL), SQLITE_OK);
        sqlite3_bind_int64(s, 1, seq);
        assert_int_equal(sqlite3_step(s), SQLITE_DONE);
        sqlite3_finalize(s);
        sqlite3_close(db);
        struct journal_verified v;
        assert_int_equal(verify(dir, &v), LT_E_CORRUPT);
        assert_int_equal(v.bad_day, day_of(0));
        assert_int_equal(v.bad_first_seq, seq);
        copy_file(keep, path);
    }
    unlink(keep);
    /* a whole day missing from the middle, or its last batches cut off, shows at the next day */
    scratch_remove(dir);
}

static void chain_sees_a_cut_day(void **state)
{
    char dir[64], path[200];
    make(dir, 3);
    path_of(dir, day_of(1), path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "DELETE FROM batch WHERE first_seq=(SELECT max(first_seq) FROM batch)", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    struct journal_verified v;
    assert_int_equal(verify(dir, &v), LT_E_CORRUPT);
    assert_int_equal(v.bad_day, day_of(2));
    unlink(path);
    assert_int_equal(verify(dir, &v), LT_E_CORRUPT);
    assert_int_equal(v.bad_day, day_of(2));
    scratch_remove(dir);
}

static bool count_calls(void *user, int day, const struct journal_verified *sofar)
{
    ++*(unsigned *)user;
    return day < day_of(1);
}

static void progress_can_stop(void **state)
{
    char dir[64];
    make(dir, DAYS);
    unsigned calls = 0;
    struct journal_verified v;
    assert_int_equal(journal_verify(dir, 0, 0, count_calls, &calls, &v, NULL), LT_E_TIMEOUT);
    assert_int_equal(calls, 2);
    /* part of the days: the chain begins with what the first file says */
    assert_int_equal(journal_verify(dir, day_of(1), day_of(2), NULL, NULL, &v, NULL), LT_OK);
    assert_int_equal(v.batches, 2 * BATCHES);
    scratch_remove(dir);
}

static bool say_no(void *user)
{
    ++*(unsigned *)user;
    return false;
}

/* A stop does not wait for a day to be rewritten: it stays as it was, and nothing is left lying about. */
static void recompressing_can_be_left_off(void **state)
{
    char dir[64], path[200], tmp[220];
    uint64_t n0, n1;
    struct stat before, after;
    unsigned asked = 0;
    const struct journal_go_on no = {say_no, &asked};
    make(dir, 2);
    const uint64_t sum = digest(dir, &n0);
    path_of(dir, day_of(0), path);
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(journal_recompress(dir, day_of(0), 9, &no, NULL), LT_E_TIMEOUT);
    assert_int_equal(asked, 1);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(access(tmp, F_OK), -1);
    assert_int_equal(digest(dir, &n1), sum);
    assert_int_equal(journal_recompress(dir, day_of(0), 9, NULL, NULL), LT_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(after.st_ino, before.st_ino);
    assert_int_equal(digest(dir, &n1), sum);
    scratch_remove(dir);
}

/* A column of the one row of a day file's meta, read as a stranger would (docs/FORMATS.md). */
static int meta_of(const char *dir, int d, const char *column)
{
    char path[200], sql[100];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    path_of(dir, day_of(d), path);
    snprintf(sql, sizeof sql, "SELECT %s FROM meta", column);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const int v = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return v;
}

static void recompressed_days_stay_the_same(void **state)
{
    char dir[64], path[200];
    uint64_t n0, n1;
    struct stat before, after;
    struct journal_verified v, w;
    make(dir, DAYS);
    const uint64_t sum = digest(dir, &n0);
    assert_int_equal(verify(dir, &v), LT_OK);
    path_of(dir, day_of(0), path);
    assert_int_equal(stat(path, &before), 0);
    struct journal_reader *rd = NULL; /* a reader that stands in the day meanwhile goes on undisturbed */
    struct journal_batch *b = NULL;
    assert_int_equal(journal_reader_open(dir, &rd, NULL), LT_OK);
    assert_int_equal(journal_reader_next(rd, 5, &b, NULL), LT_OK);
    journal_batch_unref(&b);
    for (int d = 0; d < DAYS - 1; d++)
        assert_int_equal(journal_recompress(dir, day_of(d), 9, NULL, NULL), LT_OK);
    assert_int_equal(journal_recompress(dir, day_of(0), 9, NULL, NULL), LT_OK); /* again: nothing to do */
    assert_int_equal(journal_recompress(dir, day_of(DAYS - 1), 9, NULL, NULL), LT_E_IN_USE);
    assert_int_equal(journal_recompress(dir, day_of(DAYS), 9, NULL, NULL), LT_E_NOT_FOUND);
    assert_int_equal(journal_reader_next(rd, 6, &b, NULL), LT_OK);
    journal_batch_unref(&b);
    journal_reader_close(&rd);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < before.st_size);
    assert_int_equal(meta_of(dir, 0, "tz_min"), LT_TZ_CHINA);
    assert_int_equal(meta_of(dir, 0, "day"), day_of(0));
    assert_int_equal(digest(dir, &n1), sum);
    assert_int_equal(n0, n1);
    assert_int_equal(verify(dir, &w), LT_OK);
    assert_memory_equal(v.last_hash, w.last_hash, 32);
    assert_int_equal(v.records, w.records);
    struct journal *j = NULL; /* and the writer goes on behind them */
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    fill(j, DAYS, DAYS + 1);
    journal_close(&j);
    assert_int_equal(verify(dir, &w), LT_OK);
    assert_int_equal(w.batches, (DAYS + 1) * BATCHES);
    scratch_remove(dir);
}

static void expired_days_are_gone(void **state)
{
    char dir[64];
    unsigned gone = 0;
    struct journal_verified v;
    make(dir, DAYS);
    assert_int_equal(journal_expire(dir, day_of(2), &gone, NULL), LT_OK);
    assert_int_equal(gone, 2);
    assert_int_equal(verify(dir, &v), LT_OK);
    assert_int_equal(v.batches, (DAYS - 2) * BATCHES);
    struct journal_reader *rd = NULL;
    struct journal_batch *b = NULL;
    assert_int_equal(journal_reader_open(dir, &rd, NULL), LT_OK);
    assert_int_equal(journal_reader_next(rd, 1, &b, NULL), LT_OK); /* the oldest that is left */
    assert_int_equal(b->first_seq, v.first_seq);
    journal_batch_unref(&b);
    journal_reader_close(&rd);
    assert_int_equal(journal_expire(dir, day_of(100), &gone, NULL), LT_OK); /* never the newest */
    assert_int_equal(gone, 1);
    struct journal *j = NULL;
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    assert_int_equal(journal_last_seq(j), v.last_seq);
    journal_close(&j);
    scratch_remove(dir);
}

static void backup_beside_the_writer(void **state)
{
    char dir[64], dest[64];
    uint64_t n0, n1;
    struct journal_verified v;
    make(dir, 2);
    scratch_make(dest);
    struct journal *j = NULL;
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    fill(j, 2, 3);
    assert_int_equal(journal_backup(dir, dest, NULL), LT_OK);
    assert_int_equal(verify(dest, &v), LT_OK);
    assert_int_equal(v.batches, 3 * BATCHES);
    assert_int_equal(digest(dest, &n1), digest(dir, &n0));
    fill(j, 3, 4);
    assert_int_equal(journal_backup(dir, dest, NULL), LT_OK); /* only what is new */
    assert_int_equal(digest(dest, &n1), digest(dir, &n0));
    assert_int_equal(n0, n1);
    assert_int_equal(journal_backup(dir, dir, NULL), LT_E_BAD_INPUT);
    journal_close(&j);
    assert_int_equal(journal_open(dest, LT_TZ_CHINA, &j, NULL), LT_OK); /* a backup is a data folder */
    fill(j, 4, 5);
    journal_close(&j);
    assert_int_equal(verify(dest, &v), LT_OK);
    scratch_remove(dir);
    scratch_remove(dest);
}

/* Without write permission nothing but the files is needed. (Root may write anyway; then this is an ordinary read.) */
static void reading_from_a_closed_folder(void **state)
{
    char dir[64], sub[128];
    uint64_t n0, n1;
    make(dir, 2);
    const uint64_t sum = digest(dir, &n0);
    snprintf(sub, sizeof sub, "%s/journal", dir);
    assert_int_equal(chmod(sub, 0500), 0);
    assert_int_equal(digest(dir, &n1), sum);
    assert_int_equal(n0, n1);
    assert_int_equal(chmod(sub, 0700), 0);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_finds_flipped_bits),      cmocka_unit_test(chain_names_the_bad_batch),
        cmocka_unit_test(chain_sees_a_cut_day),          cmocka_unit_test(progress_can_stop),
        cmocka_unit_test(recompressing_can_be_left_off), cmocka_unit_test(recompressed_days_stay_the_same),
        cmocka_unit_test(expired_days_are_gone),         cmocka_unit_test(backup_beside_the_writer),
        cmocka_unit_test(reading_from_a_closed_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
