/* Import of a file: looks at it, reads it once to judge it, and when nothing stands against it a second time to put it
 * in, in one transaction. */
#include "air/air_import_priv.h"
#include "air/air_priv.h"
#include "airq/airq_doubt.h"
#include "base/clock.h"
#include "base/text.h"
#include "record/audit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_ROWS     262144u    /* rows sorted and put at a time: 19 MiB */
#define TRIAL_ROWS_MAX 200000u    /* a dry run of that many holds the write lock for half a second */
#define HEADER_LINES   10         /* a sheet may have a title above its header */
#define SCAN_RECORDS   5000       /* looked at to tell the two ozone fields apart */
#define REPEATS_MAX    (1u << 22) /* station-hours followed for repetition: 64 MiB; 40 years of 12 stations */
#define KNOWN_STATIONS 30         /* whose past is the yardstick for doubts */
#define KNOWN_DAYS     400
#define COLUMNS_SHOWN  256
#define AHEAD_MS       LT_HOUR_MS /* an hour that has not begun is no measurement; clocks differ a little */

enum shape { SHAPE_WIDE, SHAPE_LONG, SHAPE_CROSS, SHAPE_NATIONAL };
static const char *const shape_names[] = {"wide", "long", "cross", "national"};

struct place {  /* a station as the file names it */
    int64_t id; /* 0: unknown; -1: the name means several */
    struct lt_slice code, name;
    uint64_t rows;
    bool unknown;
};
struct cell_error {
    unsigned row;
    char column[48], cell[48];
    const char *zh, *en;
};
struct preview {
    unsigned line;
    char station[64];
    int64_t id, at_ms;
    int32_t value[AIR_ITEMS];
};

struct air_import_report {
    struct air_table_info info;
    bool dry_run, applied, co_ug, label_end, co_given;
    int tz_min;
    enum shape shape;
    int64_t mapping, from_ms, to_ms;
    struct lt_buf titles; /* texts of columns, with ends */
    size_t title_at[COLUMNS_SHOWN];
    int means[COLUMNS_SHOWN];
    unsigned n_columns, all_columns;
    uint64_t rows, stations;
    struct preview preview[AIR_PREVIEW_ROWS];
    unsigned n_preview;
    struct {
        char code[65], name[129];
        uint64_t rows;
    } unknown[AIR_UNKNOWN_MAX];
    unsigned n_unknown;
    bool skip_unknown, creates;
    uint64_t unknown_all;
    struct air_finding finding[AIR_FINDINGS_MAX];
    unsigned n_findings;
    struct cell_error error[AIR_ERRORS_MAX];
    uint64_t n_errors;
    bool has_result;
    struct air_put_result result;
    int64_t ms;
};

struct repeat {
    uint64_t key; /* + 1; 0 free */
    uint32_t hash;
};

struct importer {
    const struct record_ctx *x;
    const struct air_import_options *o;
    struct air_import_report *r;
    struct lt_slice file;
    /* columns */
    int *means; /* per column, AIR_COLUMNS_MAX */
    unsigned *cross_place;
    struct lt_buf header; /* all titles, joined by commas: the signature */
    unsigned header_seen, header_record, records, columns;
    bool have_header;
    bool twice[AIR_ITEMS]; /* two columns mean this item */
    uint64_t o3_more, o3_less;
    int o3_column, o3_24_column;
    /* stations */
    struct place *place;
    size_t n_places, cap_places;
    uint32_t *hash; /* of code and name: index + 1 */
    size_t hash_n;
    struct lt_buf texts;
    /* judging */
    bool putting;
    struct airq_doubt_stats *doubt, *known;
    struct repeat *repeat;
    size_t n_repeats, cap_repeats;
    bool repeats_full;
    uint64_t weather_beyond, flagged, other_pollutants;
    /* putting */
    struct air_writer *w;
    struct air_row *rows;
    size_t n_rows;
    enum lt_err e;
    struct lt_error *err;
};

/* ---- findings and errors ---- */

static struct air_finding *finding(struct air_import_report *r, const char *code, enum air_finding_level level,
                                   const char *item, uint64_t count)
{
    static struct air_finding lost; /* beyond the limit; written, never read */
    struct air_finding *f = r->n_findings < AIR_FINDINGS_MAX ? &r->finding[r->n_findings++] : &lost;
    *f = (struct air_finding){.level = level, .count = count};
    lt_text_copy(f->code, sizeof f->code, code);
    lt_text_copy(f->item, sizeof f->item, item);
    return f;
}

static void say(struct air_finding *f, const char *zh, const char *en)
{
    lt_text_copy(f->zh, sizeof f->zh, zh);
    lt_text_copy(f->en, sizeof f->en, en);
}

static void cell_error(struct importer *m, unsigned row, const char *column, struct lt_slice cell, const char *zh,
                       const char *en)
{
    struct air_import_report *r = m->r;
    if (m->putting)
        return;
    if (r->n_errors < AIR_ERRORS_MAX) {
        struct cell_error *c = &r->error[r->n_errors];
        *c = (struct cell_error){.row = row, .zh = zh, .en = en};
        lt_text_copy(c->column, sizeof c->column, column);
        lt_text_copy_slice(c->cell, sizeof c->cell, cell);
    }
    r->n_errors++;
}

static const char *title_of(const struct importer *m, unsigned column)
{
    return column < m->r->n_columns ? m->r->titles.p + m->r->title_at[column] : "";
}

/* ---- stations ---- */

static uint64_t hash_of(struct lt_slice s)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return h ^ (h >> 29);
}

static bool hash_grow(struct importer *m, size_t want)
{
    size_t n = 1024;
    while (n < want * 4)
        n *= 2;
    uint32_t *h = calloc(n, sizeof *h);
    if (!h)
        return false;
    for (size_t i = 0; i < m->n_places; i++)
        for (int k = 0; k < 2; k++) {
            struct lt_slice s = k ? m->place[i].name : m->place[i].code;
            size_t at = hash_of(s) & (n - 1);
            while (h[at])
                at = (at + 1) & (n - 1);
            if (s.n)
                h[at] = (uint32_t)i + 1;
        }
    free(m->hash);
    m->hash = h;
    m->hash_n = n;
    return true;
}

/* Index of the station of that code, else of that name; SIZE_MAX. *ret_several: the name means more than one. */
static size_t find_place(const struct importer *m, struct lt_slice s, bool *ret_several)
{
    size_t by_name = SIZE_MAX;
    *ret_several = false;
    for (size_t at = hash_of(s) & (m->hash_n - 1); m->hash[at]; at = (at + 1) & (m->hash_n - 1)) {
        size_t i = m->hash[at] - 1;
        if (lt_slice_eq(m->place[i].code, s))
            return i;
        if (lt_slice_eq(m->place[i].name, s)) {
            *ret_several = by_name != SIZE_MAX && by_name != i;
            by_name = i;
        }
    }
    return by_name;
}

static size_t add_place(struct importer *m, int64_t id, struct lt_slice code, struct lt_slice name)
{
    if (m->n_places == m->cap_places) {
        size_t cap = m->cap_places ? m->cap_places * 2 : 256;
        struct place *p = realloc(m->place, cap * sizeof *p);
        if (!p)
            return SIZE_MAX;
        m->place = p;
        m->cap_places = cap;
    }
    char *mem = malloc(code.n + name.n + 1); /* kept to the end; freed with the places */
    if (!mem)
        return SIZE_MAX;
    memcpy(mem, code.p ? code.p : "", code.n);
    memcpy(mem + code.n, name.p ? name.p : "", name.n);
    m->place[m->n_places] =
        (struct place){.id = id, .code = {mem, code.n}, .name = {mem + code.n, name.n}, .unknown = id == 0};
    m->n_places++;
    if (m->n_places * 4 > m->hash_n && !hash_grow(m, m->n_places * 2))
        return SIZE_MAX;
    size_t i = m->n_places - 1;
    if (m->hash_n)
        for (int k = 0; k < 2; k++) {
            struct lt_slice s = k ? m->place[i].name : m->place[i].code;
            size_t at = hash_of(s) & (m->hash_n - 1);
            bool there = false;
            for (; m->hash[at]; at = (at + 1) & (m->hash_n - 1))
                there |= m->hash[at] == (uint32_t)i + 1;
            if (s.n && !(there && lt_slice_eq(m->place[i].code, m->place[i].name)))
                m->hash[at] = (uint32_t)i + 1;
        }
    return i;
}

static bool on_station(void *user, const struct record_row *row)
{
    struct importer *m = user;
    return add_place(m, row->id, record_text(row, "code"), record_text(row, "name")) != SIZE_MAX;
}

/* The stations the caller may see: others do not exist for him. */
static enum lt_err load_places(struct importer *m, struct lt_error *err)
{
    struct record_query q = {0};
    if (!hash_grow(m, 256))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = record_each(m->x, record_kind_find(LT_LIT("station")), &q, on_station, m, err);
    if (e != LT_OK || !m->o->station)
        return e;
    for (size_t i = 0; i < m->n_places; i++)
        if (m->place[i].id == m->o->station)
            return LT_OK;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)m->o->station);
    return lt_fail(err, LT_E_NOT_FOUND, "station", "station", id, NULL);
}

static size_t place_of(struct importer *m, unsigned line, unsigned column, struct lt_slice code, struct lt_slice name)
{
    bool several = false;
    size_t i = code.n ? find_place(m, code, &several) : SIZE_MAX;
    if (i == SIZE_MAX && name.n)
        i = find_place(m, name, &several);
    if (several) {
        cell_error(m, line, title_of(m, column), name.n ? name : code, "多个站点同名，请用编码",
                   "several stations have this name: use the code");
        return SIZE_MAX;
    }
    if (i != SIZE_MAX)
        return i;
    if (!code.n && !name.n) {
        cell_error(m, line, title_of(m, column), code, "缺少站点", "no station");
        return SIZE_MAX;
    }
    if (m->r->unknown_all >= AIR_UNKNOWN_MAX) {
        cell_error(m, line, title_of(m, column), code.n ? code : name, "未知站点过多", "too many unknown stations");
        return SIZE_MAX;
    }
    if (code.n > 64 || name.n > 128) {
        cell_error(m, line, title_of(m, column), code, "站点名称过长", "the station's name is too long");
        return SIZE_MAX;
    }
    m->r->unknown_all++;
    return add_place(m, 0, code.n ? code : name, name);
}

/* ---- columns ---- */

static void keep_titles(struct importer *m, const struct air_record *rec)
{
    struct air_import_report *r = m->r;
    lt_buf_clear(&r->titles);
    lt_buf_clear(&m->header);
    r->n_columns = 0;
    for (unsigned i = 0; i < rec->n; i++) {
        if (i < COLUMNS_SHOWN) {
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

static unsigned count(const struct importer *m, int means)
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
    if (count(m, AIR_M_POLLUTANT) && count(m, AIR_M_VALUE))
        return SHAPE_LONG;
    return count(m, AIR_M_POLLUTANT) && count_items(m) == 0 ? SHAPE_CROSS : SHAPE_WIDE;
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
    if (!count(m, AIR_M_TIME) && !count(m, AIR_M_DATE))
        return false;
    m->r->shape = shape_of(m, rec);
    if (count(m, AIR_M_TIME) == 0 && count(m, AIR_M_HOUR) == 0) /* "date" holds the hour too */
        for (unsigned i = 0; i < m->columns; i++)
            if (m->means[i] == AIR_M_DATE)
                m->means[i] = AIR_M_TIME;
    if (co >= 0) {
        m->r->co_ug = co == 1;
        m->r->co_given = true;
    }
    return m->r->shape == SHAPE_CROSS || m->r->shape == SHAPE_LONG || count_items(m) > 0;
}

/* Cross: every column that is nothing else is a station. */
static void cross_columns(struct importer *m, const struct air_record *rec)
{
    for (unsigned i = 0; i < rec->n; i++) {
        m->cross_place[i] = UINT_MAX;
        if (m->means[i] == AIR_M_IGNORE && rec->cell[i].n) {
            size_t p = place_of(m, rec->line, i, rec->cell[i], rec->cell[i]);
            m->cross_place[i] = p == SIZE_MAX ? UINT_MAX : (unsigned)p;
        }
    }
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
    if (count(m, AIR_M_POLLUTANT) && count(m, AIR_M_VALUE))
        r->shape = SHAPE_LONG;
    else if (r->shape != SHAPE_NATIONAL)
        r->shape = count(m, AIR_M_POLLUTANT) && !count_items(m) ? SHAPE_CROSS : SHAPE_WIDE;
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
    struct air_finding *f = finding(m->r, swapped ? "ozone_swapped" : "ozone_plain",
                                    m->o3_more && m->o3_less ? AIR_DOUBT : AIR_NOTE, "O3", m->o3_more + m->o3_less);
    char zh[400], en[400];
    snprintf(zh, sizeof zh, "该平台数据中臭氧字段名互换：小时值取自 %s（O3 大于 O3_24h 的行 %llu，小于的 %llu）",
             swapped ? "O3_24h" : "O3", (unsigned long long)m->o3_more, (unsigned long long)m->o3_less);
    snprintf(en, sizeof en,
             "the hourly ozone is taken from %s (O3 above O3_24h in %llu rows, below in %llu; a day's maximum is never "
             "below its hours)",
             swapped ? "O3_24h: the feed exchanges the two names" : "O3", (unsigned long long)m->o3_more,
             (unsigned long long)m->o3_less);
    say(f, zh, en);
}

static enum lt_err look(struct importer *m, struct lt_error *err)
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
                       "no header with a time and a pollutant / 未找到含时间与污染物的表头", NULL, NULL);
    which_ozone(m);
    if (o->co_ug >= 0) {
        if (r->co_given && r->co_ug != (o->co_ug == 1) && !r->mapping)
            say(finding(r, "co_unit_title", AIR_DOUBT, "CO", 1), "表头所写 CO 单位与所选单位不一致，按所选单位处理",
                "the title names another unit of CO than was chosen; the chosen one is used");
        r->co_ug = o->co_ug == 1;
    }
    if (o->label_end >= 0)
        r->label_end = o->label_end == 1;
    if (o->tz_min != INT_MIN)
        r->tz_min = o->tz_min;
    memcpy(r->means, m->means, r->n_columns * sizeof *r->means);
    bool named = count(m, AIR_M_STATION) || count(m, AIR_M_NAME) || r->shape == SHAPE_CROSS;
    return named || o->station ? LT_OK
                               : lt_fail(err, LT_E_FIELD_REQUIRED, "station",
                                         "station (the file has no such column) / 站点（文件无站点列）", NULL, NULL);
}

/* ---- rows ---- */

static bool repeats_grow(struct importer *m)
{
    size_t cap = m->cap_repeats ? m->cap_repeats * 2 : 65536;
    struct repeat *p = calloc(cap, sizeof *p);
    if (!p)
        return false;
    for (size_t i = 0; i < m->cap_repeats; i++)
        if (m->repeat[i].key) {
            size_t at = (m->repeat[i].key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (cap - 1);
            while (p[at].key)
                at = (at + 1) & (cap - 1);
            p[at] = m->repeat[i];
        }
    free(m->repeat);
    m->repeat = p;
    m->cap_repeats = cap;
    return true;
}

/* item: of a long row, else AIR_ITEMS. */
static void note_repeat(struct importer *m, size_t place, int64_t at_ms, int item, uint32_t hash)
{
    if (m->repeats_full)
        return;
    if (m->n_repeats * 2 >= m->cap_repeats && (m->n_repeats >= REPEATS_MAX || !repeats_grow(m))) {
        m->repeats_full = true;
        return;
    }
    uint64_t key = ((uint64_t)place << 32 | (uint64_t)(at_ms / LT_HOUR_MS & 0xffffff) << 8 | (unsigned)item) + 1;
    size_t at = (key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (m->cap_repeats - 1);
    while (m->repeat[at].key && m->repeat[at].key != key)
        at = (at + 1) & (m->cap_repeats - 1);
    if (m->repeat[at].key) {
        airq_doubt_repeated(m->doubt, m->repeat[at].hash != hash);
        return;
    }
    m->repeat[at] = (struct repeat){key, hash};
    m->n_repeats++;
}

static void judge(struct importer *m, unsigned line, size_t place, const struct air_row *row, int item)
{
    struct air_import_report *r = m->r;
    int32_t ticks[AIRQ_POLLUTANTS];
    uint32_t hash = 2166136261u;
    for (int i = 0; i < AIR_ITEMS; i++)
        hash = (hash ^ (uint32_t)row->value[i]) * 16777619u;
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        ticks[i] = row->value[i] == AIR_NONE ? -1 : row->value[i];
    note_repeat(m, place, row->at_ms, item, hash);
    int32_t day = air_day_of(row->at_ms, m->x->tz_min);
    int hour = (int)((row->at_ms - air_day_start(day, m->x->tz_min)) / LT_HOUR_MS);
    airq_doubt_add(m->doubt, lt_civil_of(row->at_ms, m->x->tz_min).month, hour, ticks);
    if (!m->place[place].rows++)
        r->stations++;
    r->rows++;
    r->from_ms = r->rows == 1 || row->at_ms < r->from_ms ? row->at_ms : r->from_ms;
    r->to_ms = r->rows == 1 || row->at_ms > r->to_ms ? row->at_ms : r->to_ms;
    if (r->n_preview < AIR_PREVIEW_ROWS) {
        struct preview *p = &r->preview[r->n_preview++];
        *p = (struct preview){.line = line, .id = m->place[place].id, .at_ms = row->at_ms};
        lt_text_copy_slice(p->station, sizeof p->station, m->place[place].code);
        memcpy(p->value, row->value, sizeof p->value);
    }
}

static bool put_chunk(struct importer *m)
{
    m->e = air_writer_rows(m->w, m->rows, m->n_rows, m->err);
    m->n_rows = 0;
    return m->e == LT_OK;
}

/* One hour of one station, wholly read. False stops the reading. */
static bool take(struct importer *m, unsigned line, size_t place, struct air_row *row, int item)
{
    bool any = false;
    for (int i = 0; i < AIR_ITEMS; i++)
        any |= row->value[i] != AIR_NONE;
    if (!m->putting) {
        judge(m, line, place, row, item);
        return true;
    }
    row->station = m->place[place].id;
    if (row->station <= 0 || !any)
        return true;
    m->rows[m->n_rows++] = *row;
    return m->n_rows < CHUNK_ROWS || put_chunk(m);
}

static const char *const not_a_number_zh = "不是数值", *const not_a_number_en = "not a number";

/* A value of an item; AIR_NONE when there is none or it cannot be. */
static int32_t value_of(struct importer *m, unsigned line, unsigned column, int item, struct lt_slice s)
{
    int64_t fix;
    int32_t v;
    if (air_cell_missing(s))
        return AIR_NONE;
    if (!lt_fix_parse(s, &fix) && !(item == AIR_WD && air_compass_parse(s, &fix))) {
        cell_error(m, line, title_of(m, column), s, not_a_number_zh, not_a_number_en);
        return AIR_NONE;
    }
    if (item == AIR_CO && m->r->co_ug)
        fix = lt_div_half_even(fix, 1000);
    if (air_value_from_fix((enum air_item)item, fix, &v))
        return v;
    if (m->putting)
        return AIR_NONE;
    if (item < AIRQ_POLLUTANTS)
        airq_doubt_impossible(m->doubt, (enum airq_pollutant)item, fix < 0);
    else
        m->weather_beyond++;
    return AIR_NONE;
}

static bool time_of(struct importer *m, const struct air_record *rec, int64_t *ret)
{
    struct lt_slice time = LT_LIT(""), date = LT_LIT(""), hour = LT_LIT("");
    unsigned column = 0;
    bool has_hour;
    for (unsigned i = 0; i < rec->n && i < m->columns; i++) {
        if (m->means[i] == AIR_M_TIME) {
            time = rec->cell[i];
            column = i;
        } else if (m->means[i] == AIR_M_DATE) {
            date = rec->cell[i];
        } else if (m->means[i] == AIR_M_HOUR) {
            hour = rec->cell[i];
        }
    }
    int64_t h = 0;
    bool split = !time.n && date.n;
    if (!air_time_parse(split ? date : time, m->r->tz_min, &has_hour, ret)) {
        cell_error(m, rec->line, title_of(m, column), split ? date : time, "无法识别的时间", "not a time");
        return false;
    }
    if (!has_hour && hour.n) {
        struct lt_slice digits = hour;
        while (digits.n && (unsigned char)digits.p[digits.n - 1] > '9') /* 8时 */
            digits.n--;
        while (digits.n > 1 && digits.p[0] == '0')
            digits = (struct lt_slice){digits.p + 1, digits.n - 1};
        const char *colon = digits.n ? memchr(digits.p, ':', digits.n) : NULL;
        for (const char *p = colon; p && p < digits.p + digits.n; p++)
            if (*p != ':' && *p != '0') { /* 08:30, 08:00-09:00 */
                cell_error(m, rec->line, "hour", hour, "不是整点", "not on the hour");
                return false;
            }
        if (colon)
            digits.n = (size_t)(colon - digits.p);
        if (!lt_text_to_i64(digits, &h) || h < 0 || h > 24) {
            cell_error(m, rec->line, "hour", hour, "小时应为 0 至 24", "the hour must be 0 to 24");
            return false;
        }
        *ret += h * LT_HOUR_MS;
    } else if (!has_hour) {
        cell_error(m, rec->line, title_of(m, column), time, "只有日期，没有小时", "a day without an hour");
        return false;
    }
    if (m->r->label_end)
        *ret -= LT_HOUR_MS;
    if ((*ret + m->x->tz_min * LT_MIN_MS) % LT_HOUR_MS != 0) {
        cell_error(m, rec->line, title_of(m, column), split ? date : time, "不是整点", "not on the hour");
        return false;
    }
    if (*ret > m->x->now_ms + AHEAD_MS || *ret < 0) {
        bool early = *ret < 0;
        cell_error(m, rec->line, title_of(m, column), split ? date : time,
                   early ? "早于 1970 年" : "时间在未来（请检查时区）",
                   early ? "before 1970" : "in the future (is the time zone right?)");
        return false;
    }
    return true;
}

static struct lt_slice cell_of(const struct importer *m, const struct air_record *rec, int means, unsigned *ret_column)
{
    for (unsigned i = 0; i < rec->n && i < m->columns; i++)
        if (m->means[i] == means) {
            *ret_column = i;
            return rec->cell[i];
        }
    return LT_LIT("");
}

static size_t row_place(struct importer *m, const struct air_record *rec)
{
    unsigned column = 0;
    if (m->o->station && !count(m, AIR_M_STATION) && !count(m, AIR_M_NAME)) {
        for (size_t i = 0; i < m->n_places; i++)
            if (m->place[i].id == m->o->station)
                return i;
        return SIZE_MAX;
    }
    struct lt_slice name = cell_of(m, rec, AIR_M_NAME, &column), code = cell_of(m, rec, AIR_M_STATION, &column);
    return place_of(m, rec->line, column, code, name);
}

static void blank_row(struct air_row *row, int64_t at_ms)
{
    *row = (struct air_row){.at_ms = at_ms};
    for (int i = 0; i < AIR_ITEMS; i++)
        row->value[i] = AIR_NONE;
}

static bool wide_row(struct importer *m, const struct air_record *rec, int64_t at_ms, size_t place, bool valid)
{
    struct air_row row;
    blank_row(&row, at_ms);
    for (unsigned i = 0; i < rec->n && i < m->columns; i++)
        if (m->means[i] < AIR_ITEMS)
            row.value[m->means[i]] = value_of(m, rec->line, i, m->means[i], rec->cell[i]);
    row.invalid = valid ? 0 : AIR_ALL_ITEMS;
    return take(m, rec->line, place, &row, AIR_ITEMS);
}

/* Item of a long or cross row; others (AQI, 24-h means …) are passed over. */
static bool item_of(struct importer *m, const struct air_record *rec, int *ret)
{
    unsigned column;
    struct lt_slice s = cell_of(m, rec, AIR_M_POLLUTANT, &column);
    *ret = air_title_means(s, NULL);
    if (*ret < AIR_ITEMS)
        return true;
    m->other_pollutants += !m->putting;
    return false;
}

static bool long_row(struct importer *m, const struct air_record *rec, int64_t at_ms, size_t place, bool valid)
{
    struct air_row row;
    unsigned column = 0;
    int item;
    if (!item_of(m, rec, &item))
        return true;
    struct lt_slice s = cell_of(m, rec, AIR_M_VALUE, &column);
    blank_row(&row, at_ms);
    row.value[item] = value_of(m, rec->line, column, item, s);
    row.invalid = valid ? 0 : AIR_ALL_ITEMS;
    return take(m, rec->line, place, &row, item);
}

static bool cross_row(struct importer *m, const struct air_record *rec, int64_t at_ms)
{
    int item;
    bool go = true;
    if (!item_of(m, rec, &item))
        return true;
    for (unsigned i = 0; go && i < rec->n && i < m->columns; i++) {
        struct air_row row;
        if (m->cross_place[i] == UINT_MAX)
            continue;
        blank_row(&row, at_ms);
        row.value[item] = value_of(m, rec->line, i, item, rec->cell[i]);
        if (row.value[item] != AIR_NONE)
            go = take(m, rec->line, m->cross_place[i], &row, item);
    }
    return go;
}

static bool on_record(void *user, const struct air_record *rec)
{
    struct importer *m = user;
    int64_t at_ms;
    unsigned column = 0, record = m->records++;
    if (record <= m->header_record) {
        if (record == m->header_record && m->r->shape == SHAPE_CROSS)
            cross_columns(m, rec);
        return m->e == LT_OK;
    }
    if (!time_of(m, rec, &at_ms))
        return true;
    struct lt_slice flag = cell_of(m, rec, AIR_M_FLAG, &column);
    bool valid = air_flag_valid(flag);
    m->flagged += !valid && !m->putting;
    if (m->r->shape == SHAPE_CROSS)
        return cross_row(m, rec, at_ms);
    size_t place = row_place(m, rec);
    if (place == SIZE_MAX)
        return true;
    return m->r->shape == SHAPE_LONG ? long_row(m, rec, at_ms, place, valid) : wide_row(m, rec, at_ms, place, valid);
}

static enum lt_err read_all(struct importer *m, bool putting, struct lt_error *err)
{
    struct air_table_info info;
    m->putting = putting;
    m->records = 0;
    m->e = LT_OK;
    m->err = err;
    enum lt_err e = air_table_read(m->file, m->r->info.format, on_record, m, &info, err);
    if (e == LT_OK)
        e = m->e;
    if (e == LT_OK && putting && !put_chunk(m))
        e = m->e;
    if (!putting)
        lt_text_copy(m->r->info.encoding, sizeof m->r->info.encoding, info.encoding);
    return e;
}

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
        struct air_finding *f =
            finding(m->r, airq_doubt_kind_name(d->kind), d->confidence >= AIRQ_DOUBT_LIKELY ? AIR_WRONG : AIR_DOUBT,
                    d->kind == AIRQ_DOUBT_REPEATED || d->kind == AIRQ_DOUBT_CLOCK ? "" : airq_pollutant_name(d->p), 0);
        snprintf(zh, sizeof zh, "%s %s", d->zh, d->do_zh);
        snprintf(en, sizeof en, "%s %s", d->en, d->do_en);
        say(f, zh, en);
    }
}

static void tell_counts(struct importer *m)
{
    struct air_import_report *r = m->r;
    for (int i = 0; i < AIR_ITEMS; i++)
        if (m->twice[i])
            say(finding(r, "column_twice", i < AIRQ_POLLUTANTS ? AIR_WRONG : AIR_DOUBT, air_item_name((enum air_item)i),
                        1),
                "有两列表示同一项目，仅使用第一列；请删去或另行指定多余的一列",
                "two columns mean this item and only the first is used: take one out, or map it to something else");
    if (m->weather_beyond)
        say(finding(r, "weather_range", AIR_DOUBT, "", m->weather_beyond), "气象值超出可能范围，已按缺失处理",
            "weather values beyond what can be; taken as missing");
    if (m->flagged)
        say(finding(r, "flagged", AIR_NOTE, "", m->flagged), "带异常标记的行：保存为无效值",
            "rows with a flag: kept as invalid values");
    if (m->other_pollutants)
        say(finding(r, "other_items", AIR_NOTE, "", m->other_pollutants), "其他项目（AQI、24 小时均值等）未导入",
            "rows of other items (AQI, 24-h means …) are passed over");
    if (m->repeats_full)
        say(finding(r, "repeats_unchecked", AIR_NOTE, "", 1), "数据量大，未全部检查重复小时",
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

bool air_import_refused(const struct air_import_report *r)
{
    bool wrong = r->n_errors > 0 || (r->n_unknown > 0 && !r->skip_unknown && !r->creates) || r->rows == 0;
    for (unsigned i = 0; i < r->n_findings; i++)
        wrong |= r->finding[i].level == AIR_WRONG && !r->finding[i].accepted;
    return wrong;
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

static bool code_form(struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool ok =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("_-./", c));
        if (!ok)
            return false;
    }
    return s.n > 0 && s.n <= 64;
}

static enum lt_err create_stations(struct importer *m, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(LT_LIT("station"));
    enum lt_err e = auth_need(m->x->who, "station:write", err);
    for (size_t i = 0; e == LT_OK && i < m->n_places; i++) {
        struct place *p = &m->place[i];
        char made[65];
        if (!p->unknown || !p->rows)
            continue;
        lt_text_copy_slice(made, sizeof made, p->code);
        if (!code_form(p->code)) /* a name only: a code that follows from it */
            snprintf(made, sizeof made, "N%016llx", (unsigned long long)hash_of(p->code));
        const struct record_set set[] = {RECORD_SET_Z("code", made),
                                         RECORD_SET_S("name", p->name.n ? p->name : p->code),
                                         RECORD_SET_I("territory", m->o->create_in), RECORD_SET_Z("type", "county")};
        e = record_insert(m->x, k, set, 4, &p->id, err);
    }
    return e;
}

static enum lt_err audit_import(struct importer *m, struct lt_error *err)
{
    struct lt_buf b = LT_BUF_INIT(8192);
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kstr(&w, "file", m->o->name ? m->o->name : "");
    jsonw_ki64(&w, "version", m->r->result.version);
    jsonw_ku64(&w, "rows", m->r->rows);
    jsonw_kstr(&w, "accepted", m->o->accept ? m->o->accept : "");
    jsonw_object_end(&w);
    struct audit_entry a = {
        .who = m->x->who, .at_ms = m->x->now_ms, .action = "import", .kind = "station", .detail = lt_buf_slice(&b)};
    enum lt_err e = audit_add(m->x->db, &a, err);
    lt_buf_fini(&b);
    return e;
}

static enum lt_err put_all(struct importer *m, struct lt_error *err)
{
    struct air_import_report *r = m->r;
    struct air_batch_info info = {.source = r->shape == SHAPE_NATIONAL ? AIR_SRC_NATIONAL : AIR_SRC_FILE,
                                  .author = m->x->who->login[0] ? m->x->who->login : m->x->who->name,
                                  .reason = m->o->name ? m->o->name : "",
                                  .now_ms = m->x->now_ms,
                                  .tz_min = m->x->tz_min};
    m->rows = malloc(CHUNK_ROWS * sizeof *m->rows);
    if (!m->rows)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = sql_begin(m->x->db, err);
    if (e != LT_OK)
        return e;
    if (m->o->create_in && r->n_unknown)
        e = create_stations(m, err);
    if (e == LT_OK && (e = air_writer_begin(m->x->db, &info, &m->w, err)) == LT_OK) {
        e = read_all(m, true, err);
        e = air_writer_end(&m->w, e, &r->result, err);
    }
    r->has_result = e == LT_OK;
    if (e == LT_OK && !m->o->dry_run)
        e = audit_import(m, err);
    if (e == LT_OK && m->o->dry_run) {
        sql_rollback(m->x->db);
        return LT_OK;
    }
    e = sql_end(m->x->db, e, err);
    r->applied = e == LT_OK;
    return e;
}

static enum lt_err remember(struct importer *m, struct lt_error *err)
{
    struct air_import_report *r = m->r;
    json_t *columns = json_object();
    enum lt_err e = auth_need(m->x->who, "air_mapping:write", err);
    if (e == LT_OK && (r->shape == SHAPE_CROSS || r->all_columns > COLUMNS_SHOWN || m->header.n > 4000 || !columns))
        e = lt_fail(err, LT_E_TOO_LARGE, "remember", "header", "4000", NULL);
    for (unsigned i = 0; e == LT_OK && i < r->n_columns; i++)
        json_object_set_new(columns, title_of(m, i), json_string(air_means_name(m->means[i])));
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
        e = load_places(m, err);
    if (e == LT_OK)
        e = look(m, err);
    if (e == LT_OK)
        e = read_all(m, false, err);
    if (e == LT_OK)
        e = weigh(m, err);
    if (e != LT_OK || air_import_refused(r) || (m->o->dry_run && r->rows > TRIAL_ROWS_MAX))
        return e;
    if (m->o->remember && m->o->remember[0] && !m->o->dry_run)
        e = remember(m, err);
    return e == LT_OK ? put_all(m, err) : e;
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

/* ---- the report ---- */

void air_import_report_free(struct air_import_report **r)
{
    if (!*r)
        return;
    lt_buf_fini(&(*r)->titles);
    free(*r);
    *r = NULL;
}

bool air_import_applied(const struct air_import_report *r)
{
    return r->applied;
}

void air_put_json(const struct air_put_result *p, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_ki64(w, "version", p->version);
    jsonw_ku64(w, "rows", p->rows);
    jsonw_ku64(w, "first", p->first);
    jsonw_ku64(w, "equal", p->equal);
    jsonw_ku64(w, "filled", p->filled);
    jsonw_ku64(w, "replaced", p->replaced);
    jsonw_ku64(w, "refused", p->refused);
    jsonw_ku64(w, "refused_reviewed", p->refused_reviewed);
    jsonw_ku64(w, "refused_rank", p->refused_rank);
    jsonw_object_end(w);
}

static void json_lists(const struct air_import_report *r, enum lt_lang lang, struct jsonw *w)
{
    static const char *const levels[] = {"note", "doubt", "wrong"};
    jsonw_key(w, "unknown_stations");
    jsonw_array(w);
    for (unsigned i = 0; i < r->n_unknown; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "code", r->unknown[i].code);
        jsonw_kstr(w, "name", r->unknown[i].name);
        jsonw_ku64(w, "rows", r->unknown[i].rows);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "findings");
    jsonw_array(w);
    for (unsigned i = 0; i < r->n_findings; i++) {
        const struct air_finding *f = &r->finding[i];
        jsonw_object(w);
        jsonw_kstr(w, "code", f->code);
        jsonw_kstr(w, "level", levels[f->level]);
        jsonw_kstr(w, "item", f->item);
        jsonw_ku64(w, "count", f->count);
        jsonw_kbool(w, "accepted", f->accepted);
        jsonw_kstr(w, "text", lang == LT_EN ? f->en : f->zh);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "errors");
    jsonw_array(w);
    for (unsigned i = 0; i < r->n_errors && i < AIR_ERRORS_MAX; i++) {
        char text[200];
        const struct cell_error *c = &r->error[i];
        snprintf(text, sizeof text, lang == LT_EN ? "%s: \"%s\"" : "%s：“%s”", lang == LT_EN ? c->en : c->zh, c->cell);
        jsonw_object(w);
        jsonw_ki64(w, "row", c->row);
        jsonw_kstr(w, "column", c->column);
        jsonw_kstr(w, "message", text);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_ku64(w, "errors_all", r->n_errors);
    jsonw_kbool(w, "errors_more", r->n_errors > AIR_ERRORS_MAX);
}

static void json_preview(const struct air_import_report *r, int tz_min, struct jsonw *w)
{
    jsonw_key(w, "preview");
    jsonw_array(w);
    for (unsigned i = 0; i < r->n_preview; i++) {
        const struct preview *p = &r->preview[i];
        jsonw_object(w);
        jsonw_ki64(w, "line", p->line);
        jsonw_kstr(w, "station", p->station);
        if (p->id > 0)
            jsonw_ki64(w, "station_id", p->id);
        else
            jsonw_knull(w, "station_id");
        jsonw_ktime(w, "at", p->at_ms, tz_min);
        jsonw_key(w, "values");
        jsonw_object(w);
        for (int k = 0; k < AIR_ITEMS; k++)
            if (p->value[k] != AIR_NONE)
                jsonw_kfix(w, air_item_name((enum air_item)k), air_value_fix((enum air_item)k, p->value[k]));
        jsonw_object_end(w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

void air_import_report_json(const struct air_import_report *r, enum lt_lang lang, int tz_min, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kbool(w, "dry_run", r->dry_run);
    jsonw_kbool(w, "applied", r->applied);
    jsonw_kbool(w, "refused", air_import_refused(r));
    jsonw_kstr(w, "format", air_format_name(r->info.format));
    jsonw_kstr(w, "encoding", r->info.encoding);
    jsonw_kstr(w, "shape", shape_names[r->shape]);
    jsonw_key(w, "columns");
    jsonw_array(w);
    for (unsigned i = 0; i < r->n_columns; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "title", r->titles.p + r->title_at[i]);
        jsonw_kstr(w, "as", air_means_name(r->means[i]));
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    if (r->mapping)
        jsonw_ki64(w, "mapping", r->mapping);
    else
        jsonw_knull(w, "mapping");
    jsonw_kstr(w, "co_unit", r->co_ug ? "ug" : "mg");
    jsonw_kstr(w, "hour_label", r->label_end ? "end" : "start");
    jsonw_ki64(w, "tz_min", r->tz_min);
    jsonw_ktime(w, "from", r->from_ms, tz_min);
    jsonw_ktime(w, "to", r->to_ms, tz_min);
    jsonw_ku64(w, "rows", r->rows);
    jsonw_ku64(w, "stations", r->stations);
    json_preview(r, tz_min, w);
    json_lists(r, lang, w);
    jsonw_key(w, "result");
    if (r->has_result)
        air_put_json(&r->result, w);
    else
        jsonw_null(w);
    jsonw_ki64(w, "ms", r->ms);
    jsonw_object_end(w);
}

void air_import_report_text(const struct air_import_report *r, enum lt_lang lang, struct lt_buf *out)
{
    static const char *const levels[2][3] = {{"提示", "存疑", "错误"}, {"note", "doubt", "wrong"}};
    bool en = lang == LT_EN;
    lt_buf_addf(out,
                en ? "rows %llu, stations %llu, CO %s, hours named by their %s\n"
                   : "行 %llu，站点 %llu，CO %s，小时标注 %s\n",
                (unsigned long long)r->rows, (unsigned long long)r->stations, r->co_ug ? "µg/m³" : "mg/m³",
                en ? (r->label_end ? "end" : "beginning") : (r->label_end ? "结束时刻" : "开始时刻"));
    for (unsigned i = 0; i < r->n_findings; i++) {
        const struct air_finding *f = &r->finding[i];
        lt_buf_addf(out, "%s [%s]%s %s\n", levels[en][f->level], f->code,
                    f->accepted ? (en ? " (accepted)" : "（已接受）") : "", en ? f->en : f->zh);
    }
    for (unsigned i = 0; i < r->n_unknown && i < 20; i++)
        lt_buf_addf(out, en ? "unknown station: %s %s (%llu rows)\n" : "未知站点：%s %s（%llu 行）\n",
                    r->unknown[i].code, r->unknown[i].name, (unsigned long long)r->unknown[i].rows);
    for (unsigned i = 0; i < r->n_errors && i < 20; i++)
        lt_buf_addf(out, en ? "row %u, column %s: %s: \"%s\"\n" : "第 %u 行 %s 列：%s：“%s”\n", r->error[i].row,
                    r->error[i].column, en ? r->error[i].en : r->error[i].zh, r->error[i].cell);
    if (r->n_errors > 20)
        lt_buf_addf(out, en ? "… %llu errors in all\n" : "……共 %llu 处错误\n", (unsigned long long)r->n_errors);
    if (r->has_result)
        lt_buf_addf(out,
                    en ? "%sversion %lld: %llu new values, %llu equal, %llu filled, %llu replaced, %llu refused\n"
                       : "%s数据版本 %lld：新增 %llu，相同 %llu，补充 %llu，替换 %llu，拒收 %llu\n",
                    r->applied ? ""
                    : en       ? "(dry run) "
                               : "（试运行）",
                    (long long)r->result.version, (unsigned long long)r->result.first,
                    (unsigned long long)r->result.equal, (unsigned long long)r->result.filled,
                    (unsigned long long)r->result.replaced, (unsigned long long)r->result.refused);
    if (!r->applied && air_import_refused(r))
        lt_buf_adds(out, en ? "nothing was imported\n" : "未导入任何数据\n");
}
