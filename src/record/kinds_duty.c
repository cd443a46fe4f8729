/* Duty: rules, deadlines, suppressions, alarms and commands, and who may do what. */
#include "record/kinds.h"
#include "record/rule_list.h"
#include "base/text.h"

static choices severities = {
    {"urgent", "Urgent", "紧急"}, {"important", "Important", "重要"}, {"normal", "Normal", "一般"}, {0}};
choices rule_codes = {
#define X(name, code, en, zh) {code, en, zh},
    RULE_LIST(X)
#undef X
        {0}};
static const struct record_field rule_fields[] = {
    {ENUM("code", R | U | L | N | K | CR, rule_codes, "Rule", "规则")},
    {BOOL("enabled", R | L, "In force", "启用"), .dflt = "true"},
    {ENUM("severity", R | L, severities, "Severity", "级别"), .dflt = "important"},
    {FIX("enter_fix", L, -1000000, 1000000, "Enter threshold", "触发阈值"),
     HINT("the condition begins at this", "达到该值时触发")},
    {FIX("leave_fix", L, -1000000, 1000000, "Leave threshold", "恢复阈值"), HINT("and ends at this", "达到该值时恢复")},
    {INT("min_duration_min", L, 0, 10080, "Least duration", "最短持续"), .unit = "min", .dflt = "0"},
    {FIX("min_valid_share", L, 0, 1, "Least valid share", "最低有效率")},
    {FIX("param1", 0, -1000000, 1000000, "Parameter 1", "参数 1"),
     HINT("its meaning depends on the rule", "含义随规则而定")},
    {FIX("param2", 0, -1000000, 1000000, "Parameter 2", "参数 2"), HINT("no rule reads it", "现有规则均未使用")},
    {TIME("valid_from", 0, "Valid from", "生效时间")},
    {TIME("valid_to", 0, "Valid to", "失效时间")},
};

CHECK(check_validity)
{
    record_in_order(now, "valid_from", "valid_to", false, f);
}

const struct record_kind record_kind_rule = {
    .name = "rule", .en = "Rules", .zh = "告警规则", FIELDS(rule_fields), .config = true, .check = check_validity};

static choices timed_flows = {{"alarm", "Alarm", "告警"}, {"air_review", "Review of air data", "空气数据复核"}, {0}};
static choices timed_states = {{"new", "New", "新发"},
                               {"signed", "Signed", "已签收"},
                               {"handling", "In hand", "处置中"},
                               {"proposed", "Proposed", "待复核"},
                               {0}};
static choices clocks = {{"clock", "Hours on the clock", "自然时间"}, {"working", "Working hours", "工作时间"}, {0}};
static const struct record_field deadline_fields[] = {
    {ENUM("flow", R | L | K | CR, timed_flows, "Process", "流程")},
    {ENUM("state", R | L | K | CR, timed_states, "State", "状态")},
    {ENUM("severity", L | K | CR, severities, "Severity", "级别"), HINT("empty: every other", "留空表示其余级别")},
    {INT("minutes", R | L, 1, 527040, "Time allowed", "时限"), .unit = "min"},
    {ENUM("calendar", R | L, clocks, "Counted in", "计时方式"), .dflt = "clock",
     HINT("a working day has 480 minutes", "一个工作日按 480 分钟计")},
    {TEXT("note", Q, 500, "Note", "备注")},
};
const struct record_kind record_kind_deadline = {
    .name = "deadline", .en = "Deadlines", .zh = "办理时限", FIELDS(deadline_fields)};

static choices day_kinds = {
    {"workday", "Working day", "上班"}, {"holiday", "Holiday", "放假"}, {"usual", "As its weekday", "按星期"}, {0}};
static const struct record_field calendar_fields[] = {
    {DATE("day", R | U | L | K, "Day", "日期")},
    {ENUM("kind", R | L, day_kinds, "Kind", "类型")},
    {TEXT("hours", L, 64, "Office hours", "办公时间"), FORM(spans, "08:30-12:00,14:00-17:30"),
     HINT("from this day on; empty: as before it", "自该日起执行；留空则沿用此前")},
    {TEXT("note", L | Q, 200, "Note", "说明"),
     HINT("name of the holiday, or what it makes up for", "节日名称或调休说明")},
};
const struct record_kind record_kind_work_calendar = {
    .name = "work_calendar", .en = "Working calendar", .zh = "工作日历", FIELDS(calendar_fields)};

static choices wide_objects = {{"device", "Device", "设备"},
                               {"outlet", "Outlet", "排放口"},
                               {"enterprise", "Enterprise", "企业"},
                               {"post", "Command post", "平台"},
                               {0}};
static const struct record_field suppression_fields[] = {
    {ENUM("rule", L, rule_codes, "Rule", "规则"), HINT("empty: every rule", "留空表示全部规则")},
    {ENUM("object_kind", R | L | CR, wide_objects, "Object type", "对象类型")},
    {INT("object_id", L | CR, 0, INT64_C(1) << 53, "Object", "对象编号"), .dflt = "0"},
    {TEXT("reason", R | L | Q, 500, "Reason", "抑制原因")},
    {TIME("until_at", R | L, "Until", "截止时间"), HINT("at most 90 days ahead", "最长 90 天")},
    {TEXT("author", RO | L, 128, "Author", "设置人")},
};

/* A quarter: longer means the rule or the register is wrong, not the alarm. */
#define SUPPRESS_MAX_MS (90 * LT_DAY_MS)

CHECK(check_suppression)
{
    const struct record_value *until = record_value(now, "until_at"), *was = old ? record_value(old, "until_at") : NULL;
    if (until->null || (was && was->i == until->i))
        return;
    if (!old && until->i <= now->updated_at_ms)
        record_wrong(f, LT_E_FIELD_RANGE, "until_at", "until_at", "now / 现在", "in 90 d / 九十天后");
    if (until->i > now->updated_at_ms + SUPPRESS_MAX_MS)
        record_wrong(f, LT_E_FIELD_RANGE, "until_at", "until_at", "now / 现在", "in 90 d / 九十天后");
    bool post = lt_slice_is(record_text(now, "object_kind"), "post");
    if (!post && record_i64(now, "object_id", 0) <= 0)
        record_missing(f, "object_id");
}

const struct record_kind record_kind_suppression = {.name = "suppression",
                                                    .en = "Suppressions",
                                                    .zh = "告警抑制",
                                                    FIELDS(suppression_fields),
                                                    .object = true,
                                                    .author = "author",
                                                    .config = true,
                                                    .check = check_suppression};

static const struct record_field role_fields[] = {
    {TEXT("code", R | U | L | Q | K, 32, "Code", "角色代码"), FORM(code, "duty")},
    {TEXT("name", R | L | Q | N, 64, "Name", "角色名称")},
    {TEXT("name_en", L | Q, 64, "English name", "英文名称")},
    {TEXT("permissions", L, 2000, "Permissions", "权限"), FORM(permissions, "device:read,alarm:sign"), .dflt = ""},
};

/* Nobody makes a role, or hands one out, that may do more than he himself. */
CHECK(check_role)
{
    if (!auth_covers(who, record_text(now, "permissions")) ||
        (old && !auth_covers(who, record_text(old, "permissions"))))
        record_wrong(f, LT_E_DENIED, "permissions", "grant more than you have / 授予超出自身的权限", NULL, NULL);
}

const struct record_kind record_kind_role = {
    .name = "role", .en = "Roles", .zh = "角色", FIELDS(role_fields), .check = check_role};

static choices langs = {{"zh", "Chinese", "中文"}, {"en", "English", "英文"}, {0}};
static const struct record_field user_fields[] = {
    {TEXT("login", R | U | L | Q | K | CR, 32, "Login", "登录名"), FORM(login, "zhangsan")},
    {TEXT("name", R | L | Q | N, 64, "Name", "姓名")},
    {REF("role", R | L, "role", "Role", "角色")},
    {REF("territory", L, "territory", "Territory", "辖区"), HINT("sees this and everything below", "可见本辖区及下级")},
    {REF("enterprise", L, "enterprise", "Enterprise", "所属企业"), HINT("sees only this enterprise", "仅可见该企业")},
    {REF("unit", L, "unit", "Unit", "单位")},
    {REF("person", 0, "person", "Person", "人员")},
    {ENUM("lang", 0, langs, "Language", "语言"), .dflt = "zh"},
    {TEXT("password", SE | RO, 200, "Password", "密码")},
    {BOOL("must_change", RO, "Must change password", "须修改密码"), .dflt = "true"},
    {TIME("locked_until_ms", RO | QU, "Locked until", "锁定至")},
    {INT("failures", RO | QU | H, 0, 1000000, "Failures", "失败次数"), .dflt = "0"},
    {BOOL("disabled", L, "Disabled", "停用"), .dflt = "false"},
};

CHECK(check_user)
{
    const int64_t roles[2] = {record_i64(now, "role", 0), old ? record_i64(old, "role", 0) : 0};
    for (int i = 0; i < 2 && roles[i] != 0; i++) {
        struct sql_stmt *st = NULL;
        bool row = false, ok = false;
        if (sql_prepare(db, "SELECT permissions, code FROM role WHERE id = ?1", &st, NULL) == LT_OK) {
            sql_bind_i64(st, 1, roles[i]);
            if (sql_step(st, &row, NULL) == LT_OK && row) {
                ok = auth_covers(who, sql_col_text(st, 0));
                if (i == 0 && lt_slice_is(sql_col_text(st, 1), "plant") && record_value(now, "enterprise")->null)
                    record_missing(f, "enterprise");
            }
            sql_release(&st);
        }
        if (!ok)
            record_wrong(f, LT_E_DENIED, "role", "grant more than you have / 授予超出自身的权限", NULL, NULL);
    }
    if (who->enterprise && record_i64(now, "enterprise", 0) != who->enterprise)
        record_wrong(f, LT_E_DENIED_TERRITORY, "enterprise", "enterprise", NULL, NULL);
}

const struct record_kind record_kind_user = {.name = "user",
                                             .en = "Users",
                                             .zh = "用户",
                                             FIELDS(user_fields),
                                             .territory = "territory",
                                             .enterprise = "enterprise",
                                             .check = check_user};

static choices objects = {
    {"device", "Device", "设备"}, {"outlet", "Outlet", "排放口"}, {"post", "Command post", "平台"}, {0}};
static choices alarm_states = {{"new", "New", "新发"},
                               {"signed", "Signed", "已签收"},
                               {"handling", "In hand", "处置中"},
                               {"reported", "Reported", "已反馈"},
                               {"confirmed", "Confirmed", "已核实"},
                               {"closed", "Closed", "已关闭"},
                               {"suppressed", "Suppressed", "已抑制"},
                               {0}};
static choices outcomes = {{"none", "Not yet known", "未核实"},
                           {"true", "Real", "属实"},
                           {"false", "False alarm", "误报"},
                           {"device_fault", "Device fault", "设备故障"},
                           {0}};
static const struct record_field alarm_fields[] = {
    {TEXT("key", R | U | RO, 160, "Key", "告警键")},
    {ENUM("rule", R | L | N, rule_codes, "Rule", "规则")},
    {INT("rule_version", 0, 0, INT64_MAX, "Rule version", "规则版本"), .dflt = "0"},
    {ENUM("severity", R | L, severities, "Severity", "级别")},
    {ENUM("object_kind", R, objects, "Object type", "对象类型")},
    {INT("object_id", 0, 0, INT64_C(1) << 53, "Object", "对象编号"), .dflt = "0"},
    {REF("device", L, "device", "Device", "设备")},
    {REF("outlet", L, "outlet", "Outlet", "排放口")},
    {REF("enterprise", L, "enterprise", "Enterprise", "企业")},
    {REF("territory", L, "territory", "Territory", "辖区")},
    {REF("unit", L, "unit", "Responsible unit", "责任单位")},
    {TEXT("factor", L, 16, "Factor", "污染物")},
    {TIME("period_at_ms", 0, "Period from", "时段开始")},
    {INT("period_ms", 0, 0, INT64_MAX, "Period length", "时段长度"), .unit = "ms"},
    {TIME("first_at_ms", L, "First seen", "首次发现")},
    {TIME("last_at_ms", L | QU, "Last seen", "最近发现")},
    {INT("count", L | QU, 0, INT64_MAX, "Count", "次数"), .dflt = "1"},
    {FIX("value", L | QU, 0, 0, "Value", "数值")},
    {FIX("limit_value", L, 0, 0, "Limit", "限值")},
    {BOOL("active", L, "Active", "持续中"), .dflt = "true"},
    {TIME("ended_at_ms", 0, "Ended", "恢复时间")},
    {JSON("params", QU, 4000, "Parameters", "参数")},
    {ENUM("state", R | L, alarm_states, "State", "状态"), .dflt = "new"},
    {ENUM("outcome", L, outcomes, "Outcome", "核实结论"), .dflt = "none"},
    {INT("level", L, 0, 100, "Escalations", "升级次数"), .dflt = "0"},
    {REF("signed_by", 0, "user", "Signed by", "签收人")},
    {TIME("signed_at_ms", 0, "Signed at", "签收时间")},
    {TIME("due_at_ms", L, "Due", "时限")},
    {TEXT("note", Q, 1000, "Note", "备注")},
    {INT("last_occurrence", H | QU, 0, INT64_MAX, "Last occurrence", "最近记录号"), .dflt = "0"},
    {TIME("state_at_ms", QU, "In this state since", "进入状态时间")},
};
const struct record_kind record_kind_alarm = {
    .name = "alarm",
    .en = "Alarms",
    .zh = "告警",
    FIELDS(alarm_fields),
    .territory = "territory",
    .enterprise = "enterprise",
    .readonly = true,
    .index = "CREATE INDEX IF NOT EXISTS alarm_due_at ON alarm(due_at_ms) WHERE due_at_ms IS NOT NULL;"
             "CREATE INDEX IF NOT EXISTS alarm_state ON alarm(state);"
             "CREATE INDEX IF NOT EXISTS alarm_active ON alarm(active, rule, object_kind, object_id);"
             "CREATE INDEX IF NOT EXISTS alarm_first ON alarm(first_at_ms);"
             "CREATE INDEX IF NOT EXISTS alarm_last ON alarm(last_at_ms);"};

static const struct record_field command_fields[] = {
    {REF("device", R | L, "device", "Device", "设备")},
    {INT("cn", R | L, 1, 9999, "Command CN", "命令编码 CN")},
    {TEXT("area", L, 4000, "Data area", "数据区")},
    {TEXT("step", L | QU, 32, "Step", "进度")},
    {INT("code", L | QU, -1000, 100000, "Result", "结果码")},
    {TEXT("answer", QU, 4000, "Answer", "应答")},
    {INT("frames", QU, 0, INT64_MAX, "Frames", "帧数"), .dflt = "0"},
    {TEXT("author", L | Q, 128, "Author", "下发人")},
    {TIME("sent_at_ms", L, "Sent", "下发时间")},
};
const struct record_kind record_kind_command = {.name = "command",
                                                .en = "Device commands",
                                                .zh = "设备命令",
                                                FIELDS(command_fields),
                                                .territory = "device.outlet.enterprise.territory",
                                                .enterprise = "device.outlet.enterprise",
                                                .readonly = true};
