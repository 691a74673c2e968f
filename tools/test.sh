#!/bin/sh
# dev test [PRESET...]: build and run all tests (release if no preset is named)
set -eu
. tools/common.sh

if [ $# -eq 0 ]; then
    set -- release
fi
for preset in "$@"; do
    case $preset in
    tsan | asan) sh tools/setup.sh "$preset" ;;
    debug | release | ci) sh tools/setup.sh test ;;
    *) die "./dev test: no such preset: $preset" ;;
    esac
done
for preset in "$@"; do
    say "== $preset"
    configure "$preset" -DGREENROOM_TESTS=ON
    cmake --build --preset "$preset"
    ctest --preset "$preset" -j "$(nproc)"
done
