/* Sentences: one table of templates, filled from parameters. Pure. */
#include "alarm/alarm_priv.h"
#include "base/text.h"
#include "hj212/hj212.h"

#include <stdio.h>
#include <stdlib.h>

/* {name} is replaced; a clause in [ ] whose parameters are all missing is left out; elsewhere a missing one is "?". */
static const char *const templates[ALARM_RULE_COUNT][2] = {
    [ALARM_R_HOUR_EXCEED] =
        {"{factor} 小时均值 {value} {unit}，超过限值 {limit} {unit}[，超标 {over} 倍]（{period}[，{standard}]）",
         "{factor} hourly mean {value} {unit} exceeds the limit of {limit} {unit}[ by a factor of "
         "{over}] ({period}[, {standard}])"},
    [ALARM_R_DAY_EXCEED] =
        {"{factor} 日均值 {value} {unit}，超过限值 {limit} {unit}[，超标 {over} 倍]（{period}[，{standard}]）",
         "{factor} daily mean {value} {unit} exceeds the limit of {limit} {unit}[ by a factor of "
         "{over}] ({period}[, {standard}])"},
    [ALARM_R_SILENCE] = {"设备已 {minutes} 分钟没有数据[：{cause}]",
                         "No data from the device for {minutes} min[: {cause}]"},
    [ALARM_R_NO_DATA] = {"{factor} 有效数据不足，缺 {minutes} 分钟[（{period}）][：{cause}]",
                         "{factor} lacks valid data for {minutes} min[ ({period})][: {cause}]"},
    [ALARM_R_CONSTANT] = {"{factor} 连续 {minutes} 分钟数值不变[，恒为 {value} {unit}][（{n} 个数据）]",
                          "{factor} unchanged for {minutes} min[ at {value} {unit}][ ({n} values)]"},
    [ALARM_R_OUT_OF_RANGE] = {"{factor} {value} {unit}，超出量程 {min}–{max} {unit}[（{n} 次）]",
                              "{factor} {value} {unit} lies outside the range of {min}–{max} {unit}[ ({n} times)]"},
    [ALARM_R_IMPOSSIBLE] = {"{factor} {value} {unit} 不合逻辑[：{what}][（{other} {other_value}）]",
                            "{factor} {value} {unit} is impossible[: {what}][ ({other} {other_value})]"},
    [ALARM_R_FLAG_ABUSE] =
        {"{factor} 标记 {flag} 占本月 {share}%[，共 {hours} 小时][，其中 {suspicious} 次出现在超标之时]",
         "{factor} carries mark {flag} in {share} % of this month[, {hours} h][, {suspicious} times "
         "when a limit was exceeded]"},
    [ALARM_R_CLOCK_DRIFT] =
        {"时钟偏差[ {seconds} 秒][，允许 {limit_s} 秒]"
         "[：平台自身时钟跳变 {step_s} 秒，接收时间可能有误，暂不判断各设备时钟]"
         "[：{devices} 台设备的时钟与平台不符，平台自身时钟可能有误，暂不判断各设备时钟]",
         "The clock is off[ by {seconds} s][, {limit_s} s allowed]"
         "[: the post's own clock jumped by {step_s} s; times of receipt may be wrong, device clocks are not judged]"
         "[: {devices} devices disagree with the post's own clock, which may be wrong; device clocks are not judged]"},
    [ALARM_R_DOUBLE_CONNECTION] = {"同一设备标识有 {n} 个连接[：{peers}]",
                                   "{n} connections use one device number[: {peers}]"},
    [ALARM_R_DISK_FAULT] = {"磁盘故障[：{path}][ {error}]", "Disk fault[: {path}][ {error}]"},
    [ALARM_R_ENGINE_BEHIND] = {"数据计算滞后 {seconds} 秒[，积压 {records} 条]",
                               "Evaluation is {seconds} s behind[, {records} records waiting]"},
};

static const struct {
    const char *param, *value, *zh, *en;
} words[] = {
    {"cause", "never", "从未收到数据", "nothing was ever received"},
    {"cause", "link", "通信中断", "connection lost"},
    {"cause", "device", "连接正常，设备未发数据", "connected, but the device sends nothing"},
    {"cause", "sub_packet", "分包不完整", "sub-packets are incomplete"},
    {"cause", "unknown", "原因不明", "cause unknown"},
    {"what", "sum", "分量之和大于总量", "the parts exceed the whole"},
    {"what", "zs_below_r", "折算值小于实测值", "converted value below measured value"},
    {"what", "negative", "数值为负", "the value is negative"},
    {"what", "o2_high", "氧含量高于空气", "more oxygen than in air"},
    {"what", "too_high", "数值过大", "the value is too large"},
};

/* What people call the common ones. */
static const struct {
    const char *code, *symbol;
} symbols[] = {
    {"a21026", "SO₂"},  {"a21002", "NOₓ"}, {"a21003", "NO"},  {"a21004", "NO₂"}, {"a21005", "CO"},
    {"a21001", "NH₃"},  {"a21028", "H₂S"}, {"a21024", "HCl"}, {"a05024", "O₃"},  {"a34004", "PM₂.₅"},
    {"a34002", "PM₁₀"}, {"a05001", "CO₂"}, {"a19001", "O₂"},
};

struct filling {
    const json_t *params;
    enum lt_lang lang;
    int tz_min;
    struct lt_buf *out;
};

static struct lt_slice string_param(const struct filling *f, const char *name)
{
    const json_t *v = json_object_get(f->params, name);
    return json_is_string(v) ? (struct lt_slice){json_string_value(v), json_string_length(v)} : LT_LIT("");
}

static const struct hj212_factor *factor_of(const struct filling *f)
{
    return hj212_factor_find(string_param(f, "factor"));
}

static bool put_factor(const struct filling *f, const char *param)
{
    struct lt_slice code = string_param(f, param);
    const struct hj212_factor *k = hj212_factor_find(code);
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
        if (lt_slice_is(code, symbols[i].code)) {
            lt_buf_adds(f->out, symbols[i].symbol);
            return true;
        }
    if (k)
        lt_buf_adds(f->out, f->lang == LT_EN ? k->name_en : k->name_zh);
    else
        lt_buf_add(f->out, code.p, code.n);
    return code.n > 0;
}

static bool number_param(const struct filling *f, const char *name, int64_t *ret)
{
    const json_t *v = json_object_get(f->params, name);
    return v && jsonr_to_fix(v, ret);
}

static void put_fix(const struct filling *f, int64_t v)
{
    char z[32];
    lt_buf_add(f->out, z, lt_fix_format_short(v, z));
}

/* A mean has more digits than its instrument; two decimals are shown, unless that would hide the exceedance. */
static bool put_value(const struct filling *f)
{
    int64_t v, limit;
    if (!number_param(f, "value", &v))
        return false;
    const struct hj212_factor *k = factor_of(f);
    unsigned decimals = k && k->decimals > 2 ? k->decimals : 2;
    int64_t shown = lt_fix_round(v, decimals > 6 ? 6 : decimals);
    if (number_param(f, "limit", &limit) && shown == limit)
        shown = v;
    put_fix(f, shown);
    return true;
}

static bool put_unit(const struct filling *f)
{
    const struct hj212_factor *k = factor_of(f);
    lt_buf_adds(f->out, k ? k->unit : "");
    return k != NULL;
}

static bool put_over(const struct filling *f)
{
    int64_t v, limit, over;
    if (!number_param(f, "value", &v) || !number_param(f, "limit", &limit) || limit <= 0 || v <= limit)
        return false;
    if (!lt_fix_div(v - limit, limit, &over))
        return false;
    int64_t shown = lt_fix_round(over, 2);
    put_fix(f, shown > 0 ? shown : over);
    return shown > 0 || over > 0;
}

static void put_clock(const struct filling *f, const struct lt_civil *c, bool date)
{
    if (date)
        lt_buf_addf(f->out, "%04d-%02d-%02d ", c->year, c->month, c->day);
    lt_buf_addf(f->out, "%02d:%02d", c->hour, c->minute);
}

static bool put_period(const struct filling *f)
{
    int64_t from, to;
    if (!lt_time_parse_iso(string_param(f, "from"), f->tz_min, &from))
        return false;
    struct lt_civil a = lt_civil_of(from, f->tz_min);
    if (!lt_time_parse_iso(string_param(f, "to"), f->tz_min, &to)) {
        put_clock(f, &a, true);
        return true;
    }
    if (to - from == LT_DAY_MS && lt_day_start(from, f->tz_min) == from) {
        lt_buf_addf(f->out, "%04d-%02d-%02d", a.year, a.month, a.day);
        return true;
    }
    struct lt_civil b = lt_civil_of(to, f->tz_min);
    bool same_day = a.year == b.year && a.month == b.month && a.day == b.day;
    bool midnight = lt_day_start(to, f->tz_min) == to && to - lt_day_start(from, f->tz_min) == LT_DAY_MS;
    put_clock(f, &a, true);
    lt_buf_adds(f->out, "–");
    if (midnight)
        lt_buf_adds(f->out, "24:00");
    else
        put_clock(f, &b, !same_day);
    return true;
}

static bool put_word(const struct filling *f, const char *name)
{
    char in_lang[48];
    snprintf(in_lang, sizeof in_lang, "%s_%s", name, f->lang == LT_EN ? "en" : "zh");
    struct lt_slice own = string_param(f, in_lang), s = string_param(f, name);
    if (own.n) {
        lt_buf_add(f->out, own.p, own.n);
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].param, name) == 0 && lt_slice_is(s, words[i].value)) {
            lt_buf_adds(f->out, f->lang == LT_EN ? words[i].en : words[i].zh);
            return true;
        }
    lt_buf_add(f->out, s.p, s.n);
    return s.n > 0;
}

static bool put_named(const struct filling *f, const char *name)
{
    static const struct {
        const char *name;
        bool (*put)(const struct filling *f);
    } special[] = {{"value", put_value}, {"unit", put_unit}, {"over", put_over}, {"period", put_period}};
    int64_t v;
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (strcmp(name, special[i].name) == 0)
            return special[i].put(f);
    if (strcmp(name, "factor") == 0 || strcmp(name, "other") == 0)
        return put_factor(f, name);
    if (json_is_string(json_object_get(f->params, name)))
        return put_word(f, name);
    if (!number_param(f, name, &v))
        return false;
    put_fix(f, v);
    return true;
}

/* Takes "{name}" at *p; true when it was filled. */
static bool put_place(const struct filling *f, const char **p)
{
    char name[32];
    size_t n = strcspn(*p + 1, "}");
    lt_text_copy_slice(name, sizeof name, (struct lt_slice){*p + 1, n});
    *p += n + 2;
    return put_named(f, name);
}

/* An optional clause; taken back when nothing in it was known. */
static void put_clause(const struct filling *f, const char **p)
{
    size_t from = f->out->n;
    bool any = false;
    (*p)++;
    while (**p && **p != ']') {
        if (**p != '{') {
            lt_buf_addc(f->out, *(*p)++);
            continue;
        }
        bool filled = put_place(f, p);
        if (!filled)
            lt_buf_adds(f->out, "?");
        any = any || filled;
    }
    if (**p)
        (*p)++;
    if (!any && !f->out->failed)
        f->out->n = from;
}

void alarm_text(struct lt_slice rule, const json_t *params, enum lt_lang lang, int tz_min, struct lt_buf *out)
{
    int r = alarm_rule_find(rule);
    const struct filling f = {.params = params, .lang = lang, .tz_min = tz_min, .out = out};
    const char *p = r < 0 ? NULL : templates[r][lang == LT_EN];
    if (!p) {
        lt_buf_add(out, rule.p, rule.n);
        return;
    }
    while (*p) {
        if (*p == '[')
            put_clause(&f, &p);
        else if (*p != '{')
            lt_buf_addc(out, *p++);
        else if (!put_place(&f, &p))
            lt_buf_adds(out, "?");
    }
}
