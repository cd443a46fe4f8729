/* Items, sources, and a block of one station and day: in memory, as a blob, as a cell of airq. Pure. */
#include "air/air_priv.h"
#include "base/clock.h"
#include "base/varint.h"

#include <stdio.h>

/* ---- items ---- */

#define WEATHER_TICK 10000 /* 0.01 of the unit: one digit finer than stations report */

static const struct {
    const char *name;
    int32_t least, most; /* weather, in ticks; beyond the records of the earth's surface it is no measurement */
} items[AIR_ITEMS] = {
    [AIR_SO2] = {"SO2", 0, 0},          [AIR_NO2] = {"NO2", 0, 0},   [AIR_CO] = {"CO", 0, 0},
    [AIR_PM10] = {"PM10", 0, 0},        [AIR_PM25] = {"PM25", 0, 0}, [AIR_O3] = {"O3", 0, 0},
    [AIR_TEMP] = {"TEMP", -9000, 6000}, [AIR_RH] = {"RH", 0, 10000}, [AIR_PRES] = {"PRES", 40000, 110000},
    [AIR_WS] = {"WS", 0, 12000},        [AIR_WD] = {"WD", 0, 36000}, [AIR_RAIN] = {"RAIN", 0, 50000},
};

const char *air_item_name(enum air_item i)
{
    return items[i].name;
}

bool air_item_find(struct lt_slice name, enum air_item *ret)
{
    for (unsigned i = 0; i < AIR_ITEMS; i++)
        if (lt_slice_is(name, items[i].name)) {
            *ret = (enum air_item)i;
            return true;
        }
    return false;
}

int64_t air_item_tick(enum air_item i)
{
    return (unsigned)i < AIRQ_POLLUTANTS ? airq_tick((enum airq_pollutant)i) : WEATHER_TICK;
}

int32_t air_item_least(enum air_item i)
{
    return items[i].least;
}

int32_t air_item_most(enum air_item i)
{
    return (unsigned)i < AIRQ_POLLUTANTS ? airq_most((enum airq_pollutant)i) : items[i].most;
}

bool air_value_from_fix(enum air_item i, int64_t fix, int32_t *ret)
{
    if (fix == LT_FIX_NONE)
        return false;
    int64_t v = lt_div_half_even(fix, air_item_tick(i));
    if (v < air_item_least(i) || v > air_item_most(i))
        return false;
    *ret = (int32_t)v;
    return true;
}

int64_t air_value_fix(enum air_item i, int32_t v)
{
    return v == AIR_NONE ? LT_FIX_NONE : v * air_item_tick(i);
}

/* ---- sources ---- */

static const struct {
    const char *name;
    int rank;
} sources[AIR_SOURCES] = {
    [AIR_SRC_NONE] = {"", 0},
    [AIR_SRC_DEVICE] = {"device", 10},     /* raw, as the analyser sends it */
    [AIR_SRC_PUSH] = {"push", 20},         /* another platform passed it on */
    [AIR_SRC_NATIONAL] = {"national", 40}, /* published after the national centre's own checks */
    [AIR_SRC_FILE] = {"file", 30},         /* a person chose the file and saw the findings */
    [AIR_SRC_REVIEW] = {"review", 100},
    [AIR_SRC_DEMO] = {"demo", 5},
};

const char *air_source_name(enum air_source s)
{
    return (unsigned)s < AIR_SOURCES ? sources[s].name : "";
}

int air_source_rank(enum air_source s)
{
    return (unsigned)s < AIR_SOURCES ? sources[s].rank : 0;
}

/* ---- days ---- */

int32_t air_day_of(int64_t at_ms, int tz_min)
{
    int64_t local = at_ms + tz_min * LT_MIN_MS, day = local / LT_DAY_MS;
    return (int32_t)(local % LT_DAY_MS < 0 ? day - 1 : day);
}

int64_t air_day_start(int32_t day, int tz_min)
{
    return day * LT_DAY_MS - tz_min * LT_MIN_MS;
}

void air_day_text(int32_t day, char ret[16])
{
    struct lt_civil c = lt_civil_of(day * LT_DAY_MS, 0);
    snprintf(ret, 16, "%04u-%02u-%02u", (unsigned)c.year % 10000, (unsigned)c.month % 100, (unsigned)c.day % 100);
}

/* ---- blocks ---- */

void air_block_init(struct air_block *b)
{
    *b = (struct air_block){0};
    for (int h = 0; h < 24; h++)
        for (int i = 0; i < AIR_ITEMS; i++)
            b->value[h][i] = AIR_NONE;
}

void air_block_cell_dust(const struct air_block *b, uint32_t dust, struct airq_cell *ret, unsigned *ret_reviewed,
                         unsigned *ret_taken)
{
    unsigned reviewed = 0, taken = 0;
    *ret = (struct airq_cell){0};
    for (int h = 0; h < 24; h++) {
        int32_t ticks[AIRQ_POLLUTANTS];
        if (!b->arrived[h])
            continue;
        bool stripped = dust >> h & 1;
        for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
            bool pm = i == AIR_PM10 || i == AIR_PM25;
            bool use = b->value[h][i] != AIR_NONE && !(b->state[h][i] & AIR_INVALID) && !(pm && stripped);
            ticks[i] = use ? b->value[h][i] : -1;
            taken += use;
            reviewed += use && (b->state[h][i] & AIR_REVIEWED);
        }
        airq_cell_add(ret, h, ticks);
    }
    if (ret_reviewed)
        *ret_reviewed = reviewed;
    if (ret_taken)
        *ret_taken = taken;
}

void air_block_cell(const struct air_block *b, struct airq_cell *ret, unsigned *ret_reviewed, unsigned *ret_taken)
{
    air_block_cell_dust(b, 0, ret, ret_reviewed, ret_taken);
}

/* ---- the blob ----
 * byte 1 (form) | arrived: runs | per item: mask of hours (varint), then when any: power of ten taken out, differences
 * (zigzag varints), states: runs, sources: runs. A run is a count byte and a varint; runs cover 24 hours. Values of one
 * item of a day have common trailing zeros (µg/m³ in ticks of 0.0001), so that a difference mostly takes one byte. */

static uint8_t *put_runs(uint8_t *p, const uint32_t v[24])
{
    for (int i = 0; i < 24;) {
        int n = 1;
        while (i + n < 24 && v[i + n] == v[i])
            n++;
        *p++ = (uint8_t)n;
        p = lt_varint_put(p, v[i]);
        i += n;
    }
    return p;
}

/* The largest power of ten (at most 10^6) that divides all values there are. */
static uint8_t common_power(const struct air_block *b, int item)
{
    uint8_t power = 6;
    for (int h = 0; h < 24 && power; h++) {
        int32_t v = b->value[h][item];
        if (v == AIR_NONE || v == 0)
            continue;
        uint8_t k = 0;
        while (k < power && v % 10 == 0) {
            v /= 10;
            k++;
        }
        power = k;
    }
    return power;
}

static const int32_t powers[7] = {1, 10, 100, 1000, 10000, 100000, 1000000};

static uint8_t *put_item(uint8_t *p, const struct air_block *b, int item)
{
    uint32_t mask = 0, state[24], source[24];
    for (int h = 0; h < 24; h++) {
        mask |= (uint32_t)(b->value[h][item] != AIR_NONE) << h;
        state[h] = b->state[h][item];
        source[h] = b->source[h][item];
    }
    p = lt_varint_put(p, mask);
    if (mask) {
        uint8_t power = common_power(b, item);
        int64_t before = 0;
        *p++ = power;
        for (int h = 0; h < 24; h++)
            if (mask >> h & 1) {
                int64_t v = b->value[h][item] / powers[power];
                p = lt_varint_put(p, lt_zigzag((uint64_t)(v - before)));
                before = v;
            }
    }
    return put_runs(put_runs(p, state), source);
}

size_t air_block_encode(const struct air_block *b, uint8_t ret[AIR_BLOB_MAX])
{
    uint8_t *p = ret;
    *p++ = 1;
    p = put_runs(p, b->arrived);
    for (int i = 0; i < AIR_ITEMS; i++)
        p = put_item(p, b, i);
    return (size_t)(p - ret);
}

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static uint32_t get_byte(struct reader *r)
{
    if (r->p == r->end) {
        r->bad = true;
        return 0;
    }
    return *r->p++;
}

static uint32_t get_varint(struct reader *r)
{
    uint64_t v = 0;
    r->bad = r->bad || !lt_varint_get(&r->p, r->end, &v) || v > UINT32_MAX;
    return (uint32_t)v;
}

static void get_runs(struct reader *r, uint32_t ret[24])
{
    for (uint32_t i = 0; i < 24 && !r->bad;) {
        uint32_t n = get_byte(r), v = get_varint(r);
        if (n == 0 || n > 24 - i) {
            r->bad = true;
            return;
        }
        while (n--)
            ret[i++] = v;
    }
}

static void get_item(struct reader *r, struct air_block *b, int item)
{
    uint32_t mask = get_varint(r), state[24] = {0}, source[24] = {0};
    uint32_t power = mask ? get_byte(r) : 0;
    int64_t v = 0;
    if (mask >> 24 || power > 6) {
        r->bad = true;
        return;
    }
    for (int h = 0; h < 24; h++)
        if (mask >> h & 1) {
            uint32_t z = get_varint(r);
            v += (int64_t)lt_unzigzag(z);
            int64_t whole = v * powers[power];
            r->bad = r->bad || whole <= INT32_MIN || whole > INT32_MAX;
            b->value[h][item] = r->bad ? AIR_NONE : (int32_t)whole;
        }
    get_runs(r, state);
    get_runs(r, source);
    for (int h = 0; h < 24; h++) {
        r->bad = r->bad || state[h] > UINT8_MAX || source[h] > UINT8_MAX;
        b->state[h][item] = (uint8_t)state[h];
        b->source[h][item] = (uint8_t)source[h];
    }
}

bool air_block_decode(struct lt_slice blob, struct air_block *ret)
{
    struct reader r = {(const uint8_t *)blob.p, (const uint8_t *)blob.p + blob.n, blob.n == 0};
    air_block_init(ret);
    if (r.bad || get_byte(&r) != 1)
        return false;
    get_runs(&r, ret->arrived);
    for (int i = 0; i < AIR_ITEMS && !r.bad; i++)
        get_item(&r, ret, i);
    return !r.bad && r.p == r.end;
}
