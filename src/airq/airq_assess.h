/* airq_assess: hourly values to day, city and period figures, by HJ 663, GB 3095 and HJ 633 in their editions of
 * 2012-2013 and 2026. Pure: values in, values out; no files, clock, threads, globals; it allocates nothing.
 * The way: rows -> airq_cell (one station and day) -> airq_day -> [airq_city -> airq_day] -> airq_period.
 *
 * Numbers are integers all the way. Hourly values are ticks: 0.0001 µg/m3, CO 0.000001 mg/m3 (airq_tick() millionths).
 * A day's value is "wide": 1e-24 of a tick in 128 bits, so that a mean of means keeps what rounding half to even needs.
 * Each level adds an error below 1e-24 tick. A value nearer than 1e-22 tick to a half is taken as that half; since the
 * true values are multiples of 1/(212520 m d) tick (212520 = lcm of 20..24; m: common multiple of the station counts;
 * d: days), no other value comes so near while m d < 2e16, and the result is the exact one. */
#ifndef AIRQ_ASSESS_H
#define AIRQ_ASSESS_H
#include "airq/airq.h"

enum airq_rounding {
    AIRQ_STEPWISE, /* day values of stations and city are rounded to the decimals of HJ 663 before they are used on */
    AIRQ_FINAL     /* only what is reported is rounded */
};

/* GB 3095 limits, grade II, with the index scale and decimals that go with them: "2012" (GB 3095-2012, HJ 633-2012,
 * HJ 663-2013), "2026t" and "2026f" (GB 3095-2026, transition and final limits; HJ 633-2026, HJ 663-2026). */
struct airq_standard;
const struct airq_standard *airq_standard_find(struct lt_slice name); /* NULL when unknown */
const struct airq_scale *airq_standard_scale(const struct airq_standard *s);
unsigned airq_standard_decimals(const struct airq_standard *s, enum airq_pollutant p); /* of statistics */
int64_t airq_standard_day_limit(const struct airq_standard *s, enum airq_pollutant p); /* O3: daily maximum 8-h mean */
/* What the composite index divides by: annual limits, CO the daily and O3 the 8-h one. */
int64_t airq_standard_index_limit(const struct airq_standard *s, enum airq_pollutant p);
int airq_percent(enum airq_pollutant p);   /* 98, 95 or 90: the percentile HJ 663 asks for */
bool airq_has_mean(enum airq_pollutant p); /* CO and O3 are judged by their percentile only */

int64_t airq_tick(enum airq_pollutant p); /* millionths in a tick */
/* The most an hourly value can be, in ticks: PM10 and PM2.5 10,000 µg/m3 (ranges of instruments), gases 5,000, CO 150
 * mg/m3 (end of the index scale). 24 of them fit the sums of a cell. */
int32_t airq_most(enum airq_pollutant p);

/* One station and day; all zero: nothing known yet. 128 bytes, two cache lines: a row touches no other memory. */
struct airq_cell {
    uint32_t seen;   /* bit per hour */
    uint32_t sum[5]; /* SO2..PM25, ticks */
    uint8_t n[5];
    uint32_t o3[24]; /* tick + 1; 0: missing */
};
/* Adds the hour that begins at `hour` (0..23); ticks[] is -1 where missing, else 0..airq_most(). False, and nothing is
 * changed, when the hour is there already. */
bool airq_cell_add(struct airq_cell *c, int hour, const int32_t ticks[AIRQ_POLLUTANTS]);
/* The same, but hours whose bit is set in dust_hours lose PM10 and PM2.5: hours deducted for sand dust leave the daily
 * value, and a day left with fewer than 20 has none. */
bool airq_cell_add_dust(struct airq_cell *c, int hour, const int32_t ticks[AIRQ_POLLUTANTS], uint32_t dust_hours);

enum { /* what is decided for a day of sand dust or another exceptional event; two switches, as practised */
       AIRQ_DUST_STRIP = 1,    /* PM10 and PM2.5 leave the concentration statistics */
       AIRQ_DUST_RECOMPUTE = 2 /* AQI is taken without PM10 and PM2.5, as if not monitored */
};
enum { AIRQ_O3_1H = AIRQ_POLLUTANTS, AIRQ_DAY_ITEMS }; /* item 6: largest 1-h O3, for HJ 633-2012 beyond 800 µg/m3 */
#define AIRQ_WIDE_NONE ((lt_i128)-1)
struct airq_day {
    lt_i128 value[AIRQ_DAY_ITEMS]; /* for statistics, wide; AIRQ_WIDE_NONE: not valid. O3: daily maximum 8-h mean */
    int64_t
        judged[AIRQ_DAY_ITEMS]; /* for limits and index: millionths, rounded once to whole µg/m3, CO 0.1; AIRQ_NONE */
    unsigned dust;              /* AIRQ_DUST_ bits, 0 from airq_cell_day() and airq_city_day(): the caller sets them */
};
/* GB 3095 table 4: a mean needs 20 hours, an 8-h mean 6. HJ 663: O3 needs 14 of the 17 windows that end at 08:00 ..
 * 24:00; with fewer it counts only when above the limit. */
void airq_cell_day(const struct airq_standard *s, enum airq_rounding r, const struct airq_cell *c,
                   struct airq_day *ret);

struct airq_city { /* sums of one day over stations; all zero to begin */
    lt_i128 sum[AIRQ_DAY_ITEMS];
    uint32_t n[AIRQ_DAY_ITEMS];
};
void airq_city_add(struct airq_city *c, const struct airq_day *station);
/* Mean of the valid stations' values; valid when they are at least 75 % of `total`, 50 % when total < 4. */
void airq_city_day(const struct airq_standard *s, enum airq_rounding r, const struct airq_city *c, uint32_t total,
                   struct airq_day *ret);

struct airq_period_item {
    int64_t mean, percentile, max; /* millionths, rounded to airq_standard_decimals(); AIRQ_NONE without a valid day */
    int64_t judged_mean, judged_percentile; /* rounded once to what is compared with limits: whole µg/m3, CO 0.1 */
    int days_valid, exceed_days;
};
struct airq_period {
    int days_valid, days_good, days_heavy; /* days with an AQI; <= 100; > 200 */
    int category[6];                       /* days by level 1..6 */
    int primary[AIRQ_POLLUTANTS];          /* days on which it was (one of) the primary pollutants */
    int days_dust, days_dust_polluted;     /* days with a dust bit; of them with AQI > 100 when PM is kept */
    int64_t good_share_pct, composite;     /* millionths, one and two decimals; AIRQ_NONE */
    lt_i128 part[AIRQ_POLLUTANTS];         /* what the composite takes, wide ticks, for airq_period_composite() */
    struct airq_period_item item[AIRQ_POLLUTANTS];
};
#define AIRQ_PERIOD_DAYS_MAX 36600 /* a hundred years: the sums stay below 2^127 */
/* n <= AIRQ_PERIOD_DAYS_MAX. work: room for n wide values, overwritten. */
void airq_period(const struct airq_standard *s, enum airq_rounding r, const struct airq_day *days, size_t n,
                 lt_i128 *work, struct airq_period *ret);

/* GB 3095 table 4: at least 27 valid days in a month (February 25), 324 in a year. */
bool airq_month_valid(int month, int days_valid);
bool airq_year_valid(int days_valid);
struct airq_gap {
    int pollutant;    /* AIRQ_POLLUTANTS: all of them */
    int year, month;  /* month 0: the year */
    int days, needed; /* needed 0: a part of a month, for which the standard has no minimum */
};
/* What keeps the statistics of days[0..n) from being valid: every month and every calendar year wholly inside must have
 * its days, and the period must be made of whole months. first: days from 1970-01-01 to days[0]. Writes at most cap
 * gaps, returns how many there are; 0: valid. */
size_t airq_gaps(const struct airq_day *days, size_t n, int32_t first, struct airq_gap *ret, size_t cap);

/* HJ 663 annex A.6: k = 1 + (n-1) p/100, between neighbours linear. n >= 1, 0 <= p <= 100. Reorders v. */
lt_i128 airq_percentile(lt_i128 *v, size_t n, int p);
/* Composite index of period values as published (millionths), two decimals; AIRQ_NONE when one is missing. weight NULL:
 * all 1. */
int64_t airq_composite(const struct airq_standard *s, const int64_t conc[AIRQ_POLLUTANTS],
                       const int weight[AIRQ_POLLUTANTS]);
/* Change in per cent, one decimal, from values as published (they are not rounded again). AIRQ_NONE when before is 0 or
 * one is missing. */
int64_t airq_change_pct(int64_t before, int64_t now);
#endif
