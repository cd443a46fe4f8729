/* Inspectors of the demonstration city: two teams of the city, the account `inspector` among them, and who must keep
 * away from which plant, so that a random draw can be made at once. All people are invented. */
#include "demo/demo.h"
#include "record/record.h"
#include "sql/sql.h"

enum lt_err demo_inspectors(const struct record_ctx *x, int64_t city, const int64_t *enterprise, size_t n_enterprise,
                            struct lt_error *err)
{
    static const char *const teams[][2] = {
        {"市生态环境执法支队一大队（演示）", "City Enforcement Team 1 (demonstration)"},
        {"市生态环境执法支队二大队（演示）", "City Enforcement Team 2 (demonstration)"}};
    static const char *const people[] = {"纪行远", "苏既白", "叶知秋", "贺长风", "杜若衡", "罗听松",
                                         "梁怀瑾", "宁致远", "何修竹", "钟毓秀", "姚景行", "谭北辰",
                                         "程砚舟", "范思齐", "潘望舟", "丁以宁"};
    static const char *const whys[] = {"former_employer", "relative", "interest"};
    int64_t unit[2] = {0}, id, person = 0, user = 0;
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < 2; i++) {
        const struct record_set set[] = {RECORD_SET_Z("name", teams[i][0]), RECORD_SET_Z("name_en", teams[i][1]),
                                         RECORD_SET_Z("type", "team"), RECORD_SET_I("territory", city)};
        e = record_insert(x, record_kind_find(LT_LIT("unit")), set, 4, &unit[i], err);
    }
    for (size_t i = 0; !e && i < sizeof people / sizeof people[0]; i++) {
        const struct record_set set[] = {RECORD_SET_Z("name", people[i]), RECORD_SET_I("unit", unit[i % 2]),
                                         RECORD_SET_Z("post", i < 2 ? "大队长" : "执法人员")};
        e = record_insert(x, record_kind_find(LT_LIT("person")), set, 3, &id, err);
        person = i == 0 ? id : person;
        const struct record_set away[] = {
            RECORD_SET_I("person", id), RECORD_SET_I("enterprise", n_enterprise ? enterprise[i * 5 % n_enterprise] : 0),
            RECORD_SET_Z("why", whys[i / 3 % 3])};
        if (!e && i % 3 == 1 && n_enterprise)
            e = record_insert(x, record_kind_find(LT_LIT("draw_conflict")), away, 3, &id, err);
    }
    if (!e)
        e = sql_get_i64(x->db, "SELECT id FROM user WHERE login = 'inspector' AND deleted = 0", NULL, &user, err);
    const struct record_set own = RECORD_SET_I("person", person);
    return e ? e : record_change(x, record_kind_find(LT_LIT("user")), user, 0, "update", &own, 1, err);
}
