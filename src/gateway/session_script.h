/* A session under a script: virtual time, records and answers in memory. For tests and the fuzz target only. */
#ifndef LT_GATEWAY_SESSION_SCRIPT_H
#define LT_GATEWAY_SESSION_SCRIPT_H
#include "gateway/session.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCRIPT_RECORDS = 2048, SCRIPT_ENTRIES = 1024, SCRIPT_OUT = 1 << 17 };

struct script_record {
    struct journal_record r; /* mn and bytes are copies */
    struct session_reply reply;
    bool has_reply, durable;
};
struct script_entry {
    char mn[65];
    unsigned conns, frames, refused;
    int64_t drift_ms;
    bool pending;
    char cause[48];
};
struct script {
    struct session s;
    struct session_env e;
    struct registry *reg;
    struct script_record rec[SCRIPT_RECORDS];
    size_t n, seen, durable;
    size_t room; /* records that may still be taken */
    char *out;
    size_t out_n, out_seen;
    struct script_entry entry[SCRIPT_ENTRIES];
    size_t entries, strangers_most;
    struct gateway_command cmd; /* as last told */
    unsigned told;
    enum session_first first; /* what the limits allow */
    unsigned firsts;
    uint32_t settings;
    char scratch[HJ212_FRAME_MAX];
    char in[SESSION_HEADROOM + 70000];
};

static bool script_record(void *user, const struct journal_record *r, const struct session_reply *reply)
{
    struct script *x = user;
    if (x->room == 0)
        return false;
    x->room--;
    if (x->n == SCRIPT_RECORDS)
        return false;
    struct script_record *k = &x->rec[x->n++];
    char *copy = malloc(r->mn.n + r->bytes.n + 1);
    memcpy(copy, r->mn.p, r->mn.n);
    memcpy(copy + r->mn.n, r->bytes.p, r->bytes.n);
    *k = (struct script_record){.r = *r, .has_reply = reply != NULL};
    k->r.mn.p = copy;
    k->r.bytes.p = copy + r->mn.n;
    if (reply)
        k->reply = *reply;
    return true;
}

static void script_send(void *user, const char *p, size_t n)
{
    struct script *x = user;
    if (x->out_n + n >= SCRIPT_OUT) /* answers and commands of at most SCRIPT_RECORDS records */
        abort();
    memcpy(x->out + x->out_n, p, n);
    x->out_n += n;
}

static void *script_attach(void *user, struct lt_slice mn, bool registered, struct lt_slice *ret)
{
    struct script *x = user;
    struct script_entry *d = NULL;
    for (size_t i = 0; i < x->entries && !d; i++)
        if (lt_slice_is(mn, x->entry[i].mn))
            d = &x->entry[i];
    if (!d && ((!registered && x->strangers_most == 0) || x->entries == SCRIPT_ENTRIES))
        return NULL;
    if (!d) {
        d = &x->entry[x->entries++];
        *d = (struct script_entry){.drift_ms = INT64_MIN};
        lt_text_copy_slice(d->mn, sizeof d->mn, mn);
        if (!registered)
            x->strangers_most--;
    }
    d->conns++;
    *ret = lt_slice_of(d->mn);
    return d;
}

static void script_detach(void *user, void *entry, const char *cause)
{
    struct script_entry *d = entry;
    d->conns--;
    lt_text_copy(d->cause, sizeof d->cause, cause);
}

static void script_update(void *user, void *entry, const struct session_delta *x)
{
    struct script_entry *d = entry;
    d->frames += x->frames;
    d->drift_ms = x->drift_ms;
    d->pending = x->pending;
}

static void script_refused(void *user, struct lt_slice mn)
{
    struct script *x = user;
    for (size_t i = 0; i < x->entries; i++)
        if (lt_slice_is(mn, x->entry[i].mn))
            x->entry[i].refused++;
}

static void script_command(void *user, const struct gateway_command *c)
{
    struct script *x = user;
    x->cmd = *c;
    x->told++;
}

static enum session_first script_first(void *user, void *entry, uint32_t settings)
{
    struct script *x = user;
    x->firsts++;
    x->settings = settings;
    return x->first;
}

static const struct session_ops script_ops = {script_record, script_send,    script_attach,  script_detach,
                                              script_update, script_refused, script_command, script_first};

/* 2026-03-01 08:00:00.123 +08:00; the loop's monotonic clock at 1,000,000. */
#define SCRIPT_AT_MS INT64_C(1772323200123)

static void script_start(struct script *x, const struct registry_device *rows, size_t n)
{
    static const uint8_t addr[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 1, 2, 3};
    memset(x, 0, offsetof(struct script, scratch));
    x->out = malloc(SCRIPT_OUT);
    x->reg = registry_create();
    if (!x->out || !x->reg || registry_load_rows(x->reg, rows, n, NULL) != LT_OK)
        abort();
    x->e = (struct session_env){.ops = &script_ops,
                                .registry = registry_acquire(x->reg),
                                .tz_min = LT_TZ_CHINA,
                                .idle_s = 600,
                                .frame_s = 30,
                                .max_rate = 2000,
                                .at_ms = SCRIPT_AT_MS,
                                .mono_ms = 1000000,
                                .scratch = x->scratch};
    x->room = SIZE_MAX;
    x->first = SESSION_FIRST_ALL;
    x->strangers_most = 3;
    session_init(&x->s, x, 7, addr, &x->e);
}

static void script_stop(struct script *x)
{
    session_fini(&x->s, &x->e, "end of script");
    for (size_t i = 0; i < x->n; i++) {
        union {
            const char *c;
            char *m;
        } u = {x->rec[i].r.mn.p};
        free(u.m);
    }
    registry_release(x->reg, x->e.registry);
    registry_destroy(&x->reg);
    free(x->out);
}

static void script_in(struct script *x, const char *p, size_t n)
{
    memcpy(x->in + SESSION_HEADROOM, p, n);
    session_input(&x->s, &x->e, x->in + SESSION_HEADROOM, n);
    session_flush(&x->s, &x->e);
}

/* What was recorded is on disk now: answers go out. */
static void script_durable(struct script *x)
{
    char answer[HJ212_FRAME_MAX];
    for (; x->durable < x->n; x->durable++) {
        struct script_record *k = &x->rec[x->durable];
        if (!k->has_reply)
            continue;
        script_send(x, answer, session_answer(k->r.bytes, &k->reply, answer, sizeof answer));
        session_durable(&x->s, &x->e, k->r.bytes, &k->reply);
    }
}

static void script_wait(struct script *x, int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < 1000 ? ms : 1000;
        ms -= step;
        x->e.at_ms += step;
        x->e.mono_ms += step;
        session_tick(&x->s, &x->e);
        session_flush(&x->s, &x->e);
    }
}
#endif
