/* sim air: the invented air of the demonstration city, hour by hour: seasons, the course of a day, stagnant spells,
 * rain, dust in spring, a slow improvement over the years. A pure function of seed, place and time, so that years of
 * history and live stations agree. Invented values: floating point is allowed here. */
#ifndef LT_SIM_AIR_H
#define LT_SIM_AIR_H
#include <stdbool.h>
#include <stdint.h>

struct sim_air_place {
    uint64_t city;   /* seed of the city: what all its places share */
    uint64_t seed;   /* of the place */
    double urban;    /* 0 mountain village … 1 centre */
    double industry; /* 0 … 1 */
    double bias;     /* of the instrument: 1 is none; micro-stations have some */
    int tz_min;
};
enum { /* order of the values: that of the air store */
       SIM_AIR_SO2,
       SIM_AIR_NO2,
       SIM_AIR_CO,
       SIM_AIR_PM10,
       SIM_AIR_PM25,
       SIM_AIR_O3,
       SIM_AIR_TEMP,
       SIM_AIR_RH,
       SIM_AIR_PRES,
       SIM_AIR_WS,
       SIM_AIR_WD,
       SIM_AIR_RAIN,
       SIM_AIR_VALUES
};
/* Mean of the hour that begins at at_ms, rounded as stations report it: µg/m³ whole, CO mg/m³ 0.1 … */
void sim_air_hour(const struct sim_air_place *p, int64_t at_ms, double ret[SIM_AIR_VALUES]);
/* Bit per value that is missing in that hour: failures, calibration, maintenance. */
unsigned sim_air_missing(const struct sim_air_place *p, int64_t at_ms);
/* Does dust from the north cross the city in that hour? */
bool sim_air_dust(uint64_t city, int64_t at_ms, int tz_min);
#endif
