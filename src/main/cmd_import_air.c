/* lantian import air FILE: hourly values into a data directory, whether its post runs or not. */
#include "air/air_import.h"
#include "base/clock.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"
#include "record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
    const char *data, *co, *label, *create, *accept, *remember, *format, *lang, *station;
    int64_t tz_min, file_tz;
    bool dry_run, json, skip_unknown;
};

static int wrong(const char *what, const char *which)
{
    fprintf(stderr, "lantian import air: %s %s\n", what, which);
    return 2;
}

/* "a" gives 0, "b" 1, nothing leaves -1; false when it is neither. */
static bool choose(const char *given, const char *a, const char *b, int *ret)
{
    if (given && strcmp(given, a) != 0 && strcmp(given, b) != 0)
        return false;
    *ret = !given ? -1 : strcmp(given, b) == 0;
    return true;
}

static enum lt_err by_code(struct sql_db *db, const char *kind, const char *text, const char *code, int64_t *ret,
                           struct lt_error *err)
{
    struct sql_stmt *st;
    bool row;
    if (!code)
        return LT_OK;
    enum lt_err e = sql_prepare(db, text, &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_str(st, 1, code);
    e = sql_step(st, &row, err);
    if (e == LT_OK && row)
        *ret = sql_col_i64(st, 0);
    sql_release(&st);
    return e == LT_OK && *ret == 0 ? lt_fail(err, LT_E_NOT_FOUND, NULL, kind, code, NULL) : e;
}

/* The whole file, mapped: ten years of a city are larger than what one wants to copy. */
static enum lt_err map_file(const char *path, struct lt_slice *ret, struct lt_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum lt_err e = LT_OK;
    *ret = LT_LIT("");
    if (fd < 0 || fstat(fd, &st) != 0) {
        e = lt_fail(err, LT_E_IO, "file", path, strerror(errno), NULL);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            e = lt_fail(err, LT_E_IO, "file", path, strerror(errno), NULL);
        else
            *ret = (struct lt_slice){p, (size_t)st.st_size};
    }
    if (fd >= 0)
        close(fd);
    return e;
}

static int print(const struct job *j, const struct air_import_report *r)
{
    struct lt_buf out = LT_BUF_INIT(8u << 20);
    enum lt_lang lang = j->lang && strcmp(j->lang, "zh") == 0 ? LT_ZH : LT_EN;
    if (j->json) {
        struct jsonw w;
        jsonw_init(&w, &out);
        air_import_report_json(r, lang, (int)j->tz_min, &w);
        lt_buf_addc(&out, '\n');
    } else {
        air_import_report_text(r, lang, &out);
    }
    fwrite(out.p, 1, out.n, stdout);
    lt_buf_fini(&out);
    return air_import_refused(r) ? 2 : 0;
}

static int run(const struct job *j, const char *file, struct air_import_options *o, struct sql_db *db)
{
    struct auth_ctx who = auth_system("command line");
    struct record_ctx x = {.db = db, .who = &who, .now_ms = lt_wall_ms(), .tz_min = (int)j->tz_min};
    struct air_import_report *r = NULL;
    struct lt_slice bytes = LT_LIT("");
    struct lt_error err;
    enum lt_err e = record_setup(db, &err);
    if (e == LT_OK)
        e = air_setup(db, &err);
    if (e == LT_OK)
        e = by_code(db, "territory", "SELECT id FROM territory WHERE code = ?1 AND deleted = 0", j->create,
                    &o->create_in, &err);
    if (e == LT_OK)
        e = by_code(db, "station", "SELECT id FROM station WHERE code = ?1 AND deleted = 0", j->station, &o->station,
                    &err);
    if (e == LT_OK)
        e = map_file(file, &bytes, &err);
    if (e == LT_OK)
        e = air_import(&x, bytes, o, &r, &err);
    int status = e == LT_OK ? print(j, r) : tell_error("import air", &err);
    air_import_report_free(&r);
    if (bytes.n)
        munmap((void *)(uintptr_t)bytes.p, bytes.n);
    return status;
}

int cmd_import_air(int argc, char **argv)
{
    struct job j = {.tz_min = LT_TZ_CHINA, .file_tz = INT_MIN};
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &j.data, "DIR", "data directory of a post, running or not"},
        {"--co-unit", OPT_TEXT, &j.co, "mg|ug", "unit of CO in the file (default: its title, else mg/m3)"},
        {"--hour-label", OPT_TEXT, &j.label, "start|end", "what a time names (default end, as the national platform)"},
        {"--dry-run", OPT_FLAG, &j.dry_run, NULL, "only tell what would happen"},
        {"--create-stations", OPT_TEXT, &j.create, "CODE", "make unknown stations in the territory of that code"},
        {"--skip-unknown", OPT_FLAG, &j.skip_unknown, NULL, "leave rows of unknown stations out"},
        {"--station", OPT_TEXT, &j.station, "CODE", "station of a file without a station column"},
        {"--accept", OPT_TEXT, &j.accept, "CODES", "findings taken knowingly, by code; or all"},
        {"--remember", OPT_TEXT, &j.remember, "NAME", "keep the meaning of the columns under this name"},
        {"--format", OPT_TEXT, &j.format, "csv|xlsx|json|xml", "default: by content"},
        {"--file-tz", OPT_INT, &j.file_tz, "MIN", "offset of times in the file from UTC (default: that of the post)"},
        {"--tz", OPT_INT, &j.tz_min, "MIN", "offset of the post from UTC (default 480)"},
        {"--json", OPT_FLAG, &j.json, NULL, "the report as JSON"},
        {"--lang", OPT_TEXT, &j.lang, "zh|en", "language of the report (default en)"},
    };
    const char *synopsis =
        "import air FILE --data DIR [--co-unit mg|ug] [--hour-label start|end] [--dry-run] [--create-stations CODE]";
    const char *words[2] = {NULL, NULL};
    struct air_import_options o = {.tz_min = INT_MIN};
    struct sql_db *db = NULL;
    struct lt_error err;
    char path[4096];
    size_t n = 0;
    int r = opt_parse(synopsis, opts, sizeof opts / sizeof opts[0], argc, argv, words, 2, &n);
    if (r)
        return r == 1 ? 0 : 2;
    if (n != 2 || !j.data)
        return wrong("usage: lantian", synopsis);
    if (!choose(j.co, "mg", "ug", &o.co_ug))
        return wrong("--co-unit is mg or ug, not", j.co);
    if (!choose(j.label, "start", "end", &o.label_end))
        return wrong("--hour-label is start or end, not", j.label);
    if (j.format && !air_format_find(lt_slice_of(j.format), &o.format))
        return wrong("--format is csv, xlsx, json or xml, not", j.format);
    if (j.lang && strcmp(j.lang, "zh") != 0 && strcmp(j.lang, "en") != 0)
        return wrong("--lang is zh or en, not", j.lang);
    if (!opt_tz("import air", j.tz_min) || (j.file_tz != INT_MIN && !opt_tz("import air", j.file_tz)))
        return 2;
    if ((size_t)snprintf(path, sizeof path, "%s/state.db", j.data) >= sizeof path || access(path, F_OK) != 0)
        return wrong("no post in", j.data);
    o.dry_run = j.dry_run;
    o.skip_unknown = j.skip_unknown;
    o.accept = j.accept;
    o.remember = j.remember;
    o.tz_min = (int)j.file_tz;
    const char *slash = strrchr(words[1], '/');
    o.name = slash ? slash + 1 : words[1];
    if (sql_open(path, false, &db, &err) != LT_OK)
        return tell_error("import air", &err);
    r = run(&j, words[1], &o, db);
    sql_close(&db);
    return r;
}
