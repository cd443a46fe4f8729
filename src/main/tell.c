/* Failures on standard error, in the language of LANG. */
#include "main/tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tell_error(const char *command, const struct lt_error *err)
{
    const char *lang = getenv("LANG");
    enum lt_lang l = lang && strncmp(lang, "zh", 2) == 0 ? LT_ZH : LT_EN;
    char text[700], hint[300];
    lt_error_text(err, l, text, sizeof text);
    lt_error_hint(err, l, hint, sizeof hint);
    fprintf(stderr, "lantian %s: %s%s%s\n", command, text, hint[0] ? "; " : "", hint);
    return 2;
}
