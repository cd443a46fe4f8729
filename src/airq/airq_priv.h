/* Inside airq only: sentences put together in the caller's room, always terminated, cut on a character's boundary. */
#ifndef AIRQ_PRIV_H
#define AIRQ_PRIV_H
#include "base/fix.h"
#include "base/text.h"

struct say {
    char *p;
    size_t cap, n;
};

static inline void say(struct say *s, const char *text)
{
    s->n += lt_text_copy(s->p + s->n, s->cap - s->n, text);
}

static inline void say_fix(struct say *s, int64_t v, unsigned decimals)
{
    char z[32];
    lt_fix_format(v, decimals, z);
    say(s, z);
}

static inline void say_int(struct say *s, int64_t v)
{
    say_fix(s, v * LT_FIX_ONE, 0);
}
#endif
