/* The engine of life cycles: see flow.h. */
#include "flow/flow.h"
#include "base/clock.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>

#define SETS_MAX      (FLOW_NEEDS_MAX + 12) /* needs, three of flow_enter(), and 8 of apply() */
#define OVERDUE_BATCH 200                   /* records of one transaction: other writers wait a tenth of a second */

static const char *label(const char *en, const char *zh, enum lt_lang lang)
{
    return lang == LT_EN ? en : zh;
}

int flow_state_find(const struct flow *f, struct lt_slice name)
{
    for (size_t i = 0; i < f->n_states; i++)
        if (lt_slice_is(name, f->states[i].name))
            return (int)i;
    return -1;
}

static const struct flow_move *move_find(const struct flow *f, struct lt_slice name)
{
    for (size_t i = 0; i < f->n_moves; i++)
        if (lt_slice_is(name, f->moves[i].name))
            return &f->moves[i];
    return NULL;
}

/* ---- deadlines ---- */

size_t flow_enter(const struct record_ctx *x, const struct flow *f, unsigned state, struct lt_slice limit_value,
                  struct record_set *ret)
{
    const struct flow_state *s = &f->states[state];
    size_t n = 0;
    ret[n++] = RECORD_SET_Z(f->state_field, s->name);
    if (f->since_field)
        ret[n++] = RECORD_SET_I(f->since_field, x->now_ms);
    if (s->keeps_due)
        return n;
    const int64_t due = flow_due(x, f, state, limit_value);
    if (due > 0)
        ret[n++] = RECORD_SET_I(f->due_field, due);
    else
        ret[n++] = RECORD_SET_NULL(f->due_field);
    return n;
}

static struct lt_slice limit_value(const struct flow *f, unsigned state, const struct record_row *r)
{
    const char *field = f->states[state].limit_field;
    return field ? record_text(r, field) : LT_LIT("");
}

/* ---- what a move needs ---- */

static enum lt_err needs(const struct record_ctx *x, const struct flow_move *m, const struct flow_need *n,
                         struct lt_error *err)
{
    return lt_fail(err, LT_E_FLOW_NEEDS, n->field, label(m->en, m->zh, x->who->lang), label(n->en, n->zh, x->who->lang),
                   NULL);
}

static bool is_choice(const struct flow_need *n, struct lt_slice s)
{
    for (const struct record_choice *c = n->choices; c && c->value; c++)
        if (lt_slice_is(s, c->value))
            return true;
    return false;
}

#define NOTE_CHARS 1000

static enum lt_err read_time(const struct record_ctx *x, const struct flow_need *n, const json_t *body,
                             struct record_set *set, struct lt_error *err)
{
    int64_t at = 0;
    char most[48];
    enum lt_err e = jsonr_time(body, n->field, true, x->tz_min, &at, err);
    if (e != LT_OK)
        return e;
    if (n->future && (at <= x->now_ms || (n->max_ms > 0 && at > x->now_ms + n->max_ms))) {
        snprintf(most, sizeof most, "+%lld d / 此后 %lld 天", (long long)(n->max_ms / LT_DAY_MS),
                 (long long)(n->max_ms / LT_DAY_MS));
        return lt_fail(err, LT_E_FIELD_RANGE, n->field, label(n->en, n->zh, x->who->lang), "now / 现在", most);
    }
    set->i = at;
    return LT_OK;
}

/* Nothing but blanks, the wide one of Chinese keyboards (U+3000) too: a report of a space is none. */
static bool says_nothing(const json_t *v)
{
    static const char wide[] = "\xE3\x80\x80";
    if (!json_is_string(v))
        return !v || json_is_null(v);
    const char *p = json_string_value(v);
    for (;;) {
        if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
            p++;
        else if (strncmp(p, wide, 3) == 0)
            p += 3;
        else
            return *p == '\0';
    }
}

static enum lt_err read_need(const struct record_ctx *x, const struct flow_move *m, const struct flow_need *n,
                             const json_t *body, struct record_set *set, bool *ret_given, struct lt_error *err)
{
    const json_t *v = json_is_object(body) ? json_object_get(body, n->field) : NULL;
    bool blank = says_nothing(v);
    enum lt_err e = LT_OK;
    *ret_given = !blank;
    if (blank)
        return n->required ? needs(x, m, n, err) : LT_OK;
    set->field = n->store ? n->store : n->field;
    if (n->type == RECORD_TIME)
        return read_time(x, n, body, set, err);
    if (n->type == RECORD_INT)
        return jsonr_i64(body, n->field, true, INT64_MIN, INT64_MAX, &set->i, err);
    e = jsonr_str(body, n->field, true, n->max_chars ? n->max_chars : NOTE_CHARS, &set->s, err);
    if (e == LT_OK && n->type == RECORD_ENUM && !is_choice(n, set->s)) {
        char given[64];
        lt_text_copy_slice(given, sizeof given, set->s);
        e = lt_fail(err, LT_E_FIELD_CHOICE, n->field, label(n->en, n->zh, x->who->lang), given, "");
    }
    return e;
}

static enum lt_err read_needs(const struct record_ctx *x, const struct flow_move *m, const json_t *body,
                              struct record_set *set, size_t *n, struct lt_error *err)
{
    for (size_t i = 0; i < m->n_needs; i++) {
        bool given;
        struct record_set s = {0};
        enum lt_err e = read_need(x, m, &m->needs[i], body, &s, &given, err);
        if (e != LT_OK)
            return e;
        if (given && s.field[0])
            set[(*n)++] = s;
    }
    return LT_OK;
}

/* ---- moving ---- */

static enum lt_err wrong_state(const struct record_ctx *x, const struct flow *f, const struct flow_move *m, int state,
                               struct lt_error *err)
{
    const struct flow_state *s = &f->states[state];
    const char *a = label(m->en, m->zh, x->who->lang), *b = label(s->en, s->zh, x->who->lang);
    return lt_fail(err, LT_E_FLOW_MOVE, NULL, a, b, NULL);
}

static enum lt_err move_row(const struct record_ctx *x, const struct flow *f, const struct flow_move *m,
                            const struct record_row *r, const json_t *body, struct lt_error *err)
{
    struct record_set set[SETS_MAX];
    size_t n = 0;
    int state = flow_state_find(f, record_text(r, f->state_field));
    if (state < 0)
        return lt_fail(err, LT_E_CORRUPT, f->state_field, f->kind, "state", NULL);
    if (!(m->from & (UINT32_C(1) << state)))
        return wrong_state(x, f, m, state, err);
    enum lt_err e = read_needs(x, m, body, set, &n, err);
    if (e == LT_OK) {
        n += flow_enter(x, f, m->to, limit_value(f, m->to, r), set + n);
        if (m->apply)
            e = m->apply(x, r, set, &n, err);
    }
    assert(n <= SETS_MAX);
    return e == LT_OK ? record_change(x, r->kind, r->id, r->version, m->name, set, n, err) : e;
}

enum lt_err flow_move(const struct record_ctx *x, const struct flow *f, int64_t id, struct lt_slice move,
                      const json_t *body, struct lt_error *err)
{
    const struct flow_move *m = move_find(f, move);
    const struct record_kind *k = record_kind_find(lt_slice_of(f->kind));
    if (!m) {
        char given[65];
        lt_text_copy_slice(given, sizeof given, move);
        return lt_fail(err, LT_E_NOT_FOUND, NULL, "move / 操作", given, NULL);
    }
    enum lt_err e = auth_need(x->who, m->permission, err);
    if (e == LT_OK)
        e = sql_begin(x->db, err); /* read and write under one lock: two people cannot both sign */
    if (e != LT_OK)
        return e;
    struct record_row r;
    e = record_load(x, k, id, &r, err);
    if (e == LT_OK) {
        e = move_row(x, f, m, &r, body, err);
        record_row_fini(&r);
    }
    return sql_end(x->db, e, err);
}

/* ---- overdue ---- */

static enum lt_err take_overdue(const struct record_ctx *x, const struct flow *f, int64_t id,
                                struct flow_overdue_event *ev, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(f->kind));
    struct record_row r;
    struct record_set set[12];
    size_t n = 0;
    enum lt_err e = record_load(x, k, id, &r, err);
    if (e != LT_OK)
        return e;
    int from = flow_state_find(f, record_text(&r, f->state_field));
    int64_t level = record_i64(&r, f->level_field, 0);
    if (from < 0) {
        record_row_fini(&r);
        return lt_fail(err, LT_E_CORRUPT, f->state_field, f->kind, "state", NULL);
    }
    bool raise = true;
    unsigned to = f->states[from].overdue ? f->states[from].overdue(&r, &raise, set, &n) : (unsigned)from;
    n += flow_enter(x, f, to, limit_value(f, to, &r), set + n);
    if (to == (unsigned)from && f->since_field) /* it waits on: since when does not change */
        set[n++] = RECORD_SET_I(f->since_field, record_i64(&r, f->since_field, x->now_ms));
    raise = raise && level < f->level_max;
    if (raise)
        set[n++] = RECORD_SET_I(f->level_field, level + 1);
    *ev = (struct flow_overdue_event){
        .id = id, .from = &f->states[from], .to = &f->states[to], .level = level + raise, .raised = raise};
    e = record_change(x, k, id, 0, raise ? "escalate" : "due", set, n, err);
    record_row_fini(&r);
    return e;
}

static enum lt_err collect(struct sql_db *db, const struct flow *f, int64_t now_ms, int64_t *ids, size_t *n,
                           struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(2048);
    struct sql_stmt *st = NULL;
    /* At the last level nothing more happens in a state that only raises: such a record stays overdue as it is. */
    lt_buf_addf(&text, "SELECT id FROM \"%s\" WHERE deleted = 0 AND \"%s\" <= ?1 AND (\"%s\" < ?2", f->kind,
                f->due_field, f->level_field);
    for (size_t i = 0; i < f->n_states; i++)
        if (f->states[i].overdue)
            lt_buf_addf(&text, " OR \"%s\" = ?%zu", f->state_field, i + 4);
    lt_buf_addf(&text, ") ORDER BY \"%s\", id LIMIT ?3", f->due_field);
    lt_buf_addc(&text, '\0');
    enum lt_err e = text.failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : sql_prepare(db, text.p, &st, err);
    lt_buf_fini(&text);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, now_ms);
    sql_bind_i64(st, 2, f->level_max);
    sql_bind_i64(st, 3, OVERDUE_BATCH);
    for (size_t i = 0; i < f->n_states; i++)
        if (f->states[i].overdue)
            sql_bind_str(st, (int)i + 4, f->states[i].name);
    bool row = true;
    *n = 0;
    while ((e = sql_step(st, &row, err)) == LT_OK && row)
        ids[(*n)++] = sql_col_i64(st, 0);
    sql_release(&st);
    return e;
}

enum lt_err flow_overdue(struct sql_db *db, const struct flow *f, int64_t now_ms, int tz_min,
                         void (*each)(void *user, const struct flow_overdue_event *e), void *user, bool *ret_more,
                         struct lt_error *err)
{
    int64_t ids[OVERDUE_BATCH];
    struct flow_overdue_event events[OVERDUE_BATCH];
    size_t n = 0;
    const struct auth_ctx who = auth_system("deadline");
    const struct record_ctx x = {.db = db, .who = &who, .now_ms = now_ms, .tz_min = tz_min};
    *ret_more = false;
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK)
        return e;
    e = collect(db, f, now_ms, ids, &n, err);
    for (size_t i = 0; e == LT_OK && i < n; i++)
        e = take_overdue(&x, f, ids[i], &events[i], err);
    e = sql_end(db, e, err);
    for (size_t i = 0; e == LT_OK && each && i < n; i++) /* told only what is durable */
        each(user, &events[i]);
    *ret_more = e == LT_OK && n == OVERDUE_BATCH;
    return e;
}

/* ---- descriptions ---- */

void flow_moves(const struct flow *f, const struct record_row *row, const struct auth_ctx *who, struct jsonw *w)
{
    int state = flow_state_find(f, record_text(row, f->state_field));
    jsonw_array(w);
    for (size_t i = 0; state >= 0 && i < f->n_moves; i++)
        if ((f->moves[i].from & (UINT32_C(1) << state)) && auth_may(who, f->moves[i].permission))
            jsonw_str(w, f->moves[i].name);
    jsonw_array_end(w);
}

static void meta_need(const struct flow_need *n, enum lt_lang lang, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "field", n->field);
    jsonw_kstr(w, "label", label(n->en, n->zh, lang));
    jsonw_kstr(w, "type", record_type_name(n->type));
    jsonw_kbool(w, "required", n->required);
    if (n->choices) {
        jsonw_key(w, "choices");
        jsonw_array(w);
        for (const struct record_choice *c = n->choices; c->value; c++) {
            jsonw_object(w);
            jsonw_kstr(w, "value", c->value);
            jsonw_kstr(w, "label", label(c->en, c->zh, lang));
            jsonw_object_end(w);
        }
        jsonw_array_end(w);
    }
    jsonw_object_end(w);
}

static void meta_move(const struct flow *f, const struct flow_move *m, enum lt_lang lang, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "name", m->name);
    jsonw_kstr(w, "label", label(m->en, m->zh, lang));
    jsonw_key(w, "from");
    jsonw_array(w);
    for (size_t s = 0; s < f->n_states; s++)
        if (m->from & (UINT32_C(1) << s))
            jsonw_str(w, f->states[s].name);
    jsonw_array_end(w);
    jsonw_kstr(w, "to", f->states[m->to].name);
    jsonw_key(w, "needs");
    jsonw_array(w);
    for (size_t i = 0; i < m->n_needs; i++)
        meta_need(&m->needs[i], lang, w);
    jsonw_array_end(w);
    jsonw_kstr(w, "permission", m->permission);
    jsonw_object_end(w);
}

void flow_meta(const struct flow *f, enum lt_lang lang, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_key(w, "states");
    jsonw_array(w);
    for (size_t i = 0; i < f->n_states; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "name", f->states[i].name);
        jsonw_kstr(w, "label", label(f->states[i].en, f->states[i].zh, lang));
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "moves");
    jsonw_array(w);
    for (size_t i = 0; i < f->n_moves; i++)
        meta_move(f, &f->moves[i], lang, w);
    jsonw_array_end(w);
    jsonw_object_end(w);
}

/* ---- the table itself ---- */

static const char *check_names(const struct flow *f, const struct record_kind *k)
{
    if (!record_field_find(k, lt_slice_of(f->state_field)) || !record_field_find(k, lt_slice_of(f->due_field)) ||
        !record_field_find(k, lt_slice_of(f->level_field)))
        return "a field of the flow is not declared";
    for (size_t i = 0; i < f->n_states; i++)
        if (flow_state_find(f, lt_slice_of(f->states[i].name)) != (int)i ||
            !record_choice_label(record_field_find(k, lt_slice_of(f->state_field)), lt_slice_of(f->states[i].name),
                                 LT_EN))
            return f->states[i].name;
    for (size_t i = 0; i < f->n_moves; i++)
        if (move_find(f, lt_slice_of(f->moves[i].name)) != &f->moves[i])
            return f->moves[i].name;
    return NULL;
}

const char *flow_check(const struct flow *f)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(f->kind));
    if (!k || f->n_states == 0 || f->n_states > FLOW_STATES_MAX)
        return "kind or states missing";
    const char *wrong = check_names(f, k);
    if (wrong)
        return wrong;
    uint32_t seen = 1, all = f->n_states == 32 ? UINT32_MAX : (UINT32_C(1) << f->n_states) - 1;
    for (size_t round = 0; round < f->n_states; round++)
        for (size_t i = 0; i < f->n_moves; i++) {
            const struct flow_move *m = &f->moves[i];
            if (m->to >= f->n_states || m->from == 0 || (m->from & ~all) || !m->permission ||
                m->n_needs > FLOW_NEEDS_MAX)
                return m->name;
            if (m->from & seen)
                seen |= UINT32_C(1) << m->to;
        }
    return seen == all ? NULL : "a state cannot be reached";
}
