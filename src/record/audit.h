/* audit: who did what, in a hash-chained table. hash = SHA-256(previous hash || fields, each with its length), so a row
 * changed, removed or inserted later is found and named. Written in the transaction of the deed itself. */
#ifndef LT_RECORD_AUDIT_H
#define LT_RECORD_AUDIT_H
#include "json/json.h"
#include "record/who.h"
#include "sql/sql.h"

struct audit_entry {
    const struct auth_ctx *who;
    int64_t at_ms;
    const char *action;     /* "create", "update", "delete", "login", "login_failed", "export" … */
    const char *kind;       /* record kind or NULL */
    int64_t record_id;      /* 0 none */
    struct lt_slice detail; /* JSON object; must hold no secrets. "" is stored as {} */
};
/* Call inside a transaction (opens its own scope otherwise). */
enum lt_err audit_add(struct sql_db *db, const struct audit_entry *e, struct lt_error *err) LT_MUST_CHECK;

/* Walks the chain from the start. LT_OK: whole, *ret_rows counted. LT_E_CORRUPT: *ret_bad_seq is the first bad row. */
enum lt_err audit_verify(struct sql_db *db, int64_t *ret_rows, int64_t *ret_bad_seq,
                         struct lt_error *err) LT_MUST_CHECK;

/* The rule of the chain, also for other tables that are kept like it: hash of a row from that of the row before and its
 * columns. An integer is 8 bytes big endian, a text its length so and its bytes (so that nothing can move from one
 * column to the next). */
#define AUDIT_HASH 32
struct audit_column {
    bool number;
    int64_t i;
    struct lt_slice s;
};
#define AUDIT_I(v) ((struct audit_column){.number = true, .i = (v)})
#define AUDIT_S(v) ((struct audit_column){.s = (v)})
void audit_hash(const uint8_t before[AUDIT_HASH], const struct audit_column *columns, size_t n,
                uint8_t ret[AUDIT_HASH]);

struct audit_query {
    struct lt_slice user;   /* login or name, "" any */
    struct lt_slice kind;   /* "" any */
    int64_t from_ms, to_ms; /* 0 open */
    int64_t before_seq;     /* cursor: 0 from the newest */
    unsigned limit;         /* 1..200 */
};
/* Writes {"items":[{seq,at,user_id,user_name,address,action,kind,record_id,detail,hash}],"next":"seq"|null}, newest
 * first. The caller has checked "audit:read". */
enum lt_err audit_list(struct sql_db *db, const struct audit_query *q, int tz_min, struct jsonw *w,
                       struct lt_error *err) LT_MUST_CHECK;
#endif
