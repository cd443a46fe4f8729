/* The air of the demonstration city: stations (invented, and named so), 26 months of hours, dust days, reviews. */
#include "air/air.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "demo/demo.h"
#include "json/json.h"
#include "record/record.h"
#include "sim/sim_noise.h"
#include "sql/sql.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HISTORY_MONTHS = 26, REVIEWED_DAYS = 45, MICROS = 10 };

/* Counties by order of the boundaries: 0 Laocheng, 1 Xigong, 2 Chanhe, 3 Jianxi, 4 Yanshi, 5 Mengjin, 6 Luolong … */
static const struct {
    unsigned county;
    const char *zh, *en;
    double east, north, industry;
} nationals[] = {
    {3, "重工路", "Zhonggong Road", -0.02, 0.01, 0.7}, {3, "景华路", "Jinghua Road", 0.015, -0.01, 0.4},
    {1, "王城公园", "Wangcheng Park", 0, 0, 0.3},      {1, "唐宫路", "Tanggong Road", 0.01, 0.02, 0.3},
    {0, "九都东路", "East Jiudu Road", 0.01, 0, 0.3},  {2, "启明南路", "South Qiming Road", -0.03, -0.02, 0.4},
    {6, "开元湖", "Kaiyuan Lake", -0.05, 0.03, 0.2},   {6, "伊滨", "Yibin", 0.05, 0, 0.3}};
enum { NATIONALS = sizeof nationals / sizeof nationals[0], PROVINCIALS = 2 };

size_t demo_air_stations(const struct demo_plan *plan)
{
    return NATIONALS + PROVINCIALS + plan->counties + MICROS;
}

static double urban(unsigned county)
{
    static const double of[14] = {1, 1, 0.9, 1, 0.7, 0.6, 0.85, 0.55, 0.1, 0.25, 0.4, 0.5, 0.2, 0.6};
    return county < 14 ? of[county] : 0.5;
}

/* Two characters of the county's name, without 区 or 县. */
static int short_name(const char *name)
{
    return strlen(name) > 6 ? 6 : (int)strlen(name) - 3;
}

void demo_air_station(const struct demo_plan *plan, size_t index, int tz_min, struct demo_air_station *ret)
{
    size_t i = index;
    double east = 0, north = 0, industry = 0.4;
    uint64_t seed = sim_mix(plan->seed ^ UINT64_C(0xA19), index);
    *ret = (struct demo_air_station){.live = -1, .evaluated = true};
    if (i < NATIONALS) {
        ret->county = nationals[i].county;
        ret->type = "national";
        snprintf(ret->code, sizeof ret->code, "LY-G%02zu", i + 1);
        snprintf(ret->name, sizeof ret->name, "%s（演示）", nationals[i].zh);
        snprintf(ret->name_en, sizeof ret->name_en, "%s (demonstration)", nationals[i].en);
        east = nationals[i].east;
        north = nationals[i].north;
        industry = nationals[i].industry;
    } else if ((i -= NATIONALS) < PROVINCIALS) {
        ret->county = 4 + (unsigned)i;
        ret->type = "provincial";
        snprintf(ret->code, sizeof ret->code, "LY-S%02zu", i + 1);
        north = 0.02;
    } else if ((i -= PROVINCIALS) < plan->counties) {
        ret->county = (unsigned)i;
        ret->type = "county";
        snprintf(ret->code, sizeof ret->code, "LY-X%02zu", i + 1);
        ret->live = i >= 7 && i < 7 + DEMO_AIR_LIVE ? (int)i - 7 : -1;
        east = -0.01;
    } else {
        i -= plan->counties;
        ret->county = (unsigned)(i * 5 % 14);
        ret->type = "micro";
        ret->evaluated = false;
        snprintf(ret->code, sizeof ret->code, "LY-W%03zu", i + 1);
        east = 0.03 * (sim_unit(sim_mix(seed, 5)) - 0.5) * 2;
        north = 0.03 * (sim_unit(sim_mix(seed, 6)) - 0.5) * 2;
        industry = sim_unit(sim_mix(seed, 7));
    }
    const struct demo_county *c = &plan->county[ret->county];
    if (!ret->name[0]) {
        static const char *const kinds[3][3] = {{"provincial", "省控站", "provincial station"},
                                                {"county", "县控站", "county station"},
                                                {"micro", "微站", "micro-station"}};
        size_t k = strcmp(ret->type, "provincial") == 0 ? 0 : strcmp(ret->type, "county") == 0 ? 1 : 2;
        char number[24] = "";
        if (k == 2)
            snprintf(number, sizeof number, "%zu", i + 1);
        snprintf(ret->name, sizeof ret->name, "%.*s%s%s（演示）", short_name(c->name), c->name, kinds[k][1], number);
        snprintf(ret->name_en, sizeof ret->name_en, "%.*s %s %s(demonstration)", (int)strcspn(c->name_en, " "),
                 c->name_en, kinds[k][2], k == 2 ? number : "");
    }
    ret->lon = c->lon + east;
    ret->lat = c->lat + north;
    bool micro = strcmp(ret->type, "micro") == 0;
    ret->place = (struct sim_air_place){.city = plan->seed,
                                        .seed = seed,
                                        .urban = urban(ret->county),
                                        .industry = industry,
                                        .bias = micro ? 0.8 + 0.5 * sim_unit(sim_mix(seed, 8)) : 1,
                                        .tz_min = tz_min};
}

struct maker {
    const struct demo_config *cfg;
    const struct demo_plan *plan;
    struct record_ctx x;
    int64_t city, from_ms, to_ms;
    struct demo_air_station *s;
    int64_t *id;
    size_t n;
};

static int64_t micro_degrees(double v)
{
    return llround(v * 1e5) * 10;
}

static enum lt_err territory_id(struct sql_db *db, const char *code, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st;
    bool row = false;
    enum lt_err e = sql_prepare(db, "SELECT id FROM territory WHERE code = ?1 AND deleted = 0", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, code);
    e = sql_step(st, &row, err);
    *ret = row ? sql_col_i64(st, 0) : 0;
    sql_release(&st);
    return e == LT_OK && !row ? lt_fail(err, LT_E_NOT_FOUND, NULL, "territory", code, NULL) : e;
}

static enum lt_err stations(struct maker *m, struct lt_error *err)
{
    enum lt_err e = territory_id(m->x.db, "410300", &m->city, err);
    for (size_t i = 0; e == LT_OK && i < m->n; i++) {
        struct demo_air_station *s = &m->s[i];
        struct sim_device d = {0};
        int64_t territory, device;
        demo_air_station(m->plan, i, m->cfg->tz_min, s);
        if (s->live >= 0)
            sim_air_device_init(&d, (unsigned)s->live, m->plan->seed, &s->place);
        if ((e = territory_id(m->x.db, m->plan->county[s->county].code, &territory, err)) != LT_OK)
            break;
        const struct record_set set[] = {RECORD_SET_Z("code", s->code),
                                         RECORD_SET_Z("name", s->name),
                                         RECORD_SET_Z("name_en", s->name_en),
                                         RECORD_SET_I("territory", territory),
                                         RECORD_SET_Z("type", s->type),
                                         RECORD_SET_I("evaluated", s->evaluated),
                                         RECORD_SET_I("lon", micro_degrees(s->lon)),
                                         RECORD_SET_I("lat", micro_degrees(s->lat)),
                                         RECORD_SET_Z("units", "hj212"),
                                         RECORD_SET_Z("note", "点位与数据均为虚构 / invented"),
                                         RECORD_SET_Z("mn", d.mn)};
        e = record_insert(&m->x, record_kind_find(LT_LIT("station")), set, s->live >= 0 ? 11 : 10, &m->id[i], err);
        if (e != LT_OK || s->live < 0)
            continue;
        const struct record_set dev[] = {RECORD_SET_Z("mn", d.mn),
                                         RECORD_SET_Z("name", s->name),
                                         RECORD_SET_I("st", 22),
                                         RECORD_SET_Z("pw", d.pw),
                                         RECORD_SET_Z("status", "active"),
                                         RECORD_SET_I("rtd_interval_s", d.rtd_interval_s),
                                         RECORD_SET_I("min_interval_min", d.min_interval_min)};
        e = record_insert(&m->x, record_kind_find(LT_LIT("device")), dev, 7, &device, err);
    }
    return e;
}

/* ---- hours ---- */

static void row_of(const struct maker *m, size_t i, int64_t at_ms, struct air_row *row)
{
    double v[SIM_AIR_VALUES];
    unsigned missing = sim_air_missing(&m->s[i].place, at_ms);
    bool micro = !m->s[i].evaluated;
    sim_air_hour(&m->s[i].place, at_ms, v);
    *row = (struct air_row){.station = m->id[i], .at_ms = at_ms};
    for (int k = 0; k < AIR_ITEMS; k++) {
        /* micro-stations measure particles, temperature and humidity only */
        bool here = !micro || k == AIR_PM25 || k == AIR_PM10 || k == AIR_TEMP || k == AIR_RH;
        if (!here || missing >> k & 1 ||
            !air_value_from_fix((enum air_item)k, llround(v[k] * LT_FIX_ONE), &row->value[k]))
            row->value[k] = AIR_NONE;
    }
}

/* Hours of all stations in [from, to) as one delivery. */
static enum lt_err put_hours(struct maker *m, int64_t from_ms, int64_t to_ms, bool reviewed, struct lt_error *err)
{
    size_t hours = (size_t)((to_ms - from_ms) / LT_HOUR_MS), n = 0;
    struct air_row *rows = malloc((hours * m->n + 1) * sizeof *rows);
    if (!rows)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < m->n; i++) {
        for (int64_t at = from_ms; at < to_ms; at += LT_HOUR_MS)
            row_of(m, i, at, &rows[n++]);
        if (m->cfg->progress)
            m->cfg->progress(m->cfg->user, "air", (double)i / (double)m->n);
    }
    struct air_batch_info info = {.source = AIR_SRC_DEMO,
                                  .author = "demonstration",
                                  .reason = "演示城市历史数据（虚构） / invented history",
                                  .now_ms = m->cfg->now_ms,
                                  .tz_min = m->cfg->tz_min,
                                  .reviewed = reviewed};
    struct air_put_result res;
    enum lt_err e = air_put(m->x.db, &info, rows, n, &res, err);
    free(rows);
    return e;
}

/* ---- dust days ---- */

static enum lt_err dust_days(struct maker *m, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (int64_t day = m->from_ms; e == LT_OK && day < m->to_ms; day += LT_DAY_MS) {
        int first = -1, last = -1;
        char hours[32];
        int64_t id;
        for (int h = 0; h < 24; h++)
            if (sim_air_dust(m->plan->seed, day + h * LT_HOUR_MS, m->cfg->tz_min)) {
                first = first < 0 ? h : first;
                last = h;
            }
        if (first < 0)
            continue;
        snprintf(hours, sizeof hours, "%d-%d", first, last);
        const struct record_set set[] = {RECORD_SET_I("territory", m->city),
                                         RECORD_SET_Z("type", "sand_dust"),
                                         RECORD_SET_I("day_from", day),
                                         RECORD_SET_I("day_to", day),
                                         RECORD_SET_Z("hours", hours),
                                         RECORD_SET_I("strip_pm", 1),
                                         RECORD_SET_I("recompute_aqi", day / LT_DAY_MS % 2),
                                         RECORD_SET_Z("decided_by", "沙尘影响认定通知（演示）"),
                                         RECORD_SET_Z("note", "虚构 / invented")};
        e = record_insert(&m->x, record_kind_find(LT_LIT("air_event")), set, 9, &id, err);
    }
    return e;
}

/* ---- reviews ---- */

static enum lt_err person_of(struct sql_db *db, const char *login, struct auth_ctx *ret, struct lt_error *err)
{
    struct sql_stmt *st;
    bool row = false;
    *ret = auth_system("demonstration");
    lt_text_copy(ret->login, sizeof ret->login, login);
    enum lt_err e = sql_prepare(db, "SELECT id, name FROM user WHERE login = ?1 AND deleted = 0", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, login);
    e = sql_step(st, &row, err);
    if (e == LT_OK && row) {
        ret->user_id = sql_col_i64(st, 0);
        lt_text_copy_slice(ret->name, sizeof ret->name, sql_col_text(st, 1));
    }
    sql_release(&st);
    return e;
}

/* An analyser that spat for `hours` hours: PM10 far too high, delivered like any other value. */
static enum lt_err spike(struct maker *m, size_t i, int64_t at_ms, int hours, struct lt_error *err)
{
    struct air_row rows[6];
    struct air_put_result res;
    for (int h = 0; h < hours; h++) {
        row_of(m, i, at_ms + h * LT_HOUR_MS, &rows[h]);
        rows[h].value[AIR_PM10] = (780 + 40 * h) * 10000;
    }
    struct air_batch_info info = {.source = AIR_SRC_DEMO,
                                  .author = "demonstration",
                                  .reason = "补传 / sent again",
                                  .now_ms = m->cfg->now_ms - LT_HOUR_MS,
                                  .tz_min = m->cfg->tz_min};
    return air_put(m->x.db, &info, rows, (size_t)hours, &res, err);
}

static enum lt_err review(struct maker *m, const struct auth_ctx *by, size_t i, int64_t at_ms, int hours,
                          const char *action, const char *reason, int64_t made_ms, int64_t *ret_id,
                          struct lt_error *err)
{
    char from[40], to[40];
    struct record_ctx x = m->x;
    x.who = by;
    x.now_ms = made_ms;
    lt_time_format_iso(at_ms, m->cfg->tz_min, from);
    lt_time_format_iso(at_ms + hours * LT_HOUR_MS, m->cfg->tz_min, to);
    json_t *body = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s}", "station", (json_int_t)m->id[i], "items", "PM10", "from",
                             from, "to", to, "action", action, "reason", reason);
    enum lt_err e = body ? air_review_propose(&x, body, ret_id, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    json_decref(body);
    return e;
}

static enum lt_err reviews(struct maker *m, struct lt_error *err)
{
    struct auth_ctx duty, analyst;
    int64_t id, version, open_at = m->to_ms - 20 * LT_HOUR_MS, done_at = m->to_ms - 5 * LT_DAY_MS;
    size_t open = 3, done = NATIONALS + PROVINCIALS + 8;
    enum lt_err e = person_of(m->x.db, "duty", &duty, err);
    if (e == LT_OK)
        e = person_of(m->x.db, "analyst", &analyst, err);
    if (e == LT_OK && (e = spike(m, open, open_at, 3, err)) == LT_OK)
        e = spike(m, done, done_at, 2, err);
    if (e == LT_OK)
        e = review(m, &duty, done, done_at, 2, "invalidate", "站房检修，滤带断裂（演示）", done_at + 9 * LT_HOUR_MS,
                   &id, err);
    if (e == LT_OK) {
        struct record_ctx x = m->x;
        json_t *body = json_pack("{s:s}", "note", "与运维记录一致");
        x.who = &analyst;
        x.now_ms = done_at + 26 * LT_HOUR_MS;
        e = air_review_move(&x, id, LT_LIT("approve"), body, &version, err);
        json_decref(body);
    }
    return e == LT_OK ? review(m, &duty, open, open_at, 3, "invalidate",
                               "PM10 突升而 PM2.5 与周边站点平稳，疑为仪器故障（演示）",
                               m->cfg->now_ms - 2 * LT_HOUR_MS, &id, err)
                      : e;
}

enum lt_err demo_air(const struct demo_config *cfg, const struct demo_plan *plan, struct sql_db *db,
                     struct lt_error *err)
{
    struct auth_ctx who = auth_system("demonstration");
    struct maker m = {.cfg = cfg, .plan = plan, .n = demo_air_stations(plan)};
    m.to_ms = lt_hour_start(cfg->now_ms, cfg->tz_min);
    m.from_ms = lt_month_start(cfg->now_ms, cfg->tz_min);
    for (int i = 0; i < HISTORY_MONTHS; i++)
        m.from_ms = lt_month_start(m.from_ms - LT_DAY_MS, cfg->tz_min);
    m.x = (struct record_ctx){.db = db, .who = &who, .now_ms = m.from_ms, .tz_min = cfg->tz_min};
    m.s = calloc(m.n, sizeof *m.s);
    m.id = calloc(m.n, sizeof *m.id);
    enum lt_err e = m.s && m.id ? air_setup(db, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    int64_t reviewed = lt_day_start(m.to_ms, cfg->tz_min) - REVIEWED_DAYS * LT_DAY_MS;
    if (e == LT_OK && (e = sql_begin(db, err)) == LT_OK) {
        if ((e = stations(&m, err)) == LT_OK && (e = put_hours(&m, m.from_ms, reviewed, true, err)) == LT_OK &&
            (e = put_hours(&m, reviewed, m.to_ms, false, err)) == LT_OK && (e = dust_days(&m, err)) == LT_OK)
            e = reviews(&m, err);
        e = sql_end(db, e, err);
    }
    free(m.s);
    free(m.id);
    return e;
}
