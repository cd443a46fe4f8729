/* Stations as a file names them: by code, else by name; those nobody knows are kept to be told or made. */
#include "air/air_import_priv.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t hash_of(struct lt_slice s)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return h ^ (h >> 29);
}

static bool hash_grow(struct importer *m, size_t want)
{
    size_t n = 1024;
    while (n < want * 4)
        n *= 2;
    uint32_t *h = calloc(n, sizeof *h);
    if (!h)
        return false;
    for (size_t i = 0; i < m->n_places; i++)
        for (int k = 0; k < 2; k++) {
            struct lt_slice s = k ? m->place[i].name : m->place[i].code;
            size_t at = hash_of(s) & (n - 1);
            while (h[at])
                at = (at + 1) & (n - 1);
            if (s.n)
                h[at] = (uint32_t)i + 1;
        }
    free(m->hash);
    m->hash = h;
    m->hash_n = n;
    return true;
}

/* Index of the station of that code, else of that name; SIZE_MAX. *ret_several: the name means more than one. */
static size_t find_place(const struct importer *m, struct lt_slice s, bool *ret_several)
{
    size_t by_name = SIZE_MAX;
    *ret_several = false;
    for (size_t at = hash_of(s) & (m->hash_n - 1); m->hash[at]; at = (at + 1) & (m->hash_n - 1)) {
        size_t i = m->hash[at] - 1;
        if (lt_slice_eq(m->place[i].code, s))
            return i;
        if (lt_slice_eq(m->place[i].name, s)) {
            *ret_several = by_name != SIZE_MAX && by_name != i;
            by_name = i;
        }
    }
    return by_name;
}

static size_t try_place(struct importer *m, int64_t id, struct lt_slice code, struct lt_slice name)
{
    if (!lt_grow(&m->place, m->n_places, &m->cap_places, sizeof *m->place))
        return SIZE_MAX;
    char *mem = malloc(code.n + name.n + 1); /* kept to the end; freed with the places */
    if (!mem)
        return SIZE_MAX;
    memcpy(mem, code.p ? code.p : "", code.n);
    memcpy(mem + code.n, name.p ? name.p : "", name.n);
    m->place[m->n_places] =
        (struct place){.id = id, .code = {mem, code.n}, .name = {mem + code.n, name.n}, .unknown = id == 0};
    m->n_places++;
    if (m->n_places * 4 > m->hash_n && !hash_grow(m, m->n_places * 2))
        return SIZE_MAX;
    size_t i = m->n_places - 1;
    if (m->hash_n)
        for (int k = 0; k < 2; k++) {
            struct lt_slice s = k ? m->place[i].name : m->place[i].code;
            size_t at = hash_of(s) & (m->hash_n - 1);
            bool there = false;
            for (; m->hash[at]; at = (at + 1) & (m->hash_n - 1))
                there |= m->hash[at] == (uint32_t)i + 1;
            if (s.n && !(there && lt_slice_eq(m->place[i].code, m->place[i].name)))
                m->hash[at] = (uint32_t)i + 1;
        }
    return i;
}

static size_t add_place(struct importer *m, int64_t id, struct lt_slice code, struct lt_slice name)
{
    size_t i = try_place(m, id, code, name);
    if (i == SIZE_MAX)
        m->e = lt_fail(m->err, LT_E_NOMEM, NULL, NULL, NULL, NULL); /* nothing is half imported: the reading ends */
    return i;
}

static bool on_station(void *user, const struct record_row *row)
{
    return add_place(user, row->id, record_text(row, "code"), record_text(row, "name")) != SIZE_MAX;
}

/* The stations the caller may see: others do not exist for him. */
enum lt_err air_import_places(struct importer *m, struct lt_error *err)
{
    struct record_query q = {0};
    if (!hash_grow(m, 256))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = record_each(m->x, record_kind_find(LT_LIT("station")), &q, on_station, m, err);
    if (e == LT_OK)
        e = m->e;
    if (e != LT_OK || !m->o->station)
        return e;
    for (size_t i = 0; i < m->n_places; i++)
        if (m->place[i].id == m->o->station)
            return LT_OK;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)m->o->station);
    return lt_fail(err, LT_E_NOT_FOUND, "station", "station", id, NULL);
}

size_t air_import_place(struct importer *m, unsigned line, unsigned column, struct lt_slice code, struct lt_slice name)
{
    bool several = false;
    size_t i = code.n ? find_place(m, code, &several) : SIZE_MAX;
    if (i == SIZE_MAX && name.n)
        i = find_place(m, name, &several);
    if (several) {
        air_import_cell_error(m, line, air_import_title(m, column), name.n ? name : code, "多个站点同名，请用编码",
                              "several stations have this name: use the code");
        return SIZE_MAX;
    }
    if (i != SIZE_MAX)
        return i;
    if (!code.n && !name.n) {
        air_import_cell_error(m, line, air_import_title(m, column), code, "缺少站点", "no station");
        return SIZE_MAX;
    }
    if (m->r->unknown_all >= AIR_UNKNOWN_MAX) {
        air_import_cell_error(m, line, air_import_title(m, column), code.n ? code : name, "未知站点过多",
                              "too many unknown stations");
        return SIZE_MAX;
    }
    if (code.n > 64 || name.n > 128) {
        air_import_cell_error(m, line, air_import_title(m, column), code, "站点名称过长",
                              "the station's name is too long");
        return SIZE_MAX;
    }
    m->r->unknown_all++;
    return add_place(m, 0, code.n ? code : name, name);
}

static bool code_form(struct lt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool ok =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("_-./", c));
        if (!ok)
            return false;
    }
    return s.n > 0 && s.n <= 64;
}

enum lt_err air_import_create_stations(struct importer *m, struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(LT_LIT("station"));
    enum lt_err e = auth_need(m->x->who, "station:write", err);
    for (size_t i = 0; e == LT_OK && i < m->n_places; i++) {
        struct place *p = &m->place[i];
        char made[65];
        if (!p->unknown || !p->rows)
            continue;
        lt_text_copy_slice(made, sizeof made, p->code);
        if (!code_form(p->code)) /* a name only: a code that follows from it */
            snprintf(made, sizeof made, "N%016llx", (unsigned long long)hash_of(p->code));
        const struct record_set set[] = {RECORD_SET_Z("code", made),
                                         RECORD_SET_S("name", p->name.n ? p->name : p->code),
                                         RECORD_SET_I("territory", m->o->create_in), RECORD_SET_Z("type", "county")};
        e = record_insert(m->x, k, set, 4, &p->id, err);
    }
    return e;
}
