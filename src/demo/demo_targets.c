/* Targets, share-outs and other cities' figures of the demonstration city. Targets follow from last year's own
 * (invented) figures; the other cities are invented by name and number. */
#include "air/air_brief.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/rand.h"
#include "demo/demo.h"
#include "record/record.h"

#include <stdio.h>
#include <stdlib.h>

enum { COUNTIES_MOST = 40, SPANS = 8 };

struct maker {
    const struct demo_config *cfg;
    struct auth_ctx who;
    struct record_ctx x;
    int64_t city;
    int32_t day; /* yesterday */
    int year;
    struct lt_error *err;
};

static enum lt_err put(struct maker *m, const char *kind, const struct record_set *set, size_t n, int64_t *ret_id)
{
    return record_insert(&m->x, record_kind_find(lt_slice_of(kind)), set, n, ret_id, m->err);
}

/* ---- other cities ---- */

static const struct {
    const char *group, *zh, *en;
    int n; /* cities beside the own */
} groups[] = {{"168", "全国", "Nation", 167},
              {"province", "省内", "Province", 16},
              {"fenwei", "汾渭", "Fenwei", 12},
              {"2+36", "2+36", "2+36", 37}};

static enum lt_err peer(struct maker *m, int group, int city, int32_t from, int32_t to)
{
    struct lt_rand r;
    char zh[64], en[96];
    int y, mo, d;
    int64_t id;
    air_civil(to, &y, &mo, &d);
    lt_rand_init(&r, m->cfg->seed * 7919u + (uint64_t)(group * 1000 + city));      /* a city's own level stays */
    const int64_t level = (group == 0 ? 45 : 65) + (int64_t)lt_rand_below(&r, 70); /* the nation is cleaner */
    lt_rand_init(&r, (uint64_t)from * 131u + (uint64_t)to * 17u + (uint64_t)(group * 1000 + city));
    const bool long_span = to - from > 40, winter = mo <= 3 || mo >= 10;
    const int64_t season = long_span ? 100 : winter ? 135 : 75, noise = 90 + (int64_t)lt_rand_below(&r, 21);
    const int64_t pm25 = 38 * level * season * noise / 100; /* ten thousandths of µg/m3 */
    const int64_t good = 100 - pm25 * 55 / 1000000 + (int64_t)lt_rand_below(&r, 9);
    const int64_t days = to - from + 1, share = good > 100 ? 100 : good < 20 ? 20 : good;
    snprintf(zh, sizeof zh, "%s城市%02d（虚构）", groups[group].zh, city + 1);
    snprintf(en, sizeof en, "%s city %02d (invented)", groups[group].en, city + 1);
    const struct record_set set[] = {
        RECORD_SET_Z("peer_group", groups[group].group),
        RECORD_SET_Z("city", zh),
        RECORD_SET_Z("city_en", en),
        RECORD_SET_I("from_day", air_day_start(from, m->cfg->tz_min)),
        RECORD_SET_I("to_day", air_day_start(to, m->cfg->tz_min)),
        RECORD_SET_I("pm25", pm25 / 1000 * 100000),
        RECORD_SET_I("pm10", pm25 * (16 + (int64_t)lt_rand_below(&r, 5)) / 100000 * 1000000),
        RECORD_SET_I("so2", (int64_t)(6 + lt_rand_below(&r, 8)) * 1000000),
        RECORD_SET_I("no2", (int64_t)(12 + lt_rand_below(&r, 22)) * 1000000),
        RECORD_SET_I("co", (int64_t)(7 + lt_rand_below(&r, 9)) * 100000),
        RECORD_SET_I("o3", (int64_t)((long_span ? 140u
                                      : winter  ? 90u
                                                : 155u) +
                                     lt_rand_below(&r, 35)) *
                               1000000),
        RECORD_SET_I("good_share", airq_share_pct(days * share / 100, days)),
        RECORD_SET_I("days_good", days * share / 100),
        RECORD_SET_I("days_valid", days),
        RECORD_SET_Z("source", "演示用虚构数据"),
        RECORD_SET_I("invented", 1)};
    return put(m, "peer_figure", set, sizeof set / sizeof set[0], &id);
}

/* The spans pages ask for first: last month, the one before, month and year to date, and the same a year before. */
static int spans(const struct maker *m, int32_t ret[SPANS][2])
{
    int32_t a, b;
    int n = 0;
    air_period_of(AIR_MONTH, m->day, &ret[n][0], &b);
    ret[n++][1] = m->day;
    air_period_of(AIR_YTD, m->day, &ret[n][0], &ret[n][1]);
    n++;
    air_period_of(AIR_MONTH, ret[0][0] - 1, &ret[n][0], &ret[n][1]);
    n++;
    for (int i = 0; i < 3; i++, n++)
        air_period_year_before(ret[i][0], ret[i][1], &ret[n][0], &ret[n][1]);
    if (air_period_before(AIR_MONTH, ret[0][0], ret[0][1], &a, &b) && b != ret[2][1]) {
        ret[n][0] = a;
        ret[n++][1] = b;
    }
    if (air_period_before(AIR_MONTH, ret[2][0], ret[2][1], &ret[n][0], &ret[n][1]))
        n++;
    return n;
}

static enum lt_err peers(struct maker *m)
{
    int32_t span[SPANS][2];
    const int n = spans(m, span);
    enum lt_err e = LT_OK;
    for (int s = 0; s < n; s++) {
        bool twice = false; /* on the first of a month two of them are the same */
        for (int k = 0; k < s; k++)
            twice = twice || (span[k][0] == span[s][0] && span[k][1] == span[s][1]);
        for (int g = 0; !twice && g < 4; g++)
            for (int c = 0; !e && c < groups[g].n; c++)
                e = peer(m, g, c, span[s][0], span[s][1]);
    }
    return e;
}

/* ---- targets ---- */

struct goal {
    const char *name, *indicator, *period;
    int32_t from, to;
    int64_t territory, enterprise, value, base, parent, weight;
    const char *process, *note;
};

static enum lt_err target(struct maker *m, const struct goal *g, int64_t *ret_id)
{
    struct record_set set[16];
    size_t n = 0;
    const bool percent = g->base != LT_FIX_NONE && g->parent == 0;
    set[n++] = RECORD_SET_Z("name", g->name);
    set[n++] = RECORD_SET_I("territory", g->territory);
    set[n++] = RECORD_SET_Z("indicator", g->indicator);
    set[n++] = RECORD_SET_Z("period", g->period);
    set[n++] = RECORD_SET_I("start_day", air_day_start(g->from, m->cfg->tz_min));
    set[n++] = RECORD_SET_I("end_day", air_day_start(g->to, m->cfg->tz_min));
    set[n++] = RECORD_SET_Z("how", percent ? "percent" : "absolute");
    set[n++] = RECORD_SET_I("value", g->value);
    set[n++] = RECORD_SET_I("weight", g->weight);
    set[n++] = RECORD_SET_Z("note", g->note ? g->note : "演示");
    if (g->base != LT_FIX_NONE)
        set[n++] = RECORD_SET_I("base_value", g->base);
    if (g->parent)
        set[n++] = RECORD_SET_I("parent", g->parent);
    if (g->enterprise)
        set[n++] = RECORD_SET_I("enterprise", g->enterprise);
    if (g->process)
        set[n++] = RECORD_SET_Z("process", g->process);
    return put(m, "air_target", set, n, ret_id);
}

static enum lt_err figures_before(struct maker *m, struct air_look *l, int64_t territory, int32_t from, int32_t to,
                                  struct air_figure *ret)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, territory);
    int32_t a, b;
    air_period_year_before(from, to, &a, &b);
    return air_figure_make(l, &sc, a, b, air_standard_on(to), AIRQ_STEPWISE, AIR_DUST_HABIT, ret, m->err);
}

static int64_t at_least(int64_t v, int64_t least)
{
    return v < least ? least : v;
}

struct county_goal {          /* read before anything is written: a look is a snapshot */
    int64_t id, base, weight; /* weight: its national stations, which make the city's mean */
    char name[129];
};
struct bases {
    struct air_figure year, season, month;
    struct county_goal county[COUNTIES_MOST];
    size_t n;
    int32_t year_from, year_to, season_from, season_to, month_from, month_to;
};

static enum lt_err read_bases(struct maker *m, struct air_look *l, struct bases *b)
{
    air_period_of(AIR_YEAR, m->day, &b->year_from, &b->year_to);
    air_period_of(AIR_SEASON, m->day, &b->season_from, &b->season_to);
    air_period_of(AIR_MONTH, m->day, &b->month_from, &b->month_to);
    enum lt_err e = figures_before(m, l, m->city, b->year_from, b->year_to, &b->year);
    if (!e)
        e = figures_before(m, l, m->city, b->season_from, b->season_to, &b->season);
    if (!e)
        e = figures_before(m, l, m->city, b->month_from, b->month_to, &b->month);
    for (size_t i = 0; !e && i < l->n_territory && b->n < COUNTIES_MOST; i++) {
        struct air_figure f;
        if (l->territory[i].parent != m->city ||
            (e = figures_before(m, l, l->territory[i].id, b->year_from, b->year_to, &f)))
            continue;
        struct county_goal *c = &b->county[b->n];
        c->id = l->territory[i].id;
        c->base = air_figure_value(&f, AIRQ_PM25);
        for (size_t k = 0; k < l->n_station; k++)
            if (l->station[k].type == AIR_NATIONAL && air_counts(l, &l->station[k], &l->territory[i]))
                c->weight += LT_FIX_ONE;
        snprintf(c->name, sizeof c->name, "%s", l->territory[i].name);
        b->n += c->base != AIRQ_NONE;
    }
    return e;
}

/* The city's annual PM2.5 shared to counties: the same percentage from each. */
static enum lt_err county_parts(struct maker *m, const struct bases *b, int64_t parent, int64_t whole)
{
    struct air_part part[COUNTIES_MOST];
    enum lt_err e = LT_OK;
    for (size_t i = 0; i < b->n; i++)
        part[i] = (struct air_part){.territory = b->county[i].id,
                                    .weight = b->county[i].weight,
                                    .base = b->county[i].base,
                                    .value = LT_FIX_NONE};
    if (b->n == 0 || !air_parts_share(part, b->n, whole, 1))
        return LT_OK;
    for (size_t i = 0; !e && i < b->n; i++) {
        char name[192];
        int64_t id;
        snprintf(name, sizeof name, "%s%d年PM2.5", b->county[i].name, m->year);
        const struct goal g = {name, "pm25",        "year",       b->year_from, b->year_to,     part[i].territory,
                               0,    part[i].value, part[i].base, parent,       part[i].weight, NULL,
                               NULL};
        e = target(m, &g, &id);
    }
    return e;
}

/* A county's industrial reduction shared to three plants, and one plant's to its steps: contributions add up. */
static enum lt_err plant_parts(struct maker *m, const struct bases *b)
{
    static const char *const steps[] = {"破碎筛分", "煅烧", "成品包装"};
    int64_t plant[3] = {0}, home = 0, id = 0, sum = 0, first = 0;
    size_t n = 0;
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(
        m->x.db, "SELECT id, territory FROM enterprise WHERE deleted = 0 ORDER BY territory, id", &st, m->err);
    while (!e && n < 3 && !(e = sql_step(st, &row, m->err)) && row) { /* three of one county */
        if (sql_col_i64(st, 1) != home)
            n = 0;
        home = sql_col_i64(st, 1);
        plant[n++] = sql_col_i64(st, 0);
    }
    sql_release(&st);
    if (e || n < 3)
        return e;
    struct goal g = {"工业源减排贡献（µg/m³）",
                     "pm25",
                     "year",
                     b->year_from,
                     b->year_to,
                     home,
                     0,
                     2000000,
                     LT_FIX_NONE,
                     0,
                     LT_FIX_ONE,
                     "工业源合计",
                     "对全县PM2.5年均值的减排贡献"};
    if ((e = target(m, &g, &sum)))
        return e;
    for (size_t i = 0; !e && i < 3; i++) {
        static const int64_t value[] = {1000000, 600000, 400000};
        char name[96];
        snprintf(name, sizeof name, "工业源减排贡献-企业%zu", i + 1);
        g = (struct goal){name,     "pm25",      "year", b->year_from, b->year_to, home, plant[i],
                          value[i], LT_FIX_NONE, sum,    value[i],     NULL,       NULL};
        e = target(m, &g, i == 0 ? &first : &id);
    }
    for (size_t i = 0; !e && i < 3; i++) {
        static const int64_t value[] = {300000, 500000, 200000};
        char name[96];
        snprintf(name, sizeof name, "工业源减排贡献-企业1-%s", steps[i]);
        g = (struct goal){name,     "pm25",      "year", b->year_from, b->year_to, home, plant[0],
                          value[i], LT_FIX_NONE, first,  value[i],     steps[i],   NULL};
        e = target(m, &g, &id);
    }
    return e;
}

static enum lt_err city_targets(struct maker *m, const struct bases *b, int64_t *ret_pm25)
{
    char name[7][96];
    const int64_t one = LT_FIX_ONE, none = LT_FIX_NONE;
    const int64_t pm25 = air_figure_value(&b->year, AIRQ_PM25), o3 = air_figure_value(&b->year, AIRQ_O3);
    const int64_t season = air_figure_value(&b->season, AIRQ_PM25), month = air_figure_value(&b->month, AIRQ_PM25);
    int64_t id;
    snprintf(name[0], sizeof name[0], "%d年PM2.5", m->year);
    snprintf(name[1], sizeof name[1], "%d年优良天数", m->year);
    snprintf(name[2], sizeof name[2], "%d年重污染天数", m->year);
    snprintf(name[3], sizeof name[3], "%d年臭氧第90百分位", m->year);
    snprintf(name[4], sizeof name[4], "%d年综合指数", m->year);
    snprintf(name[5], sizeof name[5], "秋冬季PM2.5");
    snprintf(name[6], sizeof name[6], "本月PM2.5");
    const struct goal goals[] = {
        {name[0], "pm25", "year", b->year_from, b->year_to, m->city, 0, 3 * one, pm25, 0, one, NULL, "较上年下降3%"},
        {name[1], "good_days", "year", b->year_from, b->year_to, m->city, 0, (b->year.p.days_good + 6) * one, none, 0,
         one, NULL, "较上年增加6天"},
        {name[2], "heavy_days", "year", b->year_from, b->year_to, m->city, 0,
         at_least(b->year.p.days_heavy - 2, 0) * one, none, 0, one, NULL, "较上年减少2天"},
        {name[3], "o3", "year", b->year_from, b->year_to, m->city, 0, o3, none, 0, one, NULL, "不高于上年"},
        {name[4], "composite", "year", b->year_from, b->year_to, m->city, 0, b->year.p.composite, none, 0, one, NULL,
         "不高于上年"},
        {name[5], "pm25", "season", b->season_from, b->season_to, m->city, 0, 3 * one, season, 0, one, NULL,
         "较上一秋冬季下降3%"},
        {name[6], "pm25", "month", b->month_from, b->month_to, m->city, 0, 3 * one, month, 0, one, NULL,
         "较上年同月下降3%"}};
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < sizeof goals / sizeof goals[0]; i++)
        if (goals[i].value != AIRQ_NONE && (goals[i].value != 3 * one || goals[i].base != AIRQ_NONE))
            e = target(m, &goals[i], i == 0 ? ret_pm25 : &id);
    return e;
}

static enum lt_err bases_of(struct maker *m, struct bases *b)
{
    struct air *a = NULL;
    struct air_figures *f = NULL;
    struct air_look l;
    enum lt_err e = air_open(m->x.db, m->cfg->tz_min, &a, m->err);
    if (!e)
        e = air_figures_open(a, &f, m->err);
    if (!e && !(e = air_look_open(f, a, m->x.db, 0, &l, m->err))) {
        e = read_bases(m, &l, b);
        air_look_close(&l);
    }
    air_close(&a);
    air_figures_close(&f);
    return e;
}

enum lt_err demo_targets(const struct demo_config *cfg, struct sql_db *db, struct lt_error *err)
{
    struct maker m = {.cfg = cfg, .who = auth_system("demo"), .err = err};
    struct bases *b = calloc(1, sizeof *b);
    int mo, d;
    int64_t pm25 = 0;
    m.x = (struct record_ctx){.db = db, .who = &m.who, .now_ms = cfg->now_ms, .tz_min = cfg->tz_min};
    m.day = air_day_of(cfg->now_ms, cfg->tz_min) - 1;
    air_civil(m.day, &m.year, &mo, &d);
    enum lt_err e = b ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e)
        e = sql_get_i64(db, "SELECT id FROM territory WHERE level = 'city' AND deleted = 0 ORDER BY id LIMIT 1", NULL,
                        &m.city, err);
    if (!e)
        e = air_paper_setup(db, err);
    if (!e)
        e = air_rank_setup(db, cfg->now_ms, cfg->tz_min, err);
    if (!e)
        e = bases_of(&m, b);
    if (!e && !(e = sql_begin(db, err))) {
        e = city_targets(&m, b, &pm25);
        if (!e && pm25) {
            const struct air_target t = {
                .percent = true, .value = 3 * LT_FIX_ONE, .base = air_figure_value(&b->year, AIRQ_PM25)};
            e = county_parts(&m, b, pm25, lt_fix_round(air_target_limit(&t), 1));
        }
        if (!e)
            e = plant_parts(&m, b);
        if (!e)
            e = peers(&m);
        e = sql_end(db, e, err);
    }
    free(b);
    return e;
}
