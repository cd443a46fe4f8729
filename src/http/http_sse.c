/* Streams of server-sent events.
 *
 * DESIGN. A client is a position in the bus and a small buffer. While it has nothing to send its connection is
 * suspended and costs no thread. One stream thread wakes on bus events, but at most ten times a second: it moves every
 * waiting client on, and resumes those for whom something passed the filter. The event thread then copies the buffer to
 * the socket and refills it as long as there is more. So a slow client only falls behind by itself; when it falls out
 * of the ring it gets `event: reset`, and its stream ends: the page loads its data anew and connects again. A stream
 * ends by itself after SSE_LIFE_MS, so that rights taken away end soon; the browser reconnects with Last-Event-ID and
 * misses nothing.
 *
 * LIMITS. SSE_PENDING bytes per client; as many streams as configured.
 *
 * One lock over clients. Order of locks: that of the bus's listeners (held while it wakes us), sse, then the bus's ring
 * or libmicrohttpd's own. */
#include "http/http_priv.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define SSE_PENDING  (64u * 1024) /* two events of the greatest size, or some hundred of the usual */
#define SSE_BATCH    32
#define SSE_PASS_MS  100   /* pages draw at most five times a second; more wakes would only cost */
#define SSE_BEAT_MS  15000 /* proxies close what is silent for 30 or 60 s */
#define SSE_LIFE_MS  600000
#define SSE_RETRY_MS 3000

struct client {
    struct client *prev, *next;
    struct sse *s;
    struct MHD_Connection *conn;
    struct http_stream st;
    uint64_t at; /* last event seen or filtered out */
    struct lt_buf pending;
    size_t sent; /* of pending */
    bool suspended, ending;
    int64_t beat_ms, until_ms;
};

struct sse {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct bus *bus;
    struct client head;
    unsigned clients, limit;
    bool woken, stop, finishing;
    uint64_t slow, events;
};

/* Ends the stream after what stands in `pending`. */
static void end(struct client *c)
{
    c->ending = true;
}

static void write_event(struct client *c, const struct bus_event *e)
{
    lt_buf_addf(&c->pending, "id: %" PRIu64 "\nevent: %s\ndata: ", e->id, e->type);
    lt_buf_add(&c->pending, e->json.p, e->json.n);
    lt_buf_adds(&c->pending, "\n\n");
}

static void write_reset(struct client *c)
{
    c->at = bus_last_id(c->s->bus);
    lt_buf_addf(&c->pending, "id: %" PRIu64 "\nevent: reset\ndata: {}\n\n", c->at);
}

/* Moves the client on through the bus while its buffer has room. Under the lock. */
static void fill(struct client *c)
{
    const struct bus_event *e[SSE_BATCH];
    bool gap = false;
    size_t n = SSE_BATCH;
    if (c->sent == c->pending.n) {
        lt_buf_clear(&c->pending);
        c->sent = 0;
    }
    while (n == SSE_BATCH && !c->ending && c->pending.n < SSE_PENDING / 4) {
        n = bus_read(c->s->bus, c->at, e, SSE_BATCH, &gap);
        for (size_t i = 0; i < n; i++) {
            /* an event that finds no room waits for the next turn, and so do all after it */
            bool room = c->pending.n + e[i]->json.n + 128 < SSE_PENDING;
            if (!gap && room && e[i]->id == c->at + 1) {
                c->at = e[i]->id;
                if (c->st.pass(c->st.user, e[i])) {
                    write_event(c, e[i]);
                    c->s->events++;
                }
            }
            bus_unref(e[i]);
        }
        if (gap) {
            c->s->slow++;
            write_reset(c);
            end(c);
        }
    }
    if (c->pending.failed) /* out of memory: let it come back */
        end(c);
}

static void resume(struct client *c)
{
    if (c->suspended) {
        c->suspended = false;
        MHD_resume_connection(c->conn);
    }
}

static ssize_t read_stream(void *user, uint64_t pos, char *buf, size_t max)
{
    struct client *c = user;
    struct sse *s = c->s;
    ssize_t n = 0;
    pthread_mutex_lock(&s->lock);
    if (c->sent == c->pending.n)
        fill(c);
    size_t left = c->pending.failed ? 0 : c->pending.n - c->sent;
    if (left) {
        n = (ssize_t)(left < max ? left : max);
        memcpy(buf, c->pending.p + c->sent, (size_t)n);
        c->sent += (size_t)n;
        c->beat_ms = lt_mono_ms() + SSE_BEAT_MS;
    } else if (c->ending || s->finishing) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        c->suspended = true;
        MHD_suspend_connection(c->conn);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void free_client(void *user)
{
    struct client *c = user;
    struct sse *s = c->s;
    pthread_mutex_lock(&s->lock);
    c->prev->next = c->next;
    c->next->prev = c->prev;
    s->clients--;
    pthread_mutex_unlock(&s->lock);
    if (c->st.free)
        c->st.free(c->st.user);
    lt_buf_fini(&c->pending);
    free(c);
}

/* Where the client goes on: after Last-Event-ID when it says one, else after the newest. */
static void greet(struct client *c, struct lt_slice last_id)
{
    uint64_t id;
    c->at = bus_last_id(c->s->bus);
    lt_buf_addf(&c->pending, "retry: %d\n\n", SSE_RETRY_MS);
    if (!lt_text_to_u64(last_id, &id)) {
        lt_buf_addf(&c->pending, "id: %" PRIu64 "\nevent: hello\ndata: {}\n\n", c->at);
        return;
    }
    const struct bus_event *e;
    bool gap;
    size_t n = bus_read(c->s->bus, id, &e, 1, &gap);
    if (n)
        bus_unref(e);
    if (gap)
        write_reset(c);
    else
        c->at = id;
}

struct MHD_Response *sse_response(struct sse *s, struct MHD_Connection *conn, struct http_stream *st,
                                  struct lt_slice last_id)
{
    struct client *c = calloc(1, sizeof *c);
    struct MHD_Response *r = NULL;
    pthread_mutex_lock(&s->lock);
    if (c && s->clients < s->limit && !s->finishing) {
        *c = (struct client){.s = s, .conn = conn, .st = *st, .pending = LT_BUF_INIT(SSE_PENDING)};
        c->until_ms = lt_mono_ms() + SSE_LIFE_MS;
        greet(c, last_id);
        r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, c, free_client);
    }
    if (r) {
        c->prev = s->head.prev;
        c->next = &s->head;
        c->prev->next = c;
        s->head.prev = c;
        s->clients++;
    }
    pthread_mutex_unlock(&s->lock);
    if (!r) {
        if (st->free)
            st->free(st->user);
        if (c)
            lt_buf_fini(&c->pending);
        free(c);
    }
    st->on = false;
    return r;
}

static void wake(void *user)
{
    struct sse *s = user;
    pthread_mutex_lock(&s->lock);
    s->woken = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

/* One pass over the clients that wait. Under the lock. */
static void pass(struct sse *s, int64_t now_ms)
{
    for (struct client *c = s->head.next; c != &s->head; c = c->next) {
        if (!c->suspended)
            continue;
        fill(c);
        if (now_ms > c->until_ms || s->finishing)
            end(c);
        if (c->pending.n == c->sent && now_ms > c->beat_ms) {
            lt_buf_adds(&c->pending, ": \n\n");
            c->beat_ms = now_ms + SSE_BEAT_MS;
        }
        if (c->pending.n > c->sent || c->ending)
            resume(c);
    }
}

static void wait_until(struct sse *s, int64_t ms)
{
    lt_cond_wait_until(&s->wake, &s->lock, lt_mono_ms() + ms);
}

static void *stream_thread(void *user)
{
    struct sse *s = user;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        if (!s->woken)
            wait_until(s, 1000);
        s->woken = false;
        pass(s, lt_mono_ms());
        int64_t next = lt_mono_ms() + SSE_PASS_MS;
        for (int64_t now; !s->stop && !s->finishing && (now = lt_mono_ms()) < next;)
            wait_until(s, next - now);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct sse *sse_create(struct bus *bus, unsigned limit)
{
    struct sse *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->bus = bus;
    s->limit = limit;
    s->head.prev = s->head.next = &s->head;
    pthread_mutex_init(&s->lock, NULL);
    lt_cond_init(&s->wake);
    if (!bus_listen(bus, wake, s) || pthread_create(&s->thread, NULL, stream_thread, s) != 0) {
        bus_ignore(bus, wake, s);
        free(s);
        return NULL;
    }
    return s;
}

void sse_finish(struct sse *s)
{
    pthread_mutex_lock(&s->lock);
    s->finishing = s->woken = true;
    pass(s, lt_mono_ms());
    pthread_mutex_unlock(&s->lock);
    /* From here on nobody suspends any more: read_stream() looks at `finishing` under the same lock. */
}

void sse_destroy(struct sse **s)
{
    if (!*s)
        return;
    bus_ignore((*s)->bus, wake, *s);
    pthread_mutex_lock(&(*s)->lock);
    (*s)->stop = true;
    pthread_cond_signal(&(*s)->wake);
    pthread_mutex_unlock(&(*s)->lock);
    pthread_join((*s)->thread, NULL);
    pthread_mutex_destroy(&(*s)->lock);
    pthread_cond_destroy(&(*s)->wake);
    free(*s);
    *s = NULL;
}

void sse_stats(struct sse *s, struct http_stats *ret)
{
    pthread_mutex_lock(&s->lock);
    ret->streams = s->clients;
    ret->streams_slow = s->slow;
    ret->events_sent = s->events;
    pthread_mutex_unlock(&s->lock);
}
