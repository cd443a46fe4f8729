/* rule_device: silence, clock, two connections of one device, and the engine's own delay. */
#include "engine/rule.h"

void rule_ring_add(struct rule_ring *r, int64_t v)
{
    r->v[r->at] = v;
    r->at = (uint8_t)((r->at + 1) % RULE_RING);
    r->n = (uint8_t)(r->n < RULE_RING ? r->n + 1 : RULE_RING);
}

int64_t rule_ring_max(const struct rule_ring *r)
{
    int64_t m = INT64_MIN;
    for (unsigned i = 0; i < r->n; i++) {
        m = r->v[i] > m ? r->v[i] : m;
    }
    return m;
}

int64_t rule_ring_median(const struct rule_ring *r)
{
    if (r->n == 0) {
        return INT64_MIN;
    }
    int64_t v[RULE_RING];
    for (unsigned i = 0; i < r->n; i++) { /* insertion sort of at most 8 */
        unsigned k = i;
        for (; k > 0 && v[k - 1] > r->v[i]; k--) {
            v[k] = v[k - 1];
        }
        v[k] = r->v[i];
    }
    return v[(r->n - 1U) / 2];
}

unsigned rule_interval_s(unsigned rtd_interval_s, unsigned min_interval_min, const struct rule_ring *gaps_ms)
{
    if (rtd_interval_s) {
        return rtd_interval_s;
    }
    if (min_interval_min) {
        return min_interval_min * 60;
    }
    if (gaps_ms->n < 4) {
        return 600;
    }
    int64_t s = (rule_ring_max(gaps_ms) + 999) / 1000;
    return s < 30 ? 30 : s > 3900 ? 3900 : (unsigned)s;
}

int64_t rule_silence_at(const struct rule_params *p, int64_t last_ms, unsigned interval_s)
{
    lt_i128 wait = (lt_i128)rule_or(p->enter, 2 * LT_FIX_ONE) * interval_s + rule_or(p->param1, 60 * LT_FIX_ONE);
    return last_ms + lt_div_half_even(wait, 1000);
}

int64_t rule_drift_ms(const struct rule_ring *drift)
{
    if (drift->n < 3) {
        return INT64_MIN;
    }
    int64_t median = rule_ring_median(drift);
    return median > 0 ? median : rule_ring_max(drift);
}

enum rule_change rule_drift_step(const struct rule_params *p, struct rule_hold *h, int64_t drift_ms, int64_t at_ms)
{
    if (drift_ms == INT64_MIN) {
        return RULE_STAYS;
    }
    int64_t off = drift_ms < 0 ? -drift_ms : drift_ms;
    int64_t enter = rule_or(p->enter, 600 * LT_FIX_ONE) / 1000, leave = rule_or(p->leave, 300 * LT_FIX_ONE) / 1000;
    return rule_hold_step(h, off > enter, off <= (leave < enter ? leave : enter), at_ms, p->min_duration_ms);
}

static int64_t double_window_ms(const struct rule_params *p)
{
    return rule_or(p->param1, 10 * LT_FIX_ONE) / LT_FIX_ONE * 60000;
}

enum rule_change rule_double_step(const struct rule_params *p, struct rule_double *d, uint32_t conn, int64_t at_ms)
{
    if (conn == 0 || conn == d->conn[0]) {
        d->last_ms[0] = at_ms;
        return RULE_STAYS;
    }
    bool back = conn == d->conn[1] && at_ms - d->last_ms[1] <= double_window_ms(p);
    d->conn[1] = d->conn[0];
    d->last_ms[1] = d->last_ms[0];
    d->conn[0] = conn;
    d->last_ms[0] = at_ms;
    if (!back) {
        return RULE_STAYS; /* an ordinary reconnect */
    }
    d->swaps++;
    d->swap_ms = at_ms;
    if (d->active) {
        return RULE_STAYS;
    }
    d->active = true;
    return RULE_ENTERS;
}

enum rule_change rule_double_time(const struct rule_params *p, struct rule_double *d, int64_t at_ms)
{
    if (!d->active || at_ms - d->swap_ms <= 3 * double_window_ms(p)) {
        return RULE_STAYS;
    }
    d->active = false;
    d->swaps = 0;
    return RULE_LEAVES;
}

enum rule_change rule_behind_step(const struct rule_params *p, bool *active, int64_t lag_ms)
{
    int64_t enter = rule_or(p->enter, 60 * LT_FIX_ONE) / 1000, leave = rule_or(p->leave, 10 * LT_FIX_ONE) / 1000;
    if (!*active && lag_ms > enter) {
        *active = true;
        return RULE_ENTERS;
    }
    if (*active && lag_ms <= (leave < enter ? leave : enter)) {
        *active = false;
        return RULE_LEAVES;
    }
    return RULE_STAYS;
}
