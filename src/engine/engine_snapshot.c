/* What the engine keeps in memory, as bytes: written at checkpoints, read at start. One function walks the fields in
 * both directions, so that writing and reading cannot differ. Numbers are zigzag varints. */
#include "base/varint.h"
#include "engine/engine_priv.h"

#include <stdlib.h>

/* Of the bytes. A new field raises it by one and stands where it belongs, behind `if (io->format >= THAT)`: what an
 * older post wrote is read without it, and the field stays zero. A newer format is refused as damaged, not guessed at.
 */
#define FORMAT 3

struct io {
    struct lt_buf *out; /* writing, else NULL */
    const unsigned char *p, *end;
    int64_t format;
    bool bad;
};

static void io_i64(struct io *io, int64_t *v)
{
    uint64_t z;
    if (io->out) {
        uint8_t b[LT_VARINT_MAX];
        lt_buf_add(io->out, b, (size_t)(lt_varint_put(b, lt_zigzag((uint64_t)*v)) - b));
    } else if (lt_varint_get(&io->p, io->end, &z)) {
        *v = (int64_t)lt_unzigzag(z);
    } else {
        io->bad = true;
    }
}

/* Fields narrower than 64 bits. */
#define IO_FIELD(io, field)                                                                                            \
    do {                                                                                                               \
        int64_t io_v_ = (int64_t)(field);                                                                              \
        io_i64((io), &io_v_);                                                                                          \
        (field) = (__typeof__(field))io_v_;                                                                            \
    } while (0)

static bool io_format(struct io *io)
{
    io->format = FORMAT;
    io_i64(io, &io->format);
    io->bad |= io->format < 1 || io->format > FORMAT;
    return !io->bad;
}

static void io_text(struct io *io, char *z, size_t cap)
{
    int64_t n = (int64_t)strlen(z);
    io_i64(io, &n);
    if (io->out) {
        lt_buf_add(io->out, z, (size_t)n);
        return;
    }
    if (io->bad || n < 0 || n >= (int64_t)cap || n > io->end - io->p) {
        io->bad = true;
        return;
    }
    memcpy(z, io->p, (size_t)n);
    z[n] = 0;
    io->p += n;
}

static void io_ring(struct io *io, struct rule_ring *r)
{
    IO_FIELD(io, r->n);
    IO_FIELD(io, r->at);
    if (r->n > RULE_RING || r->at >= RULE_RING) {
        io->bad = true;
        r->n = r->at = 0;
    }
    for (unsigned i = 0; i < r->n; i++) {
        io_i64(io, &r->v[i]);
    }
}

static void io_hold(struct io *io, struct rule_hold *h)
{
    io_i64(io, &h->since_ms);
    io_i64(io, &h->began_ms);
    IO_FIELD(io, h->n);
    IO_FIELD(io, h->active);
}

/* Nothing else notices a field that is lost with a crash. */
_Static_assert(sizeof(struct eng_channel) == 200, "a new field of a channel is kept here too, behind a new FORMAT");

static void io_channel(struct io *io, struct engine *e, struct eng_channel *c)
{
    char code[17];
    lt_text_copy(code, sizeof code, io->out ? e->factor[c->factor].code : "");
    io_text(io, code, sizeof code);
    if (!io->out) {
        c->factor = eng_factor_number(e, lt_slice_of(code));
        io->bad |= c->factor == 0;
    }
    IO_FIELD(io, c->hour_valid);
    IO_FIELD(io, c->hour_state);
    int64_t *const plain[] = {&c->at_ms,     &c->rtd,          &c->zs,         &c->mark,          &c->hour_ms,
                              &c->hour,      &c->hour_zs,      &c->exceed_ms,  &c->day_exceed_ms, &c->nodata_ms,
                              &c->run.value, &c->run.began_ms, &c->run.last_ms};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        io_i64(io, plain[i]);
    }
    IO_FIELD(io, c->run.n);
    IO_FIELD(io, c->run.limit);
    IO_FIELD(io, c->run.same);
    IO_FIELD(io, c->run.pairs);
    IO_FIELD(io, c->run.day);
    IO_FIELD(io, c->run.active);
    io_hold(io, &c->range);
    io_hold(io, &c->impossible);
    IO_FIELD(io, c->stirred);
    IO_FIELD(io, c->flag.month);
    IO_FIELD(io, c->flag.flagged);
    IO_FIELD(io, c->flag.starts);
    IO_FIELD(io, c->flag.suspicious);
    IO_FIELD(io, c->flag.was_flagged);
    IO_FIELD(io, c->flag.active);
}

static void io_open(struct io *io, struct eng_open *o)
{
    io_i64(io, &o->at_ms);
    io_i64(io, &o->due_ms);
    IO_FIELD(io, o->day);
    IO_FIELD(io, o->cause);
}

/* Room for n entries when reading. */
static bool room(struct io *io, void **p, uint32_t n, uint32_t most, size_t size, size_t *cap)
{
    if (io->out) {
        return true;
    }
    if (io->bad || n > most) {
        io->bad = true;
        return false;
    }
    void *q = realloc(*p, (n + 1) * size);
    if (!q) {
        io->bad = true;
        return false;
    }
    memset(q, 0, (n + 1) * size);
    *p = q;
    *cap = n + 1;
    return true;
}

static void io_lists(struct io *io, struct engine *e, struct eng_device *d)
{
    uint32_t n = d->n_open;
    IO_FIELD(io, n);
    void *p = d->open;
    if (room(io, &p, n, ENG_OPEN_MAX, sizeof *d->open, &d->cap_open)) {
        d->open = p;
        d->n_open = n;
        for (uint32_t i = 0; i < n; i++) {
            io_open(io, &d->open[i]);
        }
    }
    n = d->n_ch;
    IO_FIELD(io, n);
    p = d->ch;
    if (room(io, &p, n, ENGINE_FACTORS_MAX, sizeof *d->ch, &d->cap_ch)) {
        d->ch = p;
        d->n_ch = n;
        for (uint32_t i = 0; i < n; i++) {
            io_channel(io, e, &d->ch[i]);
        }
    }
}

static void io_device(struct io *io, struct engine *e, struct eng_device *d)
{
    if (!io_format(io)) {
        return;
    }
    int64_t *const plain[] = {&d->known_ms,         &d->last_ms,         &d->last_data_ms, &d->closed_ms,
                              &d->reject_ms,        &d->silent_since_ms, &d->nodata_ms,    &d->twice.last_ms[0],
                              &d->twice.last_ms[1], &d->twice.swap_ms};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        io_i64(io, plain[i]);
    }
    io_ring(io, &d->gaps);
    io_ring(io, &d->drift);
    io_hold(io, &d->drift_hold);
    IO_FIELD(io, d->twice.conn[0]);
    IO_FIELD(io, d->twice.conn[1]);
    IO_FIELD(io, d->twice.swaps);
    IO_FIELD(io, d->twice.active);
    IO_FIELD(io, d->conn);
    IO_FIELD(io, d->conn_closed);
    IO_FIELD(io, d->reject_reason);
    IO_FIELD(io, d->cause);
    IO_FIELD(io, d->frames);
    IO_FIELD(io, d->bad_items);
    IO_FIELD(io, d->quarantined);
    io_text(io, d->close_why, sizeof d->close_why);
    io_lists(io, e, d);
}

static void io_post(struct io *io, struct engine *e)
{
    if (!io_format(io)) {
        return;
    }
    io_i64(io, &e->now_ms);
    io_i64(io, &e->up_since_ms);
    io_i64(io, &e->scan_ms);
    IO_FIELD(io, e->behind);
    if (io->format >= 2) {
        io_i64(io, &e->clock_doubt_ms);
        io_i64(io, &e->clock_settle_ms);
        IO_FIELD(io, e->clock_told);
    }
    if (io->format >= 3) {
        io_i64(io, &e->clock_held_ms);
    }
    for (unsigned i = 0; i < 48; i++) {
        io_i64(io, &e->minute_up_hour[i]);
        int64_t bits = 0;
        for (unsigned m = 0; m < 60; m++) {
            bits |= (int64_t)e->minute_up[i][m] << m;
        }
        io_i64(io, &bits);
        for (unsigned m = 0; m < 60; m++) {
            e->minute_up[i][m] = bits >> m & 1;
        }
    }
}

/* ---- tables ---- */

static enum lt_err save_device(struct engine *e, struct eng_device *d, struct lt_buf *buf, struct lt_error *err)
{
    static const char *const causes[] = {"", "never", "closed", "no_data", "refused", "post"};
    struct io io = {.out = buf};
    lt_buf_clear(buf);
    io_device(&io, e, d);
    if (buf->failed) {
        return lt_fail(err, LT_E_NOMEM, "engine", NULL, NULL, NULL);
    }
    struct sql_stmt *st;
    enum lt_err r = sql_prepare(e->db,
                                "INSERT INTO device_state(device, last_at_ms, last_data_at_ms, drift_ms, "
                                "silent_since_ms, cause, state) VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(device) DO "
                                "UPDATE SET last_at_ms=?2, last_data_at_ms=?3, drift_ms=?4, silent_since_ms=?5, "
                                "cause=?6, state=?7",
                                &st, err);
    if (r != LT_OK) {
        return r;
    }
    int64_t drift = rule_drift_ms(&d->drift);
    sql_bind_i64(st, 1, d->id);
    sql_bind_i64(st, 2, d->last_ms);
    sql_bind_i64(st, 3, d->last_data_ms);
    if (drift != INT64_MIN) {
        sql_bind_i64(st, 4, drift);
    }
    sql_bind_i64(st, 5, d->silent_since_ms);
    sql_bind_str(st, 6, causes[d->cause]);
    sql_bind_blob(st, 7, buf->p, buf->n);
    if ((r = sql_run(st, err)) != LT_OK || d->last_data_ms == 0) {
        return r;
    }
    r = sql_prepare(e->db, "UPDATE device SET last_at_ms = ?2, first_at_ms = coalesce(first_at_ms, ?2) WHERE id = ?1",
                    &st, err);
    if (r != LT_OK) {
        return r;
    }
    sql_bind_i64(st, 1, d->id);
    sql_bind_i64(st, 2, d->last_data_ms);
    return sql_run(st, err);
}

enum lt_err eng_snapshot_save(struct engine *e, struct lt_error *err)
{
    struct lt_buf buf = LT_BUF_INIT(4 << 20);
    enum lt_err r = LT_OK;
    for (size_t i = 0; r == LT_OK && i < e->n_device; i++) {
        if (e->device[i]->changed) {
            r = save_device(e, e->device[i], &buf, err);
        }
    }
    if (r == LT_OK) {
        r = ledger_save(e->ledger, e->db, err); /* no lock: only this thread changes it */
    }
    struct sql_stmt *st;
    if (r == LT_OK && (r = sql_prepare(e->db,
                                       "UPDATE engine_cursor SET state_seq = max(state_seq, ?1), series_seq = ?1, "
                                       "state = ?2 WHERE id = 1",
                                       &st, err)) == LT_OK) {
        struct io io = {.out = &buf};
        lt_buf_clear(&buf);
        io_post(&io, e);
        sql_bind_i64(st, 1, (int64_t)e->seq);
        sql_bind_blob(st, 2, buf.p, buf.n);
        r = sql_run(st, err);
    }
    lt_buf_fini(&buf);
    return r;
}

void eng_snapshot_saved(struct engine *e)
{
    for (size_t i = 0; i < e->n_device; i++) {
        e->device[i]->changed = false;
    }
    int keep = lt_day_number(e->now_ms - 2 * LT_DAY_MS, e->cfg.tz_min);
    pthread_mutex_lock(&e->ledger_mu);
    ledger_saved(e->ledger, keep);
    e->ledger_from = keep;
    pthread_mutex_unlock(&e->ledger_mu);
    for (size_t i = 0; i < e->n_device; i++) {
        if (e->device[i]->ledger_day < keep) {
            e->device[i]->ledger = NULL;
        }
    }
}

static enum lt_err load_post(struct engine *e, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err r = sql_prepare(e->db, "SELECT state_seq, series_seq, state FROM engine_cursor WHERE id = 1", &st, err);
    bool row = false;
    if (r == LT_OK && (r = sql_step(st, &row, err)) == LT_OK && row) {
        e->state_seq = (uint64_t)sql_col_i64(st, 0);
        e->seq = e->series_seq = (uint64_t)sql_col_i64(st, 1);
        struct lt_slice s = sql_col_blob(st, 2);
        struct io io = {.p = (const unsigned char *)s.p, .end = (const unsigned char *)s.p + s.n};
        if (s.n) {
            io_post(&io, e);
        }
        if (io.bad) {
            r = lt_fail(err, LT_E_CORRUPT, NULL, "engine_cursor", "state", NULL);
        }
    }
    sql_release(&st);
    return r;
}

enum lt_err eng_snapshot_load(struct engine *e, struct lt_error *err)
{
    enum lt_err r = load_post(e, err);
    struct sql_stmt *st = NULL;
    if (r != LT_OK || (r = sql_prepare(e->db, "SELECT device, state FROM device_state", &st, err)) != LT_OK) {
        return r;
    }
    bool row;
    while ((r = sql_step(st, &row, err)) == LT_OK && row) {
        int64_t id = sql_col_i64(st, 0);
        struct eng_device *d = eng_device_by_id(e, id);
        struct lt_slice s = sql_col_blob(st, 1);
        if (!d || s.n == 0) {
            continue;
        }
        struct io io = {.p = (const unsigned char *)s.p, .end = (const unsigned char *)s.p + s.n};
        io_device(&io, e, d);
        if (io.bad) {
            r = lt_failf(err, LT_E_CORRUPT, NULL, "device_state %lld", (long long)id);
            break;
        }
        for (uint32_t i = 0; i < d->n_open; i++) {
            e->due_next_ms = d->open[i].due_ms < e->due_next_ms ? d->open[i].due_ms : e->due_next_ms;
        }
    }
    sql_release(&st);
    if (r == LT_OK) {
        e->ledger_from = lt_day_number(e->now_ms - 2 * LT_DAY_MS, e->cfg.tz_min);
        r = ledger_load(e->ledger, e->db, e->ledger_from, 0, err);
    }
    return r;
}
