/* Makes a demonstration directory, step by step; see demo.h. */
#include "demo/demo.h"
#include "alarm/alarm.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "journal/journal.h"
#include "record/record.h"
#include "series/series.h"
#include "sql/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lt_err write_file(const char *dir, const char *name, struct lt_slice text, struct lt_error *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(text.p, 1, text.n, f) == text.n;
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
}

/* Runs the engine over the whole journal. */
static enum lt_err run_engine(const struct demo_config *cfg, struct lt_error *err)
{
    struct series_config sc = {.dir = cfg->dir, .tz_min = cfg->tz_min};
    struct engine_config ec = {.dir = cfg->dir,
                               .tz_min = cfg->tz_min,
                               .no_latest_events = true,
                               .checkpoint_s = 12 * 3600,
                               .checkpoint_records = 200000};
    struct journal_reader *r = NULL;
    struct engine *en = NULL;
    struct journal_batch *b;
    enum lt_err e = series_open(&sc, &ec.series, err);
    if (e == LT_OK && (e = engine_open(&ec, &en, err)) == LT_OK)
        e = journal_reader_open(cfg->dir, &r, err);
    while (e == LT_OK && (e = journal_reader_next(r, engine_next_seq(en), &b, err)) == LT_OK) {
        if (cfg->progress)
            cfg->progress(cfg->user, "values and rules",
                          1 - (double)(cfg->now_ms - b->at_ms) / (double)(cfg->days * LT_DAY_MS));
        e = engine_apply(en, b, err);
        journal_batch_unref(&b);
        if (e == LT_OK && engine_checkpoint_due(en))
            e = engine_checkpoint(en, err);
    }
    if (e == LT_E_NOT_FOUND) /* the end of the journal */
        e = engine_checkpoint(en, err);
    engine_close(&en);
    journal_reader_close(&r);
    series_close(&ec.series);
    return e;
}

static enum lt_err make(const struct demo_config *cfg, const struct demo_plan *plan, int64_t from_ms, struct sql_db *db,
                        struct demo_result *ret, struct lt_error *err)
{
    char once[64];
    enum lt_err e = record_setup(db, err);
    if (e == LT_OK)
        e = auth_setup(db, from_ms, once, sizeof once, err);
    if (e == LT_OK)
        e = alarm_setup(db, from_ms, err);
    if (e == LT_OK)
        e = demo_records(cfg, plan, db, from_ms, err);
    if (e == LT_OK)
        e = demo_air(cfg, plan, db, err);
    if (e == LT_OK)
        e = demo_targets(cfg, db, err);
    if (e == LT_OK)
        e = demo_journal(cfg, plan, from_ms, &ret->frames, err);
    if (e == LT_OK)
        e = run_engine(cfg, err);
    if (e == LT_OK)
        e = demo_people(cfg, db, &ret->alarms, err);
    return e;
}

enum lt_err demo_make(const struct demo_config *given, struct demo_result *ret, struct lt_error *err)
{
    struct demo_config cfg = *given;
    cfg.outlets = cfg.outlets ? cfg.outlets : 600;
    cfg.seed = cfg.seed ? cfg.seed : 1;
    char path[512], text[160];
    struct sql_db *db = NULL;
    *ret = (struct demo_result){0};
    snprintf(path, sizeof path, "%s/state.db", cfg.dir);
    if (access(path, F_OK) == 0)
        return lt_fail(err, LT_E_DUPLICATE, NULL, cfg.dir, "", NULL);
    if (mkdir(cfg.dir, 0750) != 0 && errno != EEXIST)
        return lt_fail(err, LT_E_IO, NULL, cfg.dir, strerror(errno), NULL);
    struct demo_plan *plan = demo_plan_create(cfg.seed, cfg.outlets);
    if (!plan)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    int64_t from_ms = lt_day_start(cfg.now_ms - cfg.days * LT_DAY_MS, cfg.tz_min);
    enum lt_err e = write_file(cfg.dir, "boundaries.geojson", demo_boundaries(), err);
    if (e == LT_OK && (e = sql_open(path, false, &db, err)) == LT_OK)
        e = make(&cfg, plan, from_ms, db, ret, err);
    sql_close(&db);
    ret->enterprises = (unsigned)plan->plants;
    ret->outlets = plan->outlets;
    demo_plan_destroy(&plan);
    if (e != LT_OK)
        return e;
    /* written last: only a finished city is one */
    int n = snprintf(text, sizeof text, "{\"seed\":%llu,\"outlets\":%u,\"made_at_ms\":%lld}\n",
                     (unsigned long long)cfg.seed, cfg.outlets, (long long)cfg.now_ms);
    return write_file(cfg.dir, "demo.json", (struct lt_slice){text, (size_t)n}, err);
}

enum lt_err demo_read(const char *dir, struct demo_info *ret, struct lt_error *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/demo.json", dir);
    json_t *root = json_load_file(path, 0, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return lt_fail(err, LT_E_NOT_FOUND, NULL, "demonstration city", dir, NULL);
    }
    *ret = (struct demo_info){.seed = (uint64_t)json_integer_value(json_object_get(root, "seed")),
                              .outlets = (unsigned)json_integer_value(json_object_get(root, "outlets")),
                              .made_at_ms = json_integer_value(json_object_get(root, "made_at_ms"))};
    json_decref(root);
    return ret->outlets && ret->outlets < 100000 ? LT_OK : lt_fail(err, LT_E_CORRUPT, NULL, path, "outlets", NULL);
}
