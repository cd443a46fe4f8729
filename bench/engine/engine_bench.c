/* How many frames a second one core of the engine takes, with all rules on: frames of the benchmark form (2011, 10
 * factors, 25 pairs, about 490 bytes) of many devices, read from journal batches in memory. Then the same journal from
 * the disk once more as a replay, compared with what the engine stored, and how much of it is reading alone.
 *
 * usage: engine_bench [devices] [frames per device]   (default 2000 240: two hours of them)
 *        engine_bench replay DIR [times]                 the replay of what such a run left in DIR, nothing else */
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/rand.h"
#include "engine/engine.h"
#include "hj212/hj212.h"
#include "record/record.h"
#include "replay/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define T0    INT64_C(1795881600000)
#define BATCH 2000

static void must(enum lt_err e, const char *what)
{
    if (e != LT_OK) {
        fprintf(stderr, "%s: %s\n", what, lt_err_name(e));
        exit(1);
    }
}

static void register_devices(const char *dir, unsigned devices)
{
    char path[200], mn[32], code[32];
    snprintf(path, sizeof path, "%s/state.db", dir);
    struct sql_db *db;
    must(sql_open(path, false, &db, NULL), "state.db");
    must(record_setup(db, NULL), "records");
    must(alarm_setup(db, T0, NULL), "alarms");
    struct auth_ctx who = auth_system("bench");
    struct record_ctx x = {.db = db, .who = &who, .now_ms = T0, .tz_min = LT_TZ_CHINA};
    must(sql_begin(db, NULL), "begin");
    int64_t territory, enterprise, outlet, id;
    struct record_set t[] = {RECORD_SET_Z("code", "410300"), RECORD_SET_Z("name", "City"),
                             RECORD_SET_Z("level", "city")};
    must(record_insert(&x, record_kind_find(LT_LIT("territory")), t, 3, &territory, NULL), "territory");
    struct record_set p[] = {RECORD_SET_Z("code", "91410300MA44ABCD1X"), RECORD_SET_Z("name", "Plant"),
                             RECORD_SET_Z("industry", "steel"), RECORD_SET_I("territory", territory)};
    must(record_insert(&x, record_kind_find(LT_LIT("enterprise")), p, 4, &enterprise, NULL), "enterprise");
    for (unsigned d = 0; d < devices; d++) {
        snprintf(code, sizeof code, "DA%06u", d);
        snprintf(mn, sizeof mn, "010000A8900016F000%06u", d);
        struct record_set o[] = {RECORD_SET_Z("code", code), RECORD_SET_Z("name", code),
                                 RECORD_SET_I("enterprise", enterprise), RECORD_SET_I("convert", 1),
                                 RECORD_SET_I("o2_ref", 6000000)};
        must(record_insert(&x, record_kind_find(LT_LIT("outlet")), o, 5, &outlet, NULL), "outlet");
        struct record_set v[] = {RECORD_SET_Z("mn", mn), RECORD_SET_I("outlet", outlet),
                                 RECORD_SET_Z("status", "active")};
        must(record_insert(&x, record_kind_find(LT_LIT("device")), v, 3, &id, NULL), "device");
        struct record_set l[] = {RECORD_SET_I("outlet", outlet),        RECORD_SET_Z("factor", "a21026"),
                                 RECORD_SET_Z("period", "hour"),        RECORD_SET_Z("basis", "converted"),
                                 RECORD_SET_I("limit_value", 35000000), RECORD_SET_I("valid_from", T0 - LT_DAY_MS)};
        must(record_insert(&x, record_kind_find(LT_LIT("factor_limit")), l, 6, &id, NULL), "limit");
    }
    must(sql_commit(db, NULL), "commit");
    sql_close(&db);
}

static size_t make_frame(char *ret, size_t cap, const char *mn, int64_t at_ms, struct lt_rand *r)
{
    static const struct {
        const char *code;
        unsigned low, span, decimals;
        bool zs;
    } f[] = {{"a34013", 3, 5, 2, true},   {"a21026", 12, 9, 2, true}, {"a21002", 28, 9, 2, true},
             {"a21005", 4, 3, 3, true},   {"a19001", 8, 3, 1, false}, {"a01011", 11, 2, 2, false},
             {"a01012", 78, 3, 1, false}, {"a01013", 1, 1, 3, false}, {"a01014", 9, 2, 1, false},
             {"a00000", 42, 5, 1, false}};
    char area[1000], t[18], qn[18];
    lt_time_format_compact(at_ms, LT_TZ_CHINA, false, t);
    lt_time_format_compact(at_ms + 100, LT_TZ_CHINA, true, qn);
    int n = snprintf(area, sizeof area, "DataTime=%s", t);
    for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) {
        unsigned whole = f[i].low + (unsigned)lt_rand_below(r, f[i].span), frac = 1;
        for (unsigned d = 0; d < f[i].decimals; d++) {
            frac *= 10;
        }
        unsigned part = (unsigned)lt_rand_below(r, frac);
        n += snprintf(area + n, sizeof area - (size_t)n, ";%s-Rtd=%u.%0*u", f[i].code, whole, (int)f[i].decimals, part);
        if (f[i].zs) {
            n += snprintf(area + n, sizeof area - (size_t)n, ",%s-ZsRtd=%u.%0*u", f[i].code, whole * 5 / 4 + 1,
                          (int)f[i].decimals, part);
        }
        n += snprintf(area + n, sizeof area - (size_t)n, ",%s-Flag=N", f[i].code);
    }
    struct hj212_head h = {.qn = lt_slice_of(qn),
                           .pw = LT_LIT("123456"),
                           .mn = lt_slice_of(mn),
                           .st = 31,
                           .cn = 2011,
                           .edition = HJ212_2017,
                           .answer = true};
    return hj212_build(&h, (struct lt_slice){area, (size_t)n}, ret, cap) - 2;
}

/* Returns the batches, held in memory. */
static struct journal_batch **make_journal(const char *dir, unsigned devices, unsigned per, size_t *ret_n,
                                           uint64_t *bytes)
{
    struct journal *j;
    must(journal_open(dir, LT_TZ_CHINA, &j, NULL), "journal");
    struct lt_rand r;
    lt_rand_init(&r, 1);
    size_t in_batch = 0, n_batches = 0;
    int64_t at = T0;
    for (unsigned i = 0; i < per; i++) {
        for (unsigned d = 0; d < devices; d++) {
            char mn[32], text[1200];
            snprintf(mn, sizeof mn, "010000A8900016F000%06u", d);
            int64_t data = T0 + i * 30000 + d % 30 * 1000;
            at = T0 + i * 30000 + (int64_t)d * 30000 / devices + 1000;
            size_t n = make_frame(text, sizeof text, mn, data, &r);
            struct journal_record rec = {
                .at_ms = at, .kind = JOURNAL_FRAME, .conn = d + 1, .mn = lt_slice_of(mn), .bytes = {text, n}};
            if (!journal_add(j, &rec)) {
                must(LT_E_LIMIT, "journal_add");
            }
            *bytes += n;
            if (++in_batch == BATCH) {
                must(journal_commit(j, at, NULL), "journal_commit");
                in_batch = 0;
                n_batches++;
            }
        }
    }
    must(journal_commit(j, at, NULL), "journal_commit");
    uint64_t last = journal_last_seq(j);
    journal_close(&j);
    struct journal_reader *rd;
    must(journal_reader_open(dir, &rd, NULL), "reader");
    struct journal_batch **list = calloc(n_batches + 2, sizeof(struct journal_batch *));
    for (uint64_t seq = 1; list && seq <= last;) {
        must(journal_reader_next(rd, seq, &list[*ret_n], NULL), "read");
        seq = list[*ret_n]->first_seq + list[*ret_n]->count;
        (*ret_n)++;
    }
    journal_reader_close(&rd);
    return list;
}

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double kernel_now(void)
{
    struct rusage u;
    getrusage(RUSAGE_THREAD, &u);
    return (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static void read_alone(const char *dir, uint64_t frames)
{
    struct journal_reader *rd;
    struct journal_batch *b = NULL;
    uint64_t seq = 1, sum = 0;
    double c0 = cpu_now();
    must(journal_reader_open(dir, &rd, NULL), "reader");
    while (journal_reader_next(rd, seq, &b, NULL) == LT_OK) {
        struct journal_record r;
        for (size_t pos = 0; journal_batch_next(b, &pos, &r);) {
            sum += r.bytes.n;
        }
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    journal_reader_close(&rd);
    printf("reading the journal alone (%llu bytes): %.2f us a frame\n", (unsigned long long)sum,
           (cpu_now() - c0) * 1e6 / (double)frames);
}

static void replay_it(const char *dir)
{
    char scratch[100];
    snprintf(scratch, sizeof scratch, "%s/scratch", dir);
    struct replay_config rc = {
        .dir = dir, .scratch = scratch, .tz_min = LT_TZ_CHINA, .day_from = 20261129, .day_to = 20261129};
    struct replay *r;
    double c0 = cpu_now(), k0 = kernel_now();
    must(replay_run(&rc, &r, NULL), "replay");
    double cpu = cpu_now() - c0, kernel = kernel_now() - k0;
    const struct replay_result *s = replay_result(r);
    printf(
        "replay: cpu %.3f s (kernel %.3f), wall %.3f s: %.0f frames/s of cpu; %llu hours compared, %llu differences\n",
        cpu, kernel, s->seconds, (double)s->frames / cpu, (unsigned long long)s->hours,
        (unsigned long long)s->differences);
    replay_free(&r);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "replay") == 0) {
        for (unsigned long i = argc > 3 ? strtoul(argv[3], NULL, 10) : 1; i > 0; i--) {
            replay_it(argv[2]);
        }
        return 0;
    }
    unsigned devices = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
    unsigned per = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 240;
    char dir[64];
    snprintf(dir, sizeof dir, "%s/lt-bench-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(dir)) {
        return 1;
    }
    register_devices(dir, devices);
    size_t n = 0;
    uint64_t bytes = 0;
    struct journal_batch **b = make_journal(dir, devices, per, &n, &bytes);
    struct series_config sc = {.dir = dir, .tz_min = LT_TZ_CHINA, .cache_bytes = (size_t)4 << 30};
    struct series *s;
    must(series_open(&sc, &s, NULL), "series");
    struct engine_config ec = {.dir = dir, .series = s, .tz_min = LT_TZ_CHINA, .series_cache_bytes = (size_t)4 << 30};
    struct engine *e;
    must(engine_open(&ec, &e, NULL), "engine");
    struct timespec c0, c1;
    int64_t t0 = lt_mono_us();
    double k0 = kernel_now();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &c0);
    for (size_t i = 0; i < n; i++) {
        must(engine_apply(e, b[i], NULL), "apply");
        must(engine_commit(e, NULL), "commit");
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &c1);
    double wall = (double)(lt_mono_us() - t0) / 1e6, kernel = kernel_now() - k0;
    double cpu = (double)(c1.tv_sec - c0.tv_sec) + (double)(c1.tv_nsec - c0.tv_nsec) / 1e9;
    struct engine_stats st;
    engine_stats(e, &st);
    int64_t f0 = lt_mono_us();
    must(engine_checkpoint(e, NULL), "checkpoint");
    printf("devices %u, frames %llu (%llu bytes each), bad %llu, alarms %llu\n", devices, (unsigned long long)st.frames,
           (unsigned long long)(bytes / st.frames), (unsigned long long)st.bad_items,
           (unsigned long long)st.alarms_raised);
    printf("cpu %.3f s (kernel %.3f), wall %.3f s: %.0f frames/s of cpu, %.2f us a frame; checkpoint %.3f s; series "
           "cache %.1f MB\n",
           cpu, kernel, wall, (double)st.frames / cpu, cpu * 1e6 / (double)st.frames, (double)(lt_mono_us() - f0) / 1e6,
           (double)series_cache_bytes(s) / 1e6);
    for (size_t i = 0; i < n; i++) {
        journal_batch_unref(&b[i]);
    }
    free(b);
    engine_close(&e);
    series_close(&s);
    read_alone(dir, st.frames);
    replay_it(dir);
    printf("data left in %s\n", dir);
    return 0;
}
