/* Tests of the event ring: order, gaps, references that outlive the ring, many publishers. */
#include "bus/bus.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <cmocka.h>

static size_t read_ids(struct bus *b, uint64_t after, uint64_t ids[], size_t cap, bool *gap)
{
    const struct bus_event *e[64];
    size_t n = bus_read(b, after, e, cap < 64 ? cap : 64, gap);
    for (size_t i = 0; i < n; i++) {
        ids[i] = e[i]->id;
        bus_unref(e[i]);
    }
    return n;
}

static void reads_in_order_after_an_id(void **state)
{
    struct bus *b = bus_create(1000, 4);
    uint64_t ids[8];
    bool gap;
    assert_int_equal(read_ids(b, 1000, ids, 8, &gap), 0);
    assert_false(gap);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bus_publish(b, "alarm", 7, 9, LT_LIT("{}")), 1001 + i);
    assert_int_equal(read_ids(b, 1001, ids, 8, &gap), 2);
    assert_false(gap);
    assert_int_equal(ids[0], 1002);
    assert_int_equal(read_ids(b, 1000, ids, 1, &gap), 1);
    assert_int_equal(ids[0], 1001);
    assert_int_equal(bus_last_id(b), 1003);
    bus_destroy(&b);
    assert_null(b);
}

static void who_falls_behind_is_told(void **state)
{
    struct bus *b = bus_create(0, 4);
    uint64_t ids[8];
    bool gap;
    for (int i = 0; i < 10; i++)
        bus_publish(b, "latest", 0, 0, LT_LIT("{}"));
    assert_int_equal(read_ids(b, 6, ids, 8, &gap), 4);
    assert_false(gap);
    assert_int_equal(read_ids(b, 5, ids, 8, &gap), 4);
    assert_true(gap);
    assert_int_equal(ids[0], 7);
    assert_int_equal(read_ids(b, 999, ids, 8, &gap), 4); /* an id of another life */
    assert_true(gap);
    bus_destroy(&b);
}

static void limits_hold(void **state)
{
    static char big[BUS_EVENT_MAX + 1];
    struct bus *b = bus_create(0, 2);
    struct bus_stats st;
    memset(big, 'x', sizeof big);
    assert_int_equal(bus_publish(b, "a", 0, 0, (struct lt_slice){big, sizeof big}), 0);
    assert_int_equal(bus_publish(b, "a", 0, 0, (struct lt_slice){big, 0}), 0);
    for (int i = 0; i < 9; i++)
        assert_true(bus_publish(b, "a", 0, 0, (struct lt_slice){big, BUS_EVENT_MAX}) > 0);
    bus_stats(b, &st);
    assert_int_equal(st.events, 2);
    assert_int_equal(st.bytes, 2 * BUS_EVENT_MAX);
    assert_int_equal(st.published, 9);
    assert_int_equal(st.lost, 2);
    bus_destroy(&b);
}

static void an_event_outlives_the_ring(void **state)
{
    struct bus *b = bus_create(0, 2);
    const struct bus_event *e[1];
    bool gap;
    bus_publish(b, "a-type-that-is-too-long", 5, 6, LT_LIT("{\"k\":1}"));
    assert_int_equal(bus_read(b, 0, e, 1, &gap), 1);
    for (int i = 0; i < 5; i++)
        bus_publish(b, "b", 0, 0, LT_LIT("{}"));
    bus_destroy(&b);
    assert_true(lt_slice_is(e[0]->json, "{\"k\":1}"));
    assert_int_equal(e[0]->territory, 5);
    assert_int_equal(e[0]->enterprise, 6);
    assert_int_equal(strlen(e[0]->type), 15);
    bus_unref(e[0]);
}

#define PUBLISHERS 4
#define EACH       5000
static atomic_int wakes;

static void count_wake(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
}

static void *publisher(void *user)
{
    for (int i = 0; i < EACH; i++)
        bus_publish(user, "p", 0, 0, LT_LIT("{\"n\":1}"));
    return NULL;
}

static void *reader(void *user)
{
    uint64_t at = 0, ids[64];
    bool gap;
    while (at < PUBLISHERS * EACH) {
        size_t n = read_ids(user, at, ids, 64, &gap);
        for (size_t i = 0; i < n; i++) {
            if (ids[i] <= at || (!gap && i == 0 && ids[i] != at + 1))
                return "order";
            at = ids[i];
        }
    }
    return NULL;
}

static void many_threads_keep_the_order(void **state)
{
    struct bus *b = bus_create(0, 256);
    pthread_t t[PUBLISHERS + 2];
    void *result;
    assert_true(bus_listen(b, count_wake, &wakes));
    for (int i = 0; i < PUBLISHERS + 2; i++)
        pthread_create(&t[i], NULL, i < PUBLISHERS ? publisher : reader, b);
    for (int i = 0; i < PUBLISHERS + 2; i++) {
        pthread_join(t[i], &result);
        assert_null(result);
    }
    assert_int_equal(wakes, PUBLISHERS * EACH);
    bus_ignore(b, count_wake, &wakes);
    bus_publish(b, "p", 0, 0, LT_LIT("{}"));
    assert_int_equal(wakes, PUBLISHERS * EACH);
    for (size_t i = 0; i < BUS_LISTENERS; i++)
        assert_true(bus_listen(b, count_wake, &wakes));
    assert_false(bus_listen(b, count_wake, &wakes));
    bus_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_order_after_an_id),
        cmocka_unit_test(who_falls_behind_is_told),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(an_event_outlives_the_ring),
        cmocka_unit_test(many_threads_keep_the_order),
    };
    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
