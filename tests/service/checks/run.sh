#!/usr/bin/env bash
# Runs inside the container, as root: every check, in order, since each part goes on where the one before it ended.
set -euo pipefail
cd "$(dirname "$0")"
. ./helpers.sh

for part in install site credentials reload watchdog kill wait hardening stop upgrade remove; do
  printf '%s\n' "--- $part"
  . "./$part.sh"
done

if [ "$failed" -gt 0 ]; then
  printf '%s\n' "--- journal of packhorsed"
  journalctl --no-pager --unit packhorsed --lines 60 --output short-precise
fi
echo "service-test: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
