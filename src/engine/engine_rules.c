/* Between the pure rules and the world: gathers what a rule needs, keeps its small state in device and channel, and
 * turns a change into alarms and verdicts. */
#include "engine/engine_priv.h"

#include "json/json.h"

#include <stddef.h>
#include <stdio.h>

#define SCRATCH_JSON 4000 /* the limit of the field params */

struct say { /* one JSON object under way */
    struct lt_buf buf;
    struct jsonw w;
};

static void say_begin(struct say *s)
{
    s->buf = LT_BUF_INIT(SCRATCH_JSON);
    jsonw_init(&s->w, &s->buf);
    jsonw_object(&s->w);
}

static void say_end(struct engine *e, struct say *s, struct eng_effect *f)
{
    jsonw_object_end(&s->w);
    if (f && jsonw_ok(&s->w)) {
        eng_effect_text(e, f, lt_buf_slice(&s->buf));
    }
    lt_buf_fini(&s->buf);
}

static struct eng_effect *on_device(struct engine *e, enum eng_effect_kind kind, enum alarm_rule rule,
                                    const struct eng_device *d, uint16_t factor, int64_t period_ms)
{
    struct eng_effect *f = eng_effect(e, kind, rule);
    if (f) {
        f->object = ALARM_DEVICE;
        f->object_id = f->device = d->id;
        f->factor = factor;
        f->period_ms = period_ms;
        f->first_ms = period_ms;
        f->last_ms = e->now_ms;
    }
    return f;
}

static void verdict(struct engine *e, const struct eng_effect *of, const char *outcome, struct lt_slice inputs)
{
    struct eng_effect copy = *of; /* the next call may move the list */
    struct eng_effect *v = eng_effect(e, EFF_VERDICT, (enum alarm_rule)copy.rule);
    if (v) {
        v->object = copy.object;
        v->object_id = copy.object_id;
        v->device = copy.device;
        v->factor = copy.factor;
        v->period_ms = copy.period_ms;
        v->outcome = outcome;
        eng_effect_text(e, v, inputs);
    }
}

/* Alarm with a verdict that shows the same numbers. */
static void raise_said(struct engine *e, struct say *s, struct eng_effect *f)
{
    jsonw_object_end(&s->w);
    if (f && jsonw_ok(&s->w)) {
        eng_effect_text(e, f, lt_buf_slice(&s->buf));
        verdict(e, f, "raise", lt_buf_slice(&s->buf));
    }
    lt_buf_fini(&s->buf);
}

static void end_all(struct engine *e, enum alarm_rule rule, const struct eng_device *d, uint16_t factor)
{
    on_device(e, EFF_END_ALL, rule, d, factor, 0);
}

static const struct rule_params *in_force(const struct engine *e, enum alarm_rule rule)
{
    const struct rule_params *p = &e->rules.rule[rule];
    return rule_in_force(p, e->now_ms) ? p : NULL;
}

/* ---- readings: constant, out_of_range, impossible ---- */

static void judge_constant(struct engine *e, struct eng_device *d, struct eng_channel *c, const struct eng_reading *r,
                           int64_t at_ms)
{
    const struct rule_params *p = in_force(e, ALARM_R_CONSTANT);
    if (!p) {
        return;
    }
    enum rule_change change =
        rule_run_step(p, &c->run, r->value, at_ms, (int32_t)(eng_floor(e, at_ms, LT_DAY_MS) / LT_DAY_MS));
    if (change == RULE_LEAVES) {
        end_all(e, ALARM_R_CONSTANT, d, c->factor);
    }
    if (change != RULE_ENTERS) {
        return;
    }
    if (eng_process_in(e, d->outlet, c->run.began_ms, at_ms + 1) & (ENG_P_STOPPED | ENG_P_MAINTENANCE)) {
        c->run.active = false; /* a stopped source may well show the same value; looked at again with the next one */
        return;
    }
    struct eng_effect *f = on_device(e, EFF_RAISE, ALARM_R_CONSTANT, d, c->factor, c->run.began_ms);
    if (!f) {
        return;
    }
    f->value = r->value;
    f->count = c->run.n;
    struct say s;
    say_begin(&s);
    jsonw_ki64(&s.w, "n", c->run.n);
    jsonw_ki64(&s.w, "minutes", (at_ms - c->run.began_ms) / LT_MIN_MS);
    jsonw_ki64(&s.w, "run_limit", c->run.limit);
    jsonw_ki64(&s.w, "same", c->run.same);
    jsonw_ki64(&s.w, "pairs", c->run.pairs);
    raise_said(e, &s, f);
}

static void judge_range(struct engine *e, struct eng_device *d, struct eng_channel *c, const struct eng_reading *r,
                        int64_t at_ms)
{
    const struct rule_params *p = in_force(e, ALARM_R_OUT_OF_RANGE);
    const struct rule_range *g = e->factor[c->factor].range;
    if (!p || !g) {
        return;
    }
    bool out = rule_out_of_range(g, r->value);
    enum rule_change change = rule_hold_step(&c->range, out, !out, at_ms, p->min_duration_ms);
    if (change == RULE_LEAVES) {
        end_all(e, ALARM_R_OUT_OF_RANGE, d, c->factor);
    }
    struct eng_effect *f =
        change == RULE_ENTERS ? on_device(e, EFF_RAISE, ALARM_R_OUT_OF_RANGE, d, c->factor, c->range.began_ms) : NULL;
    if (!f) {
        return;
    }
    f->value = r->value;
    struct say s;
    say_begin(&s);
    jsonw_kfix(&s.w, "min", g->low);
    jsonw_kfix(&s.w, "max", g->high);
    jsonw_ki64(&s.w, "n", c->range.n);
    raise_said(e, &s, f);
}

static void judge_impossible(struct engine *e, struct eng_device *d, struct eng_channel *c, const struct eng_reading *r,
                             int64_t at_ms, int64_t o2)
{
    const struct rule_params *p = in_force(e, ALARM_R_IMPOSSIBLE);
    const struct eng_factor *fa = &e->factor[c->factor];
    int64_t o2_ref = d->outlet && d->outlet->convert && fa->convertible ? d->outlet->o2_ref : LT_FIX_NONE;
    if (!p || (!fa->range && o2_ref == LT_FIX_NONE)) {
        return;
    }
    /* Above the cap nothing is converted, so the converted value may stand below what (28) would give. */
    bool capped = d->outlet && o2 != LT_FIX_NONE && o2 > d->outlet->o2_cap;
    enum rule_impossible what =
        rule_impossible_judge(fa->range, fa->o2, r->value, r->zs, capped ? LT_FIX_NONE : o2, o2_ref);
    enum rule_change change =
        rule_hold_step(&c->impossible, what != RULE_POSSIBLE, what == RULE_POSSIBLE, at_ms, p->min_duration_ms);
    if (change == RULE_LEAVES) {
        end_all(e, ALARM_R_IMPOSSIBLE, d, c->factor);
    }
    struct eng_effect *f = change == RULE_ENTERS
                               ? on_device(e, EFF_RAISE, ALARM_R_IMPOSSIBLE, d, c->factor, c->impossible.began_ms)
                               : NULL;
    if (!f) {
        return;
    }
    f->value = r->value;
    struct say s;
    say_begin(&s);
    jsonw_kstr(&s.w, "what", rule_impossible_name(what));
    if (what == RULE_ZS_BELOW) {
        jsonw_kstr(&s.w, "other", "a19001");
        jsonw_kfix(&s.w, "other_value", o2);
        jsonw_kfix(&s.w, "zs", r->zs);
    }
    jsonw_ki64(&s.w, "n", c->impossible.n);
    raise_said(e, &s, f);
}

void eng_judge_reading(struct engine *e, struct eng_device *d, struct eng_channel *c, const struct eng_reading *r,
                       int64_t at_ms, int64_t o2)
{
    if (r->value == LT_FIX_NONE || !values_mark_normal(r->mark)) {
        return;
    }
    if (e->factor[c->factor].watched) {
        judge_constant(e, d, c, r, at_ms);
    }
    /* Nearly every reading is in its range and its rules are at rest: then there is nothing to move. */
    const struct rule_range *g = e->factor[c->factor].range;
    bool fine = !g || (r->value >= g->low && r->value <= g->high && r->value >= g->impossible_low &&
                       r->value <= g->impossible_high);
    if (fine && !c->stirred && (r->zs == LT_FIX_NONE || r->zs >= r->value)) {
        return;
    }
    judge_range(e, d, c, r, at_ms);
    judge_impossible(e, d, c, r, at_ms, o2);
    c->stirred = c->range.active || c->range.since_ms || c->impossible.active || c->impossible.since_ms;
}

/* ---- frames: silence ends, clock, two connections ---- */

static void silence_ends(struct engine *e, struct eng_device *d)
{
    if (!d->silent_since_ms) {
        return;
    }
    end_all(e, ALARM_R_SILENCE, d, 0);
    d->silent_since_ms = 0;
    d->cause = ENGINE_SPEAKING;
}

static void judge_drift(struct engine *e, struct eng_device *d, int64_t at_ms)
{
    const struct rule_params *p = in_force(e, ALARM_R_CLOCK_DRIFT);
    if (!p || e->clock_doubt_ms) {
        return;
    }
    int64_t drift = rule_drift_ms(&d->drift);
    enum rule_change change = rule_drift_step(p, &d->drift_hold, drift, at_ms);
    if (change == RULE_LEAVES) {
        end_all(e, ALARM_R_CLOCK_DRIFT, d, 0);
    }
    struct eng_effect *f =
        change == RULE_ENTERS ? on_device(e, EFF_RAISE, ALARM_R_CLOCK_DRIFT, d, 0, d->drift_hold.began_ms) : NULL;
    if (!f) {
        return;
    }
    struct say s;
    say_begin(&s);
    jsonw_ki64(&s.w, "seconds", drift / 1000);
    jsonw_ki64(&s.w, "limit_s", rule_or(p->enter, 600 * LT_FIX_ONE) / LT_FIX_ONE);
    raise_said(e, &s, f);
}

/* ---- the post's own clock ---- */
/* A device's drift is its clock minus ours. When ours was set, or most devices disagree with it, that is one alarm of
 * the post, and no device's clock is judged until most of them agree with ours again. */

static void forget_drifts(struct engine *e)
{
    for (size_t i = 0; i < e->n_device; i++) {
        struct eng_device *d = e->device[i];
        pthread_mutex_lock(&d->mu);
        d->drift.n = d->drift.at = 0;
        d->drift_hold.since_ms = 0;
        d->changed = true;
        pthread_mutex_unlock(&d->mu);
    }
}

struct jury {
    unsigned near, far, few; /* agree, disagree, spoke too little to tell */
};

static struct jury ask_devices(const struct engine *e, int64_t limit_ms)
{
    struct jury j = {0};
    for (size_t i = 0; i < e->n_device; i++) {
        const struct eng_device *d = e->device[i];
        if (d->status != ENG_ACTIVE || d->drift.n == 0) {
            continue;
        }
        int64_t drift = rule_drift_ms(&d->drift);
        j.few += drift == INT64_MIN;
        j.near += drift != INT64_MIN && drift <= limit_ms && drift >= -limit_ms;
        j.far += drift != INT64_MIN && (drift > limit_ms || drift < -limit_ms);
    }
    return j;
}

static void clock_trusted(struct engine *e)
{
    struct eng_effect *f = e->clock_told && !e->private ? eng_effect(e, EFF_END_ALL, ALARM_R_CLOCK_DRIFT) : NULL;
    if (f) {
        f->object = ALARM_POST;
        f->last_ms = e->now_ms;
    }
    e->clock_doubt_ms = 0;
    e->clock_told = false;
    e->clock_held_ms = 0;
}

static void tell_clock(struct engine *e, int64_t step_ms, unsigned far)
{
    e->clock_told = true;
    /* a replay repeats what the post said of devices, not what it said of itself */
    struct eng_effect *f = e->private ? NULL : eng_effect(e, EFF_RAISE, ALARM_R_CLOCK_DRIFT);
    if (!f) {
        return;
    }
    f->object = ALARM_POST;
    f->period_ms = f->first_ms = e->clock_doubt_ms;
    f->last_ms = e->now_ms;
    struct say s;
    say_begin(&s);
    if (step_ms) {
        jsonw_ki64(&s.w, "step_s", lt_div_half_even(step_ms, 1000));
    } else {
        jsonw_ku64(&s.w, "devices", far);
    }
    raise_said(e, &s, f);
}

/* Drifts measured by a clock of before are forgotten, also those of frames that were under way when it was set. */
static void settle_clock(struct engine *e, int64_t step_ms, int64_t at_ms)
{
    if (step_ms) {
        forget_drifts(e);
        e->clock_settle_ms = at_ms + ENG_CLOCK_SETTLE;
    } else if (e->clock_settle_ms && at_ms >= e->clock_settle_ms) {
        forget_drifts(e);
        e->clock_settle_ms = 0;
    }
}

void eng_judge_clock(struct engine *e, const struct journal_record *tick)
{
    const struct rule_params *p = in_force(e, ALARM_R_CLOCK_DRIFT);
    const int64_t step_ms = journal_step_of(tick);
    settle_clock(e, step_ms, tick->at_ms);
    if (!p) {
        clock_trusted(e);
        return;
    }
    int64_t limit_ms = rule_or(p->enter, 600 * LT_FIX_ONE) / 1000;
    struct jury j = ask_devices(e, limit_ms);
    if (!e->clock_doubt_ms && (step_ms || (j.far >= ENG_CLOCK_JURY && j.far > j.near + j.few))) {
        e->clock_doubt_ms = e->now_ms;
    }
    if (!e->clock_doubt_ms) {
        return;
    }
    bool heard = !e->clock_settle_ms && j.near + j.far >= j.few;
    if (heard && j.near > j.far) {
        clock_trusted(e);
    } else if (step_ms > limit_ms || step_ms < -limit_ms || (!e->clock_told && heard && j.far > j.near)) {
        tell_clock(e, step_ms, j.far);
    }
}

static void judge_double(struct engine *e, struct eng_device *d, const struct journal_record *r)
{
    const struct rule_params *p = in_force(e, ALARM_R_DOUBLE_CONNECTION);
    if (!p || rule_double_step(p, &d->twice, r->conn, r->at_ms) != RULE_ENTERS) {
        return;
    }
    struct eng_effect *f = on_device(e, EFF_RAISE, ALARM_R_DOUBLE_CONNECTION, d, 0, r->at_ms);
    if (!f) {
        return;
    }
    struct say s;
    say_begin(&s);
    jsonw_ki64(&s.w, "n", 2);
    jsonw_ki64(&s.w, "conn", d->twice.conn[0]);
    jsonw_ki64(&s.w, "other_conn", d->twice.conn[1]);
    raise_said(e, &s, f);
}

void eng_judge_frame(struct engine *e, struct eng_device *d, const struct journal_record *r, int64_t drift_ms)
{
    silence_ends(e, d);
    if (d->status != ENG_ACTIVE) {
        return;
    }
    if (drift_ms != INT64_MIN) {
        judge_drift(e, d, r->at_ms);
    }
    judge_double(e, d, r);
}

/* ---- time: silence ---- */

static enum engine_silence silence_cause(const struct eng_device *d)
{
    if (d->last_data_ms == 0) {
        return d->reject_ms ? ENGINE_REFUSED : ENGINE_NEVER;
    }
    if (d->reject_ms > d->last_data_ms) {
        return ENGINE_REFUSED;
    }
    return d->conn_closed ? ENGINE_CLOSED : ENGINE_NO_DATA;
}

static void clock_text(const struct engine *e, int64_t at_ms, char ret[32])
{
    struct lt_civil c = lt_civil_of(at_ms, e->cfg.tz_min);
    snprintf(ret, 32, "%02d-%02d %02d:%02d", c.month, c.day, c.hour, c.minute);
}

/* The gateway's words for the end of a connection, "(closed by device) 10.1.2.3:4711", as an officer reads them; what
 * is not in the table stays as it is. */
static void closed_words(const char *why, char zh[96], char en[96])
{
    static const struct {
        const char *starts, *zh;
    } words[] = {{"closed by device", "对方断开"},
                 {"no data for", "长时间没有数据"},
                 {"refused", "报文屡被拒收"},
                 {"post stopped", "平台停止运行"},
                 {"post could not store", "平台未能入库"},
                 {"cannot read", "读取出错"},
                 {"write failed", "发送出错"},
                 {"too much sent at once", "一次发送过多"},
                 {"out of memory", "平台内存不足"},
                 {"device does not read its answers", "对方不读取应答"}};
    const char *text = why[0] == '(' ? why + 1 : why[0] ? why : "unknown";
    const char *end = why[0] == '(' ? strrchr(why, ')') : NULL;
    snprintf(en, 96, "%.*s", end && end > text ? (int)(end - text) : 95, text);
    snprintf(zh, 96, "%s", strcmp(en, "unknown") == 0 ? "原因不明" : en);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strncmp(en, words[i].starts, strlen(words[i].starts)) == 0) {
            snprintf(zh, 96, "%s", words[i].zh);
        }
    }
}

/* What an officer can do something about has a word; the rest is named as the journal names it. */
static const char *refused_word(unsigned reason)
{
    return reason == JOURNAL_R_PASSWORD ? "访问密码不符" : journal_reason_name(reason);
}

void eng_silence_sentence(const struct engine *e, const struct eng_device *d, char zh[200], char en[200])
{
    char last[32], then[32], why_zh[96], why_en[96];
    clock_text(e, d->last_data_ms, last);
    switch ((enum engine_silence)d->cause) {
    case ENGINE_NEVER:
        snprintf(zh, 200, "从未收到该设备的数据");
        snprintf(en, 200, "nothing was ever received from this device");
        return;
    case ENGINE_CLOSED:
        clock_text(e, d->closed_ms, then);
        closed_words(d->close_why, why_zh, why_en);
        snprintf(zh, 200, "连接于 %s 断开（%s），此后未再连接", then, why_zh);
        snprintf(en, 200, "connection ended at %s (%s), not seen since", then, why_en);
        return;
    case ENGINE_NO_DATA:
        snprintf(zh, 200, "连接仍在，但自 %s 起没有数据", last);
        snprintf(en, 200, "connected, but no data since %s", last);
        return;
    case ENGINE_REFUSED:
        clock_text(e, d->reject_ms, then);
        snprintf(zh, 200, "报文被拒收（%s），最近一次 %s", refused_word(d->reject_reason), then);
        snprintf(en, 200, "frames refused (%s), last at %s", journal_reason_name(d->reject_reason), then);
        return;
    case ENGINE_SPEAKING:
    case ENGINE_POST:
        break;
    }
    zh[0] = en[0] = 0;
}

static void raise_silence(struct engine *e, struct eng_device *d, unsigned interval_s)
{
    static const char *const causes[] = {"unknown", "never", "link", "device", "device", "unknown"};
    struct eng_effect *f = on_device(e, EFF_RAISE, ALARM_R_SILENCE, d, 0, d->silent_since_ms);
    if (!f) {
        return;
    }
    struct say s;
    char zh[200], en[200];
    eng_silence_sentence(e, d, zh, en);
    say_begin(&s);
    jsonw_ki64(&s.w, "minutes", (e->now_ms - d->silent_since_ms) / LT_MIN_MS);
    jsonw_kstr(&s.w, "cause", causes[d->cause]);
    jsonw_kstr(&s.w, "cause_zh", zh);
    jsonw_kstr(&s.w, "cause_en", en);
    jsonw_ki64(&s.w, "interval_s", interval_s);
    if (d->cause == ENGINE_REFUSED) {
        jsonw_kstr(&s.w, "reason", journal_reason_name(d->reject_reason));
    }
    raise_said(e, &s, f);
}

static void judge_silence(struct engine *e, struct eng_device *d, const struct rule_params *p)
{
    int64_t from = d->last_data_ms > d->known_ms ? d->last_data_ms : d->known_ms;
    from = from > e->up_since_ms ? from : e->up_since_ms;
    unsigned interval = rule_interval_s(d->rtd_interval_s, d->min_interval_min, &d->gaps);
    if (d->silent_since_ms || e->now_ms <= rule_silence_at(p, from, interval)) {
        return;
    }
    pthread_mutex_lock(&d->mu);
    d->silent_since_ms = d->last_data_ms ? d->last_data_ms : from;
    d->cause = (uint8_t)silence_cause(d);
    d->changed = true;
    pthread_mutex_unlock(&d->mu);
    raise_silence(e, d, interval);
}

static void judge_double_time(struct engine *e, struct eng_device *d)
{
    const struct rule_params *p = &e->rules.rule[ALARM_R_DOUBLE_CONNECTION];
    if (d->twice.active && rule_double_time(p, &d->twice, e->now_ms) == RULE_LEAVES) {
        d->changed = true;
        end_all(e, ALARM_R_DOUBLE_CONNECTION, d, 0);
    }
}

/* ---- what nobody can end any more ---- */

/* What goes on in a channel until its rule ends it: "active", or the start of the period it is about. */
static const struct {
    enum alarm_rule rule;
    bool period;
    size_t at;
} lasting[] = {{ALARM_R_CONSTANT, false, offsetof(struct eng_channel, run.active)},
               {ALARM_R_OUT_OF_RANGE, false, offsetof(struct eng_channel, range.active)},
               {ALARM_R_IMPOSSIBLE, false, offsetof(struct eng_channel, impossible.active)},
               {ALARM_R_FLAG_ABUSE, false, offsetof(struct eng_channel, flag.active)},
               {ALARM_R_NO_DATA, true, offsetof(struct eng_channel, nodata_ms)},
               {ALARM_R_HOUR_EXCEED, true, offsetof(struct eng_channel, exceed_ms)},
               {ALARM_R_DAY_EXCEED, true, offsetof(struct eng_channel, day_exceed_ms)}};

static void let_period(struct engine *e, struct eng_device *d, enum alarm_rule rule, uint16_t factor,
                       int64_t *active_ms)
{
    if (*active_ms == 0) {
        return;
    }
    struct eng_effect *x = on_device(e, EFF_END, rule, d, factor, *active_ms);
    if (x && rule != ALARM_R_NO_DATA) {
        x->object = ALARM_OUTLET;
        x->object_id = d->outlet_id;
    }
    *active_ms = 0;
    d->changed = true;
}

static void let_active(struct engine *e, struct eng_device *d, enum alarm_rule rule, uint16_t factor, bool *active)
{
    if (*active) {
        end_all(e, rule, d, factor);
        *active = false;
        d->changed = true;
    }
}

/* A rule that was switched off, or a device that is no longer watched: what was found would go on for ever. (Silence
 * and two connections are ended by time.) */
static void let_go(struct engine *e, struct eng_device *d, const bool off[ALARM_RULE_COUNT])
{
    bool all = d->status != ENG_ACTIVE;
    if (all || off[ALARM_R_CLOCK_DRIFT]) {
        let_active(e, d, ALARM_R_CLOCK_DRIFT, 0, &d->drift_hold.active);
    }
    if (all || off[ALARM_R_NO_DATA]) {
        let_period(e, d, ALARM_R_NO_DATA, 0, &d->nodata_ms);
    }
    for (size_t k = 0; k < sizeof lasting / sizeof lasting[0]; k++) {
        for (uint32_t i = 0; (all || off[lasting[k].rule]) && i < d->n_ch; i++) {
            void *at = (char *)&d->ch[i] + lasting[k].at;
            if (lasting[k].period) {
                let_period(e, d, lasting[k].rule, d->ch[i].factor, at);
            } else {
                let_active(e, d, lasting[k].rule, d->ch[i].factor, at);
            }
        }
    }
}

void eng_judge_time(struct engine *e)
{
    if (e->now_ms - e->scan_ms < ENG_SCAN_MS) {
        return;
    }
    e->scan_ms = e->now_ms;
    const struct rule_params *p = in_force(e, ALARM_R_SILENCE);
    bool off[ALARM_RULE_COUNT];
    for (unsigned i = 0; i < ALARM_RULE_COUNT; i++) {
        off[i] = !in_force(e, (enum alarm_rule)i);
    }
    struct engine_stats *s = &e->stats;
    s->devices_silent = s->devices_pending = s->open_hours = 0;
    for (size_t i = 0; i < e->n_device; i++) {
        struct eng_device *d = e->device[i];
        judge_double_time(e, d);
        let_go(e, d, off);
        if (d->status == ENG_ACTIVE && p) {
            judge_silence(e, d, p);
        } else if (d->silent_since_ms) { /* no longer watched: the alarm must not stay */
            pthread_mutex_lock(&d->mu);
            silence_ends(e, d);
            d->changed = true;
            pthread_mutex_unlock(&d->mu);
        }
        s->devices_silent += d->silent_since_ms != 0;
        s->devices_pending += d->status == ENG_PENDING;
        s->open_hours += d->n_open;
    }
}

/* ---- when did the post run ---- */

void eng_post_minute(struct engine *e, int64_t at_ms)
{
    if (at_ms / LT_MIN_MS == e->post_minute) {
        return;
    }
    e->post_minute = at_ms / LT_MIN_MS;
    int64_t hour = at_ms / LT_HOUR_MS;
    unsigned slot = (unsigned)(hour % 48);
    if (e->minute_up_hour[slot] != hour) {
        e->minute_up_hour[slot] = hour;
        memset(e->minute_up[slot], 0, 60);
    }
    e->minute_up[slot][at_ms / LT_MIN_MS % 60] = 1;
}

unsigned eng_post_minutes(const struct engine *e, int64_t hour_ms)
{
    int64_t hour = hour_ms / LT_HOUR_MS;
    unsigned slot = (unsigned)(hour % 48), n = 0;
    for (unsigned m = 0; e->minute_up_hour[slot] == hour && m < 60; m++) {
        n += e->minute_up[slot][m];
    }
    return n;
}

/* ---- hour and day: limits ---- */

struct limit_found {
    const struct eng_limit *limit;
    enum rule_limit outcome;
    int64_t value;
};

static int64_t share_of(const struct eng_hour_facts *f)
{
    /* A report of the device speaks for all its minutes; the standard's validity is in its mark. */
    if (f->value->source == VALUES_REPORTED) {
        return LT_FIX_ONE;
    }
    return (int64_t)f->value->valid * LT_FIX_ONE / (f->day ? 24 : 60);
}

static enum lt_err judge_one(struct engine *e, const struct eng_hour_facts *f, const struct eng_limit *m,
                             struct limit_found *best, struct lt_error *err)
{
    enum alarm_rule rule = f->day ? ALARM_R_DAY_EXCEED : ALARM_R_HOUR_EXCEED;
    const struct rule_params *p = &e->rules.rule[rule];
    bool declared = (eng_process_in(e, f->d->outlet, f->from_ms, f->to_ms) & ENG_P_EXEMPT) != 0;
    unsigned used = 0;
    if (declared && !f->day && p->param1 != LT_FIX_NONE) {
        enum lt_err r = eng_hours_with(e, f->d, f->factor, lt_month_start(f->from_ms, e->cfg.tz_min), f->from_ms,
                                       VALUES_S_EXEMPT, &used, err);
        if (r != LT_OK) {
            return r;
        }
    }
    const struct values_result *v = f->value;
    int64_t converted = v->zsavg == LT_FIX_NONE && !f->d->outlet->convert ? v->avg : v->zsavg;
    struct rule_limit_input in = {.has_limit = true,
                                  .converted_basis = m->converted,
                                  .limit = m->value,
                                  .measured = v->avg,
                                  .converted = converted,
                                  .valid = (v->state & VALUES_S_VALID) != 0,
                                  .share = share_of(f),
                                  .declared = declared,
                                  .exempt_used = used};
    enum rule_limit out = rule_limit_judge(p, &in);
    if (!best->limit || out > best->outcome) {
        *best = (struct limit_found){m, out, m->converted ? converted : v->avg};
    }
    return LT_OK;
}

static void say_exceed(struct say *s, const struct eng_hour_facts *f, const struct limit_found *b)
{
    const struct values_result *v = f->value;
    jsonw_kstr(&s->w, "standard", b->limit->standard);
    jsonw_ki64(&s->w, "valid", v->source == VALUES_REPORTED ? 100 : (int64_t)v->valid * 100 / (f->day ? 24 : 60));
    jsonw_kstr(&s->w, "basis", b->limit->converted ? "converted" : "measured");
    jsonw_kfix(&s->w, "measured", v->avg);
    jsonw_kfix(&s->w, "converted", v->zsavg);
    jsonw_kfix(&s->w, "o2", f->o2);
    jsonw_kstr(&s->w, "source", values_source_name(v->source));
    jsonw_ki64(&s->w, "valid_n", v->valid);
    jsonw_ki64(&s->w, "limit_id", b->limit->id);
    jsonw_ki64(&s->w, "device", f->d->id);
}

static struct eng_effect *on_outlet(struct engine *e, enum eng_effect_kind kind, const struct eng_hour_facts *f,
                                    int64_t period_ms)
{
    struct eng_effect *x = eng_effect(e, kind, f->day ? ALARM_R_DAY_EXCEED : ALARM_R_HOUR_EXCEED);
    if (x) {
        x->object = ALARM_OUTLET;
        x->object_id = f->d->outlet_id;
        x->device = f->d->id;
        x->factor = f->factor;
        x->period_ms = period_ms;
        x->period_len_ms = f->day ? LT_DAY_MS : LT_HOUR_MS;
        x->first_ms = x->last_ms = f->to_ms < e->now_ms ? f->to_ms : e->now_ms;
    }
    return x;
}

static void tell_exceed(struct engine *e, const struct eng_hour_facts *f, const struct limit_found *b, bool exempt,
                        bool before)
{
    struct eng_effect *x = on_outlet(e, exempt ? EFF_VERDICT : EFF_RAISE, f, f->from_ms);
    if (!x) {
        return;
    }
    if (!f->first && !before) {
        x->last_ms = e->now_ms; /* seen again after it had been taken back: not a repetition of what is over */
    }
    x->value = b->value;
    x->limit = b->limit->value;
    x->outcome = "exempt";
    struct say s;
    say_begin(&s);
    say_exceed(&s, f, b);
    if (exempt) { /* a verdict stands alone: it names what an alarm would carry itself */
        jsonw_kfix(&s.w, "value", b->value);
        jsonw_kfix(&s.w, "limit", b->limit->value);
        say_end(e, &s, x);
        return;
    }
    raise_said(e, &s, x);
}

static bool exceeded_before(const struct eng_hour_facts *f, int64_t active_ms)
{
    return f->old_lost ? active_ms == f->from_ms : (f->old_state & VALUES_S_EXCEED) != 0;
}

/* Ends the alarm of a period with the end of the one that is judged. One that late data brought back was seen after
 * that, and an end from before is taken for a repetition: it ends now. */
static struct eng_effect *end_exceed(struct engine *e, const struct eng_hour_facts *f, int64_t period_ms)
{
    struct eng_effect *x = on_outlet(e, EFF_END, f, period_ms);
    if (x && x->last_ms < e->now_ms && (x = on_outlet(e, EFF_END, f, period_ms)) != NULL) {
        x->last_ms = e->now_ms;
    }
    return x;
}

/* At most one exceedance of a channel is "going on": the latest, and none that a later period was closed after
 * (closed_ms). Older ones are facts that ended with their period. */
static void exceed_moves(struct engine *e, const struct eng_hour_facts *f, enum rule_limit out, int64_t closed_ms,
                         int64_t *active_ms)
{
    if (out == RULE_LIMIT_EXCEED) {
        if (*active_ms && *active_ms < f->from_ms) {
            end_exceed(e, f, *active_ms);
            *active_ms = 0;
        }
        if (f->from_ms >= *active_ms && f->from_ms >= closed_ms) {
            *active_ms = f->from_ms;
        } else {
            end_exceed(e, f, f->from_ms);
        }
        return;
    }
    if (exceeded_before(f, *active_ms) && out != RULE_LIMIT_BAND) { /* corrected data took the exceedance back */
        struct eng_effect *x = end_exceed(e, f, f->from_ms);
        if (x) {
            struct say s;
            say_begin(&s);
            jsonw_kfix(&s.w, "measured", f->value->avg);
            jsonw_kfix(&s.w, "converted", f->value->zsavg);
            jsonw_ki64(&s.w, "valid_n", f->value->valid);
            jsonw_object_end(&s.w);
            verdict(e, x, "withdraw", lt_buf_slice(&s.buf));
            lt_buf_fini(&s.buf);
        }
        if (*active_ms == f->from_ms) {
            *active_ms = 0;
        }
    }
    if (out == RULE_LIMIT_OK && *active_ms && *active_ms < f->from_ms) {
        end_exceed(e, f, *active_ms);
        *active_ms = 0;
    }
}

static void judge_flags(struct engine *e, const struct eng_hour_facts *f, struct eng_channel *c,
                        const struct eng_limit *m)
{
    const struct rule_params *p = in_force(e, ALARM_R_FLAG_ABUSE);
    if (!p || !f->first) {
        return;
    }
    struct lt_civil t = lt_civil_of(f->from_ms, e->cfg.tz_min);
    int64_t month = lt_month_start(f->from_ms, e->cfg.tz_min),
            next = lt_month_start(month + 32 * LT_DAY_MS, e->cfg.tz_min);
    struct rule_flag_hour h = {.month = t.year * 100 + t.month,
                               .month_hours = (unsigned)((next - month) / LT_HOUR_MS),
                               .flagged = f->flagged,
                               .any_flag = f->any_flag,
                               .would_exceed = m && f->all_mean != LT_FIX_NONE && f->all_mean > m->value};
    enum rule_change change = rule_flag_step(p, &c->flag, &h);
    if (change == RULE_LEAVES) {
        end_all(e, ALARM_R_FLAG_ABUSE, f->d, f->factor);
    }
    struct eng_effect *x =
        change == RULE_ENTERS ? on_device(e, EFF_RAISE, ALARM_R_FLAG_ABUSE, f->d, f->factor, month) : NULL;
    if (!x) {
        return;
    }
    x->period_len_ms = next - month;
    struct say s;
    say_begin(&s);
    jsonw_kstr(&s.w, "flag", "M");
    jsonw_kfix(&s.w, "share", lt_div_half_even((lt_i128)c->flag.flagged * 100 * LT_FIX_ONE, h.month_hours));
    jsonw_ki64(&s.w, "hours", c->flag.flagged);
    jsonw_ki64(&s.w, "starts", c->flag.starts);
    jsonw_ki64(&s.w, "suspicious", c->flag.suspicious);
    raise_said(e, &s, x);
}

enum lt_err eng_judge_period(struct engine *e, const struct eng_hour_facts *f, unsigned *state, struct lt_error *err)
{
    struct eng_device *d = f->d;
    if (f->quiet) { /* stays as it was judged, whatever the limits are by now */
        *state |= (unsigned)f->old_state & (VALUES_S_EXCEED | VALUES_S_EXEMPT);
        return LT_OK;
    }
    if (d->status != ENG_ACTIVE || !d->outlet) {
        return LT_OK;
    }
    struct limit_found best = {.outcome = RULE_LIMIT_NONE};
    bool any = false;
    for (uint32_t i = 0; i < d->outlet->limit_n; i++) {
        const struct eng_limit *m = &e->rules.limit[d->outlet->limit_at + i];
        if (m->factor != f->factor) {
            continue;
        }
        any = true;
        if (m->day != f->day || f->from_ms < m->from_ms || f->from_ms >= m->to_ms) {
            continue;
        }
        enum lt_err r = judge_one(e, f, m, &best, err);
        if (r != LT_OK) {
            return r;
        }
    }
    e->stats.no_limit += f->first && !best.limit && !f->day && e->factor[f->factor].pollutant;
    struct eng_channel *c = eng_channel(d, f->factor, 0);
    if (!c) {
        return LT_OK;
    }
    *state |= best.outcome == RULE_LIMIT_EXCEED   ? VALUES_S_EXCEED
              : best.outcome == RULE_LIMIT_EXEMPT ? VALUES_S_EXEMPT
                                                  : 0;
    if (best.limit && rule_in_force(&e->rules.rule[f->day ? ALARM_R_DAY_EXCEED : ALARM_R_HOUR_EXCEED], f->from_ms)) {
        int64_t *active_ms = f->day ? &c->day_exceed_ms : &c->exceed_ms;
        if (best.outcome == RULE_LIMIT_EXCEED ||
            (best.outcome == RULE_LIMIT_EXEMPT && !(f->old_state & VALUES_S_EXEMPT))) {
            tell_exceed(e, f, &best, best.outcome == RULE_LIMIT_EXEMPT, exceeded_before(f, *active_ms));
        }
        exceed_moves(e, f, best.outcome, f->day ? 0 : c->hour_ms, active_ms);
    }
    if (any && !f->day) {
        judge_flags(e, f, c, best.limit);
    }
    return LT_OK;
}

/* ---- missing data ---- */

static bool has(const uint16_t *list, size_t n, uint16_t factor)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == factor) {
            return true;
        }
    }
    return false;
}

static bool wanted(const struct engine *e, const struct eng_device *d, uint16_t factor, int64_t hour_ms)
{
    for (uint32_t i = 0; i < d->outlet->limit_n; i++) {
        const struct eng_limit *m = &e->rules.limit[d->outlet->limit_at + i];
        if (m->factor == factor && hour_ms >= m->from_ms && hour_ms < m->to_ms) {
            return true;
        }
    }
    return e->factor[factor].o2 && d->outlet->convert;
}

static void missing(struct engine *e, struct eng_device *d, uint16_t factor, int64_t hour_ms, unsigned minutes)
{
    struct eng_effect *f = on_device(e, EFF_RAISE, ALARM_R_NO_DATA, d, factor, hour_ms);
    if (!f) {
        return;
    }
    f->period_len_ms = LT_HOUR_MS;
    f->first_ms = f->last_ms = e->now_ms;
    struct say s;
    say_begin(&s);
    jsonw_ki64(&s.w, "minutes", 60 - (int64_t)minutes);
    jsonw_kstr(&s.w, "cause", d->silent_since_ms ? "link" : "device");
    jsonw_ki64(&s.w, "valid_minutes", minutes);
    raise_said(e, &s, f);
}

static unsigned minutes_of(const uint16_t *seen, const unsigned *minutes, size_t n, uint16_t factor)
{
    for (size_t i = 0; i < n; i++) {
        if (seen[i] == factor) {
            return minutes[i];
        }
    }
    return 0;
}

/* factor 0: the whole device. Ends when data is there again; one alarm at a time per channel. first: the hour was not
 * closed before. */
static void missing_moves(struct engine *e, struct eng_device *d, uint16_t factor, int64_t hour_ms, bool first,
                          bool lacks, int64_t *active_ms, unsigned minutes)
{
    if (*active_ms > hour_ms) { /* an old hour is told once, as over; what is missing now is still missing */
        if (lacks && first) {
            missing(e, d, factor, hour_ms, minutes);
            on_device(e, EFF_END, ALARM_R_NO_DATA, d, factor, hour_ms);
        }
        return;
    }
    if (*active_ms && (!lacks || *active_ms != hour_ms)) {
        on_device(e, EFF_END, ALARM_R_NO_DATA, d, factor, *active_ms);
        *active_ms = 0;
    }
    if (lacks) {
        missing(e, d, factor, hour_ms, minutes);
        *active_ms = hour_ms;
    }
}

void eng_judge_missing(struct engine *e, struct eng_device *d, int64_t hour_ms, bool first, const uint16_t *valid,
                       size_t n_valid, const uint16_t *seen, const unsigned *minutes, size_t n_seen)
{
    const struct rule_params *p = in_force(e, ALARM_R_NO_DATA);
    if (!p || d->status != ENG_ACTIVE || !d->outlet || hour_ms + LT_HOUR_MS > e->now_ms) {
        return;
    }
    int64_t share = (int64_t)eng_post_minutes(e, hour_ms) * LT_FIX_ONE / 60;
    bool excused =
        share < rule_or(p->min_valid_share, 750000) || /* the post itself was down, or the hour is long past */
        (eng_process_in(e, d->outlet, hour_ms, hour_ms + LT_HOUR_MS) & ENG_P_STOPPED);
    size_t n_wanted = 0, n_lack = 0;
    unsigned most = 0; /* valid minutes of the factor that has most: the device lacks no more than what that one does */
    for (uint32_t i = 0; i < d->n_ch; i++) {
        if (wanted(e, d, d->ch[i].factor, hour_ms)) {
            unsigned m = minutes_of(seen, minutes, n_seen, d->ch[i].factor);
            most = m > most ? m : most;
            n_wanted++;
            n_lack += !has(valid, n_valid, d->ch[i].factor);
        }
    }
    bool all = n_wanted > 0 && n_lack == n_wanted;
    missing_moves(e, d, 0, hour_ms, first, all && !excused, &d->nodata_ms, most);
    for (uint32_t i = 0; i < d->n_ch; i++) {
        struct eng_channel *c = &d->ch[i];
        bool lacks = wanted(e, d, c->factor, hour_ms) && !has(valid, n_valid, c->factor) && !all && !excused;
        missing_moves(e, d, c->factor, hour_ms, first, lacks, &c->nodata_ms,
                      minutes_of(seen, minutes, n_seen, c->factor));
    }
}
