/* Checking a package: every byte of the file follows from names and contents of its entries, every content from the
 * manifest, the manifest from two signatures. Where something does not fit, the first place is named; for one altered
 * byte the CRC-32 of the ZIP tells where it is and what it was. */
#include "base/text.h"
#include "base/varint.h"
#include "proof/proof_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCK        256
#define MANIFEST_MAX (256u << 10)
#define SIGNED       3 /* manifest and two signatures stand before the listed entries */

struct pack {
    struct lt_slice file;
    struct chain_entry e[CHAIN_ZIP_ENTRIES];
    size_t n;
    json_t *manifest;
    struct chain_hasher *h;
    const struct proof_verify *v;
    struct proof_verdict *r;
    struct proof_public pub;
};

static const struct words {
    const char *code, *zh, *en, *zh_bad, *en_bad;
} words[] = {
    {"read", "文件可读取", "the file can be read", "文件被截断或无法读取", "the file is cut off or cannot be read"},
    {"bytes", "文件逐字节符合规范格式", "every byte of the file is as it must be", "文件有字节被改动",
     "bytes of the file were altered"},
    {"signature_ed25519", "Ed25519 签名有效", "the Ed25519 signature holds", "Ed25519 签名无效",
     "the Ed25519 signature does not hold"},
    {"signature_sm2", "SM2 签名有效", "the SM2 signature holds", "SM2 签名无效", "the SM2 signature does not hold"},
    {"key", "签名公钥与给定公钥一致", "signed with the given key", "签名公钥不是给定的公钥（密钥被更换）",
     "not signed with the given key (the key was replaced)"},
    {"entries", "清单与内容一一对应", "the entries are those of the manifest", "内容与清单不符（增加、缺失或重排）",
     "entries differ from the manifest (added, missing or reordered)"},
    {"hashes", "全部内容的 SHA-256 与 SM3 相符", "SHA-256 and SM3 of every entry fit", "内容被改动",
     "the contents of an entry were altered"},
    {"blocks", "分块树相符", "the block trees fit", "分块树不符", "a block tree does not fit"},
    {"frames", "原始记录与解析记录一致", "raw and decoded records agree", "原始记录与解析记录不一致",
     "raw and decoded records disagree"},
    {"statement", "所附日封存的签名有效", "the day statement inside holds", "所附日封存无效",
     "the day statement inside does not hold"},
    {"published", "与已公布的根一致", "agrees with the published lines", "与已公布的根不符",
     "disagrees with the published lines"},
};

static bool note(struct proof_verdict *r, const char *code, bool ok, bool done)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0] && r->n < PROOF_CHECKS; i++) {
        if (strcmp(words[i].code, code) != 0)
            continue;
        r->check[r->n].code = words[i].code;
        r->check[r->n].ok = ok;
        r->check[r->n].done = done;
        lt_text_copy(r->check[r->n].text[LT_ZH], 200, ok ? words[i].zh : words[i].zh_bad);
        lt_text_copy(r->check[r->n].text[LT_EN], 200, ok ? words[i].en : words[i].en_bad);
        if (!done) {
            lt_text_copy(r->check[r->n].text[LT_ZH], 200,
                         strcmp(code, "key") == 0 ? "未提供公钥，未核对签名者" : "未核对");
            lt_text_copy(r->check[r->n].text[LT_EN], 200,
                         strcmp(code, "key") == 0 ? "no key given: who signed was not checked" : "not checked");
        }
        r->n++;
    }
    r->ok = r->ok && (ok || !done);
    return ok;
}

static void place(struct proof_verdict *r, size_t at, const char *entry, size_t entry_at, int is, int was, bool exact)
{
    if (r->placed)
        return;
    r->placed = true;
    r->at = at;
    r->entry_at = entry_at;
    r->is = is;
    r->was = was;
    r->exact = exact;
    lt_text_copy(r->entry, sizeof r->entry, entry);
}

static void place_in(struct pack *p, size_t i, size_t entry_at, int was, bool exact)
{
    char name[CHAIN_ZIP_NAME + 1];
    const struct chain_entry *e = &p->e[i];
    size_t at = (size_t)(e->data.p - p->file.p) + entry_at;
    lt_text_copy_slice(name, sizeof name, e->name);
    place(p->r, at, name, entry_at, at < p->file.n ? (uint8_t)p->file.p[at] : -1, was, exact);
}

/* ---- manifest ---- */

static json_t *listed(const struct pack *p, size_t i)
{
    return json_array_get(json_object_get(p->manifest, "entries"), i);
}

static struct lt_slice text_of(const json_t *o, const char *key)
{
    return lt_slice_of(json_string_value(json_object_get(o, key)));
}

static bool hash_of(const json_t *o, const char *key, uint8_t ret[CHAIN_HASH])
{
    return lt_text_unhex(text_of(o, key), ret, CHAIN_HASH);
}

static bool manifest_shaped(const json_t *m)
{
    const json_t *statement = json_object_get(m, "statement");
    return (json_is_null(statement) || json_is_string(statement)) &&
           lt_slice_is(text_of(m, "format"), "lantian-evidence") &&
           json_integer_value(json_object_get(m, "version")) == 1 && json_is_array(json_object_get(m, "entries")) &&
           json_is_string(json_object_get(m, "name")) && json_is_string(json_object_get(m, "type")) &&
           json_is_integer(json_object_get(m, "sealed_at_ms")) && json_is_object(json_object_get(m, "subject"));
}

static void load_manifest(struct pack *p)
{
    p->manifest = NULL;
    const struct lt_slice text = p->n < SIGNED ? (struct lt_slice){0} : p->e[0].data;
    if (text.n < 2 || !lt_slice_is(p->e[0].name, "manifest.json") || memcmp(text.p + text.n - 2, "}\n", 2) != 0 ||
        jsonr_object(text, MANIFEST_MAX, &p->manifest, NULL) != LT_OK)
        return;
    if (!manifest_shaped(p->manifest)) {
        json_decref(p->manifest);
        p->manifest = NULL;
    }
}

static const char *const signed_name[SIGNED] = {"manifest.json", "signature.ed25519", "signature.sm2"};

/* Ascending, so none comes twice. */
static bool in_order(const struct pack *p, size_t i)
{
    for (size_t k = 0; k < SIGNED; k++)
        if (lt_slice_is(p->e[i].name, signed_name[k]))
            return false;
    return i == SIGNED || proof_by_name(&p->e[i - 1], &p->e[i]) < 0;
}

/* Names, order and sizes are those of the manifest; *ret_bad: the first entry that is not. */
static bool entries_fit(const struct pack *p, size_t *ret_bad)
{
    size_t n = json_array_size(json_object_get(p->manifest, "entries"));
    *ret_bad = p->n;
    for (size_t i = 0; i < p->n; i++) {
        const json_t *o = i < SIGNED ? NULL : listed(p, i - SIGNED);
        bool fits = i < SIGNED ? lt_slice_is(p->e[i].name, signed_name[i])
                               : o && in_order(p, i) && lt_slice_eq(text_of(o, "name"), p->e[i].name) &&
                                     json_integer_value(json_object_get(o, "size")) == (json_int_t)p->e[i].data.n;
        if (!fits) {
            *ret_bad = i;
            return false;
        }
    }
    return p->n == n + SIGNED;
}

/* ---- reading: by the front, or by the directory ---- */

/* The entry whose contents contradict both of its stored CRCs; p->n: none. */
static size_t altered_entry(const struct pack *p, uint32_t *ret_crc)
{
    for (size_t i = 0; i < p->n; i++) {
        uint32_t stored[2], is = chain_crc32(p->e[i].data);
        chain_zip_crc(p->file, p->e, p->n, i, stored);
        if (stored[0] == stored[1] && stored[0] != is) {
            *ret_crc = stored[0];
            return i;
        }
    }
    return p->n;
}

struct reading {
    bool read, fits;
    size_t altered; /* entry, or n */
    uint32_t crc;
    size_t bad_at; /* where reading ended */
};

static struct reading read_way(struct pack *p, bool back)
{
    struct reading r = {0};
    size_t bad = 0;
    r.read = chain_zip_read(p->file, back, p->e, &p->n, &r.bad_at);
    if (!r.read)
        return r;
    r.altered = altered_entry(p, &r.crc);
    json_decref(p->manifest);
    load_manifest(p);
    r.fits = p->manifest ? entries_fit(p, &bad) : r.altered == 0;
    return r;
}

/* Chooses the reading that makes sense; leaves p with it. */
static struct reading read_file(struct pack *p)
{
    struct reading front = read_way(p, false);
    if (front.fits)
        return front;
    struct reading back = read_way(p, true);
    return back.fits || (!front.read && back.read) ? back : read_way(p, false);
}

/* ---- places ---- */

struct
try {
    struct pack *p;
    size_t entry;
    char *copy;
};

/* A candidate place holds when the entry's SHA-256 fits with the byte put back. Manifest and signatures have none: for
 * them the CRC alone speaks, and the signatures below. */
static bool try_byte(void *user, size_t at, uint8_t was)
{
    struct try *t = user;
    const struct chain_entry *e = &t->p->e[t->entry];
    uint8_t want[CHAIN_HASH], hash[CHAIN_HASH];
    bool ok = true;
    if (t->entry >= SIGNED && t->p->manifest && hash_of(listed(t->p, t->entry - SIGNED), "sha256", want)) {
        const struct lt_slice s = {t->copy, e->data.n};
        char is = t->copy[at];
        t->copy[at] = (char)was;
        ok = chain_digest(t->p->h, CHAIN_SHA256, &s, 1, hash) && memcmp(hash, want, CHAIN_HASH) == 0;
        t->copy[at] = is;
    }
    if (ok)
        place_in(t->p, t->entry, at, was, true);
    return ok;
}

/* First 256 bytes of an entry that do not fit, by blocks.bin (which must fit the root in the manifest). */
static bool bad_block(struct pack *p, size_t i, size_t *ret_at)
{
    size_t before = 0, k = 0, list = p->n;
    for (size_t m = SIGNED; m < p->n; m++) {
        if (lt_slice_is(p->e[m].name, "blocks.bin")) {
            list = m;
            continue;
        }
        const json_int_t size = json_integer_value(json_object_get(listed(p, m - SIGNED), "size"));
        if (size < 0 || size > (json_int_t)CHAIN_ZIP_MAX) /* nobody vouches for the manifest yet */
            return false;
        size_t blocks = ((size_t)size + BLOCK - 1) / BLOCK;
        before += m < i ? blocks : 0;
        k = m == i ? blocks : k;
    }
    if (list == p->n || list == i || p->e[list].data.n < (before + k) * CHAIN_HASH)
        return false;
    for (size_t b = 0; b < k; b++) {
        uint8_t leaf[CHAIN_HASH];
        size_t at = b * BLOCK, n = p->e[i].data.n > at ? p->e[i].data.n - at : 0;
        *ret_at = at;
        if (n == 0 ||
            !chain_leaf(p->h, CHAIN_SHA256, (struct lt_slice){p->e[i].data.p + at, n < BLOCK ? n : BLOCK}, leaf) ||
            memcmp(leaf, p->e[list].data.p + (before + b) * CHAIN_HASH, CHAIN_HASH) != 0)
            return true;
    }
    return false;
}

static void locate(struct pack *p, size_t entry, uint32_t crc)
{
    struct try t = {p, entry, malloc(p->e[entry].data.n + 1)};
    size_t at = 0;
    if (t.copy) {
        if (p->e[entry].data.n)
            memcpy(t.copy, p->e[entry].data.p, p->e[entry].data.n);
        chain_crc_places(p->e[entry].data, crc, try_byte, &t);
    }
    free(t.copy);
    if (!p->r->placed && entry >= SIGNED && p->manifest && bad_block(p, entry, &at))
        place_in(p, entry, at, -1, false);
    if (!p->r->placed)
        place_in(p, entry, 0, -1, false);
}

/* ---- checks ---- */

static bool check_bytes(struct pack *p, const struct reading *r)
{
    size_t at = 0;
    int was = -1;
    if (r->altered < p->n) {
        locate(p, r->altered, r->crc);
        return note(p->r, "bytes", false, true);
    }
    if (!chain_zip_differs(p->file, p->e, p->n, &at, &was))
        return note(p->r, "bytes", true, true);
    place(p->r, at, "", 0, at < p->file.n ? (uint8_t)p->file.p[at] : -1, was, r->fits && p->file.n > at && was >= 0);
    return note(p->r, "bytes", false, true);
}

static bool check_signature(struct pack *p, enum chain_key_type t)
{
    uint8_t sig[CHAIN_SIG_MAX], pub[CHAIN_PUBLIC_MAX];
    const struct lt_slice text = p->e[1 + (size_t)t].data;
    size_t n = text.n ? (text.n - 1) / 2 : 0;
    const json_t *keys = json_object_get(p->manifest, "keys");
    bool ok = p->manifest && n > 0 && n <= CHAIN_SIG_MAX && text.p[text.n - 1] == '\n' &&
              lt_text_unhex((struct lt_slice){text.p, text.n - 1}, sig, n) &&
              lt_text_unhex(text_of(keys, chain_key_name[t]), pub, chain_public_len[t]);
    struct chain_key *k = ok ? chain_key_of_public(t, pub, chain_public_len[t]) : NULL;
    ok = k && chain_sig_holds(k, p->e[0].data, sig, n);
    chain_key_destroy(&k);
    if (ok)
        memcpy(t == CHAIN_ED25519 ? p->pub.ed25519 : p->pub.sm2, pub, chain_public_len[t]);
    if (!ok)
        place_in(p, 1 + (size_t)t, 0, -1, false);
    return note(p->r, t == CHAIN_ED25519 ? "signature_ed25519" : "signature_sm2", ok, true);
}

static bool check_key(struct pack *p)
{
    bool known = p->v->key;
    bool ok = chain_key_id(p->h, p->pub.ed25519, p->pub.sm2, p->pub.id) &&
              lt_slice_is(text_of(p->manifest, "key"), p->pub.id) &&
              (!known || (memcmp(p->v->key->ed25519, p->pub.ed25519, sizeof p->pub.ed25519) == 0 &&
                          memcmp(p->v->key->sm2, p->pub.sm2, sizeof p->pub.sm2) == 0));
    if (!ok)
        place_in(p, 0, 0, -1, false);
    return note(p->r, "key", ok, known || !ok);
}

static bool check_hashes(struct pack *p)
{
    bool ok = true;
    for (size_t i = SIGNED; ok && i < p->n; i++) {
        struct chain_pair want, got;
        size_t at = 0;
        ok = hash_of(listed(p, i - SIGNED), "sha256", want.h[CHAIN_SHA256]) &&
             hash_of(listed(p, i - SIGNED), "sm3", want.h[CHAIN_SM3]) && chain_digest_both(p->h, p->e[i].data, &got) &&
             memcmp(&want, &got, sizeof got) == 0;
        if (!ok)
            place_in(p, i, bad_block(p, i, &at) ? at : 0, -1, false);
    }
    return note(p->r, "hashes", ok, true);
}

static bool check_blocks(struct pack *p)
{
    struct lt_buf leaves = LT_BUF_INIT(CHAIN_ZIP_MAX);
    struct lt_slice list = {0};
    bool ok = true;
    for (size_t i = SIGNED; ok && i < p->n; i++) {
        uint8_t want[CHAIN_HASH], root[CHAIN_HASH];
        if (lt_slice_is(p->e[i].name, "blocks.bin")) {
            list = p->e[i].data;
            ok = json_is_null(json_object_get(listed(p, i - SIGNED), "blocks"));
            continue;
        }
        ok = hash_of(listed(p, i - SIGNED), "blocks", want) && proof_blocks(p->h, p->e[i].data, &leaves, root) &&
             memcmp(want, root, CHAIN_HASH) == 0;
        if (!ok)
            place_in(p, i, 0, -1, false);
    }
    ok = ok && !leaves.failed && list.p && lt_slice_eq(list, lt_buf_slice(&leaves));
    lt_buf_fini(&leaves);
    return note(p->r, "blocks", ok, true);
}

static struct lt_slice entry_of(const struct pack *p, const char *name, size_t *ret_i)
{
    for (size_t i = SIGNED; i < p->n; i++)
        if (lt_slice_is(p->e[i].name, name)) {
            *ret_i = i;
            return p->e[i].data;
        }
    return (struct lt_slice){0};
}

/* Takes the line {"seq":SEQ …} off the beginning of *lines. */
static bool take_line(struct lt_slice *lines, uint64_t seq)
{
    char want[40];
    const size_t n = (size_t)snprintf(want, sizeof want, "{\"seq\":%llu", (unsigned long long)seq);
    const char *end = lines->n ? memchr(lines->p, '\n', lines->n) : NULL;
    if (!end || (size_t)(end - lines->p) <= n || memcmp(lines->p, want, n) != 0 ||
        (lines->p[n] != ',' && lines->p[n] != '}'))
        return false;
    *lines = (struct lt_slice){end + 1, lines->n - (size_t)(end + 1 - lines->p)};
    return true;
}

static bool check_frames(struct pack *p)
{
    size_t at = 0, i = 0, k = 0;
    struct lt_slice f = entry_of(p, "frames.bin", &i), d = entry_of(p, "decoded.jsonl", &k);
    uint64_t last = 0;
    bool ok = f.p && d.p;
    if (!f.p && !d.p)
        return note(p->r, "frames", true, false);
    while (ok && at < f.n) {
        struct chain_record r;
        const size_t len = f.n - at >= 4 ? (size_t)lt_le_get(f.p + at, 4) : f.n;
        ok = f.n - at >= 4 && len <= f.n - at - 4 && chain_record_read((struct lt_slice){f.p + at + 4, len}, &r) &&
             r.seq > last && take_line(&d, r.seq);
        if (ok) {
            last = r.seq;
            at += 4 + len;
        }
    }
    ok = ok && d.n == 0;
    if (!ok)
        place_in(p, f.p ? i : k, f.p ? at : 0, -1, false);
    return note(p->r, "frames", ok, true);
}

static void check_statement(struct pack *p)
{
    size_t i = 0;
    struct lt_slice s = entry_of(p, "statement.day", &i), want = text_of(p->manifest, "statement");
    struct chain_day d;
    unsigned line = 0;
    bool holds[CHAIN_KEY_TYPES], ok = !s.p && !want.p;
    uint8_t hash[CHAIN_HASH];
    char hex[2 * CHAIN_HASH + 1] = "";
    if (s.p && chain_day_parse(s, &d, &line)) {
        const struct lt_slice signed_bytes = {s.p, d.n_signed};
        ok = chain_digest(p->h, CHAIN_SHA256, &signed_bytes, 1, hash) && chain_day_sig_holds(p->h, &d, s, holds) &&
             strcmp(d.key, p->pub.id) == 0;
        lt_text_hex(hash, CHAIN_HASH, hex);
        ok = ok && lt_slice_is(want, hex);
    }
    if (!ok)
        place_in(p, s.p ? i : 0, 0, -1, false);
    note(p->r, "statement", ok, s.p || !ok);
    if (p->v->lines.n) { /* the day the package is tied to; without one, the lines must know the key at least */
        struct lt_buf text = LT_BUF_INIT(1000);
        if (s.p && ok)
            chain_day_line(p->h, &d, s, &text);
        else
            lt_buf_addf(&text, "LANTIAN %s ", p->pub.id);
        bool known = !text.failed && text.n && proof_has_line(p->v->lines, lt_buf_slice(&text), !s.p);
        lt_buf_fini(&text);
        if (!known)
            place_in(p, 0, 0, -1, false);
        note(p->r, "published", known, true);
    } else {
        note(p->r, "published", true, false);
    }
}

static bool check_entries(struct pack *p)
{
    size_t bad = 0;
    bool ok = p->manifest && entries_fit(p, &bad);
    if (!ok)
        place(p->r, bad < p->n ? p->e[bad].head_at : p->file.n, "", 0, -1, -1, false);
    return note(p->r, "entries", ok, true);
}

static void check_all(struct pack *p)
{
    struct reading r = read_file(p);
    bool quick = p->v->quick;
    if (!r.read || p->n < SIGNED) {
        place(p->r, r.bad_at, "", 0, r.bad_at < p->file.n ? (uint8_t)p->file.p[r.bad_at] : -1, -1, false);
        note(p->r, "read", false, true);
        return;
    }
    note(p->r, "read", true, true);
    bool ok = check_bytes(p, &r);
    if (!ok && quick)
        return;
    bool ed = check_signature(p, CHAIN_ED25519), sm2 = check_signature(p, CHAIN_SM2);
    if (!p->manifest || ((!ed || !sm2) && quick))
        return;
    if (ed && sm2)
        check_key(p);
    ok = check_entries(p);
    if (!ok)
        return;
    if (!check_hashes(p) && quick)
        return;
    check_blocks(p);
    check_frames(p);
    if (ed && sm2)
        check_statement(p);
}

enum lt_err proof_pack_verify(struct lt_slice file, const struct proof_verify *v, struct proof_verdict *ret,
                              struct lt_error *err)
{
    *ret = (struct proof_verdict){.ok = true, .is = -1, .was = -1};
    struct pack *p = calloc(1, sizeof *p);
    struct chain_hasher *h = p ? chain_hasher_create() : NULL;
    enum lt_err e = h ? LT_OK : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e == LT_OK) {
        p->file = file;
        p->h = h;
        p->v = v;
        p->r = ret;
        check_all(p);
        ret->manifest = p->manifest;
    }
    chain_hasher_destroy(&h);
    free(p);
    return e;
}

bool proof_pack_find(struct lt_slice file, const char *name, struct lt_slice *ret)
{
    struct chain_entry *e = calloc(CHAIN_ZIP_ENTRIES, sizeof *e);
    size_t n = 0, at = 0;
    bool found = false;
    if (e && chain_zip_read(file, false, e, &n, &at))
        for (size_t i = 0; i < n && !found; i++)
            if (lt_slice_is(e[i].name, name)) {
                *ret = e[i].data;
                found = true;
            }
    free(e);
    return found;
}

/* ---- inclusion proofs ---- */

static bool branch_holds(struct chain_hasher *h, const json_t *v, enum chain_algo a, struct lt_slice record,
                         const struct chain_range *r)
{
    const json_t *o = json_object_get(v, a == CHAIN_SHA256 ? "sha256" : "sm3"), *list = json_object_get(o, "path");
    uint8_t path[CHAIN_PATH_MAX][CHAIN_HASH], leaf[CHAIN_HASH], told[CHAIN_HASH];
    size_t n = json_array_size(list);
    json_int_t index = json_integer_value(json_object_get(v, "index")),
               count = json_integer_value(json_object_get(v, "count"));
    if (n > CHAIN_PATH_MAX || index < 0 || count < 0 || (uint64_t)count != r->count ||
        !chain_leaf(h, a, record, leaf) || !hash_of(o, "leaf", told) || memcmp(told, leaf, CHAIN_HASH) != 0 ||
        !hash_of(o, "root", told) || memcmp(told, r->root.h[a], CHAIN_HASH) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!lt_text_unhex(lt_slice_of(json_string_value(json_array_get(list, i))), path[i], CHAIN_HASH))
            return false;
    return chain_path_holds(h, a, leaf, (uint64_t)index, (uint64_t)count, path, n, r->root.h[a]);
}

/* Is this the record the proof speaks of: of its stream, and with its number as the first column? */
static bool is_record(struct lt_slice bytes, int stream, json_int_t seq)
{
    const char head[4] = {'L', 'T', chain_stream_letter[stream], '1'};
    return bytes.n >= 12 && memcmp(bytes.p, head, sizeof head) == 0 && lt_le_get(bytes.p + 4, 8) == (uint64_t)seq;
}

static void inclusion(struct chain_hasher *h, json_t *v, const struct proof_verify *how, struct proof_verdict *r)
{
    struct lt_slice hex = text_of(v, "record"), statement = text_of(v, "statement");
    struct chain_day d;
    unsigned line = 0;
    bool holds[CHAIN_KEY_TYPES] = {false, false};
    bool parsed = chain_day_parse(statement, &d, &line);
    if (parsed)
        chain_day_sig_holds(h, &d, statement, holds);
    note(r, "signature_ed25519", holds[CHAIN_ED25519], true);
    note(r, "signature_sm2", holds[CHAIN_SM2], true);
    if (!parsed)
        return;
    char id[33];
    bool key =
        chain_key_id(h, d.ed25519, d.sm2, id) && strcmp(id, d.key) == 0 && (!how->key || strcmp(how->key->id, id) == 0);
    note(r, "key", key, how->key || !key);
    uint8_t *record = malloc(hex.n / 2 + 1);
    bool ok = record && lt_text_unhex(hex, record, hex.n / 2), stream = false;
    for (int s = 0; ok && s < CHAIN_STREAMS; s++) {
        if (!lt_slice_is(text_of(v, "stream"), chain_stream_name[s]))
            continue;
        struct chain_record j;
        const struct lt_slice bytes = {(const char *)record, hex.n / 2};
        json_int_t seq = json_integer_value(json_object_get(v, "seq")),
                   index = json_integer_value(json_object_get(v, "index"));
        stream = is_record(bytes, s, seq) && branch_holds(h, v, CHAIN_SHA256, bytes, &d.stream[s]) &&
                 branch_holds(h, v, CHAIN_SM3, bytes, &d.stream[s]);
        if (s == CHAIN_JOURNAL)
            stream = stream && chain_record_read(bytes, &j) && j.seq == (uint64_t)seq &&
                     d.stream[s].first + (uint64_t)index == (uint64_t)seq;
    }
    free(record);
    note(r, "hashes", ok && stream, true);
    if (how->lines.n) {
        struct lt_buf text = LT_BUF_INIT(1000);
        bool known = chain_day_line(h, &d, statement, &text) && proof_has_line(how->lines, lt_buf_slice(&text), false);
        note(r, "published", known, true);
        lt_buf_fini(&text);
    }
}

enum lt_err proof_inclusion_verify(struct lt_slice file, const struct proof_verify *how, struct proof_verdict *ret,
                                   struct lt_error *err)
{
    *ret = (struct proof_verdict){.ok = true, .is = -1, .was = -1};
    struct chain_hasher *h = chain_hasher_create();
    json_t *v = NULL;
    if (!h)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    bool read = jsonr_object(file, JSONR_SIZE_MAX, &v, NULL) == LT_OK &&
                lt_slice_is(text_of(v, "format"), "lantian-inclusion") &&
                json_integer_value(json_object_get(v, "version")) == 1;
    note(ret, "read", read, true);
    if (read)
        inclusion(h, v, how, ret);
    json_decref(v);
    chain_hasher_destroy(&h);
    return LT_OK;
}
