/* The night's work lets what is due happen between its slices, and leaves off when the post is to stop. */
#include "air/air_import.h"
#include "alarm/alarm.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "bus/bus.h"
#include "main/serve.h"
#include "proof/proof.h"
#include "record/record.h"
#include "series/series.h"
#include "sql/sql.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define NIGHT   INT64_C(1795543200000) /* 2026-11-25 02:00 +08:00 */
#define DEVICES 100                    /* with 24 chunks of an hour each: a dozen slices */

static unsigned asked, allowed;

static bool stop_asked(struct serve *s)
{
    return ++asked > allowed;
}

static void fill(struct series *series)
{
    struct series_cell cell = {series_column(series, LT_LIT("a21026"), 0), 1000000};
    for (uint32_t d = 1; d <= DEVICES; d++)
        for (int h = 0; h < 24; h++) {
            struct series_row row = {
                .at_ms = NIGHT - 5 * LT_DAY_MS - 2 * LT_HOUR_MS + h * LT_HOUR_MS, .n = 1, .cells = &cell};
            assert_int_equal(series_put(series, d, SERIES_RTD, &row, NULL, NULL), LT_OK);
        }
    assert_int_equal(series_flush(series, NULL), LT_OK);
}

static void open_post(struct serve *s)
{
    char path[300], once[64];
    struct lt_error err;
    *s = (struct serve){.stop_asked = stop_asked, .next_feed_ms = INT64_MAX};
    s->cfg.tz_min = LT_TZ_CHINA;
    s->cfg.recompress_after_days = 2;
    s->cfg.keep_journal_days = s->cfg.keep_evidence_days = s->cfg.keep_raw_days = 400;
    snprintf(s->cfg.data, sizeof s->cfg.data, "/tmp/serve_care_test_XXXXXX");
    assert_non_null(mkdtemp(s->cfg.data));
    snprintf(path, sizeof path, "%s/state.db", s->cfg.data);
    assert_int_equal(sql_open(path, false, &s->db, &err), LT_OK);
    assert_int_equal(record_setup(s->db, &err), LT_OK);
    assert_int_equal(auth_setup(s->db, NIGHT, once, sizeof once, &err), LT_OK);
    assert_int_equal(alarm_setup(s->db, NIGHT, &err), LT_OK);
    assert_int_equal(proof_setup(s->db, &err), LT_OK);
    assert_int_equal(air_setup(s->db, &err), LT_OK);
    assert_int_equal(air_open(s->db, LT_TZ_CHINA, &s->air, &err), LT_OK);
    s->bus = bus_create(1, 0);
    assert_non_null(s->bus);
    struct series_config sc = {.dir = s->cfg.data, .tz_min = LT_TZ_CHINA};
    assert_int_equal(series_open(&sc, &s->series, &err), LT_OK);
    fill(s->series);
}

static int forget(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static void close_post(struct serve *s)
{
    series_close(&s->series);
    air_close(&s->air);
    bus_destroy(&s->bus);
    sql_close(&s->db);
    nftw(s->cfg.data, forget, 16, FTW_DEPTH | FTW_PHYS);
}

static void night(struct serve *s, int64_t at_ms, unsigned until)
{
    asked = 0;
    allowed = until;
    serve_care(s, at_ms - LT_MIN_MS, lt_mono_ms());
    assert_int_equal(asked, 0); /* not before its hour */
    serve_care(s, at_ms + 1000, lt_mono_ms());
}

static bool something_left(struct serve *s)
{
    bool left = false;
    assert_int_equal(series_compact(s->series, NIGHT - LT_DAY_MS, 1, &left, NULL), LT_OK);
    return left;
}

static void a_stop_does_not_wait_for_the_night(void **state)
{
    static struct serve s;
    open_post(&s);
    night(&s, NIGHT, 3);
    assert_in_range(asked, 4, 8); /* three slices; then the rest asks and leaves off as well */
    assert_true(something_left(&s));
    night(&s, NIGHT + LT_DAY_MS, 1000);
    assert_in_range(asked, 10, 30); /* the whole of it, slice by slice */
    assert_false(something_left(&s));
    close_post(&s);
}

/* An alarm nobody signed for becomes overdue while the night's work is under way. */
static bool overdue_now(struct serve *s)
{
    if (++asked == 2) {
        struct alarm_outcome o;
        const int64_t then = lt_wall_ms() - LT_DAY_MS;
        const struct alarm_fact f = {.rule = ALARM_R_DISK_FAULT,
                                     .rule_version = 1,
                                     .severity = LT_LIT("urgent"),
                                     .object_kind = ALARM_POST,
                                     .factor = LT_LIT(""),
                                     .period_at_ms = then,
                                     .first_at_ms = then,
                                     .last_at_ms = then,
                                     .value = LT_FIX_NONE,
                                     .limit_value = LT_FIX_NONE};
        assert_int_equal(alarm_raise(s->db, &f, then, &o, NULL), LT_OK);
        s->next_short_ms = 0; /* ten seconds have passed */
    }
    return asked > 4;
}

static void deadlines_are_kept_at_night(void **state)
{
    static struct serve s;
    int64_t level = 0;
    open_post(&s);
    s.stop_asked = overdue_now;
    night(&s, NIGHT, 0);
    assert_int_equal(sql_get_i64(s.db, "SELECT level FROM alarm", NULL, &level, NULL), LT_OK);
    assert_int_equal(level, 1);
    close_post(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_does_not_wait_for_the_night),
        cmocka_unit_test(deadlines_are_kept_at_night),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
