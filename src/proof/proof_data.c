/* Checking everything that is kept: statements against each other, against published lines and keys; the journal and
 * the rows of state.db against the statements; what lies behind the last statement against the live chain alone. */
#include "base/clock.h"
#include "base/text.h"
#include "journal/journal.h"
#include "proof/proof_priv.h"
#include "record/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct checking {
    const struct proof_check *c;
    struct proof_checked *r;
    struct chain_hasher *h;
    struct proof_day *days;
    size_t n_days;
    int *files; /* days of the journal that exist */
    size_t n_files;
    struct sql_db *db;
    const struct proof_day *now; /* statement being compared */
    int day;
    uint64_t base; /* records of earlier walks, for progress */
};

static void found(struct checking *x, const char *code, uint64_t first, uint64_t last, const char *zh, const char *en)
{
    struct proof_finding f = {.code = code, .day = x->day, .n = x->now ? x->now->n : 0, .first = first, .last = last};
    x->r->findings++;
    if (x->r->findings > PROOF_FINDINGS_MAX || !x->c->found)
        return;
    char where[96] = "", wo[96] = "";
    if (first) {
        snprintf(where, sizeof where, " (records %llu to %llu)", (unsigned long long)first, (unsigned long long)last);
        snprintf(wo, sizeof wo, "（记录 %llu 至 %llu）", (unsigned long long)first, (unsigned long long)last);
    }
    char day[24] = "", n[40] = "";
    if (x->day)
        snprintf(day, sizeof day, "%08d ", x->day);
    if (f.n)
        snprintf(n, sizeof n, "#%llu ", (unsigned long long)f.n);
    snprintf(f.text[LT_EN], sizeof f.text[LT_EN], "%s%s%s%s", day, n, en, where);
    snprintf(f.text[LT_ZH], sizeof f.text[LT_ZH], "%s%s%s%s", day, n, zh, wo);
    x->c->found(x->c->user, &f);
}

static bool in_range(const struct checking *x, int day)
{
    return (x->c->from_day == 0 || day >= x->c->from_day) && (x->c->to_day == 0 || day <= x->c->to_day);
}

/* ---- statements ---- */

/* The cheap signature first: most trials end there. */
static bool statement_holds(struct checking *x, struct lt_slice text)
{
    struct chain_day d;
    unsigned line = 0;
    bool holds[CHAIN_KEY_TYPES];
    if (!chain_day_parse(text, &d, &line))
        return false;
    struct chain_key *k = chain_key_of_public(CHAIN_ED25519, d.ed25519, chain_public_len[CHAIN_ED25519]);
    bool ed =
        k && chain_sig_holds(k, (struct lt_slice){text.p, d.n_signed}, d.sig[CHAIN_ED25519], d.sig_n[CHAIN_ED25519]);
    chain_key_destroy(&k);
    return ed && chain_day_sig_holds(x->h, &d, text, holds);
}

/* Where one altered bit is in a statement that does not hold: each is turned back and tried. 0: not a single bit. */
static size_t flipped(struct checking *x, char *p, size_t n)
{
    struct chain_day d;
    unsigned line = 0;
    bool holds[CHAIN_KEY_TYPES] = {0};
    size_t from = 0;
    if (chain_day_parse((struct lt_slice){p, n}, &d, &line)) {
        chain_day_sig_holds(x->h, &d, (struct lt_slice){p, n}, holds);
        if (holds[CHAIN_ED25519] || holds[CHAIN_SM2]) /* then what is signed is whole: it is the other signature */
            from = d.n_signed * 8;
    }
    for (size_t i = from; i < n * 8; i++) {
        p[i / 8] = (char)(p[i / 8] ^ (1 << (i % 8)));
        bool fits = statement_holds(x, (struct lt_slice){p, n});
        p[i / 8] = (char)(p[i / 8] ^ (1 << (i % 8)));
        if (fits)
            return i / 8 + 1;
    }
    return 0;
}

static void damaged(struct checking *x, const struct proof_day *day, struct lt_buf *text)
{
    char en[128], zh[128];
    size_t at = flipped(x, text->p, text->n);
    snprintf(en, sizeof en, "%s.day is damaged at byte %zu", day->name, at ? at - 1 : 0);
    snprintf(zh, sizeof zh, "%s.day 第 %zu 字节损坏", day->name, at ? at - 1 : 0);
    if (!at && day->bad_line) {
        snprintf(en, sizeof en, "%s.day is damaged in line %u", day->name, day->bad_line);
        snprintf(zh, sizeof zh, "%s.day 第 %u 行损坏", day->name, day->bad_line);
    }
    found(x, day->bad_line ? "statement" : "signature", 0, 0, zh, en);
}

/* A stream goes on where the statements before ended; of the journal nothing lies in between. */
static void check_ranges(struct checking *x, const struct proof_day *d)
{
    uint64_t last[CHAIN_STREAMS];
    proof_last(x->days, (size_t)(d - x->days), last);
    for (int s = 0; s < CHAIN_STREAMS; s++) {
        const struct chain_range *r = &d->d.stream[s];
        if (last[s] && r->count && (r->first <= last[s] || (s == CHAIN_JOURNAL && r->first != last[s] + 1)))
            found(x, "order", r->first, r->last, "封存范围未承接此前的封存",
                  "does not go on where the statements before ended");
    }
}

static void check_order(struct checking *x, const struct proof_day *before, const struct proof_day *d,
                        const uint8_t before_hash[CHAIN_HASH])
{
    const uint8_t zero[CHAIN_HASH] = {0};
    if (d->n != (before ? before->n + 1 : 1))
        found(x, "order", 0, 0, "日封存编号不连续：缺少封存文件", "statements are missing before this one");
    else if (memcmp(d->d.previous, before ? before_hash : zero, CHAIN_HASH) != 0)
        found(x, "order", 0, 0, "未承接上一日封存（被替换、插入或重排）",
              "does not continue the statement before (replaced, inserted or reordered)");
    if (!before)
        return;
    if (memcmp(before->d.key, d->d.key, sizeof d->d.key) != 0)
        found(x, "key", 0, 0, "签名密钥被更换", "signed with other keys than the statement before");
    if (d->d.sealed_at_ms < before->d.sealed_at_ms)
        found(x, "backdated", 0, 0, "封存时间早于上一日封存", "sealed earlier than the statement before");
    bool same_day = !before->d.final && d->d.day == before->d.day && d->d.part == before->d.part + 1;
    if (!same_day && (d->d.day <= before->d.day || !before->d.final || d->d.part != 1))
        found(x, "order", 0, 0, "日期顺序错误", "days are out of order");
}

/* Lines that speak of statements which do not exist here. */
static uint64_t highest_line(struct lt_slice lines)
{
    uint64_t most = 0;
    for (size_t i = 0; i + 4 < lines.n; i++) {
        if (memcmp(lines.p + i, " n=", 3) != 0)
            continue;
        uint64_t v = 0;
        for (size_t k = i + 3; k < lines.n && lines.p[k] >= '0' && lines.p[k] <= '9' && v < UINT64_MAX / 20; k++)
            v = v * 10 + (uint64_t)(lines.p[k] - '0');
        most = v > most ? v : most;
    }
    return most;
}

static void check_stamp(struct checking *x, const struct proof_day *d, const uint8_t hash[CHAIN_HASH])
{
    struct lt_buf tsr = LT_BUF_INIT(128u << 10);
    int64_t at = 0;
    if (!proof_stamped(x->c->dir, d))
        return;
    if (proof_stamp_of(x->c->dir, d, &tsr, NULL) != LT_OK ||
        proof_stamp_check(lt_buf_slice(&tsr), hash, x->c->ts_ca, &at, NULL) != LT_OK)
        found(x, "stamp", 0, 0, "时间戳与封存内容不符", "the time stamp is not of this statement");
    else if (at < d->d.sealed_at_ms - LT_DAY_MS)
        found(x, "stamp", 0, 0, "时间戳早于封存时间", "the time stamp is older than the statement");
    else
        x->r->stamps++;
    lt_buf_fini(&tsr);
}

static enum lt_err check_statement(struct checking *x, size_t i, uint8_t hash[CHAIN_HASH], struct lt_error *err)
{
    const struct proof_day *d = &x->days[i], *before = i ? d - 1 : NULL;
    struct lt_buf text = LT_BUF_INIT(CHAIN_DAY_MAX), line = LT_BUF_INIT(512);
    bool holds[CHAIN_KEY_TYPES];
    uint8_t before_hash[CHAIN_HASH];
    memcpy(before_hash, hash, CHAIN_HASH);
    x->now = d;
    x->day = d->bad_line ? 0 : d->d.day;
    enum lt_err e = proof_day_text(x->c->dir, d, &text, err);
    const struct lt_slice all = lt_buf_slice(&text), signed_bytes = {text.p, d->d.n_signed};
    if (e == LT_E_TOO_LARGE) {
        found(x, "statement", 0, 0, "封存文件过大", "the statement is too long");
        e = LT_OK;
    } else if (e == LT_OK && (d->bad_line || !chain_day_sig_holds(x->h, &d->d, all, holds))) {
        damaged(x, d, &text);
    } else if (e == LT_OK) {
        if (!before || !before->bad_line) {
            check_order(x, before, d, before_hash);
            check_ranges(x, d);
        }
        if (x->c->key && strcmp(x->c->key->id, d->d.key) != 0)
            found(x, "key", 0, 0, "不是给定的公钥", "not signed with the given key");
        if (x->c->lines.n && chain_day_line(x->h, &d->d, all, &line) &&
            !proof_has_line(x->c->lines, lt_buf_slice(&line), false))
            found(x, "published", 0, 0, "与已公布的根不符", "is not among the published lines");
        if (!chain_digest(x->h, CHAIN_SHA256, &signed_bytes, 1, hash))
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
        else
            check_stamp(x, d, hash);
    }
    x->r->statements++;
    lt_buf_fini(&line);
    lt_buf_fini(&text);
    return e;
}

static enum lt_err check_statements(struct checking *x, struct lt_error *err)
{
    uint8_t hash[CHAIN_HASH] = {0};
    enum lt_err e = LT_OK;
    for (size_t i = 0; e == LT_OK && i < x->n_days; i++)
        e = check_statement(x, i, hash, err);
    x->now = NULL;
    x->day = 0;
    uint64_t most = highest_line(x->c->lines);
    if (e == LT_OK && x->c->lines.n && most > (x->n_days ? x->days[x->n_days - 1].n : 0))
        found(x, "published", 0, 0, "缺少已公布的最新封存", "the newest published statements are missing here");
    return e;
}

/* ---- journal ---- */

static bool walk_goes_on(void *user, uint64_t records)
{
    const struct checking *x = user;
    return !x->c->progress || x->c->progress(x->c->user, x->day, x->base + records);
}

static void walk_bad(void *user, enum proof_walk_bad what, uint64_t first, uint64_t last)
{
    static const struct {
        const char *code, *zh, *en;
    } words[] = {
        [WALK_NUMBER] = {"journal_number", "原始记录编号不连续：有删除或插入", "records are missing or inserted here"},
        [WALK_HASH] = {"journal_hash", "原始记录内容被改动", "raw records were altered"},
        [WALK_COUNT] = {"journal_count", "批次记录数不符", "a batch does not hold the records it should"},
        [WALK_UNREADABLE] = {"journal_unreadable", "日文件无法读取", "the day file cannot be read from here on"},
        [WALK_ORDER] = {"journal_order", "批次时间倒退：顺序被改动", "time runs backward: batches were reordered"},
    };
    struct checking *x = user;
    found(x, words[what].code, first, last, words[what].zh, words[what].en);
}

static bool file_there(const struct checking *x, int day)
{
    for (size_t i = 0; i < x->n_files; i++)
        if (x->files[i] == day)
            return true;
    return false;
}

/* A day whose file is gone: the removal record must say the same as the statement. */
static enum lt_err check_removed(struct checking *x, const struct chain_range *r, struct lt_error *err)
{
    struct sql_stmt *st = NULL;
    char name[16], hex[2 * CHAIN_HASH + 1];
    bool row = false, known = false, same = false;
    snprintf(name, sizeof name, "%08d", x->day);
    lt_text_hex(r->chain, CHAIN_HASH, hex);
    enum lt_err e = x->db ? sql_prepare(x->db,
                                        "SELECT first, count, chain FROM proof_removal WHERE what = 'journal'"
                                        " AND name = ?1",
                                        &st, err)
                          : LT_OK;
    if (e == LT_OK && st) {
        sql_bind_str(st, 1, name);
        e = sql_step(st, &row, err);
        known = row;
        if (e == LT_OK && row) {
            uint64_t first = (uint64_t)sql_col_i64(st, 0), last = first + (uint64_t)sql_col_i64(st, 1) - 1;
            same = r->first >= first && r->last <= last && (r->last != last || lt_slice_is(sql_col_text(st, 2), hex));
        }
    }
    sql_release(&st);
    if (e != LT_OK)
        return e;
    if (!known)
        found(x, "journal_missing", r->first, r->last, "日文件缺失且无清除记录",
              "the day file is gone, and no removal is recorded");
    else if (!same)
        found(x, "removal", r->first, r->last, "清除记录与封存不符", "the record of its removal says something else");
    else
        x->r->removed_days++;
    return LT_OK;
}

/* First of the kept nodes of level 10 that differs from the tree file: a place of 1,024 records. */
static bool first_bad_block(struct checking *x, const struct chain_tree *t, const struct chain_range *r,
                            uint64_t *ret_first, uint64_t *ret_last)
{
    char path[PROOF_PATH];
    struct proof_tree_file f;
    bool bad = false;
    snprintf(path, sizeof path, "%.900s/proof/%s.tree", x->c->dir, x->now->name);
    if (proof_tree_read(path, &f, NULL) != LT_OK)
        return false;
    uint64_t blocks = (r->count + CHAIN_KEEP - 1) / CHAIN_KEEP;
    bool whole =
        f.section[CHAIN_JOURNAL].count == r->count && f.section[CHAIN_JOURNAL].nodes &&
        memcmp(&f.section[CHAIN_JOURNAL].node[f.section[CHAIN_JOURNAL].nodes - 1], &r->root, sizeof r->root) == 0;
    for (uint64_t b = 0; whole && b < blocks && !bad; b++) {
        bad = b >= (t->count + CHAIN_KEEP - 1) / CHAIN_KEEP ||
              memcmp(&t->node[b], &f.section[CHAIN_JOURNAL].node[b], sizeof t->node[b]) != 0;
        *ret_first = r->first + b * CHAIN_KEEP;
        *ret_last = b + 1 == blocks ? r->last : *ret_first + CHAIN_KEEP - 1;
    }
    proof_tree_fini(&f);
    return bad;
}

static void compare_journal(struct checking *x, struct proof_walk *w, struct chain_tree *t, const struct chain_range *r)
{
    struct chain_pair root;
    uint64_t first = r->first, last = r->last;
    if (w->records < r->count && !w->bad_n)
        found(x, "journal_missing", r->first + w->records, r->last, "记录缺失（截断）",
              "records are missing (cut off)");
    if (!chain_tree_finish(t, &root)) {
        found(x, "memory", 0, 0, "内存不足", "out of memory");
        return;
    }
    if (memcmp(&root, &r->root, sizeof root) != 0 && !w->bad_n && w->records == r->count) {
        first_bad_block(x, t, r, &first, &last);
        found(x, "journal_root", first, last, "与已签名的日根不符：记录被改动",
              "differs from the signed root of the day: records were altered");
    } else if (memcmp(w->chain, r->chain, CHAIN_HASH) != 0 && !w->bad_n && w->records == r->count) {
        found(x, "journal_hash", r->first, r->last, "日末链值与封存不符",
              "the last hash of the day differs from the statement");
    }
    if (w->newest_ms > x->now->d.sealed_at_ms)
        found(x, "backdated", 0, 0, "封存时间早于其所含记录", "sealed earlier than records it covers");
}

static void count_walk(struct checking *x, const struct proof_walk *w)
{
    x->r->records += w->records;
    x->r->batches += w->batches;
    x->r->bytes += w->bytes;
    x->base += w->records;
}

static enum lt_err check_day_journal(struct checking *x, const struct proof_day *d, struct lt_error *err)
{
    const struct chain_range *r = &d->d.stream[CHAIN_JOURNAL];
    struct chain_tree t;
    x->now = d;
    x->day = d->d.day;
    if (r->count == 0)
        return LT_OK;
    if (!file_there(x, x->day))
        return check_removed(x, r, err);
    struct proof_walk w = {.dir = x->c->dir,
                           .first = r->first,
                           .last = r->last,
                           .threads = x->c->threads,
                           .tree = &t,
                           .go_on = walk_goes_on,
                           .bad = walk_bad,
                           .user = x};
    uint64_t first = 0;
    enum lt_err e = proof_day_begin(x->c->dir, x->day, &first, w.prev, err);
    if (e == LT_E_CORRUPT || e == LT_E_IO || e == LT_E_NOT_FOUND ||
        (e == LT_OK && d->d.part == 1 && first != r->first)) {
        found(x, "journal_unreadable", r->first, r->last, "日文件头部损坏", "the head of the day file is damaged");
        return LT_OK;
    }
    w.known_prev = e == LT_OK && d->d.part == 1;
    if (e != LT_OK || !chain_tree_init(&t, x->h))
        return e != LT_OK ? e : lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (d->d.part > 1) { /* the part before ended with this hash */
        const struct proof_day *before = d > x->days ? d - 1 : NULL;
        w.known_prev = before && !before->bad_line && before->d.stream[CHAIN_JOURNAL].count;
        if (w.known_prev)
            memcpy(w.prev, before->d.stream[CHAIN_JOURNAL].chain, CHAIN_HASH);
    }
    e = proof_walk_run(&w, err);
    if (e == LT_OK)
        compare_journal(x, &w, &t, r);
    chain_tree_fini(&t);
    x->r->days++;
    count_walk(x, &w);
    return e;
}

/* Day files are read through prev_hash too: it must be the last hash of the statement before. */
static void check_joint(struct checking *x, const struct proof_day *d, const struct proof_day *before)
{
    uint64_t first = 0;
    uint8_t prev[CHAIN_HASH];
    if (d->d.part != 1 || !before || before->d.stream[CHAIN_JOURNAL].count == 0 || !file_there(x, d->d.day) ||
        d->d.stream[CHAIN_JOURNAL].first != before->d.stream[CHAIN_JOURNAL].last + 1)
        return;
    x->now = d;
    x->day = d->d.day;
    if (proof_day_begin(x->c->dir, d->d.day, &first, prev, NULL) == LT_OK &&
        memcmp(prev, before->d.stream[CHAIN_JOURNAL].chain, CHAIN_HASH) != 0)
        found(x, "journal_hash", d->d.stream[CHAIN_JOURNAL].first, d->d.stream[CHAIN_JOURNAL].first,
              "日文件未承接前一日链值", "the day file does not continue the hash of the day before");
}

/* Behind the last statement only the live chain speaks. */
static enum lt_err check_tail(struct checking *x, struct lt_error *err)
{
    struct journal_reader *r = NULL;
    uint64_t last = 0, next[CHAIN_STREAMS];
    int64_t judged = 0;
    x->now = NULL;
    x->day = 0;
    proof_last(x->days, x->n_days, next);
    /* first what was judged, then what is there: a running post goes on in between */
    if (!x->db || sql_get_i64(x->db, "SELECT state_seq FROM engine_cursor WHERE id = 1", NULL, &judged, NULL) != LT_OK)
        judged = 0;
    enum lt_err e = journal_reader_open(x->c->dir, &r, err);
    if (e == LT_OK)
        e = journal_reader_last_seq(r, &last, err);
    if (r)
        journal_reader_close(&r);
    if (e == LT_E_CORRUPT) {
        found(x, "journal_unreadable", next[0] + 1, next[0] + 1, "最新日文件无法读取",
              "the newest day file cannot be read");
        return LT_OK;
    }
    if (e != LT_OK)
        return e;
    if ((uint64_t)judged > last)
        found(x, "journal_missing", last + 1, (uint64_t)judged, "已计算的记录在日文件中缺失（截断）",
              "records that were judged are missing at the end (cut off)");
    struct proof_walk w = {.dir = x->c->dir,
                           .first = next[CHAIN_JOURNAL] + 1,
                           .last = last,
                           .go_on = walk_goes_on,
                           .bad = walk_bad,
                           .user = x};
    if (x->n_days == 0) /* days may have been removed before the first statement */
        e = journal_reader_open(x->c->dir, &r, err);
    if (e == LT_OK && r) {
        e = x->n_files ? journal_reader_day_first(r, x->files[0], &w.first, err) : LT_OK;
        e = e == LT_E_NOT_FOUND ? LT_OK : e;
        journal_reader_close(&r);
    } else if (e == LT_OK) {
        for (size_t i = x->n_days; i-- > 0 && !w.known_prev;) {
            const struct chain_range *c = &x->days[i].d.stream[CHAIN_JOURNAL];
            w.known_prev = !x->days[i].bad_line && c->count;
            memcpy(w.prev, c->chain, CHAIN_HASH);
        }
    }
    if (e == LT_OK && w.first <= last) {
        x->r->unsealed = last - w.first + 1;
        e = proof_walk_run(&w, err);
        count_walk(x, &w);
    }
    return e;
}

static enum lt_err check_sums(struct checking *x, struct lt_error *err)
{
    x->now = NULL;
    for (size_t i = 0; i < x->n_files; i++) {
        struct proof_sum_bad bad;
        char zh[160], en[160];
        x->day = x->files[i];
        if (!in_range(x, x->day))
            continue;
        enum lt_err e = proof_sum_check(x->c->dir, x->day, &bad, err);
        if (e == LT_E_NOT_FOUND)
            continue;
        if (e == LT_E_BAD_INPUT) {
            found(x, "sum", 0, 0, "日文件的校验表损坏", "the list of sums of the day file is damaged");
            continue;
        }
        if (e != LT_OK && e != LT_E_CORRUPT)
            return e;
        x->r->files++;
        if (e == LT_OK)
            continue;
        if (bad.exact) {
            snprintf(en, sizeof en, "byte %llu of the day file is 0x%02x and was 0x%02x", (unsigned long long)bad.at,
                     bad.is, bad.was);
            snprintf(zh, sizeof zh, "日文件第 %llu 字节为 0x%02x，原为 0x%02x", (unsigned long long)bad.at, bad.is,
                     bad.was);
        } else {
            snprintf(en, sizeof en, "the day file differs from byte %llu on", (unsigned long long)bad.at);
            snprintf(zh, sizeof zh, "日文件自第 %llu 字节起不符", (unsigned long long)bad.at);
        }
        found(x, "sum", 0, 0, zh, en);
    }
    return LT_OK;
}

/* ---- rows ---- */

static enum lt_err check_rows_of(struct checking *x, const struct proof_day *d, enum chain_stream s,
                                 struct lt_error *err)
{
    static const char *const code[CHAIN_STREAMS] = {"", "audit_root", "verdict_root", "removal_root"};
    static const char *const zh[CHAIN_STREAMS] = {"", "审计记录与封存不符", "判定记录与封存不符", "清除记录与封存不符"};
    static const char *const en[CHAIN_STREAMS] = {"", "audit rows differ from the statement",
                                                  "verdicts differ from the statement",
                                                  "removal rows differ from the statement"};
    const struct chain_range *r = &d->d.stream[s];
    struct chain_tree t;
    struct proof_rows rows;
    struct chain_pair root;
    if (r->count == 0)
        return LT_OK;
    if (!chain_tree_init(&t, x->h))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    enum lt_err e = proof_rows_tree(x->db, s, r->first - 1, r->last, &t, &rows, err);
    bool ok = e == LT_OK && chain_tree_finish(&t, &root);
    if (e == LT_E_CORRUPT || (ok && (rows.count != r->count || memcmp(&root, &r->root, sizeof root) != 0))) {
        found(x, code[s], r->first, r->last, zh[s], en[s]);
        e = LT_OK;
    } else if (ok && s != CHAIN_REMOVAL && rows.newest_ms > d->d.sealed_at_ms) {
        found(x, "backdated", 0, 0, "封存时间早于其所含记录", "sealed earlier than rows it covers");
    }
    x->r->rows += r->count;
    chain_tree_fini(&t);
    return e;
}

static bool table_there(struct checking *x, const char *name)
{
    struct sql_stmt *st = NULL;
    bool row = false;
    bool there = sql_row(x->db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
                         SQL_VALUES(SQL_Z(name)), &st, &row, NULL) == LT_OK &&
                 row;
    sql_release(&st);
    return there;
}

static enum lt_err check_chains(struct checking *x, struct lt_error *err)
{
    int64_t rows = 0, bad = 0;
    x->now = NULL;
    x->day = 0;
    enum lt_err e = audit_verify(x->db, &rows, &bad, err);
    if (e == LT_E_CORRUPT) {
        found(x, "audit_hash", (uint64_t)bad, (uint64_t)bad, "审计记录被改动", "a row of the audit trail was altered");
        e = LT_OK;
    }
    if (e == LT_OK && table_there(x, "proof_removal"))
        e = proof_removal_verify(x->db, &rows, &bad, err);
    else if (e == LT_OK && x->n_days) /* a post that has never sealed may be older than the table */
        found(x, "removal_hash", 0, 0, "清除记录表缺失", "the table of removals is gone");
    if (e == LT_E_CORRUPT) {
        found(x, "removal_hash", (uint64_t)bad, (uint64_t)bad, "清除记录被改动", "a row of the removals was altered");
        e = LT_OK;
    }
    return e;
}

static enum lt_err check_state(struct checking *x, struct lt_error *err)
{
    enum lt_err e = sql_begin_read(x->db, err); /* one view of it, while a running post adds rows */
    if (e == LT_OK) {
        e = check_chains(x, err);
        sql_rollback(x->db);
    }
    for (size_t i = 0; e == LT_OK && i < x->n_days; i++) {
        x->now = &x->days[i];
        x->day = x->days[i].d.day;
        for (int s = CHAIN_AUDIT; e == LT_OK && s < CHAIN_STREAMS && !x->days[i].bad_line && in_range(x, x->day); s++)
            e = check_rows_of(x, &x->days[i], (enum chain_stream)s, err);
        if (e == LT_OK && !walk_goes_on(x, 0))
            e = lt_fail(err, LT_E_TIMEOUT, NULL, "check", "stopped", NULL);
    }
    return e;
}

/* ---- all ---- */

static enum lt_err check_journal(struct checking *x, struct lt_error *err)
{
    enum lt_err e = check_sums(x, err);
    for (size_t i = 0; e == LT_OK && i < x->n_days && !x->c->sums_only; i++) {
        const struct proof_day *before = i && !x->days[i - 1].bad_line ? &x->days[i - 1] : NULL;
        if (x->days[i].bad_line || !in_range(x, x->days[i].d.day))
            continue;
        check_joint(x, &x->days[i], before);
        e = check_day_journal(x, &x->days[i], err);
    }
    if (e == LT_OK && x->c->to_day == 0 && !x->c->sums_only)
        e = check_tail(x, err);
    return e;
}

static enum lt_err open_all(struct checking *x, struct lt_error *err)
{
    char path[PROOF_PATH];
    x->h = chain_hasher_create();
    x->files = malloc(JOURNAL_DAYS_MAX * sizeof *x->files);
    if (!x->h || !x->files)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    x->n_files = journal_days(x->c->dir, x->files, JOURNAL_DAYS_MAX);
    enum lt_err e = proof_days(x->c->dir, &x->days, &x->n_days, err);
    snprintf(path, sizeof path, "%.900s/state.db", x->c->dir);
    if (e == LT_OK && !x->c->no_state)
        e = sql_open(path, true, &x->db, err);
    return e;
}

enum lt_err proof_check_data(const struct proof_check *c, struct proof_checked *ret, struct lt_error *err)
{
    struct checking x = {.c = c, .r = ret};
    *ret = (struct proof_checked){0};
    enum lt_err e = open_all(&x, err);
    if (e == LT_OK && !c->sums_only)
        e = check_statements(&x, err);
    if (e == LT_OK && !c->no_journal)
        e = check_journal(&x, err);
    if (e == LT_OK && x.db && !c->sums_only)
        e = check_state(&x, err);
    sql_close(&x.db);
    free(x.days);
    free(x.files);
    chain_hasher_destroy(&x.h);
    return e;
}
