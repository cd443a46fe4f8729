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

bool session_under_way(const struct session *s, struct lt_slice mn)
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
static unsigned over_time_s(const struct registry_device *reg)
{
    return reg && reg->over_time_s ? reg->over_time_s : SESSION_OVER_TIME_S;
}

static unsigned resends(const struct registry_device *reg)
{
    return reg && reg->resends ? reg->resends : SESSION_RESENDS;
}

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
    struct session_device *d = session_device_of(s, lt_slice_of(r->c.mn));
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
    const struct registry_device *reg = session_enrolled(e, d);
    r->sends_most = 1 + resends(reg);
    r->c.until_mono_ms = e->mono_ms + over_time_s(reg) * LT_SEC_MS;
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
struct setup_case {
    enum gateway_setup how;
    const struct session_device *d;
    const struct registry_device *reg;
    const struct gateway_command *was; /* the step that ended, NULL at the beginning */
};

static bool all(const struct setup_case *c)
{
    return c->d->first == SESSION_FIRST_ALL;
}

static bool whole(const struct setup_case *c)
{
    return all(c) && c->how == GATEWAY_SETUP_STANDARD;
}

static bool set_clock(const struct setup_case *c)
{
    int64_t drift;
    return whole(c) || (session_drift(c->d, &drift) && (drift > SESSION_DRIFT_SET_MS || drift < -SESSION_DRIFT_SET_MS));
}

static bool set_times(const struct setup_case *c)
{
    return whole(c) || (all(c) && (c->reg->over_time_s || c->reg->resends));
}

static bool rtd_known(const struct setup_case *c)
{
    return all(c) && c->reg->rtd_interval_s != 0;
}

static bool min_known(const struct setup_case *c)
{
    return all(c) && c->reg->min_interval_min != 0 && c->d->edition != HJ212_2005;
}

static bool answered_else(const struct gateway_command *was, uint16_t cn, const char *name, int64_t want)
{
    int64_t has;
    return was && was->cn == cn && area_number(lt_slice_of(was->answer), name, &has) && has != want;
}

static bool ask_rtd(const struct setup_case *c)
{
    return rtd_known(c) && !whole(c);
}

static bool set_rtd(const struct setup_case *c)
{
    return rtd_known(c) && (whole(c) || answered_else(c->was, 1061, "RtdInterval", c->reg->rtd_interval_s));
}

static bool ask_min(const struct setup_case *c)
{
    return min_known(c) && !whole(c);
}

static bool set_min(const struct setup_case *c)
{
    return min_known(c) && (whole(c) || answered_else(c->was, 1063, "MinInterval", c->reg->min_interval_min));
}

static bool rtd_on(const struct setup_case *c)
{
    return all(c) && c->reg->rtd_upload == REGISTRY_UPLOAD_ON;
}

static bool rtd_off(const struct setup_case *c)
{
    return all(c) && c->reg->rtd_upload == REGISTRY_UPLOAD_OFF;
}

static bool state_on(const struct setup_case *c)
{
    return all(c) && c->reg->state_upload == REGISTRY_UPLOAD_ON;
}

static bool state_off(const struct setup_case *c)
{
    return all(c) && c->reg->state_upload == REGISTRY_UPLOAD_OFF;
}

/* HJ 212-2017 6.7, in its order. What the register leaves open is not sent. GATEWAY_SETUP_NEEDED asks for intervals and
 * sets them only when they differ; what cannot be asked (1000, uploads) is sent only when the register states it. */
static const struct setup_step {
    uint16_t cn;
    bool (*due)(const struct setup_case *c);
} setup_steps[] = {{1012, set_clock}, {1000, set_times}, {1061, ask_rtd}, {1062, set_rtd},  {1063, ask_min},
                   {1064, set_min},   {2011, rtd_on},    {2012, rtd_off}, {2021, state_on}, {2022, state_off}};
enum { SETUP_STEPS = sizeof setup_steps / sizeof setup_steps[0] };

static void automatic_area(const struct session_env *e, const struct session_device *d,
                           const struct registry_device *reg, struct gateway_command *c)
{
    char now[18];
    lt_time_format_compact(e->at_ms, e->tz_min, false, now);
    if (c->cn == 1012) /* an empty PolId means the logger itself; 2005 has none */
        snprintf(c->area, sizeof c->area, "%sSystemTime=%s", d->edition == HJ212_2005 ? "" : "PolId=;", now);
    else if (c->cn == 1000)
        snprintf(c->area, sizeof c->area, "OverTime=%u;ReCount=%u", over_time_s(reg), resends(reg));
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

static unsigned automatic_under_way(const struct session *s)
{
    unsigned n = 0;
    for (const struct session_request *r = s->requests; r; r = r->next)
        n += r->c.id == 0 && !over(r);
    return n;
}

/* Goes to the next step that is due; `was`: the step that ended, NULL at the beginning. */
static void setup_next(struct session *s, const struct session_env *e, struct session_device *d,
                       const struct gateway_command *was)
{
    const struct registry_device *reg = session_enrolled(e, d);
    if (!reg || (was && was->step == GATEWAY_CMD_TIMEOUT)) /* it takes no commands: leave it alone */
        d->setup = SETUP_STEPS;
    const struct setup_case c = {e->setup, d, reg, was};
    while (d->setup < SETUP_STEPS) {
        const struct setup_step *step = &setup_steps[d->setup++];
        if (step->due(&c) && automatic(s, e, d, step->cn))
            return;
    }
    d->setup = SETUP_OVER;
}

/* What first connect would set; a change of it is worth sending before the day is over. */
static uint32_t settings_of(const struct session_env *e, const struct registry_device *reg)
{
    const uint32_t v[] = {reg->rtd_interval_s, reg->min_interval_min, reg->over_time_s,  reg->resends,
                          reg->rtd_upload,     reg->state_upload,     (uint32_t)e->setup};
    uint32_t h = 2166136261U;
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        h = (h ^ v[i]) * 16777619U;
    return h;
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
    const struct registry_device *reg = session_enrolled(e, d);
    if (!reg || e->setup == GATEWAY_SETUP_OFF) {
        d->setup = SETUP_OVER;
        return;
    }
    if (session_under_way(s, d->mn) || automatic_under_way(s) >= SESSION_AUTO)
        return; /* the device's next frame asks again */
    d->first = (uint8_t)e->ops->first(s->user, d->entry, settings_of(e, reg));
    if (d->first == SESSION_FIRST_LATER)
        return;
    d->setup = d->first == SESSION_FIRST_NONE ? SETUP_OVER : 0;
    if (d->setup == 0)
        setup_next(s, e, d, NULL);
}

/* ---- progress ---- */
static void settle(struct session *s, const struct session_env *e, struct session_request *r,
                   enum gateway_command_step step, int code)
{
    const bool again = over(r); /* a late 9012: what follows has begun already */
    struct session_device *d = session_device_of(s, lt_slice_of(r->c.mn));
    r->c.step = step;
    r->c.code = code;
    r->unsent = false;
    r->c.until_mono_ms = e->mono_ms + (step == GATEWAY_CMD_TIMEOUT ? SESSION_LATE_MS : 0);
    changed(s, e, r);
    if (again || !d)
        return;
    if (r->c.id == 0 && d->setup > 0 && d->setup != SETUP_OVER)
        setup_next(s, e, d, &r->c);
    if (!session_under_way(s, d->mn))
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
        else if (r->c.step == GATEWAY_CMD_SENT && r->c.sends < r->sends_most)
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
    struct session_device *d = session_device_of(s, lt_slice_of(c->mn));
    struct session_request *r = d && !s->cause ? add(s, e, d, c->cn) : NULL;
    if (!r)
        return false;
    r->c.id = c->id;
    if (c->st)
        r->c.st = c->st;
    lt_text_copy(r->c.area, sizeof r->c.area, c->area);
    if (!session_under_way(s, d->mn))
        begin(s, e, r);
    return true;
}

void session_durable(struct session *s, const struct session_env *e, struct lt_slice raw, const struct session_reply *r)
{
    struct lt_slice mn = {raw.p + r->mn_at, r->mn_n};
    struct session_device *d = r->set_time ? session_device_of(s, mn) : NULL;
    const struct registry_device *reg = d ? session_enrolled(e, d) : NULL;
    if (!reg || reg->status != REGISTRY_ACTIVE || session_under_way(s, mn) ||
        (d->time_mono_ms && e->mono_ms - d->time_mono_ms < SESSION_TIME_AGAIN_MS))
        return;
    d->time_mono_ms = e->mono_ms;
    automatic(s, e, d, 1012); /* HJ 212-2017 C.4: the question for the time is followed by setting it */
}
