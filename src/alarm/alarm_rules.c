/* The rules: codes, names, preset records, and the table of verdicts. */
#include "alarm/alarm_priv.h"

#include <stdio.h>

static const char *const codes[ALARM_RULE_COUNT] = {
#define X(name, code, en, zh) code,
    RULE_LIST(X)
#undef X
};

const char *alarm_rule_code(enum alarm_rule r)
{
    return (unsigned)r < ALARM_RULE_COUNT ? codes[r] : "";
}

int alarm_rule_find(struct lt_slice code)
{
    for (int i = 0; i < ALARM_RULE_COUNT; i++)
        if (lt_slice_is(code, codes[i]))
            return i;
    return -1;
}

const char *alarm_rule_name(enum alarm_rule r, enum lt_lang lang)
{
    const struct record_kind *k = record_kind_find(LT_LIT("rule"));
    const char *name = record_choice_label(record_field_find(k, LT_LIT("code")), lt_slice_of(alarm_rule_code(r)), lang);
    return name ? name : "";
}

/* What a rule starts with. Empty thresholds take the engine's own defaults (engine/rule.h), which these repeat where a
 * person should see and change them. */
static const struct {
    enum alarm_rule rule;
    const char *severity;
    int64_t enter, leave, param1;
    int64_t min_duration_min;
} presets[] = {
    {ALARM_R_HOUR_EXCEED, "important", 1, 1, -1, 0}, /* multiples of the limit */
    {ALARM_R_DAY_EXCEED, "urgent", 1, 1, -1, 0},
    {ALARM_R_SILENCE, "important", 2, -1, 60, 0}, /* intervals of the device, and seconds more */
    {ALARM_R_NO_DATA, "important", -1, -1, -1, 0},
    {ALARM_R_CONSTANT, "normal", -1, -1, -1, 0},
    {ALARM_R_OUT_OF_RANGE, "important", -1, -1, -1, 5},
    {ALARM_R_IMPOSSIBLE, "important", -1, -1, -1, 5},
    {ALARM_R_FLAG_ABUSE, "important", 5, -1, 30, 0},      /* % of the month's hours; % that hide an exceedance */
    {ALARM_R_CLOCK_DRIFT, "normal", 600, 300, -1, 5},     /* seconds */
    {ALARM_R_DOUBLE_CONNECTION, "normal", -1, -1, 10, 0}, /* minutes */
    {ALARM_R_DISK_FAULT, "urgent", -1, -1, -1, 0},
    {ALARM_R_ENGINE_BEHIND, "urgent", 60, 10, -1, 0}, /* seconds */
};
_Static_assert(sizeof presets / sizeof presets[0] == ALARM_RULE_COUNT, "each rule of RULE_LIST has a preset here");

static struct record_set threshold(const char *field, int64_t v)
{
    return v < 0 ? RECORD_SET_NULL(field) : RECORD_SET_I(field, v * LT_FIX_ONE);
}

static enum lt_err add_rule(const struct record_ctx *x, size_t i, struct lt_error *err)
{
    const char *code = alarm_rule_code(presets[i].rule);
    struct sql_stmt *st = NULL;
    bool there = false;
    int64_t id;
    enum lt_err e = sql_prepare(x->db, "SELECT 1 FROM rule WHERE code = ?1", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, code);
    e = sql_step(st, &there, err);
    sql_release(&st);
    if (e != LT_OK || there) /* one that a person deleted is not made again */
        return e;
    const struct record_set set[] = {
        RECORD_SET_Z("code", code),
        RECORD_SET_Z("severity", presets[i].severity),
        RECORD_SET_I("min_duration_min", presets[i].min_duration_min),
        threshold("enter_fix", presets[i].enter),
        threshold("leave_fix", presets[i].leave),
        threshold("param1", presets[i].param1),
    };
    return record_insert(x, record_kind_find(LT_LIT("rule")), set, sizeof set / sizeof set[0], &id, err);
}

/* The limits of the table as records, so that people see and change them; one that was deleted is not made again. */
static enum lt_err add_deadlines(const struct record_ctx *x, const struct flow_state *s, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(LT_LIT("deadline"));
    enum lt_err e = LT_OK;
    for (const struct flow_limit *l = s->limits; e == LT_OK && l && l->ms > 0; l++) {
        const char *severity = l->when_value ? l->when_value : "normal";
        struct sql_stmt *st = NULL;
        bool there = false;
        int64_t id;
        e = sql_prepare(x->db, "SELECT 1 FROM deadline WHERE flow = ?1 AND state = ?2 AND severity = ?3", &st, err);
        if (e != LT_OK)
            return e;
        sql_bind_str(st, 1, alarm_flow.kind);
        sql_bind_str(st, 2, s->name);
        sql_bind_str(st, 3, severity);
        e = sql_step(st, &there, err);
        sql_release(&st);
        const struct record_set set[] = {RECORD_SET_Z("flow", alarm_flow.kind), RECORD_SET_Z("state", s->name),
                                         RECORD_SET_Z("severity", severity), RECORD_SET_I("minutes", l->ms / LT_MIN_MS),
                                         RECORD_SET_Z("calendar", "clock")};
        if (e == LT_OK && !there)
            e = record_insert(x, k, set, sizeof set / sizeof set[0], &id, err);
    }
    return e;
}

enum lt_err alarm_setup(struct sql_db *db, int64_t now_ms, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1, "CREATE TABLE verdict(id INTEGER PRIMARY KEY AUTOINCREMENT, alarm_key TEXT NOT NULL, rule TEXT NOT NULL,"
            " rule_version INTEGER NOT NULL, at_ms INTEGER NOT NULL, seq INTEGER NOT NULL, outcome TEXT NOT NULL,"
            " inputs TEXT NOT NULL, UNIQUE(alarm_key, seq, outcome))"},
    };
    const struct auth_ctx who = auth_system("setup");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = LT_TZ_CHINA};
    enum lt_err e = sql_migrate(db, "alarm", steps, sizeof steps / sizeof steps[0], err);
    if (e == LT_OK)
        e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    for (size_t i = 0; e == LT_OK && i < sizeof presets / sizeof presets[0]; i++)
        e = add_rule(&x, i, err);
    for (size_t i = 0; e == LT_OK && i < alarm_flow.n_states; i++)
        e = add_deadlines(&x, &alarm_flow.states[i], err);
    return sql_end(db, e, err);
}

/* What the numbers of a rule mean to it. One that is not here is not read by the rule, and the page does not ask for
 * it. The defaults told are those of engine/rule.h. */
static const struct {
    enum alarm_rule rule;
    const char *field, *unit, *en, *zh, *hint_en, *hint_zh;
} meanings[] = {
    {ALARM_R_HOUR_EXCEED, "enter_fix", NULL, "Begins above (times the limit)", "触发倍数（限值的倍数）", "empty: 1",
     "留空为 1"},
    {ALARM_R_HOUR_EXCEED, "leave_fix", NULL, "Ends at or below (times the limit)", "恢复倍数（限值的倍数）",
     "empty: as it begins", "留空同触发倍数"},
    {ALARM_R_HOUR_EXCEED, "min_valid_share", NULL, "Least valid share of the hour", "小时最低有效率",
     "0 to 1; below it nothing is judged; empty: 0", "0 到 1，低于此值不判定；留空为 0"},
    {ALARM_R_HOUR_EXCEED, "param1", NULL, "Exempt hours a month", "每月豁免小时数",
     "hours above the limit in declared start-up, shutdown or maintenance; empty: any number",
     "已申报启炉、停炉、检修时段内的超标小时；留空不限"},
    {ALARM_R_DAY_EXCEED, "enter_fix", NULL, "Begins above (times the limit)", "触发倍数（限值的倍数）", "empty: 1",
     "留空为 1"},
    {ALARM_R_DAY_EXCEED, "leave_fix", NULL, "Ends at or below (times the limit)", "恢复倍数（限值的倍数）",
     "empty: as it begins", "留空同触发倍数"},
    {ALARM_R_DAY_EXCEED, "min_valid_share", NULL, "Least valid share of the day", "日最低有效率",
     "0 to 1; below it nothing is judged; empty: 0", "0 到 1，低于此值不判定；留空为 0"},
    {ALARM_R_DAY_EXCEED, "param1", NULL, "Declared states exempt a day", "已申报时段豁免日均值",
     "below 1: no; 1 or empty: yes", "小于 1 为不豁免；1 或留空为豁免"},
    {ALARM_R_SILENCE, "enter_fix", NULL, "Silent after so many intervals", "无数据的上传周期数", "empty: 2",
     "留空为 2"},
    {ALARM_R_SILENCE, "param1", "s", "and so long more", "再加宽限", "empty: 60", "留空为 60"},
    {ALARM_R_NO_DATA, "min_valid_share", NULL, "Least share of the hour the post itself ran",
     "平台自身在线时间占比下限", "0 to 1; below it nothing is judged; empty: 0.75",
     "0 到 1，低于此值不判定；留空为 0.75"},
    {ALARM_R_CONSTANT, "min_duration_min", "min", "Same value for at least", "恒值最短持续", NULL, NULL},
    {ALARM_R_OUT_OF_RANGE, "min_duration_min", "min", "Out of range for at least", "超量程最短持续", NULL, NULL},
    {ALARM_R_IMPOSSIBLE, "min_duration_min", "min", "Impossible for at least", "异常最短持续", NULL, NULL},
    {ALARM_R_FLAG_ABUSE, "enter_fix", "%", "Marked hours of the month, more than", "当月带标记小时占比超过", "empty: 5",
     "留空为 5"},
    {ALARM_R_FLAG_ABUSE, "param1", "%", "Marks that begin over an exceedance, more than",
     "起始即掩盖超标的标记占比超过", "at least three; empty: 30", "至少三次；留空为 30"},
    {ALARM_R_CLOCK_DRIFT, "enter_fix", "s", "Clock wrong by more than", "时钟偏差超过", "empty: 600", "留空为 600"},
    {ALARM_R_CLOCK_DRIFT, "leave_fix", "s", "Right again within", "恢复到偏差以内", "empty: 300", "留空为 300"},
    {ALARM_R_CLOCK_DRIFT, "min_duration_min", "min", "Wrong for at least", "偏差最短持续", NULL, NULL},
    {ALARM_R_DOUBLE_CONNECTION, "param1", "min", "Two connections take turns within", "两个连接交替的时间窗",
     "empty: 10", "留空为 10"},
    {ALARM_R_ENGINE_BEHIND, "enter_fix", "s", "Behind by more than", "滞后超过", "empty: 60", "留空为 60"},
    {ALARM_R_ENGINE_BEHIND, "leave_fix", "s", "Caught up within", "恢复到滞后以内", "empty: 10", "留空为 10"},
};

static void write_meanings(enum alarm_rule rule, bool en, struct jsonw *w)
{
    jsonw_key(w, "fields");
    jsonw_array(w);
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].rule != rule)
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "name", meanings[i].field);
        jsonw_kstr(w, "label", en ? meanings[i].en : meanings[i].zh);
        jsonw_kstr(w, "unit", meanings[i].unit);
        jsonw_kstr(w, "hint", en ? meanings[i].hint_en : meanings[i].hint_zh);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

void alarm_rules_meta(enum lt_lang lang, struct jsonw *w)
{
    jsonw_array(w);
    for (int i = 0; i < ALARM_RULE_COUNT; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "code", codes[i]);
        jsonw_kstr(w, "name", alarm_rule_name((enum alarm_rule)i, lang));
        write_meanings((enum alarm_rule)i, lang == LT_EN, w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

int alarm_severity_rank(struct lt_slice severity)
{
    return lt_slice_is(severity, "urgent") ? 0 : lt_slice_is(severity, "important") ? 1 : 2;
}

const char *alarm_object_name(enum alarm_object o)
{
    static const char *const names[] = {"device", "outlet", "post"};
    return names[o];
}

const char *alarm_change_name(enum alarm_change c)
{
    static const char *const names[] = {"", "new", "repeat", "moved", "ended"};
    return (unsigned)c < sizeof names / sizeof names[0] ? names[c] : "";
}

size_t alarm_key(enum alarm_rule rule, enum alarm_object object_kind, int64_t object_id, struct lt_slice factor,
                 int64_t period_at_ms, char ret[160])
{
    int n = snprintf(ret, 160, "%s/%s/%lld/%.*s/%lld", alarm_rule_code(rule), alarm_object_name(object_kind),
                     (long long)object_id, (int)(factor.n < 32 ? factor.n : 32), factor.n ? factor.p : "",
                     (long long)period_at_ms);
    return (size_t)n;
}
