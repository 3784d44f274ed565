#!/usr/bin/env bash
# Words that must not be committed: marks of unfinished work, tests that do not run, paths and hosts of one machine.
set -euo pipefail
. tests/lint/files.sh
status=0

# forbid MEANING REGEX [PATTERN...]
forbid() {
  local meaning=$1 regex=$2 found
  shift 2
  found=$(files "${@:-*}" | grep -v '^tests/lint/words\.sh$' | tr '\n' '\0' | xargs -0 -r grep -nIE "$regex" || true)
  if [ -n "$found" ]; then
    printf '%s\n' "$found" | sed "s/^/$meaning: /" | cut -c 1-200
    status=1
  fi
}

forbid 'unfinished' '\b(TODO|FIXME|XXX|HACK|TBD|WIP)\b'
forbid 'test that does not run' '\b(GTEST_SKIP|SUCCEED) *\(|\bDISABLED_' '*.cpp' '*.h'
forbid 'path of one machine' '(^|[^A-Za-z0-9_.>-])/(work|home/[a-z]|tmp/b|mnt)/'
forbid 'host of a package mirror' '\b(deb|security|ftp)\.debian\.org|\bpypi\.org|registry\.npmjs'

# Words that docs/glossary.md has replaced. What they still name on the disk and in public answers stays.
retired='\b(folds?|folded|folding|unfolded|froze|frozen|freez(e|es|ing)|ballast|whereabouts|gates?)\b'
stays='\.ballast|no_ballast|ballast_error|'"'fold'|\"fold\"|\`fold\`|\"frozen|frozen_|\"folded\""
found=$(files '*.h' '*.cpp' '*.md' '*.mutant' | grep -vE '^docs/glossary\.md$' | tr '\n' '\0' | xargs -0 -r grep -nIiE "$retired" |
  grep -vE "$stays|decisions/[0-9]{4}-|^CHANGELOG" || true)
if [ -n "$found" ]; then
  printf '%s\n' "$found" | sed 's/^/replaced word: /' | cut -c 1-200
  status=1
fi
exit $status
