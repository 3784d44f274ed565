#!/usr/bin/env bash
# Runs every test program of a build folder, each as one process: under a sanitizer starting a process costs more than most
# tests. Of a program that fails it prints how it ended, what failed, and the end of its log; and a count at the end.
#   tests/run-programs.sh BUILD_FOLDER
set -euo pipefail

folder=$1
logs=$folder/logs
rm -rf "$logs"
mkdir -p "$logs"

run() {
  local program=$1 name=${1##*/} log=$2/${1##*/}.log code=0 started=$SECONDS
  timeout "$limit" "$program" --gtest_brief=1 > "$log" 2>&1 || code=$?
  if [ "$code" -eq 0 ]; then
    printf 'passed  %s (%s s)\n' "$name" "$((SECONDS - started))"
  else
    touch "$2/failed.$name"
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

# The longest first, so that nothing waits for them alone at the end. One more than there are processors: some mostly wait.
{
  find "$folder/bin" -maxdepth 1 -type f -perm -u+x '(' -name queue_test -o -name ingest_test ')' | sort -r
  find "$folder/bin" -maxdepth 1 -type f -perm -u+x -name '*_test' ! -name queue_test ! -name ingest_test | sort
} |
  xargs -P "$((${JOBS:-$(nproc)} + 1))" -I '{}' bash -c 'run "$0" "$1"' '{}' "$logs"

failed=$(find "$logs" -name 'failed.*' | wc -l)
passed=$(grep -hoE '^\[  PASSED  \] [0-9]+' "$logs"/*.log | awk '{ sum += $4 } END { print sum + 0 }')
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
