/* Values: understood from text and JSON, checked against their declaration, written as JSON. */
#include "base/clock.h"
#include "base/text.h"
#include "record/record_priv.h"

#include <stdio.h>

#define MEM_BYTES (64u * 1024) /* the widest row: command, two texts of 4,000 characters of four bytes, and names */

bool record_mem_init(struct lt_buf *mem)
{
    *mem = LT_BUF_INIT(MEM_BYTES);
    return lt_buf_reserve(mem, MEM_BYTES) != NULL; /* all at once: slices point into it, so it must not move */
}

struct lt_slice record_keep(struct lt_buf *mem, struct lt_slice s)
{
    if (s.n == 0)
        return LT_LIT("");
    char *p = lt_buf_reserve(mem, s.n);
    if (!p)
        return (struct lt_slice){0};
    memcpy(p, s.p, s.n);
    mem->n += s.n;
    return (struct lt_slice){p, s.n};
}

/* ---- normal forms of what people type ---- */

static struct lt_slice trim(struct lt_slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
        s = (struct lt_slice){s.p + 1, s.n - 1};
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
        s.n--;
    return s;
}

/* Copies to ret with full-width signs (U+FF01..FF5E, U+3000) made plain; false when it does not fit. */
static bool narrow(struct lt_slice s, char *ret, size_t cap, struct lt_slice *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        if (n + 1 >= cap)
            return false;
        const unsigned char *p = (const unsigned char *)s.p + i;
        unsigned cp = 0;
        if (s.n - i >= 3 && (p[0] & 0xF0) == 0xE0)
            cp = ((unsigned)(p[0] & 0x0F) << 12) | ((unsigned)(p[1] & 0x3F) << 6) | (p[2] & 0x3Fu);
        if (cp >= 0xFF01 && cp <= 0xFF5E) {
            ret[n++] = (char)(cp - 0xFF01 + 0x21);
            i += 3;
        } else if (cp == 0x3000) {
            ret[n++] = ' ';
            i += 3;
        } else {
            ret[n++] = s.p[i++];
        }
    }
    *out = trim((struct lt_slice){ret, n});
    return true;
}

/* "1,234,567.8" without the commas; a comma elsewhere makes it no number. */
static struct lt_slice drop_groups(struct lt_slice s, char *ret, size_t cap)
{
    const char *dot = s.n ? memchr(s.p, '.', s.n) : NULL;
    size_t whole = dot ? (size_t)(dot - s.p) : s.n, n = 0;
    if (!memchr(s.p, ',', s.n) || s.n >= cap)
        return s;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != ',')
            ret[n++] = s.p[i];
        else if (i >= whole || (whole - i) % 4 != 0 || i == 0)
            return s;
    }
    return (struct lt_slice){ret, n};
}

/* "2026.1.5", "2026/1/5 8:00", "2026年1月5日 8时30分" to "2026-01-05T08:30:00"; others are left for the ISO reader. */
static bool loose_date(struct lt_slice s, int tz_min, int64_t *ret)
{
    int v[6] = {0, 0, 0, 0, 0, 0}, n = 0;
    bool in_number = false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d <= 9) {
            if (!in_number && n == 6)
                return false;
            n += !in_number;
            if (v[n - 1] > 9999)
                return false;
            v[n - 1] = v[n - 1] * 10 + (int)d;
            in_number = true;
            continue;
        }
        static const char *const seps[] = {"年", "月", "日", "时", "分", "秒"};
        size_t len = 0;
        for (int k = 0; k < 6; k++)
            if (s.n - i >= 3 && memcmp(s.p + i, seps[k], 3) == 0 && k == n - 1)
                len = 3;
        if (s.p[i] == '\0' || (len == 0 &&
                               !strchr(n < 3    ? "./-"
                                       : n == 3 ? " T"
                                                : ":",
                                       s.p[i]) &&
                               !(s.p[i] == ' ' && !in_number)))
            return false;
        if (n == 0)
            return false;
        i += len ? len - 1 : 0;
        in_number = false;
    }
    struct lt_civil c = {.year = v[0], .month = v[1], .day = v[2], .hour = v[3], .minute = v[4], .second = v[5]};
    return n >= 3 && v[0] >= 1970 && lt_civil_to_ms(&c, tz_min, ret);
}

static bool is_blank_mark(struct lt_slice s)
{
    static const char *const marks[] = {"/", "-", "—", "——", "--", "无", "N/A", "null"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (lt_slice_is(s, marks[i]))
            return true;
    return false;
}

static enum lt_err wrong_type(const struct record_ctx *x, const struct record_field *f, struct lt_error *err)
{
    static const char *const names[][2] = {{"文本", "text"},
                                           {"整数", "whole number"},
                                           {"数字", "number"},
                                           {"是或否", "yes or no"},
                                           {"时间，如 2026-11-25 08:00", "time such as 2026-11-25 08:00"},
                                           {"日期，如 2026-11-25", "date such as 2026-11-25"},
                                           {"可选值", "choice"},
                                           {"编号", "record number"},
                                           {"JSON 对象", "JSON object"}};
    return lt_fail(err, LT_E_FIELD_TYPE, f->name, record_label(f->en, f->zh, x->who->lang),
                   names[f->type][x->who->lang], NULL);
}

/* ---- one reader per type ---- */

static bool parse_bool(struct lt_slice s, int64_t *ret)
{
    static const struct {
        const char *text;
        int value;
    } words[] = {{"true", 1},  {"1", 1}, {"是", 1}, {"yes", 1}, {"TRUE", 1},  {"√", 1},
                 {"false", 0}, {"0", 0}, {"否", 0}, {"no", 0},  {"FALSE", 0}, {"×", 0}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (lt_slice_is(s, words[i].text)) {
            *ret = words[i].value;
            return true;
        }
    return false;
}

static bool parse_i64(struct lt_slice s, int64_t *ret)
{
    int64_t fix;
    if (lt_text_to_i64(s, ret))
        return true;
    if (!lt_fix_parse(s, &fix) || fix % LT_FIX_ONE != 0) /* "30.0" from a spreadsheet */
        return false;
    *ret = fix / LT_FIX_ONE;
    return true;
}

static bool parse_time(struct lt_slice s, int tz_min, bool date, int64_t *ret)
{
    int64_t v;
    if (!lt_time_parse_iso(s, tz_min, &v) && !loose_date(s, tz_min, &v))
        return false;
    *ret = date ? lt_day_start(v, tz_min) : v;
    return true;
}

static const char *find_choice(const struct record_field *f, struct lt_slice s)
{
    for (const struct record_choice *c = f->choices; c->value; c++)
        if (lt_slice_is(s, c->value) || lt_slice_is(s, c->en) || lt_slice_is(s, c->zh))
            return c->value;
    return NULL;
}

static enum lt_err no_choice(const struct record_ctx *x, const struct record_field *f, struct lt_slice s,
                             struct lt_error *err)
{
    char given[64];
    struct lt_buf list = LT_BUF_INIT(4096);
    lt_text_copy_slice(given, sizeof given, s);
    for (const struct record_choice *c = f->choices; c->value; c++)
        lt_buf_addf(&list, "%s%s", c == f->choices ? "" : ", ", record_label(c->en, c->zh, x->who->lang));
    lt_buf_addc(&list, '\0');
    enum lt_err e = lt_fail(err, LT_E_FIELD_CHOICE, f->name, record_label(f->en, f->zh, x->who->lang), given,
                            list.failed ? "" : list.p);
    lt_buf_fini(&list);
    return e;
}

/* ---- refs ---- */

static enum lt_err ref_missing(const struct record_ctx *x, const struct record_field *f, struct lt_slice s,
                               struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(f->ref));
    char given[96];
    lt_text_copy_slice(given, sizeof given, s);
    return lt_fail(err, LT_E_REF_MISSING, f->name, record_label(f->en, f->zh, x->who->lang),
                   record_label(k->en, k->zh, x->who->lang), given);
}

/* Finds the one record whose `column` is s and which the caller may see; 0 none, -1 several. */
static enum lt_err ref_by(const struct record_ctx *x, const struct record_kind *k, const char *column,
                          struct lt_slice s, bool number, int64_t *ret, struct lt_error *err)
{
    struct record_sql q = RECORD_SQL_INIT;
    struct sql_stmt *st = NULL;
    int64_t id = 0;
    lt_buf_addf(&q.text, "SELECT t.id FROM \"%s\" t WHERE t.deleted = 0 AND t.\"%s\" = ?", k->name, column);
    if (number && lt_text_to_i64(s, &id))
        record_sql_i64(&q, id);
    else
        record_sql_text(&q, s);
    if (!k->open_read)
        record_scope(&q, k, x->who);
    lt_buf_adds(&q.text, " LIMIT 2");
    enum lt_err e = record_sql_prepare(x->db, &q, &st, err);
    bool row = false;
    int64_t found = 0;
    for (int i = 0; e == LT_OK && i < 2; i++) {
        e = sql_step(st, &row, err);
        if (e != LT_OK || !row)
            break;
        found = i == 0 ? sql_col_i64(st, 0) : -1;
    }
    sql_release(&st);
    record_sql_fini(&q);
    *ret = found;
    return e;
}

static enum lt_err parse_ref(const struct record_ctx *x, const struct record_field *f, struct lt_slice s, bool by_id,
                             int64_t *ret, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(f->ref));
    int64_t id = 0;
    enum lt_err e = LT_OK;
    const unsigned ways[] = {RECORD_F_UNIQUE, RECORD_F_NAME};
    for (size_t w = 0; e == LT_OK && id == 0 && w < 2; w++)
        for (size_t i = 0; e == LT_OK && id == 0 && i < k->n; i++)
            if ((k->fields[i].flags & ways[w]) && record_is_text(k->fields[i].type))
                e = ref_by(x, k, k->fields[i].name, s, false, &id, err);
    int64_t n;
    if (e == LT_OK && id == 0 && by_id && lt_text_to_i64(s, &n))
        e = ref_by(x, k, "id", s, true, &id, err);
    if (e == LT_OK && id <= 0)
        return ref_missing(x, f, s, err);
    *ret = id;
    return e;
}

/* ---- texts ---- */

static bool has_control(struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7F)
            return true;
    }
    return false;
}

static enum lt_err too_long(const struct record_field *f, enum lt_lang lang, struct lt_error *err)
{
    char most[24];
    snprintf(most, sizeof most, "%lld", (long long)f->max);
    return lt_fail(err, LT_E_FIELD_LENGTH, f->name, record_label(f->en, f->zh, lang), most, NULL);
}

static enum lt_err parse_text(const struct record_ctx *x, const struct record_field *f, struct lt_slice s,
                              struct lt_buf *mem, struct record_value *ret, struct lt_error *err)
{
    if (!lt_text_is_utf8(s) || has_control(s))
        return wrong_type(x, f, err);
    if (f->max > 0 && s.n > (size_t)f->max * 4) /* longer than any text of so many characters: not even kept */
        return too_long(f, x->who->lang, err);
    struct lt_slice kept = record_keep(mem, s);
    if (!kept.p)
        return lt_fail(err, LT_E_TOO_LARGE, f->name, record_label(f->en, f->zh, x->who->lang), "64 KB", NULL);
    *ret = (struct record_value){.null = kept.n == 0, .s = kept};
    return LT_OK;
}

enum lt_err record_parse(const struct record_ctx *x, const struct record_field *f, struct lt_slice text, bool by_id,
                         struct lt_buf *mem, struct record_value *ret, struct lt_error *err)
{
    char plain[256], joined[256];
    struct lt_slice s = trim(text), given = s;
    *ret = (struct record_value){.null = true};
    if (s.n == 0)
        return LT_OK;
    if (f->type == RECORD_TEXT || f->type == RECORD_JSON)
        return parse_text(x, f, s, mem, ret, err);
    if (!lt_text_is_utf8(s) || !narrow(s, plain, sizeof plain, &s))
        return wrong_type(x, f, err);
    if (s.n == 0 || is_blank_mark(s))
        return LT_OK;
    bool ok = false;
    const char *choice;
    enum lt_err e;
    ret->null = false;
    switch (f->type) {
    case RECORD_INT:
        ok = parse_i64(drop_groups(s, joined, sizeof joined), &ret->i);
        break;
    case RECORD_FIX:
        ok = lt_fix_parse(drop_groups(s, joined, sizeof joined), &ret->i) && ret->i != LT_FIX_NONE;
        break;
    case RECORD_BOOL:
        ok = parse_bool(s, &ret->i);
        break;
    case RECORD_TIME:
    case RECORD_DATE:
        ok = parse_time(s, x->tz_min, f->type == RECORD_DATE, &ret->i);
        break;
    case RECORD_REF: /* as written first: many names have full-width brackets, and a sheet that was exported comes back
                      */
        e = parse_ref(x, f, given, by_id, &ret->i, err);
        return e == LT_E_REF_MISSING && given.n != s.n ? parse_ref(x, f, s, by_id, &ret->i, err) : e;
    case RECORD_ENUM:
        choice = find_choice(f, given);
        choice = choice ? choice : find_choice(f, s);
        ret->s = lt_slice_of(choice);
        if (!choice)
            return no_choice(x, f, s, err);
        ok = true;
        break;
    case RECORD_TEXT:
    case RECORD_JSON:
        break;
    }
    return ok ? LT_OK : wrong_type(x, f, err);
}

static enum lt_err json_object_text(const struct record_ctx *x, const struct record_field *f, const json_t *v,
                                    struct lt_buf *mem, struct record_value *ret, struct lt_error *err)
{
    if (!json_is_object(v))
        return wrong_type(x, f, err);
    struct lt_buf b = LT_BUF_INIT(MEM_BYTES);
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_tree(&w, v);
    enum lt_err e = jsonw_ok(&w) ? parse_text(x, f, lt_buf_slice(&b), mem, ret, err) : wrong_type(x, f, err);
    lt_buf_fini(&b);
    return e;
}

enum lt_err record_parse_json(const struct record_ctx *x, const struct record_field *f, const json_t *v,
                              struct lt_buf *mem, struct record_value *ret, struct lt_error *err)
{
    *ret = (struct record_value){.null = true};
    if (json_is_null(v))
        return LT_OK;
    if (f->type == RECORD_JSON)
        return json_object_text(x, f, v, mem, ret, err);
    if (json_is_string(v))
        return record_parse(x, f, (struct lt_slice){json_string_value(v), json_string_length(v)}, true, mem, ret, err);
    ret->null = false;
    if (f->type == RECORD_BOOL && json_is_boolean(v)) {
        ret->i = json_is_true(v);
        return LT_OK;
    }
    if (f->type == RECORD_FIX && jsonr_to_fix(v, &ret->i))
        return LT_OK;
    if (f->type == RECORD_INT && json_is_integer(v)) {
        ret->i = json_integer_value(v);
        return LT_OK;
    }
    if (f->type == RECORD_REF && json_is_integer(v)) {
        char z[24];
        snprintf(z, sizeof z, "%lld", (long long)json_integer_value(v));
        const struct record_kind *k = record_kind_find(lt_slice_of(f->ref));
        enum lt_err e = ref_by(x, k, "id", lt_slice_of(z), true, &ret->i, err);
        return e == LT_OK && ret->i <= 0 ? ref_missing(x, f, lt_slice_of(z), err) : e;
    }
    return wrong_type(x, f, err);
}

/* ---- checking ---- */

static enum lt_err check_number(const struct record_field *f, int64_t v, const char *label, struct lt_error *err)
{
    char lo[32], hi[32];
    if (f->max <= f->min || (v >= f->min && v <= f->max))
        return LT_OK;
    if (f->type == RECORD_FIX) {
        lt_fix_format_short(f->min, lo);
        lt_fix_format_short(f->max, hi);
    } else {
        snprintf(lo, sizeof lo, "%lld", (long long)f->min);
        snprintf(hi, sizeof hi, "%lld", (long long)f->max);
    }
    return lt_fail(err, LT_E_FIELD_RANGE, f->name, label, lo, hi);
}

static enum lt_err check_text(const struct record_field *f, struct lt_slice s, enum lt_lang lang, struct lt_error *err)
{
    char given[96];
    if (f->max > 0 && lt_text_chars(s) > (size_t)f->max)
        return too_long(f, lang, err);
    if (f->check && s.n && !f->check(s)) {
        lt_text_copy_slice(given, sizeof given, s);
        return lt_fail(err, LT_E_FIELD_FORMAT, f->name, record_label(f->en, f->zh, lang),
                       f->flags & RECORD_F_SECRET ? "…" : given, f->form);
    }
    return LT_OK;
}

enum lt_err record_check_value(const struct record_field *f, const struct record_value *v, enum lt_lang lang,
                               struct lt_error *err)
{
    const char *label = record_label(f->en, f->zh, lang);
    if (v->null)
        return f->flags & RECORD_F_REQUIRED ? lt_fail(err, LT_E_FIELD_REQUIRED, f->name, label, NULL, NULL) : LT_OK;
    if (f->type == RECORD_INT || f->type == RECORD_FIX)
        return check_number(f, v->i, label, err);
    if (f->type == RECORD_BOOL && v->i != 0 && v->i != 1)
        return lt_fail(err, LT_E_FIELD_RANGE, f->name, label, "0", "1");
    if (f->type == RECORD_ENUM && !record_choice_label(f, v->s, LT_EN)) {
        char given[64];
        lt_text_copy_slice(given, sizeof given, v->s);
        return lt_fail(err, LT_E_FIELD_CHOICE, f->name, label, given, "");
    }
    return record_is_text(f->type) ? check_text(f, v->s, lang, err) : LT_OK;
}

bool record_same(const struct record_field *f, const struct record_value *a, const struct record_value *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    return record_is_text(f->type) ? lt_slice_eq(a->s, b->s) : a->i == b->i;
}

/* ---- writing ---- */

void record_value_json(const struct record_field *f, const struct record_value *v, int tz_min, struct jsonw *w)
{
    if (v->null) {
        jsonw_null(w);
        return;
    }
    json_t *tree = NULL;
    switch (f->type) {
    case RECORD_INT:
    case RECORD_REF:
        jsonw_i64(w, v->i);
        break;
    case RECORD_FIX:
        jsonw_fix(w, v->i);
        break;
    case RECORD_BOOL:
        jsonw_bool(w, v->i != 0);
        break;
    case RECORD_TIME:
    case RECORD_DATE:
        jsonw_time(w, v->i, tz_min);
        break;
    case RECORD_JSON:
        if (jsonr_object(v->s, JSONR_SIZE_MAX, &tree, NULL) == LT_OK) {
            jsonw_tree(w, tree);
            json_decref(tree);
            break;
        }
        jsonw_slice(w, v->s);
        break;
    case RECORD_TEXT:
    case RECORD_ENUM:
        jsonw_slice(w, v->s);
        break;
    }
}

void record_value_raw(const struct record_field *f, const struct record_value *v, struct jsonw *w)
{
    if (v->null)
        jsonw_null(w);
    else if (record_is_text(f->type))
        jsonw_slice(w, v->s);
    else
        jsonw_i64(w, v->i);
}
