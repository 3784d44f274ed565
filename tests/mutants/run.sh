#!/usr/bin/env bash
# `make mutants`: breaks promises on purpose, each in turn in a copy of the source, and expects the tests that stand with it to
# fail. apply.py says what a mutant is; its name begins with the promise.
#   tests/mutants/run.sh [NAME...]   all of them, or those whose names begin like this
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$PWD/build/mutants
build=$copy/build/debug
log=$copy/build/mutant.log
limit=600

mutants=()
for name in "${@:-P}"; do
  mutants+=("$PWD/tests/mutants/$name"*.mutant)
done

field() { sed -n "s/^$2: //p" "$1"; }
program_of() { field "$1" Test | cut -d ' ' -f 1; }
filter_of() { field "$1" Test | cut -d ' ' -f 2; }
compile() { cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target "$@" > "$log" 2>&1; }
# With more power cuts than `make test` makes: each mutant is to be noticed in one run.
try() {
  PACKHORSE_CUTS=500 timeout "$limit" "$build/bin/$(program_of "$1")" --gtest_brief=1 --gtest_filter="$(filter_of "$1")" \
    > "$log" 2>&1
}

mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --create | tar --extract --directory "$copy"
mkdir -p "$copy/build"
(cd "$copy" && cmake --preset debug > "$log")

programs=$(for mutant in "${mutants[@]}"; do program_of "$mutant"; done | sort -u)
# shellcheck disable=SC2086
compile $programs || { tail -n 40 "$log"; exit 1; }

missed=0
for mutant in "${mutants[@]}"; do
  name=$(basename "$mutant" .mutant)
  result=
  if ! compile "$(program_of "$mutant")" || ! try "$mutant"; then  # what the one before broke is whole again
    result="fails without the mutant"
  fi
  if [ -z "$result" ] && ! grep -q '^\[  PASSED  \] [1-9]' "$log"; then
    result="names no test"
  fi
  if [ -z "$result" ]; then
    file=$(cd "$copy" && tests/mutants/apply.py "$mutant")
    if ! compile "$(program_of "$mutant")"; then
      result="does not compile"
    elif try "$mutant"; then
      result="NOT NOTICED"
    fi
    cp "$file" "$copy/$file"
  fi
  [ -z "$result" ] || missed=$((missed + 1))
  printf '%-36s %s: %s\n' "$name" "${result:-noticed}" "$(field "$mutant" What)"
  if [ -n "$result" ] && [ "$result" != "NOT NOTICED" ]; then
    tail -n 20 "$log"
  fi
done
printf '%d mutants, %d not noticed\n' "${#mutants[@]}" "$missed"
[ "$missed" -eq 0 ]
