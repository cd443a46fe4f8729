/* The JSON of a draw; see draw_file.h. */
#include "api/draw_file.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading ---- */

static struct lt_slice text_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return (struct lt_slice){json_string_value(v), json_string_length(v)};
}

enum member_type { TEXT, INTEGER, BOOLEAN, LIST, OBJECT };
struct member {
    const char *name;
    enum member_type type;
};

static bool is_type(const json_t *v, enum member_type t)
{
    switch (t) {
    case TEXT:
        return json_is_string(v);
    case INTEGER:
        return json_is_integer(v);
    case BOOLEAN:
        return json_is_boolean(v);
    case LIST:
        return json_is_array(v);
    case OBJECT:
        return json_is_object(v);
    }
    return false;
}

static enum lt_err bad_member(struct lt_error *err, enum lt_err code, const char *place, const char *name, size_t at)
{
    static const char *const wants = "text, whole number, true/false, list or object as in the page of the format";
    char full[96];
    if (at == SIZE_MAX)
        snprintf(full, sizeof full, "%s%s%s", place, *place ? "." : "", name);
    else
        snprintf(full, sizeof full, "%s[%zu].%s", place, at, name);
    return lt_fail(err, code, full, full, wants, NULL);
}

/* Exactly these members, each of its type. */
static enum lt_err members(const json_t *o, const struct member *m, size_t n, const char *place, size_t at,
                           struct lt_error *err)
{
    const char *key;
    const json_t *v;
    if (!json_is_object(o))
        return bad_member(err, LT_E_FIELD_TYPE, place, "", at);
    for (size_t i = 0; i < n; i++) {
        if (!(v = json_object_get(o, m[i].name)))
            return bad_member(err, LT_E_FIELD_REQUIRED, place, m[i].name, at);
        if (!is_type(v, m[i].type))
            return bad_member(err, LT_E_FIELD_TYPE, place, m[i].name, at);
    }
    if (json_object_size(o) == n)
        return LT_OK;
    for (void *it = json_object_iter((json_t *)(uintptr_t)o); it;
         it = json_object_iter_next((json_t *)(uintptr_t)o, it)) {
        bool known = false;
        key = json_object_iter_key(it);
        for (size_t i = 0; i < n; i++)
            known = known || strcmp(key, m[i].name) == 0;
        if (!known)
            return bad_member(err, LT_E_FIELD_UNKNOWN, place, key, at);
    }
    return LT_OK;
}

static int64_t int_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

/* Which of two words a member is; -1 none. */
static int word(const json_t *o, const char *name, const char *first, const char *second)
{
    struct lt_slice s = text_of(o, name);
    return lt_slice_is(s, first) ? 0 : lt_slice_is(s, second) ? 1 : -1;
}

static enum lt_err read_weight(struct draw_list *l, const json_t *o, size_t i, struct lt_error *err)
{
    static const struct member m[] = {{"by", TEXT}, {"value", TEXT}, {"weight", INTEGER}};
    enum lt_err e = members(o, m, 3, "weights", i, err);
    if (e)
        return e;
    int by = word(o, "by", "credit", "risk");
    if (by < 0)
        return lt_fail(err, LT_E_FIELD_CHOICE, "weights", "weights.by", json_string_value(json_object_get(o, "by")),
                       "credit, risk");
    l->weight[i] = (struct draw_weight){by ? DRAW_RISK : DRAW_CREDIT, text_of(o, "value"), int_of(o, "weight")};
    return LT_OK;
}

static enum lt_err read_quota(struct draw_list *l, const json_t *o, size_t i, struct lt_error *err)
{
    static const struct member m[] = {{"by", TEXT}, {"value", TEXT}, {"min", INTEGER}, {"max", INTEGER}};
    enum lt_err e = members(o, m, 4, "quotas", i, err);
    if (e)
        return e;
    int by = word(o, "by", "county", "industry");
    if (by < 0)
        return lt_fail(err, LT_E_FIELD_CHOICE, "quotas", "quotas.by", json_string_value(json_object_get(o, "by")),
                       "county, industry");
    l->quota[i] =
        (struct draw_quota){by ? DRAW_INDUSTRY : DRAW_COUNTY, text_of(o, "value"), int_of(o, "min"), int_of(o, "max")};
    return LT_OK;
}

static enum lt_err read_inspector(struct draw_list *l, const json_t *o, size_t i, struct lt_error *err)
{
    static const struct member m[] = {{"id", TEXT}, {"name", TEXT}, {"unit", TEXT}, {"county", TEXT}};
    enum lt_err e = members(o, m, 4, "inspectors", i, err);
    if (!e)
        l->inspector[i] =
            (struct draw_inspector){text_of(o, "id"), text_of(o, "name"), text_of(o, "unit"), text_of(o, "county")};
    return e;
}

static enum lt_err read_target(struct draw_list *l, const json_t *o, size_t i, struct lt_error *err)
{
    static const struct member m[] = {{"id", TEXT},       {"name", TEXT}, {"county", TEXT},
                                      {"industry", TEXT}, {"risk", TEXT}, {"credit", TEXT}};
    enum lt_err e = members(o, m, 6, "targets", i, err);
    if (!e)
        l->target[i] = (struct draw_target){.id = text_of(o, "id"),
                                            .name = text_of(o, "name"),
                                            .county = text_of(o, "county"),
                                            .industry = text_of(o, "industry"),
                                            .risk = text_of(o, "risk"),
                                            .credit = text_of(o, "credit")};
    return e;
}

static enum lt_err read_conflict(struct draw_list *l, const json_t *o, size_t i, struct lt_error *err)
{
    static const struct member m[] = {{"inspector", TEXT}, {"target", TEXT}, {"why", TEXT}};
    enum lt_err e = members(o, m, 3, "conflicts", i, err);
    if (!e)
        l->conflict[i] = (struct draw_conflict){text_of(o, "inspector"), text_of(o, "target"), text_of(o, "why")};
    return e;
}

enum lt_err draw_fault_error(const struct draw_fault *f, struct lt_error *err)
{
    char value[128], need[24], have[24];
    lt_text_copy_slice(value, sizeof value, f->value);
    snprintf(need, sizeof need, "%" PRId64, f->need);
    snprintf(have, sizeof have, "%" PRId64, f->have);
    const char *group = strcmp(f->part, "county") == 0 ? "county / 区县" : "industry / 行业";
    switch (f->code) {
    case DRAW_OK:
        return LT_OK;
    case DRAW_E_NOMEM:
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    case DRAW_E_MANY:
        return lt_fail(err, LT_E_LIMIT_SIZE, f->part, f->part, need, NULL);
    case DRAW_E_TEXT:
        return lt_fail(err, LT_E_FIELD_FORMAT, f->part, f->part, value, "docs/FORMATS-draw.md");
    case DRAW_E_NUMBER:
        return lt_fail(err, LT_E_FIELD_RANGE, f->part, f->part, strcmp(f->part, "quotas") == 0 ? "0 ≤ min ≤ max" : "1",
                       need);
    case DRAW_E_TWICE:
        return lt_fail(err, LT_E_DUPLICATE, f->part, f->part, value, NULL);
    case DRAW_E_UNKNOWN:
        return lt_fail(err, LT_E_REF_MISSING, f->part, f->part, "entry / 条目", value);
    case DRAW_E_WEIGHT:
        return lt_fail(err, LT_E_DRAW_WEIGHT, f->part, strcmp(f->part, "risk") == 0 ? "risk / 风险" : "credit / 信用",
                       value, NULL);
    case DRAW_E_PICK:
        return lt_fail(err, LT_E_DRAW_PICK, "pick", need, have, NULL);
    case DRAW_E_TEAM:
        return lt_fail(err, LT_E_DRAW_TEAM, "inspectors", value, have, need);
    case DRAW_E_QUOTA_MIN:
        return lt_fail(err, LT_E_DRAW_QUOTA_MIN, "quotas", value, need, have);
    case DRAW_E_QUOTA_SUM:
        return lt_fail(err, LT_E_DRAW_QUOTA_SUM, "quotas", group, need, have);
    case DRAW_E_QUOTA_MAX:
        return lt_fail(err, LT_E_DRAW_QUOTA_MAX, "quotas", group, need, have);
    case DRAW_E_QUOTA:
        return lt_fail(err, LT_E_DRAW_QUOTA, "quotas", NULL, NULL, NULL);
    case DRAW_E_VALUE:
        return lt_fail(err, LT_E_FIELD_LENGTH, "public_value", "public_value", need, NULL);
    }
    return lt_fail(err, LT_E_INTERNAL, NULL, "draw", NULL, NULL);
}

/* Room for n entries, at least one so that NULL means no memory. */
static void *room(size_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

/* The five lists: room for each, and how one entry is read. */
static enum lt_err read_lists(struct draw_list *l, const json_t *o, struct lt_error *err)
{
    static const struct {
        const char *name;
        size_t most;
        enum lt_err (*read)(struct draw_list *, const json_t *, size_t, struct lt_error *);
    } part[] = {{"weights", DRAW_WEIGHTS_MAX, read_weight},
                {"quotas", DRAW_QUOTAS_MAX, read_quota},
                {"inspectors", DRAW_INSPECTORS_MAX, read_inspector},
                {"targets", DRAW_TARGETS_MAX, read_target},
                {"conflicts", DRAW_CONFLICTS_MAX, read_conflict}};
    size_t n[5];
    for (size_t p = 0; p < 5; p++) {
        n[p] = json_array_size(json_object_get(o, part[p].name));
        if (n[p] > part[p].most)
            return draw_fault_error(
                &(struct draw_fault){
                    .code = DRAW_E_MANY, .part = part[p].name, .need = (int64_t)part[p].most, .have = (int64_t)n[p]},
                err);
    }
    l->weight = room(l->n_weight = n[0], sizeof *l->weight);
    l->quota = room(l->n_quota = n[1], sizeof *l->quota);
    l->inspector = room(l->n_inspector = n[2], sizeof *l->inspector);
    l->target = room(l->n_target = n[3], sizeof *l->target);
    l->conflict = room(l->n_conflict = n[4], sizeof *l->conflict);
    if (!l->weight || !l->quota || !l->inspector || !l->target || !l->conflict)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t p = 0; p < 5; p++)
        for (size_t i = 0; i < n[p]; i++) {
            enum lt_err e = part[p].read(l, json_array_get(json_object_get(o, part[p].name), i), i, err);
            if (e)
                return e;
        }
    return LT_OK;
}

void draw_owned_fini(struct draw_owned *o)
{
    free(o->l.weight);
    free(o->l.quota);
    free(o->l.inspector);
    free(o->l.target);
    free(o->l.conflict);
    json_decref(o->tree);
    *o = (struct draw_owned){0};
}

enum lt_err draw_list_of(const json_t *o, struct draw_owned *ret, struct lt_error *err)
{
    static const struct member m[] = {{"format", TEXT},     {"version", INTEGER}, {"name", TEXT},
                                      {"pick", INTEGER},    {"team", INTEGER},    {"avoid_own_county", BOOLEAN},
                                      {"public", TEXT},     {"weights", LIST},    {"quotas", LIST},
                                      {"inspectors", LIST}, {"targets", LIST},    {"conflicts", LIST}};
    struct draw_fault f;
    enum lt_err e = members(o, m, sizeof m / sizeof m[0], "", SIZE_MAX, err);
    if (!e && (!lt_slice_is(text_of(o, "format"), "lantian-draw-list") || int_of(o, "version") != 1))
        e = lt_fail(err, LT_E_FIELD_CHOICE, "format", "format, version",
                    json_string_value(json_object_get(o, "format")), "lantian-draw-list 1");
    if (e)
        return e;
    struct draw_list *l = &ret->l;
    *l = (struct draw_list){.name = text_of(o, "name"),
                            .public_source = text_of(o, "public"),
                            .pick = int_of(o, "pick"),
                            .team = int_of(o, "team"),
                            .avoid_own_county = json_is_true(json_object_get(o, "avoid_own_county"))};
    if ((e = read_lists(l, o, err)))
        return e;
    return draw_check(l, &f) ? draw_fault_error(&f, err) : LT_OK;
}

enum lt_err draw_list_read(struct lt_slice text, struct draw_owned *ret, struct lt_error *err)
{
    *ret = (struct draw_owned){0};
    enum lt_err e = jsonr_object(text, DRAW_FILE_MAX, &ret->tree, err);
    if (!e)
        e = draw_list_of(ret->tree, ret, err);
    if (e)
        draw_owned_fini(ret);
    return e;
}

/* ---- writing ---- */

static void write_tables(const struct draw_list *l, struct jsonw *w)
{
    jsonw_key(w, "weights");
    jsonw_array(w);
    for (size_t i = 0; i < l->n_weight; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "by", draw_class_name(l->weight[i].by));
        jsonw_kslice(w, "value", l->weight[i].value);
        jsonw_ki64(w, "weight", l->weight[i].weight);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "quotas");
    jsonw_array(w);
    for (size_t i = 0; i < l->n_quota; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "by", draw_group_name(l->quota[i].by));
        jsonw_kslice(w, "value", l->quota[i].value);
        jsonw_ki64(w, "min", l->quota[i].min);
        jsonw_ki64(w, "max", l->quota[i].max);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void write_people(const struct draw_list *l, struct jsonw *w)
{
    jsonw_key(w, "inspectors");
    jsonw_array(w);
    for (size_t i = 0; i < l->n_inspector; i++) {
        const struct draw_inspector *p = &l->inspector[i];
        jsonw_object(w);
        jsonw_kslice(w, "id", p->id);
        jsonw_kslice(w, "name", p->name);
        jsonw_kslice(w, "unit", p->unit);
        jsonw_kslice(w, "county", p->county);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "targets");
    jsonw_array(w);
    for (size_t i = 0; i < l->n_target; i++) {
        const struct draw_target *t = &l->target[i];
        jsonw_object(w);
        jsonw_kslice(w, "id", t->id);
        jsonw_kslice(w, "name", t->name);
        jsonw_kslice(w, "county", t->county);
        jsonw_kslice(w, "industry", t->industry);
        jsonw_kslice(w, "risk", t->risk);
        jsonw_kslice(w, "credit", t->credit);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "conflicts");
    jsonw_array(w);
    for (size_t i = 0; i < l->n_conflict; i++) {
        const struct draw_conflict *c = &l->conflict[i];
        jsonw_object(w);
        jsonw_kslice(w, "inspector", c->inspector);
        jsonw_kslice(w, "target", c->target);
        jsonw_kslice(w, "why", c->why);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

void draw_list_write(const struct draw_list *l, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "format", "lantian-draw-list");
    jsonw_ki64(w, "version", 1);
    jsonw_kslice(w, "name", l->name);
    jsonw_ki64(w, "pick", l->pick);
    jsonw_ki64(w, "team", l->team);
    jsonw_kbool(w, "avoid_own_county", l->avoid_own_county);
    jsonw_kslice(w, "public", l->public_source);
    write_tables(l, w);
    write_people(l, w);
    jsonw_object_end(w);
}

static void write_result(const struct draw_list *l, const struct draw_result *r, struct jsonw *w)
{
    uint8_t hash[DRAW_HASH] = {0};
    char hex[2 * DRAW_HASH + 1];
    if (!draw_result_hash(l, r, hash))
        w->out->failed = true; /* no memory: the answer fails as a whole */
    lt_text_hex(hash, DRAW_HASH, hex);
    jsonw_object(w);
    jsonw_kstr(w, "sha256", hex);
    jsonw_key(w, "drawn");
    jsonw_array(w);
    for (size_t i = 0; i < r->n; i++) {
        jsonw_object(w);
        jsonw_ku64(w, "n", i + 1);
        jsonw_kslice(w, "target", l->target[r->pick[i].target].id);
        jsonw_ku64(w, "weight", r->pick[i].weight);
        jsonw_key(w, "team");
        jsonw_array(w);
        for (int64_t s = 0; s < l->team; s++)
            jsonw_slice(w, l->inspector[r->pick[i].team[s]].id);
        jsonw_array_end(w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
}

void draw_file_write(const struct draw_list *l, struct lt_slice commitment, const uint8_t *seed,
                     struct lt_slice public_value, const struct draw_result *r, struct jsonw *w)
{
    char hex[2 * DRAW_SEED + 1];
    jsonw_object(w);
    jsonw_kstr(w, "format", "lantian-draw");
    jsonw_ki64(w, "version", 1);
    jsonw_kslice(w, "commitment", commitment);
    if (seed) {
        lt_text_hex(seed, DRAW_SEED, hex);
        jsonw_key(w, "list");
        draw_list_write(l, w);
        jsonw_kstr(w, "seed", hex);
        jsonw_kslice(w, "public_value", public_value);
        jsonw_key(w, "result");
        write_result(l, r, w);
    }
    jsonw_object_end(w);
}
