/* Tests of doubts about an import: three years of twelve stations of Beijing as they are (nothing may be found, in any
 * month of any station) and turned wrong in every way; nation-wide hours of summer. */
#include "airq/airq_doubt.h"
#include "airq/airq_hourly.h"
#include "airq/airq_rules.h"
#include "base/rand.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <cmocka.h>

enum { ROWS = 300000, STATIONS = 12, UG = 10000 };

struct row {
    int32_t day;
    uint8_t station, hour, month;
    int16_t year;
    int32_t ticks[AIRQ_POLLUTANTS];
};
static struct row *rows;
static size_t row_n;

static size_t station_of(struct lt_slice name)
{
    static char names[STATIONS][32];
    static size_t n;
    for (size_t i = 0; i < n; i++)
        if (lt_slice_is(name, names[i]))
            return i;
    assert_true(n < STATIONS);
    lt_text_copy_slice(names[n], sizeof names[n], name);
    return n++;
}

static int read_rows(void **state)
{
    char path[1024], line[1024];
    snprintf(path, sizeof path, "%s/beijing12_hourly_2013-03_2015-12.csv.gz", getenv("AIRQ_TESTDATA"));
    gzFile f = gzopen(path, "rb");
    struct airq_hourly h = {.co = AIRQ_CO_UG, .from = 0, .to = 30000};
    struct airq_fault fault;
    rows = calloc(ROWS, sizeof *rows);
    if (!f || !rows || !gzgets(f, line, sizeof line))
        return -1;
    line[strcspn(line, "\r\n")] = '\0';
    if (!airq_hourly_header(&h, lt_slice_of(line), &fault))
        return -1;
    while (gzgets(f, line, sizeof line)) {
        struct airq_row r;
        line[strcspn(line, "\r\n")] = '\0';
        if (airq_hourly_row(&h, lt_slice_of(line), &r, &fault) != AIRQ_ROW_IN || row_n == ROWS)
            return -1;
        const struct lt_slice y = {line, 4};
        int64_t year;
        if (!lt_text_to_i64(y, &year))
            return -1;
        rows[row_n] = (struct row){.day = r.day,
                                   .station = (uint8_t)station_of(r.station),
                                   .hour = (uint8_t)r.hour,
                                   .month = (uint8_t)((line[5] - '0') * 10 + line[6] - '0'),
                                   .year = (int16_t)year};
        memcpy(rows[row_n++].ticks, r.ticks, sizeof r.ticks);
    }
    gzclose(f);
    return 0;
}

static int free_rows(void **state)
{
    free(rows);
    return 0;
}

/* ---- ways to go wrong ---- */

struct wrong {
    int swap_a, swap_b; /* columns; the same: none */
    int shift;          /* hours added to the clock */
    int gas_ppb;        /* decimals of the ppb that gases are turned into; 0: none, -1: whole */
    int thousandth;     /* bit per pollutant */
};

static void turn(const struct wrong *w, int32_t t[AIRQ_POLLUTANTS])
{
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        if (t[p] < 0)
            continue;
        if (w->thousandth >> p & 1)
            t[p] = (int32_t)lt_div_half_even(t[p], 1000);
        if (w->gas_ppb && (p == AIRQ_SO2 || p == AIRQ_NO2 || p == AIRQ_O3)) {
            const int64_t ppb = airq_to_ppb((enum airq_pollutant)p, (int64_t)t[p] * 100);
            t[p] = (int32_t)(lt_fix_round(ppb, w->gas_ppb < 0 ? 0 : (unsigned)w->gas_ppb) / 100);
        }
    }
    if (w->swap_a != w->swap_b) { /* what the columns say, in their own units: CO mg, the others µg */
        const int32_t a = t[w->swap_a], b = t[w->swap_b];
        const bool co_a = w->swap_a == AIRQ_CO, co_b = w->swap_b == AIRQ_CO;
        t[w->swap_a] = b < 0 || (co_a && b > 1500000) ? -1 : co_a ? b * 100 : co_b ? b / 100 : b;
        t[w->swap_b] = a < 0 || (co_b && a > 1500000) ? -1 : co_b ? a * 100 : co_a ? a / 100 : a;
    }
}

/* station -1: all; year, month 0: all */
static struct airq_doubt_stats *stats_of(const struct wrong *w, int station, int year, int month)
{
    static const struct wrong none;
    struct airq_doubt_stats *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (size_t i = 0; i < row_n; i++) {
        const struct row *r = &rows[i];
        int32_t t[AIRQ_POLLUTANTS];
        if ((station >= 0 && r->station != station) || (year && r->year != year) || (month && r->month != month))
            continue;
        memcpy(t, r->ticks, sizeof t);
        turn(w ? w : &none, t);
        airq_doubt_add(s, r->month, (r->hour + (w ? w->shift : 0) + 48) % 24, t);
    }
    return s;
}

static void tell(const struct airq_doubt_finding *f)
{
    print_message("# %s %d %s/%s %d h: %s | %s\n# %s | %s\n", airq_doubt_kind_name(f->kind), f->confidence,
                  airq_pollutant_name(f->p), airq_pollutant_name(f->q), f->hours, f->zh, f->en, f->do_zh, f->do_en);
}

static const struct airq_doubt_finding *find(const struct airq_doubt_finding *f, size_t n, enum airq_doubt_kind kind,
                                             int p)
{
    for (size_t i = 0; i < n; i++)
        if (f[i].kind == kind && (p < 0 || (int)f[i].p == p))
            return &f[i];
    return NULL;
}

static void nothing_is_found_in_good_data(void **state)
{
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    unsigned months = 0, wrong = 0;
    for (int station = -1; station < STATIONS; station++)
        for (int year = 2013; year <= 2016; year++)
            for (int month = 0; month <= 12; month++) {
                struct airq_doubt_stats *s = stats_of(NULL, station, year == 2016 ? 0 : year, month);
                const size_t n = airq_doubt(s, NULL, f);
                for (size_t i = 0; i < n; i++) {
                    print_message("# station %d, %d-%02d:\n", station, year, month);
                    tell(&f[i]);
                }
                wrong += n > 0;
                months += s->rows > 0;
                free(s);
            }
    assert_true(months > 450);
    assert_int_equal(wrong, 0);
}

/* Every station against the others and against its own other years: nothing. */
static void what_is_known_raises_no_false_doubt(void **state)
{
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    unsigned wrong = 0, n_pairs = 0;
    for (int station = 0; station < STATIONS; station++)
        for (int month = 0; month <= 12; month++) { /* 0: the whole years */
            struct airq_doubt_stats *a = stats_of(NULL, station, 2014, month),
                                    *b = stats_of(NULL, station, 2015, month),
                                    *c = stats_of(NULL, (station + 5) % STATIONS, 2014, month);
            const struct airq_doubt_stats *now[] = {a, b, a, c}, *known[] = {b, a, c, a};
            for (int k = 0; k < 4; k++) {
                const size_t n = airq_doubt(now[k], known[k], f);
                for (size_t i = 0; i < n; i++) {
                    print_message("# station %d, month %d, %d:\n", station, month, k);
                    tell(&f[i]);
                }
                wrong += n > 0;
                n_pairs++;
            }
            free(a);
            free(b);
            free(c);
        }
    print_message("# %u of %u pairs of months raise a doubt\n", wrong, n_pairs);
    assert_true(wrong == 0);
}

/* Sentences that were not cut off. */
static void whole(const struct airq_doubt_finding *f)
{
    const char *const zh[] = {f->zh, f->do_zh}, *const en[] = {f->en, f->do_en};
    for (int i = 0; i < 2; i++) {
        assert_true(strlen(zh[i]) > 10 && strcmp(zh[i] + strlen(zh[i]) - 3, "。") == 0);
        assert_true(strlen(en[i]) > 10 && en[i][strlen(en[i]) - 1] == '.');
        assert_true(lt_text_is_utf8(lt_slice_of(zh[i])) && lt_text_is_utf8(lt_slice_of(en[i])));
    }
    assert_true(f->confidence >= AIRQ_DOUBT_HINT && f->confidence <= AIRQ_DOUBT_CERTAIN);
}

/* Anything at all: no more findings than there is room, surest first, whole sentences; order of rows does not matter.
 */
static void whatever_comes(void **state)
{
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    struct airq_doubt_stats *s = calloc(1, sizeof *s), *back = calloc(1, sizeof *back);
    struct lt_rand r;
    enum { N = 1200 };
    static struct {
        int month, hour;
        int32_t t[AIRQ_POLLUTANTS];
    } row[N];
    unsigned findings = 0;
    assert_true(s && back);
    lt_rand_init(&r, 77);
    for (int round = 0; round < 400; round++) {
        memset(s, 0, sizeof *s);
        memset(back, 0, sizeof *back);
        const int n = (int)lt_rand_below(&r, N + 1);
        uint64_t scale[AIRQ_POLLUTANTS];
        for (int p = 0; p < AIRQ_POLLUTANTS; p++)
            scale[p] = UINT64_C(1) << lt_rand_below(&r, 28);
        for (int i = 0; i < n; i++) {
            row[i].month = 1 + (int)lt_rand_below(&r, 12);
            row[i].hour = (int)lt_rand_below(&r, 24);
            for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
                const int64_t v = (int64_t)lt_rand_below(&r, scale[p]) * (round % 3 ? 1 : 1 + (row[i].hour + p) % 24);
                row[i].t[p] = lt_rand_below(&r, 9) == 0 || v > airq_most((enum airq_pollutant)p) ? -1 : (int32_t)v;
            }
        }
        for (int i = 0; i < n; i++) {
            airq_doubt_add(s, row[i].month, row[i].hour, row[i].t);
            airq_doubt_add(back, row[n - 1 - i].month, row[n - 1 - i].hour, row[n - 1 - i].t);
        }
        for (int p = 0; round % 4 == 0 && p < AIRQ_POLLUTANTS; p++)
            for (uint64_t k = lt_rand_below(&r, 900); k > 0; k--) {
                airq_doubt_impossible(s, (enum airq_pollutant)p, k & 1);
                airq_doubt_impossible(back, (enum airq_pollutant)p, k & 1);
            }
        assert_memory_equal(s, back, sizeof *s);
        const size_t found = airq_doubt(s, round & 1 ? back : NULL, f);
        assert_true(found <= AIRQ_DOUBT_MAX);
        for (size_t i = 0; i < found; i++) {
            whole(&f[i]);
            assert_true(i == 0 || f[i].confidence <= f[i - 1].confidence);
        }
        findings += (unsigned)found;
    }
    assert_true(findings > 400);
    free(s);
    free(back);
}

static void every_wrong_way_is_found(void **state)
{
    static const struct {
        struct wrong w;
        enum airq_doubt_kind kind;
        enum airq_pollutant p, q;
        enum airq_doubt_confidence least;
        int hours, may_miss; /* of 13: stations where it is told otherwise or, for gases that are much alike, not */
    } t[] = {
        {{.swap_a = AIRQ_PM10, .swap_b = AIRQ_PM25}, AIRQ_DOUBT_SWAPPED, AIRQ_PM10, AIRQ_PM25, AIRQ_DOUBT_LIKELY, 0, 0},
        {{.swap_a = AIRQ_NO2, .swap_b = AIRQ_O3}, AIRQ_DOUBT_SWAPPED, AIRQ_NO2, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.swap_a = AIRQ_SO2, .swap_b = AIRQ_O3}, AIRQ_DOUBT_SWAPPED, AIRQ_SO2, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.swap_a = AIRQ_PM25, .swap_b = AIRQ_O3}, AIRQ_DOUBT_SWAPPED, AIRQ_PM25, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.swap_a = AIRQ_CO, .swap_b = AIRQ_O3}, AIRQ_DOUBT_SWAPPED, AIRQ_CO, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 0, 3},
        {{.swap_a = AIRQ_SO2, .swap_b = AIRQ_NO2}, AIRQ_DOUBT_SWAPPED, AIRQ_SO2, AIRQ_NO2, AIRQ_DOUBT_LIKELY, 0, 1},
        {{.swap_a = AIRQ_PM25, .swap_b = AIRQ_NO2}, AIRQ_DOUBT_SWAPPED, AIRQ_PM25, AIRQ_NO2, AIRQ_DOUBT_LIKELY, 0, 1},
        {{.shift = -8}, AIRQ_DOUBT_CLOCK, AIRQ_O3, AIRQ_O3, AIRQ_DOUBT_CERTAIN, -8, 0},
        {{.shift = 8}, AIRQ_DOUBT_CLOCK, AIRQ_O3, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 8, 0},
        {{.shift = 12}, AIRQ_DOUBT_CLOCK, AIRQ_O3, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 12, 0},
        {{.shift = -5}, AIRQ_DOUBT_CLOCK, AIRQ_O3, AIRQ_O3, AIRQ_DOUBT_LIKELY, -5, 0},
        {{.gas_ppb = 1}, AIRQ_DOUBT_UNIT_PPB, AIRQ_O3, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.gas_ppb = 2}, AIRQ_DOUBT_UNIT_PPB, AIRQ_NO2, AIRQ_NO2, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.thousandth = 1 << AIRQ_PM25}, AIRQ_DOUBT_UNIT_MG, AIRQ_PM25, AIRQ_PM25, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.thousandth = 1 << AIRQ_O3}, AIRQ_DOUBT_UNIT_MG, AIRQ_O3, AIRQ_O3, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.thousandth = 1 << AIRQ_SO2}, AIRQ_DOUBT_UNIT_MG, AIRQ_SO2, AIRQ_SO2, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.thousandth = 1 << AIRQ_NO2}, AIRQ_DOUBT_UNIT_MG, AIRQ_NO2, AIRQ_NO2, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.thousandth = 1 << AIRQ_PM10}, AIRQ_DOUBT_UNIT_MG, AIRQ_PM10, AIRQ_PM10, AIRQ_DOUBT_CERTAIN, 0, 0},
        {{.thousandth = 1 << AIRQ_CO}, AIRQ_DOUBT_UNIT_MG, AIRQ_CO, AIRQ_CO, AIRQ_DOUBT_CERTAIN, 0, 0},
    };
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    unsigned missed = 0, others = 0;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        unsigned months = 0, found = 0;
        for (int station = -1; station < STATIONS; station++) { /* whole period, then a year of each */
            struct airq_doubt_stats *s = stats_of(&t[i].w, station, station < 0 ? 0 : 2014, 0);
            const size_t n = airq_doubt(s, NULL, f);
            const struct airq_doubt_finding *x = find(f, n, t[i].kind, (int)t[i].p);
            const bool right = x && x->q == t[i].q && x->confidence >= t[i].least && abs(x->hours - t[i].hours) <= 1;
            const bool wrap = x && t[i].hours == 12 && abs(x->hours) >= 11;
            months++;
            found += right || wrap;
            assert_true(station >= 0 || right || wrap);
            for (size_t k = 0; k < n; k++) {
                whole(&f[k]);
                if ((right || wrap) && f[k].kind != t[i].kind) { /* nothing else is blamed */
                    tell(&f[k]);
                    others++;
                }
            }
            free(s);
        }
        if (found + (unsigned)t[i].may_miss < months) {
            print_message("# case %zu: found in %u of %u\n", i, found, months);
            missed++;
        }
    }
    assert_int_equal(others, 0);
    assert_int_equal(missed, 0);
}

/* With what is known of the stations: ppb that are whole, and an hour's difference of labels. */
static void what_is_known_helps(void **state)
{
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    const struct wrong ppb = {.gas_ppb = -1}, label = {.shift = 1}, before = {.shift = -2};
    for (int year = 2014; year <= 2015; year++) {
        struct airq_doubt_stats *known = stats_of(NULL, -1, 4029 - year, 0), *now = stats_of(&ppb, -1, year, 0);
        size_t n = airq_doubt(now, known, f);
        assert_non_null(find(f, n, AIRQ_DOUBT_UNIT_PPB, AIRQ_O3));
        assert_non_null(find(f, n, AIRQ_DOUBT_UNIT_PPB, AIRQ_NO2));
        assert_int_equal(airq_doubt(now, NULL, f), 0); /* Beijing's gases in whole ppb could be another city's µg */
        free(now);
        now = stats_of(&label, -1, year, 0);
        n = airq_doubt(now, known, f);
        const struct airq_doubt_finding *x = find(f, n, AIRQ_DOUBT_CLOCK, -1);
        assert_true(x && x->hours == 1 && x->confidence == AIRQ_DOUBT_HINT);
        free(now);
        now = stats_of(&before, -1, year, 0);
        n = airq_doubt(now, known, f);
        x = find(f, n, AIRQ_DOUBT_CLOCK, -1);
        assert_true(x && x->hours == -2 && x->confidence == AIRQ_DOUBT_LIKELY);
        free(now);
        free(known);
    }
}

static void impossible_and_repeated(void **state)
{
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    struct airq_doubt_stats *s = stats_of(NULL, 0, 2014, 5);
    for (int i = 0; i < 3; i++)
        airq_doubt_impossible(s, AIRQ_SO2, true);
    airq_doubt_impossible(s, AIRQ_PM10, false);
    airq_doubt_repeated(s, false);
    airq_doubt_repeated(s, true);
    const size_t n = airq_doubt(s, NULL, f);
    assert_int_equal(n, 3);
    const struct airq_doubt_finding *x = find(f, n, AIRQ_DOUBT_IMPOSSIBLE, AIRQ_SO2);
    assert_non_null(x);
    assert_string_equal(x->zh, "SO2 有 3 个负值、0 个值超过 5000 µg/m³，超出仪器可能的范围。");
    assert_non_null(find(f, n, AIRQ_DOUBT_IMPOSSIBLE, AIRQ_PM10));
    x = find(f, n, AIRQ_DOUBT_REPEATED, -1);
    assert_non_null(x);
    assert_string_equal(x->en,
                        "2 station-hours are told twice or more, 1 of them with other values than the first time.");
    free(s);
    s = calloc(1, sizeof *s); /* CO in µg/m3 said to be mg/m3: refused as more than can be, row by row */
    assert_non_null(s);
    for (int i = 0; i < 200; i++) {
        const int32_t t[AIRQ_POLLUTANTS] = {8 * UG, 40 * UG, -1, 90 * UG, 60 * UG, 50 * UG};
        airq_doubt_add(s, 1, i % 24, t);
        airq_doubt_impossible(s, AIRQ_CO, false);
    }
    const size_t m = airq_doubt(s, NULL, f);
    assert_int_equal(m, 2);
    assert_non_null(find(f, m, AIRQ_DOUBT_UNIT_UG, AIRQ_CO));
    memset(s, 0, sizeof *s);
    assert_int_equal(airq_doubt(s, NULL, f), 0); /* nothing known, nothing doubted */
    assert_int_equal(airq_doubt_median(s, AIRQ_O3), AIRQ_NONE);
    free(s);
}

static void medians(void **state)
{
    struct airq_doubt_stats *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (int32_t v = 0; v < 2000; v++) {
        const int32_t t[AIRQ_POLLUTANTS] = {v, v * 1000, v * 70000, -1, 0, 500000};
        airq_doubt_add(s, 1, 0, t);
    }
    assert_true(llabs(airq_doubt_median(s, AIRQ_SO2) - 100000) <= 100000 / 8);
    assert_true(llabs(airq_doubt_median(s, AIRQ_NO2) - 100000000) <= 100000000 / 8);
    assert_int_equal(airq_doubt_median(s, AIRQ_PM25), 0);
    assert_true(llabs(airq_doubt_median(s, AIRQ_O3) - 50000000) <= 50000000 / 8);
    assert_int_equal(airq_doubt_median(s, AIRQ_PM10), AIRQ_NONE);
    free(s);
}

/* Hours of the whole country, two moments in July: too few for shapes, enough for units. */
static void nation_wide_hours(void **state)
{
    char path[1024], line[512];
    struct airq_doubt_finding f[AIRQ_DOUBT_MAX];
    struct airq_doubt_stats *s = calloc(1, sizeof *s), *swapped = calloc(1, sizeof *s);
    snprintf(path, sizeof path, "%s/cnemc_official_aqi.csv", getenv("AIRQ_TESTDATA"));
    FILE *in = fopen(path, "r");
    assert_true(in && s && swapped && fgets(line, sizeof line, in));
    while (fgets(line, sizeof line, in)) {
        static const enum airq_pollutant order[] = {AIRQ_PM25, AIRQ_PM10, AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_O3};
        int32_t t[AIRQ_POLLUTANTS];
        const char *p = strchr(line, ',');
        for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
            const size_t n = strcspn(++p, ",");
            int64_t v;
            t[order[i]] = n && lt_fix_parse((struct lt_slice){p, n}, &v) ? (int32_t)(v / airq_tick(order[i])) : -1;
            p += n;
        }
        airq_doubt_add(s, 7, 15, t);
        const int32_t pm = t[AIRQ_PM10];
        t[AIRQ_PM10] = t[AIRQ_PM25];
        t[AIRQ_PM25] = pm;
        airq_doubt_add(swapped, 7, 15, t);
    }
    fclose(in);
    assert_true(s->rows > 4300);
    assert_int_equal(airq_doubt(s, NULL, f), 0);
    assert_int_equal(airq_doubt(swapped, NULL, f), 1);
    assert_int_equal(f[0].kind, AIRQ_DOUBT_SWAPPED);
    free(s);
    free(swapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_found_in_good_data),
                                       cmocka_unit_test(what_is_known_raises_no_false_doubt),
                                       cmocka_unit_test(every_wrong_way_is_found),
                                       cmocka_unit_test(what_is_known_helps),
                                       cmocka_unit_test(impossible_and_repeated),
                                       cmocka_unit_test(medians),
                                       cmocka_unit_test(whatever_comes),
                                       cmocka_unit_test(nation_wide_hours)};
    return cmocka_run_group_tests_name("airq_doubt", tests, read_rows, free_rows);
}
