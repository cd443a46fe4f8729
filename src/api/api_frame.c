/* One HJ 212 frame in words: what its header says and what its data area holds, with names. */
#include "api/api_priv.h"

#include "base/fix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ITEMS_MAX 512

static bool is_password(struct lt_slice name)
{
    return (name.n == 2 && strncasecmp(name.p, "PW", 2) == 0) || (name.n == 5 && strncasecmp(name.p, "NewPW", 5) == 0);
}

void frame_hide_passwords(char *p, size_t n)
{
    bool some = false;
    size_t i = 0;
    while (i + 3 <= n) {
        if (strncasecmp(p + i, "PW=", 3) != 0) {
            i++;
            continue;
        }
        for (i += 3; i < n && p[i] != ';' && !(p[i] == '&' && i + 1 < n && p[i + 1] == '&'); i++)
            p[i] = '*';
        some = true;
    }
    /* Of a short password the CRC leaves only a handful of candidates. */
    if (some && n >= 6 && p[n - 6] == '&' && p[n - 5] == '&')
        memset(p + n - 4, '*', 4);
}

static void write_item(struct jsonw *w, struct lt_slice area, const struct hj212_item *it, bool en, int tz_min,
                       bool hide)
{
    jsonw_object(w);
    jsonw_ku64(w, "group", it->group);
    jsonw_kslice(w, "name", hj212_name(area, it));
    if (hide && is_password(hj212_name(area, it))) {
        jsonw_kstr(w, "text", "******");
        jsonw_object_end(w);
        return;
    }
    const struct hj212_factor *f = it->field == HJ212_F_NONE ? NULL : hj212_factor_find(hj212_name(area, it));
    if (it->field_len)
        jsonw_kslice(w, "field", (struct lt_slice){area.p + it->field_at, it->field_len});
    if (f) {
        jsonw_kstr(w, "label", en ? f->name_en : f->name_zh);
        jsonw_kstr(w, "unit", f->unit);
    }
    struct lt_slice text = hj212_value_text(area, it);
    jsonw_kslice(w, "text", text);
    int64_t v;
    if (it->kind == HJ212_V_NUMBER && lt_fix_from_decimal(it->number, it->decimals, &v))
        jsonw_kfix(w, "value", v);
    else if (it->kind == HJ212_V_TIME)
        jsonw_ktime(w, "at", it->number - (int64_t)tz_min * LT_MIN_MS, tz_min);
    if (it->field == HJ212_F_FLAG && text.n == 1 && hj212_mark_name(text.p[0], en))
        jsonw_kstr(w, "mark", hj212_mark_name(text.p[0], en));
    jsonw_object_end(w);
}

static void write_area(struct jsonw *w, const struct hj212_frame *f, bool en, int tz_min, bool hide)
{
    struct hj212_item *items = malloc(ITEMS_MAX * sizeof *items);
    size_t n = 0;
    uint32_t at = 0;
    enum hj212_err e = HJ212_E_OK;
    jsonw_key(w, "items");
    jsonw_array(w);
    if (items && !f->encrypted) {
        e = hj212_items(f->cp, ~UINT32_C(0), items, ITEMS_MAX, &n, &at, NULL);
        for (size_t i = 0; i < n; i++)
            write_item(w, f->cp, &items[i], en, tz_min, hide);
    }
    jsonw_array_end(w);
    jsonw_kstr(w, "area_error", e == HJ212_E_OK ? NULL : hj212_err_name(e));
    free(items);
}

static void write_st(struct jsonw *w, unsigned st)
{
    char text[16];
    if (st >= HJ212_ST_LETTER)
        snprintf(text, sizeof text, "%c%u", (char)('A' + (st - HJ212_ST_LETTER) / 10), st % 10);
    else
        snprintf(text, sizeof text, "%02u", st);
    jsonw_kstr(w, "st", text);
}

void frame_decoded(struct jsonw *w, struct lt_slice raw, enum lt_lang lang, int tz_min, bool hide)
{
    struct hj212_frame f;
    bool en = lang == LT_EN;
    /* Everything is tolerated for reading; what was needed is named. */
    enum hj212_err e = hj212_parse(raw, ~UINT32_C(0), &f);
    const struct hj212_command *cmd = hj212_command_find(f.cn);
    static const int years[] = {2005, 2017, 2025};
    jsonw_object(w);
    jsonw_kstr(w, "error", e == HJ212_E_OK ? NULL : hj212_err_name(e));
    jsonw_ki64(w, "edition", (unsigned)f.edition < 3 ? years[f.edition] : 0);
    jsonw_kslice(w, "qn", f.qn);
    if (f.qn_at_ms != INT64_MIN)
        jsonw_ktime(w, "qn_at", f.qn_at_ms - (int64_t)tz_min * LT_MIN_MS, tz_min);
    write_st(w, f.st);
    jsonw_kstr(w, "system", hj212_system_name(f.st, en));
    jsonw_ki64(w, "cn", f.cn);
    jsonw_kstr(w, "command", cmd ? (en ? cmd->name_en : cmd->name_zh) : NULL);
    jsonw_kslice(w, "mn", f.mn);
    jsonw_ki64(w, "flag", f.flag);
    jsonw_ki64(w, "pnum", f.pnum);
    jsonw_ki64(w, "pno", f.pno);
    jsonw_kbool(w, "wants_answer", f.answer);
    jsonw_kbool(w, "resent", f.resent);
    jsonw_kbool(w, "encrypted", f.encrypted);
    jsonw_key(w, "tolerated");
    jsonw_array(w);
    for (int i = 0; i < HJ212_TOL_COUNT; i++)
        if (f.tolerated & (UINT32_C(1) << i))
            jsonw_str(w, hj212_tolerance_name((enum hj212_tolerance)i));
    jsonw_array_end(w);
    write_area(w, &f, en, tz_min, hide);
    jsonw_object_end(w);
}
