# 32-bit ARM boards with a floating point unit (ARMv7-A, VFPv3-D16: Raspberry Pi 2 and later, BeagleBone, i.MX6, ...).
# Used inside the chroot of build.sh.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_CXX_COMPILER arm-linux-gnueabihf-g++)
set(CMAKE_LIBRARY_ARCHITECTURE arm-linux-gnueabihf)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_SYSTEM_PREFIX_PATH /usr)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-arm-static)
# GCC notes on every call that an ABI changed in version 7.1; nothing here was ever built with an older one.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi")
# The ARM triplets have no pkg-config of their own. Without this, find_package(CURL) and others ask the native one and
# take its include folders and libraries without a word.
set(ENV{PKG_CONFIG_LIBDIR} "/usr/lib/arm-linux-gnueabihf/pkgconfig:/usr/share/pkgconfig")
