/* Which frames are stored already: the index behind exact duplicate detection. Inside of the recorder; used by its
 * thread only (it has a worker thread of its own).
 *
 * A frame is known by (device, bytes of its data segment). The index holds, per stored frame, 40 bits of a keyed hash
 * and its number: first in an open table in memory, then, a million at a time, as a sorted run in DIR/journal/
 * YYYYMMDD.seen. A hit is always confirmed by comparing bytes, so a collision never loses a frame. Everything here is
 * derived: it is rebuilt from the journal when it is missing.
 *
 * Which runs can hold a frame: equal bytes have an equal QN, so each run knows the minutes of QN that occur in it.
 * Which days: from the day before the frame's QN to today, at most SEEN_DAYS back.
 *
 * Memory: open table 16 MiB, a second one while a run is written; 10 bits per frame of Bloom filter for today and
 * yesterday, at most SEEN_BLOOM_MAX (then the oldest are given up and those runs are searched on disk); about 1.1 KiB
 * per run known, at most SEEN_RUNS_MAX runs (16,384: sixty days at 3,000 frames/s). */
#ifndef LT_RECORDER_SEEN_H
#define LT_RECORDER_SEEN_H
#include "journal/journal.h"

#define SEEN_RUN_FRAMES (1u << 20)
#define SEEN_BATCH_MAX  (1u << 16) /* most frames added between seen_begin and seen_commit */
#define SEEN_DAYS       60
#define SEEN_RUNS_MAX   16384
#define SEEN_BLOOM_MAX  ((size_t)256 << 20)

struct seen;
/* Gives a stored or open record by number; false when it is gone. Slices must live until the next call. */
typedef bool seen_fetch(void *user, uint64_t seq, struct journal_record *ret);

/* Opens the index of DIR/journal and completes it from the journal (at most the last million frames, unless files
 * are missing). on_replay (may be NULL) is shown every record read for that. */
enum lt_err seen_open(const char *dir, int tz_min, unsigned run_frames, seen_fetch *fetch, void *user,
                      void (*on_replay)(void *user, const struct journal_record *r, int day), struct seen **ret,
                      struct lt_error *err) LT_MUST_CHECK;
/* All that was added must be committed or given up. Writes the open run if it is large. */
void seen_close(struct seen **s);

/* Begins a batch whose records will have numbers from first_seq and go to day file `day`. */
void seen_begin(struct seen *s, int day, uint64_t first_seq);
/* Tells that r will be checked soon: its place in the table is fetched into the cache. r's bytes must stay where they
 * are until then. */
void seen_hint(struct seen *s, const struct journal_record *r);
/* True when frame r is stored already, as *ret_seq; else notes it as number seq. */
bool seen_check(struct seen *s, const struct journal_record *r, uint64_t seq, uint64_t *ret_seq);
void seen_commit(struct seen *s, uint64_t last_seq);
void seen_rollback(struct seen *s); /* forgets what was noted since seen_begin */
/* Batches the journal holds though they were rolled back here (see journal_heal): notes them. */
enum lt_err seen_catch_up(struct seen *s, uint64_t last_seq, struct lt_error *err) LT_MUST_CHECK;

struct seen_stats {
    uint64_t checks, bloom_probes, disk_searches, confirms, false_hits, lost_runs;
    size_t runs, bloom_bytes;
};
void seen_stats(const struct seen *s, struct seen_stats *ret);
#endif
