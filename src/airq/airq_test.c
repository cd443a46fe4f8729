/* Tests of the index: published values, the vectors of the standards' users, exact ceilings, missing values. */
#include "airq/airq.h"
#include "airq/airq_testing.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static void vectors_of_both_editions(void **state)
{
    static const struct {
        const char *scale, *conc;
        enum airq_pollutant p;
        enum airq_average avg;
        int want;
    } t[] = {
        {"2026", "75", AIRQ_PM25, AIRQ_DAY, 114},      {"2026", "150", AIRQ_PM10, AIRQ_DAY, 112},
        {"2026", "500", AIRQ_SO2, AIRQ_HOUR, 100},     {"2026", "801", AIRQ_SO2, AIRQ_HOUR, 200},
        {"2026", "801", AIRQ_O3, AIRQ_DAY, 300},       {"2026", "350", AIRQ_NO2, AIRQ_HOUR, 115},
        {"2026", "60.11", AIRQ_PM25, AIRQ_DAY, 100},   {"2026", "60.5", AIRQ_PM25, AIRQ_DAY, 100},
        {"2026", "61.5", AIRQ_PM25, AIRQ_DAY, 102},    {"2012", "75", AIRQ_PM25, AIRQ_DAY, 100},
        {"2012", "75.1", AIRQ_PM25, AIRQ_DAY, 101},    {"2012", "2.2", AIRQ_CO, AIRQ_DAY, 55},
        {"2012", "801", AIRQ_SO2, AIRQ_HOUR, AIRQ_NA}, {"2012", "801", AIRQ_O3, AIRQ_DAY, AIRQ_NA},
        {"2012", "9999", AIRQ_PM10, AIRQ_DAY, 500},    {"2012", "0", AIRQ_PM10, AIRQ_DAY, 0},
        {"2026", "-1", AIRQ_PM10, AIRQ_DAY, AIRQ_NA},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_int_equal(airq_iaqi(airq_scale_find(lt_slice_of(t[i].scale)), t[i].p, t[i].avg, fix(t[i].conc)),
                         t[i].want);
}

static void the_date_picks_the_table(void **state)
{
    assert_string_equal(airq_scale_standard(airq_scale_on(20260228)), "HJ 633-2012");
    assert_string_equal(airq_scale_standard(airq_scale_on(20260301)), "HJ 633-2026");
    assert_null(airq_scale_find(LT_LIT("1999")));
}

static void the_index_never_falls_when_the_air_gets_worse(void **state)
{
    static const char *const names[] = {"2012", "2026", "epa"};
    for (int n = 0; n < 3; n++)
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            for (int avg = 0; avg < AIRQ_AVERAGES; avg++) {
                int last = 0;
                for (int64_t c = 0; c < 4000; c++) {
                    const int64_t ppm = p == AIRQ_CO ? 50000 : p == AIRQ_O3 && n == 2 ? 200 : LT_FIX_ONE;
                    int64_t conc = c * ppm;
                    int v = airq_iaqi(airq_scale_find(lt_slice_of(names[n])), (enum airq_pollutant)p,
                                      (enum airq_average)avg, conc);
                    if (v == AIRQ_NA) /* 2012, beyond its average */
                        break;
                    assert_true(v >= last && v <= 500);
                    last = v;
                }
            }
}

static struct airq_input all_of(const char *so2, const char *no2, const char *co, const char *pm10, const char *pm25,
                                const char *o3)
{
    const char *z[AIRQ_POLLUTANTS] = {so2, no2, co, pm10, pm25, o3};
    struct airq_input in = {.so2_24h = AIRQ_NONE, .o3_1h = AIRQ_NONE};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        in.conc[p] = !z[p] ? AIRQ_NONE : z[p][0] == '/' ? AIRQ_NOT_MONITORED : fix(z[p]);
    return in;
}

static void missing_values(void **state)
{
    const struct airq_scale *y12 = airq_scale_find(LT_LIT("2012")), *y26 = airq_scale_find(LT_LIT("2026"));
    struct airq_result r;
    struct airq_input in = all_of("10", "20", "0.5", "60", NULL, "90");
    airq_index(y12, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 55);
    airq_index(y26, AIRQ_DAY, &in, &r); /* clause 5.3.1: withheld, the single items stay */
    assert_int_equal(r.aqi, AIRQ_NA);
    assert_int_equal(r.iaqi[AIRQ_PM10], 58);
    in = all_of("10", "20", "0.5", "60", "/", "90"); /* clause 5.3.2: not monitored by plan does not block */
    airq_index(y26, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 58);
    assert_int_equal(r.primary, 1u << AIRQ_PM10);
    in = all_of("10", "20", "0.5", "160", NULL, "90"); /* above 100 it is told all the same */
    airq_index(y26, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 116);
    in = all_of(NULL, NULL, NULL, NULL, NULL, NULL);
    airq_index(y12, AIRQ_HOUR, &in, &r);
    assert_int_equal(r.aqi, AIRQ_NA);
    assert_int_equal(r.level, 0);
    in = all_of("900", "20", "0.5", "60", "20", "90"); /* 2012: SO2 1-h above 800 is told by its 24-h mean */
    in.so2_24h = fix("475");
    airq_index(y12, AIRQ_HOUR, &in, &r);
    assert_int_equal(r.iaqi[AIRQ_SO2], 150);
    in = all_of("0", "0", "0", "0", "0", "0");
    airq_index(y26, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 1); /* 2026 clause 4.1.1: 1..500 */
    assert_int_equal(r.level, 1);
    assert_int_equal(r.primary, 0);
}

/* Technical Assistance Document for the Reporting of Daily Air Quality, May 2024: its worked examples, and both sides
 * of the break points. */
static void the_epa_scale(void **state)
{
    static const struct {
        const char *conc;
        enum airq_pollutant p;
        int want;
    } t[] = {
        {"0.07853333", AIRQ_O3, 126}, {"35.9", AIRQ_PM25, 102}, {"8.4", AIRQ_CO, 90},      {"0", AIRQ_PM25, 0},
        {"9.0", AIRQ_PM25, 50},       {"9.09", AIRQ_PM25, 50},  {"9.1", AIRQ_PM25, 51},    {"35.4", AIRQ_PM25, 100},
        {"35.49", AIRQ_PM25, 100},    {"35.5", AIRQ_PM25, 101}, {"225.4", AIRQ_PM25, 300}, {"225.5", AIRQ_PM25, 301},
        {"325.4", AIRQ_PM25, 500},    {"999", AIRQ_PM25, 500},  {"54.9", AIRQ_PM10, 50},   {"55", AIRQ_PM10, 51},
        {"0.054", AIRQ_O3, 50},       {"0.0549", AIRQ_O3, 50},  {"0.055", AIRQ_O3, 51},    {"0.2", AIRQ_O3, 300},
        {"53.9", AIRQ_NO2, 50},       {"2049", AIRQ_NO2, 500},  {"304", AIRQ_SO2, 200},    {"400", AIRQ_SO2, 200},
    };
    const struct airq_scale *s = airq_scale_find(LT_LIT("epa"));
    struct airq_result r;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_int_equal(airq_iaqi(s, t[i].p, AIRQ_DAY, fix(t[i].conc)), t[i].want);
    assert_string_equal(airq_scale_unit(s, AIRQ_O3), "ppm");
    assert_string_equal(airq_scale_unit(airq_scale_find(LT_LIT("2012")), AIRQ_CO), "mg/m3");
    struct airq_input in = all_of(NULL, NULL, NULL, NULL, NULL, "0.06");
    in.o3_1h = fix("0.162"); /* the higher of both averages */
    airq_index(s, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 147); /* 147.49; the document prints 148, from 147.5, which is rounded already */
    assert_int_equal(r.level, 3);
    assert_string_equal(airq_level_name(s, r.level, true), "Unhealthy for sensitive groups");
    in.o3_1h = fix("0.1249"); /* below its table: only the 8-h mean */
    airq_index(s, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 67);
    in = all_of("400", NULL, NULL, NULL, NULL, NULL); /* SO2 beyond 304 ppb: 200 until the 24-h mean says more */
    airq_index(s, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 200);
    in.so2_24h = fix("305");
    airq_index(s, AIRQ_DAY, &in, &r);
    assert_int_equal(r.aqi, 201);
    assert_int_equal(airq_scale_on(20240101) == s || airq_scale_on(99991231) == s || airq_scale_on(0) == s, 0);
}

static void nowcast(void **state)
{
    int64_t c[12];
    for (int i = 0; i < 12; i++)
        c[i] = fix("20");
    assert_int_equal(airq_nowcast(c), fix("20"));
    /* 40 now, 20 before: w = 1/2; (40 + 20 (1/2 + ... + 1/2048)) / (1 + ... ) = (40 x 2048 + 20 x 2047)/4095 */
    c[0] = fix("40");
    assert_int_equal(airq_nowcast(c), fix("30.002442"));
    c[1] = AIRQ_NONE;
    assert_true(airq_nowcast(c) > fix("30"));
    c[2] = AIRQ_NONE;
    assert_int_equal(airq_nowcast(c), AIRQ_NONE);
    for (int i = 0; i < 12; i++)
        c[i] = 0;
    assert_int_equal(airq_nowcast(c), 0);
}

/* Every published station-hour: HJ 633-2012 table with 1-hour means. */
static void published_values_come_out(void **state)
{
    char path[1024], line[512];
    snprintf(path, sizeof path, "%s/cnemc_official_aqi.csv", getenv("AIRQ_TESTDATA"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    unsigned n = 0, polluted = 0;
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        char *cell[9], *p = line;
        line[strcspn(line, "\r\n")] = '\0';
        for (int i = 0; i < 9; i++) {
            cell[i] = p;
            p += strcspn(p, ",");
            if (*p)
                *p++ = '\0';
        }
        if (!cell[7][0])
            continue; /* not published */
        /* columns: station, PM25, PM10, SO2, NO2, CO, O3, AQI, primary */
        struct airq_input in =
            all_of(cell[3][0] ? cell[3] : NULL, cell[4][0] ? cell[4] : NULL, cell[5][0] ? cell[5] : NULL,
                   cell[2][0] ? cell[2] : NULL, cell[1][0] ? cell[1] : NULL, cell[6][0] ? cell[6] : NULL);
        struct airq_result r;
        char primary[32], aqi[16];
        airq_index(airq_scale_find(LT_LIT("2012")), AIRQ_HOUR, &in, &r);
        airq_primary_text(r.primary, primary);
        snprintf(aqi, sizeof aqi, "%d", r.aqi);
        if (strcmp(aqi, cell[7]) != 0 || strcmp(primary, cell[8]) != 0)
            print_message("# station %s: %s %s, published %s %s\n", cell[0], aqi, primary, cell[7], cell[8]);
        assert_string_equal(aqi, cell[7]);
        assert_string_equal(primary, cell[8]);
        n++;
        polluted += r.aqi > 100;
    }
    fclose(f);
    assert_true(n > 4300 && polluted > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_of_both_editions),
                                       cmocka_unit_test(the_date_picks_the_table),
                                       cmocka_unit_test(the_index_never_falls_when_the_air_gets_worse),
                                       cmocka_unit_test(missing_values),
                                       cmocka_unit_test(the_epa_scale),
                                       cmocka_unit_test(nowcast),
                                       cmocka_unit_test(published_values_come_out)};
    return cmocka_run_group_tests_name("airq", tests, NULL, NULL);
}
