/* Files of many shapes in, or refused whole. */
#include "air/air_import_priv.h"
#include "air/air_priv.h"
#include "record/record_testing.h"
#include "sheet/sheet.h"

#include <limits.h>
#include <zlib.h>

struct world {
    struct city *c;
    struct auth_ctx who;
    struct record_ctx x;
    int64_t station[2];
};

static struct world world_make(void)
{
    struct world w = {.c = city_make(":memory:")};
    struct lt_error err;
    assert_int_equal(air_setup(w.c->db, &err), LT_OK);
    const char *codes[2] = {"1001A", "1002A"}, *names[2] = {"万寿西宫", "定陵"};
    for (int i = 0; i < 2; i++)
        w.station[i] = INSERT(w.c, "station", RECORD_SET_Z("code", codes[i]), RECORD_SET_Z("name", names[i]),
                              RECORD_SET_Z("type", "national"), RECORD_SET_I("territory", w.c->county[i]));
    w.who = person("importer",
                   "station:read,station:write,air:import,air:push,air_mapping:read,air_mapping:write,"
                   "territory:read",
                   w.c->root, 0);
    w.x = w.c->x;
    return w;
}

static struct air_import_options options(void)
{
    return (struct air_import_options){.co_ug = -1, .label_end = -1, .tz_min = INT_MIN};
}

struct outcome {
    enum lt_err e;
    struct lt_error err;
    json_t *json;
    bool applied;
};

static struct outcome run(struct world *w, struct lt_slice file, const struct air_import_options *o)
{
    struct outcome r = {0};
    struct air_import_report *rep = NULL;
    struct record_ctx x = w->x;
    x.who = &w->who;
    r.e = air_import(&x, file, o, &rep, &r.err);
    if (r.e == LT_OK) {
        struct lt_buf b = LT_BUF_INIT(1u << 22);
        struct jsonw jw;
        struct lt_error err;
        jsonw_init(&jw, &b);
        air_import_report_json(rep, LT_EN, 480, &jw);
        assert_true(jsonw_ok(&jw));
        assert_int_equal(jsonr_object(lt_buf_slice(&b), JSONR_SIZE_MAX, &r.json, &err), LT_OK);
        lt_buf_clear(&b);
        air_import_report_text(rep, LT_ZH, &b);
        assert_true(b.n > 0 && !b.failed);
        lt_buf_fini(&b);
        r.applied = air_import_applied(rep);
    }
    air_import_report_free(&rep);
    return r;
}

static bool keep(void *user, int32_t day, const struct air_block *b)
{
    *(struct air_block *)user = *b;
    return true;
}

static struct air_block day_of(struct world *w, int64_t station, const char *day)
{
    struct air_block b;
    struct lt_error err;
    int64_t at;
    assert_true(lt_time_parse_iso(lt_slice_of(day), 480, &at));
    air_block_init(&b);
    int32_t d = air_day_of(at, 480);
    assert_int_equal(air_blocks(w->c->db, station, d, d, 0, keep, &b, &err), LT_OK);
    return b;
}

static const char *text_of(const struct outcome *r, const char *list, size_t i, const char *member)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(r->json, list), i), member));
}

static size_t size_of(const struct outcome *r, const char *list)
{
    return json_array_size(json_object_get(r->json, list));
}

static bool has_finding(const struct outcome *r, const char *code)
{
    for (size_t i = 0; i < size_of(r, "findings"); i++)
        if (strcmp(text_of(r, "findings", i, "code"), code) == 0)
            return true;
    return false;
}

/* ---- shapes ---- */

static void wide_csv(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    o.label_end = 0;
    struct lt_slice file = LT_LIT("监测时间,点位名称,PM2.5(μg/m³),PM10,二氧化硫,NO₂,CO（mg/m³）,O3,气温,风向,备注\r\n"
                                  "2026-11-20 08:00,万寿西宫,35,50,6,22,0.8,64,-3.5,NNE,\r\n"
                                  "2026/11/20 9:00,\"1002A\",—,51,,23,0.9,65,,90,x\r\n");
    struct outcome r = run(&w, file, &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    assert_string_equal(json_string_value(json_object_get(r.json, "shape")), "wide");
    assert_string_equal(text_of(&r, "columns", 2, "as"), "PM25");
    assert_string_equal(text_of(&r, "columns", 10, "as"), "ignore");
    struct air_block b = day_of(&w, w.station[0], "2026-11-20");
    assert_int_equal(b.value[8][AIR_PM25], 350000);
    assert_int_equal(b.value[8][AIR_CO], 800000);
    assert_int_equal(b.value[8][AIR_TEMP], -350);
    assert_int_equal(b.value[8][AIR_WD], 2250);
    assert_int_equal(b.source[8][AIR_PM25], AIR_SRC_FILE);
    b = day_of(&w, w.station[1], "2026-11-20");
    assert_int_equal(b.value[9][AIR_PM25], AIR_NONE);
    assert_int_equal(b.value[9][AIR_NO2], 230000);
    json_decref(r.json);
    o.label_end = 1; /* the same file, hours named by their end */
    o.dry_run = true;
    r = run(&w, file, &o);
    assert_false(r.applied);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r.json, "result"), "first")), 13);
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[0], "2026-11-20").arrived[7], 0); /* a trial leaves nothing */
    city_free(w.c);
}

static void gb18030_and_gzip(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    /* "时间,站点,PM2.5\n2026-11-20 08:00,定陵,41\n" in GB18030 */
    static const char gb[] = "\xca\xb1\xbc\xe4,\xd5\xbe\xb5\xe3,PM2.5\n2026-11-20 08:00,\xb6\xa8\xc1\xea,41\n";
    char packed[400];
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)gb;
    z.avail_in = sizeof gb - 1;
    z.next_out = (Bytef *)packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = sizeof packed - z.avail_out;
    deflateEnd(&z);
    struct outcome r = run(&w, (struct lt_slice){packed, n}, &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    assert_string_equal(json_string_value(json_object_get(r.json, "encoding")), "gb18030");
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[1], "2026-11-20").value[7][AIR_PM25], 410000); /* end label by default */
    r = run(&w, (struct lt_slice){packed, n - 9}, &o); /* cut short: refused, not half taken */
    assert_int_equal(r.e, LT_E_BAD_INPUT);
    city_free(w.c);
}

static void long_and_cross(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    o.label_end = 0;
    struct outcome r = run(&w,
                           LT_LIT("station,time,pollutant,value,flag\n1001A,2026-11-20T08:00,PM2.5,35,N\n"
                                  "1001A,2026-11-20T08:00,O3,64,\n1001A,2026-11-20T08:00,AQI,50,\n"
                                  "1001A,2026-11-20T08:00,SO2,7,D\n"),
                           &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    assert_true(has_finding(&r, "other_items"));
    json_decref(r.json);
    struct air_block b = day_of(&w, w.station[0], "2026-11-20");
    assert_int_equal(b.value[8][AIR_PM25], 350000);
    assert_int_equal(b.value[8][AIR_O3], 640000);
    assert_int_equal(b.state[8][AIR_SO2], AIR_INVALID);
    int64_t version;
    struct lt_error err;
    assert_int_equal(air_version(w.c->db, &version, &err), LT_OK);
    assert_int_equal(version, 1); /* items of one hour in one file are one arrival */
    r = run(&w,
            LT_LIT("date,hour,type,1001A,1002A\n20261121,0,PM2.5,10,20\n20261121,0,PM2.5_24h,11,21\n"
                   "20261121,0,O3,,33\n20261121,23,CO,0.5,\n"),
            &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    assert_string_equal(json_string_value(json_object_get(r.json, "shape")), "cross");
    json_decref(r.json);
    b = day_of(&w, w.station[1], "2026-11-21");
    assert_int_equal(b.value[0][AIR_PM25], 200000);
    assert_int_equal(b.value[0][AIR_O3], 330000);
    b = day_of(&w, w.station[0], "2026-11-21");
    assert_int_equal(b.value[23][AIR_CO], 500000);
    city_free(w.c);
}

/* The form of the national platform's answers; values of two of its stations on 2019-07-18 13:00. */
#define LIVE(o3, o3_24, pm, name, code)                                                                                \
    "<b:AQIDataPublishLive><b:AQI>132</b:AQI><b:Area>北京市</b:Area><b:CO>1.1</b:CO><b:CO_24h>0.8</b:CO_24h>"       \
    "<b:NO2>21</b:NO2><b:O3>" o3 "</b:O3><b:O3_24h>" o3_24 "</b:O3_24h><b:O3_8h>61</b:O3_8h>"                          \
    "<b:OpenAccessGenerated><c:string xmlns:c=\"x\">&lt;k/&gt;</c:string><c:string xmlns:c=\"x\">+</c:string>"         \
    "</b:OpenAccessGenerated><b:PM10>79</b:PM10><b:PM2_5>" pm "</b:PM2_5><b:PM2_5_24h>66</b:PM2_5_24h>"                \
    "<b:PositionName>" name "</b:PositionName><b:PrimaryPollutant>&mdash;</b:PrimaryPollutant><b:SO2>3</b:SO2>"        \
    "<b:StationCode>" code "</b:StationCode><b:TimePoint>2019-07-18T13:00:00</b:TimePoint></b:AQIDataPublishLive>"

static void national_xml(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct outcome r =
        run(&w,
            LT_LIT("<GetAQIDataPublishLivesResponse xmlns=\"http://tempuri.org/\"><R xmlns:a=\"D\"><a:TotalCount>2"
                   "</a:TotalCount><a:RootResults xmlns:b=\"B\">" LIVE("175", "160", "100", "万寿西宫", "1001A")
                       LIVE("136", "136", "&mdash;", "定陵", "1002A") "</a:RootResults></R>"
                                                                      "</GetAQIDataPublishLivesResponse>"),
            &o);
    assert_int_equal(r.e, LT_OK);
    assert_string_equal(json_string_value(json_object_get(r.json, "shape")), "national");
    assert_true(has_finding(&r, "ozone_swapped"));
    assert_true(r.applied);
    json_decref(r.json);
    struct air_block b = day_of(&w, w.station[0], "2019-07-18");
    assert_int_equal(b.value[12][AIR_O3], 1600000); /* the field called O3_24h; 13:00 names the end */
    assert_int_equal(b.value[12][AIR_PM25], 1000000);
    assert_int_equal(b.value[12][AIR_CO], 1100000);
    assert_int_equal(b.source[12][AIR_O3], AIR_SRC_NATIONAL);
    b = day_of(&w, w.station[1], "2019-07-18");
    assert_int_equal(b.value[12][AIR_PM25], AIR_NONE);
    assert_int_equal(b.value[12][AIR_PM10], 790000);
    city_free(w.c);
}

static void national_json(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct outcome r =
        run(&w,
            LT_LIT("[{\"AQI\":\"55\",\"Area\":\"北京市\",\"CO\":\"0.8\",\"O3\":\"170\",\"O3_24h\":\"164\","
                   "\"PM10\":\"45\",\"PM2_5\":\"34\",\"PM2_5_24h\":\"32\",\"PositionName\":\"万寿西宫\","
                   "\"StationCode\":\"1001A\",\"TimePoint\":\"/Date(1499414400000+0800)/\",\"NO2\":13,"
                   "\"SO2\":\"—\"},{\"StationCode\":\"1002A\",\"TimePoint\":\"2017-07-07T16:00:00\","
                   "\"PM2_5\":14,\"O3\":179,\"O3_24h\":160.0,\"CO\":0.6}]"),
            &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    json_decref(r.json);
    struct air_block b = day_of(&w, w.station[0], "2017-07-07");
    assert_int_equal(b.value[15][AIR_O3], 1640000);
    assert_int_equal(b.value[15][AIR_SO2], AIR_NONE);
    assert_int_equal(b.value[15][AIR_NO2], 130000);
    assert_int_equal(day_of(&w, w.station[1], "2017-07-07").value[15][AIR_O3], 1600000);
    city_free(w.c);
}

/* Where the maximum stands in O3_24h the names mean what they say. */
static void ozone_names_that_are_right(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct outcome r = run(&w,
                           LT_LIT("[{\"O3\":100,\"O3_24h\":164,\"PM2_5\":34,\"StationCode\":\"1001A\","
                                  "\"TimePoint\":\"2017-07-07T16:00:00\"}]"),
                           &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(has_finding(&r, "ozone_plain"));
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[0], "2017-07-07").value[15][AIR_O3], 1000000);
    city_free(w.c);
}

static void a_workbook(void **state)
{
    static const struct sheet_column cols[] = {
        {"时间", SHEET_DATETIME}, {"站点编码", SHEET_TEXT}, {"PM2.5", SHEET_NUMBER}, {"CO", SHEET_NUMBER}};
    struct sheet_writer *sw;
    struct lt_error err;
    struct lt_buf file = LT_BUF_INIT(1u << 20);
    const struct lt_slice row[] = {LT_LIT("2026-11-20T10:00:00"), LT_LIT("1001A"), LT_LIT("28"), LT_LIT("0.7")};
    assert_int_equal(sheet_xlsx_create("s", cols, 4, &sw, &err), LT_OK);
    assert_int_equal(sheet_xlsx_row(sw, row, &err), LT_OK);
    assert_int_equal(sheet_xlsx_finish(&sw, &file, &err), LT_OK);
    struct world w = world_make();
    struct air_import_options o = options();
    struct outcome r = run(&w, lt_buf_slice(&file), &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[0], "2026-11-20").value[9][AIR_CO], 700000);
    lt_buf_fini(&file);
    city_free(w.c);
}

/* ---- what is refused ---- */

static void one_wrong_cell_keeps_all_out(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct outcome r =
        run(&w,
            LT_LIT("time,station,PM25,O3\n2026-11-20 08:00,1001A,35,64\n2026-11-20 09:00,1001A,3x,64\n"
                   "2026-11-20 10:30,1001A,35,64\n2026-13-20 10:00,1001A,1,1\n2027-11-20 10:00,1001A,1,1\n"),
            &o);
    assert_int_equal(r.e, LT_OK);
    assert_false(r.applied);
    assert_int_equal(size_of(&r, "errors"), 4);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(r.json, "errors"), 0), "row")),
                     3);
    assert_string_equal(text_of(&r, "errors", 0, "column"), "PM25");
    assert_string_equal(text_of(&r, "errors", 0, "message"), "not a number: \"3x\"");
    assert_string_equal(text_of(&r, "errors", 1, "message"), "not on the hour: \"2026-11-20 10:30\"");
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[0], "2026-11-20").arrived[7], 0);
    int64_t version;
    assert_int_equal(air_version(w.c->db, &version, &r.err), LT_OK);
    assert_int_equal(version, 0);
    city_free(w.c);
}

static enum lt_err refused_as(struct world *w, struct lt_slice file, const char *with)
{
    struct air_import_options o = options();
    struct outcome r = run(w, file, &o);
    char text[600];
    assert_false(r.applied);
    if (r.e != LT_OK) {
        lt_error_text(&r.err, LT_ZH, text, sizeof text);
        assert_true(!with || strstr(text, with));
    } else {
        char *all = json_dumps(r.json, JSON_COMPACT);
        assert_true(!with || strstr(all, with));
        free(all);
    }
    json_decref(r.json);
    return r.e;
}

static void two_columns_of_one_item_are_told(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct lt_slice file = LT_LIT("time,station,PM25,PM2.5\n2026-11-20 10:00,1001A,1,200\n");
    assert_int_equal(refused_as(&w, file, "column_twice"), LT_OK);
    o.accept = "column_twice";
    struct outcome r = run(&w, file, &o);
    assert_true(r.applied);
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[0], "2026-11-20").value[9][AIR_PM25], 10000);
    city_free(w.c);
}

static void hours_of_their_own_column_are_whole(void **state)
{
    struct world w = world_make();
    assert_int_equal(refused_as(&w, LT_LIT("date,hour,station,PM25\n2026-11-20,08:30,1001A,1\n"), "not on the hour"),
                     LT_OK);
    assert_int_equal(
        refused_as(&w, LT_LIT("date,hour,station,PM25\n2026-11-20,08:00-09:00,1001A,1\n"), "not on the hour"), LT_OK);
    assert_int_equal(refused_as(&w, LT_LIT("time,station,PM25\n1970-01-01 00:00,1001A,1\n"), "before 1970"), LT_OK);
    struct air_import_options o = options();
    struct outcome r = run(&w, LT_LIT("date,hour,station,PM25\n2026-11-20,08:00,1001A,1\n2026-11-20,9,1001A,2\n"), &o);
    assert_true(r.applied);
    json_decref(r.json);
    assert_int_equal(day_of(&w, w.station[0], "2026-11-20").value[8][AIR_PM25], 20000);
    city_free(w.c);
}

/* Small files that become large, and why a file was refused in the reader's language. */
static void what_swells_is_refused(void **state)
{
    struct world w = world_make();
    struct lt_buf b = LT_BUF_INIT(32u << 20);
    enum { BLANKS = 24 << 20, PACKED = 256 << 10 };
    char *blanks = malloc(BLANKS), *packed = malloc(PACKED);
    z_stream z = {0};
    assert_true(blanks && packed && deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    memset(blanks, '\n', BLANKS);
    z.next_in = (Bytef *)blanks;
    z.avail_in = BLANKS;
    z.next_out = (Bytef *)packed;
    z.avail_out = PACKED;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(refused_as(&w, (struct lt_slice){packed, PACKED - z.avail_out}, NULL), LT_E_TOO_LARGE);
    deflateEnd(&z);
    free(blanks);
    free(packed);
    lt_buf_addc(&b, '[');
    for (int i = 0; i < 1000000; i++)
        lt_buf_adds(&b, "{},");
    lt_buf_adds(&b, "{\"time\":\"2026-11-20 10:00\",\"station\":\"1001A\",\"PM25\":1}]");
    assert_int_equal(refused_as(&w, lt_buf_slice(&b), NULL), LT_E_TOO_LARGE);
    lt_buf_fini(&b);
    assert_int_equal(refused_as(&w, LT_LIT("time,station,PM25\n\"2026-11-20 10:00,1001A,1\n"), "引号未闭合"),
                     LT_E_BAD_INPUT);
    assert_int_equal(refused_as(&w, LT_LIT("time,station,PM25\n2026-11-20 10:00,1001A,\"1\"2\n"), "其后还有文字"),
                     LT_E_BAD_INPUT);
    city_free(w.c);
}

/* The blanks before each field of a printed XML once filled a buffer that nothing emptied. */
static void an_indented_xml_may_be_long(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct lt_buf b = LT_BUF_INIT(16u << 20);
    lt_buf_adds(&b, "<rows>");
    for (int i = 0; i < 1200; i++)
        lt_buf_addf(&b, "<row>%*s<time>2026-%02d-%02d %02d:00</time><station>1001A</station><PM25>%d</PM25></row>",
                    4000, "", 9 + i / 720, 1 + i / 24 % 30, i % 24, 10 + i % 40);
    lt_buf_adds(&b, "</rows>");
    struct outcome r = run(&w, lt_buf_slice(&b), &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    assert_int_equal(json_integer_value(json_object_get(r.json, "rows")), 1200);
    json_decref(r.json);
    lt_buf_fini(&b);
    city_free(w.c);
}

static void unknown_stations_are_asked_about(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct lt_slice file = LT_LIT("time,station,PM25\n2026-11-20 08:00,1001A,35\n2026-11-20 08:00,9X,40\n"
                                  "2026-11-20 09:00,新站,41\n");
    struct outcome r = run(&w, file, &o);
    assert_false(r.applied);
    assert_int_equal(size_of(&r, "unknown_stations"), 2);
    assert_string_equal(text_of(&r, "unknown_stations", 0, "code"), "9X");
    json_decref(r.json);
    o.skip_unknown = true;
    r = run(&w, file, &o);
    assert_true(r.applied);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r.json, "result"), "first")), 1);
    json_decref(r.json);
    o.skip_unknown = false;
    int64_t id;
    o.create_in = 999999; /* no such territory: nothing is kept, not even the meaning of the columns */
    o.remember = "half";
    r = run(&w, file, &o);
    assert_int_equal(r.e, LT_E_REF_MISSING);
    assert_int_equal(sql_get_i64(w.c->db, "SELECT count(*) FROM air_mapping", NULL, &id, &r.err), LT_OK);
    assert_int_equal(id, 0);
    o.remember = NULL;
    o.create_in = w.c->county[1];
    r = run(&w, file, &o);
    assert_true(r.applied);
    json_decref(r.json);
    assert_int_equal(
        sql_get_i64(w.c->db, "SELECT id FROM station WHERE name = '新站' AND deleted = 0", NULL, &id, &r.err), LT_OK);
    assert_int_equal(day_of(&w, id, "2026-11-20").value[8][AIR_PM25], 410000);
    o.create_in = 0;
    r = run(&w, file, &o); /* now they are known; the file is equal to what is there */
    assert_true(r.applied);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(r.json, "result"), "version")), 0);
    json_decref(r.json);
    city_free(w.c);
}

static void anothers_stations_do_not_exist(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    w.who.territory = w.c->county[0];
    struct outcome r = run(&w, LT_LIT("time,station,PM25\n2026-11-20 08:00,1002A,35\n"), &o);
    assert_false(r.applied);
    assert_int_equal(size_of(&r, "unknown_stations"), 1);
    json_decref(r.json);
    lt_text_copy(w.who.permissions, sizeof w.who.permissions, "station:read");
    r = run(&w, LT_LIT("time,station,PM25\n2026-11-20 08:00,1001A,35\n"), &o);
    assert_int_equal(r.e, LT_E_DENIED);
    city_free(w.c);
}

/* A month of hours by a formula; `co` as text of each, `step` hours to shift the day's course. */
static void month(struct lt_buf *b, double co, int shift, double scale)
{
    lt_buf_adds(b, "time,station,PM25,PM10,SO2,NO2,CO,O3\n");
    for (int d = 1; d <= 30; d++)
        for (int h = 0; h < 24; h++) {
            int k = (h + shift + 24) % 24, sun = k > 6 && k < 20 ? (k - 6) * (20 - k) : 0;
            lt_buf_addf(b, "2026-09-%02d %02d:00,1001A,%g,%g,%g,%g,%g,%g\n", d, h, (30 + d + k % 5) * scale,
                        (60 + d + k % 7) * scale, (8 + k % 3) * scale, (40 - sun / 3.0) * scale,
                        co * (0.8 + k % 3 * 0.1), (30 + sun * 2.2) * scale);
        }
}

static void wrong_units_are_found(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    o.label_end = 0;
    month(&b, 1000, 0, 1); /* CO in µg/m³, said to be mg/m³ */
    struct outcome r = run(&w, lt_buf_slice(&b), &o);
    assert_int_equal(r.e, LT_OK);
    assert_false(r.applied);
    assert_true(has_finding(&r, "impossible") || has_finding(&r, "unit_ug"));
    json_decref(r.json);
    o.co_ug = 1;
    r = run(&w, lt_buf_slice(&b), &o);
    assert_true(r.applied);
    json_decref(r.json);
    lt_buf_clear(&b);
    month(&b, 1, 0, 0.001); /* all in mg/m³ */
    o.co_ug = 0;
    r = run(&w, lt_buf_slice(&b), &o);
    assert_false(r.applied);
    assert_true(has_finding(&r, "unit_mg"));
    json_decref(r.json);
    o.accept = "all"; /* a person may know better, and the findings stay in the report */
    r = run(&w, lt_buf_slice(&b), &o);
    assert_true(r.applied);
    assert_true(has_finding(&r, "unit_mg"));
    json_decref(r.json);
    lt_buf_fini(&b);
    city_free(w.c);
}

static void a_mapping_is_remembered(void **state)
{
    struct world w = world_make();
    struct air_import_options o = options();
    struct lt_slice file = LT_LIT("t,st,val1,CO\n2026-11-20 08:00,1001A,35,900\n");
    struct outcome r = run(&w, file, &o);
    assert_int_equal(r.e, LT_E_BAD_INPUT); /* nobody can know what t is */
    INSERT(w.c, "air_mapping", RECORD_SET_Z("name", "ours"), RECORD_SET_Z("signature", "t,st,val1,CO"),
           RECORD_SET_Z("columns", "{\"t\":\"time\",\"st\":\"station\",\"val1\":\"PM25\"}"),
           RECORD_SET_Z("co_unit", "ug"), RECORD_SET_Z("hour_label", "start"));
    r = run(&w, file, &o);
    assert_int_equal(r.e, LT_OK);
    assert_true(r.applied);
    json_decref(r.json);
    struct air_block b = day_of(&w, w.station[0], "2026-11-20");
    assert_int_equal(b.value[8][AIR_PM25], 350000);
    assert_int_equal(b.value[8][AIR_CO], 900000);
    o.remember = "plain";
    o.label_end = 0;
    r = run(&w, LT_LIT("time,station,PM10\n2026-11-21 08:00,1001A,35\n"), &o);
    assert_true(r.applied);
    json_decref(r.json);
    o = options();
    r = run(&w, LT_LIT("time,station,PM10\n2026-11-22 08:00,1001A,35\n"), &o);
    assert_string_equal(json_string_value(json_object_get(r.json, "hour_label")), "start");
    assert_true(json_is_integer(json_object_get(r.json, "mapping")));
    json_decref(r.json);
    city_free(w.c);
}

/* ---- push ---- */

static enum lt_err push(struct world *w, const char *text, struct air_put_result *res, struct record_faults *f,
                        struct lt_error *err)
{
    json_t *body = NULL;
    struct record_ctx x = w->x;
    x.who = &w->who;
    assert_int_equal(jsonr_object(lt_slice_of(text), 65536, &body, err), LT_OK);
    enum lt_err e = air_push(&x, body, res, f, err);
    json_decref(body);
    return e;
}

static void programs_push(void **state)
{
    struct world w = world_make();
    struct air_put_result res = {0};
    struct record_faults f = {0};
    struct lt_error err;
    assert_int_equal(
        push(&w,
             "{\"rows\":[{\"station\":\"1001A\",\"time\":\"2026-11-20T09:00:00+08:00\",\"PM25\":35.5,\"CO\":"
             "\"0.8\",\"invalid\":[\"CO\"]},{\"station\":\"1002A\",\"time\":\"2026-11-20T01:00:00Z\",\"O3\":"
             "71}]}",
             &res, &f, &err),
        LT_OK);
    assert_int_equal(res.first, 3);
    struct air_block b = day_of(&w, w.station[0], "2026-11-20");
    assert_int_equal(b.value[8][AIR_PM25], 355000);
    assert_int_equal(b.state[8][AIR_CO], AIR_INVALID);
    assert_int_equal(day_of(&w, w.station[1], "2026-11-20").value[8][AIR_O3], 710000);
    assert_int_not_equal(push(&w,
                              "{\"rows\":[{\"station\":\"1001A\",\"time\":\"2026-11-20T10:00:00+08:00\",\"PM25\":1},"
                              "{\"station\":\"nobody\",\"time\":\"yesterday\",\"PM25\":-4,\"xx\":1}]}",
                              &res, &f, &err),
                         LT_OK);
    assert_int_equal(f.n, 4);
    static const char *const misread[] = {
        /* flags that are no list, an option misspelt, rows that are none, a time beyond all */
        "{\"rows\":[{\"station\":\"1001A\",\"time\":\"2026-11-20T10:00:00+08:00\",\"CO\":1,\"invalid\":\"CO\"}]}",
        "{\"co_units\":\"ug\",\"rows\":[{\"station\":\"1001A\",\"time\":\"2026-11-20T10:00:00+08:00\",\"CO\":800}]}",
        "{\"rows\":[7]}", "{\"rows\":[{\"station\":\"1001A\",\"time\":\"/Date(9223372036854775807)/\",\"CO\":1}]}"};
    for (size_t i = 0; i < sizeof misread / sizeof misread[0]; i++)
        assert_int_not_equal(push(&w, misread[i], &res, &f, &err), LT_OK);
    int64_t rows = 0; /* one push made a version, and one row in the audit says whose it was */
    assert_int_equal(sql_get_i64(w.c->db,
                                 "SELECT count(*) FROM audit WHERE action = 'push' AND detail LIKE '%\"first\":3%'",
                                 NULL, &rows, &err),
                     LT_OK);
    assert_int_equal(rows, 1);
    assert_int_equal(day_of(&w, w.station[0], "2026-11-20").arrived[9], 0);
    city_free(w.c);
}

/* ---- times and units ---- */

static void times_of_many_forms(void **state)
{
    static const char *const same[] = {"2026-11-25 08:00",
                                       "2026-11-25T08:00:00",
                                       "2026/11/25 8:00",
                                       "2026.11.25 8",
                                       "2026年11月25日8时",
                                       "2026年11月25日 08时00分",
                                       "2026112508",
                                       "20261125080000",
                                       "2026-11-25T00:00:00Z",
                                       "2026-11-25T09:00:00+09:00",
                                       "/Date(1795564800000+0800)/",
                                       "2026-11-25T08:00:00.000"};
    static const char *const bad[] = {
        "",     "2026-02-30 08:00",   "2026-11-25 25:00", "25/11/2026 08:00", "2026-11-25x",
        "8:00", "2026-11-25 08:00 x", "2026-11-25 24:01"};
    int64_t at;
    bool hour;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(air_time_parse(lt_slice_of(same[i]), 480, &hour, &at));
        assert_int_equal(at, T0);
        assert_true(hour);
    }
    assert_true(air_time_parse(LT_LIT("2026-11-24 24:00"), 480, &hour, &at));
    assert_int_equal(at, T0 - 8 * LT_HOUR_MS);
    assert_true(air_time_parse(LT_LIT("2026-11-25"), 480, &hour, &at));
    assert_false(hour);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(air_time_parse(lt_slice_of(bad[i]), 480, &hour, &at));
}

static void units_of_devices(void **state)
{
    enum air_item item;
    int32_t v;
    assert_true(air_feed_value("a21026", "hj212", 12000, &item, &v)); /* 0.012 mg/m³ */
    assert_int_equal(item, AIR_SO2);
    assert_int_equal(v, 120000);
    assert_true(air_feed_value("a21026", "ug", 12 * LT_FIX_ONE, &item, &v));
    assert_int_equal(v, 120000);
    assert_true(air_feed_value("a34004", "mg", 35000, &item, &v));
    assert_int_equal(v, 350000);
    assert_true(air_feed_value("a05024", "hj212", 64 * LT_FIX_ONE, &item, &v));
    assert_int_equal(v, 640000);
    assert_true(air_feed_value("a01006", "ug", 101325000, &item, &v)); /* kPa */
    assert_int_equal(v, 101325);
    assert_false(air_feed_value("a34013", "ug", 1, &item, &v));
    assert_false(air_feed_value("a34004", "ug", INT64_C(20000) * LT_FIX_ONE, &item, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_csv),
        cmocka_unit_test(gb18030_and_gzip),
        cmocka_unit_test(long_and_cross),
        cmocka_unit_test(national_xml),
        cmocka_unit_test(national_json),
        cmocka_unit_test(ozone_names_that_are_right),
        cmocka_unit_test(a_workbook),
        cmocka_unit_test(one_wrong_cell_keeps_all_out),
        cmocka_unit_test(two_columns_of_one_item_are_told),
        cmocka_unit_test(hours_of_their_own_column_are_whole),
        cmocka_unit_test(what_swells_is_refused),
        cmocka_unit_test(an_indented_xml_may_be_long),
        cmocka_unit_test(unknown_stations_are_asked_about),
        cmocka_unit_test(anothers_stations_do_not_exist),
        cmocka_unit_test(wrong_units_are_found),
        cmocka_unit_test(a_mapping_is_remembered),
        cmocka_unit_test(programs_push),
        cmocka_unit_test(times_of_many_forms),
        cmocka_unit_test(units_of_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
