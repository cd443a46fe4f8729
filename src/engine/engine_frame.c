/* One stored frame: from bytes to a row of the series, latest values, and the hours that have to be made again. This is
 * the hot path: no allocation, no text, one pass over the items. */
#include "engine/engine_priv.h"

#include <stdlib.h>

/* ---- factors and columns ---- */

static bool starts(struct lt_slice s, const char *z)
{
    size_t n = strlen(z);
    return s.n >= n && memcmp(s.p, z, n) == 0;
}

static void describe(struct eng_factor *f, struct lt_slice code)
{
    lt_text_copy_slice(f->code, sizeof f->code, code);
    f->n = (uint8_t)code.n;
    f->o2 = lt_slice_is(code, "a19001");
    f->flow = lt_slice_is(code, "a00000");
    f->nox = lt_slice_is(code, "a21002");
    f->no = lt_slice_is(code, "a21003");
    f->no2 = lt_slice_is(code, "a21004");
    /* Concentrations of flue gas: metals, inorganic gases, organics, dust (HJ 212-2017 table B.2). */
    static const char *const gas[] = {"a20", "a21", "a23", "a24", "a25", "a26", "a29", "a3", "a99"};
    for (size_t i = 0; i < sizeof gas / sizeof gas[0]; i++) {
        f->convertible |= starts(code, gas[i]);
    }
    f->pollutant = f->convertible || starts(code, "w2") || lt_slice_is(code, "w01018");
    f->watched = f->pollutant || f->o2;
    f->range = rule_range_find(code);
    const struct hj212_factor *h = hj212_factor_find(code);
    f->weighs = f->convertible && (!h || strcmp(h->unit, "mg/m³") == 0); /* formula (33) is in kilograms of those */
    f->step = LT_FIX_ONE;
    for (unsigned i = 0; h && i < h->decimals && f->step > 1; i++) {
        f->step /= 10;
    }
}

uint16_t eng_factor_number(struct engine *e, struct lt_slice code)
{
    if (code.n == 0 || code.n > 16) {
        return 0;
    }
    uint64_t h = code.n;
    for (size_t i = 0; i < code.n; i++) {
        h = (h ^ (unsigned char)code.p[i]) * UINT64_C(0x9E3779B97F4A7C15);
    }
    size_t i = (h ^ h >> 32) & (2 * ENG_FACTORS - 1);
    for (; e->factor_slot[i]; i = (i + 1) & (2 * ENG_FACTORS - 1)) {
        const struct eng_factor *f = &e->factor[e->factor_slot[i]];
        if (f->n == code.n && memcmp(f->code, code.p, code.n) == 0) {
            return e->factor_slot[i];
        }
    }
    if (e->n_factor >= ENG_FACTORS) {
        return 0;
    }
    describe(&e->factor[e->n_factor], code);
    e->factor_slot[i] = (uint16_t)e->n_factor;
    return (uint16_t)e->n_factor++;
}

const struct eng_column *eng_column_learn(struct engine *e, uint16_t column)
{
    struct eng_column *c = &e->column[column];
    char code[17];
    unsigned field;
    if (series_column_name(e->cfg.series, column, code, &field)) {
        c->factor = eng_factor_number(e, lt_slice_of(code));
        c->field = (uint8_t)field;
        c->known = true;
    }
    return c;
}

uint16_t eng_column_of(struct engine *e, uint16_t factor, unsigned field)
{
    uint16_t col = series_column(e->cfg.series, (struct lt_slice){e->factor[factor].code, e->factor[factor].n}, field);
    if (col) {
        e->column[col] = (struct eng_column){factor, (uint8_t)field, true};
    }
    return col;
}

/* 2005 codes mean different factors in air and water, so the kind of system is part of the key. */
static unsigned code_class(uint16_t st)
{
    switch (st) {
    case 22:
    case 31:
    case 39:
    case 51:
        return 1;
    case 21:
    case 32:
    case 52:
        return 2;
    default:
        return 0;
    }
}

static struct name_slot lookup_slow(struct engine *e, struct lt_slice name, unsigned field, uint16_t st)
{
    struct name_slot s = {.key = 0};
    struct lt_slice code = hj212_factor_2017(name, st);
    s.column = series_column(e->cfg.series, code, field);
    s.factor = eng_factor_number(e, code);
    if (s.column) {
        e->column[s.column] = (struct eng_column){s.factor, (uint8_t)field, true};
    }
    return s;
}

static struct name_slot lookup_name(struct engine *e, struct lt_slice name, unsigned field, uint16_t st, uint64_t key)
{
    size_t i = (key * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - 14);
    for (; e->name[i].key; i = (i + 1) & (ENG_NAME_SLOTS - 1)) {
        if (e->name[i].key == key) {
            return e->name[i];
        }
    }
    struct name_slot s = lookup_slow(e, name, field, st);
    s.key = key;
    if (e->n_name < ENG_NAME_SLOTS / 4 * 3 && s.column) {
        e->name[i] = s;
        e->n_name++;
    }
    return s;
}

/* Names of up to 7 bytes go through a table keyed by the bytes themselves. Eight bytes from a name's start always lie
 * within the frame: "-X=" and the closing "&&CCCC" follow. */
static inline struct name_slot lookup(struct engine *e, struct lt_slice name, unsigned field, uint16_t st,
                                      unsigned class, size_t place)
{
    if (name.n == 0 || name.n > 7) {
        return name.n == 0 ? (struct name_slot){.key = 0} : lookup_slow(e, name, field, st);
    }
    uint64_t key;
    memcpy(&key, name.p, 8);
    key = (key & ((UINT64_C(1) << 8 * name.n) - 1)) | (uint64_t)field << 56 | (uint64_t) class << 62;
    struct name_slot *guess = &e->guess[place % ENG_GUESSES];
    if (guess->key == key) {
        return *guess;
    }
    struct name_slot s = lookup_name(e, name, field, st, key);
    if (s.column) {
        *guess = s;
    }
    return s;
}

/* ---- rows ---- */

struct frame_row {
    size_t n, n_reading;
    uint64_t lost;
    bool set_aside; /* the series had no place for it */
};

static struct eng_reading *reading_of(struct engine *e, struct frame_row *w, uint16_t factor)
{
    for (size_t i = w->n_reading; i-- > 0;) {
        if (e->reading[i].factor == factor) {
            return &e->reading[i];
        }
    }
    if (factor == 0 || w->n_reading == ENGINE_FACTORS_MAX) {
        return NULL;
    }
    struct eng_reading *r = &e->reading[w->n_reading++];
    *r = (struct eng_reading){factor, LT_FIX_NONE, LT_FIX_NONE, 0};
    return r;
}

static void note_reading(struct engine *e, struct frame_row *w, uint16_t factor, unsigned field, int64_t value)
{
    bool raw = field == HJ212_F_RTD || field == HJ212_F_AVG, zs = field == HJ212_F_ZSRTD || field == HJ212_F_ZSAVG;
    if (!raw && !zs && field != HJ212_F_FLAG) {
        return;
    }
    struct eng_reading *r = reading_of(e, w, factor);
    if (!r) {
        return;
    }
    if (raw) {
        r->value = value;
    } else if (zs) {
        r->zs = value;
    } else {
        r->mark = value;
    }
}

/* Value of an item as a cell; false: it has none (a word, a time, an unknown suffix). */
static bool cell_value(struct lt_slice area, const struct hj212_item *it, int64_t *ret)
{
    if (it->field == HJ212_F_FLAG || it->field == HJ212_F_EFLAG) {
        *ret = values_mark_pack(hj212_value_text(area, it));
        return it->value_len > 0;
    }
    if (it->kind != HJ212_V_NUMBER || it->field == HJ212_F_NONE || it->field == HJ212_F_OTHER) {
        return false;
    }
    static const int64_t scale[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    if (it->decimals <= 6 && it->number > -INT64_C(1000000000000) && it->number < INT64_C(1000000000000)) {
        *ret = it->number * scale[it->decimals]; /* the usual case; same result as below */
        return true;
    }
    return lt_fix_from_decimal(it->number, it->decimals, ret) && *ret != LT_FIX_NONE;
}

static void build_row(struct engine *e, struct lt_slice area, size_t n_items, uint16_t st, struct frame_row *w)
{
    unsigned class = code_class(st);
    e->stamp++;
    for (size_t i = 0; i < n_items; i++) {
        const struct hj212_item *it = &e->item[i];
        int64_t v;
        if (it->field == HJ212_F_NONE || !cell_value(area, it, &v)) {
            continue;
        }
        struct name_slot s = lookup(e, hj212_name(area, it), it->field, st, class, i);
        if (!s.column) {
            w->lost++;
            continue;
        }
        if (e->seen[s.column] ==
            e->stamp) { /* given twice in one frame: the last one counts, as the gateway shows it */
            e->cell[e->seen_at[s.column]].value = v;
        } else if (w->n < ENG_CELLS) {
            e->seen[s.column] = e->stamp;
            e->seen_at[s.column] = (uint16_t)w->n;
            e->cell[w->n++] = (struct series_cell){.column = s.column, .value = v};
        } else {
            w->lost++;
        }
        note_reading(e, w, s.factor, it->field, v);
    }
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

/* Decides between frames of the same device, time and QN; four lanes, for the frame is long and this is the hot path.
 */
static uint32_t tie_of(struct lt_slice s)
{
    uint64_t h[4] = {s.n, 1, 2, 3}, v[4];
    size_t i = 0;
    for (; i + 32 <= s.n; i += 32) {
        memcpy(v, s.p + i, 32);
        h[0] = mix(h[0], v[0]);
        h[1] = mix(h[1], v[1]);
        h[2] = mix(h[2], v[2]);
        h[3] = mix(h[3], v[3]);
    }
    uint64_t all = mix(mix(h[0], h[1]), mix(h[2], h[3]));
    for (; i < s.n; i++) {
        all = mix(all, (unsigned char)s.p[i]);
    }
    return (uint32_t)(all >> 32);
}

/* ---- channels ---- */

struct eng_channel *eng_channel(struct eng_device *d, uint16_t factor, uint32_t guess)
{
    if (guess < d->n_ch && d->ch[guess].factor == factor) {
        return &d->ch[guess];
    }
    for (uint32_t i = 0; i < d->n_ch; i++) {
        if (d->ch[i].factor == factor) {
            return &d->ch[i];
        }
    }
    if (d->n_ch == ENGINE_FACTORS_MAX) {
        return NULL;
    }
    if (!lt_grow(&d->ch, d->n_ch, &d->cap_ch, sizeof *d->ch)) {
        return NULL;
    }
    struct eng_channel *c = &d->ch[d->n_ch++];
    *c = (struct eng_channel){
        .factor = factor, .rtd = LT_FIX_NONE, .zs = LT_FIX_NONE, .hour = LT_FIX_NONE, .hour_zs = LT_FIX_NONE};
    return c;
}

static int64_t reading_o2(const struct engine *e, const struct frame_row *w)
{
    for (size_t i = 0; i < w->n_reading; i++) {
        if (e->factor[e->reading[i].factor].o2 && values_mark_normal(e->reading[i].mark)) {
            return e->reading[i].value;
        }
    }
    return LT_FIX_NONE;
}

/* Under the device's mutex. Minute means stand in where a device sends no real-time data. */
static void follow(struct engine *e, struct eng_device *d, const struct frame_row *w, bool realtime, int64_t at_ms)
{
    int64_t o2 = realtime && d->outlet && d->outlet->convert ? reading_o2(e, w) : LT_FIX_NONE;
    for (uint32_t i = 0; i < w->n_reading; i++) {
        const struct eng_reading *r = &e->reading[i];
        struct eng_channel *c = eng_channel(d, r->factor, i);
        if (!c || at_ms <= c->at_ms) {
            continue;
        }
        c->at_ms = at_ms;
        c->rtd = r->value;
        c->zs = r->zs;
        c->mark = r->mark;
        if (realtime && d->status == ENG_ACTIVE) {
            eng_judge_reading(e, d, c, r, at_ms, o2);
        }
    }
}

/* ---- frame ---- */

static const struct {
    uint16_t cn;
    uint8_t kind, cause;
    int64_t period_ms;
} kinds[] = {
    {2011, SERIES_RTD, ENG_C_REALTIME, 0},
    {2051, SERIES_MIN, ENG_C_MINUTE, LT_MIN_MS},
    {2061, SERIES_HOUR_R, ENG_C_REPORT, LT_HOUR_MS},
    {2031, SERIES_DAY_R, ENG_C_REPORT, LT_DAY_MS},
    {2021, SERIES_STATE, 0, 0},
    {2041, SERIES_STATE, 0, 0},
    {2111, SERIES_MIN, ENG_C_MINUTE, LT_MIN_MS}, /* furnace temperature, 5-minute mean (HJ 212-2025 C31) */
};

static int kind_of(uint16_t cn)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].cn == cn) {
            return (int)i;
        }
    }
    return -1;
}

static int64_t data_time(const struct engine *e, struct lt_slice area, size_t n)
{
    const struct hj212_item *it =
        n && e->item[0].kind == HJ212_V_TIME && lt_slice_is(hj212_name(area, &e->item[0]), "DataTime")
            ? &e->item[0]
            : hj212_find(area, e->item, n, "DataTime");
    return it && it->kind == HJ212_V_TIME ? it->number - e->tz_ms : INT64_MIN;
}

static enum lt_err touch_hour(struct engine *e, struct eng_device *d, int kind, int64_t at_ms, struct lt_error *err)
{
    if (kinds[kind].cause == 0 || d->status == ENG_GONE) {
        return LT_OK;
    }
    if (kinds[kind].kind == SERIES_DAY_R) {
        return eng_touch(e, d, true, eng_floor(e, at_ms, LT_DAY_MS), ENG_C_REPORT, false, err);
    }
    int64_t hour = eng_floor(e, at_ms, LT_HOUR_MS);
    bool report = kinds[kind].kind == SERIES_HOUR_R;
    if (!report && hour == d->open_hint_ms && (d->open_hint_cause & kinds[kind].cause)) {
        return LT_OK;
    }
    enum lt_err r = eng_touch(e, d, false, hour, kinds[kind].cause, report, err);
    if (r == LT_OK && !report) {
        d->open_hint_cause = (uint8_t)((hour == d->open_hint_ms ? d->open_hint_cause : 0) | kinds[kind].cause);
        d->open_hint_ms = hour;
    }
    return r;
}

static enum lt_err store(struct engine *e, struct eng_device *d, const struct hj212_frame *f, int kind, size_t n_items,
                         int64_t at_ms, struct frame_row *w, struct lt_error *err)
{
    build_row(e, f->cp, n_items, f->st, w);
    if (w->n) {
        struct series_row row = {.at_ms = at_ms,
                                 .rank_ms = f->qn_at_ms == INT64_MIN ? 0 : f->qn_at_ms - e->tz_ms,
                                 .tie = tie_of(f->segment),
                                 .n = (uint32_t)w->n,
                                 .cells = e->cell};
        enum lt_err r = series_put(e->cfg.series, (uint32_t)d->id, (enum series_kind)kinds[kind].kind, &row, NULL, err);
        if (r != LT_OK) {
            w->set_aside = eng_pass_over(e, r, err);
            return w->set_aside ? LT_OK : r;
        }
    }
    return w->n ? touch_hour(e, d, kind, at_ms, err) : LT_OK;
}

/* The frame as text: deciphered when it must be. False: its data area cannot be read. */
static bool open_frame(struct engine *e, const struct eng_device *d, struct lt_slice bytes, struct hj212_frame *f)
{
    if (hj212_parse(bytes, d->tolerate, f) == HJ212_E_OK) {
        return true;
    }
    if (!f->encrypted || !d->has_key) {
        return false;
    }
    struct hj212_frame plain;
    if (hj212_decrypt(f, d->key, e->plain, sizeof e->plain, &plain) != HJ212_E_OK) {
        return false;
    }
    *f = plain;
    return true;
}

/* Old rows of a frame that cannot be counted any more, or that lie in the future. */
static bool out_of_time(const struct engine *e, int64_t data_ms, int64_t at_ms, bool *ret_future)
{
    *ret_future = data_ms > at_ms + (int64_t)e->cfg.future_s * 1000;
    return *ret_future || data_ms < at_ms - (int64_t)e->cfg.retention_days * LT_DAY_MS;
}

static void seen_frame(struct engine *e, struct eng_device *d, const struct journal_record *r, int64_t drift_ms)
{
    if (d->last_data_ms && r->at_ms >= d->last_data_ms) {
        rule_ring_add(&d->gaps, r->at_ms - d->last_data_ms);
    }
    d->last_ms = d->last_data_ms = r->at_ms;
    d->frames++;
    d->conn_closed = false;
    if (r->conn) {
        d->conn = r->conn;
    }
    d->tell = true;
    d->changed = true;
    if (drift_ms != INT64_MIN) {
        rule_ring_add(&d->drift, drift_ms);
    }
    eng_judge_frame(e, d, r, drift_ms);
}

enum lt_err eng_frame(struct engine *e, const struct journal_record *r, struct eng_device **dev, struct lt_error *err)
{
    struct eng_device *d = *dev;
    struct hj212_frame f;
    if (!d) {
        enum hj212_err bad = hj212_parse(r->bytes, HJ212_TOLERATE_DEFAULT, &f);
        enum lt_err rr = eng_device_unknown(e, r->mn, bad == HJ212_E_OK ? f.st : 0, &d, err);
        if (rr != LT_OK || !d) {
            e->stats.frames += rr == LT_OK;
            return rr;
        }
        *dev = d;
    }
    bool good = open_frame(e, d, r->bytes, &f), quarantine = false, future = false;
    int64_t drift = INT64_MIN, data_ms = INT64_MIN;
    int kind = good ? kind_of(f.cn) : -1;
    size_t n = 0;
    struct frame_row w = {0};
    if (kind >= 0) {
        uint32_t at;
        /* What stands before a bad pair is used: the CRC vouches that it is what the device meant. */
        good = hj212_items(f.cp, d->tolerate, e->item, HJ212_ITEMS_MAX, &n, &at, NULL) == HJ212_E_OK;
        data_ms = data_time(e, f.cp, n);
        good &= data_ms != INT64_MIN;
        drift =
            kinds[kind].kind == SERIES_RTD && f.qn_at_ms != INT64_MIN ? f.qn_at_ms - e->tz_ms - r->at_ms : INT64_MIN;
    }
    if (data_ms != INT64_MIN) {
        quarantine = out_of_time(e, data_ms, r->at_ms, &future);
        drift = future ? data_ms - r->at_ms : drift;
        if (!quarantine) {
            enum lt_err rr = store(e, d, &f, kind, n, data_ms, &w, err);
            if (rr != LT_OK) {
                return rr;
            }
            quarantine = w.set_aside;
        }
    }
    e->stats.frames++;
    e->stats.bad_items += !good;
    e->stats.quarantined += quarantine;
    e->stats.unknown_factor_cells += w.lost;
    pthread_mutex_lock(&d->mu);
    d->bad_items += !good;
    d->quarantined += quarantine;
    seen_frame(e, d, r, drift);
    if (w.n_reading && (kinds[kind].kind == SERIES_RTD || kinds[kind].kind == SERIES_MIN)) {
        follow(e, d, &w, kinds[kind].kind == SERIES_RTD, data_ms);
    }
    pthread_mutex_unlock(&d->mu);
    return LT_OK;
}
