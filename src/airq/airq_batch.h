/* airq_batch: the same figures as airq.h and airq_assess.h, bit for bit, from columns of 16-bit values, many hours at
 * once: for years of many stations, where a struct per hour would cost more than the arithmetic. Pure, no allocation,
 * no threads: callers split the work.
 *
 * A column holds one pollutant of one station, an hour each, in steps: 0.1 µg/m3, CO 0.01 mg/m3 (airq_step()), 0 to
 * 65534; AIRQ_STEP_NONE: missing. Values finer than a step must go by airq_cell. */
#ifndef AIRQ_BATCH_H
#define AIRQ_BATCH_H
#include "airq/airq_assess.h"

#define AIRQ_STEP_NONE  UINT16_MAX
#define AIRQ_INDEX_NONE UINT16_MAX /* an AQI that is not told */

int64_t airq_step(enum airq_pollutant p); /* millionths in a step */

/* Index of every step of one scale and average: 1 MiB, made once (about 4 ms), then only read; of it a few kB of usual
 * concentrations are touched. For scales of µg/m3 (not US EPA, whose units differ). */
struct airq_table {
    uint16_t of[AIRQ_POLLUTANTS][65536]; /* index + 1; 0: none */
    uint16_t so2_24h[65536], o3_1h[65536];
    bool withholds;
    uint16_t least;
};
/* False for a scale that takes other units. */
bool airq_table_make(const struct airq_scale *s, enum airq_average avg, struct airq_table *ret);

struct airq_columns {
    const uint16_t *conc[AIRQ_POLLUTANTS]; /* NULL: not monitored at this place */
    const uint16_t *so2_24h, *o3_1h;       /* for the exceptions of 2012; NULL: none */
};
/* airq_index() of n hours or days: AQI or AIRQ_INDEX_NONE, and bits of the primary pollutants. */
void airq_index_batch(const struct airq_table *t, const struct airq_columns *in, size_t n, uint16_t *ret_aqi,
                      uint8_t *ret_primary);

/* airq_cell_day() of `days` days: columns begin at 00:00 of the first and hold 24 hours each. No column is NULL. */
void airq_days_batch(const struct airq_standard *s, enum airq_rounding r, const uint16_t *const column[AIRQ_POLLUTANTS],
                     size_t days, struct airq_day *ret);
#endif
