/* lantian ledger: received, stored, duplicate, rejected per device and local day of receipt, from the files alone.
 * Exact up to the last committed record, whether the post runs or not. */
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"
#include "base/clock.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct sheet {
    bool json;
    struct engine_ledger_row sum;
    size_t rows;
};

static bool print_json(const struct engine_ledger_row *r)
{
    struct lt_buf out = LT_BUF_INIT(64 * 1024);
    engine_ledger_json(r, &out);
    bool ok = !out.failed && printf("%.*s\n", (int)out.n, out.p) > 0;
    lt_buf_fini(&out);
    return ok;
}

static void print_numbers(const struct engine_ledger_row *r)
{
    printf(" %10llu %10llu %10llu %10llu", (unsigned long long)r->received, (unsigned long long)r->stored,
           (unsigned long long)r->duplicate, (unsigned long long)r->rejected);
}

static bool print_row(void *user, const struct engine_ledger_row *r)
{
    struct sheet *s = user;
    if (s->json)
        return print_json(r);
    if (s->rows++ == 0)
        printf("%-10s %-24s %10s %10s %10s %10s  %s\n", "day", "mn", "received", "stored", "duplicate", "rejected",
               "reasons");
    printf("%04d-%02d-%02d %-24s", r->day / 10000, r->day / 100 % 100, r->day % 100, r->mn[0] ? r->mn : "(none)");
    print_numbers(r);
    for (size_t i = 0; i < r->n_reasons; i++)
        printf("%s%s %llu", i ? ", " : "  ", journal_reason_name(r->reason[i].reason),
               (unsigned long long)r->reason[i].n);
    putchar('\n');
    s->sum.received += r->received;
    s->sum.stored += r->stored;
    s->sum.duplicate += r->duplicate;
    s->sum.rejected += r->rejected;
    return true;
}

static bool pick_day(const char *text, bool all, int tz_min, int *ret)
{
    int64_t at = lt_wall_ms();
    if (all) {
        *ret = 0;
        return true;
    }
    if (text && !lt_time_parse_iso(lt_slice_of(text), tz_min, &at))
        return false;
    *ret = lt_day_number(at, tz_min);
    return true;
}

int cmd_ledger(int argc, char **argv)
{
    const char *dir = NULL, *day_text = NULL, *mn = "";
    int64_t tz_min = LT_TZ_CHINA;
    bool json = false, all = false;
    const struct opt opts[] = {{"--data", OPT_TEXT, &dir, "DIR", "data directory (required)"},
                               {"--day", OPT_TEXT, &day_text, "YYYY-MM-DD", "local day of receipt (default: today)"},
                               {"--all-days", OPT_FLAG, &all, NULL, "every day there is"},
                               {"--mn", OPT_TEXT, &mn, "MN", "one device"},
                               {"--tz", OPT_INT, &tz_min, "MINUTES", "offset of the city from UTC (default 480)"},
                               {"--json", OPT_FLAG, &json, NULL, "one JSON object per device and day and line"}};
    int r = opt_parse("ledger --data DIR [--day YYYY-MM-DD | --all-days] [--mn MN] [--json]", opts,
                      sizeof opts / sizeof opts[0], argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    struct stat st;
    if (!dir || stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "lantian ledger: --data needs an existing directory%s%s\n", dir ? ", not " : "",
                dir ? dir : "");
        return 2;
    }
    char journal[1100], state[1100];
    snprintf(journal, sizeof journal, "%.1000s/journal", dir);
    snprintf(state, sizeof state, "%.1000s/state.db", dir);
    if (access(journal, F_OK) != 0 && access(state, F_OK) != 0) { /* a wrong path must not look like an empty ledger */
        fprintf(stderr, "lantian ledger: no post in %s\n", dir);
        return 2;
    }
    int day;
    if (!opt_tz("ledger", tz_min))
        return 2;
    if (!pick_day(day_text, all, (int)tz_min, &day)) {
        fprintf(stderr, "lantian ledger: --day wants YYYY-MM-DD\n");
        return 2;
    }
    struct sheet s = {.json = json};
    struct lt_error err;
    if (engine_ledger_dir(dir, (int)tz_min, day, lt_slice_of(mn), print_row, &s, &err) != LT_OK)
        return tell_error("ledger", &err);
    if (s.rows == 0 && !json)
        fprintf(stderr, "lantian ledger: nothing was received %s\n", all ? "yet" : "on that day");
    if (s.rows > 1) {
        printf("%-35s", "sum");
        print_numbers(&s.sum);
        putchar('\n');
    }
    return fflush(stdout) == 0 ? 0 : 2;
}
