/* Contract of the series on every backend: what is read depends on the set of rows put and on nothing else. */
#include "series/series_test.h"

#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a place to run on: directory or memory ---- */

struct site {
    bool memory;
    char dir[64];
    void *b;
    size_t cache_bytes;
    struct series *s;
};

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    return remove(path);
}

static void site_init(struct site *x, bool memory)
{
    *x = (struct site){.memory = memory, .dir = "/tmp/lt-series-XXXXXX"};
    if (memory)
        assert_non_null(x->b = series_memory_create(480));
    else
        assert_non_null(mkdtemp(x->dir));
}

static void site_open(struct site *x)
{
    struct series_config cfg = {.dir = x->dir, .tz_min = 480, .cache_bytes = x->cache_bytes};
    struct lt_error err = {0};
    enum lt_err e = x->memory ? series_open_backend(&cfg, &series_memory_backend, x->b, false, &x->s, &err)
                              : series_open(&cfg, &x->s, &err);
    if (e)
        print_message("%s: %s\n", err.arg[0], err.arg[1]);
    assert_int_equal(e, LT_OK);
}

static void site_fini(struct site *x)
{
    series_close(&x->s);
    if (x->memory)
        series_memory_destroy(&x->b);
    else
        assert_int_equal(nftw(x->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Columns 1 .. COLUMNS in any run. */
static void make_columns(struct series *s)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        char code[8];
        snprintf(code, sizeof code, "a%05u", 21000 + i);
        assert_int_equal(series_column(s, lt_slice_of(code), i % 3), i + 1);
    }
}

static void put(struct series *s, const struct test_row *t, bool *changed)
{
    struct lt_error err = {0};
    struct series_row row = t->row;
    row.cells = t->cells;
    assert_int_equal(series_put(s, t->device, t->kind, &row, changed, &err), LT_OK);
}

/* ---- comparison with the model ---- */

struct check {
    const struct model *m;
    uint32_t device;
    enum series_kind kind;
    int64_t next;
    size_t rows;
};

static bool check_row(void *user, const struct series_row *row)
{
    struct check *c = user;
    struct series_cell want[COLUMNS];
    int64_t rank;
    uint32_t tie;
    assert_true(row->at_ms == model_next(c->m, c->device, c->kind, c->next));
    uint32_t n = model_merged(c->m, c->device, c->kind, row->at_ms, want, &rank, &tie);
    assert_int_equal(row->n, n);
    assert_true(row->rank_ms == rank && row->tie == tie);
    for (uint32_t i = 0; i < n; i++)
        assert_true(row->cells[i].column == want[i].column && row->cells[i].value == want[i].value);
    c->next = row->at_ms + 1;
    c->rows++;
    return true;
}

static size_t check_range(struct series *s, const struct model *m, uint32_t device, enum series_kind kind, int64_t from,
                          int64_t to)
{
    struct check c = {m, device, kind, from, 0};
    struct lt_error err = {0};
    assert_int_equal(series_read(s, device, kind, from, to, check_row, &c, &err), LT_OK);
    assert_true(model_next(m, device, kind, c.next) >= to); /* nothing left out at the end */
    return c.rows;
}

static void check_all(struct series *s, const struct model *m)
{
    size_t rows = 0;
    for (int k = 0; k < SERIES_KINDS; k++) {
        rows += check_range(s, m, 7, (enum series_kind)k, INT64_MIN, INT64_MAX);
        rows += check_range(s, m, UINT32_MAX, (enum series_kind)k, 0, T0 + 400 * LT_DAY_MS);
    }
    assert_true(rows > 0 || m->n == 0);
}

static void check_some(struct series *s, const struct model *m, struct lt_rand *r)
{
    struct series_cell got[COLUMNS], want[COLUMNS];
    size_t n = 99;
    enum series_kind kind = (enum series_kind)lt_rand_below(r, SERIES_KINDS);
    int64_t from = T0 + (int64_t)lt_rand_below(r, 10 * 24) * LT_HOUR_MS, rank;
    uint32_t tie;
    check_range(s, m, 7, kind, from + 30000, from + (int64_t)lt_rand_below(r, 72) * LT_HOUR_MS);
    enum lt_err e = series_at(s, 7, kind, from, got, COLUMNS, &n, NULL);
    uint32_t k = model_merged(m, 7, kind, from, want, &rank, &tie);
    assert_int_equal(e, k ? LT_OK : LT_E_NOT_FOUND);
    assert_int_equal(n, k ? k : 99);
    for (uint32_t i = 0; i < k; i++)
        assert_true(got[i].column == want[i].column && got[i].value == want[i].value);
}

/* ---- the property ---- */

static void compact_all(struct series *s, int64_t before, unsigned most)
{
    bool left = true;
    for (int i = 0; left; i++) {
        assert_true(i < 10000);
        assert_int_equal(series_compact(s, before, most, &left, NULL), LT_OK);
    }
}

static void disturb(struct site *x, struct lt_rand *r, const struct model *m)
{
    bool left;
    switch (lt_rand_below(r, 40)) {
    case 0:
        assert_int_equal(series_flush(x->s, NULL), LT_OK);
        break;
    case 1:
        series_close(&x->s);
        x->cache_bytes = lt_rand_below(r, 2) ? 8000 : 0; /* almost nothing stays */
        site_open(x);
        break;
    case 2:
        assert_int_equal(series_compact(x->s, T0 + (int64_t)lt_rand_below(r, 12) * LT_DAY_MS, 3, &left, NULL), LT_OK);
        break;
    case 3:
        check_some(x->s, m, r);
        break;
    default:
        break;
    }
}

static void rows_are_a_set(bool memory, uint64_t seed, unsigned n)
{
    struct lt_rand r;
    struct site x;
    struct model m = {0};
    lt_rand_init(&r, seed);
    site_init(&x, memory);
    site_open(&x);
    make_columns(x.s);
    for (unsigned i = 0; i < n; i++) {
        struct test_row t = m.n && lt_rand_below(&r, 4) == 0 ? m.p[lt_rand_below(&r, m.n)] : random_row(&r);
        bool changed = false, replace = lt_rand_below(&r, 10) == 0, want;
        t.row.cells = t.cells;
        if (replace) {
            model_remove(&m, t.device, t.kind, t.row.at_ms);
            model_put(&m, &t);
            assert_int_equal(series_replace(x.s, t.device, t.kind, &t.row, NULL, NULL), LT_OK);
            assert_int_equal(series_replace(x.s, t.device, t.kind, &t.row, &changed, NULL), LT_OK);
            assert_false(changed);
        } else {
            want = model_put(&m, &t);
            put(x.s, &t, &changed);
            assert_int_equal(changed, want);
        }
        disturb(&x, &r, &m);
    }
    check_all(x.s, &m);
    compact_all(x.s, T0 + 40 * LT_DAY_MS, 5);
    check_all(x.s, &m);
    series_close(&x.s);
    site_open(&x);
    check_all(x.s, &m);
    model_fini(&m);
    site_fini(&x);
}

static void rows_are_a_set_in_memory(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        rows_are_a_set(true, seed, 700);
}

static void rows_are_a_set_in_files(void **state)
{
    for (uint64_t seed = 101; seed <= 104; seed++)
        rows_are_a_set(false, seed, 500);
}

/* ---- same bytes whatever the order ---- */

struct dump {
    struct lt_buf b;
};

static bool dump_chunk(void *user, const struct series_key *key, struct lt_slice bytes)
{
    struct dump *d = user;
    lt_buf_addf(&d->b, "%u %u %u %lld:", key->device, key->kind, key->span, (long long)key->start_ms);
    lt_buf_add(&d->b, bytes.p, bytes.n);
    return true;
}

static void dump_all(void *b, struct dump *d)
{
    static const uint32_t device[2] = {7, UINT32_MAX};
    *d = (struct dump){LT_BUF_INIT(1 << 24)};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < SERIES_KINDS; k++) {
            struct series_range range = {device[i], (uint8_t)k, 0, T0 + 400 * LT_DAY_MS};
            assert_int_equal(series_memory_backend.scan(b, &range, dump_chunk, d, NULL), LT_OK);
        }
    assert_false(d->b.failed);
}

static void shuffle(struct test_row *p, size_t n, struct lt_rand *r)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = lt_rand_below(r, i);
        struct test_row t = p[i - 1];
        p[i - 1] = p[j];
        p[j] = t;
    }
}

static void run_once(struct test_row *rows, size_t n, struct lt_rand *r, bool disturbed, bool compacted,
                     struct dump *ret)
{
    struct site x;
    struct model none = {0};
    site_init(&x, true);
    site_open(&x);
    make_columns(x.s);
    for (size_t i = 0; i < n; i++) {
        put(x.s, &rows[i], NULL);
        if (disturbed && lt_rand_below(r, 3) == 0) /* a repetition */
            put(x.s, &rows[lt_rand_below(r, i + 1)], NULL);
        if (disturbed && lt_rand_below(r, 30) == 0) {
            series_close(&x.s);
            x.cache_bytes = lt_rand_below(r, 2) ? 5000 : 0;
            site_open(&x);
        }
    }
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    if (compacted)
        compact_all(x.s, T0 + 40 * LT_DAY_MS, disturbed ? 1 : 1000);
    dump_all(x.b, ret);
    model_fini(&none);
    site_fini(&x);
}

static void order_does_not_show_in_the_bytes(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct lt_rand r;
        struct test_row rows[400];
        struct dump a, b;
        lt_rand_init(&r, seed);
        for (size_t i = 0; i < 400; i++)
            rows[i] = random_row(&r);
        run_once(rows, 400, &r, false, seed % 2, &a);
        assert_true(a.b.n > 1000);
        for (int again = 0; again < 3; again++) {
            shuffle(rows, 400, &r);
            run_once(rows, 400, &r, true, seed % 2, &b);
            assert_int_equal(a.b.n, b.b.n);
            assert_memory_equal(a.b.p, b.b.p, a.b.n);
            lt_buf_fini(&b.b);
        }
        lt_buf_fini(&a.b);
    }
}

/* ---- single rules of series.h ---- */

static struct test_row row_of(int64_t at, int64_t rank, uint32_t tie, uint16_t column, int64_t value)
{
    struct test_row t = {.device = 7, .kind = SERIES_MIN};
    t.row = (struct series_row){at, rank, tie, 1, NULL};
    t.cells[0] = (struct series_cell){column, value};
    return t;
}

static bool count_cells(void *user, const struct series_row *row)
{
    *(size_t *)user += row->n;
    return true;
}

static bool first_only(void *user, const struct series_row *row)
{
    ++*(size_t *)user;
    return false;
}

static void limits_are_kept(void **state)
{
    struct site x;
    struct series_cell many[257] = {{1, 1}};
    struct series_row row = {T0, 0, 0, 257, many};
    struct lt_error err;
    site_init(&x, true);
    site_open(&x);
    make_columns(x.s);
    assert_int_equal(series_put(x.s, 7, SERIES_MIN, &row, NULL, &err), LT_E_LIMIT);
    row = (struct series_row){-1, 0, 0, 1, many};
    assert_int_equal(series_put(x.s, 7, SERIES_MIN, &row, NULL, &err), LT_E_FIELD_RANGE);
    many[0].column = 0;
    row.at_ms = T0;
    assert_int_equal(series_put(x.s, 7, SERIES_MIN, &row, NULL, &err), LT_E_BAD_INPUT);
    many[0].column = COLUMNS + 1;
    assert_int_equal(series_put(x.s, 7, SERIES_MIN, &row, NULL, &err), LT_E_BAD_INPUT);
    assert_int_equal(series_column(x.s, LT_LIT("12345678901234567"), 0), 0);
    assert_int_not_equal(series_column(x.s, LT_LIT("1234567890123456"), 0), 0);
    enum lt_err e = LT_OK;
    uint32_t put_rows = 0;
    for (; put_rows <= SERIES_HOUR_ROWS; put_rows++) { /* a device gone mad: a row each 100 ms, then beyond */
        struct test_row t = row_of(T0 + put_rows * 100, 0, 0, 1, put_rows);
        t.row.cells = t.cells;
        if ((e = series_put(x.s, 7, SERIES_MIN, &t.row, NULL, &err)))
            break;
    }
    assert_int_equal(e, LT_E_LIMIT);
    assert_int_equal(put_rows, SERIES_HOUR_ROWS);
    site_fini(&x);
}

static void a_moment_has_a_limit(void **state)
{
    struct site x;
    enum lt_err e = LT_OK;
    size_t n = 0;
    uint32_t i = 0;
    site_init(&x, true);
    site_open(&x);
    for (unsigned c = 0; c < 300; c++)
        assert_int_equal(series_column(x.s, LT_LIT("w00000"), c % 256) != 0, true);
    for (uint32_t rows = 0; !e && rows < 256; rows++, i++) { /* each with a column of its own, lower rows first */
        struct test_row t = row_of(T0, (int64_t)rows, 0, (uint16_t)(i % 256 + 1), rows);
        t.row.cells = t.cells;
        e = series_put(x.s, 7, SERIES_MIN, &t.row, NULL, NULL);
    }
    assert_int_equal(e, LT_OK);
    struct test_row t = row_of(T0, -5, 0, 1, 9);
    t.row.cells = t.cells;
    assert_int_equal(series_put(x.s, 7, SERIES_MIN, &t.row, NULL, NULL), LT_OK); /* dominated: no row more */
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, T0, T0 + 1, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 256);
    struct series_cell got[300];
    assert_int_equal(series_at(x.s, 7, SERIES_MIN, T0, got, 255, &n, NULL), LT_E_LIMIT);
    assert_int_equal(series_at(x.s, 7, SERIES_MIN, T0, got, 256, &n, NULL), LT_OK);
    site_fini(&x);
}

static void reading_stops_when_told(void **state)
{
    struct site x;
    size_t n = 0;
    site_init(&x, true);
    site_open(&x);
    make_columns(x.s);
    for (int i = 0; i < 10; i++) {
        struct test_row t = row_of(T0 + i * LT_DAY_MS, 0, 0, 1, i);
        put(x.s, &t, NULL);
    }
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, T0, T0 + 99 * LT_DAY_MS, first_only, &n, NULL), LT_OK);
    assert_int_equal(n, 1);
    site_fini(&x);
}

struct columns_seen {
    const struct model *m;
    const uint16_t *want;
    size_t n_want, rows;
};

static bool check_columns(void *user, const struct series_row *row)
{
    struct columns_seen *x = user;
    struct series_cell all[COLUMNS];
    int64_t rank;
    uint32_t tie, n = model_merged(x->m, 7, SERIES_MIN, row->at_ms, all, &rank, &tie), k = 0;
    for (uint32_t i = 0; i < n; i++)
        for (size_t j = 0; j < x->n_want; j++)
            if (all[i].column == x->want[j]) {
                assert_true(k < row->n && row->cells[k].column == all[i].column && row->cells[k].value == all[i].value);
                k++;
            }
    assert_int_equal(k, row->n);
    assert_true(k > 0);
    x->rows++;
    return true;
}

static void single_columns_can_be_read(void **state)
{
    static const uint16_t want[] = {2, 9, 15};
    struct site x;
    struct lt_rand r;
    struct model m = {0};
    lt_rand_init(&r, 5);
    site_init(&x, false);
    site_open(&x);
    make_columns(x.s);
    for (int i = 0; i < 400; i++) {
        struct test_row t = random_row(&r);
        t.kind = SERIES_MIN;
        t.device = 7;
        model_put(&m, &t);
        put(x.s, &t, NULL);
    }
    struct columns_seen cached = {&m, want, 3, 0}, stored = cached, merged = cached;
    assert_int_equal(series_read_columns(x.s, 7, SERIES_MIN, 0, INT64_MAX, want, 3, check_columns, &cached, NULL), 0);
    series_close(&x.s);
    site_open(&x);
    assert_int_equal(series_read_columns(x.s, 7, SERIES_MIN, 0, INT64_MAX, want, 3, check_columns, &stored, NULL), 0);
    compact_all(x.s, T0 + 40 * LT_DAY_MS, 100);
    assert_int_equal(series_read_columns(x.s, 7, SERIES_MIN, 0, INT64_MAX, want, 3, check_columns, &merged, NULL), 0);
    assert_true(cached.rows > 20);
    assert_int_equal(cached.rows, stored.rows);
    assert_int_equal(cached.rows, merged.rows);
    model_fini(&m);
    site_fini(&x);
}

/* ---- cache ---- */

static void cache_stays_in_bounds(bool memory)
{
    struct site x;
    size_t n = 0, most = 0;
    site_init(&x, memory);
    x.cache_bytes = 200000;
    site_open(&x);
    make_columns(x.s);
    for (int minute = 0; minute < 20; minute++)
        for (uint32_t d = 1; d <= 500; d++) {
            struct test_row t = row_of(T0 + minute * LT_MIN_MS, 0, d, (uint16_t)(d % COLUMNS + 1), minute);
            t.device = d;
            put(x.s, &t, NULL);
            most = series_cache_bytes(x.s) > most ? series_cache_bytes(x.s) : most;
        }
    assert_true(most > 150000 && most < 210000);
    for (uint32_t d = 1; d <= 500; d++)
        assert_int_equal(series_read(x.s, d, SERIES_MIN, T0, T0 + LT_HOUR_MS, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 20 * 500);
    site_fini(&x);
}

static void cache_stays_in_bounds_on_both(void **state)
{
    cache_stays_in_bounds(true);
    cache_stays_in_bounds(false);
}

static void put_minute(struct site *x, uint32_t device, int minute)
{
    struct test_row t = row_of(T0 + minute * LT_MIN_MS, 0, device, 1, minute);
    t.device = device;
    put(x->s, &t, NULL);
}

static size_t cells_after_a_crash(struct site *x, uint32_t last_device)
{
    size_t n = 0;
    series_forget(x->s, INT64_MAX);
    series_close(&x->s);
    site_open(x);
    for (uint32_t d = 1; d <= last_device; d++)
        assert_int_equal(series_read(x->s, d, SERIES_MIN, T0, T0 + LT_HOUR_MS, count_cells, &n, NULL), LT_OK);
    return n;
}

/* Nothing writes a change before its consequences are said to be durable; closing does not either. */
static void changes_wait_for_the_commit(void **state)
{
    struct site x;
    bool left;
    size_t n = 0;
    site_init(&x, true);
    x.cache_bytes = 200000;
    site_open(&x);
    make_columns(x.s);
    series_committed(x.s);
    put_minute(&x, 1, 0);
    series_committed(x.s);
    put_minute(&x, 1, 1); /* its chunk waits again, with both rows */
    put_minute(&x, 2, 0);
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    assert_int_equal(series_compact(x.s, T0 + 40 * LT_DAY_MS, 100, &left, NULL), LT_OK);
    assert_int_equal(series_read(x.s, 1, SERIES_MIN, T0, T0 + LT_HOUR_MS, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 2);
    series_close(&x.s);
    site_open(&x);
    assert_int_equal(cells_after_a_crash(&x, 2), 0);
    series_committed(x.s);
    put_minute(&x, 1, 0);
    put_minute(&x, 2, 0);
    series_committed(x.s);
    put_minute(&x, 2, 1);
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    assert_int_equal(cells_after_a_crash(&x, 2), 1);
    site_fini(&x);
}

/* What waits may take as much memory again, and no more. */
static void waiting_changes_have_a_limit(void **state)
{
    struct site x;
    size_t most = 0;
    site_init(&x, true);
    x.cache_bytes = 200000;
    site_open(&x);
    make_columns(x.s);
    series_committed(x.s);
    for (uint32_t d = 1; d <= 1000; d++) {
        put_minute(&x, d, 0);
        most = series_cache_bytes(x.s) > most ? series_cache_bytes(x.s) : most;
    }
    assert_true(most > 350000 && most < 410000);
    series_committed(x.s);
    for (uint32_t d = 1; d <= 1000; d++) {
        put_minute(&x, d, 1);
        series_committed(x.s);
    }
    assert_true(series_cache_bytes(x.s) < 210000);
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    assert_int_equal(cells_after_a_crash(&x, 1000), 2000);
    site_fini(&x);
}

static void flushed_chunks_stay_warm(void **state)
{
    struct site x;
    site_init(&x, true);
    site_open(&x);
    make_columns(x.s);
    struct test_row t = row_of(T0, 0, 0, 1, 5);
    put(x.s, &t, NULL);
    size_t before = series_cache_bytes(x.s);
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    assert_int_equal(series_cache_bytes(x.s), before);
    series_memory_fail(x.b, LT_E_IO);
    assert_int_equal(series_flush(x.s, NULL), LT_OK); /* nothing is dirty, so nothing is written */
    put(x.s, &t, NULL);                               /* a repetition changes nothing */
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    series_memory_fail(x.b, LT_OK);
    site_fini(&x);
}

/* ---- failing disk ---- */

static sqlite3_vfs faulty_vfs;
static sqlite3_io_methods good_io, faulty_io[2]; /* databases have other methods than journals, but the same xWrite */
static int fault;                                /* SQLite code every write gives; 0: none */

static int faulty_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return fault ? fault : good_io.xWrite(f, p, n, at);
}

static int faulty_sync(sqlite3_file *f, int flags)
{
    return fault ? SQLITE_IOERR_FSYNC : good_io.xSync(f, flags);
}

static int faulty_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret)
{
    const sqlite3_vfs *real = v->pAppData;
    int rc = real->xOpen((sqlite3_vfs *)v->pAppData, name, f, flags, ret);
    if (rc == SQLITE_OK && f->pMethods) {
        int which = (flags & SQLITE_OPEN_MAIN_DB) != 0;
        if (!faulty_io[which].xWrite) { /* the first time is before any thread is started */
            good_io = faulty_io[which] = *f->pMethods;
            faulty_io[which].xWrite = faulty_write;
            faulty_io[which].xSync = faulty_sync;
        }
        f->pMethods = &faulty_io[which];
    }
    return rc;
}

static void install_faulty_vfs(void)
{
    sqlite3_initialize();
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    faulty_vfs = *real;
    faulty_vfs.zName = "faulty";
    faulty_vfs.pAppData = real;
    faulty_vfs.pNext = NULL;
    faulty_vfs.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&faulty_vfs, 1), SQLITE_OK);
}

static void set_fault(struct site *x, enum lt_err code)
{
    if (x->memory)
        series_memory_fail(x->b, code);
    else
        fault = code == LT_E_DISK_FULL ? SQLITE_FULL : code == LT_OK ? 0 : SQLITE_IOERR_WRITE;
}

static void failing_disk_loses_nothing(bool memory, enum lt_err code)
{
    struct site x;
    struct model m = {0};
    struct lt_rand r;
    struct lt_error err = {0};
    lt_rand_init(&r, 77);
    site_init(&x, memory);
    x.cache_bytes = 60000;
    site_open(&x);
    make_columns(x.s);
    enum lt_err e = LT_OK;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            struct test_row t = random_row(&r);
            model_put(&m, &t);
            put(x.s, &t, NULL);
        }
        set_fault(&x, code);
        assert_int_equal(series_flush(x.s, &err), code);
        assert_true(err.arg[0][0] != '\0');
        check_all(x.s, &m);
        for (e = LT_OK; !e;) { /* until the cache is full of what cannot be written */
            struct test_row t = random_row(&r);
            struct series_row row = t.row;
            row.cells = t.cells;
            row.at_ms += round * LT_DAY_MS;
            t.row.at_ms = row.at_ms;
            e = series_put(x.s, t.device, t.kind, &row, NULL, &err);
            if (!e)
                model_put(&m, &t);
            assert_true(m.n < 20000);
        }
        assert_int_equal(e, code);
        assert_true(series_cache_bytes(x.s) < 120000);
        check_all(x.s, &m);
        set_fault(&x, LT_OK);
        assert_int_equal(series_flush(x.s, &err), LT_OK);
    }
    check_all(x.s, &m);
    series_close(&x.s);
    site_open(&x);
    check_all(x.s, &m);
    model_fini(&m);
    site_fini(&x);
}

static void full_disk_loses_nothing(void **state)
{
    failing_disk_loses_nothing(true, LT_E_DISK_FULL);
    failing_disk_loses_nothing(false, LT_E_DISK_FULL);
}

static void failing_writes_lose_nothing(void **state)
{
    failing_disk_loses_nothing(true, LT_E_IO);
    failing_disk_loses_nothing(false, LT_E_IO);
}

static void failing_compaction_changes_nothing(void **state)
{
    for (int memory = 0; memory < 2; memory++) {
        struct site x;
        struct model m = {0};
        struct lt_rand r;
        bool left;
        lt_rand_init(&r, 3);
        site_init(&x, memory);
        site_open(&x);
        make_columns(x.s);
        for (int i = 0; i < 300; i++) {
            struct test_row t = random_row(&r);
            model_put(&m, &t);
            put(x.s, &t, NULL);
        }
        assert_int_equal(series_flush(x.s, NULL), LT_OK);
        set_fault(&x, LT_E_IO);
        assert_int_equal(series_compact(x.s, T0 + 40 * LT_DAY_MS, 1000, &left, NULL), LT_E_IO);
        check_all(x.s, &m);
        set_fault(&x, LT_OK);
        check_all(x.s, &m);
        compact_all(x.s, T0 + 40 * LT_DAY_MS, 1000);
        check_all(x.s, &m);
        model_fini(&m);
        site_fini(&x);
    }
}

/* ---- compaction, expiry ---- */

static bool count_span(void *user, const struct series_key *key, struct lt_slice bytes)
{
    ((size_t *)user)[key->span]++;
    return true;
}

static void hours_become_days(bool memory)
{
    struct site x;
    size_t spans[3] = {0};
    struct series_range range = {7, SERIES_MIN, T0, T0 + 2 * LT_DAY_MS};
    site_init(&x, memory);
    site_open(&x);
    make_columns(x.s);
    for (int i = 0; i < 2880; i++) {
        struct test_row t = row_of(T0 + i * LT_MIN_MS, 0, 0, 1, i * 10000);
        put(x.s, &t, NULL);
    }
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    assert_int_equal(x.s->ops->scan(x.s->b, &range, count_span, spans, NULL), LT_OK);
    assert_int_equal(spans[SERIES_SPAN_HOUR], 48);
    compact_all(x.s, T0 + 2 * LT_DAY_MS - 1, 7); /* the second day is not over */
    memset(spans, 0, sizeof spans);
    assert_int_equal(x.s->ops->scan(x.s->b, &range, count_span, spans, NULL), LT_OK);
    assert_int_equal(spans[SERIES_SPAN_HOUR], 24);
    assert_int_equal(spans[SERIES_SPAN_DAY], 1);
    bool changed = true;
    struct test_row again = row_of(T0 + 61 * LT_MIN_MS, 0, 0, 1, 610000), late = row_of(T0 + 1, 0, 0, 1, 5);
    put(x.s, &again, &changed);
    assert_false(changed);
    put(x.s, &late, &changed); /* goes into the day chunk */
    assert_true(changed);
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    memset(spans, 0, sizeof spans);
    assert_int_equal(x.s->ops->scan(x.s->b, &range, count_span, spans, NULL), LT_OK);
    assert_int_equal(spans[SERIES_SPAN_HOUR], 24);
    size_t n = 0;
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, T0, T0 + LT_DAY_MS, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 1441);
    site_fini(&x);
}

static void hours_become_days_on_both(void **state)
{
    hours_become_days(true);
    hours_become_days(false);
}

/* More cells than a day chunk may have (SERIES_COMPACT_CELLS): the hours stay, and are not tried again. */
static void a_day_too_large_keeps_its_hours(void **state)
{
    struct site x;
    struct series_cell cells[60];
    struct series_range range = {7, SERIES_RTD, T0, T0 + LT_DAY_MS};
    size_t spans[3] = {0}, n = 0;
    struct series_place start = {0};
    struct series_key key;
    site_init(&x, true);
    site_open(&x);
    for (unsigned i = 0; i < 60; i++)
        cells[i] = (struct series_cell){series_column(x.s, LT_LIT("a"), i), i};
    for (int i = 0; i < 5 * 14400; i++) {
        struct series_row row = {T0 + i * 250, 0, 0, 60, cells};
        assert_int_equal(series_put(x.s, 7, SERIES_RTD, &row, NULL, NULL), LT_OK);
    }
    compact_all(x.s, T0 + LT_DAY_MS, 10);
    assert_int_equal(x.s->ops->scan(x.s->b, &range, count_span, spans, NULL), LT_OK);
    assert_int_equal(spans[SERIES_SPAN_HOUR], 5);
    assert_int_equal(spans[SERIES_SPAN_DAY], 0);
    assert_int_equal(x.s->ops->next_fresh(x.s->b, &start, INT64_MAX, &key, NULL), LT_E_NOT_FOUND);
    assert_int_equal(series_read(x.s, 7, SERIES_RTD, T0, T0 + LT_DAY_MS, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 5 * 14400 * 60);
    site_fini(&x);
}

static void raw_months_expire(bool memory)
{
    struct site x;
    struct lt_error err = {0};
    uint64_t removed = 99;
    size_t n = 0;
    int64_t december, january;
    assert_true(lt_day_number_start(20261201, 480, &december) && lt_day_number_start(20270101, 480, &january));
    site_init(&x, memory);
    site_open(&x);
    make_columns(x.s);
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < SERIES_KINDS; k++) {
            struct test_row t = row_of(T0 + i * LT_DAY_MS, 0, 0, 1, i);
            t.kind = (enum series_kind)k;
            put(x.s, &t, NULL);
        }
    assert_int_equal(series_flush(x.s, NULL), LT_OK);
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, 0, INT64_MAX, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 40);
    assert_int_equal(series_expire(x.s, january - 1, &removed, &err), LT_OK); /* December is not over */
    assert_int_equal(removed, 1);
    for (int k = 0; k < SERIES_KINDS; k++) {
        bool raw = k == SERIES_RTD || k == SERIES_MIN;
        n = 0;
        assert_int_equal(series_read(x.s, 7, (enum series_kind)k, 0, december, count_cells, &n, &err), LT_OK);
        assert_int_equal(n, raw ? 0 : 6);
        n = 0;
        assert_int_equal(series_read(x.s, 7, (enum series_kind)k, december, INT64_MAX, count_cells, &n, &err), LT_OK);
        assert_int_equal(n, 34);
    }
    struct test_row t = row_of(T0, 0, 0, 1, 4); /* the month can begin anew */
    put(x.s, &t, NULL);
    assert_int_equal(series_flush(x.s, &err), LT_OK);
    assert_int_equal(series_expire(x.s, january, &removed, &err), LT_OK);
    assert_int_equal(removed, 2);
    site_fini(&x);
}

static void raw_months_expire_on_both(void **state)
{
    raw_months_expire(true);
    raw_months_expire(false);
}

/* ---- other processes, damage ---- */

static void in_child(void (*body)(const struct site *x), const struct site *x)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(x);
        _exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void require(bool good, int code)
{
    if (!good)
        _exit(code);
}

static void read_only_reader(const struct site *x)
{
    struct series *s;
    size_t n = 0;
    char factor[17];
    unsigned field;
    struct series_row row = {T0, 0, 0, 0, NULL};
    require(series_open_readonly(x->dir, 480, &s, NULL) == LT_OK, 2);
    require(series_read(s, 7, SERIES_MIN, 0, INT64_MAX, count_cells, &n, NULL) == LT_OK, 3);
    require(n == 5, 4);
    require(series_column_name(s, 3, factor, &field) && strcmp(factor, "a21002") == 0 && field == 2, 5);
    require(series_column(s, LT_LIT("a21004"), 1) == 5 && series_column(s, LT_LIT("a99999"), 1) == 0, 6);
    require(series_put(s, 7, SERIES_MIN, &row, NULL, NULL) == LT_E_UNSUPPORTED, 7);
    series_close(&s);
}

static void read_only_eight(const struct site *x)
{
    struct series *s;
    size_t n = 0;
    require(series_open_readonly(x->dir, 480, &s, NULL) == LT_OK, 2);
    require(series_read(s, 7, SERIES_MIN, 0, INT64_MAX, count_cells, &n, NULL) == LT_OK, 3);
    require(n == 8, 4);
    series_close(&s);
}

static void another_process_reads_what_was_flushed(void **state)
{
    struct site x;
    size_t n = 0;
    site_init(&x, false);
    site_open(&x);
    make_columns(x.s);
    for (int i = 0; i < 8; i++) {
        struct test_row t = row_of(T0 + i * LT_MIN_MS, 0, 0, 1, i);
        put(x.s, &t, NULL);
        if (i == 4)
            assert_int_equal(series_flush(x.s, NULL), LT_OK);
    }
    in_child(read_only_reader, &x);
    series_close(&x.s); /* and when the post does not run */
    site_open(&x);
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, 0, INT64_MAX, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 8);
    series_close(&x.s);
    in_child(read_only_eight, &x);
    site_open(&x);
    site_fini(&x);
}

static void dying_writer(const struct site *at)
{
    struct site x = *at;
    struct series_config cfg = {.dir = x.dir, .tz_min = 480};
    require(series_open(&cfg, &x.s, NULL) == LT_OK, 2);
    require(series_column(x.s, LT_LIT("a21026"), 1) == 1, 3);
    for (int i = 0; i < 9; i++) {
        struct series_cell cell = {1, i};
        struct series_row row = {T0 + i * LT_MIN_MS, 0, 0, 1, &cell};
        require(series_put(x.s, 7, SERIES_MIN, &row, NULL, NULL) == LT_OK, 4);
        if (i == 5)
            require(series_flush(x.s, NULL) == LT_OK, 5);
    }
}

static void flushed_rows_outlive_the_process(void **state)
{
    struct site x;
    size_t n = 0;
    site_init(&x, false);
    in_child(dying_writer, &x);
    site_open(&x);
    assert_int_equal(series_column(x.s, LT_LIT("a21026"), 1), 1);
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, 0, INT64_MAX, count_cells, &n, NULL), LT_OK);
    assert_int_equal(n, 6);
    site_fini(&x);
}

static void spoil(const struct site *x, const char *sql)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/series/202611-raw.db", x->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void damage_is_named(void **state)
{
    struct site x;
    struct lt_error err = {0};
    size_t n = 0;
    bool left = true;
    site_init(&x, false);
    site_open(&x);
    make_columns(x.s);
    for (int i = 0; i < 48; i++) {
        struct test_row t = row_of(T0 + i * LT_HOUR_MS, 0, 0, 1, i);
        put(x.s, &t, NULL);
    }
    series_close(&x.s);
    spoil(&x, "UPDATE chunk SET bytes=substr(bytes, 1, length(bytes)-3) || x'010203' WHERE (id>>1&1023)=24*24+2");
    site_open(&x);
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, T0, INT64_MAX, count_cells, &n, &err), LT_E_CORRUPT);
    assert_int_equal(n, 2); /* what lies before the damage was given */
    assert_string_equal(err.arg[0], "202611-raw.db device 7 kind min hour 2026-11-25T02:00:00+08:00");
    struct test_row t = row_of(T0 + 2 * LT_HOUR_MS + 5, 0, 0, 1, 1);
    t.row.cells = t.cells;
    assert_int_equal(series_put(x.s, 7, SERIES_MIN, &t.row, NULL, &err), LT_E_CORRUPT);
    assert_int_equal(series_compact(x.s, T0 + 9 * LT_DAY_MS, 1000, &left, &err), LT_E_CORRUPT);
    assert_false(left); /* the other day is merged all the same */
    n = 0;
    assert_int_equal(series_read(x.s, 7, SERIES_MIN, T0 + LT_DAY_MS, INT64_MAX, count_cells, &n, &err), LT_OK);
    assert_int_equal(n, 24);
    size_t spans[3] = {0};
    struct series_range range = {7, SERIES_MIN, T0, T0 + 2 * LT_DAY_MS};
    assert_int_equal(x.s->ops->scan(x.s->b, &range, count_span, spans, NULL), LT_OK);
    assert_int_equal(spans[SERIES_SPAN_HOUR], 24);
    assert_int_equal(spans[SERIES_SPAN_DAY], 1);
    site_fini(&x);
}

static void another_time_zone_is_refused(void **state)
{
    struct site x;
    struct series *s;
    struct lt_error err = {0};
    struct series_config cfg = {.tz_min = 0};
    size_t n = 0;
    site_init(&x, false);
    site_open(&x);
    make_columns(x.s);
    struct test_row t = row_of(T0 + 20 * LT_HOUR_MS, 0, 0, 1, 1);
    put(x.s, &t, NULL);
    series_close(&x.s);
    cfg.dir = x.dir;
    assert_int_equal(series_open(&cfg, &s, &err), LT_OK);
    assert_int_equal(series_read(s, 7, SERIES_MIN, T0, T0 + LT_DAY_MS, count_cells, &n, &err), LT_E_BAD_INPUT);
    series_close(&s);
    site_open(&x);
    site_fini(&x);
}

/* ---- threads ---- */

#define STRESS_ROWS 6000

struct stress {
    struct series *s;
    int64_t known; /* rows below this minute have been put */
    int done;
    int bad;
};

struct stress_read {
    int64_t known; /* when the read began; of what comes later some may be seen and some not */
    int64_t next;
    int bad;
};

static bool stress_row(void *user, const struct series_row *row)
{
    struct stress_read *x = user;
    int64_t minute = (row->at_ms - T0) / LT_MIN_MS;
    x->bad |= minute < x->next || (minute != x->next && x->next < x->known) || row->n != 3;
    for (uint32_t i = 0; i < row->n; i++)
        x->bad |= row->cells[i].value != minute * 10000 + (int64_t)i;
    x->next = minute + 1;
    return true;
}

static void *stress_reader(void *user)
{
    struct stress *x = user;
    struct lt_rand r;
    lt_rand_init(&r, (uint64_t)(uintptr_t)&r);
    while (!__atomic_load_n(&x->done, __ATOMIC_ACQUIRE)) {
        int64_t known = __atomic_load_n(&x->known, __ATOMIC_ACQUIRE);
        if (known == 0)
            continue;
        struct stress_read read = {known, (int64_t)lt_rand_below(&r, (uint64_t)known), 0};
        int64_t from = T0 + read.next * LT_MIN_MS;
        int64_t least = known < (from - T0) / LT_MIN_MS + 2880 ? known : (from - T0) / LT_MIN_MS + 2880;
        struct lt_error err = {0};
        enum lt_err e = series_read(x->s, 7, SERIES_MIN, from, from + 2 * LT_DAY_MS, stress_row, &read, &err);
        if (e || read.bad || read.next < least) {
            print_message("%s %s %s: bad %d, read to %lld of %lld\n", lt_err_name(e), err.arg[0], err.arg[1], read.bad,
                          (long long)read.next, (long long)least);
            __atomic_store_n(&x->bad, 1, __ATOMIC_RELEASE);
        }
    }
    return NULL;
}

static void stress_care(struct stress *x, int i)
{
    bool left;
    int64_t now = T0 + i * LT_MIN_MS;
    if (i % 97 == 0)
        assert_int_equal(series_flush(x->s, NULL), LT_OK);
    if (i % 311 == 0)
        assert_int_equal(series_compact(x->s, now - LT_HOUR_MS, 30, &left, NULL), LT_OK);
}

static void readers_see_whole_rows_at_all_times(bool memory)
{
    struct site x;
    struct stress st = {0};
    pthread_t t[2];
    site_init(&x, memory);
    x.cache_bytes = 40000;
    site_open(&x);
    make_columns(x.s);
    st.s = x.s;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, stress_reader, &st), 0);
    for (int i = 0; i < STRESS_ROWS; i++) {
        struct test_row row = row_of(T0 + i * LT_MIN_MS, 0, 0, 1, i * INT64_C(10000));
        row.row.n = 3;
        row.cells[1] = (struct series_cell){5, i * INT64_C(10000) + 1};
        row.cells[2] = (struct series_cell){9, i * INT64_C(10000) + 2};
        put(x.s, &row, NULL);
        row.device = 8; /* fills the cache, so that chunks are dropped */
        put(x.s, &row, NULL);
        __atomic_store_n(&st.known, i + 1, __ATOMIC_RELEASE);
        stress_care(&st, i);
    }
    __atomic_store_n(&st.done, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(st.bad, 0);
    site_fini(&x);
}

static void readers_see_whole_rows_in_memory(void **state)
{
    readers_see_whole_rows_at_all_times(true);
}

static void readers_see_whole_rows_in_files(void **state)
{
    readers_see_whole_rows_at_all_times(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_a_set_in_memory),
        cmocka_unit_test(rows_are_a_set_in_files),
        cmocka_unit_test(order_does_not_show_in_the_bytes),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(a_moment_has_a_limit),
        cmocka_unit_test(reading_stops_when_told),
        cmocka_unit_test(single_columns_can_be_read),
        cmocka_unit_test(cache_stays_in_bounds_on_both),
        cmocka_unit_test(changes_wait_for_the_commit),
        cmocka_unit_test(waiting_changes_have_a_limit),
        cmocka_unit_test(flushed_chunks_stay_warm),
        cmocka_unit_test(full_disk_loses_nothing),
        cmocka_unit_test(failing_writes_lose_nothing),
        cmocka_unit_test(failing_compaction_changes_nothing),
        cmocka_unit_test(hours_become_days_on_both),
        cmocka_unit_test(a_day_too_large_keeps_its_hours),
        cmocka_unit_test(raw_months_expire_on_both),
        cmocka_unit_test(another_process_reads_what_was_flushed),
        cmocka_unit_test(flushed_rows_outlive_the_process),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(another_time_zone_is_refused),
        cmocka_unit_test(readers_see_whole_rows_in_memory),
        cmocka_unit_test(readers_see_whole_rows_in_files),
    };
    install_faulty_vfs();
    return cmocka_run_group_tests_name("series_store", tests, NULL, NULL);
}
