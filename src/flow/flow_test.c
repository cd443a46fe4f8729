/* Tests of flow on a table of its own: random walks against a model written anew, deadlines, races, wrong tables. */
#include "base/rand.h"
#include "flow/flow.h"
#include "record/record_testing.h"

enum { NEW, SIGNED, HANDLING, REPORTED, CONFIRMED, CLOSED, SUPPRESSED };
#define B(s) (UINT32_C(1) << (s))

static const struct flow_limit limits[] = {{"urgent", 30 * LT_MIN_MS}, {NULL, 4 * LT_HOUR_MS}, {0}};

static unsigned back(const struct record_row *row, bool *raise, struct record_set *set, size_t *n)
{
    return NEW;
}

static unsigned lift(const struct record_row *row, bool *raise, struct record_set *set, size_t *n)
{
    *raise = false;
    return record_i64(row, "active", 0) ? NEW : CLOSED;
}

static const struct flow_state states[] = {
    {"new", "New", "新发", "severity", limits, false, NULL},
    {"signed", "Signed", "已签收", "severity", limits, false, back},
    {.name = "handling", .en = "In hand", .zh = "处置中"},
    {.name = "reported", .en = "Reported", .zh = "已反馈"},
    {.name = "confirmed", .en = "Confirmed", .zh = "已核实"},
    {.name = "closed", .en = "Closed", .zh = "已关闭"},
    {"suppressed", "Suppressed", "已抑制", NULL, NULL, true, lift},
};
static const struct record_choice outcomes[] = {{"true", "t", "t"}, {"false", "f", "f"}, {0}};
static const struct flow_move moves[] = {
    {.name = "sign", .en = "sign", .zh = "签收", .from = B(NEW), .to = SIGNED, .permission = "alarm:sign"},
    {.name = "handle", .en = "begin", .zh = "处置", .from = B(SIGNED), .to = HANDLING, .permission = "alarm:handle"},
    {.name = "report",
     .en = "report",
     .zh = "反馈",
     .from = B(SIGNED) | B(HANDLING),
     .to = REPORTED,
     .permission = "alarm:handle",
     .needs = {{.field = "note", .en = "note", .zh = "说明", .type = RECORD_TEXT, .required = true}},
     .n_needs = 1},
    {.name = "confirm",
     .en = "confirm",
     .zh = "核实",
     .from = B(REPORTED),
     .to = CONFIRMED,
     .permission = "alarm:confirm",
     .needs = {{.field = "outcome",
                .en = "finding",
                .zh = "结论",
                .type = RECORD_ENUM,
                .required = true,
                .choices = outcomes}},
     .n_needs = 1},
    {.name = "close", .en = "close", .zh = "关闭", .from = B(CONFIRMED), .to = CLOSED, .permission = "alarm:confirm"},
    {.name = "suppress",
     .en = "suppress",
     .zh = "抑制",
     .from = B(NEW),
     .to = SUPPRESSED,
     .permission = "alarm:suppress",
     .needs = {{.field = "until",
                .en = "until",
                .zh = "至",
                .type = RECORD_TIME,
                .required = true,
                .future = true,
                .max_ms = LT_DAY_MS,
                .store = "due_at_ms"}},
     .n_needs = 1},
    {.name = "reopen",
     .en = "reopen",
     .zh = "重开",
     .from = B(CLOSED) | B(CONFIRMED) | B(SUPPRESSED),
     .to = NEW,
     .permission = "alarm:confirm"},
};
static const struct flow table = {.kind = "alarm",
                                  .state_field = "state",
                                  .due_field = "due_at_ms",
                                  .level_field = "level",
                                  .since_field = "state_at_ms",
                                  .states = states,
                                  .n_states = 7,
                                  .moves = moves,
                                  .n_moves = 7,
                                  .level_max = 3};

static int64_t make(struct city *c, const char *severity, int active)
{
    static int n;
    char key[32];
    struct record_set set[12] = {RECORD_SET_Z("rule", "silence"),         RECORD_SET_Z("object_kind", "device"),
                                 RECORD_SET_I("object_id", c->device[0]), RECORD_SET_I("territory", c->county[0]),
                                 RECORD_SET_Z("severity", severity),      RECORD_SET_I("active", active)};
    size_t k = 6;
    snprintf(key, sizeof key, "k%d", n++);
    set[k++] = (struct record_set){.field = "key", .s = lt_slice_of(key)};
    k += flow_enter(&c->x, &table, NEW, lt_slice_of(severity), set + k);
    return insert(c, "alarm", set, k);
}

static struct record_row load(struct city *c, int64_t id)
{
    struct record_row r;
    struct lt_error err;
    assert_int_equal(record_load(&c->x, kind_of("alarm"), id, &r, &err), LT_OK);
    return r;
}

static enum lt_err move(struct record_ctx *x, int64_t id, const char *name, const char *body, struct lt_error *err)
{
    json_t *v = json_of(body);
    enum lt_err e = flow_move(x, &table, id, lt_slice_of(name), v, err);
    json_decref(v);
    return e;
}

static void moves_need_right_state_and_fields(void **state)
{
    struct city *c = city_make(":memory:");
    struct auth_ctx who = person("duty", "alarm:read,alarm:sign,alarm:handle", c->county[0], 0);
    struct auth_ctx other = person("other", "alarm:*", c->county[1], 0), boss = person("boss", "alarm:*", c->root, 0);
    struct record_ctx x = as(c, &who), far = as(c, &other), top = as(c, &boss);
    struct lt_error err;
    int64_t id = make(c, "urgent", 1);
    assert_int_equal(move(&x, id, "report", "{\"note\":\"n\"}", &err), LT_E_FLOW_MOVE);
    assert_string_equal(err.arg[0], "report");
    assert_int_equal(move(&far, id, "sign", "{}", &err), LT_E_NOT_FOUND);
    assert_int_equal(move(&x, id, "fly", "{}", &err), LT_E_NOT_FOUND);
    assert_int_equal(move(&x, id, "sign", "{}", &err), LT_OK);
    assert_int_equal(move(&x, id, "sign", "{}", &err), LT_E_FLOW_MOVE);
    assert_int_equal(move(&x, id, "report", "{}", &err), LT_E_FLOW_NEEDS);
    assert_int_equal(move(&x, id, "report", "{\"note\":\"\"}", &err), LT_E_FLOW_NEEDS);
    assert_int_equal(move(&x, id, "report", "{\"note\":\" \\t\\n\u3000 \"}", &err), LT_E_FLOW_NEEDS);
    assert_int_equal(move(&x, id, "report", "{\"note\":5}", &err), LT_E_FIELD_TYPE);
    assert_int_equal(move(&x, id, "report", "{\"note\":\"去过了\"}", &err), LT_OK);
    assert_int_equal(move(&x, id, "confirm", "{\"outcome\":\"true\"}", &err), LT_E_DENIED);
    assert_int_equal(move(&top, id, "confirm", "{\"outcome\":\"perhaps\"}", &err), LT_E_FIELD_CHOICE);
    assert_int_equal(move(&top, id, "confirm", "{\"outcome\":\"true\"}", &err), LT_OK);
    struct record_row r = load(c, id);
    assert_true(lt_slice_is(record_text(&r, "note"), "去过了"));
    assert_true(lt_slice_is(record_text(&r, "outcome"), "true"));
    assert_true(record_value(&r, "due_at_ms")->null);
    record_row_fini(&r);
    id = make(c, "urgent", 1);
    assert_int_equal(move(&top, id, "suppress", "{\"until\":\"2026-11-25T07:00:00+08:00\"}", &err), LT_E_FIELD_RANGE);
    char text[200];
    lt_error_text(&err, LT_ZH, text, sizeof text);
    assert_non_null(strstr(text, "应在 现在 与 此后 1 天 之间"));
    assert_int_equal(move(&top, id, "suppress", "{\"until\":\"2026-12-25T07:00:00+08:00\"}", &err), LT_E_FIELD_RANGE);
    assert_int_equal(move(&top, id, "suppress", "{\"until\":\"2026-11-25T10:00:00+08:00\"}", &err), LT_OK);
    city_free(c);
}

static void handled(void *user, const struct flow_overdue_event *e)
{
    ++*(int *)user;
}

/* How many deadlines were handled. */
static int overdue(struct city *c, int64_t now_ms)
{
    struct lt_error err;
    int n = 0;
    bool more;
    assert_int_equal(flow_overdue(c->db, &table, now_ms, LT_TZ_CHINA, handled, &n, &more, &err), LT_OK);
    assert_int_equal(more, n >= 200);
    return n;
}

static void deadlines_raise_and_reopen(void **state)
{
    struct city *c = city_make(":memory:");
    struct lt_error err;
    int64_t id = make(c, "urgent", 1);
    assert_int_equal(overdue(c, T0 + 30 * LT_MIN_MS - 1), 0);
    for (int level = 1; level <= 3; level++) { /* unsigned: a level up each time, since when it waits does not change */
        assert_int_equal(overdue(c, T0 + level * 30 * LT_MIN_MS), 1);
        struct record_row r = load(c, id);
        assert_int_equal(record_i64(&r, "level", 0), level);
        assert_int_equal(record_i64(&r, "state_at_ms", 0), T0);
        assert_int_equal(record_i64(&r, "due_at_ms", 0), T0 + (level + 1) * 30 * LT_MIN_MS);
        record_row_fini(&r);
    }
    assert_int_equal(overdue(c, T0 + 120 * LT_MIN_MS), 0); /* nobody above is left; it stays overdue */
    assert_int_equal(overdue(c, T0 + 90 * LT_DAY_MS), 0);
    struct record_row last = load(c, id);
    assert_int_equal(record_i64(&last, "level", 0), 3);
    assert_int_equal(record_i64(&last, "due_at_ms", 0), T0 + 120 * LT_MIN_MS);
    record_row_fini(&last);
    id = make(c, "normal", 1);
    assert_int_equal(move(&c->x, id, "sign", "{}", &err), LT_OK);
    assert_int_equal(overdue(c, T0 + 4 * LT_HOUR_MS), 1);
    struct record_row r = load(c, id);
    assert_true(lt_slice_is(record_text(&r, "state"), "new"));
    assert_int_equal(record_i64(&r, "level", 0), 1);
    record_row_fini(&r);
    for (int active = 0; active < 2; active++) { /* the end of a suppression */
        id = make(c, "normal", active);
        assert_int_equal(move(&c->x, id, "suppress", "{\"until\":\"2026-11-25T09:00:00+08:00\"}", &err), LT_OK);
        assert_int_equal(overdue(c, T0 + LT_HOUR_MS), 1);
        r = load(c, id);
        assert_true(lt_slice_is(record_text(&r, "state"), active ? "new" : "closed"));
        assert_int_equal(record_i64(&r, "level", 0), 0);
        record_row_fini(&r);
    }
    city_free(c);
}

/* The model: a line of the table in plain words. */
static int model_move(int from, const char *name, bool complete)
{
    static const struct {
        const char *name;
        int from, to;
        bool needs;
    } rows[] = {{"sign", NEW, SIGNED, false},           {"handle", SIGNED, HANDLING, false},
                {"report", SIGNED, REPORTED, true},     {"report", HANDLING, REPORTED, true},
                {"confirm", REPORTED, CONFIRMED, true}, {"close", CONFIRMED, CLOSED, false},
                {"suppress", NEW, SUPPRESSED, true},    {"reopen", CLOSED, NEW, false},
                {"reopen", CONFIRMED, NEW, false},      {"reopen", SUPPRESSED, NEW, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].from == from && strcmp(rows[i].name, name) == 0)
            return rows[i].needs && !complete ? -1 : rows[i].to;
    return -1;
}

static void random_walks_follow_the_model(void **state)
{
    struct city *c = city_make(":memory:");
    struct lt_rand rnd;
    lt_rand_init(&rnd, 7);
    unsigned done[7] = {0}, refused = 0;
    for (int walk = 0; walk < 40; walk++) {
        int64_t id = make(c, walk % 2 ? "urgent" : "normal", 1), changes = 1;
        int at = NEW;
        for (int step = 0; step < 30; step++) {
            const char *name = moves[lt_rand_below(&rnd, 7)].name;
            bool complete = lt_rand_below(&rnd, 3) > 0;
            char body[160], until[40];
            struct lt_error err = {0};
            lt_time_format_iso(c->x.now_ms + LT_HOUR_MS, LT_TZ_CHINA, until);
            snprintf(body, sizeof body, "{\"note\":\"n\",\"outcome\":\"false\",\"until\":\"%s\"}", until);
            int to = model_move(at, name, complete);
            enum lt_err e = move(&c->x, id, name, complete ? body : "{}", &err);
            assert_int_equal(e == LT_OK, to >= 0);
            if (to < 0) {
                assert_true(e == LT_E_FLOW_MOVE || e == LT_E_FLOW_NEEDS);
                refused++;
            } else {
                changes++;
                done[to]++;
                at = to;
            }
            struct record_row r = load(c, id);
            assert_int_equal(flow_state_find(&table, record_text(&r, "state")), at);
            assert_int_equal(r.version, changes); /* every move is one version, a refused one is none */
            bool has_due = at == NEW || at == SIGNED || at == SUPPRESSED;
            assert_int_equal(!record_value(&r, "due_at_ms")->null, has_due);
            if (has_due)
                assert_true(record_i64(&r, "due_at_ms", 0) > record_i64(&r, "state_at_ms", 0));
            record_row_fini(&r);
        }
    }
    for (int i = 0; i < 7; i++)
        assert_true(done[i] > 0); /* the walks came everywhere */
    assert_true(refused > 100);
    int64_t rows = 0, bad = 0;
    struct lt_error err;
    assert_int_equal(audit_verify(c->db, &rows, &bad, &err), LT_OK);
    city_free(c);
}

static void wrong_tables_are_told(void **state)
{
    assert_null(flow_check(&table));
    struct flow f = table;
    f.n_moves = 6; /* without reopen all states are still reached */
    assert_null(flow_check(&f));
    f.n_moves = 3;
    assert_string_equal(flow_check(&f), "a state cannot be reached");
    f = table;
    f.due_field = "nonsense";
    assert_non_null(flow_check(&f));
    struct flow_move twice[2] = {moves[0], moves[0]};
    f = table;
    f.moves = twice;
    f.n_moves = 2;
    assert_string_equal(flow_check(&f), "sign");
}

static void descriptions_are_json(void **state)
{
    struct city *c = city_make(":memory:");
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    jsonw_init(&w, &b);
    flow_meta(&table, LT_ZH, &w);
    json_t *v = written(&b);
    assert_int_equal(json_array_size(json_object_get(v, "states")), 7);
    const json_t *m = json_array_get(json_object_get(v, "moves"), 3);
    assert_string_equal(json_string_value(json_object_get(m, "label")), "核实");
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(m, "needs"), 0), "choices")), 2);
    json_decref(v);
    struct auth_ctx who = person("p", "alarm:sign", c->root, 0);
    struct record_row r = load(c, make(c, "normal", 1));
    jsonw_init(&w, &b);
    flow_moves(&table, &r, &who, &w);
    v = written(&b);
    assert_int_equal(json_array_size(v), 1); /* may not suppress */
    json_decref(v);
    record_row_fini(&r);
    lt_buf_fini(&b);
    city_free(c);
}

static int64_t at(const char *iso)
{
    int64_t ms = 0;
    assert_true(lt_time_parse_iso(lt_slice_of(iso), LT_TZ_CHINA, &ms));
    return ms;
}

static void mark(struct city *c, const char *day, const char *kind)
{
    const struct record_set set[] = {RECORD_SET_I("day", at(day)), RECORD_SET_Z("kind", kind)};
    insert(c, "work_calendar", set, 2);
}

/* From, minutes, to: a week with a weekend, then one with a holiday made up for on the Saturday before. */
static void working_time(void **state)
{
    static const struct {
        const char *from;
        int64_t minutes;
        const char *to, *marked;
    } rows[] = {
        {"2026-11-26T08:00", 60, "2026-11-26T09:00", NULL},                 /* a Thursday */
        {"2026-11-26T11:30", 60, "2026-11-26T14:30", NULL},                 /* over noon */
        {"2026-11-26T12:30", 1, "2026-11-26T14:01", NULL},                  /* begun at noon */
        {"2026-11-26T03:00", 240, "2026-11-26T12:00", NULL},                /* exactly half a day */
        {"2026-11-27T17:30", 60, "2026-11-30T08:30", "2026-11-28T08:30"},   /* Friday evening */
        {"2026-11-28T10:00", 480, "2026-11-30T18:00", "2026-12-01T10:00"},  /* on a Saturday */
        {"2026-11-27T18:00", 480, "2026-11-30T18:00", "2026-11-28T18:00"},  /* a working day is 480 minutes */
        {"2026-11-27T08:00", 2400, "2026-12-03T18:00", "2026-12-03T18:00"}, /* five of them */
    };
    for (int marked = 0; marked < 2; marked++) {
        struct city *c = city_make(":memory:");
        if (marked) {
            mark(c, "2026-11-28", "workday"); /* 调休 */
            mark(c, "2026-11-30", "holiday"); /* 节假日 */
        }
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const char *to = marked && rows[i].marked ? rows[i].marked : rows[i].to;
            assert_int_equal(flow_working(c->db, at(rows[i].from), rows[i].minutes, c->x.now_ms, LT_TZ_CHINA), at(to));
        }
        city_free(c);
    }
}

/* Summer hours from a day on, winter hours from another, and both as they were entered. */
static void office_hours(void **state)
{
    struct city *c = city_make(":memory:");
    const struct record_set summer[] = {RECORD_SET_I("day", at("2026-06-01")), RECORD_SET_Z("kind", "usual"),
                                        RECORD_SET_Z("hours", "08:30-12:00,15:00-18:30")};
    const struct record_set winter[] = {RECORD_SET_I("day", at("2026-10-01")), RECORD_SET_Z("kind", "holiday"),
                                        RECORD_SET_Z("hours", "08:30-12:00,14:00-17:30")};
    const struct record_set wrong[] = {RECORD_SET_I("day", at("2026-11-01")), RECORD_SET_Z("kind", "usual"),
                                       RECORD_SET_Z("hours", "08:30-12:00,11:00-17:30")};
    static const struct {
        const char *from, *to;
        int64_t minutes;
    } rows[] = {{"2026-05-29T11:00", "2026-05-29T14:30", 90},  /* a Friday of before */
                {"2026-05-29T17:00", "2026-06-01T10:00", 150}, /* over the change */
                {"2026-06-02T11:00", "2026-06-02T15:30", 90},
                {"2026-09-30T18:00", "2026-10-02T09:00", 60}, /* 1 October is free, and its hours hold after it */
                {"2026-11-26T11:00", "2026-11-26T14:30", 90}};
    struct lt_error err;
    int64_t id;
    insert(c, "work_calendar", summer, 3);
    insert(c, "work_calendar", winter, 3);
    assert_int_not_equal(record_insert(&c->x, kind_of("work_calendar"), wrong, 3, &id, &err), LT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(flow_working(c->db, at(rows[i].from), rows[i].minutes, c->x.now_ms, LT_TZ_CHINA),
                         at(rows[i].to));
    city_free(c);
}

static int64_t due_of(struct city *c, const char *severity, int64_t now_ms)
{
    struct record_ctx x = c->x;
    x.now_ms = now_ms;
    return flow_due(&x, &table, NEW, lt_slice_of(severity));
}

/* The record goes before the table; the past keeps the limits it had. */
static void deadlines_are_records(void **state)
{
    struct city *c = city_make(":memory:");
    const int64_t t0 = c->x.now_ms;
    struct record_set all[] = {RECORD_SET_Z("flow", "alarm"), RECORD_SET_Z("state", "new"),
                               RECORD_SET_I("minutes", 90)};
    struct record_set urgent[] = {RECORD_SET_Z("flow", "alarm"), RECORD_SET_Z("state", "new"),
                                  RECORD_SET_Z("severity", "urgent"), RECORD_SET_I("minutes", 45)};
    struct record_set other[] = {RECORD_SET_Z("flow", "alarm"), RECORD_SET_Z("state", "handling"),
                                 RECORD_SET_I("minutes", 7)};
    struct lt_error err;
    assert_int_equal(due_of(c, "urgent", t0), t0 + 30 * LT_MIN_MS);
    assert_int_equal(due_of(c, "normal", t0), t0 + 4 * LT_HOUR_MS);
    c->x.now_ms = t0 + LT_HOUR_MS;
    insert(c, "deadline", other, 3);
    int64_t id = insert(c, "deadline", urgent, 4);
    insert(c, "deadline", all, 3);
    const int64_t t1 = t0 + 2 * LT_HOUR_MS;
    assert_int_equal(due_of(c, "urgent", t1), t1 + 45 * LT_MIN_MS);
    assert_int_equal(due_of(c, "normal", t1), t1 + 90 * LT_MIN_MS);
    assert_int_equal(due_of(c, "urgent", t0), t0 + 30 * LT_MIN_MS); /* it was not there yet */
    c->x.now_ms = t0 + 3 * LT_HOUR_MS;
    const struct record_set slower[] = {RECORD_SET_I("minutes", 600), RECORD_SET_Z("calendar", "working")};
    assert_int_equal(record_change(&c->x, kind_of("deadline"), id, 0, "update", slower, 2, &err), LT_OK);
    assert_int_equal(due_of(c, "urgent", t1), t1 + 45 * LT_MIN_MS); /* the same as before the change */
    const int64_t t2 = t0 + 4 * LT_HOUR_MS;
    assert_int_equal(due_of(c, "urgent", t2), flow_working(c->db, t2, 600, t2, LT_TZ_CHINA));
    mark(c, "2026-11-26", "holiday");
    assert_int_equal(due_of(c, "urgent", t1), t1 + 45 * LT_MIN_MS);
    city_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_need_right_state_and_fields),
        cmocka_unit_test(deadlines_raise_and_reopen),
        cmocka_unit_test(random_walks_follow_the_model),
        cmocka_unit_test(working_time),
        cmocka_unit_test(office_hours),
        cmocka_unit_test(deadlines_are_records),
        cmocka_unit_test(wrong_tables_are_told),
        cmocka_unit_test(descriptions_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
