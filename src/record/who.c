/* Judging permissions: see who.h. */
#include "record/who.h"
#include "base/text.h"

#include <stdio.h>

struct auth_ctx auth_system(const char *name)
{
    struct auth_ctx c = {.everywhere = true, .system = true};
    lt_text_copy(c.login, sizeof c.login, name);
    lt_text_copy(c.name, sizeof c.name, name);
    lt_text_copy(c.permissions, sizeof c.permissions, "*");
    lt_text_copy(c.role, sizeof c.role, "system");
    return c;
}

static struct lt_slice next_permission(const char **p, const char *end)
{
    while (*p < end && (**p == ',' || **p == ' '))
        (*p)++;
    const char *from = *p;
    while (*p < end && **p != ',' && **p != ' ')
        (*p)++;
    return (struct lt_slice){from, (size_t)(*p - from)};
}

static bool split(struct lt_slice s, struct lt_slice *kind, struct lt_slice *verb)
{
    const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
    if (!colon)
        return false;
    *kind = (struct lt_slice){s.p, (size_t)(colon - s.p)};
    *verb = (struct lt_slice){colon + 1, s.n - kind->n - 1};
    return true;
}

/* What a person may do about other people must be granted by name. */
static bool by_name_only(struct lt_slice kind)
{
    return lt_slice_is(kind, "user") || lt_slice_is(kind, "role") || lt_slice_is(kind, "audit");
}

static bool grants(struct lt_slice granted, struct lt_slice kind, struct lt_slice verb)
{
    struct lt_slice gk, gv;
    if (lt_slice_is(granted, "*"))
        return true;
    if (!split(granted, &gk, &gv))
        return false;
    bool k = lt_slice_eq(gk, kind) || (lt_slice_is(gk, "*") && !by_name_only(kind) && !lt_slice_is(kind, "*"));
    bool v = lt_slice_eq(gv, verb) || lt_slice_is(gv, "*");
    return k && v;
}

static bool may(const struct auth_ctx *who, struct lt_slice kind, struct lt_slice verb)
{
    const char *p = who->permissions, *end = p + strlen(p);
    while (p < end) {
        struct lt_slice g = next_permission(&p, end);
        if (g.n && grants(g, kind, verb))
            return true;
    }
    return false;
}

bool auth_may(const struct auth_ctx *who, const char *permission)
{
    struct lt_slice kind, verb;
    if (who->must_change)
        return false;
    if (!split(lt_slice_of(permission), &kind, &verb))
        return false;
    return may(who, kind, verb);
}

bool auth_may2(const struct auth_ctx *who, const char *kind, const char *verb)
{
    return !who->must_change && may(who, lt_slice_of(kind), lt_slice_of(verb));
}

enum lt_err auth_need(const struct auth_ctx *who, const char *permission, struct lt_error *err)
{
    if (who->must_change)
        return lt_fail(err, LT_E_AUTH_CHANGE, NULL, NULL, NULL, NULL);
    return auth_may(who, permission) ? LT_OK : lt_fail(err, LT_E_DENIED, NULL, permission, NULL, NULL);
}

static bool has_all(const struct auth_ctx *who)
{
    const char *p = who->permissions, *end = p + strlen(p);
    while (p < end)
        if (lt_slice_is(next_permission(&p, end), "*"))
            return true;
    return false;
}

bool auth_covers(const struct auth_ctx *who, struct lt_slice wanted)
{
    if (has_all(who))
        return true;
    const char *p = wanted.n ? wanted.p : "", *end = p + wanted.n;
    while (p < end) {
        struct lt_slice w = next_permission(&p, end), kind, verb;
        if (w.n == 0)
            continue;
        if (!split(w, &kind, &verb))
            return false;  /* "*" and nonsense */
        bool same = false; /* a wildcard is covered by the same wildcard only */
        const char *q = who->permissions, *qend = q + strlen(q);
        while (q < qend && !same)
            same = lt_slice_eq(next_permission(&q, qend), w);
        bool wild = lt_slice_is(kind, "*") || lt_slice_is(verb, "*");
        if (!same && (wild || !may(who, kind, verb)))
            return false;
    }
    return true;
}
