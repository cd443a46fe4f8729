/* Inside api only: what the routes of the air's figures, rankings, targets and papers share. */
#ifndef LT_API_AIR_H
#define LT_API_AIR_H
#include "air/air_figure.h"
#include "air/air_rank.h"
#include "air/air_target.h"
#include "api/api_priv.h"

/* What a caller asks for: whose figures, which days, by which rules. */
struct air_ask {
    struct air_look look; /* open until air_ask_close() */
    struct air_scope scope;
    enum air_period_kind kind;
    int32_t from, to;
    const struct airq_standard *standard; /* NULL: by date */
    enum airq_rounding rounding;
    enum air_dust dust;
    const char *dust_name;
};
/* Opens a look of ?version=; LT_E_UNSUPPORTED where the post has no air. */
enum lt_err air_ask_open(struct api_call *c, struct air_ask *q, struct lt_error *err) LT_MUST_CHECK;
void air_ask_close(struct air_ask *q);
/* ?scope=, ?standard=, ?rounding=, ?dust=. A plant's user sees the city only. */
enum lt_err air_ask_scope(struct api_call *c, struct air_ask *q, struct lt_error *err) LT_MUST_CHECK;
/* ?from=&to= or ?period=&day=; at most most_days. */
enum lt_err air_ask_period(struct api_call *c, struct air_ask *q, int32_t most_days,
                           struct lt_error *err) LT_MUST_CHECK;
enum lt_err air_query_day(const struct api_call *c, const char *name, int32_t *ret, struct lt_error *err) LT_MUST_CHECK;
/* Does the station count for what is asked? */
bool air_in_scope(const struct air_look *l, const struct air_scope *sc, const struct air_station *s);
int64_t air_own_city(const struct air_look *l); /* the city; else the highest territory; 0: none */
const char *air_name(const struct api_call *c, const char *zh, const char *en);
const struct airq_standard *air_ask_standard(const struct air_ask *q, int32_t to);

/* ---- writers ---- */
extern const enum airq_pollutant air_order[AIRQ_POLLUTANTS]; /* PM25, PM10, SO2, NO2, CO, O3: as papers have them */
void air_write_day(struct jsonw *w, const char *key, int32_t day);
void air_write_scope(struct api_call *c, struct jsonw *w, const struct air_look *l, const struct air_scope *sc);
void air_write_figures(struct jsonw *w, const struct air_figure *f);
void air_write_change(struct jsonw *w, const char *key, enum airq_change_kind kind, int64_t before, int64_t now,
                      bool more_is_better, enum lt_lang lang);
/* Of two figures, under the key "change". */
void air_write_changes(struct jsonw *w, const struct air_figure *before, const struct air_figure *now,
                       enum lt_lang lang);
void air_write_days_item(struct jsonw *w, const struct air_days *d, size_t i, const struct airq_standard *s,
                         enum air_dust dust);
/* Members of a short row: six values, composite, days. */
void air_write_short(struct jsonw *w, const struct air_figure *f);
const char *air_category(int level); /* "excellent" …, NULL for 0 */
/* A member with a count of days (0 days are 0, below 0 is null). */
void air_write_count(struct jsonw *w, const char *key, int n);
#endif
