/* What a handler says: headers, cookies, errors; see http.h. */
#include "http/http_priv.h"

#include "base/text.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define HEADERS_MAX 8192u

void http_response_init(struct http_response *res)
{
    *res = (struct http_response){.status = 200,
                                  .type = "application/json; charset=utf-8",
                                  .body = LT_BUF_INIT(HTTP_BODY_MAX),
                                  .fd = -1,
                                  .headers = LT_BUF_INIT(HEADERS_MAX)};
}

void http_response_fini(struct http_response *res)
{
    lt_buf_fini(&res->body);
    lt_buf_fini(&res->headers);
    if (res->fd >= 0)
        close(res->fd);
    res->fd = -1;
    if (res->stream.on && res->stream.free)
        res->stream.free(res->stream.user);
    res->stream.on = false;
}

bool http_set_header(struct http_response *res, const char *name, const char *value)
{
    size_t n = strlen(value), before = res->headers.n;
    if (n > 1000)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F)
            return false;
    lt_buf_add(&res->headers, name, strlen(name) + 1);
    lt_buf_add(&res->headers, value, n + 1);
    if (!res->headers.failed)
        return true;
    res->headers.n = before;
    res->headers.failed = false;
    return false;
}

void http_set_cookie(const struct http_request *r, struct http_response *res, const char *name, const char *value,
                     int64_t max_age_s)
{
    char text[512];
    snprintf(text, sizeof text, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64 "%s", name, value,
             max_age_s, r->secure ? "; Secure" : "");
    http_set_header(res, "Set-Cookie", text);
}

void http_set_filename(struct http_response *res, const char *filename)
{
    struct lt_buf b = LT_BUF_INIT(900);
    lt_buf_adds(&b, "attachment; filename=\"");
    for (const char *p = filename; *p; p++)
        if (((unsigned char)*p & 0xC0) != 0x80) /* one '_' per character that is not plain */
            lt_buf_addc(&b, *p >= 0x20 && *p < 0x7F && *p != '"' && *p != '\\' && *p != '/' ? *p : '_');
    lt_buf_adds(&b, "\"; filename*=UTF-8''");
    for (const char *p = filename; *p; p++) {
        if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || strchr("-._~", *p))
            lt_buf_addc(&b, *p);
        else
            lt_buf_addf(&b, "%%%02X", (unsigned char)*p);
    }
    lt_buf_addc(&b, '\0');
    if (!b.failed)
        http_set_header(res, "Content-Disposition", b.p);
    lt_buf_fini(&b);
}

static void fault_members(struct jsonw *w, enum lt_lang lang, const struct lt_error *err)
{
    char text[1024], hint[256];
    lt_error_text(err, lang, text, sizeof text);
    lt_error_hint(err, lang, hint, sizeof hint);
    jsonw_kstr(w, "code", lt_err_name(err->code));
    jsonw_kstr(w, "message", text);
    jsonw_kstr(w, "hint", hint);
    jsonw_kstr(w, "field", err->field);
    jsonw_key(w, "params");
    jsonw_array(w);
    size_t n = err->arg[2][0] ? 3 : err->arg[1][0] ? 2 : err->arg[0][0] ? 1 : 0;
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, err->arg[i]);
    jsonw_array_end(w);
}

void http_fail_all(const struct http_request *r, struct http_response *res, const struct lt_error *err,
                   const struct lt_error *all, size_t n)
{
    struct jsonw w;
    http_response_fini(res);
    http_response_init(res);
    res->status = lt_err_http(err->code);
    jsonw_init(&w, &res->body);
    jsonw_object(&w);
    jsonw_key(&w, "error");
    jsonw_object(&w);
    fault_members(&w, r->lang, err);
    jsonw_kstr(&w, "detail", "");
    if (n) {
        jsonw_key(&w, "faults");
        jsonw_array(&w);
        for (size_t i = 0; i < n; i++) {
            jsonw_object(&w);
            fault_members(&w, r->lang, &all[i]);
            jsonw_object_end(&w);
        }
        jsonw_array_end(&w);
    }
    jsonw_object_end(&w);
    jsonw_object_end(&w);
    if (err->code == LT_E_BUSY || err->code == LT_E_LIMIT)
        http_set_header(res, "Retry-After", "2");
}

void http_fail(const struct http_request *r, struct http_response *res, const struct lt_error *err)
{
    http_fail_all(r, res, err, NULL, 0);
}
