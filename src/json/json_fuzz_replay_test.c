/* Replays the json fuzz target on a corpus. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "{\"a\":[1,2.5,-0.1e-3,true,null,\"\\u84dd\\u5929\"]}",
        "[1e5,0.0000005,123456789012345.6,9007199254740993]",
        "[\"a\\\"b\\\\c\\n\",\"蓝天\",\"\\ud83d\\ude00\"]",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "{\"a\":1,\"a\":2}",
        "[\"12.35\",\"-.5\",\"5.\",\"1.2.3\",\"\"]",
        "",
        "{\"n\":-9223372036854775808,\"e\":1e400}",
    };
    return fuzz_replay("json", corpus, sizeof corpus / sizeof corpus[0], 20000);
}
