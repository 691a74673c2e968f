#!/bin/sh
# dev idle: CPU time over 30 s of 100,000 idle actors and a connected node
set -eu
. tools/common.sh

sh tools/setup.sh idle
configure release
cmake --build --preset release --target bench_idle >&2
exec build/release/bench/idle "$@"
