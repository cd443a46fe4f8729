/* Inside the import: what columns mean, how cells are read, and what its files share of one import. */
#ifndef LT_AIR_IMPORT_PRIV_H
#define LT_AIR_IMPORT_PRIV_H
#include "air/air_import.h"
#include "air/air_priv.h"
#include "airq/airq_doubt.h"

enum { /* meanings of columns: the items, then these */
       AIR_M_IGNORE = AIR_ITEMS,
       AIR_M_TIME,
       AIR_M_DATE,
       AIR_M_HOUR,
       AIR_M_STATION, /* code */
       AIR_M_NAME,    /* of the station */
       AIR_M_POLLUTANT,
       AIR_M_VALUE,
       AIR_M_FLAG,
       AIR_M_COUNT
};
/* AIR_M_IGNORE when nothing is known. *ret_co_ug (may be NULL) is set when the title of CO names its unit. */
int air_title_means(struct lt_slice title, int *ret_co_ug);
const char *air_means_name(int means);
bool air_means_find(struct lt_slice s, int *ret);

/* "2026-11-25 08:00", "2026/11/25 8:00", "2026年11月25日8时", "2026112508", ISO 8601 with an offset, hour 24,
 * "/Date(ms)/". *ret_has_hour: false for a mere date. */
bool air_time_parse(struct lt_slice text, int tz_min, bool *ret_has_hour, int64_t *ret_at_ms);
bool air_cell_missing(struct lt_slice s); /* "", "—", "NA", "-999" … */
bool air_flag_valid(struct lt_slice s);
bool air_compass_parse(struct lt_slice s, int64_t *ret_fix); /* "NNE", "东北" to degrees */
/* A value as the device sent it, in the units of its station; false when it is no item or cannot be. */
bool air_feed_value(const char *factor, const char *units, int64_t fix, enum air_item *ret_item, int32_t *ret_value);

/* ---- one import under way ---- */

#define AIR_COLUMNS_SHOWN 256

enum shape { SHAPE_WIDE, SHAPE_LONG, SHAPE_CROSS, SHAPE_NATIONAL };

struct place {  /* a station as the file names it */
    int64_t id; /* 0: unknown; -1: the name means several */
    struct lt_slice code, name;
    uint64_t rows;
    bool unknown;
};
struct air_import_error {
    unsigned row;
    char column[48], cell[48];
    const char *zh, *en;
};
struct preview {
    unsigned line;
    char station[64];
    int64_t id, at_ms;
    int32_t value[AIR_ITEMS];
};

struct air_import_report {
    struct air_table_info info;
    bool dry_run, applied, co_ug, label_end, co_given;
    int tz_min;
    enum shape shape;
    int64_t mapping, from_ms, to_ms;
    struct lt_buf titles; /* texts of columns, with ends */
    size_t title_at[AIR_COLUMNS_SHOWN];
    int means[AIR_COLUMNS_SHOWN];
    unsigned n_columns, all_columns;
    uint64_t rows, stations;
    struct preview preview[AIR_PREVIEW_ROWS];
    unsigned n_preview;
    struct {
        char code[65], name[129];
        uint64_t rows;
    } unknown[AIR_UNKNOWN_MAX];
    unsigned n_unknown;
    bool skip_unknown, creates;
    uint64_t unknown_all;
    struct air_finding finding[AIR_FINDINGS_MAX];
    unsigned n_findings;
    struct air_import_error error[AIR_ERRORS_MAX];
    uint64_t n_errors;
    bool has_result;
    struct air_put_result result;
    int64_t ms;
};

struct repeat {
    uint64_t key; /* + 1; 0 free */
    uint32_t hash;
};

struct importer {
    const struct record_ctx *x;
    const struct air_import_options *o;
    struct air_import_report *r;
    struct lt_slice file;
    /* columns */
    int *means; /* per column, AIR_COLUMNS_MAX */
    unsigned *cross_place;
    struct lt_buf header; /* all titles, joined by commas: the signature */
    unsigned header_seen, header_record, records, columns;
    bool have_header;
    bool twice[AIR_ITEMS]; /* two columns mean this item */
    uint64_t o3_more, o3_less;
    int o3_column, o3_24_column;
    /* stations */
    struct place *place;
    size_t n_places, cap_places;
    uint32_t *hash; /* of code and name: index + 1 */
    size_t hash_n;
    struct lt_buf texts;
    /* judging */
    bool putting;
    struct airq_doubt_stats *doubt, *known;
    struct repeat *repeat;
    size_t n_repeats, cap_repeats;
    bool repeats_full;
    uint64_t weather_beyond, flagged, other_pollutants;
    /* putting */
    struct air_writer *w;
    struct air_row *rows;
    size_t n_rows;
    enum lt_err e;
    struct lt_error *err;
};

/* ---- what was found (air_import_report.c) ---- */
struct air_finding *air_import_finding(struct air_import_report *r, const char *code, enum air_finding_level level,
                                       const char *item, uint64_t count);
void air_import_say(struct air_finding *f, const char *zh, const char *en);
/* Names a cell that is wrong; nothing while putting, as it was named while judging. */
void air_import_cell_error(struct importer *m, unsigned row, const char *column, struct lt_slice cell, const char *zh,
                           const char *en);
const char *air_import_title(const struct importer *m, unsigned column); /* of a column, "" beyond those shown */

/* ---- stations (air_import_place.c) ---- */
/* The stations the caller may see: others do not exist for him. */
enum lt_err air_import_places(struct importer *m, struct lt_error *err) LT_MUST_CHECK;
/* Index of the place a row names, made when nobody knows it; SIZE_MAX after naming the error, or with m->e set. */
size_t air_import_place(struct importer *m, unsigned line, unsigned column, struct lt_slice code, struct lt_slice name);
enum lt_err air_import_create_stations(struct importer *m, struct lt_error *err) LT_MUST_CHECK;

/* ---- the first look: header, mapping, which ozone is which (air_import_look.c) ---- */
unsigned air_import_columns_of(const struct importer *m, int means); /* how many columns mean that */
enum lt_err air_import_look(struct importer *m, struct lt_error *err) LT_MUST_CHECK;
/* Keeps what the columns mean under the name that was asked for. */
enum lt_err air_import_remember(struct importer *m, struct lt_error *err) LT_MUST_CHECK;

/* ---- rows (air_import_rows.c) ---- */
/* Reads the file once: judging, or putting through m->w. */
enum lt_err air_import_read(struct importer *m, bool putting, struct lt_error *err) LT_MUST_CHECK;
#endif
