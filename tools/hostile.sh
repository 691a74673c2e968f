#!/bin/sh
# dev hostile [ROUNDS] [ATTACK]: a good peer's round trips while its node is attacked, and the node's memory
set -eu
. tools/common.sh

rounds=${1:-9}
case $rounds in
'' | *[!0-9]*) die "not a number of rounds: $rounds" ;;
esac

sh tools/setup.sh test
configure release -DGREENROOM_TESTS=ON
cmake --build --preset release --target soak_hostile >&2
exec build/release/tests/soak-hostile "$rounds" ${2:+"$2"}
