/* http: an HTTP/1.1 server as a thin interface over libmicrohttpd: a route table, a request, a response, and streams of
 * server-sent events from the bus. Nothing of libmicrohttpd shows here.
 *
 * Threads: a few event threads move bytes and never wait; each request whose route is not INLINE is handed to a worker
 * thread (lane WORK, or SLOW for what takes long) through a bounded queue while its connection is suspended. A full
 * queue is answered 503 at once. Every worker has its own context (a database connection, say) made by thread_start().
 *
 * Limits: connections in all and per address, header bytes (16 KiB with the request line, 8 KiB of target), 64 query
 * parameters, body bytes per route and in all, a deadline for a whole request, a least rate for taking the answer, an
 * idle time, streams. */
#ifndef LT_HTTP_H
#define LT_HTTP_H
#include "base/buf.h"
#include "base/err.h"
#include "bus/bus.h"

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHODS };
const char *http_method_name(enum http_method m);

enum http_lane {
    HTTP_WORK,  /* the ordinary workers */
    HTTP_SLOW,  /* password hashing, imports, exports: few workers, so that they never hold up the others */
    HTTP_INLINE /* on the event thread: memory only, never a file or a database */
};

struct http_route {
    enum http_method method; /* GET serves HEAD too */
    const char *pattern;     /* "/api/v1/device/{id}/series"; a parameter is one whole segment */
    size_t body_limit;       /* 0: no body */
    enum http_lane lane;
    const void *data; /* the owner's own */
};

#define HTTP_PARAMS_MAX 4
#define HTTP_QUERY_MAX  64
#define HTTP_TARGET_MAX 8192

struct http_pair {
    struct lt_slice name, value;
};
enum http_header {
    HTTP_H_COOKIE,
    HTTP_H_CSRF,
    HTTP_H_AUTHORIZATION,
    HTTP_H_IF_NONE_MATCH,
    HTTP_H_ACCEPT_ENCODING,
    HTTP_H_ACCEPT_LANGUAGE,
    HTTP_H_LAST_EVENT_ID,
    HTTP_H_FORWARDED_FOR,
    HTTP_H_FORWARDED_PROTO,
    HTTP_H_COUNT
};

struct http_request { /* everything borrows from the request and is gone after the handler */
    enum http_method method;
    const struct http_route *route;         /* the fallback route when none matched */
    struct lt_slice path;                   /* decoded; valid UTF-8 without control characters */
    struct lt_slice param[HTTP_PARAMS_MAX]; /* values of {…} in order, never empty */
    size_t n_query;
    struct http_pair query[HTTP_QUERY_MAX]; /* decoded, as above */
    struct lt_slice header[HTTP_H_COUNT];   /* "" when absent */
    struct lt_slice body;
    char address[64];  /* of the client, without port */
    enum lt_lang lang; /* ?lang=, else Accept-Language, else Chinese */
    bool lang_given;   /* by ?lang= */
    bool secure;       /* came over TLS (or the trusted proxy says so) */
};
/* Value of the first query parameter of that name, p NULL when there is none. */
struct lt_slice http_query(const struct http_request *r, const char *name);
struct lt_slice http_cookie(const struct http_request *r, const char *name);
/* True when If-None-Match names this entity tag (given with its quotes). */
bool http_etag_matches(const struct http_request *r, const char *etag);
bool http_accepts_encoding(const struct http_request *r, const char *coding);

/* ---- response ---- */
#define HTTP_BODY_MAX (64u << 20) /* an export of 20,000 rows has about 10 MiB */

struct http_stream { /* server-sent events instead of a body */
    bool on;
    bool (*pass)(void *user, const struct bus_event *e); /* on event threads and the stream thread; must not block */
    void (*free)(void *user);
    void *user;
};
struct http_response {
    int status;            /* 200 unless set */
    const char *type;      /* Content-Type, constant; default JSON */
    struct lt_buf body;    /* owned */
    struct lt_slice fixed; /* instead of body: bytes that live as long as the server (p NULL: none) */
    int fd;                /* instead of both: an open file, owned; -1 none */
    uint64_t fd_size;
    struct http_stream stream;
    struct lt_buf headers; /* "Name\0value\0" pairs */
};
/* Adds a header; false (and nothing added) when the value has control bytes or is longer than 1,000 bytes. */
bool http_set_header(struct http_response *res, const char *name, const char *value);
/* HttpOnly; SameSite=Strict; Path=/; Secure when the request was. max_age_s 0 deletes. */
void http_set_cookie(const struct http_request *r, struct http_response *res, const char *name, const char *value,
                     int64_t max_age_s);
/* Content-Disposition with the name in ASCII and, when it has others, RFC 8187 form. */
void http_set_filename(struct http_response *res, const char *filename);
/* Drops what was written and answers {"error":{…}} in the caller's language with the status of err->code. */
void http_fail(const struct http_request *r, struct http_response *res, const struct lt_error *err);
/* As http_fail(), with a list "faults" of all n things that are wrong (each {code,message,hint,field,params}). */
void http_fail_all(const struct http_request *r, struct http_response *res, const struct lt_error *err,
                   const struct lt_error *all, size_t n);

/* ---- server ---- */
struct http_config {
    const char *listen;             /* "127.0.0.1:8080", "[::]:8080"; port 0 takes any */
    const char *tls_cert, *tls_key; /* PEM files; NULL or "": plain HTTP */
    const struct http_route *routes;
    size_t n_routes;
    const struct http_route *fallback; /* GET of a path no route knows (pages); NULL: 404 */
    unsigned loops;                    /* event threads, default 2 */
    unsigned workers;                  /* default 4 */
    unsigned slow_workers;             /* default 2 */
    unsigned max_conns;                /* default 2,000 */
    unsigned max_conns_per_addr;       /* default 200 */
    unsigned max_streams;              /* default half of max_conns */
    unsigned idle_s;                   /* default 60 */
    unsigned request_s; /* head of a request must be whole within it, default 15; a body gets 30 s more and
                           1 s per 16 KiB */
    bool trust_proxy;   /* a loopback peer's X-Forwarded-For and -Proto are believed */
    struct bus *bus;    /* for streams; may be NULL */
    void (*handle)(void *user, void *thread, const struct http_request *r, struct http_response *res);
    /* Context of a worker, made and ended on its thread; NULL fails the start. INLINE routes get NULL. */
    void *(*thread_start)(void *user, struct lt_error *err);
    void (*thread_end)(void *user, void *thread);
    void *user;
};
struct http;
enum lt_err http_start(const struct http_config *cfg, struct http **ret, struct lt_error *err) LT_MUST_CHECK;
/* Stops accepting, lets requests under way finish, ends streams, joins all threads. */
void http_stop(struct http **h);
void http_address(const struct http *h, char ret[64]); /* really bound */

struct http_stats {
    uint64_t requests, refused_busy, refused_body, cut_slow, bytes_in_flight;
    uint64_t by_class[6]; /* answers by status / 100 */
    uint64_t work_us_total, work_us_max;
    unsigned conns, streams, queued, queued_slow;
    uint64_t streams_slow, events_sent;
};
void http_stats(struct http *h, struct http_stats *ret);

/* ---- parsing, separate so that it can be tested and fuzzed ---- */
struct http_target {
    struct lt_slice path;
    size_t n_query;
    struct http_pair query[HTTP_QUERY_MAX];
};
/* Splits and decodes a request target; mem holds at least raw.n bytes. BAD_INPUT (wrong %, control character, no UTF-8,
 * %2F in the path, too long), LIMIT_SIZE (parameters). */
enum lt_err http_target_parse(struct lt_slice raw, char *mem, struct http_target *ret,
                              struct lt_error *err) LT_MUST_CHECK;
/* Best route: fewest parameters, then the longest literal beginning. NULL: none; *ret_allowed has a bit per method that
 * would match. */
const struct http_route *http_match(const struct http_route *routes, size_t n, enum http_method m, struct lt_slice path,
                                    struct lt_slice ret_param[HTTP_PARAMS_MAX], unsigned *ret_allowed);
/* Chinese unless English is wanted more. */
enum lt_lang http_language(struct lt_slice accept_language);
bool http_coding_accepted(struct lt_slice accept_encoding, const char *coding);
bool http_etag_listed(struct lt_slice if_none_match, const char *etag);
struct lt_slice http_cookie_find(struct lt_slice cookie, const char *name);
#endif
