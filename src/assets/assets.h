/* assets: the built web pages inside the program: found by path, in three codings. Without a web build there is one
 * page that says how to make it. Read-only data: any thread. */
#ifndef LT_ASSETS_H
#define LT_ASSETS_H
#include "base/slice.h"

enum assets_coding { ASSETS_IDENTITY, ASSETS_GZIP, ASSETS_BROTLI, ASSETS_CODINGS };

struct assets_file {
    const char *path; /* "/index.html", "/assets/main-3f2a9c.js" */
    const char *type; /* Content-Type */
    char etag[20];    /* 16 hex digits of SHA-256 of the identity form */
    bool immutable;   /* the name holds a hash of the content */
    struct {
        uint32_t at, n; /* in the pack; n 0: this coding is not kept (identity always is) */
    } body[ASSETS_CODINGS];
};

/* "/" is "/index.html". A path without a dot in its last segment that is no file is a page of the application:
 * index.html too. NULL: no such file. */
const struct assets_file *assets_find(struct lt_slice path);
struct lt_slice assets_body(const struct assets_file *f, enum assets_coding coding); /* n 0: not kept */
size_t assets_count(void);
bool assets_built(void); /* false: only the page that says how to build */
/* Content-Type by the ending of a name; for files served from a directory. */
const char *assets_type(struct lt_slice path);
#endif
