/* What codes mean: factors, commands, systems, data marks, results. Nothing is refused because it is not here. */
#include "hj212_priv.h"

static const struct hj212_factor factors[] = {
#include "hj212_factors.inc"
};

enum { R = HJ212_FLOW_REQUEST, U = HJ212_FLOW_UPLOAD, N = HJ212_FLOW_NOTICE, A = HJ212_FLOW_ANSWER };
enum { E5 = 1 << HJ212_2005, E7 = 1 << HJ212_2017, E25 = 1 << HJ212_2025 };

static const struct hj212_command commands[] = {
#include "hj212_commands.inc"
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Order of a code against a zero-terminated one, bytewise. */
static int compare(struct lt_slice a, const char *z)
{
    struct lt_slice b = lt_slice_of(z);
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static const struct hj212_factor *find_2017(struct lt_slice code)
{
    size_t lo = 0, hi = COUNT(factors);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = compare(code, factors[mid].code);
        if (c == 0)
            return &factors[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* Row by row: the engine asks once per name, and a second list in this order would have to follow every new row. */
static const struct hj212_factor *find_2005(struct lt_slice code)
{
    for (size_t i = 0; i < COUNT(factors); i++)
        if (code.n && lt_slice_is(code, factors[i].code2005))
            return &factors[i];
    return NULL;
}

const struct hj212_factor *hj212_factor_find(struct lt_slice code)
{
    if (code.n == 0 || code.n > 6)
        return NULL;
    if (code.n <= 3) {
        const struct hj212_factor *f = find_2005(code);
        return f ? f : find_2017(code);
    }
    if (code.p[0] == 'g' && code.n == 6 && hj212_is_digit(code.p[4]) && hj212_is_digit(code.p[5])) {
        char pattern[6];
        memcpy(pattern, code.p, 4);
        memcpy(pattern + 4, "xx", 2);
        return find_2017((struct lt_slice){pattern, 6});
    }
    return find_2017(code);
}

struct lt_slice hj212_factor_2017(struct lt_slice code, uint16_t st)
{
    const bool air = st == 22 || st == 31 || st == 39 || st == 51, water = st == 21 || st == 32 || st == 52;
    const struct hj212_factor *f = code.n == 0 || code.n > 3 ? NULL : find_2005(code);
    if (f && ((air && f->code[0] == 'a') || (water && f->code[0] == 'w')))
        return lt_slice_of(f->code);
    return code;
}

size_t hj212_factor_count(void)
{
    return COUNT(factors);
}

const struct hj212_factor *hj212_factor_at(size_t i)
{
    return i < COUNT(factors) ? &factors[i] : NULL;
}

const struct hj212_command *hj212_command_find(uint16_t cn)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (commands[i].cn == cn)
            return &commands[i];
    return NULL;
}

size_t hj212_command_count(void)
{
    return COUNT(commands);
}

const struct hj212_command *hj212_command_at(size_t i)
{
    return i < COUNT(commands) ? &commands[i] : NULL;
}

struct name {
    uint16_t code;
    const char *zh, *en;
};

/* HJ 212-2017 Table 5; 44 and 45: HJ 212-2025. */
static const struct name systems[] = {
    {21, "地表水质量监测", "Surface water quality"},
    {22, "空气质量监测", "Ambient air quality"},
    {23, "声环境质量监测", "Ambient noise"},
    {24, "地下水质量监测", "Groundwater quality"},
    {25, "土壤质量监测", "Soil quality"},
    {26, "海水质量监测", "Sea water quality"},
    {27, "挥发性有机物监测", "Volatile organic compounds"},
    {31, "大气环境污染源", "Air pollution source"},
    {32, "地表水体环境污染源", "Surface water pollution source"},
    {33, "地下水体环境污染源", "Groundwater pollution source"},
    {34, "海洋环境污染源", "Marine pollution source"},
    {35, "土壤环境污染源", "Soil pollution source"},
    {36, "声环境污染源", "Noise source"},
    {37, "振动环境污染源", "Vibration source"},
    {38, "放射性环境污染源", "Radioactive source"},
    {39, "工地扬尘污染源", "Construction site dust"},
    {41, "电磁环境污染源", "Electromagnetic source"},
    {44, "用电监控", "Power use"},
    {45, "关键生产工况监控", "Key production conditions"},
    {51, "烟气排放过程监控", "Flue gas process"},
    {52, "污水排放过程监控", "Waste water process"},
    {91, "系统交互", "System interaction"},
};

/* HJ 212-2017 Table 8; P and 0 to 3: HJ/T 212-2005. */
static const struct name marks[] = {
    {'N', "正常", "normal"},
    {'F', "停运", "stopped"},
    {'M', "维护", "maintenance"},
    {'S', "手工输入", "set by hand"},
    {'D', "故障", "fault"},
    {'C', "校准", "calibrating"},
    {'T', "超测定上限", "above range"},
    {'B', "通讯异常", "no communication"},
    {'P', "电源故障", "power fault"},
    {'0', "校准数据", "calibration data"},
    {'1', "气象参数", "meteorological parameter"},
    {'2', "异常数据", "abnormal"},
    {'3', "正常数据", "normal"},
};

/* HJ 212-2017 Table 7 (QnRtn) and Table 6 (ExeRtn). */
static const struct name qn_rtn[] = {
    {1, "准备执行请求", "ready to execute"},
    {2, "请求被拒绝", "refused"},
    {3, "PW 错误", "wrong PW"},
    {4, "MN 错误", "wrong MN"},
    {5, "ST 错误", "wrong ST"},
    {6, "Flag 错误", "wrong Flag"},
    {7, "QN 错误", "wrong QN"},
    {8, "CN 错误", "wrong CN"},
    {9, "CRC 校验错误", "wrong CRC"},
    {100, "未知错误", "unknown"},
};

static const struct name exe_rtn[] = {
    {1, "执行成功", "done"},
    {2, "执行失败，原因未知", "failed, reason unknown"},
    {3, "命令请求条件错误", "condition of the command wrong"},
    {4, "通讯超时", "communication time-out"},
    {5, "系统繁忙", "busy"},
    {6, "系统故障", "system fault"},
    {100, "没有数据", "no data"},
};

static const char *name_of(const struct name *t, size_t n, int code, bool english)
{
    for (size_t i = 0; i < n; i++)
        if (t[i].code == code)
            return english ? t[i].en : t[i].zh;
    return NULL;
}

const char *hj212_system_name(uint16_t st, bool english)
{
    return name_of(systems, COUNT(systems), st, english);
}

const char *hj212_mark_name(char mark, bool english)
{
    return name_of(marks, COUNT(marks), (unsigned char)mark, english);
}

const char *hj212_result_name(uint16_t cn, int code, bool english)
{
    if (cn == 9011)
        return name_of(qn_rtn, COUNT(qn_rtn), code, english);
    return cn == 9012 ? name_of(exe_rtn, COUNT(exe_rtn), code, english) : NULL;
}
