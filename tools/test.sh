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
    # In CI warnings are errors, but for those that gcc makes up for code that a
    # sanitizer has changed.
    werror=OFF
    [ -z "${CI:-}" ] || [ "$preset" = asan ] || werror=ON
    configure "$preset" -DGREENROOM_TESTS=ON -DGREENROOM_WERROR=$werror
    cmake --build --preset "$preset"
    # Many of them wait now and then: so many keep the processors busy.
    ctest --preset "$preset" -j "$((2 * $(nproc)))"
done
