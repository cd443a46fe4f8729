/* airq: air-quality index of China, HJ 633-2012 and HJ 633-2026, from one code and two tables with validity dates.
 * Pure: values in, values out; no files, clock, threads, globals; it allocates nothing. Integer arithmetic throughout,
 * because binary floating point gives wrong indices (CO 2.2 mg/m3 is exactly 55, not 55.000…4 rounded up to 56).
 *
 * Concentrations are millionths (base/fix.h) of µg/m3, CO of mg/m3. AIRQ_NONE: missing. AIRQ_NOT_MONITORED: not
 * measured at this place by plan ("/" in papers). */
#ifndef AIRQ_H
#define AIRQ_H
#include "base/fix.h"

enum airq_pollutant { AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_PM10, AIRQ_PM25, AIRQ_O3, AIRQ_POLLUTANTS };
const char *airq_pollutant_name(enum airq_pollutant p); /* "SO2" "NO2" "CO" "PM10" "PM25" "O3" */

#define AIRQ_NONE          LT_FIX_NONE
#define AIRQ_NOT_MONITORED (LT_FIX_NONE + 1)

enum airq_average {            /* what a concentration is the mean of; columns of the tables */
                    AIRQ_DAY,  /* 24 hours; O3: daily maximum of 8-h means */
                    AIRQ_HOUR, /* 1 hour; PM: judged by the daily break points where the standard says so */
                    AIRQ_AVERAGES
};

struct airq_scale; /* a standard's tables, with validity dates */
/* By name: "2012", "2026", "epa"; NULL when unknown. */
const struct airq_scale *airq_scale_find(struct lt_slice name);
/* The Chinese scale in force on a local day (YYYYMMDD): HJ 633-2012 until 2026-02-28, HJ 633-2026 from 2026-03-01. */
const struct airq_scale *airq_scale_on(int yyyymmdd);
const char *airq_scale_standard(const struct airq_scale *s); /* "HJ 633-2026" */

/* What the scale takes for a pollutant: "µg/m3", "mg/m3"; US EPA: "ppm" (O3, CO), "ppb" (SO2, NO2). Its concentrations
 * are millionths of that. */
const char *airq_scale_unit(const struct airq_scale *s, enum airq_pollutant p);

#define AIRQ_NA (-1)
/* Index of one pollutant, rounded up, 0..500; AIRQ_NA when the value is missing, negative, or beyond what this average
 * can tell (2012: SO2 1-h > 800, O3 8-h > 800; 2026 gives 200 and 300 there). The 2026 scale rounds the concentration
 * first (integer, CO one decimal, half to even). O3 with AIRQ_DAY is the daily maximum 8-h mean; with AIRQ_HOUR the 1-h
 * mean. */
int airq_iaqi(const struct airq_scale *s, enum airq_pollutant p, enum airq_average avg, int64_t conc);

struct airq_input {
    int64_t conc[AIRQ_POLLUTANTS]; /* AIRQ_DAY: daily means, O3 daily max 8-h; AIRQ_HOUR: all 1-h; US EPA, both: PM 24-h
                                      means or NowCast, O3 and CO 8-h, SO2 and NO2 1-h */
    int64_t so2_24h, o3_1h;        /* for the 2012 exceptions and US EPA (the higher one counts); else AIRQ_NONE */
};
struct airq_result {
    int iaqi[AIRQ_POLLUTANTS]; /* AIRQ_NA */
    int aqi;                   /* AIRQ_NA: nothing to tell, or withheld (2026 clause 5.3.1) */
    int level;                 /* 1..6, 0 when aqi is NA */
    unsigned primary;          /* bit per pollutant; 0 when AQI <= 50 or NA */
};
void airq_index(const struct airq_scale *s, enum airq_average avg, const struct airq_input *in,
                struct airq_result *ret);

/* US EPA NowCast of PM from the last 12 hours, newest first (AIRQ_NONE missing): weights w^i with w = min/max, at least
 * 1/2; two of the newest three are needed, else AIRQ_NONE. Weights are held to 2^-60. */
int64_t airq_nowcast(const int64_t conc[12]);

const char *airq_level_name(const struct airq_scale *s, int level, bool english); /* "良", "Good"; "" for 0 */
uint32_t airq_level_rgb(const struct airq_scale *s, int level);                   /* 0xRRGGBB */
/* Writes "PM10+PM25" ("" when none); ret holds 32 bytes. */
void airq_primary_text(unsigned primary, char ret[32]);
#endif
