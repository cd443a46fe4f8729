/* A small city with stations and invented hours for tests. Included by test programs only. */
#ifndef LT_AIR_TESTING_H
#define LT_AIR_TESTING_H
#include "air/air_figure.h"
#include "record/record_testing.h"

#define MADE_STATIONS 8

struct made {
    struct city *c;
    struct air *a;
    struct air_figures *f;
    int64_t station[MADE_STATIONS];
    size_t n;
};

static inline uint64_t made_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Hour h of a station and day: dirty winters, ozone in summer afternoons, now and then an hour or a day is missing. */
static inline void made_hour(const struct made *m, size_t k, int32_t day, int h, int32_t v[AIR_ITEMS])
{
    int y, mo, d;
    air_civil(day, &y, &mo, &d);
    const uint64_t key = (uint64_t)day * 1000 + (uint64_t)h * 10 + k, of_day = made_mix((uint64_t)day * 7 + 1);
    const int winter = mo <= 3 || mo >= 10, bad = of_day % 12 == 0;
    const int32_t pm25 = 15 + winter * 30 + (int32_t)(of_day % 40) + bad * 160 + (int32_t)(made_mix(key) % 15);
    for (int i = 0; i < AIR_ITEMS; i++)
        v[i] = AIR_NONE;
    if (made_mix(key * 31) % 29 == 0 || made_mix((uint64_t)day * 31 + k) % 41 == 0)
        return;
    const int32_t whole[AIRQ_POLLUTANTS] = {
        [AIRQ_SO2] = (int32_t)(5 + made_mix(key * 3) % 12),
        [AIRQ_NO2] = (int32_t)(20 + made_mix(key * 5) % 40),
        [AIRQ_PM10] = pm25 * 8 / 5 + (int32_t)(made_mix(key * 7) % 20),
        [AIRQ_PM25] = pm25,
        [AIRQ_O3] = winter ? (int32_t)(20 + made_mix(key * 11) % 60)
                           : (int32_t)(60 + of_day % 80 + (h >= 11 && h <= 18 ? 50u : 0u) + made_mix(key * 11) % 20)};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        v[p] = whole[p] * 10000;
    v[AIR_CO] = (int32_t)(400000 + made_mix(key * 13) % 900000);
}

static inline int64_t made_version(struct made *m)
{
    int64_t v = 0;
    struct lt_error err = {0};
    assert_int_equal(air_version(m->c->db, &v, &err), LT_OK);
    return v;
}

/* Days [from, to] of a station; each() may change the values of an hour. */
static inline void made_put(struct made *m, size_t k, int32_t from, int32_t to,
                            void (*each)(int32_t day, int h, int32_t v[AIR_ITEMS]))
{
    struct lt_error err = {0};
    struct air_put_result res;
    struct air_row *rows = calloc((size_t)(to - from + 1) * 24, sizeof *rows);
    size_t n = 0;
    for (int32_t d = from; d <= to; d++)
        for (int h = 0; h < 24; h++) {
            struct air_row *r = &rows[n];
            made_hour(m, k, d, h, r->value);
            if (r->value[AIR_SO2] == AIR_NONE)
                continue;
            if (each)
                each(d, h, r->value);
            r->station = m->station[k];
            r->at_ms = air_day_start(d, LT_TZ_CHINA) + h * LT_HOUR_MS;
            n++;
        }
    const struct air_batch_info info = {
        .source = AIR_SRC_FILE, .author = "test", .reason = "made", .now_ms = T0, .tz_min = LT_TZ_CHINA};
    assert_int_equal(air_put(m->c->db, &info, rows, n, &res, &err), LT_OK);
    free(rows);
}

/* n stations: the last in the second county, all others in the first. */
static inline struct made *made_open(size_t n, int32_t from, int32_t to)
{
    struct made *m = calloc(1, sizeof *m);
    struct lt_error err = {0};
    m->c = city_make(":memory:");
    m->n = n;
    assert_int_equal(air_setup(m->c->db, &err), LT_OK);
    assert_int_equal(air_open(m->c->db, LT_TZ_CHINA, &m->a, &err), LT_OK);
    assert_int_equal(air_figures_open(m->a, &m->f, &err), LT_OK);
    for (size_t k = 0; k < n; k++) {
        char code[16];
        snprintf(code, sizeof code, "%04zuA", 1000 + k);
        m->station[k] = INSERT(m->c, "station", RECORD_SET_Z("code", code), RECORD_SET_Z("name", code),
                               RECORD_SET_I("territory", m->c->county[k + 1 == n]), RECORD_SET_Z("type", "national"),
                               RECORD_SET_I("evaluated", 1));
    }
    for (size_t k = 0; k < n && from <= to; k++)
        made_put(m, k, from, to, NULL);
    return m;
}

static inline void made_close(struct made **m)
{
    air_close(&(*m)->a);
    air_figures_close(&(*m)->f);
    city_free((*m)->c);
    free(*m);
    *m = NULL;
}
#endif
