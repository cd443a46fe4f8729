/* Measures the gateway with the real recorder: own memory of a connection, whether the cost of a frame depends on the
 * number of connections, and how many frames a second go through when devices send without waiting.
 *
 * One program, two processes: the post (parent) and all devices (child, epoll), which talk over loopback from several
 * 127.0.0.x addresses. Not part of the tests: it takes a minute and the figures depend on the machine.
 *
 *   connections scale      [MOST]             100 … MOST (15,000) connections, one frame at a time each
 *   connections throughput [CONNS [WINDOW [SECONDS]]]   pipelined                                            */
#include "base/clock.h"
#include "base/text.h"
#include "gateway/gateway.h"
#include "hj212/hj212.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 17000, PER_SOURCE = 2000, FRAME_ROOM = 700, AT_ONCE = 100 };

/* ---- the devices' process ---- */
struct device {
    int fd;
    uint32_t number;
    uint32_t out;  /* frames sent and not answered */
    int64_t qn_ms; /* of the next frame */
};
static struct device dev[MOST];
static char body[600];
static uint64_t answers;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* About 500 bytes: twelve factors as a waste incinerator sends them. */
static void make_body(void)
{
    static const char *const codes[] = {"a34013", "a21026", "a21002", "a21005", "a19001",
                                        "a01011", "a01012", "a01013", "a01014", "a21024"};
    size_t n = (size_t)snprintf(body, sizeof body, "DataTime=20260301080000");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, ";%s-Rtd=12.35,%s-ZsRtd=15.60,%s-Flag=N", codes[i], codes[i],
                              codes[i]);
}

static size_t make_frame(struct device *d, char *ret, size_t cap)
{
    char qn[18], mn[32];
    snprintf(mn, sizeof mn, "010000A8900016F0%08X", d->number);
    lt_time_format_compact(d->qn_ms++, LT_TZ_CHINA, true, qn);
    struct hj212_head h = {.qn = lt_slice_of(qn),
                           .mn = lt_slice_of(mn),
                           .pw = LT_LIT("123456"),
                           .st = 31,
                           .cn = 2011,
                           .edition = HJ212_2017,
                           .answer = true};
    return hj212_build(&h, lt_slice_of(body), ret, cap);
}

static void connect_device(struct device *d, uint32_t number, uint16_t port, int ep)
{
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7F000001)};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000002 + number / PER_SOURCE)};
    *d = (struct device){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .number = number, .qn_ms = lt_wall_ms()};
    if (d->fd < 0)
        die("socket");
    setsockopt(d->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(d->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(d->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    fcntl(d->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, d->fd, &ev) != 0)
        die("epoll");
}

/* Sends up to n frames in one write; what the socket does not take is not counted as sent, so n is kept small enough.
 */
static void send_frames(struct device *d, unsigned n)
{
    static char out[256 * FRAME_ROOM];
    size_t k = 0;
    n = n > 256 ? 256 : n;
    for (unsigned i = 0; i < n; i++)
        k += make_frame(d, out + k, FRAME_ROOM);
    for (size_t done = 0; done < k;) {
        ssize_t w = send(d->fd, out + done, k - done, MSG_NOSIGNAL);
        if (w < 0 && errno != EAGAIN && errno != EINTR)
            die("send");
        done += w > 0 ? (size_t)w : 0;
    }
    d->out += n;
}

static unsigned read_answers(struct device *d)
{
    static char buf[65536];
    unsigned n = 0;
    ssize_t k = recv(d->fd, buf, sizeof buf, 0);
    if (k == 0 || (k < 0 && errno != EAGAIN))
        die("the post closed a connection");
    for (ssize_t i = 0; i < k; i++)
        n += buf[i] == '\n';
    d->out -= n;
    answers += n;
    return n;
}

/* `total` frames over the first `conns` devices in turn, never more than AT_ONCE unanswered. */
static void round_robin(int ep, unsigned conns, unsigned total)
{
    unsigned sent = 0, next = 0;
    uint64_t from = answers;
    while (answers - from < total) {
        for (; sent < total && sent - (answers - from) < AT_ONCE && dev[next].out == 0;
             next = (next + 1) % conns, sent++)
            send_frames(&dev[next], 1);
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, 20000);
        if (n == 0)
            die("no answer in 20 s");
        for (int i = 0; i < n; i++)
            read_answers(&dev[ev[i].data.u32]);
    }
}

static void pipeline(int ep, unsigned conns, unsigned window, int64_t ms)
{
    int64_t until = lt_mono_ms() + ms;
    for (unsigned i = 0; i < conns; i++)
        send_frames(&dev[i], window);
    while (lt_mono_ms() < until) {
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, 1000);
        for (int i = 0; i < n; i++) {
            struct device *d = &dev[ev[i].data.u32];
            read_answers(d);
            if (d->out <= window / 2)
                send_frames(d, window - d->out);
        }
    }
}

/* Orders come as three numbers: what, connections, amount, window. */
struct order {
    char what; /* c: connect up to; r: round robin; p: pipeline for amount ms; q: end */
    unsigned conns, amount, window;
};

static void say(int fd, const void *p, size_t n)
{
    if (write(fd, p, n) != (ssize_t)n)
        die("pipe");
}

static void hear(int fd, void *p, size_t n)
{
    if (read(fd, p, n) != (ssize_t)n)
        die("pipe");
}

static _Noreturn void devices(int in, int out)
{
    uint16_t port;
    unsigned open = 0;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    make_body();
    hear(in, &port, sizeof port);
    for (;;) {
        struct order o;
        hear(in, &o, sizeof o);
        if (o.what == 'q')
            _exit(0);
        answers = 0;
        for (; open < o.conns; open++)
            connect_device(&dev[open], open, port, ep);
        if (o.what == 'r')
            round_robin(ep, o.conns, o.amount);
        else if (o.what == 'p')
            pipeline(ep, o.conns, o.window, o.amount);
        say(out, &answers, sizeof answers);
    }
}

/* ---- the post ---- */
static struct {
    int to, from;
    struct recorder *rec;
    struct registry *reg;
    struct gateway *gw;
} post;

static uint64_t order(struct order o)
{
    uint64_t n;
    say(post.to, &o, sizeof o);
    hear(post.from, &n, sizeof n);
    return n;
}

static int64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static int64_t resident(void)
{
    long pages = 0, skip;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &skip, &pages) != 2)
        die("statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void start_post(const char *dir)
{
    struct lt_error err;
    char text[400], addr[64];
    struct registry_device *rows = calloc(MOST, sizeof *rows);
    struct recorder_config rc = {.dir = dir, .tz_min = LT_TZ_CHINA};
    struct gateway_config gc = {.listen = "127.0.0.1:0", .tz_min = LT_TZ_CHINA, .max_rate = 1000000, .setup = GATEWAY_SETUP_OFF};
    post.reg = registry_create();
    for (uint32_t i = 0; i < MOST; i++) {
        rows[i] = (struct registry_device){.id = i + 1, .status = REGISTRY_ACTIVE, .tolerate = HJ212_TOLERATE_DEFAULT};
        snprintf(rows[i].mn, sizeof rows[i].mn, "010000A8900016F0%08X", i);
    }
    if (registry_load_rows(post.reg, rows, MOST, &err) != LT_OK || recorder_start(&rc, &post.rec, &err) != LT_OK ||
        gateway_start(&gc, post.rec, post.reg, &post.gw, &err) != LT_OK) {
        lt_error_text(&err, LT_EN, text, sizeof text);
        fprintf(stderr, "connections: %s\n", text);
        exit(1);
    }
    free(rows);
    gateway_address(post.gw, addr);
    uint16_t port = (uint16_t)strtoul(strrchr(addr, ':') + 1, NULL, 10);
    say(post.to, &port, sizeof port);
}

static void wait_open(unsigned n)
{
    struct gateway_stats s;
    do {
        poll(NULL, 0, 20);
        gateway_stats(post.gw, &s);
    } while (s.open < n);
}

static void scale(unsigned most)
{
    static const unsigned steps[] = {100, 1000, 5000, 10000, 15000};
    double first = 0;
    unsigned open = 0;
    struct gateway_stats s;
    gateway_stats(post.gw, &s);
    printf("own memory of a connection: %zu bytes\n", s.session_bytes);
    printf("%8s %16s %14s %8s\n", "conns", "resident B/conn", "us CPU/frame", "ratio");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && steps[i] <= most; i++) {
        unsigned n = steps[i], frames = n > 30000 ? n : 30000;
        int64_t rss = resident();
        order((struct order){'c', n, 0, 0}); /* connections alone: frames make the recorder's index grow */
        wait_open(n);
        double memory = (double)(resident() - rss) / (n - open);
        order((struct order){'r', n, n, 0}); /* each device is known now */
        int64_t cpu = cpu_us();
        uint64_t got = order((struct order){'r', n, frames, 0});
        double per = (double)(cpu_us() - cpu) / (double)got;
        first = i == 0 ? per : first;
        printf("%8u %16.0f %14.2f %8.2f\n", n, memory, per, per / first);
        fflush(stdout);
        open = n;
    }
}

static void throughput(unsigned conns, unsigned window, unsigned seconds)
{
    struct recorder_stats rs;
    order((struct order){'r', conns, conns, 0});
    int64_t cpu = cpu_us(), from = lt_mono_ms();
    uint64_t got = order((struct order){'p', conns, seconds * 1000, window});
    double s = (double)(lt_mono_ms() - from) / 1000;
    recorder_stats(post.rec, &rs);
    printf("%u connections, window %u: %.0f frames/s answered, %.2f us CPU of the post each, %llu commits\n", conns,
           window, (double)got / s, (double)(cpu_us() - cpu) / (double)got, (unsigned long long)rs.commits);
}

static unsigned number(int argc, char **argv, int i, unsigned d)
{
    int64_t v;
    return argc > i && lt_text_to_i64(lt_slice_of(argv[i]), &v) && v > 0 && v <= MOST ? (unsigned)v : d;
}

int main(int argc, char **argv)
{
    int down[2], up[2];
    char dir[] = "/tmp/connections_XXXXXX";
    bool is_scale = argc > 1 && strcmp(argv[1], "scale") == 0;
    if (argc < 2 || (!is_scale && strcmp(argv[1], "throughput") != 0)) {
        fprintf(stderr, "usage: connections scale [MOST] | throughput [CONNS [WINDOW [SECONDS]]]\n");
        return 2;
    }
    if (pipe(down) != 0 || pipe(up) != 0 || !mkdtemp(dir))
        die("start");
    pid_t child = fork(); /* before there are threads */
    if (child < 0)
        die("fork");
    if (child == 0)
        devices(down[0], up[1]);
    post.to = down[1];
    post.from = up[0];
    start_post(dir);
    if (is_scale)
        scale(number(argc, argv, 2, 15000));
    else
        throughput(number(argc, argv, 2, 50), number(argc, argv, 3, 64), number(argc, argv, 4, 5));
    gateway_stop(&post.gw);
    recorder_stop(&post.rec);
    registry_destroy(&post.reg);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    printf("journal left in %s\n", dir);
    return 0;
}
