/* Fuzz target: whatever bytes come, checking them as a package or as an inclusion proof neither crashes nor says yes.
 */
#include "proof/proof.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lt_slice s = {(const char *)data, size};
    const struct proof_public other = {.id = "00000000000000000000000000000000"}; /* nobody's key */
    for (int i = 0; i < 4; i++) {
        const struct proof_verify how = {.key = &other, .quick = i & 1, .lines = i & 2 ? s : LT_LIT("")};
        struct proof_verdict v;
        if (proof_pack_verify(s, &how, &v, NULL) == LT_OK) {
            assert(!v.ok);
            json_decref(v.manifest);
        }
        if (proof_inclusion_verify(s, &how, &v, NULL) == LT_OK)
            assert(!v.ok);
    }
    return 0;
}
