#!/usr/bin/env bash
# clang-tidy over the product's source files; with LINT_DEEP=1 (nightly) over the tests as well, and with the path-sensitive
# analyzer, which takes two thirds of the time. A file that passed is not checked again until it, a header of ours that it
# includes, its compile command or the configuration changes: build/lint/passed/ holds one empty file per passed state.
set -euo pipefail

passed=$PWD/build/lint/passed
mkdir -p "$passed"
cmake --preset lint > build/lint/configure.log 2>&1 || { cat build/lint/configure.log; exit 1; }

# What each file includes of ours comes from the last build: "source<TAB>dependency". Files that were not built yet are
# checked every time.
includes=build/lint/includes
ninja -C build -t deps 2>/dev/null | awk -v root="$PWD/" '
  /^[^ ]/ { source = ""; next }
  { path = $1; sub("^\\.\\./", root, path)
    if (index(path, root) != 1) next
    path = substr(path, length(root) + 1)
    if (source == "") source = path
    print source "\t" path }' | sort -u > "$includes" || true

checks='-clang-analyzer-*'
[ "${LINT_DEEP:-0}" = 0 ] || checks=
base=$(echo "$checks" | cat - .clang-tidy tests/.clang-tidy <(clang-tidy --version) | sha256sum)
commands=build/lint/compile_commands.json

# state FILE: a hash of everything that its result depends on; empty when that is not known.
state() {
  local dependencies
  dependencies=$(awk -F '\t' -v file="$1" '$1 == file && $2 !~ /^build\// { print $2 }' "$includes")
  [ -n "$dependencies" ] || return 0
  { echo "$base"; grep -F " $PWD/$1\"" "$commands"; cat $dependencies; } | sha256sum | cut -d ' ' -f 1
}

check() {
  local file=$1 key=$2 output
  if output=$(clang-tidy --quiet -p build/lint --checks="$checks" "$file" 2>&1); then
    [ "$key" = - ] || touch "$passed/$key"
  else
    printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' || true
    return 1
  fi
}
export -f check
export passed checks

work=build/lint/work
: > "$work"
total=0
while read -r file; do
  [ -f "$file" ] || continue
  case $file in tests/*) [ "${LINT_DEEP:-0}" = 1 ] || continue ;; esac
  total=$((total + 1))
  key=$(state "$file")
  if [ -z "$key" ] || [ ! -e "$passed/$key" ]; then
    printf '%s %s %s\n' "$(wc -l < "$file")" "$file" "${key:--}" >> "$work"
  fi
done < <(sed -n 's/^ *"file": "\(.*\)".*/\1/p' "$commands" | sed -n "s|^$PWD/||p" | grep -v '^build/' | sort -u)

echo "lint: clang-tidy checks $(wc -l < "$work") of $total files"
# The longest first, so that the last job is a short one.
sort -rn "$work" | cut -d ' ' -f 2- | xargs -r -P "${JOBS:-$(nproc)}" -n 2 bash -c 'check "$0" "$1"'
