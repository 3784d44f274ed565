#!/usr/bin/env bash
# Each mutant of tests/mutants still fits the source, without guessing.
set -euo pipefail
cd "$(dirname "$0")/../.."

stale=0
for mutant in tests/mutants/*.patch; do
  if ! patch --dry-run --quiet --force --fuzz=0 --strip=1 < "$mutant" > /dev/null; then
    echo "$mutant does not fit the source any more: write it anew for what the promise rests on now"
    stale=1
  fi
done
exit "$stale"
