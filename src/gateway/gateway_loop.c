/* One loop: its connections, its blocks on the way to the recorder, and the answers on the way back. Everything here
 * runs on the loop's thread except gw_loop_post() and the recorder's wake.
 *
 * A turn: prepare (time, register) -> poll: reads fill the block under way, done blocks give answers -> check: what
 * accumulated goes to the recorder. At most two small blocks are under way, so that blocks grow under load; no free
 * block means that connections wait, in order, without being read. */
#include "base/log.h"
#include "base/text.h"
#include "gateway/gateway_priv.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FLYING_SMALL = 2,                       /* one being committed, one next */
    LARGE_BYTES = RECORDER_BLOCK_BYTES / 2, /* worth a block of its own */
    LARGE_ENTRIES = RECORDER_BLOCK_ENTRIES / 2,
    ROOM_BYTES = GATEWAY_READ_BYTES + 2 * HJ212_FRAME_MAX, /* of one read and an unfinished frame before it */
    ROOM_ENTRIES = 1024,
    RESUME_BYTES = 600, /* what a connection that waits is thought to bring */
};
#define NO_REPLY UINT64_MAX

static void count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- lists ---- */
static void link_init(struct gw_link *l)
{
    l->prev = l->next = l;
}

static bool link_empty(const struct gw_link *l)
{
    return l->next == l;
}

static void link_remove(struct gw_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

static void link_before(struct gw_link *at, struct gw_link *l)
{
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}

static struct gw_conn *of_wait(struct gw_link *l)
{
    return (struct gw_conn *)(void *)((char *)l - offsetof(struct gw_conn, wait_link));
}

static struct gw_conn *of_dirty(struct gw_link *l)
{
    return (struct gw_conn *)(void *)((char *)l - offsetof(struct gw_conn, dirty_link));
}

static void set_time(struct gw_loop *l)
{
    l->env.mono_ms = (int64_t)uv_now(&l->uv);
    l->env.at_ms = l->env.mono_ms + l->wall_off_ms;
}

/* ---- blocks ---- */
static bool take_block(struct gw_loop *l)
{
    struct recorder_block *b = recorder_port_take(l->port);
    if (!b)
        return false;
    size_t i = 0;
    while (i < RECORDER_PORT_BLOCKS && l->flight[i].block)
        i++;
    assert(i < RECORDER_PORT_BLOCKS); /* the port has no more */
    l->cur = &l->flight[i];
    l->cur->block = b;
    l->cur->replies = l->cur->bytes = 0;
    return true;
}

static void submit(struct gw_loop *l)
{
    recorder_port_submit(l->port, l->cur->block);
    l->cur = NULL;
    l->flying++;
}

static void submit_due(struct gw_loop *l)
{
    if (!l->cur)
        return;
    size_t n = recorder_block_count(l->cur->block);
    if (n > 0 && (l->flying < FLYING_SMALL || l->cur->bytes >= LARGE_BYTES || n >= LARGE_ENTRIES))
        submit(l);
}

/* Room for all that one read can bring? */
static bool have_room(struct gw_loop *l)
{
    if (l->cur && (RECORDER_BLOCK_BYTES - (int)l->cur->bytes < ROOM_BYTES ||
                   recorder_block_count(l->cur->block) + ROOM_ENTRIES > RECORDER_BLOCK_ENTRIES))
        submit(l);
    return l->cur || take_block(l);
}

static bool op_record(void *user, const struct journal_record *rec, const struct session_reply *reply)
{
    struct gw_conn *c = user;
    struct gw_loop *l = c->loop;
    for (int tries = 0; tries < 2; tries++) {
        if (!l->cur && !take_block(l))
            return false;
        struct gw_flight *f = l->cur;
        if (recorder_block_add(f->block, rec, reply ? f->replies : NO_REPLY)) {
            f->bytes += (uint32_t)(rec->bytes.n + rec->mn.n + 32);
            if (reply)
                f->reply[f->replies++] = (struct gw_flight_reply){c->id.slot, c->id.gen, *reply};
            if (rec->kind == JOURNAL_FRAME)
                count(&l->n.frames, 1);
            else if (rec->kind == JOURNAL_REJECT)
                count(&l->n.rejected, 1);
            return true;
        }
        assert(recorder_block_count(f->block) > 0);
        submit(l);
    }
    return false;
}

/* ---- writing ---- */
struct late_write {
    uv_write_t req;
    uint32_t n;
    char bytes[];
};

static void on_late_written(uv_write_t *req, int status)
{
    struct late_write *w = (struct late_write *)(void *)req;
    struct gw_conn *c = req->handle->data;
    c->out_waiting -= w->n;
    if (status == 0)
        count(&c->loop->n.bytes_out, w->n);
    free(w);
}

/* Sets c->s.cause instead of closing, as it may run inside a session function. */
static void write_late(struct gw_conn *c, const char *p, size_t n)
{
    if (c->out_waiting + n > GATEWAY_OUT_MOST) {
        c->s.cause = "device does not read its answers";
        return;
    }
    struct late_write *w = malloc(sizeof *w + n);
    if (!w) {
        c->s.cause = "out of memory";
        return;
    }
    w->n = (uint32_t)n;
    memcpy(w->bytes, p, n);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)n);
    if (uv_write(&w->req, (uv_stream_t *)&c->tcp, &buf, 1, on_late_written) != 0) {
        free(w);
        c->s.cause = "write failed";
        return;
    }
    c->out_waiting += (uint32_t)n;
}

static void write_now(struct gw_conn *c, const char *p, size_t n)
{
    if (c->closing || c->s.cause)
        return;
    int done = 0;
    if (c->out_waiting == 0) {
        uv_buf_t buf = {.len = n};
        memcpy(&buf.base, &p, sizeof p); /* libuv's type has no const; it only reads */
        done = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    }
    if (done < 0 && done != UV_EAGAIN) {
        c->s.cause = "write failed";
        return;
    }
    size_t sent = done > 0 ? (size_t)done : 0;
    count(&c->loop->n.bytes_out, sent);
    if (sent < n)
        write_late(c, p + sent, n - sent);
}

/* Answers are gathered per connection: one write for all that a block holds in a row. */
static void flush_out(struct gw_loop *l)
{
    struct gw_conn *c = l->out_to;
    size_t n = l->out_n;
    l->out_to = NULL;
    l->out_n = 0;
    if (c && n)
        write_now(c, l->out, n);
}

static void op_send(void *user, const char *p, size_t n)
{
    struct gw_conn *c = user;
    flush_out(c->loop); /* keep the order */
    write_now(c, p, n);
}

/* ---- other operations of the session ---- */
static void *op_attach(void *user, struct lt_slice mn, bool registered, struct lt_slice *ret_mn)
{
    struct gw_conn *c = user;
    struct gw_loop *l = c->loop;
    struct gw_device *d = gw_devices_attach(&l->g->devices, mn, registered, c->id, c->peer, l->env.at_ms);
    if (d)
        *ret_mn = lt_slice_of(d->pub.mn);
    return d;
}

static void op_detach(void *user, void *entry, const char *cause)
{
    struct gw_conn *c = user;
    gw_devices_detach(&c->loop->g->devices, entry, c->id, cause);
}

static void op_update(void *user, void *entry, const struct session_delta *x)
{
    struct gw_conn *c = user;
    gw_devices_update(&c->loop->g->devices, entry, c->id, c->peer, x);
}

static void op_refused(void *user, struct lt_slice mn)
{
    struct gw_conn *c = user;
    gw_devices_refused(&c->loop->g->devices, mn, c->loop->env.at_ms);
}

static enum session_first op_first(void *user, void *entry, uint32_t settings)
{
    struct gw_conn *c = user;
    const struct session_env *e = &c->loop->env;
    return gw_devices_first(&c->loop->g->devices, entry, settings, e->at_ms, e->mono_ms);
}

static void tell_command(struct gateway *g, const struct gateway_command *cmd)
{
    gw_commands_update(&g->commands, cmd);
    if (g->cfg.on_command)
        g->cfg.on_command(g->cfg.user, cmd->id);
}

static void op_command(void *user, const struct gateway_command *cmd)
{
    struct gw_conn *c = user;
    tell_command(c->loop->g, cmd);
}

static const struct session_ops ops = {.record = op_record,
                                       .send = op_send,
                                       .attach = op_attach,
                                       .detach = op_detach,
                                       .update = op_update,
                                       .refused = op_refused,
                                       .command = op_command,
                                       .first = op_first};

/* ---- connections ---- */
/* Floods of connections must not fill the journal: so many a minute and address, the rest is counted. The end of one
 * over which a device's frame was kept is always told: no more ends than frames, and why it is silent hangs on it. */
static void record_conn(struct gw_conn *c, const char *what, const struct session_device *d)
{
    struct gw_loop *l = c->loop;
    const struct lt_slice mn = d ? d->mn : (struct lt_slice){"", 0};
    unsigned skipped = 0;
    char text[160];
    if (!(d && d->seen) && !gw_addrs_record(&l->g->addrs, c->s.addr, l->env.mono_ms, &skipped))
        return;
    int n = skipped ? snprintf(text, sizeof text, "%s %s (%u not recorded)", what, c->peer, skipped)
                    : snprintf(text, sizeof text, "%s %s", what, c->peer);
    struct journal_record rec = {.at_ms = l->env.at_ms,
                                 .conn = c->s.conn,
                                 .kind = JOURNAL_CONN,
                                 .mn = mn,
                                 .bytes = {text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1}};
    if (!op_record(c, &rec, NULL))
        lt_log(LT_WARN, "gateway.conn", "cause=not_recorded text=\"%s\"", text);
}

static void on_closed(uv_handle_t *h)
{
    struct gw_conn *c = h->data;
    free(c);
}

static void close_conn(struct gw_conn *c, const char *cause)
{
    struct gw_loop *l = c->loop;
    char what[80];
    if (c->closing)
        return;
    c->closing = true;
    session_flush(&c->s, &l->env);
    snprintf(what, sizeof what, "close (%s)", cause);
    for (unsigned i = 0; !l->stopping && i < c->s.dev_n; i++)
        record_conn(c, what, &c->s.dev[i]); /* a concentrator's line ends for each device behind it */
    if (!l->stopping && c->s.dev_n == 0)
        record_conn(c, what, NULL); /* it never named itself */
    session_fini(&c->s, &l->env, cause);
    link_remove(&c->wait_link);
    link_remove(&c->dirty_link);
    l->left -= c->left;
    if (l->out_to == c)
        l->out_to = NULL;
    gw_addrs_close(&l->g->addrs, c->s.addr);
    atomic_fetch_sub(&l->g->open, 1);
    count(&l->n.open, (uint64_t)-1);
    l->slot[c->id.slot] = NULL;
    l->gen[c->id.slot]++;
    l->free_slot[l->n_free++] = c->id.slot;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void wait_for(struct gw_conn *c, enum gw_wait why)
{
    struct gw_loop *l = c->loop;
    if (c->wait == GW_READING) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        count(&l->n.paused, 1);
        c->waits_since_ms = l->env.mono_ms;
    }
    l->left += c->s.rest_cap - c->left;
    c->left = c->s.rest_cap;
    c->wait = (uint8_t)why;
    link_remove(&c->wait_link);
    if (why == GW_WAIT_RATE) {
        c->rate_until_ms = session_rate_until(&c->s, &l->env);
        link_before(&l->wait_rate, &c->wait_link);
    } else { /* in order of coming; one that was let go on in vain stays in front */
        link_before(c->resumed ? l->wait_room.next : &l->wait_room, &c->wait_link);
    }
    c->resumed = false;
    if (l->left > GATEWAY_LEFT_MOST)
        c->s.cause = "too much sent at once";
}

/* What a session function left to do; false when the connection is closed. */
static bool after(struct gw_conn *c)
{
    struct gw_loop *l = c->loop;
    if (c->s.dirty && link_empty(&c->dirty_link))
        link_before(&l->dirty, &c->dirty_link);
    if (!c->s.cause && c->s.stop != SESSION_GO)
        wait_for(c, c->s.stop == SESSION_RATE ? GW_WAIT_RATE : GW_WAIT_ROOM);
    if (!c->s.cause)
        return true;
    close_conn(c, c->s.cause);
    return false;
}

/* The device closed, or the connection broke: the unfinished rest is still judged. */
static void end_input(struct gw_conn *c)
{
    if (!c->ended)
        uv_read_stop((uv_stream_t *)&c->tcp);
    c->ended = true;
    bool done = session_end(&c->s, &c->loop->env);
    if (after(c) && done)
        close_conn(c, "closed by device");
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct gw_conn *c = h->data;
    struct gw_loop *l = c->loop;
    *buf = uv_buf_init(NULL, 0);
    c->starved = false;
    if (c->read_turn == l->turn) /* its share of this turn is used: poll again */
        return;
    c->starved = !have_room(l);
    if (!c->starved)
        *buf = uv_buf_init(l->input + SESSION_HEADROOM, GATEWAY_READ_BYTES);
}

static void on_read(uv_stream_t *st, ssize_t n, const uv_buf_t *buf)
{
    struct gw_conn *c = st->data;
    struct gw_loop *l = c->loop;
    set_time(l);
    if (n == UV_ENOBUFS) {
        if (c->starved)
            wait_for(c, GW_WAIT_ROOM);
        after(c);
        return;
    }
    if (n == 0)
        return;
    c->read_turn = l->turn;
    c->resumed = false;
    if (n < 0) {
        end_input(c);
        return;
    }
    count(&l->n.bytes_in, (uint64_t)n);
    c->last_read = (uint32_t)n;
    session_input(&c->s, &l->env, buf->base, (size_t)n);
    after(c);
}

/* Lets a waiting connection go on; false when it has to wait again. */
static bool go_on(struct gw_conn *c)
{
    struct gw_loop *l = c->loop;
    link_remove(&c->wait_link);
    c->resumed = c->wait == GW_WAIT_ROOM;
    if (c->ended) {
        end_input(c);
        return true;
    }
    bool free_again = session_resume(&c->s, &l->env);
    if (!after(c))
        return true;
    if (!free_again)
        return false;
    l->left -= c->left;
    c->left = 0;
    c->wait = GW_READING;
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        close_conn(c, "cannot read");
    return true;
}

/* Room came: connections go on in the order in which they had to stop, as many as are thought to fill it. */
static void resume_room(struct gw_loop *l)
{
    int64_t budget = RECORDER_BLOCK_BYTES;
    while (budget > 0 && !link_empty(&l->wait_room) && have_room(l)) {
        struct gw_conn *c = of_wait(l->wait_room.next);
        budget -= c->last_read > RESUME_BYTES ? c->last_read : RESUME_BYTES;
        if (!go_on(c))
            break;
    }
}

static void resume_rate(struct gw_loop *l)
{
    struct gw_link *at = l->wait_rate.next, *next;
    for (; at != &l->wait_rate; at = next) {
        next = at->next;
        if (of_wait(at)->rate_until_ms <= l->env.mono_ms)
            go_on(of_wait(at));
    }
}

/* ---- accepting ---- */
static void refuse_conn(uv_handle_t *h)
{
    free(h->data);
}

static struct gw_conn *conn_at(struct gw_loop *l, uint32_t slot, uint32_t gen)
{
    return slot < l->slots && l->slot[slot] && l->gen[slot] == gen ? l->slot[slot] : NULL;
}

static void open_conn(struct gw_loop *l, struct gw_conn *c, const struct sockaddr_storage *from)
{
    uint8_t addr[16];
    gw_address_key(from, addr);
    gw_address_text(from, c->peer);
    c->id.slot = l->free_slot[--l->n_free];
    c->id.loop = l->number;
    c->id.gen = l->gen[c->id.slot];
    l->slot[c->id.slot] = c;
    c->read_turn = UINT64_MAX;
    session_init(&c->s, c, atomic_fetch_add(&l->g->conns, 1) + 1, addr, &l->env);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, 60);
    count(&l->n.accepted, 1);
    count(&l->n.open, 1);
    record_conn(c, "open", NULL);
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        close_conn(c, "cannot read");
}

/* NULL when there is a place for one more connection from this address, else the limit that is reached. */
static const char *limit_reached(struct gw_loop *l, const struct sockaddr_storage *from)
{
    struct gateway *g = l->g;
    uint8_t addr[16];
    if (l->n_free == 0 || atomic_fetch_add(&g->open, 1) >= g->cfg.max_conns) {
        if (l->n_free)
            atomic_fetch_sub(&g->open, 1);
        return "max_conns";
    }
    gw_address_key(from, addr);
    if (gw_addrs_open(&g->addrs, addr, g->cfg.max_conns_per_addr))
        return NULL;
    atomic_fetch_sub(&g->open, 1);
    return "max_conns_per_addr";
}

static void take_conn(struct gw_loop *l, struct gw_conn *c, int fd, const struct sockaddr_storage *from)
{
    const char *limit = "gone";
    c->loop = l;
    c->tcp.data = c;
    link_init(&c->wait_link);
    link_init(&c->dirty_link);
    uv_tcp_init(&l->uv, &c->tcp);
    if (uv_tcp_open(&c->tcp, fd) == 0)
        limit = limit_reached(l, from);
    else
        close(fd);
    if (!limit) {
        open_conn(l, c, from);
        return;
    }
    gw_address_text(from, c->peer);
    lt_log(LT_WARN, "gateway.refused", "peer=%s limit=%s", c->peer, limit);
    count(&l->n.refused_limit, 1);
    c->closing = true;
    uv_close((uv_handle_t *)&c->tcp, refuse_conn);
}

/* No descriptor or no memory for one more: who comes waits in the system's queue, those who are connected are served,
 * and accepting is tried again after a while. */
static void pause_accepting(struct gw_loop *l, int why)
{
    if (l->accept_again_ms == 0)
        lt_log(LT_ERROR, "gateway.accept", "loop=%u cause=%s again_s=%d", l->number,
               uv_err_name(uv_translate_sys_error(why)), GATEWAY_ACCEPT_AGAIN_MS / 1000);
    count(&l->n.accept_pauses, 1);
    l->accept_again_ms = l->env.mono_ms + GATEWAY_ACCEPT_AGAIN_MS;
    uv_poll_stop(&l->listener);
}

/* One that waits to be accepted; false when there is none, or none can be. */
static bool accept_one(struct gw_loop *l)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    struct gw_conn *c = calloc(1, sizeof *c); /* first, so that nobody is accepted whom there is no memory for */
    int fd = c ? accept4(l->listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
    int why = fd >= 0 ? 0 : c ? errno : ENOMEM;
    if (fd < 0)
        free(c);
    if (why == EAGAIN)
        return false;
    if (why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM) {
        pause_accepting(l, why);
        return false;
    }
    if (fd < 0) /* accept(2): errors of the network belong to the connection that has gone; the next one is taken */
        return true;
    if (l->accept_again_ms) {
        lt_log(LT_INFO, "gateway.accept", "loop=%u state=\"works again\"", l->number);
        l->accept_again_ms = 0;
    }
    take_conn(l, c, fd, &from);
    return true;
}

/* libuv's own accepting holds back a connection it has no memory for and never takes another, and without descriptors
 * its loop may turn for ever (1.44, uv__server_io()): so the socket is only watched by it. */
static void on_connection(uv_poll_t *h, int status, int events)
{
    struct gw_loop *l = h->data;
    set_time(l);
    if (status < 0) {
        pause_accepting(l, -status);
        return;
    }
    for (unsigned i = 0; i < GATEWAY_ACCEPTS && accept_one(l); i++) {
    }
}

static void accept_again(struct gw_loop *l)
{
    if (l->accept_again_ms && l->env.mono_ms >= l->accept_again_ms)
        uv_poll_start(&l->listener, UV_READABLE, on_connection);
}

/* ---- answers ---- */
static void answer(struct gw_loop *l, const struct recorder_entry *e, const struct gw_flight_reply *r)
{
    struct gw_conn *c = conn_at(l, r->slot, r->gen);
    if (!c || c->closing)
        return;
    if (l->out_to != c || sizeof l->out - l->out_n < HJ212_FRAME_MAX)
        flush_out(l);
    l->out_to = c;
    size_t n = session_answer(e->rec.bytes, &r->r, l->out + l->out_n, sizeof l->out - l->out_n);
    l->out_n += n;
    if (n)
        count(&l->n.acks, 1);
    if (r->r.set_time)
        session_durable(&c->s, &l->env, e->rec.bytes, &r->r);
}

static bool all_failed(const struct recorder_entry *e, size_t n)
{
    size_t failed = 0;
    for (size_t i = 0; i < n; i++)
        failed += e[i].result == RECORDER_FAILED;
    return failed == n;
}

static void complete(struct gw_loop *l, struct recorder_block *b)
{
    size_t n, i = 0;
    const struct recorder_entry *e = recorder_block_entries(b, &n);
    while (i < RECORDER_PORT_BLOCKS && l->flight[i].block != b)
        i++;
    assert(i < RECORDER_PORT_BLOCKS);
    struct gw_flight *f = &l->flight[i];
    if (all_failed(e, n) && !l->closed) {
        /* The disk refuses. Not every device sends again (bit A not set), so the block tries again until it is stored
         * (the recorder waits between tries); the blocks run out meanwhile, and reading stops. */
        recorder_port_submit(l->port, b);
        return;
    }
    for (size_t k = 0; k < n; k++)
        if (e[k].user != NO_REPLY && (e[k].result == RECORDER_STORED || e[k].result == RECORDER_DUPLICATE))
            answer(l, &e[k], &f->reply[e[k].user]);
    flush_out(l);
    for (size_t k = 0; k < f->replies; k++) { /* connections that answers brought to an end */
        struct gw_conn *c = conn_at(l, f->reply[k].slot, f->reply[k].gen);
        if (c && c->s.cause)
            close_conn(c, c->s.cause);
    }
    f->block = NULL;
    l->flying--;
    recorder_port_give(l->port, b);
}

/* ---- the turn ---- */
static void flush_dirty(struct gw_loop *l)
{
    while (!link_empty(&l->dirty)) {
        struct gw_conn *c = of_dirty(l->dirty.next);
        link_remove(&c->dirty_link);
        session_flush(&c->s, &l->env);
    }
}

static void refresh_registry(struct gw_loop *l)
{
    const struct registry_snapshot *now = registry_acquire(l->g->reg);
    const struct registry_snapshot *old = l->env.registry;
    if (old && registry_version(old) == registry_version(now)) {
        registry_release(l->g->reg, now);
        return;
    }
    l->env.registry = now;
    if (old) /* sessions look their devices up again before they use them: see session_enrolled() */
        registry_release(l->g->reg, old);
}

static void close_all(struct gw_loop *l);
static void close_handles(struct gw_loop *l);

static void end_of_turn(struct gw_loop *l)
{
    flush_dirty(l);
    if (!l->closed)
        submit_due(l);
    if (!l->stopping)
        return;
    bool idle = l->flying == 0 && (!l->cur || recorder_block_count(l->cur->block) == 0);
    for (uint32_t i = 0; idle && i < l->slots; i++)
        idle = !l->slot[i] || l->slot[i]->out_waiting == 0;
    if (!l->closed && (idle || l->env.mono_ms >= l->stop_until_ms))
        close_all(l);
    if (l->closed && l->flying == 0) /* blocks under way belong to the recorder until it gives them back */
        close_handles(l);
}

static void on_prepare(uv_prepare_t *h)
{
    struct gw_loop *l = h->data;
    l->turn++;
    l->wall_off_ms = lt_wall_ms() - (int64_t)uv_now(&l->uv);
    set_time(l);
    refresh_registry(l);
}

static void on_check(uv_check_t *h)
{
    struct gw_loop *l = h->data;
    set_time(l);
    end_of_turn(l);
}

static void tick(struct gw_conn *c)
{
    struct gw_loop *l = c->loop;
    if (c->wait == GW_READING && !c->ended)
        session_tick(&c->s, &l->env);
    else if (l->env.mono_ms - c->waits_since_ms > l->env.idle_s * LT_SEC_MS)
        c->s.cause = "post could not store"; /* while we do not read we would not see that the device has gone */
    after(c);
}

static void on_timer(uv_timer_t *h)
{
    struct gw_loop *l = h->data;
    l->wall_off_ms = lt_wall_ms() - (int64_t)uv_now(&l->uv);
    set_time(l);
    if (!l->stopping) {
        accept_again(l);
        resume_rate(l);
        resume_room(l);
        for (uint32_t i = l->tick_part; i < l->slots; i += GATEWAY_TICK_PARTS)
            if (l->slot[i])
                tick(l->slot[i]);
        l->tick_part = (l->tick_part + 1) % GATEWAY_TICK_PARTS;
    }
    end_of_turn(l);
}

static void run_command(struct gw_loop *l, const struct gw_mail *m)
{
    struct gateway_command cmd;
    if (!gw_commands_get(&l->g->commands, m->id, &cmd))
        return;
    struct gw_conn *c = l->stopping ? NULL : conn_at(l, m->to.slot, m->to.gen);
    if (c && session_command(&c->s, &l->env, &cmd)) {
        after(c);
        return;
    }
    cmd.step = GATEWAY_CMD_FAILED;
    cmd.code = -1;
    cmd.changed_at_ms = l->env.at_ms;
    tell_command(l->g, &cmd);
}

static void run_mail(struct gw_loop *l)
{
    for (;;) {
        struct gw_mail m;
        pthread_mutex_lock(&l->mail_lock);
        bool some = l->mail_n > 0;
        if (some) {
            m = l->mail[0];
            l->mail_n--;
            memmove(l->mail, l->mail + 1, l->mail_n * sizeof l->mail[0]);
        }
        pthread_mutex_unlock(&l->mail_lock);
        if (!some)
            return;
        run_command(l, &m);
    }
}

bool gw_loop_post(struct gw_loop *l, const struct gw_mail *m)
{
    pthread_mutex_lock(&l->mail_lock);
    bool ok = l->mail_n < GATEWAY_MAIL;
    if (ok)
        l->mail[l->mail_n++] = *m;
    pthread_mutex_unlock(&l->mail_lock);
    if (ok)
        uv_async_send(&l->async);
    return ok;
}

/* ---- stopping ---- */
static void begin_stop(struct gw_loop *l)
{
    unsigned n = 0;
    char text[64];
    l->stop_until_ms = l->env.mono_ms + GATEWAY_STOP_MS;
    uv_close((uv_handle_t *)&l->listener, NULL);
    close(l->listen_fd);
    l->listen_fd = -1;
    for (uint32_t i = 0; i < l->slots; i++)
        if (l->slot[i]) {
            uv_read_stop((uv_stream_t *)&l->slot[i]->tcp);
            n++;
        }
    l->stopping = true;
    int k = snprintf(text, sizeof text, "stop loop %u, %u open", l->number, n);
    struct journal_record rec = {
        .at_ms = l->env.at_ms, .kind = JOURNAL_CONN, .mn = {"", 0}, .bytes = {text, (size_t)k}};
    struct gw_conn nobody = {.loop = l};
    if (!op_record(&nobody, &rec, NULL))
        lt_log(LT_WARN, "gateway.stop", "cause=not_recorded");
}

static void close_all(struct gw_loop *l)
{
    l->closed = true;
    for (uint32_t i = 0; i < l->slots; i++)
        if (l->slot[i])
            close_conn(l->slot[i], "post stopped");
}

static void close_handles(struct gw_loop *l)
{
    if (uv_is_closing((uv_handle_t *)&l->async))
        return;
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_close((uv_handle_t *)&l->async, NULL);
}

static void on_async(uv_async_t *h)
{
    struct gw_loop *l = h->data;
    set_time(l);
    for (struct recorder_block *b; (b = recorder_port_done(l->port)) != NULL;)
        complete(l, b);
    if (atomic_load(&l->stop) && !l->stopping)
        begin_stop(l);
    run_mail(l);
    if (!l->stopping)
        resume_room(l);
}

/* Runs on the recorder's thread. */
static void wake(void *user)
{
    struct gw_loop *l = user;
    uv_async_send(&l->async);
}

/* ---- life ---- */
static void init_handles(struct gw_loop *l)
{
    uv_async_init(&l->uv, &l->async, on_async);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_timer_init(&l->uv, &l->timer);
    l->async.data = l->prepare.data = l->check.data = l->timer.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    uv_timer_start(&l->timer, on_timer, GATEWAY_TICK_MS, GATEWAY_TICK_MS);
}

static enum lt_err listen_on(struct gw_loop *l, struct lt_error *err)
{
    int e = listen(l->listen_fd, 1024) == 0 ? 0 : uv_translate_sys_error(errno);
    if (e == 0 && (e = uv_poll_init(&l->uv, &l->listener, l->listen_fd)) == 0) {
        l->listener.data = l;
        e = uv_poll_start(&l->listener, UV_READABLE, on_connection);
    }
    return e == 0 ? LT_OK : lt_fail(err, LT_E_LISTEN, NULL, l->g->cfg.listen, uv_strerror(e), NULL);
}

enum lt_err gw_loop_init(struct gw_loop *l, struct lt_error *err)
{
    const struct gateway_config *cfg = &l->g->cfg;
    l->slots = l->n_free = cfg->max_conns;
    l->slot = calloc(l->slots, sizeof l->slot[0]);
    l->gen = calloc(l->slots, sizeof l->gen[0]);
    l->free_slot = calloc(l->slots, sizeof l->free_slot[0]);
    link_init(&l->wait_room);
    link_init(&l->wait_rate);
    link_init(&l->dirty);
    if (!l->slot || !l->gen || !l->free_slot)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (uint32_t i = 0; i < l->slots; i++) /* the lowest numbers go first */
        l->free_slot[i] = l->slots - 1 - i;
    l->env = (struct session_env){.ops = &ops,
                                  .tz_min = cfg->tz_min,
                                  .enroll_open = cfg->enroll_open,
                                  .setup = cfg->setup,
                                  .idle_s = cfg->idle_s,
                                  .frame_s = cfg->frame_s,
                                  .max_rate = cfg->max_rate,
                                  .scratch = l->scratch};
    if (uv_loop_init(&l->uv) != 0)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    l->started = true;
    init_handles(l);
    enum lt_err e = listen_on(l, err);
    if (e != LT_OK)
        return e;
    l->port = recorder_port_create(l->g->rec, wake, l);
    return l->port ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
}

static void close_handle(uv_handle_t *h, void *arg)
{
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void *gw_loop_run(void *arg)
{
    struct gw_loop *l = arg;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE); /* libuv writes to devices that may just have gone */
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    refresh_registry(l);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    return NULL;
}

void gw_loop_fini(struct gw_loop *l)
{
    if (l->started) { /* a loop that ran has nothing left here; one that could not start closes its handles */
        uv_walk(&l->uv, close_handle, NULL);
        uv_run(&l->uv, UV_RUN_DEFAULT);
        uv_loop_close(&l->uv);
    }
    if (l->listen_fd >= 0)
        close(l->listen_fd);
    if (l->cur)
        recorder_port_give(l->port, l->cur->block);
    if (l->port)
        recorder_port_destroy(&l->port);
    if (l->env.registry)
        registry_release(l->g->reg, l->env.registry);
    pthread_mutex_destroy(&l->mail_lock);
    free(l->slot);
    free(l->gen);
    free(l->free_slot);
}
