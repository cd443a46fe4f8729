/* Replays a fuzz target as an ordinary test: every line of the given files, whole and only its data area, each behind
 * some of the bytes that steer the target; then seeded random mutations of them. */
#include "base/fuzz_replay.h"

enum { LINES = 512, LONGEST = 4000, ROUNDS = 20000, STEER = 3, WAYS = 4, HEAD_BYTES = 90 };

static struct lt_slice seeds[LINES * WAYS * 2];
static size_t count;

static void add(struct lt_rand *r, struct lt_slice line)
{
    char *p = malloc(STEER + line.n);
    if (!p || count == sizeof seeds / sizeof seeds[0])
        exit(1);
    for (int k = 0; k < STEER; k++)
        p[k] = (char)lt_rand_u64(r);
    memcpy(p + STEER, line.p, line.n);
    seeds[count++] = (struct lt_slice){p, STEER + line.n};
}

static void read_lines(struct lt_rand *r, const char *path)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0, from = 0;
    for (size_t i = 0; i < n && count + 2 * WAYS <= sizeof seeds / sizeof seeds[0]; i++) {
        if (text[i] != '\n')
            continue;
        const struct lt_slice line = {text + from, i - from < LONGEST ? i - from : LONGEST};
        from = i + 1;
        for (int k = 0; k < WAYS; k++)
            add(r, line);
        for (int k = 0; k < WAYS && line.n > HEAD_BYTES; k++)
            add(r, (struct lt_slice){line.p + HEAD_BYTES, line.n - HEAD_BYTES});
    }
    if (f)
        fclose(f);
}

int main(int argc, char **argv)
{
    struct lt_rand r;
    lt_rand_init(&r, 20262);
    for (int i = 1; i < argc; i++)
        read_lines(&r, argv[i]);
    const int ret = count ? fuzz_replay_bytes("hj212", seeds, count, ROUNDS) : 1;
    for (size_t i = 0; i < count; i++) {
        union {
            const char *c;
            char *m;
        } u = {seeds[i].p};
        free(u.m);
    }
    return ret;
}
