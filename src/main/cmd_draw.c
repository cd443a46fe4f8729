/* lantian draw: commits to a list and a seed, draws when the public value is out, repeats and checks any draw. Works on
 * files alone; docs/FORMATS-draw.md. */
#include "main/cmd.h"
#include "base/text.h"
#include "main/opt.h"
#include "main/tell.h"
#include "main/whole_file.h"
#include "api/draw_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *in, *seed_file, *value, *verify, *commitment;
    bool new_seed;
};

/* 64 hex digits and a line end. A new one is made for the owner only, and never over an old one. */
static enum lt_err seed_of(const char *path, bool make, uint8_t ret[DRAW_SEED], struct lt_error *err)
{
    char hex[2 * DRAW_SEED + 2];
    if (make) {
        randombytes_buf(ret, DRAW_SEED);
        lt_text_hex(ret, DRAW_SEED, hex);
        hex[2 * DRAW_SEED] = '\n';
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
        bool ok = write(fd, hex, 2 * DRAW_SEED + 1) == 2 * DRAW_SEED + 1 && fsync(fd) == 0;
        return close(fd) == 0 && ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, "write error", NULL);
    }
    struct lt_buf b = LT_BUF_INIT(4096);
    enum lt_err e = whole_file(path, "4 MiB", &b, err);
    struct lt_slice s = lt_buf_slice(&b);
    if (!e && s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (!e && !lt_text_unhex(s, ret, DRAW_SEED))
        e = lt_fail(err, LT_E_BAD_INPUT, "--seed-file", "the seed file must hold 64 lower-case hex digits", NULL, NULL);
    if (b.p)
        sodium_memzero(b.p, b.n);
    lt_buf_fini(&b);
    return e;
}

static int print(struct lt_buf *out)
{
    lt_buf_addc(out, '\n');
    bool ok = !out->failed && fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0;
    if (!ok)
        fprintf(stderr, "lantian draw: cannot write the result\n");
    return ok ? 0 : 2;
}

static int run(const struct options *o, const struct draw_list *l, const uint8_t seed[DRAW_SEED], struct lt_slice line)
{
    struct draw_result *r = malloc(sizeof *r);
    struct draw_fault f = {.code = DRAW_E_NOMEM, .part = ""};
    struct lt_buf out = LT_BUF_INIT(4 * DRAW_FILE_MAX);
    struct lt_error err;
    struct jsonw w;
    if (!r || draw_run(l, seed, lt_slice_of(o->value), r, &f)) {
        free(r);
        draw_fault_error(&f, &err);
        return tell_error("draw", &err);
    }
    jsonw_init(&w, &out);
    draw_file_write(l, line, seed, lt_slice_of(o->value), r, &w);
    int status = print(&out);
    lt_buf_fini(&out);
    free(r);
    return status;
}

static int commit_or_run(const struct options *o)
{
    struct lt_buf in = LT_BUF_INIT(DRAW_FILE_MAX), line = LT_BUF_INIT(4096);
    struct draw_owned list = {0};
    struct lt_error err;
    uint8_t seed[DRAW_SEED], list_hash[DRAW_HASH], seed_hash[DRAW_HASH];
    int status = 2;
    enum lt_err e = whole_file(o->in, "4 MiB", &in, &err);
    if (!e)
        e = draw_list_read(lt_buf_slice(&in), &list, &err);
    if (!e)
        e = seed_of(o->seed_file, o->new_seed, seed, &err);
    if (!e && !draw_list_hash(&list.l, list_hash))
        e = lt_fail(&err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    if (e) {
        status = tell_error("draw", &err);
    } else {
        draw_seed_hash(seed, seed_hash);
        draw_commitment(list_hash, seed_hash, list.l.public_source, &line);
        if (o->commitment && !lt_slice_is(lt_buf_slice(&line), o->commitment)) {
            fprintf(stderr, "lantian draw: list or seed is not the one committed to; it gives:\n%.*s\n", (int)line.n,
                    line.p);
            status = 1;
        } else {
            status = o->value ? run(o, &list.l, seed, lt_buf_slice(&line)) : print(&line);
        }
    }
    sodium_memzero(seed, sizeof seed);
    draw_owned_fini(&list);
    lt_buf_fini(&in);
    lt_buf_fini(&line);
    return status;
}

static int verify(const struct options *o)
{
    struct lt_buf file = LT_BUF_INIT(DRAW_FILE_MAX);
    struct draw_report r;
    struct lt_error err;
    const char *lang = getenv("LANG");
    bool zh = lang && strncmp(lang, "zh", 2) == 0;
    enum lt_err e = whole_file(o->verify, "4 MiB", &file, &err);
    if (!e)
        e = draw_file_verify(lt_buf_slice(&file), lt_slice_of(o->commitment ? o->commitment : ""), &r, &err);
    lt_buf_fini(&file);
    if (e)
        return tell_error("draw", &err);
    for (size_t i = 0; i < r.n; i++)
        printf("%-5s %-9s %s\n",
               r.check[i].ok     ? "ok"
               : r.check[i].done ? "WRONG"
                                 : "-",
               r.check[i].name, zh ? r.check[i].zh : r.check[i].en);
    if (fflush(stdout) != 0)
        return 2;
    return r.ok ? 0 : r.sealed ? 2 : 1;
}

int cmd_draw(int argc, char **argv)
{
    struct options o = {0};
    const struct opt opts[] = {
        {"--in", OPT_TEXT, &o.in, "LIST.json", "the list: who can be drawn, weights, quotas, conflicts; - reads stdin"},
        {"--seed-file", OPT_TEXT, &o.seed_file, "F", "the secret seed, 64 hex digits"},
        {"--new-seed", OPT_FLAG, &o.new_seed, NULL, "make the seed file (never over an old one)"},
        {"--public", OPT_TEXT, &o.value, "VALUE", "the public value: draws, and prints the verification file"},
        {"--commitment", OPT_TEXT, &o.commitment, "LINE", "the line published before; must fit"},
        {"--verify", OPT_TEXT, &o.verify, "FILE", "repeat and check a draw; - reads stdin. exit 0 right, 1 wrong"}};
    int r = opt_parse("draw --in LIST.json --seed-file F [--new-seed] [--public VALUE] [--commitment LINE]\n"
                      "       lantian draw --verify FILE [--commitment LINE]\n"
                      "       Without --public the commitment line is printed: publish it before the value is known.",
                      opts, sizeof opts / sizeof opts[0], argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    if (sodium_init() < 0)
        return 2;
    if (o.verify && !o.in && !o.seed_file && !o.value && !o.new_seed)
        return verify(&o);
    if (o.verify || !o.in || !o.seed_file || (o.new_seed && o.value)) {
        fprintf(stderr, "lantian draw: wants --in and --seed-file, or --verify alone; a seed is made before the value "
                        "is known (lantian draw --help)\n");
        return 2;
    }
    return commit_or_run(&o);
}
