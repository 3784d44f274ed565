# 64-bit ARM boards (Raspberry Pi 3 and later with a 64-bit system, i.MX8, ...). Used inside the chroot of build.sh.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_SYSTEM_PREFIX_PATH /usr)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# The ARM triplets have no pkg-config of their own. Without this, find_package(CURL) and others ask the native one and
# take its include folders and libraries without a word.
set(ENV{PKG_CONFIG_LIBDIR} "/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig")
