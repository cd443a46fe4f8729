/* Inside the figures only: the cache of cells and a reader's room. */
#ifndef LT_AIR_FIGURE_PRIV_H
#define LT_AIR_FIGURE_PRIV_H
#include "air/air_figure.h"

#include <pthread.h>

enum { YEAR_DAYS = 366 };

struct cell_day { /* a station's day: the cell, and what is left of PM without the hours of dust */
    struct airq_cell kept;
    uint32_t mask; /* hours of dust the next two were made for */
    uint32_t dust_sum[2];
    uint8_t dust_n[2]; /* PM10, PM2.5 */
    bool known;
    uint16_t reviewed, taken;
};
struct station_year {
    int64_t station;
    int year;
    int32_t first; /* 1 January */
    struct cell_day day[YEAR_DAYS];
};
struct air_figures {
    pthread_rwlock_t lock;
    int64_t version; /* of the data the cells are of; -1: none yet */
    struct station_year *year[AIR_YEARS_CACHED];
    size_t n;
    struct air_figures_stats stats;
};
struct air_days_work { /* one reader's copy of the year it works on */
    struct station_year year;
    uint32_t mask[YEAR_DAYS];
    uint64_t blocks;
    bool missed;   /* something had to be read, or was found to be empty */
    int32_t first; /* first day with a block of any station, once asked for */
    bool has_first, any;
};
#endif
