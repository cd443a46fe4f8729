/* api: the post over HTTP: every route of /api/v1, the event stream, /healthz, /metrics and the embedded pages, over
 * the units that do the work. It judges who may call a route (session cookie with page token, or bearer token) and
 * leaves what he may see and do to record, flow, alarm and auth.
 *
 * Threads: those of http, each with its own connection to DIR/state.db, and one desk thread: it follows commands to
 * devices, keeps the topology (which device belongs to which plant and territory) and tells engine and gateway of
 * changed configuration. */
#ifndef LT_API_H
#define LT_API_H
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct air;
struct proof;
struct air_figures;
struct bus;
struct engine;
struct gateway;
struct recorder;
struct registry;
struct series;

struct api_config {
    const char *dir;                /* data directory; record, auth and alarm are set up already */
    const char *listen;             /* "127.0.0.1:8080" */
    const char *tls_cert, *tls_key; /* "" or NULL: plain HTTP */
    const char *web_root;           /* pages from this directory instead of the built-in ones; NULL or "" */
    int tz_min;
    bool demo;
    const char *city_name, *city_name_en;
    unsigned max_conns, max_conns_per_addr; /* 0: defaults of http */
    unsigned workers;                       /* 0: default of http */
    bool trust_proxy;                       /* see http.h */
};

/* All must outlive the API: stop the API before any of them. Any may be NULL (tests): what needs it then answers
 * LT_E_UNSUPPORTED, or leaves its part out. */
struct api_deps {
    struct bus *bus;
    struct recorder *recorder;
    struct registry *registry;
    struct gateway *gateway;
    struct engine *engine;
    struct series *series;
    struct air *air;
    struct proof *proof;
    struct air_figures *figures;
};

struct api;
enum lt_err api_start(const struct api_config *cfg, const struct api_deps *deps, struct api **ret,
                      struct lt_error *err) LT_MUST_CHECK;
void api_stop(struct api **a);                       /* NULL is fine */
void api_address(const struct api *a, char ret[64]); /* really bound */
/* gateway_config.on_command: a command's state changed. Any thread; only signals. */
void api_command_changed(struct api *a, uint64_t id);
#endif
