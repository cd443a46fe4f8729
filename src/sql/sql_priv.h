/* What the files of sql share. */
#ifndef LT_SQL_PRIV_H
#define LT_SQL_PRIV_H
#include "sql/sql.h"

#include <sqlite3.h>

enum lt_err sql_fail(sqlite3 *h, int rc, const char *place, struct lt_error *err);
sqlite3 *sql_handle(struct sql_db *db);
#endif
