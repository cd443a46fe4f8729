/* Log lines; see log.h. LIMITATION: rate limiting keeps a fixed table of 256 events; beyond that, events share slots.
 */
#include "base/log.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { SLOTS = 256, PER_SECOND = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum lt_level least_level = LT_INFO;
static struct {
    int64_t second;
    unsigned count, dropped;
} slots[SLOTS];

void lt_log_set_level(enum lt_level least)
{
    pthread_mutex_lock(&lock);
    least_level = least;
    pthread_mutex_unlock(&lock);
}

/* Copies text, showing control bytes as \xNN so that foreign bytes cannot forge lines. */
static void escape(const char *in, char *ret, size_t cap)
{
    size_t n = 0;
    for (; *in && n + 5 < cap; in++) {
        unsigned char c = (unsigned char)*in;
        if (c < 0x20 || c == 0x7F)
            n += (size_t)snprintf(ret + n, cap - n, "\\x%02X", c);
        else
            ret[n++] = *in;
    }
    ret[n] = '\0';
}

void lt_log(enum lt_level level, const char *event, const char *fmt, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    char raw[1024], text[1600], when[40];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    escape(raw, text, sizeof text);
    int64_t now = lt_wall_ms();
    lt_time_format_iso(now, 0, when);
    unsigned h = 5381;
    for (const char *p = event; *p; p++)
        h = h * 33 + (unsigned char)*p;
    pthread_mutex_lock(&lock);
    if (level >= least_level) {
        unsigned i = h % SLOTS, dropped = 0;
        if (slots[i].second != now / 1000) {
            dropped = slots[i].dropped;
            slots[i].second = now / 1000;
            slots[i].count = slots[i].dropped = 0;
        }
        if (dropped)
            fprintf(stderr, "%s %s %s suppressed=%u\n", when, names[LT_WARN], event, dropped);
        if (slots[i].count++ < PER_SECOND)
            fprintf(stderr, "%s %s %s %s\n", when, names[level], event, text);
        else
            slots[i].dropped++;
    }
    pthread_mutex_unlock(&lock);
}
