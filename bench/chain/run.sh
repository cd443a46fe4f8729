#!/bin/sh
# SM3 of the post beside OpenSSL's own figure, in one run. Exit 1 when slower than two thirds of it.
set -eu
build=${1:-build}
ours=$("$build/src/chain/bench_chain")
theirs=$(openssl speed -evp sm3 -bytes 16384 -seconds 2 2>/dev/null | awk '/^sm3/ {sub("k","",$2); print $2/1000}')
echo "$ours"
echo "openssl speed -evp sm3, 16 KiB: $theirs MB/s"
echo "$ours" | awk -v o="$theirs" '/^sm3/ {r = o / $5; printf "ratio %.2f (at most 1.5)\n", r; exit r > 1.5}'
