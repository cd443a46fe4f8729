/* Reads the register from table `device` of the state database. A row that is not in order never lets more in than it
 * should: an address list that cannot be read allows nobody, a key that cannot be read is no key; tolerances
 * that cannot be read are the usual ones. */
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "registry/registry.h"
#include "hj212/hj212.h"
#include "sql/sql.h"

#include <stdlib.h>

enum column {
    COL_ID,
    COL_MN,
    COL_PW,
    COL_STATUS,
    COL_ALLOW,
    COL_TOLERATE,
    COL_KEY,
    COL_RTD,
    COL_MIN,
    COL_OVER,
    COL_RESENDS,
    COL_RTD_UP,
    COL_STATE_UP
};
static const char SELECT[] = "SELECT id, mn, pw, status, allow, tolerate, sm4_key, rtd_interval_s, min_interval_min, "
                             "over_time_s, resends, rtd_upload, state_upload FROM device WHERE deleted=0 AND mn IS NOT "
                             "NULL AND mn<>'' ORDER BY id";

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

bool registry_parse_key(struct lt_slice text, uint8_t ret[16])
{
    if (text.n != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        int hi = hex(text.p[2 * i]), lo = hex(text.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        ret[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static uint8_t status_of(struct lt_slice text)
{
    if (lt_slice_is(text, "active"))
        return REGISTRY_ACTIVE;
    return lt_slice_is(text, "pending") ? REGISTRY_PENDING : REGISTRY_DISABLED;
}

static uint16_t small(int64_t v)
{
    return v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

static uint8_t upload_of(struct lt_slice text)
{
    if (lt_slice_is(text, "on"))
        return REGISTRY_UPLOAD_ON;
    return lt_slice_is(text, "off") ? REGISTRY_UPLOAD_OFF : REGISTRY_UPLOAD_KEEP;
}

static uint8_t tiny(int64_t v)
{
    return v < 0 ? 0 : v > 99 ? 99 : (uint8_t)v;
}

static void read_row(struct sql_stmt *st, struct registry_device *d)
{
    *d = (struct registry_device){.id = (uint32_t)sql_col_i64(st, COL_ID),
                                  .rtd_interval_s = small(sql_col_i64(st, COL_RTD)),
                                  .min_interval_min = small(sql_col_i64(st, COL_MIN)),
                                  .over_time_s = tiny(sql_col_i64(st, COL_OVER)),
                                  .resends = tiny(sql_col_i64(st, COL_RESENDS)),
                                  .rtd_upload = upload_of(sql_col_text(st, COL_RTD_UP)),
                                  .state_upload = upload_of(sql_col_text(st, COL_STATE_UP))};
    lt_text_copy_slice(d->mn, sizeof d->mn, sql_col_text(st, COL_MN));
    lt_text_copy_slice(d->pw, sizeof d->pw, sql_col_text(st, COL_PW));
    d->status = status_of(sql_col_text(st, COL_STATUS));
    if (!registry_parse_allow(sql_col_text(st, COL_ALLOW), d->allow, &d->n_allow)) {
        d->allow[0] = (struct registry_net){.bits = 128}; /* the unspecified address: nobody */
        d->n_allow = 1;
        lt_log(LT_WARN, "registry.allow", "device=%u mn=%s cause=unreadable", d->id, d->mn);
    }
    if (!registry_parse_tolerate(sql_col_text(st, COL_TOLERATE), &d->tolerate)) {
        d->tolerate = HJ212_TOLERATE_DEFAULT;
        lt_log(LT_WARN, "registry.tolerate", "device=%u mn=%s cause=unknown_name", d->id, d->mn);
    }
    struct lt_slice key = sql_col_text(st, COL_KEY);
    d->has_key = registry_parse_key(key, d->sm4_key);
    if (key.n && !d->has_key)
        lt_log(LT_WARN, "registry.key", "device=%u mn=%s cause=unreadable", d->id, d->mn);
}

static enum lt_err read_rows(struct sql_stmt *st, struct registry_device **ret, size_t *ret_n, struct lt_error *err)
{
    size_t n = 0, cap = 0;
    struct registry_device *rows = NULL;
    bool row;
    enum lt_err e;
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (n == REGISTRY_MAX) {
            e = lt_failf(err, LT_E_LIMIT, "device", "%u", (unsigned)REGISTRY_MAX);
            break;
        }
        if (!lt_grow(&rows, n, &cap, sizeof *rows)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        read_row(st, &rows[n++]);
    }
    *ret = rows;
    *ret_n = n;
    return e;
}

enum lt_err registry_reload(struct registry *r, struct sql_db *db, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    struct registry_device *rows = NULL;
    size_t n = 0;
    enum lt_err e = sql_prepare(db, SELECT, &st, err);
    if (e == LT_OK)
        e = read_rows(st, &rows, &n, err);
    sql_release(&st);
    if (e == LT_OK)
        e = registry_load_rows(r, rows, n, err);
    free(rows);
    return e;
}
