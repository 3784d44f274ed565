#!/usr/bin/env bash
# Runs every test program of a build folder, each as one process or a few: under a sanitizer starting a process costs more
# than most tests. Of a program that fails it prints how it ended, what failed, and the end of its log; and a count at the end.
#   tests/run-programs.sh BUILD_FOLDER
set -euo pipefail

folder=$1
logs=$folder/logs
rm -rf "$logs"
mkdir -p "$logs"

run() {
  local program=$1 part=$2 parts=$3 logs=$4
  local name=${program##*/}
  [ "$parts" -eq 1 ] || name+=.$((part + 1))
  local log=$logs/$name.log code=0 started=$SECONDS
  GTEST_TOTAL_SHARDS=$parts GTEST_SHARD_INDEX=$part timeout "$limit" "$program" --gtest_brief=1 > "$log" 2>&1 || code=$?
  if [ "$code" -eq 0 ]; then
    printf 'passed  %s (%s s)\n' "$name" "$((SECONDS - started))"
  else
    touch "$logs/failed.$name"
    report "$name" "$log" "$code" > "$log.report"
    cat "$log.report"  # at once: another program may report at the same time
  fi
}

report() {
  local name=$1 log=$2 code=$3 end="exit code $3"
  if [ "$code" -eq 124 ]; then
    end="timed out after $limit s"
  elif [ "$code" -gt 128 ]; then
    end="signal $((code - 128))"
  fi
  printf 'FAILED  %s: %s; whole log: %s\n' "$name" "$end" "$log"
  printf -- '--- %s: what failed\n' "$name"
  grep -anE -B 2 -A 20 "$failure" "$log" | head -n 400 || true
  printf -- '--- %s: end of the log\n' "$name"
  tail -n 50 "$log"
  printf -- '--- %s: %s\n' "$name" "$end"
}
export -f run report
export limit=900 failure=': Failure$|FAILED  \]|ERROR: |WARNING: ThreadSanitizer|runtime error|SUMMARY|terminate called'

# PROGRAM PART PARTS of each. The longest first and in parts, so that nothing waits for one of them alone at the end.
programs() {
  local program parts
  find "$folder/bin" -maxdepth 1 -type f -perm -u+x -name '*_test' | sort | while read -r program; do
    case ${program##*/} in
      queue_test | delivery_test | ingest_test) parts=4 ;;
      *) parts=1 ;;
    esac
    for ((part = 0; part < parts; ++part)); do
      echo "$program $part $parts"
    done
  done | sort -s -k3,3nr
}

# Two more than there are processors: some mostly wait.
programs | xargs -P "$((${JOBS:-$(nproc)} + 2))" -L 1 bash -c 'run "$1" "$2" "$3" "$0"' "$logs"

failed=$(find "$logs" -name 'failed.*' | wc -l)
passed=$(grep -hoE '^\[  PASSED  \] [0-9]+' "$logs"/*.log | awk '{ sum += $4 } END { print sum + 0 }')
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
