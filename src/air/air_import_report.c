/* The report of an import: findings, errors, JSON and text. */
#include "air/air_import_priv.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- findings and errors ---- */

struct air_finding *air_import_finding(struct air_import_report *r, const char *code, enum air_finding_level level,
                                       const char *item, uint64_t count)
{
    static struct air_finding lost; /* beyond the limit; written, never read */
    struct air_finding *f = r->n_findings < AIR_FINDINGS_MAX ? &r->finding[r->n_findings++] : &lost;
    *f = (struct air_finding){.level = level, .count = count};
    lt_text_copy(f->code, sizeof f->code, code);
    lt_text_copy(f->item, sizeof f->item, item);
    return f;
}

void air_import_say(struct air_finding *f, const char *zh, const char *en)
{
    lt_text_copy(f->zh, sizeof f->zh, zh);
    lt_text_copy(f->en, sizeof f->en, en);
}

void air_import_cell_error(struct importer *m, unsigned row, const char *column, struct lt_slice cell, const char *zh,
                           const char *en)
{
    struct air_import_report *r = m->r;
    if (m->putting)
        return;
    if (r->n_errors < AIR_ERRORS_MAX) {
        struct air_import_error *c = &r->error[r->n_errors];
        *c = (struct air_import_error){.row = row, .zh = zh, .en = en};
        lt_text_copy(c->column, sizeof c->column, column);
        lt_text_copy_slice(c->cell, sizeof c->cell, cell);
    }
    r->n_errors++;
}

const char *air_import_title(const struct importer *m, unsigned column)
{
    return column < m->r->n_columns ? m->r->titles.p + m->r->title_at[column] : "";
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

bool air_import_refused(const struct air_import_report *r)
{
    bool wrong = r->n_errors > 0 || (r->n_unknown > 0 && !r->skip_unknown && !r->creates) || r->rows == 0;
    for (unsigned i = 0; i < r->n_findings; i++)
        wrong |= r->finding[i].level == AIR_WRONG && !r->finding[i].accepted;
    return wrong;
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

static const char *const shape_names[] = {"wide", "long", "cross", "national"};

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
        const struct air_import_error *c = &r->error[i];
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
