/* See cond.h. */
#include "base/cond.h"

#include <time.h>

void lt_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

bool lt_cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t until_ms)
{
    const struct timespec t = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
    return pthread_cond_timedwait(c, m, &t) == 0;
}
