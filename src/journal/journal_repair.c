/* Repair of the journal by an operator's decision, never by itself: what can still be read of a damaged newest day is
 * written again, numbers whose records are gone are given up, and the damaged file is kept aside.
 *
 * DESIGN: numbers must stay consecutive, as every reader counts on that. A number given up gets a CONN record without
 * bytes; the first of each gap says "lost FIRST LAST why". Batches written again have the same numbers, times and
 * bodies, so in front of the first gap also their hashes are those of the damaged file. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "journal/journal_priv.h"

#define FILL_BYTES (4u << 20) /* of one batch of given-up numbers: some ten bytes each, so about 65,536 of them */
/* Rows found from the end of a damaged file backwards. Derivation: a day of 86,400 s has about a batch a second in a
 * small city and 11 a second flat out. */
#define ROWS_MAX (1u << 20)

struct repair {
    const char *dir;
    const struct journal_repair_ask *ask;
    struct journal_repair_report *rep;
    struct journal *j;
    struct journal_file *src;
    bool same; /* hashes are still those of the damaged file */
};

/* ---- finding out ---- */
static enum lt_err newest(const char *dir, int *ret_day, struct lt_error *err)
{
    int *days = malloc(sizeof(int) * JOURNAL_DAYS_MAX);
    if (!days)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    const size_t n = journal_days(dir, days, JOURNAL_DAYS_MAX);
    *ret_day = n ? days[n - 1] : 0;
    free(days);
    return LT_OK;
}

enum lt_err journal_repair_look(const char *dir, const struct journal_repair_ask *ask,
                                struct journal_repair_report *ret, struct lt_error *err)
{
    struct journal_verified v;
    struct journal_reader *r = NULL;
    struct lt_error own;
    err = err ? err : &own;
    *ret = (struct journal_repair_report){0};
    enum lt_err e = newest(dir, &ret->newest_day, err);
    if (!e && ret->newest_day) {
        e = journal_verify(dir, ret->newest_day, ret->newest_day, NULL, NULL, &v, err);
        if (e == LT_E_CORRUPT) {
            ret->damaged_day = ret->newest_day;
            lt_error_text(err, LT_EN, ret->why, sizeof ret->why);
            ret->last_seq = v.last_seq;
            e = LT_OK;
        }
    }
    if (e || ret->damaged_day)
        return e;
    if (ret->newest_day)
        e = journal_reader_open(dir, &r, err);
    if (!e && r)
        e = journal_reader_last_seq(r, &ret->last_seq, err);
    journal_reader_close(&r);
    ret->behind = !e && ret->last_seq < ask->known_seq;
    return e;
}

/* ---- keeping aside ---- */
static enum lt_err put_aside(struct repair *x, const char *from, const char *stamp, const char *end, char *ret,
                             size_t cap, struct lt_error *err)
{
    char a[JOURNAL_PATH_MAX + 8], b[JOURNAL_PATH_MAX + 64];
    snprintf(a, sizeof a, "%s%s", from, end);
    snprintf(b, sizeof b, "%s.damaged-%s%s", from, stamp, end);
    if (access(a, F_OK) != 0)
        return LT_OK;
    if (access(b, F_OK) == 0 || rename(a, b) != 0)
        return lt_fail(err, LT_E_IO, NULL, a, "cannot be renamed", NULL);
    if (ret)
        snprintf(ret, cap, "%s", b);
    return LT_OK;
}

static enum lt_err set_aside(struct repair *x, struct lt_error *err)
{
    char path[JOURNAL_PATH_MAX], seen[JOURNAL_PATH_MAX], stamp[18];
    journal_file_path(x->dir, x->rep->damaged_day, path);
    snprintf(seen, sizeof seen, "%.900s/journal/%08d.seen", x->dir, x->rep->damaged_day);
    lt_time_format_compact(x->ask->at_ms, 0, true, stamp);
    enum lt_err e = put_aside(x, path, stamp, "", x->rep->aside, sizeof x->rep->aside, err);
    if (!e)
        e = put_aside(x, path, stamp, "-wal", NULL, 0, err);
    if (!e)
        e = put_aside(x, path, stamp, "-shm", NULL, 0, err);
    if (!e)
        e = put_aside(x, seen, stamp, "", NULL, 0, err); /* which frames are stored: made anew from the journal */
    if (!e && !journal_sync_dir(x->dir))
        e = lt_fail(err, LT_E_IO, NULL, path, "fsync of the folder", NULL);
    return e;
}

/* ---- giving numbers up ---- */
static void note_gap(struct repair *x, uint64_t first, uint64_t last)
{
    struct journal_repair_report *r = x->rep;
    r->lost += last - first + 1;
    if (r->gaps < JOURNAL_REPAIR_GAPS) {
        r->gap[r->gaps].first = first;
        r->gap[r->gaps].last = last;
    }
    r->gaps++;
    x->same = false;
}

/* Records for the numbers up to `last`, in batches of their own. */
static enum lt_err give_up(struct repair *x, uint64_t last, int64_t at_ms, const char *why, struct lt_error *err)
{
    uint64_t at = journal_last_seq(x->j) + 1;
    char text[240];
    const int n = snprintf(text, sizeof text, "lost %llu %llu %s, accepted by %s", (unsigned long long)at,
                           (unsigned long long)last, why, x->ask->who);
    struct journal_record r = {.at_ms = at_ms, .kind = JOURNAL_CONN, .mn = {"", 0}, .bytes = {text, (size_t)n}};
    enum lt_err e = LT_OK;
    while (!e && at <= last) {
        if (journal_add(x->j, &r) == 0)
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        r.bytes = (struct lt_slice){"", 0};
        const size_t in_batch = (size_t)(at++ - journal_last_seq(x->j));
        if (at > last || in_batch == JOURNAL_COUNT_MAX || journal_open_bytes(x->j) > FILL_BYTES)
            e = journal_commit(x->j, at_ms, err);
    }
    return e;
}

/* ---- writing again ---- */
/* Does the row fit behind the row before it in the damaged file? Unknown when that one cannot be read. */
static bool row_holds(struct repair *x, const struct journal_batch *b, const uint8_t hash[32], bool *ret_proven)
{
    struct journal_row before;
    struct lt_error err;
    uint8_t prev[32], want[32];
    *ret_proven = false;
    enum lt_err e = journal_file_at_or_before(x->src, b->first_seq - 1, &before, &err);
    if (!e && before.first_seq + before.count == b->first_seq) {
        memcpy(prev, before.hash, 32);
        *ret_proven = true;
    } else if (e == LT_E_NOT_FOUND && x->src->first_seq == b->first_seq) {
        memcpy(prev, x->src->prev_hash, 32);
        *ret_proven = true;
    }
    journal_file_done(x->src);
    if (!*ret_proven)
        return true; /* zstd's checksum held, and its records are well formed */
    return journal_hash(prev, b, want) && memcmp(want, hash, 32) == 0;
}

static enum lt_err write_again(struct repair *x, const struct journal_batch *b, const uint8_t hash[32],
                               struct lt_error *err)
{
    struct journal_record r;
    uint8_t now[32];
    enum lt_err e = LT_OK;
    if (b->first_seq > journal_last_seq(x->j) + 1) {
        note_gap(x, journal_last_seq(x->j) + 1, b->first_seq - 1);
        e = give_up(x, b->first_seq - 1, b->at_ms, "damaged", err);
    }
    for (size_t pos = 0; !e && journal_batch_next(b, &pos, &r);)
        if (journal_add(x->j, &r) != r.seq)
            e = lt_fail(err, LT_E_INTERNAL, NULL, "number of a record", NULL, NULL);
    if (!e)
        e = journal_commit(x->j, b->at_ms, err);
    if (e)
        return e;
    journal_last_hash(x->j, now);
    x->same = x->same && memcmp(now, hash, 32) == 0;
    if (x->same)
        x->rep->unchanged_to = journal_last_seq(x->j);
    x->rep->kept += b->count;
    return LT_OK;
}

/* The dictionary may be what is damaged. It is made of the first batches ever, or came along from the day before: the
 * journal written again has the same. zstd's checksum tells when it has not. */
static enum lt_err unpack(struct repair *x, const struct journal_row *row, struct journal_box **ret)
{
    struct lt_error err;
    const struct lt_slice dict = journal_dict(x->j);
    enum lt_err e = journal_file_unpack(x->src, row, ret, &err);
    if (e == LT_OK || row->dict == 0 || dict.n == 0)
        return e;
    ZSTD_freeDDict(x->src->ddict);
    x->src->ddict = ZSTD_createDDict(dict.p, dict.n);
    x->src->ddict_id = x->src->ddict ? row->dict : 0;
    return journal_file_unpack(x->src, row, ret, &err);
}

/* One row of the damaged file, by its first number; a row that is no good is left out. */
static enum lt_err salvage_row(struct repair *x, uint64_t first, struct lt_error *err)
{
    struct journal_row row;
    struct journal_box *box = NULL;
    struct lt_error passed;
    uint8_t hash[32];
    bool proven = false;
    if (journal_file_at_or_before(x->src, first, &row, &passed) != LT_OK || row.first_seq != first ||
        first <= journal_last_seq(x->j)) {
        journal_file_done(x->src);
        return LT_OK;
    }
    const uint64_t last = row.first_seq + row.count - 1;
    if (last > x->rep->last_seen && row.count <= JOURNAL_COUNT_MAX)
        x->rep->last_seen = last;
    memcpy(hash, row.hash, 32);
    const bool good = unpack(x, &row, &box) == LT_OK && journal_box_index(box);
    journal_file_done(x->src);
    struct journal_batch *b = box ? &box->b : NULL;
    enum lt_err e = LT_OK;
    if (good && row_holds(x, b, hash, &proven)) {
        x->rep->unproven += proven ? 0 : b->count;
        e = write_again(x, b, hash, err);
    }
    journal_batch_unref(&b);
    return e;
}

/* First numbers of all rows that can be reached: from the front as far as the file allows, then from the end
 * backwards. */
static size_t reachable(struct repair *x, uint64_t *ret)
{
    struct journal_row row;
    struct lt_error err;
    size_t n = 0;
    uint64_t after = 0;
    while (n < ROWS_MAX && journal_file_after(x->src, after, &row, &err) == LT_OK) {
        ret[n++] = after = row.first_seq;
        journal_file_done(x->src);
    }
    journal_file_done(x->src);
    const size_t front = n;
    uint64_t before = UINT64_MAX >> 1;
    while (n < ROWS_MAX && journal_file_at_or_before(x->src, before, &row, &err) == LT_OK && row.first_seq > after) {
        ret[n++] = row.first_seq;
        before = row.first_seq - 1;
        journal_file_done(x->src);
    }
    journal_file_done(x->src);
    for (size_t i = front, k = n; i + 1 < k; i++) { /* the second part was found backwards */
        const uint64_t swap = ret[i];
        ret[i] = ret[--k];
        ret[k] = swap;
    }
    return n;
}

static enum lt_err salvage(struct repair *x, struct lt_error *err)
{
    struct lt_error why;
    if (journal_file_open_at(x->rep->aside, x->rep->damaged_day, JOURNAL_READ, 0, NULL, 0, &x->src, &why) != LT_OK)
        return LT_OK; /* nothing of it can be read */
    uint64_t *first = malloc(ROWS_MAX * sizeof *first);
    enum lt_err e = first ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    const size_t n = first ? reachable(x, first) : 0;
    if (n && journal_last_seq(x->j) == 0) /* the only day: the chain begins where it began */
        journal_begin_at(x->j, x->src->first_seq, x->src->prev_hash);
    for (size_t i = 0; !e && i < n; i++)
        e = salvage_row(x, first[i], err);
    free(first);
    journal_file_close(&x->src);
    return e;
}

/* ---- the whole ---- */
enum lt_err journal_repair(const char *dir, int tz_min, const struct journal_repair_ask *ask,
                           struct journal_repair_report *ret, struct lt_error *err)
{
    static const uint8_t none[32];
    struct lt_error own;
    err = err ? err : &own;
    struct repair x = {.dir = dir, .ask = ask, .rep = ret, .same = true};
    enum lt_err e = journal_repair_look(dir, ask, ret, err);
    if (e || (!ret->damaged_day && !ret->behind))
        return e;
    if (ret->damaged_day)
        e = journal_lock_try(dir, err); /* before a file of a running post is renamed */
    if (!e && ret->damaged_day)
        e = set_aside(&x, err);
    if (!e)
        e = journal_open(dir, tz_min, &x.j, err);
    if (!e && ret->damaged_day)
        e = salvage(&x, err);
    if (!e && journal_last_seq(x.j) == 0)
        journal_begin_at(x.j, ask->needed_seq + 1, none);
    uint64_t end = ask->known_seq > ret->last_seen ? ask->known_seq : ret->last_seen;
    if (!e && end > journal_last_seq(x.j))
        note_gap(&x, journal_last_seq(x.j) + 1, end);
    /* Records may have been acknowledged that nobody we know of has seen: their numbers are not used again. */
    if (!e && end < journal_last_seq(x.j))
        end = journal_last_seq(x.j);
    ret->reserved_to = end + JOURNAL_REPAIR_RESERVE;
    if (!e)
        e = give_up(&x, ret->reserved_to, ask->at_ms, ret->damaged_day ? "damaged" : "missing", err);
    journal_close(&x.j);
    return e;
}
