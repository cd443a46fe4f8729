/* Replays a fuzz target as an ordinary test: every line of the given files, then seeded random mutations of them. The
 * bytes that steer the target (its first ones) are made at random too. */
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>

#define LINES   512
#define LONGEST 4000
#define ROUNDS  20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct lt_slice lines[LINES];
static size_t count;

static void read_lines(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *p = malloc(1 << 20);
    size_t n = f && p ? fread(p, 1, 1 << 20, f) : 0, from = 0;
    for (size_t i = 0; i < n && count < LINES; i++)
        if (p[i] == '\n') {
            lines[count++] = (struct lt_slice){p + from, i - from < LONGEST ? i - from : LONGEST};
            from = i + 1;
        }
    if (f)
        fclose(f);
}

/* Changes, drops or repeats some bytes, or puts a piece of another line in. */
static size_t mutate(struct lt_rand *r, uint8_t *p, size_t n)
{
    static const char liked[] = "#&=,;-/ .\r\nNCP09\x80";
    for (uint64_t left = lt_rand_below(r, 6); left > 0 && n > 8 && n < LONGEST; left--) {
        size_t at = lt_rand_below(r, n), len = 1 + lt_rand_below(r, 8);
        const struct lt_slice other = lines[lt_rand_below(r, count)];
        switch (lt_rand_below(r, 4)) {
        case 0:
            p[at] = (uint8_t)lt_rand_u64(r);
            break;
        case 1:
            p[at] = (uint8_t)liked[lt_rand_below(r, sizeof liked - 1)];
            break;
        case 2:
            len = len < n - at ? len : n - at;
            memmove(p + at, p + at + len, n - at - len);
            n -= len;
            break;
        default:
            memcpy(p + n, other.p, other.n);
            n += other.n;
            break;
        }
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t work[3 * LONGEST];
    struct lt_rand r;
    lt_rand_init(&r, 20262);
    for (int i = 1; i < argc; i++)
        read_lines(argv[i]);
    if (count == 0)
        return 1;
    for (size_t i = 0; i < count + ROUNDS; i++) {
        const struct lt_slice s = lines[i < count ? i : lt_rand_below(&r, count)];
        size_t skip = i >= count && lt_rand_below(&r, 2) && s.n > 100 ? 90 : 0; /* now and then only the data area */
        for (int k = 0; k < 3; k++)
            work[k] = (uint8_t)lt_rand_u64(&r);
        memcpy(work + 3, s.p + skip, s.n - skip);
        size_t n = s.n - skip + 3;
        n = i < count ? n : 3 + mutate(&r, work + 3, n - 3);
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
