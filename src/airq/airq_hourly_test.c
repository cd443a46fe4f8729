/* Tests of reading lines: what is taken, what is refused and how it is told. */
#include "airq/airq_assess.h"
#include "airq/airq_hourly.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define HEADER "time,station,PM25,PM10,SO2,NO2,CO,O3"

/* 2014-01-01 .. 2014-12-31 */
static struct airq_hourly reader(const char *header, bool label_end, enum airq_co_unit co)
{
    struct airq_hourly h = {.label_end = label_end, .co = co, .from = 16071, .to = 16435};
    struct airq_fault f;
    assert_true(airq_hourly_header(&h, lt_slice_of(header), &f));
    return h;
}

static void dates(void **state)
{
    static const struct {
        const char *z;
        int32_t day; /* -1: refused */
    } t[] = {{"1970-01-01", 0},  {"2014-01-01", 16071}, {"2016-02-29", 16860}, {"2014-02-29", -1},
             {"2014-13-01", -1}, {"2014-00-10", -1},    {"2014-01-00", -1},    {"1969-12-31", -1},
             {"2200-01-01", -1}, {"2014-1-01", -1},     {"2014/01/01", -1},    {"2014-01-01 ", -1},
             {"", -1},           {"20x4-01-01", -1},    {"2100-02-29", -1}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        int32_t day = -1;
        assert_int_equal(airq_date_parse(lt_slice_of(t[i].z), &day), t[i].day >= 0);
        assert_int_equal(day, t[i].day);
    }
}

/* "16:00" = 15:00-16:00 when labels are ends, so 00:00 belongs to the day before. */
static void labels_of_hours(void **state)
{
    static const struct {
        const char *time;
        bool end;
        enum airq_row_kind kind;
        int day, hour; /* day of 2014, from 0 */
    } t[] = {{"2014-03-01 16:00", true, AIRQ_ROW_IN, 59, 15},
             {"2014-03-01 16:00", false, AIRQ_ROW_IN, 59, 16},
             {"2014-03-01 00:00", true, AIRQ_ROW_IN, 58, 23},
             {"2014-03-01 00:00", false, AIRQ_ROW_IN, 59, 0},
             {"2014-03-01 01:00", true, AIRQ_ROW_IN, 59, 0},
             {"2014-02-28 24:00", true, AIRQ_ROW_IN, 58, 23},
             {"2014-02-28 24:00", false, AIRQ_ROW_BAD, 0, 0},
             {"2014-01-01 00:00", true, AIRQ_ROW_OUTSIDE, 0, 0},
             {"2014-01-01 00:00", false, AIRQ_ROW_IN, 0, 0},
             {"2015-01-01 00:00", true, AIRQ_ROW_IN, 364, 23},
             {"2015-01-01 00:00", false, AIRQ_ROW_OUTSIDE, 0, 0},
             {"2014-03-01T16:00:00", true, AIRQ_ROW_IN, 59, 15},
             {"2014-03-01 16:30", true, AIRQ_ROW_BAD, 0, 0},
             {"2014-02-29 16:00", true, AIRQ_ROW_BAD, 0, 0},
             {"2014-03-01 25:00", true, AIRQ_ROW_BAD, 0, 0},
             {"2014-03-01 16:00:01", true, AIRQ_ROW_BAD, 0, 0},
             {"2014-03-01", true, AIRQ_ROW_BAD, 0, 0},
             {"", true, AIRQ_ROW_BAD, 0, 0},
             {"2014-03-01 1x:00", true, AIRQ_ROW_BAD, 0, 0},
             {"2014-03-01 16:00Z", true, AIRQ_ROW_BAD, 0, 0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct airq_hourly h = reader(HEADER, t[i].end, AIRQ_CO_MG);
        struct airq_row row;
        struct airq_fault f = {0};
        char line[100];
        snprintf(line, sizeof line, "%s,A,1,2,3,4,0.5,6", t[i].time);
        assert_int_equal(airq_hourly_row(&h, lt_slice_of(line), &row, &f), t[i].kind);
        if (t[i].kind == AIRQ_ROW_IN) {
            assert_int_equal(row.day, 16071 + t[i].day);
            assert_int_equal(row.hour, t[i].hour);
        } else if (t[i].kind == AIRQ_ROW_BAD) {
            assert_string_equal(f.column, "time");
            assert_true(lt_slice_is(f.cell, t[i].time));
        }
    }
}

static void columns_in_any_order(void **state)
{
    struct airq_hourly h = reader("\xEF\xBB\xBFO3,WIND,CO,station,NO2,SO2,\"PM10\",time,PM25,x", false, AIRQ_CO_UG);
    struct airq_row row;
    struct airq_fault f;
    assert_int_equal(airq_hourly_row(&h,
                                     LT_LIT("6.5,\"N,\"\"E\"\"\",500,\"Dongsi, east\",,3.25,\"20\",2014-05-06 07:00,,"),
                                     &row, &f),
                     AIRQ_ROW_IN);
    assert_true(lt_slice_is(row.station, "Dongsi, east"));
    const int32_t want[AIRQ_POLLUTANTS] = {[AIRQ_SO2] = 32500,   [AIRQ_NO2] = -1,  [AIRQ_CO] = 500000,
                                           [AIRQ_PM10] = 200000, [AIRQ_PM25] = -1, [AIRQ_O3] = 65000};
    assert_memory_equal(row.ticks, want, sizeof want);
    assert_int_equal(airq_hourly_row(&h, LT_LIT(""), &row, &f), AIRQ_ROW_EMPTY);
}

static void wrong_headers(void **state)
{
    static const struct {
        const char *header, *column;
    } t[] = {{"time,station,PM25,PM10,SO2,NO2,CO", "O3"},       {"time,station,PM2.5,PM10,SO2,NO2,CO,O3", "PM25"},
             {"date,station,PM25,PM10,SO2,NO2,CO,O3", "time"},  {"time,PM25,PM10,SO2,NO2,CO,O3", "station"},
             {"time,station,PM25,PM10,SO2,NO2,CO,O3,CO", "CO"}, {"", "SO2"},
             {"time;station;PM25;PM10;SO2;NO2;CO;O3", "SO2"},   {"time,station,\"PM25,PM10,SO2,NO2,CO,O3", ""}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct airq_hourly h = {0};
        struct airq_fault f = {0};
        assert_false(airq_hourly_header(&h, lt_slice_of(t[i].header), &f));
        assert_string_equal(f.column, t[i].column);
        assert_true(f.text[0] != '\0');
    }
    char wide[3 * 300] = HEADER; /* more columns than fit */
    memset(wide + strlen(wide), ',', 300);
    struct airq_hourly h = {0};
    struct airq_fault f;
    assert_false(airq_hourly_header(&h, lt_slice_of(wide), &f));
}

static void values(void **state)
{
    static const struct {
        const char *cell;
        int32_t ticks; /* -2: refused */
    } t[] = {{"", -1},
             {"0", 0},
             {"35", 350000},
             {"0.2856", 2856},
             {"0.28565", 2856},
             {"0.28575", 2858},
             {"0.285651", 2857},
             {".5", 5000},
             {"5.", 50000},
             {"007", 70000},
             {"10000", 100000000},
             {"10000.1", -2},
             {"99999999999999999", -2},
             {"-1", -2},
             {"-999", -2},
             {"NaN", -2},
             {"NA", -2},
             {"null", -2},
             {"1e2", -2},
             {"+3", -2},
             {" 3", -2},
             {"3 ", -2},
             {"1.2.3", -2},
             {".", -2},
             {"-", -2},
             {"35.333333333333336", 353333},
             {"0.1234567890123456789", -2},
             {"\"3\"\"\"", -2},
             {"0x10", -2}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct airq_hourly h = reader(HEADER, false, AIRQ_CO_MG);
        struct airq_row row;
        struct airq_fault f = {0};
        char line[100];
        snprintf(line, sizeof line, "2014-05-06 07:00,A,%s,1,1,1,1,1", t[i].cell);
        enum airq_row_kind kind = airq_hourly_row(&h, lt_slice_of(line), &row, &f);
        assert_int_equal(kind, t[i].ticks == -2 ? AIRQ_ROW_BAD : AIRQ_ROW_IN);
        if (kind == AIRQ_ROW_IN)
            assert_int_equal(row.ticks[AIRQ_PM25], t[i].ticks);
        else
            assert_string_equal(f.column, "PM25");
    }
}

static void each_pollutant_has_its_most(void **state)
{
    static const char *const lines[] = {"2014-05-06 07:00,A,1,10000.0001,1,1,1,1", "2014-05-06 07:00,A,1,1,5001,1,1,1",
                                        "2014-05-06 07:00,A,1,1,1,5001,1,1", "2014-05-06 07:00,A,1,1,1,1,1,5000.5"};
    static const char *const column[] = {"PM10", "SO2", "NO2", "O3"};
    for (size_t i = 0; i < 4; i++) {
        struct airq_hourly h = reader(HEADER, false, AIRQ_CO_MG);
        struct airq_row row;
        struct airq_fault f = {0};
        assert_int_equal(airq_hourly_row(&h, lt_slice_of(lines[i]), &row, &f), AIRQ_ROW_BAD);
        assert_string_equal(f.column, column[i]);
    }
}

static void rows_out_of_shape(void **state)
{
    static const char *const lines[] = {"2014-05-06 07:00,A,1,1,1,1,1",
                                        "2014-05-06 07:00,A,1,1,1,1,1,1,1",
                                        "2014-05-06 07:00,,1,1,1,1,1,1",
                                        "2014-05-06 07:00,\"A,1,1,1,1,1,1",
                                        "2014-05-06 07:00,\"A\"x,1,1,1,1,1,1",
                                        ",",
                                        "\"",
                                        "2014-05-06 07:00,\"A\"\"B\",1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct airq_hourly h = reader(HEADER, false, AIRQ_CO_MG);
        struct airq_row row;
        struct airq_fault f = {0};
        assert_int_equal(airq_hourly_row(&h, lt_slice_of(lines[i]), &row, &f), AIRQ_ROW_BAD);
        assert_non_null(f.text);
    }
}

/* Feeds n rows with this CO. */
static void feed(struct airq_hourly *h, const char *co, int n)
{
    struct airq_row row;
    struct airq_fault f;
    char line[100];
    snprintf(line, sizeof line, "2014-05-06 07:00,A,1,1,1,1,%s,1", co);
    for (int i = 0; i < n; i++)
        assert_true(airq_hourly_row(h, lt_slice_of(line), &row, &f) >= AIRQ_ROW_IN);
}

/* Median above 50 "mg/m3" or below 20 "µg/m3": the unit is wrong. */
static void the_unit_of_co_must_be_plausible(void **state)
{
    struct airq_hourly mg = reader(HEADER, false, AIRQ_CO_MG), ug = reader(HEADER, false, AIRQ_CO_UG);
    assert_int_equal(airq_hourly_co(&mg), AIRQ_CO_PLAUSIBLE); /* nothing known */
    feed(&mg, "800", 5);
    assert_int_equal(mg.co_beyond, 5);
    assert_int_equal(airq_hourly_co(&mg), AIRQ_CO_IS_UG);
    feed(&mg, "50", 5);
    assert_int_equal(airq_hourly_co(&mg), AIRQ_CO_PLAUSIBLE); /* the median is not above 50 */
    feed(&ug, "0.8", 5);
    assert_int_equal(airq_hourly_co(&ug), AIRQ_CO_IS_MG);
    feed(&ug, "", 100);
    assert_int_equal(airq_hourly_co(&ug), AIRQ_CO_IS_MG);
    feed(&ug, "20", 5);
    assert_int_equal(airq_hourly_co(&ug), AIRQ_CO_PLAUSIBLE);
    assert_int_equal(ug.co_beyond, 0);
}

static void units_of_co(void **state)
{
    struct airq_hourly mg = reader(HEADER, false, AIRQ_CO_MG), ug = reader(HEADER, false, AIRQ_CO_UG);
    struct airq_row row;
    struct airq_fault f;
    assert_int_equal(airq_hourly_row(&mg, LT_LIT("2014-05-06 07:00,A,1,1,1,1,0.123456,1"), &row, &f), AIRQ_ROW_IN);
    assert_int_equal(row.ticks[AIRQ_CO], 123456);
    assert_int_equal(airq_hourly_row(&ug, LT_LIT("2014-05-06 07:00,A,1,1,1,1,123.456,1"), &row, &f), AIRQ_ROW_IN);
    assert_int_equal(row.ticks[AIRQ_CO], 123456);
    assert_int_equal(airq_hourly_row(&ug, LT_LIT("2014-05-06 07:00,A,1,1,1,1,150000,1"), &row, &f), AIRQ_ROW_IN);
    assert_int_equal(row.ticks[AIRQ_CO], airq_most(AIRQ_CO));
    assert_int_equal(airq_hourly_row(&ug, LT_LIT("2014-05-06 07:00,A,1,1,1,1,150001,1"), &row, &f), AIRQ_ROW_CO);
    assert_int_equal(row.ticks[AIRQ_CO], -1);
    assert_int_equal(airq_hourly_row(&ug, LT_LIT("2014-05-06 07:00,A,1,1,1,1,150001,x"), &row, &f), AIRQ_ROW_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(dates),
                                       cmocka_unit_test(labels_of_hours),
                                       cmocka_unit_test(columns_in_any_order),
                                       cmocka_unit_test(wrong_headers),
                                       cmocka_unit_test(values),
                                       cmocka_unit_test(each_pollutant_has_its_most),
                                       cmocka_unit_test(rows_out_of_shape),
                                       cmocka_unit_test(the_unit_of_co_must_be_plausible),
                                       cmocka_unit_test(units_of_co)};
    return cmocka_run_group_tests_name("airq_hourly", tests, NULL, NULL);
}
