/* Inside proof only: what goes into a package of an alarm. */
#ifndef LT_PROOF_GATHER_H
#define LT_PROOF_GATHER_H
#include "journal/journal.h"
#include "proof/proof_priv.h"

#define GATHER_FRAMES_BYTES                                                                                            \
    (220u * 1024)              /* raw frames of one package: with their decoded form, blocks and cover 1 MB */
#define GATHER_FRAMES_MAX 2000 /* of one device in some hours, before the limit by bytes */
#define GATHER_SCAN_MS    1000 /* for one pass over the journal: the package is due within 2 s */

struct gathered_frame {
    uint64_t seq;
    uint32_t at, n; /* canonical bytes within mem */
};
struct gathered {
    int64_t id; /* alarm */
    char key[161], rule[33], factor[17], object_kind[9], mn[65];
    char outlet_name[129], enterprise_name[129], territory_name[65];
    int64_t rule_version, device, outlet, enterprise, territory, first_at_ms, last_at_ms, period_at_ms, period_ms;
    int64_t value, limit_value; /* LT_FIX_NONE */
    int64_t created_at_ms;
    char severity[17];
    struct lt_buf params, text[2]; /* sentence by enum lt_lang */
    int64_t from_ms, to_ms;        /* of the frames */
    struct gathered_frame *frame;
    size_t n_frame, n_newer, turn; /* n_newer: of windows before this one; turn: place of the oldest of this one */
    struct lt_buf mem;
    uint64_t dropped, unsearched, unreadable;
};
/* Alarm, names, sentence. LT_E_NOT_FOUND. */
enum lt_err gather_alarm(const struct proof_sources *s, int64_t id, int64_t now_ms, struct gathered *ret,
                         struct lt_error *err) LT_MUST_CHECK;
/* One pass for all of them, newest records first, until GATHER_SCAN_MS are over or the journal cannot be read: what
 * lies beyond is counted. */
enum lt_err gather_frames(const struct proof_sources *s, struct gathered *const *g, size_t n,
                          struct lt_error *err) LT_MUST_CHECK;
void gather_fini(struct gathered *g);

/* Entries. Each leaves a valid (perhaps empty) entry; what is not there is left out. */
void gather_put_alarm(const struct proof_sources *s, const struct gathered *g, int64_t now_ms, struct proof_pack *p);
void gather_put_frames(const struct proof_sources *s, struct gathered *g, struct proof_pack *p);
void gather_put_values(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p);
void gather_put_state(const struct proof_sources *s, const struct gathered *g, int64_t now_ms, struct proof_pack *p);
void gather_put_context(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p);
void gather_put_audit(const struct proof_sources *s, const struct gathered *g, struct proof_pack *p);
/* cover.html and cover.pdf; name: of the package. */
enum lt_err gather_put_cover(const struct proof_sources *s, struct gathered *g, const struct proof_head *h,
                             struct proof_pack *p, struct lt_error *err) LT_MUST_CHECK;
/* Draws something to nowhere: the first drawing loads fonts, which takes as long as a whole package. */
void gather_warm_up(void);
/* Hour values of a factor of a device, for the chart: n hours from from_ms; missing ones LT_FIX_NONE. */
void gather_hours(const struct proof_sources *s, int64_t device, const char *factor, int64_t from_ms, size_t n,
                  int64_t *ret);
#endif
