/* Times and numbers as HJ 212 writes them, and the look for control bytes: small readers used all over the unit. */
#include "hj212_priv.h"

/* Days since 1970-01-01 of a valid date. The year is century * 100 + rest, as it stands in the text, so the leap years
 * before it need no division. */
static int64_t days_of(unsigned century, unsigned rest, unsigned month, unsigned day, bool leap)
{
    static const uint16_t before_month[16] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const unsigned year = century * 100 + rest, centuries = century - (rest == 0); /* whole ones before this year */
    const unsigned leaps = (year - 1) / 4 - centuries + centuries / 4;
    return (int64_t)(365 * year + leaps + before_month[month] + (leap & (month > 2)) + day) - 719528;
}

/* Eight digits to four numbers of two, each in 16 bits; sets *bad when one is no digit. */
static inline uint64_t pairs_of(uint64_t w, uint64_t *bad)
{
    w ^= UINT64_C(0x3030303030303030);
    *bad |= ((w + UINT64_C(0x7676767676767676)) | w) & UINT64_C(0x8080808080808080);
    return (w * 10 + (w >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
}

bool hj212_time(const char *p, size_t n, int64_t *ret_at_ms)
{
    static const uint8_t month_days[16] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t bad = 0, ms = 0;
    if (n != 14 && n != 17)
        return false;
    const uint64_t date = pairs_of(hj212_load(p), &bad), clock = pairs_of(hj212_load(p + 6), &bad); /* DDhhmmss */
    for (size_t i = 14; i < n; i++) {
        unsigned d = (unsigned)(uint8_t)p[i] - '0';
        bad |= d > 9;
        ms = ms * 10 + d;
    }
    if (bad)
        return false;
    const unsigned century = (unsigned)(date & 0xFF), rest = (unsigned)(date >> 16 & 0xFF), year = century * 100 + rest;
    const bool leap = ((rest ? rest : century) & 3) == 0;
    const unsigned month = (unsigned)(date >> 32 & 0xFF), day = (unsigned)(date >> 48);
    const unsigned hour = (unsigned)(clock >> 16 & 0xFF), minute = (unsigned)(clock >> 32 & 0xFF);
    const unsigned second = (unsigned)(clock >> 48);
    if (year < 1970 || month > 12 || hour > 23 || minute > 59 || second > 59 || day == 0)
        return false;
    if (day > month_days[month] + (unsigned)(leap & (month == 2)))
        return false;
    *ret_at_ms =
        (days_of(century, rest, month, day, leap) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second)) * 1000 +
        (int64_t)ms;
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
