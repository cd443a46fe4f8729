/* sheet: tables in and out as CSV (RFC 4180, UTF-8 with or without a mark) and XLSX. A pure mechanism: cells are text;
 * what they mean is the caller's affair. Reading is bounded in rows, columns, bytes and unpacked size, since the files
 * come from anywhere. */
#ifndef LT_SHEET_H
#define LT_SHEET_H
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define SHEET_ROWS_MAX     20001              /* header and 20,000 rows */
#define SHEET_COLS_MAX     64                 /* widest kind has 48 fields */
#define SHEET_CELL_MAX     8192               /* bytes of one cell */
#define SHEET_FILE_MAX     (20 * 1024 * 1024) /* bytes of a file */
#define SHEET_UNPACKED_MAX (80 * 1024 * 1024) /* bytes of one unpacked part of an XLSX */
#define SHEET_RATIO_MAX    200                /* unpacked to packed size of a part: beyond it is a bomb */

/* ---- reading ---- */
struct sheet_row {
    unsigned row;                         /* as a spreadsheet counts, from 1 */
    unsigned n;                           /* cells; missing ones at the end are not counted */
    struct lt_slice cell[SHEET_COLS_MAX]; /* borrowed until the callback returns */
};
/* Calls each() per row (rows without any text are left out) until it returns false. XLSX: the first visible sheet;
 * numbers as shortest decimals, cells in a date format as ISO "2026-11-25" or "2026-11-25T08:00:00", booleans TRUE or
 * FALSE; of formulas the stored result; errors (#REF!) as text. Errors: TOO_LARGE, LIMIT_SIZE, BAD_INPUT, with the
 * place where there is one. */
enum lt_err sheet_read_csv(struct lt_slice file, bool (*each)(void *user, const struct sheet_row *r), void *user,
                           struct lt_error *err) LT_MUST_CHECK;
enum lt_err sheet_read_xlsx(struct lt_slice file, bool (*each)(void *user, const struct sheet_row *r), void *user,
                            struct lt_error *err) LT_MUST_CHECK;
/* True when the bytes are a ZIP (XLSX). */
bool sheet_is_xlsx(struct lt_slice file);

/* ---- writing ---- */
enum sheet_type { SHEET_TEXT, SHEET_NUMBER, SHEET_DATE, SHEET_DATETIME };
struct sheet_column {
    const char *title;
    enum sheet_type type; /* NUMBER cells hold a decimal; DATE and DATETIME an ISO time without offset */
};
/* CSV: UTF-8 with mark, CRLF; cells of text that begin with = + - @ TAB or CR get a leading apostrophe (a spreadsheet
 * would run them); the reader takes it off again. */
void sheet_csv_row(struct lt_buf *out, const struct sheet_column *cols, const struct lt_slice *cells, unsigned n);
void sheet_csv_begin(struct lt_buf *out, const struct sheet_column *cols, unsigned n);

struct sheet_writer;
/* XLSX in memory: numbers as numbers when they keep all their digits (at most 15), dates as dates, all else as text. */
enum lt_err sheet_xlsx_create(const char *name, const struct sheet_column *cols, unsigned n, struct sheet_writer **ret,
                              struct lt_error *err) LT_MUST_CHECK;
enum lt_err sheet_xlsx_row(struct sheet_writer *w, const struct lt_slice *cells, struct lt_error *err) LT_MUST_CHECK;
/* Finishes and frees; the file is appended to out (NULL: dropped). */
enum lt_err sheet_xlsx_finish(struct sheet_writer **w, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
/* For others that write XLSX through a file in memory: appends the whole file to out. */
enum lt_err sheet_take_file(int fd, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
#endif
