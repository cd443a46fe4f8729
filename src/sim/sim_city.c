/* CITY: each device keeps its schedule on the wall clock. A device that was silent runs its schedule through from where
 * it stopped, which is back-filling: hour, day and minute data with their old data times, real-time data not. */
#include "sim/sim_priv.h"
#include "base/clock.h"

static const enum sim_kind kinds[] = {SIM_RTD, SIM_MIN, SIM_HOUR, SIM_DAY, SIM_STATE};

static int64_t period_ms(const struct sim_device *d, enum sim_kind kind)
{
    switch (kind) {
    case SIM_RTD:
        return d->rtd_interval_s * LT_SEC_MS;
    case SIM_MIN:
        return d->min_interval_min * LT_MIN_MS;
    case SIM_HOUR:
        return LT_HOUR_MS;
    case SIM_DAY:
        return LT_DAY_MS;
    case SIM_STATE:
        break;
    }
    return 30 * LT_MIN_MS;
}

/* Devices do not all speak at the same instant: each has its own delay behind the end of a period. */
static int64_t delay_ms(const struct sim_device *d, enum sim_kind kind)
{
    int64_t spread = kind == SIM_RTD   ? d->rtd_interval_s * LT_SEC_MS
                     : kind == SIM_MIN ? 20 * LT_SEC_MS
                                       : 50 * LT_SEC_MS;
    return (int64_t)(d->seed % (uint64_t)spread);
}

static int64_t floor_local(const struct sim_device *d, int64_t at_ms, int64_t unit)
{
    int64_t off = (int64_t)d->tz_min * LT_MIN_MS, r = (at_ms + off) % unit;
    return at_ms - r;
}

void sim_city_init(struct sim_client *c, struct sim_conn *k, int64_t wall_ms)
{
    int64_t from = c->cfg->history_from_ms ? c->cfg->history_from_ms : wall_ms;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        /* next_ms is the start of the next period to be told of (for real-time: the moment) */
        int64_t p = period_ms(k->dev, kinds[i]);
        int64_t at = kinds[i] == SIM_RTD ? wall_ms : from;
        k->next_ms[kinds[i]] = floor_local(k->dev, at, p) + (kinds[i] == SIM_RTD ? delay_ms(k->dev, SIM_RTD) : 0);
    }
}

bool sim_city_wants_connection(const struct sim_conn *k, int64_t wall_ms)
{
    return sim_event_at(k->dev, wall_ms, NULL) != SIM_SILENT;
}

/* When the frame of that period may go out. */
static int64_t due_ms(const struct sim_conn *k, enum sim_kind kind)
{
    int64_t at = k->next_ms[kind];
    return kind == SIM_RTD || kind == SIM_STATE ? at + (kind == SIM_STATE ? delay_ms(k->dev, kind) : 0)
                                                : at + period_ms(k->dev, kind) + delay_ms(k->dev, kind);
}

static void send_one(struct sim_client *c, struct sim_conn *k, enum sim_kind kind, int64_t now_us, int64_t wall_ms)
{
    struct sim_slot *s = sim_slot_next(k, c->window);
    const struct sim_device *d = k->dev;
    int64_t error = sim_clock_error_ms(d, wall_ms), data_ms = k->next_ms[kind];
    int64_t qn_ms = wall_ms + error;
    if (qn_ms <= k->last_qn_ms)
        qn_ms = k->last_qn_ms + 1;
    k->last_qn_ms = qn_ms;
    bool late = kind != SIM_RTD && wall_ms > due_ms(k, kind) + 2 * LT_MIN_MS;
    size_t n = sim_frame(d, kind, data_ms + (kind == SIM_RTD ? error : 0), qn_ms, late, s->bytes, SIM_FRAME_CAP);
    k->next_ms[kind] += period_ms(d, kind);
    if (!n)
        return;
    k->made++;
    enum sim_event event = sim_event_at(d, wall_ms, NULL);
    if (event == SIM_BROKEN && k->made % 10 == 3) { /* damaged on the way: the platform stays silent */
        s->bytes[n / 2] = '?';
        sim_conn_send(c, k, s->bytes, n);
        c->rep->sent++;
        return;
    }
    s->n = (uint16_t)n;
    s->busy = true;
    s->sends = 1;
    s->first_us = s->last_us = now_us;
    k->count++;
    c->rep->sent++;
    sim_conn_send(c, k, s->bytes, n);
    if (k->made % 97 == (d->seed & 63)) /* now and then a device sends twice */
        sim_conn_send(c, k, s->bytes, n);
}

void sim_city_step(struct sim_client *c, struct sim_conn *k, int64_t now_us, int64_t wall_ms)
{
    for (unsigned budget = 16; budget && sim_slot_free(c, k); budget--) {
        enum sim_kind best = SIM_RTD;
        int64_t when = INT64_MAX;
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            if (kinds[i] == SIM_RTD && k->rtd_off)
                continue;
            int64_t due = due_ms(k, kinds[i]);
            if (due < when) {
                when = due;
                best = kinds[i];
            }
        }
        if (when > wall_ms)
            return;
        if (best == SIM_RTD && wall_ms - when > 2 * LT_MIN_MS) { /* the present is not repeated later */
            k->next_ms[SIM_RTD] = floor_local(k->dev, wall_ms, period_ms(k->dev, SIM_RTD)) + delay_ms(k->dev, SIM_RTD);
            continue;
        }
        send_one(c, k, best, now_us, wall_ms);
    }
}
