/* record: every kind of record (enterprise, device, rule, alarm …) is declared once, in kinds_*.c. From the declaration
 * come the SQL table, validation, history, audit, territory filter, lists, JSON, OpenAPI, sheets and what the web page
 * needs to draw list and form. Adding a field is one line there.
 *
 * Every table has id, version (counts up from 1), created_at_ms, updated_at_ms, deleted, then the declared fields:
 * text and enum as TEXT, int, fix (millionths), bool (0/1), time (UTC ms) and ref (id) as INTEGER.
 *
 * Secrets (RECORD_F_SECRET) go in but never out: JSON shows "FIELD_set": true|false, history and audit say "set" or
 * "changed", sheets leave them out.
 *
 * Threads: no shared state; each thread brings its own sql_db. */
#ifndef LT_RECORD_H
#define LT_RECORD_H
#include "base/buf.h"
#include "base/fix.h"
#include "json/json.h"
#include "record/who.h"
#include "sql/sql.h"

#define RECORD_FIELDS_MAX  48  /* alarm, the widest, has 33 */
#define RECORD_FILTERS_MAX 16  /* more than a list page offers */
#define RECORD_LIMIT_MAX   200 /* rows of one page */
#define RECORD_FAULTS_MAX  32  /* faults of one row that are named; further ones are only flagged */

/* ---- declarations ---- */
enum record_type {
    RECORD_TEXT,
    RECORD_INT,
    RECORD_FIX,
    RECORD_BOOL,
    RECORD_TIME,
    RECORD_DATE, /* DATE: a time at local midnight */
    RECORD_ENUM,
    RECORD_REF,
    RECORD_JSON /* TEXT holding a JSON object, shown as such */
};
const char *record_type_name(enum record_type t); /* "text","int","fix","bool","time","date","enum","ref","json" */

struct record_choice {
    const char *value, *en, *zh;
};
enum record_flag {
    RECORD_F_REQUIRED = 1,
    RECORD_F_UNIQUE = 2,   /* among records not deleted */
    RECORD_F_READONLY = 4, /* only the post itself writes it */
    RECORD_F_SECRET = 8,
    RECORD_F_LIST = 16,    /* a column of the list page */
    RECORD_F_SEARCH = 32,  /* searched by q= */
    RECORD_F_NAME = 64,    /* what stands for the record where others refer to it (FIELD_name) */
    RECORD_F_KEY = 128,    /* with the other KEY fields, finds the record an imported row belongs to */
    RECORD_F_HIDDEN = 256, /* not in JSON, metadata or sheets: the post's own bookkeeping */
    RECORD_F_QUIET = 512,  /* changes are not kept in history (counters, last seen) */
    RECORD_F_CREATE = 1024 /* may be given when the record is made, not changed later */
};
struct record_kind;
struct record_row;
struct record_faults;
struct record_field {
    const char *name;
    enum record_type type;
    unsigned flags;      /* enum record_flag bits */
    const char *en, *zh; /* labels */
    const char *unit;    /* "mg/m3" … or NULL */
    const char *hint_en, *hint_zh;
    const struct record_choice *choices; /* ENUM: ends with value NULL */
    const char *ref;                     /* REF: kind name */
    int64_t min, max; /* INT, FIX (millionths): range when max > min; TEXT, JSON: most characters in max */
    const char *dflt; /* default as text, or NULL */
    bool (*check)(struct lt_slice text); /* TEXT: form, or NULL */
    const char *form;                    /* what `check` wants, for the message: "9144… (18 characters)" */
};
struct record_kind {
    const char *name; /* = SQL table */
    const char *en, *zh;
    const struct record_field *fields;
    size_t n;
    const char *territory;  /* path to the territory id: "territory", "outlet.enterprise.territory", "id" … or NULL */
    const char *enterprise; /* path to the enterprise id, or NULL (then plants' users see nothing of a kind that has
                               a territory) */
    bool object;            /* belongs to the object named by object_kind, object_id */
    bool open_read;         /* readable beyond one's territory (names of areas, units) */
    bool readonly;          /* no create, update or delete by people through the record interface */
    const char *author;     /* field that gets the caller's name on create, or NULL */
    bool config;            /* a change must reach engine and registry: caller writes JOURNAL_CONFIG afterwards */
    /* Further rules between fields; adds faults. old is NULL on create. */
    void (*check)(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,
                  struct sql_db *db, struct record_faults *faults);
    const char *index; /* SQL that makes further indexes, or NULL */
};
size_t record_kind_count(void);
const struct record_kind *record_kind_at(size_t i);
const struct record_kind *record_kind_find(struct lt_slice name); /* NULL when unknown */
const struct record_field *record_field_find(const struct record_kind *k, struct lt_slice name);
const char *record_choice_label(const struct record_field *f, struct lt_slice value, enum lt_lang lang); /* or NULL */

/* Makes tables, adds columns that are new, makes indexes; then audit and history. Idempotent. Run once at start. */
enum lt_err record_setup(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;

/* ---- the place of every call ---- */
struct record_ctx {
    struct sql_db *db;
    const struct auth_ctx *who;
    int64_t now_ms;
    int tz_min;
};
struct record_faults {
    size_t n;
    bool more;
    struct lt_error list[RECORD_FAULTS_MAX];
};
void record_fault(struct record_faults *f, const struct lt_error *err); /* adds one */

/* ---- rows ---- */
struct record_value {
    bool null;
    int64_t i;         /* INT, FIX, BOOL, TIME, DATE, REF */
    struct lt_slice s; /* TEXT, ENUM, JSON; of a REF that was read: its name in the reader's language */
};
struct record_row {
    const struct record_kind *kind;
    int64_t id, version, created_at_ms, updated_at_ms;
    bool deleted;
    struct record_value v[RECORD_FIELDS_MAX]; /* in the order of kind->fields */
    struct lt_buf mem;                        /* texts, when the row owns them */
};
/* By name; a wrong name is a fault of the program (assertion). */
const struct record_value *record_value(const struct record_row *r, const char *field);
int64_t record_i64(const struct record_row *r, const char *field, int64_t if_null);
struct lt_slice record_text(const struct record_row *r, const char *field); /* "" when null */
void record_row_fini(struct record_row *r);

/* Reads one record the caller may see; LT_E_NOT_FOUND otherwise (also when it lies outside his territory: existence is
 * not told). LT_E_DENIED without KIND:read. The row owns its texts. Deleted records are not found. */
enum lt_err record_load(const struct record_ctx *x, const struct record_kind *k, int64_t id, struct record_row *ret,
                        struct lt_error *err) LT_MUST_CHECK;

/* ---- writing ---- each call is one scope: record, history, audit together or nothing ---- */
/* body: JSON object of fields. All faults are collected in `faults` (may be NULL), the first also in err. Texts may
 * stand for numbers ("12.5"); times are ISO 8601; null or "" clears. Refs are ids, or text: the unique code or
 * the name of what is referred to. */
enum lt_err record_create(const struct record_ctx *x, const struct record_kind *k, const json_t *body, int64_t *ret_id,
                          struct record_faults *faults, struct lt_error *err) LT_MUST_CHECK;
/* body holds the fields to change and "version". LT_E_STALE when the record moved on. */
enum lt_err record_update(const struct record_ctx *x, const struct record_kind *k, int64_t id, const json_t *body,
                          struct record_faults *faults, struct lt_error *err) LT_MUST_CHECK;
/* Soft deletion. LT_E_IN_USE when other records refer to it; LT_E_STALE. */
enum lt_err record_remove(const struct record_ctx *x, const struct record_kind *k, int64_t id, int64_t version,
                          struct lt_error *err) LT_MUST_CHECK;

/* The same for programs: a list of named values. Read-only kinds and fields may be written and no KIND:write is asked
 * for (the caller has judged that); territory, references, ranges and uniqueness are checked. */
struct record_set {
    const char *field;
    bool null;
    int64_t i;
    struct lt_slice s;
};
#define RECORD_SET_I(name, v) ((struct record_set){.field = (name), .i = (v)})
#define RECORD_SET_S(name, v) ((struct record_set){.field = (name), .s = (v)})
#define RECORD_SET_Z(name, z) ((struct record_set){.field = (name), .s = lt_slice_of(z)})
#define RECORD_SET_NULL(name) ((struct record_set){.field = (name), .null = true})
enum lt_err record_insert(const struct record_ctx *x, const struct record_kind *k, const struct record_set *set,
                          size_t n, int64_t *ret_id, struct lt_error *err) LT_MUST_CHECK;
/* version 0: whatever it is now. `action` is what history and audit say ("update", "sign" …). */
enum lt_err record_change(const struct record_ctx *x, const struct record_kind *k, int64_t id, int64_t version,
                          const char *action, const struct record_set *set, size_t n,
                          struct lt_error *err) LT_MUST_CHECK;

/* ---- reading lists ---- */
enum record_op { RECORD_EQ, RECORD_MIN, RECORD_MAX, RECORD_NE };
struct record_filter {
    const struct record_field *field; /* NULL: id */
    enum record_op op;
    struct lt_slice value; /* as text; several EQ values separated by commas mean any of them; "null" is NULL */
};
struct record_query {
    struct record_filter filter[RECORD_FILTERS_MAX];
    size_t n;
    struct lt_slice q;               /* text searched in SEARCH fields */
    const struct record_field *sort; /* NULL: id */
    bool descending;
    unsigned limit;         /* 0: 50; at most RECORD_LIMIT_MAX */
    struct lt_slice cursor; /* from the previous page; bound to sort and order */
    bool deleted;           /* with the deleted ones */
    /* record_each(): the fields wanted, ending with NULL; the others are not read and come as null, which makes a walk
     * over many thousand rows several times cheaper. NULL: all. */
    const char *const *only;
    /* Adds members to each item of record_list() (may be NULL). */
    void (*extra)(void *user, const struct record_row *row, struct jsonw *w);
    void *user;
};
/* Takes one URL parameter: q, sort (field or -field), limit, cursor, FIELD, FIELD.min, FIELD.max, FIELD.not. Others:
 * LT_E_FIELD_UNKNOWN. Slices must outlive the query. */
enum lt_err record_query_param(struct record_query *q, const struct record_kind *k, struct lt_slice name,
                               struct lt_slice value, struct lt_error *err) LT_MUST_CHECK;
/* Writes {"items":[…],"next":"…"|null}. Keyset paging: pages neither skip nor repeat records that do not change. */
enum lt_err record_list(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                        struct jsonw *w, struct lt_error *err) LT_MUST_CHECK;
/* Writes one item; extra/user as in the query. */
enum lt_err record_json(const struct record_ctx *x, const struct record_kind *k, int64_t id,
                        void (*extra)(void *user, const struct record_row *row, struct jsonw *w), void *user,
                        struct jsonw *w, struct lt_error *err) LT_MUST_CHECK;
/* Calls each() for every matching record (limit and cursor are not used) until it returns false. The row borrows. */
enum lt_err record_each(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                        bool (*each)(void *user, const struct record_row *row), void *user,
                        struct lt_error *err) LT_MUST_CHECK;
/* The records of a kind as they were at at_ms, rebuilt from history (secrets are those of now). QUIET fields are NULL.
 */
enum lt_err record_each_at(struct sql_db *db, const struct record_kind *k, int64_t at_ms,
                           bool (*each)(void *user, const struct record_row *row), void *user,
                           struct lt_error *err) LT_MUST_CHECK;
/* Writes [{version,at,user_id,user_name,address,action,change:{field:[old,new]}}], newest first, at most 500. */
enum lt_err record_history(const struct record_ctx *x, const struct record_kind *k, int64_t id, struct jsonw *w,
                           struct lt_error *err) LT_MUST_CHECK;

/* ---- descriptions ---- */
/* Writes the array "kinds" of GET /api/v1/meta: only kinds the caller may read, with what he can do. */
void record_meta(const struct auth_ctx *who, struct jsonw *w);
/* Write members (call inside an open object): schemas for components.schemas, paths for paths. */
void record_openapi_schemas(struct jsonw *w);
void record_openapi_paths(struct jsonw *w);

/* ---- sheets ---- */
enum record_format { RECORD_CSV, RECORD_XLSX };
#define RECORD_IMPORT_ERRORS_MAX 1000 /* cells named in one report */
struct record_import {
    unsigned rows, created, updated, errors;
};
/* Header row of labels in the caller's language, then all matching records (at most 20,000; LT_E_LIMIT_SIZE beyond). */
enum lt_err record_export(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                          enum record_format fmt, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
/* First row: labels (zh or en) or field names, in any order; empty header cells end nothing and are skipped. All or
 * nothing. Writes {"rows","created","updated","errors":[{row,column,code,message}]} and fills *ret (may be NULL).
 * LT_OK also when cells are wrong (then ret->errors > 0 and nothing was written); LT_E_BAD_INPUT … when the file itself
 * is. */
enum lt_err record_import(const struct record_ctx *x, const struct record_kind *k, struct lt_slice file,
                          enum record_format fmt, bool dry_run, struct jsonw *w, struct record_import *ret,
                          struct lt_error *err) LT_MUST_CHECK;
#endif
