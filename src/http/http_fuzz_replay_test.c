/* Replays the http fuzz target on a corpus. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "/api/v1/device/12/series?kind=rtd&factors=a21026&from=2026-11-25T08:00:00%2B08:00\nzh-CN,zh;q=0.9,en;q=0.8",
        "/api/v1/enterprise?q=%E8%93%9D+%E5%A4%A9&sort=-name&limit=50&cursor=abc\ngzip, deflate;q=0.5, br",
        "/api/v1/alarm/7/sign\na=1; lt_session=abcdef; b=2",
        "/%zz?%00&=&&\n\"0123456789abcdef\", W/\"x\", *",
        "",
    };
    return fuzz_replay("http", corpus, sizeof corpus / sizeof corpus[0], 20000);
}
