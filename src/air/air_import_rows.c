/* Rows of a file: read once to be judged, and a second time to be put. */
#include "air/air_import_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <limits.h>
#include <stdlib.h>

#define CHUNK_ROWS  262144u    /* rows sorted and put at a time: 19 MiB */
#define REPEATS_MAX (1u << 22) /* station-hours followed for repetition: 128 MiB; 40 years of 12 stations */
#define AHEAD_MS    LT_HOUR_MS /* an hour that has not begun is no measurement; clocks differ a little */

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
        air_import_cell_error(m, line, air_import_title(m, column), s, not_a_number_zh, not_a_number_en);
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
        air_import_cell_error(m, rec->line, air_import_title(m, column), split ? date : time, "无法识别的时间",
                              "not a time");
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
                air_import_cell_error(m, rec->line, "hour", hour, "不是整点", "not on the hour");
                return false;
            }
        if (colon)
            digits.n = (size_t)(colon - digits.p);
        if (!lt_text_to_i64(digits, &h) || h < 0 || h > 24) {
            air_import_cell_error(m, rec->line, "hour", hour, "小时应为 0 至 24", "the hour must be 0 to 24");
            return false;
        }
        *ret += h * LT_HOUR_MS;
    } else if (!has_hour) {
        air_import_cell_error(m, rec->line, air_import_title(m, column), time, "只有日期，没有小时",
                              "a day without an hour");
        return false;
    }
    if (m->r->label_end)
        *ret -= LT_HOUR_MS;
    if ((*ret + m->x->tz_min * LT_MIN_MS) % LT_HOUR_MS != 0) {
        air_import_cell_error(m, rec->line, air_import_title(m, column), split ? date : time, "不是整点",
                              "not on the hour");
        return false;
    }
    if (*ret > m->x->now_ms + AHEAD_MS || *ret < 0) {
        bool early = *ret < 0;
        air_import_cell_error(m, rec->line, air_import_title(m, column), split ? date : time,
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
    if (m->o->station && !air_import_columns_of(m, AIR_M_STATION) && !air_import_columns_of(m, AIR_M_NAME)) {
        for (size_t i = 0; i < m->n_places; i++)
            if (m->place[i].id == m->o->station)
                return i;
        return SIZE_MAX;
    }
    struct lt_slice name = cell_of(m, rec, AIR_M_NAME, &column), code = cell_of(m, rec, AIR_M_STATION, &column);
    return air_import_place(m, rec->line, column, code, name);
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

/* Cross: every column that is nothing else is a station. */
static void cross_columns(struct importer *m, const struct air_record *rec)
{
    for (unsigned i = 0; i < rec->n; i++) {
        m->cross_place[i] = UINT_MAX;
        if (m->means[i] == AIR_M_IGNORE && rec->cell[i].n) {
            size_t p = air_import_place(m, rec->line, i, rec->cell[i], rec->cell[i]);
            m->cross_place[i] = p == SIZE_MAX ? UINT_MAX : (unsigned)p;
        }
    }
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
        return m->e == LT_OK;
    return m->r->shape == SHAPE_LONG ? long_row(m, rec, at_ms, place, valid) : wide_row(m, rec, at_ms, place, valid);
}

enum lt_err air_import_read(struct importer *m, bool putting, struct lt_error *err)
{
    struct air_table_info info;
    m->putting = putting;
    m->records = 0;
    m->e = LT_OK;
    m->err = err;
    if (putting && !(m->rows = malloc(CHUNK_ROWS * sizeof *m->rows)))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = air_table_read(m->file, m->r->info.format, on_record, m, &info, err);
    if (e == LT_OK)
        e = m->e;
    if (e == LT_OK && putting && !put_chunk(m))
        e = m->e;
    if (!putting)
        lt_text_copy(m->r->info.encoding, sizeof m->r->info.encoding, info.encoding);
    return e;
}
