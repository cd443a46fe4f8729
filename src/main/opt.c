/* Option tables; see opt.h. */
#include "main/opt.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void help(const char *synopsis, const struct opt *opts, size_t n)
{
    printf("usage: lantian %s\n", synopsis);
    for (size_t i = 0; i < n; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", opts[i].name, opts[i].value ? opts[i].value : "");
        printf("  %-28s %s\n", left, opts[i].help);
    }
}

static bool take(const struct opt *o, const char *value)
{
    struct lt_slice s = lt_slice_of(value);
    char *end = NULL;
    struct opt_list *list = o->type == OPT_LIST ? o->to : NULL;
    switch (o->type) {
    case OPT_TEXT:
        *(const char **)o->to = value;
        return true;
    case OPT_INT:
        return lt_text_to_i64(s, o->to);
    case OPT_NUMBER:
        *(double *)o->to = strtod(value, &end);
        return s.n && *end == '\0';
    case OPT_LIST:
        if (list->n == OPT_LIST_MAX)
            return false;
        list->item[list->n++] = value;
        return true;
    case OPT_FLAG:
        break;
    }
    return false;
}

/* Length of the command in a synopsis: its first words, "import air" of "import air FILE --data DIR". */
static int command_n(const char *synopsis)
{
    size_t n = 0;
    for (size_t w; (w = strspn(synopsis + n, "abcdefghijklmnopqrstuvwxyz0123456789-")) > 0 && synopsis[n] != '-';) {
        if (synopsis[n + w] != ' ' && synopsis[n + w] != '\0')
            break;
        n += w + (synopsis[n + w] == ' ');
    }
    while (n > 0 && synopsis[n - 1] == ' ')
        n--;
    return (int)n;
}

int opt_parse(const char *synopsis, const struct opt *opts, size_t n, int argc, char **argv, const char **words,
              size_t most_words, size_t *ret_words)
{
    size_t count = 0;
    for (int a = 1; a < argc; a++) {
        const char *arg = argv[a];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            help(synopsis, opts, n);
            return 1;
        }
        if (arg[0] != '-' || arg[1] == '\0') {
            if (count == most_words) {
                fprintf(stderr, "lantian: '%s' is one word too many; usage: lantian %s\n", arg, synopsis);
                return 2;
            }
            words[count++] = arg;
            continue;
        }
        size_t name_n = strcspn(arg, "="), i = 0;
        while (i < n && !(strlen(opts[i].name) == name_n && memcmp(opts[i].name, arg, name_n) == 0))
            i++;
        if (i == n) {
            fprintf(stderr, "lantian: unknown option '%s'; see lantian %.*s --help\n", arg, command_n(synopsis),
                    synopsis);
            return 2;
        }
        if (opts[i].type == OPT_FLAG) {
            *(bool *)opts[i].to = true;
            continue;
        }
        const char *value = arg[name_n] == '=' ? arg + name_n + 1 : a + 1 < argc ? argv[++a] : NULL;
        if (!value || !take(&opts[i], value)) {
            fprintf(stderr, "lantian: %s needs %s%s%s\n", opts[i].name, opts[i].value ? opts[i].value : "a value",
                    value ? ", not " : "", value ? value : "");
            return 2;
        }
    }
    if (ret_words)
        *ret_words = count;
    return 0;
}

bool opt_tz(const char *command, long long tz_min)
{
    if (tz_min >= -720 && tz_min <= 840)
        return true;
    fprintf(stderr, "lantian %s: --tz must be minutes between -720 and 840\n", command);
    return false;
}

bool opt_journal(const char *command, const char *dir)
{
    char path[1100];
    if (!dir) {
        fprintf(stderr, "lantian %s: --data DIR is needed\n", command);
        return false;
    }
    snprintf(path, sizeof path, "%.1000s/journal", dir);
    if (access(path, R_OK | X_OK) ==
        0) /* a wrong path must not be told from an empty journal only by its zero records */
        return true;
    fprintf(stderr, "lantian %s: no journal in %s\n", command, dir);
    return false;
}

bool opt_host_port(const char *text, char *ret_host, size_t cap, unsigned *ret_port)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || colon == text || !lt_text_to_u64(lt_slice_of(colon + 1), &port) || port > 65535)
        return false;
    struct lt_slice h = {text, (size_t)(colon - text)};
    if (h.p[0] == '[') {
        if (h.n < 3 || h.p[h.n - 1] != ']')
            return false;
        h = (struct lt_slice){h.p + 1, h.n - 2};
    }
    if (h.n >= cap)
        return false;
    lt_text_copy_slice(ret_host, cap, h);
    *ret_port = (unsigned)port;
    return true;
}
