#!/usr/bin/env bash
# Usage: packages.sh PACKAGE.deb FOLDER
# Puts the package into FOLDER as this.deb; as next.deb the same one under a higher version, with another example
# configuration; and as previous.deb under a lower version, with the example as a conffile, as packages once had it.
set -euo pipefail

deb=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cp "$deb" "$folder/this.deb"
dpkg-deb --raw-extract "$deb" "$folder/tree"
build() { dpkg-deb --root-owner-group -Znone --build "$folder/tree" "$folder/$1.deb" > /dev/null; }
control=$folder/tree/DEBIAN/control
sed -i 's/^Version: .*/&+next1/' "$control"
echo '// The example of a newer release.' >> "$folder/tree/usr/share/packhorse/packhorse.json"
build next
sed -i 's/^\(Version: .*\)+next1$/\1~previous1/' "$control"
mkdir -p "$folder/tree/etc/packhorse"
echo '// The example of an older release.' | cat "$folder/tree/usr/share/packhorse/packhorse.json" - \
  > "$folder/tree/etc/packhorse/packhorse.json"
echo /etc/packhorse/packhorse.json >> "$folder/tree/DEBIAN/conffiles"
build previous
rm -rf "$folder/tree"
