/* The random draw in the post: the list made from the register, and the commitment to it. */
#include "api/api_draw_priv.h"

#include "base/text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define LIST_BYTES  DRAW_FILE_MAX
#define FILTERS_MAX 32 /* industries and units one request can name: there are 15 industries */
#define RISK_DAYS   180
#define RISK_HIGH   5
#define RISK_MEDIUM 1
#define RISK_MAX    100000

enum lt_err draw_tables(struct sql_db *db, struct lt_error *err)
{
    static const struct sql_migration steps[] = {
        {1, "CREATE TABLE draw_file(draw INTEGER PRIMARY KEY, list TEXT NOT NULL, seed BLOB NOT NULL);"
            "CREATE TABLE draw_team(draw INTEGER NOT NULL, n INTEGER NOT NULL, seat INTEGER NOT NULL,"
            " enterprise INTEGER NOT NULL, person INTEGER NOT NULL, PRIMARY KEY(draw, n, seat));"
            "CREATE INDEX draw_team_person ON draw_team(person)"},
    };
    return sql_migrate(db, "draw", steps, sizeof steps / sizeof steps[0], err);
}

/* ---- what a request asks for ---- */

struct wish {
    struct lt_slice name, public_source, note;
    int64_t pick, team, territory, risk_days, risk_high, risk_medium;
    bool avoid;
    const json_t *industry, *grade, *units, *quotas;
};

/* A list of texts or numbers; absent is NULL. */
static enum lt_err list_member(const json_t *o, const char *name, size_t most, const json_t **ret, struct lt_error *err)
{
    const json_t *v = json_object_get(o, name);
    char max[24];
    *ret = NULL;
    if (!v || json_is_null(v))
        return LT_OK;
    if (!json_is_array(v))
        return lt_fail(err, LT_E_FIELD_TYPE, name, name, "list / 列表", NULL);
    snprintf(max, sizeof max, "%zu", most);
    if (json_array_size(v) > most)
        return lt_fail(err, LT_E_LIMIT_SIZE, name, name, max, NULL);
    *ret = json_array_size(v) ? v : NULL;
    return LT_OK;
}

static enum lt_err read_wish(struct api_call *c, struct wish *w, struct lt_error *err)
{
    static const char *const names[] = {"name",   "public_source", "pick",      "team",        "territory",
                                        "note",   "industry",      "grade",     "units",       "avoid_own_county",
                                        "quotas", "risk_days",     "risk_high", "risk_medium", NULL};
    *w = (struct wish){
        .team = 2, .avoid = true, .risk_days = RISK_DAYS, .risk_high = RISK_HIGH, .risk_medium = RISK_MEDIUM};
    const json_t *b = c->body;
    enum lt_err e = jsonr_only(c->body, names, err);
    if (e || (e = jsonr_str(b, "name", true, 128, &w->name, err)) ||
        (e = jsonr_str(b, "public_source", true, 160, &w->public_source, err)) ||
        (e = jsonr_str(b, "note", false, 1000, &w->note, err)) ||
        (e = jsonr_i64(b, "pick", true, 1, DRAW_PICK_MAX, &w->pick, err)) ||
        (e = jsonr_i64(b, "team", false, 1, DRAW_TEAM_MAX, &w->team, err)) ||
        (e = jsonr_i64(b, "territory", false, 1, INT64_MAX, &w->territory, err)) ||
        (e = jsonr_i64(b, "risk_days", false, 1, 3660, &w->risk_days, err)) ||
        (e = jsonr_i64(b, "risk_high", false, 1, RISK_MAX, &w->risk_high, err)) ||
        (e = jsonr_i64(b, "risk_medium", false, 1, RISK_MAX, &w->risk_medium, err)) ||
        (e = jsonr_bool(b, "avoid_own_county", false, &w->avoid, err)) ||
        (e = list_member(b, "industry", FILTERS_MAX, &w->industry, err)) ||
        (e = list_member(b, "grade", FILTERS_MAX, &w->grade, err)) ||
        (e = list_member(b, "units", FILTERS_MAX, &w->units, err)))
        return e;
    return list_member(b, "quotas", DRAW_QUOTAS_MAX, &w->quotas, err);
}

static bool has_text(const json_t *list, struct lt_slice s)
{
    bool found = !list;
    for (size_t i = 0; list && i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        found = found ||
                (json_is_string(v) && lt_slice_eq((struct lt_slice){json_string_value(v), json_string_length(v)}, s));
    }
    return found;
}

static bool has_number(const json_t *list, int64_t n)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_integer(json_array_get(list, i)) && json_integer_value(json_array_get(list, i)) == n)
            return true;
    return false;
}

/* ---- where something lies ---- */

/* The county a territory belongs to (itself, or the one above a township); NULL for a city or province. */
const struct topo_territory *draw_county(const struct topo *t, int64_t id)
{
    for (int depth = 0; depth < 16; depth++) {
        const struct topo_territory *x = topo_territory(t, id);
        if (!x || strcmp(x->level, "county") == 0)
            return x;
        id = x->parent;
    }
    return NULL;
}

static bool within(const struct topo *t, int64_t id, int64_t scope)
{
    for (int depth = 0; id && depth < 16; depth++) {
        const struct topo_territory *x = topo_territory(t, id);
        if (id == scope)
            return true;
        id = x ? x->parent : 0;
    }
    return false;
}

/* Where the draw is made: the named territory, the caller's own, or the one nothing lies above. */
static enum lt_err scope_of(const struct api_call *c, const struct topo *t, int64_t *scope, struct lt_error *err)
{
    char mem[24];
    if (!*scope)
        *scope = c->who.territory;
    for (size_t i = 0; !*scope && i < t->n_territory; i++)
        if (!t->territory[i].parent)
            *scope = t->territory[i].id;
    struct lt_slice n = api_number(*scope, mem);
    if (!topo_territory(t, *scope))
        return lt_fail(err, LT_E_REF_MISSING, "territory", "territory", "territory / 辖区", n.p);
    return topo_sees(t, &c->who, *scope, 0) ? LT_OK : lt_fail(err, LT_E_DENIED_TERRITORY, "territory", n.p, NULL, NULL);
}

/* ---- the list from the register ---- */

static void write_id(struct jsonw *w, const char *key, char kind, int64_t id)
{
    char text[32];
    snprintf(text, sizeof text, "%c%" PRId64, kind, id);
    jsonw_kstr(w, key, text);
}

static enum lt_err write_weights(struct sql_db *db, struct jsonw *w, struct lt_error *err)
{
    static const struct {
        const char *by, *value;
        int64_t weight;
    } built_in[] = {{"risk", "high", 4}, {"risk", "medium", 2}, {"risk", "low", 1}, {"credit", "D", 4},
                    {"credit", "C", 3},  {"credit", "none", 3}, {"credit", "B", 2}, {"credit", "A", 1}};
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(
        db, "SELECT weight FROM draw_weight WHERE deleted = 0 AND \"class\" = ?1 AND value = ?2 ORDER BY id DESC", &st,
        err);
    jsonw_key(w, "weights");
    jsonw_array(w);
    for (size_t i = 0; !e && i < sizeof built_in / sizeof built_in[0]; i++) {
        sql_bind_str(st, 1, built_in[i].by);
        sql_bind_str(st, 2, built_in[i].value);
        if (!(e = sql_step(st, &row, err))) {
            jsonw_object(w);
            jsonw_kstr(w, "by", built_in[i].by);
            jsonw_kstr(w, "value", built_in[i].value);
            jsonw_ki64(w, "weight", row ? sql_col_i64(st, 0) : built_in[i].weight);
            jsonw_object_end(w);
        }
        sql_rewind(st);
    }
    sql_release(&st);
    jsonw_array_end(w);
    return e;
}

/* Risk: alarms of the last days that were urgent or important and not found false. Credit: the performance grade. */
static const char targets_sql[] =
    "SELECT e.id, e.name, e.industry, e.grade, e.territory, coalesce(a.n, 0) FROM enterprise e LEFT JOIN"
    " (SELECT enterprise, count(*) AS n FROM alarm WHERE deleted = 0 AND enterprise IS NOT NULL AND first_at_ms >= ?1"
    "  AND severity IN ('urgent', 'important') AND outcome NOT IN ('false', 'device_fault') GROUP BY enterprise) a"
    " ON a.enterprise = e.id WHERE e.deleted = 0 AND e.status <> 'closed' ORDER BY e.id";

static enum lt_err write_targets(const struct api_call *c, const struct topo *t, const struct wish *q, struct jsonw *w,
                                 struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(c->t->db, targets_sql, &st, err);
    if (e)
        return e;
    sql_bind_i64(st, 1, c->now_ms - q->risk_days * LT_DAY_MS);
    jsonw_key(w, "targets");
    jsonw_array(w);
    while (!(e = sql_step(st, &row, err)) && row) {
        int64_t id = sql_col_i64(st, 0), territory = sql_col_i64(st, 4), alarms = sql_col_i64(st, 5);
        const struct topo_territory *county = draw_county(t, territory);
        struct lt_slice grade = sql_col_text(st, 3);
        if (!county || !within(t, territory, q->territory) || !topo_sees(t, &c->who, territory, id) ||
            !has_text(q->industry, sql_col_text(st, 2)) || !has_text(q->grade, grade.n ? grade : LT_LIT("none")))
            continue;
        jsonw_object(w);
        write_id(w, "id", 'E', id);
        jsonw_kslice(w, "name", sql_col_text(st, 1));
        jsonw_kstr(w, "county", county->code);
        jsonw_kslice(w, "industry", sql_col_text(st, 2));
        jsonw_kstr(w, "risk", alarms >= q->risk_high ? "high" : alarms >= q->risk_medium ? "medium" : "low");
        jsonw_kslice(w, "credit", grade.n ? grade : LT_LIT("none"));
        jsonw_object_end(w);
    }
    sql_release(&st);
    jsonw_array_end(w);
    return e;
}

static enum lt_err write_inspectors(const struct api_call *c, const struct topo *t, const struct wish *q,
                                    struct jsonw *w, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(c->t->db,
                                "SELECT p.id, p.name, u.name, coalesce(u.territory, 0), u.id, u.type = 'team'"
                                " FROM person p JOIN unit u ON u.id = p.unit WHERE p.deleted = 0 AND u.deleted = 0"
                                " ORDER BY p.id",
                                &st, err);
    if (e)
        return e;
    jsonw_key(w, "inspectors");
    jsonw_array(w);
    while (!(e = sql_step(st, &row, err)) && row) {
        const struct topo_territory *county = draw_county(t, sql_col_i64(st, 3));
        if (q->units ? !has_number(q->units, sql_col_i64(st, 4)) : !sql_col_i64(st, 5))
            continue;
        jsonw_object(w);
        write_id(w, "id", 'P', sql_col_i64(st, 0));
        jsonw_kslice(w, "name", sql_col_text(st, 1));
        jsonw_kslice(w, "unit", sql_col_text(st, 2));
        jsonw_kstr(w, "county", county ? county->code : "");
        jsonw_object_end(w);
    }
    sql_release(&st);
    jsonw_array_end(w);
    return e;
}

/* Conflicts between people and plants that are both in the lists just written. */
static enum lt_err write_conflicts(const struct api_call *c, const struct wish *q, struct jsonw *w,
                                   struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e =
        sql_prepare(c->t->db,
                    "SELECT d.person, d.enterprise, min(d.why), e.industry, coalesce(e.grade, 'none'), u.id,"
                    " u.type = 'team', e.territory FROM draw_conflict d JOIN enterprise e ON"
                    " e.id = d.enterprise JOIN person p ON p.id = d.person JOIN unit u ON u.id = p.unit"
                    " WHERE d.deleted = 0 AND e.deleted = 0 AND e.status <> 'closed' AND p.deleted = 0"
                    " AND u.deleted = 0 GROUP BY d.person, d.enterprise",
                    &st, err);
    if (e)
        return e;
    struct topo *t = desk_topo(c->a);
    jsonw_key(w, "conflicts");
    jsonw_array(w);
    while (!(e = sql_step(st, &row, err)) && row) {
        int64_t territory = sql_col_i64(st, 7);
        if (!draw_county(t, territory) || !within(t, territory, q->territory) ||
            !topo_sees(t, &c->who, territory, sql_col_i64(st, 1)) || !has_text(q->industry, sql_col_text(st, 3)) ||
            !has_text(q->grade, sql_col_text(st, 4)) ||
            (q->units ? !has_number(q->units, sql_col_i64(st, 5)) : !sql_col_i64(st, 6)))
            continue;
        jsonw_object(w);
        write_id(w, "inspector", 'P', sql_col_i64(st, 0));
        write_id(w, "target", 'E', sql_col_i64(st, 1));
        jsonw_kslice(w, "why", sql_col_text(st, 2));
        jsonw_object_end(w);
    }
    topo_unref(t);
    sql_release(&st);
    jsonw_array_end(w);
    return e;
}

static enum lt_err make_list(const struct api_call *c, struct wish *q, struct lt_buf *out, struct lt_error *err)
{
    struct topo *t = desk_topo(c->a);
    struct jsonw w;
    enum lt_err e = scope_of(c, t, &q->territory, err);
    if (e) {
        topo_unref(t);
        return e;
    }
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "format", "lantian-draw-list");
    jsonw_ki64(&w, "version", 1);
    jsonw_kslice(&w, "name", q->name);
    jsonw_ki64(&w, "pick", q->pick);
    jsonw_ki64(&w, "team", q->team);
    jsonw_kbool(&w, "avoid_own_county", q->avoid);
    jsonw_kslice(&w, "public", q->public_source);
    jsonw_key(&w, "quotas");
    if (q->quotas) {
        jsonw_tree(&w, q->quotas);
    } else {
        jsonw_array(&w);
        jsonw_array_end(&w);
    }
    if (!(e = write_weights(c->t->db, &w, err)) && !(e = write_targets(c, t, q, &w, err)) &&
        !(e = write_inspectors(c, t, q, &w, err)) && !(e = write_conflicts(c, q, &w, err))) {
        jsonw_object_end(&w);
        if (!jsonw_ok(&w))
            e = lt_fail(err, LT_E_LIMIT_SIZE, "targets", "targets", "10000", NULL);
    }
    topo_unref(t);
    return e;
}

/* ---- commit ---- */

const char *draw_county_name(const struct topo *t, struct lt_slice code, enum lt_lang lang)
{
    for (size_t i = 0; i < t->n_territory; i++)
        if (lt_slice_is(code, t->territory[i].code))
            return lang == LT_EN && t->territory[i].name_en[0] ? t->territory[i].name_en : t->territory[i].name;
    return "";
}

const char *draw_industry_name(struct lt_slice value, enum lt_lang lang)
{
    const struct record_kind *k = api_kind("enterprise");
    const char *label = record_choice_label(record_field_find(k, LT_LIT("industry")), value, lang);
    return label ? label : "";
}

/* How many targets of each group there are: what quotas are set by. */
static void write_groups(struct api_call *c, const struct draw_list *l, enum draw_group by)
{
    struct topo *t = desk_topo(c->a);
    jsonw_key(&c->w, by == DRAW_COUNTY ? "counties" : "industries");
    jsonw_array(&c->w);
    for (size_t g = 0; g < DRAW_GROUPS_MAX; g++) { /* draw_check() numbered the groups */
        struct lt_slice value = LT_LIT("");
        int64_t n = 0;
        for (size_t i = 0; i < l->n_target; i++) {
            const struct draw_target *x = &l->target[i];
            if ((by == DRAW_COUNTY ? x->row : x->col) != g)
                continue;
            value = by == DRAW_COUNTY ? x->county : x->industry;
            n++;
        }
        if (!n)
            break;
        jsonw_object(&c->w);
        jsonw_kslice(&c->w, "value", value);
        jsonw_kstr(&c->w, "name",
                   by == DRAW_COUNTY ? draw_county_name(t, value, c->who.lang)
                                     : draw_industry_name(value, c->who.lang));
        jsonw_ki64(&c->w, "targets", n);
        jsonw_object_end(&c->w);
    }
    jsonw_array_end(&c->w);
    topo_unref(t);
}

static void write_classes(struct api_call *c, const struct draw_list *l, enum draw_class by)
{
    jsonw_key(&c->w, draw_class_name(by));
    jsonw_array(&c->w);
    for (size_t i = 0; i < l->n_weight; i++) {
        int64_t n = 0;
        if (l->weight[i].by != by)
            continue;
        for (size_t k = 0; k < l->n_target; k++)
            n += lt_slice_eq(by == DRAW_RISK ? l->target[k].risk : l->target[k].credit, l->weight[i].value);
        jsonw_object(&c->w);
        jsonw_kslice(&c->w, "value", l->weight[i].value);
        jsonw_ki64(&c->w, "targets", n);
        jsonw_ki64(&c->w, "weight", l->weight[i].weight);
        jsonw_object_end(&c->w);
    }
    jsonw_array_end(&c->w);
}

static void write_preview(struct api_call *c, const struct draw_list *l)
{
    jsonw_object(&c->w);
    jsonw_ku64(&c->w, "targets", l->n_target);
    jsonw_ku64(&c->w, "inspectors", l->n_inspector);
    jsonw_ku64(&c->w, "conflicts", l->n_conflict);
    write_groups(c, l, DRAW_COUNTY);
    write_groups(c, l, DRAW_INDUSTRY);
    write_classes(c, l, DRAW_RISK);
    write_classes(c, l, DRAW_CREDIT);
    jsonw_object_end(&c->w);
}

static enum lt_err keep(struct api_call *c, int64_t id, struct lt_slice list, const uint8_t seed[DRAW_SEED],
                        struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(c->t->db, "INSERT INTO draw_file(draw, list, seed) VALUES(?1, ?2, ?3)", &st, err);
    if (e)
        return e;
    sql_bind_i64(st, 1, id);
    sql_bind_text(st, 2, list);
    sql_bind_blob(st, 3, seed, DRAW_SEED);
    return sql_run(st, err);
}

static enum lt_err commit(struct api_call *c, const struct wish *q, const struct draw_list *l, struct lt_slice text,
                          int64_t *ret_id, struct lt_buf *ret_line, struct lt_error *err)
{
    uint8_t seed[DRAW_SEED], hash[2][DRAW_HASH];
    char hex[2][2 * DRAW_HASH + 1];
    if (!draw_list_hash(l, hash[0]))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    randombytes_buf(seed, sizeof seed);
    draw_seed_hash(seed, hash[1]);
    lt_text_hex(hash[0], DRAW_HASH, hex[0]);
    lt_text_hex(hash[1], DRAW_HASH, hex[1]);
    draw_commitment(hash[0], hash[1], q->public_source, ret_line);
    const struct record_set set[] = {RECORD_SET_S("name", q->name),
                                     RECORD_SET_I("territory", q->territory),
                                     RECORD_SET_Z("state", "committed"),
                                     RECORD_SET_I("pick", q->pick),
                                     RECORD_SET_I("team", q->team),
                                     RECORD_SET_I("targets", (int64_t)l->n_target),
                                     RECORD_SET_I("inspectors", (int64_t)l->n_inspector),
                                     RECORD_SET_S("public_source", q->public_source),
                                     RECORD_SET_Z("list_sha256", hex[0]),
                                     RECORD_SET_Z("seed_sha256", hex[1]),
                                     RECORD_SET_I("committed_at", c->now_ms),
                                     RECORD_SET_Z("author", c->who.name),
                                     RECORD_SET_S("note", q->note)};
    enum lt_err e = draw_tables(c->t->db, err);
    if (e || (e = sql_begin(c->t->db, err)))
        return e;
    e = record_insert(&c->x, api_kind("draw"), set, sizeof set / sizeof set[0], ret_id, err);
    if (!e)
        e = keep(c, *ret_id, text, seed, err);
    sodium_memzero(seed, sizeof seed);
    return sql_end(c->t->db, e, err);
}

HANDLER(draw_create)
{
    struct wish q;
    struct draw_owned list = {0};
    int64_t dry = 0, id = 0;
    struct lt_buf text = LT_BUF_INIT(LIST_BYTES), line = LT_BUF_INIT(LINE_BYTES);
    enum lt_err e = api_body(c, err);
    if (e || (e = api_query_i64(c, "dry_run", 0, 1, &dry, err)) || (e = read_wish(c, &q, err)))
        return e;
    if (!(e = make_list(c, &q, &text, err)))
        e = draw_list_read(lt_buf_slice(&text), &list, err);
    if (!e && dry) {
        write_preview(c, &list.l);
    } else if (!e && !(e = commit(c, &q, &list.l, lt_buf_slice(&text), &id, &line, err))) {
        c->res->status = 201;
        jsonw_object(&c->w);
        jsonw_key(&c->w, "draw");
        e = record_json(&c->x, api_kind("draw"), id, NULL, NULL, &c->w, err);
    }
    if (!e && !dry) {
        jsonw_kslice(&c->w, "line", lt_buf_slice(&line));
        jsonw_object_end(&c->w);
    }
    draw_owned_fini(&list);
    lt_buf_fini(&text);
    lt_buf_fini(&line);
    return e;
}
