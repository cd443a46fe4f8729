/* Replays the fuzz target of a draw's JSON on a corpus. */
#include "base/fuzz_replay.h"

#define LIST                                                                                                            \
    "{\"format\":\"lantian-draw-list\",\"version\":1,\"name\":\"n\",\"pick\":2,\"team\":1,\"avoid_own_county\":true,"   \
    "\"public\":\"p\",\"weights\":[{\"by\":\"risk\",\"value\":\"h\",\"weight\":4},{\"by\":\"credit\",\"value\":\"A\","  \
    "\"weight\":1}],\"quotas\":[{\"by\":\"county\",\"value\":\"c\",\"min\":0,\"max\":1}],\"inspectors\":[{\"id\":"      \
    "\"P1\",\"name\":\"甲\",\"unit\":\"\",\"county\":\"\"},{\"id\":\"P2\",\"name\":\"乙\",\"unit\":\"u\",\"county\":" \
    "\"c\"}],\"targets\":[{\"id\":\"E1\",\"name\":\"a\",\"county\":\"c\",\"industry\":\"s\",\"risk\":\"h\","            \
    "\"credit\":"                                                                                                       \
    "\"A\"},{\"id\":\"E2\",\"name\":\"b\",\"county\":\"d\",\"industry\":\"s\",\"risk\":\"h\",\"credit\":\"A\"}],"       \
    "\"conflicts\":[{\"inspector\":\"P2\",\"target\":\"E2\",\"why\":\"\"}]}"

int main(void)
{
    static const char *const corpus[] = {
        LIST,
        "{\"format\":\"lantian-draw\",\"version\":1,\"commitment\":\"LANTIAN-DRAW 1 "
        "list=0000000000000000000000000000000000000000000000000000000000000000 "
        "seed=0000000000000000000000000000000000000000000000000000000000000000 public=\\\"p\\\"\"}",
        "{\"format\":\"lantian-draw\",\"version\":1,\"commitment\":\"LANTIAN-DRAW 1 "
        "list=0000000000000000000000000000000000000000000000000000000000000000 "
        "seed=0000000000000000000000000000000000000000000000000000000000000000 public=\\\"p\\\"\",\"list\":" LIST
        ",\"seed\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"public_value\":\"5\","
        "\"result\":{\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"drawn\":[{"
        "\"n\":1,\"target\":\"E2\",\"weight\":4,\"team\":[\"P1\"]},{\"n\":2,\"target\":\"E1\",\"weight\":4,\"team\":["
        "\"P1\"]}]}}",
    };
    return fuzz_replay("draw_file", corpus, sizeof corpus / sizeof corpus[0], 6000);
}
