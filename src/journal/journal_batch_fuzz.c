/* Fuzz target: a batch body from disk may be anything. Decoding must stay inside it and agree with itself. */
#include <stdlib.h>
#include "journal/journal_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void touch(const struct journal_batch *b, const struct journal_record *r)
{
    const char *const end = b->body.p + b->body.n;
    if (r->bytes.n && (r->bytes.p < b->body.p || r->bytes.n > (size_t)(end - r->bytes.p)))
        abort();
    if (r->mn.n && (r->mn.p < b->body.p || r->mn.n > (size_t)(end - r->mn.p)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 2 || n > JOURNAL_BODY_MAX)
        return 0;
    struct journal_box *x = journal_box_create(NULL);
    if (!x)
        return 0;
    x->mem = malloc(n - 1 ? n - 1 : 1); /* of its exact size, so that a sanitizer sees one byte too many */
    if (x->mem) {
        memcpy(x->mem, p + 1, n - 1);
        x->cap = n - 1;
        x->b = (struct journal_batch){.first_seq = 1000, .count = p[0], .body = {x->mem, n - 1}};
        struct journal_record r, again;
        uint32_t records = 0;
        for (size_t pos = 0; journal_batch_next(&x->b, &pos, &r); records++) {
            touch(&x->b, &r);
            if (!journal_batch_find(&x->b, r.seq, &again) || again.bytes.p != r.bytes.p || again.bytes.n != r.bytes.n)
                abort();
        }
        if (journal_box_index(x)) {
            if (records != x->b.count || !journal_batch_find(&x->b, x->b.first_seq, &r))
                abort();
        }
    }
    struct journal_batch *b = &x->b;
    journal_batch_unref(&b);
    return 0;
}
