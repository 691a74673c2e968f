#!/bin/sh
# dev lint [CHECK...]: warnings as errors, format, clang-tidy, cppcheck, layers, ...
set -eu
. tools/common.sh

sh tools/setup.sh lint

failed=
wanted=" $* "
# check NAME COMMAND...: runs it, if all or this one are wanted, and goes on to
# the next check if it fails.
check() {
    name=$1
    shift
    case $wanted in
    "  " | *" $name "*) ;;
    *) return 0 ;;
    esac
    say "== $name"
    if ! "$@"; then
        failed="$failed $name"
    fi
}

compilers() {
    configure ci -DGREENROOM_TESTS=ON -DCMAKE_C_COMPILER=gcc &&
        cmake --build --preset ci &&
        configure ci -B build/ci-clang -DGREENROOM_TESTS=ON \
            -DCMAKE_C_COMPILER=clang &&
        cmake --build build/ci-clang
}

# Each version of these two has its own opinion; the tree follows that of
# Debian 12.
has_version_14() {
    if "$1" --version | grep -q 'version 14\.'; then
        return 0
    fi
    say "skipped: the tree is checked with $1 14 only"
    return 1
}

format() {
    has_version_14 clang-format || return 0
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

tidy() {
    has_version_14 clang-tidy || return 0
    # Whatever the preset compiles, one process a file.
    configure ci -DGREENROOM_TESTS=ON -DCMAKE_C_COMPILER=gcc
    sed -n 's/^  "file": "\(.*\)",*$/\1/p' build/ci/compile_commands.json |
        sort -u | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build/ci \
        2>build/tidy.log || {
        # Its count of suppressed warnings would drown what matters.
        grep -v -e 'warnings generated' -e '^Suppressed' \
            -e '^Use -header-filter' build/tidy.log >&2
        return 1
    }
}

cpp_check() {
    # shellcheck disable=SC2046 # a list of names, on purpose
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
        --enable=warning,style,performance,portability \
        --suppressions-list=tools/cppcheck.suppressions \
        -D_GNU_SOURCE -D__linux__ -D__x86_64__ -I . -I tools/cppcheck -I include \
        $(git ls-files '*.c' | grep -v -e '^tests/package/' -e '/compile_fail/')
}

shell() {
    # What a script reads in is checked by itself, so SC1091 is no loss.
    # shellcheck disable=SC2046 # a list of names, on purpose
    shellcheck .ci/run && shellcheck --shell=sh --exclude=SC1091 dev \
        tools/check_layers tools/check_rules tools/check_style \
        $(git ls-files '*.sh' 'tests/*_common')
}

headers() {
    GREENROOM_SOURCE=$PWD CC=gcc CXX=g++ sh tests/check_headers.sh &&
        GREENROOM_SOURCE=$PWD CC=clang CXX=clang++ sh tests/check_headers.sh
}

all="compilers layers rules style headers format shellcheck cppcheck clang-tidy"
for name in "$@"; do
    case " $all " in
    *" $name "*) ;;
    *) die "./dev lint: no such check: $name (there are $all)" ;;
    esac
done

check compilers compilers
check layers tools/check_layers
check rules tools/check_rules
check style tools/check_style
check headers headers
check format format
check shellcheck shell
check cppcheck cpp_check
check clang-tidy tidy

[ -z "$failed" ] || die "lint: failed:$failed"
say "lint: nothing found"
