#!/usr/bin/env bash
# Every test that docs/PROMISES.md and docs/SITUATIONS.md name exists, so that the tables cannot outlive their proofs.
# Of the package under systemd, `tests/service: TEXT` names a check by what it says. Every file that the documents link to
# exists.
set -euo pipefail
. tests/lint/files.sh
status=0

tests=$(files 'tests/*.cpp' | xargs -r cat | tr '\n' ' ' |
  grep -oE '\bTEST(_F|_P)?\( *[A-Za-z0-9_]+, *[A-Za-z0-9_]+' | sed -E 's/^TEST(_F|_P)?\( *//; s/, */./' | sort -u)
for table in docs/PROMISES.md docs/SITUATIONS.md; do
  while read -r name; do
    if ! grep -qxF "$name" <<< "$tests"; then
      echo "$table: there is no test $name"
      status=1
    fi
  done < <(grep -oE '`[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+`' "$table" | tr -d '`')
  while read -r name; do
    if ! grep -qF "check \"$name\"" tests/service/checks/*.sh; then
      echo "$table: tests/service has no check \"$name\""
      status=1
    fi
  done < <(grep -oE '`tests/service: [^`]+`' "$table" | tr -d '`' | sed 's/^tests\/service: //')
done

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
