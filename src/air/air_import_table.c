/* Files as records: CSV by lines (also out of gzip, also in GB18030), XLSX, JSON, XML; see air_import.h. Bytes come
 * from anywhere: every length is bounded. */
#include "air/air_import.h"
#include "base/text.h"
#include "sheet/sheet.h"

#include <expat.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define XML_FIELDS_MAX 256 /* leaf elements open at once: the platform has 33 in a record */
#define XML_TEXT_MAX   4096
#define XML_DEPTH_MAX  32
#define JSON_FILE_MAX  (64u << 20) /* a day of the whole country has some 25 MB */
#define JSON_NODES_MAX                                                                                                 \
    1000000u /* objects and lists: half a year of the whole country's hours; 100 bytes each in memory */
#define JSON_VALUES_MAX 4000000u             /* values: the fields of 64 MiB of that, and a quarter more */
#define RATIO_FREE      ((uint64_t)16 << 20) /* unpacked bytes for which the ratio does not matter */
#define GB_LINE_MAX     (AIR_LINE_MAX * 2)

const char *air_format_name(enum air_format f)
{
    static const char *const names[AIR_FORMATS] = {"guess", "csv", "xlsx", "json", "xml"};
    return (unsigned)f < AIR_FORMATS ? names[f] : "";
}

bool air_format_find(struct lt_slice name, enum air_format *ret)
{
    for (unsigned i = AIR_CSV; i < AIR_FORMATS; i++)
        if (lt_slice_is(name, air_format_name((enum air_format)i))) {
            *ret = (enum air_format)i;
            return true;
        }
    return false;
}

struct table {
    bool (*each)(void *user, const struct air_record *r);
    void *user;
    struct air_table_info *info;
    struct lt_slice *cell; /* AIR_COLUMNS_MAX */
    unsigned line;
    bool stop;
    /* CSV */
    char comma;
    struct lt_buf scratch; /* unquoted cells of a line */
    struct lt_buf gb;      /* a line from GB18030 */
    iconv_t iconv;
    bool iconv_open;
    /* JSON and XML: names of all fields, in order of appearance */
    struct lt_buf names;
    size_t name_at[XML_FIELDS_MAX], name_n[XML_FIELDS_MAX];
    unsigned n_names;
};

static struct lt_slice trimmed(const char *p, size_t n)
{
    while (n && ((unsigned char)*p <= ' ')) {
        p++;
        n--;
    }
    while (n && ((unsigned char)p[n - 1] <= ' '))
        n--;
    return (struct lt_slice){p, n};
}

static enum lt_err bad_line(unsigned line, const char *en, const char *zh, struct lt_error *err)
{
    return lt_failf(err, LT_E_BAD_INPUT, "file", "line %u: %s / 第 %u 行：%s", line, en, line, zh);
}

/* ---- CSV ---- */

/* The separator that the header has most of. */
static char comma_of(const char *p, size_t n)
{
    static const char marks[] = {',', '\t', ';'};
    size_t best = 0;
    char ret = ',';
    for (size_t m = 0; m < sizeof marks; m++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            count += p[i] == marks[m];
        if (count > best) {
            best = count;
            ret = marks[m];
        }
    }
    return ret;
}

/* A cell that begins with a quote: its text without quotes goes to scratch. Returns where the cell ends (at the
 * separator or the end), NULL when the quote never closes or text follows it. */
static const char *quoted(struct table *t, const char *p, const char *end, size_t *at, size_t *n)
{
    *at = t->scratch.n;
    for (p++;;) {
        const char *q = memchr(p, '"', (size_t)(end - p));
        if (!q)
            return NULL;
        lt_buf_add(&t->scratch, p, (size_t)(q - p));
        if (q + 1 < end && q[1] == '"') {
            lt_buf_addc(&t->scratch, '"');
            p = q + 2;
            continue;
        }
        *n = t->scratch.n - *at;
        const char *sep = memchr(q + 1, t->comma, (size_t)(end - q - 1));
        sep = sep ? sep : end;
        return trimmed(q + 1, (size_t)(sep - q - 1)).n ? NULL : sep; /* "1"2 is not 1 */
    }
}

static enum lt_err split(struct table *t, const char *p, const char *end, unsigned *ret_n, struct lt_error *err)
{
    unsigned n = 0;
    lt_buf_clear(&t->scratch);
    if (lt_buf_reserve(&t->scratch, (size_t)(end - p) + 1) == NULL) /* cells point into it: it must not move */
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (;;) {
        if (n == AIR_COLUMNS_MAX)
            return bad_line(t->line, "too many columns (4,096)", "列数过多（4,096）", err);
        const char *sep;
        if (p < end && *p == '"') {
            size_t at, size;
            sep = quoted(t, p, end, &at, &size);
            if (!sep)
                return bad_line(t->line, "a quote is not closed, or text follows it", "引号未闭合，或其后还有文字",
                                err);
            t->cell[n++] = trimmed(t->scratch.p + at, size);
        } else {
            sep = memchr(p, t->comma, (size_t)(end - p));
            sep = sep ? sep : end;
            t->cell[n++] = trimmed(p, (size_t)(sep - p));
        }
        if (sep == end)
            break;
        p = sep + 1;
    }
    *ret_n = n;
    return LT_OK;
}

static bool is_ascii(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] >= 0x80)
            return false;
    return true;
}

/* Spreadsheets in Chinese offices save CSV in GB18030. A line that is no UTF-8 is tried as that. */
static enum lt_err to_utf8(struct table *t, const char **p, const char **end, struct lt_error *err)
{
    struct lt_slice s = {*p, (size_t)(*end - *p)};
    if (is_ascii(s.p, s.n) || lt_text_is_utf8(s))
        return LT_OK;
    if (!t->iconv_open) {
        t->iconv = iconv_open("UTF-8", "GB18030");
        t->iconv_open = t->iconv != (iconv_t)-1;
        if (!t->iconv_open)
            return lt_fail(err, LT_E_UNSUPPORTED, "file", "GB18030", NULL, NULL);
    }
    lt_buf_clear(&t->gb);
    char *in = (char *)(uintptr_t)s.p, *out = lt_buf_reserve(&t->gb, GB_LINE_MAX);
    size_t in_n = s.n, out_n = GB_LINE_MAX;
    if (!out)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    iconv(t->iconv, NULL, NULL, NULL, NULL);
    if (iconv(t->iconv, &in, &in_n, &out, &out_n) == (size_t)-1 || in_n)
        return bad_line(t->line, "neither UTF-8 nor GB18030", "既不是 UTF-8 也不是 GB18030", err);
    lt_text_copy(t->info->encoding, sizeof t->info->encoding, "gb18030");
    *p = t->gb.p;
    *end = t->gb.p + (GB_LINE_MAX - out_n);
    return LT_OK;
}

static enum lt_err csv_line(struct table *t, const char *p, size_t n, struct lt_error *err)
{
    const char *end = p + n;
    t->line++;
    if (t->line == 1 && n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    if (end > p && end[-1] == '\r')
        end--;
    if (memchr(p, '\0', (size_t)(end - p)))
        return bad_line(t->line, "a zero byte", "含有零字节", err);
    enum lt_err e = to_utf8(t, &p, &end, err);
    if (e != LT_OK)
        return e;
    if (trimmed(p, (size_t)(end - p)).n == 0)
        return LT_OK;
    if (!t->comma)
        t->comma = comma_of(p, (size_t)(end - p));
    struct air_record r = {.line = t->line, .cell = t->cell};
    e = split(t, p, end, &r.n, err);
    if (e == LT_OK && !t->each(t->user, &r))
        t->stop = true;
    return e;
}

/* All whole lines of p[0..n); the bytes of the last, unfinished one stay. */
static enum lt_err csv_lines(struct table *t, const char *p, size_t n, bool last, size_t *ret_used,
                             struct lt_error *err)
{
    const char *at = p, *end = p + n;
    enum lt_err e = LT_OK;
    while (e == LT_OK && !t->stop && at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        if (!nl && !last)
            break;
        size_t size = nl ? (size_t)(nl - at) : (size_t)(end - at);
        if (size > AIR_LINE_MAX)
            return bad_line(t->line + 1, "longer than 256 KiB", "超过 256 KiB", err);
        e = csv_line(t, at, size, err);
        at += size + (nl != NULL);
    }
    *ret_used = (size_t)((at < end ? at : end) - p);
    return e;
}

static enum lt_err csv_gzip(struct table *t, struct lt_slice file, struct lt_error *err)
{
    enum { WINDOW = 1u << 20 };
    z_stream z = {0};
    char *buf = malloc(WINDOW);
    size_t have = 0;
    uint64_t total = 0;
    int rc = Z_OK;
    enum lt_err e = LT_OK;
    if (!buf || inflateInit2(&z, 15 + 16) != Z_OK) {
        free(buf);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    z.next_in = (Bytef *)(uintptr_t)file.p;
    size_t left = file.n;
    while (e == LT_OK && !t->stop && rc != Z_STREAM_END) {
        if (z.avail_in == 0) { /* zlib counts in 32 bits */
            z.avail_in = left > (1u << 30) ? 1u << 30 : (uInt)left;
            left -= z.avail_in;
        }
        z.next_out = (Bytef *)buf + have;
        z.avail_out = (uInt)(WINDOW - have);
        rc = inflate(&z, Z_NO_FLUSH);
        size_t got = WINDOW - have - z.avail_out, used;
        total += got;
        have += got;
        bool more_members = rc == Z_STREAM_END && (z.avail_in || left);
        if (rc != Z_OK && rc != Z_STREAM_END)
            e = lt_failf(err, LT_E_BAD_INPUT, "file", "gzip: %s / gzip 文件不完整或已损坏",
                         z.msg ? z.msg : "cut short");
        else if (total > AIR_UNPACKED_MAX)
            e = lt_fail(err, LT_E_TOO_LARGE, "file", "gzip", "4 GiB", NULL);
        else if (total > RATIO_FREE && total / AIR_UNPACKED_RATIO > file.n)
            e = lt_fail(err, LT_E_TOO_LARGE, "file", "gzip", "200 : 1", NULL);
        else
            e = csv_lines(t, buf, have, rc == Z_STREAM_END && !more_members, &used, err);
        if (e != LT_OK || t->stop)
            break;
        memmove(buf, buf + used, have - used);
        have -= used;
        if (have > AIR_LINE_MAX)
            e = bad_line(t->line + 1, "longer than 256 KiB", "超过 256 KiB", err);
        if (more_members && inflateReset(&z) == Z_OK) /* members after each other are one file */
            rc = Z_OK;
    }
    inflateEnd(&z);
    free(buf);
    return e;
}

static enum lt_err read_csv(struct table *t, struct lt_slice file, struct lt_error *err)
{
    size_t used;
    lt_text_copy(t->info->encoding, sizeof t->info->encoding, "utf-8");
    t->info->packed = file.n > 2 && memcmp(file.p, "\x1f\x8b", 2) == 0;
    if (t->info->packed)
        return csv_gzip(t, file, err);
    return csv_lines(t, file.p, file.n, true, &used, err);
}

/* ---- XLSX ---- */

static bool on_sheet_row(void *user, const struct sheet_row *s)
{
    struct table *t = user;
    struct air_record r = {.line = s->row, .n = s->n, .cell = t->cell};
    for (unsigned i = 0; i < s->n; i++)
        t->cell[i] = trimmed(s->cell[i].p, s->cell[i].n);
    return t->each(t->user, &r);
}

/* ---- JSON and XML: fields by name ---- */

/* Place of a name among the columns, made when `add` and new; -1 when there is none or no room. */
static int column_of(struct table *t, struct lt_slice name, bool add)
{
    for (unsigned i = 0; i < t->n_names; i++)
        if (t->name_n[i] == name.n && memcmp(t->names.p + t->name_at[i], name.p, name.n) == 0)
            return (int)i;
    if (!add || t->n_names == XML_FIELDS_MAX || name.n > XML_TEXT_MAX)
        return -1;
    t->name_at[t->n_names] = t->names.n;
    t->name_n[t->n_names] = name.n;
    lt_buf_add(&t->names, name.p, name.n);
    return t->names.failed ? -1 : (int)t->n_names++;
}

static void give_header(struct table *t)
{
    struct air_record r = {.line = 0, .n = t->n_names, .cell = t->cell};
    for (unsigned i = 0; i < t->n_names; i++)
        t->cell[i] = (struct lt_slice){t->names.p + t->name_at[i], t->name_n[i]};
    if (!t->each(t->user, &r))
        t->stop = true;
}

static void blank_cells(struct table *t)
{
    for (unsigned i = 0; i < t->n_names; i++)
        t->cell[i] = LT_LIT("");
}

/* The array of objects: the top itself, or the first member that is one. */
static const json_t *json_rows(const json_t *root)
{
    const char *key;
    json_t *v;
    if (json_is_array(root))
        return root;
    json_object_foreach((json_t *)(uintptr_t)root, key,
                        v) if (json_is_array(v) && json_is_object(json_array_get(v, 0))) return v;
    return NULL;
}

/* A number as it stood: jansson keeps integers; reals are written with the digits that come back the same. */
static struct lt_slice json_cell(const json_t *v, struct lt_buf *mem)
{
    size_t at = mem->n;
    if (json_is_string(v))
        return trimmed(json_string_value(v), json_string_length(v));
    if (json_is_integer(v))
        lt_buf_addf(mem, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        lt_buf_addf(mem, "%.15g", json_real_value(v));
    else if (json_is_true(v))
        lt_buf_adds(mem, "true");
    return mem->failed ? LT_LIT("") : (struct lt_slice){mem->p + at, mem->n - at};
}

static void json_record(struct table *t, const json_t *o, unsigned line)
{
    const char *key;
    json_t *v;
    lt_buf_clear(&t->scratch);
    if (!lt_buf_reserve(&t->scratch, XML_FIELDS_MAX * 32)) /* a number has at most 24 digits: it does not move */
        return;
    blank_cells(t);
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        int c = column_of(t, lt_slice_of(key), false);
        if (c >= 0)
            t->cell[c] = json_cell(v, &t->scratch);
    }
    struct air_record r = {.line = line, .n = t->n_names, .cell = t->cell};
    if (!t->each(t->user, &r))
        t->stop = true;
}

/* A list of nothings takes fifty times its bytes in memory. Marks within texts count too: they are few. */
static bool json_swells(struct lt_slice s)
{
    size_t nodes = 0, values = 0;
    for (size_t i = 0; i < s.n; i++) {
        nodes += s.p[i] == '{' || s.p[i] == '[';
        values += s.p[i] == ',';
    }
    return nodes > JSON_NODES_MAX || values > JSON_VALUES_MAX;
}

static enum lt_err read_json(struct table *t, struct lt_slice file, struct lt_error *err)
{
    json_error_t je;
    lt_text_copy(t->info->encoding, sizeof t->info->encoding, "utf-8");
    if (file.n > JSON_FILE_MAX)
        return lt_fail(err, LT_E_TOO_LARGE, "file", "JSON", "64 MiB", NULL);
    if (json_swells(file))
        return lt_fail(err, LT_E_TOO_LARGE, "file", "JSON", "1,000,000 {} [], 4,000,000 ,", NULL);
    if (file.n >= 3 && memcmp(file.p, "\xef\xbb\xbf", 3) == 0)
        file = (struct lt_slice){file.p + 3, file.n - 3};
    json_t *root = json_loadb(file.p, file.n, JSON_REJECT_DUPLICATES, &je);
    if (!root) {
        char line[16], column[16];
        snprintf(line, sizeof line, "%d", je.line);
        snprintf(column, sizeof column, "%d", je.column);
        return lt_fail(err, LT_E_BAD_JSON, "file", line, column, je.text);
    }
    const json_t *rows = json_rows(root);
    for (size_t i = 0; rows && i < json_array_size(rows); i++) {
        const char *key;
        json_t *v, *o = json_array_get(rows, i);
        json_object_foreach(o, key, v) column_of(t, lt_slice_of(key), true);
    }
    if (rows && t->n_names)
        give_header(t);
    for (size_t i = 0; rows && !t->stop && i < json_array_size(rows); i++) {
        const json_t *o = json_array_get(rows, i);
        if (json_is_object(o))
            json_record(t, o, (unsigned)i + 1);
    }
    json_decref(root);
    return rows && t->n_names ? LT_OK
                              : lt_fail(err, LT_E_BAD_INPUT, "file", "no array of objects / 不是对象数组", NULL, NULL);
}

/* XML: an element that holds at least three leaf elements is a record, the leaves are its fields. */
struct xml {
    struct table *t;
    XML_Parser parser;
    bool header; /* first pass: names only */
    unsigned depth, records;
    bool leaf[XML_DEPTH_MAX + 1];
    struct {
        unsigned depth; /* of the element it belongs to */
        size_t name, name_n, text, text_n;
    } field[XML_FIELDS_MAX];
    unsigned n;
    struct lt_buf mem; /* names and texts of open fields */
    size_t text_at;
    const char *fault, *fault_zh;
};

static void xml_fault(struct xml *x, const char *en, const char *zh)
{
    if (!x->fault) {
        x->fault = en;
        x->fault_zh = zh;
    }
    XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL xml_start(void *user, const XML_Char *name, const XML_Char **attr)
{
    struct xml *x = user;
    (void)name;
    (void)attr;
    if (x->depth == XML_DEPTH_MAX) {
        xml_fault(x, "elements nest too deep", "元素嵌套过深");
        return;
    }
    if (x->leaf[x->depth])
        x->mem.n = x->text_at; /* blanks before a first child are no field; kept they would fill mem record by record */
    x->leaf[x->depth] = false; /* of the parent */
    x->leaf[++x->depth] = true;
    x->text_at = x->mem.n;
}

static void XMLCALL xml_text(void *user, const XML_Char *p, int n)
{
    struct xml *x = user;
    if (x->leaf[x->depth] && x->mem.n - x->text_at + (size_t)n <= XML_TEXT_MAX)
        lt_buf_add(&x->mem, p, (size_t)n);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static void xml_record(struct xml *x, unsigned first)
{
    struct table *t = x->t;
    x->records++;
    if (!x->header)
        blank_cells(t);
    for (unsigned i = first; i < x->n; i++) {
        struct lt_slice name = {x->mem.p + x->field[i].name, x->field[i].name_n};
        int c = column_of(t, name, x->header);
        if (c >= 0 && !x->header)
            t->cell[c] = trimmed(x->mem.p + x->field[i].text, x->field[i].text_n);
    }
    struct air_record r = {.line = x->records, .n = t->n_names, .cell = t->cell};
    if (!x->header && !t->each(t->user, &r)) {
        t->stop = true;
        XML_StopParser(x->parser, XML_FALSE);
    }
}

static void XMLCALL xml_end(void *user, const XML_Char *qname)
{
    struct xml *x = user;
    const char *name = local_name(qname);
    if (x->leaf[x->depth]) {
        if (x->n == XML_FIELDS_MAX) {
            xml_fault(x, "too many fields", "字段过多");
            return;
        }
        size_t text_n = x->mem.n - x->text_at, at = x->mem.n;
        lt_buf_adds(&x->mem, name);
        x->field[x->n].depth = x->depth - 1;
        x->field[x->n].text = x->text_at;
        x->field[x->n].text_n = text_n;
        x->field[x->n].name = at;
        x->field[x->n++].name_n = strlen(name);
        x->text_at = x->mem.n;
    } else {
        unsigned first = x->n;
        while (first && x->field[first - 1].depth == x->depth)
            first--;
        if (x->n - first >= 3 && !x->mem.failed)
            xml_record(x, first);
        if (first < x->n) {
            x->mem.n = x->field[first].text;
            x->n = first;
        }
        x->text_at = x->mem.n;
    }
    if (x->mem.failed)
        xml_fault(x, "a record is too long", "记录过长");
    x->depth--;
}

/* "&mdash;" is what the platform writes for "nothing", and XML does not know it: such a text stays empty. */
static void XMLCALL xml_skipped(void *user, const XML_Char *name, int is_parameter)
{
    (void)user;
    (void)name;
    (void)is_parameter;
}

static enum lt_err xml_pass(struct table *t, struct lt_slice file, bool header, struct lt_error *err)
{
    struct xml *x = calloc(1, sizeof *x);
    XML_Parser p = XML_ParserCreate(NULL);
    enum lt_err e = LT_OK;
    if (!x || !p) {
        free(x);
        if (p)
            XML_ParserFree(p);
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    *x = (struct xml){.t = t, .parser = p, .header = header, .mem = LT_BUF_INIT(4u << 20)};
    XML_SetUserData(p, x);
    XML_SetElementHandler(p, xml_start, xml_end);
    XML_SetCharacterDataHandler(p, xml_text);
    XML_UseForeignDTD(p, XML_TRUE);
    XML_SetSkippedEntityHandler(p, xml_skipped);
    enum { PIECE = 1 << 20 }; /* expat counts in int */
    for (size_t at = 0; e == LT_OK && !t->stop && at < file.n; at += PIECE) {
        size_t n = file.n - at < PIECE ? file.n - at : PIECE;
        if (XML_Parse(p, file.p + at, (int)n, at + n == file.n) != XML_STATUS_ERROR || t->stop)
            continue;
        const char *what = x->fault ? x->fault : XML_ErrorString(XML_GetErrorCode(p));
        e = bad_line((unsigned)XML_GetCurrentLineNumber(p), what, x->fault ? x->fault_zh : what, err);
    }
    if (e == LT_OK && !x->records)
        e = lt_fail(err, LT_E_BAD_INPUT, "file", "no records / 没有数据记录", NULL, NULL);
    XML_ParserFree(p);
    lt_buf_fini(&x->mem);
    free(x);
    return e;
}

static enum lt_err read_xml(struct table *t, struct lt_slice file, struct lt_error *err)
{
    lt_text_copy(t->info->encoding, sizeof t->info->encoding, "utf-8");
    enum lt_err e = xml_pass(t, file, true, err);
    if (e != LT_OK)
        return e;
    give_header(t);
    return t->stop ? LT_OK : xml_pass(t, file, false, err);
}

/* ---- which ---- */

static enum air_format guess(struct lt_slice file)
{
    if (sheet_is_xlsx(file))
        return AIR_XLSX;
    struct lt_slice s = trimmed(file.p, file.n < 4096 ? file.n : 4096);
    if (s.n >= 3 && memcmp(s.p, "\xef\xbb\xbf", 3) == 0)
        s = trimmed(s.p + 3, s.n - 3);
    if (s.n && s.p[0] == '<')
        return AIR_XML;
    return s.n && (s.p[0] == '[' || s.p[0] == '{') ? AIR_JSON : AIR_CSV;
}

enum lt_err air_table_read(struct lt_slice file, enum air_format format,
                           bool (*each)(void *user, const struct air_record *r), void *user, struct air_table_info *ret,
                           struct lt_error *err)
{
    struct table t = {.each = each,
                      .user = user,
                      .info = ret,
                      .cell = calloc(AIR_COLUMNS_MAX, sizeof *t.cell),
                      .scratch = LT_BUF_INIT(GB_LINE_MAX * 2),
                      .gb = LT_BUF_INIT(GB_LINE_MAX * 2),
                      .names = LT_BUF_INIT(1u << 20)};
    if (!t.cell)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    *ret = (struct air_table_info){.format = format == AIR_FORMAT_GUESS ? guess(file) : format};
    enum lt_err e = LT_OK;
    switch (ret->format) {
    case AIR_FORMAT_GUESS:
    case AIR_FORMATS:
    case AIR_CSV:
        e = read_csv(&t, file, err);
        break;
    case AIR_XLSX:
        lt_text_copy(ret->encoding, sizeof ret->encoding, "utf-8");
        e = sheet_read_xlsx(file, on_sheet_row, &t, err);
        break;
    case AIR_JSON:
        e = read_json(&t, file, err);
        break;
    case AIR_XML:
        e = read_xml(&t, file, err);
        break;
    }
    if (t.iconv_open)
        iconv_close(t.iconv);
    lt_buf_fini(&t.scratch);
    lt_buf_fini(&t.gb);
    lt_buf_fini(&t.names);
    free(t.cell);
    return e;
}
