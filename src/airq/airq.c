/* Index tables and their arithmetic; see airq.h. A break point is a whole number of scale->unit. */
#include "airq/airq.h"
#include "airq/airq_batch.h"

enum { POINTS = 8, NOT = -1 /* the table has no value there; only before the first and behind the last of a row */ };
enum {
    OTHER = AIRQ_AVERAGES, /* third column: SO2 24-h and O3 1-h, where a scale takes the higher of two averages */
    COLUMNS
};
enum before { AS_GIVEN, HALF_EVEN, TRUNCATED }; /* what is done with a concentration before its index is taken */

struct airq_scale {
    const char *name, *standard;
    int from, to; /* YYYYMMDD, first and last day in force */
    int index[POINTS];
    /* concentrations in units, by pollutant and average; O3: [AIRQ_DAY] is the 8-h mean */
    int32_t point[AIRQ_POLLUTANTS][COLUMNS][POINTS];
    int64_t unit[AIRQ_POLLUTANTS]; /* of the points, millionths */
    int64_t step[AIRQ_POLLUTANTS]; /* to which a concentration is brought before its index is taken, millionths */
    enum before before;
    bool gapped;      /* EPA: a class begins one step behind the last break point, its index one above */
    bool nearest;     /* EPA: the index is rounded to the nearest; else up */
    bool higher;      /* EPA: the higher of SO2 1-h and 24-h, of O3 8-h and 1-h counts; else the other only beyond */
    bool caps_beyond; /* 2026, EPA: a value beyond the last break point of its average counts as that index */
    bool withholds;   /* 2026 clause 5.3.1 */
    int least;        /* AQI runs from here */
    const char *unit_name[AIRQ_POLLUTANTS];
    const char *level_zh[6], *level_en[6];
    int level_to[6];
    uint32_t rgb[6];
};

#define CN_INDEX                                                                                                       \
    {                                                                                                                  \
        0, 50, 100, 150, 200, 300, 400, 500                                                                            \
    }
#define CN_SO2                                                                                                         \
    {                                                                                                                  \
        {0, 500, 1500, 4750, 8000, 16000, 21000, 26200},                                                               \
        {                                                                                                              \
            0, 1500, 5000, 6500, 8000, NOT, NOT, NOT                                                                   \
        }                                                                                                              \
    }
#define CN_NO2                                                                                                         \
    {                                                                                                                  \
        {0, 400, 800, 1800, 2800, 5650, 7500, 9400},                                                                   \
        {                                                                                                              \
            0, 1000, 2000, 7000, 12000, 23400, 30900, 38400                                                            \
        }                                                                                                              \
    }
#define CN_CO                                                                                                          \
    {                                                                                                                  \
        {0, 20, 40, 140, 240, 360, 480, 600},                                                                          \
        {                                                                                                              \
            0, 50, 100, 350, 600, 900, 1200, 1500                                                                      \
        }                                                                                                              \
    }
#define CN_O3                                                                                                          \
    {                                                                                                                  \
        {0, 1000, 1600, 2150, 2650, 8000, NOT, NOT},                                                                   \
        {                                                                                                              \
            0, 1600, 2000, 3000, 4000, 8000, 10000, 12000                                                              \
        }                                                                                                              \
    }
#define CN_UNITS                                                                                                       \
    .unit = {100000, 100000, 100000, 100000, 100000, 100000},                                                          \
    .step = {1000000, 1000000, 100000, 1000000, 1000000, 1000000},                                                     \
    .unit_name = {"µg/m3", "µg/m3", "mg/m3", "µg/m3", "µg/m3", "µg/m3"}
/* EPA columns */
#define EPA_SO2                                                                                                        \
    {                                                                                                                  \
        0, 35, 75, 185, 304, NOT, NOT, NOT                                                                             \
    }
#define EPA_NO2                                                                                                        \
    {                                                                                                                  \
        0, 53, 100, 360, 649, 1249, 2049, NOT                                                                          \
    }
#define EPA_CO                                                                                                         \
    {                                                                                                                  \
        0, 44, 94, 124, 154, 304, 504, NOT                                                                             \
    }
#define EPA_PM10                                                                                                       \
    {                                                                                                                  \
        0, 54, 154, 254, 354, 424, 604, NOT                                                                            \
    }
#define EPA_PM25                                                                                                       \
    {                                                                                                                  \
        0, 90, 354, 554, 1254, 2254, 3254, NOT                                                                         \
    }
#define EPA_O3                                                                                                         \
    {                                                                                                                  \
        0, 54, 70, 85, 105, 200, NOT, NOT                                                                              \
    }
#define CN_LEVELS                                                                                                      \
    .level_zh = {"优", "良", "轻度污染", "中度污染", "重度污染", "严重污染"},                                          \
    .level_en = {"Excellent",        "Good", "Lightly polluted", "Moderately polluted", "Heavily polluted",            \
                 "Severely polluted"},                                                                                 \
    .level_to = {50, 100, 150, 200, 300, 500}, .rgb = {0x00E400, 0xFFFF00, 0xFF7E00, 0xFF0000, 0x99004C, 0x7E0023}

static const struct airq_scale scales[] = {
    /* HJ 633-2012 table 1 */
    {.name = "2012",
     .standard = "HJ 633-2012",
     .from = 20120301,
     .to = 20260228,
     .index = CN_INDEX,
     .point = {[AIRQ_SO2] = CN_SO2,
               [AIRQ_NO2] = CN_NO2,
               [AIRQ_CO] = CN_CO,
               [AIRQ_O3] = CN_O3,
               [AIRQ_PM10] = {{0, 500, 1500, 2500, 3500, 4200, 5000, 6000},
                              {0, 500, 1500, 2500, 3500, 4200, 5000, 6000}},
               [AIRQ_PM25] = {{0, 350, 750, 1150, 1500, 2500, 3500, 5000},
                              {0, 350, 750, 1150, 1500, 2500, 3500, 5000}}},
     .before = AS_GIVEN,
     CN_UNITS,
     CN_LEVELS},
    /* HJ 633-2026 table 3; rounding 4.2.2, 4.2.3; missing values 5.3 */
    {.name = "2026",
     .standard = "HJ 633-2026",
     .from = 20260301,
     .to = 99991231,
     .index = CN_INDEX,
     .point = {[AIRQ_SO2] = CN_SO2,
               [AIRQ_NO2] = CN_NO2,
               [AIRQ_CO] = CN_CO,
               [AIRQ_O3] = CN_O3,
               [AIRQ_PM10] = {{0, 500, 1200, 2500, 3500, 4200, 5000, 6000},
                              {0, 500, 1200, 2500, 3500, 4200, 5000, 6000}},
               [AIRQ_PM25] = {{0, 350, 600, 1150, 1500, 2500, 3500, 5000},
                              {0, 350, 600, 1150, 1500, 2500, 3500, 5000}}},
     .before = HALF_EVEN,
     .caps_beyond = true,
     .withholds = true,
     .least = 1,
     CN_UNITS,
     CN_LEVELS},
    /* US EPA, Technical Assistance Document of May 2024 (40 CFR 58 appendix G): PM2.5 and CO truncated to tenths, O3 to
     * 0.001 ppm, the rest to whole numbers. Never picked by date. */
    {.name = "epa",
     .standard = "US EPA 2024",
     .from = 99991231,
     .to = 0,
     .index = {0, 50, 100, 150, 200, 300, 500, NOT},
     .point = {[AIRQ_SO2] = {EPA_SO2, EPA_SO2, {NOT, NOT, NOT, NOT, 304, 604, 1004, NOT}},
               [AIRQ_NO2] = {EPA_NO2, EPA_NO2},
               [AIRQ_CO] = {EPA_CO, EPA_CO},
               [AIRQ_PM10] = {EPA_PM10, EPA_PM10},
               [AIRQ_PM25] = {EPA_PM25, EPA_PM25},
               [AIRQ_O3] = {EPA_O3, EPA_O3, {NOT, NOT, 124, 164, 204, 404, 604, NOT}}},
     .unit = {1000000, 1000000, 100000, 1000000, 100000, 1000},
     .step = {1000000, 1000000, 100000, 1000000, 100000, 1000},
     .before = TRUNCATED,
     .gapped = true,
     .nearest = true,
     .higher = true,
     .caps_beyond = true,
     .unit_name = {"ppb", "ppb", "ppm", "µg/m3", "µg/m3", "ppm"},
     .level_zh = {"良好", "中等", "不适于敏感人群", "不健康", "非常不健康", "危险"},
     .level_en = {"Good", "Moderate", "Unhealthy for sensitive groups", "Unhealthy", "Very unhealthy", "Hazardous"},
     .level_to = {50, 100, 150, 200, 300, 500},
     .rgb = {0x00E400, 0xFFFF00, 0xFF7E00, 0xFF0000, 0x8F3F97, 0x7E0023}},
};
enum { SCALES = sizeof scales / sizeof scales[0] };

const char *airq_pollutant_name(enum airq_pollutant p)
{
    static const char *const names[AIRQ_POLLUTANTS] = {"SO2", "NO2", "CO", "PM10", "PM25", "O3"};
    return names[p];
}

const struct airq_scale *airq_scale_find(struct lt_slice name)
{
    for (size_t i = 0; i < SCALES; i++)
        if (lt_slice_is(name, scales[i].name))
            return &scales[i];
    return NULL;
}

const struct airq_scale *airq_scale_on(int yyyymmdd)
{
    for (size_t i = 0; i < SCALES; i++)
        if (yyyymmdd >= scales[i].from && yyyymmdd <= scales[i].to)
            return &scales[i];
    return &scales[0];
}

const char *airq_scale_standard(const struct airq_scale *s)
{
    return s->standard;
}

const char *airq_scale_unit(const struct airq_scale *s, enum airq_pollutant p)
{
    return s->unit_name[p];
}

static int64_t brought(const struct airq_scale *s, enum airq_pollutant p, int64_t c)
{
    const int64_t step = s->step[p], over = c % step, down = c - over;
    if (s->before == AS_GIVEN || over == 0)
        return c;
    if (s->before == HALF_EVEN && (over * 2 > step || (over * 2 == step && (down / step & 1))))
        return down + step;
    return down;
}

/* Index by one column. The products stay below 2^63: an index step is at most 200, a concentration inside the table
 * below 4e9 millionths. */
static int by_column(const struct airq_scale *s, enum airq_pollutant p, int column, int64_t conc)
{
    const int32_t *point = s->point[p][column];
    if (conc < 0) /* AIRQ_NONE and AIRQ_NOT_MONITORED too */
        return AIRQ_NA;
    const int64_t c = brought(s, p, conc);
    int first = 0, last = POINTS - 1;
    while (first < last && point[first] == NOT)
        first++;
    while (last > first && point[last] == NOT)
        last--;
    if (first == last || (first > 0 && c <= point[first] * s->unit[p]))
        return AIRQ_NA;
    for (int i = first + 1; i <= last; i++) {
        const int gap = s->gapped && i > 1;
        const int64_t lo = point[i - 1] * s->unit[p] + (gap ? s->step[p] : 0), hi = point[i] * s->unit[p];
        if (c > hi)
            continue;
        /* IAQI = (IHi-ILo)/(BPHi-BPLo) x (C-BPLo) + ILo; up: 2012 clause 6.2, 2026 clause 4.2.6 */
        const int64_t n = (s->index[i] - s->index[i - 1] - gap) * (c - lo), d = hi - lo;
        return s->index[i - 1] + gap + (int)(s->nearest ? (2 * n + d) / (2 * d) : (n + d - 1) / d);
    }
    return last == POINTS - 1 || s->caps_beyond ? s->index[last] : AIRQ_NA;
}

int airq_iaqi(const struct airq_scale *s, enum airq_pollutant p, enum airq_average avg, int64_t conc)
{
    return by_column(s, p, (int)avg, conc);
}

/* SO2 and O3 have a second average: 2012 table 1, notes: beyond the first the pollutant is told by it; EPA: the higher
 * of both. */
static int with_other(const struct airq_scale *s, enum airq_average avg, const struct airq_input *in,
                      enum airq_pollutant p, int v)
{
    const int64_t other = p == AIRQ_SO2 ? in->so2_24h : in->o3_1h;
    if (s->higher) {
        const int w = by_column(s, p, OTHER, other);
        return w > v ? w : v;
    }
    if (v != AIRQ_NA || in->conc[p] < 0)
        return v;
    if (p == AIRQ_SO2 && avg == AIRQ_HOUR)
        return by_column(s, AIRQ_SO2, AIRQ_DAY, other);
    return p == AIRQ_O3 && avg == AIRQ_DAY ? by_column(s, AIRQ_O3, AIRQ_HOUR, other) : v;
}

static int level_of(const struct airq_scale *s, int aqi)
{
    int level = 1;
    while (level < 6 && aqi > s->level_to[level - 1])
        level++;
    return level;
}

void airq_index(const struct airq_scale *s, enum airq_average avg, const struct airq_input *in, struct airq_result *ret)
{
    bool missing = false;
    *ret = (struct airq_result){.aqi = AIRQ_NA};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        int v = by_column(s, (enum airq_pollutant)p, (int)avg, in->conc[p]);
        if (p == AIRQ_SO2 || p == AIRQ_O3)
            v = with_other(s, avg, in, (enum airq_pollutant)p, v);
        ret->iaqi[p] = v;
        missing |= v == AIRQ_NA && in->conc[p] != AIRQ_NOT_MONITORED;
        ret->aqi = v > ret->aqi ? v : ret->aqi;
    }
    if (ret->aqi == AIRQ_NA || (s->withholds && missing && ret->aqi <= 100)) {
        ret->aqi = AIRQ_NA;
        return;
    }
    for (int p = 0; p < AIRQ_POLLUTANTS && ret->aqi > 50; p++)
        if (ret->iaqi[p] == ret->aqi)
            ret->primary |= 1u << p;
    if (ret->aqi < s->least)
        ret->aqi = s->least;
    ret->level = level_of(s, ret->aqi);
}

int64_t airq_nowcast(const int64_t conc[12])
{
    const lt_i128 one = (lt_i128)1 << 60;
    int64_t min = INT64_MAX, max = -1;
    int recent = 0;
    for (int i = 0; i < 12; i++) {
        if (conc[i] < 0)
            continue;
        min = conc[i] < min ? conc[i] : min;
        max = conc[i] > max ? conc[i] : max;
        recent += i < 3;
    }
    if (recent < 2)
        return AIRQ_NONE;
    lt_i128 w = max == 0 ? one : one * min / max, weight = one, sum = 0, weights = 0;
    w = w < one / 2 ? one / 2 : w;
    for (int i = 0; i < 12; i++) {
        if (conc[i] >= 0) {
            sum += weight * conc[i]; /* < 2^60 x 2^40 x 12 */
            weights += weight;
        }
        weight = weight * w >> 60;
    }
    return (int64_t)((sum + weights / 2) / weights);
}

const char *airq_level_name(const struct airq_scale *s, int level, bool english)
{
    if (level < 1 || level > 6)
        return "";
    return english ? s->level_en[level - 1] : s->level_zh[level - 1];
}

uint32_t airq_level_rgb(const struct airq_scale *s, int level)
{
    return level < 1 || level > 6 ? 0 : s->rgb[level - 1];
}

void airq_primary_text(unsigned primary, char ret[32])
{
    size_t n = 0;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        if (!(primary >> p & 1))
            continue;
        const char *name = airq_pollutant_name((enum airq_pollutant)p);
        if (n)
            ret[n++] = '+';
        while (*name)
            ret[n++] = *name++;
    }
    ret[n] = '\0';
}

/* ---- columns of 16-bit steps, see airq_batch.h ---- */

bool airq_table_make(const struct airq_scale *s, enum airq_average avg, struct airq_table *ret)
{
    if (s->higher) /* other units, and another rule for the second average */
        return false;
    ret->withholds = s->withholds;
    ret->least = (uint16_t)s->least;
    for (int32_t i = 0; i < 65536; i++) {
        const bool none = i == AIRQ_STEP_NONE;
        for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
            const int64_t conc = none ? AIRQ_NONE : i * airq_step((enum airq_pollutant)p);
            ret->of[p][i] = (uint16_t)(by_column(s, (enum airq_pollutant)p, (int)avg, conc) + 1);
        }
        const int64_t conc = none ? AIRQ_NONE : i * airq_step(AIRQ_SO2);
        ret->so2_24h[i] = (uint16_t)(avg == AIRQ_HOUR ? by_column(s, AIRQ_SO2, AIRQ_DAY, conc) + 1 : 0);
        ret->o3_1h[i] = (uint16_t)(avg == AIRQ_DAY ? by_column(s, AIRQ_O3, AIRQ_HOUR, conc) + 1 : 0);
    }
    return true;
}

enum { CHUNK = 512 }; /* hours looked up before they are compared: a few kB, stay in the first cache */

/* 2012 table 1, notes: a value beyond its own average is told by the other. */
static void other_average(const uint16_t *table, const uint16_t *other, const uint16_t *conc, size_t n, int16_t *x)
{
    for (size_t i = 0; other && i < n; i++)
        if (x[i] == 0 && conc[i] != AIRQ_STEP_NONE)
            x[i] = (int16_t)table[other[i]];
}

/* Index + 1 of each pollutant, 0: none; monitored ones only count as missing. */
static void looked_up(const struct airq_table *t, const struct airq_columns *in, size_t at, size_t n,
                      int16_t x[AIRQ_POLLUTANTS][CHUNK])
{
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        if (!in->conc[p]) {
            memset(x[p], 0, sizeof x[p]);
            continue;
        }
        const uint16_t *conc = in->conc[p] + at, *table = t->of[p];
        for (size_t i = 0; i < n; i++)
            x[p][i] = (int16_t)table[conc[i]];
        if (p == AIRQ_SO2)
            other_average(t->so2_24h, in->so2_24h ? in->so2_24h + at : NULL, conc, n, x[p]);
        if (p == AIRQ_O3)
            other_average(t->o3_1h, in->o3_1h ? in->o3_1h + at : NULL, conc, n, x[p]);
    }
}

/* All lanes are 16 bits wide and free of branches, so that compilers make vectors of them; an index fits easily. */
static void chunk(const struct airq_table *t, const struct airq_columns *in, size_t at, size_t n, uint16_t *ret_aqi,
                  uint8_t *ret_primary)
{
    int16_t x[AIRQ_POLLUTANTS][CHUNK], most[CHUNK], least[CHUNK], primary[CHUNK], aqi[CHUNK];
    if (n < CHUNK)
        memset(x, 0, sizeof x);
    looked_up(t, in, at, n, x);
    memset(most, 0, sizeof most);
    memset(primary, 0, sizeof primary);
    memset(least, 0x7f, sizeof least);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        for (size_t i = 0; i < CHUNK; i++)
            most[i] = x[p][i] > most[i] ? x[p][i] : most[i];
        for (size_t i = 0; in->conc[p] && i < CHUNK; i++)
            least[i] = x[p][i] < least[i] ? x[p][i] : least[i];
    }
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        for (size_t i = 0; i < CHUNK; i++)
            primary[i] = (int16_t)(primary[i] | (x[p][i] == most[i] ? 1 << p : 0));
    const int16_t told_from = t->withholds ? 101 + 1 : 1, floor = (int16_t)t->least; /* 2026 clause 5.3.1 */
    for (size_t i = 0; i < CHUNK; i++) {
        const int16_t from = least[i] == 0 ? told_from : 1, v = (int16_t)(most[i] - 1), told = v > floor ? v : floor;
        aqi[i] = most[i] < from ? -1 : told;
        primary[i] = most[i] < from || most[i] <= 50 + 1 ? 0 : primary[i];
    }
    for (size_t i = 0; i < n; i++)
        ret_primary[at + i] = (uint8_t)primary[i];
    memcpy(ret_aqi + at, aqi, n * sizeof *aqi); /* -1 is AIRQ_INDEX_NONE */
}

void airq_index_batch(const struct airq_table *t, const struct airq_columns *in, size_t n, uint16_t *ret_aqi,
                      uint8_t *ret_primary)
{
    for (size_t at = 0; at < n; at += CHUNK)
        chunk(t, in, at, n - at < CHUNK ? n - at : CHUNK, ret_aqi, ret_primary);
}
