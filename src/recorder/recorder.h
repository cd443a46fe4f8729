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

enum recorder_result { RECORDER_WAITING, RECORDER_STORED, RECORDER_DUPLICATE, RECORDER_REFUSED, RECORDER_FAILED };

struct recorder_entry {
    struct journal_record rec; /* in: kind FRAME, REJECT, SENT, CONN …; seq is filled on commit */
    uint64_t user;             /* producer's own: connection slot and generation, offsets for the answer … */
    enum recorder_result result; /* STORED: durable now; DUPLICATE: was durable before, count is durable now */
};

#define RECORDER_BLOCK_BYTES   (256 * 1024)
#define RECORDER_BLOCK_ENTRIES 4096
#define RECORDER_PORT_BLOCKS   8

struct recorder_config {
    const char *dir;
    int tz_min;
    unsigned tick_s;             /* a TICK record at least this often (default 10) */
    unsigned keep_rejects;       /* refused records kept with bytes per device and day (default 1000) */
    void (*on_fault)(void *user, const struct lt_error *err, bool cleared); /* disk trouble began / ended */
    void *user;
};
enum lt_err recorder_start(const struct recorder_config *cfg, struct recorder **ret, struct lt_error *err) LT_MUST_CHECK;
/* Commits all that was submitted, then ends the thread. Ports must be idle. */
void recorder_stop(struct recorder **r);
struct journal_tail *recorder_tail(struct recorder *r);

/* wake(user) is called on the recorder thread whenever done blocks wait in the port (e.g. uv_async_send). */
struct recorder_port *recorder_port_create(struct recorder *r, void (*wake)(void *user), void *user);
void recorder_port_destroy(struct recorder_port **p);
/* A free block, or NULL: all are under way. */
struct recorder_block *recorder_port_take(struct recorder_port *p);
/* Copies record bytes and mn into the block; false when it is full (submit it and take another). */
bool recorder_block_add(struct recorder_block *b, const struct journal_record *rec, uint64_t user);
size_t recorder_block_count(const struct recorder_block *b);
void recorder_port_submit(struct recorder_port *p, struct recorder_block *b);
/* A block whose batch is durable (or failed), or NULL. Read its entries, then give it back. */
struct recorder_block *recorder_port_done(struct recorder_port *p);
const struct recorder_entry *recorder_block_entries(const struct recorder_block *b, size_t *ret_n);
void recorder_port_give(struct recorder_port *p, struct recorder_block *b);
/* One record from any thread (API, main): waits for the commit. */
enum lt_err recorder_write(struct recorder *r, const struct journal_record *rec, struct lt_error *err) LT_MUST_CHECK;

struct recorder_stats {
    uint64_t commits, records, stored, duplicates, rejected, bytes, commit_us_total, commit_us_max, failures;
    uint64_t queue_blocks;
    uint64_t last_seq; /* newest durable record */
    bool faulty;
};
void recorder_stats(struct recorder *r, struct recorder_stats *ret);
#endif
