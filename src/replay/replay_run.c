/* The run: where it begins, one or two private engines over the same batches, and the end. */
#include "replay/replay_priv.h"

#include "journal/journal.h"
#include "series/series.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define AFTER_MS      (15 * LT_MIN_MS)  /* the last day closes ten minutes after its end */
#define HISTORY_MS    (120 * LT_DAY_MS) /* hour values substitution looks back on (engine_hour.c) */
#define TELL_EVERY_MS 200
#define CACHE_DEFAULT ((size_t)256 << 20)

/* ---- scratch ---- */

static void remove_tree(const char *path, unsigned depth)
{
    DIR *d = depth > 4 ? NULL : opendir(path); /* series/ is one deep */
    for (const struct dirent *x; d && (x = readdir(d));) {
        char sub[1400];
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        snprintf(sub, sizeof sub, "%.1100s/%.255s", path, x->d_name);
        if (unlink(sub) != 0)
            remove_tree(sub, depth + 1);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static enum lt_err make_dir(const char *path, struct lt_error *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
}

/* Numbers columns as the post does, so that rows can be compared as they stand. */
static enum lt_err same_columns(struct series *from, struct series *to, struct lt_error *err)
{
    char factor[17];
    unsigned field;
    for (unsigned c = 1; c < 65536 && series_column_name(from, (uint16_t)c, factor, &field); c++)
        if (series_column(to, lt_slice_of(factor), field) != c)
            return lt_fail(err, LT_E_INTERNAL, NULL, "columns", NULL, NULL);
    return LT_OK;
}

static enum lt_err open_lane(struct replay *r, struct lane *l, size_t index, struct lt_error *err)
{
    snprintf(l->dir, sizeof l->dir, "%.1000s/%zu", r->cfg.scratch, index);
    enum lt_err e = make_dir(l->dir, err);
    struct series_config sc = {
        .dir = l->dir, .tz_min = r->cfg.tz_min, .cache_bytes = r->cfg.cache_bytes ? r->cfg.cache_bytes : CACHE_DEFAULT};
    if (e == LT_OK)
        e = series_open(&sc, &l->s, err);
    if (e == LT_OK)
        e = same_columns(r->recorded, l->s, err);
    if (e == LT_OK && !tally_init(&l->tally))
        e = lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    return e;
}

static enum lt_err start_lane(struct replay *r, struct lane *l, size_t index, int64_t at_ms, struct lt_error *err)
{
    l->priv = (struct engine_private){.after_seq = r->res.first_seq - 1,
                                      .config_at_ms = at_ms,
                                      .change = index && r->cfg.change ? r->cfg.change->item : NULL,
                                      .n_change = index && r->cfg.change ? r->cfg.change->n : 0,
                                      .on_effect = tally_effect,
                                      .user = &l->tally};
    struct engine_config ec = {
        .dir = r->cfg.dir, .series = l->s, .tz_min = r->cfg.tz_min, .no_latest_events = true, .private = &l->priv};
    l->tally.verdicts_from = UINT64_MAX;
    return engine_open(&ec, &l->e, err);
}

static void close_lane(struct lane *l)
{
    engine_close(&l->e);
    if (l->s) {
        series_forget(l->s, INT64_MAX);
        series_close(&l->s);
    }
    tally_fini(&l->tally);
}

/* ---- where to begin ---- */

static enum lt_err find_start(struct replay *r, struct journal_reader *jr, int64_t *ret_at_ms, struct lt_error *err)
{
    struct replay_result *res = &r->res;
    struct journal_batch *b = NULL;
    enum lt_err e = journal_reader_next(jr, 1, &b, err);
    if (e == LT_E_NOT_FOUND)
        return lt_fail(err, LT_E_NOT_FOUND, NULL, "journal", r->cfg.dir, NULL);
    if (e != LT_OK)
        return e;
    struct journal_record rec;
    size_t pos = 0;
    unsigned warm = r->cfg.warm_days ? r->cfg.warm_days : REPLAY_WARM_DAYS;
    int64_t want = lt_day_start(res->from_ms - (int64_t)warm * LT_DAY_MS, r->cfg.tz_min);
    *ret_at_ms = journal_batch_next(b, &pos, &rec) ? rec.at_ms : b->at_ms;
    res->first_seq = b->first_seq;
    res->exact = b->first_seq == 1 && *ret_at_ms >= want;
    res->expired = b->first_seq > 1 && *ret_at_ms > res->from_ms;
    journal_batch_unref(&b);
    if (res->exact || *ret_at_ms >= want) {
        res->warm_ms = *ret_at_ms;
        return *ret_at_ms < res->to_ms ? LT_OK : lt_fail(err, LT_E_NOT_FOUND, NULL, "journal", r->cfg.dir, NULL);
    }
    uint64_t seq = 0;
    e = journal_reader_seek_time(jr, want, &seq, err);
    if (e == LT_OK)
        e = journal_reader_next(jr, seq, &b, err);
    if (e == LT_OK) { /* whole batches: that is how the post judged */
        pos = 0;
        res->first_seq = b->first_seq;
        *ret_at_ms = journal_batch_next(b, &pos, &rec) ? rec.at_ms : b->at_ms;
        journal_batch_unref(&b);
    }
    res->warm_ms = *ret_at_ms;
    return e;
}

struct copying {
    struct replay *r;
    uint32_t device;
    enum lt_err e;
    struct lt_error *err;
};

static bool copy_row(void *user, const struct series_row *row)
{
    struct copying *c = user;
    for (size_t i = 0; c->e == LT_OK && i < c->r->n_lane; i++)
        c->e = series_replace(c->r->lane[i].s, c->device, SERIES_HOUR, row, NULL, c->err);
    return c->e == LT_OK;
}

/* A run that begins in the middle: hour values before it are those on record, where rules look back on them (amounts
 * that were substituted, exempt hours of the month). */
static enum lt_err copy_history(struct replay *r, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row;
    enum lt_err e = r->res.exact
                        ? LT_OK
                        : sql_prepare(r->db,
                                      "SELECT d.id, coalesce(o.substitution, 0) FROM device d LEFT JOIN outlet o ON "
                                      "o.id = d.outlet ORDER BY d.id",
                                      &st, err);
    int64_t month = lt_month_start(r->res.warm_ms, r->cfg.tz_min);
    while (st && e == LT_OK && (e = sql_step(st, &row, err)) == LT_OK && row) {
        struct copying c = {r, (uint32_t)sql_col_i64(st, 0), LT_OK, err};
        int64_t from = sql_col_i64(st, 1) ? r->res.warm_ms - HISTORY_MS : month;
        e = series_read(r->recorded, c.device, SERIES_HOUR, from, r->res.warm_ms, copy_row, &c, err);
        e = e == LT_OK ? c.e : e;
    }
    sql_release(&st);
    return e;
}

/* ---- the loop ---- */

struct loop {
    struct replay *r;
    uint64_t most_seq; /* on record up to here */
    int64_t told_ms, forgot_ms, from_ms;
    bool in_window;
};

static enum lt_err apply(struct replay *r, const struct journal_batch *b, struct lt_error *err)
{
    for (size_t i = 0; i < r->n_lane; i++) {
        enum lt_err e = engine_apply(r->lane[i].e, b, err);
        if (e == LT_OK)
            e = engine_commit(r->lane[i].e, err);
        if (e != LT_OK)
            return e;
        if (r->lane[i].tally.failed)
            return lt_fail(err, LT_E_LIMIT, NULL, "alarms of a replay", "1000000", NULL);
    }
    return LT_OK;
}

static void figures(struct replay *r, int64_t *ret_now_ms)
{
    struct engine_stats st;
    engine_stats(r->lane[0].e, &st);
    r->res.records = st.records;
    r->res.frames = st.frames;
    *ret_now_ms = st.now_ms;
}

static void begin_window(struct loop *l, const struct journal_batch *b)
{
    struct replay *r = l->r;
    l->in_window = true;
    r->res.window_seq = b->first_seq - 1;
    figures(r, &r->recorded_ms);
    for (size_t i = 0; i < r->n_lane; i++)
        r->lane[i].tally.verdicts_from = r->res.window_seq;
}

static enum lt_err tell(struct loop *l, int64_t at_ms, struct lt_error *err)
{
    struct replay *r = l->r;
    int64_t mono = lt_mono_ms(), now;
    if (at_ms - l->forgot_ms >= LT_HOUR_MS) {
        l->forgot_ms = at_ms;
        for (size_t i = 0; i < r->n_lane; i++)
            series_forget(r->lane[i].s, at_ms - REPLAY_LATE_DAYS * LT_DAY_MS);
    }
    if (!r->cfg.progress || mono - l->told_ms < TELL_EVERY_MS)
        return LT_OK;
    l->told_ms = mono;
    figures(r, &now);
    double span = (double)(r->res.to_ms - l->from_ms), done = (double)(at_ms - l->from_ms);
    struct replay_progress p = {.share = span > 0 && done > 0 ? (done < span ? done / span : 1) : 0,
                                .at_ms = at_ms,
                                .records = r->res.records,
                                .frames = r->res.frames};
    return r->cfg.progress(r->cfg.user, &p) ? LT_OK : lt_fail(err, LT_E_TIMEOUT, NULL, "replay", NULL, NULL);
}

static enum lt_err run_batches(struct replay *r, struct journal_reader *jr, uint64_t most_seq, struct lt_error *err)
{
    struct loop l = {.r = r, .most_seq = most_seq, .from_ms = r->res.warm_ms, .forgot_ms = r->res.warm_ms};
    int64_t stop_ms = r->res.to_ms + AFTER_MS;
    uint64_t seq = r->res.first_seq;
    enum lt_err e = LT_OK;
    r->res.end_seq = seq - 1;
    while (e == LT_OK) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(jr, seq, &b, err);
        if (e != LT_OK)
            break;
        uint64_t last = b->first_seq + b->count - 1;
        bool over = b->at_ms > stop_ms || last > l.most_seq;
        if (!over && !l.in_window && b->at_ms >= r->res.from_ms)
            begin_window(&l, b);
        if (!over)
            e = apply(r, b, err);
        if (e == LT_OK && !over) {
            r->res.end_seq = last;
            e = tell(&l, b->at_ms, err);
        }
        seq = last + 1;
        journal_batch_unref(&b);
        if (over)
            break;
    }
    e = e == LT_E_NOT_FOUND ? LT_OK : e;
    figures(r, &r->res.end_ms);
    if (e == LT_OK && !l.in_window)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "journal", r->cfg.dir, NULL);
    return e;
}

/* ---- all of it ---- */

static enum lt_err open_post(struct replay *r, struct journal_reader **jr, uint64_t *ret_most, struct lt_error *err)
{
    char path[1100];
    int64_t seq = 0;
    snprintf(path, sizeof path, "%.1000s/state.db", r->cfg.dir);
    enum lt_err e = sql_open(path, true, &r->db, err);
    if (e == LT_OK)
        e = series_open_readonly(r->cfg.dir, r->cfg.tz_min, &r->recorded, err);
    if (e == LT_OK)
        e = journal_reader_open(r->cfg.dir, jr, err);
    if (e == LT_OK)
        e = journal_reader_last_seq(*jr, &r->last_seq, err);
    /* Values are on record up to the last checkpoint; alarms at least as far. */
    if (e == LT_OK)
        e = sql_get_i64(r->db, "SELECT series_seq FROM engine_cursor WHERE id = 1", NULL, &seq, err);
    *ret_most = (uint64_t)seq;
    if (e == LT_OK)
        e = places_load(r->db, r->cfg.territory, &r->places, err);
    return e;
}

static enum lt_err run(struct replay *r, struct lt_error *err)
{
    struct journal_reader *jr = NULL;
    uint64_t most = 0;
    int64_t at_ms = 0;
    r->n_lane = r->cfg.change && r->cfg.change->n ? 2 : 1;
    r->res.changed = r->n_lane == 2;
    enum lt_err e = open_post(r, &jr, &most, err);
    if (e == LT_OK)
        e = find_start(r, jr, &at_ms, err);
    if (e == LT_OK) {
        remove_tree(r->cfg.scratch, 0); /* of a run that was killed */
        e = make_dir(r->cfg.scratch, err);
    }
    for (size_t i = 0; e == LT_OK && i < r->n_lane; i++)
        e = open_lane(r, &r->lane[i], i, err);
    if (e == LT_OK)
        e = copy_history(r, err);
    for (size_t i = 0; e == LT_OK && i < r->n_lane; i++)
        e = start_lane(r, &r->lane[i], i, at_ms, err);
    if (e == LT_OK)
        e = run_batches(r, jr, most, err);
    journal_reader_close(&jr);
    return e == LT_OK ? replay_compare(r, err) : e;
}

enum lt_err replay_run(const struct replay_config *cfg, struct replay **ret, struct lt_error *err)
{
    *ret = NULL;
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        return lt_fail(err, LT_E_NOMEM, "replay", NULL, NULL, NULL);
    int64_t began = lt_mono_ms(), last_day;
    r->cfg = *cfg;
    r->words = LT_BUF_INIT((size_t)512 << 20);
    enum lt_err e = LT_OK;
    if (!lt_day_number_start(cfg->day_from, cfg->tz_min, &r->res.from_ms) ||
        !lt_day_number_start(cfg->day_to, cfg->tz_min, &last_day) || last_day < r->res.from_ms ||
        last_day - r->res.from_ms >= REPLAY_DAYS_MAX * LT_DAY_MS)
        e = lt_fail(err, LT_E_FIELD_RANGE, "to", "to", "from", "400 d");
    r->res.to_ms = e == LT_OK ? last_day + LT_DAY_MS : 0;
    if (e == LT_OK)
        e = run(r, err);
    for (size_t i = 0; i < 2; i++)
        close_lane(&r->lane[i]);
    if (e != LT_E_FIELD_RANGE)
        remove_tree(cfg->scratch, 0);
    series_close(&r->recorded);
    sql_close(&r->db);
    places_fini(&r->places);
    r->cfg = (struct replay_config){0};
    r->res.seconds = (double)(lt_mono_ms() - began) / 1000;
    if (e != LT_OK)
        replay_free(&r);
    *ret = r;
    return e;
}

void replay_free(struct replay **pr)
{
    struct replay *r = *pr;
    if (!r)
        return;
    void *const owned[] = {r->res.by_rule, r->res.by_county, r->res.by_plant, r->res.by_day, r->diff};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    lt_buf_fini(&r->words);
    free(r);
    *pr = NULL;
}

const struct replay_result *replay_result(const struct replay *r)
{
    return &r->res;
}

size_t replay_diffs(const struct replay *r)
{
    return r->n_diff;
}

const struct replay_diff *replay_diff_at(const struct replay *r, size_t i)
{
    return &r->diff[i];
}
