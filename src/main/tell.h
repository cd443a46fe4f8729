/* Tells a failure on standard error: what, where, what to do. */
#ifndef LT_MAIN_TELL_H
#define LT_MAIN_TELL_H
#include "base/err.h"
int tell_error(const char *command, const struct lt_error *err); /* always 2, the exit status */
#endif
