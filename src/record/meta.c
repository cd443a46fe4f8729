/* What the web page and other programs must know of the kinds: metadata and OpenAPI. */
#include "record/record_priv.h"

#include <stdio.h>

static void write_choices(const struct record_field *f, enum lt_lang lang, struct jsonw *w)
{
    jsonw_key(w, "choices");
    jsonw_array(w);
    for (const struct record_choice *c = f->choices; c && c->value; c++) {
        jsonw_object(w);
        jsonw_kstr(w, "value", c->value);
        jsonw_kstr(w, "label", record_label(c->en, c->zh, lang));
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static bool has_range(const struct record_field *f)
{
    return (f->type == RECORD_INT || f->type == RECORD_FIX) && f->max > f->min;
}

static void write_range(const struct record_field *f, const char *min, const char *max, struct jsonw *w)
{
    if (!has_range(f))
        return;
    if (f->type == RECORD_FIX) {
        jsonw_kfix(w, min, f->min);
        jsonw_kfix(w, max, f->max);
    } else {
        jsonw_ki64(w, min, f->min);
        if (f->max < INT64_C(1) << 53) /* what a page can hold exactly */
            jsonw_ki64(w, max, f->max);
    }
}

static void write_field(const struct record_field *f, enum lt_lang lang, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "name", f->name);
    jsonw_kstr(w, "type", record_type_name(f->type));
    jsonw_kstr(w, "label", record_label(f->en, f->zh, lang));
    if (f->unit)
        jsonw_kstr(w, "unit", f->unit);
    jsonw_kbool(w, "required", (f->flags & RECORD_F_REQUIRED) != 0);
    jsonw_kbool(w, "unique", (f->flags & RECORD_F_UNIQUE) != 0);
    jsonw_kbool(w, "readonly", (f->flags & RECORD_F_READONLY) != 0);
    jsonw_kbool(w, "create_only", (f->flags & RECORD_F_CREATE) != 0);
    jsonw_kbool(w, "secret", (f->flags & RECORD_F_SECRET) != 0);
    jsonw_kbool(w, "in_list", (f->flags & RECORD_F_LIST) != 0);
    jsonw_kbool(w, "search", (f->flags & RECORD_F_SEARCH) != 0);
    if (f->choices)
        write_choices(f, lang, w);
    if (f->ref)
        jsonw_kstr(w, "ref", f->ref);
    write_range(f, "min", "max", w);
    if (record_is_text(f->type) && f->max > 0)
        jsonw_ki64(w, "max_chars", f->max);
    if (f->dflt)
        jsonw_kstr(w, "default", f->dflt);
    if (f->form)
        jsonw_kstr(w, "form", f->form);
    if (f->hint_en)
        jsonw_kstr(w, "hint", record_label(f->hint_en, f->hint_zh, lang));
    jsonw_object_end(w);
}

static void write_can(const struct auth_ctx *who, const struct record_kind *k, struct jsonw *w)
{
    bool write = !k->readonly && auth_may2(who, k->name, "write");
    jsonw_key(w, "can");
    jsonw_object(w);
    jsonw_kbool(w, "read", true);
    jsonw_kbool(w, "create", write);
    jsonw_kbool(w, "update", write);
    jsonw_kbool(w, "delete", !k->readonly && auth_may2(who, k->name, "delete"));
    jsonw_object_end(w);
}

void record_meta(const struct auth_ctx *who, struct jsonw *w)
{
    jsonw_array(w);
    for (size_t i = 0; i < record_kind_count(); i++) {
        const struct record_kind *k = record_kind_at(i);
        if (!auth_may2(who, k->name, "read"))
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "name", k->name);
        jsonw_kstr(w, "label", record_label(k->en, k->zh, who->lang));
        jsonw_key(w, "fields");
        jsonw_array(w);
        for (size_t f = 0; f < k->n; f++)
            if (!(k->fields[f].flags & RECORD_F_HIDDEN))
                write_field(&k->fields[f], who->lang, w);
        jsonw_array_end(w);
        write_can(who, k, w);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

/* ---- OpenAPI 3.0 ---- */

static void schema_type(const struct record_field *f, struct jsonw *w)
{
    static const struct {
        const char *type, *format;
    } types[] = {{"string", NULL},  {"integer", "int64"},    {"number", NULL},
                 {"boolean", NULL}, {"string", "date-time"}, {"string", "date-time"},
                 {"string", NULL},  {"integer", "int64"},    {"object", NULL}};
    jsonw_kstr(w, "type", types[f->type].type);
    if (types[f->type].format)
        jsonw_kstr(w, "format", types[f->type].format);
}

static void schema_field(const struct record_field *f, bool out, struct jsonw *w)
{
    char text[400];
    bool required = (f->flags & RECORD_F_REQUIRED) != 0;
    jsonw_key(w, f->name);
    jsonw_object(w);
    schema_type(f, w);
    snprintf(text, sizeof text, "%s / %s%s%s%s", f->en, f->zh, f->unit ? ", " : "", f->unit ? f->unit : "",
             f->ref ? ", id of a record of the kind it names" : "");
    jsonw_kstr(w, "description", text);
    if (!required)
        jsonw_kbool(w, "nullable", true);
    if (f->flags & RECORD_F_READONLY)
        jsonw_kbool(w, "readOnly", true);
    if (!out && (f->flags & RECORD_F_SECRET))
        jsonw_kbool(w, "writeOnly", true);
    if (f->choices) {
        jsonw_key(w, "enum");
        jsonw_array(w);
        for (const struct record_choice *c = f->choices; c->value; c++)
            jsonw_str(w, c->value);
        if (!required)
            jsonw_null(w);
        jsonw_array_end(w);
    }
    write_range(f, "minimum", "maximum", w);
    if (f->type == RECORD_TEXT && f->max > 0)
        jsonw_ki64(w, "maxLength", f->max);
    jsonw_object_end(w);
}

static void plain_property(struct jsonw *w, const char *name, const char *type)
{
    jsonw_key(w, name);
    jsonw_object(w);
    jsonw_kstr(w, "type", type);
    jsonw_object_end(w);
}

static void schema_out(const struct record_kind *k, struct jsonw *w)
{
    char name[80];
    static const char *const own[] = {"created_at", "updated_at"};
    jsonw_key(w, "properties");
    jsonw_object(w);
    plain_property(w, "id", "integer");
    plain_property(w, "version", "integer");
    for (size_t i = 0; i < 2; i++)
        plain_property(w, own[i], "string");
    for (size_t i = 0; i < k->n; i++) {
        const struct record_field *f = &k->fields[i];
        if (f->flags & RECORD_F_HIDDEN)
            continue;
        if (f->flags & RECORD_F_SECRET) {
            snprintf(name, sizeof name, "%s_set", f->name);
            plain_property(w, name, "boolean");
            continue;
        }
        schema_field(f, true, w);
        if (f->type == RECORD_REF) {
            snprintf(name, sizeof name, "%s_name", f->name);
            plain_property(w, name, "string");
        }
    }
    jsonw_object_end(w);
}

static void schema_in(const struct record_kind *k, struct jsonw *w)
{
    jsonw_key(w, "required");
    jsonw_array(w);
    for (size_t i = 0; i < k->n; i++)
        if ((k->fields[i].flags & (RECORD_F_REQUIRED | RECORD_F_READONLY)) == RECORD_F_REQUIRED && !k->fields[i].dflt)
            jsonw_str(w, k->fields[i].name);
    jsonw_array_end(w);
    jsonw_key(w, "properties");
    jsonw_object(w);
    plain_property(w, "version", "integer");
    for (size_t i = 0; i < k->n; i++)
        if (!(k->fields[i].flags & (RECORD_F_HIDDEN | RECORD_F_READONLY)))
            schema_field(&k->fields[i], false, w);
    jsonw_object_end(w);
}

/* Whose a record is: what a program that checks permissions must know. */
static void scope(const struct record_kind *k, struct jsonw *w)
{
    if (k->territory)
        jsonw_kstr(w, "x-territory", k->territory);
    if (k->enterprise)
        jsonw_kstr(w, "x-enterprise", k->enterprise);
    if (k->object)
        jsonw_kbool(w, "x-object", true);
    if (k->open_read)
        jsonw_kbool(w, "x-open-read", true);
}

void record_openapi_schemas(struct jsonw *w)
{
    char name[80];
    for (size_t i = 0; i < record_kind_count(); i++) {
        const struct record_kind *k = record_kind_at(i);
        jsonw_key(w, k->name);
        jsonw_object(w);
        jsonw_kstr(w, "type", "object");
        scope(k, w);
        schema_out(k, w);
        jsonw_object_end(w);
        if (k->readonly)
            continue;
        snprintf(name, sizeof name, "%s_write", k->name);
        jsonw_key(w, name);
        jsonw_object(w);
        jsonw_kstr(w, "type", "object");
        schema_in(k, w);
        jsonw_object_end(w);
    }
}

struct operation {
    const char *method, *path, *en; /* path after /api/v1/KIND */
    bool writes, body, sheet, id, version, list;
};
static const struct operation operations[] = {
    {.method = "get", .path = "", .en = "List", .list = true},
    {.method = "post", .path = "", .en = "Create", .writes = true, .body = true},
    {.method = "get", .path = "/{id}", .en = "Read", .id = true},
    {.method = "patch", .path = "/{id}", .en = "Change", .writes = true, .body = true, .id = true},
    {.method = "delete", .path = "/{id}", .en = "Delete", .writes = true, .id = true, .version = true},
    {.method = "get", .path = "/{id}/history", .en = "History", .id = true},
    {.method = "get", .path = "/export", .en = "Export", .sheet = true, .list = true},
    {.method = "post", .path = "/import", .en = "Import", .writes = true, .sheet = true},
};

static void parameter(struct jsonw *w, const char *name, const char *in, const char *type, bool required)
{
    jsonw_object(w);
    jsonw_kstr(w, "name", name);
    jsonw_kstr(w, "in", in);
    jsonw_kbool(w, "required", required);
    jsonw_key(w, "schema");
    jsonw_object(w);
    jsonw_kstr(w, "type", type);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static void parameters(const struct record_kind *k, const struct operation *o, struct jsonw *w)
{
    static const char *const list[] = {"q", "sort", "cursor"};
    jsonw_key(w, "parameters");
    jsonw_array(w);
    if (o->id)
        parameter(w, "id", "path", "integer", true);
    if (o->version)
        parameter(w, "version", "query", "integer", true);
    if (o->sheet)
        parameter(w, "format", "query", "string", true);
    for (size_t i = 0; o->list && i < 3; i++)
        parameter(w, list[i], "query", "string", false);
    if (o->list)
        parameter(w, "limit", "query", "integer", false);
    for (size_t i = 0; o->list && i < k->n; i++)
        if (!(k->fields[i].flags & (RECORD_F_HIDDEN | RECORD_F_SECRET)) && k->fields[i].type != RECORD_JSON)
            parameter(w, k->fields[i].name, "query", "string", false);
    jsonw_array_end(w);
}

static void ref_content(struct jsonw *w, const char *kind, const char *suffix)
{
    char ref[120];
    snprintf(ref, sizeof ref, "#/components/schemas/%s%s", kind, suffix);
    jsonw_key(w, "content");
    jsonw_object(w);
    jsonw_key(w, "application/json");
    jsonw_object(w);
    jsonw_key(w, "schema");
    jsonw_object(w);
    jsonw_kstr(w, "$ref", ref);
    jsonw_object_end(w);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static void operation(const struct record_kind *k, const struct operation *o, struct jsonw *w)
{
    char text[120];
    jsonw_key(w, o->method);
    jsonw_object(w);
    snprintf(text, sizeof text, "%s: %s / %s", o->en, k->en, k->zh);
    jsonw_kstr(w, "summary", text);
    parameters(k, o, w);
    if (o->body) {
        jsonw_key(w, "requestBody");
        jsonw_object(w);
        ref_content(w, k->name, "_write");
        jsonw_object_end(w);
    }
    jsonw_key(w, "responses");
    jsonw_object(w);
    jsonw_key(w, "200");
    jsonw_object(w);
    jsonw_kstr(w, "description", "done");
    if (!o->sheet && !o->list && !o->version && (o->body || strcmp(o->path, "/{id}") == 0))
        ref_content(w, k->name, "");
    jsonw_object_end(w);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

void record_openapi_paths(struct jsonw *w)
{
    char path[120];
    const size_t n = sizeof operations / sizeof operations[0];
    for (size_t i = 0; i < record_kind_count(); i++) {
        const struct record_kind *k = record_kind_at(i);
        const char *open = NULL;
        for (size_t o = 0; o < n; o++) { /* operations of one path stand together */
            if (k->readonly && operations[o].writes)
                continue;
            if (!open || strcmp(open, operations[o].path) != 0) {
                if (open)
                    jsonw_object_end(w);
                open = operations[o].path;
                snprintf(path, sizeof path, "/api/v1/%s%s", k->name, open);
                jsonw_key(w, path);
                jsonw_object(w);
            }
            operation(k, &operations[o], w);
        }
        if (open)
            jsonw_object_end(w);
    }
}
