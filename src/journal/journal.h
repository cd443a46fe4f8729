/* journal: the raw journal, the one durable truth. Everything that reached the post from outside (frames, refused
 * bytes, connections, ticks of time, changes of rules) is one ordered stream of records with consecutive numbers.
 *
 * One SQLite file per local day of receipt (journal/YYYYMMDD.db, WAL, synchronous=FULL). Records are written in
 * batches: one row per commit holds the zstd-compressed bodies of its records. Batches are hash-chained:
 *   hash = SHA-256(previous hash || header || uncompressed body)
 * so that recompression of old days does not break the chain. Byte formats: docs/FORMATS.md.
 *
 * Threads: one writer (the recorder). Any number of readers, each with its own struct journal_reader or through
 * the tail, which is safe to share. */
#ifndef LT_JOURNAL_H
#define LT_JOURNAL_H
#include "base/err.h"
#include "base/slice.h"

enum journal_kind {
    JOURNAL_FRAME = 1,     /* an accepted frame: bytes are ## … CRC */
    JOURNAL_REJECT = 2,    /* refused bytes, kept with their reason */
    JOURNAL_DUPLICATE = 3, /* a frame already stored: bytes hold nothing, `ref` is the record it repeats */
    JOURNAL_DROPPED = 4,   /* refused and, beyond the day's limit for its device, only counted */
    JOURNAL_SENT = 5,      /* bytes sent to a device (commands, not acknowledgements) */
    JOURNAL_CONN = 6,      /* connection event; bytes are text "open 10.1.2.3:4567", "close idle" … */
    JOURNAL_TICK = 7,      /* time passed (at_ms), so that a silent city ages too */
    JOURNAL_CONFIG = 8,    /* rules, limits or register changed; readers reload as of at_ms */
};

/* Reasons of REJECT and DROPPED: enum hj212_err below 64, these from 64 on. */
#define JOURNAL_REASONS(X)                                                                                             \
    X(PASSWORD, "password") X(ADDRESS, "address") X(DISABLED, "disabled") X(PENDING_LIMIT, "pending_limit")            \
    X(RATE, "rate") X(INCOMPLETE, "incomplete")
enum journal_reason {
    JOURNAL_REASON_BASE = 63,
#define X(n, s) JOURNAL_R_##n,
    JOURNAL_REASONS(X)
#undef X
};
const char *journal_reason_name(unsigned reason); /* also of hj212 errors */

#define JOURNAL_F_PENDING 1 /* the device was not enrolled when the frame came */

struct journal_record {
    uint64_t seq; /* from 1, consecutive over all days */
    int64_t at_ms; /* when received (UTC) */
    uint64_t ref;
    uint32_t conn; /* connection number since start; 0 none */
    uint16_t flags;
    uint8_t kind, reason;
    struct lt_slice mn; /* device it is filed under, "" when unknown */
    struct lt_slice bytes;
};

struct journal_batch { /* read-only, reference counted */
    uint64_t first_seq;
    uint32_t count;
    struct lt_slice body; /* encoded records */
    int64_t at_ms;        /* of the commit */
    uint8_t hash[32];
};

/* Iteration over a batch: *pos from 0; false at the end. Slices borrow from the batch. */
bool journal_batch_next(const struct journal_batch *b, size_t *pos, struct journal_record *ret);

/* ---- writing (recorder only) ---- */
struct journal;
/* Opens DIR/journal, making it; finds the last record; refuses a directory in use by another process. */
enum lt_err journal_open(const char *dir, int tz_min, struct journal **ret, struct lt_error *err) LT_MUST_CHECK;
void journal_close(struct journal **j);
uint64_t journal_last_seq(const struct journal *j);
/* Encodes one record behind those of the open batch; cheap, no I/O. The record gets the next number. */
uint64_t journal_add(struct journal *j, const struct journal_record *r);
/* Makes the open batch durable. On failure nothing of it counts: the numbers are given back (call
 * journal_retry_clear, or add the same again). at_ms chooses the day file. */
enum lt_err journal_commit(struct journal *j, int64_t at_ms, struct lt_error *err) LT_MUST_CHECK;
void journal_abandon(struct journal *j);

/* ---- reading ---- */
struct journal_reader;
/* Opens read-only; works while the post runs and when it does not. */
enum lt_err journal_reader_open(const char *dir, struct journal_reader **ret, struct lt_error *err) LT_MUST_CHECK;
void journal_reader_close(struct journal_reader **r);
/* The first batch that holds a record with number >= seq; LT_E_NOT_FOUND at the end. Caller unrefs. */
enum lt_err journal_reader_next(struct journal_reader *r, uint64_t seq, struct journal_batch **ret,
                                struct lt_error *err) LT_MUST_CHECK;
/* First record received at or after at_ms (for exports by time); LT_E_NOT_FOUND when none. */
enum lt_err journal_reader_seek_time(struct journal_reader *r, int64_t at_ms, uint64_t *ret_seq,
                                     struct lt_error *err) LT_MUST_CHECK;
void journal_batch_unref(struct journal_batch **b);

/* The tail: recent batches in memory (bounded), older ones from disk. Thread-safe. The engine follows it. */
struct journal_tail;
struct journal_tail *journal_tail_create(const char *dir);
void journal_tail_destroy(struct journal_tail **t);
void journal_tail_publish(struct journal_tail *t, struct journal *j); /* recorder, after each commit */
/* Next batch holding seq, waiting at most wait_ms; LT_E_TIMEOUT when there is none yet. */
enum lt_err journal_tail_next(struct journal_tail *t, uint64_t seq, int wait_ms, struct journal_batch **ret,
                              struct lt_error *err) LT_MUST_CHECK;
#endif
