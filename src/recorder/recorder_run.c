/* Sorted runs of the duplicate index. File YYYYMMDD.seen: runs one after the other, each a header of HEADER bytes and
 * count entries of 8 bytes (little endian, ascending). Layout in docs/FORMATS.md. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fix.h"
#include "base/varint.h"
#include "recorder/recorder_run.h"

#define MAGIC        "LTSEEN1"
#define HEADER       1096
#define BLOOM_BITS   10 /* per entry: about 1.3 % false positives with 6 probes in one 512-bit block */
#define BLOOM_HASHES 6
#define COUNT_MAX    (1u << 22)
#define WINDOW       1024 /* entries read at once by a search */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "entries are written as they lie in memory");

void run_path(const char *dir, int day, char ret[1024])
{
    snprintf(ret, 1024, "%.900s/journal/%08d.seen", dir, day);
}

/* ---- header: magic 8, key 16, day 4, count 4, first 8, last 8, sum of entries 8, reserved 8, minutes 1024, sum 8 ----
 */
static uint64_t sum(const void *p, size_t n, const uint8_t key[RUN_KEY])
{
    uint8_t out[8];
    crypto_shorthash(out, p, n, key);
    return lt_le_get(out, 8);
}

static void write_header(uint8_t h[HEADER], const struct run *r, const uint8_t key[RUN_KEY], uint64_t entries_sum)
{
    memset(h, 0, HEADER);
    memcpy(h, MAGIC, 8);
    memcpy(h + 8, key, RUN_KEY);
    lt_le_put(h + 24, (uint64_t)r->day, 4);
    lt_le_put(h + 28, r->count, 4);
    lt_le_put(h + 32, r->first_seq, 8);
    lt_le_put(h + 40, r->last_seq, 8);
    lt_le_put(h + 48, entries_sum, 8);
    memcpy(h + 64, r->minutes, sizeof r->minutes);
    lt_le_put(h + HEADER - 8, sum(h, HEADER - 8, key), 8);
}

static bool read_header(const uint8_t h[HEADER], int day, const uint8_t key[RUN_KEY], struct run *ret)
{
    if (memcmp(h, MAGIC, 8) != 0 || memcmp(h + 8, key, RUN_KEY) != 0 ||
        lt_le_get(h + HEADER - 8, 8) != sum(h, HEADER - 8, key) || (int)lt_le_get(h + 24, 4) != day)
        return false;
    *ret = (struct run){.day = day,
                        .count = (uint32_t)lt_le_get(h + 28, 4),
                        .first_seq = lt_le_get(h + 32, 8),
                        .last_seq = lt_le_get(h + 40, 8)};
    memcpy(ret->minutes, h + 64, sizeof ret->minutes);
    return ret->count <= COUNT_MAX && ret->last_seq >= ret->first_seq;
}

static bool read_all(int fd, void *p, size_t n, uint64_t at)
{
    for (size_t got = 0; got < n;) {
        const ssize_t k = pread(fd, (char *)p + got, n - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        got += (size_t)k;
    }
    return true;
}

static bool write_all(int fd, const void *p, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        const ssize_t k = pwrite(fd, (const char *)p + done, n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        done += (size_t)k;
    }
    return true;
}

bool run_read_key(const char *dir, int day, uint8_t ret[RUN_KEY])
{
    char path[1024];
    uint8_t h[24];
    run_path(dir, day, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && read_all(fd, h, sizeof h, 0) && memcmp(h, MAGIC, 8) == 0;
    if (ok)
        memcpy(ret, h + 8, RUN_KEY);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* The sum over the entries is checked for the last run of a file only: earlier ones were synced before it came. */
static bool entries_good(int fd, const struct run *r, const uint8_t h[HEADER], const uint8_t key[RUN_KEY])
{
    const size_t n = (size_t)r->count * 8;
    uint64_t *p = malloc(n ? n : 1);
    const bool ok = p && read_all(fd, p, n, r->at) && sum(p, n, key) == lt_le_get(h + 48, 8);
    free(p);
    return ok;
}

enum lt_err run_scan(const char *dir, int day, const uint8_t key[RUN_KEY], bool cut,
                     bool (*each)(void *user, const struct run *r), void *user, struct lt_error *err)
{
    char path[1024];
    run_path(dir, day, path);
    const int fd = open(path, (cut ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    struct stat st;
    const uint64_t size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    uint64_t at = 0;
    for (;;) {
        uint8_t h[HEADER];
        struct run r;
        if (at + HEADER > size || !read_all(fd, h, HEADER, at) || !read_header(h, day, key, &r))
            break;
        r.at = at + HEADER;
        const uint64_t end = r.at + (uint64_t)r.count * 8;
        if (end > size || (end == size && cut && !entries_good(fd, &r, h, key)) || !each(user, &r))
            break;
        at = end;
    }
    enum lt_err e = LT_OK;
    if (cut && at < size && ftruncate(fd, (off_t)at) != 0)
        e = lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    close(fd);
    return e;
}

enum lt_err run_append(const char *dir, const uint8_t key[RUN_KEY], struct run *r, const uint64_t *entries,
                       struct lt_error *err)
{
    char path[1024];
    uint8_t h[HEADER];
    struct stat st;
    run_path(dir, r->day, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    }
    const size_t n = (size_t)r->count * 8;
    const uint64_t at = (uint64_t)st.st_size;
    write_header(h, r, key, sum(entries, n, key));
    enum lt_err e = LT_OK;
    if (!write_all(fd, entries, n, at + HEADER) || !write_all(fd, h, HEADER, at) || fsync(fd) != 0) {
        e = lt_fail(err, errno == ENOSPC ? LT_E_DISK_FULL : LT_E_IO, NULL, path, strerror(errno), NULL);
        if (ftruncate(fd, st.st_size) != 0) {
            /* run_scan cuts it at the next start: the header or the sum does not fit */
        }
    }
    close(fd);
    if (!e)
        r->at = at + HEADER;
    return e;
}

/* ---- searching ---- */
/* Hashes are uniform, so the place of one is known to about sqrt(count)/2 entries: one read of WINDOW entries nearly
 * always holds it. The window moves on when it does not. */
size_t run_search(int fd, const struct run *r, uint64_t hash, uint64_t *ret, size_t cap)
{
    uint64_t win[WINDOW];
    size_t found = 0;
    if (r->count == 0)
        return 0;
    const size_t guess = (size_t)(((lt_u128)hash * r->count) >> (64 - RUN_SEQ_BITS));
    size_t lo = guess > WINDOW / 2 ? guess - WINDOW / 2 : 0;
    for (;;) { /* back until the window begins below the hash */
        const size_t n = r->count - lo < WINDOW ? r->count - lo : WINDOW;
        if (!read_all(fd, win, n * 8, r->at + lo * 8))
            return 0;
        if (lo == 0 || RUN_HASH(win[0]) < hash)
            break;
        lo = lo > WINDOW / 2 ? lo - WINDOW / 2 : 0;
    }
    for (;;) {
        const size_t n = r->count - lo < WINDOW ? r->count - lo : WINDOW;
        for (size_t i = 0; i < n; i++) {
            if (RUN_HASH(win[i]) > hash)
                return found;
            if (RUN_HASH(win[i]) == hash && found < cap)
                ret[found++] = win[i];
        }
        lo += n;
        if (lo >= r->count || !read_all(fd, win, (r->count - lo < WINDOW ? r->count - lo : WINDOW) * 8, r->at + lo * 8))
            return found;
    }
}

/* ---- Bloom filter: blocked, one cache line a probe ---- */
static uint64_t mix(uint64_t h)
{
    h *= UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return h ^ (h >> 29);
}

static uint64_t *block_of(const struct run *r, uint64_t hash)
{
    /* Block by the hash itself: its 40 bits are uniform, and the bits within come from the mixed value. */
    return r->bloom + (size_t)((hash * r->bloom_blocks) >> 40) * 8;
}

static void bloom_add(struct run *r, uint64_t hash)
{
    uint64_t *b = block_of(r, hash), m = mix(hash);
    for (int i = 0; i < BLOOM_HASHES; i++, m >>= 9)
        b[(m >> 6) & 7] |= UINT64_C(1) << (m & 63);
}

bool run_bloom_has(const struct run *r, uint64_t hash)
{
    const uint64_t *b = block_of(r, hash);
    uint64_t m = mix(hash);
    for (int i = 0; i < BLOOM_HASHES; i++, m >>= 9)
        if (!(b[(m >> 6) & 7] >> (m & 63) & 1))
            return false;
    return true;
}

size_t run_bloom_bytes(const struct run *r)
{
    return r->bloom ? (size_t)r->bloom_blocks * 64 : 0;
}

bool run_bloom_build(struct run *r, const uint64_t *entries)
{
    r->bloom_blocks = (uint32_t)(((uint64_t)r->count * BLOOM_BITS + 511) / 512 + 1);
    r->bloom = aligned_alloc(64, (size_t)r->bloom_blocks * 64);
    if (!r->bloom)
        return false;
    memset(r->bloom, 0, (size_t)r->bloom_blocks * 64);
    for (uint32_t i = 0; i < r->count; i++)
        bloom_add(r, RUN_HASH(entries[i]));
    return true;
}

bool run_bloom_load(struct run *r, int fd, const uint8_t key[RUN_KEY])
{
    const size_t n = (size_t)r->count * 8;
    uint64_t *p = malloc(n ? n : 1);
    uint8_t h[HEADER];
    const bool ok = p && read_all(fd, h, HEADER, r->at - HEADER) && read_all(fd, p, n, r->at) &&
                    sum(p, n, key) == lt_le_get(h + 48, 8) && run_bloom_build(r, p);
    free(p);
    return ok;
}
