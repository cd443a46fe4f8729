/* What the readers share: the row under construction, with its bounds. */
#ifndef LT_SHEET_PRIV_H
#define LT_SHEET_PRIV_H
#include "sheet/sheet.h"

struct sheet_line {
    struct sheet_row out;
    struct lt_buf mem; /* texts of the row; reserved once, never moves */
    size_t cell_from;
    unsigned col, rows;
    bool too_long;
};
enum lt_err sheet_line_init(struct sheet_line *l, struct lt_error *err) LT_MUST_CHECK;
void sheet_line_fini(struct sheet_line *l);
void sheet_line_begin(struct sheet_line *l, unsigned row);
/* Gives the row to each() unless it is empty; counts it. */
enum lt_err sheet_line_end(struct sheet_line *l, bool (*each)(void *user, const struct sheet_row *r), void *user,
                           bool *ret_go_on, struct lt_error *err) LT_MUST_CHECK;
/* The text of the cell being read. Beyond SHEET_CELL_MAX it is cut and the cell refused by sheet_cell_put(). */
void sheet_cell_begin(struct sheet_line *l);
void sheet_cell_add(struct sheet_line *l, const char *p, size_t n);
struct lt_slice sheet_cell_text(const struct sheet_line *l);
enum lt_err sheet_cell_put(struct sheet_line *l, unsigned col, struct lt_slice text,
                           struct lt_error *err) LT_MUST_CHECK;
#endif
