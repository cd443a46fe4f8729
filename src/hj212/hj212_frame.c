/* Reads one frame: finds its segment and CRC, walks the header by name, checks each field. All that can be read is
 * read, whatever is wrong elsewhere; of several faults the one reported is the first of: length, CRC, control byte,
 * header. Also undoes the cipher of HJ 212-2025. */
#include "hj212_priv.h"
#include "base/text.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

const char *hj212_err_name(enum hj212_err e)
{
    static const char *const names[] = {
#define X(n, s) s,
        HJ212_ERRORS(X)
#undef X
    };
    return (unsigned)e < HJ212_E_COUNT ? names[e] : "?";
}

static const char *const tolerance_names[] = {
#define X(n, s) s,
    HJ212_TOLERANCES(X)
#undef X
};

const char *hj212_tolerance_name(enum hj212_tolerance t)
{
    return (unsigned)t < HJ212_TOL_COUNT ? tolerance_names[t] : "?";
}

bool hj212_tolerance_from_name(struct lt_slice name, enum hj212_tolerance *ret)
{
    for (unsigned i = 0; i < HJ212_TOL_COUNT; i++)
        if (lt_slice_is(name, tolerance_names[i])) {
            *ret = (enum hj212_tolerance)i;
            return true;
        }
    return false;
}

struct reader {
    struct hj212_frame *f;
    const char *p, *end;     /* what is left of the segment */
    uint32_t tolerate, seen; /* seen: bit per enum head */
    enum hj212_err err;      /* first fault of the header; a fault of syntax goes before one of a field */
    const char *err_at;
    uint32_t pnum, pno;
    const char *start; /* of the segment */
    uint64_t stops[2]; /* where ; , = stand in its first 128 bytes; all zero when it is shorter */
};

static void fault(struct reader *r, enum hj212_err err, const char *at)
{
    if (r->err != HJ212_E_OK && (err != HJ212_E_SYNTAX || r->err == HJ212_E_SYNTAX))
        return;
    r->err = err;
    r->err_at = at;
}

/* Notes that `bit` was needed; a fault `err` when it is not allowed. */
static void need(struct reader *r, uint32_t bit, enum hj212_err err, const char *at)
{
    if (r->tolerate & bit)
        r->f->tolerated |= bit;
    else
        fault(r, err, at);
}

static bool digits_value(struct lt_slice v, size_t most, uint32_t *ret)
{
    uint32_t x = 0;
    if (v.n == 0 || v.n > most)
        return false;
    for (size_t i = 0; i < v.n; i++) {
        if (!hj212_is_digit(v.p[i]))
            return false;
        x = x * 10 + (uint32_t)(v.p[i] - '0');
    }
    *ret = x;
    return true;
}

static inline unsigned good_char(uint8_t c, const char also[2])
{
    return ((uint8_t)(c - '0') < 10) | ((uint8_t)((c | 0x20) - 'a') < 26) | (c == (uint8_t)also[0]) |
           (c == (uint8_t)also[1]);
}

#if defined(__SSE2__)
/* The same for sixteen bytes: a bit each. */
static inline unsigned sixteen_good(const char *p, const char also[2])
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    const __m128i letter = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i good = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit),
                     _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter)),
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(also[0])), _mm_cmpeq_epi8(v, _mm_set1_epi8(also[1]))));
    return (unsigned)_mm_movemask_epi8(good);
}
#endif

/* Only 0-9 A-Z a-z, and what stands in `also`. */
static inline bool all_of(const struct reader *r, struct lt_slice v, const char also[2])
{
    unsigned good = 1;
#if defined(__SSE2__)
    if (v.n <= 32 && r->end - v.p >= 32) { /* the bytes behind v belong to the segment too */
        const unsigned both = sixteen_good(v.p, also) | sixteen_good(v.p + 16, also) << 16;
        const uint64_t want = (UINT64_C(1) << v.n) - 1;
        return (both & want) == want;
    }
#endif
    for (size_t i = 0; i < v.n; i++)
        good &= good_char((uint8_t)v.p[i], also);
    return good;
}

static void read_qn(struct reader *r, struct lt_slice v)
{
    r->f->qn = v;
    if (v.n != 17 || !hj212_time(v.p, v.n, &r->f->qn_at_ms))
        fault(r, HJ212_E_QN, v.p);
}

static void read_st(struct reader *r, struct lt_slice v)
{
    uint32_t x;
    if (v.n == 2 && v.p[0] >= 'A' && v.p[0] <= 'Z' && hj212_is_digit(v.p[1])) {
        r->f->st = (uint16_t)(HJ212_ST_LETTER + (v.p[0] - 'A') * 10 + (v.p[1] - '0'));
        return;
    }
    if (!digits_value(v, 3, &x) || v.n < 2) {
        fault(r, HJ212_E_ST, v.p);
        return;
    }
    r->f->st = (uint16_t)x;
    if (v.n == 3)
        need(r, HJ212_TOL(LONG_ST), HJ212_E_ST, v.p);
}

static void read_cn(struct reader *r, struct lt_slice v)
{
    uint32_t x;
    if (v.n == 4 && digits_value(v, 4, &x))
        r->f->cn = (uint16_t)x;
    else
        fault(r, HJ212_E_CN, v.p);
}

static void read_pw(struct reader *r, struct lt_slice v)
{
    r->f->pw = v;
    if (v.n > HJ212_PW_MAX || !all_of(r, v, "00"))
        fault(r, HJ212_E_PW, v.p);
}

static void read_mn(struct reader *r, struct lt_slice v)
{
    r->f->mn = v;
    if (v.n > 64 || !all_of(r, v, "_-"))
        fault(r, HJ212_E_MN, v.p);
    else if (v.n > HJ212_MN_MAX)
        need(r, HJ212_TOL(LONG_MN), HJ212_E_MN, v.p);
}

static void read_flag(struct reader *r, struct lt_slice v)
{
    uint32_t x;
    if (!digits_value(v, 3, &x) || x > 255) {
        fault(r, HJ212_E_FLAG, v.p);
        return;
    }
    r->f->flag = (uint8_t)x;
    r->f->has_flag = true;
    r->f->answer = x & 1;
    if (x >> 2 >= HJ212_EDITIONS)
        fault(r, HJ212_E_EDITION, v.p);
    else
        r->f->edition = (uint8_t)(x >> 2);
}

static void read_packet(struct reader *r, struct lt_slice v, uint32_t *ret)
{
    if (!digits_value(v, 8, ret))
        fault(r, HJ212_E_PACKET, v.p);
}

static void read_pnum(struct reader *r, struct lt_slice v)
{
    read_packet(r, v, &r->pnum);
}

static void read_pno(struct reader *r, struct lt_slice v)
{
    read_packet(r, v, &r->pno);
}

static void read_rf(struct reader *r, struct lt_slice v)
{
    if (v.n == 1 && (v.p[0] == '0' || v.p[0] == '1'))
        r->f->resent = v.p[0] == '1';
    else
        fault(r, HJ212_E_SYNTAX, v.p);
}

enum head { QN, ST, CN, PW, MN, FLAG, PNUM, PNO, RF, CP, HEADS };

static const struct {
    const char *name;
    uint8_t len;
    void (*read)(struct reader *r, struct lt_slice v);
} heads[HEADS] = {
    {"QN", 2, read_qn},     {"ST", 2, read_st},     {"CN", 2, read_cn},   {"PW", 2, read_pw}, {"MN", 2, read_mn},
    {"Flag", 4, read_flag}, {"PNUM", 4, read_pnum}, {"PNO", 3, read_pno}, {"RF", 2, read_rf}, {"CP", 2, NULL},
};

static bool same_but_case(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((a[i] ^ b[i]) & ~0x20)
            return false;
    return true;
}

static enum head head_find(struct reader *r, struct lt_slice name)
{
    for (unsigned i = 0; i < HEADS; i++)
        if (name.n == heads[i].len && memcmp(name.p, heads[i].name, name.n) == 0)
            return (enum head)i;
    for (unsigned i = 0; i < HEADS; i++)
        if (name.n == heads[i].len && same_but_case(name.p, heads[i].name, name.n)) {
            need(r, HJ212_TOL(HEADER_CASE), HJ212_E_SYNTAX, name.p);
            return (enum head)i;
        }
    return HEADS;
}

static struct lt_slice trim(struct reader *r, const char *p, const char *end)
{
    const char *a = p, *b = end;
    while (a < b && *a == ' ')
        a++;
    while (b > a && b[-1] == ' ')
        b--;
    if (b - a != end - p)
        need(r, HJ212_TOL(HEADER_BLANK), HJ212_E_SYNTAX, p);
    return (struct lt_slice){a, (size_t)(b - a)};
}

/* "&&" area "&&" to the end of the segment. The closing pair is the last one, because log texts and cipher text may
 * hold others. */
static void read_cp(struct reader *r, const char *p)
{
    struct lt_slice v = trim(r, p, r->end);
    r->p = r->end;
    if (v.n < 4 || memcmp(v.p, "&&", 2) != 0 || memcmp(v.p + v.n - 2, "&&", 2) != 0)
        fault(r, HJ212_E_SYNTAX, p);
    else
        r->f->cp = (struct lt_slice){v.p + 2, v.n - 4};
}

#define STOPS 128

/* Lists the stops of the first 128 bytes at once: then a field costs a shift, not a search. */
static void find_stops(struct reader *r)
{
#if defined(__SSE2__)
    if (r->end - r->start < STOPS)
        return;
    for (unsigned i = 0; i < STOPS / 16; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(r->start + 16 * i));
        __m128i x =
            _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('=')),
                         _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(';')), _mm_cmpeq_epi8(v, _mm_set1_epi8(','))));
        r->stops[i / 4] |= (uint64_t)(unsigned)_mm_movemask_epi8(x) << (16 * (i & 3));
    }
#endif
}

/* The next ; , or = or the end. */
static inline const char *stop_at(const struct reader *r, const char *p)
{
    const size_t at = (size_t)(p - r->start);
    if (at < STOPS) {
        uint64_t m = r->stops[at / 64] >> (at & 63);
        if (m)
            return p + __builtin_ctzll(m);
        if (at < 64 && r->stops[1])
            return r->start + 64 + __builtin_ctzll(r->stops[1]);
    }
    while (p < r->end && *p != ';' && *p != ',' && *p != '=')
        p++;
    return p;
}

/* The name at p with its '=' by one word, or HEADS when it is written in any other way. Needs eight bytes. */
static enum head quick_head(const char *p)
{
#define W(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)
    const uint64_t w = hj212_load(p);
    switch ((uint32_t)w & 0xFFFFFF) {
    case W('Q', 'N', '='):
        return QN;
    case W('S', 'T', '='):
        return ST;
    case W('C', 'N', '='):
        return CN;
    case W('P', 'W', '='):
        return PW;
    case W('M', 'N', '='):
        return MN;
    case W('R', 'F', '='):
        return RF;
    case W('C', 'P', '='):
        return CP;
    case W('F', 'l', 'a'):
        return (w >> 24 & 0xFFFF) == W('g', '=', 0) ? FLAG : HEADS;
    case W('P', 'N', 'O'):
        return (w >> 24 & 0xFF) == '=' ? PNO : HEADS;
    case W('P', 'N', 'U'):
        return (w >> 24 & 0xFFFF) == W('M', '=', 0) ? PNUM : HEADS;
    default:
        return HEADS;
    }
#undef W
}

/* Between two separators stands no name=value, or the end was reached. */
static void read_no_field(struct reader *r, const char *stop)
{
    const char *start = r->p;
    r->p = stop < r->end ? stop + 1 : stop;
    if (trim(r, start, stop).n != 0)
        fault(r, HJ212_E_SYNTAX, start);
    else if (stop < r->end)
        need(r, HJ212_TOL(HEADER_COMMA), HJ212_E_SYNTAX, start);
}

/* One header field; r->p is at its start. */
static void read_field(struct reader *r)
{
    const char *start = r->p, *eq;
    enum head h = r->end - start >= 8 ? quick_head(start) : HEADS;
    if (h < HEADS) {
        eq = start + heads[h].len;
    } else {
        eq = stop_at(r, start);
        if (eq == r->end || *eq != '=') {
            read_no_field(r, eq);
            return;
        }
        h = head_find(r, trim(r, start, eq));
    }
    if (h < HEADS && r->seen & (1U << h))
        fault(r, HJ212_E_HEADER_TWICE, start);
    r->seen |= 1U << h;
    if (h == CP) {
        read_cp(r, eq + 1);
        return;
    }
    const char *stop = stop_at(r, eq + 1), *next = stop + (stop < r->end);
    if (stop < r->end && *stop != ';') {
        /* a separator is missing (only before CP it can be guessed), or it is a comma */
        bool glued = *stop == '=' && stop - eq >= 3 && memcmp(stop - 2, "CP", 2) == 0;
        need(r,
             glued          ? HJ212_TOL(HEADER_GLUED)
             : *stop == ',' ? HJ212_TOL(HEADER_COMMA)
                            : 0,
             HJ212_E_SYNTAX, *stop == ',' ? stop : start);
        next = glued ? stop - 2 : next;
        stop = glued ? stop - 2 : stop;
    }
    r->p = next;
    if (h < HEADS)
        heads[h].read(r, trim(r, eq + 1, stop));
}

static bool is_answer(uint16_t cn)
{
    return cn >= 9011 && cn <= 9014;
}

static void check_packet(struct reader *r, const char *at)
{
    const bool have_num = r->seen >> PNUM & 1, have_no = r->seen >> PNO & 1, bit = r->f->flag & 2;
    if (!have_num && !have_no) {
        if (bit && r->f->edition != HJ212_2005) /* 2005 prints Flag=3 in every request */
            fault(r, HJ212_E_PACKET, at);
        return;
    }
    if (!have_num || !have_no || r->pnum == 0 || r->pno == 0 || r->pno > r->pnum || r->pnum > HJ212_PNUM_MAX) {
        fault(r, HJ212_E_PACKET, at);
        return;
    }
    r->f->pnum = (uint16_t)r->pnum;
    r->f->pno = (uint16_t)r->pno;
    if (r->f->has_flag && !bit)
        need(r, HJ212_TOL(PACKET_NO_BIT), HJ212_E_PACKET, at);
}

static void check_presence(struct reader *r, const char *at)
{
    static const struct {
        enum head head;
        enum hj212_err err;
    } due[] = {{CP, HJ212_E_SYNTAX}, {ST, HJ212_E_ST}, {CN, HJ212_E_CN}, {PW, HJ212_E_PW}, {MN, HJ212_E_MN}};
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++)
        if (!(r->seen >> due[i].head & 1))
            fault(r, due[i].err, at);
    if (r->f->mn.n == 0 && !is_answer(r->f->cn))
        fault(r, HJ212_E_MN, at);
}

static void read_header(struct reader *r, struct lt_slice segment)
{
    r->start = r->p = segment.p;
    r->end = segment.p + segment.n;
    find_stops(r);
    while (r->p < r->end)
        read_field(r);
    if (segment.n == 0)
        return;
    check_presence(r, segment.p);
    check_packet(r, segment.p);
}

/* Where segment and CRC of a raw frame stand. */
struct place {
    struct lt_slice segment, crc; /* crc empty: there is none */
    enum hj212_err err;           /* GARBAGE, LENGTH, TRUNCATED, TOO_LONG */
    bool length_wrong;            /* but a CRC that fits stands at the end */
};

static struct place find_place(struct lt_slice raw, uint32_t tolerate)
{
    struct place r = {.err = HJ212_E_GARBAGE};
    size_t d = 0, len = 0, n = raw.n;
    if (n < 2 || raw.p[0] != '#' || raw.p[1] != '#')
        return r;
    while (d < 4 && 2 + d < n && hj212_is_digit(raw.p[2 + d]))
        len = len * 10 + (size_t)(raw.p[2 + d++] - '0');
    const size_t body = 2 + d, place = 6 + len;
    /* fewer than four CRC digits count only behind "&&", else the length is wrong by a few bytes */
    if (d == 4 && n > place && (n == place + 4 || (n < place + 4 && memcmp(raw.p + place - 2, "&&", 2) == 0))) {
        r.segment = (struct lt_slice){raw.p + 6, len};
        r.crc = (struct lt_slice){raw.p + place, n - place};
        r.err = len > hj212_limit(tolerate) ? HJ212_E_TOO_LONG : HJ212_E_OK;
        return r;
    }
    uint16_t sent;
    bool crc = n >= body + 4 && hj212_hex_run(raw.p + n - 4, 4, &sent) == 4 && (n == body + 4 || raw.p[n - 5] == '&');
    r.segment = (struct lt_slice){raw.p + body, n - body - (crc ? 4 : 0)};
    r.err = d == 4 && len > hj212_limit(tolerate) ? HJ212_E_TOO_LONG : HJ212_E_LENGTH;
    if (!crc && r.err == HJ212_E_LENGTH && (d == 4 ? n <= place : n == body))
        r.err = HJ212_E_TRUNCATED;
    if (crc)
        r.crc = (struct lt_slice){raw.p + n - 4, 4};
    r.length_wrong = crc && r.segment.n <= hj212_limit(tolerate) && hj212_crc(r.segment.p, r.segment.n) == sent;
    return r;
}

static bool has_lower(struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'a')
            return true;
    return false;
}

/* Judges the digits `s` against the segment; sets bits needed in *bits. */
static enum hj212_err judge_crc(struct lt_slice segment, struct lt_slice s, uint32_t tolerate, uint16_t crc,
                                uint32_t *bits)
{
    uint16_t sent = 0;
    uint32_t want = HJ212_TOL(CRC_IGNORED);
    enum hj212_err err = HJ212_E_CRC;
    size_t k = hj212_hex_run(s.p, s.n, &sent);
    if (k == s.n && k > 0) {
        if (sent == crc)
            want = k < 4 ? HJ212_TOL(CRC_SHORT) : 0;
        else if (k == 4 && sent == hj212_crc_modbus(segment.p, segment.n))
            want = HJ212_TOL(CRC_MODBUS), err = HJ212_E_CRC_ALGORITHM;
        else if (k == 4 && (uint16_t)(sent << 8 | sent >> 8) == crc)
            want = HJ212_TOL(CRC_SWAPPED), err = HJ212_E_CRC_ALGORITHM;
        if (want != HJ212_TOL(CRC_IGNORED) && has_lower(s))
            want |= HJ212_TOL(LOWER_CRC);
    }
    if (want & ~tolerate && tolerate & HJ212_TOL(CRC_IGNORED))
        want = HJ212_TOL(CRC_IGNORED);
    if (want & ~tolerate)
        return err;
    *bits |= want;
    return HJ212_E_OK;
}

/* HJ 212-2025 6.4: what the field sends enciphered. */
static bool may_be_cipher(const struct hj212_frame *f)
{
    size_t at;
    bool cn = (f->cn >= 2000 && f->cn <= 2999) || f->cn == 1014 || f->cn == 3020;
    return f->edition == HJ212_2025 && f->has_flag && cn && f->cp.n >= 16 &&
           (hj212_control_byte(f->cp.p, f->cp.n, &at) || !lt_text_is_utf8(f->cp));
}

static enum hj212_err finish(struct hj212_frame *f, enum hj212_err err, const char *at)
{
    f->err = err;
    f->err_at = err == HJ212_E_OK ? 0 : (uint32_t)(at - f->raw.p);
    return err;
}

static struct lt_slice without_tail(struct lt_slice s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/* Field by field: for a compound literal of this size gcc writes "rep stos", which costs as much as a time. */
static void clear(struct hj212_frame *f, struct lt_slice raw, uint32_t tolerate)
{
    f->raw = raw;
    f->segment = (struct lt_slice){NULL, 0};
    f->qn = (struct lt_slice){NULL, 0};
    f->pw = (struct lt_slice){NULL, 0};
    f->mn = (struct lt_slice){NULL, 0};
    f->cp = (struct lt_slice){NULL, 0};
    f->err = HJ212_E_OK;
    f->err_at = f->tolerated = 0;
    f->st = f->cn = f->pnum = f->pno = f->crc = 0;
    f->flag = f->edition = 0;
    f->has_flag = f->answer = f->resent = f->encrypted = false;
    f->qn_at_ms = INT64_MIN;
    f->tolerate = tolerate;
}

enum hj212_err hj212_parse(struct lt_slice raw, uint32_t tolerate, struct hj212_frame *ret)
{
    size_t control = 0;
    bool has_control;
    raw = without_tail(raw);
    clear(ret, raw, tolerate);
    struct place place = find_place(raw, tolerate);
    if (place.err == HJ212_E_GARBAGE)
        return finish(ret, HJ212_E_GARBAGE, raw.p);
    struct reader r = {.f = ret, .tolerate = tolerate};
    ret->segment = place.segment;
    read_header(&r, place.segment);
    if (place.err != HJ212_E_OK) {
        if (!place.length_wrong || !(tolerate & HJ212_TOL(LENGTH_WRONG)))
            return finish(ret, place.err, raw.p + 2);
        ret->tolerated |= HJ212_TOL(LENGTH_WRONG);
    }
    const uint64_t fold = hj212_sweep(hj212_level_best(), place.segment.p, place.segment.n, &has_control);
    ret->crc = place.segment.n ? hj212_crc_of_fold(fold, place.segment.n) : 0xFFFF;
    enum hj212_err err =
        judge_crc(place.segment, place.crc, tolerate & ~HJ212_TOL(CRC_IGNORED), ret->crc, &ret->tolerated);
    if (err != HJ212_E_OK && may_be_cipher(ret)) {
        ret->encrypted = true;
        return finish(ret, HJ212_E_CIPHER, ret->cp.p);
    }
    if (err != HJ212_E_OK)
        err = judge_crc(place.segment, place.crc, tolerate, ret->crc, &ret->tolerated);
    if (err != HJ212_E_OK)
        return finish(ret, err, place.crc.p);
    if (place.segment.n > HJ212_SEGMENT_STD)
        ret->tolerated |= HJ212_TOL(LONG_SEGMENT);
    if (has_control && hj212_control_byte(place.segment.p, place.segment.n, &control))
        return finish(ret, HJ212_E_CONTROL_BYTE, place.segment.p + control);
    return finish(ret, r.err, r.err_at);
}

enum hj212_err hj212_decrypt(const struct hj212_frame *f, const uint8_t key[16], char *ret, size_t cap,
                             struct hj212_frame *ret_plain)
{
    const size_t n = f->raw.n;
    if (n > cap || f->cp.p == NULL) {
        clear(ret_plain, (struct lt_slice){NULL, 0}, f->tolerate);
        return ret_plain->err = n > cap ? HJ212_E_TOO_LONG : HJ212_E_CIPHER;
    }
    const size_t at = (size_t)(f->cp.p - f->raw.p);
    memcpy(ret, f->raw.p, n);
    hj212_sm4_decrypt(key, (const uint8_t *)f->cp.p, f->cp.n, (uint8_t *)ret + at);
    enum hj212_err err = hj212_parse((struct lt_slice){ret, n}, f->tolerate & ~HJ212_TOL(CRC_IGNORED), ret_plain);
    ret_plain->encrypted = true;
    if (err == HJ212_E_CRC || err == HJ212_E_CRC_ALGORITHM)
        ret_plain->err = err = HJ212_E_CIPHER;
    return err;
}
