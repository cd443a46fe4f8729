/* rule_range: what a factor can plausibly show and what it cannot show at all. Longest prefix of the code decides. */
#include "engine/rule.h"

#define M INT64_C(1000000)
/* code, plausible low, high, impossible below, impossible above. Plausible: the widest ranges of instruments in use
 * for fixed sources; concentrations below zero within the zero drift of an analyser are plausible. */
static const struct rule_range ranges[] = {
    {"a19001", 0, 21 * M, 0, 21 * M},                    /* oxygen, %: air has 20.9 */
    {"a34013", -2 * M, 2000 * M, -10 * M, 100000 * M},   /* dust, mg/m3 */
    {"a21026", -5 * M, 10000 * M, -20 * M, 300000 * M},  /* SO2, mg/m3: raw gas of smelters reaches 100 g/m3 */
    {"a21002", -5 * M, 5000 * M, -20 * M, 50000 * M},    /* NOx */
    {"a21003", -5 * M, 4000 * M, -20 * M, 50000 * M},    /* NO */
    {"a21004", -5 * M, 2000 * M, -20 * M, 50000 * M},    /* NO2 */
    {"a21005", -5 * M, 20000 * M, -50 * M, 1250000 * M}, /* CO: pure CO is 1250 g/m3 */
    {"a21024", -5 * M, 2000 * M, -20 * M, 100000 * M},   /* HCl */
    {"a21018", -2 * M, 200 * M, -10 * M, 10000 * M},     /* HF */
    {"a24088", -5 * M, 10000 * M, -20 * M, 700000 * M},  /* non-methane hydrocarbons */
    {"a24", -5 * M, 10000 * M, -20 * M, 700000 * M},
    {"a25", -5 * M, 5000 * M, -20 * M, 700000 * M},
    {"a01011", 0, 50 * M, -5 * M, 150 * M},          /* velocity, m/s */
    {"a01012", -30 * M, 600 * M, -90 * M, 2000 * M}, /* stack temperature, degC */
    {"a01013", -20 * M, 20 * M, -101 * M, 1000 * M}, /* gauge pressure, kPa; -130 means somebody sends Pa */
    {"a01014", 0, 60 * M, 0, 100 * M},               /* moisture, % */
    {"a00000", 0, 3000 * M, -10 * M, 20000 * M},     /* waste gas, m3/s: 1000 MW units have about 900 */
    {"a01001", -45 * M, 50 * M, -90 * M, 60 * M},    /* air temperature */
    {"a01002", 0, 100 * M, 0, 110 * M},
    {"w01001", 0, 14 * M, -1 * M, 15 * M},         /* pH */
    {"w01018", 0, 5000 * M, -20 * M, 1000000 * M}, /* COD, mg/L */
    {"w21003", 0, 1000 * M, -5 * M, 500000 * M},   /* ammonia nitrogen */
};

const struct rule_range *rule_range_find(struct lt_slice code)
{
    const struct rule_range *best = NULL;
    size_t best_n = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        size_t n = strlen(ranges[i].code);
        if (n <= code.n && n > best_n && memcmp(ranges[i].code, code.p, n) == 0) {
            best = &ranges[i];
            best_n = n;
        }
    }
    return best;
}

bool rule_out_of_range(const struct rule_range *r, int64_t value)
{
    return r && (value < r->low || value > r->high);
}

enum rule_impossible rule_impossible_judge(const struct rule_range *r, bool is_o2, int64_t value, int64_t zs,
                                           int64_t o2, int64_t o2_ref)
{
    if (r && value < r->impossible_low) {
        return RULE_NEGATIVE;
    }
    if (r && value > r->impossible_high) {
        return is_o2 ? RULE_O2_HIGH : RULE_TOO_HIGH;
    }
    /* Formula (28): above the reference oxygen the converted value cannot be below the measured one; 2 % for rounding.
     */
    if (zs != LT_FIX_NONE && o2 != LT_FIX_NONE && o2_ref != LT_FIX_NONE && o2 > o2_ref && value > LT_FIX_ONE &&
        (lt_i128)zs * 100 < (lt_i128)value * 98) {
        return RULE_ZS_BELOW;
    }
    return RULE_POSSIBLE;
}

const char *rule_impossible_name(enum rule_impossible i)
{
    static const char *const names[] = {"", "negative", "o2_high", "too_high", "zs_below_r"};
    return (unsigned)i < sizeof names / sizeof names[0] ? names[i] : "";
}
