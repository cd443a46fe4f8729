/* Fuzz target: any bytes as a data area; every walker this machine has must agree with the plain one, and splitting the
 * area into packets must keep every byte. */
#include "hj212/hj212_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct hj212_item want[HJ212_ITEMS_MAX], got[HJ212_ITEMS_MAX];
    static const uint32_t allowed[4] = {0, HJ212_TOLERATE_DEFAULT, UINT32_MAX, HJ212_TOL(NOT_NUMBER)};
    if (n < 1)
        return 0;
    const uint32_t tolerate = allowed[data[0] & 3];
    const size_t cap = data[0] & 4 ? HJ212_ITEMS_MAX : data[0] >> 3;
    const struct lt_slice area = {(const char *)data + 1, n - 1};
    size_t count = 0, other = 0;
    uint32_t at = 0, at2 = 0, bits = 0, bits2 = 0;
    enum hj212_err err = hj212_items_by(HJ212_SCALAR, area, tolerate, want, cap, &count, &at, &bits);
    check(count <= cap && (bits & ~tolerate) == 0 && at <= area.n);
    for (size_t i = 0; i < count; i++)
        check(want[i].value_at + want[i].value_len <= area.n && want[i].name_at + want[i].name_len <= area.n &&
              want[i].field_at + want[i].field_len <= area.n && want[i].field < HJ212_F_COUNT);
    for (unsigned level = HJ212_SSE2; level <= (unsigned)hj212_level_best(); level++) {
        bits2 = 0;
        check(hj212_items_by((enum hj212_level)level, area, tolerate, got, cap, &other, &at2, &bits2) == err);
        check(count == other && bits == bits2 && (err == HJ212_E_OK || at == at2));
        check(memcmp(want, got, count * sizeof want[0]) == 0);
    }
    struct lt_slice parts[8];
    size_t sum = 0, packets = hj212_split(area, 200, parts, 8);
    for (size_t i = 0; i < packets; i++)
        sum += parts[i].n;
    check(packets == 0 || sum + packets - 1 == area.n);
    return 0;
}
