#!/bin/sh
# dev soak-faults: 10 minutes (or SOAK_SECONDS) of faults of every kind
set -eu
. tools/common.sh

sh tools/setup.sh soak-faults
configure release
cmake --build --preset release --target soak_faults >&2
exec build/release/tests/soak-faults "${SOAK_SECONDS:-600}"
