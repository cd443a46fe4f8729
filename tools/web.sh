#!/bin/sh
# Builds the web pages when they changed: src/assets/web_pack.bin, which the program carries. usage: tools/web.sh
set -eu
cd "$(dirname "$0")/.."
stamp=web/node_modules/.installed
if [ ! -e $stamp ] || [ web/package-lock.json -nt $stamp ]; then
    echo "== web: installing packages"
    (cd web && npm ci --no-audit --no-fund --loglevel=error)
    touch $stamp
fi
if [ ! -e src/assets/web_pack.bin ] || [ -n "$(find web/src web/index.html web/public web/*.ts web/*.json web/pack.mjs -newer src/assets/web_pack.bin 2>/dev/null | head -n 1)" ]; then
    echo "== web: building pages"
    (cd web && npm run --silent build -- --logLevel warn && node pack.mjs)
fi
