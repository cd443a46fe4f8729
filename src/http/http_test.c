/* Tests of the server over real sockets: routes, limits, slow and hostile clients, streams, stopping. */
#include "base/clock.h"
#include "http/http.h"
#include "http/http_testlib.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <cmocka.h>

static struct http *server;
static struct bus *bus;
static char address[64];
static struct tc_reply reply;
static atomic_int hold; /* workers wait while it is 1 */
static atomic_int held; /* … and so many did */
static atomic_int started_threads;

static void pause_ms(int ms)
{
    const struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

static bool pass_type(void *user, const struct bus_event *e)
{
    return strcmp(e->type, "secret") != 0;
}

static void handle(void *user, void *thread, const struct http_request *r, struct http_response *res)
{
    const char *what = r->route->data;
    assert_true((thread != NULL) == (r->route->lane != HTTP_INLINE));
    if (strcmp(what, "echo") == 0) {
        lt_buf_addf(&res->body, "%s|%.*s|%.*s|%zu|%s|%s", http_method_name(r->method), (int)r->param[0].n,
                    r->param[0].p, (int)r->body.n, r->body.p ? r->body.p : "", r->n_query,
                    r->lang == LT_EN ? "en" : "zh", r->address);
    } else if (strcmp(what, "hold") == 0) {
        atomic_fetch_add(&held, 1);
        while (atomic_load(&hold))
            pause_ms(5);
        lt_buf_adds(&res->body, "held");
    } else if (strcmp(what, "inject") == 0) {
        char value[1100];
        struct lt_slice v = http_query(r, "v");
        snprintf(value, sizeof value, "a\r\nX-Evil: 1 %.*s", (int)v.n, v.p);
        assert_false(http_set_header(res, "X-Test", value));
        http_set_filename(res, "告警\"2026/11\".csv");
        http_set_cookie(r, res, "lt_session", "abc", 60);
    } else if (strcmp(what, "stream") == 0) {
        res->stream = (struct http_stream){.on = true, .pass = pass_type};
    } else if (strcmp(what, "page") == 0) {
        res->fixed = LT_LIT("<html>");
        res->type = "text/html; charset=utf-8";
        if (http_etag_matches(r, "\"p1\"")) {
            res->fixed = LT_LIT("");
            res->status = 304;
        }
        http_set_header(res, "ETag", "\"p1\"");
    }
}

static void *thread_start(void *user, struct lt_error *err)
{
    atomic_fetch_add(&started_threads, 1);
    return &started_threads;
}

static void thread_end(void *user, void *thread)
{
    atomic_fetch_sub(&started_threads, 1);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/echo/{x}", 0, HTTP_WORK, "echo"},    {HTTP_POST, "/echo/{x}", 1000, HTTP_WORK, "echo"},
    {HTTP_DELETE, "/echo/{x}", 0, HTTP_SLOW, "echo"}, {HTTP_GET, "/inline/{x}", 0, HTTP_INLINE, "echo"},
    {HTTP_GET, "/hold", 0, HTTP_SLOW, "hold"},        {HTTP_GET, "/inject", 0, HTTP_WORK, "inject"},
    {HTTP_GET, "/events", 0, HTTP_WORK, "stream"},    {HTTP_POST, "/big", 4u << 20, HTTP_WORK, "echo"},
};
static const struct http_route pages = {HTTP_GET, "", 0, HTTP_INLINE, "page"};

static int start(void **state)
{
    struct lt_error err;
    bus = bus_create(1000, 64);
    struct http_config c = {.listen = "127.0.0.1:0",
                            .routes = routes,
                            .n_routes = sizeof routes / sizeof routes[0],
                            .fallback = &pages,
                            .bus = bus,
                            .handle = handle,
                            .thread_start = thread_start,
                            .thread_end = thread_end,
                            .slow_workers = 1,
                            .request_s = 1,
                            .idle_s = 2,
                            .max_conns = 300,
                            .max_conns_per_addr = 250,
                            .max_streams = 100};
    if (http_start(&c, &server, &err) != LT_OK)
        return -1;
    http_address(server, address);
    return 0;
}

static int stop(void **state)
{
    http_stop(&server);
    bus_destroy(&bus);
    return started_threads == 0 ? 0 : -1;
}

static void call(const char *method, const char *target, const char *headers, const char *body)
{
    tc_call(address, method, target, headers, body, &reply);
}

static void routes_and_methods(void **state)
{
    call("GET", "/echo/%E8%93%9D?a=1&b=2", "Accept-Language: en\r\n", "");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "GET|蓝||2|en|127.0.0.1");
    call("POST", "/echo/x?lang=zh", "Accept-Language: en\r\n", "{\"a\":1}");
    assert_string_equal(reply.body, "POST|x|{\"a\":1}|1|zh|127.0.0.1");
    call("DELETE", "/echo/x", "", "");
    assert_string_equal(reply.body, "DELETE|x||0|zh|127.0.0.1");
    call("GET", "/inline/x", "", "");
    assert_string_equal(reply.body, "GET|x||0|zh|127.0.0.1");
    call("HEAD", "/echo/x", "", "");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "");
    assert_non_null(strstr(reply.text, "Content-Length: 21\r\n"));
    call("OPTIONS", "/echo/x", "", "");
    assert_int_equal(reply.status, 204);
    assert_non_null(strstr(reply.text, "Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n"));
    call("PUT", "/echo/x", "", "");
    assert_int_equal(reply.status, 405);
    assert_non_null(strstr(reply.body, "\"BAD_METHOD\""));
    assert_non_null(strstr(reply.text, "Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n"));
    call("BREW", "/echo/x", "", "");
    assert_int_equal(reply.status, 405);
    call("POST", "/nowhere", "", "x");
    assert_int_equal(reply.status, 405); /* the fallback serves pages to GET only */
    call("GET", "/some/page", "", "");
    assert_string_equal(reply.body, "<html>");
    call("GET", "/some/page", "If-None-Match: \"p1\"\r\n", "");
    assert_int_equal(reply.status, 304);
    call("GET", "/echo/%ff?lang=en", "", "");
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr(reply.body, "\"BAD_INPUT\""));
}

static void every_answer_has_the_security_headers(void **state)
{
    static const char *const targets[] = {"/echo/x", "/some/page", "/echo/%ff", "/inject"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        call("GET", targets[i], "", "");
        assert_non_null(strstr(reply.text, "Content-Security-Policy: default-src 'self';"));
        assert_non_null(strstr(reply.text, "frame-ancestors 'none'"));
        assert_non_null(strstr(reply.text, "X-Content-Type-Options: nosniff\r\n"));
        assert_non_null(strstr(reply.text, "Referrer-Policy: no-referrer\r\n"));
        assert_non_null(strstr(reply.text, "Cache-Control: no-store\r\n"));
    }
}

static void nothing_is_injected_into_headers(void **state)
{
    call("GET", "/inject?v=1", "", "");
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.text, "X-Evil"));
    assert_non_null(
        strstr(reply.text, "filename=\"___2026_11_.csv\"; filename*=UTF-8''%E5%91%8A%E8%AD%A6%222026%2F11%22.csv"));
    assert_non_null(
        strstr(reply.text, "Set-Cookie: lt_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60\r\n"));
    call("GET", "/inject?v=%0d%0aX-Evil:%201", "", "");
    assert_int_equal(reply.status, 400);
}

static void bodies_have_limits(void **state)
{
    char body[1200];
    memset(body, 'a', sizeof body);
    body[1000] = '\0';
    call("POST", "/echo/x", "", body);
    assert_int_equal(reply.status, 200);
    body[1000] = 'a';
    body[1001] = '\0';
    call("POST", "/echo/x", "", body);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "\"TOO_LARGE\""));
    call("GET", "/echo/x", "", "not for GET");
    assert_int_equal(reply.status, 413);
    /* announced far too large: answered at once, without waiting for it */
    static const char huge[] = "POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\nabc";
    int64_t before = lt_mono_ms();
    tc_raw(address, huge, sizeof huge - 1, &reply);
    assert_int_equal(reply.status, 413);
    assert_true(lt_mono_ms() - before < 1500);
    /* chunked, so not announced */
    static char chunked[3000] =
        "POST /echo/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t n = strlen(chunked);
    for (int i = 0; i < 3; i++)
        n += (size_t)snprintf(chunked + n, sizeof chunked - n, "190\r\n%.400s\r\n", body);
    n += (size_t)snprintf(chunked + n, sizeof chunked - n, "0\r\n\r\n");
    tc_raw(address, chunked, n, &reply);
    assert_int_equal(reply.status, 413);
    char *big = malloc((4u << 20) + 1);
    assert_non_null(big);
    memset(big, 'b', 4u << 20);
    big[4u << 20] = '\0';
    call("POST", "/big", "", big);
    assert_int_equal(reply.status, 200);
    free(big);
    struct http_stats st;
    http_stats(server, &st);
    assert_int_equal(st.refused_body, 4);
    assert_int_equal(st.bytes_in_flight, 0);
}

static void hostile_heads(void **state)
{
    static char raw[70000];
    /* more headers than a connection's memory */
    size_t n = (size_t)snprintf(raw, sizeof raw, "GET /echo/x HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 600; i++)
        n += (size_t)snprintf(raw + n, sizeof raw - n, "X-Header-%d: %064d\r\n", i, i);
    n += (size_t)snprintf(raw + n, sizeof raw - n, "\r\n");
    tc_raw(address, raw, n, &reply);
    assert_true(reply.status == 431 || reply.status == 413 || reply.status == 0);
    /* a target beyond its limit */
    memset(raw, 'a', sizeof raw);
    memcpy(raw, "GET /", 5);
    n = 9000 + (size_t)snprintf(raw + 9000, 100, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    tc_raw(address, raw, n, &reply);
    assert_int_equal(reply.status, 400);
    static const char *const odd[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
        "GET /echo/x HTTP/1.1\r\nHost x\r\n : \r\nConnection: close\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        tc_raw(address, odd[i], strlen(odd[i]), &reply);
        assert_true(reply.status == 0 || reply.status >= 400);
    }
    call("GET", "/echo/x", "", "");
    assert_int_equal(reply.status, 200);
}

/* One who sends a byte now and then is cut off when the request is not whole in time. */
static void slow_heads_are_cut(void **state)
{
    struct http_stats first, after;
    http_stats(server, &first);
    int fd = tc_connect(address);
    int64_t before = lt_mono_ms();
    char c[16];
    bool open = true;
    tc_send(fd, "GET /echo/x HTTP/1.1\r\n", 22);
    while (open && lt_mono_ms() - before < 6000) {
        open = tc_send(fd, "X", 1);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (open && poll(&p, 1, 200) > 0)
            open = recv(fd, c, sizeof c, 0) > 0;
    }
    assert_false(open);
    assert_true(lt_mono_ms() - before < 4000);
    close(fd);
    http_stats(server, &after);
    assert_int_equal(after.cut_slow, first.cut_slow + 1);
}

static void *call_hold(void *user)
{
    struct tc_reply *r = malloc(sizeof *r);
    tc_call(address, "GET", "/hold", "", "", r);
    intptr_t status = r->status;
    free(r);
    return (void *)status;
}

#define HOLDERS 45 /* one works, 32 wait, the others are refused at once */
static void a_full_queue_says_so(void **state)
{
    pthread_t t[HOLDERS];
    int ok = 0, busy = 0;
    struct http_stats now, before;
    http_stats(server, &before);
    const int at_work = atomic_load(&held) + 1;
    atomic_store(&hold, 1);
    for (int i = 0; i < HOLDERS; i++) {
        pthread_create(&t[i], NULL, call_hold, NULL);
        while (i == 0 && atomic_load(&held) < at_work) /* the first is at work before the others come */
            pause_ms(5);
    }
    do {
        pause_ms(5);
        http_stats(server, &now);
    } while (now.queued_slow < 32 || now.refused_busy < before.refused_busy + HOLDERS - 33);
    call("GET", "/echo/x", "", ""); /* the other lane goes on */
    assert_int_equal(reply.status, 200);
    atomic_store(&hold, 0);
    for (int i = 0; i < HOLDERS; i++) {
        void *status;
        pthread_join(t[i], &status);
        ok += (intptr_t)status == 200;
        busy += (intptr_t)status == 503;
    }
    assert_int_equal(ok, 33);
    assert_int_equal(busy, HOLDERS - 33);
}

static int stream_open(const char *last_id, char *text, size_t cap)
{
    char raw[200];
    int fd = tc_connect(address);
    int n = snprintf(raw, sizeof raw, "GET /events HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
                     last_id[0] ? "Last-Event-ID: " : "", last_id, last_id[0] ? "\r\n" : "");
    tc_send(fd, raw, (size_t)n);
    tc_read(fd, text, cap, last_id[0] ? "retry:" : "}", 2000);
    return fd;
}

static void streams_follow_the_bus(void **state)
{
    char text[8000], more[8000];
    int fd = stream_open("", text, sizeof text);
    assert_non_null(strstr(text, "200 OK"));
    assert_non_null(strstr(text, "Content-Type: text/event-stream"));
    assert_non_null(strstr(text, "retry: 3000"));
    bus_publish(bus, "secret", 0, 0, LT_LIT("{\"n\":0}"));
    uint64_t id = bus_publish(bus, "alarm", 0, 0, LT_LIT("{\"n\":1}"));
    tc_read(fd, more, sizeof more, "{\"n\":1}", 2000);
    char want[100];
    snprintf(want, sizeof want, "id: %llu\nevent: alarm\ndata: {\"n\":1}\n\n", (unsigned long long)id);
    assert_non_null(strstr(more, want));
    assert_null(strstr(more, "secret"));
    close(fd);
    /* coming back with the last id: what was missed comes, nothing twice */
    bus_publish(bus, "alarm", 0, 0, LT_LIT("{\"n\":2}"));
    snprintf(want, sizeof want, "%llu", (unsigned long long)id);
    fd = stream_open(want, text, sizeof text);
    if (!strstr(text, "{\"n\":2}"))
        tc_read(fd, more, sizeof more, "{\"n\":2}", 2000);
    assert_true(strstr(text, "{\"n\":2}") || strstr(more, "{\"n\":2}"));
    assert_null(strstr(text, "{\"n\":1}"));
    close(fd);
    /* with an id that is gone: reset */
    for (int i = 0; i < 100; i++)
        bus_publish(bus, "latest", 0, 0, LT_LIT("{}"));
    fd = stream_open(want, text, sizeof text);
    if (!strstr(text, "event: reset"))
        tc_read(fd, text, sizeof text, "event: reset", 2000);
    assert_non_null(strstr(text, "event: reset"));
    close(fd);
    call("HEAD", "/events", "", "");
    assert_int_equal(reply.status, 200);
}

/* One who does not read falls out of the ring, is told to start over and let go; the others notice nothing. */
static void a_slow_reader_is_let_go(void **state)
{
    static char json[8000], text[400000];
    char head[4000];
    struct http_stats st;
    memset(json, ' ', sizeof json);
    json[0] = '{';
    json[sizeof json - 1] = '}';
    int small = 4096, fd = tc_connect(address), quick = stream_open("", head, sizeof head);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    static const char ask[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
    tc_send(fd, ask, sizeof ask - 1);
    pause_ms(200);
    for (int i = 0; i < 2000; i++) { /* 16 MB: more than socket buffers and ring */
        bus_publish(bus, "big", 0, 0, (struct lt_slice){json, sizeof json});
        if (i % 8 == 7) {
            tc_read(quick, text, 65000, NULL, 1);
            pause_ms(1);
        }
    }
    http_stats(server, &st);
    bus_publish(bus, "last", 0, 0, LT_LIT("{\"last\":true}"));
    bool reset = false;
    for (int i = 0; i < 400 && !reset;
         i++) { /* now it reads: a part, then the news that it missed some, then the end */
        size_t n = tc_read(fd, text, sizeof text, "event: reset", 1500);
        reset = strstr(text, "event: reset") != NULL;
        if (n == 0)
            break;
    }
    assert_true(reset);
    http_stats(server, &st);
    assert_true(st.streams_slow >= 1);
    close(fd);
    close(quick);
}

static void streams_have_a_limit(void **state)
{
    static int fd[110];
    char text[4000];
    int ok = 0, refused = 0;
    pause_ms(100);
    for (int i = 0; i < 110; i++) {
        fd[i] = stream_open("", text, sizeof text);
        ok += strstr(text, "event: hello") != NULL;
        refused += strstr(text, " 503 ") != NULL;
    }
    assert_true(ok <= 100 && ok >= 95); /* those closed above may still be counted */
    assert_int_equal(ok + refused, 110);
    uint64_t id = bus_publish(bus, "alarm", 0, 0, LT_LIT("{\"to\":\"all\"}"));
    assert_true(id > 0);
    for (int i = 0; i < 110; i++) {
        if (i < ok) {
            tc_read(fd[i], text, sizeof text, "{\"to\":\"all\"}", 2000);
            assert_non_null(strstr(text, "{\"to\":\"all\"}"));
        }
        if (i >= 10)
            close(fd[i]);
    }
    /* the first ten stay open: stopping must not wait for them */
}

static void stopping_ends_streams_and_finishes_work(void **state)
{
    char text[4000];
    pthread_t t;
    void *status;
    int fd = stream_open("", text, sizeof text);
    atomic_store(&hold, 1);
    pthread_create(&t, NULL, call_hold, NULL);
    pause_ms(200);
    int64_t before = lt_mono_ms();
    atomic_store(&hold, 0);
    http_stop(&server);
    assert_true(lt_mono_ms() - before < 4000);
    pthread_join(t, &status);
    assert_int_equal((intptr_t)status, 200);
    tc_read(fd, text, sizeof text, NULL, 500);
    assert_int_equal(recv(fd, text, 1, 0), 0);
    close(fd);
    assert_int_equal(started_threads, 0);
}

static void *no_thread(void *user, struct lt_error *err)
{
    lt_failf(err, LT_E_IO, NULL, "no database");
    return NULL;
}

static void start_reports_what_is_wrong(void **state)
{
    struct http *h = NULL;
    struct lt_error err;
    struct http_config c = {.listen = "127.0.0.1:x",
                            .routes = routes,
                            .n_routes = 1,
                            .handle = handle,
                            .thread_start = thread_start,
                            .thread_end = thread_end};
    assert_int_equal(http_start(&c, &h, &err), LT_E_LISTEN);
    c.listen = "nonsense";
    assert_int_equal(http_start(&c, &h, &err), LT_E_LISTEN);
    c.listen = "127.0.0.1:0";
    c.thread_start = no_thread;
    assert_int_equal(http_start(&c, &h, &err), LT_E_IO);
    c.thread_start = thread_start;
    c.tls_cert = "/nonexistent.pem";
    assert_int_equal(http_start(&c, &h, &err), LT_E_IO);
    assert_null(h);
    assert_int_equal(started_threads, 0);
    c.tls_cert = NULL;
    c.listen = "[::]:0";
    assert_int_equal(http_start(&c, &h, &err), LT_OK);
    char here[64];
    http_address(h, here);
    assert_memory_equal(here, "[::]:", 5);
    c.listen = here;
    struct http *second = NULL;
    assert_int_equal(http_start(&c, &second, &err), LT_E_LISTEN);
    http_stop(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_and_methods),
        cmocka_unit_test(every_answer_has_the_security_headers),
        cmocka_unit_test(nothing_is_injected_into_headers),
        cmocka_unit_test(bodies_have_limits),
        cmocka_unit_test(hostile_heads),
        cmocka_unit_test(slow_heads_are_cut),
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(streams_follow_the_bus),
        cmocka_unit_test(a_slow_reader_is_let_go),
        cmocka_unit_test(streams_have_a_limit),
        cmocka_unit_test(stopping_ends_streams_and_finishes_work),
        cmocka_unit_test(start_reports_what_is_wrong),
    };
    return cmocka_run_group_tests_name("http", tests, start, stop);
}
