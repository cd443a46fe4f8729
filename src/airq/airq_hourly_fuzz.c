/* Fuzz target: any bytes as a header and as rows. Whatever comes, a row lies inside the period and the ranges, borrows
 * from its line, and reads the same a second time and behind other rows. */
#include "airq/airq_assess.h"
#include "airq/airq_hourly.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool good)
{
    if (!good)
        abort();
}

static bool inside(struct lt_slice part, struct lt_slice whole)
{
    return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

static void row_of(struct airq_hourly *h, struct lt_slice line)
{
    struct airq_row a, b;
    struct airq_fault f = {0};
    struct airq_hourly fresh = *h;
    struct airq_cell cell = {0};
    fresh.has_date = false;
    const enum airq_row_kind kind = airq_hourly_row(h, line, &a, &f);
    if (kind == AIRQ_ROW_BAD || kind == AIRQ_ROW_CO)
        check(f.column && f.text && inside(f.cell, line));
    check(kind == airq_hourly_row(&fresh, line, &b, &f));
    if (kind != AIRQ_ROW_IN && kind != AIRQ_ROW_CO)
        return;
    check(a.station.n > 0 && a.station.n <= AIRQ_STATION_MAX && inside(a.station, line));
    check(a.day >= h->from && a.day <= h->to && a.hour >= 0 && a.hour < 24 && a.day == b.day && a.hour == b.hour);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        check(a.ticks[p] >= -1 && a.ticks[p] <= airq_most((enum airq_pollutant)p) && a.ticks[p] == b.ticks[p]);
    check(airq_cell_add(&cell, a.hour, a.ticks) && !airq_cell_add(&cell, b.hour, b.ticks));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    struct airq_hourly h = {.label_end = data[0] & 1,
                            .co = data[0] & 2 ? AIRQ_CO_UG : AIRQ_CO_MG,
                            .from = data[0] & 4 ? 15765 : 0,
                            .to = data[0] & 8 ? 16800 : 84005};
    struct airq_fault f = {0};
    const char *p = (const char *)data + 1;
    const struct lt_slice all = {p, n - 1};
    if (!airq_hourly_header(&h, all, &f)) {
        check(f.column && f.text && inside(f.cell, all));
        check(airq_hourly_header(&h, LT_LIT("time,station,PM25,PM10,SO2,NO2,CO,O3"), &f));
    }
    for (size_t from = 0; from <= all.n;) {
        const char *nl = from < all.n ? memchr(p + from, '\n', all.n - from) : NULL;
        const size_t len = nl ? (size_t)(nl - p) - from : all.n - from;
        row_of(&h, (struct lt_slice){p + from, len});
        from += len + 1;
    }
    return 0;
}
