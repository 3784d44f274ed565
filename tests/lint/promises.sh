#!/usr/bin/env bash
# Every test that docs/PROMISES.md names exists, so that the table cannot outlive its proofs. Every file that the
# documents link to exists.
set -euo pipefail
. tests/lint/files.sh
status=0

tests=$(files 'tests/*.cpp' | xargs -r cat | tr '\n' ' ' |
  grep -oE '\bTEST(_F|_P)?\( *[A-Za-z0-9_]+, *[A-Za-z0-9_]+' | sed -E 's/^TEST(_F|_P)?\( *//; s/, */./' | sort -u)
while read -r name; do
  if ! grep -qxF "$name" <<< "$tests"; then
    echo "docs/PROMISES.md: there is no test $name"
    status=1
  fi
done < <(grep -oE '`[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+`' docs/PROMISES.md | tr -d '`')

while read -r document; do
  while read -r link; do
    target=${link%%#*}
    if [ -n "$target" ] && [ ! -e "$(dirname "$document")/$target" ]; then
      echo "$document: link to $target, which does not exist"
      status=1
    fi
  done < <(grep -oE '\]\([^)]+\)' "$document" | sed 's/^](//; s/)$//' | grep -vE '^(https?|mailto):' || true)
done < <(files '*.md')
exit $status
