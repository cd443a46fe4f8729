/* lantian export frames: prints stored frames from the raw journal, one per line, each once, in the order of receipt;
 * with --rejected the refused bytes as JSON lines with their reason. Works beside a running post and without one. */
#include "base/clock.h"
#include "base/text.h"
#include "journal/journal.h"
#include "json/json.h"
#include "main/cmd.h"
#include "main/cmd_export_frames.h"
#include "main/opt.h"
#include "main/tell.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (8 * JOURNAL_BYTES_MAX) /* text escaped six-fold, plus hexadecimal */

struct query {
    const char *dir, *mn, *from, *to;
    bool rejected;
    int64_t tz_min, from_ms, to_ms; /* from_ms <= at < to_ms */
    FILE *out;
};

/* A date alone as the end means the end of that day. */
static bool parse_time(const char *text, int tz_min, bool is_end, int64_t *ret_ms)
{
    const struct lt_slice s = lt_slice_of(text);
    if (lt_time_parse_compact(s, tz_min, ret_ms))
        return true;
    if (!lt_time_parse_iso(s, tz_min, ret_ms))
        return false;
    if (is_end && s.n == strlen("YYYY-MM-DD"))
        *ret_ms += LT_DAY_MS;
    return true;
}

static bool read_times(struct query *q)
{
    q->from_ms = INT64_MIN;
    q->to_ms = INT64_MAX;
    const char *bad = NULL;
    if (q->from && !parse_time(q->from, (int)q->tz_min, false, &q->from_ms))
        bad = q->from;
    if (q->to && !parse_time(q->to, (int)q->tz_min, true, &q->to_ms))
        bad = q->to;
    if (bad)
        fprintf(stderr,
                "lantian export frames: '%s' is no time; use YYYY-MM-DD, 2026-11-25T08:00:00+08:00 or YYYYMMDDhhmmss\n",
                bad);
    return !bad;
}

static void hex_of(struct jsonw *w, struct lt_slice s)
{
    struct lt_buf hex = LT_BUF_INIT(2 * JOURNAL_BYTES_MAX);
    for (size_t i = 0; i < s.n; i++)
        lt_buf_addf(&hex, "%02x", (unsigned)(uint8_t)s.p[i]);
    jsonw_kslice(w, "hex", lt_buf_slice(&hex));
    lt_buf_fini(&hex);
}

static bool print_rejected(const struct query *q, const struct journal_record *r)
{
    struct lt_buf line = LT_BUF_INIT(LINE_MAX_BYTES);
    struct jsonw w;
    jsonw_init(&w, &line);
    jsonw_object(&w);
    jsonw_ku64(&w, "seq", r->seq);
    jsonw_ktime(&w, "at", r->at_ms, (int)q->tz_min);
    jsonw_kslice(&w, "mn", r->mn);
    jsonw_kstr(&w, "reason", journal_reason_name(r->reason));
    jsonw_kbool(&w, "kept", r->kind == JOURNAL_REJECT);
    if (r->kind == JOURNAL_REJECT) {
        jsonw_kslice(&w, "raw", r->bytes);
        if (!lt_text_is_utf8(r->bytes)) /* raw then shows replacement characters: give the bytes too */
            hex_of(&w, r->bytes);
    }
    jsonw_object_end(&w);
    lt_buf_addc(&line, '\n');
    const bool ok = !line.failed && fwrite(line.p, 1, line.n, q->out) == line.n;
    lt_buf_fini(&line);
    return ok;
}

static bool print_record(const struct query *q, const struct journal_record *r)
{
    if (r->at_ms < q->from_ms || r->at_ms >= q->to_ms || (q->mn && !lt_slice_is(r->mn, q->mn)))
        return true;
    if (q->rejected)
        return (r->kind != JOURNAL_REJECT && r->kind != JOURNAL_DROPPED) || print_rejected(q, r);
    return r->kind != JOURNAL_FRAME ||
           (fwrite(r->bytes.p, 1, r->bytes.n, q->out) == r->bytes.n && fputc('\n', q->out) != EOF);
}

static bool print_batch(const struct query *q, const struct journal_batch *b)
{
    struct journal_record r;
    for (size_t pos = 0; journal_batch_next(b, &pos, &r);)
        if (!print_record(q, &r))
            return false;
    return true;
}

/* Ends at what was durable when the command began, so that it comes to an end beside a busy post. Batch times never go
 * back, so nothing before `to` can follow a batch an hour behind it. */
static enum lt_err print_all(const struct query *q, struct journal_reader *rd, struct lt_error *err)
{
    uint64_t seq = 1, last = 0;
    enum lt_err e = journal_reader_last_seq(rd, &last, err);
    if (!e && q->from)
        e = journal_reader_seek_time(rd, q->from_ms, &seq, err);
    while (!e && seq <= last) {
        struct journal_batch *b = NULL;
        e = journal_reader_next(rd, seq, &b, err);
        if (e)
            break;
        const bool over = q->to && b->at_ms > q->to_ms && b->at_ms - q->to_ms > LT_HOUR_MS;
        if (!over && !print_batch(q, b))
            e = lt_fail(err, LT_E_IO, NULL, "standard output", "cannot write", NULL);
        seq = over ? last + 1 : b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    return e == LT_E_NOT_FOUND ? LT_OK : e;
}

int cmd_export_frames_on(int argc, char **argv, FILE *out)
{
    struct query q = {.tz_min = LT_TZ_CHINA, .out = out};
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &q.dir, "DIR", "data directory (required)"},
        {"--mn", OPT_TEXT, &q.mn, "MN", "only this device"},
        {"--from", OPT_TEXT, &q.from, "T", "received at or after; YYYY-MM-DD, ISO 8601 or YYYYMMDDhhmmss"},
        {"--to", OPT_TEXT, &q.to, "T", "received before; a date alone includes that day"},
        {"--tz", OPT_INT, &q.tz_min, "MIN", "minutes east of UTC for times without offset (480)"},
        {"--rejected", OPT_FLAG, &q.rejected, "", "refused bytes instead, as JSON lines with the reason"},
    };
    const int r = opt_parse("export frames --data DIR [--mn MN] [--from T] [--to T] [--rejected]", opts,
                            sizeof opts / sizeof *opts, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    if (!opt_tz("export frames", q.tz_min) || !read_times(&q) || !opt_journal("export frames", q.dir))
        return 2;
    struct journal_reader *rd = NULL;
    struct lt_error err = {0};
    enum lt_err e = journal_reader_open(q.dir, &rd, &err);
    if (!e)
        e = print_all(&q, rd, &err);
    journal_reader_close(&rd);
    if (!e && fflush(out) != 0)
        e = lt_fail(&err, LT_E_IO, NULL, "standard output", "cannot write", NULL);
    return e ? tell_error("export frames", &err) : 0;
}

int cmd_export_frames(int argc, char **argv)
{
    return cmd_export_frames_on(argc, argv, stdout);
}
