/* The model as one spreadsheet page, in the habits of an office: titles merged over the width, two-row heads, units in
 * their own cells, A4. */
#include "base/clock.h"
#include "base/fix.h"
#include "base/text.h"
#include "paper/paper_priv.h"
#include "sheet/sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xlsxwriter.h>

enum { MARKS = 10, SIDES = 3, DIGITS = 8 }; /* none, good, warn, bad, six levels; text, or 0 to 6 decimals */

struct book {
    lxw_workbook *book;
    lxw_worksheet *sheet;
    lxw_format *title, *org, *bold, *plain, *note, *th;
    lxw_format *cell[MARKS][SIDES][DIGITS]; /* made when first wanted */
    lxw_row_t row;
    lxw_col_t width; /* columns of the widest table */
};

static lxw_format *format(struct book *b, bool bold, bool border, uint8_t align)
{
    lxw_format *f = workbook_add_format(b->book);
    format_set_font_name(f, "仿宋");
    if (bold)
        format_set_bold(f);
    if (border)
        format_set_border(f, LXW_BORDER_THIN);
    format_set_align(f, align);
    format_set_align(f, LXW_ALIGN_VERTICAL_CENTER);
    format_set_text_wrap(f);
    return f;
}

static const uint8_t sides[3] = {LXW_ALIGN_LEFT, LXW_ALIGN_RIGHT, LXW_ALIGN_CENTER};

static void formats(struct book *b)
{
    b->title = format(b, true, false, LXW_ALIGN_CENTER);
    format_set_font_size(b->title, 16);
    b->org = format(b, true, false, LXW_ALIGN_CENTER);
    format_set_font_size(b->org, 20);
    format_set_font_color(b->org, 0xC00000);
    b->bold = format(b, true, false, LXW_ALIGN_LEFT);
    b->plain = format(b, false, false, LXW_ALIGN_LEFT);
    b->note = format(b, false, false, LXW_ALIGN_LEFT);
    format_set_font_size(b->note, 9);
    b->th = format(b, true, true, LXW_ALIGN_CENTER);
    format_set_bg_color(b->th, 0xEEF1F5);
}

static unsigned mark_number(const char *mark)
{
    static const char *const names[] = {"", "good", "warn", "bad"};
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(mark, names[i]) == 0)
            return i;
    return 3 + paper_level(mark);
}

/* Of a cell with that mark. decimals -1: of a text. Numbers are shown with all their decimals and with the sign of the
 * mark, as on paper: a spreadsheet would make 30.0 of the published figure a 30. */
static lxw_format *cell_format(struct book *b, const char *mark, unsigned side, int decimals)
{
    lxw_format **f = &b->cell[mark_number(mark)][side][decimals + 1];
    const unsigned level = paper_level(mark);
    const char *sign = paper_mark_sign(mark), *quote = sign[0] ? "\"" : "";
    char digits[48];
    if (*f)
        return *f;
    *f = format(b, strcmp(mark, "bad") == 0, true, level ? LXW_ALIGN_CENTER : sides[side]);
    if (level) {
        format_set_bg_color(*f, paper_level_rgb(level));
        format_set_font_color(*f, level >= 4 ? LXW_COLOR_WHITE : LXW_COLOR_BLACK);
    }
    snprintf(digits, sizeof digits, "%s%s%s0%s%.*s", quote, sign, quote, decimals > 0 ? "." : "",
             decimals > 0 ? decimals : 0, "000000");
    if (decimals >= 0)
        format_set_num_format(*f, digits);
    return *f;
}

static lxw_col_t widest(const json_t *blocks)
{
    size_t n = 4;
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        size_t cols = json_array_size(json_object_get(json_array_get(blocks, i), "cols"));
        n = cols > n ? cols : n;
    }
    return (lxw_col_t)n;
}

/* A text over the whole width. */
static void across(struct book *b, const char *text, lxw_format *f)
{
    if (!text[0])
        return;
    worksheet_merge_range(b->sheet, b->row, 0, b->row, (lxw_col_t)(b->width - 1), text, f);
    size_t lines = 1 + lt_text_chars(lt_slice_of(text)) / (size_t)(b->width * 6u);
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    if (lines > 1)
        worksheet_set_row(b->sheet, b->row, (double)(lines < 25 ? lines : 25) * 15.0, NULL);
    b->row++;
}

/* A decimal of at most 15 digits becomes a number shown with the digits it came with; all else stays text, behind the
 * sign of its mark. */
static void value(struct book *b, lxw_col_t c, const char *text, const char *mark, unsigned side, bool number)
{
    char z[PAPER_TEXT_MAX + 16];
    int64_t v;
    const char *point = strchr(text, '.');
    const size_t n = strlen(text), decimals = point ? n - (size_t)(point - text) - 1 : 0;
    if (number && n <= 15 && decimals <= 6 && lt_fix_parse(lt_slice_of(text), &v)) {
        worksheet_write_number(b->sheet, b->row, c, strtod(text, NULL), cell_format(b, mark, side, (int)decimals));
        return;
    }
    snprintf(z, sizeof z, "%s%s", paper_mark_sign(mark), text);
    worksheet_write_string(b->sheet, b->row, c, z, cell_format(b, mark, side, -1));
}

static void cell(struct book *b, lxw_col_t c, const json_t *col, const json_t *v)
{
    const char *align = paper_str(col, "align");
    const unsigned side = strcmp(align, "right") == 0 ? 1 : strcmp(align, "center") == 0 ? 2 : 0;
    value(b, c, paper_cell_text(v), paper_cell_mark(v), side, paper_flag(col, "number"));
}

static void table_head(struct book *b, const json_t *cols)
{
    size_t n = json_array_size(cols);
    bool grouped = false;
    for (size_t i = 0; i < n; i++)
        grouped = grouped || paper_str(json_array_get(cols, i), "group")[0];
    lxw_row_t last = b->row + (grouped ? 1 : 0);
    for (size_t i = 0, span; i < n; i += span) {
        const char *group = paper_str(json_array_get(cols, i), "group");
        for (span = 1;
             group[0] && i + span < n && strcmp(paper_str(json_array_get(cols, i + span), "group"), group) == 0;)
            span++;
        if (!group[0] && grouped)
            worksheet_merge_range(b->sheet, b->row, (lxw_col_t)i, last, (lxw_col_t)i,
                                  paper_str(json_array_get(cols, i), "title"), b->th);
        else if (group[0] && span > 1)
            worksheet_merge_range(b->sheet, b->row, (lxw_col_t)i, b->row, (lxw_col_t)(i + span - 1), group, b->th);
        else
            worksheet_write_string(b->sheet, b->row, (lxw_col_t)i,
                                   group[0] ? group : paper_str(json_array_get(cols, i), "title"), b->th);
        for (size_t k = i; group[0] && k < i + span; k++)
            worksheet_write_string(b->sheet, last, (lxw_col_t)k, paper_str(json_array_get(cols, k), "title"), b->th);
    }
    b->row = last + 1;
}

static void table(struct book *b, const json_t *t)
{
    const json_t *cols = json_object_get(t, "cols"), *rows = json_object_get(t, "rows");
    across(b, paper_str(t, "caption"), b->bold);
    table_head(b, cols);
    for (size_t r = 0; r < json_array_size(rows); r++, b->row++)
        for (size_t c = 0; c < json_array_size(cols); c++)
            cell(b, (lxw_col_t)c, json_array_get(cols, c), json_array_get(json_array_get(rows, r), c));
    b->row++;
}

static void figures(struct book *b, const json_t *o)
{
    const json_t *items = json_object_get(o, "items");
    for (size_t i = 0; i < json_array_size(items); i++, b->row++) {
        const json_t *f = json_array_get(items, i);
        value(b, 0, paper_str(f, "label"), "", 0, false);
        value(b, 1, paper_str(f, "value"), paper_str(f, "mark"), 1, true);
        value(b, 2, paper_str(f, "unit"), "", 0, false);
        value(b, 3, paper_str(f, "note"), "", 0, false);
    }
    b->row++;
}

/* A chart is its numbers: a row per label. */
static void chart(struct book *b, const json_t *o)
{
    const json_t *labels = json_object_get(o, "labels"), *series = json_object_get(o, "series");
    unsigned decimals = (unsigned)json_integer_value(json_object_get(o, "decimals"));
    char z[PAPER_TEXT_MAX + 32];
    snprintf(z, sizeof z, "%s%s%s%s", paper_str(o, "caption"), paper_str(o, "unit")[0] ? " (" : "",
             paper_str(o, "unit"), paper_str(o, "unit")[0] ? ")" : "");
    across(b, z, b->bold);
    worksheet_write_string(b->sheet, b->row, 0, "", b->th);
    for (size_t s = 0; s < json_array_size(series); s++)
        worksheet_write_string(b->sheet, b->row, (lxw_col_t)(s + 1), paper_str(json_array_get(series, s), "name"),
                               b->th);
    b->row++;
    for (size_t i = 0; i < json_array_size(labels); i++, b->row++) {
        value(b, 0, json_string_value(json_array_get(labels, i)), "", 0, false);
        for (size_t s = 0; s < json_array_size(series); s++) {
            const json_t *v = json_array_get(json_object_get(json_array_get(series, s), "values"), i);
            char n[32] = "";
            if (!json_is_null(v))
                lt_fix_format(json_integer_value(v), decimals, n);
            value(b, (lxw_col_t)(s + 1), n, "", 1, true);
        }
    }
    b->row++;
}

static void block(struct book *b, const json_t *o)
{
    const char *t = paper_str(o, "t");
    if (strcmp(t, "heading") == 0)
        across(b, paper_str(o, "text"), b->bold);
    else if (strcmp(t, "text") == 0)
        across(b, paper_str(o, "text"), b->plain);
    else if (strcmp(t, "note") == 0)
        across(b, paper_str(o, "text"), b->note);
    else if (strcmp(t, "figures") == 0)
        figures(b, o);
    else if (strcmp(t, "table") == 0)
        table(b, o);
    else if (strcmp(t, "chart") == 0)
        chart(b, o);
}

static void fill(struct book *b, const json_t *root)
{
    char line[2 * PAPER_TEXT_MAX + 8];
    const json_t *blocks = json_object_get(root, "blocks");
    formats(b);
    b->width = widest(blocks);
    worksheet_set_paper(b->sheet, 9); /* A4 */
    if (paper_flag(root, "landscape"))
        worksheet_set_landscape(b->sheet);
    worksheet_fit_to_pages(b->sheet, 1, 0);
    worksheet_set_column(b->sheet, 0, 0, 22, NULL);
    worksheet_set_column(b->sheet, 1, (lxw_col_t)(b->width - 1), 12, NULL);
    across(b, paper_str(root, "org"), b->org);
    across(b, paper_str(root, "title"), b->title);
    snprintf(line, sizeof line, "%s    %s", paper_str(root, "number"), paper_str(root, "date"));
    across(b, line, b->plain);
    for (size_t i = 0; i < json_array_size(blocks); i++)
        block(b, json_array_get(blocks, i));
    across(b, paper_str(root, "footer"), b->note);
}

static void describe(struct book *b, const json_t *root)
{
    char title[128];
    lt_text_copy(title, sizeof title, paper_str(root, "title"));
    const char *date = paper_str(root, "date");
    int64_t at = INT64_C(946684800000); /* 2000-01-01 */
    if (strlen(date) >= 10)
        lt_time_parse_iso((struct lt_slice){date, 10}, 0, &at);
    char author[] = "Lantian";
    lxw_doc_properties d = {.title = title, .author = author, .created = (time_t)(at / 1000)};
    workbook_set_properties(b->book, &d);
}

enum lt_err paper_xlsx(struct lt_slice model, struct lt_buf *out, struct lt_error *err)
{
    json_t *root = NULL;
    enum lt_err e = paper_load(model, &root, err);
    if (e != LT_OK)
        return e;
    char path[64];
    struct book b = {0};
    int fd = memfd_create("paper", MFD_CLOEXEC); /* the library writes to a file by name only */
    if (fd >= 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        b.book = workbook_new(path);
    }
    b.sheet = b.book ? workbook_add_worksheet(b.book, NULL) : NULL;
    if (b.sheet) {
        describe(&b, root);
        fill(&b, root);
    }
    lxw_error status = b.book ? workbook_close(b.book) : LXW_ERROR_MEMORY_MALLOC_FAILED;
    if (!b.sheet || status != LXW_NO_ERROR)
        e = lt_fail(err, LT_E_IO, NULL, "XLSX", lxw_strerror(status), NULL);
    else
        e = sheet_take_file(fd, out, err);
    if (fd >= 0)
        close(fd);
    json_decref(root);
    return e;
}
