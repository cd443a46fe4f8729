/* Worker threads with one bounded queue; see http_priv.h. */
#include "http/http_priv.h"

#include <stdlib.h>
#include <string.h>

static struct http_job *take(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->stop)
        pthread_cond_wait(&p->wake, &p->lock);
    struct http_job *job = p->first;
    if (job) {
        p->first = job->next;
        if (!p->first)
            p->last = &p->first;
        p->queued--;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

static void *worker(void *user)
{
    struct pool *p = user;
    struct lt_error err = {0};
    void *thread = p->thread_start(p->start_user, &err);
    pthread_mutex_lock(&p->lock);
    p->ready++;
    if (!thread) {
        p->failed++;
        p->err = err;
    }
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (!thread)
        return NULL;
    for (struct http_job *job; (job = take(p));)
        p->run(p->user, thread, job);
    p->thread_end(p->start_user, thread);
    return NULL;
}

enum lt_err pool_start(struct pool *p, unsigned threads, unsigned limit, struct lt_error *err)
{
    p->last = &p->first;
    p->limit = limit;
    p->threads = calloc(threads, sizeof *p->threads);
    if (!p->threads)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (; p->n_threads < threads; p->n_threads++)
        if (pthread_create(&p->threads[p->n_threads], NULL, worker, p) != 0)
            break;
    pthread_mutex_lock(&p->lock);
    while (p->ready < p->n_threads)
        pthread_cond_wait(&p->wake, &p->lock);
    bool bad = p->failed > 0 || p->n_threads < threads;
    struct lt_error why = p->err;
    pthread_mutex_unlock(&p->lock);
    if (!bad)
        return LT_OK;
    pool_stop(p);
    if (!why.code)
        return lt_failf(err, LT_E_INTERNAL, NULL, "cannot start worker threads");
    if (err)
        *err = why;
    return why.code;
}

bool pool_submit(struct pool *p, struct http_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&p->lock);
    bool ok = p->queued < p->limit && !p->stop;
    if (ok) {
        *p->last = job;
        p->last = &job->next;
        p->queued++;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void pool_stop(struct pool *p)
{
    if (!p->threads)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->threads);
    p->threads = NULL;
}
