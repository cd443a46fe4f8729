/* Inside api only: a call, the route table, the topology, the desk. */
#ifndef LT_API_PRIV_H
#define LT_API_PRIV_H
#include "api/api.h"
#include "alarm/alarm.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "bus/bus.h"
#include "engine/engine.h"
#include "gateway/gateway.h"
#include "hj212/hj212.h"
#include "http/http.h"
#include "journal/journal.h"
#include "json/json.h"
#include "record/audit.h"
#include "record/record.h"
#include "recorder/recorder.h"
#include "registry/registry.h"
#include "series/series.h"
#include "sql/sql.h"

#include <pthread.h>
#include <stdatomic.h>

#ifndef API_VERSION
#define API_VERSION "0" /* the build gives it */
#endif
#define API_BODY   (256u * 1024) /* a record of 48 fields has at most some 30 kB */
#define API_COOKIE "lt_session"

/* ---- routes ---- */
enum api_access {
    API_OPEN,   /* anybody */
    API_SIGNED, /* any session or token, even while the one-time password stands */
    API_USER,   /* any session or token */
    API_MAY     /* needs `permission` */
};
struct api_call;
struct api_route {
    enum http_method method;
    const char *pattern;
    enum api_access access;
    const char *permission;
    enum lt_err (*run)(struct api_call *c, struct lt_error *err);
    size_t body_limit;
    enum http_lane lane;
    const char *en, *zh; /* summary */
    const char *query;   /* "kind=rtd|min|hour, from=time, limit=int": parameters of the query */
    const char *body;    /* "login=text!, password=text!" (! required), or a schema "#enterprise_write" */
    const char *answer;  /* what comes back, in words or "#schema" */
    bool no_csrf;
    const struct record_kind *kind;
};
extern const struct api_route api_routes[];
extern const size_t api_routes_n;

/* ---- one call ---- */
struct api_thread {
    struct sql_db *db;
    struct journal_reader *reader; /* opened at the first use */
};
struct api_call {
    struct api *a;
    struct api_thread *t;
    const struct http_request *req;
    struct http_response *res;
    const struct api_route *route;
    struct auth_ctx who;
    struct lt_slice session; /* session token, "" for a bearer token */
    int64_t now_ms;
    struct record_ctx x;
    struct jsonw w; /* onto res->body */
    json_t *body;
    struct record_faults faults;
    bool raw; /* the handler wrote something else than JSON */
};
enum lt_err api_id(const struct api_call *c, unsigned param, int64_t *ret, struct lt_error *err) LT_MUST_CHECK;
enum lt_err api_body(struct api_call *c, struct lt_error *err) LT_MUST_CHECK; /* c->body; nothing sent is {} */
/* Query parameters; absent ones leave *ret as it is. */
enum lt_err api_query_i64(const struct api_call *c, const char *name, int64_t min, int64_t max, int64_t *ret,
                          struct lt_error *err) LT_MUST_CHECK;
enum lt_err api_query_time(const struct api_call *c, const char *name, int64_t *ret,
                           struct lt_error *err) LT_MUST_CHECK;
enum lt_err api_query_day(const struct api_call *c, const char *name, int *ret_day, struct lt_error *err) LT_MUST_CHECK;
/* names ends with NULL; *ret: the place of the value among them. */
enum lt_err api_query_choice(const struct api_call *c, const char *name, const char *const *names, int *ret,
                             struct lt_error *err) LT_MUST_CHECK;
/* LT_E_FIELD_CHOICE of a value that is none of names. */
enum lt_err api_no_choice(const char *name, struct lt_slice value, const char *const *names, struct lt_error *err);
const struct record_kind *api_kind(const char *name);            /* a kind that exists by declaration */
enum lt_err api_missing(const char *what, struct lt_error *err); /* a part that does not run here */
/* Ids of at most cap records of a kind where every named field equals its value; newest first. */
struct api_equal {
    const char *field;
    struct lt_slice value;
};
enum lt_err api_ids(const struct api_call *c, const struct record_kind *k, const struct api_equal *eq, size_t n,
                    int64_t *ret, size_t cap, size_t *ret_n, struct lt_error *err) LT_MUST_CHECK;
/* Writes the array of these records. */
enum lt_err api_items(struct api_call *c, const struct record_kind *k, const int64_t *ids, size_t n,
                      struct lt_error *err) LT_MUST_CHECK;
struct lt_slice api_number(int64_t v, char mem[24]);

/* ---- topology: who belongs to whom; an immutable snapshot ---- */
struct topo_territory {
    int64_t id, parent, lon, lat;
    const char *code, *name, *name_en, *level;
};
struct topo_enterprise {
    int64_t id, territory, lon, lat;
    const char *name, *name_en, *industry, *status;
};
struct topo_outlet {
    int64_t id, enterprise;
    const char *name;
};
struct topo_device {
    int64_t id, outlet, enterprise, territory;
    const char *mn, *name, *status;
};
struct topo {
    atomic_uint refs;
    struct topo_territory *territory; /* each sorted by id */
    struct topo_enterprise *enterprise;
    struct topo_outlet *outlet;
    struct topo_device *device;
    const struct topo_device **by_mn;
    size_t n_territory, n_enterprise, n_outlet, n_device;
    struct topo_text *text;
};
enum lt_err topo_build(struct sql_db *db, int64_t now_ms, int tz_min, struct topo **ret,
                       struct lt_error *err) LT_MUST_CHECK;
void topo_unref(struct topo *t);
const struct topo_territory *topo_territory(const struct topo *t, int64_t id);
const struct topo_enterprise *topo_enterprise(const struct topo *t, int64_t id);
const struct topo_outlet *topo_outlet(const struct topo *t, int64_t id);
const struct topo_device *topo_device(const struct topo *t, int64_t id);
const struct topo_device *topo_device_mn(const struct topo *t, const char *mn);
/* May he see what lies in this territory and belongs to this enterprise (0: none)? */
bool topo_sees(const struct topo *t, const struct auth_ctx *who, int64_t territory, int64_t enterprise);

/* ---- limiter: of signing in by address, of costly requests by person ---- */
#define LIMITER_SLOTS 4096 /* remembered; the longest unused of a few gives way */
struct limiter {
    pthread_mutex_t lock;
    struct {
        uint64_t key;
        int64_t at_ms;  /* when `tokens` held */
        int32_t tokens; /* thousandths */
    } slot[LIMITER_SLOTS];
};
void limiter_init(struct limiter *l);
/* Takes one try of the address (or "verify 12", a deed and a person): a burst of 10, then one each 6 s. False: none
 * left. */
bool limiter_take(struct limiter *l, const char *address, int64_t now_ms);
void limiter_give_back(struct limiter *l, const char *address, int64_t now_ms); /* the try succeeded */

/* ---- desk ---- */
#define DESK_COMMANDS 1000 /* as many as the gateway keeps */
struct desk_command {
    uint64_t id;
    int64_t record;
    int step;
    unsigned frames;
};
struct api {
    struct api_config cfg;
    struct api_deps deps;
    char dir[512], web_root[512], city_name[256], city_name_en[256];
    struct http *http;
    struct http_route *http_routes;
    struct api_route *kind_routes;
    size_t n_http_routes, n_kind_routes;
    struct limiter limiter;
    int64_t started_ms;
    /* desk; `lock` guards what follows */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t desk;
    struct replay_jobs *replays;
    bool desk_runs, stop, signalled, config_due;
    struct topo *topo;
    bool topo_due;
    struct desk_command command[DESK_COMMANDS];
    size_t n_commands;
};
/* api_replay.c. The gate of rules: begin before a change through the record routes, end after it (commits or rolls
 * back); for other kinds both do nothing. */
struct replay_rules;
struct api_gate {
    bool on;
    int64_t replay;
    struct replay_rules *before;
};
enum lt_err api_gate_begin(struct api_call *c, struct api_gate *g, struct lt_error *err) LT_MUST_CHECK;
enum lt_err api_gate_end(struct api_call *c, struct api_gate *g, enum lt_err e, struct lt_error *err) LT_MUST_CHECK;
enum lt_err api_replay_start(struct api *a, struct lt_error *err) LT_MUST_CHECK;
void api_replay_stop(struct api *a);
enum lt_err desk_start(struct api *a, struct lt_error *err) LT_MUST_CHECK;
void desk_stop(struct api *a);
struct topo *desk_topo(struct api *a); /* referenced; never NULL after the start */
/* A kind whose declaration says `config` was changed and committed: tells engine (journal) and gateway (registry). */
void desk_config_changed(struct api *a, struct sql_db *db, const char *kind, int64_t now_ms);
void desk_follow(struct api *a, uint64_t command, int64_t record);

/* ---- parts ---- */
void api_openapi(struct lt_buf *out);
void api_page(struct api *a, const struct http_request *req, struct http_response *res);
/* hide: passwords among its items are starred. */
void frame_decoded(struct jsonw *w, struct lt_slice raw, enum lt_lang lang, int tz_min, bool hide);
/* Stars the values of PW= and NewPW= (command 1072) in a frame or data area, and the CRC made with them. */
void frame_hide_passwords(char *p, size_t n);
struct api_alarm_counts {
    int64_t urgent, important, normal, unsigned_, overdue;
};
enum lt_err api_alarm_counts(struct api_call *c, const struct topo *t, struct api_alarm_counts *ret,
                             struct lt_error *err) LT_MUST_CHECK;
/* Open alarms by enterprise: calls each() per (territory, enterprise) he may see. */
enum lt_err api_alarms_by_plant(struct api_call *c, const struct topo *t,
                                void (*each)(void *user, int64_t territory, int64_t enterprise, int64_t n), void *user,
                                struct lt_error *err) LT_MUST_CHECK;
void api_metrics(struct api *a, struct lt_buf *out);
/* `extra` of kind evidence: alarm_text, delay_ms, hold, n_follow_ups; user is the struct record_ctx. */
void evidence_item_extra(void *ctx, const struct record_row *row, struct jsonw *w);

#define HANDLER(name) enum lt_err name(struct api_call *c, struct lt_error *err)
HANDLER(session_login);
HANDLER(session_get);
HANDLER(session_put);
HANDLER(session_delete);
HANDLER(session_password);
HANDLER(token_list);
HANDLER(token_create);
HANDLER(token_delete);
HANDLER(user_password_reset);
HANDLER(record_route_list);
HANDLER(record_route_get);
HANDLER(record_route_create);
HANDLER(record_route_update);
HANDLER(record_route_delete);
HANDLER(record_route_history);
HANDLER(record_route_export);
HANDLER(record_route_import);
HANDLER(alarm_board_get);
HANDLER(alarm_move_post);
HANDLER(alarm_verdicts_get);
HANDLER(rule_precision_get);
HANDLER(device_series);
HANDLER(device_frames);
HANDLER(device_ledger);
HANDLER(device_connection);
HANDLER(device_command_post);
HANDLER(device_commands_get);
HANDLER(device_enroll);
HANDLER(device_versions);
HANDLER(outlet_summary);
HANDLER(enterprise_summary);
HANDLER(air_now_get);
HANDLER(air_hours_get);
HANDLER(air_changes_get);
HANDLER(air_versions_get);
HANDLER(air_gaps_get);
HANDLER(air_import_post);
HANDLER(air_push_post);
HANDLER(air_undo_post);
HANDLER(air_review_post);
HANDLER(air_review_move_post);
HANDLER(air_review_get);
HANDLER(air_review_list);
HANDLER(map_get);
HANDLER(map_boundaries);
HANDLER(overview_get);
HANDLER(meta_get);
HANDLER(air_days_get);
HANDLER(air_period_get);
HANDLER(air_series_get);
HANDLER(air_diurnal_get);
HANDLER(air_board_get);
HANDLER(air_ranking_get);
HANDLER(air_targets_get);
HANDLER(air_target_get);
HANDLER(air_parts_get);
HANDLER(air_parts_post);
HANDLER(air_plan_get);
HANDLER(air_whatif_post);
HANDLER(air_paper_get);
HANDLER(air_paper_post);
HANDLER(air_papers_get);
HANDLER(air_paper_print);
HANDLER(system_get);
HANDLER(ledger_get);
HANDLER(audit_get);
HANDLER(audit_verify_get);
HANDLER(events_get);
HANDLER(health_get);
HANDLER(metrics_get);
HANDLER(openapi_get);
HANDLER(evidence_detail_get);
HANDLER(evidence_download_get);
HANDLER(evidence_entry_get);
HANDLER(evidence_verify_post);
HANDLER(evidence_append_post);
HANDLER(evidence_custody_post);
HANDLER(proof_days_get);
HANDLER(proof_statement_get);
HANDLER(proof_lines_get);
HANDLER(proof_keys_get);
HANDLER(proof_inclusion_get);
HANDLER(proof_seal_post);
HANDLER(proof_verify_post);
HANDLER(proof_verify_get);
HANDLER(replay_create);
HANDLER(replay_cancel);
HANDLER(replay_apply_post);
HANDLER(replay_diff_json_get);
HANDLER(replay_diff_csv_get);
#endif
