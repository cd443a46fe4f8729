/* Sums of a finished day file, for the bytes in it that carry no record. The file is read through SQLite's own handle:
 * closing a plain descriptor of a database drops the locks SQLite holds on it in the same process (POSIX). */
#include "base/varint.h"
#include "proof/proof_priv.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BLOCK 4096
#define ENTRY (CHAIN_HASH + 4)
#define HEAD  16

struct raw {
    sqlite3 *db;
    sqlite3_file *f;
    sqlite3_int64 size;
};

static void raw_close(struct raw *r)
{
    sqlite3_close(r->db);
    *r = (struct raw){0};
}

static enum lt_err raw_open(const char *dir, int day, struct raw *ret, struct lt_error *err)
{
    char path[PROOF_PATH];
    struct stat st;
    snprintf(path, sizeof path, "%.900s/journal/%08d.db", dir, day);
    *ret = (struct raw){0};
    if (stat(path, &st) != 0)
        return lt_fail(err, LT_E_NOT_FOUND, NULL, path, "", NULL);
    /* Opening reads nothing, so a damaged file opens as well. */
    if (sqlite3_open_v2(path, &ret->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_file_control(ret->db, "main", SQLITE_FCNTL_FILE_POINTER, &ret->f) != SQLITE_OK || !ret->f ||
        !ret->f->pMethods || ret->f->pMethods->xFileSize(ret->f, &ret->size) != SQLITE_OK) {
        raw_close(ret);
        return lt_fail(err, LT_E_IO, NULL, path, "open", NULL);
    }
    return LT_OK;
}

static void sum_path(const char *dir, int day, char ret[PROOF_PATH])
{
    snprintf(ret, PROOF_PATH, "%.900s/proof/files/%08d.sum", dir, day);
}

static bool sum_block(struct chain_hasher *h, struct raw *r, sqlite3_int64 at, char block[BLOCK], size_t *ret_n,
                      char entry[ENTRY])
{
    size_t n = r->size - at < BLOCK ? (size_t)(r->size - at) : BLOCK;
    uint8_t hash[CHAIN_HASH];
    const struct lt_slice s = {block, n};
    if (r->f->pMethods->xRead(r->f, block, (int)n, at) != SQLITE_OK || !chain_digest(h, CHAIN_SHA256, &s, 1, hash))
        return false;
    memcpy(entry, hash, CHAIN_HASH);
    lt_le_put(entry + CHAIN_HASH, chain_crc32(s), 4);
    *ret_n = n;
    return true;
}

enum lt_err proof_sum_write(const char *dir, int day, struct lt_error *err)
{
    struct raw r;
    char path[PROOF_PATH], block[BLOCK], entry[ENTRY], head[HEAD] = "LTSUM1\0";
    struct lt_buf out = LT_BUF_INIT(1u << 30);
    enum lt_err e = raw_open(dir, day, &r, err);
    if (e != LT_OK)
        return e;
    struct chain_hasher *h = chain_hasher_create();
    lt_le_put(head + 8, (uint64_t)r.size, 8);
    lt_buf_add(&out, head, HEAD);
    size_t n = 0;
    bool ok = h;
    for (sqlite3_int64 at = 0; ok && at < r.size; at += BLOCK) {
        ok = sum_block(h, &r, at, block, &n, entry);
        lt_buf_add(&out, entry, ENTRY);
    }
    chain_hasher_destroy(&h);
    raw_close(&r);
    snprintf(path, sizeof path, "%.900s/proof", dir);
    e = ok && !out.failed ? proof_mkdir(path, 0755, err) : lt_fail(err, LT_E_IO, NULL, "journal", "reading", NULL);
    snprintf(path, sizeof path, "%.900s/proof/files", dir);
    if (e == LT_OK)
        e = proof_mkdir(path, 0755, err);
    sum_path(dir, day, path);
    if (e == LT_OK)
        e = proof_write(path, 0644, lt_buf_slice(&out), err);
    lt_buf_fini(&out);
    return e;
}

struct place {
    struct chain_hasher *h;
    char *block;
    size_t n;
    const char *entry;
    struct proof_sum_bad *ret;
};

static bool try_place(void *user, size_t at, uint8_t was)
{
    struct place *p = user;
    uint8_t hash[CHAIN_HASH];
    char is = p->block[at];
    const struct lt_slice s = {p->block, p->n};
    p->block[at] = (char)was;
    bool fits = chain_digest(p->h, CHAIN_SHA256, &s, 1, hash) && memcmp(hash, p->entry, CHAIN_HASH) == 0;
    p->block[at] = is;
    if (fits) {
        p->ret->at += at;
        p->ret->exact = true;
        p->ret->is = (uint8_t)is;
        p->ret->was = was;
    }
    return fits;
}

static enum lt_err bad_block(struct chain_hasher *h, char *block, size_t n, const char *entry,
                             struct proof_sum_bad *ret, struct lt_error *err)
{
    struct place p = {h, block, n, entry, ret};
    chain_crc_places((struct lt_slice){block, n}, (uint32_t)lt_le_get(entry + CHAIN_HASH, 4), try_place, &p);
    return lt_failf(err, LT_E_CORRUPT, NULL, "byte %llu", (unsigned long long)ret->at);
}

enum lt_err proof_sum_check(const char *dir, int day, struct proof_sum_bad *ret, struct lt_error *err)
{
    struct raw r;
    char path[PROOF_PATH], block[BLOCK], entry[ENTRY];
    struct lt_buf sums = LT_BUF_INIT(1u << 30);
    *ret = (struct proof_sum_bad){0};
    sum_path(dir, day, path);
    enum lt_err e = proof_read(path, &sums, err);
    if (e == LT_OK && (sums.n < HEAD || (sums.n - HEAD) % ENTRY != 0 || memcmp(sums.p, "LTSUM1\0", 8) != 0))
        e = lt_fail(err, LT_E_BAD_INPUT, NULL, path, "not a list of sums", NULL);
    if (e == LT_OK)
        e = raw_open(dir, day, &r, err);
    if (e != LT_OK) {
        lt_buf_fini(&sums);
        return e;
    }
    struct chain_hasher *h = chain_hasher_create();
    if (!h)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    uint64_t size = lt_le_get(sums.p + 8, 8), blocks = (sums.n - HEAD) / ENTRY;
    size_t n = 0;
    for (uint64_t i = 0; e == LT_OK && i < blocks && (sqlite3_int64)(i * BLOCK) < r.size; i++) {
        const char *want = sums.p + HEAD + i * ENTRY;
        ret->at = i * BLOCK;
        if (!sum_block(h, &r, (sqlite3_int64)(i * BLOCK), block, &n, entry))
            e = lt_fail(err, LT_E_IO, NULL, path, "reading", NULL);
        else if (memcmp(entry, want, ENTRY) != 0)
            e = bad_block(h, block, n, want, ret, err);
    }
    if (e == LT_OK && (uint64_t)r.size != size) {
        ret->at = (uint64_t)r.size < size ? (uint64_t)r.size : size;
        e = lt_failf(err, LT_E_CORRUPT, NULL, "length %llu", (unsigned long long)r.size);
    }
    chain_hasher_destroy(&h);
    raw_close(&r);
    lt_buf_fini(&sums);
    return e;
}

enum lt_err proof_complete(const char *dir, struct lt_error *err)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    enum lt_err e = proof_days(dir, &days, &n, err);
    for (size_t i = 0; e == LT_OK && i < n; i++) {
        char sum[PROOF_PATH], db[PROOF_PATH];
        struct stat st;
        sum_path(dir, days[i].d.day, sum);
        snprintf(db, sizeof db, "%.900s/journal/%08d.db", dir, days[i].d.day);
        if (days[i].bad_line == 0 && days[i].d.final && stat(sum, &st) != 0 && stat(db, &st) == 0)
            e = proof_sum_write(dir, days[i].d.day, err);
    }
    free(days);
    return e == LT_OK && n ? proof_lines_file(dir, err) : e;
}
