#!/usr/bin/env bash
# clang-tidy over the product's source files; with LINT_DEEP=1 (nightly) over the tests as well, each file by itself, and
# with the path-sensitive analyzer, which takes two thirds of the time. A file that passed is not checked again until it, a
# header of ours that it includes, its compile command or the configuration changes: build/lint/passed/ holds one empty
# file per passed state.
#
# Most of the time goes into the headers that everything includes. So files with the same compile command are checked
# together, included by one file: a fifth of the time for the same findings.
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

# check "DATABASE PATH KEY...": PATH is a file, or a group of files with these keys.
check() {
  local database path key keys output
  read -r database path keys <<< "$1"
  if output=$(clang-tidy --quiet -p "$database" --checks="$checks" "$path" 2>&1); then
    for key in $keys; do [ "$key" = - ] || touch "$passed/$key"; done
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

# Makes the groups, each with an entry in a database of its own, and prints them as arguments of check(), the longest first
# so that the last job is a short one. A further file in a group costs a thirtieth of one by itself. Programs go by
# themselves, as each has a main(). What clang-tidy finds unused only in the file that it was started for, unused.sh finds.
group() {
  local most=30
  [ "${LINT_DEEP:-0}" = 0 ] || most=1
  rm -rf build/lint/groups
  mkdir build/lint/groups
  grep -lE '^int main\(' $(cut -d ' ' -f 2 "$work") /dev/null > build/lint/alone || true
  awk -v most="$most" -v root="$PWD/" -v folder="$PWD/build/lint/groups" '
    # Two commands with the same options in another order are one.
    function options(command, words, count, at, to, word) {
      count = split(command, words, " ")
      for (at = 2; at <= count; ++at) {
        word = words[at]
        for (to = at; to > 2 && words[to - 1] > word; --to) words[to] = words[to - 1]
        words[to] = word
      }
      command = words[1]
      for (at = 2; at <= count; ++at) command = command " " words[at]
      return command
    }
    FILENAME ~ /alone$/ { alone[$0] = 1; next }
    FILENAME ~ /json$/ {
      if (sub(/^ *"command": "/, "")) { command = $0; sub(/ -o [^ ]* -c .*/, "", command) }
      if (sub(/^ *"file": "/, "")) { sub(/",?$/, ""); sub(root, ""); commands[$0] = command }
      next
    }
    alone[$2] || most == 1 { print $1, "build/lint", $2, $3; next }
    {
      command = commands[$2]
      key = options(command)
      if (!(key in open) || files[open[key]] == most) open[key] = ++groups
      at = open[key]
      if (++files[at] == 1) { first[at] = $2; command_of[at] = command }
      lines[at] += $1; keys[at] = keys[at] " " $3
      text[at] = text[at] "#include \"" root $2 "\"  // NOLINT(bugprone-suspicious-include)\n"
    }
    END {
      database = folder "/compile_commands.json"
      print "[" > database
      for (at = 1; at <= groups; ++at) {
        if (files[at] == 1) { print lines[at], "build/lint", first[at] keys[at]; continue }
        path = folder "/" at ".cpp"
        printf "%s", text[at] > path
        printf "%s{ \"directory\": \"%s\", \"command\": \"%s -c %s\", \"file\": \"%s\" }\n", comma, root "build/lint", \
          command_of[at], path, path > database
        comma = ","
        print lines[at], "build/lint/groups", path keys[at]
      }
      print "]" > database
    }' build/lint/alone "$commands" "$work" | sort -rn | cut -d ' ' -f 2-
}

echo "lint: clang-tidy checks $(wc -l < "$work") of $total files"
group | xargs -r -d '\n' -P "${JOBS:-$(nproc)}" -n 1 bash -c 'check "$0"'
