/* The client's one loop: epoll over all connections, answers in, frames out. */
#include "sim/sim_priv.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LAT_FINE = 100000,  /* 10 µs steps */
    LAT_COARSE = 60000, /* 1 ms steps */
    TX_LIMIT = 1 << 20,
    RESENDS = 3,
    STEP_US =
        5000, /* at rates below SLOW_RATE looking at every connection more often would cost more than the frames */
    SLOW_RATE = 20000,
};

/* ---- frames under way ---- */

bool sim_slot_free(const struct sim_client *c, const struct sim_conn *k)
{
    return k->count < c->window;
}

struct sim_slot *sim_slot_next(struct sim_conn *k, unsigned window)
{
    return &k->slots[(k->head + k->count) % window];
}

static void latency_add(struct sim_client *c, int64_t us)
{
    size_t i = us < 0 ? 0 : us < LAT_FINE * 10 ? (size_t)us / 10 : LAT_FINE + (size_t)(us / 1000 - 1000);
    size_t last = LAT_FINE + LAT_COARSE - 1;
    i = i < last ? i : last;
    c->latency[i]++;
    if (c->recent)
        c->recent[i]++;
}

static double latency_at(const uint32_t *latency, double share, uint64_t total)
{
    uint64_t need = (uint64_t)(share * (double)total), seen = 0;
    for (size_t i = 0; i < LAT_FINE + LAT_COARSE; i++) {
        seen += latency[i];
        if (seen > need || (seen == total && seen))
            return i < LAT_FINE ? (double)(i + 1) / 100 : 1000 + (double)(i - LAT_FINE + 1);
    }
    return 0;
}

/* The slot at the head of the ring is dropped when it is answered; later ones wait for it. */
static void slot_done(struct sim_client *c, struct sim_conn *k, struct lt_slice qn, int64_t now_us)
{
    for (unsigned i = 0; i < k->count; i++) {
        struct sim_slot *s = &k->slots[(k->head + i) % c->window];
        if (!s->busy || qn.n != 17 || memcmp(s->bytes + 9, qn.p, 17) != 0)
            continue;
        s->busy = false;
        c->rep->acknowledged++;
        latency_add(c, now_us - s->first_us);
        if (c->cfg->acked) {
            size_t n = s->n >= 2 ? (size_t)s->n - 2 : 0; /* without CR LF */
            fwrite(s->bytes, 1, n, c->cfg->acked);
            fputc('\n', c->cfg->acked);
        }
        break;
    }
    while (k->count && !k->slots[k->head].busy) {
        k->head = (k->head + 1) % c->window;
        k->count--;
    }
}

static void resend_due(struct sim_client *c, struct sim_conn *k, int64_t now_us)
{
    int64_t limit = (int64_t)c->cfg->timeout_ms * 1000;
    for (unsigned i = 0; i < k->count; i++) {
        struct sim_slot *s = &k->slots[(k->head + i) % c->window];
        if (!s->busy || now_us - s->last_us < limit)
            continue;
        if (s->sends > RESENDS) { /* given up; the standard's device now waits for the next connection */
            s->busy = false;
            c->rep->lost++;
            continue;
        }
        s->sends++;
        s->last_us = now_us;
        c->rep->resent++;
        sim_conn_send(c, k, s->bytes, s->n);
    }
    while (k->count && !k->slots[k->head].busy) {
        k->head = (k->head + 1) % c->window;
        k->count--;
    }
}

/* ---- sockets ---- */

static void watch(struct sim_client *c, struct sim_conn *k, bool write, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0), .data.ptr = k};
    epoll_ctl(c->ep, op, k->fd, &e);
    k->want_write = write;
}

void sim_conn_close(struct sim_client *c, struct sim_conn *k, int64_t now_us)
{
    if (k->fd < 0)
        return;
    close(k->fd);
    k->fd = -1;
    k->connecting = false;
    k->rx_n = k->tx_n = 0;
    c->rep->disconnects++;
    int64_t wait = 100000 << (k->failures < 5 ? k->failures : 5);
    k->retry_us = now_us + wait + k->index % 97 * 1000;
}

void sim_conn_send(struct sim_client *c, struct sim_conn *k, const char *p, size_t n)
{
    if (k->fd < 0 || k->tx_n + n > TX_LIMIT)
        return; /* it stays in its slot and is sent again after the time-out */
    if (k->tx_n + n > k->tx_cap) {
        size_t cap = k->tx_cap ? k->tx_cap * 2 : 4096;
        while (cap < k->tx_n + n)
            cap *= 2;
        char *tx = realloc(k->tx, cap);
        if (!tx)
            return;
        k->tx = tx;
        k->tx_cap = cap;
    }
    memcpy(k->tx + k->tx_n, p, n);
    k->tx_n += n;
}

void sim_conn_flush(struct sim_client *c, struct sim_conn *k)
{
    size_t done = 0;
    while (done < k->tx_n) {
        ssize_t n = send(k->fd, k->tx + done, k->tx_n - done, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                sim_conn_close(c, k, lt_mono_us());
                return;
            }
            break;
        }
        done += (size_t)n;
        c->rep->bytes_out += (uint64_t)n;
    }
    if (done && done < k->tx_n)
        memmove(k->tx, k->tx + done, k->tx_n - done);
    k->tx_n -= done;
    if ((k->tx_n > 0) != k->want_write)
        watch(c, k, k->tx_n > 0, EPOLL_CTL_MOD);
}

static void connect_start(struct sim_client *c, struct sim_conn *k, const struct addrinfo *to, int64_t now_us)
{
    int one = 1;
    k->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->fd < 0) {
        c->rep->connect_failures++;
        k->retry_us = now_us + 1000000;
        return;
    }
    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->cfg->sources && to->ai_family == AF_INET) {
        setsockopt(k->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(0x7F000001u + k->index % c->cfg->sources)};
        if (bind(k->fd, (struct sockaddr *)&from, sizeof from) != 0)
            c->rep->connect_failures++;
    }
    int r = connect(k->fd, to->ai_addr, to->ai_addrlen);
    if (r != 0 && errno != EINPROGRESS) {
        c->rep->connect_failures++;
        k->failures++;
        close(k->fd);
        k->fd = -1;
        k->retry_us = now_us + (100000 << (k->failures < 5 ? k->failures : 5));
        return;
    }
    k->connecting = true;
    watch(c, k, true, EPOLL_CTL_ADD);
}

static void connected(struct sim_client *c, struct sim_conn *k, int64_t now_us)
{
    int e = 0;
    socklen_t len = sizeof e;
    getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &e, &len);
    if (e) {
        c->rep->connect_failures++;
        c->rep->disconnects--; /* it never was connected */
        k->failures++;
        sim_conn_close(c, k, now_us);
        return;
    }
    k->connecting = false;
    k->failures = 0;
    c->rep->connects++;
    for (unsigned i = 0; i < k->count; i++) { /* what was not answered goes out first */
        struct sim_slot *s = &k->slots[(k->head + i) % c->window];
        if (!s->busy)
            continue;
        s->last_us = now_us;
        s->sends++;
        c->rep->resent++;
        sim_conn_send(c, k, s->bytes, s->n);
    }
}

static void received(struct sim_client *c, struct sim_conn *k, int64_t now_us)
{
    for (;;) {
        ssize_t n = recv(k->fd, k->rx + k->rx_n, sizeof k->rx - k->rx_n, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            sim_conn_close(c, k, now_us);
            return;
        }
        if (n < 0)
            return;
        c->rep->bytes_in += (uint64_t)n;
        k->rx_n += (size_t)n;
        size_t at = 0;
        for (;;) {
            struct hj212_cut cut = hj212_cut(k->rx + at, k->rx_n - at, false, HJ212_TOLERATE_DEFAULT);
            if (cut.kind == HJ212_CUT_MORE)
                break;
            struct hj212_frame f;
            if (cut.kind == HJ212_CUT_FRAME && hj212_parse(cut.raw, HJ212_TOLERATE_DEFAULT, &f) == HJ212_E_OK) {
                if (f.cn == 9014)
                    slot_done(c, k, f.qn.n ? f.qn : (f.cp.n >= 20 ? (struct lt_slice){f.cp.p + 3, 17} : f.qn), now_us);
                else
                    sim_command(c, k, &f, lt_wall_ms());
            }
            at += cut.used;
        }
        memmove(k->rx, k->rx + at, k->rx_n - at);
        k->rx_n -= at;
        if (k->rx_n == sizeof k->rx)
            k->rx_n = 0; /* a platform that sends no frames */
    }
}

/* ---- the run ---- */

static bool setup(struct sim_client *c)
{
    const struct sim_client_config *cfg = c->cfg;
    c->window = cfg->window ? cfg->window < SIM_WINDOW_MAX ? cfg->window : SIM_WINDOW_MAX : 1;
    c->conns = calloc(cfg->n, sizeof *c->conns);
    c->latency = calloc(LAT_FINE + LAT_COARSE, sizeof *c->latency);
    c->recent = cfg->samples ? calloc(LAT_FINE + LAT_COARSE, sizeof *c->recent) : NULL;
    c->ep = epoll_create1(EPOLL_CLOEXEC);
    if (!c->conns || !c->latency || (cfg->samples && !c->recent) || c->ep < 0)
        return false;
    for (unsigned i = 0; i < cfg->n; i++) {
        struct sim_conn *k = &c->conns[i];
        *k = (struct sim_conn){.dev = &cfg->devices[i], .index = i, .fd = -1};
        k->slots = calloc(c->window, sizeof *k->slots);
        char *bytes = malloc((size_t)c->window * SIM_FRAME_CAP);
        if (!k->slots || !bytes) {
            free(bytes);
            return false;
        }
        for (unsigned w = 0; w < c->window; w++)
            k->slots[w].bytes = bytes + (size_t)w * SIM_FRAME_CAP;
        if (cfg->city)
            sim_city_init(c, k, lt_wall_ms());
    }
    return cfg->city || sim_load_init(c);
}

static void teardown(struct sim_client *c)
{
    for (unsigned i = 0; c->conns && i < c->cfg->n; i++) {
        struct sim_conn *k = &c->conns[i];
        if (k->fd >= 0)
            close(k->fd);
        if (k->slots)
            free(k->slots[0].bytes);
        free(k->slots);
        free(k->tx);
    }
    free(c->conns);
    free(c->latency);
    free(c->recent);
    sim_load_fini(c);
    if (c->ep >= 0)
        close(c->ep);
}

static void step_conns(struct sim_client *c, const struct addrinfo *to, bool sending, int64_t now_us, int64_t wall_ms)
{
    const struct sim_client_config *cfg = c->cfg;
    unsigned opened = 0, next = (c->turn + 1) % cfg->n;
    bool spent = false;
    for (unsigned i = 0; i < cfg->n; i++) {
        unsigned at = (c->turn + i) % cfg->n;
        struct sim_conn *k = &c->conns[at];
        bool want = cfg->city ? sim_city_wants_connection(k, wall_ms) : true;
        if (k->fd >= 0 && !want)
            sim_conn_close(c, k, now_us);
        if (k->fd < 0) {
            if (want && now_us >= k->retry_us && opened < 64) { /* at most 64 new connections a round */
                connect_start(c, k, to, now_us);
                opened++;
            }
            continue;
        }
        if (k->connecting)
            continue;
        resend_due(c, k, now_us);
        if (cfg->city && sending)
            sim_city_step(c, k, now_us, wall_ms);
        for (unsigned burst = 0; !cfg->city && sending && burst < 32 && sim_slot_free(c, k); burst++) {
            if (cfg->rate > 0 && c->tokens < 1) {
                next = spent ? next : at; /* the first that came too late is the first of the next round */
                spent = true;
                break;
            }
            if (!sim_load_one(c, k, now_us, wall_ms))
                break;
            c->tokens -= cfg->rate > 0 ? 1 : 0;
        }
        if (k->fd >= 0 && k->tx_n && !k->want_write)
            sim_conn_flush(c, k);
    }
    c->turn = next;
}

static uint64_t under_way(const struct sim_client *c)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < c->cfg->n; i++)
        for (unsigned w = 0; w < c->conns[i].count; w++)
            n += c->conns[i].slots[(c->conns[i].head + w) % c->window].busy;
    return n;
}

static void poll_once(struct sim_client *c, int wait_ms)
{
    struct epoll_event ev[512];
    int n = epoll_wait(c->ep, ev, 512, wait_ms);
    int64_t now_us = lt_mono_us();
    for (int i = 0; i < n; i++) {
        struct sim_conn *k = ev[i].data.ptr;
        if (k->fd < 0)
            continue;
        if (k->connecting) {
            connected(c, k, now_us);
        } else if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            received(c, k, now_us);
        }
        if (k->fd >= 0 && !k->connecting && (k->tx_n || k->want_write))
            sim_conn_flush(c, k);
    }
}

/* One line about the time since the last one. */
static void sample(struct sim_client *c, int64_t elapsed_us)
{
    const struct sim_report *r = c->rep;
    uint64_t n = 0;
    for (size_t i = 0; i < LAT_FINE + LAT_COARSE; i++)
        n += c->recent[i];
    fprintf(
        c->cfg->samples,
        "{\"s\":%.1f,\"sent\":%llu,\"acknowledged\":%llu,\"resent\":%llu,\"lost\":%llu,\"open\":%llu,\"answers\":%llu,"
        "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
        (double)elapsed_us / 1e6, (unsigned long long)r->sent, (unsigned long long)r->acknowledged,
        (unsigned long long)r->resent, (unsigned long long)r->lost, (unsigned long long)(r->connects - r->disconnects),
        (unsigned long long)n, latency_at(c->recent, 0.50, n), latency_at(c->recent, 0.99, n),
        latency_at(c->recent, 1.0, n));
    fflush(c->cfg->samples);
    memset(c->recent, 0, (LAT_FINE + LAT_COARSE) * sizeof *c->recent);
}

static void run(struct sim_client *c, const struct addrinfo *to)
{
    const struct sim_client_config *cfg = c->cfg;
    int64_t start = lt_mono_us(), last = start, said = start, sampled = start, step_us = start, stop_us = 0;
    uint64_t said_acks = 0;
    const bool slow = !cfg->city && cfg->rate > 0 && cfg->rate < SLOW_RATE;
    for (;;) {
        int64_t now = lt_mono_us(), wall = lt_wall_ms();
        bool over =
            (cfg->seconds > 0 && (double)(now - start) >= cfg->seconds * 1e6) || (cfg->stop && atomic_load(cfg->stop));
        if (over && !stop_us) {
            stop_us = now;
            c->rep->seconds = (double)(now - start) / 1e6;
            c->rep->rate = (double)c->rep->acknowledged / c->rep->seconds;
        }
        if (stop_us && (under_way(c) == 0 || now - stop_us > (int64_t)cfg->drain_ms * 1000))
            return;
        c->tokens += cfg->rate * (double)(now - last) / 1e6;
        if (c->tokens > cfg->rate) /* what could not be sent within a second is not caught up in a burst */
            c->tokens = cfg->rate;
        last = now;
        if (!slow || now >= step_us) {
            step_conns(c, to, !stop_us, now, wall);
            step_us = now + STEP_US;
        }
        poll_once(c, cfg->city ? 20 : slow ? (int)((step_us - now + 999) / 1000) : under_way(c) ? 1 : 0);
        if (cfg->samples && now - sampled >= (int64_t)cfg->samples_ms * 1000) {
            sample(c, now - start);
            sampled = now;
        }
        if (cfg->progress && now - said >= 1000000) {
            fprintf(stderr, "\rsim: %.0f s, %llu acknowledged (%.0f/s), %llu resent   ", (double)(now - start) / 1e6,
                    (unsigned long long)c->rep->acknowledged,
                    (double)(c->rep->acknowledged - said_acks) * 1e6 / (double)(now - said),
                    (unsigned long long)c->rep->resent);
            said = now;
            said_acks = c->rep->acknowledged;
        }
    }
}

enum lt_err sim_client_run(const struct sim_client_config *cfg, struct sim_report *ret, struct lt_error *err)
{
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to = NULL;
    struct sim_client_config with_defaults = *cfg;
    if (!with_defaults.timeout_ms)
        with_defaults.timeout_ms = 10000;
    if (!with_defaults.samples_ms)
        with_defaults.samples_ms = 5000;
    if (!with_defaults.drain_ms)
        with_defaults.drain_ms = 15000;
    struct sim_client c = {.cfg = &with_defaults, .rep = ret, .ep = -1};
    *ret = (struct sim_report){0};
    snprintf(port, sizeof port, "%u", cfg->port);
    int e = getaddrinfo(cfg->host, port, &hints, &to);
    if (e)
        return lt_fail(err, LT_E_BAD_INPUT, "to", gai_strerror(e), NULL, NULL);
    bool ok = setup(&c);
    if (ok) {
        run(&c, to);
        ret->lost += under_way(&c);
        uint64_t n = ret->acknowledged;
        ret->p50_ms = latency_at(c.latency, 0.50, n);
        ret->p90_ms = latency_at(c.latency, 0.90, n);
        ret->p99_ms = latency_at(c.latency, 0.99, n);
        ret->p999_ms = latency_at(c.latency, 0.999, n);
        ret->max_ms = latency_at(c.latency, 1.0, n);
        if (cfg->progress)
            fputc('\n', stderr);
    }
    teardown(&c);
    freeaddrinfo(to);
    return ok ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

void sim_report_print(const struct sim_report *r, FILE *to)
{
    fprintf(to,
            "{\"sent\":%llu,\"acknowledged\":%llu,\"resent\":%llu,\"lost\":%llu,\"commands\":%llu,\"connects\":%llu,"
            "\"disconnects\":%llu,\"connect_failures\":%llu,\"bytes_out\":%llu,\"bytes_in\":%llu,\"seconds\":%.3f,"
            "\"rate\":%.1f,\"latency_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}}\n",
            (unsigned long long)r->sent, (unsigned long long)r->acknowledged, (unsigned long long)r->resent,
            (unsigned long long)r->lost, (unsigned long long)r->commands, (unsigned long long)r->connects,
            (unsigned long long)r->disconnects, (unsigned long long)r->connect_failures,
            (unsigned long long)r->bytes_out, (unsigned long long)r->bytes_in, r->seconds, r->rate, r->p50_ms,
            r->p90_ms, r->p99_ms, r->p999_ms, r->max_ms);
}
