/* air_figure: figures of station, county, city and region for any period, out of the stored hours, by the rules of
 * airq. Same blocks + same stations and events = same figures. Time is an argument.
 *
 * A cell (airq_cell) of every station and day that was asked for is kept; a committed change drops exactly the days it
 * touched, so that a corrected hour costs one block read and the sums again. A reader works on one snapshot of the
 * database: `struct air_look` names its data version, and cells of any other version are not used.
 *
 * Threads: struct air_figures may be shared; a look belongs to one thread and its sql_db. */
#ifndef LT_AIR_FIGURE_H
#define LT_AIR_FIGURE_H
#include "air/air.h"
#include "airq/airq_rules.h"

#define AIR_YEARS_CACHED  4096  /* station-years of 55 kB: 225 MB, 100 stations for 40 years */
#define AIR_SCOPE_MAX     64    /* territories of a region: 2+36 cities and more */
#define AIR_DAYS_MAX      36600 /* as AIRQ_PERIOD_DAYS_MAX */
#define AIR_TERRITORY_MAX 16    /* depth; four levels exist */

struct air_figures;
/* Listens to `a`; to be closed after air_close(a). */
enum lt_err air_figures_open(struct air *a, struct air_figures **ret, struct lt_error *err) LT_MUST_CHECK;
void air_figures_close(struct air_figures **f);
struct air_figures_stats {
    uint64_t station_years, blocks_read, cells_dropped;
};
void air_figures_stats(struct air_figures *f, struct air_figures_stats *ret);

/* ---- one reader's view ---- */
struct air_territory {
    int64_t id, parent;
    char code[16], name[129], name_en[193], level[16];
};
struct air_look {
    struct air_figures *f;
    struct sql_db *db;
    int tz_min;
    int64_t version, as_of; /* as_of: 0, or the older version asked for (then = version) */
    struct air_territory *territory;
    size_t n_territory;
    struct air_station *station;
    size_t n_station;
    struct air_event *event;
    size_t n_event;
    struct air_days_work *work;
};
/* Begins a read snapshot on db (no transaction may be open). version 0: the newest; LT_E_NOT_FOUND beyond the newest.
 */
enum lt_err air_look_open(struct air_figures *f, struct air *a, struct sql_db *db, int64_t version,
                          struct air_look *ret, struct lt_error *err) LT_MUST_CHECK;
void air_look_close(struct air_look *l);
const struct air_territory *air_look_territory(const struct air_look *l, int64_t id); /* NULL */
const struct air_station *air_look_station(const struct air_look *l, int64_t id);     /* NULL */
/* Is `id` the territory `top` or below it? */
bool air_look_within(const struct air_look *l, int64_t id, int64_t top);

/* ---- what figures are of ---- */
enum air_scope_kind { AIR_SCOPE_TERRITORY, AIR_SCOPE_STATION, AIR_SCOPE_REGION };
struct air_scope {
    enum air_scope_kind kind;
    int64_t id[AIR_SCOPE_MAX];
    size_t n;
};
/* "territory:3", "station:7", "region:3,4,5". BAD_INPUT, NOT_FOUND. */
enum lt_err air_scope_parse(const struct air_look *l, struct lt_slice text, struct air_scope *ret,
                            struct lt_error *err) LT_MUST_CHECK;
struct air_scope air_scope_of(enum air_scope_kind kind, int64_t id);
/* Does the station count for the territory's day? HJ 663: evaluated stations, of a city the national ones, of a county
 * national, provincial and county ones, of a township the township ones too. Micro-stations and the rest never do. */
bool air_counts(const struct air_look *l, const struct air_station *s, const struct air_territory *t);

/* ---- days ---- */
enum air_dust {                    /* sand dust and other exceptional events, by the switches of each event */
                AIR_DUST_HABIT,    /* as the ministry prints: means and composite without, good and heavy days with */
                AIR_DUST_DEDUCTED, /* both switches as decided */
                AIR_DUST_KEPT
};
struct air_day_info {
    uint32_t stations, hours, values, reviewed; /* stations open; station-hours, pollutant values; of them reviewed */
    bool dust;
};
struct air_days {
    int32_t from;
    size_t n;
    struct airq_day *kept, *stat, *aqi; /* stat: without PM where it is stripped; aqi: where the AQI is made again */
    struct air_day_info *info;
};
/* The standard in force on a day: "2012", from 2026-03-01 "2026t", from 2031-01-01 "2026f". */
const struct airq_standard *air_standard_on(int32_t day);
const char *air_standard_name(const struct airq_standard *s); /* "2012" "2026t" "2026f" */
/* Days [from, to]; s NULL: every day by the standard of its date. ret is to be given back by air_days_fini(). */
enum lt_err air_days_make(struct air_look *l, const struct air_scope *sc, int32_t from, int32_t to,
                          const struct airq_standard *s, enum airq_rounding r, struct air_days *ret,
                          struct lt_error *err) LT_MUST_CHECK;
void air_days_fini(struct air_days *d);
/* The day as `dust` says. */
struct airq_day air_day_as(const struct air_days *d, size_t i, enum air_dust dust);
/* AQI of a day. */
void air_day_index(const struct airq_standard *s, const struct airq_day *d, struct airq_result *ret);

/* ---- periods ---- */
enum air_period_kind {
    AIR_DAY,
    AIR_WEEK,    /* Monday to Sunday */
    AIR_TEN_DAY, /* 旬: 1-10, 11-20, 21-end */
    AIR_MONTH,
    AIR_QUARTER,
    AIR_SEASON, /* autumn-winter; from April to September the one past */
    AIR_YEAR,
    AIR_YTD,
    AIR_FREE,
    AIR_PERIOD_KINDS
};
const char *air_period_name(enum air_period_kind k);
bool air_period_find(struct lt_slice name, enum air_period_kind *ret);
/* The period of a kind that holds `day`, whole (YTD: to the day). */
void air_period_of(enum air_period_kind k, int32_t day, int32_t *ret_from, int32_t *ret_to);
/* The same period a year before: the same dates (29 February: 28). */
void air_period_year_before(int32_t from, int32_t to, int32_t *ret_from, int32_t *ret_to);
/* The period before (环比): of whole months the months before, of day, week and ten days the one before; of a part of a
 * month its same days of the month before. False: none is usual (season, year, year to date). */
bool air_period_before(enum air_period_kind k, int32_t from, int32_t to, int32_t *ret_from, int32_t *ret_to);
bool air_crosses_2018(int32_t from, int32_t to); /* gases before and after 2018-09-01 have other reference states */

struct air_figure {
    int32_t from, to;
    const struct airq_standard *standard;
    struct airq_period p;
    struct airq_attainment attained;
};
/* Of the days [from, to] of d (cut to what d holds). */
enum lt_err air_figure_of(const struct air_days *d, int32_t from, int32_t to, const struct airq_standard *s,
                          enum airq_rounding r, enum air_dust dust, struct air_figure *ret,
                          struct lt_error *err) LT_MUST_CHECK;
/* Both steps. */
enum lt_err air_figure_make(struct air_look *l, const struct air_scope *sc, int32_t from, int32_t to,
                            const struct airq_standard *s, enum airq_rounding r, enum air_dust dust,
                            struct air_figure *ret, struct lt_error *err) LT_MUST_CHECK;
/* What counts of a pollutant: the mean; CO and O3 their percentile. */
int64_t air_figure_value(const struct air_figure *f, enum airq_pollutant p);

/* ---- small dates ---- */
void air_civil(int32_t day, int *ret_year, int *ret_month, int *ret_day);
int32_t air_day(int year, int month, int day);
int air_month_days(int year, int month);
#endif
