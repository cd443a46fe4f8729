/* sim device: an invented monitor whose values follow plausible physics. Used by the demonstration city and by
 * `lantian sim`. Everything is a pure function of (seed, device, time): any moment can be asked for in any order, so
 * history made at once and live values join without a seam.
 *
 * Floating point is allowed here and only here: these values are invented; they are printed with the decimals of a real
 * monitor before anybody measures them. */
#ifndef LT_SIM_DEVICE_H
#define LT_SIM_DEVICE_H
#include "hj212/hj212.h"
#include "sim/sim_air.h"

enum sim_industry { /* the 15 of the enterprise record, in its order */
                    SIM_THERMAL_POWER,
                    SIM_STEEL,
                    SIM_COKING,
                    SIM_CEMENT,
                    SIM_GLASS,
                    SIM_NONFERROUS,
                    SIM_REFRACTORY,
                    SIM_CERAMICS,
                    SIM_BRICK,
                    SIM_CASTING,
                    SIM_LIME,
                    SIM_CHEMICAL,
                    SIM_COATING,
                    SIM_WASTE_INCINERATION,
                    SIM_HEATING,
                    SIM_INDUSTRIES
};

struct sim_profile {
    const char *industry;                             /* code of the record field */
    double o2_ref, o2_run;                            /* %, reference and while running; o2_ref 0: no conversion */
    double pm, so2, nox, co, voc;                     /* typical converted mg/m3; 0: not monitored */
    double limit_pm, limit_so2, limit_nox, limit_voc; /* hourly limits used for the invented outlets */
    double temp_c, moisture, velocity_mps, area_m2;
    double night;         /* load at night relative to day, 1 = continuous process */
    const char *standard; /* where the limits come from */
};
const struct sim_profile *sim_profile(enum sim_industry i);

struct sim_device {
    char mn[HJ212_MN_MAX + 1];
    char pw[7];
    uint64_t seed;
    enum sim_industry industry;
    enum hj212_edition edition;
    int tz_min;
    unsigned rtd_interval_s, min_interval_min;
    double dirt;     /* factor on all concentrations, 0.7 to 1.15 */
    bool misbehaves; /* takes part in the events below */
    bool is_air;     /* an air station (ST=22): values of `air` instead of a stack's */
    struct sim_air_place air;
    struct sim_memo
        *memo; /* NULL, or memory that saves work when neighbouring periods are asked for; see sim_memo_create */
};
/* Values of the last 64 minutes of one device. Changes no result. */
struct sim_memo *sim_memo_create(void);
void sim_memo_destroy(struct sim_memo **m);
/* index picks everything that differs between devices; MN is "4103" + 20 digits unless set afterwards. */
void sim_device_init(struct sim_device *d, unsigned index, uint64_t seed, enum sim_industry industry);

enum sim_event {
    SIM_NORMAL,
    SIM_EXCEED,      /* treatment fails: concentrations 1.3..4 times up for one to four hours */
    SIM_SILENT,      /* sends nothing; afterwards back-fills what it missed */
    SIM_CONSTANT,    /* every concentration stands still */
    SIM_CLOCK,       /* device clock is wrong by up to an hour */
    SIM_MAINTENANCE, /* marks M */
    SIM_STOPPED,     /* plant stands: marks F, oxygen near 20.9 */
    SIM_BROKEN,      /* every tenth frame is damaged */
    SIM_EVENTS
};
/* What happens to the device at that moment; *ret_share: progress 0..1 of the event (may be NULL). */
enum sim_event sim_event_at(const struct sim_device *d, int64_t at_ms, double *ret_share);
/* Error of the device's clock in ms (0 unless SIM_CLOCK). */
int64_t sim_clock_error_ms(const struct sim_device *d, int64_t at_ms);

enum sim_kind { SIM_RTD, SIM_MIN, SIM_HOUR, SIM_DAY, SIM_STATE };
/* Builds one upload frame (with CR LF): values of the moment or period that starts at data_at_ms, sent at qn_at_ms
 * (answer wanted). Returns its length or 0 when it does not fit. `resent` marks back-fill (RF=1 in 2025). */
size_t sim_frame(const struct sim_device *d, enum sim_kind kind, int64_t data_at_ms, int64_t qn_at_ms, bool resent,
                 char *ret, size_t cap);
/* An air station of the invented city; MN "4103" + "A" + number. */
void sim_air_device_init(struct sim_device *d, unsigned index, uint64_t city_seed, const struct sim_air_place *place);
/* What such a station sends after "DataTime=…": values in the units customary in HJ 212. */
struct lt_buf;
void sim_air_area(struct lt_buf *b, const struct sim_device *d, enum sim_kind kind, int64_t at_ms);
#endif
