/* Vector passes over bytes: where the separators of a data area stand, and (one pass) the XOR fold of a segment with
 * the look for control bytes. Nothing outside the given bytes is read. */
#include "hj212_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SSE2   __attribute__((target("sse2")))
#define AVX2   __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))

enum hj212_level hj212_level_best(void)
{
    if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"))
        return HJ212_AVX512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? HJ212_AVX2 : HJ212_SSE2;
}

/* Appends base + place of every bit of mask. Eight are written at a time, whether they are there or not: cheaper than
 * a branch for each; HJ212_MARKS_CAP leaves room. */
static inline uint16_t *put_marks(uint16_t *to, uint64_t mask, size_t base)
{
    const unsigned n = (unsigned)__builtin_popcountll(mask);
    for (unsigned done = 0; done < n; done += 8)
        for (unsigned k = 0; k < 8; k++) {
            to[done + k] = (uint16_t)(base + (unsigned)__builtin_ctzll(mask | UINT64_C(1) << 63));
            mask &= mask - 1;
        }
    return to + n;
}

struct masks {
    uint64_t marks, eq, dash, odd; /* = , ; apart from each other; bytes that the quick walker does not want */
};

/* All marks of 64 bytes: a '-' right behind '=' is a sign. *carry: the byte before was '='. */
static inline uint64_t all_marks(struct masks m, uint64_t *carry)
{
    uint64_t sign = m.eq << 1 | *carry;
    *carry = m.eq >> 63;
    return m.marks | m.eq | (m.dash & ~sign);
}

SSE2 static inline struct masks masks_sse2(const char *p)
{
    struct masks m = {0, 0, 0, 0};
    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i sep = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(',')), _mm_cmpeq_epi8(v, _mm_set1_epi8(';')));
        __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('/')));
        m.marks |= (uint64_t)(unsigned)_mm_movemask_epi8(sep) << (16 * i);
        m.eq |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('='))) << (16 * i);
        m.dash |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('-'))) << (16 * i);
        m.odd |= (uint64_t)(unsigned)_mm_movemask_epi8(odd) << (16 * i);
    }
    return m;
}

SSE2 static size_t scan_sse2(const char *p, size_t n, char *copy, uint16_t *marks, bool *odd)
{
    uint16_t *to = marks;
    uint64_t any = 0, carry = 0;
    for (size_t i = 0; i <= n; i += 64) {
        if (i + 64 <= n)
            memcpy(copy + i, p + i, 64);
        else
            hj212_close_copy(p, n, i, copy);
        struct masks m = masks_sse2(copy + i);
        any |= m.odd;
        to = put_marks(to, all_marks(m, &carry), i);
    }
    *odd = any != 0;
    return (size_t)(to - marks);
}

AVX2 static inline uint64_t equal_avx2(__m256i a, __m256i b, char c)
{
    const __m256i x = _mm256_set1_epi8(c);
    uint64_t lo = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, x));
    uint64_t hi = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, x));
    return lo | hi << 32;
}

AVX2 static size_t scan_avx2(const char *p, size_t n, char *copy, uint16_t *marks, bool *odd)
{
    uint16_t *to = marks;
    uint64_t any = 0, carry = 0;
    for (size_t i = 0; i <= n; i += 64) {
        const char *from = p + i;
        if (i + 64 > n) {
            hj212_close_copy(p, n, i, copy);
            from = copy + i;
        }
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)from);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
        _mm256_storeu_si256((__m256i *)(void *)(copy + i), a);
        _mm256_storeu_si256((__m256i *)(void *)(copy + i + 32), b);
        struct masks m = {equal_avx2(a, b, ',') | equal_avx2(a, b, ';'), equal_avx2(a, b, '='), equal_avx2(a, b, '-'),
                          equal_avx2(a, b, ' ') | equal_avx2(a, b, '/')};
        any |= m.odd;
        to = put_marks(to, all_marks(m, &carry), i);
    }
    *odd = any != 0;
    return (size_t)(to - marks);
}

AVX512 static inline uint64_t equal_avx512(__m512i v, char c)
{
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(c));
}

/* As put_marks(): compresses the numbers 0..63 by the mask, widens them, adds the base; and what stands there. */
AVX512 static inline uint16_t *put_marks_avx512(uint16_t *to, char *types, uint64_t mask, size_t base, __m512i v)
{
    static const uint8_t count[64] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
                                      32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
                                      48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const unsigned k = (unsigned)_mm_popcnt_u64(mask);
    __m512i list = _mm512_maskz_compress_epi8(mask, _mm512_loadu_si512(count)), add = _mm512_set1_epi16((short)base);
    _mm512_storeu_si512(types, _mm512_permutexvar_epi8(list, v));
    _mm512_storeu_si512(to, _mm512_add_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(list)), add));
    if (k > 32) {
        __m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(list, 1));
        _mm512_storeu_si512(to + 32, _mm512_add_epi16(high, add));
    }
    return to + k;
}

AVX512 static size_t scan_avx512(const char *p, size_t n, char *copy, uint16_t *marks, char *types, bool *odd)
{
    const __m512i end = _mm512_set1_epi8(';');
    uint16_t *to = marks;
    uint64_t any = 0, carry = 0;
    for (size_t i = 0; i <= n; i += 64) {
        uint64_t here = i + 64 <= n ? UINT64_MAX : _bzhi_u64(UINT64_MAX, (unsigned)(n - i));
        __m512i v = _mm512_mask_loadu_epi8(end, here, p + i); /* what is behind the area reads as ';' */
        _mm512_storeu_si512(copy + i, v);
        struct masks m = {equal_avx512(v, ',') | equal_avx512(v, ';'), equal_avx512(v, '='), equal_avx512(v, '-'),
                          equal_avx512(v, ' ') | equal_avx512(v, '/')};
        m.marks &= here | (here + 1); /* one ';' behind the area ends its last pair */
        any |= m.odd;
        to = put_marks_avx512(to, types + (to - marks), all_marks(m, &carry), i, v);
    }
    /* no lane behind the last mark may look like a pair, and its places must be readable */
    _mm512_storeu_si512(to, _mm512_set1_epi16((short)n));
    _mm256_storeu_si256((__m256i *)(void *)(types + (to - marks)), _mm256_setzero_si256());
    *odd = any != 0;
    return (size_t)(to - marks);
}

size_t hj212_scan(enum hj212_level level, const char *p, size_t n, char *copy, uint16_t *marks, char *types, bool *odd)
{
    size_t k = level == HJ212_AVX512 ? scan_avx512(p, n, copy, marks, types, odd)
               : level == HJ212_AVX2 ? scan_avx2(p, n, copy, marks, odd)
                                     : scan_sse2(p, n, copy, marks, odd);
    if (level != HJ212_AVX512) /* a walker may look ahead: it sees the end again */
        marks[k] = marks[k + 1] = (uint16_t)n;
    return k;
}

/* Folds 64 bytes to 8. */
AVX512 static inline uint64_t fold_avx512(__m512i v)
{
    __m256i a = _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    __m128i b = _mm_xor_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    return (uint64_t)_mm_cvtsi128_si64(b) ^ (uint64_t)_mm_extract_epi64(b, 1);
}

AVX512 static uint64_t sweep_avx512(const char *p, size_t n, bool *control)
{
    const size_t head = n & 63;
    __m512i v = _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, (unsigned)head), p), acc = _mm512_setzero_si512();
    const __m512i space = _mm512_set1_epi8(' '), del = _mm512_set1_epi8(0x7F);
    uint64_t bad =
        _mm512_mask_cmplt_epu8_mask(_bzhi_u64(UINT64_MAX, (unsigned)head), v, space) | _mm512_cmpeq_epi8_mask(v, del);
    uint64_t fold = fold_avx512(v);
    for (size_t i = head; i < n; i += 64) {
        v = _mm512_loadu_si512(p + i);
        acc = _mm512_xor_si512(acc, v);
        bad |= _mm512_cmplt_epu8_mask(v, space) | _mm512_cmpeq_epi8_mask(v, del);
    }
    *control = bad != 0;
    /* the words of the head are counted from its front: turn them to be counted from the end */
    const unsigned turn = 8 * ((8 - (unsigned)head) & 7);
    return fold_avx512(acc) ^ (turn ? fold << turn | fold >> (64 - turn) : fold);
}

AVX2 static uint64_t sweep_avx2(const char *p, size_t n, bool *control)
{
    const size_t head = n & 31;
    const __m256i space = _mm256_set1_epi8(' ' - 1), del = _mm256_set1_epi8(0x7F);
    __m256i acc = _mm256_setzero_si256(), bad = acc;
    uint64_t fold = hj212_fold(p, head);
    size_t at;
    for (size_t i = head; i < n; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        acc = _mm256_xor_si256(acc, v);
        bad = _mm256_or_si256(
            bad, _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(v, space), v), _mm256_cmpeq_epi8(v, del)));
    }
    *control = !_mm256_testz_si256(bad, bad) || hj212_control_byte(p, head, &at);
    __m128i b = _mm_xor_si128(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));
    return fold ^ (uint64_t)_mm_cvtsi128_si64(b) ^ (uint64_t)_mm_extract_epi64(b, 1);
}

SSE2 static uint64_t sweep_sse2(const char *p, size_t n, bool *control)
{
    const size_t head = n & 15;
    const __m128i space = _mm_set1_epi8(' ' - 1), del = _mm_set1_epi8(0x7F);
    __m128i acc = _mm_setzero_si128(), bad = acc;
    uint64_t fold = hj212_fold(p, head), two[2];
    size_t at;
    for (size_t i = head; i < n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        acc = _mm_xor_si128(acc, v);
        bad = _mm_or_si128(bad, _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, space), v), _mm_cmpeq_epi8(v, del)));
    }
    *control = _mm_movemask_epi8(bad) != 0 || hj212_control_byte(p, head, &at);
    _mm_storeu_si128((__m128i *)(void *)two, acc);
    return fold ^ two[0] ^ two[1];
}

uint64_t hj212_sweep(enum hj212_level level, const char *p, size_t n, bool *control)
{
    switch (level) {
    case HJ212_AVX512:
        return sweep_avx512(p, n, control);
    case HJ212_AVX2:
        return sweep_avx2(p, n, control);
    case HJ212_SSE2:
        return sweep_sse2(p, n, control);
    case HJ212_SCALAR:
    case HJ212_LEVELS:
        break;
    }
    size_t at;
    *control = hj212_control_byte(p, n, &at);
    return hj212_fold(p, n);
}
#else
enum hj212_level hj212_level_best(void)
{
    return HJ212_SCALAR;
}

uint64_t hj212_sweep(enum hj212_level level, const char *p, size_t n, bool *control)
{
    size_t at;
    *control = hj212_control_byte(p, n, &at);
    return hj212_fold(p, n);
}
#endif
