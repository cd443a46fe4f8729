#include "main/whole_file.h"

#include <errno.h>
#include <stdio.h>

enum lt_err whole_file(const char *path, const char *most, struct lt_buf *out, struct lt_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rb");
    if (!f)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    char part[65536];
    size_t n;
    while (!out->failed && (n = fread(part, 1, sizeof part, f)) > 0)
        lt_buf_add(out, part, n);
    int why = ferror(f) ? errno : 0;
    if (!standard)
        fclose(f);
    if (why)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(why), NULL);
    return out->failed ? lt_fail(err, LT_E_TOO_LARGE, NULL, path, most, NULL) : LT_OK;
}
