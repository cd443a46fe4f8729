/* Tests of record: checks, versions, references, secrets, history, the past, lists, descriptions, permissions. */
#include "record/record_testing.h"

#include <pthread.h>
#include <unistd.h>

static int setup(void **state)
{
    *state = city_make(":memory:");
    return 0;
}

static int teardown(void **state)
{
    city_free(*state);
    return 0;
}

static enum lt_err create(struct record_ctx *x, const char *kind, const char *body, int64_t *id,
                          struct record_faults *faults, struct lt_error *err)
{
    json_t *v = json_of(body);
    enum lt_err e = record_create(x, kind_of(kind), v, id, faults, err);
    json_decref(v);
    return e;
}

static enum lt_err update(struct record_ctx *x, const char *kind, int64_t id, const char *body, struct lt_error *err)
{
    json_t *v = json_of(body);
    enum lt_err e = record_update(x, kind_of(kind), id, v, NULL, err);
    json_decref(v);
    return e;
}

static json_t *item(struct record_ctx *x, const char *kind, int64_t id)
{
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    struct lt_error err = {0};
    jsonw_init(&w, &b);
    assert_int_equal(record_json(x, kind_of(kind), id, NULL, NULL, &w, &err), LT_OK);
    json_t *v = written(&b);
    lt_buf_fini(&b);
    return v;
}

static json_t *list(struct record_ctx *x, const char *kind, const char *const params[][2], size_t n)
{
    struct lt_buf b = LT_BUF_INIT(4u << 20);
    struct jsonw w;
    struct lt_error err = {0};
    struct record_query q = {0};
    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            record_query_param(&q, kind_of(kind), lt_slice_of(params[i][0]), lt_slice_of(params[i][1]), &err), LT_OK);
    jsonw_init(&w, &b);
    assert_int_equal(record_list(x, kind_of(kind), &q, &w, &err), LT_OK);
    json_t *v = written(&b);
    lt_buf_fini(&b);
    return v;
}

#define STR(o, k) json_string_value(json_object_get((o), (k)))
#define NUM(o, k) json_integer_value(json_object_get((o), (k)))

static void every_fault_of_a_row_is_named(void **state)
{
    struct city *c = *state;
    struct record_faults f;
    struct lt_error err;
    int64_t id = 0;
    enum lt_err e =
        create(&c->x, "enterprise",
               "{\"code\":\"9.14E+17\",\"name\":\"\",\"industry\":\"bakery\",\"territory\":99999,\"lon\":200,"
               "\"protected\":\"maybe\",\"nonsense\":1,\"grade\":\"A\"}",
               &id, &f, &err);
    assert_int_not_equal(e, LT_OK);
    const struct {
        const char *field;
        enum lt_err code;
    } want[] = {{"code", LT_E_FIELD_FORMAT},     {"name", LT_E_FIELD_REQUIRED}, {"industry", LT_E_FIELD_CHOICE},
                {"territory", LT_E_REF_MISSING}, {"lon", LT_E_FIELD_RANGE},     {"protected", LT_E_FIELD_TYPE},
                {"nonsense", LT_E_FIELD_UNKNOWN}};
    assert_int_equal(f.n, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < f.n; i++) {
        bool found = false;
        for (size_t k = 0; k < f.n; k++)
            found = found || (f.list[k].code == want[i].code && strcmp(f.list[k].field, want[i].field) == 0);
        if (!found)
            print_error("missing fault for %s\n", want[i].field);
        assert_true(found);
    }
    int64_t n = 0;
    assert_int_equal(sql_get_i64(c->db, "SELECT count(*) FROM enterprise", NULL, &n, &err), LT_OK);
    assert_int_equal(n, 2);
    char body[1024], text[200]; /* far too long, not even kept: the limit is named all the same */
    snprintf(body, sizeof body, "{\"name\":\"%0600d\"}", 7);
    assert_int_equal(create(&c->x, "unit", body, &id, &f, &err), LT_E_FIELD_LENGTH);
    lt_error_text(&err, LT_EN, text, sizeof text);
    assert_non_null(strstr(text, "64 characters"));
}

static void values_come_back_as_they_went_in(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    int64_t id = 0;
    assert_int_equal(
        create(
            &c->x, "enterprise",
            "{\"code\":\"91410100MA44ABCDE9\",\"name\":\"＝危险厂 \\\"引号\\\"\",\"industry\":\"水泥\",\"grade\":\"B\","
            "\"protected\":true,\"territory\":\"410102\",\"unit\":\"甲区分局\",\"lon\":113.123456,\"lat\":\"34.5\"}",
            &id, NULL, &err),
        LT_OK);
    json_t *v = item(&c->x, "enterprise", id);
    assert_string_equal(STR(v, "industry"), "cement");
    assert_string_equal(STR(v, "territory_name"), "甲区");
    assert_int_equal(NUM(v, "territory"), c->county[0]);
    assert_int_equal(NUM(v, "unit"), c->unit[0]);
    int64_t fix = 0;
    assert_true(jsonr_to_fix(json_object_get(v, "lon"), &fix));
    assert_int_equal(fix, 113123456);
    assert_string_equal(STR(v, "status"), "producing"); /* default */
    assert_true(json_is_true(json_object_get(v, "protected")));
    assert_int_equal(NUM(v, "version"), 1);
    /* an item may be sent back as it came */
    assert_int_equal(record_update(&c->x, kind_of("enterprise"), id, v, NULL, &err), LT_OK);
    json_decref(v);
    v = item(&c->x, "enterprise", id);
    assert_int_equal(NUM(v, "version"), 1); /* nothing was different */
    json_decref(v);
}

static void versions_guard_against_lost_updates(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    assert_int_equal(update(&c->x, "outlet", c->outlet[0], "{\"name\":\"A\"}", &err), LT_E_FIELD_REQUIRED);
    assert_int_equal(update(&c->x, "outlet", c->outlet[0], "{\"version\":1,\"name\":\"A\"}", &err), LT_OK);
    assert_int_equal(update(&c->x, "outlet", c->outlet[0], "{\"version\":1,\"name\":\"B\"}", &err), LT_E_STALE);
    assert_string_equal(err.arg[1], "2");
    assert_int_equal(record_remove(&c->x, kind_of("outlet"), c->outlet[0], 1, &err), LT_E_STALE);
}

static void references_are_kept(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    int64_t id = 0;
    assert_int_equal(record_remove(&c->x, kind_of("outlet"), c->outlet[0], 1, &err), LT_E_IN_USE);
    assert_int_equal(record_remove(&c->x, kind_of("device"), c->device[0], 1, &err), LT_OK);
    assert_int_equal(record_remove(&c->x, kind_of("outlet"), c->outlet[0], 1, &err), LT_OK);
    assert_int_equal(record_remove(&c->x, kind_of("outlet"), c->outlet[0], 1, &err), LT_E_NOT_FOUND);
    char body[128]; /* a removed record is no target */
    snprintf(body, sizeof body, "{\"mn\":\"NEW1\",\"outlet\":%lld}", (long long)c->outlet[0]);
    assert_int_equal(create(&c->x, "device", body, &id, NULL, &err), LT_E_REF_MISSING);
    /* its code is free again */
    snprintf(body, sizeof body, "{\"code\":\"DA000\",\"name\":\"new\",\"enterprise\":%lld}", (long long)c->plant[0]);
    assert_int_equal(create(&c->x, "outlet", body, &id, NULL, &err), LT_OK);
    assert_int_equal(create(&c->x, "outlet", body, &id, NULL, &err), LT_E_DUPLICATE);
    assert_string_equal(err.arg[1], "DA000");
}

static void rules_between_fields(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    int64_t id = 0;
    char body[300];
    snprintf(body, sizeof body,
             "{\"outlet\":%lld,\"factor\":\"a21026\",\"limit_value\":35,\"valid_from\":\"2026-06-01\",\"valid_to\":"
             "\"2026-05-01\"}",
             (long long)c->outlet[0]);
    assert_int_equal(create(&c->x, "factor_limit", body, &id, NULL, &err), LT_E_FIELD_RANGE);
    assert_string_equal(err.field, "valid_to");
    assert_int_equal(create(&c->x, "device", "{\"mn\":\"X1\",\"status\":\"active\"}", &id, NULL, &err),
                     LT_E_FIELD_REQUIRED);
    snprintf(body, sizeof body, "{\"version\":1,\"parent\":%lld}", (long long)c->county[0]);
    assert_int_equal(update(&c->x, "territory", c->root, body, &err), LT_E_BAD_INPUT); /* a ring */
    assert_int_equal(create(&c->x, "suppression",
                            "{\"object_kind\":\"post\",\"reason\":\"x\",\"until_at\":\"2020-01-01T00:00:00+08:00\"}",
                            &id, NULL, &err),
                     LT_E_FIELD_RANGE);
    assert_int_equal(create(&c->x, "device", "{\"mn\":\"X2\",\"allow\":\"10.0.0.0/8, 300.1.1.1\"}", &id, NULL, &err),
                     LT_E_FIELD_FORMAT);
    assert_int_equal(create(&c->x, "device",
                            "{\"mn\":\"X2\",\"allow\":\"10.0.0.0/8, fd00::/8\",\"tolerate\":\"no_crlf\"}", &id, NULL,
                            &err),
                     LT_OK);
}

static void secrets_go_in_and_never_out(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    assert_int_equal(update(&c->x, "device", c->device[0], "{\"version\":1,\"pw\":\"0ther-pw\"}", &err), LT_OK);
    json_t *v = item(&c->x, "device", c->device[0]);
    assert_null(json_object_get(v, "pw"));
    assert_null(json_object_get(v, "sm4_key"));
    assert_true(json_is_true(json_object_get(v, "pw_set")));
    json_decref(v);
    jsonw_init(&w, &b);
    assert_int_equal(record_history(&c->x, kind_of("device"), c->device[0], &w, &err), LT_OK);
    v = written(&b);
    const json_t *pair = json_object_get(json_object_get(json_array_get(v, 0), "change"), "pw");
    assert_string_equal(json_string_value(json_array_get(pair, 0)), "set");
    assert_string_equal(json_string_value(json_array_get(pair, 1)), "changed");
    json_decref(v);
    int64_t n = 0;
    assert_int_equal(
        sql_get_i64(c->db,
                    "SELECT (SELECT count(*) FROM record_history WHERE instr(change, '-pw') OR instr(change, "
                    "'aabbcc')) + (SELECT count(*) FROM audit WHERE instr(detail, '-pw') OR instr(detail, 'aabbcc'))",
                    NULL, &n, &err),
        LT_OK);
    assert_int_equal(n, 0);
    struct record_query q = {0};
    assert_int_equal(record_export(&c->x, kind_of("device"), &q, RECORD_CSV, &b, &err), LT_OK);
    lt_buf_addc(&b, '\0');
    assert_null(strstr(b.p, "-pw"));
    assert_null(strstr(b.p, "aabbcc"));
    assert_int_equal(record_query_param(&q, kind_of("device"), LT_LIT("pw"), LT_LIT("x"), &err), LT_E_FIELD_UNKNOWN);
    assert_int_equal(record_query_param(&q, kind_of("device"), LT_LIT("sort"), LT_LIT("sm4_key"), &err),
                     LT_E_FIELD_UNKNOWN);
    /* a wrong secret is not repeated in the message */
    assert_int_equal(update(&c->x, "device", c->device[0], "{\"version\":2,\"sm4_key\":\"not-hex\"}", &err),
                     LT_E_FIELD_FORMAT);
    assert_null(strstr(err.arg[1], "not-hex"));
    lt_buf_fini(&b);
}

struct past {
    int n;
    char name[2][64];
    int64_t version[2];
};

static bool on_past(void *user, const struct record_row *r)
{
    struct past *p = user;
    if (p->n < 2) {
        lt_text_copy_slice(p->name[p->n], 64, record_text(r, "name"));
        p->version[p->n] = r->version;
    }
    p->n++;
    return true;
}

static void the_past_can_be_rebuilt(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    struct past p;
    c->x.now_ms = T0 + 1000;
    assert_int_equal(
        update(&c->x, "outlet", c->outlet[0], "{\"version\":1,\"name\":\"second\",\"height_m\":80.5}", &err), LT_OK);
    c->x.now_ms = T0 + 2000;
    assert_int_equal(update(&c->x, "outlet", c->outlet[0], "{\"version\":2,\"name\":\"third\"}", &err), LT_OK);
    c->x.now_ms = T0 + 3000;
    assert_int_equal(record_remove(&c->x, kind_of("device"), c->device[0], 1, &err), LT_OK);
    assert_int_equal(record_remove(&c->x, kind_of("outlet"), c->outlet[0], 3, &err), LT_OK);
    const struct {
        int64_t at;
        int n;
        const char *first;
        int64_t version;
    } want[] = {{T0 - 1, 0, "", 0},          {T0, 2, "1号排放口", 1},    {T0 + 999, 2, "1号排放口", 1},
                {T0 + 1000, 2, "second", 2}, {T0 + 2500, 2, "third", 3}, {T0 + 3000, 1, "1号排放口", 1}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        p = (struct past){0};
        assert_int_equal(record_each_at(c->db, kind_of("outlet"), want[i].at, on_past, &p, &err), LT_OK);
        assert_int_equal(p.n, want[i].n);
        assert_string_equal(p.name[0], want[i].first);
        if (p.n)
            assert_int_equal(p.version[0], want[i].version);
    }
}

static bool on_any(void *user, const struct record_row *r)
{
    ++*(int *)user;
    return true;
}

/* Sixty notes of 1,500 bytes are more than a row has room for; of each field only one is wanted. */
static void a_record_changed_often_has_a_past(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    char note[500 * 3 + 1];
    int n = 0;
    for (size_t i = 0; i < 500; i++)
        memcpy(note + 3 * i, "备", 4);
    for (int i = 0; i < 60; i++) {
        memcpy(note, i % 2 ? "双" : "单", 3);
        const struct record_set set[] = {RECORD_SET_Z("note", note)};
        c->x.now_ms = T0 + 1000 + i;
        assert_int_equal(record_change(&c->x, kind_of("device"), c->device[0], 0, "update", set, 1, &err), LT_OK);
    }
    assert_int_equal(record_each_at(c->db, kind_of("device"), T0, on_any, &n, &err), LT_OK);
    assert_true(n > 0);
}

static void make_many(struct city *c, int n)
{
    assert_int_equal(sql_begin(c->db, NULL), LT_OK);
    for (int i = 0; i < n; i++) {
        char mn[32];
        snprintf(mn, sizeof mn, "MN%05d", i * 7919 % n);
        if (i % 3)
            INSERT(c, "device", RECORD_SET_Z("mn", mn), RECORD_SET_I("st", i % 5 + 1));
        else /* some without a note, to sort NULLs */
            INSERT(c, "device", RECORD_SET_Z("mn", mn), RECORD_SET_Z("name", "仪器"),
                   RECORD_SET_I("outlet", c->outlet[i % 2]));
    }
    assert_int_equal(sql_commit(c->db, NULL), LT_OK);
}

static void pages_neither_skip_nor_repeat(void **state)
{
    struct city *c = *state;
    make_many(c, 301);
    static const char *const sorts[] = {"id", "-id", "mn", "-mn", "st", "-st", "name", "-name", "outlet", "-outlet"};
    for (size_t s = 0; s < sizeof sorts / sizeof sorts[0]; s++) {
        char cursor[400] = "";
        int seen = 0, pages = 0;
        bool ids[1000] = {false};
        for (;;) {
            const char *const params[3][2] = {{"sort", sorts[s]}, {"limit", "37"}, {"cursor", cursor}};
            json_t *v = list(&c->x, "device", params, 3);
            const json_t *items = json_object_get(v, "items");
            for (size_t i = 0; i < json_array_size(items); i++) {
                json_int_t id = NUM(json_array_get(items, i), "id");
                assert_false(ids[id]);
                ids[id] = true;
                seen++;
            }
            const char *next = STR(v, "next");
            lt_text_copy(cursor, sizeof cursor, next ? next : "");
            json_decref(v);
            pages++;
            if (!cursor[0])
                break;
        }
        assert_int_equal(seen, 303);
        assert_int_equal(pages, 9);
    }
    struct record_query q = {.cursor = LT_LIT("deadbeef")};
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    struct lt_error err;
    jsonw_init(&w, &b);
    assert_int_equal(record_list(&c->x, kind_of("device"), &q, &w, &err), LT_E_FIELD_FORMAT);
    lt_buf_fini(&b);
}

static size_t count_of(struct record_ctx *x, const char *kind, const char *a, const char *av, const char *b,
                       const char *bv)
{
    const char *const params[2][2] = {{a, av}, {b, bv}};
    json_t *v = list(x, kind, params, b ? 2 : 1);
    size_t n = json_array_size(json_object_get(v, "items"));
    json_decref(v);
    return n;
}

static void filters_and_search(void **state)
{
    struct city *c = *state;
    make_many(c, 30);
    assert_int_equal(count_of(&c->x, "device", "q", "MN0001", NULL, NULL), 10);
    assert_int_equal(count_of(&c->x, "device", "q", "%", NULL, NULL), 0); /* a sign of LIKE is only a sign */
    assert_int_equal(count_of(&c->x, "device", "q", "仪", NULL, NULL), 10);
    assert_int_equal(count_of(&c->x, "device", "status", "active", NULL, NULL), 2);
    assert_int_equal(count_of(&c->x, "device", "status", "active,pending", "limit", "200"), 32);
    assert_int_equal(count_of(&c->x, "device", "status.not", "active", "limit", "200"), 30);
    assert_int_equal(count_of(&c->x, "device", "outlet", "null", "limit", "200"), 20);
    assert_int_equal(count_of(&c->x, "device", "st.min", "2", "st.max", "4"), 12);
    assert_int_equal(count_of(&c->x, "enterprise", "name", "乙钢厂", NULL, NULL), 1);
    struct record_query q = {0};
    struct lt_error err;
    assert_int_equal(record_query_param(&q, kind_of("device"), LT_LIT("1=1;--"), LT_LIT("x"), &err),
                     LT_E_FIELD_UNKNOWN);
    assert_int_equal(record_query_param(&q, kind_of("device"), LT_LIT("limit"), LT_LIT("201"), &err), LT_E_FIELD_RANGE);
    assert_int_equal(record_query_param(&q, kind_of("device"), LT_LIT("st"), LT_LIT("one"), &err), LT_OK);
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    jsonw_init(&w, &b);
    assert_int_equal(record_list(&c->x, kind_of("device"), &q, &w, &err), LT_E_FIELD_TYPE);
    lt_buf_fini(&b);
}

static void descriptions_are_complete(void **state)
{
    struct city *c = *state;
    struct lt_buf b = LT_BUF_INIT(4u << 20);
    struct jsonw w;
    jsonw_init(&w, &b);
    record_meta(&c->system, &w);
    json_t *v = written(&b);
    assert_int_equal(json_array_size(v), record_kind_count());
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *k = json_array_get(v, i), *fields = json_object_get(k, "fields");
        const struct record_kind *kind = record_kind_at(i);
        assert_true(kind->n <= RECORD_FIELDS_MAX);
        for (size_t f = 0; f < json_array_size(fields); f++) {
            const json_t *field = json_array_get(fields, f);
            assert_true(strlen(STR(field, "label")) > 0);
            if (strcmp(STR(field, "type"), "ref") == 0)
                assert_non_null(record_kind_find(lt_slice_of(STR(field, "ref"))));
            if (strcmp(STR(field, "type"), "enum") == 0)
                assert_true(json_array_size(json_object_get(field, "choices")) > 0);
        }
    }
    json_decref(v);
    struct auth_ctx nobody = person("nobody", "", c->root, 0);
    jsonw_init(&w, &b);
    record_meta(&nobody, &w);
    v = written(&b);
    assert_int_equal(json_array_size(v), 0);
    json_decref(v);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    record_openapi_schemas(&w);
    record_openapi_paths(&w);
    jsonw_object_end(&w);
    v = written(&b);
    assert_non_null(json_object_get(v, "/api/v1/enterprise/{id}/history"));
    assert_non_null(json_object_get(json_object_get(v, "/api/v1/enterprise"), "post"));
    assert_null(json_object_get(json_object_get(v, "/api/v1/alarm"), "post"));
    assert_non_null(json_object_get(v, "enterprise_write"));
    json_decref(v);
    lt_buf_fini(&b);
}

static void setup_twice_and_new_columns(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    assert_int_equal(record_setup(c->db, &err), LT_OK);
    /* a table from before a field was declared gets the column */
    assert_int_equal(sql_exec(c->db, "DROP INDEX outlet_enterprise; ALTER TABLE outlet DROP COLUMN height_m", &err),
                     LT_OK);
    assert_int_equal(record_setup(c->db, &err), LT_OK);
    assert_int_equal(update(&c->x, "outlet", c->outlet[0], "{\"version\":1,\"height_m\":120}", &err), LT_OK);
}

static void audit_tampering_is_found(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    int64_t rows = 0, bad = 0;
    assert_int_equal(audit_verify(c->db, &rows, &bad, &err), LT_OK);
    assert_true(rows >= 11);
    static const char *const attacks[] = {
        "UPDATE audit SET detail = replace(detail, '电厂', '水厂') WHERE seq = 4",
        "UPDATE audit SET user_name = 'someone' WHERE seq = 4",
        "UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 4",
        "UPDATE audit SET action = action || '', kind = 'x' WHERE seq = 4",
        "UPDATE audit SET hash = zeroblob(32) WHERE seq = 4",
        "DELETE FROM audit WHERE seq = 4",
        "UPDATE audit SET address = 'a', user_name = substr(user_name, 1, 1) WHERE seq = 4",
    };
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        assert_int_equal(sql_begin(c->db, &err), LT_OK);
        assert_int_equal(sql_exec(c->db, attacks[i], &err), LT_OK);
        assert_int_equal(audit_verify(c->db, &rows, &bad, &err), LT_E_CORRUPT);
        assert_true(bad == 4 || bad == 5);
        sql_rollback(c->db);
    }
    assert_int_equal(sql_begin(c->db, &err), LT_OK);
    assert_int_equal(sql_exec(c->db, "DELETE FROM audit WHERE seq > 8", &err), LT_OK);
    assert_int_equal(audit_verify(c->db, &rows, &bad, &err), LT_E_CORRUPT); /* cut off at the end */
    assert_int_equal(bad, 9);
    sql_rollback(c->db);
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    jsonw_init(&w, &b);
    const struct audit_query q = {.kind = LT_LIT("enterprise"), .limit = 1};
    assert_int_equal(audit_list(c->db, &q, LT_TZ_CHINA, &w, &err), LT_OK);
    json_t *v = written(&b);
    assert_int_equal(json_array_size(json_object_get(v, "items")), 1);
    assert_non_null(STR(v, "next"));
    json_decref(v);
    lt_buf_fini(&b);
}

static void permissions_are_judged(void **state)
{
    struct auth_ctx w = person("w", "device:read,alarm:*,*:read", 1, 0);
    assert_true(auth_may(&w, "device:read"));
    assert_true(auth_may(&w, "alarm:sign"));
    assert_true(auth_may(&w, "enterprise:read"));
    assert_false(auth_may(&w, "device:write"));
    assert_false(auth_may(&w, "user:read")); /* must be granted by name */
    assert_false(auth_may(&w, "audit:read"));
    assert_false(auth_may(&w, "nonsense"));
    assert_true(auth_covers(&w, LT_LIT("device:read,alarm:sign")));
    assert_true(auth_covers(&w, LT_LIT("alarm:*")));
    assert_false(auth_covers(&w, LT_LIT("device:*")));
    assert_false(auth_covers(&w, LT_LIT("*")));
    assert_false(auth_covers(&w, LT_LIT("*:write")));
    w.must_change = true;
    assert_false(auth_may(&w, "device:read"));
    struct lt_error err;
    assert_int_equal(auth_need(&w, "device:read", &err), LT_E_AUTH_CHANGE);
}

static void nobody_gives_more_than_he_has(void **state)
{
    struct city *c = *state;
    struct lt_error err = {0};
    int64_t id = 0;
    int64_t small = INSERT(c, "role", RECORD_SET_Z("code", "small"), RECORD_SET_Z("name", "s"),
                           RECORD_SET_Z("permissions", "device:read"));
    int64_t big =
        INSERT(c, "role", RECORD_SET_Z("code", "big"), RECORD_SET_Z("name", "b"), RECORD_SET_Z("permissions", "*"));
    struct auth_ctx w = person("w", "device:read,user:read,user:write,role:read,role:write", c->county[0], 0);
    struct record_ctx x = as(c, &w);
    char body[300];
    snprintf(body, sizeof body, "{\"login\":\"u1\",\"name\":\"u\",\"role\":%lld,\"territory\":%lld}", (long long)big,
             (long long)c->county[0]);
    assert_int_equal(create(&x, "user", body, &id, NULL, &err), LT_E_DENIED);
    snprintf(body, sizeof body, "{\"login\":\"u1\",\"name\":\"u\",\"role\":%lld,\"territory\":%lld}", (long long)small,
             (long long)c->county[0]);
    assert_int_equal(create(&x, "user", body, &id, NULL, &err), LT_OK);
    snprintf(body, sizeof body, "{\"login\":\"u2\",\"name\":\"u\",\"role\":%lld}", (long long)small);
    assert_int_equal(create(&x, "user", body, &id, NULL, &err), LT_E_DENIED_TERRITORY); /* the whole city */
    snprintf(body, sizeof body, "{\"login\":\"u2\",\"name\":\"u\",\"role\":%lld,\"territory\":%lld}", (long long)small,
             (long long)c->county[1]);
    assert_int_not_equal(create(&x, "user", body, &id, NULL, &err), LT_OK);
    assert_int_equal(create(&x, "role", "{\"code\":\"r\",\"name\":\"r\",\"permissions\":\"*\"}", &id, NULL, &err),
                     LT_E_DENIED);
    assert_int_equal(update(&x, "role", small, "{\"version\":1,\"permissions\":\"device:write\"}", &err), LT_E_DENIED);
    assert_int_equal(update(&x, "role", big, "{\"version\":1,\"name\":\"mine\"}", &err), LT_E_DENIED);
}

/* ---- two writers on one file ---- */

struct writer {
    char path[96];
    int64_t outlet;
    int done, stale;
};

static void *write_loop(void *arg)
{
    struct writer *w = arg;
    struct auth_ctx who = auth_system("writer");
    struct record_ctx x = {.who = &who, .now_ms = T0, .tz_min = LT_TZ_CHINA};
    struct lt_error err;
    if (sql_open(w->path, false, &x.db, &err) != LT_OK)
        return NULL;
    while (w->done < 40) {
        struct record_row r;
        if (record_load(&x, record_kind_find(LT_LIT("outlet")), w->outlet, &r, &err) != LT_OK)
            break;
        int64_t height = record_i64(&r, "height_m", 0), version = r.version;
        record_row_fini(&r);
        const struct record_set set[] = {RECORD_SET_I("height_m", height + LT_FIX_ONE)};
        enum lt_err e =
            record_change(&x, record_kind_find(LT_LIT("outlet")), w->outlet, version, "update", set, 1, &err);
        w->done += e == LT_OK;
        w->stale += e == LT_E_STALE;
        if (e != LT_OK && e != LT_E_STALE)
            break;
    }
    sql_close(&x.db);
    return NULL;
}

static void two_writers(void **state)
{
    char dir[] = "/tmp/record_test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct writer w[2] = {{.done = 0}, {.done = 0}};
    pthread_t t[2];
    snprintf(w[0].path, sizeof w[0].path, "%s/s.db", dir);
    struct city *c = city_make(w[0].path);
    w[0].outlet = c->outlet[0];
    w[1] = w[0];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, write_loop, &w[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(w[0].done, 40);
    assert_int_equal(w[1].done, 40);
    json_t *v = item(&c->x, "outlet", c->outlet[0]);
    assert_int_equal(NUM(v, "height_m"), 80);
    assert_int_equal(NUM(v, "version"), 81);
    json_decref(v);
    int64_t rows = 0, bad = 0;
    struct lt_error err;
    assert_int_equal(audit_verify(c->db, &rows, &bad, &err), LT_OK);
    city_free(c);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        char p[128];
        snprintf(p, sizeof p, "%s%s", w[0].path, ends[i]);
        unlink(p);
    }
    rmdir(dir);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_fault_of_a_row_is_named),
        T(values_come_back_as_they_went_in),
        T(versions_guard_against_lost_updates),
        T(references_are_kept),
        T(rules_between_fields),
        T(secrets_go_in_and_never_out),
        T(the_past_can_be_rebuilt),
        T(a_record_changed_often_has_a_past),
        T(pages_neither_skip_nor_repeat),
        T(filters_and_search),
        T(descriptions_are_complete),
        T(setup_twice_and_new_columns),
        T(audit_tampering_is_found),
        T(permissions_are_judged),
        T(nobody_gives_more_than_he_has),
        cmocka_unit_test(two_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
