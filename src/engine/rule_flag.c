/* rule_flag: maintenance and calibration marks used to hide. A mark is a claim to be checked, not a fact. */
#include "engine/rule.h"

#define STARTS_LEAST 3

enum rule_change rule_flag_step(const struct rule_params *p, struct rule_flag *f, const struct rule_flag_hour *h)
{
    bool left = false;
    if (h->month < f->month) {
        return RULE_STAYS; /* an hour of a month that is counted out, told late: it must not wipe out this month's */
    }
    if (f->month != h->month) {
        left = f->active;
        *f = (struct rule_flag){.month = h->month, .was_flagged = f->was_flagged};
    }
    f->flagged = (uint16_t)(f->flagged + h->flagged);
    if (h->any_flag && !f->was_flagged) {
        f->starts++;
        f->suspicious = (uint16_t)(f->suspicious + h->would_exceed);
    }
    f->was_flagged = h->any_flag;
    int64_t share = rule_or(p->enter, 5 * LT_FIX_ONE), hide = rule_or(p->param1, 30 * LT_FIX_ONE);
    bool much = (lt_i128)f->flagged * 100 * LT_FIX_ONE > (lt_i128)share * h->month_hours;
    bool hides = f->suspicious >= STARTS_LEAST && (lt_i128)f->suspicious * 100 * LT_FIX_ONE > (lt_i128)hide * f->starts;
    if (!f->active && (much || hides)) {
        f->active = true;
        return RULE_ENTERS;
    }
    return left ? RULE_LEAVES : RULE_STAYS;
}
