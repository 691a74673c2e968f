#!/bin/sh
# dev coverage: lines that the tests and the fuzzers' corpora run, of the port's files (95 % at least)
#
# Builds with gcc's --coverage, runs the tests of nodes and the fuzzers as tests,
# and prints each file of mailbox and transport: per cent, lines, name. Those
# that read what strangers and peers say must have 95 %.
set -eu
. tools/common.sh

strict="transport/frame.c transport/handshake.c transport/inbound.c
    transport/meeting.c transport/trust.c transport/rights.c transport/refuse.c
    transport/crossing.c mailbox/decode.c mailbox/validate.c"
floor=95

sh tools/setup.sh test
configure debug -B build/coverage -DGREENROOM_TESTS=ON -DCMAKE_C_COMPILER=gcc \
    -DGREENROOM_EXAMPLES=OFF -DGREENROOM_BENCH=OFF \
    "-DCMAKE_C_FLAGS=-O0 --coverage -fprofile-update=atomic"
# What is run below, and what that needs.
targets="client_node test_mailbox_match test_mailbox_reader"
targets="$targets test_mailbox_validate"
for source in tests/transport/test_*.c; do
    name=$(basename "$source" .c)
    targets="$targets test_transport_${name#test_}"
done
for source in tests/fuzz/fuzz_*.c; do
    targets="$targets $(basename "$source" .c)"
done
# shellcheck disable=SC2086 # a list of names, on purpose
cmake --build build/coverage --target $targets >&2
objects=build/coverage/CMakeFiles/greenroom_objects.dir
find build/coverage -name '*.gcda' -delete
ctest --test-dir build/coverage --output-on-failure --no-tests=error \
    -R '^(transport|fuzz)\.|^mailbox\.(match|reader|validate)$' -j "$(nproc)" >&2

# Per cent, lines and name of each file: gcov's two lines, in one.
gcov -n -s "$PWD" -r "$objects"/mailbox/*.gcda "$objects"/transport/*.gcda |
    awk -F "'" '
        /^File / { file = $2 }
        /^Lines executed:/ {
            split($0, part, /[:% ]+/)
            if (file ~ /\.c$/) printf "%s %s %s\n", part[3], part[5], file
            file = ""
        }' | LC_ALL=C sort -k3 >build/coverage/lines
awk '{ printf "%6.2f %% of %4d  %s\n", $1, $2, $3 }' build/coverage/lines

failed=
for file in $strict; do
    awk -v file="$file" -v floor="$floor" \
        '$3 == file { found = 1; low = $1 < floor } END { exit !found || low }' \
        build/coverage/lines || failed="$failed $file"
done
[ -z "$failed" ] || die "coverage: below $floor %:$failed"
say "coverage: at least $floor % of each file that reads what comes to a port"
