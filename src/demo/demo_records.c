/* Records of the demonstration city: territories, offices, people, accounts, plants, outlets, devices, limits. */
#include "demo/demo.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/fix.h"
#include "base/rand.h"
#include "record/record.h"
#include "sql/sql.h"

#include <stdio.h>
#include <stdlib.h>

static const struct demo_account accounts[] = {
    {"duty", "林晚照", "Lin Wanzhao", "duty"},      {"analyst", "沈知微", "Shen Zhiwei", "analyst"},
    {"county", "秦守拙", "Qin Shouzhuo", "county"}, {"inspector", "纪行远", "Ji Xingyuan", "inspector"},
    {"plant", "方既明", "Fang Jiming", "plant"},    {"leader", "顾长庚", "Gu Changgeng", "leader"},
    {"auditor", "温如圭", "Wen Rugui", "auditor"},  {"admin", "陆观止", "Lu Guanzhi", "admin"},
};

const struct demo_account *demo_accounts(size_t *ret_n)
{
    *ret_n = sizeof accounts / sizeof accounts[0];
    return accounts;
}

struct maker { /* what the steps below share */
    const struct demo_config *cfg;
    const struct demo_plan *plan;
    struct record_ctx x;
    int64_t city, city_unit;
    int64_t county[14], bureau[14];
    int64_t *enterprise;
    struct lt_error *err;
};

static enum lt_err insert(struct maker *m, const char *kind, const struct record_set *set, size_t n, int64_t *ret_id)
{
    return record_insert(&m->x, record_kind_find(lt_slice_of(kind)), set, n, ret_id, m->err);
}

static int64_t micro(double degrees)
{
    return (int64_t)(degrees * 1e5 + 0.5) * 10; /* five decimals, about a metre */
}

static enum lt_err territories(struct maker *m)
{
    struct record_set city[] = {RECORD_SET_Z("code", "410300"),        RECORD_SET_Z("name", "洛阳市"),
                                RECORD_SET_Z("name_en", "Luoyang"),    RECORD_SET_Z("level", "city"),
                                RECORD_SET_I("center_lon", 112434000), RECORD_SET_I("center_lat", 34663000)};
    enum lt_err e = insert(m, "territory", city, 6, &m->city);
    for (size_t i = 0; e == LT_OK && i < m->plan->counties; i++) {
        const struct demo_county *c = &m->plan->county[i];
        struct record_set set[] = {RECORD_SET_Z("code", c->code),
                                   RECORD_SET_Z("name", c->name),
                                   RECORD_SET_Z("name_en", c->name_en),
                                   RECORD_SET_I("parent", m->city),
                                   RECORD_SET_Z("level", "county"),
                                   RECORD_SET_I("center_lon", micro(c->lon)),
                                   RECORD_SET_I("center_lat", micro(c->lat))};
        e = insert(m, "territory", set, 7, &m->county[i]);
    }
    return e;
}

static enum lt_err units(struct maker *m)
{
    struct record_set office[] = {RECORD_SET_Z("name", "市大气污染防治攻坚办（演示）"),
                                  RECORD_SET_Z("name_en", "City Air-Pollution Control Office (demonstration)"),
                                  RECORD_SET_Z("type", "city_office"), RECORD_SET_I("territory", m->city)};
    enum lt_err e = insert(m, "unit", office, 4, &m->city_unit);
    static const char *const surnames[] = {"苏", "江", "程", "裴", "韩", "白", "柳",
                                           "宋", "许", "唐", "卫", "孟", "齐", "闻"};
    for (size_t i = 0; e == LT_OK && i < m->plan->counties; i++) {
        char name[96], name_en[96], person[32];
        int64_t id;
        snprintf(name, sizeof name, "%s生态环境分局（演示）", m->plan->county[i].name);
        snprintf(name_en, sizeof name_en, "%s Ecology Bureau (demonstration)", m->plan->county[i].name_en);
        struct record_set set[] = {RECORD_SET_Z("name", name), RECORD_SET_Z("name_en", name_en),
                                   RECORD_SET_Z("type", "county_bureau"), RECORD_SET_I("territory", m->county[i])};
        e = insert(m, "unit", set, 4, &m->bureau[i]);
        snprintf(person, sizeof person, "%s%s", surnames[i], i % 2 ? "砚秋" : "望舒");
        struct record_set who[] = {RECORD_SET_Z("name", person), RECORD_SET_I("unit", m->bureau[i]),
                                   RECORD_SET_Z("post", "值班负责人")};
        if (e == LT_OK)
            e = insert(m, "person", who, 3, &id);
    }
    return e;
}

static enum lt_err limit(struct maker *m, int64_t outlet, const char *factor, const char *period, bool converted,
                         double value, const char *standard)
{
    int64_t id, from;
    if (value <= 0)
        return LT_OK;
    lt_day_number_start(20250101, m->cfg->tz_min, &from);
    struct record_set set[] = {RECORD_SET_I("outlet", outlet),
                               RECORD_SET_Z("factor", factor),
                               RECORD_SET_Z("period", period),
                               RECORD_SET_Z("basis", converted ? "converted" : "measured"),
                               RECORD_SET_I("limit_value", (int64_t)(value * LT_FIX_ONE)),
                               RECORD_SET_Z("standard", standard),
                               RECORD_SET_I("valid_from", from)};
    return insert(m, "factor_limit", set, 7, &id);
}

static enum lt_err device(struct maker *m, int64_t outlet, unsigned index, const struct demo_plant *p)
{
    struct sim_device d;
    int64_t id;
    char name[96];
    demo_device(m->plan, index, p->industry, m->cfg->tz_min, &d);
    snprintf(name, sizeof name, "数采仪 %04u", index + 1);
    struct record_set set[] = {RECORD_SET_Z("mn", d.mn),
                               RECORD_SET_Z("name", name),
                               RECORD_SET_I("outlet", outlet),
                               RECORD_SET_I("st", 31),
                               RECORD_SET_Z("pw", d.pw),
                               RECORD_SET_Z("status", "active"),
                               RECORD_SET_I("rtd_interval_s", d.rtd_interval_s),
                               RECORD_SET_I("min_interval_min", d.min_interval_min)};
    return insert(m, "device", set, 8, &id);
}

static enum lt_err outlets(struct maker *m, const struct demo_plant *p, int64_t enterprise)
{
    static const char *const processes[] = {"主排放口", "二号排放口", "备用线排放口", "破碎除尘", "烘干工序"};
    static const char *const processes_en[] = {"Main stack", "Stack 2", "Spare line", "Crusher dust", "Dryer"};
    const struct sim_profile *f = sim_profile(p->industry);
    enum lt_err e = LT_OK;
    for (unsigned o = 0; e == LT_OK && o < p->outlets; o++) {
        char code[32];
        int64_t outlet;
        snprintf(code, sizeof code, "DA%04u", p->first_outlet + o + 1);
        struct record_set set[] = {RECORD_SET_Z("code", code),
                                   RECORD_SET_Z("name", processes[o % 5]),
                                   RECORD_SET_Z("name_en", processes_en[o % 5]),
                                   RECORD_SET_I("enterprise", enterprise),
                                   RECORD_SET_Z("type", o ? "general" : "main"),
                                   RECORD_SET_I("lon", micro(p->lon + 0.0012 * o)),
                                   RECORD_SET_I("lat", micro(p->lat - 0.0009 * o)),
                                   RECORD_SET_I("height_m", (25 + (int64_t)(f->area_m2 * 3)) * LT_FIX_ONE),
                                   RECORD_SET_I("convert", f->o2_ref > 0),
                                   RECORD_SET_I("o2_cap", 19 * LT_FIX_ONE),
                                   RECORD_SET_I("o2_ref", (int64_t)(f->o2_ref * LT_FIX_ONE))};
        e = insert(m, "outlet", set, f->o2_ref > 0 ? 11 : 10, &outlet);
        bool conv = f->o2_ref > 0;
        for (int day = 0; e == LT_OK && day < 2; day++) {
            const char *period = day ? "day" : "hour";
            double part = day ? 0.9 : 1; /* invented: daily limits a little below the hourly ones */
            if ((e = limit(m, outlet, "a34013", period, conv, f->limit_pm * part, f->standard)) != LT_OK ||
                (e = limit(m, outlet, "a21026", period, conv, f->limit_so2 * part, f->standard)) != LT_OK ||
                (e = limit(m, outlet, "a21002", period, conv, f->limit_nox * part, f->standard)) != LT_OK ||
                (e = limit(m, outlet, "a24088", period, false, f->limit_voc * part, f->standard)) != LT_OK)
                break;
        }
        if (e == LT_OK)
            e = device(m, outlet, p->first_outlet + o, p);
    }
    return e;
}

static enum lt_err plants(struct maker *m)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < m->plan->plants; i++) {
        const struct demo_plant *p = &m->plan->plant[i];
        struct record_set set[] = {RECORD_SET_Z("code", p->code),
                                   RECORD_SET_Z("name", p->name),
                                   RECORD_SET_Z("name_en", p->name_en),
                                   RECORD_SET_Z("industry", sim_profile(p->industry)->industry),
                                   RECORD_SET_Z("grade", p->grade),
                                   RECORD_SET_I("protected", p->protected_),
                                   RECORD_SET_I("territory", m->county[p->county]),
                                   RECORD_SET_I("unit", m->bureau[p->county]),
                                   RECORD_SET_Z("address", p->address),
                                   RECORD_SET_I("lon", micro(p->lon)),
                                   RECORD_SET_I("lat", micro(p->lat)),
                                   RECORD_SET_Z("status", "producing")};
        e = insert(m, "enterprise", set, 12, &m->enterprise[i]);
        if (e == LT_OK)
            e = outlets(m, p, m->enterprise[i]);
        if (m->cfg->progress && i % 10 == 0)
            m->cfg->progress(m->cfg->user, "records", (double)i / (double)m->plan->plants);
    }
    return e;
}

static enum lt_err people(struct maker *m)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < sizeof accounts / sizeof accounts[0]; i++) {
        const struct demo_account *a = &accounts[i];
        char once[64];
        int64_t id;
        bool plant = strcmp(a->role, "plant") == 0;
        /* The county account works for the seventh county of the list; the plant account for the first plant there. */
        size_t home = 6, first = 0;
        while (first + 1 < m->plan->plants && m->plan->plant[first].county != home)
            first++;
        int64_t territory = strcmp(a->role, "county") == 0 || plant ? m->county[home] : m->city;
        if (strcmp(a->role, "admin") == 0) { /* there is one already */
            e = sql_get_i64(m->x.db, "SELECT id FROM user WHERE login='admin' AND deleted=0", NULL, &id, m->err);
        } else {
            e = auth_user_add(&m->x, a->login, a->name, a->role, territory, plant ? m->enterprise[first] : 0, &id, once,
                              sizeof once, m->err);
        }
        if (e == LT_OK)
            e = auth_password_set(&m->x, id, LT_LIT(DEMO_PASSWORD), false, m->err);
    }
    return e;
}

enum lt_err demo_records(const struct demo_config *cfg, const struct demo_plan *plan, struct sql_db *db,
                         int64_t from_ms, struct lt_error *err)
{
    struct auth_ctx who = auth_system("demonstration");
    struct maker m = {.cfg = cfg,
                      .plan = plan,
                      .x = {.db = db, .who = &who, .now_ms = from_ms, .tz_min = cfg->tz_min},
                      .enterprise = calloc(plan->plants, sizeof(int64_t)),
                      .err = err};
    if (!m.enterprise)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = sql_begin(db, err);
    if (e == LT_OK) {
        if ((e = territories(&m)) == LT_OK && (e = units(&m)) == LT_OK && (e = plants(&m)) == LT_OK)
            e = people(&m);
        if (e == LT_OK)
            e = demo_inspectors(&m.x, m.city, m.enterprise, plan->plants, err);
        e = sql_end(db, e, err);
    }
    free(m.enterprise);
    return e;
}
