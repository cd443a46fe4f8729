/* The authorisation matrix, made from the declarations: every kind × every role × own or other territory × read, write,
 * delete. What is expected is computed from the role's list and the place of the record, not from the code under test.
 */
#include "record/record_testing.h"

/* The preset roles' lists in short: what matters is each shape of permission. */
static const struct role {
    const char *name, *permissions;
    bool plant;
} roles[] = {
    {"none", "", false},
    {"reader", "*:read", false},
    {"writer", "*:read,*:write", false},
    {"keeper", "*:*", false},
    {"devices", "device:read,device:write,outlet:read", false},
    {"people", "user:*,role:*,audit:read", false},
    {"admin", "*", false},
    {"plant",
     "enterprise:read,outlet:read,device:read,process_state:read,process_state:write,alarm:read,rule:read,"
     "territory:read,suppression:read,suppression:write",
     true},
    {"plant_all", "*", true},
};

static bool listed(const char *permissions, const char *kind, const char *verb)
{
    char all[80], any_kind[80], any_verb[80];
    bool people = strcmp(kind, "user") == 0 || strcmp(kind, "role") == 0;
    snprintf(all, sizeof all, ",%s:%s,", kind, verb);
    snprintf(any_kind, sizeof any_kind, ",*:%s,", verb);
    snprintf(any_verb, sizeof any_verb, ",%s:*,", kind);
    char list[600];
    snprintf(list, sizeof list, ",%s,", permissions);
    return strstr(list, ",*,") || strstr(list, all) || strstr(list, any_verb) ||
           (!people && (strstr(list, any_kind) || strstr(list, ",*:*,")));
}

struct world {
    struct city *c;
    int64_t record[32][2]; /* per kind, in territory 0 and 1 */
};

/* One record of every kind on each side. */
static void fill(struct world *w)
{
    struct city *c = w->c;
    int64_t role = INSERT(c, "role", RECORD_SET_Z("code", "r"), RECORD_SET_Z("name", "r"));
    int64_t rule = INSERT(c, "rule", RECORD_SET_Z("code", "silence"));
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "matrix%d", i);
        int64_t station = INSERT(c, "station", RECORD_SET_Z("code", name), RECORD_SET_Z("name", name),
                                 RECORD_SET_Z("type", "county"), RECORD_SET_I("territory", c->county[i]));
        int64_t person = INSERT(c, "person", RECORD_SET_Z("name", name), RECORD_SET_I("unit", c->unit[i]));
        const struct {
            const char *kind;
            int64_t id;
        } made[] = {
            {"territory", c->county[i]},
            {"unit", c->unit[i]},
            {"person", person},
            {"enterprise", c->plant[i]},
            {"outlet", c->outlet[i]},
            {"device", c->device[i]},
            {"factor_limit",
             INSERT(c, "factor_limit", RECORD_SET_I("outlet", c->outlet[i]), RECORD_SET_Z("factor", "a21026"),
                    RECORD_SET_I("limit_value", 35000000), RECORD_SET_I("valid_from", T0))},
            {"process_state", INSERT(c, "process_state", RECORD_SET_I("outlet", c->outlet[i]),
                                     RECORD_SET_Z("state", "fault"), RECORD_SET_I("begin_at", T0))},
            {"rule", rule},
            {"deadline", INSERT(c, "deadline", RECORD_SET_Z("flow", "alarm"), RECORD_SET_Z("state", "new"),
                                RECORD_SET_Z("severity", i ? "urgent" : "normal"), RECORD_SET_I("minutes", 30))},
            {"work_calendar", INSERT(c, "work_calendar", RECORD_SET_I("day", T0 - 8 * LT_HOUR_MS + i * LT_DAY_MS),
                                     RECORD_SET_Z("kind", "holiday"))},
            {"suppression",
             INSERT(c, "suppression", RECORD_SET_Z("object_kind", "device"), RECORD_SET_I("object_id", c->device[i]),
                    RECORD_SET_Z("reason", "r"), RECORD_SET_I("until_at", T0 + LT_DAY_MS))},
            {"role", role},
            {"user",
             INSERT(c, "user", RECORD_SET_Z("login", name), RECORD_SET_Z("name", name), RECORD_SET_I("role", role),
                    RECORD_SET_I("territory", c->county[i]), RECORD_SET_I("enterprise", c->plant[i]))},
            {"alarm", INSERT(c, "alarm", RECORD_SET_Z("key", name), RECORD_SET_Z("rule", "silence"),
                             RECORD_SET_Z("severity", "normal"), RECORD_SET_Z("object_kind", "device"),
                             RECORD_SET_I("object_id", c->device[i]), RECORD_SET_I("territory", c->county[i]),
                             RECORD_SET_I("enterprise", c->plant[i]))},
            {"command", INSERT(c, "command", RECORD_SET_I("device", c->device[i]), RECORD_SET_I("cn", 1062))},
            {"station", station},
            {"air_event", INSERT(c, "air_event", RECORD_SET_I("territory", c->county[i]), RECORD_SET_I("day_from", T0),
                                 RECORD_SET_I("day_to", T0), RECORD_SET_Z("decided_by", "r"))},
            {"air_mapping", INSERT(c, "air_mapping", RECORD_SET_Z("name", name), RECORD_SET_Z("signature", "time"),
                                   RECORD_SET_Z("columns", "{}"))},
            {"air_review", INSERT(c, "air_review", RECORD_SET_I("station", station), RECORD_SET_Z("items", "PM25"),
                                  RECORD_SET_I("from_at", T0), RECORD_SET_I("to_at", T0 + LT_HOUR_MS),
                                  RECORD_SET_Z("action", "confirm"), RECORD_SET_Z("reason", "r"))},
            {"air_target", INSERT(c, "air_target", RECORD_SET_Z("name", name), RECORD_SET_I("territory", c->county[i]),
                                  RECORD_SET_I("enterprise", c->plant[i]), RECORD_SET_Z("indicator", "pm25"),
                                  RECORD_SET_Z("period", "year"), RECORD_SET_I("start_day", T0),
                                  RECORD_SET_I("end_day", T0), RECORD_SET_I("value", 38000000))},
            {"rank_scheme", INSERT(c, "rank_scheme", RECORD_SET_Z("code", name), RECORD_SET_Z("name", name),
                                   RECORD_SET_Z("member", "county"), RECORD_SET_Z("keys", "composite"))},
            {"peer_figure", INSERT(c, "peer_figure", RECORD_SET_Z("peer_group", "168"), RECORD_SET_Z("city", name),
                                   RECORD_SET_I("from_day", T0), RECORD_SET_I("to_day", T0))},
            {"evidence", INSERT(c, "evidence", RECORD_SET_Z("name", name), RECORD_SET_I("enterprise", c->plant[i]),
                                RECORD_SET_I("territory", c->county[i]), RECORD_SET_I("sealed_at_ms", T0),
                                RECORD_SET_Z("sha256", "0"), RECORD_SET_Z("sm3", "0"))},
            {"legal_hold", INSERT(c, "legal_hold", RECORD_SET_Z("object_kind", "device"),
                                  RECORD_SET_I("object_id", c->device[i]), RECORD_SET_Z("reason", "r"))},
            {"replay", INSERT(c, "replay", RECORD_SET_I("territory", c->county[i]), RECORD_SET_I("day_from", T0),
                              RECORD_SET_I("day_to", T0))},
            {"draw", INSERT(c, "draw", RECORD_SET_Z("name", name), RECORD_SET_I("territory", c->county[i]),
                            RECORD_SET_I("pick", 1), RECORD_SET_I("team", 1), RECORD_SET_Z("public_source", "p"),
                            RECORD_SET_Z("list_sha256", "0"), RECORD_SET_Z("seed_sha256", "0"),
                            RECORD_SET_I("committed_at", T0))},
            {"draw_weight", INSERT(c, "draw_weight", RECORD_SET_Z("class", "risk"), RECORD_SET_Z("value", name),
                                   RECORD_SET_I("weight", 1))},
            {"draw_conflict",
             INSERT(c, "draw_conflict", RECORD_SET_I("person", person), RECORD_SET_I("enterprise", c->plant[i]))},
        };
        assert_int_equal(sizeof made / sizeof made[0], record_kind_count()); /* a new kind must be added here */
        for (size_t k = 0; k < record_kind_count(); w->record[k][i] = made[k].id, k++)
            assert_string_equal(made[k].kind, record_kind_at(k)->name);
    }
}

static bool own_side(const struct record_kind *k, const struct role *r, int side, bool strict)
{
    if (!k->territory && !k->object)
        return true; /* rules and roles belong to nobody's territory */
    if (k->open_read && !strict)
        return true;
    if (r->plant) /* a plant's user sees its own plant only, and nothing of kinds that do not belong to plants */
        return side == 0 && (k->enterprise || k->object);
    return side == 0;
}

static bool may_see(const struct record_kind *k, const struct role *r, int side)
{
    return listed(r->permissions, k->name, "read") && own_side(k, r, side, false);
}

struct seen {
    int64_t id;
    bool found;
};

static bool on_row(void *user, const struct record_row *row)
{
    struct seen *s = user;
    s->found = s->found || row->id == s->id;
    return true;
}

static unsigned cells;

static void check_read(struct record_ctx *x, const struct record_kind *k, const struct role *r, int64_t id, int side)
{
    struct record_row row;
    struct lt_error err = {0};
    struct record_query q = {0};
    struct seen s = {id, false};
    struct lt_buf b = LT_BUF_INIT(4u << 20);
    struct jsonw w;
    bool want = may_see(k, r, side);
    enum lt_err e = record_load(x, k, id, &row, &err);
    if (e == LT_OK)
        record_row_fini(&row);
    if ((e == LT_OK) != want)
        print_error("%s reads %s on side %d: %s\n", r->name, k->name, side, lt_err_name(e));
    assert_int_equal(e == LT_OK, want);
    if (e != LT_OK) /* another's record looks as if it did not exist */
        assert_int_equal(e, listed(r->permissions, k->name, "read") ? LT_E_NOT_FOUND : LT_E_DENIED);
    e = record_each(x, k, &q, on_row, &s, &err);
    assert_int_equal(e == LT_OK && s.found, want);
    jsonw_init(&w, &b);
    e = record_history(x, k, id, &w, &err);
    assert_int_equal(e == LT_OK, want);
    lt_buf_clear(&b);
    e = record_export(x, k, &q, RECORD_CSV, &b, &err);
    assert_int_equal(e == LT_OK, listed(r->permissions, k->name, "read"));
    lt_buf_fini(&b);
    cells += 4;
}

/* The field that can be changed without other rules coming in. */
static const char *change_body(const struct record_kind *k)
{
    static const struct {
        const char *kind, *body;
    } bodies[] = {{"device", "\"note\":\"n\""},          {"factor_limit", "\"standard\":\"n\""},
                  {"process_state", "\"reason\":\"n\""}, {"rule", "\"min_duration_min\":7"},
                  {"suppression", "\"reason\":\"n\""},   {"peer_figure", "\"source\":\"n\""},
                  {"air_event", "\"note\":\"n\""},       {"legal_hold", "\"reason\":\"n\""},
                  {"draw_weight", "\"weight\":7"},       {"draw_conflict", "\"note\":\"n\""},
                  {"deadline", "\"note\":\"n\""},        {"work_calendar", "\"note\":\"n\""}};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (strcmp(bodies[i].kind, k->name) == 0)
            return bodies[i].body;
    return "\"name\":\"n\"";
}

static bool may_write(const struct record_kind *k, const struct role *r, int side)
{
    return !k->readonly && listed(r->permissions, k->name, "write") && own_side(k, r, side, true);
}

static void check_write(struct city *c, struct record_ctx *x, const struct record_kind *k, const struct role *r,
                        int64_t id, int side)
{
    struct lt_error err = {0};
    char body[80];
    bool want = may_write(k, r, side),
         want_delete = !k->readonly && listed(r->permissions, k->name, "delete") && own_side(k, r, side, true);
    assert_int_equal(sql_begin(c->db, &err), LT_OK);
    snprintf(body, sizeof body, "{\"version\":1,%s}", change_body(k));
    json_t *v = json_of(body);
    enum lt_err e = record_update(x, k, id, v, NULL, &err);
    json_decref(v);
    if ((e == LT_OK) != want)
        print_error("%s changes %s on side %d: %s %s\n", r->name, k->name, side, lt_err_name(e), err.arg[0]);
    assert_int_equal(e == LT_OK, want);
    if (!want)
        assert_true(e == LT_E_DENIED || e == LT_E_NOT_FOUND || e == LT_E_BAD_METHOD);
    sql_rollback(c->db);
    assert_int_equal(sql_begin(c->db, &err), LT_OK);
    e = record_remove(x, k, id, 1, &err);
    if (want_delete) /* another record may hold it: that is no matter of rights */
        assert_true(e == LT_OK || e == LT_E_IN_USE);
    else
        assert_true(e == LT_E_DENIED || e == LT_E_NOT_FOUND || e == LT_E_BAD_METHOD);
    sql_rollback(c->db);
    cells += 2;
}

static void check_create(struct city *c, struct record_ctx *x, const struct role *r, int side)
{
    const struct {
        const char *kind, *rest, *field;
        int64_t ref;
    } tries[] = {
        {"outlet", "\"code\":\"N1\",\"name\":\"n\"", "enterprise", c->plant[side]},
        {"process_state", "\"state\":\"fault\",\"begin_at\":\"2026-11-25T08:00:00+08:00\"", "outlet", c->outlet[side]},
        {"enterprise", "\"code\":\"91410100MA44ZZZZZZ\",\"name\":\"n\",\"industry\":\"steel\"", "territory",
         c->county[side]},
        {"suppression", "\"object_kind\":\"device\",\"reason\":\"n\",\"until_at\":\"2026-11-26T08:00:00+08:00\"",
         "object_id", c->device[side]},
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        char body[300];
        struct lt_error err = {0};
        int64_t id = 0;
        const struct record_kind *k = kind_of(tries[i].kind);
        bool new_plant = r->plant && i == 2; /* a plant's user makes no plants */
        bool want = listed(r->permissions, k->name, "write") && own_side(k, r, side, true) && !new_plant;
        snprintf(body, sizeof body, "{%s,\"%s\":%lld}", tries[i].rest, tries[i].field, (long long)tries[i].ref);
        json_t *v = json_of(body);
        assert_int_equal(sql_begin(c->db, &err), LT_OK);
        enum lt_err e = record_create(x, k, v, &id, NULL, &err);
        if ((e == LT_OK) != want)
            print_error("%s creates %s on side %d: %s\n", r->name, k->name, side, lt_err_name(e));
        assert_int_equal(e == LT_OK, want);
        sql_rollback(c->db);
        json_decref(v);
        cells++;
    }
}

static void the_matrix_holds(void **state)
{
    struct world w = {.c = city_make(":memory:")};
    fill(&w);
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        struct auth_ctx who = person(roles[r].name, roles[r].permissions, roles[r].plant ? 0 : w.c->county[0],
                                     roles[r].plant ? w.c->plant[0] : 0);
        struct record_ctx x = as(w.c, &who);
        for (size_t k = 0; k < record_kind_count(); k++)
            for (int side = 0; side < 2; side++) {
                check_read(&x, record_kind_at(k), &roles[r], w.record[k][side], side);
                check_write(w.c, &x, record_kind_at(k), &roles[r], w.record[k][side], side);
            }
        for (int side = 0; side < 2; side++)
            check_create(w.c, &x, &roles[r], side);
    }
    print_message("%u cells\n", cells);
    assert_true(cells >= 1500);
    city_free(w.c);
}

/* A record cannot be pushed into, or pulled out of, another's territory. */
static void nothing_crosses_the_border(void **state)
{
    struct city *c = city_make(":memory:");
    struct auth_ctx who = person("w", "*:read,*:write,*:delete", c->county[0], 0);
    struct record_ctx x = as(c, &who);
    struct lt_error err;
    char body[120];
    snprintf(body, sizeof body, "{\"version\":1,\"territory\":%lld}", (long long)c->county[1]);
    json_t *v = json_of(body);
    assert_int_not_equal(record_update(&x, kind_of("enterprise"), c->plant[0], v, NULL, &err), LT_OK);
    json_decref(v);
    snprintf(body, sizeof body, "{\"version\":1,\"enterprise\":%lld}", (long long)c->plant[1]);
    v = json_of(body);
    assert_int_equal(record_update(&x, kind_of("outlet"), c->outlet[0], v, NULL, &err), LT_E_REF_MISSING);
    json_decref(v);
    /* unassigned devices are for those who have the whole city */
    int64_t loose = INSERT(c, "device", RECORD_SET_Z("mn", "LOOSE"));
    struct record_row row;
    assert_int_equal(record_load(&x, kind_of("device"), loose, &row, &err), LT_E_NOT_FOUND);
    struct auth_ctx city = person("city", "*:read", c->root, 0);
    x = as(c, &city);
    assert_int_equal(record_load(&x, kind_of("device"), loose, &row, &err), LT_OK);
    record_row_fini(&row);
    assert_int_equal(record_load(&x, kind_of("device"), c->device[1], &row, &err), LT_OK); /* everything below */
    record_row_fini(&row);
    struct auth_ctx lost = person("lost", "*:read,*:write", 0, 0); /* no territory: nothing */
    x = as(c, &lost);
    assert_int_equal(record_load(&x, kind_of("device"), c->device[0], &row, &err), LT_E_NOT_FOUND);
    city_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_matrix_holds),
                                       cmocka_unit_test(nothing_crosses_the_border)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
