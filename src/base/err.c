/* Error names and texts, made from err_list.h. */
#include "base/err.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http;
    const char *text[2]; /* zh, en */
    const char *hint[2];
} errs[LT_E_COUNT] = {
#define X(n, h, en, zh, hen, hzh) {#n, h, {zh, en}, {hzh, hen}},
#include "base/err_list.h"
#undef X
};

enum lt_err lt_fail(struct lt_error *err, enum lt_err code, const char *field, const char *a0, const char *a1,
                    const char *a2)
{
    if (err) {
        const char *a[3] = {a0, a1, a2};
        err->code = code;
        lt_text_copy(err->field, sizeof err->field, field ? field : "");
        for (int i = 0; i < 3; i++)
            lt_text_copy(err->arg[i], sizeof err->arg[i], a[i] ? a[i] : "");
    }
    return code;
}

enum lt_err lt_failf(struct lt_error *err, enum lt_err code, const char *field, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return lt_fail(err, code, field, text, NULL, NULL);
}

enum lt_err lt_fail_size(struct lt_error *err, const char *what, size_t limit)
{
    char most[32];
    snprintf(most, sizeof most, "%zu MB", limit >> 20);
    return lt_fail(err, LT_E_TOO_LARGE, NULL, what, most, NULL);
}

const char *lt_err_name(enum lt_err code)
{
    return (unsigned)code < LT_E_COUNT ? errs[code].name : "INTERNAL";
}

int lt_err_http(enum lt_err code)
{
    return (unsigned)code < LT_E_COUNT ? errs[code].http : 500;
}

/* The reader's half of an argument in two languages, "english / 中文": plain ASCII, the bar, and Chinese behind it.
 * Anything else, as most values, is one text. */
static struct lt_slice half(const char *arg, enum lt_lang lang)
{
    static const char bar[] = " / ";
    const char *at = strstr(arg, bar);
    for (const char *p = arg; at && p < at; p++)
        if ((unsigned char)*p >= 0x80)
            at = NULL;
    if (!at || at == arg || (unsigned char)at[3] < 0x80)
        return lt_slice_of(arg);
    return lang == LT_EN ? (struct lt_slice){arg, (size_t)(at - arg)} : lt_slice_of(at + 3);
}

static size_t render(const struct lt_error *err, const char *tmpl, enum lt_lang lang, char *ret, size_t cap)
{
    size_t n = 0;
    for (const char *p = tmpl; *p && n + 1 < cap;) {
        if (p[0] == '{' && p[1] >= '0' && p[1] <= '2' && p[2] == '}') {
            n += lt_text_copy_slice(ret + n, cap - n, half(err->arg[p[1] - '0'], lang));
            p += 3;
        } else {
            ret[n++] = *p++;
        }
    }
    ret[n] = '\0';
    return n;
}

size_t lt_error_text(const struct lt_error *err, enum lt_lang lang, char *ret, size_t cap)
{
    unsigned c = (unsigned)err->code < LT_E_COUNT ? (unsigned)err->code : LT_E_INTERNAL;
    return render(err, errs[c].text[lang], lang, ret, cap);
}

size_t lt_error_hint(const struct lt_error *err, enum lt_lang lang, char *ret, size_t cap)
{
    unsigned c = (unsigned)err->code < LT_E_COUNT ? (unsigned)err->code : LT_E_INTERNAL;
    return render(err, errs[c].hint[lang], lang, ret, cap);
}
