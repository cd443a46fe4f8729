/* rule_limit: is the mean of a period above the limit of its outlet. Unknown is never "ok". */
#include "engine/rule.h"

/* value against multiple * limit, exact: both sides times one million. */
static bool above(int64_t value, int64_t limit, int64_t multiple)
{
    return (lt_i128)value * LT_FIX_ONE > (lt_i128)limit * multiple;
}

enum rule_limit rule_limit_judge(const struct rule_params *p, const struct rule_limit_input *in)
{
    if (!in->has_limit) {
        return RULE_LIMIT_NONE;
    }
    int64_t value = in->converted_basis ? in->converted : in->measured;
    if (!in->valid || value == LT_FIX_NONE || in->share < rule_or(p->min_valid_share, 0)) {
        return RULE_LIMIT_UNKNOWN;
    }
    int64_t enter = rule_or(p->enter, LT_FIX_ONE), leave = rule_or(p->leave, enter);
    if (!above(value, in->limit, leave < enter ? leave : enter)) {
        return RULE_LIMIT_OK;
    }
    if (!above(value, in->limit, enter)) {
        return RULE_LIMIT_BAND;
    }
    if (in->declared && (p->param1 == LT_FIX_NONE || (int64_t)in->exempt_used < p->param1 / LT_FIX_ONE)) {
        return RULE_LIMIT_EXEMPT;
    }
    return RULE_LIMIT_EXCEED;
}
