/* Fuzz target: what the reader accepts, the writer can say again, and the reader reads that as the same value.
 * Any bytes as a string come out as valid JSON. */
#include "json/json.h"

#include "base/fix.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void string_survives(const uint8_t *data, size_t size)
{
    struct lt_buf b = LT_BUF_INIT(64u + size * 8);
    struct jsonw w;
    jsonw_init(&w, &b);
    jsonw_array(&w);
    jsonw_slice(&w, (struct lt_slice){(const char *)data, size});
    jsonw_array_end(&w);
    assert(jsonw_ok(&w));
    assert(lt_text_is_utf8(lt_buf_slice(&b)));
    if (!memchr(data, 0, size)) { /* the reader takes no NUL in strings */
        json_t *v = NULL;
        assert(jsonr_parse(lt_buf_slice(&b), JSONR_SIZE_MAX, &v, NULL) == LT_OK);
        json_decref(v);
    }
    lt_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    json_t *v = NULL, *again = NULL;
    struct lt_error err;
    if (jsonr_parse((struct lt_slice){(const char *)data, size}, 4096, &v, &err) == LT_OK) {
        struct lt_buf b = LT_BUF_INIT(1u << 20);
        struct jsonw w;
        jsonw_init(&w, &b);
        jsonw_tree(&w, v);
        if (jsonw_ok(&w)) {
            assert(jsonr_parse(lt_buf_slice(&b), JSONR_SIZE_MAX, &again, &err) == LT_OK);
            json_decref(again);
        }
        lt_buf_fini(&b);
        for (size_t i = 0; i < json_array_size(v); i++) {
            int64_t fix;
            if (jsonr_to_fix(json_array_get(v, i), &fix))
                assert(fix != LT_FIX_NONE);
        }
        json_decref(v);
    } else {
        assert(err.code == LT_E_BAD_JSON || err.code == LT_E_NOMEM);
    }
    if (size)
        string_survives(data, size);
    return 0;
}
