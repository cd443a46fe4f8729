/* lantian replay: days of the past run again, with the same or with changed rules. Reads only; a post may be running on
 * the directory. Exit 0: as recorded (and nothing differs), 1: something differs, 2: wrong use. */
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"
#include "main/whole_file.h"
#include "base/clock.h"
#include "base/text.h"
#include "replay/replay.h"
#include "sheet/sheet.h"
#include "sql/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct asked {
    const char *dir, *from, *to, *rules, *territory, *lang, *scratch;
    int64_t tz_min, cache_mb;
    bool csv, json, quiet;
    enum lt_lang language;
};

static bool progress(void *user, const struct replay_progress *p)
{
    const struct asked *a = user;
    char at[40];
    if (a->quiet || !isatty(2))
        return true;
    lt_time_format_iso(p->at_ms, (int)a->tz_min, at);
    fprintf(stderr, "\r%5.1f %%  %.16s  %llu frames ", p->share * 100, at, (unsigned long long)p->frames);
    return true;
}

static enum lt_err read_rules(const struct asked *a, struct sql_db *db, struct replay_change *ret, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(1 << 20);
    size_t n = strlen(a->rules);
    json_t *root = NULL;
    enum lt_err e = access(a->rules, R_OK) == 0 ? whole_file(a->rules, "1 MiB", &text, err)
                                                : lt_fail(err, LT_E_NOT_FOUND, NULL, "file", a->rules, NULL);
    if (e == LT_OK && n > 4 && strcasecmp(a->rules + n - 4, ".csv") == 0) {
        e = replay_change_csv(db, lt_buf_slice(&text), (int)a->tz_min, ret, err);
    } else if (e == LT_OK && (e = jsonr_parse(lt_buf_slice(&text), 1 << 20, &root, err)) == LT_OK) {
        const json_t *items = json_is_object(root) ? json_object_get(root, "items") : root;
        e = replay_change_parse(db, items, (int)a->tz_min, ret, err);
    }
    json_decref(root);
    lt_buf_fini(&text);
    return e;
}

/* By record number, or by division code (six digits and more). */
static enum lt_err find_territory(struct sql_db *db, const char *text, int64_t *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(db,
                                "SELECT id FROM territory WHERE deleted = 0 AND (code = ?1 OR CAST(id AS TEXT) = ?1) "
                                "ORDER BY code = ?1 DESC LIMIT 1",
                                &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, text);
    e = sql_step(st, &row, err);
    *ret = row ? sql_col_i64(st, 0) : 0;
    sql_release(&st);
    return e == LT_OK && !row ? lt_fail(err, LT_E_NOT_FOUND, NULL, "territory", text, NULL) : e;
}

/* ---- printing ---- */

static void print_diff_text(const struct asked *a, struct sql_db *db, const struct replay_diff *d)
{
    struct lt_buf out = LT_BUF_INIT(64 * 1024);
    struct jsonw w;
    jsonw_init(&w, &out);
    jsonw_object(&w);
    replay_diff_json(d, db, (int)a->tz_min, a->language, &w);
    jsonw_object_end(&w);
    if (jsonw_ok(&w))
        printf("%.*s\n", (int)out.n, out.p);
    lt_buf_fini(&out);
}

static void print_csv(const struct asked *a, const struct replay *r, struct sql_db *db)
{
    struct lt_buf out = LT_BUF_INIT((size_t)1 << 30);
    replay_diff_csv_head(a->language, &out);
    for (size_t i = 0; i < replay_diffs(r); i++)
        replay_diff_csv(replay_diff_at(r, i), db, (int)a->tz_min, a->language, &out);
    fwrite(out.p, 1, out.n, stdout);
    lt_buf_fini(&out);
}

static enum lt_err print_json(const struct asked *a, const struct replay *r, struct sql_db *db, struct lt_error *err)
{
    struct lt_buf out = LT_BUF_INIT(1 << 24);
    struct jsonw w;
    jsonw_init(&w, &out);
    enum lt_err e = replay_result_json(replay_result(r), db, (int)a->tz_min, &w, err);
    if (e == LT_OK && jsonw_ok(&w))
        printf("%.*s\n", (int)out.n, out.p);
    lt_buf_fini(&out);
    return e;
}

static void print_summary(const struct asked *a, const struct replay *r)
{
    const struct replay_result *s = replay_result(r);
    bool zh = a->language == LT_ZH;
    char from[40], to[40], warm[40];
    lt_time_format_iso(s->from_ms, (int)a->tz_min, from);
    lt_time_format_iso(s->end_ms, (int)a->tz_min, to);
    lt_time_format_iso(s->warm_ms, (int)a->tz_min, warm);
    printf(zh ? "重演 %.10s 至 %.16s（自 %.10s 起预热，%s），%llu 帧，%.1f 秒，%.0f 帧/秒\n"
              : "replayed %.10s to %.16s (warmed up from %.10s, %s): %llu frames, %.1f s, %.0f frames/s\n",
           from, to, warm,
           s->exact ? (zh ? "自报文起点，状态精确" : "the journal's start: exact") : (zh ? "按天数" : "by days"),
           (unsigned long long)s->frames, s->seconds, s->seconds > 0 ? (double)s->frames / s->seconds : 0);
    printf(zh ? "与记录比较：告警 %llu，判定 %llu，小时 %llu，日 %llu：%s（差异 %llu）\n"
              : "against the record: %llu alarms, %llu verdicts, %llu hours, %llu days: %s (%llu differences)\n",
           (unsigned long long)s->alarms, (unsigned long long)s->verdicts, (unsigned long long)s->hours,
           (unsigned long long)s->days,
           s->differences == 0 ? (zh ? "逐位一致" : "identical") : (zh ? "不一致" : "different"),
           (unsigned long long)s->differences);
    for (int c = REPLAY_C_CONFIG; c < REPLAY_CAUSES; c++)
        if (s->cause[c])
            printf("  %llu: %s\n", (unsigned long long)s->cause[c],
                   replay_cause_text((enum replay_cause)c, a->language));
    if (!s->changed)
        return;
    printf(zh ? "规则变更：新增告警 %llu，减少 %llu，变化 %llu；涉及 %llu 个小时、%llu 家企业、%llu 个区县\n"
              : "changed rules: %llu alarms gained, %llu lost, %llu changed; %llu hours, %llu plants, %llu counties\n",
           (unsigned long long)s->gained, (unsigned long long)s->lost, (unsigned long long)s->moved,
           (unsigned long long)s->diff_hours, (unsigned long long)s->diff_plants, (unsigned long long)s->diff_counties);
    for (size_t i = 0; i < s->n_rule; i++)
        printf("  %s: %llu -> %llu\n", alarm_rule_name((enum alarm_rule)s->by_rule[i].id, a->language),
               (unsigned long long)s->by_rule[i].before, (unsigned long long)s->by_rule[i].after);
}

#define SHOWN 20 /* differences on a screen; --csv gives all */

static enum lt_err print_all(const struct asked *a, const struct replay *r, struct sql_db *db, struct lt_error *err)
{
    if (a->csv) {
        print_csv(a, r, db);
        return LT_OK;
    }
    if (a->json)
        return print_json(a, r, db, err);
    print_summary(a, r);
    for (size_t i = 0; i < replay_diffs(r) && i < SHOWN; i++)
        print_diff_text(a, db, replay_diff_at(r, i));
    if (replay_result(r)->n_diff > SHOWN)
        printf(a->language == LT_ZH ? "……共 %llu 条，--csv 输出全部\n" : "… %llu in all; --csv gives them\n",
               (unsigned long long)replay_result(r)->n_diff);
    return LT_OK;
}

/* ---- the command ---- */

static bool day_of(const char *text, int tz_min, int *ret)
{
    int64_t at;
    if (!text || strlen(text) != 10 || !lt_time_parse_iso(lt_slice_of(text), tz_min, &at))
        return false;
    *ret = lt_day_number(at, tz_min);
    return true;
}

static int wrong(const char *what)
{
    fprintf(stderr, "lantian replay: %s; see lantian replay --help\n", what);
    return 2;
}

static enum lt_err run(const struct asked *a, struct replay_config *rc, bool *ret_differs, struct lt_error *err)
{
    static struct replay_change change;
    struct sql_db *db = NULL;
    struct replay *r = NULL;
    char path[1100];
    snprintf(path, sizeof path, "%.1000s/state.db", a->dir);
    enum lt_err e = sql_open(path, true, &db, err);
    if (e == LT_OK && a->rules)
        e = read_rules(a, db, &change, err);
    if (e == LT_OK && a->territory)
        e = find_territory(db, a->territory, &rc->territory, err);
    rc->change = &change;
    if (e == LT_OK)
        e = replay_run(rc, &r, err);
    if (!a->quiet && isatty(2))
        fprintf(stderr, "\r\033[K");
    if (e == LT_OK) {
        *ret_differs = replay_result(r)->n_diff > 0 || replay_result(r)->differences > 0;
        e = print_all(a, r, db, err);
    }
    replay_free(&r);
    sql_close(&db);
    return e;
}

/* Much of a run is touching fresh memory: huge pages, and keeping what was freed, save a third of its processor time
 * (docs/PERFORMANCE.md). glibc takes these wishes from the environment only, at start; so the program starts itself
 * once more. Without it all is the same. */
static void with_huge_pages(int argc, char **argv)
{
    char **again = getenv("GLIBC_TUNABLES") ? NULL : calloc((size_t)argc + 2, sizeof *again);
    static char name[] = "lantian";
    if (!again || setenv("GLIBC_TUNABLES",
                         "glibc.malloc.hugetlb=1:glibc.malloc.trim_threshold=1073741824:glibc.malloc.top_pad=67108864:"
                         "glibc.malloc.mmap_threshold=1073741824",
                         1) != 0) {
        free(again);
        return;
    }
    again[0] = name;
    for (int i = 0; i < argc; i++)
        again[i + 1] = argv[i];
    execv("/proc/self/exe", again);
    free(again);
}

int cmd_replay(int argc, char **argv)
{
    struct asked a = {.tz_min = LT_TZ_CHINA, .cache_mb = 256, .lang = "zh"};
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &a.dir, "DIR", "data directory (required); a post may be running on it"},
        {"--from", OPT_TEXT, &a.from, "YYYY-MM-DD", "first local day (required)"},
        {"--to", OPT_TEXT, &a.to, "YYYY-MM-DD", "last local day (required)"},
        {"--rules", OPT_TEXT, &a.rules, "FILE",
         "changed rules: JSON [{\"code\":\"hour_exceed\",\"enter_fix\":1.1}] or CSV"},
        {"--territory", OPT_TEXT, &a.territory, "ID|CODE", "this territory and what lies below it"},
        {"--csv", OPT_FLAG, &a.csv, NULL, "all differences as CSV"},
        {"--json", OPT_FLAG, &a.json, NULL, "the result as one JSON object"},
        {"--lang", OPT_TEXT, &a.lang, "zh|en", "language of the output (default zh)"},
        {"--scratch", OPT_TEXT, &a.scratch, "DIR", "working space (default: /tmp)"},
        {"--cache-mb", OPT_INT, &a.cache_mb, "MIB", "memory for values of each engine (default 256)"},
        {"--tz", OPT_INT, &a.tz_min, "MINUTES", "offset of the city from UTC (default 480)"},
        {"--quiet", OPT_FLAG, &a.quiet, NULL, "no progress"}};
    int got = opt_parse("replay --data DIR --from DAY --to DAY [--rules FILE] [--territory ID|CODE] [--csv|--json]",
                        opts, sizeof opts / sizeof opts[0], argc, argv, NULL, 0, NULL);
    if (got)
        return got == 1 ? 0 : 2;
    struct stat st;
    struct lt_error err;
    struct replay_config rc = {.dir = a.dir, .progress = progress, .user = &a};
    if (!a.dir || stat(a.dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return wrong("--data needs an existing directory");
    if (a.tz_min < -720 || a.tz_min > 840 || a.cache_mb < 16 || a.cache_mb > 1048576)
        return wrong("--tz wants -720 to 840, --cache-mb 16 to 1048576");
    if (!day_of(a.from, (int)a.tz_min, &rc.day_from) || !day_of(a.to, (int)a.tz_min, &rc.day_to) ||
        rc.day_to < rc.day_from)
        return wrong("--from and --to want YYYY-MM-DD, --from not behind --to");
    if (strcmp(a.lang, "zh") != 0 && strcmp(a.lang, "en") != 0)
        return wrong("--lang wants zh or en");
    a.language = strcmp(a.lang, "en") == 0 ? LT_EN : LT_ZH;
    with_huge_pages(argc, argv);
    char scratch[1100];
    snprintf(scratch, sizeof scratch, "%.1000s/lantian-replay-XXXXXX", a.scratch ? a.scratch : "/tmp");
    if (!mkdtemp(scratch))
        return wrong("--scratch cannot be written");
    rc.scratch = scratch;
    rc.tz_min = (int)a.tz_min;
    rc.cache_bytes = (size_t)a.cache_mb << 20;
    bool differs = false;
    enum lt_err e = run(&a, &rc, &differs, &err);
    rmdir(scratch); /* when the run did not come so far as to remove it */
    if (e != LT_OK)
        return tell_error("replay", &err);
    return fflush(stdout) != 0 ? 2 : differs;
}
