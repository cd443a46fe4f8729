/* What a column means, told from its title in Chinese or English; times and flags as files write them. Pure. */
#include "air/air_import_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>

/* ---- titles ---- */

static const struct {
    const char *title; /* as title_plain() leaves it */
    int means;
} titles[] = {
    {"pm25", AIR_PM25},
    {"pm2p5", AIR_PM25},
    {"细颗粒物", AIR_PM25},
    {"细颗粒物pm25", AIR_PM25},
    {"pm25细颗粒物", AIR_PM25},
    {"a34004", AIR_PM25},
    {"pm10", AIR_PM10},
    {"可吸入颗粒物", AIR_PM10},
    {"可吸入颗粒物pm10", AIR_PM10},
    {"pm10可吸入颗粒物", AIR_PM10},
    {"a34002", AIR_PM10},
    {"so2", AIR_SO2},
    {"二氧化硫", AIR_SO2},
    {"二氧化硫so2", AIR_SO2},
    {"so2二氧化硫", AIR_SO2},
    {"a21026", AIR_SO2},
    {"no2", AIR_NO2},
    {"二氧化氮", AIR_NO2},
    {"二氧化氮no2", AIR_NO2},
    {"no2二氧化氮", AIR_NO2},
    {"a21004", AIR_NO2},
    {"co", AIR_CO},
    {"一氧化碳", AIR_CO},
    {"一氧化碳co", AIR_CO},
    {"co一氧化碳", AIR_CO},
    {"a21005", AIR_CO},
    {"o3", AIR_O3},
    {"臭氧", AIR_O3},
    {"臭氧o3", AIR_O3},
    {"o3臭氧", AIR_O3},
    {"a05024", AIR_O3},
    {"temp", AIR_TEMP},
    {"temperature", AIR_TEMP},
    {"airtemperature", AIR_TEMP},
    {"温度", AIR_TEMP},
    {"气温", AIR_TEMP},
    {"环境温度", AIR_TEMP},
    {"a01001", AIR_TEMP},
    {"rh", AIR_RH},
    {"humidity", AIR_RH},
    {"relativehumidity", AIR_RH},
    {"湿度", AIR_RH},
    {"相对湿度", AIR_RH},
    {"a01002", AIR_RH},
    {"pres", AIR_PRES},
    {"pressure", AIR_PRES},
    {"airpressure", AIR_PRES},
    {"气压", AIR_PRES},
    {"大气压", AIR_PRES},
    {"大气压力", AIR_PRES},
    {"ws", AIR_WS},
    {"wspm", AIR_WS},
    {"windspeed", AIR_WS},
    {"风速", AIR_WS},
    {"a01007", AIR_WS},
    {"wd", AIR_WD},
    {"winddir", AIR_WD},
    {"winddirection", AIR_WD},
    {"风向", AIR_WD},
    {"a01008", AIR_WD},
    {"rain", AIR_RAIN},
    {"rainfall", AIR_RAIN},
    {"precipitation", AIR_RAIN},
    {"prec", AIR_RAIN},
    {"降水", AIR_RAIN},
    {"降水量", AIR_RAIN},
    {"降雨量", AIR_RAIN},
    {"雨量", AIR_RAIN},
    {"time", AIR_M_TIME},
    {"datetime", AIR_M_TIME},
    {"timepoint", AIR_M_TIME},
    {"timestamp", AIR_M_TIME},
    {"datatime", AIR_M_TIME},
    {"monitortime", AIR_M_TIME},
    {"时间", AIR_M_TIME},
    {"监测时间", AIR_M_TIME},
    {"数据时间", AIR_M_TIME},
    {"日期时间", AIR_M_TIME},
    {"采样时间", AIR_M_TIME},
    {"发布时间", AIR_M_TIME},
    {"date", AIR_M_DATE},
    {"day", AIR_M_DATE},
    {"日期", AIR_M_DATE},
    {"监测日期", AIR_M_DATE},
    {"hour", AIR_M_HOUR},
    {"小时", AIR_M_HOUR},
    {"时", AIR_M_HOUR},
    {"时刻", AIR_M_HOUR},
    {"stationcode", AIR_M_STATION},
    {"stationid", AIR_M_STATION},
    {"sitecode", AIR_M_STATION},
    {"siteid", AIR_M_STATION},
    {"code", AIR_M_STATION},
    {"站点编码", AIR_M_STATION},
    {"站点编号", AIR_M_STATION},
    {"站点代码", AIR_M_STATION},
    {"点位编码", AIR_M_STATION},
    {"点位编号", AIR_M_STATION},
    {"测点编号", AIR_M_STATION},
    {"测点编码", AIR_M_STATION},
    {"监测点编码", AIR_M_STATION},
    {"站号", AIR_M_STATION},
    {"station", AIR_M_NAME},
    {"stationname", AIR_M_NAME},
    {"positionname", AIR_M_NAME},
    {"site", AIR_M_NAME},
    {"sitename", AIR_M_NAME},
    {"站点", AIR_M_NAME},
    {"站点名称", AIR_M_NAME},
    {"点位", AIR_M_NAME},
    {"点位名称", AIR_M_NAME},
    {"监测点", AIR_M_NAME},
    {"监测点位", AIR_M_NAME},
    {"监测点名称", AIR_M_NAME},
    {"监测点位名称", AIR_M_NAME},
    {"监测站点", AIR_M_NAME},
    {"测点名称", AIR_M_NAME},
    {"测点", AIR_M_NAME},
    {"站名", AIR_M_NAME},
    {"站名称", AIR_M_NAME},
    {"pollutant", AIR_M_POLLUTANT},
    {"parameter", AIR_M_POLLUTANT},
    {"item", AIR_M_POLLUTANT},
    {"type", AIR_M_POLLUTANT},
    {"factor", AIR_M_POLLUTANT},
    {"污染物", AIR_M_POLLUTANT},
    {"监测项目", AIR_M_POLLUTANT},
    {"监测因子", AIR_M_POLLUTANT},
    {"项目", AIR_M_POLLUTANT},
    {"因子", AIR_M_POLLUTANT},
    {"指标", AIR_M_POLLUTANT},
    {"value", AIR_M_VALUE},
    {"concentration", AIR_M_VALUE},
    {"conc", AIR_M_VALUE},
    {"浓度", AIR_M_VALUE},
    {"监测值", AIR_M_VALUE},
    {"数值", AIR_M_VALUE},
    {"值", AIR_M_VALUE},
    {"flag", AIR_M_FLAG},
    {"标记", AIR_M_FLAG},
    {"标识", AIR_M_FLAG},
    {"数据标识", AIR_M_FLAG},
    {"数据标记", AIR_M_FLAG},
};

/* Lower case, without blanks, points, underscores, dashes and what stands in brackets; subscripts as digits. The text
 * in brackets goes to unit. */
static void title_plain(struct lt_slice s, char *ret, size_t cap, char unit[32])
{
    size_t n = 0, u = 0;
    int inside = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        size_t left = s.n - i;
        if (left >= 3 && (memcmp(s.p + i, "（", 3) == 0 || memcmp(s.p + i, "）", 3) == 0)) {
            inside = memcmp(s.p + i, "（", 3) == 0;
            i += 2;
        } else if (c == '(' || c == '[' || c == ')' || c == ']') {
            inside = c == '(' || c == '[';
        } else if (inside) {
            if (u + 1 < 32)
                unit[u++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        } else if (left >= 3 && memcmp(s.p + i, "\xe2\x82", 2) == 0 && (unsigned char)s.p[i + 2] >= 0x80 &&
                   (unsigned char)s.p[i + 2] <= 0x89) { /* subscripts 0 to 9 */
            if (n + 1 < cap)
                ret[n++] = (char)('0' + ((unsigned char)s.p[i + 2] - 0x80));
            i += 2;
        } else if (c > ' ' && c != '.' && c != '_' && c != '-') {
            if (n + 1 < cap)
                ret[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    ret[n] = unit[u] = '\0';
}

static int lookup(const char *z)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (strcmp(titles[i].title, z) == 0)
            return titles[i].means;
    return AIR_M_IGNORE;
}

/* What may stand behind an item's name without changing its meaning. */
static bool drop_tail(char *z)
{
    static const char *const tails[] = {"小时平均浓度", "小时均值", "小时浓度", "小时平均", "小时值",
                                        "平均浓度",     "1小时",    "浓度",     "均值",     "1h",
                                        "小时",         "hourly",   "avg",      "conc"};
    size_t n = strlen(z);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        size_t t = strlen(tails[i]);
        if (n > t && strcmp(z + n - t, tails[i]) == 0) {
            z[n - t] = '\0';
            return true;
        }
    }
    return false;
}

int air_title_means(struct lt_slice title, int *ret_co_ug)
{
    char plain[96], unit[32];
    title_plain(title, plain, sizeof plain, unit);
    int means = lookup(plain);
    for (int i = 0; means == AIR_M_IGNORE && i < 2 && drop_tail(plain); i++)
        means = lookup(plain);
    if (ret_co_ug && means == AIR_CO && unit[0])
        *ret_co_ug = strstr(unit, "mg") || strstr(unit, "毫克")                                               ? 0
                     : strstr(unit, "ug") || strstr(unit, "µg") || strstr(unit, "μg") || strstr(unit, "微克") ? 1
                                                                                                              : -1;
    return means;
}

static const char *const other_names[] = {[AIR_M_IGNORE - AIR_ITEMS] = "ignore",
                                          [AIR_M_TIME - AIR_ITEMS] = "time",
                                          [AIR_M_DATE - AIR_ITEMS] = "date",
                                          [AIR_M_HOUR - AIR_ITEMS] = "hour",
                                          [AIR_M_STATION - AIR_ITEMS] = "station",
                                          [AIR_M_NAME - AIR_ITEMS] = "station_name",
                                          [AIR_M_POLLUTANT - AIR_ITEMS] = "pollutant",
                                          [AIR_M_VALUE - AIR_ITEMS] = "value",
                                          [AIR_M_FLAG - AIR_ITEMS] = "flag"};

const char *air_means_name(int means)
{
    return means < AIR_ITEMS ? air_item_name((enum air_item)means) : other_names[means - AIR_ITEMS];
}

bool air_means_find(struct lt_slice s, int *ret)
{
    for (int i = 0; i < AIR_M_COUNT; i++)
        if (lt_slice_is(s, air_means_name(i))) {
            *ret = i;
            return true;
        }
    return false;
}

/* ---- times ---- */

struct scan {
    const char *p, *end;
};

static bool digits(struct scan *s, unsigned least, unsigned most, int *ret)
{
    int v = 0;
    unsigned n = 0;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9' && n < most) {
        v = v * 10 + (*s->p++ - '0');
        n++;
    }
    *ret = v;
    return n >= least;
}

static bool word(struct scan *s, const char *z)
{
    size_t n = strlen(z);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, z, n) != 0)
        return false;
    s->p += n;
    return true;
}

static bool one_of(struct scan *s, const char *marks)
{
    if (s->p < s->end && *s->p && strchr(marks, *s->p)) {
        s->p++;
        return true;
    }
    return false;
}

static bool date_of(struct scan *s, struct lt_civil *c)
{
    if (!digits(s, 4, 4, &c->year))
        return false;
    if (s->p < s->end && *s->p >= '0' && *s->p <= '9') /* 20261125 */
        return digits(s, 2, 2, &c->month) && digits(s, 2, 2, &c->day);
    if (!one_of(s, "-/.") && !word(s, "年"))
        return false;
    if (!digits(s, 1, 2, &c->month) || (!one_of(s, "-/.") && !word(s, "月")) || !digits(s, 1, 2, &c->day))
        return false;
    word(s, "日");
    return true;
}

/* hh, hh:mm, hh:mm:ss, hhmm, hhmmss, hh时, with fractions of a second. */
static bool clock_of(struct scan *s, struct lt_civil *c)
{
    if (!digits(s, 1, 2, &c->hour))
        return false;
    if (word(s, "时") || word(s, "点")) {
        if (digits(s, 1, 2, &c->minute))
            word(s, "分");
        return true;
    }
    bool colon = one_of(s, ":");
    if (!colon && !(s->p < s->end && *s->p >= '0' && *s->p <= '9'))
        return true;
    if (!digits(s, 2, 2, &c->minute))
        return false;
    if ((colon ? one_of(s, ":") : s->p < s->end && *s->p >= '0' && *s->p <= '9') && !digits(s, 2, 2, &c->second))
        return false;
    int fraction;
    return !one_of(s, ".") || digits(s, 1, 9, &fraction);
}

static bool zone_of(struct scan *s, int *tz_min)
{
    int h, m = 0;
    if (one_of(s, "Zz")) {
        *tz_min = 0;
        return true;
    }
    bool minus = s->p < s->end && *s->p == '-';
    if (!one_of(s, "+-"))
        return true;
    if (!digits(s, 2, 2, &h))
        return false;
    one_of(s, ":");
    if (s->p < s->end && !digits(s, 2, 2, &m))
        return false;
    *tz_min = (minus ? -1 : 1) * (h * 60 + m);
    return h <= 14 && m < 60;
}

/* "/Date(1563426000000+0800)/", as the platform's JSON has it: milliseconds since 1970 UTC. */
static bool epoch_of(struct lt_slice s, int64_t *ret)
{
    size_t n = 6;
    if (s.n < 10 || memcmp(s.p, "/Date(", 6) != 0)
        return false;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    /* sums with it must not overflow; the year 9999 has fifteen digits */
    return n - 6 <= 15 && lt_text_to_i64((struct lt_slice){s.p + 6, n - 6}, ret);
}

bool air_time_parse(struct lt_slice text, int tz_min, bool *ret_has_hour, int64_t *ret_at_ms)
{
    struct scan s = {text.p, text.p + text.n};
    struct lt_civil c = {0};
    *ret_has_hour = true;
    if (epoch_of(text, ret_at_ms))
        return true;
    if (!date_of(&s, &c))
        return false;
    while (one_of(&s, " T"))
        ;
    *ret_has_hour = s.p < s.end;
    if (s.p < s.end && !clock_of(&s, &c))
        return false;
    while (one_of(&s, " "))
        ;
    if (!zone_of(&s, &tz_min) || s.p != s.end)
        return false;
    bool midnight = c.hour == 24 && c.minute == 0 && c.second == 0; /* the end of the day */
    if (midnight)
        c.hour = 0;
    int64_t at;
    if (!lt_civil_to_ms(&c, tz_min, &at))
        return false;
    *ret_at_ms = at + (midnight ? LT_DAY_MS : 0);
    return true;
}

/* ---- cells ---- */

bool air_cell_missing(struct lt_slice s)
{
    static const char *const nothing[] = {"",     "-",     "—",     "--",     "——",      "/",    "NA", "N/A",
                                          "na",   "NaN",   "nan",   "null",   "NULL",    "None", "无", "-99",
                                          "-999", "-9999", "-99.0", "-999.0", "-9999.0", "\\"};
    if (s.n == 0)
        return true;
    if (s.n > 8 || (s.p[0] >= '0' && s.p[0] <= '9')) /* nearly every cell: no need to look at the list */
        return false;
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        if (lt_slice_is(s, nothing[i]))
            return true;
    return false;
}

bool air_flag_valid(struct lt_slice s)
{
    if (s.n == 0)
        return true;
    static const char *const good[] = {"N", "n", "正常", "有效", "valid", "V", "OK", "ok", "0"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (lt_slice_is(s, good[i]))
            return true;
    return false;
}

bool air_compass_parse(struct lt_slice s, int64_t *ret_fix)
{
    static const char *const points[16] = {"N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE",
                                           "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"};
    static const char *const zh[16] = {"北", "北东北", "东北", "东东北", "东", "东东南", "东南", "南东南",
                                       "南", "南西南", "西南", "西西南", "西", "西西北", "西北", "北西北"};
    for (int i = 0; i < 16; i++)
        if (lt_slice_is(s, points[i]) || lt_slice_is(s, zh[i])) {
            *ret_fix = i * INT64_C(22500000);
            return true;
        }
    return false;
}
