/* Fuzz target: any bytes are either refused or a chunk that can be read, written and read again. The first byte chooses
 * between the whole form and the part inside the compression, which the checksum would otherwise hide. */
#include "base/clock.h"
#include "series/series_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool sum(void *user, const struct series_row *row)
{
    for (uint32_t i = 0; i < row->n; i++) {
        *(uint64_t *)user += (uint64_t)row->cells[i].value;
        if (row->cells[i].value == LT_FIX_NONE || (i && row->cells[i].column <= row->cells[i - 1].column))
            abort();
    }
    return true;
}

static void use(struct series_codec *k, const struct series_key *key, struct series_chunk *c, bool whole)
{
    struct series_cells cells = {0};
    struct series_chunk again;
    uint64_t total = 0;
    bool stop;
    if (!series_chunk_each(c, INT64_MIN, INT64_MAX, &cells, sum, &total, &stop))
        abort();
    struct lt_slice raw = series_chunk_encode_raw(k, c);
    char *copy = raw.p ? malloc(raw.n) : NULL;
    if (whole && copy) { /* of all columns: must come back */
        memcpy(copy, raw.p, raw.n);
        if (series_chunk_decode_raw(k, (struct lt_slice){copy, raw.n}, key, NULL, 0, &again) ||
            again.n_rows != c->n_rows || again.n_cells != c->n_cells)
            abort();
        series_chunk_fini(&again);
    }
    free(copy);
    if (c->n_rows) {
        struct series_cell cell = {9, 1};
        struct series_row row = {c->rows[c->n_rows / 2].at_ms, 1, 1, 1, &cell};
        if (series_chunk_put(c, &row, total % 2) == SERIES_PUT_NOMEM)
            abort();
    }
    series_cells_fini(&cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct series_key keys[] = {{7, SERIES_MIN, SERIES_SPAN_HOUR, INT64_C(1795536000000)},
                                             {7, SERIES_MIN, SERIES_SPAN_DAY, INT64_C(1795536000000)}};
    static const uint16_t want[] = {1, 4, 9};
    if (size < 1 || size > 1 << 16)
        return 0;
    static struct series_codec *k; /* one for all runs, as in life */
    if (!k)
        k = series_codec_create();
    struct series_chunk c;
    const struct series_key *key = &keys[data[0] >> 1 & 1];
    bool some = data[0] >> 2 & 1;
    char *copy = malloc(size); /* exactly sized, so that reading beyond is seen */
    if (!k || !copy)
        abort();
    memcpy(copy, data + 1, size - 1);
    struct lt_slice in = {copy, size - 1};
    const char *bad =
        (data[0] & 1 ? series_chunk_decode : series_chunk_decode_raw)(k, in, key, some ? want : NULL, some ? 3 : 0, &c);
    if (!bad)
        use(k, key, &c, !some);
    series_chunk_fini(&c);
    free(copy);
    return 0;
}
