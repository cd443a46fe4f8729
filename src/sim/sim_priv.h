/* sim private: one connected device of the client. */
#ifndef LT_SIM_PRIV_H
#define LT_SIM_PRIV_H
#include "sim/sim_client.h"

enum { SIM_FRAME_CAP = 1536, SIM_RX_CAP = 2048, SIM_POOL = 128 };

struct sim_slot { /* a frame under way */
    char *bytes;  /* SIM_FRAME_CAP */
    uint16_t n;
    uint8_t sends;
    bool busy;
    int64_t first_us, last_us; /* first sent, last sent */
};

struct sim_conn {
    struct sim_device *dev;
    unsigned index;
    int fd; /* -1: not connected */
    bool connecting, want_write;
    int64_t retry_us; /* when to connect again */
    unsigned failures;
    struct sim_slot *slots;
    unsigned head, count; /* ring of the window */
    char rx[SIM_RX_CAP];
    size_t rx_n;
    char *tx; /* bytes the socket did not take yet */
    size_t tx_n, tx_cap;
    int64_t last_qn_ms;   /* QNs of one device never repeat */
    int64_t next_data_ms; /* LOAD with backlog */
    uint64_t made;
    /* CITY: next moments of the schedule; back-fill runs them through in order */
    int64_t next_ms[5]; /* by enum sim_kind */
    bool rtd_off;
};

struct sim_client {
    const struct sim_client_config *cfg;
    struct sim_report *rep;
    struct sim_conn *conns;
    int ep;
    unsigned window;
    char *pool[SIM_POOL]; /* value texts behind "DataTime=…" */
    size_t pool_n[SIM_POOL];
    uint32_t *latency; /* histogram of 10 µs steps to 1 s, then 1 ms steps to 61 s */
    uint32_t *recent;  /* the same since the last sample; NULL: nobody asks */
    double tokens;
    unsigned turn;
};

/* sim_client.c */
bool sim_slot_free(const struct sim_client *c, const struct sim_conn *k);
struct sim_slot *sim_slot_next(struct sim_conn *k, unsigned window);
void sim_conn_send(struct sim_client *c, struct sim_conn *k, const char *p, size_t n);
void sim_conn_flush(struct sim_client *c, struct sim_conn *k);
void sim_conn_close(struct sim_client *c, struct sim_conn *k, int64_t now_us);

/* sim_load.c */
bool sim_load_init(struct sim_client *c);
void sim_load_fini(struct sim_client *c);
bool sim_load_one(struct sim_client *c, struct sim_conn *k, int64_t now_us, int64_t wall_ms);

/* sim_city.c */
void sim_city_init(struct sim_client *c, struct sim_conn *k, int64_t wall_ms);
bool sim_city_wants_connection(const struct sim_conn *k, int64_t wall_ms);
void sim_city_step(struct sim_client *c, struct sim_conn *k, int64_t now_us, int64_t wall_ms);

/* sim_command.c: what a device does with a frame from the platform that is no acknowledgement */
void sim_command(struct sim_client *c, struct sim_conn *k, const struct hj212_frame *f, int64_t wall_ms);
#endif
