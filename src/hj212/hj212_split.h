/* A data area under way; shared by hj212_items.c and hj212_walk.c only. */
#ifndef HJ212_SPLIT_H
#define HJ212_SPLIT_H
#include "hj212_priv.h"

struct hj212_split {
    const char *a;
    size_t n, cap, count; /* cap <= HJ212_ITEMS_MAX */
    struct hj212_item *items;
    uint32_t tolerate, used, at;
    uint16_t group;
};

/* Where the pair that starts at `from` ends; *ret_eq is its first '=', or the end too. */
size_t hj212_pair_end(const struct hj212_split *s, size_t from, size_t *ret_eq);
/* Checks and stores the pair [from, end). */
enum hj212_err hj212_take_pair(struct hj212_split *s, size_t from, size_t eq, size_t end);

enum hj212_err hj212_walk_plain(struct hj212_split *s);
/* The same by vectors; s->n > 0. */
enum hj212_err hj212_walk(enum hj212_level level, struct hj212_split *s);
#endif
