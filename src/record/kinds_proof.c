/* What can be proved later: evidence, holds, replays, random draws. */
#include "record/kinds.h"

static choices evidence_types = {{"alarm", "Sealed at the alarm", "告警封存"},
                                 {"photo", "Photograph", "照片"},
                                 {"video", "Video", "视频"},
                                 {"inspection", "Inspection record", "检查笔录"},
                                 {"handover", "Hand-over", "移交"},
                                 {"document", "Document", "文书"},
                                 {0}};
static choices evidence_states = {{"sealed", "Sealed", "已封存"}, {"removed", "Removed", "已清除"}, {0}};
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
const struct record_kind record_kind_evidence = {
    .name = "evidence",
    .en = "Evidence",
    .zh = "证据包",
    FIELDS(evidence_fields),
    .territory = "territory",
    .enterprise = "enterprise",
    .readonly = true,
    .index = "CREATE INDEX IF NOT EXISTS evidence_sealed ON evidence(sealed_at_ms);"};

static choices hold_objects = {
    {"device", "Device", "设备"}, {"outlet", "Outlet", "排放口"}, {"enterprise", "Enterprise", "企业"},
    {"alarm", "Alarm", "告警"},   {"days", "Days", "日期"},       {0}};
static const struct record_field hold_fields[] = {
    {ENUM("object_kind", R | L | CR, hold_objects, "What is held", "保全对象")},
    {INT("object_id", L | CR, 0, INT64_C(1) << 53, "Object", "对象编号"), .dflt = "0"},
    {DATE("day_from", L, "From day", "起始日期")},
    {DATE("day_to", L, "To day", "截止日期"), HINT("this day included", "含当日")},
    {TEXT("reason", R | L | Q | N, 500, "Reason", "保全原因")},
    {TIME("until_at", L, "Until", "保全期限"), HINT("empty: until it is lifted", "留空表示直至解除")},
    {TEXT("author", RO | L, 128, "Author", "设置人")},
};

/* A hold says what it holds: an object by number, or days. */
CHECK(check_hold)
{
    bool days = lt_slice_is(record_text(now, "object_kind"), "days");
    if (days && record_value(now, "day_from")->null)
        record_missing(f, "day_from");
    if (!days && record_i64(now, "object_id", 0) <= 0)
        record_missing(f, "object_id");
    record_in_order(now, "day_from", "day_to", true, f);
}

const struct record_kind record_kind_legal_hold = {.name = "legal_hold",
                                                   .en = "Legal holds",
                                                   .zh = "证据保全",
                                                   FIELDS(hold_fields),
                                                   .object = true,
                                                   .author = "author",
                                                   .check = check_hold};

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
const struct record_kind record_kind_replay = {.name = "replay",
                                               .en = "Replays",
                                               .zh = "历史重演",
                                               FIELDS(replay_fields),
                                               .territory =
                                                   "territory", /* empty, the whole city: for those who have it */
                                               .readonly = true,
                                               .index = "CREATE INDEX IF NOT EXISTS replay_state ON replay(state);"};

static choices draw_states = {{"committed", "Committed", "已承诺"},
                              {"revealed", "Revealed", "已揭晓"},
                              {"cancelled", "Cancelled", "已作废"},
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
const struct record_kind record_kind_draw = {.name = "draw",
                                             .en = "Random draws",
                                             .zh = "双随机抽查",
                                             FIELDS(draw_fields),
                                             .territory = "territory",
                                             .readonly = true};

static choices draw_classes = {{"risk", "Risk", "风险等级"}, {"credit", "Credit", "信用（绩效）等级"}, {0}};
static const struct record_field draw_weight_fields[] = {
    {ENUM("class", R | L | K, draw_classes, "Class", "类别")},
    {TEXT("value", R | L | K | N, 32, "Value", "等级"),
     HINT("risk: high, medium, low; credit: A, B, C, D, none", "风险：high、medium、low；信用：A、B、C、D、none")},
    {INT("weight", R | L, 1, 1000, "Weight", "权重")},
};
const struct record_kind record_kind_draw_weight = {
    .name = "draw_weight", .en = "Weights of draws", .zh = "抽查权重", FIELDS(draw_weight_fields)};

static choices draw_whys = {{"former_employer", "Former employer", "曾任职"},
                            {"relative", "Relatives", "亲属关系"},
                            {"interest", "Interest", "利益关系"},
                            {"other", "Other", "其他"},
                            {0}};
static const struct record_field draw_conflict_fields[] = {
    {REF("person", R | L | K, "person", "Inspector", "检查人员")},
    {REF("enterprise", R | L | K, "enterprise", "Enterprise", "企业")},
    {ENUM("why", R | L, draw_whys, "Why", "回避原因"), .dflt = "other"},
    {TEXT("note", Q, 500, "Note", "备注")},
};
const struct record_kind record_kind_draw_conflict = {.name = "draw_conflict",
                                                      .en = "Conflicts of interest",
                                                      .zh = "回避关系",
                                                      FIELDS(draw_conflict_fields),
                                                      .territory = "enterprise.territory"};
