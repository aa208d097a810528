# Concurrency Kit and libcork for a mingw-w64 build, from the source tarballs of Debian 12. Like the native build this needs
# their headers only: CK_INCLUDE_DIRS, CORK_INCLUDE_DIRS and the names that begin with troupe_platform_ are set here.
#
# The tarballs may lie in TROUPE_DEPS_DIR already; those that do not are fetched by apt-get, which needs a source entry
# (deb-src). Either way they must be the very ones named here.
set(TROUPE_DEPS_DIR "${CMAKE_BINARY_DIR}/deps" CACHE PATH "Where the source tarballs lie, or are fetched to")
file(MAKE_DIRECTORY "${TROUPE_DEPS_DIR}")

# troupe_unpack(package tarball sha256): unpacks it into ${CMAKE_BINARY_DIR}/deps/<package>.
function(troupe_unpack package tarball sha256)
  set(path "${TROUPE_DEPS_DIR}/${tarball}")
  if(NOT EXISTS "${path}")
    execute_process(COMMAND apt-get source --download-only --tar-only ${package}
      WORKING_DIRECTORY "${TROUPE_DEPS_DIR}" OUTPUT_QUIET ERROR_VARIABLE errors)
    if(NOT EXISTS "${path}")
      message(FATAL_ERROR "troupe: there is no ${path}, and apt-get source ${package} has not brought it "
        "(is a deb-src entry configured?)\n${errors}")
    endif()
  endif()
  file(SHA256 "${path}" actual)
  if(NOT actual STREQUAL sha256)
    message(FATAL_ERROR "troupe: ${path} is not the file it should be: its SHA-256 is ${actual}, not ${sha256}")
  endif()
  set(tree "${CMAKE_BINARY_DIR}/deps/${package}")
  if(NOT EXISTS "${tree}/.${sha256}")
    file(REMOVE_RECURSE "${tree}" "${tree}.unpacked")
    file(ARCHIVE_EXTRACT INPUT "${path}" DESTINATION "${tree}.unpacked")
    file(GLOB folder "${tree}.unpacked/*") # there is one
    file(RENAME "${folder}" "${tree}")
    file(REMOVE_RECURSE "${tree}.unpacked")
    file(TOUCH "${tree}/.${sha256}")
  endif()
endfunction()

troupe_unpack(ck ck_0.7.1.orig.tar.xz 296a4c803fecd1fb0191f78715c0ec97cc2d9109ed3c2c89b0385d4d2263d9c5)
troupe_unpack(libcork libcork_1.0.0~rc3.orig.tar.gz edaf3c604262f151cc0ca2f141636755f63c75d4dea475d40e95c9f327bb37ec)

# Concurrency Kit's ./configure only fills in ck_md.h; these are its choices for x86-64.
set(generated "${CMAKE_BINARY_DIR}/deps/generated")
set(RTM_ENABLE CK_MD_RTM_DISABLE)
set(LSE_ENABLE CK_MD_LSE_DISABLE)
set(POINTER_PACK_ENABLE CK_MD_POINTER_PACK_DISABLE)
set(SSE_DISABLE CK_MD_SSE_ENABLE)
set(PPC32_LWSYNC_ENABLE CK_MD_PPC32_LWSYNC_DISABLE)
set(VMA_BITS CK_MD_VMA_BITS)
set(VMA_BITS_VALUE 48ULL)
set(MM CK_MD_TSO)
set(DISABLE_DOUBLE CK_PR_ENABLE_DOUBLE)
configure_file("${CMAKE_BINARY_DIR}/deps/ck/include/ck_md.h.in" "${generated}/ck_md.h" @ONLY)
set(CK_INCLUDE_DIRS "${CMAKE_BINARY_DIR}/deps/ck/include" "${generated}")

# libcork finds out about systems it knows by itself; it does not know this one, and is told. Inline functions of C99
# would need a library behind them where nothing is optimised: static ones do not.
file(CONFIGURE OUTPUT "${generated}/libcork/config/custom.h" @ONLY CONTENT [[
#ifndef LIBCORK_CONFIG_CUSTOM_H
#define LIBCORK_CONFIG_CUSTOM_H
#define CORK_CONFIG_VERSION_MAJOR 1
#define CORK_CONFIG_VERSION_MINOR 0
#define CORK_CONFIG_VERSION_PATCH 0
#define CORK_CONFIG_VERSION_STRING "1.0.0~rc3"
#define CORK_CONFIG_REVISION ""
#include <libcork/config/arch.h>
#define CORK_CONFIG_IS_BIG_ENDIAN 0
#define CORK_CONFIG_IS_LITTLE_ENDIAN 1
#define CORK_HAVE_REALLOCF 0
#define CORK_HAVE_PTHREADS 1
#include <libcork/config/gcc.h>
#undef CORK_CONFIG_HAVE_C99_INLINE
#define CORK_CONFIG_HAVE_C99_INLINE 0
#endif
]])
set(CORK_INCLUDE_DIRS "${generated}" "${CMAKE_BINARY_DIR}/deps/libcork/include")
set(troupe_platform_definitions
  _WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN
  __USE_MINGW_ANSI_STDIO=1 _POSIX_C_SOURCE=200809L # printf as C11 has it, and gmtime_r
  CORK_CONFIG_SKIP_AUTODETECT=1 CORK_API=CORK_LOCAL)
set(troupe_platform_libraries ws2_32 iphlpapi synchronization)
set(TROUPE_PRIVATE_LIBRARIES " -lws2_32 -liphlpapi -lsynchronization") # for pkg-config
