/* Fixed decimal numbers; see fix.h. */
#include "base/fix.h"

static const int64_t pow10i[19] = {1,
                                   10,
                                   100,
                                   1000,
                                   10000,
                                   100000,
                                   1000000,
                                   10000000,
                                   100000000,
                                   1000000000,
                                   10000000000,
                                   100000000000,
                                   1000000000000,
                                   10000000000000,
                                   100000000000000,
                                   1000000000000000,
                                   10000000000000000,
                                   100000000000000000,
                                   1000000000000000000};

int64_t lt_div_half_even(lt_i128 n, lt_i128 d)
{
    lt_i128 q = n / d, r = n % d, twice = (r < 0 ? -r : r) * 2;
    if (twice > d || (twice == d && (q & 1)))
        q += n < 0 ? -1 : 1;
    return (int64_t)q;
}

bool lt_fix_from_decimal(int64_t mantissa, unsigned decimals, int64_t *ret)
{
    if (decimals > 18)
        return false;
    if (decimals > 6) {
        *ret = lt_div_half_even(mantissa, pow10i[decimals - 6]);
        return true;
    }
    int64_t v;
    if (__builtin_mul_overflow(mantissa, pow10i[6 - decimals], &v) || v == LT_FIX_NONE)
        return false;
    *ret = v;
    return true;
}

bool lt_fix_parse(struct lt_slice s, int64_t *ret)
{
    size_t i = 0;
    bool neg = s.n && s.p[0] == '-';
    i += neg;
    int64_t m = 0;
    unsigned decimals = 0, digits = 0;
    bool point = false;
    for (; i < s.n; i++) {
        if (s.p[i] == '.' && !point) {
            point = true;
            continue;
        }
        unsigned d = (unsigned)((unsigned char)s.p[i]) - '0';
        if (d > 9 || decimals == 18 || __builtin_mul_overflow(m, 10, &m) || __builtin_add_overflow(m, (int)d, &m))
            return false;
        digits++;
        decimals += point;
    }
    return digits && lt_fix_from_decimal(neg ? -m : m, decimals, ret);
}

size_t lt_fix_format(int64_t v, unsigned decimals, char ret[32])
{
    int64_t r = lt_div_half_even(v, pow10i[6 - decimals]);
    bool neg = r < 0;
    uint64_t u = neg ? 0 - (uint64_t)r : (uint64_t)r;
    char tmp[32];
    size_t n = 0;
    for (unsigned k = 0; u || k <= decimals; k++) {
        if (k == decimals && decimals)
            tmp[n++] = '.';
        tmp[n++] = (char)('0' + u % 10);
        u /= 10;
    }
    if (neg)
        tmp[n++] = '-';
    for (size_t i = 0; i < n; i++)
        ret[i] = tmp[n - 1 - i];
    ret[n] = '\0';
    return n;
}

size_t lt_fix_format_short(int64_t v, char ret[32])
{
    unsigned decimals = 6;
    while (decimals && v % pow10i[7 - decimals] == 0)
        decimals--;
    return lt_fix_format(v, decimals, ret);
}

bool lt_fix_mul(int64_t a, int64_t b, int64_t *ret)
{
    lt_i128 p = (lt_i128)a * b;
    lt_i128 bound = ((lt_i128)1 << 63) * LT_FIX_ONE - LT_FIX_ONE;
    if (p > bound || p < -bound)
        return false;
    *ret = lt_div_half_even(p, LT_FIX_ONE);
    return true;
}

bool lt_fix_div(int64_t a, int64_t b, int64_t *ret)
{
    if (b == 0)
        return false;
    lt_i128 n = (lt_i128)a * LT_FIX_ONE, d = b;
    if (d < 0) {
        n = -n;
        d = -d;
    }
    lt_i128 q = n / d;
    if (q > INT64_MAX - 1 || q < -(lt_i128)INT64_MAX + 1)
        return false;
    *ret = lt_div_half_even(n, d);
    return true;
}

int64_t lt_fix_round(int64_t v, unsigned decimals)
{
    int64_t unit = pow10i[6 - decimals];
    return lt_div_half_even(v, unit) * unit;
}
