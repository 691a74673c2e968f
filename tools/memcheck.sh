#!/bin/sh
# dev memcheck: the unit tests under valgrind; a leak or an error fails them
set -eu
. tools/common.sh

sh tools/setup.sh memcheck
# CMake runs test programs through the "emulator", which here is valgrind.
# Not "possible": a test that leaves a thread in an endless callback on purpose,
# or forks, shows the C library's own memory of running threads.
configure release -B build/memcheck -DGREENROOM_TESTS=ON \
    "-DCMAKE_CROSSCOMPILING_EMULATOR=valgrind;--quiet;--leak-check=full;\
--show-leak-kinds=definite,indirect;\
--errors-for-leak-kinds=definite,indirect;\
--error-exitcode=99;--fair-sched=yes"
cmake --build build/memcheck
ctest --test-dir build/memcheck --output-on-failure --no-tests=error \
    --timeout 600 -L unit -j "$(nproc)"
