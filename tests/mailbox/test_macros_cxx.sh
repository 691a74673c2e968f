#!/bin/sh
# test_macros_cxx.sh: builds and runs test_macros_cxx.cpp as C++17 and C++20,
# unoptimised and optimised. It needs nothing but mailbox/ and base/, which are
# compiled here so that the flags of the build (sanitizers) do not matter.
#
# From the environment: GREENROOM_SOURCE, GREENROOM_BUILD, CC, CXX.
set -eu

work=$GREENROOM_BUILD/tests/mailbox/macros_cxx
rm -rf "$work"
mkdir -p "$work"
cd "$GREENROOM_SOURCE"

for file in mailbox/message.c mailbox/pool.c mailbox/pack.c mailbox/decode.c \
    mailbox/match.c mailbox/unpack.c mailbox/validate.c mailbox/print.c \
    base/assert.c base/error.c tests/mailbox/parts/recorder.c; do
    "$CC" -std=c11 -D_GNU_SOURCE -O1 -I. -Iinclude -c "$file" \
        -o "$work/$(basename "$file" .c).o"
done
for standard in 17 20; do
    for level in -O0 -O2; do
        "$CXX" -std=c++$standard $level -I. -Iinclude -Wall -Wextra -Wpedantic \
            -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Wundef \
            -Werror tests/mailbox/test_macros_cxx.cpp "$work"/*.o \
            -o "$work/test" -pthread
        "$work/test"
    done
done
