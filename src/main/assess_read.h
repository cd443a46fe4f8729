/* Reads hourly CSV (plain or gzip) into one cell per station and day; used by `lantian assess`. */
#ifndef LT_MAIN_ASSESS_READ_H
#define LT_MAIN_ASSESS_READ_H
#include "airq/airq_assess.h"
#include "airq/airq_hourly.h"

/* All national and provincial stations of a big province are fewer than 1,000; the memory is 128 bytes for each station
 * seen and each day of the period, and nothing else that grows. */
#define ASSESS_STATIONS_MAX 4096

struct assess_station {
    char *name;
    struct airq_cell *cells; /* a day each */
};
struct assess_table {
    struct airq_hourly hourly;                          /* the caller fills label_end, co, from, to; the rest zero */
    struct assess_station station[ASSESS_STATIONS_MAX]; /* in order of appearance, by name after assess_table_end() */
    size_t stations;
    uint16_t slot[2 * ASSESS_STATIONS_MAX]; /* hash of names: station + 1 */
    size_t last;                            /* station of the last row: rows come in some order */
    unsigned long rows, faults;             /* rows in the period; faults told */
    unsigned long co_line;                  /* first line whose CO is more than can be */
    char co_file[256], co_cell[32];
};

/* Reads one file ("-": standard input). Faults are told on standard error with file and line, at most 20 in all; false
 * when there was one. */
bool assess_read(struct assess_table *t, const char *path);
/* After the last file: judges the unit of CO, sorts the stations. False after telling why. */
bool assess_table_end(struct assess_table *t);
void assess_table_free(struct assess_table *t);
#endif
