/* who: the person or program in whose name something is read or written. Filled by auth (from a session or token) or
 * by auth_system(); judged by record, flow and alarm. A plain value: copy it freely. */
#ifndef LT_RECORD_WHO_H
#define LT_RECORD_WHO_H
#include "base/err.h"
#include "base/slice.h"

struct auth_ctx {
    int64_t user_id; /* 0: the post itself or the command line */
    char login[65], name[129];
    char role[33];
    char permissions[2048]; /* "device:read,alarm:sign" … */
    int64_t territory;      /* 0 none: then nothing that has a territory is visible (unless `everywhere`) */
    int64_t enterprise;     /* not 0: a plant's user, sees only this enterprise */
    int64_t unit;
    char address[64]; /* where the request came from */
    enum lt_lang lang;
    bool must_change;   /* one-time password: only the change of password is allowed */
    bool everywhere;    /* no territory filter: the post itself, and "*" without territory or enterprise */
    bool system;        /* the post itself: may write read-only fields */
    int64_t session_id; /* 0 for tokens and the command line */
    int64_t token_id;
};

/* The post itself: may do everything. name: what history shows, e.g. "engine", "command line". */
struct auth_ctx auth_system(const char *name);

/* "kind:read", "alarm:sign" … A granted entry may use '*' for either side ("*", "device:*", "*:read"). "*:read" does
 * not cover user, role and audit, which must be granted by name. */
bool auth_may(const struct auth_ctx *who, const char *permission);
bool auth_may2(const struct auth_ctx *who, const char *kind, const char *verb);
/* LT_E_DENIED naming the permission (or LT_E_AUTH_CHANGE while the one-time password stands). */
enum lt_err auth_need(const struct auth_ctx *who, const char *permission, struct lt_error *err) LT_MUST_CHECK;
/* True when every permission in the comma list `wanted` is covered by what `who` has: nobody gives more than he has. */
bool auth_covers(const struct auth_ctx *who, struct lt_slice wanted);
#endif
