/* ledger: received = stored + duplicate + rejected, per local day of receipt and MN. A pure function of journal
 * records: the engine and the command line count with the same code. Inside the engine unit. */
#ifndef LT_ENGINE_LEDGER_H
#define LT_ENGINE_LEDGER_H
#include "engine/engine.h"
#include "sql/sql.h"

/* Different MNs of one day; what comes beyond is filed under "". Derivation: 20,000 descriptors, and strangers. */
#define LEDGER_MNS_MAX 50000

struct ledger_entry {
    struct engine_ledger_row row;
    bool dirty;
    bool fresh; /* came from the tables in the load under way */
};
struct ledger;
struct ledger *ledger_create(int tz_min); /* NULL: no memory */
void ledger_destroy(struct ledger **l);
/* The row a record counts in, made when new; NULL only without memory. */
struct ledger_entry *ledger_entry(struct ledger *l, int day, struct lt_slice mn);
void ledger_count(struct ledger_entry *t, const struct journal_record *r);
bool ledger_counts(const struct journal_record *r); /* false: TICK, CONN … count as nothing */
void ledger_add(struct ledger *l, const struct journal_record *r);
size_t ledger_size(const struct ledger *l);
const struct ledger_entry *ledger_at(const struct ledger *l, size_t i);
/* Rows of days >= from_day (and == day when not 0); what is in memory already stays as it is. */
enum lt_err ledger_load(struct ledger *l, struct sql_db *db, int from_day, int day, struct lt_error *err) LT_MUST_CHECK;
enum lt_err ledger_save(struct ledger *l, struct sql_db *db, struct lt_error *err) LT_MUST_CHECK; /* dirty rows */
void ledger_saved(struct ledger *l, int keep_from_day); /* after the commit: clean; older days leave memory */
/* Sorted by day and MN. day 0: all; mn "": all. */
bool ledger_each(const struct ledger *l, int day, struct lt_slice mn,
                 bool (*each)(void *user, const struct engine_ledger_row *r), void *user);
#endif
