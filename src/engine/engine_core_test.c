/* Tests of the engine from frames to values, alarms, trail and ledger. */
#include "engine/engine_test_util.h"

#define M INT64_C(1000000)

/* One hour of minute rows, received as they happen, one commit a minute. so2 is measured; O2 11 %, reference 6 %: the
 * converted value is 1.5 times the measured one. */
static void minutes_of_hour(struct world *w, int64_t hour_ms, unsigned good, unsigned bad, const char *so2)
{
    for (unsigned m = 0; m < 60; m++) {
        int64_t data = hour_ms + m * LT_MIN_MS, at = data + LT_MIN_MS;
        if (m < good + bad) {
            char items[300];
            char mark = m < good ? 'N' : 'D';
            snprintf(items, sizeof items,
                     "a21026-Avg=%s,a21026-Min=1,a21026-Max=99,a21026-Flag=%c;a19001-Avg=11,a19001-Flag=%c;"
                     "a21002-Avg=20,a21002-Flag=%c;a00000-Avg=100,a00000-Flag=%c",
                     so2, mark, mark, mark, mark);
            frame(w, at, MN1, 2051, data, items);
        }
        tick(w, at);
        commit(w, at);
    }
}

static void ticks(struct world *w, int64_t from_ms, int64_t to_ms)
{
    for (int64_t t = from_ms; t <= to_ms; t += 10 * LT_SEC_MS) {
        tick(w, t);
    }
    commit(w, to_ms);
}

static void an_hour_closes_five_minutes_after_its_end(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    minutes_of_hour(&w, T0, 60, 0, "24");
    ticks(&w, T0 + LT_HOUR_MS + 10000, T0 + LT_HOUR_MS + 4 * LT_MIN_MS);
    run(&w, 10000);
    assert_true(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_AVG) == LT_FIX_NONE);
    ticks(&w, T0 + LT_HOUR_MS + 4 * LT_MIN_MS, T0 + LT_HOUR_MS + 5 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_AVG), 24 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_ZSAVG), 36 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_VALID), 60);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_SOURCE), VALUES_MINUTES);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_FLAG), 'N');
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_STATE),
                     VALUES_S_VALID | VALUES_S_CONVERTED | VALUES_S_EXCEED | VALUES_S_AMOUNT);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_COU),
                     8640000); /* 24 * 100 * 3600 e-6 kg */
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a00000", HJ212_F_COU), 360000 * M);
    /* 36 > 35: one alarm with its verdict */
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    assert_int_equal(ask(&w, "SELECT value FROM alarm WHERE rule = 'hour_exceed'"), 36 * M);
    assert_int_equal(ask(&w, "SELECT limit_value FROM alarm WHERE rule = 'hour_exceed'"), 35 * M);
    assert_int_equal(ask(&w, "SELECT period_at_ms FROM alarm WHERE rule = 'hour_exceed'"), T0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM verdict WHERE rule = 'hour_exceed' AND outcome = 'raise'"), 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM value_version"), 0);
    struct engine_value v[8];
    size_t n = engine_latest(w.e, w.device, v, 8);
    assert_int_equal(n, 4);
    assert_string_equal(v[0].factor, "a21026");
    assert_int_equal(v[0].hour_zs, 36 * M);
    assert_int_equal(v[0].rtd, 24 * M); /* minute means stand in: no real-time data */
    /* the next hour is in order: the alarm ends, and only one was ever made */
    minutes_of_hour(&w, T0 + LT_HOUR_MS, 60, 0, "10");
    ticks(&w, T0 + 2 * LT_HOUR_MS + 10000, T0 + 2 * LT_HOUR_MS + 5 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    assert_int_equal(ask(&w, "SELECT active FROM alarm WHERE rule = 'hour_exceed'"), 0);
    world_end(&w);
}

static void the_edges_44_45_46(void **state)
{
    for (unsigned good = 44; good <= 46; good++) {
        struct world w = {.checkpoint_s = 30};
        world_make(&w);
        world_engine(&w);
        minutes_of_hour(&w, T0, good, 60 - good, "24");
        ticks(&w, T0 + LT_HOUR_MS + 10000, T0 + LT_HOUR_MS + 5 * LT_MIN_MS);
        run(&w, 10000);
        int64_t st = value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_STATE);
        assert_int_equal((st & VALUES_S_VALID) != 0, good >= 45);
        assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_VALID), good);
        assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), good >= 45);
        /* too little is its own alarm, once for the device when every factor lacks */
        assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'no_data'"), good < 45);
        if (good < 45) { /* and it says what is missing, not that all is */
            assert_int_equal(ask(&w, "SELECT json_extract(params, '$.minutes') FROM alarm WHERE rule = 'no_data'"), 16);
        }
        world_end(&w);
    }
}

static void a_report_is_judged_at_once(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    minutes_of_hour(&w, T0, 60, 0, "24");
    int64_t at = T0 + LT_HOUR_MS + 3000;
    frame(&w, at, MN1, 2061, T0,
          "a21026-Avg=24.2,a21026-ZsAvg=36.3,a21026-Min=1,a21026-Max=99,a21026-Cou=8.7,a21026-Flag=N;a19001-Avg=11.0,"
          "a19001-Flag=N");
    commit(&w, at);
    run(&w, 10000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_AVG), 24200000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_SOURCE), VALUES_REPORTED);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", VALUES_F_CALC_AVG), 24 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", VALUES_F_DIFF), 200000);
    assert_int_equal(ask(&w, "SELECT value FROM alarm WHERE rule = 'hour_exceed'"), 36300000);
    assert_int_equal(ask(&w, "SELECT first_at_ms FROM alarm WHERE rule = 'hour_exceed'"), T0 + LT_HOUR_MS);
    world_end(&w);
}

static void a_contradicted_report_does_not_hide(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    minutes_of_hour(&w, T0, 60, 0, "24");
    int64_t at = T0 + LT_HOUR_MS + 3000;
    frame(&w, at, MN1, 2061, T0, "a21026-Avg=12,a21026-ZsAvg=18,a21026-Flag=N;a19001-Avg=11.0,a19001-Flag=N");
    commit(&w, at);
    run(&w, 10000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_ZSAVG), 36 * M);
    assert_true(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_STATE) & VALUES_S_DISPUTED);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    world_end(&w);
}

/* The line lost most minutes of SO2, and the device reports its hour without a converted mean and an amount: those of
 * the minutes that came through are not those of the hour. */
static void a_reported_mean_is_converted_itself(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    for (unsigned m = 0; m < 60; m++) {
        char items[200];
        snprintf(items, sizeof items, "%sa19001-Avg=11,a19001-Flag=N;a00000-Avg=100,a00000-Flag=N",
                 m < 10 ? "a21026-Avg=10,a21026-Cou=0.1,a21026-Flag=N;" : "");
        frame(&w, T0 + (m + 1) * LT_MIN_MS, MN1, 2051, T0 + m * LT_MIN_MS, items);
    }
    int64_t at = T0 + LT_HOUR_MS + 3000;
    frame(&w, at, MN1, 2061, T0, "a21026-Avg=30,a21026-Flag=N");
    commit(&w, at);
    run(&w, 10000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_AVG), 30 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_ZSAVG), 45 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_COU), 10800000);
    assert_int_equal(ask(&w, "SELECT value FROM alarm WHERE rule = 'hour_exceed'"), 45 * M);
    world_end(&w);
}

/* Formaldehyde and mercury: converted like any gas; mercury is printed in ng/m3, of which no kilograms follow. */
static void organics_and_metals_are_converted_too(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    add_limit(&w, w.outlet, "a31001", "hour", "converted", 35 * M);
    world_engine(&w);
    int64_t at = T0 + LT_HOUR_MS + 3000;
    frame(&w, at, MN1, 2061, T0,
          "a31001-Avg=24,a31001-Flag=N;a20058-Avg=24,a20058-Flag=N;a19001-Avg=11,a19001-Flag=N;a00000-Avg=100,a00000-"
          "Flag=N");
    commit(&w, at);
    run(&w, 10);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a31001", HJ212_F_ZSAVG), 36 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a31001", HJ212_F_COU), 8640000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a20058", HJ212_F_ZSAVG), 36 * M);
    assert_true(value_at(&w, w.device, SERIES_HOUR, T0, "a20058", HJ212_F_COU) == LT_FIX_NONE);
    assert_int_equal(ask(&w, "SELECT value FROM alarm WHERE rule = 'hour_exceed' AND factor = 'a31001'"), 36 * M);
    world_end(&w);
}

static void late_data_leaves_a_trail_and_takes_alarms_back(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    minutes_of_hour(&w, T0, 50, 0, "24");
    ticks(&w, T0 + LT_HOUR_MS + 10000, T0 + LT_HOUR_MS + 6 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(ask(&w, "SELECT active FROM alarm WHERE rule = 'hour_exceed'"), 1);
    int64_t at = T0 + LT_HOUR_MS + 20 * LT_MIN_MS;
    for (unsigned m = 50; m < 60;
         m++) { /* the last ten minutes come late, and were low: (50 * 24 + 10 * 12) / 60 = 22 */
        frame(&w, at + m, MN1, 2051, T0 + m * LT_MIN_MS,
              "a21026-Avg=12,a21026-Flag=N;a19001-Avg=11,a19001-Flag=N;a21002-Avg=20,a21002-Flag=N;a00000-Avg=100,"
              "a00000-Flag=N");
    }
    commit(&w, at + 60);
    run(&w, 10000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_ZSAVG), 33 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_VERSION),
                     1); /* once a batch, not a row */
    assert_true(value_at(&w, w.device, SERIES_HOUR, T0, "a19001", SERIES_F_VERSION) ==
                LT_FIX_NONE); /* did not change */
    assert_int_equal(ask(&w, "SELECT count(*) FROM value_version WHERE factor = 'a21026' AND cause = 'late_minute'"),
                     3);
    assert_int_equal(ask(&w, "SELECT old_value FROM value_version WHERE field = 'ZsAvg'"), 36 * M);
    assert_int_equal(ask(&w, "SELECT new_value FROM value_version WHERE field = 'ZsAvg'"), 33 * M);
    assert_int_equal(ask(&w, "SELECT active FROM alarm WHERE rule = 'hour_exceed'"), 0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM verdict WHERE outcome = 'withdraw'"), 1);
    int64_t versions = ask(&w, "SELECT count(*) FROM value_version");
    for (unsigned m = 50; m < 60; m++) { /* the same again changes nothing */
        frame(&w, at + 1000 + m, MN1, 2051, T0 + m * LT_MIN_MS,
              "a21026-Avg=12,a21026-Flag=N;a19001-Avg=11,a19001-Flag=N;a21002-Avg=20,a21002-Flag=N;a00000-Avg=100,"
              "a00000-Flag=N");
    }
    commit(&w, at + 2000);
    run(&w, 10000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM value_version"), versions);
    world_end(&w);
}

/* A kill -9: what was neither committed nor written out is gone. */
static void die_and_start_again(struct world *w)
{
    engine_close(&w->e);
    series_forget(w->s, INT64_MAX);
    series_close(&w->s);
    world_engine(w);
}

/* The engine has applied what the journal holds, and is not yet at its commit. */
static void apply_without_commit(struct world *w)
{
    struct journal_reader *r;
    struct journal_batch *b = NULL;
    assert_int_equal(journal_reader_open(w->dir, &r, NULL), LT_OK);
    while (journal_reader_next(r, engine_next_seq(w->e), &b, NULL) == LT_OK) {
        assert_int_equal(engine_apply(w->e, b, NULL), LT_OK);
        journal_batch_unref(&b);
    }
    journal_reader_close(&r);
}

static void late_minute(struct world *w, int64_t at_ms, unsigned minute, const char *so2)
{
    char items[200];
    snprintf(items, sizeof items, "a21026-Avg=%s,a21026-Flag=N;a19001-Avg=11,a19001-Flag=N;a00000-Avg=100", so2);
    frame(w, at_ms, MN1, 2051, T0 + minute * LT_MIN_MS, items);
    commit(w, at_ms);
}

/* In the trail each step begins where the one before ended, and the last one ends at the value that stands. */
static void the_trail_leads_to_the_value(struct world *w, int64_t steps)
{
    assert_int_equal(ask(w, "SELECT count(*) FROM value_version WHERE factor = 'a21026' AND field = 'Avg'"), steps);
    assert_int_equal(ask(w,
                         "SELECT count(*) FROM value_version a JOIN value_version b ON b.version = a.version + 1 AND "
                         "b.factor = a.factor AND b.field = a.field AND b.old_value = a.new_value WHERE a.factor = "
                         "'a21026' AND a.field = 'Avg'"),
                     steps - 1);
    assert_int_equal(ask(w, "SELECT new_value FROM value_version WHERE factor = 'a21026' AND field = 'Avg' ORDER BY "
                            "version DESC LIMIT 1"),
                     value_at(w, w->device, SERIES_HOUR, T0, "a21026", HJ212_F_AVG));
    assert_int_equal(value_at(w, w->device, SERIES_HOUR, T0, "a21026", SERIES_F_VERSION), steps);
}

static void report(struct world *w, int64_t at_ms, int64_t hour_ms, unsigned zs)
{
    char items[100];
    snprintf(items, sizeof items, "a21026-Avg=%u,a21026-ZsAvg=%u,a21026-Flag=N", zs, zs);
    frame(w, at_ms, MN1, 2061, hour_ms, items);
    commit(w, at_ms);
    run(w, 10000);
}

/* Taken back by one correction, brought back by the next: an exceedance must not stay taken back. */
static void an_exceedance_comes_back(void **state)
{
    struct world w = {.checkpoint_s = 30};
    const char *active = "SELECT active FROM alarm WHERE rule = 'hour_exceed' ORDER BY period_at_ms LIMIT 1";
    world_make(&w);
    world_engine(&w);
    int64_t at = T0 + LT_HOUR_MS;
    report(&w, at + 5000, T0, 50);
    assert_int_equal(ask(&w, active), 1);
    report(&w, at + 10000, T0, 20);
    assert_int_equal(ask(&w, active), 0);
    report(&w, at + 15000, T0, 60);
    assert_int_equal(ask(&w, active), 1);
    assert_int_equal(ask(&w, "SELECT value FROM alarm WHERE rule = 'hour_exceed'"), 60 * M);
    report(&w, at + 20000, T0, 20);
    assert_int_equal(ask(&w, active), 0);
    report(&w, at + 25000, T0, 70);
    report(&w, at + 10000 + LT_HOUR_MS, T0 + LT_HOUR_MS, 20); /* the next hour is in order */
    assert_int_equal(ask(&w, active), 0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    world_end(&w);
}

/* Whether an exceedance is going on does not depend on which hour came first. */
static void an_old_exceedance_is_not_going_on(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    int64_t at = T0 + 3 * LT_HOUR_MS;
    report(&w, at, T0 + LT_HOUR_MS, 20);
    report(&w, at + 5000, T0, 50);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    assert_int_equal(ask(&w, "SELECT active FROM alarm WHERE rule = 'hour_exceed'"), 0);
    world_end(&w);
}

/* A limit lowered later does not mark an hour that was closed before, when a row comes that changes no value. */
static void a_closed_hour_stays_as_judged(void **state)
{
    struct world w = {.checkpoint_s = 30};
    struct record_set low[] = {RECORD_SET_I("limit_value", 5 * M)};
    world_make(&w);
    world_engine(&w);
    int64_t at = T0 + LT_HOUR_MS;
    report(&w, at + 5000, T0, 20);
    change_record(&w, "factor_limit",
                  ask(&w, "SELECT id FROM factor_limit WHERE period = 'hour' AND factor = 'a21026'"), low, 1);
    put(&w, JOURNAL_CONFIG, at + 6000, "", "factor_limit", 12, 0);
    report(&w, at + 7000, T0, 20);
    assert_false(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_STATE) & VALUES_S_EXCEED);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 0);
    report(&w, at + 8000, T0, 21);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    world_end(&w);
}

/* One device with more rows at a moment than are kept must not stop the others. */
static void a_row_without_a_place_is_passed_over(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    add_device(&w, MN2, w.outlet);
    world_engine(&w);
    for (unsigned i = 0; i < 260; i++) {
        char items[60];
        snprintf(items, sizeof items, "a9%04u-Rtd=1", i);
        frame(&w, T0 + i, MN1, 2011, T0, items);
    }
    frame(&w, T0 + 300, MN2, 2011, T0, "a21026-Rtd=7");
    commit(&w, T0 + 300);
    run(&w, 10);
    struct engine_stats s;
    engine_stats(w.e, &s);
    assert_int_equal(s.quarantined, 4);
    struct engine_value v[4];
    assert_int_equal(engine_latest(w.e, ask(&w, "SELECT id FROM device WHERE mn = '" MN2 "'"), v, 4), 1);
    assert_int_equal(v[0].rtd, 7 * M);
    world_end(&w);
}

/* Reports `factors` factors of an hour, in packets of 14 as they fit a frame. */
static void report_many(struct world *w, int64_t at_ms, unsigned factors, unsigned add)
{
    for (unsigned from = 0; from < factors; from += 14) {
        char items[900];
        size_t n = 0;
        for (unsigned i = from; i < factors && i < from + 14; i++) {
            n += (size_t)snprintf(items + n, sizeof items - n, "%sa9%04u-Avg=%u,a9%04u-ZsAvg=1,a9%04u-Cou=1",
                                  i > from ? ";" : "", i, i + add, i, i);
        }
        frame(w, at_ms + from, MN1, 2061, T0, items);
    }
    commit(w, at_ms + 100);
    run(w, 10);
}

/* A row holds all it can: each factor is there, with the number of its version. */
static void as_many_factors_as_a_row_holds(void **state)
{
    for (unsigned factors = 32; factors <= 42; factors += 10) {
        struct world w = {.checkpoint_s = 30};
        world_make(&w);
        world_engine(&w);
        report_many(&w, T0 + LT_HOUR_MS, factors, 1);
        report_many(&w, T0 + LT_HOUR_MS + LT_MIN_MS, factors, 2);
        for (unsigned i = 0; i < factors; i++) {
            char code[16];
            snprintf(code, sizeof code, "a9%04u", i);
            assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, code, HJ212_F_AVG), (i + 2) * M);
            assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, code, SERIES_F_VERSION), 1);
        }
        world_end(&w);
    }
}

static void one_closed_hour(struct world *w)
{
    world_make(w);
    world_engine(w);
    minutes_of_hour(w, T0, 50, 0, "24");
    ticks(w, T0 + LT_HOUR_MS + 10000, T0 + LT_HOUR_MS + 6 * LT_MIN_MS);
    run(w, 10000);
    assert_int_equal(engine_checkpoint(w->e, NULL), LT_OK);
}

/* Recompression, which writes out what is in memory, comes between the engine's applying and its commit. */
static void a_trail_survives_writing_before_the_commit(void **state)
{
    struct world w = {.checkpoint_s = 3600};
    one_closed_hour(&w);
    int64_t at = T0 + LT_HOUR_MS + 20 * LT_MIN_MS;
    for (unsigned i = 0; i < 3; i++) {
        late_minute(&w, at + i * LT_SEC_MS, 50 + i, i == 1 ? "90" : "12");
        apply_without_commit(&w);
        bool left;
        assert_int_equal(series_compact(w.s, T0 + 2 * LT_DAY_MS, 1000, &left, NULL), LT_OK);
        die_and_start_again(&w);
        run(&w, 10000);
        the_trail_leads_to_the_value(&w, i + 1);
    }
    world_end(&w);
}

/* The same with a cache so small that its cold chunks are written out all the time. */
static void a_trail_survives_a_full_cache(void **state)
{
    struct world w = {.checkpoint_s = 3600, .series_cache_bytes = 256 * 1024};
    one_closed_hour(&w);
    int64_t at = T0 + 91 * LT_DAY_MS;
    late_minute(&w, at, 50, "90");
    for (int64_t day = 1; day <= 90;
         day++) { /* hours of later days, which are closed after it and push its chunks out */
        frame(&w, at + 1, MN1, 2061, T0 + day * LT_DAY_MS, "a21026-Avg=12,a21026-Flag=N;a19001-Avg=11,a19001-Flag=N");
    }
    commit(&w, at + 1);
    apply_without_commit(&w);
    die_and_start_again(&w);
    run(&w, 10000);
    the_trail_leads_to_the_value(&w, 1);
    world_end(&w);
}

/* A chunk on a worn place of the disk: the hour it belongs to is not made again, everything else goes on, and it is
 * told. */
static void a_damaged_chunk_stops_nothing(void **state)
{
    struct world w = {.checkpoint_s = 3600};
    one_closed_hour(&w);
    engine_close(&w.e);
    series_close(&w.s);
    char path[200];
    struct sql_db *db;
    snprintf(path, sizeof path, "%s/series/202611-raw.db", w.dir);
    assert_int_equal(sql_open(path, false, &db, NULL), LT_OK);
    assert_int_equal(sql_exec(db, "UPDATE chunk SET bytes = zeroblob(20)", NULL), LT_OK);
    sql_close(&db);
    world_engine(&w);
    int64_t at = T0 + LT_HOUR_MS + 20 * LT_MIN_MS;
    late_minute(&w, at, 50, "90");
    report(&w, at + 1000, T0, 60);
    minutes_of_hour(&w, T0 + 2 * LT_HOUR_MS, 60, 0, "24");
    ticks(&w, T0 + 3 * LT_HOUR_MS + 10000, T0 + 3 * LT_HOUR_MS + 6 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_AVG), 24 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0 + 2 * LT_HOUR_MS, "a21026", HJ212_F_AVG), 24 * M);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'disk_fault' AND active"), 1);
    world_end(&w);
}

static void copy_file(const char *from, const char *to)
{
    char b[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(b, 1, sizeof b, in)) > 0;) {
        assert_int_equal(fwrite(b, 1, n, out), n);
    }
    assert_int_equal(fclose(in) | fclose(out), 0);
}

/* A checkpoint died between its two files: the raw rows of two corrections are written, the hour is as before both.
 * Made again from all rows at once it changes once, where the trail has two steps; the next one must be the third. */
static void a_trail_counts_on_after_half_a_checkpoint(void **state)
{
    struct world w = {.checkpoint_s = 3600};
    one_closed_hour(&w);
    char file[200], kept[200], wal[220];
    snprintf(file, sizeof file, "%s/series/202611.db", w.dir);
    snprintf(kept, sizeof kept, "%s/before.db", w.dir);
    snprintf(wal, sizeof wal, "%s-wal", file);
    engine_close(&w.e);
    series_close(&w.s);
    copy_file(file, kept);
    world_engine(&w);
    int64_t at = T0 + LT_HOUR_MS + 20 * LT_MIN_MS;
    late_minute(&w, at, 50, "90");
    late_minute(&w, at + LT_SEC_MS, 51, "12");
    run(&w, 10000);
    the_trail_leads_to_the_value(&w, 2);
    assert_int_equal(series_flush(w.s, NULL), LT_OK);
    engine_close(&w.e);
    series_close(&w.s);
    unlink(wal);
    copy_file(kept, file);
    world_engine(&w);
    run(&w, 10000);
    the_trail_leads_to_the_value(&w, 2);
    late_minute(&w, at + 2 * LT_SEC_MS, 52, "50");
    run(&w, 10000);
    the_trail_leads_to_the_value(&w, 3);
    world_end(&w);
}

static void oxygen_at_and_above_the_cap(void **state)
{
    static const struct {
        const char *o2;
        int64_t zs;
        bool capped;
    } c[] = {{"19", 150 * M, false},
             {"19.01", 20 * M, true},
             {"20.9", 20 * M, true},
             {"21", 20 * M, true},
             {"6", 20 * M, false}};
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct world w = {.checkpoint_s = 30};
        world_make(&w);
        world_engine(&w);
        for (unsigned m = 0; m < 60; m++) {
            char items[200];
            snprintf(items, sizeof items, "a21026-Rtd=20,a21026-Flag=N;a19001-Rtd=%s,a19001-Flag=N", c[i].o2);
            frame(&w, T0 + m * LT_MIN_MS + 500, MN1, 2011, T0 + m * LT_MIN_MS, items);
            commit(&w, T0 + m * LT_MIN_MS + 500);
        }
        ticks(&w, T0 + LT_HOUR_MS, T0 + LT_HOUR_MS + 6 * LT_MIN_MS);
        run(&w, 10000);
        assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_SOURCE), VALUES_REALTIME);
        assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", HJ212_F_ZSAVG), c[i].zs);
        int64_t st = value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_STATE);
        assert_int_equal((st & VALUES_S_O2_CAP) != 0, c[i].capped);
        world_end(&w);
    }
}

static void editions_packets_and_strangers(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    int64_t t = T0 + 1000;
    put_frame(&w, t, MN1, 2011, t, "DataTime=20261129000001;02-Rtd=12.5,02-Flag=N;S01-Rtd=9,S01-Flag=N;03-Rtd=7",
              HJ212_2005, 31);
    put_frame(&w, t + 10, MN1, 2011, t + 10, "DataTime=20261129000001;a01011-Rtd=8", HJ212_2017, 31); /* sub-packet 2 */
    put_frame(&w, t + 20, MN1, 2021, t + 20, "DataTime=20261129000001;SB1-RS=1;SB2-RS=0", HJ212_2017, 31);
    put_frame(&w, t + 30, "410300NEWDEVICE000000001", 2011, t, "DataTime=20261129000001;a21026-Rtd=1", HJ212_2025, 31);
    commit(&w, t + 40);
    run(&w, 10);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0 + 1000, "a21026", HJ212_F_RTD), 12500000);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0 + 1000, "a19001", HJ212_F_RTD), 9 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0 + 1000, "a21002", HJ212_F_RTD), 7 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0 + 1000, "a01011", HJ212_F_RTD), 8 * M);
    assert_int_equal(value_at(&w, w.device, SERIES_STATE, T0 + 1000, "SB1", HJ212_F_RS), M);
    int64_t id = ask(&w, "SELECT id FROM device WHERE status = 'pending' AND mn = '410300NEWDEVICE000000001'");
    assert_true(id > 0);
    assert_int_equal(value_at(&w, id, SERIES_RTD, T0 + 1000, "a21026", HJ212_F_RTD), M);
    struct engine_device d;
    assert_true(engine_device(w.e, id, &d));
    assert_int_equal(d.frames, 1);
    assert_false(engine_device(w.e, 999999, &d));
    world_end(&w);
}

/* Whoever invents MNs fills neither the register nor the engine; those that were there go on. */
static void strangers_have_a_limit(void **state)
{
    struct world w = {.checkpoint_s = 30, .pending_max = 3};
    world_make(&w);
    world_engine(&w);
    for (unsigned i = 0; i < 5; i++) {
        char mn[20];
        snprintf(mn, sizeof mn, "STRANGER%02u", i);
        frame(&w, T0 + i, mn, 2011, T0, "a21026-Rtd=1");
        frame(&w, T0 + i + 1, mn, 2011, T0 + LT_SEC_MS, "a21026-Rtd=2");
    }
    frame(&w, T0 + 10, MN1, 2011, T0, "a21026-Rtd=7");
    commit(&w, T0 + 10);
    run(&w, 10);
    assert_int_equal(ask(&w, "SELECT count(*) FROM device WHERE status = 'pending'"), 3);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0, "a21026", HJ212_F_RTD), 7 * M);
    assert_int_equal(sql_exec(w.db, "UPDATE device SET status = 'active' WHERE mn = 'STRANGER00'", NULL), LT_OK);
    put(&w, JOURNAL_CONFIG, T0 + 20, "", "device", 6, 0);
    frame(&w, T0 + 30, "STRANGER04", 2011, T0, "a21026-Rtd=3"); /* one was taken in: there is room for one */
    commit(&w, T0 + 30);
    run(&w, 10);
    assert_int_equal(ask(&w, "SELECT count(*) FROM device WHERE mn = 'STRANGER04'"), 1);
    world_end(&w);
}

/* HJ 212-2025 6.4: full groups of the area enciphered, CRC over the plain frame. */
static void enciphered_frames(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    struct record_set key[] = {RECORD_SET_Z("sm4_key", "30303030303030303030303030303030")};
    change_record(&w, "device", w.device, key, 1);
    world_engine(&w);
    const char area[] = "DataTime=20261129000001;a21026-Rtd=12.50,a21026-Flag=N;a19001-Rtd=9";
    char frame_text[2000];
    struct hj212_head h = {.qn = LT_LIT("20261129000001000"),
                           .pw = LT_LIT("123456"),
                           .mn = LT_LIT(MN1),
                           .st = 31,
                           .cn = 2011,
                           .edition = HJ212_2025,
                           .answer = true};
    size_t n = hj212_build(&h, LT_LIT(area), frame_text, sizeof frame_text);
    char *cp = strstr(frame_text, area);
    assert_non_null(cp);
    uint8_t cipher[200];
    hj212_sm4_encrypt((const uint8_t *)"0000000000000000", (const uint8_t *)area, sizeof area - 1, cipher);
    memcpy(cp, cipher, sizeof area - 1);
    put(&w, JOURNAL_FRAME, T0 + 1500, MN1, frame_text, n - 2, 0);
    commit(&w, T0 + 1500);
    run(&w, 10);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0 + 1000, "a21026", HJ212_F_RTD), 12500000);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, T0 + 1000, "a19001", HJ212_F_RTD), 9 * M);
    world_end(&w);
}

static void bad_areas_and_wrong_times_are_counted(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    int64_t t = T0 + LT_HOUR_MS;
    frame(&w, t, MN1, 2011, t, "a21026-Rtd=abc");
    frame(&w, t + 1, MN1, 2011, t + 11 * LT_MIN_MS, "a21026-Rtd=1");
    frame(&w, t + 2, MN1, 2011, t + 9 * LT_MIN_MS, "a21026-Rtd=2");
    frame(&w, t + 3, MN1, 2011, t - 401 * LT_DAY_MS, "a21026-Rtd=3");
    put_frame(&w, t + 4, MN1, 2011, t, "a21026-Rtd=4", HJ212_2017, 31); /* no DataTime */
    commit(&w, t + 5);
    run(&w, 10);
    struct engine_stats s;
    engine_stats(w.e, &s);
    assert_int_equal(s.frames, 5);
    assert_int_equal(s.bad_items, 2);
    assert_int_equal(s.quarantined, 2);
    assert_true(value_at(&w, w.device, SERIES_RTD, t + 11 * LT_MIN_MS, "a21026", HJ212_F_RTD) == LT_FIX_NONE);
    assert_int_equal(value_at(&w, w.device, SERIES_RTD, t + 9 * LT_MIN_MS, "a21026", HJ212_F_RTD), 2 * M);
    for (int i = 0; i < 120; i++) { /* a clock eleven minutes ahead is told */
        frame(&w, t + 10000 + i * 5000, MN1, 2011, t + 10000 + i * 5000 + 11 * LT_MIN_MS, "a21026-Rtd=1");
    }
    commit(&w, t + 10 * LT_MIN_MS);
    run(&w, 10);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'clock_drift' AND active"), 1);
    world_end(&w);
}

/* A device entered before the first record, whose configuration is read again later, is not new then. */
static void known_from_the_beginning(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    for (int s = 0; s <= 190; s += 10) { /* two intervals of a minute, and one */
        int64_t at = T0 + s * LT_SEC_MS;
        if (s == 60) {
            put(&w, JOURNAL_CONFIG, at, "", "device", 6, 0);
        }
        tick(&w, at);
        commit(&w, at);
    }
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'silence' AND active"), 1);
    world_end(&w);
}

/* ---- the post's own clock ---- */
enum { CITY = 12 };

/* A minute of the city: each device says `true_ms`, the post takes it for at_ms; device `odd` is odd_ms off. */
static void city_minute(struct world *w, int64_t at_ms, int64_t true_ms, int odd, int64_t odd_ms)
{
    for (int i = 0; i < CITY; i++) {
        char mn[32], area[64], t[18];
        snprintf(mn, sizeof mn, "8888888000%04d", i + 1);
        int64_t own = true_ms + (i == odd ? odd_ms : 0);
        lt_time_format_compact(own, LT_TZ_CHINA, false, t);
        snprintf(area, sizeof area, "DataTime=%s;a21026-Rtd=1%d.%d,a21026-Flag=N", t, (int)(own / LT_MIN_MS % 7), i);
        put_frame(w, at_ms + i, mn, 2011, own + i, area, HJ212_2017, 31);
    }
    tick(w, at_ms + 1000);
    commit(w, at_ms + 1000);
}

/* Minutes of the city from *t on, with the post's clock off_ms ahead. */
static void city_minutes(struct world *w, int64_t *t, int minutes, int64_t off_ms, int odd, int64_t odd_ms)
{
    for (int m = 0; m < minutes; m++) {
        *t += LT_MIN_MS;
        city_minute(w, *t + off_ms, *t, odd, odd_ms);
    }
}

static void clock_set(struct world *w, int64_t at_ms, int64_t step_ms)
{
    char text[JOURNAL_STEP_CHARS];
    put(w, JOURNAL_TICK, at_ms, "", text, journal_step_text(step_ms, text), 0);
    commit(w, at_ms);
}

static void city_make(struct world *w)
{
    world_make(w);
    for (int i = 1; i < CITY; i++) {
        char mn[32];
        snprintf(mn, sizeof mn, "8888888000%04d", i + 1);
        add_device(w, mn, w->outlet);
    }
    world_engine(w);
}

static void drift_alarms(struct world *w, int post, int devices)
{
    run(w, 1000);
    assert_int_equal(
        ask(w, "SELECT count(*) FROM alarm WHERE rule = 'clock_drift' AND object_kind = 'post' AND active"), post);
    assert_int_equal(
        ask(w, "SELECT count(*) FROM alarm WHERE rule = 'clock_drift' AND object_kind = 'device' AND active"), devices);
}

static void the_posts_own_clock_is_one_alarm(void **state)
{
    struct world w = {.checkpoint_s = 30};
    int64_t t = T0;
    city_make(&w);
    city_minutes(&w, &t, 20, 0, -1, 0);
    drift_alarms(&w, 0, 0);
    clock_set(&w, t + LT_HOUR_MS + 2000, LT_HOUR_MS);
    drift_alarms(&w, 1, 0); /* at once, not when the devices' alarms would come */
    city_minutes(&w, &t, 15, LT_HOUR_MS, 3, 20 * LT_MIN_MS);
    run(&w, 1000); /* it outlives a restart */
    assert_int_equal(engine_checkpoint(w.e, NULL), LT_OK);
    engine_close(&w.e);
    series_close(&w.s);
    world_engine(&w);
    city_minutes(&w, &t, 15, LT_HOUR_MS, 3, 20 * LT_MIN_MS);
    drift_alarms(&w, 1, 0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM value_version"), 0); /* no hour was closed by the wrong clock */
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'clock_drift'"), 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'clock_drift' AND severity = 'urgent'"), 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM verdict WHERE rule = 'clock_drift' AND inputs = "
                             "'{\"step_s\":3600}'"),
                     1);
    clock_set(&w, t + 2000, -LT_HOUR_MS); /* put right: the devices say so, and the one that is wrong is told */
    city_minutes(&w, &t, 20, 0, 3, 20 * LT_MIN_MS);
    drift_alarms(&w, 0, 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'clock_drift'"), 2);
    world_end(&w);
}

static void a_clock_that_was_corrected_is_believed(void **state)
{
    struct world w = {.checkpoint_s = 30};
    int64_t t = T0;
    city_make(&w);
    clock_set(&w, t, 400 * 1000); /* within what a device may be off: nothing to tell */
    drift_alarms(&w, 0, 0);
    clock_set(&w, t + LT_HOUR_MS, LT_HOUR_MS);
    drift_alarms(&w, 1, 0);
    for (int i = 1; i < 9; i++) { /* were under way: received by the old clock */
        city_minute(&w, t + i * 20, t + LT_HOUR_MS, -1, 0);
    }
    t += LT_HOUR_MS;
    city_minutes(&w, &t, 5, 0, -1, 0);
    drift_alarms(&w, 0, 0);
    world_end(&w);
}

/* It began with a wrong clock (an empty battery after a power cut), so that no step was seen. */
static void most_devices_prove_the_post_wrong(void **state)
{
    struct world w = {.checkpoint_s = 30};
    int64_t t = T0;
    city_make(&w);
    city_minutes(&w, &t, 30, LT_HOUR_MS, -1, 0);
    drift_alarms(&w, 1, 0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM verdict WHERE inputs = '{\"devices\":12}'"), 1);
    world_end(&w);
}

static void a_declared_start_is_exempt_within_its_quota(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    ADD(&w, "process_state", RECORD_SET_I("outlet", w.outlet), RECORD_SET_Z("state", "startup"),
        RECORD_SET_I("begin_at", T0), RECORD_SET_I("end_at", T0 + 3 * LT_HOUR_MS));
    struct record_set quota[] = {RECORD_SET_I("param1", M)};
    change_record(&w, "rule", rule_id(&w, "hour_exceed"), quota, 1);
    world_engine(&w);
    for (int h = 0; h < 2; h++) {
        minutes_of_hour(&w, T0 + h * LT_HOUR_MS, 60, 0, "24");
    }
    ticks(&w, T0 + 2 * LT_HOUR_MS + 10000, T0 + 2 * LT_HOUR_MS + 6 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM verdict WHERE rule = 'hour_exceed' AND outcome = 'exempt'"), 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"),
                     1); /* the second is over the quota */
    assert_int_equal(ask(&w, "SELECT period_at_ms FROM alarm WHERE rule = 'hour_exceed'"), T0 + LT_HOUR_MS);
    assert_true(value_at(&w, w.device, SERIES_HOUR, T0, "a21026", SERIES_F_STATE) & VALUES_S_EXEMPT);
    world_end(&w);
}

static void silence_says_why(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    int64_t other = add_device(&w, MN2, w.outlet);
    world_engine(&w);
    for (int i = 0; i < 10; i++) {
        frame(&w, T0 + i * LT_MIN_MS, MN1, 2011, T0 + i * LT_MIN_MS, "a21026-Rtd=1,a21026-Flag=N");
        tick(&w, T0 + i * LT_MIN_MS);
        commit(&w, T0 + i * LT_MIN_MS);
    }
    put(&w, JOURNAL_CONN, T0 + 9 * LT_MIN_MS + 5000, MN1, "close (closed by device) 10.1.2.3:4711", 38, 0);
    ticks(&w, T0 + 9 * LT_MIN_MS + 10000, T0 + 12 * LT_MIN_MS); /* two intervals and a minute: not yet */
    run(&w, 1000);
    struct engine_device d;
    assert_true(engine_device(w.e, w.device, &d));
    assert_int_equal(d.silent_since_ms, 0);
    ticks(&w, T0 + 12 * LT_MIN_MS, T0 + 12 * LT_MIN_MS + 20000);
    run(&w, 1000);
    assert_true(engine_device(w.e, w.device, &d));
    assert_int_equal(d.silent_since_ms, T0 + 9 * LT_MIN_MS);
    assert_int_equal(d.cause, ENGINE_CLOSED);
    assert_string_equal(d.cause_en, "connection ended at 11-29 00:09 (closed by device), not seen since");
    assert_string_equal(d.cause_zh, "连接于 11-29 00:09 断开（对方断开），此后未再连接");
    assert_true(engine_device(w.e, other, &d));
    assert_int_equal(d.cause, ENGINE_NEVER);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'silence' AND active"), 2);
    frame(&w, T0 + 20 * LT_MIN_MS, MN1, 2011, T0 + 20 * LT_MIN_MS, "a21026-Rtd=1,a21026-Flag=N");
    put(&w, JOURNAL_REJECT, T0 + 20 * LT_MIN_MS, MN2, "##bad", 5, HJ212_E_CRC);
    commit(&w, T0 + 20 * LT_MIN_MS);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'silence' AND active"), 1);
    world_end(&w);
}

static void a_post_that_was_down_blames_nobody(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    frame(&w, T0, MN1, 2011, T0, "a21026-Rtd=1,a21026-Flag=N");
    commit(&w, T0);
    int64_t back = T0 + 3 * LT_HOUR_MS;
    ticks(&w, back, back + 2 * LT_MIN_MS);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm"), 0);
    ticks(&w, back + 2 * LT_MIN_MS, back + 4 * LT_MIN_MS);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'silence'"), 1);
    world_end(&w);
}

/* So a rule that came with an upgrade changes nothing of the days before, and a deleted one rests. */
static void a_rule_without_record_is_not_in_force(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    assert_int_equal(sql_exec(w.db, "UPDATE rule SET deleted = 1 WHERE code = 'out_of_range'", NULL), LT_OK);
    world_engine(&w);
    int64_t t = T0;
    for (int i = 0; i < 10; i++, t += LT_MIN_MS) {
        frame(&w, t, MN1, 2011, t, "a19001-Rtd=21.5,a19001-Flag=N;a01013-Rtd=-130,a01013-Flag=N");
    }
    commit(&w, t);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'impossible'"), 2);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'out_of_range'"), 0);
    world_end(&w);
}

static void constant_range_impossible_and_two_lines(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    int64_t t = T0;
    char items[300];
    for (int i = 0; i < 400; i++, t += LT_MIN_MS) { /* lively, so that the run limit is 5 */
        snprintf(items, sizeof items,
                 "a21026-Rtd=%d.%02d,a21026-Flag=N;a19001-Rtd=%d.%d,a19001-Flag=N;a01013-Rtd=-0.1,a01013-Flag=N",
                 10 + i % 7, i % 97, 8 + i % 3, i % 10);
        frame(&w, t, MN1, 2011, t, items);
    }
    commit(&w, t);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule IN ('constant','impossible','out_of_range')"), 0);
    for (int i = 0; i < 10; i++, t += LT_MIN_MS) {
        w.conn = 1 + (unsigned)i % 2;
        frame(&w, t, MN1, 2011, t,
              "a21026-Rtd=12.34,a21026-ZsRtd=3,a21026-Flag=N;a19001-Rtd=21.5,a19001-Flag=N;a01013-Rtd=-130,a01013-Flag="
              "N");
    }
    commit(&w, t);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'constant' AND factor = 'a21026' AND active"), 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'impossible' AND factor = 'a19001' AND active"),
                     1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'out_of_range' AND factor = 'a01013' AND active"),
                     1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'double_connection' AND active"), 1);
    for (int i = 0; i < 10; i++, t += LT_MIN_MS) {
        snprintf(items, sizeof items,
                 "a21026-Rtd=%d,a21026-Flag=N;a19001-Rtd=9.%d,a19001-Flag=N;a01013-Rtd=-0.1,a01013-Flag=N", i, i);
        frame(&w, t, MN1, 2011, t, items);
    }
    commit(&w, t);
    ticks(&w, t + 25 * LT_MIN_MS, t + 26 * LT_MIN_MS);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule <> 'silence' AND active"), 0);
    world_end(&w);
}

/* Alarms of a rule that is switched off, and of a device that is no longer watched, do not go on for ever. */
static void what_is_no_longer_watched_ends(void **state)
{
    for (int device = 0; device <= 1; device++) {
        struct world w = {.checkpoint_s = 30};
        world_make(&w);
        world_engine(&w);
        minutes_of_hour(&w, T0, 60, 0, "24"); /* above the limit */
        int64_t t = T0 + LT_HOUR_MS;
        for (int i = 0; i < 80; i++, t += 10 * LT_SEC_MS) { /* frozen, and oxygen that cannot be */
            frame(&w, t, MN1, 2011, t, "a21026-Rtd=12.34,a21026-Flag=N;a19001-Rtd=21.5,a19001-Flag=N");
            tick(&w, t);
            commit(&w, t);
        }
        run(&w, 10000);
        assert_int_equal(ask(&w, "SELECT count(DISTINCT rule) FROM alarm WHERE active AND rule IN ('hour_exceed', "
                                 "'constant', 'impossible')"),
                         3);
        assert_int_equal(sql_exec(w.db,
                                  device ? "UPDATE device SET status = 'disabled'"
                                         : "UPDATE rule SET enabled = 0 WHERE code <> 'impossible'",
                                  NULL),
                         LT_OK);
        put(&w, JOURNAL_CONFIG, t, "", "rule", 4, 0);
        ticks(&w, t + 1000, t + 20 * LT_SEC_MS);
        run(&w, 10000);
        assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE active AND rule IN ('hour_exceed', 'constant')"), 0);
        assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE active AND rule = 'impossible'"), !device);
        world_end(&w);
    }
}

static bool sum_rows(void *user, const struct engine_ledger_row *r)
{
    struct engine_ledger_row *sum = user;
    sum->received += r->received;
    sum->stored += r->stored;
    sum->duplicate += r->duplicate;
    sum->rejected += r->rejected;
    sum->n_reasons += r->n_reasons;
    assert_int_equal(r->received, r->stored + r->duplicate + r->rejected);
    return true;
}

static void the_ledger_adds_up_running_or_not(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    struct lt_rand r;
    lt_rand_init(&r, 3);
    int64_t t = T0 - LT_HOUR_MS; /* over midnight */
    for (int i = 0; i < 400; i++, t += 20 * LT_SEC_MS) {
        const char *mn = lt_rand_below(&r, 2) ? MN1 : MN2;
        switch (lt_rand_below(&r, 4)) {
        case 0:
            put(&w, JOURNAL_REJECT, t, lt_rand_below(&r, 5) ? mn : "", "##x", 3,
                HJ212_E_CRC + (unsigned)lt_rand_below(&r, 3));
            break;
        case 1:
            put(&w, JOURNAL_DUPLICATE, t, mn, "", 0, 0);
            break;
        case 2:
            put(&w, JOURNAL_DROPPED, t, mn, "", 0, JOURNAL_R_RATE);
            break;
        default:
            frame(&w, t, mn, 2011, t, "a21026-Rtd=1");
        }
        if (i % 20 == 19) {
            commit(&w, t);
        }
    }
    run(&w, 7);
    struct engine_ledger_row cli = {0}, live = {0}, day = {0}, dead = {0};
    assert_int_equal(engine_ledger_dir(w.dir, LT_TZ_CHINA, 0, LT_LIT(""), sum_rows, &cli, NULL), LT_OK);
    assert_int_equal(cli.received, 400); /* checkpointed part plus the journal behind it */
    run(&w, 1000);
    assert_int_equal(engine_ledger(w.e, 0, LT_LIT(""), sum_rows, &live, NULL), LT_OK);
    assert_memory_equal(&cli, &live, sizeof cli);
    assert_int_equal(engine_ledger(w.e, 20261129, LT_LIT(""), sum_rows, &day, NULL), LT_OK);
    assert_int_equal(day.received, 220); /* from 00:00 on */
    engine_close(&w.e);                  /* without a last checkpoint */
    assert_int_equal(engine_ledger_dir(w.dir, LT_TZ_CHINA, 0, LT_LIT(""), sum_rows, &dead, NULL), LT_OK);
    assert_memory_equal(&cli, &dead, sizeof cli);
    world_end(&w);
}

static void on_event(void *user, const struct engine_event *e)
{
    unsigned *n = user;
    n[strcmp(e->type, "alarm") == 0 ? 0 : 1]++;
    assert_true(e->json.n > 2 && e->json.p[0] == '{' && e->territory > 0);
}

static void events_follow_the_commit(void **state)
{
    unsigned n[2] = {0};
    struct world w = {.on_event = on_event, .user = n, .checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    minutes_of_hour(&w, T0, 60, 0, "24");
    ticks(&w, T0 + LT_HOUR_MS + 10000, T0 + LT_HOUR_MS + 5 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(n[0], 2); /* the exceedance; then the device falls silent */
    assert_in_range(n[1], 60, 62);
    world_end(&w);
}

/* Hours as reported, one 2061 an hour; each carries an amount. */
static void report_hour(struct world *w, int64_t hour_ms, const char *avg, const char *cou, char mark)
{
    char items[200];
    snprintf(items, sizeof items, "a21026-Avg=%s,a21026-ZsAvg=%s,a21026-Cou=%s,a21026-Flag=%c", avg, avg, cou, mark);
    int64_t at = hour_ms + LT_HOUR_MS + 5000;
    frame(w, at, MN1, 2061, hour_ms, items);
    tick(w, at);
    commit(w, at);
}

/* HJ 75-2017: amounts of invalid hours take the largest of the last valid ones; concentrations are never substituted.
 */
static void amounts_are_substituted_by_choice(void **state)
{
    for (int choice = 0; choice <= 1; choice++) {
        struct world w = {.checkpoint_s = 30};
        world_make(&w);
        struct record_set set[] = {RECORD_SET_I("substitution", choice)};
        change_record(&w, "outlet", w.outlet, set, 1);
        world_engine(&w);
        int64_t first = T0 - 59 * LT_DAY_MS; /* 1 October: the quarter begins */
        for (int h = 0; h < 40; h++) {
            report_hour(&w, first + h * LT_HOUR_MS, "20", h == 7 ? "9.5" : "3", 'N');
        }
        report_hour(&w, first + 40 * LT_HOUR_MS, "500", "77", 'D'); /* 40 of 40 hours were valid */
        run(&w, 1000);
        int64_t at = first + 40 * LT_HOUR_MS;
        assert_int_equal(value_at(&w, w.device, SERIES_HOUR, at, "a21026", HJ212_F_COU), choice ? 9500000 : 77 * M);
        assert_int_equal(value_at(&w, w.device, SERIES_HOUR, at, "a21026", HJ212_F_AVG), 500 * M);
        int64_t st = value_at(&w, w.device, SERIES_HOUR, at, "a21026", SERIES_F_STATE);
        assert_int_equal((st & VALUES_S_SUBSTITUTED) != 0, choice);
        assert_false(st & VALUES_S_VALID);
        for (int h = 41; h < 60; h++) { /* 40 of 59: below 75 %, nothing is substituted any more */
            report_hour(&w, first + h * LT_HOUR_MS, "500", "77", 'D');
        }
        run(&w, 1000);
        at = first + 59 * LT_HOUR_MS;
        assert_int_equal(value_at(&w, w.device, SERIES_HOUR, at, "a21026", HJ212_F_COU), 77 * M);
        world_end(&w);
    }
}

static void a_day_is_judged_when_it_is_over(void **state)
{
    for (int good = 19; good <= 20; good++) {
        struct world w = {.checkpoint_s = 3600};
        world_make(&w);
        world_engine(&w);
        for (int h = 0; h < 24; h++) {
            report_hour(&w, T0 + h * LT_HOUR_MS, h < good ? "34.9" : "60", "1", h < good ? 'N' : 'D');
        }
        struct record_set low[] = {RECORD_SET_I("limit_value", 30 * M)};
        struct sql_stmt *st;
        bool row;
        assert_int_equal(sql_prepare(w.db, "SELECT id FROM factor_limit WHERE period = 'day'", &st, NULL), LT_OK);
        assert_true(sql_step(st, &row, NULL) == LT_OK && row);
        int64_t id = sql_col_i64(st, 0);
        sql_release(&st);
        run(&w, 1000);
        change_record(&w, "factor_limit", id, low, 1); /* in force from the CONFIG record on */
        put(&w, JOURNAL_CONFIG, T0 + LT_DAY_MS + 6000, "", "factor_limit", 12, 0);
        ticks(&w, T0 + LT_DAY_MS + 10000, T0 + LT_DAY_MS + 9 * LT_MIN_MS);
        run(&w, 1000);
        assert_true(value_at(&w, w.device, SERIES_DAY, T0, "a21026", HJ212_F_AVG) == LT_FIX_NONE);
        ticks(&w, T0 + LT_DAY_MS + 9 * LT_MIN_MS, T0 + LT_DAY_MS + 11 * LT_MIN_MS);
        run(&w, 1000);
        assert_int_equal(value_at(&w, w.device, SERIES_DAY, T0, "a21026", HJ212_F_AVG), 34900000);
        assert_int_equal(value_at(&w, w.device, SERIES_DAY, T0, "a21026", SERIES_F_VALID), good);
        assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'day_exceed'"), good >= 20);
        world_end(&w);
    }
}

/* What changed of an hour is no change of the day it is in. */
static void a_day_begins_without_versions(void **state)
{
    struct world w = {.checkpoint_s = 3600};
    world_make(&w);
    world_engine(&w);
    for (int h = 0; h < 24; h++) {
        report(&w, T0 + (h + 1) * LT_HOUR_MS + 5000, T0 + h * LT_HOUR_MS, 20);
    }
    report(&w, T0 + LT_DAY_MS + 6000, T0 + 23 * LT_HOUR_MS, 21);
    assert_int_equal(value_at(&w, w.device, SERIES_HOUR, T0 + 23 * LT_HOUR_MS, "a21026", SERIES_F_VERSION), 1);
    ticks(&w, T0 + LT_DAY_MS + 10000, T0 + LT_DAY_MS + 11 * LT_MIN_MS);
    run(&w, 1000);
    assert_true(value_at(&w, w.device, SERIES_DAY, T0, "a21026", HJ212_F_AVG) != LT_FIX_NONE);
    assert_true(value_at(&w, w.device, SERIES_DAY, T0, "a21026", SERIES_F_VERSION) == LT_FIX_NONE);
    report(&w, T0 + LT_DAY_MS + 12 * LT_MIN_MS, T0 + 22 * LT_HOUR_MS, 22);
    assert_int_equal(value_at(&w, w.device, SERIES_DAY, T0, "a21026", SERIES_F_VERSION), 1);
    world_end(&w);
}

/* An old hour that lacks, told late, ends nothing of what is missing now. */
static void what_is_missing_now_stays_missing(void **state)
{
    struct world w = {.checkpoint_s = 3600};
    const char *active =
        "SELECT count(*) FROM alarm WHERE rule = 'no_data' AND active AND period_at_ms = 1795888800000";
    world_make(&w);
    world_engine(&w);
    ticks(&w, T0, T0 + 2 * LT_HOUR_MS); /* the post is up, the device not heard */
    minutes_of_hour(&w, T0 + 2 * LT_HOUR_MS, 30, 0, "24");
    ticks(&w, T0 + 3 * LT_HOUR_MS + 10000, T0 + 3 * LT_HOUR_MS + 6 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(ask(&w, active), 1);
    for (unsigned m = 0; m < 20; m++) {
        late_minute(&w, T0 + 3 * LT_HOUR_MS + 6 * LT_MIN_MS + m, m, "24");
    }
    ticks(&w, T0 + 3 * LT_HOUR_MS + 6 * LT_MIN_MS + 10000, T0 + 3 * LT_HOUR_MS + 8 * LT_MIN_MS);
    run(&w, 10000);
    assert_int_equal(ask(&w, active), 1);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'no_data'"), 2);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'no_data' AND active"), 1);
    world_end(&w);
}

static void missing_factors_are_told_one_by_one(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    for (unsigned m = 0; m < 120; m++) { /* in the first hour SO2 is out of order for 20 minutes */
        int64_t data = T0 + m * LT_MIN_MS;
        char items[200];
        snprintf(items, sizeof items,
                 "a21026-Avg=1%u,a21026-Flag=%c;a19001-Avg=11,a19001-Flag=N;a21002-Avg=2%u,a21002-Flag=N", m % 7,
                 m < 20 ? 'D' : 'N', m % 5);
        frame(&w, data + LT_MIN_MS, MN1, 2051, data, items);
        tick(&w, data + LT_MIN_MS);
        commit(&w, data + LT_MIN_MS);
        if (m == 70) {
            run(&w, 1000);
            assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'no_data' AND active"), 1);
            assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'no_data' AND factor = 'a21026'"), 1);
        }
    }
    ticks(&w, T0 + 2 * LT_HOUR_MS, T0 + 2 * LT_HOUR_MS + 6 * LT_MIN_MS);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'no_data'"), 1);
    assert_int_equal(ask(&w, "SELECT active FROM alarm WHERE rule = 'no_data'"), 0);
    world_end(&w);
}

/* Maintenance marks that begin just when the limit would be passed, three hours of the month. */
static void marks_that_hide_are_told(void **state)
{
    struct world w = {.checkpoint_s = 600};
    world_make(&w);
    world_engine(&w);
    for (int h = 0; h < 6; h++) {
        for (unsigned m = 0; m < 60; m += 5) {
            int64_t data = T0 + h * LT_HOUR_MS + m * LT_MIN_MS;
            bool hide = h % 2 && m > 30;
            char items[200];
            snprintf(items, sizeof items, "a21026-Avg=%u,a21026-Flag=%c;a19001-Avg=6,a19001-Flag=N",
                     hide ? 400U + m : 10 + m % 7, hide ? 'M' : 'N');
            frame(&w, data + 5 * LT_MIN_MS, MN1, 2051, data, items);
            tick(&w, data + 5 * LT_MIN_MS);
            commit(&w, data + 5 * LT_MIN_MS);
        }
    }
    ticks(&w, T0 + 6 * LT_HOUR_MS, T0 + 6 * LT_HOUR_MS + 6 * LT_MIN_MS);
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'flag_abuse' AND factor = 'a21026' AND active"),
                     1);
    assert_int_equal(ask(&w, "SELECT period_at_ms FROM alarm WHERE rule = 'flag_abuse'"),
                     lt_month_start(T0, LT_TZ_CHINA));
    world_end(&w);
}

/* The same by a device that reports hours alone: 500 for three hours, each marked, each after one in order. */
static void marks_of_reported_hours_are_told(void **state)
{
    struct world w = {.checkpoint_s = 600};
    world_make(&w);
    world_engine(&w);
    for (int h = 0; h < 6; h++) {
        report_hour(&w, T0 + h * LT_HOUR_MS, h % 2 ? "500" : "20", "1", h % 2 ? 'M' : 'N');
    }
    run(&w, 1000);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 0);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'flag_abuse' AND factor = 'a21026' AND active"),
                     1);
    world_end(&w);
}

static void the_engine_tells_on_itself(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    tick(&w, T0);
    commit(&w, T0);
    run(&w, 10);
    engine_note_lag(w.e, 61000, 500);
    assert_int_equal(engine_commit(w.e, NULL), LT_OK);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'engine_behind' AND active"), 1);
    engine_note_lag(w.e, 30000, 0);
    assert_int_equal(engine_commit(w.e, NULL), LT_OK);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'engine_behind' AND active"), 1);
    engine_note_lag(w.e, 5000, 0);
    assert_int_equal(engine_commit(w.e, NULL), LT_OK);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'engine_behind' AND active"), 0);
    for (int i = 0; i < 20; i++) { /* more faults than are kept: the last state counts */
        engine_fault(w.e, "disk_fault", i % 2 == 0, LT_LIT("{\"path\":\"/data\"}"));
    }
    assert_int_equal(engine_commit(w.e, NULL), LT_OK);
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'disk_fault' AND active"), 0);
    world_end(&w);
}

static void a_gap_in_the_journal_is_refused(void **state)
{
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    world_engine(&w);
    for (int i = 0; i < 3; i++) {
        tick(&w, T0 + i);
        commit(&w, T0 + i);
    }
    struct journal_reader *r;
    struct journal_batch *b = NULL;
    assert_int_equal(journal_reader_open(w.dir, &r, NULL), LT_OK);
    assert_int_equal(journal_reader_next(r, 2, &b, NULL), LT_OK);
    struct lt_error err;
    assert_int_equal(engine_apply(w.e, b, &err), LT_E_CORRUPT);
    journal_batch_unref(&b);
    journal_reader_close(&r);
    assert_int_equal(run(&w, 10), 3);
    assert_int_equal(engine_next_seq(w.e), 4);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_closes_five_minutes_after_its_end),
        cmocka_unit_test(the_edges_44_45_46),
        cmocka_unit_test(a_report_is_judged_at_once),
        cmocka_unit_test(a_contradicted_report_does_not_hide),
        cmocka_unit_test(a_reported_mean_is_converted_itself),
        cmocka_unit_test(organics_and_metals_are_converted_too),
        cmocka_unit_test(late_data_leaves_a_trail_and_takes_alarms_back),
        cmocka_unit_test(an_exceedance_comes_back),
        cmocka_unit_test(an_old_exceedance_is_not_going_on),
        cmocka_unit_test(a_closed_hour_stays_as_judged),
        cmocka_unit_test(a_row_without_a_place_is_passed_over),
        cmocka_unit_test(as_many_factors_as_a_row_holds),
        cmocka_unit_test(a_trail_survives_writing_before_the_commit),
        cmocka_unit_test(a_trail_survives_a_full_cache),
        cmocka_unit_test(a_damaged_chunk_stops_nothing),
        cmocka_unit_test(a_trail_counts_on_after_half_a_checkpoint),
        cmocka_unit_test(oxygen_at_and_above_the_cap),
        cmocka_unit_test(editions_packets_and_strangers),
        cmocka_unit_test(strangers_have_a_limit),
        cmocka_unit_test(enciphered_frames),
        cmocka_unit_test(bad_areas_and_wrong_times_are_counted),
        cmocka_unit_test(known_from_the_beginning),
        cmocka_unit_test(the_posts_own_clock_is_one_alarm),
        cmocka_unit_test(a_clock_that_was_corrected_is_believed),
        cmocka_unit_test(most_devices_prove_the_post_wrong),
        cmocka_unit_test(a_declared_start_is_exempt_within_its_quota),
        cmocka_unit_test(silence_says_why),
        cmocka_unit_test(a_post_that_was_down_blames_nobody),
        cmocka_unit_test(a_rule_without_record_is_not_in_force),
        cmocka_unit_test(constant_range_impossible_and_two_lines),
        cmocka_unit_test(what_is_no_longer_watched_ends),
        cmocka_unit_test(the_ledger_adds_up_running_or_not),
        cmocka_unit_test(events_follow_the_commit),
        cmocka_unit_test(amounts_are_substituted_by_choice),
        cmocka_unit_test(a_day_is_judged_when_it_is_over),
        cmocka_unit_test(a_day_begins_without_versions),
        cmocka_unit_test(what_is_missing_now_stays_missing),
        cmocka_unit_test(missing_factors_are_told_one_by_one),
        cmocka_unit_test(marks_that_hide_are_told),
        cmocka_unit_test(marks_of_reported_hours_are_told),
        cmocka_unit_test(the_engine_tells_on_itself),
        cmocka_unit_test(a_gap_in_the_journal_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
