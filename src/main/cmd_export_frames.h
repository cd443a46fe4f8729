/* lantian export frames: what was received, as it was received. */
#ifndef LT_MAIN_CMD_EXPORT_FRAMES_H
#define LT_MAIN_CMD_EXPORT_FRAMES_H
#include <stdio.h>

/* As cmd_export_frames() of main/cmd.h, with the stream given. Returns the exit status: 0 or 2. */
int cmd_export_frames_on(int argc, char **argv, FILE *out);
#endif
