/* A change of rules as data: read from JSON or CSV, checked against the records as they are now, brought into one form
 * so that equal changes have equal bytes. */
#include "replay/replay_priv.h"

#include "record/record.h"
#include "sheet/sheet.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    enum record_type type;
} rule_fields[REPLAY_RULE_FIELDS] = {/* bit i of engine_change.given */
                                     {"enabled", RECORD_BOOL},        {"enter_fix", RECORD_FIX},
                                     {"leave_fix", RECORD_FIX},       {"min_duration_min", RECORD_INT},
                                     {"min_valid_share", RECORD_FIX}, {"param1", RECORD_FIX},
                                     {"param2", RECORD_FIX},          {"valid_from", RECORD_TIME},
                                     {"valid_to", RECORD_TIME}};
static const struct {
    const char *name;
    enum record_type type;
    unsigned bit;
} limit_fields[] = {{"limit_value", RECORD_FIX, ENGINE_C_LIMIT},
                    {"basis", RECORD_ENUM, ENGINE_C_BASIS},
                    {"valid_from", RECORD_DATE, ENGINE_C_FROM},
                    {"valid_to", RECORD_DATE, ENGINE_C_TO}};
#define LIMIT_FIELDS (sizeof limit_fields / sizeof limit_fields[0])

/* ---- values ---- */

static enum lt_err wrong(const char *name, const char *form, struct lt_error *err)
{
    return lt_fail(err, LT_E_FIELD_TYPE, name, name, form, NULL);
}

static bool is_empty(const json_t *v)
{
    return json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0);
}

static bool read_bool(const json_t *v, int64_t *ret)
{
    const char *s = json_string_value(v);
    *ret = json_is_true(v) || (json_is_integer(v) && json_integer_value(v) == 1) ||
           (s && (strcasecmp(s, "true") == 0 || strcmp(s, "1") == 0));
    return *ret || json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
           (s && (strcasecmp(s, "false") == 0 || strcmp(s, "0") == 0));
}

/* BASIS: 1 converted, 0 measured. */
static enum lt_err read_value(const struct record_kind *k, const char *name, enum record_type type, const json_t *v,
                              int tz_min, int64_t *ret, struct lt_error *err)
{
    const struct record_field *f = record_field_find(k, lt_slice_of(name));
    char lo[32], hi[32];
    *ret = LT_FIX_NONE;
    if (is_empty(v))
        return f->flags & RECORD_F_REQUIRED ? lt_fail(err, LT_E_FIELD_REQUIRED, name, name, NULL, NULL) : LT_OK;
    if (type == RECORD_BOOL)
        return read_bool(v, ret) ? LT_OK : wrong(name, "true, false", err);
    if (type == RECORD_ENUM) {
        const char *s = json_string_value(v);
        *ret = s && strcmp(s, "converted") == 0;
        return *ret || (s && strcmp(s, "measured") == 0)
                   ? LT_OK
                   : lt_fail(err, LT_E_FIELD_CHOICE, name, name, s ? s : "", "converted, measured");
    }
    if (type == RECORD_TIME || type == RECORD_DATE)
        return json_is_string(v) && lt_time_parse_iso(lt_slice_of(json_string_value(v)), tz_min, ret)
                   ? LT_OK
                   : wrong(name, "time", err);
    bool whole = type == RECORD_INT;
    if (!jsonr_to_fix(v, ret) || (whole && *ret % LT_FIX_ONE))
        return wrong(name, whole ? "integer" : "number", err);
    *ret /= whole ? LT_FIX_ONE : 1;
    if (f->max > f->min && (*ret < f->min || *ret > f->max)) {
        lt_fix_format_short(whole ? f->min * LT_FIX_ONE : f->min, lo);
        lt_fix_format_short(whole ? f->max * LT_FIX_ONE : f->max, hi);
        return lt_fail(err, LT_E_FIELD_RANGE, name, name, lo, hi);
    }
    return LT_OK;
}

/* ---- rules as they are ---- */

static int64_t rule_default(size_t field)
{
    return field == 0 ? 1 : field == 3 ? 0 : LT_FIX_NONE; /* in force; no least duration */
}

enum lt_err replay_rules_now(struct sql_db *db, struct replay_rules *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row;
    *ret = (struct replay_rules){0};
    for (size_t i = 0; i < ALARM_RULE_COUNT; i++)
        for (size_t f = 0; f < REPLAY_RULE_FIELDS; f++)
            ret->rule[i].v[f] = f == 0 ? 0 : rule_default(f); /* without a record not in force, as in the engine */
    enum lt_err e = sql_prepare(db,
                                "SELECT code, version, enabled, enter_fix, leave_fix, min_duration_min, "
                                "min_valid_share, param1, param2, valid_from, valid_to FROM rule WHERE deleted = 0",
                                &st, err);
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        int code = alarm_rule_find(sql_col_text(st, 0));
        if (code < 0)
            continue;
        ret->rule[code].there = true;
        ret->rule[code].version = sql_col_i64(st, 1);
        for (int f = 0; f < REPLAY_RULE_FIELDS; f++)
            ret->rule[code].v[f] = sql_col_null(st, f + 2) ? rule_default((size_t)f) : sql_col_i64(st, f + 2);
    }
    sql_release(&st);
    return e;
}

static void set_rule_field(struct engine_change *c, size_t field, int64_t v)
{
    int64_t *const to[] = {NULL,       &c->enter,   &c->leave, &c->min_duration_min, &c->min_valid_share, &c->param1,
                           &c->param2, &c->from_ms, &c->to_ms};
    c->given |= 1U << field;
    if (field == 0)
        c->enabled = v != 0;
    else
        *to[field] = v;
}

static int64_t rule_field(const struct engine_change *c, size_t field)
{
    const int64_t v[] = {c->enabled, c->enter,   c->leave, c->min_duration_min, c->min_valid_share, c->param1,
                         c->param2,  c->from_ms, c->to_ms};
    return v[field];
}

void replay_rules_change(const struct replay_rules *before, const struct replay_rules *after, struct replay_change *ret)
{
    ret->n = 0;
    for (unsigned i = 0; i < ALARM_RULE_COUNT; i++) {
        struct engine_change c = {.rule = i};
        for (size_t f = 0; f < REPLAY_RULE_FIELDS; f++)
            if (before->rule[i].v[f] != after->rule[i].v[f])
                set_rule_field(&c, f, after->rule[i].v[f]);
        if (c.given)
            ret->item[ret->n++] = c;
    }
}

/* ---- limits ---- */

static void set_limit_field(struct engine_change *c, unsigned bit, int64_t v)
{
    c->given |= bit;
    if (bit == ENGINE_C_LIMIT)
        c->limit_value = v;
    else if (bit == ENGINE_C_BASIS)
        c->converted = v != 0;
    else if (bit == ENGINE_C_FROM)
        c->from_ms = v;
    else
        c->to_ms = v;
}

static int64_t limit_field(const struct engine_change *c, unsigned bit)
{
    return bit == ENGINE_C_LIMIT   ? c->limit_value
           : bit == ENGINE_C_BASIS ? (int64_t)c->converted
           : bit == ENGINE_C_FROM  ? c->from_ms
                                   : c->to_ms;
}

static enum lt_err limit_now(struct sql_db *db, int64_t id, int64_t ret[LIMIT_FIELDS], struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    char shown[24];
    enum lt_err e = sql_prepare(db,
                                "SELECT limit_value, basis = 'converted', valid_from, valid_to FROM factor_limit WHERE "
                                "id = ?1 AND deleted = 0",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, id);
    e = sql_step(st, &row, err);
    for (int i = 0; e == LT_OK && row && i < (int)LIMIT_FIELDS; i++)
        ret[i] = sql_col_null(st, i) ? LT_FIX_NONE : sql_col_i64(st, i);
    sql_release(&st);
    snprintf(shown, sizeof shown, "%lld", (long long)id);
    return e == LT_OK && !row ? lt_fail(err, LT_E_REF_MISSING, "limit", "limit", "factor_limit", shown) : e;
}

/* ---- reading ---- */

struct parsing {
    struct sql_db *db;
    int tz_min;
    struct replay_rules rules;
    struct replay_change *ret;
    struct lt_error *err;
    enum lt_err e;
    /* CSV */
    char column[SHEET_COLS_MAX][32];
    unsigned n_columns;
};

static enum lt_err parse_limit(struct parsing *p, const json_t *item, struct engine_change *c)
{
    int64_t now[LIMIT_FIELDS], v;
    const char *key;
    json_t *value, *o = json_incref((json_t *)(uintptr_t)item);
    enum lt_err e = jsonr_i64(item, "limit", true, 1, INT64_MAX, &c->limit_id, p->err);
    if (e == LT_OK)
        e = limit_now(p->db, c->limit_id, now, p->err);
    json_object_foreach(o, key, value)
    {
        size_t i = 0;
        while (i < LIMIT_FIELDS && strcmp(limit_fields[i].name, key) != 0)
            i++;
        if (e != LT_OK || strcmp(key, "limit") == 0)
            continue;
        if (i == LIMIT_FIELDS)
            e = lt_fail(p->err, LT_E_FIELD_UNKNOWN, key, key, NULL, NULL);
        else
            e = read_value(record_kind_find(LT_LIT("factor_limit")), key, limit_fields[i].type, value, p->tz_min, &v,
                           p->err);
        if (e == LT_OK && v != now[i])
            set_limit_field(c, limit_fields[i].bit, v);
    }
    json_decref(o);
    return e;
}

static enum lt_err parse_rule(struct parsing *p, const json_t *item, struct engine_change *c)
{
    struct lt_slice code;
    int64_t v;
    const char *key;
    json_t *value, *o = json_incref((json_t *)(uintptr_t)item);
    char shown[40];
    enum lt_err e = jsonr_str(item, "code", true, 32, &code, p->err);
    int rule = e == LT_OK ? alarm_rule_find(code) : 0;
    if (rule < 0) {
        lt_text_copy_slice(shown, sizeof shown, code);
        e = lt_fail(p->err, LT_E_FIELD_CHOICE, "code", "code", shown, "hour_exceed, day_exceed …");
    }
    c->rule = rule < 0 ? 0 : (unsigned)rule;
    json_object_foreach(o, key, value)
    {
        size_t i = 0;
        while (i < REPLAY_RULE_FIELDS && strcmp(rule_fields[i].name, key) != 0)
            i++;
        if (e != LT_OK || strcmp(key, "code") == 0)
            continue;
        if (i == REPLAY_RULE_FIELDS)
            e = lt_fail(p->err, LT_E_FIELD_UNKNOWN, key, key, NULL, NULL);
        else
            e = read_value(record_kind_find(LT_LIT("rule")), key, rule_fields[i].type, value, p->tz_min, &v, p->err);
        if (e == LT_OK && v == LT_FIX_NONE)
            v = rule_default(i);
        if (e == LT_OK && v != p->rules.rule[c->rule].v[i])
            set_rule_field(c, i, v);
    }
    json_decref(o);
    return e;
}

static enum lt_err parse_today(struct parsing *p, const json_t *item, struct engine_change *c)
{
    const char *s = json_string_value(json_object_get(item, "limits"));
    if (!s || strcmp(s, "today") != 0 || json_object_size(item) != 1)
        return wrong("limits", "{\"limits\":\"today\"}", p->err);
    c->limit_id = ENGINE_LIMITS_TODAY;
    c->given = ENGINE_C_TODAY;
    return LT_OK;
}

static enum lt_err add_item(struct parsing *p, const json_t *item)
{
    struct engine_change c = {0};
    enum lt_err e = !json_is_object(item)             ? wrong("change", "[{\"code\":…}]", p->err)
                    : json_object_get(item, "limit")  ? parse_limit(p, item, &c)
                    : json_object_get(item, "limits") ? parse_today(p, item, &c)
                                                      : parse_rule(p, item, &c);
    for (size_t i = 0; e == LT_OK && i < p->ret->n; i++)
        if (p->ret->item[i].limit_id == c.limit_id && p->ret->item[i].rule == c.rule)
            e = lt_fail(p->err, LT_E_DUPLICATE, "change", "change",
                        c.limit_id ? "limit" : alarm_rule_code((enum alarm_rule)c.rule), NULL);
    if (e == LT_OK && c.given && p->ret->n == REPLAY_CHANGES_MAX)
        e = lt_fail(p->err, LT_E_LIMIT, "change", "change", "200", NULL);
    if (e == LT_OK && c.given)
        p->ret->item[p->ret->n++] = c;
    return e;
}

static int by_object(const void *a, const void *b)
{
    const struct engine_change *x = a, *y = b;
    if (x->limit_id != y->limit_id)
        return x->limit_id < y->limit_id ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static void sort_items(struct replay_change *c)
{
    if (c->n > 1)
        qsort(c->item, c->n, sizeof *c->item, by_object);
}

enum lt_err replay_change_parse(struct sql_db *db, const json_t *items, int tz_min, struct replay_change *ret,
                                struct lt_error *err)
{
    struct parsing p = {.db = db, .tz_min = tz_min, .ret = ret, .err = err};
    ret->n = 0;
    if (!json_is_array(items))
        return wrong("change", "[{\"code\":…}]", err);
    enum lt_err e = replay_rules_now(db, &p.rules, err);
    for (size_t i = 0; e == LT_OK && i < json_array_size(items); i++)
        e = add_item(&p, json_array_get(items, i));
    sort_items(ret);
    return e;
}

/* One line of the table; an empty cell leaves the field as it is, "-" empties it. */
static bool csv_row(void *user, const struct sheet_row *r)
{
    struct parsing *p = user;
    if (p->n_columns == 0) {
        p->n_columns = r->n;
        for (unsigned i = 0; i < r->n; i++)
            lt_text_copy_slice(p->column[i], sizeof p->column[i], r->cell[i]);
        return true;
    }
    json_t *o = json_object();
    for (unsigned i = 0; o && i < r->n && i < p->n_columns; i++) {
        int64_t id;
        if (r->cell[i].n == 0 || !p->column[i][0])
            continue;
        if (strcmp(p->column[i], "limit") == 0 && lt_text_to_i64(r->cell[i], &id))
            json_object_set_new(o, "limit", json_integer(id));
        else if (lt_slice_is(r->cell[i], "-"))
            json_object_set_new(o, p->column[i], json_null());
        else
            json_object_set_new(o, p->column[i], json_stringn(r->cell[i].p, r->cell[i].n));
    }
    p->e = o ? add_item(p, o) : lt_fail(p->err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    json_decref(o);
    return p->e == LT_OK;
}

enum lt_err replay_change_csv(struct sql_db *db, struct lt_slice file, int tz_min, struct replay_change *ret,
                              struct lt_error *err)
{
    struct parsing *p = calloc(1, sizeof *p);
    if (!p)
        return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    *p = (struct parsing){.db = db, .tz_min = tz_min, .ret = ret, .err = err};
    ret->n = 0;
    enum lt_err e = replay_rules_now(db, &p->rules, err);
    if (e == LT_OK)
        e = sheet_read_csv(file, csv_row, p, err);
    e = e == LT_OK ? p->e : e;
    free(p);
    sort_items(ret);
    return e;
}

/* ---- writing ---- */

static void write_day(struct jsonw *w, int64_t v, int tz_min)
{
    char text[40];
    lt_time_format_iso(v, tz_min, text);
    jsonw_slice(w, (struct lt_slice){text, 10});
}

static void write_value(struct jsonw *w, const char *name, enum record_type type, int64_t v, int tz_min)
{
    jsonw_key(w, name);
    if (v == LT_FIX_NONE)
        jsonw_null(w);
    else if (type == RECORD_BOOL)
        jsonw_bool(w, v != 0);
    else if (type == RECORD_INT)
        jsonw_i64(w, v);
    else if (type == RECORD_ENUM)
        jsonw_str(w, v ? "converted" : "measured");
    else if (type == RECORD_DATE)
        write_day(w, v, tz_min);
    else if (type == RECORD_TIME)
        jsonw_time(w, v, tz_min);
    else
        jsonw_fix(w, v);
}

void replay_change_json(const struct replay_change *c, int tz_min, struct jsonw *w)
{
    jsonw_array(w);
    for (size_t i = 0; i < c->n; i++) {
        const struct engine_change *x = &c->item[i];
        jsonw_object(w);
        if (x->limit_id == ENGINE_LIMITS_TODAY)
            jsonw_kstr(w, "limits", "today");
        else if (x->limit_id)
            jsonw_ki64(w, "limit", x->limit_id);
        else
            jsonw_kstr(w, "code", alarm_rule_code((enum alarm_rule)x->rule));
        for (size_t f = 0; !x->limit_id && f < REPLAY_RULE_FIELDS; f++)
            if (x->given & 1U << f)
                write_value(w, rule_fields[f].name, rule_fields[f].type, rule_field(x, f), tz_min);
        for (size_t f = 0; x->limit_id && f < LIMIT_FIELDS; f++)
            if (x->given & limit_fields[f].bit)
                write_value(w, limit_fields[f].name, limit_fields[f].type, limit_field(x, limit_fields[f].bit), tz_min);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}
