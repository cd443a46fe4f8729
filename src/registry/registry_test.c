/* Tests of the register in memory: look-up, address lists, tolerances, reading from SQL, swapping under readers. */
#include "registry/registry.h"
#include "base/text.h"
#include "hj212/hj212.h"
#include "sql/sql.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct registry_device device(const char *mn, uint32_t id)
{
    struct registry_device d = {.id = id, .status = REGISTRY_ACTIVE};
    lt_text_copy(d.mn, sizeof d.mn, mn);
    return d;
}

static void finds_by_mn(void **state)
{
    enum { N = 5000 };
    struct registry *r = registry_create();
    struct registry_device *rows = calloc(N, sizeof *rows);
    for (uint32_t i = 0; i < N; i++) {
        char mn[65];
        snprintf(mn, sizeof mn, "010000A8900016F0%08X", i);
        rows[i] = device(mn, i + 1);
    }
    const struct registry_snapshot *empty = registry_acquire(r);
    assert_null(registry_find(empty, LT_LIT("010000A8900016F000000000")));
    assert_int_equal(registry_load_rows(r, rows, N, NULL), LT_OK);
    assert_null(registry_find(empty, LT_LIT("010000A8900016F000000000"))); /* a snapshot never changes */
    const struct registry_snapshot *s = registry_acquire(r);
    assert_int_equal(registry_count(s), N);
    assert_true(registry_version(s) > registry_version(empty));
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(registry_find(s, lt_slice_of(rows[i].mn))->id, i + 1);
    assert_null(registry_find(s, LT_LIT("010000A8900016F00000000")));
    assert_null(registry_find(s, LT_LIT("")));
    registry_release(r, empty);
    registry_release(r, s);
    free(rows);
    registry_destroy(&r);
    assert_null(r);
}

static void a_doubled_mn_keeps_the_old_snapshot(void **state)
{
    struct registry *r = registry_create();
    struct registry_device rows[2] = {device("A1", 1), device("A1", 2)};
    struct lt_error err;
    assert_int_equal(registry_load_rows(r, rows, 1, &err), LT_OK);
    assert_int_equal(registry_load_rows(r, rows, 2, &err), LT_E_DUPLICATE);
    const struct registry_snapshot *s = registry_acquire(r);
    assert_int_equal(registry_count(s), 1);
    assert_int_equal(registry_version(s), 1);
    registry_release(r, s);
    registry_destroy(&r);
}

static void v4(uint8_t ret[16], uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t x[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d};
    memcpy(ret, x, 16);
}

static void address_lists(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint8_t n;
    } lists[] = {{"", true, 0},
                 {"10.1.0.0/16, 192.168.1.5", true, 2},
                 {" 10.0.0.1 ;10.0.0.2\n10.0.0.3", true, 3},
                 {"2001:db8::/32", true, 1},
                 {"0.0.0.0/0", true, 1},
                 {"10.1.0.0/33", false, 0},
                 {"10.1.0", false, 0},
                 {"10.1.0.0/", false, 0},
                 {"10.1.0.0/-1", false, 0},
                 {"x", false, 0},
                 {"2001:db8::/129", false, 0},
                 {"1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8", true, 8},
                 {"1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9", false, 0}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct registry_net net[8];
        uint8_t n = 0;
        assert_int_equal(registry_parse_allow(lt_slice_of(lists[i].text), net, &n), lists[i].good);
        if (lists[i].good)
            assert_int_equal(n, lists[i].n);
    }
    struct registry_device d = {0};
    uint8_t addr[16];
    v4(addr, 10, 9, 8, 7);
    assert_true(registry_allowed(&d, addr));
    assert_true(registry_parse_allow(LT_LIT("10.1.0.0/17 192.168.1.5"), d.allow, &d.n_allow));
    assert_false(registry_allowed(&d, addr));
    v4(addr, 10, 1, 127, 255);
    assert_true(registry_allowed(&d, addr));
    v4(addr, 10, 1, 128, 0);
    assert_false(registry_allowed(&d, addr));
    v4(addr, 192, 168, 1, 5);
    assert_true(registry_allowed(&d, addr));
    v4(addr, 192, 168, 1, 4);
    assert_false(registry_allowed(&d, addr));
}

static void tolerances_are_added_to_the_default(void **state)
{
    uint32_t bits;
    assert_true(registry_parse_tolerate(LT_LIT(""), &bits));
    assert_int_equal(bits, HJ212_TOLERATE_DEFAULT);
    assert_true(registry_parse_tolerate(LT_LIT("crc_modbus, long_mn"), &bits));
    assert_int_equal(bits, HJ212_TOLERATE_DEFAULT | HJ212_TOL(CRC_MODBUS) | HJ212_TOL(LONG_MN));
    assert_true(registry_parse_tolerate(LT_LIT("strict,lower_crc"), &bits));
    assert_int_equal(bits, HJ212_TOL(LOWER_CRC));
    assert_false(registry_parse_tolerate(LT_LIT("crc_modbus, nonsense"), &bits));
}

static void check(enum lt_err e)
{
    assert_int_equal(e, LT_OK);
}

static void reads_the_device_table(void **state)
{
    struct sql_db *db;
    struct registry *r = registry_create();
    char path[] = "/tmp/registry_test_XXXXXX";
    assert_non_null(mkdtemp(path));
    char file[64];
    snprintf(file, sizeof file, "%s/state.db", path);
    check(sql_open(file, false, &db, NULL));
    assert_int_not_equal(registry_reload(r, db, NULL), LT_OK); /* no table: an error, and the old one stays */
    check(
        sql_exec(db,
                 "CREATE TABLE device(id INTEGER PRIMARY KEY, mn TEXT, pw TEXT, status TEXT, allow TEXT, tolerate TEXT,"
                 "sm4_key TEXT, rtd_interval_s INTEGER, min_interval_min INTEGER, over_time_s INTEGER,"
                 "resends INTEGER, rtd_upload TEXT, state_upload TEXT, deleted INTEGER NOT NULL DEFAULT 0);"
                 "INSERT INTO device VALUES(7,'M1','123456','active','10.0.0.0/8','long_segment',"
                 "'30303030303030303030303030303030',30,10,20,5,'on','off',0),"
                 "(8,'M2',NULL,'pending',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0),(9,'M3','','disabled','oops','"
                 "oops','xx',70000,-1,400,-1,'','keep',0),"
                 "(10,'M4','','active','','','',0,0,0,0,'','',1)",
                 NULL));
    check(registry_reload(r, db, NULL));
    const struct registry_snapshot *s = registry_acquire(r);
    assert_int_equal(registry_count(s), 3);
    const struct registry_device *d = registry_find(s, LT_LIT("M1"));
    assert_int_equal(d->id, 7);
    assert_string_equal(d->pw, "123456");
    assert_int_equal(d->status, REGISTRY_ACTIVE);
    assert_int_equal(d->n_allow, 1);
    assert_int_equal(d->tolerate, HJ212_TOLERATE_DEFAULT | HJ212_TOL(LONG_SEGMENT));
    assert_true(d->has_key);
    assert_memory_equal(d->sm4_key, "0000000000000000", 16);
    assert_int_equal(d->rtd_interval_s, 30);
    assert_int_equal(d->min_interval_min, 10);
    assert_int_equal(d->over_time_s, 20);
    assert_int_equal(d->resends, 5);
    assert_int_equal(d->rtd_upload, REGISTRY_UPLOAD_ON);
    assert_int_equal(d->state_upload, REGISTRY_UPLOAD_OFF);
    d = registry_find(s, LT_LIT("M2"));
    assert_int_equal(d->status, REGISTRY_PENDING);
    assert_int_equal(d->n_allow, 0);
    assert_false(d->has_key);
    d = registry_find(s, LT_LIT("M3"));
    uint8_t addr[16];
    v4(addr, 127, 0, 0, 1);
    assert_int_equal(d->status, REGISTRY_DISABLED);
    assert_false(registry_allowed(d, addr));
    assert_int_equal(d->rtd_interval_s, 65535);
    assert_int_equal(d->over_time_s, 99);
    assert_int_equal(d->resends, 0);
    assert_int_equal(d->rtd_upload, REGISTRY_UPLOAD_KEEP);
    assert_int_equal(d->min_interval_min, 0);
    assert_null(registry_find(s, LT_LIT("M4")));
    registry_release(r, s);
    registry_destroy(&r);
    sql_close(&db);
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char f[80];
        snprintf(f, sizeof f, "%s%s", file, tails[i]);
        unlink(f);
    }
    rmdir(path);
}

struct race {
    struct registry *r;
    atomic_bool stop;
    atomic_uint reads;
};

static void *reader(void *arg)
{
    struct race *x = arg;
    while (!atomic_load(&x->stop)) {
        const struct registry_snapshot *s = registry_acquire(x->r);
        const struct registry_device *d = registry_find(s, LT_LIT("A1"));
        /* every snapshot is whole: both devices are of the same generation */
        if (d && d->id != registry_find(s, LT_LIT("B2"))->id)
            abort();
        registry_release(x->r, s);
        atomic_fetch_add(&x->reads, 1);
    }
    return NULL;
}

static void readers_see_whole_snapshots(void **state)
{
    struct race x = {.r = registry_create()};
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, reader, &x);
    for (uint32_t i = 1; i <= 500 || atomic_load(&x.reads) < 100; i++) {
        struct registry_device rows[2] = {device("A1", i), device("B2", i)};
        check(registry_load_rows(x.r, rows, 2, NULL));
    }
    atomic_store(&x.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    registry_destroy(&x.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_mn),
        cmocka_unit_test(a_doubled_mn_keeps_the_old_snapshot),
        cmocka_unit_test(address_lists),
        cmocka_unit_test(tolerances_are_added_to_the_default),
        cmocka_unit_test(reads_the_device_table),
        cmocka_unit_test(readers_see_whole_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
