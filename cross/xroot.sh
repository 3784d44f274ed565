#!/usr/bin/env bash
# Makes build/cross/xroot: a Debian chroot that holds the cross compilers, the emulators and our libraries for amd64,
# arm64 and armhf. Run by build.sh, as root. Does nothing when it is there and its package list has not changed.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD/build/cross/xroot
libraries="libpaho-mqttpp-dev libpaho-mqtt-dev libcurl4-openssl-dev libsqlite3-dev libssl-dev libspdlog-dev libzstd-dev
  zlib1g-dev libdeflate-dev libsnappy-dev libprotobuf-dev libgtest-dev libgmock-dev"
tools=nlohmann-json3-dev,libcli11-dev,cmake,ninja-build,pkg-config,file,debhelper,lintian
tools+=,g++-aarch64-linux-gnu,g++-arm-linux-gnueabihf,qemu-user-static

include=$tools
for architecture in amd64 arm64 armhf; do
  for library in $libraries; do
    include+=,$library:$architecture
  done
done

if [ "$(cat "$root.packages" 2>/dev/null)" = "$include" ]; then
  exit 0
fi

# The mirror is the one that this machine's own apt uses. One suite without updates, on purpose: libraries that are
# installed for several architectures must have the same version on all of them, and security updates come out at
# different times per architecture. The ABI is the same.
suite=${PACKHORSE_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")}
mirror=${PACKHORSE_MIRROR:-$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
  awk -v suite="$suite" '$1 == "Packages" && $2 == suite && $3 == "main" { print $4; exit }')}
if [ -z "$mirror" ]; then
  echo "cross: no apt source for '$suite main' on this machine; set PACKHORSE_MIRROR and PACKHORSE_SUITE" >&2
  exit 1
fi

rm -rf --one-file-system "$root" "$root.packages"
mkdir -p "$(dirname "$root")"
mmdebstrap --quiet --mode=root --variant=buildd --architectures=amd64,arm64,armhf --include="$include" \
  --aptopt='Acquire::Retries "3"' "$suite" "$root" "deb $mirror $suite main" </dev/null
echo "$include" > "$root.packages"
