/* The declarations: every kind of record of the post, once. Order of kinds: what is referred to comes first. */
#include "base/clock.h"
#include "base/text.h"
#include "hj212/hj212.h"
#include "record/record_priv.h"
#include "record/rule_list.h"

#include <arpa/inet.h>

#define R  RECORD_F_REQUIRED
#define U  RECORD_F_UNIQUE
#define RO RECORD_F_READONLY
#define SE RECORD_F_SECRET
#define L  RECORD_F_LIST
#define Q  RECORD_F_SEARCH
#define N  RECORD_F_NAME
#define K  RECORD_F_KEY
#define H  RECORD_F_HIDDEN
#define QU RECORD_F_QUIET
#define CR RECORD_F_CREATE

#define TEXT(n_, f_, chars_, en_, zh_)                                                                                 \
    .name = (n_), .type = RECORD_TEXT, .flags = (f_), .max = (chars_), .en = (en_), .zh = (zh_)
#define INT(n_, f_, lo_, hi_, en_, zh_)                                                                                \
    .name = (n_), .type = RECORD_INT, .flags = (f_), .min = (lo_), .max = (hi_), .en = (en_), .zh = (zh_)
#define FIX(n_, f_, lo_, hi_, en_, zh_)                                                                                \
    .name = (n_), .type = RECORD_FIX, .flags = (f_), .min = (int64_t)(lo_)*LT_FIX_ONE,                                 \
    .max = (int64_t)(hi_)*LT_FIX_ONE, .en = (en_), .zh = (zh_)
#define BOOL(n_, f_, en_, zh_) .name = (n_), .type = RECORD_BOOL, .flags = (f_), .en = (en_), .zh = (zh_)
#define TIME(n_, f_, en_, zh_) .name = (n_), .type = RECORD_TIME, .flags = (f_), .en = (en_), .zh = (zh_)
#define DATE(n_, f_, en_, zh_) .name = (n_), .type = RECORD_DATE, .flags = (f_), .en = (en_), .zh = (zh_)
#define ENUM(n_, f_, c_, en_, zh_)                                                                                     \
    .name = (n_), .type = RECORD_ENUM, .flags = (f_), .choices = (c_), .en = (en_), .zh = (zh_)
#define REF(n_, f_, k_, en_, zh_) .name = (n_), .type = RECORD_REF, .flags = (f_), .ref = (k_), .en = (en_), .zh = (zh_)
#define JSON(n_, f_, chars_, en_, zh_)                                                                                 \
    .name = (n_), .type = RECORD_JSON, .flags = (f_), .max = (chars_), .en = (en_), .zh = (zh_)
#define HINT(en_, zh_)    .hint_en = (en_), .hint_zh = (zh_)
#define FORM(check_, as_) .check = (check_), .form = (as_)
#define FIELDS(f_)        .fields = (f_), .n = sizeof(f_) / sizeof((f_)[0])

/* ---- forms of texts ---- */

static bool all_in(struct lt_slice s, size_t least, size_t most, const char *set)
{
    if (s.n < least || s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return false;
    return true;
}

#define DIGITS "0123456789"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"

static bool form_adcode(struct lt_slice s) /* GB/T 2260 six digits, townships nine (GB/T 10114) */
{
    return (s.n == 6 || s.n == 9 || s.n == 12) && all_in(s, 6, 12, DIGITS);
}

static bool form_credit(struct lt_slice s) /* GB 32100-2015: 18 characters */
{
    return all_in(s, 18, 18, DIGITS UPPER);
}

static bool form_code(struct lt_slice s)
{
    return all_in(s, 1, 64, DIGITS UPPER LOWER "_-./");
}

static bool form_login(struct lt_slice s)
{
    return all_in(s, 2, 32, DIGITS LOWER "_-.");
}

static bool form_printable(struct lt_slice s) /* as it stands in an HJ 212 frame: nothing that ends a field there */
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr(";=&,#", s.p[i]))
            return false;
    return s.n > 0;
}

static bool form_hex128(struct lt_slice s)
{
    return all_in(s, 32, 32, DIGITS "abcdefABCDEF");
}

static bool form_factor(struct lt_slice s)
{
    return all_in(s, 2, 16, DIGITS LOWER UPPER);
}

static bool form_phone(struct lt_slice s)
{
    return all_in(s, 3, 24, DIGITS "+- ()");
}

/* Takes the next item of a comma list, blanks around it dropped; false at the end. */
static bool next_item(struct lt_slice *rest, struct lt_slice *ret)
{
    if (rest->n == 0)
        return false;
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    *ret = (struct lt_slice){rest->p, n};
    size_t skip = comma ? n + 1 : n;
    *rest = (struct lt_slice){rest->p + skip, rest->n - skip};
    while (ret->n && ret->p[0] == ' ')
        *ret = (struct lt_slice){ret->p + 1, ret->n - 1};
    while (ret->n && ret->p[ret->n - 1] == ' ')
        ret->n--;
    return true;
}

static bool is_net(struct lt_slice s)
{
    char z[64];
    uint8_t a[16];
    int64_t bits = -1;
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    if (slash && !lt_text_to_i64((struct lt_slice){slash + 1, s.n - 1 - (size_t)(slash - s.p)}, &bits))
        return false;
    struct lt_slice host = {s.p, slash ? (size_t)(slash - s.p) : s.n};
    if (host.n >= sizeof z)
        return false;
    lt_text_copy_slice(z, sizeof z, host);
    if (inet_pton(AF_INET, z, a) == 1)
        return !slash || (bits >= 0 && bits <= 32);
    return inet_pton(AF_INET6, z, a) == 1 && (!slash || (bits >= 0 && bits <= 128));
}

static bool form_allow(struct lt_slice s) /* the gateway keeps at most eight per device */
{
    struct lt_slice item;
    unsigned n = 0;
    while (next_item(&s, &item))
        if (++n > 8 || !is_net(item))
            return false;
    return true;
}

static bool form_tolerate(struct lt_slice s)
{
    static const char *const names[] = {
#define X(n, z) z,
        HJ212_TOLERANCES(X)
#undef X
    };
    struct lt_slice item;
    while (next_item(&s, &item)) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            known = known || lt_slice_is(item, names[i]);
        if (!known)
            return false;
    }
    return true;
}

static bool form_permissions(struct lt_slice s)
{
    struct lt_slice item;
    while (next_item(&s, &item)) {
        const char *colon = item.n ? memchr(item.p, ':', item.n) : NULL;
        if (lt_slice_is(item, "*"))
            continue;
        if (!colon || colon == item.p || colon == item.p + item.n - 1 || !all_in(item, 3, 64, LOWER "_*:"))
            return false;
    }
    return true;
}

static bool form_hours(struct lt_slice s) /* "6-15, 20": hours of a day by their beginning */
{
    struct lt_slice item;
    while (next_item(&s, &item)) {
        const char *dash = item.n ? memchr(item.p, '-', item.n) : NULL;
        size_t n = dash ? (size_t)(dash - item.p) : item.n;
        int64_t a, b;
        if (!lt_text_to_i64((struct lt_slice){item.p, n}, &a) || a < 0 || a > 23)
            return false;
        if (dash && (!lt_text_to_i64((struct lt_slice){dash + 1, item.n - n - 1}, &b) || b < a || b > 23))
            return false;
    }
    return true;
}

/* "08:30-12:00,14:00-17:30": spans of a day in order, at most four; flow_due.c reads them by place. */
static bool form_spans(struct lt_slice s)
{
    static const char shape[] = "00:00-00:00,";
    int before = -1;
    if (s.n > 4 * 12 - 1 || (s.n + 1) % 12 != 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (shape[i % 12] == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != shape[i % 12])
            return false;
    for (size_t i = 0; i < s.n; i += 6) {
        const char *p = s.p + i;
        const int hour = (p[0] - '0') * 10 + p[1] - '0', minute = (p[3] - '0') * 10 + p[4] - '0';
        if (minute > 59 || hour * 60 + minute > 24 * 60 || hour * 60 + minute <= before)
            return false;
        before = hour * 60 + minute;
    }
    return true;
}

/* ---- rules between fields ---- */

static void fault(struct record_faults *f, enum lt_err code, const char *field, const char *a, const char *b,
                  const char *c)
{
    struct lt_error err;
    lt_fail(&err, code, field, a, b, c);
    record_fault(f, &err);
}

static void after(const struct record_row *r, const char *first, const char *second, struct record_faults *f)
{
    const struct record_value *a = record_value(r, first), *b = record_value(r, second);
    if (!a->null && !b->null && b->i <= a->i)
        fault(f, LT_E_FIELD_RANGE, second, second, first, "∞");
}

static void check_validity(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                           struct sql_db *db, struct record_faults *f)
{
    after(now, "valid_from", "valid_to", f);
}

static void check_state(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                        struct sql_db *db, struct record_faults *f)
{
    after(now, "begin_at", "end_at", f);
}

static void check_device(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                         struct sql_db *db, struct record_faults *f)
{
    int64_t st = record_i64(now, "st", 0);
    bool air = st == 21 || st == 22; /* an air station's device stands at no outlet: its station names the MN */
    if (!air && lt_slice_is(record_text(now, "status"), "active") && record_value(now, "outlet")->null)
        fault(f, LT_E_FIELD_REQUIRED, "outlet", "outlet", NULL, NULL);
}

#define SUPPRESS_MAX_MS                                                                                                \
    (90 * LT_DAY_MS) /* a quarter: longer means the rule or the register is wrong, not the alarm                       \
                      */

static void check_suppression(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                              struct sql_db *db, struct record_faults *f)
{
    const struct record_value *until = record_value(now, "until_at"), *was = old ? record_value(old, "until_at") : NULL;
    if (until->null || (was && was->i == until->i))
        return;
    if (!old && until->i <= now->updated_at_ms)
        fault(f, LT_E_FIELD_RANGE, "until_at", "until_at", "now", "90 d");
    if (until->i > now->updated_at_ms + SUPPRESS_MAX_MS)
        fault(f, LT_E_FIELD_RANGE, "until_at", "until_at", "now", "90 d");
    bool post = lt_slice_is(record_text(now, "object_kind"), "post");
    if (!post && record_i64(now, "object_id", 0) <= 0)
        fault(f, LT_E_FIELD_REQUIRED, "object_id", "object_id", NULL, NULL);
}

static void check_territory(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                            struct sql_db *db, struct record_faults *f)
{
    int64_t up = record_i64(now, "parent", 0), next = 0;
    for (int depth = 0; up != 0; depth++) { /* four levels exist; more than 16 is a ring */
        if (up == now->id || depth > 16) {
            fault(f, LT_E_BAD_INPUT, "parent", "a territory cannot lie within itself / 辖区不能隶属于自身", NULL, NULL);
            return;
        }
        if (sql_get_i64(db, "SELECT coalesce(parent, 0) FROM territory WHERE id = ?1", &up, &next, NULL) != LT_OK)
            return;
        up = next;
    }
}

/* Nobody makes a role, or hands one out, that may do more than he himself. */
static void check_role(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                       struct sql_db *db, struct record_faults *f)
{
    if (!auth_covers(who, record_text(now, "permissions")) ||
        (old && !auth_covers(who, record_text(old, "permissions"))))
        fault(f, LT_E_DENIED, "permissions", "grant more than you have / 授予超出自身的权限", NULL, NULL);
}

static void check_user(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                       struct sql_db *db, struct record_faults *f)
{
    const int64_t roles[2] = {record_i64(now, "role", 0), old ? record_i64(old, "role", 0) : 0};
    for (int i = 0; i < 2 && roles[i] != 0; i++) {
        struct sql_stmt *st = NULL;
        bool row = false, ok = false;
        if (sql_prepare(db, "SELECT permissions, code FROM role WHERE id = ?1", &st, NULL) == LT_OK) {
            sql_bind_i64(st, 1, roles[i]);
            if (sql_step(st, &row, NULL) == LT_OK && row) {
                ok = auth_covers(who, sql_col_text(st, 0));
                if (i == 0 && lt_slice_is(sql_col_text(st, 1), "plant") && record_value(now, "enterprise")->null)
                    fault(f, LT_E_FIELD_REQUIRED, "enterprise", "enterprise", NULL, NULL);
            }
            sql_release(&st);
        }
        if (!ok)
            fault(f, LT_E_DENIED, "role", "grant more than you have / 授予超出自身的权限", NULL, NULL);
    }
    if (who->enterprise && record_i64(now, "enterprise", 0) != who->enterprise)
        fault(f, LT_E_DENIED_TERRITORY, "enterprise", "enterprise", NULL, NULL);
}

static void check_station(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                          struct sql_db *db, struct record_faults *f)
{
    after(now, "opened", "closed", f);
    bool micro = lt_slice_is(record_text(now, "type"), "micro");
    if (micro && record_i64(now, "evaluated", 0)) /* a micro-station is never part of a figure of the standard */
        fault(f, LT_E_BAD_INPUT, "evaluated", "a micro-station cannot be evaluated / 微站不得参与评价", NULL, NULL);
}

static void check_air_event(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                            struct sql_db *db, struct record_faults *f)
{
    const struct record_value *a = record_value(now, "day_from"), *b = record_value(now, "day_to");
    if (!a->null && !b->null && b->i < a->i)
        fault(f, LT_E_FIELD_RANGE, "day_to", "day_to", "day_from", "∞");
}

/* First and last day may be the same; a percentage needs its base; nothing is a part of itself. */
static void days_in_order(const struct record_row *r, const char *first, const char *last, struct record_faults *f)
{
    const struct record_value *a = record_value(r, first), *b = record_value(r, last);
    if (!a->null && !b->null && b->i < a->i)
        fault(f, LT_E_FIELD_RANGE, last, last, first, "∞");
}

static void check_target(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                         struct sql_db *db, struct record_faults *f)
{
    days_in_order(now, "start_day", "end_day", f);
    if (lt_slice_is(record_text(now, "how"), "percent")) {
        if (record_value(now, "base_value")->null)
            fault(f, LT_E_FIELD_REQUIRED, "base_value", "base_value", NULL, NULL);
        if (record_i64(now, "value", 0) > INT64_C(100) * LT_FIX_ONE)
            fault(f, LT_E_FIELD_RANGE, "value", "value", "0", "100");
    }
    int64_t up = record_i64(now, "parent", 0), next = 0;
    for (int depth = 0; up != 0; depth++) { /* city, county, enterprise, process: four levels; beyond 16 is a ring */
        if (up == now->id || depth > 16) {
            fault(f, LT_E_BAD_INPUT, "parent", "a target cannot be a part of itself / 目标不能隶属于自身", NULL, NULL);
            return;
        }
        if (sql_get_i64(db, "SELECT coalesce(parent, 0) FROM air_target WHERE id = ?1", &up, &next, NULL) != LT_OK)
            return;
        up = next;
    }
}

static const char *shown(struct lt_slice s, char mem[64])
{
    lt_text_copy_slice(mem, 64, s);
    return mem;
}

static bool in_list(struct lt_slice s, const char *const *names)
{
    for (; *names; names++)
        if (lt_slice_is(s, *names))
            return true;
    return false;
}

static void check_scheme(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                         struct sql_db *db, struct record_faults *f)
{
    static const char *const keys[] = {"composite",   "pm25",
                                       "pm10",        "so2",
                                       "no2",         "co",
                                       "o3",          "good_share",
                                       "good_days",   "composite_change",
                                       "pm25_change", "good_share_change",
                                       NULL};
    static const char *const pollutants[] = {"PM25", "PM10", "SO2", "NO2", "CO", "O3", NULL};
    char mem[64];
    struct lt_slice rest = record_text(now, "keys"), item;
    unsigned n = 0;
    while (next_item(&rest, &item)) {
        if (item.n && item.p[0] == '-')
            item = (struct lt_slice){item.p + 1, item.n - 1};
        if (++n > 6 || !in_list(item, keys))
            fault(f, LT_E_FIELD_FORMAT, "keys", "keys", shown(item, mem), "composite,pm25,-good_share");
    }
    rest = record_text(now, "weights");
    while (next_item(&rest, &item)) {
        const char *colon = item.n ? memchr(item.p, ':', item.n) : NULL;
        int64_t w = -1;
        if (!colon || !in_list((struct lt_slice){item.p, (size_t)(colon - item.p)}, pollutants) ||
            !lt_text_to_i64((struct lt_slice){colon + 1, item.n - 1 - (size_t)(colon - item.p)}, &w) || w < 0 ||
            w > 100)
            fault(f, LT_E_FIELD_FORMAT, "weights", "weights", shown(item, mem), "PM25:3,O3:2");
    }
    if (lt_slice_is(record_text(now, "member"), "peer") && record_text(now, "peer_group").n == 0)
        fault(f, LT_E_FIELD_REQUIRED, "peer_group", "peer_group", NULL, NULL);
}

static void check_peer(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                       struct sql_db *db, struct record_faults *f)
{
    days_in_order(now, "from_day", "to_day", f);
}

/* A hold says what it holds: an object by number, or days. */
static void check_hold(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                       struct sql_db *db, struct record_faults *f)
{
    const struct record_value *from = record_value(now, "day_from"), *to = record_value(now, "day_to");
    bool days = lt_slice_is(record_text(now, "object_kind"), "days");
    if (days && from->null)
        fault(f, LT_E_FIELD_REQUIRED, "day_from", "day_from", NULL, NULL);
    if (!days && record_i64(now, "object_id", 0) <= 0)
        fault(f, LT_E_FIELD_REQUIRED, "object_id", "object_id", NULL, NULL);
    if (!from->null && !to->null && to->i < from->i)
        fault(f, LT_E_FIELD_RANGE, "day_to", "day_to", "day_from", "∞");
}

/* ---- choices ---- */

typedef const struct record_choice choices[];
static choices levels = {{"province", "Province", "省"},
                         {"city", "City", "市"},
                         {"county", "County", "区县"},
                         {"township", "Township", "乡镇街道"},
                         {0}};
static choices unit_types = {{"city_office", "City office", "市级大气办"},
                             {"county_bureau", "County bureau", "区县分局"},
                             {"department", "Department", "市直部门"},
                             {"enterprise", "Enterprise", "企业"},
                             {"team", "Team", "执法队伍"},
                             {0}};
static choices industries = {{"thermal_power", "Thermal power", "火电"},
                             {"steel", "Steel", "钢铁"},
                             {"coking", "Coking", "焦化"},
                             {"cement", "Cement", "水泥"},
                             {"glass", "Glass", "玻璃"},
                             {"nonferrous", "Nonferrous metals", "有色金属"},
                             {"refractory", "Refractories", "耐火材料"},
                             {"ceramics", "Ceramics", "陶瓷"},
                             {"brick", "Bricks and tiles", "砖瓦"},
                             {"casting", "Casting", "铸造"},
                             {"lime", "Lime", "石灰"},
                             {"chemical", "Chemicals", "化工"},
                             {"coating", "Industrial coating", "工业涂装"},
                             {"waste_incineration", "Waste incineration", "垃圾焚烧"},
                             {"heating", "Heating", "供热"},
                             {0}};
static choices grades = {{"A", "Grade A", "A 级"}, {"B", "Grade B", "B 级"},         {"C", "Grade C", "C 级"},
                         {"D", "Grade D", "D 级"}, {"none", "Not graded", "未定级"}, {0}};
static choices production = {
    {"producing", "Producing", "在产"}, {"stopped", "Stopped", "停产"}, {"closed", "Closed", "关闭"}, {0}};
static choices outlet_types = {{"main", "Main outlet", "主要排放口"}, {"general", "General outlet", "一般排放口"}, {0}};
static choices device_status = {
    {"pending", "Pending", "待登记"}, {"active", "Active", "启用"}, {"disabled", "Disabled", "停用"}, {0}};
static choices device_upload = {
    {"keep", "Leave as it is", "保持不变"}, {"on", "Switch on", "开启"}, {"off", "Switch off", "关闭"}, {0}};
static choices periods = {{"hour", "Hour", "小时"}, {"day", "Day", "日"}, {0}};
static choices bases = {{"converted", "Converted", "折算浓度"}, {"measured", "Measured", "实测浓度"}, {0}};
static choices states = {{"startup", "Start-up", "启炉"},
                         {"shutdown", "Shutdown", "停炉"},
                         {"maintenance", "Maintenance", "检修维护"},
                         {"fault", "Fault", "故障"},
                         {"stopped", "Stopped", "停运"},
                         {"other", "Other", "其他"},
                         {0}};
static choices severities = {
    {"urgent", "Urgent", "紧急"}, {"important", "Important", "重要"}, {"normal", "Normal", "一般"}, {0}};
static choices timed_flows = {{"alarm", "Alarm", "告警"}, {"air_review", "Review of air data", "空气数据复核"}, {0}};
static choices timed_states = {{"new", "New", "新发"},
                               {"signed", "Signed", "已签收"},
                               {"handling", "In hand", "处置中"},
                               {"proposed", "Proposed", "待复核"},
                               {0}};
static choices clocks = {{"clock", "Hours on the clock", "自然时间"}, {"working", "Working hours", "工作时间"}, {0}};
static choices day_kinds = {
    {"workday", "Working day", "上班"}, {"holiday", "Holiday", "放假"}, {"usual", "As its weekday", "按星期"}, {0}};
static choices rule_codes = {
#define X(name, code, en, zh) {code, en, zh},
    RULE_LIST(X)
#undef X
        {0}};
static choices objects = {
    {"device", "Device", "设备"}, {"outlet", "Outlet", "排放口"}, {"post", "Command post", "平台"}, {0}};
static choices wide_objects = {{"device", "Device", "设备"},
                               {"outlet", "Outlet", "排放口"},
                               {"enterprise", "Enterprise", "企业"},
                               {"post", "Command post", "平台"},
                               {0}};
static choices alarm_states = {{"new", "New", "新发"},
                               {"signed", "Signed", "已签收"},
                               {"handling", "In hand", "处置中"},
                               {"reported", "Reported", "已反馈"},
                               {"confirmed", "Confirmed", "已核实"},
                               {"closed", "Closed", "已关闭"},
                               {"suppressed", "Suppressed", "已抑制"},
                               {0}};
static choices outcomes = {{"none", "Not yet known", "未核实"},
                           {"true", "Real", "属实"},
                           {"false", "False alarm", "误报"},
                           {"device_fault", "Device fault", "设备故障"},
                           {0}};
static choices station_types = {
    {"national", "National", "国控"},     {"provincial", "Provincial", "省控"}, {"county", "County", "县控"},
    {"township", "Township", "乡镇"},     {"micro", "Micro-station", "微站"},   {"traffic", "Roadside", "交通"},
    {"background", "Background", "背景"}, {"regional", "Regional", "区域"},     {0}};
static choices station_units = {{"hj212", "PM in µg/m³, SO2 NO2 CO in mg/m³, O3 in µg/m³ (HJ 212)",
                                 "颗粒物 µg/m³，SO2、NO2、CO mg/m³，O3 µg/m³（HJ 212）"},
                                {"ug", "all in µg/m³, CO in mg/m³", "均为 µg/m³，CO 为 mg/m³"},
                                {"mg", "all in mg/m³", "均为 mg/m³"},
                                {0}};
static choices air_event_types = {
    {"sand_dust", "Sand-dust", "沙尘"}, {"exceptional", "Exceptional event", "异常事件"}, {0}};
static choices co_units = {{"mg", "mg/m³", "mg/m³"}, {"ug", "µg/m³", "µg/m³"}, {0}};
static choices hour_labels = {
    {"start", "Beginning of the hour", "小时开始时刻"}, {"end", "End of the hour", "小时结束时刻"}, {0}};
static choices review_actions = {{"correct", "Correct to a value", "更正为"},
                                 {"invalidate", "Mark invalid", "判为无效"},
                                 {"restore", "Restore as delivered", "恢复原值"},
                                 {"confirm", "Confirm as reviewed", "审核确认"},
                                 {0}};
static choices review_states = {{"proposed", "Proposed", "待复核"}, {"approved", "Approved", "已通过"},
                                {"rejected", "Rejected", "已驳回"}, {"withdrawn", "Withdrawn", "已撤回"},
                                {"reversed", "Reversed", "已撤销"}, {0}};
static choices langs = {{"zh", "Chinese", "中文"}, {"en", "English", "英文"}, {0}};

/* ---- kinds ---- */

static const struct record_field territory_fields[] = {
    {TEXT("code", R | U | L | Q | K, 12, "Division code", "行政区划代码"), FORM(form_adcode, "410100")},
    {TEXT("name", R | L | Q | N, 64, "Name", "名称")},
    {TEXT("name_en", L | Q, 128, "English name", "英文名称")},
    {REF("parent", L, "territory", "Within", "上级辖区")},
    {ENUM("level", R | L, levels, "Level", "级别")},
    {FIX("center_lon", 0, -180, 180, "Centre longitude", "中心经度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {FIX("center_lat", 0, -90, 90, "Centre latitude", "中心纬度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
};
static const struct record_field unit_fields[] = {
    {TEXT("name", R | U | L | Q | N | K, 64, "Name", "单位名称")},
    {TEXT("name_en", L | Q, 128, "English name", "英文名称")},
    {ENUM("type", R | L, unit_types, "Type", "单位类型")},
    {REF("territory", L, "territory", "Territory", "所属辖区")},
};
static const struct record_field person_fields[] = {
    {TEXT("name", R | L | Q | N | K, 64, "Name", "姓名")},
    {REF("unit", L | K, "unit", "Unit", "所在单位")},
    {TEXT("post", L | Q, 64, "Post", "职务")},
    {TEXT("phone", L | Q, 24, "Telephone", "电话"), FORM(form_phone, "+86 371 1234 5678")},
};
static const struct record_field enterprise_fields[] = {
    {TEXT("code", R | U | L | Q | K, 18, "Credit code", "统一社会信用代码"), FORM(form_credit, "91410100MA44XXXX1X"),
     HINT("18 characters, kept as text", "18 位，按文本保存")},
    {TEXT("name", R | L | Q | N, 128, "Name", "企业名称")},
    {TEXT("name_en", Q, 192, "English name", "英文名称")},
    {ENUM("industry", R | L, industries, "Industry", "行业")},
    {ENUM("grade", L, grades, "Performance grade", "绩效等级"), .dflt = "none"},
    {BOOL("protected", 0, "Protected", "民生保障"), .dflt = "false",
     HINT("keeps running in emergencies", "应急响应期间保障运行")},
    {REF("territory", R | L, "territory", "Territory", "所属辖区")},
    {REF("unit", 0, "unit", "Responsible unit", "责任单位")},
    {REF("contact", 0, "person", "Contact", "联系人")},
    {TEXT("address", Q, 200, "Address", "地址")},
    {FIX("lon", 0, -180, 180, "Longitude", "经度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {FIX("lat", 0, -90, 90, "Latitude", "纬度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {ENUM("status", R | L, production, "Status", "生产状态"), .dflt = "producing"},
};
static const struct record_field outlet_fields[] = {
    {TEXT("code", R | U | L | Q | K, 64, "Outlet code", "排放口编号"), FORM(form_code, "DA001")},
    {TEXT("name", R | L | Q | N, 128, "Name", "排放口名称")},
    {TEXT("name_en", Q, 192, "English name", "英文名称")},
    {REF("enterprise", R | L, "enterprise", "Enterprise", "所属企业")},
    {ENUM("type", R | L, outlet_types, "Type", "排放口类型"), .dflt = "main"},
    {TEXT("process", L | Q, 128, "Process", "生产工序")},
    {FIX("lon", 0, -180, 180, "Longitude", "经度"), .unit = "°"},
    {FIX("lat", 0, -90, 90, "Latitude", "纬度"), .unit = "°"},
    {FIX("height_m", 0, 0, 500, "Height", "高度"), .unit = "m"},
    {BOOL("convert", 0, "Oxygen conversion", "按基准氧折算"), .dflt = "true"},
    {FIX("o2_ref", 0, 0, 21, "Reference oxygen", "基准氧含量"), .unit = "%",
     HINT("from the emission standard, e.g. 6 or 3.5", "见排放标准，如 6 或 3.5")},
    {FIX("o2_cap", 0, 0, 21, "No conversion above", "不折算氧上限"), .unit = "%", .dflt = "19"},
    {BOOL("substitution", 0, "Substitute missing data", "缺失数据替代"), .dflt = "false"},
};
static const struct record_field device_fields[] = {
    {TEXT("mn", R | U | L | Q | N | K, 64, "MN", "设备唯一标识 MN"), FORM(form_printable, "88888880000001")},
    {TEXT("name", L | Q, 128, "Name", "设备名称")},
    {REF("outlet", L, "outlet", "Outlet", "所属排放口")},
    {INT("st", 0, 1, 99, "System type ST", "系统编码 ST"), .dflt = "31"},
    {TEXT("pw", SE, 24, "Access password", "访问密码"), FORM(form_printable, "123456")},
    {ENUM("status", R | L, device_status, "Status", "状态"), .dflt = "pending"},
    {TEXT("allow", 0, 400, "Allowed addresses", "允许的地址"), FORM(form_allow, "10.1.0.0/16, 192.168.1.5"),
     HINT("empty: from anywhere", "留空表示不限制")},
    {TEXT("tolerate", 0, 400, "Tolerated deviations", "容忍的偏差"), FORM(form_tolerate, "no_crlf, lower_crc")},
    {TEXT("sm4_key", SE, 32, "SM4 key", "SM4 密钥"), FORM(form_hex128, "32 hex")},
    {INT("rtd_interval_s", 0, 1, 3600, "Real-time interval", "实时数据间隔"), .unit = "s", .dflt = "30"},
    {INT("min_interval_min", 0, 1, 60, "Minute data interval", "分钟数据间隔"), .unit = "min", .dflt = "10"},
    {INT("over_time_s", 0, 1, 99, "Time-out of requests", "请求超时时间"), .unit = "s",
     HINT("empty: 10 s (HJ 212)", "留空为 10 秒（HJ 212）")},
    {INT("resends", 0, 1, 10, "Resends", "重发次数"), HINT("empty: 3 (HJ 212)", "留空为 3 次（HJ 212）")},
    {ENUM("rtd_upload", 0, device_upload, "Real-time upload at first connect", "首次连接时实时数据上报"),
     .dflt = "keep"},
    {ENUM("state_upload", 0, device_upload, "State upload at first connect", "首次连接时运行状态上报"), .dflt = "keep"},
    {TEXT("note", Q, 500, "Note", "备注")},
    {TIME("first_at_ms", RO | QU, "First heard", "首次上报")},
    {TIME("last_at_ms", RO | QU, "Last heard", "最近上报")},
};
static const struct record_field limit_fields[] = {
    {REF("outlet", R | L | K, "outlet", "Outlet", "排放口")},
    {TEXT("factor", R | L | Q | K, 16, "Factor", "污染物编码"), FORM(form_factor, "a21026")},
    {ENUM("period", R | L | K, periods, "Period", "时段"), .dflt = "hour"},
    {ENUM("basis", R | L, bases, "Basis", "浓度类型"), .dflt = "converted"},
    {FIX("limit_value", R | L, 0, 1000000, "Limit", "限值"), .unit = "mg/m³"},
    {TEXT("standard", L | Q, 64, "Standard", "执行标准")},
    {DATE("valid_from", R | L | K, "Valid from", "生效日期")},
    {DATE("valid_to", L, "Valid to", "失效日期"),
     HINT("the first day on which it no longer holds", "自该日起不再适用")},
};
static const struct record_field state_fields[] = {
    {REF("outlet", R | L, "outlet", "Outlet", "排放口")}, {ENUM("state", R | L, states, "State", "工况")},
    {TIME("begin_at", R | L, "Begins", "开始时间")},      {TIME("end_at", L, "Ends", "结束时间")},
    {TEXT("reason", L | Q, 500, "Reason", "原因说明")},   {TEXT("declared_by", RO | L, 128, "Declared by", "申报人")},
};
static const struct record_field rule_fields[] = {
    {ENUM("code", R | U | L | N | K | CR, rule_codes, "Rule", "规则")},
    {BOOL("enabled", R | L, "In force", "启用"), .dflt = "true"},
    {ENUM("severity", R | L, severities, "Severity", "级别"), .dflt = "important"},
    {FIX("enter_fix", L, -1000000, 1000000, "Enter threshold", "触发阈值"),
     HINT("the condition begins at this", "达到该值时触发")},
    {FIX("leave_fix", L, -1000000, 1000000, "Leave threshold", "恢复阈值"), HINT("and ends at this", "达到该值时恢复")},
    {INT("min_duration_min", L, 0, 10080, "Least duration", "最短持续"), .unit = "min", .dflt = "0"},
    {FIX("min_valid_share", L, 0, 1, "Least valid share", "最低有效率")},
    {FIX("param1", 0, -1000000, 1000000, "Parameter 1", "参数 1")},
    {FIX("param2", 0, -1000000, 1000000, "Parameter 2", "参数 2")},
    {TIME("valid_from", 0, "Valid from", "生效时间")},
    {TIME("valid_to", 0, "Valid to", "失效时间")},
};
static const struct record_field deadline_fields[] = {
    {ENUM("flow", R | L | K | CR, timed_flows, "Process", "流程")},
    {ENUM("state", R | L | K | CR, timed_states, "State", "状态")},
    {ENUM("severity", L | K | CR, severities, "Severity", "级别"), HINT("empty: every other", "留空表示其余级别")},
    {INT("minutes", R | L, 1, 527040, "Time allowed", "时限"), .unit = "min"},
    {ENUM("calendar", R | L, clocks, "Counted in", "计时方式"), .dflt = "clock",
     HINT("a working day has 480 minutes", "一个工作日按 480 分钟计")},
    {TEXT("note", Q, 500, "Note", "备注")},
};
static const struct record_field calendar_fields[] = {
    {DATE("day", R | U | L | K, "Day", "日期")},
    {ENUM("kind", R | L, day_kinds, "Kind", "类型")},
    {TEXT("hours", L, 64, "Office hours", "办公时间"), FORM(form_spans, "08:30-12:00,14:00-17:30"),
     HINT("from this day on; empty: as before it", "自该日起执行；留空则沿用此前")},
    {TEXT("note", L | Q, 200, "Note", "说明"),
     HINT("name of the holiday, or what it makes up for", "节日名称或调休说明")},
};
static const struct record_field suppression_fields[] = {
    {ENUM("rule", L, rule_codes, "Rule", "规则"), HINT("empty: every rule", "留空表示全部规则")},
    {ENUM("object_kind", R | L | CR, wide_objects, "Object type", "对象类型")},
    {INT("object_id", L | CR, 0, INT64_C(1) << 53, "Object", "对象编号"), .dflt = "0"},
    {TEXT("reason", R | L | Q, 500, "Reason", "抑制原因")},
    {TIME("until_at", R | L, "Until", "截止时间"), HINT("at most 90 days ahead", "最长 90 天")},
    {TEXT("author", RO | L, 128, "Author", "设置人")},
};
static const struct record_field role_fields[] = {
    {TEXT("code", R | U | L | Q | K, 32, "Code", "角色代码"), FORM(form_code, "duty")},
    {TEXT("name", R | L | Q | N, 64, "Name", "角色名称")},
    {TEXT("name_en", L | Q, 64, "English name", "英文名称")},
    {TEXT("permissions", L, 2000, "Permissions", "权限"), FORM(form_permissions, "device:read,alarm:sign"), .dflt = ""},
};
static const struct record_field user_fields[] = {
    {TEXT("login", R | U | L | Q | K | CR, 32, "Login", "登录名"), FORM(form_login, "zhangsan")},
    {TEXT("name", R | L | Q | N, 64, "Name", "姓名")},
    {REF("role", R | L, "role", "Role", "角色")},
    {REF("territory", L, "territory", "Territory", "辖区"), HINT("sees this and everything below", "可见本辖区及下级")},
    {REF("enterprise", L, "enterprise", "Enterprise", "所属企业"), HINT("sees only this enterprise", "仅可见该企业")},
    {REF("unit", L, "unit", "Unit", "单位")},
    {REF("person", 0, "person", "Person", "人员")},
    {ENUM("lang", 0, langs, "Language", "语言"), .dflt = "zh"},
    {TEXT("password", SE | RO, 200, "Password", "密码")},
    {BOOL("must_change", RO, "Must change password", "须修改密码"), .dflt = "true"},
    {TIME("locked_until_ms", RO | QU, "Locked until", "锁定至")},
    {INT("failures", RO | QU | H, 0, 1000000, "Failures", "失败次数"), .dflt = "0"},
    {BOOL("disabled", L, "Disabled", "停用"), .dflt = "false"},
};
static const struct record_field alarm_fields[] = {
    {TEXT("key", R | U | RO, 160, "Key", "告警键")},
    {ENUM("rule", R | L | N, rule_codes, "Rule", "规则")},
    {INT("rule_version", 0, 0, INT64_MAX, "Rule version", "规则版本"), .dflt = "0"},
    {ENUM("severity", R | L, severities, "Severity", "级别")},
    {ENUM("object_kind", R, objects, "Object type", "对象类型")},
    {INT("object_id", 0, 0, INT64_C(1) << 53, "Object", "对象编号"), .dflt = "0"},
    {REF("device", L, "device", "Device", "设备")},
    {REF("outlet", L, "outlet", "Outlet", "排放口")},
    {REF("enterprise", L, "enterprise", "Enterprise", "企业")},
    {REF("territory", L, "territory", "Territory", "辖区")},
    {REF("unit", L, "unit", "Responsible unit", "责任单位")},
    {TEXT("factor", L, 16, "Factor", "污染物")},
    {TIME("period_at_ms", 0, "Period from", "时段开始")},
    {INT("period_ms", 0, 0, INT64_MAX, "Period length", "时段长度"), .unit = "ms"},
    {TIME("first_at_ms", L, "First seen", "首次发现")},
    {TIME("last_at_ms", L | QU, "Last seen", "最近发现")},
    {INT("count", L | QU, 0, INT64_MAX, "Count", "次数"), .dflt = "1"},
    {FIX("value", L | QU, 0, 0, "Value", "数值")},
    {FIX("limit_value", L, 0, 0, "Limit", "限值")},
    {BOOL("active", L, "Active", "持续中"), .dflt = "true"},
    {TIME("ended_at_ms", 0, "Ended", "恢复时间")},
    {JSON("params", QU, 4000, "Parameters", "参数")},
    {ENUM("state", R | L, alarm_states, "State", "状态"), .dflt = "new"},
    {ENUM("outcome", L, outcomes, "Outcome", "核实结论"), .dflt = "none"},
    {INT("level", L, 0, 100, "Escalations", "升级次数"), .dflt = "0"},
    {REF("signed_by", 0, "user", "Signed by", "签收人")},
    {TIME("signed_at_ms", 0, "Signed at", "签收时间")},
    {TIME("due_at_ms", L, "Due", "时限")},
    {TEXT("note", Q, 1000, "Note", "备注")},
    {INT("last_occurrence", H | QU, 0, INT64_MAX, "Last occurrence", "最近记录号"), .dflt = "0"},
    {TIME("state_at_ms", QU, "In this state since", "进入状态时间")},
};
static choices target_indicators = {{"pm25", "PM2.5 mean", "PM2.5 平均浓度"},
                                    {"pm10", "PM10 mean", "PM10 平均浓度"},
                                    {"so2", "SO2 mean", "SO2 平均浓度"},
                                    {"no2", "NO2 mean", "NO2 平均浓度"},
                                    {"co", "CO, 95th percentile", "CO 第 95 百分位"},
                                    {"o3", "O3, 90th percentile", "O3 第 90 百分位"},
                                    {"composite", "Composite index", "综合指数"},
                                    {"good_days", "Good days", "优良天数"},
                                    {"good_share", "Share of good days", "优良天数比例"},
                                    {"heavy_days", "Heavy-pollution days", "重污染天数"},
                                    {0}};
static choices target_periods = {
    {"year", "Year", "年度"}, {"season", "Autumn and winter", "秋冬季"}, {"month", "Month", "月度"}, {0}};
static choices target_how = {
    {"absolute", "Absolute value", "绝对值"}, {"percent", "% below the base", "较基数下降 %"}, {0}};
static choices rank_members = {{"county", "Counties", "区县"},
                               {"township", "Townships", "乡镇街道"},
                               {"station", "Stations", "站点"},
                               {"peer", "Cities of a group", "城市组"},
                               {0}};
static choices rank_ties = {{"same", "Equal shares the rank, the next is skipped", "并列，其后名次顺延（1、2、2、4）"},
                            {"dense", "Equal shares the rank, none is skipped", "并列，其后名次不空（1、2、2、3）"},
                            {0}};
static choices air_standards = {{"auto", "By date", "按日期"},
                                {"2012", "GB 3095-2012", "GB 3095-2012"},
                                {"2026t", "GB 3095-2026, transition", "GB 3095-2026 过渡期"},
                                {"2026f", "GB 3095-2026, final", "GB 3095-2026 正式期"},
                                {0}};
static const struct record_field target_fields[] = {
    {TEXT("name", R | L | Q | N | K, 128, "Target", "目标名称")},
    {REF("territory", R | L, "territory", "Territory", "辖区")},
    {REF("enterprise", L, "enterprise", "Enterprise", "企业")},
    {TEXT("process", L | Q, 128, "Process step", "工序")},
    {ENUM("indicator", R | L, target_indicators, "Indicator", "指标")},
    {ENUM("period", R | L, target_periods, "Period", "考核周期")},
    {DATE("start_day", R | L, "First day", "起始日")},
    {DATE("end_day", R | L, "Last day", "截止日")},
    {ENUM("how", R | L, target_how, "Given as", "给定方式"), .dflt = "absolute"},
    {FIX("value", R | L, 0, 100000, "Value", "目标值"),
     HINT("µg/m³, CO mg/m³, days or %", "µg/m³，CO 为 mg/m³，天数或 %")},
    {FIX("base_value", L, 0, 100000, "Base", "基数"),
     HINT("the value the percentage is taken of", "下降比例所对应的基数")},
    {REF("parent", L, "air_target", "Part of", "上级目标")},
    {FIX("weight", L, 0, 1000000, "Weight", "权重"), .dflt = "1"},
    {TEXT("note", Q, 1000, "Note", "备注")},
};
static const struct record_field rank_scheme_fields[] = {
    {TEXT("code", R | U | L | Q | K, 32, "Code", "代码"), FORM(form_code, "168")},
    {TEXT("name", R | L | Q | N, 128, "Name", "名称")},
    {TEXT("name_en", L | Q, 192, "English name", "英文名称")},
    {ENUM("member", R | L, rank_members, "Members", "参评对象")},
    {TEXT("peer_group", L | Q, 64, "City group", "城市组"), HINT("peer figures of this group", "取该组的外市数据")},
    {TEXT("keys", R | L, 200, "Sort keys", "排序指标"),
     HINT("first decides, the next where equal: composite,pm25,-good_share; - means more is better",
          "依次比较：composite,pm25,-good_share；前置 - 表示越大越好"),
     .dflt = "composite"},
    {ENUM("tie", R | L, rank_ties, "Ties", "并列规则"), .dflt = "same"},
    {TEXT("weights", L, 120, "Weights", "权重"), HINT("PM25:3,O3:2; not named: 1", "PM25:3,O3:2；未列出的为 1")},
    {ENUM("standard", R, air_standards, "Standard", "评价标准"), .dflt = "auto"},
    {INT("best", L, 0, 200, "Best listed", "列出前几名"), .dflt = "0"},
    {INT("worst", L, 0, 200, "Worst listed", "列出后几名"), .dflt = "0"},
    {TEXT("note", Q, 1000, "Note", "备注")},
};
static const struct record_field peer_fields[] = {
    {TEXT("peer_group", R | L | Q | K, 64, "City group", "城市组")},
    {TEXT("city", R | L | Q | N | K, 64, "City", "城市")},
    {TEXT("city_en", L | Q, 96, "English name", "英文名称")},
    {DATE("from_day", R | L | K, "From", "起始日")},
    {DATE("to_day", R | L | K, "To", "截止日")},
    {FIX("so2", L, 0, 10000, "SO2", "SO2"), .unit = "µg/m³"},
    {FIX("no2", L, 0, 10000, "NO2", "NO2"), .unit = "µg/m³"},
    {FIX("co", L, 0, 1000, "CO, 95th percentile", "CO 第 95 百分位"), .unit = "mg/m³"},
    {FIX("o3", L, 0, 10000, "O3, 90th percentile", "O3 第 90 百分位"), .unit = "µg/m³"},
    {FIX("pm10", L, 0, 10000, "PM10", "PM10"), .unit = "µg/m³"},
    {FIX("pm25", L, 0, 10000, "PM2.5", "PM2.5"), .unit = "µg/m³"},
    {FIX("composite", L, 0, 1000, "Composite index", "综合指数"), HINT("empty: computed", "留空则自动计算")},
    {FIX("good_share", L, 0, 100, "Good days", "优良天数比例"), .unit = "%"},
    {INT("days_good", L, 0, 366, "Good days", "优良天数")},
    {INT("days_valid", L, 0, 366, "Valid days", "有效天数")},
    {TEXT("source", L | Q, 256, "Source", "来源")},
    {BOOL("invented", L, "Invented", "虚构数据"), .dflt = "false"},
};
static const struct record_field command_fields[] = {
    {REF("device", R | L, "device", "Device", "设备")},
    {INT("cn", R | L, 1, 9999, "Command CN", "命令编码 CN")},
    {TEXT("area", L, 4000, "Data area", "数据区")},
    {TEXT("step", L | QU, 32, "Step", "进度")},
    {INT("code", L | QU, -1000, 100000, "Result", "结果码")},
    {TEXT("answer", QU, 4000, "Answer", "应答")},
    {INT("frames", QU, 0, INT64_MAX, "Frames", "帧数"), .dflt = "0"},
    {TEXT("author", L | Q, 128, "Author", "下发人")},
    {TIME("sent_at_ms", L, "Sent", "下发时间")},
};

static const struct record_field station_fields[] = {
    {TEXT("code", R | U | L | Q | K, 64, "Code", "点位编码"), FORM(form_code, "1001A")},
    {TEXT("name", R | L | Q | N, 128, "Name", "点位名称")},
    {TEXT("name_en", Q, 192, "English name", "英文名称")},
    {REF("territory", R | L, "territory", "Territory", "所属辖区")},
    {ENUM("type", R | L, station_types, "Type", "类型")},
    {BOOL("evaluated", L, "Evaluated", "参与评价"), .dflt = "false",
     HINT("takes part in the figures of its city or county", "参与所在城市或区县评价")},
    {TEXT("mn", L | Q, 64, "Device MN", "设备 MN"), FORM(form_printable, "88888880000001"),
     HINT("of the HJ 212 device that reports for it", "为其上报数据的 HJ 212 设备")},
    {ENUM("units", 0, station_units, "Units of the device", "设备浓度单位"), .dflt = "hj212"},
    {FIX("lon", 0, -180, 180, "Longitude", "经度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {FIX("lat", 0, -90, 90, "Latitude", "纬度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {DATE("opened", 0, "Opened", "启用日期")},
    {DATE("closed", 0, "Closed", "停用日期"), HINT("the first day on which it no longer measures", "自该日起不再监测")},
    {TEXT("note", Q, 500, "Note", "备注")},
};
static const struct record_field air_event_fields[] = {
    {REF("territory", R | L, "territory", "Territory", "辖区"), HINT("holds for all below it too", "下级辖区同样适用")},
    {ENUM("type", R | L, air_event_types, "Type", "类型"), .dflt = "sand_dust"},
    {DATE("day_from", R | L, "First day", "开始日期")},
    {DATE("day_to", R | L, "Last day", "结束日期")},
    {TEXT("hours", L, 64, "Hours", "小时"), FORM(form_hours, "6-15, 20"),
     HINT("hours that begin at these times of each day; empty: all", "每日受影响的小时（起始时刻）；留空为全天")},
    {BOOL("strip_pm", L, "PM leaves the statistics", "剔除颗粒物统计"), .dflt = "true"},
    {BOOL("recompute_aqi", L, "AQI without PM", "AQI 不计颗粒物"), .dflt = "false"},
    {TEXT("decided_by", R | L | Q, 128, "Decided by", "认定依据")},
    {TEXT("note", Q, 500, "Note", "备注")},
};
static const struct record_field air_mapping_fields[] = {
    {TEXT("name", R | U | L | Q | N | K, 64, "Name", "名称")},
    {TEXT("signature", R | Q, 4000, "Header line", "表头")},
    {JSON("columns", R, 8000, "Columns", "列对应")},
    {ENUM("co_unit", R | L, co_units, "Unit of CO", "CO 单位"), .dflt = "mg"},
    {ENUM("hour_label", R | L, hour_labels, "An hour is named by", "小时标注"), .dflt = "end"},
    {INT("tz_min", R, -720, 840, "Offset from UTC", "时区偏移"), .unit = "min", .dflt = "480"},
    {TIME("used_at", RO | QU | L, "Last used", "最近使用")},
};
static const struct record_field air_review_fields[] = {
    {REF("station", R | L | N, "station", "Station", "点位")},
    {TEXT("items", R | L, 64, "Items", "项目")},
    {TIME("from_at", R | L, "From hour", "起始小时")},
    {TIME("to_at", R | L, "To hour", "截止小时"), HINT("not included", "不含")},
    {ENUM("action", R | L, review_actions, "Action", "处理")},
    {FIX("value", L, -1000, 1000000, "Value", "数值")},
    {TEXT("reason", R | L | Q, 500, "Reason", "理由")},
    {REF("author", L, "user", "Proposed by", "提出人")},
    {ENUM("state", R | L, review_states, "State", "状态"), .dflt = "proposed"},
    {TIME("state_at", QU, "In this state since", "进入状态时间")},
    {TIME("due_at", L, "Due", "时限")},
    {INT("level", 0, 0, 100, "Reminders", "催办次数"), .dflt = "0"},
    {REF("reviewer", L, "user", "Reviewed by", "复核人")},
    {TIME("decided_at", L, "Decided", "复核时间")},
    {TEXT("note", Q, 500, "Note", "备注")},
    {INT("applied_version", 0, 0, INT64_MAX, "Applied with version", "生效版本"), .dflt = "0"},
    {INT("reversed_version", 0, 0, INT64_MAX, "Reversed with version", "撤销版本"), .dflt = "0"},
    {REF("reversed_by", 0, "user", "Reversed by", "撤销人")},
};

static choices evidence_types = {{"alarm", "Sealed at the alarm", "告警封存"},
                                 {"photo", "Photograph", "照片"},
                                 {"video", "Video", "视频"},
                                 {"inspection", "Inspection record", "检查笔录"},
                                 {"handover", "Hand-over", "移交"},
                                 {"document", "Document", "文书"},
                                 {0}};
static choices evidence_states = {{"sealed", "Sealed", "已封存"}, {"removed", "Removed", "已清除"}, {0}};
static choices hold_objects = {
    {"device", "Device", "设备"}, {"outlet", "Outlet", "排放口"}, {"enterprise", "Enterprise", "企业"},
    {"alarm", "Alarm", "告警"},   {"days", "Days", "日期"},       {0}};
static const struct record_field evidence_fields[] = {
    {TEXT("name", R | U | L | Q | N, 64, "Package", "证据包")},
    {ENUM("type", R | L, evidence_types, "Type", "类型"), .dflt = "alarm"},
    {REF("alarm", L, "alarm", "Alarm", "告警")},
    {REF("device", L, "device", "Device", "设备")},
    {REF("outlet", L, "outlet", "Outlet", "排放口")},
    {REF("enterprise", L, "enterprise", "Enterprise", "企业")},
    {REF("territory", L, "territory", "Territory", "辖区")},
    {ENUM("rule", L, rule_codes, "Rule", "规则")},
    {TEXT("factor", L, 16, "Factor", "污染物")},
    {TIME("alarm_at_ms", L, "Alarm raised", "告警时间")},
    {TIME("sealed_at_ms", R | L, "Sealed", "封存时间")},
    {INT("size", L, 0, INT64_MAX, "Size", "大小"), .unit = "B"},
    {TEXT("sha256", R | L, 64, "SHA-256", "SHA-256")},
    {TEXT("sm3", R, 64, "SM3", "SM3")},
    {TEXT("path", H, 200, "File", "文件")},
    {REF("parent", L, "evidence", "Continues", "上一证据包")},
    {TEXT("note", Q, 1000, "Note", "说明")},
    {TEXT("author", L | Q, 128, "Author", "提交人")},
    {ENUM("state", R | L, evidence_states, "State", "状态"), .dflt = "sealed"},
};
static const struct record_field hold_fields[] = {
    {ENUM("object_kind", R | L | CR, hold_objects, "What is held", "保全对象")},
    {INT("object_id", L | CR, 0, INT64_C(1) << 53, "Object", "对象编号"), .dflt = "0"},
    {DATE("day_from", L, "From day", "起始日期")},
    {DATE("day_to", L, "To day", "截止日期"), HINT("this day included", "含当日")},
    {TEXT("reason", R | L | Q | N, 500, "Reason", "保全原因")},
    {TIME("until_at", L, "Until", "保全期限"), HINT("empty: until it is lifted", "留空表示直至解除")},
    {TEXT("author", RO | L, 128, "Author", "设置人")},
};

static choices replay_states = {{"queued", "Waiting", "排队中"},
                                {"running", "Running", "重演中"},
                                {"finished", "Finished", "已完成"},
                                {"failed", "Failed", "失败"},
                                {"cancelled", "Cancelled", "已取消"},
                                {"interrupted", "Interrupted", "已中断"},
                                {0}};
static const struct record_field replay_fields[] = {
    {DATE("day_from", R | L, "First day", "开始日期")},
    {DATE("day_to", R | L, "Last day", "结束日期")},
    {REF("territory", L, "territory", "Territory", "辖区"), HINT("empty: the whole city", "留空表示全市")},
    {JSON("change", 0, 16000, "Changed rules", "规则变更")},
    {ENUM("state", R | L, replay_states, "State", "状态"), .dflt = "queued"},
    {FIX("progress", L | QU, 0, 100, "Progress", "进度"), .unit = "%"},
    {TIME("at", QU, "Reached", "已重演至")},
    {INT("records", QU, 0, INT64_MAX, "Records", "记录数"), .dflt = "0"},
    {INT("frames", L | QU, 0, INT64_MAX, "Frames", "帧数"), .dflt = "0"},
    {TIME("started_at", L | QU, "Started", "开始时间")},
    {TIME("finished_at", L | QU, "Finished", "完成时间")},
    {FIX("seconds", QU, 0, 1000000, "Seconds", "用时"), .unit = "s"},
    {BOOL("identical", L | QU, "As recorded", "与记录一致")},
    {INT("gained", L | QU, 0, INT64_MAX, "Alarms gained", "新增告警")},
    {INT("lost", L | QU, 0, INT64_MAX, "Alarms lost", "减少告警")},
    {INT("changed", QU, 0, INT64_MAX, "Alarms changed", "变化告警")},
    {INT("diffs", QU, 0, INT64_MAX, "Differences", "差异数")},
    {JSON("result", QU, 40000, "Result", "结果")},
    {JSON("base", QU, 4000, "Rule versions", "规则版本")},
    {TEXT("error", QU, 500, "Error", "错误")},
    {TEXT("author", L | Q, 128, "Author", "发起人")},
    {TEXT("note", L | Q | N, 500, "Note", "备注")},
    {TIME("applied_at", L, "Applied", "应用时间")},
    {TEXT("applied_by", L, 128, "Applied by", "应用人")},
};

static choices draw_states = {{"committed", "Committed", "已承诺"},
                              {"revealed", "Revealed", "已揭晓"},
                              {"cancelled", "Cancelled", "已作废"},
                              {0}};
static choices draw_classes = {{"risk", "Risk", "风险等级"}, {"credit", "Credit", "信用（绩效）等级"}, {0}};
static choices draw_whys = {{"former_employer", "Former employer", "曾任职"},
                            {"relative", "Relatives", "亲属关系"},
                            {"interest", "Interest", "利益关系"},
                            {"other", "Other", "其他"},
                            {0}};
static const struct record_field draw_fields[] = {
    {TEXT("name", R | L | Q | N, 128, "Draw", "抽查名称")},
    {REF("territory", R | L, "territory", "Territory", "辖区")},
    {ENUM("state", R | L, draw_states, "State", "状态"), .dflt = "committed"},
    {INT("pick", R | L, 1, 500, "To draw", "抽取数量")},
    {INT("team", R, 1, 4, "Inspectors for each", "每家检查人数")},
    {INT("targets", L, 0, 10000, "In the list", "名单企业数")},
    {INT("inspectors", L, 0, 1000, "Inspectors", "检查人员数")},
    {TEXT("public_source", R | Q, 160, "Public value", "公开数值来源")},
    {TEXT("public_value", L, 160, "Its value", "公开数值")},
    {TEXT("list_sha256", R, 64, "SHA-256 of the list", "名单 SHA-256")},
    {TEXT("seed_sha256", R, 64, "SHA-256 of the seed", "种子 SHA-256")},
    {TEXT("result_sha256", 0, 64, "SHA-256 of the result", "结果 SHA-256")},
    {TIME("committed_at", R | L, "Committed", "承诺时间")},
    {TIME("revealed_at", L, "Revealed", "揭晓时间")},
    {TEXT("author", L | Q, 128, "Prepared by", "发起人")},
    {TEXT("revealed_by", 0, 128, "Revealed by", "揭晓人")},
    {TEXT("note", Q, 1000, "Note", "备注")},
};
static const struct record_field draw_weight_fields[] = {
    {ENUM("class", R | L | K, draw_classes, "Class", "类别")},
    {TEXT("value", R | L | K | N, 32, "Value", "等级"),
     HINT("risk: high, medium, low; credit: A, B, C, D, none", "风险：high、medium、low；信用：A、B、C、D、none")},
    {INT("weight", R | L, 1, 1000, "Weight", "权重")},
};
static const struct record_field draw_conflict_fields[] = {
    {REF("person", R | L | K, "person", "Inspector", "检查人员")},
    {REF("enterprise", R | L | K, "enterprise", "Enterprise", "企业")},
    {ENUM("why", R | L, draw_whys, "Why", "回避原因"), .dflt = "other"},
    {TEXT("note", Q, 500, "Note", "备注")},
};

static const struct record_kind kinds[] = {
    {.name = "territory",
     .en = "Territories",
     .zh = "辖区",
     FIELDS(territory_fields),
     .territory = "id",
     .open_read = true,
     .config = true,
     .check = check_territory},
    {.name = "unit",
     .en = "Units",
     .zh = "单位",
     FIELDS(unit_fields),
     .territory = "territory",
     .open_read = true,
     .config = true},
    {.name = "person", .en = "People", .zh = "人员", FIELDS(person_fields), .territory = "unit.territory"},
    {.name = "enterprise",
     .en = "Enterprises",
     .zh = "企业",
     FIELDS(enterprise_fields),
     .territory = "territory",
     .enterprise = "id",
     .config = true},
    {.name = "outlet",
     .en = "Outlets",
     .zh = "排放口",
     FIELDS(outlet_fields),
     .territory = "enterprise.territory",
     .enterprise = "enterprise",
     .config = true},
    {.name = "device",
     .en = "Devices",
     .zh = "监测设备",
     FIELDS(device_fields),
     .territory = "outlet.enterprise.territory",
     .enterprise = "outlet.enterprise",
     .config = true,
     .check = check_device},
    {.name = "factor_limit",
     .en = "Emission limits",
     .zh = "排放限值",
     FIELDS(limit_fields),
     .territory = "outlet.enterprise.territory",
     .enterprise = "outlet.enterprise",
     .config = true,
     .check = check_validity},
    {.name = "process_state",
     .en = "Process states",
     .zh = "工况申报",
     FIELDS(state_fields),
     .territory = "outlet.enterprise.territory",
     .enterprise = "outlet.enterprise",
     .author = "declared_by",
     .config = true,
     .check = check_state},
    {.name = "rule", .en = "Rules", .zh = "告警规则", FIELDS(rule_fields), .config = true, .check = check_validity},
    {.name = "deadline", .en = "Deadlines", .zh = "办理时限", FIELDS(deadline_fields)},
    {.name = "work_calendar", .en = "Working calendar", .zh = "工作日历", FIELDS(calendar_fields)},
    {.name = "suppression",
     .en = "Suppressions",
     .zh = "告警抑制",
     FIELDS(suppression_fields),
     .object = true,
     .author = "author",
     .config = true,
     .check = check_suppression},
    {.name = "role", .en = "Roles", .zh = "角色", FIELDS(role_fields), .check = check_role},
    {.name = "user",
     .en = "Users",
     .zh = "用户",
     FIELDS(user_fields),
     .territory = "territory",
     .enterprise = "enterprise",
     .check = check_user},
    {.name = "alarm",
     .en = "Alarms",
     .zh = "告警",
     FIELDS(alarm_fields),
     .territory = "territory",
     .enterprise = "enterprise",
     .readonly = true,
     .index = "CREATE INDEX IF NOT EXISTS alarm_due_at ON alarm(due_at_ms) WHERE due_at_ms IS NOT NULL;"
              "CREATE INDEX IF NOT EXISTS alarm_state ON alarm(state);"
              "CREATE INDEX IF NOT EXISTS alarm_active ON alarm(active, rule, object_kind, object_id);"
              "CREATE INDEX IF NOT EXISTS alarm_first ON alarm(first_at_ms);"
              "CREATE INDEX IF NOT EXISTS alarm_last ON alarm(last_at_ms);"},
    {.name = "command",
     .en = "Device commands",
     .zh = "设备命令",
     FIELDS(command_fields),
     .territory = "device.outlet.enterprise.territory",
     .enterprise = "device.outlet.enterprise",
     .readonly = true},
    {.name = "station",
     .en = "Air stations",
     .zh = "空气站",
     FIELDS(station_fields),
     .territory = "territory",
     .check = check_station},
    {.name = "air_event",
     .en = "Dust and exceptional days",
     .zh = "沙尘与异常事件",
     FIELDS(air_event_fields),
     .territory = "territory",
     .check = check_air_event},
    {.name = "air_mapping", .en = "Import mappings", .zh = "导入列对应", FIELDS(air_mapping_fields)},
    {.name = "air_review",
     .en = "Data reviews",
     .zh = "数据审核",
     FIELDS(air_review_fields),
     .territory = "station.territory",
     .readonly = true,
     .index = "CREATE INDEX IF NOT EXISTS air_review_state ON air_review(state);"},
    {.name = "air_target",
     .en = "Air targets",
     .zh = "空气质量目标",
     FIELDS(target_fields),
     .territory = "territory",
     .enterprise = "enterprise",
     .check = check_target},
    {.name = "rank_scheme",
     .en = "Ranking schemes",
     .zh = "排名方案",
     FIELDS(rank_scheme_fields),
     .check = check_scheme},
    {.name = "peer_figure",
     .en = "Figures of other cities",
     .zh = "外市数据",
     FIELDS(peer_fields),
     .check = check_peer},
    {.name = "evidence",
     .en = "Evidence",
     .zh = "证据包",
     FIELDS(evidence_fields),
     .territory = "territory",
     .enterprise = "enterprise",
     .readonly = true,
     .index = "CREATE INDEX IF NOT EXISTS evidence_sealed ON evidence(sealed_at_ms);"},
    {.name = "legal_hold",
     .en = "Legal holds",
     .zh = "证据保全",
     FIELDS(hold_fields),
     .object = true,
     .author = "author",
     .check = check_hold},
    {.name = "replay",
     .en = "Replays",
     .zh = "历史重演",
     FIELDS(replay_fields),
     .territory = "territory", /* empty, the whole city: for those who have it */
     .readonly = true,
     .index = "CREATE INDEX IF NOT EXISTS replay_state ON replay(state);"},
    {.name = "draw",
     .en = "Random draws",
     .zh = "双随机抽查",
     FIELDS(draw_fields),
     .territory = "territory",
     .readonly = true},
    {.name = "draw_weight", .en = "Weights of draws", .zh = "抽查权重", FIELDS(draw_weight_fields)},
    {.name = "draw_conflict",
     .en = "Conflicts of interest",
     .zh = "回避关系",
     FIELDS(draw_conflict_fields),
     .territory = "enterprise.territory"},
};

size_t record_kind_count(void)
{
    return sizeof kinds / sizeof kinds[0];
}

const struct record_kind *record_kind_at(size_t i)
{
    return i < record_kind_count() ? &kinds[i] : NULL;
}
