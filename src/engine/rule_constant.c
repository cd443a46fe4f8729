/* rule_constant: values that do not move. How long a run of equal values must be to be suspicious follows from the
 * channel's own history: with p the share of equal neighbours, a run of r has the chance p^r, and 10^-6 is the limit.
 * A fixed number would be wrong for quiet channels and slow for noisy ones. */
#include "engine/rule.h"

#define GAP_MS (2 * INT64_C(3600000))

unsigned rule_run_limit(uint32_t same, uint32_t pairs)
{
    /* p in 2^-32; add-one estimate so that p is never 0 or 1 */
    uint64_t one = UINT64_C(1) << 32;
    uint64_t p = pairs < 200 ? one / 100 * 82 : ((uint64_t)same + 1) * one / ((uint64_t)pairs + 2);
    uint64_t chance = one * 1000; /* three more digits, so that 10^-6 is not lost in rounding */
    uint64_t goal = one / 1000;
    unsigned r = 0;
    while (chance > goal && r < RULE_RUN_MOST) {
        chance = (uint64_t)(((lt_u128)chance * p) >> 32);
        r++;
    }
    return r < RULE_RUN_LEAST ? RULE_RUN_LEAST : r;
}

static void age(struct rule_run *r, int32_t day)
{
    if (r->day != day) { /* a thirtieth fades each day that has data */
        r->same -= r->same / 30;
        r->pairs -= r->pairs / 30;
        r->day = day;
    }
}

enum rule_change rule_run_step(const struct rule_params *p, struct rule_run *r, int64_t value, int64_t at_ms,
                               int32_t day)
{
    age(r, day);
    bool joined = r->n > 0 && at_ms - r->last_ms <= GAP_MS;
    r->last_ms = at_ms;
    if (!joined || value != r->value) {
        r->pairs += joined;
        r->value = value;
        r->began_ms = at_ms;
        r->n = 1;
        bool left = r->active;
        r->active = false;
        return left ? RULE_LEAVES : RULE_STAYS;
    }
    if (r->n == 1) { /* by the history before this run; once per run, for it costs a loop */
        r->limit = rule_run_limit(r->same, r->pairs);
    }
    r->n++;
    if (r->n <= r->limit) { /* a frozen channel must not teach the rule that it is quiet */
        r->same++;
        r->pairs++;
    }
    if (r->active || r->n < r->limit || at_ms - r->began_ms < p->min_duration_ms) {
        return RULE_STAYS;
    }
    r->active = true;
    return RULE_ENTERS;
}
