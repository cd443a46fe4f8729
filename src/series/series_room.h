/* series_room: memory for the arrays of cached chunks, in huge pages. Hour after hour thousands of chunks grow a little
 * at a time and then go all at once; with malloc a quarter of storing a row was page faults, moving and searching. One
 * thread at a time. */
#ifndef LT_SERIES_ROOM_H
#define LT_SERIES_ROOM_H
#include <stdbool.h>
#include <stddef.h>

struct series_room;
struct series_room *series_room_create(void);     /* NULL: no memory */
void series_room_destroy(struct series_room **r); /* with all that was taken, except pieces above SERIES_ROOM_MOST */
#define SERIES_ROOM_MOST ((size_t)1 << 20)        /* larger pieces come from malloc and must be given back */

/* At least *bytes; *bytes becomes what it is, which has to be given back later, or up to 255 less. NULL: no memory. */
void *series_room_take(struct series_room *r, size_t *bytes);
void series_room_give(struct series_room *r, void *p, size_t bytes);
/* Bytes of all regions, and those of them not taken. */
size_t series_room_held(const struct series_room *r, size_t *ret_free);
#endif
