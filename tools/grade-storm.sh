#!/bin/sh
# dev grade-storm [TIMES]: faults that end the process (in malloc, in printf, in a fault ...), 1,000 times each
#
# Each fault is a process of its own that must end by the right signal, with the
# line that says why: 22 kinds of them, some 4 minutes in all.
set -eu
. tools/common.sh

times=${1:-1000}
case $times in
'' | 0* | *[!0-9]*) die "not a number of times: $times" ;;
esac

sh tools/setup.sh test
configure release -DGREENROOM_TESTS=ON
cmake --build --preset release --target test_actors_guard_process >&2
# A hang, not a bound: timeout ends the processes that hang, too.
limit_s=$((300 + 6 * times))
if ! GUARD_TIMES=$times timeout "$limit_s" \
    build/release/tests/actors.guard_process >build/grade-storm.log 2>&1; then
    tail -n 50 build/grade-storm.log >&2
    die "grade-storm: failed"
fi
say "passed: $times times each"
