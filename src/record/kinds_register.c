/* The city's register: territories, units, people, plants, outlets, devices, limits, declared states. */
#include "record/kinds.h"
#include "base/text.h"

static choices levels = {{"province", "Province", "省"},
                         {"city", "City", "市"},
                         {"county", "County", "区县"},
                         {"township", "Township", "乡镇街道"},
                         {0}};
static const struct record_field territory_fields[] = {
    {TEXT("code", R | U | L | Q | K, 12, "Division code", "行政区划代码"), FORM(adcode, "410100")},
    {TEXT("name", R | L | Q | N, 64, "Name", "名称")},
    {TEXT("name_en", L | Q, 128, "English name", "英文名称")},
    {REF("parent", L, "territory", "Within", "上级辖区")},
    {ENUM("level", R | L, levels, "Level", "级别")},
    {FIX("center_lon", 0, -180, 180, "Centre longitude", "中心经度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
    {FIX("center_lat", 0, -90, 90, "Centre latitude", "中心纬度"), .unit = "°", HINT("WGS-84", "WGS-84 坐标")},
};

CHECK(check_territory)
{
    static const char up[] = "SELECT coalesce(parent, 0) FROM territory WHERE id = ?1";
    if (record_ring(db, up, now->id, record_i64(now, "parent", 0)))
        record_wrong(f, LT_E_BAD_INPUT, "parent", "a territory cannot lie within itself / 辖区不能隶属于自身", NULL,
                     NULL);
}

const struct record_kind record_kind_territory = {.name = "territory",
                                                  .en = "Territories",
                                                  .zh = "辖区",
                                                  FIELDS(territory_fields),
                                                  .territory = "id",
                                                  .open_read = true,
                                                  .config = true,
                                                  .check = check_territory};

static choices unit_types = {{"city_office", "City office", "市级大气办"},
                             {"county_bureau", "County bureau", "区县分局"},
                             {"department", "Department", "市直部门"},
                             {"enterprise", "Enterprise", "企业"},
                             {"team", "Team", "执法队伍"},
                             {0}};
static const struct record_field unit_fields[] = {
    {TEXT("name", R | U | L | Q | N | K, 64, "Name", "单位名称")},
    {TEXT("name_en", L | Q, 128, "English name", "英文名称")},
    {ENUM("type", R | L, unit_types, "Type", "单位类型")},
    {REF("territory", L, "territory", "Territory", "所属辖区")},
};
const struct record_kind record_kind_unit = {.name = "unit",
                                             .en = "Units",
                                             .zh = "单位",
                                             FIELDS(unit_fields),
                                             .territory = "territory",
                                             .open_read = true,
                                             .config = true};

static const struct record_field person_fields[] = {
    {TEXT("name", R | L | Q | N | K, 64, "Name", "姓名")},
    {REF("unit", L | K, "unit", "Unit", "所在单位")},
    {TEXT("post", L | Q, 64, "Post", "职务")},
    {TEXT("phone", L | Q, 24, "Telephone", "电话"), FORM(phone, "+86 371 1234 5678")},
};
const struct record_kind record_kind_person = {
    .name = "person", .en = "People", .zh = "人员", FIELDS(person_fields), .territory = "unit.territory"};

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
static const struct record_field enterprise_fields[] = {
    {TEXT("code", R | U | L | Q | K, 18, "Credit code", "统一社会信用代码"), FORM(credit, "91410100MA44XXXX1X"),
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
const struct record_kind record_kind_enterprise = {.name = "enterprise",
                                                   .en = "Enterprises",
                                                   .zh = "企业",
                                                   FIELDS(enterprise_fields),
                                                   .territory = "territory",
                                                   .enterprise = "id",
                                                   .config = true};

static choices outlet_types = {{"main", "Main outlet", "主要排放口"}, {"general", "General outlet", "一般排放口"}, {0}};
static const struct record_field outlet_fields[] = {
    {TEXT("code", R | U | L | Q | K, 64, "Outlet code", "排放口编号"), FORM(code, "DA001")},
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
const struct record_kind record_kind_outlet = {.name = "outlet",
                                               .en = "Outlets",
                                               .zh = "排放口",
                                               FIELDS(outlet_fields),
                                               .territory = "enterprise.territory",
                                               .enterprise = "enterprise",
                                               .config = true};

static choices device_status = {
    {"pending", "Pending", "待登记"}, {"active", "Active", "启用"}, {"disabled", "Disabled", "停用"}, {0}};
static choices device_upload = {
    {"keep", "Leave as it is", "保持不变"}, {"on", "Switch on", "开启"}, {"off", "Switch off", "关闭"}, {0}};
static const struct record_field device_fields[] = {
    {TEXT("mn", R | U | L | Q | N | K, 64, "MN", "设备唯一标识 MN"), FORM(printable, "88888880000001")},
    {TEXT("name", L | Q, 128, "Name", "设备名称")},
    {REF("outlet", L, "outlet", "Outlet", "所属排放口")},
    {INT("st", 0, 1, 99, "System type ST", "系统编码 ST"), .dflt = "31"},
    {TEXT("pw", SE, 24, "Access password", "访问密码"), FORM(printable, "123456")},
    {ENUM("status", R | L, device_status, "Status", "状态"), .dflt = "pending"},
    {TEXT("allow", 0, 400, "Allowed addresses", "允许的地址"), FORM(allow, "10.1.0.0/16, 192.168.1.5"),
     HINT("empty: from anywhere", "留空表示不限制")},
    {TEXT("tolerate", 0, 400, "Tolerated deviations", "容忍的偏差"), FORM(tolerate, "no_crlf, lower_crc")},
    {TEXT("sm4_key", SE, 32, "SM4 key", "SM4 密钥"), FORM(hex128, "32 hex")},
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

CHECK(check_device)
{
    int64_t st = record_i64(now, "st", 0);
    bool air = st == 21 || st == 22; /* an air station's device stands at no outlet: its station names the MN */
    if (!air && lt_slice_is(record_text(now, "status"), "active") && record_value(now, "outlet")->null)
        record_missing(f, "outlet");
}

const struct record_kind record_kind_device = {.name = "device",
                                               .en = "Devices",
                                               .zh = "监测设备",
                                               FIELDS(device_fields),
                                               .territory = "outlet.enterprise.territory",
                                               .enterprise = "outlet.enterprise",
                                               .config = true,
                                               .check = check_device};

static choices periods = {{"hour", "Hour", "小时"}, {"day", "Day", "日"}, {0}};
static choices bases = {{"converted", "Converted", "折算浓度"}, {"measured", "Measured", "实测浓度"}, {0}};
static const struct record_field limit_fields[] = {
    {REF("outlet", R | L | K, "outlet", "Outlet", "排放口")},
    {TEXT("factor", R | L | Q | K, 16, "Factor", "污染物编码"), FORM(factor, "a21026")},
    {ENUM("period", R | L | K, periods, "Period", "时段"), .dflt = "hour"},
    {ENUM("basis", R | L, bases, "Basis", "浓度类型"), .dflt = "converted"},
    {FIX("limit_value", R | L, 0, 1000000, "Limit", "限值"), .unit = "mg/m³"},
    {TEXT("standard", L | Q, 64, "Standard", "执行标准")},
    {DATE("valid_from", R | L | K, "Valid from", "生效日期")},
    {DATE("valid_to", L, "Valid to", "失效日期"),
     HINT("the first day on which it no longer holds", "自该日起不再适用")},
};

CHECK(check_validity)
{
    record_in_order(now, "valid_from", "valid_to", false, f);
}

const struct record_kind record_kind_factor_limit = {.name = "factor_limit",
                                                     .en = "Emission limits",
                                                     .zh = "排放限值",
                                                     FIELDS(limit_fields),
                                                     .territory = "outlet.enterprise.territory",
                                                     .enterprise = "outlet.enterprise",
                                                     .config = true,
                                                     .check = check_validity};

static choices states = {{"startup", "Start-up", "启炉"},
                         {"shutdown", "Shutdown", "停炉"},
                         {"maintenance", "Maintenance", "检修维护"},
                         {"fault", "Fault", "故障"},
                         {"stopped", "Stopped", "停运"},
                         {"other", "Other", "其他"},
                         {0}};
static const struct record_field state_fields[] = {
    {REF("outlet", R | L, "outlet", "Outlet", "排放口")}, {ENUM("state", R | L, states, "State", "工况")},
    {TIME("begin_at", R | L, "Begins", "开始时间")},      {TIME("end_at", L, "Ends", "结束时间")},
    {TEXT("reason", L | Q, 500, "Reason", "原因说明")},   {TEXT("declared_by", RO | L, 128, "Declared by", "申报人")},
};

CHECK(check_state)
{
    record_in_order(now, "begin_at", "end_at", false, f);
}

const struct record_kind record_kind_process_state = {.name = "process_state",
                                                      .en = "Process states",
                                                      .zh = "工况申报",
                                                      FIELDS(state_fields),
                                                      .territory = "outlet.enterprise.territory",
                                                      .enterprise = "outlet.enterprise",
                                                      .author = "declared_by",
                                                      .config = true,
                                                      .check = check_state};
