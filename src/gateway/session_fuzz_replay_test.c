/* The fuzz target over the frames of the given files, cut into pieces with control bytes between, some bytes changed.
 */
#include "base/fuzz_replay.h"

enum { LINE = 8192 };

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

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        read_lines(argv[i]);
    const int ret = n_lines ? fuzz_replay_made("session", compose, 2000) : 1;
    for (size_t i = 0; i < n_lines; i++)
        free(lines[i]);
    return ret;
}
