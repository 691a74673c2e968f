#!/bin/sh
# dev fuzz [SECONDS [NAME...]]: the fuzzers of tests/fuzz, 60 s altogether by default
#
# NAME: only these, such as "frame handshake peer", the port's. What they find
# to be new is kept in build/fuzz/corpus; a crashing input is written to
# build/fuzz/artifacts, and the command to repeat it is printed.
#
# A fuzzer may take 64 MB. What is measured is the whole process: with what the
# sanitizer adds (its shadow, and the freed blocks that it keeps, 2 MB here) and
# libFuzzer's own corpus.
set -eu
. tools/common.sh

seconds=${1:-60}
[ $# -eq 0 ] || shift
flags="-O1 -fno-omit-frame-pointer -fno-sanitize-recover=all"
flags="$flags -fsanitize=fuzzer-no-link,address,undefined"
export ASAN_OPTIONS="quarantine_size_mb=2:thread_local_quarantine_size_kb=64\
:malloc_context_size=8:detect_stack_use_after_return=0\
${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

sh tools/setup.sh fuzz
configure debug -B build/fuzz -DGREENROOM_FUZZ=ON -DGREENROOM_TESTS=ON \
    -DGREENROOM_EXAMPLES=OFF -DGREENROOM_BENCH=OFF \
    -DCMAKE_C_COMPILER=clang "-DCMAKE_C_FLAGS=$flags"
cmake --build build/fuzz --target fuzzers

if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        set -- "$@" "${name#fuzz_}"
    done
fi
# The protocol's test vectors are inputs, too.
rm -rf build/fuzz/vectors
mkdir -p build/fuzz/artifacts
/usr/bin/python3 -B tests/vectors/make.py --corpus build/fuzz/vectors
each=$((seconds / $#))
[ "$each" -gt 0 ] || each=1
for name in "$@"; do
    [ -f "tests/fuzz/fuzz_$name.c" ] || die "there is no fuzzer $name"
    say "== $name, $each s"
    mkdir -p "build/fuzz/corpus/$name" "build/fuzz/vectors/$name"
    build/fuzz/tests/fuzz/fuzz."$name" -max_total_time="$each" -timeout=10 \
        -rss_limit_mb="${FUZZ_RSS_MB:-64}" -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/artifacts/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" \
        "build/fuzz/vectors/$name" ||
        die "$name failed; repeat it with: build/fuzz/tests/fuzz/fuzz.$name" \
            "build/fuzz/artifacts/$name-..."
done
say "fuzz: nothing found"
