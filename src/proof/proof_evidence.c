/* Packages of alarms and follow-ups: built, written whole, registered with the cursor in one transaction. Killed at any
 * moment, a package is there complete or not at all: a file without its row is checked and taken over, an unfinished
 * one is written again. */
#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/varint.h"
#include "proof/proof_gather.h"
#include "record/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_MAX  (CHAIN_ZIP_MAX + (1u << 20))
#define GROUP     8 /* packages registered at once: the first of them waits for the last, half a second at most */
#define RECENT_MS LT_DAY_MS /* at the very first start, alarms of the last day get packages too */

/* ---- custody ---- */

enum lt_err proof_custody_add(const struct record_ctx *x, int64_t evidence, const char *action, struct lt_slice detail,
                              struct lt_error *err)
{
    const struct audit_entry entry = {.who = x->who,
                                      .at_ms = x->now_ms,
                                      .action = action,
                                      .kind = "evidence",
                                      .record_id = evidence,
                                      .detail = detail.n ? detail : LT_LIT("{}")};
    enum lt_err e = sql_begin(x->db, err);
    if (e != LT_OK)
        return e;
    e = sql_do(x->db,
               "INSERT INTO proof_custody(evidence, at_ms, user_id, user_name, address, action, detail)"
               " VALUES(?1,?2,?3,?4,?5,?6,?7)",
               SQL_VALUES(SQL_I(evidence), SQL_I(x->now_ms), SQL_I(x->who->user_id), SQL_Z(x->who->name),
                          SQL_Z(x->who->address), SQL_Z(action), SQL_S(entry.detail)),
               err);
    if (e == LT_OK)
        e = audit_add(x->db, &entry, err);
    return sql_end(x->db, e, err);
}

static void custody_row(struct sql_stmt *st, int tz_min, bool addresses, struct jsonw *w)
{
    json_t *detail = NULL;
    jsonw_object(w);
    jsonw_ktime(w, "at", sql_col_i64(st, 0), tz_min);
    jsonw_kslice(w, "user", sql_col_text(st, 1));
    if (addresses)
        jsonw_kslice(w, "address", sql_col_text(st, 2));
    jsonw_kslice(w, "action", sql_col_text(st, 3));
    jsonw_key(w, "detail");
    if (jsonr_object(sql_col_text(st, 4), JSONR_SIZE_MAX, &detail, NULL) == LT_OK)
        jsonw_tree(w, detail);
    else
        jsonw_null(w);
    json_decref(detail);
    jsonw_object_end(w);
}

/* lines: each on its own line; else the elements of an array being written by w. The newest: who reads a package often
 * must not push what comes later out of sight. */
static void custody_rows(struct sql_db *db, int64_t evidence, int tz_min, bool addresses, struct jsonw *w,
                         struct lt_buf *lines)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    if (sql_prepare(
            db,
            "SELECT at_ms, user_name, address, action, detail FROM (SELECT * FROM proof_custody WHERE evidence = ?1"
            " ORDER BY id DESC LIMIT ?2) ORDER BY id",
            &st, NULL) != LT_OK)
        return;
    sql_bind_i64(st, 1, evidence);
    sql_bind_i64(st, 2, PROOF_CUSTODY_MAX);
    while (sql_step(st, &row, NULL) == LT_OK && row) {
        struct jsonw one;
        if (lines) {
            jsonw_init(&one, lines);
            custody_row(st, tz_min, addresses, &one);
            lt_buf_addc(lines, '\n');
        } else {
            custody_row(st, tz_min, addresses, w);
        }
    }
    sql_release(&st);
}

void proof_custody_write(struct sql_db *db, int64_t evidence, int tz_min, bool addresses, struct jsonw *w)
{
    jsonw_array(w);
    custody_rows(db, evidence, tz_min, addresses, w, NULL);
    jsonw_array_end(w);
}

/* ---- files ---- */

static enum lt_err make_dirs(const char *dir, int64_t at_ms, int tz_min, char ret[32], struct lt_error *err)
{
    char path[PROOF_PATH];
    struct lt_civil c = lt_civil_of(at_ms, tz_min);
    snprintf(ret, 32, "%04d/%02d", c.year, c.month);
    static const int parts[] = {0, 4, 7}; /* letters of YYYY/MM */
    enum lt_err e = LT_OK;
    for (int i = 0; e == LT_OK && i < 3; i++) {
        snprintf(path, sizeof path, "%.900s/evidence/%.*s", dir, parts[i], ret);
        e = proof_mkdir(path, 0750, err);
    }
    return e;
}

enum lt_err proof_file(struct sql_db *db, const char *dir, int64_t evidence, int *ret_fd, uint64_t *ret_size,
                       struct lt_buf *out, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    char path[PROOF_PATH] = "";
    bool row = false;
    struct stat st_buf;
    enum lt_err e = sql_row(db, "SELECT path FROM evidence WHERE id = ?1 AND state = 'sealed' AND deleted = 0",
                            SQL_VALUES(SQL_I(evidence)), &st, &row, err);
    if (e == LT_OK && row) {
        struct lt_slice p = sql_col_text(st, 0);
        snprintf(path, sizeof path, "%.700s/evidence/%.*s", dir, (int)(p.n < 200 ? p.n : 200), p.p);
    }
    sql_release(&st);
    if (e == LT_OK && !row)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "evidence", "", NULL);
    if (e != LT_OK || !ret_fd)
        return e != LT_OK ? e : proof_read(path, out, err);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    bool there = *ret_fd >= 0 && fstat(*ret_fd, &st_buf) == 0;
    if (there && !S_ISREG(st_buf.st_mode)) { /* a directory has a size, too, but nothing to send */
        errno = ENOENT;
        there = false;
    }
    if (!there) {
        e = lt_fail(err, errno == ENOENT ? LT_E_NOT_FOUND : LT_E_IO, NULL, "evidence", strerror(errno), NULL);
        if (*ret_fd >= 0)
            close(*ret_fd);
        *ret_fd = -1;
        return e;
    }
    *ret_size = (uint64_t)st_buf.st_size;
    return LT_OK;
}

static bool read_at(int fd, uint64_t at, char *to, size_t n)
{
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

/* Along the local headers, as they are drawn in FORMATS-proof.md. */
static enum lt_err find_entry(int fd, uint64_t size, const char *name, struct lt_buf *out, struct lt_error *err)
{
    uint64_t at = 0;
    for (int i = 0; i < CHAIN_ZIP_ENTRIES; i++) {
        char head[30], z[CHAIN_ZIP_NAME];
        if (size - at < sizeof head || !read_at(fd, at, head, sizeof head))
            break;
        if (memcmp(head, "PK\3\4", 4) != 0)
            return lt_fail(err, LT_E_NOT_FOUND, NULL, "entry", name, NULL); /* the directory begins */
        uint64_t n = lt_le_get(head + 22, 4), name_n = lt_le_get(head + 26, 2), extra = lt_le_get(head + 28, 2);
        uint64_t data = at + sizeof head + name_n + extra;
        if (name_n > sizeof z || data > size || n > size - data || !read_at(fd, at + sizeof head, z, name_n))
            break;
        if (lt_slice_is((struct lt_slice){z, name_n}, name)) {
            char *p = n ? lt_buf_reserve(out, n) : NULL;
            if (n && !p)
                return lt_fail(err, LT_E_TOO_LARGE, NULL, "entry", "the limit", NULL);
            out->n += n;
            return n == 0 || read_at(fd, data, p, n) ? LT_OK
                                                     : lt_fail(err, LT_E_IO, NULL, "evidence", strerror(errno), NULL);
        }
        at = data + n;
    }
    return lt_fail(err, LT_E_CORRUPT, NULL, "evidence", "no entry begins where one should", NULL);
}

enum lt_err proof_entry(struct sql_db *db, const char *dir, int64_t evidence, const char *name, struct lt_buf *out,
                        struct lt_error *err)
{
    int fd = -1;
    uint64_t size = 0;
    enum lt_err e = proof_file(db, dir, evidence, &fd, &size, NULL, err);
    if (e != LT_OK)
        return e;
    e = find_entry(fd, size, name, out, err);
    close(fd);
    return e;
}

/* ---- what a package is tied to ---- */

struct ties {
    uint64_t seq;
    uint8_t hash[CHAIN_HASH];
    char statement[2 * CHAIN_HASH + 1];
    struct lt_buf text; /* statement.day */
};

static enum lt_err tie(const char *dir, struct ties *ret, struct lt_error *err)
{
    struct journal_reader *j = NULL;
    struct journal_batch *b = NULL;
    struct proof_day last;
    *ret = (struct ties){.text = LT_BUF_INIT(CHAIN_DAY_MAX)};
    enum lt_err e = journal_reader_open(dir, &j, err);
    if (e == LT_OK)
        e = journal_reader_last_seq(j, &ret->seq, err);
    if (e == LT_OK && ret->seq && (e = journal_reader_next(j, ret->seq, &b, err)) == LT_OK) {
        ret->seq = b->first_seq + b->count - 1;
        memcpy(ret->hash, b->hash, CHAIN_HASH);
    }
    journal_batch_unref(&b);
    if (j)
        journal_reader_close(&j);
    struct chain_hasher *h = chain_hasher_create();
    uint8_t hash[CHAIN_HASH];
    if (e == LT_OK && h && proof_day_last(dir, &last, NULL) == LT_OK && last.bad_line == 0 &&
        proof_day_text(dir, &last, &ret->text, NULL) == LT_OK) {
        const struct lt_slice s = {ret->text.p, last.d.n_signed};
        if (chain_digest(h, CHAIN_SHA256, &s, 1, hash))
            lt_text_hex(hash, CHAIN_HASH, ret->statement);
    }
    chain_hasher_destroy(&h);
    return e;
}

static void put_statement(const struct ties *t, struct proof_pack *p)
{
    if (t->statement[0])
        lt_buf_add(proof_pack_entry(p, "statement.day"), t->text.p, t->text.n);
}

static struct proof_head head_of(const struct proof_sources *s, const struct gathered *g, const struct ties *t,
                                 const char *name, const char *type, int64_t now_ms)
{
    struct proof_head h = {.name = name,
                           .type = type,
                           .sealed_at_ms = now_ms,
                           .tz_min = s->tz_min,
                           .alarm = {g->id, g->rule_version, g->first_at_ms, g->key, g->rule, g->factor},
                           .subject = {.device = g->device,
                                       .outlet = g->outlet,
                                       .enterprise = g->enterprise,
                                       .territory = g->territory,
                                       .mn = g->mn[0] ? g->mn : NULL,
                                       .outlet_name = g->outlet_name[0] ? g->outlet_name : NULL,
                                       .enterprise_name = g->enterprise_name[0] ? g->enterprise_name : NULL,
                                       .territory_name = g->territory_name[0] ? g->territory_name : NULL},
                           .from_ms = g->from_ms,
                           .to_ms = g->to_ms,
                           .journal_seq = t->seq,
                           .statement = t->statement};
    memcpy(h.journal_hash, t->hash, CHAIN_HASH);
    return h;
}

/* ---- registering ---- */

struct sealed {
    char name[64], path[128], sha256[2 * CHAIN_HASH + 1], sm3[2 * CHAIN_HASH + 1];
    const char *type;
    int64_t sealed_at_ms, parent;
    uint64_t size;
    struct lt_slice note;
    bool adopted;
};

static void hashes_of(struct sealed *f, const struct chain_pair *hash, size_t size)
{
    lt_text_hex(hash->h[CHAIN_SHA256], CHAIN_HASH, f->sha256);
    lt_text_hex(hash->h[CHAIN_SM3], CHAIN_HASH, f->sm3);
    f->size = size;
}

static struct record_set ref(const char *field, int64_t id)
{
    return id ? RECORD_SET_I(field, id) : RECORD_SET_NULL(field);
}

/* Within the caller's transaction. */
static enum lt_err register_file(const struct record_ctx *x, const struct gathered *g, const struct sealed *f,
                                 int64_t *ret_id, struct lt_error *err)
{
    const struct record_set set[] = {
        RECORD_SET_Z("name", f->name),
        RECORD_SET_Z("type", f->type),
        ref("alarm", g->id),
        ref("device", g->device),
        ref("outlet", g->outlet),
        ref("enterprise", g->enterprise),
        ref("territory", g->territory),
        RECORD_SET_Z("rule", g->rule),
        RECORD_SET_Z("factor", g->factor),
        RECORD_SET_I("alarm_at_ms", g->created_at_ms),
        RECORD_SET_I("sealed_at_ms", f->sealed_at_ms),
        RECORD_SET_I("size", (int64_t)f->size),
        RECORD_SET_Z("sha256", f->sha256),
        RECORD_SET_Z("sm3", f->sm3),
        RECORD_SET_Z("path", f->path),
        ref("parent", f->parent),
        f->note.n ? RECORD_SET_S("note", f->note) : RECORD_SET_NULL("note"),
        RECORD_SET_Z("author", x->who->name),
    };
    char detail[400];
    int n = snprintf(detail, sizeof detail, "{\"name\":\"%s\",\"sha256\":\"%s\",\"sm3\":\"%s\"}", f->name, f->sha256,
                     f->sm3);
    enum lt_err e =
        record_insert(x, record_kind_find(LT_LIT("evidence")), set, sizeof set / sizeof set[0], ret_id, err);
    return e == LT_OK ? proof_custody_add(x, *ret_id,
                                          f->adopted  ? "adopted"
                                          : f->parent ? "appended"
                                                      : "sealed",
                                          (struct lt_slice){detail, (size_t)n}, err)
                      : e;
}

static enum lt_err set_cursor(struct sql_db *db, int64_t alarm, struct lt_error *err)
{
    return sql_do(db,
                  "INSERT INTO proof_cursor(id, alarm) VALUES(1, ?1) ON CONFLICT(id) DO UPDATE SET alarm ="
                  " max(alarm, ?1)",
                  SQL_VALUES(SQL_I(alarm)), err);
}

/* ---- alarms ---- */

/* A file of this name from before a crash: complete (then it is taken over as it is) or worthless. */
static bool adopt(const char *path, const struct proof_sources *s, const struct gathered *g, struct sealed *f)
{
    struct lt_buf file = LT_BUF_INIT(PACK_MAX);
    struct proof_verdict v;
    struct chain_pair hash;
    const struct proof_verify how = {.key = proof_keys_public(s->keys)};
    bool ok = proof_read(path, &file, NULL) == LT_OK && proof_pack_verify(lt_buf_slice(&file), &how, &v, NULL) == LT_OK;
    if (ok) {
        /* after a loss of power the alarm's number may have been given to another one */
        const json_t *a = json_object_get(v.manifest, "alarm");
        const char *key = json_string_value(json_object_get(a, "key"));
        ok = v.ok && key && strcmp(key, g->key) == 0 &&
             json_integer_value(json_object_get(a, "first_at_ms")) == g->first_at_ms;
        f->sealed_at_ms = json_integer_value(json_object_get(v.manifest, "sealed_at_ms"));
        json_decref(v.manifest);
    }
    struct chain_hasher *h = ok ? chain_hasher_create() : NULL;
    ok = h && chain_digest_both(h, lt_buf_slice(&file), &hash);
    if (ok)
        hashes_of(f, &hash, file.n);
    f->adopted = ok;
    chain_hasher_destroy(&h);
    lt_buf_fini(&file);
    return ok;
}

static void leave_out(struct proof_head *h, const char *what, const char *why, uint64_t n)
{
    if (!n)
        return;
    h->left_out[h->n_left_out].what = what;
    h->left_out[h->n_left_out].why = why;
    h->left_out[h->n_left_out++].n = n;
}

static enum lt_err build(const struct proof_sources *s, struct gathered *g, const struct ties *t, struct sealed *f,
                         int64_t now_ms, struct lt_buf *out, struct lt_error *err)
{
    struct proof_pack *p = proof_pack_create();
    struct chain_pair hash;
    if (!p)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    struct proof_head h = head_of(s, g, t, f->name, f->type, now_ms);
    gather_put_alarm(s, g, now_ms, p);
    gather_put_frames(s, g, p);
    gather_put_values(s, g, p);
    gather_put_state(s, g, now_ms, p);
    gather_put_context(s, g, p);
    gather_put_audit(s, g, p);
    put_statement(t, p);
    lt_buf_addf(proof_pack_entry(p, "custody.jsonl"), "{\"at_ms\":%lld,\"user\":\"proof\",\"action\":\"sealed\"}\n",
                (long long)now_ms);
    leave_out(&h, "frames", "older than those kept; size limit", g->dropped);
    leave_out(&h, "journal records not searched", "time limit; they are in the journal", g->unsearched);
    leave_out(&h, "journal records not searched", "the journal cannot be read there", g->unreadable);
    struct lt_error why;
    leave_out(&h, "cover", "could not be drawn", gather_put_cover(s, g, &h, p, &why) != LT_OK);
    enum lt_err e = proof_pack_seal(p, &h, s->keys, out, &hash, err);
    if (e == LT_OK)
        hashes_of(f, &hash, out->n);
    f->sealed_at_ms = now_ms;
    proof_pack_destroy(&p);
    return e;
}

static void tell(const struct proof_sources *s, const struct gathered *g, int64_t id, const char *name)
{
    char json[200];
    if (!s->on_event)
        return;
    int n = snprintf(json, sizeof json, "{\"id\":%lld,\"alarm\":%lld,\"name\":\"%s\"}", (long long)id, (long long)g->id,
                     name);
    s->on_event(s->user, "evidence", g->territory, g->enterprise, (struct lt_slice){json, (size_t)n});
}

/* The package's file, whole; its name becomes durable with the directory. */
static enum lt_err make_file(const struct proof_sources *s, struct gathered *g, const struct ties *t, int64_t now_ms,
                             struct sealed *f, struct lt_error *err)
{
    struct lt_buf out = LT_BUF_INIT(PACK_MAX);
    char month[32], path[PROOF_PATH];
    f->type = "alarm";
    snprintf(f->name, sizeof f->name, "%08d-A%06lld-0", lt_day_number(g->first_at_ms, s->tz_min), (long long)g->id);
    enum lt_err e = make_dirs(s->dir, g->first_at_ms, s->tz_min, month, err);
    snprintf(f->path, sizeof f->path, "%s/%s.zip", month, f->name);
    snprintf(path, sizeof path, "%.700s/evidence/%s", s->dir, f->path);
    if (e == LT_OK && !adopt(path, s, g, f)) {
        e = build(s, g, t, f, now_ms, &out, err);
        if (e == LT_OK)
            e = proof_write_unsynced(path, 0440, lt_buf_slice(&out), err);
    }
    lt_buf_fini(&out);
    return e;
}

/* Each directory of the files once; those of one month stand together but for a storm at its turn. */
static enum lt_err sync_dirs(const struct proof_sources *s, const struct sealed *f, size_t n, struct lt_error *err)
{
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < n; i++) {
        char path[PROOF_PATH];
        snprintf(path, sizeof path, "%.700s/evidence/%s", s->dir, f[i].path);
        if (i == 0 || strncmp(f[i].path, f[i - 1].path, sizeof "YYYY/MM" - 1) != 0)
            e = proof_sync_parent(path, err);
    }
    return e;
}

static enum lt_err register_group(const struct proof_sources *s, struct gathered *const *g, const struct sealed *f,
                                  size_t n, int64_t now_ms, struct lt_error *err)
{
    const struct auth_ctx who = auth_system("proof");
    const struct record_ctx x = {.db = s->db, .who = &who, .now_ms = now_ms, .tz_min = s->tz_min};
    int64_t id[GROUP];
    enum lt_err e = sync_dirs(s, f, n, err);
    if (e == LT_OK)
        e = sql_begin(s->db, err);
    if (e != LT_OK)
        return e;
    for (size_t i = 0; e == LT_OK && i < n; i++)
        e = register_file(&x, g[i], &f[i], &id[i], err);
    if (e == LT_OK)
        e = set_cursor(s->db, g[n - 1]->id, err);
    e = sql_end(s->db, e, err);
    for (size_t i = 0; e == LT_OK && i < n; i++)
        tell(s, g[i], id[i], f[i].name);
    return e;
}

/* Some packages and then one transaction for their rows: a disk is asked for one promise more a package, not four.
 * What was made before a package that cannot be made is registered. */
static enum lt_err seal_group(const struct proof_sources *s, struct gathered *const *g, size_t n, const struct ties *t,
                              int64_t now_ms, unsigned *ret_n, struct lt_error *err)
{
    struct sealed f[GROUP] = {0};
    struct lt_error other;
    int64_t begun = lt_mono_ms();
    size_t made = 0;
    enum lt_err e = LT_OK;
    while (made < n && (e = make_file(s, g[made], t, now_ms + (lt_mono_ms() - begun), &f[made], err)) == LT_OK)
        made++;
    enum lt_err r =
        made ? register_group(s, g, f, made, now_ms + (lt_mono_ms() - begun), e == LT_OK ? err : &other) : LT_OK;
    *ret_n += r == LT_OK ? (unsigned)made : 0;
    return e == LT_OK ? r : e;
}

/* Where to begin when there is no cursor yet: alarms of the last day. */
static enum lt_err first_cursor(struct sql_db *db, int64_t now_ms, int64_t *ret, struct lt_error *err)
{
    int64_t since = now_ms - RECENT_MS;
    *ret = 0;
    enum lt_err e = sql_get_i64(db, "SELECT coalesce(max(id), 0) FROM alarm WHERE first_at_ms < ?1", &since, ret, err);
    return e == LT_OK ? set_cursor(db, *ret, err) : e;
}

static enum lt_err due(const struct proof_sources *s, int64_t now_ms, int64_t ret[PROOF_BATCH], size_t *ret_n,
                       int64_t *ret_passed, struct lt_error *err)
{
    int64_t cursor = 0;
    struct sql_stmt *st = NULL;
    bool row = false;
    *ret_n = 0;
    *ret_passed = 0;
    enum lt_err e = sql_get_i64(s->db, "SELECT alarm FROM proof_cursor WHERE id = 1", NULL, &cursor, err);
    if (e == LT_E_NOT_FOUND)
        e = first_cursor(s->db, now_ms, &cursor, err);
    if (e == LT_OK)
        e = sql_prepare(
            s->db,
            "SELECT a.id, a.object_kind = 'post' OR EXISTS(SELECT 1 FROM evidence v WHERE v.alarm = a.id AND"
            " v.parent IS NULL) FROM alarm a WHERE a.id > ?1 AND a.deleted = 0 ORDER BY a.id LIMIT ?2",
            &st, err);
    if (e != LT_OK)
        return e;
    sql_bind_i64(st, 1, cursor);
    sql_bind_i64(st, 2, PROOF_BATCH);
    while ((e = sql_step(st, &row, err)) == LT_OK && row) {
        if (sql_col_i64(st, 1) == 0)
            ret[(*ret_n)++] = sql_col_i64(st, 0);
        else if (*ret_n == 0)
            *ret_passed = sql_col_i64(st, 0); /* nothing to seal for these */
    }
    sql_release(&st);
    return e;
}

enum lt_err proof_seal_alarms(const struct proof_sources *s, int64_t now_ms, unsigned *ret_n, struct lt_error *err)
{
    int64_t id[PROOF_BATCH], passed = 0, begun = lt_mono_ms();
    struct gathered *g[PROOF_BATCH] = {0};
    struct ties t = {0};
    size_t n = 0, have = 0;
    *ret_n = 0;
    enum lt_err e = due(s, now_ms, id, &n, &passed, err);
    if (e == LT_OK && passed)
        e = set_cursor(s->db, passed, err);
    for (; e == LT_OK && have < n; have++) {
        g[have] = calloc(1, sizeof *g[have]);
        e = g[have] ? gather_alarm(s, id[have], now_ms, g[have], err)
                    : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    if (e == LT_OK && n) {
        struct proof_sources how = *s;
        how.late = g[n - 1]->created_at_ms < now_ms - LT_MIN_MS;
        e = gather_frames(&how, g, n, err);
    }
    if (e == LT_OK && n)
        e = tie(s->dir, &t, err);
    for (size_t i = 0; e == LT_OK && i < n; i += GROUP)
        e = seal_group(s, g + i, n - i < GROUP ? n - i : GROUP, &t, now_ms + (lt_mono_ms() - begun), ret_n, err);
    for (size_t i = 0; i < have; i++) {
        if (g[i])
            gather_fini(g[i]);
        free(g[i]);
    }
    lt_buf_fini(&t.text);
    return e;
}

/* ---- follow-ups ---- */

static const struct {
    const char *type;
    size_t limit;
} kinds[] = {{"photo", 16u << 20},
             {"video", 64u << 20},
             {"inspection", 16u << 20},
             {"handover", 16u << 20},
             {"document", 16u << 20}};

struct parent {
    int64_t alarm;
    char name[65], sha256[65], sm3[65];
    int64_t n; /* packages of the alarm so far */
};

static enum lt_err load_parent(struct sql_db *db, int64_t id, struct parent *ret, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    *ret = (struct parent){0};
    enum lt_err e = sql_row(db,
                            "SELECT alarm, name, sha256, sm3, (SELECT count(*) FROM evidence v WHERE v.alarm ="
                            " e.alarm) FROM evidence e WHERE e.id = ?1 AND e.deleted = 0",
                            SQL_VALUES(SQL_I(id)), &st, &row, err);
    if (e == LT_OK && row) {
        ret->alarm = sql_col_i64(st, 0);
        lt_text_copy_slice(ret->name, sizeof ret->name, sql_col_text(st, 1));
        lt_text_copy_slice(ret->sha256, sizeof ret->sha256, sql_col_text(st, 2));
        lt_text_copy_slice(ret->sm3, sizeof ret->sm3, sql_col_text(st, 3));
        ret->n = sql_col_i64(st, 4);
    } else if (e == LT_OK) {
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "evidence", "", NULL);
    }
    sql_release(&st);
    return e;
}

/* Any name people give becomes one that a package may hold; the given one stands in note.json. */
static void entry_name(struct lt_slice given, char ret[CHAIN_ZIP_NAME + 1])
{
    size_t n = (size_t)snprintf(ret, CHAIN_ZIP_NAME + 1, "attachment/");
    size_t from = given.n > 60 ? given.n - 60 : 0;
    for (size_t i = from; i < given.n; i++) {
        char c = given.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || (c == '.' && i > from);
        ret[n++] = fine ? c : '_';
    }
    if (given.n == 0)
        n += (size_t)snprintf(ret + n, 5, "file");
    ret[n] = '\0';
}

static void put_note(const struct record_ctx *x, const struct proof_follow_up *f, struct proof_pack *p)
{
    struct jsonw w;
    struct lt_buf *out = proof_pack_entry(p, "note.json");
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "type", f->type);
    jsonw_kslice(&w, "file", f->file_name);
    jsonw_kslice(&w, "note", f->note);
    jsonw_kstr(&w, "author", x->who->name);
    jsonw_ki64(&w, "author_id", x->who->user_id);
    jsonw_ktime(&w, "at", x->now_ms, x->tz_min);
    jsonw_object_end(&w);
    lt_buf_addc(out, '\n');
}

static enum lt_err build_follow_up(const struct proof_sources *s, const struct record_ctx *x,
                                   const struct proof_follow_up *f, const struct parent *parent, struct gathered *g,
                                   struct sealed *ret, struct lt_buf *out, struct lt_error *err)
{
    struct proof_pack *p = proof_pack_create();
    struct ties t = {0};
    struct chain_pair hash;
    char name[CHAIN_ZIP_NAME + 1];
    enum lt_err e = p ? tie(s->dir, &t, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        struct proof_head h = head_of(s, g, &t, ret->name, f->type, x->now_ms);
        h.previous.name = parent->name;
        h.previous.sha256 = parent->sha256;
        h.previous.sm3 = parent->sm3;
        entry_name(f->file_name, name);
        lt_buf_add(proof_pack_entry(p, name), f->data.p, f->data.n);
        put_note(x, f, p);
        custody_rows(s->db, f->parent, s->tz_min, false, NULL, proof_pack_entry(p, "custody.jsonl"));
        put_statement(&t, p);
        struct lt_error why;
        leave_out(&h, "cover", "could not be drawn", gather_put_cover(s, g, &h, p, &why) != LT_OK);
        e = proof_pack_seal(p, &h, s->keys, out, &hash, err);
    }
    if (e == LT_OK)
        hashes_of(ret, &hash, out->n);
    lt_buf_fini(&t.text);
    proof_pack_destroy(&p);
    return e;
}

static enum lt_err append(const struct proof_sources *s, const struct record_ctx *x, const struct proof_follow_up *f,
                          int64_t *ret_id, struct lt_error *err)
{
    struct parent parent;
    struct gathered g = {0};
    struct sealed sealed = {.type = f->type, .sealed_at_ms = x->now_ms, .parent = f->parent, .note = f->note};
    struct lt_buf out = LT_BUF_INIT(PACK_MAX);
    char month[32], path[PROOF_PATH];
    size_t limit = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        limit = strcmp(kinds[i].type, f->type) == 0 ? kinds[i].limit : limit;
    if (!limit)
        return lt_fail(err, LT_E_FIELD_CHOICE, "type", "type", f->type, "photo, video, inspection, handover, document");
    if (f->data.n == 0)
        return lt_fail(err, LT_E_FIELD_REQUIRED, "file", "file", NULL, NULL);
    if (f->data.n > limit)
        return lt_fail(err, LT_E_TOO_LARGE, "file", "file", limit > (16u << 20) ? "64 MiB" : "16 MiB", NULL);
    enum lt_err e = load_parent(s->db, f->parent, &parent, err);
    if (e == LT_OK && parent.n > PROOF_FOLLOW_UPS_MAX)
        e = lt_fail(err, LT_E_LIMIT_SIZE, "file", "file", "200", NULL);
    if (e == LT_OK)
        e = gather_alarm(s, parent.alarm, x->now_ms, &g, err);
    if (e == LT_OK)
        e = make_dirs(s->dir, g.first_at_ms, s->tz_min, month, err);
    if (e == LT_OK) {
        snprintf(sealed.name, sizeof sealed.name, "%08d-A%06lld-%lld", lt_day_number(g.first_at_ms, s->tz_min),
                 (long long)g.id, (long long)parent.n);
        snprintf(sealed.path, sizeof sealed.path, "%s/%s.zip", month, sealed.name);
        snprintf(path, sizeof path, "%.700s/evidence/%s", s->dir, sealed.path);
        e = build_follow_up(s, x, f, &parent, &g, &sealed, &out, err);
    }
    if (e == LT_OK)
        e = proof_write(path, 0440, lt_buf_slice(&out), err);
    if (e == LT_OK && (e = sql_begin(s->db, err)) == LT_OK) {
        e = register_file(x, &g, &sealed, ret_id, err);
        e = sql_end(s->db, e, err);
    }
    if (e == LT_OK)
        tell(s, &g, *ret_id, sealed.name);
    gather_fini(&g);
    lt_buf_fini(&out);
    return e;
}

/* One at a time: the number in a package's name is counted before its file is written and registered after, and two at
 * once would write the same file. */
enum lt_err proof_append(const struct proof_sources *s, const struct record_ctx *x, const struct proof_follow_up *f,
                         int64_t *ret_id, struct lt_error *err)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one);
    enum lt_err e = append(s, x, f, ret_id, err);
    pthread_mutex_unlock(&one);
    return e;
}
