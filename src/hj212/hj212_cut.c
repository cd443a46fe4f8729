/* Cuts a byte stream into frames and into runs of bytes that belong to none. It looks at nothing but the bytes: the
 * length field says where the CRC stands, and a length that leads to no CRC is not believed. */
#include "hj212_priv.h"

struct view {
    const char *p;
    size_t n;
    bool end;
    uint32_t tolerate;
};

static struct hj212_cut more(size_t used)
{
    return (struct hj212_cut){.kind = HJ212_CUT_MORE, .used = used};
}

static size_t hashes(const struct view *v, size_t at)
{
    size_t k = 0; /* longer runs than this are cut at the limit anyway */
    while (k < HJ212_JUNK_MAX + 4 && at + k < v->n && v->p[at + k] == '#')
        k++;
    return k;
}

/* Where the junk that began at s ends, looking from `from` on: before the next head, behind a line feed, or at the
 * limit. Of a run of # only the last two can be a head, because digits must follow; a run that touches the end of the
 * bytes may still grow. False when more bytes are needed to know. */
static bool junk_end(const struct view *v, size_t s, size_t from, size_t *ret)
{
    const size_t most = s + HJ212_JUNK_MAX;
    for (size_t i = from; i < v->n; i++) {
        if (i >= most)
            break;
        if (v->p[i] == '\n') {
            *ret = i + 1;
            return true;
        }
        if (v->p[i] != '#')
            continue;
        size_t k = hashes(v, i);
        if (i + k == v->n && !v->end && i + k - 2 <= most)
            return false;
        if (k >= 2) {
            *ret = i + k - 2 < most ? i + k - 2 : most;
            return true;
        }
    }
    if (v->n > most)
        *ret = most;
    else if (v->end)
        *ret = v->n;
    else
        return false;
    return true;
}

static size_t without_line_end(const char *p, size_t s, size_t e)
{
    if (e > s && p[e - 1] == '\n')
        e--;
    if (e > s && p[e - 1] == '\r')
        e--;
    return e;
}

static struct hj212_cut skip(const struct view *v, size_t s, size_t e, enum hj212_err err)
{
    size_t text = without_line_end(v->p, s, e);
    return (struct hj212_cut){.kind = HJ212_CUT_SKIP, .err = err, .raw = {v->p + s, text - s}, .used = e};
}

static struct hj212_cut junk(const struct view *v, size_t s)
{
    size_t e;
    return junk_end(v, s, s, &e) ? skip(v, s, e, HJ212_E_GARBAGE) : more(s);
}

/* The line ends like a frame: "&" and four hexadecimal digits. */
static bool ends_with_crc(const char *p, size_t s, size_t e)
{
    uint16_t crc;
    return e - s >= 11 && p[e - 5] == '&' && hj212_hex_run(p + e - 4, 4, &crc) == 4;
}

enum line { LINE_FITS, LINE_OTHER, LINE_OPEN };

/* LENGTH_WRONG: does a CRC that fits stand before the first line end (or the end of all bytes), and is this line
 * shorter than `need` bytes of the stream? LINE_OPEN: the line end is not there yet. */
static enum line line_fits(const struct view *v, size_t s, size_t need, struct hj212_cut *ret)
{
    size_t body = s + 2, last = s + HJ212_FRAME_MAX < v->n ? s + HJ212_FRAME_MAX : v->n;
    while (body < s + 6 && body < v->n && hj212_is_digit(v->p[body]))
        body++;
    size_t e = body;
    while (e < last && !(v->p[e] == '\r' && e + 1 < v->n && v->p[e + 1] == '\n'))
        e++;
    bool crlf = e < last;
    if (!crlf && !(v->end && e == v->n))
        return e == v->n ? LINE_OPEN : LINE_OTHER;
    uint16_t sent;
    if (e >= need || e < body + 4 || hj212_hex_run(v->p + e - 4, 4, &sent) != 4)
        return LINE_OTHER;
    size_t n = e - 4 - body;
    if (n > hj212_limit(v->tolerate) || sent != hj212_crc(v->p + body, n))
        return LINE_OTHER;
    *ret = (struct hj212_cut){.kind = HJ212_CUT_FRAME, .raw = {v->p + s, e - s}, .used = crlf ? e + 2 : e};
    ret->tolerated = HJ212_TOL(LENGTH_WRONG) | (crlf ? 0 : HJ212_TOL(NO_CRLF));
    return LINE_FITS;
}

/* Gives up the head at s. `need`: where its CRC would have ended (0: its length is no length). A line that stops
 * before that without a CRC was cut off; with a CRC its length is wrong. */
static struct hj212_cut give_up(const struct view *v, size_t s, size_t need, enum hj212_err err)
{
    size_t e;
    struct hj212_cut fit;
    enum line line = v->tolerate & HJ212_TOL(LENGTH_WRONG) ? line_fits(v, s, SIZE_MAX, &fit) : LINE_OTHER;
    if (line == LINE_FITS)
        return fit;
    if (line == LINE_OPEN || !junk_end(v, s, s + 2, &e))
        return more(s);
    size_t text = without_line_end(v->p, s, e);
    if (err == HJ212_E_LENGTH && text < need && !ends_with_crc(v->p, s, text))
        err = HJ212_E_TRUNCATED;
    return skip(v, s, e, err);
}

static struct hj212_cut frame(const struct view *v, size_t s, size_t e, size_t used, uint32_t bits)
{
    struct hj212_cut c = {.kind = HJ212_CUT_FRAME, .raw = {v->p + s, e - s}, .used = used, .tolerated = bits};
    if (bits & HJ212_TOL(NO_CRLF) & ~v->tolerate) {
        c.err = HJ212_E_TRUNCATED;
        c.tolerated = 0;
    }
    return c;
}

enum tail { TAIL_CRLF, TAIL_LF, TAIL_HEAD, TAIL_END, TAIL_UNKNOWN, TAIL_OTHER };

static enum tail tail_at(const struct view *v, size_t e)
{
    size_t rest = v->n - e;
    const char *p = v->p + e;
    if (rest >= 2)
        return p[0] == '\r' && p[1] == '\n' ? TAIL_CRLF
               : p[0] == '\n'               ? TAIL_LF
               : p[0] == '#' && p[1] == '#' ? TAIL_HEAD
                                            : TAIL_OTHER;
    if (rest == 1 && p[0] == '\n')
        return TAIL_LF;
    if (rest == 1 && p[0] != '\r' && p[0] != '#')
        return TAIL_OTHER;
    if (!v->end)
        return TAIL_UNKNOWN;
    return rest == 0 || p[0] == '\r' ? TAIL_END : TAIL_OTHER;
}

/* Four hexadecimal digits stand where the length says; e is behind them. A CRC that fits is proof enough; without it
 * (damaged, another algorithm, enciphered) only a proper tail shows that the length was right. */
static struct hj212_cut with_crc(const struct view *v, size_t s, size_t e, bool fits)
{
    const uint32_t no_crlf = HJ212_TOL(NO_CRLF);
    switch (tail_at(v, e)) {
    case TAIL_CRLF:
        return frame(v, s, e, e + 2, 0);
    case TAIL_LF:
        if (fits || v->tolerate & no_crlf)
            return frame(v, s, e, e + 1, no_crlf);
        break;
    case TAIL_HEAD:
        if (fits || v->tolerate & no_crlf)
            return frame(v, s, e, e, no_crlf);
        break;
    case TAIL_END:
        return frame(v, s, e, v->n, no_crlf);
    case TAIL_UNKNOWN:
        return fits && v->tolerate & no_crlf ? frame(v, s, e, e, 0) : more(s);
    case TAIL_OTHER:
        if (fits)
            return frame(v, s, e, e, no_crlf);
        break;
    }
    return give_up(v, s, e, HJ212_E_LENGTH);
}

/* Fewer than four hexadecimal digits stand at `place`. It is a frame with a bad CRC when the segment ends in "&&" and a
 * line end follows one to three digits or four characters. */
static struct hj212_cut with_bad_crc(const struct view *v, size_t s, size_t place, size_t digits)
{
    const char *p = v->p;
    if (place - s < 8 || p[place - 1] != '&' || p[place - 2] != '&')
        return give_up(v, s, place + 4, HJ212_E_LENGTH);
    const size_t ends[2] = {place + digits, place + 4};
    bool unknown = false;
    for (int i = digits == 0; i < 2; i++) {
        size_t e = ends[i];
        if (e > v->n)
            continue;
        enum tail t = tail_at(v, e);
        if (t == TAIL_CRLF || (t == TAIL_LF && v->tolerate & HJ212_TOL(NO_CRLF)))
            return frame(v, s, e, t == TAIL_CRLF ? e + 2 : e + 1, t == TAIL_CRLF ? 0 : HJ212_TOL(NO_CRLF));
        if (t == TAIL_END)
            return frame(v, s, e, v->n, HJ212_TOL(NO_CRLF));
        unknown |= t == TAIL_UNKNOWN;
    }
    if (!v->end && (unknown || v->n < place + 6))
        return more(s);
    return give_up(v, s, place + 4, HJ212_E_LENGTH);
}

static struct hj212_cut candidate(const struct view *v, size_t s)
{
    size_t digits = 0, len = 0;
    while (digits < 4 && s + 2 + digits < v->n && hj212_is_digit(v->p[s + 2 + digits]))
        len = len * 10 + (size_t)(v->p[s + 2 + digits++] - '0');
    struct hj212_cut fit;
    const size_t place = s + 6 + len;
    if (v->tolerate & HJ212_TOL(LENGTH_WRONG) && digits == 4 && line_fits(v, s, place + 4, &fit) == LINE_FITS)
        return fit;
    if (digits < 4 && s + 2 + digits < v->n)
        return give_up(v, s, 0, HJ212_E_LENGTH);
    if (digits < 4)
        return v->end ? give_up(v, s, SIZE_MAX, HJ212_E_LENGTH) : more(s);
    if (len > hj212_limit(v->tolerate))
        return give_up(v, s, 0, HJ212_E_TOO_LONG);
    if (place >= v->n)
        return v->end ? give_up(v, s, place + 4, HJ212_E_LENGTH) : more(s);
    uint16_t sent;
    size_t there = v->n - place < 4 ? v->n - place : 4, k = hj212_hex_run(v->p + place, there, &sent);
    if (k == there && there < 4 && !v->end)
        return more(s);
    if (k < 4)
        return with_bad_crc(v, s, place, k);
    return with_crc(v, s, place + 4, sent == hj212_crc(v->p + s + 6, len));
}

struct hj212_cut hj212_cut(const char *p, size_t n, bool end, uint32_t tolerate)
{
    const struct view v = {p, n, end, tolerate};
    size_t s = 0;
    while (s < n && (p[s] == '\r' || p[s] == '\n'))
        s++;
    if (s == n)
        return more(n);
    size_t k = hashes(&v, s);
    if (k == 2 && (s + k < n || end))
        return candidate(&v, s);
    return junk(&v, s);
}
