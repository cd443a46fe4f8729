/* The Merkle tree of RFC 6962 seen from below: nodes of a level are joined in pairs, the odd last one goes up as it is.
 */
#include "chain/chain.h"

#include <stdlib.h>

#define NODE_BYTES (1 + 2 * CHAIN_HASH)

bool chain_leaf(struct chain_hasher *h, enum chain_algo a, struct lt_slice bytes, uint8_t ret[CHAIN_HASH])
{
    const struct lt_slice parts[2] = {{"\0", 1}, bytes};
    return chain_digest(h, a, parts, 2, ret);
}

bool chain_leaf_both(struct chain_hasher *h, uint8_t *mem, size_t n, struct chain_pair *ret)
{
    mem[0] = 0x00;
    const struct lt_slice s = {(const char *)mem, n + 1};
    return chain_digest_both(h, s, ret);
}

bool chain_node(struct chain_hasher *h, enum chain_algo a, const uint8_t left[CHAIN_HASH],
                const uint8_t right[CHAIN_HASH], uint8_t ret[CHAIN_HASH])
{
    char mem[NODE_BYTES];
    mem[0] = 0x01;
    memcpy(mem + 1, left, CHAIN_HASH);
    memcpy(mem + 1 + CHAIN_HASH, right, CHAIN_HASH);
    const struct lt_slice s = {mem, sizeof mem};
    return chain_digest(h, a, &s, 1, ret);
}

static bool join(struct chain_hasher *h, const struct chain_pair *l, const struct chain_pair *r, struct chain_pair *ret)
{
    struct chain_pair out;
    for (int a = 0; a < CHAIN_ALGOS; a++)
        if (!chain_node(h, (enum chain_algo)a, l->h[a], r->h[a], out.h[a]))
            return false;
    *ret = out;
    return true;
}

/* One level up, in place; returns the number of nodes there, 0 when hashing failed. */
static size_t level_up(struct chain_hasher *h, const struct chain_pair *from, size_t n, struct chain_pair *to)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        if (!join(h, &from[i], &from[i + 1], &to[i / 2]))
            return 0;
    if (n % 2)
        to[n / 2] = from[n - 1];
    return (n + 1) / 2;
}

bool chain_reduce(struct chain_hasher *h, struct chain_pair *nodes, size_t n, struct chain_pair *ret)
{
    if (n == 0)
        return chain_digest_both(h, LT_LIT(""), ret);
    while (n > 1) {
        n = level_up(h, nodes, n, nodes);
        if (n == 0)
            return false;
    }
    *ret = nodes[0];
    return true;
}

/* ---- a tree being filled ---- */

bool chain_tree_init(struct chain_tree *t, struct chain_hasher *h)
{
    *t = (struct chain_tree){.h = h, .open = malloc(CHAIN_KEEP * sizeof(struct chain_pair))};
    t->failed = !t->open;
    return t->open;
}

void chain_tree_fini(struct chain_tree *t)
{
    free(t->open);
    free(t->node);
    *t = (struct chain_tree){0};
}

static bool node_room(struct chain_tree *t, size_t more)
{
    if (t->n_node + more <= t->cap_node)
        return true;
    size_t cap = t->cap_node ? t->cap_node : 64;
    while (cap < t->n_node + more)
        cap *= 2;
    struct chain_pair *p = realloc(t->node, cap * sizeof *p);
    if (!p) {
        t->failed = true;
        return false;
    }
    t->node = p;
    t->cap_node = cap;
    return true;
}

static void close_block(struct chain_tree *t)
{
    struct chain_pair root;
    if (t->failed || !node_room(t, 1))
        return;
    t->failed = !chain_reduce(t->h, t->open, t->n_open, &root);
    t->node[t->n_node++] = root;
    t->n_open = 0;
}

void chain_tree_add(struct chain_tree *t, const struct chain_pair *leaf)
{
    if (t->failed)
        return;
    t->open[t->n_open++] = *leaf;
    t->count++;
    if (t->n_open == CHAIN_KEEP)
        close_block(t);
}

void chain_tree_add_block(struct chain_tree *t, const struct chain_pair *root, size_t leaves)
{
    if (t->failed || t->n_open || !node_room(t, 1)) {
        t->failed = true;
        return;
    }
    t->node[t->n_node++] = *root;
    t->count += leaves;
}

bool chain_tree_finish(struct chain_tree *t, struct chain_pair *ret_root)
{
    if (t->n_open)
        close_block(t);
    if (t->failed)
        return false;
    if (t->count == 0)
        return chain_digest_both(t->h, LT_LIT(""), ret_root);
    size_t at = 0, n = t->n_node;
    while (n > 1) {
        if (!node_room(t, (n + 1) / 2))
            return false;
        size_t up = level_up(t->h, t->node + at, n, t->node + at + n);
        if (up == 0) {
            t->failed = true;
            return false;
        }
        at += n;
        n = up;
        t->n_node = at + n;
    }
    *ret_root = t->node[at];
    return true;
}

uint64_t chain_tree_nodes(uint64_t count)
{
    uint64_t level = count / CHAIN_KEEP + (count % CHAIN_KEEP != 0), all = level;
    while (level > 1) {
        level = level / 2 + level % 2;
        all += level;
    }
    return all;
}

/* ---- proofs ---- */

static void put_sibling(const struct chain_pair *level, uint64_t n, uint64_t i, enum chain_algo a,
                        uint8_t ret[][CHAIN_HASH], size_t *ret_n)
{
    uint64_t s = i ^ 1;
    if (s < n && *ret_n < CHAIN_PATH_MAX)
        memcpy(ret[(*ret_n)++], level[s].h[a], CHAIN_HASH);
}

/* The same with one of the two hashes only. */
static size_t level_up_one(struct chain_hasher *h, enum chain_algo a, struct chain_pair *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        if (!chain_node(h, a, p[i].h[a], p[i + 1].h[a], p[i / 2].h[a]))
            return 0;
    if (n % 2)
        memcpy(p[n / 2].h[a], p[n - 1].h[a], CHAIN_HASH);
    return (n + 1) / 2;
}

bool chain_path(struct chain_hasher *h, enum chain_algo a, const struct chain_pair *leaves, size_t n,
                const struct chain_pair *node, uint64_t count, uint64_t index, uint8_t ret[][CHAIN_HASH], size_t *ret_n)
{
    uint64_t block = index / CHAIN_KEEP, i = index % CHAIN_KEEP;
    uint64_t expect = count - block * CHAIN_KEEP < CHAIN_KEEP ? count - block * CHAIN_KEEP : CHAIN_KEEP;
    if (index >= count || n != expect)
        return false;
    struct chain_pair *level = malloc(n * sizeof *level);
    if (!level)
        return false;
    memcpy(level, leaves, n * sizeof *level);
    *ret_n = 0;
    bool ok = true;
    while (ok && n > 1) {
        put_sibling(level, n, i, a, ret, ret_n);
        n = level_up_one(h, a, level, n);
        ok = n != 0;
        i /= 2;
    }
    free(level);
    uint64_t m = count / CHAIN_KEEP + (count % CHAIN_KEEP != 0);
    for (i = block; ok && m > 1; i /= 2) {
        put_sibling(node, m, i, a, ret, ret_n);
        node += m;
        m = m / 2 + m % 2;
    }
    return ok;
}

bool chain_path_holds(struct chain_hasher *h, enum chain_algo a, const uint8_t leaf[CHAIN_HASH], uint64_t index,
                      uint64_t count, uint8_t path[][CHAIN_HASH], size_t n, const uint8_t root[CHAIN_HASH])
{
    if (index >= count)
        return false;
    uint64_t fn = index, sn = count - 1;
    uint8_t r[CHAIN_HASH];
    memcpy(r, leaf, sizeof r);
    for (size_t i = 0; i < n; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            if (!chain_node(h, a, path[i], r, r))
                return false;
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else if (!chain_node(h, a, r, path[i], r)) {
            return false;
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(r, root, sizeof r) == 0;
}
