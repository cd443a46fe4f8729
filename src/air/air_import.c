/* Import of a file: looks at it, reads it once to judge it, and when nothing stands against it a second time to put it
 * in, in one transaction. */
#include "air/air_import_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TRIAL_ROWS_MAX 200000u /* a dry run of that many holds the write lock for half a second */
#define KNOWN_STATIONS 30      /* whose past is the yardstick for doubts */
#define KNOWN_DAYS     400

/* ---- judging the whole ---- */

static bool past_day(void *user, int32_t day, const struct air_block *b)
{
    struct airq_doubt_stats *known = user;
    int month = lt_civil_of(air_day_start(day, 0), 0).month;
    for (int h = 0; h < 24; h++) {
        int32_t ticks[AIRQ_POLLUTANTS];
        if (!b->arrived[h])
            continue;
        for (int i = 0; i < AIRQ_POLLUTANTS; i++)
            ticks[i] = b->value[h][i] == AIR_NONE || (b->state[h][i] & AIR_INVALID) ? -1 : b->value[h][i];
        airq_doubt_add(known, month, h, ticks);
    }
    return true;
}

/* What these stations measured before is the yardstick. */
static enum lt_err load_known(struct importer *m, struct lt_error *err)
{
    int32_t from = air_day_of(m->r->from_ms, m->x->tz_min);
    unsigned n = 0;
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < m->n_places && n < KNOWN_STATIONS; i++)
        if (m->place[i].rows && m->place[i].id > 0) {
            n++;
            e = air_blocks(m->x->db, m->place[i].id, from - KNOWN_DAYS, from - 1, 0, past_day, m->known, err);
        }
    return e;
}

static void tell_doubts(struct importer *m)
{
    struct airq_doubt_finding list[AIRQ_DOUBT_MAX];
    bool yardstick = m->known->rows >= 24 * 30;
    size_t n = airq_doubt(m->doubt, yardstick ? m->known : NULL, list);
    for (size_t i = 0; i < n; i++) {
        const struct airq_doubt_finding *d = &list[i];
        char zh[520], en[520];
        struct air_finding *f = air_import_finding(
            m->r, airq_doubt_kind_name(d->kind), d->confidence >= AIRQ_DOUBT_LIKELY ? AIR_WRONG : AIR_DOUBT,
            d->kind == AIRQ_DOUBT_REPEATED || d->kind == AIRQ_DOUBT_CLOCK ? "" : airq_pollutant_name(d->p), 0);
        snprintf(zh, sizeof zh, "%s %s", d->zh, d->do_zh);
        snprintf(en, sizeof en, "%s %s", d->en, d->do_en);
        air_import_say(f, zh, en);
    }
}

static void tell_counts(struct importer *m)
{
    struct air_import_report *r = m->r;
    for (int i = 0; i < AIR_ITEMS; i++)
        if (m->twice[i])
            air_import_say(
                air_import_finding(r, "column_twice", i < AIRQ_POLLUTANTS ? AIR_WRONG : AIR_DOUBT,
                                   air_item_name((enum air_item)i), 1),
                "有两列表示同一项目，仅使用第一列；请删去或另行指定多余的一列",
                "two columns mean this item and only the first is used: take one out, or map it to something else");
    if (m->weather_beyond)
        air_import_say(air_import_finding(r, "weather_range", AIR_DOUBT, "", m->weather_beyond),
                       "气象值超出可能范围，已按缺失处理", "weather values beyond what can be; taken as missing");
    if (m->flagged)
        air_import_say(air_import_finding(r, "flagged", AIR_NOTE, "", m->flagged), "带异常标记的行：保存为无效值",
                       "rows with a flag: kept as invalid values");
    if (m->other_pollutants)
        air_import_say(air_import_finding(r, "other_items", AIR_NOTE, "", m->other_pollutants),
                       "其他项目（AQI、24 小时均值等）未导入",
                       "rows of other items (AQI, 24-h means …) are passed over");
    if (m->repeats_full)
        air_import_say(air_import_finding(r, "repeats_unchecked", AIR_NOTE, "", 1), "数据量大，未全部检查重复小时",
                       "too many rows to look for repeated hours in all of them");
    for (size_t i = 0; i < m->n_places; i++)
        if (m->place[i].unknown && m->place[i].rows && r->n_unknown < AIR_UNKNOWN_MAX) {
            lt_text_copy_slice(r->unknown[r->n_unknown].code, sizeof r->unknown[0].code, m->place[i].code);
            lt_text_copy_slice(r->unknown[r->n_unknown].name, sizeof r->unknown[0].name, m->place[i].name);
            r->unknown[r->n_unknown++].rows = m->place[i].rows;
        }
}

static bool accepts(const char *list, const char *code)
{
    struct lt_slice rest = lt_slice_of(list ? list : "");
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        struct lt_slice one = {rest.p, n};
        if (lt_slice_is(one, code) || lt_slice_is(one, "all"))
            return true;
        rest = (struct lt_slice){rest.p + n + (comma != NULL), rest.n - n - (comma != NULL)};
    }
    return false;
}

static enum lt_err weigh(struct importer *m, struct lt_error *err)
{
    enum lt_err e = load_known(m, err);
    if (e != LT_OK)
        return e;
    tell_doubts(m);
    tell_counts(m);
    for (unsigned i = 0; i < m->r->n_findings; i++)
        m->r->finding[i].accepted = accepts(m->o->accept, m->r->finding[i].code);
    return LT_OK;
}

/* ---- putting it in ---- */

static enum lt_err put_all(struct importer *m, struct lt_error *err)
{
    struct air_import_report *r = m->r;
    struct air_batch_info info = {.source = r->shape == SHAPE_NATIONAL ? AIR_SRC_NATIONAL : AIR_SRC_FILE,
                                  .author = m->x->who->login[0] ? m->x->who->login : m->x->who->name,
                                  .reason = m->o->name ? m->o->name : "",
                                  .now_ms = m->x->now_ms,
                                  .tz_min = m->x->tz_min};
    enum lt_err e = sql_begin(m->x->db, err);
    if (e != LT_OK)
        return e;
    if (m->o->create_in && r->n_unknown)
        e = air_import_create_stations(m, err);
    if (e == LT_OK && (e = air_writer_begin(m->x->db, &info, &m->w, err)) == LT_OK) {
        e = air_import_read(m, true, err);
        e = air_writer_end(&m->w, e, &r->result, err);
    }
    r->has_result = e == LT_OK;
    const char *const more[] = {"file", info.reason, "accepted", m->o->accept ? m->o->accept : "", NULL};
    if (e == LT_OK && !m->o->dry_run && m->o->remember && m->o->remember[0])
        e = air_import_remember(m, err);
    if (e == LT_OK && !m->o->dry_run)
        e = air_audit(m->x, "import", &r->result, more, err);
    if (e == LT_OK && m->o->dry_run) {
        sql_rollback(m->x->db);
        return LT_OK;
    }
    e = sql_end(m->x->db, e, err);
    r->applied = e == LT_OK;
    return e;
}

static void importer_fini(struct importer *m)
{
    for (size_t i = 0; i < m->n_places; i++)
        free((char *)(uintptr_t)m->place[i].code.p);
    free(m->place);
    free(m->hash);
    free(m->means);
    free(m->cross_place);
    free(m->doubt);
    free(m->known);
    free(m->repeat);
    free(m->rows);
    lt_buf_fini(&m->header);
}

static enum lt_err run(struct importer *m, struct lt_error *err)
{
    struct air_import_report *r = m->r;
    enum lt_err e = auth_need(m->x->who, "air:import", err);
    if (e == LT_OK)
        e = air_import_places(m, err);
    if (e == LT_OK)
        e = air_import_look(m, err);
    if (e == LT_OK)
        e = air_import_read(m, false, err);
    if (e == LT_OK)
        e = weigh(m, err);
    if (e != LT_OK || air_import_refused(r) || (m->o->dry_run && r->rows > TRIAL_ROWS_MAX))
        return e;
    return put_all(m, err);
}

enum lt_err air_import(const struct record_ctx *x, struct lt_slice file, const struct air_import_options *o,
                       struct air_import_report **ret, struct lt_error *err)
{
    struct air_import_report *r = calloc(1, sizeof *r);
    struct importer m = {.x = x,
                         .o = o,
                         .r = r,
                         .file = file,
                         .means = calloc(AIR_COLUMNS_MAX, sizeof *m.means),
                         .cross_place = calloc(AIR_COLUMNS_MAX, sizeof *m.cross_place),
                         .doubt = calloc(1, sizeof *m.doubt),
                         .known = calloc(1, sizeof *m.known),
                         .header = LT_BUF_INIT(AIR_LINE_MAX * 2),
                         .err = err};
    int64_t started = lt_mono_ms();
    enum lt_err e = LT_OK;
    if (!r || !m.means || !m.cross_place || !m.doubt || !m.known)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        r->titles = LT_BUF_INIT(AIR_LINE_MAX * 2);
        r->dry_run = o->dry_run;
        r->skip_unknown = o->skip_unknown;
        r->creates = o->create_in != 0;
        e = run(&m, err);
        r->ms = lt_mono_ms() - started;
    }
    importer_fini(&m);
    if (e != LT_OK)
        air_import_report_free(&r);
    else
        *ret = r;
    return e;
}
