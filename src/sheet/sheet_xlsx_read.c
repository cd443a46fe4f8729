/* XLSX in: libzip unpacks, expat parses in pieces, nothing is held but the shared strings and one row. The bounds of
 * sheet.h hold at every step, since a small file can unpack to anything. */
#include "base/clock.h"
#include "base/text.h"
#include "sheet/sheet_priv.h"

#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zip.h>

#define PIECE         65536
#define ENTRIES_MAX   4096       /* parts of the package; a sheet of ours has 12, one full of pictures some hundred */
#define STRINGS_MAX   (1u << 20) /* shared strings: 20,000 rows of 50 different texts */
#define STRINGS_BYTES (48u << 20)
#define STYLES_MAX    65536 /* Excel's own limit is 65,490 */
#define FORMATS_MAX   4096
#define SERIAL_MAX    2958466 /* 1 January 10000 */
#define SERIAL_1970   25569   /* days from 30 December 1899 */
#define SHIFT_1904    1462

struct strings {
    struct lt_buf bytes;
    uint32_t *end; /* where string i ends in bytes */
    size_t n, cap;
};

enum in_text { TEXT_NONE, TEXT_VALUE, TEXT_INLINE };

struct xlsx {
    zip_t *zip;
    XML_Parser parser;
    bool stopped; /* by a handler: e is set */
    enum lt_err e;
    struct lt_error *err;
    /* workbook */
    char sheet_rel[64], sheet_path[256];
    bool has_sheet, is_1904;
    /* strings */
    struct strings strings;
    bool in_si, in_phonetic;
    /* styles */
    uint8_t *date_style; /* per cellXfs index: 1 date, 2 date and time */
    unsigned n_styles;
    struct {
        unsigned id;
        uint8_t date;
    } * formats;
    unsigned n_formats;
    bool in_xfs;
    /* rows */
    struct sheet_line row;
    bool (*each)(void *user, const struct sheet_row *r);
    void *user;
    bool go_on, in_row;
    char type[12];
    unsigned style, col, last_row;
    enum in_text in_text;
};

static void fail(struct xlsx *x, enum lt_err code, const char *a0, const char *a1)
{
    if (x->e == LT_OK)
        x->e = lt_fail(x->err, code, NULL, a0, a1, NULL);
    x->stopped = true;
    XML_StopParser(x->parser, XML_FALSE);
}

/* The part of a name behind its prefix: some writers put "x:" before every element. */
static const char *local(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

static const char *attr(const char **atts, const char *name)
{
    for (size_t i = 0; atts[i]; i += 2)
        if (strcmp(atts[i], name) == 0)
            return atts[i + 1];
    return NULL;
}

static unsigned attr_number(const char **atts, const char *name, unsigned otherwise)
{
    const char *z = attr(atts, name);
    uint64_t v;
    return z && lt_text_to_u64(lt_slice_of(z), &v) && v <= UINT32_MAX ? (unsigned)v : otherwise;
}

/* ---- one part of the package ---- */

static void XMLCALL no_doctype(void *user, const char *name, const char *sysid, const char *pubid, int internal)
{
    fail(user, LT_E_BAD_INPUT, "XLSX: a document type declaration / 含有 DTD 声明", NULL);
}

static enum lt_err feed(struct xlsx *x, zip_file_t *f, zip_uint64_t packed, struct lt_error *err)
{
    zip_uint64_t total = 0;
    for (;;) {
        void *p = XML_GetBuffer(x->parser, PIECE);
        if (!p)
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        zip_int64_t n = zip_fread(f, p, PIECE);
        if (n < 0)
            return lt_fail(err, LT_E_BAD_INPUT, NULL, "XLSX: a part is damaged / 文件已损坏", NULL, NULL);
        total += (zip_uint64_t)n;
        if (total > SHEET_UNPACKED_MAX || (total > (1u << 20) && total / (packed + 1) > SHEET_RATIO_MAX))
            return lt_fail(err, LT_E_TOO_LARGE, NULL, "XLSX", "80 MB", NULL);
        enum XML_Status s = XML_ParseBuffer(x->parser, (int)n, n == 0);
        if (x->e != LT_OK)
            return x->e;
        if (x->stopped)
            return LT_OK; /* the caller has seen enough */
        if (s != XML_STATUS_OK)
            return lt_failf(err, LT_E_BAD_INPUT, NULL, "XLSX: line %lu: %s",
                            (unsigned long)XML_GetCurrentLineNumber(x->parser),
                            XML_ErrorString(XML_GetErrorCode(x->parser)));
        if (n == 0)
            return LT_OK;
    }
}

/* Parses one part. LT_E_NOT_FOUND when the package has none of that name. */
static enum lt_err parse_part(struct xlsx *x, const char *name, XML_StartElementHandler start,
                              XML_EndElementHandler end, XML_CharacterDataHandler text)
{
    zip_stat_t st;
    if (zip_stat(x->zip, name, ZIP_FL_NOCASE, &st) != 0)
        return lt_fail(x->err, LT_E_NOT_FOUND, NULL, "XLSX", name, NULL);
    if (!(st.valid & ZIP_STAT_COMP_SIZE) || st.size > SHEET_UNPACKED_MAX)
        return lt_fail(x->err, LT_E_TOO_LARGE, NULL, "XLSX", "80 MB", NULL);
    zip_file_t *f = zip_fopen_index(x->zip, st.index, 0);
    if (!f)
        return lt_fail(x->err, LT_E_BAD_INPUT, NULL, "XLSX: a part is damaged or encrypted / 文件已损坏或加密", NULL,
                       NULL);
    enum lt_err e = LT_OK;
    x->parser = XML_ParserCreate(NULL);
    x->stopped = false;
    if (!x->parser) {
        e = lt_fail(x->err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    } else {
        XML_SetUserData(x->parser, x);
        XML_SetElementHandler(x->parser, start, end);
        XML_SetCharacterDataHandler(x->parser, text);
        XML_SetStartDoctypeDeclHandler(x->parser, no_doctype);
        e = feed(x, f, st.comp_size, x->err);
        XML_ParserFree(x->parser);
    }
    x->parser = NULL;
    zip_fclose(f);
    return e;
}

/* ---- workbook and its relations ---- */

static void XMLCALL workbook_start(void *user, const char *name, const char **atts)
{
    struct xlsx *x = user;
    const char *l = local(name);
    if (strcmp(l, "workbookPr") == 0) {
        const char *v = attr(atts, "date1904");
        x->is_1904 = v && (strcmp(v, "1") == 0 || strcmp(v, "true") == 0);
    }
    if (strcmp(l, "sheet") != 0 || x->has_sheet)
        return;
    const char *state = attr(atts, "state"), *id = NULL;
    if (state && strcmp(state, "visible") != 0)
        return;
    for (size_t i = 0; atts[i]; i += 2) /* r:id, whatever the prefix */
        if (strcmp(local(atts[i]), "id") == 0 && strcmp(atts[i], "id") != 0)
            id = atts[i + 1];
    if (!id || strlen(id) >= sizeof x->sheet_rel)
        return;
    lt_text_copy(x->sheet_rel, sizeof x->sheet_rel, id);
    x->has_sheet = true;
}

static void XMLCALL rels_start(void *user, const char *name, const char **atts)
{
    struct xlsx *x = user;
    const char *id = attr(atts, "Id"), *target = attr(atts, "Target");
    if (strcmp(local(name), "Relationship") != 0 || !id || !target || strcmp(id, x->sheet_rel) != 0)
        return;
    if (target[0] == '/')
        snprintf(x->sheet_path, sizeof x->sheet_path, "%s", target + 1);
    else
        snprintf(x->sheet_path, sizeof x->sheet_path, "xl/%s", target);
}

static void XMLCALL no_end(void *user, const char *name)
{
}

/* ---- shared strings ---- */

static void XMLCALL strings_start(void *user, const char *name, const char **atts)
{
    struct xlsx *x = user;
    const char *l = local(name);
    if (strcmp(l, "si") == 0)
        x->in_si = true;
    else if (strcmp(l, "rPh") == 0)
        x->in_phonetic = true;
    x->in_text = x->in_si && !x->in_phonetic && strcmp(l, "t") == 0 ? TEXT_VALUE : TEXT_NONE;
}

static void XMLCALL strings_text(void *user, const char *s, int n)
{
    struct xlsx *x = user;
    if (x->in_text == TEXT_NONE)
        return;
    lt_buf_add(&x->strings.bytes, s, (size_t)n);
    if (x->strings.bytes.failed)
        fail(x, LT_E_TOO_LARGE, "XLSX", "48 MB");
}

static void XMLCALL strings_end(void *user, const char *name)
{
    struct xlsx *x = user;
    struct strings *s = &x->strings;
    const char *l = local(name);
    if (strcmp(l, "rPh") == 0)
        x->in_phonetic = false;
    x->in_text = TEXT_NONE;
    if (strcmp(l, "si") != 0)
        return;
    x->in_si = false;
    if (s->n == STRINGS_MAX) {
        fail(x, LT_E_LIMIT_SIZE, "texts of the XLSX / 文本数（XLSX）", "1048576");
        return;
    }
    if (!lt_grow(&s->end, s->n, &s->cap, sizeof *s->end)) {
        fail(x, LT_E_NOMEM, NULL, NULL);
        return;
    }
    s->end[s->n++] = (uint32_t)s->bytes.n;
}

static bool string_at(const struct strings *s, uint64_t i, struct lt_slice *ret)
{
    if (i >= s->n)
        return false;
    uint32_t from = i ? s->end[i - 1] : 0;
    *ret = s->bytes.p ? (struct lt_slice){s->bytes.p + from, s->end[i] - from} : LT_LIT("");
    return true;
}

/* ---- styles: which cells are dates ---- */

static uint8_t date_of_code(const char *code)
{
    bool date = false, time = false;
    for (const char *p = code; *p; p++) {
        if (*p == '"') {
            p = strchr(p + 1, '"');
            if (!p)
                break;
        } else if (*p == '[') {
            const char *end = strchr(p, ']');
            if (!end)
                break;
            time = time || p[1] == 'h' || p[1] == 'm' || p[1] == 's'; /* [h]:mm */
            p = end;
        } else if (*p == '\\' || *p == '_' || *p == '*') {
            if (!p[1])
                break;
            p++;
        } else if (strchr("ydYD", *p)) {
            date = true;
        } else if (strchr("hsHS", *p)) {
            time = true;
        }
    }
    return date ? (time ? 2 : 1) : 0; /* a time of day alone is left as the number it is */
}

static uint8_t date_of_format(const struct xlsx *x, unsigned id)
{
    for (unsigned i = 0; i < x->n_formats; i++)
        if (x->formats[i].id == id)
            return x->formats[i].date;
    /* ECMA-376 part 1, 18.8.30: built-in formats; 27–36 and 50–58 are the East Asian dates */
    if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || id == 36 || (id >= 50 && id <= 58))
        return 1;
    return id == 22 ? 2 : 0;
}

static void add_format(struct xlsx *x, const char **atts)
{
    const char *code = attr(atts, "formatCode");
    if (!code || x->n_formats == FORMATS_MAX)
        return;
    x->formats[x->n_formats].id = attr_number(atts, "numFmtId", 0);
    x->formats[x->n_formats++].date = date_of_code(code);
}

static void XMLCALL styles_start(void *user, const char *name, const char **atts)
{
    struct xlsx *x = user;
    const char *l = local(name);
    if (strcmp(l, "numFmt") == 0)
        add_format(x, atts);
    else if (strcmp(l, "cellXfs") == 0)
        x->in_xfs = true;
    else if (x->in_xfs && strcmp(l, "xf") == 0 && x->n_styles < STYLES_MAX)
        x->date_style[x->n_styles++] = date_of_format(x, attr_number(atts, "numFmtId", 0));
}

static void XMLCALL styles_end(void *user, const char *name)
{
    struct xlsx *x = user;
    if (strcmp(local(name), "cellXfs") == 0)
        x->in_xfs = false;
}

/* ---- rows ---- */

/* "AB12" to 27; the number of digits does not matter. UINT32_MAX when it is no reference. */
static unsigned column_of(const char *ref)
{
    unsigned col = 0, n = 0;
    for (; *ref >= 'A' && *ref <= 'Z' && n < 4; ref++, n++)
        col = col * 26 + (unsigned)(*ref - 'A' + 1);
    return n && *ref >= '0' && *ref <= '9' ? col - 1 : UINT32_MAX;
}

static void cell_begin(struct xlsx *x, const char **atts)
{
    const char *ref = attr(atts, "r"), *type = attr(atts, "t");
    x->col = ref ? column_of(ref) : x->row.col;
    if (x->col == UINT32_MAX) {
        fail(x, LT_E_BAD_INPUT, "XLSX: a cell without a place / 单元格位置无效", NULL);
        return;
    }
    x->row.col = x->col + 1;
    x->style = attr_number(atts, "s", 0);
    lt_text_copy(x->type, sizeof x->type, type ? type : "n");
    sheet_cell_begin(&x->row);
}

static void XMLCALL sheet_start(void *user, const char *name, const char **atts)
{
    struct xlsx *x = user;
    const char *l = local(name);
    if (strcmp(l, "row") == 0) {
        unsigned row = attr_number(atts, "r", x->last_row + 1);
        x->last_row = row;
        x->in_row = true;
        sheet_line_begin(&x->row, row);
    } else if (x->in_row && strcmp(l, "c") == 0) {
        cell_begin(x, atts);
    } else if (strcmp(l, "rPh") == 0) {
        x->in_phonetic = true;
    } else if (x->in_row && strcmp(l, "v") == 0) {
        x->in_text = TEXT_VALUE;
    } else if (x->in_row && strcmp(l, "t") == 0 && !x->in_phonetic) {
        x->in_text = TEXT_INLINE;
    }
}

static void XMLCALL sheet_text(void *user, const char *s, int n)
{
    struct xlsx *x = user;
    if (x->in_text != TEXT_NONE)
        sheet_cell_add(&x->row, s, (size_t)n);
}

/* A spreadsheet keeps binary doubles; fifteen digits give back the decimal that was typed. Larger whole numbers have
 * lost digits already (an 18-digit code became 9.14E+17): they keep the exponent, so that no check takes them for the
 * code. */
static struct lt_slice number_text(double v, char ret[64])
{
    int n = snprintf(ret, 64, "%.15g", v);
    const char *e = strchr(ret, 'e');
    int64_t exponent = 0;
    if (e && fabs(v) < 1e-4 && lt_text_to_i64(lt_slice_of(e + 1), &exponent) && exponent > -30) {
        n = snprintf(ret, 64, "%.*f", (int)(14 - exponent), v); /* the same fifteen digits, written out */
        while (n > 1 && ret[n - 1] == '0')
            n--;
        if (ret[n - 1] == '.')
            n--;
    }
    return (struct lt_slice){ret, (size_t)n};
}

static struct lt_slice date_text(double serial, bool is_1904, uint8_t kind, char ret[64])
{
    int64_t seconds = (int64_t)llround(serial * 86400.0) + (is_1904 ? (int64_t)SHIFT_1904 * 86400 : 0);
    int64_t ms = (seconds - (int64_t)SERIAL_1970 * 86400) * 1000;
    struct lt_civil c = lt_civil_of(ms, 0);
    bool time = kind == 2 || c.hour || c.minute || c.second;
    int n = time
                ? snprintf(ret, 64, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second)
                : snprintf(ret, 64, "%04d-%02d-%02d", c.year, c.month, c.day);
    return (struct lt_slice){ret, (size_t)n};
}

static void put_cell(struct xlsx *x, struct lt_slice text)
{
    x->e = sheet_cell_put(&x->row, x->col, text, x->err);
    if (x->e != LT_OK)
        fail(x, x->e, NULL, NULL);
}

static void put_number(struct xlsx *x, struct lt_slice text)
{
    char z[64], out[64];
    char *end = NULL;
    if (text.n == 0)
        return;
    if (text.n >= sizeof z || memchr(text.p, 'x', text.n) || memchr(text.p, 'X', text.n)) {
        fail(x, LT_E_BAD_INPUT, "XLSX: a number that is none / 数字无效", NULL);
        return;
    }
    lt_text_copy_slice(z, sizeof z, text);
    double v = strtod(z, &end);
    if (*end != '\0' || !isfinite(v)) {
        fail(x, LT_E_BAD_INPUT, "XLSX: a number that is none / 数字无效", NULL);
        return;
    }
    uint8_t date = x->style < x->n_styles ? x->date_style[x->style] : 0;
    struct lt_slice s = date && v >= 1 && v < SERIAL_MAX ? date_text(v, x->is_1904, date, out) : number_text(v, out);
    sheet_cell_begin(&x->row);
    sheet_cell_add(&x->row, s.p, s.n);
    put_cell(x, sheet_cell_text(&x->row));
}

static void cell_end(struct xlsx *x)
{
    struct lt_slice text = sheet_cell_text(&x->row);
    uint64_t i;
    if (strcmp(x->type, "n") == 0) {
        put_number(x, text);
        return;
    }
    if (strcmp(x->type, "s") == 0 && text.n && (!lt_text_to_u64(text, &i) || !string_at(&x->strings, i, &text))) {
        fail(x, LT_E_BAD_INPUT, "XLSX: a text that is missing / 缺少文本", NULL);
        return;
    }
    if (strcmp(x->type, "b") == 0)
        text = lt_slice_is(text, "1") ? LT_LIT("TRUE") : LT_LIT("FALSE");
    put_cell(x, text);
}

static void XMLCALL sheet_end(void *user, const char *name)
{
    struct xlsx *x = user;
    const char *l = local(name);
    x->in_text = TEXT_NONE;
    if (x->stopped)
        return;
    if (x->in_row && strcmp(l, "c") == 0) {
        cell_end(x);
    } else if (strcmp(l, "rPh") == 0) {
        x->in_phonetic = false;
    } else if (strcmp(l, "row") == 0) {
        x->in_row = false;
        x->e = sheet_line_end(&x->row, x->each, x->user, &x->go_on, x->err);
        if (x->e != LT_OK || !x->go_on) {
            x->stopped = true;
            XML_StopParser(x->parser, XML_FALSE);
        }
    }
}

/* ---- all of it ---- */

static enum lt_err read_parts(struct xlsx *x)
{
    enum lt_err e = parse_part(x, "xl/workbook.xml", workbook_start, no_end, NULL);
    if (e == LT_OK && !x->has_sheet)
        return lt_fail(x->err, LT_E_BAD_INPUT, NULL, "XLSX: no visible sheet / 没有可见的工作表", NULL, NULL);
    if (e == LT_OK)
        e = parse_part(x, "xl/_rels/workbook.xml.rels", rels_start, no_end, NULL);
    if (e == LT_OK)
        e = parse_part(x, "xl/sharedStrings.xml", strings_start, strings_end, strings_text);
    if (e == LT_OK || e == LT_E_NOT_FOUND) /* a sheet of numbers has none */
        e = parse_part(x, "xl/styles.xml", styles_start, styles_end, NULL);
    if (e == LT_OK || e == LT_E_NOT_FOUND)
        e = parse_part(x, x->sheet_path, sheet_start, sheet_end, sheet_text);
    if (e == LT_E_NOT_FOUND)
        e = lt_fail(x->err, LT_E_BAD_INPUT, NULL, "not an XLSX file / 不是 XLSX 文件", NULL, NULL);
    return e;
}

static enum lt_err open_zip(struct lt_slice file, zip_t **ret, struct lt_error *err)
{
    zip_error_t ze;
    zip_error_init(&ze);
    zip_source_t *src = zip_source_buffer_create(file.p, file.n, 0, &ze);
    zip_t *z = src ? zip_open_from_source(src, ZIP_RDONLY, &ze) : NULL;
    if (!z && src)
        zip_source_free(src);
    zip_error_fini(&ze);
    if (!z)
        return lt_fail(err, LT_E_BAD_INPUT, NULL, "not an XLSX file / 不是 XLSX 文件", NULL, NULL);
    *ret = z;
    return LT_OK;
}

enum lt_err sheet_read_xlsx(struct lt_slice file, bool (*each)(void *user, const struct sheet_row *r), void *user,
                            struct lt_error *err)
{
    if (file.n > SHEET_FILE_MAX)
        return lt_fail(err, LT_E_TOO_LARGE, NULL, "file / 文件", "20 MB", NULL);
    if (!sheet_is_xlsx(file))
        return lt_fail(err, LT_E_BAD_INPUT, NULL, "not an XLSX file / 不是 XLSX 文件", NULL, NULL);
    struct xlsx *x = calloc(1, sizeof *x);
    if (!x)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    *x = (struct xlsx){
        .each = each, .user = user, .err = err, .go_on = true, .strings.bytes = LT_BUF_INIT(STRINGS_BYTES)};
    x->date_style = calloc(STYLES_MAX, 1);
    x->formats = calloc(FORMATS_MAX, sizeof *x->formats);
    enum lt_err e =
        x->date_style && x->formats ? sheet_line_init(&x->row, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        e = open_zip(file, &x->zip, err);
    if (e == LT_OK && zip_get_num_entries(x->zip, 0) > ENTRIES_MAX)
        e = lt_fail(err, LT_E_LIMIT_SIZE, NULL, "parts of the XLSX / 部件数（XLSX）", "4096", NULL);
    if (e == LT_OK)
        e = read_parts(x);
    if (x->zip)
        zip_discard(x->zip);
    lt_buf_fini(&x->strings.bytes);
    free(x->strings.end);
    free(x->date_style);
    free(x->formats);
    sheet_line_fini(&x->row);
    free(x);
    return e;
}
