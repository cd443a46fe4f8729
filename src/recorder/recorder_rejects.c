/* See recorder_rejects.h. */
#include <stdlib.h>
#include "recorder/recorder_rejects.h"

#define SLOTS (2u * REJECTS_DEVICES)

bool rejects_init(struct rejects *r, unsigned keep)
{
    *r = (struct rejects){.keep = keep};
    r->slots = calloc(SLOTS, sizeof *r->slots);
    return r->slots != NULL;
}

void rejects_fini(struct rejects *r)
{
    free(r->slots);
    r->slots = NULL;
}

/* FNV-1a. Names that collide share a count, which only makes the bound tighter for them. */
static uint64_t name_hash(struct lt_slice mn)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < mn.n; i++)
        h = (h ^ (uint8_t)mn.p[i]) * UINT64_C(0x100000001b3);
    return h ? h : 1;
}

static uint32_t *count_of(struct rejects *r, struct lt_slice mn)
{
    const uint64_t h = name_hash(mn);
    size_t i = (size_t)(h ^ h >> 32) % SLOTS;
    while (r->slots[i].name && r->slots[i].name != h)
        i = (i + 1) % SLOTS;
    if (!r->slots[i].name) {
        if (r->names >= REJECTS_DEVICES && mn.n > 0)
            return count_of(r, (struct lt_slice){0});
        r->names++;
        r->slots[i].name = h;
    }
    return &r->slots[i].n;
}

bool rejects_keep(struct rejects *r, struct lt_slice mn, int day)
{
    if (day != r->day) {
        memset(r->slots, 0, SLOTS * sizeof *r->slots);
        r->names = r->total = 0;
        r->day = day;
    }
    uint32_t *n = count_of(r, mn);
    if (*n >= r->keep || r->total >= REJECTS_TOTAL)
        return false;
    ++*n;
    r->total++;
    return true;
}
