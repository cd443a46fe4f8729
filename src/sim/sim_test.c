/* Tests of the simulated devices: deterministic, valid frames of all editions, consistent minute and hour data, and the
 * client against a small platform of its own. */
#include "sim/sim_priv.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static const int64_t T0 = INT64_C(1764000000000) - INT64_C(1764000000000) % INT64_C(3600000);

static void frames_are_valid_and_repeatable(void **state)
{
    for (unsigned i = 0; i < 60; i++) {
        struct sim_device d;
        sim_device_init(&d, i, 5, (enum sim_industry)(i % SIM_INDUSTRIES));
        for (int kind = SIM_RTD; kind <= SIM_STATE; kind++) {
            char a[HJ212_FRAME_MAX], b[HJ212_FRAME_MAX];
            struct hj212_frame f;
            struct hj212_item items[256];
            size_t n, n_items;
            uint32_t at;
            n = sim_frame(&d, (enum sim_kind)kind, T0 + i * LT_DAY_MS, T0 + i, false, a, sizeof a);
            assert_true(n > 0);
            assert_int_equal(sim_frame(&d, (enum sim_kind)kind, T0 + i * LT_DAY_MS, T0 + i, false, b, sizeof b), n);
            assert_memory_equal(a, b, n);
            assert_int_equal(hj212_parse((struct lt_slice){a, n}, HJ212_TOLERATE_DEFAULT | HJ212_TOL(LONG_SEGMENT), &f),
                             HJ212_E_OK);
            assert_int_equal(f.edition, d.edition);
            assert_int_equal(hj212_items(f.cp, HJ212_TOLERATE_DEFAULT, items, 256, &n_items, &at, NULL), HJ212_E_OK);
            assert_non_null(hj212_find(f.cp, items, n_items, "DataTime"));
        }
    }
}

/* The memo saves work and changes nothing. */
static void the_memo_changes_nothing(void **state)
{
    struct sim_device d, with;
    sim_device_init(&d, 3, 9, SIM_CEMENT);
    with = d;
    with.memo = sim_memo_create();
    for (int i = 0; i < 200; i++) {
        char a[HJ212_FRAME_MAX], b[HJ212_FRAME_MAX];
        int64_t t = T0 + (i * 7919 % 400) * 10 * LT_MIN_MS;
        enum sim_kind kind = i % 3 ? SIM_MIN : SIM_HOUR;
        size_t n = sim_frame(&d, kind, t, t, false, a, sizeof a), m = sim_frame(&with, kind, t, t, false, b, sizeof b);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
    }
    sim_memo_destroy(&with.memo);
}

static void every_kind_of_event_happens(void **state)
{
    unsigned seen[SIM_EVENTS] = {0};
    for (unsigned i = 0; i < 400; i++) {
        struct sim_device d;
        sim_device_init(&d, i, 1, SIM_STEEL);
        for (int h = 0; h < 10 * 24; h++)
            seen[sim_event_at(&d, T0 + h * LT_HOUR_MS, NULL)]++;
    }
    for (int e = 0; e < SIM_EVENTS; e++)
        assert_true(seen[e] > 0);
    assert_true(seen[SIM_NORMAL] > 80 * 1000);
}

/* ---- a platform that answers, forgets one answer in seven, and hangs up once ---- */

struct platform {
    int fd;
    unsigned port, answered, forgotten;
    bool hang_up;
};

static void *serve(void *user)
{
    struct platform *p = user;
    bool hung = false;
    for (;;) {
        int c = accept(p->fd, NULL, NULL);
        if (c < 0)
            return NULL;
        char buf[65536];
        size_t have = 0;
        for (;;) {
            ssize_t n = recv(c, buf + have, sizeof buf - have, 0);
            if (n <= 0)
                break;
            have += (size_t)n;
            size_t at = 0;
            for (;;) {
                struct hj212_cut cut = hj212_cut(buf + at, have - at, false, HJ212_TOLERATE_DEFAULT);
                if (cut.kind == HJ212_CUT_MORE)
                    break;
                struct hj212_frame f;
                assert_int_equal(cut.kind, HJ212_CUT_FRAME);
                assert_int_equal(hj212_parse(cut.raw, HJ212_TOLERATE_DEFAULT, &f), HJ212_E_OK);
                if ((p->answered + p->forgotten) % 7 == 6) {
                    p->forgotten++;
                } else {
                    char out[256];
                    size_t m = hj212_build_answer(&f, 9014, 0, out, sizeof out);
                    assert_int_equal(send(c, out, m, MSG_NOSIGNAL), (ssize_t)m);
                    p->answered++;
                }
                at += cut.used;
            }
            memmove(buf, buf + at, have - at);
            have -= at;
            if (p->hang_up && !hung && p->answered > 20) {
                hung = true;
                break;
            }
        }
        close(c);
    }
}

static void unanswered_frames_are_sent_again(void **state)
{
    struct platform p = {.fd = socket(AF_INET, SOCK_STREAM, 0), .hang_up = true};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(p.fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(p.fd, 8), 0);
    assert_int_equal(getsockname(p.fd, (struct sockaddr *)&a, &len), 0);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, serve, &p), 0);
    struct sim_device d;
    sim_device_init(&d, 0, 1, SIM_STEEL);
    struct sim_client_config cfg = {.host = "127.0.0.1",
                                    .port = ntohs(a.sin_port),
                                    .devices = &d,
                                    .n = 1,
                                    .rate = 100,
                                    .seconds = 1.5,
                                    .window = 16,
                                    .timeout_ms = 150,
                                    .drain_ms = 5000};
    struct sim_report rep;
    assert_int_equal(sim_client_run(&cfg, &rep, NULL), LT_OK);
    assert_true(rep.sent > 50);
    assert_int_equal(rep.lost, 0);
    assert_int_equal(rep.acknowledged, rep.sent);
    assert_true(rep.resent >= p.forgotten && p.forgotten > 0);
    assert_true(rep.connects >= 2);
    shutdown(p.fd, SHUT_RDWR);
    pthread_join(t, NULL);
    close(p.fd);
}

/* Each kind of load comes out whole, under its own system and with as many values as its devices have. */
static void every_load_is_valid(void **state)
{
    static const struct {
        const char *name;
        unsigned st, least, most;
    } want[] = {{"cems", 31, 12, 12}, {"power", 44, 36, 40}, {"dust", 39, 8, 8}, {"vehicle", 99, 6, 6}};
    for (size_t w = 0; w < sizeof want / sizeof want[0]; w++) {
        struct sim_device d;
        struct sim_report rep = {0};
        struct sim_client_config cfg = {.devices = &d, .n = 1, .window = 1};
        struct sim_slot slot = {.bytes = (char[SIM_FRAME_CAP]){0}};
        struct sim_conn conn = {.dev = &d, .fd = -1, .slots = &slot};
        struct sim_client c = {.cfg = &cfg, .rep = &rep, .conns = &conn, .window = 1};
        assert_true(sim_load_kind(want[w].name, &cfg.load));
        sim_device_init(&d, 1, 1, SIM_STEEL);
        assert_true(sim_load_init(&c));
        for (unsigned i = 0; i < SIM_POOL; i++) {
            struct hj212_frame f;
            unsigned values = 0;
            conn.count = 0;
            assert_true(sim_load_one(&c, &conn, 0, INT64_C(1770000000000)));
            assert_int_equal(hj212_parse((struct lt_slice){slot.bytes, slot.n - 2u}, 0, &f), HJ212_E_OK);
            assert_int_equal(f.st, want[w].st);
            for (const char *p = f.cp.p; (p = memmem(p, (size_t)(f.cp.p + f.cp.n - p), "Rtd=", 4)) != NULL; p++)
                values++;
            assert_in_range(values, want[w].least, want[w].most);
        }
        sim_load_fini(&c);
    }
    enum sim_load none;
    assert_false(sim_load_kind("steam", &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_valid_and_repeatable), cmocka_unit_test(the_memo_changes_nothing),
        cmocka_unit_test(every_kind_of_event_happens), cmocka_unit_test(unanswered_frames_are_sent_again),
        cmocka_unit_test(every_load_is_valid)};
    return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
