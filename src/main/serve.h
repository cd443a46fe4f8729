/* serve: the running post, started and stopped in a fixed order. */
#ifndef LT_MAIN_SERVE_H
#define LT_MAIN_SERVE_H
#include "main/config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct air;
struct air_feed;
struct air_figures;
struct api;
struct bus;
struct engine;
struct gateway;
struct proof;
struct recorder;
struct registry;
struct series;
struct sql_db;

struct serve {
    struct config cfg;
    bool demo;
    struct sql_db *db; /* main thread's */
    struct recorder *recorder;
    struct registry *registry;
    struct series *series;
    struct engine *engine;
    struct bus *bus;
    struct air *air;
    struct air_figures *figures;
    struct air_feed *feed;
    int64_t next_feed_ms; /* monotonic */
    struct gateway *gateway;
    struct proof *proof;
    struct api *api;
    /* simulated devices of the demonstration city */
    pthread_t sim_thread;
    bool sim_started;
    atomic_bool sim_stop;
    int64_t sim_from_ms;
    atomic_bool disk_faulty;
    bool disk_told;
    /* Is the post to stop? Asked between slices of long work, which also have the disk's state told. */
    bool (*stop_asked)(struct serve *s);
    int64_t next_short_ms, next_night_ms; /* monotonic; wall */
};

/* serve_care.c: what must be done now and then; called about once a second with the time. The night's work takes long:
 * between its slices it does what is due, and leaves off when stop_asked() says so. */
void serve_care(struct serve *s, int64_t wall_ms, int64_t mono_ms);
/* serve_demo.c */
enum lt_err serve_demo_start(struct serve *s, struct lt_error *err) LT_MUST_CHECK;
void serve_demo_stop(struct serve *s);
void serve_demo_print(const struct serve *s);
#endif
