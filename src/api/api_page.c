/* The web pages: built in, or from a directory during development. */
#include "api/api_priv.h"

#include "assets/assets.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void missing(const struct http_request *req, struct http_response *res)
{
    struct lt_error err;
    char shown[150];
    lt_text_copy_slice(shown, sizeof shown, req->path);
    lt_fail(&err, LT_E_NOT_FOUND, NULL, req->lang == LT_ZH ? "页面" : "page", shown, NULL);
    http_fail(req, res, &err);
}

static void built_in(const struct http_request *req, struct http_response *res)
{
    static const struct {
        enum assets_coding coding;
        const char *name, *suffix;
    } codings[] = {{ASSETS_BROTLI, "br", "-b"}, {ASSETS_GZIP, "gzip", "-g"}, {ASSETS_IDENTITY, NULL, ""}};
    char etag[32];
    const struct assets_file *f = assets_find(req->path);
    if (!f) {
        missing(req, res);
        return;
    }
    size_t i = 0;
    while (codings[i].name && !(assets_body(f, codings[i].coding).n && http_accepts_encoding(req, codings[i].name)))
        i++;
    snprintf(etag, sizeof etag, "\"%s%s\"", f->etag, codings[i].suffix);
    http_set_header(res, "ETag", etag);
    http_set_header(res, "Vary", "Accept-Encoding");
    http_set_header(res, "Cache-Control", f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    res->type = f->type;
    if (http_etag_matches(req, etag)) {
        res->status = 304;
        res->fixed = LT_LIT("");
        return;
    }
    if (codings[i].name)
        http_set_header(res, "Content-Encoding", codings[i].name);
    res->fixed = assets_body(f, codings[i].coding);
}

/* No segment may begin with a dot: neither ".." nor hidden files are served. */
static bool safe(struct lt_slice path)
{
    for (size_t i = 0; i + 1 < path.n; i++)
        if (path.p[i] == '/' && path.p[i + 1] == '.')
            return false;
    return true;
}

static int open_file(const struct api *a, struct lt_slice path, uint64_t *ret_size)
{
    char name[1600];
    struct stat st;
    int n = snprintf(name, sizeof name, "%s%.*s", a->web_root, (int)path.n, path.p);
    if (n < 0 || (size_t)n >= sizeof name)
        return -1;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -1;
    }
    *ret_size = (uint64_t)st.st_size;
    return fd;
}

static void from_directory(const struct api *a, const struct http_request *req, struct http_response *res)
{
    struct lt_slice path = lt_slice_is(req->path, "/") ? LT_LIT("/index.html") : req->path;
    int fd = path.n < 1000 && safe(path) ? open_file(a, path, &res->fd_size) : -1;
    const char *slash = memrchr(path.p, '/', path.n);
    if (fd < 0 && slash && !memchr(slash, '.', path.n - (size_t)(slash - path.p))) {
        path = LT_LIT("/index.html");
        fd = open_file(a, path, &res->fd_size);
    }
    if (fd < 0) {
        missing(req, res);
        return;
    }
    res->fd = fd;
    res->type = assets_type(path);
    http_set_header(res, "Cache-Control", "no-cache");
}

void api_page(struct api *a, const struct http_request *req, struct http_response *res)
{
    static const struct lt_slice own = {"/api/", 5};
    if (req->path.n >= own.n && memcmp(req->path.p, own.p, own.n) == 0)
        missing(req, res);
    else if (a->web_root[0])
        from_directory(a, req, res);
    else
        built_in(req, res);
}
