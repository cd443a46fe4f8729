/* Shared by the tests of the engine: a small city in a scratch folder, frames, a journal, and an engine that reads it.
 * Test code only. */
#ifndef LT_ENGINE_TEST_UTIL_H
#define LT_ENGINE_TEST_UTIL_H
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/rand.h"
#include "engine/engine.h"
#include "engine/values.h"
#include "hj212/hj212.h"
#include "journal/journal.h"
#include "record/record.h"
#include "sql/sql.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define T0         INT64_C(1795881600000) /* 2026-11-29 00:00:00 +08:00, a Sunday */
#define MN1        "88888880000001"
#define MN2        "88888880000002"
#define DRIFT_NONE INT64_MIN

struct world {
    char dir[96];
    struct journal *j;
    struct series *s;
    struct sql_db *db;
    struct engine *e;
    uint32_t conn;
    int64_t enterprise, outlet, device;
    unsigned pno; /* makes QNs differ */
    void (*on_event)(void *user, const struct engine_event *ev);
    void *user;
    unsigned checkpoint_s, pending_max;
    size_t series_cache_bytes; /* 0: as in the post */
};

static inline void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (const struct dirent *x; d && (x = readdir(d));) {
        char sub[1024];
        snprintf(sub, sizeof sub, "%.700s/%.255s", path, x->d_name);
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0 && unlink(sub) != 0) {
            remove_tree(sub);
        }
    }
    if (d) {
        closedir(d);
    }
    rmdir(path);
}

static inline int64_t add_record(struct world *w, const char *kind, const struct record_set *set, size_t n)
{
    struct auth_ctx who = auth_system("test");
    struct record_ctx x = {.db = w->db, .who = &who, .now_ms = T0, .tz_min = LT_TZ_CHINA};
    struct lt_error err = {0};
    int64_t id = 0;
    enum lt_err e = record_insert(&x, record_kind_find(lt_slice_of(kind)), set, n, &id, &err);
    if (e != LT_OK) {
        char text[300];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("%s: %s (%s)", kind, text, err.field);
    }
    return id;
}
#define ADD(w, kind, ...)                                                                                              \
    add_record((w), (kind), (const struct record_set[]){__VA_ARGS__},                                                  \
               sizeof((const struct record_set[]){__VA_ARGS__}) / sizeof(struct record_set))

static inline void change_record(struct world *w, const char *kind, int64_t id, const struct record_set *set, size_t n)
{
    struct auth_ctx who = auth_system("test");
    struct record_ctx x = {.db = w->db, .who = &who, .now_ms = T0, .tz_min = LT_TZ_CHINA};
    assert_int_equal(record_change(&x, record_kind_find(lt_slice_of(kind)), id, 0, "update", set, n, NULL), LT_OK);
}

static inline int64_t rule_id(struct world *w, const char *code)
{
    struct sql_stmt *st;
    bool row;
    assert_int_equal(sql_prepare(w->db, "SELECT id FROM rule WHERE code = ?1", &st, NULL), LT_OK);
    sql_bind_str(st, 1, code);
    assert_int_equal(sql_step(st, &row, NULL), LT_OK);
    assert_true(row);
    int64_t id = sql_col_i64(st, 0);
    sql_release(&st);
    return id;
}

static inline int64_t add_device(struct world *w, const char *mn, int64_t outlet)
{
    return ADD(w, "device", RECORD_SET_Z("mn", mn), RECORD_SET_I("outlet", outlet), RECORD_SET_Z("status", "active"),
               RECORD_SET_I("rtd_interval_s", 60), RECORD_SET_I("min_interval_min", 1));
}

static inline void add_limit(struct world *w, int64_t outlet, const char *factor, const char *period, const char *basis,
                             int64_t limit)
{
    ADD(w, "factor_limit", RECORD_SET_I("outlet", outlet), RECORD_SET_Z("factor", factor),
        RECORD_SET_Z("period", period), RECORD_SET_Z("basis", basis), RECORD_SET_I("limit_value", limit),
        RECORD_SET_Z("standard", "GB 13223-2011"), RECORD_SET_I("valid_from", T0 - 365 * LT_DAY_MS));
}

static inline void world_engine(struct world *w)
{
    struct series_config sc = {.dir = w->dir, .tz_min = LT_TZ_CHINA, .cache_bytes = w->series_cache_bytes};
    assert_int_equal(series_open(&sc, &w->s, NULL), LT_OK);
    struct engine_config ec = {.dir = w->dir,
                               .series = w->s,
                               .tz_min = LT_TZ_CHINA,
                               .on_event = w->on_event,
                               .user = w->user,
                               .pending_max = w->pending_max,
                               .checkpoint_s = w->checkpoint_s};
    struct lt_error err = {0};
    if (engine_open(&ec, &w->e, &err) != LT_OK) {
        char text[300];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("engine_open: %s", text);
    }
}

static inline void world_make(struct world *w)
{

    /* in memory where there is such a place: these tests are about values, not about the disk */
    snprintf(w->dir, sizeof w->dir, "%s/lt-engine-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    char path[128];
    snprintf(path, sizeof path, "%s/state.db", w->dir);
    assert_int_equal(sql_open(path, false, &w->db, NULL), LT_OK);
    assert_int_equal(sql_exec(w->db, "PRAGMA synchronous=OFF", NULL), LT_OK);
    assert_int_equal(record_setup(w->db, NULL), LT_OK);
    assert_int_equal(alarm_setup(w->db, T0, NULL), LT_OK);
    assert_int_equal(journal_open(w->dir, LT_TZ_CHINA, &w->j, NULL), LT_OK);
    w->conn = 1;
    int64_t t = ADD(w, "territory", RECORD_SET_Z("code", "410300"), RECORD_SET_Z("name", "洛阳市"),
                    RECORD_SET_Z("level", "city"));
    w->enterprise = ADD(w, "enterprise", RECORD_SET_Z("code", "91410300MA44ABCD1X"), RECORD_SET_Z("name", "试验电厂"),
                        RECORD_SET_Z("industry", "thermal_power"), RECORD_SET_I("territory", t));
    w->outlet = ADD(w, "outlet", RECORD_SET_Z("code", "DA001"), RECORD_SET_Z("name", "1号排口"),
                    RECORD_SET_I("enterprise", w->enterprise), RECORD_SET_I("convert", 1),
                    RECORD_SET_I("o2_ref", 6 * LT_FIX_ONE));
    w->device = add_device(w, MN1, w->outlet);
    add_limit(w, w->outlet, "a21026", "hour", "converted", 35 * LT_FIX_ONE);
    add_limit(w, w->outlet, "a21002", "hour", "converted", 50 * LT_FIX_ONE);
    add_limit(w, w->outlet, "a21026", "day", "converted", 35 * LT_FIX_ONE);
}

static inline void world_end(struct world *w)
{
    engine_close(&w->e);
    series_close(&w->s);
    journal_close(&w->j);
    sql_close(&w->db);
    remove_tree(w->dir);
}

static inline void put(struct world *w, enum journal_kind kind, int64_t at_ms, const char *mn, const char *text,
                       size_t n, unsigned reason)
{
    struct journal_record r = {.at_ms = at_ms,
                               .kind = (uint8_t)kind,
                               .conn = w->conn,
                               .reason = (uint8_t)reason,
                               .mn = lt_slice_of(mn),
                               .bytes = {text, n}};
    assert_true(journal_add(w->j, &r) != 0);
}

static inline void tick(struct world *w, int64_t at_ms)
{
    put(w, JOURNAL_TICK, at_ms, "", "", 0, 0);
}

static inline void put_frame(struct world *w, int64_t at_ms, const char *mn, unsigned cn, int64_t qn_ms,
                             const char *area, enum hj212_edition edition, unsigned st)
{
    char qn[18], frame[5000];
    lt_time_format_compact(qn_ms, LT_TZ_CHINA, true, qn);
    struct hj212_head h = {.qn = lt_slice_of(qn),
                           .pw = LT_LIT("123456"),
                           .mn = lt_slice_of(mn),
                           .st = (uint16_t)st,
                           .cn = (uint16_t)cn,
                           .edition = edition,
                           .answer = true};
    size_t n = hj212_build(&h, lt_slice_of(area), frame, sizeof frame);
    assert_true(n > 2);
    put(w, JOURNAL_FRAME, at_ms, mn, frame, n - 2, 0);
}

/* One data frame of edition 2017: "%t" in the area stands for the data time. */
static inline void frame(struct world *w, int64_t at_ms, const char *mn, unsigned cn, int64_t data_ms,
                         const char *items)
{
    char area[1000], t[18];
    lt_time_format_compact(data_ms, LT_TZ_CHINA, false, t);
    snprintf(area, sizeof area, "DataTime=%s;%s", t, items);
    put_frame(w, at_ms, mn, cn, at_ms - 200, area, HJ212_2017, 31);
}

static inline void commit(struct world *w, int64_t at_ms)
{
    assert_int_equal(journal_commit(w->j, at_ms, NULL), LT_OK);
}

/* Applies what the journal holds, batch by batch, at most `most` batches; returns how many. */
static inline unsigned run(struct world *w, unsigned most)
{
    struct journal_reader *r;
    assert_int_equal(journal_reader_open(w->dir, &r, NULL), LT_OK);
    unsigned n = 0;
    for (; n < most; n++) {
        struct journal_batch *b = NULL;
        enum lt_err e = journal_reader_next(r, engine_next_seq(w->e), &b, NULL);
        if (e == LT_E_NOT_FOUND) {
            break;
        }
        assert_int_equal(e, LT_OK);
        struct lt_error err = {0};
        if (engine_apply(w->e, b, &err) != LT_OK) {
            char text[300];
            lt_error_text(&err, LT_EN, text, sizeof text);
            fail_msg("engine_apply: %s", text);
        }
        journal_batch_unref(&b);
        if (engine_commit(w->e, &err) != LT_OK) {
            char text[300];
            lt_error_text(&err, LT_EN, text, sizeof text);
            fail_msg("engine_commit: %s", text);
        }
        if (engine_checkpoint_due(w->e)) {
            assert_int_equal(engine_checkpoint(w->e, NULL), LT_OK);
        }
    }
    journal_reader_close(&r);
    return n;
}

/* Cell of the row at at_ms, LT_FIX_NONE when it is not there. */
static inline int64_t value_at(struct world *w, int64_t device, enum series_kind kind, int64_t at_ms,
                               const char *factor, unsigned field)
{
    struct series_cell c[256];
    size_t n = 0;
    uint16_t col = series_column(w->s, lt_slice_of(factor), field);
    if (series_at(w->s, (uint32_t)device, kind, at_ms, c, 256, &n, NULL) != LT_OK) {
        return LT_FIX_NONE;
    }
    for (size_t i = 0; i < n; i++) {
        if (c[i].column == col) {
            return c[i].value;
        }
    }
    return LT_FIX_NONE;
}

static inline int64_t ask(struct world *w, const char *sql)
{
    int64_t v = -1;
    enum lt_err e = sql_get_i64(w->db, sql, NULL, &v, NULL);
    assert_true(e == LT_OK || e == LT_E_NOT_FOUND);
    return v;
}
#endif
