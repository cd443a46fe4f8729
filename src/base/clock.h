/* Time. Stored time is UTC milliseconds since 1970 (…_at_ms); durations use the monotonic clock (…_ms).
 * Services never read the clock: they get the time as an argument. Only the outermost loops (gateway,
 * recorder, HTTP threads, main) call lt_wall_ms() and lt_mono_ms(). A city has one fixed offset from
 * UTC in minutes (China: 480, no summer time). */
#ifndef LT_BASE_CLOCK_H
#define LT_BASE_CLOCK_H
#include "base/slice.h"

#define LT_TZ_CHINA 480
#define LT_SEC_MS   INT64_C(1000)
#define LT_MIN_MS   INT64_C(60000)
#define LT_HOUR_MS  INT64_C(3600000)
#define LT_DAY_MS   INT64_C(86400000)

int64_t lt_wall_ms(void); /* UTC milliseconds now */
int64_t lt_mono_ms(void); /* monotonic milliseconds */
int64_t lt_mono_us(void);

struct lt_civil {
    int year, month, day, hour, minute, second, ms;
};

struct lt_civil lt_civil_of(int64_t at_ms, int tz_min);
/* False when a part is out of range (31 February, hour 24 …). Years 1970..9999. */
bool lt_civil_to_ms(const struct lt_civil *c, int tz_min, int64_t *ret_at_ms);

/* "YYYYMMDDhhmmss" (14 digits) or with milliseconds (17 digits), local time; false on anything else. */
bool lt_time_parse_compact(struct lt_slice s, int tz_min, int64_t *ret_at_ms);
void lt_time_format_compact(int64_t at_ms, int tz_min, bool with_ms, char ret[18]);

/* "YYYY-MM-DD", "YYYY-MM-DDThh:mm[:ss[.mmm]]" with optional "Z" or "+08:00"; a blank may stand for T. */
bool lt_time_parse_iso(struct lt_slice s, int tz_min, int64_t *ret_at_ms);
/* "2026-11-25T08:00:00+08:00"; returns length. */
size_t lt_time_format_iso(int64_t at_ms, int tz_min, char ret[40]);

/* Start of the local hour or day that holds at_ms. Works for times before 1970 too. */
int64_t lt_hour_start(int64_t at_ms, int tz_min);
int64_t lt_day_start(int64_t at_ms, int tz_min);
int64_t lt_month_start(int64_t at_ms, int tz_min);
/* Local day as YYYYMMDD, and back to its first millisecond (false if not a date). */
int lt_day_number(int64_t at_ms, int tz_min);
bool lt_day_number_start(int yyyymmdd, int tz_min, int64_t *ret_at_ms);
#endif
