/* Readers: batches by number, over all day files, while the writer runs or not. Short read transactions only, so that
 * the writer's WAL can always begin anew. */
#include <stdio.h>
#include <stdlib.h>
#include "journal/journal_priv.h"

struct reader_day {
    int day;
    uint64_t first_seq; /* 0: not known yet */
};

struct journal_reader {
    char dir[JOURNAL_PATH_MAX];
    struct reader_day *days; /* ascending */
    size_t n;
    struct journal_file *file; /* the day last used */
};

static enum lt_err list_days(struct journal_reader *r, struct lt_error *err)
{
    int *days = malloc(sizeof(int) * JOURNAL_DAYS_MAX);
    struct reader_day *list = calloc(JOURNAL_DAYS_MAX, sizeof *list);
    if (!days || !list) {
        free(days);
        free(list);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    const size_t n = journal_days(r->dir, days, JOURNAL_DAYS_MAX);
    for (size_t i = 0, k = 0; i < n; i++) {
        list[i].day = days[i];
        while (k < r->n && r->days[k].day < days[i])
            k++;
        if (k < r->n && r->days[k].day == days[i])
            list[i].first_seq = r->days[k].first_seq;
    }
    free(days);
    free(r->days);
    r->days = list;
    r->n = n;
    return LT_OK;
}

enum lt_err journal_reader_open(const char *dir, struct journal_reader **ret, struct lt_error *err)
{
    struct journal_reader *r = calloc(1, sizeof *r);
    if (!r)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    snprintf(r->dir, sizeof r->dir, "%.900s", dir);
    const enum lt_err e = list_days(r, err);
    if (e) {
        journal_reader_close(&r);
        return e;
    }
    *ret = r;
    return LT_OK;
}

void journal_reader_close(struct journal_reader **rp)
{
    struct journal_reader *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    journal_file_close(&r->file);
    free(r->days);
    free(r);
}

/* Makes day i the open file. LT_E_NOT_FOUND: expired, or not begun yet. */
static enum lt_err use_day(struct journal_reader *r, size_t i, struct lt_error *err)
{
    if (r->file && r->file->day == r->days[i].day)
        return LT_OK;
    journal_file_close(&r->file);
    enum lt_err e = journal_file_open(r->dir, r->days[i].day, JOURNAL_READ, 0, NULL, 0, &r->file, err);
    struct journal_row row;
    if (!e) { /* a day without a batch does not count yet: its meta may still change */
        e = journal_file_last(r->file, &row, err);
        journal_file_done(r->file);
    }
    if (e)
        journal_file_close(&r->file);
    else
        r->days[i].first_seq = r->file->first_seq;
    return e;
}

/* Last day whose first number is <= seq, or the first day; r->n when no day can be opened. Days that are gone are
 * passed over. */
static enum lt_err find_day(struct journal_reader *r, uint64_t seq, size_t *ret, struct lt_error *err)
{
    size_t best = r->n;
    size_t lo = 0, hi = r->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const enum lt_err e = r->days[mid].first_seq ? LT_OK : use_day(r, mid, err);
        if (e == LT_E_NOT_FOUND) { /* expired or unborn: forget it */
            memmove(&r->days[mid], &r->days[mid + 1], (r->n - mid - 1) * sizeof *r->days);
            r->n--;
            lo = 0;
            hi = r->n;
            best = r->n;
            continue;
        }
        if (e)
            return e;
        if (r->days[mid].first_seq <= seq) {
            best = mid;
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    *ret = best == r->n && r->n > 0 ? 0 : best;
    return LT_OK;
}

/* The row in day `day` or the next that has one. */
static enum lt_err next_in_days(struct journal_reader *r, uint64_t seq, size_t day, struct journal_row *row,
                                struct lt_error *err)
{
    for (; day < r->n; day++) {
        enum lt_err e = use_day(r, day, err);
        if (e == LT_E_NOT_FOUND)
            continue;
        if (!e)
            e = journal_file_holding(r->file, seq, row, err);
        if (e != LT_E_NOT_FOUND)
            return e;
    }
    return lt_fail(err, LT_E_NOT_FOUND, NULL, NULL, NULL, NULL);
}

static enum lt_err seek(struct journal_reader *r, uint64_t seq, struct journal_row *row, struct lt_error *err)
{
    size_t day = 0;
    enum lt_err e = find_day(r, seq, &day, err);
    if (!e)
        e = next_in_days(r, seq, day, row, err);
    if (e != LT_E_NOT_FOUND)
        return e;
    /* Perhaps a new day has begun since the list was made. A day once followed by another never grows again, so
     * after finding the new one the old one is complete: search both anew. */
    const int newest = r->n ? r->days[r->n - 1].day : 0;
    e = list_days(r, err);
    if (e)
        return e;
    if (r->n == 0 || r->days[r->n - 1].day <= newest)
        return lt_fail(err, LT_E_NOT_FOUND, NULL, NULL, NULL, NULL);
    e = find_day(r, seq, &day, err);
    return e ? e : next_in_days(r, seq, day, row, err);
}

enum lt_err journal_reader_next(struct journal_reader *r, uint64_t seq, struct journal_batch **ret,
                                struct lt_error *err)
{
    struct journal_row row;
    struct journal_box *x = NULL;
    enum lt_err e = seek(r, seq ? seq : 1, &row, err);
    if (e)
        return e;
    e = journal_file_unpack(r->file, &row, &x, err);
    journal_file_done(r->file);
    if (!e && !journal_box_index(x)) {
        struct journal_batch *b = &x->b;
        journal_batch_unref(&b);
        e = lt_fail(err, LT_E_CORRUPT, NULL, r->file->path, "records of a batch", NULL);
    }
    if (!e)
        *ret = &x->b;
    return e;
}

enum lt_err journal_reader_last_seq(struct journal_reader *r, uint64_t *ret_seq, struct lt_error *err)
{
    enum lt_err e = list_days(r, err);
    for (size_t i = r->n; i-- > 0 && !e;) {
        struct journal_row row;
        e = use_day(r, i, err);
        if (e == LT_E_NOT_FOUND) { /* not begun yet */
            e = LT_OK;
            continue;
        }
        if (!e)
            e = journal_file_last(r->file, &row, err);
        if (e)
            return e;
        journal_file_done(r->file);
        *ret_seq = row.first_seq + row.count - 1;
        return LT_OK;
    }
    if (!e)
        *ret_seq = 0;
    return e;
}

int journal_reader_day(const struct journal_reader *r)
{
    return r->file ? r->file->day : 0;
}

enum lt_err journal_reader_day_first(struct journal_reader *r, int day, uint64_t *ret_seq, struct lt_error *err)
{
    enum lt_err e = list_days(r, err);
    for (size_t i = 0; i < r->n && !e; i++) {
        if (r->days[i].day != day)
            continue;
        e = r->days[i].first_seq ? LT_OK : use_day(r, i, err);
        if (!e)
            *ret_seq = r->days[i].first_seq;
        return e;
    }
    return e ? e : lt_failf(err, LT_E_NOT_FOUND, NULL, "%d", day);
}

/* Batch times never go back and are never earlier than those of their records: the first batch with a time >= at_ms
 * is found by halving, then records are looked at one by one. */
static enum lt_err first_batch_at(struct journal_reader *r, int64_t at_ms, uint64_t *ret_seq, struct lt_error *err)
{
    struct journal_row row;
    enum lt_err e = seek(r, 1, &row, err);
    if (e)
        return e;
    journal_file_done(r->file);
    uint64_t lo = row.first_seq, hi = UINT64_C(1) << 62; /* hi: a number that is too late or past the end */
    bool found = false;
    while (lo < hi) {
        const uint64_t mid = lo + (hi - lo) / 2;
        e = seek(r, mid, &row, err);
        if (e && e != LT_E_NOT_FOUND)
            return e;
        if (!e)
            journal_file_done(r->file);
        if (e || row.at_ms >= at_ms) {
            found = found || !e;
            hi = mid;
        } else {
            lo = row.first_seq + row.count;
        }
    }
    if (!found)
        return lt_fail(err, LT_E_NOT_FOUND, NULL, NULL, NULL, NULL);
    *ret_seq = lo;
    return LT_OK;
}

enum lt_err journal_reader_seek_time(struct journal_reader *r, int64_t at_ms, uint64_t *ret_seq, struct lt_error *err)
{
    uint64_t seq = 0;
    enum lt_err e = first_batch_at(r, at_ms, &seq, err);
    while (!e) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(r, seq, &b, err);
        if (e)
            break;
        struct journal_record rec;
        for (size_t pos = 0; journal_batch_next(b, &pos, &rec);) {
            if (rec.at_ms >= at_ms) {
                *ret_seq = rec.seq;
                journal_batch_unref(&b);
                return LT_OK;
            }
        }
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    return e;
}
