/* Stands in for the generated table when the pages have not been built. */
#include "assets/assets_pack.h"

#define PAGE                                                                                                                    \
    "<!doctype html><html lang=\"zh\"><head><meta charset=\"utf-8\"><title>Lantian 蓝天</title></head><body>"                 \
    "<h1>Lantian 蓝天</h1><p>The post runs, but this program was built without its pages. "                                   \
    "本程序编译时未包含网页。</p><pre>cd web &amp;&amp; npm ci &amp;&amp; npm run build &amp;&amp; node pack.mjs\n" \
    "meson compile -C build</pre><p>The interface works: <a "                                                                   \
    "href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a></p>"                                                                \
    "</body></html>\n"

const unsigned char assets_pack[] = PAGE;
const struct assets_file assets_table[] = {
    {"/index.html", "text/html; charset=utf-8", "0000000000000001", false, {{0, sizeof PAGE - 1}, {0, 0}, {0, 0}}},
};
const size_t assets_table_n = 1;
const bool assets_table_built = false;
