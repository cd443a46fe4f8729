#!/bin/sh
# Builds the web pages (tools/web.sh) and the program. LT_SKIP_WEB=1: with the pages that are there, or none.
# LT_TARGETS: what to build, everything without it. usage: tools/build.sh [BUILD_DIR] [meson options...]
set -eu
cd "$(dirname "$0")/.."
dir=${1:-build}
[ $# -gt 0 ] && shift
[ "${LT_SKIP_WEB:-0}" = 1 ] || tools/web.sh
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
# shellcheck disable=SC2086  # a list of words on purpose
ninja -C "$dir" -j "$(nproc)" --quiet ${LT_TARGETS:-}
