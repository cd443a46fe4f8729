/* Collecting what belongs to an alarm: its row and names, and the raw records of its device out of the journal. */
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/text.h"
#include "hj212/hj212.h"
#include "proof/proof_gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define WINDOW    100000 /* records of one step back: some 60 ms */
#define ITEMS_MAX 512

/* ---- the alarm ---- */

static void period_of(struct gathered *g, int64_t now_ms)
{
    /* this and the neighbouring hours; of a day value only the last hours fit into a package */
    int64_t begin = g->period_ms > 0 ? g->period_at_ms : g->first_at_ms;
    int64_t end = g->period_ms > 0 ? g->period_at_ms + g->period_ms : g->last_at_ms;
    if (end - begin > 2 * LT_HOUR_MS)
        begin = end - 2 * LT_HOUR_MS;
    g->from_ms = begin - LT_HOUR_MS;
    g->to_ms = end + LT_HOUR_MS < now_ms ? end + LT_HOUR_MS : now_ms;
    if (g->to_ms < g->from_ms)
        g->to_ms = g->from_ms;
}

static void sentences(struct gathered *g, int tz_min)
{
    json_t *params = NULL;
    if (jsonr_object(lt_buf_slice(&g->params), JSONR_SIZE_MAX, &params, NULL) != LT_OK)
        params = json_object();
    alarm_text(lt_slice_of(g->rule), params, LT_ZH, tz_min, &g->text[LT_ZH]);
    alarm_text(lt_slice_of(g->rule), params, LT_EN, tz_min, &g->text[LT_EN]);
    json_decref(params);
}

static void take_alarm(struct gathered *g, struct sql_stmt *st)
{
    const struct {
        char *to;
        size_t cap;
    } texts[] = {{g->key, sizeof g->key},
                 {g->rule, sizeof g->rule},
                 {g->factor, sizeof g->factor},
                 {g->object_kind, sizeof g->object_kind},
                 {g->severity, sizeof g->severity},
                 {g->mn, sizeof g->mn},
                 {g->outlet_name, sizeof g->outlet_name},
                 {g->enterprise_name, sizeof g->enterprise_name},
                 {g->territory_name, sizeof g->territory_name}};
    int64_t *const numbers[] = {&g->rule_version, &g->device,     &g->outlet,       &g->enterprise, &g->territory,
                                &g->first_at_ms,  &g->last_at_ms, &g->period_at_ms, &g->period_ms,  &g->created_at_ms};
    for (int i = 0; i < 9; i++)
        lt_text_copy_slice(texts[i].to, texts[i].cap, sql_col_text(st, i));
    for (int i = 0; i < 10; i++)
        *numbers[i] = sql_col_i64(st, 9 + i);
    g->value = sql_col_null(st, 19) ? LT_FIX_NONE : sql_col_i64(st, 19);
    g->limit_value = sql_col_null(st, 20) ? LT_FIX_NONE : sql_col_i64(st, 20);
    struct lt_slice params = sql_col_text(st, 21);
    lt_buf_add(&g->params, params.p, params.n);
}

enum lt_err gather_alarm(const struct proof_sources *s, int64_t id, int64_t now_ms, struct gathered *ret,
                         struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    *ret = (struct gathered){.id = id,
                             .params = LT_BUF_INIT(64 << 10),
                             .text = {LT_BUF_INIT(16 << 10), LT_BUF_INIT(16 << 10)},
                             .mem = LT_BUF_INIT(GATHER_FRAMES_MAX * 8u << 10)};
    enum lt_err e = sql_row(
        s->db,
        "SELECT a.key, a.rule, a.factor, a.object_kind, a.severity, d.mn, o.name, e.name, t.name, a.rule_version,"
        " a.device, a.outlet, a.enterprise, a.territory, a.first_at_ms, a.last_at_ms, a.period_at_ms, a.period_ms,"
        " a.created_at_ms, a.value, a.limit_value, a.params FROM alarm a LEFT JOIN device d ON d.id = a.device"
        " LEFT JOIN outlet o ON o.id = a.outlet LEFT JOIN enterprise e ON e.id = a.enterprise"
        " LEFT JOIN territory t ON t.id = a.territory WHERE a.id = ?1",
        SQL_VALUES(SQL_I(id)), &st, &row, err);
    if (e == LT_OK && row)
        take_alarm(ret, st);
    else if (e == LT_OK)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "alarm", "", NULL);
    sql_release(&st);
    if (e == LT_OK) {
        period_of(ret, now_ms);
        sentences(ret, s->tz_min);
    }
    return e;
}

void gather_fini(struct gathered *g)
{
    lt_buf_fini(&g->params);
    lt_buf_fini(&g->text[0]);
    lt_buf_fini(&g->text[1]);
    lt_buf_fini(&g->mem);
    free(g->frame);
    *g = (struct gathered){0};
}

/* ---- frames ---- */

static void keep(struct gathered *g, const struct journal_record *r)
{
    static _Thread_local uint8_t mem[CHAIN_RECORD_MAX];
    if (!g->frame)
        g->frame = malloc(GATHER_FRAMES_MAX * sizeof *g->frame);
    if (!g->frame || g->n_newer == GATHER_FRAMES_MAX) {
        g->dropped++;
        return;
    }
    const struct chain_record c = {r->seq, r->ref, r->at_ms, r->conn, r->flags, r->kind, r->reason, r->mn, r->bytes};
    size_t n = chain_record_write(&c, mem);
    size_t at = g->mem.n;
    lt_buf_add(&g->mem, mem, n);
    if (g->mem.failed) {
        g->mem.failed = false;
        g->dropped++;
        return;
    }
    struct gathered_frame *to = &g->frame[g->n_frame];
    if (g->n_frame == GATHER_FRAMES_MAX) { /* records of a window ascend: the oldest of them gives way */
        to = &g->frame[g->n_newer + g->turn++ % (GATHER_FRAMES_MAX - g->n_newer)];
        g->dropped++;
    } else {
        g->n_frame++;
    }
    *to = (struct gathered_frame){r->seq, (uint32_t)at, (uint32_t)n};
}

static enum lt_err window(struct journal_reader *j, uint64_t lo, uint64_t hi, struct gathered *const *g, size_t n,
                          struct lt_error *err)
{
    uint64_t at = lo;
    for (size_t i = 0; i < n; i++) {
        g[i]->n_newer = g[i]->n_frame;
        g[i]->turn = 0;
    }
    while (at < hi) {
        struct journal_batch *b = NULL;
        enum lt_err e = journal_reader_next(j, at, &b, err);
        if (e != LT_OK)
            return e == LT_E_NOT_FOUND ? LT_OK : e;
        size_t pos = 0;
        struct journal_record r;
        while (journal_batch_next(b, &pos, &r)) {
            if (r.seq < lo || r.seq >= hi || r.mn.n == 0)
                continue;
            for (size_t i = 0; i < n; i++)
                if (r.at_ms >= g[i]->from_ms && r.at_ms <= g[i]->to_ms && lt_slice_is(r.mn, g[i]->mn))
                    keep(g[i], &r);
        }
        at = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    return LT_OK;
}

static int by_seq(const void *a, const void *b)
{
    const struct gathered_frame *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

enum lt_err gather_frames(const struct proof_sources *s, struct gathered *const *g, size_t n, struct lt_error *err)
{
    struct journal_reader *j = NULL;
    uint64_t first = 1, last = 0;
    int64_t from = INT64_MAX, begun = lt_mono_ms();
    for (size_t i = 0; i < n; i++)
        from = g[i]->from_ms < from ? g[i]->from_ms : from;
    enum lt_err e = journal_reader_open(s->dir, &j, err);
    if (e == LT_OK)
        e = journal_reader_last_seq(j, &last, err);
    if (e == LT_OK && (e = journal_reader_seek_time(j, from, &first, err)) == LT_E_NOT_FOUND) {
        first = last + 1;
        e = LT_OK;
    } else if (e == LT_E_CORRUPT) { /* the records at that time are what is damaged: as far back as they can be read */
        e = LT_OK;
    }
    uint64_t hi = last + 1;
    /* what waited longer than a minute (the post was off) is in no hurry any more: rather whole than at once */
    bool late = n && s->late, damaged = false;
    uint64_t step = WINDOW;
    while (e == LT_OK && !damaged && hi > first && lt_mono_ms() - begun < (late ? 20 : 1) * GATHER_SCAN_MS) {
        uint64_t lo = hi - first > step ? hi - step : first;
        e = window(j, lo, hi, g, n, err);
        if (e == LT_E_CORRUPT) { /* what is newer than the damage; a package without the rest is better than none */
            e = LT_OK;
            damaged = hi - lo == 1;
            step = (hi - lo) / 2;
            for (size_t i = 0; i < n; i++)
                g[i]->n_frame = g[i]->n_newer;
        } else {
            hi = lo;
        }
    }
    if (j)
        journal_reader_close(&j);
    for (size_t i = 0; i < n; i++) {
        *(damaged ? &g[i]->unreadable : &g[i]->unsearched) = hi > first ? hi - first : 0;
        if (g[i]->n_frame)
            qsort(g[i]->frame, g[i]->n_frame, sizeof *g[i]->frame, by_seq);
    }
    return e;
}

/* ---- as entries ---- */

static bool is_password(struct lt_slice name)
{
    return (name.n == 2 && strncasecmp(name.p, "PW", 2) == 0) || (name.n == 5 && strncasecmp(name.p, "NewPW", 5) == 0);
}

/* The device's password is nobody's business in a court; the signed bytes in frames.bin are as received. */
static void hide_passwords(char *p, size_t n)
{
    bool some = false;
    for (size_t i = 0; i + 3 <= n;) {
        if (strncasecmp(p + i, "PW=", 3) != 0) {
            i++;
            continue;
        }
        for (i += 3; i < n && p[i] != ';' && p[i] != '&'; i++)
            p[i] = '*';
        some = true;
    }
    if (some && n >= 6 && p[n - 6] == '&' && p[n - 5] == '&')
        memset(p + n - 4, '*', 4); /* the CRC would give a short password away */
}

static void write_items(struct jsonw *w, struct lt_slice area)
{
    static _Thread_local struct hj212_item item[ITEMS_MAX];
    size_t n = 0;
    uint32_t at = 0;
    char key[160];
    hj212_items(area, ~UINT32_C(0), item, ITEMS_MAX, &n, &at, NULL);
    jsonw_key(w, "items");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++) {
        struct lt_slice name = hj212_name(area, &item[i]);
        const struct lt_slice field = {area.p + item[i].field_at, item[i].field_len};
        int m = snprintf(key, sizeof key, "%.*s%s%.*s", (int)(name.n < 64 ? name.n : 64), name.p, field.n ? "-" : "",
                         (int)(field.n < 64 ? field.n : 64), field.n ? field.p : "");
        jsonw_array(w);
        jsonw_slice(w, (struct lt_slice){key, m > 0 ? (size_t)m : 0});
        jsonw_slice(w, is_password(name) ? LT_LIT("******") : hj212_value_text(area, &item[i]));
        jsonw_array_end(w);
    }
    jsonw_array_end(w);
}

static void write_frame(struct jsonw *w, struct lt_slice raw)
{
    struct hj212_frame f;
    enum hj212_err e = hj212_parse(raw, ~UINT32_C(0), &f); /* everything is tolerated for reading */
    if (e != HJ212_E_OK) {
        jsonw_kstr(w, "error", hj212_err_name(e));
        return;
    }
    jsonw_ki64(w, "cn", f.cn);
    jsonw_ki64(w, "st", f.st);
    jsonw_kslice(w, "mn", f.mn);
    jsonw_kslice(w, "qn", f.qn);
    if (!f.encrypted)
        write_items(w, f.cp);
}

static void decoded_line(const struct chain_record *r, int tz_min, struct lt_buf *out)
{
    static const char *const kinds[] = {"",     "frame", "reject", "duplicate", "dropped",
                                        "sent", "conn",  "tick",   "config"};
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_ku64(&w, "seq", r->seq);
    jsonw_ktime(&w, "at", r->at_ms, tz_min);
    jsonw_ki64(&w, "at_ms", r->at_ms);
    jsonw_kstr(&w, "kind", r->kind < 9 ? kinds[r->kind] : "");
    jsonw_kstr(&w, "reason", r->reason ? journal_reason_name(r->reason) : NULL);
    char *copy = malloc(r->bytes.n + 1);
    if (copy && r->bytes.n) {
        memcpy(copy, r->bytes.p, r->bytes.n);
        hide_passwords(copy, r->bytes.n);
        jsonw_kslice(&w, "raw", (struct lt_slice){copy, r->bytes.n});
    } else {
        jsonw_knull(&w, "raw");
    }
    free(copy);
    if (r->bytes.n && (r->kind == JOURNAL_FRAME || r->kind == JOURNAL_REJECT || r->kind == JOURNAL_SENT))
        write_frame(&w, r->bytes);
    jsonw_object_end(&w);
    lt_buf_addc(out, '\n');
}

/* Keeps the newest that fit; the alarm's own period is the newest part or close to it. */
void gather_put_frames(const struct proof_sources *s, struct gathered *g, struct proof_pack *p)
{
    struct lt_buf *bin = proof_pack_entry(p, "frames.bin"), *lines = proof_pack_entry(p, "decoded.jsonl");
    size_t from = g->n_frame, bytes = 0;
    while (from > 0 && bytes + g->frame[from - 1].n + 4 <= GATHER_FRAMES_BYTES)
        bytes += g->frame[--from].n + 4;
    g->dropped += from;
    for (size_t i = from; i < g->n_frame; i++) {
        const struct lt_slice c = {g->mem.p + g->frame[i].at, g->frame[i].n};
        const char le[4] = {(char)(c.n & 255), (char)(c.n >> 8 & 255), (char)(c.n >> 16 & 255), 0};
        struct chain_record r;
        if (i > from && g->frame[i].seq == g->frame[i - 1].seq)
            continue;
        lt_buf_add(bin, le, sizeof le);
        lt_buf_add(bin, c.p, c.n);
        if (chain_record_read(c, &r))
            decoded_line(&r, s->tz_min, lines);
    }
}
