/* What the files of record share: SQL made from declarations, values in and out, the common write. */
#ifndef LT_RECORD_PRIV_H
#define LT_RECORD_PRIV_H
#include "record/audit.h"
#include "record/record.h"

/* Text of SQL made from declarations, with the values to bind beside it. Only declared names (kinds_*.c) ever enter
 * the text; everything that came from outside is a bind. */
#define RECORD_BINDS_MAX                                                                                               \
    256 /* scope, cursor and search take some 20; more filters of 16 values than fit are refused                       \
         */
struct record_bind {
    bool text;
    int64_t i;
    struct lt_slice s;
};
struct record_sql {
    struct lt_buf text;
    struct record_bind bind[RECORD_BINDS_MAX];
    size_t n;
    bool failed;
};
#define RECORD_SQL_INIT ((struct record_sql){.text = LT_BUF_INIT(64u * 1024)})
void record_sql_i64(struct record_sql *q, int64_t v); /* notes a value for the next '?' in the text */
void record_sql_text(struct record_sql *q, struct lt_slice v);
enum lt_err record_sql_prepare(struct sql_db *db, struct record_sql *q, struct sql_stmt **ret, struct lt_error *err);
void record_sql_fini(struct record_sql *q);

/* Appends a condition on the kind's table: rows that lie in the caller's territory (or enterprise). */
void record_scope(struct record_sql *q, const struct record_kind *k, const struct auth_ctx *who);
/* Appends "SELECT id, version, …, fields, names of refs FROM kind t"; only: as in the query. */
void record_select(struct record_sql *q, const struct record_kind *k, const char *const *only, enum lt_lang lang);
void record_from_stmt(struct sql_stmt *st, const struct record_kind *k, struct record_row *ret); /* borrows */
/* The expression that stands for a record of this kind ("coalesce(name, mn)"). */
void record_name_expr(struct lt_buf *out, const struct record_kind *k, const char *alias, enum lt_lang lang);

/* ---- values ---- */
bool record_is_text(enum record_type t);
/* Understands text as a person writes it in a form or sheet; "" becomes null. Refs are looked up in db. Texts that have
 * to be kept go to `mem`. */
enum lt_err record_parse(const struct record_ctx *x, const struct record_field *f, struct lt_slice text, bool by_id,
                         struct lt_buf *mem, struct record_value *ret, struct lt_error *err) LT_MUST_CHECK;
enum lt_err record_parse_json(const struct record_ctx *x, const struct record_field *f, const json_t *v,
                              struct lt_buf *mem, struct record_value *ret, struct lt_error *err) LT_MUST_CHECK;
/* Range, length, choice, form of a value that has the right type. */
enum lt_err record_check_value(const struct record_field *f, const struct record_value *v, enum lt_lang lang,
                               struct lt_error *err) LT_MUST_CHECK;
bool record_same(const struct record_field *f, const struct record_value *a, const struct record_value *b);
void record_value_json(const struct record_field *f, const struct record_value *v, int tz_min, struct jsonw *w);
/* As stored in history: raw numbers, so that a past record can be rebuilt exactly. */
void record_value_raw(const struct record_field *f, const struct record_value *v, struct jsonw *w);
/* Keeps a copy of s in mem. The buffer must have been made with room (record_mem_init), since it must not move. */
struct lt_slice record_keep(struct lt_buf *mem, struct lt_slice s);
bool record_mem_init(struct lt_buf *mem); /* room for one row of texts */

/* ---- writing ---- */
struct record_write {
    const struct record_ctx *x;
    const struct record_kind *k;
    struct record_row old, now; /* old.id 0: create */
    bool given[RECORD_FIELDS_MAX];
    bool bad[RECORD_FIELDS_MAX]; /* a fault was named for this field already */
    bool check_only; /* the caller has named faults already: check the rest, write nothing, LT_E_BAD_INPUT */
    const char *action;
    struct record_faults *faults;
    struct record_faults own_faults;
};
enum lt_err record_write_begin(struct record_write *w, const struct record_ctx *x, const struct record_kind *k,
                               int64_t id, const char *action, struct record_faults *faults,
                               struct lt_error *err) LT_MUST_CHECK;
/* Checks all, then writes record, history and audit. Inside a transaction. *ret_changed: something was different. */
enum lt_err record_write_end(struct record_write *w, bool *ret_changed, struct lt_error *err) LT_MUST_CHECK;
void record_write_fini(struct record_write *w);
void record_write_fault(struct record_write *w, size_t field, const struct lt_error *err);

enum lt_err record_history_add(const struct record_ctx *x, const struct record_row *row, const char *action,
                               struct lt_slice change, struct lt_error *err) LT_MUST_CHECK;
enum lt_err audit_setup(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;
/* Loads one record within the caller's reach, deleted or not as asked; texts are copied. */
enum lt_err record_fetch(const struct record_ctx *x, const struct record_kind *k, int64_t id, bool strict,
                         struct record_row *ret, struct lt_error *err) LT_MUST_CHECK;
void record_item(const struct record_ctx *x, const struct record_row *r, struct jsonw *w,
                 void (*extra)(void *user, const struct record_row *row, struct jsonw *w), void *user);
enum lt_err record_need(const struct record_ctx *x, const struct record_kind *k, const char *verb,
                        struct lt_error *err) LT_MUST_CHECK;
const char *record_label(const char *en, const char *zh, enum lt_lang lang);
#endif
