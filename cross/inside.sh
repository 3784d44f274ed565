#!/bin/sh
# The part of build.sh that runs inside the chroot: inside.sh ARCH TRIPLET EMULATOR JOBS
set -eu
architecture=$1 triplet=$2 emulator=$3 jobs=$4
build=/src/build/cross/$architecture

cmake -S /src -B "$build" -G Ninja --toolchain "/src/cross/$architecture.cmake" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -g1 -DNDEBUG" -DPACKHORSE_TESTS=OFF -DCMAKE_UNITY_BUILD=ON > "$build.cmake.log" 2>&1 || { cat "$build.cmake.log"; exit 1; }
if grep -q x86_64-linux-gnu "$build/CMakeCache.txt"; then
  echo "cross: a library of the build machine got into the build for $architecture:" >&2
  grep x86_64-linux-gnu "$build/CMakeCache.txt" >&2
  exit 1
fi
ninja -C "$build" -j "$jobs" packhorsed packhorse

for program in packhorsed packhorse; do
  "$triplet-strip" -o "$build/$program" "$build/bin/$program"
  file -b "$build/$program"
done
# Starting them proves that every library of the board's Debian is found and that nothing traps before main().
"$emulator" "$build/packhorse" version
"$emulator" "$build/packhorsed" --version
ls -l "$build/packhorsed" "$build/packhorse"
