#!/usr/bin/env bash
# A name that a source file takes over (`using a::B;`, `namespace b = a;`) or a constant that it keeps for itself is used in
# that file. The compiler and clang-tidy see that only in files that they are started for, not in files that are compiled
# together.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lint/files.sh

awk '
  function finish(  name) {
    for (name in lines) {
      if (uses[name] < 2) {
        printf "%s:%d: %s is not used in this file\n", file, lines[name], name
        bad = 1
      }
    }
    delete lines
    delete uses
  }
  FNR == 1 { finish(); file = FILENAME }
  {
    text = $0
    sub(/(^| )\/\/.*/, "", text)  # not the slashes of an address
    name = ""
    if (text ~ /^ *using [A-Za-z0-9_:]+::[A-Za-z0-9_]+;/) {
      name = text; sub(/;.*/, "", name); sub(/.*::/, "", name)
    } else if (text ~ /^ *namespace [A-Za-z0-9_]+ = /) {
      name = text; sub(/^ *namespace /, "", name); sub(/ .*/, "", name)
    } else if (text ~ /^(static )?(constexpr|const) [^(]* k[A-Z][A-Za-z0-9]*(\[[^]]*\])?( = |\{|$|\()/) {
      name = text; sub(/ *[={([].*/, "", name); sub(/.* /, "", name)
    }
    if (name != "" && !(name in lines)) lines[name] = FNR
    count = split(text, words, /[^A-Za-z0-9_]+/)
    for (at = 1; at <= count; ++at) ++uses[words[at]]
  }
  END { finish(); exit bad }
' $(files '*.cpp')
