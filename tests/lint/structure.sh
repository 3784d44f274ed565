#!/usr/bin/env bash
# docs/ARCHITECTURE.md shows the structure that the build enforces: what each module of lib/ may depend on, and which
# folders lib/queue has, from top to bottom.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0
page=docs/ARCHITECTURE.md

# list MODULE KEYWORD: what packhorse_library() of that module says behind the keyword.
list() {
  tr '\n' ' ' < "lib/$1/CMakeLists.txt" | sed -nE "s/.*\<$2 ([a-z ]+).*/\1/p" | tr -s ' ' '\n' | sed '/^$/d'
}

for folder in lib/*/; do
  module=$(basename "$folder")
  said=$(sed -nE "s/^\| \`lib\/$module\` \|.*\| ([a-z, ]*) \|$/\1/p" "$page" | tr -d ' ' | tr ',' '\n' | sed 's/^thestandardlibrary$//; /^$/d' | sort)
  built=$(list "$module" DEPENDS | sort)
  if [ "$said" != "$built" ]; then
    echo "$page: lib/$module depends on $(echo $built | sed 's/ /, /g'); the page says $(echo $said | sed 's/ /, /g')"
    status=1
  fi
done

drawn=$(sed -n '/^## Inside the queue/,/^## /p' "$page" | sed -nE 's/^  ([a-z]+)\/ .*/\1/p' | tac)
if [ "$drawn" != "$(list queue FOLDERS)" ]; then
  echo "$page: the folders of lib/queue are, from top to bottom: $(list queue FOLDERS | tac | tr '\n' ' ')"
  status=1
fi
exit $status
