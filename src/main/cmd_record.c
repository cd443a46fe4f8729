/* lantian import KIND FILE, lantian export KIND FILE: records from and to CSV and XLSX, in the name of the command
 * line. */
#include "base/clock.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"
#include "main/whole_file.h"
#include "record/audit.h"
#include "record/record.h"
#include "replay/replay_job.h"
#include "sheet/sheet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
    const char *command, *data, *format_text, *lang_text, *override;
    int64_t tz_min, replay;
    bool dry_run, json;
    const struct record_kind *kind;
    const char *file;
    struct sql_db *db;
    struct auth_ctx who;
    struct record_ctx x;
};

static int complain(const struct job *j, const char *what, const char *which)
{
    fprintf(stderr, "lantian %s: %s %s\n", j->command, what, which);
    return 2;
}

static int list_kinds(const struct job *j, const char *given)
{
    fprintf(stderr, "lantian %s: unknown kind %s; kinds are", j->command, given);
    for (size_t i = 0; i < record_kind_count(); i++)
        fprintf(stderr, "%s %s", i ? "," : "", record_kind_at(i)->name);
    fputc('\n', stderr);
    return 2;
}

/* 0 go on; else the exit status. */
static int begin(struct job *j, const struct opt *opts, size_t n_opts, const char *synopsis, int argc, char **argv)
{
    const char *words[2] = {NULL, "-"};
    size_t n = 0;
    char path[4096];
    struct lt_error err;
    int r = opt_parse(synopsis, opts, n_opts, argc, argv, words, 2, &n);
    if (r)
        return r == 1 ? -1 : 2;
    if (n == 0 || !j->data)
        return complain(j, "wrong use:", synopsis);
    j->kind = record_kind_find(lt_slice_of(words[0]));
    j->file = words[1];
    if (!j->kind)
        return list_kinds(j, words[0]);
    if (j->format_text && strcmp(j->format_text, "csv") != 0 && strcmp(j->format_text, "xlsx") != 0)
        return complain(j, "--format is csv or xlsx, not", j->format_text);
    if (j->lang_text && strcmp(j->lang_text, "zh") != 0 && strcmp(j->lang_text, "en") != 0)
        return complain(j, "--lang is zh or en, not", j->lang_text);
    if (!opt_tz(j->command, j->tz_min))
        return 2;
    if ((size_t)snprintf(path, sizeof path, "%s/state.db", j->data) >= sizeof path)
        return complain(j, "path too long:", j->data);
    if (strcmp(j->command, "export") == 0 && access(path, R_OK) != 0) /* else opening would make an empty one */
        return complain(j, "no post in", j->data);
    if (sql_open(path, false, &j->db, &err) != LT_OK || record_setup(j->db, &err) != LT_OK)
        return tell_error(j->command, &err);
    j->who = auth_system("command line");
    j->who.lang = j->lang_text && strcmp(j->lang_text, "en") == 0 ? LT_EN : LT_ZH;
    j->x = (struct record_ctx){.db = j->db, .who = &j->who, .now_ms = lt_wall_ms(), .tz_min = (int)j->tz_min};
    return 0;
}

static int end(struct job *j, int status)
{
    sql_close(&j->db);
    return status < 0 ? 0 : status;
}

static bool wants_xlsx(const struct job *j)
{
    size_t n = strlen(j->file);
    if (j->format_text)
        return strcmp(j->format_text, "xlsx") == 0;
    return n > 5 && strcmp(j->file + n - 5, ".xlsx") == 0;
}

/* ---- import ---- */

static void print_report(const struct job *j, struct lt_slice json, const struct record_import *sum)
{
    json_t *o = NULL;
    if (j->json) {
        printf("%.*s\n", (int)json.n, json.p);
        return;
    }
    if (jsonr_object(json, JSONR_SIZE_MAX, &o, NULL) == LT_OK) {
        const json_t *list = json_object_get(o, "errors");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *e = json_array_get(list, i);
            fprintf(stderr, "row %lld, %s: %s\n", (long long)json_integer_value(json_object_get(e, "row")),
                    json_string_value(json_object_get(e, "column")), json_string_value(json_object_get(e, "message")));
        }
        json_decref(o);
    }
    printf("%u rows, %u new, %u changed, %u errors%s\n", sum->rows, sum->created, sum->updated, sum->errors,
           j->dry_run    ? " (dry run, nothing written)"
           : sum->errors ? "; nothing was written"
                         : "");
    if (j->kind->config && !j->dry_run && sum->errors == 0 && sum->created + sum->updated > 0)
        fprintf(stderr,
                "lantian import: a post that is running takes these over at its next change of settings or restart\n");
}

/* Why the replay was left out stays in the audit trail, with the rules it let in. */
static enum lt_err note_override(const struct job *j, struct lt_error *err)
{
    struct lt_buf detail = LT_BUF_INIT(8192);
    struct jsonw w;
    jsonw_init(&w, &detail);
    jsonw_object(&w);
    jsonw_kstr(&w, "reason", j->override);
    jsonw_kstr(&w, "file", j->file);
    jsonw_object_end(&w);
    const struct audit_entry a = {
        .who = &j->who, .at_ms = j->x.now_ms, .action = "override", .kind = "rule", .detail = lt_buf_slice(&detail)};
    enum lt_err e = jsonw_ok(&w) ? audit_add(j->db, &a, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    lt_buf_fini(&detail);
    return e;
}

/* The command line is no way around the replay that a change of rules needs. */
static enum lt_err rules_through_gate(const struct job *j, const struct replay_rules *before, struct lt_error *err)
{
    struct replay_change *change = calloc(1, sizeof *change);
    struct replay_rules after;
    enum lt_err e = change ? replay_rules_now(j->db, &after, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK)
        replay_rules_change(before, &after, change);
    if (e == LT_OK && change->n && j->override)
        e = note_override(j, err);
    else if (e == LT_OK)
        e = replay_gate(&j->x, j->data, j->replay, before, change, err);
    if (e == LT_OK && change->n && j->replay)
        e = replay_applied(&j->x, j->replay, err);
    free(change);
    return e;
}

static enum lt_err take_in(struct job *j, struct lt_slice file, struct jsonw *w, struct record_import *sum,
                           struct lt_error *err)
{
    bool xlsx = j->format_text ? wants_xlsx(j) : sheet_is_xlsx(file), gated = strcmp(j->kind->name, "rule") == 0;
    struct replay_rules *before = gated ? calloc(1, sizeof *before) : NULL;
    enum lt_err e = !gated ? LT_OK : !before ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : sql_begin(j->db, err);
    bool begun = gated && e == LT_OK;
    if (begun)
        e = replay_rules_now(j->db, before, err);
    if (e == LT_OK)
        e = record_import(&j->x, j->kind, file, xlsx ? RECORD_XLSX : RECORD_CSV, j->dry_run, w, sum, err);
    if (begun && e == LT_OK && !j->dry_run && sum->errors == 0)
        e = rules_through_gate(j, before, err);
    if (begun)
        e = sql_end(j->db, e, err);
    free(before);
    return e;
}

int cmd_import(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "air") == 0) /* hourly values are no records */
        return cmd_import_air(argc, argv);
    struct job j = {.command = "import", .tz_min = LT_TZ_CHINA};
    const struct opt opts[] = {{"--data", OPT_TEXT, &j.data, "DIR", "data directory (required)"},
                               {"--format", OPT_TEXT, &j.format_text, "csv|xlsx", "default: by what the file is"},
                               {"--dry-run", OPT_FLAG, &j.dry_run, NULL, "check only"},
                               {"--lang", OPT_TEXT, &j.lang_text, "zh|en", "language of messages (default zh)"},
                               {"--tz", OPT_INT, &j.tz_min, "MINUTES", "offset of the city from UTC (default 480)"},
                               {"--json", OPT_FLAG, &j.json, NULL, "report as JSON"},
                               {"--replay", OPT_INT, &j.replay, "ID", "of rules: the finished replay of this change"},
                               {"--override", OPT_TEXT, &j.override, "REASON",
                                "of rules: without a replay; the reason stays in the audit trail"}};
    struct lt_buf file = LT_BUF_INIT(SHEET_FILE_MAX), report = LT_BUF_INIT(4u << 20);
    struct record_import sum = {0};
    struct lt_error err;
    int r = begin(&j, opts, sizeof opts / sizeof opts[0], "import KIND [FILE] --data DIR [--dry-run]", argc, argv);
    if (r)
        return end(&j, r);
    if (j.override && !j.override[strspn(j.override, " ")])
        return end(&j, complain(&j, "--override wants", "a reason"));
    struct jsonw w;
    jsonw_init(&w, &report);
    enum lt_err e = whole_file(j.file, "20 MB", &file, &err);
    if (e == LT_OK)
        e = take_in(&j, lt_buf_slice(&file), &w, &sum, &err);
    if (e == LT_OK)
        print_report(&j, lt_buf_slice(&report), &sum);
    r = e != LT_OK ? tell_error("import", &err) : sum.errors ? 2 : 0;
    if (e == LT_E_REPLAY_NEEDED)
        fprintf(stderr, "lantian import: here the replay is named by --replay ID; without one, --override REASON\n");
    lt_buf_fini(&file);
    lt_buf_fini(&report);
    return end(&j, r);
}

/* ---- export ---- */

static enum lt_err write_all(const char *file, struct lt_slice s, struct lt_error *err)
{
    FILE *f = strcmp(file, "-") == 0 ? stdout : fopen(file, "wb");
    if (!f)
        return lt_fail(err, LT_E_IO, NULL, file, strerror(errno), NULL);
    bool ok = fwrite(s.p, 1, s.n, f) == s.n;
    ok = (f == stdout ? fflush(f) : fclose(f)) == 0 && ok;
    return ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, file, strerror(errno), NULL);
}

int cmd_export_kind(int argc, char **argv)
{
    struct job j = {.command = "export", .tz_min = LT_TZ_CHINA};
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &j.data, "DIR", "data directory (required)"},
        {"--format", OPT_TEXT, &j.format_text, "csv|xlsx", "default: by the name of the file, else csv"},
        {"--lang", OPT_TEXT, &j.lang_text, "zh|en", "language of titles (default zh)"},
        {"--tz", OPT_INT, &j.tz_min, "MINUTES", "offset of the city from UTC (default 480)"}};
    struct lt_buf out = LT_BUF_INIT(64u << 20);
    struct record_query q = {0};
    struct lt_error err;
    int r =
        begin(&j, opts, sizeof opts / sizeof opts[0], "export KIND [FILE] --data DIR [--format csv|xlsx]", argc, argv);
    if (r)
        return end(&j, r);
    enum lt_err e = record_export(&j.x, j.kind, &q, wants_xlsx(&j) ? RECORD_XLSX : RECORD_CSV, &out, &err);
    if (e == LT_OK)
        e = write_all(j.file, lt_buf_slice(&out), &err);
    lt_buf_fini(&out);
    return end(&j, e == LT_OK ? 0 : tell_error("export", &err));
}
