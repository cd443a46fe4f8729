/* LOAD: frames from a pool of value texts, so that making one costs a copy, three time stamps and a CRC. */
#include "sim/sim_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fix.h"
#include "sim/sim_noise.h"

#include <stdlib.h>

/* What the other devices of a city send. HJ 212 has no codes for these quantities: makers agree on names with the
 * office, and these are such names. Metering points are numbered behind the name. */
struct quantity {
    const char *code;
    unsigned decimals;
    double mid, swing;
};
static const struct quantity power_point[] = {/* current, voltage, active power, energy of one metering point */
                                              {"a", 1, 42, 30},
                                              {"v", 1, 229, 6},
                                              {"p", 2, 27, 20},
                                              {"e", 1, 52000, 900},
                                              {0}};
static const struct quantity dust_site[] = {{"a34001", 1, 160, 90}, {"a34002", 1, 110, 60},  {"a34004", 1, 60, 30},
                                            {"a01001", 1, 12, 9},   {"a01002", 1, 55, 25},   {"a01006", 2, 101.3, 1},
                                            {"a01007", 1, 3, 2},    {"a01008", 0, 180, 170}, {0}};
static const struct quantity vehicle[] = {{"lon", 6, 112.45, 0.4},
                                          {"lat", 6, 34.62, 0.3},
                                          {"speed", 1, 40, 38},
                                          {"course", 0, 180, 179},
                                          {"load", 1, 15, 14},
                                          {"odo", 1, 120000, 90000},
                                          {0}};
static const struct {
    const char *name;
    uint16_t st;
    const struct quantity *each; /* NULL: as an invented stack's monitor */
    unsigned points2;            /* how often, in halves: every second device has one point more */
} loads[] = {[SIM_LOAD_CEMS] = {"cems", 31, NULL, 0},
             [SIM_LOAD_POWER] = {"power", 44, power_point, 19},
             [SIM_LOAD_DUST] = {"dust", 39, dust_site, 2},
             [SIM_LOAD_VEHICLE] = {"vehicle", 99, vehicle, 2}}; /* 99: HJ 212 knows no vehicles */

bool sim_load_kind(const char *name, enum sim_load *ret)
{
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        if (strcmp(loads[i].name, name) == 0) {
            *ret = (enum sim_load)i;
            return true;
        }
    return false;
}

static void quantities(struct lt_buf *b, enum sim_load kind, unsigned pick)
{
    unsigned points = (loads[kind].points2 + pick % 2) / 2;
    for (unsigned p = 1; p <= points; p++)
        for (const struct quantity *q = loads[kind].each; q->code; q++) {
            double share = sim_unit(sim_mix(pick * 64 + p, (uint64_t)(q - loads[kind].each)));
            char text[32];
            lt_buf_addf(b, ";%s", q->code);
            if (points > 1)
                lt_buf_addf(b, "%02u", p);
            lt_buf_adds(b, "-Rtd=");
            lt_buf_add(b, text,
                       lt_fix_format((int64_t)((q->mid + q->swing * (2 * share - 1)) * 1e6), q->decimals, text));
        }
}

static bool stack_values(struct lt_buf *b, unsigned pick)
{
    char frame[SIM_FRAME_CAP];
    struct sim_device d;
    sim_device_init(&d, pick, 7, SIM_THERMAL_POWER);
    d.misbehaves = false;
    d.edition = HJ212_2017;
    size_t n = sim_frame(&d, SIM_RTD, INT64_C(1770000000000) + pick * LT_HOUR_MS, INT64_C(1770000000000), false, frame,
                         sizeof frame);
    struct hj212_frame f;
    if (!n || hj212_parse((struct lt_slice){frame, n}, HJ212_TOLERATE_DEFAULT, &f) != HJ212_E_OK)
        return false;
    size_t skip = strlen("DataTime=YYYYMMDDhhmmss");
    lt_buf_add(b, f.cp.p + skip, f.cp.n - skip);
    return true;
}

bool sim_load_init(struct sim_client *c)
{
    const struct sim_client_config *cfg = c->cfg;
    for (unsigned i = 0; i < SIM_POOL; i++) {
        struct lt_buf b = LT_BUF_INIT(HJ212_SEGMENT_MAX);
        bool ok = true;
        if (loads[cfg->load].each)
            quantities(&b, cfg->load, i);
        else
            ok = stack_values(&b, i);
        c->pool_n[i] = b.n;
        c->pool[i] = ok && !b.failed ? malloc(b.n + 1) : NULL;
        if (c->pool[i])
            memcpy(c->pool[i], b.p, b.n);
        lt_buf_fini(&b);
        if (!c->pool[i])
            return false;
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
                           .st = loads[cfg->load].st,
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
