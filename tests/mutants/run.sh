#!/usr/bin/env bash
# `make mutants`: breaks promises on purpose, each in turn in a copy of the source, and expects the tests that stand with it to
# fail. A *.patch here begins with what it breaks and which tests must notice; its name begins with the promise.
#   tests/mutants/run.sh [NAME...]   all of them, or those whose names begin like this
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$PWD/build/mutants
build=$copy/build/debug
log=$copy/build/mutant.log
limit=600

patches=()
for name in "${@:-P}"; do
  patches+=("$PWD/tests/mutants/$name"*.patch)
done

field() { sed -n "s/^$2: //p" "$1"; }
program_of() { field "$1" Test | cut -d ' ' -f 1; }
filter_of() { field "$1" Test | cut -d ' ' -f 2; }
compile() { cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target "$@" > "$log" 2>&1; }
try() { timeout "$limit" "$build/bin/$(program_of "$1")" --gtest_brief=1 --gtest_filter="$(filter_of "$1")" > "$log" 2>&1; }

mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --create | tar --extract --directory "$copy"
mkdir -p "$copy/build"
(cd "$copy" && cmake --preset debug > "$log")

programs=$(for patch in "${patches[@]}"; do program_of "$patch"; done | sort -u)
# shellcheck disable=SC2086
compile $programs || { tail -n 40 "$log"; exit 1; }

missed=0
for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch)
  result=
  if ! compile "$(program_of "$patch")" || ! try "$patch"; then  # what the one before broke is whole again
    result="fails without the mutant"
  fi
  if [ -z "$result" ] && ! grep -q '^\[  PASSED  \] [1-9]' "$log"; then
    result="names no test"
  fi
  if [ -z "$result" ]; then
    patch --quiet --no-backup-if-mismatch --strip=1 --directory="$copy" < "$patch"
    if ! compile "$(program_of "$patch")"; then
      result="does not compile"
    elif try "$patch"; then
      result="NOT NOTICED"
    fi
    patch --quiet --no-backup-if-mismatch --strip=1 --reverse --directory="$copy" < "$patch"
  fi
  [ -z "$result" ] || missed=$((missed + 1))
  printf '%-36s %s: %s\n' "$name" "${result:-noticed}" "$(field "$patch" What)"
  if [ -n "$result" ] && [ "$result" != "NOT NOTICED" ]; then
    tail -n 20 "$log"
  fi
done
printf '%d mutants, %d not noticed\n' "${#patches[@]}" "$missed"
[ "$missed" -eq 0 ]
