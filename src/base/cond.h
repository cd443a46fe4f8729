/* cond: condition variables that wait by the monotonic clock: setting the wall clock (NTP after a power cut) neither
 * ends nor prolongs a wait. */
#ifndef LT_BASE_COND_H
#define LT_BASE_COND_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void lt_cond_init(pthread_cond_t *c);
/* Waits, with *m locked, at most until lt_mono_ms() is until_ms; false when it is. May return true for no reason. */
bool lt_cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t until_ms);
#endif
