#!/usr/bin/env bash
# clang-format: names each file that it would change, with the first place. `clang-format -i FILE` mends it.
set -euo pipefail
. tests/lint/files.sh
findings=$(files '*.cpp' '*.h' | xargs -r clang-format --dry-run 2>&1 | grep -E '^[^ ]+:[0-9]+:[0-9]+: ' |
  awk -F : '!seen[$1]++ { print $1 ":" $2 ": clang-format would change this file" }' || true)
if [ -n "$findings" ]; then
  printf '%s\n' "$findings"
  exit 1
fi
