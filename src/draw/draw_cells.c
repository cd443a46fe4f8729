/* Can the quotas still be met? A flow with lower bounds: source -> county (min..max) -> industry (at most the targets
 * of the cell) -> sink (min..max), exactly `rest` in all. Lower bounds are turned into a second source and sink in the
 * usual way: the bounds can be kept when the flow between these fills all their edges. */
#include "draw/draw_priv.h"

enum { SOURCE, SINK, NEED, GIVE, ROWS }; /* rows from ROWS on, then columns */

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

void draw_cells_init(struct draw_cells *c, const struct draw_list *l)
{
    *c = (struct draw_cells){.rest = (int32_t)l->pick};
    for (size_t i = 0; i < DRAW_GROUPS_MAX; i++)
        c->row_max[i] = c->col_max[i] = DRAW_TARGETS_MAX;
    for (size_t i = 0; i < l->n_target; i++) {
        const struct draw_target *t = &l->target[i];
        c->left[t->row][t->col]++;
        c->rows = t->row >= c->rows ? t->row + 1u : c->rows;
        c->cols = t->col >= c->cols ? t->col + 1u : c->cols;
    }
    for (size_t q = 0; q < l->n_quota; q++) {
        const struct draw_quota *quota = &l->quota[q];
        for (size_t i = 0; i < l->n_target; i++) { /* a class nobody belongs to binds nothing (min 0, judged before) */
            const struct draw_target *t = &l->target[i];
            bool row = quota->by == DRAW_COUNTY;
            if (!lt_slice_eq(row ? t->county : t->industry, quota->value))
                continue;
            (row ? c->row_min : c->col_min)[row ? t->row : t->col] = (int32_t)quota->min;
            (row ? c->row_max : c->col_max)[row ? t->row : t->col] = (int32_t)quota->max;
            break;
        }
    }
}

void draw_cells_choose(struct draw_cells *c, size_t row, size_t col, int32_t by)
{
    c->left[row][col] -= by;
    c->row_n[row] += by;
    c->col_n[col] += by;
    c->rest -= by;
}

/* An edge with bounds: what must flow goes by way of NEED and GIVE. */
static int32_t edge(struct draw_cells *c, size_t from, size_t to, int32_t lo, int32_t hi)
{
    c->flow[from][to] += hi - lo;
    c->flow[GIVE][to] += lo;
    c->flow[from][NEED] += lo;
    return lo;
}

/* Pushes one shortest path from GIVE to NEED; returns how much went. */
static int32_t push(struct draw_cells *c, size_t nodes)
{
    size_t queue[DRAW_NODES], from[DRAW_NODES], head = 0, tail = 0;
    bool seen[DRAW_NODES] = {[GIVE] = true};
    queue[tail++] = GIVE;
    while (head < tail && !seen[NEED]) {
        size_t u = queue[head++];
        for (size_t v = 0; v < nodes; v++)
            if (!seen[v] && c->flow[u][v] > 0) {
                seen[v] = true;
                from[v] = u;
                queue[tail++] = v;
            }
    }
    if (!seen[NEED])
        return 0;
    int32_t n = INT32_MAX;
    for (size_t v = NEED; v != GIVE; v = from[v])
        n = least(n, c->flow[from[v]][v]);
    for (size_t v = NEED; v != GIVE; v = from[v]) {
        c->flow[from[v]][v] -= n;
        c->flow[v][from[v]] += n;
    }
    return n;
}

bool draw_cells_possible(struct draw_cells *c)
{
    size_t nodes = ROWS + c->rows + c->cols;
    int32_t must = 0, went = 0, n;
    if (c->rest < 0)
        return false;
    for (size_t u = 0; u < nodes; u++)
        memset(c->flow[u], 0, nodes * sizeof c->flow[u][0]);
    for (size_t r = 0; r < c->rows; r++) {
        int32_t lo = most(0, c->row_min[r] - c->row_n[r]), hi = least(c->rest, c->row_max[r] - c->row_n[r]);
        if (lo > hi)
            return false;
        must += edge(c, SOURCE, ROWS + r, lo, hi);
        for (size_t k = 0; k < c->cols; k++)
            c->flow[ROWS + r][ROWS + c->rows + k] = c->left[r][k];
    }
    for (size_t k = 0; k < c->cols; k++) {
        int32_t lo = most(0, c->col_min[k] - c->col_n[k]), hi = least(c->rest, c->col_max[k] - c->col_n[k]);
        if (lo > hi)
            return false;
        must += edge(c, ROWS + c->rows + k, SINK, lo, hi);
    }
    must += edge(c, SINK, SOURCE, c->rest, c->rest);
    while (went < must && (n = push(c, nodes)) > 0)
        went += n;
    return went == must;
}
