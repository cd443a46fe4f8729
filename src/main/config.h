/* Configuration of the post: defaults, then a file (libconfuse syntax: name = value), then the command line.
 * Every setting is one row of config.def. */
#ifndef LT_MAIN_CONFIG_H
#define LT_MAIN_CONFIG_H
#include "base/err.h"

#include <stdio.h>

struct config {
#define STR(name, def, en, zh)                    char name[256];
#define INT(name, def, least, most, unit, en, zh) long name;
#include "main/config.def"
#undef STR
#undef INT
};

void config_defaults(struct config *c);
/* Reads a file over what *c holds. Unknown names and wrong types are errors that name file and line, values that cannot
 * be (config_check()) errors that name the setting; *c is untouched then. */
enum lt_err config_load(struct config *c, const char *path, struct lt_error *err) LT_MUST_CHECK;
/* Ranges, choices and addresses, of what was set on the command line too. */
enum lt_err config_check(const struct config *c, struct lt_error *err) LT_MUST_CHECK;
void config_print(const struct config *c, FILE *to); /* as a file that could be loaded, with a sentence each */
#endif
