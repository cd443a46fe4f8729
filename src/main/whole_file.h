/* A whole file of a command line into memory. */
#ifndef LT_MAIN_WHOLE_FILE_H
#define LT_MAIN_WHOLE_FILE_H
#include "base/buf.h"
#include "base/err.h"
/* Appends the file to out; "-" is standard input. LT_E_IO (path, why); LT_E_TOO_LARGE (path, most) beyond out->limit,
 * which `most` puts into words. */
enum lt_err whole_file(const char *path, const char *most, struct lt_buf *out, struct lt_error *err) LT_MUST_CHECK;
#endif
