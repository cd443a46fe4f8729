/* Small text helpers; see text.h. */
#include "base/text.h"

size_t lt_text_copy_slice(char *ret, size_t cap, struct lt_slice s)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    if (n < s.n)
        while (n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80)
            n--; /* s.p[n] continues a character: leave the whole character out */
    if (n)
        memcpy(ret, s.p, n);
    ret[n] = '\0';
    return n;
}

size_t lt_text_copy(char *ret, size_t cap, const char *z)
{
    return lt_text_copy_slice(ret, cap, lt_slice_of(z));
}

bool lt_text_is_utf8(struct lt_slice s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
        if (len == 0 || i + len > s.n)
            return false;
        for (size_t k = 1; k < len; k++)
            if (((unsigned char)s.p[i + k] & 0xC0) != 0x80)
                return false;
        unsigned char d = len > 1 ? (unsigned char)s.p[i + 1] : 0;
        if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) || (c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F))
            return false;
        i += len;
    }
    return true;
}

size_t lt_text_chars(struct lt_slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

bool lt_text_to_u64(struct lt_slice s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)((unsigned char)s.p[i]) - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool lt_text_to_i64(struct lt_slice s, int64_t *ret)
{
    bool neg = s.n && s.p[0] == '-';
    uint64_t u;
    if (!lt_text_to_u64((struct lt_slice){s.p + neg, s.n - neg}, &u) || u > (uint64_t)INT64_MAX + neg)
        return false;
    *ret = neg ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

void lt_text_hex(const uint8_t *p, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = "0123456789abcdef"[p[i] >> 4];
        ret[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    ret[2 * n] = '\0';
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool lt_text_unhex(struct lt_slice s, uint8_t *ret, size_t n)
{
    if (s.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int a = digit(s.p[2 * i]), b = digit(s.p[2 * i + 1]);
        if (a < 0 || b < 0)
            return false;
        ret[i] = (uint8_t)(a * 16 + b);
    }
    return true;
}
