/* Bench of the series: rows of 25 cells (10 factors) from 2,000 devices, against a table with a row per value in the
 * same run. Times are CPU times of the process, but for flush and table, where wall time is given too. Usage:
 * series_bench DIR [SECONDS for the table]. DIR must be empty and on the disk to be measured. */
#include "base/clock.h"
#include "base/rand.h"
#include "series/series.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define DEVICES 2000
#define CELLS   25
#define T0      INT64_C(1795536000000) /* 2026-11-25 00:00 at +08:00 */

static int64_t level[DEVICES][CELLS];
static uint16_t column[CELLS];

/* CPU time of this process: what is measured where no disk is waited for, so that a busy machine does not show. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "series_bench: %s\n", what);
    exit(1);
}

/* Bytes this process caused to be written to files, also those overwritten before they reach the disk. */
static uint64_t written(void)
{
    char line[128];
    unsigned long long n = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "wchar: ", 7) == 0)
            n = strtoull(line + 7, NULL, 10);
    if (f)
        fclose(f);
    return n;
}

/* Ten values that wander in steps of 0.01, five of them also converted, each value with a mark. */
static void next_row(struct lt_rand *r, unsigned d, int64_t at, struct series_row *row, struct series_cell *cells)
{
    for (unsigned i = 0; i < CELLS; i++) {
        if (i < 15)
            level[d][i] += ((int64_t)lt_rand_below(r, 41) - 20) * 10000;
        else
            level[d][i] = lt_rand_below(r, 2000) ? 'N' : 'D';
        cells[i] = (struct series_cell){column[i], level[d][i]};
    }
    *row = (struct series_row){at, at + (int64_t)lt_rand_below(r, 3000), (uint32_t)lt_rand_u64(r), CELLS, cells};
}

static void make_columns(struct series *s)
{
    for (unsigned i = 0; i < CELLS; i++) {
        char code[8];
        snprintf(code, sizeof code, "a%05u", 21000 + i % 10);
        column[i] = series_column(s, lt_slice_of(code), 1 + i / 10);
    }
    for (unsigned d = 0; d < DEVICES; d++)
        for (unsigned i = 0; i < CELLS; i++)
            level[d][i] = (int64_t)(20 + (d * 7 + i * 13) % 300) * LT_FIX_ONE;
}

static struct series *open_at(const char *dir, const char *sub)
{
    char path[512];
    struct series *s;
    struct lt_error err;
    snprintf(path, sizeof path, "%s/%s", dir, sub);
    if (mkdir(path, 0750) != 0)
        die("DIR must be empty");
    struct series_config cfg = {.dir = path, .tz_min = 480};
    if (series_open(&cfg, &s, &err))
        die("cannot open");
    return s;
}

/* An hour of real-time rows, one each 30 s and device. flush_each: a checkpoint after every 30 s of data. */
static void hour_of_city(const char *dir, const char *sub, bool flush_each)
{
    struct series *s = open_at(dir, sub);
    struct lt_rand r;
    struct series_row row;
    struct series_cell cells[CELLS];
    int64_t put_us = 0, flush_us = 0, most_us = 0, flush_cpu_us = 0;
    make_columns(s);
    lt_rand_init(&r, 1);
    uint64_t before = written();
    struct series_row *rows = calloc(DEVICES, sizeof *rows);
    struct series_cell *all = calloc(DEVICES * CELLS, sizeof *all);
    if (!rows || !all)
        die("no memory");
    for (int step = 0; step < 120; step++) {
        for (unsigned d = 0; d < DEVICES; d++) { /* made apart, so that only the putting is timed */
            next_row(&r, d, T0 + step * 30000, &row, cells);
            memcpy(all + d * CELLS, cells, sizeof cells);
            rows[d] = row;
            rows[d].cells = all + d * CELLS;
        }
        int64_t t = cpu_us();
        for (unsigned d = 0; d < DEVICES; d++)
            if (series_put(s, d + 1, SERIES_RTD, &rows[d], NULL, NULL))
                die("put");
        int64_t c = cpu_us(), u = lt_mono_us();
        put_us += c - t;
        if ((flush_each || step == 119) && series_flush(s, NULL))
            die("flush");
        int64_t v = lt_mono_us() - u;
        flush_us += v;
        flush_cpu_us += cpu_us() - c;
        most_us = v > most_us ? v : most_us;
    }
    double n = 120.0 * DEVICES;
    uint64_t bytes = written() - before;
    printf("%-28s put %5.0f ns/row = %8.0f rows/s = %9.0f cells/s; cache %zu MiB\n", sub, (double)put_us * 1000 / n,
           n * 1e6 / (double)put_us, n * CELLS * 1e6 / (double)put_us, series_cache_bytes(s) >> 20);
    printf("%-28s flush %.1f ms on average (%.1f of CPU), %.1f ms at most; written %.1f bytes/row, on disk %.1f "
           "bytes/row\n",
           "", (double)flush_us / (flush_each ? 120e3 : 1e3), (double)flush_cpu_us / (flush_each ? 120e3 : 1e3),
           (double)most_us / 1000, (double)bytes / n, (double)series_disk_bytes(s) / n);
    series_close(&s);
    free(rows);
    free(all);
}

struct total {
    uint64_t rows;
    int64_t sum;
};

static bool add_up(void *user, const struct series_row *row)
{
    struct total *t = user;
    t->rows++;
    t->sum += row->cells[0].value;
    return true;
}

static struct total read_timed(struct series *s, const char *name, bool one)
{
    struct total t = {0};
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        t = (struct total){0};
        int64_t u = cpu_us();
        enum lt_err e =
            one ? series_read_columns(s, 1, SERIES_MIN, T0, T0 + 30 * LT_DAY_MS, column, 1, add_up, &t, NULL)
                : series_read(s, 1, SERIES_MIN, T0, T0 + 30 * LT_DAY_MS, add_up, &t, NULL);
        if (e)
            die("read");
        u = cpu_us() - u;
        best = u < best ? u : best;
    }
    printf("%-28s %.2f ms for %llu rows\n", name, (double)best / 1000, (unsigned long long)t.rows);
    return t;
}

static uint64_t live_bytes(const char *dir, const char *sub)
{
    char path[600];
    static const char *const month[] = {"202611", "202612"};
    uint64_t n = 0;
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = NULL;
        sqlite3_stmt *q = NULL;
        snprintf(path, sizeof path, "%s/%s/series/%s-raw.db", dir, sub, month[i]);
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, "SELECT sum(length(bytes)) FROM chunk", -1, &q, NULL) == SQLITE_OK &&
            sqlite3_step(q) == SQLITE_ROW)
            n += (uint64_t)sqlite3_column_int64(q, 0);
        sqlite3_finalize(q);
        sqlite3_close(db);
    }
    return n;
}

static void month_of_device(const char *dir)
{
    struct series *s = open_at(dir, "month");
    struct lt_rand r;
    struct series_row row;
    struct series_cell cells[CELLS];
    bool left = true;
    double n = 30 * 1440;
    make_columns(s);
    lt_rand_init(&r, 2);
    for (int i = 0; i < 30 * 1440; i++) {
        next_row(&r, 0, T0 + i * LT_MIN_MS, &row, cells);
        if (series_put(s, 1, SERIES_MIN, &row, NULL, NULL))
            die("put");
    }
    if (series_flush(s, NULL))
        die("flush");
    read_timed(s, "30 days, all, from cache", false);
    uint64_t before = live_bytes(dir, "month");
    series_close(&s);
    char path[512];
    snprintf(path, sizeof path, "%s/month", dir);
    struct series_config cfg = {.dir = path, .tz_min = 480};
    if (series_open(&cfg, &s, NULL))
        die("open again");
    struct total a = read_timed(s, "30 days, 1 column, hours", true);
    read_timed(s, "30 days, all, hours", false);
    int64_t t = cpu_us();
    while (left)
        if (series_compact(s, T0 + 31 * LT_DAY_MS, 200, &left, NULL))
            die("compact");
    t = cpu_us() - t;
    struct total b = read_timed(s, "30 days, 1 column, days", true);
    read_timed(s, "30 days, all, days", false);
    if (a.sum != b.sum || a.rows != b.rows || a.rows != 30 * 1440)
        die("compaction changed the content");
    uint64_t after = live_bytes(dir, "month");
    printf("%-28s hours %.1f, days %.1f bytes/row (%.2f bytes/cell); %.1f %% of 8 bytes a cell; %.1f ms a day\n",
           "size", (double)before / n, (double)after / n, (double)after / n / CELLS,
           (double)after / n / CELLS / 8 * 100, (double)t / 30000);
    series_close(&s);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static void put_values(sqlite3_stmt *q, unsigned d, const struct series_row *row)
{
    for (unsigned i = 0; i < CELLS; i++) {
        sqlite3_bind_int64(q, 1, d + 1);
        sqlite3_bind_int64(q, 2, row->cells[i].column);
        sqlite3_bind_int64(q, 3, row->at_ms);
        sqlite3_bind_int64(q, 4, row->cells[i].value);
        if (sqlite3_step(q) != SQLITE_DONE)
            die("insert");
        sqlite3_reset(q);
    }
}

/* The obvious layout: PRIMARY KEY(device, column, time), a transaction per 30 s of data, as long as told. */
static void table_of_values(const char *dir, int seconds)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    char path[512];
    struct lt_rand r;
    struct series_row row;
    struct series_cell cells[CELLS];
    struct stat st;
    uint64_t before = written(), n = 0;
    snprintf(path, sizeof path, "%s/table.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die("open table");
    run_sql(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-262144;"
                "CREATE TABLE v(device INT, col INT, at INT, value INT, PRIMARY KEY(device, col, at)) WITHOUT ROWID");
    if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO v VALUES(?,?,?,?)", -1, &q, NULL) != SQLITE_OK)
        die("prepare");
    lt_rand_init(&r, 1);
    int64_t from = lt_mono_us(), t = from, cpu = cpu_us();
    for (int step = 0; step < 120 && t - from < seconds * INT64_C(1000000); step++, t = lt_mono_us()) {
        run_sql(db, "BEGIN");
        for (unsigned d = 0; d < DEVICES; d++, n++) {
            next_row(&r, d, T0 + step * 30000, &row, cells);
            put_values(q, d, &row);
        }
        run_sql(db, "COMMIT");
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    if (stat(path, &st) != 0)
        die("stat");
    printf("%-28s %8.0f rows/s = %9.0f cells/s (%.0f ns CPU/row); written %.0f bytes/row, on disk %.0f bytes/row (%llu "
           "rows)\n",
           "table, a row per value", (double)n * 1e6 / (double)(t - from), (double)n * CELLS * 1e6 / (double)(t - from),
           (double)(cpu_us() - cpu) * 1000 / (double)n, (double)(written() - before) / (double)n,
           (double)st.st_size / (double)n, (unsigned long long)n);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage: series_bench DIR [SECONDS]");
    printf("%d devices, %d cells a row\n", DEVICES, CELLS);
    hour_of_city(argv[1], "hour, one flush", false);
    hour_of_city(argv[1], "hour, flush each 30 s", true);
    month_of_device(argv[1]);
    table_of_values(argv[1], argc > 2 ? (int)strtol(argv[2], NULL, 10) : 20);
    return 0;
}
