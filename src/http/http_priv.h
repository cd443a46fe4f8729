/* Inside http only: the server's parts and what they share. */
#ifndef LT_HTTP_PRIV_H
#define LT_HTTP_PRIV_H
#include "http/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- guard: every connection has a deadline; who passes it is cut off ---- */
enum guard_state { GUARD_HEAD, GUARD_BODY, GUARD_WORK, GUARD_SEND, GUARD_STREAM };
struct guard_conn {
    struct guard_conn *prev, *next;
    int fd;
    enum guard_state state;
    bool cut;
    int64_t until_ms; /* monotonic; 0 none */
};
struct guard {
    pthread_mutex_t lock; /* list and states; also keeps a descriptor from being closed while it is cut */
    struct guard_conn head;
    unsigned conns;
    uint64_t cut_slow;
    unsigned request_s, idle_s;
};
void guard_init(struct guard *g, unsigned request_s, unsigned idle_s);
void guard_fini(struct guard *g);
struct guard_conn *guard_open(struct guard *g, int fd, int64_t now_ms); /* NULL: no memory */
void guard_close(struct guard *g, struct guard_conn *c);
/* bytes: of the body announced, or of the answer. */
void guard_set(struct guard *g, struct guard_conn *c, enum guard_state state, uint64_t bytes, int64_t now_ms);
void guard_sweep(struct guard *g, int64_t now_ms);

/* ---- workers ---- */
struct http_job;
struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct http_job *first, **last;
    unsigned queued, limit, n_threads, ready, failed;
    bool stop;
    pthread_t *threads;
    void (*run)(void *user, void *thread, struct http_job *job);
    void *(*thread_start)(void *user, struct lt_error *err);
    void (*thread_end)(void *user, void *thread);
    void *user, *start_user;
    struct lt_error err;
};
enum lt_err pool_start(struct pool *p, unsigned threads, unsigned limit, struct lt_error *err) LT_MUST_CHECK;
bool pool_submit(struct pool *p, struct http_job *job); /* false: full */
void pool_stop(struct pool *p);                         /* finishes what is queued */

/* ---- streams ---- */
struct sse;
struct sse *sse_create(struct bus *bus, unsigned limit);
void sse_destroy(struct sse **s);
/* A response that streams to one client; takes over `st`. NULL: too many streams, or no memory (st is freed). */
struct MHD_Response *sse_response(struct sse *s, struct MHD_Connection *c, struct http_stream *st,
                                  struct lt_slice last_id);
void sse_finish(struct sse *s); /* ends all streams; returns when no connection is suspended any more */
void sse_stats(struct sse *s, struct http_stats *ret);

/* ---- one request ---- */
struct http_job {
    struct http *h;
    struct http_job *next;
    struct MHD_Connection *conn;
    struct guard_conn *guard;
    struct http_request req;
    struct http_target target;
    struct http_response res;
    struct lt_buf body;
    struct lt_error err; /* why it is refused, before any handler */
    size_t raw_n;
    bool seen, head, options, answered, working;
    unsigned allowed;
    int64_t start_us;
    char mem[]; /* raw target, then the decoded one */
};

struct http {
    struct http_config cfg;
    struct MHD_Daemon *daemon;
    struct guard guard;
    struct pool work, slow;
    struct sse *sse;
    pthread_t sweeper;
    pthread_mutex_t sweep_lock;
    pthread_cond_t sweep_wake;
    bool sweep_stop;
    atomic_bool stopping;
    atomic_uint_fast64_t requests, refused_busy, refused_body, bytes_in_flight, work_us_total, work_us_max, by_class[6];
    char address[64];
    char *cert, *key;
};
int http_listen(const char *listen, char ret_address[64], struct lt_error *err); /* -1 on failure */
void http_address_text(const void *sockaddr, char ret[64], bool with_port);
enum lt_err http_read_file(const char *path, size_t limit, char **ret, struct lt_error *err) LT_MUST_CHECK;
void http_response_init(struct http_response *res);
void http_response_fini(struct http_response *res);
#endif
