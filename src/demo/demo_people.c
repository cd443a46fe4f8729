/* What the people of the demonstration city did about their alarms: most of the older ones signed for, handled,
 * reported and closed, in the small hours too; the last hours left open for whoever sits down at the board. */
#include "demo/demo.h"
#include "alarm/alarm.h"
#include "auth/auth.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "json/json.h"
#include "sql/sql.h"

#include <jansson.h>
#include <stdlib.h>

struct todo {
    int64_t id, at_ms;
    char rule[32];
};

static enum lt_err list(struct sql_db *db, struct todo **ret, size_t *ret_n, struct lt_error *err)
{
    struct sql_stmt *st;
    size_t cap = 0;
    bool row;
    *ret = NULL;
    *ret_n = 0;
    enum lt_err e =
        sql_prepare(db, "SELECT id, first_at_ms, rule FROM alarm WHERE deleted=0 ORDER BY first_at_ms, id", &st, err);
    if (e != LT_OK)
        return e;
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(ret, *ret_n, &cap, sizeof **ret)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        struct todo *t = &(*ret)[(*ret_n)++];
        t->id = sql_col_i64(st, 0);
        t->at_ms = sql_col_i64(st, 1);
        struct lt_slice rule = sql_col_text(st, 2);
        size_t n = rule.n < sizeof t->rule ? rule.n : sizeof t->rule - 1;
        memcpy(t->rule, rule.p, n);
        t->rule[n] = '\0';
    }
    sql_release(&st);
    return e;
}

static enum lt_err act(struct record_ctx *x, int64_t id, const char *move, json_t *body, int64_t at_ms,
                       struct lt_error *err)
{
    struct lt_buf out = LT_BUF_INIT(1 << 20);
    struct jsonw w;
    jsonw_init(&w, &out);
    x->now_ms = at_ms;
    enum lt_err e = alarm_move(x, id, lt_slice_of(move), body, &w, NULL, err);
    lt_buf_fini(&out);
    json_decref(body);
    return e;
}

static const struct {
    const char *rule, *cause, *outcome;
} causes[] = {
    {"hour_exceed", "脱硫循环泵跳停，已切换备用泵，浓度恢复", "true"},
    {"hour_exceed", "布袋破损漏风，已停线更换滤袋", "true"},
    {"hour_exceed", "分析仪采样管堵塞，反吹后数据恢复", "device_fault"},
    {"silence", "现场断网，运营商抢修后恢复，数据已补传", "true"},
    {"silence", "数采仪死机，断电重启后恢复", "device_fault"},
    {"constant", "采样探头堵塞致数据不变，已清理并校准", "device_fault"},
    {"clock_drift", "数采仪时钟电池失效，已更换并校时", "device_fault"},
    {"", "现场核查，工况正常", "false"},
    {"", "现场核查属实，已要求整改", "true"},
};

/* Which words the plant found: by rule, else the general ones at the end. */
static size_t cause_of(const char *rule, struct lt_rand *r)
{
    size_t fit[16], n = 0, all = sizeof causes / sizeof causes[0];
    for (size_t i = 0; i < all; i++)
        if (strcmp(causes[i].rule, rule) == 0)
            fit[n++] = i;
    return n ? fit[lt_rand_below(r, n)] : all - 1 - lt_rand_below(r, 2);
}

static enum lt_err handle(const struct demo_config *cfg, struct record_ctx *duty, struct record_ctx *analyst,
                          const struct todo *t, struct lt_rand *r, struct lt_error *err)
{
    int64_t age = cfg->now_ms - t->at_ms, at = t->at_ms + LT_MIN_MS * (3 + (int64_t)lt_rand_below(r, 24));
    unsigned steps = age > 30 * LT_HOUR_MS  ? 5
                     : age > 8 * LT_HOUR_MS ? (unsigned)lt_rand_below(r, 6)
                                            : (unsigned)lt_rand_below(r, 2);
    if (age > 30 * LT_HOUR_MS && lt_rand_below(r, 30) == 0)
        steps = 2; /* some things are forgotten */
    size_t c = cause_of(t->rule, r);
    enum lt_err e = LT_OK;
    for (unsigned s = 0; e == LT_OK && s < steps && at < cfg->now_ms; s++) {
        static const char *const moves[] = {"sign", "handle", "report", "confirm", "close"};
        json_t *body = s == 1   ? json_pack("{s:s}", "note", "已通知企业和属地分局")
                       : s == 2 ? json_pack("{s:s}", "note", causes[c].cause)
                       : s == 3 ? json_pack("{s:s}", "outcome", causes[c].outcome)
                                : json_object();
        e = act(s == 3 || s == 4 ? analyst : duty, t->id, moves[s], body, at, err);
        at += LT_MIN_MS * (5 + (int64_t)lt_rand_below(r, s == 1 ? 150 : 40));
    }
    /* somebody else's rules may forbid a move (a suppressed alarm …): the story goes on without it */
    return e == LT_E_FLOW_MOVE || e == LT_E_DENIED || e == LT_E_FLOW_NEEDS ? LT_OK : e;
}

static enum lt_err sign_in(const struct demo_config *cfg, struct sql_db *db, const char *login, struct auth_ctx *ret,
                           struct lt_error *err)
{
    struct auth_session s;
    return auth_login(db, lt_slice_of(login), LT_LIT(DEMO_PASSWORD), "demonstration", cfg->now_ms - 15 * LT_DAY_MS,
                      cfg->tz_min, &s, ret, err);
}

enum lt_err demo_people(const struct demo_config *cfg, struct sql_db *db, uint64_t *ret_alarms, struct lt_error *err)
{
    struct auth_ctx duty, analyst;
    struct todo *t = NULL;
    size_t n = 0;
    struct lt_rand r;
    lt_rand_init(&r, cfg->seed ^ 99);
    enum lt_err e = sign_in(cfg, db, "duty", &duty, err);
    if (e == LT_OK)
        e = sign_in(cfg, db, "analyst", &analyst, err);
    if (e == LT_OK)
        e = list(db, &t, &n, err);
    struct record_ctx xd = {.db = db, .who = &duty, .tz_min = cfg->tz_min},
                      xa = {.db = db, .who = &analyst, .tz_min = cfg->tz_min};
    if (e == LT_OK && (e = sql_begin(db, err)) == LT_OK) {
        for (size_t i = 0; e == LT_OK && i < n; i++) {
            e = handle(cfg, &xd, &xa, &t[i], &r, err);
            if (cfg->progress && i % 50 == 0)
                cfg->progress(cfg->user, "people", (double)i / (double)n);
        }
        e = sql_end(db, e, err);
    }
    *ret_alarms = n;
    free(t);
    return e;
}
