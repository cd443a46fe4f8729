/* The list of kinds; the declarations stand by theme in kinds_*.c. */
#include "record/kinds.h"

static const struct record_kind *const kinds[] = {
#define X(n) &record_kind_##n,
    RECORD_KINDS(X)
#undef X
};

size_t record_kind_count(void)
{
    return sizeof kinds / sizeof kinds[0];
}

const struct record_kind *record_kind_at(size_t i)
{
    return i < record_kind_count() ? kinds[i] : NULL;
}
