/* Hours pushed by programs as JSON: checked whole, then put whole. */
#include "air/air_import_priv.h"
#include "air/air_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define PUSH_ROWS_MAX 20000 /* a province's 1,500 stations for 13 hours; with more use import */

struct push {
    const struct record_ctx *x;
    struct record_faults *faults;
    bool label_end, co_ug;
    struct {
        int64_t id;
        char code[65];
    } * station; /* that the caller may see, by code */
    size_t n, cap;
    bool starved; /* no memory for all of them */
    struct lt_error *err;
    size_t wrong;
};

static int by_code(const void *a, const void *b)
{
    return strcmp((const char *)a + sizeof(int64_t), (const char *)b + sizeof(int64_t));
}

static bool on_station(void *user, const struct record_row *row)
{
    struct push *p = user;
    if (!lt_grow(&p->station, p->n, &p->cap, sizeof *p->station)) {
        p->starved = true;
        return false;
    }
    p->station[p->n].id = row->id;
    lt_text_copy_slice(p->station[p->n++].code, sizeof p->station[0].code, record_text(row, "code"));
    return true;
}

static int64_t station_of(const struct push *p, const char *code)
{
    size_t lo = 0, hi = p->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(p->station[mid].code, code);
        if (c == 0)
            return p->station[mid].id;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}

static enum lt_err fault(struct push *p, size_t row, const char *field, enum lt_err code, const char *a, const char *b,
                         const char *c)
{
    struct lt_error one;
    char where[64];
    snprintf(where, sizeof where, field[0] ? "rows[%zu].%s" : "rows[%zu]", row, field);
    lt_fail(&one, code, where, a, b, c);
    if (p->faults)
        record_fault(p->faults, &one);
    if (p->wrong++ == 0 && p->err)
        *p->err = one;
    return code;
}

static void read_value(struct push *p, size_t n, const json_t *o, int item, struct air_row *row)
{
    const char *name = air_item_name((enum air_item)item);
    const json_t *v = json_object_get(o, name);
    int64_t fix;
    if (!v || json_is_null(v))
        return;
    if (!jsonr_to_fix(v, &fix)) {
        fault(p, n, name, LT_E_FIELD_TYPE, name, "number", NULL);
        return;
    }
    if (item == AIR_CO && p->co_ug)
        fix = lt_div_half_even(fix, 1000);
    if (air_value_from_fix((enum air_item)item, fix, &row->value[item]))
        return;
    char least[32], most[32];
    lt_fix_format_short(air_value_fix((enum air_item)item, air_item_least((enum air_item)item)), least);
    lt_fix_format_short(air_value_fix((enum air_item)item, air_item_most((enum air_item)item)), most);
    fault(p, n, name, LT_E_FIELD_RANGE, name, least, most);
}

static void read_invalid(struct push *p, size_t n, const json_t *o, struct air_row *row)
{
    const json_t *list = json_object_get(o, "invalid");
    if (list && !json_is_null(list) && !json_is_array(list)) /* "invalid":"CO" must not make CO a valid value */
        fault(p, n, "invalid", LT_E_FIELD_TYPE, "invalid", "array", NULL);
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum air_item item;
        const char *z = json_string_value(json_array_get(list, i));
        if (z && air_item_find(lt_slice_of(z), &item))
            row->invalid |= (uint16_t)(1u << item);
        else
            fault(p, n, "invalid", LT_E_FIELD_CHOICE, "invalid", z ? z : "?", "PM25, PM10, SO2, NO2, CO, O3 …");
    }
}

static bool known_member(const char *key)
{
    enum air_item item;
    return strcmp(key, "station") == 0 || strcmp(key, "time") == 0 || strcmp(key, "invalid") == 0 ||
           air_item_find(lt_slice_of(key), &item);
}

static void read_row(struct push *p, size_t n, json_t *o, struct air_row *row)
{
    const char *key;
    json_t *v;
    bool has_hour = false;
    *row = (struct air_row){0};
    for (int i = 0; i < AIR_ITEMS; i++)
        row->value[i] = AIR_NONE;
    json_object_foreach(o, key, v) if (!known_member(key)) fault(p, n, "", LT_E_FIELD_UNKNOWN, key, NULL, NULL);
    if (!json_is_object(o)) {
        fault(p, n, "", LT_E_FIELD_TYPE, "rows", "object", NULL);
        return;
    }
    const char *station = json_string_value(json_object_get(o, "station"));
    const char *time = json_string_value(json_object_get(o, "time"));
    if (!station || !(row->station = station_of(p, station)))
        fault(p, n, "station", LT_E_NOT_FOUND, "station", station ? station : "", NULL);
    if (!time || !air_time_parse(lt_slice_of(time), p->x->tz_min, &has_hour, &row->at_ms) || !has_hour) {
        fault(p, n, "time", LT_E_FIELD_FORMAT, "time", time ? time : "", "2026-11-25T08:00:00+08:00");
    } else {
        row->at_ms -= p->label_end ? LT_HOUR_MS : 0;
        if ((row->at_ms + p->x->tz_min * LT_MIN_MS) % LT_HOUR_MS != 0)
            fault(p, n, "time", LT_E_FIELD_FORMAT, "time", time, "hh:00");
        else if (row->at_ms > p->x->now_ms + LT_HOUR_MS || row->at_ms < 0)
            fault(p, n, "time", LT_E_FIELD_RANGE, "time", "1970", "now");
    }
    for (int i = 0; i < AIR_ITEMS; i++)
        read_value(p, n, o, i, row);
    read_invalid(p, n, o, row);
}

static enum lt_err choice(const json_t *body, const char *name, const char *a, const char *b, bool *ret_b,
                          struct lt_error *err)
{
    struct lt_slice s = LT_LIT("");
    char shown[32], both[32];
    enum lt_err e = jsonr_str(body, name, false, 16, &s, err);
    if (e != LT_OK || s.n == 0)
        return e;
    *ret_b = lt_slice_is(s, b);
    lt_text_copy_slice(shown, sizeof shown, s);
    snprintf(both, sizeof both, "%s, %s", a, b);
    return *ret_b || lt_slice_is(s, a) ? LT_OK : lt_fail(err, LT_E_FIELD_CHOICE, name, name, shown, both);
}

static enum lt_err put(const struct record_ctx *x, const struct air_row *list, size_t n, struct air_put_result *ret,
                       struct lt_error *err)
{
    struct air_batch_info info = {.source = AIR_SRC_PUSH,
                                  .author = x->who->login[0] ? x->who->login : x->who->name,
                                  .reason = "push",
                                  .now_ms = x->now_ms,
                                  .tz_min = x->tz_min};
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = air_put(x->db, &info, list, n, ret, err);
    if (e == LT_OK && ret->version)
        e = air_audit(x, "push", ret, NULL, err);
    return sql_end(x->db, e, err);
}

enum lt_err air_push(const struct record_ctx *x, const json_t *body, struct air_put_result *ret,
                     struct record_faults *faults, struct lt_error *err)
{
    static const char *const names[] = {"hour_label", "co_unit", "rows", NULL};
    struct push p = {.x = x, .faults = faults, .label_end = true, .err = err};
    struct record_query q = {0};
    const json_t *rows = json_object_get(body, "rows");
    size_t n = json_array_size(rows);
    enum lt_err e = auth_need(x->who, "air:push", err);
    if (e == LT_OK) /* a misspelt "co_unit" would make every CO a thousand times too large */
        e = jsonr_only(body, names, err);
    if (e == LT_OK)
        e = choice(body, "hour_label", "start", "end", &p.label_end, err);
    if (e == LT_OK)
        e = choice(body, "co_unit", "mg", "ug", &p.co_ug, err);
    if (e == LT_OK && !n)
        e = lt_fail(err, LT_E_FIELD_REQUIRED, "rows", "rows", NULL, NULL);
    if (e == LT_OK && n > PUSH_ROWS_MAX)
        e = lt_fail(err, LT_E_LIMIT_SIZE, "rows", "rows", "20000", NULL);
    if (e == LT_OK)
        e = record_each(x, record_kind_find(LT_LIT("station")), &q, on_station, &p, err);
    if (e == LT_OK && p.starved)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e != LT_OK) {
        free(p.station);
        return e;
    }
    qsort(p.station, p.n, sizeof *p.station, by_code);
    struct air_row *list = malloc(n * sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        read_row(&p, i, json_array_get(rows, i), &list[i]);
    if (!list)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    else if (p.wrong)
        e = err ? err->code : LT_E_BAD_INPUT;
    else
        e = put(x, list, n, ret, err);
    free(list);
    free(p.station);
    return e;
}
