/* Fixed decimal numbers: a measured value is an integer count of millionths of its unit.
 *
 * Standards prescribe decimal rounding (GB/T 8170: half to even), which binary floating point gets
 * wrong; so no value of the post ever passes through it. Range: about +-9.2e12 units. */
#ifndef LT_BASE_FIX_H
#define LT_BASE_FIX_H
#include "base/slice.h"

__extension__ typedef __int128 lt_i128;
__extension__ typedef unsigned __int128 lt_u128;

#define LT_FIX_ONE  1000000
#define LT_FIX_NONE INT64_MIN /* "no value": never equal to a measured one */

/* From mantissa and number of decimals (0..18), e.g. 1235, 2 is 12.35. More than six decimals are
 * rounded half to even. False when the value does not fit; *ret is then untouched. */
bool lt_fix_from_decimal(int64_t mantissa, unsigned decimals, int64_t *ret);

/* Parses [-]digits[.digits] (a leading or trailing point is allowed as devices send ".5" and "5."),
 * whole slice. False on anything else or when it does not fit. */
bool lt_fix_parse(struct lt_slice s, int64_t *ret);

/* Writes with exactly `decimals` (0..6) places, rounded half to even; returns length (at most 24). */
size_t lt_fix_format(int64_t v, unsigned decimals, char ret[32]);
/* Writes the shortest exact form, e.g. "12.35", "-0.5", "3". */
size_t lt_fix_format_short(int64_t v, char ret[32]);

/* n/d rounded half to even, d > 0. */
int64_t lt_div_half_even(lt_i128 n, lt_i128 d);
/* a*b and a/b as fixed numbers, half to even. False on overflow or division by zero. */
bool lt_fix_mul(int64_t a, int64_t b, int64_t *ret);
bool lt_fix_div(int64_t a, int64_t b, int64_t *ret);
/* Rounds to `decimals` places (0..6), half to even; the result is still in millionths. */
int64_t lt_fix_round(int64_t v, unsigned decimals);
#endif
