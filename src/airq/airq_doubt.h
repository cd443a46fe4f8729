/* airq_doubt: is what a file says about the air possible? Finds wrong units, exchanged columns, values that cannot be,
 * hours told twice and a wrong clock, from sums kept while rows go by. Pure; the accumulator is the caller's (about
 * 10 kB), no row is kept.
 *
 * Rows of one import (any stations, any order) are added; then airq_doubt() tells what looks wrong. A finding is a
 * question to a person, never a reason to change a value silently. */
#ifndef AIRQ_DOUBT_H
#define AIRQ_DOUBT_H
#include "airq/airq_assess.h"

enum { AIRQ_DOUBT_BINS = 256 }; /* of a logarithmic histogram: 8 to the doubling, from 1 tick */
struct airq_doubt_stats {
    uint32_t n[AIRQ_POLLUTANTS];
    uint32_t bin[AIRQ_POLLUTANTS][AIRQ_DOUBT_BINS];
    int64_t sum[AIRQ_POLLUTANTS][24]; /* by hour of the day, ticks */
    uint32_t hours[AIRQ_POLLUTANTS][24];
    uint32_t month_n[12];
    uint32_t rows, pm_over, pm_under; /* rows; PM2.5 above, below PM10 by more than 1 µg/m3 */
    uint32_t negative[AIRQ_POLLUTANTS], beyond[AIRQ_POLLUTANTS]; /* told by the caller, airq_doubt_impossible() */
    uint32_t repeated;                                           /* told by the caller, airq_doubt_repeated() */
    uint32_t repeated_other;                                     /* of them with other values than the first time */
    uint32_t fraction[AIRQ_POLLUTANTS];                          /* gases above 5 µg/m3 that are not whole */
    uint32_t as_ppb[AIRQ_POLLUTANTS][2]; /* of them whole µg/m3 at 298.15 K, 273.15 K when taken for ppb */
    struct {                             /* for correlations of pairs p < q, tenths of a unit, CO hundredths */
        int64_t n, x, y, xx, yy, xy;
    } pair[AIRQ_POLLUTANTS][AIRQ_POLLUTANTS];
};
/* A row: hour 0..23 of its beginning by the file's own clock and label, month 1..12, ticks as for airq_cell_add(). */
void airq_doubt_add(struct airq_doubt_stats *s, int month, int hour, const int32_t ticks[AIRQ_POLLUTANTS]);
/* A value that was refused: below zero, or more than airq_most(). */
void airq_doubt_impossible(struct airq_doubt_stats *s, enum airq_pollutant p, bool negative);
/* A station-hour that came before in the same file; other: with other values. */
void airq_doubt_repeated(struct airq_doubt_stats *s, bool other);

enum airq_doubt_kind {
    AIRQ_DOUBT_UNIT_MG,    /* particles or gases look like mg/m3 instead of µg/m3 (a thousandth) */
    AIRQ_DOUBT_UNIT_UG,    /* CO looks like µg/m3 instead of mg/m3 (thousandfold) */
    AIRQ_DOUBT_UNIT_PPB,   /* gases look like ppb */
    AIRQ_DOUBT_SWAPPED,    /* two columns look exchanged */
    AIRQ_DOUBT_IMPOSSIBLE, /* negative or beyond any instrument */
    AIRQ_DOUBT_REPEATED,   /* station-hours told twice */
    AIRQ_DOUBT_CLOCK,      /* the day's course of ozone is shifted: another time zone */
    AIRQ_DOUBT_KINDS
};
enum airq_doubt_confidence { AIRQ_DOUBT_HINT = 1, AIRQ_DOUBT_LIKELY, AIRQ_DOUBT_CERTAIN };
struct airq_doubt_finding {
    enum airq_doubt_kind kind;
    enum airq_doubt_confidence confidence;
    enum airq_pollutant p, q;    /* what it is about; q: the other column of AIRQ_DOUBT_SWAPPED, else = p */
    int hours;                   /* AIRQ_DOUBT_CLOCK: the file's clock is so many hours ahead (-: behind) */
    char zh[320], en[320];       /* what was seen, and why that is strange */
    char do_zh[192], do_en[192]; /* what to do */
};
enum { AIRQ_DOUBT_MAX = 24 }; /* findings: six units, six impossible, the few pairs, and one of each other */
/* Judges. known: what is known of the same stations from before, or NULL; with it, units are told from the ratio of
 * medians, which is far surer. Returns the number of findings, surest first. */
size_t airq_doubt(const struct airq_doubt_stats *s, const struct airq_doubt_stats *known,
                  struct airq_doubt_finding ret[AIRQ_DOUBT_MAX]);
/* The middle value in millionths, to a part in 12; AIRQ_NONE without values. */
int64_t airq_doubt_median(const struct airq_doubt_stats *s, enum airq_pollutant p);
const char *airq_doubt_kind_name(enum airq_doubt_kind k); /* "unit_mg" … */
#endif
