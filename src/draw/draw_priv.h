/* Inside draw only: quotas as a flow, random numbers. */
#ifndef LT_DRAW_PRIV_H
#define LT_DRAW_PRIV_H
#include "draw/draw.h"

#include <sodium/crypto_hash_sha256.h>

/* ---- random numbers (section 3) ---- */
struct draw_rand {
    uint8_t key[DRAW_HASH];
    uint64_t next;
};
void draw_rand_init(struct draw_rand *r, const uint8_t list[DRAW_HASH], const uint8_t seed[DRAW_SEED],
                    struct lt_slice value);
uint64_t draw_below(struct draw_rand *r, uint64_t n); /* n > 0 */

/* ---- quotas (section 4): what is still to be drawn, by cell ---- */
#define DRAW_NODES (2 * DRAW_GROUPS_MAX + 4) /* rows, columns, source, sink, and both of the lower bounds */
struct draw_cells {
    size_t rows, cols;                              /* counties, industries in use */
    int32_t left[DRAW_GROUPS_MAX][DRAW_GROUPS_MAX]; /* targets not chosen */
    int32_t row_min[DRAW_GROUPS_MAX], row_max[DRAW_GROUPS_MAX], row_n[DRAW_GROUPS_MAX];
    int32_t col_min[DRAW_GROUPS_MAX], col_max[DRAW_GROUPS_MAX], col_n[DRAW_GROUPS_MAX]; /* _n: chosen */
    int32_t rest;                                                                       /* still to choose */
    int32_t flow[DRAW_NODES][DRAW_NODES]; /* working space: what can still flow */
};
void draw_cells_init(struct draw_cells *c, const struct draw_list *l);
void draw_cells_choose(struct draw_cells *c, size_t row, size_t col, int32_t by); /* by -1 takes it back */
bool draw_cells_possible(struct draw_cells *c);
#endif
