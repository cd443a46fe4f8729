/* Splits a data area into items. Two walkers give the same result: walk_plain() looks at every byte; walk_fast() gets
 * the separators from a vector pass and takes the ordinary pairs ("a34013-Rtd=3.21") with a few word operations, leaving
 * everything else to the same take_pair() the plain one uses. The words are read from a padded copy, never past the
 * caller's bytes. */
#include "hj212_priv.h"

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
    [HJ212_F_NONE] = DUE_ANY,
    [HJ212_F_RTD] = DUE_NUMBER,
    [HJ212_F_ZSRTD] = DUE_NUMBER,
    [HJ212_F_MIN] = DUE_NUMBER,
    [HJ212_F_AVG] = DUE_NUMBER,
    [HJ212_F_MAX] = DUE_NUMBER,
    [HJ212_F_COU] = DUE_NUMBER,
    [HJ212_F_ZSMIN] = DUE_NUMBER,
    [HJ212_F_ZSAVG] = DUE_NUMBER,
    [HJ212_F_ZSMAX] = DUE_NUMBER,
    [HJ212_F_ZSCOU] = DUE_NUMBER,
    [HJ212_F_FLAG] = DUE_MARK,
    [HJ212_F_EFLAG] = DUE_TEXT,
    [HJ212_F_SAMPLE_TIME] = DUE_TIME,
    [HJ212_F_COMPLETE_TIME] = DUE_TIME,
    [HJ212_F_SAMPLE_TYPE] = DUE_ANY,
    [HJ212_F_SAMPLE_RD] = DUE_NUMBER,
    [HJ212_F_STANDARD_VALUE] = DUE_NUMBER,
    [HJ212_F_RESULT_TYPE] = DUE_ANY,
    [HJ212_F_DATA] = DUE_NUMBER,
    [HJ212_F_DAY_DATA] = DUE_NUMBER,
    [HJ212_F_NIGHT_DATA] = DUE_NUMBER,
    [HJ212_F_RS] = DUE_NUMBER,
    [HJ212_F_RT] = DUE_NUMBER,
    [HJ212_F_INFO] = DUE_ANY,
    [HJ212_F_SN] = DUE_TEXT,
    [HJ212_F_ALA] = DUE_NUMBER,
    [HJ212_F_LOW_VALUE] = DUE_NUMBER,
    [HJ212_F_UP_VALUE] = DUE_NUMBER,
    [HJ212_F_OTHER] = DUE_ANY,
};

/* Plain keys that are no numbers even when they look like one. */
static const struct {
    struct lt_slice name;
    enum due due;
} keys[] = {
    {{"DataTime", 8}, DUE_TIME},      {{"BeginTime", 9}, DUE_TIME},   {{"EndTime", 7}, DUE_TIME},
    {{"SystemTime", 10}, DUE_TIME},   {{"RestartTime", 11}, DUE_TIME}, {{"AlarmTime", 9}, DUE_TIME},
    {{"SKCreateTime", 12}, DUE_TIME}, {{"PolId", 5}, DUE_TEXT},       {{"PolID", 5}, DUE_TEXT},
    {{"QN", 2}, DUE_TEXT},            {{"PW", 2}, DUE_TEXT},          {{"NewPW", 5}, DUE_TEXT},
    {{"NewSK", 5}, DUE_TEXT},         {{"InfoId", 6}, DUE_TEXT},      {{"AlarmTarget", 11}, DUE_TEXT},
    {{"ReportTarget", 12}, DUE_TEXT}, {{"ReportTime", 10}, DUE_TEXT}, {{"CstartTime", 10}, DUE_TEXT},
};

static enum due key_due(struct lt_slice name)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (lt_slice_eq(name, keys[i].name))
            return keys[i].due;
    return DUE_ANY;
}

struct split {
    const char *a;
    size_t n, cap, count;
    struct hj212_item *items;
    uint32_t tolerate, used, at;
    uint16_t group;
};

static enum hj212_err refuse(struct split *s, enum hj212_err err, size_t at)
{
    s->at = (uint32_t)at;
    return err;
}

static enum hj212_err need(struct split *s, uint32_t bit, enum hj212_err err, size_t at)
{
    if (!(s->tolerate & bit))
        return refuse(s, err, at);
    s->used |= bit;
    return HJ212_E_OK;
}

static enum hj212_err take_number(struct split *s, struct hj212_item *it)
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

static enum hj212_err take_time(struct split *s, struct hj212_item *it)
{
    if (!hj212_time(s->a + it->value_at, it->value_len, &it->number))
        return refuse(s, HJ212_E_TIME, it->value_at);
    it->kind = HJ212_V_TIME;
    static const struct lt_slice key_time = {"SKCreateTime", 12}; /* 2025 prints it with milliseconds */
    if (it->value_len == 17 && !lt_slice_eq(hj212_name((struct lt_slice){s->a, s->n}, it), key_time))
        return need(s, HJ212_TOL(TIME_MS), HJ212_E_TIME, it->value_at);
    return HJ212_E_OK;
}

static enum hj212_err take_mark(struct split *s, struct hj212_item *it)
{
    it->kind = it->value_len ? HJ212_V_TEXT : HJ212_V_EMPTY;
    if (memchr(s->a + it->value_at, '=', it->value_len))
        return refuse(s, HJ212_E_ITEM, it->value_at);
    if (it->value_len == 1)
        return HJ212_E_OK;
    return it->value_len <= 4 ? need(s, HJ212_TOL(ANY_MARK), HJ212_E_MARK, it->value_at)
                              : refuse(s, HJ212_E_MARK, it->value_at);
}

static enum hj212_err take_value(struct split *s, struct hj212_item *it)
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
static enum hj212_err trim(struct split *s, size_t *from, size_t *end)
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
static enum hj212_err take_name(struct split *s, size_t from, size_t end, struct hj212_item *it)
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

/* One pair [from, end); eq is its first '=' or end. */
static enum hj212_err take_pair(struct split *s, size_t from, size_t eq, size_t end)
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

/* Where the pair that starts at `from` ends. */
static size_t pair_end(const struct split *s, size_t from, size_t *ret_eq)
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

static enum hj212_err walk_plain(struct split *s)
{
    size_t from = 0, eq, end;
    enum hj212_err err;
    if (s->n == 0)
        return HJ212_E_OK;
    for (;; from = end + 1) {
        end = pair_end(s, from, &eq);
        if ((err = take_pair(s, from, eq, end)) != HJ212_E_OK || end == s->n)
            return err;
        s->group = (uint16_t)(s->group + (s->a[end] == ';'));
    }
}

struct suffix {
    uint64_t key;
    uint8_t field;
};
#include "hj212_suffixes.inc"

/* The first n (0..8) bytes of a word. */
static inline uint64_t low_bytes(uint64_t w, size_t n)
{
    return n >= 8 ? w : w & ((UINT64_C(1) << (8 * n)) - 1);
}

/* Bit 7 of the lowest byte of w that equals c (bits above it may be set wrongly). */
static inline uint64_t first_equal(uint64_t w, char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = w ^ ones * (uint8_t)c;
    return (x - ones) & ~x & ones << 7;
}

/* A number of 1..8 bytes, the first bytes of w. All steps are arithmetic, so lengths and signs cost no branches: take
 * the sign off, close the gap of the point, move the digits to the top, subtract '0', and join neighbours three times. */
static inline bool word_number(uint64_t w, size_t n, int64_t *ret, uint8_t *ret_decimals)
{
    const size_t minus = (w & 0xFF) == '-';
    w >>= 8 * minus;
    n -= minus;
    const uint64_t point = low_bytes(first_equal(w, '.'), n);
    const size_t whole = point ? (size_t)__builtin_ctzll(point) >> 3 : n, dot = point != 0, digits = n - dot;
    if (digits == 0)
        return false;
    const uint64_t front = low_bytes(w, whole), closed = front | ((dot ? w >> 8 : w) & ~low_bytes(UINT64_MAX, whole));
    const unsigned up = 8 * (unsigned)(8 - digits);
    uint64_t v = (closed << up) ^ (UINT64_C(0x3030303030303030) << up);
    if (((v + UINT64_C(0x7676767676767676)) | v) & UINT64_C(0x8080808080808080))
        return false;
    v = v * 10 + (v >> 8);
    v = ((v & UINT64_C(0x00FF00FF00FF00FF)) * (1 + (UINT64_C(100) << 16))) >> 16;
    v = ((v & UINT64_C(0x0000FFFF0000FFFF)) * (1 + (UINT64_C(10000) << 32))) >> 32;
    *ret = minus ? -(int64_t)v : (int64_t)v;
    *ret_decimals = (uint8_t)(digits - whole);
    return true;
}

/* An ordinary pair of a copied area without blanks and slashes. False: take_pair() has to look at it. */
static inline bool quick_pair(struct split *s, const char *a, size_t from, size_t eq, size_t end)
{
    struct hj212_item *it = &s->items[s->count];
    const uint64_t dash = first_equal(hj212_load(a + from), '-');
    const size_t name = dash ? (size_t)__builtin_ctzll(dash) >> 3 : 0, at = from + name + 1, value = end - eq - 1;
    if (name == 0 || at > eq || eq - at > 8 || value - 1 > 7)
        return false;
    const uint64_t key = low_bytes(hj212_load(a + at), eq - at);
    const struct suffix *f = &suffixes[key * SUFFIX_HASH >> 58];
    if (f->key != key || eq == at)
        return false;
    it->pad = 0;
    it->group = s->group;
    it->name_at = (uint16_t)from;
    it->name_len = (uint8_t)name;
    it->field_at = (uint16_t)at;
    it->field_len = (uint8_t)(eq - at);
    it->field = f->field;
    it->value_at = (uint16_t)(eq + 1);
    it->value_len = (uint16_t)value;
    if (field_due[f->field] == DUE_NUMBER) {
        it->kind = HJ212_V_NUMBER;
        return word_number(hj212_load(a + eq + 1), value, &it->number, &it->decimals);
    }
    it->number = 0;
    it->decimals = 0;
    it->kind = HJ212_V_TEXT;
    return field_due[f->field] == DUE_MARK && value == 1;
}

static inline enum hj212_err walk_marks(struct split *s, const char *a, const uint16_t *mark)
{
    enum hj212_err err;
    for (size_t from = 0;;) {
        size_t eq = mark[0], end = mark[1];
        if (s->count < s->cap && a[eq] == '=' && a[end] != '=' && quick_pair(s, a, from, eq, end)) {
            s->count++;
            mark += 2;
        } else {
            end = pair_end(s, from, &eq);
            if ((err = take_pair(s, from, eq, end)) != HJ212_E_OK)
                return err;
            while (*mark < end)
                mark++;
            mark++;
        }
        if (end == s->n)
            return HJ212_E_OK;
        s->group = (uint16_t)(s->group + (a[end] == ';'));
        from = end + 1;
    }
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2"))) static enum hj212_err walk_marks_bmi(struct split *s, const char *a, const uint16_t *mark)
{
    return walk_marks(s, a, mark);
}

static enum hj212_err walk_fast(enum hj212_level level, struct split *s)
{
    char copy[HJ212_COPY_CAP];
    uint16_t marks[HJ212_MARKS_CAP];
    bool odd;
    hj212_scan(level, s->a, s->n, copy, marks, &odd);
    if (odd)
        return walk_plain(s);
    return level >= HJ212_AVX2 ? walk_marks_bmi(s, copy, marks) : walk_marks(s, copy, marks);
}
#else
static enum hj212_err walk_fast(enum hj212_level level, struct split *s)
{
    return walk_plain(s);
}
#endif

enum hj212_err hj212_items_by(enum hj212_level level, struct lt_slice area, uint32_t tolerate, struct hj212_item *items,
                              size_t cap, size_t *ret_n, uint32_t *ret_at, uint32_t *tolerated)
{
    struct split s = {.a = area.p, .n = area.n, .items = items, .tolerate = tolerate};
    enum hj212_err err = HJ212_E_TOO_LONG;
    s.cap = cap < HJ212_ITEMS_MAX ? cap : HJ212_ITEMS_MAX;
    if (area.n <= HJ212_SEGMENT_MAX)
        err = level == HJ212_SCALAR || area.n == 0 ? walk_plain(&s) : walk_fast(level, &s);
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
