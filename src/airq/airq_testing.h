/* What tests of airq share: standards by name, decimals as text. */
#ifndef AIRQ_TESTING_H
#define AIRQ_TESTING_H
#include "airq/airq_assess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ONE ((lt_i128)INT64_C(1000000000000) * INT64_C(1000000000000))
enum { UG = 10000 /* ticks in a µg/m3 */ };

static inline const struct airq_standard *std(const char *name)
{
    const struct airq_standard *s = airq_standard_find(lt_slice_of(name));
    assert_non_null(s);
    return s;
}

static inline int64_t fix(const char *z)
{
    int64_t v;
    assert_true(lt_fix_parse(lt_slice_of(z), &v));
    return v;
}

static inline void assert_fix(int64_t v, const char *want)
{
    char z[32] = "none";
    if (v != AIRQ_NONE)
        lt_fix_format_short(v, z);
    assert_string_equal(z, want);
}
#endif
