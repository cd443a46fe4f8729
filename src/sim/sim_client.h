/* sim client: many simulated devices in one thread, each with its own TCP connection to a platform that speaks HJ 212.
 *
 * Two ways of working:
 *  - LOAD: as many frames as asked for, values from a prepared pool (the generator must cost little beside the server);
 *  - CITY: each device follows its own schedule on the wall clock (real-time, minute, hour, day, states), misbehaves as
 *    its events say, back-fills after silence, and answers the platform's commands.
 *
 * A frame counts as acknowledged when its 9014 came back. Unanswered frames are sent again after timeout_ms, three
 * times, as HJ 212-2017 6.2 asks; after a broken connection at once on the new one. */
#ifndef LT_SIM_CLIENT_H
#define LT_SIM_CLIENT_H
#include "base/err.h"
#include "sim/sim_device.h"

#include <stdatomic.h>
#include <stdio.h>

#define SIM_WINDOW_MAX 64 /* unanswered frames per device */

enum sim_load { SIM_LOAD_CEMS, SIM_LOAD_POWER, SIM_LOAD_DUST, SIM_LOAD_VEHICLE }; /* what LOAD sends */
bool sim_load_kind(const char *name, enum sim_load *ret);                         /* "cems", "power", … */

struct sim_client_config {
    const char *host; /* address in numbers, or a name */
    unsigned port;
    struct sim_device *devices;
    unsigned n;
    bool city;               /* CITY, else LOAD */
    enum sim_load load;      /* LOAD: of which kind the devices are */
    double rate;             /* LOAD: frames a second of all devices together; 0: as fast as answers come */
    double seconds;          /* how long to send; 0: until *stop */
    unsigned window;         /* unanswered frames per device, 1..SIM_WINDOW_MAX (default 1) */
    unsigned timeout_ms;     /* before a frame is sent again (default 10,000) */
    unsigned drain_ms;       /* at the end, wait this long for answers (default 15,000) */
    int64_t backlog_ms;      /* LOAD: data times start this long ago and advance step_ms a frame; 0: data time is now */
    int64_t step_ms;         /* LOAD with backlog: default 30,000 */
    int64_t history_from_ms; /* CITY: back-fills from here on when first connected; 0: nothing */
    unsigned sources;        /* source addresses 127.0.0.1 … 127.0.0.n for more than 20,000 connections; 0: unbound */
    FILE *acked;             /* every acknowledged frame is written here, one per line; NULL: not */
    FILE *samples;           /* a line of JSON there every samples_ms: what was in that time; NULL: not */
    unsigned samples_ms;     /* default 5,000 */
    atomic_bool *stop;       /* may be NULL */
    bool progress;           /* a line a second on standard error */
};

struct sim_report {
    uint64_t sent, acknowledged, resent, lost, commands, connects, disconnects, connect_failures, bytes_out, bytes_in;
    double seconds, rate;                           /* of acknowledged frames while sending */
    double p50_ms, p90_ms, p99_ms, p999_ms, max_ms; /* from (first) sending to answer */
};

/* Runs until done; *ret is filled also on failure. */
enum lt_err sim_client_run(const struct sim_client_config *cfg, struct sim_report *ret,
                           struct lt_error *err) LT_MUST_CHECK;

/* Writes the report as one JSON object and a newline. */
void sim_report_print(const struct sim_report *r, FILE *to);
#endif
