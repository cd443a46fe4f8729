/* A growing byte buffer with a limit. An append that would pass the limit or finds no memory sets
 * `failed`; later appends do nothing, so a writer checks once, at the end. */
#ifndef LT_BASE_BUF_H
#define LT_BASE_BUF_H
#include "base/slice.h"

struct lt_buf {
    char *p;
    size_t n, cap, limit;
    bool failed;
};

#define LT_BUF_INIT(max) ((struct lt_buf){.limit = (max)})

void lt_buf_fini(struct lt_buf *b); /* frees; b is empty again and keeps its limit */
void lt_buf_clear(struct lt_buf *b);
/* Room for n more bytes, or NULL (then b->failed). The caller advances b->n. */
char *lt_buf_reserve(struct lt_buf *b, size_t n);
void lt_buf_add(struct lt_buf *b, const void *p, size_t n);
void lt_buf_adds(struct lt_buf *b, const char *z);
void lt_buf_addc(struct lt_buf *b, char c);
void lt_buf_addf(struct lt_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for one more in an array that grows: `array` is the address of the pointer to its elements of `size` bytes, n
 * are in use, *cap fit. False without memory: then all is as it was. The caller frees the array. */
bool lt_grow(void *array, size_t n, size_t *cap, size_t size) __attribute__((warn_unused_result));
static inline struct lt_slice lt_buf_slice(const struct lt_buf *b)
{
    return (struct lt_slice){b->p, b->n};
}
#endif
