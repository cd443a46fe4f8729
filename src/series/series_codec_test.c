/* The byte form of chunks: what goes in comes out, equal rows give equal bytes, damaged bytes are refused. */
#include "series/series_test.h"

static const struct series_key hour = {7, SERIES_MIN, SERIES_SPAN_HOUR, T0};

static struct series_chunk random_chunk(struct lt_rand *r, unsigned rows)
{
    struct series_chunk c;
    series_chunk_init(&c, &hour);
    for (unsigned i = 0; i < rows; i++) {
        struct test_row t = random_row(r);
        t.row.at_ms = T0 + (int64_t)lt_rand_below(r, 3600000);
        if (lt_rand_below(r, 2))
            t.row.at_ms = T0 + i * 1000;
        t.row.rank_ms = lt_rand_below(r, 50) ? t.row.rank_ms : (int64_t)lt_rand_u64(r);
        t.row.cells = t.cells;
        enum series_put p = series_chunk_put(&c, &t.row, false);
        assert_true(p == SERIES_PUT_SAME || p == SERIES_PUT_CHANGED);
    }
    return c;
}

static void assert_same_rows(const struct series_chunk *a, const struct series_chunk *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(a->n_cells, b->n_cells);
    for (uint32_t i = 0; i < a->n_rows; i++) {
        const struct series_stored *x = a->rows + i, *y = b->rows + i;
        assert_true(x->at_ms == y->at_ms && x->rank_ms == y->rank_ms && x->tie == y->tie && x->n == y->n);
        assert_memory_equal(a->pool + a->shapes[x->shape].at, b->pool + b->shapes[y->shape].at, x->n * sizeof *a->pool);
        assert_memory_equal(a->vals + x->off, b->vals + y->off, x->n * sizeof *a->vals);
    }
}

static void chunks_come_back(void **state)
{
    struct lt_rand r;
    struct series_codec *k = series_codec_create();
    lt_rand_init(&r, 1);
    for (unsigned i = 0; i < 300; i++) {
        struct series_chunk a = random_chunk(&r, i % 10 ? (unsigned)lt_rand_below(&r, 120) : i * 4), b;
        struct lt_slice bytes = series_chunk_encode(k, &a, i % 2 ? SERIES_LEVEL : SERIES_LEVEL_COMPACT);
        assert_non_null(bytes.p);
        char *copy = malloc(bytes.n); /* exactly sized, so that ASan sees the end */
        memcpy(copy, bytes.p, bytes.n);
        assert_null(series_chunk_decode(k, (struct lt_slice){copy, bytes.n}, &hour, NULL, 0, &b));
        assert_same_rows(&a, &b);
        struct lt_slice again = series_chunk_encode(k, &b, i % 2 ? SERIES_LEVEL : SERIES_LEVEL_COMPACT);
        assert_int_equal(again.n, bytes.n);
        assert_memory_equal(again.p, copy, bytes.n);
        free(copy);
        series_chunk_fini(&a);
        series_chunk_fini(&b);
    }
    series_codec_destroy(&k);
}

static void put_one(struct series_chunk *c, int64_t at, uint32_t n, const struct series_cell *cells)
{
    struct series_row row = {at, 0, 0, n, cells};
    assert_int_equal(series_chunk_put(c, &row, false), SERIES_PUT_CHANGED);
}

static size_t raw_size(const int64_t *v, unsigned n)
{
    struct series_chunk c;
    struct series_codec *k = series_codec_create();
    series_chunk_init(&c, &hour);
    for (unsigned i = 0; i < n; i++)
        put_one(&c, T0 + i * LT_MIN_MS, 1, &(struct series_cell){1, v[i]});
    size_t bytes = series_chunk_encode_raw(k, &c).n;
    series_chunk_fini(&c);
    series_codec_destroy(&k);
    return bytes;
}

/* 12.35, 12.36 … are 1235, 1236 …: one byte a value, not four. */
static void values_are_kept_in_their_own_scale(void **state)
{
    int64_t fine[60], odd[60], mark[60];
    for (int i = 0; i < 60; i++) {
        fine[i] = 12350000 + (i * 7 % 5) * 10000;
        odd[i] = 12350001 + (i * 7 % 5) * 10001;
        mark[i] = 0x4E000000;
    }
    size_t f = raw_size(fine, 60), o = raw_size(odd, 60), m = raw_size(mark, 60);
    assert_true(f >= 60 + 60 && f <= 60 + 60 + 40); /* a byte of time and one of value each, and the head */
    assert_true(o > f + 60);
    assert_true(m <= f - 50); /* one run */
}

static void each_scale_is_exact(void **state)
{
    struct series_codec *k = series_codec_create();
    int64_t unit = 1;
    for (int e = 0; e <= 18; e++, unit *= e <= 18 ? 10 : 1) {
        int64_t most = INT64_MAX / unit;
        int64_t v[] = {most * unit, -most * unit, unit, -unit, 0, 7 * unit % INT64_MAX, INT64_MIN + 1};
        struct series_chunk a, b;
        series_chunk_init(&a, &hour);
        for (int i = 0; i < (e % 2 ? 7 : 6); i++)
            put_one(&a, T0 + i, 1, &(struct series_cell){3, v[i]});
        struct lt_slice bytes = series_chunk_encode(k, &a, 1);
        assert_null(series_chunk_decode(k, bytes, &hour, NULL, 0, &b));
        assert_same_rows(&a, &b);
        series_chunk_fini(&a);
        series_chunk_fini(&b);
    }
    series_codec_destroy(&k);
}

/* A bit that means nothing to zstd may pass, a changed value may not. */
static void no_flipped_bit_changes_a_row(void **state)
{
    size_t passed = 0;
    struct lt_rand r;
    struct series_codec *k = series_codec_create(), *d = series_codec_create();
    lt_rand_init(&r, 9);
    struct series_chunk a = random_chunk(&r, 40), b;
    struct lt_slice bytes = series_chunk_encode(k, &a, 1);
    char *copy = malloc(bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    for (size_t i = 0; i < bytes.n * 8; i++) {
        copy[i / 8] = (char)(copy[i / 8] ^ (1 << i % 8));
        const char *bad = series_chunk_decode(d, (struct lt_slice){copy, bytes.n}, &hour, NULL, 0, &b);
        if (!bad) {
            passed++;
            assert_same_rows(&a, &b);
            series_chunk_fini(&b);
        }
        copy[i / 8] = (char)(copy[i / 8] ^ (1 << i % 8));
    }
    assert_true(passed < bytes.n / 8);
    for (size_t n = 0; n < bytes.n; n++)
        assert_non_null(series_chunk_decode(d, (struct lt_slice){copy, n}, &hour, NULL, 0, &b));
    free(copy);
    series_chunk_fini(&a);
    series_codec_destroy(&k);
    series_codec_destroy(&d);
}

static void a_chunk_knows_its_place(void **state)
{
    struct lt_rand r;
    struct series_codec *k = series_codec_create();
    lt_rand_init(&r, 2);
    struct series_chunk a = random_chunk(&r, 20), b;
    struct lt_slice bytes = series_chunk_encode(k, &a, 1);
    struct series_key other[] = {hour, hour, hour, hour};
    other[0].device++;
    other[1].kind = SERIES_RTD;
    other[2].span = SERIES_SPAN_DAY;
    other[3].start_ms += LT_HOUR_MS;
    char *copy = malloc(bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    for (int i = 0; i < 4; i++)
        assert_string_equal(series_chunk_decode(k, (struct lt_slice){copy, bytes.n}, &other[i], NULL, 0, &b),
                            "chunk of another place");
    copy[1] = 2;
    assert_string_equal(series_chunk_decode(k, (struct lt_slice){copy, bytes.n}, &hour, NULL, 0, &b),
                        "version is unknown");
    free(copy);
    series_chunk_fini(&a);
    series_codec_destroy(&k);
}

/* Shapes and values no row uses any more must not pile up in a chunk that is hit again and again. */
static void waste_is_bounded(void **state)
{
    struct lt_rand r;
    struct series_chunk c;
    lt_rand_init(&r, 4);
    series_chunk_init(&c, &hour);
    for (int i = 0; i < 200000; i++) {
        struct test_row t = random_row(&r);
        t.row.at_ms = T0 + (int64_t)lt_rand_below(&r, 3);
        t.row.rank_ms = i;
        t.row.cells = t.cells;
        assert_int_not_equal(series_chunk_put(&c, &t.row, i % 3 == 0), SERIES_PUT_NOMEM);
    }
    assert_true(c.n_rows < 100);
    assert_true(series_chunk_bytes(&c) < 300000);
    series_chunk_fini(&c);
}

static void rows_like_the_last_take_no_memory_of_their_own(void **state)
{
    struct series_chunk c;
    struct series_cell cells[25];
    unsigned grown = 0;
    series_chunk_init(&c, &hour);
    for (int i = 0; i < 3600; i++) {
        for (uint32_t j = 0; j < 25; j++) /* as a frame brings them: not sorted */
            cells[j] = (struct series_cell){(uint16_t)(25 - j), i * 100 + (int64_t)j};
        size_t before = series_chunk_bytes(&c);
        put_one(&c, T0 + i * 1000, 25, cells);
        grown += series_chunk_bytes(&c) != before;
    }
    assert_int_equal(c.n_shapes, 1);
    assert_true(grown < 40);
    assert_true(series_chunk_bytes(&c) < 3600 * (25 * 8 + 40) * 3 / 2);
    series_chunk_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_come_back),
        cmocka_unit_test(values_are_kept_in_their_own_scale),
        cmocka_unit_test(each_scale_is_exact),
        cmocka_unit_test(no_flipped_bit_changes_a_row),
        cmocka_unit_test(a_chunk_knows_its_place),
        cmocka_unit_test(waste_is_bounded),
        cmocka_unit_test(rows_like_the_last_take_no_memory_of_their_own),
    };
    return cmocka_run_group_tests_name("series_codec", tests, NULL, NULL);
}
