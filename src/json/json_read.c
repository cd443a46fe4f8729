/* Strict reading over jansson; see json.h. */
#include "json/json.h"

#include "base/clock.h"
#include "base/fix.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* jansson's own nesting limit is 2,048 and fixed at its build, and each level costs stack: so we look first. Strings
 * are skipped; wrong structure is left to the parser. */
static bool too_deep(struct lt_slice t, size_t *ret_at)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSONR_DEPTH_MAX) {
                *ret_at = i;
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static enum lt_err bad(struct lt_error *err, int line, int column, const char *what)
{
    char l[16], c[16];
    snprintf(l, sizeof l, "%d", line);
    snprintf(c, sizeof c, "%d", column);
    return lt_fail(err, LT_E_BAD_JSON, NULL, l, c, what);
}

static enum lt_err bad_at(struct lt_error *err, struct lt_slice t, size_t at, const char *what)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = t.p[i] == '\n' ? 1 : column + 1;
        line += t.p[i] == '\n';
    }
    return bad(err, line, column, what);
}

enum lt_err jsonr_parse(struct lt_slice text, size_t limit, json_t **ret, struct lt_error *err)
{
    char most[32];
    size_t at;
    if (limit > JSONR_SIZE_MAX)
        limit = JSONR_SIZE_MAX;
    if (text.n > limit) {
        snprintf(most, sizeof most, "%zu B", limit);
        return lt_fail(err, LT_E_TOO_LARGE, NULL, "JSON", most, NULL);
    }
    if (text.n == 0)
        return bad(err, 1, 1, "empty / 内容为空");
    if (too_deep(text, &at))
        return bad_at(err, text, at, "nested too deeply / 嵌套过深");
    json_error_t je;
    json_t *v = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &je);
    if (!v) {
        if (json_error_code(&je) == json_error_out_of_memory)
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        return bad(err, je.line > 0 ? je.line : 1, je.column > 0 ? je.column : 1, je.text);
    }
    *ret = v;
    return LT_OK;
}

enum lt_err jsonr_object(struct lt_slice text, size_t limit, json_t **ret, struct lt_error *err)
{
    json_t *v;
    enum lt_err e = jsonr_parse(text, limit, &v, err);
    if (e)
        return e;
    if (!json_is_object(v)) {
        json_decref(v);
        return bad(err, 1, 1, "an object is expected / 应为对象");
    }
    *ret = v;
    return LT_OK;
}

/* "1.25e-7" and the like to a mantissa and decimals; text comes from %.15g, so it has at most 15 digits. */
static bool fix_of_text(const char *z, int64_t *ret)
{
    char digits[24];
    size_t n = 0;
    int64_t exponent = 0;
    int decimals = 0;
    bool point = false, neg = *z == '-';
    for (z += neg; *z && *z != 'e'; z++) {
        if (*z == '.')
            point = true;
        else if (n < sizeof digits - 1) {
            digits[n++] = *z;
            decimals += point;
        }
    }
    if (*z == 'e') {
        z += z[1] == '+' ? 2 : 1;
        if (!lt_text_to_i64(lt_slice_of(z), &exponent) || exponent > 30 || exponent < -400)
            return false;
    }
    int64_t m;
    if (!lt_text_to_i64((struct lt_slice){digits, n}, &m))
        return false;
    int64_t places = decimals - exponent;
    for (; places < 0 && m != 0; places++)
        if (__builtin_mul_overflow(m, INT64_C(10), &m))
            return false;
    for (; places > 18 && m != 0; places--) /* beyond the 18th place: far below half a millionth */
        m /= 10;
    if (m == 0)
        places = 0;
    return lt_fix_from_decimal(neg ? -m : m, (unsigned)places, ret);
}

bool jsonr_to_fix(const json_t *v, int64_t *ret)
{
    if (json_is_integer(v))
        return lt_fix_from_decimal(json_integer_value(v), 0, ret);
    if (json_is_string(v))
        return lt_fix_parse((struct lt_slice){json_string_value(v), json_string_length(v)}, ret);
    if (!json_is_real(v))
        return false;
    char z[40];
    double d = json_real_value(v);
    snprintf(z, sizeof z, "%.15g", d);
    double back = strtod(z, NULL);
    if (back < d || back > d) /* more than 15 digits: not exactly what was written */
        return false;
    return fix_of_text(z, ret);
}

/* The field or NULL; *ret_e is OK for an absent one that is not needed. */
static const json_t *field_of(const json_t *o, const char *name, bool need, enum lt_err *ret_e, struct lt_error *err)
{
    const json_t *v = json_object_get(o, name);
    *ret_e = LT_OK;
    if (v && !json_is_null(v))
        return v;
    if (need)
        *ret_e = lt_fail(err, LT_E_FIELD_REQUIRED, name, name, NULL, NULL);
    return NULL;
}

enum lt_err jsonr_str(const json_t *o, const char *name, bool need, size_t max_chars, struct lt_slice *ret,
                      struct lt_error *err)
{
    enum lt_err e;
    const json_t *v = field_of(o, name, need, &e, err);
    if (!v)
        return e;
    if (!json_is_string(v))
        return lt_fail(err, LT_E_FIELD_TYPE, name, name, "text / 文本", NULL);
    struct lt_slice s = {json_string_value(v), json_string_length(v)};
    if (need && s.n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, name, name, NULL, NULL);
    if (lt_text_chars(s) > max_chars) {
        char most[24];
        snprintf(most, sizeof most, "%zu", max_chars);
        return lt_fail(err, LT_E_FIELD_LENGTH, name, name, most, NULL);
    }
    *ret = s;
    return LT_OK;
}

enum lt_err jsonr_i64(const json_t *o, const char *name, bool need, int64_t min, int64_t max, int64_t *ret,
                      struct lt_error *err)
{
    enum lt_err e;
    const json_t *v = field_of(o, name, need, &e, err);
    if (!v)
        return e;
    if (!json_is_integer(v))
        return lt_fail(err, LT_E_FIELD_TYPE, name, name, "integer / 整数", NULL);
    if (json_integer_value(v) < min || json_integer_value(v) > max) {
        char lo[24], hi[24];
        snprintf(lo, sizeof lo, "%lld", (long long)min);
        snprintf(hi, sizeof hi, "%lld", (long long)max);
        return lt_fail(err, LT_E_FIELD_RANGE, name, name, lo, hi);
    }
    *ret = json_integer_value(v);
    return LT_OK;
}

enum lt_err jsonr_bool(const json_t *o, const char *name, bool need, bool *ret, struct lt_error *err)
{
    enum lt_err e;
    const json_t *v = field_of(o, name, need, &e, err);
    if (!v)
        return e;
    if (!json_is_boolean(v))
        return lt_fail(err, LT_E_FIELD_TYPE, name, name, "true / false", NULL);
    *ret = json_is_true(v);
    return LT_OK;
}

enum lt_err jsonr_time(const json_t *o, const char *name, bool need, int tz_min, int64_t *ret_at_ms,
                       struct lt_error *err)
{
    struct lt_slice s = {0};
    enum lt_err e = jsonr_str(o, name, need, 40, &s, err);
    if (e || s.n == 0)
        return e;
    if (!lt_time_parse_iso(s, tz_min, ret_at_ms))
        return lt_fail(err, LT_E_FIELD_FORMAT, name, name, s.p, "YYYY-MM-DDThh:mm:ss+08:00");
    return LT_OK;
}

enum lt_err jsonr_only(const json_t *o, const char *const names[], struct lt_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v) /* jansson's iterators want it writable and change nothing */
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (!names[i])
            return lt_fail(err, LT_E_FIELD_UNKNOWN, key, key, NULL, NULL);
    }
    return LT_OK;
}
