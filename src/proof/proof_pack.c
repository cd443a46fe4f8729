/* Making a package: entries are ordered, hashed and listed, the manifest is signed, the file written in its one form.
 */
#include "base/clock.h"
#include "base/text.h"
#include "proof/proof_priv.h"

#include <stdlib.h>

#define BLOCK        256
#define MANIFEST_MAX (256u << 10)

struct proof_pack *proof_pack_create(void)
{
    return calloc(1, sizeof(struct proof_pack));
}

void proof_pack_destroy(struct proof_pack **p)
{
    if (!p || !*p)
        return;
    for (size_t i = 0; i < CHAIN_ZIP_ENTRIES; i++)
        lt_buf_fini(&(*p)->e[i].data);
    free(*p);
    *p = NULL;
}

struct lt_buf *proof_pack_entry(struct proof_pack *p, const char *name)
{
    size_t i = p->n < CHAIN_ZIP_ENTRIES - 4 ? p->n++ : p->n; /* room for manifest, two signatures, blocks */
    p->failed = p->failed || i >= CHAIN_ZIP_ENTRIES - 4 || !chain_zip_name_ok(lt_slice_of(name));
    lt_text_copy(p->e[i].name, sizeof p->e[i].name, name);
    lt_buf_fini(&p->e[i].data); /* beyond the limit the same place is used again */
    p->e[i].data = LT_BUF_INIT(CHAIN_ZIP_MAX);
    return &p->e[i].data;
}

int proof_by_name(const void *a, const void *b)
{
    const struct chain_entry *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int c = memcmp(x->name.p, y->name.p, n);
    return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

bool proof_blocks(struct chain_hasher *h, struct lt_slice data, struct lt_buf *leaves, uint8_t ret_root[CHAIN_HASH])
{
    size_t n = (data.n + BLOCK - 1) / BLOCK;
    struct chain_pair *leaf = malloc((n ? n : 1) * sizeof *leaf);
    bool ok = leaf;
    for (size_t i = 0; ok && i < n; i++) {
        size_t size = data.n - i * BLOCK < BLOCK ? data.n - i * BLOCK : BLOCK;
        ok = chain_leaf(h, CHAIN_SHA256, (struct lt_slice){data.p + i * BLOCK, size}, leaf[i].h[CHAIN_SHA256]);
        if (ok && leaves)
            lt_buf_add(leaves, leaf[i].h[CHAIN_SHA256], CHAIN_HASH);
    }
    /* joined with SHA-256 alone: the tree of blocks is a finder of places, the contents are hashed both ways anyway */
    while (ok && n > 1) {
        for (size_t i = 0; ok && i + 1 < n; i += 2)
            ok = chain_node(h, CHAIN_SHA256, leaf[i].h[0], leaf[i + 1].h[0], leaf[i / 2].h[0]);
        if (n % 2)
            leaf[n / 2] = leaf[n - 1];
        n = (n + 1) / 2;
    }
    if (ok && data.n == 0)
        ok = chain_digest(h, CHAIN_SHA256, NULL, 0, ret_root);
    else if (ok)
        memcpy(ret_root, leaf[0].h[CHAIN_SHA256], CHAIN_HASH);
    free(leaf);
    return ok;
}

static void id_or_null(struct jsonw *w, const char *key, int64_t id)
{
    if (id)
        jsonw_ki64(w, key, id);
    else
        jsonw_knull(w, key);
}

static void write_alarm(struct jsonw *w, const struct proof_head *h)
{
    jsonw_key(w, "alarm");
    if (!h->alarm.id) {
        jsonw_null(w);
    } else {
        jsonw_object(w);
        jsonw_ki64(w, "id", h->alarm.id);
        jsonw_kstr(w, "key", h->alarm.key);
        jsonw_kstr(w, "rule", h->alarm.rule);
        jsonw_ki64(w, "rule_version", h->alarm.rule_version);
        jsonw_kstr(w, "factor", h->alarm.factor);
        jsonw_ki64(w, "first_at_ms", h->alarm.first_at_ms);
        jsonw_object_end(w);
    }
    jsonw_key(w, "subject");
    jsonw_object(w);
    id_or_null(w, "device", h->subject.device);
    jsonw_kstr(w, "mn", h->subject.mn);
    id_or_null(w, "outlet", h->subject.outlet);
    jsonw_kstr(w, "outlet_name", h->subject.outlet_name);
    id_or_null(w, "enterprise", h->subject.enterprise);
    jsonw_kstr(w, "enterprise_name", h->subject.enterprise_name);
    id_or_null(w, "territory", h->subject.territory);
    jsonw_kstr(w, "territory_name", h->subject.territory_name);
    jsonw_object_end(w);
}

static void write_ties(struct jsonw *w, const struct proof_head *h) /* to what the package is tied */
{
    char hex[2 * CHAIN_HASH + 1];
    jsonw_key(w, "period");
    jsonw_object(w);
    jsonw_ki64(w, "from_ms", h->from_ms);
    jsonw_ki64(w, "to_ms", h->to_ms);
    jsonw_object_end(w);
    jsonw_key(w, "journal");
    jsonw_object(w);
    lt_text_hex(h->journal_hash, CHAIN_HASH, hex);
    jsonw_ku64(w, "seq", h->journal_seq);
    jsonw_kstr(w, "hash", hex);
    jsonw_object_end(w);
    jsonw_kstr(w, "statement", h->statement && h->statement[0] ? h->statement : NULL);
    jsonw_key(w, "previous");
    if (h->previous.name) {
        jsonw_object(w);
        jsonw_kstr(w, "name", h->previous.name);
        jsonw_kstr(w, "sha256", h->previous.sha256);
        jsonw_kstr(w, "sm3", h->previous.sm3);
        jsonw_object_end(w);
    } else {
        jsonw_null(w);
    }
    jsonw_key(w, "left_out");
    jsonw_array(w);
    for (size_t i = 0; i < h->n_left_out; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "what", h->left_out[i].what);
        jsonw_ku64(w, "n", h->left_out[i].n);
        jsonw_kstr(w, "why", h->left_out[i].why);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static bool write_entry(struct jsonw *w, struct chain_hasher *hash, const struct chain_entry *e)
{
    struct chain_pair p;
    uint8_t root[CHAIN_HASH];
    char hex[2 * CHAIN_HASH + 1];
    if (!chain_digest_both(hash, e->data, &p))
        return false;
    jsonw_object(w);
    jsonw_kslice(w, "name", e->name);
    jsonw_ku64(w, "size", e->data.n);
    lt_text_hex(p.h[CHAIN_SHA256], CHAIN_HASH, hex);
    jsonw_kstr(w, "sha256", hex);
    lt_text_hex(p.h[CHAIN_SM3], CHAIN_HASH, hex);
    jsonw_kstr(w, "sm3", hex);
    if (lt_slice_is(e->name, "blocks.bin")) {
        jsonw_knull(w, "blocks");
    } else {
        if (!proof_blocks(hash, e->data, NULL, root))
            return false;
        lt_text_hex(root, CHAIN_HASH, hex);
        jsonw_kstr(w, "blocks", hex);
    }
    jsonw_object_end(w);
    return true;
}

static bool write_manifest(const struct proof_head *h, const struct proof_public *pub, struct chain_hasher *hash,
                           const struct chain_entry *e, size_t n, struct lt_buf *out)
{
    struct jsonw w;
    char hex[2 * CHAIN_PUBLIC_MAX + 1];
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "format", "lantian-evidence");
    jsonw_ki64(&w, "version", 1);
    jsonw_kstr(&w, "name", h->name);
    jsonw_kstr(&w, "key", pub->id);
    jsonw_key(&w, "keys");
    jsonw_object(&w);
    lt_text_hex(pub->ed25519, sizeof pub->ed25519, hex);
    jsonw_kstr(&w, "ed25519", hex);
    lt_text_hex(pub->sm2, sizeof pub->sm2, hex);
    jsonw_kstr(&w, "sm2", hex);
    jsonw_object_end(&w);
    jsonw_kstr(&w, "type", h->type);
    jsonw_ki64(&w, "sealed_at_ms", h->sealed_at_ms);
    jsonw_ktime(&w, "sealed_at", h->sealed_at_ms, h->tz_min);
    write_alarm(&w, h);
    write_ties(&w, h);
    jsonw_key(&w, "entries");
    jsonw_array(&w);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = write_entry(&w, hash, &e[i]);
    if (!ok)
        return false;
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    ok = jsonw_ok(&w);
    lt_buf_addc(out, '\n');
    return ok && !out->failed;
}

static bool sign(struct proof_keys *keys, enum chain_key_type t, struct lt_slice msg, struct lt_buf *out)
{
    uint8_t sig[CHAIN_SIG_MAX];
    char hex[2 * CHAIN_SIG_MAX + 1];
    size_t n = 0;
    if (!proof_keys_sign(keys, t, msg, sig, &n))
        return false;
    lt_text_hex(sig, n, hex);
    lt_buf_adds(out, hex);
    lt_buf_addc(out, '\n');
    return !out->failed;
}

/* e: manifest, two signatures, then the entries of the package; the first three are filled in. */
static enum lt_err finish(struct proof_pack *p, const struct proof_head *h, struct proof_keys *keys,
                          struct chain_hasher *hash, struct chain_entry *e, struct lt_buf head[3], struct lt_buf *out,
                          struct chain_pair *ret, struct lt_error *err)
{
    struct lt_buf *blocks = proof_pack_entry(p, "blocks.bin");
    uint8_t root[CHAIN_HASH];
    bool ok = true;
    for (size_t i = 0; i < p->n; i++) {
        ok = ok && !p->e[i].data.failed;
        e[3 + i] = (struct chain_entry){.name = lt_slice_of(p->e[i].name), .data = lt_buf_slice(&p->e[i].data)};
    }
    qsort(e + 3, p->n, sizeof *e, proof_by_name);
    for (size_t i = 3; ok && i < p->n + 3; i++)
        if (!lt_slice_is(e[i].name, "blocks.bin"))
            ok = proof_blocks(hash, e[i].data, blocks, root);
    for (size_t i = 3; i < p->n + 3; i++) {
        ok = ok && (i == 3 || !lt_slice_eq(e[i].name, e[i - 1].name));
        if (lt_slice_is(e[i].name, "blocks.bin"))
            e[i].data = lt_buf_slice(blocks);
    }
    ok = ok && !blocks->failed && !p->failed &&
         write_manifest(h, proof_keys_public(keys), hash, e + 3, p->n, &head[0]) &&
         sign(keys, CHAIN_ED25519, lt_buf_slice(&head[0]), &head[1]) &&
         sign(keys, CHAIN_SM2, lt_buf_slice(&head[0]), &head[2]);
    e[0] = (struct chain_entry){.name = LT_LIT("manifest.json"), .data = lt_buf_slice(&head[0])};
    e[1] = (struct chain_entry){.name = LT_LIT("signature.ed25519"), .data = lt_buf_slice(&head[1])};
    e[2] = (struct chain_entry){.name = LT_LIT("signature.sm2"), .data = lt_buf_slice(&head[2])};
    ok = ok && chain_zip_write(e, p->n + 3, out) && chain_digest_both(hash, lt_buf_slice(out), ret);
    return ok ? LT_OK : lt_fail(err, LT_E_TOO_LARGE, NULL, h->name, "the limits of a package", NULL);
}

enum lt_err proof_pack_seal(struct proof_pack *p, const struct proof_head *h, struct proof_keys *keys,
                            struct lt_buf *out, struct chain_pair *ret, struct lt_error *err)
{
    struct lt_buf head[3] = {LT_BUF_INIT(MANIFEST_MAX), LT_BUF_INIT(1024), LT_BUF_INIT(1024)};
    struct chain_hasher *hash = chain_hasher_create();
    struct chain_entry *e = calloc(CHAIN_ZIP_ENTRIES, sizeof *e);
    enum lt_err r =
        hash && e ? finish(p, h, keys, hash, e, head, out, ret, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (int i = 0; i < 3; i++)
        lt_buf_fini(&head[i]);
    free(e);
    chain_hasher_destroy(&hash);
    return r;
}
