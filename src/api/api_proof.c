/* Evidence packages, day statements, inclusion proofs, checks on demand. */
#include "api/api_priv.h"

#include "base/text.h"
#include "proof/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PACK_MAX (CHAIN_ZIP_MAX + (1u << 20))

static enum lt_err proof_of(const struct api_call *c, struct proof **ret, struct lt_error *err)
{
    *ret = c->a->deps.proof;
    return *ret ? LT_OK : api_missing("proof", err);
}

/* The evidence record, if the caller may see it. */
static enum lt_err load(const struct api_call *c, int64_t *ret_id, struct record_row *row, struct lt_error *err)
{
    enum lt_err e = api_id(c, 0, ret_id, err);
    return e ? e : record_load(&c->x, api_kind("evidence"), *ret_id, row, err);
}

static enum lt_err seen(const struct api_call *c, int64_t *ret_id, struct lt_error *err)
{
    struct record_row row = {0};
    enum lt_err e = load(c, ret_id, &row, err);
    record_row_fini(&row);
    return e;
}

/* ---- items ---- */

static void write_alarm_text(const struct record_ctx *x, const struct record_row *row, struct jsonw *w)
{
    struct lt_buf text = LT_BUF_INIT(16 << 10);
    struct sql_stmt *st = NULL;
    json_t *params = NULL;
    bool found = false;
    if (sql_prepare(x->db, "SELECT rule, params FROM alarm WHERE id = ?1", &st, NULL) == LT_OK) {
        sql_bind_i64(st, 1, record_i64(row, "alarm", 0));
        if (sql_step(st, &found, NULL) == LT_OK && found) {
            if (jsonr_object(sql_col_text(st, 1), JSONR_SIZE_MAX, &params, NULL) != LT_OK)
                params = json_object();
            alarm_text(sql_col_text(st, 0), params, x->who->lang, x->tz_min, &text);
        }
        sql_release(&st);
    }
    json_decref(params);
    if (found)
        jsonw_kslice(w, "alarm_text", lt_buf_slice(&text));
    else
        jsonw_knull(w, "alarm_text");
    lt_buf_fini(&text);
}

void evidence_item_extra(void *ctx, const struct record_row *row, struct jsonw *w)
{
    const struct record_ctx *x = ctx;
    bool held = false;
    int64_t n = 0, id = row->id;
    write_alarm_text(x, row, w);
    if (lt_slice_is(record_text(row, "type"), "alarm"))
        jsonw_ki64(w, "delay_ms", record_i64(row, "sealed_at_ms", 0) - record_i64(row, "alarm_at_ms", 0));
    else
        jsonw_knull(w, "delay_ms");
    jsonw_kbool(w, "hold", proof_held(x->db, id, x->now_ms, &held, NULL) == LT_OK && held);
    if (sql_get_i64(x->db, "SELECT count(*) FROM evidence WHERE parent = ?1 AND deleted = 0", &id, &n, NULL) != LT_OK)
        n = 0;
    jsonw_ki64(w, "n_follow_ups", n);
}

/* ---- evidence ---- */

static enum lt_err write_manifest(struct api_call *c, struct proof *p, int64_t id, struct lt_error *err)
{
    struct lt_buf manifest = LT_BUF_INIT(JSONR_SIZE_MAX);
    json_t *tree = NULL;
    enum lt_err e = proof_entry(c->t->db, proof_dir(p), id, "manifest.json", &manifest, err);
    jsonw_key(&c->w, "manifest");
    if (e == LT_OK && jsonr_object(lt_buf_slice(&manifest), JSONR_SIZE_MAX, &tree, NULL) == LT_OK)
        jsonw_tree(&c->w, tree);
    else
        jsonw_null(&c->w); /* removed, or damaged: the check says so */
    json_decref(tree);
    lt_buf_fini(&manifest);
    return LT_OK;
}

/* Everything of the same alarm but this one itself, oldest first. */
static enum lt_err write_follow_ups(struct api_call *c, const struct record_row *row, struct lt_error *err)
{
    const struct record_kind *k = api_kind("evidence");
    char mem[24];
    struct lt_slice alarm = api_number(record_i64(row, "alarm", 0), mem);
    const struct api_equal eq = {"alarm", alarm};
    int64_t ids[RECORD_LIMIT_MAX];
    size_t n = 0;
    enum lt_err e = api_ids(c, k, &eq, 1, ids, RECORD_LIMIT_MAX, &n, err);
    jsonw_key(&c->w, "follow_ups");
    jsonw_array(&c->w);
    for (size_t i = n; e == LT_OK && i-- > 0;)
        if (ids[i] != row->id)
            e = record_json(&c->x, k, ids[i], evidence_item_extra, &c->x, &c->w, err);
    jsonw_array_end(&c->w);
    return e;
}

HANDLER(evidence_detail_get)
{
    struct record_row row = {0};
    struct proof *p;
    int64_t id = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = load(c, &id, &row, err)))
        return e;
    jsonw_object(&c->w);
    jsonw_key(&c->w, "evidence");
    e = record_json(&c->x, api_kind("evidence"), id, evidence_item_extra, &c->x, &c->w, err);
    if (e == LT_OK)
        e = write_manifest(c, p, id, err);
    if (e == LT_OK)
        e = write_follow_ups(c, &row, err);
    if (e == LT_OK) {
        jsonw_key(&c->w, "custody");
        proof_custody_write(c->t->db, id, c->a->cfg.tz_min, !c->who.enterprise, &c->w);
        jsonw_key(&c->w, "holds");
        e = proof_holds_write(c->t->db, id, c->now_ms, c->a->cfg.tz_min, &c->w, err);
    }
    jsonw_object_end(&c->w);
    record_row_fini(&row);
    return e;
}

HANDLER(evidence_download_get)
{
    struct record_row row = {0};
    struct proof *p;
    int64_t id = 0;
    int fd = -1;
    char name[80];
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = load(c, &id, &row, err)))
        return e;
    struct lt_slice n = record_text(&row, "name");
    snprintf(name, sizeof name, "%.*s.zip", (int)(n.n < 64 ? n.n : 64), n.p);
    record_row_fini(&row);
    e = proof_file(c->t->db, proof_dir(p), id, &fd, &c->res->fd_size, NULL, err);
    if (e == LT_OK && (e = proof_custody_add(&c->x, id, "downloaded", LT_LIT("{}"), err)) != LT_OK)
        close(fd);
    if (e != LT_OK)
        return e;
    c->raw = true;
    c->res->fd = fd;
    c->res->type = "application/zip";
    http_set_filename(c->res, name);
    return LT_OK;
}

static const char *type_of(struct lt_slice name)
{
    static const struct {
        const char *end, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".pdf", "application/pdf"},
                 {".json", "application/json"},
                 {".jsonl", "text/plain; charset=utf-8"},
                 {".day", "text/plain; charset=utf-8"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i].end);
        if (name.n > n && memcmp(name.p + name.n - n, types[i].end, n) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

HANDLER(evidence_entry_get)
{
    struct proof *p;
    struct lt_slice name = http_query(c->req, "name");
    struct lt_buf data = LT_BUF_INIT(PACK_MAX);
    char z[CHAIN_ZIP_NAME + 1];
    int64_t id = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = seen(c, &id, err)))
        return e;
    if (!name.p || !chain_zip_name_ok(name))
        return lt_fail(err, LT_E_FIELD_REQUIRED, "name", "name", NULL, NULL);
    lt_text_copy_slice(z, sizeof z, name);
    e = proof_entry(c->t->db, proof_dir(p), id, z, &data, err);
    bool whole = strncmp(z, "attachment/", 11) != 0;              /* what people handed in is never shown as a page */
    if (e == LT_OK && (!whole || strcmp(z, "frames.bin") == 0)) { /* the evidence itself, not its description */
        char detail[CHAIN_ZIP_NAME + 32];
        int n = snprintf(detail, sizeof detail, "{\"entry\":\"%s\"}", z);
        e = proof_custody_add(&c->x, id, "downloaded", (struct lt_slice){detail, (size_t)n}, err);
    }
    if (e == LT_OK) {
        c->raw = true;
        c->res->type = whole ? type_of(name) : "application/octet-stream";
        http_set_header(c->res, "Content-Security-Policy",
                        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:");
        if (!whole)
            http_set_filename(c->res, strrchr(z, '/') + 1);
        lt_buf_add(&c->res->body, data.p, data.n);
    }
    lt_buf_fini(&data);
    return e;
}

/* What hashes a whole package or seals a day: some at once, then one each six seconds a person, and the others are not
 * kept waiting by him. */
static enum lt_err not_too_often(struct api_call *c, const char *what, struct lt_error *err)
{
    char key[48];
    snprintf(key, sizeof key, "%s %lld", what, (long long)c->who.user_id);
    if (limiter_take(&c->a->limiter, key, lt_mono_ms()))
        return LT_OK;
    return lt_fail(err, LT_E_LIMIT, NULL, c->req->lang == LT_ZH ? "封存或核验次数" : "seals or checks of a package",
                   "10", NULL);
}

/* The hash in the register must be that of the file too: a whole package put in the place of another is found. */
static void write_registered(struct api_call *c, const struct record_row *row, struct lt_slice file, bool *ok)
{
    struct chain_hasher *h = chain_hasher_create();
    struct chain_pair hash;
    char hex[2 * CHAIN_HASH + 1] = "";
    if (h && chain_digest_both(h, file, &hash))
        lt_text_hex(hash.h[CHAIN_SHA256], CHAIN_HASH, hex);
    chain_hasher_destroy(&h);
    bool same = lt_slice_is(record_text(row, "sha256"), hex);
    *ok = *ok && same;
    bool zh = c->req->lang == LT_ZH;
    jsonw_key(&c->w, "registered");
    jsonw_object(&c->w);
    jsonw_kstr(&c->w, "check", "registered");
    jsonw_kbool(&c->w, "ok", same);
    jsonw_kstr(
        &c->w, "text",
        same ? (zh ? "与登记的 SHA-256 一致" : "equals the registered SHA-256")
             : (zh ? "与登记的 SHA-256 不符（文件被替换）" : "not the registered SHA-256 (the file was replaced)"));
    jsonw_object_end(&c->w);
}

static enum lt_err verify_file(struct api_call *c, struct proof *p, const struct record_row *row, struct lt_error *err)
{
    struct lt_buf file = LT_BUF_INIT(PACK_MAX), lines = LT_BUF_INIT(16u << 20);
    struct proof_verdict v;
    int64_t begun = lt_mono_us();
    char detail[32];
    enum lt_err e = proof_file(c->t->db, proof_dir(p), row->id, NULL, NULL, &file, err);
    if (e == LT_OK)
        e = proof_lines(proof_dir(p), &lines, err);
    const struct proof_verify how = {.key = proof_keys_public(proof_keys_of(p)), .lines = lt_buf_slice(&lines)};
    if (e == LT_OK)
        e = proof_pack_verify(lt_buf_slice(&file), &how, &v, err);
    if (e == LT_OK) {
        bool ok = v.ok;
        jsonw_object(&c->w);
        jsonw_ktime(&c->w, "at", c->now_ms, c->a->cfg.tz_min);
        write_registered(c, row, lt_buf_slice(&file), &ok);
        v.ok = ok;
        proof_verdict_write(&v, c->req->lang, &c->w);
        jsonw_kfix(&c->w, "took_ms", (lt_mono_us() - begun) * 1000);
        jsonw_object_end(&c->w);
        int n = snprintf(detail, sizeof detail, "{\"ok\":%s}", ok ? "true" : "false");
        json_decref(v.manifest);
        e = proof_custody_add(&c->x, row->id, "verified", (struct lt_slice){detail, (size_t)n}, err);
    }
    lt_buf_fini(&file);
    lt_buf_fini(&lines);
    return e;
}

HANDLER(evidence_verify_post)
{
    struct record_row row = {0};
    struct proof *p;
    int64_t id = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = not_too_often(c, "verify", err)) || (e = load(c, &id, &row, err)))
        return e;
    e = verify_file(c, p, &row, err);
    record_row_fini(&row);
    return e;
}

HANDLER(evidence_append_post)
{
    struct proof *p;
    char type[16] = "";
    int64_t id = 0, made = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = seen(c, &id, err)))
        return e;
    struct lt_slice t = http_query(c->req, "type"), file = http_query(c->req, "name"),
                    note = http_query(c->req, "note");
    if (!t.p)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "type", "type", NULL, NULL);
    if (lt_text_chars(note) > 1000 || file.n > 300)
        return lt_fail(err, LT_E_FIELD_LENGTH, file.n > 300 ? "name" : "note", file.n > 300 ? "name" : "note",
                       file.n > 300 ? "300" : "1000", NULL);
    lt_text_copy_slice(type, sizeof type, t);
    const struct proof_sources s = {.dir = proof_dir(p),
                                    .tz_min = c->a->cfg.tz_min,
                                    .db = c->t->db,
                                    .keys = proof_keys_of(p),
                                    .series = c->a->deps.series,
                                    .engine = c->a->deps.engine,
                                    .city_zh = c->a->city_name,
                                    .city_en = c->a->city_name_en};
    const struct proof_follow_up f = {.parent = id,
                                      .type = type,
                                      .file_name = file.p ? file : LT_LIT(""),
                                      .note = note.p ? note : LT_LIT(""),
                                      .data = c->req->body};
    if ((e = proof_append(&s, &c->x, &f, &made, err)))
        return e;
    c->res->status = 201;
    return record_json(&c->x, api_kind("evidence"), made, evidence_item_extra, &c->x, &c->w, err);
}

HANDLER(evidence_custody_post)
{
    static const char *const names[] = {"action", "to", "note", NULL};
    struct lt_slice action = {0}, to = {0}, note = LT_LIT("");
    struct lt_buf detail = LT_BUF_INIT(8192);
    struct jsonw w;
    int64_t id = 0;
    enum lt_err e = seen(c, &id, err);
    if (e || (e = api_body(c, err)) || (e = jsonr_only(c->body, names, err)) ||
        (e = jsonr_str(c->body, "action", true, 20, &action, err)) ||
        (e = jsonr_str(c->body, "to", true, 200, &to, err)) ||
        (e = jsonr_str(c->body, "note", false, 1000, &note, err)))
        return e;
    if (!lt_slice_is(action, "handed_over"))
        return lt_fail(err, LT_E_FIELD_CHOICE, "action", "action", "?", "handed_over");
    jsonw_init(&w, &detail);
    jsonw_object(&w);
    jsonw_kslice(&w, "to", to);
    jsonw_kslice(&w, "note", note);
    jsonw_object_end(&w);
    e = proof_custody_add(&c->x, id, "handed_over", lt_buf_slice(&detail), err);
    lt_buf_fini(&detail);
    if (e)
        return e;
    jsonw_object(&c->w);
    jsonw_key(&c->w, "custody");
    proof_custody_write(c->t->db, id, c->a->cfg.tz_min, !c->who.enterprise, &c->w);
    jsonw_object_end(&c->w);
    return LT_OK;
}

/* ---- days ---- */

static void write_hash(struct jsonw *w, const char *key, const uint8_t h[CHAIN_HASH])
{
    char hex[2 * CHAIN_HASH + 1];
    lt_text_hex(h, CHAIN_HASH, hex);
    jsonw_kstr(w, key, hex);
}

static void write_streams(struct jsonw *w, const struct chain_day *d)
{
    jsonw_key(w, "streams");
    jsonw_array(w);
    for (int s = 0; s < CHAIN_STREAMS; s++) {
        jsonw_object(w);
        jsonw_kstr(w, "name", chain_stream_name[s]);
        jsonw_ku64(w, "first", d->stream[s].first);
        jsonw_ku64(w, "last", d->stream[s].last);
        jsonw_ku64(w, "count", d->stream[s].count);
        write_hash(w, "sha256", d->stream[s].root.h[CHAIN_SHA256]);
        write_hash(w, "sm3", d->stream[s].root.h[CHAIN_SM3]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static enum lt_err write_day(struct api_call *c, const char *dir, struct chain_hasher *h, const struct proof_day *d,
                             struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX), line = LT_BUF_INIT(512);
    char day[16], path[700];
    struct chain_pair hash;
    enum lt_err e = proof_day_text(dir, d, &text, err);
    const struct lt_slice signed_bytes = {text.p, d->d.n_signed};
    if (e == LT_OK &&
        (!chain_digest_both(h, signed_bytes, &hash) || !chain_day_line(h, &d->d, lt_buf_slice(&text), &line)))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        struct jsonw *w = &c->w;
        int y = d->d.day;
        snprintf(day, sizeof day, "%04d-%02d-%02d", y / 10000, y / 100 % 100, y % 100);
        jsonw_object(w);
        jsonw_ku64(w, "n", d->n);
        jsonw_kstr(w, "day", day);
        jsonw_ki64(w, "part", d->d.part);
        jsonw_kbool(w, "final", d->d.final);
        jsonw_ktime(w, "sealed_at", d->d.sealed_at_ms, c->a->cfg.tz_min);
        write_hash(w, "previous", d->d.previous);
        write_hash(w, "sha256", hash.h[CHAIN_SHA256]);
        write_hash(w, "sm3", hash.h[CHAIN_SM3]);
        jsonw_kslice(w, "line", lt_buf_slice(&line));
        write_streams(w, &d->d);
        snprintf(path, sizeof path, "%.500s/journal/%08d.db", dir, y);
        jsonw_kbool(w, "removed", access(path, F_OK) != 0);
        jsonw_kbool(w, "stamped", proof_stamped(dir, d));
        jsonw_object_end(w);
    }
    lt_buf_fini(&text);
    lt_buf_fini(&line);
    return e;
}

HANDLER(proof_days_get)
{
    struct proof *p;
    struct proof_day *days = NULL;
    size_t n = 0;
    int64_t limit = 50, before = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = api_query_i64(c, "limit", 1, 200, &limit, err)) ||
        (e = api_query_i64(c, "before", 1, INT64_MAX, &before, err)))
        return e;
    struct chain_hasher *h = chain_hasher_create();
    e = h ? proof_days(proof_dir(p), &days, &n, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    jsonw_object(&c->w);
    jsonw_kstr(&c->w, "key", proof_keys_public(proof_keys_of(p))->id);
    jsonw_key(&c->w, "items");
    jsonw_array(&c->w);
    int64_t written = 0;
    uint64_t next = 0;
    for (size_t i = n; e == LT_OK && i-- > 0;) {
        if (days[i].bad_line || (before && days[i].n >= (uint64_t)before))
            continue;
        if (written == limit) {
            next = days[i].n + 1;
            break;
        }
        e = write_day(c, proof_dir(p), h, &days[i], err);
        written++;
    }
    jsonw_array_end(&c->w);
    if (next)
        jsonw_ku64(&c->w, "next", next);
    else
        jsonw_knull(&c->w, "next");
    jsonw_object_end(&c->w);
    chain_hasher_destroy(&h);
    free(days);
    return e;
}

static void plain(struct api_call *c)
{
    c->raw = true;
    c->res->type = "text/plain; charset=utf-8";
}

HANDLER(proof_statement_get)
{
    struct proof *p;
    struct proof_day *days = NULL;
    size_t n = 0;
    int64_t want = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = api_id(c, 0, &want, err)) || (e = proof_days(proof_dir(p), &days, &n, err)))
        return e;
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    e = lt_fail(err, LT_E_NOT_FOUND, NULL, "statement", "", NULL);
    for (size_t i = 0; i < n; i++)
        if (days[i].n == (uint64_t)want)
            e = proof_day_text(proof_dir(p), &days[i], &text, err);
    if (e == LT_OK) {
        plain(c);
        lt_buf_add(&c->res->body, text.p, text.n);
    }
    lt_buf_fini(&text);
    free(days);
    return e;
}

HANDLER(proof_lines_get)
{
    struct proof *p;
    struct lt_buf text = LT_BUF_INIT(16u << 20);
    enum lt_err e = proof_of(c, &p, err);
    if (e == LT_OK)
        e = proof_lines(proof_dir(p), &text, err);
    if (e == LT_OK) {
        plain(c);
        lt_buf_add(&c->res->body, text.p, text.n);
    }
    lt_buf_fini(&text);
    return e;
}

HANDLER(proof_keys_get)
{
    struct proof *p;
    char hex[2 * CHAIN_PUBLIC_MAX + 1];
    enum lt_err e = proof_of(c, &p, err);
    if (e)
        return e;
    const struct proof_public *pub = proof_keys_public(proof_keys_of(p));
    struct lt_slice format = http_query(c->req, "format");
    if (format.p && lt_slice_is(format, "text")) {
        plain(c);
        http_set_filename(c->res, "public.txt");
        proof_public_text(pub, &c->res->body);
        return LT_OK;
    }
    jsonw_object(&c->w);
    jsonw_kstr(&c->w, "key", pub->id);
    lt_text_hex(pub->ed25519, sizeof pub->ed25519, hex);
    jsonw_kstr(&c->w, "ed25519", hex);
    lt_text_hex(pub->sm2, sizeof pub->sm2, hex);
    jsonw_kstr(&c->w, "sm2", hex);
    jsonw_object_end(&c->w);
    return LT_OK;
}

static bool sees_city(const struct api_call *c)
{
    struct topo *t = desk_topo(c->a);
    bool all = c->who.everywhere;
    for (size_t i = 0; !all && i < t->n_territory; i++)
        all = t->territory[i].id == c->who.territory && !t->territory[i].parent;
    topo_unref(t);
    return all && !c->who.enterprise;
}

/* A raw record may be anybody's: only those who see everything get one by number. */
HANDLER(proof_inclusion_get)
{
    struct proof *p;
    struct lt_slice stream = http_query(c->req, "stream");
    int64_t seq = 0;
    int s = -1;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = api_query_i64(c, "seq", 1, INT64_MAX, &seq, err)))
        return e;
    for (int i = 0; i < CHAIN_STREAMS; i++)
        if (stream.p && lt_slice_is(stream, chain_stream_name[i]))
            s = i;
    if (s < 0 || seq == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, s < 0 ? "stream" : "seq", s < 0 ? "stream" : "seq", NULL, NULL);
    if (s == CHAIN_AUDIT && (e = auth_need(&c->who, "audit:read", err)))
        return e;
    if (!sees_city(c) || !auth_may(&c->who, "device:read"))
        return lt_fail(err, LT_E_DENIED_TERRITORY, NULL, chain_stream_name[s], NULL, NULL);
    return proof_inclusion(proof_dir(p), c->t->db, (enum chain_stream)s, (uint64_t)seq, &c->w, err);
}

HANDLER(proof_seal_post)
{
    struct proof *p;
    struct chain_day d;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = not_too_often(c, "seal", err)) || (e = proof_seal_now(p, c->t->db, c->now_ms, &d, err)))
        return e;
    char day[16];
    snprintf(day, sizeof day, "%04d-%02d-%02d", d.day / 10000, d.day / 100 % 100, d.day % 100);
    jsonw_object(&c->w);
    jsonw_ku64(&c->w, "n", d.n);
    jsonw_kstr(&c->w, "day", day);
    jsonw_ki64(&c->w, "part", d.part);
    jsonw_kbool(&c->w, "final", d.final);
    jsonw_object_end(&c->w);
    return LT_OK;
}

static enum lt_err body_day(const struct api_call *c, const char *name, int *ret, struct lt_error *err)
{
    int64_t at = 0;
    enum lt_err e = jsonr_time(c->body, name, false, c->a->cfg.tz_min, &at, err);
    if (e == LT_OK && at > 0)
        *ret = lt_day_number(at, c->a->cfg.tz_min);
    return e;
}

HANDLER(proof_verify_post)
{
    static const char *const names[] = {"from", "to", NULL};
    struct proof *p;
    int from = 0, to = 0;
    enum lt_err e = proof_of(c, &p, err);
    if (e || (e = api_body(c, err)) || (e = jsonr_only(c->body, names, err)) || (e = body_day(c, "from", &from, err)) ||
        (e = body_day(c, "to", &to, err)) || (e = proof_check_start(p, from, to, err)))
        return e;
    proof_check_write(p, c->req->lang, c->a->cfg.tz_min, &c->w);
    return LT_OK;
}

HANDLER(proof_verify_get)
{
    struct proof *p;
    enum lt_err e = proof_of(c, &p, err);
    if (e)
        return e;
    proof_check_write(p, c->req->lang, c->a->cfg.tz_min, &c->w);
    return LT_OK;
}
