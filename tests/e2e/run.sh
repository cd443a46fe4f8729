#!/bin/sh
# Starts a post with a small demonstration city and runs the browser tests against it. Prints TAP.
# usage: run.sh [SPEC …]      LT_REPEAT=N: N times, each with a city of its own; a line per run, stops at the first that fails
set -eu
cd "$(dirname "$0")"
LANTIAN=${LANTIAN:-$(cd ../.. && pwd)/build/src/main/lantian}
export LANTIAN
(
    flock 9 # two may begin at once
    [ -e node_modules/.installed ] && [ ! package-lock.json -nt node_modules/.installed ] || {
        npm ci --no-audit --no-fund --loglevel=error >&2
        touch node_modules/.installed
    }
) 9<package-lock.json
[ $# -gt 0 ] || set -- specs/
dir=$(mktemp -d)
pid=""
stop() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    wait 2>/dev/null || true
    pid=""
    rm -rf "$dir/city"
}
trap 'stop; rm -rf "$dir"' EXIT INT TERM
once() {
    "$LANTIAN" demo --data "$dir/city" --days 3 --outlets 60 >&2
    "$LANTIAN" serve --data "$dir/city" --demo --http 127.0.0.1:0 --hj212 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
    pid=$!
    for _ in $(seq 300); do
        grep -q '^ready' "$dir/out" && break
        kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
        sleep 0.2
    done
    LT_URL=$(sed -n 's/^ready http=\([^ ]*\) .*/\1/p' "$dir/out")
    LT_HJ212=$(sed -n 's/^ready .* hj212=\([^ ]*\) .*/\1/p' "$dir/out")
    export LT_URL LT_HJ212
    status=0
    node --test --test-reporter=tap --test-concurrency=1 "$@" || status=$?
    [ $status = 0 ] || tail -n 40 "$dir/log" >&2
    stop
    return $status
}
if [ "${LT_REPEAT:-1}" -le 1 ]; then
    once "$@"
    exit
fi
for i in $(seq "$LT_REPEAT"); do
    begun=$(date +%s)
    once "$@" >"$dir/tap" 2>"$dir/err" || { cat "$dir/err" "$dir/tap"; echo "not ok $i - run $i of $LT_REPEAT"; exit 1; }
    echo "ok $i - run $i of $LT_REPEAT: $(($(date +%s) - begun)) s, of these $(sed -n 's/^# duration_ms \([0-9]*\).*/\1/p' "$dir/tap") ms in the browser"
done
