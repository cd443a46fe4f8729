/* What the files of the SQLite backend share: the store, its month files, SQLite's calls. Used by series_file.c,
 * series_month.c and series_columns.c only. */
#ifndef LT_SERIES_FILE_H
#define LT_SERIES_FILE_H
#include "series/series_priv.h"

#include <sqlite3.h>
#include <sys/stat.h>

#define DIR_BYTES  960
#define PATH_BYTES (DIR_BYTES + 64) /* room for any name of ours */

struct series_month {
    struct series_month *next;
    int64_t month_ms;
    bool raw, in_batch;
    unsigned refs;
    uint64_t used;
    ino_t inode;
    sqlite3 *w, *r;
    sqlite3_stmt *put, *remove, *load, *scan, *fresh;
    pthread_mutex_t read;
};

struct series_store {
    char dir[DIR_BYTES];
    int tz_min;
    bool readonly;
    pthread_mutex_t lock; /* of the list of files and their refs */
    pthread_cond_t idle;
    struct series_month *files;
    unsigned n_files;
    uint64_t used;
    sqlite3 *columns;
    pthread_mutex_t columns_lock;
};

/* ---- SQLite (series_month.c) ---- */
extern const char series_pragmas[];
enum lt_err series_sql_fail(sqlite3 *db, int rc, const char *path, struct lt_error *err);
enum lt_err series_sql_open(const char *path, int flags, sqlite3 **ret, struct lt_error *err);
enum lt_err series_sql_run(sqlite3 *db, const char *sql, const char *path, struct lt_error *err);
enum lt_err series_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, const char *path,
                               struct lt_error *err);
enum lt_err series_sql_finish(sqlite3 *db, sqlite3_stmt *s, const char *path, struct lt_error *err);

/* ---- month files: opened when asked for, kept open up to a limit (series_month.c) ---- */
void series_month_path(const struct series_store *st, int64_t month_ms, bool raw, char ret[PATH_BYTES]);
enum lt_err series_month_acquire(struct series_store *st, int64_t month_ms, bool raw, bool create,
                                 struct series_month **ret, struct lt_error *err);
void series_month_release(struct series_store *st, struct series_month *f);
struct series_month **series_month_link(struct series_store *st, int64_t month_ms, bool raw);
void series_month_unlink(struct series_store *st, struct series_month **at);
enum lt_err series_month_open_reader(const struct series_store *st, struct series_month *f, struct lt_error *err);
enum lt_err series_month_open_writer(const struct series_store *st, struct series_month *f, struct lt_error *err);

/* ---- the dictionary of columns, DIR/series/columns.db (series_columns.c); backend functions ---- */
enum lt_err series_columns_read(void *b, uint32_t after,
                                void (*each)(void *user, uint32_t number, const struct series_column_entry *c),
                                void *user, struct lt_error *err);
enum lt_err series_columns_add(void *b, uint32_t first, uint32_t n, const struct series_column_entry *c,
                               struct lt_error *err);
#endif
