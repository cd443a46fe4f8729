/* air_import: files with hourly values, as offices have them. CSV (also gzip, UTF-8 or GB18030), XLSX, JSON (an array
 * of objects), XML (elements with one child per field). Four shapes are understood:
 *
 * - wide: one row per station and hour, a column per item;
 * - long: one row per value, with station, time, pollutant, value;
 * - cross: date, hour, type, and a column per station (archives of the national platform);
 * - national: the platform's own fields, in which the names of the hourly ozone and its day maximum are exchanged.
 *
 * What each column means is guessed from its title, or taken from a remembered mapping. Nothing is half imported: a
 * file goes in whole or not at all. */
#ifndef LT_AIR_IMPORT_H
#define LT_AIR_IMPORT_H
#include "air/air.h"

enum air_format { AIR_FORMAT_GUESS, AIR_CSV, AIR_XLSX, AIR_JSON, AIR_XML, AIR_FORMATS };
const char *air_format_name(enum air_format f);
bool air_format_find(struct lt_slice name, enum air_format *ret);

/* ---- files as records (air_import_table.c) ---- */
#define AIR_COLUMNS_MAX  4096          /* the cross shape has a column per station: some 2,000 of the whole country */
#define AIR_LINE_MAX     (256u * 1024) /* 4,096 cells of 64 bytes */
#define AIR_UNPACKED_MAX ((uint64_t)4 << 30) /* bytes of an unpacked gzip: 40 million rows */
#define AIR_UNPACKED_RATIO                                                                                             \
    200 /* to the packed size, beyond 16 MiB: hours pack some twenty times, a bomb a thousand                          \
         */
struct air_record {
    unsigned line; /* as an editor or spreadsheet counts; JSON and XML: number of the object, from 1; header 0 */
    unsigned n;
    const struct lt_slice *cell; /* borrowed until the callback returns; blanks around them are off */
};
struct air_table_info {
    enum air_format format;
    char encoding[16]; /* "utf-8", "gb18030" */
    bool packed;
};
/* Calls each() first with the header, then per record, until it returns false. BAD_INPUT with the place when the file
 * is no table. */
enum lt_err air_table_read(struct lt_slice file, enum air_format format,
                           bool (*each)(void *user, const struct air_record *r), void *user, struct air_table_info *ret,
                           struct lt_error *err) LT_MUST_CHECK;

/* ---- importing ---- */
#define AIR_ERRORS_MAX   1000 /* cells named in one report, as for records */
#define AIR_UNKNOWN_MAX  1000 /* stations that are listed; with more the file is of another place */
#define AIR_PREVIEW_ROWS 20
#define AIR_FINDINGS_MAX 40
struct air_import_options {
    enum air_format format;
    bool dry_run, skip_unknown;
    int co_ug;            /* 1 µg/m³, 0 mg/m³, -1 not said: by mapping, title, else mg */
    int label_end;        /* 1 end, 0 start, -1 not said: by mapping, else end (as the national platform) */
    int tz_min;           /* INT_MIN: by mapping, else that of the post; times with an offset of their own keep it */
    int64_t station;      /* of a file without a station column, else 0 */
    int64_t create_in;    /* territory in which unknown stations are made, 0: they are not */
    int64_t mapping;      /* record to use, 0: one whose header is the same, else guessed */
    const char *remember; /* name under which the mapping is kept, or NULL */
    const char *accept;   /* "unit_ug,clock": findings that are taken knowingly, or NULL; "all" */
    const char *name;     /* of the file, for the trail */
};
enum air_finding_level { AIR_NOTE, AIR_DOUBT, AIR_WRONG };
struct air_finding {
    char code[24];
    enum air_finding_level level;
    char item[8];
    uint64_t count;
    bool accepted;
    char zh[520], en[520];
};
struct air_import_report; /* see air_import_report_json() */
/* LT_OK also when nothing was applied because of what is in the file: see the report. Errors: the file is no table
 * (BAD_INPUT …), no permission, disk. *ret is the caller's. */
enum lt_err air_import(const struct record_ctx *x, struct lt_slice file, const struct air_import_options *o,
                       struct air_import_report **ret, struct lt_error *err) LT_MUST_CHECK;
void air_import_report_free(struct air_import_report **r);
bool air_import_applied(const struct air_import_report *r);
/* Findings, errors or unknown stations kept it out. */
bool air_import_refused(const struct air_import_report *r);
void air_import_report_json(const struct air_import_report *r, enum lt_lang lang, int tz_min, struct jsonw *w);
/* A few lines for a terminal. */
void air_import_report_text(const struct air_import_report *r, enum lt_lang lang, struct lt_buf *out);

/* ---- push (air_import_push.c) ---- */
/* {"hour_label":"end","co_unit":"mg","rows":[{"station","time","PM25":…,"invalid":["CO"]}]}; at most 20,000 rows. A
 * fault in any row refuses all. */
enum lt_err air_push(const struct record_ctx *x, const json_t *body, struct air_put_result *ret,
                     struct record_faults *faults, struct lt_error *err) LT_MUST_CHECK;
void air_put_json(const struct air_put_result *r, struct jsonw *w);

/* ---- HJ 212 stations (air_feed.c) ---- */
struct series;
struct air_feed; /* cursor of one post; one thread */
struct air_feed *air_feed_create(void);
void air_feed_destroy(struct air_feed **f);
/* Takes over hour values of stations whose `mn` is that of a device: the last 35 days at the first call and once a day,
 * 72 hours once an hour, else the last three and those that changed since, however old. *ret_changed: a version was
 * made. */
enum lt_err air_feed_run(struct air_feed *f, struct sql_db *db, struct series *series, int64_t now_ms, int tz_min,
                         bool *ret_changed, struct lt_error *err) LT_MUST_CHECK;
#endif
