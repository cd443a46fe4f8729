/* Errors: one enumeration, one structure, one way to fill it.
 *
 * Every function above the pure libraries returns enum lt_err and takes a struct lt_error * as its
 * last argument (may be NULL). On failure the structure names the error, the field it belongs to and
 * up to three arguments; texts are made only when somebody reads them, in his language. An argument
 * that is itself a phrase is given in both, "english / 中文": the reader sees his half. */
#ifndef LT_BASE_ERR_H
#define LT_BASE_ERR_H
#include <stddef.h>

enum lt_err {
#define X(name, http, en, zh, hen, hzh) LT_E_##name,
#include "base/err_list.h"
#undef X
    LT_E_COUNT
};
#define LT_OK LT_E_OK

enum lt_lang { LT_ZH, LT_EN };

struct lt_error {
    enum lt_err code;
    char field[64];   /* field name or place, "" if none */
    char arg[3][160]; /* arguments of the text */
};

#define LT_MUST_CHECK __attribute__((warn_unused_result))

/* Fills *err (if not NULL) and returns code, so that `return lt_fail(...)` works. field and the
 * arguments may be NULL. Arguments are cut at 159 bytes on a UTF-8 boundary. */
enum lt_err lt_fail(struct lt_error *err, enum lt_err code, const char *field, const char *a0, const char *a1,
                    const char *a2);

/* As lt_fail() with one formatted argument. */
enum lt_err lt_failf(struct lt_error *err, enum lt_err code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* LT_E_TOO_LARGE: `what` is larger than `limit` bytes, told in MB. */
enum lt_err lt_fail_size(struct lt_error *err, const char *what, size_t limit);

/* Stable name for programs, e.g. "FIELD_RANGE". */
const char *lt_err_name(enum lt_err code);
int lt_err_http(enum lt_err code);

/* Writes the text (always terminated) and returns its length; hint likewise ("" when there is none). */
size_t lt_error_text(const struct lt_error *err, enum lt_lang lang, char *ret, size_t cap);
size_t lt_error_hint(const struct lt_error *err, enum lt_lang lang, char *ret, size_t cap);
#endif
