/* Inside the gateway: what its loops share, each part behind its own lock, and the loop itself.
 *
 * Locks are leaves: no function here takes one while holding another, and no callback runs under one. */
#ifndef LT_GATEWAY_PRIV_H
#define LT_GATEWAY_PRIV_H
#include "gateway/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum {
    GATEWAY_LOOPS_MAX = 64,
    GATEWAY_READ_BYTES = 64 * 1024, /* one read; also what one connection may have per turn of a loop */
    GATEWAY_OUT_MOST = 64 * 1024,   /* answers a device may leave unread */
    GATEWAY_LEFT_MOST = 64 << 20,   /* input kept by a loop while it may not go on; derivation: 1,000 flooding peers */
    GATEWAY_COMMANDS = 1000,        /* commands remembered */
    GATEWAY_MAIL = 256,             /* commands on their way to one loop */
    GATEWAY_CONN_RECORDS = 60,      /* connection records per address and minute; the rest is counted */
    GATEWAY_TICK_MS = 100,          /* a tenth of the connections each, so each once a second */
    GATEWAY_TICK_PARTS = 10,
    GATEWAY_STOP_MS = 5000,
    GATEWAY_ACCEPTS = 64,           /* connections taken in one go, so that those who are there are read too */
    GATEWAY_ACCEPT_AGAIN_MS = 1000, /* after there was no descriptor or no memory for one */
};

struct gw_conn_id { /* of a connection, safe to keep: a later one in the same slot has another generation */
    uint32_t loop, slot, gen;
};

/* ---- devices.c: by MN ---- */
struct gw_device {
    struct gw_device *next;
    struct gateway_device pub;        /* pub.mn never changes */
    struct gw_conn_id owner;          /* the connection that sent last, when has_owner */
    int64_t first_at_ms, clock_at_ms; /* when first connect, and its setting of the clock, last began; 0 never */
    uint32_t first_settings;
    uint32_t hash;
    bool has_owner, registered;
};
enum { GW_SHARDS = 16, GW_BUCKETS = 2048 };
struct gw_devices {
    struct gw_shard {
        pthread_mutex_t lock;
        int64_t swept_ms;
        struct gw_device *bucket[GW_BUCKETS];
    } shard[GW_SHARDS];
    atomic_uint strangers; /* entries that are not registered */
    unsigned max_strangers;
    _Atomic int64_t first_next_ms; /* monotonic: when the next first connect is due */
};
void gw_devices_init(struct gw_devices *t, unsigned max_strangers);
void gw_devices_fini(struct gw_devices *t);
/* The entry, with one more connection; NULL when strangers are at their limit. */
struct gw_device *gw_devices_attach(struct gw_devices *t, struct lt_slice mn, bool registered, struct gw_conn_id conn,
                                    const char *peer, int64_t at_ms);
void gw_devices_detach(struct gw_devices *t, struct gw_device *d, struct gw_conn_id conn, const char *cause);
void gw_devices_update(struct gw_devices *t, struct gw_device *d, struct gw_conn_id conn, const char *peer,
                       const struct session_delta *x);
/* How much of first connect the device may be sent now, and that it is begun; or that others are before it. */
enum session_first gw_devices_first(struct gw_devices *t, struct gw_device *d, uint32_t settings, int64_t at_ms,
                                    int64_t mono_ms);
void gw_devices_refused(struct gw_devices *t, struct lt_slice mn, int64_t at_ms);
bool gw_devices_get(struct gw_devices *t, struct lt_slice mn, struct gateway_device *ret, struct gw_conn_id *ret_owner,
                    bool *ret_has_owner);
size_t gw_devices_list(struct gw_devices *t, struct gateway_device *ret, size_t cap);

/* ---- addrs.c: by source address ---- */
struct gw_addr {
    struct gw_addr *next;
    uint8_t key[16]; /* IPv6: the /64, as a site has that many addresses of its own */
    uint32_t open, records, skipped;
    int64_t minute;
};
enum { GW_ADDR_BUCKETS = 4096, GW_ADDRS_IDLE = 10000 };
struct gw_addrs {
    pthread_mutex_t lock;
    struct gw_addr *bucket[GW_ADDR_BUCKETS];
    unsigned idle; /* entries without open connections, kept for their minute; at most GW_ADDRS_IDLE */
    unsigned sweep_at;
};
void gw_addrs_init(struct gw_addrs *t);
void gw_addrs_fini(struct gw_addrs *t);
bool gw_addrs_open(struct gw_addrs *t, const uint8_t addr[16], unsigned most); /* false: as many as allowed are open */
void gw_addrs_close(struct gw_addrs *t, const uint8_t addr[16]);
/* May another connection record be written in this minute? *ret_skipped: how many were not since the last. */
bool gw_addrs_record(struct gw_addrs *t, const uint8_t addr[16], int64_t mono_ms, unsigned *ret_skipped);

/* ---- commands.c ---- */
struct gw_commands {
    pthread_mutex_t lock;
    uint64_t last;
    struct gateway_command c[GATEWAY_COMMANDS]; /* number n stands at n modulo GATEWAY_COMMANDS */
};
void gw_commands_init(struct gw_commands *t);
void gw_commands_fini(struct gw_commands *t);
/* Gives *c a number and keeps it; LT_E_BUSY while another one of the device is under way. */
enum lt_err gw_commands_add(struct gw_commands *t, struct gateway_command *c, struct lt_error *err);
void gw_commands_update(struct gw_commands *t, const struct gateway_command *c);
bool gw_commands_get(struct gw_commands *t, uint64_t id, struct gateway_command *ret);

/* ---- loop.c ---- */
struct gw_link {
    struct gw_link *prev, *next;
};
enum gw_wait { GW_READING, GW_WAIT_ROOM, GW_WAIT_RATE };

struct gw_conn {
    uv_tcp_t tcp;
    struct session s;
    struct gw_loop *loop;
    struct gw_link wait_link, dirty_link;
    struct gw_conn_id id;
    uint64_t read_turn; /* turn of the loop in which it was read */
    int64_t rate_until_ms, waits_since_ms;
    uint32_t last_read, out_waiting, left; /* left: bytes counted in loop->left */
    uint8_t wait;                          /* enum gw_wait */
    bool closing, ended, dirty, resumed, starved;
    char peer[64];
};

struct gw_flight {                /* one block and how its entries are to be answered */
    struct recorder_block *block; /* NULL: free */
    uint32_t replies, bytes;
    struct gw_flight_reply {
        uint32_t slot, gen;
        struct session_reply r;
    } reply[RECORDER_BLOCK_ENTRIES];
};

struct gw_mail { /* a command for a connection */
    struct gw_conn_id to;
    uint64_t id;
};

struct gw_counters { /* one writer, the loop */
    _Atomic uint64_t accepted, refused_limit, open, frames, bytes_in, bytes_out, rejected, acks, paused, accept_pauses;
};

struct gw_loop {
    struct gateway *g;
    unsigned number;
    int listen_fd; /* -1: closed */
    bool started;
    pthread_t thread;
    uv_loop_t uv;
    uv_poll_t listener;
    int64_t accept_again_ms; /* monotonic: accepting failed and is tried again then; 0: it works */
    uv_async_t async;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    struct session_env env;
    struct recorder_port *port;
    struct gw_flight flight[RECORDER_PORT_BLOCKS], *cur;
    unsigned flying;
    uint64_t turn;
    int64_t wall_off_ms; /* wall clock minus loop time */
    struct gw_conn **slot;
    uint32_t *gen, *free_slot, slots, n_free;
    uint32_t tick_part;
    size_t left;
    struct gw_link wait_room, wait_rate, dirty;
    struct gw_conn *out_to; /* whose answers are in out */
    size_t out_n;
    char out[GATEWAY_OUT_MOST];
    char input[SESSION_HEADROOM + GATEWAY_READ_BYTES];
    char scratch[HJ212_FRAME_MAX];
    struct gw_counters n;
    pthread_mutex_t mail_lock;
    struct gw_mail mail[GATEWAY_MAIL];
    unsigned mail_n;
    atomic_bool stop;
    bool stopping, closed;
    int64_t stop_until_ms;
};
/* The loop's thread; its argument is the struct gw_loop. */
enum lt_err gw_loop_init(struct gw_loop *l, struct lt_error *err);
void gw_loop_fini(struct gw_loop *l);
void *gw_loop_run(void *arg);
bool gw_loop_post(struct gw_loop *l, const struct gw_mail *m); /* any thread; false: full */

struct gateway {
    struct gateway_config cfg;
    char listen_text[64];
    struct recorder *rec;
    struct registry *reg;
    struct gw_devices devices;
    struct gw_addrs addrs;
    struct gw_commands commands;
    atomic_uint open, conns; /* open now; numbers given */
    struct sockaddr_storage bound;
    unsigned loops;
    struct gw_loop *loop[GATEWAY_LOOPS_MAX];
};
void gw_address_text(const struct sockaddr_storage *a, char ret[64]);
void gw_address_key(const struct sockaddr_storage *a, uint8_t ret[16]);
#endif
