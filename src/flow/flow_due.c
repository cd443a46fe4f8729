/* When a state's deadline falls: limits and the working calendar are records that people edit (kinds `deadline` and
 * `work_calendar`); where there is none, the limit of the flow's own table holds, on the clock.
 *
 * Both are read as they stood at the time the state was entered (their history is undone back to it), so that a day
 * run again gives the deadlines of that day whatever was edited since. */
#include "flow/flow.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

/* Office hours of a working day: 8 h, so that 480 working minutes are one day. */
static const struct {
    int from_min, to_min;
} hours[] = {{8 * 60, 12 * 60}, {14 * 60, 18 * 60}};
enum {
    DAYS_AHEAD = 400, /* a calendar that leaves no working day in a year is a mistake: then the clock holds */
    MARKED_MAX = 800  /* days with an entry of their own, around the time in question: two years */
};

struct marked {
    int64_t day_ms;
    bool work;
};
struct calendar {
    int64_t from_ms, to_ms;
    struct marked day[MARKED_MAX];
    size_t n;
};

static bool take_day(void *user, const struct record_row *r)
{
    struct calendar *c = user;
    const int64_t day = record_i64(r, "day", 0);
    if (day >= c->from_ms && day < c->to_ms && c->n < MARKED_MAX)
        c->day[c->n++] = (struct marked){day, lt_slice_is(record_text(r, "kind"), "workday")};
    return c->n < MARKED_MAX;
}

/* Monday to Friday, but for holidays (节假日) and the working Saturdays and Sundays that make up for them (调休). */
static bool working_day(const struct calendar *c, int64_t day_ms, int tz_min)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->day[i].day_ms == day_ms)
            return c->day[i].work;
    const int64_t number = (day_ms + tz_min * LT_MIN_MS) / LT_DAY_MS; /* 1970-01-01 was a Thursday */
    return (number + 3) % 7 < 5;
}

int64_t flow_working(struct sql_db *db, int64_t from_ms, int64_t minutes, int64_t as_of_ms, int tz_min)
{
    const struct record_kind *k = record_kind_find(LT_LIT("work_calendar"));
    struct calendar *c = calloc(1, sizeof *c);
    int64_t left = minutes * LT_MIN_MS, ret = from_ms + left, day = lt_day_start(from_ms, tz_min);
    if (!c)
        return ret;
    c->from_ms = day;
    c->to_ms = day + DAYS_AHEAD * LT_DAY_MS;
    bool found = record_each_at(db, k, as_of_ms, take_day, c, NULL) != LT_OK;
    for (int i = 0; i < DAYS_AHEAD && !found; i++, day += LT_DAY_MS)
        for (size_t h = 0; h < sizeof hours / sizeof hours[0] && !found && working_day(c, day, tz_min); h++) {
            const int64_t open = day + hours[h].from_min * LT_MIN_MS, shut = day + hours[h].to_min * LT_MIN_MS;
            const int64_t begin = open > from_ms ? open : from_ms;
            if (begin >= shut)
                continue;
            found = left <= shut - begin;
            ret = found ? begin + left : ret;
            left -= shut - begin;
        }
    free(c);
    return ret;
}

struct limit {
    struct lt_slice flow, state, value;
    int64_t minutes, id;
    bool exact, working, found;
};

/* The row of the value itself goes before one for all; of two alike the later one. */
static bool take_limit(void *user, const struct record_row *r)
{
    struct limit *l = user;
    const struct lt_slice value = record_text(r, "severity");
    const bool exact = lt_slice_eq(value, l->value) && value.n > 0;
    if (!lt_slice_eq(record_text(r, "flow"), l->flow) || !lt_slice_eq(record_text(r, "state"), l->state) ||
        (!exact && (value.n > 0 || l->exact)))
        return true;
    l->found = true;
    l->exact = exact;
    l->minutes = record_i64(r, "minutes", 0);
    l->working = lt_slice_is(record_text(r, "calendar"), "working");
    return true;
}

int64_t flow_due(const struct record_ctx *x, const struct flow *f, unsigned state, struct lt_slice value)
{
    struct limit l = {.flow = lt_slice_of(f->kind), .state = lt_slice_of(f->states[state].name), .value = value};
    const struct record_kind *k = record_kind_find(LT_LIT("deadline"));
    if (f->states[state].limits && record_each_at(x->db, k, x->now_ms, take_limit, &l, NULL) == LT_OK && l.found)
        return l.working ? flow_working(x->db, x->now_ms, l.minutes, x->now_ms, x->tz_min)
                         : x->now_ms + l.minutes * LT_MIN_MS;
    for (const struct flow_limit *t = f->states[state].limits; t && t->ms > 0; t++)
        if (!t->when_value || lt_slice_is(value, t->when_value))
            return x->now_ms + t->ms;
    return 0;
}
