/* The gateway with real sockets and the real recorder, in a directory of its own. Clients here are plain blocking
 * sockets, so that every test can do what a device, or an attacker, might do. */
#include "base/clock.h"
#include "base/text.h"
#include "gateway/gateway_priv.h"
#include "hj212/hj212.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENCE_MS = 15000 };

/* ---- a post ---- */
struct post {
    char dir[64], addr[64];
    struct recorder *rec;
    struct registry *reg;
    struct gateway *gw;
    uint16_t port;
    atomic_uint told;
};

static void make_register(struct registry *reg)
{
    static struct registry_device row[400];
    for (uint32_t i = 0; i < 400; i++) {
        row[i] = (struct registry_device){
            .id = i + 1, .status = REGISTRY_ACTIVE, .pw = "123456", .tolerate = HJ212_TOLERATE_DEFAULT};
        snprintf(row[i].mn, sizeof row[i].mn, "D%03u", i);
    }
    row[399].rtd_interval_s = 1; /* D399 must send every second */
    assert_int_equal(registry_load_rows(reg, row, 400, NULL), LT_OK);
}

static void on_command(void *user, uint64_t id)
{
    struct post *p = user;
    atomic_fetch_add(&p->told, 1);
}

static void post_open(struct post *p, struct gateway_config cfg)
{
    struct lt_error err;
    struct recorder_config rc = {.dir = p->dir, .tz_min = LT_TZ_CHINA};
    snprintf(p->dir, sizeof p->dir, "/tmp/gateway_test_XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->reg = registry_create();
    make_register(p->reg);
    assert_int_equal(recorder_start(&rc, &p->rec, &err), LT_OK);
    cfg.listen = "127.0.0.1:0";
    cfg.tz_min = LT_TZ_CHINA;
    cfg.loops = cfg.loops ? cfg.loops : 2;
    cfg.setup = GATEWAY_SETUP_OFF;
    cfg.on_command = on_command;
    cfg.user = p;
    assert_int_equal(gateway_start(&cfg, p->rec, p->reg, &p->gw, &err), LT_OK);
    gateway_address(p->gw, p->addr);
    p->port = (uint16_t)strtoul(strrchr(p->addr, ':') + 1, NULL, 10);
}

static void remove_tree(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[400];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            remove_tree(path);
        else
            unlink(path);
    }
    closedir(d);
    rmdir(dir);
}

struct tally { /* what the journal holds */
    unsigned frame, reject, duplicate, sent, conn;
    char mn[65]; /* of the last frame */
};

static void post_stop(struct post *p)
{
    gateway_stop(&p->gw);
    recorder_stop(&p->rec);
    registry_destroy(&p->reg);
}

static struct tally read_journal(const struct post *p)
{
    struct tally t = {0};
    struct journal_reader *r;
    struct journal_batch *b;
    uint64_t seq = 1;
    assert_int_equal(journal_reader_open(p->dir, &r, NULL), LT_OK);
    while (journal_reader_next(r, seq, &b, NULL) == LT_OK) {
        struct journal_record rec;
        for (size_t pos = 0; journal_batch_next(b, &pos, &rec);) {
            unsigned *const n[] = {NULL, &t.frame, &t.reject, &t.duplicate, NULL, &t.sent, &t.conn, NULL, NULL};
            if (n[rec.kind])
                ++*n[rec.kind];
            if (rec.kind == JOURNAL_FRAME)
                lt_text_copy_slice(t.mn, sizeof t.mn, rec.mn);
        }
        seq = b->first_seq + b->count;
        journal_batch_unref(&b);
    }
    journal_reader_close(&r);
    return t;
}

static void post_close(struct post *p)
{
    if (p->gw)
        post_stop(p);
    remove_tree(p->dir);
}

/* ---- a device ---- */
static int connect_from(const struct post *p, const char *source)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(p->port)}, from = {.sin_family = AF_INET};
    struct timeval patience = {PATIENCE_MS / 1000, 0};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    inet_pton(AF_INET, source, &from.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int device(const struct post *p)
{
    return connect_from(p, "127.0.0.1");
}

static size_t make(char *ret, size_t cap, const char *mn, uint16_t cn, int64_t qn_at, const char *area)
{
    char qn[18];
    lt_time_format_compact(qn_at, LT_TZ_CHINA, true, qn);
    struct hj212_head h = {.qn = lt_slice_of(qn),
                           .mn = lt_slice_of(mn),
                           .pw = LT_LIT("123456"),
                           .st = 31,
                           .cn = cn,
                           .edition = HJ212_2017,
                           .answer = true};
    size_t n = hj212_build(&h, lt_slice_of(area), ret, cap);
    assert_true(n > 0);
    return n;
}

#define AREA "DataTime=20260301080000;a21026-Rtd=12.35,a21026-ZsRtd=15.60,a21026-Flag=N;a01011-Rtd=11.42,a01011-Flag=N"

static bool put(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static void put_frame(int fd, const char *mn, int64_t qn_at)
{
    char f[1200];
    assert_true(put(fd, f, make(f, sizeof f, mn, 2011, qn_at, AREA)));
}

/* A frame without bit A: its device never hears whether it arrived. */
static void put_quiet(int fd, const char *mn, int64_t qn_at)
{
    char f[1200], qn[18];
    lt_time_format_compact(qn_at, LT_TZ_CHINA, true, qn);
    struct hj212_head h = {.qn = lt_slice_of(qn),
                           .mn = lt_slice_of(mn),
                           .pw = LT_LIT("123456"),
                           .st = 31,
                           .cn = 2011,
                           .edition = HJ212_2017};
    assert_true(put(fd, f, hj212_build(&h, LT_LIT(AREA), f, sizeof f)));
}

/* One whole frame from the post; false on close or when nothing comes in wait_ms. */
static bool get_frame(int fd, char *ret, size_t cap, int wait_ms)
{
    size_t n = 0;
    while (n + 1 < cap) {
        struct pollfd pf = {.fd = fd, .events = POLLIN};
        if (poll(&pf, 1, wait_ms) != 1 || recv(fd, ret + n, 1, 0) != 1)
            return false;
        n++;
        if (n > 1 && ret[n - 2] == '\r' && ret[n - 1] == '\n')
            break;
    }
    ret[n] = '\0';
    return true;
}

static bool get_ack(int fd, int wait_ms)
{
    char f[600];
    return get_frame(fd, f, sizeof f, wait_ms) && strstr(f, "CN=9014;") != NULL;
}

/* Counts frames until `want`, or the connection ends, or patience does. */
static unsigned get_acks(int fd, unsigned want)
{
    char buf[16384];
    unsigned n = 0;
    while (n < want) {
        ssize_t k = recv(fd, buf, sizeof buf, 0);
        if (k <= 0)
            break;
        for (ssize_t i = 0; i < k; i++)
            n += buf[i] == '\n';
    }
    return n;
}

static bool closed_by_post(int fd, int wait_ms)
{
    struct pollfd pf = {.fd = fd, .events = POLLIN};
    char b[4096];
    while (poll(&pf, 1, wait_ms) == 1)
        if (recv(fd, b, sizeof b, 0) <= 0)
            return true;
    return false;
}

static void nap(int ms)
{
    poll(NULL, 0, ms);
}

/* Waits until `what` of the statistics is at least n. */
static bool reaches(const struct post *p, size_t what, uint64_t n)
{
    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        struct gateway_stats s;
        gateway_stats(p->gw, &s);
        uint64_t v;
        memcpy(&v, (char *)&s + what, sizeof v);
        if (v >= n)
            return true;
        nap(5);
    }
    return false;
}
#define REACHES(p, field, n) reaches(p, offsetof(struct gateway_stats, field), n)

static bool all_gone(const struct post *p)
{
    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        struct gateway_stats s;
        gateway_stats(p->gw, &s);
        if (s.open == 0)
            return true;
        nap(5);
    }
    return false;
}

static bool device_info(const struct post *p, const char *mn, struct gateway_device *ret)
{
    return gateway_device(p->gw, lt_slice_of(mn), ret);
}

/* ---- tests ---- */
static void an_answered_frame_is_in_the_journal(void **state)
{
    struct post p = {0};
    post_open(&p, (struct gateway_config){0});
    int fd = device(&p);
    put_frame(fd, "D001", lt_wall_ms());
    assert_true(get_ack(fd, PATIENCE_MS));
    struct tally t = read_journal(&p); /* while the post runs */
    assert_int_equal(t.frame, 1);
    assert_string_equal(t.mn, "D001");
    struct gateway_device d;
    assert_true(device_info(&p, "D001", &d));
    assert_true(d.connected && !d.pending);
    assert_int_equal(d.frames, 1);
    assert_int_equal(d.conns, 1);
    assert_true(d.drift_ms > -2000 && d.drift_ms < 2000);
    close(fd);
    assert_true(all_gone(&p));
    assert_true(device_info(&p, "D001", &d));
    assert_false(d.connected);
    assert_string_equal(d.last_close, "closed by device");
    post_close(&p);
}

static void own_memory_of_a_connection(void **state)
{
    struct post p = {0};
    struct gateway_stats s;
    post_open(&p, (struct gateway_config){0});
    gateway_stats(p.gw, &s);
    print_message("# %zu bytes for a connection\n", s.session_bytes);
    assert_true(s.session_bytes <= 4096);
    post_close(&p);
}

/* The disk refuses: no answer. The device sends again; when the disk is well again it is answered, and stored once. */
static void no_answer_while_the_disk_refuses(void **state)
{
    struct post p = {0};
    struct rlimit was, tight;
    post_open(&p, (struct gateway_config){0});
    int fd = device(&p);
    put_frame(fd, "D000", lt_wall_ms()); /* the day's file exists now */
    assert_true(get_ack(fd, PATIENCE_MS));
    sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    getrlimit(RLIMIT_FSIZE, &was);
    tight = (struct rlimit){.rlim_cur = 1, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int64_t qn = lt_wall_ms();
    put_frame(fd, "D001", qn);
    bool early = get_ack(fd, 700);
    put_frame(fd, "D001", qn);
    early |= get_ack(fd, 300);
    put_quiet(fd, "D002", qn);
    nap(200);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_false(early);
    bool answered = false;
    for (int i = 0; i < 30 && !answered; i++) { /* as a device does that misses its 9014 */
        put_frame(fd, "D001", qn);
        answered = get_ack(fd, 500);
    }
    assert_true(answered);
    close(fd);
    post_stop(&p);
    struct tally t = read_journal(&p);
    assert_int_equal(t.frame, 3); /* D000, once D001, and D002 that asked for no answer and will not send again */
    assert_true(t.duplicate >= 1);
    post_close(&p);
}

static void one_byte_at_a_time(void **state)
{
    struct post p = {0};
    char f[1200];
    post_open(&p, (struct gateway_config){0});
    int fd = device(&p);
    size_t n = make(f, sizeof f, "D001", 2011, lt_wall_ms(), AREA);
    for (size_t i = 0; i < n; i++)
        assert_true(put(fd, f + i, 1));
    assert_true(get_ack(fd, PATIENCE_MS));
    close(fd);
    post_stop(&p);
    struct tally t = read_journal(&p);
    assert_int_equal(t.frame, 1);
    assert_int_equal(t.reject, 0);
    post_close(&p);
}

struct flood {
    const struct post *p;
    unsigned frames, acked;
};

static void *flood_reader(void *arg);

static void *flooder(void *arg)
{
    struct flood *f = arg;
    int fd = device(f->p);
    pthread_t reader;
    struct {
        int fd;
        struct flood *f;
    } x = {fd, f};
    pthread_create(&reader, NULL, flood_reader, &x);
    int64_t qn = lt_wall_ms();
    char *all = malloc(f->frames * 300u);
    size_t n = 0;
    for (unsigned i = 0; i < f->frames; i++)
        n += make(all + n, 300, "D002", 2011, qn + i, AREA);
    put(fd, all, n);
    free(all);
    pthread_join(reader, NULL);
    close(fd);
    return NULL;
}

static void *flood_reader(void *arg)
{
    struct {
        int fd;
        struct flood *f;
    } *x = arg;
    x->f->acked = get_acks(x->fd, x->f->frames);
    return NULL;
}

/* A peer that sends without end, above its rate, must not keep an ordinary one waiting. */
static void a_flood_does_not_starve_others(void **state)
{
    struct post p = {0};
    post_open(&p, (struct gateway_config){.max_rate = 500, .loops = 1});
    struct flood f = {.p = &p, .frames = 1500};
    pthread_t t;
    pthread_create(&t, NULL, flooder, &f);
    int fd = device(&p);
    int64_t worst = 0;
    for (int i = 0; i < 30; i++) {
        int64_t from = lt_mono_ms();
        put_frame(fd, "D001", lt_wall_ms() + i);
        assert_true(get_ack(fd, PATIENCE_MS));
        int64_t took = lt_mono_ms() - from;
        worst = took > worst ? took : worst;
        nap(20);
    }
    pthread_join(t, NULL);
    print_message("# worst answer %lld ms beside a flood\n", (long long)worst);
    assert_int_equal(f.acked, f.frames);
    assert_true(worst < 3000);
    struct gateway_stats s;
    gateway_stats(p.gw, &s);
    assert_true(s.paused > 0); /* the rate did hold it back */
    close(fd);
    post_close(&p);
}

/* A device that goes away under its answers; writing to it must not end the post. */
static void answers_to_a_device_that_has_gone(void **state)
{
    struct post p = {0};
    post_open(&p, (struct gateway_config){.max_rate = 1000000});
    for (int i = 0; i < 40; i++) {
        int fd = device(&p);
        struct linger hard = {1, 0};
        for (int k = 0; k < 20; k++)
            put_frame(fd, "D001", lt_wall_ms() + k);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        if (i % 2)
            nap(i % 5);
        close(fd);
    }
    int fd = device(&p);
    put_frame(fd, "D001", lt_wall_ms());
    assert_true(get_ack(fd, PATIENCE_MS));
    close(fd);
    assert_true(all_gone(&p));
    post_close(&p);
}

static void a_silent_device_is_closed(void **state)
{
    struct post p = {0};
    struct gateway_device d;
    post_open(&p, (struct gateway_config){0});
    int fd = device(&p);
    put_frame(fd, "D399", lt_wall_ms());
    assert_true(get_ack(fd, PATIENCE_MS));
    int64_t from = lt_mono_ms();
    assert_true(closed_by_post(fd, PATIENCE_MS));
    int64_t took = lt_mono_ms() - from;
    assert_true(took >= 1900 && took < 6000);
    assert_true(all_gone(&p));
    assert_true(device_info(&p, "D399", &d));
    assert_int_equal(strncmp(d.last_close, "no data for ", 12), 0);
    close(fd);
    post_close(&p);
}

static void two_thousand_connections_come_and_go(void **state)
{
    enum { ROUNDS = 20, EACH = 100 };
    struct post p = {0};
    struct gateway_stats s;
    post_open(&p, (struct gateway_config){0});
    int64_t qn = lt_wall_ms();
    for (int r = 0; r < ROUNDS; r++) {
        int fd[EACH];
        char mn[8];
        for (int i = 0; i < EACH; i++)
            fd[i] = device(&p);
        for (int i = 0; i < EACH; i++) {
            snprintf(mn, sizeof mn, "D%03d", i);
            put_frame(fd[i], mn, qn + r);
        }
        for (int i = 0; i < EACH; i++) {
            assert_true(get_ack(fd[i], PATIENCE_MS));
            if (i % 2) { /* half of them break instead of closing */
                struct linger hard = {1, 0};
                setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            }
            close(fd[i]);
        }
    }
    assert_true(all_gone(&p));
    gateway_stats(p.gw, &s);
    assert_int_equal(s.accepted, ROUNDS * EACH);
    assert_int_equal(s.frames, ROUNDS * EACH);
    assert_int_equal(s.acks, ROUNDS * EACH);
    post_stop(&p);
    struct tally t = read_journal(&p);
    assert_int_equal(t.frame, ROUNDS * EACH);
    /* each end, because a frame was kept; of the beginnings 60 a minute; and one for each loop's stop */
    assert_in_range(t.conn, ROUNDS * EACH + 60, ROUNDS * EACH + 2 * 60 + 2);
    post_close(&p);
}

static void limits_of_connections(void **state)
{
    struct post p = {0};
    struct gateway_stats s;
    int fd[5];
    post_open(&p, (struct gateway_config){.max_conns = 4, .max_conns_per_addr = 3});
    for (int i = 0; i < 3; i++) {
        fd[i] = device(&p);
        put_frame(fd[i], "D001", lt_wall_ms() + i);
        assert_true(get_ack(fd[i], PATIENCE_MS));
    }
    struct gateway_device d;
    assert_true(device_info(&p, "D001", &d));
    assert_int_equal(d.conns, 3); /* seen, and served */
    int over = device(&p);
    assert_true(closed_by_post(over, PATIENCE_MS));
    close(over);
    fd[3] = connect_from(&p, "127.0.0.2");
    put_frame(fd[3], "D002", lt_wall_ms());
    assert_true(get_ack(fd[3], PATIENCE_MS));
    over = connect_from(&p, "127.0.0.3");
    assert_true(closed_by_post(over, PATIENCE_MS));
    close(over);
    gateway_stats(p.gw, &s);
    assert_int_equal(s.refused_limit, 2);
    close(fd[0]); /* a place becomes free again */
    for (int i = 0; i < 200; i++) {
        gateway_stats(p.gw, &s);
        if (s.open == 3)
            break;
        nap(5);
    }
    fd[0] = device(&p);
    put_frame(fd[0], "D001", lt_wall_ms() + 9);
    assert_true(get_ack(fd[0], PATIENCE_MS));
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    post_close(&p);
}

static void strangers_are_limited(void **state)
{
    struct post p = {0};
    struct gateway_device d;
    post_open(&p, (struct gateway_config){.max_pending = 2, .enroll_open = true});
    int fd = device(&p);
    put_frame(fd, "X1", lt_wall_ms());
    assert_true(get_ack(fd, PATIENCE_MS));
    put_frame(fd, "X2", lt_wall_ms());
    assert_true(get_ack(fd, PATIENCE_MS));
    put_frame(fd, "X3", lt_wall_ms());
    assert_false(get_ack(fd, 300));
    put_frame(fd, "D001", lt_wall_ms()); /* a known one is not touched by that */
    assert_true(get_ack(fd, PATIENCE_MS));
    assert_true(device_info(&p, "X1", &d));
    assert_true(d.pending);
    assert_false(device_info(&p, "X3", &d));
    close(fd);
    post_stop(&p);
    struct tally t = read_journal(&p);
    assert_int_equal(t.frame, 3);
    assert_int_equal(t.reject, 1);
    post_close(&p);
}

static void reply(int fd, const char *qn, uint16_t st, uint16_t cn, const char *area)
{
    char f[600];
    struct hj212_head h = {
        .qn = lt_slice_of(qn), .mn = LT_LIT("D001"), .pw = LT_LIT("123456"), .st = st, .cn = cn, .edition = HJ212_2017};
    assert_true(put(fd, f, hj212_build(&h, lt_slice_of(area), f, sizeof f)));
}

static bool becomes(const struct post *p, uint64_t id, enum gateway_command_step step, struct gateway_command *ret)
{
    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        if (gateway_command_get(p->gw, id, ret) && ret->step == step)
            return true;
        nap(5);
    }
    return false;
}

static void a_command_goes_down_and_its_answer_comes_up(void **state)
{
    struct post p = {0};
    struct gateway_command c;
    struct lt_error err;
    char f[600], qn[18];
    uint64_t id, other;
    post_open(&p, (struct gateway_config){0});
    assert_int_equal(gateway_command_send(p.gw, LT_LIT("D001"), 0, 1061, LT_LIT(""), &id, &err), LT_E_DEVICE_OFFLINE);
    int fd = device(&p);
    put_frame(fd, "D001", lt_wall_ms());
    assert_true(get_ack(fd, PATIENCE_MS));
    assert_int_equal(gateway_command_send(p.gw, LT_LIT("D001"), 0, 1061, LT_LIT(""), &id, &err), LT_OK);
    assert_int_equal(gateway_command_send(p.gw, LT_LIT("D001"), 0, 1063, LT_LIT(""), &other, &err), LT_E_BUSY);
    assert_true(get_frame(fd, f, sizeof f, PATIENCE_MS));
    assert_non_null(strstr(f, ";ST=31;CN=1061;PW=123456;MN=D001;Flag=5;CP=&&&&"));
    lt_text_copy_slice(qn, sizeof qn, (struct lt_slice){strstr(f, "QN=") + 3, 17});
    reply(fd, qn, 91, 9011, "QnRtn=1");
    assert_true(becomes(&p, id, GATEWAY_CMD_ACCEPTED, &c));
    reply(fd, qn, 31, 1061, "RtdInterval=45");
    reply(fd, qn, 91, 9012, "ExeRtn=1");
    assert_true(becomes(&p, id, GATEWAY_CMD_DONE, &c));
    assert_string_equal(c.answer, "RtdInterval=45");
    assert_string_equal(c.qn, qn);
    assert_int_equal(c.sends, 1);
    assert_int_equal(c.frames, 1);
    assert_int_equal(c.code, 1);
    assert_true(atomic_load(&p.told) >= 3);
    /* the connection ends under a command */
    assert_int_equal(gateway_command_send(p.gw, LT_LIT("D001"), 0, 1063, LT_LIT(""), &other, &err), LT_OK);
    assert_true(get_frame(fd, f, sizeof f, PATIENCE_MS));
    close(fd);
    assert_true(becomes(&p, other, GATEWAY_CMD_FAILED, &c));
    assert_int_equal(c.code, -1);
    post_stop(&p);
    struct tally t = read_journal(&p);
    assert_int_equal(t.sent, 2);
    assert_int_equal(t.frame, 4);
    post_close(&p);
}

/* All that was received when the post is told to stop is stored and answered before it ends. */
static void a_stop_answers_what_was_received(void **state)
{
    enum { DEVICES = 20, EACH = 50 };
    struct post p = {0};
    int fd[DEVICES];
    unsigned acked = 0;
    char mn[8];
    post_open(&p, (struct gateway_config){0});
    int64_t qn = lt_wall_ms();
    for (int i = 0; i < DEVICES; i++) {
        fd[i] = device(&p);
        snprintf(mn, sizeof mn, "D%03d", i);
        for (int k = 0; k < EACH; k++)
            put_frame(fd[i], mn, qn + k);
    }
    assert_true(REACHES(&p, frames, DEVICES * EACH));
    int64_t from = lt_mono_ms();
    post_stop(&p);
    assert_true(lt_mono_ms() - from < 5000);
    for (int i = 0; i < DEVICES; i++) {
        acked += get_acks(fd[i], UINT32_MAX);
        close(fd[i]);
    }
    assert_int_equal(acked, DEVICES * EACH);
    assert_int_equal(read_journal(&p).frame, DEVICES * EACH);
    post_close(&p);
}

static void a_peer_that_does_not_read_is_closed(void **state)
{
    struct post p = {0};
    struct gateway_device d = {0};
    int small = 2048;
    char f[400];
    post_open(&p, (struct gateway_config){.max_rate = 1000000});
    int fd = device(&p);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    int64_t qn = lt_wall_ms();
    bool open = true;
    for (int i = 0; open && i < 100000; i++)
        open = put(fd, f, make(f, sizeof f, "D001", 2011, qn + i, "DataTime=20260301080000;a21026-Rtd=1"));
    /* 9 MB of answers are more than the system's buffers and our 64 KiB hold; 25,000 frames may still wait in them,
     * which take their time under a sanitizer */
    assert_true(all_gone(&p) || all_gone(&p) || all_gone(&p) || all_gone(&p));
    assert_true(device_info(&p, "D001", &d));
    assert_string_equal(d.last_close, "device does not read its answers");
    close(fd);
    post_close(&p);
}

static void rubbish_is_kept_and_does_no_harm(void **state)
{
    struct post p = {0};
    char junk[20000];
    post_open(&p, (struct gateway_config){.max_rate = 100000});
    int fd = device(&p), good = device(&p);
    for (size_t i = 0; i < sizeof junk; i++) /* many heads, many line ends */
        junk[i] = "##01x\r\n&QN=;"[i * 7919 % 12];
    for (int i = 0; i < 20; i++)
        assert_true(put(fd, junk, sizeof junk));
    put_frame(good, "D001", lt_wall_ms());
    assert_true(get_ack(good, PATIENCE_MS));
    close(fd);
    close(good);
    assert_true(all_gone(&p));
    struct gateway_stats s;
    gateway_stats(p.gw, &s);
    assert_int_equal(s.frames, 1);
    assert_true(s.rejected > 1000);
    post_close(&p);
}

/* No descriptor left: who comes waits, others are served, and the post goes on by itself when there are some again. */
static void no_descriptors_left(void **state)
{
    enum { MANY = 30000 };
    static int held[MANY];
    struct post p = {0};
    size_t n = 0;
    post_open(&p, (struct gateway_config){0});
    int early = device(&p);
    put_frame(early, "D001", lt_wall_ms());
    assert_true(get_ack(early, PATIENCE_MS));
    while (n < MANY && (held[n] = dup(early)) >= 0)
        n++;
    assert_in_range(n, 1, MANY - 1);
    close(held[--n]); /* one for the client itself */
    int fd = device(&p);
    put_frame(fd, "D002", lt_wall_ms());
    const int64_t until_ms = lt_mono_ms() + PATIENCE_MS;
    struct gateway_stats s = {0};
    while (s.accept_pauses < 2 && lt_mono_ms() < until_ms) { /* it tried, and again */
        poll(NULL, 0, 10);
        gateway_stats(p.gw, &s);
    }
    put_frame(early, "D001", lt_wall_ms() + 1); /* who is connected is served */
    bool served = get_ack(early, PATIENCE_MS);
    while (n > 0)
        close(held[--n]);
    assert_in_range(s.accept_pauses, 2, 100); /* not a loop that turns and turns */
    assert_int_equal(s.accepted, 1);
    assert_true(served);
    assert_true(get_ack(fd, PATIENCE_MS));
    close(fd);
    close(early);
    post_close(&p);
}

static void a_second_post_cannot_share_the_port(void **state)
{
    struct post p = {0};
    struct gateway *other = NULL;
    struct lt_error err;
    post_open(&p, (struct gateway_config){0});
    struct gateway_config cfg = {.listen = p.addr};
    assert_int_equal(gateway_start(&cfg, p.rec, p.reg, &other, &err), LT_E_LISTEN);
    cfg.listen = "nonsense";
    assert_int_equal(gateway_start(&cfg, p.rec, p.reg, &other, &err), LT_E_LISTEN);
    cfg.listen = "[::1]:0";
    if (gateway_start(&cfg, p.rec, p.reg, &other, &err) == LT_OK) { /* not every machine has IPv6 */
        char addr[64];
        gateway_address(other, addr);
        assert_int_equal(strncmp(addr, "[::1]:", 6), 0);
        gateway_stop(&other);
    }
    post_close(&p);
}

/* Limits of what a device is sent unasked (virtual time; the devices' table alone). */
static void first_connect_once_a_day(void **state)
{
    struct gw_devices *t = calloc(1, sizeof *t);
    const struct gw_conn_id conn = {0, 1, 1};
    const int64_t t0 = INT64_C(1772323200000), min = 60000, hour = 60 * min;
    assert_non_null(t);
    gw_devices_init(t, 10);
    struct gw_device *d = gw_devices_attach(t, LT_LIT("D1"), true, conn, "peer", t0);
    assert_int_equal(gw_devices_first(t, d, 7, t0, t0), SESSION_FIRST_ALL);
    assert_int_equal(gw_devices_first(t, d, 7, t0 + min, t0 + min), SESSION_FIRST_NONE);
    assert_int_equal(gw_devices_first(t, d, 8, t0 + 2 * min, t0 + 2 * min),
                     SESSION_FIRST_NONE); /* not even for new settings */
    assert_int_equal(gw_devices_first(t, d, 7, t0 + 11 * min, t0 + 11 * min), SESSION_FIRST_CLOCK);
    assert_int_equal(gw_devices_first(t, d, 7, t0 + 12 * min, t0 + 12 * min), SESSION_FIRST_NONE);
    assert_int_equal(gw_devices_first(t, d, 8, t0 + 13 * min, t0 + 13 * min),
                     SESSION_FIRST_ALL); /* the register changed */
    assert_int_equal(gw_devices_first(t, d, 8, t0 + 23 * hour, t0 + 23 * hour), SESSION_FIRST_CLOCK);
    gw_devices_detach(t, d, conn, "closed by device");
    d = gw_devices_attach(t, LT_LIT("D1"), true, conn, "peer", t0 + 25 * hour); /* remembered over connections */
    assert_int_equal(gw_devices_first(t, d, 8, t0 + 23 * hour + min, t0 + 23 * hour + min), SESSION_FIRST_NONE);
    assert_int_equal(gw_devices_first(t, d, 8, t0 + 25 * hour, t0 + 25 * hour), SESSION_FIRST_ALL);
    gw_devices_fini(t);
    free(t);
}

/* All of a city come back at once, after a restart: they are set up one after the other, each once. */
static void first_connects_take_turns(void **state)
{
    enum { CITY = 300 };
    struct gw_devices *t = calloc(1, sizeof *t);
    struct gw_device *d[CITY];
    const int64_t t0 = INT64_C(1772323200000);
    unsigned all = 0, none = 0;
    assert_non_null(t);
    gw_devices_init(t, 10);
    for (unsigned i = 0; i < CITY; i++) {
        char mn[16];
        snprintf(mn, sizeof mn, "D%u", i);
        d[i] = gw_devices_attach(t, lt_slice_of(mn), true, (struct gw_conn_id){0, i, 1}, "peer", t0);
    }
    for (int64_t ms = 0; ms <= 20000; ms += 100) { /* each sends a frame ten times a second */
        for (unsigned i = 0; i < CITY; i++) {
            enum session_first f = gw_devices_first(t, d[i], 7, t0 + ms, 5000 + ms);
            all += f == SESSION_FIRST_ALL;
            none += f == SESSION_FIRST_NONE;
            assert_int_not_equal(f, SESSION_FIRST_CLOCK);
        }
        assert_true(all <= 21 + ms / 50); /* a second's worth at once, then 20 a second */
    }
    assert_int_equal(all, CITY);
    assert_true(none > CITY);
    gw_devices_fini(t);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answered_frame_is_in_the_journal),
        cmocka_unit_test(own_memory_of_a_connection),
        cmocka_unit_test(no_answer_while_the_disk_refuses),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(a_flood_does_not_starve_others),
        cmocka_unit_test(answers_to_a_device_that_has_gone),
        cmocka_unit_test(a_silent_device_is_closed),
        cmocka_unit_test(two_thousand_connections_come_and_go),
        cmocka_unit_test(limits_of_connections),
        cmocka_unit_test(strangers_are_limited),
        cmocka_unit_test(a_command_goes_down_and_its_answer_comes_up),
        cmocka_unit_test(a_stop_answers_what_was_received),
        cmocka_unit_test(a_peer_that_does_not_read_is_closed),
        cmocka_unit_test(rubbish_is_kept_and_does_no_harm),
        cmocka_unit_test(no_descriptors_left),
        cmocka_unit_test(first_connect_once_a_day),
        cmocka_unit_test(first_connects_take_turns),
        cmocka_unit_test(a_second_post_cannot_share_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
