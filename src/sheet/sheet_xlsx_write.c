/* XLSX out, over libxlsxwriter: row by row to its temporary files, then packed into memory. */
#include "base/clock.h"
#include "base/text.h"
#include "sheet/sheet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xlsxwriter.h>

struct sheet_writer {
    lxw_workbook *book;
    lxw_worksheet *sheet;
    lxw_format *head, *date, *datetime;
    const struct sheet_column *cols;
    unsigned n;
    lxw_row_t row;
    int fd; /* the library writes to a file by name only: this one lies in memory */
};

#define NAME_CHARS 28 /* Excel takes 31 */

/* A sheet's name holds none of []:*?/\\' . */
static void sheet_name(const char *name, char ret[NAME_CHARS * 4 + 1])
{
    size_t n = 0, chars = 0;
    for (const char *p = name; *p; p++) {
        bool lead = ((unsigned char)*p & 0xC0) != 0x80;
        if (lead && chars == NAME_CHARS)
            break;
        if (strchr("[]:*?/\\'", *p) || n == NAME_CHARS * 4)
            continue;
        chars += lead;
        ret[n++] = *p;
    }
    ret[n] = '\0';
}

static void lay_out(struct sheet_writer *w)
{
    w->head = workbook_add_format(w->book);
    w->date = workbook_add_format(w->book);
    w->datetime = workbook_add_format(w->book);
    format_set_bold(w->head);
    format_set_bg_color(w->head, 0xE8EEF7);
    format_set_border(w->head, LXW_BORDER_THIN);
    format_set_num_format(w->date, "yyyy-mm-dd");
    format_set_num_format(w->datetime, "yyyy-mm-dd hh:mm:ss");
    for (unsigned c = 0; c < w->n; c++) {
        double width = w->cols[c].type == SHEET_TEXT ? 20 : w->cols[c].type == SHEET_DATETIME ? 20 : 13;
        worksheet_set_column(w->sheet, (lxw_col_t)c, (lxw_col_t)c, width, NULL);
    }
    worksheet_set_landscape(w->sheet);
    worksheet_set_paper(w->sheet, 9); /* A4 */
    worksheet_fit_to_pages(w->sheet, 1, 0);
    worksheet_freeze_panes(w->sheet, 1, 0);
    worksheet_repeat_rows(w->sheet, 0, 0);
}

enum lt_err sheet_xlsx_create(const char *name, const struct sheet_column *cols, unsigned n, struct sheet_writer **ret,
                              struct lt_error *err)
{
    struct sheet_writer *w = calloc(1, sizeof *w);
    if (!w)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    char title[NAME_CHARS * 4 + 1], path[64];
    w->cols = cols;
    w->n = n;
    w->fd = memfd_create("sheet", MFD_CLOEXEC);
    if (w->fd >= 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", w->fd);
        lxw_workbook_options options = {.constant_memory = LXW_TRUE};
        w->book = workbook_new_opt(path, &options);
    }
    sheet_name(name, title);
    if (w->book)
        w->sheet = workbook_add_worksheet(w->book, title[0] ? title : NULL);
    if (!w->sheet) {
        enum lt_err e = sheet_xlsx_finish(&w, NULL, NULL);
        return lt_fail(err, e == LT_OK ? LT_E_NOMEM : e, NULL, "XLSX", "", NULL);
    }
    lay_out(w);
    for (unsigned c = 0; c < n; c++)
        worksheet_write_string(w->sheet, 0, (lxw_col_t)c, cols[c].title, w->head);
    w->row = 1;
    *ret = w;
    return LT_OK;
}

/* Fifteen digits are what a spreadsheet keeps. */
static bool fits_double(struct lt_slice s)
{
    size_t digits = 0;
    bool leading = true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9') {
            leading = leading && s.p[i] == '0';
            digits += !leading;
        } else if (s.p[i] != '.' && !(s.p[i] == '-' && i == 0)) {
            return false;
        }
    }
    return digits <= 15;
}

static lxw_error put(struct sheet_writer *w, unsigned c, struct lt_slice s)
{
    char z[SHEET_CELL_MAX + 1];
    lxw_col_t col = (lxw_col_t)c;
    enum sheet_type type = w->cols[c].type;
    int64_t at;
    if (s.n == 0)
        return LXW_NO_ERROR;
    lt_text_copy_slice(z, sizeof z, s);
    if (type == SHEET_NUMBER && fits_double(s))
        return worksheet_write_number(w->sheet, w->row, col, strtod(z, NULL), NULL);
    if ((type == SHEET_DATE || type == SHEET_DATETIME) && lt_time_parse_iso(s, 0, &at)) {
        struct lt_civil t = lt_civil_of(at, 0);
        lxw_datetime d = {t.year, t.month, t.day, t.hour, t.minute, (double)t.second};
        return worksheet_write_datetime(w->sheet, w->row, col, &d, type == SHEET_DATE ? w->date : w->datetime);
    }
    return worksheet_write_string(w->sheet, w->row, col, z, NULL);
}

enum lt_err sheet_xlsx_row(struct sheet_writer *w, const struct lt_slice *cells, struct lt_error *err)
{
    for (unsigned c = 0; c < w->n; c++) {
        lxw_error e = put(w, c, cells[c]);
        if (e != LXW_NO_ERROR)
            return lt_fail(err, LT_E_IO, NULL, "XLSX", lxw_strerror(e), NULL);
    }
    w->row++;
    return LT_OK;
}

enum lt_err sheet_take_file(int fd, struct lt_buf *out, struct lt_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return lt_fail(err, LT_E_IO, NULL, "XLSX", strerror(errno), NULL);
    char *p = lt_buf_reserve(out, (size_t)st.st_size);
    if (!p)
        return lt_fail_size(err, "XLSX", out->limit);
    for (size_t got = 0; got < (size_t)st.st_size;) {
        ssize_t n = pread(fd, p + got, (size_t)st.st_size - got, (off_t)got);
        if (n <= 0)
            return lt_fail(err, LT_E_IO, NULL, "XLSX", strerror(errno), NULL);
        got += (size_t)n;
    }
    out->n += (size_t)st.st_size;
    return LT_OK;
}

enum lt_err sheet_xlsx_finish(struct sheet_writer **w, struct lt_buf *out, struct lt_error *err)
{
    struct sheet_writer *s = *w;
    if (!s)
        return LT_OK;
    enum lt_err e = LT_OK;
    if (s->book) {
        if (s->sheet && s->row > 1)
            worksheet_autofilter(s->sheet, 0, 0, s->row - 1, (lxw_col_t)(s->n - 1));
        lxw_error le = workbook_close(s->book);
        if (le != LXW_NO_ERROR)
            e = lt_fail(err, LT_E_IO, NULL, "XLSX", lxw_strerror(le), NULL);
    }
    if (e == LT_OK && out)
        e = sheet_take_file(s->fd, out, err);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    *w = NULL;
    return e;
}
