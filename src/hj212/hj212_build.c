/* Writes frames: from a header and a data area, answers to a question, enciphered frames; and splits long areas. */
#include "hj212_priv.h"

struct writer {
    char *p;
    size_t n, cap;
    bool full;
};

static void put(struct writer *w, struct lt_slice s)
{
    if (s.n > w->cap - w->n) {
        w->full = true;
        return;
    }
    if (s.n)
        memcpy(w->p + w->n, s.p, s.n);
    w->n += s.n;
}

static void put_text(struct writer *w, const char *name, struct lt_slice value)
{
    put(w, lt_slice_of(name));
    put(w, value);
    put(w, LT_LIT(";"));
}

/* At least `width` digits. */
static void put_uint(struct writer *w, unsigned v, unsigned width)
{
    char d[10];
    size_t i = sizeof d;
    do
        d[--i] = (char)('0' + v % 10);
    while ((v /= 10) > 0 || sizeof d - i < width);
    put(w, (struct lt_slice){d + i, sizeof d - i});
}

static void put_number(struct writer *w, const char *name, unsigned v, unsigned width)
{
    put(w, lt_slice_of(name));
    put_uint(w, v, width);
    put(w, LT_LIT(";"));
}

static void put_st(struct writer *w, unsigned st)
{
    if (st < HJ212_ST_LETTER) {
        put_number(w, "ST=", st, 2);
        return;
    }
    const char letters[2] = {(char)('A' + (st - HJ212_ST_LETTER) / 10), (char)('0' + st % 10)};
    put_text(w, "ST=", (struct lt_slice){letters, 2});
}

static void put_header(struct writer *w, const struct hj212_head *h)
{
    unsigned flag = (unsigned)h->edition << 2 | (h->pnum ? 2 : 0) | (h->answer ? 1 : 0);
    if (h->qn.n)
        put_text(w, "QN=", h->qn);
    put_st(w, h->st);
    put_number(w, "CN=", h->cn, 4);
    put_text(w, "PW=", h->pw);
    put_text(w, "MN=", h->mn);
    if (!h->no_flag)
        put_number(w, "Flag=", h->flag_given ? h->flag : flag, 1);
    if (h->pnum) {
        put_number(w, "PNUM=", h->pnum, 1);
        put_number(w, "PNO=", h->pno, 1);
    }
    if (h->resent)
        put(w, LT_LIT("RF=1;"));
    put(w, LT_LIT("CP=&&"));
}

/* A header text must not be able to start another field or line. */
static bool safe(struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] <= ' ' || s.p[i] == 0x7F || s.p[i] == ';' || s.p[i] == ',' || s.p[i] == '=')
            return false;
    return true;
}

/* Puts ## and length in front of the segment that starts at w->p + 6, CRC and CR LF behind. */
static size_t close_frame(struct writer *w)
{
    if (w->full || w->n - 6 > HJ212_SEGMENT_MAX || w->cap - w->n < 6)
        return 0;
    static const char hex[] = "0123456789ABCDEF";
    const size_t n = w->n - 6;
    const uint16_t crc = hj212_crc(w->p + 6, n);
    struct writer front = {.p = w->p, .cap = 6};
    put(&front, LT_LIT("##"));
    put_uint(&front, (unsigned)n, 4);
    char *tail = w->p + w->n;
    for (int i = 0; i < 4; i++)
        tail[i] = hex[crc >> (12 - 4 * i) & 0xF];
    memcpy(tail + 4, "\r\n", 2);
    return w->n + 6;
}

/* Starts a frame; *ret_area is where its area begins. */
static size_t build(const struct hj212_head *h, struct lt_slice area, char *ret, size_t cap, size_t *ret_area)
{
    struct writer w = {.p = ret, .n = 6, .cap = cap};
    if (cap < 12 || !safe(h->qn) || !safe(h->pw) || !safe(h->mn))
        return 0;
    put_header(&w, h);
    *ret_area = w.n;
    put(&w, area);
    put(&w, LT_LIT("&&"));
    return close_frame(&w);
}

size_t hj212_build(const struct hj212_head *h, struct lt_slice area, char *ret, size_t cap)
{
    size_t at;
    return build(h, area, ret, cap, &at);
}

size_t hj212_encrypt_build(const struct hj212_head *h, struct lt_slice area, const uint8_t key[16], char *ret,
                           size_t cap)
{
    size_t at, n = build(h, area, ret, cap, &at);
    if (n)
        hj212_sm4_encrypt(key, (uint8_t *)ret + at, area.n, (uint8_t *)ret + at);
    return n;
}

/* 2005 puts the question's QN, and in 9014 its CN and packet, into the area. */
static void put_area_2005(struct writer *w, const struct hj212_frame *q, uint16_t cn)
{
    if (q->qn.n)
        put_text(w, "QN=", q->qn);
    if (cn != 9014)
        return;
    put_number(w, "CN=", q->cn, 4);
    if (q->pnum) {
        put_number(w, "PNO=", q->pno, 1);
        put_number(w, "PNUM=", q->pnum, 1);
    }
}

size_t hj212_build_answer(const struct hj212_frame *question, uint16_t cn, int code, char *ret, size_t cap)
{
    char area[96];
    struct writer w = {.p = area, .cap = sizeof area};
    const bool old = question->edition == HJ212_2005;
    struct hj212_head h = {.st = 91, .cn = cn, .pw = question->pw, .mn = question->mn};
    h.edition = (enum hj212_edition)question->edition;
    h.qn = old ? (struct lt_slice){NULL, 0} : question->qn;
    h.no_flag = old && (cn == 9012 || cn == 9014); /* as HJ/T 212-2005 App. C prints them */
    if (cn < 9011 || cn > 9014 || code < 0)
        return 0;
    if (old)
        put_area_2005(&w, question, cn);
    if (cn == 9011)
        put_number(&w, "QnRtn=", (unsigned)code, 1);
    if (cn == 9012)
        put_number(&w, "ExeRtn=", (unsigned)code, 1);
    if (w.full)
        return 0;
    return hj212_build(&h, (struct lt_slice){area, w.n ? w.n - 1 : 0}, ret, cap);
}

/* The next ';' that parts groups (outside //text//) at or after `from`, or n. */
static size_t group_end(struct lt_slice a, size_t from)
{
    for (size_t i = from; i < a.n; i++) {
        if (a.p[i] == ';')
            return i;
        if (a.p[i] != '=')
            continue;
        size_t v = i + 1, e = 0;
        while (v < a.n && a.p[v] == ' ')
            v++;
        if (v + 1 < a.n && a.p[v] == '/' && a.p[v + 1] == '/')
            e = hj212_log_end(a, v + 2);
        if (e != 0)
            i = e - 1;
    }
    return a.n;
}

size_t hj212_split(struct lt_slice area, size_t most, struct lt_slice *ret, size_t cap)
{
    size_t count = 0, start = 0, good = 0; /* [start, good) are whole groups of the packet under way */
    for (size_t from = 0;;) {
        size_t e = group_end(area, from);
        if (e - start > most) {
            if (good == start || count == cap)
                return 0;
            ret[count++] = (struct lt_slice){area.p + start, good - start};
            start = good + 1;
            if (e - start > most)
                return 0;
        }
        good = e;
        if (e == area.n)
            break;
        from = e + 1;
    }
    if (count == cap)
        return 0;
    ret[count++] = (struct lt_slice){area.p + start, area.n - start};
    return count;
}
