/* Shared by the tests of journal and recorder: scratch folders, invented frames. Test code only. */
#ifndef LT_JOURNAL_TEST_UTIL_H
#define LT_JOURNAL_TEST_UTIL_H
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rand.h"
#include "journal/journal.h"

#define TEST_T0 INT64_C(1795881600000) /* 2026-11-29 00:00:00 +08:00, an arbitrary day */

static inline void scratch_make(char ret[64])
{
    /* in memory where there is such a place: these tests are about logic, and sync thousands of times */
    snprintf(ret, 64, "%s/lt-journal-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(ret))
        abort();
}

static inline void scratch_remove(const char *dir)
{
    char sub[2048], path[4096];
    const char *const subs[] = {"/journal", ""};
    for (size_t i = 0; i < 2; i++) {
        snprintf(sub, sizeof sub, "%s%s", dir, subs[i]);
        DIR *d = opendir(sub);
        for (const struct dirent *e; d && (e = readdir(d));) {
            snprintf(path, sizeof path, "%s/%.255s", sub, e->d_name);
            if (e->d_name[0] != '.')
                unlink(path);
        }
        if (d)
            closedir(d);
        rmdir(sub);
    }
}

/* A frame of some 500 bytes as a monitor sends it; `salt` makes it differ from others of the same device and time.
 * The CRC digits are of the right form only. */
static inline size_t frame_make(char ret[1200], unsigned device, int64_t at_ms, unsigned salt, struct lt_slice *ret_mn)
{
    static const char *const factors[] = {"a21026", "a21002", "a34013", "a19001",
                                          "a01011", "a01012", "a01013", "a00000"};
    char qn[18], seg[1150];
    struct lt_rand rand;
    lt_rand_init(&rand, (uint64_t)device * 7919 + salt + (uint64_t)at_ms);
    lt_time_format_compact(at_ms, LT_TZ_CHINA, true, qn);
    int n = snprintf(seg, sizeof seg, "QN=%s;ST=31;CN=2011;PW=123456;MN=3501%010u;Flag=5;CP=&&DataTime=%.14s", qn,
                     device, qn);
    const int mn_at = (int)(strstr(seg, "MN=") - seg) + 3;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        const unsigned v = (unsigned)lt_rand_below(&rand, 9000);
        n += snprintf(seg + n, sizeof seg - (size_t)n, ";%s-Rtd=%u.%02u,%s-ZsRtd=%u.%02u,%s-Flag=N", factors[i],
                      v / 100, v % 100, factors[i], v / 90, v % 90, factors[i]);
    }
    n += snprintf(seg + n, sizeof seg - (size_t)n, "&&");
    const int total = snprintf(ret, 1200, "##%04d%s%04X", n, seg, (unsigned)lt_rand_below(&rand, 65536));
    *ret_mn = (struct lt_slice){ret + 6 + mn_at, 14};
    return (size_t)total;
}
#endif
