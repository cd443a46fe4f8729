/* Hour and day values: read what the series holds of the period, compute (values.h), judge (engine_rules.c), replace
 * the row, and note what changed. A value is made from the set of stored rows alone, so it does not matter in which
 * order or how often they came. */
#include "engine/engine_priv.h"

#include <stdlib.h>

#define FACTORS         ENGINE_FACTORS_MAX
#define HISTORY_HOURS   2160              /* HJ 75-2017: the longest look-back of a substitution */
#define HISTORY_SPAN_MS (120 * LT_DAY_MS) /* 2160 valid hours at 75 % */

struct hour_factor {
    uint16_t factor;
    struct values_hour in;
    struct values_report report;
    struct values_result own, value, old;
    int64_t diff;
    uint32_t old_version, version;
    bool had, changed;
    struct values_day day;
    /* of the row being read */
    int64_t v, zs, min, max, cou, mark;
    bool touched;
    unsigned valid_cells, state_cells, source_cells;
};
struct history {
    int64_t cou[HISTORY_HOURS]; /* ring of amounts of valid hours */
    unsigned n, at, quarter_valid;
    int64_t last_valid_ms;
};

struct hour_work {
    struct hour_factor f[FACTORS];
    size_t n;
    uint16_t slot[ENG_FACTORS]; /* factor -> index + 1, valid when stamped */
    uint32_t stamped[ENG_FACTORS], stamp;
    int64_t from_ms;
    struct engine *e;
    uint64_t lost;
    uint16_t touched[FACTORS];
    size_t n_touched;
    struct history *history; /* of all factors, made when first needed */
    int64_t quarter_ms;
    struct series_cell old[ENG_CELLS], now[ENG_CELLS];
    struct eng_row old_row;
    struct eng_channel kept[FACTORS]; /* channels as they were, should the row not go in */
};

struct hour_work *eng_hour_new(void)
{
    return calloc(1, sizeof(struct hour_work));
}

void eng_hour_free(struct hour_work *w)
{
    if (w) {
        free(w->history);
        free(w);
    }
}

static void begin(struct engine *e, int64_t from_ms)
{
    struct hour_work *w = e->hour;
    w->e = e;
    w->n = 0;
    w->lost = 0;
    w->old_row = (struct eng_row){0};
    w->from_ms = from_ms;
    w->stamp++;
}

static const struct values_result NOTHING = {
    .avg = LT_FIX_NONE, .zsavg = LT_FIX_NONE, .min = LT_FIX_NONE, .max = LT_FIX_NONE, .cou = LT_FIX_NONE};

static void row_reset(struct hour_factor *x)
{
    x->v = x->zs = x->min = x->max = x->cou = LT_FIX_NONE;
    x->mark = 0;
    x->touched = false;
    x->valid_cells = x->state_cells = x->source_cells = 0;
}

static struct hour_factor *factor_of(struct hour_work *w, uint16_t factor)
{
    if (w->stamped[factor] == w->stamp) {
        return &w->f[w->slot[factor]];
    }
    if (factor == 0 || w->n == FACTORS) {
        w->lost++;
        return NULL;
    }
    struct hour_factor *x = &w->f[w->n];
    x->factor = factor;
    values_hour_init(&x->in);
    values_day_init(&x->day);
    x->report = (struct values_report){
        .avg = LT_FIX_NONE, .zsavg = LT_FIX_NONE, .min = LT_FIX_NONE, .max = LT_FIX_NONE, .cou = LT_FIX_NONE};
    x->own = x->value = x->old = NOTHING;
    x->old_version = x->version = 0;
    x->had = x->changed = false;
    x->diff = LT_FIX_NONE;
    row_reset(x);
    w->stamped[factor] = w->stamp;
    w->slot[factor] = (uint16_t)w->n++;
    return x;
}

/* Cells of one row, sorted to their factors; then w->touched names the factors of the row. */
static void spread(struct hour_work *w, const struct series_row *row)
{
    w->n_touched = 0;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct eng_column *c = eng_column_info(w->e, row->cells[i].column);
        struct hour_factor *x = c->known ? factor_of(w, c->factor) : NULL;
        if (!x) {
            continue;
        }
        int64_t v = row->cells[i].value;
        switch (c->field) {
        case HJ212_F_RTD:
        case HJ212_F_AVG:
            x->v = v;
            break;
        case HJ212_F_ZSRTD:
        case HJ212_F_ZSAVG:
            x->zs = v;
            break;
        case HJ212_F_MIN:
            x->min = v;
            break;
        case HJ212_F_MAX:
            x->max = v;
            break;
        case HJ212_F_COU:
            x->cou = v;
            break;
        case HJ212_F_FLAG:
            x->mark = v;
            break;
        case SERIES_F_VALID:
            x->valid_cells = (unsigned)v;
            break;
        case SERIES_F_STATE:
            x->state_cells = (unsigned)v;
            break;
        case SERIES_F_SOURCE:
            x->source_cells = (unsigned)v;
            break;
        case SERIES_F_VERSION:
            x->old_version = (uint32_t)v;
            break;
        default:
            continue;
        }
        if (!x->touched) {
            x->touched = true;
            w->touched[w->n_touched++] = (uint16_t)(x - w->f);
        }
    }
}

static unsigned minute_of(const struct hour_work *w, const struct series_row *row)
{
    return (unsigned)((row->at_ms - w->from_ms) / LT_MIN_MS);
}

static bool take_realtime(void *user, const struct series_row *row)
{
    struct hour_work *w = user;
    spread(w, row);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct hour_factor *x = &w->f[w->touched[i]];
        values_hour_realtime(&x->in, minute_of(w, row), x->v, x->zs, x->mark);
        row_reset(x);
    }
    return true;
}

static bool take_minute(void *user, const struct series_row *row)
{
    struct hour_work *w = user;
    spread(w, row);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct hour_factor *x = &w->f[w->touched[i]];
        values_hour_report(&x->in, minute_of(w, row), x->v, x->min, x->max, x->zs, x->cou, x->mark);
        row_reset(x);
    }
    return true;
}

static bool take_report(void *user, const struct series_row *row)
{
    struct hour_work *w = user;
    spread(w, row);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct hour_factor *x = &w->f[w->touched[i]];
        x->report = (struct values_report){true, x->v, x->zs, x->min, x->max, x->cou, x->mark};
        row_reset(x);
    }
    return true;
}

/* A row of the post's own hour values, back as a result. */
static struct values_result result_of(const struct hour_factor *x)
{
    char mark[5];
    values_mark_unpack(x->mark, mark);
    return (struct values_result){.avg = x->v,
                                  .zsavg = x->zs,
                                  .min = x->min,
                                  .max = x->max,
                                  .cou = x->cou,
                                  .valid = x->valid_cells,
                                  .mark = mark[0],
                                  .source = (enum values_source)x->source_cells,
                                  .state = x->state_cells};
}

/* Closed by the record being applied. */
static bool made_by_now(const struct engine *e, const struct series_row *row)
{
    return (uint64_t)row->rank_ms <= e->seq;
}

static bool take_hour(void *user, const struct series_row *row)
{
    struct hour_work *w = user;
    if (!made_by_now(w->e, row)) {
        return true;
    }
    spread(w, row);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct hour_factor *x = &w->f[w->touched[i]];
        struct values_result r = result_of(x);
        values_day_add(&x->day, &r);
        row_reset(x);
    }
    return true;
}

struct row_reading {
    struct engine *e;
    struct series_cell *cells;
    struct eng_row row;
};

static bool take_own(void *user, const struct series_row *row)
{
    struct row_reading *x = user;
    uint64_t first = (uint64_t)row->rank_ms, last = first + row->tie;
    x->row.n = row->n < ENG_CELLS ? row->n : ENG_CELLS; /* written by write_row() */
    x->row.first_seq = first;
    x->row.age = first && first >= x->e->seq  ? ENG_ROW_AHEAD
                 : first && last >= x->e->seq ? ENG_ROW_CHANGES
                                              : ENG_ROW_STANDS;
    memcpy(x->cells, row->cells, x->row.n * sizeof *x->cells);
    return false;
}

enum lt_err eng_row_read(struct engine *e, const struct eng_device *d, bool day, int64_t at_ms,
                         struct series_cell ret_cells[ENG_CELLS], struct eng_row *ret, struct lt_error *err)
{
    struct row_reading x = {.e = e, .cells = ret_cells};
    enum lt_err r = series_read(e->cfg.series, (uint32_t)d->id, day ? SERIES_DAY : SERIES_HOUR, at_ms, at_ms + 1,
                                take_own, &x, err);
    *ret = x.row;
    return r;
}

static bool closed_before(const struct hour_work *w)
{
    return w->old_row.age == ENG_ROW_STANDS || w->old_row.age == ENG_ROW_CHANGES;
}

static enum lt_err read_old(struct engine *e, const struct eng_device *d, bool day, struct lt_error *err)
{
    struct hour_work *w = e->hour;
    enum lt_err r = eng_row_read(e, d, day, w->from_ms, w->old, &w->old_row, err);
    for (size_t i = 0; i < w->n; i++) {
        w->f[i].old_version = 0; /* hours of a day, or of the past, left theirs there */
    }
    if (r != LT_OK || w->old_row.age == ENG_ROW_NONE) {
        return r;
    }
    struct series_row row = {.at_ms = w->from_ms, .n = (uint32_t)w->old_row.n, .cells = w->old};
    spread(w, &row);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct hour_factor *x = &w->f[w->touched[i]];
        if (closed_before(w)) { /* of a row ahead only the version counts on: it is in the trail already */
            x->old = result_of(x);
            x->had = true;
        }
        row_reset(x);
    }
    return LT_OK;
}

/* ---- computing an hour ---- */

static void derive_nox(struct engine *e)
{
    struct hour_work *w = e->hour;
    const struct hour_factor *no = NULL, *no2 = NULL;
    for (size_t i = 0; i < w->n; i++) {
        no = e->factor[w->f[i].factor].no ? &w->f[i] : no;
        no2 = e->factor[w->f[i].factor].no2 ? &w->f[i] : no2;
    }
    int64_t avg;
    if (!no || !no2 || !values_nox(no->own.avg, no2->own.avg, &avg)) {
        return;
    }
    struct hour_factor *x = factor_of(w, eng_factor_number(e, LT_LIT("a21002")));
    if (!x || x->own.source != VALUES_NONE || x->report.present) {
        return; /* the device gives NOx itself */
    }
    x->own = no->own.valid < no2->own.valid ? no->own : no2->own;
    x->own.avg = avg;
    x->own.zsavg = x->own.min = x->own.max = x->own.cou = LT_FIX_NONE;
    x->own.state = (no->own.state & no2->own.state & VALUES_S_VALID) | VALUES_S_DERIVED;
    x->own.mark = no->own.mark == 'N' && no2->own.mark == 'N' ? 'N' : 'D';
}

static const struct hour_factor *find_o2(const struct engine *e)
{
    for (size_t i = 0; i < e->hour->n; i++) {
        if (e->factor[e->hour->f[i].factor].o2) {
            return &e->hour->f[i];
        }
    }
    return NULL;
}

static void convert(const struct eng_outlet *o, struct values_result *v, int64_t o2)
{
    int64_t zs;
    bool capped;
    if (values_convert(v->avg, o2, o->o2_ref, o->o2_cap, &zs, &capped)) {
        v->zsavg = zs;
        v->state |= VALUES_S_CONVERTED | (capped ? VALUES_S_O2_CAP : 0);
    }
}

static void amounts(struct engine *e)
{
    struct hour_work *w = e->hour;
    const struct values_result *flow = NULL;
    for (size_t i = 0; i < w->n; i++) {
        if (e->factor[w->f[i].factor].flow && (w->f[i].value.state & VALUES_S_VALID)) {
            flow = &w->f[i].value;
        }
    }
    for (size_t i = 0; flow && i < w->n; i++) {
        struct hour_factor *x = &w->f[i];
        const struct eng_factor *f = &e->factor[x->factor];
        int64_t kg;
        if (x->value.cou != LT_FIX_NONE || !(x->value.state & VALUES_S_VALID)) {
            continue;
        }
        if (f->flow) { /* cubic metres of the hour */
            lt_i128 m3 = (lt_i128)flow->avg * 3600;
            if (flow->avg >= 0 && m3 <= INT64_MAX) {
                x->value.cou = (int64_t)m3;
                x->value.state |= VALUES_S_AMOUNT;
            }
        } else if (f->weighs && values_amount(x->value.avg, flow->avg, &kg)) {
            x->value.cou = kg;
            x->value.state |= VALUES_S_AMOUNT;
        }
    }
}

static void compute(struct engine *e, const struct eng_device *d)
{
    struct hour_work *w = e->hour;
    const struct eng_outlet *o = d->outlet;
    for (size_t i = 0; i < w->n; i++) {
        values_hour_result(&w->f[i].in, d->water, d->rtd_interval_s, d->min_interval_min, &w->f[i].own);
    }
    derive_nox(e);
    const struct hour_factor *o2 = find_o2(e);
    struct values_result o2_value = NOTHING;
    int64_t o2_diff;
    if (o2) {
        values_hour_choose(&o2->own, &o2->report, e->factor[o2->factor].step, &o2_value, &o2_diff);
    }
    int64_t o2_avg = o2_value.state & VALUES_S_VALID ? o2_value.avg : LT_FIX_NONE;
    for (size_t i = 0; i < w->n; i++) {
        struct hour_factor *x = &w->f[i];
        bool converts = o && o->convert && e->factor[x->factor].convertible;
        if (converts && x->own.avg != LT_FIX_NONE) {
            convert(o, &x->own, o2_avg);
        }
        values_hour_choose(&x->own, &x->report, e->factor[x->factor].step, &x->value, &x->diff);
        bool reported = x->value.source == VALUES_REPORTED, zs_reported = reported && x->report.zsavg != LT_FIX_NONE;
        if (zs_reported) {
            x->value.state &= ~(unsigned)(VALUES_S_CONVERTED | VALUES_S_O2_CAP);
        } else if (converts && (reported || x->value.zsavg == LT_FIX_NONE)) {
            convert(o, &x->value, o2_avg); /* of the mean that stands, not of the one beside it */
        }
    }
    amounts(e);
}

/* ---- HJ 75 substitution ---- */

static bool take_history(void *user, const struct series_row *row)
{
    struct hour_work *w = user;
    if (!made_by_now(w->e, row)) {
        return true;
    }
    spread(w, row);
    for (size_t i = 0; i < w->n_touched; i++) {
        struct hour_factor *x = &w->f[w->touched[i]];
        struct history *h = &w->history[w->touched[i]];
        struct values_result r = result_of(x);
        row_reset(x);
        if (!(r.state & VALUES_S_VALID) || r.cou == LT_FIX_NONE || (r.state & VALUES_S_SUBSTITUTED)) {
            continue;
        }
        h->cou[h->at] = r.cou;
        h->at = (h->at + 1) % HISTORY_HOURS;
        h->n += h->n < HISTORY_HOURS;
        h->last_valid_ms = row->at_ms;
        h->quarter_valid += row->at_ms >= w->quarter_ms;
    }
    return true;
}

static int64_t largest(const struct history *h, unsigned most)
{
    int64_t m = LT_FIX_NONE;
    for (unsigned i = 0; i < h->n && i < most; i++) {
        int64_t v = h->cou[(h->at + HISTORY_HOURS - 1 - i) % HISTORY_HOURS];
        m = v > m ? v : m;
    }
    return m;
}

static bool lacks_amount(const struct engine *e, const struct hour_factor *x)
{
    return e->factor[x->factor].convertible && !(x->value.state & VALUES_S_VALID);
}

static int64_t quarter_start(const struct engine *e, int64_t at_ms)
{
    int64_t m = lt_month_start(at_ms, e->cfg.tz_min);
    for (int back = (lt_civil_of(m, e->cfg.tz_min).month - 1) % 3; back > 0; back--) {
        m = lt_month_start(m - LT_DAY_MS, e->cfg.tz_min);
    }
    return m;
}

static int64_t stopped_hours(const struct engine *e, const struct eng_outlet *o, int64_t from_ms, int64_t to_ms)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < o->state_n; i++) {
        const struct eng_process_state *s = &e->rules.state[o->state_at + i];
        int64_t a = s->begin_ms > from_ms ? s->begin_ms : from_ms, b = s->end_ms < to_ms ? s->end_ms : to_ms;
        n += s->state == ENG_P_STOPPED && b > a ? (b - a) / LT_HOUR_MS : 0;
    }
    return n;
}

static enum lt_err substitute(struct engine *e, struct eng_device *d, struct lt_error *err)
{
    struct hour_work *w = e->hour;
    const struct eng_outlet *o = d->outlet;
    bool any = false;
    for (size_t i = 0; i < w->n; i++) {
        any |= lacks_amount(e, &w->f[i]);
    }
    if (!o || !o->substitution || !any || (eng_process_in(e, o, w->from_ms, w->from_ms + LT_HOUR_MS) & ENG_P_STOPPED)) {
        return LT_OK;
    }
    if (!w->history && !(w->history = calloc(FACTORS, sizeof *w->history))) {
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    for (size_t i = 0; i < FACTORS; i++) {
        w->history[i].n = w->history[i].at = w->history[i].quarter_valid = 0;
        w->history[i].last_valid_ms = 0;
    }
    w->quarter_ms = quarter_start(e, w->from_ms);
    enum lt_err r = series_read(e->cfg.series, (uint32_t)d->id, SERIES_HOUR, w->from_ms - HISTORY_SPAN_MS, w->from_ms,
                                take_history, w, err);
    if (r != LT_OK) {
        return eng_pass_over(e, r, err) ? LT_OK : r;
    }
    int64_t hours = (w->from_ms - w->quarter_ms) / LT_HOUR_MS - stopped_hours(e, o, w->quarter_ms, w->from_ms);
    for (size_t i = 0; i < w->n; i++) {
        struct hour_factor *x = &w->f[i];
        const struct history *h = &w->history[i];
        if (!lacks_amount(e, x) || h->n == 0) {
            continue;
        }
        unsigned alpha = hours > 0 ? (unsigned)((int64_t)h->quarter_valid * 1000 / hours) : 1000;
        unsigned most = values_substitution_hours(alpha, (unsigned)((w->from_ms - h->last_valid_ms) / LT_HOUR_MS));
        if (most) {
            x->value.cou = largest(h, most);
            x->value.state |= VALUES_S_SUBSTITUTED;
        }
    }
    return LT_OK;
}

/* ---- rows and trail ---- */

static void version(struct engine *e, const struct eng_device *d, const struct hour_factor *x, bool day, unsigned field,
                    int64_t old, int64_t now, unsigned cause)
{
    if (old == now) {
        return;
    }
    struct eng_effect *f = eng_effect(e, EFF_VERSION, ALARM_R_HOUR_EXCEED);
    if (f) {
        f->device = d->id;
        f->factor = x->factor;
        f->field = (uint8_t)field;
        f->day = day;
        f->period_ms = e->hour->from_ms;
        f->version = x->version;
        f->value = old;
        f->limit = now;
        f->cause = (uint8_t)cause;
    }
}

static bool same_value(const struct values_result *a, const struct values_result *b)
{
    return a->avg == b->avg && a->zsavg == b->zsavg && a->cou == b->cou && a->mark == b->mark;
}

/* Made again from more rows than there were then, a value may change less often than it did. How often it had changed
 * by now stands in the trail. */
static enum lt_err versions_of_trail(struct engine *e, const struct eng_device *d, bool day, struct lt_error *err)
{
    struct hour_work *w = e->hour;
    struct sql_stmt *st = NULL;
    enum lt_err r = sql_prepare(e->db,
                                "SELECT factor, max(version) FROM value_version WHERE device = ?1 AND period_at_ms = "
                                "?2 AND kind = ?3 AND seq <= ?4 GROUP BY factor",
                                &st, err);
    if (r != LT_OK) {
        return r;
    }
    sql_bind_i64(st, 1, d->id);
    sql_bind_i64(st, 2, w->from_ms);
    sql_bind_str(st, 3, day ? "day" : "hour");
    sql_bind_i64(st, 4, (int64_t)e->seq);
    for (size_t i = 0; i < w->n; i++) {
        w->f[i].version = 0;
    }
    bool row;
    while ((r = sql_step(st, &row, err)) == LT_OK && row) {
        uint16_t factor = eng_factor_number(e, sql_col_text(st, 0));
        if (factor && w->stamped[factor] == w->stamp) {
            w->f[w->slot[factor]].version = (uint32_t)sql_col_i64(st, 1);
        }
    }
    sql_release(&st);
    return r;
}

static void note_changes(struct engine *e, const struct eng_device *d, bool day, unsigned cause)
{
    struct hour_work *w = e->hour;
    bool again = closed_before(w);
    for (size_t i = 0; i < w->n; i++) {
        struct hour_factor *x = &w->f[i];
        x->changed = !x->had || !same_value(&x->old, &x->value);
        x->version = x->old_version + (again && x->changed);
        if (!again || !x->changed) {
            continue;
        }
        e->stats.hours_changed++;
        version(e, d, x, day, HJ212_F_AVG, x->old.avg, x->value.avg, cause);
        version(e, d, x, day, HJ212_F_ZSAVG, x->old.zsavg, x->value.zsavg, cause);
        version(e, d, x, day, HJ212_F_COU, x->old.cou, x->value.cou, cause);
        version(e, d, x, day, HJ212_F_FLAG, x->had ? x->old.mark : LT_FIX_NONE, x->value.mark, cause);
    }
}

static void cell(struct engine *e, size_t *n, uint16_t factor, unsigned field, int64_t v)
{
    if (v == LT_FIX_NONE || *n == ENG_CELLS) {
        return;
    }
    uint16_t col = eng_column_of(e, factor, field);
    if (col) {
        e->hour->now[(*n)++] = (struct series_cell){.column = col, .value = v};
    } else {
        e->stats.unknown_factor_cells++;
    }
}

static int by_column(const void *a, const void *b)
{
    const struct series_cell *x = a, *y = b;
    return x->column < y->column ? -1 : x->column > y->column;
}

/* A row holds 256 cells. Beyond 19 factors the less needed ones stay out, for all factors alike; beyond 42 whole
 * factors do, and are counted. */
static enum lt_err write_row(struct engine *e, const struct eng_device *d, enum series_kind kind, struct lt_error *err)
{
    struct hour_work *w = e->hour;
    static const unsigned cells[] = {[1] = 6, [2] = 8, [3] = 13}; /* of one factor, at most */
    unsigned tier = w->n <= ENG_CELLS / cells[3] ? 3 : w->n <= ENG_CELLS / cells[2] ? 2 : 1;
    size_t n = 0, at = 0;
    for (; at < w->n && n + cells[tier] <= ENG_CELLS; at++) {
        const struct hour_factor *x = &w->f[at];
        const struct values_result *v = &x->value;
        cell(e, &n, x->factor, HJ212_F_AVG, v->avg);
        cell(e, &n, x->factor, HJ212_F_ZSAVG, v->zsavg);
        cell(e, &n, x->factor, HJ212_F_FLAG, v->mark ? v->mark : LT_FIX_NONE);
        cell(e, &n, x->factor, SERIES_F_VALID, v->valid);
        cell(e, &n, x->factor, SERIES_F_STATE, v->state);
        if (tier >= 2) {
            cell(e, &n, x->factor, HJ212_F_COU, v->cou);
            cell(e, &n, x->factor, SERIES_F_SOURCE, v->source);
        }
        cell(e, &n, x->factor, SERIES_F_VERSION, x->version ? (int64_t)x->version : LT_FIX_NONE);
        if (tier == 3) {
            cell(e, &n, x->factor, HJ212_F_MIN, v->min);
            cell(e, &n, x->factor, HJ212_F_MAX, v->max);
            if (v->source == VALUES_REPORTED) {
                cell(e, &n, x->factor, VALUES_F_CALC_AVG, x->own.avg);
                cell(e, &n, x->factor, VALUES_F_CALC_ZSAVG, x->own.zsavg);
            }
            cell(e, &n, x->factor, VALUES_F_DIFF, x->diff);
        }
    }
    e->stats.unknown_factor_cells += w->n - at;
    qsort(w->now, n, sizeof *w->now, by_column);
    if (n == 0 || (n == w->old_row.n && memcmp(w->now, w->old, n * sizeof *w->now) == 0)) {
        return LT_OK;
    }
    bool again = closed_before(w);
    uint64_t later = again && w->old_row.first_seq ? e->seq - w->old_row.first_seq : 0;
    struct series_row row = {.at_ms = w->from_ms,
                             .rank_ms = (int64_t)(again ? w->old_row.first_seq : e->seq),
                             .tie = later < UINT32_MAX ? (uint32_t)later : UINT32_MAX,
                             .n = (uint32_t)n,
                             .cells = w->now};
    return series_replace(e->cfg.series, (uint32_t)d->id, kind, &row, NULL, err);
}

/* ---- closing ---- */

static enum lt_err judge_all(struct engine *e, struct eng_device *d, bool day, struct lt_error *err)
{
    struct hour_work *w = e->hour;
    const struct hour_factor *o2 = find_o2(e);
    for (size_t i = 0; i < w->n; i++) {
        struct hour_factor *x = &w->f[i];
        struct eng_hour_facts f = {.d = d,
                                   .factor = x->factor,
                                   .from_ms = w->from_ms,
                                   .to_ms = w->from_ms + (day ? LT_DAY_MS : LT_HOUR_MS),
                                   .day = day,
                                   .first = !x->had,
                                   .quiet = x->had && w->old_row.age == ENG_ROW_STANDS && x->old.avg == x->value.avg &&
                                            x->old.zsavg == x->value.zsavg &&
                                            ((x->old.state ^ x->value.state) & VALUES_S_VALID) == 0,
                                   .old_state = x->had ? x->old.state : 0,
                                   .old_lost = w->old_row.age == ENG_ROW_CHANGES,
                                   .value = &x->value,
                                   .o2 = o2 ? o2->value.avg : LT_FIX_NONE,
                                   .all_mean = LT_FIX_NONE};
        if (x->in.all_n) {
            f.all_mean = lt_div_half_even(x->in.all_sum, x->in.all_n);
            f.any_flag = x->in.flagged > 0;
            f.flagged = x->in.flagged * 2 >= x->in.all_n;
        }
        if (!day && x->report.present) { /* a mark on the reported hour hides all of it, whatever its minutes say */
            bool marked = values_mark_maintenance(x->report.mark);
            f.any_flag |= marked;
            f.flagged |= marked;
            f.all_mean = x->in.all_n ? f.all_mean : x->report.avg;
        }
        enum lt_err r = eng_judge_period(e, &f, &x->value.state, err);
        if (r != LT_OK) {
            return r;
        }
    }
    return LT_OK;
}

static void show_hour(struct engine *e, struct eng_device *d)
{
    struct hour_work *w = e->hour;
    uint16_t valid[FACTORS], seen[FACTORS];
    unsigned minutes[FACTORS];
    size_t n_valid = 0;
    pthread_mutex_lock(&d->mu);
    for (size_t i = 0; i < w->n; i++) {
        const struct hour_factor *x = &w->f[i];
        seen[i] = x->factor;
        minutes[i] = x->value.valid;
        if (x->value.state & VALUES_S_VALID) {
            valid[n_valid++] = x->factor;
        }
        struct eng_channel *c = eng_channel(d, x->factor, (uint32_t)i);
        if (c && w->from_ms >= c->hour_ms) {
            c->hour_ms = w->from_ms;
            c->hour = x->value.avg;
            c->hour_zs = x->value.zsavg;
            c->hour_valid = (uint16_t)x->value.valid;
            c->hour_state = (uint16_t)x->value.state;
        }
    }
    d->tell = d->changed = true;
    pthread_mutex_unlock(&d->mu);
    eng_judge_missing(e, d, w->from_ms, !closed_before(w), valid, n_valid, seen, minutes, w->n);
}

/* All or nothing: when the row cannot be written, states and effects are as before and the call may be repeated. */
static enum lt_err judge_and_write(struct engine *e, struct eng_device *d, bool day, unsigned cause,
                                   struct lt_error *err)
{
    size_t effects = e->n_effect;
    uint32_t n_ch = d->n_ch;
    struct engine_stats stats = e->stats;
    if (n_ch) {
        memcpy(e->hour->kept, d->ch, n_ch * sizeof *d->ch);
    }
    enum lt_err r = judge_all(e, d, day, err);
    if (r == LT_OK) {
        note_changes(e, d, day, cause);
        r = eng_again(e) && closed_before(e->hour) ? versions_of_trail(e, d, day, err) : LT_OK;
    }
    if (r == LT_OK) {
        r = write_row(e, d, day ? SERIES_DAY : SERIES_HOUR, err);
    }
    if (r != LT_OK) {
        e->n_effect = effects;
        e->stats = stats;
        if (n_ch) {
            memcpy(d->ch, e->hour->kept, n_ch * sizeof *d->ch);
        }
    }
    return r;
}

enum lt_err eng_hour_close(struct engine *e, struct eng_device *d, int64_t hour_ms, unsigned cause,
                           struct lt_error *err)
{
    struct hour_work *w = e->hour;
    struct series *s = e->cfg.series;
    uint32_t id = (uint32_t)d->id;
    int64_t end = hour_ms + LT_HOUR_MS;
    begin(e, hour_ms);
    enum lt_err r = eng_touch(e, d, true, eng_floor(e, hour_ms, LT_DAY_MS), ENG_C_HOUR, false, err);
    if (r != LT_OK || (r = series_read(s, id, SERIES_RTD, hour_ms, end, take_realtime, w, err)) != LT_OK ||
        (r = series_read(s, id, SERIES_MIN, hour_ms, end, take_minute, w, err)) != LT_OK ||
        (r = series_read(s, id, SERIES_HOUR_R, hour_ms, end, take_report, w, err)) != LT_OK) {
        return r;
    }
    compute(e, d);
    if ((r = substitute(e, d, err)) != LT_OK || (r = read_old(e, d, false, err)) != LT_OK) {
        return r;
    }
    if ((r = judge_and_write(e, d, false, cause, err)) != LT_OK) {
        return r;
    }
    e->stats.hours_closed += !closed_before(w);
    show_hour(e, d);
    return LT_OK;
}

enum lt_err eng_day_close(struct engine *e, struct eng_device *d, int64_t day_ms, unsigned cause, struct lt_error *err)
{
    struct hour_work *w = e->hour;
    begin(e, day_ms);
    enum lt_err r =
        series_read(e->cfg.series, (uint32_t)d->id, SERIES_HOUR, day_ms, day_ms + LT_DAY_MS, take_hour, w, err);
    if (r != LT_OK) {
        return r;
    }
    for (size_t i = 0; i < w->n; i++) {
        values_day_result(&w->f[i].day, d->water, &w->f[i].value);
        w->f[i].own = w->f[i].value;
    }
    if ((r = series_read(e->cfg.series, (uint32_t)d->id, SERIES_DAY_R, day_ms, day_ms + LT_DAY_MS, take_report, w,
                         err)) != LT_OK ||
        (r = read_old(e, d, true, err)) != LT_OK) {
        return r;
    }
    for (size_t i = 0; i < w->n; i++) {
        struct hour_factor *x = &w->f[i];
        lt_i128 diff = (lt_i128)x->report.avg - x->value.avg;
        if (x->report.present && x->report.avg != LT_FIX_NONE && x->value.avg != LT_FIX_NONE && diff > INT64_MIN &&
            diff <= INT64_MAX) {
            x->diff = (int64_t)diff; /* the report stands beside; a day value is the post's own */
        }
    }
    if ((r = judge_and_write(e, d, true, cause, err)) != LT_OK) {
        return r;
    }
    e->stats.days_closed += !closed_before(w);
    return LT_OK;
}

/* ---- counting hours by state ---- */

struct counting {
    struct engine *e;
    uint16_t factor;
    int64_t bits;
    unsigned n;
};

static bool take_count(void *user, const struct series_row *row)
{
    struct counting *c = user;
    for (uint32_t i = 0; i < row->n && made_by_now(c->e, row); i++) {
        const struct eng_column *k = eng_column_info(c->e, row->cells[i].column);
        if (k->known && k->factor == c->factor && k->field == SERIES_F_STATE &&
            (row->cells[i].value & c->bits) == c->bits) {
            c->n++;
        }
    }
    return true;
}

enum lt_err eng_hours_with(struct engine *e, struct eng_device *d, uint16_t factor, int64_t from_ms, int64_t to_ms,
                           int64_t bits, unsigned *ret_n, struct lt_error *err)
{
    struct counting c = {.e = e, .factor = factor, .bits = bits};
    enum lt_err r = series_read(e->cfg.series, (uint32_t)d->id, SERIES_HOUR, from_ms, to_ms, take_count, &c, err);
    *ret_n = c.n;
    return r;
}
