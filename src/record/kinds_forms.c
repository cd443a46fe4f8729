/* Forms of texts and rules between fields, shared by the declarations; see kinds.h. */
#include "record/kinds.h"
#include "base/text.h"
#include "hj212/hj212.h"

#include <arpa/inet.h>

static bool all_in(struct lt_slice s, size_t least, size_t most, const char *set)
{
    if (s.n < least || s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return false;
    return true;
}

#define DIGITS "0123456789"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"

bool record_form_adcode(struct lt_slice s) /* GB/T 2260 six digits, townships nine (GB/T 10114) */
{
    return (s.n == 6 || s.n == 9 || s.n == 12) && all_in(s, 6, 12, DIGITS);
}

bool record_form_credit(struct lt_slice s) /* GB 32100-2015: 18 characters */
{
    return all_in(s, 18, 18, DIGITS UPPER);
}

bool record_form_code(struct lt_slice s)
{
    return all_in(s, 1, 64, DIGITS UPPER LOWER "_-./");
}

bool record_form_login(struct lt_slice s)
{
    return all_in(s, 2, 32, DIGITS LOWER "_-.");
}

bool record_form_printable(struct lt_slice s) /* as it stands in an HJ 212 frame: nothing that ends a field there */
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr(";=&,#", s.p[i]))
            return false;
    return s.n > 0;
}

bool record_form_hex128(struct lt_slice s)
{
    return all_in(s, 32, 32, DIGITS "abcdefABCDEF");
}

bool record_form_factor(struct lt_slice s)
{
    return all_in(s, 2, 16, DIGITS LOWER UPPER);
}

bool record_form_phone(struct lt_slice s)
{
    return all_in(s, 3, 24, DIGITS "+- ()");
}

bool record_next_item(struct lt_slice *rest, struct lt_slice *ret)
{
    if (rest->n == 0)
        return false;
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    *ret = (struct lt_slice){rest->p, n};
    size_t skip = comma ? n + 1 : n;
    *rest = (struct lt_slice){rest->p + skip, rest->n - skip};
    while (ret->n && ret->p[0] == ' ')
        *ret = (struct lt_slice){ret->p + 1, ret->n - 1};
    while (ret->n && ret->p[ret->n - 1] == ' ')
        ret->n--;
    return true;
}

static bool is_net(struct lt_slice s)
{
    char z[64];
    uint8_t a[16];
    int64_t bits = -1;
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    if (slash && !lt_text_to_i64((struct lt_slice){slash + 1, s.n - 1 - (size_t)(slash - s.p)}, &bits))
        return false;
    struct lt_slice host = {s.p, slash ? (size_t)(slash - s.p) : s.n};
    if (host.n >= sizeof z)
        return false;
    lt_text_copy_slice(z, sizeof z, host);
    if (inet_pton(AF_INET, z, a) == 1)
        return !slash || (bits >= 0 && bits <= 32);
    return inet_pton(AF_INET6, z, a) == 1 && (!slash || (bits >= 0 && bits <= 128));
}

bool record_form_allow(struct lt_slice s) /* the gateway keeps at most eight per device */
{
    struct lt_slice item;
    unsigned n = 0;
    while (record_next_item(&s, &item))
        if (++n > 8 || !is_net(item))
            return false;
    return true;
}

bool record_form_tolerate(struct lt_slice s)
{
    static const char *const names[] = {
#define X(n, z) z,
        HJ212_TOLERANCES(X)
#undef X
    };
    struct lt_slice item;
    while (record_next_item(&s, &item)) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            known = known || lt_slice_is(item, names[i]);
        if (!known)
            return false;
    }
    return true;
}

bool record_form_permissions(struct lt_slice s)
{
    struct lt_slice item;
    while (record_next_item(&s, &item)) {
        const char *colon = item.n ? memchr(item.p, ':', item.n) : NULL;
        if (lt_slice_is(item, "*"))
            continue;
        if (!colon || colon == item.p || colon == item.p + item.n - 1 || !all_in(item, 3, 64, LOWER "_*:"))
            return false;
    }
    return true;
}

bool record_form_hours(struct lt_slice s) /* "6-15, 20": hours of a day by their beginning */
{
    struct lt_slice item;
    while (record_next_item(&s, &item)) {
        const char *dash = item.n ? memchr(item.p, '-', item.n) : NULL;
        size_t n = dash ? (size_t)(dash - item.p) : item.n;
        int64_t a, b;
        if (!lt_text_to_i64((struct lt_slice){item.p, n}, &a) || a < 0 || a > 23)
            return false;
        if (dash && (!lt_text_to_i64((struct lt_slice){dash + 1, item.n - n - 1}, &b) || b < a || b > 23))
            return false;
    }
    return true;
}

/* "08:30-12:00,14:00-17:30": spans of a day in order, at most four; flow_due.c reads them by place. */
bool record_form_spans(struct lt_slice s)
{
    static const char shape[] = "00:00-00:00,";
    int before = -1;
    if (s.n > 4 * 12 - 1 || (s.n + 1) % 12 != 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (shape[i % 12] == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != shape[i % 12])
            return false;
    for (size_t i = 0; i < s.n; i += 6) {
        const char *p = s.p + i;
        const int hour = (p[0] - '0') * 10 + p[1] - '0', minute = (p[3] - '0') * 10 + p[4] - '0';
        if (minute > 59 || hour * 60 + minute > 24 * 60 || hour * 60 + minute <= before)
            return false;
        before = hour * 60 + minute;
    }
    return true;
}

/* ---- rules between fields ---- */

void record_wrong(struct record_faults *f, enum lt_err code, const char *field, const char *a, const char *b,
                  const char *c)
{
    struct lt_error err;
    lt_fail(&err, code, field, a, b, c);
    record_fault(f, &err);
}

void record_missing(struct record_faults *f, const char *field)
{
    record_wrong(f, LT_E_FIELD_REQUIRED, field, field, NULL, NULL);
}

void record_in_order(const struct record_row *r, const char *first, const char *second, bool same_too,
                     struct record_faults *f)
{
    const struct record_value *a = record_value(r, first), *b = record_value(r, second);
    if (!a->null && !b->null && (b->i < a->i || (b->i == a->i && !same_too)))
        record_wrong(f, LT_E_FIELD_RANGE, second, second, first, "∞");
}

bool record_ring(struct sql_db *db, const char *parent_sql, int64_t id, int64_t up)
{
    int64_t next = 0;
    for (int depth = 0; up != 0; depth++) {
        if (up == id || depth > 16)
            return true;
        if (sql_get_i64(db, parent_sql, &up, &next, NULL) != LT_OK)
            return false;
        up = next;
    }
    return false;
}
