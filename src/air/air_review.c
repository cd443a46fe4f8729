/* Two-person review: one proposes what shall become of a range of hours, another decides; then it is applied with its
 * trail in the same transaction. Reversing restores every figure. */
#include "air/air_priv.h"
#include "base/clock.h"
#include "base/text.h"
#include "flow/flow.h"

#include <stdio.h>
#include <stdlib.h>

#define BIT(s) (UINT32_C(1) << (s))
#define REVIEW_HOURS_MAX                                                                                               \
    (92 * 24) /* a quarter: reviews are made by month; one transaction stays below half a second                       \
               */
#define REVIEW_DUE_MS     (3 * LT_DAY_MS)
#define REVIEW_LEVEL_MAX  3
#define REVIEW_REASON_MAX 500

enum { S_PROPOSED, S_APPROVED, S_REJECTED, S_WITHDRAWN, S_REVERSED, S_COUNT };
enum action { A_CORRECT, A_INVALIDATE, A_RESTORE, A_CONFIRM, ACTIONS };
static const char *const action_names[ACTIONS] = {"correct", "invalidate", "restore", "confirm"};

/* ---- what a record asks for ---- */

struct review {
    int64_t id, station, from_ms, to_ms;
    unsigned items; /* bit per item */
    enum action action;
    int64_t value; /* millionths */
    char reason[REVIEW_REASON_MAX * 4 + 1];
};

static enum lt_err items_of(struct lt_slice text, unsigned *ret, struct lt_error *err)
{
    unsigned bits = 0;
    while (text.n) {
        const char *comma = memchr(text.p, ',', text.n);
        size_t n = comma ? (size_t)(comma - text.p) : text.n;
        enum air_item item;
        char shown[32];
        struct lt_slice one = {text.p, n};
        lt_text_copy_slice(shown, sizeof shown, one);
        if (!air_item_find(one, &item))
            return lt_fail(err, LT_E_FIELD_CHOICE, "items", "items", shown, "PM25, PM10, SO2, NO2, CO, O3, TEMP …");
        bits |= 1u << item;
        text = (struct lt_slice){text.p + n + (comma != NULL), text.n - n - (comma != NULL)};
    }
    if (!bits)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "items", "items", NULL, NULL);
    *ret = bits;
    return LT_OK;
}

static bool action_of(struct lt_slice s, enum action *ret)
{
    for (unsigned i = 0; i < ACTIONS; i++)
        if (lt_slice_is(s, action_names[i])) {
            *ret = (enum action)i;
            return true;
        }
    return false;
}

static enum lt_err review_of(const struct record_row *row, struct review *ret, struct lt_error *err)
{
    *ret = (struct review){.id = row->id,
                           .station = record_i64(row, "station", 0),
                           .from_ms = record_i64(row, "from_at", 0),
                           .to_ms = record_i64(row, "to_at", 0),
                           .value = record_i64(row, "value", LT_FIX_NONE)};
    lt_text_copy_slice(ret->reason, sizeof ret->reason, record_text(row, "reason"));
    if (!action_of(record_text(row, "action"), &ret->action))
        return lt_fail(err, LT_E_CORRUPT, "action", "air_review", "action", NULL);
    return items_of(record_text(row, "items"), &ret->items, err);
}

/* ---- what a value becomes ---- */

/* The value as it was before people touched it: what the newest review change of an unreviewed value replaced. */
static enum lt_err delivered(struct sql_db *db, int64_t station, int64_t slot, int item, struct air_cell_new *ret,
                             bool *ret_any, struct lt_error *err)
{
    struct sql_stmt *st;
    enum lt_err e = sql_row(db,
                            "SELECT old_value, old_state, old_source FROM air_change WHERE station = ?1 AND"
                            " slot = ?2 AND item = ?3 AND refused = 0 AND review <> 0 AND old_state & 1 = 0"
                            " AND new_state & 1 <> 0 ORDER BY id DESC LIMIT 1",
                            SQL_VALUES(SQL_I(station), SQL_I(slot), SQL_I(item)), &st, ret_any, err);
    if (e == LT_OK && *ret_any) {
        int64_t v = sql_col_i64(st, 0);
        *ret = (struct air_cell_new){sql_col_null(st, 0) ? AIR_NONE : (int32_t)v, (uint8_t)sql_col_i64(st, 1),
                                     (uint8_t)sql_col_i64(st, 2)};
    }
    sql_release(&st);
    return e;
}

/* *ret_change false: nothing happens to this value. */
static enum lt_err target(struct sql_db *db, const struct review *r, const struct air_block *b, int32_t day, int hour,
                          int item, struct air_cell_new *ret, bool *ret_change, struct lt_error *err)
{
    int32_t v = b->value[hour][item];
    uint8_t state = b->state[hour][item];
    bool any = false;
    enum lt_err e = LT_OK;
    *ret = (struct air_cell_new){v, state, b->source[hour][item]};
    switch (r->action) {
    case A_CORRECT:
        if (!air_value_from_fix((enum air_item)item, r->value, &ret->value))
            return lt_fail(err, LT_E_FIELD_RANGE, "value", "value", "0", air_item_name((enum air_item)item));
        ret->state = AIR_REVIEWED | AIR_CORRECTED;
        ret->source = AIR_SRC_REVIEW;
        break;
    case A_INVALIDATE:
        ret->state = state | AIR_REVIEWED | AIR_INVALID;
        break;
    case A_CONFIRM:
        ret->state = state | AIR_REVIEWED;
        break;
    case A_RESTORE:
        e = delivered(db, r->station, day * INT64_C(24) + hour, item, ret, &any, err);
        if (any)
            ret->state |= AIR_REVIEWED;
        break;
    case ACTIONS:
        break;
    }
    bool there = v != AIR_NONE || r->action == A_CORRECT || (r->action == A_RESTORE && any);
    *ret_change = there && (ret->value != v || ret->state != state);
    return e;
}

/* Calls each() for every (day, hour, item) of the review. */
static enum lt_err over_hours(const struct review *r, int tz_min,
                              enum lt_err (*each)(void *user, int32_t day, int hour, int item, struct lt_error *err),
                              void *user, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (int64_t at = r->from_ms; e == LT_OK && at < r->to_ms; at += LT_HOUR_MS) {
        int32_t day = air_day_of(at, tz_min);
        int hour = (int)((at - air_day_start(day, tz_min)) / LT_HOUR_MS);
        for (int i = 0; e == LT_OK && i < AIR_ITEMS; i++)
            if (r->items >> i & 1)
                e = each(user, day, hour, i, err);
    }
    return e;
}

struct applying {
    struct air_writer *w;
    struct sql_db *db;
    const struct review *r;
    uint64_t changed;
};

static enum lt_err apply_one(void *user, int32_t day, int hour, int item, struct lt_error *err)
{
    struct applying *a = user;
    struct air_block *b;
    struct air_cell_new to;
    bool change = false;
    enum lt_err e = air_writer_block(a->w, a->r->station, day, &b, err);
    if (e == LT_OK)
        e = target(a->db, a->r, b, day, hour, item, &to, &change, err);
    if (e != LT_OK || !change)
        return e;
    a->changed++;
    return air_writer_set(a->w, a->r->station, day, hour, (enum air_item)item, &to, a->r->id, err);
}

static struct air_batch_info info_of(const struct record_ctx *x, const struct review *r)
{
    return (struct air_batch_info){.source = AIR_SRC_REVIEW,
                                   .author = x->who->login[0] ? x->who->login : x->who->name,
                                   .reason = r->reason,
                                   .now_ms = x->now_ms,
                                   .tz_min = x->tz_min};
}

/* ---- moves ---- */

static bool is_author(const struct record_ctx *x, const struct record_row *row)
{
    return record_i64(row, "author", 0) == x->who->user_id;
}

static enum lt_err not_by_author(const struct record_ctx *x, const struct record_row *row, struct lt_error *err)
{
    if (is_author(x, row))
        return lt_fail(err, LT_E_DENIED, "author",
                       x->who->lang == LT_EN ? "decide on your own proposal" : "复核本人提出的处理", NULL, NULL);
    return LT_OK;
}

static void decided(const struct record_ctx *x, struct record_set *set, size_t *n)
{
    if (x->who->user_id)
        set[(*n)++] = RECORD_SET_I("reviewer", x->who->user_id);
    set[(*n)++] = RECORD_SET_I("decided_at", x->now_ms);
}

static enum lt_err apply_approve(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                                 size_t *n, struct lt_error *err)
{
    struct review r;
    struct applying a = {.db = x->db, .r = &r};
    struct air_put_result res = {0};
    enum lt_err e = not_by_author(x, row, err);
    if (e == LT_OK)
        e = review_of(row, &r, err);
    if (e != LT_OK)
        return e;
    struct air_batch_info info = info_of(x, &r);
    if ((e = air_writer_begin(x->db, &info, &a.w, err)) != LT_OK)
        return e;
    e = over_hours(&r, x->tz_min, apply_one, &a, err);
    e = air_writer_end(&a.w, e, &res, err);
    if (e == LT_OK && !a.changed)
        e = lt_fail(err, LT_E_BAD_INPUT, NULL, "no value of these hours would change / 这些小时没有可处理的数值", NULL,
                    NULL);
    decided(x, set, n);
    set[(*n)++] = RECORD_SET_I("applied_version", res.version);
    return e;
}

static enum lt_err apply_reject(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                                size_t *n, struct lt_error *err)
{
    decided(x, set, n);
    return not_by_author(x, row, err);
}

static enum lt_err apply_withdraw(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                                  size_t *n, struct lt_error *err)
{
    if (is_author(x, row))
        return LT_OK;
    return lt_fail(err, LT_E_DENIED, "author",
                   x->who->lang == LT_EN ? "withdraw another's proposal" : "撤回他人提出的处理", NULL, NULL);
}

/* One change to take back. */
struct back {
    int64_t slot;
    int item;
    struct air_cell_new old, now;
};

static enum lt_err changes_of(struct sql_db *db, int64_t review, int64_t version, struct back **ret, size_t *ret_n,
                              struct lt_error *err)
{
    struct sql_stmt *st;
    size_t cap = 0;
    bool row;
    *ret = NULL;
    *ret_n = 0;
    enum lt_err e = sql_prepare(db,
                                "SELECT slot, item, old_value, old_state, old_source, new_value, new_state, new_source"
                                " FROM air_change WHERE review = ?1 AND review <> 0 AND version = ?2 AND refused = 0"
                                " ORDER BY id DESC" /* "<> 0": else the index, which leaves 0 out, is not used */,
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, review);
    sql_bind_i64(st, 2, version);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(ret, *ret_n, &cap, sizeof **ret)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        struct back *b = &(*ret)[(*ret_n)++];
        b->slot = sql_col_i64(st, 0);
        b->item = (int)(sql_col_i64(st, 1) % AIR_ITEMS);
        b->old = (struct air_cell_new){sql_col_null(st, 2) ? AIR_NONE : (int32_t)sql_col_i64(st, 2),
                                       (uint8_t)sql_col_i64(st, 3), (uint8_t)sql_col_i64(st, 4)};
        b->now = (struct air_cell_new){sql_col_null(st, 5) ? AIR_NONE : (int32_t)sql_col_i64(st, 5),
                                       (uint8_t)sql_col_i64(st, 6), (uint8_t)sql_col_i64(st, 7)};
    }
    sql_release(&st);
    return e;
}

static enum lt_err take_back(struct air_writer *w, const struct review *r, const struct back *k, int tz_min,
                             struct lt_error *err)
{
    struct air_block *b;
    int32_t day = (int32_t)(k->slot / 24);
    int hour = (int)(k->slot % 24);
    if (hour < 0)
        return lt_fail(err, LT_E_CORRUPT, "air_change", "air_change", "slot", NULL);
    enum lt_err e = air_writer_block(w, r->station, day, &b, err);
    if (e != LT_OK)
        return e;
    if (b->value[hour][k->item] != k->now.value || b->state[hour][k->item] != k->now.state) {
        char at[40];
        lt_time_format_iso(air_day_start(day, tz_min) + hour * LT_HOUR_MS, tz_min, at);
        return lt_fail(err, LT_E_STALE, air_item_name((enum air_item)k->item), at, "later", NULL);
    }
    return air_writer_set(w, r->station, day, hour, (enum air_item)k->item, &k->old, r->id, err);
}

static enum lt_err apply_reverse(const struct record_ctx *x, const struct record_row *row, struct record_set *set,
                                 size_t *n, struct lt_error *err)
{
    struct review r;
    struct air_writer *w;
    struct back *list = NULL;
    size_t count = 0;
    struct air_put_result res = {0};
    enum lt_err e = not_by_author(x, row, err);
    if (e == LT_OK)
        e = review_of(row, &r, err);
    if (e != LT_OK)
        return e;
    struct air_batch_info info = info_of(x, &r);
    if ((e = air_writer_begin(x->db, &info, &w, err)) != LT_OK)
        return e;
    e = changes_of(x->db, r.id, record_i64(row, "applied_version", 0), &list, &count, err);
    for (size_t i = 0; e == LT_OK && i < count; i++)
        e = take_back(w, &r, &list[i], x->tz_min, err);
    free(list);
    e = air_writer_end(&w, e, &res, err);
    if (x->who->user_id)
        set[(*n)++] = RECORD_SET_I("reversed_by", x->who->user_id);
    set[(*n)++] = RECORD_SET_I("reversed_version", res.version);
    return e;
}

static const struct flow_limit review_limits[] = {{NULL, REVIEW_DUE_MS}, {0}};
static const struct flow_state states[S_COUNT] = {
    [S_PROPOSED] = {"proposed", "Proposed", "待复核", "state", review_limits, false, NULL},
    [S_APPROVED] = {"approved", "Approved", "已通过", NULL, NULL, false, NULL},
    [S_REJECTED] = {"rejected", "Rejected", "已驳回", NULL, NULL, false, NULL},
    [S_WITHDRAWN] = {"withdrawn", "Withdrawn", "已撤回", NULL, NULL, false, NULL},
    [S_REVERSED] = {"reversed", "Reversed", "已撤销", NULL, NULL, false, NULL},
};

#define NOTE(must_)                                                                                                    \
    {                                                                                                                  \
        .field = "note", .en = "Note", .zh = "说明", .type = RECORD_TEXT, .required = (must_), .max_chars = 500        \
    }
static const struct flow_move moves[] = {
    {.name = "approve",
     .en = "Approve",
     .zh = "复核通过",
     .from = BIT(S_PROPOSED),
     .to = S_APPROVED,
     .permission = "air_review:approve",
     .needs = {NOTE(false)},
     .n_needs = 1,
     .apply = apply_approve},
    {.name = "reject",
     .en = "Reject",
     .zh = "驳回",
     .from = BIT(S_PROPOSED),
     .to = S_REJECTED,
     .permission = "air_review:approve",
     .needs = {NOTE(true)},
     .n_needs = 1,
     .apply = apply_reject},
    {.name = "withdraw",
     .en = "Withdraw",
     .zh = "撤回",
     .from = BIT(S_PROPOSED),
     .to = S_WITHDRAWN,
     .permission = "air_review:propose",
     .needs = {NOTE(false)},
     .n_needs = 1,
     .apply = apply_withdraw},
    {.name = "reverse",
     .en = "Reverse",
     .zh = "撤销",
     .from = BIT(S_APPROVED),
     .to = S_REVERSED,
     .permission = "air_review:approve",
     .needs = {NOTE(true)},
     .n_needs = 1,
     .apply = apply_reverse},
};

const struct flow air_review_flow = {
    .kind = "air_review",
    .state_field = "state",
    .due_field = "due_at",
    .level_field = "level",
    .since_field = "state_at",
    .states = states,
    .n_states = S_COUNT,
    .moves = moves,
    .n_moves = sizeof moves / sizeof moves[0],
    .level_max = REVIEW_LEVEL_MAX,
};

enum lt_err air_review_move(const struct record_ctx *x, int64_t id, struct lt_slice move, const json_t *body,
                            int64_t *ret_version, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(LT_LIT("air_review"));
    struct record_row row;
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = flow_move(x, &air_review_flow, id, move, body, err);
    if (e == LT_OK && (e = record_load(x, k, id, &row, err)) == LT_OK) {
        bool back = lt_slice_is(record_text(&row, "state"), "reversed");
        *ret_version = record_i64(&row, back ? "reversed_version" : "applied_version", 0);
        record_row_fini(&row);
    }
    return sql_end(x->db, e, err);
}

/* ---- proposing ---- */

/* "PM25,PM10" or ["PM25","PM10"]. */
static enum lt_err read_items(const json_t *body, char ret[128], struct lt_error *err)
{
    const json_t *v = json_object_get(body, "items");
    struct lt_slice text;
    unsigned bits;
    size_t n = 0;
    ret[0] = '\0';
    if (!json_is_array(v)) {
        enum lt_err e = jsonr_str(body, "items", true, 64, &text, err);
        if (e == LT_OK)
            lt_text_copy_slice(ret, 128, text);
        return e == LT_OK ? items_of(text, &bits, err) : e;
    }
    if (json_array_size(v) > AIR_ITEMS)
        return lt_fail(err, LT_E_FIELD_RANGE, "items", "items", "1", "12");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *one = json_string_value(json_array_get(v, i));
        int k = snprintf(ret + n, 128 - n, "%s%.8s", i ? "," : "", one ? one : "?");
        n += k > 0 ? (size_t)k : 0;
    }
    return items_of(lt_slice_of(ret), &bits, err);
}

static enum lt_err check_proposal(const struct review *r, int tz_min, int64_t now_ms, struct lt_error *err)
{
    int64_t off = (r->from_ms + tz_min * LT_MIN_MS) % LT_HOUR_MS;
    if (off != 0 || (r->to_ms - r->from_ms) % LT_HOUR_MS != 0)
        return lt_fail(err, LT_E_FIELD_FORMAT, "from", "from, to", "hh:mm", "hh:00");
    if (r->to_ms <= r->from_ms || r->to_ms - r->from_ms > REVIEW_HOURS_MAX * LT_HOUR_MS)
        return lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from + 1 h", "from + 92 d");
    /* an offset ahead of ours can name a time before our first day, and slots of hours count from that */
    if (r->from_ms > now_ms || air_day_of(r->from_ms, tz_min) < 0)
        return lt_fail(err, LT_E_FIELD_RANGE, "from", "from", "1970", "now");
    if (r->action != A_CORRECT)
        return LT_OK;
    if (r->value == LT_FIX_NONE)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "value", "value", NULL, NULL);
    for (int i = 0; i < AIR_ITEMS; i++) {
        int32_t v;
        if (!(r->items >> i & 1) || air_value_from_fix((enum air_item)i, r->value, &v))
            continue;
        char least[32], most[32];
        lt_fix_format_short(air_value_fix((enum air_item)i, air_item_least((enum air_item)i)), least);
        lt_fix_format_short(air_value_fix((enum air_item)i, air_item_most((enum air_item)i)), most);
        return lt_fail(err, LT_E_FIELD_RANGE, "value", air_item_name((enum air_item)i), least, most);
    }
    return LT_OK;
}

static enum lt_err read_proposal(const struct record_ctx *x, const json_t *body, struct review *r, char items[128],
                                 struct lt_slice *reason, struct lt_error *err)
{
    static const char *const names[] = {"station", "items", "from", "to", "action", "value", "reason", NULL};
    struct lt_slice action;
    enum lt_err e = jsonr_only(body, names, err);
    *r = (struct review){.value = LT_FIX_NONE};
    if (e != LT_OK || (e = jsonr_i64(body, "station", true, 1, INT64_MAX, &r->station, err)) != LT_OK ||
        (e = read_items(body, items, err)) != LT_OK ||
        (e = jsonr_time(body, "from", true, x->tz_min, &r->from_ms, err)) != LT_OK ||
        (e = jsonr_time(body, "to", true, x->tz_min, &r->to_ms, err)) != LT_OK ||
        (e = jsonr_str(body, "action", true, 16, &action, err)) != LT_OK ||
        (e = jsonr_str(body, "reason", true, REVIEW_REASON_MAX, reason, err)) != LT_OK)
        return e;
    const json_t *value = json_object_get(body, "value");
    if (value && !json_is_null(value) && !jsonr_to_fix(value, &r->value))
        return lt_fail(err, LT_E_FIELD_TYPE, "value", "value", "number", NULL);
    if (!action_of(action, &r->action)) {
        char shown[32];
        lt_text_copy_slice(shown, sizeof shown, action);
        return lt_fail(err, LT_E_FIELD_CHOICE, "action", "action", shown, "correct, invalidate, restore, confirm");
    }
    if (reason->n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "reason", "reason", NULL, NULL);
    e = items_of(lt_slice_of(items), &r->items, err);
    return e == LT_OK ? check_proposal(r, x->tz_min, x->now_ms, err) : e;
}

enum lt_err air_review_propose(const struct record_ctx *x, const json_t *body, int64_t *ret_id, struct lt_error *err)
{
    struct review r;
    char items[128];
    struct lt_slice reason;
    struct record_set set[16];
    size_t n = 0;
    enum lt_err e = auth_need(x->who, "air_review:propose", err);
    if (e == LT_OK)
        e = read_proposal(x, body, &r, items, &reason, err);
    if (e != LT_OK)
        return e;
    set[n++] = RECORD_SET_I("station", r.station);
    set[n++] = RECORD_SET_Z("items", items);
    set[n++] = RECORD_SET_I("from_at", r.from_ms);
    set[n++] = RECORD_SET_I("to_at", r.to_ms);
    set[n++] = RECORD_SET_Z("action", action_names[r.action]);
    if (r.action == A_CORRECT)
        set[n++] = RECORD_SET_I("value", r.value);
    set[n++] = RECORD_SET_S("reason", reason);
    if (x->who->user_id)
        set[n++] = RECORD_SET_I("author", x->who->user_id);
    n += flow_enter(x, &air_review_flow, S_PROPOSED, LT_LIT("proposed"), set + n);
    return record_insert(x, record_kind_find(LT_LIT("air_review")), set, n, ret_id, err);
}

/* ---- what a proposal would do ---- */

struct showing {
    struct sql_db *db;
    const struct review *r;
    int tz_min;
    struct air_block block;
    int32_t day;
    bool have;
    unsigned n;
    struct jsonw *w;
};

static bool keep(void *user, int32_t day, const struct air_block *b)
{
    struct showing *s = user;
    s->block = *b;
    return true;
}

static enum lt_err show_one(void *user, int32_t day, int hour, int item, struct lt_error *err)
{
    struct showing *s = user;
    struct air_cell_new to;
    bool change = false;
    enum lt_err e = LT_OK;
    if (s->n >= AIR_REVIEW_SHOWN_MAX)
        return LT_OK;
    if (!s->have || s->day != day) {
        air_block_init(&s->block);
        e = air_blocks(s->db, s->r->station, day, day, 0, keep, s, err);
        s->day = day;
        s->have = true;
    }
    if (e == LT_OK)
        e = target(s->db, s->r, &s->block, day, hour, item, &to, &change, err);
    int32_t v = s->block.value[hour][item];
    if (e != LT_OK || (v == AIR_NONE && !change))
        return e;
    s->n++;
    jsonw_object(s->w);
    jsonw_ktime(s->w, "at", air_day_start(day, s->tz_min) + hour * LT_HOUR_MS, s->tz_min);
    jsonw_kstr(s->w, "item", air_item_name((enum air_item)item));
    jsonw_kfix(s->w, "value", air_value_fix((enum air_item)item, v));
    jsonw_ki64(s->w, "state", s->block.state[hour][item]);
    jsonw_kfix(s->w, "proposed", air_value_fix((enum air_item)item, to.value));
    jsonw_ki64(s->w, "proposed_state", to.state);
    jsonw_object_end(s->w);
    return e;
}

enum lt_err air_review_hours(const struct record_ctx *x, int64_t id, struct jsonw *w, struct lt_error *err)
{
    struct record_row row;
    struct review r;
    enum lt_err e = record_load(x, record_kind_find(LT_LIT("air_review")), id, &row, err);
    if (e != LT_OK)
        return e;
    e = review_of(&row, &r, err);
    record_row_fini(&row);
    if (e != LT_OK)
        return e;
    struct showing s = {.db = x->db, .r = &r, .tz_min = x->tz_min, .w = w};
    jsonw_array(w);
    e = over_hours(&r, x->tz_min, show_one, &s, err);
    jsonw_array_end(w);
    return e;
}

void air_review_extra(void *ctx, const struct record_row *row, struct jsonw *w)
{
    const struct record_ctx *x = ctx;
    const int state = flow_state_find(&air_review_flow, record_text(row, "state"));
    jsonw_key(w, "moves");
    jsonw_array(w);
    for (size_t i = 0; state >= 0 && i < air_review_flow.n_moves; i++) {
        const struct flow_move *m = &air_review_flow.moves[i];
        const bool of_author = m->apply == apply_withdraw; /* the others are for anybody else */
        if ((m->from & BIT(state)) && auth_may(x->who, m->permission) && of_author == is_author(x, row))
            jsonw_str(w, m->name);
    }
    jsonw_array_end(w);
}
