/* proof: keeps history provable. It signs each day of journal, audit, verdicts and removals, seals an evidence package
 * when an alarm fires, answers for a single record, checks everything again, and records what retention removes.
 * Formats: docs/FORMATS-proof.md.
 *
 * Threads: struct proof (one per post) has two threads of its own, one for packages (an alarm must not wait for a
 * day) and one for days, checks and retention. Functions that take a struct sql_db use the caller's own connection;
 * the others may be called from any thread. The clock is read only by the two threads; everything else is told. */
#ifndef LT_PROOF_H
#define LT_PROOF_H
#include "base/buf.h"
#include "base/err.h"
#include "chain/chain.h"
#include "json/json.h"
#include "record/record.h"
#include "sql/sql.h"

/* ---- keys ---- */
/* Where secret keys live: files here, a hardware card elsewhere. Every call may block; all are made under one lock. */
struct proof_provider {
    const char *name;
    /* make: keys are made when there are none (never over existing ones). *ret is passed to the others. */
    enum lt_err (*open)(const char *dir, bool make, void **ret, struct lt_error *err);
    bool (*public_key)(void *own, enum chain_key_type t, uint8_t ret[CHAIN_PUBLIC_MAX]);
    bool (*sign)(void *own, enum chain_key_type t, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX], size_t *ret_n);
    void (*close)(void **own);
};
extern const struct proof_provider proof_key_files; /* DIR/keys/NAME.pem, PKCS #8, mode 0600 */
struct proof_public {
    uint8_t ed25519[32], sm2[65];
    char id[33];
};
struct proof_keys;
/* provider NULL: files. Writes DIR/keys/public.txt when keys are made. LT_E_CORRUPT: a key file is damaged, open to
 * others than its owner, gone though public.txt is there, or another than public.txt names. */
enum lt_err proof_keys_open(const char *dir, const struct proof_provider *provider, bool make, struct proof_keys **ret,
                            struct lt_error *err) LT_MUST_CHECK;
void proof_keys_close(struct proof_keys **k);
const struct proof_public *proof_keys_public(const struct proof_keys *k);
bool proof_keys_sign(struct proof_keys *k, enum chain_key_type t, struct lt_slice msg, uint8_t ret[CHAIN_SIG_MAX],
                     size_t *ret_n);
void proof_public_text(const struct proof_public *p, struct lt_buf *out); /* as in public.txt */
enum lt_err proof_public_read(const char *path, struct proof_public *ret, struct lt_error *err) LT_MUST_CHECK;

/* ---- tables ---- */
/* proof_removal, proof_custody, proof_cursor. After record_setup(). */
enum lt_err proof_setup(struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;

/* ---- sealed days ---- */
struct proof_day {
    struct chain_day d; /* as far as it could be read */
    char name[40];      /* "000017-20261125-1" */
    uint64_t n;         /* from the name */
    unsigned bad_line;  /* 0: the text is in order */
};
/* All of DIR/proof by number; *ret is the caller's (free). A missing directory is no day. */
enum lt_err proof_days(const char *dir, struct proof_day **ret, size_t *ret_n, struct lt_error *err) LT_MUST_CHECK;
/* The statement that covers a record. LT_E_NOT_FOUND: none does yet. */
enum lt_err proof_day_of(const char *dir, enum chain_stream s, uint64_t seq, struct proof_day *ret,
                         struct lt_error *err) LT_MUST_CHECK;
/* The newest statement. LT_E_NOT_FOUND: none yet. */
enum lt_err proof_day_last(const char *dir, struct proof_day *ret, struct lt_error *err) LT_MUST_CHECK;
enum lt_err proof_day_text(const char *dir, const struct proof_day *d, struct lt_buf *out,
                           struct lt_error *err) LT_MUST_CHECK;

/* ---- time stamps of others (RFC 3161), DIR/proof/NAME.tsr ---- */
bool proof_stamped(const char *dir, const struct proof_day *d);
enum lt_err proof_stamp_of(const char *dir, const struct proof_day *d, struct lt_buf *out,
                           struct lt_error *err) LT_MUST_CHECK;
/* Asks the office at url for stamps of statements that have none, newest first, a few at a time. ca: its certificates
 * (PEM file) the answer must be signed by, NULL or "": only what was stamped is checked. Goes on the network. */
enum lt_err proof_stamp_due(const char *dir, const char *url, const char *ca, bool (*go_on)(void *user), void *user,
                            unsigned *ret_n, struct lt_error *err) LT_MUST_CHECK;
/* LT_E_CORRUPT: not a stamp of this hash (or not signed under ca). */
enum lt_err proof_stamp_check(struct lt_slice tsr, const uint8_t sha256[32], const char *ca, int64_t *ret_at_ms,
                              struct lt_error *err) LT_MUST_CHECK;

struct proof_sealer {
    const char *dir;
    int tz_min;
    struct sql_db *db; /* state.db, the caller's own */
    struct proof_keys *keys;
    unsigned threads;    /* that hash, 1.. */
    uint64_t engine_seq; /* records the engine has judged and committed; UINT64_MAX: do not ask */
    bool (*go_on)(void *user, uint64_t records); /* false stops with LT_E_TIMEOUT; may be NULL */
    void *user;
};
/* Seals the oldest day that is over and not yet sealed; part_now: when there is none, the part of the open day that is
 * there. LT_E_NOT_FOUND: nothing to seal. Killed at any moment it leaves either nothing or a whole statement. */
enum lt_err proof_seal(const struct proof_sealer *s, int64_t now_ms, bool part_now, struct chain_day *ret,
                       struct lt_error *err) LT_MUST_CHECK;
/* Writes DIR/proof/roots.txt anew when it does not hold a line for each statement. */
enum lt_err proof_lines_file(const char *dir, struct lt_error *err) LT_MUST_CHECK;
/* Publication lines of all statements. */
enum lt_err proof_lines(const char *dir, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;

/* Writes the inclusion proof (JSON) of one record; db may be NULL for the journal. LT_E_NOT_FOUND: not sealed, or
 * removed. */
enum lt_err proof_inclusion(const char *dir, struct sql_db *db, enum chain_stream stream, uint64_t seq, struct jsonw *w,
                            struct lt_error *err) LT_MUST_CHECK;

/* ---- checking everything ---- */
struct proof_finding {
    const char *code;     /* stable: "signature", "journal_hash", "audit_root" … */
    int day;              /* 0 none */
    uint64_t n;           /* statement, 0 none */
    uint64_t first, last; /* records concerned, 0 none */
    char text[2][256];    /* enum lt_lang */
};
struct proof_check {
    const char *dir;
    int from_day, to_day; /* 0: open */
    unsigned threads;     /* that hash, 1.. */
    bool no_journal, no_state, sums_only;
    struct lt_slice lines;          /* published lines to hold against, "" none */
    const struct proof_public *key; /* known keys, NULL none */
    const char *ts_ca;              /* certificates time stamps must be signed under, NULL or "" none */
    void (*found)(void *user, const struct proof_finding *f);
    bool (*progress)(void *user, int day, uint64_t records); /* false stops with LT_E_TIMEOUT; may be NULL */
    void *user;
};
#define PROOF_FINDINGS_MAX 1000 /* told of one check; more are counted only: somebody must look anyway */
struct proof_checked {
    uint64_t statements, records, batches, rows, days, bytes, files, stamps;
    uint64_t findings;
    uint64_t unsealed; /* records behind the last statement: only the live chain speaks for them */
    uint64_t removed_days;
};
/* LT_OK: the check was done, look at ret->findings. */
enum lt_err proof_check_data(const struct proof_check *c, struct proof_checked *ret,
                             struct lt_error *err) LT_MUST_CHECK;
/* DIR/proof/files/DAY.sum of a finished day file. */
enum lt_err proof_sum_write(const char *dir, int day, struct lt_error *err) LT_MUST_CHECK;
struct proof_sum_bad {
    uint64_t at; /* byte of the file: exact when `exact`, else the block's first */
    bool exact;
    uint8_t is, was;
};
/* After a kill between statement and sum: makes what is missing of finished, sealed days, and roots.txt. */
enum lt_err proof_complete(const char *dir, struct lt_error *err) LT_MUST_CHECK;
/* LT_E_CORRUPT: *ret says where; LT_E_NOT_FOUND: no sum; LT_E_BAD_INPUT: the sum file is none. Opens the day file
 * through SQLite only. */
enum lt_err proof_sum_check(const char *dir, int day, struct proof_sum_bad *ret, struct lt_error *err) LT_MUST_CHECK;

/* ---- removal and holds ---- */
struct proof_removed {
    const char *what, *name, *chain, *reason, *author;
    uint64_t first, count;
};
/* Appends to the chained table; own transaction or the caller's. */
enum lt_err proof_removal_add(struct sql_db *db, const struct proof_removed *r, int64_t now_ms,
                              struct lt_error *err) LT_MUST_CHECK;
/* LT_E_CORRUPT: *ret_bad_seq is the first bad row. */
enum lt_err proof_removal_verify(struct sql_db *db, int64_t *ret_rows, int64_t *ret_bad_seq,
                                 struct lt_error *err) LT_MUST_CHECK;
/* Earliest local day (YYYYMMDD) that a hold in force keeps; INT_MAX when none does. */
enum lt_err proof_held_from(struct sql_db *db, int64_t now_ms, int tz_min, int *ret_day,
                            struct lt_error *err) LT_MUST_CHECK;
/* Is this evidence record under a hold in force? */
enum lt_err proof_held(struct sql_db *db, int64_t evidence, int64_t now_ms, bool *ret,
                       struct lt_error *err) LT_MUST_CHECK;
/* Those holds: an array of {id, reason, until}. */
enum lt_err proof_holds_write(struct sql_db *db, int64_t evidence, int64_t now_ms, int tz_min, struct jsonw *w,
                              struct lt_error *err) LT_MUST_CHECK;
/* Removes whole journal days before before_day (not held, sealed before), each recorded first. */
enum lt_err proof_expire_journal(struct sql_db *db, const char *dir, int tz_min, int before_day, int64_t now_ms,
                                 unsigned *ret_days, struct lt_error *err) LT_MUST_CHECK;
/* Removes whole months of raw values that end before before_ms and before any held day. */
struct series;
enum lt_err proof_expire_series(struct sql_db *db, struct series *series, int tz_min, int64_t before_ms, int64_t now_ms,
                                uint64_t *ret_months, struct lt_error *err) LT_MUST_CHECK;
/* Evidence sealed before before_ms that is not held: file removed, record kept with state "removed". */
enum lt_err proof_expire_evidence(struct sql_db *db, const char *dir, int tz_min, int64_t before_ms, int64_t now_ms,
                                  unsigned *ret_n, struct lt_error *err) LT_MUST_CHECK;

/* ---- evidence packages ---- */
#define PROOF_LEFT_OUT 16
struct proof_head { /* of a manifest; texts are borrowed, NULL and 0: there is none */
    const char *name, *type;
    int64_t sealed_at_ms;
    int tz_min;
    struct {
        int64_t id, rule_version, first_at_ms;
        const char *key, *rule, *factor;
    } alarm;
    struct {
        int64_t device, outlet, enterprise, territory;
        const char *mn, *outlet_name, *enterprise_name, *territory_name;
    } subject;
    int64_t from_ms, to_ms;
    uint64_t journal_seq;
    uint8_t journal_hash[CHAIN_HASH];
    const char *statement; /* hex */
    struct {
        const char *name, *sha256, *sm3;
    } previous;
    size_t n_left_out;
    struct {
        const char *what, *why;
        uint64_t n;
    } left_out[PROOF_LEFT_OUT];
};
struct proof_pack { /* a package being filled */
    struct {
        char name[CHAIN_ZIP_NAME + 1];
        struct lt_buf data;
    } e[CHAIN_ZIP_ENTRIES];
    size_t n;
    bool failed;
};
struct proof_pack *proof_pack_create(void);
void proof_pack_destroy(struct proof_pack **p);
/* The contents of a new entry, to be filled; never NULL (what does not fit makes the sealing fail). */
struct lt_buf *proof_pack_entry(struct proof_pack *p, const char *name);
/* Adds blocks.bin, manifest and signatures and writes the file. *ret: hashes of the whole file. */
enum lt_err proof_pack_seal(struct proof_pack *p, const struct proof_head *h, struct proof_keys *keys,
                            struct lt_buf *out, struct chain_pair *ret, struct lt_error *err) LT_MUST_CHECK;

#define PROOF_CHECKS 12
struct proof_verdict {
    bool ok;
    size_t n;
    struct {
        const char *code;  /* "read", "bytes", "signature_ed25519" … */
        bool ok, done;     /* done false: not possible, or nothing was given to hold against */
        char text[2][200]; /* enum lt_lang */
    } check[PROOF_CHECKS];
    bool placed;                    /* what follows says where the first fault is */
    size_t at;                      /* byte of the file */
    char entry[CHAIN_ZIP_NAME + 1]; /* "" : structure of the file */
    size_t entry_at;
    bool exact;       /* one altered byte explains it */
    int is, was;      /* -1: nothing (end of file), or not known */
    json_t *manifest; /* when it could be read; the caller's (json_decref) */
};
struct proof_verify {
    const struct proof_public *key; /* NULL: the package's own keys only */
    struct lt_slice lines;          /* published lines, "" none */
    bool quick;                     /* stop at the first fault */
};
/* Checks a package offline. LT_OK also when it does not hold: look at ret->ok. Errors are lack of memory only. */
enum lt_err proof_pack_verify(struct lt_slice file, const struct proof_verify *v, struct proof_verdict *ret,
                              struct lt_error *err) LT_MUST_CHECK;
/* Checks an inclusion proof (JSON, section 6); the same kind of answer. */
enum lt_err proof_inclusion_verify(struct lt_slice file, const struct proof_verify *v, struct proof_verdict *ret,
                                   struct lt_error *err) LT_MUST_CHECK;
/* An entry of a package, borrowed. */
bool proof_pack_find(struct lt_slice file, const char *name, struct lt_slice *ret);

/* ---- the running post ---- */
struct air;
struct engine;
struct series;
struct proof;
struct proof_config {
    const char *dir;
    int tz_min;
    struct series *series; /* values; may be NULL */
    struct engine *engine; /* states, ledger, how far it has judged; may be NULL */
    const char *city_zh, *city_en;
    unsigned threads;                      /* that hash when a day is sealed or everything is checked; default 1 */
    const struct proof_provider *provider; /* NULL: files */
    const char *ts_url, *ts_ca;            /* office of time stamps, "" or NULL: none; must outlive the threads */
    /* After a package was sealed: type "evidence", {"id","alarm","name"}. Evidence thread; must not block. */
    void (*on_event)(void *user, const char *type, int64_t territory, int64_t enterprise, struct lt_slice json);
    void *user;
};
/* Needs the tables of record, alarm, engine and proof. Makes the keys at the first start. */
enum lt_err proof_start(const struct proof_config *cfg, struct proof **ret, struct lt_error *err) LT_MUST_CHECK;
void proof_stop(struct proof **p);
struct proof_keys *proof_keys_of(struct proof *p);
const char *proof_dir(const struct proof *p);

#define PROOF_BATCH 32 /* alarms sealed with one pass over the journal */
/* Seals packages for alarms that have none yet, at most PROOF_BATCH; what the evidence thread does. *ret_n: how many.
 * series and engine may be NULL. */
struct proof_sources {
    const char *dir;
    int tz_min;
    struct sql_db *db; /* the caller's */
    struct series *series;
    struct engine *engine;
    struct proof_keys *keys;
    const char *city_zh, *city_en;
    bool late; /* set within: the alarms are old, completeness comes before speed */
    void (*on_event)(void *user, const char *type, int64_t territory, int64_t enterprise, struct lt_slice json);
    void *user;
};
enum lt_err proof_seal_alarms(const struct proof_sources *s, int64_t now_ms, unsigned *ret_n,
                              struct lt_error *err) LT_MUST_CHECK;

/* A follow-up: a new package that names the one it continues. Rights are the caller's business; x->who is the author.
 */
struct proof_follow_up {
    int64_t parent;   /* evidence record */
    const char *type; /* photo, video, inspection, handover, document */
    struct lt_slice file_name, note, data;
};
#define PROOF_FOLLOW_UPS_MAX 200 /* of one alarm: photographs and papers of a long case; they are all listed */
enum lt_err proof_append(const struct proof_sources *s, const struct record_ctx *x, const struct proof_follow_up *f,
                         int64_t *ret_id, struct lt_error *err) LT_MUST_CHECK;
/* Notes in the custody list and the audit trail. detail: JSON object or "". */
enum lt_err proof_custody_add(const struct record_ctx *x, int64_t evidence, const char *action, struct lt_slice detail,
                              struct lt_error *err) LT_MUST_CHECK;
/* An array, the newest PROOF_CUSTODY_MAX. addresses: with the network address of each (not for plants). */
#define PROOF_CUSTODY_MAX 2000
void proof_custody_write(struct sql_db *db, int64_t evidence, int tz_min, bool addresses, struct jsonw *w);
/* The file of an evidence record; LT_E_NOT_FOUND also when it was removed. Opens it into *ret_fd when ret_fd is given,
 * else reads it into out. */
enum lt_err proof_file(struct sql_db *db, const char *dir, int64_t evidence, int *ret_fd, uint64_t *ret_size,
                       struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
/* One entry of that file, appended to out, without reading the others; unchecked. LT_E_NOT_FOUND; LT_E_CORRUPT where no
 * entry begins. */
enum lt_err proof_entry(struct sql_db *db, const char *dir, int64_t evidence, const char *name, struct lt_buf *out,
                        struct lt_error *err) LT_MUST_CHECK;
void proof_verdict_write(const struct proof_verdict *v, enum lt_lang lang, struct jsonw *w); /* members of an object */

/* Seals what is there now (days that are over first). LT_E_BUSY when another seal is not done within PROOF_WAIT_S. */
#define PROOF_WAIT_S 5
enum lt_err proof_seal_now(struct proof *p, struct sql_db *db, int64_t now_ms, struct chain_day *ret,
                           struct lt_error *err) LT_MUST_CHECK;
/* Begins a check in the background; LT_E_BUSY while one runs. */
enum lt_err proof_check_start(struct proof *p, int from_day, int to_day, struct lt_error *err) LT_MUST_CHECK;
void proof_check_write(struct proof *p, enum lt_lang lang, int tz_min, struct jsonw *w); /* an object */
void proof_state_write(struct proof *p, struct sql_db *db, int tz_min, struct jsonw *w); /* an object: of /system */
#endif
