/* lantian: finds the subcommand and hands over. */
#include "main/cmd.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"serve", cmd_serve, "run the post: gateway, engine, API, pages"},
    {"demo", cmd_demo, "make the demonstration city"},
    {"sim", cmd_sim, "simulated devices and load generator"},
    {"hj212", cmd_hj212, "decode, encode, check frames"},
    {"aqi", cmd_aqi, "air-quality index of CSV rows"},
    {"assess", cmd_assess, "figures of a period from hourly CSV"},
    {"draw", cmd_draw, "random draw of targets and inspectors that anybody can repeat"},
    {"import", cmd_import, "import records of a kind, or hourly air values (import air)"},
    {"export", cmd_export, "export stored frames, or records of a kind"},
    {"replay", cmd_replay, "run past days again, also under changed rules"},
    {"ledger", cmd_ledger, "received, stored, duplicate, rejected per device"},
    {"verify", cmd_verify, "check an evidence package offline, or everything a post keeps"},
    {"verify-journal", cmd_verify_journal, "check the hash chain of the raw journal"},
    {"repair-journal", cmd_repair_journal, "let a post go on whose journal is damaged or lost"},
    {"user", cmd_user, "add and list users, set passwords (which also unlocks)"},
    {"backup", cmd_backup, "copy a post's data, also while it runs"},
    {"restore", cmd_restore, "make a data directory from a backup"},
    {"check-config", cmd_check_config, "check a configuration file"},
    {"version", cmd_version, "print the version"},
};

static void usage(FILE *to)
{
    fprintf(to, "usage: lantian COMMAND [OPTIONS]; lantian COMMAND --help tells more\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-15s %s\n", commands[i].name, commands[i].what);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return 0;
    }
    fprintf(stderr, "lantian: no command '%s'\n", argv[1]);
    usage(stderr);
    return 2;
}
