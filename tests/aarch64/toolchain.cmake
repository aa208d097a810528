# Linux on 64-bit ARM, by Debian's cross compiler; what is built is run by QEMU's user mode.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

# The C library is the cross compiler's. What else is needed lies where install.sh has unpacked it.
if(NOT TROUPE_DEPS_DIR)
  set(TROUPE_DEPS_DIR $ENV{HOME}/.cache/troupe/aarch64)
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TROUPE_DEPS_DIR)
set(CMAKE_FIND_ROOT_PATH ${TROUPE_DEPS_DIR} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_LIBDIR} ${TROUPE_DEPS_DIR}/usr/lib/aarch64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${TROUPE_DEPS_DIR})
set(ENV{PKG_CONFIG_ALLOW_SYSTEM_CFLAGS} 1) # /usr/include below the root above, where the compiler does not look

# CTest starts every program through this.
find_program(QEMU_EXECUTABLE NAMES qemu-aarch64-static qemu-aarch64)
if(QEMU_EXECUTABLE)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_EXECUTABLE} -L /usr/aarch64-linux-gnu)
endif()
