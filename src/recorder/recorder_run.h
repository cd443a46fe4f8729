/* Sorted runs of the duplicate index: file format, writing, searching, Bloom filters. Inside of the recorder. */
#ifndef LT_RECORDER_RUN_H
#define LT_RECORDER_RUN_H
#include "base/err.h"
#include "base/slice.h"

#define RUN_MINUTES  8192 /* bits: 0 is "no time", others 1 + minute mod 8191 */
#define RUN_SEQ_BITS 24   /* an entry: 40 bits of hash, 24 bits of number minus first_seq */
#define RUN_KEY      16
#define RUN_HASH(e)  ((e) >> RUN_SEQ_BITS)
#define RUN_DELTA(e) ((e) & ((UINT64_C(1) << RUN_SEQ_BITS) - 1))

struct run {
    int day;
    uint32_t count;
    uint64_t first_seq, last_seq;
    uint64_t at; /* offset of the entries in the day's file */
    uint8_t minutes[RUN_MINUTES / 8];
    uint64_t *bloom; /* NULL: none in memory */
    uint32_t bloom_blocks;
    bool bloom_given_up;
};

void run_path(const char *dir, int day, char ret[1024]);
/* Reads the headers of a day's file, calling each; stops at the first that is torn or has another key and cuts the
 * file there (cut only). *ret_end: length of what is good. Missing file: none, LT_OK. */
enum lt_err run_scan(const char *dir, int day, const uint8_t key[RUN_KEY], bool cut,
                     bool (*each)(void *user, const struct run *r), void *user, struct lt_error *err) LT_MUST_CHECK;
/* Key of the first run in the day's file; false when there is none. */
bool run_read_key(const char *dir, int day, uint8_t ret[RUN_KEY]);
/* Appends a run (entries sorted) and fsyncs; fills r->at. */
enum lt_err run_append(const char *dir, const uint8_t key[RUN_KEY], struct run *r, const uint64_t *entries,
                       struct lt_error *err) LT_MUST_CHECK;
/* Entries of the run with this 40-bit hash, at most cap; searched on disk. fd is the day's file. */
size_t run_search(int fd, const struct run *r, uint64_t hash, uint64_t *ret, size_t cap);
/* Builds the filter from sorted entries, or from the file. False: no memory or the file cannot be read. */
bool run_bloom_build(struct run *r, const uint64_t *entries);
bool run_bloom_load(struct run *r, int fd, const uint8_t key[RUN_KEY]);
bool run_bloom_has(const struct run *r, uint64_t hash);
size_t run_bloom_bytes(const struct run *r);
#endif
