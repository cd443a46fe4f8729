/* Invented monitors; see sim_device.h. Noise is value noise on a lattice (hash of seed and cell, smoothly blended),
 * because it needs no state: the value of any moment is computed from the moment alone. */
#include "sim/sim_device.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fix.h"
#include "base/rand.h"
#include "sim/sim_noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Typical levels and limits of ultra-low-emission plants. Limits: GB 13223-2011 with the ultra-low values of 2015
 * (10/35/50), GB 28662/28664 ultra-low (10/35/50), GB 16171-2024, GB 4915-2013, GB 26453-2022, GB 18485-2014, GB
 * 13271-2014; invented outlets, so the figures only have to be of the right size. */
static const struct sim_profile profiles[SIM_INDUSTRIES] = {
    {"thermal_power", 6, 5.2, 3.1, 14, 31, 0, 0, 10, 35, 50, 0, 52, 12, 14, 32, 0.82, "GB 13223-2011"},
    {"steel", 16, 15.1, 4.2, 17, 33, 0, 0, 10, 35, 50, 0, 96, 9, 15, 26, 0.97, "GB 28662-2012"},
    {"coking", 8, 6.8, 5.0, 16, 92, 0, 0, 10, 30, 150, 0, 168, 11, 9, 12, 1.0, "GB 16171-2012"},
    {"cement", 10, 9.2, 4.8, 18, 58, 0, 0, 10, 35, 100, 0, 92, 8, 16, 18, 0.9, "GB 4915-2013"},
    {"glass", 8, 7.4, 7.2, 70, 210, 0, 0, 15, 100, 300, 0, 176, 10, 8, 6, 1.0, "GB 26453-2022"},
    {"nonferrous", 0, 17.5, 4.6, 32, 41, 0, 0, 10, 100, 100, 0, 68, 7, 12, 10, 1.0, "GB 25465-2010"},
    {"refractory", 18, 17.2, 8.1, 22, 52, 0, 0, 20, 50, 100, 0, 118, 6, 7, 3, 0.75, "GB 9078-1996"},
    {"ceramics", 18, 17.0, 9.0, 21, 74, 0, 0, 20, 30, 100, 0, 122, 8, 8, 4, 0.95, "GB 25464-2010"},
    {"brick", 18, 17.4, 11.5, 58, 63, 0, 0, 30, 150, 200, 0, 46, 9, 6, 5, 0.95, "GB 29620-2013"},
    {"casting", 0, 19.1, 8.0, 0, 0, 0, 0, 30, 0, 0, 0, 36, 3, 11, 4, 0.35, "GB 39726-2020"},
    {"lime", 10, 9.1, 7.8, 30, 88, 0, 0, 20, 100, 150, 0, 86, 6, 9, 5, 0.9, "DB41 1953-2020"},
    {"chemical", 3, 3.9, 5.1, 18, 42, 0, 21, 20, 50, 100, 60, 118, 9, 9, 6, 0.95, "GB 31571-2015"},
    {"coating", 0, 20.1, 0, 0, 0, 0, 19, 0, 0, 0, 50, 34, 4, 10, 3, 0.2, "DB41 1951-2020"},
    {"waste_incineration", 11, 9.6, 4.1, 22, 118, 18, 0, 20, 80, 250, 0, 142, 19, 13, 7, 1.0, "GB 18485-2014"},
    {"heating", 9, 8.1, 3.9, 15, 34, 0, 0, 10, 35, 50, 0, 56, 11, 11, 14, 0.92, "GB 13271-2014"},
};

const struct sim_profile *sim_profile(enum sim_industry i)
{
    return &profiles[i];
}

void sim_device_init(struct sim_device *d, unsigned index, uint64_t seed, enum sim_industry industry)
{
    uint64_t h = sim_mix(seed, index);
    *d = (struct sim_device){.seed = h,
                             .industry = industry,
                             .edition = index % 20 == 7  ? HJ212_2005
                                        : index % 5 == 3 ? HJ212_2025
                                                         : HJ212_2017,
                             .tz_min = LT_TZ_CHINA,
                             .rtd_interval_s = 30,
                             .min_interval_min = 10,
                             .dirt = 0.7 + 0.45 * sim_unit(sim_mix(h, 1)),
                             .misbehaves = true};
    snprintf(d->mn, sizeof d->mn, "4103%010u%010u", (unsigned)(seed % 1000000000u), index);
    memcpy(d->pw, "123456", 7);
}

/* Each device has, on each day, at most one event; hash decides which, when and how long. */
struct plan {
    enum sim_event event;
    int64_t from_ms, to_ms;
    double strength;
};

static struct plan plan_of_day(const struct sim_device *d, int64_t day_ms)
{
    uint64_t h = sim_mix(d->seed ^ UINT64_C(0xE7E47), (uint64_t)(day_ms / LT_DAY_MS));
    double pick = sim_unit(sim_mix(h, 1)), when = sim_unit(sim_mix(h, 2)), how = sim_unit(sim_mix(h, 3));
    static const struct {
        double up_to;
        enum sim_event event;
        double hours_least, hours_more;
    } table[] = {{0.020, SIM_EXCEED, 1.2, 3.0}, {0.032, SIM_SILENT, 0.7, 3.0},  {0.038, SIM_CONSTANT, 8, 10},
                 {0.043, SIM_CLOCK, 6, 12},     {0.063, SIM_MAINTENANCE, 1, 3}, {0.083, SIM_STOPPED, 5, 14},
                 {0.088, SIM_BROKEN, 1, 4}};
    struct plan p = {.event = SIM_NORMAL, .strength = how};
    if (!d->misbehaves)
        return p;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (pick >= table[i].up_to)
            continue;
        double hours = table[i].hours_least + table[i].hours_more * how;
        p.event = table[i].event;
        p.from_ms = day_ms + (int64_t)(when * (24 - hours) * (double)LT_HOUR_MS);
        p.to_ms = p.from_ms + (int64_t)(hours * (double)LT_HOUR_MS);
        break;
    }
    return p;
}

enum sim_event sim_event_at(const struct sim_device *d, int64_t at_ms, double *ret_share)
{
    struct plan p = plan_of_day(d, lt_day_start(at_ms, d->tz_min));
    if (p.event == SIM_NORMAL || at_ms < p.from_ms || at_ms >= p.to_ms)
        return SIM_NORMAL;
    if (ret_share)
        *ret_share = (double)(at_ms - p.from_ms) / (double)(p.to_ms - p.from_ms);
    return p.event;
}

int64_t sim_clock_error_ms(const struct sim_device *d, int64_t at_ms)
{
    struct plan p = plan_of_day(d, lt_day_start(at_ms, d->tz_min));
    if (p.event != SIM_CLOCK || at_ms < p.from_ms || at_ms >= p.to_ms)
        return 0;
    /* up to 55 minutes, more often slow than fast */
    return (int64_t)((p.strength - 0.7) * 80 * (double)LT_MIN_MS);
}

/* The state of the stack at one moment. Measured concentrations; converted ones follow from oxygen. */
struct stack {
    double load, o2, temp, moisture, velocity, flow, pressure;
    double pm, so2, nox, co, voc;
    char mark;
};

static double load_at(const struct sim_device *d, const struct sim_profile *p, int64_t at_ms)
{
    struct lt_civil c = lt_civil_of(at_ms, d->tz_min);
    double h = c.hour + c.minute / 60.0;
    double day = 0.5 - 0.5 * cos((h - 3.5) / 24 * 2 * M_PI); /* lowest about 03:30 */
    double load = (p->night + (1 - p->night) * day) * 0.88;
    load +=
        0.04 * sim_noise(d->seed ^ 11, at_ms, 6 * LT_HOUR_MS) + 0.02 * sim_noise(d->seed ^ 12, at_ms, 25 * LT_MIN_MS);
    return load < 0.15 ? 0.15 : load > 1.05 ? 1.05 : load;
}

static void stack_at(const struct sim_device *d, int64_t at_ms, struct stack *ret)
{
    const struct sim_profile *p = &profiles[d->industry];
    double share = 0;
    enum sim_event event = sim_event_at(d, at_ms, &share);
    int64_t t = at_ms;
    if (event == SIM_CONSTANT) /* the analyser repeats what it saw when the event began */
        t = plan_of_day(d, lt_day_start(at_ms, d->tz_min)).from_ms;
    double white = sim_unit(sim_mix(d->seed ^ 13, (uint64_t)t)) - 0.5;
    double load = event == SIM_STOPPED ? 0.0 : load_at(d, p, t);
    double rel = 0.10 * sim_noise(d->seed ^ 21, t, 7 * LT_MIN_MS) + 0.07 * sim_noise(d->seed ^ 22, t, 50 * LT_MIN_MS);
    double own = 0.05 * sim_noise(d->seed ^ 23, t, 4 * LT_MIN_MS);
    double o2 = p->o2_run + (0.88 - load) * 3 + 0.15 * sim_noise(d->seed ^ 24, t, 11 * LT_MIN_MS) + 0.05 * white;
    double up = 1;
    if (event == SIM_EXCEED) {
        double strength = 1.5 + 2.2 * plan_of_day(d, lt_day_start(at_ms, d->tz_min)).strength;
        up = 1 + (strength - 1) * fmin(1, fmin(share, 1 - share) * 8);
    }
    if (o2 > 20.6 || event == SIM_STOPPED) /* no stack holds more oxygen than the air it breathes */
        o2 = 20.7 + 0.1 * white;
    double back = p->o2_ref > 0 && o2 < 20.5 ? (21 - o2) / (21 - p->o2_ref) : 1;
    double level = event == SIM_STOPPED ? 0.01 : d->dirt * (0.75 + 0.3 * load) * exp(rel) * back * (1 + 0.04 * white);
    *ret = (struct stack){
        .load = load,
        .o2 = o2,
        .pm = p->pm * level * exp(own) * (event == SIM_EXCEED ? up : 1),
        .so2 = p->so2 * level * exp(-own) * up,
        .nox = p->nox * level * exp(0.6 * own) * (1 + 0.5 * (up - 1)),
        .co = p->co * level,
        .voc = p->voc * level * exp(2 * own) * up,
        .temp = event == SIM_STOPPED
                    ? 24 + white
                    : p->temp_c * (0.9 + 0.1 * load) + 1.2 * sim_noise(d->seed ^ 25, t, 20 * LT_MIN_MS),
        .moisture = event == SIM_STOPPED ? 2 : p->moisture + 0.5 * sim_noise(d->seed ^ 26, t, 30 * LT_MIN_MS),
        .velocity =
            event == SIM_STOPPED ? 0.2 : p->velocity_mps * (0.35 + 0.65 * load) * (1 + 0.03 * white + 0.1 * rel),
        .pressure = -0.12 - 0.06 * load + 0.004 * white,
        .mark = event == SIM_STOPPED       ? 'F'
                : event == SIM_MAINTENANCE ? 'M'
                                           : 'N',
    };
    struct lt_civil c = lt_civil_of(at_ms, d->tz_min);
    if (ret->mark == 'N' && c.hour == (int)(d->seed % 6) + 9 && c.minute < 12 && d->seed % 7 == (uint64_t)(c.day % 7))
        ret->mark = 'C'; /* weekly calibration, twelve minutes in the forenoon */
    ret->flow = ret->velocity * p->area_m2 * 273 / (273 + ret->temp) * (1 - ret->moisture / 100);
}

struct sim_memo {
    int64_t at_ms[64];
    struct stack s[64];
};

struct sim_memo *sim_memo_create(void)
{
    return calloc(1, sizeof(struct sim_memo));
}

void sim_memo_destroy(struct sim_memo **m)
{
    free(*m);
    *m = NULL;
}

/* As stack_at(), for whole minutes, through the memo. */
static void stack_of_minute(const struct sim_device *d, int64_t at_ms, struct stack *ret)
{
    if (!d->memo || at_ms % LT_MIN_MS) {
        stack_at(d, at_ms, ret);
        return;
    }
    size_t i = (size_t)(at_ms / LT_MIN_MS) % 64;
    if (d->memo->at_ms[i] != at_ms) {
        stack_at(d, at_ms, &d->memo->s[i]);
        d->memo->at_ms[i] = at_ms;
    }
    *ret = d->memo->s[i];
}

struct factor_def {
    const char *code, *code2005;
    size_t at;
    unsigned decimals;
    bool gas; /* has a converted value */
};
#define AT(m) offsetof(struct stack, m)
static const struct factor_def factors[] = {
    {"a34013", "01", AT(pm), 2, true},         {"a21026", "02", AT(so2), 2, true},
    {"a21002", "03", AT(nox), 2, true},        {"a21005", "04", AT(co), 3, true},
    {"a24088", "25", AT(voc), 2, false},       {"a19001", "S01", AT(o2), 2, false},
    {"a01011", "S02", AT(velocity), 2, false}, {"a01012", "S03", AT(temp), 1, false},
    {"a01013", "S08", AT(pressure), 3, false}, {"a01014", "S05", AT(moisture), 1, false},
    {"a00000", "B02", AT(flow), 1, false},
};
enum { FACTORS = sizeof factors / sizeof factors[0] };

static double value_of(const struct stack *s, const struct factor_def *f)
{
    double v;
    memcpy(&v, (const char *)s + f->at, sizeof v);
    return v;
}

static bool monitored(const struct sim_profile *p, const struct factor_def *f)
{
    return f->at == AT(pm)    ? p->pm > 0
           : f->at == AT(so2) ? p->so2 > 0
           : f->at == AT(nox) ? p->nox > 0
           : f->at == AT(co)  ? p->co > 0
           : f->at == AT(voc) ? p->voc > 0
                              : true;
}

static double converted(const struct sim_profile *p, double v, double o2)
{
    return p->o2_ref > 0 && o2 < 19 ? v * (21 - p->o2_ref) / (21 - o2) : v;
}

struct stat {
    double sum, least, most, zs_sum, zs_least, zs_most;
};

static void add_stat(struct stat *s, double v, double zs, bool first)
{
    s->sum += v;
    s->zs_sum += zs;
    s->least = first || v < s->least ? v : s->least;
    s->most = first || v > s->most ? v : s->most;
    s->zs_least = first || zs < s->zs_least ? zs : s->zs_least;
    s->zs_most = first || zs > s->zs_most ? zs : s->zs_most;
}

static void put_name(struct lt_buf *b, const struct sim_device *d, const struct factor_def *f)
{
    lt_buf_adds(b, d->edition == HJ212_2005 ? f->code2005 : f->code);
}

/* As "%.*f", many times faster: a city's history prints a hundred million numbers. Halves may go either way. */
static void put_number(struct lt_buf *b, double v, unsigned decimals)
{
    static const double scale[] = {1, 10, 100, 1000};
    char text[32];
    lt_buf_add(b, text,
               lt_fix_format(llround(v * scale[decimals]) * (int64_t)(1000000 / scale[decimals]), decimals, text));
}

static void put(struct lt_buf *b, const struct sim_device *d, const struct factor_def *f, const char *field, double v)
{
    if (b->p[b->n - 1] != ';')
        lt_buf_addc(b, ',');
    put_name(b, d, f);
    lt_buf_addc(b, '-');
    lt_buf_adds(b, field);
    lt_buf_addc(b, '=');
    put_number(b, v, f->decimals);
}

/* Means over a period, from samples `step_ms` apart (a minute, so that hour data agree with minute data). */
static void put_period(struct lt_buf *b, const struct sim_device *d, int64_t from_ms, int64_t length_ms,
                       int64_t step_ms)
{
    const struct sim_profile *p = &profiles[d->industry];
    struct stat st[FACTORS] = {0};
    unsigned n = 0, normal = 0;
    char other = 'N';
    double kg[FACTORS] = {0};
    for (int64_t t = from_ms; t < from_ms + length_ms; t += step_ms, n++) {
        struct stack s;
        stack_of_minute(d, t, &s);
        normal += s.mark == 'N';
        other = s.mark == 'N' ? other : s.mark;
        for (size_t i = 0; i < FACTORS; i++) {
            double v = value_of(&s, &factors[i]);
            add_stat(&st[i], v, factors[i].gas ? converted(p, v, s.o2) : v, n == 0);
            kg[i] += (factors[i].gas ? v * s.flow * 1e-6 : factors[i].at == AT(flow) ? v : 0) * (double)step_ms / 1000;
        }
    }
    /* 75 % rule, HJ 212-2017 notes under C.16-C.18; a mark of stopped or maintenance speaks for itself */
    char mark = normal * 4 >= n * 3 ? 'N' : other == 'F' || other == 'M' ? other : 'D';
    for (size_t i = 0; i < FACTORS; i++) {
        const struct factor_def *f = &factors[i];
        if (!monitored(p, f))
            continue;
        lt_buf_addc(b, ';');
        if (f->gas || f->at == AT(flow)) {
            put_name(b, d, f);
            lt_buf_adds(b, "-Cou=");
            put_number(b, kg[i], 3);
        }
        put(b, d, f, "Min", st[i].least);
        put(b, d, f, "Avg", st[i].sum / n);
        put(b, d, f, "Max", st[i].most);
        if (f->gas && p->o2_ref > 0) {
            put(b, d, f, "ZsMin", st[i].zs_least);
            put(b, d, f, "ZsAvg", st[i].zs_sum / n);
            put(b, d, f, "ZsMax", st[i].zs_most);
        }
        lt_buf_addc(b, ',');
        put_name(b, d, f);
        lt_buf_adds(b, "-Flag=");
        lt_buf_addc(b, mark);
    }
}

static void put_moment(struct lt_buf *b, const struct sim_device *d, int64_t at_ms)
{
    const struct sim_profile *p = &profiles[d->industry];
    struct stack s;
    stack_at(d, at_ms, &s);
    for (size_t i = 0; i < FACTORS; i++) {
        const struct factor_def *f = &factors[i];
        if (!monitored(p, f))
            continue;
        double v = value_of(&s, f);
        lt_buf_addc(b, ';');
        put(b, d, f, "Rtd", v);
        if (f->gas && p->o2_ref > 0)
            put(b, d, f, "ZsRtd", converted(p, v, s.o2));
        lt_buf_addc(b, ',');
        put_name(b, d, f);
        lt_buf_adds(b, "-Flag=");
        lt_buf_addc(b, s.mark);
    }
}

/* What a stack's device sends after "DataTime=…". */
static void put_area(struct lt_buf *b, const struct sim_device *d, enum sim_kind kind, int64_t data_at_ms)
{
    int64_t minutes = d->min_interval_min;
    switch (kind) {
    case SIM_RTD:
        put_moment(b, d, data_at_ms);
        break;
    case SIM_MIN:
        put_period(b, d, data_at_ms, minutes * LT_MIN_MS, minutes > 1 ? LT_MIN_MS : 12 * LT_SEC_MS);
        break;
    case SIM_HOUR:
        put_period(b, d, data_at_ms, LT_HOUR_MS, LT_MIN_MS);
        break;
    case SIM_DAY:
        put_period(b, d, data_at_ms, LT_DAY_MS, 10 * LT_MIN_MS);
        break;
    case SIM_STATE: {
        struct stack s;
        stack_at(d, data_at_ms, &s);
        lt_buf_addf(b, ";SB1-RS=%d;SB2-RS=%d", s.load > 0.1, s.load > 0.1 && s.mark != 'M');
        break;
    }
    }
}

size_t sim_frame(const struct sim_device *d, enum sim_kind kind, int64_t data_at_ms, int64_t qn_at_ms, bool resent,
                 char *ret, size_t cap)
{
    static const uint16_t cn[] = {2011, 2051, 2061, 2031, 2021};
    char when[18], qn[18];
    struct lt_buf b = LT_BUF_INIT(HJ212_SEGMENT_MAX);
    if (d->is_air && (kind == SIM_DAY || kind == SIM_STATE)) /* air stations report neither to the city */
        return 0;
    lt_time_format_compact(data_at_ms, d->tz_min, false, when);
    lt_time_format_compact(qn_at_ms, d->tz_min, true, qn);
    lt_buf_addf(&b, "DataTime=%s", when);
    if (d->is_air)
        sim_air_area(&b, d, kind, data_at_ms);
    else
        put_area(&b, d, kind, data_at_ms);
    struct hj212_head h = {.qn = {qn, 17},
                           .pw = {d->pw, strlen(d->pw)},
                           .mn = {d->mn, strlen(d->mn)},
                           .st = d->is_air ? 22 : 31,
                           .cn = cn[kind],
                           .edition = d->edition,
                           .answer = true,
                           .resent = resent && d->edition == HJ212_2025};
    size_t n = b.failed ? 0 : hj212_build(&h, lt_buf_slice(&b), ret, cap);
    lt_buf_fini(&b);
    return n;
}
