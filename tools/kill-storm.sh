#!/bin/sh
# dev kill-storm [ROUNDS]: SIGKILL to launcher, child nodes, process actors, parent and far nodes under load, 200 times
set -eu
. tools/common.sh

rounds=${1:-200}
case $rounds in
'' | *[!0-9]*) die "not a number of rounds: $rounds" ;;
esac

sh tools/setup.sh test
configure release -DGREENROOM_TESTS=ON
cmake --build --preset release \
    --target test_process_kill_storm test_process_kill_storm_parent \
    test_process_actor_storm test_process_actor_storm_parent \
    test_transport_killed >&2
for part in process.kill_storm process.kill_storm_parent process.actor_storm \
    process.actor_storm_parent transport.killed; do
    # Its log has a line for each death.
    if ! KILL_ROUNDS=$rounds "build/release/tests/$part" \
        >"build/$part.log" 2>&1; then
        tail -n 50 "build/$part.log" >&2
        die "$part failed"
    fi
done
say "passed: $rounds rounds of each"
