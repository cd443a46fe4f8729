/* Days of a station, county, city or region out of cells that are kept as long as nothing changes them. */
#include "air/air_figure_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- small dates ---- */

void air_civil(int32_t day, int *ret_year, int *ret_month, int *ret_day)
{
    struct lt_civil c = lt_civil_of((int64_t)day * LT_DAY_MS, 0);
    *ret_year = c.year;
    *ret_month = c.month;
    *ret_day = c.day;
}

int air_month_days(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Any year: what lies before 1970-01-01 and after 9999-12-31 is asked for too, as the day before, the week or the
 * season around. The calendar repeats every 400 years of 146,097 days. */
int32_t air_day(int year, int month, int day)
{
    const int era = year >= 2000 ? (year - 2000) / 400 : -((2399 - year) / 400);
    int64_t at_ms = 0;
    struct lt_civil c = {.year = year - era * 400, .month = month, .day = day};
    return lt_civil_to_ms(&c, 0, &at_ms) ? (int32_t)(at_ms / LT_DAY_MS) + era * 146097 : 0;
}

/* ---- the cache ---- */

static void drop_days(struct air_figures *f, struct station_year *y, int32_t from, int32_t to)
{
    for (int32_t d = from > y->first ? from : y->first; d <= to && d < y->first + YEAR_DAYS; d++) {
        struct cell_day *c = &y->day[d - y->first];
        f->stats.cells_dropped += c->known;
        c->known = false;
    }
}

static bool touched(const struct air_changed *c, int64_t station)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->station[i] == station)
            return true;
    return c->n == 0;
}

static void on_change(void *user, const struct air_changed *c)
{
    struct air_figures *f = user;
    pthread_rwlock_wrlock(&f->lock);
    for (size_t i = 0; i < f->n; i++)
        if (touched(c, f->year[i]->station))
            drop_days(f, f->year[i], c->from, c->to);
    f->version = c->version;
    pthread_rwlock_unlock(&f->lock);
}

enum lt_err air_figures_open(struct air *a, struct air_figures **ret, struct lt_error *err)
{
    struct air_figures *f = calloc(1, sizeof *f);
    if (!f)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    pthread_rwlock_init(&f->lock, NULL);
    f->version = -1;
    if (!air_listen(a, on_change, f)) {
        air_figures_close(&f);
        return lt_fail(err, LT_E_LIMIT, "air", "listeners", "8", NULL);
    }
    *ret = f;
    return LT_OK;
}

void air_figures_close(struct air_figures **f)
{
    if (!*f)
        return;
    for (size_t i = 0; i < (*f)->n; i++)
        free((*f)->year[i]);
    pthread_rwlock_destroy(&(*f)->lock);
    free(*f);
    *f = NULL;
}

void air_figures_stats(struct air_figures *f, struct air_figures_stats *ret)
{
    pthread_rwlock_rdlock(&f->lock);
    *ret = f->stats;
    ret->station_years = f->n;
    pthread_rwlock_unlock(&f->lock);
}

/* The place of (station, year) in the sorted list. */
static size_t place_of(const struct air_figures *f, int64_t station, int year, bool *ret_there)
{
    size_t lo = 0, hi = f->n;
    *ret_there = false;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct station_year *y = f->year[mid];
        if (y->station == station && y->year == year) {
            *ret_there = true;
            return mid;
        }
        if (y->station < station || (y->station == station && y->year < year))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- reading cells ---- */

static void set_cell(struct cell_day *c, const struct air_block *b, uint32_t mask)
{
    unsigned reviewed = 0, taken = 0;
    memset(c, 0, sizeof *c);
    air_block_cell(b, &c->kept, &reviewed, &taken);
    c->reviewed = (uint16_t)reviewed;
    c->taken = (uint16_t)taken;
    c->mask = mask;
    c->known = true;
    if (mask) {
        struct airq_cell dust;
        memset(&dust, 0, sizeof dust);
        air_block_cell_dust(b, mask, &dust, NULL, NULL);
        for (int i = 0; i < 2; i++) {
            c->dust_sum[i] = dust.sum[i ? AIRQ_PM25 : AIRQ_PM10];
            c->dust_n[i] = dust.n[i ? AIRQ_PM25 : AIRQ_PM10];
        }
    }
}

static bool fresh(const struct cell_day *c, uint32_t mask)
{
    return c->known && c->mask == mask;
}

static bool on_block(void *user, int32_t day, const struct air_block *b)
{
    struct air_days_work *w = user;
    size_t i = (size_t)(day - w->year.first);
    w->blocks++;
    set_cell(&w->year.day[i], b, w->mask[i]);
    return true;
}

/* Reads days [a, b] of the year in work that are not fresh, in one query over the run that holds them. */
static enum lt_err read_missing(struct air_look *l, size_t a, size_t b, struct lt_error *err)
{
    struct air_days_work *w = l->work;
    while (a <= b && fresh(&w->year.day[a], w->mask[a]))
        a++;
    while (b > a && fresh(&w->year.day[b], w->mask[b]))
        b--;
    if (a > b)
        return LT_OK;
    w->missed = true;
    for (size_t i = a; i <= b; i++) { /* a day without a block is known to be empty */
        memset(&w->year.day[i], 0, sizeof w->year.day[i]);
        w->year.day[i].known = true;
        w->year.day[i].mask = w->mask[i];
    }
    return air_blocks(l->db, w->year.station, w->year.first + (int32_t)a, w->year.first + (int32_t)b, l->as_of,
                      on_block, w, err);
}

/* Puts what was read into the cache, if nothing was committed meanwhile. */
static void keep(struct air_look *l)
{
    struct air_figures *f = l->f;
    struct air_days_work *w = l->work;
    bool there;
    pthread_rwlock_wrlock(&f->lock);
    if (f->version == l->version) {
        size_t at = place_of(f, w->year.station, w->year.year, &there);
        if (!there && f->n == AIR_YEARS_CACHED) { /* full: the whole is dropped, which is rare and simple */
            for (size_t i = 0; i < f->n; i++)
                free(f->year[i]);
            f->n = at = 0;
        }
        struct station_year *y = there ? f->year[at] : calloc(1, sizeof *y);
        if (y && !there) {
            memmove(&f->year[at + 1], &f->year[at], (f->n - at) * sizeof f->year[0]);
            f->year[at] = y;
            f->n++;
        }
        if (y)
            memcpy(y, &w->year, sizeof *y);
        f->stats.blocks_read += w->blocks;
    }
    pthread_rwlock_unlock(&f->lock);
}

/* Fills l->work->year with the days [from, to] (of one calendar year) of a station. */
static enum lt_err year_cells(struct air_look *l, int64_t station, int year, int32_t from, int32_t to,
                              struct lt_error *err)
{
    struct air_days_work *w = l->work;
    struct air_figures *f = l->f;
    int32_t first = air_day(year, 1, 1);
    bool there = false;
    if (!l->as_of) {
        pthread_rwlock_rdlock(&f->lock);
        size_t at = place_of(f, station, year, &there);
        there = there && f->version == l->version;
        if (there)
            memcpy(&w->year, f->year[at], sizeof w->year);
        pthread_rwlock_unlock(&f->lock);
    }
    if (!there) {
        memset(&w->year, 0, sizeof w->year);
        w->year.station = station;
        w->year.year = year;
        w->year.first = first;
    }
    w->blocks = 0;
    w->missed = false;
    enum lt_err e = read_missing(l, (size_t)(from - first), (size_t)(to - first), err);
    if (e == LT_OK && w->missed && !l->as_of)
        keep(l);
    return e;
}

/* ---- the look ---- */

static enum lt_err read_territories(struct air_look *l, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    size_t cap = 0;
    enum lt_err e = sql_prepare(l->db,
                                "SELECT id, coalesce(parent, 0), code, name, coalesce(name_en, ''), level"
                                " FROM territory WHERE deleted = 0 ORDER BY id",
                                &st, err);
    while (!e && !(e = sql_step(st, &row, err)) && row) {
        if (!lt_grow(&l->territory, l->n_territory, &cap, sizeof *l->territory)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        struct air_territory *t = &l->territory[l->n_territory++];
        t->id = sql_col_i64(st, 0);
        t->parent = sql_col_i64(st, 1);
        lt_text_copy_slice(t->code, sizeof t->code, sql_col_text(st, 2));
        lt_text_copy_slice(t->name, sizeof t->name, sql_col_text(st, 3));
        lt_text_copy_slice(t->name_en, sizeof t->name_en, sql_col_text(st, 4));
        lt_text_copy_slice(t->level, sizeof t->level, sql_col_text(st, 5));
    }
    sql_release(&st);
    return e;
}

/* The cache follows versions told by the listener; the first look of a new post takes the version it finds. */
static void adopt_version(struct air_look *l)
{
    pthread_rwlock_wrlock(&l->f->lock);
    if (l->f->version < 0)
        l->f->version = l->version;
    pthread_rwlock_unlock(&l->f->lock);
}

static enum lt_err look_read(struct air_look *l, int64_t version, struct lt_error *err)
{
    enum lt_err e = air_version(l->db, &l->version, err);
    if (e)
        return e;
    if (version > l->version || version < 0) {
        char shown[24];
        snprintf(shown, sizeof shown, "%lld", (long long)version);
        return lt_fail(err, LT_E_NOT_FOUND, "version", "version", shown, NULL);
    }
    adopt_version(l);
    if (version && version != l->version)
        l->version = l->as_of = version;
    if ((e = read_territories(l, err)) || (e = air_stations(l->db, l->tz_min, &l->station, &l->n_station, err)))
        return e;
    return air_events(l->db, l->tz_min, INT32_MIN / 2, INT32_MAX / 2, &l->event, &l->n_event, err);
}

enum lt_err air_look_open(struct air_figures *f, struct air *a, struct sql_db *db, int64_t version,
                          struct air_look *ret, struct lt_error *err)
{
    struct air_look l = {.f = f, .db = db, .tz_min = air_tz(a)};
    enum lt_err e = air_poll(a, db, err);
    if (e || (e = sql_begin_read(db, err)))
        return e;
    l.work = calloc(1, sizeof *l.work);
    e = l.work ? look_read(&l, version, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e)
        air_look_close(&l);
    else
        *ret = l;
    return e;
}

void air_look_close(struct air_look *l)
{
    if (!l->db)
        return;
    sql_rollback(l->db);
    free(l->work);
    free(l->territory);
    free(l->station);
    free(l->event);
    memset(l, 0, sizeof *l);
}

const struct air_territory *air_look_territory(const struct air_look *l, int64_t id)
{
    for (size_t i = 0; i < l->n_territory; i++)
        if (l->territory[i].id == id)
            return &l->territory[i];
    return NULL;
}

const struct air_station *air_look_station(const struct air_look *l, int64_t id)
{
    for (size_t i = 0; i < l->n_station; i++)
        if (l->station[i].id == id)
            return &l->station[i];
    return NULL;
}

bool air_look_within(const struct air_look *l, int64_t id, int64_t top)
{
    for (int depth = 0; id && depth < AIR_TERRITORY_MAX; depth++) {
        if (id == top)
            return true;
        const struct air_territory *t = air_look_territory(l, id);
        id = t ? t->parent : 0;
    }
    return false;
}

/* ---- scopes ---- */

struct air_scope air_scope_of(enum air_scope_kind kind, int64_t id)
{
    return (struct air_scope){.kind = kind, .id = {id}, .n = 1};
}

static enum lt_err scope_ids(const struct air_look *l, struct lt_slice rest, struct air_scope *sc, struct lt_error *err)
{
    char shown[24];
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        struct lt_slice one = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        int64_t id = 0;
        if (!lt_text_to_i64(one, &id) || sc->n == AIR_SCOPE_MAX)
            return lt_fail(err, LT_E_FIELD_FORMAT, "scope", "scope", "", "territory:3, station:7, region:3,4");
        if (sc->kind == AIR_SCOPE_STATION ? !air_look_station(l, id) : !air_look_territory(l, id)) {
            snprintf(shown, sizeof shown, "%lld", (long long)id);
            return lt_fail(err, LT_E_NOT_FOUND, "scope", sc->kind == AIR_SCOPE_STATION ? "station" : "territory", shown,
                           NULL);
        }
        for (size_t i = 0; i < sc->n; i++)
            if (sc->id[i] == id) /* named twice it would weigh twice in the region's mean */
                return lt_fail(err, LT_E_FIELD_FORMAT, "scope", "scope", "", "territory:3, station:7, region:3,4");
        sc->id[sc->n++] = id;
        rest = comma ? (struct lt_slice){comma + 1, rest.n - one.n - 1} : (struct lt_slice){NULL, 0};
    }
    return LT_OK;
}

enum lt_err air_scope_parse(const struct air_look *l, struct lt_slice text, struct air_scope *ret, struct lt_error *err)
{
    static const char *const names[] = {"territory:", "station:", "region:"};
    struct air_scope sc = {0};
    char shown[64];
    for (unsigned k = 0; k < 3; k++) {
        size_t n = strlen(names[k]);
        if (text.n <= n || memcmp(text.p, names[k], n) != 0)
            continue;
        sc.kind = (enum air_scope_kind)k;
        enum lt_err e = scope_ids(l, (struct lt_slice){text.p + n, text.n - n}, &sc, err);
        if (e)
            return e;
        if (sc.n == 0 || (k != AIR_SCOPE_REGION && sc.n != 1))
            break;
        *ret = sc;
        return LT_OK;
    }
    lt_text_copy_slice(shown, sizeof shown, text);
    return lt_fail(err, LT_E_FIELD_FORMAT, "scope", "scope", shown, "territory:3, station:7, region:3,4");
}

bool air_counts(const struct air_look *l, const struct air_station *s, const struct air_territory *t)
{
    bool county = strcmp(t->level, "county") == 0, town = strcmp(t->level, "township") == 0;
    bool type = s->type == AIR_NATIONAL || ((county || town) && (s->type == AIR_PROVINCIAL || s->type == AIR_COUNTY)) ||
                (town && s->type == AIR_TOWNSHIP);
    return s->evaluated && type && air_look_within(l, s->territory, t->id);
}

/* ---- standards ---- */

const struct airq_standard *air_standard_on(int32_t day)
{
    const char *name = day >= air_day(2031, 1, 1) ? "2026f" : day >= air_day(2026, 3, 1) ? "2026t" : "2012";
    return airq_standard_find(lt_slice_of(name));
}

const char *air_standard_name(const struct airq_standard *s)
{
    static const char *const names[] = {"2012", "2026t", "2026f"};
    for (size_t i = 0; i < 3; i++)
        if (airq_standard_find(lt_slice_of(names[i])) == s)
            return names[i];
    return "";
}

/* ---- days of a station ---- */

struct maker { /* one call of air_days_make() */
    struct air_look *l;
    const struct airq_standard *s;
    enum airq_rounding r;
    struct air_days *d;
    struct airq_city *sum[3]; /* per day: kept, stat, aqi */
    bool alone;               /* a single station: its days are not averaged again */
};

/* What the events say of a station's day: hours without PM, and the two switches. */
static uint32_t mask_of(const struct air_look *l, const struct air_station *s, int32_t day, bool *ret_strip,
                        bool *ret_aqi)
{
    uint32_t mask = 0;
    *ret_strip = *ret_aqi = false;
    for (size_t i = 0; i < l->n_event; i++) {
        const struct air_event *e = &l->event[i];
        if (day < e->from || day > e->to || !(e->strip_pm || e->recompute_aqi) ||
            !air_look_within(l, s->territory, e->territory))
            continue;
        mask |= e->hours;
        *ret_strip |= e->strip_pm;
        *ret_aqi |= e->recompute_aqi;
    }
    return mask;
}

static bool any_event(const struct air_look *l, int32_t from, int32_t to)
{
    for (size_t i = 0; i < l->n_event; i++)
        if (l->event[i].from <= to && l->event[i].to >= from)
            return true;
    return false;
}

static struct airq_cell dusted(const struct cell_day *c)
{
    struct airq_cell cell = c->kept;
    if (c->mask)
        for (int i = 0; i < 2; i++) {
            cell.sum[i ? AIRQ_PM25 : AIRQ_PM10] = c->dust_sum[i];
            cell.n[i ? AIRQ_PM25 : AIRQ_PM10] = c->dust_n[i];
        }
    return cell;
}

static void add_day(struct maker *m, const struct cell_day *c, size_t i, bool strip, bool recompute)
{
    struct airq_day kept, dust;
    const struct airq_standard *s = m->s ? m->s : air_standard_on(m->d->from + (int32_t)i);
    struct air_day_info *info = &m->d->info[i];
    airq_cell_day(s, m->r, &c->kept, &kept);
    dust = kept;
    if (c->mask) {
        struct airq_cell without = dusted(c);
        airq_cell_day(s, m->r, &without, &dust);
    }
    info->stations++;
    info->hours += (uint32_t)__builtin_popcount(c->kept.seen);
    info->values += c->taken;
    info->reviewed += c->reviewed;
    info->dust |= c->mask != 0;
    if (m->alone) {
        m->d->kept[i] = kept;
        m->d->stat[i] = strip ? dust : kept;
        m->d->aqi[i] = recompute ? dust : kept;
        return;
    }
    airq_city_add(&m->sum[0][i], &kept);
    airq_city_add(&m->sum[1][i], strip ? &dust : &kept);
    airq_city_add(&m->sum[2][i], recompute ? &dust : &kept);
}

static enum lt_err add_station_year(struct maker *m, const struct air_station *s, int year, int32_t from, int32_t to,
                                    struct lt_error *err)
{
    struct air_days_work *w = m->l->work;
    const int32_t first = air_day(year, 1, 1);
    bool strip[YEAR_DAYS] = {false}, recompute[YEAR_DAYS] = {false};
    bool events = any_event(m->l, from, to);
    for (int32_t d = from; d <= to; d++) {
        size_t i = (size_t)(d - first);
        w->mask[i] = events ? mask_of(m->l, s, d, &strip[i], &recompute[i]) : 0;
    }
    enum lt_err e = year_cells(m->l, s->id, year, from, to, err);
    for (int32_t d = from; e == LT_OK && d <= to; d++) {
        size_t i = (size_t)(d - first);
        add_day(m, &w->year.day[i], (size_t)(d - m->d->from), strip[i], recompute[i]);
    }
    return e;
}

static enum lt_err add_station(struct maker *m, const struct air_station *s, struct lt_error *err)
{
    int32_t from = m->d->from, to = m->d->from + (int32_t)m->d->n - 1;
    enum lt_err e = LT_OK;
    from = s->opened > from ? s->opened : from;
    to = s->closed <= to ? s->closed - 1 : to; /* the first day on which it no longer measures */
    while (e == LT_OK && from <= to) {
        int y, mo, da;
        air_civil(from, &y, &mo, &da);
        int32_t end = air_day(y, 12, 31);
        end = end < to ? end : to;
        e = add_station_year(m, s, y, from, end, err);
        from = end + 1;
    }
    return e;
}

/* ---- days of a territory ---- */

static void none(struct airq_day *d)
{
    for (int i = 0; i < AIRQ_DAY_ITEMS; i++) {
        d->value[i] = AIRQ_WIDE_NONE;
        d->judged[i] = AIRQ_NONE;
    }
    d->dust = 0;
}

static struct airq_day *day_of(struct air_days *d, int which, size_t i)
{
    return which == 0 ? &d->kept[i] : which == 1 ? &d->stat[i] : &d->aqi[i];
}

static void means(struct maker *m, const uint32_t *total)
{
    for (size_t i = 0; i < m->d->n; i++) {
        const struct airq_standard *s = m->s ? m->s : air_standard_on(m->d->from + (int32_t)i);
        for (int k = 0; k < 3; k++)
            airq_city_day(s, m->r, &m->sum[k][i], total ? total[i] : m->d->info[i].stations, day_of(m->d, k, i));
    }
}

static enum lt_err room(struct maker *m, struct lt_error *err)
{
    for (int k = 0; k < 3; k++)
        if (!(m->sum[k] = calloc(m->d->n, sizeof *m->sum[k])))
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return LT_OK;
}

static void room_fini(struct maker *m)
{
    for (int k = 0; k < 3; k++)
        free(m->sum[k]);
}

static enum lt_err days_alloc(int32_t from, int32_t to, struct air_days *d, struct lt_error *err)
{
    memset(d, 0, sizeof *d);
    if (to < from || to - from >= AIR_DAYS_MAX)
        return lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "from + 36600 d");
    d->from = from;
    d->n = (size_t)(to - from) + 1;
    d->kept = calloc(d->n, sizeof *d->kept);
    d->stat = calloc(d->n, sizeof *d->stat);
    d->aqi = calloc(d->n, sizeof *d->aqi);
    d->info = calloc(d->n, sizeof *d->info);
    if (!d->kept || !d->stat || !d->aqi || !d->info) {
        air_days_fini(d);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    for (size_t i = 0; i < d->n; i++)
        for (int k = 0; k < 3; k++)
            none(day_of(d, k, i));
    return LT_OK;
}

void air_days_fini(struct air_days *d)
{
    free(d->kept);
    free(d->stat);
    free(d->aqi);
    free(d->info);
    memset(d, 0, sizeof *d);
}

static enum lt_err territory_days(struct maker *m, int64_t territory, struct lt_error *err)
{
    const struct air_territory *t = air_look_territory(m->l, territory);
    enum lt_err e = t ? room(m, err) : lt_fail(err, LT_E_NOT_FOUND, "territory", "territory", NULL, NULL);
    for (size_t i = 0; e == LT_OK && i < m->l->n_station; i++)
        if (air_counts(m->l, &m->l->station[i], t))
            e = add_station(m, &m->l->station[i], err);
    if (e == LT_OK)
        means(m, NULL);
    room_fini(m);
    return e;
}

/* A region's day is the mean of its territories' days; valid when three quarters of them are. */
static enum lt_err region_days(struct maker *m, const struct air_scope *sc, struct lt_error *err)
{
    uint32_t *total = calloc(m->d->n, sizeof *total);
    enum lt_err e = total ? room(m, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t t = 0; e == LT_OK && t < sc->n; t++) {
        const struct air_scope one = air_scope_of(AIR_SCOPE_TERRITORY, sc->id[t]);
        struct air_days d;
        if ((e = air_days_make(m->l, &one, m->d->from, m->d->from + (int32_t)m->d->n - 1, m->s, m->r, &d, err)))
            break;
        for (size_t i = 0; i < d.n; i++) {
            struct air_day_info *info = &m->d->info[i];
            for (int k = 0; k < 3; k++)
                airq_city_add(&m->sum[k][i], day_of(&d, k, i));
            total[i] += d.info[i].stations > 0;
            info->stations += d.info[i].stations;
            info->hours += d.info[i].hours;
            info->values += d.info[i].values;
            info->reviewed += d.info[i].reviewed;
            info->dust |= d.info[i].dust;
        }
        air_days_fini(&d);
    }
    if (e == LT_OK)
        means(m, total);
    room_fini(m);
    free(total);
    return e;
}

enum lt_err air_days_make(struct air_look *l, const struct air_scope *sc, int32_t from, int32_t to,
                          const struct airq_standard *s, enum airq_rounding r, struct air_days *ret,
                          struct lt_error *err)
{
    struct air_days d;
    struct maker m = {.l = l, .s = s, .r = r, .d = &d, .alone = sc->kind == AIR_SCOPE_STATION};
    enum lt_err e = days_alloc(from, to, &d, err);
    if (e)
        return e;
    if (m.alone) {
        const struct air_station *st = air_look_station(l, sc->id[0]);
        e = st ? add_station(&m, st, err) : lt_fail(err, LT_E_NOT_FOUND, "station", "station", NULL, NULL);
    } else {
        e = sc->kind == AIR_SCOPE_TERRITORY ? territory_days(&m, sc->id[0], err) : region_days(&m, sc, err);
    }
    if (e)
        air_days_fini(&d);
    else
        *ret = d;
    return e;
}

struct airq_day air_day_as(const struct air_days *d, size_t i, enum air_dust dust)
{
    struct airq_day x = d->kept[i];
    if (dust == AIR_DUST_KEPT || !d->info[i].dust)
        return x;
    memcpy(x.value, d->stat[i].value, sizeof x.value);
    for (int p = AIRQ_PM10; p <= AIRQ_PM25; p++)
        if (x.value[p] == AIRQ_WIDE_NONE && d->kept[i].value[p] != AIRQ_WIDE_NONE)
            x.dust |= AIRQ_DUST_STRIP;
    if (dust == AIR_DUST_HABIT)
        return x;
    for (int p = AIRQ_PM10; p <= AIRQ_PM25; p++) {
        if (d->aqi[i].judged[p] == AIRQ_NONE && x.judged[p] != AIRQ_NONE)
            x.dust |= AIRQ_DUST_RECOMPUTE; /* the index leaves PM out, and that does not withhold it */
        else
            x.judged[p] = d->aqi[i].judged[p];
    }
    return x;
}

void air_day_index(const struct airq_standard *s, const struct airq_day *d, struct airq_result *ret)
{
    struct airq_input in = {.so2_24h = AIRQ_NONE, .o3_1h = d->judged[AIRQ_O3_1H]};
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        in.conc[p] = d->judged[p];
    if (d->dust & AIRQ_DUST_RECOMPUTE)
        in.conc[AIRQ_PM10] = in.conc[AIRQ_PM25] = AIRQ_NOT_MONITORED;
    airq_index(airq_standard_scale(s), AIRQ_DAY, &in, ret);
}
