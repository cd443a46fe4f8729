/* lantian demo: makes the demonstration city in a directory. */
#include "base/clock.h"
#include "base/log.h"
#include "demo/demo.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct shown {
    const char *step;
    int percent;
    int64_t since_ms;
};

/* One line per step with its time; on a terminal also the share done so far. */
static void progress(void *user, const char *step, double share)
{
    struct shown *was = user;
    int percent = share < 0 ? 0 : share > 1 ? 100 : (int)(share * 100);
    bool terminal = isatty(STDERR_FILENO), next = !was->step || !step || strcmp(step, was->step) != 0;
    int64_t now = lt_mono_ms();
    if (next && was->step)
        fprintf(stderr, "%s  %-18s %5.1f s\n", terminal ? "\r" : "", was->step, (double)(now - was->since_ms) / 1000);
    if (next)
        *was = (struct shown){step, -1, now};
    if (step && terminal && percent != was->percent)
        fprintf(stderr, "\r  %-18s %3d %%  ", step, percent);
    was->percent = percent;
}

int cmd_demo(int argc, char **argv)
{
    const char *dir = NULL;
    int64_t days = 14, outlets = 600, seed = 1;
    const struct opt opts[] = {{"--data", OPT_TEXT, &dir, "DIR", "directory to make (required)"},
                               {"--days", OPT_INT, &days, "N", "days of history, 1..60 (default 14)"},
                               {"--outlets", OPT_INT, &outlets, "N", "monitored outlets, 20..10000 (default 600)"},
                               {"--seed", OPT_INT, &seed, "N", "another seed, another city (default 1)"}};
    int r = opt_parse("demo --data DIR [--days N] [--outlets N] [--seed N]", opts, 4, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    const char *bad = !dir                              ? "--data DIR is needed"
                      : days < 1 || days > 60           ? "--days must be between 1 and 60"
                      : outlets < 20 || outlets > 10000 ? "--outlets must be between 20 and 10000"
                      : seed < 1                        ? "--seed must be at least 1"
                                                        : NULL;
    if (bad) {
        fprintf(stderr, "lantian demo: %s; see lantian demo --help\n", bad);
        return 2;
    }
    lt_log_set_level(LT_WARN);
    int64_t start = lt_mono_ms();
    struct shown shown = {0};
    struct demo_config cfg = {.dir = dir,
                              .days = (unsigned)days,
                              .outlets = (unsigned)outlets,
                              .seed = (uint64_t)seed,
                              .now_ms = lt_wall_ms(),
                              .tz_min = LT_TZ_CHINA,
                              .progress = progress,
                              .user = &shown};
    struct demo_result res;
    struct lt_error err;
    enum lt_err e = demo_make(&cfg, &res, &err);
    progress(&shown, NULL, 1);
    if (e != LT_OK)
        return tell_error("demo", &err);
    printf("demonstration city in %s: %u plants, %u outlets, %llu frames, %llu alarms, %.0f s. Everything in it is "
           "invented.\n",
           dir, res.enterprises, res.outlets, (unsigned long long)res.frames, (unsigned long long)res.alarms,
           (double)(lt_mono_ms() - start) / 1000);
    return 0;
}
