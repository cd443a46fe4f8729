/* Tests of sheet: CSV after the RFC, XLSX as others write it, and files made to hurt. */
#include "sheet/sheet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <zip.h>

struct got {
    char text[4096];
    size_t n;
    unsigned rows, stop_at;
};

static bool on_row(void *user, const struct sheet_row *r)
{
    struct got *g = user;
    g->rows++;
    for (unsigned c = 0; c < r->n && g->n < sizeof g->text - 200; c++) {
        int k = snprintf(g->text + g->n, sizeof g->text - g->n, "%s%.*s", c ? "|" : "",
                         (int)(r->cell[c].n < 100 ? r->cell[c].n : 100), r->cell[c].p);
        g->n += (size_t)k;
    }
    if (g->n < sizeof g->text - 200)
        g->n += (size_t)snprintf(g->text + g->n, sizeof g->text - g->n, "/%u\n", r->row);
    return g->rows != g->stop_at;
}

static enum lt_err csv(struct lt_slice s, struct got *g)
{
    struct lt_error err;
    *g = (struct got){.n = 0};
    return sheet_read_csv(s, on_row, g, &err);
}

static void csv_after_the_rfc(void **state)
{
    struct got g;
    assert_int_equal(csv(LT_LIT("\xEF\xBB\xBF"
                                "a,b,c\r\n1,\"x, \"\"y\"\"\",\n,,\n\"two\nlines\",'=1+1,''=2\r\nlast"),
                         &g),
                     LT_OK);
    assert_string_equal(g.text, "a|b|c/1\n1|x, \"y\"/2\ntwo\nlines|=1+1|'=2/4\nlast/5\n");
    assert_int_equal(csv(LT_LIT(""), &g), LT_OK);
    assert_int_equal(g.rows, 0);
    assert_int_equal(csv(LT_LIT("\"open"), &g), LT_E_BAD_INPUT);
    assert_int_equal(csv(LT_LIT("\"a\"b,c"), &g), LT_E_BAD_INPUT);
    assert_int_equal(csv(LT_LIT("\xC6\xF3\xD2\xB5"), &g), LT_E_BAD_INPUT); /* GBK */
    assert_int_equal(csv((struct lt_slice){"a\0b", 3}, &g), LT_E_BAD_INPUT);
}

static void csv_bounds(void **state)
{
    struct got g;
    struct lt_buf b = LT_BUF_INIT(32u << 20);
    for (int i = 0; i < 64; i++)
        lt_buf_adds(&b, ",");
    assert_int_equal(csv(lt_buf_slice(&b), &g), LT_OK); /* empty cells beyond the last column do no harm */
    lt_buf_adds(&b, "x");
    assert_int_equal(csv(lt_buf_slice(&b), &g), LT_E_LIMIT_SIZE);
    lt_buf_clear(&b);
    for (int i = 0; i < SHEET_CELL_MAX; i++)
        lt_buf_addc(&b, 'x');
    assert_int_equal(csv(lt_buf_slice(&b), &g), LT_OK);
    lt_buf_addc(&b, 'x');
    assert_int_equal(csv(lt_buf_slice(&b), &g), LT_E_TOO_LARGE);
    lt_buf_clear(&b);
    for (int i = 0; i < SHEET_ROWS_MAX; i++)
        lt_buf_adds(&b, "x\n");
    assert_int_equal(csv(lt_buf_slice(&b), &g), LT_OK);
    lt_buf_adds(&b, "x\n");
    assert_int_equal(csv(lt_buf_slice(&b), &g), LT_E_LIMIT_SIZE);
    static char huge[SHEET_FILE_MAX + 1];
    memset(huge, '\n', sizeof huge);
    assert_int_equal(csv((struct lt_slice){huge, sizeof huge}, &g), LT_E_TOO_LARGE);
    lt_buf_fini(&b);
}

/* ---- XLSX made by hand ---- */

#define WORKBOOK                                                                                                       \
    "<workbook xmlns:r=\"r\"><sheets><sheet name=\"x\" sheetId=\"1\" state=\"hidden\" r:id=\"rId9\"/>"                 \
    "<sheet name=\"s\" sheetId=\"2\" r:id=\"rId1\"/></sheets></workbook>"
#define RELS                                                                                                           \
    "<Relationships><Relationship Id=\"rId9\" Target=\"worksheets/hidden.xml\"/>"                                      \
    "<Relationship Id=\"rId1\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
#define STYLES                                                                                                           \
    "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;\"/>" \
    "<numFmt numFmtId=\"165\" formatCode=\"[Red]0.00&quot;day&quot;\"/><numFmt numFmtId=\"166\" "                        \
    "formatCode=\"yyyy-mm-dd hh:mm\"/></numFmts><cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs>"                      \
    "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"164\"/><xf numFmtId=\"165\"/>"                     \
    "<xf numFmtId=\"166\"/></cellXfs></styleSheet>"

static void pack(struct lt_buf *out, const char *const parts[][2], size_t n)
{
    zip_error_t ze;
    zip_source_t *src = zip_source_buffer_create(NULL, 0, 0, &ze);
    zip_source_keep(src);
    zip_t *z = zip_open_from_source(src, ZIP_TRUNCATE, &ze);
    assert_non_null(z);
    for (size_t i = 0; i < n; i++) {
        zip_source_t *part = zip_source_buffer(z, parts[i][1], strlen(parts[i][1]), 0);
        assert_true(zip_file_add(z, parts[i][0], part, ZIP_FL_OVERWRITE) >= 0);
    }
    assert_int_equal(zip_close(z), 0);
    assert_int_equal(zip_source_open(src), 0);
    zip_source_seek(src, 0, SEEK_END);
    zip_int64_t size = zip_source_tell(src);
    zip_source_seek(src, 0, SEEK_SET);
    char *p = lt_buf_reserve(out, (size_t)size);
    assert_non_null(p);
    assert_int_equal(zip_source_read(src, p, (zip_uint64_t)size), size);
    out->n += (size_t)size;
    zip_source_close(src);
    zip_source_free(src);
}

static enum lt_err xlsx(const char *sheet, const char *strings, struct got *g, struct lt_error *err)
{
    struct lt_buf b = LT_BUF_INIT(128u << 20);
    const char *const parts[][2] = {{"xl/workbook.xml", WORKBOOK},
                                    {"xl/_rels/workbook.xml.rels", RELS},
                                    {"xl/styles.xml", STYLES},
                                    {"xl/worksheets/sheet1.xml", sheet},
                                    {"xl/sharedStrings.xml", strings}};
    pack(&b, parts, strings ? 5 : 4);
    *g = (struct got){.n = 0};
    enum lt_err e = sheet_read_xlsx(lt_buf_slice(&b), on_row, g, err);
    lt_buf_fini(&b);
    return e;
}

static void xlsx_of_others(void **state)
{
    struct got g;
    struct lt_error err;
    enum lt_err e = xlsx(
        "<x:worksheet xmlns:x=\"m\"><x:sheetData>"
        "<x:row r=\"1\"><x:c r=\"A1\" t=\"s\"><x:v>0</x:v></x:c><x:c r=\"C1\" t=\"s\"><x:v>1</x:v></x:c></x:row>"
        "<x:row r=\"3\" hidden=\"1\"><x:c r=\"A3\" s=\"1\"><x:v>46351</x:v></x:c>"
        "<x:c r=\"B3\" s=\"2\"><x:v>46351.5</x:v></x:c><x:c r=\"C3\" s=\"3\"><x:v>35.100000000000001</x:v></x:c>"
        "<x:c r=\"D3\"><x:v>9.1410100000000006E+17</x:v></x:c><x:c r=\"E3\"><x:v>1E-3</x:v></x:c>"
        "<x:c r=\"F3\" s=\"4\"><x:v>46351.333333333336</x:v></x:c></x:row>"
        "<x:row><x:c t=\"b\"><x:v>1</x:v></x:c><x:c t=\"inlineStr\"><x:is><x:t>in</x:t><x:rPh><x:t>no</x:t></x:rPh>"
        "</x:is></x:c><x:c t=\"str\"><x:f>A1</x:f><x:v>calc</x:v></x:c><x:c t=\"e\"><x:v>#REF!</x:v></x:c>"
        "<x:c><x:v>123456789012345</x:v></x:c></x:row></x:sheetData></x:worksheet>",
        "<sst><si><t>名称</t></si><si><r><t>富</t></r><r><t>文本</t></r><rPh><t>no</t></rPh></si></sst>", &g, &err);
    assert_int_equal(e, LT_OK);
    assert_string_equal(g.text,
                        "名称||富文本/1\n2026-11-25|2026-11-25T12:00:00|35.1|9.14101e+17|0.001|2026-11-25T08:00:00/3\n"
                        "TRUE|in|calc|#REF!|123456789012345/4\n");
}

#define CELL(c) "<worksheet><sheetData><row r=\"1\">" c "</row></sheetData></worksheet>"

static void hostile_xlsx(void **state)
{
    static const struct {
        const char *sheet, *strings;
        enum lt_err code;
    } bad[] = {
        {CELL("<c r=\"A1\" t=\"s\"><v>5</v></c>"), "<sst/>", LT_E_BAD_INPUT},
        {CELL("<c r=\"A1\" t=\"s\"><v>-1</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"A1\" t=\"s\"><v>99999999999999999999</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"A1\"><v>nan</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"A1\"><v>0x41</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"A1\"><v>1e999</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"ZZZZZ1\"><v>1</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"1A\"><v>1</v></c>"), NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"XFD1\"><v>1</v></c>"), NULL, LT_E_LIMIT_SIZE},
        {"<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\">]><worksheet>&b;</worksheet>", NULL, LT_E_BAD_INPUT},
        {"<worksheet><sheetData><row><c><v>1", NULL, LT_E_BAD_INPUT},
        {"", NULL, LT_E_BAD_INPUT},
        {"not xml", NULL, LT_E_BAD_INPUT},
        {CELL("<c r=\"A1\"><v>1</v></c>"), "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><sst/>", LT_E_BAD_INPUT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct got g;
        struct lt_error err = {0};
        enum lt_err e = xlsx(bad[i].sheet, bad[i].strings, &g, &err);
        if (e != bad[i].code)
            print_error("case %zu: %s\n", i, lt_err_name(e));
        assert_int_equal(e, bad[i].code);
        assert_int_equal(err.code, e);
    }
    struct got g;
    struct lt_error err;
    char text[200];
    assert_int_equal(xlsx(CELL("<c r=\"XFD1\"><v>1</v></c>"), NULL, &g, &err), LT_E_LIMIT_SIZE);
    lt_error_text(&err, LT_ZH, text, sizeof text);
    assert_non_null(strstr(text, "第 1 行第 16384 列")); /* where, in the reader's language */
    assert_int_equal(sheet_read_csv(LT_LIT("a\n\"b"), on_row, &g, &err), LT_E_BAD_INPUT);
    lt_error_text(&err, LT_ZH, text, sizeof text);
    assert_string_equal(text, "第 2 行：引号未闭合");
}

static void bombs(void **state)
{
    enum { BYTES = 90 * 1024 * 1024 };
    static const char head[] = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>";
    struct got g;
    struct lt_error err;
    char *sheet = malloc(BYTES + 1);
    assert_non_null(sheet);
    memset(sheet, 'a', BYTES);
    memcpy(sheet, head, sizeof head - 1);
    sheet[BYTES] = '\0';
    assert_int_equal(xlsx(sheet, NULL, &g, &err), LT_E_TOO_LARGE); /* said to be too large */
    sheet[20 * 1024 * 1024] = '\0';
    assert_int_equal(xlsx(sheet, NULL, &g, &err), LT_E_TOO_LARGE); /* a thousand to one */
    free(sheet);
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    const char *const none[][2] = {{"readme.txt", "hello"}};
    pack(&b, none, 1);
    g = (struct got){.n = 0};
    assert_int_equal(sheet_read_xlsx(lt_buf_slice(&b), on_row, &g, &err), LT_E_BAD_INPUT);
    b.n -= 10; /* the directory at the end is cut */
    assert_int_equal(sheet_read_xlsx(lt_buf_slice(&b), on_row, &g, &err), LT_E_BAD_INPUT);
    assert_int_equal(sheet_read_xlsx(LT_LIT("PK\x03\x04"), on_row, &g, &err), LT_E_BAD_INPUT);
    assert_int_equal(sheet_read_xlsx(LT_LIT("plain"), on_row, &g, &err), LT_E_BAD_INPUT);
    lt_buf_fini(&b);
}

static void written_is_read_again(void **state)
{
    static const struct sheet_column cols[] = {
        {"文本", SHEET_TEXT}, {"数", SHEET_NUMBER}, {"日", SHEET_DATE}, {"时", SHEET_DATETIME}};
    const struct lt_slice rows[][4] = {
        {LT_LIT("=1+1"), LT_LIT("-0.000001"), LT_LIT("2026-11-25"), LT_LIT("2026-11-25T08:00:00")},
        {LT_LIT("914101000000000012"), LT_LIT("1234567890123456789"), LT_LIT("1970-01-01"),
         LT_LIT("2024-02-29T23:59:59")},
        {LT_LIT("a\nb"), LT_LIT("123456789.123456"), LT_LIT(""), LT_LIT("")},
    };
    struct sheet_writer *w = NULL;
    struct lt_buf b = LT_BUF_INIT(4u << 20);
    struct lt_error err;
    struct got g = {.n = 0};
    assert_int_equal(
        sheet_xlsx_create("企业/名单[很长很长很长很长很长很长很长很长很长很长很长很长]", cols, 4, &w, &err), LT_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(sheet_xlsx_row(w, rows[i], &err), LT_OK);
    assert_int_equal(sheet_xlsx_finish(&w, &b, &err), LT_OK);
    assert_true(sheet_is_xlsx(lt_buf_slice(&b)));
    assert_int_equal(sheet_read_xlsx(lt_buf_slice(&b), on_row, &g, &err), LT_OK);
    assert_string_equal(
        g.text, "文本|数|日|时/1\n=1+1|-0.000001|2026-11-25|2026-11-25T08:00:00/2\n"
                "914101000000000012|1234567890123456789|1970-01-01|2024-02-29T23:59:59/3\na\nb|123456789.123456/4\n");
    g = (struct got){.stop_at = 2};
    assert_int_equal(sheet_read_xlsx(lt_buf_slice(&b), on_row, &g, &err), LT_OK); /* the caller has seen enough */
    assert_int_equal(g.rows, 2);
    lt_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_after_the_rfc), cmocka_unit_test(csv_bounds), cmocka_unit_test(xlsx_of_others),
        cmocka_unit_test(hostile_xlsx),      cmocka_unit_test(bombs),      cmocka_unit_test(written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
