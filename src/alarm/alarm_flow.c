/* The life cycle of an alarm as a table, and what people do with it. */
#include "alarm/alarm_priv.h"
#include "base/text.h"

#include <stdio.h>

#define SUPPRESS_MAX_MS (30 * LT_DAY_MS) /* of one alarm; longer is a matter for the rule or the register */
#define LEVEL_MAX       5                /* duty officer, head of duty, deputy director, director, deputy mayor */
#define BIT(s)          (UINT32_C(1) << (s))

/* Time to sign, and after that to begin: 30 minutes in emergencies (the usual 应急 practice), 2 h, 4 h. */
static const struct flow_limit sign_limits[] = {
    {"urgent", 30 * LT_MIN_MS}, {"important", 2 * LT_HOUR_MS}, {NULL, 4 * LT_HOUR_MS}, {0}};
/* Time to report back: 3 h in emergencies, a day, three days. */
static const struct flow_limit report_limits[] = {
    {"urgent", 3 * LT_HOUR_MS}, {"important", LT_DAY_MS}, {NULL, 3 * LT_DAY_MS}, {0}};

/* Signed but not begun in time: back to `new`, and one level up. */
static unsigned unsigned_again(const struct record_row *row, bool *raise, struct record_set *set, size_t *n)
{
    set[(*n)++] = RECORD_SET_NULL("signed_by");
    set[(*n)++] = RECORD_SET_NULL("signed_at_ms");
    return ALARM_S_NEW;
}

/* A suppression that ends while the condition still holds says so. */
static unsigned suppression_over(const struct record_row *row, bool *raise, struct record_set *set, size_t *n)
{
    bool active = record_i64(row, "active", 0) != 0;
    *raise = false;
    if (active)
        set[(*n)++] = RECORD_SET_Z("note", "抑制到期，异常仍在持续 / suppression ended, the condition still holds");
    return active ? ALARM_S_NEW : ALARM_S_CLOSED;
}

static const struct flow_state states[ALARM_S_COUNT] = {
    [ALARM_S_NEW] = {"new", "New", "新发", "severity", sign_limits, false, NULL},
    [ALARM_S_SIGNED] = {"signed", "Signed", "已签收", "severity", sign_limits, false, unsigned_again},
    [ALARM_S_HANDLING] = {"handling", "In hand", "处置中", "severity", report_limits, false, NULL},
    [ALARM_S_REPORTED] = {.name = "reported", .en = "Reported", .zh = "已反馈"},
    [ALARM_S_CONFIRMED] = {.name = "confirmed", .en = "Confirmed", .zh = "已核实"},
    [ALARM_S_CLOSED] = {.name = "closed", .en = "Closed", .zh = "已关闭"},
    [ALARM_S_SUPPRESSED] = {"suppressed", "Suppressed", "已抑制", NULL, NULL, true, suppression_over},
};

static const struct record_choice outcomes[] = {
    {"true", "Real", "属实"}, {"false", "False alarm", "误报"}, {"device_fault", "Device fault", "设备故障"}, {0}};

static enum lt_err apply_sign(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                              size_t *n, struct lt_error *err)
{
    if (x->who->user_id)
        set[(*n)++] = RECORD_SET_I("signed_by", x->who->user_id);
    set[(*n)++] = RECORD_SET_I("signed_at_ms", x->now_ms);
    return LT_OK;
}

static enum lt_err next_in_force(const struct record_ctx *x, const struct record_row *row, int64_t *ret_id,
                                 struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool some = false;
    enum lt_err e = sql_prepare(x->db,
                                "SELECT id FROM suppression WHERE deleted = 0 AND rule = ?1 AND object_kind = ?2"
                                " AND object_id = ?3 AND until_at > ?4 LIMIT 1",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_text(st, 1, record_text(row, "rule"));
    sql_bind_text(st, 2, record_text(row, "object_kind"));
    sql_bind_i64(st, 3, record_i64(row, "object_id", 0));
    sql_bind_i64(st, 4, x->now_ms);
    e = sql_step(st, &some, err);
    *ret_id = e == LT_OK && some ? sql_col_i64(st, 0) : 0;
    sql_release(&st);
    return e;
}

/* Who re-opens a suppressed alarm wants to hear of the matter again: what keeps its rule quiet on its object ends now.
 * What was declared more widely (all rules, an outlet, an enterprise) is a decision of its own and stays. */
static enum lt_err lift_suppression(const struct record_ctx *x, const struct record_row *row, struct lt_error *err)
{
    const struct record_set now[] = {RECORD_SET_I("until_at", x->now_ms)};
    int64_t id = 0;
    enum lt_err e;
    while ((e = next_in_force(x, row, &id, err)) == LT_OK &&
           id != 0) { /* ends: a lifted one is not in force any more */
        e = record_change(x, record_kind_find(LT_LIT("suppression")), id, 0, "lift", now, 1, err);
        if (e != LT_OK)
            break;
    }
    return e;
}

static enum lt_err apply_reopen(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                                size_t *n, struct lt_error *err)
{
    set[(*n)++] = RECORD_SET_Z("outcome", "none");
    set[(*n)++] = RECORD_SET_NULL("signed_by");
    set[(*n)++] = RECORD_SET_NULL("signed_at_ms");
    return lt_slice_is(record_text(row, "state"), states[ALARM_S_SUPPRESSED].name) ? lift_suppression(x, row, err)
                                                                                   : LT_OK;
}

/* Suppressing an alarm is a suppression of its rule on its object: one list shows all that are in force. */
static enum lt_err apply_suppress(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                                  size_t *n, struct lt_error *err)
{
    struct record_set s[5] = {
        {.field = "rule", .s = record_text(row, "rule")},
        {.field = "object_kind", .s = record_text(row, "object_kind")},
        RECORD_SET_I("object_id", record_i64(row, "object_id", 0)),
    };
    size_t m = 3;
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(set[i].field, "note") == 0)
            s[m++] = (struct record_set){.field = "reason", .s = set[i].s};
        else if (strcmp(set[i].field, "due_at_ms") == 0)
            s[m++] = RECORD_SET_I("until_at", set[i].i);
    }
    int64_t id;
    return record_insert(x, record_kind_find(LT_LIT("suppression")), s, m, &id, err);
}

#define NOTE(must_)                                                                                                    \
    {                                                                                                                  \
        .field = "note", .en = "Note", .zh = "说明", .type = RECORD_TEXT, .required = (must_)                          \
    }

static const struct flow_move moves[] = {
    {.name = "sign",
     .en = "Sign for",
     .zh = "签收",
     .from = BIT(ALARM_S_NEW),
     .to = ALARM_S_SIGNED,
     .permission = "alarm:sign",
     .apply = apply_sign},
    {.name = "handle",
     .en = "Begin",
     .zh = "开始处置",
     .from = BIT(ALARM_S_SIGNED),
     .to = ALARM_S_HANDLING,
     .permission = "alarm:handle",
     .needs = {NOTE(false)},
     .n_needs = 1},
    {.name = "report",
     .en = "Report back",
     .zh = "反馈",
     .from = BIT(ALARM_S_SIGNED) | BIT(ALARM_S_HANDLING),
     .to = ALARM_S_REPORTED,
     .permission = "alarm:handle",
     .needs = {NOTE(true)},
     .n_needs = 1},
    {.name = "confirm",
     .en = "Confirm",
     .zh = "核实",
     .from = BIT(ALARM_S_SIGNED) | BIT(ALARM_S_HANDLING) | BIT(ALARM_S_REPORTED),
     .to = ALARM_S_CONFIRMED,
     .permission = "alarm:confirm",
     .needs = {{.field = "outcome",
                .en = "Finding",
                .zh = "核实结论",
                .type = RECORD_ENUM,
                .required = true,
                .choices = outcomes},
               NOTE(false)},
     .n_needs = 2},
    {.name = "close",
     .en = "Close",
     .zh = "关闭",
     .from = BIT(ALARM_S_CONFIRMED),
     .to = ALARM_S_CLOSED,
     .permission = "alarm:confirm",
     .needs = {NOTE(false)},
     .n_needs = 1},
    {.name = "suppress",
     .en = "Suppress",
     .zh = "抑制",
     .from = BIT(ALARM_S_NEW) | BIT(ALARM_S_SIGNED) | BIT(ALARM_S_HANDLING),
     .to = ALARM_S_SUPPRESSED,
     .permission = "alarm:suppress",
     .needs = {{.field = "reason",
                .en = "Reason",
                .zh = "抑制原因",
                .type = RECORD_TEXT,
                .required = true,
                .store = "note",
                .max_chars = 500},
               {.field = "until",
                .en = "Until",
                .zh = "截止时间",
                .type = RECORD_TIME,
                .required = true,
                .future = true,
                .max_ms = SUPPRESS_MAX_MS,
                .store = "due_at_ms"}},
     .n_needs = 2,
     .apply = apply_suppress},
    {.name = "reopen",
     .en = "Re-open",
     .zh = "重新打开",
     .from = BIT(ALARM_S_REPORTED) | BIT(ALARM_S_CONFIRMED) | BIT(ALARM_S_CLOSED) | BIT(ALARM_S_SUPPRESSED),
     .to = ALARM_S_NEW,
     .permission = "alarm:confirm",
     .needs = {NOTE(true)},
     .n_needs = 1,
     .apply = apply_reopen},
};

const struct flow alarm_flow = {
    .kind = "alarm",
    .state_field = "state",
    .due_field = "due_at_ms",
    .level_field = "level",
    .since_field = "state_at_ms",
    .states = states,
    .n_states = ALARM_S_COUNT,
    .moves = moves,
    .n_moves = sizeof moves / sizeof moves[0],
    .level_max = LEVEL_MAX,
};

enum lt_err alarm_move(const struct record_ctx *x, int64_t id, struct lt_slice move, const json_t *body,
                       struct jsonw *w, struct alarm_outcome *ret, struct lt_error *err)
{
    struct record_ctx own = *x;
    struct alarm_outcome o;
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = flow_move(x, &alarm_flow, id, move, body, err);
    if (e == LT_OK)
        e = alarm_outcome_of(x->db, id, ALARM_REOPENED, &o, err); /* "moved" */
    e = sql_end(x->db, e, err);
    if (e != LT_OK)
        return e;
    if (ret)
        *ret = o;
    return record_json(x, record_kind_find(LT_LIT("alarm")), id, alarm_item_extra, &own, w, err);
}

/* ---- deadlines ---- */

struct overdue {
    struct sql_db *db;
    void (*each)(void *user, const struct alarm_outcome *o);
    void *user;
};

static void tell(void *user, const struct flow_overdue_event *ev)
{
    struct overdue *o = user;
    struct alarm_outcome out;
    if (o->each && alarm_outcome_of(o->db, ev->id, ALARM_REOPENED, &out, NULL) == LT_OK)
        o->each(o->user, &out);
}

enum lt_err alarm_overdue(struct sql_db *db, int64_t now_ms, int tz_min,
                          void (*each)(void *user, const struct alarm_outcome *o), void *user, struct lt_error *err)
{
    struct overdue o = {db, each, user};
    bool more = true;
    enum lt_err e = LT_OK;
    while (e == LT_OK && more)
        e = flow_overdue(db, &alarm_flow, now_ms, tz_min, tell, &o, &more, err);
    return e;
}

/* ---- an alarm as people see it ---- */

static void put_text(const struct record_ctx *x, const struct record_row *row, struct jsonw *w)
{
    struct lt_buf text = LT_BUF_INIT(16384);
    json_t *params = NULL;
    if (jsonr_object(record_text(row, "params"), JSONR_SIZE_MAX, &params, NULL) != LT_OK)
        params = json_object();
    alarm_text(record_text(row, "rule"), params, x->who->lang, x->tz_min, &text);
    jsonw_kslice(w, "text", lt_buf_slice(&text));
    json_decref(params);
    lt_buf_fini(&text);
}

static struct lt_slice object_name(const struct record_ctx *x, const struct record_row *row)
{
    struct lt_slice kind = record_text(row, "object_kind");
    if (lt_slice_is(kind, "post"))
        return lt_slice_of(x->who->lang == LT_EN ? "Command post" : "平台");
    return record_value(row, lt_slice_is(kind, "device") ? "device" : "outlet")->s;
}

static bool settled(struct lt_slice state)
{
    return lt_slice_is(state, "closed") || lt_slice_is(state, "suppressed") || lt_slice_is(state, "confirmed");
}

void alarm_item_extra(void *ctx, const struct record_row *row, struct jsonw *w)
{
    const struct record_ctx *x = ctx;
    int rule = alarm_rule_find(record_text(row, "rule"));
    int64_t since = record_i64(row, "state_at_ms", record_i64(row, "first_at_ms", x->now_ms));
    put_text(x, row, w);
    jsonw_kstr(w, "rule_name", rule < 0 ? "" : alarm_rule_name((enum alarm_rule)rule, x->who->lang));
    jsonw_kslice(w, "object_name", object_name(x, row));
    jsonw_ki64(w, "waiting_s",
               settled(record_text(row, "state")) || since > x->now_ms ? 0 : (x->now_ms - since) / 1000);
    jsonw_key(w, "moves");
    flow_moves(&alarm_flow, row, x->who, w);
}

/* ---- verdicts ---- */

static void put_verdict(const struct record_ctx *x, struct sql_stmt *st, json_t *alarm_params, struct jsonw *w)
{
    struct lt_buf text = LT_BUF_INIT(16384);
    json_t *inputs = NULL;
    struct lt_slice rule = sql_col_text(st, 3);
    jsonw_object(w);
    jsonw_ktime(w, "at", sql_col_i64(st, 0), x->tz_min);
    jsonw_ki64(w, "seq", sql_col_i64(st, 1));
    jsonw_kslice(w, "outcome", sql_col_text(st, 2));
    jsonw_kslice(w, "rule", rule);
    jsonw_ki64(w, "rule_version", sql_col_i64(st, 4));
    if (jsonr_object(sql_col_text(st, 5), JSONR_SIZE_MAX, &inputs, NULL) != LT_OK)
        inputs = json_object();
    jsonw_key(w, "inputs");
    jsonw_tree(w, inputs);
    if (json_object_update_missing(inputs, alarm_params) == 0)
        alarm_text(rule, inputs, x->who->lang, x->tz_min, &text);
    jsonw_kslice(w, "text", lt_buf_slice(&text));
    jsonw_object_end(w);
    json_decref(inputs);
    lt_buf_fini(&text);
}

enum lt_err alarm_verdicts(const struct record_ctx *x, int64_t id, struct jsonw *w, struct lt_error *err)
{
    struct record_row r;
    struct sql_stmt *st = NULL;
    json_t *params = NULL;
    bool row = true;
    enum lt_err e = record_load(x, record_kind_find(LT_LIT("alarm")), id, &r, err);
    if (e != LT_OK)
        return e;
    if (jsonr_object(record_text(&r, "params"), JSONR_SIZE_MAX, &params, NULL) != LT_OK)
        params = json_object();
    e = sql_prepare(x->db,
                    "SELECT at_ms, seq, outcome, rule, rule_version, inputs FROM verdict WHERE alarm_key = ?1"
                    " ORDER BY seq, id LIMIT 500",
                    &st, err);
    if (e == LT_OK) {
        sql_bind_text(st, 1, record_text(&r, "key"));
        jsonw_object(w);
        jsonw_key(w, "items");
        jsonw_array(w);
        while ((e = sql_step(st, &row, err)) == LT_OK && row)
            put_verdict(x, st, params, w);
        jsonw_array_end(w);
        jsonw_object_end(w);
        sql_release(&st);
    }
    json_decref(params);
    record_row_fini(&r);
    return e;
}
