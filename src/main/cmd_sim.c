/* lantian sim: simulated devices against any platform that speaks HJ 212; also the load generator. */
#include "main/cmd.h"
#include "main/opt.h"
#include "sim/sim_client.h"

#include <stdio.h>
#include <stdlib.h>

static void make_device(struct sim_device *d, unsigned i, uint64_t seed, const char *pw, const char *prefix)
{
    sim_device_init(d, i, seed, (enum sim_industry)(i % SIM_INDUSTRIES));
    memcpy(d->pw, pw, strlen(pw) + 1);
    if (prefix)
        snprintf(d->mn, sizeof d->mn, "%s%06u", prefix, i);
}

/* The exit status: frames lost 1; nobody there, or a failure, 2. */
static int outcome(const char *to, enum lt_err e, const struct lt_error *err, const struct sim_report *rep)
{
    char text[512];
    if (e != LT_OK) {
        lt_error_text(err, LT_EN, text, sizeof text);
        fprintf(stderr, "lantian sim: %s\n", text);
        return 2;
    }
    sim_report_print(rep, stdout);
    if (rep->connects > 0 || rep->connect_failures == 0)
        return rep->lost ? 1 : 0;
    fprintf(stderr, "lantian sim: nothing answers at %s: none of %llu attempts to connect succeeded\n", to,
            (unsigned long long)rep->connect_failures);
    return 2;
}

int cmd_sim(int argc, char **argv)
{
    const char *to = NULL, *acked = NULL, *pw = "123456", *prefix = NULL, *load = "cems", *samples = NULL;
    int64_t devices = 1, window = 1, seed = 1, backlog_s = 0, step_s = 30, timeout_ms = 10000, drain_ms = 15000,
            sources = 0;
    double rate = 1, seconds = 10;
    bool city = false, quiet = false;
    const struct opt opts[] = {
        {"--to", OPT_TEXT, &to, "HOST:PORT", "where the platform listens (required)"},
        {"--devices", OPT_INT, &devices, "N", "simulated devices, one connection each (default 1)"},
        {"--rate", OPT_NUMBER, &rate, "R", "frames a second of all together; 0: as fast as answers come (default 1)"},
        {"--seconds", OPT_NUMBER, &seconds, "S", "how long to send (default 10)"},
        {"--window", OPT_INT, &window, "N", "unanswered frames per device, 1..64 (default 1)"},
        {"--seed", OPT_INT, &seed, "N", "other seed, other devices (default 1)"},
        {"--mn-prefix", OPT_TEXT, &prefix, "TEXT", "MN is TEXT and a number, at most 24 characters together"},
        {"--pw", OPT_TEXT, &pw, "TEXT", "password, 6 characters (default 123456)"},
        {"--backlog", OPT_INT, &backlog_s, "S", "data times start S seconds ago and advance --step a frame"},
        {"--step", OPT_INT, &step_s, "S", "with --backlog: seconds between data times (default 30)"},
        {"--timeout", OPT_INT, &timeout_ms, "MS", "before a frame is sent again (default 10000; 3 resends)"},
        {"--drain", OPT_INT, &drain_ms, "MS", "at the end, wait this long for answers (default 15000)"},
        {"--sources", OPT_INT, &sources, "N", "connect from 127.0.0.1 … 127.0.0.N in turn"},
        {"--city", OPT_FLAG, &city, NULL, "devices keep a real schedule and misbehave now and then; --rate is ignored"},
        {"--load", OPT_TEXT, &load, "KIND", "what they send: cems (default), power, dust or vehicle"},
        {"--samples", OPT_TEXT, &samples, "FILE", "a line of JSON there every 5 s: counts, latency of these 5 s"},
        {"--acked", OPT_TEXT, &acked, "FILE", "write every acknowledged frame there, one per line"},
        {"--quiet", OPT_FLAG, &quiet, NULL, "no progress on standard error"},
    };
    int r = opt_parse("sim --to HOST:PORT [--devices N] [--rate R] [--seconds S] …", opts, sizeof opts / sizeof opts[0],
                      argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    char host[128];
    unsigned port;
    if (!to || !opt_host_port(to, host, sizeof host, &port)) {
        fprintf(stderr, "lantian sim: --to HOST:PORT is needed, for example --to 127.0.0.1:9012\n");
        return 2;
    }
    enum sim_load kind;
    if (!sim_load_kind(load, &kind) || devices < 1 || devices > 200000 || window < 1 || window > SIM_WINDOW_MAX ||
        rate < 0 || seconds < 0 || strlen(pw) > 6 || (prefix && strlen(prefix) > 18)) {
        fprintf(stderr, "lantian sim: a value is out of range; see lantian sim --help\n");
        return 2;
    }
    FILE *log = acked ? fopen(acked, "w") : NULL, *lines = samples ? fopen(samples, "w") : NULL;
    struct sim_device *d = calloc((size_t)devices, sizeof *d);
    if (!d || (acked && !log) || (samples && !lines)) {
        fprintf(stderr, "lantian sim: %s\n", d ? "cannot write the file of --acked or --samples" : "out of memory");
        r = 2;
        goto end;
    }
    for (unsigned i = 0; i < (unsigned)devices; i++)
        make_device(&d[i], i, (uint64_t)seed, pw, prefix);
    struct sim_client_config cfg = {.host = host,
                                    .load = kind,
                                    .samples = lines,
                                    .port = port,
                                    .devices = d,
                                    .n = (unsigned)devices,
                                    .city = city,
                                    .rate = rate,
                                    .seconds = seconds,
                                    .window = (unsigned)window,
                                    .timeout_ms = (unsigned)timeout_ms,
                                    .drain_ms = (unsigned)drain_ms,
                                    .backlog_ms = backlog_s * 1000,
                                    .step_ms = step_s * 1000,
                                    .sources = (unsigned)sources,
                                    .acked = log,
                                    .progress = !quiet};
    struct sim_report rep;
    struct lt_error err;
    r = outcome(to, sim_client_run(&cfg, &rep, &err), &err, &rep);
end:
    if (log && fclose(log) != 0)
        r = 2;
    if (lines && fclose(lines) != 0)
        r = 2;
    free(d);
    return r;
}
