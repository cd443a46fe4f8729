#!/bin/sh
# Starts a post with a small demonstration city and runs the browser tests against it. Prints TAP.
set -eu
cd "$(dirname "$0")"
exe=${LANTIAN:-$(cd ../.. && pwd)/build/src/main/lantian}
[ -e node_modules/.installed ] && [ ! package-lock.json -nt node_modules/.installed ] || {
    npm ci --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.installed
}
dir=$(mktemp -d)
pid=""
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT INT TERM
"$exe" demo --data "$dir/city" --days 2 --outlets 60 >&2
"$exe" serve --data "$dir/city" --demo --http 127.0.0.1:0 --hj212 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
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
node --test --test-reporter=tap --test-concurrency=1 specs/ || status=$?
[ $status = 0 ] || tail -n 40 "$dir/log" >&2
exit $status
