/* Tests of the memory of cached chunks: pieces never overlap, keep what is in them, and all of it comes back. */
#include "base/rand.h"
#include "series/series_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PIECES 3000

struct taken {
    unsigned char *p;
    size_t asked, n;
    unsigned char fill;
};

static void fill(struct taken *t, unsigned char with)
{
    t->fill = with;
    memset(t->p, with, t->n);
}

static void check_filled(const struct taken *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->p[i] != t->fill)
            fail_msg("byte %zu of %zu was overwritten", i, t->n);
}

static size_t some_size(struct lt_rand *r)
{
    size_t most = (size_t)1 << (4 + lt_rand_below(r, lt_rand_below(r, 40) == 0 ? 18 : 13));
    return 1 + (size_t)lt_rand_below(r, most);
}

static void pieces_keep_apart_and_come_back(void **state)
{
    static struct taken t[PIECES];
    struct series_room *r = series_room_create();
    struct lt_rand rand;
    size_t unused;
    lt_rand_init(&rand, 5);
    for (unsigned i = 0; i < 60000; i++) {
        struct taken *x = &t[lt_rand_below(&rand, PIECES)];
        if (x->p) {
            check_filled(x);
            series_room_give(r, x->p, x->n - (size_t)lt_rand_below(&rand, 256)); /* as a count of items times size */
            x->p = NULL;
        } else {
            x->n = x->asked = some_size(&rand);
            x->p = series_room_take(r, &x->n);
            assert_non_null(x->p);
            assert_true(x->n >= x->asked && x->n <= x->asked + x->asked / 8 + 256);
            fill(x, (unsigned char)i);
        }
    }
    for (size_t i = 0; i < PIECES; i++)
        if (t[i].p) {
            check_filled(&t[i]);
            series_room_give(r, t[i].p, t[i].n);
        }
    size_t held = series_room_held(r, &unused);
    assert_true(held <= (size_t)9 * (2 << 20)); /* all came together again: the spare regions alone are kept */
    assert_true(unused > held - (size_t)9 * (16 << 10) - 1 && unused < held);
    series_room_destroy(&r);
    assert_null(r);
}

/* What a thousand growing arrays leave behind is used by what they grow to. */
static void growing_together_wastes_little(void **state)
{
    static struct taken t[2000];
    struct series_room *r = series_room_create();
    size_t used = 0, unused;
    for (size_t size = 256; size <= 32768; size *= 2) {
        used = 0;
        for (size_t i = 0; i < 2000; i++) {
            size_t n = size;
            unsigned char *p = series_room_take(r, &n);
            assert_non_null(p);
            if (t[i].p)
                series_room_give(r, t[i].p, t[i].n);
            t[i] = (struct taken){.p = p, .n = n};
            used += n;
        }
    }
    size_t held = series_room_held(r, &unused);
    assert_true(held < used + used / 2);
    for (size_t i = 0; i < 2000; i++)
        series_room_give(r, t[i].p, t[i].n);
    held = series_room_held(r, &unused);
    assert_true(held <= (size_t)9 * (2 << 20));
    series_room_destroy(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_keep_apart_and_come_back),
        cmocka_unit_test(growing_together_wastes_little),
    };
    return cmocka_run_group_tests_name("series_room", tests, NULL, NULL);
}
