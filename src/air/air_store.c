/* The store of air data: its tables, versions and who is told of them, blocks as of any version. */
#include "air/air_priv.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct air {
    int tz_min;
    pthread_mutex_t lock; /* guards what follows */
    struct {
        void (*changed)(void *user, const struct air_changed *c);
        void *user;
    } listener[AIR_LISTENERS];
    size_t n_listeners;
    int64_t told;
    bool telling; /* one thread tells at a time, so that versions come in order */
};

enum lt_err air_setup(struct sql_db *db, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1, "CREATE TABLE air_version(version INTEGER PRIMARY KEY, source INTEGER NOT NULL, author TEXT NOT NULL,"
            " reason TEXT NOT NULL, made_at_ms INTEGER NOT NULL, first INTEGER NOT NULL, filled INTEGER NOT NULL,"
            " replaced INTEGER NOT NULL, refused INTEGER NOT NULL, n_stations INTEGER NOT NULL,"
            " stations BLOB, day_from INTEGER, day_to INTEGER);"
            "CREATE TABLE air_block(station INTEGER NOT NULL, day INTEGER NOT NULL, version INTEGER NOT NULL,"
            " data BLOB NOT NULL, PRIMARY KEY(station, day)) WITHOUT ROWID;"
            "CREATE TABLE air_change(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL,"
            " station INTEGER NOT NULL, slot INTEGER NOT NULL, item INTEGER NOT NULL, old_value INTEGER,"
            " new_value INTEGER, old_state INTEGER NOT NULL, new_state INTEGER NOT NULL, old_source INTEGER NOT NULL,"
            " new_source INTEGER NOT NULL, refused INTEGER NOT NULL, review INTEGER NOT NULL);"
            "CREATE INDEX air_change_place ON air_change(station, slot);"
            "CREATE INDEX air_change_review ON air_change(review) WHERE review <> 0"},
    };
    return sql_migrate(db, "air", steps, sizeof steps / sizeof steps[0], err);
}

enum lt_err air_version(struct sql_db *db, int64_t *ret, struct lt_error *err)
{
    return sql_get_i64(db, "SELECT coalesce(max(version), 0) FROM air_version", NULL, ret, err);
}

enum lt_err air_open(struct sql_db *db, int tz_min, struct air **ret, struct lt_error *err)
{
    struct air *a = calloc(1, sizeof *a);
    if (!a)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    a->tz_min = tz_min;
    enum lt_err e = air_version(db, &a->told, err);
    if (e != LT_OK) {
        free(a);
        return e;
    }
    pthread_mutex_init(&a->lock, NULL);
    *ret = a;
    return LT_OK;
}

void air_close(struct air **a)
{
    if (!a || !*a)
        return;
    pthread_mutex_destroy(&(*a)->lock);
    free(*a);
    *a = NULL;
}

int air_tz(const struct air *a)
{
    return a->tz_min;
}

bool air_listen(struct air *a, void (*changed)(void *user, const struct air_changed *c), void *user)
{
    pthread_mutex_lock(&a->lock);
    bool room = a->n_listeners < AIR_LISTENERS;
    if (room) {
        a->listener[a->n_listeners].changed = changed;
        a->listener[a->n_listeners++].user = user;
    }
    pthread_mutex_unlock(&a->lock);
    return room;
}

/* ---- telling ---- */

/* The next version after `told`; *ret_any false when there is none. The ids are copied to *ids (room for
 * AIR_TOLD_STATIONS). */
static enum lt_err next_version(struct sql_db *db, int64_t told, struct air_changed *c, int64_t *ids, bool *ret_any,
                                struct lt_error *err)
{
    struct sql_stmt *st;
    enum lt_err e = sql_row(db,
                            "SELECT version, stations, day_from, day_to FROM air_version WHERE version > ?1"
                            " ORDER BY version LIMIT 1",
                            SQL_VALUES(SQL_I(told)), &st, ret_any, err);
    if (e == LT_OK && *ret_any) {
        struct lt_slice blob = sql_col_blob(st, 1);
        size_t n = blob.n / sizeof *ids;
        *c = (struct air_changed){.version = sql_col_i64(st, 0),
                                  .station = ids,
                                  .n = n <= AIR_TOLD_STATIONS ? n : 0,
                                  .from = (int32_t)sql_col_i64(st, 2),
                                  .to = (int32_t)sql_col_i64(st, 3)};
        if (c->n)
            memcpy(ids, blob.p, c->n * sizeof *ids);
    }
    sql_release(&st);
    return e;
}

static void tell(struct air *a, const struct air_changed *c)
{
    pthread_mutex_lock(&a->lock);
    size_t n = a->n_listeners;
    pthread_mutex_unlock(&a->lock);
    for (size_t i = 0; i < n; i++) /* listeners are only ever added, at start */
        a->listener[i].changed(a->listener[i].user, c);
}

enum lt_err air_poll(struct air *a, struct sql_db *db, struct lt_error *err)
{
    pthread_mutex_lock(&a->lock);
    bool busy = a->telling;
    int64_t told = a->told;
    a->telling = true;
    pthread_mutex_unlock(&a->lock);
    if (busy) /* whoever tells now also tells of this one, or the next poll does */
        return LT_OK;
    int64_t *ids = malloc(AIR_TOLD_STATIONS * sizeof *ids);
    enum lt_err e = ids ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    bool any = e == LT_OK;
    while (any) {
        struct air_changed c;
        e = next_version(db, told, &c, ids, &any, err);
        any = any && e == LT_OK;
        if (any) {
            told = c.version;
            tell(a, &c);
        }
    }
    free(ids);
    pthread_mutex_lock(&a->lock);
    a->told = told;
    a->telling = false;
    pthread_mutex_unlock(&a->lock);
    return e;
}

/* ---- blocks ---- */

static enum lt_err damaged(int64_t station, int32_t day, struct lt_error *err)
{
    char place[64], text[16];
    air_day_text(day, text);
    snprintf(place, sizeof place, "air_block %lld %s", (long long)station, text);
    return lt_fail(err, LT_E_CORRUPT, "air_block", place, "form", NULL);
}

static bool bounded(int64_t v)
{
    return v >= INT32_MIN && v <= INT32_MAX;
}

/* Takes later changes back, newest first; then hours that first came later. */
static enum lt_err take_back(struct sql_db *db, int64_t station, int32_t day, int64_t version, struct air_block *b,
                             struct lt_error *err)
{
    struct sql_stmt *st;
    bool row;
    enum lt_err e = sql_prepare(db,
                                "SELECT slot, item, old_value, old_state, old_source FROM air_change WHERE station = ?1"
                                " AND slot >= ?2 AND slot < ?2 + 24 AND version > ?3 AND refused = 0 ORDER BY id DESC",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, station);
    sql_bind_i64(st, 2, day * INT64_C(24));
    sql_bind_i64(st, 3, version);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        int64_t hour = sql_col_i64(st, 0) - day * INT64_C(24), item = sql_col_i64(st, 1), old = sql_col_i64(st, 2);
        if (item < 0 || item >= AIR_ITEMS || !bounded(old)) {
            e = damaged(station, day, err);
            break;
        }
        b->value[hour][item] = sql_col_null(st, 2) ? AIR_NONE : (int32_t)old;
        b->state[hour][item] = (uint8_t)sql_col_i64(st, 3);
        b->source[hour][item] = (uint8_t)sql_col_i64(st, 4);
    }
    sql_release(&st);
    for (int h = 0; e == LT_OK && h < 24; h++) {
        if (b->arrived[h] <= version)
            continue;
        b->arrived[h] = 0;
        for (int i = 0; i < AIR_ITEMS; i++) {
            b->value[h][i] = AIR_NONE;
            b->state[h][i] = b->source[h][i] = 0;
        }
    }
    return e;
}

enum lt_err air_blocks(struct sql_db *db, int64_t station, int32_t from, int32_t to, int64_t version,
                       bool (*each)(void *user, int32_t day, const struct air_block *b), void *user,
                       struct lt_error *err)
{
    struct sql_stmt *st;
    bool row, go = true;
    enum lt_err e = sql_prepare(
        db, "SELECT day, version, data FROM air_block WHERE station = ?1 AND day >= ?2 AND day <= ?3 ORDER BY day", &st,
        err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, station);
    sql_bind_i64(st, 2, from);
    sql_bind_i64(st, 3, to);
    while (go && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct air_block b;
        int32_t day = (int32_t)sql_col_i64(st, 0);
        if (!air_block_decode(sql_col_blob(st, 2), &b))
            e = damaged(station, day, err);
        else if (version && sql_col_i64(st, 1) > version)
            e = take_back(db, station, day, version, &b, err);
        if (e != LT_OK)
            break;
        bool any = false;
        for (int h = 0; h < 24; h++)
            any |= b.arrived[h] != 0;
        go = !any || each(user, day, &b);
    }
    sql_release(&st);
    return e;
}

enum lt_err air_span(struct sql_db *db, int64_t station, int32_t *ret_from, int32_t *ret_to, struct lt_error *err)
{
    struct sql_stmt *st;
    bool row;
    enum lt_err e = sql_prepare(db,
                                station ? "SELECT min(day), max(day) FROM air_block WHERE station = ?1"
                                        : "SELECT min(day), max(day) FROM air_block",
                                &st, err);
    if (e != LT_OK)
        return e;
    if (station)
        sql_bind_i64(st, 1, station);
    e = sql_step(st, &row, err);
    if (e == LT_OK && (!row || sql_col_null(st, 0)))
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "air data", "", NULL);
    if (e == LT_OK) {
        *ret_from = (int32_t)sql_col_i64(st, 0);
        *ret_to = (int32_t)sql_col_i64(st, 1);
    }
    sql_release(&st);
    return e;
}
