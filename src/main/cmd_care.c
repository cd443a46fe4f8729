/* lantian backup, restore, verify-journal, check-config, version, and which export is meant. */
#include "base/clock.h"
#include "base/text.h"
#include "journal/journal.h"
#include "main/cmd.h"
#include "main/config.h"
#include "main/opt.h"
#include "main/tell.h"
#include "sql/sql.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef LANTIAN_VERSION
#define LANTIAN_VERSION "0"
#endif

int cmd_version(int argc, char **argv)
{
    int r = opt_parse("version", NULL, 0, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    printf("lantian %s\n", LANTIAN_VERSION);
    return 0;
}

int cmd_export(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "frames") == 0)
        return cmd_export_frames(argc - 1, argv + 1);
    return cmd_export_kind(argc, argv);
}

int cmd_check_config(int argc, char **argv)
{
    const char *words[1] = {NULL};
    size_t n = 0;
    int r = opt_parse("check-config [FILE]      prints the settings in force; without FILE the defaults", NULL, 0, argc,
                      argv, words, 1, &n);
    if (r)
        return r == 1 ? 0 : 2;
    struct config c;
    struct lt_error err;
    config_defaults(&c);
    if (n && config_load(&c, words[0], &err) != LT_OK)
        return tell_error("check-config", &err);
    config_print(&c, stdout);
    return 0;
}

static bool show(void *user, int day, const struct journal_verified *sofar)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%d, %llu records", day, (unsigned long long)sofar->records);
    return true;
}

int cmd_verify_journal(int argc, char **argv)
{
    const char *dir = NULL;
    int64_t from = 0, to = 0;
    const struct opt opts[] = {{"--data", OPT_TEXT, &dir, "DIR", "data directory (required)"},
                               {"--from", OPT_INT, &from, "YYYYMMDD", "first day"},
                               {"--to", OPT_INT, &to, "YYYYMMDD", "last day"}};
    int r =
        opt_parse("verify-journal --data DIR [--from YYYYMMDD] [--to YYYYMMDD]", opts, 3, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    if (!opt_journal("verify-journal", dir))
        return 2;
    struct journal_verified v;
    struct lt_error err;
    enum lt_err e = journal_verify(dir, (int)from, (int)to, show, NULL, &v, &err);
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    if (e == LT_E_CORRUPT) {
        printf("damaged: batch of record %llu: %s\n", (unsigned long long)v.bad_first_seq, v.why);
        return 1;
    }
    if (e != LT_OK)
        return tell_error("verify-journal", &err);
    char hash[2 * sizeof v.last_hash + 1];
    lt_text_hex(v.last_hash, sizeof v.last_hash, hash);
    printf("ok: %llu records in %llu batches, last hash %s\n", (unsigned long long)v.records,
           (unsigned long long)v.batches, hash);
    return 0;
}

/* ---- backup ---- */

static enum lt_err copy_db(const char *from, const char *to, struct lt_error *err)
{
    struct sql_db *db = NULL;
    enum lt_err e = sql_open(from, false, &db, err);
    if (e == LT_OK)
        e = sql_backup(db, to, err);
    sql_close(&db);
    return e;
}

static enum lt_err copy_plain(const char *from, const char *to, struct lt_error *err)
{
    char block[65536];
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
    bool ok = in && out;
    size_t n;
    while (ok && (n = fread(block, 1, sizeof block, in)) > 0)
        ok = fwrite(block, 1, n, out) == n;
    ok = ok && !ferror(in) && fflush(out) == 0 && fsync(fileno(out)) == 0;
    enum lt_err e = ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, in ? to : from, strerror(errno), NULL);
    if (in)
        fclose(in);
    if (out && fclose(out) != 0 && e == LT_OK)
        e = lt_fail(err, LT_E_IO, NULL, to, strerror(errno), NULL);
    return e;
}

static bool ends_with(const char *z, const char *end)
{
    size_t a = strlen(z), b = strlen(end);
    return a >= b && strcmp(z + a - b, end) == 0;
}

/* Every database (online copy) or plain file (bytes) of a directory; journals and locks have their own ways. */
static enum lt_err copy_dir(const char *from, const char *to, struct lt_error *err)
{
    DIR *d = opendir(from);
    if (!d)
        return errno == ENOENT ? LT_OK : lt_fail(err, LT_E_IO, NULL, from, strerror(errno), NULL);
    enum lt_err e =
        mkdir(to, 0750) == 0 || errno == EEXIST ? LT_OK : lt_fail(err, LT_E_IO, NULL, to, strerror(errno), NULL);
    struct dirent *entry;
    while (e == LT_OK && (entry = readdir(d))) {
        char a[1024], b[1024];
        struct stat st;
        snprintf(a, sizeof a, "%.760s/%s", from, entry->d_name);
        snprintf(b, sizeof b, "%.760s/%s", to, entry->d_name);
        if (entry->d_name[0] == '.' || stat(a, &st) != 0 || !S_ISREG(st.st_mode) ||
            strcmp(entry->d_name, "lock") == 0 || ends_with(a, "-wal") || ends_with(a, "-shm"))
            continue;
        e = ends_with(a, ".db") ? copy_db(a, b, err) : copy_plain(a, b, err);
    }
    closedir(d);
    return e;
}

/* Keys, day statements, packages: files that are written once. What the copy has already (same length) is left alone.
 */
static enum lt_err copy_tree(const char *from, const char *to, int depth, struct lt_error *err)
{
    DIR *d = opendir(from);
    if (!d)
        return errno == ENOENT ? LT_OK : lt_fail(err, LT_E_IO, NULL, from, strerror(errno), NULL);
    enum lt_err e =
        mkdir(to, 0700) == 0 || errno == EEXIST ? LT_OK : lt_fail(err, LT_E_IO, NULL, to, strerror(errno), NULL);
    struct dirent *entry;
    while (e == LT_OK && (entry = readdir(d))) {
        char a[1024], b[1024];
        struct stat st, old;
        snprintf(a, sizeof a, "%.760s/%s", from, entry->d_name);
        snprintf(b, sizeof b, "%.760s/%s", to, entry->d_name);
        if (entry->d_name[0] == '.' || ends_with(a, ".part") || stat(a, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth > 0) {
            e = copy_tree(a, b, depth - 1, err);
        } else if (S_ISREG(st.st_mode) && (stat(b, &old) != 0 || old.st_size != st.st_size)) {
            e = copy_plain(a, b, err);
            if (e == LT_OK && chmod(b, st.st_mode & 0777) != 0) /* a secret key stays one */
                e = lt_fail(err, LT_E_IO, NULL, b, strerror(errno), NULL);
        }
    }
    closedir(d);
    return e;
}

static enum lt_err copy_post(const char *from, const char *to, struct lt_error *err)
{
    enum how { FILES, DATABASES, DATABASE };
    static const struct {
        const char *name;
        enum how how;
    } parts[] = {
        {"keys", FILES},    {"proof", FILES}, {"", DATABASES}, {"series", DATABASES}, {"series/columns.db", DATABASE},
        {"evidence", FILES}};
    char a[1024], b[1024];
    /* The order matters. Each part speaks only of what is copied after it: statements of rows of state.db, chunks of
     * columns (copied once more: a month copied after them may hold new ones), rows of packages, cursors of the
     * journal. The other way round a day sealed meanwhile would cover rows the copy lacks. */
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(a, sizeof a, "%.1000s/%s", from, parts[i].name);
        snprintf(b, sizeof b, "%.1000s/%s", to, parts[i].name);
        if (parts[i].how == FILES)
            e = copy_tree(a, b, 2, err);
        else if (parts[i].how == DATABASES)
            e = copy_dir(a, b, err);
        else if (access(a, F_OK) == 0)
            e = copy_db(a, b, err);
    }
    return e == LT_OK ? journal_backup(from, to, err) : e;
}

int cmd_backup(int argc, char **argv)
{
    const char *dir = NULL, *to = NULL;
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &dir, "DIR", "data directory (required)"},
        {"--to", OPT_TEXT, &to, "DIR", "where the copy goes; run again, only what is new is copied of the journal"}};
    int r = opt_parse("backup --data DIR --to DIR      also while the post runs", opts, 2, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    if (!dir || !to || access(dir, R_OK) != 0) {
        fprintf(stderr, "lantian backup: --data DIR (that exists) and --to DIR are needed\n");
        return 2;
    }
    struct lt_error err;
    int64_t start = lt_mono_ms();
    if (mkdir(to, 0750) != 0 && errno != EEXIST) {
        lt_fail(&err, LT_E_IO, NULL, to, strerror(errno), NULL);
        return tell_error("backup", &err);
    }
    if (copy_post(dir, to, &err) != LT_OK)
        return tell_error("backup", &err);
    char stamp[1024], when[40], text[64];
    int64_t now = lt_wall_ms();
    lt_time_format_iso(now, LT_TZ_CHINA, when);
    snprintf(stamp, sizeof stamp, "%s/backup.txt", to);
    FILE *f = fopen(stamp, "w");
    snprintf(text, sizeof text, "%s\n", when);
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
        lt_fail(&err, LT_E_IO, NULL, stamp, strerror(errno), NULL);
        return tell_error("backup", &err);
    }
    snprintf(stamp, sizeof stamp, "%s/last_backup", dir); /* its time is shown on the page of the system's health */
    f = fopen(stamp, "w");
    if (!f || fclose(f) != 0)
        fprintf(stderr, "lantian backup: the copy is whole, but %s cannot be written\n", stamp);
    printf("backup of %s in %s, %.1f s\n", dir, to, (double)(lt_mono_ms() - start) / 1000);
    return 0;
}

int cmd_restore(int argc, char **argv)
{
    const char *from = NULL, *dir = NULL;
    const struct opt opts[] = {
        {"--from", OPT_TEXT, &from, "DIR", "a backup (required)"},
        {"--data", OPT_TEXT, &dir, "DIR", "data directory to make (required; must not hold a post)"}};
    int r = opt_parse("restore --from BACKUP --data DIR", opts, 2, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    char path[1024];
    struct lt_error err;
    if (!from || !dir) {
        fprintf(stderr, "lantian restore: --from DIR and --data DIR are needed\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/state.db", dir);
    if (access(path, F_OK) == 0) {
        lt_fail(&err, LT_E_DUPLICATE, NULL, path, "", NULL);
        return tell_error("restore", &err);
    }
    snprintf(path, sizeof path, "%s/backup.txt", from);
    if (access(path, R_OK) != 0) {
        lt_fail(&err, LT_E_NOT_FOUND, NULL, "backup", from, NULL);
        return tell_error("restore", &err);
    }
    struct journal_verified v;
    enum lt_err e = journal_verify(from, 0, 0, show, NULL, &v, &err);
    if (e == LT_OK && mkdir(dir, 0750) != 0 && errno != EEXIST)
        e = lt_fail(&err, LT_E_IO, NULL, dir, strerror(errno), NULL);
    if (e == LT_OK)
        e = copy_post(from, dir, &err);
    if (e != LT_OK)
        return tell_error("restore", &err);
    printf("restored %s from %s: %llu journal records, chain verified\n", dir, from, (unsigned long long)v.records);
    return 0;
}
