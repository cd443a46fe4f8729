/* Fuzz target: any bytes as a model. What passes the check can be drawn as page and spreadsheet (drawing a PDF costs
 * too much per input: only of short models). */
#include "paper/paper.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lt_slice s = {(const char *)data, size};
    struct lt_error err;
    if (paper_check(s, &err) != LT_OK)
        return 0;
    struct lt_buf out = LT_BUF_INIT(16u << 20);
    assert(paper_html(s, &out, &err) == LT_OK);
    lt_buf_clear(&out);
    assert(paper_xlsx(s, &out, &err) == LT_OK);
    lt_buf_clear(&out);
    if (size < 400)
        assert(paper_pdf(s, &out, &err) == LT_OK);
    lt_buf_fini(&out);
    return 0;
}
