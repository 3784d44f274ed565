#!/usr/bin/env bash
# `make bench`: builds the benchmarks, runs them one after the other and writes build/bench/report.md.
# BENCH_SCALE=10 makes every run ten times as long.
set -euo pipefail
cd "$(dirname "$0")/../.."

scale=${BENCH_SCALE:-1}
build=$PWD/build
out=$PWD/build/bench
mkdir -p "$out/tmp"
export TMPDIR=$out/tmp   # on the disk of the checkout: /tmp may be in memory
cmake --preset release -DPACKHORSE_TESTS=ON -DPACKHORSE_BENCH=ON > "$out/configure.log"
cmake --build build --parallel "${JOBS:-$(nproc)}" --target benches packhorsed packhorse packhorse-cloud

results=$out/results
: > "$results"
run() {
  echo "$*"
  "$build/bin/$1" "$2" "$(($3 * scale))" | tee -a "$results"
}

# Instructions per message: two runs of different length under callgrind, the difference divided by the difference of
# their messages. Start and end cancel out. Hardware counters are often missing in virtual machines, callgrind is not.
collected() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bin/$1" "$2" "$3" 2>&1 >/dev/null |
    sed -n 's/^.*Collected : \([0-9]*\).*/\1/p'
}
per_message() {
  echo $((($(collected "$1" "$2" "$4") - $(collected "$1" "$2" "$3")) / ($4 - $3)))
}
# instructions NAME PROGRAM MODE FEW MANY [PREPARED]: without what the mode PREPARED costs, which this one does beforehand.
instructions() {
  local count prepared=0
  count=$(per_message "$2" "$3" "$4" "$5")
  [ -z "${6:-}" ] || prepared=$(per_message "$2" "$6" "$4" "$5")
  echo "instructions=$1 per_message=$((count - prepared))" | tee -a "$results"
}
instructions queue/raw-insert bench_queue raw-insert 500 2500
instructions queue/append bench_queue append 500 2500
instructions queue/raw-drain bench_queue raw-drain 500 2500 raw-fill
instructions queue/drain bench_queue drain 500 2500 append
instructions upload/raw-curl bench_upload raw 5000 55000
instructions upload/packhorse bench_upload packhorse 5000 55000
instructions upload/gzip bench_upload gzip 5000 15000
instructions ingest/raw-subscriber bench_ingest raw 500 2500
instructions ingest/packhorse bench_ingest packhorse 500 2500

awk -v machine="$(uname -srm), $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), file system of the checkout: $(stat -f -c %T .)" \
  -v date="$(date -u +%F)" -f tests/bench/report.awk "$results" > "$out/report.md"
rm -rf "$out/tmp"
cat "$out/report.md"
