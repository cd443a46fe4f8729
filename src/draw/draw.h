/* draw: the random draw of targets and inspectors that anybody can repeat: canonical lines of a list, commitments,
 * random numbers from SHA-256, weighted drawing under quotas, teams with even load. docs/FORMATS-draw.md is the
 * definition; section numbers below are of that page.
 *
 * Who uses it: the post (api) and the command line. Threads: no shared state; no files, no clock; the seed is an
 * argument. Texts are borrowed from whoever read them and must outlive the list and its faults. */
#ifndef LT_DRAW_H
#define LT_DRAW_H
#include "base/buf.h"
#include "base/slice.h"

#define DRAW_TARGETS_MAX    10000 /* twice the listed enterprises of a city */
#define DRAW_INSPECTORS_MAX 1000  /* of a city and its counties */
#define DRAW_CONFLICTS_MAX  20000 /* twenty for each inspector */
#define DRAW_GROUPS_MAX     64    /* counties, industries; a province has fewer than 64 of either in one list */
#define DRAW_WEIGHTS_MAX    128   /* 64 classes of either kind */
#define DRAW_QUOTAS_MAX     128   /* one for each county and industry */
#define DRAW_PICK_MAX       500   /* more than a round of inspections of a whole city */
#define DRAW_TEAM_MAX       4
#define DRAW_WEIGHT_MAX     1000 /* 10,000 targets of 1,000 x 1,000 sum to 10^10: far below 2^64 */
#define DRAW_QUOTA_MAX      10000
#define DRAW_TEXT_MAX       500 /* bytes of a text */
#define DRAW_ID_MAX         64  /* bytes of a name of a class, an id */
#define DRAW_SEED           32
#define DRAW_HASH           32
/* Lines of the largest list: 10,000 targets of at most 0.9 kB. */
#define DRAW_LINES_MAX (32u << 20)

enum draw_class { DRAW_CREDIT, DRAW_RISK };     /* in the order of their names */
enum draw_group { DRAW_COUNTY, DRAW_INDUSTRY }; /* likewise */
const char *draw_class_name(enum draw_class c); /* "credit", "risk" */
const char *draw_group_name(enum draw_group g); /* "county", "industry" */

struct draw_weight {
    enum draw_class by;
    struct lt_slice value;
    int64_t weight;
};
struct draw_quota {
    enum draw_group by;
    struct lt_slice value;
    int64_t min, max;
};
struct draw_inspector {
    struct lt_slice id, name, unit, county;
};
struct draw_target {
    struct lt_slice id, name, county, industry, risk, credit;
    uint32_t weight;   /* set by draw_check() */
    uint16_t row, col; /* county, industry; likewise */
};
struct draw_conflict {
    struct lt_slice inspector, target, why;
};
struct draw_list { /* the arrays are the caller's; draw_check() sorts them in place */
    struct lt_slice name, public_source;
    int64_t pick, team;
    bool avoid_own_county;
    struct draw_weight *weight;
    struct draw_quota *quota;
    struct draw_inspector *inspector;
    struct draw_target *target;
    struct draw_conflict *conflict;
    size_t n_weight, n_quota, n_inspector, n_target, n_conflict;
};

enum draw_err {
    DRAW_OK,
    DRAW_E_NOMEM,
    DRAW_E_MANY,      /* more than `need` of `part` */
    DRAW_E_TEXT,      /* a text of `part` (its `value`) is empty, too long, not UTF-8, or has control characters */
    DRAW_E_NUMBER,    /* a number of `part` is out of range */
    DRAW_E_TWICE,     /* `value` stands twice in `part` */
    DRAW_E_UNKNOWN,   /* `value`, named in `part`, is not in the list */
    DRAW_E_WEIGHT,    /* class `value` of kind `part` has no weight */
    DRAW_E_PICK,      /* `need` to draw, only `have` targets */
    DRAW_E_TEAM,      /* target `value` has only `have` free inspectors, `need` make a team */
    DRAW_E_QUOTA_MIN, /* `part` `value`: at least `need` wanted, only `have` targets there */
    DRAW_E_QUOTA_SUM, /* least numbers of all `part` sum to `need`, more than the `have` to draw */
    DRAW_E_QUOTA_MAX, /* greatest numbers of `part` allow only `have`, `need` are to be drawn */
    DRAW_E_QUOTA,     /* county and industry quotas cannot be met together */
    DRAW_E_VALUE      /* the public value is empty or too long */
};
struct draw_fault {
    enum draw_err code;
    const char *part;
    struct lt_slice value; /* borrows from the list */
    int64_t need, have;
};

/* Sorts the arrays, fills weights and groups, and judges everything of sections 1 and 4 that can stand against a
 * draw. Everything below needs a list this function was content with. */
enum draw_err draw_check(struct draw_list *l, struct draw_fault *ret_fault);
/* Appends the canonical lines (section 1). A limit reached shows in out->failed. */
void draw_lines(const struct draw_list *l, struct lt_buf *out);
/* LIST; false: no memory. */
bool draw_list_hash(const struct draw_list *l, uint8_t ret[DRAW_HASH]);
void draw_seed_hash(const uint8_t seed[DRAW_SEED], uint8_t ret[DRAW_HASH]);
/* Appends the commitment line without a line end (section 2). */
void draw_commitment(const uint8_t list[DRAW_HASH], const uint8_t seed[DRAW_HASH], struct lt_slice public_source,
                     struct lt_buf *out);
/* May inspector i go to target t (numbers in the checked list)? */
bool draw_free(const struct draw_list *l, size_t inspector, size_t target);

struct draw_pick {
    uint32_t target; /* number in the checked list */
    uint32_t weight;
    uint32_t team[DRAW_TEAM_MAX]; /* numbers of inspectors, as many as list->team */
};
struct draw_result {
    struct draw_pick pick[DRAW_PICK_MAX];
    size_t n;
    uint32_t struck; /* cells struck out because of quotas */
};
/* Sections 3 to 5. DRAW_E_VALUE, DRAW_E_NOMEM. */
enum draw_err draw_run(const struct draw_list *l, const uint8_t seed[DRAW_SEED], struct lt_slice public_value,
                       struct draw_result *ret, struct draw_fault *ret_fault);
/* Appends the lines of section 6 and gives their hash. */
bool draw_result_hash(const struct draw_list *l, const struct draw_result *r, uint8_t ret[DRAW_HASH]);

/* Does a result that came from anywhere keep the rules? Says what does not, without drawing again (section 8). */
enum draw_flaw { DRAW_FINE, DRAW_FLAW_WEIGHT, DRAW_FLAW_COUNT, DRAW_FLAW_QUOTA, DRAW_FLAW_CONFLICT };
struct draw_flaw_place {
    size_t n;              /* number of the pick, from 1; 0 none */
    const char *part;      /* of a quota */
    struct lt_slice value; /* of a quota */
    int64_t have;          /* of a quota or count: so many were drawn */
};
/* One kind of flaw at a time, so that each check has its own answer. */
bool draw_keeps(const struct draw_list *l, const struct draw_result *r, enum draw_flaw which,
                struct draw_flaw_place *ret);
/* Position of an id in the checked list; SIZE_MAX when there is none. */
size_t draw_find_target(const struct draw_list *l, struct lt_slice id);
size_t draw_find_inspector(const struct draw_list *l, struct lt_slice id);
#endif
