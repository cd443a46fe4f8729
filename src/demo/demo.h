/* demo: the demonstration city. Real county boundaries of Luoyang; plants, people, values and events are invented.
 * Everything follows from one seed, so two runs make the same city. */
#ifndef LT_DEMO_H
#define LT_DEMO_H
#include "base/err.h"
#include "sim/sim_device.h"

struct sql_db;

#define DEMO_PASSWORD                                                                                                  \
    "Blue-Sky-2026" /* of all demonstration accounts; they exist only in a demonstration directory                     \
                     */

struct demo_config {
    const char *dir;
    unsigned days;    /* of history, 1..60 */
    unsigned outlets; /* default 600 */
    uint64_t seed;    /* default 1 */
    int64_t now_ms;   /* history ends here */
    int tz_min;
    void (*progress)(void *user, const char *step, double share); /* may be NULL */
    void *user;
};
struct demo_result {
    uint64_t frames, alarms;
    unsigned enterprises, outlets;
};
/* Makes DIR: records, boundaries, journal, values, alarms with what people did about them. LT_E_DUPLICATE when DIR
 * holds a post already. */
enum lt_err demo_make(const struct demo_config *cfg, struct demo_result *ret, struct lt_error *err) LT_MUST_CHECK;

/* What a demonstration directory was made with (DIR/demo.json); LT_E_NOT_FOUND when it is none. */
struct demo_info {
    uint64_t seed;
    unsigned outlets;
    int64_t made_at_ms;
};
enum lt_err demo_read(const char *dir, struct demo_info *ret, struct lt_error *err) LT_MUST_CHECK;

struct demo_account {
    const char *login, *name, *name_en, *role;
};
const struct demo_account *demo_accounts(size_t *ret_n);

/* The devices of the city: `n` of them, the caller frees. */
struct sim_device *demo_devices(const struct demo_info *info, int tz_min, size_t *ret_n);

/* ---- private to the unit: the plan of the city, a pure function of the seed ---- */
struct demo_plant {
    char code[24], name[64], name_en[96], address[96];
    enum sim_industry industry;
    unsigned county; /* index into the boundaries */
    double lon, lat;
    const char *grade;
    bool protected_;
    unsigned first_outlet, outlets;
};
struct demo_county {
    char code[8], name[40], name_en[48];
    double lon, lat;
    struct demo_ring {
        size_t n;
        double (*p)[2];
    } ring;
};
struct demo_plan {
    struct demo_county *county;
    size_t counties;
    struct demo_plant *plant;
    size_t plants;
    unsigned outlets;
    uint64_t seed;
};
struct demo_plan *demo_plan_create(uint64_t seed, unsigned outlets);
void demo_plan_destroy(struct demo_plan **p);
struct lt_slice demo_boundaries(void); /* the GeoJSON text */
enum lt_err demo_records(const struct demo_config *cfg, const struct demo_plan *plan, struct sql_db *db,
                         int64_t from_ms, struct lt_error *err) LT_MUST_CHECK;
enum lt_err demo_journal(const struct demo_config *cfg, const struct demo_plan *plan, int64_t from_ms,
                         uint64_t *ret_frames, struct lt_error *err) LT_MUST_CHECK;
struct record_ctx;
/* Teams of inspectors and their conflicts of interest; after the accounts. */
enum lt_err demo_inspectors(const struct record_ctx *x, int64_t city, const int64_t *enterprise, size_t n_enterprise,
                            struct lt_error *err);
enum lt_err demo_people(const struct demo_config *cfg, struct sql_db *db, uint64_t *ret_alarms,
                        struct lt_error *err) LT_MUST_CHECK;
/* After demo_air(): targets out of its figures, schemes, other cities. */
enum lt_err demo_targets(const struct demo_config *cfg, struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;
void demo_device(const struct demo_plan *plan, unsigned outlet, enum sim_industry industry, int tz_min,
                 struct sim_device *ret);
/* Air stations (demo_air.c): `index` below demo_air_stations(); the first DEMO_AIR_LIVE of the county ones speak HJ
 * 212.
 */
#define DEMO_AIR_LIVE 3
struct demo_air_station {
    char code[40], name[64], name_en[96];
    const char *type;
    unsigned county;
    double lon, lat;
    bool evaluated;
    int live; /* number of its device, -1 none */
    struct sim_air_place place;
};
size_t demo_air_stations(const struct demo_plan *plan);
void demo_air_station(const struct demo_plan *plan, size_t index, int tz_min, struct demo_air_station *ret);
/* Stations, their devices, 26 months of hours, dust days, reviews. */
enum lt_err demo_air(const struct demo_config *cfg, const struct demo_plan *plan, struct sql_db *db,
                     struct lt_error *err) LT_MUST_CHECK;
#endif
