/* Care of the running post: deadlines and old sessions every ten seconds; at night recompression and expiry. */
#include "air/air_import.h"
#include "alarm/alarm.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "flow/flow.h"
#include "journal/journal.h"
#include "main/serve.h"
#include "proof/proof.h"
#include "series/series.h"
#include "sql/sql.h"

#include <stdio.h>

enum { SHORT_MS = 10000, FEED_MS = 20000, NIGHT_HOUR = 2, COMPACT_STEP = 200, COMPACT_MS = 30 * 60000 };

static void note(const char *what, enum lt_err e, const struct lt_error *err)
{
    if (e == LT_OK)
        return;
    char text[512];
    lt_error_text(err, LT_EN, text, sizeof text);
    lt_log(LT_WARN, "care.failed", "what=%s error=\"%s\"", what, text);
}

static void moved(void *user, const struct alarm_outcome *o)
{
    struct serve *s = user;
    char json[96];
    int n = snprintf(json, sizeof json, "{\"id\":%lld,\"change\":\"moved\"}", (long long)o->id);
    bus_publish(s->bus, "alarm", o->territory, o->enterprise, (struct lt_slice){json, (size_t)n});
}

static enum lt_err reviews_overdue(struct serve *s, int64_t wall_ms, struct lt_error *err)
{
    bool more = true;
    enum lt_err e = LT_OK;
    while (e == LT_OK && more)
        e = flow_overdue(s->db, &air_review_flow, wall_ms, (int)s->cfg.tz_min, NULL, NULL, &more, err);
    return e;
}

/* ---- what is due every few seconds ---- */

/* Hours of HJ 212 air stations, and versions another process made. */
static void air(struct serve *s, int64_t wall_ms, int64_t mono_ms)
{
    struct lt_error err;
    bool changed;
    if (mono_ms >= s->next_feed_ms) {
        s->next_feed_ms = mono_ms + FEED_MS;
        note("air stations", air_feed_run(s->feed, s->db, s->series, wall_ms, (int)s->cfg.tz_min, &changed, &err),
             &err);
    }
    note("air versions", air_poll(s->air, s->db, &err), &err);
}

static void care_short(struct serve *s, int64_t wall_ms, int64_t mono_ms)
{
    struct lt_error err;
    air(s, wall_ms, mono_ms);
    if (mono_ms < s->next_short_ms)
        return;
    s->next_short_ms = mono_ms + SHORT_MS;
    note("alarm deadlines", alarm_overdue(s->db, wall_ms, (int)s->cfg.tz_min, moved, s, &err), &err);
    note("review deadlines", reviews_overdue(s, wall_ms, &err), &err);
    note("old sessions", auth_expire(s->db, wall_ms, &err), &err);
}

/* ---- the night's work ---- */

/* Between two slices of the night's work: does what is due meanwhile; false when the post is to stop. What is left is
 * taken up in the next night. */
static bool go_on(void *user)
{
    struct serve *s = user;
    care_short(s, lt_wall_ms(), lt_mono_ms());
    return !s->stop_asked(s);
}

static void recompress(struct serve *s, int64_t wall_ms)
{
    static int days[JOURNAL_DAYS_MAX]; /* only the main thread comes here */
    const struct journal_go_on asks = {go_on, s};
    struct lt_error err;
    size_t n = journal_days(s->cfg.data, days, JOURNAL_DAYS_MAX);
    int before = lt_day_number(wall_ms - s->cfg.recompress_after_days * LT_DAY_MS, (int)s->cfg.tz_min);
    while (n && days[n - 1] >= before)
        n--;
    for (size_t i = n > 8 ? n - 8 : 0; i < n && go_on(s); i++) { /* some nights may have found a reader in the way */
        struct proof_sum_bad bad; /* damage must be seen before this work makes the file another one */
        if (proof_sum_check(s->cfg.data, days[i], &bad, &err) == LT_E_CORRUPT) {
            note("day file is damaged", LT_E_CORRUPT, &err);
            continue;
        }
        enum lt_err e = journal_recompress(s->cfg.data, days[i], 9, &asks, &err);
        if (e != LT_E_BUSY && e != LT_E_IN_USE && e != LT_E_TIMEOUT)
            note("recompress journal", e, &err);
        if (e == LT_OK && proof_sum_check(s->cfg.data, days[i], &bad, &err) == LT_E_CORRUPT)
            note("sums of journal", proof_sum_write(s->cfg.data, days[i], &err), &err);
    }
}

static void compact(struct serve *s, int64_t wall_ms)
{
    const int64_t until_ms = lt_mono_ms() + COMPACT_MS, before_ms = wall_ms - s->cfg.recompress_after_days * LT_DAY_MS;
    struct lt_error err;
    bool left = true, ok = true;
    while (left && ok && lt_mono_ms() < until_ms && go_on(s)) {
        enum lt_err e = series_compact(s->series, before_ms, COMPACT_STEP, &left, &err);
        note("compact series", e, &err);
        ok = e == LT_OK || e == LT_E_CORRUPT; /* damaged days were passed over */
    }
}

static void expire(struct serve *s, int64_t wall_ms)
{
    struct lt_error err;
    int tz = (int)s->cfg.tz_min;
    unsigned days;
    uint64_t removed;
    /* held days stay; each removal is recorded before it happens */
    if (go_on(s))
        note("expire journal",
             proof_expire_journal(s->db, s->cfg.data, tz,
                                  lt_day_number(wall_ms - s->cfg.keep_journal_days * LT_DAY_MS, tz), wall_ms, &days,
                                  &err),
             &err);
    if (go_on(s))
        note("expire evidence",
             proof_expire_evidence(s->db, s->cfg.data, tz, wall_ms - s->cfg.keep_evidence_days * LT_DAY_MS, wall_ms,
                                   &days, &err),
             &err);
    if (go_on(s))
        note("expire series",
             proof_expire_series(s->db, s->series, tz, wall_ms - s->cfg.keep_raw_days * LT_DAY_MS, wall_ms, &removed,
                                 &err),
             &err);
}

static void night(struct serve *s, int64_t wall_ms)
{
    int64_t started = lt_mono_ms();
    recompress(s, wall_ms);
    compact(s, wall_ms);
    expire(s, wall_ms);
    lt_log(LT_INFO, "care.night", "seconds=%.1f", (double)(lt_mono_ms() - started) / 1000);
}

void serve_care(struct serve *s, int64_t wall_ms, int64_t mono_ms)
{
    int tz = (int)s->cfg.tz_min;
    care_short(s, wall_ms, mono_ms);
    if (s->next_night_ms == 0) { /* the first night after the start */
        s->next_night_ms = lt_day_start(wall_ms, tz) + NIGHT_HOUR * LT_HOUR_MS;
        if (s->next_night_ms <= wall_ms)
            s->next_night_ms += LT_DAY_MS;
    }
    if (wall_ms >= s->next_night_ms) {
        s->next_night_ms += LT_DAY_MS;
        night(s, wall_ms);
    }
}
