#!/usr/bin/env bash
# Usage: run.sh [PACKAGE.deb]
# `make service-test`: a Debian package, by default that of `make deb`, in a container with a systemd of its own. See
# README.md beside this file.
# Leaves nothing behind but build/service: no process, no mount, no cgroup, also after a failure or Ctrl-C.
set -euo pipefail
deb=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."

if [ "$(id -u)" -ne 0 ]; then
  exec sudo env "PATH=$PATH" "JOBS=${JOBS:-}" tests/service/run.sh ${deb:+"$deb"}   # a container needs root
fi
programs=$PWD/build/bin
work=$PWD/build/service
for program in packhorse-cloud packhorse-fleet; do
  if [ ! -x "$programs/$program" ]; then
    echo "service-test: $programs/$program is missing; \`make service-test\` builds it" >&2
    exit 1
  fi
done
cgroups=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET || true)
if [ -z "$cgroups" ]; then
  echo "service-test: no cgroup2 file system is mounted on this machine; a container with systemd needs one" >&2
  exit 1
fi

mkdir -p "$work"
exec 9> "$work/lock"
if ! flock --nonblock 9; then
  echo "service-test: another run uses $work" >&2
  exit 1
fi

built_package() { find "$PWD/build/deb" -maxdepth 1 -name "packhorse_*_$(dpkg --print-architecture).deb" -print -quit; }
if [ -z "$deb" ]; then
  deb=$(built_package 2>/dev/null || true)
  sources=(lib daemon contracts systemd debian docs/man CMakeLists.txt)
  if [ -z "$deb" ] || [ -n "$(find "${sources[@]}" -newer "$deb" -print -quit)" ]; then
    debian/build.sh
    deb=$(built_package)
  fi
fi
tests/service/tree.sh "$deb"
tests/service/packages.sh "$deb" "$work/packages"

cgroup=packhorse-service-test-$(cksum <<< "$PWD" | cut -d ' ' -f 1)
runner=""
clean_up() {
  trap '' INT TERM
  if [ -n "$runner" ]; then
    kill -KILL "$runner" 2>/dev/null || true
    wait "$runner" 2>/dev/null || true
  fi
  # systemd-nspawn makes the cgroup in the old hierarchies as well. The last process of a killed container may still be on
  # its way out.
  local folder
  findmnt --noheadings --types cgroup,cgroup2 --output TARGET | while read -r folder; do
    for _ in $(seq 50); do
      [ -d "$folder/$cgroup" ] || break
      find "$folder/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
  done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$cgroups/$cgroup"

# Namespaces of its own for processes and mounts: when its first process ends, or this script does, the kernel ends every
# process in it and takes every mount away.
unshare --pid --fork --kill-child=KILL --mount --mount-proc --propagation private \
  tests/service/boot.sh "$work" "$programs" "$cgroups/$cgroup" < /dev/null &
runner=$!
result=0
wait "$runner" || result=$?
runner=""
exit "$result"
