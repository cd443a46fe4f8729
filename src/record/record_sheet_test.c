/* Sheets of records: 5,000 rows out and in again equal cell by cell, errors per cell, all or nothing. */
#include "record/record_testing.h"
#include "sheet/sheet.h"

#include <time.h>

static void fill(struct city *c, int n)
{
    static const char *const names[] = {
        "=cmd|' /C calc'!A0", "+86 公司",       "-负号厂",   "@厂",     "'单引号", "'=双重",
        "引号\"逗号,厂",      "第一行\n第二行", "普通 企业", "Ｆｕｌｌ"};
    assert_int_equal(sql_begin(c->db, NULL), LT_OK);
    for (int i = 0; i < n; i++) {
        char code[32], name[80];
        snprintf(code, sizeof code, "%018d", 900000 + i); /* all digits: a spreadsheet would spoil it as a number */
        snprintf(name, sizeof name, "%s%d", names[i % 10], i);
        INSERT(c, "enterprise", RECORD_SET_Z("code", code), RECORD_SET_Z("name", name),
               RECORD_SET_Z("industry", i % 2 ? "steel" : "cement"), RECORD_SET_I("territory", c->county[i % 2]),
               RECORD_SET_I("protected", i % 3 == 0), RECORD_SET_I("lon", 113000000 + i * 37),
               RECORD_SET_I("lat", -1 - i), i % 4 ? RECORD_SET_I("unit", c->unit[i % 2]) : RECORD_SET_NULL("unit"));
    }
    assert_int_equal(sql_commit(c->db, NULL), LT_OK);
}

static struct record_import import(struct record_ctx *x, const char *kind, struct lt_slice file, enum record_format fmt,
                                   bool dry, json_t **report)
{
    struct lt_buf b = LT_BUF_INIT(4u << 20);
    struct jsonw w;
    struct lt_error err = {0};
    struct record_import sum = {0};
    jsonw_init(&w, &b);
    enum lt_err e = record_import(x, kind_of(kind), file, fmt, dry, &w, &sum, &err);
    if (e != LT_OK)
        print_error("import: %s %s\n", lt_err_name(e), err.arg[0]);
    assert_int_equal(e, LT_OK);
    json_t *v = written(&b);
    if (report)
        *report = v;
    else
        json_decref(v);
    lt_buf_fini(&b);
    return sum;
}

static double seconds(void)
{
    return (double)lt_mono_us() / 1e6;
}

static void round_trip(enum record_format fmt)
{
    enum { ROWS = 5000 };
    struct city *a = city_make(":memory:"), *b = city_make(":memory:");
    struct lt_buf first = LT_BUF_INIT(64u << 20), second = LT_BUF_INIT(64u << 20);
    struct lt_error err = {0};
    struct record_query q = {0};
    fill(a, ROWS);
    double t0 = seconds();
    assert_int_equal(record_export(&a->x, kind_of("enterprise"), &q, fmt, &first, &err), LT_OK);
    double t1 = seconds();
    struct record_import sum = import(&b->x, "enterprise", lt_buf_slice(&first), fmt, false, NULL);
    double t2 = seconds();
    assert_int_equal(sum.errors, 0);
    assert_int_equal(sum.rows, ROWS + 2);
    assert_int_equal(sum.created, ROWS);
    print_message("%s: %d rows, %zu bytes, out %.2f s, in %.2f s\n", fmt == RECORD_CSV ? "csv" : "xlsx", ROWS, first.n,
                  t1 - t0, t2 - t1);
    /* the two cities hold the same now: their CSV is equal byte by byte */
    struct lt_buf ca = LT_BUF_INIT(64u << 20);
    assert_int_equal(record_export(&a->x, kind_of("enterprise"), &q, RECORD_CSV, &ca, &err), LT_OK);
    assert_int_equal(record_export(&b->x, kind_of("enterprise"), &q, RECORD_CSV, &second, &err), LT_OK);
    assert_int_equal(ca.n, second.n);
    assert_memory_equal(ca.p, second.p, ca.n);
    lt_buf_fini(&ca);
    /* and taking it in again changes nothing */
    sum = import(&b->x, "enterprise", lt_buf_slice(&first), fmt, false, NULL);
    assert_int_equal(sum.created + sum.updated + sum.errors, 0);
    lt_buf_fini(&first);
    lt_buf_fini(&second);
    city_free(a);
    city_free(b);
}

static void csv_round_trip(void **state)
{
    round_trip(RECORD_CSV);
}

static void xlsx_round_trip(void **state)
{
    round_trip(RECORD_XLSX);
}

static void formulas_are_disarmed(void **state)
{
    struct city *c = city_make(":memory:");
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct lt_error err;
    struct record_query q = {0};
    fill(c, 10);
    assert_int_equal(record_export(&c->x, kind_of("enterprise"), &q, RECORD_CSV, &b, &err), LT_OK);
    lt_buf_addc(&b, '\0');
    assert_non_null(strstr(b.p, ",\"'=cmd|' /C calc'!A00\","));
    static const char *const armed[] = {",=", ",+", ",@", "\n=", "\"=", "\"+", "\"@"};
    for (size_t i = 0; i < sizeof armed / sizeof armed[0]; i++)
        assert_null(strstr(b.p, armed[i]));
    lt_buf_fini(&b);
    city_free(c);
}

static int64_t count(struct city *c, const char *text)
{
    int64_t n = -1;
    assert_int_equal(sql_get_i64(c->db, text, NULL, &n, NULL), LT_OK);
    return n;
}

static void errors_name_the_cell_and_nothing_is_written(void **state)
{
    struct city *c = city_make(":memory:");
    static const char sheet[] = "统一社会信用代码*,企业名称（必填）,Industry,territory,经度(°),民生保障\r\n"
                                "91410100MA44000011,好厂,水泥,410102,113.5,是\r\n"
                                "9.1411E+17,坏码,水泥,410102,,否\r\n"
                                "91410100MA44000012,,面包,不存在区,１１３．２５,也许\r\n"
                                "91410100MA44000011,重复,钢铁,410103,\"1,113.5\",\r\n";
    json_t *report = NULL;
    struct record_import sum = import(&c->x, "enterprise", LT_LIT(sheet), RECORD_CSV, false, &report);
    assert_int_equal(sum.rows, 4);
    assert_int_equal(count(c, "SELECT count(*) FROM enterprise"), 2);
    const struct {
        int row;
        const char *column, *code;
    } want[] = {{3, "统一社会信用代码*", "FIELD_FORMAT"},  {4, "Industry", "FIELD_CHOICE"},
                {4, "territory", "REF_MISSING"},           {4, "民生保障", "FIELD_TYPE"},
                {4, "企业名称（必填）", "FIELD_REQUIRED"}, {5, "经度(°)", "FIELD_RANGE"}};
    const json_t *list = json_object_get(report, "errors");
    assert_int_equal(json_array_size(list), sizeof want / sizeof want[0]);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const json_t *e = json_array_get(list, i);
        assert_int_equal(json_integer_value(json_object_get(e, "row")), want[i].row);
        assert_string_equal(json_string_value(json_object_get(e, "column")), want[i].column);
        assert_string_equal(json_string_value(json_object_get(e, "code")), want[i].code);
    }
    json_decref(report);
    city_free(c);
}

static void names_in_full_width_brackets_come_back(void **state)
{
    struct city *c = city_make(":memory:");
    INSERT(c, "unit", RECORD_SET_Z("name", "东分局（筹）"), RECORD_SET_Z("type", "county_bureau"));
    static const char as_written[] = "统一社会信用代码,责任单位\n91410100MA44000000,东分局（筹）\n";
    static const char choice[] =
        "code,name,member,keys,tie\nS1,方案,county,composite,并列，其后名次顺延（1、2、2、4）\n";
    static const char code_wide[] = "统一社会信用代码,所属辖区\n91410100MA44000000,４１０１０３\n";
    assert_int_equal(import(&c->x, "enterprise", LT_LIT(as_written), RECORD_CSV, false, NULL).updated, 1);
    assert_int_equal(count(c, "SELECT count(*) FROM enterprise e JOIN unit u ON u.id = e.unit WHERE u.name LIKE '东%'"),
                     1);
    assert_int_equal(import(&c->x, "enterprise", LT_LIT(code_wide), RECORD_CSV, false, NULL).errors, 0);
    assert_int_equal(import(&c->x, "rank_scheme", LT_LIT(choice), RECORD_CSV, false, NULL).created, 1);
    city_free(c);
}

static void numbers_of_rows_are_not_numbers_of_records(void **state)
{
    struct city *c = city_make(":memory:");
    static const char sheet[] = "ID,单位名称,type\n1,新设分局,county_bureau\n2,另一分局,county_bureau\n";
    int64_t before = count(c, "SELECT count(*) FROM unit");
    assert_true(before >= 2);
    struct record_import sum = import(&c->x, "unit", LT_LIT(sheet), RECORD_CSV, false, NULL);
    assert_int_equal(sum.created, 2);
    assert_int_equal(sum.updated + sum.errors, 0);
    assert_int_equal(count(c, "SELECT count(*) FROM unit"), before + 2);
    city_free(c);
}

static void dry_run_then_real(void **state)
{
    struct city *c = city_make(":memory:");
    static const char sheet[] = "\xEF\xBB\xBFoutlet,factor,period,limit_value,valid_from,standard\n"
                                "DA000,a21026,小时,35,2026.1.5,GB 13223\n"
                                "DA001,a34013,hour,\"1,000.5\",2026年1月5日,\n";
    struct record_import sum = import(&c->x, "factor_limit", LT_LIT(sheet), RECORD_CSV, true, NULL);
    assert_int_equal(sum.errors, 0);
    assert_int_equal(sum.created, 2);
    assert_int_equal(count(c, "SELECT count(*) FROM factor_limit"), 0);
    sum = import(&c->x, "factor_limit", LT_LIT(sheet), RECORD_CSV, false, NULL);
    assert_int_equal(sum.created, 2);
    assert_int_equal(count(c, "SELECT limit_value FROM factor_limit WHERE factor = 'a34013'"), 1000500000);
    int64_t day = 0;
    assert_true(lt_day_number_start(20260105, LT_TZ_CHINA, &day));
    assert_int_equal(count(c, "SELECT min(valid_from) FROM factor_limit"), day);
    assert_int_equal(count(c, "SELECT max(valid_from) FROM factor_limit"), day);
    sum = import(&c->x, "factor_limit", LT_LIT(sheet), RECORD_CSV, false, NULL); /* found again by its KEY */
    assert_int_equal(sum.created + sum.updated, 0);
    assert_int_equal(count(c, "SELECT count(*) FROM audit WHERE action = 'import' AND kind = 'factor_limit'"), 4);
    city_free(c);
}

static void headers_are_judged(void **state)
{
    struct city *c = city_make(":memory:");
    static const char *const sheets[] = {"code,name,厂里的狗\n1,2,3\n", "code,统一社会信用代码\n1,2\n", "name\nx\n",
                                         "code,name,password\n1,2,3\n"};
    for (size_t i = 0; i < sizeof sheets / sizeof sheets[0]; i++) {
        struct record_import sum = import(&c->x, "enterprise", lt_slice_of(sheets[i]), RECORD_CSV, false, NULL);
        assert_true(sum.errors > 0);
        assert_int_equal(sum.rows, 0);
    }
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    struct lt_error err;
    jsonw_init(&w, &b);
    assert_int_equal(record_import(&c->x, kind_of("enterprise"), LT_LIT(""), RECORD_CSV, false, &w, NULL, &err),
                     LT_E_BAD_INPUT);
    struct auth_ctx who = person("r", "*:read", c->county[0], 0);
    struct record_ctx x = as(c, &who);
    assert_int_equal(record_import(&x, kind_of("enterprise"), LT_LIT("code\n"), RECORD_CSV, false, &w, NULL, &err),
                     LT_E_DENIED);
    lt_buf_fini(&b);
    city_free(c);
}

static void imports_stay_in_the_territory(void **state)
{
    struct city *c = city_make(":memory:");
    struct auth_ctx who = person("r", "*:read,*:write", c->county[0], 0);
    struct record_ctx x = as(c, &who);
    static const char *const sheets[] = {
        "code,name,industry,territory\n91410100MA44000077,x,steel,410103\n", /* a new plant next door */
        "code,name,industry,territory\n91410100MA44000001,x,steel,410102\n", /* taking over the neighbour's */
    };
    for (size_t i = 0; i < 2; i++) {
        struct record_import sum = import(&x, "enterprise", lt_slice_of(sheets[i]), RECORD_CSV, false, NULL);
        assert_true(sum.errors > 0);
    }
    assert_int_equal(count(c, "SELECT count(*) FROM enterprise WHERE name = 'x'"), 0);
    city_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_round_trip),
        cmocka_unit_test(xlsx_round_trip),
        cmocka_unit_test(formulas_are_disarmed),
        cmocka_unit_test(errors_name_the_cell_and_nothing_is_written),
        cmocka_unit_test(names_in_full_width_brackets_come_back),
        cmocka_unit_test(numbers_of_rows_are_not_numbers_of_records),
        cmocka_unit_test(dry_run_then_real),
        cmocka_unit_test(headers_are_judged),
        cmocka_unit_test(imports_stay_in_the_territory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
