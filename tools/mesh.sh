#!/bin/sh
# dev mesh: 100 nodes in one process, each joined with each: time, CPU, memory
set -eu
. tools/common.sh

sh tools/setup.sh mesh
configure release
cmake --build --preset release --target bench_mesh >&2
exec build/release/bench/mesh "$@"
