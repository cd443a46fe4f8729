/* The whole job on generated hours in memory: every station and city, every month and year, and the AQI of every hour.
 *
 * usage: airq_bench [STATIONS [YEARS [CITIES [THREADS [stepwise|final]]]]]      default 1500 10 339 2 stepwise
 *        airq_bench --csv STATIONS YEARS      writes the hours of so many stations as CSV, for other systems
 *        airq_bench --raw STATIONS YEARS      the same as the columns below
 *        airq_bench --figures STATIONS YEARS CITIES      prints annual figures of each city, to compare with theirs
 *
 * Format of the hours: per station and pollutant a column of uint16, one value an hour, 0.1 µg/m3 (CO 0.01 mg/m3),
 * 65535 missing (about 2 %): 12 bytes a station-hour, 1.58 GB for 131 million. Whole µg/m3, CO 0.1, like published
 * ones. */
#include "airq/airq_batch.h"
#include "base/clock.h"
#include "base/rand.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { FIRST_YEAR = 2013 };

struct bench {
    size_t stations, years, cities, days, hours;
    int threads;
    enum airq_rounding rounding;
    uint16_t *step;             /* [station][pollutant][hour] */
    int32_t first;              /* day since 1970-01-01 */
    size_t *month_at, *year_at; /* first day of each month and year, and the end */
    size_t months;
    const struct airq_standard *standard;
    const struct airq_table *table;
    atomic_size_t next;
    _Atomic uint64_t sum, periods, days_done;
    bool print;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint16_t *column_of(const struct bench *b, size_t station, int p)
{
    return b->step + (station * AIRQ_POLLUTANTS + (size_t)p) * b->hours;
}

/* ---- generation ---- */

/* Mean, seasonal and daily swing in per cent by pollutant: SO2 NO2 CO PM10 PM25 O3. */
static const int mean_of[] = {14, 38, 9, 85, 45, 62}, winter[] = {60, 30, 40, 35, 50, -55},
                 night[] = {10, 30, 20, 10, 10, -60};

static void generate(const struct bench *b, size_t station)
{
    static const int day_shape[24] = {60,  70,  80,   90,  95,  90,  75,  50, 20, -10, -40, -65,
                                      -85, -95, -100, -95, -80, -55, -25, 0,  15, 30,  40,  50};
    struct lt_rand r;
    lt_rand_init(&r, 7000 + station);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        uint16_t *v = column_of(b, station, p);
        int64_t weather = 100;
        for (size_t h = 0; h < b->hours; h++) {
            const uint64_t x = lt_rand_u64(&r);
            if (h % 12 == 0)
                weather = (weather * 2 + 20 + (int64_t)(x >> 40) % 80 + ((x >> 32) % 20 == 0 ? 400 : 0)) / 3;
            const int64_t day = (int64_t)(h / 24 % 365),
                          season = day < 183 ? 100 - day * 200 / 183 : day * 200 / 183 - 300;
            int64_t c = mean_of[p] * weather * (100 + winter[p] * season / 100) / 100;
            c = c * (100 + night[p] * day_shape[h % 24] / 100) * (80 + (int64_t)(x % 41)) / 1000000;
            v[h] = x >> 58 == 0 ? AIRQ_STEP_NONE : (uint16_t)(10 * (c < 0 ? 0 : c > 900 ? 900 : c));
        }
    }
}

/* ---- the work of a thread ---- */

struct worker {
    struct bench *b;
    struct airq_day *day;
    struct airq_city *city;
    lt_i128 *work;
    uint64_t sum, periods;
};

static void period_of(struct worker *w, size_t from, size_t to, struct airq_period *ret)
{
    airq_period(w->b->standard, w->b->rounding, w->day + from, to - from, w->work, ret);
    w->periods++;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        w->sum += (uint64_t)(ret->item[p].mean + ret->item[p].percentile + ret->item[p].exceed_days);
    w->sum += (uint64_t)(ret->composite + ret->days_good + ret->good_share_pct);
}

static void print_year(const struct bench *b, size_t city, size_t year, const struct airq_period *x)
{
    char z[4][32];
    lt_fix_format(x->item[AIRQ_PM25].mean, 1, z[0]);
    lt_fix_format(x->item[AIRQ_O3].percentile, 0, z[1]);
    lt_fix_format(x->item[AIRQ_CO].percentile, 1, z[2]);
    lt_fix_format(x->composite, 2, z[3]);
    printf("%zu,%zu,%s,%s,%s,%s,%d,%d\n", city, FIRST_YEAR + year, z[0], z[1], z[2], z[3], x->days_good, x->days_valid);
}

static void periods_of(struct worker *w, bool print, size_t city)
{
    const struct bench *b = w->b;
    struct airq_period x;
    for (size_t m = 0; m < b->months; m++)
        period_of(w, b->month_at[m], b->month_at[m + 1], &x);
    for (size_t y = 0; y < b->years; y++) {
        period_of(w, b->year_at[y], b->year_at[y + 1], &x);
        if (print)
            print_year(b, city, y, &x);
    }
}

static void one_city(struct worker *w, size_t city)
{
    const struct bench *b = w->b;
    const size_t from = city * b->stations / b->cities, to = (city + 1) * b->stations / b->cities;
    memset(w->city, 0, b->days * sizeof *w->city);
    for (size_t s = from; s < to; s++) {
        const uint16_t *column[AIRQ_POLLUTANTS];
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            column[p] = column_of(b, s, p);
        airq_days_batch(b->standard, b->rounding, column, b->days, w->day);
        for (size_t d = 0; d < b->days; d++)
            airq_city_add(&w->city[d], &w->day[d]);
        periods_of(w, false, 0);
    }
    for (size_t d = 0; d < b->days; d++)
        airq_city_day(b->standard, b->rounding, &w->city[d], (uint32_t)(to - from), &w->day[d]);
    periods_of(w, b->print, city);
}

static void *assess_thread(void *arg)
{
    struct bench *b = arg;
    struct worker w = {.b = b,
                       .day = calloc(b->days, sizeof *w.day),
                       .city = calloc(b->days, sizeof *w.city),
                       .work = calloc(b->days, sizeof *w.work)};
    if (!w.day || !w.city || !w.work)
        abort();
    for (size_t i; (i = atomic_fetch_add(&b->next, 1)) < b->cities;)
        one_city(&w, i);
    atomic_fetch_add(&b->sum, w.sum);
    atomic_fetch_add(&b->periods, w.periods);
    free(w.day);
    free(w.city);
    free(w.work);
    return NULL;
}

static void *index_thread(void *arg)
{
    struct bench *b = arg;
    enum { PART = 8192 };
    static _Thread_local uint16_t aqi[PART];
    static _Thread_local uint8_t primary[PART];
    uint64_t sum = 0;
    for (size_t s; (s = atomic_fetch_add(&b->next, 1)) < b->stations;)
        for (size_t h = 0; h < b->hours; h += PART) {
            const size_t n = b->hours - h < PART ? b->hours - h : PART;
            struct airq_columns in = {.so2_24h = NULL, .o3_1h = NULL};
            for (int p = 0; p < AIRQ_POLLUTANTS; p++)
                in.conc[p] = column_of(b, s, p) + h;
            airq_index_batch(b->table, &in, n, aqi, primary);
            sum += aqi[n / 2] + primary[n / 3];
        }
    atomic_fetch_add(&b->sum, sum);
    return NULL;
}

/* The same hours by the plain functions, a struct each: what the batch is compared with. */
static void *plain_thread(void *arg)
{
    struct bench *b = arg;
    const struct airq_scale *scale = airq_standard_scale(b->standard);
    uint64_t sum = 0;
    for (size_t s; (s = atomic_fetch_add(&b->next, 1)) < b->stations && s < 40;)
        for (size_t h = 0; h < b->hours; h++) {
            struct airq_input in = {.so2_24h = AIRQ_NONE, .o3_1h = AIRQ_NONE};
            struct airq_result x;
            for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
                const uint16_t v = column_of(b, s, p)[h];
                in.conc[p] = v == AIRQ_STEP_NONE ? AIRQ_NONE : v * airq_step((enum airq_pollutant)p);
            }
            airq_index(scale, AIRQ_HOUR, &in, &x);
            sum += (uint64_t)(x.aqi + 1) + x.primary;
        }
    atomic_fetch_add(&b->sum, sum);
    return NULL;
}

static void *generate_thread(void *arg)
{
    struct bench *b = arg;
    for (size_t s; (s = atomic_fetch_add(&b->next, 1)) < b->stations;)
        generate(b, s);
    return NULL;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double run(struct bench *b, void *(*work)(void *), int threads)
{
    pthread_t t[64];
    const double from = now_s();
    atomic_store(&b->next, 0);
    atomic_store(&b->sum, 0);
    atomic_store(&b->periods, 0);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, work, b))
            abort();
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    return now_s() - from;
}

/* ---- main ---- */

static void calendar(struct bench *b)
{
    const struct lt_civil start = {.year = FIRST_YEAR, .month = 1, .day = 1},
                          end = {.year = FIRST_YEAR + (int)b->years, .month = 1, .day = 1};
    int64_t from, to;
    if (!lt_civil_to_ms(&start, 0, &from) || !lt_civil_to_ms(&end, 0, &to))
        abort();
    b->first = (int32_t)(from / LT_DAY_MS);
    b->days = (size_t)((to - from) / LT_DAY_MS);
    b->hours = b->days * 24;
    b->month_at = calloc(b->years * 12 + 1, sizeof *b->month_at);
    b->year_at = calloc(b->years + 1, sizeof *b->year_at);
    if (!b->month_at || !b->year_at)
        abort();
    size_t years = 0;
    for (size_t d = 0; d <= b->days; d++) {
        const struct lt_civil c = lt_civil_of((b->first + (int64_t)d) * LT_DAY_MS, 0);
        if (c.day == 1)
            b->month_at[b->months++] = d;
        if (c.day == 1 && c.month == 1)
            b->year_at[years++] = d;
    }
    b->months--;
}

static void cell(char sep, uint16_t v, int p)
{
    if (v == AIRQ_STEP_NONE)
        printf("%c", sep);
    else if (p == AIRQ_CO)
        printf("%c%u.%02u", sep, v / 100u, v % 100u);
    else
        printf("%c%u", sep, v / 10u);
}

static void write_csv(const struct bench *b)
{
    static const int order[] = {AIRQ_PM25, AIRQ_PM10, AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_O3};
    puts("time,station,PM25,PM10,SO2,NO2,CO,O3");
    for (size_t s = 0; s < b->stations; s++)
        for (size_t h = 0; h < b->hours; h++) {
            const struct lt_civil c = lt_civil_of((b->first + (int64_t)(h / 24)) * LT_DAY_MS, 0);
            printf("%04d-%02d-%02d %02zu:00,%zu", c.year, c.month, c.day, h % 24, s);
            for (int i = 0; i < AIRQ_POLLUTANTS; i++)
                cell(',', column_of(b, s, order[i])[h], order[i]);
            putchar('\n');
        }
}

static void report(struct bench *b)
{
    const double n = (double)b->stations * (double)b->hours / 1e6;
    struct rusage u;
    for (int threads = 1; threads <= b->threads; threads++) {
        double best = 1e9, cpu = 1e9;
        for (int i = 0; i < 3; i++) {
            const double before = cpu_s(), t = run(b, index_thread, threads), used = cpu_s() - before;
            best = t < best ? t : best;
            cpu = used < cpu ? used : cpu;
        }
        printf(
            "AQI of every hour, %d thread%s: %.3f s, %.0f million station-hours/s; CPU %.3f s, %.0f million a second "
            "of CPU (sum %llu)\n",
            threads, threads > 1 ? "s" : "", best, n / best, cpu, n / cpu, (unsigned long long)b->sum);
    }
    const double plain = run(b, plain_thread, 1), few = b->stations < 40 ? n : 40 * (double)b->hours / 1e6;
    printf("the same, airq_index() hour by hour, 1 thread, %.1f million: %.1f million station-hours/s\n", few,
           few / plain);
    for (int threads = 1; threads <= b->threads; threads++) {
        const double before = cpu_s(), t = run(b, assess_thread, threads), cpu = cpu_s() - before;
        printf("all stations and cities, every month and year, %d thread%s: %.2f s, CPU %.2f s, %.1f million "
               "station-hours/s, %llu periods (sum %016llx)\n",
               threads, threads > 1 ? "s" : "", t, cpu, n / t, (unsigned long long)b->periods,
               (unsigned long long)b->sum);
    }
    getrusage(RUSAGE_SELF, &u);
    printf("peak memory %.2f GiB, of it hours %.2f GiB\n", (double)u.ru_maxrss / 1048576, n * 12 * 1e6 / 1073741824);
}

static size_t argument(int argc, char **argv, int i, size_t or_else)
{
    return argc > i ? strtoul(argv[i], NULL, 10) : or_else;
}

int main(int argc, char **argv)
{
    const bool csv = argc > 1 && strcmp(argv[1], "--csv") == 0, raw = argc > 1 && strcmp(argv[1], "--raw") == 0,
               figures = argc > 1 && strcmp(argv[1], "--figures") == 0;
    const int skip = csv || raw || figures;
    static struct airq_table table;
    struct bench b = {.stations = argument(argc, argv, 1 + skip, 1500),
                      .years = argument(argc, argv, 2 + skip, 10),
                      .cities = argument(argc, argv, 3 + skip, csv || raw ? 1 : 339),
                      .threads = (int)argument(argc, argv, 4 + skip, 2),
                      .rounding = argc > 5 + skip && strcmp(argv[5 + skip], "final") == 0 ? AIRQ_FINAL : AIRQ_STEPWISE,
                      .standard = airq_standard_find(LT_LIT("2026t")),
                      .table = &table,
                      .print = figures};
    if (b.stations == 0 || b.years == 0 || b.cities == 0 || b.cities > b.stations || b.threads < 1 || b.threads > 64) {
        fprintf(stderr, "airq_bench: stations >= cities > 0, years > 0, threads 1 to 64\n");
        return 2;
    }
    calendar(&b);
    b.step = malloc(b.stations * AIRQ_POLLUTANTS * b.hours * sizeof *b.step);
    if (!b.step || !airq_table_make(airq_standard_scale(b.standard), AIRQ_HOUR, &table)) {
        fprintf(stderr, "airq_bench: out of memory\n");
        return 2;
    }
    run(&b, generate_thread, b.threads);
    if (csv) {
        write_csv(&b);
    } else if (raw) {
        fwrite(b.step, sizeof *b.step, b.stations * AIRQ_POLLUTANTS * b.hours, stdout);
    } else if (figures) {
        puts("city,year,pm25_mean,o3_p90,co_p95,composite,days_good,days_valid");
        run(&b, assess_thread, 1);
    } else {
        printf("%zu stations, %zu cities, %zu years: %.1f million station-hours of six pollutants\n", b.stations,
               b.cities, b.years, (double)b.stations * (double)b.hours / 1e6);
        report(&b);
    }
    free(b.step);
    free(b.month_at);
    free(b.year_at);
    return 0;
}
