/* Replays the paper fuzz target on a corpus. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "{\"v\":1,\"lang\":\"zh\",\"title\":\"t\",\"blocks\":[{\"t\":\"text\",\"text\":\"a\"},{\"t\":\"page\"}]}",
        "{\"v\":1,\"blocks\":[{\"t\":\"table\",\"cols\":[{\"title\":\"a\",\"group\":\"g\",\"number\":true}],\"rows\":[["
        "\"1\"],"
        "[{\"s\":\"2\",\"m\":\"l3\"}]]}]}",
        "{\"v\":1,\"blocks\":[{\"t\":\"chart\",\"bars\":true,\"labels\":[\"a\",\"b\"],\"limit\":5000000,\"series\":[{"
        "\"name\":"
        "\"s\",\"values\":[1,null]}]}]}",
        "{\"v\":1,\"landscape\":true,\"blocks\":[{\"t\":\"figures\",\"items\":[{\"label\":\"l\",\"value\":\"1\","
        "\"mark\":"
        "\"bad\"}]}]}",
    };
    return fuzz_replay("paper", corpus, sizeof corpus / sizeof corpus[0], 600);
}
