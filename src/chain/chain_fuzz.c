/* Fuzz target: whatever bytes come, the readers of records, statements and packages neither crash nor accept what they
 * would not have written. */
#include "chain/chain.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void package(struct lt_slice s, bool back)
{
    static struct chain_entry e[CHAIN_ZIP_ENTRIES];
    size_t n = 0, at = 0;
    int was = 0;
    if (!chain_zip_read(s, back, e, &n, &at) || n == 0)
        return;
    uint32_t crc[2];
    chain_zip_crc(s, e, n, n - 1, crc);
    if (!chain_zip_differs(s, e, n, &at, &was)) {
        struct lt_buf again = LT_BUF_INIT(1 << 20);
        assert(chain_zip_write(e, n, &again) && again.n == s.n && memcmp(again.p, s.p, s.n) == 0);
        lt_buf_fini(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lt_slice s = {(const char *)data, size};
    struct chain_record r;
    struct chain_day d;
    unsigned line = 0;
    if (chain_record_read(s, &r)) {
        static uint8_t mem[CHAIN_RECORD_MAX];
        assert(chain_record_write(&r, mem) == size && memcmp(mem, data, size) == 0);
    }
    if (chain_day_parse(s, &d, &line)) {
        struct lt_buf again = LT_BUF_INIT(2 * CHAIN_DAY_MAX);
        chain_day_write_signed(&d, &again);
        chain_day_write_sigs(&d, &again);
        assert(again.n == size && memcmp(again.p, data, size) == 0);
        lt_buf_fini(&again);
    }
    package(s, false);
    package(s, true);
    return 0;
}
