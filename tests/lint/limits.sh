#!/usr/bin/env bash
# How long a file may be: 500 lines of source, 250 of a header, 600 of a test. Longer ones hold more than one thing.
set -euo pipefail
. tests/lint/files.sh
status=0
while read -r file; do
  case $file in
    *.h) limit=250 ;;
    tests/*) limit=600 ;;
    *) limit=500 ;;
  esac
  lines=$(wc -l < "$file")
  if [ "$lines" -gt "$limit" ]; then
    echo "$file: $lines lines, at most $limit"
    status=1
  fi
done < <(files '*.cpp' '*.h')
exit $status
