/* What the engine knows of devices, outlets, limits and rules: read from the records at start and at CONFIG records. */
#include "engine/engine_priv.h"

#include "record/record.h"
#include "registry/registry.h"

#include <stdlib.h>

/* ---- devices ---- */

static uint64_t mn_hash(struct lt_slice mn)
{
    uint64_t h = mn.n;
    size_t i = 0;
    for (; i + 8 <= mn.n; i += 8) {
        uint64_t v;
        memcpy(&v, mn.p + i, 8);
        h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, mn.p + i, mn.n - i);
    h = (h ^ rest) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

static uint64_t id_hash(int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

static void slot_put(uint32_t *slot, size_t n_slots, uint64_t hash, size_t index)
{
    size_t i = hash & (n_slots - 1);
    while (slot[i]) {
        i = (i + 1) & (n_slots - 1);
    }
    slot[i] = (uint32_t)(index + 1);
}

/* Both tables anew; the caller holds the map for writing when readers may be there. */
static bool index_devices(struct engine *e, size_t n_slots)
{
    uint32_t *mn = calloc(n_slots, sizeof *mn), *id = calloc(n_slots, sizeof *id);
    if (!mn || !id) {
        free(mn);
        free(id);
        return false;
    }
    for (size_t i = 0; i < e->n_device; i++) {
        const struct eng_device *d = e->device[i];
        slot_put(id, n_slots, id_hash(d->id), i);
        if (d->status != ENG_GONE) {
            slot_put(mn, n_slots, mn_hash((struct lt_slice){d->mn, d->mn_n}), i);
        }
    }
    free(e->by_mn);
    free(e->by_id);
    e->by_mn = mn;
    e->by_id = id;
    e->n_slots = n_slots;
    return true;
}

struct eng_device *eng_device_by_mn(struct engine *e, struct lt_slice mn)
{
    if (!e->n_slots || mn.n == 0) {
        return NULL;
    }
    struct eng_device *d = e->hint;
    if (d && d->status != ENG_GONE && d->mn_n == mn.n && memcmp(d->mn, mn.p, mn.n) == 0) {
        return d; /* no two that are there have one MN */
    }
    for (size_t i = mn_hash(mn) & (e->n_slots - 1); e->by_mn[i]; i = (i + 1) & (e->n_slots - 1)) {
        d = e->device[e->by_mn[i] - 1];
        if (d->mn_n == mn.n && memcmp(d->mn, mn.p, mn.n) == 0) {
            return d;
        }
    }
    return NULL;
}

void eng_prefetch_mn(const struct engine *e, struct lt_slice mn)
{
    if (e->n_slots && mn.n) {
        __builtin_prefetch(&e->by_mn[mn_hash(mn) & (e->n_slots - 1)]);
    }
}

struct eng_device *eng_prefetch_device(const struct engine *e, struct lt_slice mn)
{
    uint32_t i = e->n_slots && mn.n ? e->by_mn[mn_hash(mn) & (e->n_slots - 1)] : 0;
    struct eng_device *d = i ? e->device[i - 1] : NULL;
    for (size_t at = 0; d && at < sizeof *d; at += 64) {
        __builtin_prefetch((const char *)d + at, 1);
    }
    return d;
}

struct eng_device *eng_device_by_id(struct engine *e, int64_t id)
{
    if (!e->n_slots) {
        return NULL;
    }
    for (size_t i = id_hash(id) & (e->n_slots - 1); e->by_id[i]; i = (i + 1) & (e->n_slots - 1)) {
        if (e->device[e->by_id[i] - 1]->id == id) {
            return e->device[e->by_id[i] - 1];
        }
    }
    return NULL;
}

struct eng_device *eng_device_new(struct engine *e, int64_t id)
{
    if (e->n_device >= ENG_DEVICES) {
        return NULL;
    }
    struct eng_device *d = calloc(1, sizeof *d);
    if (!d) {
        return NULL;
    }
    pthread_mutex_init(&d->mu, NULL);
    d->id = id;
    d->status = ENG_GONE;
    d->open_hint_ms = INT64_MIN;
    pthread_rwlock_wrlock(&e->map);
    bool ok = lt_grow(&e->device, e->n_device, &e->cap_device, sizeof(struct eng_device *));
    if (ok) {
        e->device[e->n_device++] = d;
        size_t want = e->n_slots ? e->n_slots : 1024;
        while (want < 2 * e->n_device + 2) {
            want *= 2;
        }
        if (want != e->n_slots) {
            ok = index_devices(e, want);
        } else {
            slot_put(e->by_id, e->n_slots, id_hash(id), e->n_device - 1);
        }
        if (!ok) {
            e->n_device--;
        }
    }
    pthread_rwlock_unlock(&e->map);
    if (!ok) {
        eng_device_free(d);
        return NULL;
    }
    return d;
}

void eng_device_free(struct eng_device *d)
{
    pthread_mutex_destroy(&d->mu);
    free(d->open);
    free(d->ch);
    free(d);
}

static uint8_t status_of(struct lt_slice s)
{
    return lt_slice_is(s, "active") ? ENG_ACTIVE : lt_slice_is(s, "disabled") ? ENG_DISABLED : ENG_PENDING;
}

/* ST of surface water and waste water: the strict rule for marks (notes under HJ 212-2017 C.16). */
static bool is_water(int64_t st)
{
    return st == 21 || st == 24 || st == 26 || (st >= 32 && st <= 34) || st == 52;
}

struct loading {
    struct engine *e;
    struct eng_rules r;
    size_t cap_outlet, cap_limit, cap_state, n_place, cap_place;
    struct {
        int64_t enterprise, territory;
    } * place;
    bool no_memory;
};

/* Since when a device is known that was not before. Before the first record there is no time: then it was known from
 * the beginning, and not since the configuration happens to be read again, which a replay does at other moments. */
static int64_t known_from(const struct engine *e)
{
    return e->now_ms ? e->now_ms : 1;
}

static bool on_device(void *user, const struct record_row *row)
{
    struct loading *l = user;
    struct lt_slice mn = record_text(row, "mn");
    if (mn.n == 0 || mn.n > 64) {
        return true;
    }
    struct eng_device *d = eng_device_by_id(l->e, row->id);
    if (!d && !(d = eng_device_new(l->e, row->id))) {
        l->no_memory = true;
        return false;
    }
    int64_t st = record_i64(row, "st", 31);
    pthread_mutex_lock(&d->mu);
    d->mn_n = (uint8_t)lt_text_copy_slice(d->mn, sizeof d->mn, mn);
    d->status = status_of(record_text(row, "status"));
    d->outlet_id = record_i64(row, "outlet", 0);
    d->st = (uint16_t)st;
    d->water = is_water(st);
    d->rtd_interval_s = (uint16_t)record_i64(row, "rtd_interval_s", 0);
    d->min_interval_min = (uint16_t)record_i64(row, "min_interval_min", 0);
    d->has_key = registry_parse_key(record_text(row, "sm4_key"), d->key);
    if (!registry_parse_tolerate(record_text(row, "tolerate"), &d->tolerate)) {
        d->tolerate = HJ212_TOLERATE_DEFAULT;
    }
    if (!d->known_ms) {
        d->known_ms = known_from(l->e);
        if (d->status == ENG_PENDING && row->created_at_ms > d->known_ms) {
            d->known_ms = row->created_at_ms; /* made by a state that was lost since: pending_device() */
        }
    }
    pthread_mutex_unlock(&d->mu);
    return true;
}

/* ---- outlets, limits, states, rules ---- */

static bool grow(struct loading *l, void *array, size_t n, size_t *cap, size_t size)
{
    l->no_memory = !lt_grow(array, n, cap, size);
    return !l->no_memory;
}

static bool on_enterprise(void *user, const struct record_row *row)
{
    struct loading *l = user;
    if (!grow(l, &l->place, l->n_place, &l->cap_place, sizeof *l->place)) {
        return false;
    }
    l->place[l->n_place].enterprise = row->id;
    l->place[l->n_place++].territory = record_i64(row, "territory", 0);
    return true;
}

static int64_t territory_of(const struct loading *l, int64_t enterprise)
{
    size_t lo = 0, hi = l->n_place; /* records come by number */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (l->place[mid].enterprise < enterprise) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < l->n_place && l->place[lo].enterprise == enterprise ? l->place[lo].territory : 0;
}

static bool on_outlet(void *user, const struct record_row *row)
{
    struct loading *l = user;
    if (!grow(l, &l->r.outlet, l->r.n_outlet, &l->cap_outlet, sizeof *l->r.outlet)) {
        return false;
    }
    struct eng_outlet *o = &l->r.outlet[l->r.n_outlet++];
    *o = (struct eng_outlet){.id = row->id,
                             .o2_ref = record_i64(row, "o2_ref", LT_FIX_NONE),
                             .o2_cap = record_i64(row, "o2_cap", 19 * LT_FIX_ONE),
                             .substitution = record_i64(row, "substitution", 0) != 0};
    /* Appendix D 4): "neither excess air nor oxygen set by the standard: no conversion" */
    o->convert = record_i64(row, "convert", 0) != 0 && o->o2_ref != LT_FIX_NONE;
    o->place.enterprise = record_i64(row, "enterprise", 0);
    o->place.territory = territory_of(l, o->place.enterprise);
    return true;
}

static bool on_limit(void *user, const struct record_row *row)
{
    struct loading *l = user;
    if (!grow(l, &l->r.limit, l->r.n_limit, &l->cap_limit, sizeof *l->r.limit)) {
        return false;
    }
    struct eng_limit *m = &l->r.limit[l->r.n_limit++];
    *m = (struct eng_limit){.id = row->id,
                            .outlet = record_i64(row, "outlet", 0),
                            .factor = eng_factor_number(l->e, record_text(row, "factor")),
                            .value = record_i64(row, "limit_value", 0),
                            .from_ms = record_i64(row, "valid_from", INT64_MIN),
                            .to_ms = record_i64(row, "valid_to", INT64_MAX),
                            .day = lt_slice_is(record_text(row, "period"), "day"),
                            .converted = lt_slice_is(record_text(row, "basis"), "converted")};
    lt_text_copy_slice(m->standard, sizeof m->standard, record_text(row, "standard"));
    return true;
}

static bool on_state(void *user, const struct record_row *row)
{
    static const char *const names[] = {"startup", "shutdown", "maintenance", "fault", "stopped", "other"};
    struct loading *l = user;
    if (!grow(l, &l->r.state, l->r.n_state, &l->cap_state, sizeof *l->r.state)) {
        return false;
    }
    struct eng_process_state *s = &l->r.state[l->r.n_state++];
    *s = (struct eng_process_state){.outlet = record_i64(row, "outlet", 0),
                                    .begin_ms = record_i64(row, "begin_at", 0),
                                    .end_ms = record_i64(row, "end_at", INT64_MAX),
                                    .state = ENG_P_OTHER};
    struct lt_slice name = record_text(row, "state");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (lt_slice_is(name, names[i])) {
            s->state = 1U << i;
        }
    }
    return true;
}

static bool on_rule(void *user, const struct record_row *row)
{
    struct loading *l = user;
    int code = alarm_rule_find(record_text(row, "code"));
    if (code < 0) {
        return true;
    }
    struct rule_params *p = &l->r.rule[code];
    *p = (struct rule_params){.enabled = record_i64(row, "enabled", 1) != 0,
                              .version = row->version,
                              .enter = record_i64(row, "enter_fix", LT_FIX_NONE),
                              .leave = record_i64(row, "leave_fix", LT_FIX_NONE),
                              .min_valid_share = record_i64(row, "min_valid_share", LT_FIX_NONE),
                              .param1 = record_i64(row, "param1", LT_FIX_NONE),
                              .param2 = record_i64(row, "param2", LT_FIX_NONE),
                              .min_duration_ms = record_i64(row, "min_duration_min", 0) * LT_MIN_MS,
                              .valid_from_ms = record_i64(row, "valid_from", 0),
                              .valid_to_ms = record_i64(row, "valid_to", 0)};
    lt_text_copy_slice(p->severity, sizeof p->severity, record_text(row, "severity"));
    return true;
}

static int by_outlet(const void *a, const void *b)
{
    const struct eng_outlet *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_limit(const void *a, const void *b)
{
    const struct eng_limit *x = a, *y = b;
    return x->outlet != y->outlet ? (x->outlet < y->outlet ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

static int by_state(const void *a, const void *b)
{
    const struct eng_process_state *x = a, *y = b;
    return x->outlet != y->outlet      ? (x->outlet < y->outlet ? -1 : 1)
           : x->begin_ms < y->begin_ms ? -1
                                       : x->begin_ms > y->begin_ms;
}

static void sort(void *p, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n > 1) { /* an empty list has no address */
        qsort(p, n, size, compare);
    }
}

static void link_outlets(struct eng_rules *r)
{
    sort(r->outlet, r->n_outlet, sizeof *r->outlet, by_outlet);
    sort(r->limit, r->n_limit, sizeof *r->limit, by_limit);
    sort(r->state, r->n_state, sizeof *r->state, by_state);
    size_t m = 0, s = 0;
    for (size_t i = 0; i < r->n_outlet; i++) {
        struct eng_outlet *o = &r->outlet[i];
        while (m < r->n_limit && r->limit[m].outlet < o->id) {
            m++;
        }
        for (o->limit_at = (uint32_t)m; m < r->n_limit && r->limit[m].outlet == o->id; m++) {
            o->limit_n++;
        }
        while (s < r->n_state && r->state[s].outlet < o->id) {
            s++;
        }
        for (o->state_at = (uint32_t)s; s < r->n_state && r->state[s].outlet == o->id; s++) {
            o->state_n++;
        }
    }
}

const struct eng_outlet *eng_outlet_find(const struct engine *e, int64_t id)
{
    size_t lo = 0, hi = e->rules.n_outlet;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (e->rules.outlet[mid].id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < e->rules.n_outlet && e->rules.outlet[lo].id == id ? &e->rules.outlet[lo] : NULL;
}

unsigned eng_process_in(const struct engine *e, const struct eng_outlet *o, int64_t from_ms, int64_t to_ms)
{
    unsigned bits = 0;
    for (uint32_t i = 0; o && i < o->state_n; i++) {
        const struct eng_process_state *s = &e->rules.state[o->state_at + i];
        if (s->begin_ms < to_ms && s->end_ms > from_ms) {
            bits |= s->state;
        }
    }
    return bits;
}

static void rules_fini(struct eng_rules *r)
{
    free(r->outlet);
    free(r->limit);
    free(r->state);
    *r = (struct eng_rules){.outlet = NULL};
}

void eng_config_fini(struct engine *e)
{
    rules_fini(&e->rules);
}

static const struct {
    const char *kind;
    bool (*each)(void *user, const struct record_row *row);
} parts[] = {{"enterprise", on_enterprise}, {"outlet", on_outlet}, {"factor_limit", on_limit},
             {"process_state", on_state},   {"rule", on_rule},     {"device", on_device}};

/* ---- as of a past time, with a change laid over ---- */

enum lt_err eng_config_times(struct engine *e, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err r = sql_prepare(e->db,
                                "SELECT DISTINCT at_ms FROM record_history WHERE kind IN ('enterprise','outlet',"
                                "'factor_limit','process_state','rule','device') ORDER BY at_ms",
                                &st, err);
    size_t cap = 0;
    bool row;
    while (r == LT_OK && (r = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(&e->config_change, e->n_config_change, &cap, sizeof *e->config_change)) {
            r = lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
            break;
        }
        e->config_change[e->n_config_change++] = sql_col_i64(st, 0);
    }
    sql_release(&st);
    return r;
}

/* How many changes had been made by at_ms: equal numbers, equal configuration. */
static size_t changes_by(const struct engine *e, int64_t at_ms)
{
    size_t lo = 0, hi = e->n_config_change;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (e->config_change[mid] <= at_ms) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int64_t time_or(int64_t given, int64_t open)
{
    return given == LT_FIX_NONE ? open : given;
}

static void change_rule(struct rule_params *p, const struct engine_change *c)
{
    const struct {
        unsigned bit;
        int64_t *to, from;
    } f[] = {{ENGINE_C_ENTER, &p->enter, c->enter},
             {ENGINE_C_LEAVE, &p->leave, c->leave},
             {ENGINE_C_MIN_VALID, &p->min_valid_share, c->min_valid_share},
             {ENGINE_C_PARAM1, &p->param1, c->param1},
             {ENGINE_C_PARAM2, &p->param2, c->param2},
             {ENGINE_C_MIN_DURATION, &p->min_duration_ms, time_or(c->min_duration_min, 0) * LT_MIN_MS},
             {ENGINE_C_FROM, &p->valid_from_ms, time_or(c->from_ms, 0)},
             {ENGINE_C_TO, &p->valid_to_ms, time_or(c->to_ms, 0)}};
    for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) {
        if (c->given & f[i].bit) {
            *f[i].to = f[i].from;
        }
    }
    /* A rule that was not there yet comes in force when the change names it. */
    p->enabled = c->given & ENGINE_C_ENABLED ? c->enabled : p->enabled || p->version == 0;
}

static void change_limit(struct eng_limit *m, const struct engine_change *c)
{
    m->value = c->given & ENGINE_C_LIMIT ? c->limit_value : m->value;
    m->converted = c->given & ENGINE_C_BASIS ? c->converted : m->converted;
    m->from_ms = c->given & ENGINE_C_FROM ? time_or(c->from_ms, INT64_MIN) : m->from_ms;
    m->to_ms = c->given & ENGINE_C_TO ? time_or(c->to_ms, INT64_MAX) : m->to_ms;
}

static void lay_over(const struct engine *e, struct eng_rules *r)
{
    for (size_t i = 0; e->private && i < e->private->n_change; i++) {
        const struct engine_change *c = &e->private->change[i];
        if (!c->limit_id) {
            change_rule(&r->rule[c->rule], c);
        }
        for (size_t k = 0; c->limit_id && k < r->n_limit; k++) {
            if (r->limit[k].id == c->limit_id) {
                change_limit(&r->limit[k], c);
            }
        }
    }
}

/* A rule made after the day that is run again rests there, with the numbers it has now for who asks what it would do.
 */
static bool on_later_rule(void *user, const struct record_row *row)
{
    struct loading *l = user;
    int code = alarm_rule_find(record_text(row, "code"));
    if (code >= 0 && l->r.rule[code].version == 0) {
        on_rule(user, row);
        l->r.rule[code].version = 0;
        l->r.rule[code].enabled = false;
    }
    return true;
}

static bool limits_of_today(const struct engine *e)
{
    for (size_t i = 0; i < e->private->n_change; i++) {
        if (e->private->change[i].limit_id == ENGINE_LIMITS_TODAY) {
            return true;
        }
    }
    return false;
}

static enum lt_err each_of(struct engine *e, size_t part, struct loading *l, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(parts[part].kind));
    if (e->private) {
        bool today = parts[part].each == on_limit && limits_of_today(e);
        enum lt_err r = record_each_at(e->db, k, today ? INT64_MAX : e->config_ms, parts[part].each, l, err);
        return r == LT_OK && parts[part].each == on_rule ? record_each_at(e->db, k, INT64_MAX, on_later_rule, l, err)
                                                         : r;
    }
    struct auth_ctx who = auth_system("engine");
    struct record_ctx x = {.db = e->db, .who = &who, .now_ms = e->now_ms, .tz_min = e->cfg.tz_min};
    struct record_query q = {.n = 0};
    return record_each(&x, k, &q, parts[part].each, l, err);
}

/* Nothing changed since the last load of a private engine. */
static bool nothing_new(struct engine *e)
{
    size_t now = e->private ? changes_by(e, e->config_ms) : 0;
    if (!e->private || now != e->n_config_seen || !e->config_loaded) {
        e->n_config_seen = now;
        e->config_loaded = true;
        return false;
    }
    for (size_t i = 0; i < e->n_device; i++) {
        if (e->device[i]->status != ENG_GONE && !e->device[i]->known_ms) {
            e->device[i]->known_ms = known_from(e); /* as on_device() does */
        }
    }
    return true;
}

enum lt_err eng_config_load(struct engine *e, struct lt_error *err)
{
    if (nothing_new(e)) {
        return LT_OK;
    }
    struct loading l = {.e = e};
    for (size_t i = 0; i < ALARM_RULE_COUNT; i++) { /* without a record not in force: deleted, or not yet made then */
        l.r.rule[i] = (struct rule_params){.enter = LT_FIX_NONE,
                                           .leave = LT_FIX_NONE,
                                           .min_valid_share = LT_FIX_NONE,
                                           .param1 = LT_FIX_NONE,
                                           .param2 = LT_FIX_NONE};
    }
    uint8_t *status = malloc(e->n_device + 1);
    if (!status) {
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    size_t n_before = e->n_device;
    for (size_t i = 0; i < n_before; i++) {
        status[i] = e->device[i]->status;
        e->device[i]->status = ENG_GONE; /* those that are still there get their status back */
    }
    enum lt_err r = sql_begin_read(e->db, err);
    bool reading = r == LT_OK;
    for (size_t i = 0; r == LT_OK && !l.no_memory && i < sizeof parts / sizeof parts[0]; i++) {
        r = each_of(e, i, &l, err);
    }
    if (reading) {
        sql_rollback(e->db);
    }
    if (r == LT_OK && l.no_memory) {
        r = lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    pthread_rwlock_wrlock(&e->map);
    if (r == LT_OK && e->n_slots && !index_devices(e, e->n_slots)) {
        r = lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    pthread_rwlock_unlock(&e->map);
    if (r != LT_OK) {
        for (size_t i = 0; i < n_before; i++) {
            e->device[i]->status = status[i];
        }
        rules_fini(&l.r);
        e->config_loaded = false;
    } else {
        lay_over(e, &l.r);
        link_outlets(&l.r);
        rules_fini(&e->rules);
        e->rules = l.r;
        e->n_pending = 0;
        for (size_t i = 0; i < e->n_device; i++) {
            e->device[i]->outlet = e->device[i]->outlet_id ? eng_outlet_find(e, e->device[i]->outlet_id) : NULL;
            e->n_pending += e->device[i]->status == ENG_PENDING;
        }
    }
    free(status);
    free(l.place);
    return r;
}

/* ---- a device nobody entered ---- */

static enum lt_err pending_device(struct engine *e, int64_t id, struct lt_slice mn, uint16_t st,
                                  struct eng_device **ret, struct lt_error *err)
{
    struct eng_device *d = eng_device_new(e, id);
    if (!d) {
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    pthread_rwlock_wrlock(&e->map);
    d->mn_n = (uint8_t)lt_text_copy_slice(d->mn, sizeof d->mn, mn);
    d->status = ENG_PENDING;
    e->n_pending++;
    d->st = st;
    d->water = is_water(st);
    d->tolerate = HJ212_TOLERATE_DEFAULT;
    d->rtd_interval_s = 30; /* as the record's default says */
    d->min_interval_min = 10;
    d->known_ms = e->now_ms;
    slot_put(e->by_mn, e->n_slots, mn_hash(mn), e->n_device - 1);
    pthread_rwlock_unlock(&e->map);
    *ret = d;
    return LT_OK;
}

/* What the post's engine did with an unknown MN at this moment: *ret_id when it made the record itself, *ret when
 * somebody had entered it since the last CONFIG record, neither when it refused. */
static enum lt_err past_stranger(struct engine *e, struct lt_slice mn, int64_t *ret_id, struct eng_device **ret,
                                 struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err r = sql_prepare(e->db,
                                "SELECT id, created_at_ms FROM device WHERE mn = ?1 AND created_at_ms <= ?2 ORDER BY "
                                "id DESC LIMIT 1",
                                &st, err);
    if (r != LT_OK) {
        return r;
    }
    sql_bind_text(st, 1, mn);
    sql_bind_i64(st, 2, e->now_ms);
    r = sql_step(st, &row, err);
    int64_t id = row ? sql_col_i64(st, 0) : 0, made_ms = row ? sql_col_i64(st, 1) : 0;
    sql_release(&st);
    if (r != LT_OK || !id) {
        return r;
    }
    if (made_ms == e->now_ms) {
        *ret_id = id;
        return LT_OK;
    }
    e->config_ms = e->now_ms;
    r = eng_config_load(e, err);
    *ret = r == LT_OK ? eng_device_by_mn(e, mn) : NULL;
    return r;
}

enum lt_err eng_device_unknown(struct engine *e, struct lt_slice mn, uint16_t st, struct eng_device **ret,
                               struct lt_error *err)
{
    *ret = NULL;
    if (mn.n == 0 || mn.n > 64) {
        return LT_OK;
    }
    int64_t id = 0;
    if (e->private) {
        enum lt_err rr = past_stranger(e, mn, &id, ret, err);
        return rr == LT_OK && id ? pending_device(e, id, mn, st, ret, err) : rr;
    }
    if (e->n_pending >= e->cfg.pending_max || e->n_device >= ENG_DEVICES) {
        return LT_OK; /* somebody invents MNs: as with one that no record can have, below */
    }
    /* Its own transaction, before any of its values is stored: a number that was used for values must exist. */
    struct auth_ctx who = auth_system("engine");
    struct record_ctx x = {.db = e->db, .who = &who, .now_ms = e->now_ms, .tz_min = e->cfg.tz_min};
    struct record_set set[] = {RECORD_SET_S("mn", mn), RECORD_SET_Z("status", "pending"),
                               RECORD_SET_I("st", st >= 1 && st <= 99 ? st : 31)};
    enum lt_err r = record_insert(&x, record_kind_find(LT_LIT("device")), set, sizeof set / sizeof set[0], &id, err);
    if (r == LT_E_DUPLICATE) { /* entered since the last CONFIG record */
        r = eng_config_load(e, err);
        if (r == LT_OK) {
            *ret = eng_device_by_mn(e, mn);
        }
        return r;
    }
    if (r == LT_E_FIELD_FORMAT || r == LT_E_FIELD_LENGTH || r == LT_E_FIELD_RANGE) {
        return LT_OK; /* an MN no record can have: the frame is in the journal, its values have no place */
    }
    return r == LT_OK ? pending_device(e, id, mn, st, ret, err) : r;
}
