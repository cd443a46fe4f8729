/* Which chunk a moment belongs to, and its name in messages. Pure. */
#include "base/clock.h"
#include "series/series_priv.h"

#include <assert.h>
#include <stdio.h>

static const struct {
    enum series_span span;
    bool raw;
    const char *name;
} kinds[SERIES_KINDS] = {
    [SERIES_RTD] = {SERIES_SPAN_HOUR, true, "rtd"},       [SERIES_MIN] = {SERIES_SPAN_HOUR, true, "min"},
    [SERIES_HOUR_R] = {SERIES_SPAN_DAY, false, "hour_r"}, [SERIES_DAY_R] = {SERIES_SPAN_MONTH, false, "day_r"},
    [SERIES_HOUR] = {SERIES_SPAN_DAY, false, "hour"},     [SERIES_DAY] = {SERIES_SPAN_MONTH, false, "day"},
    [SERIES_STATE] = {SERIES_SPAN_HOUR, false, "state"},
};

enum series_span series_kind_span(enum series_kind kind)
{
    return kinds[kind].span;
}

bool series_kind_raw(enum series_kind kind)
{
    return kinds[kind].raw;
}

bool series_is_fresh(const struct series_key *key)
{
    return kinds[key->kind].span == SERIES_SPAN_HOUR;
}

int64_t series_span_start(enum series_span span, int64_t at_ms, int tz_min)
{
    return span == SERIES_SPAN_HOUR  ? lt_hour_start(at_ms, tz_min)
           : span == SERIES_SPAN_DAY ? lt_day_start(at_ms, tz_min)
                                     : lt_month_start(at_ms, tz_min);
}

int64_t series_span_end(enum series_span span, int64_t start_ms, int tz_min)
{
    return span == SERIES_SPAN_HOUR  ? start_ms + LT_HOUR_MS
           : span == SERIES_SPAN_DAY ? start_ms + LT_DAY_MS
                                     : lt_month_start(start_ms + 32 * LT_DAY_MS, tz_min);
}

void series_key_text(const struct series_key *key, int tz_min, char *ret, size_t cap)
{
    char at[40];
    struct lt_civil c = lt_civil_of(key->start_ms, tz_min);
    lt_time_format_iso(key->start_ms, tz_min, at);
    snprintf(ret, cap, "%04d%02d%s.db device %u kind %s %s %s", c.year, c.month, kinds[key->kind].raw ? "-raw" : "",
             key->device, kinds[key->kind].name,
             key->span == SERIES_SPAN_HOUR  ? "hour"
             : key->span == SERIES_SPAN_DAY ? "day"
                                            : "month",
             at);
}
