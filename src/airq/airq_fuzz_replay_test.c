/* Replays a fuzz target as an ordinary test: every line of the given file, then seeded random mutations of them, one to
 * three lines together. */
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINES = 256, LONGEST = 400, ROUNDS = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char text[1 << 16];
static struct lt_slice lines[LINES];
static size_t count;

static void read_lines(const char *path)
{
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    for (size_t i = 0, from = 0; i < n && count < LINES; i++)
        if (text[i] == '\n') {
            lines[count++] = (struct lt_slice){text + from, i - from < LONGEST ? i - from : LONGEST};
            from = i + 1;
        }
    if (f)
        fclose(f);
}

static size_t mutate(struct lt_rand *r, uint8_t *p, size_t n)
{
    static const char liked[] = ",\"\n-:. T0124eE+\r\xEF";
    for (uint64_t left = lt_rand_below(r, 5); left > 0 && n > 4; left--) {
        const size_t at = lt_rand_below(r, n), len = 1 + lt_rand_below(r, 4);
        switch (lt_rand_below(r, 3)) {
        case 0:
            p[at] = (uint8_t)lt_rand_u64(r);
            break;
        case 1:
            p[at] = (uint8_t)liked[lt_rand_below(r, sizeof liked - 1)];
            break;
        default:
            memmove(p + at, p + at + (len < n - at ? len : n - at), n - at - (len < n - at ? len : n - at));
            n -= len < n - at ? len : n - at;
            break;
        }
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t work[4 * (LONGEST + 1)];
    struct lt_rand r;
    lt_rand_init(&r, 20263);
    if (argc == 2)
        read_lines(argv[1]);
    if (count == 0)
        return 1;
    for (size_t i = 0; i < count + ROUNDS; i++) {
        size_t n = 1;
        work[0] = (uint8_t)lt_rand_u64(&r);
        for (uint64_t k = i < count ? 1 : 1 + lt_rand_below(&r, 3); k > 0; k--) {
            const struct lt_slice s = lines[i < count ? i : lt_rand_below(&r, count)];
            memcpy(work + n, s.p, s.n);
            n += s.n;
            if (k > 1)
                work[n++] = '\n';
        }
        n = i < count ? n : 1 + mutate(&r, work + 1, n - 1);
        uint8_t *exact = malloc(n);
        if (!exact)
            return 1;
        memcpy(exact, work, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    printf("1..1\nok 1 - %zu lines and %d mutations\n", count, ROUNDS);
    return 0;
}
