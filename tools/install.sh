#!/bin/sh
# Installs the Debian packages of the named groups (build web test fuzz bench) that are not there yet.
# usage: tools/install.sh GROUP...      Needs root or sudo only when something is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
missing=""
for group in "$@"; do
    for p in $(sed -n "s/^$group: //p" "$here/packages.txt"); do
        # A Node.js that did not come from Debian serves as well.
        case $p in
        nodejs) command -v node >/dev/null 2>&1 && continue ;;
        npm) command -v npm >/dev/null 2>&1 && continue ;;
        esac
        dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed$' || missing="$missing $p"
    done
done
[ -n "$missing" ] || exit 0
echo "== installing:$missing"
if [ "$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null 2>&1; then sudo=sudo; else
    echo "install.sh: these Debian packages are missing and neither root nor sudo is at hand:$missing" >&2
    echo "install.sh: ask an administrator to run: apt-get install$missing" >&2
    exit 1
fi
$sudo apt-get update -q
# shellcheck disable=SC2086  # a list of words on purpose
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
