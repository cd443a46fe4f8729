/* Log: one line per event on standard error, a stable event name and fields; rate-limited per event.
 * Pure libraries and mechanisms never log; services do. Secrets never go in. */
#ifndef LT_BASE_LOG_H
#define LT_BASE_LOG_H
#include "base/slice.h"

enum lt_level { LT_DEBUG, LT_INFO, LT_WARN, LT_ERROR };

void lt_log_set_level(enum lt_level least);

/* event: stable lower-case name such as "gateway.accept"; fmt: "key=value key=value". Control bytes in
 * the result are escaped. Thread-safe. At most 20 lines a second per event; then one line counts the rest. */
void lt_log(enum lt_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#endif
