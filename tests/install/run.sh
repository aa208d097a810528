#!/bin/sh
# Installs Troupe into a fresh prefix and builds and runs a small program against it: through the CMake package and
# through pkg-config, static and shared. Checks what the shared library exports, and that Troupe builds quietly, without
# tests, as a part of somebody else's project.
set -eu
cd "$(dirname "$0")/../.."
top=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake -G Ninja -S . -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$work/nowhere" -DTROUPE_TESTS=OFF
cmake --build "$work/build"
cmake --install "$work/build" --prefix "$work/moved" # which is another than the one it was configured with
mv "$work/moved" "$work/prefix"

echo "== exported symbols"
lib=$(find "$work/prefix" -name libtroupe.so)
others=$(nm -D --defined-only "$lib" | awk '{ print $3 }' | grep -v '^tr_' || true)
[ -z "$others" ] || { echo "the shared library exports more than tr_: $others"; exit 1; }
readelf -d "$lib" | grep -q 'SONAME.*libtroupe.so.0' || { echo "no SONAME"; exit 1; }

echo "== CMake package"
cmake -G Ninja -S tests/install -B "$work/user" -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/user"
[ "$("$work/user/with_static")" = "hello from greeter" ]
[ "$("$work/user/with_shared")" = "hello from greeter" ]

echo "== troupe-sim"
"$work/prefix/bin/troupe-sim" "$work/user/simulation" --seeds 20 | grep -q "^20 seeds, none failed"
ctest --test-dir "$work/user" --no-tests=error

echo "== pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name troupe.pc)")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir troupe)
# shellcheck disable=SC2046
cc -std=c11 -o "$work/shared" tests/install/program.c $(pkg-config --cflags --libs troupe)
[ "$(LD_LIBRARY_PATH=$libdir "$work/shared")" = "hello from greeter" ]
# shellcheck disable=SC2046
cc -std=c11 -o "$work/static" tests/install/program.c $(pkg-config --cflags troupe) "$libdir/libtroupe.a" \
    $(pkg-config --static --libs-only-l troupe | sed 's/-ltroupe//') -pthread
[ "$("$work/static")" = "hello from greeter" ]

echo "== as a subproject"
mkdir "$work/other"
cat >"$work/other/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(other LANGUAGES C)
add_subdirectory($top troupe)
add_executable(program $top/tests/install/program.c)
target_link_libraries(program troupe::troupe)
END
cmake -G Ninja -S "$work/other" -B "$work/other/build"
cmake --build "$work/other/build" >"$work/other/log" 2>&1 || { cat "$work/other/log"; exit 1; }
! grep -i warning "$work/other/log"
[ "$("$work/other/build/program")" = "hello from greeter" ]
ctest --test-dir "$work/other/build" -N | grep -q "Total Tests: 0"

echo "== without liburing"
cmake -G Ninja -S . -B "$work/epoll" -DTROUPE_URING=OFF -DTROUPE_TESTS=OFF | grep "no io_uring port"
cmake --build "$work/epoll" --target troupe_shared
echo "install: all good"
