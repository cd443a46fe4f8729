/* Growing buffer; see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void lt_buf_fini(struct lt_buf *b)
{
    free(b->p);
    *b = (struct lt_buf){.limit = b->limit};
}

void lt_buf_clear(struct lt_buf *b)
{
    b->n = 0;
    b->failed = false;
}

char *lt_buf_reserve(struct lt_buf *b, size_t n)
{
    if (b->failed || n > b->limit || b->n > b->limit - n) {
        b->failed = true;
        return NULL;
    }
    if (b->n + n > b->cap || !b->p) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < b->n + n)
            cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void lt_buf_add(struct lt_buf *b, const void *p, size_t n)
{
    char *to = lt_buf_reserve(b, n);
    if (to && n) {
        memcpy(to, p, n);
        b->n += n;
    }
}

void lt_buf_adds(struct lt_buf *b, const char *z)
{
    lt_buf_add(b, z, strlen(z));
}

void lt_buf_addc(struct lt_buf *b, char c)
{
    lt_buf_add(b, &c, 1);
}

void lt_buf_addf(struct lt_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *to = n < 0 ? NULL : lt_buf_reserve(b, (size_t)n + 1);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

bool lt_grow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t want = *cap ? *cap * 2 : 8;
    void *p;
    memcpy(&p, array, sizeof p);
    if (want > SIZE_MAX / 2 / size || !(p = realloc(p, want * size)))
        return false;
    memcpy(array, &p, sizeof p);
    *cap = want;
    return true;
}
