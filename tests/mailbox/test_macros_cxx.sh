#!/bin/sh
# test_macros_cxx.sh: builds and runs test_macros_cxx.cpp as C++17
# unoptimised and as C++20 optimised. It needs nothing but mailbox/ and base/, which are
# compiled here so that the flags of the build (sanitizers) do not matter.
#
# From the environment: GREENROOM_SOURCE, GREENROOM_BUILD, CC, CXX.
set -eu

work=$GREENROOM_BUILD/tests/mailbox/macros_cxx
rm -rf "$work"
mkdir -p "$work"
cd "$GREENROOM_SOURCE"

(
    cd "$work"
    for file in message pool slab blob pack object decode match near unpack validate \
        print; do
        set -- "$@" "$GREENROOM_SOURCE/mailbox/$file.c"
    done
    "$CC" -std=c11 -D_GNU_SOURCE -O1 -I"$GREENROOM_SOURCE" \
        -I"$GREENROOM_SOURCE/include" -c "$@" \
        "$GREENROOM_SOURCE/base/assert.c" "$GREENROOM_SOURCE/base/error.c" \
        "$GREENROOM_SOURCE/base/line.c" "$GREENROOM_SOURCE/base/place.c" \
        "$GREENROOM_SOURCE/base/write.c" \
        "$GREENROOM_SOURCE/tests/mailbox/parts/recorder.c"
)
for flags in "-std=c++17 -O0" "-std=c++20 -O2"; do
    # shellcheck disable=SC2086 # two flags
    "$CXX" $flags -I. -Iinclude -Wall -Wextra -Wpedantic -Wconversion \
        -Wsign-conversion -Wshadow -Wcast-qual -Wundef -Werror \
        tests/mailbox/test_macros_cxx.cpp "$work"/*.o -o "$work/test" -pthread
    "$work/test"
done
