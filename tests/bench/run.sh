#!/usr/bin/env bash
# `make bench`: builds the benchmarks, runs them one after the other and writes build/bench/report.md. Every figure stands
# beside the raw limit of the same machine from the same run. About ten minutes; the machine should do nothing else.
# BENCH_BACKLOG=10000000 queues that many messages where memory and start are measured (`make nightly`).
set -euo pipefail
cd "$(dirname "$0")/../.."

backlog=${BENCH_BACKLOG:-1000000}
build=$PWD/build
out=$PWD/build/bench
mkdir -p "$out/tmp"
export TMPDIR=$out/tmp   # on the disk of the checkout: /tmp may be in memory
cmake --preset release -DPACKHORSE_TESTS=ON -DPACKHORSE_BENCH=ON > "$out/configure.log"
cmake --build build --parallel "${JOBS:-$(nproc)}" --target benches packhorsed packhorse packhorse-cloud

results=$out/results
: > "$results"

# run PROGRAM MODE MESSAGES
run() {
  "$build/bin/$1" "$2" "$3" | tee -a "$results"
}
# The same with each sync 10 ms slower, as on a memory card; its lines carry "-slow" in their names.
run_slow() {
  BENCH_SYNC_MS=10 "$build/bin/$1" "$2" "$3" | sed 's/^name=[^ ]*/&-slow/' | tee -a "$results"
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
  echo "name=$1 instructions=$((count - prepared))" | tee -a "$results"
}

# Five times in turn, because these are compared closely; the report takes the median.
for _ in 1 2 3 4 5; do
  run bench_ingest raw 150000
  run bench_ingest packhorse 150000
  run_slow bench_ingest packhorse 150000
done
run bench_ingest packhorse-strict 10000
run_slow bench_ingest packhorse-strict 500

run bench_ingest raw-5000 100000
run bench_bridge up-5000 100000
run bench_bridge down-5000 100000
run bench_bridge full 100000
# A hundred messages a second leave the machine idle: the two can share it. Two minutes, because counters alone are
# written once a minute.
run bench_bridge up-100 12000 &
run bench_bridge down-100 12000
wait $!

run bench_queue raw-insert 20000
run bench_queue append-strict 20000
run bench_queue raw-batches 500000
run bench_queue append 500000
run bench_queue raw-drain 500000
run bench_queue drain 500000
run bench_queue read 1000000
run bench_queue backlog "$backlog"

run bench_drain raw 1000000
run bench_drain drain 1000000
run bench_drain raw-zstd 1000000
run bench_drain drain-zstd 1000000
run bench_drain outage-2000 180000

run bench_upload raw 500000
run bench_upload packhorse 500000
run bench_upload gzip 100000

instructions ingest/raw bench_ingest raw 500 2500
instructions ingest/packhorse bench_ingest packhorse 500 2500
instructions queue/raw-insert bench_queue raw-insert 500 2500
instructions queue/append-strict bench_queue append-strict 500 2500
instructions queue/raw-batches bench_queue raw-batches 5000 15000
instructions queue/append bench_queue append 5000 15000
instructions queue/raw-drain bench_queue raw-drain 5000 15000 raw-fill
instructions queue/drain bench_queue drain 5000 15000 append
instructions drain/decode bench_drain decode 2000 12000
instructions drain/render bench_drain render 2000 12000
instructions drain/code-gzip bench_drain code-gzip 2000 12000
instructions drain/code-zstd bench_drain code-zstd 2000 12000
# So many that most messages come out of the database.
instructions drain/gzip bench_drain drain 20000 80000 fill
instructions drain/zstd bench_drain drain-zstd 20000 80000 fill
instructions upload/raw bench_upload raw 5000 55000
instructions upload/packhorse bench_upload packhorse 5000 55000
instructions upload/gzip bench_upload gzip 5000 15000

awk -v machine="$(uname -srm), $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), file system of the checkout: $(stat -f -c %T .)" \
  -v date="$(date -u +%F)" -v backlog="$backlog" -f tests/bench/report.awk "$results" > "$out/report.md"
rm -rf "$out/tmp"
cat "$out/report.md"
