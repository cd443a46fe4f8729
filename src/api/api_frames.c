/* GET device/ID/frames: the raw records of one device, newest first, out of the journal.
 *
 * The journal is ordered by number and has no index by device: the search goes back in windows that double, until
 * enough was found, the time range is passed, or the budget is spent; then `next` says where to go on. */
#include "api/api_priv.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW_FIRST 20000u
#define SCAN_MAX     3000000u /* records looked at in one call: about a second */
#define KEEP_MAX     200
#define RAW_MAX      4200 /* longest frame */

struct found {
    uint64_t seq, ref;
    int64_t at_ms;
    uint32_t conn;
    uint8_t kind, reason;
    size_t n;
    char raw[RAW_MAX];
};
struct search {
    struct api_call *c;
    struct lt_slice mn;
    int64_t from_ms, to_ms;
    size_t limit, n; /* the last `limit` of the window, as a ring */
    struct found *ring;
    bool passed; /* something older than from_ms was seen */
    uint64_t scanned;
};

static void keep(struct search *s, const struct journal_record *r)
{
    struct found *f = &s->ring[s->n++ % s->limit];
    *f = (struct found){.seq = r->seq,
                        .ref = r->ref,
                        .at_ms = r->at_ms,
                        .conn = r->conn,
                        .kind = r->kind,
                        .reason = r->reason,
                        .n = r->bytes.n < RAW_MAX ? r->bytes.n : RAW_MAX};
    if (f->n)
        memcpy(f->raw, r->bytes.p, f->n);
}

/* Records lo <= seq < hi, forward. */
static enum lt_err window(struct search *s, uint64_t lo, uint64_t hi, struct lt_error *err)
{
    uint64_t at = lo;
    while (at < hi) {
        struct journal_batch *b = NULL;
        enum lt_err e = journal_reader_next(s->c->t->reader, at, &b, err);
        if (e == LT_E_NOT_FOUND)
            return LT_OK;
        if (e)
            return e;
        size_t pos = 0;
        struct journal_record r;
        while (journal_batch_next(b, &pos, &r)) {
            if (r.seq < lo || r.seq >= hi)
                continue;
            s->scanned++;
            s->passed |= r.at_ms < s->from_ms;
            if (r.at_ms >= s->from_ms && r.at_ms < s->to_ms && lt_slice_eq(r.mn, s->mn) && r.kind != JOURNAL_CONN)
                keep(s, &r);
        }
        uint64_t next = b->first_seq + b->count;
        journal_batch_unref(&b);
        if (next <= at)
            break;
        at = next;
    }
    return LT_OK;
}

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {"",     "frame", "reject", "duplicate", "dropped",
                                        "sent", "conn",  "tick",   "config"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "";
}

static void write_found(struct search *s, struct found *f)
{
    struct jsonw *w = &s->c->w;
    int tz = s->c->a->cfg.tz_min;
    struct lt_slice raw = {f->raw, f->n};
    bool hide = !auth_may(&s->c->who, "device:write"); /* the password of a device is for those who may change it */
    bool frame = f->kind == JOURNAL_FRAME || f->kind == JOURNAL_REJECT || f->kind == JOURNAL_SENT;
    jsonw_object(w);
    jsonw_ku64(w, "seq", f->seq);
    jsonw_ktime(w, "at", f->at_ms, tz);
    jsonw_kstr(w, "kind", kind_name(f->kind));
    jsonw_kstr(w, "reason", f->reason ? journal_reason_name(f->reason) : NULL);
    jsonw_ku64(w, "conn", f->conn);
    if (f->ref)
        jsonw_ku64(w, "ref", f->ref);
    jsonw_key(w, "decoded");
    if (frame && f->n)
        frame_decoded(w, raw, s->c->req->lang, tz, hide);
    else
        jsonw_null(w);
    if (hide)
        frame_hide_passwords(f->raw, f->n);
    jsonw_kslice(w, "raw", raw);
    jsonw_object_end(w);
}

static enum lt_err search_back(struct search *s, uint64_t hi, uint64_t *ret_next, struct lt_error *err)
{
    size_t left = s->limit, all = s->limit;
    uint64_t size = WINDOW_FIRST;
    *ret_next = 0;
    while (left && hi > 1 && !s->passed && s->scanned < SCAN_MAX) {
        uint64_t lo = hi > size ? hi - size : 1;
        s->n = 0;
        s->limit = left;
        enum lt_err e = window(s, lo, hi, err);
        if (e)
            return e;
        bool more = s->n > left;
        size_t n = more ? left : s->n;
        for (size_t i = 0; i < n; i++)
            write_found(s, &s->ring[(s->n - 1 - i) % s->limit]);
        left -= n;
        hi = n && left == 0 ? s->ring[(s->n - n) % s->limit].seq : lo;
        s->passed &= !more; /* older ones of the window were pushed out */
        size = size < SCAN_MAX / 4 ? size * 2 : size;
    }
    s->limit = all;
    if (hi > 1 && !s->passed)
        *ret_next = hi;
    return LT_OK;
}

static enum lt_err last_number(struct search *s, int64_t before, uint64_t *ret_hi, struct lt_error *err)
{
    uint64_t hi = UINT64_MAX;
    enum lt_err e = journal_reader_seek_time(s->c->t->reader, s->to_ms, &hi, err);
    if (e == LT_E_NOT_FOUND) { /* nothing that late: from the end */
        struct engine_stats es = {0};
        if (s->c->a->deps.engine)
            engine_stats(s->c->a->deps.engine, &es);
        hi = es.seq + 1;
        struct journal_batch *b = NULL;
        struct lt_error none;
        while (journal_reader_next(s->c->t->reader, hi, &b, &none) == LT_OK) { /* the few the engine has not reached */
            hi = b->first_seq + b->count;
            journal_batch_unref(&b);
        }
        e = LT_OK;
    }
    *ret_hi = before > 0 && (uint64_t)before < hi ? (uint64_t)before : hi;
    return e;
}

HANDLER(device_frames)
{
    int64_t id, before = 0, limit = 50;
    uint64_t hi = 0, next = 0;
    char text[32], mn[65];
    struct record_row row = {0};
    struct search s = {.c = c, .from_ms = 0, .to_ms = c->now_ms + LT_DAY_MS};
    enum lt_err e = api_id(c, 0, &id, err);
    if (e || (e = api_query_time(c, "from", &s.from_ms, err)) || (e = api_query_time(c, "to", &s.to_ms, err)) ||
        (e = api_query_i64(c, "limit", 1, KEEP_MAX, &limit, err)) ||
        (e = api_query_i64(c, "before", 1, INT64_MAX, &before, err)) ||
        (e = record_load(&c->x, api_kind("device"), id, &row, err)))
        return e;
    lt_text_copy_slice(mn, sizeof mn, record_text(&row, "mn"));
    record_row_fini(&row);
    s.mn = lt_slice_of(mn);
    s.limit = (size_t)limit;
    if (!c->t->reader && (e = journal_reader_open(c->a->dir, &c->t->reader, err)))
        return e;
    s.ring = malloc((size_t)limit * sizeof *s.ring);
    if (!s.ring)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    e = last_number(&s, before, &hi, err);
    if (!e)
        e = search_back(&s, hi, &next, err);
    free(s.ring);
    if (e)
        return e;
    jsonw_array_end(&c->w);
    snprintf(text, sizeof text, "%" PRIu64, next);
    jsonw_kstr(&c->w, "next", next ? text : NULL);
    jsonw_object_end(&c->w);
    return LT_OK;
}
