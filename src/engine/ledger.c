/* The ledger in memory and in its two tables. */
#include "engine/ledger.h"

#include "base/clock.h"
#include "base/text.h"
#include "json/json.h"

#include <stdlib.h>
#include <unistd.h>

struct ledger {
    int tz_min;
    struct ledger_entry **at;
    size_t n, cap;
    uint32_t *slot; /* open addressing, index + 1 */
    size_t n_slots; /* power of two */
    size_t today_n;
    int today;
    int day; /* of day_from .. day_to */
    int64_t day_from_ms, day_to_ms;
};

struct ledger *ledger_create(int tz_min)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (!l) {
        return NULL;
    }
    l->tz_min = tz_min;
    l->n_slots = 1024;
    l->slot = calloc(l->n_slots, sizeof *l->slot);
    if (!l->slot) {
        free(l);
        return NULL;
    }
    return l;
}

void ledger_destroy(struct ledger **l)
{
    if (!l || !*l) {
        return;
    }
    for (size_t i = 0; i < (*l)->n; i++) {
        free((*l)->at[i]);
    }
    free((*l)->at);
    free((*l)->slot);
    free(*l);
    *l = NULL;
}

static uint64_t hash_of(int day, struct lt_slice mn)
{
    uint64_t h = (uint64_t)(unsigned)day * UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = 0; i < mn.n; i++) {
        h = (h ^ (unsigned char)mn.p[i]) * UINT64_C(0x100000001B3);
    }
    return h ^ h >> 29;
}

static size_t probe(const struct ledger *l, int day, struct lt_slice mn)
{
    size_t i = hash_of(day, mn) & (l->n_slots - 1);
    while (l->slot[i]) {
        const struct engine_ledger_row *r = &l->at[l->slot[i] - 1]->row;
        if (r->day == day && lt_slice_is(mn, r->mn)) {
            break;
        }
        i = (i + 1) & (l->n_slots - 1);
    }
    return i;
}

static bool rehash(struct ledger *l, size_t n_slots)
{
    uint32_t *slot = calloc(n_slots, sizeof *slot);
    if (!slot) {
        return false;
    }
    free(l->slot);
    l->slot = slot;
    l->n_slots = n_slots;
    for (size_t i = 0; i < l->n; i++) {
        const struct engine_ledger_row *r = &l->at[i]->row;
        l->slot[probe(l, r->day, lt_slice_of(r->mn))] = (uint32_t)(i + 1);
    }
    return true;
}

static struct ledger_entry *insert(struct ledger *l, int day, struct lt_slice mn)
{
    if (!lt_grow(&l->at, l->n, &l->cap, sizeof *l->at)) {
        return NULL;
    }
    if ((l->n + 1) * 2 > l->n_slots && !rehash(l, l->n_slots * 2)) {
        return NULL;
    }
    struct ledger_entry *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->row.day = day;
    lt_text_copy_slice(t->row.mn, sizeof t->row.mn, mn);
    l->slot[probe(l, day, mn)] = (uint32_t)(l->n + 1);
    l->at[l->n++] = t;
    if (day > l->today) {
        l->today = day;
        l->today_n = 0;
    }
    l->today_n += day == l->today;
    return t;
}

struct ledger_entry *ledger_entry(struct ledger *l, int day, struct lt_slice mn)
{
    char cut[65]; /* as the row keeps it: at most 64 bytes, whole characters */
    mn.n = lt_text_copy_slice(cut, sizeof cut, mn);
    mn.p = cut;
    if (memchr(cut, 0, mn.n)) {
        mn.n = strlen(cut);
    }
    size_t i = probe(l, day, mn);
    if (l->slot[i]) {
        return l->at[l->slot[i] - 1];
    }
    if (day == l->today && l->today_n >= LEDGER_MNS_MAX && mn.n) {
        return ledger_entry(l, day, LT_LIT(""));
    }
    return insert(l, day, mn);
}

bool ledger_counts(const struct journal_record *r)
{
    return journal_ledger_class(r) != JOURNAL_CLASS_NONE;
}

void ledger_count(struct ledger_entry *t, const struct journal_record *r)
{
    struct engine_ledger_row *w = &t->row;
    t->dirty = true;
    w->received++;
    switch (journal_ledger_class(r)) {
    case JOURNAL_CLASS_STORED:
        w->stored++;
        return;
    case JOURNAL_CLASS_DUPLICATE:
        w->duplicate++;
        return;
    case JOURNAL_CLASS_NONE:
    case JOURNAL_CLASS_REJECTED:
        break;
    }
    w->rejected++;
    for (size_t i = 0; i < w->n_reasons; i++) {
        if (w->reason[i].reason == r->reason) {
            w->reason[i].n++;
            return;
        }
    }
    size_t i = w->n_reasons < ENGINE_REASONS ? w->n_reasons++ : ENGINE_REASONS - 1;
    if (w->reason[i].n == 0) { /* else: more reasons than exist; the last one takes the rest, the sum stays right */
        w->reason[i].reason = r->reason;
    }
    w->reason[i].n++;
}

void ledger_add(struct ledger *l, const struct journal_record *r)
{
    if (!ledger_counts(r)) {
        return;
    }
    if (r->at_ms < l->day_from_ms || r->at_ms >= l->day_to_ms) {
        l->day = lt_day_number(r->at_ms, l->tz_min);
        l->day_from_ms = lt_day_start(r->at_ms, l->tz_min);
        l->day_to_ms = l->day_from_ms + LT_DAY_MS;
    }
    struct ledger_entry *t = ledger_entry(l, l->day, r->mn);
    if (t) {
        ledger_count(t, r);
    }
}

size_t ledger_size(const struct ledger *l)
{
    return l->n;
}

const struct ledger_entry *ledger_at(const struct ledger *l, size_t i)
{
    return l->at[i];
}

/* ---- tables ---- */

static enum lt_err load_rows(struct ledger *l, struct sql_db *db, int from_day, int day, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db,
                                "SELECT day, mn, received, stored, duplicate, rejected FROM ledger WHERE day >= ?1 AND "
                                "(?2 = 0 OR day = ?2)",
                                &st, err);
    if (e != LT_OK) {
        return e;
    }
    sql_bind_i64(st, 1, from_day);
    sql_bind_i64(st, 2, day);
    bool row;
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (l->slot[probe(l, (int)sql_col_i64(st, 0), sql_col_text(st, 1))]) {
            continue;
        }
        struct ledger_entry *t = insert(l, (int)sql_col_i64(st, 0), sql_col_text(st, 1));
        if (!t) {
            e = lt_fail(err, LT_E_NOMEM, "ledger", NULL, NULL, NULL);
            break;
        }
        t->fresh = true;
        t->row.received = (uint64_t)sql_col_i64(st, 2);
        t->row.stored = (uint64_t)sql_col_i64(st, 3);
        t->row.duplicate = (uint64_t)sql_col_i64(st, 4);
        t->row.rejected = (uint64_t)sql_col_i64(st, 5);
    }
    sql_release(&st);
    return e;
}

static unsigned reason_by_name(struct lt_slice name)
{
    for (unsigned r = 1; r < 256; r++) {
        const char *z = journal_reason_name(r);
        if (z && lt_slice_is(name, z)) {
            return r;
        }
    }
    return 0;
}

enum lt_err ledger_load(struct ledger *l, struct sql_db *db, int from_day, int day, struct lt_error *err)
{
    enum lt_err e = load_rows(l, db, from_day, day, err);
    struct sql_stmt *st = NULL;
    if (e != LT_OK || (e = sql_prepare(db,
                                       "SELECT day, mn, reason, n FROM ledger_reject WHERE day >= ?1 AND (?2 = 0 OR "
                                       "day = ?2) ORDER BY rowid",
                                       &st, err)) != LT_OK) {
        return e;
    }
    sql_bind_i64(st, 1, from_day);
    sql_bind_i64(st, 2, day);
    bool row;
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        size_t i = probe(l, (int)sql_col_i64(st, 0), sql_col_text(st, 1));
        struct ledger_entry *t = l->slot[i] ? l->at[l->slot[i] - 1] : NULL;
        if (t && t->fresh && t->row.n_reasons < ENGINE_REASONS) {
            t->row.reason[t->row.n_reasons].reason = (uint8_t)reason_by_name(sql_col_text(st, 2));
            t->row.reason[t->row.n_reasons++].n = (uint64_t)sql_col_i64(st, 3);
        }
    }
    sql_release(&st);
    for (size_t i = 0; i < l->n; i++) {
        l->at[i]->fresh = false;
    }
    return e;
}

static enum lt_err save_row(struct sql_db *db, const struct engine_ledger_row *r, struct lt_error *err)
{
    struct sql_stmt *st;
    enum lt_err e = sql_prepare(db,
                                "INSERT INTO ledger(day, mn, received, stored, duplicate, rejected) "
                                "VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(day, mn) DO UPDATE SET received=?3, stored=?4, "
                                "duplicate=?5, rejected=?6",
                                &st, err);
    if (e != LT_OK) {
        return e;
    }
    sql_bind_i64(st, 1, r->day);
    sql_bind_str(st, 2, r->mn);
    sql_bind_i64(st, 3, (int64_t)r->received);
    sql_bind_i64(st, 4, (int64_t)r->stored);
    sql_bind_i64(st, 5, (int64_t)r->duplicate);
    sql_bind_i64(st, 6, (int64_t)r->rejected);
    e = sql_run(st, err);
    for (size_t i = 0; e == LT_OK && i < r->n_reasons; i++) {
        e = sql_prepare(db,
                        "INSERT INTO ledger_reject(day, mn, reason, n) VALUES(?1,?2,?3,?4) "
                        "ON CONFLICT(day, mn, reason) DO UPDATE SET n=?4",
                        &st, err);
        if (e != LT_OK) {
            break;
        }
        sql_bind_i64(st, 1, r->day);
        sql_bind_str(st, 2, r->mn);
        sql_bind_str(st, 3, journal_reason_name(r->reason[i].reason));
        sql_bind_i64(st, 4, (int64_t)r->reason[i].n);
        e = sql_run(st, err);
    }
    return e;
}

enum lt_err ledger_save(struct ledger *l, struct sql_db *db, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < l->n; i++) {
        if (l->at[i]->dirty) {
            e = save_row(db, &l->at[i]->row, err);
        }
    }
    return e;
}

void ledger_saved(struct ledger *l, int keep_from_day)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        l->at[i]->dirty = false;
        if (l->at[i]->row.day >= keep_from_day) {
            l->at[kept++] = l->at[i];
        } else {
            free(l->at[i]);
        }
    }
    if (kept == l->n) {
        return;
    }
    l->n = kept;
    memset(l->slot, 0, l->n_slots * sizeof *l->slot);
    for (size_t i = 0; i < l->n; i++) {
        const struct engine_ledger_row *r = &l->at[i]->row;
        l->slot[probe(l, r->day, lt_slice_of(r->mn))] = (uint32_t)(i + 1);
    }
}

static int compare(const void *a, const void *b)
{
    const struct engine_ledger_row *const *x = a, *const *y = b;
    return (*x)->day != (*y)->day ? ((*x)->day < (*y)->day ? -1 : 1) : strcmp((*x)->mn, (*y)->mn);
}

bool ledger_each(const struct ledger *l, int day, struct lt_slice mn,
                 bool (*each)(void *user, const struct engine_ledger_row *r), void *user)
{
    const struct engine_ledger_row **sorted = calloc(l->n + 1, sizeof *sorted);
    if (!sorted) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct engine_ledger_row *r = &l->at[i]->row;
        if ((day == 0 || r->day == day) && (mn.n == 0 || lt_slice_is(mn, r->mn))) {
            sorted[n++] = r;
        }
    }
    qsort(sorted, n, sizeof *sorted, compare);
    for (size_t i = 0; i < n; i++) {
        if (!each(user, sorted[i])) {
            break;
        }
    }
    free(sorted);
    return true;
}

void engine_ledger_json(const struct engine_ledger_row *r, struct lt_buf *out)
{
    struct jsonw w;
    char day[16];
    snprintf(day, sizeof day, "%04d-%02d-%02d", r->day / 10000, r->day / 100 % 100, r->day % 100);
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "day", day);
    jsonw_kstr(&w, "mn", r->mn);
    jsonw_ku64(&w, "received", r->received);
    jsonw_ku64(&w, "stored", r->stored);
    jsonw_ku64(&w, "duplicate", r->duplicate);
    jsonw_key(&w, "rejected");
    jsonw_object(&w);
    for (size_t i = 0; i < r->n_reasons; i++) {
        jsonw_ku64(&w, journal_reason_name(r->reason[i].reason), r->reason[i].n);
    }
    jsonw_object_end(&w);
    jsonw_object_end(&w);
}

/* ---- from the files alone ---- */

static enum lt_err add_journal(struct ledger *l, const char *dir, uint64_t from, struct lt_error *err)
{
    struct journal_reader *r = NULL;
    enum lt_err e = journal_reader_open(dir, &r, err);
    if (e == LT_E_NOT_FOUND) {
        return LT_OK; /* nothing was ever received */
    }
    while (e == LT_OK) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(r, from, &b, err);
        if (e != LT_OK) {
            break;
        }
        size_t pos = 0;
        struct journal_record rec;
        while (journal_batch_next(b, &pos, &rec)) {
            if (rec.seq >= from) {
                ledger_add(l, &rec);
            }
        }
        from = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    journal_reader_close(&r);
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

/* Rows and cursor of one moment: the checkpoint writes them in one transaction. */
static enum lt_err load_checkpoint(struct ledger *l, const char *dir, int day, uint64_t *ret_seq, struct lt_error *err)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/state.db", dir);
    *ret_seq = 0;
    if (access(path, F_OK) != 0) {
        return LT_OK; /* no checkpoint yet: the journal alone tells */
    }
    struct sql_db *db = NULL;
    enum lt_err e = sql_open(path, true, &db, err);
    int64_t have = 0, seq = 0;
    if (e != LT_OK || (e = sql_begin_read(db, err)) != LT_OK ||
        (e = sql_get_i64(db, "SELECT count(*) FROM sqlite_master WHERE name IN ('ledger','engine_cursor')", NULL, &have,
                         err)) != LT_OK ||
        have < 2) {
        sql_close(&db);
        return e;
    }
    e = sql_get_i64(db, "SELECT series_seq FROM engine_cursor WHERE id = 1", NULL, &seq, err);
    e = e == LT_E_NOT_FOUND ? LT_OK : e;
    if (e == LT_OK) {
        e = ledger_load(l, db, 0, day, err);
    }
    *ret_seq = (uint64_t)seq;
    sql_rollback(db);
    sql_close(&db);
    return e;
}

enum lt_err engine_ledger_dir(const char *dir, int tz_min, int day, struct lt_slice mn,
                              bool (*each)(void *user, const struct engine_ledger_row *r), void *user,
                              struct lt_error *err)
{
    struct ledger *l = ledger_create(tz_min);
    if (!l) {
        return lt_fail(err, LT_E_NOMEM, "ledger", NULL, NULL, NULL);
    }
    uint64_t seq = 0;
    enum lt_err e = load_checkpoint(l, dir, day, &seq, err);
    if (e == LT_OK) {
        e = add_journal(l, dir, seq + 1, err);
    }
    if (e == LT_OK && !ledger_each(l, day, mn, each, user)) {
        e = lt_fail(err, LT_E_NOMEM, "ledger", NULL, NULL, NULL);
    }
    ledger_destroy(&l);
    return e;
}
