/* Ambient air: stations, events, reviews, targets, rankings. */
#include "record/kinds.h"
#include "base/text.h"

static choices station_types = {
    {"national", "National", "国控"},     {"provincial", "Provincial", "省控"}, {"county", "County", "县控"},
    {"township", "Township", "乡镇"},     {"micro", "Micro-station", "微站"},   {"traffic", "Roadside", "交通"},
    {"background", "Background", "背景"}, {"regional", "Regional", "区域"},     {0}};
static choices station_units = {{"hj212", "PM in µg/m³, SO2 NO2 CO in mg/m³, O3 in µg/m³ (HJ 212)",
                                 "颗粒物 µg/m³，SO2、NO2、CO mg/m³，O3 µg/m³（HJ 212）"},
                                {"ug", "all in µg/m³, CO in mg/m³", "均为 µg/m³，CO 为 mg/m³"},
                                {"mg", "all in mg/m³", "均为 mg/m³"},
                                {0}};
static const struct record_field station_fields[] = {
    {TEXT("code", R | U | L | Q | K, 64, "Code", "站点编码"), FORM(code, "1001A")},
    {TEXT("name", R | L | Q | N, 128, "Name", "站点名称")},
    {TEXT("name_en", Q, 192, "English name", "英文名称")},
    {REF("territory", R | L, "territory", "Territory", "所属辖区")},
    {ENUM("type", R | L, station_types, "Type", "类型")},
    {BOOL("evaluated", L, "Evaluated", "参与评价"), .dflt = "false",
     HINT("takes part in the figures of its city or county", "参与所在城市或区县评价")},
    {TEXT("mn", L | Q, 64, "Device MN", "设备 MN"), FORM(printable, "88888880000001"),
     HINT("of the HJ 212 device that reports for it", "为其上报数据的 HJ 212 设备")},
    {ENUM("units", 0, station_units, "Units of the device", "设备浓度单位"), .dflt = "hj212"},
    {FIX("lon", 0, -180, 180, "Longitude", "经度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {FIX("lat", 0, -90, 90, "Latitude", "纬度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {DATE("opened", 0, "Opened", "启用日期")},
    {DATE("closed", 0, "Closed", "停用日期"), HINT("the first day on which it no longer measures", "自该日起不再监测")},
    {TEXT("note", Q, 500, "Note", "备注")},
};

CHECK(check_station)
{
    record_in_order(now, "opened", "closed", false, f);
    bool micro = lt_slice_is(record_text(now, "type"), "micro");
    if (micro && record_i64(now, "evaluated", 0)) /* a micro-station is never part of a figure of the standard */
        record_wrong(f, LT_E_BAD_INPUT, "evaluated", "a micro-station cannot be evaluated / 微站不得参与评价", NULL,
                     NULL);
}

const struct record_kind record_kind_station = {.name = "station",
                                                .en = "Air stations",
                                                .zh = "空气站",
                                                FIELDS(station_fields),
                                                .territory = "territory",
                                                .check = check_station};

static choices air_event_types = {
    {"sand_dust", "Sand-dust", "沙尘"}, {"exceptional", "Exceptional event", "异常事件"}, {0}};
static const struct record_field air_event_fields[] = {
    {REF("territory", R | L, "territory", "Territory", "辖区"), HINT("holds for all below it too", "下级辖区同样适用")},
    {ENUM("type", R | L, air_event_types, "Type", "类型"), .dflt = "sand_dust"},
    {DATE("day_from", R | L, "First day", "开始日期")},
    {DATE("day_to", R | L, "Last day", "结束日期")},
    {TEXT("hours", L, 64, "Hours", "小时"), FORM(hours, "6-15, 20"),
     HINT("hours that begin at these times of each day; empty: all", "每日受影响的小时（起始时刻）；留空为全天")},
    {BOOL("strip_pm", L, "PM leaves the statistics", "扣除颗粒物统计"), .dflt = "true"},
    {BOOL("recompute_aqi", L, "AQI without PM", "AQI 不计颗粒物"), .dflt = "false"},
    {TEXT("decided_by", R | L | Q, 128, "Decided by", "认定依据")},
    {TEXT("note", Q, 500, "Note", "备注")},
};

CHECK(check_air_event)
{
    record_in_order(now, "day_from", "day_to", true, f);
}

const struct record_kind record_kind_air_event = {.name = "air_event",
                                                  .en = "Dust and exceptional days",
                                                  .zh = "沙尘与异常事件",
                                                  FIELDS(air_event_fields),
                                                  .territory = "territory",
                                                  .check = check_air_event};

static choices co_units = {{"mg", "mg/m³", "mg/m³"}, {"ug", "µg/m³", "µg/m³"}, {0}};
static choices hour_labels = {
    {"start", "Beginning of the hour", "小时开始时刻"}, {"end", "End of the hour", "小时结束时刻"}, {0}};
static const struct record_field air_mapping_fields[] = {
    {TEXT("name", R | U | L | Q | N | K, 64, "Name", "名称")},
    {TEXT("signature", R | Q, 4000, "Header line", "表头")},
    {JSON("columns", R, 8000, "Columns", "列对应")},
    {ENUM("co_unit", R | L, co_units, "Unit of CO", "CO 单位"), .dflt = "mg"},
    {ENUM("hour_label", R | L, hour_labels, "An hour is named by", "小时标注"), .dflt = "end"},
    {INT("tz_min", R, -720, 840, "Offset from UTC", "时区偏移"), .unit = "min", .dflt = "480"},
    {TIME("used_at", RO | QU | L, "Last used", "最近使用")},
};
const struct record_kind record_kind_air_mapping = {
    .name = "air_mapping", .en = "Import mappings", .zh = "导入列对应", FIELDS(air_mapping_fields)};

static choices review_actions = {{"correct", "Correct to a value", "订正为"},
                                 {"invalidate", "Mark invalid", "判为无效"},
                                 {"restore", "Restore as delivered", "恢复原值"},
                                 {"confirm", "Confirm as reviewed", "确认有效"},
                                 {0}};
static choices review_states = {{"proposed", "Proposed", "待复核"}, {"approved", "Approved", "已通过"},
                                {"rejected", "Rejected", "已驳回"}, {"withdrawn", "Withdrawn", "已撤回"},
                                {"reversed", "Reversed", "已撤销"}, {0}};
static const struct record_field air_review_fields[] = {
    {REF("station", R | L | N, "station", "Station", "站点")},
    {TEXT("items", R | L, 64, "Items", "项目")},
    {TIME("from_at", R | L, "From hour", "起始小时")},
    {TIME("to_at", R | L, "To hour", "截止小时"), HINT("not included", "不含")},
    {ENUM("action", R | L, review_actions, "Action", "处理")},
    {FIX("value", L, -1000, 1000000, "Value", "数值")},
    {TEXT("reason", R | L | Q, 500, "Reason", "理由")},
    {REF("author", L, "user", "Proposed by", "提出人")},
    {ENUM("state", R | L, review_states, "State", "状态"), .dflt = "proposed"},
    {TIME("state_at", QU, "In this state since", "进入状态时间")},
    {TIME("due_at", L, "Due", "时限")},
    {INT("level", 0, 0, 100, "Reminders", "催办次数"), .dflt = "0"},
    {REF("reviewer", L, "user", "Reviewed by", "复核人")},
    {TIME("decided_at", L, "Decided", "复核时间")},
    {TEXT("note", Q, 500, "Note", "备注")},
    {INT("applied_version", 0, 0, INT64_MAX, "Applied with version", "生效版本"), .dflt = "0"},
    {INT("reversed_version", 0, 0, INT64_MAX, "Reversed with version", "撤销版本"), .dflt = "0"},
    {REF("reversed_by", 0, "user", "Reversed by", "撤销人")},
};
const struct record_kind record_kind_air_review = {
    .name = "air_review",
    .en = "Data reviews",
    .zh = "数据复核",
    FIELDS(air_review_fields),
    .territory = "station.territory",
    .readonly = true,
    .index = "CREATE INDEX IF NOT EXISTS air_review_state ON air_review(state);"};

static choices target_indicators = {{"pm25", "PM2.5 mean", "PM2.5 平均浓度"},
                                    {"pm10", "PM10 mean", "PM10 平均浓度"},
                                    {"so2", "SO2 mean", "SO2 平均浓度"},
                                    {"no2", "NO2 mean", "NO2 平均浓度"},
                                    {"co", "CO, 95th percentile", "CO 第 95 百分位"},
                                    {"o3", "O3, 90th percentile", "O3 第 90 百分位"},
                                    {"composite", "Composite index", "综合指数"},
                                    {"good_days", "Good days", "优良天数"},
                                    {"good_share", "Share of good days", "优良天数比例"},
                                    {"heavy_days", "Heavy-pollution days", "重污染天数"},
                                    {0}};
static choices target_periods = {
    {"year", "Year", "年度"}, {"season", "Autumn and winter", "秋冬季"}, {"month", "Month", "月度"}, {0}};
static choices target_how = {
    {"absolute", "Absolute value", "绝对值"}, {"percent", "% below the base", "较基数下降 %"}, {0}};
static const struct record_field target_fields[] = {
    {TEXT("name", R | L | Q | N | K, 128, "Target", "目标名称")},
    {REF("territory", R | L, "territory", "Territory", "辖区")},
    {REF("enterprise", L, "enterprise", "Enterprise", "企业")},
    {TEXT("process", L | Q, 128, "Process step", "工序")},
    {ENUM("indicator", R | L, target_indicators, "Indicator", "指标")},
    {ENUM("period", R | L, target_periods, "Period", "考核周期")},
    {DATE("start_day", R | L, "First day", "起始日")},
    {DATE("end_day", R | L, "Last day", "截止日")},
    {ENUM("how", R | L, target_how, "Given as", "给定方式"), .dflt = "absolute"},
    {FIX("value", R | L, 0, 100000, "Value", "目标值"),
     HINT("µg/m³, CO mg/m³, days or %", "µg/m³，CO 为 mg/m³，天数或 %")},
    {FIX("base_value", L, 0, 100000, "Base", "基数"),
     HINT("the value the percentage is taken of", "下降比例所对应的基数")},
    {REF("parent", L, "air_target", "Part of", "上级目标")},
    {FIX("weight", L, 0, 1000000, "Weight", "权重"), .dflt = "1"},
    {TEXT("note", Q, 1000, "Note", "备注")},
};

CHECK(check_target)
{
    record_in_order(now, "start_day", "end_day", true, f);
    if (lt_slice_is(record_text(now, "how"), "percent")) {
        if (record_value(now, "base_value")->null)
            record_missing(f, "base_value");
        if (record_i64(now, "value", 0) > INT64_C(100) * LT_FIX_ONE)
            record_wrong(f, LT_E_FIELD_RANGE, "value", "value", "0", "100");
    }
    static const char up[] = "SELECT coalesce(parent, 0) FROM air_target WHERE id = ?1";
    if (record_ring(db, up, now->id, record_i64(now, "parent", 0)))
        record_wrong(f, LT_E_BAD_INPUT, "parent", "a target cannot be a part of itself / 目标不能隶属于自身", NULL,
                     NULL);
}

const struct record_kind record_kind_air_target = {.name = "air_target",
                                                   .en = "Air targets",
                                                   .zh = "空气质量目标",
                                                   FIELDS(target_fields),
                                                   .territory = "territory",
                                                   .enterprise = "enterprise",
                                                   .check = check_target};

static choices rank_members = {{"county", "Counties", "区县"},
                               {"township", "Townships", "乡镇街道"},
                               {"station", "Stations", "站点"},
                               {"peer", "Cities of a group", "城市组"},
                               {0}};
static choices rank_ties = {{"same", "Equal shares the rank, the next is skipped", "并列，其后名次顺延（1、2、2、4）"},
                            {"dense", "Equal shares the rank, none is skipped", "并列，其后名次不空（1、2、2、3）"},
                            {0}};
static choices air_standards = {{"auto", "By date", "按日期"},
                                {"2012", "GB 3095-2012", "GB 3095-2012"},
                                {"2026t", "GB 3095-2026, transition", "GB 3095-2026 过渡期"},
                                {"2026f", "GB 3095-2026, final", "GB 3095-2026 正式期"},
                                {0}};
static const struct record_field rank_scheme_fields[] = {
    {TEXT("code", R | U | L | Q | K, 32, "Code", "代码"), FORM(code, "168")},
    {TEXT("name", R | L | Q | N, 128, "Name", "名称")},
    {TEXT("name_en", L | Q, 192, "English name", "英文名称")},
    {ENUM("member", R | L, rank_members, "Members", "参评对象")},
    {TEXT("peer_group", L | Q, 64, "City group", "城市组"), HINT("peer figures of this group", "取该组的外市数据")},
    {TEXT("keys", R | L, 200, "Sort keys", "排序指标"),
     HINT("first decides, the next where equal: composite,pm25,-good_share; - means more is better",
          "依次比较：composite,pm25,-good_share；前置 - 表示越大越好"),
     .dflt = "composite"},
    {ENUM("tie", R | L, rank_ties, "Ties", "并列规则"), .dflt = "same"},
    {TEXT("weights", L, 120, "Weights", "权重"), HINT("PM25:3,O3:2; not named: 1", "PM25:3,O3:2；未列出的为 1")},
    {ENUM("standard", R, air_standards, "Standard", "评价标准"), .dflt = "auto"},
    {INT("best", L, 0, 200, "Best listed", "列出前几名"), .dflt = "0"},
    {INT("worst", L, 0, 200, "Worst listed", "列出后几名"), .dflt = "0"},
    {TEXT("note", Q, 1000, "Note", "备注")},
};

static const char *shown(struct lt_slice s, char mem[64])
{
    lt_text_copy_slice(mem, 64, s);
    return mem;
}

static bool in_list(struct lt_slice s, const char *const *names)
{
    for (; *names; names++)
        if (lt_slice_is(s, *names))
            return true;
    return false;
}

CHECK(check_scheme)
{
    static const char *const keys[] = {"composite",   "pm25",
                                       "pm10",        "so2",
                                       "no2",         "co",
                                       "o3",          "good_share",
                                       "good_days",   "composite_change",
                                       "pm25_change", "good_share_change",
                                       NULL};
    static const char *const pollutants[] = {"PM25", "PM10", "SO2", "NO2", "CO", "O3", NULL};
    char mem[64];
    struct lt_slice rest = record_text(now, "keys"), item;
    unsigned n = 0;
    while (record_next_item(&rest, &item)) {
        if (item.n && item.p[0] == '-')
            item = (struct lt_slice){item.p + 1, item.n - 1};
        if (++n > 6 || !in_list(item, keys))
            record_wrong(f, LT_E_FIELD_FORMAT, "keys", "keys", shown(item, mem), "composite,pm25,-good_share");
    }
    rest = record_text(now, "weights");
    while (record_next_item(&rest, &item)) {
        const char *colon = item.n ? memchr(item.p, ':', item.n) : NULL;
        int64_t w = -1;
        if (!colon || !in_list((struct lt_slice){item.p, (size_t)(colon - item.p)}, pollutants) ||
            !lt_text_to_i64((struct lt_slice){colon + 1, item.n - 1 - (size_t)(colon - item.p)}, &w) || w < 0 ||
            w > 100)
            record_wrong(f, LT_E_FIELD_FORMAT, "weights", "weights", shown(item, mem), "PM25:3,O3:2");
    }
    if (lt_slice_is(record_text(now, "member"), "peer") && record_text(now, "peer_group").n == 0)
        record_missing(f, "peer_group");
}

const struct record_kind record_kind_rank_scheme = {.name = "rank_scheme",
                                                    .en = "Ranking schemes",
                                                    .zh = "排名方案",
                                                    FIELDS(rank_scheme_fields),
                                                    .check = check_scheme};

static const struct record_field peer_fields[] = {
    {TEXT("peer_group", R | L | Q | K, 64, "City group", "城市组")},
    {TEXT("city", R | L | Q | N | K, 64, "City", "城市")},
    {TEXT("city_en", L | Q, 96, "English name", "英文名称")},
    {DATE("from_day", R | L | K, "From", "起始日")},
    {DATE("to_day", R | L | K, "To", "截止日")},
    {FIX("so2", L, 0, 10000, "SO2", "SO2"), .unit = "µg/m³"},
    {FIX("no2", L, 0, 10000, "NO2", "NO2"), .unit = "µg/m³"},
    {FIX("co", L, 0, 1000, "CO, 95th percentile", "CO 第 95 百分位"), .unit = "mg/m³"},
    {FIX("o3", L, 0, 10000, "O3, 90th percentile", "O3 第 90 百分位"), .unit = "µg/m³"},
    {FIX("pm10", L, 0, 10000, "PM10", "PM10"), .unit = "µg/m³"},
    {FIX("pm25", L, 0, 10000, "PM2.5", "PM2.5"), .unit = "µg/m³"},
    {FIX("composite", L, 0, 1000, "Composite index", "综合指数"), HINT("empty: computed", "留空则自动计算")},
    {FIX("good_share", L, 0, 100, "Good days", "优良天数比例"), .unit = "%"},
    {INT("days_good", L, 0, 366, "Good days", "优良天数")},
    {INT("days_valid", L, 0, 366, "Valid days", "有效天数")},
    {TEXT("source", L | Q, 256, "Source", "来源")},
    {BOOL("invented", L, "Invented", "虚构数据"), .dflt = "false"},
};

CHECK(check_peer)
{
    record_in_order(now, "from_day", "to_day", true, f);
}

const struct record_kind record_kind_peer_figure = {
    .name = "peer_figure", .en = "Figures of other cities", .zh = "外市数据", FIELDS(peer_fields), .check = check_peer};
