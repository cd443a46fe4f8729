/* The first look at a file: which line is the header, what its columns mean, which ozone is which. */
#include "air/air_import_priv.h"
#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER_LINES 10   /* a sheet may have a title above its header */
#define SCAN_RECORDS 5000 /* looked at to tell the two ozone fields apart */

/* ---- columns ---- */

static void keep_titles(struct importer *m, const struct air_record *rec)
{
    struct air_import_report *r = m->r;
    lt_buf_clear(&r->titles);
    lt_buf_clear(&m->header);
    r->n_columns = 0;
    for (unsigned i = 0; i < rec->n; i++) {
        if (i < AIR_COLUMNS_SHOWN) {
            r->title_at[i] = r->titles.n;
            lt_buf_add(&r->titles, rec->cell[i].p, rec->cell[i].n);
            lt_buf_addc(&r->titles, '\0');
            r->n_columns++;
        }
        if (i)
            lt_buf_addc(&m->header, ',');
        lt_buf_add(&m->header, rec->cell[i].p, rec->cell[i].n);
    }
    r->all_columns = m->columns = rec->n;
}

unsigned air_import_columns_of(const struct importer *m, int means)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->columns; i++)
        n += m->means[i] == means;
    return n;
}

static unsigned count_items(const struct importer *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->columns; i++)
        n += m->means[i] < AIR_ITEMS;
    return n;
}

static bool same_name(struct lt_slice a, const char *z)
{
    if (a.n != strlen(z))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if ((a.p[i] >= 'A' && a.p[i] <= 'Z' ? a.p[i] + 32 : a.p[i]) != z[i])
            return false;
    return true;
}

/* Two columns with one meaning: the first counts, and for items that is told. (Of code and name both are kept.) */
static void first_counts(struct importer *m)
{
    bool seen[AIR_M_COUNT] = {false};
    memset(m->twice, 0, sizeof m->twice);
    for (unsigned i = 0; i < m->columns; i++) {
        int k = m->means[i];
        if (k != AIR_M_IGNORE && seen[k]) {
            m->means[i] = AIR_M_IGNORE;
            if (k < AIR_ITEMS)
                m->twice[k] = true;
        }
        seen[k] = true;
    }
}

static enum shape shape_of(struct importer *m, const struct air_record *rec)
{
    m->o3_column = m->o3_24_column = -1;
    bool pm = false;
    for (unsigned i = 0; i < rec->n; i++) {
        if (same_name(rec->cell[i], "o3"))
            m->o3_column = (int)i;
        if (same_name(rec->cell[i], "o3_24h"))
            m->o3_24_column = (int)i;
        pm |= same_name(rec->cell[i], "pm2_5");
    }
    if (pm && m->o3_column >= 0 && m->o3_24_column >= 0)
        return SHAPE_NATIONAL;
    if (air_import_columns_of(m, AIR_M_POLLUTANT) && air_import_columns_of(m, AIR_M_VALUE))
        return SHAPE_LONG;
    return air_import_columns_of(m, AIR_M_POLLUTANT) && count_items(m) == 0 ? SHAPE_CROSS : SHAPE_WIDE;
}

/* A header names a time and something measured. */
static bool guess_columns(struct importer *m, const struct air_record *rec)
{
    int co = -1;
    if (rec->n < 2 || rec->n > AIR_COLUMNS_MAX)
        return false;
    m->columns = rec->n;
    for (unsigned i = 0; i < rec->n; i++)
        m->means[i] = air_title_means(rec->cell[i], &co);
    first_counts(m);
    if (!air_import_columns_of(m, AIR_M_TIME) && !air_import_columns_of(m, AIR_M_DATE))
        return false;
    m->r->shape = shape_of(m, rec);
    if (air_import_columns_of(m, AIR_M_TIME) == 0 &&
        air_import_columns_of(m, AIR_M_HOUR) == 0) /* "date" holds the hour too */
        for (unsigned i = 0; i < m->columns; i++)
            if (m->means[i] == AIR_M_DATE)
                m->means[i] = AIR_M_TIME;
    if (co >= 0) {
        m->r->co_ug = co == 1;
        m->r->co_given = true;
    }
    return m->r->shape == SHAPE_CROSS || m->r->shape == SHAPE_LONG || count_items(m) > 0;
}

static enum lt_err use_mapping(struct importer *m, const struct record_row *row, const struct air_record *rec,
                               struct lt_error *err)
{
    json_t *columns = NULL;
    enum lt_err e = jsonr_object(record_text(row, "columns"), 65536, &columns, err);
    if (e != LT_OK)
        return e;
    for (unsigned i = 0; i < rec->n; i++) {
        char title[256];
        int means;
        lt_text_copy_slice(title, sizeof title, rec->cell[i]);
        const char *z = json_string_value(json_object_get(columns, title));
        if (z && air_means_find(lt_slice_of(z), &means))
            m->means[i] = means;
        else if (z)
            m->means[i] = AIR_M_IGNORE;
    }
    json_decref(columns);
    first_counts(m);
    struct air_import_report *r = m->r;
    r->mapping = row->id;
    r->co_ug = lt_slice_is(record_text(row, "co_unit"), "ug");
    r->co_given = true;
    r->label_end = lt_slice_is(record_text(row, "hour_label"), "end");
    r->tz_min = (int)record_i64(row, "tz_min", r->tz_min);
    if (air_import_columns_of(m, AIR_M_POLLUTANT) && air_import_columns_of(m, AIR_M_VALUE))
        r->shape = SHAPE_LONG;
    else if (r->shape != SHAPE_NATIONAL)
        r->shape = air_import_columns_of(m, AIR_M_POLLUTANT) && !count_items(m) ? SHAPE_CROSS : SHAPE_WIDE;
    return LT_OK;
}

struct same_header {
    struct importer *m;
    const struct air_record *rec;
    bool guessed, found;
    enum lt_err e;
};

static bool on_mapping(void *user, const struct record_row *row)
{
    struct same_header *s = user;
    struct importer *m = s->m;
    bool it =
        m->o->mapping ? row->id == m->o->mapping : lt_slice_eq(record_text(row, "signature"), lt_buf_slice(&m->header));
    if (it) {
        s->found = true;
        s->e = use_mapping(m, row, s->rec, m->err);
    }
    return !it;
}

static enum lt_err remembered(struct importer *m, const struct air_record *rec, bool guessed, struct lt_error *err)
{
    struct same_header s = {m, rec, guessed, false, LT_OK};
    struct record_query q = {0};
    if (!auth_may2(m->x->who, "air_mapping", "read"))
        return LT_OK;
    enum lt_err e = record_each(m->x, record_kind_find(LT_LIT("air_mapping")), &q, on_mapping, &s, err);
    if (e == LT_OK && m->o->mapping && !s.found && guessed) {
        char id[24];
        snprintf(id, sizeof id, "%lld", (long long)m->o->mapping);
        e = lt_fail(err, LT_E_NOT_FOUND, "mapping", "air_mapping", id, NULL);
    }
    return e == LT_OK ? s.e : e;
}

/* ---- the first look: the header, and which ozone is which ---- */

static bool on_look(void *user, const struct air_record *rec)
{
    struct importer *m = user;
    unsigned record = m->records++;
    if (!m->have_header) {
        bool guessed = guess_columns(m, rec);
        if (rec->n >= 2 && rec->n <= AIR_COLUMNS_MAX) {
            keep_titles(m, rec);
            m->e = remembered(m, rec, guessed, m->err);
        }
        m->have_header = guessed || m->r->mapping;
        m->header_record = record;
        return m->e == LT_OK && (m->have_header ? m->r->shape == SHAPE_NATIONAL : record + 1 < HEADER_LINES);
    }
    int64_t a, b;
    if ((unsigned)m->o3_column < rec->n && (unsigned)m->o3_24_column < rec->n &&
        lt_fix_parse(rec->cell[m->o3_column], &a) && lt_fix_parse(rec->cell[m->o3_24_column], &b)) {
        m->o3_more += a > b;
        m->o3_less += a < b;
    }
    return record < SCAN_RECORDS;
}

/* The platform calls the hourly value O3_24h and the day's maximum O3; a maximum is never below an hour of its day. */
static void which_ozone(struct importer *m)
{
    if (m->r->shape != SHAPE_NATIONAL || m->r->mapping)
        return;
    bool swapped = m->o3_more >= m->o3_less;
    m->means[m->o3_column] = swapped ? AIR_M_IGNORE : AIR_O3;
    m->means[m->o3_24_column] = swapped ? AIR_O3 : AIR_M_IGNORE;
    struct air_finding *f =
        air_import_finding(m->r, swapped ? "ozone_swapped" : "ozone_plain",
                           m->o3_more && m->o3_less ? AIR_DOUBT : AIR_NOTE, "O3", m->o3_more + m->o3_less);
    char zh[400], en[400];
    snprintf(zh, sizeof zh, "该平台数据中臭氧字段名互换：小时值取自 %s（O3 大于 O3_24h 的行 %llu，小于的 %llu）",
             swapped ? "O3_24h" : "O3", (unsigned long long)m->o3_more, (unsigned long long)m->o3_less);
    snprintf(en, sizeof en,
             "the hourly ozone is taken from %s (O3 above O3_24h in %llu rows, below in %llu; a day's maximum is never "
             "below its hours)",
             swapped ? "O3_24h: the feed exchanges the two names" : "O3", (unsigned long long)m->o3_more,
             (unsigned long long)m->o3_less);
    air_import_say(f, zh, en);
}

enum lt_err air_import_look(struct importer *m, struct lt_error *err)
{
    const struct air_import_options *o = m->o;
    struct air_import_report *r = m->r;
    r->label_end = true;
    r->tz_min = m->x->tz_min;
    enum lt_err e = air_table_read(m->file, o->format, on_look, m, &r->info, err);
    if (e == LT_OK)
        e = m->e;
    if (e != LT_OK)
        return e;
    if (!m->have_header)
        return lt_fail(err, LT_E_BAD_INPUT, "file",
                       "no header with a time and a pollutant, such as time, station, PM2.5 / "
                       "未找到含时间与污染物的表头，例如：时间、站点、PM2.5",
                       NULL, NULL);
    which_ozone(m);
    if (o->co_ug >= 0) {
        if (r->co_given && r->co_ug != (o->co_ug == 1) && !r->mapping)
            air_import_say(air_import_finding(r, "co_unit_title", AIR_DOUBT, "CO", 1),
                           "表头所写 CO 单位与所选单位不一致，按所选单位处理",
                           "the title names another unit of CO than was chosen; the chosen one is used");
        r->co_ug = o->co_ug == 1;
    }
    if (o->label_end >= 0)
        r->label_end = o->label_end == 1;
    if (o->tz_min != INT_MIN)
        r->tz_min = o->tz_min;
    memcpy(r->means, m->means, r->n_columns * sizeof *r->means);
    bool named =
        air_import_columns_of(m, AIR_M_STATION) || air_import_columns_of(m, AIR_M_NAME) || r->shape == SHAPE_CROSS;
    return named || o->station ? LT_OK
                               : lt_fail(err, LT_E_FIELD_REQUIRED, "station",
                                         "station (the file has no such column) / 站点（文件无站点列）", NULL, NULL);
}

/* ---- remembering ---- */

enum lt_err air_import_remember(struct importer *m, struct lt_error *err)
{
    struct air_import_report *r = m->r;
    json_t *columns = json_object();
    enum lt_err e = auth_need(m->x->who, "air_mapping:write", err);
    if (e == LT_OK && (r->shape == SHAPE_CROSS || r->all_columns > AIR_COLUMNS_SHOWN || m->header.n > 4000 || !columns))
        e = lt_fail(err, LT_E_TOO_LARGE, "remember", "header", "4000", NULL);
    for (unsigned i = 0; e == LT_OK && i < r->n_columns; i++)
        json_object_set_new(columns, air_import_title(m, i), json_string(air_means_name(m->means[i])));
    char *text = e == LT_OK ? json_dumps(columns, JSON_COMPACT) : NULL;
    if (e == LT_OK && !text)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        const struct record_set set[] = {RECORD_SET_Z("name", m->o->remember),
                                         RECORD_SET_S("signature", lt_buf_slice(&m->header)),
                                         RECORD_SET_Z("columns", text),
                                         RECORD_SET_Z("co_unit", r->co_ug ? "ug" : "mg"),
                                         RECORD_SET_Z("hour_label", r->label_end ? "end" : "start"),
                                         RECORD_SET_I("tz_min", r->tz_min),
                                         RECORD_SET_I("used_at", m->x->now_ms)};
        e = record_insert(m->x, record_kind_find(LT_LIT("air_mapping")), set, 7, &r->mapping, err);
    }
    free(text);
    json_decref(columns);
    return e;
}
