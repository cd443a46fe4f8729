/* Tests of alarm: raising again and again, replays, suppression, deadlines, sentences, board, precision. */
#include "alarm/alarm.h"
#include "base/rand.h"
#include "record/record_testing.h"

#include <sqlite3.h>

struct bench {
    struct city *c;
    struct lt_buf out;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct lt_error err = {0};
    b->c = city_make(":memory:");
    b->out = LT_BUF_INIT(8u << 20);
    assert_int_equal(alarm_setup(b->c->db, T0, &err), LT_OK);
    assert_int_equal(alarm_setup(b->c->db, T0, &err), LT_OK); /* twice is once */
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    lt_buf_fini(&b->out);
    city_free(b->c);
    free(b);
    return 0;
}

static struct alarm_fact fact(struct bench *b, enum alarm_rule rule, int side)
{
    bool outlet = rule == ALARM_R_HOUR_EXCEED;
    return (struct alarm_fact){.rule = rule,
                               .rule_version = 1,
                               .object_kind = outlet ? ALARM_OUTLET : ALARM_DEVICE,
                               .object_id = outlet ? b->c->outlet[side] : b->c->device[side],
                               .factor = outlet ? LT_LIT("a21026") : LT_LIT(""),
                               .period_at_ms = T0,
                               .period_ms = outlet ? LT_HOUR_MS : 0,
                               .first_at_ms = T0,
                               .last_at_ms = T0,
                               .occurrence = 1,
                               .value = outlet ? 58300000 : LT_FIX_NONE,
                               .limit_value = outlet ? 35000000 : LT_FIX_NONE,
                               .params = outlet ? LT_LIT("{\"standard\":\"GB 13223\"}")
                                                : LT_LIT("{\"minutes\":12,\"cause\":\"link\"}")};
}

static struct alarm_outcome up(struct bench *b, const struct alarm_fact *f, int64_t now)
{
    struct alarm_outcome o = {0};
    struct lt_error err = {0};
    enum lt_err e = alarm_raise(b->c->db, f, now, &o, &err);
    if (e != LT_OK)
        print_error("raise: %s %s %s\n", lt_err_name(e), err.field, err.arg[0]);
    assert_int_equal(e, LT_OK);
    return o;
}

static struct alarm_outcome down(struct bench *b, const struct alarm_fact *f, int64_t at)
{
    struct alarm_outcome o;
    struct lt_error err;
    assert_int_equal(
        alarm_end(b->c->db, f->rule, f->object_kind, f->object_id, f->factor, f->period_at_ms, at, at, &o, &err),
        LT_OK);
    return o;
}

static json_t *item(struct bench *b, int64_t id)
{
    struct jsonw w;
    struct lt_error err;
    jsonw_init(&w, &b->out);
    assert_int_equal(record_json(&b->c->x, kind_of("alarm"), id, alarm_item_extra, &b->c->x, &w, &err), LT_OK);
    return written(&b->out);
}

#define STR(o, k) json_string_value(json_object_get((o), (k)))
#define NUM(o, k) json_integer_value(json_object_get((o), (k)))

static enum lt_err move_as(struct bench *b, const struct auth_ctx *who, int64_t id, const char *name, const char *body)
{
    struct record_ctx x = as(b->c, who);
    struct jsonw w;
    struct lt_error err = {0};
    json_t *v = json_of(body);
    jsonw_init(&w, &b->out);
    enum lt_err e = alarm_move(&x, id, lt_slice_of(name), v, &w, NULL, &err);
    json_decref(v);
    if (e == LT_OK)
        json_decref(written(&b->out));
    lt_buf_clear(&b->out);
    return e;
}

static enum lt_err move(struct bench *b, int64_t id, const char *name, const char *body)
{
    return move_as(b, &b->c->system, id, name, body);
}

static void the_same_fact_again_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct alarm_fact f = fact(b, ALARM_R_HOUR_EXCEED, 0);
    struct alarm_outcome o = up(b, &f, T0 + 5000);
    assert_int_equal(o.change, ALARM_NEW);
    assert_int_equal(o.territory, b->c->county[0]);
    assert_int_equal(o.enterprise, b->c->plant[0]);
    assert_int_equal(o.unit, b->c->unit[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(up(b, &f, T0 + 6000).change, ALARM_UNCHANGED); /* a replay */
    f.occurrence = 9;
    f.last_at_ms = T0 + 60000;
    assert_int_equal(up(b, &f, T0 + 60000).change, ALARM_REPEAT);
    assert_int_equal(up(b, &f, T0 + 60000).change, ALARM_UNCHANGED);
    f.occurrence = 4; /* an older one, delivered late */
    f.last_at_ms = T0 + 30000;
    assert_int_equal(up(b, &f, T0 + 60000).change, ALARM_UNCHANGED);
    json_t *v = item(b, o.id);
    assert_int_equal(NUM(v, "count"), 2);
    assert_string_equal(STR(v, "severity"), "important"); /* the rule's preset */
    assert_string_equal(STR(v, "text"),
                        "SO₂ 小时均值 58.3 mg/m³，超过限值 35 mg/m³，超标 0.67 倍（2026-11-25 08:00–09:00，GB 13223）");
    assert_string_equal(STR(v, "object_name"), "1号排放口");
    assert_string_equal(STR(v, "unit_name"), "甲区分局");
    assert_string_equal(STR(v, "state"), "new");
    assert_int_equal(NUM(v, "device"), b->c->device[0]);
    json_decref(v);
    f.count = 7; /* a rule that counts itself */
    assert_int_equal(up(b, &f, T0 + 61000).change, ALARM_REPEAT);
    assert_int_equal(up(b, &f, T0 + 61000).change, ALARM_UNCHANGED);
    f.count = 5;
    assert_int_equal(up(b, &f, T0 + 61000).change, ALARM_UNCHANGED);
    int64_t n = 0;
    assert_int_equal(sql_get_i64(b->c->db, "SELECT count(*) FROM alarm", NULL, &n, NULL), LT_OK);
    assert_int_equal(n, 1);
}

static void ends_and_comes_back(void **state)
{
    struct bench *b = *state;
    struct alarm_fact f = fact(b, ALARM_R_SILENCE, 0);
    int64_t id = up(b, &f, T0).id;
    assert_int_equal(down(b, &f, T0 - 1).change, ALARM_UNCHANGED); /* an end from before */
    assert_int_equal(down(b, &f, T0 + 1000).change, ALARM_ENDED);
    assert_int_equal(down(b, &f, T0 + 1000).change, ALARM_UNCHANGED);
    assert_int_equal(up(b, &f, T0 + 2000).change, ALARM_UNCHANGED); /* replay of what is over */
    f.last_at_ms = T0 + 5000;
    f.occurrence = 2;
    assert_int_equal(up(b, &f, T0 + 5000).change, ALARM_REPEAT); /* nobody had closed it */
    assert_int_equal(down(b, &f, T0 + 6000).change, ALARM_ENDED);
    assert_int_equal(move(b, id, "sign", "{}"), LT_OK);
    assert_int_equal(move(b, id, "confirm", "{\"outcome\":\"device_fault\"}"), LT_OK);
    assert_int_equal(move(b, id, "close", "{}"), LT_OK);
    f.last_at_ms = T0 + 9000;
    f.occurrence = 3;
    assert_int_equal(up(b, &f, T0 + 9000).change, ALARM_REOPENED);
    json_t *v = item(b, id);
    assert_string_equal(STR(v, "state"), "new");
    assert_string_equal(STR(v, "outcome"), "none");
    assert_true(json_is_true(json_object_get(v, "active")));
    json_decref(v);
    struct lt_error err;
    assert_int_equal(alarm_end_all(b->c->db, ALARM_R_SILENCE, ALARM_DEVICE, b->c->device[0], LT_LIT(""), T0 + 10000,
                                   T0 + 10000, NULL, NULL, &err),
                     LT_OK);
    v = item(b, id);
    assert_true(json_is_false(json_object_get(v, "active")));
    json_decref(v);
    struct alarm_outcome o;
    assert_int_equal(alarm_end(b->c->db, ALARM_R_CONSTANT, ALARM_DEVICE, 77, LT_LIT(""), 0, T0, T0, &o, &err), LT_OK);
    assert_int_equal(o.change, ALARM_UNCHANGED);
}

/* Any order and repetition of a day's facts ends in the same row (repeats counted by the rule itself). */
static void order_and_repetition_do_not_matter(void **state)
{
    struct bench *b = *state;
    struct lt_rand rnd;
    lt_rand_init(&rnd, 5);
    for (int round = 0; round < 20; round++) {
        struct alarm_fact f = fact(b, ALARM_R_CONSTANT, 0);
        f.period_at_ms = T0 + round;
        int64_t id = 0;
        for (int i = 0; i < 30; i++) {
            int64_t k = i < 29 ? (int64_t)lt_rand_below(&rnd, 10) : 9;
            f.count = k + 1;
            f.last_at_ms = T0 + k * 60000;
            id = up(b, &f, T0).id;
        }
        json_t *v = item(b, id);
        assert_int_equal(NUM(v, "count"), 10);
        assert_string_equal(STR(v, "last_at_ms"), "2026-11-25T08:09:00+08:00");
        json_decref(v);
    }
}

static int told;
static void on_told(void *user, const struct alarm_outcome *o)
{
    told++;
}

static int overdue(struct bench *b, int64_t now)
{
    struct lt_error err;
    told = 0;
    assert_int_equal(alarm_overdue(b->c->db, now, LT_TZ_CHINA, on_told, NULL, &err), LT_OK);
    return told;
}

static void suppressions_are_honoured(void **state)
{
    struct bench *b = *state;
    static const char *const kinds[] = {"device", "outlet", "enterprise"};
    const int64_t ids[] = {b->c->device[0], b->c->outlet[0], b->c->plant[0]};
    for (int i = 0; i < 3; i++) {
        int64_t s =
            INSERT(b->c, "suppression", RECORD_SET_Z("object_kind", kinds[i]), RECORD_SET_I("object_id", ids[i]),
                   i == 1 ? RECORD_SET_NULL("rule") : RECORD_SET_Z("rule", "silence"), RECORD_SET_Z("reason", "检修"),
                   RECORD_SET_I("until_at", T0 + LT_HOUR_MS));
        struct alarm_fact f = fact(b, ALARM_R_SILENCE, 0), other = fact(b, ALARM_R_SILENCE, 1);
        f.period_at_ms = other.period_at_ms = T0 + i * 10;
        struct alarm_outcome o = up(b, &f, T0);
        assert_true(o.suppressed);
        assert_false(up(b, &other, T0).suppressed); /* the neighbour's */
        json_t *v = item(b, o.id);
        assert_string_equal(STR(v, "state"), "suppressed");
        assert_string_equal(STR(v, "note"), "检修");
        assert_string_equal(STR(v, "due_at_ms"), "2026-11-25T09:00:00+08:00");
        json_decref(v);
        f.period_at_ms += 1;
        assert_false(up(b, &f, T0 + LT_HOUR_MS).suppressed); /* over */
        struct lt_error err;
        assert_int_equal(record_remove(&b->c->x, kind_of("suppression"), s, 1, &err), LT_OK);
    }
    struct alarm_fact f = fact(b, ALARM_R_SILENCE, 0);
    f.period_at_ms = T0 + 10;
    assert_int_equal(down(b, &f, T0 + 1000).change, ALARM_ENDED);
    assert_true(overdue(b, T0 + LT_HOUR_MS) >= 3);
    int64_t n = 0; /* still true: new again and says so; over: closed */
    assert_int_equal(sql_get_i64(b->c->db, "SELECT count(*) FROM alarm WHERE state = 'new' AND note LIKE '抑制到期%'",
                                 NULL, &n, NULL),
                     LT_OK);
    assert_int_equal(n, 2);
    assert_int_equal(sql_get_i64(b->c->db, "SELECT count(*) FROM alarm WHERE state = 'closed'", NULL, &n, NULL), LT_OK);
    assert_int_equal(n, 1);
}

static void people_suppress_with_reason_and_end(void **state)
{
    struct bench *b = *state;
    struct alarm_fact f = fact(b, ALARM_R_SILENCE, 0);
    struct auth_ctx duty = person("duty", "alarm:*,alarm:read,suppression:read", b->c->county[0], 0);
    int64_t id = up(b, &f, T0).id;
    assert_int_equal(move_as(b, &duty, id, "suppress", "{\"reason\":\"检修\"}"), LT_E_FLOW_NEEDS);
    assert_int_equal(move_as(b, &duty, id, "suppress", "{\"until\":\"2026-11-25T10:00:00+08:00\"}"), LT_E_FLOW_NEEDS);
    assert_int_equal(move_as(b, &duty, id, "suppress", "{\"reason\":\"x\",\"until\":\"2027-11-25T10:00:00+08:00\"}"),
                     LT_E_FIELD_RANGE);
    assert_int_equal(move_as(b, &duty, id, "suppress", "{\"reason\":\"检修\",\"until\":\"2026-11-25T10:00:00+08:00\"}"),
                     LT_OK);
    int64_t n = 0;
    assert_int_equal(sql_get_i64(b->c->db,
                                 "SELECT count(*) FROM suppression WHERE rule = 'silence' AND author = 'duty' AND"
                                 " object_kind = 'device'",
                                 NULL, &n, NULL),
                     LT_OK);
    assert_int_equal(n, 1);
    f.period_at_ms = T0 + 1;
    assert_true(up(b, &f, T0 + 1000).suppressed); /* the next one of the same rule on the same device too */
    assert_int_equal(move_as(b, &duty, id, "reopen", "{\"note\":\"提前结束\"}"), LT_OK);
    b->c->x.now_ms = T0 + 2000;
    f.period_at_ms = T0 + 2;
    assert_false(up(b, &f, T0 + 2000).suppressed); /* ended early: the rule speaks again */
    assert_int_equal(sql_get_i64(b->c->db, "SELECT count(*) FROM suppression WHERE deleted = 0 AND until_at > ?1",
                                 &b->c->x.now_ms, &n, NULL),
                     LT_OK);
    assert_int_equal(n, 0);
    assert_int_equal(sql_get_i64(b->c->db,
                                 "SELECT count(*) FROM record_history WHERE kind = 'suppression' AND action = 'lift'",
                                 NULL, &n, NULL),
                     LT_OK);
    assert_int_equal(n, 1);
}

static void nobody_signs_and_it_goes_up(void **state)
{
    struct bench *b = *state;
    struct alarm_fact f = fact(b, ALARM_R_HOUR_EXCEED, 0);
    f.severity = LT_LIT("urgent");
    int64_t id = up(b, &f, T0).id;
    assert_int_equal(overdue(b, T0 + 30 * LT_MIN_MS - 1), 0);
    assert_int_equal(overdue(b, T0 + 30 * LT_MIN_MS), 1);
    assert_int_equal(overdue(b, T0 + 30 * LT_MIN_MS), 0);
    json_t *v = item(b, id);
    assert_int_equal(NUM(v, "level"), 1);
    json_decref(v);
    b->c->x.now_ms = T0 + 40 * LT_MIN_MS;
    assert_int_equal(move(b, id, "sign", "{}"), LT_OK);
    assert_int_equal(overdue(b, T0 + 70 * LT_MIN_MS), 1); /* signed, but nothing was begun */
    v = item(b, id);
    assert_string_equal(STR(v, "state"), "new");
    assert_int_equal(NUM(v, "level"), 2);
    assert_true(json_is_null(json_object_get(v, "signed_at_ms")));
    json_decref(v);
    b->c->x.now_ms = T0 + 71 * LT_MIN_MS;
    assert_int_equal(move(b, id, "sign", "{}"), LT_OK);
    assert_int_equal(move(b, id, "handle", "{}"), LT_OK);
    assert_int_equal(overdue(b, T0 + 71 * LT_MIN_MS + 3 * LT_HOUR_MS), 1); /* no report */
    v = item(b, id);
    assert_string_equal(STR(v, "state"), "handling"); /* stays with him who has it */
    assert_int_equal(NUM(v, "level"), 3);
    json_decref(v);
    static const struct {
        const char *severity;
        int64_t ms;
    } limits[] = {{"urgent", 30 * LT_MIN_MS}, {"important", 2 * LT_HOUR_MS}, {"normal", 4 * LT_HOUR_MS}};
    for (int i = 0; i < 3; i++) {
        f.severity = lt_slice_of(limits[i].severity);
        f.period_at_ms = T0 + (i + 1) * LT_HOUR_MS;
        id = up(b, &f, T0).id;
        int64_t due = 0;
        assert_int_equal(sql_get_i64(b->c->db, "SELECT due_at_ms FROM alarm WHERE id = ?1", &id, &due, NULL), LT_OK);
        assert_int_equal(due, T0 + limits[i].ms);
    }
}

static const char *meaning(const json_t *rules, const char *code, const char *field)
{
    size_t i, k;
    json_t *rule, *f;
    json_array_foreach(rules, i, rule) if (strcmp(json_string_value(json_object_get(rule, "code")), code) == 0)
        json_array_foreach(json_object_get(rule, "fields"), k,
                           f) if (strcmp(json_string_value(json_object_get(f, "name")), field) ==
                                  0) return json_string_value(json_object_get(f, "label"));
    return NULL;
}

/* Every number a rule starts with says in words what it means to that rule, and no rule asks for "parameter 1". */
static void numbers_of_rules_have_names(void **state)
{
    static const char *const fields[] = {"enter_fix", "leave_fix", "min_duration_min", "param1"};
    struct bench *b = *state;
    struct jsonw w;
    for (int lang = 0; lang < 2; lang++) {
        jsonw_init(&w, &b->out);
        alarm_rules_meta(lang ? LT_EN : LT_ZH, &w);
        json_t *rules = written(&b->out);
        for (int r = 0; r < ALARM_RULE_COUNT; r++)
            for (size_t i = 0; i < 4; i++) {
                const char *code = alarm_rule_code((enum alarm_rule)r), *said = meaning(rules, code, fields[i]);
                char sql[200];
                int64_t given = 0;
                snprintf(sql, sizeof sql, "SELECT count(*) FROM rule WHERE code = '%s' AND %s <> 0", code, fields[i]);
                assert_int_equal(sql_get_i64(b->c->db, sql, NULL, &given, NULL), LT_OK);
                if (given && !said)
                    fail_msg("rule \"%s\" starts with a %s nobody can read", code, fields[i]);
                assert_true(!said || (!strstr(said, "参数") && !strstr(said, "arameter")));
            }
        assert_null(meaning(rules, "disk_fault", "enter_fix"));
        assert_string_equal(meaning(rules, "silence", "param1"), lang ? "and so long more" : "再加宽限");
        json_decref(rules);
    }
}

static void the_table_is_sound(void **state)
{
    struct bench *b = *state;
    struct jsonw w;
    assert_null(flow_check(&alarm_flow));
    jsonw_init(&w, &b->out);
    flow_meta(&alarm_flow, LT_EN, &w);
    json_decref(written(&b->out));
    jsonw_init(&w, &b->out);
    alarm_rules_meta(LT_ZH, &w);
    json_t *v = written(&b->out);
    assert_int_equal(json_array_size(v), ALARM_RULE_COUNT);
    json_decref(v);
    for (int r = 0; r < ALARM_RULE_COUNT; r++) {
        const char *code = alarm_rule_code((enum alarm_rule)r);
        assert_true(strlen(alarm_rule_name((enum alarm_rule)r, LT_ZH)) > 0);
        assert_int_equal(alarm_rule_find(lt_slice_of(code)), r);
        for (int lang = 0; lang < 2; lang++) {
            lt_buf_clear(&b->out);
            alarm_text(lt_slice_of(code), NULL, lang ? LT_EN : LT_ZH, LT_TZ_CHINA, &b->out);
            if (b->out.n == 0 || lt_slice_is(lt_buf_slice(&b->out), code))
                fail_msg("rule \"%s\" has no sentence in alarm_text.c", code);
        }
    }
    int64_t n = 0;
    assert_int_equal(sql_get_i64(b->c->db, "SELECT count(*) FROM rule", NULL, &n, NULL), LT_OK);
    assert_int_equal(n, ALARM_RULE_COUNT);
}

static void sentences(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *rule, *params, *zh, *en;
    } want[] = {
        {"day_exceed",
         "{\"factor\":\"a34013\",\"value\":10.283333,\"limit\":10,\"from\":\"2026-11-24T00:00:00+08:00\","
         "\"to\":\"2026-11-25T00:00:00+08:00\"}",
         "烟尘 日均值 10.28 mg/m³，超过限值 10 mg/m³，超标 0.03 倍（2026-11-24）",
         "Smoke dust daily mean 10.28 mg/m³ exceeds the limit of 10 mg/m³ by a factor of 0.03 (2026-11-24)"},
        {"hour_exceed",
         "{\"factor\":\"a21002\",\"value\":50.001,\"limit\":50,\"from\":\"2026-11-25T23:00:00+08:00\","
         "\"to\":\"2026-11-26T00:00:00+08:00\",\"standard\":\"DB 41/1066\"}",
         "NOₓ 小时均值 50.001 mg/m³，超过限值 50 mg/m³，超标 0.00002 倍（2026-11-25 23:00–24:00，DB 41/1066）",
         "NOₓ hourly mean 50.001 mg/m³ exceeds the limit of 50 mg/m³ by a factor of 0.00002 (2026-11-25 23:00–24:00, "
         "DB 41/1066)"},
        {"hour_exceed", "{}", "? 小时均值 ? ?，超过限值 ? ?（?）", "? hourly mean ? ? exceeds the limit of ? ? (?)"},
        {"silence", "{\"minutes\":12,\"cause\":\"link\"}", "设备已 12 分钟没有数据：通信中断",
         "No data from the device for 12 min: connection lost"},
        {"silence",
         "{\"minutes\":12,\"cause\":\"link\",\"cause_zh\":\"连接于 08:00 断开\",\"cause_en\":\"ended at 08:00\"}",
         "设备已 12 分钟没有数据：连接于 08:00 断开", "No data from the device for 12 min: ended at 08:00"},
        {"silence", "{\"minutes\":12}", "设备已 12 分钟没有数据", "No data from the device for 12 min"},
        {"no_data",
         "{\"factor\":\"a21026\",\"minutes\":40,\"from\":\"2026-11-25T08:00:00+08:00\",\"to\":\"2026-11-25T09:00:00+08:"
         "00\"}",
         "SO₂ 有效数据不足，缺 40 分钟（2026-11-25 08:00–09:00）",
         "SO₂ lacks valid data for 40 min (2026-11-25 08:00–09:00)"},
        {"constant", "{\"factor\":\"a21026\",\"minutes\":180,\"value\":12.5,\"n\":36}",
         "SO₂ 连续 180 分钟数值不变，恒为 12.5 mg/m³（36 个数据）",
         "SO₂ unchanged for 180 min at 12.5 mg/m³ (36 values)"},
        {"out_of_range", "{\"factor\":\"a19001\",\"value\":25.3,\"min\":0,\"max\":25}", "O₂ 25.3 %，超出量程 0–25 %",
         "O₂ 25.3 % lies outside the range of 0–25 %"},
        {"impossible", "{\"factor\":\"a21026\",\"value\":-1,\"what\":\"negative\"}", "SO₂ -1 mg/m³ 不合逻辑：数值为负",
         "SO₂ -1 mg/m³ is impossible: the value is negative"},
        {"flag_abuse", "{\"factor\":\"a21026\",\"flag\":\"M\",\"share\":7.5,\"hours\":54}",
         "SO₂ 标记 M 占本月 7.5%，共 54 小时", "SO₂ carries mark M in 7.5 % of this month, 54 h"},
        {"clock_drift", "{\"seconds\":-725,\"limit_s\":600}", "时钟偏差 -725 秒，允许 600 秒",
         "The clock is off by -725 s, 600 s allowed"},
        {"clock_drift", "{\"step_s\":3600}", "时钟偏差：平台自身时钟跳变 3600 秒，接收时间可能有误，暂不判断各设备时钟",
         "The clock is off: the post's own clock jumped by 3600 s; times of receipt may be wrong, device clocks are "
         "not judged"},
        {"clock_drift", "{\"devices\":12}",
         "时钟偏差：12 台设备的时钟与平台不符，平台自身时钟可能有误，暂不判断各设备时钟",
         "The clock is off: 12 devices disagree with the post's own clock, which may be wrong; device clocks are not "
         "judged"},
        {"double_connection", "{\"n\":2,\"peers\":\"10.0.0.1, 10.0.0.2\"}",
         "同一设备标识有 2 个连接：10.0.0.1, 10.0.0.2", "2 connections use one device number: 10.0.0.1, 10.0.0.2"},
        {"disk_fault", "{\"path\":\"/var/lib\",\"error\":\"EIO\"}", "磁盘故障：/var/lib EIO",
         "Disk fault: /var/lib EIO"},
        {"engine_behind", "{\"seconds\":61,\"records\":123456}", "数据计算滞后 61 秒，积压 123456 条",
         "Evaluation is 61 s behind, 123456 records waiting"},
        {"unheard", "{}", "unheard", "unheard"},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        json_t *v = json_of(want[i].params);
        for (int lang = 0; lang < 2; lang++) {
            lt_buf_clear(&b->out);
            alarm_text(lt_slice_of(want[i].rule), v, lang ? LT_EN : LT_ZH, LT_TZ_CHINA, &b->out);
            lt_buf_addc(&b->out, '\0');
            assert_string_equal(b->out.p, lang ? want[i].en : want[i].zh);
        }
        json_decref(v);
    }
    lt_buf_clear(&b->out);
}

static json_t *board(struct bench *b, const struct auth_ctx *who)
{
    struct record_ctx x = as(b->c, who);
    struct jsonw w;
    struct lt_error err;
    jsonw_init(&w, &b->out);
    assert_int_equal(alarm_board(&x, &w, &err), LT_OK);
    return written(&b->out);
}

static void the_board_shows_the_worst_first(void **state)
{
    struct bench *b = *state;
    static const char *const severities[] = {"normal", "urgent", "important"};
    for (int i = 0; i < 250; i++) {
        struct alarm_fact f = fact(b, i % 5 ? ALARM_R_HOUR_EXCEED : ALARM_R_SILENCE, i % 2);
        f.severity = lt_slice_of(severities[i % 3]);
        f.period_at_ms = T0 - i * LT_HOUR_MS;
        f.first_at_ms = f.last_at_ms = T0 - i * 1000;
        up(b, &f, T0);
    }
    b->c->x.now_ms = T0 + 31 * LT_MIN_MS;
    json_t *v = board(b, &b->c->system);
    const json_t *counts = json_object_get(v, "counts"), *queue = json_object_get(v, "queue"),
                 *groups = json_object_get(v, "groups");
    assert_int_equal(NUM(counts, "urgent") + NUM(counts, "important") + NUM(counts, "normal"), 250);
    assert_int_equal(NUM(counts, "unsigned"), 250);
    assert_int_equal(NUM(counts, "overdue"), NUM(counts, "urgent")); /* half an hour is over for these only */
    assert_int_equal(json_array_size(queue), 200);
    assert_int_equal(NUM(v, "more"), 50);
    assert_int_equal(NUM(v, "feeds_down"), 50);
    assert_int_equal(NUM(v, "oldest_waiting_s"), 31 * 60 + 249);
    int last = 0;
    const char *since = "";
    for (size_t i = 0; i < 200; i++) { /* of one severity the oldest first */
        const char *s = STR(json_array_get(queue, i), "severity"), *at = STR(json_array_get(queue, i), "first_at_ms");
        int rank = strcmp(s, "urgent") == 0 ? 0 : strcmp(s, "important") == 0 ? 1 : 2;
        assert_true(rank >= last);
        assert_true(rank > last || strcmp(at, since) > 0);
        last = rank;
        since = at;
    }
    assert_int_equal(last, 2);
    assert_non_null(STR(json_array_get(queue, 0), "text"));
    assert_int_equal(json_array_size(groups), 4);
    json_int_t sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += NUM(json_array_get(groups, i), "count");
    assert_int_equal(sum, 250);
    json_decref(v);
    struct auth_ctx west = person("west", "alarm:read", b->c->county[0], 0),
                    none = person("none", "", b->c->county[0], 0);
    v = board(b, &west);
    assert_int_equal(NUM(json_object_get(v, "counts"), "unsigned"), 125);
    assert_int_equal(json_array_size(json_object_get(v, "groups")), 2);
    json_decref(v);
    struct record_ctx x = as(b->c, &none);
    struct jsonw w;
    struct lt_error err;
    jsonw_init(&w, &b->out);
    assert_int_equal(alarm_board(&x, &w, &err), LT_E_DENIED);
}

/* Highest memory of SQLite while the board is made, beyond what it holds anyway. */
static int64_t board_peak(struct bench *b, int64_t open)
{
    sqlite3_int64 held, held_after, peak;
    assert_int_equal(sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &held, &peak, 1), SQLITE_OK);
    json_t *v = board(b, &b->c->system);
    assert_int_equal(sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &held_after, &peak, 0), SQLITE_OK);
    assert_int_equal(NUM(json_object_get(v, "counts"), "urgent"), open);
    assert_int_equal(NUM(v, "more"), open - 200);
    assert_int_equal(json_array_size(json_object_get(v, "queue")), 200);
    json_decref(v);
    return peak - held;
}

/* A city with many thousand open alarms: the board counts them all and keeps those it shows. */
static void the_board_of_many_takes_no_more_memory(void **state)
{
    struct bench *b = *state;
    struct lt_error err;
    int64_t few, many;
    assert_int_equal(
        sql_exec(b->c->db,
                 "INSERT INTO alarm(version, created_at_ms, updated_at_ms, key, rule, severity, object_kind, object_id,"
                 " first_at_ms, last_at_ms, active, state, level, due_at_ms, params)"
                 " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
                 " SELECT 1, 1, 1, 'many/' || i, 'disk_fault', 'urgent', 'post', 0, i, i, 1, 'new', 0, 1, '{}' FROM n",
                 &err),
        LT_OK);
    few = board_peak(b, 300);
    few = board_peak(b, 300); /* the first time statements are prepared */
    assert_int_equal(
        sql_exec(b->c->db,
                 "INSERT INTO alarm(version, created_at_ms, updated_at_ms, key, rule, severity, object_kind, object_id,"
                 " first_at_ms, last_at_ms, active, state, level, due_at_ms, params)"
                 " SELECT 1, 1, 1, a.key || '/' || b.key, a.rule, a.severity, a.object_kind, 0, a.first_at_ms + b.id,"
                 " a.last_at_ms, 1, a.state, 0, 1, '{}' FROM alarm a JOIN alarm b ON b.first_at_ms <= 60",
                 &err),
        LT_OK);
    many = board_peak(b, 300 + 300 * 60);
    assert_in_range(many, 0, few + 256 * 1024);
}

static void precision_counts_answers(void **state)
{
    struct bench *b = *state;
    static const char *const answers[] = {"true", "false", "device_fault", NULL};
    for (int i = 0; i < 20; i++) {
        struct alarm_fact f = fact(b, ALARM_R_SILENCE, 0);
        char body[64];
        f.period_at_ms = f.first_at_ms = f.last_at_ms = T0 - i * LT_DAY_MS;
        int64_t id = up(b, &f, T0).id;
        if (!answers[i % 4])
            continue;
        snprintf(body, sizeof body, "{\"outcome\":\"%s\"}", answers[i % 4]);
        assert_int_equal(move(b, id, "sign", "{}"), LT_OK);
        assert_int_equal(move(b, id, "confirm", body), LT_OK);
    }
    struct jsonw w;
    struct lt_error err;
    jsonw_init(&w, &b->out);
    assert_int_equal(alarm_precision(&b->c->x, 9, &w, &err), LT_OK);
    json_t *v = written(&b->out);
    const json_t *r = json_array_get(json_object_get(v, "rules"), ALARM_R_SILENCE);
    assert_int_equal(NUM(r, "fired"), 10);
    assert_int_equal(NUM(r, "confirmed"), 3);
    assert_int_equal(NUM(r, "false"), 3);
    assert_int_equal(NUM(r, "device_fault"), 2);
    assert_int_equal(NUM(r, "unanswered"), 2);
    json_decref(v);
    assert_int_equal(alarm_precision(&b->c->x, 0, &w, &err), LT_E_FIELD_RANGE);
}

static void verdicts_are_kept_once(void **state)
{
    struct bench *b = *state;
    struct alarm_fact f = fact(b, ALARM_R_HOUR_EXCEED, 0);
    struct lt_error err;
    char key[160];
    int64_t id = up(b, &f, T0).id;
    struct lt_slice k = {key, alarm_key(f.rule, f.object_kind, f.object_id, f.factor, f.period_at_ms, key)};
    char want[160];
    snprintf(want, sizeof want, "hour_exceed/outlet/%lld/a21026/%lld", (long long)f.object_id, (long long)T0);
    assert_string_equal(key, want);
    for (int i = 0; i < 4; i++) {
        const struct alarm_verdict v = {.key = k,
                                        .rule = f.rule,
                                        .rule_version = 3,
                                        .at_ms = T0,
                                        .seq = 100 + (uint64_t)(i / 2),
                                        .outcome = LT_LIT("raise"),
                                        .inputs = LT_LIT("{\"value\":60,\"valid_n\":55}")};
        assert_int_equal(alarm_verdict_add(b->c->db, &v, &err), LT_OK);
    }
    struct jsonw w;
    jsonw_init(&w, &b->out);
    assert_int_equal(alarm_verdicts(&b->c->x, id, &w, &err), LT_OK);
    json_t *v = written(&b->out);
    const json_t *items = json_object_get(v, "items"), *first = json_array_get(items, 0);
    assert_int_equal(json_array_size(items), 2);
    assert_int_equal(NUM(first, "rule_version"), 3);
    assert_int_equal(NUM(json_object_get(first, "inputs"), "valid_n"), 55);
    assert_non_null(strstr(STR(first, "text"), "小时均值 60 mg/m³")); /* the verdict's own number */
    json_decref(v);
    struct auth_ctx east = person("east", "alarm:read", b->c->county[1], 0);
    struct record_ctx x = as(b->c, &east);
    jsonw_init(&w, &b->out);
    assert_int_equal(alarm_verdicts(&x, id, &w, &err), LT_E_NOT_FOUND);
}

static void the_post_has_alarms_too(void **state)
{
    struct bench *b = *state;
    struct alarm_fact f = {.rule = ALARM_R_DISK_FAULT,
                           .object_kind = ALARM_POST,
                           .period_at_ms = T0,
                           .first_at_ms = T0,
                           .last_at_ms = T0,
                           .value = LT_FIX_NONE,
                           .limit_value = LT_FIX_NONE,
                           .params = LT_LIT("{\"path\":\"/data\",\"error\":\"EIO\"}")};
    int64_t id = up(b, &f, T0).id;
    struct auth_ctx county = person("county", "alarm:read", b->c->county[0], 0),
                    city = person("city", "alarm:read", b->c->root, 0);
    json_t *v = board(b, &county);
    assert_int_equal(NUM(json_object_get(v, "counts"), "unsigned"), 0);
    json_decref(v);
    v = board(b, &city);
    assert_int_equal(NUM(json_object_get(v, "counts"), "unsigned"), 1);
    json_decref(v);
    v = item(b, id);
    assert_string_equal(STR(v, "object_name"), "平台");
    json_decref(v);
    /* hopeless parameters do not lose the alarm */
    struct lt_buf big = LT_BUF_INIT(1u << 20);
    lt_buf_adds(&big, "{\"x\":\"");
    for (int i = 0; i < 5000; i++)
        lt_buf_addc(&big, 'x');
    lt_buf_adds(&big, "\"}");
    f.params = lt_buf_slice(&big);
    f.period_at_ms = T0 + 1;
    assert_int_equal(up(b, &f, T0).change, ALARM_NEW);
    lt_buf_fini(&big);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_same_fact_again_changes_nothing),
        T(ends_and_comes_back),
        T(order_and_repetition_do_not_matter),
        T(suppressions_are_honoured),
        T(people_suppress_with_reason_and_end),
        T(nobody_signs_and_it_goes_up),
        T(numbers_of_rules_have_names),
        T(the_table_is_sound),
        T(sentences),
        T(the_board_shows_the_worst_first),
        T(the_board_of_many_takes_no_more_memory),
        T(precision_counts_answers),
        T(verdicts_are_kept_once),
        T(the_post_has_alarms_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
