/* How long it takes to seal and to check a journal: made here (records of the usual size, batches of the usual size),
 * sealed, checked; then one inclusion proof. usage: bench_verify [RECORDS [THREADS]]. Prints records a second of wall
 * and processor time, and what ten million would take at that rate. */
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "journal/journal.h"
#include "proof/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum lt_err make(const char *dir, uint64_t records, int64_t day_ms, struct lt_error *err)
{
    struct journal *j = NULL;
    struct lt_rand r;
    char frame[700];
    lt_rand_init(&r, 1);
    enum lt_err e = journal_open(dir, LT_TZ_CHINA, &j, err);
    for (uint64_t i = 0; e == LT_OK && i < records; i++) {
        int n = snprintf(frame, sizeof frame,
                         "##0489QN=20240601085857223;ST=31;CN=2011;PW=123456;MN=010000A8900016F0001%05u;Flag=5;CP=&&",
                         (unsigned)(i % 2000));
        for (int k = 0; k < 9 && n > 0; k++)
            n += snprintf(frame + n, sizeof frame - (size_t)n,
                          "a2100%d-Rtd=%u.%02u,a2100%d-ZsRtd=%u.%02u,a2100%d-Flag=N;", k,
                          (unsigned)lt_rand_below(&r, 90), (unsigned)lt_rand_below(&r, 100), k,
                          (unsigned)lt_rand_below(&r, 90), (unsigned)lt_rand_below(&r, 100), k);
        const struct journal_record rec = {.at_ms = day_ms + (int64_t)(i / 1000),
                                           .conn = (uint32_t)(i % 2000),
                                           .kind = JOURNAL_FRAME,
                                           .mn = {frame + 57, 24},
                                           .bytes = {frame, (size_t)n}};
        if (journal_add(j, &rec) == 0)
            e = lt_fail(err, LT_E_LIMIT, NULL, "batch", "", NULL);
        if (i % 1000 == 999 && e == LT_OK)
            e = journal_commit(j, day_ms + (int64_t)(i / 1000), err);
    }
    const struct journal_record tick = {.at_ms = day_ms + LT_DAY_MS, .kind = JOURNAL_TICK};
    if (e == LT_OK)
        e = journal_commit(j, day_ms + LT_DAY_MS - 1, err);
    if (e == LT_OK && journal_add(j, &tick))
        e = journal_commit(j, day_ms + LT_DAY_MS, err);
    journal_close(&j);
    return e;
}

static void report(const char *what, uint64_t records, double wall, double cpu)
{
    printf("%s: %.1f s, %.0f records/s; processor %.1f s, %.2f us a record; ten million: %.0f s at this rate, %.0f s "
           "of processor "
           "time\n",
           what, wall, (double)records / wall, cpu, cpu * 1e6 / (double)records, 1e7 * wall / (double)records,
           1e7 * cpu / (double)records);
}

static enum lt_err measure(const char *dir, struct sql_db *db, uint64_t records, unsigned threads, int64_t day_ms,
                           struct lt_error *err)
{
    struct proof_keys *keys = NULL;
    struct chain_day d;
    struct proof_checked r;
    enum lt_err e = proof_keys_open(dir, NULL, true, &keys, err);
    const struct proof_sealer s = {
        .dir = dir, .tz_min = LT_TZ_CHINA, .db = db, .keys = keys, .threads = threads, .engine_seq = UINT64_MAX};
    double c0 = cpu_s();
    int64_t t0 = lt_mono_ms();
    if (e == LT_OK)
        e = proof_seal(&s, day_ms + LT_DAY_MS + 1, false, &d, err);
    report("seal", records, (double)(lt_mono_ms() - t0) / 1000, cpu_s() - c0);
    const struct proof_check c = {.dir = dir, .threads = threads};
    c0 = cpu_s();
    t0 = lt_mono_ms();
    if (e == LT_OK)
        e = proof_check_data(&c, &r, err);
    report("verify", records, (double)(lt_mono_ms() - t0) / 1000, cpu_s() - c0);
    if (e == LT_OK && r.findings)
        e = lt_fail(err, LT_E_CORRUPT, NULL, "bench", "findings", NULL);
    int64_t us = lt_mono_us();
    c0 = cpu_s();
    for (int i = 0; e == LT_OK && i < 50; i++) {
        struct lt_buf out = LT_BUF_INIT(1 << 20);
        struct jsonw w;
        jsonw_init(&w, &out);
        e = proof_inclusion(dir, NULL, CHAIN_JOURNAL, 1 + records / 50 * (uint64_t)i, &w, err);
        lt_buf_fini(&out);
    }
    printf("inclusion proof: %.2f ms, of that %.2f ms of processor time\n", (double)(lt_mono_us() - us) / 50000,
           (cpu_s() - c0) * 1000 / 50);
    proof_keys_close(&keys);
    return e;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/bench_verify_XXXXXX", path[64];
    uint64_t records = 1000000, threads = 2;
    int64_t day_ms = 0;
    struct sql_db *db = NULL;
    struct lt_error err;
    if ((argc > 1 && !lt_text_to_u64(lt_slice_of(argv[1]), &records)) ||
        (argc > 2 && !lt_text_to_u64(lt_slice_of(argv[2]), &threads)) || !mkdtemp(dir) ||
        !lt_day_number_start(20261120, LT_TZ_CHINA, &day_ms))
        return 2;
    snprintf(path, sizeof path, "%s/state.db", dir);
    enum lt_err e = sql_open(path, false, &db, &err);
    if (e == LT_OK)
        e = record_setup(db, &err);
    if (e == LT_OK)
        e = alarm_setup(db, day_ms, &err);
    if (e == LT_OK)
        e = proof_setup(db, &err);
    double c0 = cpu_s();
    int64_t t0 = lt_mono_ms();
    if (e == LT_OK)
        e = make(dir, records, day_ms, &err);
    report("make (encode, compress, live chain, commit)", records, (double)(lt_mono_ms() - t0) / 1000, cpu_s() - c0);
    if (e == LT_OK)
        e = measure(dir, db, records, (unsigned)threads, day_ms, &err);
    sql_close(&db);
    if (e != LT_OK) {
        char text[512];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fprintf(stderr, "bench_verify: %s\n", text);
    }
    printf("made in %s: remove it\n", dir);
    return e != LT_OK;
}
