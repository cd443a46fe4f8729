/* Inside the paper unit: the checked model as a tree, and a chart as a list of strokes for both drawers. */
#ifndef LT_PAPER_PRIV_H
#define LT_PAPER_PRIV_H
#include "paper/paper.h"

/* Parses and checks; *ret is owned by the caller (json_decref). After this every member a renderer asks for has its
 * right type, or is absent and reads as "". */
enum lt_err paper_load(struct lt_slice model, json_t **ret, struct lt_error *err) LT_MUST_CHECK;
const char *paper_str(const json_t *o, const char *key); /* "" when absent */
bool paper_flag(const json_t *o, const char *key);
const char *paper_cell_text(const json_t *cell);
const char *paper_cell_mark(const json_t *cell);
unsigned paper_level(const char *mark);        /* "l1".."l6" → 1..6, else 0 */
uint32_t paper_level_rgb(unsigned level);      /* HJ 633 */
const char *paper_mark_sign(const char *mark); /* sign drawn before a text, so that colour is never alone */

/* ---- charts ---- */
enum paper_stroke_kind { PAPER_LINE, PAPER_RECT, PAPER_LABEL };
struct paper_stroke {
    enum paper_stroke_kind kind;
    double x, y, x2, y2; /* LABEL: x, y is the baseline point; RECT: corners */
    uint32_t rgb;
    double width; /* LINE; 0: hair line */
    bool dashed;
    enum paper_align align; /* LABEL */
    const char *text;       /* LABEL; borrowed for the call */
};
#define PAPER_CHART_W 480.0 /* points */
#define PAPER_CHART_H 170.0
/* Calls each() for every stroke of the chart, in a box of PAPER_CHART_W × PAPER_CHART_H. */
void paper_chart_strokes(const json_t *chart, void (*each)(void *user, const struct paper_stroke *s), void *user);
#endif
