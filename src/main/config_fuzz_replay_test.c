/* Mutations of configuration files are read or refused, never worse. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {"http = \"127.0.0.1:8080\"\nmax_conns = 500\n# c\n",
                                         "enroll = 'open'",
                                         "a = { b = \"${HOME}\" }",
                                         "max_rate = 9999999999999999999999\n",
                                         "x += 1",
                                         "/* */ data = \"\\x41\""};
    return fuzz_replay("config", corpus, sizeof corpus / sizeof corpus[0], 3000);
}
