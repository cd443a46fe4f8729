/* The model as a web page: everything inside, nothing fetched, black on white in print. */
#include "base/text.h"
#include "paper/paper_priv.h"

#include <stdio.h>

static const char style[] =
    "@page{size:A4;margin:15mm 16mm}@page wide{size:A4 landscape}"
    "body{font:15px/1.6 'Noto Sans CJK SC','Source Han Sans SC','Microsoft "
    "YaHei',sans-serif;color:#111;background:#fff;"
    "max-width:52rem;margin:1.5rem auto;padding:0 1rem;font-variant-numeric:tabular-nums}"
    "body.wide{max-width:76rem;page:wide}"
    ".org{color:#c00;font-size:1.7rem;text-align:center;letter-spacing:.2em;font-weight:700;font-family:'Noto Serif "
    "CJK "
    "SC',serif}"
    ".line{display:flex;justify-content:space-between;border-bottom:2px solid #c00;padding-bottom:.3rem}"
    "h1{font-size:1.45rem;text-align:center;margin:1rem 0;font-family:'Noto Serif CJK SC',serif}"
    "h2{font-size:1.05rem;margin:1.2rem 0 .4rem;break-after:avoid}p{margin:.4rem 0;text-align:justify}"
    ".note{font-size:.8rem;color:#444}"
    /* Boxes in whole rows: two of three, not five and a last one alone. */
    ".fig{display:grid;grid-template-columns:repeat(4,1fr);gap:.5rem;margin:.6rem "
    "0}.fig.n3{grid-template-columns:repeat(3,1fr)}"
    ".fig div{border:1px solid #999;padding:.4rem .6rem;break-inside:avoid}.fig b{font-size:1.45rem;display:block}"
    ".fig small,.fig span{font-size:.8rem;color:#333}"
    "div.t{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.85rem;margin:.4rem 0}"
    "caption{text-align:left;font-weight:700;padding:.2rem 0}"
    "th,td{border:1px solid #888;padding:.15rem .4rem}th{background:#eef1f5;font-weight:600}"
    "tr{break-inside:avoid}thead{display:table-header-group}"
    ".right{text-align:right}.center{text-align:center}.bad{font-weight:700}"
    "i.sw{display:inline-block;width:.8em;height:.8em;border:1px solid "
    "#5b6470;margin-right:.35em;vertical-align:-.05em;"
    "print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "svg{width:100%;height:auto;max-width:46rem;display:block;margin:.3rem 0}figure{margin:.6rem 0;break-inside:avoid}"
    "footer{border-top:1px solid #888;margin-top:1.2rem;padding-top:.3rem;font-size:.78rem;color:#333}"
    ".break{break-before:page}"
    /* On paper in the PDF's measures: what is one page there is one page here. */
    "@media print{body{font-size:9.5pt;line-height:1.45;margin:0;padding:0}.org{font-size:1.5rem}"
    "h1{margin:.5rem 0}.fig div{padding:.2rem .6rem}.fig b{font-size:1.25rem}p{margin:.3rem 0}th,td{padding:.08rem "
    ".4rem}"
    "footer{margin-top:.6rem}}"
    "@media screen and (max-width:600px){.fig,.fig.n3{grid-template-columns:1fr 1fr}td,th{white-space:nowrap}}";

static void esc(struct lt_buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '<')
            lt_buf_adds(out, "&lt;");
        else if (*s == '>')
            lt_buf_adds(out, "&gt;");
        else if (*s == '&')
            lt_buf_adds(out, "&amp;");
        else if (*s == '"')
            lt_buf_adds(out, "&quot;");
        else if (*s == '\n')
            lt_buf_adds(out, "<br>");
        else if ((unsigned char)*s >= ' ')
            lt_buf_addc(out, *s);
    }
}

static void element(struct lt_buf *out, const char *open, const char *text, const char *close)
{
    if (!text[0])
        return;
    lt_buf_adds(out, open);
    esc(out, text);
    lt_buf_adds(out, close);
}

static void marked(struct lt_buf *out, const char *text, const char *mark)
{
    unsigned level = paper_level(mark);
    if (level)
        lt_buf_addf(out, "<i class=sw style=\"background:#%06X\"></i>", paper_level_rgb(level));
    lt_buf_adds(out, paper_mark_sign(mark));
    esc(out, text);
}

static void figures(struct lt_buf *out, const json_t *b)
{
    const json_t *items = json_object_get(b, "items");
    lt_buf_adds(out, json_array_size(items) % 3 == 0 ? "<div class=\"fig n3\">" : "<div class=fig>");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *f = json_array_get(items, i);
        element(out, "<div><span>", paper_str(f, "label"), "</span><b>");
        if (!paper_str(f, "label")[0])
            lt_buf_adds(out, "<div><b>");
        marked(out, paper_str(f, "value"), paper_str(f, "mark"));
        element(out, " <small>", paper_str(f, "unit"), "</small>");
        lt_buf_adds(out, "</b>");
        element(out, "<span>", paper_str(f, "note"), "</span>");
        lt_buf_adds(out, "</div>");
    }
    lt_buf_adds(out, "</div>\n");
}

/* One or two rows of titles: neighbouring columns of one group share the upper cell. */
static void table_head(struct lt_buf *out, const json_t *cols)
{
    size_t n = json_array_size(cols);
    bool grouped = false;
    for (size_t i = 0; i < n; i++)
        grouped = grouped || paper_str(json_array_get(cols, i), "group")[0];
    lt_buf_adds(out, "<thead><tr>");
    for (size_t i = 0, span; i < n; i += span) {
        const char *group = paper_str(json_array_get(cols, i), "group");
        for (span = 1;
             group[0] && i + span < n && strcmp(paper_str(json_array_get(cols, i + span), "group"), group) == 0;)
            span++;
        if (group[0])
            lt_buf_addf(out, "<th scope=colgroup colspan=%zu>", span);
        else
            lt_buf_adds(out, grouped ? "<th scope=col rowspan=2>" : "<th scope=col>");
        esc(out, group[0] ? group : paper_str(json_array_get(cols, i), "title"));
        lt_buf_adds(out, "</th>");
    }
    lt_buf_adds(out, "</tr>");
    if (grouped) {
        lt_buf_adds(out, "<tr>");
        for (size_t i = 0; i < n; i++)
            if (paper_str(json_array_get(cols, i), "group")[0]) {
                lt_buf_adds(out, "<th scope=col>");
                esc(out, paper_str(json_array_get(cols, i), "title"));
                lt_buf_adds(out, "</th>");
            }
        lt_buf_adds(out, "</tr>");
    }
    lt_buf_adds(out, "</thead>");
}

static void table(struct lt_buf *out, const json_t *b)
{
    const json_t *cols = json_object_get(b, "cols"), *rows = json_object_get(b, "rows");
    lt_buf_adds(out, "<div class=t><table>");
    element(out, "<caption>", paper_str(b, "caption"), "</caption>");
    table_head(out, cols);
    lt_buf_adds(out, "<tbody>");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        lt_buf_adds(out, "<tr>");
        for (size_t i = 0; i < json_array_size(cols); i++) {
            const json_t *cell = json_array_get(json_array_get(rows, r), i);
            const char *align = paper_str(json_array_get(cols, i), "align"), *mark = paper_cell_mark(cell);
            bool right = strcmp(align, "right") == 0, centre = strcmp(align, "center") == 0;
            lt_buf_addf(out, "<td class=\"%s%s\">",
                        right    ? "right"
                        : centre ? "center"
                                 : "",
                        strcmp(mark, "bad") == 0 ? " bad" : "");
            marked(out, paper_cell_text(cell), mark);
            lt_buf_adds(out, "</td>");
        }
        lt_buf_adds(out, "</tr>");
    }
    lt_buf_adds(out, "</tbody></table></div>\n");
}

static void stroke(void *user, const struct paper_stroke *s)
{
    struct lt_buf *out = user;
    static const char *const anchor[] = {[PAPER_LEFT] = "start", [PAPER_RIGHT] = "end", [PAPER_CENTRE] = "middle"};
    switch (s->kind) {
    case PAPER_LINE:
        lt_buf_addf(out,
                    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#%06X\" stroke-width=\"%.1f\"%s/>",
                    s->x, s->y, s->x2, s->y2, s->rgb, s->width, s->dashed ? " stroke-dasharray=\"2 2\"" : "");
        break;
    case PAPER_RECT:
        lt_buf_addf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#%06X\"/>", s->x,
                    s->y < s->y2 ? s->y : s->y2, s->x2 - s->x, s->y < s->y2 ? s->y2 - s->y : s->y - s->y2, s->rgb);
        break;
    case PAPER_LABEL:
        lt_buf_addf(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"8\" text-anchor=\"%s\" fill=\"#%06X\">", s->x, s->y,
                    anchor[s->align], s->rgb);
        esc(out, s->text);
        lt_buf_adds(out, "</text>");
        break;
    }
}

static void chart(struct lt_buf *out, const json_t *b)
{
    lt_buf_adds(out, "<figure>");
    element(out, "<figcaption><b>", paper_str(b, "caption"), "</b></figcaption>");
    lt_buf_addf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", PAPER_CHART_W, PAPER_CHART_H);
    esc(out, paper_str(b, "caption"));
    lt_buf_adds(out, "\">");
    paper_chart_strokes(b, stroke, out);
    lt_buf_adds(out, "</svg></figure>\n");
}

static void block(struct lt_buf *out, const json_t *b)
{
    const char *t = paper_str(b, "t");
    if (strcmp(t, "heading") == 0)
        element(out, "<h2>", paper_str(b, "text"), "</h2>\n");
    else if (strcmp(t, "text") == 0)
        element(out, "<p>", paper_str(b, "text"), "</p>\n");
    else if (strcmp(t, "note") == 0)
        element(out, "<p class=note>", paper_str(b, "text"), "</p>\n");
    else if (strcmp(t, "page") == 0)
        lt_buf_adds(out, "<div class=break></div>\n");
    else if (strcmp(t, "figures") == 0)
        figures(out, b);
    else if (strcmp(t, "table") == 0)
        table(out, b);
    else
        chart(out, b);
}

enum lt_err paper_html(struct lt_slice model, struct lt_buf *out, struct lt_error *err)
{
    json_t *root = NULL;
    enum lt_err e = paper_load(model, &root, err);
    if (e != LT_OK)
        return e;
    lt_buf_addf(out,
                "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\"><title>",
                strcmp(paper_str(root, "lang"), "en") == 0 ? "en" : "zh-CN");
    esc(out, paper_str(root, "title"));
    lt_buf_addf(out, "</title><style>%s</style></head><body%s><main>", style,
                paper_flag(root, "landscape") ? " class=wide" : "");
    element(out, "<div class=org>", paper_str(root, "org"), "</div>");
    if (paper_str(root, "number")[0] || paper_str(root, "date")[0]) {
        lt_buf_adds(out, "<div class=line><span>");
        esc(out, paper_str(root, "number"));
        lt_buf_adds(out, "</span><span>");
        esc(out, paper_str(root, "date"));
        lt_buf_adds(out, "</span></div>");
    }
    element(out, "<h1>", paper_str(root, "title"), "</h1>\n");
    const json_t *blocks = json_object_get(root, "blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++)
        block(out, json_array_get(blocks, i));
    lt_buf_adds(out, "</main>");
    element(out, "<footer>", paper_str(root, "footer"), "</footer>");
    lt_buf_adds(out, "</body></html>\n");
    json_decref(root);
    return out->failed ? lt_fail_size(err, "HTML", out->limit) : LT_OK;
}
