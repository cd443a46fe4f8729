/* lantian assess: hourly CSV in, the figures of a period (HJ 663) out as one JSON object. */
#include "airq/airq_assess.h"
#include "base/text.h"
#include "json/json.h"
#include "main/assess_read.h"
#include "main/cmd.h"
#include "main/opt.h"

#include <stdio.h>
#include <stdlib.h>

enum { GAPS_TOLD = 48 /* in all: enough to see what is missing, without a screen per station */ };

static const enum airq_pollutant order[AIRQ_POLLUTANTS] = {AIRQ_PM25, AIRQ_PM10, AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_O3};
static const char *const categories[6] = {"excellent", "good", "light", "moderate", "heavy", "severe"};

struct job {
    const char *standard, *from, *to, *scope, *rounding, *co, *label;
    struct opt_list in;
    const struct airq_standard *s;
    enum airq_rounding r;
    struct assess_table *t;
    size_t days;
    struct airq_day *day; /* of one station, or of the city */
    lt_i128 *work;
    size_t gaps;
};

/* ---- output ---- */

static void number(struct jsonw *w, const char *key, int64_t v, unsigned decimals)
{
    char z[32];
    jsonw_key(w, key);
    if (v == AIRQ_NONE) {
        jsonw_null(w);
        return;
    }
    const size_t n = lt_fix_format(v, decimals, z);
    jsonw_raw(w, (struct lt_slice){z, n});
}

static void pollutant(struct jsonw *w, const struct job *j, enum airq_pollutant p, const struct airq_period_item *x)
{
    const unsigned decimals = airq_standard_decimals(j->s, p);
    char percentile[8];
    snprintf(percentile, sizeof percentile, "p%d", airq_percent(p));
    jsonw_key(w, airq_pollutant_name(p));
    jsonw_object(w);
    if (airq_has_mean(p))
        number(w, "mean", x->mean, decimals);
    number(w, percentile, x->percentile, decimals);
    jsonw_ki64(w, "days_valid", x->days_valid);
    jsonw_ki64(w, "exceed_days", x->exceed_days);
    number(w, "max", x->max, decimals);
    jsonw_object_end(w);
}

static void figures(struct jsonw *w, const struct job *j, const struct airq_period *x, bool valid)
{
    jsonw_ki64(w, "days_valid", x->days_valid);
    jsonw_ki64(w, "days_good", x->days_good);
    jsonw_ki64(w, "days_heavy", x->days_heavy);
    number(w, "good_share_pct", x->good_share_pct, 1);
    jsonw_key(w, "aqi_categories");
    jsonw_object(w);
    for (int i = 0; i < 6; i++)
        jsonw_ki64(w, categories[i], x->category[i]);
    jsonw_object_end(w);
    jsonw_key(w, "primary_days");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        jsonw_ki64(w, airq_pollutant_name(order[i]), x->primary[order[i]]);
    jsonw_object_end(w);
    number(w, "composite_index", x->composite, 2);
    jsonw_kbool(w, "statistics_valid", valid);
    jsonw_key(w, "pollutants");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        pollutant(w, j, order[i], &x->item[order[i]]);
    jsonw_object_end(w);
}

static void tell_gap(const char *whose, const struct airq_gap *g)
{
    char when[32];
    snprintf(when, sizeof when, g->month ? "%04d-%02d" : "%04d", g->year, g->month);
    if (g->needed)
        fprintf(stderr, "lantian assess: %s: %s %s: %d valid days, %d are needed; statistics are not valid\n", whose,
                airq_pollutant_name((enum airq_pollutant)g->pollutant), when, g->days, g->needed);
    else
        fprintf(stderr,
                "lantian assess: %s: only %d days of %s are in the period; the standard judges whole months, "
                "statistics are not valid\n",
                whose, g->days, when);
}

/* Why the statistics are not valid, on standard error: the figures are given all the same, but marked. */
static void tell_gaps(struct job *j, const char *whose, const struct airq_gap *gap, size_t n)
{
    for (size_t i = 0; i < n; i++, j->gaps++)
        if (j->gaps < GAPS_TOLD)
            tell_gap(whose, &gap[i]);
}

/* ---- evaluation ---- */

static void one(struct jsonw *w, struct job *j, const char *whose)
{
    struct airq_period x;
    struct airq_gap gap[GAPS_TOLD];
    airq_period(j->s, j->r, j->day, j->days, j->work, &x);
    const size_t gaps = airq_gaps(j->day, j->days, j->t->hourly.from, gap, GAPS_TOLD);
    figures(w, j, &x, gaps == 0);
    tell_gaps(j, whose, gap, gaps < GAPS_TOLD ? gaps : GAPS_TOLD);
    j->gaps += gaps < GAPS_TOLD ? 0 : gaps - GAPS_TOLD;
}

static void of_city(struct jsonw *w, struct job *j)
{
    for (size_t d = 0; d < j->days; d++) {
        struct airq_city city = {0};
        for (size_t i = 0; i < j->t->stations; i++) {
            struct airq_day station;
            airq_cell_day(j->s, j->r, &j->t->station[i].cells[d], &station);
            airq_city_add(&city, &station);
        }
        airq_city_day(j->s, j->r, &city, (uint32_t)j->t->stations, &j->day[d]);
    }
    one(w, j, "city");
}

static void of_stations(struct jsonw *w, struct job *j)
{
    jsonw_key(w, "stations");
    jsonw_object(w);
    for (size_t i = 0; i < j->t->stations; i++) {
        const struct assess_station *s = &j->t->station[i];
        for (size_t d = 0; d < j->days; d++)
            airq_cell_day(j->s, j->r, &s->cells[d], &j->day[d]);
        jsonw_key(w, s->name);
        jsonw_object(w);
        one(w, j, s->name);
        jsonw_object_end(w);
    }
    jsonw_object_end(w);
}

static int report(struct job *j)
{
    struct lt_buf out = LT_BUF_INIT((size_t)16 << 20); /* a station takes 1 kB, 4096 of them with long names fit */
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kstr(&w, "standard", j->standard);
    jsonw_kstr(&w, "from", j->from);
    jsonw_kstr(&w, "to", j->to);
    jsonw_kstr(&w, "scope", j->scope);
    jsonw_kstr(&w, "rounding", j->rounding);
    if (strcmp(j->scope, "station") == 0)
        of_stations(&w, j);
    else
        of_city(&w, j);
    jsonw_object_end(&w);
    const bool ok =
        jsonw_ok(&w) && fwrite(out.p, 1, out.n, stdout) == out.n && putchar('\n') != EOF && fflush(stdout) == 0;
    lt_buf_fini(&out);
    if (j->gaps > GAPS_TOLD)
        fprintf(stderr, "lantian assess: and %zu more months or years without enough valid days\n",
                j->gaps - GAPS_TOLD);
    if (!ok)
        fprintf(stderr, "lantian assess: the result cannot be written\n");
    return ok ? 0 : 2;
}

static int run(struct job *j)
{
    bool ok = true;
    int status = 2;
    for (size_t i = 0; ok && i < j->in.n; i++)
        ok = assess_read(j->t, j->in.item[i]);
    if (!ok) {
        fprintf(stderr, "lantian assess: nothing was computed; correct the input first\n");
        return 2;
    }
    if (!assess_table_end(j->t))
        return 2;
    j->day = calloc(j->days, sizeof *j->day);
    j->work = calloc(j->days, sizeof *j->work);
    if (j->day && j->work)
        status = report(j);
    else
        fprintf(stderr, "lantian assess: out of memory\n");
    free(j->day);
    free(j->work);
    return status;
}

/* ---- arguments ---- */

/* value must be one of the two or three words; *ret becomes its place. */
static bool choice(const char *option, const char *value, const char *const word[3], int *ret)
{
    for (int i = 0; value && i < 3 && word[i]; i++)
        if (strcmp(value, word[i]) == 0) {
            *ret = i;
            return true;
        }
    fprintf(stderr, "lantian assess: %s is needed: %s, %s%s%s%s%s\n", option, word[0], word[1], word[2] ? " or " : "",
            word[2] ? word[2] : "", value ? "; not " : "", value ? value : "");
    return false;
}

static bool day_of(const char *option, const char *value, int32_t *ret)
{
    if (value && airq_date_parse(lt_slice_of(value), ret))
        return true;
    fprintf(stderr, "lantian assess: %s must be a date YYYY-MM-DD between 1970 and 2199%s%s\n", option,
            value ? ", not " : "", value ? value : "");
    return false;
}

static bool arguments(struct job *j, struct airq_hourly *h)
{
    static const char *const standards[3] = {"2012", "2026t", "2026f"}, *const scopes[3] = {"city", "station"};
    static const char *const roundings[3] = {"stepwise", "final"}, *const units[3] = {"mg", "ug"};
    static const char *const labels[3] = {"start", "end"};
    int scope, label, rounding, standard, unit;
    if (j->in.n == 0) {
        fprintf(stderr, "lantian assess: --in FILE is needed (- for standard input)\n");
        return false;
    }
    if (!choice("--co-unit", j->co, units, &unit) || !choice("--hour-label", j->label, labels, &label) ||
        !choice("--scope", j->scope, scopes, &scope) || !choice("--standard", j->standard, standards, &standard) ||
        !choice("--rounding", j->rounding, roundings, &rounding) || !day_of("--from", j->from, &h->from) ||
        !day_of("--to", j->to, &h->to))
        return false;
    if (h->to < h->from || h->to - h->from >= AIRQ_PERIOD_DAYS_MAX) {
        fprintf(stderr, "lantian assess: --to must not be before --from, nor more than a hundred years after it\n");
        return false;
    }
    j->s = airq_standard_find(lt_slice_of(j->standard));
    j->r = rounding == 0 ? AIRQ_STEPWISE : AIRQ_FINAL;
    j->days = (size_t)(h->to - h->from + 1);
    h->label_end = label == 1;
    h->co = unit == 0 ? AIRQ_CO_MG : AIRQ_CO_UG;
    return true;
}

int cmd_assess(int argc, char **argv)
{
    struct job j = {.scope = "city", .rounding = "stepwise"};
    const struct opt opts[] = {
        {"--in", OPT_LIST, &j.in, "FILE", "hourly CSV or CSV.gz, - for standard input; may be given again"},
        {"--co-unit", OPT_TEXT, &j.co, "mg|ug", "unit of CO in the file, per m3 (the others: ug/m3)"},
        {"--hour-label", OPT_TEXT, &j.label, "start|end", "what a time names: end: 16:00 is 15:00-16:00"},
        {"--from", OPT_TEXT, &j.from, "YYYY-MM-DD", "first local day"},
        {"--to", OPT_TEXT, &j.to, "YYYY-MM-DD", "last local day"},
        {"--scope", OPT_TEXT, &j.scope, "city|station", "all stations as one city (default), or each"},
        {"--standard", OPT_TEXT, &j.standard, "2012|2026t|2026f", "GB 3095-2012; -2026 transition; -2026 final limits"},
        {"--rounding", OPT_TEXT, &j.rounding, "stepwise|final", "day values rounded (default), or only the result"}};
    const int r =
        opt_parse("assess --in FILE --co-unit mg|ug --hour-label start|end --from DAY --to DAY --standard S      "
                  "figures of a period by HJ 663; the header names time,station,PM25,PM10,SO2,NO2,CO,O3",
                  opts, sizeof opts / sizeof opts[0], argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    j.t = calloc(1, sizeof *j.t);
    if (!j.t) {
        fprintf(stderr, "lantian assess: out of memory\n");
        return 2;
    }
    const int status = arguments(&j, &j.t->hourly) ? run(&j) : 2;
    assess_table_free(j.t);
    return status;
}
