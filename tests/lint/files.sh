# Sourced by the checks. files PATTERN...: the repository's files (not what is built or ignored) that match; works in an
# unpacked archive as well.
files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
      [ ! -f "$file" ] || echo "$file"
    done
  else
    local names=() pattern
    for pattern in "$@"; do names+=(-o -path "./$pattern"); done
    find . -path ./build -prune -o -type f \( "${names[@]:1}" \) -print | sed 's|^\./||'
  fi
}
