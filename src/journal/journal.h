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
    JOURNAL_TICK = 7,      /* time passed (at_ms), so that a silent city ages too; see journal_step_of() */
    JOURNAL_CONFIG = 8,    /* rules, limits or register changed; readers reload as of at_ms */
};

/* Reasons of REJECT and DROPPED: enum hj212_err below 64, these from 64 on. */
#define JOURNAL_REASONS(X)                                                                                             \
    X(PASSWORD, "password")                                                                                            \
    X(ADDRESS, "address")                                                                                              \
    X(DISABLED, "disabled") X(PENDING_LIMIT, "pending_limit") X(RATE, "rate") X(INCOMPLETE, "incomplete")
enum journal_reason {
    JOURNAL_REASON_BASE = 63,
#define X(n, s) JOURNAL_R_##n,
    JOURNAL_REASONS(X)
#undef X
};
const char *journal_reason_name(unsigned reason); /* also of hj212 errors */

#define JOURNAL_F_PENDING 1 /* the device was not enrolled when the frame came */

#define JOURNAL_MN_MAX    255         /* bytes; derivation: longest tolerated MN is 64, rest is reserve */
#define JOURNAL_BYTES_MAX (64 * 1024) /* bytes of one record; derivation: 16 times the longest frame */
#define JOURNAL_BODY_MAX  (16u << 20) /* encoded bytes of one batch; the recorder commits well before */
#define JOURNAL_COUNT_MAX (1u << 16)  /* records of one batch */

struct journal_record {
    uint64_t seq;  /* from 1, consecutive over all days */
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
    int64_t mono_ms; /* of the commit, monotonic clock; read from disk: told by the tail alone, to about a second */
};

/* Iteration over a batch: *pos from 0; false at the end. Slices borrow from the batch. *pos is opaque. */
bool journal_batch_next(const struct journal_batch *b, size_t *pos, struct journal_record *ret);
/* The record with this number, false when the batch does not hold it. */
bool journal_batch_find(const struct journal_batch *b, uint64_t seq, struct journal_record *ret);
/* Its hash in the chain. False only when OpenSSL fails (memory). */
bool journal_hash(const uint8_t prev[32], const struct journal_batch *b, uint8_t ret[32]);
void journal_batch_ref(struct journal_batch *b); /* one more owner; each owner unrefs */

/* What a record counts as: received = stored + duplicate + rejected, per device and day of receipt, follows from
 * the records alone. Records of other kinds (SENT, CONN, TICK, CONFIG) count as nothing. */
enum journal_class { JOURNAL_CLASS_NONE, JOURNAL_CLASS_STORED, JOURNAL_CLASS_DUPLICATE, JOURNAL_CLASS_REJECTED };
enum journal_class journal_ledger_class(const struct journal_record *r);

/* A TICK may say that the post's own clock was set: its bytes are "clock MS", positive when put forward. The records
 * before it have the old time, those behind it (but for what was under way) the new one. journal_step_of(): 0 when a
 * record says nothing of it. */
#define JOURNAL_STEP_CHARS 32
size_t journal_step_text(int64_t step_ms, char ret[JOURNAL_STEP_CHARS]);
int64_t journal_step_of(const struct journal_record *r);

/* ---- writing (recorder only) ---- */
struct journal;
/* Opens DIR/journal, making it; finds the last record; refuses a directory in use by another process. */
enum lt_err journal_open(const char *dir, int tz_min, struct journal **ret, struct lt_error *err) LT_MUST_CHECK;
void journal_close(struct journal **j);
uint64_t journal_last_seq(const struct journal *j);
int journal_day(const struct journal *j); /* the newest day file, YYYYMMDD; 0 before the first commit ever */
/* Bytes in the write-ahead log of the newest day. Some 10 MiB are usual; steady growth means that it cannot be copied
 * into the day file (a failing disk, or a reader that stays in one place for long). */
uint64_t journal_wal_bytes(const struct journal *j);
void journal_last_hash(const struct journal *j, uint8_t ret[32]);
/* Encodes one record behind those of the open batch; cheap, no I/O. The record gets the next number. 0: the batch is
 * full (commit first), the record is longer than JOURNAL_BYTES_MAX or JOURNAL_MN_MAX, or there is no memory. */
uint64_t journal_add(struct journal *j, const struct journal_record *r);
/* A record of the open batch, by its number. */
bool journal_open_find(const struct journal *j, uint64_t seq, struct journal_record *ret);
size_t journal_open_bytes(const struct journal *j);
/* Makes the open batch durable. at_ms chooses the day file (never an earlier one than the newest). On failure nothing
 * of it counts: the batch is emptied, its numbers are given back, and the journal is sick until journal_heal. An
 * empty batch is no commit. */
enum lt_err journal_commit(struct journal *j, int64_t at_ms, struct lt_error *err) LT_MUST_CHECK;
void journal_abandon(struct journal *j); /* empties the open batch */
/* After a failed commit: reopens the day file (a descriptor whose fsync failed is not trusted again), writes all of
 * the WAL into it with a fresh fsync, reads the last batch back and checks its hash. The failed batch may turn out to
 * be there after all; then it counts, and journal_last_seq has grown. LT_OK also when the journal is well.
 * journal_commit tries it by itself, but then fails once more when the numbers have moved. */
enum lt_err journal_heal(struct journal *j, struct lt_error *err) LT_MUST_CHECK;

/* ---- reading ---- */
struct journal_reader;
/* Opens read-only; works while the post runs and when it does not. */
enum lt_err journal_reader_open(const char *dir, struct journal_reader **ret, struct lt_error *err) LT_MUST_CHECK;
void journal_reader_close(struct journal_reader **r);
/* The first batch that holds a record with number >= seq; LT_E_NOT_FOUND at the end. Caller unrefs. */
enum lt_err journal_reader_next(struct journal_reader *r, uint64_t seq, struct journal_batch **ret,
                                struct lt_error *err) LT_MUST_CHECK;
/* Number of the newest durable record, 0 when there is none. */
enum lt_err journal_reader_last_seq(struct journal_reader *r, uint64_t *ret_seq, struct lt_error *err) LT_MUST_CHECK;
/* Day file the last batch came from, YYYYMMDD; 0 before the first. */
int journal_reader_day(const struct journal_reader *r);
/* First number day file `day` may hold; LT_E_NOT_FOUND when it has no batch. */
enum lt_err journal_reader_day_first(struct journal_reader *r, int day, uint64_t *ret_seq,
                                     struct lt_error *err) LT_MUST_CHECK;
/* First record received at or after at_ms (for exports by time); LT_E_NOT_FOUND when none. */
enum lt_err journal_reader_seek_time(struct journal_reader *r, int64_t at_ms, uint64_t *ret_seq,
                                     struct lt_error *err) LT_MUST_CHECK;
void journal_batch_unref(struct journal_batch **b);

/* The tail: recent batches in memory (bounded), older ones from disk. Thread-safe. The engine follows it. */
struct journal_tail;
struct journal_tail *journal_tail_create(const char *dir);
void journal_tail_destroy(struct journal_tail **t);
/* Recorder, after each commit; mono_ms: now. */
void journal_tail_publish(struct journal_tail *t, struct journal *j, int64_t mono_ms);
/* The batch that holds seq if it is in memory, else NULL. Caller unrefs. Never reads the disk. */
struct journal_batch *journal_tail_peek(struct journal_tail *t, uint64_t seq);
/* Next batch holding seq, waiting at most wait_ms; LT_E_TIMEOUT when there is none yet. */
enum lt_err journal_tail_next(struct journal_tail *t, uint64_t seq, int wait_ms, struct journal_batch **ret,
                              struct lt_error *err) LT_MUST_CHECK;

/* ---- care: from any thread or another process, also while the post runs ---- */
struct journal_verified {
    uint64_t batches, records, bytes; /* checked so far; bytes of bodies */
    uint64_t first_seq, last_seq;
    uint8_t last_hash[32];
    int bad_day;            /* 0: nothing bad */
    uint64_t bad_first_seq; /* the first bad batch: its number as it should be */
    char why[96];           /* "hash", "number", "count", "previous file", "decompression", a text of SQLite … */
};
/* Recomputes the hash chain over the day files from_day..to_day (YYYYMMDD, 0: no bound). LT_OK: nothing is bad;
 * LT_E_CORRUPT: *ret names the first bad batch; others: could not read. progress (may be NULL) is called now and
 * then and at each day's end; returning false stops with LT_E_TIMEOUT. */
enum lt_err journal_verify(const char *dir, int from_day, int to_day,
                           bool (*progress)(void *user, int day, const struct journal_verified *sofar), void *user,
                           struct journal_verified *ret, struct lt_error *err) LT_MUST_CHECK;
/* Rewrites a finished day in large zstd blocks (level 1..19): batches, their numbers and hashes stay. LT_E_IN_USE for
 * the newest day, LT_E_BUSY when a reader stands in the way. Doing it again is harmless. A day may take minutes: go_on
 * (may be NULL) is asked after each block and now and then while the result is read back; when it says no, the day
 * stays as it was: LT_E_TIMEOUT. */
struct journal_go_on {
    bool (*ask)(void *user);
    void *user;
};
enum lt_err journal_recompress(const char *dir, int day, int level, const struct journal_go_on *go_on,
                               struct lt_error *err) LT_MUST_CHECK;
/* Removes whole days before before_day (never the newest file). */
enum lt_err journal_expire(const char *dir, int before_day, unsigned *ret_days, struct lt_error *err) LT_MUST_CHECK;
/* Copies DIR/journal to DEST/journal: a consistent beginning of the chain as of now. Days DEST already holds in the
 * same state are left alone, so that a nightly backup copies only what is new. */
enum lt_err journal_backup(const char *dir, const char *dest, struct lt_error *err) LT_MUST_CHECK;
/* ---- repair: an operator's decision, while no post runs ---- */
#define JOURNAL_REPAIR_GAPS 16
/* Numbers given up beyond the last known one. Derivation: what a post has made durable, but nobody else has seen, is
 * at most some seconds at 100,000 frames/s. */
#define JOURNAL_REPAIR_RESERVE 1000000u
struct journal_repair_ask {
    uint64_t known_seq;  /* the last number others know of (cursors in state.db) */
    uint64_t needed_seq; /* with nothing left, numbers begin behind this one: the last that is held elsewhere in full */
    int64_t at_ms;       /* now */
    const char *who;     /* who accepts the loss; stands in the journal */
};
struct journal_repair_report {
    int newest_day, damaged_day; /* YYYYMMDD; damaged_day 0: no damage */
    bool behind;                 /* whole, but it ends before known_seq */
    uint64_t last_seq;           /* before the repair; of a damaged day: up to its first damage */
    char why[300];               /* what is damaged */
    /* after a repair */
    uint64_t lost, kept; /* records given up (reserve not counted); records of the damaged day written again */
    unsigned gaps;       /* of them the first JOURNAL_REPAIR_GAPS are told */
    struct {
        uint64_t first, last;
    } gap[JOURNAL_REPAIR_GAPS];
    uint64_t unchanged_to; /* up to here written again with the hashes of old */
    uint64_t unproven;     /* kept records in front of which the chain is broken: checksum and form held, no more */
    uint64_t last_seen, reserved_to;
    char aside[1100]; /* where the damaged day file is now; -wal and .seen beside it */
};
/* Looks only. Damaged or behind: the post would not start, or its engine would stand still. */
enum lt_err journal_repair_look(const char *dir, const struct journal_repair_ask *ask,
                                struct journal_repair_report *ret, struct lt_error *err) LT_MUST_CHECK;
/* Repairs, when there is something to repair; see journal_repair.c. LT_E_IN_USE_DIR while a post runs. */
enum lt_err journal_repair(const char *dir, int tz_min, const struct journal_repair_ask *ask,
                           struct journal_repair_report *ret, struct lt_error *err) LT_MUST_CHECK;
/* Days that exist, ascending, of more than cap the oldest; returns how many. */
#define JOURNAL_DAYS_MAX 8192 /* 22 years of day files */
size_t journal_days(const char *dir, int *ret, size_t cap);
#endif
