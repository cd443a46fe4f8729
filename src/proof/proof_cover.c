/* The cover of a package, for people: what, where, when, how much, and how to check it; in Chinese and English. */
#include "alarm/alarm.h"
#include "base/text.h"
#include "base/clock.h"
#include "hj212/hj212.h"
#include "paper/paper.h"
#include "proof/proof_gather.h"

#include <stdio.h>

#define CHART_HOURS 24

static void row(struct paper *p, const char *label, const char *value)
{
    const struct paper_cell cells[2] = {{label, NULL}, {value && value[0] ? value : "—", NULL}};
    paper_row(p, cells, 2);
}

static void time_text(int64_t at_ms, int tz_min, char ret[40])
{
    ret[0] = '\0';
    if (at_ms > 0)
        lt_time_format_iso(at_ms, tz_min, ret);
}

static void number_text(int64_t v, char ret[32])
{
    ret[0] = '\0';
    if (v != LT_FIX_NONE)
        lt_fix_format_short(v, ret);
}

static void figures(struct paper *p, const struct gathered *g)
{
    char value[32], limit[32], times[32] = "";
    const struct hj212_factor *f = g->factor[0] ? hj212_factor_find(lt_slice_of(g->factor)) : NULL;
    int64_t ratio = 0;
    if (g->value == LT_FIX_NONE)
        return;
    number_text(g->value, value);
    number_text(g->limit_value, limit);
    if (g->limit_value != LT_FIX_NONE && g->limit_value > 0 && lt_fix_div(g->value, g->limit_value, &ratio))
        lt_fix_format(ratio, 2, times);
    const struct paper_figure list[3] = {
        {.label = f ? f->name_zh : "数值",
         .value = value,
         .unit = f ? f->unit : NULL,
         .note = f ? f->name_en : "value",
         .mark = "bad"},
        {.label = "限值", .value = limit[0] ? limit : "—", .unit = f ? f->unit : NULL, .note = "limit"},
        {.label = "为限值的倍数", .value = times[0] ? times : "—", .note = "times the limit"}};
    paper_figures(p, list, 3);
}

static void facts(struct paper *p, const struct gathered *g, const struct proof_head *h)
{
    static const struct paper_col cols[2] = {{.title = "项目 Item"}, {.title = "内容 Content"}};
    char text[400], a[40], b[40], hex[2 * CHAIN_HASH + 1];
    int rule = alarm_rule_find(lt_slice_of(g->rule));
    paper_table(p, "基本情况 Facts", cols, 2);
    row(p, "证据包编号 Package", h->name);
    snprintf(text, sizeof text, "%s / %s (%s, v%lld)",
             rule >= 0 ? alarm_rule_name((enum alarm_rule)rule, LT_ZH) : g->rule,
             rule >= 0 ? alarm_rule_name((enum alarm_rule)rule, LT_EN) : "", g->rule, (long long)g->rule_version);
    row(p, "规则 Rule", text);
    row(p, "企业 Enterprise", g->enterprise_name);
    row(p, "排放口 Outlet", g->outlet_name);
    row(p, "监测设备 Device (MN)", g->mn);
    row(p, "辖区 Territory", g->territory_name);
    time_text(g->first_at_ms, h->tz_min, a);
    row(p, "首次发现 First seen", a);
    if (g->period_ms > 0) {
        time_text(g->period_at_ms, h->tz_min, a);
        time_text(g->period_at_ms + g->period_ms, h->tz_min, b);
        snprintf(text, sizeof text, "%s — %s", a, b);
        row(p, "时段 Period", text);
    }
    time_text(h->sealed_at_ms, h->tz_min, a);
    row(p, "封存时间 Sealed at", a);
    time_text(h->from_ms, h->tz_min, a);
    time_text(h->to_ms, h->tz_min, b);
    snprintf(text, sizeof text, "%s — %s", a, b);
    row(p, "原始报文范围 Raw frames", text);
    lt_text_hex(h->journal_hash, CHAIN_HASH, hex);
    snprintf(text, sizeof text, "%llu · %s", (unsigned long long)h->journal_seq, hex);
    row(p, "数据链位置 Place in the chain", text);
    paper_table_end(p);
}

static void chart(struct paper *p, const struct proof_sources *s, const struct gathered *g)
{
    int64_t value[CHART_HOURS], from = lt_hour_start(g->to_ms, s->tz_min) - (CHART_HOURS - 1) * LT_HOUR_MS;
    char text[CHART_HOURS][8];
    const char *label[CHART_HOURS];
    bool any = false;
    gather_hours(s, g->device, g->factor, from, CHART_HOURS, value);
    for (int i = 0; i < CHART_HOURS; i++) {
        snprintf(text[i], sizeof text[i], "%02d", lt_civil_of(from + i * LT_HOUR_MS, s->tz_min).hour);
        label[i] = text[i];
        any = any || value[i] != LT_FIX_NONE;
    }
    if (!any)
        return;
    const struct hj212_factor *f = hj212_factor_find(lt_slice_of(g->factor));
    const struct paper_series series = {.name = f ? f->name_zh : g->factor, .value = value};
    const struct paper_chart c = {.caption = "近 24 小时小时值 Hour values of the last 24 hours",
                                  .unit = f && f->unit ? f->unit : "",
                                  .label = label,
                                  .n = CHART_HOURS,
                                  .series = &series,
                                  .n_series = 1,
                                  .limit = g->limit_value,
                                  .limit_label = "限值 limit",
                                  .decimals = 2};
    paper_chart(p, &c);
}

static void contents(struct paper *p, const struct proof_head *h, const struct proof_pack *pack)
{
    static const struct paper_col cols[2] = {{.title = "文件 Entry"},
                                             {.title = "字节 Bytes", .align = PAPER_RIGHT, .number = true}};
    paper_table(p, "包内文件 Contents", cols, 2);
    for (size_t i = 0; i < pack->n; i++) {
        char n[24];
        snprintf(n, sizeof n, "%zu", pack->e[i].data.n);
        row(p, pack->e[i].name, n);
    }
    paper_table_end(p);
    for (size_t i = 0; i < h->n_left_out; i++) {
        char text[200];
        snprintf(text, sizeof text, "未收入 Left out: %s × %llu (%s)", h->left_out[i].what,
                 (unsigned long long)h->left_out[i].n, h->left_out[i].why);
        paper_note(p, text);
    }
}

static void write_paper(struct paper *p, const struct proof_sources *s, const struct gathered *g,
                        const struct proof_head *h, const struct proof_pack *pack)
{
    char date[40], text[600];
    time_text(h->sealed_at_ms, h->tz_min, date);
    snprintf(text, sizeof text, "%s %s", s->city_zh ? s->city_zh : "", s->city_en ? s->city_en : "");
    const struct paper_head head = {.lang = LT_ZH,
                                    .org = text,
                                    .number = h->name,
                                    .title = "在线监测证据包 · Evidence package",
                                    .date = date,
                                    .footer = h->name};
    paper_begin(p, &head);
    for (int lang = LT_ZH; lang <= LT_EN; lang++)
        paper_text(p, g->text[lang].failed ? "" : g->text[lang].p);
    figures(p, g);
    facts(p, g, h);
    chart(p, s, g);
    contents(p, h, pack);
    paper_heading(p, "如何核验 How to check");
    paper_text(
        p, "本包由系统在告警产生时自动封存，未经人手。离线核验：lantian verify 文件名；格式见 docs/FORMATS-proof.md，"
           "任何人可据此另写核验程序。两种签名（SM2 与 Ed25519）覆盖全部内容，任一字节改动均可发现并定位。");
    paper_text(
        p,
        "Sealed by the post itself when the alarm fired, without a person. Check it offline: lantian verify FILE; the "
        "format is drawn in docs/FORMATS-proof.md, so that anybody can write a checker of his own. Two signatures "
        "(SM2 and Ed25519) cover everything; any altered byte is found and named.");
    snprintf(text, sizeof text, "key %s", proof_keys_public(s->keys)->id);
    paper_note(p, text);
}

void gather_warm_up(void)
{
    const struct paper_head head = {.lang = LT_ZH, .org = "蓝天", .title = "证据包 Evidence", .date = "2026-01-01"};
    struct lt_buf out = LT_BUF_INIT(4u << 20);
    struct paper p;
    struct lt_error err;
    paper_begin(&p, &head);
    paper_heading(&p, "题 Heading");
    paper_text(&p, "文 Text");
    if (paper_end(&p, &err) != LT_OK || paper_pdf_outlines(lt_buf_slice(&p.json), &out, &err) != LT_OK)
        lt_buf_clear(&out); /* the first package then says that its cover could not be drawn */
    paper_fini(&p);
    lt_buf_fini(&out);
}

enum lt_err gather_put_cover(const struct proof_sources *s, struct gathered *g, const struct proof_head *h,
                             struct proof_pack *pack, struct lt_error *err)
{
    struct paper p;
    for (int i = 0; i < 2; i++) { /* papers want C strings: a zero behind the text, not part of it */
        lt_buf_addc(&g->text[i], '\0');
        g->text[i].n -= g->text[i].failed ? 0 : 1;
    }
    write_paper(&p, s, g, h, pack);
    enum lt_err e = paper_end(&p, err);
    const struct lt_slice model = lt_buf_slice(&p.json);
    if (e == LT_OK)
        e = paper_html(model, proof_pack_entry(pack, "cover.html"), err);
    if (e == LT_OK)
        e = paper_pdf_outlines(model, proof_pack_entry(pack, "cover.pdf"), err);
    paper_fini(&p);
    return e;
}
