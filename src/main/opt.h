/* Command-line options of one subcommand, from a table; gives --help for free. */
#ifndef LT_MAIN_OPT_H
#define LT_MAIN_OPT_H
#include <stdbool.h>
#include <stddef.h>

enum opt_type { OPT_TEXT, OPT_INT, OPT_NUMBER, OPT_FLAG, OPT_LIST };
#define OPT_LIST_MAX 64 /* files of ten years by months and more */
struct opt_list {       /* an option that may be given again */
    const char *item[OPT_LIST_MAX];
    size_t n;
};
struct opt {
    const char *name; /* "--to" */
    enum opt_type type;
    void *to;          /* const char **, int64_t *, double *, bool *, struct opt_list * */
    const char *value; /* name of the value in the help, e.g. "HOST:PORT" */
    const char *help;
};

/* Parses argv[1..argc). Words that are no options go to words[] (at most most_words; more is an error).
 * Returns 0 to go on, 1 after --help (exit 0), 2 after an error told on standard error (exit 2). */
int opt_parse(const char *synopsis, const struct opt *opts, size_t n, int argc, char **argv, const char **words,
              size_t most_words, size_t *ret_words);
/* Checks more than one subcommand makes; false after telling on standard error. command: "export frames". */
bool opt_tz(const char *command, long long tz_min);
bool opt_journal(const char *command, const char *dir); /* --data was given, and a journal is there to be read */
/* Splits "127.0.0.1:9012" or "[::1]:9012"; false when it is no such thing. host holds cap bytes. */
bool opt_host_port(const char *text, char *ret_host, size_t cap, unsigned *ret_port);
#endif
