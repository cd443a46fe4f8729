/* air_rank: ranking tables by schemes that are records: who takes part, what decides, how ties are told. */
#ifndef LT_AIR_RANK_H
#define LT_AIR_RANK_H
#include "air/air_figure.h"

#define AIR_RANK_KEYS    6
#define AIR_RANK_MEMBERS 512 /* 337 cities, or the townships of a large city */

enum air_rank_by {
    AIR_BY_COMPOSITE,
    AIR_BY_PM25,
    AIR_BY_PM10,
    AIR_BY_SO2,
    AIR_BY_NO2,
    AIR_BY_CO,
    AIR_BY_O3,
    AIR_BY_GOOD_SHARE,
    AIR_BY_GOOD_DAYS,
    AIR_BY_COMPOSITE_CHANGE, /* year-on-year, per cent */
    AIR_BY_PM25_CHANGE,
    AIR_BY_GOOD_SHARE_CHANGE, /* percentage points */
    AIR_BY_COUNT
};
const char *air_rank_by_name(enum air_rank_by b);
const char *air_rank_by_label(enum air_rank_by b, enum lt_lang lang);

enum air_member_kind { AIR_MEMBER_TERRITORY, AIR_MEMBER_STATION, AIR_MEMBER_PEER };
struct air_rank_scheme {
    int64_t id;
    char code[33], name[129], name_en[193], group[65], keys[201], note[512], member[16];
    struct {
        enum air_rank_by by;
        bool more; /* more is better */
    } key[AIR_RANK_KEYS];
    size_t n_keys;
    bool dense;
    int weight[AIRQ_POLLUTANTS];
    const struct airq_standard *standard; /* NULL: by date */
    int best, worst;
};
/* LT_E_FIELD_FORMAT when its texts are not what kinds_air.c checks. */
enum lt_err air_rank_scheme_of_row(const struct record_row *row, struct air_rank_scheme *ret,
                                   struct lt_error *err) LT_MUST_CHECK;

/* Schemes a fresh post begins with, when there is none yet. */
enum lt_err air_rank_setup(struct sql_db *db, int64_t now_ms, int tz_min, struct lt_error *err) LT_MUST_CHECK;

struct air_rank_figures { /* as published; LT_FIX_NONE unknown */
    int64_t value[AIRQ_POLLUTANTS], composite, good_share;
    int days_good, days_valid; /* -1 unknown */
};
struct air_rank_item {
    enum air_member_kind kind;
    int64_t id; /* territory or station; 0: a peer */
    char name[129];
    bool own, invented, tied;
    struct air_rank_figures now, year, before; /* the period; a year before; the period before */
    int64_t key[AIR_RANK_KEYS];                /* LT_FIX_NONE: not ranked */
    int rank, rank_before, improve_rank;       /* 0: none */
    int next, next_key; /* index of the one ranked next better, -1; index of the key that parts them */
    int64_t gap;        /* of that key, in its unit */
    int64_t pm25_lower; /* how much lower PM2.5 must be to pass, all else equal; LT_FIX_NONE: not told, or PM2.5 alone
                         * does not do it */
    int good_days_more; /* good days more to pass; -1: not told */
};
struct air_rank {
    struct air_rank_scheme scheme;
    enum air_period_kind kind;
    int32_t from, to, before_from, before_to;
    bool has_before, invented;
    const struct airq_standard *standard;
    struct air_rank_item *item; /* best first; those without figures last */
    size_t n;
};
/* The table of a scheme for [from, to]. own: territory that counts as one's own city among peers, and the top of the
 * members otherwise. */
enum lt_err air_rank_make(struct air_look *l, const struct air_rank_scheme *s, int64_t own, enum air_period_kind kind,
                          int32_t from, int32_t to, enum lt_lang lang, struct air_rank *ret,
                          struct lt_error *err) LT_MUST_CHECK;
void air_rank_fini(struct air_rank *r);

/* ---- inner steps, apart so that they can be tested by hand ---- */
/* Sorts and ranks items by key[]; fills rank, tied, next, gap and what is to be done to pass. */
void air_rank_order(const struct air_rank_scheme *s, const struct airq_standard *standard, struct air_rank_item *item,
                    size_t n);
int64_t air_rank_key(enum air_rank_by b, const struct air_rank_figures *now, const struct air_rank_figures *year);
#endif
