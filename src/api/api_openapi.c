/* /api/v1/openapi.json, from the route table and the declarations of the kinds. */
#include "api/api_priv.h"

#include <stdio.h>

static const char *const type_names[][3] = {
    {"text", "string", NULL},  {"int", "integer", "int64"}, {"time", "string", "date-time"},
    {"day", "string", "date"}, {"bool", "boolean", NULL},   {"fix", "number", NULL},
    {"json", NULL, NULL}, /* any shape; the words of the route say which */
};

/* Takes the next "name=type!" off a comma list. */
static bool next_field(struct lt_slice *list, struct lt_slice *name, struct lt_slice *type, bool *required)
{
    while (list->n && (list->p[0] == ',' || list->p[0] == ' ')) {
        list->p++;
        list->n--;
    }
    if (list->n == 0)
        return false;
    const char *comma = memchr(list->p, ',', list->n);
    struct lt_slice item = {list->p, comma ? (size_t)(comma - list->p) : list->n};
    list->p += item.n;
    list->n -= item.n;
    const char *eq = memchr(item.p, '=', item.n);
    *name = (struct lt_slice){item.p, eq ? (size_t)(eq - item.p) : item.n};
    *type = eq ? (struct lt_slice){eq + 1, item.n - name->n - 1} : LT_LIT("text");
    *required = type->n && type->p[type->n - 1] == '!';
    type->n -= *required;
    return true;
}

static void schema_of(struct jsonw *w, struct lt_slice type)
{
    jsonw_object(w);
    if (lt_slice_is(type, "list")) { /* of objects */
        jsonw_kstr(w, "type", "array");
        jsonw_key(w, "items");
        jsonw_object(w);
        jsonw_kstr(w, "type", "object");
        jsonw_object_end(w);
        jsonw_object_end(w);
        return;
    }
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (!lt_slice_is(type, type_names[i][0]))
            continue;
        if (type_names[i][1])
            jsonw_kstr(w, "type", type_names[i][1]);
        if (type_names[i][2])
            jsonw_kstr(w, "format", type_names[i][2]);
        jsonw_object_end(w);
        return;
    }
    jsonw_kstr(w, "type", "string");
    jsonw_key(w, "enum");
    jsonw_array(w);
    for (size_t i = 0; i < type.n;) {
        const char *bar = memchr(type.p + i, '|', type.n - i);
        size_t end = bar ? (size_t)(bar - type.p) : type.n;
        jsonw_slice(w, (struct lt_slice){type.p + i, end - i});
        i = end + 1;
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
}

static void parameter(struct jsonw *w, struct lt_slice name, const char *in, struct lt_slice type, bool required)
{
    jsonw_object(w);
    jsonw_kslice(w, "name", name);
    jsonw_kstr(w, "in", in);
    jsonw_kbool(w, "required", required);
    jsonw_key(w, "schema");
    schema_of(w, type);
    jsonw_object_end(w);
}

static void parameters(struct jsonw *w, const struct api_route *r)
{
    struct lt_slice list = lt_slice_of(r->query), name, type;
    bool required;
    jsonw_key(w, "parameters");
    jsonw_array(w);
    for (const char *p = strchr(r->pattern, '{'); p; p = strchr(p + 1, '{')) {
        name = (struct lt_slice){p + 1, strcspn(p + 1, "}")};
        parameter(w, name, "path", lt_slice_is(name, "id") ? LT_LIT("int") : LT_LIT("text"), true);
    }
    while (next_field(&list, &name, &type, &required))
        parameter(w, name, "query", type, required);
    jsonw_array_end(w);
}

static void ref(struct jsonw *w, const char *schema)
{
    char text[100];
    snprintf(text, sizeof text, "#/components/schemas/%s", schema);
    jsonw_object(w);
    jsonw_kstr(w, "$ref", text);
    jsonw_object_end(w);
}

static void json_content(struct jsonw *w)
{
    jsonw_key(w, "content");
    jsonw_object(w);
    jsonw_key(w, "application/json");
    jsonw_object(w);
    jsonw_key(w, "schema");
}

static void json_content_end(struct jsonw *w)
{
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static void object_schema(struct jsonw *w, const char *fields)
{
    struct lt_slice list = lt_slice_of(fields), name, type;
    bool required, any = false;
    jsonw_object(w);
    jsonw_kstr(w, "type", "object");
    jsonw_key(w, "properties");
    jsonw_object(w);
    while (next_field(&list, &name, &type, &required)) {
        any |= required;
        jsonw_key_slice(w, name);
        schema_of(w, type);
    }
    jsonw_object_end(w);
    if (any) {
        jsonw_key(w, "required");
        jsonw_array(w);
        list = lt_slice_of(fields);
        while (next_field(&list, &name, &type, &required))
            if (required)
                jsonw_slice(w, name);
        jsonw_array_end(w);
    }
    jsonw_object_end(w);
}

static void responses(struct jsonw *w, const struct api_route *r)
{
    bool schema = r->answer && r->answer[0] == '#';
    jsonw_key(w, "responses");
    jsonw_object(w);
    jsonw_key(w, r->answer && strcmp(r->answer, "nothing") == 0 ? "204" : "200");
    jsonw_object(w);
    jsonw_kstr(w, "description", r->answer ? r->answer + schema : "done");
    if (schema) {
        json_content(w);
        ref(w, r->answer + 1);
        json_content_end(w);
    }
    jsonw_object_end(w);
    jsonw_key(w, "default");
    jsonw_object(w);
    jsonw_kstr(w, "description", "error");
    json_content(w);
    ref(w, "error");
    json_content_end(w);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static void operation(struct jsonw *w, const struct api_route *r)
{
    static const char *const methods[HTTP_METHODS] = {"get", "post", "put", "patch", "delete"};
    static const char *const access[] = {"open", "signed", "user", "permission"};
    char summary[200];
    snprintf(summary, sizeof summary, "%s / %s", r->en, r->zh);
    jsonw_key(w, methods[r->method]);
    jsonw_object(w);
    jsonw_kstr(w, "summary", summary);
    jsonw_kstr(w, "x-access", access[r->access]);
    if (r->permission)
        jsonw_kstr(w, "x-permission", r->permission);
    if (r->access == API_OPEN) {
        jsonw_key(w, "security");
        jsonw_array(w);
        jsonw_array_end(w);
    }
    parameters(w, r);
    if (r->body) {
        jsonw_key(w, "requestBody");
        jsonw_object(w);
        json_content(w);
        object_schema(w, r->body);
        json_content_end(w);
        jsonw_object_end(w);
    }
    responses(w, r);
    jsonw_object_end(w);
}

/* Routes of one path stand together under it. */
static void own_paths(struct jsonw *w)
{
    for (size_t i = 0; i < api_routes_n; i++) {
        bool before = false;
        for (size_t k = 0; k < i; k++)
            before |= strcmp(api_routes[k].pattern, api_routes[i].pattern) == 0;
        if (before)
            continue;
        jsonw_key(w, api_routes[i].pattern);
        jsonw_object(w);
        for (size_t k = i; k < api_routes_n; k++)
            if (strcmp(api_routes[k].pattern, api_routes[i].pattern) == 0)
                operation(w, &api_routes[k]);
        jsonw_object_end(w);
    }
}

static json_t *paths_of(void (*write)(struct jsonw *w))
{
    struct lt_buf text = LT_BUF_INIT(JSONR_SIZE_MAX);
    struct jsonw w;
    json_t *ret = NULL;
    jsonw_init(&w, &text);
    jsonw_object(&w);
    write(&w);
    jsonw_object_end(&w);
    if (!jsonw_ok(&w) || jsonr_object(lt_buf_slice(&text), JSONR_SIZE_MAX, &ret, NULL) != LT_OK)
        ret = NULL;
    lt_buf_fini(&text);
    return ret;
}

/* A read-only kind has its list from the declaration and its POST from the routes: both stand under one path. */
static void all_paths(struct jsonw *w)
{
    json_t *own = paths_of(own_paths), *kinds = paths_of(record_openapi_paths), *more;
    const char *path;
    json_object_foreach(kinds, path, more)
    {
        json_t *there = json_object_get(own, path);
        if (there)
            json_object_update(there, more);
        else
            json_object_set(own, path, more);
    }
    if (own && kinds)
        jsonw_tree(w, own);
    else
        jsonw_null(w); /* no memory: the caller sees that it is not whole */
    json_decref(own);
    json_decref(kinds);
}

static void own_schemas(struct jsonw *w)
{
    jsonw_key(w, "error");
    jsonw_raw(
        w,
        LT_LIT("{\"type\":\"object\",\"properties\":{\"error\":{\"type\":\"object\",\"properties\":{"
               "\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"},"
               "\"hint\":{\"type\":\"string\"},\"field\":{\"type\":\"string\"},\"params\":{\"type\":\"array\","
               "\"items\":{\"type\":\"string\"}},\"faults\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}}"));
    jsonw_key(w, "session");
    jsonw_raw(
        w, LT_LIT("{\"type\":\"object\",\"properties\":{\"user\":{\"type\":\"object\",\"properties\":{"
                  "\"id\":{\"type\":\"integer\"},\"login\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
                  "\"role\":{\"type\":\"string\"},\"role_name\":{\"type\":\"string\"},\"permissions\":{\"type\":"
                  "\"array\",\"items\":{\"type\":\"string\"}},\"territory\":{\"type\":\"integer\",\"nullable\":true},"
                  "\"territory_name\":{\"type\":\"string\"},\"lang\":{\"type\":\"string\"},\"must_change\":{\"type\":"
                  "\"boolean\"}}},\"csrf\":{\"type\":\"string\"}}}"));
}

void api_openapi(struct lt_buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "openapi", "3.0.3");
    jsonw_key(&w, "info");
    jsonw_object(&w);
    jsonw_kstr(&w, "title", "Lantian 蓝天");
    jsonw_kstr(&w, "version", API_VERSION);
    jsonw_kstr(&w, "description",
               "Times are ISO 8601 with offset; measured values are exact decimals. ?lang=zh|en or "
               "Accept-Language chooses texts. The cookie session needs the header X-CSRF-Token on "
               "everything but GET; programs send Authorization: Bearer.");
    jsonw_object_end(&w);
    jsonw_key(&w, "security");
    jsonw_raw(&w, LT_LIT("[{\"cookie\":[]},{\"bearer\":[]}]"));
    jsonw_key(&w, "paths");
    all_paths(&w);
    jsonw_key(&w, "components");
    jsonw_object(&w);
    jsonw_key(&w, "securitySchemes");
    jsonw_raw(&w, LT_LIT("{\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"lt_session\"},"
                         "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    jsonw_key(&w, "schemas");
    jsonw_object(&w);
    own_schemas(&w);
    record_openapi_schemas(&w);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
}
