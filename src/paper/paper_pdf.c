/* The model as a PDF on A4 through cairo and pango: blocks flow down the page, tables break between rows and repeat
 * their head. Texts are kept as text (selectable, searchable). */
#include "base/clock.h"
#include "base/text.h"
#include "paper/paper_priv.h"
#include "paper/paper_shapes.h"

#include <fontconfig/fontconfig.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <cairo-pdf.h>

#define SHORT_SIDE 595.28 /* A4 in points */
#define LONG_SIDE  841.89
#define MARGIN     51.0
#define FOOT       34.0 /* height kept for footer and page number */
#define PAD        3.0  /* inside table cells */
#define SANS       "Noto Sans CJK SC, Source Han Sans SC, WenQuanYi Zen Hei, sans-serif"
#define SERIF      "Noto Serif CJK SC, Source Han Serif SC, Noto Sans CJK SC, serif"

struct page {
    cairo_t *cr;
    PangoLayout *layout;
    const json_t *root;
    double width, height, y;
    unsigned number;
    bool used;                   /* something stands on the page */
    struct paper_shapes *shapes; /* letters as shapes: no fonts inside, cr only measures; NULL: cairo draws */
};

static void ink(struct page *p, uint32_t rgb)
{
    if (p->shapes) {
        paper_shapes_ink(p->shapes, rgb);
        return;
    }
    cairo_set_source_rgb(p->cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0);
}

/* Sets the layout to text and style; returns its height. width <= 0: one line. */
static double lay(struct page *p, const char *text, const char *family, double size, bool bold, double width,
                  PangoAlignment align)
{
    PangoFontDescription *f = pango_font_description_new();
    pango_font_description_set_family(f, family);
    pango_font_description_set_absolute_size(f, size * PANGO_SCALE);
    pango_font_description_set_weight(f, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(p->layout, f);
    pango_font_description_free(f);
    pango_layout_set_width(p->layout, width > 0 ? (int)(width * PANGO_SCALE) : -1);
    pango_layout_set_wrap(p->layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_alignment(p->layout, align);
    pango_layout_set_text(p->layout, text, -1);
    int w, h;
    pango_layout_get_size(p->layout, &w, &h);
    return (double)h / PANGO_SCALE;
}

static double laid_width(struct page *p)
{
    int w, h;
    pango_layout_get_size(p->layout, &w, &h);
    return (double)w / PANGO_SCALE;
}

static void show(struct page *p, double x, double y, uint32_t rgb)
{
    ink(p, rgb);
    if (!p->shapes) {
        cairo_move_to(p->cr, x, y);
        pango_cairo_show_layout(p->cr, p->layout);
        return;
    }
    PangoLayoutIter *i = pango_layout_get_iter(p->layout);
    do {
        PangoRectangle at;
        pango_layout_iter_get_line_extents(i, NULL, &at);
        paper_shapes_line_of_text(p->shapes, pango_layout_iter_get_line_readonly(i), x + (double)at.x / PANGO_SCALE,
                                  y + (double)pango_layout_iter_get_baseline(i) / PANGO_SCALE);
    } while (pango_layout_iter_next_line(i));
    pango_layout_iter_free(i);
}

static void filled(struct page *p, double x, double y, double w, double h, uint32_t rgb)
{
    ink(p, rgb);
    if (p->shapes) {
        paper_shapes_rect(p->shapes, x, y, w, h, true);
        return;
    }
    cairo_rectangle(p->cr, x, y, w, h);
    cairo_fill(p->cr);
}

static void frame(struct page *p, double x, double y, double w, double h, uint32_t rgb)
{
    ink(p, rgb);
    if (p->shapes) {
        paper_shapes_rect(p->shapes, x, y, w, h, false);
        return;
    }
    cairo_set_line_width(p->cr, 0.5);
    cairo_rectangle(p->cr, x, y, w, h);
    cairo_stroke(p->cr);
}

static void line(struct page *p, double x, double y, double x2, double y2, double width, bool dashed, uint32_t rgb)
{
    const double dash[] = {2, 2};
    ink(p, rgb);
    if (p->shapes) {
        paper_shapes_line(p->shapes, x, y, x2, y2, width, dashed);
        return;
    }
    cairo_set_dash(p->cr, dash, dashed ? 2 : 0, 0);
    cairo_set_line_width(p->cr, width);
    cairo_move_to(p->cr, x, y);
    cairo_line_to(p->cr, x2, y2);
    cairo_stroke(p->cr);
}

/* What does not fit into its cell is cut off. */
static void show_within(struct page *p, double x, double y, uint32_t rgb, double bx, double by, double w, double h)
{
    if (p->shapes) {
        paper_shapes_clip(p->shapes, bx, by, w, h);
        show(p, x, y, rgb);
        paper_shapes_unclip(p->shapes);
        return;
    }
    cairo_save(p->cr);
    cairo_rectangle(p->cr, bx, by, w, h);
    cairo_clip(p->cr);
    show(p, x, y, rgb);
    cairo_restore(p->cr);
}

static double bottom(const struct page *p)
{
    return p->height - MARGIN - FOOT;
}

static double inner(const struct page *p)
{
    return p->width - 2 * MARGIN;
}

static void finish_page(struct page *p)
{
    char z[32];
    double y = p->height - MARGIN - FOOT + 8;
    line(p, MARGIN, y, p->width - MARGIN, y, 0.5, false, 0x888888);
    lay(p, paper_str(p->root, "footer"), SANS, 7.5, false, inner(p) - 50, PANGO_ALIGN_LEFT);
    pango_layout_set_height(p->layout, -3); /* three lines; more is cut with an ellipsis */
    pango_layout_set_ellipsize(p->layout, PANGO_ELLIPSIZE_END);
    show(p, MARGIN, y + 3, 0x333333);
    pango_layout_set_height(p->layout, -1);
    pango_layout_set_ellipsize(p->layout, PANGO_ELLIPSIZE_NONE);
    snprintf(z, sizeof z, "— %u —", p->number);
    lay(p, z, SANS, 8, false, 46, PANGO_ALIGN_RIGHT);
    show(p, p->width - MARGIN - 46, y + 3, 0x333333);
    if (p->shapes)
        paper_shapes_page(p->shapes);
    else
        cairo_show_page(p->cr);
    p->number++;
    p->y = MARGIN;
    p->used = false;
}

/* Room of `need` on this page, else the next one begins. */
static void want(struct page *p, double need)
{
    if (p->used && p->y + need > bottom(p))
        finish_page(p);
}

/* A paragraph that may be longer than a page: drawn line by line. */
static void paragraph(struct page *p, const char *text, const char *family, double size, bool bold,
                      PangoAlignment align, uint32_t rgb, double after)
{
    if (!text[0])
        return;
    lay(p, text, family, size, bold, inner(p), align);
    PangoLayout *mine = pango_layout_copy(p->layout);
    PangoLayoutIter *i = pango_layout_get_iter(mine);
    do {
        PangoRectangle at;
        pango_layout_iter_get_line_extents(i, NULL, &at);
        double h = (double)at.height / PANGO_SCALE;
        want(p, h);
        ink(p, rgb);
        double x = MARGIN + (double)at.x / PANGO_SCALE;
        double base = p->y + (double)(pango_layout_iter_get_baseline(i) - at.y) / PANGO_SCALE;
        if (p->shapes) {
            paper_shapes_line_of_text(p->shapes, pango_layout_iter_get_line_readonly(i), x, base);
        } else {
            cairo_move_to(p->cr, x, base);
            pango_cairo_show_layout_line(p->cr, pango_layout_iter_get_line_readonly(i));
        }
        p->y += h;
        p->used = true;
    } while (pango_layout_iter_next_line(i));
    pango_layout_iter_free(i);
    g_object_unref(mine);
    p->y += after;
}

static void swatch(struct page *p, double x, double y, unsigned level)
{
    filled(p, x, y, 7, 7, paper_level_rgb(level));
    frame(p, x, y, 7, 7, 0x5B6470);
}

/* ---- key figures ---- */

static void one_figure(struct page *p, const json_t *f, double x, double w, double h)
{
    char z[PAPER_TEXT_MAX + 16];
    frame(p, x, p->y, w, h, 0x999999);
    double y = p->y + 4;
    y += lay(p, paper_str(f, "label"), SANS, 8, false, w - 10, PANGO_ALIGN_LEFT);
    show(p, x + 5, p->y + 4, 0x333333);
    unsigned level = paper_level(paper_str(f, "mark"));
    if (level)
        swatch(p, x + 5, y + 7, level);
    snprintf(z, sizeof z, "%s%s", paper_mark_sign(paper_str(f, "mark")), paper_str(f, "value"));
    double big = lay(p, z, SANS, 16, true, 0, PANGO_ALIGN_LEFT), wide = laid_width(p);
    show(p, x + 5 + (level ? 11 : 0), y, 0x111111);
    lay(p, paper_str(f, "unit"), SANS, 8, false, 0, PANGO_ALIGN_LEFT);
    show(p, x + 9 + (level ? 11 : 0) + wide, y + big - 15, 0x333333);
    lay(p, paper_str(f, "note"), SANS, 8, false, w - 10, PANGO_ALIGN_LEFT);
    show(p, x + 5, y + big, 0x333333);
}

static void figures(struct page *p, const json_t *b)
{
    const json_t *items = json_object_get(b, "items");
    size_t n = json_array_size(items), per_row = p->width > p->height ? 6 : n % 3 == 0 ? 3 : 4;
    double gap = 6, w = (inner(p) - gap * (double)(per_row - 1)) / (double)per_row;
    for (size_t i = 0; i < n; i += per_row) {
        double h = 0;
        for (size_t k = i; k < n && k < i + per_row; k++) {
            const json_t *f = json_array_get(items, k);
            double mine = 8 + lay(p, paper_str(f, "label"), SANS, 8, false, w - 10, PANGO_ALIGN_LEFT);
            mine += lay(p, "8", SANS, 16, true, 0, PANGO_ALIGN_LEFT);
            if (paper_str(f, "note")[0])
                mine += lay(p, paper_str(f, "note"), SANS, 8, false, w - 10, PANGO_ALIGN_LEFT);
            h = fmax(h, mine);
        }
        want(p, h + gap);
        for (size_t k = i; k < n && k < i + per_row; k++)
            one_figure(p, json_array_get(items, k), MARGIN + (double)(k - i) * (w + gap), w, h);
        p->y += h + gap;
        p->used = true;
    }
    p->y += 2;
}

/* ---- tables ---- */

struct grid {
    const json_t *cols, *rows;
    size_t n;
    double width[PAPER_COLS_MAX], size;
    bool grouped;
};

static const char *cell_text(const json_t *cell, char z[PAPER_TEXT_MAX + 16])
{
    snprintf(z, PAPER_TEXT_MAX + 16, "%s%s", paper_mark_sign(paper_cell_mark(cell)), paper_cell_text(cell));
    return z;
}

/* Natural widths, at least those of the titles' longest word, shared out over the page. */
static void measure(struct page *p, struct grid *g)
{
    char z[PAPER_TEXT_MAX + 16];
    double sum = 0;
    for (size_t c = 0; c < g->n; c++) {
        double title =
            (lay(p, paper_str(json_array_get(g->cols, c), "title"), SANS, g->size, true, 0, PANGO_ALIGN_LEFT),
             laid_width(p));
        double w = fmin(title, 60);
        for (size_t r = 0; r < json_array_size(g->rows) && r < 300; r++) {
            const json_t *cell = json_array_get(json_array_get(g->rows, r), c);
            lay(p, cell_text(cell, z), SANS, g->size, strcmp(paper_cell_mark(cell), "bad") == 0, 0, PANGO_ALIGN_LEFT);
            w = fmax(w, fmin(laid_width(p) + (paper_level(paper_cell_mark(cell)) ? 10 : 0), 220));
        }
        g->width[c] = fmax(w, 14) + 2 * PAD + 2;
        sum += g->width[c];
    }
    for (size_t c = 0; c < g->n; c++)
        g->width[c] *= inner(p) / sum;
}

static PangoAlignment align_of(const json_t *col)
{
    const char *a = paper_str(col, "align");
    return strcmp(a, "right") == 0    ? PANGO_ALIGN_RIGHT
           : strcmp(a, "center") == 0 ? PANGO_ALIGN_CENTER
                                      : PANGO_ALIGN_LEFT;
}

static void box(struct page *p, double x, double y, double w, double h, uint32_t fill)
{
    filled(p, x, y, w, h, fill);
    frame(p, x, y, w, h, 0x888888);
}

static void title_cell(struct page *p, const char *text, double size, double x, double y, double w, double h)
{
    box(p, x, y, w, h, 0xEEF1F5);
    double mine = lay(p, text, SANS, size, true, w - 2 * PAD, PANGO_ALIGN_CENTER);
    show(p, x + PAD, y + (h - mine) / 2, 0x111111);
}

static double head_height(struct page *p, const struct grid *g, double *ret_upper)
{
    double lower = 0, upper = 0;
    for (size_t c = 0; c < g->n; c++) {
        const json_t *col = json_array_get(g->cols, c);
        lower = fmax(lower,
                     lay(p, paper_str(col, "title"), SANS, g->size, true, g->width[c] - 2 * PAD, PANGO_ALIGN_CENTER));
        if (paper_str(col, "group")[0])
            upper = fmax(upper, lay(p, "国", SANS, g->size, true, 0, PANGO_ALIGN_CENTER) + 2 * PAD);
    }
    *ret_upper = upper;
    return lower + 2 * PAD + upper;
}

static void table_head(struct page *p, const struct grid *g)
{
    double upper, h = head_height(p, g, &upper), x = MARGIN;
    for (size_t c = 0; c < g->n;) {
        const json_t *col = json_array_get(g->cols, c);
        const char *group = paper_str(col, "group");
        if (!group[0]) {
            title_cell(p, paper_str(col, "title"), g->size, x, p->y, g->width[c], h);
            x += g->width[c++];
            continue;
        }
        double from = x;
        for (; c < g->n && strcmp(paper_str(json_array_get(g->cols, c), "group"), group) == 0; c++) {
            title_cell(p, paper_str(json_array_get(g->cols, c), "title"), g->size, x, p->y + upper, g->width[c],
                       h - upper);
            x += g->width[c];
        }
        title_cell(p, group, g->size, from, p->y, x - from, upper);
    }
    p->y += h;
    p->used = true;
}

static double row_height(struct page *p, const struct grid *g, const json_t *row)
{
    char z[PAPER_TEXT_MAX + 16];
    double h = 0;
    for (size_t c = 0; c < g->n; c++) {
        const json_t *cell = json_array_get(row, c);
        double w = g->width[c] - 2 * PAD - (paper_level(paper_cell_mark(cell)) ? 10 : 0);
        h = fmax(h, lay(p, cell_text(cell, z), SANS, g->size, strcmp(paper_cell_mark(cell), "bad") == 0, w,
                        PANGO_ALIGN_LEFT));
    }
    return fmin(h + 2 * PAD, bottom(p) - MARGIN - 60); /* a row never outgrows a page */
}

static void table_row(struct page *p, const struct grid *g, const json_t *row, double h)
{
    char z[PAPER_TEXT_MAX + 16];
    double x = MARGIN;
    for (size_t c = 0; c < g->n; c++) {
        const json_t *cell = json_array_get(row, c);
        unsigned level = paper_level(paper_cell_mark(cell));
        double room = level ? 10 : 0;
        box(p, x, p->y, g->width[c], h, 0xFFFFFF);
        lay(p, cell_text(cell, z), SANS, g->size, strcmp(paper_cell_mark(cell), "bad") == 0,
            g->width[c] - 2 * PAD - room, align_of(json_array_get(g->cols, c)));
        if (level)
            swatch(p, x + PAD, p->y + PAD + 2, level);
        show_within(p, x + PAD + room, p->y + PAD, 0x111111, x, p->y, g->width[c], h);
        x += g->width[c];
    }
    p->y += h;
}

static void table(struct page *p, const json_t *b)
{
    struct grid g = {.cols = json_object_get(b, "cols"), .rows = json_object_get(b, "rows")};
    g.n = json_array_size(g.cols);
    g.size = g.n > 14 ? 7 : g.n > 9 ? 8 : 9;
    measure(p, &g);
    double upper, head = head_height(p, &g, &upper);
    want(p, head + 40);
    paragraph(p, paper_str(b, "caption"), SANS, 9.5, true, PANGO_ALIGN_LEFT, 0x111111, 2);
    table_head(p, &g);
    for (size_t r = 0; r < json_array_size(g.rows); r++) {
        const json_t *row = json_array_get(g.rows, r);
        double h = row_height(p, &g, row);
        if (p->y + h > bottom(p)) {
            finish_page(p);
            table_head(p, &g);
        }
        table_row(p, &g, row, h);
    }
    p->y += 8;
}

/* ---- charts ---- */

struct chart_place {
    struct page *p;
    double x, y, scale;
};

static void stroke(void *user, const struct paper_stroke *s)
{
    struct chart_place *at = user;
    struct page *p = at->p;
    double k = at->scale, x = at->x + s->x * k, y = at->y + s->y * k;
    if (s->kind == PAPER_LINE) {
        line(p, x, y, at->x + s->x2 * k, at->y + s->y2 * k, s->width, s->dashed, s->rgb);
    } else if (s->kind == PAPER_RECT) {
        filled(p, x, y, (s->x2 - s->x) * k, (s->y2 - s->y) * k, s->rgb);
    } else {
        lay(p, s->text, SANS, 7.5, false, 0, PANGO_ALIGN_LEFT);
        double w = laid_width(p), base = (double)pango_layout_get_baseline(p->layout) / PANGO_SCALE;
        show(p, x - (s->align == PAPER_RIGHT ? w : s->align == PAPER_CENTRE ? w / 2 : 0), y - base, s->rgb);
    }
}

static void chart(struct page *p, const json_t *b)
{
    double scale = fmin(1.2, inner(p) / PAPER_CHART_W);
    want(p, PAPER_CHART_H * scale + 24);
    paragraph(p, paper_str(b, "caption"), SANS, 9.5, true, PANGO_ALIGN_LEFT, 0x111111, 2);
    struct chart_place at = {p, MARGIN, p->y, scale};
    paper_chart_strokes(b, stroke, &at);
    p->y += PAPER_CHART_H * scale + 8;
    p->used = true;
}

/* ---- the whole ---- */

static void block(struct page *p, const json_t *b)
{
    const char *t = paper_str(b, "t"), *text = paper_str(b, "text");
    if (strcmp(t, "heading") == 0) {
        want(p, 60); /* not alone at the foot of a page */
        p->y += p->used ? 6 : 0;
        paragraph(p, text, SANS, 12, true, PANGO_ALIGN_LEFT, 0x111111, 4);
    } else if (strcmp(t, "text") == 0) {
        paragraph(p, text, SANS, 10.5, false, PANGO_ALIGN_LEFT, 0x111111, 5);
    } else if (strcmp(t, "note") == 0) {
        paragraph(p, text, SANS, 8, false, PANGO_ALIGN_LEFT, 0x444444, 5);
    } else if (strcmp(t, "page") == 0) {
        if (p->used)
            finish_page(p);
    } else if (strcmp(t, "figures") == 0) {
        figures(p, b);
    } else if (strcmp(t, "table") == 0) {
        table(p, b);
    } else {
        chart(p, b);
    }
}

static void head(struct page *p)
{
    const char *date = paper_str(p->root, "date"), *number = paper_str(p->root, "number");
    paragraph(p, paper_str(p->root, "org"), SERIF, 22, true, PANGO_ALIGN_CENTER, 0xC00000, 4);
    if (date[0] || number[0]) {
        double h = lay(p, date, SANS, 9, false, inner(p), PANGO_ALIGN_RIGHT);
        show(p, MARGIN, p->y, 0x111111);
        lay(p, number, SANS, 9, false, inner(p), PANGO_ALIGN_LEFT);
        show(p, MARGIN, p->y, 0x111111);
        p->y += h + 2;
        line(p, MARGIN, p->y, p->width - MARGIN, p->y, 1.5, false, 0xC00000);
        p->y += 10;
        p->used = true;
    }
    paragraph(p, paper_str(p->root, "title"), SERIF, 17, true, PANGO_ALIGN_CENTER, 0x111111, 10);
}

static cairo_status_t take(void *user, const unsigned char *data, unsigned n)
{
    struct lt_buf *out = user;
    lt_buf_add(out, data, n);
    return out->failed ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

/* The file's date is the paper's, so that the same paper is the same bytes. */
static void date_of(const json_t *root, char ret[11])
{
    const char *date = paper_str(root, "date");
    int64_t at;
    bool good = strlen(date) >= 10 && lt_time_parse_iso((struct lt_slice){date, 10}, 0, &at);
    lt_text_copy(ret, 11, "2000-01-01");
    if (good)
        memcpy(ret, date, 10);
}

static void describe(cairo_surface_t *s, const json_t *root)
{
    char day[32];
    date_of(root, day);
    memcpy(day + 10, "T00:00:00Z", sizeof "T00:00:00Z");
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_TITLE, paper_str(root, "title"));
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATOR, "Lantian");
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATE_DATE, day);
}

/* One set of loaded fonts for all threads: it is made at the first PDF and costs some 10 MB and 0.1 s. */
static pthread_mutex_t fonts_lock = PTHREAD_MUTEX_INITIALIZER;
static PangoFontMap *fonts;

/* At exit, so that leak checkers see nothing of ours left. */
static void forget_fonts(void)
{
    pthread_mutex_lock(&fonts_lock);
    paper_shapes_forget();
    if (fonts) {
        g_object_unref(fonts);
        fonts = NULL;
        cairo_debug_reset_static_data();
        FcFini();
    }
    pthread_mutex_unlock(&fonts_lock);
}

/* The lock of the fonts is held. */
static void draw(struct page *p)
{
    if (!fonts) {
        static bool registered;
        fonts = pango_cairo_font_map_new();
        if (!registered)
            registered = atexit(forget_fonts) == 0;
    }
    PangoContext *context = pango_font_map_create_context(fonts);
    pango_cairo_update_context(p->cr, context);
    pango_context_set_language(
        context, pango_language_from_string(strcmp(paper_str(p->root, "lang"), "en") == 0 ? "en" : "zh-cn"));
    p->layout = pango_layout_new(context);
    head(p);
    const json_t *blocks = json_object_get(p->root, "blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++)
        block(p, json_array_get(blocks, i));
    if (p->used || p->number == 1)
        finish_page(p);
    g_object_unref(p->layout);
    g_object_unref(context);
}

static struct page page_of(const json_t *root)
{
    bool wide = paper_flag(root, "landscape");
    return (struct page){.root = root,
                         .width = wide ? LONG_SIDE : SHORT_SIDE,
                         .height = wide ? SHORT_SIDE : LONG_SIDE,
                         .y = MARGIN,
                         .number = 1};
}

static enum lt_err outcome(const struct lt_buf *out, cairo_status_t status, struct lt_error *err)
{
    if (out->failed)
        return lt_fail_size(err, "PDF", out->limit);
    if (status != CAIRO_STATUS_SUCCESS)
        return lt_fail(err, LT_E_IO, NULL, "PDF", cairo_status_to_string(status), NULL);
    return LT_OK;
}

enum lt_err paper_pdf(struct lt_slice model, struct lt_buf *out, struct lt_error *err)
{
    json_t *root = NULL;
    enum lt_err e = paper_load(model, &root, err);
    if (e != LT_OK)
        return e;
    struct page p = page_of(root);
    cairo_surface_t *s = cairo_pdf_surface_create_for_stream(take, out, p.width, p.height);
    describe(s, root);
    p.cr = cairo_create(s);
    pthread_mutex_lock(&fonts_lock);
    draw(&p);
    pthread_mutex_unlock(&fonts_lock);
    cairo_destroy(p.cr);
    cairo_surface_finish(s);
    cairo_status_t status = cairo_surface_status(s);
    cairo_surface_destroy(s);
    json_decref(root);
    return outcome(out, status, err);
}

enum lt_err paper_pdf_outlines(struct lt_slice model, struct lt_buf *out, struct lt_error *err)
{
    json_t *root = NULL;
    char day[11];
    enum lt_err e = paper_load(model, &root, err);
    if (e != LT_OK)
        return e;
    struct page p = page_of(root);
    /* the same kind of surface as in paper_pdf(), so that texts are measured and broken in the same way */
    struct lt_buf nothing = LT_BUF_INIT(1 << 20);
    cairo_surface_t *s = cairo_pdf_surface_create_for_stream(take, &nothing, p.width, p.height);
    p.cr = cairo_create(s);
    date_of(root, day);
    pthread_mutex_lock(&fonts_lock);
    p.shapes = paper_shapes_create(out, p.width, p.height, p.cr);
    bool ok = p.shapes != NULL;
    if (ok) {
        draw(&p);
        ok = paper_shapes_finish(p.shapes, paper_str(root, "title"), day);
    }
    pthread_mutex_unlock(&fonts_lock);
    cairo_destroy(p.cr);
    cairo_surface_destroy(s);
    lt_buf_fini(&nothing);
    json_decref(root);
    return ok ? LT_OK : outcome(out, CAIRO_STATUS_NO_MEMORY, err);
}
