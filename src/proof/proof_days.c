/* Statements on disk: listed by number, read, named; publication lines; tree files. */
#include "base/text.h"
#include "base/varint.h"
#include "proof/proof_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TREE_MAX (512u << 20) /* 64 bytes per 1,024 records and as much again above: 4 billion records */

void proof_name(uint64_t n, int day, unsigned part, char ret[40])
{
    snprintf(ret, 40, "%06llu-%08d-%u", (unsigned long long)n, day, part);
}

/* "000017-20261125-1.day" */
static bool name_of(const char *file, struct proof_day *ret)
{
    struct lt_slice s = lt_slice_of(file);
    if (s.n < 21 || s.n > 39 || strcmp(file + s.n - 4, ".day") != 0)
        return false;
    s.n -= 4;
    const char *dash = memchr(s.p, '-', s.n);
    *ret = (struct proof_day){0};
    if (!dash || dash - s.p < 6 || !lt_text_to_u64((struct lt_slice){s.p, (size_t)(dash - s.p)}, &ret->n))
        return false;
    lt_text_copy_slice(ret->name, sizeof ret->name, s);
    return true;
}

static int by_number(const void *a, const void *b)
{
    const struct proof_day *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? -1 : 1) : strcmp(x->name, y->name);
}

enum lt_err proof_day_text(const char *dir, const struct proof_day *d, struct lt_buf *out, struct lt_error *err)
{
    char path[PROOF_PATH];
    snprintf(path, sizeof path, "%.900s/proof/%s.day", dir, d->name);
    return proof_read(path, out, err);
}

static enum lt_err load(const char *dir, struct proof_day *d, struct lt_error *err)
{
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
    char name[40];
    enum lt_err e = proof_day_text(dir, d, &text, err);
    d->bad_line = 1;
    if (e == LT_OK && chain_day_parse(lt_buf_slice(&text), &d->d, &d->bad_line)) {
        proof_name(d->d.n, d->d.day, d->d.part, name);
        d->bad_line = strcmp(name, d->name) == 0 ? 0 : 5; /* the file is named for another statement */
    }
    lt_buf_fini(&text);
    return e == LT_E_TOO_LARGE ? LT_OK : e;
}

/* Names only; load() reads one. */
static enum lt_err names(const char *dir, struct proof_day **ret, size_t *ret_n, struct lt_error *err)
{
    char path[PROOF_PATH];
    snprintf(path, sizeof path, "%.900s/proof", dir);
    *ret = NULL;
    *ret_n = 0;
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    struct proof_day *list = NULL;
    size_t n = 0, cap = 0;
    enum lt_err e = LT_OK;
    for (struct dirent *entry; e == LT_OK && (entry = readdir(d));) {
        struct proof_day one;
        if (!name_of(entry->d_name, &one))
            continue;
        if (!lt_grow(&list, n, &cap, sizeof *list)) {
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
            break;
        }
        list[n++] = one;
    }
    closedir(d);
    if (n)
        qsort(list, n, sizeof *list, by_number);
    if (e != LT_OK) {
        free(list);
        return e;
    }
    *ret = list;
    *ret_n = n;
    return LT_OK;
}

enum lt_err proof_days(const char *dir, struct proof_day **ret, size_t *ret_n, struct lt_error *err)
{
    struct proof_day *list = NULL;
    size_t n = 0;
    enum lt_err e = names(dir, &list, &n, err);
    for (size_t i = 0; e == LT_OK && i < n; i++)
        e = load(dir, &list[i], err);
    if (e != LT_OK) {
        free(list);
        return e;
    }
    *ret = list;
    *ret_n = n;
    return LT_OK;
}

enum lt_err proof_day_of(const char *dir, enum chain_stream s, uint64_t seq, struct proof_day *ret,
                         struct lt_error *err)
{
    struct proof_day *list = NULL;
    size_t n = 0, lo = 0;
    enum lt_err e = names(dir, &list, &n, err);
    size_t hi = n;
    bool found = false;
    while (e == LT_OK && lo < hi && !found) { /* ten years have 3,650 statements: only some twelve are read */
        size_t mid = lo + (hi - lo) / 2, at = mid;
        e = load(dir, &list[at], err);
        while (e == LT_OK && at > lo && (list[at].bad_line || list[at].d.stream[s].count == 0))
            e = load(dir, &list[--at], err);
        const struct chain_range *r = &list[at].d.stream[s];
        if (e != LT_OK)
            break;
        if (list[at].bad_line || r->count == 0 || seq > r->last) {
            lo = mid + 1;
        } else if (seq < r->first) {
            hi = at;
        } else {
            *ret = list[at];
            found = true;
        }
    }
    free(list);
    return e == LT_OK && !found ? lt_fail(err, LT_E_NOT_FOUND, NULL, chain_stream_name[s], "", NULL) : e;
}

enum lt_err proof_day_last(const char *dir, struct proof_day *ret, struct lt_error *err)
{
    struct proof_day *list = NULL;
    size_t n = 0;
    enum lt_err e = names(dir, &list, &n, err);
    if (e == LT_OK && n == 0)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, "statement", "", NULL);
    if (e == LT_OK)
        e = load(dir, &list[n - 1], err);
    if (e == LT_OK)
        *ret = list[n - 1];
    free(list);
    return e;
}

void proof_last(const struct proof_day *days, size_t n, uint64_t ret[CHAIN_STREAMS])
{
    for (int s = 0; s < CHAIN_STREAMS; s++) {
        ret[s] = 0;
        for (size_t i = n; i-- > 0 && ret[s] == 0;)
            ret[s] = days[i].bad_line ? 0 : days[i].d.stream[s].last;
    }
}

/* ---- publication lines ---- */

bool proof_has_line(struct lt_slice lines, struct lt_slice line, bool begins)
{
    while (lines.n) {
        const char *end = memchr(lines.p, '\n', lines.n);
        size_t n = end ? (size_t)(end - lines.p) : lines.n, m = n && lines.p[n - 1] == '\r' ? n - 1 : n;
        if (lt_slice_eq((struct lt_slice){lines.p, begins && m > line.n ? line.n : m}, line))
            return true;
        n = end ? n + 1 : n;
        lines = (struct lt_slice){lines.p + n, lines.n - n};
    }
    return false;
}

enum lt_err proof_lines(const char *dir, struct lt_buf *out, struct lt_error *err)
{
    struct proof_day *days = NULL;
    size_t n = 0;
    struct chain_hasher *h = chain_hasher_create();
    enum lt_err e = h ? proof_days(dir, &days, &n, err) : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    for (size_t i = 0; e == LT_OK && i < n; i++) {
        struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX);
        if (days[i].bad_line == 0 && (e = proof_day_text(dir, &days[i], &text, err)) == LT_OK &&
            chain_day_line(h, &days[i].d, lt_buf_slice(&text), out))
            lt_buf_addc(out, '\n');
        lt_buf_fini(&text);
    }
    free(days);
    chain_hasher_destroy(&h);
    return e == LT_OK && out->failed ? lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL) : e;
}

enum lt_err proof_lines_file(const char *dir, struct lt_error *err)
{
    char path[PROOF_PATH];
    struct lt_buf want = LT_BUF_INIT(16u << 20), have = LT_BUF_INIT(16u << 20);
    snprintf(path, sizeof path, "%.900s/proof/roots.txt", dir);
    enum lt_err e = proof_lines(dir, &want, err);
    if (e == LT_OK &&
        (proof_read(path, &have, NULL) != LT_OK || !lt_slice_eq(lt_buf_slice(&want), lt_buf_slice(&have))))
        e = proof_write(path, 0644, lt_buf_slice(&want), err);
    lt_buf_fini(&want);
    lt_buf_fini(&have);
    return e;
}

/* ---- tree files ---- */

static bool tree_sections(struct proof_tree_file *t)
{
    const size_t head = 16 + 48u * CHAIN_STREAMS;
    const char *p = t->mem.p;
    if (t->mem.n < head || memcmp(p, "LTTREE1", 8) != 0 || lt_le_get(p + 8, 4) != CHAIN_KEEP_LEVEL ||
        lt_le_get(p + 12, 4) != CHAIN_STREAMS || (t->mem.n - head) % sizeof(struct chain_pair) != 0)
        return false;
    size_t n = (t->mem.n - head) / sizeof(struct chain_pair), used = 0;
    t->all = malloc(n ? n * sizeof *t->all : 1);
    if (!t->all)
        return false;
    memcpy(t->all, p + head, n * sizeof *t->all);
    for (int s = 0; s < CHAIN_STREAMS; s++) {
        const char *q = p + 16 + 48 * s;
        char name[16] = "";
        lt_text_copy(name, sizeof name, chain_stream_name[s]);
        uint64_t count = lt_le_get(q + 24, 8), nodes = lt_le_get(q + 32, 8), at = lt_le_get(q + 40, 8);
        if (strncmp(q, name, 16) != 0 || nodes != chain_tree_nodes(count) || nodes > n - used ||
            at != head + used * sizeof(struct chain_pair))
            return false;
        t->section[s].first = lt_le_get(q + 16, 8);
        t->section[s].count = count;
        t->section[s].nodes = nodes;
        t->section[s].node = t->all + used;
        used += (size_t)nodes;
    }
    return used == n;
}

enum lt_err proof_tree_read(const char *path, struct proof_tree_file *ret, struct lt_error *err)
{
    *ret = (struct proof_tree_file){.mem = LT_BUF_INIT(TREE_MAX)};
    enum lt_err e = proof_read(path, &ret->mem, err);
    if (e == LT_OK && !tree_sections(ret))
        e = lt_fail(err, LT_E_CORRUPT, NULL, path, "not a tree file", NULL);
    if (e != LT_OK)
        proof_tree_fini(ret);
    return e;
}

void proof_tree_fini(struct proof_tree_file *t)
{
    lt_buf_fini(&t->mem);
    free(t->all);
    *t = (struct proof_tree_file){0};
}
