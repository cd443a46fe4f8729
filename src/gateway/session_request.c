/* Commands down: the request and notice flows of HJ 212 (6.1, 6.5.1), with time-outs and resends of 6.2, and the
 * sequence of first connect (HJ 212-2017 6.7). One command of a device is under way at a time.
 *
 *   SENT --9011 QnRtn=1--> ACCEPTED --data*--> --9012--> DONE (ExeRtn=1) or FAILED
 *     |--9011 else--> REFUSED      |--silence--> TIMEOUT --late 9012--> DONE or FAILED
 *     |--9012 or data (the 9011 was lost)--> as if accepted
 *     |--9013 (notices 2012, 2022)--> DONE
 *     '--10 s, four times--> TIMEOUT                                                                               */
#include "base/text.h"
#include "gateway/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { SETUP_OVER = 255, CODE_LOST = -1 };

static bool over(const struct session_request *r)
{
    return r->c.step > GATEWAY_CMD_ACCEPTED;
}

static bool waiting(const struct session_request *r)
{
    return r->c.step == GATEWAY_CMD_SENT && r->c.sends == 0 && !r->unsent;
}

static bool of(const struct session_request *r, struct lt_slice mn)
{
    return lt_slice_is(mn, r->c.mn);
}

static struct session_device *device_of(struct session *s, struct lt_slice mn)
{
    for (size_t i = 0; i < SESSION_DEVICES; i++)
        if (s->dev[i].entry && lt_slice_eq(s->dev[i].mn, mn))
            return &s->dev[i];
    return NULL;
}

static bool under_way(const struct session *s, struct lt_slice mn)
{
    for (const struct session_request *r = s->requests; r; r = r->next)
        if (of(r, mn) && !over(r) && !waiting(r))
            return true;
    return false;
}

/* ---- data areas of answers ---- */
/* The value of a plain name in a data area, names without regard to case; empty when absent. */
static struct lt_slice area_value(struct lt_slice area, const char *name)
{
    const size_t k = strlen(name);
    const char *end = area.p + area.n;
    for (const char *p = area.p; p < end; p++) {
        while (p < end && *p == ' ')
            p++;
        const char *stop = p;
        while (stop < end && *stop != ';' && *stop != ',')
            stop++;
        if ((size_t)(stop - p) > k && strncasecmp(p, name, k) == 0 && p[k] == '=')
            return (struct lt_slice){p + k + 1, (size_t)(stop - p) - k - 1};
        p = stop;
    }
    return (struct lt_slice){"", 0};
}

static bool area_number(struct lt_slice area, const char *name, int64_t *ret)
{
    struct lt_slice v = area_value(area, name);
    while (v.n && v.p[v.n - 1] == ' ')
        v.n--;
    return lt_text_to_i64(v, ret);
}

/* ---- sending ---- */
static void settle(struct session *s, const struct session_env *e, struct session_request *r,
                   enum gateway_command_step step, int code);

static void changed(struct session *s, const struct session_env *e, struct session_request *r)
{
    r->c.changed_at_ms = e->at_ms;
    if (r->c.id)
        e->ops->command(s->user, &r->c);
}

static size_t build(const struct session_env *e, struct session_device *d, const struct session_request *r, char *ret,
                    size_t cap)
{
    const struct registry_device *reg = session_enrolled(e, d);
    struct hj212_head h = {.qn = lt_slice_of(r->c.qn),
                           .mn = d->mn,
                           .st = r->c.st,
                           .cn = r->c.cn,
                           .pw = lt_slice_of(reg && reg->pw[0] ? reg->pw : d->pw),
                           .answer = true,
                           .edition = (enum hj212_edition)d->edition};
    if (h.edition == HJ212_2005) { /* [05] App. C: requests have Flag=3 even without packets */
        h.flag_given = true;
        h.flag = 3;
    }
    return hj212_build(&h, lt_slice_of(r->c.area), ret, cap);
}

/* Sends, for the first time or again. The journal gets what is sent before the device does. */
static void transmit(struct session *s, const struct session_env *e, struct session_request *r)
{
    char out[HJ212_FRAME_MAX + 2];
    struct session_device *d = device_of(s, lt_slice_of(r->c.mn));
    size_t n = d ? build(e, d, r, out, sizeof out) : 0;
    if (n == 0) {
        settle(s, e, r, GATEWAY_CMD_FAILED, CODE_LOST);
        return;
    }
    struct journal_record rec = {
        .at_ms = e->at_ms, .conn = s->conn, .kind = JOURNAL_SENT, .mn = d->mn, .bytes = {out, n - 2}};
    r->unsent = !e->ops->record(s->user, &rec, NULL);
    if (r->unsent)
        return;
    e->ops->send(s->user, out, n);
    if (r->c.sends++ == 0)
        r->c.sent_at_ms = e->at_ms;
    r->c.until_mono_ms = e->mono_ms + SESSION_ANSWER_MS;
    changed(s, e, r);
}

static void begin(struct session *s, const struct session_env *e, struct session_request *r)
{
    s->last_qn_ms = e->at_ms > s->last_qn_ms ? e->at_ms : s->last_qn_ms + 1;
    r->qn_at_ms = s->last_qn_ms;
    lt_time_format_compact(r->qn_at_ms, e->tz_min, true, r->c.qn);
    r->unsent = true;
    transmit(s, e, r);
}

static struct session_request *add(struct session *s, const struct session_env *e, const struct session_device *d,
                                   uint16_t cn)
{
    unsigned n = 0;
    for (struct session_request *r = s->requests; r; r = r->next)
        n++;
    struct session_request *r = n < SESSION_REQUESTS ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return NULL;
    lt_text_copy_slice(r->c.mn, sizeof r->c.mn, d->mn);
    r->c.cn = cn;
    r->c.st = d->st ? d->st : 31;
    r->c.sent_at_ms = r->c.changed_at_ms = e->at_ms;
    r->notice = cn == 2012 || cn == 2022;
    r->next = s->requests;
    s->requests = r;
    return r;
}

/* ---- first connect ---- */
static bool clock_off(const struct session_device *d, const struct registry_device *reg,
                      const struct gateway_command *was)
{
    int64_t drift;
    return session_drift(d, &drift) && (drift > SESSION_DRIFT_SET_MS || drift < -SESSION_DRIFT_SET_MS);
}

static bool rtd_known(const struct session_device *d, const struct registry_device *reg,
                      const struct gateway_command *was)
{
    return reg->rtd_interval_s != 0;
}

static bool min_known(const struct session_device *d, const struct registry_device *reg,
                      const struct gateway_command *was)
{
    return reg->min_interval_min != 0 && d->edition != HJ212_2005;
}

static bool answered_else(const struct gateway_command *was, uint16_t cn, const char *name, int64_t want)
{
    int64_t has;
    return was && was->cn == cn && area_number(lt_slice_of(was->answer), name, &has) && has != want;
}

static bool rtd_differs(const struct session_device *d, const struct registry_device *reg,
                        const struct gateway_command *was)
{
    return rtd_known(d, reg, was) && answered_else(was, 1061, "RtdInterval", reg->rtd_interval_s);
}

static bool min_differs(const struct session_device *d, const struct registry_device *reg,
                        const struct gateway_command *was)
{
    return min_known(d, reg, was) && answered_else(was, 1063, "MinInterval", reg->min_interval_min);
}

/* HJ 212-2017 6.7, as far as the register holds something to set; intervals are asked first and set only when they
 * differ, so that a device in order is left alone. */
static const struct setup_step {
    uint16_t cn;
    bool (*due)(const struct session_device *d, const struct registry_device *reg, const struct gateway_command *was);
} setup_steps[] = {{1012, clock_off}, {1061, rtd_known}, {1062, rtd_differs}, {1063, min_known}, {1064, min_differs}};
enum { SETUP_STEPS = sizeof setup_steps / sizeof setup_steps[0] };

static void automatic_area(const struct session_env *e, const struct session_device *d,
                           const struct registry_device *reg, struct gateway_command *c)
{
    char now[18];
    lt_time_format_compact(e->at_ms, e->tz_min, false, now);
    if (c->cn == 1012) /* an empty PolId means the logger itself; 2005 has none */
        snprintf(c->area, sizeof c->area, "%sSystemTime=%s", d->edition == HJ212_2005 ? "" : "PolId=;", now);
    else if (c->cn == 1062)
        snprintf(c->area, sizeof c->area, "RtdInterval=%u", reg->rtd_interval_s);
    else if (c->cn == 1064)
        snprintf(c->area, sizeof c->area, "MinInterval=%u", reg->min_interval_min);
}

static bool automatic(struct session *s, const struct session_env *e, struct session_device *d, uint16_t cn)
{
    const struct registry_device *reg = session_enrolled(e, d);
    struct session_request *r = reg ? add(s, e, d, cn) : NULL;
    if (!r)
        return false;
    automatic_area(e, d, reg, &r->c);
    begin(s, e, r);
    return true;
}

/* Goes to the next step that is due; `was`: the step that ended, NULL at the beginning. */
static void setup_next(struct session *s, const struct session_env *e, struct session_device *d,
                       const struct gateway_command *was)
{
    const struct registry_device *reg = session_enrolled(e, d);
    if (!reg || (was && was->step == GATEWAY_CMD_TIMEOUT)) /* it takes no commands: leave it alone */
        d->setup = SETUP_STEPS;
    while (d->setup < SETUP_STEPS) {
        const struct setup_step *step = &setup_steps[d->setup++];
        if (step->due(d, reg, was) && automatic(s, e, d, step->cn))
            return;
    }
    d->setup = SETUP_OVER;
}

static void start_waiting(struct session *s, const struct session_env *e, struct lt_slice mn)
{
    for (struct session_request *r = s->requests; r; r = r->next)
        if (of(r, mn) && waiting(r)) {
            begin(s, e, r);
            return;
        }
}

void session_setup_begin(struct session *s, const struct session_env *e, struct session_device *d)
{
    d->setup = e->setup_off ? SETUP_OVER : 0;
    if (d->setup == 0 && !under_way(s, d->mn))
        setup_next(s, e, d, NULL);
}

/* ---- progress ---- */
static void settle(struct session *s, const struct session_env *e, struct session_request *r,
                   enum gateway_command_step step, int code)
{
    const bool again = over(r); /* a late 9012: what follows has begun already */
    struct session_device *d = device_of(s, lt_slice_of(r->c.mn));
    r->c.step = step;
    r->c.code = code;
    r->unsent = false;
    r->c.until_mono_ms = e->mono_ms + (step == GATEWAY_CMD_TIMEOUT ? SESSION_LATE_MS : 0);
    changed(s, e, r);
    if (again || !d)
        return;
    if (r->c.id == 0 && d->setup > 0 && d->setup != SETUP_OVER)
        setup_next(s, e, d, &r->c);
    if (!under_way(s, d->mn))
        start_waiting(s, e, d->mn);
}

static void sweep(struct session *s, const struct session_env *e)
{
    for (struct session_request **at = &s->requests; *at;) {
        struct session_request *r = *at;
        bool late = r->c.step == GATEWAY_CMD_TIMEOUT && r->c.id && e->mono_ms < r->c.until_mono_ms;
        if (!over(r) || late) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        free(r);
    }
}

static void on_9011(struct session *s, const struct session_env *e, struct session_request *r,
                    const struct hj212_frame *f)
{
    int64_t code;
    if (r->c.step != GATEWAY_CMD_SENT)
        return; /* said before */
    if (!area_number(f->cp, "QnRtn", &code) || code < 0 || code > 999)
        code = 100; /* HJ 212-2017 Table 7: unknown */
    if (code != 1) {
        settle(s, e, r, GATEWAY_CMD_REFUSED, (int)code);
        return;
    }
    r->c.step = GATEWAY_CMD_ACCEPTED;
    r->c.code = 1;
    r->c.until_mono_ms = e->mono_ms + SESSION_EXECUTE_MS;
    changed(s, e, r);
}

static void on_9012(struct session *s, const struct session_env *e, struct session_request *r,
                    const struct hj212_frame *f)
{
    int64_t code;
    if (!area_number(f->cp, "ExeRtn", &code) || code < 0 || code > 999)
        code = 2; /* Table 6: failed, reason unknown */
    settle(s, e, r, code == 1 ? GATEWAY_CMD_DONE : GATEWAY_CMD_FAILED, (int)code);
}

static void on_9013(struct session *s, const struct session_env *e, struct session_request *r,
                    const struct hj212_frame *f)
{
    if (r->notice && !over(r))
        settle(s, e, r, GATEWAY_CMD_DONE, 1);
}

static void on_data(struct session *s, const struct session_env *e, struct session_request *r,
                    const struct hj212_frame *f, bool keep)
{
    if (over(r))
        return;
    r->c.frames++;
    r->c.step = GATEWAY_CMD_ACCEPTED; /* also when the 9011 was lost */
    r->c.until_mono_ms = e->mono_ms + SESSION_EXECUTE_MS;
    if (keep)
        lt_text_copy_slice(r->c.answer, sizeof r->c.answer, f->cp);
    changed(s, e, r);
}

static const struct {
    uint16_t cn;
    void (*on)(struct session *, const struct session_env *, struct session_request *, const struct hj212_frame *);
} answers[] = {{9011, on_9011}, {9012, on_9012}, {9013, on_9013}};

static void by_qn(struct session *s, const struct session_env *e, struct session_request *r,
                  const struct hj212_frame *f)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (answers[i].cn == f->cn) {
            answers[i].on(s, e, r, f);
            return;
        }
    if (f->cn == r->c.cn)
        on_data(s, e, r, f, true);
}

/* History comes under QNs of its own (HJ 212-2017 App. C): it belongs to a command of the same ST and CN that asked for
 * its time; logs (3020) to one of the same CN. */
static bool asked_for(const struct session_request *r, const struct hj212_frame *f)
{
    if (f->cn != r->c.cn)
        return false;
    if (f->cn == 3020)
        return true;
    struct lt_slice area = lt_slice_of(r->c.area), t = area_value(f->cp, "DataTime"),
                    from = area_value(area, "BeginTime"), to = area_value(area, "EndTime");
    return f->st == r->c.st && t.n >= 14 && from.n >= 14 && to.n >= 14 && memcmp(t.p, from.p, 14) >= 0 &&
           memcmp(t.p, to.p, 14) <= 0;
}

void session_requests_frame(struct session *s, const struct session_env *e, struct session_device *d,
                            const struct hj212_frame *f)
{
    struct lt_slice qn = f->qn.n ? f->qn : area_value(f->cp, "QN"); /* 2005: inside the data area */
    for (struct session_request *r = s->requests; r; r = r->next) {
        if (!of(r, d->mn) || r->c.sends == 0 || (over(r) && r->c.step != GATEWAY_CMD_TIMEOUT))
            continue;
        if (lt_slice_is(qn, r->c.qn))
            by_qn(s, e, r, f);
        else if (asked_for(r, f))
            on_data(s, e, r, f, f->cn == 3020);
    }
    sweep(s, e);
}

void session_requests_tick(struct session *s, const struct session_env *e)
{
    for (struct session_request *r = s->requests; r; r = r->next) {
        if (over(r) || waiting(r))
            continue;
        if (r->unsent)
            transmit(s, e, r);
        else if (e->mono_ms < r->c.until_mono_ms)
            continue;
        else if (r->c.step == GATEWAY_CMD_SENT && r->c.sends < SESSION_SENDS_MOST)
            transmit(s, e, r);
        else
            settle(s, e, r, GATEWAY_CMD_TIMEOUT, r->c.code);
    }
    sweep(s, e);
}

void session_requests_end(struct session *s, const struct session_env *e, struct lt_slice mn)
{
    for (struct session_request **at = &s->requests; *at;) {
        struct session_request *r = *at;
        if (!of(r, mn)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        if (!over(r)) {
            r->c.step = GATEWAY_CMD_FAILED;
            r->c.code = CODE_LOST;
            changed(s, e, r);
        }
        free(r);
    }
}

bool session_command(struct session *s, const struct session_env *e, const struct gateway_command *c)
{
    struct session_device *d = device_of(s, lt_slice_of(c->mn));
    struct session_request *r = d && !s->cause ? add(s, e, d, c->cn) : NULL;
    if (!r)
        return false;
    r->c.id = c->id;
    if (c->st)
        r->c.st = c->st;
    lt_text_copy(r->c.area, sizeof r->c.area, c->area);
    if (!under_way(s, d->mn))
        begin(s, e, r);
    return true;
}

void session_durable(struct session *s, const struct session_env *e, struct lt_slice raw, const struct session_reply *r)
{
    struct lt_slice mn = {raw.p + r->mn_at, r->mn_n};
    struct session_device *d = r->set_time ? device_of(s, mn) : NULL;
    const struct registry_device *reg = d ? session_enrolled(e, d) : NULL;
    if (reg && reg->status == REGISTRY_ACTIVE && !under_way(s, mn))
        automatic(s, e, d, 1012); /* HJ 212-2017 C.4: the question for the time is followed by setting it */
}
