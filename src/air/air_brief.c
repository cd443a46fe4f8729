/* The papers' words and tables, in the habitual wording of such offices (日报, 月报, 今日一页). */
#include "air/air_brief.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { TARGETS_MOST = 40, SCHEMES_MOST = 16, TEXTS = 48 * 1024, CHART_DAYS = 31 };

static const char *const kind_names[AIR_PAPER_KINDS] = {"morning", "monthly", "onepage"};

const char *air_paper_name(enum air_paper_kind k)
{
    return kind_names[k];
}

bool air_paper_find(struct lt_slice name, enum air_paper_kind *ret)
{
    for (unsigned k = 0; k < AIR_PAPER_KINDS; k++)
        if (lt_slice_is(name, kind_names[k])) {
            *ret = (enum air_paper_kind)k;
            return true;
        }
    return false;
}

struct brief { /* a paper being written */
    struct air_look *l;
    const struct air_paper_ask *a;
    const struct air_territory *t;
    struct paper *p;
    bool en;
    struct air_days day; /* the day reported */
    struct airq_result index;
    struct air_figure month, ytd, month_year, ytd_year;
    bool preliminary;
    struct air_target target[TARGETS_MOST];
    struct air_target_state *state;
    size_t n_target;
    struct air_rank_scheme scheme[SCHEMES_MOST];
    size_t n_scheme;
    char *mem; /* texts of the block being written */
    size_t used;
};

/* ---- small texts, alive until the next reset ---- */

static const char *text(struct brief *b, const char *z)
{
    const size_t n = strlen(z) + 1;
    if (b->used + n > TEXTS) {
        b->p->fault = true; /* the paper ends with LT_E_LIMIT */
        return "";
    }
    char *at = b->mem + b->used;
    memcpy(at, z, n);
    b->used += n;
    return at;
}

static const char *tell(const struct brief *b, const char *zh, const char *en)
{
    return b->en ? en : zh;
}

static const char *num(struct brief *b, int64_t v, unsigned decimals)
{
    char t[32];
    if (v == LT_FIX_NONE)
        return "—";
    lt_fix_format(v, decimals, t);
    return text(b, t);
}

static const char *count(struct brief *b, int64_t n)
{
    char t[24];
    snprintf(t, sizeof t, "%lld", (long long)n);
    return text(b, t);
}

static const char *change(struct brief *b, enum airq_change_kind kind, int64_t before, int64_t now)
{
    char t[96];
    airq_change_text(kind, before, now, b->en, t);
    return t[0] ? text(b, t) : "—";
}

static const char *date(struct brief *b, int32_t day)
{
    char t[40];
    int y, m, d;
    air_civil(day, &y, &m, &d);
    if (b->en)
        air_day_text(day, t);
    else
        snprintf(t, sizeof t, "%d月%d日", m, d);
    return text(b, t);
}

static const char *nice(enum airq_pollutant p)
{
    static const char *const names[AIRQ_POLLUTANTS] = {[AIRQ_SO2] = "SO₂",   [AIRQ_NO2] = "NO₂",    [AIRQ_CO] = "CO",
                                                       [AIRQ_PM10] = "PM₁₀", [AIRQ_PM25] = "PM₂.₅", [AIRQ_O3] = "O₃"};
    return names[p];
}

static const enum airq_pollutant order[AIRQ_POLLUTANTS] = {AIRQ_PM25, AIRQ_PM10, AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_O3};

static unsigned decimals(const struct air_figure *f, enum airq_pollutant p)
{
    return airq_standard_decimals(f->standard, p);
}

static const char *value(struct brief *b, const struct air_figure *f, enum airq_pollutant p)
{
    return num(b, air_figure_value(f, p), decimals(f, p));
}

static const char *primary(struct brief *b, unsigned bits)
{
    char t[96] = "";
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        if (bits >> order[i] & 1) {
            const size_t n = strlen(t);
            snprintf(t + n, sizeof t - n, "%s%s", n ? (b->en ? ", " : "、") : "", nice(order[i]));
        }
    return t[0] ? text(b, t) : "—";
}

static const char *level_mark(int level)
{
    static const char *const marks[] = {"", "l1", "l2", "l3", "l4", "l5", "l6"};
    return marks[level >= 0 && level <= 6 ? level : 0];
}

static const char *light_mark(enum air_light l)
{
    return l == AIR_LIGHT_MET || l == AIR_LIGHT_ON_WAY ? "good"
           : l == AIR_LIGHT_AT_RISK                    ? "warn"
           : l == AIR_LIGHT_MISSED                     ? "bad"
                                                       : "";
}

static const char *territory_name(const struct brief *b, const struct air_territory *t)
{
    return b->en && t->name_en[0] ? t->name_en : t->name;
}

static int64_t days_fix(const struct air_figure *f, int n)
{
    return f->p.days_valid > 0 ? n * INT64_C(1000000) : AIRQ_NONE;
}

/* ---- gathering ---- */

static bool on_target(void *user, const struct record_row *row)
{
    struct brief *b = user;
    struct air_target t;
    air_target_of_row(row, b->l->tz_min, &t);
    if (t.territory == b->a->territory && !t.enterprise && !t.process[0] && t.start <= b->a->day && t.end >= b->a->day)
        b->target[b->n_target++] = t;
    return b->n_target < TARGETS_MOST;
}

static bool on_scheme(void *user, const struct record_row *row)
{
    struct brief *b = user;
    if (air_rank_scheme_of_row(row, &b->scheme[b->n_scheme], NULL) == LT_OK)
        b->n_scheme++;
    return b->n_scheme < SCHEMES_MOST;
}

static enum lt_err figures_of(struct brief *b, const struct air_scope *sc, enum air_period_kind kind,
                              struct air_figure *now, struct air_figure *year, struct lt_error *err)
{
    int32_t from, to, ya, yb;
    const int32_t day = b->a->day;
    air_period_of(kind, day, &from, &to);
    air_period_year_before(from, day, &ya, &yb);
    enum lt_err e = air_figure_make(b->l, sc, from, day, air_standard_on(day), AIRQ_STEPWISE, AIR_DUST_HABIT, now, err);
    return e ? e : air_figure_make(b->l, sc, ya, yb, air_standard_on(yb), AIRQ_STEPWISE, AIR_DUST_HABIT, year, err);
}

static enum lt_err gather(struct brief *b, struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, b->a->territory);
    struct auth_ctx who = auth_system("paper");
    const struct record_ctx x = {.db = b->l->db, .who = &who, .tz_min = b->l->tz_min};
    struct record_query q = {0};
    enum lt_err e = air_days_make(b->l, &sc, b->a->day, b->a->day, NULL, AIRQ_STEPWISE, &b->day, err);
    if (e)
        return e;
    const struct airq_day day = air_day_as(&b->day, 0, AIR_DUST_HABIT);
    air_day_index(air_standard_on(b->a->day), &day, &b->index);
    b->preliminary = b->day.info[0].reviewed < b->day.info[0].values;
    if ((e = figures_of(b, &sc, AIR_MONTH, &b->month, &b->month_year, err)) ||
        (e = figures_of(b, &sc, AIR_YTD, &b->ytd, &b->ytd_year, err)) ||
        (e = record_each(&x, record_kind_find(LT_LIT("air_target")), &q, on_target, b, err)) ||
        (e = record_each(&x, record_kind_find(LT_LIT("rank_scheme")), &q, on_scheme, b, err)))
        return e;
    b->state = calloc(b->n_target + 1, sizeof *b->state);
    if (!b->state)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; !e && i < b->n_target; i++)
        e = air_target_eval(b->l, &b->target[i], b->a->day, NULL, 0, true, &b->state[i], err);
    return e;
}

/* ---- sentences ---- */

static void day_text(struct brief *b)
{
    struct lt_buf s = LT_BUF_INIT(4096);
    const struct airq_scale *scale = airq_standard_scale(air_standard_on(b->a->day));
    b->used = 0;
    lt_buf_addf(&s, b->en ? "%s, %s: " : "%s，%s", date(b, b->a->day), territory_name(b, b->t));
    if (b->index.aqi == AIRQ_NA)
        lt_buf_adds(&s, tell(b, "空气质量指数（AQI）无法评价（数据不足）；", "no AQI can be told (too few data); "));
    else
        lt_buf_addf(
            &s, b->en ? "AQI %d, %s, primary pollutant %s; " : "空气质量指数（AQI）为%d，级别为%s，首要污染物为%s；",
            b->index.aqi, airq_level_name(scale, b->index.level, b->en), primary(b, b->index.primary));
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        const enum airq_pollutant p = order[i];
        if (p != AIRQ_PM25 && p != AIRQ_PM10 && p != AIRQ_O3)
            continue;
        lt_buf_addf(&s, b->en ? "%s%s %s µg/m³" : "%s%s%s µg/m³", nice(p),
                    p == AIRQ_O3 ? tell(b, "日最大8小时", " (daily maximum 8 h)") : tell(b, "日均浓度", ""),
                    num(b, b->day.kept[0].judged[p], 0));
        lt_buf_adds(&s, p == AIRQ_O3 ? tell(b, "。", ".") : tell(b, "，", ", "));
    }
    if (b->day.info[0].dust)
        lt_buf_adds(&s, tell(b, "当日受沙尘影响，已按规定标注。", " Sand dust is marked on this day."));
    lt_buf_addc(&s, '\0');
    paper_text(b->p, s.failed ? "" : s.p);
    lt_buf_fini(&s);
}

/* "综合指数4.05，同比下降5.9%；PM2.5均值45.2 µg/m³，同比…" of a month or the year. */
static void span_text(struct brief *b, const char *lead, const struct air_figure *f, const struct air_figure *y,
                      const char *period)
{
    struct lt_buf s = LT_BUF_INIT(8192);
    b->used = 0;
    lt_buf_addf(&s, b->en ? "%s (%s to %s): composite index %s (%s); " : "%s（%s至%s），综合指数%s，同比%s；", lead,
                date(b, f->from), date(b, f->to), num(b, f->p.composite, 2),
                change(b, AIRQ_CHANGE_VALUE, y->p.composite, f->p.composite));
    lt_buf_addf(&s, b->en ? "%s %s µg/m³ (%s)" : "%s均值%s µg/m³，同比%s", nice(AIRQ_PM25), value(b, f, AIRQ_PM25),
                change(b, AIRQ_CHANGE_VALUE, air_figure_value(y, AIRQ_PM25), air_figure_value(f, AIRQ_PM25)));
    for (size_t i = 0; i < b->n_target; i++) {
        const struct air_target_state *t = &b->state[i];
        if (strcmp(t->t.period, period) == 0 && t->t.indicator == AIR_I_PM25 && t->allowed_left != LT_FIX_NONE) {
            lt_buf_addf(&s, b->en ? ", mean allowed for the days left of the %s %s µg/m³" : "，%s剩余日控制值%s µg/m³",
                        strcmp(period, "year") == 0 ? tell(b, "年", "year") : tell(b, "月", "month"),
                        num(b, t->allowed_left, 1));
            break; /* the first is the period's own; a second would read as a contradiction */
        }
    }
    lt_buf_addf(&s,
                b->en ? "; %d good days (%s), share %s %% (%s)" : "；优良天数%d天，同比%s，优良天数比例%s%%，同比%s",
                f->p.days_good, change(b, AIRQ_CHANGE_COUNT, days_fix(y, y->p.days_good), days_fix(f, f->p.days_good)),
                num(b, f->p.good_share_pct, 1), change(b, AIRQ_CHANGE_SHARE, y->p.good_share_pct, f->p.good_share_pct));
    for (size_t i = 0; i < b->n_target; i++) {
        const struct air_target_state *t = &b->state[i];
        if (strcmp(t->t.period, period) != 0 || t->t.indicator != AIR_I_GOOD_DAYS)
            continue;
        if (t->days_needed > 0)
            lt_buf_addf(&s, b->en ? ", target of %s: %d days short" : "，距目标（%s天）还差%d天", num(b, t->limit, 0),
                        t->days_needed);
        else
            lt_buf_addf(&s, b->en ? ", target of %s reached" : "，已达到目标（%s天）", num(b, t->limit, 0));
    }
    lt_buf_addf(&s, b->en ? "; %d heavy-pollution days (%s)" : "；重污染天数%d天，同比%s", f->p.days_heavy,
                change(b, AIRQ_CHANGE_COUNT, days_fix(y, y->p.days_heavy), days_fix(f, f->p.days_heavy)));
    lt_buf_addf(&s, b->en ? "; %s %s µg/m³ (%s)" : "；%s均值%s µg/m³，同比%s", nice(AIRQ_PM10), value(b, f, AIRQ_PM10),
                change(b, AIRQ_CHANGE_VALUE, air_figure_value(y, AIRQ_PM10), air_figure_value(f, AIRQ_PM10)));
    lt_buf_addf(&s, b->en ? "; %s (90th percentile) %s µg/m³ (%s)." : "；%s第90百分位%s µg/m³，同比%s。", nice(AIRQ_O3),
                value(b, f, AIRQ_O3),
                change(b, AIRQ_CHANGE_VALUE, air_figure_value(y, AIRQ_O3), air_figure_value(f, AIRQ_O3)));
    lt_buf_addc(&s, '\0');
    paper_text(b->p, s.failed ? "" : s.p);
    lt_buf_fini(&s);
}

/* ---- ranks among peers ---- */

static const char *rank_text(struct brief *b, const struct air_rank_item *x)
{
    char t[32];
    if (x->rank == 0)
        return "—";
    snprintf(t, sizeof t, "%d%s", x->rank, x->tied ? tell(b, "（并列）", " =") : "");
    return text(b, t);
}

/* A row a group, month and year beside each other. */
static enum lt_err peer_table(struct brief *b, bool *ret_invented, struct lt_error *err)
{
    const char *month = tell(b, "本月", "Month"), *year = tell(b, "本年累计", "Year to date");
    const char *rank = tell(b, "名次", "Rank"), *better = tell(b, "改善名次", "Improvement");
    const struct paper_col cols[] = {
        {tell(b, "排名（综合指数）", "Ranking (composite index)"), NULL, PAPER_LEFT, false},
        {rank, month, PAPER_CENTRE, false},
        {better, month, PAPER_CENTRE, false},
        {rank, year, PAPER_CENTRE, false},
        {better, year, PAPER_CENTRE, false},
        {tell(b, "城市数", "Cities"), NULL, PAPER_RIGHT, true}};
    bool open = false;
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < b->n_scheme && strcmp(b->t->level, "city") == 0; i++) {
        const struct air_rank_scheme *s = &b->scheme[i];
        struct paper_cell row[6] = {{b->en && s->name_en[0] ? s->name_en : s->name, NULL}};
        size_t members = 0;
        if (strcmp(s->member, "peer") != 0 || s->key[0].by != AIR_BY_COMPOSITE)
            continue;
        b->used = 0;
        for (int k = 0; !e && k < 2; k++) {
            struct air_rank r;
            int32_t from, to;
            air_period_of(k ? AIR_YTD : AIR_MONTH, b->a->day, &from, &to);
            row[1 + 2 * k].text = row[2 + 2 * k].text = "—";
            if ((e = air_rank_make(b->l, s, b->a->territory, k ? AIR_YTD : AIR_MONTH, from, b->a->day,
                                   b->en ? LT_EN : LT_ZH, &r, err)))
                break;
            for (size_t x = 0; x < r.n && r.n > 1; x++)
                if (r.item[x].own) {
                    row[1 + 2 * k].text = rank_text(b, &r.item[x]);
                    row[2 + 2 * k].text = r.item[x].improve_rank ? count(b, r.item[x].improve_rank) : "—";
                }
            members = r.n > members ? r.n : members;
            *ret_invented = *ret_invented || r.invented;
            air_rank_fini(&r);
        }
        if (e || members < 2)
            continue;
        row[5].text = count(b, (int64_t)members);
        if (!open)
            paper_table(b->p, NULL, cols, 6);
        open = true;
        paper_row(b->p, row, 6);
    }
    if (open)
        paper_table_end(b->p);
    return e;
}

/* ---- tables ---- */

static const struct air_rank_scheme *county_scheme(const struct brief *b)
{
    for (size_t i = 0; i < b->n_scheme; i++)
        if (strcmp(b->scheme[i].member, "county") == 0)
            return &b->scheme[i];
    return NULL;
}

static struct air_rank_scheme plain_scheme(void)
{
    struct air_rank_scheme s = {.n_keys = 1};
    s.key[0].by = AIR_BY_COMPOSITE;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        s.weight[p] = 1;
    lt_text_copy(s.member, sizeof s.member, "county");
    return s;
}

/* Counties in order of the year; the month beside it. */
static enum lt_err county_table(struct brief *b, enum air_period_kind kind, const char *caption, struct lt_error *err)
{
    const struct air_rank_scheme *chosen = county_scheme(b), plain = plain_scheme();
    const char *key = tell(b, "名次", "Rank");
    const struct paper_col cols[] = {
        {key, NULL, PAPER_CENTRE, false},
        {tell(b, "区县", "County"), NULL, PAPER_LEFT, false},
        {tell(b, "综合指数", "Index"), tell(b, "综合指数", "Composite index"), PAPER_RIGHT, true},
        {tell(b, "同比", "y/y"), tell(b, "综合指数", "Composite index"), PAPER_RIGHT, false},
        {tell(b, "浓度", "µg/m³"), "PM₂.₅ (µg/m³)", PAPER_RIGHT, true},
        {tell(b, "同比", "y/y"), "PM₂.₅ (µg/m³)", PAPER_RIGHT, false},
        {tell(b, "比例%", "%"), tell(b, "优良天数", "Good days"), PAPER_RIGHT, true},
        {tell(b, "同比", "y/y"), tell(b, "优良天数", "Good days"), PAPER_RIGHT, false},
        {tell(b, "改善名次", "Improvement"), NULL, PAPER_CENTRE, false}};
    int32_t from, to;
    struct air_rank r;
    air_period_of(kind, b->a->day, &from, &to);
    enum lt_err e = air_rank_make(b->l, chosen ? chosen : &plain, b->a->territory, kind, from, b->a->day,
                                  b->en ? LT_EN : LT_ZH, &r, err);
    if (e || r.n == 0) {
        if (!e)
            air_rank_fini(&r);
        return e;
    }
    paper_table(b->p, caption, cols, 9);
    for (size_t i = 0; i < r.n; i++) {
        const struct air_rank_item *x = &r.item[i];
        const unsigned pm = airq_standard_decimals(r.standard, AIRQ_PM25);
        b->used = 0;
        const struct paper_cell row[] = {
            {rank_text(b, x), NULL},
            {x->name, NULL},
            {num(b, x->now.composite, 2), NULL},
            {change(b, AIRQ_CHANGE_VALUE, x->year.composite, x->now.composite), NULL},
            {num(b, x->now.value[AIRQ_PM25], pm), NULL},
            {change(b, AIRQ_CHANGE_VALUE, x->year.value[AIRQ_PM25], x->now.value[AIRQ_PM25]), NULL},
            {num(b, x->now.good_share, 1), NULL},
            {change(b, AIRQ_CHANGE_SHARE, x->year.good_share, x->now.good_share), NULL},
            {x->improve_rank ? count(b, x->improve_rank) : "—", NULL}};
        paper_row(b->p, row, 9);
    }
    paper_table_end(b->p);
    air_rank_fini(&r);
    return LT_OK;
}

/* First and last three counties of the year, for the one page. */
static enum lt_err county_text(struct brief *b, struct lt_error *err)
{
    const struct air_rank_scheme *chosen = county_scheme(b), plain = plain_scheme();
    struct lt_buf s = LT_BUF_INIT(2048);
    struct air_rank r;
    int32_t from, to;
    size_t n = 0;
    air_period_of(AIR_YTD, b->a->day, &from, &to);
    enum lt_err e = air_rank_make(b->l, chosen ? chosen : &plain, b->a->territory, AIR_YTD, from, b->a->day,
                                  b->en ? LT_EN : LT_ZH, &r, err);
    if (e)
        return e;
    while (n < r.n && r.item[n].rank > 0)
        n++;
    if (n >= 6) {
        lt_buf_adds(&s, tell(b, "区县本年综合指数前三名：", "Counties, composite index of the year; best: "));
        for (size_t i = 0; i < 3; i++)
            lt_buf_addf(&s, "%s%s", i ? tell(b, "、", ", ") : "", r.item[i].name);
        lt_buf_adds(&s, tell(b, "；后三名：", "; worst: "));
        for (size_t i = n - 3; i < n; i++)
            lt_buf_addf(&s, "%s%s", i > n - 3 ? tell(b, "、", ", ") : "", r.item[i].name);
        lt_buf_adds(&s, tell(b, "。", "."));
        lt_buf_addc(&s, '\0');
        paper_text(b->p, s.failed ? "" : s.p);
    }
    lt_buf_fini(&s);
    air_rank_fini(&r);
    return LT_OK;
}

static const char *left_text(struct brief *b, const struct air_target_state *s)
{
    char t[96];
    if (s->allowed_left != LT_FIX_NONE)
        snprintf(t, sizeof t, b->en ? "days left at most %s" : "剩余日控制值%s", num(b, s->allowed_left, 1));
    else if (s->days_needed > 0)
        snprintf(t, sizeof t, b->en ? "%d good days needed" : "还需优良%d天", s->days_needed);
    else if (s->t.indicator == AIR_I_HEAVY_DAYS && s->heavy_left < 0 && s->days_left > 0)
        snprintf(t, sizeof t, b->en ? "%d heavy days too many" : "已超%d天", -s->heavy_left);
    else if (s->t.indicator == AIR_I_HEAVY_DAYS && s->days_left > 0)
        snprintf(t, sizeof t, b->en ? "%d heavy days left" : "还可%d天", s->heavy_left);
    else
        return "—";
    return text(b, t);
}

static void target_table(struct brief *b)
{
    const struct paper_col cols[] = {{tell(b, "目标", "Target"), NULL, PAPER_LEFT, false},
                                     {tell(b, "目标值", "Limit"), NULL, PAPER_RIGHT, true},
                                     {tell(b, "目前", "Now"), NULL, PAPER_RIGHT, true},
                                     {tell(b, "剩余天数", "Days left"), NULL, PAPER_RIGHT, true},
                                     {tell(b, "余量", "Room"), NULL, PAPER_LEFT, false},
                                     {tell(b, "完成概率", "Probability"), NULL, PAPER_RIGHT, false},
                                     {tell(b, "状态", "Light"), NULL, PAPER_CENTRE, false}};
    if (b->n_target == 0)
        return;
    paper_table(b->p, tell(b, "目标进度", "Targets"), cols, 7);
    for (size_t i = 0; i < b->n_target; i++) {
        const struct air_target_state *s = &b->state[i];
        const unsigned d = air_indicator_decimals(s->t.indicator, s->standard);
        char p[24] = "—";
        b->used = 0;
        if (s->probability != LT_FIX_NONE)
            snprintf(p, sizeof p, "%lld%%", (long long)lt_div_half_even((lt_i128)s->probability * 100, LT_FIX_ONE));
        const struct paper_cell row[] = {{s->t.name, NULL},
                                         {num(b, s->limit, d), NULL},
                                         {num(b, s->now, d), NULL},
                                         {count(b, s->days_left), NULL},
                                         {left_text(b, s), NULL},
                                         {p, NULL},
                                         {air_light_label(s->light, b->en ? LT_EN : LT_ZH), light_mark(s->light)}};
        paper_row(b->p, row, 7);
    }
    paper_table_end(b->p);
}

/* The six pollutants of month and year, each against the year before. */
static void pollutant_table(struct brief *b)
{
    const char *month = tell(b, "本月", "Month"), *year = tell(b, "本年累计", "Year to date");
    const struct paper_col cols[] = {{tell(b, "指标", "Item"), NULL, PAPER_LEFT, false},
                                     {tell(b, "数值", "Value"), month, PAPER_RIGHT, true},
                                     {tell(b, "去年同期", "Last year"), month, PAPER_RIGHT, true},
                                     {tell(b, "同比", "y/y"), month, PAPER_RIGHT, false},
                                     {tell(b, "数值", "Value"), year, PAPER_RIGHT, true},
                                     {tell(b, "去年同期", "Last year"), year, PAPER_RIGHT, true},
                                     {tell(b, "同比", "y/y"), year, PAPER_RIGHT, false}};
    const struct air_figure *f[4] = {&b->month, &b->month_year, &b->ytd, &b->ytd_year};
    paper_table(b->p, tell(b, "主要污染物浓度（µg/m³，CO 为 mg/m³）", "Pollutants (µg/m³, CO mg/m³)"), cols, 7);
    for (int i = 0; i <= AIRQ_POLLUTANTS; i++) {
        const bool index = i == AIRQ_POLLUTANTS;
        struct paper_cell row[7];
        b->used = 0;
        row[0] = (struct paper_cell){index ? tell(b, "综合指数", "Composite index") : nice(order[i]), NULL};
        for (int k = 0; k < 2; k++) {
            const struct air_figure *now = f[2 * k], *was = f[2 * k + 1];
            const int64_t a = index ? now->p.composite : air_figure_value(now, order[i]);
            const int64_t c = index ? was->p.composite : air_figure_value(was, order[i]);
            row[1 + 3 * k] = (struct paper_cell){num(b, a, index ? 2 : decimals(now, order[i])), NULL};
            row[2 + 3 * k] = (struct paper_cell){num(b, c, index ? 2 : decimals(was, order[i])), NULL};
            row[3 + 3 * k] = (struct paper_cell){change(b, AIRQ_CHANGE_VALUE, c, a), NULL};
        }
        paper_row(b->p, row, 7);
    }
    paper_table_end(b->p);
}

static enum lt_err day_chart(struct brief *b, struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(AIR_SCOPE_TERRITORY, b->a->territory);
    const char *label[CHART_DAYS];
    int64_t pm25[CHART_DAYS];
    char memory[CHART_DAYS][8];
    struct air_days d;
    int32_t from = b->a->day - CHART_DAYS + 1, to;
    if (b->a->kind == AIR_PAPER_MONTHLY)
        air_period_of(AIR_MONTH, b->a->day, &from, &to);
    enum lt_err e = air_days_make(b->l, &sc, from, b->a->day, NULL, AIRQ_STEPWISE, &d, err);
    if (e)
        return e;
    for (size_t i = 0; i < d.n; i++) {
        int y, m, dd;
        air_civil(from + (int32_t)i, &y, &m, &dd);
        snprintf(memory[i], sizeof memory[i], "%d.%d", m % 100, dd % 100);
        label[i] = memory[i];
        pm25[i] = d.kept[i].judged[AIRQ_PM25];
    }
    const struct airq_standard *s = air_standard_on(b->a->day);
    const struct paper_series series = {nice(AIRQ_PM25), pm25};
    const struct paper_chart c = {.bars = true,
                                  .caption = tell(b, "逐日 PM₂.₅ 浓度", "PM₂.₅ by day"),
                                  .unit = "µg/m³",
                                  .label = label,
                                  .n = d.n,
                                  .series = &series,
                                  .n_series = 1,
                                  .limit = airq_standard_day_limit(s, AIRQ_PM25),
                                  .limit_label = tell(b, "日均二级限值", "daily limit, grade II")};
    paper_chart(b->p, &c);
    air_days_fini(&d);
    return LT_OK;
}

static void key_figures(struct brief *b)
{
    const struct airq_scale *scale = airq_standard_scale(air_standard_on(b->a->day));
    char aqi_label[64];
    b->used = 0;
    snprintf(aqi_label, sizeof aqi_label, "%s AQI", date(b, b->a->day));
    const struct paper_figure f[] = {
        {text(b, aqi_label), b->index.aqi == AIRQ_NA ? "—" : count(b, b->index.aqi), "",
         airq_level_name(scale, b->index.level, b->en), level_mark(b->index.level)},
        {tell(b, "本月 PM₂.₅", "PM₂.₅, month"), value(b, &b->month, AIRQ_PM25), "µg/m³",
         change(b, AIRQ_CHANGE_VALUE, air_figure_value(&b->month_year, AIRQ_PM25),
                air_figure_value(&b->month, AIRQ_PM25)),
         ""},
        {tell(b, "本年 PM₂.₅", "PM₂.₅, year to date"), value(b, &b->ytd, AIRQ_PM25), "µg/m³",
         change(b, AIRQ_CHANGE_VALUE, air_figure_value(&b->ytd_year, AIRQ_PM25), air_figure_value(&b->ytd, AIRQ_PM25)),
         ""},
        {tell(b, "本年综合指数", "Composite index, year"), num(b, b->ytd.p.composite, 2), "",
         change(b, AIRQ_CHANGE_VALUE, b->ytd_year.p.composite, b->ytd.p.composite), ""},
        {tell(b, "本年优良天数", "Good days, year"), count(b, b->ytd.p.days_good), tell(b, "天", "days"),
         change(b, AIRQ_CHANGE_COUNT, days_fix(&b->ytd_year, b->ytd_year.p.days_good),
                days_fix(&b->ytd, b->ytd.p.days_good)),
         ""},
        {tell(b, "本年重污染天数", "Heavy days, year"), count(b, b->ytd.p.days_heavy), tell(b, "天", "days"),
         change(b, AIRQ_CHANGE_COUNT, days_fix(&b->ytd_year, b->ytd_year.p.days_heavy),
                days_fix(&b->ytd, b->ytd.p.days_heavy)),
         ""}};
    paper_figures(b->p, f, sizeof f / sizeof f[0]);
}

static void notes(struct brief *b, bool invented)
{
    struct lt_buf s = LT_BUF_INIT(4096);
    int years = 0;
    for (size_t i = 0; i < b->n_target; i++)
        if (b->state[i].probability != LT_FIX_NONE && b->state[i].probability_years > years)
            years = b->state[i].probability_years;
    if (b->preliminary)
        lt_buf_adds(&s, tell(b, "注：数据未经审核，仅供参考。", "Note: preliminary data, not yet reviewed. "));
    lt_buf_adds(&s,
                tell(b, "均值、百分位与综合指数扣除沙尘影响，优良天数与重污染天数未扣除；同比由公布值计算。",
                     "Means, percentiles and the composite index are without sand dust, good and heavy days with it; "
                     "changes are computed from published values. "));
    if (b->ytd.standard != b->ytd_year.standard)
        lt_buf_adds(
            &s, tell(b, "本年与去年适用的标准不同（GB 3095-2026 自2026年3月1日起施行），天数与综合指数的同比供参考。",
                     "This year and last year are judged by different standards (GB 3095-2026 from 2026-03-01): "
                     "changes of days and composite index are for orientation. "));
    if (years > 0)
        lt_buf_addf(&s,
                    b->en ? "Probability: drawn from the same days of %d past years; no forecast is used. "
                          : "完成概率由过去%d年同期逐日数据重抽样得出，未使用预报。",
                    years);
    if (invented)
        lt_buf_adds(&s,
                    tell(b, "外市数据为演示用虚构数据。", "Figures of other cities are invented for demonstration."));
    lt_buf_addc(&s, '\0');
    paper_note(b->p, s.failed ? "" : s.p);
    lt_buf_fini(&s);
}

/* ---- the three papers ---- */

static void title_of(const struct brief *b, char *ret, size_t cap)
{
    int y, m, d;
    const char *name = territory_name(b, b->t);
    air_civil(b->a->day, &y, &m, &d);
    if (b->a->kind == AIR_PAPER_MORNING)
        snprintf(ret, cap, b->en ? "%s: daily air brief" : "%s环境空气质量日报", name);
    else if (b->a->kind == AIR_PAPER_ONEPAGE)
        snprintf(ret, cap, b->en ? "%s: today on one page" : "%s大气环境今日一页", name);
    else if (b->en)
        snprintf(ret, cap, "%s: air quality of %04d-%02d", name, y, m);
    else
        snprintf(ret, cap, "%s%d年%d月环境空气质量月报", name, y, m);
}

static enum lt_err body(struct brief *b, struct lt_error *err)
{
    const char *month = tell(b, "本月", "This month"), *year = tell(b, "本年", "This year");
    bool invented = false;
    enum lt_err e = LT_OK;
    if (b->a->kind != AIR_PAPER_MONTHLY)
        key_figures(b);
    if (b->a->kind != AIR_PAPER_ONEPAGE) {
        if (b->a->kind == AIR_PAPER_MORNING)
            day_text(b);
        span_text(b, month, &b->month, &b->month_year, "month");
    }
    span_text(b, year, &b->ytd, &b->ytd_year, "year");
    e = peer_table(b, &invented, err);
    if (e)
        return e;
    target_table(b);
    if (b->a->kind == AIR_PAPER_MONTHLY)
        pollutant_table(b);
    if (b->a->kind != AIR_PAPER_ONEPAGE &&
        (e = county_table(b, AIR_MONTH, tell(b, "区县月度排名", "Counties, this month"), err)))
        return e;
    if (b->a->kind == AIR_PAPER_ONEPAGE && (e = county_text(b, err)))
        return e;
    if (b->a->kind == AIR_PAPER_MONTHLY &&
        (e = county_table(b, AIR_YTD, tell(b, "区县年度累计排名", "Counties, year to date"), err)))
        return e;
    if (b->a->kind == AIR_PAPER_MONTHLY && (e = day_chart(b, err)))
        return e;
    notes(b, invented);
    return LT_OK;
}

enum lt_err air_paper_make(struct air_look *l, const struct air_paper_ask *a, struct paper *ret, char *ret_title,
                           size_t cap, struct lt_error *err)
{
    struct brief *b = calloc(1, sizeof *b);
    char footer[256], day[48], number[64] = "";
    int y, m, d;
    enum lt_err e = b && (b->mem = malloc(TEXTS)) ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e) {
        b->l = l;
        b->a = a;
        b->p = ret;
        b->en = a->lang == LT_EN;
        b->t = air_look_territory(l, a->territory);
        e = b->t ? gather(b, err) : lt_fail(err, LT_E_NOT_FOUND, "territory", "territory", "", NULL);
    }
    if (!e) {
        air_civil(a->day, &y, &m, &d);
        title_of(b, ret_title, cap);
        snprintf(day, sizeof day, b->en ? "%04d-%02d-%02d" : "%d年%d月%d日", y, m, d);
        snprintf(footer, sizeof footer, b->en ? "Data version %lld. %s" : "数据版本 %lld。%s", (long long)l->version,
                 a->demo ? tell(b, "演示数据，均为虚构。", "Demonstration: all values are invented.") : "");
        if (a->number > 0)
            air_paper_number(&(struct air_paper){.number = a->number, .year = y, .lang = a->lang}, number);
        else
            lt_text_copy(number, sizeof number, tell(b, "草稿", "Draft"));
        const struct paper_head head = {
            .lang = a->lang, .org = a->org, .number = number, .title = ret_title, .date = day, .footer = footer};
        paper_begin(ret, &head);
        e = body(b, err);
        if (!e)
            e = paper_end(ret, err);
        if (e)
            paper_fini(ret);
    }
    if (b) {
        air_days_fini(&b->day);
        free(b->state);
        free(b->mem);
    }
    free(b);
    return e;
}
