/* lantian verify: checks an evidence package or an inclusion proof offline, or everything a data directory holds.
 * Exit 0: it holds; 1: it does not; 2: wrong use. */
#include "base/clock.h"
#include "base/text.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"
#include "main/whole_file.h"
#include "proof/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (CHAIN_ZIP_MAX + 1u)

struct wanted {
    const char *data, *key, *roots, *ts_ca, *lang;
    int64_t from, to, threads;
    enum lt_lang in;
};

__attribute__((format_arg(2), format_arg(3))) static const char *say(const struct wanted *o, const char *zh,
                                                                     const char *en)
{
    return o->in == LT_ZH ? zh : en;
}

static bool read_all(const char *path, struct lt_buf *out)
{
    struct lt_error err;
    enum lt_err e = whole_file(path, "", out, &err);
    if (e != LT_OK)
        fprintf(stderr, "lantian verify: %s: %s\n", path, e == LT_E_TOO_LARGE ? "too large" : err.arg[1]);
    return e == LT_OK;
}

/* Words out of a package whose signer is not known yet: no control characters, or it could paint over what is said of
 * it on a terminal. */
static void print_words(const char *before, const char *z)
{
    printf("%s: ", before);
    for (const unsigned char *p = (const unsigned char *)(z ? z : ""); *p; p++) {
        bool c1 = p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0; /* U+0080 to U+009F; JSON is UTF-8 */
        putchar(*p < 0x20 || *p == 0x7F || c1 ? '?' : *p);
        p += c1;
    }
}

static void print_subject(const struct wanted *o, const json_t *m)
{
    static const struct {
        const char *group, *key, *zh, *en;
    } rows[] = {{NULL, "name", "证据包", "package"},
                {NULL, "type", "类型", "type"},
                {NULL, "sealed_at", "封存时间", "sealed at"},
                {"alarm", "rule", "规则", "rule"},
                {"subject", "enterprise_name", "企业", "enterprise"},
                {"subject", "outlet_name", "排放口", "outlet"},
                {"subject", "mn", "设备", "device"},
                {"previous", "name", "承接", "continues"},
                {NULL, "key", "签名密钥", "key"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *from = rows[i].group ? json_object_get(m, rows[i].group) : m;
        const char *text = json_string_value(json_object_get(from, rows[i].key));
        if (!text)
            continue;
        print_words(say(o, rows[i].zh, rows[i].en), text);
        putchar('\n');
    }
    size_t k;
    const json_t *left;
    json_array_foreach(json_object_get(m, "left_out"), k, left)
    {
        print_words(say(o, "未收入", "left out"), json_string_value(json_object_get(left, "what")));
        printf(" × %lld\n", (long long)json_integer_value(json_object_get(left, "n")));
    }
}

static void print_place(const struct wanted *o, const struct proof_verdict *v)
{
    if (!v->placed)
        return;
    printf("%s %zu", say(o, "第一个不符的字节：偏移", "first byte that does not fit: offset"), v->at);
    if (v->entry[0])
        printf(say(o, "（%s 内偏移 %zu）", " (%s, offset %zu)"), v->entry, v->entry_at);
    if (v->is >= 0)
        printf(say(o, "，现为 0x%02x", ", is 0x%02x"), (unsigned)v->is);
    if (v->was >= 0)
        printf(say(o, "，原为 0x%02x", ", was 0x%02x"), (unsigned)v->was);
    printf("%s\n", v->exact ? say(o, "（仅此一字节被改动）", " (this one byte was altered)") : "");
}

static int verify_file(const struct wanted *o, const char *path, const struct proof_verify *how)
{
    struct lt_buf file = LT_BUF_INIT(FILE_MAX);
    struct proof_verdict v;
    struct lt_error err;
    if (!read_all(path, &file)) {
        lt_buf_fini(&file);
        return 2;
    }
    bool proof = file.n && file.p[0] == '{';
    enum lt_err e = proof ? proof_inclusion_verify(lt_buf_slice(&file), how, &v, &err)
                          : proof_pack_verify(lt_buf_slice(&file), how, &v, &err);
    if (e != LT_OK) {
        lt_buf_fini(&file);
        return tell_error("verify", &err);
    }
    if (v.manifest)
        print_subject(o, v.manifest);
    for (size_t i = 0; i < v.n; i++)
        printf("[%s] %s: %s\n", v.check[i].done ? (v.check[i].ok ? "ok" : "NO") : "--", v.check[i].code,
               v.check[i].text[o->in]);
    print_place(o, &v);
    printf("%s\n", v.ok ? say(o, "核验通过", "it holds") : say(o, "核验不通过", "it does not hold"));
    json_decref(v.manifest);
    lt_buf_fini(&file);
    return v.ok ? 0 : 1;
}

static void on_found(void *user, const struct proof_finding *f)
{
    const struct wanted *o = user;
    printf("[NO] %s: %s\n", f->code, f->text[o->in]);
}

static bool on_progress(void *user, int day, uint64_t records)
{
    static int64_t last;
    int64_t now = lt_mono_ms();
    if (isatty(STDERR_FILENO) && now - last > 200) {
        fprintf(stderr, "\r%08d, %llu records ", day, (unsigned long long)records);
        last = now;
    }
    return true;
}

static int verify_data(struct wanted *o, const struct proof_verify *how)
{
    struct proof_checked r;
    struct lt_error err;
    char path[1100];
    snprintf(path, sizeof path, "%.1000s/state.db", o->data);
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "lantian verify: no post in %s\n", o->data);
        return 2;
    }
    const struct proof_check c = {.dir = o->data,
                                  .from_day = (int)o->from,
                                  .to_day = (int)o->to,
                                  .threads = (unsigned)o->threads,
                                  .lines = how->lines,
                                  .ts_ca = o->ts_ca,
                                  .key = how->key,
                                  .found = on_found,
                                  .progress = on_progress,
                                  .user = o};
    int64_t begun = lt_mono_ms();
    enum lt_err e = proof_check_data(&c, &r, &err);
    double s = (double)(lt_mono_ms() - begun) / 1000;
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    if (e != LT_OK)
        return tell_error("verify", &err);
    printf(
        say(o, "日封存 %llu 份，原始记录 %llu 条（%llu 批），状态记录 %llu 条，日文件校验 %llu 个，用时 %.1f 秒\n",
            "%llu day statements, %llu raw records in %llu batches, %llu rows, %llu day files by their sums, %.1f s\n"),
        (unsigned long long)r.statements, (unsigned long long)r.records, (unsigned long long)r.batches,
        (unsigned long long)r.rows, (unsigned long long)r.files, s);
    if (r.stamps && o->ts_ca)
        printf(say(o, "时间戳 %llu 个\n", "%llu time stamps\n"), (unsigned long long)r.stamps);
    else if (r.stamps)
        printf(say(o, "时间戳 %llu 个，未核对是谁所签（需 --ts-ca）\n",
                   "%llu time stamps; by whom was not checked (that needs --ts-ca)\n"),
               (unsigned long long)r.stamps);
    if (r.removed_days)
        printf(say(o, "%llu 日已按规定清除并有记录\n", "%llu days were removed, as recorded\n"),
               (unsigned long long)r.removed_days);
    if (r.unsealed)
        printf(say(o, "%llu 条记录尚未封存，仅由实时链保证\n",
                   "%llu records are not sealed yet: only the live chain speaks for them\n"),
               (unsigned long long)r.unsealed);
    if (r.findings)
        printf(say(o, "核验不通过：%llu 处\n", "it does not hold: %llu findings\n"), (unsigned long long)r.findings);
    else
        printf("%s\n", say(o, "核验通过", "it holds"));
    return r.findings ? 1 : 0;
}

static bool language(struct wanted *o)
{
    const char *from = o->lang;
    for (size_t i = 0; !from && i < 3; i++) {
        static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
        from = getenv(names[i]);
        from = from && from[0] ? from : NULL;
    }
    o->in = from && strncmp(from, "zh", 2) == 0 ? LT_ZH : LT_EN;
    return !o->lang || strcmp(o->lang, "zh") == 0 || strcmp(o->lang, "en") == 0;
}

int cmd_verify(int argc, char **argv)
{
    struct wanted o = {.threads = 2};
    const char *file = NULL;
    size_t n = 0;
    const struct opt opts[] = {
        {"--data", OPT_TEXT, &o.data, "DIR", "check everything a data directory holds instead of a file"},
        {"--from", OPT_INT, &o.from, "YYYYMMDD", "first day (with --data)"},
        {"--to", OPT_INT, &o.to, "YYYYMMDD", "last day (with --data)"},
        {"--threads", OPT_INT, &o.threads, "N", "that hash (with --data; default 2)"},
        {"--key", OPT_TEXT, &o.key, "FILE", "public keys (public.txt) it must be signed with"},
        {"--roots", OPT_TEXT, &o.roots, "FILE", "published lines it must agree with"},
        {"--ts-ca", OPT_TEXT, &o.ts_ca, "FILE", "certificates time stamps must be signed under (with --data)"},
        {"--lang", OPT_TEXT, &o.lang, "zh|en", "language; default by locale"},
    };
    int r = opt_parse(
        "verify PACK.zip|PROOF.json|- [--key FILE] [--roots FILE] | verify --data DIR [--from DAY] [--to DAY]", opts,
        sizeof opts / sizeof opts[0], argc, argv, &file, 1, &n);
    if (r)
        return r == 1 ? 0 : 2;
    if ((n == 1) == (o.data != NULL) || !language(&o) || o.threads < 1 || o.threads > 64) {
        fprintf(stderr,
                "lantian verify: a file or --data DIR is needed (not both); --lang zh or en; --threads 1 to 64\n");
        return 2;
    }
    struct proof_public pub;
    struct lt_error err;
    struct lt_buf lines = LT_BUF_INIT(16u << 20);
    struct proof_verify how = {0};
    if (o.key && proof_public_read(o.key, &pub, &err) != LT_OK)
        return tell_error("verify", &err);
    how.key = o.key ? &pub : NULL;
    if (o.roots && !read_all(o.roots, &lines))
        return 2;
    how.lines = lt_buf_slice(&lines);
    r = o.data ? verify_data(&o, &how) : verify_file(&o, file, &how);
    lt_buf_fini(&lines);
    return r;
}
