/* Inside of the series unit: the backend a store of chunks has to be, the cache, the dictionary of columns. */
#ifndef LT_SERIES_PRIV_H
#define LT_SERIES_PRIV_H
#include "series/series.h"
#include "series/series_chunk.h"

#include <pthread.h>

/* ---- backend: a durable set of (key, bytes) ---- */

struct series_column_entry {
    char factor[17];
    uint8_t field;
};

struct series_range { /* chunks of (device, kind) whose start is in [from, to) */
    uint32_t device;
    uint8_t kind;
    int64_t from_ms, to_ms;
};

struct series_place { /* where a walk over fresh chunks stands; zero at the start */
    struct series_key last;
    int64_t month_ms;
    bool begun, given, raw; /* given: last is of this month */
};

/* "Any thread": may be called at any moment by several threads. "Writer": calls are never concurrent with each other.
 * Writes between two commits are one batch: seen by nobody before commit, and gone after rollback or a failed
 * commit, which may be repeated. The commit is atomic within a month and a class of kinds (one file), and not across.
 * Nothing may be half visible. All may block on the disk. */
struct series_backend {
    const char *name;
    /* Any thread. Appends the bytes to *ret; LT_E_NOT_FOUND without filling err. */
    enum lt_err (*load)(void *b, const struct series_key *key, struct lt_buf *ret, struct lt_error *err);
    /* Any thread. All chunks of the range in ascending start, as of one moment; bytes borrowed during the call. */
    enum lt_err (*scan)(void *b, const struct series_range *range,
                        bool (*each)(void *user, const struct series_key *key, struct lt_slice bytes), void *user,
                        struct lt_error *err);
    /* Any thread. Months that may hold chunks of the kind: start of the first and of the last; false: none. */
    bool (*months)(void *b, enum series_kind kind, int64_t *ret_first_ms, int64_t *ret_last_ms);
    /* Writer. fresh: the chunk waits for compaction. */
    enum lt_err (*put)(void *b, const struct series_key *key, struct lt_slice bytes, bool fresh, struct lt_error *err);
    enum lt_err (*remove)(void *b, const struct series_key *key, struct lt_error *err);
    enum lt_err (*commit)(void *b, struct lt_error *err);
    void (*rollback)(void *b);
    /* Writer. The next fresh chunk behind *place in months that begin before before_ms; LT_E_NOT_FOUND at the end. */
    enum lt_err (*next_fresh)(void *b, struct series_place *place, int64_t before_ms, struct series_key *ret,
                              struct lt_error *err);
    /* Writer. Removes the months of RTD and MIN that end at or before before_ms; returns their number. */
    enum lt_err (*expire)(void *b, int64_t before_ms, uint64_t *ret_removed, struct lt_error *err);
    /* Any thread. Calls each() with the columns above `after` in order. */
    enum lt_err (*columns_read)(void *b, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err);
    /* Writer. Makes n columns from number first on durable, at once. */
    enum lt_err (*columns_add)(void *b, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err);
    uint64_t (*bytes)(void *b); /* any thread: size on disk */
    void (*close)(void *b);
};

/* SQLite files, see series_file.c. */
extern const struct series_backend series_file_backend;
enum lt_err series_file_open(const char *dir, int tz_min, bool readonly, void **ret,
                             struct lt_error *err) LT_MUST_CHECK;

/* Memory, for tests and trials: keeps what was committed until destroyed; close leaves it. */
extern const struct series_backend series_memory_backend;
void *series_memory_create(int tz_min);
void series_memory_destroy(void **b);
/* From now on put and commit fail with this error; LT_OK ends it. */
void series_memory_fail(void *b, enum lt_err code);

/* ---- time and naming, series_key.c ---- */
int64_t series_span_start(enum series_span span, int64_t at_ms, int tz_min);
int64_t series_span_end(enum series_span span, int64_t start_ms, int tz_min);
enum series_span series_kind_span(enum series_kind kind); /* of its open chunks */
bool series_kind_raw(enum series_kind kind);              /* expires */
/* "YYYYMM[-raw].db device 12 kind min hour 2026-11-25T08:00:00+08:00" */
void series_key_text(const struct series_key *key, int tz_min, char *ret, size_t cap);

/* ---- dictionary of columns, series_dict.c; safe for any thread ---- */
struct series_dict {
    pthread_rwlock_t lock;
    struct series_column_entry *entry; /* number - 1 */
    uint32_t *slot;                    /* open addressing, holds numbers; SERIES_DICT_SLOTS entries */
    uint32_t n, saved;
    size_t cap;
};
#define SERIES_COLUMNS_MAX 65535
enum lt_err series_dict_init(struct series_dict *d, struct lt_error *err) LT_MUST_CHECK;
void series_dict_fini(struct series_dict *d);
uint32_t series_dict_find(struct series_dict *d, const struct series_column_entry *c); /* 0: unknown */
uint32_t series_dict_add(struct series_dict *d, const struct series_column_entry *c);  /* 0: full or no memory */
bool series_dict_name(struct series_dict *d, uint32_t number, struct series_column_entry *ret);
uint32_t series_dict_count(struct series_dict *d);
/* Reads what is stored beyond what is known. Saves what is known beyond what is stored (writer only). */
enum lt_err series_dict_refresh(struct series_dict *d, const struct series_backend *ops, void *b,
                                struct lt_error *err) LT_MUST_CHECK;
enum lt_err series_dict_save(struct series_dict *d, const struct series_backend *ops, void *b,
                             struct lt_error *err) LT_MUST_CHECK;

/* ---- the cache, series.c ---- */
#define SERIES_MAGIC  UINT32_C(0x5E41E500)
#define SERIES_SHARDS 64 /* readers hold one only while copying a chunk */

struct series_entry {
    struct series_chunk chunk;
    struct series_entry *next;
    uint64_t touch;
    size_t bytes;  /* as counted in series.bytes */
    uint64_t held; /* value of series.commits when it changed last; see series_held() */
    bool dirty;
};

struct series_shard {
    pthread_mutex_t lock; /* taken to read by readers, to change by the writer (who reads without) */
    struct series_entry **slot;
    size_t n, n_slots;
};

struct series {
    uint32_t magic;
    int tz_min;
    bool readonly;
    size_t limit;
    const struct series_backend *ops;
    void *b;
    struct series_dict dict;
    pthread_mutex_t write; /* one writer at a time; everything below but the shards belongs to its holder */
    struct series_codec *codec;
    struct series_room *room; /* of new chunks; NULL where a checker of memory has to see each array */
    struct lt_buf load;
    uint64_t touch;
    uint64_t commits;  /* calls of series_committed(); 0: nothing is held back */
    size_t held_bytes; /* of the entries changed since the last one */
    struct series_place compact_at;
    int64_t compact_before_ms;
    size_t bytes, entries;                                            /* atomic for series_cache_bytes() */
    int64_t first_ms[SERIES_KINDS], last_ms[SERIES_KINDS];            /* atomic: times put since opening */
    int64_t stored_from_ms[SERIES_KINDS], stored_to_ms[SERIES_KINDS]; /* atomic: months the backend may hold; writer */
    struct series_shard shard[SERIES_SHARDS];
};

/* With the backend made by the caller; closed with the series (or on failure). */
enum lt_err series_open_backend(const struct series_config *cfg, const struct series_backend *ops, void *b,
                                bool readonly, struct series **ret, struct lt_error *err) LT_MUST_CHECK;
struct series_entry *series_cache_find(struct series *s, const struct series_key *key); /* writer */
/* False: the backend holds nothing of the kind in [from, to). Looking there costs a system call at least, and most
 * hours of a device have rows of one kind only. Any thread, after it looked at the cache. */
bool series_may_be_stored(const struct series *s, enum series_kind kind, int64_t from_ms, int64_t to_ms);
/* Copies the chunk when it is in the cache. *ret_found tells; false: no memory. Any thread. */
bool series_cache_copy(struct series *s, const struct series_key *key, struct series_chunk *ret, bool *ret_found);
void series_cache_drop(struct series *s, struct series_entry *e); /* writer */
/* Calls each() with all entries (writer); it must not drop any. */
void series_cache_walk(struct series *s, void (*each)(void *user, struct series_entry *e), void *user);
/* Changed since the last series_committed(): not to be written yet. Writer. */
bool series_held(const struct series *s, const struct series_entry *e);
/* Writes and commits dirty chunks that begin before before_ms and are not held; all stay in the cache. Writer. */
enum lt_err series_cache_write(struct series *s, int64_t before_ms, struct lt_error *err) LT_MUST_CHECK;
bool series_is_fresh(const struct series_key *key); /* would be merged by compaction */
enum lt_err series_corrupt(const struct series *s, const struct series_key *key, const char *why, struct lt_error *err);
#define SERIES_LEVEL         1 /* zstd, for chunks still growing */
#define SERIES_LEVEL_COMPACT 12
#endif
