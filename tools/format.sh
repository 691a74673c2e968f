#!/bin/sh
# dev format [FILE...]: rewrite the C files (all, or those named) as lint wants
set -eu
. tools/common.sh

sh tools/setup.sh lint
if ! clang-format --version | grep -q 'version 14\.'; then
    die "the tree is formatted with clang-format 14 only (Debian 12)"
fi
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046 # a list of names, on purpose
    set -- $(git ls-files '*.c' '*.h')
fi
exec clang-format -i "$@"
