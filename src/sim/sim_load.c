/* LOAD: frames from a pool of value texts, so that making one costs a copy, three time stamps and a CRC. */
#include "sim/sim_priv.h"
#include "base/clock.h"

#include <stdlib.h>

bool sim_load_init(struct sim_client *c)
{
    const struct sim_client_config *cfg = c->cfg;
    for (unsigned i = 0; i < SIM_POOL; i++) {
        char frame[SIM_FRAME_CAP];
        struct sim_device d;
        sim_device_init(&d, i, 7, SIM_THERMAL_POWER);
        d.misbehaves = false;
        d.edition = HJ212_2017;
        size_t n = sim_frame(&d, SIM_RTD, INT64_C(1770000000000) + i * LT_HOUR_MS, INT64_C(1770000000000), false, frame,
                             sizeof frame);
        struct hj212_frame f;
        if (!n || hj212_parse((struct lt_slice){frame, n}, HJ212_TOLERATE_DEFAULT, &f) != HJ212_E_OK)
            return false;
        size_t skip = strlen("DataTime=YYYYMMDDhhmmss");
        c->pool_n[i] = f.cp.n - skip;
        c->pool[i] = malloc(c->pool_n[i] + 1);
        if (!c->pool[i])
            return false;
        memcpy(c->pool[i], f.cp.p + skip, c->pool_n[i]);
    }
    for (unsigned i = 0; i < cfg->n; i++)
        c->conns[i].next_data_ms = lt_wall_ms() - cfg->backlog_ms;
    return true;
}

void sim_load_fini(struct sim_client *c)
{
    for (unsigned i = 0; i < SIM_POOL; i++)
        free(c->pool[i]);
}

bool sim_load_one(struct sim_client *c, struct sim_conn *k, int64_t now_us, int64_t wall_ms)
{
    struct sim_slot *s = sim_slot_next(k, c->window);
    const struct sim_client_config *cfg = c->cfg;
    int64_t data_ms = wall_ms;
    if (cfg->backlog_ms) {
        data_ms = k->next_data_ms;
        if (data_ms > wall_ms)
            data_ms = wall_ms; /* caught up: stay with the present */
        else
            k->next_data_ms += cfg->step_ms ? cfg->step_ms : 30000;
    }
    int64_t qn_ms = data_ms > k->last_qn_ms ? data_ms : k->last_qn_ms + 1;
    k->last_qn_ms = qn_ms;
    char area[SIM_FRAME_CAP], when[18], qn[18];
    unsigned pick = (unsigned)((k->made++ + k->index * 31u) % SIM_POOL);
    lt_time_format_compact(data_ms, k->dev->tz_min, false, when);
    lt_time_format_compact(qn_ms, k->dev->tz_min, true, qn);
    memcpy(area, "DataTime=", 9);
    memcpy(area + 9, when, 14);
    memcpy(area + 23, c->pool[pick], c->pool_n[pick]);
    struct hj212_head h = {.qn = {qn, 17},
                           .pw = {k->dev->pw, 6},
                           .mn = {k->dev->mn, strlen(k->dev->mn)},
                           .st = 31,
                           .cn = 2011,
                           .edition = HJ212_2017,
                           .answer = true};
    size_t n = hj212_build(&h, (struct lt_slice){area, 23 + c->pool_n[pick]}, s->bytes, SIM_FRAME_CAP);
    if (!n)
        return false;
    s->n = (uint16_t)n;
    s->busy = true;
    s->sends = 1;
    s->first_us = s->last_us = now_us;
    k->count++;
    c->rep->sent++;
    sim_conn_send(c, k, s->bytes, n);
    return true;
}
