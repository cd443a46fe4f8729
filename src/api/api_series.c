/* GET device/ID/series: values over time for charts and tables.
 *
 * At most `points` rows come back. When there are more, the range is cut into equal buckets and each gives two rows:
 * the smallest and the largest value of every column in it (of marks the worst), so that no peak is lost. Whole rows
 * are given as they are otherwise. Two passes over the chunks: the first counts rows and finds the columns. */
#include "api/api_priv.h"

#include "base/text.h"
#include "engine/values.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MAX  96 /* 16 factors of 6 fields */
#define RANGE_MAX_MS (400 * LT_DAY_MS)

enum shape { NUMBER, WHOLE, MARK, SOURCE, STATE };
struct field_name {
    unsigned field;
    const char *name, *en, *zh;
    enum shape shape;
    bool main;
};
static const struct field_name fields[] = {
    {HJ212_F_RTD, "rtd", "measured", "实测", NUMBER, true},
    {HJ212_F_ZSRTD, "zs", "converted", "折算", NUMBER, true},
    {HJ212_F_AVG, "avg", "mean", "均值", NUMBER, true},
    {HJ212_F_ZSAVG, "zsavg", "converted mean", "折算均值", NUMBER, true},
    {HJ212_F_MIN, "min", "least", "最小值", NUMBER, false},
    {HJ212_F_MAX, "max", "greatest", "最大值", NUMBER, false},
    {HJ212_F_ZSMIN, "zsmin", "converted least", "折算最小值", NUMBER, false},
    {HJ212_F_ZSMAX, "zsmax", "converted greatest", "折算最大值", NUMBER, false},
    {HJ212_F_COU, "cou", "amount", "排放量", NUMBER, false},
    {HJ212_F_FLAG, "mark", "mark", "标记", MARK, true},
    {HJ212_F_RS, "rs", "state", "运行状态", NUMBER, true},
    {HJ212_F_RT, "rt", "running time", "运行时间", NUMBER, true},
    {SERIES_F_VALID, "valid", "valid parts", "有效数", WHOLE, false},
    {SERIES_F_SOURCE, "source", "source", "来源", SOURCE, false},
    {SERIES_F_STATE, "state", "state", "状态", STATE, false},
    {SERIES_F_VERSION, "version", "version", "修订次数", WHOLE, false},
    {VALUES_F_CALC_AVG, "calc_avg", "own mean", "自算均值", NUMBER, false},
    {VALUES_F_CALC_ZSAVG, "calc_zsavg", "own converted mean", "自算折算均值", NUMBER, false},
    {VALUES_F_DIFF, "diff", "difference", "差值", NUMBER, false},
};

struct column {
    uint16_t number;
    char factor[17];
    const struct field_name *field;
};
struct reading {
    struct api_call *c;
    struct lt_slice factors; /* comma list, "" all */
    bool all_fields, limit_hit;
    struct column column[COLUMNS_MAX];
    size_t n_columns;
    uint8_t state[65536 / 4]; /* two bits per column number: unknown, taken, not wanted */
    uint64_t rows;
    /* second pass */
    int64_t from_ms, bucket_ms, bucket;
    bool thinned, any;
    int64_t low[COLUMNS_MAX], high[COLUMNS_MAX];
};

static bool listed(struct lt_slice list, const char *factor)
{
    if (list.n == 0)
        return true;
    size_t n = strlen(factor);
    for (size_t i = 0; i < list.n;) {
        const char *comma = memchr(list.p + i, ',', list.n - i);
        size_t end = comma ? (size_t)(comma - list.p) : list.n;
        if (end - i == n && memcmp(list.p + i, factor, n) == 0)
            return true;
        i = end + 1;
    }
    return false;
}

static unsigned state_of(const struct reading *r, uint16_t number)
{
    return (unsigned)r->state[number / 4] >> (number % 4 * 2) & 3u;
}

/* Decides once per column number whether it is wanted. */
static void decide(struct reading *r, uint16_t number)
{
    struct column col = {.number = number};
    unsigned field = 0, result = 2;
    if (series_column_name(r->c->a->deps.series, number, col.factor, &field) && listed(r->factors, col.factor)) {
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
            if (fields[i].field == field && (r->all_fields || fields[i].main))
                col.field = &fields[i];
        if (col.field && r->n_columns < COLUMNS_MAX) {
            r->column[r->n_columns++] = col;
            result = 1;
        } else if (col.field) {
            r->limit_hit = true;
        }
    }
    r->state[number / 4] = (uint8_t)(r->state[number / 4] | result << (number % 4 * 2));
}

static bool count_row(void *user, const struct series_row *row)
{
    struct reading *r = user;
    r->rows++;
    for (uint32_t i = 0; i < row->n; i++)
        if (state_of(r, row->cells[i].column) == 0)
            decide(r, row->cells[i].column);
    return true;
}

static int by_factor(const void *a, const void *b)
{
    const struct column *x = a, *y = b;
    int c = strcmp(x->factor, y->factor);
    return c ? c : x->field < y->field ? -1 : x->field > y->field;
}

static void write_states(struct jsonw *w, int64_t bits)
{
    char text[160];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned bit = 1; bit && bit <= (unsigned)bits; bit <<= 1)
        if ((unsigned)bits & bit && values_state_name(bit))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "," : "", values_state_name(bit));
    jsonw_str(w, text);
}

static void write_cell(struct jsonw *w, const struct column *c, int64_t v)
{
    char mark[5];
    if (v == LT_FIX_NONE) {
        jsonw_null(w);
        return;
    }
    switch (c->field->shape) {
    case NUMBER:
        jsonw_fix(w, v);
        break;
    case WHOLE:
        jsonw_i64(w, v);
        break;
    case MARK:
        values_mark_unpack(v, mark);
        jsonw_str(w, mark);
        break;
    case SOURCE:
        jsonw_str(w, values_source_name((enum values_source)v));
        break;
    case STATE:
        write_states(w, v);
        break;
    }
}

static void write_row(struct reading *r, int64_t at_ms, const int64_t *v)
{
    struct jsonw *w = &r->c->w;
    jsonw_array(w);
    jsonw_time(w, at_ms, r->c->a->cfg.tz_min);
    for (size_t i = 0; i < r->n_columns; i++)
        write_cell(w, &r->column[i], v[i]);
    jsonw_array_end(w);
}

static void flush(struct reading *r)
{
    if (!r->any)
        return;
    int64_t at = r->from_ms + r->bucket * r->bucket_ms;
    write_row(r, at, r->low);
    write_row(r, at + r->bucket_ms / 2, r->high);
    r->any = false;
}

static void merge(struct reading *r, size_t i, int64_t v)
{
    if (r->column[i].field->shape == MARK) { /* one bad mark stands for the bucket */
        if (r->high[i] == LT_FIX_NONE || (values_mark_normal(r->high[i]) && !values_mark_normal(v)))
            r->low[i] = r->high[i] = v;
        return;
    }
    if (r->low[i] == LT_FIX_NONE || v < r->low[i])
        r->low[i] = v;
    if (r->high[i] == LT_FIX_NONE || v > r->high[i])
        r->high[i] = v;
}

static void clear(int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = LT_FIX_NONE;
}

static bool take_row(void *user, const struct series_row *row)
{
    struct reading *r = user;
    int64_t bucket = r->thinned ? (row->at_ms - r->from_ms) / r->bucket_ms : 0;
    if (!r->thinned || bucket != r->bucket || !r->any) {
        if (r->thinned)
            flush(r);
        clear(r->low, r->n_columns);
        clear(r->high, r->n_columns);
        r->bucket = bucket;
    }
    bool some = false;
    for (size_t i = 0; i < r->n_columns; i++) {
        for (uint32_t k = 0; k < row->n; k++) {
            if (row->cells[k].column != r->column[i].number)
                continue;
            merge(r, i, row->cells[k].value);
            some = true;
        }
    }
    if (r->thinned)
        r->any |= some;
    else if (some)
        write_row(r, row->at_ms, r->low);
    return true;
}

static void write_columns(struct reading *r)
{
    struct jsonw *w = &r->c->w;
    bool zh = r->c->req->lang == LT_ZH;
    char name[120];
    jsonw_key(w, "columns");
    jsonw_array(w);
    for (size_t i = 0; i < r->n_columns; i++) {
        const struct column *c = &r->column[i];
        const struct hj212_factor *f = hj212_factor_find(lt_slice_of(c->factor));
        bool amount = strcmp(c->field->name, "cou") == 0, number = c->field->shape == NUMBER;
        snprintf(name, sizeof name, "%s %s", f ? (zh ? f->name_zh : f->name_en) : c->factor,
                 zh ? c->field->zh : c->field->en);
        jsonw_object(w);
        jsonw_kstr(w, "factor", c->factor);
        jsonw_kstr(w, "field", c->field->name);
        jsonw_kstr(w, "name", name);
        jsonw_kstr(w, "unit", !number ? "" : amount ? "kg" : f ? f->unit : "");
        jsonw_ki64(w, "decimals", f && number ? f->decimals : 0);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

struct limits {
    struct reading *r;
    int64_t from_ms, to_ms;
};

static bool write_limit(void *user, const struct record_row *row)
{
    struct limits *l = user;
    struct jsonw *w = &l->r->c->w;
    int tz = l->r->c->a->cfg.tz_min;
    char factor[17];
    int64_t from = record_i64(row, "valid_from", 0), to = record_i64(row, "valid_to", 0);
    lt_text_copy_slice(factor, sizeof factor, record_text(row, "factor"));
    if (!listed(l->r->factors, factor) || from >= l->to_ms || (to && to <= l->from_ms))
        return true;
    jsonw_object(w);
    jsonw_kstr(w, "factor", factor);
    jsonw_kslice(w, "period", record_text(row, "period"));
    jsonw_kslice(w, "basis", record_text(row, "basis"));
    jsonw_kfix(w, "value", record_i64(row, "limit_value", LT_FIX_NONE));
    jsonw_kslice(w, "standard", record_text(row, "standard"));
    jsonw_ktime(w, "from", from, tz);
    jsonw_ktime(w, "to", to, tz);
    jsonw_object_end(w);
    return true;
}

static enum lt_err write_limits(struct reading *r, int64_t outlet, int64_t from_ms, int64_t to_ms, struct lt_error *err)
{
    char id[24];
    const struct record_kind *k = api_kind("factor_limit");
    struct limits l = {r, from_ms, to_ms};
    struct record_query q = {.n = 1};
    q.filter[0] = (struct record_filter){record_field_find(k, LT_LIT("outlet")), RECORD_EQ, api_number(outlet, id)};
    jsonw_key(&r->c->w, "limits");
    jsonw_array(&r->c->w);
    enum lt_err e = outlet && auth_may(&r->c->who, "factor_limit:read")
                        ? record_each(&r->c->x, k, &q, write_limit, &l, err)
                        : LT_OK;
    if (!e)
        jsonw_array_end(&r->c->w);
    return e;
}

static enum lt_err kind_of(const struct api_call *c, enum series_kind *ret, struct lt_error *err)
{
    static const char *const names[SERIES_KINDS] = {"rtd", "min", "hour_r", "day_r", "hour", "day", "state"};
    struct lt_slice v = http_query(c->req, "kind");
    char shown[32];
    for (int i = 0; i < SERIES_KINDS; i++) {
        if (lt_slice_is(v, names[i])) {
            *ret = (enum series_kind)i;
            return LT_OK;
        }
    }
    lt_text_copy_slice(shown, sizeof shown, v);
    if (v.n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "kind", "kind", NULL, NULL);
    return lt_fail(err, LT_E_FIELD_CHOICE, "kind", "kind", shown, "rtd, min, hour_r, hour, day, day_r, state");
}

static enum lt_err read_both(struct reading *r, int64_t device, enum series_kind kind, int64_t from, int64_t to,
                             int64_t points, struct lt_error *err)
{
    struct series *s = r->c->a->deps.series;
    struct jsonw *w = &r->c->w;
    enum lt_err e = series_read(s, (uint32_t)device, kind, from, to, count_row, r, err);
    if (e)
        return e;
    if (r->n_columns)
        qsort(r->column, r->n_columns, sizeof r->column[0], by_factor);
    r->thinned = r->rows > (uint64_t)points;
    r->from_ms = from;
    r->bucket_ms = (to - from) / (points / 2) + 1;
    write_columns(r);
    jsonw_key(w, "rows");
    jsonw_array(w);
    if ((e = series_read(s, (uint32_t)device, kind, from, to, take_row, r, err)))
        return e;
    if (r->thinned)
        flush(r);
    jsonw_array_end(w);
    jsonw_kbool(w, "thinned", r->thinned);
    jsonw_kfix(w, "bucket_s", r->thinned ? r->bucket_ms * 1000 : LT_FIX_NONE);
    jsonw_kbool(w, "columns_cut", r->limit_hit);
    return LT_OK;
}

HANDLER(device_series)
{
    int64_t id, from = c->now_ms - LT_DAY_MS, to = c->now_ms + 1, points = 2000;
    enum series_kind kind = SERIES_RTD;
    struct record_row row = {0};
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = kind_of(c, &kind, err)) || (e = api_query_time(c, "from", &from, err)) ||
        (e = api_query_time(c, "to", &to, err)) || (e = api_query_i64(c, "points", 10, 20000, &points, err)))
        return e;
    if (to <= from || to - from > RANGE_MAX_MS)
        return lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "from + 400 d");
    if (!c->a->deps.series)
        return api_missing("series", err);
    if ((e = record_load(&c->x, api_kind("device"), id, &row, err)))
        return e;
    int64_t outlet = record_i64(&row, "outlet", 0);
    record_row_fini(&row);
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    r->c = c;
    r->factors = http_query(c->req, "factors");
    r->all_fields = lt_slice_is(http_query(c->req, "fields"), "all");
    jsonw_object(&c->w);
    e = read_both(r, id, kind, from, to, points, err);
    if (!e)
        e = write_limits(r, outlet, from, to, err);
    if (!e)
        jsonw_object_end(&c->w);
    free(r);
    return e;
}
