/* Times and numbers as HJ 212 writes them, and the look for control bytes: small readers used all over the unit. */
#include "hj212_priv.h"

/* Days since 1970-01-01 of a date whose month and day are in range. Years start in March, so
 * that the leap day is the last one. */
static int64_t days_of(unsigned y, unsigned m, unsigned d)
{
    y -= m <= 2;
    unsigned from_march = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5;
    return (int64_t)(365 * y + y / 4 - y / 100 + y / 400 + from_march + d) - 719469;
}

static bool leap(unsigned y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

bool hj212_time(const char *p, size_t n, int64_t *ret_at_ms)
{
    static const uint8_t month_days[16] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned v[17], bad = 0;
    if (n != 14 && n != 17)
        return false;
    for (size_t i = 0; i < n; i++) {
        v[i] = (unsigned)(uint8_t)p[i] - '0';
        bad |= v[i] > 9;
    }
    if (bad)
        return false;
    unsigned year = v[0] * 1000 + v[1] * 100 + v[2] * 10 + v[3], month = v[4] * 10 + v[5], day = v[6] * 10 + v[7];
    unsigned hour = v[8] * 10 + v[9], minute = v[10] * 10 + v[11], second = v[12] * 10 + v[13];
    if (year < 1970 || month > 12 || hour > 23 || minute > 59 || second > 59 || day == 0)
        return false;
    if (day > month_days[month] + (unsigned)(month == 2 && leap(year)))
        return false;
    unsigned ms = n == 17 ? v[14] * 100 + v[15] * 10 + v[16] : 0;
    *ret_at_ms = (days_of(year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second)) * 1000 + ms;
    return true;
}

bool hj212_number(const char *p, size_t n, int64_t *ret, uint8_t *ret_decimals)
{
    const size_t sign = n > 0 && (p[0] == '-' || p[0] == '+');
    size_t i = sign, point = n, zeros = 0, digits = 0;
    uint64_t v = 0;
    for (; i < n; i++) {
        if (p[i] == '.' && point == n)
            point = i;
        else if (!hj212_is_digit(p[i]))
            return false;
    }
    if (n - sign - (point < n) < 1)
        return false;
    size_t decimals = point < n ? n - point - 1 : 0;
    for (i = sign; i < n && (p[i] == '0' || i == point); i++)
        ; /* zeros in front do not count as digits */
    digits = n - i - (point < n && point >= i);
    for (; (digits > 18 || decimals > 18) && decimals > 0 && p[n - 1 - zeros] == '0'; decimals--) {
        zeros++;
        digits -= digits > 0;
    }
    if (digits > 18 || decimals > 18)
        return false;
    for (; i < n - zeros; i++)
        if (i != point)
            v = v * 10 + (uint64_t)(p[i] - '0');
    *ret = p[0] == '-' ? -(int64_t)v : (int64_t)v;
    *ret_decimals = (uint8_t)decimals;
    return true;
}

bool hj212_control_byte(const char *p, size_t n, size_t *ret_at)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)p[i] < 0x20 || p[i] == 0x7F) {
            *ret_at = i;
            return true;
        }
    return false;
}
