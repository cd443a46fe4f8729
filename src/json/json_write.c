/* The streaming writer; see json.h. */
#include "json/json.h"

#include "base/clock.h"
#include "base/fix.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>

void jsonw_init(struct jsonw *w, struct lt_buf *out)
{
    *w = (struct jsonw){.out = out};
}

bool jsonw_ok(const struct jsonw *w)
{
    return w->done && w->depth == 0 && !w->out->failed;
}

static uint32_t level(const struct jsonw *w)
{
    return UINT32_C(1) << (w->depth - 1);
}

/* Called before every value: checks that one may stand here and writes the comma that is due. */
static void before(struct jsonw *w)
{
    assert(!w->done);
    if (w->depth == 0) {
        w->done = true;
        return;
    }
    if (w->is_object & level(w)) {
        assert(w->after_key);
        w->after_key = false;
        return;
    }
    if (w->has_item & level(w))
        lt_buf_addc(w->out, ',');
    w->has_item |= level(w);
}

static void enter(struct jsonw *w, bool object)
{
    before(w);
    assert(w->depth < JSONW_DEPTH_MAX);
    w->done = false;
    w->depth++;
    w->has_item &= ~level(w);
    if (object)
        w->is_object |= level(w);
    else
        w->is_object &= ~level(w);
    lt_buf_addc(w->out, object ? '{' : '[');
}

static void leave(struct jsonw *w, bool object)
{
    assert(w->depth > 0 && !w->after_key && object == ((w->is_object & level(w)) != 0));
    w->depth--;
    w->done = w->depth == 0;
    lt_buf_addc(w->out, object ? '}' : ']');
}

void jsonw_object(struct jsonw *w)
{
    enter(w, true);
}

void jsonw_object_end(struct jsonw *w)
{
    leave(w, true);
}

void jsonw_array(struct jsonw *w)
{
    enter(w, false);
}

void jsonw_array_end(struct jsonw *w)
{
    leave(w, false);
}

/* Length of the well-formed UTF-8 character at p (n bytes left), 0 when there is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    size_t len = p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : 0;
    return len && len <= n && lt_text_is_utf8((struct lt_slice){(const char *)p, len}) ? len : 0;
}

/* Escape of one ASCII byte below 0x20 or one of " \ DEL; also U+2028/9 need none in JSON. */
static void escape(struct lt_buf *b, unsigned char c)
{
    static const char shorts[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(shorts, c) : NULL;
    if (at) {
        const char two[2] = {'\\', letters[at - shorts]};
        lt_buf_add(b, two, 2);
    } else {
        lt_buf_addf(b, "\\u%04x", c);
    }
}

static void quoted(struct lt_buf *b, struct lt_slice s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n, *from = p;
    lt_buf_addc(b, '"');
    while (p < end) {
        if (*p >= 0x20 && *p < 0x7F && *p != '"' && *p != '\\') {
            p++;
            continue;
        }
        size_t len = *p >= 0x80 ? utf8_len(p, (size_t)(end - p)) : 0;
        if (len) {
            p += len;
            continue;
        }
        lt_buf_add(b, from, (size_t)(p - from));
        if (*p < 0x80)
            escape(b, *p);
        else
            lt_buf_adds(b, "\xEF\xBF\xBD"); /* U+FFFD for each byte that belongs to no character */
        from = ++p;
    }
    lt_buf_add(b, from, (size_t)(p - from));
    lt_buf_addc(b, '"');
}

void jsonw_key_slice(struct jsonw *w, struct lt_slice key)
{
    assert(w->depth > 0 && (w->is_object & level(w)) && !w->after_key);
    if (w->has_item & level(w))
        lt_buf_addc(w->out, ',');
    w->has_item |= level(w);
    w->after_key = true;
    quoted(w->out, key);
    lt_buf_addc(w->out, ':');
}

void jsonw_key(struct jsonw *w, const char *key)
{
    jsonw_key_slice(w, lt_slice_of(key));
}

void jsonw_slice(struct jsonw *w, struct lt_slice s)
{
    before(w);
    quoted(w->out, s);
}

void jsonw_raw(struct jsonw *w, struct lt_slice json)
{
    assert(json.n > 0);
    before(w);
    lt_buf_add(w->out, json.p, json.n);
}

void jsonw_null(struct jsonw *w)
{
    jsonw_raw(w, LT_LIT("null"));
}

void jsonw_str(struct jsonw *w, const char *z)
{
    if (z)
        jsonw_slice(w, lt_slice_of(z));
    else
        jsonw_null(w);
}

void jsonw_bool(struct jsonw *w, bool v)
{
    jsonw_raw(w, v ? LT_LIT("true") : LT_LIT("false"));
}

void jsonw_u64(struct jsonw *w, uint64_t v)
{
    char s[24];
    size_t at = sizeof s;
    do
        s[--at] = (char)('0' + v % 10);
    while (v /= 10);
    jsonw_raw(w, (struct lt_slice){s + at, sizeof s - at});
}

void jsonw_i64(struct jsonw *w, int64_t v)
{
    char s[24];
    size_t at = sizeof s;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        s[--at] = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        s[--at] = '-';
    jsonw_raw(w, (struct lt_slice){s + at, sizeof s - at});
}

void jsonw_fix(struct jsonw *w, int64_t millionths)
{
    char s[32];
    if (millionths == LT_FIX_NONE) {
        jsonw_null(w);
        return;
    }
    size_t n = lt_fix_format_short(millionths, s);
    jsonw_raw(w, (struct lt_slice){s, n});
}

void jsonw_time(struct jsonw *w, int64_t at_ms, int tz_min)
{
    char s[40];
    size_t n = lt_time_format_iso(at_ms, tz_min, s);
    jsonw_slice(w, (struct lt_slice){s, n});
}

void jsonw_tree(struct jsonw *w, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (!text) {
        w->out->failed = true;
        jsonw_null(w);
        return;
    }
    jsonw_raw(w, lt_slice_of(text));
    free(text);
}

void jsonw_kstr(struct jsonw *w, const char *key, const char *z)
{
    jsonw_key(w, key);
    jsonw_str(w, z);
}

void jsonw_kslice(struct jsonw *w, const char *key, struct lt_slice s)
{
    jsonw_key(w, key);
    jsonw_slice(w, s);
}

void jsonw_ki64(struct jsonw *w, const char *key, int64_t v)
{
    jsonw_key(w, key);
    jsonw_i64(w, v);
}

void jsonw_ku64(struct jsonw *w, const char *key, uint64_t v)
{
    jsonw_key(w, key);
    jsonw_u64(w, v);
}

void jsonw_kfix(struct jsonw *w, const char *key, int64_t millionths)
{
    jsonw_key(w, key);
    jsonw_fix(w, millionths);
}

void jsonw_kbool(struct jsonw *w, const char *key, bool v)
{
    jsonw_key(w, key);
    jsonw_bool(w, v);
}

void jsonw_knull(struct jsonw *w, const char *key)
{
    jsonw_key(w, key);
    jsonw_null(w);
}

void jsonw_ktime(struct jsonw *w, const char *key, int64_t at_ms, int tz_min)
{
    jsonw_key(w, key);
    if (at_ms > 0)
        jsonw_time(w, at_ms, tz_min);
    else
        jsonw_null(w);
}
