/* bus: what just happened, for those who watch. A bounded ring of events with increasing numbers; any thread
 * publishes, any thread reads what came after a number. Nobody waits for a reader: one who falls out of the ring is
 * told so and starts over.
 *
 * Nothing here is durable and nothing may depend on an event being seen: it tells pages to draw, no more. */
#ifndef LT_BUS_H
#define LT_BUS_H
#include "base/slice.h"

#define BUS_EVENT_MAX (16 * 1024) /* bytes of one event's JSON; an alarm item has about 1.5 kB */
#define BUS_EVENTS    8192        /* default ring: half a minute of 250 events a second */
#define BUS_LISTENERS 8

struct bus_event { /* read-only, reference counted */
    uint64_t id;
    int64_t territory;  /* record number of the territory it belongs to; 0: for everybody */
    int64_t enterprise; /* record number; 0: not of one enterprise */
    char type[16];      /* "alarm", "latest", "system" … */
    struct lt_slice json;
};

struct bus;
/* Ids start above first_id: give the wall clock in microseconds, so that they go on increasing after a restart.
 * events 0: BUS_EVENTS. NULL without memory. */
struct bus *bus_create(uint64_t first_id, size_t events);
/* No thread may use the bus any more; events still held by readers stay valid. */
void bus_destroy(struct bus **b);

/* Copies one event into the ring and returns its id; 0 when json is longer than BUS_EVENT_MAX or memory is short
 * (counted as lost). json is one JSON object on one line. Never blocks for long. */
uint64_t bus_publish(struct bus *b, const char *type, int64_t territory, int64_t enterprise, struct lt_slice json);

/* Up to cap events with id > after, oldest first; each must be given back by bus_unref(). *ret_gap: events between
 * `after` and the first one returned are gone, or `after` lies in the future (another life of the post). */
size_t bus_read(struct bus *b, uint64_t after, const struct bus_event *ret[], size_t cap, bool *ret_gap);
void bus_unref(const struct bus_event *e);
uint64_t bus_last_id(struct bus *b);

/* wake(user) is called on the publishing thread after each event; it must only signal. At most BUS_LISTENERS; false
 * beyond. bus_ignore() returns only when no call is under way. */
bool bus_listen(struct bus *b, void (*wake)(void *user), void *user);
void bus_ignore(struct bus *b, void (*wake)(void *user), void *user);

struct bus_stats {
    uint64_t published, lost;
    size_t events, bytes;
};
void bus_stats(struct bus *b, struct bus_stats *ret);
#endif
