/* series_chunk: the rows of one chunk in memory, their merging, and the byte form of a chunk (docs/FORMATS-series.md).
 * Pure: no files, clock, threads or globals. Private to the unit. */
#ifndef LT_SERIES_CHUNK_H
#define LT_SERIES_CHUNK_H
#include "base/buf.h"
#include "series/series.h"
#include "series/series_room.h"

enum series_span { SERIES_SPAN_HOUR, SERIES_SPAN_DAY, SERIES_SPAN_MONTH };

struct series_key { /* names a chunk */
    uint32_t device;
    uint8_t kind; /* enum series_kind */
    uint8_t span; /* enum series_span */
    int64_t start_ms;
};

/* Limits. A second has at most four sub-packets of 64 factors in practice: 3,600 x 4 rows an hour. One moment holds
 * at most as many rows as a frame has packets (HJ212_PNUM_MAX). Day chunks hold 24 hours; merging stops at
 * COMPACT_CELLS (a row a second with 48 cells), which leaves late data the same room again. */
#define SERIES_ROW_CELLS     256
#define SERIES_ROWS_AT       256
#define SERIES_HOUR_ROWS     16384
#define SERIES_HOUR_CELLS    (1 << 20)
#define SERIES_DAY_ROWS      (24 * SERIES_HOUR_ROWS)
#define SERIES_DAY_CELLS     (1 << 23)
#define SERIES_COMPACT_CELLS (1 << 22)
#define SERIES_RAW_BYTES     (1 << 27) /* uncompressed: SERIES_DAY_CELLS x 10 bytes and their rows */

struct series_stored { /* a row: where its shape and values stand */
    int64_t at_ms, rank_ms;
    uint32_t tie, shape, off, n;
};

struct series_shape { /* the columns of a row; in the pool: n sorted columns, n as they came, n places of those */
    uint32_t hash;    /* of the columns as they came */
    uint32_t at, n;
};

struct series_chunk {
    struct series_key key;
    struct series_stored *rows; /* by time, then ascending in rank, tie, content */
    int64_t *vals;              /* of row: rows[i].off + slot, slots in column order */
    struct series_shape *shapes;
    uint16_t *pool;
    uint32_t n_rows, cap_rows, n_vals, cap_vals, n_shapes, cap_shapes, n_pool, cap_pool;
    uint32_t n_cells, last_shape;
    struct series_room *room; /* its arrays are from there; NULL: from malloc. Copies are from malloc */
};

void series_chunk_init(struct series_chunk *c, const struct series_key *key);
void series_chunk_fini(struct series_chunk *c);
size_t series_chunk_bytes(const struct series_chunk *c);                        /* heap in use */
bool series_chunk_copy(const struct series_chunk *c, struct series_chunk *ret); /* false: no memory */

/* Takes room for as many rows as `like` has (the hour before), so that it need not grow. Changes no content. */
void series_chunk_expect(struct series_chunk *c, const struct series_chunk *like);

/* Fetches what the next series_chunk_put() at the end of the chunk will touch. */
void series_chunk_prefetch(const struct series_chunk *c);

enum series_put { SERIES_PUT_SAME, SERIES_PUT_CHANGED, SERIES_PUT_NOMEM, SERIES_PUT_LIMIT };
/* Adds (or with replace: puts in the place of all rows at that time) one row; see series.h. Of cells with the same
 * column the last counts; cells of LT_FIX_NONE are left out; a row without cells is not stored. On NOMEM and LIMIT the
 * chunk is as before. row->n <= SERIES_ROW_CELLS; row->at_ms inside the chunk. */
enum series_put series_chunk_put(struct series_chunk *c, const struct series_row *row, bool replace);

struct series_cells { /* room for one merged row; zero at first */
    struct series_cell *p[2];
    size_t cap;
};
void series_cells_fini(struct series_cells *m);
/* Calls each() with merged rows in [from, to). *ret_stop when each() returned false. False: no memory. */
bool series_chunk_each(const struct series_chunk *c, int64_t from_ms, int64_t to_ms, struct series_cells *m,
                       bool (*each)(void *user, const struct series_row *row), void *user, bool *ret_stop);
/* Puts every row of `from` outside the `n` spans `skip` (start, end pairs) into `into`. False: limit or no memory. */
bool series_chunk_add_all(struct series_chunk *into, const struct series_chunk *from, int64_t (*skip)[2], size_t n);

/* Work space of coding; one per thread. */
struct series_codec;
struct series_codec *series_codec_create(void); /* NULL: no memory */
void series_codec_destroy(struct series_codec **k);
/* Canonical: the same rows give the same bytes at the same level. Result borrowed until the next call; p NULL when
 * there is no memory. */
struct lt_slice series_chunk_encode(struct series_codec *k, const struct series_chunk *c, int level);
/* Fills ret (uninitialised) when the bytes are a chunk named `key`; else returns a constant text of what is wrong, ret
 * being empty. want: sorted columns to decode, NULL for all; rows without any of them are then left out. */
const char *series_chunk_decode(struct series_codec *k, struct lt_slice bytes, const struct series_key *key,
                                const uint16_t *want, size_t n_want, struct series_chunk *ret);
/* The part inside the compression (for tests and fuzzing; the checksum would hide it from mutation). */
struct lt_slice series_chunk_encode_raw(struct series_codec *k, const struct series_chunk *c);
const char *series_chunk_decode_raw(struct series_codec *k, struct lt_slice raw, const struct series_key *key,
                                    const uint16_t *want, size_t n_want, struct series_chunk *ret);
extern const char series_no_memory[]; /* returned by decode when memory, not the bytes, is at fault */
#endif
