/* Small text helpers that never overflow and never cut a UTF-8 character in two. */
#ifndef LT_BASE_TEXT_H
#define LT_BASE_TEXT_H
#include "base/slice.h"

/* Copies z into ret (capacity cap >= 1, always terminated), cut on a UTF-8 boundary; returns bytes written. */
size_t lt_text_copy(char *ret, size_t cap, const char *z);
size_t lt_text_copy_slice(char *ret, size_t cap, struct lt_slice s);

/* True when s is valid UTF-8 without surrogates and overlong forms (RFC 3629). */
bool lt_text_is_utf8(struct lt_slice s);

/* Number of code points of a valid UTF-8 slice. */
size_t lt_text_chars(struct lt_slice s);

/* Strict whole-slice number parsing: no blanks, no '+', no overflow; false leaves *ret untouched. */
bool lt_text_to_i64(struct lt_slice s, int64_t *ret);
bool lt_text_to_u64(struct lt_slice s, uint64_t *ret);

/* n bytes as lower-case hex, terminated: ret holds 2n + 1 bytes. Back: lower-case hex of exactly n bytes, else false.
 */
void lt_text_hex(const uint8_t *p, size_t n, char *ret);
bool lt_text_unhex(struct lt_slice s, uint8_t *ret, size_t n);
#endif
