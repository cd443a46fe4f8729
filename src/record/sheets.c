/* Records to and from sheets. The header row decides what a column is; all rows are checked before one is written. */
#include "base/clock.h"
#include "base/text.h"
#include "record/record_priv.h"
#include "sheet/sheet.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX (SHEET_ROWS_MAX - 1)

/* A kind without KEY fields is found again by its number. */
static bool has_key(const struct record_kind *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->fields[i].flags & RECORD_F_KEY)
            return true;
    return false;
}

static bool in_sheet(const struct record_field *f)
{
    return !(f->flags & (RECORD_F_HIDDEN | RECORD_F_SECRET)) && f->type != RECORD_JSON;
}

/* ---- export ---- */

struct export
{
    const struct record_ctx *x;
    const struct record_kind *k;
    struct sheet_column cols[SHEET_COLS_MAX];
    int field[SHEET_COLS_MAX]; /* -1: the number */
    unsigned n, rows;
    char titles[SHEET_COLS_MAX][96];
    struct lt_buf *csv;
    struct sheet_writer *xlsx;
    enum lt_err e;
    struct lt_error *err;
};

static enum sheet_type sheet_type_of(enum record_type t)
{
    switch (t) {
    case RECORD_INT:
    case RECORD_FIX:
        return SHEET_NUMBER;
    case RECORD_TIME:
        return SHEET_DATETIME;
    case RECORD_DATE:
        return SHEET_DATE;
    case RECORD_TEXT:
    case RECORD_BOOL:
    case RECORD_ENUM:
    case RECORD_REF:
    case RECORD_JSON:
        break;
    }
    return SHEET_TEXT;
}

static void export_columns(struct export *ex)
{
    enum lt_lang lang = ex->x->who->lang;
    if (!has_key(ex->k)) {
        lt_text_copy(ex->titles[0], sizeof ex->titles[0], "id");
        ex->cols[0] = (struct sheet_column){ex->titles[0], SHEET_NUMBER};
        ex->field[ex->n++] = -1;
    }
    for (size_t i = 0; i < ex->k->n && ex->n < SHEET_COLS_MAX; i++) {
        const struct record_field *f = &ex->k->fields[i];
        if (!in_sheet(f))
            continue;
        snprintf(ex->titles[ex->n], sizeof ex->titles[0], f->unit ? "%s(%s)" : "%s", record_label(f->en, f->zh, lang),
                 f->unit ? f->unit : "");
        ex->cols[ex->n] = (struct sheet_column){ex->titles[ex->n], sheet_type_of(f->type)};
        ex->field[ex->n++] = (int)i;
    }
}

/* A ref goes out as what brings it back: the unique code of the record it means. */
static struct lt_slice ref_code(struct export *ex, const struct record_field *f, const struct record_value *v,
                                struct lt_buf *mem)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(f->ref));
    const char *column = NULL;
    for (size_t i = 0; !column && i < k->n; i++)
        if ((k->fields[i].flags & RECORD_F_UNIQUE) && record_is_text(k->fields[i].type))
            column = k->fields[i].name;
    if (!column)
        return v->s;
    struct lt_buf text = LT_BUF_INIT(256);
    struct sql_stmt *st = NULL;
    struct lt_slice code = {0};
    bool row = false;
    lt_buf_addf(&text, "SELECT \"%s\" FROM \"%s\" WHERE id = ?1", column, f->ref);
    lt_buf_addc(&text, '\0');
    if (!text.failed && sql_prepare(ex->x->db, text.p, &st, NULL) == LT_OK) {
        sql_bind_i64(st, 1, v->i);
        if (sql_step(st, &row, NULL) == LT_OK && row)
            code = record_keep(mem, sql_col_text(st, 0));
        sql_release(&st);
    }
    lt_buf_fini(&text);
    return code.p ? code : v->s;
}

static struct lt_slice keep_z(struct lt_buf *mem, const char *z, size_t n)
{
    return record_keep(mem, (struct lt_slice){z, n});
}

static struct lt_slice cell_text(struct export *ex, const struct record_field *f, const struct record_value *v,
                                 struct lt_buf *mem)
{
    char z[48];
    int n;
    if (v->null)
        return LT_LIT("");
    switch (f->type) {
    case RECORD_INT:
        n = snprintf(z, sizeof z, "%lld", (long long)v->i);
        return keep_z(mem, z, (size_t)n);
    case RECORD_FIX:
        return keep_z(mem, z, lt_fix_format_short(v->i, z));
    case RECORD_BOOL:
        return lt_slice_of(v->i ? record_label("yes", "是", ex->x->who->lang)
                                : record_label("no", "否", ex->x->who->lang));
    case RECORD_TIME:
        lt_time_format_iso(v->i, ex->x->tz_min, z);
        return keep_z(mem, z, 19); /* local time without its offset */
    case RECORD_DATE:
        lt_time_format_iso(v->i, ex->x->tz_min, z);
        return keep_z(mem, z, 10);
    case RECORD_ENUM:
        return lt_slice_of(record_choice_label(f, v->s, ex->x->who->lang));
    case RECORD_REF:
        return ref_code(ex, f, v, mem);
    case RECORD_TEXT:
    case RECORD_JSON:
        break;
    }
    return v->s;
}

static bool export_row(void *user, const struct record_row *r)
{
    struct export *ex = user;
    struct lt_slice cells[SHEET_COLS_MAX];
    struct lt_buf mem;
    char id[24];
    if (++ex->rows > ROWS_MAX) {
        ex->e = lt_fail(ex->err, LT_E_LIMIT_SIZE, NULL, "rows / 行数", "20000", NULL);
        return false;
    }
    if (!record_mem_init(&mem)) {
        ex->e = lt_fail(ex->err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        return false;
    }
    snprintf(id, sizeof id, "%lld", (long long)r->id);
    for (unsigned c = 0; c < ex->n; c++)
        cells[c] =
            ex->field[c] < 0 ? lt_slice_of(id) : cell_text(ex, &ex->k->fields[ex->field[c]], &r->v[ex->field[c]], &mem);
    if (ex->xlsx)
        ex->e = sheet_xlsx_row(ex->xlsx, cells, ex->err);
    else
        sheet_csv_row(ex->csv, ex->cols, cells, ex->n);
    lt_buf_fini(&mem);
    return ex->e == LT_OK;
}

enum lt_err record_export(const struct record_ctx *x, const struct record_kind *k, const struct record_query *q,
                          enum record_format fmt, struct lt_buf *out, struct lt_error *err)
{
    struct export *ex = calloc(1, sizeof *ex);
    if (!ex)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    *ex = (struct export){.x = x, .k = k, .csv = out, .err = err};
    export_columns(ex);
    enum lt_err e = LT_OK;
    if (fmt == RECORD_XLSX)
        e = sheet_xlsx_create(record_label(k->en, k->zh, x->who->lang), ex->cols, ex->n, &ex->xlsx, err);
    else
        sheet_csv_begin(out, ex->cols, ex->n);
    if (e == LT_OK)
        e = record_each(x, k, q, export_row, ex, err);
    if (e == LT_OK)
        e = ex->e;
    if (ex->xlsx) {
        enum lt_err end = sheet_xlsx_finish(&ex->xlsx, e == LT_OK ? out : NULL, e == LT_OK ? err : NULL);
        e = e == LT_OK ? end : e;
    }
    if (e == LT_OK && out->failed)
        e = lt_fail_size(err, "export / 导出", out->limit);
    free(ex);
    return e;
}

/* ---- import ---- */

struct import {
    const struct record_ctx *x;
    const struct record_kind *k;
    int field[SHEET_COLS_MAX]; /* column to field; -1 number, -2 not used */
    char title[SHEET_COLS_MAX][96];
    unsigned n;
    bool header;
    struct parsed *row; /* of the row at hand */
    struct record_import sum;
    struct jsonw *w;
    enum lt_err e;
    struct lt_error *err;
};

static void report(struct import *im, unsigned row, const char *column, const struct lt_error *fault)
{
    char text[512];
    if (im->sum.errors++ >= RECORD_IMPORT_ERRORS_MAX)
        return;
    lt_error_text(fault, im->x->who->lang, text, sizeof text);
    jsonw_object(im->w);
    jsonw_ki64(im->w, "row", row);
    jsonw_kstr(im->w, "column", column);
    jsonw_kstr(im->w, "code", lt_err_name(fault->code));
    jsonw_kstr(im->w, "message", text);
    jsonw_object_end(im->w);
}

/* "高度(m)*" and "高度（m）" mean the field 高度. */
static struct lt_slice bare_title(struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool wide = s.n - i >= 3 && memcmp(s.p + i, "（", 3) == 0;
        if (i > 0 && (s.p[i] == '(' || s.p[i] == '*' || s.p[i] == '\n' || wide)) {
            s.n = i;
            break;
        }
    }
    while (s.n && (s.p[0] == ' ' || s.p[0] == '*'))
        s = (struct lt_slice){s.p + 1, s.n - 1};
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static int field_of_title(const struct record_kind *k, struct lt_slice title)
{
    struct lt_slice s = bare_title(title);
    if (s.n == 0)
        return -2;
    if (lt_slice_is(s, "id") || lt_slice_is(s, "ID"))
        return -1;
    for (size_t i = 0; i < k->n; i++) {
        const struct record_field *f = &k->fields[i];
        if (in_sheet(f) && (lt_slice_is(s, f->zh) || lt_slice_is(s, f->en) || lt_slice_is(s, f->name)))
            return (int)i;
    }
    return -3;
}

static void read_header(struct import *im, const struct sheet_row *r)
{
    struct lt_error fault;
    im->header = true;
    im->n = r->n;
    for (unsigned c = 0; c < r->n; c++) {
        lt_text_copy_slice(im->title[c], sizeof im->title[c], r->cell[c]);
        im->field[c] = field_of_title(im->k, r->cell[c]);
        if (im->field[c] == -3) {
            lt_fail(&fault, LT_E_FIELD_UNKNOWN, im->title[c], im->title[c], NULL, NULL);
            report(im, r->row, im->title[c], &fault);
        }
        for (unsigned d = 0; d < c && im->field[c] >= -1; d++)
            if (im->field[d] == im->field[c]) {
                lt_fail(&fault, LT_E_DUPLICATE, im->title[c], im->title[c], "", NULL);
                report(im, r->row, im->title[c], &fault);
            }
    }
    for (size_t i = 0; i < im->k->n; i++) {
        const struct record_field *f = &im->k->fields[i];
        bool there = false;
        for (unsigned c = 0; c < im->n; c++)
            there = there || im->field[c] == (int)i;
        if (there || !(f->flags & RECORD_F_KEY))
            continue;
        const char *label = record_label(f->en, f->zh, im->x->who->lang);
        lt_fail(&fault, LT_E_FIELD_REQUIRED, f->name, label, NULL, NULL);
        report(im, r->row, label, &fault);
    }
}

/* The record the row means: by KEY fields, or by number when the kind has none. 0: a new one. */
static enum lt_err find_by_key(struct import *im, const struct record_value *v, int64_t *ret, struct lt_error *err)
{
    struct record_sql q = RECORD_SQL_INIT;
    struct sql_stmt *st = NULL;
    bool row = false;
    lt_buf_addf(&q.text, "SELECT t.id FROM \"%s\" t WHERE t.deleted = 0", im->k->name);
    for (size_t i = 0; i < im->k->n; i++) {
        const struct record_field *f = &im->k->fields[i];
        if (!(f->flags & RECORD_F_KEY))
            continue;
        lt_buf_addf(&q.text, v[i].null ? " AND t.\"%s\" IS NULL" : " AND t.\"%s\" = ?", f->name);
        if (!v[i].null && record_is_text(f->type))
            record_sql_text(&q, v[i].s);
        else if (!v[i].null)
            record_sql_i64(&q, v[i].i);
    }
    lt_buf_adds(&q.text, " LIMIT 1");
    enum lt_err e = record_sql_prepare(im->x->db, &q, &st, err);
    if (e == LT_OK)
        e = sql_step(st, &row, err);
    if (e == LT_OK && row)
        *ret = sql_col_i64(st, 0);
    sql_release(&st);
    record_sql_fini(&q);
    return e;
}

struct parsed {
    struct record_value v[RECORD_FIELDS_MAX];
    bool has[RECORD_FIELDS_MAX], bad[RECORD_FIELDS_MAX];
    bool key_bad; /* the record cannot be looked up */
    int64_t id;
    struct lt_buf mem;
    unsigned faults;
};

static const char *title_of(const struct import *im, size_t field)
{
    for (unsigned c = 0; c < im->n; c++)
        if (im->field[c] == (int)field)
            return im->title[c];
    return im->k->fields[field].name;
}

static void parse_cells(struct import *im, const struct sheet_row *r, struct parsed *p)
{
    struct lt_error fault;
    for (unsigned c = 0; c < im->n; c++) {
        struct lt_slice text = c < r->n ? r->cell[c] : LT_LIT("");
        int f = im->field[c];
        if (f == -1 && text.n && !lt_text_to_i64(text, &p->id)) {
            lt_fail(&fault, LT_E_FIELD_TYPE, "id", "id", "number / 数字", NULL);
            report(im, r->row, im->title[c], &fault);
            p->faults++;
            p->key_bad = true;
        }
        if (f < 0)
            continue;
        p->has[f] = true;
        if (record_parse(im->x, &im->k->fields[f], text, false, &p->mem, &p->v[f], &fault) != LT_OK) {
            report(im, r->row, im->title[c], &fault);
            p->faults++;
            p->bad[f] = true;
            p->key_bad = p->key_bad || (im->k->fields[f].flags & RECORD_F_KEY);
        }
    }
}

/* An empty cell of a required field with a default takes the default on create. */
static void take_cells(struct import *im, struct parsed *p, struct record_write *w)
{
    struct lt_error fault;
    for (size_t i = 0; i < im->k->n; i++) {
        const struct record_field *f = &im->k->fields[i];
        bool create = w->old.id == 0;
        w->bad[i] = p->bad[i];
        if (!p->has[i] || p->bad[i] || (create && p->v[i].null && f->dflt))
            continue;
        bool locked = (f->flags & RECORD_F_READONLY) || ((f->flags & RECORD_F_CREATE) && !create);
        if (locked && !im->x->who->system) {
            /* an exported sheet shows them: taken back unchanged they are no fault, and on create they are left */
            if (create || record_same(f, &w->now.v[i], &p->v[i]) || f->type == RECORD_TIME)
                continue;
            lt_fail(&fault, LT_E_FIELD_READONLY, f->name, record_label(f->en, f->zh, im->x->who->lang), NULL, NULL);
            record_write_fault(w, i, &fault);
            continue;
        }
        w->now.v[i] = p->v[i];
    }
}

static enum lt_err write_parsed(struct import *im, unsigned row, struct parsed *p, struct lt_error *err)
{
    struct record_faults *faults = calloc(1, sizeof *faults);
    struct record_write *w = calloc(1, sizeof *w);
    bool changed = false;
    int64_t id = has_key(im->k) ? 0 : p->id; /* "ID" of a list from elsewhere numbers its rows, not our records */
    enum lt_err e = faults && w ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK && has_key(im->k) && !p->key_bad)
        e = find_by_key(im, p->v, &id, err);
    if (e == LT_OK)
        e = record_write_begin(w, im->x, im->k, id, "import", faults, err);
    if (e == LT_OK) {
        take_cells(im, p, w);
        w->check_only = p->faults > 0;
        e = record_write_end(w, &changed, err);
    }
    if (e == LT_OK && id == 0)
        im->sum.created++;
    else if (e == LT_OK && changed)
        im->sum.updated++;
    for (size_t i = 0; faults && e != LT_OK && i < faults->n; i++) {
        const struct record_field *f = record_field_find(im->k, lt_slice_of(faults->list[i].field));
        report(im, row, f ? title_of(im, (size_t)(f - im->k->fields)) : faults->list[i].field, &faults->list[i]);
    }
    if (faults && e != LT_OK && faults->n > 0)
        e = LT_E_BAD_INPUT; /* reported */
    if (w)
        record_write_fini(w);
    free(w);
    free(faults);
    return e;
}

/* Errors that concern this row; anything else (disk, memory) ends the import. */
static bool of_the_row(enum lt_err e)
{
    static const enum lt_err codes[] = {LT_E_NOT_FOUND, LT_E_DENIED_TERRITORY, LT_E_DENIED,    LT_E_DUPLICATE,
                                        LT_E_STALE,     LT_E_TOO_LARGE,        LT_E_FIELD_TYPE};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == e)
            return true;
    return false;
}

/* No savepoint of its own: an import with a bad row is rolled back as a whole, and what a bad row left behind until
 * then is seen by the checks of later rows only. */
static enum lt_err import_record(struct import *im, const struct sheet_row *r, struct parsed *p)
{
    struct lt_error fault = {0};
    enum lt_err e = write_parsed(im, r->row, p, &fault);
    if (e == LT_OK || e == LT_E_BAD_INPUT)
        return LT_OK;
    if (of_the_row(e)) {
        report(im, r->row, "", &fault);
        return LT_OK;
    }
    if (im->err)
        *im->err = fault;
    return e;
}

static bool import_row(void *user, const struct sheet_row *r)
{
    struct import *im = user;
    struct parsed *p = im->row;
    if (!im->header) {
        read_header(im, r);
        return im->sum.errors == 0;
    }
    struct lt_buf mem = p->mem; /* used again and again: 64 KB a row are not for nothing */
    lt_buf_clear(&mem);
    *p = (struct parsed){.mem = mem};
    for (size_t i = 0; i < im->k->n; i++)
        p->v[i].null = true;
    im->sum.rows++;
    parse_cells(im, r, p);
    if (p->faults == 0 || !p->key_bad || has_key(im->k)) /* what can be read is checked too: all faults in one go */
        im->e = import_record(im, r, p);
    return im->e == LT_OK && im->sum.errors < RECORD_IMPORT_ERRORS_MAX;
}

static enum lt_err note_import(struct import *im, struct lt_error *err)
{
    char detail[96];
    int n = snprintf(detail, sizeof detail, "{\"rows\":%u,\"created\":%u,\"updated\":%u}", im->sum.rows,
                     im->sum.created, im->sum.updated);
    const struct audit_entry a = {.who = im->x->who,
                                  .at_ms = im->x->now_ms,
                                  .action = "import",
                                  .kind = im->k->name,
                                  .detail = {detail, (size_t)n}};
    return audit_add(im->x->db, &a, err);
}

static enum lt_err run_import(struct import *im, struct lt_slice file, enum record_format fmt, bool dry_run,
                              struct lt_error *err)
{
    enum lt_err e = sql_begin(im->x->db, err);
    if (e != LT_OK)
        return e;
    e = fmt == RECORD_XLSX ? sheet_read_xlsx(file, import_row, im, err) : sheet_read_csv(file, import_row, im, err);
    if (e == LT_OK)
        e = im->e;
    if (e == LT_OK && !im->header)
        e = lt_fail(err, LT_E_BAD_INPUT, NULL, "the sheet is empty / 表格为空", NULL, NULL);
    if (e == LT_OK && !dry_run && im->sum.errors == 0)
        e = note_import(im, err);
    if (e == LT_OK && !dry_run && im->sum.errors == 0)
        return sql_commit(im->x->db, err);
    sql_rollback(im->x->db);
    return e;
}

enum lt_err record_import(const struct record_ctx *x, const struct record_kind *k, struct lt_slice file,
                          enum record_format fmt, bool dry_run, struct jsonw *w, struct record_import *ret,
                          struct lt_error *err)
{
    enum lt_err e =
        k->readonly ? lt_fail(err, LT_E_BAD_METHOD, NULL, "import / 导入", NULL, NULL) : record_need(x, k, "write", err);
    if (e != LT_OK)
        return e;
    struct import *im = calloc(1, sizeof *im);
    struct parsed *row = calloc(1, sizeof *row);
    if (!im || !row || !record_mem_init(&row->mem)) {
        free(row);
        free(im);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    *im = (struct import){.x = x, .k = k, .w = w, .err = err, .row = row};
    jsonw_object(w);
    jsonw_key(w, "errors");
    jsonw_array(w);
    e = run_import(im, file, fmt, dry_run, err);
    jsonw_array_end(w);
    jsonw_ki64(w, "rows", im->sum.rows);
    jsonw_ki64(w, "created", im->sum.created);
    jsonw_ki64(w, "updated", im->sum.updated);
    jsonw_kbool(w, "dry_run", dry_run);
    jsonw_kbool(w, "written", e == LT_OK && !dry_run && im->sum.errors == 0);
    jsonw_object_end(w);
    if (ret)
        *ret = im->sum;
    lt_buf_fini(&row->mem);
    free(row);
    free(im);
    return e;
}
