/* How many refused records of a device were kept today: a bound on what a broken or hostile device can make the
 * journal keep. Inside of the recorder; one thread. */
#ifndef LT_RECORDER_REJECTS_H
#define LT_RECORDER_REJECTS_H
#include "base/slice.h"

#define REJECTS_DEVICES 65536    /* different names counted apart; further ones are counted together, as "" */
#define REJECTS_TOTAL   1000000u /* kept per day over all devices; derivation: 4 GB at the longest frame */

struct rejects {
    struct {
        uint64_t name; /* hash, 0 free */
        uint32_t n;
    } * slots; /* twice REJECTS_DEVICES */
    uint32_t names, total, keep;
    int day;
};
bool rejects_init(struct rejects *r, unsigned keep);
void rejects_fini(struct rejects *r);
/* Counts one; true while its bytes may be kept. */
bool rejects_keep(struct rejects *r, struct lt_slice mn, int day);
#endif
