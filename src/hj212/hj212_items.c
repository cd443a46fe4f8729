/* Splits a data area into items, byte by byte: the reference for the quick walkers of hj212_walk.c, and what they fall
 * back to for every pair that is not quite ordinary. */
#include "hj212_split.h"

static const struct lt_slice field_names[] = {
#define X(n, s) {s, sizeof(s) - 1},
    HJ212_FIELDS(X)
#undef X
};

const char *hj212_field_name(enum hj212_field f)
{
    return (unsigned)f < HJ212_F_COUNT ? field_names[f].p : "?";
}

enum hj212_field hj212_field_find(struct lt_slice name)
{
    for (unsigned f = HJ212_F_NONE + 1; f < HJ212_F_OTHER; f++)
        if (lt_slice_eq(name, field_names[f]))
            return (enum hj212_field)f;
    return HJ212_F_OTHER;
}

/* What the value of a field has to be. */
enum due { DUE_NUMBER, DUE_MARK, DUE_TIME, DUE_TEXT, DUE_ANY };

static const uint8_t field_due[HJ212_F_COUNT] = {
    [HJ212_F_NONE] = DUE_ANY,          [HJ212_F_RTD] = DUE_NUMBER,       [HJ212_F_ZSRTD] = DUE_NUMBER,
    [HJ212_F_MIN] = DUE_NUMBER,        [HJ212_F_AVG] = DUE_NUMBER,       [HJ212_F_MAX] = DUE_NUMBER,
    [HJ212_F_COU] = DUE_NUMBER,        [HJ212_F_ZSMIN] = DUE_NUMBER,     [HJ212_F_ZSAVG] = DUE_NUMBER,
    [HJ212_F_ZSMAX] = DUE_NUMBER,      [HJ212_F_ZSCOU] = DUE_NUMBER,     [HJ212_F_FLAG] = DUE_MARK,
    [HJ212_F_EFLAG] = DUE_TEXT,        [HJ212_F_SAMPLE_TIME] = DUE_TIME, [HJ212_F_COMPLETE_TIME] = DUE_TIME,
    [HJ212_F_SAMPLE_TYPE] = DUE_ANY,   [HJ212_F_SAMPLE_RD] = DUE_NUMBER, [HJ212_F_STANDARD_VALUE] = DUE_NUMBER,
    [HJ212_F_RESULT_TYPE] = DUE_ANY,   [HJ212_F_DATA] = DUE_NUMBER,      [HJ212_F_DAY_DATA] = DUE_NUMBER,
    [HJ212_F_NIGHT_DATA] = DUE_NUMBER, [HJ212_F_RS] = DUE_NUMBER,        [HJ212_F_RT] = DUE_NUMBER,
    [HJ212_F_INFO] = DUE_ANY,          [HJ212_F_SN] = DUE_TEXT,          [HJ212_F_ALA] = DUE_NUMBER,
    [HJ212_F_LOW_VALUE] = DUE_NUMBER,  [HJ212_F_UP_VALUE] = DUE_NUMBER,  [HJ212_F_OTHER] = DUE_ANY,
};

/* Plain keys that are no numbers even when they look like one. */
static const struct {
    struct lt_slice name;
    enum due due;
} keys[] = {
    {{"DataTime", 8}, DUE_TIME},
    {{"BeginTime", 9}, DUE_TIME},
    {{"EndTime", 7}, DUE_TIME},
    {{"SystemTime", 10}, DUE_TIME},
    {{"RestartTime", 11}, DUE_TIME},
    {{"AlarmTime", 9}, DUE_TIME},
    {{"SKCreateTime", 12}, DUE_TIME},
    {{"PolId", 5}, DUE_TEXT},
    {{"PolID", 5}, DUE_TEXT},
    {{"QN", 2}, DUE_TEXT},
    {{"PW", 2}, DUE_TEXT},
    {{"NewPW", 5}, DUE_TEXT},
    {{"NewSK", 5}, DUE_TEXT},
    {{"InfoId", 6}, DUE_TEXT},
    {{"AlarmTarget", 11}, DUE_TEXT},
    {{"ReportTarget", 12}, DUE_TEXT},
    {{"ReportTime", 10}, DUE_TEXT},
    {{"CstartTime", 10}, DUE_TEXT},
};

static enum due key_due(struct lt_slice name)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (lt_slice_eq(name, keys[i].name))
            return keys[i].due;
    return DUE_ANY;
}

static enum hj212_err refuse(struct hj212_split *s, enum hj212_err err, size_t at)
{
    s->at = (uint32_t)at;
    return err;
}

static enum hj212_err need(struct hj212_split *s, uint32_t bit, enum hj212_err err, size_t at)
{
    if (!(s->tolerate & bit))
        return refuse(s, err, at);
    s->used |= bit;
    return HJ212_E_OK;
}

static enum hj212_err take_number(struct hj212_split *s, struct hj212_item *it)
{
    const char *v = s->a + it->value_at;
    if (hj212_number(v, it->value_len, &it->number, &it->decimals)) {
        it->kind = HJ212_V_NUMBER;
        return HJ212_E_OK;
    }
    it->kind = HJ212_V_TEXT;
    if (it->name_len > 0 && s->a[it->name_at] == 'p') /* work conditions of ST=45 are words */
        return HJ212_E_OK;
    bool twice = memchr(v, '=', it->value_len) != NULL;
    return need(s, HJ212_TOL(NOT_NUMBER), twice ? HJ212_E_ITEM : HJ212_E_NUMBER, it->value_at);
}

static enum hj212_err take_time(struct hj212_split *s, struct hj212_item *it)
{
    if (!hj212_time(s->a + it->value_at, it->value_len, &it->number))
        return refuse(s, HJ212_E_TIME, it->value_at);
    it->kind = HJ212_V_TIME;
    static const struct lt_slice key_time = {"SKCreateTime", 12}; /* 2025 prints it with milliseconds */
    if (it->value_len == 17 && !lt_slice_eq(hj212_name((struct lt_slice){s->a, s->n}, it), key_time))
        return need(s, HJ212_TOL(TIME_MS), HJ212_E_TIME, it->value_at);
    return HJ212_E_OK;
}

static enum hj212_err take_mark(struct hj212_split *s, struct hj212_item *it)
{
    it->kind = it->value_len ? HJ212_V_TEXT : HJ212_V_EMPTY;
    if (memchr(s->a + it->value_at, '=', it->value_len))
        return refuse(s, HJ212_E_ITEM, it->value_at);
    if (it->value_len == 1)
        return HJ212_E_OK;
    return it->value_len <= 4 ? need(s, HJ212_TOL(ANY_MARK), HJ212_E_MARK, it->value_at)
                              : refuse(s, HJ212_E_MARK, it->value_at);
}

static enum hj212_err take_value(struct hj212_split *s, struct hj212_item *it)
{
    const char *v = s->a + it->value_at;
    const size_t n = it->value_len;
    enum due due = it->field == HJ212_F_NONE ? key_due((struct lt_slice){s->a + it->name_at, it->name_len})
                                             : (enum due)field_due[it->field];
    if (n >= 2 && v[0] == '/' && v[1] == '/' && (n < 4 || v[n - 1] != '/' || v[n - 2] != '/'))
        return refuse(s, HJ212_E_ITEM, it->value_at); /* a log text that never ends */
    if (due == DUE_MARK)
        return take_mark(s, it);
    it->kind = n ? HJ212_V_TEXT : HJ212_V_EMPTY;
    if (n == 0)
        return due == DUE_TIME && it->field == HJ212_F_NONE ? refuse(s, HJ212_E_TIME, it->value_at) : HJ212_E_OK;
    if (due == DUE_NUMBER)
        return take_number(s, it);
    if (due == DUE_TIME)
        return take_time(s, it);
    if (due == DUE_ANY && hj212_number(v, n, &it->number, &it->decimals))
        it->kind = HJ212_V_NUMBER;
    return HJ212_E_OK;
}

/* Takes blanks off both ends. */
static enum hj212_err trim(struct hj212_split *s, size_t *from, size_t *end)
{
    size_t a = *from, b = *end;
    while (a < b && s->a[a] == ' ')
        a++;
    while (b > a && s->a[b - 1] == ' ')
        b--;
    bool blank = a != *from || b != *end;
    *from = a;
    *end = b;
    return blank ? need(s, HJ212_TOL(HEADER_BLANK), HJ212_E_ITEM, a) : HJ212_E_OK;
}

/* Name [from, end) into factor and field. */
static enum hj212_err take_name(struct hj212_split *s, size_t from, size_t end, struct hj212_item *it)
{
    const char *dash = memchr(s->a + from, '-', end - from);
    size_t cut = dash ? (size_t)(dash - s->a) : end;
    struct lt_slice suffix = {s->a + cut + 1, dash ? end - cut - 1 : 0};
    if (from == end || cut - from > UINT8_MAX || (dash && (suffix.n == 0 || suffix.n > UINT8_MAX)))
        return refuse(s, HJ212_E_ITEM, from);
    it->name_at = (uint16_t)from;
    it->name_len = (uint8_t)(cut - from);
    it->field_at = (uint16_t)(dash ? cut + 1 : end);
    it->field_len = (uint8_t)suffix.n;
    it->field = dash ? (uint8_t)hj212_field_find(suffix) : HJ212_F_NONE;
    if (dash && cut > from)
        return HJ212_E_OK;
    if (!dash) {
        uint8_t bare = (uint8_t)hj212_field_find((struct lt_slice){s->a + from, end - from});
        if (bare == HJ212_F_OTHER)
            return HJ212_E_OK;
        it->field = bare;
        it->field_at = (uint16_t)from;
        it->field_len = it->name_len;
        it->name_len = 0;
    }
    return need(s, HJ212_TOL(BARE_FIELD), HJ212_E_ITEM, from);
}

enum hj212_err hj212_take_pair(struct hj212_split *s, size_t from, size_t eq, size_t end)
{
    enum hj212_err err;
    if (eq == end) {
        size_t a = from, b = end;
        if ((err = trim(s, &a, &b)) != HJ212_E_OK)
            return err;
        if (a < b)
            return refuse(s, HJ212_E_ITEM, from);
        return from == 0 && end == s->n ? HJ212_E_OK : need(s, HJ212_TOL(TRAILING_SEP), HJ212_E_ITEM, from);
    }
    if (s->count == s->cap)
        return refuse(s, HJ212_E_TOO_MANY, from);
    struct hj212_item it = {.group = s->group};
    size_t name_end = eq, value = eq + 1;
    if ((err = trim(s, &from, &name_end)) != HJ212_E_OK || (err = trim(s, &value, &end)) != HJ212_E_OK ||
        (err = take_name(s, from, name_end, &it)) != HJ212_E_OK)
        return err;
    it.value_at = (uint16_t)value;
    it.value_len = (uint16_t)(end - value);
    if ((err = take_value(s, &it)) == HJ212_E_OK)
        s->items[s->count++] = it;
    return err;
}

/* The texts of logs hold any byte, "//" of an address too. */
size_t hj212_log_end(struct lt_slice a, size_t from)
{
    for (size_t i = from; i + 1 < a.n; i++) {
        if (a.p[i] != '/' || a.p[i + 1] != '/')
            continue;
        size_t e = i + 2;
        while (e < a.n && a.p[e] == ' ')
            e++;
        if (e == a.n || a.p[e] == ',' || a.p[e] == ';')
            return e;
    }
    return 0;
}

size_t hj212_pair_end(const struct hj212_split *s, size_t from, size_t *ret_eq)
{
    const char *a = s->a;
    size_t i = from;
    while (i < s->n && a[i] != '=' && a[i] != ',' && a[i] != ';')
        i++;
    *ret_eq = i;
    if (i == s->n || a[i] != '=')
        return i;
    size_t v = i + 1, e;
    while (v < s->n && a[v] == ' ')
        v++;
    if (v + 1 < s->n && a[v] == '/' && a[v + 1] == '/' && (e = hj212_log_end((struct lt_slice){a, s->n}, v + 2)) != 0)
        return e;
    while (i < s->n && a[i] != ',' && a[i] != ';')
        i++;
    return i;
}

enum hj212_err hj212_walk_plain(struct hj212_split *s)
{
    size_t from = 0, eq, end;
    enum hj212_err err;
    if (s->n == 0)
        return HJ212_E_OK;
    for (;; from = end + 1) {
        end = hj212_pair_end(s, from, &eq);
        if ((err = hj212_take_pair(s, from, eq, end)) != HJ212_E_OK || end == s->n)
            return err;
        s->group = (uint16_t)(s->group + (s->a[end] == ';'));
    }
}

enum hj212_err hj212_items_by(enum hj212_level level, struct lt_slice area, uint32_t tolerate, struct hj212_item *items,
                              size_t cap, size_t *ret_n, uint32_t *ret_at, uint32_t *tolerated)
{
    struct hj212_split s = {.a = area.p, .n = area.n, .items = items, .tolerate = tolerate};
    enum hj212_err err = HJ212_E_TOO_LONG;
    s.cap = cap < HJ212_ITEMS_MAX ? cap : HJ212_ITEMS_MAX;
    if (area.n <= HJ212_SEGMENT_MAX)
        err = level == HJ212_SCALAR || area.n == 0 ? hj212_walk_plain(&s) : hj212_walk(level, &s);
    *ret_n = s.count;
    if (ret_at)
        *ret_at = s.at;
    if (tolerated)
        *tolerated |= s.used;
    return err;
}

enum hj212_err hj212_items(struct lt_slice area, uint32_t tolerate, struct hj212_item *items, size_t cap, size_t *ret_n,
                           uint32_t *ret_at, uint32_t *tolerated)
{
    return hj212_items_by(hj212_level_best(), area, tolerate, items, cap, ret_n, ret_at, tolerated);
}

const struct hj212_item *hj212_find(struct lt_slice area, const struct hj212_item *items, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].field == HJ212_F_NONE && lt_slice_is(hj212_name(area, &items[i]), name))
            return &items[i];
    return NULL;
}
