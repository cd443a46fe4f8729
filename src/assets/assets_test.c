/* Tests of the page table: sorted, whole, found, with the fallback for pages of the application. */
#include "assets/assets.h"

#include "assets/assets_pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void the_table_is_sorted_and_whole(void **state)
{
    assert_true(assets_count() >= 1);
    for (size_t i = 0; i < assets_count(); i++) {
        const struct assets_file *f = &assets_table[i];
        assert_ptr_equal(assets_find(lt_slice_of(f->path)), f);
        assert_true(assets_body(f, ASSETS_IDENTITY).n > 0 || f->body[ASSETS_GZIP].n == 0);
        assert_int_equal(strlen(f->etag), 16);
        if (i)
            assert_true(strcmp(assets_table[i - 1].path, f->path) < 0);
    }
}

static void gzip_variants_are_gzip(void **state)
{
    for (size_t i = 0; i < assets_count(); i++) {
        struct lt_slice g = assets_body(&assets_table[i], ASSETS_GZIP);
        if (g.n)
            assert_memory_equal(g.p, "\x1f\x8b", 2);
    }
}

static void pages_of_the_application_are_index(void **state)
{
    const struct assets_file *index = assets_find(LT_LIT("/index.html"));
    assert_non_null(index);
    assert_ptr_equal(assets_find(LT_LIT("/")), index);
    assert_ptr_equal(assets_find(LT_LIT("/alarm/17")), index);
    assert_ptr_equal(assets_find(LT_LIT("/a.b/c")), index);
    assert_null(assets_find(LT_LIT("/assets/missing.js")));
    assert_null(assets_find(LT_LIT("")));
    assert_null(assets_find(LT_LIT("no-slash")));
    assert_string_equal(assets_type(LT_LIT("/a/b.js")), "text/javascript; charset=utf-8");
    assert_string_equal(assets_type(LT_LIT("/x")), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sorted_and_whole),
        cmocka_unit_test(gzip_variants_are_gzip),
        cmocka_unit_test(pages_of_the_application_are_index),
    };
    return cmocka_run_group_tests_name("assets", tests, NULL, NULL);
}
