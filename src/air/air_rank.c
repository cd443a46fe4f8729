/* Ranking: keys in turn decide, equal in all of them shares the rank. */
#include "air/air_rank.h"
#include "base/text.h"

#include <stdlib.h>

static const struct {
    const char *name, *en, *zh;
} bys[AIR_BY_COUNT] = {
    [AIR_BY_COMPOSITE] = {"composite", "composite index", "综合指数"},
    [AIR_BY_PM25] = {"pm25", "PM2.5", "PM2.5"},
    [AIR_BY_PM10] = {"pm10", "PM10", "PM10"},
    [AIR_BY_SO2] = {"so2", "SO2", "SO2"},
    [AIR_BY_NO2] = {"no2", "NO2", "NO2"},
    [AIR_BY_CO] = {"co", "CO", "CO"},
    [AIR_BY_O3] = {"o3", "O3", "O3"},
    [AIR_BY_GOOD_SHARE] = {"good_share", "share of good days", "优良天数比例"},
    [AIR_BY_GOOD_DAYS] = {"good_days", "good days", "优良天数"},
    [AIR_BY_COMPOSITE_CHANGE] = {"composite_change", "change of the composite index", "综合指数同比变化率"},
    [AIR_BY_PM25_CHANGE] = {"pm25_change", "change of PM2.5", "PM2.5 同比变化率"},
    [AIR_BY_GOOD_SHARE_CHANGE] = {"good_share_change", "change of the share of good days", "优良天数比例同比变化"},
};
static const enum airq_pollutant pollutant_of_by[] = {
    [AIR_BY_PM25] = AIRQ_PM25, [AIR_BY_PM10] = AIRQ_PM10, [AIR_BY_SO2] = AIRQ_SO2,
    [AIR_BY_NO2] = AIRQ_NO2,   [AIR_BY_CO] = AIRQ_CO,     [AIR_BY_O3] = AIRQ_O3};

const char *air_rank_by_name(enum air_rank_by b)
{
    return bys[b].name;
}

const char *air_rank_by_label(enum air_rank_by b, enum lt_lang lang)
{
    return lang == LT_EN ? bys[b].en : bys[b].zh;
}

/* ---- schemes ---- */

static bool next_item(struct lt_slice *rest, struct lt_slice *ret)
{
    if (rest->n == 0)
        return false;
    const char *comma = memchr(rest->p, ',', rest->n);
    const size_t n = comma ? (size_t)(comma - rest->p) : rest->n, skip = comma ? n + 1 : n;
    *ret = (struct lt_slice){rest->p, n};
    *rest = (struct lt_slice){rest->p + skip, rest->n - skip};
    while (ret->n && ret->p[0] == ' ')
        *ret = (struct lt_slice){ret->p + 1, ret->n - 1};
    while (ret->n && ret->p[ret->n - 1] == ' ')
        ret->n--;
    return true;
}

static bool parse_keys(struct lt_slice rest, struct air_rank_scheme *s)
{
    struct lt_slice item;
    while (next_item(&rest, &item)) {
        const bool more = item.n && item.p[0] == '-';
        unsigned b = 0;
        if (more)
            item = (struct lt_slice){item.p + 1, item.n - 1};
        while (b < AIR_BY_COUNT && !lt_slice_is(item, bys[b].name))
            b++;
        if (b == AIR_BY_COUNT || s->n_keys == AIR_RANK_KEYS)
            return false;
        s->key[s->n_keys].by = (enum air_rank_by)b;
        s->key[s->n_keys++].more = more;
    }
    return s->n_keys > 0;
}

static bool parse_weights(struct lt_slice rest, struct air_rank_scheme *s)
{
    struct lt_slice item;
    while (next_item(&rest, &item)) {
        const char *colon = item.n ? memchr(item.p, ':', item.n) : NULL;
        int64_t w = 0;
        int p = 0;
        if (!colon)
            return false;
        const struct lt_slice name = {item.p, (size_t)(colon - item.p)};
        while (p < AIRQ_POLLUTANTS && !lt_slice_is(name, airq_pollutant_name((enum airq_pollutant)p)))
            p++;
        if (p == AIRQ_POLLUTANTS || !lt_text_to_i64((struct lt_slice){colon + 1, item.n - name.n - 1}, &w) || w < 0 ||
            w > 100)
            return false;
        s->weight[p] = (int)w;
    }
    return true;
}

enum lt_err air_rank_scheme_of_row(const struct record_row *row, struct air_rank_scheme *ret, struct lt_error *err)
{
    struct air_rank_scheme s = {.id = row->id};
    lt_text_copy_slice(s.code, sizeof s.code, record_text(row, "code"));
    lt_text_copy_slice(s.name, sizeof s.name, record_text(row, "name"));
    lt_text_copy_slice(s.name_en, sizeof s.name_en, record_text(row, "name_en"));
    lt_text_copy_slice(s.group, sizeof s.group, record_text(row, "peer_group"));
    lt_text_copy_slice(s.keys, sizeof s.keys, record_text(row, "keys"));
    lt_text_copy_slice(s.note, sizeof s.note, record_text(row, "note"));
    lt_text_copy_slice(s.member, sizeof s.member, record_text(row, "member"));
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        s.weight[p] = 1;
    if (!parse_keys(record_text(row, "keys"), &s))
        return lt_fail(err, LT_E_FIELD_FORMAT, "keys", "keys", s.keys, "composite,pm25,-good_share");
    if (!parse_weights(record_text(row, "weights"), &s))
        return lt_fail(err, LT_E_FIELD_FORMAT, "weights", "weights", "", "PM25:3,O3:2");
    s.dense = lt_slice_is(record_text(row, "tie"), "dense");
    s.standard = airq_standard_find(record_text(row, "standard")); /* "auto" is none */
    s.best = (int)record_i64(row, "best", 0);
    s.worst = (int)record_i64(row, "worst", 0);
    *ret = s;
    return LT_OK;
}

/* ---- order ---- */

int64_t air_rank_key(enum air_rank_by b, const struct air_rank_figures *now, const struct air_rank_figures *year)
{
    switch (b) {
    case AIR_BY_COMPOSITE:
        return now->composite;
    case AIR_BY_PM25:
    case AIR_BY_PM10:
    case AIR_BY_SO2:
    case AIR_BY_NO2:
    case AIR_BY_CO:
    case AIR_BY_O3:
        return now->value[pollutant_of_by[b]];
    case AIR_BY_GOOD_SHARE:
        return now->good_share;
    case AIR_BY_GOOD_DAYS:
        return now->days_good < 0 ? LT_FIX_NONE : now->days_good * INT64_C(1000000);
    case AIR_BY_COMPOSITE_CHANGE:
        return airq_change_pct(year->composite, now->composite);
    case AIR_BY_PM25_CHANGE:
        return airq_change_pct(year->value[AIRQ_PM25], now->value[AIRQ_PM25]);
    case AIR_BY_GOOD_SHARE_CHANGE:
        return now->good_share == LT_FIX_NONE || year->good_share == LT_FIX_NONE ? LT_FIX_NONE
                                                                                 : now->good_share - year->good_share;
    case AIR_BY_COUNT:
        break;
    }
    return LT_FIX_NONE;
}

/* Below 0: a is better. A missing key is worse than any. */
static int by_key(const struct air_rank_scheme *s, const struct air_rank_item *a, const struct air_rank_item *b,
                  int *ret_key)
{
    for (size_t k = 0; k < s->n_keys; k++) {
        const int64_t x = a->key[k], y = b->key[k];
        *ret_key = (int)k;
        if (x == y)
            continue;
        if (x == LT_FIX_NONE || y == LT_FIX_NONE)
            return x == LT_FIX_NONE ? 1 : -1;
        return (x < y) == s->key[k].more ? 1 : -1;
    }
    return 0;
}

/* Stable: equal members keep the order of their ids and names. */
static void sort_items(const struct air_rank_scheme *s, struct air_rank_item *a, size_t n)
{
    for (size_t i = 1; i < n; i++) { /* at most AIR_RANK_MEMBERS, nearly always a few dozen */
        const struct air_rank_item x = a[i];
        size_t k = i;
        int unused;
        for (; k > 0 && by_key(s, &x, &a[k - 1], &unused) < 0; k--)
            a[k] = a[k - 1];
        a[k] = x;
    }
}

static bool out_of_days(const struct air_rank_figures *f)
{
    return f->days_good < 0 || f->days_valid <= 0;
}

/* What it takes to pass the next: to be better by the last published digit, all else equal. */
static void to_pass(const struct air_rank_scheme *s, const struct airq_standard *standard, struct air_rank_item *me,
                    const struct air_rank_item *next)
{
    const enum air_rank_by by = s->key[me->next_key].by;
    const int64_t a = me->key[me->next_key], b = next->key[me->next_key];
    const int64_t unit = airq_standard_decimals(standard, AIRQ_PM25) == 1 ? 100000 : 1000000;
    me->gap = a > b ? a - b : b - a;
    if (by == AIR_BY_PM25) {
        me->pm25_lower = me->gap + unit;
    } else if (by == AIR_BY_COMPOSITE && s->weight[AIRQ_PM25] > 0) {
        /* (gap + 0.01) x limit / weight, up to the next 0.1 */
        const lt_i128 d = (lt_i128)100000 * LT_FIX_ONE * s->weight[AIRQ_PM25];
        const lt_i128 v = (lt_i128)(me->gap + 10000) * airq_standard_index_limit(standard, AIRQ_PM25);
        me->pm25_lower = (int64_t)((v + d - 1) / d) * 100000;
        if (me->now.value[AIRQ_PM25] != LT_FIX_NONE && me->pm25_lower > me->now.value[AIRQ_PM25])
            me->pm25_lower = LT_FIX_NONE; /* more than there is: PM2.5 alone does not do it */
    } else if (by == AIR_BY_GOOD_DAYS) {
        me->good_days_more = (int)(me->gap / LT_FIX_ONE) + 1;
    } else if (by == AIR_BY_GOOD_SHARE && !out_of_days(&me->now)) {
        for (int k = 1; k <= me->now.days_valid - me->now.days_good && me->good_days_more < 0; k++)
            if (airq_share_pct(me->now.days_good + k, me->now.days_valid) > b)
                me->good_days_more = k;
    }
}

void air_rank_order(const struct air_rank_scheme *s, const struct airq_standard *standard, struct air_rank_item *item,
                    size_t n)
{
    int unused, groups = 0, better = -1;
    sort_items(s, item, n);
    for (size_t i = 0; i < n; i++) {
        struct air_rank_item *x = &item[i];
        x->tied = false;
        x->rank = 0;
        x->next = x->good_days_more = -1;
        x->gap = x->pm25_lower = LT_FIX_NONE;
        if (x->key[0] == LT_FIX_NONE)
            continue;
        const bool same = i > 0 && by_key(s, x, &item[i - 1], &unused) == 0;
        if (same) {
            x->rank = item[i - 1].rank;
            x->tied = item[i - 1].tied = true;
        } else {
            groups++;
            x->rank = s->dense ? groups : (int)i + 1;
            better = (int)i - 1;
        }
        if (better < 0)
            continue;
        x->next = better;
        (void)by_key(s, x, &item[better], &x->next_key);
        if (item[better].key[x->next_key] != LT_FIX_NONE && x->key[x->next_key] != LT_FIX_NONE)
            to_pass(s, standard, x, &item[better]);
    }
}

/* ---- members ---- */

static const struct air_rank_figures no_figures = {
    .value = {LT_FIX_NONE, LT_FIX_NONE, LT_FIX_NONE, LT_FIX_NONE, LT_FIX_NONE, LT_FIX_NONE},
    .composite = LT_FIX_NONE,
    .good_share = LT_FIX_NONE,
    .days_good = -1,
    .days_valid = -1};

struct ranker {
    struct air_look *l;
    struct air_rank *r;
    int32_t year_from, year_to;
};

static enum lt_err own_figures(struct ranker *k, const struct air_scope *sc, int32_t from, int32_t to,
                               struct air_rank_figures *ret, struct lt_error *err)
{
    const struct airq_standard *s = k->r->scheme.standard ? k->r->scheme.standard : air_standard_on(to);
    struct air_figure f;
    *ret = no_figures;
    enum lt_err e = air_figure_make(k->l, sc, from, to, s, AIRQ_STEPWISE, AIR_DUST_HABIT, &f, err);
    if (e)
        return e;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        ret->value[p] = air_figure_value(&f, (enum airq_pollutant)p);
    ret->composite = airq_period_composite(s, &f.p, k->r->scheme.weight);
    if (f.p.days_valid > 0) {
        ret->good_share = f.p.good_share_pct;
        ret->days_good = f.p.days_good;
        ret->days_valid = f.p.days_valid;
    }
    return LT_OK;
}

static struct air_rank_item *add_item(struct air_rank *r, enum air_member_kind kind, int64_t id, const char *name)
{
    if (r->n == AIR_RANK_MEMBERS)
        return NULL;
    struct air_rank_item *x = &r->item[r->n++];
    memset(x, 0, sizeof *x);
    x->kind = kind;
    x->id = id;
    x->now = x->year = x->before = no_figures;
    lt_text_copy(x->name, sizeof x->name, name);
    return x;
}

static enum lt_err add_own(struct ranker *k, enum air_member_kind kind, int64_t id, const char *name, bool own,
                           struct lt_error *err)
{
    const struct air_scope sc = air_scope_of(kind == AIR_MEMBER_STATION ? AIR_SCOPE_STATION : AIR_SCOPE_TERRITORY, id);
    struct air_rank_item *x = add_item(k->r, kind, id, name);
    if (!x)
        return lt_fail(err, LT_E_LIMIT_SIZE, "scheme", "members", "512", NULL);
    x->own = own;
    enum lt_err e = own_figures(k, &sc, k->r->from, k->r->to, &x->now, err);
    if (!e)
        e = own_figures(k, &sc, k->year_from, k->year_to, &x->year, err);
    if (!e && k->r->has_before)
        e = own_figures(k, &sc, k->r->before_from, k->r->before_to, &x->before, err);
    return e;
}

static bool has_station(const struct air_look *l, const struct air_territory *t)
{
    for (size_t i = 0; i < l->n_station; i++)
        if (air_counts(l, &l->station[i], t))
            return true;
    return false;
}

static enum lt_err add_territories(struct ranker *k, int64_t top, enum lt_lang lang, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < k->l->n_territory; i++) {
        const struct air_territory *t = &k->l->territory[i];
        if (strcmp(t->level, k->r->scheme.member) == 0 && air_look_within(k->l, t->id, top) && has_station(k->l, t))
            e = add_own(k, AIR_MEMBER_TERRITORY, t->id, lang == LT_EN && t->name_en[0] ? t->name_en : t->name, false,
                        err);
    }
    return e;
}

static enum lt_err add_stations(struct ranker *k, int64_t top, enum lt_lang lang, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < k->l->n_station; i++) {
        const struct air_station *s = &k->l->station[i];
        if (s->evaluated && s->type != AIR_MICRO && air_look_within(k->l, s->territory, top))
            e = add_own(k, AIR_MEMBER_STATION, s->id, lang == LT_EN && s->name_en[0] ? s->name_en : s->name, false,
                        err);
    }
    return e;
}

/* ---- other cities ---- */

static int64_t fix_col(struct sql_stmt *st, int col)
{
    return sql_col_null(st, col) ? LT_FIX_NONE : sql_col_i64(st, col);
}

static void peer_row(struct sql_stmt *st, const struct air_rank_scheme *s, const struct airq_standard *standard,
                     struct air_rank_figures *ret)
{
    bool plain = true;
    *ret = no_figures;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        ret->value[p] = fix_col(st, 2 + p);
        plain = plain && s->weight[p] == 1;
    }
    ret->composite = plain ? fix_col(st, 8) : LT_FIX_NONE; /* what was published has equal weights */
    if (ret->composite == LT_FIX_NONE)
        ret->composite = airq_composite(standard, ret->value, s->weight);
    ret->good_share = fix_col(st, 9);
    ret->days_good = sql_col_null(st, 10) ? -1 : (int)sql_col_i64(st, 10);
    ret->days_valid = sql_col_null(st, 11) ? -1 : (int)sql_col_i64(st, 11);
    if (ret->good_share == LT_FIX_NONE && ret->days_good >= 0 && ret->days_valid > 0)
        ret->good_share = airq_share_pct(ret->days_good, ret->days_valid);
}

/* Figures of the group for exactly these days. which: 0 now (members are added), 1 a year before, 2 before. */
static enum lt_err add_peers(struct ranker *k, int which, int32_t from, int32_t to, enum lt_lang lang,
                             struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    const struct airq_standard *s = k->r->scheme.standard ? k->r->scheme.standard : air_standard_on(to);
    enum lt_err e =
        sql_prepare(k->l->db,
                    "SELECT city, coalesce(city_en, ''), so2, no2, co, pm10, pm25, o3, composite,"
                    " good_share, days_good, days_valid, coalesce(invented, 0) FROM peer_figure"
                    " WHERE deleted = 0 AND peer_group = ?1 AND from_day = ?2 AND to_day = ?3 ORDER BY city",
                    &st, err);
    if (e)
        return e;
    sql_bind_str(st, 1, k->r->scheme.group);
    sql_bind_i64(st, 2, air_day_start(from, k->l->tz_min));
    sql_bind_i64(st, 3, air_day_start(to, k->l->tz_min));
    while (!(e = sql_step(st, &row, err)) && row) {
        const struct lt_slice zh = sql_col_text(st, 0), en = sql_col_text(st, 1);
        char name[129];
        struct air_rank_item *x = NULL;
        lt_text_copy_slice(name, sizeof name, lang == LT_EN && en.n ? en : zh);
        for (size_t i = 0; i < k->r->n && which > 0; i++)
            if (k->r->item[i].kind == AIR_MEMBER_PEER && strcmp(k->r->item[i].name, name) == 0)
                x = &k->r->item[i];
        if (which == 0 && !(x = add_item(k->r, AIR_MEMBER_PEER, 0, name))) {
            e = lt_fail(err, LT_E_LIMIT_SIZE, "scheme", "members", "512", NULL);
            break;
        }
        if (!x)
            continue;
        peer_row(st, &k->r->scheme, s, which == 0 ? &x->now : which == 1 ? &x->year : &x->before);
        x->invented = x->invented || sql_col_i64(st, 12) != 0;
        k->r->invented = k->r->invented || x->invented;
    }
    sql_release(&st);
    return e;
}

static enum lt_err add_group(struct ranker *k, int64_t own, enum lt_lang lang, struct lt_error *err)
{
    const struct air_territory *t = air_look_territory(k->l, own);
    enum lt_err e = LT_OK;
    if (t)
        e = add_own(k, AIR_MEMBER_TERRITORY, t->id, lang == LT_EN && t->name_en[0] ? t->name_en : t->name, true, err);
    if (!e)
        e = add_peers(k, 0, k->r->from, k->r->to, lang, err);
    if (!e)
        e = add_peers(k, 1, k->year_from, k->year_to, lang, err);
    if (!e && k->r->has_before)
        e = add_peers(k, 2, k->r->before_from, k->r->before_to, lang, err);
    return e;
}

/* ---- ranks of before, and of improvement ---- */

static bool is_change(enum air_rank_by b)
{
    return b == AIR_BY_COMPOSITE_CHANGE || b == AIR_BY_PM25_CHANGE || b == AIR_BY_GOOD_SHARE_CHANGE;
}

/* The change that goes with a key: improvement is judged by what the table is about. */
static enum air_rank_by change_of(enum air_rank_by b)
{
    if (b == AIR_BY_PM25 || b == AIR_BY_PM25_CHANGE)
        return AIR_BY_PM25_CHANGE;
    return b == AIR_BY_GOOD_SHARE || b == AIR_BY_GOOD_DAYS || b == AIR_BY_GOOD_SHARE_CHANGE ? AIR_BY_GOOD_SHARE_CHANGE
                                                                                            : AIR_BY_COMPOSITE_CHANGE;
}

static enum lt_err other_ranks(struct air_rank *r, struct lt_error *err)
{
    struct air_rank_item *copy = malloc((r->n + 1) * sizeof *copy);
    struct air_rank_scheme s = r->scheme, change = {.n_keys = 1, .dense = r->scheme.dense};
    if (!copy)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    change.key[0].by = change_of(s.key[0].by);
    change.key[0].more = change.key[0].by == AIR_BY_GOOD_SHARE_CHANGE;
    for (int pass = 0; pass < 2; pass++) {
        const struct air_rank_scheme *by = pass == 0 ? &s : &change;
        for (size_t i = 0; i < r->n; i++) {
            copy[i] = r->item[i];
            copy[i].next = (int)i; /* remembers where it stood */
            for (size_t k = 0; k < by->n_keys; k++)
                copy[i].key[k] = pass == 0 ? air_rank_key(by->key[k].by, &r->item[i].before, &no_figures)
                                           : air_rank_key(by->key[k].by, &r->item[i].now, &r->item[i].year);
        }
        sort_items(by, copy, r->n);
        int groups = 0, unused;
        for (size_t i = 0; i < r->n && copy[i].key[0] != LT_FIX_NONE; i++) {
            const bool same = i > 0 && by_key(by, &copy[i], &copy[i - 1], &unused) == 0;
            groups += !same;
            copy[i].rank = same ? copy[i - 1].rank : by->dense ? groups : (int)i + 1;
            if (pass == 1)
                r->item[copy[i].next].improve_rank = copy[i].rank;
            else if (r->has_before && !is_change(s.key[0].by))
                r->item[copy[i].next].rank_before = copy[i].rank;
        }
    }
    free(copy);
    return LT_OK;
}

enum lt_err air_rank_make(struct air_look *l, const struct air_rank_scheme *s, int64_t own, enum air_period_kind kind,
                          int32_t from, int32_t to, enum lt_lang lang, struct air_rank *ret, struct lt_error *err)
{
    struct air_rank r = {.scheme = *s, .kind = kind, .from = from, .to = to};
    struct ranker k = {.l = l, .r = &r};
    enum lt_err e;
    air_period_year_before(from, to, &k.year_from, &k.year_to);
    r.has_before = air_period_before(kind, from, to, &r.before_from, &r.before_to);
    r.standard = s->standard ? s->standard : air_standard_on(to);
    r.item = calloc(AIR_RANK_MEMBERS, sizeof *r.item);
    if (!r.item)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (strcmp(s->member, "peer") == 0)
        e = add_group(&k, own, lang, err);
    else if (strcmp(s->member, "station") == 0)
        e = add_stations(&k, own, lang, err);
    else
        e = add_territories(&k, own, lang, err);
    if (!e)
        e = other_ranks(&r, err);
    if (e) {
        free(r.item);
        return e;
    }
    for (size_t i = 0; i < r.n; i++)
        for (size_t j = 0; j < s->n_keys; j++)
            r.item[i].key[j] = air_rank_key(s->key[j].by, &r.item[i].now, &r.item[i].year);
    air_rank_order(&r.scheme, r.standard, r.item, r.n);
    *ret = r;
    return LT_OK;
}

void air_rank_fini(struct air_rank *r)
{
    free(r->item);
    memset(r, 0, sizeof *r);
}
