/* How fast a frame is parsed: CRC, header, every item split, every number converted to integer and decimals, again and
 * again from memory on one core. Prints frames and bytes a second, the ratio to memcpy of the same bytes in the same
 * run, and to the plain byte-wise walker. Pin it: taskset -c 1 bench_parse. Median of five runs. */
#include "hj212/hj212_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 5

/* The two frames every implementation of this protocol was timed with: real-time data of a stack (10 factors, 25
 * pairs), hour data (8 factors, 45 pairs). */
static const char *const frames[2] = {
    "##0489QN=20240601085857223;ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime="
    "20240601085857;"
    "a34013-Rtd=3.21,a34013-ZsRtd=4.05,a34013-Flag=N;a21026-Rtd=12.35,a21026-ZsRtd=15.60,a21026-Flag=N;"
    "a21002-Rtd=28.74,a21002-ZsRtd=36.29,a21002-Flag=N;a21005-Rtd=4.511,a21005-ZsRtd=5.697,a21005-Flag=N;"
    "a19001-Rtd=8.9,a19001-Flag=N;a01011-Rtd=11.42,a01011-Flag=N;a01012-Rtd=78.4,a01012-Flag=N;"
    "a01013-Rtd=-0.152,a01013-Flag=N;a01014-Rtd=9.8,a01014-Flag=N;a00000-Rtd=42.6,a00000-Flag=N&&5F00",
    "##0852QN=20240601090000001;ST=31;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime="
    "20240601080000;"
    "a34013-Cou=1.284,a34013-Min=10.11,a34013-Avg=12.35,a34013-Max=15.60,a34013-ZsMin=12.77,a34013-ZsAvg=15.60,"
    "a34013-ZsMax=19.70,a34013-Flag=N;a21026-Cou=1.284,a21026-Min=10.11,a21026-Avg=12.35,a21026-Max=15.60,"
    "a21026-ZsMin=12.77,a21026-ZsAvg=15.60,a21026-ZsMax=19.70,a21026-Flag=N;a21002-Cou=1.284,a21002-Min=10.11,"
    "a21002-Avg=12.35,a21002-Max=15.60,a21002-ZsMin=12.77,a21002-ZsAvg=15.60,a21002-ZsMax=19.70,a21002-Flag=N;"
    "a19001-Min=10.11,a19001-Avg=12.35,a19001-Max=15.60,a19001-Flag=N;a01011-Min=10.11,a01011-Avg=12.35,"
    "a01011-Max=15.60,a01011-Flag=N;a01012-Min=10.11,a01012-Avg=12.35,a01012-Max=15.60,a01012-Flag=N;"
    "a01013-Min=10.11,a01013-Avg=12.35,a01013-Max=15.60,a01013-Flag=N;a01014-Min=10.11,a01014-Avg=12.35,"
    "a01014-Max=15.60,a01014-Flag=N&&B041",
};

/* Set by the work, so that none of it can be left out. */
static volatile uint64_t sink;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void parse(struct lt_slice raw, enum hj212_level level)
{
    static struct hj212_item items[HJ212_ITEMS_MAX];
    struct hj212_frame f;
    size_t n = 0;
    if (hj212_parse(raw, 0, &f) != HJ212_E_OK ||
        hj212_items_by(level, f.cp, 0, items, HJ212_ITEMS_MAX, &n, NULL, NULL) != HJ212_E_OK)
        abort();
    sink += n + (uint64_t)items[n / 2].number;
}

static void copy(struct lt_slice raw)
{
    static char to[HJ212_FRAME_MAX];
    memcpy(to, raw.p, raw.n);
    __asm__ volatile("" : : "r"(to) : "memory"); /* the copy must happen each time */
}

/* level HJ212_LEVELS: memcpy. Returns times a second. */
static double rate(struct lt_slice raw, enum hj212_level level, double seconds)
{
    const uint64_t start = cpu_ns(), until = start + (uint64_t)(seconds * 1e9);
    uint64_t n = 0, now;
    do {
        for (int i = 0; i < 1000; i++, n++)
            if (level == HJ212_LEVELS)
                copy(raw);
            else
                parse(raw, level);
        now = cpu_ns();
    } while (now < until);
    return (double)n * 1e9 / (double)(now - start);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct lt_slice raw, enum hj212_level level, double seconds)
{
    double r[RUNS];
    rate(raw, level, seconds / 2); /* warm-up */
    for (int i = 0; i < RUNS; i++)
        r[i] = rate(raw, level, seconds);
    qsort(r, RUNS, sizeof r[0], by_size);
    return r[RUNS / 2];
}

static void bench(struct lt_slice raw, double goal, double seconds)
{
    static const char *const names[HJ212_LEVELS] = {"plain", "sse2", "avx2", "avx512"};
    const double mem = median(raw, HJ212_LEVELS, seconds), size = (double)raw.n;
    double plain = 0;
    printf("frame of %zu bytes; memcpy of it: %.2f GB/s; goal %.1f million/s\n", raw.n, mem * size / 1e9, goal / 1e6);
    for (int l = HJ212_SCALAR; l <= (int)hj212_level_best(); l++) {
        double r = median(raw, (enum hj212_level)l, seconds);
        plain = l == HJ212_SCALAR ? r : plain;
        printf("  %-7s %9.0f frames/s  %6.0f MB/s  %6.4f of memcpy  %5.2f x plain%s\n", names[l], r, r * size / 1e6,
               r / mem, r / plain,
               l == (int)hj212_level_best() ? r >= goal ? "  goal reached" : "  goal NOT reached" : "");
    }
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    bench(lt_slice_of(frames[0]), 5e6, seconds);
    bench(lt_slice_of(frames[1]), 2.5e6, seconds);
    return 0;
}
