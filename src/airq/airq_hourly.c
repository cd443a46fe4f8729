/* Reads lines of hourly values; see airq_hourly.h. */
#include "airq/airq_hourly.h"
#include "airq/airq_assess.h"
#include "base/clock.h"

enum { AT_TIME = AIRQ_POLLUTANTS, AT_STATION };

static const char *column_name(int i)
{
    return i == AT_TIME ? "time" : i == AT_STATION ? "station" : airq_pollutant_name((enum airq_pollutant)i);
}

static bool fault(struct airq_fault *ret, const char *column, struct lt_slice cell, const char *text)
{
    *ret = (struct airq_fault){column, cell, text};
    return false;
}

/* ---- cells ---- */

/* Splits a line (RFC 4180, no line breaks inside cells; a doubled quote stays doubled). Returns the number of cells, 0
 * when there are too many or a quote is out of place. */
static int split(struct lt_slice line, struct lt_slice cell[AIRQ_HOURLY_COLUMNS_MAX])
{
    const char *p = line.p, *const end = line.p + line.n;
    int n = 0;
    for (;;) {
        if (n == AIRQ_HOURLY_COLUMNS_MAX)
            return 0;
        const char *from = p;
        if (p < end && *p == '"') {
            from = ++p;
            while (p < end && !(p[0] == '"' && (p + 1 == end || p[1] != '"')))
                p += *p == '"' ? 2 : 1;
            if (p >= end)
                return 0;
            cell[n++] = (struct lt_slice){from, (size_t)(p - from)};
            p++;
            if (p < end && *p != ',')
                return 0;
        } else {
            while (p < end && *p != ',')
                p++;
            cell[n++] = (struct lt_slice){from, (size_t)(p - from)};
        }
        if (p == end)
            return n;
        p++;
    }
}

static bool two_digits(const char *p, int *ret)
{
    const unsigned a = (unsigned)(unsigned char)p[0] - '0', b = (unsigned)(unsigned char)p[1] - '0';
    *ret = (int)(a * 10 + b);
    return a <= 9 && b <= 9;
}

bool airq_date_parse(struct lt_slice s, int32_t *ret_day)
{
    int century, year, month, day;
    int64_t ms;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !two_digits(s.p, &century) || !two_digits(s.p + 2, &year) ||
        !two_digits(s.p + 5, &month) || !two_digits(s.p + 8, &day))
        return false;
    const struct lt_civil c = {.year = century * 100 + year, .month = month, .day = day};
    if (c.year > 2199 || !lt_civil_to_ms(&c, 0, &ms))
        return false;
    *ret_day = (int32_t)(ms / LT_DAY_MS);
    return true;
}

static bool parse_time(struct airq_hourly *h, struct lt_slice s, struct airq_row *ret, struct airq_fault *ret_fault)
{
    int hour;
    if ((s.n != 16 && s.n != 19) || (s.p[10] != ' ' && s.p[10] != 'T') || !two_digits(s.p + 11, &hour) ||
        memcmp(s.p + 13, ":00:00", s.n - 13) != 0)
        return fault(ret_fault, "time", s, "is not a full hour in the form YYYY-MM-DD hh:00");
    if (!h->has_date || memcmp(h->date, s.p, 10) != 0) {
        if (!airq_date_parse((struct lt_slice){s.p, 10}, &h->day))
            return fault(ret_fault, "time", s, "does not begin with a date YYYY-MM-DD that exists");
        memcpy(h->date, s.p, 10);
        h->has_date = true;
    }
    if (hour > (h->label_end ? 24 : 23))
        return fault(ret_fault, "time", s, "holds an hour that does not exist");
    ret->day = h->day - (h->label_end && hour == 0);
    ret->hour = h->label_end ? (hour + 23) % 24 : hour;
    return true;
}

/* Digits with at most one point; 18 digits at most, leading zeros free. *ret_decimals counts those behind the point. */
static const char *parse_decimal(struct lt_slice s, int64_t *ret, unsigned *ret_decimals)
{
    int64_t m = 0;
    unsigned digits = 0, decimals = 0, seen = 0;
    bool point = false;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9) {
            if (s.p[i] != '.' || point)
                return i == 0 && s.p[0] == '-' ? "is negative; leave a missing value empty"
                                               : "is not a number; leave a missing value empty";
            point = true;
            continue;
        }
        m = m * 10 + (int64_t)d;
        digits += m != 0;
        decimals += point;
        seen++;
        if (digits > 18 || decimals > 18)
            return "has more than 18 digits";
    }
    *ret = m;
    *ret_decimals = decimals;
    return seen ? NULL : "is not a number; leave a missing value empty";
}

/* m * 10^-decimals units in ticks, of which 10^tick_decimals make a unit; INT64_MAX when it is huge. */
static int64_t ticks_of(int64_t m, unsigned decimals, unsigned tick_decimals)
{
    int64_t pow = 1;
    for (unsigned i = decimals < tick_decimals ? tick_decimals - decimals : decimals - tick_decimals; i > 0; i--)
        pow *= 10;
    if (decimals > tick_decimals)
        return lt_div_half_even(m, pow);
    return m > INT64_MAX / pow ? INT64_MAX : m * pow;
}

/* ---- rows ---- */

static enum airq_row_kind parse_co(struct airq_hourly *h, int64_t ticks, struct lt_slice cell, struct airq_row *ret,
                                   struct airq_fault *ret_fault)
{
    const int64_t unit = h->co == AIRQ_CO_MG ? 1000000 : 1000;
    h->co_n++;
    h->co_high += ticks > 50 * unit;
    h->co_low += ticks < 20 * unit;
    ret->ticks[AIRQ_CO] = ticks > airq_most(AIRQ_CO) ? -1 : (int32_t)ticks;
    if (ticks <= airq_most(AIRQ_CO))
        return AIRQ_ROW_IN;
    h->co_beyond++;
    fault(ret_fault, "CO", cell, "is more than can be (150 mg/m3)");
    return AIRQ_ROW_CO;
}

enum airq_row_kind airq_hourly_row(struct airq_hourly *h, struct lt_slice line, struct airq_row *ret,
                                   struct airq_fault *ret_fault)
{
    struct lt_slice cell[AIRQ_HOURLY_COLUMNS_MAX];
    enum airq_row_kind kind = AIRQ_ROW_IN;
    if (line.n == 0)
        return AIRQ_ROW_EMPTY;
    const int n = split(line, cell);
    if (n != h->columns) {
        fault(ret_fault, "", (struct lt_slice){line.p, line.n < 60 ? line.n : 60},
              "does not have as many cells as the header, or a quote is out of place");
        return AIRQ_ROW_BAD;
    }
    ret->station = cell[h->at[AT_STATION]];
    if (ret->station.n == 0 || ret->station.n > AIRQ_STATION_MAX || memchr(ret->station.p, '"', ret->station.n)) {
        fault(ret_fault, "station", ret->station, "is not a name of 1 to 128 bytes without quotes");
        return AIRQ_ROW_BAD;
    }
    if (!parse_time(h, cell[h->at[AT_TIME]], ret, ret_fault))
        return AIRQ_ROW_BAD;
    if (ret->day < h->from || ret->day > h->to)
        return AIRQ_ROW_OUTSIDE;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        const struct lt_slice s = cell[h->at[p]];
        const unsigned tick_decimals = p != AIRQ_CO ? 4 : h->co == AIRQ_CO_MG ? 6 : 3;
        int64_t m;
        unsigned decimals;
        ret->ticks[p] = -1;
        if (s.n == 0)
            continue;
        const char *wrong = parse_decimal(s, &m, &decimals);
        const int64_t ticks = wrong ? 0 : ticks_of(m, decimals, tick_decimals);
        if (!wrong && p == AIRQ_CO) {
            kind = parse_co(h, ticks, s, ret, ret_fault);
            continue;
        }
        if (!wrong && ticks > airq_most((enum airq_pollutant)p))
            wrong = p == AIRQ_PM10 || p == AIRQ_PM25 ? "is more than can be (10000 ug/m3)"
                                                     : "is more than can be (5000 ug/m3)";
        if (wrong) {
            fault(ret_fault, column_name(p), s, wrong);
            return AIRQ_ROW_BAD;
        }
        ret->ticks[p] = (int32_t)ticks;
    }
    return kind;
}

bool airq_hourly_header(struct airq_hourly *h, struct lt_slice line, struct airq_fault *ret)
{
    struct lt_slice cell[AIRQ_HOURLY_COLUMNS_MAX];
    if (line.n >= 3 && memcmp(line.p, "\xEF\xBB\xBF", 3) == 0) /* a spreadsheet's mark */
        line = (struct lt_slice){line.p + 3, line.n - 3};
    h->columns = split(line, cell);
    if (h->columns == 0)
        return fault(ret, "", (struct lt_slice){line.p, line.n < 60 ? line.n : 60},
                     "is not a CSV header of at most 256 columns");
    for (int i = 0; i < 2 + AIRQ_POLLUTANTS; i++) {
        h->at[i] = -1;
        for (int k = 0; k < h->columns; k++) {
            if (!lt_slice_is(cell[k], column_name(i)))
                continue;
            if (h->at[i] >= 0)
                return fault(ret, column_name(i), cell[k], "is named twice in the header");
            h->at[i] = k;
        }
        if (h->at[i] < 0)
            return fault(ret, column_name(i), (struct lt_slice){line.p, line.n < 60 ? line.n : 60},
                         "lacks this column; needed are time,station,PM25,PM10,SO2,NO2,CO,O3");
    }
    return true;
}

enum airq_co_verdict airq_hourly_co(const struct airq_hourly *h)
{
    /* more than half above (below): the median is above (below) too */
    if (h->co == AIRQ_CO_MG && h->co_high * 2 > h->co_n)
        return AIRQ_CO_IS_UG;
    return h->co == AIRQ_CO_UG && h->co_low * 2 > h->co_n ? AIRQ_CO_IS_MG : AIRQ_CO_PLAUSIBLE;
}
