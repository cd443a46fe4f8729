/* Replays the frame collections and some thousand seeded mutations of them through the fuzz target, as an ordinary
 * test. */
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUNDS = 2000, LINE = 8192 };

static uint8_t *lines[2000];
static size_t len[2000], n_lines;

static void read_lines(const char *path)
{
    static char line[LINE];
    FILE *f = fopen(path, "rb");
    if (!f)
        abort();
    while (n_lines < 2000 && fgets(line, sizeof line, f)) {
        size_t n = strlen(line);
        if (n < 3 || (line[0] == '#' && line[1] == ' '))
            continue;
        lines[n_lines] = malloc(n + 1);
        memcpy(lines[n_lines], line, n);
        lines[n_lines][n - 1] = '\r';
        lines[n_lines][n] = '\n';
        len[n_lines++] = n + 1;
    }
    fclose(f);
}

/* Some lines, cut into pieces with control bytes between, some bytes changed. */
static size_t compose(struct lt_rand *r, uint8_t *ret, size_t cap)
{
    size_t n = 0;
    for (unsigned k = (unsigned)lt_rand_below(r, 6) + 1; k > 0; k--) {
        size_t i = (size_t)lt_rand_below(r, n_lines);
        for (size_t at = 0; at < len[i] && n + 1600 < cap;) {
            uint8_t size = (uint8_t)(lt_rand_below(r, 3) ? 31 : lt_rand_below(r, 31));
            size_t take = size == 31 ? 1500 : size;
            if (size == 31 && len[i] - at < 1500) { /* a short end in short pieces */
                size = (uint8_t)(len[i] - at < 30 ? len[i] - at : 30);
                take = size;
            }
            take = take < len[i] - at ? take : len[i] - at;
            ret[n++] = (uint8_t)(lt_rand_below(r, 8) << 5 | size);
            memcpy(ret + n, lines[i] + at, take);
            n += take;
            at += take;
        }
    }
    for (unsigned k = (unsigned)lt_rand_below(r, 4); k > 0 && n; k--)
        ret[lt_rand_below(r, n)] = (uint8_t)lt_rand_u64(r);
    return n;
}

int main(void)
{
    static uint8_t in[65536];
    struct lt_rand r;
    char path[1024];
    const char *dir = getenv("SESSION_CORPUS");
    if (!dir)
        return 2;
    snprintf(path, sizeof path, "%s/hj212-valid.txt", dir);
    read_lines(path);
    snprintf(path, sizeof path, "%s/hj212-invalid.txt", dir);
    read_lines(path);
    lt_rand_init(&r, 212);
    for (int i = 0; i < ROUNDS; i++)
        LLVMFuzzerTestOneInput(in, compose(&r, in, sizeof in));
    for (size_t i = 0; i < n_lines; i++)
        free(lines[i]);
    return 0;
}
