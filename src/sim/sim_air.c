/* The invented air; see sim_air.h. Levels are of the size measured in cities of the Fenwei plain in recent years (PM2.5
 * some 45 µg/m³ a year, twice that in winter, ozone days from May to September). */
#include "sim/sim_air.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fix.h"
#include "sim/sim_device.h"
#include "sim/sim_noise.h"

#include <math.h>
#include <stdio.h>

#define TREND_FROM INT64_C(1704038400000) /* 2024-01-01 +08:00: levels are of that year */

/* What the whole city shares in an hour. */
struct sky {
    double winter, summer, sun, hour;
    double stagnant; /* about 0, up: air stands still */
    double rain, temp, dust;
};

bool sim_air_dust(uint64_t city, int64_t at_ms, int tz_min)
{
    struct lt_civil c = lt_civil_of(at_ms, tz_min);
    if (c.month < 3 || c.month > 5)
        return false;
    uint64_t h = sim_mix(city ^ UINT64_C(0xD057), (uint64_t)(lt_day_start(at_ms, tz_min) / LT_DAY_MS));
    double from = 4 + 8 * sim_unit(sim_mix(h, 2)), hours = 7 + 9 * sim_unit(sim_mix(h, 3));
    return sim_unit(sim_mix(h, 1)) < 0.05 && c.hour >= from && c.hour < from + hours;
}

static void sky_at(const struct sim_air_place *p, int64_t at_ms, struct sky *s)
{
    int64_t local = at_ms + p->tz_min * LT_MIN_MS;
    double day = (double)local / (double)LT_DAY_MS, year = fmod(day, 365.2425) / 365.2425;
    s->hour = (double)(local % LT_DAY_MS) / (double)LT_HOUR_MS;
    s->winter = 0.5 + 0.5 * cos(2 * M_PI * (year - 0.035)); /* 1 in mid-January */
    s->summer = 1 - s->winter;
    double up = s->hour > 5.5 && s->hour < 19.5 ? sin(M_PI * (s->hour - 5.5) / 14) : 0;
    s->sun = up * (0.35 + 0.65 * s->summer);
    s->stagnant =
        0.62 * sim_noise(p->city ^ 1, at_ms, 5 * LT_DAY_MS) + 0.3 * sim_noise(p->city ^ 2, at_ms, 31 * LT_HOUR_MS);
    double wet = sim_noise(p->city ^ 3, at_ms, 20 * LT_HOUR_MS) + 0.5 * s->summer - 1.35;
    s->rain = wet > 0 ? wet * 4 * (0.4 + s->summer) : 0;
    s->temp = 15.5 - 14.5 * cos(2 * M_PI * (year - 0.045)) + 4.5 * sin(M_PI * (s->hour - 9) / 12) +
              2.2 * sim_noise(p->city ^ 4, at_ms, 3 * LT_DAY_MS) - (s->rain > 0 ? 2 : 0);
    s->dust = sim_air_dust(p->city, at_ms, p->tz_min) ? 1 : 0;
}

static double round_to(double v, double step)
{
    v = round(v / step) * step;
    return v < 0 ? 0 : v;
}

void sim_air_hour(const struct sim_air_place *p, int64_t at_ms, double ret[SIM_AIR_VALUES])
{
    struct sky s;
    sky_at(p, at_ms, &s);
    double own =
        0.1 * sim_noise(p->seed ^ 1, at_ms, 9 * LT_HOUR_MS) + 0.06 * sim_noise(p->seed ^ 2, at_ms, 2 * LT_HOUR_MS);
    double better = pow(0.965, (double)(at_ms - TREND_FROM) / (365.25 * (double)LT_DAY_MS));
    double washed = s.rain > 0 ? 0.55 : 1, place = 0.72 + 0.28 * p->urban + 0.1 * p->industry;
    double rush = exp(-pow(s.hour - 8, 2) / 5) + exp(-pow(s.hour - 19.5, 2) / 9);
    double night = 1 + 0.14 * cos(2 * M_PI * (s.hour - 1) / 24);
    double held = exp((0.4 + 0.68 * s.winter) * s.stagnant) * (0.6 + 0.95 * s.winter * s.winter);
    double pm25 = 39 * held * place * washed * night * better * exp(own) * p->bias;
    double blown = s.dust * (260 + 240 * (0.5 + 0.25 * sim_noise(p->city ^ 6, at_ms, 5 * LT_HOUR_MS)));
    ret[SIM_AIR_PM25] = round_to(pm25 + 0.14 * blown, 1);
    ret[SIM_AIR_PM10] = round_to(pm25 * 1.32 + (18 + 10 * s.sun) * washed * place * p->bias + blown, 1);
    ret[SIM_AIR_SO2] =
        round_to((4.5 + 4 * s.winter + 3 * p->industry) * exp(0.25 * s.stagnant - 0.6 * own) * better, 1);
    double no2 = (13 + 15 * s.winter) * (0.45 + 0.55 * p->urban) * exp(0.35 * s.stagnant + own) * (0.75 + 0.5 * rush);
    ret[SIM_AIR_NO2] = round_to(no2 * better, 1);
    ret[SIM_AIR_CO] = round_to((0.38 + 0.35 * s.winter) * place * exp(0.3 * s.stagnant + 0.5 * own), 0.1);
    double clear = s.rain > 0 ? 0.6 : 1 + 0.17 * sim_noise(p->city ^ 5, at_ms, 2 * LT_DAY_MS);
    double o3 = (26 + 144 * s.sun * clear * (0.85 + 0.3 * s.summer)) * (1.06 - 0.12 * p->urban) - 0.25 * no2;
    ret[SIM_AIR_O3] = round_to(o3 < 4 ? 4 : o3 * exp(0.4 * own), 1);
    double wind = 1.9 * exp(-0.35 * s.stagnant) * (0.7 + 0.6 * s.sun) + s.dust * 4.5;
    ret[SIM_AIR_TEMP] = round((s.temp - 3 * (1 - p->urban)) * 10) / 10;
    double rh = 62 - 1.1 * (s.temp - 15) * (s.sun > 0 ? 1 : 0.4) + (s.rain > 0 ? 24 : 0) - 25 * s.dust +
                6 * sim_noise(p->city ^ 7, at_ms, 30 * LT_HOUR_MS);
    ret[SIM_AIR_RH] = round_to(rh > 99 ? 99 : rh < 12 ? 12 : rh, 1);
    ret[SIM_AIR_PRES] =
        round_to(1001 + 11 * s.winter + 3 * sim_noise(p->city ^ 8, at_ms, 3 * LT_DAY_MS) - 25 * (1 - p->urban), 0.1);
    ret[SIM_AIR_WS] = round_to(wind, 0.1);
    ret[SIM_AIR_WD] = round_to(
        fmod((s.dust > 0 ? 320 : 70 + 150 * s.summer) + 45 * sim_noise(p->seed ^ 3, at_ms, 6 * LT_HOUR_MS) + 720, 360),
        1);
    ret[SIM_AIR_RAIN] = round_to(s.rain, 0.1);
}

unsigned sim_air_missing(const struct sim_air_place *p, int64_t at_ms)
{
    int64_t day = lt_day_start(at_ms, p->tz_min);
    int hour = (int)((at_ms - day) / LT_HOUR_MS);
    uint64_t h = sim_mix(p->seed ^ UINT64_C(0x6A9), (uint64_t)(day / LT_DAY_MS));
    double pick = sim_unit(sim_mix(h, 1));
    int from = (int)(24 * sim_unit(sim_mix(h, 2))), hours = 1 + (int)(9 * sim_unit(sim_mix(h, 3)));
    if (pick < 0.012 && hour >= from && hour < from + hours) /* power or line */
        return (1u << SIM_AIR_VALUES) - 1;
    if (pick < 0.05 && hour >= from && hour < from + hours / 2 + 1) /* one analyser */
        return 1u << (unsigned)(6 * sim_unit(sim_mix(h, 4)));
    return 0;
}

/* ---- a station that speaks HJ 212 ---- */

void sim_air_device_init(struct sim_device *d, unsigned index, uint64_t city_seed, const struct sim_air_place *place)
{
    sim_device_init(d, 100000 + index, city_seed, SIM_HEATING);
    d->edition = HJ212_2017;
    d->misbehaves = false;
    d->rtd_interval_s = 60;
    d->min_interval_min = 5;
    d->is_air = true;
    d->air = *place;
    snprintf(d->mn, sizeof d->mn, "4103A%09u%010u", (unsigned)(city_seed % 1000000000u), index);
}

static const struct {
    const char *code;
    int value;
    double scale; /* to the unit it is sent in */
    unsigned decimals;
} sent[] = {
    {"a34004", SIM_AIR_PM25, 1, 1},    {"a34002", SIM_AIR_PM10, 1, 1}, {"a21026", SIM_AIR_SO2, 0.001, 4},
    {"a21004", SIM_AIR_NO2, 0.001, 4}, {"a21005", SIM_AIR_CO, 1, 2},   {"a05024", SIM_AIR_O3, 1, 1},
    {"a01001", SIM_AIR_TEMP, 1, 1},    {"a01002", SIM_AIR_RH, 1, 1},   {"a01006", SIM_AIR_PRES, 0.1, 3},
    {"a01007", SIM_AIR_WS, 1, 2},      {"a01008", SIM_AIR_WD, 1, 0},
};

static void put_number(struct lt_buf *b, double v, unsigned decimals)
{
    char text[32];
    lt_buf_add(b, text, lt_fix_format(llround(v * 1e6), decimals, text));
}

/* Within an hour values swing by three in a hundred about the hour's mean, so that minutes average to it. */
void sim_air_area(struct lt_buf *b, const struct sim_device *d, enum sim_kind kind, int64_t at_ms)
{
    double v[SIM_AIR_VALUES];
    int64_t hour = lt_hour_start(at_ms, d->tz_min);
    unsigned missing = sim_air_missing(&d->air, hour);
    double minute = (double)(at_ms - hour) / (double)LT_MIN_MS;
    bool moment = kind == SIM_RTD, fine = moment || kind == SIM_MIN;
    sim_air_hour(&d->air, hour, v);
    double swing = fine ? 1 + 0.03 * sin(2 * M_PI * (minute + (moment ? 0 : d->min_interval_min / 2.0)) / 60) : 1;
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        double x = v[sent[i].value] * sent[i].scale * (sent[i].value <= SIM_AIR_O3 ? swing : 1);
        lt_buf_addf(b, ";%s-%s=", sent[i].code, moment ? "Rtd" : "Avg");
        put_number(b, x, sent[i].decimals);
        lt_buf_addf(b, ",%s-Flag=%c", sent[i].code, missing >> sent[i].value & 1 ? 'D' : 'N');
    }
}
