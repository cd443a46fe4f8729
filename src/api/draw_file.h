/* draw_file: the JSON of a random draw (docs/FORMATS-draw.md, section 7) in and out, and its eight checks. Used by the
 * interface of the post and by `lantian draw`; no files, no database. Threads: no shared state. */
#ifndef LT_API_DRAW_FILE_H
#define LT_API_DRAW_FILE_H
#include "base/err.h"
#include "draw/draw.h"
#include "json/json.h"

#define DRAW_FILE_MAX (4u << 20) /* what jsonr_parse() takes: 10,000 targets of 150 bytes are 1.5 MB */

struct draw_owned { /* a list with what its texts borrow from */
    struct draw_list l;
    json_t *tree;
};
void draw_owned_fini(struct draw_owned *o);
/* Reads LIST.json and judges it whole (draw_check). Errors: BAD_JSON, FIELD_… with the member's name, DRAW_…. */
enum lt_err draw_list_read(struct lt_slice text, struct draw_owned *ret, struct lt_error *err) LT_MUST_CHECK;
/* The same from a tree, which must outlive the list and stays the caller's. Call draw_owned_fini() also on failure. */
enum lt_err draw_list_of(const json_t *o, struct draw_owned *ret, struct lt_error *err) LT_MUST_CHECK;
/* The fault of the library as an error. */
enum lt_err draw_fault_error(const struct draw_fault *f, struct lt_error *err);
void draw_list_write(const struct draw_list *l, struct jsonw *w);

/* Writes the verification file; seed NULL: only the commitment (nothing is revealed yet). */
void draw_file_write(const struct draw_list *l, struct lt_slice commitment, const uint8_t *seed,
                     struct lt_slice public_value, const struct draw_result *r, struct jsonw *w);

#define DRAW_CHECKS 8
struct draw_check_line {
    const char *name; /* "form", "list", "seed", "public", "weight", "quota", "conflict", "result" */
    bool done, ok;    /* not done: what stands before it does not fit */
    char en[320], zh[320];
};
struct draw_report {
    bool ok;
    bool sealed; /* the file holds the commitment only: there is nothing to check yet */
    size_t n;
    struct draw_check_line check[DRAW_CHECKS];
};
/* Section 8. published: the line that was published before, or "" when nobody has it at hand. Fails only for want of
 * memory: whatever the file is, the report says it. */
enum lt_err draw_file_verify(struct lt_slice file, struct lt_slice published, struct draw_report *ret,
                             struct lt_error *err) LT_MUST_CHECK;
#endif
