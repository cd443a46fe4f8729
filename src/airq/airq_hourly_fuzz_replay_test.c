/* Replays the fuzz target of hourly lines as an ordinary test: every line of the given file alone and with the two
 * behind it, under changing options (the first byte), then mutations of them. */
#include "base/fuzz_replay.h"

enum { LINES = 256, LONGEST = 400, ROUNDS = 20000 };

static char text[1 << 16], seed[2 * LINES][3 * LONGEST + 4];
static const char *corpus[2 * LINES];

static size_t put(char *ret, size_t at, struct lt_slice line)
{
    const size_t n = line.n < LONGEST ? line.n : LONGEST;
    memcpy(ret + at, line.p, n);
    ret[at + n] = '\0';
    return at + n;
}

static size_t read_lines(const char *path, struct lt_slice line[LINES])
{
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    size_t count = 0;
    for (size_t i = 0, from = 0; i < n && count < LINES; i++)
        if (text[i] == '\n') {
            line[count++] = (struct lt_slice){text + from, i - from};
            from = i + 1;
        }
    if (f)
        fclose(f);
    return count;
}

int main(int argc, char **argv)
{
    static struct lt_slice line[LINES];
    const size_t count = argc == 2 ? read_lines(argv[1], line) : 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t lines = 1; lines <= 3; lines += 2) {
            size_t at = 1;
            seed[n][0] = (char)('0' + n % 16);
            for (size_t k = 0; k < lines; k++) {
                if (k)
                    seed[n][at++] = '\n';
                at = put(seed[n], at, line[(i + k) % count]);
            }
            corpus[n] = seed[n];
            n++;
        }
    return n == 0 ? 1 : fuzz_replay("hourly lines", corpus, n, ROUNDS);
}
