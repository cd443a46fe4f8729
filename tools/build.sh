#!/bin/sh
# Builds the web pages (when they changed) and the program. usage: tools/build.sh [BUILD_DIR] [meson options...]
set -eu
cd "$(dirname "$0")/.."
dir=${1:-build}
[ $# -gt 0 ] && shift
if [ "${LT_SKIP_WEB:-0}" != 1 ]; then
    stamp=web/node_modules/.installed
    if [ ! -e $stamp ] || [ web/package-lock.json -nt $stamp ]; then
        echo "== web: installing packages"
        (cd web && npm ci --no-audit --no-fund --loglevel=error)
        touch $stamp
    fi
    if [ ! -e src/assets/web_pack.bin ] || [ -n "$(find web/src web/index.html web/public web/*.ts web/*.json web/pack.mjs -newer src/assets/web_pack.bin 2>/dev/null | head -n 1)" ]; then
        echo "== web: building pages"
        (cd web && npm run --silent build && node pack.mjs)
    fi
fi
if [ ! -e "$dir/build.ninja" ]; then
    echo "== configuring $dir"
    meson setup "$dir" "$@" >"$dir.log" 2>&1 || { cat "$dir.log" >&2; exit 1; }
    rm -f "$dir.log"
else
    [ $# -eq 0 ] || meson configure "$dir" "$@"
    # A pack that appeared after configuring must be seen.
    [ src/assets/web_pack.bin -ot "$dir/build.ninja" ] || meson setup --reconfigure "$dir" >/dev/null
fi
[ -z "${LT_SETUP_ONLY:-}" ] || exit 0
echo "== building $dir"
ninja -C "$dir" -j "$(nproc)" --quiet
