/* Canonical bytes of records and the text of a day statement: writers, and readers that accept nothing else. */
#include "chain/chain.h"
#include "base/text.h"
#include "base/varint.h"

const char *const chain_stream_name[CHAIN_STREAMS] = {"journal", "audit", "verdict", "removal"};
const char chain_stream_letter[CHAIN_STREAMS] = {'J', 'A', 'V', 'R'};

size_t chain_record_write(const struct chain_record *r, uint8_t *mem)
{
    if (r->mn.n > 255 || r->bytes.n > 65536)
        return 0;
    memcpy(mem, "LTJ1", 4);
    lt_le_put(mem + 4, r->seq, 8);
    lt_le_put(mem + 12, (uint64_t)r->at_ms, 8);
    lt_le_put(mem + 20, r->ref, 8);
    lt_le_put(mem + 28, r->conn, 4);
    lt_le_put(mem + 32, r->flags, 2);
    mem[34] = r->kind;
    mem[35] = r->reason;
    lt_le_put(mem + 36, r->mn.n, 2);
    lt_le_put(mem + 38, r->bytes.n, 4);
    if (r->mn.n)
        memcpy(mem + CHAIN_RECORD_HEAD, r->mn.p, r->mn.n);
    if (r->bytes.n)
        memcpy(mem + CHAIN_RECORD_HEAD + r->mn.n, r->bytes.p, r->bytes.n);
    return CHAIN_RECORD_HEAD + r->mn.n + r->bytes.n;
}

bool chain_record_read(struct lt_slice s, struct chain_record *ret)
{
    if (s.n < CHAIN_RECORD_HEAD || memcmp(s.p, "LTJ1", 4) != 0)
        return false;
    uint8_t m[CHAIN_RECORD_HEAD];
    memcpy(m, s.p, sizeof m);
    struct chain_record r = {.seq = lt_le_get(m + 4, 8),
                             .at_ms = (int64_t)lt_le_get(m + 12, 8),
                             .ref = lt_le_get(m + 20, 8),
                             .conn = (uint32_t)lt_le_get(m + 28, 4),
                             .flags = (uint16_t)lt_le_get(m + 32, 2),
                             .kind = m[34],
                             .reason = m[35],
                             .mn.n = (size_t)lt_le_get(m + 36, 2),
                             .bytes.n = (size_t)lt_le_get(m + 38, 4)};
    if (r.mn.n > 255 || r.bytes.n > 65536 || s.n != CHAIN_RECORD_HEAD + r.mn.n + r.bytes.n)
        return false;
    r.mn.p = s.p + CHAIN_RECORD_HEAD;
    r.bytes.p = r.mn.p + r.mn.n;
    *ret = r;
    return true;
}

void chain_row_begin(struct lt_buf *out, char letter)
{
    lt_buf_adds(out, "LT");
    lt_buf_addc(out, letter);
    lt_buf_addc(out, '1');
}

void chain_row_i64(struct lt_buf *out, int64_t v)
{
    uint8_t b[8];
    lt_le_put(b, (uint64_t)v, 8);
    lt_buf_add(out, b, sizeof b);
}

void chain_row_bytes(struct lt_buf *out, struct lt_slice s)
{
    uint8_t b[4];
    lt_le_put(b, s.n, 4);
    lt_buf_add(out, b, sizeof b);
    lt_buf_add(out, s.p, s.n);
}

/* ---- day statement ---- */

static void add_hex(struct lt_buf *out, const char *before, const uint8_t *p, size_t n)
{
    char hex[2 * 128 + 1];
    lt_text_hex(p, n, hex);
    lt_buf_adds(out, before);
    lt_buf_adds(out, hex);
}

void chain_day_write_signed(const struct chain_day *d, struct lt_buf *out)
{
    lt_buf_addf(out, "LANTIAN-DAY 1\nkey %s", d->key);
    add_hex(out, "\ned25519 ", d->ed25519, sizeof d->ed25519);
    add_hex(out, "\nsm2 ", d->sm2, sizeof d->sm2);
    lt_buf_addf(out, "\nn %llu\nday %08d\npart %u\nfinal %s\ntz_min %d\nsealed_at_ms %lld", (unsigned long long)d->n,
                d->day, d->part, d->final ? "yes" : "no", d->tz_min, (long long)d->sealed_at_ms);
    add_hex(out, "\nprevious ", d->previous, CHAIN_HASH);
    for (int i = 0; i < CHAIN_STREAMS; i++) {
        const struct chain_range *r = &d->stream[i];
        lt_buf_addf(out, "\nstream %s %llu %llu %llu", chain_stream_name[i], (unsigned long long)r->first,
                    (unsigned long long)r->last, (unsigned long long)r->count);
        add_hex(out, " ", r->root.h[CHAIN_SHA256], CHAIN_HASH);
        add_hex(out, " ", r->root.h[CHAIN_SM3], CHAIN_HASH);
        add_hex(out, " ", r->chain, CHAIN_HASH);
    }
    lt_buf_addc(out, '\n');
}

void chain_day_write_sigs(const struct chain_day *d, struct lt_buf *out)
{
    for (int t = 0; t < CHAIN_KEY_TYPES; t++) {
        lt_buf_addf(out, "sig %s", chain_key_name[t]);
        add_hex(out, " ", d->sig[t], d->sig_n[t]);
        lt_buf_addc(out, '\n');
    }
}

struct lines {
    struct lt_slice rest;
    unsigned n;
};

/* The next line when it begins with `word` and a blank: its remainder. */
static bool line(struct lines *l, const char *word, struct lt_slice *ret)
{
    l->n++;
    size_t w = strlen(word);
    const char *end = l->rest.n ? memchr(l->rest.p, '\n', l->rest.n) : NULL;
    size_t n = end ? (size_t)(end - l->rest.p) : 0;
    if (!end || n < w + 1 || memcmp(l->rest.p, word, w) != 0 || l->rest.p[w] != ' ')
        return false;
    *ret = (struct lt_slice){l->rest.p + w + 1, n - w - 1};
    l->rest = (struct lt_slice){end + 1, l->rest.n - n - 1};
    return true;
}

static struct lt_slice word(struct lt_slice *s)
{
    const char *blank = s->n ? memchr(s->p, ' ', s->n) : NULL;
    struct lt_slice w = {s->p, blank ? (size_t)(blank - s->p) : s->n};
    size_t skip = blank ? w.n + 1 : w.n;
    *s = (struct lt_slice){s->p + skip, s->n - skip};
    return w;
}

static bool line_u64(struct lines *l, const char *name, uint64_t least, uint64_t most, uint64_t *ret)
{
    struct lt_slice s;
    return line(l, name, &s) && lt_text_to_u64(s, ret) && *ret >= least && *ret <= most;
}

static bool line_hex(struct lines *l, const char *name, uint8_t *ret, size_t n)
{
    struct lt_slice s;
    return line(l, name, &s) && lt_text_unhex(s, ret, n);
}

/* Of an empty stream nothing is said; else the numbers agree with each other. */
static bool range_agrees(int stream, const struct chain_range *r)
{
    static const char *const nothing[CHAIN_ALGOS] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"};
    static const uint8_t zero[CHAIN_HASH];
    if (r->count)
        return r->first >= 1 && r->first <= r->last && r->last - r->first >= r->count - 1 &&
               (stream != CHAIN_JOURNAL || r->last - r->first == r->count - 1);
    bool ok = r->first == 0 && r->last == 0 && memcmp(r->chain, zero, CHAIN_HASH) == 0;
    for (int a = 0; a < CHAIN_ALGOS; a++) {
        char hex[2 * CHAIN_HASH + 1];
        lt_text_hex(r->root.h[a], CHAIN_HASH, hex);
        ok = ok && strcmp(hex, nothing[a]) == 0;
    }
    return ok;
}

static bool line_stream(struct lines *l, int i, struct chain_range *r)
{
    struct lt_slice s;
    return line(l, "stream", &s) && lt_slice_is(word(&s), chain_stream_name[i]) &&
           lt_text_to_u64(word(&s), &r->first) && lt_text_to_u64(word(&s), &r->last) &&
           lt_text_to_u64(word(&s), &r->count) && lt_text_unhex(word(&s), r->root.h[CHAIN_SHA256], CHAIN_HASH) &&
           lt_text_unhex(word(&s), r->root.h[CHAIN_SM3], CHAIN_HASH) && lt_text_unhex(s, r->chain, CHAIN_HASH) &&
           range_agrees(i, r);
}

static bool line_sig(struct lines *l, int t, struct chain_day *d)
{
    struct lt_slice s;
    if (!line(l, "sig", &s) || !lt_slice_is(word(&s), chain_key_name[t]) || s.n / 2 > CHAIN_SIG_MAX)
        return false;
    d->sig_n[t] = s.n / 2;
    return lt_text_unhex(s, d->sig[t], d->sig_n[t]);
}

static bool parse_lines(struct lines *l, struct lt_slice text, struct chain_day *d)
{
    struct lt_slice s;
    uint64_t day = 0, part = 0;
    int64_t tz = 0;
    if (!line(l, "LANTIAN-DAY", &s) || !lt_slice_is(s, "1") || !line(l, "key", &s) || s.n != 32)
        return false;
    lt_text_copy_slice(d->key, sizeof d->key, s);
    if (!line_hex(l, "ed25519", d->ed25519, sizeof d->ed25519) || !line_hex(l, "sm2", d->sm2, sizeof d->sm2) ||
        !line_u64(l, "n", 1, UINT64_MAX, &d->n) || !line_u64(l, "day", 1, 99991231, &day) ||
        !line_u64(l, "part", 1, 1000000, &part) || !line(l, "final", &s))
        return false;
    d->day = (int)day;
    d->part = (unsigned)part;
    d->final = lt_slice_is(s, "yes");
    if (!line(l, "tz_min", &s) || !lt_text_to_i64(s, &tz) || tz < -1440 || tz > 1440 || !line(l, "sealed_at_ms", &s) ||
        !lt_text_to_i64(s, &d->sealed_at_ms) || d->sealed_at_ms < 0 ||
        !line_hex(l, "previous", d->previous, CHAIN_HASH))
        return false;
    d->tz_min = (int)tz;
    for (int i = 0; i < CHAIN_STREAMS; i++)
        if (!line_stream(l, i, &d->stream[i]))
            return false;
    d->n_signed = text.n - l->rest.n;
    for (int t = 0; t < CHAIN_KEY_TYPES; t++)
        if (!line_sig(l, t, d))
            return false;
    return l->rest.n == 0;
}

bool chain_day_parse(struct lt_slice text, struct chain_day *ret, unsigned *ret_line)
{
    struct chain_day d = {0};
    struct lines l = {text, 0};
    bool ok = text.n <= CHAIN_DAY_MAX && parse_lines(&l, text, &d);
    *ret_line = l.n;
    if (!ok)
        return false;
    struct lt_buf again = LT_BUF_INIT(2 * CHAIN_DAY_MAX);
    chain_day_write_signed(&d, &again);
    chain_day_write_sigs(&d, &again);
    size_t at = 0;
    while (at < again.n && at < text.n && again.p[at] == text.p[at])
        at++;
    ok = !again.failed && again.n == text.n && at == text.n;
    *ret_line = 1;
    for (size_t i = 0; i < at; i++)
        *ret_line += text.p[i] == '\n';
    lt_buf_fini(&again);
    if (ok)
        *ret = d;
    return ok;
}

bool chain_day_sig_holds(struct chain_hasher *h, const struct chain_day *d, struct lt_slice text,
                         bool ret_holds[CHAIN_KEY_TYPES])
{
    const struct lt_slice msg = {text.p, d->n_signed};
    const uint8_t *const pub[CHAIN_KEY_TYPES] = {d->ed25519, d->sm2};
    char id[33] = "";
    bool all = chain_key_id(h, d->ed25519, d->sm2, id) && memcmp(id, d->key, sizeof id) == 0;
    for (int t = 0; t < CHAIN_KEY_TYPES; t++) {
        struct chain_key *k = chain_key_of_public((enum chain_key_type)t, pub[t], chain_public_len[t]);
        ret_holds[t] = k && chain_sig_holds(k, msg, d->sig[t], d->sig_n[t]);
        chain_key_destroy(&k);
        all = all && ret_holds[t];
    }
    return all;
}

bool chain_day_line(struct chain_hasher *h, const struct chain_day *d, struct lt_slice text, struct lt_buf *out)
{
    struct chain_pair p;
    if (!chain_digest_both(h, (struct lt_slice){text.p, d->n_signed}, &p))
        return false;
    lt_buf_addf(out, "LANTIAN %s n=%llu day=%08d part=%u", d->key, (unsigned long long)d->n, d->day, d->part);
    add_hex(out, " sha256=", p.h[CHAIN_SHA256], CHAIN_HASH);
    add_hex(out, " sm3=", p.h[CHAIN_SM3], CHAIN_HASH);
    return !out->failed;
}
