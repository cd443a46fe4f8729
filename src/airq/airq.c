/* Index tables and their arithmetic; see airq.h. A break point is a whole number of the unit times ten. */
#include "airq/airq.h"

enum { POINTS = 8, NOT = -1 /* the table has no value there */ };

struct airq_scale {
    const char *name, *standard;
    int from, to; /* YYYYMMDD, first and last day in force */
    int index[POINTS];
    /* concentrations in tenths, by pollutant and average; O3: [AIRQ_DAY] is the 8-h mean */
    int32_t point[AIRQ_POLLUTANTS][AIRQ_AVERAGES][POINTS];
    unsigned decimals[AIRQ_POLLUTANTS]; /* of the concentration before the index is taken; 9: not rounded */
    bool caps_beyond; /* 2026: a value beyond the last break point of its average counts as that index */
    bool withholds;   /* 2026 clause 5.3.1 */
    int least;        /* AQI runs from here */
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
     .decimals = {9, 9, 9, 9, 9, 9},
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
     .decimals = {[AIRQ_CO] = 1},
     .caps_beyond = true,
     .withholds = true,
     .least = 1,
     CN_LEVELS},
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

int airq_iaqi(const struct airq_scale *s, enum airq_pollutant p, enum airq_average avg, int64_t conc)
{
    if (conc == AIRQ_NONE || conc == AIRQ_NOT_MONITORED || conc < 0)
        return AIRQ_NA;
    const int32_t *point = s->point[p][avg];
    int64_t c = s->decimals[p] <= 6 ? lt_fix_round(conc, s->decimals[p]) : conc;
    for (int i = 1; i < POINTS && point[i] != NOT; i++) {
        int64_t lo = point[i - 1] * INT64_C(100000), hi = point[i] * INT64_C(100000);
        if (c > hi)
            continue;
        /* IAQI = (IHi-ILo)/(BPHi-BPLo) x (C-BPLo) + ILo, rounded up (2012 clause 6.2; 2026 clause 4.2.6) */
        lt_i128 n = (lt_i128)(s->index[i] - s->index[i - 1]) * (c - lo), d = hi - lo;
        return s->index[i - 1] + (int)((n + d - 1) / d);
    }
    int last = POINTS - 1;
    while (point[last] == NOT)
        last--;
    return last == POINTS - 1 || s->caps_beyond ? s->index[last] : AIRQ_NA;
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
        int v = airq_iaqi(s, (enum airq_pollutant)p, avg, in->conc[p]);
        /* 2012 table 1, notes: beyond these the pollutant is told by its other average */
        if (v == AIRQ_NA && p == AIRQ_SO2 && avg == AIRQ_HOUR && in->conc[p] >= 0)
            v = airq_iaqi(s, AIRQ_SO2, AIRQ_DAY, in->so2_24h);
        if (v == AIRQ_NA && p == AIRQ_O3 && avg == AIRQ_DAY && in->conc[p] >= 0)
            v = airq_iaqi(s, AIRQ_O3, AIRQ_HOUR, in->o3_1h);
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
