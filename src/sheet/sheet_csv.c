/* CSV after RFC 4180, reading and writing. */
#include "base/text.h"
#include "sheet/sheet_priv.h"

#include <stdio.h>

/* ---- reading ---- */

struct csv {
    struct lt_slice rest;
    unsigned line; /* of the file: rows are counted as a spreadsheet shows them, one per record */
    struct sheet_line row;
};

static enum lt_err bad(unsigned row, const char *en, const char *zh, struct lt_error *err)
{
    char text[128];
    snprintf(text, sizeof text, "row %u: %s / 第 %u 行：%s", row, en, row, zh);
    return lt_fail(err, LT_E_BAD_INPUT, NULL, text, NULL, NULL);
}

/* A spreadsheet would run a cell that begins so; the writer put an apostrophe before it. */
static bool is_armed(struct lt_slice s)
{
    while (s.n && s.p[0] == '\'')
        s = (struct lt_slice){s.p + 1, s.n - 1};
    return s.n &&
           (s.p[0] == '=' || s.p[0] == '+' || s.p[0] == '-' || s.p[0] == '@' || s.p[0] == '\t' || s.p[0] == '\r');
}

static struct lt_slice disarm(struct lt_slice s)
{
    if (s.n > 1 && s.p[0] == '\'' && is_armed(s))
        return (struct lt_slice){s.p + 1, s.n - 1};
    return s;
}

/* Reads one cell; *ret_end: it was the last of its row. */
static enum lt_err read_cell(struct csv *c, bool *ret_end, struct lt_error *err)
{
    struct lt_slice r = c->rest;
    size_t i = 0;
    sheet_cell_begin(&c->row);
    if (r.n && r.p[0] == '"') {
        for (i = 1;; i++) {
            if (i >= r.n)
                return bad(c->row.out.row, "a quote is not closed", "引号未闭合", err);
            if (r.p[i] == '"' && (i + 1 >= r.n || r.p[i + 1] != '"'))
                break;
            if (r.p[i] == '"')
                i++;
            sheet_cell_add(&c->row, &r.p[i], 1);
        }
        i++;
        if (i < r.n && r.p[i] != ',' && r.p[i] != '\n' && r.p[i] != '\r')
            return bad(c->row.out.row, "text after a closing quote", "引号之后还有文字", err);
    } else {
        while (i < r.n && r.p[i] != ',' && r.p[i] != '\n' && r.p[i] != '\r')
            i++;
        sheet_cell_add(&c->row, r.p, i);
    }
    *ret_end = true;
    if (i < r.n && r.p[i] == ',') {
        *ret_end = false;
        i++;
    } else if (i < r.n) {
        i += r.p[i] == '\r' && i + 1 < r.n && r.p[i + 1] == '\n' ? 2 : 1;
    }
    c->rest = (struct lt_slice){r.p + i, r.n - i};
    struct lt_slice cell = disarm(sheet_cell_text(&c->row));
    return sheet_cell_put(&c->row, c->row.col++, cell, err);
}

static enum lt_err read_rows(struct csv *c, bool (*each)(void *user, const struct sheet_row *r), void *user,
                             struct lt_error *err)
{
    bool go_on = true;
    for (unsigned row = 1; c->rest.n && go_on; row++) {
        sheet_line_begin(&c->row, row);
        bool end = false;
        while (!end) {
            enum lt_err e = read_cell(c, &end, err);
            if (e != LT_OK)
                return e;
        }
        enum lt_err e = sheet_line_end(&c->row, each, user, &go_on, err);
        if (e != LT_OK)
            return e;
    }
    return LT_OK;
}

enum lt_err sheet_read_csv(struct lt_slice file, bool (*each)(void *user, const struct sheet_row *r), void *user,
                           struct lt_error *err)
{
    if (file.n > SHEET_FILE_MAX)
        return lt_fail(err, LT_E_TOO_LARGE, NULL, "file / 文件", "20 MB", NULL);
    if (file.n >= 3 && memcmp(file.p, "\xEF\xBB\xBF", 3) == 0)
        file = (struct lt_slice){file.p + 3, file.n - 3};
    if (!lt_text_is_utf8(file) || (file.n && memchr(file.p, 0, file.n)))
        return lt_fail(err, LT_E_BAD_INPUT, NULL,
                       "not UTF-8: save the sheet as “CSV UTF-8” / 不是 UTF-8 编码，请另存为“CSV UTF-8”", NULL, NULL);
    struct csv c = {.rest = file};
    enum lt_err e = sheet_line_init(&c.row, err);
    if (e == LT_OK)
        e = read_rows(&c, each, user, err);
    sheet_line_fini(&c.row);
    return e;
}

/* ---- writing ---- */

static void put_cell(struct lt_buf *out, struct lt_slice s, enum sheet_type type)
{
    bool quote = false, arm = type == SHEET_TEXT && is_armed(s);
    for (size_t i = 0; i < s.n && !quote; i++)
        quote = s.p[i] == '"' || s.p[i] == ',' || s.p[i] == '\n' || s.p[i] == '\r';
    if (!quote && !arm) {
        lt_buf_add(out, s.p, s.n);
        return;
    }
    lt_buf_adds(out, arm ? "\"'" : "\"");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            lt_buf_addc(out, '"');
        lt_buf_addc(out, s.p[i]);
    }
    lt_buf_addc(out, '"');
}

void sheet_csv_row(struct lt_buf *out, const struct sheet_column *cols, const struct lt_slice *cells, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i)
            lt_buf_addc(out, ',');
        put_cell(out, cells[i], cols[i].type);
    }
    lt_buf_adds(out, "\r\n");
}

void sheet_csv_begin(struct lt_buf *out, const struct sheet_column *cols, unsigned n)
{
    lt_buf_adds(out, "\xEF\xBB\xBF"); /* without the mark Excel takes it for the local code page */
    for (unsigned i = 0; i < n; i++) {
        if (i)
            lt_buf_addc(out, ',');
        put_cell(out, lt_slice_of(cols[i].title), SHEET_TEXT);
    }
    lt_buf_adds(out, "\r\n");
}
