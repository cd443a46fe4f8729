/* Batches in memory: encoding and decoding of records, hash, owner count. The byte format is in docs/FORMATS.md.
 * Decoding trusts nothing: a body that came from disk may be damaged. */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "base/varint.h"
#include "hj212/hj212.h"
#include "journal/journal_priv.h"

/* Head byte of a record: kind in the low four bits, then what follows. */
#define HAS_REF     0x10u
#define HAS_FLAGS   0x20u
#define HAS_REASON  0x40u
#define MN_IN_BYTES 0x80u
/* Longest head: head byte, time, connection, reference, flags, reason, MN length and offset or text, byte count. */
#define HEAD_MAX (1 + 10 + 5 + 10 + 3 + 1 + 2 + JOURNAL_MN_MAX + 5)
#define POS_BITS 40 /* *pos of the iteration: offset in the low 40 bits, index above */
_Static_assert(sizeof(size_t) == 8, "iteration packs offset and index into 64 bits");
_Static_assert((int)HJ212_E_COUNT <= (int)JOURNAL_REASON_BASE, "reasons of hj212 stay below ours");

const char *journal_reason_name(unsigned reason)
{
    static const char *const frame_names[] = {
#define X(n, s) [HJ212_E_##n] = s,
        HJ212_ERRORS(X)
#undef X
    };
    static const char *const own_names[] = {
#define X(n, s) [JOURNAL_R_##n - JOURNAL_REASON_BASE] = s,
        JOURNAL_REASONS(X)
#undef X
    };
    if (reason < sizeof frame_names / sizeof *frame_names)
        return frame_names[reason];
    if (reason > JOURNAL_REASON_BASE && reason - JOURNAL_REASON_BASE < sizeof own_names / sizeof *own_names)
        return own_names[reason - JOURNAL_REASON_BASE];
    return "unknown";
}

enum journal_class journal_ledger_class(const struct journal_record *r)
{
    static const uint8_t classes[] = {
        [JOURNAL_FRAME] = JOURNAL_CLASS_STORED,
        [JOURNAL_REJECT] = JOURNAL_CLASS_REJECTED,
        [JOURNAL_DUPLICATE] = JOURNAL_CLASS_DUPLICATE,
        [JOURNAL_DROPPED] = JOURNAL_CLASS_REJECTED,
    };
    return r->kind < sizeof classes ? (enum journal_class)classes[r->kind] : JOURNAL_CLASS_NONE;
}

static const struct lt_slice step_word = {"clock ", 6};

size_t journal_step_text(int64_t step_ms, char ret[JOURNAL_STEP_CHARS])
{
    return (size_t)snprintf(ret, JOURNAL_STEP_CHARS, "%s%lld", step_word.p, (long long)step_ms);
}

int64_t journal_step_of(const struct journal_record *r)
{
    int64_t step_ms;
    const size_t n = step_word.n;
    if (r->kind != JOURNAL_TICK || r->bytes.n <= n || memcmp(r->bytes.p, step_word.p, n) != 0 ||
        !lt_text_to_i64((struct lt_slice){r->bytes.p + n, r->bytes.n - n}, &step_ms))
        return 0;
    return step_ms;
}

/* ---- owner count ---- */
#define POOL_MAX 8 /* derivation: what the tail drops to make room for one large batch is one or two */

struct journal_pool {
    pthread_mutex_t mu;
    struct journal_box *free[POOL_MAX];
    size_t n, most;
    atomic_uint refs;
};

struct journal_pool *journal_pool_create(unsigned most)
{
    struct journal_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->mu, NULL);
    p->most = most < POOL_MAX ? most : POOL_MAX;
    atomic_init(&p->refs, 1);
    return p;
}

static void box_free(struct journal_box *x)
{
    free(x->mem);
    free(x->offs);
    free(x);
}

void journal_pool_unref(struct journal_pool *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < p->n; i++)
        box_free(p->free[i]);
    pthread_mutex_destroy(&p->mu);
    free(p);
}

static bool pool_put(struct journal_pool *p, struct journal_box *x)
{
    pthread_mutex_lock(&p->mu);
    const bool room = p->n < p->most;
    if (room)
        p->free[p->n++] = x;
    pthread_mutex_unlock(&p->mu);
    return room;
}

static struct journal_box *pool_get(struct journal_pool *p)
{
    pthread_mutex_lock(&p->mu);
    struct journal_box *x = p->n ? p->free[--p->n] : NULL;
    pthread_mutex_unlock(&p->mu);
    return x;
}

struct journal_box *journal_box_create(struct journal_pool *pool)
{
    struct journal_box *x = pool ? pool_get(pool) : NULL;
    if (!x)
        x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    atomic_store_explicit(&x->refs, 1, memory_order_relaxed);
    journal_box_clear(x);
    x->pool = pool;
    if (pool)
        atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return x;
}

struct journal_box *journal_box_copy(const struct journal_box *x)
{
    struct journal_box *c = calloc(1, sizeof *c);
    const size_t offs = x->b.count * sizeof *x->offs;
    if (!c || !(c->mem = malloc(x->b.body.n)) || !(c->offs = malloc(offs))) {
        if (c)
            box_free(c);
        return NULL;
    }
    atomic_init(&c->refs, 1);
    memcpy(c->mem, x->mem, x->b.body.n);
    memcpy(c->offs, x->offs, offs);
    c->cap = x->b.body.n;
    c->offs_cap = x->b.count;
    c->indexed = true;
    c->b = x->b;
    c->b.body.p = c->mem;
    return c;
}

static struct journal_box *box_of(struct journal_batch *b)
{
    return (struct journal_box *)(void *)b; /* first member */
}

void journal_batch_ref(struct journal_batch *b)
{
    atomic_fetch_add_explicit(&box_of(b)->refs, 1, memory_order_relaxed);
}

void journal_batch_unref(struct journal_batch **b)
{
    if (!*b)
        return;
    struct journal_box *x = box_of(*b);
    *b = NULL;
    if (atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct journal_pool *pool = x->pool;
    if (!pool || !pool_put(pool, x))
        box_free(x);
    journal_pool_unref(pool);
}

size_t journal_box_memory(const struct journal_batch *b)
{
    const struct journal_box *x = (const struct journal_box *)(const void *)b;
    return sizeof *x + x->cap + x->offs_cap * sizeof *x->offs;
}

void journal_box_clear(struct journal_box *x)
{
    x->b.body = (struct lt_slice){x->mem, 0};
    x->b.count = 0;
    x->indexed = false;
}

/* ---- numbers ---- */
static char *put_varint(char *p, uint64_t v)
{
    return (char *)lt_varint_put((uint8_t *)p, v);
}

struct cursor {
    const char *p, *end;
    bool bad;
};

static uint64_t get_varint(struct cursor *c)
{
    const uint8_t *p = (const uint8_t *)c->p;
    uint64_t v = 0;
    c->bad = c->bad || !lt_varint_get(&p, (const uint8_t *)c->end, &v);
    c->p = (const char *)p;
    return v;
}

static struct lt_slice get_bytes(struct cursor *c, uint64_t n)
{
    if (c->bad || n > (uint64_t)(c->end - c->p)) {
        c->bad = true;
        return (struct lt_slice){0};
    }
    const struct lt_slice s = {c->p, (size_t)n};
    c->p += n;
    return s;
}

static int64_t base_of(const char *body)
{
    return (int64_t)lt_le_get(body, JOURNAL_HEAD);
}

/* ---- encoding ---- */
/* Where mn stands in the first part of bytes. An MN costs 14 to 24 bytes otherwise, and every frame holds its own. */
static bool find_mn(struct lt_slice bytes, struct lt_slice mn, size_t *ret_at)
{
    const size_t look = bytes.n < 512 ? bytes.n : 512; /* a header is shorter */
    const char *p = mn.n && bytes.p ? memmem(bytes.p, look, mn.p, mn.n) : NULL;
    if (!p)
        return false;
    *ret_at = (size_t)(p - bytes.p);
    return true;
}

static char *encode(char *p, uint64_t seq, int64_t base_at_ms, const struct journal_record *r)
{
    size_t mn_at = 0;
    const bool inside = find_mn(r->bytes, r->mn, &mn_at);
    *p++ = (char)((r->kind & 0x0fu) | (r->ref ? HAS_REF : 0) | (r->flags ? HAS_FLAGS : 0) |
                  (r->reason ? HAS_REASON : 0) | (inside ? MN_IN_BYTES : 0));
    p = put_varint(p, lt_zigzag((uint64_t)r->at_ms - (uint64_t)base_at_ms));
    p = put_varint(p, r->conn);
    if (r->ref)
        p = put_varint(p, lt_zigzag(seq - r->ref));
    if (r->flags)
        p = put_varint(p, r->flags);
    if (r->reason)
        *p++ = (char)r->reason;
    p = put_varint(p, r->mn.n);
    if (inside) {
        p = put_varint(p, mn_at);
    } else if (r->mn.n) {
        memcpy(p, r->mn.p, r->mn.n);
        p += r->mn.n;
    }
    p = put_varint(p, r->bytes.n);
    if (r->bytes.n)
        memcpy(p, r->bytes.p, r->bytes.n);
    return p + r->bytes.n;
}

static bool grow(void **mem, size_t *cap, size_t need, size_t unit)
{
    if (need <= *cap)
        return true;
    size_t n = *cap ? *cap : 64 * 1024 / unit;
    while (n < need)
        n *= 2;
    void *m = realloc(*mem, n * unit);
    if (!m)
        return false;
    *mem = m;
    *cap = n;
    return true;
}

void journal_box_reserve(struct journal_box *x, size_t bytes, size_t records)
{
    void *mem = x->mem, *offs = x->offs;
    grow(&mem, &x->cap, bytes, 1);
    grow(&offs, &x->offs_cap, records, sizeof *x->offs);
    x->mem = mem;
    x->offs = offs;
    x->b.body.p = x->mem;
}

bool journal_box_add(struct journal_box *x, const struct journal_record *r)
{
    if (r->bytes.n > JOURNAL_BYTES_MAX || r->mn.n > JOURNAL_MN_MAX || x->b.count == JOURNAL_COUNT_MAX)
        return false;
    size_t at = x->b.count ? x->b.body.n : JOURNAL_HEAD;
    const size_t need = at + HEAD_MAX + r->bytes.n;
    void *mem = x->mem, *offs = x->offs;
    const bool ok = need <= JOURNAL_BODY_MAX && grow(&mem, &x->cap, need, 1) &&
                    grow(&offs, &x->offs_cap, (size_t)x->b.count + 1, sizeof *x->offs);
    x->mem = mem;
    x->offs = offs;
    if (!ok) {
        x->b.body.p = x->mem;
        return false;
    }
    if (x->b.count == 0) {
        lt_le_put(x->mem, (uint64_t)r->at_ms, JOURNAL_HEAD);
        x->latest_at_ms = r->at_ms;
    } else if (r->at_ms > x->latest_at_ms) {
        x->latest_at_ms = r->at_ms;
    }
    x->offs[x->b.count] = (uint32_t)at;
    x->indexed = true;
    const char *end = encode(x->mem + at, x->b.first_seq + x->b.count, base_of(x->mem), r);
    x->b.body = (struct lt_slice){x->mem, (size_t)(end - x->mem)};
    x->b.count++;
    return true;
}

/* ---- decoding ---- */
static bool decode(struct cursor *c, uint64_t seq, int64_t base_at_ms, struct journal_record *ret)
{
    if (c->p == c->end)
        return false;
    const uint8_t head = (uint8_t)*c->p++;
    struct journal_record r = {.seq = seq, .kind = head & 0x0fu};
    r.at_ms = (int64_t)((uint64_t)base_at_ms + lt_unzigzag(get_varint(c)));
    r.conn = (uint32_t)get_varint(c);
    if (head & HAS_REF)
        r.ref = seq - lt_unzigzag(get_varint(c));
    if (head & HAS_FLAGS)
        r.flags = (uint16_t)get_varint(c);
    if (head & HAS_REASON)
        r.reason = (uint8_t)get_bytes(c, 1).n ? (uint8_t)c->p[-1] : 0;
    const uint64_t mn_n = get_varint(c);
    const uint64_t mn_at = head & MN_IN_BYTES ? get_varint(c) : 0;
    if (!(head & MN_IN_BYTES))
        r.mn = get_bytes(c, mn_n);
    r.bytes = get_bytes(c, get_varint(c));
    if (c->bad || mn_n > JOURNAL_MN_MAX || r.bytes.n > JOURNAL_BYTES_MAX)
        return false;
    if (head & MN_IN_BYTES) {
        if (mn_at > r.bytes.n || mn_n > r.bytes.n - mn_at)
            return false;
        r.mn = (struct lt_slice){r.bytes.p + mn_at, (size_t)mn_n};
    }
    *ret = r;
    return true;
}

static bool decode_at(const struct journal_batch *b, size_t off, size_t index, size_t *ret_end,
                      struct journal_record *ret)
{
    struct cursor c = {b->body.p + off, b->body.p + b->body.n, false};
    if (!decode(&c, b->first_seq + index, base_of(b->body.p), ret))
        return false;
    *ret_end = (size_t)(c.p - b->body.p);
    return true;
}

bool journal_batch_next(const struct journal_batch *b, size_t *pos, struct journal_record *ret)
{
    size_t off = *pos & ((UINT64_C(1) << POS_BITS) - 1);
    const size_t index = *pos >> POS_BITS;
    if (off == 0)
        off = JOURNAL_HEAD;
    size_t end;
    if (off >= b->body.n || index >= b->count || !decode_at(b, off, index, &end, ret))
        return false;
    *pos = end | (index + 1) << POS_BITS;
    return true;
}

bool journal_batch_find(const struct journal_batch *b, uint64_t seq, struct journal_record *ret)
{
    if (seq < b->first_seq || seq - b->first_seq >= b->count)
        return false;
    const struct journal_box *x = (const struct journal_box *)(const void *)b;
    size_t end;
    if (x->indexed)
        return decode_at(b, x->offs[seq - b->first_seq], (size_t)(seq - b->first_seq), &end, ret);
    struct journal_record r;
    for (size_t pos = 0; journal_batch_next(b, &pos, &r);) {
        if (r.seq == seq) {
            *ret = r;
            return true;
        }
    }
    return false;
}

bool journal_box_index(struct journal_box *x)
{
    const struct journal_batch *b = &x->b;
    struct journal_record r;
    size_t pos = 0, off = JOURNAL_HEAD;
    uint32_t n = 0;
    void *offs = x->offs;
    const bool ok = grow(&offs, &x->offs_cap, b->count, sizeof *x->offs);
    x->indexed = false;
    for (; ok && journal_batch_next(b, &pos, &r); off = pos & ((UINT64_C(1) << POS_BITS) - 1))
        ((uint32_t *)offs)[n++] = (uint32_t)off;
    x->offs = offs;
    x->indexed = ok && n == b->count && n > 0 && off == b->body.n;
    return x->indexed;
}

/* ---- hash ---- */
bool journal_hash(const uint8_t prev[32], const struct journal_batch *b, uint8_t ret[32])
{
    uint8_t head[32];
    lt_le_put(head, b->first_seq, 8);
    lt_le_put(head + 8, b->count, 8);
    lt_le_put(head + 16, (uint64_t)b->at_ms, 8);
    lt_le_put(head + 24, b->body.n, 8);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) && EVP_DigestUpdate(c, prev, 32) &&
                    EVP_DigestUpdate(c, head, sizeof head) && EVP_DigestUpdate(c, b->body.p, b->body.n) &&
                    EVP_DigestFinal_ex(c, ret, NULL);
    EVP_MD_CTX_free(c);
    return ok;
}
