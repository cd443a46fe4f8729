/* The server: libmicrohttpd's callbacks, from the first byte of a request to the last of its answer; see http.h.
 *
 * A request is a struct http_job, made when its target is known, freed when its answer is out. The callbacks run on the
 * event thread of the connection; while the connection is suspended the job belongs to a worker. */
#include "http/http_priv.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Memory of one connection for request line, headers and the head of the answer. A page's request has about 1 KiB; the
 * longest sensible filter URL with cookie about 4. */
#define CONN_MEMORY  (16u * 1024)
#define DISCARD_MAX  (256u * 1024) /* of a refused body read to the end, so that the client can read the answer */
#define BODIES_MAX   (256u << 20)  /* of all requests together */
#define QUEUE_WORK   256u          /* at 1 ms each a quarter of a second of waiting with one worker */
#define QUEUE_SLOW   32u
#define STOP_WAIT_MS 3000

static const char *const header_names[HTTP_H_COUNT] = {"Cookie",        "X-CSRF-Token",    "Authorization",
                                                       "If-None-Match", "Accept-Encoding", "Accept-Language",
                                                       "Last-Event-ID", "X-Forwarded-For", "X-Forwarded-Proto"};

/* Measured under a browser with the pages of the post; nothing is loaded from elsewhere. */
static const char *const always[][2] = {
    {"Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
                                "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
                                "frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

/* ---- answering ---- */

static struct MHD_Response *body_response(struct http_job *job)
{
    struct http_response *res = &job->res;
    struct MHD_Response *r = NULL;
    if (res->stream.on && job->head) {
        r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else if (res->stream.on) {
        return job->h->sse ? sse_response(job->h->sse, job->conn, &res->stream, job->req.header[HTTP_H_LAST_EVENT_ID])
                           : NULL;
    } else if (res->fd >= 0) {
        r = MHD_create_response_from_fd64(res->fd_size, res->fd);
        if (r)
            res->fd = -1;
    } else if (res->fixed.p) {
        /* libmicrohttpd only reads it */
        r = MHD_create_response_from_buffer(res->fixed.n, (void *)(uintptr_t)res->fixed.p, MHD_RESPMEM_PERSISTENT);
    } else {
        r = MHD_create_response_from_buffer(res->body.n, res->body.p, MHD_RESPMEM_MUST_FREE);
        if (r)
            res->body = LT_BUF_INIT(HTTP_BODY_MAX);
    }
    return r;
}

static void add_headers(struct http_job *job, struct MHD_Response *r)
{
    struct http_response *res = &job->res;
    bool cached = false;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        MHD_add_response_header(r, always[i][0], always[i][1]);
    for (size_t i = 0; i < res->headers.n;) {
        const char *name = res->headers.p + i, *value = name + strlen(name) + 1;
        MHD_add_response_header(r, name, value);
        cached |= strcmp(name, "Cache-Control") == 0;
        i = (size_t)(value - res->headers.p) + strlen(value) + 1;
    }
    if (!cached)
        MHD_add_response_header(r, "Cache-Control", "no-store");
    if (res->status != 204 && res->status != 304)
        MHD_add_response_header(r, "Content-Type", res->type);
    if (job->req.secure)
        MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000");
}

static void fail(struct http_job *job, enum lt_err code, const char *a0, const char *a1)
{
    struct lt_error err;
    lt_fail(&err, code, NULL, a0, a1, NULL);
    http_fail(&job->req, &job->res, &err);
}

static void drop_body(struct http_job *job)
{
    atomic_fetch_sub(&job->h->bytes_in_flight, job->body.n);
    lt_buf_fini(&job->body);
    job->req.body = (struct lt_slice){NULL, 0};
}

static enum MHD_Result answer(struct http_job *job)
{
    struct http *h = job->h;
    job->answered = true;
    drop_body(job);
    if (job->res.body.failed)
        fail(job, LT_E_LIMIT_SIZE, "answer / 应答", "64 MiB");
    bool stream = job->res.stream.on && !job->head;
    if (job->res.stream.on)
        job->res.type = "text/event-stream";
    struct MHD_Response *r = body_response(job);
    if (!r && stream) {
        fail(job, LT_E_BUSY, "event stream / 事件流", NULL);
        stream = false;
        r = body_response(job);
    }
    if (!r)
        return MHD_NO;
    add_headers(job, r);
    uint64_t bytes = job->res.fixed.n + job->res.fd_size; /* a body buffer is bounded, its time is in the base */
    guard_set(&h->guard, job->guard, stream ? GUARD_STREAM : GUARD_SEND, bytes + HTTP_BODY_MAX / 16, lt_mono_ms());
    int status = job->res.status;
    atomic_fetch_add(&h->by_class[status >= 100 && status < 600 ? status / 100 : 0], 1);
    enum MHD_Result ok = MHD_queue_response(job->conn, (unsigned)status, r);
    MHD_destroy_response(r);
    return ok;
}

static void call_handler(struct http_job *job, void *thread)
{
    struct http *h = job->h;
    int64_t began = lt_mono_us();
    h->cfg.handle(h->cfg.user, thread, &job->req, &job->res);
    uint64_t us = (uint64_t)(lt_mono_us() - began), most = atomic_load(&h->work_us_max);
    atomic_fetch_add(&h->work_us_total, us);
    while (us > most && !atomic_compare_exchange_weak(&h->work_us_max, &most, us))
        continue;
}

static void run_job(void *user, void *thread, struct http_job *job)
{
    (void)user;
    call_handler(job, thread);
    MHD_resume_connection(job->conn); /* from here on the job is the event thread's again */
}

static enum MHD_Result dispatch(struct http_job *job)
{
    struct http *h = job->h;
    if (job->req.route->lane == HTTP_INLINE) {
        call_handler(job, NULL);
        return answer(job);
    }
    job->working = true;
    guard_set(&h->guard, job->guard, GUARD_WORK, 0, 0);
    MHD_suspend_connection(job->conn);
    if (atomic_load(&h->stopping) || !pool_submit(job->req.route->lane == HTTP_SLOW ? &h->slow : &h->work, job)) {
        atomic_fetch_add(&h->refused_busy, 1);
        fail(job, LT_E_BUSY, "post / 平台", NULL);
        MHD_resume_connection(job->conn);
    }
    return MHD_YES;
}

/* ---- reading the request ---- */

static void *begin(void *user, const char *uri, struct MHD_Connection *conn)
{
    struct http *h = user;
    size_t n = strlen(uri);
    struct http_job *job = calloc(1, sizeof *job + 2 * n + 2);
    if (!job)
        return NULL;
    const union MHD_ConnectionInfo *ci = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    job->h = h;
    job->conn = conn;
    job->guard = ci ? ci->socket_context : NULL;
    job->raw_n = n;
    memcpy(job->mem, uri, n);
    http_response_init(&job->res);
    job->res.fd = -1;
    return job;
}

static struct lt_slice header_of(struct MHD_Connection *c, const char *name)
{
    return lt_slice_of(MHD_lookup_connection_value(c, MHD_HEADER_KIND, name));
}

static void find_address(struct http_job *job)
{
    struct http_request *r = &job->req;
    const union MHD_ConnectionInfo *ci = MHD_get_connection_info(job->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (ci && ci->client_addr)
        http_address_text(ci->client_addr, r->address, false);
    r->secure = job->h->cert != NULL;
    if (!job->h->cfg.trust_proxy || (strncmp(r->address, "127.", 4) != 0 && strcmp(r->address, "::1") != 0))
        return;
    struct lt_slice f = r->header[HTTP_H_FORWARDED_FOR];
    size_t from = f.n;
    while (from > 0 && f.p[from - 1] != ',' && f.p[from - 1] != ' ')
        from--;
    f = (struct lt_slice){f.p + from, f.n - from};
    size_t good = 0;
    while (good < f.n && strchr("0123456789abcdefABCDEF.:", f.p[good]))
        good++;
    if (f.n > 0 && f.n < 46 && good == f.n)
        lt_text_copy_slice(r->address, sizeof r->address, f);
    r->secure |= lt_slice_is(r->header[HTTP_H_FORWARDED_PROTO], "https");
}

static void find_language(struct http_request *r)
{
    struct lt_slice lang = http_query(r, "lang");
    r->lang_given = lt_slice_is(lang, "en") || lt_slice_is(lang, "zh");
    r->lang =
        r->lang_given ? (lt_slice_is(lang, "en") ? LT_EN : LT_ZH) : http_language(r->header[HTTP_H_ACCEPT_LANGUAGE]);
}

/* Finds route and limits; what is wrong stands in job->err. */
static void route(struct http_job *job, const char *method)
{
    const struct http_config *cfg = &job->h->cfg;
    struct http_request *r = &job->req;
    int m = -1;
    job->head = strcmp(method, "HEAD") == 0;
    job->options = strcmp(method, "OPTIONS") == 0;
    for (int i = 0; i < HTTP_METHODS; i++)
        if (strcmp(job->head ? "GET" : method, http_method_name((enum http_method)i)) == 0)
            m = i;
    enum lt_err e =
        http_target_parse((struct lt_slice){job->mem, job->raw_n}, job->mem + job->raw_n + 1, &job->target, &job->err);
    if (e)
        return;
    r->path = job->target.path;
    r->n_query = job->target.n_query;
    memcpy(r->query, job->target.query, sizeof r->query);
    find_language(r);
    r->method = m >= 0 ? (enum http_method)m : HTTP_GET;
    r->route = http_match(cfg->routes, cfg->n_routes, r->method, r->path, r->param, &job->allowed);
    if (job->allowed == 0 && cfg->fallback) {
        job->allowed = 1u << HTTP_GET;
        r->route = r->method == HTTP_GET ? cfg->fallback : NULL;
    }
    if (job->options && job->allowed)
        return;
    char shown[150];
    lt_text_copy_slice(shown, sizeof shown, r->path);
    if (job->allowed == 0)
        lt_fail(&job->err, LT_E_NOT_FOUND, NULL, "page / 页面", shown, NULL);
    else if (m < 0 || !r->route)
        lt_fail(&job->err, LT_E_BAD_METHOD, NULL, method, NULL, NULL);
}

/* Bytes of body announced; UINT64_MAX when chunked. */
static uint64_t announced(struct http_job *job)
{
    uint64_t n = 0;
    struct lt_slice len = header_of(job->conn, "Content-Length");
    if (header_of(job->conn, "Transfer-Encoding").n)
        return UINT64_MAX;
    return len.n && !lt_text_to_u64(len, &n) ? UINT64_MAX : n;
}

static void too_large(struct http_job *job, size_t limit)
{
    char most[32];
    snprintf(most, sizeof most, "%zu KiB", limit / 1024);
    atomic_fetch_add(&job->h->refused_body, 1);
    lt_fail(&job->err, LT_E_TOO_LARGE, NULL, "body / 请求体", most, NULL);
}

/* The head is complete. */
static enum MHD_Result head_done(struct http_job *job, const char *method)
{
    struct http_request *r = &job->req;
    atomic_fetch_add(&job->h->requests, 1);
    job->start_us = lt_mono_us();
    for (int i = 0; i < HTTP_H_COUNT; i++)
        r->header[i] = header_of(job->conn, header_names[i]);
    find_address(job);
    job->mem[job->raw_n] = '\0';
    route(job, method);
    uint64_t bytes = announced(job);
    size_t limit = r->route ? r->route->body_limit : 0;
    job->body = LT_BUF_INIT(limit);
    if (!job->err.code && bytes != UINT64_MAX && bytes > limit)
        too_large(job, limit);
    guard_set(&job->h->guard, job->guard, GUARD_BODY, bytes == UINT64_MAX ? limit : bytes, lt_mono_ms());
    if (job->err.code && bytes != UINT64_MAX && bytes > DISCARD_MAX) {
        http_fail(r, &job->res, &job->err);
        return answer(job);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_job *job, const char *data, size_t n)
{
    struct http *h = job->h;
    if (job->err.code) { /* thrown away, but not without end */
        job->body.limit += n;
        return job->body.limit > DISCARD_MAX + HTTP_BODY_MAX / 16 ? MHD_NO : MHD_YES;
    }
    if (n > job->body.limit - job->body.n) {
        too_large(job, job->body.limit);
        return MHD_YES;
    }
    if (atomic_fetch_add(&h->bytes_in_flight, n) + n > BODIES_MAX) {
        atomic_fetch_sub(&h->bytes_in_flight, n);
        lt_fail(&job->err, LT_E_BUSY, NULL, "post / 平台", NULL, NULL);
        return MHD_YES;
    }
    size_t before = job->body.n;
    lt_buf_add(&job->body, data, n);
    if (job->body.failed) {
        atomic_fetch_sub(&h->bytes_in_flight, n);
        job->body.n = before;
        lt_fail(&job->err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    return MHD_YES;
}

static void add_allow(struct http_job *job)
{
    char text[64];
    size_t n = 0;
    for (int i = 0; i < HTTP_METHODS; i++)
        if (job->allowed & (1u << i))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s, ",
                                  i == HTTP_GET ? "GET, HEAD" : http_method_name((enum http_method)i));
    snprintf(text + n, sizeof text - n, "OPTIONS");
    http_set_header(&job->res, "Allow", text);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_n, void **con_cls)
{
    struct http_job *job = *con_cls;
    if (!job)
        return MHD_NO;
    if (!job->seen) {
        job->seen = true;
        return head_done(job, method);
    }
    if (*data_n) {
        enum MHD_Result ok = take_body(job, data, *data_n);
        *data_n = 0;
        return ok;
    }
    if (job->answered)
        return MHD_YES;
    if (job->working)
        return answer(job);
    if (job->err.code) {
        http_fail(&job->req, &job->res, &job->err);
        if (job->err.code == LT_E_BAD_METHOD)
            add_allow(job);
        return answer(job);
    }
    if (job->options) {
        job->res.status = 204;
        add_allow(job);
        return answer(job);
    }
    job->req.body = lt_buf_slice(&job->body);
    return dispatch(job);
}

static void on_completed(void *user, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode why)
{
    struct http *h = user;
    struct http_job *job = *con_cls;
    if (!job)
        return;
    guard_set(&h->guard, job->guard, GUARD_HEAD, 0, lt_mono_ms());
    drop_body(job);
    http_response_fini(&job->res);
    free(job);
    *con_cls = NULL;
}

static void on_connection(void *user, struct MHD_Connection *conn, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = user;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *ci = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = guard_open(&h->guard, ci ? ci->connect_fd : -1, lt_mono_ms());
    } else {
        guard_close(&h->guard, *socket_context);
        *socket_context = NULL;
    }
}

/* Decoding is ours; see http_target_parse(). */
static size_t keep_escapes(void *user, struct MHD_Connection *conn, char *s)
{
    return strlen(s);
}

/* A mechanism does not log; refused handshakes and broken requests are no news. */
static void quiet(void *user, const char *fmt, va_list ap)
{
}

/* ---- start and stop ---- */

static void *sweep(void *user)
{
    struct http *h = user;
    pthread_mutex_lock(&h->sweep_lock);
    while (!h->sweep_stop) {
        lt_cond_wait_until(&h->sweep_wake, &h->sweep_lock, lt_mono_ms() + 1000);
        guard_sweep(&h->guard, lt_mono_ms());
    }
    pthread_mutex_unlock(&h->sweep_lock);
    return NULL;
}

static void defaults(struct http_config *c)
{
    struct {
        unsigned *v, d;
    } all[] = {{&c->loops, 2},
               {&c->workers, 4},
               {&c->slow_workers, 2},
               {&c->max_conns, 2000},
               {&c->max_conns_per_addr, 200},
               {&c->idle_s, 60},
               {&c->request_s, 15}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (*all[i].v == 0)
            *all[i].v = all[i].d;
    if (c->max_streams == 0)
        c->max_streams = c->max_conns / 2;
    if (c->trust_proxy) /* all come from the proxy's address */
        c->max_conns_per_addr = c->max_conns;
}

static enum lt_err start_daemon(struct http *h, struct lt_error *err)
{
    const struct http_config *c = &h->cfg;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert}, {MHD_OPTION_HTTPS_MEM_KEY, 0, h->key}, {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    int fd = http_listen(c->listen, h->address, err);
    if (fd < 0)
        return LT_E_LISTEN;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     (h->cert ? MHD_USE_TLS : 0u);
    unsigned conns = c->max_conns < c->loops ? c->loops : c->max_conns;
    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, c->loops, MHD_OPTION_CONNECTION_LIMIT, conns, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        c->max_conns_per_addr, MHD_OPTION_CONNECTION_TIMEOUT, c->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONN_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, begin, h,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_ARRAY, h->cert ? tls : none, MHD_OPTION_END);
    if (h->daemon)
        return LT_OK;
    close(fd);
    return lt_fail(err, LT_E_LISTEN, NULL, c->listen,
                   h->cert ? "certificate and key do not fit, or no resources" : strerror(errno), NULL);
}

static enum lt_err start_parts(struct http *h, struct lt_error *err)
{
    const struct http_config *c = &h->cfg;
    enum lt_err e = LT_OK;
    if (c->tls_cert && c->tls_cert[0]) {
        if ((e = http_read_file(c->tls_cert, 1u << 20, &h->cert, err)) ||
            (e = http_read_file(c->tls_key ? c->tls_key : "", 1u << 20, &h->key, err)))
            return e;
    }
    if (c->bus && !(h->sse = sse_create(c->bus, c->max_streams)))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    struct pool p = {
        .run = run_job, .thread_start = c->thread_start, .thread_end = c->thread_end, .user = h, .start_user = c->user};
    h->work = h->slow = p;
    if ((e = pool_start(&h->work, c->workers, QUEUE_WORK, err)) ||
        (e = pool_start(&h->slow, c->slow_workers, QUEUE_SLOW, err)))
        return e;
    if (pthread_create(&h->sweeper, NULL, sweep, h) != 0)
        return lt_failf(err, LT_E_INTERNAL, NULL, "cannot start a thread");
    e = start_daemon(h, err);
    if (e) {
        pthread_mutex_lock(&h->sweep_lock);
        h->sweep_stop = true;
        pthread_cond_signal(&h->sweep_wake);
        pthread_mutex_unlock(&h->sweep_lock);
        pthread_join(h->sweeper, NULL);
    }
    return e;
}

static void destroy(struct http *h)
{
    pool_stop(&h->work);
    pool_stop(&h->slow);
    sse_destroy(&h->sse);
    guard_fini(&h->guard);
    pthread_mutex_destroy(&h->sweep_lock);
    pthread_cond_destroy(&h->sweep_wake);
    free(h->cert);
    free(h->key);
    free(h);
}

enum lt_err http_start(const struct http_config *cfg, struct http **ret, struct lt_error *err)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    h->cfg = *cfg;
    defaults(&h->cfg);
    guard_init(&h->guard, h->cfg.request_s, h->cfg.idle_s);
    pthread_mutex_init(&h->sweep_lock, NULL);
    lt_cond_init(&h->sweep_wake);
    enum lt_err e = start_parts(h, err);
    if (e)
        destroy(h);
    else
        *ret = h;
    return e;
}

static unsigned under_way(struct http *h)
{
    unsigned n = 0;
    pthread_mutex_lock(&h->guard.lock);
    for (struct guard_conn *c = h->guard.head.next; c != &h->guard.head; c = c->next)
        n += c->state != GUARD_HEAD;
    pthread_mutex_unlock(&h->guard.lock);
    return n;
}

void http_stop(struct http **ret)
{
    struct http *h = *ret;
    if (!h)
        return;
    int fd = MHD_quiesce_daemon(h->daemon);
    atomic_store(&h->stopping, true);
    pool_stop(&h->work); /* what is queued is still answered */
    pool_stop(&h->slow);
    if (h->sse)
        sse_finish(h->sse);
    const struct timespec step = {.tv_nsec = 10000000};
    for (int64_t until = lt_mono_ms() + STOP_WAIT_MS; under_way(h) && lt_mono_ms() < until;)
        nanosleep(&step, NULL);
    MHD_stop_daemon(h->daemon);
    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&h->sweep_lock);
    h->sweep_stop = true;
    pthread_cond_signal(&h->sweep_wake);
    pthread_mutex_unlock(&h->sweep_lock);
    pthread_join(h->sweeper, NULL);
    destroy(h);
    *ret = NULL;
}

void http_address(const struct http *h, char ret[64])
{
    lt_text_copy(ret, 64, h->address);
}

static unsigned queued(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = p->queued;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void http_stats(struct http *h, struct http_stats *ret)
{
    *ret = (struct http_stats){.requests = h->requests,
                               .refused_busy = h->refused_busy,
                               .refused_body = h->refused_body,
                               .bytes_in_flight = h->bytes_in_flight,
                               .work_us_total = h->work_us_total,
                               .work_us_max = h->work_us_max,
                               .queued = queued(&h->work),
                               .queued_slow = queued(&h->slow)};
    for (int i = 0; i < 6; i++)
        ret->by_class[i] = h->by_class[i];
    pthread_mutex_lock(&h->guard.lock);
    ret->conns = h->guard.conns;
    ret->cut_slow = h->guard.cut_slow;
    pthread_mutex_unlock(&h->guard.lock);
    if (h->sse)
        sse_stats(h->sse, ret);
}
