/* The subcommands. Each gets its own name as argv[0] and returns the exit status: 0 success, 1 the answer is no,
 * 2 wrong use or bad input. */
#ifndef LT_MAIN_CMD_H
#define LT_MAIN_CMD_H
int cmd_serve(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_aqi(int argc, char **argv);
int cmd_assess(int argc, char **argv);
int cmd_draw(int argc, char **argv);
int cmd_hj212(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_import_air(int argc, char **argv);
int cmd_export(int argc, char **argv); /* frames or a kind */
int cmd_export_frames(int argc, char **argv);
int cmd_export_kind(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_ledger(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_repair_journal(int argc, char **argv);
int cmd_verify_journal(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_version(int argc, char **argv);
#endif
