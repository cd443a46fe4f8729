/* Deadlines of connections. libmicrohttpd closes the idle; but one who sends a byte now and then, or takes the answer
 * a byte at a time, is never idle. So every connection stands in a list with the time by which its present step must be
 * over; a sweep each second shuts down the sockets of those who passed it, and libmicrohttpd then closes them. */
#include "http/http_priv.h"

#include <stdlib.h>
#include <sys/socket.h>

void guard_init(struct guard *g, unsigned request_s, unsigned idle_s)
{
    *g = (struct guard){.request_s = request_s, .idle_s = idle_s};
    pthread_mutex_init(&g->lock, NULL);
    g->head.prev = g->head.next = &g->head;
}

void guard_fini(struct guard *g)
{
    pthread_mutex_destroy(&g->lock);
}

struct guard_conn *guard_open(struct guard *g, int fd, int64_t now_ms)
{
    struct guard_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = fd;
    c->state = GUARD_HEAD;
    c->until_ms = now_ms + (int64_t)g->request_s * 1000;
    pthread_mutex_lock(&g->lock);
    c->next = &g->head;
    c->prev = g->head.prev;
    c->prev->next = c;
    g->head.prev = c;
    g->conns++;
    pthread_mutex_unlock(&g->lock);
    return c;
}

void guard_close(struct guard *g, struct guard_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&g->lock);
    c->prev->next = c->next;
    c->next->prev = c->prev;
    g->conns--;
    pthread_mutex_unlock(&g->lock);
    free(c);
}

void guard_set(struct guard *g, struct guard_conn *c, enum guard_state state, uint64_t bytes, int64_t now_ms)
{
    if (!c)
        return;
    int64_t until = 0;
    if (state == GUARD_HEAD) /* kept alive: idle time and the head of the next request together */
        until = now_ms + ((int64_t)g->idle_s + g->request_s) * 1000;
    else if (state == GUARD_BODY) /* 16 KiB a second is a poor telephone line */
        until = now_ms + 30000 + (int64_t)(bytes / 16);
    else if (state == GUARD_SEND)
        until = now_ms + 60000 + (int64_t)(bytes / 16);
    pthread_mutex_lock(&g->lock);
    c->state = state;
    c->until_ms = until;
    pthread_mutex_unlock(&g->lock);
}

void guard_sweep(struct guard *g, int64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    for (struct guard_conn *c = g->head.next; c != &g->head; c = c->next) {
        if (c->until_ms && now_ms > c->until_ms && !c->cut) {
            shutdown(c->fd, SHUT_RDWR);
            c->cut = true;
            g->cut_slow++;
        }
    }
    pthread_mutex_unlock(&g->lock);
}
