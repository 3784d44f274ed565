#!/usr/bin/env bash
# Usage: cross/build.sh arm64|armhf
# Builds packhorsed and packhorse for an ARM board into build/cross/ARCH and starts both once under the emulator.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  arm64) triplet=aarch64-linux-gnu emulator=qemu-aarch64-static ;;
  armhf) triplet=arm-linux-gnueabihf emulator=qemu-arm-static ;;
  *) echo "Usage: cross/build.sh arm64|armhf" >&2; exit 2 ;;
esac
architecture=$1

tests/support/packages.sh cross
if [ "$(id -u)" -ne 0 ]; then
  exec sudo env "PATH=$PATH" "JOBS=${JOBS:-}" "$0" "$architecture"   # a chroot needs root
fi
cross/xroot.sh

# A mount namespace of its own: whatever happens, the mounts go with the last process in it.
exec unshare --mount --propagation private bash -euo pipefail -c '
  root=$PWD/build/cross/xroot
  mkdir -p "$root/src"
  mount --bind . "$root/src"
  mount -t proc proc "$root/proc"
  exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root \
    sh /src/cross/inside.sh "$@"
' cross "$architecture" "$triplet" "$emulator" "${JOBS:-$(nproc)}" </dev/null
