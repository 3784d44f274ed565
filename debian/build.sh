#!/usr/bin/env bash
# `make deb`: builds the package of this machine's architecture into build/deb and lets lintian look at it.
# dpkg-buildpackage writes beside its source tree, hence the copy. SOURCE_DATE_EPOCH comes from debian/changelog, so the
# same sources give the same package.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$PWD/build/deb
rm -rf "$out"
mkdir -p "$out/packhorse"
tar -c --exclude=./build --exclude=./.git . | tar -x -C "$out/packhorse"
(
  cd "$out/packhorse"
  DEB_BUILD_OPTIONS="parallel=${JOBS:-$(nproc)} nocheck" dpkg-buildpackage -b -us -uc -Pnocheck </dev/null \
    > "$out/build.log" 2>&1 || { tail -n 60 "$out/build.log"; exit 1; }
)
lintian --allow-root --fail-on error,warning "$out"/*.changes
rm -rf "$out/packhorse"
ls -l "$out"/*.deb
