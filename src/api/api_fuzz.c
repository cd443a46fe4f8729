/* Fuzz target of what a caller can send to the routes of records: the first line is a request target (kind, filters,
 * sort, cursor), the rest a JSON body for creating one. Nothing may crash, and every answer is whole JSON or an error.
 */
#include "http/http.h"
#include "record/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sql_db *db;
static struct auth_ctx who;

/* One database for all rounds; whatever is created is rolled back. */
static void open_once(void)
{
    char path[] = "/tmp/lantian-api-fuzz-XXXXXX";
    if (db)
        return;
    int fd = mkstemp(path);
    assert(fd >= 0);
    close(fd);
    who = auth_system("fuzz");
    enum lt_err e = sql_open(path, false, &db, NULL);
    assert(e == LT_OK);
    e = record_setup(db, NULL);
    assert(e == LT_OK);
    struct record_ctx x = {db, &who, 1, 480};
    const struct record_set set[] = {RECORD_SET_Z("name", "人"), RECORD_SET_Z("post", "队长")};
    int64_t id;
    for (int i = 0; i < 3; i++) {
        e = record_insert(&x, record_kind_find(LT_LIT("person")), set, 2, &id, NULL);
        assert(e == LT_OK);
    }
    unlink(path); /* open files stay usable; nothing is left behind */
}

static void list(const struct record_ctx *x, const struct record_kind *k, const struct http_target *t)
{
    struct record_query q = {0};
    struct lt_error err = {0};
    struct lt_buf b = LT_BUF_INIT(1u << 20);
    struct jsonw w;
    enum lt_err e = LT_OK;
    for (size_t i = 0; i < t->n_query && !e; i++)
        e = record_query_param(&q, k, t->query[i].name, t->query[i].value, &err);
    jsonw_init(&w, &b);
    if (!e)
        e = record_list(x, k, &q, &w, &err);
    assert(e ? err.code == e && lt_err_http(e) < 500 : jsonw_ok(&w));
    lt_buf_fini(&b);
}

static void create(const struct record_ctx *x, const struct record_kind *k, struct lt_slice text)
{
    json_t *body = NULL;
    struct lt_error err = {0};
    struct record_faults faults = {0};
    int64_t id;
    if (jsonr_object(text, 4096, &body, &err) != LT_OK)
        return;
    enum lt_err e = sql_begin(db, NULL);
    assert(e == LT_OK);
    e = record_create(x, k, body, &id, &faults, &err);
    assert(e == LT_OK || lt_err_http(e) < 500);
    sql_rollback(db);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char mem[4096];
    struct http_target t;
    open_once();
    const char *p = (const char *)data, *line = size ? memchr(p, '\n', size) : NULL;
    struct lt_slice target = {p, line ? (size_t)(line - p) : size};
    if (size > sizeof mem || http_target_parse(target, mem, &t, NULL) != LT_OK)
        return 0;
    struct record_ctx x = {db, &who, INT64_C(1795000000000), 480};
    const struct record_kind *k = record_kind_find((struct lt_slice){t.path.p + 1, t.path.n - 1});
    if (!k)
        return 0;
    list(&x, k, &t);
    if (line)
        create(&x, k, (struct lt_slice){line + 1, size - target.n - 1});
    return 0;
}
