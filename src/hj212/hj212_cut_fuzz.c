/* Fuzz target: any bytes through cutting and parsing. Whatever comes, all bytes are used up, pieces lie inside the
 * bytes, and cutting them split in two gives the same pieces. */
#include "hj212/hj212_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool good)
{
    if (!good)
        abort();
}

static void parse(struct lt_slice raw, uint32_t tolerate)
{
    static struct hj212_item items[HJ212_ITEMS_MAX];
    static char plain[HJ212_FRAME_MAX], out[HJ212_FRAME_MAX];
    static const uint8_t key[16] = "0000000000000000";
    struct hj212_frame f, p;
    size_t count;
    uint32_t at;
    enum hj212_err err = hj212_parse(raw, tolerate, &f);
    check(err == f.err && f.err_at <= f.raw.n && (f.tolerated & ~tolerate) == 0);
    if (err == HJ212_E_CIPHER)
        hj212_decrypt(&f, key, plain, sizeof plain, &p);
    if (err == HJ212_E_OK) {
        err = hj212_items(f.cp, tolerate, items, HJ212_ITEMS_MAX, &count, &at, NULL);
        check(err == HJ212_E_OK || at <= f.cp.n);
        hj212_build_answer(&f, 9014, 0, out, sizeof out);
    }
}

/* Cuts p[0..n), of which `first` bytes are there at the beginning; returns a number that stands for all pieces. */
static uint64_t cut_all(const char *p, size_t n, size_t first, uint32_t tolerate, bool deep)
{
    uint64_t sum = 1;
    size_t from = 0, have = first;
    while (from < n) {
        struct hj212_cut c = hj212_cut(p + from, have - from, have == n, tolerate);
        check(c.used <= have - from);
        if (c.kind == HJ212_CUT_MORE) {
            check(have < n || from + c.used == n);
            have = n;
        } else {
            check(c.used > 0 && c.raw.n > 0 && c.raw.p >= p + from && c.raw.p + c.raw.n <= p + from + c.used);
            sum =
                (sum + (uint64_t)(c.raw.p - p) * 31 + c.raw.n * 7 + c.kind * 3 + c.err) * UINT64_C(0x9E3779B97F4A7C15);
            if (deep)
                parse(c.raw, tolerate);
        }
        from += c.used;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint32_t allowed[4] = {0, HJ212_TOLERATE_DEFAULT, UINT32_MAX, HJ212_TOL(LENGTH_WRONG)};
    if (n < 3)
        return 0;
    const uint32_t tolerate = allowed[data[0] & 3];
    const char *p = (const char *)data + 3;
    n -= 3;
    size_t first = ((size_t)data[1] << 8 | data[2]) % (n + 1);
    check(cut_all(p, n, n, tolerate, true) == cut_all(p, n, first, tolerate, false));
    return 0;
}
