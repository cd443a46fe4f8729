/* A draw that is committed to: the reveal, the result, the file anybody can check, the paper, one's own allotments. */
#include "api/api_draw_priv.h"

#include "base/text.h"
#include "paper/paper.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define MINE_MAX 200 /* rows of one's own: more than a year of inspections */

/* ---- a stored draw ---- */

struct stored {
    struct record_row row;
    struct draw_owned list;
    struct draw_result *result; /* NULL before the reveal */
    uint8_t seed[DRAW_SEED];
    struct lt_buf line;
    int64_t id;
};

static void stored_fini(struct stored *s)
{
    record_row_fini(&s->row);
    draw_owned_fini(&s->list);
    free(s->result);
    sodium_memzero(s->seed, sizeof s->seed);
    lt_buf_fini(&s->line);
}

static enum lt_err read_file(struct api_call *c, struct stored *s, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = sql_prepare(c->t->db, "SELECT list, seed FROM draw_file WHERE draw = ?1", &st, err);
    if (e)
        return e;
    sql_bind_i64(st, 1, s->id);
    if (!(e = sql_step(st, &row, err))) {
        struct lt_slice seed = row ? sql_col_blob(st, 1) : LT_LIT("");
        if (seed.n != DRAW_SEED) {
            e = lt_fail(err, LT_E_CORRUPT, NULL, "draw", "list or seed is missing / 名单或种子缺失", NULL);
        } else {
            memcpy(s->seed, seed.p, DRAW_SEED);
            e = draw_list_read(sql_col_text(st, 0), &s->list, err);
        }
    }
    sql_release(&st);
    return e;
}

/* Draws (again) with the value; the answer must be what the record says when it says one. */
static enum lt_err draw_again(struct stored *s, struct lt_slice value, struct lt_slice want, char ret_hex[65],
                              struct lt_error *err)
{
    uint8_t hash[DRAW_HASH];
    struct draw_fault f;
    s->result = calloc(1, sizeof *s->result);
    if (!s->result)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (draw_run(&s->list.l, s->seed, value, s->result, &f))
        return draw_fault_error(&f, err);
    if (!draw_result_hash(&s->list.l, s->result, hash))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    lt_text_hex(hash, DRAW_HASH, ret_hex);
    if (want.n && !lt_slice_is(want, ret_hex))
        return lt_fail(err, LT_E_CORRUPT, NULL, "draw", "the result does not come out again / 结果无法重现", NULL);
    return LT_OK;
}

static bool state_is(const struct stored *s, const char *state)
{
    return lt_slice_is(record_text(&s->row, "state"), state);
}

static enum lt_err load(struct api_call *c, struct stored *s, struct lt_error *err)
{
    uint8_t hash[2][DRAW_HASH];
    char hex[65];
    *s = (struct stored){.line = LT_BUF_INIT(LINE_BYTES)};
    enum lt_err e = api_id(c, 0, &s->id, err);
    if (!e)
        e = record_load(&c->x, api_kind("draw"), s->id, &s->row, err);
    if (!e)
        e = read_file(c, s, err);
    if (!e && state_is(s, "revealed"))
        e = draw_again(s, record_text(&s->row, "public_value"), record_text(&s->row, "result_sha256"), hex, err);
    if (!e && (!lt_text_unhex(record_text(&s->row, "list_sha256"), hash[0], DRAW_HASH) ||
               !lt_text_unhex(record_text(&s->row, "seed_sha256"), hash[1], DRAW_HASH)))
        e = lt_fail(err, LT_E_CORRUPT, NULL, "draw", "commitment", NULL);
    if (!e)
        draw_commitment(hash[0], hash[1], record_text(&s->row, "public_source"), &s->line);
    if (e)
        stored_fini(s);
    return e;
}

/* ---- answers ---- */

static int64_t number_of(struct lt_slice id) /* "E12" */
{
    int64_t n = 0;
    return id.n > 1 && lt_text_to_i64((struct lt_slice){id.p + 1, id.n - 1}, &n) ? n : 0;
}

static void write_person(struct jsonw *w, const struct draw_inspector *p)
{
    jsonw_kslice(w, "id", p->id);
    jsonw_ki64(w, "person", number_of(p->id));
    jsonw_kslice(w, "name", p->name);
    jsonw_kslice(w, "unit", p->unit);
}

static void write_rows(struct api_call *c, const struct stored *s, const struct topo *t)
{
    const struct draw_list *l = &s->list.l;
    jsonw_key(&c->w, "rows");
    jsonw_array(&c->w);
    for (size_t i = 0; s->result && i < s->result->n; i++) {
        const struct draw_pick *p = &s->result->pick[i];
        const struct draw_target *x = &l->target[p->target];
        jsonw_object(&c->w);
        jsonw_ku64(&c->w, "n", i + 1);
        jsonw_kslice(&c->w, "target", x->id);
        jsonw_ki64(&c->w, "enterprise", number_of(x->id));
        jsonw_kslice(&c->w, "name", x->name);
        jsonw_kslice(&c->w, "county", x->county);
        jsonw_kstr(&c->w, "county_name", draw_county_name(t, x->county, c->who.lang));
        jsonw_kslice(&c->w, "industry", x->industry);
        jsonw_kstr(&c->w, "industry_name", draw_industry_name(x->industry, c->who.lang));
        jsonw_kslice(&c->w, "risk", x->risk);
        jsonw_kslice(&c->w, "credit", x->credit);
        jsonw_ku64(&c->w, "weight", p->weight);
        jsonw_key(&c->w, "team");
        jsonw_array(&c->w);
        for (int64_t k = 0; k < l->team; k++) {
            jsonw_object(&c->w);
            write_person(&c->w, &l->inspector[p->team[k]]);
            jsonw_object_end(&c->w);
        }
        jsonw_array_end(&c->w);
        jsonw_object_end(&c->w);
    }
    jsonw_array_end(&c->w);
}

static void write_load(struct api_call *c, const struct stored *s)
{
    const struct draw_list *l = &s->list.l;
    jsonw_key(&c->w, "load");
    jsonw_array(&c->w);
    for (size_t i = 0; s->result && i < l->n_inspector; i++) {
        int64_t n = 0;
        for (size_t r = 0; r < s->result->n; r++)
            for (int64_t k = 0; k < l->team; k++)
                n += s->result->pick[r].team[k] == i;
        jsonw_object(&c->w);
        write_person(&c->w, &l->inspector[i]);
        jsonw_ki64(&c->w, "n", n);
        jsonw_object_end(&c->w);
    }
    jsonw_array_end(&c->w);
}

static int64_t drawn_of(const struct stored *s, const struct draw_quota *q)
{
    int64_t n = 0;
    for (size_t i = 0; s->result && i < s->result->n; i++) {
        const struct draw_target *x = &s->list.l.target[s->result->pick[i].target];
        n += lt_slice_eq(q->by == DRAW_COUNTY ? x->county : x->industry, q->value);
    }
    return n;
}

static void write_tables(struct api_call *c, const struct stored *s, const struct topo *t)
{
    const struct draw_list *l = &s->list.l;
    jsonw_key(&c->w, "weights");
    jsonw_array(&c->w);
    for (size_t i = 0; i < l->n_weight; i++) {
        jsonw_object(&c->w);
        jsonw_kstr(&c->w, "by", draw_class_name(l->weight[i].by));
        jsonw_kslice(&c->w, "value", l->weight[i].value);
        jsonw_ki64(&c->w, "weight", l->weight[i].weight);
        jsonw_object_end(&c->w);
    }
    jsonw_array_end(&c->w);
    jsonw_key(&c->w, "quotas");
    jsonw_array(&c->w);
    for (size_t i = 0; i < l->n_quota; i++) {
        const struct draw_quota *q = &l->quota[i];
        jsonw_object(&c->w);
        jsonw_kstr(&c->w, "by", draw_group_name(q->by));
        jsonw_kslice(&c->w, "value", q->value);
        jsonw_kstr(&c->w, "name",
                   q->by == DRAW_COUNTY ? draw_county_name(t, q->value, c->who.lang)
                                        : draw_industry_name(q->value, c->who.lang));
        jsonw_ki64(&c->w, "min", q->min);
        jsonw_ki64(&c->w, "max", q->max);
        jsonw_key(&c->w, "drawn");
        if (s->result)
            jsonw_i64(&c->w, drawn_of(s, q));
        else
            jsonw_null(&c->w);
        jsonw_object_end(&c->w);
    }
    jsonw_array_end(&c->w);
}

static enum lt_err write_result(struct api_call *c, const struct stored *s, struct lt_error *err)
{
    char hex[2 * DRAW_SEED + 1];
    jsonw_object(&c->w);
    jsonw_key(&c->w, "draw");
    enum lt_err e = record_json(&c->x, api_kind("draw"), s->id, NULL, NULL, &c->w, err);
    if (e)
        return e;
    struct topo *t = desk_topo(c->a);
    lt_text_hex(s->seed, DRAW_SEED, hex);
    jsonw_kslice(&c->w, "line", lt_buf_slice(&s->line));
    jsonw_kbool(&c->w, "revealed", s->result != NULL);
    jsonw_kstr(&c->w, "seed", s->result ? hex : NULL);
    jsonw_kbool(&c->w, "avoid_own_county", s->list.l.avoid_own_county);
    write_tables(c, s, t);
    write_rows(c, s, t);
    write_load(c, s);
    topo_unref(t);
    jsonw_object_end(&c->w);
    return LT_OK;
}

/* ---- routes ---- */

static enum lt_err not_now(const struct stored *s, const char *what, struct lt_error *err)
{
    const struct record_field *f = record_field_find(s->row.kind, LT_LIT("state"));
    struct lt_slice state = record_text(&s->row, "state");
    char both[120];
    snprintf(both, sizeof both, "%s / %s", record_choice_label(f, state, LT_EN), record_choice_label(f, state, LT_ZH));
    return lt_fail(err, LT_E_FLOW_MOVE, "state", what, both, NULL);
}

static enum lt_err keep_seat(struct api_call *c, const struct stored *s, size_t i, int64_t seat, struct lt_error *err)
{
    const struct draw_list *l = &s->list.l;
    const struct draw_pick *p = &s->result->pick[i];
    struct sql_stmt *st = NULL;
    enum lt_err e = sql_prepare(
        c->t->db, "INSERT INTO draw_team(draw, n, seat, enterprise, person) VALUES(?1, ?2, ?3, ?4, ?5)", &st, err);
    if (e)
        return e;
    sql_bind_i64(st, 1, s->id);
    sql_bind_i64(st, 2, (int64_t)i + 1);
    sql_bind_i64(st, 3, seat);
    sql_bind_i64(st, 4, number_of(l->target[p->target].id));
    sql_bind_i64(st, 5, number_of(l->inspector[p->team[seat]].id));
    return sql_run(st, err);
}

static enum lt_err keep_teams(struct api_call *c, const struct stored *s, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; !e && i < s->result->n; i++)
        for (int64_t seat = 0; !e && seat < s->list.l.team; seat++)
            e = keep_seat(c, s, i, seat, err);
    return e;
}

HANDLER(draw_reveal)
{
    static const char *const names[] = {"public_value", NULL};
    struct stored s;
    struct lt_slice value;
    char hex[65];
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, names, err)) ||
        (e = jsonr_str(c->body, "public_value", true, 160, &value, err)) || (e = load(c, &s, err)))
        return e;
    if (!state_is(&s, "committed"))
        e = not_now(&s, "reveal / 揭晓", err);
    if (!e && !(e = draw_again(&s, value, LT_LIT(""), hex, err)) && !(e = sql_begin(c->t->db, err))) {
        const struct record_set set[] = {RECORD_SET_Z("state", "revealed"), RECORD_SET_S("public_value", value),
                                         RECORD_SET_Z("result_sha256", hex), RECORD_SET_I("revealed_at", c->now_ms),
                                         RECORD_SET_Z("revealed_by", c->who.name)};
        /* the version read before: two who reveal at once do not both get through */
        e = record_change(&c->x, s.row.kind, s.id, s.row.version, "reveal", set, sizeof set / sizeof set[0], err);
        if (!e)
            e = keep_teams(c, &s, err);
        e = sql_end(c->t->db, e, err);
    }
    if (!e)
        e = write_result(c, &s, err);
    stored_fini(&s);
    return e;
}

HANDLER(draw_cancel)
{
    static const char *const names[] = {"note", NULL};
    struct stored s;
    struct lt_slice note;
    enum lt_err e = api_body(c, err);
    if (e || (e = jsonr_only(c->body, names, err)) || (e = jsonr_str(c->body, "note", true, 1000, &note, err)) ||
        (e = load(c, &s, err)))
        return e;
    const struct record_set set[] = {RECORD_SET_Z("state", "cancelled"), RECORD_SET_S("note", note)};
    e = state_is(&s, "committed") ? record_change(&c->x, s.row.kind, s.id, s.row.version, "cancel", set, 2, err)
                                  : not_now(&s, "cancel / 作废", err);
    if (!e)
        e = record_json(&c->x, api_kind("draw"), s.id, NULL, NULL, &c->w, err);
    stored_fini(&s);
    return e;
}

HANDLER(draw_result_get)
{
    struct stored s;
    enum lt_err e = load(c, &s, err);
    if (e)
        return e;
    e = write_result(c, &s, err);
    stored_fini(&s);
    return e;
}

static void file_of(const struct stored *s, struct jsonw *w)
{
    draw_file_write(&s->list.l, lt_buf_slice(&s->line), s->result ? s->seed : NULL,
                    record_text(&s->row, "public_value"), s->result, w);
}

HANDLER(draw_file_get)
{
    struct stored s;
    char name[64];
    enum lt_err e = load(c, &s, err);
    if (e)
        return e;
    file_of(&s, &c->w);
    snprintf(name, sizeof name, "draw-%" PRId64 ".json", s.id);
    http_set_filename(c->res, name);
    stored_fini(&s);
    return LT_OK;
}

HANDLER(draw_verify_post)
{
    struct stored s;
    struct jsonw w;
    struct draw_report r;
    struct lt_buf file = LT_BUF_INIT(4 * DRAW_FILE_MAX);
    enum lt_err e = load(c, &s, err);
    if (e)
        return e;
    jsonw_init(&w, &file);
    file_of(&s, &w);
    e = jsonw_ok(&w) ? draw_file_verify(lt_buf_slice(&file), lt_buf_slice(&s.line), &r, err)
                     : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!e) {
        jsonw_object(&c->w);
        jsonw_kbool(&c->w, "ok", r.ok);
        jsonw_key(&c->w, "checks");
        jsonw_array(&c->w);
        for (size_t i = 0; i < r.n; i++) {
            jsonw_object(&c->w);
            jsonw_kstr(&c->w, "check", r.check[i].name);
            jsonw_kbool(&c->w, "ok", r.check[i].ok);
            jsonw_kstr(&c->w, "text", c->who.lang == LT_EN ? r.check[i].en : r.check[i].zh);
            jsonw_object_end(&c->w);
        }
        jsonw_array_end(&c->w);
        jsonw_object_end(&c->w);
    }
    lt_buf_fini(&file);
    stored_fini(&s);
    return e;
}

/* ---- one's own allotments ---- */

static const char mine_sql[] =
    "SELECT t.draw, d.name, d.revealed_at, t.n, t.enterprise, e.name, e.territory, e.industry,"
    " (SELECT group_concat(p.name, '、') FROM draw_team o JOIN person p ON p.id = o.person"
    "  WHERE o.draw = t.draw AND o.n = t.n)"
    " FROM draw_team t JOIN draw d ON d.id = t.draw JOIN enterprise e ON e.id = t.enterprise"
    " WHERE t.person = (SELECT person FROM user WHERE id = ?1) AND d.deleted = 0 AND d.state = 'revealed'"
    " ORDER BY d.revealed_at DESC, t.n LIMIT ?2";

HANDLER(draw_mine_get)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    enum lt_err e = draw_tables(c->t->db, err);
    if (e || (e = sql_prepare(c->t->db, mine_sql, &st, err)))
        return e;
    sql_bind_i64(st, 1, c->who.user_id);
    sql_bind_i64(st, 2, MINE_MAX);
    struct topo *t = desk_topo(c->a);
    jsonw_object(&c->w);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    while (!(e = sql_step(st, &row, err)) && row) {
        const struct topo_territory *county = draw_county(t, sql_col_i64(st, 6));
        jsonw_object(&c->w);
        jsonw_ki64(&c->w, "draw", sql_col_i64(st, 0));
        jsonw_kslice(&c->w, "name", sql_col_text(st, 1));
        jsonw_ktime(&c->w, "revealed_at", sql_col_i64(st, 2), c->x.tz_min);
        jsonw_ki64(&c->w, "n", sql_col_i64(st, 3));
        jsonw_ki64(&c->w, "enterprise", sql_col_i64(st, 4));
        jsonw_kslice(&c->w, "target_name", sql_col_text(st, 5));
        jsonw_kstr(&c->w, "county_name", county ? county->name : "");
        jsonw_kslice(&c->w, "industry", sql_col_text(st, 7));
        jsonw_kslice(&c->w, "team", sql_col_text(st, 8));
        jsonw_object_end(&c->w);
    }
    topo_unref(t);
    sql_release(&st);
    jsonw_array_end(&c->w);
    jsonw_object_end(&c->w);
    return e;
}

/* ---- paper ---- */

static void paper_facts(struct paper *p, const struct stored *s, bool en, int tz_min)
{
    const struct draw_list *l = &s->list.l;
    char n[3][24], text[3][2048], when[40], hex[2 * DRAW_SEED + 1];
    snprintf(n[0], sizeof n[0], "%" PRId64, l->pick);
    snprintf(n[1], sizeof n[1], "%zu", l->n_target);
    snprintf(n[2], sizeof n[2], "%zu", l->n_inspector);
    const struct paper_figure f[] = {{.label = en ? "Drawn" : "抽取企业", .value = n[0], .unit = en ? "" : "家"},
                                     {.label = en ? "In the list" : "名单企业", .value = n[1], .unit = en ? "" : "家"},
                                     {.label = en ? "Inspectors" : "检查人员", .value = n[2], .unit = en ? "" : "人"}};
    paper_figures(p, f, 3);
    lt_time_format_iso(record_i64(&s->row, "committed_at", 0), tz_min, when);
    snprintf(text[0], sizeof text[0], "%s %s\n%.*s", en ? "Commitment, published" : "承诺（公布于）", when,
             (int)s->line.n, s->line.p);
    paper_text(p, text[0]);
    if (!s->result) {
        paper_text(p, en ? "Not revealed yet." : "尚未揭晓。");
        return;
    }
    struct lt_slice source = record_text(&s->row, "public_source"), value = record_text(&s->row, "public_value"),
                    sha = record_text(&s->row, "result_sha256");
    lt_time_format_iso(record_i64(&s->row, "revealed_at", 0), tz_min, when);
    lt_text_hex(s->seed, DRAW_SEED, hex);
    snprintf(text[1], sizeof text[1], "%s %s\n%.*s: %.*s\n%s %s\n%s %.*s", en ? "Revealed" : "揭晓时间", when,
             (int)source.n, source.p, (int)value.n, value.p, en ? "Seed" : "种子", hex,
             en ? "SHA-256 of the result" : "结果 SHA-256", (int)sha.n, sha.p);
    paper_text(p, text[1]);
}

static void paper_rows(struct paper *p, const struct stored *s, const struct topo *t, bool en)
{
    const struct draw_list *l = &s->list.l;
    const enum lt_lang lang = en ? LT_EN : LT_ZH;
    const struct paper_col cols[] = {{.title = en ? "No." : "序号", .align = PAPER_RIGHT, .number = true},
                                     {.title = en ? "Enterprise" : "企业"},
                                     {.title = en ? "County" : "区县"},
                                     {.title = en ? "Industry" : "行业"},
                                     {.title = en ? "Weight" : "权重", .align = PAPER_RIGHT, .number = true},
                                     {.title = en ? "Inspectors" : "检查人员"}};
    paper_table(p, en ? "Result" : "抽取结果", cols, sizeof cols / sizeof cols[0]);
    for (size_t i = 0; i < s->result->n; i++) {
        const struct draw_pick *d = &s->result->pick[i];
        const struct draw_target *x = &l->target[d->target];
        char n[24], weight[24], name[512], team[2200] = "";
        snprintf(n, sizeof n, "%zu", i + 1);
        snprintf(weight, sizeof weight, "%" PRIu32, d->weight);
        lt_text_copy_slice(name, sizeof name, x->name);
        for (int64_t k = 0; k < l->team; k++) {
            const struct draw_inspector *who = &l->inspector[d->team[k]];
            size_t at = strlen(team);
            snprintf(team + at, sizeof team - at, "%s%.*s", k ? (en ? ", " : "、") : "", (int)who->name.n, who->name.p);
        }
        const struct paper_cell cells[] = {{.text = n},
                                           {.text = name},
                                           {.text = draw_county_name(t, x->county, lang)},
                                           {.text = draw_industry_name(x->industry, lang)},
                                           {.text = weight},
                                           {.text = team}};
        paper_row(p, cells, sizeof cells / sizeof cells[0]);
    }
    paper_table_end(p);
}

static enum lt_err make_paper(struct api_call *c, const struct stored *s, struct paper *p, struct lt_error *err)
{
    bool en = c->who.lang == LT_EN;
    char name[400], date[40];
    lt_text_copy_slice(name, sizeof name, record_text(&s->row, "name"));
    lt_time_format_iso(record_i64(&s->row, s->result ? "revealed_at" : "committed_at", 0), c->x.tz_min, date);
    date[10] = '\0';
    const struct paper_head head = {.lang = c->who.lang,
                                    .org = en && c->a->city_name_en[0] ? c->a->city_name_en : c->a->city_name,
                                    .title = name,
                                    .date = date,
                                    .footer = en ? "Random draw; anybody repeats it with the verification file"
                                                 : "双随机抽查；凭核验文件任何人均可重现"};
    paper_begin(p, &head);
    paper_facts(p, s, en, c->x.tz_min);
    if (s->result) {
        struct topo *t = desk_topo(c->a);
        paper_rows(p, s, t, en);
        topo_unref(t);
        paper_note(
            p,
            en ? "Repeat it: lantian draw --verify FILE (docs/FORMATS-draw.md). Compare the commitment with the line "
                 "that was published before."
               : "核验：lantian draw --verify 文件（docs/FORMATS-draw.md），并与事先公布的承诺行核对。");
    }
    return paper_end(p, err);
}

HANDLER(draw_paper_get)
{
    static const struct {
        const char *name, *type;
        enum lt_err (*render)(struct lt_slice model, struct lt_buf *out, struct lt_error *err);
    } formats[] = {{"html", "text/html; charset=utf-8", paper_html},
                   {"pdf", "application/pdf", paper_pdf},
                   {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", paper_xlsx}};
    struct lt_slice want = http_query(c->req, "format");
    struct stored s;
    struct paper p;
    char file[64];
    size_t f = 0;
    while (f < 3 && want.n && !lt_slice_is(want, formats[f].name))
        f++;
    if (f == 3)
        return lt_fail(err, LT_E_FIELD_CHOICE, "format", "format", "?", "html, pdf, xlsx");
    enum lt_err e = load(c, &s, err);
    if (e)
        return e;
    if (!(e = make_paper(c, &s, &p, err)))
        e = formats[f].render(lt_buf_slice(&p.json), &c->res->body, err);
    if (!e) {
        snprintf(file, sizeof file, "draw-%" PRId64 ".%s", s.id, formats[f].name);
        if (f > 0)
            http_set_filename(c->res, file);
        c->res->type = formats[f].type;
        c->raw = true;
    }
    paper_fini(&p);
    stored_fini(&s);
    return e;
}
