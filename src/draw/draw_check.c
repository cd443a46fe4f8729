/* Judges a list before anything is committed to: forms, order, references, weights, free inspectors, quotas. */
#include "base/text.h"
#include "draw/draw_priv.h"

#include <stdlib.h>

/* ---- order: by bytes, a prefix first ---- */

static int by_bytes(struct lt_slice a, struct lt_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;
    return d ? d : (a.n > b.n) - (a.n < b.n);
}

static int weight_order(const void *x, const void *y)
{
    const struct draw_weight *a = x, *b = y;
    return a->by != b->by ? (a->by > b->by) - (a->by < b->by) : by_bytes(a->value, b->value);
}

static int quota_order(const void *x, const void *y)
{
    const struct draw_quota *a = x, *b = y;
    return a->by != b->by ? (a->by > b->by) - (a->by < b->by) : by_bytes(a->value, b->value);
}

static int inspector_order(const void *x, const void *y)
{
    return by_bytes(((const struct draw_inspector *)x)->id, ((const struct draw_inspector *)y)->id);
}

static int target_order(const void *x, const void *y)
{
    return by_bytes(((const struct draw_target *)x)->id, ((const struct draw_target *)y)->id);
}

static int conflict_order(const void *x, const void *y)
{
    const struct draw_conflict *a = x, *b = y;
    int d = by_bytes(a->inspector, b->inspector);
    return d ? d : by_bytes(a->target, b->target);
}

static void sort(void *p, size_t n, size_t size, int (*order)(const void *, const void *))
{
    if (n > 1)
        qsort(p, n, size, order);
}

/* The first element equal to the one before it; n when there is none. */
static size_t twice(const void *p, size_t n, size_t size, int (*order)(const void *, const void *))
{
    for (size_t i = 1; i < n; i++)
        if (order((const char *)p + (i - 1) * size, (const char *)p + i * size) == 0)
            return i;
    return n;
}

size_t draw_find_target(const struct draw_list *l, struct lt_slice id)
{
    struct draw_target key = {.id = id};
    const struct draw_target *t = l->n_target ? bsearch(&key, l->target, l->n_target, sizeof key, target_order) : NULL;
    return t ? (size_t)(t - l->target) : SIZE_MAX;
}

size_t draw_find_inspector(const struct draw_list *l, struct lt_slice id)
{
    struct draw_inspector key = {.id = id};
    const struct draw_inspector *i =
        l->n_inspector ? bsearch(&key, l->inspector, l->n_inspector, sizeof key, inspector_order) : NULL;
    return i ? (size_t)(i - l->inspector) : SIZE_MAX;
}

bool draw_free(const struct draw_list *l, size_t inspector, size_t target)
{
    const struct draw_inspector *i = &l->inspector[inspector];
    const struct draw_target *t = &l->target[target];
    struct draw_conflict key = {.inspector = i->id, .target = t->id};
    if (l->avoid_own_county && lt_slice_eq(i->county, t->county))
        return false;
    return l->n_conflict == 0 || !bsearch(&key, l->conflict, l->n_conflict, sizeof key, conflict_order);
}

/* ---- forms ---- */

static enum draw_err fail(struct draw_fault *f, enum draw_err code, const char *part, struct lt_slice value,
                          int64_t need, int64_t have)
{
    if (f)
        *f = (struct draw_fault){code, part, value, need, have};
    return code;
}

static bool text_ok(struct lt_slice s, size_t least, size_t most)
{
    if (s.n < least || s.n > most || !lt_text_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7F)
            return false;
    return true;
}

static bool id_ok(struct lt_slice s)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return false;
    return s.n >= 1 && s.n <= DRAW_ID_MAX;
}

static enum draw_err amounts(const struct draw_list *l, struct draw_fault *f)
{
    const struct {
        const char *part;
        size_t n, most;
    } part[] = {{"weights", l->n_weight, DRAW_WEIGHTS_MAX},
                {"quotas", l->n_quota, DRAW_QUOTAS_MAX},
                {"inspectors", l->n_inspector, DRAW_INSPECTORS_MAX},
                {"targets", l->n_target, DRAW_TARGETS_MAX},
                {"conflicts", l->n_conflict, DRAW_CONFLICTS_MAX}};
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        if (part[i].n > part[i].most)
            return fail(f, DRAW_E_MANY, part[i].part, LT_LIT(""), (int64_t)part[i].most, (int64_t)part[i].n);
    if (!text_ok(l->name, 1, DRAW_TEXT_MAX))
        return fail(f, DRAW_E_TEXT, "name", l->name, 0, 0);
    if (!text_ok(l->public_source, 1, DRAW_TEXT_MAX))
        return fail(f, DRAW_E_TEXT, "public", l->public_source, 0, 0);
    if (l->pick < 1 || l->pick > DRAW_PICK_MAX)
        return fail(f, DRAW_E_NUMBER, "pick", LT_LIT(""), DRAW_PICK_MAX, l->pick);
    if (l->team < 1 || l->team > DRAW_TEAM_MAX)
        return fail(f, DRAW_E_NUMBER, "team", LT_LIT(""), DRAW_TEAM_MAX, l->team);
    return DRAW_OK;
}

static enum draw_err tables_ok(const struct draw_list *l, struct draw_fault *f)
{
    for (size_t i = 0; i < l->n_weight; i++) {
        const struct draw_weight *w = &l->weight[i];
        if (!text_ok(w->value, 1, DRAW_ID_MAX))
            return fail(f, DRAW_E_TEXT, "weights", w->value, 0, 0);
        if (w->weight < 1 || w->weight > DRAW_WEIGHT_MAX)
            return fail(f, DRAW_E_NUMBER, "weights", w->value, DRAW_WEIGHT_MAX, w->weight);
    }
    for (size_t i = 0; i < l->n_quota; i++) {
        const struct draw_quota *q = &l->quota[i];
        if (!text_ok(q->value, 1, DRAW_ID_MAX))
            return fail(f, DRAW_E_TEXT, "quotas", q->value, 0, 0);
        if (q->min < 0 || q->max < q->min || q->max > DRAW_QUOTA_MAX)
            return fail(f, DRAW_E_NUMBER, "quotas", q->value, DRAW_QUOTA_MAX, q->max);
    }
    return DRAW_OK;
}

static enum draw_err people_ok(const struct draw_list *l, struct draw_fault *f)
{
    for (size_t i = 0; i < l->n_inspector; i++) {
        const struct draw_inspector *p = &l->inspector[i];
        if (!id_ok(p->id) || !text_ok(p->name, 1, DRAW_TEXT_MAX) || !text_ok(p->unit, 0, DRAW_TEXT_MAX) ||
            !text_ok(p->county, 0, DRAW_ID_MAX))
            return fail(f, DRAW_E_TEXT, "inspectors", p->id, 0, 0);
    }
    for (size_t i = 0; i < l->n_target; i++) {
        const struct draw_target *t = &l->target[i];
        if (!id_ok(t->id) || !text_ok(t->name, 1, DRAW_TEXT_MAX) || !text_ok(t->county, 1, DRAW_ID_MAX) ||
            !text_ok(t->industry, 1, DRAW_ID_MAX) || !text_ok(t->risk, 1, DRAW_ID_MAX) ||
            !text_ok(t->credit, 1, DRAW_ID_MAX))
            return fail(f, DRAW_E_TEXT, "targets", t->id, 0, 0);
    }
    for (size_t i = 0; i < l->n_conflict; i++)
        if (!text_ok(l->conflict[i].why, 0, DRAW_TEXT_MAX))
            return fail(f, DRAW_E_TEXT, "conflicts", l->conflict[i].inspector, 0, 0);
    return DRAW_OK;
}

static enum draw_err order(struct draw_list *l, struct draw_fault *f)
{
    size_t i;
    sort(l->weight, l->n_weight, sizeof *l->weight, weight_order);
    sort(l->quota, l->n_quota, sizeof *l->quota, quota_order);
    sort(l->inspector, l->n_inspector, sizeof *l->inspector, inspector_order);
    sort(l->target, l->n_target, sizeof *l->target, target_order);
    sort(l->conflict, l->n_conflict, sizeof *l->conflict, conflict_order);
    if ((i = twice(l->weight, l->n_weight, sizeof *l->weight, weight_order)) < l->n_weight)
        return fail(f, DRAW_E_TWICE, "weights", l->weight[i].value, 0, 0);
    if ((i = twice(l->quota, l->n_quota, sizeof *l->quota, quota_order)) < l->n_quota)
        return fail(f, DRAW_E_TWICE, "quotas", l->quota[i].value, 0, 0);
    if ((i = twice(l->inspector, l->n_inspector, sizeof *l->inspector, inspector_order)) < l->n_inspector)
        return fail(f, DRAW_E_TWICE, "inspectors", l->inspector[i].id, 0, 0);
    if ((i = twice(l->target, l->n_target, sizeof *l->target, target_order)) < l->n_target)
        return fail(f, DRAW_E_TWICE, "targets", l->target[i].id, 0, 0);
    if ((i = twice(l->conflict, l->n_conflict, sizeof *l->conflict, conflict_order)) < l->n_conflict)
        return fail(f, DRAW_E_TWICE, "conflicts", l->conflict[i].inspector, 0, 0);
    return DRAW_OK;
}

/* ---- weights and groups ---- */

static int64_t weight_of(const struct draw_list *l, enum draw_class by, struct lt_slice value)
{
    struct draw_weight key = {.by = by, .value = value};
    const struct draw_weight *w = l->n_weight ? bsearch(&key, l->weight, l->n_weight, sizeof key, weight_order) : NULL;
    return w ? w->weight : 0;
}

/* Number of a group; a new one is added. */
static size_t group(struct lt_slice seen[DRAW_GROUPS_MAX], size_t *n, struct lt_slice value)
{
    for (size_t i = 0; i < *n; i++)
        if (lt_slice_eq(seen[i], value))
            return i;
    if (*n == DRAW_GROUPS_MAX)
        return DRAW_GROUPS_MAX;
    seen[*n] = value;
    return (*n)++;
}

static enum draw_err classify(struct draw_list *l, struct draw_fault *f)
{
    struct lt_slice rows[DRAW_GROUPS_MAX], cols[DRAW_GROUPS_MAX];
    size_t n_rows = 0, n_cols = 0;
    for (size_t i = 0; i < l->n_target; i++) {
        struct draw_target *t = &l->target[i];
        int64_t risk = weight_of(l, DRAW_RISK, t->risk), credit = weight_of(l, DRAW_CREDIT, t->credit);
        size_t row = group(rows, &n_rows, t->county), col = group(cols, &n_cols, t->industry);
        if (risk == 0)
            return fail(f, DRAW_E_WEIGHT, "risk", t->risk, 0, 0);
        if (credit == 0)
            return fail(f, DRAW_E_WEIGHT, "credit", t->credit, 0, 0);
        if (row == DRAW_GROUPS_MAX || col == DRAW_GROUPS_MAX)
            return fail(f, DRAW_E_MANY, row == DRAW_GROUPS_MAX ? "county" : "industry", LT_LIT(""), DRAW_GROUPS_MAX,
                        DRAW_GROUPS_MAX + 1);
        t->weight = (uint32_t)(risk * credit);
        t->row = (uint16_t)row;
        t->col = (uint16_t)col;
    }
    return DRAW_OK;
}

/* ---- free inspectors ---- */

static enum draw_err teams_ok(const struct draw_list *l, struct draw_fault *f)
{
    uint32_t *kept_off = calloc(l->n_target, sizeof *kept_off); /* inspectors kept off each target */
    enum draw_err e = DRAW_OK;
    if (!kept_off)
        return fail(f, DRAW_E_NOMEM, "", LT_LIT(""), 0, 0);
    for (size_t i = 0; l->avoid_own_county && i < l->n_inspector; i++)
        for (size_t t = 0; t < l->n_target; t++)
            kept_off[t] += lt_slice_eq(l->inspector[i].county, l->target[t].county);
    for (size_t i = 0; e == DRAW_OK && i < l->n_conflict; i++) {
        const struct draw_conflict *k = &l->conflict[i];
        size_t p = draw_find_inspector(l, k->inspector), t = draw_find_target(l, k->target);
        if (p == SIZE_MAX || t == SIZE_MAX)
            e = fail(f, DRAW_E_UNKNOWN, "conflicts", p == SIZE_MAX ? k->inspector : k->target, 0, 0);
        else
            kept_off[t] += !l->avoid_own_county || !lt_slice_eq(l->inspector[p].county, l->target[t].county);
    }
    for (size_t t = 0; e == DRAW_OK && t < l->n_target; t++) {
        int64_t have = (int64_t)l->n_inspector - kept_off[t];
        if (have < l->team)
            e = fail(f, DRAW_E_TEAM, "targets", l->target[t].id, l->team, have);
    }
    free(kept_off);
    return e;
}

/* ---- quotas ---- */

/* What one kind of quota alone allows, so that the reason can be named. */
static enum draw_err quotas_of(const struct draw_list *l, enum draw_group by, struct draw_fault *f)
{
    int64_t least = 0, most = (int64_t)l->n_target;
    for (size_t i = 0; i < l->n_quota; i++) {
        const struct draw_quota *q = &l->quota[i];
        int64_t there = 0;
        if (q->by != by)
            continue;
        for (size_t t = 0; t < l->n_target; t++)
            there += lt_slice_eq(by == DRAW_COUNTY ? l->target[t].county : l->target[t].industry, q->value);
        if (q->min > there)
            return fail(f, DRAW_E_QUOTA_MIN, draw_group_name(by), q->value, q->min, there);
        least += q->min;
        most -= there > q->max ? there - q->max : 0;
    }
    if (least > l->pick)
        return fail(f, DRAW_E_QUOTA_SUM, draw_group_name(by), LT_LIT(""), least, l->pick);
    if (most < l->pick)
        return fail(f, DRAW_E_QUOTA_MAX, draw_group_name(by), LT_LIT(""), l->pick, most);
    return DRAW_OK;
}

static enum draw_err quotas_ok(const struct draw_list *l, struct draw_fault *f)
{
    enum draw_err e = quotas_of(l, DRAW_COUNTY, f);
    if (e || (e = quotas_of(l, DRAW_INDUSTRY, f)))
        return e;
    struct draw_cells *c = malloc(sizeof *c);
    if (!c)
        return fail(f, DRAW_E_NOMEM, "", LT_LIT(""), 0, 0);
    draw_cells_init(c, l);
    bool possible = draw_cells_possible(c);
    free(c);
    return possible ? DRAW_OK : fail(f, DRAW_E_QUOTA, "quotas", LT_LIT(""), l->pick, 0);
}

enum draw_err draw_check(struct draw_list *l, struct draw_fault *f)
{
    enum draw_err e = amounts(l, f);
    if (e || (e = tables_ok(l, f)) || (e = people_ok(l, f)) || (e = order(l, f)) || (e = classify(l, f)))
        return e;
    if (l->pick > (int64_t)l->n_target)
        return fail(f, DRAW_E_PICK, "pick", LT_LIT(""), l->pick, (int64_t)l->n_target);
    if ((e = teams_ok(l, f)))
        return e;
    return quotas_ok(l, f);
}
