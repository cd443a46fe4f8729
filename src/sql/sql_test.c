/* Tests of sql on real files: errors, cache, nested scopes, two writers, migrations, backup. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sql/sql.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64], path[96];

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/sql_test.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/a.db", dir);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"a.db", "a.db-wal", "a.db-shm", "b.db", "b.db.part"};
    char p[160];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(p, sizeof p, "%s/%s", dir, names[i]);
        unlink(p);
    }
    return rmdir(dir);
}

static struct sql_db *open_db(void)
{
    struct sql_db *db = NULL;
    struct lt_error err = {0};
    assert_int_equal(sql_open(path, false, &db, &err), LT_OK);
    return db;
}

static int64_t count(struct sql_db *db)
{
    int64_t n = -1;
    assert_int_equal(sql_get_i64(db, "SELECT count(*) FROM t", NULL, &n, NULL), LT_OK);
    return n;
}

static enum lt_err add(struct sql_db *db, int64_t a, const char *b, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(db, "INSERT INTO t(a, b) VALUES (?1, ?2)", &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, a);
    sql_bind_str(st, 2, b);
    return sql_run(st, err);
}

static void values_and_pragmas(void **state)
{
    struct sql_db *db = open_db();
    struct lt_error err = {0};
    int64_t v = 0;
    assert_int_equal(sql_get_i64(db, "PRAGMA synchronous", NULL, &v, &err), LT_OK);
    assert_int_equal(v, 2);
    assert_int_equal(sql_get_i64(db, "PRAGMA foreign_keys", NULL, &v, &err), LT_OK);
    assert_int_equal(v, 1);
    assert_int_equal(sql_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c BLOB)", &err), LT_OK);
    struct sql_stmt *st = NULL;
    assert_int_equal(sql_prepare(db, "INSERT INTO t VALUES (?1, ?2, ?3)", &st, &err), LT_OK);
    sql_bind_i64(st, 1, INT64_MIN);
    sql_bind_text(st, 2, (struct lt_slice){"x'; DROP TABLE t;--\0z", 21});
    sql_bind_blob(st, 3, "\0\1\2", 3);
    assert_int_equal(sql_run(st, &err), LT_OK);
    assert_int_equal(sql_prepare(db, "SELECT a, b, c, NULL FROM t", &st, &err), LT_OK);
    bool row = false;
    assert_int_equal(sql_step(st, &row, &err), LT_OK);
    assert_true(row);
    assert_true(sql_col_i64(st, 0) == INT64_MIN);
    assert_int_equal(sql_col_text(st, 1).n, 21);
    assert_int_equal(sql_col_blob(st, 2).n, 3);
    assert_true(sql_col_null(st, 3));
    sql_release(&st);
    /* a wrong position is reported by the next step, not lost */
    assert_int_equal(sql_prepare(db, "SELECT ?1", &st, &err), LT_OK);
    sql_bind_i64(st, 2, 1);
    assert_int_equal(sql_step(st, &row, &err), LT_E_INTERNAL);
    sql_release(&st);
    sql_close(&db);
    assert_null(db);
}

static void statements_of_one_row(void **state)
{
    struct sql_db *db = open_db();
    struct sql_stmt *st = (struct sql_stmt *)(uintptr_t)1; /* given a value whatever happens */
    struct lt_error err = {0};
    bool row = false;
    assert_int_equal(sql_exec(db, "CREATE TABLE t(a INTEGER, b TEXT, c BLOB, d TEXT)", &err), LT_OK);
    assert_int_equal(sql_do(db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4)",
                            SQL_VALUES(SQL_I(-7), SQL_S(LT_LIT("x\0y")), SQL_B("\1\0", 2), SQL_Z(NULL)), &err),
                     LT_OK);
    assert_int_equal(sql_row(db, "SELECT * FROM t WHERE a = ?1", SQL_VALUES(SQL_I(-7)), &st, &row, &err), LT_OK);
    assert_true(row && lt_slice_eq(sql_col_text(st, 1), LT_LIT("x\0y")) && sql_col_blob(st, 2).n == 2 &&
                sql_col_null(st, 3));
    sql_release(&st);
    assert_int_equal(sql_row(db, "SELECT * FROM t WHERE a = ?1", SQL_VALUES(SQL_I(8)), &st, &row, &err), LT_OK);
    assert_false(row);
    sql_release(&st);
    st = (struct sql_stmt *)(uintptr_t)1;
    row = true;
    assert_int_not_equal(sql_row(db, "SELECT * FROM nothing WHERE a = ?1", SQL_VALUES(SQL_I(8)), &st, &row, &err),
                         LT_OK);
    assert_false(row);
    sql_release(&st); /* nothing to release, and no harm */
    assert_int_not_equal(sql_do(db, "INSERT INTO t VALUES (?1)", SQL_VALUES(SQL_I(1), SQL_I(2)), &err), LT_OK);
    sql_close(&db);
}

static void errors_are_mapped(void **state)
{
    struct sql_db *db = open_db(), *none = NULL;
    struct lt_error err = {0};
    assert_int_equal(sql_exec(db,
                              "CREATE TABLE p(id INTEGER PRIMARY KEY);"
                              "CREATE TABLE t(a INTEGER REFERENCES p(id), b TEXT UNIQUE)",
                              &err),
                     LT_OK);
    assert_int_equal(add(db, 7, "x", &err), LT_E_IN_USE); /* foreign key */
    assert_int_equal(sql_exec(db, "INSERT INTO p VALUES (7)", &err), LT_OK);
    assert_int_equal(add(db, 7, "x", &err), LT_OK);
    assert_int_equal(add(db, 7, "x", &err), LT_E_DUPLICATE);
    assert_non_null(strstr(err.arg[0], "t.b"));
    assert_int_equal(sql_exec(db, "SELECT nonsense FROM t", &err), LT_E_INTERNAL);
    assert_non_null(strstr(err.arg[0], "nonsense"));
    assert_int_equal(sql_open("/nonexistent/dir/x.db", true, &none, &err), LT_E_IO);
    assert_null(none);
    int64_t v = 0;
    assert_int_equal(sql_get_i64(db, "SELECT a FROM t WHERE a = ?1", &(int64_t){99}, &v, &err), LT_E_NOT_FOUND);
    sql_close(&db);
    /* not a database */
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    char junk[4096];
    memset(junk, 'j', sizeof junk);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    assert_int_equal(sql_open(path, false, &none, &err), LT_E_CORRUPT);
}

static void same_text_twice_and_eviction(void **state)
{
    struct sql_db *db = open_db();
    struct lt_error err = {0};
    struct sql_stmt *a = NULL, *b = NULL, *again = NULL;
    assert_int_equal(sql_prepare(db, "SELECT 1 UNION SELECT 2", &a, &err), LT_OK);
    assert_int_equal(sql_prepare(db, "SELECT 1 UNION SELECT 2", &b, &err), LT_OK);
    assert_ptr_not_equal(a, b);
    bool row = false;
    assert_int_equal(sql_step(a, &row, &err), LT_OK);
    assert_int_equal(sql_step(b, &row, &err), LT_OK);
    assert_int_equal(sql_col_i64(a, 0), 1);
    struct sql_stmt *was = a;
    sql_release(&a);
    assert_int_equal(sql_prepare(db, "SELECT 1 UNION SELECT 2", &again, &err), LT_OK);
    assert_ptr_equal(again, was);
    sql_release(&again);
    for (int i = 0; i < 600; i++) { /* more texts than the cache holds; b stays in use */
        char text[64];
        snprintf(text, sizeof text, "SELECT %d", i);
        int64_t v = -1;
        assert_int_equal(sql_get_i64(db, text, NULL, &v, &err), LT_OK);
        assert_int_equal(v, i);
    }
    assert_int_equal(sql_step(b, &row, &err), LT_OK);
    assert_int_equal(sql_col_i64(b, 0), 2);
    sql_release(&b);
    sql_close(&db);
}

static void scopes_nest(void **state)
{
    struct sql_db *db = open_db();
    struct lt_error err = {0};
    assert_int_equal(sql_exec(db, "CREATE TABLE t(a INTEGER, b TEXT UNIQUE)", &err), LT_OK);
    assert_int_equal(sql_begin(db, &err), LT_OK);
    assert_int_equal(add(db, 1, "a", &err), LT_OK);
    assert_int_equal(sql_begin(db, &err), LT_OK);
    assert_int_equal(add(db, 2, "b", &err), LT_OK);
    assert_int_equal(sql_end(db, add(db, 3, "a", &err), &err), LT_E_DUPLICATE); /* inner scope undone */
    assert_int_equal(sql_begin(db, &err), LT_OK);
    assert_int_equal(add(db, 4, "d", &err), LT_OK);
    assert_int_equal(sql_end(db, LT_OK, &err), LT_OK);
    assert_int_equal(sql_commit(db, &err), LT_OK);
    assert_int_equal(count(db), 2);
    for (int i = 0; i < 8; i++)
        assert_int_equal(sql_begin(db, &err), LT_OK);
    assert_int_equal(sql_begin(db, &err), LT_E_INTERNAL);
    assert_int_equal(add(db, 5, "e", &err), LT_OK);
    for (int i = 0; i < 7; i++)
        assert_int_equal(sql_commit(db, &err), LT_OK);
    sql_rollback(db);
    assert_int_equal(count(db), 2);
    assert_int_equal(sql_depth(db), 0);
    sql_close(&db);
}

static void *writer(void *arg)
{
    struct sql_db *db = NULL;
    struct lt_error err = {0};
    if (sql_open(path, false, &db, &err) != LT_OK)
        return arg;
    for (int i = 0; i < 100; i++) {
        if (sql_begin(db, &err) != LT_OK)
            break;
        int64_t v = 0;
        enum lt_err e = sql_get_i64(db, "SELECT a FROM t", NULL, &v, &err);
        struct sql_stmt *st = NULL;
        if (e == LT_OK)
            e = sql_prepare(db, "UPDATE t SET a = ?1", &st, &err);
        if (e == LT_OK) {
            sql_bind_i64(st, 1, v + 1);
            e = sql_run(st, &err);
        }
        if (sql_end(db, e, &err) != LT_OK)
            break;
    }
    sql_close(&db);
    return NULL;
}

static void two_writers_lose_nothing(void **state)
{
    struct sql_db *db = open_db();
    struct lt_error err = {0};
    assert_int_equal(sql_exec(db, "CREATE TABLE t(a INTEGER, b TEXT); INSERT INTO t VALUES (0, '')", &err), LT_OK);
    pthread_t a, b;
    assert_int_equal(pthread_create(&a, NULL, writer, NULL), 0);
    assert_int_equal(pthread_create(&b, NULL, writer, NULL), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    int64_t v = 0;
    assert_int_equal(sql_get_i64(db, "SELECT a FROM t", NULL, &v, &err), LT_OK);
    assert_int_equal(v, 200);
    sql_close(&db);
}

static void migrations_run_once(void **state)
{
    static const struct sql_migration steps[] = {
        {1, "CREATE TABLE t(a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x')"},
        {2, "ALTER TABLE t ADD COLUMN c TEXT; INSERT INTO t VALUES (2, 'y', 'z')"},
        {3, "INSERT INTO t VALUES (3, 'y', 'z'); INSERT INTO missing VALUES (1)"},
    };
    struct sql_db *db = open_db();
    struct lt_error err = {0};
    assert_int_equal(sql_migrate(db, "u", steps, 1, &err), LT_OK);
    assert_int_equal(sql_migrate(db, "u", steps, 2, &err), LT_OK);
    assert_int_equal(sql_migrate(db, "u", steps, 2, &err), LT_OK);
    assert_int_equal(count(db), 2);
    assert_int_equal(sql_migrate(db, "u", steps, 3, &err), LT_E_INTERNAL);
    assert_int_equal(count(db), 2);                                           /* the broken step left nothing */
    assert_int_equal(sql_migrate(db, "u", steps, 1, &err), LT_E_UNSUPPORTED); /* an older program */
    sql_close(&db);
}

static void backup_while_writing(void **state)
{
    struct sql_db *db = open_db(), *copy = NULL;
    struct lt_error err = {0};
    assert_int_equal(sql_exec(db, "CREATE TABLE t(a INTEGER, b TEXT)", &err), LT_OK);
    assert_int_equal(sql_exec(db,
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
                              " INSERT INTO t SELECT i, hex(randomblob(100)) FROM n",
                              &err),
                     LT_OK);
    char to[96];
    snprintf(to, sizeof to, "%s/b.db", dir);
    assert_int_equal(sql_backup(db, to, &err), LT_OK);
    assert_int_equal(add(db, 1, "later", &err), LT_OK);
    assert_int_equal(sql_backup(db, to, &err), LT_OK); /* replaces */
    assert_int_equal(sql_open(to, true, &copy, &err), LT_OK);
    assert_int_equal(count(copy), 5001);
    assert_int_equal(sql_exec(copy, "DELETE FROM t", &err), LT_E_IO); /* read-only */
    sql_close(&copy);
    assert_int_equal(sql_backup(db, "/nonexistent/x.db", &err), LT_E_IO);
    sql_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_and_pragmas, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_of_one_row, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_are_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(same_text_twice_and_eviction, setup, teardown),
        cmocka_unit_test_setup_teardown(scopes_nest, setup, teardown),
        cmocka_unit_test_setup_teardown(two_writers_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(migrations_run_once, setup, teardown),
        cmocka_unit_test_setup_teardown(backup_while_writing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
