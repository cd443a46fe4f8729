/* airq_hourly: one line of a CSV of hourly values in, one row out. Pure: lines are slices of the caller, nothing is
 * allocated, a row borrows from its line. Who reads the file, knows the stations and counts lines is the caller.
 *
 * The header names time, station, PM25, PM10, SO2, NO2, CO, O3 in any order; other columns are passed over. A time is
 * "YYYY-MM-DD hh:00" (T for the blank and ":00" seconds are allowed), local. Empty: missing. What cannot be is a fault,
 * never taken for missing. */
#ifndef AIRQ_HOURLY_H
#define AIRQ_HOURLY_H
#include "airq/airq.h"

#define AIRQ_HOURLY_COLUMNS_MAX 256 /* tables of the national platform have fewer than 40 */
#define AIRQ_STATION_MAX        128 /* bytes of a station's name */

enum airq_co_unit { AIRQ_CO_MG, AIRQ_CO_UG };

struct airq_hourly { /* one assessment; the caller fills the first four */
    bool label_end;  /* "16:00" is 15:00-16:00, so "00:00" (or "24:00") is the last hour of the day before */
    enum airq_co_unit co;
    int32_t from, to;                     /* local days since 1970-01-01, inclusive */
    int columns, at[2 + AIRQ_POLLUTANTS]; /* of the present file */
    char date[10];                        /* the last date read, since neighbours share it */
    int32_t day;
    bool has_date;
    uint64_t co_n, co_high, co_low, co_beyond; /* CO values in the period; > 50; < 20; more than can be (unit given) */
};

enum airq_row_kind {
    AIRQ_ROW_BAD,
    AIRQ_ROW_EMPTY,   /* a blank line */
    AIRQ_ROW_OUTSIDE, /* a good time outside the period; values were not looked at */
    AIRQ_ROW_IN,
    AIRQ_ROW_CO /* as _IN, but CO is more than can be: ticks[AIRQ_CO] is -1; see airq_hourly_co() */
};
struct airq_row {
    struct lt_slice station;
    int32_t day;                    /* since 1970-01-01 */
    int hour;                       /* 0..23, of its beginning */
    int32_t ticks[AIRQ_POLLUTANTS]; /* airq_tick() each, finer digits rounded half to even; -1 missing */
};
struct airq_fault {
    const char *column; /* "" when it is not about one */
    struct lt_slice cell;
    const char *text; /* constant, what is wrong and what is right */
};

/* Strict "YYYY-MM-DD" (1970..2199) to days since 1970-01-01. */
bool airq_date_parse(struct lt_slice s, int32_t *ret_day);
/* The header line of a file, without its line end. False: *ret says why. */
bool airq_hourly_header(struct airq_hourly *h, struct lt_slice line, struct airq_fault *ret);
/* A later line, without its line end. *ret_fault is filled for AIRQ_ROW_BAD and AIRQ_ROW_CO only. */
enum airq_row_kind airq_hourly_row(struct airq_hourly *h, struct lt_slice line, struct airq_row *ret,
                                   struct airq_fault *ret_fault);

enum airq_co_verdict {
    AIRQ_CO_PLAUSIBLE,
    AIRQ_CO_IS_UG, /* said to be mg/m3, but the median is above 50 */
    AIRQ_CO_IS_MG  /* said to be µg/m3, but the median is below 20 */
};
enum airq_co_verdict airq_hourly_co(const struct airq_hourly *h);
#endif
