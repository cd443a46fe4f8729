/* Numbers in bytes as the formats of the post write them (docs/FORMATS*.md). Fixed: n bytes, little endian. Varint:
 * seven bits a byte, low bits first, the high bit set on all but the last; signed ones as zigzag (0, -1, 1, -2 … are 0,
 * 1, 2, 3 …). */
#ifndef LT_BASE_VARINT_H
#define LT_BASE_VARINT_H
#include <stdbool.h>
#include <stdint.h>

static inline void lt_le_put(void *to, uint64_t v, unsigned n)
{
    uint8_t *p = (uint8_t *)to;
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint64_t lt_le_get(const void *from, unsigned n)
{
    const uint8_t *p = (const uint8_t *)from;
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

#define LT_VARINT_MAX 10 /* bytes of the longest */

static inline uint64_t lt_zigzag(uint64_t v)
{
    return (v << 1) ^ (0 - (v >> 63));
}

static inline uint64_t lt_unzigzag(uint64_t v)
{
    return (v >> 1) ^ (0 - (v & 1));
}

/* Returns where the next byte goes. */
static inline uint8_t *lt_varint_put(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

/* False at the end of the bytes or beyond 64 bits. */
static inline bool lt_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
    if (*p < end && **p < 0x80) {
        *ret = *(*p)++;
        return true;
    }
    uint64_t v = 0;
    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        uint64_t b = *(*p)++;
        if (shift == 63 && b > 1)
            return false;
        v |= (b & 0x7F) << shift;
        if (b < 0x80) {
            *ret = v;
            return true;
        }
    }
    return false;
}
#endif
