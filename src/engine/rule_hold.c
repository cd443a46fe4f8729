/* rule_hold: validity of a rule and hysteresis with a least duration. */
#include "engine/rule.h"

bool rule_in_force(const struct rule_params *p, int64_t at_ms)
{
    return p->enabled && at_ms >= p->valid_from_ms && (p->valid_to_ms == 0 || at_ms < p->valid_to_ms);
}

enum rule_change rule_hold_step(struct rule_hold *h, bool enter, bool leave, int64_t at_ms, int64_t min_ms)
{
    bool turning = h->active ? leave : enter;
    if (h->active && !leave) {
        h->n += enter;
    }
    if (!turning) {
        h->since_ms = 0;
        h->n = h->active ? h->n : 0;
        return RULE_STAYS;
    }
    if (h->since_ms == 0) {
        h->since_ms = at_ms;
    }
    if (!h->active) {
        h->n++;
    }
    if (at_ms - h->since_ms < min_ms) {
        return RULE_STAYS;
    }
    h->active = !h->active;
    if (h->active) {
        h->began_ms = h->since_ms;
    }
    h->since_ms = 0;
    return h->active ? RULE_ENTERS : RULE_LEAVES;
}
