/* series: measured values in compressed chunks, behind a write-back cache.
 *
 * A chunk holds the rows of one (device, kind) within one hour (day for hour values, month for day values). A row is
 * what one frame said about one moment: time, rank and cells; a cell is (column, value in millionths), a column is
 * (factor code, hj212 field) numbered in a dictionary. Marks are cells too (up to four characters packed big-endian).
 *
 * Several rows may stand at one time (sub-packets, corrections). Readers see the merged row: for each column the cell
 * of the row with the highest rank wins. A row all of whose columns are given by one row of higher rank is dropped.
 * So the content depends on the set of rows put, never on their order or repetition.
 *
 * Files: DIR/series/YYYYMM.db, YYYYMM-raw.db (RTD and MIN), columns.db. Threads: one writer (the engine); readers from
 * any thread, which see what was put so far. Calls that write wait for each other, so flush, compaction and expiry may
 * also be called from another thread. The callback of a read must not call into the same series to write, and no lock
 * is held while it runs. */
#ifndef LT_SERIES_H
#define LT_SERIES_H
#include "base/err.h"
#include "base/fix.h"

enum series_kind {                /* what a row is */
                   SERIES_RTD,    /* real-time, CN 2011 */
                   SERIES_MIN,    /* minute data as reported, CN 2051 */
                   SERIES_HOUR_R, /* hour data as reported, CN 2061 */
                   SERIES_DAY_R,  /* day data as reported, CN 2031 */
                   SERIES_HOUR,   /* hour value of the post: computed, checked, with validity */
                   SERIES_DAY,    /* day value of the post */
                   SERIES_STATE,  /* states and run times of treatment facilities, CN 2021, 2041 */
                   SERIES_KINDS
};

struct series;
struct series_config {
    const char *dir; /* data directory, above series/ */
    int tz_min;
    size_t cache_bytes; /* most memory for open chunks (default 512 MiB); beyond it the coldest are written out; see
                           series_committed() */
};
enum lt_err series_open(const struct series_config *cfg, struct series **ret, struct lt_error *err) LT_MUST_CHECK;
/* Read-only on a directory that another process may be writing: sees what was flushed. */
enum lt_err series_open_readonly(const char *dir, int tz_min, struct series **ret, struct lt_error *err) LT_MUST_CHECK;
void series_close(struct series **s); /* flushes when it can */

/* Column number of (factor, field); made when new. 0 when the dictionary is full (65,535) or the code is longer than
 * 16 bytes. `field` is enum hj212_field or one of the SERIES_F_ below. */
uint16_t series_column(struct series *s, struct lt_slice factor, unsigned field);
bool series_column_name(struct series *s, uint16_t column, char ret_factor[17], unsigned *ret_field);
enum {                      /* fields of the post's own hour and day values, beside AVG, ZSAVG, MIN, MAX, COU, FLAG */
       SERIES_F_VALID = 64, /* number of valid minutes (hour) or valid hours (day) */
       SERIES_F_SOURCE,     /* enum of engine/values.h: reported, from minutes, from real-time */
       SERIES_F_STATE,      /* bits: valid, substituted, exempt, disputed … */
       SERIES_F_VERSION     /* counts up each time the value changed after it was first closed */
};

struct series_cell {
    uint16_t column;
    int64_t value; /* millionths; marks: packed characters; LT_FIX_NONE never stored */
};
struct series_row {
    int64_t at_ms;
    int64_t rank_ms; /* QN time, or 0; higher wins. Of the post's own values: a record's number (engine_priv.h) */
    uint32_t tie;    /* hash of the frame: decides between equal ranks */
    uint32_t n;
    const struct series_cell *cells; /* sorted by column when read */
};

/* Adds a row. *ret_changed (may be NULL): false when it was there already or is dominated. At most 256 cells a row;
 * LT_E_LIMIT beyond, and when an hour has more than 16,384 rows or a moment more than 256. Cells of LT_FIX_NONE do not
 * count, of two with one column the last does; a row without cells is not stored. The row's cells may come in any order
 * (the same order as last time is fastest). May write out cold chunks.
 * Errors of this row alone, to be counted and passed over: LT_E_LIMIT, LT_E_FIELD_RANGE (time before 1970 or after
 * 9998), LT_E_BAD_INPUT (unknown column), LT_E_CORRUPT (the stored chunk is damaged; named in the text).
 * Errors after which the same row must be put again later: LT_E_DISK_FULL, LT_E_IO, LT_E_BUSY, LT_E_NOMEM (cache is
 * full of chunks that cannot be written). Nothing is lost by any of them. */
enum lt_err series_put(struct series *s, uint32_t device, enum series_kind kind, const struct series_row *row,
                       bool *ret_changed, struct lt_error *err) LT_MUST_CHECK;
/* Where rows will probably be put next. Brings what putting them touches towards the processor, all at once instead of
 * one after the other; changes nothing, and may be wrong. At most SERIES_EXPECT_MAX count. */
struct series_expected {
    uint32_t device;
    enum series_kind kind;
    int64_t at_ms;
};
#define SERIES_EXPECT_MAX 16
void series_expect(struct series *s, const struct series_expected *rows, size_t n);
/* Replaces whatever stands at row->at_ms (the post's own hour and day values); a row without cells removes it. */
enum lt_err series_replace(struct series *s, uint32_t device, enum series_kind kind, const struct series_row *row,
                           bool *ret_changed, struct lt_error *err) LT_MUST_CHECK;
/* Calls each() with merged rows of [from, to) in time order until it returns false. */
enum lt_err series_read(struct series *s, uint32_t device, enum series_kind kind, int64_t from_ms, int64_t to_ms,
                        bool (*each)(void *user, const struct series_row *row), void *user,
                        struct lt_error *err) LT_MUST_CHECK;
/* The same with the given columns only (ascending): the others are not even decoded. Rows without any of them are left
 * out; rank_ms and tie are 0. */
enum lt_err series_read_columns(struct series *s, uint32_t device, enum series_kind kind, int64_t from_ms,
                                int64_t to_ms, const uint16_t *columns, size_t n_columns,
                                bool (*each)(void *user, const struct series_row *row), void *user,
                                struct lt_error *err) LT_MUST_CHECK;
/* Merged row at exactly at_ms, cells copied to ret (cap cells); LT_E_NOT_FOUND; LT_E_LIMIT when it has more than cap
 * cells (256 is enough unless rows of sub-packets stand beside each other). */
enum lt_err series_at(struct series *s, uint32_t device, enum series_kind kind, int64_t at_ms, struct series_cell *ret,
                      size_t cap, size_t *ret_n, struct lt_error *err) LT_MUST_CHECK;
/* For a writer that keeps elsewhere what follows from its rows: says that this is durable for all rows put so far. From
 * the first call on, a chunk stays in memory from a change until the next call: neither flush, compaction, closing nor
 * a full cache writes it, so that after a crash no row is there whose consequences are not. What is held back may take
 * as much memory again as cache_bytes; beyond that it is written like any other. */
void series_committed(struct series *s);
/* Writes all changed chunks in one transaction per file; durable on return (the caller's cursor may then move). On an
 * error nothing is lost from memory; call again. */
enum lt_err series_flush(struct series *s, struct lt_error *err) LT_MUST_CHECK;
/* For a series that only serves a trial run in a scratch directory: chunks of all kinds but HOUR and DAY that end by
 * before_ms leave memory without being written; before_ms INT64_MAX: all of every kind, so that closing writes
 * nothing. */
void series_forget(struct series *s, int64_t before_ms);
size_t series_cache_bytes(struct series *s);
uint64_t series_disk_bytes(struct series *s); /* size of all files of the series */
/* Night work: merges the hour chunks of whole local days that end by before_ms to day chunks, recompressed harder; in
 * steps of about `most` chunks (whole days); call until *ret_left is false. Content is unchanged; late rows go into the
 * day chunk, which is then merged again. Other calls wait for a step, readers do not. LT_E_CORRUPT: damaged days were
 * passed over, the rest is done and *ret_left valid: log it and go on. Other errors: try again later. */
enum lt_err series_compact(struct series *s, int64_t before_ms, unsigned most, bool *ret_left,
                           struct lt_error *err) LT_MUST_CHECK;
/* Removes whole months of the kinds RTD and MIN (others are kept) that end by before_ms, with what of them is in the
 * cache; *ret_removed counts months. Rows put later for such a month begin it anew: refuse them before. */
enum lt_err series_expire(struct series *s, int64_t before_ms, uint64_t *ret_removed,
                          struct lt_error *err) LT_MUST_CHECK;
#endif
