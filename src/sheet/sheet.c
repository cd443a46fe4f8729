/* The row under construction and its bounds. */
#include "sheet/sheet_priv.h"

#include <stdio.h>

enum lt_err sheet_line_init(struct sheet_line *l, struct lt_error *err)
{
    *l = (struct sheet_line){.mem = LT_BUF_INIT((size_t)SHEET_COLS_MAX * SHEET_CELL_MAX)};
    if (!lt_buf_reserve(&l->mem, l->mem.limit))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    return LT_OK;
}

void sheet_line_fini(struct sheet_line *l)
{
    lt_buf_fini(&l->mem);
}

void sheet_line_begin(struct sheet_line *l, unsigned row)
{
    l->out = (struct sheet_row){.row = row};
    l->mem.n = 0;
    l->col = 0;
}

enum lt_err sheet_line_end(struct sheet_line *l, bool (*each)(void *user, const struct sheet_row *r), void *user,
                           bool *ret_go_on, struct lt_error *err)
{
    if (l->out.n == 0)
        return LT_OK;
    if (++l->rows > SHEET_ROWS_MAX)
        return lt_fail(err, LT_E_LIMIT_SIZE, NULL, "rows / 行数", "20000", NULL);
    *ret_go_on = each(user, &l->out);
    return LT_OK;
}

void sheet_cell_begin(struct sheet_line *l)
{
    l->cell_from = l->mem.n;
    l->too_long = false;
}

void sheet_cell_add(struct sheet_line *l, const char *p, size_t n)
{
    if (l->mem.n - l->cell_from + n > SHEET_CELL_MAX || l->mem.n + n > l->mem.limit) {
        l->too_long = true;
        return;
    }
    lt_buf_add(&l->mem, p, n);
}

struct lt_slice sheet_cell_text(const struct sheet_line *l)
{
    return (struct lt_slice){l->mem.p + l->cell_from, l->mem.n - l->cell_from};
}

static enum lt_err at_cell(const struct sheet_line *l, unsigned col, enum lt_err code, const char *most,
                           struct lt_error *err)
{
    char place[96];
    snprintf(place, sizeof place, "row %u, column %u / 第 %u 行第 %u 列", l->out.row, col + 1, l->out.row, col + 1);
    return lt_fail(err, code, NULL, place, most, NULL);
}

enum lt_err sheet_cell_put(struct sheet_line *l, unsigned col, struct lt_slice text, struct lt_error *err)
{
    if (l->too_long || text.n > SHEET_CELL_MAX)
        return at_cell(l, col, LT_E_TOO_LARGE, "8192 B", err);
    if (text.n == 0)
        return LT_OK;
    if (col >= SHEET_COLS_MAX)
        return at_cell(l, col, LT_E_LIMIT_SIZE, "64", err);
    for (; l->out.n <= col; l->out.n++)
        l->out.cell[l->out.n] = LT_LIT("");
    l->out.cell[col] = text;
    return LT_OK;
}

bool sheet_is_xlsx(struct lt_slice file)
{
    return file.n >= 4 && memcmp(file.p, "PK\x03\x04", 4) == 0;
}
