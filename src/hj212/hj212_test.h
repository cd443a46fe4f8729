/* What the tests of this unit share: files of testdata, lines, the verdict on a stretch of bytes. */
#ifndef HJ212_TEST_H
#define HJ212_TEST_H
#include "hj212/hj212_priv.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define LONG_DEFAULT (HJ212_TOLERATE_DEFAULT | HJ212_TOL(LONG_SEGMENT))
#define GOOD                                                                                                           \
    "##0202QN=20260301080000123;ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&"                      \
    "DataTime=20260301080000;a21026-Rtd=1.1,a21026-ZsRtd=1.3,a21026-Flag=N;a21002-Rtd=2.2,a21002-ZsRtd=2.6,"           \
    "a21002-Flag=N&&95C1"

/* The whole of testdata/NAME; the caller frees ret.p. */
static inline struct lt_slice test_file(const char *name)
{
    char path[1024];
    const char *dir = getenv("HJ212_TESTDATA");
    assert_non_null(dir);
    assert_true(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t cap = 1 << 20;
    char *p = malloc(cap);
    assert_non_null(p);
    size_t n = fread(p, 1, cap, f);
    fclose(f);
    assert_true(n > 0 && n < cap);
    return (struct lt_slice){p, n};
}

/* Takes the next line off *rest (without LF); comment lines ("# ") are passed over. False at the end. */
static inline bool test_line(struct lt_slice *rest, struct lt_slice *ret)
{
    while (rest->n > 0) {
        const char *lf = memchr(rest->p, '\n', rest->n);
        size_t n = lf ? (size_t)(lf - rest->p) : rest->n, used = lf ? n + 1 : n;
        *ret = (struct lt_slice){rest->p, n};
        rest->p += used;
        rest->n -= used;
        if (n >= 2 && ret->p[0] == '#' && ret->p[1] == ' ')
            continue;
        return true;
    }
    return false;
}

/* A copy on the heap of exactly its size, so that the sanitizer sees every byte read too much. */
static inline struct lt_slice test_exact(struct lt_slice s)
{
    char *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct lt_slice){p, s.n};
}

static inline void drop(struct lt_slice s)
{
    free((void *)(uintptr_t)s.p);
}

/* The segment with head, length and CRC round it; returned in a static buffer. */
static inline struct lt_slice test_frame(const char *segment)
{
    static char out[8192];
    size_t n = strlen(segment);
    int k = snprintf(out, sizeof out, "##%04zu%s%04X", n, segment, hj212_crc_plain(segment, n));
    assert_true(k > 0 && k < (int)sizeof out);
    return (struct lt_slice){out, (size_t)k};
}

/* Error of header, else of the data area; *bits gets the tolerances needed. */
static inline enum hj212_err test_judge(struct lt_slice raw, uint32_t tolerate, uint32_t *bits)
{
    static struct hj212_item items[HJ212_ITEMS_MAX];
    struct hj212_frame f;
    size_t n;
    enum hj212_err err = hj212_parse(raw, tolerate, &f);
    *bits |= f.tolerated;
    return err ? err : hj212_items(f.cp, tolerate, items, HJ212_ITEMS_MAX, &n, NULL, bits);
}
#endif
