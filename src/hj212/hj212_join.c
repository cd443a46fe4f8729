/* Tells when all sub-packets of a set have come. Every packet is stored on its own (each repeats DataTime); this only
 * answers "is it complete, was this one here before". */
#include "hj212/hj212.h"

static bool complete(const struct hj212_join *j, size_t i)
{
    return j->set[i].have == j->set[i].pnum;
}

/* The place for a new set: an empty or complete one, the longest unused first; else the oldest unfinished. */
static size_t victim(const struct hj212_join *j)
{
    size_t best = 0;
    for (size_t i = 1; i < HJ212_JOIN_OPEN; i++) {
        bool a = complete(j, i), b = complete(j, best);
        if (a != b ? a : j->tick - j->set[i].age > j->tick - j->set[best].age)
            best = i;
    }
    return best;
}

enum hj212_join_result hj212_join_add(struct hj212_join *j, uint16_t st, uint16_t cn, int64_t data_at_ms, uint16_t pnum,
                                      uint16_t pno)
{
    size_t i = 0;
    if (pnum == 0 || pno == 0 || pno > pnum || pnum > HJ212_PNUM_MAX)
        return HJ212_JOIN_REFUSED;
    while (i < HJ212_JOIN_OPEN &&
           !(j->set[i].pnum == pnum && j->set[i].st == st && j->set[i].cn == cn && j->set[i].data_at_ms == data_at_ms))
        i++;
    if (i == HJ212_JOIN_OPEN) {
        i = victim(j);
        j->abandoned += !complete(j, i);
        memset(&j->set[i], 0, sizeof j->set[i]);
        j->set[i].st = st;
        j->set[i].cn = cn;
        j->set[i].data_at_ms = data_at_ms;
        j->set[i].pnum = pnum;
    }
    uint64_t *word = &j->set[i].seen[(pno - 1) / 64], bit = UINT64_C(1) << (pno - 1) % 64;
    j->set[i].age = ++j->tick;
    if (*word & bit)
        return HJ212_JOIN_REPEATED;
    *word |= bit;
    j->set[i].have++;
    return complete(j, i) ? HJ212_JOIN_COMPLETE : HJ212_JOIN_PART;
}
