/* Memory of the cache of chunks; see series_room.h.
 *
 * DESIGN: a buddy allocator over regions of 2 MiB, each one huge page where the kernel has one. A piece need not be a
 * power of two: what the block has behind it is given back at once in smaller blocks, so at most an eighth of a piece
 * is rounding. Neighbours that are free grow together again, across pieces, so that the halves left behind by growing
 * chunks become room for the grown ones. A region none of which is taken goes back to the kernel unless it is one of
 * few. The first HEAD bytes of a region say what of it is free. */
#include "series/series_room.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGION ((size_t)2 << 20)
#define UNIT   ((size_t)256)
#define HEAD   ((size_t)16 << 10)
#define LEAST  8  /* orders of free blocks: 256 bytes … */
#define MOST   20 /* … to 1 MiB */
#define SPARE  8  /* free regions always kept; beyond, up to a quarter of all: the next hour will want them */

struct block { /* a free one */
    struct block *next, **at;
};

struct region {
    struct region *next, **at;
    size_t used;
    uint8_t order[REGION / UNIT]; /* of the free block that begins there, 0: none does */
};
_Static_assert(sizeof(struct region) <= HEAD, "the head has room for what is known of a region");

struct series_room {
    struct block *list[MOST + 1];
    struct region *regions;
    size_t n_regions, n_spare, free;
};

struct series_room *series_room_create(void)
{
    return calloc(1, sizeof(struct series_room));
}

void series_room_destroy(struct series_room **r)
{
    if (!*r)
        return;
    for (struct region *x = (*r)->regions, *next; x; x = next) {
        next = x->next;
        munmap(x, REGION);
    }
    free(*r);
    *r = NULL;
}

size_t series_room_held(const struct series_room *r, size_t *ret_free)
{
    *ret_free = r->free;
    return r->n_regions * REGION;
}

static struct region *region_of(void *p)
{
    return (struct region *)(void *)((char *)p - ((uintptr_t)p & (REGION - 1)));
}

static unsigned floor_order(size_t n)
{
    return 63 - (unsigned)__builtin_clzll(n);
}

/* A multiple of 256 bytes, or of an eighth of the power of two below. */
static size_t rounded(size_t bytes)
{
    size_t unit = bytes < 8 * UNIT ? UNIT : (size_t)1 << (floor_order(bytes) - 3);
    return bytes == 0 ? UNIT : (bytes + unit - 1) / unit * unit;
}

static void link_block(struct series_room *r, struct region *g, size_t off, unsigned order)
{
    struct block *b = (struct block *)(void *)((char *)g + off);
    *b = (struct block){r->list[order], &r->list[order]};
    if (b->next)
        b->next->at = &b->next;
    r->list[order] = b;
    g->order[off / UNIT] = (uint8_t)order;
}

static void unlink_block(struct region *g, struct block *b)
{
    *b->at = b->next;
    if (b->next)
        b->next->at = b->at;
    g->order[((size_t)((char *)b - (char *)g)) / UNIT] = 0;
}

static void free_block(struct series_room *r, struct region *g, size_t off, unsigned order)
{
    for (; order < MOST; order++) {
        size_t buddy = off ^ (size_t)1 << order;
        if (g->order[buddy / UNIT] != order)
            break;
        unlink_block(g, (struct block *)(void *)((char *)g + buddy));
        off &= ~((size_t)1 << order);
    }
    link_block(r, g, off, order);
}

/* [off, end) in the largest blocks that stand where they may. */
static void free_range(struct series_room *r, struct region *g, size_t off, size_t end)
{
    while (off < end) {
        unsigned order = (unsigned)__builtin_ctzll(off), fits = floor_order(end - off);
        order = order < fits ? order : fits;
        order = order < MOST ? order : MOST;
        free_block(r, g, off, order);
        off += (size_t)1 << order;
    }
}

static bool add_region(struct series_room *r)
{
    char *p = mmap(NULL, 2 * REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    size_t skip = (REGION - ((uintptr_t)p & (REGION - 1))) & (REGION - 1);
    if (skip)
        munmap(p, skip);
    munmap(p + skip + REGION, REGION - skip);
    struct region *g = (struct region *)(void *)(p + skip);
    madvise(g, REGION, MADV_HUGEPAGE); /* a wish: ordinary pages do as well */
    g->next = r->regions;
    g->at = &r->regions;
    if (g->next)
        g->next->at = &g->next;
    r->regions = g;
    r->n_regions++;
    r->n_spare++;
    r->free += REGION - HEAD;
    free_range(r, g, HEAD, REGION);
    return true;
}

static void drop_region(struct series_room *r, struct region *g)
{
    for (size_t off = HEAD; off < REGION;) {
        unsigned order = g->order[off / UNIT];
        unlink_block(g, (struct block *)(void *)((char *)g + off));
        off += (size_t)1 << order;
    }
    *g->at = g->next;
    if (g->next)
        g->next->at = g->at;
    r->n_regions--;
    r->n_spare--;
    r->free -= REGION - HEAD;
    munmap(g, REGION);
}

void *series_room_take(struct series_room *r, size_t *bytes)
{
    size_t n = *bytes = rounded(*bytes);
    if (n > SERIES_ROOM_MOST)
        return malloc(n);
    unsigned want = floor_order(n) + ((n & (n - 1)) != 0), order = want;
    while (order <= MOST && !r->list[order])
        order++;
    if (order > MOST) {
        if (!add_region(r))
            return NULL;
        order = MOST;
    }
    struct block *b = r->list[order];
    struct region *g = region_of(b);
    size_t off = (size_t)((char *)b - (char *)g);
    unlink_block(g, b);
    r->n_spare -= g->used == 0;
    g->used += n;
    r->free -= n;
    free_range(r, g, off + n, off + ((size_t)1 << order));
    return b;
}

void series_room_give(struct series_room *r, void *p, size_t bytes)
{
    size_t n = rounded(bytes);
    if (!p || n > SERIES_ROOM_MOST) {
        free(p);
        return;
    }
    struct region *g = region_of(p);
    size_t off = (size_t)((char *)p - (char *)g);
    assert(off >= HEAD && off % UNIT == 0 && off + n <= REGION && g->used >= n);
    g->used -= n;
    r->free += n;
    free_range(r, g, off, off + n);
    if (g->used > 0)
        return;
    r->n_spare++;
    if (r->n_spare > SPARE && r->n_spare > r->n_regions / 4)
        drop_region(r, g);
}
