/* Targets: what they ask, where they stand, how they are judged. */
#include "air/air_target_priv.h"
#include "base/text.h"

#include <stdlib.h>

/* ---- indicators ---- */

static const struct {
    const char *name, *en, *zh, *unit_en, *unit_zh;
    int pollutant; /* -1: none */
    bool more;     /* more is better */
    int decimals;  /* -1: of the standard */
} indicators[AIR_INDICATORS] = {
    [AIR_I_PM25] = {"pm25", "PM₂.₅", "PM₂.₅", "µg/m³", "µg/m³", AIRQ_PM25, false, -1},
    [AIR_I_PM10] = {"pm10", "PM₁₀", "PM₁₀", "µg/m³", "µg/m³", AIRQ_PM10, false, -1},
    [AIR_I_SO2] = {"so2", "SO₂", "SO₂", "µg/m³", "µg/m³", AIRQ_SO2, false, -1},
    [AIR_I_NO2] = {"no2", "NO₂", "NO₂", "µg/m³", "µg/m³", AIRQ_NO2, false, -1},
    [AIR_I_CO] = {"co", "CO (95th percentile)", "CO 第95百分位", "mg/m³", "mg/m³", AIRQ_CO, false, -1},
    [AIR_I_O3] = {"o3", "O₃ (90th percentile)", "O₃ 第90百分位", "µg/m³", "µg/m³", AIRQ_O3, false, -1},
    [AIR_I_COMPOSITE] = {"composite", "Composite index", "综合指数", "", "", -1, false, 2},
    [AIR_I_GOOD_DAYS] = {"good_days", "Good days", "优良天数", "days", "天", -1, true, 0},
    [AIR_I_GOOD_SHARE] = {"good_share", "Share of good days", "优良天数比例", "%", "%", -1, true, 1},
    [AIR_I_HEAVY_DAYS] = {"heavy_days", "Heavy-pollution days", "重污染天数", "days", "天", -1, false, 0},
};

const char *air_indicator_name(enum air_indicator i)
{
    return indicators[i].name;
}

const char *air_indicator_unit(enum air_indicator i, enum lt_lang lang)
{
    return lang == LT_EN ? indicators[i].unit_en : indicators[i].unit_zh;
}

const char *air_indicator_label(enum air_indicator i, enum lt_lang lang)
{
    return lang == LT_EN ? indicators[i].en : indicators[i].zh;
}

bool air_indicator_find(struct lt_slice name, enum air_indicator *ret)
{
    for (unsigned i = 0; i < AIR_INDICATORS; i++)
        if (lt_slice_is(name, indicators[i].name)) {
            *ret = (enum air_indicator)i;
            return true;
        }
    return false;
}

bool air_indicator_pollutant(enum air_indicator i, enum airq_pollutant *ret)
{
    if (indicators[i].pollutant < 0)
        return false;
    *ret = (enum airq_pollutant)indicators[i].pollutant;
    return true;
}

bool air_indicator_more_is_better(enum air_indicator i)
{
    return indicators[i].more;
}

unsigned air_indicator_decimals(enum air_indicator i, const struct airq_standard *s)
{
    return indicators[i].decimals >= 0 ? (unsigned)indicators[i].decimals
                                       : airq_standard_decimals(s, (enum airq_pollutant)indicators[i].pollutant);
}

int64_t air_indicator_of(const struct air_figure *f, enum air_indicator i)
{
    enum airq_pollutant p;
    if (air_indicator_pollutant(i, &p))
        return air_figure_value(f, p);
    if (f->p.days_valid == 0)
        return AIRQ_NONE;
    if (i == AIR_I_COMPOSITE)
        return f->p.composite;
    return i == AIR_I_GOOD_SHARE  ? f->p.good_share_pct
           : i == AIR_I_GOOD_DAYS ? f->p.days_good * INT64_C(1000000)
                                  : f->p.days_heavy * INT64_C(1000000);
}

bool target_is_mean(enum air_indicator i, enum airq_pollutant *ret)
{
    return air_indicator_pollutant(i, ret) && airq_has_mean(*ret);
}

/* ---- the record ---- */

void air_target_of_row(const struct record_row *row, int tz_min, struct air_target *ret)
{
    struct air_target t = {.id = row->id, .record_version = row->version};
    t.territory = record_i64(row, "territory", 0);
    t.enterprise = record_i64(row, "enterprise", 0);
    t.parent = record_i64(row, "parent", 0);
    lt_text_copy_slice(t.name, sizeof t.name, record_text(row, "name"));
    lt_text_copy_slice(t.process, sizeof t.process, record_text(row, "process"));
    lt_text_copy_slice(t.note, sizeof t.note, record_text(row, "note"));
    lt_text_copy_slice(t.period, sizeof t.period, record_text(row, "period"));
    (void)air_indicator_find(record_text(row, "indicator"), &t.indicator); /* the kind allows no other */
    t.start = air_day_of(record_i64(row, "start_day", 0), tz_min);
    t.end = air_day_of(record_i64(row, "end_day", 0), tz_min);
    t.percent = lt_slice_is(record_text(row, "how"), "percent");
    t.value = record_i64(row, "value", 0);
    t.base = record_i64(row, "base_value", LT_FIX_NONE);
    t.weight = record_i64(row, "weight", LT_FIX_ONE);
    *ret = t;
}

int64_t air_target_limit(const struct air_target *t)
{
    if (!t->percent || t->base == LT_FIX_NONE)
        return t->value;
    const int64_t unit = 10000; /* two decimals: base and percentage rarely give a round figure, and 0.01 is judged */
    const lt_i128 exact = (lt_i128)t->base * (INT64_C(100) * LT_FIX_ONE - t->value);
    return lt_div_half_even(exact, (lt_i128)100 * LT_FIX_ONE * unit) * unit;
}

/* ---- lights ---- */

static const struct {
    const char *name, *en, *zh, *rule_en, *rule_zh;
} lights[] = {
    [AIR_LIGHT_UNKNOWN] = {"unknown", "Unknown", "未知", "no valid day yet, or a share without air of its own",
                           "尚无有效数据，或为无独立空气质量数据的分解指标"},
    [AIR_LIGHT_MET] = {"met", "Met", "已完成",
                       "the period is over and the figure is within, or the number of days is reached already",
                       "考核期结束且达到目标，或所需天数已经达到"},
    [AIR_LIGHT_ON_WAY] = {"on_way", "On the way", "进度正常",
                          "more likely than not to be met (50 % or more); without past years: today's figure is within",
                          "完成概率不低于 50%；无历史同期数据时，目前数值优于目标"},
    [AIR_LIGHT_AT_RISK] = {"at_risk", "At risk", "有风险",
                           "can still be met, but less likely than not (below 50 %); without past years: today's "
                           "figure is beyond",
                           "仍有可能完成，但概率低于 50%；无历史同期数据时，目前数值劣于目标"},
    [AIR_LIGHT_MISSED] = {"missed", "Missed", "未完成",
                          "the period is over and the figure is beyond, or the days left cannot make up for it",
                          "考核期结束未达到目标，或剩余天数已无法弥补"},
};

const char *air_light_name(enum air_light l)
{
    return lights[l].name;
}

const char *air_light_label(enum air_light l, enum lt_lang lang)
{
    return lang == LT_EN ? lights[l].en : lights[l].zh;
}

const char *air_light_rule(enum air_light l, enum lt_lang lang)
{
    return lang == LT_EN ? lights[l].rule_en : lights[l].rule_zh;
}

static bool within(const struct air_target_state *s)
{
    return air_indicator_more_is_better(s->t.indicator) ? s->now >= s->limit : s->now <= s->limit;
}

static enum air_light light_of(const struct air_target_state *s)
{
    enum airq_pollutant p;
    const enum air_indicator i = s->t.indicator;
    if (s->now == AIRQ_NONE || s->days_past == 0)
        return AIR_LIGHT_UNKNOWN;
    if (s->days_left == 0)
        return within(s) ? AIR_LIGHT_MET : AIR_LIGHT_MISSED;
    if (i == AIR_I_GOOD_DAYS || i == AIR_I_GOOD_SHARE) {
        if (s->days_needed == 0)
            return AIR_LIGHT_MET;
        if (s->days_needed > s->days_left)
            return AIR_LIGHT_MISSED;
    }
    if (i == AIR_I_HEAVY_DAYS && !within(s))
        return AIR_LIGHT_MISSED;
    if (target_is_mean(i, &p) && s->allowed_left != AIRQ_NONE && s->allowed_left < 0)
        return AIR_LIGHT_MISSED;
    const bool likely = s->probability == LT_FIX_NONE ? within(s) : s->probability >= LT_FIX_ONE / 2;
    return likely ? AIR_LIGHT_ON_WAY : AIR_LIGHT_AT_RISK;
}

/* ---- figures of known days ---- */

enum lt_err target_figure(const struct airq_standard *s, const struct airq_day *days, size_t n, struct air_figure *ret,
                          struct lt_error *err)
{
    lt_i128 *work = malloc((n + 1) * sizeof *work);
    if (!work)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    ret->standard = s;
    airq_period(s, AIRQ_STEPWISE, days, n, work, &ret->p);
    free(work);
    return LT_OK;
}

/* The road: the figure to a day, and what the rest might have been from there. */
static enum lt_err make_road(const struct air_target_state *st, const struct airq_day *known, size_t n,
                             struct air_road_point *ret, size_t *ret_n, struct lt_error *err)
{
    const int step = st->days_total / AIR_TARGET_POINTS + 1;
    enum airq_pollutant p;
    *ret_n = 0;
    for (size_t i = (size_t)step; *ret_n < AIR_TARGET_POINTS; i += (size_t)step) {
        struct air_figure f;
        const size_t m = i < n ? i : n; /* the last point is the last known day */
        if (m == 0)
            return LT_OK;
        enum lt_err e = target_figure(st->standard, known, m, &f, err);
        if (e)
            return e;
        struct air_road_point *at = &ret[(*ret_n)++];
        *at = (struct air_road_point){st->t.start + (int32_t)m - 1, air_indicator_of(&f, st->t.indicator), LT_FIX_NONE};
        if (target_is_mean(st->t.indicator, &p) && (int)m < st->days_total) {
            struct airq_sum sum = {0};
            airq_sum_days(&sum, known, m, p);
            at->allowed = airq_mean_left(&sum, p, st->days_total - (int)m, st->limit, 1);
        }
        if (m == n)
            return LT_OK;
    }
    return LT_OK;
}

/* What follows from the days known: the mean left, the days still needed. */
static void set_left(struct air_target_state *st, const struct airq_day *known, size_t n)
{
    enum airq_pollutant p;
    const enum air_indicator i = st->t.indicator;
    const int limit_days = (int)((st->limit + LT_FIX_ONE - 1) / LT_FIX_ONE); /* 257.4 good days are 258 */
    if (target_is_mean(i, &p)) {
        struct airq_sum sum = {0};
        airq_sum_days(&sum, known, n, p);
        st->days_valid = sum.n;
        st->so_far_sum = target_wide_fix(p, sum.sum);
        st->allowed_left = airq_mean_left(&sum, p, st->days_left, st->limit, 1);
    } else if (i == AIR_I_GOOD_DAYS) {
        st->days_needed = limit_days > st->days_good ? limit_days - st->days_good : 0;
        st->bad_left = st->days_left - st->days_needed;
    } else if (i == AIR_I_GOOD_SHARE) {
        st->days_needed = airq_good_needed(st->days_good, st->days_valid, st->days_left, st->limit);
        st->bad_left = st->days_left - st->days_needed;
    } else if (i == AIR_I_HEAVY_DAYS) {
        st->heavy_left = airq_days_affordable(st->days_heavy, (int)(st->limit / LT_FIX_ONE));
    }
}

int64_t target_wide_fix(enum airq_pollutant p, lt_i128 wide)
{
    const lt_i128 one = (lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000);
    return (int64_t)((wide * airq_tick(p) + one / 2) / one);
}

static void state_init(const struct air_target *t, int32_t at, struct air_target_state *s)
{
    memset(s, 0, sizeof *s);
    s->t = *t;
    s->at = at < t->end ? at : t->end;
    s->standard = air_standard_on(t->end);
    s->limit = air_target_limit(t);
    s->days_total = t->end - t->start + 1;
    s->days_past = s->at >= t->start ? s->at - t->start + 1 : 0;
    s->days_left = s->days_total - s->days_past;
    s->now = s->gap = s->so_far_sum = s->allowed_left = s->last_year_left = s->probability = LT_FIX_NONE;
    s->p10 = s->p50 = s->p90 = LT_FIX_NONE;
    s->days_needed = s->bad_left = s->heavy_left = -1;
    for (int c = 0; c < 6; c++) {
        s->affordable[c] = -1;
        s->typical[c] = LT_FIX_NONE;
    }
}

/* Known days of the period: measured to `at`, then assumed. *ret is to be freed. */
static enum lt_err known_days(struct air_look *l, const struct air_target_state *s, int32_t at,
                              const struct airq_day *extra, size_t n_extra, struct airq_day **ret, size_t *ret_n,
                              struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, s->t.territory);
    const int32_t to = at < s->t.end ? at : s->t.end;
    size_t n = 0;
    struct airq_day *days = calloc((size_t)s->days_total + 1, sizeof *days);
    enum lt_err e = days ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e && to >= s->t.start) {
        struct air_days d;
        if (!(e = air_days_make(l, &sc, s->t.start, to, s->standard, AIRQ_STEPWISE, &d, err))) {
            for (; n < d.n; n++)
                days[n] = air_day_as(&d, n, AIR_DUST_HABIT);
            air_days_fini(&d);
        }
    }
    for (size_t i = 0; !e && i < n_extra; i++) /* assumed days before the period begins are none of its own */
        if (at + 1 + (int32_t)i >= s->t.start && n < (size_t)s->days_total)
            days[n++] = extra[i];
    if (e) {
        free(days);
        return e;
    }
    *ret = days;
    *ret_n = n;
    return LT_OK;
}

enum lt_err air_target_eval(struct air_look *l, const struct air_target *t, int32_t at, const struct airq_day *extra,
                            size_t n_extra, bool deep, struct air_target_state *ret, struct lt_error *err)
{
    struct air_target_state s;
    struct airq_day *known = NULL;
    struct air_figure f;
    size_t n = 0;
    state_init(t, at + (int32_t)n_extra, &s);
    if (t->enterprise || t->process[0] || t->end < t->start || s.days_total > AIR_DAYS_MAX / 2) {
        *ret = s;
        return LT_OK;
    }
    enum lt_err e = known_days(l, &s, at, extra, n_extra, &known, &n, err);
    if (!e && !(e = target_figure(s.standard, known, n, &f, err))) {
        s.days_valid = f.p.days_valid;
        s.days_good = f.p.days_good;
        s.days_heavy = f.p.days_heavy;
        s.now = n ? air_indicator_of(&f, t->indicator) : LT_FIX_NONE;
        s.gap = s.now == LT_FIX_NONE ? LT_FIX_NONE : s.now - s.limit;
        set_left(&s, known, n);
        e = make_road(&s, known, n, s.road, &s.n_road, err);
    }
    if (!e && deep && s.days_left > 0)
        e = target_odds(l, known, n, &s, err);
    free(known);
    if (e)
        return e;
    s.light = light_of(&s);
    *ret = s;
    return LT_OK;
}
