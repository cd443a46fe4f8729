/* session: one connection of a field device, without its socket. Bytes and time go in; journal records, reply bytes and
 * state of commands come out through struct session_ops. No clock, no I/O, no threads: the owner calls one function at
 * a time and gives it the time. Used by the gateway's loops and, with scripted bytes and virtual time, by the tests.
 *
 * Promise: nothing is answered here before the owner says, by session_durable(), that the record is on disk. */
#ifndef LT_GATEWAY_SESSION_H
#define LT_GATEWAY_SESSION_H
#include "base/clock.h"
#include "gateway/gateway.h"
#include "hj212/hj212.h"

enum {
    SESSION_HEADROOM = 8192, /* writable bytes before the input; derivation: an unfinished frame, 4,108 bytes, fits */
    /* MNs of one connection known at once. Derivation: concentrators of a whole park bring some two hundred outlets;
     * twice that and more, at 140 bytes each (70 kB for a full table; an ordinary connection holds one). Beyond, the
     * one longest unheard that no command is under way for gives way. */
    SESSION_DEVICES = 512,
    SESSION_STRANGERS = 8, /* of them not enrolled: who invents MNs gets no memory */
    SESSION_DRIFTS = 9,    /* QNs whose median is the clock drift */
    SESSION_AUTO = 8, /* commands of first connect under way at once on one connection; other devices wait their turn */
    SESSION_REQUESTS = 264, /* commands on one connection. Derivation: a full mailbox of the loop, 256, and the own 8 */
    SESSION_REFUSED_MOST =
        30, /* frames refused in a row for password, address or status; then the connection is closed */
    SESSION_SETUP_AFTER = 3, /* frames without a usable QN after which first-connect goes on without the clock */
};
#define SESSION_OVER_TIME_S 10 /* HJ 212-2017 6.2 Table 1: 9011 or 9013 is due within 10 s … */
#define SESSION_RESENDS     3  /* … else sent again, three times. Both may be set per device (command 1000) */
#define SESSION_TIME_AGAIN_MS                                                                                          \
    LT_MIN_MS /* a device that keeps asking for the time (1013) is set this often; then 9013 alone */
#define SESSION_EXECUTE_MS                                                                                             \
    (60 * LT_SEC_MS) /* between 9011, data and 9012. The standard leaves it to the link; a minute, as instruments      \
                        calibrate */
#define SESSION_LATE_MS       (10 * LT_MIN_MS) /* a 9012 this late still settles its command */
#define SESSION_DRIFT_SET_MS  (30 * LT_SEC_MS) /* a clock this far off is set at first connect */
#define SESSION_IDLE_FLOOR_MS (60 * LT_SEC_MS) /* observed intervals never close a connection sooner */

/* How a durable record is to be answered. Offsets are into the record's bytes, so nothing is copied per frame. */
struct session_reply {
    uint16_t answer; /* 9013, 9014 or 0 */
    uint16_t cn, st, pnum, pno, qn_at, pw_at, mn_at;
    uint8_t qn_n, pw_n, mn_n, flag, edition;
    bool has_flag, set_time; /* set_time: the device asked for the time (1013): 1012 follows */
};

struct session_device;
struct session_delta { /* what is new of a device since the last flush */
    uint32_t frames;
    int64_t last_at_ms, drift_ms; /* drift INT64_MIN: unknown */
    bool pending, registered;
};

enum session_first {
    SESSION_FIRST_NONE,
    SESSION_FIRST_CLOCK,
    SESSION_FIRST_ALL,
    SESSION_FIRST_LATER /* not its turn yet: its next frame asks again */
};

/* The owner's side. All are called on the owner's thread, inside a session function. */
struct session_ops {
    /* Takes a record for the journal. `reply` NULL: wants no answer. False: no room now; nothing may have happened,
     * the session stops and offers the same record again later. */
    bool (*record)(void *user, const struct journal_record *rec, const struct session_reply *reply);
    void (*send)(void *user, const char *p, size_t n);
    /* The shared entry of a device, which stays until detach; *ret_mn lives as long. NULL: too many devices. */
    void *(*attach)(void *user, struct lt_slice mn, bool registered, struct lt_slice *ret_mn);
    void (*detach)(void *user, void *entry, const char *cause);
    void (*update)(void *user, void *entry, const struct session_delta *d);
    void (*refused)(void *user, struct lt_slice mn);              /* counts; mn may be "" */
    void (*command)(void *user, const struct gateway_command *c); /* state changed; only commands with a number */
    /* First connect is about to begin: how much of it the device's limits allow (gateway_devices.c). `settings` stands
     * for what would be set: a change of it may be sent at once. */
    enum session_first (*first)(void *user, void *entry, uint32_t settings);
};

struct session_env { /* shared by all sessions of an owner */
    const struct session_ops *ops;
    const struct registry_snapshot *registry;
    int tz_min;
    bool enroll_open;
    enum gateway_setup setup;
    unsigned idle_s, frame_s, max_rate;
    int64_t at_ms, mono_ms; /* now */
    char *scratch;          /* HJ212_FRAME_MAX bytes, for deciphered frames */
};

struct session_device {
    void *entry;
    struct lt_slice mn;                /* in the entry */
    const struct registry_device *reg; /* in the snapshot of reg_version; NULL: not enrolled */
    uint64_t reg_version;
    uint64_t used;             /* turn of last use, the oldest gives way */
    char pw[HJ212_PW_MAX + 1]; /* as last received */
    uint8_t edition, setup;    /* setup: next step of first-connect, see session_request.c */
    uint8_t first;             /* enum session_first: how much of it is allowed */
    uint8_t drift_n, drift_at;
    uint16_t st;
    uint32_t fresh;       /* frames since last flush */
    uint32_t seen;        /* frames on this connection */
    int64_t time_mono_ms; /* when 1013 was last followed by 1012; 0 never */
    int32_t drift_ms[SESSION_DRIFTS];
};

struct session_request { /* one command; allocated only while it is of interest */
    struct session_request *next;
    struct gateway_command c; /* c.id 0: made by first-connect or 1013 */
    int64_t qn_at_ms;
    unsigned sends_most;
    bool notice; /* 2012, 2022: ends at 9013 */
    bool unsent; /* its bytes still wait for room in the journal */
};

enum session_stop { SESSION_GO, SESSION_NO_ROOM, SESSION_RATE };

struct session {
    void *user;
    uint32_t conn;         /* connection number, in the records */
    uint32_t cut_tolerate; /* bits in force for cutting: the default and those of the devices seen */
    uint8_t addr[16];
    struct session_device *dev; /* dev[0..dev_n), grows up to SESSION_DEVICES */
    uint32_t *dev_hash;         /* of their MNs: finding one of hundreds reads this alone */
    uint16_t dev_n, dev_cap;
    uint16_t cur; /* dev[cur] sent the last frame, when dev_n is not 0 */
    uint8_t stop; /* enum session_stop: why input was left over */
    bool dirty;   /* has something to flush */
    uint64_t turn;
    char *rest; /* unfinished frame, or input left over */
    uint32_t rest_n, rest_cap;
    struct session_request *requests;
    int64_t last_qn_ms;                   /* QNs are not used twice */
    int64_t last_ms, begun_ms, tokens_ms; /* monotonic: last bytes, begin of the unfinished frame, last token count */
    int64_t gap_ms;                       /* observed interval: longest gap, slowly forgotten */
    uint32_t gaps, tokens;                /* tokens in thousandths of a frame */
    uint32_t refused_run, mn_changes;
    uint64_t frames, refused;
    const char *cause; /* not NULL: close, and why (constant text or cause_text) */
    char cause_text[48];
};

void session_init(struct session *s, void *user, uint32_t conn, const uint8_t addr[16], const struct session_env *e);
/* Detaches its devices, ends its commands, frees. `cause`: for gateway_device.last_close. */
void session_fini(struct session *s, const struct session_env *e, const char *cause);
/* New bytes. p[-SESSION_HEADROOM] and after must be writable: an unfinished frame is put there. Everything is taken;
 * what cannot be handled now is kept and s->stop says why: do not read until session_resume() says true. */
void session_input(struct session *s, const struct session_env *e, char *p, size_t n);
/* Goes on with bytes left over; true when none are. */
bool session_resume(struct session *s, const struct session_env *e);
/* The device closed: what is unfinished is refused. May stop for want of room (then false: call again). */
bool session_end(struct session *s, const struct session_env *e);
/* About once a second: time-outs, resends, silence. */
void session_tick(struct session *s, const struct session_env *e);
void session_flush(struct session *s, const struct session_env *e);
/* When a token is there again after SESSION_RATE, monotonic. */
int64_t session_rate_until(const struct session *s, const struct session_env *e);

/* A record with a reply became durable: writes the answer into ret and returns its length (0: none). */
size_t session_answer(struct lt_slice raw, const struct session_reply *r, char *ret, size_t cap);
/* … and what follows it on the connection. */
void session_durable(struct session *s, const struct session_env *e, struct lt_slice raw,
                     const struct session_reply *r);

/* Takes a command for a device of this connection: c has id, mn, st (0: as last used), cn, area. It waits for an
 * automatic one. False: too many, or the device is not on this connection. */
bool session_command(struct session *s, const struct session_env *e, const struct gateway_command *c);

/* ---- between session.c and session_request.c ---- */
void session_requests_frame(struct session *s, const struct session_env *e, struct session_device *d,
                            const struct hj212_frame *f);
void session_requests_tick(struct session *s, const struct session_env *e);
void session_requests_end(struct session *s, const struct session_env *e, struct lt_slice mn);
void session_setup_begin(struct session *s, const struct session_env *e, struct session_device *d);
bool session_drift(const struct session_device *d, int64_t *ret_ms);
struct session_device *session_device_of(struct session *s, struct lt_slice mn); /* NULL: not on this connection */
bool session_under_way(const struct session *s, struct lt_slice mn);             /* a command of the device */
const struct registry_device *session_enrolled(const struct session_env *e, struct session_device *d);
#endif
