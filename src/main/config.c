/* Configuration from one table (config.def); see config.h. */
#include "main/config.h"
#include "base/text.h"
#include "main/opt.h"

#include <confuse.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

void config_defaults(struct config *c)
{
    memset(c, 0, sizeof *c);
#define STR(name, def, en, zh)                    lt_text_copy(c->name, sizeof c->name, def);
#define INT(name, def, least, most, unit, en, zh) c->name = def;
#include "main/config.def"
#undef STR
#undef INT
}

/* libconfuse reports through a callback without user data, so the last message waits here; config_load() is called
 * once, from main, before any thread starts. */
static char last_message[256];
static int last_line;

static void __attribute__((format(printf, 2, 0))) on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    vsnprintf(last_message, sizeof last_message, fmt, ap);
    last_line = cfg ? cfg->line : 0;
}

static enum lt_err fail_at(struct lt_error *err, const char *path, int line, const char *text)
{
    char no[16];
    snprintf(no, sizeof no, "%d", line);
    return lt_fail(err, LT_E_CONF, NULL, path, no, text);
}

enum lt_err config_load(struct config *c, const char *path, struct lt_error *err)
{
    cfg_opt_t opts[] = {
#define STR(name, def, en, zh)                    CFG_STR(#name, def, CFGF_NODEFAULT),
#define INT(name, def, least, most, unit, en, zh) CFG_INT(#name, def, CFGF_NODEFAULT),
#include "main/config.def"
#undef STR
#undef INT
        CFG_END()};
    if (access(path, R_OK) != 0)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    cfg_set_error_function(cfg, on_error);
    last_message[0] = '\0';
    int r = cfg_parse(cfg, path);
    if (r != CFG_SUCCESS) {
        cfg_free(cfg);
        return fail_at(err, path, last_line, last_message[0] ? last_message : "cannot be read");
    }
    struct config with = *c;
#define STR(name, def, en, zh)                                                                                         \
    if (cfg_size(cfg, #name) && cfg_getstr(cfg, #name))                                                                \
        lt_text_copy(with.name, sizeof with.name, cfg_getstr(cfg, #name));
#define INT(name, def, least, most, unit, en, zh)                                                                      \
    if (cfg_size(cfg, #name))                                                                                          \
        with.name = cfg_getint(cfg, #name);
#include "main/config.def"
#undef STR
#undef INT
    cfg_free(cfg);
    enum lt_err e = config_check(&with, err);
    if (e == LT_OK)
        *c = with;
    return e;
}

enum lt_err config_check(const struct config *c, struct lt_error *err)
{
    char lo[24], hi[24];
#define STR(name, def, en, zh)
#define INT(name, def, least, most, unit, en, zh)                                                                      \
    if (c->name < (least) || c->name > (most)) {                                                                       \
        snprintf(lo, sizeof lo, "%ld", (long)(least));                                                                 \
        snprintf(hi, sizeof hi, "%ld", (long)(most));                                                                  \
        return lt_fail(err, LT_E_FIELD_RANGE, #name, #name, lo, hi);                                                   \
    }
#include "main/config.def"
#undef STR
#undef INT
    if (strcmp(c->enroll, "open") != 0 && strcmp(c->enroll, "closed") != 0)
        return lt_fail(err, LT_E_FIELD_CHOICE, "enroll", "enroll", c->enroll, "open, closed");
    if (strcmp(c->first_connect, "standard") != 0 && strcmp(c->first_connect, "needed") != 0 &&
        strcmp(c->first_connect, "off") != 0)
        return lt_fail(err, LT_E_FIELD_CHOICE, "first_connect", "first_connect", c->first_connect,
                       "standard, needed, off");
    if (strcmp(c->log, "debug") && strcmp(c->log, "info") && strcmp(c->log, "warn") && strcmp(c->log, "error"))
        return lt_fail(err, LT_E_FIELD_CHOICE, "log", "log", c->log, "debug, info, warn, error");
    char host[256];
    unsigned port;
    if (!opt_host_port(c->http, host, sizeof host, &port))
        return lt_fail(err, LT_E_FIELD_FORMAT, "http", "http", c->http, "127.0.0.1:8080, [::]:8080");
    if (!opt_host_port(c->hj212, host, sizeof host, &port))
        return lt_fail(err, LT_E_FIELD_FORMAT, "hj212", "hj212", c->hj212, "127.0.0.1:9012, [::]:9012");
    if (!c->tls_cert[0] != !c->tls_key[0])
        return lt_fail(err, LT_E_FIELD_REQUIRED, "tls_key", c->tls_cert[0] ? "tls_key" : "tls_cert", NULL, NULL);
    return LT_OK;
}

void config_print(const struct config *c, FILE *to)
{
#define STR(name, def, en, zh) fprintf(to, "# %s\n%s = \"%s\"\n", en, #name, c->name);
#define INT(name, def, least, most, unit, en, zh)                                                                      \
    fprintf(to, "# %s (%ld..%ld%s%s)\n%s = %ld\n", en, (long)(least), (long)(most), unit[0] ? " " : "", unit, #name,   \
            c->name);
#include "main/config.def"
#undef STR
#undef INT
}
