/* Taking bytes: cutting, whose frame it is, whether it may be taken, what is recorded and what answer it will get.
 *
 * Order of judging a frame: form and CRC, device known, status, password, address. A refused frame is filed under the
 * device it names when that device is known, else under the device of the connection, and gets no answer. */
#include "gateway/session.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_TOLERATE (HJ212_TOLERATE_DEFAULT | HJ212_TOL(LONG_SEGMENT))

/* ---- what kind of frame a command code is, coming up ---- */
enum kind { KIND_DATA, KIND_NOTICE, KIND_ANSWER };
/* Codes not listed are data: HJ 212-2017 6.1, an upload with bit A wants 9014 whatever its code. */
static const struct up {
    uint16_t cn;
    uint8_t kind;
    bool now; /* its QN is made when it is sent, so it tells the device's clock */
} ups[] = {
    {1001, KIND_NOTICE, false}, {1013, KIND_NOTICE, true},  {1014, KIND_NOTICE, true},  {2011, KIND_DATA, true},
    {2021, KIND_DATA, true},    {2031, KIND_DATA, true},    {2041, KIND_DATA, true},    {2051, KIND_DATA, true},
    {2061, KIND_DATA, true},    {2072, KIND_NOTICE, true},  {2081, KIND_DATA, true},    {9011, KIND_ANSWER, false},
    {9012, KIND_ANSWER, false}, {9013, KIND_ANSWER, false}, {9014, KIND_ANSWER, false}, {9015, KIND_NOTICE, true},
};

static const struct up *up_of(uint16_t cn)
{
    static const struct up other = {0, KIND_DATA, false};
    size_t lo = 0, hi = sizeof ups / sizeof ups[0];
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ups[mid].cn < cn)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < sizeof ups / sizeof ups[0] && ups[lo].cn == cn ? &ups[lo] : &other;
}

void session_init(struct session *s, void *user, uint32_t conn, const uint8_t addr[16], const struct session_env *e)
{
    *s = (struct session){.user = user, .conn = conn, .cut_tolerate = FIRST_TOLERATE};
    memcpy(s->addr, addr, 16);
    s->last_ms = s->tokens_ms = e->mono_ms;
    s->tokens = e->max_rate * 1000;
}

/* ---- devices of the connection ---- */
const struct registry_device *session_enrolled(const struct session_env *e, struct session_device *d)
{
    uint64_t version = registry_version(e->registry);
    if (d->reg_version != version) {
        d->reg = registry_find(e->registry, d->mn);
        d->reg_version = version;
    }
    return d->reg;
}

static struct session_device *current(struct session *s)
{
    return s->dev_n ? &s->dev[s->cur] : NULL;
}

static uint32_t mn_hash(struct lt_slice mn)
{
    uint32_t h = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < mn.n; i++)
        h = (h ^ (unsigned char)mn.p[i]) * 16777619U;
    return h;
}

struct session_device *session_device_of(struct session *s, struct lt_slice mn)
{
    const uint32_t h = mn_hash(mn);
    for (size_t i = 0; i < s->dev_n; i++)
        if (s->dev_hash[i] == h && lt_slice_eq(s->dev[i].mn, mn))
            return &s->dev[i];
    return NULL;
}

static struct session_device *known_here(struct session *s, struct lt_slice mn)
{
    struct session_device *c = current(s);
    return c && lt_slice_eq(c->mn, mn) ? c : session_device_of(s, mn);
}

bool session_drift(const struct session_device *d, int64_t *ret_ms)
{
    int32_t v[SESSION_DRIFTS];
    if (d->drift_n == 0)
        return false;
    for (int i = 0; i < d->drift_n; i++) { /* insertion sort of at most nine */
        int k = i;
        for (; k > 0 && v[k - 1] > d->drift_ms[i]; k--)
            v[k] = v[k - 1];
        v[k] = d->drift_ms[i];
    }
    *ret_ms = v[d->drift_n / 2];
    return true;
}

static void flush_device(struct session *s, const struct session_env *e, struct session_device *d)
{
    if (d->fresh == 0)
        return;
    const struct registry_device *reg = session_enrolled(e, d);
    struct session_delta x = {.frames = d->fresh,
                              .last_at_ms = e->at_ms,
                              .drift_ms = INT64_MIN,
                              .pending = !reg || reg->status == REGISTRY_PENDING,
                              .registered = reg != NULL};
    session_drift(d, &x.drift_ms);
    e->ops->update(s->user, d->entry, &x);
    d->fresh = 0;
}

void session_flush(struct session *s, const struct session_env *e)
{
    for (size_t i = 0; s->dirty && i < s->dev_n; i++)
        flush_device(s, e, &s->dev[i]);
    s->dirty = false;
}

static void drop_device(struct session *s, const struct session_env *e, struct session_device *d, const char *cause)
{
    flush_device(s, e, d);
    session_requests_end(s, e, d->mn);
    e->ops->detach(s->user, d->entry, cause);
    *d = (struct session_device){0};
}

/* Who gives way: the one longest unheard, but none a command is under way for while there is another. SESSION_REQUESTS
 * is less than SESSION_DEVICES, so that in a full table there always is. */
static struct session_device *oldest(struct session *s, const struct session_env *e, bool strangers)
{
    struct session_device *d = NULL, *busy = NULL;
    for (size_t i = 0; i < s->dev_n; i++) {
        struct session_device *k = &s->dev[i];
        if (strangers && session_enrolled(e, k))
            continue;
        struct session_device **best = session_under_way(s, k->mn) ? &busy : &d;
        if (!*best || k->used < (*best)->used)
            *best = k;
    }
    return d ? d : busy;
}

static bool grow(struct session *s)
{
    unsigned cap = s->dev_cap == 0 ? 1 : s->dev_cap * 2U;
    struct session_device *dev = realloc(s->dev, cap * sizeof *dev);
    if (!dev)
        return false;
    s->dev = dev;
    uint32_t *hash = realloc(s->dev_hash, cap * sizeof *hash);
    if (!hash)
        return false;
    s->dev_hash = hash;
    s->dev_cap = (uint16_t)cap;
    return true;
}

static bool strangers_full(struct session *s, const struct session_env *e)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->dev_n; i++)
        n += !session_enrolled(e, &s->dev[i]);
    return n >= SESSION_STRANGERS;
}

/* A place in the table: a new one within the limits, else that of another device. */
static struct session_device *place(struct session *s, const struct session_env *e, bool stranger)
{
    struct session_device *d = NULL;
    const bool crowded = stranger && strangers_full(s, e);
    if (crowded || s->dev_n == SESSION_DEVICES) {
        d = oldest(s, e, crowded);
        drop_device(s, e, d, "another device on the connection");
    } else if (s->dev_n < s->dev_cap || grow(s)) {
        d = &s->dev[s->dev_n++];
    }
    return d;
}

static struct session_device *attach(struct session *s, const struct session_env *e, struct lt_slice mn,
                                     const struct registry_device *reg)
{
    struct lt_slice kept;
    void *entry = e->ops->attach(s->user, mn, reg != NULL, &kept);
    struct session_device *d = entry ? place(s, e, reg == NULL) : NULL;
    if (!d) {
        if (entry)
            e->ops->detach(s->user, entry, "out of memory");
        return NULL;
    }
    *d = (struct session_device){.entry = entry, .mn = kept, .reg = reg, .reg_version = registry_version(e->registry)};
    s->dev_hash[d - s->dev] = mn_hash(kept);
    return d;
}

void session_fini(struct session *s, const struct session_env *e, const char *cause)
{
    for (size_t i = 0; i < s->dev_n; i++)
        drop_device(s, e, &s->dev[i], cause);
    free(s->dev);
    free(s->dev_hash);
    s->dev = NULL;
    s->dev_hash = NULL;
    s->dev_n = s->dev_cap = s->cur = 0;
    while (s->requests) {
        struct session_request *r = s->requests;
        s->requests = r->next;
        free(r);
    }
    free(s->rest);
    s->rest = NULL;
    s->rest_n = s->rest_cap = 0;
}

/* ---- refusing ---- */
static bool refusal_counts(unsigned reason)
{
    return reason == JOURNAL_R_PASSWORD || reason == JOURNAL_R_ADDRESS || reason == JOURNAL_R_DISABLED ||
           reason == JOURNAL_R_PENDING_LIMIT;
}

static bool refuse(struct session *s, const struct session_env *e, struct lt_slice raw, unsigned reason,
                   struct lt_slice mn)
{
    struct journal_record rec = {
        .at_ms = e->at_ms, .conn = s->conn, .kind = JOURNAL_REJECT, .reason = (uint8_t)reason, .mn = mn, .bytes = raw};
    if (!e->ops->record(s->user, &rec, NULL))
        return false;
    s->refused++;
    e->ops->refused(s->user, mn);
    if (refusal_counts(reason) && ++s->refused_run >= SESSION_REFUSED_MOST) {
        snprintf(s->cause_text, sizeof s->cause_text, "refused %d times: %s", SESSION_REFUSED_MOST,
                 journal_reason_name(reason));
        s->cause = s->cause_text;
    }
    return true;
}

/* The MN that stands in bytes which may not even be a frame; empty when there is none. */
static struct lt_slice mn_in(struct lt_slice raw)
{
    const char *p = memmem(raw.p, raw.n, "MN=", 3), *end = raw.p + raw.n;
    if (!p)
        return (struct lt_slice){raw.p, 0};
    struct lt_slice mn = {p + 3, 0};
    while (mn.p + mn.n < end && mn.n < 64 && mn.p[mn.n] != ';' && mn.p[mn.n] != ',')
        mn.n++;
    return mn;
}

/* Under which device bytes are filed that are no good frame: damaged bytes must not invent devices. */
static struct lt_slice file_under(struct session *s, const struct session_env *e, struct lt_slice mn)
{
    struct session_device *c = current(s);
    if (mn.n > 0 && (registry_find(e->registry, mn) || known_here(s, mn)))
        return mn;
    return c ? c->mn : (struct lt_slice){"", 0};
}

/* ---- accepting ---- */
static uint16_t at(struct lt_slice raw, struct lt_slice part)
{
    return part.n ? (uint16_t)(part.p - raw.p) : 0;
}

static uint16_t answer_to(const struct hj212_frame *f, enum kind kind)
{
    if (kind == KIND_NOTICE) /* [05] App. C: 2072 has Flag=0 and is answered by 9013 all the same */
        return f->answer || f->edition == HJ212_2005 ? 9013 : 0;
    return kind == KIND_DATA && f->answer ? 9014 : 0;
}

/* f may be the deciphered frame: its offsets are those of the received one. */
static struct session_reply reply_to(const struct hj212_frame *f, enum kind kind)
{
    return (struct session_reply){.answer = answer_to(f, kind),
                                  .cn = f->cn,
                                  .st = f->st,
                                  .pnum = f->pnum,
                                  .pno = f->pno,
                                  .qn_at = at(f->raw, f->qn),
                                  .pw_at = at(f->raw, f->pw),
                                  .mn_at = at(f->raw, f->mn),
                                  .qn_n = (uint8_t)f->qn.n,
                                  .pw_n = (uint8_t)f->pw.n,
                                  .mn_n = (uint8_t)f->mn.n,
                                  .flag = f->flag,
                                  .edition = f->edition,
                                  .has_flag = f->has_flag,
                                  .set_time = f->cn == 1013};
}

size_t session_answer(struct lt_slice raw, const struct session_reply *r, char *ret, size_t cap)
{
    if (!r->answer)
        return 0;
    struct hj212_frame q = {.raw = raw,
                            .qn = {raw.p + r->qn_at, r->qn_n},
                            .pw = {raw.p + r->pw_at, r->pw_n},
                            .mn = {raw.p + r->mn_at, r->mn_n},
                            .st = r->st,
                            .cn = r->cn,
                            .pnum = r->pnum,
                            .pno = r->pno,
                            .flag = r->flag,
                            .edition = r->edition,
                            .has_flag = r->has_flag,
                            .answer = true};
    return hj212_build_answer(&q, r->answer, 0, ret, cap);
}

static void note_drift(const struct session_env *e, struct session_device *d, const struct hj212_frame *f)
{
    /* Frames sent again carry the QN of the first time: RF=1 says so in 2025; before, the median has to bear it. */
    if (f->qn_at_ms == INT64_MIN || f->resent || !up_of(f->cn)->now)
        return;
    int64_t drift = f->qn_at_ms - e->tz_min * LT_MIN_MS - e->at_ms;
    drift = drift > INT32_MAX ? INT32_MAX : drift < INT32_MIN ? INT32_MIN : drift;
    d->drift_ms[d->drift_at] = (int32_t)drift;
    d->drift_at = (uint8_t)((d->drift_at + 1) % SESSION_DRIFTS);
    if (d->drift_n < SESSION_DRIFTS)
        d->drift_n++;
}

static void accepted(struct session *s, const struct session_env *e, struct session_device *d,
                     const struct registry_device *reg, const struct hj212_frame *f)
{
    if (current(s) && current(s) != d)
        s->mn_changes++;
    s->cur = (uint16_t)(d - s->dev);
    d->used = ++s->turn;
    d->edition = f->edition;
    if (f->st != 91 && f->st != 0)
        d->st = f->st;
    lt_text_copy_slice(d->pw, sizeof d->pw, f->pw);
    d->fresh++;
    d->seen++;
    s->dirty = true;
    s->frames++;
    s->refused_run = 0;
    note_drift(e, d, f);
    if (s->requests)
        session_requests_frame(s, e, d, f);
    if (reg && reg->status == REGISTRY_ACTIVE && d->setup == 0 && (d->drift_n || d->seen >= SESSION_SETUP_AFTER))
        session_setup_begin(s, e, d);
}

static bool accept_frame(struct session *s, const struct session_env *e, struct lt_slice raw,
                         const struct hj212_frame *f, const struct registry_device *reg)
{
    struct session_device *d = known_here(s, f->mn);
    if (!d)
        d = attach(s, e, f->mn, reg);
    if (!d)
        return refuse(s, e, raw, JOURNAL_R_PENDING_LIMIT, (struct lt_slice){"", 0});
    bool pending = !reg || reg->status == REGISTRY_PENDING;
    struct session_reply reply = reply_to(f, up_of(f->cn)->kind);
    struct journal_record rec = {.at_ms = e->at_ms,
                                 .conn = s->conn,
                                 .kind = JOURNAL_FRAME,
                                 .bytes = raw,
                                 .mn = f->raw.p == raw.p ? f->mn : d->mn, /* inside the bytes: not copied again */
                                 .flags = pending ? JOURNAL_F_PENDING : 0};
    bool wants = (reply.answer || reply.set_time) && (!pending || e->enroll_open);
    if (!e->ops->record(s->user, &rec, wants ? &reply : NULL))
        return false;
    accepted(s, e, d, reg, f);
    return true;
}

/* Why an enrolled device's good frame is refused; 0 when it is not. */
static unsigned barred(const struct session *s, const struct registry_device *reg, const struct hj212_frame *f)
{
    if (!reg)
        return 0;
    if (reg->status == REGISTRY_DISABLED)
        return JOURNAL_R_DISABLED;
    if (reg->pw[0] && !lt_slice_is(f->pw, reg->pw))
        return JOURNAL_R_PASSWORD;
    return registry_allowed(reg, s->addr) ? 0 : JOURNAL_R_ADDRESS;
}

/* Reads a frame with the tolerances of its own device: first with those of the last one (nearly always the same), again
 * when another device turns out to speak. */
static const struct registry_device *parse(struct session *s, const struct session_env *e, struct lt_slice raw,
                                           struct hj212_frame *f)
{
    struct session_device *c = current(s);
    const struct registry_device *reg = c ? session_enrolled(e, c) : NULL;
    uint32_t bits = reg ? reg->tolerate : HJ212_TOLERATE_DEFAULT;
    hj212_parse(raw, bits, f);
    if (c && f->err == HJ212_E_OK && lt_slice_eq(f->mn, c->mn))
        return reg;
    struct lt_slice mn = f->mn.n ? f->mn : mn_in(raw);
    reg = registry_find(e->registry, mn);
    uint32_t own = reg ? reg->tolerate : HJ212_TOLERATE_DEFAULT;
    if (own != bits)
        hj212_parse(raw, own, f);
    return reg;
}

/* A device's own tolerances may be what is needed to cut its bytes: true when new ones came into force. */
static bool learn(struct session *s, const struct session_env *e, struct lt_slice raw)
{
    const struct registry_device *reg = registry_find(e->registry, mn_in(raw));
    if (!reg || (reg->tolerate & ~s->cut_tolerate) == 0)
        return false;
    s->cut_tolerate |= reg->tolerate;
    return true;
}

/* One cipher text of 256 has the CRC of its plain text by chance; then it only shows as text that is none. */
static bool maybe_cipher(const struct hj212_frame *f)
{
    return f->err == HJ212_E_CIPHER || (f->err == HJ212_E_CONTROL_BYTE && f->edition == HJ212_2025);
}

static bool judge(struct session *s, const struct session_env *e, struct lt_slice raw)
{
    struct hj212_frame f, plain;
    const struct hj212_frame *use = &f;
    const struct registry_device *reg = parse(s, e, raw, &f);
    if (reg && reg->has_key && maybe_cipher(&f) &&
        hj212_decrypt(&f, reg->sm4_key, e->scratch, HJ212_FRAME_MAX, &plain) == HJ212_E_OK)
        use = &plain;
    if (use->err != HJ212_E_OK)
        return refuse(s, e, raw, use->err, file_under(s, e, f.mn.n ? f.mn : mn_in(raw)));
    if (use->mn.n == 0) { /* an empty segment, or an answer of a device that has no MN yet: belongs to nobody */
        struct session_device *c = current(s);
        return refuse(s, e, raw, HJ212_E_MN, c ? c->mn : (struct lt_slice){"", 0});
    }
    unsigned why = barred(s, reg, use);
    if (why)
        return refuse(s, e, raw, why, use->mn);
    if (reg)
        s->cut_tolerate |= reg->tolerate;
    return accept_frame(s, e, raw, use, reg);
}

/* ---- the byte stream ---- */
static void refill(struct session *s, const struct session_env *e)
{
    int64_t gain = (e->mono_ms - s->tokens_ms) * e->max_rate;
    s->tokens_ms = e->mono_ms;
    int64_t full = (int64_t)e->max_rate * 1000;
    s->tokens = (uint32_t)(s->tokens + gain > full ? full : s->tokens + gain);
}

int64_t session_rate_until(const struct session *s, const struct session_env *e)
{
    /* Not one frame at a time: a tenth of a second's worth. */
    int64_t need = (int64_t)e->max_rate * 100 - s->tokens;
    return s->tokens_ms + (need > 0 ? need / e->max_rate + 1 : 0);
}

static bool take(struct session *s, const struct session_env *e, const struct hj212_cut *c, bool timed_out)
{
    if (c->kind == HJ212_CUT_FRAME && c->err == HJ212_E_OK)
        return judge(s, e, c->raw);
    unsigned reason = c->err == HJ212_E_TRUNCATED && timed_out ? (unsigned)JOURNAL_R_INCOMPLETE : (unsigned)c->err;
    return refuse(s, e, c->raw, reason, file_under(s, e, mn_in(c->raw)));
}

enum run_end { RUN_OPEN, RUN_CLOSED, RUN_TIMED_OUT };

/* Handles what is complete in p[0..n); returns how many bytes are done with. */
static size_t run(struct session *s, const struct session_env *e, const char *p, size_t n, enum run_end how)
{
    size_t used = 0;
    s->stop = SESSION_GO;
    refill(s, e);
    while (used < n && !s->cause) {
        if (s->tokens < 1000) {
            s->stop = SESSION_RATE;
            break;
        }
        struct hj212_cut c = hj212_cut(p + used, n - used, how != RUN_OPEN, s->cut_tolerate);
        struct lt_slice doubtful =
            c.kind == HJ212_CUT_MORE ? (struct lt_slice){p + used + c.used, n - used - c.used} : c.raw;
        if ((c.kind != HJ212_CUT_FRAME || c.err != HJ212_E_OK) && learn(s, e, doubtful))
            continue;
        if (c.kind == HJ212_CUT_MORE) {
            used += c.used;
            break;
        }
        if (!take(s, e, &c, how == RUN_TIMED_OUT)) {
            s->stop = SESSION_NO_ROOM;
            break;
        }
        s->tokens -= 1000;
        used += c.used;
    }
    return used;
}

/* Keeps p[0..n) for later; p may lie in s->rest. Memory follows need: an ordinary connection owns none. */
static void keep(struct session *s, const struct session_env *e, const char *p, size_t n)
{
    if (n == 0 || s->cause) {
        free(s->rest);
        s->rest = NULL;
        s->rest_n = s->rest_cap = 0;
        return;
    }
    s->begun_ms = e->mono_ms;
    if (n > s->rest_cap) {
        size_t cap = n < 1024 ? 1024 : (n + 4095) & ~(size_t)4095;
        char *q = malloc(cap);
        if (!q) {
            s->cause = "out of memory";
            return;
        }
        memcpy(q, p, n);
        free(s->rest);
        s->rest = q;
        s->rest_cap = (uint32_t)cap;
    } else {
        memmove(s->rest, p, n);
    }
    s->rest_n = (uint32_t)n;
}

static void note_gap(struct session *s, const struct session_env *e)
{
    int64_t gap = e->mono_ms - s->last_ms;
    s->last_ms = e->mono_ms;
    if (gap < LT_SEC_MS) /* the rest of the same sending */
        return;
    int64_t kept = s->gap_ms - s->gap_ms / 8;
    s->gap_ms = gap > kept ? gap : kept;
    s->gaps++;
}

void session_input(struct session *s, const struct session_env *e, char *p, size_t n)
{
    const size_t before = s->rest_n;
    const int64_t begun = s->begun_ms;
    assert(s->stop == SESSION_GO && before <= SESSION_HEADROOM);
    note_gap(s, e);
    if (before > 0) {
        p -= before;
        n += before;
        memcpy(p, s->rest, before);
    }
    size_t used = run(s, e, p, n, RUN_OPEN);
    keep(s, e, p + used, n - used);
    if (used == 0 && before > 0) /* still the same unfinished frame */
        s->begun_ms = begun;
}

static bool go_on(struct session *s, const struct session_env *e, enum run_end how)
{
    size_t used = run(s, e, s->rest, s->rest_n, how);
    keep(s, e, s->rest + used, s->rest_n - used);
    return s->stop == SESSION_GO;
}

bool session_resume(struct session *s, const struct session_env *e)
{
    s->last_ms = e->mono_ms; /* it was we who did not listen */
    return s->stop == SESSION_GO || go_on(s, e, RUN_OPEN);
}

bool session_end(struct session *s, const struct session_env *e)
{
    s->tokens = e->max_rate * 1000; /* nobody is slowed down any more by going on */
    return s->rest_n == 0 || go_on(s, e, RUN_CLOSED);
}

/* ---- time ---- */
/* After how long without bytes the device is taken for gone; HJ 212 knows no heart-beat before 2025. */
static int64_t silence_ms(struct session *s, const struct session_env *e)
{
    int64_t interval = 0;
    for (size_t i = 0; i < s->dev_n; i++) {
        const struct registry_device *reg = session_enrolled(e, &s->dev[i]);
        if (reg && reg->rtd_interval_s * LT_SEC_MS > interval)
            interval = reg->rtd_interval_s * LT_SEC_MS;
    }
    bool observed = s->gaps >= 4;
    if (interval == 0 && !observed)
        return e->idle_s * LT_SEC_MS;
    if (observed && s->gap_ms > interval)
        interval = s->gap_ms > SESSION_IDLE_FLOOR_MS / 2 || interval ? s->gap_ms : SESSION_IDLE_FLOOR_MS / 2;
    return 2 * interval;
}

void session_tick(struct session *s, const struct session_env *e)
{
    if (s->cause)
        return;
    if (s->rest_n > 0 && s->stop == SESSION_GO && e->mono_ms - s->begun_ms >= e->frame_s * LT_SEC_MS)
        go_on(s, e, RUN_TIMED_OUT);
    session_requests_tick(s, e);
    int64_t silent = e->mono_ms - s->last_ms;
    if (s->stop == SESSION_GO && silent > silence_ms(s, e)) {
        snprintf(s->cause_text, sizeof s->cause_text, "no data for %lld s", (long long)(silent / LT_SEC_MS));
        s->cause = s->cause_text;
    }
}
