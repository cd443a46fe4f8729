/* Bytes are pointer + length, never C strings. A slice borrows: whoever made the bytes owns them. */
#ifndef LT_BASE_SLICE_H
#define LT_BASE_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct lt_slice {
    const char *p;
    size_t n;
};

#define LT_LIT(s) ((struct lt_slice){(s), sizeof(s) - 1})

static inline struct lt_slice lt_slice_of(const char *z)
{
    return (struct lt_slice){z, z ? strlen(z) : 0};
}

static inline bool lt_slice_eq(struct lt_slice a, struct lt_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool lt_slice_is(struct lt_slice a, const char *z)
{
    return lt_slice_eq(a, lt_slice_of(z));
}
#endif
