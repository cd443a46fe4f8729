/* Figures of the air as JSON: one writer per shape, so that every route says the same thing the same way. */
#include "api/api_air.h"

#include <stdio.h>

const enum airq_pollutant air_order[AIRQ_POLLUTANTS] = {AIRQ_PM25, AIRQ_PM10, AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_O3};

const char *air_category(int level)
{
    static const char *const names[] = {NULL, "excellent", "good", "light", "moderate", "heavy", "severe"};
    return level >= 1 && level <= 6 ? names[level] : NULL;
}

const char *air_name(const struct api_call *c, const char *zh, const char *en)
{
    return c->req->lang == LT_EN && en[0] ? en : zh;
}

void air_write_day(struct jsonw *w, const char *key, int32_t day)
{
    char text[16];
    air_day_text(day, text);
    jsonw_kstr(w, key, text);
}

void air_write_count(struct jsonw *w, const char *key, int n)
{
    if (n < 0)
        jsonw_knull(w, key);
    else
        jsonw_ki64(w, key, n);
}

static void write_station(struct api_call *c, struct jsonw *w, const struct air_station *s)
{
    jsonw_object(w);
    jsonw_ki64(w, "id", s->id);
    jsonw_kstr(w, "code", s->code);
    jsonw_kstr(w, "name", air_name(c, s->name, s->name_en));
    jsonw_object_end(w);
}

bool air_in_scope(const struct air_look *l, const struct air_scope *sc, const struct air_station *s)
{
    for (size_t i = 0; i < sc->n; i++) {
        const struct air_territory *t = air_look_territory(l, sc->id[i]);
        if (sc->kind == AIR_SCOPE_STATION ? s->id == sc->id[i] : t && air_counts(l, s, t))
            return true;
    }
    return false;
}

void air_write_scope(struct api_call *c, struct jsonw *w, const struct air_look *l, const struct air_scope *sc)
{
    static const char *const kinds[] = {"territory", "station", "region"};
    const struct air_territory *t = air_look_territory(l, sc->id[0]);
    const struct air_station *s = air_look_station(l, sc->id[0]);
    jsonw_key(w, "scope");
    jsonw_object(w);
    jsonw_kstr(w, "kind", kinds[sc->kind]);
    jsonw_key(w, "ids");
    jsonw_array(w);
    for (size_t i = 0; i < sc->n; i++)
        jsonw_i64(w, sc->id[i]);
    jsonw_array_end(w);
    if (sc->kind == AIR_SCOPE_STATION && s)
        jsonw_kstr(w, "name", air_name(c, s->name, s->name_en));
    else if (sc->kind == AIR_SCOPE_TERRITORY && t)
        jsonw_kstr(w, "name", air_name(c, t->name, t->name_en));
    else
        jsonw_kstr(w, "name", c->req->lang == LT_EN ? "Region" : "区域");
    jsonw_kstr(w, "level", sc->kind == AIR_SCOPE_TERRITORY && t ? t->level : kinds[sc->kind]);
    jsonw_key(w, "stations");
    jsonw_array(w);
    for (size_t i = 0; i < l->n_station; i++)
        if (air_in_scope(l, sc, &l->station[i]))
            write_station(c, w, &l->station[i]);
    jsonw_array_end(w);
    jsonw_object_end(w);
}

static void write_verdict(struct jsonw *w, const char *key, enum airq_verdict v)
{
    if (v == AIRQ_UNKNOWN)
        jsonw_knull(w, key);
    else
        jsonw_kbool(w, key, v == AIRQ_ATTAINED);
}

static int64_t worse(int64_t a, int64_t b)
{
    return a == AIRQ_NONE ? b : b == AIRQ_NONE || a > b ? a : b;
}

static void write_item(struct jsonw *w, const struct air_figure *f, enum airq_pollutant p)
{
    const struct airq_period_item *x = &f->p.item[p];
    const int64_t value = air_figure_value(f, p);
    jsonw_key(w, airq_pollutant_name(p));
    jsonw_object(w);
    jsonw_kfix(w, "value", value);
    jsonw_kfix(w, "mean", x->mean);
    jsonw_ki64(w, "percent", airq_percent(p));
    jsonw_kfix(w, "percentile", x->percentile);
    jsonw_kfix(w, "max", x->max);
    jsonw_ki64(w, "days_valid", x->days_valid);
    jsonw_ki64(w, "exceed_days", x->exceed_days);
    jsonw_kfix(w, "limit", airq_standard_index_limit(f->standard, p));
    jsonw_kfix(w, "ratio", value == AIRQ_NONE ? AIRQ_NONE : airq_composite_part(f->standard, p, value));
    jsonw_kfix(w, "over_multiple", worse(f->attained.item[p].mean_multiple, f->attained.item[p].percentile_multiple));
    write_verdict(w, "attained", f->attained.item[p].verdict);
    jsonw_object_end(w);
}

void air_write_figures(struct jsonw *w, const struct air_figure *f)
{
    jsonw_object(w);
    jsonw_ki64(w, "days_valid", f->p.days_valid);
    jsonw_ki64(w, "days_good", f->p.days_good);
    jsonw_ki64(w, "days_heavy", f->p.days_heavy);
    jsonw_kfix(w, "good_share_pct", f->p.good_share_pct);
    jsonw_kfix(w, "composite_index", f->p.composite);
    write_verdict(w, "attained", f->attained.overall);
    jsonw_key(w, "aqi_categories");
    jsonw_object(w);
    for (int level = 1; level <= 6; level++)
        jsonw_ki64(w, air_category(level), f->p.category[level - 1]);
    jsonw_object_end(w);
    jsonw_key(w, "primary_days");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        jsonw_ki64(w, airq_pollutant_name(air_order[i]), f->p.primary[air_order[i]]);
    jsonw_object_end(w);
    jsonw_key(w, "pollutants");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        write_item(w, f, air_order[i]);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

void air_write_short(struct jsonw *w, const struct air_figure *f)
{
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        jsonw_kfix(w, airq_pollutant_name(air_order[i]), air_figure_value(f, air_order[i]));
    jsonw_kfix(w, "composite_index", f->p.composite);
    jsonw_kfix(w, "good_share_pct", f->p.good_share_pct);
    jsonw_ki64(w, "days_valid", f->p.days_valid);
    jsonw_ki64(w, "days_good", f->p.days_good);
    jsonw_ki64(w, "days_heavy", f->p.days_heavy);
}

void air_write_change(struct jsonw *w, const char *key, enum airq_change_kind kind, int64_t before, int64_t now,
                      bool more_is_better, enum lt_lang lang)
{
    const bool known = before != AIRQ_NONE && now != AIRQ_NONE;
    char text[96];
    jsonw_key(w, key);
    jsonw_object(w);
    jsonw_kfix(w, "before", before);
    jsonw_kfix(w, "now", now);
    jsonw_kfix(w, "diff", known ? now - before : AIRQ_NONE);
    jsonw_kfix(w, "pct", kind == AIRQ_CHANGE_VALUE && known ? airq_change_pct(before, now) : AIRQ_NONE);
    jsonw_kfix(w, "points", kind == AIRQ_CHANGE_SHARE && known ? now - before : AIRQ_NONE);
    jsonw_kbool(w, "same", known && now == before);
    if (!known || now == before)
        jsonw_knull(w, "better");
    else
        jsonw_kbool(w, "better", (now > before) == more_is_better);
    airq_change_text(kind, before, now, lang == LT_EN, text);
    jsonw_kstr(w, "text", text);
    jsonw_object_end(w);
}

static int64_t days_of(const struct air_figure *f, int n)
{
    return f->p.days_valid > 0 ? n * INT64_C(1000000) : AIRQ_NONE;
}

void air_write_changes(struct jsonw *w, const struct air_figure *b, const struct air_figure *n, enum lt_lang lang)
{
    jsonw_key(w, "change");
    jsonw_object(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        air_write_change(w, airq_pollutant_name(air_order[i]), AIRQ_CHANGE_VALUE, air_figure_value(b, air_order[i]),
                         air_figure_value(n, air_order[i]), false, lang);
    air_write_change(w, "composite_index", AIRQ_CHANGE_VALUE, b->p.composite, n->p.composite, false, lang);
    air_write_change(w, "good_share_pct", AIRQ_CHANGE_SHARE, b->p.good_share_pct, n->p.good_share_pct, true, lang);
    air_write_change(w, "days_good", AIRQ_CHANGE_COUNT, days_of(b, b->p.days_good), days_of(n, n->p.days_good), true,
                     lang);
    air_write_change(w, "days_heavy", AIRQ_CHANGE_COUNT, days_of(b, b->p.days_heavy), days_of(n, n->p.days_heavy),
                     false, lang);
    jsonw_object_end(w);
}

static void write_index(struct jsonw *w, const struct airq_result *x)
{
    if (x->aqi == AIRQ_NA) {
        jsonw_knull(w, "aqi");
        jsonw_knull(w, "level");
    } else {
        jsonw_ki64(w, "aqi", x->aqi);
        jsonw_ki64(w, "level", x->level);
    }
    jsonw_kstr(w, "category", air_category(x->level));
    jsonw_key(w, "primary");
    jsonw_array(w);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        if (x->primary >> air_order[i] & 1)
            jsonw_str(w, airq_pollutant_name(air_order[i]));
    jsonw_array_end(w);
}

void air_write_days_item(struct jsonw *w, const struct air_days *d, size_t i, const struct airq_standard *standard,
                         enum air_dust dust)
{
    const struct airq_standard *s = standard ? standard : air_standard_on(d->from + (int32_t)i);
    const struct airq_day day = air_day_as(d, i, dust), deducted = air_day_as(d, i, AIR_DUST_DEDUCTED);
    const struct air_day_info *info = &d->info[i];
    struct airq_result x, y;
    air_day_index(s, &day, &x);
    air_day_index(s, &deducted, &y);
    jsonw_object(w);
    air_write_day(w, "day", d->from + (int32_t)i);
    jsonw_kstr(w, "standard", air_standard_name(s));
    write_index(w, &x);
    jsonw_key(w, "values");
    jsonw_object(w);
    for (int k = 0; k < AIRQ_POLLUTANTS; k++)
        jsonw_kfix(w, airq_pollutant_name(air_order[k]), d->kept[i].judged[air_order[k]]);
    jsonw_object_end(w);
    jsonw_key(w, "iaqi");
    jsonw_object(w);
    for (int k = 0; k < AIRQ_POLLUTANTS; k++)
        air_write_count(w, airq_pollutant_name(air_order[k]), x.iaqi[air_order[k]]);
    jsonw_object_end(w);
    jsonw_kbool(w, "dust", info->dust);
    air_write_count(w, "dust_aqi", info->dust ? y.aqi : -1);
    jsonw_ki64(w, "hours", info->hours);
    jsonw_ki64(w, "hours_expected", info->stations * INT64_C(24));
    jsonw_ki64(w, "values_n", info->values);
    jsonw_ki64(w, "values_reviewed", info->reviewed);
    jsonw_kbool(w, "preliminary", info->reviewed < info->values);
    jsonw_object_end(w);
}
