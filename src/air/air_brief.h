/* air_brief: the office's papers out of figures, rankings and targets: morning brief (日报), monthly sheet (月报), one
 * page for the vice-mayor (今日一页). A paper is a model (paper/paper.h). Published, it gets a number and is kept with
 * its data version; what is printed again is the kept model, so the bytes are the same. */
#ifndef LT_AIR_BRIEF_H
#define LT_AIR_BRIEF_H
#include "air/air_rank.h"
#include "air/air_target.h"
#include "paper/paper.h"

enum air_paper_kind { AIR_PAPER_MORNING, AIR_PAPER_MONTHLY, AIR_PAPER_ONEPAGE, AIR_PAPER_KINDS };
const char *air_paper_name(enum air_paper_kind k); /* "morning" "monthly" "onepage" */
bool air_paper_find(struct lt_slice name, enum air_paper_kind *ret);

struct air_paper_ask {
    enum air_paper_kind kind;
    int64_t territory;
    int32_t day; /* the last day reported; monthly: its month to that day */
    enum lt_lang lang;
    const char *org; /* the red line */
    bool demo;       /* values are invented: said on every page */
    int number;      /* 0: a draft */
};
/* Writes the model into ret, which is to be given back by paper_fini(); title (cap bytes) is its title. */
enum lt_err air_paper_make(struct air_look *l, const struct air_paper_ask *a, struct paper *ret, char *ret_title,
                           size_t cap, struct lt_error *err) LT_MUST_CHECK;

/* ---- published papers ---- */
enum lt_err air_paper_setup(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK; /* the table */
struct air_paper {
    int64_t id, territory, version, published_at_ms;
    int number, year;
    int32_t day;
    enum air_paper_kind kind;
    enum lt_lang lang;
    char title[257], author[129], sha256[65];
};
void air_paper_number(const struct air_paper *p, char ret[64]); /* "（2026）第61期" */
/* Makes the paper from the newest data, numbers it within its kind and year, keeps it, with a row in
 * the audit trail. */
enum lt_err air_paper_publish(struct air_figures *f, struct air *air, struct sql_db *db, struct air_paper_ask a,
                              const struct auth_ctx *who, int64_t now_ms, struct air_paper *ret,
                              struct lt_error *err) LT_MUST_CHECK;
/* Newest first; kind AIR_PAPER_KINDS: all; territory 0: all. each() false ends. */
enum lt_err air_papers(struct sql_db *db, enum air_paper_kind kind, int64_t territory, unsigned most,
                       bool (*each)(void *user, const struct air_paper *p), void *user,
                       struct lt_error *err) LT_MUST_CHECK;
/* The kept model, appended to ret_model; NOT_FOUND; CORRUPT when its hash is not that kept. */
enum lt_err air_paper_load(struct sql_db *db, int64_t id, struct air_paper *ret, struct lt_buf *ret_model,
                           struct lt_error *err) LT_MUST_CHECK;
#endif
