/* lantian hj212 decode|encode|check: frames on standard input to JSON lines, JSON lines back to frames, or a summary.
 * One line in is one line out; in a JSON string a byte that is no UTF-8 stands as the character of the same number, and
 * then the object has "latin1": true, so that nothing is lost on the way back. */
#include "main/cmd_hj212.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "base/buf.h"
#include "base/text.h"
#include "hj212/hj212.h"

#include <jansson.h>
#include <stdlib.h>

#define LINE_LIMIT   (64 * 1024) /* a line holds one frame (at most 4108 bytes), now and then a few glued together */
#define OUTPUT_LIMIT (4 << 20)   /* JSON of such a line: an item of 4 bytes takes about 60 */
#define JSON_LIMIT   (1 << 20)   /* a line for encode */
static const int editions[HJ212_EDITIONS] = {2005, 2017, 2025};

/* ---- JSON out ---- */

struct json_out {
    struct lt_buf b;
    bool latin1; /* bytes above 7F of this object are written by number */
};

static void put_string(struct json_out *o, struct lt_slice s)
{
    lt_buf_addc(&o->b, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c == '"' || c == '\\')
            lt_buf_addf(&o->b, "\\%c", c);
        else if (c < 0x20 || c == 0x7F || (c > 0x7F && o->latin1))
            lt_buf_addf(&o->b, "\\u%04x", c);
        else
            lt_buf_addc(&o->b, (char)c);
    }
    lt_buf_addc(&o->b, '"');
}

static void put_key_string(struct json_out *o, const char *key, struct lt_slice s)
{
    lt_buf_addf(&o->b, ",\"%s\":", key);
    put_string(o, s);
}

static void put_st(struct json_out *o, unsigned st)
{
    if (st >= HJ212_ST_LETTER)
        lt_buf_addf(&o->b, ",\"st\":\"%c%u\"", (char)('A' + (st - HJ212_ST_LETTER) / 10), st % 10);
    else
        lt_buf_addf(&o->b, ",\"st\":\"%02u\"", st);
}

/* What of the header could be read. */
static void put_header(struct json_out *o, const struct hj212_frame *f)
{
    if (f->mn.p || f->st || f->cn || f->has_flag)
        lt_buf_addf(&o->b, ",\"edition\":%d", editions[f->edition]);
    if (f->qn.p)
        put_key_string(o, "qn", f->qn);
    if (f->st)
        put_st(o, f->st);
    if (f->cn)
        lt_buf_addf(&o->b, ",\"cn\":\"%04u\"", f->cn);
    if (f->pw.p)
        put_key_string(o, "pw", f->pw);
    if (f->mn.p)
        put_key_string(o, "mn", f->mn);
    if (f->has_flag)
        lt_buf_addf(&o->b, ",\"flag\":%u", f->flag);
    if (f->pnum)
        lt_buf_addf(&o->b, ",\"pnum\":%u,\"pno\":%u", f->pnum, f->pno);
    if (f->resent)
        lt_buf_adds(&o->b, ",\"rf\":1");
}

static bool is_plain(const struct hj212_item *it)
{
    return it->field == HJ212_F_NONE;
}

static bool same_name(struct lt_slice area, const struct hj212_item *a, const struct hj212_item *b)
{
    return is_plain(a) && is_plain(b) && lt_slice_eq(hj212_name(area, a), hj212_name(area, b));
}

/* Plain keys; one that stands several times (CTime=04,CTime=10) becomes an array at its first place. */
static void put_plain(struct json_out *o, struct lt_slice area, const struct hj212_item *it, size_t n)
{
    const char *comma = "";
    lt_buf_adds(&o->b, ",\"cp\":{");
    for (size_t i = 0; i < n; i++) {
        size_t before = 0, k = i + 1;
        while (before < i && !same_name(area, &it[before], &it[i]))
            before++;
        if (!is_plain(&it[i]) || before < i)
            continue;
        lt_buf_adds(&o->b, comma);
        put_string(o, hj212_name(area, &it[i]));
        lt_buf_addc(&o->b, ':');
        size_t start = o->b.n, count = 1;
        put_string(o, hj212_value_text(area, &it[i]));
        for (; k < n; k++)
            if (same_name(area, &it[k], &it[i])) {
                lt_buf_addc(&o->b, ',');
                put_string(o, hj212_value_text(area, &it[k]));
                count++;
            }
        if (count > 1 && lt_buf_reserve(&o->b, 2)) {
            memmove(o->b.p + start + 1, o->b.p + start, o->b.n - start);
            o->b.p[start] = '[';
            o->b.n++;
            lt_buf_addc(&o->b, ']');
        }
        comma = ",";
    }
    lt_buf_addc(&o->b, '}');
}

static void put_items(struct json_out *o, struct lt_slice area, const struct hj212_item *it, size_t n)
{
    const char *comma = "";
    lt_buf_adds(&o->b, ",\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (is_plain(&it[i]))
            continue;
        lt_buf_addf(&o->b, "%s{\"factor\":", comma);
        put_string(o, hj212_name(area, &it[i]));
        put_key_string(o, "field", (struct lt_slice){area.p + it[i].field_at, it[i].field_len});
        put_key_string(o, "value", hj212_value_text(area, &it[i]));
        lt_buf_addc(&o->b, '}');
        comma = ",";
    }
    lt_buf_addc(&o->b, ']');
}

static void put_tolerated(struct json_out *o, uint32_t bits)
{
    const char *lead = ",\"tolerated\":[";
    for (unsigned t = 0; t < HJ212_TOL_COUNT; t++)
        if (bits >> t & 1) {
            lt_buf_addf(&o->b, "%s\"%s\"", lead, hj212_tolerance_name((enum hj212_tolerance)t));
            lead = ",";
        }
    if (bits)
        lt_buf_addc(&o->b, ']');
}

/* ---- decode ---- */

struct decoder {
    struct json_out out;
    FILE *to; /* NULL: only count */
    uint32_t tolerate;
    uint64_t count[HJ212_E_COUNT]; /* verdicts */
    uint64_t tolerated[HJ212_TOL_COUNT];
};

static enum hj212_err count_verdict(struct decoder *d, enum hj212_err err, uint32_t bits)
{
    d->count[err]++;
    for (unsigned t = 0; err == HJ212_E_OK && t < HJ212_TOL_COUNT; t++)
        d->tolerated[t] += bits >> t & 1;
    return err;
}

/* Writes the object of one piece; `base` is the offset of its first byte in the line or stream. */
static void put_piece(struct decoder *d, const struct hj212_cut *c, uint64_t base)
{
    static struct hj212_item items[HJ212_ITEMS_MAX];
    struct hj212_frame f;
    struct json_out *o = &d->out;
    size_t n = 0;
    uint32_t at = 0, bits = c->tolerated;
    enum hj212_err err = hj212_parse(c->raw, d->tolerate, &f);
    bits |= f.tolerated;
    at = f.err_at;
    if (c->kind == HJ212_CUT_SKIP || c->err != HJ212_E_OK) {
        err = c->err;
        at = 0;
    } else if (err == HJ212_E_OK) {
        err = hj212_items(f.cp, d->tolerate, items, HJ212_ITEMS_MAX, &n, &at, &bits);
        at += err ? (uint32_t)(f.cp.p - c->raw.p) : 0;
    }
    count_verdict(d, err, bits);
    o->latin1 = !lt_text_is_utf8(c->raw);
    if (err == HJ212_E_OK)
        lt_buf_adds(&o->b, "{\"ok\":true");
    else
        lt_buf_addf(&o->b, "{\"ok\":false,\"error\":\"%s\",\"at\":%llu", hj212_err_name(err),
                    (unsigned long long)(base + at));
    put_header(o, &f);
    if (err == HJ212_E_OK) {
        put_plain(o, f.cp, items, n);
        put_items(o, f.cp, items, n);
        put_key_string(o, "area", f.cp);
        put_tolerated(o, bits);
    }
    if (o->latin1)
        lt_buf_adds(&o->b, ",\"latin1\":true");
}

static void finish_line(struct decoder *d)
{
    lt_buf_addc(&d->out.b, '\n');
    if (d->to)
        fwrite(d->out.b.p, 1, d->out.b.n, d->to);
    lt_buf_clear(&d->out.b);
}

static void put_bare_error(struct decoder *d, enum hj212_err err)
{
    count_verdict(d, err, 0);
    lt_buf_addf(&d->out.b, "{\"ok\":false,\"error\":\"%s\",\"at\":0}", hj212_err_name(err));
    finish_line(d);
}

/* One line without its line end, in p[0..n) with room for two bytes more. What stands behind its first piece (frames
 * glued together, a frame behind noise) is given in "more". */
static void decode_line(struct decoder *d, char *p, size_t n)
{
    size_t from = 0, pieces = 0;
    memcpy(p + n, "\r\n", 2);
    n += 2;
    while (from < n) {
        struct hj212_cut c = hj212_cut(p + from, n - from, true, d->tolerate);
        if (c.kind != HJ212_CUT_MORE) {
            lt_buf_adds(&d->out.b, pieces == 0 ? "" : pieces == 1 ? ",\"more\":[" : "},");
            put_piece(d, &c, (uint64_t)(c.raw.p - p));
            pieces++;
        }
        from += c.used;
    }
    if (pieces == 0) {
        put_bare_error(d, HJ212_E_GARBAGE);
        return;
    }
    lt_buf_adds(&d->out.b, pieces > 1 ? "}]}" : "}");
    finish_line(d);
}

static int decode_lines(struct decoder *d, FILE *in)
{
    static char line[LINE_LIMIT + 2];
    size_t n = 0;
    bool over = false;
    int c;
    while ((c = getc(in)) != EOF || n > 0 || over) {
        if (c != '\n' && c != EOF) {
            over |= n == LINE_LIMIT;
            if (!over)
                line[n++] = (char)c;
            continue;
        }
        if (over)
            put_bare_error(d, HJ212_E_TOO_LONG);
        else
            decode_line(d, line, n > 0 && line[n - 1] == '\r' ? n - 1 : n);
        n = 0;
        over = false;
    }
    return 0;
}

static int decode_stream(struct decoder *d, FILE *in)
{
    static char buf[64 * 1024];
    size_t n = 0, from = 0;
    uint64_t base = 0;
    bool end = false;
    while (!end || from < n) {
        struct hj212_cut c = hj212_cut(buf + from, n - from, end, d->tolerate);
        if (c.kind != HJ212_CUT_MORE) {
            put_piece(d, &c, base + (uint64_t)(c.raw.p - buf));
            lt_buf_addc(&d->out.b, '}');
            finish_line(d);
        }
        from += c.used;
        if (c.kind != HJ212_CUT_MORE || end)
            continue;
        memmove(buf, buf + from, n - from);
        base += from;
        n -= from;
        from = 0;
        size_t got = fread(buf + n, 1, sizeof buf - n, in);
        n += got;
        end = got == 0;
    }
    return 0;
}

static uint64_t refused(const struct decoder *d)
{
    uint64_t n = 0;
    for (unsigned e = HJ212_E_OK + 1; e < HJ212_E_COUNT; e++)
        n += d->count[e];
    return n;
}

static void print_summary(const struct decoder *d, FILE *out)
{
    fprintf(out, "ok %llu\nrefused %llu\n", (unsigned long long)d->count[HJ212_E_OK], (unsigned long long)refused(d));
    for (unsigned e = HJ212_E_OK + 1; e < HJ212_E_COUNT; e++)
        if (d->count[e])
            fprintf(out, "  %s %llu\n", hj212_err_name((enum hj212_err)e), (unsigned long long)d->count[e]);
    for (unsigned t = 0; t < HJ212_TOL_COUNT; t++)
        if (d->tolerated[t])
            fprintf(out, "tolerated %s %llu\n", hj212_tolerance_name((enum hj212_tolerance)t),
                    (unsigned long long)d->tolerated[t]);
}

/* ---- encode ---- */

/* Text of a JSON string as bytes; characters up to FF are bytes when the object says so. */
static void add_bytes(struct lt_buf *b, const json_t *v, bool latin1)
{
    const char *p = json_string_value(v);
    size_t n = json_string_length(v);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if (latin1 && (c == 0xC2 || c == 0xC3) && i + 1 < n)
            lt_buf_addc(b, (char)((c & 3) << 6 | (p[++i] & 0x3F)));
        else
            lt_buf_addc(b, (char)c);
    }
}

static void add_pair(struct lt_buf *b, const char *key, const json_t *value, bool latin1, const char *lead)
{
    lt_buf_adds(b, b->n ? lead : "");
    lt_buf_adds(b, key);
    lt_buf_addc(b, '=');
    add_bytes(b, value, latin1);
}

/* The data area: "area" when it is there, else made of "cp" and "items"; items of one factor are joined by commas. */
static void add_area(struct lt_buf *b, json_t *o, bool latin1)
{
    const char *key, *last = "";
    json_t *v, *one;
    size_t i;
    if (json_is_string(json_object_get(o, "area"))) {
        add_bytes(b, json_object_get(o, "area"), latin1);
        return;
    }
    json_object_foreach(json_object_get(o, "cp"), key, v)
    {
        if (json_is_string(v))
            add_pair(b, key, v, latin1, ";");
        json_array_foreach(v, i, one) add_pair(b, key, one, latin1, i ? "," : ";");
    }
    json_array_foreach(json_object_get(o, "items"), i, v)
    {
        const char *factor = json_string_value(json_object_get(v, "factor"));
        const char *field = json_string_value(json_object_get(v, "field"));
        if (!factor || !field)
            continue;
        lt_buf_adds(b, b->n == 0 ? "" : strcmp(factor, last) == 0 ? "," : ";");
        lt_buf_adds(b, factor);
        lt_buf_adds(b, factor[0] ? "-" : "");
        lt_buf_adds(b, field);
        lt_buf_addc(b, '=');
        add_bytes(b, json_object_get(v, "value"), latin1);
        last = factor;
    }
}

static struct lt_slice member_text(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return v ? (struct lt_slice){json_string_value(v), json_string_length(v)} : (struct lt_slice){NULL, 0};
}

static bool member_uint(json_t *o, const char *key, int64_t most, uint16_t *ret)
{
    json_t *v = json_object_get(o, key);
    if (!v)
        return true;
    int64_t x = -1;
    if (json_is_integer(v))
        x = json_integer_value(v);
    else if (!lt_text_to_i64(member_text(o, key), &x))
        return false;
    *ret = (uint16_t)x;
    return x >= 0 && x <= most;
}

static bool member_st(json_t *o, uint16_t *ret)
{
    struct lt_slice s = member_text(o, "st");
    if (s.n == 2 && s.p[0] >= 'A' && s.p[0] <= 'Z' && s.p[1] >= '0' && s.p[1] <= '9') {
        *ret = (uint16_t)(HJ212_ST_LETTER + (s.p[0] - 'A') * 10 + (s.p[1] - '0'));
        return true;
    }
    return member_uint(o, "st", 999, ret);
}

static bool head_of(json_t *o, struct hj212_head *h)
{
    uint16_t flag = 0, edition = 0, rf = 0;
    *h = (struct hj212_head){.qn = member_text(o, "qn"), .pw = member_text(o, "pw"), .mn = member_text(o, "mn")};
    if (!member_st(o, &h->st) || !member_uint(o, "cn", 9999, &h->cn) ||
        !member_uint(o, "pnum", HJ212_PNUM_MAX, &h->pnum) || !member_uint(o, "pno", HJ212_PNUM_MAX, &h->pno) ||
        !member_uint(o, "flag", 255, &flag) || !member_uint(o, "edition", 9999, &edition) ||
        !member_uint(o, "rf", 1, &rf))
        return false;
    h->flag = (uint8_t)flag;
    h->flag_given = json_object_get(o, "flag") != NULL;
    h->no_flag = !h->flag_given;
    h->resent = rf;
    h->edition = edition == 2025 ? HJ212_2025 : edition == 2017 ? HJ212_2017 : HJ212_2005;
    return true;
}

/* Appends the frame of one object; false when it is none. */
static bool encode_object(json_t *o, struct lt_buf *out, struct lt_buf *area)
{
    struct hj212_head h;
    char frame[HJ212_FRAME_MAX];
    if (json_is_false(json_object_get(o, "ok")) || !head_of(o, &h))
        return false;
    if (!json_object_get(o, "st") && !json_object_get(o, "cn") && !json_object_get(o, "mn")) {
        lt_buf_adds(out, "##0000FFFF\r\n"); /* the empty segment; hj212_build() makes no such frame */
        return true;
    }
    lt_buf_clear(area);
    add_area(area, o, json_is_true(json_object_get(o, "latin1")));
    size_t n = area->failed ? 0 : hj212_build(&h, lt_buf_slice(area), frame, sizeof frame);
    lt_buf_add(out, frame, n);
    return n > 0;
}

static int encode_line(const char *p, size_t n, uint64_t number, struct lt_buf *out, struct lt_buf *area)
{
    json_error_t e;
    json_t *o = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e), *one;
    size_t i;
    if (!json_is_object(o)) {
        fprintf(stderr, "lantian hj212 encode: line %llu is no JSON object%s%s\n", (unsigned long long)number,
                o ? "" : ": ", o ? "" : e.text);
        json_decref(o);
        return 2;
    }
    bool ok = encode_object(o, out, area);
    if (!ok)
        fprintf(stderr,
                "lantian hj212 encode: line %llu makes no frame (\"ok\" is false, or a field is out of range)\n",
                (unsigned long long)number);
    json_array_foreach(json_object_get(o, "more"), i, one) encode_object(one, out, area);
    json_decref(o);
    return ok ? 0 : 1;
}

static int encode(FILE *in, FILE *out)
{
    struct lt_buf line = LT_BUF_INIT(JSON_LIMIT), area = LT_BUF_INIT(JSON_LIMIT), frames = LT_BUF_INIT(JSON_LIMIT);
    uint64_t number = 0;
    int status = 0, c;
    while ((c = getc(in)) != EOF || line.n > 0) {
        if (c != '\n' && c != EOF) {
            lt_buf_addc(&line, (char)c);
            continue;
        }
        number++;
        int s = line.failed ? 2 : line.n == 0 ? 0 : encode_line(line.p, line.n, number, &frames, &area);
        if (line.failed)
            fprintf(stderr, "lantian hj212 encode: line %llu is too long\n", (unsigned long long)number);
        status = s > status ? s : status;
        if (frames.n)
            fwrite(frames.p, 1, frames.n, out);
        lt_buf_clear(&frames);
        lt_buf_clear(&line);
    }
    lt_buf_fini(&line);
    lt_buf_fini(&area);
    lt_buf_fini(&frames);
    return status;
}

/* ---- options ---- */

static bool read_tolerance(const char *text, uint32_t *ret)
{
    uint32_t bits = 0;
    while (text && *text) {
        size_t n = strcspn(text, ",");
        struct lt_slice name = {text, n};
        enum hj212_tolerance t;
        if (hj212_tolerance_from_name(name, &t))
            bits |= UINT32_C(1) << t;
        else if (lt_slice_is(name, "all"))
            bits = UINT32_MAX;
        else if (lt_slice_is(name, "default"))
            bits |= HJ212_TOLERATE_DEFAULT;
        else if (!lt_slice_is(name, "none")) {
            fprintf(stderr, "lantian hj212: no tolerance '%.*s'; there are: all none default", (int)n, text);
            for (unsigned i = 0; i < HJ212_TOL_COUNT; i++)
                fprintf(stderr, " %s", hj212_tolerance_name((enum hj212_tolerance)i));
            fputc('\n', stderr);
            return false;
        }
        text += n + (text[n] == ',');
    }
    *ret = bits;
    return true;
}

static int decode(int argc, char **argv, FILE *in, FILE *out, bool check)
{
    struct decoder d = {
        .out.b = LT_BUF_INIT(OUTPUT_LIMIT), .to = check ? NULL : out, .tolerate = HJ212_TOLERATE_DEFAULT};
    const char *tolerate = NULL;
    bool stream = false;
    const struct opt opts[] = {
        {"--tolerate", OPT_TEXT, &tolerate, "NAMES", "deviations to accept: names with commas, all, none, default"},
        {"--stream", OPT_FLAG, &stream, NULL, "the input is a byte stream, not lines"},
    };
    int r = opt_parse(check ? "hj212 check [--tolerate NAMES] [--stream] < FRAMES   (exit 1 when one is refused)"
                            : "hj212 decode [--tolerate NAMES] [--stream] < FRAMES > JSON-LINES",
                      opts, sizeof opts / sizeof opts[0], argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    if (tolerate && !read_tolerance(tolerate, &d.tolerate))
        return 2;
    if (stream)
        decode_stream(&d, in);
    else
        decode_lines(&d, in);
    if (check)
        print_summary(&d, out);
    lt_buf_fini(&d.out.b);
    return refused(&d) ? 1 : 0;
}

static int usage(FILE *to, int status)
{
    fputs("usage: lantian hj212 decode|encode|check [OPTIONS]; each has --help\n"
          "  decode   frames on standard input to JSON lines: one line in, one line out\n"
          "  encode   such JSON lines to frames with CR LF\n"
          "  check    counts what is accepted and refused\n"
          "exit status: 0 all accepted, 1 something was refused, 2 wrong use or bad input\n",
          to);
    return status;
}

int cmd_hj212_on(int argc, char **argv, FILE *in, FILE *out)
{
    const char *what = argc > 1 ? argv[1] : "";
    int status;
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0)
        return usage(out, 0);
    if (strcmp(what, "decode") == 0 || strcmp(what, "check") == 0) {
        status = decode(argc - 1, argv + 1, in, out, what[0] == 'c');
    } else if (strcmp(what, "encode") == 0) {
        int r = opt_parse("hj212 encode < JSON-LINES > FRAMES", NULL, 0, argc - 1, argv + 1, NULL, 0, NULL);
        if (r)
            return r == 1 ? 0 : 2;
        status = encode(in, out);
    } else {
        return usage(stderr, 2);
    }
    if (ferror(in) || fflush(out) != 0 || ferror(out)) {
        fprintf(stderr, "lantian hj212: cannot read standard input or write standard output\n");
        return 2;
    }
    return status;
}

int cmd_hj212(int argc, char **argv)
{
    return cmd_hj212_on(argc, argv, stdin, stdout);
}
