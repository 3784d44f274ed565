#!/usr/bin/env bash
# Usage: tree.sh PACKAGE.deb
# Makes build/service/root: the smallest Debian with systemd, and in its apt cache, not installed, what the package
# depends on and what the test itself uses. Then the container needs no network. Does nothing when it is there and
# neither the dependencies nor the lists below have changed.
set -euo pipefail
cd "$(dirname "$0")/../.."

deb=$1
root=$PWD/build/service/root
include=systemd,systemd-sysv,dbus
on_call="mosquitto sqlite3 curl jq libsimdjson14"

suite=${PACKHORSE_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")}
key="$suite; $include; $on_call; $(dpkg-deb --field "$deb" Depends)"
if [ "$(cat "$root.key" 2>/dev/null)" = "$key" ]; then
  exit 0
fi

# The mirrors are those that this machine's own apt uses, with updates: the package was built against them.
sources=$(apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
  awk -v suite="$suite" '$1 == "Packages" && $3 == "main" && ($2 == suite || index($2, suite "-") == 1) && $2 !~ /backports/ {
    print "deb " $4 " " $2 " main" }' | sort -u)
if [ -n "${PACKHORSE_MIRROR:-}" ]; then
  sources="deb $PACKHORSE_MIRROR $suite main"
fi
if [ -z "$sources" ]; then
  echo "service-test: no apt source for '$suite main' on this machine; set PACKHORSE_MIRROR and PACKHORSE_SUITE" >&2
  exit 1
fi

rm -rf --one-file-system "$root" "$root.key"
echo "service-test: making $root"
# The apt that runs in the hook is this machine's, told by mmdebstrap to work on the tree.
DEB=$deb ON_CALL=$on_call mmdebstrap --quiet --mode=root --variant=minbase --include="$include" \
  --aptopt='Acquire::Retries "3"' --skip=cleanup/apt \
  --customize-hook='export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; apt-get -qq clean &&
    apt-get -qq -y --no-install-recommends --download-only install "$DEB" $ON_CALL' \
  "$suite" "$root" - <<< "$sources"
rm -f "$root/usr/sbin/policy-rc.d"
echo "$key" > "$root.key"
