#!/bin/sh
# dev soak-net [LOSSES]: 1,000,000 lost connections in simulated time, 1,000 real ones of each kind
set -eu
. tools/common.sh

losses=${1:-1000000}
case $losses in
'' | *[!0-9]*) die "not a number of losses: $losses" ;;
esac

sh tools/setup.sh test
configure release -DGREENROOM_TESTS=ON
cmake --build --preset release \
    --target test_transport_sim_loss test_transport_churn >&2
# Printed with each failure: with it the run is the same again.
seed=${SIM_SEED:-$(date +%s)}
say "simulated: SIM_SEED=$seed ./dev soak-net $losses does the same again"
SIM_SEED=$seed SIM_LOSSES=$losses build/release/tests/transport.sim_loss
# Half of the rounds cut a socket.
CHURN_ROUNDS=2000 build/release/tests/transport.churn
say "passed"
