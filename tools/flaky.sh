#!/bin/sh
# dev flaky [RUNS [PRESET]]: all tests, 20 times, with every core kept busy
set -eu
. tools/common.sh

runs=${1:-20}
preset=${2:-release}

sh tools/setup.sh test
configure "$preset" -DGREENROOM_TESTS=ON
cmake --build --preset "$preset"

burners=
stop_burners() {
    # shellcheck disable=SC2086 # a list of process ids, on purpose
    kill $burners
}
trap stop_burners EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for _ in $(seq "$(nproc)"); do
    sh -c 'while :; do :; done' &
    burners="$burners $!"
done

run=0
while [ "$run" -lt "$runs" ]; do
    run=$((run + 1))
    if ! ctest --preset "$preset" -j "$(nproc)" >"build/flaky.log" 2>&1; then
        cat build/flaky.log >&2
        die "run $run of $runs failed"
    fi
    say "run $run of $runs: $(grep 'tests passed' build/flaky.log)"
done
