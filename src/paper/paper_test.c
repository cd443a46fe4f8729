/* paper: one model in three forms; the same bytes each time; bad models are refused with their place. */
#include "base/fix.h"
#include "paper/paper.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <zip.h>

#define M LT_FIX_ONE

static void sample(struct paper *p, bool landscape, unsigned rows)
{
    static const char *const day[] = {"11-01", "11-02", "11-03", "11-04"};
    static const int64_t own[] = {35 * M, LT_FIX_NONE, 80 * M, 60 * M}, last[] = {40 * M, 50 * M, 70 * M, 61 * M};
    const struct paper_head h = {.landscape = landscape,
                                 .org = "示范市大气污染防治攻坚办公室",
                                 .number = "蓝天日报〔2026〕12号",
                                 .title = "空气质量日报 <试>",
                                 .date = "2026-11-25",
                                 .footer = "数据版本 42；数据未经审核，仅供参考。"};
    const struct paper_figure f[] = {{"PM2.5", "55.2", "µg/m³", "同比 -3.1 %", "l2"},
                                     {"优良天数", "280", "天", "", "good"},
                                     {"年剩余日控制值", "48.0", "µg/m³", "还剩 37 天", "bad"},
                                     {"空", "", "", "", ""}};
    const struct paper_col c[] = {{"区县", NULL, PAPER_LEFT, false},
                                  {"均值", "PM2.5", PAPER_RIGHT, true},
                                  {"同比", "PM2.5", PAPER_RIGHT, true},
                                  {"名次", NULL, PAPER_CENTRE, true}};
    const struct paper_series s[] = {{"今年", own}, {"去年", last}};
    paper_begin(p, &h);
    paper_figures(p, f, 4);
    paper_heading(p, "一、总体情况");
    paper_text(p, "截至 11 月 24 日，全市 PM2.5 均值 55.2 µg/m³ & 同比下降 3.1 %。\n第二行。");
    paper_table(p, "区县排名", c, 4);
    for (unsigned i = 0; i < rows; i++) {
        char rank[16];
        snprintf(rank, sizeof rank, "%u", i + 1);
        const struct paper_cell cell[] = {{"涧河区", ""}, {"60", "l3"}, {"-5.9", ""}, {rank, i == 2 ? "bad" : ""}};
        paper_row(p, cell, 4);
    }
    paper_table_end(p);
    const struct paper_chart chart = {.caption = "近日 PM2.5",
                                      .unit = "µg/m³",
                                      .label = day,
                                      .n = 4,
                                      .series = s,
                                      .n_series = 2,
                                      .limit = 75 * M,
                                      .limit_label = "二级限值 75"};
    paper_chart(p, &chart);
    struct paper_chart bars = chart;
    bars.bars = true;
    paper_chart(p, &bars);
    paper_note(p, "注：示范数据。");
    paper_page(p);
    paper_text(p, "第二页");
    struct lt_error err;
    assert_int_equal(paper_end(p, &err), LT_OK);
}

typedef enum lt_err (*render)(struct lt_slice model, struct lt_buf *out, struct lt_error *err);

static struct lt_buf drawn(render r, const struct paper *p)
{
    struct lt_buf out = LT_BUF_INIT(8u << 20);
    struct lt_error err;
    assert_int_equal(r(lt_buf_slice(&p->json), &out, &err), LT_OK);
    assert_true(out.n > 500);
    return out;
}

static void all_forms_are_the_same_each_time(void **state)
{
    (void)state;
    static const render forms[] = {paper_html, paper_pdf, paper_xlsx, paper_pdf_outlines};
    struct paper p;
    sample(&p, false, 60);
    for (size_t i = 0; i < 4; i++) {
        struct lt_buf a = drawn(forms[i], &p), b = drawn(forms[i], &p);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.p, b.p, a.n);
        const char *dir = getenv("PAPER_TEST_OUT"); /* to look at */
        if (dir) {
            char path[256];
            snprintf(path, sizeof path, "%s/paper.%s", dir,
                     i == 0   ? "html"
                     : i == 1 ? "pdf"
                     : i == 2 ? "xlsx"
                              : "shapes.pdf");
            FILE *f = fopen(path, "wb");
            assert_non_null(f);
            assert_int_equal(fwrite(a.p, 1, a.n, f), a.n);
            fclose(f);
        }
        lt_buf_fini(&a);
        lt_buf_fini(&b);
    }
    paper_fini(&p);
}

static void html_holds_everything_escaped(void **state)
{
    (void)state;
    struct paper p;
    sample(&p, true, 3);
    struct lt_buf out = drawn(paper_html, &p);
    lt_buf_addc(&out, '\0');
    static const char *const want[] = {"空气质量日报 &lt;试&gt;",
                                       "&amp; 同比",
                                       "蓝天日报〔2026〕12号",
                                       "年剩余日控制值",
                                       "▲ 48.0",
                                       "colspan=2>PM2.5",
                                       "#FFFF00",
                                       "二级限值 75",
                                       "数据版本 42",
                                       "第二页",
                                       "<svg"};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        if (!strstr(out.p, want[i]))
            fail_msg("missing: %s", want[i]);
    assert_null(strstr(out.p, "<script"));
    assert_null(strstr(out.p, "http"));
    lt_buf_fini(&out);
    paper_fini(&p);
}

static void pdf_breaks_pages(void **state)
{
    (void)state;
    struct paper few, many;
    sample(&few, false, 3);
    sample(&many, false, 200);
    struct lt_buf a = drawn(paper_pdf, &few), b = drawn(paper_pdf, &many);
    assert_memory_equal(a.p, "%PDF-", 5);
    assert_true(b.n > a.n);
    lt_buf_fini(&a);
    lt_buf_fini(&b);
    paper_fini(&few);
    paper_fini(&many);
}

/* The table at the end leads to each object, the page tree to as many pages as the same paper has with letters, each
 * letter is there once, and no font is. */
static void a_pdf_of_shapes_is_whole(void **state)
{
    (void)state;
    struct paper p;
    sample(&p, false, 200);
    struct lt_buf a = drawn(paper_pdf_outlines, &p);
    lt_buf_addc(&a, '\0');
    const char *end = a.p + a.n - 1;
    assert_memory_equal(a.p, "%PDF-", 5);
    assert_memory_equal(end - 6, "%%EOF\n", 6);
    const char *start = end - 7;
    while (memcmp(start, "startxref", 9) != 0)
        start--;
    const char *row = a.p + strtoul(start + 9, NULL, 10);
    unsigned n = 0, pages = 0;
    assert_memory_equal(row, "xref\n0 ", 7);
    n = (unsigned)strtoul(row + 7, NULL, 10);
    assert_true(n > 100 && n < 2000);
    row = strchr(strchr(row, '\n') + 1, '\n') + 1;
    for (unsigned i = 1; i < n; i++) {
        char want[24];
        row += 20;
        size_t m = (size_t)snprintf(want, sizeof want, "%u 0 obj\n", i);
        assert_memory_equal(a.p + strtoul(row, NULL, 10), want, m);
    }
    for (const char *at = a.p; at < end; at++) {
        pages += memcmp(at, "/Type/Page/", 11 < end - at ? 11 : (size_t)(end - at)) == 0;
        assert_int_not_equal(memcmp(at, "/Font", 5 < end - at ? 5 : (size_t)(end - at)), 0);
    }
    const char *count = start;
    while (memcmp(count, "/Count ", 7) != 0)
        count--;
    assert_int_equal(strtoul(count + 7, NULL, 10), pages);
    assert_true(pages > 3);
    lt_buf_fini(&a);
    paper_fini(&p);
}

static const char *part(zip_t *z, const char *name)
{
    static char xml[1 << 20];
    zip_file_t *f = zip_fopen(z, name, 0);
    assert_non_null(f);
    zip_int64_t n = zip_fread(f, xml, sizeof xml - 1);
    assert_true(n > 0);
    xml[n] = '\0';
    zip_fclose(f);
    return xml;
}

static void xlsx_has_numbers_as_numbers(void **state)
{
    (void)state;
    struct paper p;
    sample(&p, false, 3);
    struct lt_buf out = drawn(paper_xlsx, &p);
    zip_error_t ze;
    zip_source_t *src = zip_source_buffer_create(out.p, out.n, 0, &ze);
    zip_t *z = zip_open_from_source(src, ZIP_RDONLY, &ze);
    assert_non_null(z);
    const char *xml = part(z, "xl/worksheets/sheet1.xml");
    assert_non_null(strstr(xml, "<v>-5.9</v>"));
    assert_non_null(strstr(xml, "<v>55.2</v>"));
    assert_non_null(strstr(xml, "<v>48</v>"));
    assert_non_null(strstr(xml, "mergeCell"));
    xml = part(z, "xl/styles.xml"); /* 48.0 stays 48.0, and its mark is not colour alone */
    assert_non_null(strstr(xml, "formatCode=\"0.0\""));
    assert_non_null(strstr(xml, "formatCode=\"&quot;▲ &quot;0.0\""));
    zip_close(z);
    lt_buf_fini(&out);
    paper_fini(&p);
}

static void bad_models_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *model, *want;
    } bad[] = {
        {"{\"v\":1,\"blocks\":[{\"t\":\"text\",\"text\":\"a\"},{\"t\":\"wheel\"}]}", "block 2"},
        {"{\"v\":1,\"blocks\":[{\"t\":\"text\",\"text\":5}]}", "block 1"},
        {"{\"v\":1,\"blocks\":[{\"t\":\"table\",\"cols\":[{\"title\":\"a\"}],\"rows\":[[\"1\",\"2\"]]}]}",
         "another number"},
        {"{\"v\":1,\"blocks\":[{\"t\":\"chart\",\"labels\":[\"a\"],\"series\":[{\"values\":[1.5]}]}]}", "a value"},
        {"{\"v\":1,\"blocks\":{}}", "head"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lt_error err;
        char text[512];
        struct lt_buf out = LT_BUF_INIT(1 << 20);
        assert_int_equal(paper_html(lt_slice_of(bad[i].model), &out, &err), LT_E_BAD_INPUT);
        lt_error_text(&err, LT_EN, text, sizeof text);
        if (!strstr(text, bad[i].want))
            fail_msg("%s: %s", bad[i].want, text);
        assert_int_equal(out.n, 0);
        lt_buf_fini(&out);
    }
    struct lt_error err;
    assert_int_equal(paper_check(LT_LIT("{\"v\":2,\"blocks\":[]}"), &err), LT_E_UNSUPPORTED);
}

static void builder_tells_what_is_too_much(void **state)
{
    (void)state;
    struct lt_error err;
    struct paper p;
    const struct paper_col c[] = {{"a", NULL, PAPER_LEFT, false}};
    const struct paper_cell two[] = {{"1", ""}, {"2", ""}};
    paper_begin(&p, &(struct paper_head){.title = "t"});
    paper_table(&p, "", c, 1);
    paper_row(&p, two, 2);
    paper_table_end(&p);
    assert_int_equal(paper_end(&p, &err), LT_E_LIMIT_SIZE);
    paper_fini(&p);
    paper_begin(&p, &(struct paper_head){.title = "t"});
    for (unsigned i = 0; i <= PAPER_BLOCKS_MAX; i++)
        paper_page(&p);
    assert_int_equal(paper_end(&p, &err), LT_E_LIMIT_SIZE);
    paper_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_the_same_each_time),
        cmocka_unit_test(html_holds_everything_escaped),
        cmocka_unit_test(pdf_breaks_pages),
        cmocka_unit_test(a_pdf_of_shapes_is_whole),
        cmocka_unit_test(xlsx_has_numbers_as_numbers),
        cmocka_unit_test(bad_models_are_refused_with_their_place),
        cmocka_unit_test(builder_tells_what_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
