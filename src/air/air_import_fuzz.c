/* Fuzz target: the whole import on bytes from anywhere; whatever they are, nothing breaks, and what was refused left
 * nothing behind. The first byte picks options. */
#include "air/air_import.h"
#include "base/clock.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#define NOW INT64_C(1795564800000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sql_db *db_with_stations(void)
{
    static struct sql_db *db;
    static const char *const texts[] = {
        "INSERT INTO territory(version, created_at_ms, updated_at_ms, code, name, level)"
        " VALUES(1, 1, 1, '410300', 'c', 'city')",
        "INSERT INTO station(version, created_at_ms, updated_at_ms, code, name, type, territory, evaluated)"
        " VALUES(1, 1, 1, '1001A', '万寿西宫', 'national', 1, 1)",
    };
    struct lt_error err;
    if (db)
        return db;
    bool ok = sql_open(":memory:", false, &db, &err) == LT_OK && record_setup(db, &err) == LT_OK &&
              air_setup(db, &err) == LT_OK;
    for (size_t i = 0; ok && i < sizeof texts / sizeof texts[0]; i++)
        ok = sql_exec(db, texts[i], &err) == LT_OK;
    assert(ok);
    return db;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sql_db *db = db_with_stations();
    struct auth_ctx who = auth_system("fuzz");
    struct record_ctx x = {.db = db, .who = &who, .now_ms = NOW, .tz_min = LT_TZ_CHINA};
    struct air_import_report *r = NULL;
    struct lt_error err;
    int64_t before, after;
    if (size == 0)
        return 0;
    struct air_import_options o = {.format = (enum air_format)(data[0] % AIR_FORMATS),
                                   .co_ug = data[0] >> 3 & 1,
                                   .label_end = -1,
                                   .tz_min = INT_MIN,
                                   .station = data[0] >> 4 & 1,
                                   .skip_unknown = data[0] >> 5 & 1,
                                   .accept = data[0] >> 6 & 1 ? "all" : NULL};
    if (air_version(db, &before, &err) != LT_OK)
        return 0;
    enum lt_err e = air_import(&x, (struct lt_slice){(const char *)data + 1, size - 1}, &o, &r, &err);
    assert(air_version(db, &after, &err) == LT_OK);
    assert((e == LT_OK && air_import_applied(r)) || after == before);
    if (e == LT_OK) {
        struct lt_buf b = LT_BUF_INIT(8u << 20);
        struct jsonw w;
        jsonw_init(&w, &b);
        air_import_report_json(r, LT_ZH, 480, &w);
        assert(jsonw_ok(&w));
        lt_buf_fini(&b);
    }
    air_import_report_free(&r);
    return 0;
}
