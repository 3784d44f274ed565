#!/usr/bin/env bash
# `make lint`: every check, all findings, one exit code. `tests/lint/run.sh NAME...` runs only those.
set -euo pipefail
cd "$(dirname "$0")/../.."

checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(format limits leftovers words shell promises structure unused mutants tidy)
failed=()
for check in "${checks[@]}"; do
  started=$SECONDS
  if "tests/lint/$check.sh"; then
    echo "lint: $check passed ($((SECONDS - started)) s)"
  else
    echo "lint: $check FAILED ($((SECONDS - started)) s)"
    failed+=("$check")
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "lint: failed: ${failed[*]}"
  exit 1
fi
