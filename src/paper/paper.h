/* paper: what the office prints. A paper is a document model (title, key figures, tables, charts, notes) written once
 * as JSON by the builder below, and rendered from that JSON to a web page, a PDF (A4) or a spreadsheet. The bytes of a
 * rendering depend on the model alone (and on the version of the drawing libraries and fonts), so that a stored model
 * is the paper: it can be printed again years later.
 *
 * Threads: any; PDFs are drawn one at a time, since they share the loaded fonts. */
#ifndef LT_PAPER_H
#define LT_PAPER_H
#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"

#define PAPER_BYTES_MAX  (2u << 20) /* of a model: the monthly sheet of 170 cities has 60 kB */
#define PAPER_BLOCKS_MAX 400
#define PAPER_COLS_MAX   24 /* what A4 landscape holds legibly */
#define PAPER_ROWS_MAX   5000
#define PAPER_ITEMS_MAX  24  /* key figures of one block */
#define PAPER_POINTS_MAX 800 /* of a chart: two years of days */
#define PAPER_SERIES_MAX 8
#define PAPER_TEXT_MAX   8000 /* bytes of one text */

/* ---- building ---- */
struct paper_head {
    enum lt_lang lang;
    bool landscape;
    const char *org;    /* red line at the top (office's name), "" or NULL: none */
    const char *number; /* "蓝天日报〔2026〕12号" */
    const char *title;
    const char *date;   /* as printed; also the file's date when it begins with YYYY-MM-DD */
    const char *footer; /* data version, source, "invented" notice; every page */
};
/* Marks of a cell or figure: "" none, "good", "warn", "bad" (also bold), "l1".."l6" (swatch of the AQI level). */
struct paper_cell {
    const char *text; /* NULL: "" */
    const char *mark; /* NULL: "" */
};
enum paper_align { PAPER_LEFT, PAPER_RIGHT, PAPER_CENTRE };
struct paper_col {
    const char *title;
    const char *group; /* title over neighbouring columns of the same group, NULL: none */
    enum paper_align align;
    bool number; /* spreadsheet: cells that are decimals become numbers */
};
struct paper_figure {
    const char *label, *value, *unit, *note, *mark; /* NULL: "" */
};
struct paper_series {
    const char *name;
    const int64_t *value; /* millionths; LT_FIX_NONE: gap. As many as the chart has labels */
};
struct paper_chart {
    bool bars;
    const char *caption, *unit;
    const char *const *label; /* under the x axis; every n-th is drawn */
    size_t n;                 /* 1..PAPER_POINTS_MAX */
    const struct paper_series *series;
    size_t n_series;
    int64_t limit; /* dotted line, LT_FIX_NONE: none */
    const char *limit_label;
    unsigned decimals; /* of values in the spreadsheet and on the axis */
};

struct paper { /* a model being written */
    struct lt_buf json;
    struct jsonw w;
    size_t n_cols, blocks;
    bool fault; /* a limit was passed: paper_end() says so */
};
void paper_begin(struct paper *p, const struct paper_head *h);
void paper_heading(struct paper *p, const char *text);
void paper_text(struct paper *p, const char *text); /* a paragraph; line feeds break lines */
void paper_note(struct paper *p, const char *text); /* small, under what it explains */
void paper_figures(struct paper *p, const struct paper_figure *f, size_t n);
void paper_table(struct paper *p, const char *caption, const struct paper_col *cols, size_t n);
void paper_row(struct paper *p, const struct paper_cell *cells, size_t n); /* n as the table's columns */
void paper_table_end(struct paper *p);
void paper_chart(struct paper *p, const struct paper_chart *c);
void paper_page(struct paper *p); /* the next block begins a page */
/* Ends the model; its bytes are p->json until paper_fini(). LT_E_LIMIT_SIZE when something was too large. */
enum lt_err paper_end(struct paper *p, struct lt_error *err) LT_MUST_CHECK;
void paper_fini(struct paper *p);

/* ---- rendering ---- */
/* The model may come from anywhere (a stored paper, a package): it is checked whole before anything is drawn;
 * LT_E_BAD_INPUT names the place. Output is appended to out. */
enum lt_err paper_check(struct lt_slice model, struct lt_error *err) LT_MUST_CHECK;
/* A whole self-contained page: no script, no outside address; prints on A4. */
enum lt_err paper_html(struct lt_slice model, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
enum lt_err paper_pdf(struct lt_slice model, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
/* The same with letters as shapes: some 100 kB instead of 1 MB (a subset of a CJK font has 350 kB), but its
 * text cannot be searched. For the cover of a package, whose text is there as a web page too. */
enum lt_err paper_pdf_outlines(struct lt_slice model, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
/* One sheet in the paper's order: titles merged over the table's width, figures, tables with two-row heads, charts as
 * their numbers. */
enum lt_err paper_xlsx(struct lt_slice model, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
#endif
