#!/bin/sh
# usage: run.sh build | [THREADS=2] run.sh WORKLOAD [N]
# Lets Troupe join a harness that compares actor systems, each of which is a folder with such a run.sh.
cd "$(dirname "$0")/../../.." || exit 1
case "$1" in
build) cmake --preset release && exec cmake --build --preset release --target troupe-bench ;;
*) exec build/release/tests/bench/troupe-bench "$@" ;;
esac
