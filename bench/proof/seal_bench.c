/* How fast packages are sealed when many alarms come at once. DIR is the data directory of a post that does not run (of
 * `lantian demo`, say); it is changed: N alarms are raised, spread over its outlets, and sealed. usage: seal_bench DIR
 * [N]. Prints wall and processor time a package, and when the last was ready; `perf record -g` says where it goes. */
#include "alarm/alarm.h"
#include "base/clock.h"
#include "proof/proof.h"
#include "series/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void check(enum lt_err e, const struct lt_error *err)
{
    char text[400];
    if (e == LT_OK)
        return;
    lt_error_text(err, LT_EN, text, sizeof text);
    fprintf(stderr, "seal_bench: %s\n", text);
    exit(1);
}

static int64_t number(struct sql_db *db, const char *text)
{
    int64_t v = 0;
    struct lt_error err;
    check(sql_get_i64(db, text, NULL, &v, &err), &err);
    return v;
}

/* Hours above a limit, one after the other back from the newest, outlet by outlet. */
static void raise_all(struct sql_db *db, int64_t now_ms, unsigned n)
{
    struct lt_error err;
    int64_t outlets = number(db, "SELECT count(*) FROM outlet");
    check(sql_begin(db, &err), &err);
    for (unsigned i = 0; i < n; i++) {
        char text[100];
        struct alarm_outcome o;
        snprintf(text, sizeof text, "SELECT id FROM outlet ORDER BY id LIMIT 1 OFFSET %lld", (long long)(i % outlets));
        int64_t outlet = number(db, text), hour = now_ms / LT_HOUR_MS * LT_HOUR_MS - (2 + i / outlets) * LT_HOUR_MS;
        snprintf(text, sizeof text, "SELECT coalesce(min(id), 0) FROM device WHERE outlet = %lld", (long long)outlet);
        const struct alarm_fact f = {.rule = ALARM_R_HOUR_EXCEED,
                                     .rule_version = 1,
                                     .object_kind = ALARM_OUTLET,
                                     .object_id = outlet,
                                     .factor = LT_LIT("a21026"),
                                     .period_at_ms = hour,
                                     .period_ms = LT_HOUR_MS,
                                     .first_at_ms = hour,
                                     .last_at_ms = now_ms,
                                     .count = 1,
                                     .value = 52400000,
                                     .limit_value = 35000000,
                                     .params = LT_LIT("{\"value\":\"52.4\",\"limit\":\"35\"}")};
        check(alarm_raise(db, &f, now_ms, &o, &err), &err);
    }
    check(sql_end(db, LT_OK, &err), &err);
}

int main(int argc, char **argv)
{
    char path[1100];
    struct sql_db *db = NULL;
    struct series *series = NULL;
    struct proof_keys *keys = NULL;
    struct lt_error err;
    unsigned want = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200, n = 0, done = 0;
    if (argc < 2)
        return 2;
    snprintf(path, sizeof path, "%.1000s/state.db", argv[1]);
    const struct series_config sc = {.dir = argv[1], .tz_min = LT_TZ_CHINA};
    check(sql_open(path, false, &db, &err), &err);
    check(series_open(&sc, &series, &err), &err);
    check(proof_setup(db, &err), &err);
    check(proof_keys_open(argv[1], NULL, true, &keys, &err), &err);
    int64_t newest = number(db, "SELECT max(last_at_ms) FROM device"), now = newest + LT_MIN_MS;
    check(
        sql_exec(db, "INSERT OR REPLACE INTO proof_cursor(id, alarm) SELECT 1, coalesce(max(id), 0) FROM alarm", &err),
        &err);
    raise_all(db, now, want);
    const struct proof_sources s = {
        .dir = argv[1], .tz_min = LT_TZ_CHINA, .db = db, .series = series, .keys = keys, .city_zh = "洛阳市"};
    int64_t wall = lt_mono_ms(), cpu = cpu_ms();
    do {
        check(proof_seal_alarms(&s, now, &n, &err), &err);
        done += n;
        printf("%u packages after %lld ms\n", done, (long long)(lt_mono_ms() - wall));
    } while (n > 0 && done < want);
    wall = lt_mono_ms() - wall;
    cpu = cpu_ms() - cpu;
    int64_t bytes = number(db, "SELECT avg(size) FROM (SELECT size FROM evidence ORDER BY id DESC LIMIT 100)");
    printf("%u packages of %lld bytes: %lld ms, %.1f packages/s; processor %.2f ms each\n", done, (long long)bytes,
           (long long)wall, done * 1000.0 / (double)wall, (double)cpu / done);
    proof_keys_close(&keys);
    series_close(&series);
    sql_close(&db);
    return 0;
}
