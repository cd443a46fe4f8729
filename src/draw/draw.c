/* Lines and hashes of a list, the draw itself, and whether a result keeps the rules. */
#include "draw/draw_priv.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>

const char *draw_class_name(enum draw_class c)
{
    return c == DRAW_RISK ? "risk" : "credit";
}

const char *draw_group_name(enum draw_group g)
{
    return g == DRAW_COUNTY ? "county" : "industry";
}

/* ---- lines (section 1) ---- */

static void put(struct lt_buf *b, struct lt_slice s) /* a string of JSON; control characters were refused before */
{
    lt_buf_addc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            lt_buf_addc(b, '\\');
        lt_buf_addc(b, s.p[i]);
    }
    lt_buf_addc(b, '"');
}

static void puts_all(struct lt_buf *b, const char *word, const struct lt_slice *s, size_t n)
{
    lt_buf_addf(b, "[\"%s\"", word);
    for (size_t i = 0; i < n; i++) {
        lt_buf_addc(b, ',');
        put(b, s[i]);
    }
}

void draw_lines(const struct draw_list *l, struct lt_buf *out)
{
    lt_buf_adds(out, "[\"lantian-draw\",1,");
    put(out, l->name);
    lt_buf_addf(out, ",%" PRId64 ",%" PRId64 ",%d,", l->pick, l->team, l->avoid_own_county ? 1 : 0);
    put(out, l->public_source);
    lt_buf_adds(out, "]\n");
    for (size_t i = 0; i < l->n_weight; i++) {
        const struct draw_weight *w = &l->weight[i];
        puts_all(out, "weight", (struct lt_slice[]){lt_slice_of(draw_class_name(w->by)), w->value}, 2);
        lt_buf_addf(out, ",%" PRId64 "]\n", w->weight);
    }
    for (size_t i = 0; i < l->n_quota; i++) {
        const struct draw_quota *q = &l->quota[i];
        puts_all(out, "quota", (struct lt_slice[]){lt_slice_of(draw_group_name(q->by)), q->value}, 2);
        lt_buf_addf(out, ",%" PRId64 ",%" PRId64 "]\n", q->min, q->max);
    }
    for (size_t i = 0; i < l->n_inspector; i++) {
        const struct draw_inspector *p = &l->inspector[i];
        puts_all(out, "inspector", (struct lt_slice[]){p->id, p->name, p->unit, p->county}, 4);
        lt_buf_adds(out, "]\n");
    }
    for (size_t i = 0; i < l->n_target; i++) {
        const struct draw_target *t = &l->target[i];
        puts_all(out, "target", (struct lt_slice[]){t->id, t->name, t->county, t->industry, t->risk, t->credit}, 6);
        lt_buf_adds(out, "]\n");
    }
    for (size_t i = 0; i < l->n_conflict; i++) {
        const struct draw_conflict *c = &l->conflict[i];
        puts_all(out, "conflict", (struct lt_slice[]){c->inspector, c->target, c->why}, 3);
        lt_buf_adds(out, "]\n");
    }
}

static bool hash_of(struct lt_buf *b, uint8_t ret[DRAW_HASH])
{
    bool ok = !b->failed;
    if (ok)
        crypto_hash_sha256(ret, (const uint8_t *)b->p, b->n);
    lt_buf_fini(b);
    return ok;
}

bool draw_list_hash(const struct draw_list *l, uint8_t ret[DRAW_HASH])
{
    struct lt_buf b = LT_BUF_INIT(DRAW_LINES_MAX);
    draw_lines(l, &b);
    return hash_of(&b, ret);
}

/* ---- commitment (section 2) ---- */

void draw_seed_hash(const uint8_t seed[DRAW_SEED], uint8_t ret[DRAW_HASH])
{
    uint8_t in[5 + DRAW_SEED] = "LTDS1";
    memcpy(in + 5, seed, DRAW_SEED);
    crypto_hash_sha256(ret, in, sizeof in);
}

void draw_commitment(const uint8_t list[DRAW_HASH], const uint8_t seed[DRAW_HASH], struct lt_slice public_source,
                     struct lt_buf *out)
{
    char a[2 * DRAW_HASH + 1], b[2 * DRAW_HASH + 1];
    lt_text_hex(list, DRAW_HASH, a);
    lt_text_hex(seed, DRAW_HASH, b);
    lt_buf_addf(out, "LANTIAN-DRAW 1 list=%s seed=%s public=", a, b);
    put(out, public_source);
}

/* ---- targets (section 4) ---- */

struct work {
    const struct draw_list *l;
    struct draw_rand rand;
    struct draw_cells cells;
    bool struck[DRAW_GROUPS_MAX][DRAW_GROUPS_MAX];
    bool chosen[DRAW_TARGETS_MAX];
    uint32_t load[DRAW_INSPECTORS_MAX];
    bool free[DRAW_INSPECTORS_MAX]; /* for the target at hand */
};

static bool candidate(const struct work *w, size_t i)
{
    return !w->chosen[i] && !w->struck[w->l->target[i].row][w->l->target[i].col];
}

static size_t draw_target(struct work *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->l->n_target; i++)
        sum += candidate(w, i) ? w->l->target[i].weight : 0;
    if (sum == 0)
        return SIZE_MAX; /* cannot be: the quotas were possible */
    uint64_t r = draw_below(&w->rand, sum);
    for (size_t i = 0; i < w->l->n_target; i++) {
        if (!candidate(w, i))
            continue;
        if (r < w->l->target[i].weight)
            return i;
        r -= w->l->target[i].weight;
    }
    return SIZE_MAX;
}

static bool draw_targets(struct work *w, struct draw_result *ret)
{
    while (ret->n < (size_t)w->l->pick) {
        size_t i = draw_target(w);
        if (i == SIZE_MAX)
            return false;
        const struct draw_target *t = &w->l->target[i];
        draw_cells_choose(&w->cells, t->row, t->col, 1);
        if (draw_cells_possible(&w->cells)) {
            w->chosen[i] = true;
            ret->pick[ret->n++] = (struct draw_pick){.target = (uint32_t)i, .weight = t->weight};
        } else {
            draw_cells_choose(&w->cells, t->row, t->col, -1);
            w->struck[t->row][t->col] = true;
            ret->struck++;
        }
    }
    return true;
}

/* ---- teams (section 5) ---- */

static void draw_team(struct work *w, struct draw_pick *p)
{
    size_t n = w->l->n_inspector;
    for (size_t i = 0; i < n; i++)
        w->free[i] = draw_free(w->l, i, p->target);
    for (int64_t seat = 0; seat < w->l->team; seat++) {
        uint32_t least = UINT32_MAX, count = 0;
        for (size_t i = 0; i < n; i++) {
            if (!w->free[i] || w->load[i] > least)
                continue;
            count = w->load[i] < least ? 1 : count + 1;
            least = w->load[i];
        }
        uint64_t k = draw_below(&w->rand, count); /* draw_check() saw enough free ones: count > 0 */
        for (size_t i = 0; i < n; i++) {
            if (!w->free[i] || w->load[i] != least || k-- > 0)
                continue;
            p->team[seat] = (uint32_t)i;
            w->free[i] = false;
            w->load[i]++;
            break;
        }
    }
}

enum draw_err draw_run(const struct draw_list *l, const uint8_t seed[DRAW_SEED], struct lt_slice public_value,
                       struct draw_result *ret, struct draw_fault *f)
{
    uint8_t list[DRAW_HASH];
    enum draw_err e = public_value.n < 1 || public_value.n > DRAW_TEXT_MAX ? DRAW_E_VALUE : DRAW_OK;
    struct work *w = NULL;
    *ret = (struct draw_result){0};
    if (!e && (!(w = calloc(1, sizeof *w)) || !draw_list_hash(l, list)))
        e = DRAW_E_NOMEM;
    if (!e) {
        w->l = l;
        draw_rand_init(&w->rand, list, seed, public_value);
        draw_cells_init(&w->cells, l);
        e = draw_targets(w, ret) ? DRAW_OK : DRAW_E_QUOTA;
    }
    for (size_t i = 0; !e && i < ret->n; i++)
        draw_team(w, &ret->pick[i]);
    free(w);
    if (e && f)
        *f = (struct draw_fault){e, "public_value", public_value, DRAW_TEXT_MAX, (int64_t)public_value.n};
    return e;
}

/* ---- result (section 6) ---- */

bool draw_result_hash(const struct draw_list *l, const struct draw_result *r, uint8_t ret[DRAW_HASH])
{
    struct lt_buf b = LT_BUF_INIT(DRAW_LINES_MAX);
    for (size_t i = 0; i < r->n; i++) {
        const struct draw_pick *p = &r->pick[i];
        lt_buf_addf(&b, "[\"drawn\",%zu,", i + 1);
        put(&b, l->target[p->target].id);
        lt_buf_addf(&b, ",%" PRIu32 ",[", p->weight);
        for (int64_t s = 0; s < l->team; s++) {
            if (s)
                lt_buf_addc(&b, ',');
            put(&b, l->inspector[p->team[s]].id);
        }
        lt_buf_adds(&b, "]]\n");
    }
    return hash_of(&b, ret);
}

/* ---- a result from anywhere (section 8) ---- */

static bool keeps_weight(const struct draw_list *l, const struct draw_result *r, struct draw_flaw_place *ret)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->pick[i].weight != l->target[r->pick[i].target].weight) {
            *ret = (struct draw_flaw_place){.n = i + 1, .have = r->pick[i].weight};
            return false;
        }
    return true;
}

static bool keeps_count(const struct draw_list *l, const struct draw_result *r, struct draw_flaw_place *ret)
{
    *ret = (struct draw_flaw_place){.have = (int64_t)r->n};
    if (r->n != (size_t)l->pick)
        return false;
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < i; k++)
            if (r->pick[i].target == r->pick[k].target) {
                ret->n = i + 1;
                return false;
            }
    return true;
}

static bool keeps_quota(const struct draw_list *l, const struct draw_result *r, struct draw_flaw_place *ret)
{
    for (size_t q = 0; q < l->n_quota; q++) {
        const struct draw_quota *quota = &l->quota[q];
        int64_t have = 0;
        for (size_t i = 0; i < r->n; i++) {
            const struct draw_target *t = &l->target[r->pick[i].target];
            have += lt_slice_eq(quota->by == DRAW_COUNTY ? t->county : t->industry, quota->value);
        }
        if (have < quota->min || have > quota->max) {
            *ret = (struct draw_flaw_place){.part = draw_group_name(quota->by), .value = quota->value, .have = have};
            return false;
        }
    }
    return true;
}

static bool keeps_conflict(const struct draw_list *l, const struct draw_result *r, struct draw_flaw_place *ret)
{
    for (size_t i = 0; i < r->n; i++)
        for (int64_t s = 0; s < l->team; s++) {
            bool ok = draw_free(l, r->pick[i].team[s], r->pick[i].target);
            for (int64_t k = 0; k < s; k++)
                ok = ok && r->pick[i].team[k] != r->pick[i].team[s];
            if (!ok) {
                *ret = (struct draw_flaw_place){.n = i + 1, .value = l->inspector[r->pick[i].team[s]].id};
                return false;
            }
        }
    return true;
}

bool draw_keeps(const struct draw_list *l, const struct draw_result *r, enum draw_flaw which,
                struct draw_flaw_place *ret)
{
    static bool (*const checks[])(const struct draw_list *, const struct draw_result *,
                                  struct draw_flaw_place *) = {[DRAW_FLAW_WEIGHT] = keeps_weight,
                                                               [DRAW_FLAW_COUNT] = keeps_count,
                                                               [DRAW_FLAW_QUOTA] = keeps_quota,
                                                               [DRAW_FLAW_CONFLICT] = keeps_conflict};
    struct draw_flaw_place place = {0};
    bool ok = which == DRAW_FINE || checks[which](l, r, &place);
    if (!ok && ret)
        *ret = place;
    return ok;
}
