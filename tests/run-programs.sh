#!/usr/bin/env bash
# Runs every test program of a build folder, each as one process: under a sanitizer starting a process costs more than most
# tests. Prints the log of a program that fails, and a count at the end.
#   tests/run-programs.sh BUILD_FOLDER
set -euo pipefail

folder=$1
logs=$folder/logs
rm -rf "$logs"
mkdir -p "$logs"

run() {
  local program=$1 log=$2/${1##*/}.log
  if timeout 600 "$program" --gtest_brief=1 > "$log" 2>&1; then
    printf 'passed  %s\n' "${program##*/}"
  else
    printf 'FAILED  %s\n' "${program##*/}"
    tail -n 200 "$log"
    touch "$2/failed.${program##*/}"
  fi
}
export -f run

find "$folder/bin" -maxdepth 1 -name '*_test' -type f -perm -u+x | sort |
  xargs -P "${JOBS:-$(nproc)}" -I '{}' bash -c 'run "$0" "$1"' '{}' "$logs"

failed=$(find "$logs" -name 'failed.*' | wc -l)
passed=$(grep -hoE '^\[  PASSED  \] [0-9]+' "$logs"/*.log | awk '{ sum += $4 } END { print sum + 0 }')
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
