/* The quick walkers over a data area: they get the separators from a vector pass and take the ordinary pairs
 * ("a34013-Rtd=3.21", "a34013-Flag=N", "DataTime=20260301080000") by word, eight at a time where AVX-512 is; every
 * other pair goes to hj212_take_pair(), so that all walkers give the same items and the same errors. Words are read
 * from a padded copy, never past the caller's bytes. */
#include "hj212_split.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { SUFFIX_NUMBER = 0x80, SUFFIX_MARK = 0x40, SUFFIX_FIELD = 0x3F };
#include "hj212_suffixes.inc"

_Static_assert((int)HJ212_F_COUNT <= (int)SUFFIX_FIELD, "a field fits the low bits of suffix_info");
_Static_assert(sizeof(struct hj212_item) == 24 && offsetof(struct hj212_item, name_at) == 8 &&
                   offsetof(struct hj212_item, name_len) == 16 && offsetof(struct hj212_item, decimals) == 20 &&
                   offsetof(struct hj212_item, group) == 22,
               "items are written as three words of this layout");

#define ONES UINT64_C(0x0101010101010101)

/* A mask of the first n (0..8) bytes of a word. */
static inline uint64_t first_bytes(size_t n)
{
    return n >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * n)) - 1;
}

/* A number of 1..8 bytes, the first bytes of w. All steps are arithmetic, so lengths, points and signs cost no
 * branches: take the sign off, find the point (bit 7 of its byte; none: 0), close its gap, move the digits to the top,
 * subtract '0', join neighbours three times. */
static inline bool word_number(uint64_t w, size_t n, int64_t *ret, unsigned *ret_decimals)
{
    const uint64_t minus = (w & 0xFF) == '-';
    w >>= 8 * minus;
    n -= minus;
    const uint64_t x = w ^ ONES * '.';
    uint64_t point = (x - ONES) & ~x & (ONES << 7) & first_bytes(n);
    point &= -point;
    const uint64_t front = (point >> 7) - 1; /* all ones without a point */
    const size_t digits = n - (point != 0);
    if (digits == 0)
        return false;
    const unsigned up = 64 - 8 * (unsigned)digits;
    uint64_t v = (((w & front) | ((w >> 8) & ~front)) << up) ^ ((ONES * '0') << up);
    if (((v + ONES * 0x76) | v) & (ONES << 7))
        return false;
    v = v * 10 + (v >> 8);
    v = ((v & UINT64_C(0x00FF00FF00FF00FF)) * (1 + (UINT64_C(100) << 16))) >> 16;
    v = ((v & UINT64_C(0x0000FFFF0000FFFF)) * (1 + (UINT64_C(10000) << 32))) >> 32;
    *ret = (int64_t)((v ^ -minus) + minus);
    *ret_decimals = point ? (unsigned)(8 * digits - (unsigned)__builtin_ctzll(point) + 7) / 8 : 0;
    return true;
}

static inline void put_item(struct hj212_item *to, int64_t number, uint64_t places, uint64_t small)
{
    memcpy(to, &number, 8);
    memcpy((char *)to + 8, &places, 8);
    memcpy((char *)to + 16, &small, 8);
}

/* An ordinary pair factor-Field=value of the copy: its dash, its equals sign and its end are given. */
static inline bool quick_pair(const char *a, size_t from, size_t dash, size_t eq, size_t end, uint64_t group,
                              struct hj212_item *to)
{
    const size_t field = eq - dash - 1, value = end - eq - 1, name = dash - from;
    const uint64_t key = hj212_load(a + dash + 1) & first_bytes(field);
    const unsigned place = (unsigned)(key * SUFFIX_HASH >> 59), info = suffix_info[place];
    unsigned decimals = 0, kind = HJ212_V_TEXT;
    int64_t number = 0;
    if (field - 1 > 7 || suffix_key[place] != key || name - 1 > UINT8_MAX - 1)
        return false;
    if (key >> 8 * (field - 1) == 0) /* "Flag" and a zero byte: the word is the same, the field is not */
        return false;
    if (info & SUFFIX_NUMBER) {
        if (value - 1 > 7 || !word_number(hj212_load(a + eq + 1), value, &number, &decimals))
            return false;
        kind = HJ212_V_NUMBER;
    } else if (!(info & SUFFIX_MARK) || value != 1) {
        return false;
    }
    put_item(to, number, from | (dash + 1) << 16 | (eq + 1) << 32 | value << 48,
             name | field << 8 | (uint64_t)(info & SUFFIX_FIELD) << 16 | kind << 24 | (uint64_t)decimals << 32 |
                 group << 48);
    return true;
}

/* DataTime=YYYYMMDDhhmmss, in nearly every area. */
static inline bool quick_time(const char *a, size_t from, size_t eq, size_t end, uint64_t group, struct hj212_item *to)
{
    int64_t at;
    const uint64_t value = end - eq - 1;
    if (eq - from != 8 || value != 14 || memcmp(a + from, "DataTime", 8) != 0 || !hj212_time(a + eq + 1, 14, &at))
        return false;
    put_item(to, at, from | eq << 16 | (eq + 1) << 32 | value << 48,
             8 | (uint64_t)HJ212_F_NONE << 16 | HJ212_V_TIME << 24 | group << 48);
    return true;
}

/* Where a walker stands: the pair at `from`, its first mark, the items so far. */
struct walk {
    const char *a, *types;
    const uint16_t *mark;
    size_t from, count;
    uint64_t group;
};

/* Takes one pair of any kind. *ret_last: it was the last one. */
static inline enum hj212_err one_pair(struct hj212_split *s, struct walk *w, bool *ret_last)
{
    const uint16_t *m = w->mark;
    const char *a = w->a;
    size_t end = m[2];
    const char first = a[m[0]], second = a[m[1]], third = a[end];
    if (w->count < s->cap && first == '-' && second == '=' && (third == ',' || third == ';') &&
        quick_pair(a, w->from, m[0], m[1], end, w->group, &s->items[w->count])) {
        w->count++;
        w->mark += 3;
    } else if (w->count < s->cap && first == '=' && (second == ',' || second == ';') &&
               quick_time(a, w->from, m[0], m[1], w->group, &s->items[w->count])) {
        end = m[1];
        w->count++;
        w->mark += 2;
    } else {
        size_t eq;
        s->count = w->count;
        s->group = (uint16_t)w->group;
        end = hj212_pair_end(s, w->from, &eq);
        enum hj212_err err = hj212_take_pair(s, w->from, eq, end);
        w->count = s->count;
        if (err != HJ212_E_OK)
            return err;
        while (*w->mark < end)
            w->mark++;
        w->mark++;
    }
    *ret_last = end == s->n;
    w->group += a[end] == ';';
    w->from = end + 1;
    return HJ212_E_OK;
}

static inline enum hj212_err walk_pairs(struct hj212_split *s, struct walk *w)
{
    bool last = false;
    enum hj212_err err = HJ212_E_OK;
    while (!last && err == HJ212_E_OK)
        err = one_pair(s, w, &last);
    return err;
}

__attribute__((target("bmi,bmi2"))) static enum hj212_err walk_pairs_bmi(struct hj212_split *s, struct walk *w)
{
    return walk_pairs(s, w);
}

/* ---- eight pairs at a time ---- */

#define AVX512                                                                                                         \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))

/* word_number() on eight words; returns the lanes that are numbers. Lanes not of `want` are left 0. */
AVX512 static inline __mmask8 eight_numbers(__mmask8 want, __m512i w, __m512i n, __m512i *ret, __m512i *ret_decimals)
{
    const __m512i one = _mm512_set1_epi64(1), top = _mm512_set1_epi8((char)0x80), bytes1 = _mm512_set1_epi8(1);
    const __mmask8 minus =
        _mm512_cmpeq_epi64_mask(_mm512_and_si512(w, _mm512_set1_epi64(0xFF)), _mm512_set1_epi64('-'));
    w = _mm512_mask_srli_epi64(w, minus, w, 8);
    n = _mm512_mask_sub_epi64(n, minus, n, one);
    const __m512i x = _mm512_xor_si512(w, _mm512_set1_epi8('.'));
    const __m512i below = _mm512_sub_epi64(_mm512_sllv_epi64(one, _mm512_slli_epi64(n, 3)), one);
    __m512i point = _mm512_and_si512(_mm512_andnot_si512(x, _mm512_sub_epi64(x, bytes1)), _mm512_and_si512(top, below));
    point = _mm512_and_si512(point, _mm512_sub_epi64(_mm512_setzero_si512(), point));
    const __mmask8 has_point = _mm512_test_epi64_mask(point, point);
    const __m512i front = _mm512_sub_epi64(_mm512_srli_epi64(point, 7), one);
    const __m512i digits = _mm512_mask_sub_epi64(n, has_point, n, one);
    const __m512i up = _mm512_slli_epi64(_mm512_sub_epi64(_mm512_set1_epi64(8), digits), 3);
    const __m512i closed = _mm512_ternarylogic_epi64(front, w, _mm512_srli_epi64(w, 8), 0xCA); /* front ? w : w >> 8 */
    __m512i v = _mm512_sllv_epi64(_mm512_xor_si512(closed, _mm512_set1_epi8('0')), up);
    const __m512i bad = _mm512_or_si512(_mm512_add_epi8(v, _mm512_set1_epi8(0x76)), v);
    const __mmask8 good = want & (__mmask8)~_mm512_test_epi64_mask(bad, top) &
                          _mm512_cmplt_epu64_mask(_mm512_sub_epi64(digits, one), _mm512_set1_epi64(8));
    v = _mm512_maddubs_epi16(v, _mm512_set1_epi16(10 | 1 << 8));
    v = _mm512_madd_epi16(v, _mm512_set1_epi32(100 | 1 << 16));
    v = _mm512_add_epi64(_mm512_mul_epu32(v, _mm512_set1_epi64(10000)), _mm512_srli_epi64(v, 32));
    v = _mm512_mask_sub_epi64(v, minus, _mm512_setzero_si512(), v);
    *ret = _mm512_maskz_mov_epi64(good, v);
    /* the point's byte is (63 - leading zeros) / 8 */
    const __m512i whole = _mm512_srli_epi64(_mm512_sub_epi64(_mm512_set1_epi64(63), _mm512_lzcnt_epi64(point)), 3);
    *ret_decimals = _mm512_maskz_sub_epi64(good & has_point, digits, whole);
    return good;
}

/* The words at eight places, every third of the list. Ordinary loads: gathers are slower. */
AVX512 static inline __m512i eight_words(const char *a, const uint16_t *at)
{
    __m128i x[4];
    for (int i = 0; i < 4; i++)
        x[i] = _mm_set_epi64x((long long)hj212_load(a + at[6 * i + 3]), (long long)hj212_load(a + at[6 * i]));
    const __m256i lo = _mm256_inserti128_si256(_mm256_castsi128_si256(x[0]), x[1], 1);
    const __m256i hi = _mm256_inserti128_si256(_mm256_castsi128_si256(x[2]), x[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

/* suffix_key[] at eight places. */
AVX512 static inline __m512i known_suffixes(__m512i place)
{
    const __m512i lo =
        _mm512_permutex2var_epi64(_mm512_loadu_si512(suffix_key), place, _mm512_loadu_si512(suffix_key + 8));
    const __m512i hi =
        _mm512_permutex2var_epi64(_mm512_loadu_si512(suffix_key + 16), place, _mm512_loadu_si512(suffix_key + 24));
    return _mm512_mask_mov_epi64(lo, _mm512_test_epi64_mask(place, _mm512_set1_epi64(16)), hi);
}

/* How often ';' ended a lane before each lane: bits of m, spread to bytes, summed by a multiplication. */
AVX512 static inline __m512i groups_before(unsigned m)
{
    const uint64_t sums = (_pdep_u64(m, ONES) * ONES) << 8;
    return _mm512_cvtepu8_epi64(_mm_cvtsi64_si128((long long)sums));
}

/* Writes the words of up to eight items one behind the other: a0 b0 c0 a1 b1 c1 … */
AVX512 static inline void put_eight(struct hj212_item *to, unsigned k, __m512i a, __m512i b, __m512i c)
{
    const __m512i ab0 = _mm512_setr_epi64(0, 8, 0, 1, 9, 0, 2, 10), ab1 = _mm512_setr_epi64(0, 3, 11, 0, 4, 12, 0, 5),
                  ab2 = _mm512_setr_epi64(13, 0, 6, 14, 0, 7, 15, 0);
    const __m512i c0 = _mm512_setr_epi64(0, 1, 8, 3, 4, 9, 6, 7), c1 = _mm512_setr_epi64(10, 1, 2, 11, 4, 5, 12, 7),
                  c2 = _mm512_setr_epi64(0, 13, 2, 3, 14, 5, 6, 15);
    const uint32_t words = _bzhi_u32(UINT32_MAX, 3 * k);
    char *p = (char *)to;
    _mm512_mask_storeu_epi64(p, (__mmask8)words,
                             _mm512_permutex2var_epi64(_mm512_permutex2var_epi64(a, ab0, b), c0, c));
    _mm512_mask_storeu_epi64(p + 64, (__mmask8)(words >> 8),
                             _mm512_permutex2var_epi64(_mm512_permutex2var_epi64(a, ab1, b), c1, c));
    _mm512_mask_storeu_epi64(p + 128, (__mmask8)(words >> 16),
                             _mm512_permutex2var_epi64(_mm512_permutex2var_epi64(a, ab2, b), c2, c));
}

/* Lanes whose three marks are '-' '=' and a separator; *ret_semi: it is ';'. */
AVX512 static inline unsigned regular_lanes(const char *types, unsigned *ret_semi)
{
    const __m256i t = _mm256_loadu_si256((const __m256i *)(const void *)types);
    const unsigned dash = _mm256_cmpeq_epi8_mask(t, _mm256_set1_epi8('-')),
                   eq = _mm256_cmpeq_epi8_mask(t, _mm256_set1_epi8('='));
    const unsigned semi = _mm256_cmpeq_epi8_mask(t, _mm256_set1_epi8(';'));
    const unsigned sep = semi | _mm256_cmpeq_epi8_mask(t, _mm256_set1_epi8(','));
    *ret_semi = _pext_u32(semi, 0x924924);
    return _pext_u32(dash, 0x249249) & _pext_u32(eq, 0x492492) & _pext_u32(sep, 0x924924);
}

/* Takes as many ordinary pairs as stand next to each other, at most eight and at most `room`; returns how many. */
AVX512 static inline unsigned eight_pairs(struct walk *w, struct hj212_item *to, size_t room)
{
    unsigned semi, lanes = regular_lanes(w->types, &semi);
    lanes &= room >= 8 ? 0xFF : _bzhi_u32(0xFF, (unsigned)room);
    lanes &= lanes ^ (lanes + 1); /* the leading ones */
    if (lanes == 0)
        return 0;
    const __m512i one = _mm512_set1_epi64(1);
    const __m512i marks = _mm512_loadu_si512(w->mark);
    const __mmask32 low = 0x11111111; /* a mark into the low word of each lane */
    const __m512i dash = _mm512_maskz_permutexvar_epi16(low, _mm512_setr_epi64(0, 3, 6, 9, 12, 15, 18, 21), marks);
    const __m512i eq = _mm512_maskz_permutexvar_epi16(low, _mm512_setr_epi64(1, 4, 7, 10, 13, 16, 19, 22), marks);
    const __m512i end = _mm512_maskz_permutexvar_epi16(low, _mm512_setr_epi64(2, 5, 8, 11, 14, 17, 20, 23), marks);
    const __m512i before = _mm512_alignr_epi64(end, _mm512_set1_epi64((long long)w->from - 1), 7);
    const __m512i from = _mm512_add_epi64(before, one), field_at = _mm512_add_epi64(dash, one),
                  value_at = _mm512_add_epi64(eq, one);
    const __m512i name = _mm512_sub_epi64(dash, from), field = _mm512_sub_epi64(eq, field_at),
                  value = _mm512_sub_epi64(end, value_at);
    const __mmask8 on = (__mmask8)lanes;
    const __m512i text = eight_words(w->a + 1, w->mark), word = eight_words(w->a + 1, w->mark + 1);
    const __m512i key =
        _mm512_and_si512(text, _mm512_sub_epi64(_mm512_sllv_epi64(one, _mm512_slli_epi64(field, 3)), one));
    const __m512i place = _mm512_srli_epi64(_mm512_mullo_epi64(key, _mm512_set1_epi64((long long)SUFFIX_HASH)), 59);
    const __m512i known = known_suffixes(place);
    const __m512i table = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)suffix_info));
    const __m512i info = _mm512_maskz_permutexvar_epi8(0x0101010101010101, place, table);
    const __mmask8 is_number = _mm512_test_epi64_mask(info, _mm512_set1_epi64(SUFFIX_NUMBER));
    const __mmask8 is_mark =
        _mm512_test_epi64_mask(info, _mm512_set1_epi64(SUFFIX_MARK)) & _mm512_cmpeq_epi64_mask(value, one);
    const __m512i field_end = _mm512_srlv_epi64(key, _mm512_slli_epi64(_mm512_sub_epi64(field, one), 3));
    const __mmask8 fits = on & _mm512_cmpeq_epi64_mask(key, known) &
                          _mm512_test_epi64_mask(field_end, field_end) & /* no zero bytes behind the suffix */
                          _mm512_cmplt_epu64_mask(_mm512_sub_epi64(field, one), _mm512_set1_epi64(8)) &
                          _mm512_cmplt_epu64_mask(_mm512_sub_epi64(name, one), _mm512_set1_epi64(UINT8_MAX));
    const __mmask8 short_value = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(value, one), _mm512_set1_epi64(8));
    __m512i number, decimals;
    const __mmask8 numbers = eight_numbers(fits & is_number & short_value, word, value, &number, &decimals);
    unsigned good = numbers | (fits & is_mark);
    good &= good ^ (good + 1);
    const unsigned k = (unsigned)_mm_popcnt_u32(good);
    if (k == 0)
        return 0;
    const __m512i places =
        _mm512_or_si512(_mm512_or_si512(from, _mm512_slli_epi64(field_at, 16)),
                        _mm512_or_si512(_mm512_slli_epi64(value_at, 32), _mm512_slli_epi64(value, 48)));
    const __m512i group = _mm512_add_epi64(_mm512_set1_epi64((long long)w->group), groups_before(semi));
    const __m512i id = _mm512_and_si512(info, _mm512_set1_epi64(SUFFIX_FIELD));
    __m512i small = _mm512_or_si512(_mm512_or_si512(name, _mm512_slli_epi64(field, 8)), _mm512_slli_epi64(id, 16));
    small = _mm512_or_si512(small, _mm512_or_si512(_mm512_slli_epi64(decimals, 32), _mm512_slli_epi64(group, 48)));
    small = _mm512_mask_or_epi64(small, numbers, small, _mm512_set1_epi64(HJ212_V_NUMBER << 24));
    put_eight(to, k, number, places, small);
    w->group += (unsigned)_mm_popcnt_u32(semi & good);
    w->from = (size_t)w->mark[3 * k - 1] + 1;
    w->mark += 3 * k;
    w->types += 3 * k;
    w->count += k;
    return k;
}

AVX512 static enum hj212_err walk_eights(struct hj212_split *s, struct walk *w)
{
    const char *types = w->types;
    const uint16_t *marks = w->mark;
    bool last = false;
    enum hj212_err err = HJ212_E_OK;
    while (!last && err == HJ212_E_OK) {
        w->types = types + (w->mark - marks);
        unsigned k = *w->types == '-' ? eight_pairs(w, &s->items[w->count], s->cap - w->count) : 0;
        if (k > 0 && w->from > s->n)
            break;
        if (k < 8)
            err = one_pair(s, w, &last);
    }
    return err;
}

enum hj212_err hj212_walk(enum hj212_level level, struct hj212_split *s)
{
    char copy[HJ212_COPY_CAP], types[HJ212_MARKS_CAP];
    uint16_t marks[HJ212_MARKS_CAP];
    bool odd;
    struct walk w = {.a = copy, .types = types, .mark = marks};
    hj212_scan(level, s->a, s->n, copy, marks, types, &odd);
    if (odd)
        return hj212_walk_plain(s);
    enum hj212_err err = level == HJ212_AVX512 ? walk_eights(s, &w)
                         : level == HJ212_AVX2 ? walk_pairs_bmi(s, &w)
                                               : walk_pairs(s, &w);
    s->count = w.count;
    return err;
}
#else
enum hj212_err hj212_walk(enum hj212_level level, struct hj212_split *s)
{
    return hj212_walk_plain(s);
}
#endif
