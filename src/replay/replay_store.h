/* Inside of replay: the file of differences. */
#ifndef LT_REPLAY_STORE_H
#define LT_REPLAY_STORE_H
#include "replay/replay.h"

enum lt_err replay_store_diffs(const char *dir, int64_t id, const struct replay *r, struct lt_error *err) LT_MUST_CHECK;
/* replay_gate.c: rules and change as one text; the days the gate wants. */
void replay_rules_text(const struct replay_rules *r, struct lt_buf *out);
void replay_change_text(const struct replay_change *c, int tz_min, struct lt_buf *out);
void replay_gate_days(const char *dir, int64_t now_ms, int tz_min, int64_t *ret_from_ms, int64_t *ret_to_ms);
void replay_store_forget(const char *dir, int64_t id);
#endif
