/* gateway: HJ 212 over TCP. libuv loops (one per core, SO_REUSEPORT), one sans-I/O session per connection: bytes and
 * time in, records to the recorder and reply bytes out. Acknowledges only what the recorder made durable.
 * Everything has a limit; see struct gateway_config. */
#ifndef LT_GATEWAY_H
#define LT_GATEWAY_H
#include "base/err.h"
#include "recorder/recorder.h"
#include "registry/registry.h"

enum gateway_setup {                         /* HJ 212-2017 6.7, first connect */
                     GATEWAY_SETUP_NEEDED,   /* asks for intervals first; sets clock and intervals only where they are
                                                wrong */
                     GATEWAY_SETUP_STANDARD, /* the whole sequence: time, time-out and resends, intervals, uploads on or
                                                off */
                     GATEWAY_SETUP_OFF
};

struct gateway_config {
    const char *listen; /* "127.0.0.1:9012", "[::]:9012" */
    unsigned loops;     /* default: number of cores */
    bool enroll_open;   /* answer devices that are not enrolled */
    int tz_min;
    unsigned max_conns;          /* all together, default 18,000 (of 20,000 descriptors) */
    unsigned max_conns_per_addr; /* default 2,000: a whole park may sit behind one address */
    unsigned max_pending;        /* devices not enrolled, default 1,000 */
    unsigned idle_s;             /* closes a connection silent this long when its interval is unknown, default 600 */
    unsigned frame_s;            /* an unfinished frame is given up after this, default 30 */
    unsigned max_rate;           /* frames a second and connection, default 2,000; above it reading pauses */
    enum gateway_setup setup;    /* what active devices are sent when they connect */
    void (*on_command)(void *user, uint64_t id); /* a command's state changed; called on a loop thread */
    void *user;
};

struct gateway;
/* Zero in a number of *cfg means its default; recorder and registry must outlive the gateway. LT_E_LISTEN when the
 * address cannot be had or is none. */
enum lt_err gateway_start(const struct gateway_config *cfg, struct recorder *rec, struct registry *reg,
                          struct gateway **ret, struct lt_error *err) LT_MUST_CHECK;
/* Stops accepting, waits until what was received is durable and answered (at most 5 s), closes. No other call may be
 * under way or come later. Blocks the recorder still holds are waited for. */
void gateway_stop(struct gateway **g);
/* The address really bound, "127.0.0.1:9012" (port 0 asks for any). */
void gateway_address(const struct gateway *g, char ret[64]);

/* ---- what is known of connections, by device ---- */
struct gateway_device {
    char mn[65];
    char peer[64];
    bool connected, pending;
    int64_t connected_at_ms, last_at_ms; /* last bytes */
    int64_t drift_ms;                    /* device clock minus ours, median of recent QNs; INT64_MIN unknown */
    uint64_t frames, rejected;
    uint32_t conns;      /* open connections with this MN: 2 or more is suspicious */
    char last_close[48]; /* why the last connection ended: "closed by device", "no data for 61 s", "wrong password" … */
};
bool gateway_device(struct gateway *g, struct lt_slice mn, struct gateway_device *ret);
size_t gateway_devices(struct gateway *g, struct gateway_device *ret, size_t cap);

/* ---- commands down ---- */
enum gateway_command_step {
    GATEWAY_CMD_SENT,     /* waiting for 9011 (or 9013); sends 0: behind another one */
    GATEWAY_CMD_ACCEPTED, /* QnRtn=1: waiting for data and 9012 */
    GATEWAY_CMD_DONE,
    GATEWAY_CMD_REFUSED,
    GATEWAY_CMD_FAILED,
    GATEWAY_CMD_TIMEOUT
};
struct gateway_command {
    uint64_t id;
    char mn[65];
    char qn[18];
    uint16_t st, cn;
    char area[1000]; /* data area sent */
    enum gateway_command_step step;
    int code;          /* QnRtn or ExeRtn; -1: the connection was lost */
    unsigned sends;    /* 1 + resends */
    unsigned frames;   /* data frames that came for it */
    char answer[2000]; /* data area of a single answer (1011, 1061, 3020 …), "" when none */
    int64_t sent_at_ms, changed_at_ms;
    int64_t until_mono_ms;
};
/* Sends to the device's connection (time-out and resends as registered; else by HJ 212-2017 6.2: 10 s, 3 resends). st
 * 0: as the device last used. One command of a device at a time: LT_E_BUSY. */
enum lt_err gateway_command_send(struct gateway *g, struct lt_slice mn, uint16_t st, uint16_t cn, struct lt_slice area,
                                 uint64_t *ret_id, struct lt_error *err) LT_MUST_CHECK;
bool gateway_command_get(struct gateway *g, uint64_t id, struct gateway_command *ret); /* last 1,000 are kept */

struct gateway_stats {
    uint64_t accepted, refused_limit, open, frames, bytes_in, bytes_out, rejected, acks, paused;
    uint64_t accept_pauses; /* times accepting had to rest for want of descriptors or memory */
    size_t session_bytes;   /* own memory per connection */
};
void gateway_stats(struct gateway *g, struct gateway_stats *ret);
#endif
