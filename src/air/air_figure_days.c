/* Days of a station, county, city or region out of cells that are kept as long as nothing changes them. */
#include "air/air_figure_priv.h"
#include "base/clock.h"
#include "base/text.h"

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

int32_t air_day(int year, int month, int day)
{
    int64_t at_ms = 0;
    struct lt_civil c = {.year = year, .month = month, .day = day};
    return lt_civil_to_ms(&c, 0, &at_ms) ? (int32_t)(at_ms / LT_DAY_MS) : 0;
}

int air_yyyymmdd(int32_t day)
{
    int y, m, d;
    air_civil(day, &y, &m, &d);
    return y * 10000 + m * 100 + d;
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
        return lt_fail(err, LT_E_LIMIT, "air", "listeners", NULL, NULL);
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
    enum lt_err e = read_missing(l, (size_t)(from - first), (size_t)(to - first), err);
    if (e == LT_OK && w->blocks && !l->as_of)
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
        if (l->n_territory == cap) {
            cap = cap ? cap * 2 : 32;
            struct air_territory *more = realloc(l->territory, cap * sizeof *more);
            if (!more) {
                e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
                break;
            }
            l->territory = more;
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
    if (version > l->version || version < 0)
        return lt_failf(err, LT_E_NOT_FOUND, "version", "version %lld", (long long)version);
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
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        struct lt_slice one = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        int64_t id = 0;
        if (!lt_text_to_i64(one, &id) || sc->n == AIR_SCOPE_MAX)
            return lt_fail(err, LT_E_FIELD_FORMAT, "scope", "scope", "", "territory:3, station:7, region:3,4");
        if (sc->kind == AIR_SCOPE_STATION ? !air_look_station(l, id) : !air_look_territory(l, id))
            return lt_failf(err, LT_E_NOT_FOUND, "scope", "%lld", (long long)id);
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
    bool type = s->type == AIR_NATIONAL ||
                ((county || town) && (s->type == AIR_PROVINCIAL || s->type == AIR_COUNTY)) ||
                (town && s->type == AIR_TOWNSHIP);
    return s->evaluated && type && air_look_within(l, s->territory, t->id);
}

/* ---- standards ---- */

const struct airq_standard *air_standard_on(int32_t day)
{
    return airq_standard_find(lt_slice_of(day >= air_day(2031, 1, 1)  ? "2031" + 4
                                          : day >= air_day(2026, 3, 1) ? "2026t"
                                                                       : "2012"));
}
