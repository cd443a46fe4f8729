/* lantian repair-journal: says what of the raw journal is damaged or gone, and, when an operator accepts the loss, lets
 * the post go on without it. Nothing does this by itself. */
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "json/json.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"
#include "record/audit.h"
#include "record/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long long ull;

/* What the post's state knows of the journal. */
static enum lt_err read_cursor(const char *dir, struct sql_db **ret_db, struct journal_repair_ask *ask,
                               struct lt_error *err)
{
    char path[1100];
    int64_t state = 0, series = 0;
    snprintf(path, sizeof path, "%.1000s/state.db", dir);
    if (access(path, R_OK | W_OK) != 0)
        return lt_fail(err, LT_E_NOT_FOUND, NULL, "state.db", dir, NULL);
    enum lt_err e = sql_open(path, false, ret_db, err);
    if (e == LT_OK)
        e = record_setup(*ret_db, err);
    int64_t has = 0;
    if (e == LT_OK)
        e = sql_get_i64(*ret_db, "SELECT count(*) FROM sqlite_schema WHERE name = 'engine_cursor'", NULL, &has, err);
    if (e != LT_OK || !has)
        return e;
    e = sql_get_i64(*ret_db, "SELECT state_seq FROM engine_cursor WHERE id = 1", NULL, &state, err);
    if (e == LT_OK)
        e = sql_get_i64(*ret_db, "SELECT series_seq FROM engine_cursor WHERE id = 1", NULL, &series, err);
    ask->known_seq = (uint64_t)(state > series ? state : series);
    ask->needed_seq = (uint64_t)series;
    return e;
}

static enum lt_err note_in_audit(struct sql_db *db, const struct journal_repair_ask *ask,
                                 const struct journal_repair_report *r, struct lt_error *err)
{
    char detail[2200];
    const struct auth_ctx who = auth_system("command line");
    const char *base = strrchr(r->aside, '/');
    int n = snprintf(detail, sizeof detail,
                     "{\"accepted_by\":\"%s\",\"lost\":%llu,\"kept\":%llu,\"unproven\":%llu,\"reserved_to\":%llu,"
                     "\"day\":%d,\"aside\":\"%s\",\"gaps\":[",
                     ask->who, (ull)r->lost, (ull)r->kept, (ull)r->unproven, (ull)r->reserved_to, r->damaged_day,
                     base ? base + 1 : "");
    for (unsigned i = 0; i < r->gaps && i < JOURNAL_REPAIR_GAPS; i++)
        n += snprintf(detail + n, sizeof detail - (size_t)n, "%s[%llu,%llu]", i ? "," : "", (ull)r->gap[i].first,
                      (ull)r->gap[i].last);
    n += snprintf(detail + n, sizeof detail - (size_t)n, "]}");
    const struct audit_entry a = {
        .who = &who, .at_ms = ask->at_ms, .action = "repair_journal", .detail = {detail, (size_t)n}};
    return audit_add(db, &a, err);
}

static void tell_state(const struct journal_repair_ask *ask, const struct journal_repair_report *r)
{
    if (r->damaged_day)
        printf("damaged 已损坏: day %d: %s\nreadable in order up to record %llu; the post knows of %llu\n",
               r->damaged_day, r->why, (ull)r->last_seq, (ull)ask->known_seq);
    else
        printf(
            "lost 已丢失: the journal ends at record %llu, the post knows of %llu: records %llu to %llu are missing\n",
            (ull)r->last_seq, (ull)ask->known_seq, (ull)r->last_seq + 1, (ull)ask->known_seq);
}

static void tell_done(const struct journal_repair_report *r)
{
    if (r->damaged_day)
        printf("damaged file kept as %s\n%llu records of day %d written again, chain unchanged up to record %llu%s\n",
               r->aside, (ull)r->kept, r->damaged_day, (ull)r->unchanged_to,
               r->unproven ? "; some stand behind a gap of the old chain" : "");
    for (unsigned i = 0; i < r->gaps && i < JOURNAL_REPAIR_GAPS; i++)
        printf("given up 放弃: records %llu to %llu\n", (ull)r->gap[i].first, (ull)r->gap[i].last);
    if (r->gaps > JOURNAL_REPAIR_GAPS)
        printf("… and %u more gaps\n", r->gaps - JOURNAL_REPAIR_GAPS);
    printf("%llu records lost; numbers up to %llu are not used again; audit row written\n", (ull)r->lost,
           (ull)r->reserved_to);
}

/* The name goes into journal and audit: letters, digits and few signs, so that it needs no escaping anywhere. */
static bool plain(const char *name)
{
    return name[0] && strlen(name) <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@ ") == strlen(name);
}

static int repair(struct sql_db *db, const char *dir, int tz_min, const struct journal_repair_ask *ask, bool accept)
{
    struct journal_repair_report r;
    struct lt_error err;
    if (journal_repair_look(dir, ask, &r, &err) != LT_OK)
        return tell_error("repair-journal", &err);
    if (!r.damaged_day && !r.behind) {
        printf("nothing to repair 无需修复: the journal reaches record %llu, the post knows of %llu\n", (ull)r.last_seq,
               (ull)ask->known_seq);
        return 0;
    }
    tell_state(ask, &r);
    if (!accept) {
        printf("nothing was changed; first think of a backup (lantian restore). To go on without these records: "
               "lantian repair-journal --data %s --accept-loss --by NAME\n",
               dir);
        return 1;
    }
    if (journal_repair(dir, tz_min, ask, &r, &err) != LT_OK || note_in_audit(db, ask, &r, &err) != LT_OK)
        return tell_error("repair-journal", &err);
    tell_done(&r);
    return 0;
}

int cmd_repair_journal(int argc, char **argv)
{
    const char *dir = NULL, *by = NULL;
    bool accept = false;
    int64_t tz_min = LT_TZ_CHINA;
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &dir, "DIR", "data directory of a post that does not run (required)"},
        {"--accept-loss", OPT_FLAG, &accept, NULL, "go on without what cannot be read; else only told (status 1)"},
        {"--by", OPT_TEXT, &by, "NAME", "who accepts the loss (with --accept-loss); stands in journal and audit"},
        {"--tz", OPT_INT, &tz_min, "MINUTES", "offset of the city from UTC (default 480)"}};
    int r = opt_parse("repair-journal --data DIR [--accept-loss --by NAME]", opts, sizeof opts / sizeof opts[0], argc,
                      argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    if (!opt_tz("repair-journal", tz_min))
        return 2;
    if (!dir || (accept && !by) || (by && !plain(by))) {
        fprintf(stderr, "lantian repair-journal: --data DIR is needed, and --by NAME (letters, digits, . - _ @) with "
                        "--accept-loss\n");
        return 2;
    }
    struct lt_error err;
    struct sql_db *db = NULL;
    struct journal_repair_ask ask = {.at_ms = lt_wall_ms(), .who = by ? by : ""};
    if (read_cursor(dir, &db, &ask, &err) != LT_OK) {
        sql_close(&db);
        return tell_error("repair-journal", &err);
    }
    r = repair(db, dir, (int)tz_min, &ask, accept);
    sql_close(&db);
    return fflush(stdout) == 0 ? r : 2;
}
