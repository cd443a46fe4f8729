/* Between a change of rules and its going live: the replay that belongs to it. */
#include "replay/replay_job.h"
#include "replay/replay_priv.h"
#include "replay/replay_store.h"

#include "journal/journal.h"
#include "record/audit.h"

#include <stdio.h>
#include <stdlib.h>

static const struct record_kind *replay_kind(void)
{
    return record_kind_find(LT_LIT("replay"));
}

/* Everything that judges, in one text: equal texts, equal rules. */
void replay_rules_text(const struct replay_rules *r, struct lt_buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (unsigned i = 0; i < ALARM_RULE_COUNT; i++) {
        jsonw_key(&w, alarm_rule_code((enum alarm_rule)i));
        jsonw_array(&w);
        for (size_t f = 0; f < REPLAY_RULE_FIELDS; f++)
            if (r->rule[i].v[f] == LT_FIX_NONE)
                jsonw_null(&w);
            else
                jsonw_i64(&w, r->rule[i].v[f]);
        jsonw_array_end(&w);
    }
    jsonw_object_end(&w);
}

void replay_change_text(const struct replay_change *c, int tz_min, struct lt_buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "items");
    replay_change_json(c, tz_min, &w);
    jsonw_object_end(&w);
}

/* First local day of the journal; the day of now_ms when there is none. */
static int64_t first_day_ms(const char *dir, int64_t now_ms, int tz_min)
{
    int day;
    int64_t at;
    return journal_days(dir, &day, 1) > 0 && lt_day_number_start(day, tz_min, &at) ? at : lt_day_start(now_ms, tz_min);
}

void replay_gate_days(const char *dir, int64_t now_ms, int tz_min, int64_t *ret_from_ms, int64_t *ret_to_ms)
{
    int64_t first = first_day_ms(dir, now_ms, tz_min), today = lt_day_start(now_ms, tz_min);
    *ret_from_ms = today - REPLAY_GATE_DAYS * LT_DAY_MS > first ? today - REPLAY_GATE_DAYS * LT_DAY_MS : first;
    *ret_from_ms = *ret_from_ms < today ? *ret_from_ms : today;
    *ret_to_ms = today;
}

static enum lt_err needed(const char *why, struct lt_error *err)
{
    return lt_fail(err, LT_E_REPLAY_NEEDED, "replay", why, NULL, NULL);
}

/* Nothing was ever stored: rules of a post that is being set up. */
static enum lt_err never_received(struct sql_db *db, const char *dir, bool *ret, struct lt_error *err)
{
    struct journal_reader *r = NULL;
    struct journal_batch *b = NULL;
    int64_t frames = 0;
    *ret = false;
    /* a post that never ran has no such tables yet */
    enum lt_err e = sql_get_i64(db, "SELECT count(*) = 0 FROM sqlite_master WHERE name = 'ledger'", NULL, &frames, err);
    if (e != LT_OK || frames) {
        *ret = e == LT_OK;
        return e;
    }
    e = sql_get_i64(db, "SELECT count(*) FROM (SELECT 1 FROM ledger WHERE stored > 0 LIMIT 1)", NULL, &frames, err);
    if (e != LT_OK || frames)
        return e;
    /* The ledger is written at checkpoints: what lies behind the last one is in the journal. */
    int64_t seq = 0;
    e = sql_get_i64(db, "SELECT series_seq FROM engine_cursor WHERE id = 1", NULL, &seq, err);
    if (e == LT_OK || e == LT_E_NOT_FOUND) /* no checkpoint yet: all of the journal lies behind it */
        e = journal_reader_open(dir, &r, err);
    for (uint64_t at = (uint64_t)seq + 1; e == LT_OK && !frames; at = b ? b->first_seq + b->count : at) {
        journal_batch_unref(&b);
        e = journal_reader_next(r, at, &b, err);
        struct journal_record rec;
        for (size_t pos = 0; e == LT_OK && journal_batch_next(b, &pos, &rec);)
            frames += rec.kind == JOURNAL_FRAME;
    }
    journal_batch_unref(&b);
    journal_reader_close(&r);
    *ret = !frames && (e == LT_OK || e == LT_E_NOT_FOUND);
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

static enum lt_err covers(const struct record_ctx *x, const char *dir, const struct record_row *r, struct lt_error *err)
{
    int64_t from, to;
    replay_gate_days(dir, x->now_ms, x->tz_min, &from, &to);
    if (!lt_slice_is(record_text(r, "state"), "finished"))
        return needed("the replay named is not finished / 所引用的重演尚未完成", err);
    if (!record_value(r, "territory")->null)
        return needed("the replay named covers only a part of the city / 所引用的重演未覆盖全市", err);
    if (record_i64(r, "day_from", INT64_MAX) > from || record_i64(r, "day_to", 0) < to - LT_DAY_MS)
        return needed("the replay named does not cover the last 30 days / 所引用的重演未覆盖最近 30 天", err);
    return LT_OK;
}

static bool same_text(struct lt_slice a, const struct lt_buf *b)
{
    return !b->failed && a.n == b->n && memcmp(a.p, b->p, a.n) == 0;
}

enum lt_err replay_gate(const struct record_ctx *x, const char *dir, int64_t replay, const struct replay_rules *before,
                        const struct replay_change *change, struct lt_error *err)
{
    bool first = false;
    enum lt_err e = change->n == 0 ? LT_OK : never_received(x->db, dir, &first, err);
    if (e != LT_OK || change->n == 0 || first)
        return e;
    if (replay <= 0)
        return needed("none is named / 未引用重演编号", err);
    struct auth_ctx post = auth_system("replay"); /* who may change rules need not be able to read replays */
    struct record_ctx y = *x;
    y.who = &post;
    struct record_row r;
    e = record_load(&y, replay_kind(), replay, &r, err);
    if (e != LT_OK)
        return e;
    struct lt_buf text = LT_BUF_INIT(64u * 1024), base = LT_BUF_INIT(16u * 1024);
    replay_change_text(change, x->tz_min, &text);
    replay_rules_text(before, &base);
    e = covers(x, dir, &r, err);
    if (e == LT_OK && !same_text(record_text(&r, "change"), &text))
        e = needed("the replay named is of another change / 所引用的重演针对的是另一项变更", err);
    if (e == LT_OK && !same_text(record_text(&r, "base"), &base))
        e = needed("rules have changed since the replay named / 所引用重演之后规则已被修改", err);
    lt_buf_fini(&text);
    lt_buf_fini(&base);
    record_row_fini(&r);
    return e;
}

enum lt_err replay_applied(const struct record_ctx *x, int64_t replay, struct lt_error *err)
{
    char detail[64];
    const struct record_set set[] = {RECORD_SET_I("applied_at", x->now_ms), RECORD_SET_Z("applied_by", x->who->name)};
    enum lt_err e = record_change(x, replay_kind(), replay, 0, "apply", set, 2, err);
    int n = snprintf(detail, sizeof detail, "{\"replay\":%lld}", (long long)replay);
    const struct audit_entry a = {.who = x->who,
                                  .at_ms = x->now_ms,
                                  .action = "apply",
                                  .kind = "rule",
                                  .record_id = 0,
                                  .detail = {detail, (size_t)n}};
    return e == LT_OK ? audit_add(x->db, &a, err) : e;
}

/* ---- apply ---- */

static enum lt_err record_of(struct sql_db *db, const json_t *item, struct replay_touched *ret, int64_t *ret_version,
                             struct lt_error *err)
{
    const json_t *limit = json_object_get(item, "limit");
    struct sql_stmt *st = NULL;
    bool row = false;
    ret->kind = record_kind_find(limit ? LT_LIT("factor_limit") : LT_LIT("rule"));
    ret->id = 0;
    enum lt_err e = sql_prepare(db,
                                limit ? "SELECT id, version FROM factor_limit WHERE id = ?1 AND deleted = 0"
                                      : "SELECT id, version FROM rule WHERE code = ?1 AND deleted = 0",
                                &st, err);
    if (e != LT_OK)
        return e;
    if (limit)
        sql_bind_i64(st, 1, json_integer_value(limit));
    else
        sql_bind_str(st, 1, json_string_value(json_object_get(item, "code")));
    e = sql_step(st, &row, err);
    if (e == LT_OK && row) {
        ret->id = sql_col_i64(st, 0);
        *ret_version = sql_col_i64(st, 1);
    }
    sql_release(&st);
    return e;
}

static enum lt_err apply_item(const struct record_ctx *x, const json_t *item, struct replay_touched *ret,
                              struct record_faults *faults, struct lt_error *err)
{
    int64_t version = 0;
    enum lt_err e = record_of(x->db, item, ret, &version, err);
    if (e != LT_OK)
        return e;
    json_t *body = json_copy((json_t *)(uintptr_t)item);
    if (!body)
        return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    json_object_del(body, "limit");
    if (ret->id) {
        json_object_del(body, "code");
        json_object_set_new(body, "version", json_integer(version));
        e = record_update(x, ret->kind, ret->id, body, faults, err);
    } else {
        e = record_create(x, ret->kind, body, &ret->id, faults, err);
    }
    json_decref(body);
    return e;
}

/* The stored change must still be one: read against the records of now it has the same form. */
static enum lt_err still_that(const struct record_ctx *x, const json_t *items, struct lt_slice text,
                              struct replay_change *now, struct lt_error *err)
{
    struct lt_buf again = LT_BUF_INIT(64u * 1024);
    enum lt_err e = replay_change_parse(x->db, items, x->tz_min, now, err);
    replay_change_text(now, x->tz_min, &again);
    if (e == LT_OK && !same_text(text, &again))
        e = needed("rules or limits have changed since the replay / 重演之后规则或限值已被修改", err);
    lt_buf_fini(&again);
    return e;
}

static enum lt_err apply_all(const struct record_ctx *x, const char *dir, int64_t replay, const struct record_row *r,
                             const json_t *items, struct replay_touched *ret, size_t *ret_n,
                             struct record_faults *faults, struct lt_error *err)
{
    struct replay_change *change = calloc(1, sizeof *change);
    struct replay_rules before;
    if (!change)
        return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    enum lt_err e = still_that(x, items, record_text(r, "change"), change, err);
    if (e == LT_OK && change->n == 0)
        e = lt_fail(err, LT_E_BAD_INPUT, "change", "this replay changes nothing / 该重演没有规则变更", NULL, NULL);
    if (e == LT_OK)
        e = replay_rules_now(x->db, &before, err);
    if (e == LT_OK)
        e = replay_gate(x, dir, replay, &before, change, err);
    for (size_t i = 0; e == LT_OK && i < change->n; i++)
        if (change->item[i].limit_id == ENGINE_LIMITS_TODAY)
            e = lt_fail(err, LT_E_BAD_INPUT, "change", "the limits of today are in force already / 今日限值已经生效",
                        NULL, NULL);
    for (size_t i = 0; e == LT_OK && i < json_array_size(items) && i < REPLAY_CHANGES_MAX; i++)
        if ((e = apply_item(x, json_array_get(items, i), &ret[i], faults, err)) == LT_OK)
            *ret_n = i + 1;
    if (e == LT_OK)
        e = replay_applied(x, replay, err);
    free(change);
    return e;
}

enum lt_err replay_apply(const struct record_ctx *x, const char *dir, int64_t replay, struct replay_touched *ret,
                         size_t *ret_n, struct record_faults *faults, struct lt_error *err)
{
    struct record_row r;
    json_t *root = NULL;
    *ret_n = 0;
    enum lt_err e = record_load(x, replay_kind(), replay, &r, err);
    if (e != LT_OK)
        return e;
    e = jsonr_object(record_text(&r, "change"), JSONR_SIZE_MAX, &root, err);
    if (e == LT_OK && (e = sql_begin(x->db, err)) == LT_OK) {
        e = apply_all(x, dir, replay, &r, json_object_get(root, "items"), ret, ret_n, faults, err);
        e = sql_end(x->db, e, err);
    }
    json_decref(root);
    record_row_fini(&r);
    return e;
}
