/* The model: written as JSON by the builder, checked when it is read. */
#include "base/fix.h"
#include "paper/paper_priv.h"

#define VERSION 1

/* ---- building ---- */

static const char *z(const char *s)
{
    return s ? s : "";
}

static void put(struct paper *p, const char *key, const char *s)
{
    if (s && s[0]) {
        if (strlen(s) > PAPER_TEXT_MAX)
            p->fault = true;
        else
            jsonw_kstr(&p->w, key, s);
    }
}

void paper_begin(struct paper *p, const struct paper_head *h)
{
    *p = (struct paper){.json = LT_BUF_INIT(PAPER_BYTES_MAX)};
    jsonw_init(&p->w, &p->json);
    jsonw_object(&p->w);
    jsonw_ki64(&p->w, "v", VERSION);
    jsonw_kstr(&p->w, "lang", h->lang == LT_EN ? "en" : "zh");
    jsonw_kbool(&p->w, "landscape", h->landscape);
    put(p, "org", h->org);
    put(p, "number", h->number);
    put(p, "title", h->title);
    put(p, "date", h->date);
    put(p, "footer", h->footer);
    jsonw_key(&p->w, "blocks");
    jsonw_array(&p->w);
}

static void block(struct paper *p, const char *type)
{
    if (++p->blocks > PAPER_BLOCKS_MAX)
        p->fault = true;
    jsonw_object(&p->w);
    jsonw_kstr(&p->w, "t", type);
}

static void simple(struct paper *p, const char *type, const char *text)
{
    block(p, type);
    put(p, "text", text);
    jsonw_object_end(&p->w);
}

void paper_heading(struct paper *p, const char *text)
{
    simple(p, "heading", text);
}

void paper_text(struct paper *p, const char *text)
{
    simple(p, "text", text);
}

void paper_note(struct paper *p, const char *text)
{
    simple(p, "note", text);
}

void paper_page(struct paper *p)
{
    simple(p, "page", NULL);
}

void paper_figures(struct paper *p, const struct paper_figure *f, size_t n)
{
    if (n > PAPER_ITEMS_MAX)
        p->fault = true;
    block(p, "figures");
    jsonw_key(&p->w, "items");
    jsonw_array(&p->w);
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&p->w);
        put(p, "label", f[i].label);
        put(p, "value", f[i].value);
        put(p, "unit", f[i].unit);
        put(p, "note", f[i].note);
        put(p, "mark", f[i].mark);
        jsonw_object_end(&p->w);
    }
    jsonw_array_end(&p->w);
    jsonw_object_end(&p->w);
}

static const char *const aligns[] = {[PAPER_LEFT] = "left", [PAPER_RIGHT] = "right", [PAPER_CENTRE] = "center"};

void paper_table(struct paper *p, const char *caption, const struct paper_col *cols, size_t n)
{
    p->n_cols = n;
    if (n == 0 || n > PAPER_COLS_MAX)
        p->fault = true;
    block(p, "table");
    put(p, "caption", caption);
    jsonw_key(&p->w, "cols");
    jsonw_array(&p->w);
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&p->w);
        put(p, "title", cols[i].title);
        put(p, "group", cols[i].group);
        jsonw_kstr(&p->w, "align", aligns[cols[i].align]);
        jsonw_kbool(&p->w, "number", cols[i].number);
        jsonw_object_end(&p->w);
    }
    jsonw_array_end(&p->w);
    jsonw_key(&p->w, "rows");
    jsonw_array(&p->w);
}

void paper_row(struct paper *p, const struct paper_cell *cells, size_t n)
{
    if (n != p->n_cols)
        p->fault = true;
    jsonw_array(&p->w);
    for (size_t i = 0; i < n; i++) {
        if (strlen(z(cells[i].text)) > PAPER_TEXT_MAX)
            p->fault = true;
        if (cells[i].mark && cells[i].mark[0]) {
            jsonw_object(&p->w);
            put(p, "s", cells[i].text);
            put(p, "m", cells[i].mark);
            jsonw_object_end(&p->w);
        } else {
            jsonw_str(&p->w, z(cells[i].text));
        }
    }
    jsonw_array_end(&p->w);
}

void paper_table_end(struct paper *p)
{
    jsonw_array_end(&p->w);
    jsonw_object_end(&p->w);
}

void paper_chart(struct paper *p, const struct paper_chart *c)
{
    if (c->n == 0 || c->n > PAPER_POINTS_MAX || c->n_series == 0 || c->n_series > PAPER_SERIES_MAX)
        p->fault = true;
    block(p, "chart");
    jsonw_kbool(&p->w, "bars", c->bars);
    put(p, "caption", c->caption);
    put(p, "unit", c->unit);
    jsonw_ki64(&p->w, "decimals", (int64_t)c->decimals);
    jsonw_key(&p->w, "labels");
    jsonw_array(&p->w);
    for (size_t i = 0; i < c->n; i++)
        jsonw_str(&p->w, z(c->label[i]));
    jsonw_array_end(&p->w);
    jsonw_key(&p->w, "series");
    jsonw_array(&p->w);
    for (size_t s = 0; s < c->n_series; s++) {
        jsonw_object(&p->w);
        put(p, "name", c->series[s].name);
        jsonw_key(&p->w, "values");
        jsonw_array(&p->w);
        for (size_t i = 0; i < c->n; i++) {
            if (c->series[s].value[i] == LT_FIX_NONE)
                jsonw_null(&p->w);
            else
                jsonw_i64(&p->w, c->series[s].value[i]);
        }
        jsonw_array_end(&p->w);
        jsonw_object_end(&p->w);
    }
    jsonw_array_end(&p->w);
    if (c->limit != LT_FIX_NONE) {
        jsonw_ki64(&p->w, "limit", c->limit);
        put(p, "limit_label", c->limit_label);
    }
    jsonw_object_end(&p->w);
}

enum lt_err paper_end(struct paper *p, struct lt_error *err)
{
    jsonw_array_end(&p->w);
    jsonw_object_end(&p->w);
    if (p->fault || !jsonw_ok(&p->w))
        return lt_fail(err, LT_E_LIMIT_SIZE, NULL, "paper / 文稿", "2 MB", NULL);
    return paper_check(lt_buf_slice(&p->json), err);
}

void paper_fini(struct paper *p)
{
    lt_buf_fini(&p->json);
}

/* ---- checking ---- */

struct check {
    struct lt_error *err;
    size_t block;
};

static enum lt_err wrong(const struct check *c, const char *what)
{
    return lt_failf(c->err, LT_E_BAD_INPUT, NULL, "paper, block %zu: %s", c->block, what);
}

static bool text_ok(const json_t *v)
{
    return !v || (json_is_string(v) && json_string_length(v) <= PAPER_TEXT_MAX &&
                  strlen(json_string_value(v)) == json_string_length(v));
}

static bool texts_ok(const json_t *o, const char *const *keys)
{
    for (; *keys; keys++)
        if (!text_ok(json_object_get(o, *keys)))
            return false;
    return true;
}

static bool array_ok(const json_t *v, size_t least, size_t most)
{
    return json_is_array(v) && json_array_size(v) >= least && json_array_size(v) <= most;
}

static enum lt_err check_figures(const struct check *c, const json_t *b)
{
    static const char *const keys[] = {"label", "value", "unit", "note", "mark", NULL};
    const json_t *items = json_object_get(b, "items");
    if (!array_ok(items, 0, PAPER_ITEMS_MAX))
        return wrong(c, "items");
    for (size_t i = 0; i < json_array_size(items); i++)
        if (!json_is_object(json_array_get(items, i)) || !texts_ok(json_array_get(items, i), keys))
            return wrong(c, "an item");
    return LT_OK;
}

static enum lt_err check_table(const struct check *c, const json_t *b)
{
    static const char *const keys[] = {"title", "group", "align", NULL}, *const cell_keys[] = {"s", "m", NULL};
    const json_t *cols = json_object_get(b, "cols"), *rows = json_object_get(b, "rows");
    if (!array_ok(cols, 1, PAPER_COLS_MAX) || !array_ok(rows, 0, PAPER_ROWS_MAX))
        return wrong(c, "columns or rows");
    for (size_t i = 0; i < json_array_size(cols); i++)
        if (!json_is_object(json_array_get(cols, i)) || !texts_ok(json_array_get(cols, i), keys))
            return wrong(c, "a column");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r);
        if (!json_is_array(row) || json_array_size(row) != json_array_size(cols))
            return wrong(c, "a row has another number of cells than there are columns");
        for (size_t i = 0; i < json_array_size(row); i++) {
            const json_t *cell = json_array_get(row, i);
            if (json_is_object(cell) ? !texts_ok(cell, cell_keys) : !(json_is_string(cell) && text_ok(cell)))
                return wrong(c, "a cell");
        }
    }
    return LT_OK;
}

static enum lt_err check_chart(const struct check *c, const json_t *b)
{
    const json_t *labels = json_object_get(b, "labels"), *series = json_object_get(b, "series");
    const json_t *limit = json_object_get(b, "limit"), *decimals = json_object_get(b, "decimals");
    if (!array_ok(labels, 1, PAPER_POINTS_MAX) || !array_ok(series, 1, PAPER_SERIES_MAX))
        return wrong(c, "labels or series");
    if ((limit && !json_is_integer(limit)) ||
        (decimals &&
         (!json_is_integer(decimals) || json_integer_value(decimals) < 0 || json_integer_value(decimals) > 6)))
        return wrong(c, "limit or decimals");
    for (size_t i = 0; i < json_array_size(labels); i++)
        if (!json_is_string(json_array_get(labels, i)) || !text_ok(json_array_get(labels, i)))
            return wrong(c, "a label");
    for (size_t s = 0; s < json_array_size(series); s++) {
        const json_t *o = json_array_get(series, s), *v = json_object_get(o, "values");
        if (!json_is_object(o) || !text_ok(json_object_get(o, "name")) || !json_is_array(v) ||
            json_array_size(v) != json_array_size(labels))
            return wrong(c, "a series");
        for (size_t i = 0; i < json_array_size(v); i++)
            if (!json_is_integer(json_array_get(v, i)) && !json_is_null(json_array_get(v, i)))
                return wrong(c, "a value");
    }
    return LT_OK;
}

static enum lt_err check_block(const struct check *c, const json_t *b)
{
    static const char *const keys[] = {"t", "text", "caption", "unit", "limit_label", NULL};
    if (!json_is_object(b) || !texts_ok(b, keys))
        return wrong(c, "not an object of texts");
    const char *t = paper_str(b, "t");
    if (strcmp(t, "figures") == 0)
        return check_figures(c, b);
    if (strcmp(t, "table") == 0)
        return check_table(c, b);
    if (strcmp(t, "chart") == 0)
        return check_chart(c, b);
    if (strcmp(t, "heading") == 0 || strcmp(t, "text") == 0 || strcmp(t, "note") == 0 || strcmp(t, "page") == 0)
        return LT_OK;
    return wrong(c, "unknown type");
}

enum lt_err paper_load(struct lt_slice model, json_t **ret, struct lt_error *err)
{
    static const char *const keys[] = {"lang", "org", "number", "title", "date", "footer", NULL};
    json_t *root = NULL;
    enum lt_err e = jsonr_object(model, PAPER_BYTES_MAX, &root, err);
    if (e != LT_OK)
        return e;
    struct check c = {.err = err};
    const json_t *blocks = json_object_get(root, "blocks");
    if (json_integer_value(json_object_get(root, "v")) != VERSION)
        e = lt_fail(err, LT_E_UNSUPPORTED, NULL, "this version of a paper / 该文稿版本", NULL, NULL);
    else if (!texts_ok(root, keys) || !array_ok(blocks, 0, PAPER_BLOCKS_MAX))
        e = wrong(&c, "head");
    for (size_t i = 0; e == LT_OK && i < json_array_size(blocks); i++) {
        c.block = i + 1;
        e = check_block(&c, json_array_get(blocks, i));
    }
    if (e != LT_OK) {
        json_decref(root);
        return e;
    }
    *ret = root;
    return LT_OK;
}

enum lt_err paper_check(struct lt_slice model, struct lt_error *err)
{
    json_t *root = NULL;
    enum lt_err e = paper_load(model, &root, err);
    if (e == LT_OK)
        json_decref(root);
    return e;
}

/* ---- reading ---- */

const char *paper_str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return z(s);
}

bool paper_flag(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

const char *paper_cell_text(const json_t *cell)
{
    return json_is_string(cell) ? json_string_value(cell) : paper_str(cell, "s");
}

const char *paper_cell_mark(const json_t *cell)
{
    return json_is_string(cell) ? "" : paper_str(cell, "m");
}

unsigned paper_level(const char *mark)
{
    return mark[0] == 'l' && mark[1] >= '1' && mark[1] <= '6' && !mark[2] ? (unsigned)(mark[1] - '0') : 0;
}

uint32_t paper_level_rgb(unsigned level)
{
    static const uint32_t rgb[] = {0xFFFFFF, 0x00E400, 0xFFFF00, 0xFF7E00, 0xFF0000, 0x99004C, 0x7E0023};
    return rgb[level < 7 ? level : 0];
}

const char *paper_mark_sign(const char *mark)
{
    return strcmp(mark, "bad") == 0 ? "▲ " : strcmp(mark, "warn") == 0 ? "◆ " : strcmp(mark, "good") == 0 ? "● " : "";
}
