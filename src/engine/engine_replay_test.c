/* The engine's promises about order and restarts: a golden day computed elsewhere, any permutation and repetition of
 * frames gives the same values, and a process that is killed anywhere goes on to the same state. */
#include "engine/engine_test_util.h"

#include "base/text.h"

#include <sys/wait.h>

#define M         INT64_C(1000000)
#define LINES_MAX 1000

struct line {
    int64_t at_ms;
    char text[400];
};
static struct line lines[LINES_MAX];
static size_t n_lines;

static FILE *open_data(const char *name)
{
    const char *dir = getenv("ENGINE_TESTDATA");
    assert_non_null(dir);
    char path[1200];
    snprintf(path, sizeof path, "%.1000s/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

static int load_lines(void **state)
{
    FILE *f = open_data("golden_day.txt");
    char text[500];
    while (fgets(text, sizeof text, f)) {
        char *end;
        lines[n_lines].at_ms = strtoll(text, &end, 10);
        end[strcspn(end, "\n")] = 0;
        lt_text_copy(lines[n_lines++].text, sizeof lines[0].text, end + 1);
    }
    fclose(f);
    return n_lines == 460 ? 0 : 1;
}

/* The golden device: no limits, five-minute rows. */
static void golden_world(struct world *w)
{
    world_make(w);
    int64_t outlet = ADD(w, "outlet", RECORD_SET_Z("code", "DA009"), RECORD_SET_Z("name", "9号排口"),
                         RECORD_SET_I("enterprise", w->enterprise), RECORD_SET_I("convert", 1),
                         RECORD_SET_I("o2_ref", 6 * LT_FIX_ONE), RECORD_SET_I("o2_cap", 19 * LT_FIX_ONE));
    struct record_set set[] = {RECORD_SET_I("outlet", outlet), RECORD_SET_I("min_interval_min", 5)};
    change_record(w, "device", w->device, set, 2);
    world_engine(w);
}

static void put_line(struct world *w, size_t i, int64_t at_ms)
{
    put(w, JOURNAL_FRAME, at_ms, MN1, lines[i].text, strlen(lines[i].text), 0);
}

static void let_close(struct world *w, int64_t from_ms)
{
    for (int64_t t = from_ms; t <= from_ms + 30 * LT_MIN_MS; t += 5 * LT_MIN_MS) {
        tick(w, t);
        commit(w, t);
    }
    run(w, 100000);
}

static unsigned field_by_name(const char *name)
{
    static const struct {
        const char *name;
        unsigned field;
    } own[] = {{"Valid", SERIES_F_VALID},      {"State", SERIES_F_STATE},          {"Source", SERIES_F_SOURCE},
               {"CalcAvg", VALUES_F_CALC_AVG}, {"CalcZsAvg", VALUES_F_CALC_ZSAVG}, {"Diff", VALUES_F_DIFF}};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(own[i].name, name) == 0) {
            return own[i].field;
        }
    }
    return hj212_field_find(lt_slice_of(name));
}

static void compare_golden(struct world *w)
{
    FILE *f = open_data("golden_day.csv");
    char text[200];
    unsigned n = 0;
    while (fgets(text, sizeof text, f)) {
        char *part[5], *rest = text;
        for (int i = 0; i < 5; i++) {
            part[i] = strsep(&rest, ",");
        }
        bool day = strcmp(part[0], "day") == 0;
        int64_t at = T0 + strtoll(part[1], NULL, 10) * LT_HOUR_MS, want = strtoll(part[4], NULL, 10);
        int64_t got = value_at(w, w->device, day ? SERIES_DAY : SERIES_HOUR, at, part[2], field_by_name(part[3]));
        if (got != want) {
            fail_msg("%s %s %s %s: %lld, not %lld", part[0], part[1], part[2], part[3], (long long)got,
                     (long long)want);
        }
        n++;
    }
    fclose(f);
    assert_int_equal(n, 420);
}

static void the_golden_day(void **state)
{
    struct world w = {.checkpoint_s = 600};
    golden_world(&w);
    int64_t next = T0;
    for (size_t i = 0; i < n_lines; i++) {
        for (; next < lines[i].at_ms; next += LT_MIN_MS) {
            tick(&w, next);
        }
        put_line(&w, i, lines[i].at_ms);
        if (i % 5 == 4) {
            commit(&w, lines[i].at_ms);
        }
    }
    commit(&w, next);
    let_close(&w, T0 + LT_DAY_MS);
    compare_golden(&w);
    /* the ten minutes of hour 20 that came two hours late left their trail */
    assert_true(
        ask(&w,
            "SELECT count(*) FROM value_version WHERE kind = 'hour' AND factor = 'a21026' AND cause = 'late_minute'") >
        0);
    world_end(&w);
}

static void shuffle(struct lt_rand *r, size_t *a, size_t n)
{
    for (size_t i = n - 1; i > 0; i--) {
        size_t k = (size_t)lt_rand_below(r, i + 1), t = a[i];
        a[i] = a[k];
        a[k] = t;
    }
}

/* The whole day in any order, some frames twice, in batches of any size: the same 420 values. */
static void a_full_day_in_any_order(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w = {.checkpoint_s = 30};
        golden_world(&w);
        struct lt_rand r;
        lt_rand_init(&r, seed);
        size_t order[2 * LINES_MAX], n = 0;
        for (size_t i = 0; i < n_lines; i++) {
            order[n++] = i;
            if (lt_rand_below(&r, 4) == 0) {
                order[n++] = i;
            }
        }
        shuffle(&r, order, n);
        int64_t at = T0 + LT_DAY_MS + LT_HOUR_MS;
        for (size_t i = 0; i < n; i++, at += lt_rand_below(&r, 5) ? 100 : 20000) {
            put_line(&w, order[i], at);
            if (lt_rand_below(&r, 20) == 0) {
                commit(&w, at);
            }
        }
        commit(&w, at);
        let_close(&w, at);
        compare_golden(&w);
        world_end(&w);
    }
}

/* ---- permutations: as many devices, each receives the same three hours in its own order ---- */

#define DEVICES_MOST 1000 /* with --long; else 250 */

static void small_frame(struct world *w, int64_t at_ms, const char *mn, unsigned i)
{
    char items[200];
    int64_t data = T0 + (i / 12) * LT_HOUR_MS + (i % 12) * 5 * LT_MIN_MS;
    char area[400], t[18];
    lt_time_format_compact(data, LT_TZ_CHINA, false, t);
    snprintf(items, sizeof items,
             "a21026-Avg=%u.%02u,a21026-Flag=%c;a19001-Avg=%u.7,a19001-Flag=N;a00000-Avg=%u,a00000-Cou=%u.5",
             i * 7 % 31, i * 13 % 100, i % 9 == 5 ? 'D' : 'N', 8 + i % 5, 90 + i, i);
    snprintf(area, sizeof area, "DataTime=%s;%s", t, items);
    put_frame(w, at_ms, mn, i % 12 == 11 ? 2061 : 2051, data + 1000, area, HJ212_2017, 31);
}

struct sum {
    struct world *w;
    uint64_t hash;
    unsigned rows, cells;
};

static bool add_row(void *user, const struct series_row *row)
{
    struct sum *s = user;
    s->rows++;
    for (uint32_t i = 0; i < row->n; i++) {
        char code[17];
        unsigned field;
        assert_true(series_column_name(s->w->s, row->cells[i].column, code, &field));
        if (field == SERIES_F_VERSION) {
            continue; /* how often a value was made anew does depend on when its data came */
        }
        uint64_t h = (uint64_t)row->at_ms * 31 + field;
        for (const char *p = code; *p; p++) {
            h = h * 31 + (unsigned char)*p;
        }
        h = (h ^ (uint64_t)row->cells[i].value) * UINT64_C(0x9E3779B97F4A7C15);
        s->hash += h ^ h >> 31; /* a sum: columns may be numbered in any order */
        s->cells++;
    }
    return true;
}

static struct sum values_of(struct world *w, int64_t device)
{
    struct sum s = {.w = w};
    for (int kind = SERIES_HOUR; kind <= SERIES_DAY; kind++) {
        assert_int_equal(series_read(w->s, (uint32_t)device, (enum series_kind)kind, T0 - LT_DAY_MS, T0 + 2 * LT_DAY_MS,
                                     add_row, &s, NULL),
                         LT_OK);
    }
    return s;
}

static void each_device_its_own_order(void **state)
{
    const unsigned devices = getenv("LT_LONG") ? DEVICES_MOST : 250;
    struct world w = {.checkpoint_s = 30};
    world_make(&w);
    static int64_t id[DEVICES_MOST];
    char mn[32];
    assert_int_equal(sql_begin(w.db, NULL), LT_OK);
    for (unsigned d = 0; d < devices; d++) {
        snprintf(mn, sizeof mn, "9999%06u", d);
        id[d] = ADD(&w, "device", RECORD_SET_Z("mn", mn), RECORD_SET_I("outlet", w.outlet),
                    RECORD_SET_Z("status", "active"), RECORD_SET_I("min_interval_min", 5));
    }
    assert_int_equal(sql_commit(w.db, NULL), LT_OK);
    world_engine(&w);
    struct lt_rand r;
    lt_rand_init(&r, 42);
    int64_t at = T0 + LT_DAY_MS + 2 * LT_HOUR_MS;
    static size_t order[DEVICES_MOST][48];
    static size_t n[DEVICES_MOST];
    for (unsigned d = 0; d < devices; d++) {
        for (size_t i = 0; i < 36; i++) {
            order[d][n[d]++] = i;
            if (lt_rand_below(&r, 4) == 0 && n[d] < 48 - (36 - i)) {
                order[d][n[d]++] = i;
            }
        }
        shuffle(&r, order[d], n[d]);
    }
    for (size_t step = 0; step < 48; step++) { /* devices take turns; 48 commits, 10 s apart: hours close in between */
        for (unsigned d = 0; d < devices; d++) {
            snprintf(mn, sizeof mn, "9999%06u", d);
            if (step < n[d]) {
                small_frame(&w, at, mn, (unsigned)order[d][step]);
            }
        }
        commit(&w, at);
        at += 10 * LT_SEC_MS;
    }
    let_close(&w, at);
    struct sum first = values_of(&w, id[0]);
    assert_int_equal(first.rows, 4); /* three hours and a day */
    assert_true(first.cells > 60);
    for (unsigned d = 1; d < devices; d++) {
        struct sum s = values_of(&w, id[d]);
        if (s.hash != first.hash || s.cells != first.cells || s.rows != first.rows) {
            fail_msg("device %u differs: %u cells, not %u", d, s.cells, first.cells);
        }
    }
    assert_true(ask(&w, "SELECT count(*) FROM value_version") >
                0); /* orders did differ in what they showed on the way */
    world_end(&w);
}

/* ---- killed anywhere ---- */

static void dump_query(struct sql_db *db, const char *sql, FILE *out)
{
    struct sql_stmt *st;
    bool row;
    assert_int_equal(sql_prepare(db, sql, &st, NULL), LT_OK);
    fprintf(out, "== %s\n", sql);
    while (sql_step(st, &row, NULL) == LT_OK && row) {
        for (int c = 0; c < sql_cols(st); c++) {
            struct lt_slice s = sql_col_blob(st, c);
            for (size_t i = 0; i < s.n; i++) {
                unsigned char b = (unsigned char)s.p[i];
                fprintf(out, b >= ' ' && b < 127 ? "%c" : "\\%02x", b);
            }
            fputc('|', out);
        }
        fputc('\n', out);
    }
    sql_release(&st);
}

/* Everything the engine is answerable for, as text. The caller frees. */
static char *dump(const char *dir)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    char path[128];
    snprintf(path, sizeof path, "%s/state.db", dir);
    struct sql_db *db;
    assert_int_equal(sql_open(path, false, &db, NULL), LT_OK);
    static const char *const queries[] = {
        "SELECT * FROM alarm ORDER BY id",
        "SELECT alarm_key, rule, rule_version, at_ms, seq, outcome, inputs FROM verdict ORDER BY alarm_key, seq, "
        "outcome",
        "SELECT * FROM value_version ORDER BY device, period_at_ms, kind, factor, field, version",
        "SELECT * FROM ledger ORDER BY day, mn",
        "SELECT day, mn, reason, n FROM ledger_reject ORDER BY day, mn, reason",
        "SELECT * FROM device_state ORDER BY device",
        "SELECT * FROM engine_cursor",
        "SELECT id, mn, status, first_at_ms, last_at_ms FROM device ORDER BY id",
        "SELECT kind, record_id, version, action, change FROM record_history WHERE kind IN ('alarm','device') ORDER BY "
        "id",
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        dump_query(db, queries[i], out);
    }
    struct world w = {0};
    struct series_config sc = {.dir = dir, .tz_min = LT_TZ_CHINA};
    assert_int_equal(series_open(&sc, &w.s, NULL), LT_OK);
    for (int64_t d = 1; d <= 4; d++) {
        struct sum s = values_of(&w, d);
        for (int64_t h = T0; h < T0 + 6 * LT_HOUR_MS; h += LT_HOUR_MS) {
            fprintf(out, "version %lld\n", (long long)value_at(&w, d, SERIES_HOUR, h, "a21026", SERIES_F_VERSION));
        }
        fprintf(out, "device %lld: %u rows %u cells %016llx\n", (long long)d, s.rows, s.cells,
                (unsigned long long)s.hash);
    }
    series_close(&w.s);
    sql_close(&db);
    fclose(out);
    return text;
}

/* Some hours of two devices and a stranger, with exceedances, late rows, bad marks, refusals, silence and a frozen
 * value. */
static void eventful_journal(struct world *w)
{
    struct lt_rand r;
    lt_rand_init(&r, 99);
    for (int64_t t = T0; t < T0 + 5 * LT_HOUR_MS; t += LT_MIN_MS) {
        unsigned m = (unsigned)((t - T0) / LT_MIN_MS);
        char items[300];
        int64_t late = m / 60 == 1 && m % 60 > 50 ? 100 * LT_MIN_MS : 0;
        snprintf(items, sizeof items,
                 "a21026-Avg=%u.%02u,a21026-Flag=%c;a19001-Avg=11,a19001-Flag=N;a21002-Avg=%u,a21002-Flag=N",
                 m / 60 == 2 ? 10U : 20 + (unsigned)lt_rand_below(&r, 10), (unsigned)lt_rand_below(&r, 100),
                 lt_rand_below(&r, 30) ? 'N' : 'M', 20 + (unsigned)lt_rand_below(&r, 20));
        if (!late) {
            frame(w, t + 60500, MN1, 2051, t, items);
        }
        if (m >= 160 && m < 170) {
            snprintf(items, sizeof items, "a21026-Avg=%u,a21026-Flag=N;a19001-Avg=11,a19001-Flag=N", m % 7);
            frame(w, t + 60600, MN1, 2051, T0 + (m - 160 + 111) * LT_MIN_MS, items); /* late rows of hour 1 */
        }
        if (m < 100 || m > 130) { /* the other one is silent for half an hour, and frozen at the end */
            snprintf(items, sizeof items, "a21026-Rtd=%u.%u,a21026-Flag=N;a19001-Rtd=%u.%u,a19001-Flag=N",
                     m < 220 ? 30 + m % 5 : 33, m < 220 ? (unsigned)lt_rand_below(&r, 10) : 3, m % 90 == 7 ? 22U : 9U,
                     (unsigned)lt_rand_below(&r, 10));
            frame(w, t + 60700, MN2, 2011, t + LT_MIN_MS, items);
        }
        if (m % 60 == 0 && m) {
            snprintf(items, sizeof items, "a21026-Avg=%u,a21026-ZsAvg=%u,a21026-Flag=N", 24, 36);
            frame(w, t + 60800, MN2, 2061, t - LT_HOUR_MS, items);
        }
        if (m == 140) {
            frame(w, t + 60850, "STRANGER01", 2011, t, "a21026-Rtd=1");
        }
        if (lt_rand_below(&r, 10) == 0) {
            put(w, JOURNAL_REJECT, t + 60900, MN2, "##", 2, HJ212_E_CRC);
            put(w, JOURNAL_DUPLICATE, t + 60900, MN1, "", 0, 0);
        }
        tick(w, t + 61000);
        commit(w, t + 61000);
    }
}

enum { DIE_APPLIED, DIE_UNSAID, DIE_COMMITTED, DIE_FLUSHED, DIE_CLOSED, DIE_MODES, FINISH };

/* In a process of its own: goes on for `most` batches, then dies without closing anything. */
static void live(const char *dir, unsigned most, int mode)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        return;
    }
    struct world w = {.checkpoint_s = mode == DIE_CLOSED ? 1000000 : 600};
    snprintf(w.dir, sizeof w.dir, "%s", dir);
    world_engine(&w);
    run(&w, most);
    if (mode == FINISH) {
        _exit(engine_checkpoint(w.e, NULL) == LT_OK ? 0 : 1);
    }
    struct journal_reader *r;
    struct journal_batch *b = NULL;
    assert_int_equal(journal_reader_open(dir, &r, NULL), LT_OK);
    if (journal_reader_next(r, engine_next_seq(w.e), &b, NULL) == LT_OK) {
        assert_int_equal(engine_apply(w.e, b, NULL), LT_OK);
    }
    if (mode == DIE_UNSAID) { /* the series is written out before the engine has told what follows */
        series_close(&w.s);
        _exit(0);
    }
    if (mode != DIE_APPLIED) {
        assert_int_equal(engine_commit(w.e, NULL), LT_OK);
    }
    if (mode == DIE_CLOSED) { /* stores what it holds, hours of which no state tells */
        series_close(&w.s);
    }
    if (mode == DIE_FLUSHED) { /* between the two halves of a checkpoint */
        assert_int_equal(series_flush(w.s, NULL), LT_OK);
    }
    _exit(0);
}

static void copy_dir(const char *from, const char *to)
{
    DIR *d = opendir(from);
    assert_non_null(d);
    mkdir(to, 0700);
    for (const struct dirent *x; (x = readdir(d));) {
        if (x->d_name[0] == '.') {
            continue;
        }
        char a[1024], b[1024], buf[65536];
        snprintf(a, sizeof a, "%.700s/%.255s", from, x->d_name);
        snprintf(b, sizeof b, "%.700s/%.255s", to, x->d_name);
        struct stat st;
        assert_int_equal(stat(a, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            copy_dir(a, b);
            continue;
        }
        FILE *in = fopen(a, "rb"), *out = fopen(b, "wb");
        assert_true(in && out);
        for (size_t n; (n = fread(buf, 1, sizeof buf, in)) > 0;) {
            assert_int_equal(fwrite(buf, 1, n, out), n);
        }
        fclose(in);
        fclose(out);
    }
    closedir(d);
}

static void killed_anywhere_it_ends_the_same(void **state)
{
    struct world w = {0};
    world_make(&w);
    add_device(&w, MN2, w.outlet);
    eventful_journal(&w);
    journal_close(&w.j);
    sql_close(&w.db);
    char dir[96];
    snprintf(dir, sizeof dir, "%.80s-copy", w.dir);
    copy_dir(w.dir, dir);
    live(dir, UINT32_MAX, FINISH);
    char *want = dump(dir);
    assert_non_null(strstr(want, "hour_exceed"));
    assert_non_null(strstr(want, "late_minute"));
    assert_non_null(strstr(want, "constant"));
    assert_non_null(strstr(want, "silence"));
    assert_non_null(strstr(want, "STRANGER01"));
    remove_tree(dir);
    struct lt_rand r;
    lt_rand_init(&r, 4711);
    const int rounds = getenv("LT_LONG") ? 24 : 4;
    for (int round = 0; round < rounds; round++) {
        copy_dir(w.dir, dir);
        for (unsigned done = 0; done < 300;) {
            unsigned n = (unsigned)lt_rand_below(&r, 60);
            live(dir, n, (int)lt_rand_below(&r, DIE_MODES));
            done += n;
        }
        live(dir, UINT32_MAX, FINISH);
        char *got = dump(dir);
        if (strcmp(want, got) != 0) {
            size_t i = 0;
            while (want[i] && want[i] == got[i]) {
                i++;
            }
            i = i > 200 ? i - 200 : 0;
            fail_msg("round %d differs:\n%.400s\n---- not\n%.400s", round, got + i, want + i);
        }
        free(got);
        remove_tree(dir);
    }
    free(want);
    world_end(&w);
}

/* Every other hour ends in maintenance marks over high values, one hour is corrected much later, one exceeds. */
static void hiding_journal(struct world *w)
{
    for (int h = 0; h < 8; h++) {
        for (unsigned m = 0; m < 60; m += 5) {
            int64_t data = T0 + h * LT_HOUR_MS + m * LT_MIN_MS, at = data + 5 * LT_MIN_MS;
            bool hide = h % 2 && m > 30;
            char items[200];
            snprintf(items, sizeof items, "a21026-Avg=%u,a21026-Flag=%c;a19001-Avg=6,a19001-Flag=N",
                     hide ? 400U + m : 10 + m % 7, hide ? 'M' : 'N');
            frame(w, at, MN1, 2051, data, items);
            if ((h == 3 || h == 5) && m == 0) { /* hour 2 exceeds; hours later it does not */
                snprintf(items, sizeof items, "a21026-Avg=%u,a21026-ZsAvg=%u,a21026-Flag=N", h == 3 ? 90U : 9U,
                         h == 3 ? 95U : 10U);
                frame(w, at + 100, MN1, 2061, T0 + 2 * LT_HOUR_MS, items);
            }
            tick(w, at);
            commit(w, at);
        }
    }
    for (int64_t at = T0 + 8 * LT_HOUR_MS; at < T0 + 8 * LT_HOUR_MS + 8 * LT_MIN_MS; at += LT_MIN_MS) {
        tick(w, at);
        commit(w, at);
    }
}

/* The series holds hours the lost state knew of: applied again, they must move the memory of the rules once more. */
static void hours_without_their_state_end_the_same(void **state)
{
    struct world w = {0};
    world_make(&w);
    hiding_journal(&w);
    journal_close(&w.j);
    sql_close(&w.db);
    char dir[96];
    snprintf(dir, sizeof dir, "%.80s-copy", w.dir);
    copy_dir(w.dir, dir);
    live(dir, UINT32_MAX, FINISH);
    char *want = dump(dir);
    assert_non_null(strstr(want, "flag_abuse"));
    assert_non_null(strstr(want, "hour_exceed"));
    remove_tree(dir);
    static const unsigned lost[] = {17, 40, 62, 75, 96, UINT32_MAX};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        copy_dir(w.dir, dir);
        live(dir, lost[i], DIE_CLOSED);
        live(dir, UINT32_MAX, FINISH);
        char *got = dump(dir);
        if (strcmp(want, got) != 0) {
            size_t k = 0;
            while (want[k] && want[k] == got[k]) {
                k++;
            }
            k = k > 300 ? k - 300 : 0;
            fail_msg("after %u batches it differs:\n%.700s\n---- not\n%.700s", lost[i], got + k, want + k);
        }
        free(got);
        remove_tree(dir);
    }
    free(want);
    world_end(&w);
}

/* ---- the thread ---- */

static void the_thread_follows_the_tail(void **state)
{
    struct world w = {0};
    world_make(&w);
    struct series_config sc = {.dir = w.dir, .tz_min = LT_TZ_CHINA};
    assert_int_equal(series_open(&sc, &w.s, NULL), LT_OK);
    struct journal_tail *tail = journal_tail_create(w.dir);
    struct engine_config ec = {.dir = w.dir, .series = w.s, .tail = tail, .tz_min = LT_TZ_CHINA};
    assert_int_equal(engine_start(&ec, &w.e, NULL), LT_OK);
    /* an hour back, as if the wall clock had been put forward since: the engine is not an hour late for that */
    int64_t now = lt_wall_ms() - LT_HOUR_MS, hour = lt_hour_start(now, LT_TZ_CHINA) - LT_HOUR_MS;
    frame(&w, now, MN1, 2061, hour, "a21026-Avg=24,a21026-ZsAvg=36,a21026-Flag=N");
    commit(&w, now);
    journal_tail_publish(tail, w.j, lt_mono_ms());
    assert_true(engine_wait(w.e, 1, 5000));
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), 1);
    assert_false(engine_wait(w.e, 2, 10));
    engine_fault(w.e, "disk_fault", true, LT_LIT("{\"path\":\"/data\"}"));
    for (int i = 0; i < 50 && ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'disk_fault'") < 1; i++) {
        frame(&w, now + i, MN1, 2011, now, "a21026-Rtd=1");
        commit(&w, now + i);
        journal_tail_publish(tail, w.j, lt_mono_ms());
        engine_wait(w.e, journal_last_seq(w.j), 5000);
    }
    assert_int_equal(ask(&w, "SELECT count(*) FROM alarm WHERE rule = 'disk_fault' AND active"), 1);
    struct engine_value v[4];
    assert_int_equal(engine_latest(w.e, w.device, v, 4), 1);
    struct engine_stats s;
    engine_stats(w.e, &s);
    assert_true(s.frames >= 2 && s.alarms_raised >= 2);
    assert_in_range(s.lag_ms, 0, 30 * LT_MIN_MS);
    engine_stop(&w.e);
    assert_int_equal(ask(&w, "SELECT series_seq FROM engine_cursor"), (int64_t)journal_last_seq(w.j));
    journal_tail_destroy(&tail);
    world_end(&w);
}

/* The journal of an older copy beside a newer state: its next records would have numbers the state has seen. */
static void a_journal_behind_the_state_is_refused(void **state)
{
    struct world w = {0};
    struct lt_error err;
    world_make(&w);
    struct series_config sc = {.dir = w.dir, .tz_min = LT_TZ_CHINA};
    assert_int_equal(series_open(&sc, &w.s, NULL), LT_OK);
    struct journal_tail *tail = journal_tail_create(w.dir);
    struct engine_config ec = {.dir = w.dir, .series = w.s, .tail = tail, .tz_min = LT_TZ_CHINA};
    int64_t now = lt_wall_ms();
    frame(&w, now, MN1, 2011, now, "a21026-Rtd=1");
    commit(&w, now);
    assert_int_equal(engine_start(&ec, &w.e, NULL), LT_OK);
    assert_true(engine_wait(w.e, 1, 5000));
    engine_stop(&w.e);
    assert_int_equal(sql_exec(w.db, "UPDATE engine_cursor SET state_seq = 2", NULL), LT_OK);
    assert_int_equal(engine_start(&ec, &w.e, &err), LT_E_CORRUPT);
    assert_null(w.e);
    assert_string_equal(err.field, "journal");
    frame(&w, now + 1, MN1, 2011, now + 1000, "a21026-Rtd=2");
    commit(&w, now + 1);
    assert_int_equal(engine_start(&ec, &w.e, &err), LT_OK); /* as far as the state: well */
    engine_stop(&w.e);
    journal_tail_destroy(&tail);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_day),
        cmocka_unit_test(a_full_day_in_any_order),
        cmocka_unit_test(each_device_its_own_order),
        cmocka_unit_test(killed_anywhere_it_ends_the_same),
        cmocka_unit_test(hours_without_their_state_end_the_same),
        cmocka_unit_test(the_thread_follows_the_tail),
        cmocka_unit_test(a_journal_behind_the_state_is_refused),
    };
    const char *only = getenv("ENGINE_TEST"); /* one test by name, to look at it alone */
    if (only) {
        cmocka_set_test_filter(only);
    }
    return cmocka_run_group_tests(tests, load_lines, NULL);
}
