/* The writer: every change of air data goes through here, within one transaction and as one version. It holds one block
 * at a time, so deliveries should come sorted by station and hour; air_put() sorts them. */
#include "air/air_priv.h"
#include "base/clock.h"
#include "record/audit.h"

#include <stdlib.h>

struct air_writer {
    struct sql_db *db;
    struct air_batch_info info;
    struct sql_stmt *get, *put, *change; /* kept over the whole batch: a file has ten thousands of blocks */
    struct air_put_result res;
    int64_t station;
    int32_t day;
    bool open, dirty, touched; /* a block is open; must be written; has changes of this version */
    struct air_block block;
    int64_t block_version;
    int64_t *stations; /* that changed, sorted by arrival of blocks; the last one is looked at first */
    size_t n_stations, cap_stations;
    bool many;
    int32_t from, to;
};

static void writer_free(struct air_writer **w)
{
    if (!*w)
        return;
    sql_release(&(*w)->get);
    sql_release(&(*w)->put);
    sql_release(&(*w)->change);
    free((*w)->stations);
    free(*w);
    *w = NULL;
}

enum lt_err air_writer_begin(struct sql_db *db, const struct air_batch_info *info, struct air_writer **ret,
                             struct lt_error *err)
{
    struct air_writer *w = calloc(1, sizeof *w);
    if (!w)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    w->db = db;
    w->info = *info;
    w->from = INT32_MAX;
    w->to = INT32_MIN;
    enum lt_err e = sql_begin(db, err);
    if (e != LT_OK) {
        free(w);
        return e;
    }
    e = sql_prepare(db, "SELECT version, data FROM air_block WHERE station = ?1 AND day = ?2", &w->get, err);
    if (e == LT_OK)
        e = sql_prepare(db,
                        "INSERT INTO air_block(station, day, version, data) VALUES(?1, ?2, ?3, ?4)"
                        " ON CONFLICT(station, day) DO UPDATE SET version = excluded.version, data = excluded.data",
                        &w->put, err);
    if (e == LT_OK)
        e = sql_prepare(db,
                        "INSERT INTO air_change(version, station, slot, item, old_value, new_value, old_state,"
                        " new_state, old_source, new_source, refused, review)"
                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                        &w->change, err);
    if (e != LT_OK) {
        writer_free(&w);
        sql_rollback(db);
        return e;
    }
    *ret = w;
    return LT_OK;
}

/* The number of this transaction's version. */
static enum lt_err number(struct air_writer *w, struct lt_error *err)
{
    if (w->res.version)
        return LT_OK;
    int64_t last;
    enum lt_err e = air_version(w->db, &last, err);
    if (e != LT_OK)
        return e;
    if (last >= UINT32_MAX) /* arrival versions of hours are 32 bits: 4 billion transactions */
        return lt_fail(err, LT_E_LIMIT, NULL, "air_version", "4294967295", NULL);
    w->res.version = last + 1;
    return LT_OK;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static enum lt_err note_station(struct air_writer *w, struct lt_error *err)
{
    w->from = w->day < w->from ? w->day : w->from;
    w->to = w->day > w->to ? w->day : w->to;
    if (w->many || (w->n_stations && w->stations[w->n_stations - 1] == w->station))
        return LT_OK;
    if (w->n_stations && bsearch(&w->station, w->stations, w->n_stations, sizeof *w->stations, by_id))
        return LT_OK;
    if (w->n_stations == AIR_TOLD_STATIONS) {
        w->many = true;
        return LT_OK;
    }
    if (!lt_grow(&w->stations, w->n_stations, &w->cap_stations, sizeof *w->stations))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    size_t at = w->n_stations++;
    while (at && w->stations[at - 1] > w->station) {
        w->stations[at] = w->stations[at - 1];
        at--;
    }
    w->stations[at] = w->station;
    return LT_OK;
}

static enum lt_err flush(struct air_writer *w, struct lt_error *err)
{
    if (!w->open || !w->dirty)
        return LT_OK;
    uint8_t blob[AIR_BLOB_MAX];
    size_t n = air_block_encode(&w->block, blob);
    sql_bind_i64(w->put, 1, w->station);
    sql_bind_i64(w->put, 2, w->day);
    sql_bind_i64(w->put, 3, w->touched ? w->res.version : w->block_version);
    sql_bind_blob(w->put, 4, blob, n);
    bool row;
    enum lt_err e = sql_step(w->put, &row, err);
    sql_rewind(w->put);
    if (e == LT_OK && w->touched)
        e = note_station(w, err);
    w->dirty = w->touched = false;
    return e;
}

enum lt_err air_writer_block(struct air_writer *w, int64_t station, int32_t day, struct air_block **ret,
                             struct lt_error *err)
{
    enum lt_err e = LT_OK;
    bool row = false;
    *ret = &w->block;
    if (w->open && w->station == station && w->day == day)
        return LT_OK;
    if ((e = flush(w, err)) != LT_OK)
        return e;
    w->open = false;
    sql_bind_i64(w->get, 1, station);
    sql_bind_i64(w->get, 2, day);
    e = sql_step(w->get, &row, err);
    w->block_version = 0;
    if (e == LT_OK && !row)
        air_block_init(&w->block);
    else if (e == LT_OK && !air_block_decode(sql_col_blob(w->get, 1), &w->block))
        e = lt_fail(err, LT_E_CORRUPT, "air_block", "air_block", "form", NULL);
    else if (e == LT_OK)
        w->block_version = sql_col_i64(w->get, 0);
    sql_rewind(w->get);
    if (e != LT_OK)
        return e;
    w->station = station;
    w->day = day;
    w->open = true;
    return LT_OK;
}

static void bind_value(struct sql_stmt *st, int pos, int32_t v)
{
    if (v == AIR_NONE)
        sql_bind_null(st, pos);
    else
        sql_bind_i64(st, pos, v);
}

static enum lt_err trail(struct air_writer *w, int hour, enum air_item item, const struct air_cell_new *to,
                         enum air_refusal refused, int64_t review, struct lt_error *err)
{
    const struct air_block *b = &w->block;
    bool row;
    enum lt_err e = number(w, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(w->change, 1, w->res.version);
    sql_bind_i64(w->change, 2, w->station);
    sql_bind_i64(w->change, 3, w->day * INT64_C(24) + hour);
    sql_bind_i64(w->change, 4, item);
    bind_value(w->change, 5, b->value[hour][item]);
    bind_value(w->change, 6, to->value);
    sql_bind_i64(w->change, 7, b->state[hour][item]);
    sql_bind_i64(w->change, 8, to->state);
    sql_bind_i64(w->change, 9, b->source[hour][item]);
    sql_bind_i64(w->change, 10, to->source);
    sql_bind_i64(w->change, 11, refused);
    sql_bind_i64(w->change, 12, review);
    e = sql_step(w->change, &row, err);
    sql_rewind(w->change);
    return e;
}

static void set(struct air_writer *w, int hour, enum air_item item, const struct air_cell_new *to)
{
    w->block.value[hour][item] = to->value;
    w->block.state[hour][item] = to->state;
    w->block.source[hour][item] = to->source;
    w->dirty = w->touched = true;
}

enum lt_err air_writer_set(struct air_writer *w, int64_t station, int32_t day, int hour, enum air_item item,
                           const struct air_cell_new *to, int64_t review, struct lt_error *err)
{
    struct air_block *b;
    enum lt_err e = air_writer_block(w, station, day, &b, err);
    if (e == LT_OK)
        e = trail(w, hour, item, to, AIR_TAKEN, review, err);
    if (e != LT_OK)
        return e;
    /* An hour nobody delivered gets its arrival with its first value. */
    if (!b->arrived[hour])
        b->arrived[hour] = (uint32_t)w->res.version;
    set(w, hour, item, to);
    w->res.replaced++;
    return LT_OK;
}

enum lt_err air_writer_refuse(struct air_writer *w, int64_t station, int32_t day, int hour, enum air_item item,
                              const struct air_cell_new *to, enum air_refusal why, struct lt_error *err)
{
    struct air_block *b;
    struct sql_stmt *st = NULL;
    bool known = false;
    enum lt_err e = air_writer_block(w, station, day, &b, err);
    if (e == LT_OK)
        e = sql_prepare(w->db,
                        "SELECT refused FROM air_change WHERE station = ?1 AND slot = ?2 AND item = ?3 AND"
                        " ((refused = ?4 AND new_value IS ?5 AND new_state = ?6 AND new_source = ?7) OR"
                        " (refused = 0 AND review <> 0 AND old_value IS ?5 AND old_state & 4 = ?6)) LIMIT 1",
                        &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, station);
    sql_bind_i64(st, 2, day * INT64_C(24) + hour);
    sql_bind_i64(st, 3, item);
    sql_bind_i64(st, 4, why);
    bind_value(st, 5, to->value);
    sql_bind_i64(st, 6, to->state);
    sql_bind_i64(st, 7, to->source);
    e = sql_step(st, &known, err);
    bool reviewed_it = known && sql_col_i64(st, 0) == AIR_TAKEN; /* the value people saw when they reviewed the hour */
    sql_release(&st);
    if (reviewed_it) {
        w->res.equal++;
        return e;
    }
    w->res.refused++;
    w->res.refused_reviewed += why == AIR_REFUSED_REVIEWED;
    w->res.refused_rank += why == AIR_REFUSED_RANK;
    if (e == LT_OK && !known)
        e = trail(w, hour, item, to, why, 0, err);
    return e;
}

/* One value of a delivery. */
static enum lt_err deliver(struct air_writer *w, int hour, enum air_item item, const struct air_cell_new *to,
                           struct lt_error *err)
{
    struct air_block *b = &w->block;
    int32_t old = b->value[hour][item];
    uint8_t state = b->state[hour][item], source = b->source[hour][item];
    bool fresh = b->arrived[hour] == (uint32_t)w->res.version && w->res.version;
    int better = air_source_rank((enum air_source)to->source) - air_source_rank((enum air_source)source);
    if (old == AIR_NONE && fresh && source == AIR_SRC_NONE) {
        w->res.first++;
        set(w, hour, item, to);
        return LT_OK;
    }
    bool more = (to->state & AIR_REVIEWED) && !(state & AIR_REVIEWED);
    if (old == to->value && ((state ^ to->state) & AIR_INVALID) == 0 && !more) {
        w->res.equal++;
        if (better > 0 && !(state & AIR_REVIEWED)) { /* the same, said with more weight: no change of any figure */
            b->source[hour][item] = to->source;
            w->dirty = true;
        }
        return LT_OK;
    }
    if (state & AIR_REVIEWED)
        return air_writer_refuse(w, w->station, w->day, hour, item, to, AIR_REFUSED_REVIEWED, err);
    if (old != AIR_NONE && better < 0)
        return air_writer_refuse(w, w->station, w->day, hour, item, to, AIR_REFUSED_RANK, err);
    enum lt_err e = trail(w, hour, item, to, AIR_TAKEN, 0, err);
    if (e != LT_OK)
        return e;
    if (old == AIR_NONE)
        w->res.filled++;
    else
        w->res.replaced++;
    set(w, hour, item, to);
    return LT_OK;
}

enum lt_err air_writer_deliver(struct air_writer *w, const struct air_row *row, struct lt_error *err)
{
    struct air_block *b;
    int32_t day = air_day_of(row->at_ms, w->info.tz_min);
    int64_t into = row->at_ms - air_day_start(day, w->info.tz_min);
    int hour = (int)(into / LT_HOUR_MS);
    if (into % LT_HOUR_MS != 0)
        return lt_fail(err, LT_E_BAD_INPUT, "at", "not the beginning of an hour / 非整点", NULL, NULL);
    enum lt_err e = air_writer_block(w, row->station, day, &b, err);
    bool any = false;
    for (int i = 0; i < AIR_ITEMS; i++)
        any |= row->value[i] != AIR_NONE;
    w->res.rows++;
    if (e == LT_OK && any && !b->arrived[hour] && (e = number(w, err)) == LT_OK)
        b->arrived[hour] = (uint32_t)w->res.version;
    for (int i = 0; e == LT_OK && i < AIR_ITEMS; i++)
        if (row->value[i] != AIR_NONE) {
            struct air_cell_new to = {
                .value = row->value[i],
                .state = (uint8_t)((row->invalid >> i & 1 ? AIR_INVALID : 0) | (w->info.reviewed ? AIR_REVIEWED : 0)),
                .source = (uint8_t)w->info.source};
            e = deliver(w, hour, (enum air_item)i, &to, err);
        }
    return e;
}

static enum lt_err put_version(struct air_writer *w, struct lt_error *err)
{
    struct sql_stmt *st;
    bool any = w->n_stations > 0;
    enum lt_err e = sql_prepare(w->db,
                                "INSERT INTO air_version(version, source, author, reason, made_at_ms, first, filled,"
                                " replaced, refused, n_stations, stations, day_from, day_to)"
                                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, w->res.version);
    sql_bind_i64(st, 2, w->info.source);
    sql_bind_str(st, 3, w->info.author ? w->info.author : "");
    sql_bind_str(st, 4, w->info.reason ? w->info.reason : "");
    sql_bind_i64(st, 5, w->info.now_ms);
    sql_bind_i64(st, 6, (int64_t)w->res.first);
    sql_bind_i64(st, 7, (int64_t)w->res.filled);
    sql_bind_i64(st, 8, (int64_t)w->res.replaced);
    sql_bind_i64(st, 9, (int64_t)w->res.refused);
    sql_bind_i64(st, 10, (int64_t)w->n_stations + w->many);
    if (w->many || !any)
        sql_bind_null(st, 11);
    else
        sql_bind_blob(st, 11, w->stations, w->n_stations * sizeof *w->stations);
    if (any) {
        sql_bind_i64(st, 12, w->from);
        sql_bind_i64(st, 13, w->to);
    }
    return sql_run(st, err);
}

enum lt_err air_writer_end(struct air_writer **w, enum lt_err e, struct air_put_result *ret, struct lt_error *err)
{
    struct air_writer *x = *w;
    if (e == LT_OK)
        e = flush(x, err);
    if (e == LT_OK && x->res.version)
        e = put_version(x, err);
    struct sql_db *db = x->db;
    struct air_put_result res = x->res;
    writer_free(w);
    e = sql_end(db, e, err);
    if (e == LT_OK && ret)
        *ret = res;
    return e;
}

/* ---- a batch ---- */

struct order {
    const struct air_row *row;
    uint32_t n; /* place in the batch: keeps the order of rows of one hour */
};

static int by_place(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->row->station != y->row->station)
        return x->row->station < y->row->station ? -1 : 1;
    if (x->row->at_ms != y->row->at_ms)
        return x->row->at_ms < y->row->at_ms ? -1 : 1;
    return x->n < y->n ? -1 : x->n > y->n;
}

enum lt_err air_writer_rows(struct air_writer *w, const struct air_row *rows, size_t n, struct lt_error *err)
{
    struct order *o = malloc((n ? n : 1) * sizeof *o);
    if (!o)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        o[i] = (struct order){&rows[i], (uint32_t)i};
    qsort(o, n, sizeof *o, by_place);
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < n; i++)
        e = air_writer_deliver(w, o[i].row, err);
    free(o);
    return e;
}

enum lt_err air_put(struct sql_db *db, const struct air_batch_info *info, const struct air_row *rows, size_t n,
                    struct air_put_result *ret, struct lt_error *err)
{
    struct air_writer *w;
    if (n > UINT32_MAX)
        return lt_fail(err, LT_E_LIMIT, NULL, "rows", "4294967295", NULL);
    enum lt_err e = air_writer_begin(db, info, &w, err);
    if (e != LT_OK)
        return e;
    return air_writer_end(&w, air_writer_rows(w, rows, n, err), ret, err);
}

/* ---- back to an older version ---- */

struct place {
    int64_t station;
    int32_t day;
};

/* Station-days that changed after `version`. */
static enum lt_err later(struct sql_db *db, int64_t station, int64_t version, struct place **ret, size_t *ret_n,
                         struct lt_error *err)
{
    struct sql_stmt *st;
    size_t cap = 0;
    bool row;
    *ret = NULL;
    *ret_n = 0;
    enum lt_err e = sql_prepare(db,
                                station ? "SELECT station, day FROM air_block WHERE version > ?1 AND station = ?2"
                                        : "SELECT station, day FROM air_block WHERE version > ?1",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, version);
    if (station)
        sql_bind_i64(st, 2, station);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (!lt_grow(ret, *ret_n, &cap, sizeof **ret)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        (*ret)[(*ret_n)++] = (struct place){sql_col_i64(st, 0), (int32_t)sql_col_i64(st, 1)};
    }
    sql_release(&st);
    return e;
}

static bool keep_old(void *user, int32_t day, const struct air_block *b)
{
    *(struct air_block *)user = *b;
    return true;
}

static enum lt_err undo_day(struct air_writer *w, const struct place *p, int64_t version, struct lt_error *err)
{
    struct air_block old, *b;
    air_block_init(&old);
    enum lt_err e = air_blocks(w->db, p->station, p->day, p->day, version, keep_old, &old, err);
    if (version == 0) /* "as of nothing": air_blocks() takes 0 for now */
        air_block_init(&old);
    if (e == LT_OK)
        e = air_writer_block(w, p->station, p->day, &b, err);
    for (int h = 0; e == LT_OK && h < 24; h++)
        for (int i = 0; e == LT_OK && i < AIR_ITEMS; i++) {
            struct air_cell_new to = {old.value[h][i], old.state[h][i], old.source[h][i]};
            if (b->value[h][i] == to.value && b->state[h][i] == to.state)
                continue;
            if ((b->state[h][i] | to.state) & AIR_REVIEWED) /* two persons decided it; one does not undo it */
                e = air_writer_refuse(w, p->station, p->day, h, (enum air_item)i, &to, AIR_REFUSED_REVIEWED, err);
            else
                e = air_writer_set(w, p->station, p->day, h, (enum air_item)i, &to, 0, err);
        }
    return e;
}

enum lt_err air_undo(const struct record_ctx *x, int64_t station, int64_t version, const char *reason,
                     struct air_put_result *ret, struct lt_error *err)
{
    const struct air_batch_info info = {.source = AIR_SRC_FILE,
                                        .author = x->who->login[0] ? x->who->login : x->who->name,
                                        .reason = reason,
                                        .now_ms = x->now_ms,
                                        .tz_min = x->tz_min};
    struct air_writer *w;
    struct place *p = NULL;
    size_t n = 0;
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    if ((e = air_writer_begin(x->db, &info, &w, err)) == LT_OK) {
        e = later(x->db, station, version, &p, &n, err);
        for (size_t i = 0; e == LT_OK && i < n; i++)
            e = undo_day(w, &p[i], version, err);
        free(p);
        e = air_writer_end(&w, e, ret, err);
    }
    const char *const more[] = {"reason", reason, NULL};
    if (e == LT_OK && ret->version)
        e = air_audit(x, "undo", ret, more, err);
    return sql_end(x->db, e, err);
}

/* ---- the audit ---- */

enum lt_err air_audit(const struct record_ctx *x, const char *action, const struct air_put_result *r,
                      const char *const more[], struct lt_error *err)
{
    struct lt_buf b = LT_BUF_INIT(8192);
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_ki64(&w, "version", r->version);
    jsonw_ku64(&w, "rows", r->rows);
    jsonw_ku64(&w, "first", r->first);
    jsonw_ku64(&w, "filled", r->filled);
    jsonw_ku64(&w, "replaced", r->replaced);
    jsonw_ku64(&w, "refused", r->refused);
    for (size_t i = 0; more && more[i]; i += 2)
        jsonw_kstr(&w, more[i], more[i + 1]);
    jsonw_object_end(&w);
    const struct audit_entry a = {
        .who = x->who, .at_ms = x->now_ms, .action = action, .kind = "station", .detail = lt_buf_slice(&b)};
    enum lt_err e = audit_add(x->db, &a, err);
    lt_buf_fini(&b);
    return e;
}
