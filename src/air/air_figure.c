/* Periods: which days they are of, and their figures. */
#include "air/air_figure_priv.h"

#include <stdlib.h>

/* ---- which days ---- */

static const char *const period_names[AIR_PERIOD_KINDS] = {"day",    "week", "ten_day", "month", "quarter",
                                                           "season", "year", "ytd",     "free"};

const char *air_period_name(enum air_period_kind k)
{
    return period_names[k];
}

bool air_period_find(struct lt_slice name, enum air_period_kind *ret)
{
    for (unsigned k = 0; k < AIR_PERIOD_KINDS; k++)
        if (lt_slice_is(name, period_names[k])) {
            *ret = (enum air_period_kind)k;
            return true;
        }
    return false;
}

static int32_t month_end(int year, int month)
{
    return air_day(year, month, air_month_days(year, month));
}

/* The season that holds the day; from April to September the one that is past. */
static void season_of(int year, int month, int32_t *ret_from, int32_t *ret_to)
{
    const int first = month >= 10 ? year : year - 1;
    *ret_from = air_day(first, 10, 1);
    *ret_to = air_day(first + 1, 3, 31);
}

void air_period_of(enum air_period_kind k, int32_t day, int32_t *ret_from, int32_t *ret_to)
{
    int y, m, d;
    air_civil(day, &y, &m, &d);
    *ret_from = *ret_to = day;
    switch (k) {
    case AIR_WEEK: /* 1970-01-01 was a Thursday */
        *ret_from = day - (int32_t)(((day + 3) % 7 + 7) % 7);
        *ret_to = *ret_from + 6;
        break;
    case AIR_TEN_DAY:
        *ret_from = air_day(y, m, d > 20 ? 21 : d > 10 ? 11 : 1);
        *ret_to = d > 20 ? month_end(y, m) : *ret_from + 9;
        break;
    case AIR_MONTH:
        *ret_from = air_day(y, m, 1);
        *ret_to = month_end(y, m);
        break;
    case AIR_QUARTER:
        *ret_from = air_day(y, (m - 1) / 3 * 3 + 1, 1);
        *ret_to = month_end(y, (m - 1) / 3 * 3 + 3);
        break;
    case AIR_SEASON:
        season_of(y, m, ret_from, ret_to);
        break;
    case AIR_YEAR:
        *ret_from = air_day(y, 1, 1);
        *ret_to = air_day(y, 12, 31);
        break;
    case AIR_YTD:
        *ret_from = air_day(y, 1, 1);
        break;
    case AIR_DAY:
    case AIR_FREE:
    case AIR_PERIOD_KINDS:
        break;
    }
}

/* The same date `months` later or earlier; a day the month does not have becomes its last. */
static int32_t shifted(int32_t day, int months)
{
    int y, m, d;
    air_civil(day, &y, &m, &d);
    int all = y * 12 + (m - 1) + months;
    y = all / 12;
    m = all % 12 + 1;
    int most = air_month_days(y, m);
    return air_day(y, m, d < most ? d : most);
}

/* A last day of a month stays one: February 2024 is compared with 28 days of 2023, February 2025 with 29 of 2024. */
static int32_t shifted_end(int32_t day, int months)
{
    int y, m, d;
    air_civil(day, &y, &m, &d);
    int32_t to = shifted(day, months);
    if (d != air_month_days(y, m))
        return to;
    air_civil(to, &y, &m, &d);
    return month_end(y, m);
}

void air_period_year_before(int32_t from, int32_t to, int32_t *ret_from, int32_t *ret_to)
{
    int y, m, d;
    air_civil(from, &y, &m, &d);
    *ret_from = shifted(from, -12);
    /* only a period that begins a month keeps the month's end; a single 28 February stays the 28th */
    *ret_to = d == 1 ? shifted_end(to, -12) : shifted(to, -12);
}

static bool whole_months(int32_t from, int32_t to, int *ret_n)
{
    int y1, m1, d1, y2, m2, d2;
    air_civil(from, &y1, &m1, &d1);
    air_civil(to, &y2, &m2, &d2);
    *ret_n = (y2 - y1) * 12 + m2 - m1 + 1;
    return d1 == 1 && d2 == air_month_days(y2, m2);
}

bool air_period_before(enum air_period_kind k, int32_t from, int32_t to, int32_t *ret_from, int32_t *ret_to)
{
    int n = 0, y, m, d;
    bool whole = whole_months(from, to, &n);
    if (k == AIR_SEASON || k == AIR_YEAR || k == AIR_YTD || (k == AIR_FREE && !whole))
        return false;
    if (k == AIR_DAY || k == AIR_WEEK) {
        int32_t length = k == AIR_DAY ? 1 : 7;
        *ret_from = from - length;
        *ret_to = to - length;
        return true;
    }
    if (k == AIR_TEN_DAY) {
        int32_t whole_from, whole_to;
        air_period_of(AIR_TEN_DAY, from, &whole_from, &whole_to);
        air_period_of(AIR_TEN_DAY, from - 1, ret_from, ret_to);
        if (to < whole_to && *ret_from + (to - from) < *ret_to)
            *ret_to = *ret_from + (to - from);
        return true;
    }
    if (whole) {
        *ret_from = shifted(from, -n);
        *ret_to = from - 1;
        return true;
    }
    air_civil(from, &y, &m, &d);
    int step = k == AIR_QUARTER ? 3 : 1;
    *ret_from = shifted(from, -step);
    *ret_to = shifted(to, -step);
    return true;
}

bool air_crosses_2018(int32_t from, int32_t to)
{
    const int32_t change = air_day(2018, 9, 1);
    return from < change && to >= change;
}

/* ---- figures ---- */

enum lt_err air_figure_of(const struct air_days *d, int32_t from, int32_t to, const struct airq_standard *s,
                          enum airq_rounding r, enum air_dust dust, struct air_figure *ret, struct lt_error *err)
{
    const int32_t end = d->from + (int32_t)d->n - 1;
    const int32_t a = from > d->from ? from : d->from, b = to < end ? to : end;
    const size_t n = b >= a ? (size_t)(b - a) + 1 : 0;
    struct airq_day *days = malloc((n + 1) * sizeof *days);
    lt_i128 *work = malloc((n + 1) * sizeof *work);
    enum lt_err e = days && work ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        for (size_t i = 0; i < n; i++)
            days[i] = air_day_as(d, (size_t)(a - d->from) + i, dust);
        ret->from = from;
        ret->to = to;
        ret->standard = s;
        airq_period(s, r, days, n, work, &ret->p);
        airq_attain(s, AIRQ_GRADE_2, &ret->p, &ret->attained);
    }
    free(days);
    free(work);
    return e;
}

enum lt_err air_figure_make(struct air_look *l, const struct air_scope *sc, int32_t from, int32_t to,
                            const struct airq_standard *s, enum airq_rounding r, enum air_dust dust,
                            struct air_figure *ret, struct lt_error *err)
{
    struct air_days d;
    enum lt_err e = air_days_make(l, sc, from, to, s, r, &d, err);
    if (e)
        return e;
    e = air_figure_of(&d, from, to, s, r, dust, ret, err);
    air_days_fini(&d);
    return e;
}

int64_t air_figure_value(const struct air_figure *f, enum airq_pollutant p)
{
    return airq_has_mean(p) ? f->p.item[p].mean : f->p.item[p].percentile;
}
