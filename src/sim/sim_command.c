/* What a simulated device does with commands: answers as HJ 212-2017 Appendix C shows (9011, the answer, 9012). */
#include "sim/sim_priv.h"
#include "base/clock.h"

#include <stdio.h>

static void reply(struct sim_client *c, struct sim_conn *k, const struct hj212_frame *f, uint16_t cn, int code)
{
    char out[256];
    size_t n = hj212_build_answer(f, cn, code, out, sizeof out);
    if (n)
        sim_conn_send(c, k, out, n);
}

/* A single answer comes back under the request's QN and CN. */
static void answer(struct sim_client *c, struct sim_conn *k, const struct hj212_frame *f, const char *area)
{
    char out[512];
    struct hj212_head h = {
        .qn = f->qn, .pw = f->pw, .mn = f->mn, .st = f->st, .cn = f->cn, .edition = (enum hj212_edition)f->edition};
    size_t n = hj212_build(&h, lt_slice_of(area), out, sizeof out);
    if (n)
        sim_conn_send(c, k, out, n);
}

static bool number_of(const struct hj212_frame *f, const char *key, int64_t *ret)
{
    struct hj212_item items[32];
    size_t n;
    uint32_t at;
    if (hj212_items(f->cp, HJ212_TOLERATE_DEFAULT | HJ212_TOL(NOT_NUMBER), items, 32, &n, &at, NULL) != HJ212_E_OK)
        return false;
    const struct hj212_item *it = hj212_find(f->cp, items, n, key);
    if (!it || it->kind == HJ212_V_TEXT || it->kind == HJ212_V_EMPTY)
        return false;
    *ret = it->number;
    return true;
}

/* History: one frame per period of the range, with QNs of their own, at most a day's worth of minutes. */
static int history(struct sim_client *c, struct sim_conn *k, const struct hj212_frame *f, enum sim_kind kind,
                   int64_t step_ms, int64_t wall_ms)
{
    int64_t from, to;
    if (!number_of(f, "BeginTime", &from) || !number_of(f, "EndTime", &to) || to < from)
        return 3; /* ExeRtn 3: the condition of the command is wrong */
    int64_t off = (int64_t)k->dev->tz_min * LT_MIN_MS;
    from -= off;
    to -= off;
    unsigned sent = 0;
    for (int64_t t = from - (from + off) % step_ms; t <= to && t + step_ms <= wall_ms && sent < 1440;
         t += step_ms, sent++) {
        char out[SIM_FRAME_CAP];
        k->last_qn_ms = wall_ms > k->last_qn_ms ? wall_ms : k->last_qn_ms + 1;
        size_t n = sim_frame(k->dev, kind, t, k->last_qn_ms, true, out, sizeof out);
        if (n)
            sim_conn_send(c, k, out, n);
    }
    return sent ? 1 : 100; /* ExeRtn 100: no data */
}

void sim_command(struct sim_client *c, struct sim_conn *k, const struct hj212_frame *f, int64_t wall_ms)
{
    const struct hj212_command *cmd = hj212_command_find(f->cn);
    char area[128], when[18];
    int64_t v;
    int done = 1;
    if (f->cn >= 9011 && f->cn <= 9014)
        return; /* answers to us */
    c->rep->commands++;
    if (cmd && cmd->down == HJ212_FLOW_NOTICE) {
        k->rtd_off = k->rtd_off || f->cn == 2012;
        reply(c, k, f, 9013, 1);
        return;
    }
    if (!cmd || !cmd->down) {
        reply(c, k, f, 9011, 8); /* QnRtn 8: CN wrong */
        return;
    }
    reply(c, k, f, 9011, 1);
    switch (f->cn) {
    case 1011:
        lt_time_format_compact(wall_ms + sim_clock_error_ms(k->dev, wall_ms), k->dev->tz_min, false, when);
        snprintf(area, sizeof area, "SystemTime=%s", when);
        answer(c, k, f, area);
        break;
    case 1061:
        snprintf(area, sizeof area, "RtdInterval=%u", k->dev->rtd_interval_s);
        answer(c, k, f, area);
        break;
    case 1063:
        snprintf(area, sizeof area, "MinInterval=%u", k->dev->min_interval_min);
        answer(c, k, f, area);
        break;
    case 1062:
        if (number_of(f, "RtdInterval", &v) && v >= 30 && v <= 3600)
            k->dev->rtd_interval_s = (unsigned)v;
        else
            done = 3;
        break;
    case 1064:
        if (number_of(f, "MinInterval", &v) && v >= 1 && v <= 30 && 60 % v == 0)
            k->dev->min_interval_min = (unsigned)v;
        else
            done = 3;
        break;
    case 2011:
        k->rtd_off = false;
        break;
    case 2051:
        done = history(c, k, f, SIM_MIN, k->dev->min_interval_min * LT_MIN_MS, wall_ms);
        break;
    case 2061:
        done = history(c, k, f, SIM_HOUR, LT_HOUR_MS, wall_ms);
        break;
    case 2031:
        done = history(c, k, f, SIM_DAY, LT_DAY_MS, wall_ms);
        break;
    default:
        break; /* time, time-outs, password, calibration …: done without more ado */
    }
    reply(c, k, f, 9012, done);
}
