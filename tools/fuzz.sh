#!/bin/sh
# dev fuzz [SECONDS]: all fuzzers of tests/fuzz, 60 s altogether by default
#
# What they find to be new is kept in build/fuzz/corpus; a crashing input is
# written to build/fuzz/artifacts, and the command to repeat it is printed.
set -eu
. tools/common.sh

seconds=${1:-60}
flags="-O1 -fno-omit-frame-pointer -fno-sanitize-recover=all"
flags="$flags -fsanitize=fuzzer-no-link,address,undefined"

sh tools/setup.sh fuzz
configure debug -B build/fuzz -DGREENROOM_FUZZ=ON -DGREENROOM_TESTS=ON \
    -DGREENROOM_EXAMPLES=OFF -DGREENROOM_BENCH=OFF \
    -DCMAKE_C_COMPILER=clang "-DCMAKE_C_FLAGS=$flags"
cmake --build build/fuzz --target fuzzers

set -- tests/fuzz/fuzz_*.c
[ -f "$1" ] || die "there is no fuzzer in tests/fuzz"
each=$((seconds / $#))
[ "$each" -gt 0 ] || each=1
mkdir -p build/fuzz/artifacts
for source in "$@"; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    say "== $name, $each s"
    mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    build/fuzz/tests/fuzz/fuzz."$name" -max_total_time="$each" -timeout=10 \
        -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/artifacts/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" ||
        die "$name failed; repeat it with: build/fuzz/tests/fuzz/fuzz.$name" \
            "build/fuzz/artifacts/$name-..."
done
say "fuzz: nothing found"
