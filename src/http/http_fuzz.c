/* Fuzz target of request parsing: the first line is a target, the rest one header value. */
#include "http/http.h"

#include "base/text.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_route routes[] = {
    {.method = HTTP_GET, .pattern = "/api/v1/{kind}"},
    {.method = HTTP_GET, .pattern = "/api/v1/{kind}/{id}"},
    {.method = HTTP_GET, .pattern = "/api/v1/device/{id}/series"},
    {.method = HTTP_POST, .pattern = "/api/v1/alarm/{id}/{move}"},
};

static void check_target(struct lt_slice raw)
{
    char *mem = malloc(raw.n ? raw.n : 1);
    struct http_target *t = malloc(sizeof *t);
    struct lt_slice param[HTTP_PARAMS_MAX] = {0};
    unsigned allowed;
    assert(mem && t);
    if (http_target_parse(raw, mem, t, NULL) == LT_OK) {
        assert(t->path.n > 0 && t->path.p[0] == '/' && lt_text_is_utf8(t->path) && t->n_query <= HTTP_QUERY_MAX);
        size_t total = t->path.n;
        for (size_t i = 0; i < t->n_query; i++) {
            assert(lt_text_is_utf8(t->query[i].name) && lt_text_is_utf8(t->query[i].value));
            total += t->query[i].name.n + t->query[i].value.n;
        }
        assert(total <= raw.n);
        const struct http_route *r = http_match(routes, 4, HTTP_GET, t->path, param, &allowed);
        assert(!r || (allowed & 1u));
        for (int i = 0; r && i < HTTP_PARAMS_MAX && param[i].p; i++)
            assert(param[i].n > 0 && param[i].p > t->path.p && param[i].p + param[i].n <= t->path.p + t->path.n);
    }
    free(mem);
    free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *line = size ? memchr(p, '\n', size) : NULL;
    struct lt_slice target = {p, line ? (size_t)(line - p) : size};
    struct lt_slice value = {line ? line + 1 : p, line ? size - target.n - 1 : 0};
    check_target(target);
    http_language(value);
    http_coding_accepted(value, "gzip");
    http_etag_listed(value, "\"0123456789abcdef\"");
    struct lt_slice c = http_cookie_find(value, "lt_session");
    assert(!c.p || (c.p >= value.p && c.p + c.n <= value.p + value.n));
    return 0;
}
