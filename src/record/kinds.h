/* What the declarations of kinds share: short words for their tables, forms of texts, rules between fields. */
#ifndef LT_RECORD_KINDS_H
#define LT_RECORD_KINDS_H
#include "base/clock.h"
#include "record/record_priv.h"

/* Every kind, once, in the order in which pages and documents show them: what is referred to comes first. */
#define RECORD_KINDS(X)                                                                                                \
    X(territory)                                                                                                       \
    X(unit)                                                                                                            \
    X(person)                                                                                                          \
    X(enterprise)                                                                                                      \
    X(outlet)                                                                                                          \
    X(device)                                                                                                          \
    X(factor_limit)                                                                                                    \
    X(process_state)                                                                                                   \
    X(rule)                                                                                                            \
    X(deadline)                                                                                                        \
    X(work_calendar)                                                                                                   \
    X(suppression)                                                                                                     \
    X(role)                                                                                                            \
    X(user)                                                                                                            \
    X(alarm)                                                                                                           \
    X(command)                                                                                                         \
    X(station)                                                                                                         \
    X(air_event)                                                                                                       \
    X(air_mapping)                                                                                                     \
    X(air_review)                                                                                                      \
    X(air_target)                                                                                                      \
    X(rank_scheme)                                                                                                     \
    X(peer_figure)                                                                                                     \
    X(evidence)                                                                                                        \
    X(legal_hold)                                                                                                      \
    X(replay)                                                                                                          \
    X(draw)                                                                                                            \
    X(draw_weight)                                                                                                     \
    X(draw_conflict)
#define X(n) extern const struct record_kind record_kind_##n;
RECORD_KINDS(X)
#undef X

#define R  RECORD_F_REQUIRED
#define U  RECORD_F_UNIQUE
#define RO RECORD_F_READONLY
#define SE RECORD_F_SECRET
#define L  RECORD_F_LIST
#define Q  RECORD_F_SEARCH
#define N  RECORD_F_NAME
#define K  RECORD_F_KEY
#define H  RECORD_F_HIDDEN
#define QU RECORD_F_QUIET
#define CR RECORD_F_CREATE

#define TEXT(n_, f_, chars_, en_, zh_)                                                                                 \
    .name = (n_), .type = RECORD_TEXT, .flags = (f_), .max = (chars_), .en = (en_), .zh = (zh_)
#define INT(n_, f_, lo_, hi_, en_, zh_)                                                                                \
    .name = (n_), .type = RECORD_INT, .flags = (f_), .min = (lo_), .max = (hi_), .en = (en_), .zh = (zh_)
#define FIX(n_, f_, lo_, hi_, en_, zh_)                                                                                \
    .name = (n_), .type = RECORD_FIX, .flags = (f_), .min = (int64_t)(lo_)*LT_FIX_ONE,                                 \
    .max = (int64_t)(hi_)*LT_FIX_ONE, .en = (en_), .zh = (zh_)
#define BOOL(n_, f_, en_, zh_) .name = (n_), .type = RECORD_BOOL, .flags = (f_), .en = (en_), .zh = (zh_)
#define TIME(n_, f_, en_, zh_) .name = (n_), .type = RECORD_TIME, .flags = (f_), .en = (en_), .zh = (zh_)
#define DATE(n_, f_, en_, zh_) .name = (n_), .type = RECORD_DATE, .flags = (f_), .en = (en_), .zh = (zh_)
#define ENUM(n_, f_, c_, en_, zh_)                                                                                     \
    .name = (n_), .type = RECORD_ENUM, .flags = (f_), .choices = (c_), .en = (en_), .zh = (zh_)
#define REF(n_, f_, k_, en_, zh_) .name = (n_), .type = RECORD_REF, .flags = (f_), .ref = (k_), .en = (en_), .zh = (zh_)
#define JSON(n_, f_, chars_, en_, zh_)                                                                                 \
    .name = (n_), .type = RECORD_JSON, .flags = (f_), .max = (chars_), .en = (en_), .zh = (zh_)
#define HINT(en_, zh_)    .hint_en = (en_), .hint_zh = (zh_)
#define FORM(check_, as_) .check = record_form_##check_, .form = (as_)
#define FIELDS(f_)        .fields = (f_), .n = sizeof(f_) / sizeof((f_)[0])

typedef const struct record_choice choices[];
extern choices rule_codes;

/* Forms of texts; true when the text has it. */
bool record_form_adcode(struct lt_slice s);
bool record_form_credit(struct lt_slice s);
bool record_form_code(struct lt_slice s);
bool record_form_login(struct lt_slice s);
bool record_form_printable(struct lt_slice s);
bool record_form_hex128(struct lt_slice s);
bool record_form_factor(struct lt_slice s);
bool record_form_phone(struct lt_slice s);
bool record_form_allow(struct lt_slice s);
bool record_form_tolerate(struct lt_slice s);
bool record_form_permissions(struct lt_slice s);
bool record_form_hours(struct lt_slice s);
bool record_form_spans(struct lt_slice s);

/* Takes the next item of a comma list, blanks around it dropped; false at the end. */
bool record_next_item(struct lt_slice *rest, struct lt_slice *ret);

/* Rules between fields: each names its fault, if there is one. */
#define CHECK(name_)                                                                                                   \
    static void name_(const struct record_row *old, const struct record_row *now, const struct auth_ctx *who,          \
                      struct sql_db *db, struct record_faults *f)
void record_wrong(struct record_faults *f, enum lt_err code, const char *field, const char *a, const char *b,
                  const char *c);
void record_missing(struct record_faults *f, const char *field);
/* `second`, if given, is later than `first`; with same_too it may be the same. */
void record_in_order(const struct record_row *r, const char *first, const char *second, bool same_too,
                     struct record_faults *f);
/* Does following `parent` from `up` lead back to id? More than 16 levels are a ring: four exist. */
bool record_ring(struct sql_db *db, const char *parent_sql, int64_t id, int64_t up);
#endif
