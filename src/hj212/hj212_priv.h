/* Helpers shared by the files of hj212; not for anybody else. */
#ifndef HJ212_PRIV_H
#define HJ212_PRIV_H
#include "hj212/hj212.h"

static inline bool hj212_is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Eight bytes, the first one lowest, from any address. */
static inline uint64_t hj212_load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* XOR of the 8-byte words of p[0..n), counted from the end (as if zero bytes stood in front); and the CRC from it. */
uint64_t hj212_fold(const char *p, size_t n);
uint16_t hj212_crc_of_fold(uint64_t fold, size_t n);

/* Value of a hexadecimal digit of either case, or -1. */
static inline int hj212_hex(char c)
{
    if (hj212_is_digit(c))
        return c - '0';
    char u = (char)(c | 0x20);
    return u >= 'a' && u <= 'f' ? u - 'a' + 10 : -1;
}

/* Reads up to most (<= 4) hexadecimal digits; returns how many there are. */
static inline size_t hj212_hex_run(const char *p, size_t most, uint16_t *ret)
{
    unsigned v = 0;
    size_t k = 0;
    for (int d; k < most && (d = hj212_hex(p[k])) >= 0; k++)
        v = v << 4 | (unsigned)d;
    *ret = (uint16_t)v;
    return k;
}

/* 14 or 17 digits as a time taken as UTC, years 1970..9999; false when it is none. */
bool hj212_time(const char *p, size_t n, int64_t *ret_at_ms);

/* [+-]digits[.digits]; see hj212_items(). */
bool hj212_number(const char *p, size_t n, int64_t *ret, uint8_t *ret_decimals);

/* Where a pair ends whose value opened with "//" just before `from`: behind the first "//" that a separator or the end
 * of the area follows (blanks between are allowed). 0: the text never ends. */
size_t hj212_log_end(struct lt_slice area, size_t from);

/* True when a byte below 0x20 or 0x7F is in p[0..n); *ret_at is the first of them. */
bool hj212_control_byte(const char *p, size_t n, size_t *ret_at);

/* Ways to find the separators of a data area; all give the same items. */
enum hj212_level { HJ212_SCALAR, HJ212_SSE2, HJ212_AVX2, HJ212_AVX512, HJ212_LEVELS };
enum hj212_level hj212_level_best(void);

/* One pass: the fold of p[0..n), and whether a control byte is there. */
uint64_t hj212_sweep(enum hj212_level level, const char *p, size_t n, bool *control);

/* Room for the copy of an area and for its marks: a vector more than the area, filled with ';'. */
#define HJ212_COPY_CAP  (HJ212_SEGMENT_MAX + 128)
#define HJ212_MARKS_CAP (HJ212_SEGMENT_MAX + 128)

/* Copies an area of at most HJ212_SEGMENT_MAX bytes to `copy` (at least one ';' and 64 readable bytes follow it) and
 * lists where = , ; and - stand in it (not a '-' right behind '=': that is a sign), with its end as the last one (and
 * again behind the list, so that one may look ahead). *odd: a blank or a slash is in it. With HJ212_AVX512 the
 * characters at the marks go to `types` (marks and types are then readable 64 bytes further). Not for HJ212_SCALAR.
 * Returns how many marks there are. */
size_t hj212_scan(enum hj212_level level, const char *p, size_t n, char *copy, uint16_t *marks, char *types, bool *odd);

/* The last bytes of an area, from i on, into the copy, and what has to stand behind them. */
static inline void hj212_close_copy(const char *p, size_t n, size_t i, char *copy)
{
    memset(copy + i, 0, 64);
    if (n > i)
        memcpy(copy + i, p + i, n - i);
    copy[n] = ';';
}
enum hj212_err hj212_items_by(enum hj212_level level, struct lt_slice area, uint32_t tolerate, struct hj212_item *items,
                              size_t cap, size_t *ret_n, uint32_t *ret_at, uint32_t *tolerated);

/* Segment limit in force. */
static inline size_t hj212_limit(uint32_t tolerate)
{
    return tolerate & HJ212_TOL(LONG_SEGMENT) ? HJ212_SEGMENT_MAX : HJ212_SEGMENT_STD;
}
#endif
