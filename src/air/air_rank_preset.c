/* Ranking schemes a fresh post begins with; people change them like any record. */
#include "air/air_rank.h"

static const struct {
    const char *code, *name, *name_en, *member, *group, *keys;
    int best, worst;
    const char *note;
} presets[] = {
    {"168", "全国168城市综合指数排名", "168 cities, composite index", "peer", "168", "composite", 20, 20,
     "月、季、半年、年度；前20名与后20名"},
    {"168-change", "全国168城市改善幅度排名", "168 cities, improvement", "peer", "168", "composite_change", 10, 10,
     "综合指数同比变化率；半年与年度"},
    {"province", "全省城市综合指数排名", "Cities of the province, composite index", "peer", "province", "composite", 3,
     3, ""},
    {"fenwei", "汾渭平原城市综合指数排名", "Fenwei Plain, composite index", "peer", "fenwei", "composite", 3, 3, ""},
    {"2-36", "京津冀及周边“2+36”城市综合指数排名", "2+36 cities, composite index", "peer", "2+36", "composite", 5, 5,
     ""},
    {"county", "区县综合指数排名", "Counties, composite index", "county", "", "composite", 3, 3, ""},
    {"county-pm25", "区县PM2.5排名", "Counties, PM2.5", "county", "", "pm25", 3, 3, ""},
    {"county-days", "区县优良天数比例排名", "Counties, share of good days", "county", "", "-good_share,pm25", 3, 3,
     "优良天数比例相同的比较PM2.5，仍相同的并列"},
    {"county-change", "区县改善幅度排名", "Counties, improvement", "county", "", "composite_change", 3, 3,
     "综合指数同比变化率"},
    {"township", "乡镇街道PM2.5排名", "Townships, PM2.5", "township", "", "pm25", 3, 3, ""},
    {"station", "站点综合指数排名", "Stations, composite index", "station", "", "composite", 3, 3, ""},
};

enum lt_err air_rank_setup(struct sql_db *db, int64_t now_ms, int tz_min, struct lt_error *err)
{
    struct auth_ctx who = auth_system("setup");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = tz_min};
    int64_t n = 0, id;
    enum lt_err e = sql_get_i64(db, "SELECT count(*) FROM rank_scheme", NULL, &n, err); /* deleted ones count too */
    if (e || n > 0 || (e = sql_begin(db, err)))
        return e;
    for (size_t i = 0; !e && i < sizeof presets / sizeof presets[0]; i++) {
        const struct record_set set[] = {RECORD_SET_Z("code", presets[i].code),
                                         RECORD_SET_Z("name", presets[i].name),
                                         RECORD_SET_Z("name_en", presets[i].name_en),
                                         RECORD_SET_Z("member", presets[i].member),
                                         RECORD_SET_Z("peer_group", presets[i].group),
                                         RECORD_SET_Z("keys", presets[i].keys),
                                         RECORD_SET_Z("tie", "same"),
                                         RECORD_SET_Z("standard", "auto"),
                                         RECORD_SET_I("best", presets[i].best),
                                         RECORD_SET_I("worst", presets[i].worst),
                                         RECORD_SET_Z("note", presets[i].note)};
        e = record_insert(&x, record_kind_find(LT_LIT("rank_scheme")), set, sizeof set / sizeof set[0], &id, err);
    }
    return sql_end(db, e, err);
}
