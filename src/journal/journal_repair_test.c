/* Repair: what can be read stays, with its numbers and (in front of the first gap) its hashes; what cannot is given up
 * in writing; the damaged file is kept; and nothing happens where nothing is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "journal/journal_test_util.h"

enum { BATCHES = 60, EACH = 20, PER_DAY = BATCHES * EACH };

static void fill(struct journal *j, int day)
{
    for (unsigned k = 0; k < BATCHES; k++) {
        const int64_t at = TEST_T0 + day * LT_DAY_MS + k * LT_MIN_MS;
        for (unsigned i = 0; i < EACH; i++) {
            char buf[1200];
            struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = at};
            const size_t n = frame_make(buf, i, at, k, &r.mn);
            r.bytes = (struct lt_slice){buf, n};
            assert_true(journal_add(j, &r) > 0);
        }
        assert_int_equal(journal_commit(j, at, NULL), LT_OK);
    }
}

static void make(char dir[64], int days, uint8_t ret_hash[32])
{
    struct journal *j = NULL;
    scratch_make(dir);
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    for (int d = 0; d < days; d++)
        fill(j, d);
    journal_last_hash(j, ret_hash);
    journal_close(&j);
}

static int day_of(int i)
{
    return lt_day_number(TEST_T0 + i * LT_DAY_MS, LT_TZ_CHINA);
}

static void path_of(const char *dir, int day, char ret[200])
{
    snprintf(ret, 200, "%s/journal/%08d.db", dir, day);
}

static const struct journal_repair_ask *asking(uint64_t known, uint64_t needed)
{
    static struct journal_repair_ask ask;
    ask = (struct journal_repair_ask){
        .known_seq = known, .needed_seq = needed, .at_ms = TEST_T0 + 3 * LT_DAY_MS, .who = "operator root"};
    return &ask;
}

/* The whole chain is sound, numbers run from `first` to `last`. */
static void sound(const char *dir, uint64_t first, uint64_t last)
{
    struct journal_verified v;
    struct lt_error err = {0};
    assert_int_equal(journal_verify(dir, 0, 0, NULL, NULL, &v, &err), LT_OK);
    assert_int_equal(v.first_seq, first);
    assert_int_equal(v.last_seq, last);
    assert_int_equal(v.records, last - first + 1);
}

static unsigned kind_at(const char *dir, uint64_t seq, char *text, size_t cap)
{
    struct journal_reader *rd = NULL;
    struct journal_batch *b = NULL;
    struct journal_record r;
    assert_int_equal(journal_reader_open(dir, &rd, NULL), LT_OK);
    assert_int_equal(journal_reader_next(rd, seq, &b, NULL), LT_OK);
    assert_true(journal_batch_find(b, seq, &r));
    snprintf(text, cap, "%.*s", (int)r.bytes.n, r.bytes.p);
    const unsigned kind = r.kind;
    journal_batch_unref(&b);
    journal_reader_close(&rd);
    return kind;
}

static void nothing_wrong_nothing_done(void **state)
{
    char dir[64];
    uint8_t hash[32], now[32];
    struct journal_repair_report rep;
    make(dir, 2, hash);
    assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(2 * PER_DAY, 100), &rep, NULL), LT_OK);
    assert_int_equal(rep.damaged_day, 0);
    assert_false(rep.behind);
    assert_int_equal(rep.last_seq, 2 * PER_DAY);
    struct journal *j = NULL;
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    journal_last_hash(j, now);
    assert_memory_equal(hash, now, 32);
    assert_int_equal(journal_last_seq(j), 2 * PER_DAY);
    journal_close(&j);
    scratch_remove(dir);
}

static void a_lost_journal_goes_on_behind_what_is_known(void **state)
{
    char dir[64], text[300];
    struct journal_repair_report rep;
    scratch_make(dir);
    assert_int_equal(journal_repair_look(dir, asking(500, 480), &rep, NULL), LT_OK);
    assert_true(rep.behind);
    assert_int_equal(rep.damaged_day, 0);
    struct journal_reader *rd = NULL;
    uint64_t last = 7;
    assert_int_equal(journal_reader_open(dir, &rd, NULL), LT_OK);
    assert_int_equal(journal_reader_last_seq(rd, &last, NULL), LT_OK);
    journal_reader_close(&rd);
    assert_int_equal(last, 0); /* looking changed nothing */
    assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(500, 480), &rep, NULL), LT_OK);
    assert_int_equal(rep.gaps, 1);
    assert_int_equal(rep.gap[0].first, 481);
    assert_int_equal(rep.gap[0].last, 500);
    assert_int_equal(rep.lost, 20);
    assert_int_equal(rep.reserved_to, 500 + JOURNAL_REPAIR_RESERVE);
    sound(dir, 481, 500 + JOURNAL_REPAIR_RESERVE);
    assert_int_equal(kind_at(dir, 481, text, sizeof text), JOURNAL_CONN);
    assert_string_equal(text, "lost 481 1000500 missing, accepted by operator root");
    assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(500, 480), &rep, NULL), LT_OK); /* once is enough */
    assert_false(rep.behind);
    struct journal *j = NULL;
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    assert_int_equal(journal_last_seq(j), 500 + JOURNAL_REPAIR_RESERVE);
    journal_close(&j);
    scratch_remove(dir);
}

/* Every tenth batch of the newest day spoiled in turn, by content or by hash. */
static void damage_inside_the_newest_day(void **state)
{
    static const char *const changes[] = {
        "UPDATE batch SET body=substr(body,1,length(body)-9)||x'000000000000000000' WHERE first_seq=?1",
        "UPDATE batch SET hash=randomblob(32) WHERE first_seq=?1", "DELETE FROM batch WHERE first_seq=?1"};
    for (size_t i = 0; i < 3; i++) {
        char dir[64], path[200], text[300];
        uint8_t hash[32];
        struct journal_repair_report rep;
        make(dir, 2, hash);
        path_of(dir, day_of(1), path);
        const int64_t spoilt = PER_DAY + 1 + 30 * EACH;
        sqlite3 *db = NULL;
        sqlite3_stmt *s = NULL;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, changes[i], -1, &s, NULL), SQLITE_OK);
        sqlite3_bind_int64(s, 1, spoilt);
        assert_int_equal(sqlite3_step(s), SQLITE_DONE);
        sqlite3_finalize(s);
        sqlite3_close(db);
        assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(2 * PER_DAY, 2 * PER_DAY), &rep, NULL), LT_OK);
        assert_int_equal(rep.damaged_day, day_of(1));
        /* a spoilt hash also takes the batch behind it, whose own hash cannot be told from a forged one any more */
        const unsigned gone = i == 1 ? 2 * EACH : EACH;
        assert_int_equal(rep.lost, gone);
        assert_int_equal(rep.kept, PER_DAY - gone);
        assert_int_equal(rep.gaps, 1);
        assert_int_equal(rep.gap[0].first, spoilt);
        assert_int_equal(rep.gap[0].last, spoilt + gone - 1);
        assert_int_equal(rep.unchanged_to, spoilt - 1);
        assert_int_equal(access(rep.aside, F_OK), 0);
        sound(dir, 1, 2 * PER_DAY + JOURNAL_REPAIR_RESERVE);
        assert_int_equal(kind_at(dir, (uint64_t)spoilt - 1, text, sizeof text), JOURNAL_FRAME);
        assert_int_equal(kind_at(dir, (uint64_t)spoilt, text, sizeof text), JOURNAL_CONN);
        assert_non_null(strstr(text, " damaged, accepted by operator root"));
        assert_int_equal(kind_at(dir, 2 * PER_DAY, text, sizeof text), JOURNAL_FRAME);
        scratch_remove(dir);
    }
}

static void overwrite(const char *path, long at, size_t n)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    for (size_t i = 0; i < n; i++)
        fputc(0xA5, f);
    assert_int_equal(fclose(f), 0);
}

static void a_file_that_is_no_database_any_more(void **state)
{
    char dir[64], path[200];
    uint8_t hash[32];
    struct journal_repair_report rep;
    struct journal *j = NULL;
    make(dir, 2, hash);
    path_of(dir, day_of(1), path);
    overwrite(path, 0, 4096);
    struct lt_error err = {0};
    assert_int_not_equal(journal_open(dir, LT_TZ_CHINA, &j, &err), LT_OK); /* never by itself */
    assert_null(j);
    assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(2 * PER_DAY - 5, 9), &rep, &err), LT_OK);
    assert_int_equal(rep.kept, 0);
    assert_int_equal(rep.lost, PER_DAY - 5); /* as far as anybody knows; the rest lies in the reserve */
    assert_int_equal(rep.gap[0].first, PER_DAY + 1);
    sound(dir, 1, 2 * PER_DAY - 5 + JOURNAL_REPAIR_RESERVE);
    scratch_remove(dir);
}

/* A torn page in the only day there is: here it is one of the dictionary, which can be made again. */
static void a_torn_page_of_the_only_day(void **state)
{
    char dir[64], path[200];
    uint8_t hash[32];
    struct journal_repair_report rep;
    struct lt_error err = {0};
    make(dir, 1, hash);
    path_of(dir, day_of(0), path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    fclose(f);
    overwrite(path, size / 2 / 8192 * 8192, 8192);
    assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(PER_DAY, PER_DAY), &rep, &err), LT_OK);
    assert_int_equal(rep.damaged_day, day_of(0));
    assert_in_range(rep.lost, 0, PER_DAY / 2);
    assert_int_equal(rep.lost + rep.kept, PER_DAY);
    sound(dir, 1, PER_DAY + JOURNAL_REPAIR_RESERVE);
    scratch_remove(dir);
}

static void not_under_a_running_post(void **state)
{
    char dir[64], path[200];
    uint8_t hash[32];
    struct journal *j = NULL;
    struct journal_repair_report rep;
    struct lt_error err = {0};
    make(dir, 1, hash);
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, &err), LT_OK);
    assert_int_equal(journal_repair(dir, LT_TZ_CHINA, asking(9 * PER_DAY, 0), &rep, &err), LT_E_IN_USE_DIR);
    path_of(dir, day_of(0), path);
    assert_int_equal(access(path, F_OK), 0);
    journal_close(&j);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wrong_nothing_done),   cmocka_unit_test(a_lost_journal_goes_on_behind_what_is_known),
        cmocka_unit_test(damage_inside_the_newest_day), cmocka_unit_test(a_file_that_is_no_database_any_more),
        cmocka_unit_test(a_torn_page_of_the_only_day),  cmocka_unit_test(not_under_a_running_post)};
    return cmocka_run_group_tests_name("journal_repair", tests, NULL, NULL);
}
