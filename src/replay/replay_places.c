/* Where objects lie today: device, outlet, plant, county. Townships count for their county. */
#include "replay/replay_priv.h"

#include <stdlib.h>

/* The county of a township, other territories themselves; whether it lies in ?1 (0: everything does). */
#define COUNTY                                                                                                         \
    "coalesce((SELECT CASE WHEN t.level = 'township' THEN coalesce(t.parent, t.id) ELSE t.id END FROM territory t "    \
    "WHERE t.id = e.territory), 0)"
#define INSIDE                                                                                                         \
    "(?1 = 0 OR e.territory IN (WITH RECURSIVE below(id) AS (SELECT ?1 UNION SELECT t.id FROM territory t JOIN below " \
    "ON t.parent = below.id) SELECT id FROM below))"

static enum lt_err load(struct sql_db *db, const char *text, int64_t territory, struct place **ret, size_t *ret_n,
                        struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    size_t cap = 0;
    bool row;
    enum lt_err e = sql_prepare(db, text, &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, territory);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(ret, *ret_n, &cap, sizeof **ret)) {
            e = lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
            break;
        }
        (*ret)[(*ret_n)++] = (struct place){.id = sql_col_i64(st, 0),
                                            .outlet = sql_col_i64(st, 1),
                                            .enterprise = sql_col_i64(st, 2),
                                            .territory = sql_col_i64(st, 3),
                                            .inside = sql_col_i64(st, 4) != 0};
    }
    sql_release(&st);
    return e;
}

enum lt_err places_load(struct sql_db *db, int64_t territory, struct places *ret, struct lt_error *err)
{
    enum lt_err e = load(db,
                         "SELECT d.id, coalesce(o.id, 0), coalesce(e.id, 0), " COUNTY ", " INSIDE
                         " FROM device d LEFT JOIN outlet o ON o.id = d.outlet LEFT JOIN enterprise e ON e.id = "
                         "o.enterprise ORDER BY d.id",
                         territory, &ret->device, &ret->n_device, err);
    return e != LT_OK ? e
                      : load(db,
                             "SELECT o.id, o.id, coalesce(e.id, 0), " COUNTY ", " INSIDE
                             " FROM outlet o LEFT JOIN enterprise e ON e.id = o.enterprise ORDER BY o.id",
                             territory, &ret->outlet, &ret->n_outlet, err);
}

void places_fini(struct places *p)
{
    free(p->device);
    free(p->outlet);
    *p = (struct places){0};
}

const struct place *places_of(const struct places *p, unsigned object, int64_t id)
{
    const struct place *list = object == ALARM_OUTLET ? p->outlet : p->device;
    size_t lo = 0, n = object == ALARM_OUTLET ? p->n_outlet : p->n_device, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (list[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && list[lo].id == id ? &list[lo] : NULL;
}
