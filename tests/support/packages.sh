#!/usr/bin/env bash
# Usage: packages.sh SET...      sets: build run influxdb test interop lint bench sanitize fuzz mutants deb service cross
#
# Installs the Debian packages that the named sets lack. When nothing is missing apt is not asked at all, so that a
# second run costs nothing and works without a network. On other systems it prints the list and goes on: whoever builds
# there knows what the packages are called.
set -euo pipefail

package_set() {
  case $1 in
    build)
      echo g++ cmake ninja-build pkg-config libpaho-mqttpp-dev libpaho-mqtt-dev libcurl4-openssl-dev libsqlite3-dev \
        libssl-dev nlohmann-json3-dev libspdlog-dev libzstd-dev zlib1g-dev libdeflate-dev \
        libsnappy-dev libprotobuf-dev libcli11-dev ;;
    run) package_set build; echo libsimdjson-dev mosquitto ;;
    influxdb) echo influxdb curl ;;
    test)
      package_set run
      echo libgtest-dev libgmock-dev libcpp-httplib-dev python3-jsonschema python3-botocore mosquitto-clients nginx openssl sqlite3 \
        curl influxdb prometheus victoria-metrics ;;
    # Where Node.js is not Debian's it brings npm along, and Debian's package of npm would contradict it.
    interop) package_set test; command -v npm >/dev/null || echo nodejs npm ;;
    lint) package_set test; echo clang-format clang-tidy clang ;;
    bench) package_set test; echo valgrind ;;
    sanitize) package_set test ;;
    fuzz) package_set test; echo clang libclang-rt-14-dev ;;
    mutants) package_set test ;;
    deb) package_set build; echo dpkg-dev debhelper fakeroot lintian ;;
    service) package_set test; package_set deb; echo mmdebstrap systemd-container procps ca-certificates ;;
    cross) echo mmdebstrap ca-certificates ;;
    *) echo "packages.sh: unknown set '$1'; there are build run influxdb test interop lint bench sanitize fuzz mutants deb service cross" >&2; exit 2 ;;
  esac
}

wanted=$(for set in "$@"; do package_set "$set"; done | tr ' ' '\n' | sort -u)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This is not a Debian system. What is needed, by its Debian 12 package names:" $wanted
  exit 0
fi

installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | sed -n 's/ installed$//p' | sort -u || true)
missing=$(comm -23 <(echo "$wanted") <(echo "$installed") | tr '\n' ' ')
[ -n "${missing// /}" ] || exit 0

echo "Installing: $missing"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "packages.sh: this needs root or sudo. As root: apt-get install --no-install-recommends $missing" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Installing mosquitto or nginx starts them as services; a build must not. Debian asks /usr/sbin/policy-rc.d first
# (exit code 101 forbids it). One that exists already belongs to the machine and is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  "${as_root[@]}" chmod 755 "$policy"
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${apt[@]}" update </dev/null
"${apt[@]}" install -y --no-install-recommends $missing </dev/null
