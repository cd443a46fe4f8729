/* json: text out by a small streaming writer, text in by jansson under strict limits.
 *
 * Writer (jsonw_…): appends to a struct lt_buf; no tree, no allocation of its own. Structure is kept right by
 * assertions (a value without its key, a wrong end …) that stay in release builds, since misuse is a fault of the
 * program, never of the input. Bytes that are no UTF-8 become U+FFFD, so the output is always valid JSON.
 *
 * Reader (jsonr_…): one strict parse (UTF-8 only, duplicate keys refused, nesting and size limited, place of the fault
 * named) and typed getters that name the field at fault. The tree itself is a json_t of jansson.
 *
 * Threads: no shared state. */
#ifndef LT_JSON_H
#define LT_JSON_H
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

/* ---- writing ---- */
#define JSONW_DEPTH_MAX 32 /* our deepest answer (OpenAPI) nests 16 */

struct jsonw {
    struct lt_buf *out;
    uint32_t is_object; /* bit per level */
    uint32_t has_item;  /* bit per level: a comma is due before the next */
    uint8_t depth;
    bool after_key, done;
};

void jsonw_init(struct jsonw *w, struct lt_buf *out);
/* True when one complete value was written and the buffer did not overflow. */
bool jsonw_ok(const struct jsonw *w);

void jsonw_object(struct jsonw *w);
void jsonw_object_end(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_array_end(struct jsonw *w);
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_key_slice(struct jsonw *w, struct lt_slice key);
void jsonw_slice(struct jsonw *w, struct lt_slice s);
void jsonw_str(struct jsonw *w, const char *z); /* NULL writes null */
void jsonw_i64(struct jsonw *w, int64_t v);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_fix(struct jsonw *w, int64_t millionths); /* shortest exact decimal; LT_FIX_NONE writes null */
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_time(struct jsonw *w, int64_t at_ms, int tz_min); /* ISO 8601 with offset */
void jsonw_raw(struct jsonw *w, struct lt_slice json);       /* the caller vouches that it is one JSON value */
void jsonw_tree(struct jsonw *w, const json_t *v);           /* copies a parsed value */

/* key and value in one call */
void jsonw_kstr(struct jsonw *w, const char *key, const char *z);
void jsonw_kslice(struct jsonw *w, const char *key, struct lt_slice s);
void jsonw_ki64(struct jsonw *w, const char *key, int64_t v);
void jsonw_ku64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_kfix(struct jsonw *w, const char *key, int64_t millionths);
void jsonw_kbool(struct jsonw *w, const char *key, bool v);
void jsonw_knull(struct jsonw *w, const char *key);
void jsonw_ktime(struct jsonw *w, const char *key, int64_t at_ms, int tz_min); /* at_ms <= 0 writes null */

/* ---- reading ---- */
#define JSONR_DEPTH_MAX 32        /* no request of ours nests deeper than 6 */
#define JSONR_SIZE_MAX  (4 << 20) /* most bytes ever parsed; callers give their own, smaller limit */

/* Parses one value (object or array at the top; nothing may follow but white space). *ret is owned by the caller
 * (json_decref). LT_E_BAD_JSON with line and column, LT_E_TOO_LARGE beyond `limit` bytes. */
enum lt_err jsonr_parse(struct lt_slice text, size_t limit, json_t **ret, struct lt_error *err) LT_MUST_CHECK;
/* As jsonr_parse() but the top must be an object. */
enum lt_err jsonr_object(struct lt_slice text, size_t limit, json_t **ret, struct lt_error *err) LT_MUST_CHECK;

/* Exact millionths of a JSON integer, real or decimal string. Reals of more than 15 significant digits are refused
 * (they would have passed through binary floating point inexactly): send such a number as a string. */
bool jsonr_to_fix(const json_t *v, int64_t *ret);

/* Getters on an object. `need` false: an absent or null field leaves *ret as it is. Errors: FIELD_REQUIRED,
 * FIELD_TYPE, FIELD_LENGTH, FIELD_RANGE with the field's name. Slices and trees borrow from the object. */
enum lt_err jsonr_str(const json_t *o, const char *name, bool need, size_t max_chars, struct lt_slice *ret,
                      struct lt_error *err) LT_MUST_CHECK;
enum lt_err jsonr_i64(const json_t *o, const char *name, bool need, int64_t min, int64_t max, int64_t *ret,
                      struct lt_error *err) LT_MUST_CHECK;
enum lt_err jsonr_bool(const json_t *o, const char *name, bool need, bool *ret, struct lt_error *err) LT_MUST_CHECK;
enum lt_err jsonr_time(const json_t *o, const char *name, bool need, int tz_min, int64_t *ret_at_ms,
                       struct lt_error *err) LT_MUST_CHECK;
/* LT_E_FIELD_UNKNOWN for the first key that is not in the NULL-terminated list. */
enum lt_err jsonr_only(const json_t *o, const char *const names[], struct lt_error *err) LT_MUST_CHECK;
#endif
