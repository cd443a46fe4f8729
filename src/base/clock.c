/* Civil time without the C library's time zone functions (they read the environment); see clock.h.
 * Day arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t lt_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t lt_mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t lt_mono_ms(void)
{
    return lt_mono_us() / 1000;
}

static int64_t floor_to(int64_t v, int64_t unit)
{
    int64_t r = v % unit;
    return v - (r < 0 ? r + unit : r);
}

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct lt_civil lt_civil_of(int64_t at_ms, int tz_min)
{
    int64_t local = at_ms + (int64_t)tz_min * LT_MIN_MS;
    int64_t midnight = floor_to(local, LT_DAY_MS);
    int64_t z = midnight / LT_DAY_MS + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    int64_t ms = local - midnight;
    return (struct lt_civil){.year = (int)(yoe + era * 400 + (month <= 2)),
                             .month = month,
                             .day = (int)(doy - (153 * mp + 2) / 5 + 1),
                             .hour = (int)(ms / LT_HOUR_MS),
                             .minute = (int)(ms / LT_MIN_MS % 60),
                             .second = (int)(ms / LT_SEC_MS % 60),
                             .ms = (int)(ms % 1000)};
}

bool lt_civil_to_ms(const struct lt_civil *c, int tz_min, int64_t *ret_at_ms)
{
    static const int len[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12 || c->hour < 0 || c->hour > 23 ||
        c->minute < 0 || c->minute > 59 || c->second < 0 || c->second > 59 || c->ms < 0 || c->ms > 999)
        return false;
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    if (c->day < 1 || c->day > len[c->month - 1] + (c->month == 2 && leap))
        return false;
    *ret_at_ms = days_from_civil(c->year, c->month, c->day) * LT_DAY_MS + c->hour * LT_HOUR_MS + c->minute * LT_MIN_MS +
                 c->second * LT_SEC_MS + c->ms - (int64_t)tz_min * LT_MIN_MS;
    return true;
}

static bool digits(const char *p, size_t n, int *ret)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)((unsigned char)p[i]) - '0';
        if (d > 9)
            return false;
        v = v * 10 + (int)d;
    }
    *ret = v;
    return true;
}

bool lt_time_parse_compact(struct lt_slice s, int tz_min, int64_t *ret_at_ms)
{
    struct lt_civil c = {0};
    if (s.n != 14 && s.n != 17)
        return false;
    return digits(s.p, 4, &c.year) && digits(s.p + 4, 2, &c.month) && digits(s.p + 6, 2, &c.day) &&
           digits(s.p + 8, 2, &c.hour) && digits(s.p + 10, 2, &c.minute) && digits(s.p + 12, 2, &c.second) &&
           (s.n == 14 || digits(s.p + 14, 3, &c.ms)) && lt_civil_to_ms(&c, tz_min, ret_at_ms);
}

void lt_time_format_compact(int64_t at_ms, int tz_min, bool with_ms, char ret[18])
{
    struct lt_civil c = lt_civil_of(at_ms, tz_min);
    char tmp[64];
    snprintf(tmp, sizeof tmp, "%04d%02d%02d%02d%02d%02d%03d", c.year, c.month, c.day, c.hour, c.minute, c.second, c.ms);
    size_t n = with_ms ? 17 : 14;
    memcpy(ret, tmp, n);
    ret[n] = '\0';
}

bool lt_time_parse_iso(struct lt_slice s, int tz_min, int64_t *ret_at_ms)
{
    struct lt_civil c = {0};
    if (s.n < 10 || s.p[4] != '-' || s.p[7] != '-' || !digits(s.p, 4, &c.year) || !digits(s.p + 5, 2, &c.month) ||
        !digits(s.p + 8, 2, &c.day))
        return false;
    size_t i = 10;
    if (i < s.n) {
        if ((s.p[i] != 'T' && s.p[i] != ' ') || s.n < 16 || s.p[13] != ':' || !digits(s.p + 11, 2, &c.hour) ||
            !digits(s.p + 14, 2, &c.minute))
            return false;
        i = 16;
        if (i + 3 <= s.n && s.p[i] == ':') {
            if (!digits(s.p + i + 1, 2, &c.second))
                return false;
            i += 3;
            if (i + 4 <= s.n && s.p[i] == '.') {
                if (!digits(s.p + i + 1, 3, &c.ms))
                    return false;
                i += 4;
            }
        }
        if (i < s.n && s.p[i] == 'Z') {
            tz_min = 0;
            i++;
        } else if (i + 6 == s.n && (s.p[i] == '+' || s.p[i] == '-') && s.p[i + 3] == ':') {
            int h, m;
            if (!digits(s.p + i + 1, 2, &h) || !digits(s.p + i + 4, 2, &m) || h > 14 || m > 59)
                return false;
            tz_min = (s.p[i] == '-' ? -1 : 1) * (h * 60 + m);
            i += 6;
        }
    }
    return i == s.n && lt_civil_to_ms(&c, tz_min, ret_at_ms);
}

size_t lt_time_format_iso(int64_t at_ms, int tz_min, char ret[40])
{
    struct lt_civil c = lt_civil_of(at_ms, tz_min);
    int off = tz_min < 0 ? -tz_min : tz_min;
    return (size_t)snprintf(ret, 40, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", c.year, c.month, c.day, c.hour,
                            c.minute, c.second, tz_min < 0 ? '-' : '+', off / 60, off % 60);
}

int64_t lt_hour_start(int64_t at_ms, int tz_min)
{
    int64_t off = (int64_t)tz_min * LT_MIN_MS;
    return floor_to(at_ms + off, LT_HOUR_MS) - off;
}

int64_t lt_day_start(int64_t at_ms, int tz_min)
{
    int64_t off = (int64_t)tz_min * LT_MIN_MS;
    return floor_to(at_ms + off, LT_DAY_MS) - off;
}

int64_t lt_month_start(int64_t at_ms, int tz_min)
{
    struct lt_civil c = lt_civil_of(at_ms, tz_min);
    return days_from_civil(c.year, c.month, 1) * LT_DAY_MS - (int64_t)tz_min * LT_MIN_MS;
}

int lt_day_number(int64_t at_ms, int tz_min)
{
    struct lt_civil c = lt_civil_of(at_ms, tz_min);
    return c.year * 10000 + c.month * 100 + c.day;
}

bool lt_day_number_start(int yyyymmdd, int tz_min, int64_t *ret_at_ms)
{
    struct lt_civil c = {.year = yyyymmdd / 10000, .month = yyyymmdd / 100 % 100, .day = yyyymmdd % 100};
    return lt_civil_to_ms(&c, tz_min, ret_at_ms);
}
