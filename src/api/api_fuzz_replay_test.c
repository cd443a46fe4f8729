/* Replays the api fuzz target on a corpus. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "/person?q=%E4%BA%BA&sort=-name&limit=2\n{\"name\":\"x\",\"unit\":1,\"phone\":\"+86 371 1234 5678\"}",
        "/person?limit=2&cursor=eyJ2IjoxfQ\n{\"name\":\"\"}",
        "/enterprise?industry=steel,coking&lon.min=112.1&lon.max=113&status.not=closed\n"
        "{\"code\":\"91410100MA44000015\",\"name\":\"n\",\"industry\":\"steel\",\"territory\":1,\"lon\":112.123456}",
        "/alarm?severity=urgent&first_at_ms.min=2026-11-25T08:00:00%2B08:00&active=true&sort=first_at_ms\n{}",
        "/factor_limit?outlet=null&limit_value.max=1e3\n{\"outlet\":\"DA001\",\"factor\":\"a21026\",\"limit_value\":"
        "\"35.5\","
        "\"valid_from\":\"2026-01-01\"}",
        "/user?login=admin\n{\"login\":\"zhangsan\",\"name\":\"z\",\"role\":\"duty\",\"password\":\"x\"}",
    };
    return fuzz_replay("api", corpus, sizeof corpus / sizeof corpus[0], 4000);
}
