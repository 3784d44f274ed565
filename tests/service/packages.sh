#!/usr/bin/env bash
# Usage: packages.sh PACKAGE.deb FOLDER
# Puts the package into FOLDER as this.deb, and as next.deb the same one under a higher version.
set -euo pipefail

deb=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cp "$deb" "$folder/this.deb"
dpkg-deb --raw-extract "$deb" "$folder/tree"
sed -i 's/^Version: .*/&+next1/' "$folder/tree/DEBIAN/control"
dpkg-deb --root-owner-group -Znone --build "$folder/tree" "$folder/next.deb" > /dev/null
rm -rf "$folder/tree"
