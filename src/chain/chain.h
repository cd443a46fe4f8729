/* chain: what makes history tamper-evident, as functions of their arguments: SHA-256 and SM3 side by side, the Merkle
 * tree of RFC 6962 with its proofs, Ed25519 and SM2 signatures, the bytes of records, day statements and packages.
 * Formats: docs/FORMATS-proof.md.
 *
 * Threads: no shared state; a struct chain_hasher belongs to one thread at a time. No clock, no files. Randomness is
 * drawn by OpenSSL only where a key or an SM2 signature is made. */
#ifndef LT_CHAIN_H
#define LT_CHAIN_H
#include "base/buf.h"
#include "base/slice.h"

/* ---- hashing ---- */
enum chain_algo { CHAIN_SHA256, CHAIN_SM3, CHAIN_ALGOS };
#define CHAIN_HASH 32
struct chain_pair { /* the same thing hashed both ways */
    uint8_t h[CHAIN_ALGOS][CHAIN_HASH];
};
struct chain_hasher;
struct chain_hasher *chain_hasher_create(void); /* NULL: no memory, or OpenSSL lacks SM3 */
void chain_hasher_destroy(struct chain_hasher **h);
/* Hash of the parts behind each other. False only when OpenSSL fails (memory). */
bool chain_digest(struct chain_hasher *h, enum chain_algo a, const struct lt_slice *parts, size_t n,
                  uint8_t ret[CHAIN_HASH]);
bool chain_digest_both(struct chain_hasher *h, struct lt_slice bytes, struct chain_pair *ret);
/* Hash in steps; one at a time per hasher and algorithm. */
bool chain_begin(struct chain_hasher *h, enum chain_algo a);
bool chain_feed(struct chain_hasher *h, enum chain_algo a, const void *p, size_t n);
bool chain_end(struct chain_hasher *h, enum chain_algo a, uint8_t ret[CHAIN_HASH]);

/* ---- tree (RFC 6962, 2.1) ---- */
#define CHAIN_KEEP_LEVEL 10                       /* lowest level kept: a proof hashes at most 1,024 records again */
#define CHAIN_KEEP       (1u << CHAIN_KEEP_LEVEL) /* leaves under one kept node */
#define CHAIN_PATH_MAX   64                       /* siblings of a proof: one per level, counts are 64 bits */
bool chain_leaf(struct chain_hasher *h, enum chain_algo a, struct lt_slice bytes, uint8_t ret[CHAIN_HASH]);
/* Both at once; mem[0] is free for the prefix: mem holds 1 + n bytes, the record from mem + 1 on. */
bool chain_leaf_both(struct chain_hasher *h, uint8_t *mem, size_t n, struct chain_pair *ret);
bool chain_node(struct chain_hasher *h, enum chain_algo a, const uint8_t left[CHAIN_HASH],
                const uint8_t right[CHAIN_HASH], uint8_t ret[CHAIN_HASH]);
/* Root of n nodes of one level, joined in place (the array is spoilt). n 0: hash of nothing. */
bool chain_reduce(struct chain_hasher *h, struct chain_pair *nodes, size_t n, struct chain_pair *ret);

/* A tree being filled: the leaves of the open block and all nodes from CHAIN_KEEP_LEVEL up. */
struct chain_tree {
    struct chain_hasher *h;
    uint64_t count;          /* leaves */
    struct chain_pair *open; /* leaves not yet joined */
    struct chain_pair *node; /* after _finish: levels from CHAIN_KEEP_LEVEL up, one behind the other */
    size_t n_open, n_node, cap_node;
    bool failed; /* no memory; _finish says so */
};
bool chain_tree_init(struct chain_tree *t, struct chain_hasher *h); /* h is borrowed */
void chain_tree_fini(struct chain_tree *t);
void chain_tree_add(struct chain_tree *t, const struct chain_pair *leaf);
/* A whole block of CHAIN_KEEP leaves already joined elsewhere; only while no leaf is open. */
void chain_tree_add_block(struct chain_tree *t, const struct chain_pair *root, size_t leaves);
/* Joins what is open and makes the upper levels; nothing may be added afterwards. */
bool chain_tree_finish(struct chain_tree *t, struct chain_pair *ret_root);
/* Number of kept nodes of a tree with that many leaves. */
uint64_t chain_tree_nodes(uint64_t count);

/* Siblings of leaf `index`, from below. leaves: those of its block (index / CHAIN_KEEP), n of them; node: kept nodes of
 * the tree of `count` leaves, as made by chain_tree_finish. */
bool chain_path(struct chain_hasher *h, enum chain_algo a, const struct chain_pair *leaves, size_t n,
                const struct chain_pair *node, uint64_t count, uint64_t index, uint8_t ret[][CHAIN_HASH],
                size_t *ret_n);
/* RFC 9162, 2.1.3.2 */
bool chain_path_holds(struct chain_hasher *h, enum chain_algo a, const uint8_t leaf[CHAIN_HASH], uint64_t index,
                      uint64_t count, uint8_t path[][CHAIN_HASH], size_t n, const uint8_t root[CHAIN_HASH]);
/* ---- keys ---- */
enum chain_key_type { CHAIN_ED25519, CHAIN_SM2, CHAIN_KEY_TYPES };
#define CHAIN_SM2_ID     "1234567812345678" /* GM/T 0009: user id when none is agreed */
#define CHAIN_PUBLIC_MAX 65                 /* Ed25519: 32; SM2: 04 || x || y */
#define CHAIN_SIG_MAX    80                 /* Ed25519: 64; SM2: DER of two numbers of 256 bits, at most 72 */
extern const char *const chain_key_name[CHAIN_KEY_TYPES]; /* "ed25519", "sm2" */
extern const size_t chain_public_len[CHAIN_KEY_TYPES];
struct chain_key;
struct chain_key *chain_key_generate(enum chain_key_type t);
struct chain_key *chain_key_of_secret(enum chain_key_type t, const uint8_t secret[32]); /* seed, or SM2's d */
struct chain_key *chain_key_of_public(enum chain_key_type t, const uint8_t *p, size_t n);
struct chain_key *chain_key_of_pem(enum chain_key_type t, struct lt_slice pem); /* PKCS #8 */
bool chain_key_pem(const struct chain_key *k, struct lt_buf *out);
void chain_key_destroy(struct chain_key **k);
size_t chain_key_public(const struct chain_key *k, uint8_t ret[CHAIN_PUBLIC_MAX]); /* length, 0: failed */
bool chain_sign(const struct chain_key *k, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX], size_t *ret_n);
/* True when the signature holds and is in its one canonical form. */
bool chain_sig_holds(const struct chain_key *k, struct lt_slice msg, const uint8_t *sig, size_t n);
/* First 16 bytes of SHA-256(ed25519 || sm2) in hex. */
bool chain_key_id(struct chain_hasher *h, const uint8_t ed25519[32], const uint8_t sm2[65], char ret[33]);

/* ---- bytes of records ---- */
struct chain_record { /* of stream journal */
    uint64_t seq, ref;
    int64_t at_ms;
    uint32_t conn;
    uint16_t flags;
    uint8_t kind, reason;
    struct lt_slice mn, bytes;
};
#define CHAIN_RECORD_HEAD 42
#define CHAIN_RECORD_MAX  (CHAIN_RECORD_HEAD + 255 + 65536)
/* Writes the canonical bytes to mem (CHAIN_RECORD_MAX bytes) and returns their number; 0: a part is too long. */
size_t chain_record_write(const struct chain_record *r, uint8_t *mem);
bool chain_record_read(struct lt_slice bytes, struct chain_record *ret); /* false: not exactly one record */
/* Rows of other streams: "LT", letter, "1", then the columns. */
void chain_row_begin(struct lt_buf *out, char letter);
void chain_row_i64(struct lt_buf *out, int64_t v);
void chain_row_bytes(struct lt_buf *out, struct lt_slice s);

/* ---- day statement ---- */
enum chain_stream { CHAIN_JOURNAL, CHAIN_AUDIT, CHAIN_VERDICT, CHAIN_REMOVAL, CHAIN_STREAMS };
extern const char *const chain_stream_name[CHAIN_STREAMS];
extern const char chain_stream_letter[CHAIN_STREAMS]; /* of its records: "LT", letter, "1" */
struct chain_range {
    uint64_t first, last, count;
    struct chain_pair root;
    uint8_t chain[CHAIN_HASH];
};
struct chain_day {
    char key[33];
    uint8_t ed25519[32], sm2[65];
    uint64_t n;
    int day;
    unsigned part;
    bool final;
    int tz_min;
    int64_t sealed_at_ms;
    uint8_t previous[CHAIN_HASH];
    struct chain_range stream[CHAIN_STREAMS];
    uint8_t sig[CHAIN_KEY_TYPES][CHAIN_SIG_MAX];
    size_t sig_n[CHAIN_KEY_TYPES];
    size_t n_signed; /* bytes that are signed, from the start of the text */
};
#define CHAIN_DAY_MAX 4096 /* bytes of a statement; it has about 1,900 */
void chain_day_write_signed(const struct chain_day *d, struct lt_buf *out);
void chain_day_write_sigs(const struct chain_day *d, struct lt_buf *out);
/* Strict: what is accepted is exactly what the writers make, and its numbers agree. False: *ret_line (from 1) does not
 * fit. */
bool chain_day_parse(struct lt_slice text, struct chain_day *ret, unsigned *ret_line);
/* Signatures with the keys of the statement itself, and its key id. */
bool chain_day_sig_holds(struct chain_hasher *h, const struct chain_day *d, struct lt_slice text,
                         bool ret_holds[CHAIN_KEY_TYPES]);
/* "LANTIAN <key> n=…" without line end. */
bool chain_day_line(struct chain_hasher *h, const struct chain_day *d, struct lt_slice text, struct lt_buf *out);

/* ---- package: ZIP in one canonical form ---- */
#define CHAIN_ZIP_ENTRIES 128          /* a package has some 20; follow-ups one more */
#define CHAIN_ZIP_NAME    100          /* bytes */
#define CHAIN_ZIP_MAX     (256u << 20) /* a package; no ZIP64 */
struct chain_entry {
    struct lt_slice name, data;
    size_t head_at; /* offset of the local header */
};
bool chain_zip_name_ok(struct lt_slice name);
/* False: a limit was passed or no memory. */
bool chain_zip_write(const struct chain_entry *e, size_t n, struct lt_buf *out);
/* Reads by local headers from the front (back false), or by the directory at the end. Slices borrow. Contents are not
 * checked. False: *ret_at is the first place that does not fit. */
bool chain_zip_read(struct lt_slice file, bool back, struct chain_entry ret[CHAIN_ZIP_ENTRIES], size_t *ret_n,
                    size_t *ret_at);
/* First place where the file differs from the canonical one of these entries; *ret_was is the byte that belongs there
 * (-1: nothing does). False: no difference. */
bool chain_zip_differs(struct lt_slice file, const struct chain_entry *e, size_t n, size_t *ret_at, int *ret_was);
uint32_t chain_crc32(struct lt_slice bytes);
/* CRC-32 kept in the local header, and in the directory (0 when they cannot be found). */
void chain_zip_crc(struct lt_slice file, const struct chain_entry *e, size_t n, size_t which, uint32_t ret[2]);
/* Places where one altered byte would explain that `bytes` have crc32 `wrong` and not `right`: calls each(at, was)
 * until it returns true (found). */
bool chain_crc_places(struct lt_slice bytes, uint32_t right, bool (*each)(void *user, size_t at, uint8_t was),
                      void *user);
#endif
