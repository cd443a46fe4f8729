/* Replays the record fuzz target on a corpus. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "{\"code\":\"410102\",\"name\":\"区\",\"level\":\"county\",\"parent\":1,\"center_lon\":113.5}",
        "{\"mn\":\"A1\",\"pw\":\"x\",\"sm4_key\":\"00112233445566778899aabbccddeeff\",\"allow\":\"10.0.0.0/"
        "8\",\"st\":\"31\"}",
        "{\"code\":\"91410100MA44000001\",\"name\":\"厂\",\"industry\":\"钢铁\",\"territory\":\"410100\",\"protected\":"
        "\"是\"}",
        "{\"code\":\"silence\",\"severity\":\"urgent\",\"enabled\":true,\"enter_fix\":\"1,234.5\",\"valid_from\":"
        "\"2026-01-05\"}",
        "{\"object_kind\":\"post\",\"reason\":\"r\",\"until_at\":\"2026.12.1 8:00\",\"author\":\"me\"}",
        "{\"code\":\"r\",\"name\":\"r\",\"permissions\":\"device:read,*:write\"}",
        "q=a%25&sort=-name&limit=7&code=1,2,3&name.not=null&center_lon.min=1.5",
        "cursor=6e616d657c647c567c337c&sort=-name&id.max=5",
        "code,name,industry,territory,经度(°)\n91410100MA44000001,厂,钢铁,410100,１１３\n,,\n",
        "行政区划代码,名称,级别\n410102,\"=a\",区县\n",
        "outlet,state,begin_at\nx,fault,2026年1月5日 8时30分\n",
    };
    return fuzz_replay("record_json", corpus, sizeof corpus / sizeof corpus[0], 3000);
}
