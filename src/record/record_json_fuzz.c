/* Fuzz target: any bytes as the body of a create and an update of every kind, as parameters of a list, and as a CSV
 * import. Whatever is taken must come out again as valid JSON, be rebuilt by record_each_at() and leave the audit chain
 * whole. */
#include "base/clock.h"
#include "record/audit.h"
#include "record/record.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795564800000)

static struct sql_db *db; /* one for the process: every input is rolled back */
static struct auth_ctx who;
static struct record_ctx x;

static void start(void)
{
    static const struct record_set territory[] = {{.field = "code", .s = {"410100", 6}},
                                                  {.field = "name", .s = {"city", 4}},
                                                  {.field = "level", .s = {"city", 4}}};
    int64_t id;
    if (db)
        return;
    who = auth_system("fuzz");
    bool ok = sql_open(":memory:", false, &db, NULL) == LT_OK && record_setup(db, NULL) == LT_OK;
    x = (struct record_ctx){.db = db, .who = &who, .now_ms = NOW, .tz_min = LT_TZ_CHINA};
    ok = ok && record_insert(&x, record_kind_find(LT_LIT("territory")), territory, 3, &id, NULL) == LT_OK;
    assert(ok);
}

static bool count(void *user, const struct record_row *row)
{
    ++*(int *)user;
    return true;
}

static void comes_out_again(const struct record_kind *k, int64_t id)
{
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    json_t *v = NULL;
    struct record_faults faults;
    int n = 0;
    jsonw_init(&w, &b);
    assert(record_json(&x, k, id, NULL, NULL, &w, NULL) == LT_OK);
    assert(jsonr_object(lt_buf_slice(&b), JSONR_SIZE_MAX, &v, NULL) == LT_OK);
    if (!k->readonly) { /* sent back as it came it is taken, and nothing changes */
        enum lt_err e = record_update(&x, k, id, v, &faults, NULL);
        assert(e == LT_OK);
    }
    json_decref(v);
    lt_buf_clear(&b);
    jsonw_init(&w, &b);
    assert(record_history(&x, k, id, &w, NULL) == LT_OK && jsonw_ok(&w));
    assert(record_each_at(db, k, NOW, count, &n, NULL) == LT_OK && n >= 1);
    lt_buf_fini(&b);
}

static void as_body(const json_t *body)
{
    for (size_t i = 0; i < record_kind_count(); i++) {
        const struct record_kind *k = record_kind_at(i);
        struct record_faults faults;
        struct lt_error err;
        int64_t id = 0, rows, bad;
        enum lt_err e = sql_begin(db, &err);
        assert(e == LT_OK);
        e = record_create(&x, k, body, &id, &faults, &err);
        if (e == LT_OK)
            comes_out_again(k, id);
        else
            assert(err.code == e && (e != LT_E_INTERNAL));
        assert(audit_verify(db, &rows, &bad, &err) == LT_OK);
        sql_rollback(db);
    }
}

static void as_query(struct lt_slice s)
{
    for (size_t i = 0; i < record_kind_count(); i++) {
        const struct record_kind *k = record_kind_at(i);
        struct record_query q = {0};
        struct lt_error err;
        struct lt_slice rest = s;
        while (rest.n) { /* name=value&name=value */
            const char *amp = memchr(rest.p, '&', rest.n);
            struct lt_slice one = {rest.p, amp ? (size_t)(amp - rest.p) : rest.n};
            rest = (struct lt_slice){rest.p + one.n + (amp != NULL), rest.n - one.n - (amp != NULL)};
            const char *eq = one.n ? memchr(one.p, '=', one.n) : NULL;
            struct lt_slice name = {one.p, eq ? (size_t)(eq - one.p) : one.n};
            struct lt_slice value = {eq ? eq + 1 : one.p + one.n, eq ? one.n - name.n - 1 : 0};
            if (record_query_param(&q, k, name, value, &err) != LT_OK)
                assert(err.code != LT_E_INTERNAL);
        }
        struct lt_buf b = LT_BUF_INIT(1u << 20);
        struct jsonw w;
        jsonw_init(&w, &b);
        enum lt_err e = record_list(&x, k, &q, &w, &err);
        assert(e != LT_E_INTERNAL);
        assert(e != LT_OK || jsonw_ok(&w));
        lt_buf_fini(&b);
    }
}

static void as_sheet(struct lt_slice s)
{
    static const char *const kinds[] = {"enterprise", "territory", "rule", "process_state"};
    for (size_t i = 0; i < 4; i++) {
        struct lt_buf b = LT_BUF_INIT(4u << 20);
        struct jsonw w;
        struct lt_error err;
        jsonw_init(&w, &b);
        enum lt_err e = record_import(&x, record_kind_find(lt_slice_of(kinds[i])), s, RECORD_CSV, true, &w, NULL, &err);
        assert(e != LT_E_INTERNAL && jsonw_ok(&w));
        lt_buf_fini(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lt_slice s = {(const char *)data, size};
    json_t *v = NULL;
    if (size > 4096)
        return 0;
    start();
    if (jsonr_object(s, 4096, &v, NULL) == LT_OK) {
        as_body(v);
        json_decref(v);
    }
    if (size > 0 && data[0] != '{') {
        as_query(s);
        as_sheet(s);
    }
    return 0;
}
