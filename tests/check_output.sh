#!/bin/sh
# check_output.sh EXPECTED PROGRAM [ARGUMENT...]: runs the program, which must
# succeed and print exactly what the file EXPECTED holds.
set -eu

expected=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT

status=0
"$@" >"$output" || status=$?
if ! diff -u "$expected" "$output"; then
    echo "$1: output differs (- expected, + printed)" >&2
    exit 1
fi
if [ "$status" -ne 0 ]; then
    echo "$1: exit status $status" >&2
    exit 1
fi
