#!/usr/bin/env bash
# Usage: run.sh BIN SECONDS     runs every fuzz target in BIN that long, from the corpus it has collected so far
# (build/fuzz/corpus) and from the samples in contracts/. A crash leaves its input in build/fuzz/crashes and fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=$1 seconds=$2
status=0
for program in "$bin"/fuzz_*; do
  name=$(basename "$program")
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus" build/fuzz/crashes
  seeds=()
  case $name in
    fuzz_config) seeds=(systemd) ;;
    fuzz_decode | fuzz_outcome) [ ! -d contracts/golden ] || mapfile -t seeds < <(find contracts/golden -type d) ;;
  esac
  echo "fuzz: $name for $seconds s"
  if ! UBSAN_OPTIONS=print_stacktrace=1 "$program" "$corpus" "${seeds[@]}" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$name-" \
    > "build/fuzz/$name.log" 2>&1; then
    tail -n 40 "build/fuzz/$name.log"
    status=1
  fi
  grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "build/fuzz/$name.log" | sed 's/^/  /' || true
done
exit $status
