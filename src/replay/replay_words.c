/* Results and differences as JSON, and their words. */
#include "replay/replay_priv.h"

#include "engine/values.h"
#include "hj212/hj212.h"
#include "series/series.h"
#include "sheet/sheet.h"

#include <stdio.h>

/* A result is a field of a record: with these it stays well below its 40,000 characters. All of it is in the
 * differences. */
#define PLACES_SHOWN 60
#define DAYS_SHOWN   62

enum place_kind { PLACE_DEVICE, PLACE_OUTLET, PLACE_ENTERPRISE, PLACE_TERRITORY };

const char *replay_side_name(enum replay_side s)
{
    return s == REPLAY_CHECKED ? "checked" : "change";
}

const char *replay_what_name(enum replay_what w)
{
    static const char *const names[] = {"alarm", "verdict", "hour", "day"};
    return names[w];
}

const char *replay_how_name(enum replay_how h)
{
    static const char *const names[] = {"gained", "lost", "changed"};
    return names[h];
}

static const struct {
    const char *name, *en, *zh;
} causes[REPLAY_CAUSES] = {
    {"", "", ""},
    {"config", "the post judged by another version of the rule", "当时平台使用的规则版本不同"},
    {"state", "the rule remembers more than the days before the replayed ones", "规则的历史状态早于重演起点"},
    {"late", "data came after the replayed days, or long after its hour", "数据在重演时段之后或远晚于所属时段才到达"},
    {"expired", "the raw journal of that time is gone", "当时的原始报文已过保留期"},
    {"unknown", "no cause known", "原因不明"}};

const char *replay_cause_name(enum replay_cause c)
{
    return causes[c].name;
}

const char *replay_cause_text(enum replay_cause c, enum lt_lang lang)
{
    return lang == LT_ZH ? causes[c].zh : causes[c].en;
}

/* ---- result ---- */

static void counts(const struct replay_count *c, struct jsonw *w)
{
    jsonw_ku64(w, "before", c->before);
    jsonw_ku64(w, "after", c->after);
    jsonw_ku64(w, "gained", c->gained);
    jsonw_ku64(w, "lost", c->lost);
    jsonw_ku64(w, "changed", c->changed);
}

/* Both names: the result is stored once and read in either language. */
static enum lt_err names_of(struct sql_db *db, const char *text, int64_t id, struct jsonw *w, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(db, text, &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, id);
    e = sql_step(st, &row, err);
    jsonw_key(w, "name");
    if (e == LT_OK && row)
        jsonw_slice(w, sql_col_text(st, 0));
    else
        jsonw_null(w);
    jsonw_key(w, "name_en");
    if (e == LT_OK && row && sql_col_text(st, 1).n)
        jsonw_slice(w, sql_col_text(st, 1));
    else
        jsonw_null(w);
    sql_release(&st);
    return e;
}

static enum lt_err places_json(const struct replay_count *c, size_t n, bool plants, struct sql_db *db, struct jsonw *w,
                               struct lt_error *err)
{
    enum lt_err e = LT_OK;
    jsonw_array(w);
    for (size_t i = 0; e == LT_OK && i < n && i < PLACES_SHOWN; i++) {
        jsonw_object(w);
        jsonw_ki64(w, plants ? "enterprise" : "territory", c[i].id);
        e = names_of(db,
                     plants ? "SELECT name, name_en FROM enterprise WHERE id = ?1"
                            : "SELECT name, name_en FROM territory WHERE id = ?1",
                     c[i].id, w, err);
        if (plants)
            jsonw_ki64(w, "territory", c[i].territory);
        counts(&c[i], w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    return e;
}

static void rules_json(const struct replay_result *r, struct jsonw *w)
{
    jsonw_array(w);
    for (size_t i = 0; i < r->n_rule; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "rule", alarm_rule_code((enum alarm_rule)r->by_rule[i].id));
        jsonw_kstr(w, "name", alarm_rule_name((enum alarm_rule)r->by_rule[i].id, LT_ZH));
        jsonw_kstr(w, "name_en", alarm_rule_name((enum alarm_rule)r->by_rule[i].id, LT_EN));
        counts(&r->by_rule[i], w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void days_json(const struct replay_result *r, struct jsonw *w)
{
    char day[16];
    jsonw_array(w);
    for (size_t i = r->n_day > DAYS_SHOWN ? r->n_day - DAYS_SHOWN : 0; i < r->n_day; i++) {
        int d = (int)r->by_day[i].id;
        snprintf(day, sizeof day, "%04d-%02d-%02d", d / 10000, d / 100 % 100, d % 100);
        jsonw_object(w);
        jsonw_kstr(w, "day", day);
        counts(&r->by_day[i], w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void checked_json(const struct replay_result *r, struct jsonw *w)
{
    jsonw_key(w, "checked");
    jsonw_object(w);
    jsonw_ku64(w, "alarms", r->alarms);
    jsonw_ku64(w, "verdicts", r->verdicts);
    jsonw_ku64(w, "hours", r->hours);
    jsonw_ku64(w, "days", r->days);
    jsonw_ku64(w, "amended_later", r->later);
    jsonw_kbool(w, "identical", r->differences == 0);
    jsonw_ku64(w, "differences", r->differences);
    jsonw_key(w, "causes");
    jsonw_object(w);
    for (int c = REPLAY_C_CONFIG; c < REPLAY_CAUSES; c++)
        jsonw_ku64(w, causes[c].name, r->cause[c]);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static enum lt_err change_json(const struct replay_result *r, struct sql_db *db, struct jsonw *w, struct lt_error *err)
{
    jsonw_key(w, "change");
    if (!r->changed) {
        jsonw_null(w);
        return LT_OK;
    }
    jsonw_object(w);
    jsonw_ku64(w, "gained", r->gained);
    jsonw_ku64(w, "lost", r->lost);
    jsonw_ku64(w, "changed", r->moved);
    jsonw_ku64(w, "hours", r->diff_hours);
    jsonw_ku64(w, "plants", r->diff_plants);
    jsonw_ku64(w, "counties", r->diff_counties);
    jsonw_key(w, "by_rule");
    rules_json(r, w);
    jsonw_key(w, "by_county");
    enum lt_err e = places_json(r->by_county, r->n_county, false, db, w, err);
    jsonw_key(w, "by_plant");
    if (e == LT_OK)
        e = places_json(r->by_plant, r->n_plant, true, db, w, err);
    if (e == LT_OK) {
        jsonw_key(w, "by_day");
        days_json(r, w);
        jsonw_object_end(w);
    }
    return e;
}

enum lt_err replay_result_json(const struct replay_result *r, struct sql_db *db, int tz_min, struct jsonw *w,
                               struct lt_error *err)
{
    jsonw_object(w);
    jsonw_ktime(w, "from", r->from_ms, tz_min);
    jsonw_ktime(w, "to", r->to_ms, tz_min);
    jsonw_ktime(w, "warm_from", r->warm_ms, tz_min);
    jsonw_kstr(w, "warm_why", r->exact ? "journal_start" : "days");
    jsonw_ktime(w, "end", r->end_ms, tz_min);
    jsonw_ku64(w, "records", r->records);
    jsonw_ku64(w, "frames", r->frames);
    jsonw_ku64(w, "frames_per_s", r->seconds > 0 ? (uint64_t)((double)r->frames / r->seconds) : 0);
    jsonw_ki64(w, "days", (r->to_ms - r->from_ms) / LT_DAY_MS);
    checked_json(r, w);
    enum lt_err e = change_json(r, db, w, err);
    if (e == LT_OK)
        jsonw_object_end(w);
    return e;
}

/* ---- one difference ---- */

static void alarm_json(const char *key, const struct replay_alarm *a, int tz_min, struct jsonw *w)
{
    jsonw_key(w, key);
    if (!a->there) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_ktime(w, "first_at", a->first_ms, tz_min);
    jsonw_ktime(w, "last_at", a->last_ms, tz_min);
    jsonw_ktime(w, "ended_at", a->ended_ms, tz_min);
    jsonw_kbool(w, "active", a->active);
    jsonw_kfix(w, "value", a->value);
    jsonw_kfix(w, "limit", a->limit);
    jsonw_ki64(w, "rule_version", a->rule_version);
    jsonw_ki64(w, "count", a->count);
    jsonw_object_end(w);
}

static void verdict_json(const char *key, const struct replay_diff *d, const char *inputs, struct jsonw *w)
{
    jsonw_key(w, key);
    if (!inputs || !inputs[0]) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_kstr(w, "outcome", d->outcome);
    jsonw_ku64(w, "seq", d->seq);
    jsonw_key(w, "inputs");
    jsonw_raw(w, lt_slice_of(inputs));
    jsonw_object_end(w);
}

/* Whole numbers and marks stand in some fields of hour values, millionths in the others. */
static void value_json(const char *key, unsigned field, int64_t v, struct jsonw *w)
{
    char mark[5];
    jsonw_key(w, key);
    if (v == LT_FIX_NONE) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_key(w, "value");
    if (field == HJ212_F_FLAG) {
        values_mark_unpack(v, mark);
        jsonw_str(w, mark);
    } else if (field >= SERIES_F_VALID && field <= SERIES_F_VERSION) {
        jsonw_i64(w, v);
    } else {
        jsonw_fix(w, v);
    }
    jsonw_object_end(w);
}

static const char *field_name(unsigned field)
{
    static const char *const own[] = {"Valid", "Source", "State", "Version", "CalcAvg", "CalcZsAvg", "Diff"};
    return field >= SERIES_F_VALID && field < SERIES_F_VALID + sizeof own / sizeof own[0]
               ? own[field - SERIES_F_VALID]
               : hj212_field_name((enum hj212_field)field);
}

static void id_or_null(const char *key, int64_t id, struct jsonw *w)
{
    if (id)
        jsonw_ki64(w, key, id);
    else
        jsonw_knull(w, key);
}

/* Name of a place, "" when it has none. */
static void place_name(struct sql_db *db, enum place_kind kind, int64_t id, enum lt_lang lang, char ret[200])
{
    static const char *const texts[][2] = {
        [PLACE_DEVICE] = {"SELECT coalesce(nullif(name, ''), mn) FROM device WHERE id = ?1",
                          "SELECT coalesce(nullif(name, ''), mn) FROM device WHERE id = ?1"},
        [PLACE_OUTLET] = {"SELECT coalesce(nullif(name_en, ''), name) FROM outlet WHERE id = ?1",
                          "SELECT name FROM outlet WHERE id = ?1"},
        [PLACE_ENTERPRISE] = {"SELECT coalesce(nullif(name_en, ''), name) FROM enterprise WHERE id = ?1",
                              "SELECT name FROM enterprise WHERE id = ?1"},
        [PLACE_TERRITORY] = {"SELECT coalesce(nullif(name_en, ''), name) FROM territory WHERE id = ?1",
                             "SELECT name FROM territory WHERE id = ?1"}};
    struct sql_stmt *st = NULL;
    bool row = false;
    ret[0] = 0;
    if (!id || sql_prepare(db, texts[kind][lang == LT_ZH], &st, NULL) != LT_OK)
        return;
    sql_bind_i64(st, 1, id);
    if (sql_step(st, &row, NULL) == LT_OK && row)
        lt_text_copy_slice(ret, 200, sql_col_text(st, 0));
    sql_release(&st);
}

static void place_json(const char *key, const char *name_key, struct sql_db *db, enum place_kind kind, int64_t id,
                       enum lt_lang lang, struct jsonw *w)
{
    char name[200];
    id_or_null(key, id, w);
    place_name(db, kind, id, lang, name);
    jsonw_kstr(w, name_key, name[0] ? name : NULL);
}

void replay_diff_json(const struct replay_diff *d, struct sql_db *db, int tz_min, enum lt_lang lang, struct jsonw *w)
{
    bool value = d->what == REPLAY_HOUR || d->what == REPLAY_DAY;
    const struct hj212_factor *f = d->factor[0] ? hj212_factor_find(lt_slice_of(d->factor)) : NULL;
    jsonw_kstr(w, "side", replay_side_name((enum replay_side)d->side));
    jsonw_kstr(w, "what", replay_what_name((enum replay_what)d->what));
    jsonw_kstr(w, "change", replay_how_name((enum replay_how)d->how));
    jsonw_kstr(w, "rule", value ? NULL : alarm_rule_code((enum alarm_rule)d->rule));
    jsonw_kstr(w, "rule_name", value ? NULL : alarm_rule_name((enum alarm_rule)d->rule, lang));
    jsonw_kstr(w, "object_kind", d->object == ALARM_OUTLET ? "outlet" : "device");
    jsonw_ki64(w, "object_id", d->object_id);
    place_json("device", "device_name", db, PLACE_DEVICE, d->device, lang, w);
    place_json("outlet", "outlet_name", db, PLACE_OUTLET, d->outlet, lang, w);
    place_json("enterprise", "enterprise_name", db, PLACE_ENTERPRISE, d->enterprise, lang, w);
    place_json("territory", "territory_name", db, PLACE_TERRITORY, d->territory, lang, w);
    jsonw_kstr(w, "factor", d->factor[0] ? d->factor : NULL);
    jsonw_kstr(w, "factor_name", f ? (lang == LT_ZH ? f->name_zh : f->name_en) : NULL);
    jsonw_kstr(w, "unit", f ? f->unit : NULL);
    jsonw_ktime(w, "period_at", d->period_ms, tz_min);
    jsonw_ki64(w, "period_ms", d->period_len_ms);
    jsonw_kstr(w, "field", value ? field_name(d->field) : NULL);
    if (d->what == REPLAY_ALARM) {
        alarm_json("before", &d->before, tz_min, w);
        alarm_json("after", &d->after, tz_min, w);
    } else if (value) {
        value_json("before", d->field, d->old_value, w);
        value_json("after", d->field, d->new_value, w);
    } else {
        verdict_json("before", d, d->inputs_before, w);
        verdict_json("after", d, d->inputs_after, w);
    }
    jsonw_kstr(w, "cause", d->cause ? replay_cause_name((enum replay_cause)d->cause) : NULL);
    jsonw_kstr(w, "cause_text", d->cause ? replay_cause_text((enum replay_cause)d->cause, lang) : NULL);
}

/* ---- CSV ---- */

static const struct {
    struct sheet_column en, zh;
} csv_columns[] = {
    {{"Compared", SHEET_TEXT}, {"比较", SHEET_TEXT}},     {{"What", SHEET_TEXT}, {"对象", SHEET_TEXT}},
    {{"Change", SHEET_TEXT}, {"变化", SHEET_TEXT}},       {{"Rule", SHEET_TEXT}, {"规则", SHEET_TEXT}},
    {{"County", SHEET_TEXT}, {"区县", SHEET_TEXT}},       {{"Enterprise", SHEET_TEXT}, {"企业", SHEET_TEXT}},
    {{"Outlet", SHEET_TEXT}, {"排放口", SHEET_TEXT}},     {{"Device", SHEET_TEXT}, {"设备", SHEET_TEXT}},
    {{"Factor", SHEET_TEXT}, {"污染物编码", SHEET_TEXT}}, {{"Factor name", SHEET_TEXT}, {"污染物", SHEET_TEXT}},
    {{"Field", SHEET_TEXT}, {"字段", SHEET_TEXT}},        {{"Period from", SHEET_TEXT}, {"时段开始", SHEET_TEXT}},
    {{"Before", SHEET_TEXT}, {"原值", SHEET_TEXT}},       {{"After", SHEET_TEXT}, {"新值", SHEET_TEXT}},
    {{"Limit", SHEET_TEXT}, {"限值", SHEET_TEXT}},        {{"Cause", SHEET_TEXT}, {"原因", SHEET_TEXT}}};
#define CSV_COLUMNS (sizeof csv_columns / sizeof csv_columns[0])

static void csv_heads(enum lt_lang lang, struct sheet_column ret[CSV_COLUMNS])
{
    for (size_t i = 0; i < CSV_COLUMNS; i++)
        ret[i] = lang == LT_ZH ? csv_columns[i].zh : csv_columns[i].en;
}

void replay_diff_csv_head(enum lt_lang lang, struct lt_buf *out)
{
    struct sheet_column heads[CSV_COLUMNS];
    csv_heads(lang, heads);
    sheet_csv_begin(out, heads, CSV_COLUMNS);
}

static void number_text(unsigned field, int64_t v, char ret[32])
{
    ret[0] = 0;
    if (v == LT_FIX_NONE)
        return;
    if (field == HJ212_F_FLAG)
        values_mark_unpack(v, ret);
    else if (field >= SERIES_F_VALID && field <= SERIES_F_VERSION)
        snprintf(ret, 32, "%lld", (long long)v);
    else
        lt_fix_format_short(v, ret);
}

static const char *side_text(const struct replay_diff *d, enum lt_lang lang)
{
    static const char *const zh[] = {"同规则与记录", "新规则与原规则"};
    return lang == LT_ZH ? zh[d->side] : replay_side_name((enum replay_side)d->side);
}

static const char *what_text(const struct replay_diff *d, enum lt_lang lang)
{
    static const char *const zh[] = {"告警", "判定", "小时值", "日均值"};
    return lang == LT_ZH ? zh[d->what] : replay_what_name((enum replay_what)d->what);
}

static const char *how_text(const struct replay_diff *d, enum lt_lang lang)
{
    static const char *const zh[] = {"新增", "减少", "变化"};
    return lang == LT_ZH ? zh[d->how] : replay_how_name((enum replay_how)d->how);
}

void replay_diff_csv(const struct replay_diff *d, struct sql_db *db, int tz_min, enum lt_lang lang, struct lt_buf *out)
{
    struct sheet_column heads[CSV_COLUMNS];
    char county[200], plant[200], outlet[200], device[200], at[40] = "", before[32], after[32], limit[32];
    bool value = d->what == REPLAY_HOUR || d->what == REPLAY_DAY;
    const struct hj212_factor *f = d->factor[0] ? hj212_factor_find(lt_slice_of(d->factor)) : NULL;
    place_name(db, PLACE_TERRITORY, d->territory, lang, county);
    place_name(db, PLACE_ENTERPRISE, d->enterprise, lang, plant);
    place_name(db, PLACE_OUTLET, d->outlet, lang, outlet);
    place_name(db, PLACE_DEVICE, d->device, lang, device);
    if (d->period_ms)
        lt_time_format_iso(d->period_ms, tz_min, at);
    number_text(value ? d->field : 0, value ? d->old_value : d->before.there ? d->before.value : LT_FIX_NONE, before);
    number_text(value ? d->field : 0, value ? d->new_value : d->after.there ? d->after.value : LT_FIX_NONE, after);
    const struct replay_alarm *shown = d->after.there ? &d->after : &d->before;
    number_text(0, shown->there ? shown->limit : LT_FIX_NONE, limit);
    bool verdict = d->what == REPLAY_VERDICT;
    const struct lt_slice cells[CSV_COLUMNS] = {
        lt_slice_of(side_text(d, lang)),
        lt_slice_of(what_text(d, lang)),
        lt_slice_of(how_text(d, lang)),
        lt_slice_of(value ? "" : alarm_rule_name((enum alarm_rule)d->rule, lang)),
        lt_slice_of(county),
        lt_slice_of(plant),
        lt_slice_of(outlet),
        lt_slice_of(device),
        lt_slice_of(d->factor),
        lt_slice_of(f ? (lang == LT_ZH ? f->name_zh : f->name_en) : ""),
        lt_slice_of(value     ? field_name(d->field)
                    : verdict ? d->outcome
                              : ""),
        lt_slice_of(at),
        lt_slice_of(verdict ? d->inputs_before : before),
        lt_slice_of(verdict ? d->inputs_after : after),
        lt_slice_of(limit),
        lt_slice_of(d->cause ? replay_cause_text((enum replay_cause)d->cause, lang) : "")};
    csv_heads(lang, heads);
    sheet_csv_row(out, heads, cells, CSV_COLUMNS);
}
