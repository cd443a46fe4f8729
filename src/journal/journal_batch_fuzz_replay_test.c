/* The fuzz target over bodies the writer makes, some bytes changed, some cut short. */
#include "base/fuzz_replay.h"
#include "journal/journal_priv.h"

static size_t make_body(struct lt_rand *rand, uint8_t *ret, size_t cap)
{
    struct journal_box *x = journal_box_create(NULL);
    char text[120];
    for (size_t k = 1 + lt_rand_below(rand, 6); k > 0; k--) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)('0' + lt_rand_below(rand, 60));
        struct journal_record r = {.kind = (uint8_t)(1 + lt_rand_below(rand, 8)),
                                   .at_ms = (int64_t)lt_rand_below(rand, INT64_C(4000000000000)),
                                   .conn = (uint32_t)lt_rand_u64(rand),
                                   .ref = lt_rand_u64(rand) >> lt_rand_below(rand, 64),
                                   .flags = (uint16_t)lt_rand_below(rand, 2),
                                   .reason = (uint8_t)lt_rand_below(rand, 70),
                                   .bytes = {text, lt_rand_below(rand, sizeof text)}};
        r.mn = (struct lt_slice){text + lt_rand_below(rand, 40), lt_rand_below(rand, 24)};
        if (!journal_box_add(x, &r))
            abort();
    }
    const size_t n = x->b.body.n < cap - 1 ? x->b.body.n : cap - 1;
    ret[0] = (uint8_t)x->b.count;
    memcpy(ret + 1, x->b.body.p, n);
    if (!journal_box_index(x))
        abort();
    struct journal_batch *b = &x->b;
    journal_batch_unref(&b);
    return n + 1;
}

static size_t make(struct lt_rand *rand, uint8_t *ret, size_t cap)
{
    size_t n = make_body(rand, ret, cap);
    for (size_t k = lt_rand_below(rand, 5); k > 0; k--)
        ret[lt_rand_below(rand, n)] = (uint8_t)lt_rand_u64(rand);
    return lt_rand_below(rand, 3) ? n : lt_rand_below(rand, n + 1);
}

int main(void)
{
    return fuzz_replay_made("batch bodies", make, 20000);
}
