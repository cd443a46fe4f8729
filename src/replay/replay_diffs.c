/* Differences of a replay in a file of their own: written once, read in pages. The two blobs hold struct replay_alarm
 * as numbers; the file is derived and belongs to this machine. */
#include "replay/replay_job.h"
#include "replay/replay_priv.h"
#include "replay/replay_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALARM_NUMBERS 10

static void file_name(const char *dir, int64_t id, char ret[1200])
{
    snprintf(ret, 1200, "%.1000s/replay/%lld.db", dir, (long long)id);
}

static void alarm_numbers(const struct replay_alarm *a, int64_t n[ALARM_NUMBERS])
{
    const int64_t v[ALARM_NUMBERS] = {a->there, a->active, a->first_ms,     a->last_ms, a->ended_ms,
                                      a->value, a->limit,  a->rule_version, a->count,   a->created_ms};
    memcpy(n, v, sizeof v);
}

static struct replay_alarm alarm_back(struct lt_slice blob)
{
    int64_t n[ALARM_NUMBERS] = {0};
    if (blob.n == sizeof n)
        memcpy(n, blob.p, sizeof n);
    return (struct replay_alarm){.there = n[0] != 0,
                                 .active = n[1] != 0,
                                 .first_ms = n[2],
                                 .last_ms = n[3],
                                 .ended_ms = n[4],
                                 .value = n[5],
                                 .limit = n[6],
                                 .rule_version = n[7],
                                 .count = n[8],
                                 .created_ms = n[9]};
}

static enum lt_err put(struct sql_db *db, int64_t n, const struct replay_diff *d, struct lt_error *err)
{
    struct sql_stmt *st;
    int64_t before[ALARM_NUMBERS], after[ALARM_NUMBERS];
    enum lt_err e = sql_prepare(db,
                                "INSERT INTO diff VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                                "?18,?19,?20,?21,?22,?23,?24)",
                                &st, err);
    if (e != LT_OK)
        return e;
    const int64_t v[] = {n,
                         d->side,
                         d->what,
                         d->how,
                         d->cause,
                         d->rule,
                         d->object,
                         d->field,
                         d->object_id,
                         d->device,
                         d->outlet,
                         d->enterprise,
                         d->territory,
                         d->period_ms,
                         d->period_len_ms,
                         d->old_value,
                         d->new_value,
                         (int64_t)d->seq};
    for (int i = 0; i < 18; i++)
        sql_bind_i64(st, i + 1, v[i]);
    alarm_numbers(&d->before, before);
    alarm_numbers(&d->after, after);
    sql_bind_str(st, 19, d->factor);
    sql_bind_str(st, 20, d->outcome);
    sql_bind_str(st, 21, d->inputs_before);
    sql_bind_str(st, 22, d->inputs_after);
    sql_bind_blob(st, 23, before, sizeof before);
    sql_bind_blob(st, 24, after, sizeof after);
    return sql_run(st, err);
}

enum lt_err replay_store_diffs(const char *dir, int64_t id, const struct replay *r, struct lt_error *err)
{
    char path[1200];
    struct sql_db *db = NULL;
    file_name(dir, id, path);
    unlink(path);
    enum lt_err e = sql_open(path, false, &db, err);
    if (e == LT_OK)
        e = sql_begin(db, err);
    if (e == LT_OK) {
        e = sql_exec(db,
                     "CREATE TABLE diff(n INTEGER PRIMARY KEY, side INTEGER, what INTEGER, how INTEGER, cause INTEGER, "
                     "rule INTEGER, object INTEGER, field INTEGER, object_id INTEGER, device INTEGER, outlet INTEGER, "
                     "enterprise INTEGER, territory INTEGER, period_ms INTEGER, period_len_ms INTEGER, old_value "
                     "INTEGER, new_value INTEGER, seq INTEGER, factor TEXT, outcome TEXT, inputs_before TEXT, "
                     "inputs_after TEXT, before BLOB, after BLOB)",
                     err);
        for (size_t i = 0; e == LT_OK && i < replay_diffs(r); i++)
            e = put(db, (int64_t)i + 1, replay_diff_at(r, i), err);
        e = sql_end(db, e, err);
    }
    sql_close(&db);
    return e;
}

void replay_store_forget(const char *dir, int64_t id)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    char path[1200], name[1220];
    file_name(dir, id, path);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        unlink(name);
    }
}

#define WHERE                                                                                                          \
    " FROM diff WHERE (?1 < 0 OR side = ?1) AND (?2 < 0 OR what = ?2) AND (?3 < 0 OR how = ?3) AND (?4 < 0 OR (rule "  \
    "= ?4 AND what < 2)) AND (?5 = 0 OR territory = ?5) AND (?6 = 0 OR enterprise = ?6)"

static enum lt_err bind(struct sql_db *db, const char *text, const struct replay_query *q, struct sql_stmt **ret,
                        struct lt_error *err)
{
    enum lt_err e = sql_prepare(db, text, ret, err);
    if (e != LT_OK)
        return e;
    const int64_t v[] = {q->side, q->what, q->how, q->rule, q->territory, q->enterprise};
    for (int i = 0; i < 6; i++)
        sql_bind_i64(*ret, i + 1, v[i]);
    return LT_OK;
}

/* Texts are copied: they must outlive the statement's row only until each() returns, and must end with a zero. */
static void read_diff(struct sql_stmt *st, struct lt_buf *mem, struct replay_diff *d)
{
    int64_t v[18];
    size_t at[3];
    for (int i = 0; i < 18; i++)
        v[i] = sql_col_i64(st, i);
    *d = (struct replay_diff){.side = (uint8_t)(v[1] != 0),
                              .what = (uint8_t)(v[2] & 3),
                              .how = (uint8_t)(v[3] % 3),
                              .cause = (uint8_t)(v[4] < REPLAY_CAUSES ? v[4] : 0),
                              .rule = (uint8_t)(v[5] < ALARM_RULE_COUNT ? v[5] : 0),
                              .object = (uint8_t)v[6],
                              .field = (uint8_t)v[7],
                              .object_id = v[8],
                              .device = v[9],
                              .outlet = v[10],
                              .enterprise = v[11],
                              .territory = v[12],
                              .period_ms = v[13],
                              .period_len_ms = v[14],
                              .old_value = v[15],
                              .new_value = v[16],
                              .seq = (uint64_t)v[17],
                              .before = alarm_back(sql_col_blob(st, 22)),
                              .after = alarm_back(sql_col_blob(st, 23))};
    lt_text_copy_slice(d->factor, sizeof d->factor, sql_col_text(st, 18));
    lt_buf_clear(mem);
    for (int i = 0; i < 3; i++) {
        struct lt_slice s = sql_col_text(st, 19 + i);
        at[i] = mem->n;
        lt_buf_add(mem, s.p, s.n);
        lt_buf_addc(mem, 0);
    }
    d->outcome = mem->failed ? "" : mem->p + at[0];
    d->inputs_before = mem->failed ? "" : mem->p + at[1];
    d->inputs_after = mem->failed ? "" : mem->p + at[2];
}

static enum lt_err count(struct sql_db *db, const struct replay_query *q, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = bind(db, "SELECT count(*)" WHERE, q, &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    *ret = e == LT_OK && row ? sql_col_i64(st, 0) : 0;
    sql_release(&st);
    return e;
}

enum lt_err replay_job_diffs(const char *dir, int64_t id, const struct replay_query *q,
                             bool (*each)(void *user, int64_t n, const struct replay_diff *d), void *user,
                             int64_t *ret_total, struct lt_error *err)
{
    char path[1200], shown[24];
    struct sql_db *db = NULL;
    struct sql_stmt *st = NULL;
    struct lt_buf mem = LT_BUF_INIT(64u * 1024);
    bool row;
    file_name(dir, id, path);
    snprintf(shown, sizeof shown, "%lld", (long long)id);
    if (access(path, R_OK) != 0)
        return lt_fail(err, LT_E_NOT_FOUND, "id", "differences of replay / 重演差异", shown, NULL);
    enum lt_err e = sql_open(path, true, &db, err);
    if (e == LT_OK && ret_total)
        e = count(db, q, ret_total, err);
    if (e == LT_OK)
        e = bind(db, "SELECT *" WHERE " AND n > ?7 ORDER BY n", q, &st, err);
    if (e == LT_OK)
        sql_bind_i64(st, 7, q->after);
    while (e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct replay_diff d;
        read_diff(st, &mem, &d);
        if (!each(user, sql_col_i64(st, 0), &d))
            break;
    }
    sql_release(&st);
    sql_close(&db);
    lt_buf_fini(&mem);
    return e;
}
