/* A small city for tests: two counties with a plant, outlet and device each. Included by test programs only. */
#ifndef LT_RECORD_TESTING_H
#define LT_RECORD_TESTING_H
#include "base/clock.h"
#include "base/text.h"
#include "record/audit.h"
#include "record/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define T0 INT64_C(1795564800000) /* 2026-11-25 08:00 +08:00 */

struct city {
    struct sql_db *db;
    struct auth_ctx system;
    struct record_ctx x;
    int64_t root, county[2], unit[2], plant[2], outlet[2], device[2], role;
};

static inline const struct record_kind *kind_of(const char *name)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(name));
    assert_non_null(k);
    return k;
}

static inline int64_t insert(struct city *c, const char *kind, const struct record_set *set, size_t n)
{
    struct lt_error err = {0};
    int64_t id = 0;
    if (record_insert(&c->x, kind_of(kind), set, n, &id, &err) != LT_OK) {
        char text[400];
        lt_error_text(&err, LT_EN, text, sizeof text);
        print_error("insert %s: %s\n", kind, text);
        fail();
    }
    return id;
}

#define INSERT(c, kind, ...)                                                                                           \
    insert((c), (kind), (const struct record_set[]){__VA_ARGS__},                                                      \
           sizeof((const struct record_set[]){__VA_ARGS__}) / sizeof(struct record_set))

static inline void city_side(struct city *c, int i)
{
    char code[32], name[64];
    snprintf(code, sizeof code, "4101%02d", i + 2);
    c->county[i] = INSERT(c, "territory", RECORD_SET_Z("code", code), RECORD_SET_Z("name", i ? "乙区" : "甲区"),
                          RECORD_SET_Z("name_en", i ? "East" : "West"), RECORD_SET_Z("level", "county"),
                          RECORD_SET_I("parent", c->root));
    snprintf(name, sizeof name, "%s分局", i ? "乙区" : "甲区");
    c->unit[i] = INSERT(c, "unit", RECORD_SET_Z("name", name), RECORD_SET_Z("type", "county_bureau"),
                        RECORD_SET_I("territory", c->county[i]));
    snprintf(code, sizeof code, "91410100MA44%06d", i);
    c->plant[i] = INSERT(c, "enterprise", RECORD_SET_Z("code", code), RECORD_SET_Z("name", i ? "乙钢厂" : "甲电厂"),
                         RECORD_SET_Z("industry", i ? "steel" : "thermal_power"),
                         RECORD_SET_I("territory", c->county[i]), RECORD_SET_I("unit", c->unit[i]));
    snprintf(code, sizeof code, "DA00%d", i);
    c->outlet[i] = INSERT(c, "outlet", RECORD_SET_Z("code", code), RECORD_SET_Z("name", "1号排放口"),
                          RECORD_SET_I("enterprise", c->plant[i]));
    snprintf(code, sizeof code, "8888888000000%d", i);
    c->device[i] = INSERT(c, "device", RECORD_SET_Z("mn", code), RECORD_SET_I("outlet", c->outlet[i]),
                          RECORD_SET_Z("status", "active"), RECORD_SET_Z("pw", "s3cret-pw"),
                          RECORD_SET_Z("sm4_key", "00112233445566778899aabbccddeeff"));
}

static inline struct city *city_make(const char *path)
{
    struct city *c = calloc(1, sizeof *c);
    struct lt_error err = {0};
    assert_non_null(c);
    c->system = auth_system("test");
    assert_int_equal(sql_open(path, false, &c->db, &err), LT_OK);
    assert_int_equal(record_setup(c->db, &err), LT_OK);
    c->x = (struct record_ctx){.db = c->db, .who = &c->system, .now_ms = T0, .tz_min = LT_TZ_CHINA};
    c->root = INSERT(c, "territory", RECORD_SET_Z("code", "410100"), RECORD_SET_Z("name", "示范市"),
                     RECORD_SET_Z("level", "city"));
    for (int i = 0; i < 2; i++)
        city_side(c, i);
    return c;
}

static inline void city_free(struct city *c)
{
    sql_close(&c->db);
    free(c);
}

static inline struct auth_ctx person(const char *name, const char *permissions, int64_t territory, int64_t enterprise)
{
    struct auth_ctx w = {.user_id = 1000, .territory = territory, .enterprise = enterprise, .lang = LT_EN};
    lt_text_copy(w.login, sizeof w.login, name);
    lt_text_copy(w.name, sizeof w.name, name);
    lt_text_copy(w.address, sizeof w.address, "10.0.0.9");
    lt_text_copy(w.permissions, sizeof w.permissions, permissions);
    w.everywhere = strcmp(permissions, "*") == 0 && !territory && !enterprise;
    return w;
}

static inline struct record_ctx as(const struct city *c, const struct auth_ctx *who)
{
    struct record_ctx x = c->x;
    x.who = who;
    return x;
}

static inline json_t *json_of(const char *text)
{
    json_t *v = NULL;
    struct lt_error err = {0};
    assert_int_equal(jsonr_parse(lt_slice_of(text), JSONR_SIZE_MAX, &v, &err), LT_OK);
    return v;
}

/* Parses what was written, so that every output is proved to be JSON. */
static inline json_t *written(struct lt_buf *b)
{
    json_t *v = NULL;
    struct lt_error err = {0};
    assert_false(b->failed);
    assert_int_equal(jsonr_parse(lt_buf_slice(b), JSONR_SIZE_MAX, &v, &err), LT_OK);
    lt_buf_clear(b);
    return v;
}
#endif
