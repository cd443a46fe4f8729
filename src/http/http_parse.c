/* What can be said of a request from its bytes alone; see http.h. No state, no memory of its own. */
#include "http/http.h"

#include "base/text.h"

#include <stdio.h>
#include <strings.h>

static const char *const method_names[HTTP_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

const char *http_method_name(enum http_method m)
{
    return (unsigned)m < HTTP_METHODS ? method_names[m] : "?";
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes s into *mem and moves it on. False: a wrong escape, a control character, no UTF-8. */
static bool decode(struct lt_slice s, bool query, char **mem, struct lt_slice *ret)
{
    char *to = *mem;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int hi = s.n - i > 2 ? hex(s.p[i + 1]) : -1;
            int lo = s.n - i > 2 ? hex(s.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi * 16 + lo);
            if (c == '/' && !query) /* would move the borders of segments */
                return false;
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if ((unsigned char)c < 0x20 || c == 0x7F)
            return false;
        *to++ = c;
    }
    *ret = (struct lt_slice){*mem, (size_t)(to - *mem)};
    *mem = to;
    return lt_text_is_utf8(*ret);
}

static struct lt_slice cut(struct lt_slice *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct lt_slice head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = head.n + (end ? 1 : 0);
    *rest = (struct lt_slice){rest->p + used, rest->n - used};
    return head;
}

enum lt_err http_target_parse(struct lt_slice raw, char *mem, struct http_target *ret, struct lt_error *err)
{
    struct lt_slice rest = raw, part, name;
    ret->n_query = 0;
    if (raw.n > HTTP_TARGET_MAX)
        return lt_failf(err, LT_E_BAD_INPUT, NULL, "the address is longer than %d bytes / 地址超过 %d 字节",
                        HTTP_TARGET_MAX, HTTP_TARGET_MAX);
    part = cut(&rest, '?');
    if (part.n == 0 || part.p[0] != '/' || !decode(part, false, &mem, &ret->path))
        return lt_failf(err, LT_E_BAD_INPUT, NULL, "the path of the address is not valid / 地址中的路径无效");
    while (rest.n) {
        part = cut(&rest, '&');
        if (part.n == 0)
            continue;
        if (ret->n_query == HTTP_QUERY_MAX)
            return lt_fail(err, LT_E_LIMIT_SIZE, NULL, "parameters / 参数", "64", NULL);
        struct http_pair *p = &ret->query[ret->n_query++];
        name = cut(&part, '=');
        if (!decode(name, true, &mem, &p->name) || !decode(part, true, &mem, &p->value))
            return lt_failf(err, LT_E_BAD_INPUT, NULL,
                            "parameter %zu of the address is not valid / 地址中的第 %zu 个参数无效", ret->n_query,
                            ret->n_query);
    }
    return LT_OK;
}

/* True when path fits pattern; values of parameters go to param. */
static bool fits(const char *pattern, struct lt_slice path, struct lt_slice param[HTTP_PARAMS_MAX], unsigned *ret_n)
{
    size_t i = 0;
    unsigned n = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (i == path.n || path.p[i] != *pattern)
                return false;
            i++;
            pattern++;
            continue;
        }
        size_t from = i;
        while (i < path.n && path.p[i] != '/')
            i++;
        if (i == from || n == HTTP_PARAMS_MAX)
            return false;
        param[n++] = (struct lt_slice){path.p + from, i - from};
        pattern = strchr(pattern, '}') + 1;
    }
    *ret_n = n;
    return i == path.n;
}

const struct http_route *http_match(const struct http_route *routes, size_t n, enum http_method m, struct lt_slice path,
                                    struct lt_slice ret_param[HTTP_PARAMS_MAX], unsigned *ret_allowed)
{
    const struct http_route *best = NULL;
    unsigned best_n = 0;
    size_t best_head = 0;
    *ret_allowed = 0;
    for (size_t i = 0; i < n; i++) {
        struct lt_slice param[HTTP_PARAMS_MAX] = {0};
        unsigned count;
        if (!fits(routes[i].pattern, path, param, &count))
            continue;
        *ret_allowed |= 1u << routes[i].method;
        size_t head = strcspn(routes[i].pattern, "{");
        if (routes[i].method != m || (best && (count > best_n || (count == best_n && head <= best_head))))
            continue;
        best = &routes[i];
        best_n = count;
        best_head = head;
        memcpy(ret_param, param, sizeof param);
    }
    return best;
}

static struct lt_slice trim(struct lt_slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* "1", "0", "0.5", "0.123" … in thousandths. */
static int weight_of(struct lt_slice q)
{
    int w = 0, unit = 100;
    if (q.n == 0 || q.p[0] != '0')
        return 1000;
    for (size_t i = 2; i < q.n && unit && q.p[i] >= '0' && q.p[i] <= '9'; i++, unit /= 10)
        w += (q.p[i] - '0') * unit;
    return w;
}

/* Takes the next "name;q=0.5" off a list; the weight in thousandths, 1000 when none is given. */
static bool next_weighted(struct lt_slice *list, struct lt_slice *ret_name, int *ret_weight)
{
    if (list->n == 0)
        return false;
    struct lt_slice item = cut(list, ',');
    *ret_name = trim(cut(&item, ';'));
    item = trim(item);
    bool weighted = item.n >= 3 && (item.p[0] == 'q' || item.p[0] == 'Q') && item.p[1] == '=';
    *ret_weight = weighted ? weight_of((struct lt_slice){item.p + 2, item.n - 2}) : 1000;
    return true;
}

enum lt_lang http_language(struct lt_slice accept_language)
{
    int zh = -1, en = -1, weight;
    struct lt_slice name;
    while (next_weighted(&accept_language, &name, &weight)) {
        if (name.n >= 2 && strncasecmp(name.p, "zh", 2) == 0 && weight > zh)
            zh = weight;
        if (name.n >= 2 && strncasecmp(name.p, "en", 2) == 0 && weight > en)
            en = weight;
    }
    return en > 0 && en > zh ? LT_EN : LT_ZH;
}

bool http_coding_accepted(struct lt_slice accept_encoding, const char *coding)
{
    int weight;
    struct lt_slice name;
    size_t n = strlen(coding);
    while (next_weighted(&accept_encoding, &name, &weight))
        if (name.n == n && strncasecmp(name.p, coding, n) == 0)
            return weight > 0;
    return false;
}

bool http_etag_listed(struct lt_slice if_none_match, const char *etag)
{
    while (if_none_match.n) {
        struct lt_slice item = trim(cut(&if_none_match, ','));
        if (item.n > 2 && item.p[0] == 'W' && item.p[1] == '/')
            item = (struct lt_slice){item.p + 2, item.n - 2};
        if (lt_slice_is(item, etag) || lt_slice_is(item, "*"))
            return true;
    }
    return false;
}

struct lt_slice http_cookie_find(struct lt_slice cookie, const char *name)
{
    while (cookie.n) {
        struct lt_slice item = trim(cut(&cookie, ';'));
        if (lt_slice_is(cut(&item, '='), name))
            return item;
    }
    return (struct lt_slice){NULL, 0};
}

struct lt_slice http_query(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_query; i++)
        if (lt_slice_is(r->query[i].name, name))
            return r->query[i].value;
    return (struct lt_slice){NULL, 0};
}

struct lt_slice http_cookie(const struct http_request *r, const char *name)
{
    return http_cookie_find(r->header[HTTP_H_COOKIE], name);
}

bool http_etag_matches(const struct http_request *r, const char *etag)
{
    return http_etag_listed(r->header[HTTP_H_IF_NONE_MATCH], etag);
}

bool http_accepts_encoding(const struct http_request *r, const char *coding)
{
    return http_coding_accepted(r->header[HTTP_H_ACCEPT_ENCODING], coding);
}
