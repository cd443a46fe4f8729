/* Takes the place of the journal's hash in a post that is built for the benchmark only: what chaining costs is the
 * difference to the real one. Its journals hold no proof and no other post opens them. */
#include "journal/journal_priv.h"

bool __wrap_journal_hash(const uint8_t prev[32], const struct journal_batch *b, uint8_t ret[32]);

bool __wrap_journal_hash(const uint8_t prev[32], const struct journal_batch *b, uint8_t ret[32])
{
    memset(ret, 1, 32);
    return true;
}
