/* What the files of the random draw share. */
#ifndef LT_API_DRAW_PRIV_H
#define LT_API_DRAW_PRIV_H
#include "api/api_priv.h"
#include "api/draw_file.h"

#define LINE_BYTES 4096 /* of a commitment: two hashes and a text of 500 bytes, escaped */

/* draw_file: list and seed of a draw; draw_team: who goes where, for those who ask for their own. */
enum lt_err draw_tables(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;
/* The county a territory belongs to (itself, or the one above a township); NULL for a city or province. */
const struct topo_territory *draw_county(const struct topo *t, int64_t id);
/* "" when unknown */
const char *draw_county_name(const struct topo *t, struct lt_slice code, enum lt_lang lang);
const char *draw_industry_name(struct lt_slice value, enum lt_lang lang);

HANDLER(draw_create);
HANDLER(draw_reveal);
HANDLER(draw_cancel);
HANDLER(draw_result_get);
HANDLER(draw_file_get);
HANDLER(draw_verify_post);
HANDLER(draw_mine_get);
HANDLER(draw_paper_get);
#endif
