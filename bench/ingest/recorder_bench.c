/* recorder_bench: frames per second and CPU per frame through the recorder, in one process. Producers are threads with
 * a port each, as the gateway's loops are; frames are made beforehand, only QN and device change, so that what is
 * measured is the recorder.
 *
 *   recorder_bench DIR [--seconds 10] [--ports 4] [--rate 0] [--duplicates 0] [--devices 2000] [--dedup 1]
 *
 * --rate: frames a second over all ports (0: as fast as it goes); --duplicates: percent of frames sent again;
 * --dedup 0: the same bytes as records that are not looked up (SENT), to see what duplicate detection costs. The cost
 * of the hash chain is measured by itself (sha256_us_per_frame): it cannot be switched off.
 * Prints one line of JSON. */
#include <openssl/evp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "recorder/recorder.h"

#define FRAME   501
#define BUCKETS 20000 /* tenths of a millisecond */

struct options {
    const char *dir;
    int64_t seconds, ports, rate, duplicates, devices, dedup;
};

struct producer {
    const struct options *o;
    struct recorder *r;
    unsigned number;
    uint64_t sent, stored, duplicate, failed;
    uint32_t *latency; /* histogram of submit to done */
    double cpu_s;
};

static atomic_bool stop;

static double thread_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void post(void *user)
{
    sem_post(user);
}

/* A frame of FRAME bytes; QN, MN and values are filled in later. */
static void template(char f[FRAME + 1])
{
    int n = snprintf(f, FRAME + 1, "##%04d", FRAME - 10);
    n += snprintf(f + n, FRAME + 1 - (size_t)n,
                  "QN=20260101000000000;ST=31;CN=2011;PW=123456;MN=00000000000000;Flag=5;CP=&&DataTime=20260101000000");
    static const char *const factors[] = {"a21026", "a21002", "a34013", "a19001",
                                          "a01011", "a01012", "a01013", "a00000"};
    for (size_t i = 0; n < FRAME - 60; i++)
        n += snprintf(f + n, FRAME + 1 - (size_t)n, ";%s-Rtd=000.00,%s-Flag=N", factors[i % 8], factors[i % 8]);
    memset(f + n, '0', (size_t)(FRAME - n));
    memcpy(f + FRAME - 6, "&&", 2);
    f[FRAME] = '\0';
}

static size_t value_at[16]; /* where values stand in the template */
static size_t values_n;

static void find_values(const char *f)
{
    for (const char *p = f; values_n < 16 && (p = strstr(p, "-Rtd="));)
        value_at[values_n++] = (size_t)((p += 5) - f);
}

/* New values in every frame, so that compression has as much to do as with real ones. */
static void fill(char *f, struct lt_rand *rand)
{
    for (size_t i = 0; i < values_n; i++) {
        uint64_t v = lt_rand_u64(rand) >> 20;
        for (size_t k = 0; k < 6; k++)
            if (k != 3) {
                f[value_at[i] + k] = (char)('0' + (v & 1023) * 10 / 1024);
                v >>= 8;
            }
    }
}

static void take_back(struct producer *me, struct recorder_block *b, struct recorder_port *p)
{
    size_t n;
    const struct recorder_entry *e = recorder_block_entries(b, &n);
    const int64_t now = lt_mono_us();
    for (size_t i = 0; i < n; i++) {
        me->stored += e[i].result == RECORDER_STORED;
        me->duplicate += e[i].result == RECORDER_DUPLICATE;
        me->failed += e[i].result == RECORDER_FAILED;
        const uint64_t tenths = (uint64_t)(now - (int64_t)e[i].user) / 100;
        me->latency[tenths < BUCKETS ? tenths : BUCKETS - 1]++;
    }
    recorder_port_give(p, b);
}

#define POOL 512

static void *produce(void *arg)
{
    struct producer *me = arg;
    const struct options *o = me->o;
    static _Thread_local char pool[POOL][FRAME + 1];
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct recorder_port *p = recorder_port_create(me->r, post, &sem);
    struct lt_rand rand;
    lt_rand_init(&rand, me->number);
    char stamp[18];
    lt_time_format_compact(lt_wall_ms(), LT_TZ_CHINA, true, stamp);
    for (size_t i = 0; i < POOL; i++) {
        char mn[16];
        template(pool[i]);
        snprintf(mn, sizeof mn, "3501%010u", (unsigned)((i * (size_t)o->ports + me->number) % (size_t)o->devices));
        memcpy(strstr(pool[i], "MN=") + 3, mn, 14);
    }
    const int64_t began = lt_mono_us();
    unsigned under_way = 0;
    uint64_t unique = 0;
    while (!atomic_load(&stop) || under_way) {
        struct recorder_block *b;
        while ((b = recorder_port_done(p))) {
            take_back(me, b, p);
            under_way--;
        }
        if (atomic_load(&stop)) {
            if (under_way)
                sem_wait(&sem);
            continue;
        }
        uint64_t due = 128;
        if (o->rate) {
            const uint64_t should = (uint64_t)(lt_mono_us() - began) * (uint64_t)o->rate / (uint64_t)o->ports / 1000000;
            due = should > me->sent ? should - me->sent : 0;
            due = due > 400 ? 400 : due;
        }
        if (due == 0 || !(b = recorder_port_take(p))) {
            const struct timespec ms = {0, 1000000};
            if (due == 0)
                nanosleep(&ms, NULL);
            else
                sem_wait(&sem);
            continue;
        }
        const int64_t now_ms = lt_wall_ms(), now_us = lt_mono_us();
        lt_time_format_compact(now_ms, LT_TZ_CHINA, true, stamp);
        for (uint64_t i = 0; i < due; i++) {
            char *f = pool[unique % POOL];
            if ((int64_t)lt_rand_below(&rand, 100) >= o->duplicates || me->sent == 0) {
                unique++;
                f = pool[unique % POOL];
                memcpy(f + 9, stamp, 17);
                fill(f, &rand);
                char tag[12]; /* makes it unique within the millisecond, where a value stands */
                snprintf(tag, sizeof tag, "%02u%08llu", me->number, (unsigned long long)unique % 100000000);
                memcpy(f + FRAME - 30, tag, 10);
            }
            struct journal_record r = {.kind = o->dedup ? JOURNAL_FRAME : JOURNAL_SENT,
                                       .at_ms = now_ms,
                                       .conn = (uint32_t)(unique % POOL),
                                       .bytes = {f, FRAME}};
            r.mn = (struct lt_slice){f + 6 + 47, 14};
            if (!recorder_block_add(b, &r, (uint64_t)now_us))
                break;
            me->sent++;
        }
        recorder_port_submit(p, b);
        under_way++;
    }
    me->cpu_s = thread_cpu();
    recorder_port_destroy(&p);
    return NULL;
}

static long rss_kib(void)
{
    long pages = 0, dummy = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &dummy, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static double sha256_us_per_frame(void)
{
    static char body[1 << 20];
    unsigned char hash[32];
    unsigned n = 0;
    const double began = thread_cpu();
    for (; n < 64; n++)
        EVP_Digest(body, sizeof body, hash, NULL, EVP_sha256(), NULL);
    return (thread_cpu() - began) * 1e6 / n / ((double)sizeof body / FRAME);
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.seconds = 10, .ports = 4, .devices = 2000, .dedup = 1};
    const struct {
        const char *name;
        int64_t *to;
    } names[] = {{"--seconds", &o->seconds},       {"--ports", &o->ports},     {"--rate", &o->rate},
                 {"--duplicates", &o->duplicates}, {"--devices", &o->devices}, {"--dedup", &o->dedup}};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            o->dir = argv[i];
            continue;
        }
        size_t k = 0;
        while (k < sizeof names / sizeof *names && strcmp(names[k].name, argv[i]) != 0)
            k++;
        if (k == sizeof names / sizeof *names || i + 1 == argc || !lt_text_to_i64(lt_slice_of(argv[++i]), names[k].to))
            return false;
    }
    return o->dir && o->ports > 0 && o->ports <= 16 && o->devices > 0;
}

static double percentile(const uint32_t *h, uint64_t total, double share)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        sum += h[i];
        if ((double)sum >= share * (double)total)
            return (double)(i + 1) / 10;
    }
    return (double)BUCKETS / 10;
}

int main(int argc, char **argv)
{
    struct options o;
    struct lt_error err;
    if (!parse(argc, argv, &o)) {
        fprintf(
            stderr,
            "usage: recorder_bench DIR [--seconds N] [--ports N] [--rate N] [--duplicates PERCENT] [--devices N]\n");
        return 2;
    }
    const struct recorder_config cfg = {.dir = o.dir, .tz_min = LT_TZ_CHINA};
    struct recorder *r = NULL;
    char sample[FRAME + 1];
    template(sample);
    find_values(sample);
    const int64_t opening = lt_mono_us();
    if (recorder_start(&cfg, &r, &err) != LT_OK) {
        char text[500];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fprintf(stderr, "recorder_bench: %s\n", text);
        return 2;
    }
    const int64_t began = lt_mono_us();
    struct producer producers[16];
    pthread_t threads[16];
    for (unsigned i = 0; i < (unsigned)o.ports; i++) {
        producers[i] = (struct producer){.o = &o, .r = r, .number = i, .latency = calloc(BUCKETS, sizeof(uint32_t))};
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    long rss_early = 0;
    for (int64_t s = 0; s < o.seconds; s++) {
        sleep(1);
        if (s == o.seconds / 5)
            rss_early = rss_kib();
    }
    atomic_store(&stop, true);
    uint64_t stored = 0, duplicate = 0, failed = 0;
    double producers_cpu = 0;
    static uint32_t latency[BUCKETS];
    for (unsigned i = 0; i < (unsigned)o.ports; i++) {
        pthread_join(threads[i], NULL);
        stored += producers[i].stored;
        duplicate += producers[i].duplicate;
        failed += producers[i].failed;
        producers_cpu += producers[i].cpu_s;
        for (size_t k = 0; k < BUCKETS; k++)
            latency[k] += producers[i].latency[k];
        free(producers[i].latency);
    }
    const double wall = (double)(lt_mono_us() - began) / 1e6;
    const uint64_t all = stored + duplicate + failed;
    struct recorder_stats st;
    recorder_stats(r, &st);
    const long rss_late = rss_kib();
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    const double cpu =
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    recorder_stop(&r);
    printf("{\"frames_s\":%.0f,\"stored\":%llu,\"duplicate\":%llu,\"failed\":%llu,\"seconds\":%.1f,\"recorder_cpu_us_"
           "per_frame\":%.2f,"
           "\"commits\":%llu,\"commit_ms_mean\":%.2f,\"commit_ms_max\":%.1f,\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"p999_"
           "ms\":%.1f,"
           "\"rss_early_kib\":%ld,\"rss_late_kib\":%ld,\"bloom_kib\":%llu,\"runs\":%llu,\"open_ms\":%.0f,\"sha256_us_"
           "per_frame\":%.2f}\n",
           (double)all / wall, (unsigned long long)stored, (unsigned long long)duplicate, (unsigned long long)failed,
           wall, (cpu - producers_cpu) * 1e6 / (double)(all ? all : 1), (unsigned long long)st.commits,
           (double)st.commit_us_total / 1e3 / (double)(st.commits ? st.commits : 1), (double)st.commit_us_max / 1e3,
           percentile(latency, all, 0.5), percentile(latency, all, 0.99), percentile(latency, all, 0.999), rss_early,
           rss_late, (unsigned long long)st.index_bloom_bytes / 1024, (unsigned long long)st.index_runs,
           (double)(began - opening) / 1e3, sha256_us_per_frame());
    return failed ? 1 : 0;
}
