/* Starting, stopping and asking the gateway. */
#include "gateway/gateway_priv.h"
#include "base/log.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS_KEPT = 256 }; /* for files, HTTP and the like */

/* ---- addresses ---- */
void gw_address_text(const struct sockaddr_storage *a, char ret[64])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host, sizeof host);
            snprintf(ret, 64, "%s:%u", host, ntohs(v6->sin6_port));
        } else {
            inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
            snprintf(ret, 64, "[%s]:%u", host, ntohs(v6->sin6_port));
        }
        return;
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    snprintf(ret, 64, "%s:%u", host, ntohs(v4->sin_port));
}

void gw_address_key(const struct sockaddr_storage *a, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (a->ss_family == AF_INET6) {
        memcpy(ret, ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr, 16);
        return;
    }
    memcpy(ret, mapped, sizeof mapped);
    memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
}

/* "10.0.0.1:9012", "[::]:9012" */
static bool parse_listen(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    char host[64];
    int64_t port;
    const char *colon = strrchr(text, ':');
    if (!colon || !lt_text_to_i64(lt_slice_of(colon + 1), &port) || port < 0 || port > 65535)
        return false;
    struct lt_slice h = {text, (size_t)(colon - text)};
    bool v6 = h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';
    if (v6)
        h = (struct lt_slice){h.p + 1, h.n - 2};
    lt_text_copy_slice(host, sizeof host, h);
    memset(ret, 0, sizeof *ret);
    if (v6) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)ret;
        *a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        *ret_len = sizeof *a;
        return inet_pton(AF_INET6, host, &a->sin6_addr) == 1;
    }
    struct sockaddr_in *a = (struct sockaddr_in *)(void *)ret;
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    *ret_len = sizeof *a;
    return inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

static int bind_socket(const struct sockaddr_storage *a, socklen_t len, bool share)
{
    int one = 1, off = 0, fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if ((share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) ||
        bind(fd, (const struct sockaddr *)a, len) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

/* One socket for each loop on the same port. First one without sharing: with it, a second post would silently take half
 * of the devices of the first. */
static enum lt_err bind_all(struct gateway *g, struct lt_error *err)
{
    socklen_t len = 0, bound_len = sizeof g->bound;
    struct sockaddr_storage a;
    if (!parse_listen(g->listen_text, &a, &len))
        return lt_fail(err, LT_E_LISTEN, "listen", g->listen_text, "not ADDRESS:PORT", NULL);
    int fd = bind_socket(&a, len, false);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&g->bound, &bound_len) != 0)
        return lt_fail(err, LT_E_LISTEN, "listen", g->listen_text, strerror(errno), NULL);
    close(fd);
    for (unsigned i = 0; i < g->loops; i++) {
        g->loop[i]->listen_fd = bind_socket(&g->bound, len, true);
        if (g->loop[i]->listen_fd < 0)
            return lt_fail(err, LT_E_LISTEN, "listen", g->listen_text, strerror(errno), NULL);
    }
    return LT_OK;
}

/* ---- configuration ---- */
static void set_default(unsigned *v, unsigned d)
{
    if (*v == 0)
        *v = d;
}

static void fill_config(struct gateway *g, const struct gateway_config *cfg)
{
    struct rlimit rl;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    g->cfg = *cfg;
    lt_text_copy(g->listen_text, sizeof g->listen_text, cfg->listen ? cfg->listen : "127.0.0.1:9012");
    g->cfg.listen = g->listen_text;
    set_default(&g->cfg.loops, cores > 0 ? (unsigned)cores : 1);
    set_default(&g->cfg.max_conns, 18000);
    set_default(&g->cfg.max_conns_per_addr, 2000);
    set_default(&g->cfg.max_pending, 1000);
    set_default(&g->cfg.idle_s, 600);
    set_default(&g->cfg.frame_s, 30);
    set_default(&g->cfg.max_rate, 2000);
    if (g->cfg.loops > GATEWAY_LOOPS_MAX)
        g->cfg.loops = GATEWAY_LOOPS_MAX;
    if (g->cfg.max_rate > 1000000)
        g->cfg.max_rate = 1000000;
    g->loops = g->cfg.loops;
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY &&
        g->cfg.max_conns + DESCRIPTORS_KEPT > rl.rlim_cur) {
        unsigned fits =
            rl.rlim_cur > 2 * DESCRIPTORS_KEPT ? (unsigned)rl.rlim_cur - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
        lt_log(LT_WARN, "gateway.limit", "max_conns=%u descriptors=%llu used=%u", g->cfg.max_conns,
               (unsigned long long)rl.rlim_cur, fits);
        g->cfg.max_conns = fits;
    }
}

/* ---- life ---- */
static void destroy(struct gateway *g)
{
    for (unsigned i = 0; i < g->loops; i++)
        if (g->loop[i]) {
            gw_loop_fini(g->loop[i]);
            free(g->loop[i]);
        }
    gw_devices_fini(&g->devices);
    gw_addrs_fini(&g->addrs);
    gw_commands_fini(&g->commands);
    free(g);
}

static void stop_loops(struct gateway *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        atomic_store(&g->loop[i]->stop, true);
        uv_async_send(&g->loop[i]->async);
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(g->loop[i]->thread, NULL);
}

static enum lt_err start_loops(struct gateway *g, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (unsigned i = 0; i < g->loops && e == LT_OK; i++)
        e = gw_loop_init(g->loop[i], err);
    for (unsigned i = 0; i < g->loops && e == LT_OK; i++) {
        int r = pthread_create(&g->loop[i]->thread, NULL, gw_loop_run, g->loop[i]);
        if (r != 0) {
            stop_loops(g, i);
            e = lt_fail(err, LT_E_INTERNAL, NULL, strerror(r), NULL, NULL);
        }
    }
    return e;
}

static enum lt_err make_loops(struct gateway *g, struct lt_error *err)
{
    for (unsigned i = 0; i < g->loops; i++) {
        g->loop[i] = calloc(1, sizeof *g->loop[i]);
        if (!g->loop[i]) {
            g->loops = i;
            return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        }
        g->loop[i]->g = g;
        g->loop[i]->number = i;
        g->loop[i]->listen_fd = -1;
        pthread_mutex_init(&g->loop[i]->mail_lock, NULL);
    }
    return LT_OK;
}

enum lt_err gateway_start(const struct gateway_config *cfg, struct recorder *rec, struct registry *reg,
                          struct gateway **ret, struct lt_error *err)
{
    struct gateway *g = calloc(1, sizeof *g);
    if (!g)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    g->rec = rec;
    g->reg = reg;
    fill_config(g, cfg);
    gw_devices_init(&g->devices, g->cfg.max_pending);
    gw_addrs_init(&g->addrs);
    gw_commands_init(&g->commands);
    enum lt_err e = make_loops(g, err);
    if (e == LT_OK)
        e = bind_all(g, err);
    if (e == LT_OK)
        e = start_loops(g, err);
    if (e != LT_OK) {
        destroy(g);
        return e;
    }
    *ret = g;
    return LT_OK;
}

void gateway_stop(struct gateway **g)
{
    if (!*g)
        return;
    stop_loops(*g, (*g)->loops);
    destroy(*g);
    *g = NULL;
}

void gateway_address(const struct gateway *g, char ret[64])
{
    gw_address_text(&g->bound, ret);
}

/* ---- asking ---- */
bool gateway_device(struct gateway *g, struct lt_slice mn, struct gateway_device *ret)
{
    struct gw_conn_id owner;
    bool has;
    return gw_devices_get(&g->devices, mn, ret, &owner, &has);
}

size_t gateway_devices(struct gateway *g, struct gateway_device *ret, size_t cap)
{
    return gw_devices_list(&g->devices, ret, cap);
}

enum lt_err gateway_command_send(struct gateway *g, struct lt_slice mn, uint16_t st, uint16_t cn, struct lt_slice area,
                                 uint64_t *ret_id, struct lt_error *err)
{
    struct gateway_device d;
    struct gw_mail m;
    bool has = false;
    struct gateway_command c = {.st = st, .cn = cn};
    lt_text_copy_slice(c.mn, sizeof c.mn, mn);
    if (area.n >= sizeof c.area)
        return lt_failf(err, LT_E_FIELD_LENGTH, "area", "%zu", sizeof c.area - 1);
    lt_text_copy_slice(c.area, sizeof c.area, area);
    c.sent_at_ms = c.changed_at_ms = lt_wall_ms();
    if (!gw_devices_get(&g->devices, mn, &d, &m.to, &has) || !has)
        return lt_fail(err, LT_E_DEVICE_OFFLINE, "mn", c.mn, NULL, NULL);
    enum lt_err e = gw_commands_add(&g->commands, &c, err);
    if (e != LT_OK)
        return e;
    m.id = c.id;
    if (!gw_loop_post(g->loop[m.to.loop], &m)) {
        c.step = GATEWAY_CMD_FAILED;
        gw_commands_update(&g->commands, &c);
        return lt_fail(err, LT_E_BUSY, NULL, "gateway", NULL, NULL);
    }
    *ret_id = c.id;
    return LT_OK;
}

bool gateway_command_get(struct gateway *g, uint64_t id, struct gateway_command *ret)
{
    return gw_commands_get(&g->commands, id, ret);
}

void gateway_stats(struct gateway *g, struct gateway_stats *ret)
{
    *ret = (struct gateway_stats){.session_bytes =
                                      sizeof(struct gw_conn) + sizeof(struct session_device) + sizeof(uint32_t)};
    for (unsigned i = 0; i < g->loops; i++) {
        const struct gw_counters *n = &g->loop[i]->n;
        ret->accepted += atomic_load_explicit(&n->accepted, memory_order_relaxed);
        ret->refused_limit += atomic_load_explicit(&n->refused_limit, memory_order_relaxed);
        ret->open += atomic_load_explicit(&n->open, memory_order_relaxed);
        ret->frames += atomic_load_explicit(&n->frames, memory_order_relaxed);
        ret->bytes_in += atomic_load_explicit(&n->bytes_in, memory_order_relaxed);
        ret->bytes_out += atomic_load_explicit(&n->bytes_out, memory_order_relaxed);
        ret->rejected += atomic_load_explicit(&n->rejected, memory_order_relaxed);
        ret->acks += atomic_load_explicit(&n->acks, memory_order_relaxed);
        ret->paused += atomic_load_explicit(&n->paused, memory_order_relaxed);
        ret->accept_pauses += atomic_load_explicit(&n->accept_pauses, memory_order_relaxed);
    }
}
