/* When a state's deadline falls: limits and the working calendar are records that people edit (kinds `deadline` and
 * `work_calendar`); where there is none, the limit of the flow's own table holds, on the clock.
 *
 * Both are read as they stood at the time the state was entered (their history is undone back to it), so that a day
 * run again gives the deadlines of that day whatever was edited since. */
#include "flow/flow.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

enum {
    DAYS_AHEAD = 400, /* a calendar that leaves no working day in a year is a mistake: then the clock holds */
    MARKED_MAX = 800, /* days with an entry of their own, around the time in question: two years */
    HOURS_MAX = 100,  /* changes of the office hours: summer and winter of half a century */
    SPANS_MAX = 4     /* of one day; as kinds.c checks */
};

struct marked {
    int64_t day_ms;
    bool work;
};
struct hours { /* office hours from a day on */
    int64_t day_ms;
    struct {
        int from_min, to_min;
    } span[SPANS_MAX];
    size_t n;
};
/* Until a calendar says something else: 8 h, so that 480 working minutes are one day. */
static const struct hours usual = {INT64_MIN, {{8 * 60, 12 * 60}, {14 * 60, 18 * 60}}, 2};

struct calendar {
    int64_t from_ms, to_ms;
    struct marked day[MARKED_MAX];
    struct hours hours[HOURS_MAX];
    size_t n, n_hours;
};

/* "08:30-12:00,14:00-17:30"; the record's form was checked. */
static void take_hours(struct calendar *c, int64_t day_ms, struct lt_slice s)
{
    struct hours *h = &c->hours[c->n_hours++];
    *h = (struct hours){.day_ms = day_ms};
    for (size_t i = 0; i + 11 <= s.n && h->n < SPANS_MAX; i += 12) {
        const char *p = s.p + i;
        h->span[h->n].from_min = (p[0] - '0') * 600 + (p[1] - '0') * 60 + (p[3] - '0') * 10 + p[4] - '0';
        h->span[h->n++].to_min = (p[6] - '0') * 600 + (p[7] - '0') * 60 + (p[9] - '0') * 10 + p[10] - '0';
    }
}

static bool take_day(void *user, const struct record_row *r)
{
    struct calendar *c = user;
    const int64_t day = record_i64(r, "day", 0);
    const struct lt_slice kind = record_text(r, "kind"), hours = record_text(r, "hours");
    if (hours.n && day < c->to_ms && c->n_hours < HOURS_MAX)
        take_hours(c, day, hours);
    if (day >= c->from_ms && day < c->to_ms && c->n < MARKED_MAX && !lt_slice_is(kind, "usual"))
        c->day[c->n++] = (struct marked){day, lt_slice_is(kind, "workday")};
    return true;
}

static const struct hours *hours_of(const struct calendar *c, int64_t day_ms)
{
    const struct hours *h = &usual;
    for (size_t i = 0; i < c->n_hours; i++)
        if (c->hours[i].day_ms <= day_ms && c->hours[i].day_ms > h->day_ms)
            h = &c->hours[i];
    return h;
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
    for (int i = 0; i < DAYS_AHEAD && !found; i++, day += LT_DAY_MS) {
        const struct hours *h = hours_of(c, day);
        for (size_t s = 0; s < h->n && !found && working_day(c, day, tz_min); s++) {
            const int64_t open = day + h->span[s].from_min * LT_MIN_MS, shut = day + h->span[s].to_min * LT_MIN_MS;
            const int64_t begin = open > from_ms ? open : from_ms;
            if (begin >= shut)
                continue;
            found = left <= shut - begin;
            ret = found ? begin + left : ret;
            left -= shut - begin;
        }
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
