#!/usr/bin/env bash
# Usage: boot.sh WORK PROGRAMS CGROUP
# Boots the tree and runs the checks in it. Started by run.sh as the first process of a process namespace and in a mount
# namespace, which is why nothing is stopped or unmounted here.
set -euo pipefail

work=$1 programs=$2 cgroup=$3
here=$(dirname "$(realpath "$0")")

# systemd-nspawn leaves files in /run/systemd; these go with the mount namespace.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/systemd

# A cgroup v2 tree also where the machine still has v1; changes to the files are kept in memory and forgotten.
(
  echo 0 > "$cgroup/cgroup.procs"
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --register=no --keep-unit --console=read-only \
    --private-network --volatile=overlay --resolv-conf=off --timezone=off --link-journal=no \
    --machine=packhorse-service-test --directory="$work/root" \
    --bind-ro="$work/packages:/test/packages" --bind-ro="$programs:/test/programs" --bind-ro="$here/checks:/test/checks" \
    --boot systemd.show_status=0
) > "$work/boot.log" 2>&1 < /dev/null 9>&- &
nspawn=$!

inside() {
  nsenter --target "$leader" --all --root --wd env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@"
}

booted() {
  leader=$(pgrep --parent "$nspawn" --exact systemd) && inside systemctl is-system-running --wait > /dev/null 2>&1
}

deadline=$((SECONDS + 60))
until booted; do
  if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$nspawn" 2>/dev/null; then
    echo "service-test: the container did not come up" >&2
    cat "$work/boot.log" >&2
    [ -z "${leader:-}" ] || inside systemctl --no-pager --failed >&2 || true
    exit 1
  fi
  sleep 0.1
done

result=0
inside /test/checks/run.sh || result=$?
inside journalctl --no-pager --output short-precise > "$work/journal.log" 2>&1 || true
if [ "$result" -ne 0 ]; then
  echo "service-test: the container's journal is in $work/journal.log"
fi
exit "$result"
