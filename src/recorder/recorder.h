/* recorder: the one thread that makes things durable. It takes whatever accumulated while the previous commit ran,
 * finds duplicates, commits one batch to the journal and only then gives the blocks back, so that their
 * acknowledgements may go out. No timers, no linger.
 *
 * A producer (one gateway loop, the API) has a port with a fixed number of blocks. No free block means: stop reading
 * sockets. That is the whole of flow control. */
#ifndef LT_RECORDER_H
#define LT_RECORDER_H
#include "base/err.h"
#include "journal/journal.h"

struct recorder;
struct recorder_port;
struct recorder_block;

/* STORED: durable now. DUPLICATE: the frame was durable before (rec.ref is its number), that it came again is durable
 * now. REFUSED: a REJECT is durable, with its bytes or only counted. FAILED: nothing is durable, acknowledge nothing;
 * the device will send again. */
enum recorder_result { RECORDER_WAITING, RECORDER_STORED, RECORDER_DUPLICATE, RECORDER_REFUSED, RECORDER_FAILED };

struct recorder_entry {
    struct journal_record rec; /* in: kind FRAME, REJECT, SENT, CONN …; out: seq, and ref of a DUPLICATE */
    uint64_t user;             /* producer's own: connection slot and generation, offsets for the answer … */
    enum recorder_result result;
};

#define RECORDER_BLOCK_BYTES   (256 * 1024)
#define RECORDER_BLOCK_ENTRIES 4096
#define RECORDER_PORT_BLOCKS   8

struct recorder_config {
    const char *dir;
    int tz_min;
    unsigned tick_s; /* a TICK record at least this often (default 10) */
    /* Refused records kept with bytes per device and day (default 1000). The counts live in memory: after a restart
     * those since the last run of the duplicate index are counted again, earlier ones of the day are forgotten. */
    unsigned keep_rejects;
    void (*on_fault)(void *user, const struct lt_error *err, bool cleared); /* disk trouble began / ended */
    void *user;
    unsigned run_frames; /* frames per run of the duplicate index, 0: a million (smaller for tests) */
};
enum lt_err recorder_start(const struct recorder_config *cfg, struct recorder **ret,
                           struct lt_error *err) LT_MUST_CHECK;
/* Commits all that was submitted, then ends the thread. Ports must be idle. */
void recorder_stop(struct recorder **r);
struct journal_tail *recorder_tail(struct recorder *r);

/* wake(user) is called on the recorder thread whenever done blocks wait in the port (e.g. uv_async_send). It must not
 * call the recorder. After recorder_port_destroy it is not called again. */
struct recorder_port *recorder_port_create(struct recorder *r, void (*wake)(void *user), void *user);
void recorder_port_destroy(struct recorder_port **p);
/* A free block, or NULL: all are under way. */
struct recorder_block *recorder_port_take(struct recorder_port *p);
/* Copies record bytes and mn into the block; false when it is full (submit it and take another). Of a REJECT at most
 * JOURNAL_BYTES_MAX bytes are kept; other records longer than that, or with an mn above JOURNAL_MN_MAX, are never
 * taken (a frame has at most 4,108 bytes). */
bool recorder_block_add(struct recorder_block *b, const struct journal_record *rec, uint64_t user);
size_t recorder_block_count(const struct recorder_block *b);
void recorder_port_submit(struct recorder_port *p, struct recorder_block *b);
/* A block whose batch is durable (or failed), or NULL. Read its entries, then give it back. */
struct recorder_block *recorder_port_done(struct recorder_port *p);
const struct recorder_entry *recorder_block_entries(const struct recorder_block *b, size_t *ret_n);
void recorder_port_give(struct recorder_port *p, struct recorder_block *b);
/* One record from any thread but the recorder's (API, main): waits for the commit. One caller at a time, others wait.
 */
enum lt_err recorder_write(struct recorder *r, const struct journal_record *rec, struct lt_error *err) LT_MUST_CHECK;

struct recorder_stats {
    uint64_t commits, records, stored, duplicates, rejected, bytes, commit_us_total, commit_us_max, failures;
    uint64_t queue_blocks;
    uint64_t last_seq;                                  /* newest durable record */
    uint64_t wal_bytes;                                 /* see journal_wal_bytes() */
    uint64_t index_runs, index_bloom_bytes, index_lost; /* duplicate index; lost: runs it had to forget */
    bool faulty;
};
void recorder_stats(struct recorder *r, struct recorder_stats *ret);
#endif
