/* Alarms: board, moves, verdicts, precision, and the counts other pages show. */
#include "api/api_priv.h"

#include <inttypes.h>
#include <stdio.h>

HANDLER(alarm_board_get)
{
    return alarm_board(&c->x, &c->w, err);
}

HANDLER(alarm_move_post)
{
    int64_t id;
    struct alarm_outcome o = {0};
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = api_body(c, err)) || (e = alarm_move(&c->x, id, c->req->param[1], c->body, &c->w, &o, err)))
        return e;
    if (c->a->deps.bus) {
        char json[96];
        int n = snprintf(json, sizeof json, "{\"id\":%" PRId64 ",\"change\":\"moved\"}", id);
        bus_publish(c->a->deps.bus, "alarm", o.territory, o.enterprise, (struct lt_slice){json, (size_t)n});
    }
    return LT_OK;
}

HANDLER(alarm_verdicts_get)
{
    int64_t id;
    enum lt_err e = api_id(c, 0, &id, err);
    return e ? e : alarm_verdicts(&c->x, id, &c->w, err);
}

HANDLER(rule_precision_get)
{
    int64_t days = 30;
    enum lt_err e = api_query_i64(c, "days", 1, 366, &days, err);
    return e ? e : alarm_precision(&c->x, (unsigned)days, &c->w, err);
}

/* Alarms that wait for people, as on the board, in groups small enough to be judged one by one. */
static enum lt_err each_group(struct api_call *c, const struct topo *t,
                              void (*each)(void *user, struct sql_stmt *st, int64_t n), void *user,
                              struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e =
        sql_prepare(c->t->db,
                    "SELECT territory, enterprise, severity, state = 'new', "
                    /* late, as on the board: the deadline is passed, or was once and nobody has signed since */
                    "coalesce(due_at_ms <= ?1, 0) OR (state = 'new' AND level > 0), COUNT(*) FROM alarm "
                    "WHERE deleted = 0 AND state IN ('new','signed','handling','reported') GROUP BY 1, 2, 3, 4, 5",
                    &st, err);
    if (e)
        return e;
    sql_bind_i64(st, 1, c->now_ms);
    while ((e = sql_step(st, &row, err)) == LT_OK && row)
        if (topo_sees(t, &c->who, sql_col_i64(st, 0), sql_col_i64(st, 1)))
            each(user, st, sql_col_i64(st, 5));
    sql_release(&st);
    return e;
}

static void count_group(void *user, struct sql_stmt *st, int64_t n)
{
    struct api_alarm_counts *r = user;
    struct lt_slice severity = sql_col_text(st, 2);
    if (lt_slice_is(severity, "urgent"))
        r->urgent += n;
    else if (lt_slice_is(severity, "important"))
        r->important += n;
    else
        r->normal += n;
    r->unsigned_ += sql_col_i64(st, 3) ? n : 0;
    r->overdue += sql_col_i64(st, 4) ? n : 0;
}

enum lt_err api_alarm_counts(struct api_call *c, const struct topo *t, struct api_alarm_counts *ret,
                             struct lt_error *err)
{
    *ret = (struct api_alarm_counts){0};
    return each_group(c, t, count_group, ret, err);
}

struct by_plant {
    void (*each)(void *user, int64_t territory, int64_t enterprise, int64_t n);
    void *user;
};

static void plant_group(void *user, struct sql_stmt *st, int64_t n)
{
    struct by_plant *b = user;
    b->each(b->user, sql_col_i64(st, 0), sql_col_i64(st, 1), n);
}

enum lt_err api_alarms_by_plant(struct api_call *c, const struct topo *t,
                                void (*each)(void *user, int64_t territory, int64_t enterprise, int64_t n), void *user,
                                struct lt_error *err)
{
    struct by_plant b = {each, user};
    return each_group(c, t, plant_group, &b, err);
}
