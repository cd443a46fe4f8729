/* A PDF whose letters are shapes, written by hand. The outline of a letter is a small object of its own, drawn by name
 * wherever it stands; it is made and packed once for the process and copied into each file. Drawn through cairo, every
 * letter of every file was formatted and packed anew, which took five times as long as all the rest of a package of
 * evidence. Calls come under the lock of the fonts. */
#include "base/text.h"
#include "paper/paper_shapes.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define FONTS_MAX  64
#define GLYPHS_MAX 16384 /* kept; some 400 bytes each. When full, all are forgotten before the next file */
#define PAGES_MAX  1000
#define EM         1000.0 /* outlines are whole numbers in this square */
#define LEVEL      3      /* of a page: mostly digits; higher takes twice the time for a tenth of the bytes */

struct glyph {
    uint32_t font, code;
    int box[4];
    struct lt_buf bytes; /* packed */
    uint32_t seen;       /* number of the file that uses it */
    uint32_t name;       /* within that file */
};

static struct {
    char *font[FONTS_MAX];
    uint32_t n_fonts;
    struct glyph *glyph;
    size_t n;
    uint32_t *slot; /* 2 * GLYPHS_MAX, index + 1 */
    uint32_t file;  /* numbered */
} kept;

struct paper_shapes {
    struct lt_buf *out;
    double width, height;
    struct lt_buf page, packed;
    uint32_t rgb;
    bool inked, failed;
    size_t *at; /* of each object in the file; object numbers from 1 */
    size_t n, cap;
    uint32_t *used; /* glyphs of this file, by name */
    size_t n_used, cap_used;
    uint32_t page_object[PAGES_MAX];
    size_t n_pages;
    size_t from; /* where the file begins in out */
    cairo_t *cr; /* asks for outlines */
};

/* Objects of fixed number; glyphs and pages follow. */
enum { CATALOG = 1, PAGES, INFO, RESOURCES, FIRST_FREE };

static void number(struct lt_buf *b, double v)
{
    char z[24];
    long n = lround(v * 100), a = labs(n);
    int k = a % 100 == 0  ? snprintf(z, sizeof z, "%s%ld ", n < 0 ? "-" : "", a / 100)
            : a % 10 == 0 ? snprintf(z, sizeof z, "%s%ld.%ld ", n < 0 ? "-" : "", a / 100, a / 10 % 10)
                          : snprintf(z, sizeof z, "%s%ld.%02ld ", n < 0 ? "-" : "", a / 100, a % 100);
    lt_buf_add(b, z, (size_t)k);
}

static void numbers(struct lt_buf *b, const double *v, size_t n, const char *op)
{
    for (size_t i = 0; i < n; i++)
        number(b, v[i]);
    lt_buf_adds(b, op);
}

static bool pack(struct lt_slice in, int level, struct lt_buf *out)
{
    uLongf n = compressBound(in.n);
    char *p = lt_buf_reserve(out, n);
    if (!p || compress2((Bytef *)p, &n, (const Bytef *)in.p, in.n, level) != Z_OK)
        return false;
    out->n += n;
    return true;
}

/* ---- letters ---- */

static void forget(void)
{
    for (size_t i = 0; i < kept.n; i++)
        lt_buf_fini(&kept.glyph[i].bytes);
    for (uint32_t i = 0; i < kept.n_fonts; i++)
        free(kept.font[i]);
    free(kept.glyph);
    free(kept.slot);
    uint32_t file = kept.file;
    memset(&kept, 0, sizeof kept);
    kept.file = file;
}

void paper_shapes_forget(void)
{
    forget();
}

static bool tables(void)
{
    if (kept.n == GLYPHS_MAX || kept.n_fonts == FONTS_MAX)
        forget();
    kept.glyph = kept.glyph ? kept.glyph : calloc(GLYPHS_MAX, sizeof *kept.glyph);
    kept.slot = kept.slot ? kept.slot : calloc(2 * GLYPHS_MAX, sizeof *kept.slot);
    return kept.glyph && kept.slot;
}

/* The size of the font, and its number among those known; FONTS_MAX: one too many. */
static uint32_t font_number(PangoFont *font, double *ret_size)
{
    PangoFontDescription *d = pango_font_describe_with_absolute_size(font);
    *ret_size = (double)pango_font_description_get_size(d) / PANGO_SCALE;
    pango_font_description_unset_fields(d, PANGO_FONT_MASK_SIZE);
    char *name = pango_font_description_to_string(d);
    pango_font_description_free(d);
    uint32_t i = 0;
    while (i < kept.n_fonts && strcmp(kept.font[i], name) != 0)
        i++;
    if (i == kept.n_fonts && i < FONTS_MAX && (kept.font[i] = strdup(name)))
        kept.n_fonts++;
    g_free(name);
    return i < kept.n_fonts ? i : FONTS_MAX;
}

static void outline(const cairo_path_t *path, struct glyph *g, struct lt_buf *out)
{
    static const char *const ops[] = {"m\n", "l\n", "c\n", "h\n"};
    g->box[0] = g->box[1] = INT32_MAX;
    g->box[2] = g->box[3] = INT32_MIN;
    for (int i = 0; i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *d = path->data + i;
        for (int k = 1; k < d->header.length; k++) {
            char z[32];
            int x = (int)lround(d[k].point.x), y = (int)lround(d[k].point.y);
            lt_buf_add(out, z, (size_t)snprintf(z, sizeof z, "%d %d ", x, y));
            g->box[0] = x < g->box[0] ? x : g->box[0];
            g->box[1] = y < g->box[1] ? y : g->box[1];
            g->box[2] = x > g->box[2] ? x : g->box[2];
            g->box[3] = y > g->box[3] ? y : g->box[3];
        }
        lt_buf_adds(out, ops[d->header.type]);
    }
    lt_buf_adds(out, "f");
}

static bool draw_glyph(struct paper_shapes *s, PangoFont *font, struct glyph *g)
{
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_matrix_t em, unit;
    struct lt_buf text = LT_BUF_INIT(1 << 20);
    cairo_matrix_init_scale(&em, EM, EM);
    cairo_matrix_init_identity(&unit);
    cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    cairo_scaled_font_t *as = pango_cairo_font_get_scaled_font((PangoCairoFont *)font);
    cairo_scaled_font_t *big = cairo_scaled_font_create(cairo_scaled_font_get_font_face(as), &em, &unit, o);
    const cairo_glyph_t at = {.index = g->code};
    cairo_set_scaled_font(s->cr, big);
    cairo_new_path(s->cr);
    cairo_glyph_path(s->cr, &at, 1);
    cairo_path_t *path = cairo_copy_path(s->cr);
    bool ok = path->status == CAIRO_STATUS_SUCCESS;
    if (ok) {
        outline(path, g, &text);
        ok = !text.failed && pack(lt_buf_slice(&text), Z_BEST_COMPRESSION, &g->bytes);
    }
    cairo_path_destroy(path);
    cairo_scaled_font_destroy(big);
    cairo_font_options_destroy(o);
    lt_buf_fini(&text);
    return ok;
}

/* NULL: it cannot be had; nothing is drawn then, and the file counts as failed. */
static struct glyph *glyph_of(struct paper_shapes *s, PangoFont *font, uint32_t number_of_font, uint32_t code)
{
    size_t mask = 2 * GLYPHS_MAX - 1, i = ((uint64_t)code * 2654435761u + number_of_font * 40503u) & mask;
    for (; kept.slot[i]; i = (i + 1) & mask) {
        struct glyph *g = &kept.glyph[kept.slot[i] - 1];
        if (g->code == code && g->font == number_of_font)
            return g;
    }
    if (kept.n == GLYPHS_MAX || number_of_font == FONTS_MAX)
        return NULL;
    struct glyph *g = &kept.glyph[kept.n];
    *g = (struct glyph){.font = number_of_font, .code = code, .bytes = LT_BUF_INIT(1 << 20)};
    if (!draw_glyph(s, font, g)) {
        lt_buf_fini(&g->bytes);
        return NULL;
    }
    kept.slot[i] = (uint32_t)++kept.n;
    return g;
}

static bool name_glyph(struct paper_shapes *s, struct glyph *g)
{
    if (g->seen == kept.file)
        return true;
    if (!lt_grow(&s->used, s->n_used, &s->cap_used, sizeof *s->used))
        return false;
    g->seen = kept.file;
    g->name = (uint32_t)s->n_used;
    s->used[s->n_used++] = (uint32_t)(g - kept.glyph);
    return true;
}

static void run(struct paper_shapes *s, PangoFont *font, const PangoGlyphString *glyphs, double x, double y)
{
    double size;
    uint32_t n = font_number(font, &size);
    for (int i = 0; i < glyphs->num_glyphs; i++) {
        const PangoGlyphInfo *at = &glyphs->glyphs[i];
        double gx = x + (double)at->geometry.x_offset / PANGO_SCALE,
               gy = y + (double)at->geometry.y_offset / PANGO_SCALE;
        double wide = (double)at->geometry.width / PANGO_SCALE;
        x += wide;
        if (at->glyph == PANGO_GLYPH_EMPTY)
            continue;
        if (at->glyph & PANGO_GLYPH_UNKNOWN_FLAG) { /* no font has it: an empty frame */
            paper_shapes_rect(s, gx + 1, gy - size * 0.7, wide - 2, size * 0.7, false);
            continue;
        }
        struct glyph *g = glyph_of(s, font, n, at->glyph);
        if (!g || !name_glyph(s, g)) {
            s->failed = true;
            continue;
        }
        char z[48];
        int k = snprintf(z, sizeof z, "q .%05ld 0 0 .%05ld ", lround(size / EM * 100000), lround(size / EM * 100000));
        lt_buf_add(&s->page, z, (size_t)k);
        number(&s->page, gx);
        number(&s->page, gy);
        lt_buf_add(&s->page, z, (size_t)snprintf(z, sizeof z, "cm/g%u Do Q\n", g->name));
    }
}

void paper_shapes_line_of_text(struct paper_shapes *s, const PangoLayoutLine *line, double x, double baseline)
{
    for (const GSList *i = line->runs; i; i = i->next) {
        const PangoGlyphItem *item = i->data;
        run(s, item->item->analysis.font, item->glyphs, x, baseline);
        x += (double)pango_glyph_string_get_width(item->glyphs) / PANGO_SCALE;
    }
}

/* ---- lines and boxes ---- */

void paper_shapes_ink(struct paper_shapes *s, uint32_t rgb)
{
    if (s->inked && s->rgb == rgb)
        return;
    const double v[3] = {(rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0};
    numbers(&s->page, v, 3, "rg ");
    numbers(&s->page, v, 3, "RG\n");
    s->inked = true;
    s->rgb = rgb;
}

void paper_shapes_line(struct paper_shapes *s, double x, double y, double x2, double y2, double width, bool dashed)
{
    const double from[2] = {x, y}, to[2] = {x2, y2};
    lt_buf_adds(&s->page, dashed ? "[2 2]0 d " : "");
    numbers(&s->page, &width, 1, "w ");
    numbers(&s->page, from, 2, "m ");
    numbers(&s->page, to, 2, "l S\n");
    lt_buf_adds(&s->page, dashed ? "[]0 d\n" : "");
}

void paper_shapes_rect(struct paper_shapes *s, double x, double y, double w, double h, bool filled)
{
    const double v[4] = {x, y, w, h};
    lt_buf_adds(&s->page, filled ? "" : ".5 w ");
    numbers(&s->page, v, 4, filled ? "re f\n" : "re S\n");
}

void paper_shapes_clip(struct paper_shapes *s, double x, double y, double w, double h)
{
    const double v[4] = {x, y, w, h};
    lt_buf_adds(&s->page, "q ");
    numbers(&s->page, v, 4, "re W n\n");
}

void paper_shapes_unclip(struct paper_shapes *s)
{
    lt_buf_adds(&s->page, "Q\n");
    s->inked = false; /* the colour of before the clip is back */
}

/* ---- the file ---- */

/* Begins object `number`. */
static void object(struct paper_shapes *s, size_t number_of_object)
{
    if (number_of_object >= s->cap) {
        size_t cap = 2 * number_of_object + 64;
        size_t *p = realloc(s->at, cap * sizeof *p);
        if (!p) {
            s->failed = true;
            return;
        }
        memset(p + s->cap, 0, (cap - s->cap) * sizeof *p);
        s->at = p;
        s->cap = cap;
    }
    s->at[number_of_object] = s->out->n - s->from;
    s->n = number_of_object >= s->n ? number_of_object + 1 : s->n;
    lt_buf_addf(s->out, "%zu 0 obj\n", number_of_object);
}

static void stream(struct paper_shapes *s, const char *more, struct lt_slice bytes)
{
    lt_buf_addf(s->out, "<<%s/Filter/FlateDecode/Length %zu>>stream\n", more, bytes.n);
    lt_buf_add(s->out, bytes.p, bytes.n);
    lt_buf_adds(s->out, "\nendstream\nendobj\n");
}

struct paper_shapes *paper_shapes_create(struct lt_buf *out, double width, double height, cairo_t *cr)
{
    struct paper_shapes *s = calloc(1, sizeof *s);
    if (!s || !tables()) {
        free(s);
        return NULL;
    }
    kept.file++;
    *s = (struct paper_shapes){.out = out,
                               .width = width,
                               .height = height,
                               .page = LT_BUF_INIT(16u << 20),
                               .packed = LT_BUF_INIT(16u << 20),
                               .n = FIRST_FREE,
                               .from = out->n,
                               .cr = cr};
    lt_buf_adds(out, "%PDF-1.5\n%\xE8\x93\x9D\n");
    return s;
}

void paper_shapes_page(struct paper_shapes *s)
{
    struct lt_buf all = LT_BUF_INIT(16u << 20);
    lt_buf_clear(&s->packed);
    lt_buf_addf(&all, "1 0 0 -1 0 %.2f cm\n", s->height); /* downward, as everything here is reckoned */
    lt_buf_add(&all, s->page.p, s->page.n);
    if (s->page.failed || all.failed || s->n_pages == PAGES_MAX || !pack(lt_buf_slice(&all), LEVEL, &s->packed)) {
        s->failed = true;
    } else {
        size_t contents = s->n;
        object(s, contents);
        stream(s, "", lt_buf_slice(&s->packed));
        s->page_object[s->n_pages++] = (uint32_t)s->n;
        object(s, s->n);
        lt_buf_addf(s->out,
                    "<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.2f %.2f]/Resources %d 0 R/Contents %zu 0 R>>\nendobj\n",
                    PAGES, s->width, s->height, RESOURCES, contents);
    }
    lt_buf_fini(&all);
    lt_buf_clear(&s->page);
    s->inked = false;
}

static void put_glyphs(struct paper_shapes *s)
{
    size_t first = s->n;
    for (size_t i = 0; i < s->n_used; i++) {
        const struct glyph *g = &kept.glyph[s->used[i]];
        char more[120];
        bool empty = g->box[0] > g->box[2];
        snprintf(more, sizeof more, "/Type/XObject/Subtype/Form/BBox[%d %d %d %d]", empty ? 0 : g->box[0],
                 empty ? 0 : g->box[1], empty ? 0 : g->box[2], empty ? 0 : g->box[3]);
        object(s, s->n);
        stream(s, more, lt_buf_slice(&g->bytes));
    }
    object(s, RESOURCES);
    lt_buf_adds(s->out, "<</XObject<<");
    for (size_t i = 0; i < s->n_used; i++)
        lt_buf_addf(s->out, "/g%zu %zu 0 R", i, first + i);
    lt_buf_adds(s->out, ">>>>\nendobj\n");
}

/* UTF-16, as hexadecimal digits. */
static void put_text(struct lt_buf *out, const char *text)
{
    glong n = 0;
    gunichar2 *u = g_utf8_to_utf16(text, -1, NULL, &n, NULL);
    lt_buf_adds(out, "<FEFF");
    for (glong i = 0; u && i < n; i++)
        lt_buf_addf(out, "%04X", u[i]);
    lt_buf_adds(out, ">");
    g_free(u);
}

bool paper_shapes_finish(struct paper_shapes *s, const char *title, const char day[11])
{
    put_glyphs(s);
    object(s, CATALOG);
    lt_buf_addf(s->out, "<</Type/Catalog/Pages %d 0 R>>\nendobj\n", PAGES);
    object(s, PAGES);
    lt_buf_addf(s->out, "<</Type/Pages/Count %zu/Kids[", s->n_pages);
    for (size_t i = 0; i < s->n_pages; i++)
        lt_buf_addf(s->out, "%u 0 R ", s->page_object[i]);
    lt_buf_adds(s->out, "]>>\nendobj\n");
    object(s, INFO);
    lt_buf_adds(s->out, "<</Title");
    put_text(s->out, title);
    lt_buf_addf(s->out, "/Creator(Lantian)/CreationDate(D:%.4s%.2s%.2s000000Z)>>\nendobj\n", day, day + 5, day + 8);
    size_t xref = s->out->n - s->from;
    lt_buf_addf(s->out, "xref\n0 %zu\n0000000000 65535 f \n", s->n);
    for (size_t i = 1; !s->failed && i < s->n; i++)
        lt_buf_addf(s->out, "%010zu 00000 n \n", s->at[i]);
    lt_buf_addf(s->out, "trailer\n<</Size %zu/Root %d 0 R/Info %d 0 R>>\nstartxref\n%zu\n%%%%EOF\n", s->n, CATALOG,
                INFO, xref);
    bool ok = !s->failed && !s->out->failed;
    lt_buf_fini(&s->page);
    lt_buf_fini(&s->packed);
    free(s->at);
    free(s->used);
    free(s);
    return ok;
}
