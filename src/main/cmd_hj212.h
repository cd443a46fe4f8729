/* lantian hj212: frames to JSON lines and back. */
#ifndef LT_MAIN_CMD_HJ212_H
#define LT_MAIN_CMD_HJ212_H
#include <stdio.h>

/* As cmd_hj212() of main/cmd.h, with the streams given. Returns the exit status: 0, 1 (a line was refused), 2. */
int cmd_hj212_on(int argc, char **argv, FILE *in, FILE *out);
#endif
