/* Arithmetic of hour and day values. Pure: integers in, integers out (see values.h for the formulas' sources). */
#include "engine/values.h"

#include <assert.h>

#define O2_AIR     INT64_C(21000000) /* percent oxygen in formula (26): 21 */
#define O2_CAP_MAX INT64_C(20900000) /* at 21 the formula divides by zero; ambient air has 20.9 */

const char *values_source_name(enum values_source s)
{
    static const char *const names[] = {"none", "reported", "minutes", "realtime", "hours"};
    return (unsigned)s < sizeof names / sizeof names[0] ? names[s] : "none";
}

const char *values_state_name(unsigned bit)
{
    static const char *const names[] = {"valid",   "substituted", "exempt",    "disputed", "o2_cap",
                                        "derived", "amount",      "converted", "exceed"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bit == 1U << i) {
            return names[i];
        }
    }
    return NULL;
}

int64_t values_mark_pack(struct lt_slice mark)
{
    int64_t v = 0;
    for (size_t i = 0; i < mark.n && i < 4; i++) {
        v = v << 8 | (unsigned char)mark.p[i];
    }
    return v;
}

void values_mark_unpack(int64_t cell, char ret[5])
{
    unsigned n = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        char c = (char)(cell >> shift & 0xFF);
        if (c) {
            ret[n++] = c;
        }
    }
    ret[n] = 0;
}

bool values_mark_normal(int64_t cell)
{
    return cell == 0 || cell == 'N' || cell == '3';
}

bool values_mark_maintenance(int64_t cell)
{
    return cell == 'M' || cell == 'C';
}

void values_hour_init(struct values_hour *h)
{
    h->has_minute = h->has_report = 0;
    h->cou = LT_FIX_NONE;
    h->cou_lost = false;
    h->all_sum = 0;
    h->all_n = h->flagged = 0;
}

static void slot_add(struct values_slot *s, uint64_t *has, unsigned minute, int64_t value, int64_t zs, bool normal)
{
    if (!(*has >> minute & 1)) {
        *has |= UINT64_C(1) << minute;
        *s = (struct values_slot){.min = INT64_MAX, .max = INT64_MIN};
    }
    s->total++;
    if (!normal || value == LT_FIX_NONE) {
        return;
    }
    s->n++;
    s->sum += value;
    s->min = value < s->min ? value : s->min;
    s->max = value > s->max ? value : s->max;
    if (zs != LT_FIX_NONE) {
        s->n_zs++;
        s->zs_sum += zs;
    }
}

static void count_all(struct values_hour *h, int64_t value, int64_t mark)
{
    if (value != LT_FIX_NONE) {
        h->all_sum += value;
        h->all_n++;
    }
    h->flagged += values_mark_maintenance(mark);
}

void values_hour_realtime(struct values_hour *h, unsigned minute, int64_t value, int64_t zs, int64_t mark)
{
    assert(minute < 60);
    slot_add(&h->minute[minute], &h->has_minute, minute, value, zs, values_mark_normal(mark));
    count_all(h, value, mark);
}

void values_hour_report(struct values_hour *h, unsigned minute, int64_t avg, int64_t min, int64_t max, int64_t zs,
                        int64_t cou, int64_t mark)
{
    assert(minute < 60);
    struct values_slot *s = &h->report[minute];
    bool normal = values_mark_normal(mark);
    slot_add(s, &h->has_report, minute, avg, zs, normal);
    count_all(h, avg, mark);
    if (normal && avg != LT_FIX_NONE) {
        s->min = min != LT_FIX_NONE && min < s->min ? min : s->min;
        s->max = max != LT_FIX_NONE && max > s->max ? max : s->max;
    }
    if (normal && cou != LT_FIX_NONE) {
        int64_t sum;
        if (__builtin_add_overflow(h->cou == LT_FIX_NONE ? 0 : h->cou, cou, &sum) || sum == LT_FIX_NONE) {
            h->cou_lost = true;
        } else {
            h->cou = sum;
        }
    }
}

/* Minutes that one row of reported minute data stands for: the smallest gap between two rows of the hour, and never
 * more than what the device record says. A single row counts for its minute unless the record says more. */
static unsigned report_step(uint64_t has, unsigned given)
{
    unsigned gap = 61, last = 60;
    for (unsigned m = 0; m < 60; m++) {
        if (has >> m & 1) {
            if (last < 60 && m - last < gap) {
                gap = m - last;
            }
            last = m;
        }
    }
    if (gap > 60) {
        return given ? given : 1;
    }
    return given && given < gap ? given : gap;
}

static uint64_t minutes_covered(unsigned from, unsigned step)
{
    unsigned end = from + step < 60 ? from + step : 60;
    return (end == 64 ? ~UINT64_C(0) : (UINT64_C(1) << end) - 1) & ~((UINT64_C(1) << from) - 1);
}

/* Notes under HJ 212-2017 C.16-C.18: "flue gas: at least 75 % normal values: N, else D; waste water: one abnormal value
 * makes it abnormal". */
static bool mark_is_normal(uint64_t normal, uint64_t total, bool water)
{
    return total > 0 && (water ? normal == total : normal * 4 >= total * 3);
}

static bool fits(lt_i128 v)
{
    return v > INT64_MIN && v <= INT64_MAX;
}

struct tally {
    lt_i128 sum, zs_sum;
    int64_t min, max;
    uint64_t valid, zs_valid, present;
    unsigned n, n_zs, slots, normal;
};

static void tally_slot(struct tally *t, const struct values_slot *s, unsigned minute, unsigned step, bool water)
{
    uint64_t cover = minutes_covered(minute, step);
    t->slots++;
    t->present |= cover;
    if (!mark_is_normal(s->n, s->total, water)) {
        return;
    }
    t->normal++;
    t->valid |= cover;
    t->n++;
    t->sum += lt_div_half_even(s->sum, s->n);
    t->min = s->min < t->min ? s->min : t->min;
    t->max = s->max > t->max ? s->max : t->max;
    if (s->n_zs == s->n) {
        t->n_zs++;
        t->zs_valid |= cover;
        t->zs_sum += lt_div_half_even(s->zs_sum, s->n_zs);
    }
}

/* A converted mean over much less than the measured one would compare unlike things, and what makes the measured one
 * valid (45 minutes, 20 hours) must be there of the converted one too. */
static bool enough_converted(unsigned n_zs, unsigned n, unsigned zs_valid, unsigned valid, unsigned need)
{
    return n_zs > 0 && mark_is_normal(n_zs, n, false) && (zs_valid >= need || valid < need);
}

static const struct values_result NOTHING = {
    .avg = LT_FIX_NONE, .zsavg = LT_FIX_NONE, .min = LT_FIX_NONE, .max = LT_FIX_NONE, .cou = LT_FIX_NONE};

void values_hour_result(const struct values_hour *h, bool water, unsigned rtd_interval_s, unsigned min_interval_min,
                        struct values_result *ret)
{
    *ret = NOTHING;
    bool reported = h->has_report != 0;
    uint64_t has = reported ? h->has_report : h->has_minute;
    if (!has) {
        return;
    }
    const struct values_slot *slot = reported ? h->report : h->minute;
    unsigned step = reported              ? report_step(has, min_interval_min)
                    : rtd_interval_s > 60 ? (rtd_interval_s + 59) / 60
                                          : 1;
    struct tally t = {.min = INT64_MAX, .max = INT64_MIN};
    for (unsigned m = 0; m < 60; m++) {
        if (has >> m & 1) {
            tally_slot(&t, &slot[m], m, step, water);
        }
    }
    ret->source = reported ? VALUES_MINUTES : VALUES_REALTIME;
    ret->valid = (unsigned)__builtin_popcountll(t.valid);
    ret->present = (unsigned)__builtin_popcountll(t.present);
    ret->mark = mark_is_normal(t.normal, t.slots, water) ? 'N' : 'D';
    ret->cou = h->cou_lost ? LT_FIX_NONE : h->cou;
    if (t.n) {
        ret->avg = lt_div_half_even(t.sum, t.n);
        ret->min = t.min;
        ret->max = t.max;
        unsigned zs_valid = (unsigned)__builtin_popcountll(t.zs_valid);
        if (enough_converted(t.n_zs, t.n, zs_valid, ret->valid, VALUES_MINUTE_NEED)) {
            ret->zsavg = lt_div_half_even(t.zs_sum, t.n_zs);
        }
    }
    if (ret->valid >= VALUES_MINUTE_NEED && ret->mark == 'N') {
        ret->state |= VALUES_S_VALID;
    }
}

bool values_convert(int64_t c, int64_t o2, int64_t o2_ref, int64_t cap, int64_t *ret, bool *ret_capped)
{
    *ret_capped = false;
    if (c == LT_FIX_NONE || o2 == LT_FIX_NONE || o2_ref >= O2_AIR) {
        return false;
    }
    if (o2 > (cap < O2_CAP_MAX ? cap : O2_CAP_MAX)) {
        *ret_capped = true;
        *ret = c;
        return true;
    }
    lt_i128 n = (lt_i128)c * (O2_AIR - o2_ref), d = O2_AIR - o2;
    if (!fits(n / d)) {
        return false;
    }
    *ret = lt_div_half_even(n, d);
    return true;
}

bool values_nox(int64_t no, int64_t no2, int64_t *ret)
{
    if (no == LT_FIX_NONE || no2 == LT_FIX_NONE) {
        return false;
    }
    /* M(NO2) / M(NO) = 46.0055 / 30.0061 (IUPAC) */
    lt_i128 v = (lt_i128)lt_div_half_even((lt_i128)no * 460055, 300061) + no2;
    if (!fits(v)) {
        return false;
    }
    *ret = (int64_t)v;
    return true;
}

bool values_amount(int64_t c_mgm3, int64_t flow_m3s, int64_t *ret_kg)
{
    if (c_mgm3 == LT_FIX_NONE || flow_m3s == LT_FIX_NONE || c_mgm3 < 0 || flow_m3s < 0) {
        return false;
    }
    /* mg/m3 * m3/s * 3600 s * 1e-6 kg/mg; both factors are millionths, the result too */
    lt_i128 n = (lt_i128)c_mgm3 * flow_m3s;
    if (n > ((lt_i128)1 << 110)) {
        return false;
    }
    lt_i128 d = (lt_i128)LT_FIX_ONE * LT_FIX_ONE;
    if (!fits(n * 3600 / d)) {
        return false;
    }
    *ret_kg = lt_div_half_even(n * 3600, d);
    return true;
}

static bool contradicts(int64_t a, int64_t b, int64_t step, unsigned percent)
{
    if (a == LT_FIX_NONE || b == LT_FIX_NONE) {
        return false;
    }
    lt_i128 x = a, y = b, diff = x > y ? x - y : y - x;
    x = x < 0 ? -x : x;
    y = y < 0 ? -y : y;
    return diff > 2 * (lt_i128)step && diff * 100 > (x > y ? x : y) * percent;
}

static int64_t first_known(int64_t a, int64_t b)
{
    return a != LT_FIX_NONE ? a : b;
}

void values_hour_choose(const struct values_result *own, const struct values_report *rep, int64_t step,
                        struct values_result *ret, int64_t *ret_diff)
{
    *ret = *own;
    *ret_diff = LT_FIX_NONE;
    if (!rep->present) {
        return;
    }
    lt_i128 diff = (lt_i128)rep->avg - own->avg;
    if (rep->avg != LT_FIX_NONE && own->avg != LT_FIX_NONE && fits(diff)) {
        *ret_diff = (int64_t)diff;
    }
    ret->cou = first_known(rep->cou, own->cou);
    if (rep->avg == LT_FIX_NONE) {
        return; /* only an amount was reported (waste gas, waste water flow) */
    }
    bool own_valid = (own->state & VALUES_S_VALID) != 0;
    if (!own_valid) { /* a mean or a sum over the few minutes that came through is not that of the reported hour */
        ret->cou = rep->cou;
        ret->zsavg = LT_FIX_NONE;
    }
    if (own_valid && values_mark_normal(rep->mark) &&
        (contradicts(rep->avg, own->avg, step, 5) || contradicts(rep->zsavg, own->zsavg, step, 10))) {
        ret->state |= VALUES_S_DISPUTED;
        /* Of two values that contradict each other the higher stands, so that neither hides an exceedance. */
        bool report_higher = rep->zsavg != LT_FIX_NONE && own->zsavg != LT_FIX_NONE && rep->zsavg != own->zsavg
                                 ? rep->zsavg > own->zsavg
                                 : rep->avg > own->avg;
        if (!report_higher) {
            ret->cou = first_known(own->cou, rep->cou);
            return;
        }
    }
    ret->source = VALUES_REPORTED;
    ret->avg = rep->avg;
    ret->zsavg = first_known(rep->zsavg, ret->zsavg);
    ret->min = first_known(rep->min, own->min);
    ret->max = first_known(rep->max, own->max);
    char mark[5];
    values_mark_unpack(rep->mark, mark);
    ret->mark = mark[0] ? mark[0] : own->mark ? own->mark : 'N';
    /* The logger has all its minutes, also those the line lost: its mark decides. */
    ret->state &= ~(unsigned)VALUES_S_VALID;
    ret->state |= values_mark_normal(rep->mark) && (rep->mark || own->mark != 'D') ? VALUES_S_VALID : 0;
}

void values_day_init(struct values_day *d)
{
    *d = (struct values_day){.min = INT64_MAX, .max = INT64_MIN};
}

void values_day_add(struct values_day *d, const struct values_result *hour)
{
    d->present++;
    d->normal += hour->mark == 'N' || hour->mark == '3';
    if (hour->cou != LT_FIX_NONE) {
        d->cou += hour->cou;
        d->n_cou++;
    }
    d->substituted |= (hour->state & VALUES_S_SUBSTITUTED) != 0;
    if (!(hour->state & VALUES_S_VALID) || hour->avg == LT_FIX_NONE) {
        return;
    }
    d->n++;
    d->sum += hour->avg;
    int64_t low = first_known(hour->min, hour->avg), high = first_known(hour->max, hour->avg);
    d->min = low < d->min ? low : d->min;
    d->max = high > d->max ? high : d->max;
    if (hour->zsavg != LT_FIX_NONE) {
        d->n_zs++;
        d->zs_sum += hour->zsavg;
    }
}

void values_day_result(const struct values_day *d, bool water, struct values_result *ret)
{
    *ret = NOTHING;
    if (!d->present) {
        return;
    }
    ret->source = VALUES_HOURS;
    ret->present = d->present;
    ret->valid = d->n;
    ret->mark = mark_is_normal(d->normal, d->present, water) ? 'N' : 'D';
    ret->cou = d->n_cou && fits(d->cou) ? (int64_t)d->cou : LT_FIX_NONE;
    ret->state |= d->substituted ? VALUES_S_SUBSTITUTED : 0;
    if (d->n) {
        ret->avg = lt_div_half_even(d->sum, d->n);
        ret->min = d->min;
        ret->max = d->max;
        if (enough_converted(d->n_zs, d->n, d->n_zs, d->n, VALUES_HOUR_NEED)) {
            ret->zsavg = lt_div_half_even(d->zs_sum, d->n_zs);
        }
    }
    if (d->n >= VALUES_HOUR_NEED) {
        ret->state |= VALUES_S_VALID;
    }
}

unsigned values_substitution_hours(unsigned alpha_permille, unsigned gap_hours)
{
    if (alpha_permille >= 900) {
        return gap_hours <= 24 ? 180 : 720;
    }
    return alpha_permille >= 750 ? 2160 : 0;
}
