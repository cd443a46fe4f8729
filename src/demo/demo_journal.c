/* History of the demonstration city as a raw journal: what the devices would have sent, in the order it would have
 * come. */
#include "demo/demo.h"
#include "base/buf.h"
#include "base/clock.h"
#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>

enum { RTD_HOURS = 6, MIN_HOURS = 72, COMMIT_RECORDS = 2000 };

struct event { /* one thing that reaches the post */
    int64_t at_ms;
    uint32_t device, offset, n;
    uint8_t kind, reason;
};
struct hour { /* everything that arrives within one hour, and what was held back for later */
    struct event *ev;
    size_t n, cap;
    struct lt_buf bytes;
};

static bool add(struct hour *h, int64_t at_ms, uint32_t device, uint8_t kind, uint8_t reason, const char *p, size_t n)
{
    if (!lt_grow(&h->ev, h->n, &h->cap, sizeof *h->ev))
        return false;
    h->ev[h->n++] = (struct event){at_ms, device, (uint32_t)h->bytes.n, (uint32_t)n, kind, reason};
    lt_buf_add(&h->bytes, p, n);
    return !h->bytes.failed;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* A frame due at due_ms reaches the post then, or, when the device is silent, at the end of its silence. */
static int64_t arrival(const struct sim_device *d, int64_t due_ms)
{
    while (sim_event_at(d, due_ms, NULL) == SIM_SILENT)
        due_ms += LT_MIN_MS;
    return due_ms;
}

static bool frame(struct hour *h, const struct sim_device *d, uint32_t device, enum sim_kind kind, int64_t data_ms,
                  int64_t due_ms, uint64_t *made)
{
    char text[HJ212_FRAME_MAX];
    int64_t at = arrival(d, due_ms), error = sim_clock_error_ms(d, at);
    if (kind == SIM_RTD && at != due_ms)
        return true; /* the present is not told later */
    size_t n = sim_frame(d, kind, data_ms + (kind == SIM_RTD ? error : 0), at + error, at != due_ms, text, sizeof text);
    n = n > 2 ? n - 2 : 0; /* the journal keeps ## … CRC */
    if (!n)
        return true;
    uint64_t k = ++*made;
    if (sim_event_at(d, at, NULL) == SIM_BROKEN && k % 10 == 3) {
        text[n / 2] = '?';
        return add(h, at, device, JOURNAL_REJECT, HJ212_E_CRC, text, n);
    }
    return add(h, at, device, JOURNAL_FRAME, 0, text, n);
}

/* All that one device has to tell of the hour that starts at from_ms. */
static bool device_hour(struct hour *h, const struct sim_device *d, uint32_t device, int64_t from_ms, int64_t left_ms,
                        uint64_t *made)
{
    int64_t delay = (int64_t)(d->seed % 20000), to = from_ms + LT_HOUR_MS, step = d->min_interval_min * LT_MIN_MS;
    bool ok = true;
    /* Loggers keep the fine data of their last days only; of earlier days they tell hours and days. */
    bool fine = left_ms <= MIN_HOURS * LT_HOUR_MS, realtime = left_ms <= RTD_HOURS * LT_HOUR_MS;
    for (int64_t t = from_ms; ok && fine && t < to; t += step)
        ok = frame(h, d, device, SIM_MIN, t, t + step + delay, made);
    for (int64_t t = from_ms; ok && realtime && t < to; t += 2 * LT_MIN_MS)
        ok = frame(h, d, device, SIM_RTD, t, t + delay % 2000, made);
    for (int64_t t = from_ms; ok && fine && t < to; t += 30 * LT_MIN_MS)
        ok = frame(h, d, device, SIM_STATE, t, t + delay, made);
    if (ok)
        ok = frame(h, d, device, SIM_HOUR, from_ms, to + delay + 3000, made);
    if (ok && lt_day_start(to, d->tz_min) == to)
        ok = frame(h, d, device, SIM_DAY, to - LT_DAY_MS, to + delay + 6000, made);
    static const char gone[] = "close (closed by device) 127.0.0.1:40000", came[] = "open 127.0.0.1:40000";
    for (int64_t t = from_ms; ok && t < to; t += LT_MIN_MS) { /* its connection ends and begins with silence */
        bool now = sim_event_at(d, t, NULL) == SIM_SILENT, before = sim_event_at(d, t - LT_MIN_MS, NULL) == SIM_SILENT;
        if (now && !before)
            ok = add(h, t, device, JOURNAL_CONN, 0, gone, sizeof gone - 1);
        else if (before && !now)
            ok = add(h, t, device, JOURNAL_CONN, 0, came, sizeof came - 1);
    }
    return ok;
}

/* Writes what arrived before until_ms; the rest (late arrivals) stays for the next hours. */
static enum lt_err write_out(struct hour *h, struct journal *j, const struct sim_device *devs, int64_t until_ms,
                             struct lt_error *err)
{
    size_t done = 0, open = 0;
    int64_t last = 0;
    qsort(h->ev, h->n, sizeof *h->ev, by_time);
    while (done < h->n && h->ev[done].at_ms < until_ms) {
        const struct event *e = &h->ev[done++];
        struct journal_record r = {.at_ms = e->at_ms,
                                   .kind = e->kind,
                                   .reason = e->reason,
                                   .conn = e->device + 1,
                                   .mn = {devs[e->device].mn, strlen(devs[e->device].mn)},
                                   .bytes = {h->bytes.p + e->offset, e->n}};
        uint64_t seq = journal_add(j, &r);
        open++;
        if (e->kind == JOURNAL_FRAME && e->offset % 131 == 7) { /* now and then a device sends twice */
            struct journal_record twice = {
                .at_ms = e->at_ms + 40, .kind = JOURNAL_DUPLICATE, .ref = seq, .conn = r.conn, .mn = r.mn};
            journal_add(j, &twice);
        }
        last = e->at_ms;
        /* no batch spans two days, because each belongs to one day's file */
        bool day_ends =
            done == h->n || lt_day_start(h->ev[done].at_ms, devs[0].tz_min) != lt_day_start(last, devs[0].tz_min);
        if (open >= COMMIT_RECORDS || day_ends) {
            enum lt_err e2 = journal_commit(j, last, err);
            if (e2 != LT_OK)
                return e2;
            open = 0;
        }
    }
    if (open) {
        enum lt_err e = journal_commit(j, last, err);
        if (e != LT_OK)
            return e;
    }
    struct lt_buf keep = LT_BUF_INIT(h->bytes.limit);
    for (size_t i = done; i < h->n; i++) {
        struct event e = h->ev[i];
        size_t at = keep.n;
        lt_buf_add(&keep, h->bytes.p + e.offset, e.n);
        e.offset = (uint32_t)at;
        h->ev[i - done] = e;
    }
    h->n -= done;
    lt_buf_fini(&h->bytes);
    h->bytes = keep;
    return LT_OK;
}

enum lt_err demo_journal(const struct demo_config *cfg, const struct demo_plan *plan, int64_t from_ms,
                         uint64_t *ret_frames, struct lt_error *err)
{
    struct demo_info info = {.seed = plan->seed, .outlets = plan->outlets};
    struct hour h = {.bytes = LT_BUF_INIT((size_t)1 << 30)};
    size_t n;
    struct sim_device *d = demo_devices(&info, cfg->tz_min, &n);
    struct journal *j = NULL;
    enum lt_err e = d ? journal_open(cfg->dir, cfg->tz_min, &j, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; e == LT_OK && i < n; i++)
        d[i].memo = sim_memo_create(); /* NULL only costs time */
    *ret_frames = 0;
    int64_t end = lt_hour_start(cfg->now_ms, cfg->tz_min);
    for (int64_t t = from_ms; e == LT_OK && t < end; t += LT_HOUR_MS) {
        for (size_t i = 0; e == LT_OK && i < n; i++)
            if (!device_hour(&h, &d[i], (uint32_t)i, t, end - t, ret_frames))
                e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        if (e == LT_OK)
            e = write_out(&h, j, d, t + LT_HOUR_MS < end ? t + LT_HOUR_MS : cfg->now_ms, err);
        if (cfg->progress)
            cfg->progress(cfg->user, "journal", (double)(t - from_ms) / (double)(end - from_ms));
    }
    journal_close(&j);
    for (size_t i = 0; d && i < n; i++)
        sim_memo_destroy(&d[i].memo);
    free(d);
    free(h.ev);
    lt_buf_fini(&h.bytes);
    return e;
}
