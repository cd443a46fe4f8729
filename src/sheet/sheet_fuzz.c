/* Fuzz target: any bytes as CSV; what was read, written again, reads the same. As XLSX: the bytes themselves, and the
 * bytes as the sheet part of a package. */
#include "sheet/sheet.h"

#include <assert.h>
#include <stdlib.h>
#include <zip.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct copy {
    struct lt_buf csv;
    uint64_t sum;
};

static uint64_t sum_cell(uint64_t h, struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return (h ^ 0x1f) * UINT64_C(1099511628211);
}

static bool take(void *user, const struct sheet_row *r)
{
    struct sheet_column cols[SHEET_COLS_MAX] = {{NULL, SHEET_TEXT}};
    struct copy *c = user;
    assert(r->n > 0 && r->n <= SHEET_COLS_MAX && r->cell[r->n - 1].n > 0);
    for (unsigned i = 0; i < r->n; i++) {
        assert(r->cell[i].n <= SHEET_CELL_MAX);
        c->sum = sum_cell(c->sum, r->cell[i]);
    }
    c->sum = sum_cell(c->sum, LT_LIT("\n"));
    sheet_csv_row(&c->csv, cols, r->cell, r->n);
    return true;
}

static void as_csv(struct lt_slice s)
{
    struct copy a = {.csv = LT_BUF_INIT(1u << 20)}, b = {.csv = LT_BUF_INIT(1u << 20)};
    struct lt_error err;
    if (sheet_read_csv(s, take, &a, &err) == LT_OK && !a.csv.failed && a.csv.n > 0) {
        /* a row whose first cell is quoted begins as a mark might: put one before, as the writer of files does */
        struct lt_buf file = LT_BUF_INIT(1u << 20);
        lt_buf_adds(&file, "\xEF\xBB\xBF");
        lt_buf_add(&file, a.csv.p, a.csv.n);
        assert(sheet_read_csv(lt_buf_slice(&file), take, &b, &err) == LT_OK);
        assert(a.sum == b.sum);
        lt_buf_fini(&file);
    }
    lt_buf_fini(&a.csv);
    lt_buf_fini(&b.csv);
}

static void add_part(zip_t *z, const char *name, const void *p, size_t n)
{
    zip_source_t *src = zip_source_buffer(z, p, n, 0);
    zip_int64_t i = zip_file_add(z, name, src, ZIP_FL_OVERWRITE);
    if (i >= 0)
        zip_set_file_compression(z, (zip_uint64_t)i, ZIP_CM_STORE, 0);
    else
        zip_source_free(src);
}

static void as_part(const uint8_t *data, size_t size)
{
    static const char book[] = "<workbook xmlns:r=\"r\"><sheets><sheet r:id=\"a\"/></sheets></workbook>";
    static const char rels[] = "<R><Relationship Id=\"a\" Target=\"s.xml\"/></R>";
    static const char styles[] =
        "<s><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"22\"/></cellXfs></s>";
    zip_error_t ze;
    zip_source_t *src = zip_source_buffer_create(NULL, 0, 0, &ze);
    assert(src);
    zip_source_keep(src);
    zip_t *z = zip_open_from_source(src, ZIP_TRUNCATE, &ze);
    assert(z);
    add_part(z, "xl/workbook.xml", book, sizeof book - 1);
    add_part(z, "xl/_rels/workbook.xml.rels", rels, sizeof rels - 1);
    add_part(z, "xl/styles.xml", styles, sizeof styles - 1);
    add_part(z, "xl/sharedStrings.xml", data, size);
    add_part(z, "xl/s.xml", data, size);
    if (zip_close(z) == 0 && zip_source_open(src) == 0) {
        char *p = malloc(size * 2 + 8192);
        zip_int64_t n = p ? zip_source_read(src, p, size * 2 + 8192) : -1;
        struct copy c = {.csv = LT_BUF_INIT(1u << 20)};
        struct lt_error err;
        if (n > 0 && sheet_read_xlsx((struct lt_slice){p, (size_t)n}, take, &c, &err) == LT_OK)
            assert(c.csv.failed || c.csv.n > 0 || c.sum == 0);
        lt_buf_fini(&c.csv);
        free(p);
        zip_source_close(src);
    }
    zip_source_free(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lt_slice s = {(const char *)data, size};
    struct copy c = {.csv = LT_BUF_INIT(1u << 20)};
    struct lt_error err;
    if (size > 8192)
        return 0;
    as_csv(s);
    if (sheet_is_xlsx(s) && sheet_read_xlsx(s, take, &c, &err) != LT_OK)
        assert(err.code != LT_E_OK);
    lt_buf_fini(&c.csv);
    if (size > 0 && data[0] == '<')
        as_part(data, size);
    return 0;
}
