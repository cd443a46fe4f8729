/* The eight checks of a verification file (docs/FORMATS-draw.md, section 8), each with its own answer. */
#include "api/draw_file.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct view { /* a file being checked */
    json_t *tree;
    struct draw_owned list;
    struct draw_result drawn;      /* as the file says */
    struct draw_result again;      /* as it comes out */
    size_t misnumbered, misteamed; /* first entry whose number or team size is wrong, from 1; 0 none */
    uint8_t list_hash[DRAW_HASH], seed_hash[DRAW_HASH], seed[DRAW_SEED], sha256[DRAW_HASH];
    struct lt_slice commitment, public_value;
};

/* Adds the answer of the next check. */
static void __attribute__((format(printf, 5, 6)))
say_en(struct draw_report *r, const char *name, bool done, bool ok, const char *fmt, ...)
{
    struct draw_check_line *c = &r->check[r->n++];
    va_list ap;
    c->name = name;
    c->done = done;
    c->ok = ok;
    r->ok = r->ok && ok;
    va_start(ap, fmt);
    vsnprintf(c->en, sizeof c->en, fmt, ap);
    va_end(ap);
}

static void __attribute__((format(printf, 2, 3))) say_zh(struct draw_report *r, const char *fmt, ...)
{
    struct draw_check_line *c = &r->check[r->n - 1];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->zh, sizeof c->zh, fmt, ap);
    va_end(ap);
}

static void not_done(struct draw_report *r, const char *name)
{
    say_en(r, name, false, false, "not checked: what stands before it does not fit");
    say_zh(r, "未检查：前项不符");
}

/* ---- form ---- */

static struct lt_slice text_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return (struct lt_slice){json_string_value(v), json_string_length(v)};
}

/* "LANTIAN-DRAW 1 list=<64> seed=<64> public=…": where the hashes stand. */
#define LINE_HEAD "LANTIAN-DRAW 1 list="
#define LINE_SEED " seed="
#define LINE_TAIL " public="
#define HEX       ((size_t)2 * DRAW_HASH)

static bool read_commitment(struct view *v)
{
    const size_t seed = sizeof LINE_HEAD - 1 + HEX, tail = seed + sizeof LINE_SEED - 1 + HEX;
    struct lt_slice s = v->commitment;
    return s.n > tail + sizeof LINE_TAIL - 1 && memcmp(s.p, LINE_HEAD, sizeof LINE_HEAD - 1) == 0 &&
           memcmp(s.p + seed, LINE_SEED, sizeof LINE_SEED - 1) == 0 &&
           memcmp(s.p + tail, LINE_TAIL, sizeof LINE_TAIL - 1) == 0 &&
           lt_text_unhex((struct lt_slice){s.p + sizeof LINE_HEAD - 1, HEX}, v->list_hash, DRAW_HASH) &&
           lt_text_unhex((struct lt_slice){s.p + seed + sizeof LINE_SEED - 1, HEX}, v->seed_hash, DRAW_HASH);
}

/* One entry of result.drawn; false when it cannot be read. */
static bool read_drawn(struct view *v, const json_t *o, size_t i)
{
    const json_t *n = json_object_get(o, "n"), *weight = json_object_get(o, "weight"),
                 *team = json_object_get(o, "team");
    struct draw_pick *p = &v->drawn.pick[i];
    size_t target = draw_find_target(&v->list.l, text_of(o, "target"));
    if (json_object_size(o) != 4 || !json_is_integer(n) || !json_is_integer(weight) || !json_is_array(team) ||
        !json_is_string(json_object_get(o, "target")) || target == SIZE_MAX)
        return false;
    int64_t w = json_integer_value(weight);
    p->target = (uint32_t)target;
    p->weight = w > 0 && w <= UINT32_MAX ? (uint32_t)w : 0; /* 0 is never right: found by the check of weights */
    if (json_integer_value(n) != (int64_t)i + 1 && v->misnumbered == 0)
        v->misnumbered = i + 1;
    if (json_array_size(team) != (size_t)v->list.l.team) {
        v->misteamed = v->misteamed ? v->misteamed : i + 1;
        return true;
    }
    for (size_t s = 0; s < json_array_size(team); s++) {
        const json_t *id = json_array_get(team, s);
        size_t k =
            json_is_string(id)
                ? draw_find_inspector(&v->list.l, (struct lt_slice){json_string_value(id), json_string_length(id)})
                : SIZE_MAX;
        if (k == SIZE_MAX)
            return false;
        p->team[s] = (uint32_t)k;
    }
    return true;
}

static bool only(const json_t *o, const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!json_object_get(o, names[i]))
            return false;
    return json_object_size(o) == n;
}

/* Reads everything; what does not fit is written to why. */
static bool read_form(struct view *v, struct draw_report *r, char *why, size_t cap, struct lt_error *err)
{
    static const char *const all[] = {"format", "version", "commitment", "list", "seed", "public_value", "result"};
    static const char *const result_members[] = {"sha256", "drawn"};
    const json_t *o = v->tree, *result = json_object_get(o, "result"), *drawn = json_object_get(result, "drawn");
    snprintf(why, cap, "format, version / 格式与版本");
    if (!lt_slice_is(text_of(o, "format"), "lantian-draw") || json_integer_value(json_object_get(o, "version")) != 1)
        return false;
    v->commitment = text_of(o, "commitment");
    snprintf(why, cap, "commitment / 承诺行");
    if (!read_commitment(v))
        return false;
    r->sealed = only(o, all, 3);
    if (r->sealed)
        return true;
    snprintf(why, cap, "members / 字段");
    if (!only(o, all, sizeof all / sizeof all[0]))
        return false;
    if (draw_list_of(json_object_get(o, "list"), &v->list, err)) {
        char text[256];
        lt_error_text(err, LT_EN, text, sizeof text);
        snprintf(why, cap, "list: %.200s", text);
        return false;
    }
    snprintf(why, cap, "seed / 种子");
    if (!lt_text_unhex(text_of(o, "seed"), v->seed, DRAW_SEED))
        return false;
    v->public_value = text_of(o, "public_value");
    snprintf(why, cap, "public_value / 公开数值");
    if (v->public_value.n < 1 || v->public_value.n > DRAW_TEXT_MAX)
        return false;
    snprintf(why, cap, "result");
    if (!only(result, result_members, 2) || !lt_text_unhex(text_of(result, "sha256"), v->sha256, DRAW_HASH) ||
        !json_is_array(drawn) || json_array_size(drawn) > DRAW_PICK_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(drawn); i++) {
        snprintf(why, cap, "result.drawn[%zu]", i);
        if (!read_drawn(v, json_array_get(drawn, i), i))
            return false;
        v->drawn.n = i + 1;
    }
    return true;
}

/* ---- list, seed, public value ---- */

static bool check_list(const struct view *v, struct draw_report *r)
{
    uint8_t hash[DRAW_HASH];
    char hex[HEX + 1];
    bool ok = draw_list_hash(&v->list.l, hash) && memcmp(hash, v->list_hash, DRAW_HASH) == 0;
    lt_text_hex(hash, DRAW_HASH, hex);
    say_en(r, "list", true, ok,
           ok ? "the list is the one committed to: SHA-256 %s"
              : "the list was changed: its SHA-256 is %s, not the one committed to",
           hex);
    say_zh(r, ok ? "名单与承诺一致：SHA-256 %s" : "名单已被改动：其 SHA-256 为 %s，与承诺不符", hex);
    return ok;
}

static bool check_seed(const struct view *v, struct draw_report *r)
{
    uint8_t hash[DRAW_HASH];
    draw_seed_hash(v->seed, hash);
    bool ok = memcmp(hash, v->seed_hash, DRAW_HASH) == 0;
    say_en(r, "seed", true, ok, "%s", ok ? "the seed is the one committed to" : "the seed is not the one committed to");
    say_zh(r, "%s", ok ? "种子与承诺一致" : "种子与承诺不符");
    return ok;
}

static bool check_public(const struct view *v, struct lt_slice published, struct draw_report *r)
{
    struct lt_buf line = LT_BUF_INIT(4096);
    while (published.n && (published.p[published.n - 1] == '\n' || published.p[published.n - 1] == '\r'))
        published.n--;
    draw_commitment(v->list_hash, v->seed_hash, v->list.l.public_source, &line);
    bool same_source = !line.failed && lt_slice_eq(lt_buf_slice(&line), v->commitment);
    bool same_line = published.n == 0 || lt_slice_eq(published, v->commitment);
    bool ok = same_source && same_line;
    lt_buf_fini(&line);
    say_en(r, "public", true, ok, "%s",
           !same_source  ? "the public value named in the list is not the one committed to"
           : !same_line  ? "the commitment in the file is not the line that was published"
           : published.n ? "the commitment is the published line; the public value is as named in it"
                         : "the public value is named in the commitment (compare the commitment with the published "
                           "line: --commitment)");
    say_zh(r, "%s",
           !same_source  ? "名单所列公开数值来源与承诺不符"
           : !same_line  ? "文件中的承诺与已公布的承诺行不一致"
           : published.n ? "承诺与已公布的一致，公开数值来源相符"
                         : "公开数值来源与承诺相符（请与已公布的承诺行核对：--commitment）");
    return ok;
}

/* ---- weights, quotas, conflicts ---- */

static void check_weight(const struct view *v, struct draw_report *r)
{
    struct draw_flaw_place at = {0};
    bool ok = draw_keeps(&v->list.l, &v->drawn, DRAW_FLAW_WEIGHT, &at);
    say_en(r, "weight", true, ok,
           ok ? "all %zu weights are those of the table" : "the weight of number %zu is not the one of the table",
           ok ? v->drawn.n : at.n);
    say_zh(r, ok ? "全部 %zu 个权重与权重表一致" : "第 %zu 号的权重与权重表不符", ok ? v->drawn.n : at.n);
}

static void check_quota(const struct view *v, struct draw_report *r)
{
    struct draw_flaw_place at = {0};
    if (v->misnumbered) {
        say_en(r, "quota", true, false, "entry %zu is not numbered in order", v->misnumbered);
        say_zh(r, "第 %zu 条编号不连续", v->misnumbered);
    } else if (!draw_keeps(&v->list.l, &v->drawn, DRAW_FLAW_COUNT, &at) && at.n) {
        say_en(r, "quota", true, false, "number %zu was drawn before", at.n);
        say_zh(r, "第 %zu 号重复抽取", at.n);
    } else if (v->drawn.n != (size_t)v->list.l.pick) {
        say_en(r, "quota", true, false, "%zu were drawn, not %" PRId64, v->drawn.n, v->list.l.pick);
        say_zh(r, "实际抽取 %zu 家，应为 %" PRId64 " 家", v->drawn.n, v->list.l.pick);
    } else if (!draw_keeps(&v->list.l, &v->drawn, DRAW_FLAW_QUOTA, &at)) {
        say_en(r, "quota", true, false, "the quota of %s %.*s is not kept: %" PRId64 " were drawn", at.part,
               (int)at.value.n, at.value.p, at.have);
        say_zh(r, "%s %.*s 的配额未满足：抽取 %" PRId64 " 家", strcmp(at.part, "county") == 0 ? "区县" : "行业",
               (int)at.value.n, at.value.p, at.have);
    } else {
        say_en(r, "quota", true, true, "%zu targets, all %zu quotas kept", v->drawn.n, v->list.l.n_quota);
        say_zh(r, "共 %zu 家，%zu 项配额均满足", v->drawn.n, v->list.l.n_quota);
    }
}

static void check_conflict(const struct view *v, struct draw_report *r)
{
    struct draw_flaw_place at = {0};
    if (v->misteamed) {
        say_en(r, "conflict", true, false, "the team of number %zu has not %" PRId64 " members", v->misteamed,
               v->list.l.team);
        say_zh(r, "第 %zu 号的检查组不是 %" PRId64 " 人", v->misteamed, v->list.l.team);
    } else if (!draw_keeps(&v->list.l, &v->drawn, DRAW_FLAW_CONFLICT, &at)) {
        say_en(r, "conflict", true, false, "%.*s may not inspect number %zu, or stands twice in its team",
               (int)at.value.n, at.value.p, at.n);
        say_zh(r, "%.*s 不得检查第 %zu 号，或在同组重复出现", (int)at.value.n, at.value.p, at.n);
    } else {
        say_en(r, "conflict", true, true, "every team is free of conflicts");
        say_zh(r, "各检查组均无冲突");
    }
}

/* ---- the draw again ---- */

static size_t first_difference(const struct view *v)
{
    size_t n = v->drawn.n < v->again.n ? v->drawn.n : v->again.n;
    for (size_t i = 0; i < n; i++) {
        const struct draw_pick *a = &v->drawn.pick[i], *b = &v->again.pick[i];
        if (a->target != b->target || a->weight != b->weight ||
            memcmp(a->team, b->team, (size_t)v->list.l.team * sizeof a->team[0]) != 0)
            return i + 1;
    }
    return v->drawn.n != v->again.n ? n + 1 : 0;
}

static enum lt_err check_result(struct view *v, struct draw_report *r, struct lt_error *err)
{
    struct draw_fault f;
    uint8_t hash[DRAW_HASH];
    char hex[HEX + 1];
    if (draw_run(&v->list.l, v->seed, v->public_value, &v->again, &f))
        return draw_fault_error(&f, err);
    if (!draw_result_hash(&v->list.l, &v->again, hash))
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    lt_text_hex(hash, DRAW_HASH, hex);
    size_t n = v->misnumbered ? v->misnumbered : v->misteamed ? v->misteamed : first_difference(v);
    bool same_hash = memcmp(hash, v->sha256, DRAW_HASH) == 0;
    if (n) {
        say_en(r, "result", true, false, "the draw repeated gives another result from number %zu on%s", n,
               n == 1 ? ": the result, or the public value, is not the one of this draw" : "");
        say_zh(r, "重新抽取的结果自第 %zu 号起不同%s", n, n == 1 ? "：结果或公开数值不属于本次抽取" : "");
    } else if (!same_hash) {
        say_en(r, "result", true, false, "sha256 is not that of the result: %s", hex);
        say_zh(r, "sha256 与结果不符：应为 %s", hex);
    } else {
        say_en(r, "result", true, true, "the draw repeated gives the same result: SHA-256 %s", hex);
        say_zh(r, "重新抽取得到相同结果：SHA-256 %s", hex);
    }
    return LT_OK;
}

static enum lt_err run_checks(struct view *v, struct lt_slice published, struct draw_report *ret, struct lt_error *err)
{
    static const char *const later[] = {"list", "seed", "public", "weight", "quota", "conflict", "result"};
    struct lt_error why_not = {.code = LT_OK};
    char why[256];
    bool ok = read_form(v, ret, why, sizeof why, &why_not);
    if (why_not.code == LT_E_NOMEM)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (!ok) {
        say_en(ret, "form", true, false, "not in the form of a verification file: %s", why);
        say_zh(ret, "不符合核验文件格式：%s", why);
        for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
            not_done(ret, later[i]);
        return LT_OK;
    }
    say_en(ret, "form", true, true, "%s", ret->sealed ? "a commitment; nothing is revealed yet" : "complete");
    say_zh(ret, "%s", ret->sealed ? "仅有承诺，尚未揭晓" : "完整");
    if (ret->sealed) {
        ret->ok = false;
        return LT_OK;
    }
    ok = check_list(v, ret);
    ok = check_seed(v, ret) && ok;
    ok = check_public(v, published, ret) && ok;
    check_weight(v, ret);
    check_quota(v, ret);
    check_conflict(v, ret);
    if (ok)
        return check_result(v, ret, err);
    not_done(ret, "result");
    return LT_OK;
}

enum lt_err draw_file_verify(struct lt_slice file, struct lt_slice published, struct draw_report *ret,
                             struct lt_error *err)
{
    struct lt_error why;
    struct view *v = calloc(1, sizeof *v);
    if (!v)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    *ret = (struct draw_report){.ok = true};
    enum lt_err e = jsonr_object(file, DRAW_FILE_MAX, &v->tree, &why);
    if (e && e != LT_E_NOMEM) {
        char text[256];
        lt_error_text(&why, LT_EN, text, sizeof text);
        say_en(ret, "form", true, false, "%s", text);
        lt_error_text(&why, LT_ZH, text, sizeof text);
        say_zh(ret, "%s", text);
        e = LT_OK;
    } else if (e) {
        e = lt_fail(err, e, NULL, NULL, NULL, NULL);
    } else {
        e = run_checks(v, published, ret, err);
    }
    draw_owned_fini(&v->list); /* its own tree is NULL: the list borrows from the file's */
    json_decref(v->tree);
    free(v);
    return e;
}
